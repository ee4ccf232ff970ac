/* Entries of a fixed size for a run of growing 64-bit numbers: the packets in flight.
 *
 * A ring addressed by the low bits of the number: looking one up is a bound check and a mask.
 * Numbers are pushed in strictly ascending order; those left out (packet numbers skipped on
 * purpose) have an entry too, all zero, so the caller's state byte must mean "nothing here" when 0.
 * The ring doubles up to a limit. An empty map that was trimmed, or never used, owns no memory.
 *
 * Pointers to entries are valid until the next push or trim. */
#ifndef SKUA_BASE_PNMAP_H
#define SKUA_BASE_PNMAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

struct skua_heap;

struct skua_pnmap {
    uint8_t *entries;    /* `cap` entries; the one of number n is at n modulo `cap` */
    uint64_t first;      /* lowest number held; `end` where there is none */
    uint64_t end;        /* one past the highest number pushed */
    uint32_t cap;        /* room, in entries: 0 or a power of two */
    uint32_t entry_size; /* bytes of an entry */
    uint32_t limit;      /* most numbers from `first` to `end` */
};

/* Entries of `entry_size` bytes, each at a multiple of that from memory aligned for any type, for
 * at most `limit` consecutive numbers (1 to 2^31). */
void skua_pnmap_init(struct skua_pnmap *map, uint32_t entry_size, uint32_t limit);

/* `heap` is the one given to every push. */
void skua_pnmap_deinit(struct skua_pnmap *map, struct skua_heap *heap);

/* The zeroed entry of `number`, which is at least skua_pnmap_end and below UINT64_MAX. NULL, and
 * nothing changed, where the limit or memory does not allow it. */
void *skua_pnmap_push(struct skua_pnmap *map, uint64_t number, struct skua_heap *heap);

/* Lowest number held; equals the end where there is none. */
static inline uint64_t skua_pnmap_first(const struct skua_pnmap *map)
{
    return map->first;
}

/* One past the highest number pushed. */
static inline uint64_t skua_pnmap_end(const struct skua_pnmap *map)
{
    return map->end;
}

/* Numbers held, skipped ones included. */
static inline uint64_t skua_pnmap_count(const struct skua_pnmap *map)
{
    return map->end - map->first;
}

/* The entry of `number` (zeros for a skipped one), or NULL where it is not held. */
static inline void *skua_pnmap_get(const struct skua_pnmap *map, uint64_t number)
{
    if (number - map->first >= map->end - map->first) {
        return NULL;
    }
    return map->entries + (size_t)(number & (map->cap - 1)) * map->entry_size;
}

/* Drops every entry below `number`. */
static inline void skua_pnmap_pop_front_to(struct skua_pnmap *map, uint64_t number)
{
    if (number > map->first) {
        map->first = number < map->end ? number : map->end;
    }
}

/* Gives back memory that is not needed now: all of an empty map, else what is beyond a few times
 * its content. For a connection that has been quiet for long. */
void skua_pnmap_trim(struct skua_pnmap *map, struct skua_heap *heap);

/* Asserts the invariants; for tests. */
void skua_pnmap_check(const struct skua_pnmap *map);

#endif
