/* Which packet numbers were received: no packet is processed twice.
 *
 * A bitmap ring as in RFC 6479, over [floor, floor + bits), with a floor that is a number rather
 * than a word: everything below it counts as received. In-order traffic only moves the floor and
 * sets no bit. Above the first missing number bits are kept, at first in the 256 that are embedded.
 * Where more are needed, SKUA_LIMIT_REPLAY_WINDOW of them come from the heap (1 KiB), once; where
 * that fails, the oldest missing numbers are given up: they count as received, so a late packet may
 * be dropped but none is taken twice.
 *
 * A number that is missing for good (lost or skipped: numbers are never reused) holds the floor
 * back for a whole window, so nearly every busy connection comes to own the big ring.
 * skua_replay_trim returns it when the connection is quiet and stragglers are no longer expected.
 */
#ifndef SKUA_BASE_REPLAY_H
#define SKUA_BASE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/verdict.h"

struct skua_heap;

enum {
    SKUA_REPLAY_NEAR_WORDS = 4,
    SKUA_REPLAY_FAR_WORDS = SKUA_LIMIT_REPLAY_WINDOW / 64,
};

struct skua_replay {
    uint64_t floor; /* every number below counts as received; this one is missing */
    uint64_t end;   /* one past the largest received; 0 = nothing received */
    uint64_t
        *far; /* ring of SKUA_REPLAY_FAR_WORDS words on the heap, or NULL: `near` is the ring */
    uint64_t near[SKUA_REPLAY_NEAR_WORDS]; /* ring; bit n % 64 of word n / 64 % words: n was
                                              received (zero below `floor` and from `end` on) */
};

/* All zero is the state of a connection that has received nothing. */
void skua_replay_init(struct skua_replay *replay);

/* `heap` is the one given to every commit. */
void skua_replay_deinit(struct skua_replay *replay, struct skua_heap *heap);

/* SKUA_VERDICT_OK where `number` is new; SKUA_VERDICT_TOO_OLD where it is
 * SKUA_LIMIT_REPLAY_WINDOW or more below the largest received; else SKUA_VERDICT_DUPLICATE.
 * Changes nothing: the packet is not yet authenticated. */
enum skua_verdict skua_replay_check(const struct skua_replay *replay, uint64_t number);

/* Notes that `number`, for which check says OK, was received. */
void skua_replay_commit(struct skua_replay *replay, uint64_t number, struct skua_heap *heap);

/* One more than the largest number received; 0 = none was. */
static inline uint64_t skua_replay_end(const struct skua_replay *replay)
{
    return replay->end;
}

/* Returns to the embedded ring; numbers missing below it are given up. */
void skua_replay_trim(struct skua_replay *replay, struct skua_heap *heap);

/* Asserts the invariants; for tests. */
void skua_replay_check_invariants(const struct skua_replay *replay);

#endif
