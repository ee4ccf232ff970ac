/* The two maps: how their keys become hashes. See map.h; the table itself is table.c.
 *
 * The hash of a skua_idmap has the length of the id in its low bits and an id is padded with zeros
 * to whole words, so that two ids are equal where hash and words are. */
#include "base/map.h"

#include <string.h>

#include <sodium.h>

#include "base/assert.h"
#include "base/table.h"

SKUA_STATIC_ASSERT(SKUA_MAP_KEY_LEN == crypto_shorthash_KEYBYTES, "SipHash-2-4");

enum { LEN_BITS = 6 }; /* low bits of an id's hash: its length */
SKUA_STATIC_ASSERT(SKUA_IDMAP_ID_MAX < 1 << LEN_BITS, "an id's length fits into its hash");

/* Eight bytes as a number that does not depend on the machine. */
static uint64_t load(const uint8_t bytes[8])
{
    uint64_t v = 0;
    for (size_t i = 0; i < 8; i++) {
        v |= (uint64_t)bytes[i] << (8 * i);
    }
    return v;
}

/* An id's hash and padded copy. */
struct id {
    uint64_t words[SKUA_IDMAP_ID_MAX / 8];
    uint64_t hash;
};

static void hash_id(const struct skua_idmap *map, const void *bytes, size_t len, struct id *id)
{
    uint8_t hash[crypto_shorthash_BYTES];
    memset(id->words, 0, sizeof id->words);
    if (len > 0) {
        memcpy(id->words, bytes, len);
    }
    (void)crypto_shorthash(hash, (const uint8_t *)id->words, len, map->key);
    id->hash = load(hash) >> LEN_BITS << LEN_BITS | len;
}

static struct skua_table_key wanted_id(const struct id *id)
{
    return (struct skua_table_key){.hash = id->hash, .words = id->words};
}

void skua_idmap_init(struct skua_idmap *map, struct skua_heap *heap,
                     const uint8_t key[SKUA_MAP_KEY_LEN], size_t id_max)
{
    SKUA_ASSERT(id_max <= SKUA_IDMAP_ID_MAX);
    skua_table_init(&map->table, heap, (id_max + 7) / 8);
    memcpy(map->key, key, sizeof map->key);
    map->id_max = id_max;
}

void skua_idmap_deinit(struct skua_idmap *map)
{
    skua_table_deinit(&map->table);
    sodium_memzero(map->key, sizeof map->key);
}

void *skua_idmap_get(const struct skua_idmap *map, const void *id, size_t len)
{
    if (len > map->id_max || map->table.count == 0) {
        return NULL;
    }
    struct id hashed;
    hash_id(map, id, len, &hashed);
    return skua_table_get(&map->table, wanted_id(&hashed));
}

enum skua_err skua_idmap_put(struct skua_idmap *map, const void *id, size_t len, void *value)
{
    SKUA_ASSERT(len <= map->id_max);
    struct id hashed;
    hash_id(map, id, len, &hashed);
    return skua_table_put(&map->table, wanted_id(&hashed), value);
}

void *skua_idmap_remove(struct skua_idmap *map, const void *id, size_t len)
{
    if (len > map->id_max || map->table.count == 0) {
        return NULL;
    }
    struct id hashed;
    hash_id(map, id, len, &hashed);
    return skua_table_remove(&map->table, wanted_id(&hashed));
}

void *skua_idmap_next(const struct skua_idmap *map, struct skua_map_cursor *cursor)
{
    return skua_table_next(&map->table, cursor);
}

void skua_idmap_check(const struct skua_idmap *map)
{
    skua_table_check(&map->table);
}

/* Every step can be undone (xor, multiplication by an odd number, shift and xor), so that different
 * numbers have different hashes and the hash alone is the key. */
static struct skua_table_key wanted_number(const struct skua_nummap *map, uint64_t number)
{
    uint64_t x = (number ^ map->key[0]) * map->key[1];
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return (struct skua_table_key){.hash = x, .words = NULL};
}

void skua_nummap_init(struct skua_nummap *map, struct skua_heap *heap,
                      const uint8_t key[SKUA_MAP_KEY_LEN])
{
    skua_table_init(&map->table, heap, 0);
    map->key[0] = load(key);
    map->key[1] = load(key + 8) | 1;
}

void skua_nummap_deinit(struct skua_nummap *map)
{
    skua_table_deinit(&map->table);
    sodium_memzero(map->key, sizeof map->key);
}

void skua_nummap_clear(struct skua_nummap *map)
{
    skua_table_deinit(&map->table);
}

void *skua_nummap_get(const struct skua_nummap *map, uint64_t number)
{
    return skua_table_get(&map->table, wanted_number(map, number));
}

enum skua_err skua_nummap_put(struct skua_nummap *map, uint64_t number, void *value)
{
    return skua_table_put(&map->table, wanted_number(map, number), value);
}

void *skua_nummap_remove(struct skua_nummap *map, uint64_t number)
{
    return skua_table_remove(&map->table, wanted_number(map, number));
}

void *skua_nummap_next(const struct skua_nummap *map, struct skua_map_cursor *cursor)
{
    return skua_table_next(&map->table, cursor);
}

void skua_nummap_check(const struct skua_nummap *map)
{
    skua_table_check(&map->table);
}
