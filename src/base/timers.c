/* The heap of deadlines: see timers.h.
 *
 * Invariants: places[i] comes no earlier than its parent places[(i - 1) / 4] in the order of (at,
 * seq), and places[i].timer->index is i + 1. Four children to a place: half the levels of a binary
 * heap, and the four share a cache line. */
#include "base/timers.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

enum { CHILDREN = 4, CAP_MIN = 16 };

void skua_timers_init(struct skua_timers *timers, struct skua_heap *heap)
{
    *timers = (struct skua_timers){.heap = heap};
}

void skua_timers_deinit(struct skua_timers *timers)
{
    skua_heap_put(timers->heap, timers->places, timers->cap * sizeof timers->places[0]);
    *timers = (struct skua_timers){.heap = timers->heap};
}

enum skua_err skua_timers_reserve(struct skua_timers *timers, uint32_t count)
{
    if (count <= timers->cap) {
        return SKUA_OK;
    }
    SKUA_ASSERT(count <= UINT32_MAX / 2);
    uint32_t cap = timers->cap == 0 ? CAP_MIN : timers->cap;
    while (cap < count) {
        cap *= 2;
    }
    struct skua_timer_place *places = skua_heap_get_raw(timers->heap, cap * sizeof *places);
    if (places == NULL) {
        return SKUA_ENOMEM;
    }
    if (timers->count > 0) {
        memcpy(places, timers->places, timers->count * sizeof *places);
    }
    skua_heap_put(timers->heap, timers->places, timers->cap * sizeof *places);
    timers->places = places;
    timers->cap = cap;
    return SKUA_OK;
}

static bool earlier(const struct skua_timer_place *a, const struct skua_timer_place *b)
{
    return a->at < b->at || (a->at == b->at && a->timer->seq < b->timer->seq);
}

static void put_at(struct skua_timers *timers, uint32_t index, struct skua_timer_place place)
{
    timers->places[index] = place;
    place.timer->index = index + 1;
}

/* Moves `place`, meant for the free place `index`, towards the front as far as it belongs. */
static void sift_up(struct skua_timers *timers, uint32_t index, struct skua_timer_place place)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / CHILDREN;
        if (!earlier(&place, &timers->places[parent])) {
            break;
        }
        put_at(timers, index, timers->places[parent]);
        index = parent;
    }
    put_at(timers, index, place);
}

/* The same, towards the end. */
static void sift_down(struct skua_timers *timers, uint32_t index, struct skua_timer_place place)
{
    for (;;) {
        uint32_t child = index * CHILDREN + 1;
        if (child >= timers->count) {
            break;
        }
        uint32_t best = child;
        for (uint32_t i = child + 1; i < child + CHILDREN && i < timers->count; i++) {
            if (earlier(&timers->places[i], &timers->places[best])) {
                best = i;
            }
        }
        if (!earlier(&timers->places[best], &place)) {
            break;
        }
        put_at(timers, index, timers->places[best]);
        index = best;
    }
    put_at(timers, index, place);
}

/* Puts `place` where it belongs, starting from the free place `index`. */
static void settle(struct skua_timers *timers, uint32_t index, struct skua_timer_place place)
{
    if (index > 0 && earlier(&place, &timers->places[(index - 1) / CHILDREN])) {
        sift_up(timers, index, place);
    } else {
        sift_down(timers, index, place);
    }
}

enum skua_err skua_timers_set(struct skua_timers *timers, struct skua_timer *timer, skua_time at)
{
    if (at == SKUA_NEVER) {
        skua_timers_cancel(timers, timer);
        return SKUA_OK;
    }
    uint32_t index;
    if (skua_timer_is_set(timer)) {
        index = timer->index - 1;
        SKUA_ASSERT(index < timers->count && timers->places[index].timer == timer);
    } else {
        enum skua_err err = skua_timers_reserve(timers, timers->count + 1);
        if (err != SKUA_OK) {
            return err;
        }
        index = timers->count++;
    }
    timer->seq = timers->seq++;
    settle(timers, index, (struct skua_timer_place){.at = at, .timer = timer});
    return SKUA_OK;
}

void skua_timers_cancel(struct skua_timers *timers, struct skua_timer *timer)
{
    if (!skua_timer_is_set(timer)) {
        return;
    }
    uint32_t index = timer->index - 1;
    SKUA_ASSERT(index < timers->count && timers->places[index].timer == timer);
    timer->index = 0;
    timers->count--;
    if (index < timers->count) {
        settle(timers, index, timers->places[timers->count]);
    }
}

struct skua_timer *skua_timers_pop_due(struct skua_timers *timers, skua_time now)
{
    if (timers->count == 0 || timers->places[0].at > now) {
        return NULL;
    }
    struct skua_timer *timer = timers->places[0].timer;
    skua_timers_cancel(timers, timer);
    return timer;
}

void skua_timers_check(const struct skua_timers *timers)
{
    SKUA_ASSERT(timers->count <= timers->cap && (timers->cap == 0) == (timers->places == NULL));
    for (uint32_t i = 0; i < timers->count; i++) {
        const struct skua_timer_place *place = &timers->places[i];
        SKUA_ASSERT(place->timer->index == i + 1);
        SKUA_ASSERT(place->at != SKUA_NEVER && place->timer->seq < timers->seq);
        SKUA_ASSERT(i == 0 || earlier(&timers->places[(i - 1) / CHILDREN], place));
    }
}
