/* A histogram of times, for percentiles: logarithmic classes, each divided into 128 equal parts, so
 * that a value is known to less than 1 % whatever its size, in constant memory and time. */
#ifndef SKUA_TOOLS_PERF_HIST_H
#define SKUA_TOOLS_PERF_HIST_H

#include <stdint.h>

enum {
    SKUA_HIST_PART_BITS = 7,
    /* Values below 2^8 have a slot each; every further power of two has 128. */
    SKUA_HIST_SLOTS = (64 - SKUA_HIST_PART_BITS + 1) << SKUA_HIST_PART_BITS,
};

/* Zero is empty. */
struct skua_hist {
    uint64_t count;                  /* values */
    uint64_t min, max;               /* exact; 0 where empty */
    uint64_t slots[SKUA_HIST_SLOTS]; /* how many values by class and part */
};

void skua_hist_add(struct skua_hist *hist, uint64_t value);
/* The value that `per_mille` of 1,000 do not exceed: the largest of its slot, but no more than the
 * largest value. 0 where empty. `per_mille` is 0 to 1,000. */
uint64_t skua_hist_at(const struct skua_hist *hist, unsigned per_mille);

#endif
