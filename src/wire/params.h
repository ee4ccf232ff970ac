/* Transport parameters (docs/protocol.md, "Transport parameters"): what each side tells the other,
 * once, inside the handshake.
 *
 * A block is a sequence of varint id, varint length, value, at most SKUA_LIMIT_PARAMS_MAX bytes.
 * Known ids appear at most once; unknown ones are passed over, and ids 31N+27 exist only to keep
 * peers honest about that. */
#ifndef SKUA_WIRE_PARAMS_H
#define SKUA_WIRE_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/cursor.h"
#include "base/limits.h"
#include "wire/id.h"
#include "wire/varint.h"

/* Largest count of streams of a kind (RFC 9000 §4.6): the ids of more would not fit a varint, three
 * bits of which say what kind it is. */
#define SKUA_STREAM_COUNT_MAX (UINT64_C(1) << 59)

/* Above every credit that is announced in parameters (more is granted later), so that they fit. */
#define SKUA_PARAM_CREDIT_END (UINT64_C(1) << 30)
/* ... and of idle timeouts, milliseconds: twelve days. */
#define SKUA_PARAM_IDLE_END (UINT64_C(1) << 30)

enum skua_param {
#define SKUA_PARAM(name, id, type, member, minimum, maximum, preset, text) SKUA_PARAM_##name = (id),
#include "wire/params.def"
#undef SKUA_PARAM
    SKUA_PARAM_RESET_TOKEN = 0x02,  /* stateless reset token of INITIAL_SCID; server only */
    SKUA_PARAM_INITIAL_SCID = 0x0f, /* the id in SYN_ACK's scid field; server, required */
    SKUA_PARAM_VERSIONS = 0x30,     /* u32 each, by preference; server only: the client's are in
                                       message 1 */
    SKUA_PARAM_LABEL = 0x31,        /* application label, 1 to SKUA_LABEL_MAX bytes; client only */
    SKUA_PARAM_EARLY_DATA = 0x32    /* empty: it is there or not */
};

/* The lasting part: limits and habits of the side that sent them, one member for each line of
 * params.def, which says what they mean. Absent parameters hold their defaults. */
struct skua_transport_params {
#define SKUA_PARAM(name, id, type, member, minimum, maximum, preset, text) type member;
#include "wire/params.def"
#undef SKUA_PARAM
};
SKUA_STATIC_ASSERT(sizeof(struct skua_transport_params) == 64, "stored in a half-open entry");

enum {
    SKUA_PARAM_VERSIONS_MAX = 4, /* versions kept of the list; further ones are passed over */
    SKUA_PARAM_TOKEN_LEN = 16    /* bytes of RESET_TOKEN */
};

/* A whole block. */
struct skua_params {
    struct skua_transport_params transport;
    struct skua_id initial_scid;                /* server; len 0 from a client */
    uint32_t versions[SKUA_PARAM_VERSIONS_MAX]; /* server */
    uint8_t version_count;                      /* entries of `versions` */
    bool has_reset_token;                       /* server: the next member is set */
    uint8_t reset_token[SKUA_PARAM_TOKEN_LEN];  /* server; else zeros */
    bool early_data;                            /* client: it wants tokens for early data; server:
                                                   it has taken the SYN's early data */
    uint8_t label_len;                          /* client; 0: none */
    char label[SKUA_LABEL_MAX + 1];             /* client; zero-terminated */
};

/* Who sends a block. */
enum skua_params_from { SKUA_PARAMS_FROM_CLIENT, SKUA_PARAMS_FROM_SERVER };

/* Defaults everywhere, no id, no token, no versions, no label, no early data. */
void skua_params_init(struct skua_params *params);

/* Reads a block of `len` bytes. SKUA_CODE_NO_ERROR, or SKUA_CODE_PARAMETER: cut off, a known id
 * twice, a value out of range, a parameter of the other side, the server's id missing, or a block
 * longer than SKUA_LIMIT_PARAMS_MAX. */
enum skua_code skua_params_read(const uint8_t *data, size_t len, enum skua_params_from from,
                                struct skua_params *out);

/* Writes a block with the parameters that `from` may send. `grease` (random; 0 = none) adds one
 * parameter that nobody knows, where the limit leaves room. Members must be within their ranges,
 * stream counts at most SKUA_LIMIT_STREAMS_MAX, credit below SKUA_PARAM_CREDIT_END, idle timeout
 * below SKUA_PARAM_IDLE_END and versions at most two: any such block fits SKUA_LIMIT_PARAMS_MAX. */
void skua_params_write(struct skua_writer *w, const struct skua_params *params,
                       enum skua_params_from from, uint32_t grease);

#endif
