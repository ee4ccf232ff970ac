/* The ring of ranges: see rangeset.h.
 *
 * Invariants: ranges ascend, each ends at least two below the beginning of the next (neighbours are
 * joined), there are at most `limit`, and `cap` is a power of two that holds them. Every change is
 * of one kind: some neighbouring ranges are replaced by at most two others (replace()). */
#include "base/rangeset.h"

#include "base/alloc.h"
#include "base/assert.h"

static bool is_far(const struct skua_rangeset *set)
{
    return set->cap > SKUA_RANGESET_EMBEDDED;
}

static struct skua_range *ring_of(struct skua_rangeset *set)
{
    return is_far(set) ? set->ring.far : set->ring.embedded;
}

/* The place of the range of index `index`, which may be the count: one past the highest. */
static struct skua_range *place(struct skua_rangeset *set, uint32_t index)
{
    return &ring_of(set)[(set->begin + index) & (set->cap - 1)];
}

void skua_rangeset_init(struct skua_rangeset *set, struct skua_heap *heap, uint32_t limit,
                        enum skua_rangeset_policy policy)
{
    SKUA_ASSERT(limit != 0 && limit <= UINT32_MAX / 2);
    *set = (struct skua_rangeset){.heap = heap,
                                  .cap = SKUA_RANGESET_EMBEDDED,
                                  .limit = limit & UINT32_MAX >> 1,
                                  .refuses = policy == SKUA_RANGESET_REFUSE};
}

void skua_rangeset_deinit(struct skua_rangeset *set)
{
    skua_rangeset_clear(set);
}

void skua_rangeset_clear(struct skua_rangeset *set)
{
    if (is_far(set)) {
        skua_heap_put(set->heap, set->ring.far, set->cap * sizeof set->ring.far[0]);
    }
    set->begin = 0;
    set->count = 0;
    set->cap = SKUA_RANGESET_EMBEDDED;
}

static bool grow(struct skua_rangeset *set)
{
    uint32_t cap = set->cap * 2;
    struct skua_range *ring = skua_heap_get_raw(set->heap, cap * sizeof *ring);
    if (ring == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        ring[i] = *place(set, i);
    }
    if (is_far(set)) {
        skua_heap_put(set->heap, set->ring.far, set->cap * sizeof *ring);
    }
    set->ring.far = ring;
    set->begin = 0;
    set->cap = cap;
    return true;
}

/* Makes a place at `index` by moving what is below or above it, whichever is less. */
static void open_place(struct skua_rangeset *set, uint32_t index)
{
    set->count++;
    if (index < set->count / 2) {
        set->begin--;
        for (uint32_t i = 0; i < index; i++) {
            *place(set, i) = *place(set, i + 1);
        }
    } else {
        for (uint32_t i = set->count - 1; i > index; i--) {
            *place(set, i) = *place(set, i - 1);
        }
    }
}

/* Back to the embedded ring where one range at most is left: a quiet connection owns no ring. */
static void shrink(struct skua_rangeset *set)
{
    if (!is_far(set) || set->count > 1) {
        return;
    }
    const struct skua_range last = *place(set, 0);
    uint32_t count = set->count;
    skua_rangeset_clear(set);
    set->ring.embedded[0] = last;
    set->count = count;
}

/* Takes `n` ranges from `index` on out, by moving what is below or above them. */
static void close_places(struct skua_rangeset *set, uint32_t index, uint32_t n)
{
    if (n == 0) {
        return;
    }
    uint32_t above = set->count - index - n;
    if (index < above) {
        for (uint32_t i = index; i > 0; i--) {
            *place(set, i - 1 + n) = *place(set, i - 1);
        }
        set->begin += n;
    } else {
        for (uint32_t i = 0; i < above; i++) {
            *place(set, index + i) = *place(set, index + n + i);
        }
    }
    set->count -= n;
    shrink(set);
}

/* Puts a new range at `index`, by the set's policy where it is full. */
static enum skua_err insert(struct skua_rangeset *set, uint32_t index, struct skua_range range)
{
    if (set->count == set->limit) {
        if (set->refuses) {
            return SKUA_ELIMIT;
        }
        if (index == 0) {
            return SKUA_OK;
        }
        close_places(set, 0, 1);
        index--;
    } else if (set->count == set->cap && !grow(set)) {
        return SKUA_ENOMEM;
    }
    open_place(set, index);
    *place(set, index) = range;
    return SKUA_OK;
}

uint32_t skua_rangeset_find(const struct skua_rangeset *set, uint64_t number)
{
    /* Most often asked for: what is new, at or beyond the top. */
    if (set->count == 0 || number > skua_rangeset_max(set)) {
        return set->count;
    }
    if (number >= skua_rangeset_at(set, set->count - 1).first) {
        return set->count - 1;
    }
    uint32_t low = 0;
    uint32_t high = set->count - 1; /* the answer is in low to high */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (skua_rangeset_at(set, middle).last < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool skua_rangeset_contains(const struct skua_rangeset *set, uint64_t number)
{
    uint32_t index = skua_rangeset_find(set, number);
    return index < set->count && skua_rangeset_at(set, index).first <= number;
}

enum skua_err skua_rangeset_add(struct skua_rangeset *set, uint64_t first, uint64_t last)
{
    SKUA_ASSERT(first <= last);
    /* Ranges that overlap or touch are joined: `low` is the first of them, `high` one past the
     * last. */
    uint32_t low = skua_rangeset_find(set, first == 0 ? 0 : first - 1);
    uint32_t high = low;
    if (low < set->count) {
        uint64_t touch = last == UINT64_MAX ? last : last + 1;
        high = skua_rangeset_find(set, touch);
        if (high < set->count && skua_rangeset_at(set, high).first <= touch) {
            high++;
        }
    }
    if (low == high) {
        return insert(set, low, (struct skua_range){.first = first, .last = last});
    }
    struct skua_range *joined = place(set, low);
    uint64_t top = place(set, high - 1)->last;
    joined->first = first < joined->first ? first : joined->first;
    joined->last = last > top ? last : top;
    close_places(set, low + 1, high - low - 1);
    return SKUA_OK;
}

enum skua_err skua_rangeset_remove(struct skua_rangeset *set, uint64_t first, uint64_t last)
{
    SKUA_ASSERT(first <= last);
    uint32_t low = skua_rangeset_find(set, first);
    if (low == set->count || skua_rangeset_at(set, low).first > last) {
        return SKUA_OK;
    }
    struct skua_range *lowest = place(set, low);
    if (lowest->first < first && lowest->last > last) {
        struct skua_range rest = {.first = last + 1, .last = lowest->last};
        uint64_t number = lowest->first;
        enum skua_err err = insert(set, low + 1, rest);
        if (err == SKUA_OK) {
            /* The insertion may have moved the lower part, or dropped it as the lowest. */
            low = skua_rangeset_find(set, number);
            if (skua_rangeset_at(set, low).first == number) {
                place(set, low)->last = first - 1;
            }
        }
        return err;
    }
    if (lowest->first < first) {
        lowest->last = first - 1;
        low++;
    }
    uint32_t high = skua_rangeset_find(set, last);
    if (high < set->count && skua_rangeset_at(set, high).last == last) {
        high++;
    } else if (high < set->count && skua_rangeset_at(set, high).first <= last) {
        place(set, high)->first = last + 1;
    }
    close_places(set, low, high - low);
    return SKUA_OK;
}

void skua_rangeset_check(const struct skua_rangeset *set)
{
    SKUA_ASSERT(set->count <= set->cap && set->count <= set->limit);
    SKUA_ASSERT(set->cap >= SKUA_RANGESET_EMBEDDED && (set->cap & (set->cap - 1)) == 0);
    SKUA_ASSERT(!is_far(set) || set->ring.far != NULL);
    for (uint32_t i = 0; i < set->count; i++) {
        struct skua_range range = skua_rangeset_at(set, i);
        SKUA_ASSERT(range.first <= range.last);
        if (i > 0) {
            uint64_t below = skua_rangeset_at(set, i - 1).last;
            SKUA_ASSERT(below < range.first && range.first - below >= 2);
        }
    }
}
