/* Deadlines: a priority queue of timers that live inside the objects they belong to.
 *
 * A four-ary heap; setting, moving and cancelling take logarithmic time, looking at the next
 * deadline is constant. Timers due at the same time fire in the order in which they were last set,
 * never by address: a run can be replayed.
 *
 * A zeroed struct skua_timer is a timer that is not set. A set timer must not move in memory. */
#ifndef SKUA_BASE_TIMERS_H
#define SKUA_BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

struct skua_heap;

struct skua_timer {
    uint64_t seq;   /* number of the setting, counted by struct skua_timers: breaks ties */
    uint32_t index; /* its place in the heap, counted from 1; 0 = not set */
};

/* One place of the heap. The time is here: comparing stays in one cache line. */
struct skua_timer_place {
    skua_time at; /* when the timer is due */
    struct skua_timer *timer;
};

struct skua_timers {
    struct skua_heap *heap;          /* memory for `places` */
    struct skua_timer_place *places; /* the earliest first; NULL while `cap` is 0 */
    uint32_t count;                  /* timers set */
    uint32_t cap;                    /* room of `places` */
    uint64_t seq;                    /* settings so far */
};

void skua_timers_init(struct skua_timers *timers, struct skua_heap *heap);

/* Gives the memory back. Timers still set are not touched: they belong to whoever goes away too. */
void skua_timers_deinit(struct skua_timers *timers);

/* Makes room for `count` timers to be set at a time: skua_timers_set cannot fail while it sets no
 * more. SKUA_ENOMEM. Room once made stays. */
enum skua_err skua_timers_reserve(struct skua_timers *timers, uint32_t count);

/* Sets `timer` to be due at `at`, or moves it there. SKUA_NEVER cancels it. SKUA_ENOMEM (timer
 * unchanged) only where it was not set and there is no room reserved. */
enum skua_err skua_timers_set(struct skua_timers *timers, struct skua_timer *timer, skua_time at);

/* Idempotent. */
void skua_timers_cancel(struct skua_timers *timers, struct skua_timer *timer);

static inline bool skua_timer_is_set(const struct skua_timer *timer)
{
    return timer->index != 0;
}

/* When `timer` is due, or SKUA_NEVER. */
static inline skua_time skua_timer_deadline(const struct skua_timers *timers,
                                            const struct skua_timer *timer)
{
    return skua_timer_is_set(timer) ? timers->places[timer->index - 1].at : SKUA_NEVER;
}

/* The earliest deadline, or SKUA_NEVER. */
static inline skua_time skua_timers_next(const struct skua_timers *timers)
{
    return timers->count == 0 ? SKUA_NEVER : timers->places[0].at;
}

/* Takes out the earliest timer that is due at `now` (at <= now); NULL where none is. */
struct skua_timer *skua_timers_pop_due(struct skua_timers *timers, skua_time now);

/* Asserts the heap's order and every timer's index; for tests. */
void skua_timers_check(const struct skua_timers *timers);

#endif
