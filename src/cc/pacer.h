/* Pacing: how much may leave now, in bursts that the kernel can segment (RFC 9002 §7.7).
 *
 * A token bucket. It opens when a quantum has gathered, max(2 datagrams, rate x 250 us) and at most
 * 1 MiB, and stays open until less than a datagram is left. Beyond the quantum it holds 1 ms worth
 * of the rate: so much is credited to a timer that fires late, and no more, whatever the pause.
 * What counts as in flight is charged whether it may leave or must (a PTO's probes), so the credit
 * can be negative; ACKs and probes of an MTU or a path are not charged. */
#ifndef SKUA_CC_PACER_H
#define SKUA_CC_PACER_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>

#define SKUA_PACER_QUANTUM_NS  (250 * SKUA_USEC)
#define SKUA_PACER_LATE_NS     (1 * SKUA_MSEC)
#define SKUA_PACER_QUANTUM_MAX (UINT64_C(1) << 20)
/* 137 Gbit/s; faster is not paced. */
#define SKUA_PACER_RATE_MAX (UINT64_C(1) << 34)

struct skua_pacer {
    uint64_t rate;    /* bytes per second, or UINT64_MAX = not paced; at least 1 */
    int64_t credit;   /* bytes x 10^9 that may leave, as of `last` */
    skua_time last;   /* when `credit` was computed */
    uint32_t quantum; /* bytes that open the bucket */
    uint16_t mtu;     /* datagram size, bytes */
    bool open;        /* a burst is under way */
};

/* Starts full and unpaced. */
void skua_pacer_init(struct skua_pacer *pacer, uint32_t mtu, skua_time now);

/* `rate` in bytes per second, UINT64_MAX = do not pace. Credit gathered so far is kept. */
void skua_pacer_set_rate(struct skua_pacer *pacer, uint64_t rate, uint32_t mtu, skua_time now);

/* Bytes that may leave now: 0, or at least one datagram (UINT64_MAX where not paced). A datagram
 * may be started while anything is left of it. */
uint64_t skua_pacer_budget(struct skua_pacer *pacer, skua_time now);

/* When the budget will not be 0: `now` or later. Never SKUA_NEVER. */
skua_time skua_pacer_next(struct skua_pacer *pacer, skua_time now);

void skua_pacer_on_sent(struct skua_pacer *pacer, uint64_t bytes, skua_time now);

#endif
