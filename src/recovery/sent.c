/* The ring of sent packets and the pool of their further records.
 *
 * Both are arrays that double when full; entries move then, which only the map knows, since
 * everything refers to packet numbers and pool indexes. */
#include "recovery/sent.h"

#include <string.h>

#include "base/limits.h"

enum { SMALLEST = 16 }; /* entries, and records, of a first allocation */

void skua_sent_init(struct skua_sent_map *map, struct skua_heap *heap)
{
    *map = (struct skua_sent_map){.heap = heap, .pool_free = SKUA_SENT_NO_RECORD};
}

void skua_sent_deinit(struct skua_sent_map *map)
{
    map->first = map->next;
    skua_sent_release(map);
}

void skua_sent_release(struct skua_sent_map *map)
{
    SKUA_ASSERT(map->first == map->next);
    skua_heap_put(map->heap, map->ring, (size_t)map->cap * sizeof *map->ring);
    skua_heap_put(map->heap, map->pool, (size_t)map->pool_cap * sizeof *map->pool);
    map->ring = NULL;
    map->pool = NULL;
    map->cap = 0;
    map->pool_cap = 0;
    map->pool_free = SKUA_SENT_NO_RECORD;
    map->pool_left = 0;
}

/* The smallest power of two that holds `wanted`, which is at most a limit of 2^18. */
static uint32_t capacity_for(uint64_t wanted)
{
    uint32_t cap = SMALLEST;
    while (cap < wanted) {
        cap *= 2;
    }
    return cap;
}

static enum skua_err grow_ring(struct skua_sent_map *map, uint64_t wanted)
{
    uint32_t cap = capacity_for(wanted);
    struct skua_sent *ring = skua_heap_get_raw(map->heap, (size_t)cap * sizeof *ring);
    if (ring == NULL) {
        return SKUA_ENOMEM;
    }
    for (uint64_t pn = map->first; pn < map->next; pn++) {
        ring[pn & (cap - 1)] = *skua_sent_at(map, pn);
    }
    skua_heap_put(map->heap, map->ring, (size_t)map->cap * sizeof *ring);
    map->ring = ring;
    map->cap = cap;
    return SKUA_OK;
}

static enum skua_err grow_pool(struct skua_sent_map *map, uint64_t wanted)
{
    uint32_t cap = capacity_for(wanted);
    struct skua_sent_more *pool = skua_heap_get_raw(map->heap, (size_t)cap * sizeof *pool);
    if (pool == NULL) {
        return SKUA_ENOMEM;
    }
    if (map->pool_cap != 0) {
        memcpy(pool, map->pool, (size_t)map->pool_cap * sizeof *pool);
    }
    for (uint32_t i = map->pool_cap; i < cap; i++) {
        pool[i].next = map->pool_free;
        map->pool_free = i;
    }
    skua_heap_put(map->heap, map->pool, (size_t)map->pool_cap * sizeof *pool);
    map->pool_left += cap - map->pool_cap;
    map->pool = pool;
    map->pool_cap = cap;
    return SKUA_OK;
}

enum skua_err skua_sent_reserve(struct skua_sent_map *map, uint32_t packets, uint32_t records)
{
    uint64_t numbers = map->next - map->first + packets;
    uint64_t used = (uint64_t)map->pool_cap - map->pool_left + records;
    if (numbers > SKUA_LIMIT_SENT_PACKETS_MAX || used > SKUA_LIMIT_SENT_PACKETS_MAX) {
        return SKUA_ELIMIT;
    }
    if (used > map->pool_cap) {
        enum skua_err err = grow_pool(map, used);
        if (err != SKUA_OK) {
            return err;
        }
    }
    return numbers > map->cap ? grow_ring(map, numbers) : SKUA_OK;
}

enum skua_err skua_sent_push(struct skua_sent_map *map, struct skua_sent **out)
{
    if (!skua_sent_has_room(map, 1, 0)) {
        enum skua_err err = skua_sent_reserve(map, 1, 0);
        if (err != SKUA_OK) {
            return err;
        }
    }
    struct skua_sent *entry = skua_sent_at(map, map->next);
    map->next++;
    *entry = (struct skua_sent){.more = SKUA_SENT_NO_RECORD};
    *out = entry;
    return SKUA_OK;
}

enum skua_err skua_sent_put_records(struct skua_sent_map *map, struct skua_sent *entry,
                                    const struct skua_record *records, size_t count)
{
    if (count == 0) {
        return SKUA_OK;
    }
    if (count - 1 > SKUA_LIMIT_SENT_PACKETS_MAX) {
        return SKUA_ELIMIT;
    }
    if (count - 1 > map->pool_left) {
        enum skua_err err = skua_sent_reserve(map, 0, (uint32_t)(count - 1));
        if (err != SKUA_OK) {
            return err;
        }
    }
    for (size_t i = count - 1; i > 0; i--) {
        uint32_t index = map->pool_free;
        struct skua_sent_more *more = &map->pool[index];
        map->pool_free = more->next;
        map->pool_left--;
        more->record = records[i];
        more->next = entry->more;
        entry->more = index;
    }
    entry->record = records[0];
    entry->flags |= SKUA_SENT_HAS_RECORD;
    return SKUA_OK;
}

static void give_back(struct skua_sent_map *map, uint32_t index)
{
    map->pool[index].next = map->pool_free;
    map->pool_free = index;
    map->pool_left++;
}

bool skua_sent_take_record(struct skua_sent_map *map, struct skua_sent *entry,
                           struct skua_record *out)
{
    if ((entry->flags & SKUA_SENT_HAS_RECORD) != 0) {
        entry->flags &= (uint8_t)~SKUA_SENT_HAS_RECORD;
        *out = entry->record;
        return true;
    }
    if (entry->more == SKUA_SENT_NO_RECORD) {
        return false;
    }
    uint32_t index = entry->more;
    *out = map->pool[index].record;
    entry->more = map->pool[index].next;
    give_back(map, index);
    return true;
}

void skua_sent_drop_records(struct skua_sent_map *map, struct skua_sent *entry)
{
    entry->flags &= (uint8_t)~SKUA_SENT_HAS_RECORD;
    while (entry->more != SKUA_SENT_NO_RECORD) {
        uint32_t index = entry->more;
        entry->more = map->pool[index].next;
        give_back(map, index);
    }
}

void skua_sent_check(const struct skua_sent_map *map)
{
    SKUA_ASSERT(map->first <= map->next);
    SKUA_ASSERT(map->next - map->first <= map->cap);
    SKUA_ASSERT((map->cap & (map->cap - 1)) == 0);
    SKUA_ASSERT((map->ring == NULL) == (map->cap == 0));
    uint32_t free_records = 0;
    for (uint32_t i = map->pool_free; i != SKUA_SENT_NO_RECORD; i = map->pool[i].next) {
        SKUA_ASSERT(i < map->pool_cap);
        free_records++;
    }
    SKUA_ASSERT(free_records == map->pool_left);
    uint32_t used = 0;
    for (uint64_t pn = map->first; pn < map->next; pn++) {
        for (uint32_t i = skua_sent_at(map, pn)->more; i != SKUA_SENT_NO_RECORD;
             i = map->pool[i].next) {
            used++;
        }
    }
    SKUA_ASSERT(used + free_records == map->pool_cap);
}
