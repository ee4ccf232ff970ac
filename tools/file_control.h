/* The control stream of a request: whole records out, whole records in. */
#ifndef SKUA_TOOLS_FILE_CONTROL_H
#define SKUA_TOOLS_FILE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "file_proto.h"

/* Bytes to send of which the peer takes none before whoever produces them should wait. */
#define SKUA_FILE_CONTROL_QUEUE_HIGH 1048576

struct skua_file_control {
    struct skua_endpoint *ep;
    skua_stream stream; /* 0 = none yet */
    uint8_t *out;       /* bytes that the stream did not take; from malloc */
    size_t out_at;      /* first of them */
    size_t out_len;     /* end of them */
    size_t out_room;
    uint8_t *in; /* a record being gathered; from malloc */
    size_t in_len;
    size_t in_room;
};

/* What a record handler says: go on, or stop reading (its session is over). */
typedef bool skua_file_control_handler(void *user, enum skua_file_record type, const uint8_t *body,
                                       size_t len);

void skua_file_control_init(struct skua_file_control *control, struct skua_endpoint *ep);
void skua_file_control_deinit(struct skua_file_control *control);

/* Sends a record, or queues what the stream does not take. False where memory is short or the
 * stream is gone. */
bool skua_file_control_send(struct skua_file_control *control, const uint8_t *record, size_t len);
/* Sends what is queued: for WRITABLE. */
bool skua_file_control_flush(struct skua_file_control *control);
/* Bytes queued. */
size_t skua_file_control_queued(const struct skua_file_control *control);

/* Reads what there is and calls the handler for each record. False where the peer's bytes are
 * malformed, memory is short or the handler said so. */
bool skua_file_control_read(struct skua_file_control *control, skua_file_control_handler *handler,
                            void *user);

#endif
