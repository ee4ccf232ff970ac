/* One stream: an ordered flow of bytes in one direction or both (RFC 9000 §2, §3).
 *
 * Upper floors own `handle` and `user` and read nothing else; everything is done through
 * streams.h.
 *
 * Ids: bit 0 is 1 where the accepting side opened the stream, bit 1 is 1 where it is
 * unidirectional, bit 2 is 1 where it carries messages; the rest counts up from 0 for each of these
 * kinds.
 *
 * Life. A peer's stream begins with the first frame that names it or a later one of its kind; an
 * own one with skua_streams_open. It is gone when (a) its sending side is over: everything up to
 * the end, or a RESET_STREAM, is acknowledged, or there is none; (b) its receiving side is over:
 * every byte up to the final size or a RESET_STREAM has arrived, or there is none; and (c) the
 * application has closed it (skua_streams_close), or never got to know it, and what the peer asked
 * about its reading is answered and acknowledged. Only then is the peer
 * credited with another stream. Frames for a stream that is gone are ignored. */
#ifndef SKUA_STREAM_STREAM_H
#define SKUA_STREAM_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/assert.h"
#include "base/list.h"
#include "stream/recv_buf.h"
#include "stream/sched.h"
#include "stream/send_buf.h"
#include "stream/window.h"

struct skua_streams;

/* The sending side, RFC 9000 §3.1. */
enum skua_send_state {
    SKUA_SEND_NONE,     /* the peer's unidirectional stream: no such side */
    SKUA_SEND_OPEN,     /* more may be written */
    SKUA_SEND_FINISHED, /* finish was called: `end` is the final size */
    SKUA_SEND_RESET,    /* given up: RESET_STREAM is to be sent or on its way */
    SKUA_SEND_DONE      /* the end, or the reset, is acknowledged */
};

/* The receiving side, RFC 9000 §3.2. */
enum skua_recv_state {
    SKUA_RECV_NONE, /* our unidirectional stream: no such side */
    SKUA_RECV_OPEN, /* final size or some bytes are missing */
    SKUA_RECV_DONE, /* every byte up to the final size has arrived */
    SKUA_RECV_RESET /* the peer gave up */
};

/* Control frames of a stream that are to be sent: each at most once, with the value of the moment.
 */
enum skua_stream_control {
    SKUA_STREAM_SENDS_RESET = 1,
    SKUA_STREAM_SENDS_STOP = 2,
    SKUA_STREAM_SENDS_MAX = 4,
    SKUA_STREAM_SENDS_BLOCKED = 8,
    SKUA_STREAM_SENDS_CONSUMED = 16
};

/* What the peer hears of our application's reading. */
enum skua_report {
    SKUA_REPORT_NONE,  /* nothing: it has not asked */
    SKUA_REPORT_WANTED, /* it asked; the application is not done */
    SKUA_REPORT_OWED,  /* CONSUMED is to be sent, or on its way */
    SKUA_REPORT_DONE   /* ... and acknowledged */
};

struct skua_send_side {
    enum skua_send_state state;
    bool fin_sent;     /* the end was sent at least once */
    bool fixed;        /* the final size cannot change: the end was sent, or a reset acknowledged */
    bool given_up;     /* it ended by a reset, not by its end */
    bool fin_acked;    /* the end is acknowledged */
    bool fin_lost;     /* the end is to be sent again */
    bool stopped;      /* the peer sent STOP_SENDING */
    bool wants_room;   /* a write was refused: WRITABLE is owed */
    bool lent;         /* memory was lent: ACKED is wanted */
    bool blocked_said; /* STREAM_DATA_BLOCKED for the present limit was sent */
    bool confirm;      /* the end asks for CONSUMED */
    bool fin_early;    /* a SYN carried the end, taken or not */
    bool answered;     /* which has come */
    bool corked;       /* the application holds small writes together */
    bool gathers;      /* bytes from buf.next on are not sent before they fill a packet */
    uint32_t turn;     /* bytes sent since its turn began */
    uint64_t limit;    /* the peer's credit */
    uint64_t code;     /* of RESET_STREAM; after STOP_SENDING the same as there. Answered: the
                          offset of CONSUMED */
    struct skua_send_buf buf;
};

struct skua_recv_side {
    uint8_t state;    /* enum skua_recv_state */
    bool unwanted;    /* stopped, closed or discarded: nobody will read */
    bool stop_asked;  /* STOP_SENDING was asked for */
    bool told;        /* the application has been told of the end or the reset */
    uint32_t prepaid; /* messages.c: bytes behind `read` that the connection's credit does not count
                         any more */
    uint64_t highest; /* highest offset seen: what counts as credit used */
    uint64_t final;   /* final size; UINT64_MAX = not known */
    union {
        uint64_t message_end; /* messages.c, while somebody reads and no reset came: where the
                                 message at hand ends; 0 = its length is not yet known */
        uint64_t code;        /* of our STOP_SENDING; once reset, of the peer's RESET_STREAM */
    };
    struct skua_window window; /* credit granted */
    struct skua_recv_buf buf;
};

struct skua_stream {
    uint64_t handle; /* the endpoint's: what the application calls it; 0 = it has no handle */
    void *user;      /* the endpoint's: the application's pointer */
    uint64_t id;     /* on the wire */
    struct skua_streams *streams; /* whose it is */
    struct skua_node all;         /* in streams->all */
    struct skua_node control;     /* in streams->sched.control while `sends` is not 0 */
    union skua_sched_place again; /* in sched.again: something to send that needs no credit */
    union skua_sched_place fresh; /* in sched.fresh (new bytes, with stream credit) or
                                     sched.starved (without) */
    struct skua_node events_node; /* in streams->events while `events` is not 0 */
    struct skua_node loan;        /* in streams->loans while it has borrowed bytes */
    uint32_t events;              /* bits 1 << enum skua_event_type */
    uint8_t sched_class;          /* enum skua_sched_class: which queue `fresh` is in */
    uint8_t sends;                /* bits of enum skua_stream_control */
    uint8_t urgency;              /* 0 to SKUA_URGENCY_LAST; the lowest goes first */
    bool incremental;             /* takes turns with others of its urgency */
    bool sends_again;             /* it is in sched.again */
    uint8_t report;               /* enum skua_report */
    bool own;                     /* opened by this side */
    bool uni;                     /* unidirectional */
    bool held;                    /* above the peer's MAX_STREAMS: nothing of it is sent yet */
    bool announced;               /* the application knows of it (own, or STREAM was reported) */
    bool closed;                  /* the application has closed it */
    uint16_t early;               /* every byte below this offset came as early data */
    struct skua_send_side send;
    struct skua_recv_side recv;
};

SKUA_STATIC_ASSERT(sizeof(struct skua_stream) <= 480, "a peer may have a thousand of them open");

#endif
