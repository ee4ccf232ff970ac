/* One direction of an emulated link, in virtual time: what becomes of each packet, and when.
 *
 * Pure: no clock, no socket, no memory of its own. A packet offered at `now` meets, in this order,
 * the MTU, a drop-tail queue in front of a transmitter of fixed rate, loss on the wire, and delay
 * with jitter; it may be held back so that later ones overtake it, sent twice, or have one bit
 * flipped.
 *
 * Every random decision is a function of (seed, direction, packet number, kind of decision): the
 * same seed gives the same fates to the n-th packet whatever happened to the others, and changing
 * one setting leaves the decisions of the other kinds alone. The queue alone depends on time.
 *
 * Jitter never reorders, since queues in a network are first in, first out: only packets chosen by
 * `reorder` are overtaken. */
#ifndef SKUA_TOOLS_LINK_MODEL_H
#define SKUA_TOOLS_LINK_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

/* Headers that each datagram costs on the wire besides its payload: IPv4 and UDP. */
#define SKUA_LINK_HEADERS 28

/* Settings of one direction. Shares are parts per 10^9 (SKUA_SHARE_ONE). */
struct skua_link_params {
    uint64_t loss;          /* share of packets lost on the wire, after the queue */
    uint64_t duplicate;     /* share of packets delivered twice */
    uint64_t corrupt;       /* share of packets with one bit flipped */
    uint64_t reorder;       /* share of packets held back by reorder_by_ns */
    uint64_t reorder_by_ns; /* how long those are held back */
    uint64_t delay_ns;      /* propagation delay, one way */
    uint64_t jitter_ns;     /* additional delay, uniform between 0 and this */
    uint64_t rate_bps;      /* bits per second of payload and headers; 0 = unlimited, no queue */
    uint64_t queue_bytes;   /* payload and headers that may wait or be in transmission */
    uint64_t mtu;           /* largest payload that passes; 0 = any */
};

enum skua_link_verdict {
    SKUA_LINK_DELIVER,    /* arrives, once or twice */
    SKUA_LINK_LOST,       /* sent, lost on the wire */
    SKUA_LINK_QUEUE_FULL, /* dropped at the tail of the queue */
    SKUA_LINK_TOO_LARGE   /* larger than the MTU */
};

/* What becomes of one packet. Members after `verdict` mean something for DELIVER only. */
struct skua_link_fate {
    enum skua_link_verdict verdict;
    skua_time due;        /* when it arrives */
    uint64_t number;      /* its number in this direction, from 0 */
    unsigned copies;      /* 1 or 2 */
    bool held;            /* held back: `due` may be after that of later packets */
    bool corrupt;         /* flip bit `corrupt_bit` */
    uint64_t corrupt_bit; /* below 8 * length */
};

/* Counters of one direction. The first group is kept by the model, the second by whoever delivers.
 */
struct skua_link_counts {
    uint64_t packets_in, bytes_in; /* offered; bytes of payload, here and below */
    uint64_t lost;                 /* LOST */
    uint64_t dropped_queue;        /* QUEUE_FULL */
    uint64_t dropped_mtu;          /* TOO_LARGE */
    uint64_t duplicated;           /* copies made */
    uint64_t corrupted;            /* packets with a flipped bit */
    uint64_t queue_max;            /* most bytes that waited or were in transmission */

    uint64_t packets_out, bytes_out; /* handed to the receiver, copies included */
    uint64_t reordered;              /* of those: overtaken by a packet that was offered later */
    uint64_t send_failed;            /* refused by the kernel */
    uint64_t socket_overflow;        /* dropped by the kernel before the emulator saw them */
    uint64_t memory_full;            /* dropped because the emulator's packet memory was full */
    uint64_t late_max_ns;            /* longest time between `due` and the sending */
};

/* One direction. Zero it but for `params`, `seed` and `direction`. */
struct skua_link_dir {
    struct skua_link_params params;
    uint64_t seed;
    uint64_t direction;             /* any number that differs between the two directions */
    uint64_t next_number;           /* number of the next packet */
    skua_time busy_until;           /* when the transmitter has sent all that is queued */
    uint64_t carry;                 /* remainder of its last division, in 1/rate ns */
    skua_time last_due;             /* latest `due` of a packet not held back */
    struct skua_link_counts counts; /* since the start */
};

/* Decides about a packet with `len` bytes of payload that reaches the link at `now`; times must not
 * decrease. */
void skua_link_offer(struct skua_link_dir *dir, size_t len, struct skua_link_fate *fate,
                     skua_time now);

/* Bytes waiting or in transmission at `now`. */
uint64_t skua_link_backlog(const struct skua_link_dir *dir, skua_time now);

/* The default queue: one bandwidth-delay product, at least 64 packets of 1,500 bytes. */
uint64_t skua_link_default_queue(uint64_t rate_bps, uint64_t round_trip_ns);

#endif
