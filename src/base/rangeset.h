/* An ordered set of 64-bit numbers, kept as disjoint ranges with a gap between each two.
 *
 * Packet numbers to acknowledge, bytes of a stream that have arrived. The ranges are a ring in
 * ascending order: adding at the top end and forgetting the lowest take constant time, the rest a
 * binary search and a shift of the shorter side. The first SKUA_RANGESET_EMBEDDED ranges need no
 * memory of their own.
 *
 * A set has a limit, and a policy for what happens there. */
#ifndef SKUA_BASE_RANGESET_H
#define SKUA_BASE_RANGESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/record.h"

struct skua_heap;

enum { SKUA_RANGESET_EMBEDDED = 2 }; /* a power of two */

/* What happens where one more range would exceed the limit. */
enum skua_rangeset_policy {
    SKUA_RANGESET_FORGET_LOWEST, /* the lowest range is dropped, be it the new one */
    SKUA_RANGESET_REFUSE,        /* SKUA_ELIMIT, and the set stays as it was */
};

struct skua_rangeset {
    struct skua_heap *heap; /* memory beyond the embedded ranges */
    union {
        struct skua_range *far;                             /* where `cap` is larger than that */
        struct skua_range embedded[SKUA_RANGESET_EMBEDDED]; /* ring of a small set */
    } ring;
    uint32_t begin;       /* ring index of the lowest range */
    uint32_t count;       /* ranges held */
    uint32_t cap;         /* size of the ring; a power of two */
    uint32_t limit : 31;  /* most ranges to hold */
    uint32_t refuses : 1; /* at `limit`: enum skua_rangeset_policy */
};

/* `limit` is not 0. */
void skua_rangeset_init(struct skua_rangeset *set, struct skua_heap *heap, uint32_t limit,
                        enum skua_rangeset_policy policy);
void skua_rangeset_deinit(struct skua_rangeset *set);

/* Forgets everything and gives memory back; the set can be used on. */
void skua_rangeset_clear(struct skua_rangeset *set);

/* Adds `first` to `last` inclusive (first <= last); parts may be there already. SKUA_ENOMEM or
 * SKUA_ELIMIT (policy REFUSE): the set is as it was. */
enum skua_err skua_rangeset_add(struct skua_rangeset *set, uint64_t first, uint64_t last);

/* Removes `first` to `last` inclusive (first <= last); parts may be missing. Cutting a range in two
 * makes one more: errors and policy as for add. Nothing else fails: removing from 0 on never does.
 */
enum skua_err skua_rangeset_remove(struct skua_rangeset *set, uint64_t first, uint64_t last);

bool skua_rangeset_contains(const struct skua_rangeset *set, uint64_t number);

/* Index of the lowest range that ends at or above `number`; the count where there is none. */
uint32_t skua_rangeset_find(const struct skua_rangeset *set, uint64_t number);

static inline uint32_t skua_rangeset_count(const struct skua_rangeset *set)
{
    return set->count;
}

/* The range of an index below the count; 0 is the lowest, count - 1 the highest. */
static inline struct skua_range skua_rangeset_at(const struct skua_rangeset *set, uint32_t index)
{
    const struct skua_range *ring =
        set->cap > SKUA_RANGESET_EMBEDDED ? set->ring.far : set->ring.embedded;
    return ring[(set->begin + index) & (set->cap - 1)];
}

/* The lowest number; the set is not empty. */
static inline uint64_t skua_rangeset_min(const struct skua_rangeset *set)
{
    return skua_rangeset_at(set, 0).first;
}

/* The highest number; the set is not empty. */
static inline uint64_t skua_rangeset_max(const struct skua_rangeset *set)
{
    return skua_rangeset_at(set, set->count - 1).last;
}

/* Asserts order, gaps and bounds; for tests. */
void skua_rangeset_check(const struct skua_rangeset *set);

#endif
