/* skua_replay beside one bool for each number there is (models.h). */
#include <stdbool.h>

#include "base/cursor.h"
#include "base/replay.h"

#include "models.h"
#include "support.h"

enum { NUMBERS = 1 << 17, NEAR = SKUA_REPLAY_NEAR_WORDS * 64 };

struct subject {
    struct skua_replay replay;
    struct skua_heap heap;
    uint64_t base;  /* the number of seen[0] */
    uint64_t end;   /* one past the largest, less `base`; 0 = none */
    bool *seen;     /* NUMBERS of them: received, or given up */
    uint64_t given; /* numbers below this one, less `base`, were given up or received */
};

static enum skua_verdict expected(const struct subject *s, uint64_t index)
{
    if (index >= s->end) {
        return SKUA_VERDICT_OK;
    }
    if (s->end - 1 - index >= SKUA_LIMIT_REPLAY_WINDOW) {
        return SKUA_VERDICT_TOO_OLD;
    }
    return s->seen[index] || index < s->given ? SKUA_VERDICT_DUPLICATE : SKUA_VERDICT_OK;
}

/* Without the big ring only the last numbers can be missing. */
static void give_up(struct subject *s)
{
    if (s->end > NEAR && s->given < s->end - NEAR) {
        s->given = s->end - NEAR;
    }
}

static void receive(struct subject *s, uint64_t index)
{
    enum skua_verdict verdict = skua_replay_check(&s->replay, s->base + index);
    MODEL_CHECK(verdict == expected(s, index));
    if (verdict != SKUA_VERDICT_OK) {
        return;
    }
    skua_replay_commit(&s->replay, s->base + index, &s->heap);
    s->seen[index] = true;
    s->end = index >= s->end ? index + 1 : s->end;
    if (s->replay.far == NULL) {
        give_up(s);
    }
    MODEL_CHECK(skua_replay_check(&s->replay, s->base + index) == SKUA_VERDICT_DUPLICATE);
}

/* Asks for numbers all over the place. */
static void probe(const struct subject *s, uint64_t step)
{
    uint64_t from =
        s->end > 2 * SKUA_LIMIT_REPLAY_WINDOW ? s->end - 2 * SKUA_LIMIT_REPLAY_WINDOW : 0;
    for (uint64_t i = from; i < s->end + 300; i += step) {
        MODEL_CHECK(skua_replay_check(&s->replay, s->base + i) == expected(s, i));
    }
}

/* One instruction: where the next packets are, relative to the largest. False at the end. */
static bool step(struct subject *s, struct skua_reader *r)
{
    uint8_t action = skua_reader_u8(r);
    uint64_t value = skua_reader_u16(r);
    if (s->end + 70000 > NUMBERS) {
        return false;
    }
    if (action < 100) {
        for (uint64_t i = 0; i < value % 200; i++) {
            receive(s, s->end);
        }
    } else if (action < 150) {
        receive(s, s->end + value % 300);
    } else if (action < 152) {
        receive(s, s->end + value);
    } else if (action < 240) {
        uint64_t back = action < 200 ? value % 300 : value % 9000;
        receive(s, s->end > back ? s->end - back : 0);
    } else if (action < 250) {
        probe(s, value % 61 + 1);
    } else {
        bool far = s->replay.far != NULL;
        skua_replay_trim(&s->replay, &s->heap);
        MODEL_CHECK(s->replay.far == NULL && s->heap.used == 0);
        if (far) {
            give_up(s);
        }
    }
    skua_replay_check_invariants(&s->replay);
    return true;
}

void model_replay(const uint8_t *data, size_t len)
{
    static const uint64_t bases[3] = {0, (UINT64_C(1) << 62) - 5000, UINT64_MAX - NUMBERS - 300};
    struct skua_reader r = skua_reader_of(data, len);
    struct flaky flaky = {.every = skua_reader_u8(&r)};
    struct subject s = {.base = bases[skua_reader_u8(&r) % 3]};
    flaky_heap(&s.heap, &flaky);
    s.seen = calloc(NUMBERS, sizeof s.seen[0]);
    MODEL_CHECK(s.seen != NULL);
    skua_replay_init(&s.replay);
    /* A window that begins at `base`: everything below was received. */
    s.replay.floor = s.base;
    s.replay.end = s.base;
    while (skua_reader_left(&r) >= 3 && step(&s, &r)) {
    }
    probe(&s, 1);
    skua_replay_deinit(&s.replay, &s.heap);
    MODEL_CHECK(s.heap.used == 0);
    free(s.seen);
}
