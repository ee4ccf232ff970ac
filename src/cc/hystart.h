/* HyStart++: leaving slow start before the queue overflows (RFC 9406).
 *
 * Where the smallest RTT of a round is well above that of the round before, a queue has begun to
 * grow. Slow start then becomes conservative (CSS): a quarter of the growth, for five rounds at
 * most, after which it is over. An RTT that falls again shows that it was no queue, and slow start
 * goes on. Everything sent here is paced, so that L of the RFC is infinite.
 *
 * For the initial slow start only (RFC 9406 §4.3): a controller stops asking at the first reduction
 * of its window. A round ends when the first packet sent in the next one is acknowledged. */
#ifndef SKUA_CC_HYSTART_H
#define SKUA_CC_HYSTART_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>

struct skua_cc_ack;

/* RFC 9406 §4.3. */
#define SKUA_HYSTART_MIN_RTT_THRESH_NS (4 * SKUA_MSEC)
#define SKUA_HYSTART_MAX_RTT_THRESH_NS (16 * SKUA_MSEC)
enum {
    SKUA_HYSTART_MIN_RTT_DIVISOR = 8,
    SKUA_HYSTART_N_RTT_SAMPLE = 8,
    SKUA_HYSTART_CSS_GROWTH_DIVISOR = 4,
    SKUA_HYSTART_CSS_ROUNDS = 5,
};

enum skua_hystart_phase {
    SKUA_HYSTART_SLOW_START, /* the window grows by what is acknowledged */
    SKUA_HYSTART_CSS,        /* by a quarter of it */
    SKUA_HYSTART_OVER,       /* ssthresh is the window that was reached */
};

struct skua_hystart {
    uint64_t round_end;     /* the round is over when this number is acknowledged; 0 = not begun */
    skua_time round_min_ns; /* smallest RTT sample of this round, or SKUA_NEVER */
    skua_time last_min_ns;  /* of the round before, or SKUA_NEVER */
    skua_time baseline_ns;  /* a smaller RTT than this one ends CSS; SKUA_NEVER outside of it */
    uint32_t samples;       /* RTT samples in this round */
    uint8_t css_rounds;     /* rounds of CSS that are over, the first in part */
    uint8_t phase;          /* enum skua_hystart_phase */
};

void skua_hystart_init(struct skua_hystart *hystart);

/* An ACK in slow start. The phase in which the window grows because of it. */
enum skua_hystart_phase skua_hystart_on_ack(struct skua_hystart *hystart,
                                            const struct skua_cc_ack *ack);

#endif
