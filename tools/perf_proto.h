/* Messages on the control stream of `skua perf`: bytes and structs, nothing else.
 *
 * The application label is "skua-perf/1". The client opens a bidirectional stream first; on it
 * travel
 *
 *     client    REQUEST                            STOP      DONE
 *     server             READY     ... data ...                     RESULT
 *
 * Data streams follow READY: unidirectional ones, opened by whoever sends, in BULK; bidirectional
 * ones, opened by the client, in RR. In DGRAM there are none: the server sends back each datagram
 * of the client's (perf_dgram.c). STOP asks the server to give up its sending streams: the client
 * alone keeps the time. DONE says that every stream has ended for the client. RESULT, when every
 * stream has ended for the server too, ends the test; the client closes the connection.
 *
 * A message is type (1 byte), length of the body (2), body. All integers are big-endian. Bodies
 * have one valid length each, and one reader checks every value against its limit: what a peer
 * sends is either a message within limits or not a message. */
#ifndef SKUA_TOOLS_PERF_PROTO_H
#define SKUA_TOOLS_PERF_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>
#include <skua/skua_ev.h>

#define SKUA_PERF_LABEL   "skua-perf/1"
#define SKUA_PERF_VERSION 2

enum {
    SKUA_PERF_HEAD_LEN = 3,
    SKUA_PERF_BODY_MAX = 1024,
    SKUA_PERF_MESSAGE_MAX = SKUA_PERF_HEAD_LEN + SKUA_PERF_BODY_MAX,
    SKUA_PERF_STREAMS_MAX = 128, /* streams of one direction */
};
/* Largest request or response of an exchange; bytes of a datagram, and of those of a connection
 * that may wait. */
#define SKUA_PERF_EXCHANGE_MAX (UINT32_C(16) << 20)
enum { SKUA_PERF_DGRAM_MIN = 16, SKUA_PERF_DGRAM_MAX = 65507, SKUA_PERF_DGRAM_BUFFER = 1 << 22 };

enum skua_perf_type {
    SKUA_PERF_REQUEST = 1,
    SKUA_PERF_READY = 2,
    SKUA_PERF_STOP = 3,
    SKUA_PERF_DONE = 4,
    SKUA_PERF_RESULT = 5,
};

enum skua_perf_mode {
    SKUA_PERF_BULK = 1,     /* bytes one way or both */
    SKUA_PERF_RR = 2,       /* requests and responses */
    SKUA_PERF_CONNECT = 3,  /* this connection watches others being opened and closed */
    SKUA_PERF_EXCHANGE = 4, /* one of those: READY is all it wants */
    SKUA_PERF_DGRAM = 5,    /* RR by datagrams: the server sends each back */
};

/* What the client wants. */
struct skua_perf_request {
    uint8_t version;          /* SKUA_PERF_VERSION; nothing else is read where it differs */
    enum skua_perf_mode mode; /* what to do */
    uint16_t up;              /* BULK: streams that the client opens; RR, DGRAM: its exchanges at a
                                 time */
    uint16_t down;            /* BULK: streams that the server opens */
    uint64_t bytes;           /* BULK: to send on all `down` streams together; 0 = until STOP */
    uint32_t exchange;        /* RR, DGRAM: bytes of a request, and of a response */
};

enum skua_perf_status {
    SKUA_PERF_OK = 0,
    SKUA_PERF_BAD_VERSION = 1, /* the server does not know the request's version */
};

/* One side's account of a test. */
struct skua_perf_end {
    uint64_t received_bytes;     /* bytes of data streams read */
    uint64_t receive_ns;         /* from the first to the last of them */
    uint64_t cpu_user_ns;        /* of the whole process, from READY on */
    uint64_t cpu_system_ns;      /* the same, in the kernel */
    uint64_t elapsed_ns;         /* from READY on */
    uint64_t served;             /* server: EXCHANGE connections answered meanwhile */
    uint64_t suite;              /* enum skua_suite */
    uint64_t ecn_state;          /* enum skua_ecn_state */
    uint64_t controller;         /* enum skua_controller */
    struct skua_conn_stats conn; /* the members that perf_stats.def lists */
    struct skua_ev_stats driver; /* the same; counters from READY on */
};

/* Reads a message's head. False for an unknown type or a length that this type cannot have. */
bool skua_perf_get_head(const uint8_t in[SKUA_PERF_HEAD_LEN], enum skua_perf_type *type,
                        size_t *len);

/* Encoders: a whole message, head and body. The result is its length. */
size_t skua_perf_put_request(uint8_t out[SKUA_PERF_MESSAGE_MAX],
                             const struct skua_perf_request *request);
size_t skua_perf_put_ready(uint8_t out[SKUA_PERF_MESSAGE_MAX], enum skua_perf_status status);
/* STOP and DONE, which have no body. */
size_t skua_perf_put_plain(uint8_t out[SKUA_PERF_MESSAGE_MAX], enum skua_perf_type type);
size_t skua_perf_put_result(uint8_t out[SKUA_PERF_MESSAGE_MAX], const struct skua_perf_end *end);

/* Decoders: a body of the length that get_head found good. False where a value is beyond its limit.
 * A REQUEST of another version is decoded as its version alone. */
bool skua_perf_get_request(const uint8_t *body, size_t len, struct skua_perf_request *out);
bool skua_perf_get_ready(const uint8_t *body, size_t len, enum skua_perf_status *out);
bool skua_perf_get_result(const uint8_t *body, size_t len, struct skua_perf_end *out);

#endif
