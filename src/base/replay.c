/* The replay window: see replay.h.
 *
 * Invariants: floor <= end, and end - floor is at most the ring's bits; `floor` itself was not
 * received (or is `end`); every bit of a number outside [floor, end) is 0. */
#include "base/replay.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

enum { WORD_BITS = 64, NEAR_BITS = SKUA_REPLAY_NEAR_WORDS * WORD_BITS };
SKUA_STATIC_ASSERT((SKUA_REPLAY_NEAR_WORDS & (SKUA_REPLAY_NEAR_WORDS - 1)) == 0, "masked");
SKUA_STATIC_ASSERT((SKUA_REPLAY_FAR_WORDS & (SKUA_REPLAY_FAR_WORDS - 1)) == 0, "masked");
SKUA_STATIC_ASSERT(SKUA_REPLAY_FAR_WORDS *WORD_BITS == SKUA_LIMIT_REPLAY_WINDOW, "whole words");

static uint64_t ring_bits(const struct skua_replay *replay)
{
    return replay->far != NULL ? SKUA_LIMIT_REPLAY_WINDOW : NEAR_BITS;
}

/* Index of the word of `number`. */
static size_t word_of(const struct skua_replay *replay, uint64_t number)
{
    return (size_t)(number / WORD_BITS & (ring_bits(replay) / WORD_BITS - 1));
}

static uint64_t bit_of(uint64_t number)
{
    return UINT64_C(1) << (number % WORD_BITS);
}

static uint64_t *word(struct skua_replay *replay, uint64_t number)
{
    return &(replay->far != NULL ? replay->far : replay->near)[word_of(replay, number)];
}

static bool has(const struct skua_replay *replay, uint64_t number)
{
    const uint64_t *ring = replay->far != NULL ? replay->far : replay->near;
    return (ring[word_of(replay, number)] & bit_of(number)) != 0;
}

void skua_replay_init(struct skua_replay *replay)
{
    *replay = (struct skua_replay){.floor = 0};
}

void skua_replay_deinit(struct skua_replay *replay, struct skua_heap *heap)
{
    skua_heap_put(heap, replay->far, SKUA_REPLAY_FAR_WORDS * sizeof replay->far[0]);
    replay->far = NULL;
}

enum skua_verdict skua_replay_check(const struct skua_replay *replay, uint64_t number)
{
    if (number >= replay->end) {
        /* Packet numbers have 62 bits; the one number without a successor is never taken. */
        return number == UINT64_MAX ? SKUA_VERDICT_TOO_OLD : SKUA_VERDICT_OK;
    }
    if (replay->end - number > SKUA_LIMIT_REPLAY_WINDOW) {
        return SKUA_VERDICT_TOO_OLD;
    }
    if (number < replay->floor || has(replay, number)) {
        return SKUA_VERDICT_DUPLICATE;
    }
    return SKUA_VERDICT_OK;
}

/* Moves the floor over what was received. */
static void advance(struct skua_replay *replay)
{
    while (replay->floor != replay->end) {
        uint64_t *w = word(replay, replay->floor);
        unsigned offset = (unsigned)(replay->floor % WORD_BITS);
        uint64_t missing = ~(*w >> offset);
        unsigned run = missing == 0 ? WORD_BITS : (unsigned)__builtin_ctzll(missing);
        if (run == 0) {
            break;
        }
        *w &= ~(UINT64_MAX >> (WORD_BITS - run) << offset);
        replay->floor += run;
    }
}

/* Lets every number below `floor`, at most one past the end to come, count as received. */
static void raise_floor(struct skua_replay *replay, uint64_t floor)
{
    uint64_t end = floor < replay->end ? floor : replay->end;
    while (replay->floor < end) {
        unsigned offset = (unsigned)(replay->floor % WORD_BITS);
        uint64_t run = end - replay->floor;
        if (run > WORD_BITS - offset) {
            run = WORD_BITS - offset;
        }
        *word(replay, replay->floor) &= ~(UINT64_MAX >> (WORD_BITS - run) << offset);
        replay->floor += run;
    }
    replay->floor = floor;
}

/* Copies the bits of [floor, end) from `from` to `to`, which has none. */
static void copy_bits(struct skua_replay *to, const struct skua_replay *from)
{
    for (uint64_t n = from->floor; n < from->end; n++) {
        if (has(from, n)) {
            *word(to, n) |= bit_of(n);
        }
    }
}

/* Goes over to the ring on the heap, if there is memory. */
static void grow(struct skua_replay *replay, struct skua_heap *heap)
{
    uint64_t *far = skua_heap_get(heap, SKUA_REPLAY_FAR_WORDS * sizeof *far);
    if (far == NULL) {
        return;
    }
    struct skua_replay grown = {.floor = replay->floor, .end = replay->end, .far = far};
    copy_bits(&grown, replay);
    *replay = grown;
}

void skua_replay_commit(struct skua_replay *replay, uint64_t number, struct skua_heap *heap)
{
    SKUA_ASSERT(skua_replay_check(replay, number) == SKUA_VERDICT_OK);
    if (number == replay->floor && number == replay->end) {
        replay->floor++;
        replay->end++;
        return;
    }
    if (number - replay->floor >= NEAR_BITS && replay->far == NULL) {
        grow(replay, heap);
    }
    if (number - replay->floor >= ring_bits(replay)) {
        raise_floor(replay, number - ring_bits(replay) + 1);
    }
    if (number >= replay->end) {
        replay->end = number + 1;
    }
    *word(replay, number) |= bit_of(number);
    advance(replay);
}

void skua_replay_trim(struct skua_replay *replay, struct skua_heap *heap)
{
    if (replay->far == NULL) {
        return;
    }
    if (replay->end - replay->floor > NEAR_BITS) {
        raise_floor(replay, replay->end - NEAR_BITS);
        advance(replay);
    }
    struct skua_replay small = {.floor = replay->floor, .end = replay->end};
    copy_bits(&small, replay);
    skua_replay_deinit(replay, heap);
    *replay = small;
}

void skua_replay_check_invariants(const struct skua_replay *replay)
{
    SKUA_ASSERT(replay->floor <= replay->end);
    SKUA_ASSERT(replay->end - replay->floor <= ring_bits(replay));
    uint64_t bits = 0;
    for (uint64_t n = replay->floor; n < replay->end; n++) {
        bits += has(replay, n) ? 1 : 0;
    }
    SKUA_ASSERT(replay->floor == replay->end || !has(replay, replay->floor));
    SKUA_ASSERT(replay->end == replay->floor || has(replay, replay->end - 1));
    const uint64_t *ring = replay->far != NULL ? replay->far : replay->near;
    for (size_t i = 0; i < ring_bits(replay) / WORD_BITS; i++) {
        bits -= (uint64_t)__builtin_popcountll(ring[i]);
    }
    SKUA_ASSERT(bits == 0);
}
