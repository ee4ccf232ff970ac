/* Congestion control: one interface for all controllers.
 *
 * A controller sees nothing but the event structs below; integers only. Its state is embedded in
 * struct skua_cc: no memory, no pointers out of it. The connection reads `cwnd`, `ssthresh` and
 * `pacing_rate` at any time, and calls, for an ACK: on_ack with what was acknowledged, then
 * on_spurious, then on_ce, then on_loss with what was lost because of it. Windows and flights count
 * bytes of UDP payload. */
#ifndef SKUA_CC_CC_H
#define SKUA_CC_CC_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>

#include "cc/cubic.h"
#include "cc/newreno.h"

/* Pacing rate before there is an RTT sample, and for rates that no timer could pace. */
#define SKUA_CC_UNPACED UINT64_MAX
/* Slow start threshold before the first congestion event. */
#define SKUA_CC_NO_SSTHRESH UINT64_MAX

struct skua_cc;

/* RTT as it is after the event. */
struct skua_cc_rtt {
    skua_time latest_ns;
    skua_time smoothed_ns; /* 0 = no sample yet */
    skua_time min_ns;
};

/* Delivery-rate sample; meaning as in draft-cheng-iccrg-delivery-rate-estimation. */
struct skua_cc_rate {
    bool valid;               /* there is a sample */
    bool app_limited;         /* a lower bound only */
    uint64_t bytes_per_s;     /* delivery rate */
    uint64_t delivered;       /* total delivered now */
    uint64_t prior_delivered; /* total delivered when the sampled packet was sent: counts rounds */
    uint64_t tx_in_flight;    /* bytes in flight when it was sent */
    uint64_t lost;            /* bytes lost since it was sent */
};

/* A packet was sent. */
struct skua_cc_sent {
    uint64_t pn;
    uint32_t bytes;
    uint64_t bytes_in_flight; /* before this packet */
};

/* Packets were acknowledged. */
struct skua_cc_ack {
    uint64_t bytes;           /* newly acknowledged and in flight until now */
    uint64_t bytes_in_flight; /* before this ACK */
    uint64_t largest_pn;      /* largest newly acknowledged */
    skua_time largest_sent;   /* when that one was sent */
    uint64_t next_pn;         /* next number to be sent: ends a round when acknowledged */
    bool cwnd_limited; /* the window was in use: it, or the pacer on its way to filling it, and not
                          want of data or credit, held the sender back */
    bool rtt_sampled;  /* rtt.latest_ns comes from this ACK */
    struct skua_cc_rtt rtt;
    struct skua_cc_rate rate;
};

/* Packets were declared lost (MTU probes are not told of). */
struct skua_cc_loss {
    uint64_t bytes;           /* declared lost now */
    uint64_t packets;         /* declared lost now */
    uint64_t bytes_in_flight; /* before they were taken off */
    uint64_t largest_pn;      /* largest of them */
    skua_time largest_sent;   /* when that one was sent */
    bool persistent;          /* persistent congestion (RFC 9002 §7.6) */
    uint64_t tx_in_flight;    /* bytes in flight when the largest was sent; 0 = not known */
};

/* Packets that arrived had been marked Congestion Experienced (RFC 3168). */
struct skua_cc_ce {
    uint64_t packets;       /* marked, not told of before */
    skua_time largest_sent; /* when the largest number of the ACK that told of it was sent */
};

/* Packets declared lost before were acknowledged after all. */
struct skua_cc_spurious {
    uint64_t bytes;
    uint64_t packets;
    skua_time since; /* when the first of them had been declared lost */
};

/* A controller. Every member is set. `init` runs on zeroed state with `mtu` set. */
struct skua_cc_ops {
    enum skua_controller controller; /* which one it is */
    void (*init)(struct skua_cc *cc, skua_time now);
    void (*on_sent)(struct skua_cc *cc, const struct skua_cc_sent *sent, skua_time now);
    void (*on_ack)(struct skua_cc *cc, const struct skua_cc_ack *ack, skua_time now);
    void (*on_ce)(struct skua_cc *cc, const struct skua_cc_ce *ce, skua_time now);
    void (*on_loss)(struct skua_cc *cc, const struct skua_cc_loss *loss, skua_time now);
    void (*on_spurious)(struct skua_cc *cc, const struct skua_cc_spurious *spurious, skua_time now);
    void (*on_mtu)(struct skua_cc *cc, uint32_t old_mtu); /* cc->mtu is the new one */
    /* Bytes per second to send at, from the window and the RTT or from a model of its own. */
    uint64_t (*pacing_rate)(const struct skua_cc *cc);
};

/* The state of whichever controller runs. */
union skua_cc_state {
    struct skua_newreno newreno;
    struct skua_cubic cubic;
};

struct skua_cc {
    const struct skua_cc_ops *ops;
    uint64_t cwnd;              /* congestion window, bytes */
    uint64_t ssthresh;          /* slow start threshold, bytes, or SKUA_CC_NO_SSTHRESH */
    uint64_t pacing_rate;       /* bytes per second, or SKUA_CC_UNPACED */
    uint16_t congestion_events; /* reductions so far, modulo 2^16 */
    uint16_t persistent_events; /* persistent congestions so far, modulo 2^16 */
    uint16_t undone_events;     /* reductions taken back, modulo 2^16 */
    uint16_t mtu;               /* present datagram size, bytes */
    skua_time smoothed_ns;      /* RTT as of the last ACK; 0 = no sample yet */
    union skua_cc_state state;  /* the controller's own */
};

/* The controller of this name; NULL where there is none. */
const struct skua_cc_ops *skua_cc_find(enum skua_controller controller);

/* Starts a controller on a new path. */
void skua_cc_init(struct skua_cc *cc, const struct skua_cc_ops *ops, uint32_t mtu, skua_time now);

/* RTT known from elsewhere (the handshake, the path moved from): lets pacing begin. */
void skua_cc_on_rtt(struct skua_cc *cc, const struct skua_cc_rtt *rtt);

void skua_cc_on_sent(struct skua_cc *cc, const struct skua_cc_sent *sent, skua_time now);
void skua_cc_on_ack(struct skua_cc *cc, const struct skua_cc_ack *ack, skua_time now);
void skua_cc_on_ce(struct skua_cc *cc, const struct skua_cc_ce *ce, skua_time now);
void skua_cc_on_loss(struct skua_cc *cc, const struct skua_cc_loss *loss, skua_time now);
void skua_cc_on_spurious(struct skua_cc *cc, const struct skua_cc_spurious *spurious,
                         skua_time now);

/* The path's datagram size changed. */
void skua_cc_on_mtu(struct skua_cc *cc, uint32_t mtu);

/* What may still be sent, bytes; 0 where `bytes_in_flight` fills the window. */
static inline uint64_t skua_cc_room(const struct skua_cc *cc, uint64_t bytes_in_flight)
{
    return cc->cwnd > bytes_in_flight ? cc->cwnd - bytes_in_flight : 0;
}

static inline bool skua_cc_in_slow_start(const struct skua_cc *cc)
{
    return cc->cwnd < cc->ssthresh;
}

/* RFC 9002 §7.2: min(10 mtu, max(2 mtu, 14720)). */
uint64_t skua_cc_initial_window(uint32_t mtu);

/* RFC 9002 §7.2: two datagrams. */
uint64_t skua_cc_minimum_window(uint32_t mtu);

/* RFC 9002 §7.2: the initial window follows the datagram size while it is the initial one, and no
 * window is below the minimum. For `on_mtu` of window-based controllers. */
void skua_cc_window_on_mtu(struct skua_cc *cc, uint32_t old_mtu);

/* RFC 9002 §7.7: N * window / smoothed RTT, N = 2 in slow start, else 1.25. For `pacing_rate` of
 * window-based controllers. */
uint64_t skua_cc_window_rate(const struct skua_cc *cc);

#endif
