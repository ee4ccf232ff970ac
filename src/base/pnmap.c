/* The ring of packets in flight: see pnmap.h.
 *
 * Invariants: first <= end, end - first <= cap <= limit rounded up to a power of two; entries of
 * numbers not held are of no meaning, each is zeroed when its number is pushed. */
#include "base/pnmap.h"

#include <string.h>

#include "base/alloc.h"

enum {
    CAP_MIN = 16,
    TRIM_FACTOR = 8, /* a ring larger than its content by this is shrunk to a quarter of that */
};

static void *entry(const struct skua_pnmap *map, uint64_t number)
{
    return map->entries + (size_t)(number & (map->cap - 1)) * map->entry_size;
}

static size_t ring_bytes(const struct skua_pnmap *map)
{
    return (size_t)map->cap * map->entry_size;
}

void skua_pnmap_init(struct skua_pnmap *map, uint32_t entry_size, uint32_t limit)
{
    SKUA_ASSERT(entry_size != 0 && limit != 0 && limit <= UINT32_C(1) << 31);
    *map = (struct skua_pnmap){.entry_size = entry_size, .limit = limit};
}

void skua_pnmap_deinit(struct skua_pnmap *map, struct skua_heap *heap)
{
    skua_heap_put(heap, map->entries, ring_bytes(map));
    map->entries = NULL;
    map->cap = 0;
    map->first = map->end;
}

/* Moves what is held into a ring of `cap` entries. */
static bool resize(struct skua_pnmap *map, uint32_t cap, struct skua_heap *heap)
{
    struct skua_pnmap resized = *map;
    resized.cap = cap;
    resized.entries = skua_heap_get_raw(heap, ring_bytes(&resized));
    if (resized.entries == NULL) {
        return false;
    }
    for (uint64_t n = map->first; n != map->end; n++) {
        memcpy(entry(&resized, n), entry(map, n), map->entry_size);
    }
    skua_heap_put(heap, map->entries, ring_bytes(map));
    *map = resized;
    return true;
}

void *skua_pnmap_push(struct skua_pnmap *map, uint64_t number, struct skua_heap *heap)
{
    SKUA_ASSERT(number >= map->end && number < UINT64_MAX);
    uint64_t first = map->first == map->end ? number : map->first;
    uint64_t span = number - first + 1;
    if (span > map->limit) {
        return NULL;
    }
    if (span > map->cap) {
        uint32_t cap = map->cap == 0 ? CAP_MIN : map->cap;
        while (cap < span) {
            cap *= 2;
        }
        if (!resize(map, cap, heap)) {
            return NULL;
        }
    }
    uint64_t fresh = first == number ? number : map->end;
    for (uint64_t n = fresh; n <= number; n++) {
        memset(entry(map, n), 0, map->entry_size);
    }
    map->first = first;
    map->end = number + 1;
    return entry(map, number);
}

void skua_pnmap_trim(struct skua_pnmap *map, struct skua_heap *heap)
{
    uint64_t count = skua_pnmap_count(map);
    if (count == 0) {
        skua_pnmap_deinit(map, heap);
    } else if (map->cap > CAP_MIN && count <= map->cap / TRIM_FACTOR) {
        uint32_t cap = CAP_MIN;
        while (cap < count * (TRIM_FACTOR / 4)) {
            cap *= 2;
        }
        /* Where there is no memory for the smaller ring, the larger one stays. */
        (void)resize(map, cap, heap);
    }
}

void skua_pnmap_check(const struct skua_pnmap *map)
{
    SKUA_ASSERT(map->first <= map->end && map->end - map->first <= map->cap);
    SKUA_ASSERT(map->end - map->first <= map->limit);
    SKUA_ASSERT((map->cap & (map->cap - 1)) == 0 && (map->cap == 0) == (map->entries == NULL));
}
