/* skua_timers beside an array that is searched from end to end (models.h). */
#include <stdbool.h>

#include "base/cursor.h"
#include "base/timers.h"

#include "models.h"
#include "support.h"

enum { TIMERS = 64 };

struct deadline {
    bool set;
    skua_time at;
    uint64_t seq; /* settings before this one */
};

struct subject {
    struct skua_timers timers;
    struct skua_timer timer[TIMERS];
    struct deadline model[TIMERS];
    uint64_t seq;
    uint32_t reserved; /* timers that can be set at a time without memory */
};

/* The earliest by (at, seq), or TIMERS. */
static size_t earliest(const struct subject *s)
{
    size_t best = TIMERS;
    for (size_t i = 0; i < TIMERS; i++) {
        const struct deadline *d = &s->model[i];
        if (d->set && (best == TIMERS || d->at < s->model[best].at ||
                       (d->at == s->model[best].at && d->seq < s->model[best].seq))) {
            best = i;
        }
    }
    return best;
}

static void set(struct subject *s, size_t i, skua_time at)
{
    bool room = s->model[i].set || s->timers.count < s->reserved;
    enum skua_err err = skua_timers_set(&s->timers, &s->timer[i], at);
    if (err != SKUA_OK) {
        MODEL_CHECK(err == SKUA_ENOMEM && !room && at != SKUA_NEVER);
        return;
    }
    s->model[i] = (struct deadline){.set = at != SKUA_NEVER, .at = at, .seq = s->seq++};
}

static void pop_all(struct subject *s, skua_time now)
{
    for (;;) {
        size_t best = earliest(s);
        struct skua_timer *timer = skua_timers_pop_due(&s->timers, now);
        if (best == TIMERS || s->model[best].at > now) {
            MODEL_CHECK(timer == NULL);
            return;
        }
        MODEL_CHECK(timer == &s->timer[best]);
        s->model[best].set = false;
    }
}

static void compare(const struct subject *s)
{
    skua_timers_check(&s->timers);
    size_t best = earliest(s);
    MODEL_CHECK(skua_timers_next(&s->timers) == (best == TIMERS ? SKUA_NEVER : s->model[best].at));
    for (size_t i = 0; i < TIMERS; i++) {
        MODEL_CHECK(skua_timer_is_set(&s->timer[i]) == s->model[i].set);
        MODEL_CHECK(skua_timer_deadline(&s->timers, &s->timer[i]) ==
                    (s->model[i].set ? s->model[i].at : SKUA_NEVER));
    }
}

void model_timers(const uint8_t *data, size_t len)
{
    struct skua_reader r = skua_reader_of(data, len);
    struct flaky flaky = {.every = skua_reader_u8(&r)};
    struct skua_heap heap;
    flaky_heap(&heap, &flaky);
    struct subject s = {.seq = 0};
    skua_timers_init(&s.timers, &heap);
    uint32_t reserve = skua_reader_u8(&r) % TIMERS;
    if (skua_timers_reserve(&s.timers, reserve) == SKUA_OK) {
        s.reserved = reserve;
    }
    while (skua_reader_left(&r) >= 3) {
        uint8_t action = skua_reader_u8(&r);
        size_t i = skua_reader_u8(&r) % TIMERS;
        uint8_t at = skua_reader_u8(&r);
        if (action < 160) {
            set(&s, i, at == 255 ? SKUA_NEVER : at >= 250 ? UINT64_MAX - at : at);
        } else if (action < 224) {
            skua_timers_cancel(&s.timers, &s.timer[i]);
            s.model[i].set = false;
        } else {
            pop_all(&s, at);
        }
        compare(&s);
    }
    pop_all(&s, SKUA_NEVER);
    compare(&s);
    skua_timers_deinit(&s.timers);
    MODEL_CHECK(heap.used == 0);
}
