/* A histogram of times (perf_hist.h). */
#include "perf_hist.h"

#include <stddef.h>

/* A value of n significant bits keeps its highest eight: its class is how many were cut. */
static size_t slot_of(uint64_t value)
{
    unsigned cut = 0;
    while (value >> cut >= UINT64_C(2) << SKUA_HIST_PART_BITS) {
        cut++;
    }
    return ((size_t)cut << SKUA_HIST_PART_BITS) + (size_t)(value >> cut);
}

/* The largest value of a slot. */
static uint64_t top_of(size_t slot)
{
    if (slot < (size_t)2 << SKUA_HIST_PART_BITS) {
        return slot;
    }
    const unsigned cut = (unsigned)(slot >> SKUA_HIST_PART_BITS) - 1;
    const uint64_t high = slot - ((size_t)cut << SKUA_HIST_PART_BITS);
    return high << cut | ((UINT64_C(1) << cut) - 1);
}

void skua_hist_add(struct skua_hist *hist, uint64_t value)
{
    hist->min = hist->count == 0 || value < hist->min ? value : hist->min;
    hist->max = value > hist->max ? value : hist->max;
    hist->count++;
    hist->slots[slot_of(value)]++;
}

uint64_t skua_hist_at(const struct skua_hist *hist, unsigned per_mille)
{
    /* The rank, rounded up: the value at which that many have been seen. */
    const uint64_t rank =
        hist->count / 1000 * per_mille + (hist->count % 1000 * per_mille + 999) / 1000;
    uint64_t seen = 0;
    for (size_t i = 0; i < SKUA_HIST_SLOTS; i++) {
        seen += hist->slots[i];
        if (seen >= rank && seen > 0) {
            const uint64_t top = top_of(i);
            return top < hist->max ? top : hist->max;
        }
    }
    return 0;
}
