/* What a sent packet carried, in a form that needs no memory of its own.
 *
 * A record says which frame was in a packet, so that its fate (acknowledged or lost) can be told to
 * whoever wrote it. recovery/ keeps records and never interprets them; conn/ dispatches them by
 * `type`; stream/ makes and takes its own. */
#ifndef SKUA_BASE_RECORD_H
#define SKUA_BASE_RECORD_H

#include <stdint.h>

#include "base/assert.h"

enum { SKUA_RECORD_FIN = 1 }; /* flags: the STREAM frame carried the end of the stream */

struct skua_record {
    uint64_t id;     /* stream id, largest packet number acknowledged, ...: by type */
    uint64_t offset; /* stream offset, limit announced, ...: by type */
    uint32_t len;    /* bytes of stream data, else 0 */
    uint16_t type;   /* frame type as on the wire (wire/frames.def); STREAM is 0x08 whatever its low
                        bits */
    uint16_t flags;  /* SKUA_RECORD_FIN */
};
SKUA_STATIC_ASSERT(sizeof(struct skua_record) == 24, "a sent packet's entry is 64 bytes");

/* A range of packet numbers or offsets, both ends included. */
struct skua_range {
    uint64_t first;
    uint64_t last;
};

#endif
