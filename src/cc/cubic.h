/* CUBIC (RFC 9438): after a reduction the window grows as a cubic function of time, fast while it
 * is far from where the loss was, slowly near it, then faster and faster. So it fills long and fast
 * paths in a time that hardly depends on the RTT, and stays near the point that was good. Where
 * NewReno would be faster, on short paths, it grows as NewReno does. HyStart++ ends the initial
 * slow start (RFC 9406); a reduction whose losses all turned out to be spurious is undone.
 *
 * Integers only: windows in bytes, times of the cubic function in milliseconds. */
#ifndef SKUA_CC_CUBIC_H
#define SKUA_CC_CUBIC_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>

#include "cc/hystart.h"
#include "cc/reduction.h"

struct skua_cc_ops;

/* One stage of congestion avoidance (RFC 9438 §4.1.2). */
struct skua_cubic_epoch {
    skua_time start;     /* t = 0 */
    uint64_t w_est;      /* W_est: the window that NewReno would have, bytes */
    uint64_t credit;     /* rest of the division that grows the window */
    uint64_t est_credit; /* rest of the one that grows W_est */
    int32_t k_ms;        /* K: when W_cubic reaches W_max; below 0 where it has */
    bool running;        /* it has begun: start, w_est and k_ms mean something */
};

struct skua_cubic {
    struct skua_reduction reduction; /* the last one; its cwnd is cwnd_prior */
    uint64_t w_max;      /* W_max, bytes; 0 = the window with which the next epoch begins */
    uint64_t undo_w_max; /* W_max before the last reduction */
    union {
        struct skua_hystart hystart;   /* as long as there is no slow start threshold */
        struct skua_cubic_epoch epoch; /* from then on */
    } u;
};

extern const struct skua_cc_ops skua_cc_cubic;

#endif
