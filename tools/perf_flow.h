/* What client and server of `skua perf` do alike: a source of bytes, sending and receiving them,
 * messages of the control stream, and the account of a test. */
#ifndef SKUA_TOOLS_PERF_FLOW_H
#define SKUA_TOOLS_PERF_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <skua/skua.h>
#include <skua/skua_ev.h>

#include "perf_proto.h"

/* CLOCK_MONOTONIC, the driver's clock. */
skua_time skua_perf_now(void);

/* Codes of skua_conn_abort in this protocol. */
enum skua_perf_abort {
    SKUA_PERF_ABORT_INTERRUPTED = 1, /* the user ended the program */
    SKUA_PERF_ABORT_PROTOCOL = 2,    /* the peer's bytes make no sense */
    SKUA_PERF_ABORT_INTERNAL = 3     /* out of memory */
};

/* --- sending --- */

/* Bytes to send, again and again: more than the caches hold, so that every byte sent comes from
 * memory, as a file's would. They never change, so lending them needs no book-keeping. */
struct skua_perf_source {
    uint8_t *data; /* from malloc */
    size_t size;   /* of them */
    size_t chunk;  /* bytes of a write */
    bool copy;     /* skua_stream_write; else skua_stream_lend */
};

/* False where memory is short. */
bool skua_perf_source_init(struct skua_perf_source *source, size_t chunk, bool copy);
/* Only after the driver that was lent from it is gone. */
void skua_perf_source_deinit(struct skua_perf_source *source);

/* One sending stream. */
struct skua_perf_out {
    skua_stream stream; /* 0 = none yet */
    uint64_t left;      /* bytes still to write; UINT64_MAX = no end */
    size_t at;          /* place in the source */
    bool ended;         /* finished or reset */
};

/* Writes until nothing is left or the stream takes no more (SKUA_OK in both cases; WRITABLE then
 * says when to call again). Other errors are the stream's. */
enum skua_err skua_perf_out_write(struct skua_endpoint *ep, struct skua_perf_out *out,
                                  const struct skua_perf_source *source);
/* The same, and finishes the stream once all is written. */
enum skua_err skua_perf_out_pump(struct skua_endpoint *ep, struct skua_perf_out *out,
                                 const struct skua_perf_source *source);
/* Ends it now, finished or not: what has not arrived yet is dropped. */
void skua_perf_out_reset(struct skua_endpoint *ep, struct skua_perf_out *out);

/* --- receiving --- */

/* Everything received in a test. */
struct skua_perf_in {
    uint64_t bytes;        /* read and thrown away */
    skua_time first, last; /* when the first and the last of them were read */
};

/* Takes what a stream has, without copying. The result is never SKUA_OK: SKUA_EAGAIN, SKUA_EOF,
 * SKUA_ERESET and so on say why it ended. `*got` is how much came. */
enum skua_err skua_perf_in_drain(struct skua_endpoint *ep, skua_stream stream,
                                 struct skua_perf_in *in, skua_time now, uint64_t *got);

/* --- control stream --- */

struct skua_perf_control {
    struct skua_endpoint *ep;
    skua_stream stream; /* 0 = none yet */
    size_t len;         /* bytes gathered */
    uint8_t message[SKUA_PERF_MESSAGE_MAX];
};

enum skua_perf_got {
    SKUA_PERF_GOT_NOTHING, /* READABLE will come */
    SKUA_PERF_GOT_MESSAGE, /* a whole one: type, body, len */
    SKUA_PERF_GOT_BAD      /* not a message, or the stream has ended */
};

/* The next message; `*body` is valid until the next call. */
enum skua_perf_got skua_perf_control_next(struct skua_perf_control *control,
                                          enum skua_perf_type *type, const uint8_t **body,
                                          size_t *len);
/* Sends a message. False where the stream does not take it whole: a test's messages together are
 * smaller than any send buffer, so this is an error. */
bool skua_perf_control_send(struct skua_perf_control *control, const uint8_t *message, size_t len);
/* STOP or DONE. */
bool skua_perf_control_plain(struct skua_perf_control *control, enum skua_perf_type type);

/* --- the account --- */

/* How things stood when the test began. */
struct skua_perf_meter {
    skua_time start;
    struct rusage cpu;
    struct skua_ev_stats driver;
};

void skua_perf_meter_begin(struct skua_perf_meter *meter, const struct skua_ev *ev);
/* Fills `end` but for `served`. `conn` may be stale: its statistics are zero then. */
void skua_perf_meter_end(const struct skua_perf_meter *meter, struct skua_ev *ev, skua_conn conn,
                         const struct skua_perf_in *in, struct skua_perf_end *end);

#endif
