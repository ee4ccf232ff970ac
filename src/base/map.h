/* Two hash maps with keyed hashes, so that a peer cannot choose keys that collide.
 *
 *   skua_idmap   byte strings of 0 to 40 bytes (connection ids, hashes), SipHash-2-4
 *   skua_nummap  64-bit numbers (stream ids), a keyed bijection: no two numbers share a hash
 *
 * Both are open addressing with linear probing in one array, kept in ascending order of (hash, key)
 * around the table: a slot's home is the top bits of its hash, a search ends at the first slot
 * nearer to its home than the searched one would be (as in "robin hood" hashing), and a removal
 * shifts its followers back, so there are no tombstones. The layout is a function of the content
 * alone, and iteration is in ascending order of hash whatever the history and the capacity: the
 * same keys under the same hash key are always visited in the same order, never by address.
 *
 * The table doubles and shrinks with its content; a map never put to owns no memory. Values are
 * pointers other than NULL; what they point to stays the caller's. */
#ifndef SKUA_BASE_MAP_H
#define SKUA_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

struct skua_heap;

enum {
    SKUA_MAP_KEY_LEN = 16,  /* bytes of the hash key, from the endpoint's rng */
    SKUA_IDMAP_ID_MAX = 40, /* longest key of a skua_idmap */
};

/* What both maps share; members are private to table.c. */
struct skua_table {
    struct skua_heap *heap; /* memory for `slots` */
    uint8_t *slots;         /* `mask` + 1 slots of `stride` bytes; NULL while there are none */
    size_t mask;            /* slots - 1; a power of two less 1 */
    size_t count;           /* slots in use */
    uint32_t stride;        /* bytes of a slot */
    uint32_t shift;         /* a hash shifted right by this is its home slot */
};

/* Where an iteration stands; start with zero. It stays valid whatever is added or removed between
 * two steps: what was there all the time is visited exactly once. */
struct skua_map_cursor {
    uint64_t hash;  /* hash of what was given last */
    uint32_t given; /* entries of that hash given so far */
};

struct skua_idmap {
    struct skua_table table;
    uint8_t key[SKUA_MAP_KEY_LEN]; /* of SipHash */
    size_t id_max;                 /* longest id it takes */
};

/* `id_max`, at most SKUA_IDMAP_ID_MAX, is the longest id that will be put; a slot takes 16 bytes
 * and `id_max` rounded up to a multiple of 8. */
void skua_idmap_init(struct skua_idmap *map, struct skua_heap *heap,
                     const uint8_t key[SKUA_MAP_KEY_LEN], size_t id_max);
void skua_idmap_deinit(struct skua_idmap *map);

/* The value of `id`, or NULL. An id longer than `id_max` is in no map. */
void *skua_idmap_get(const struct skua_idmap *map, const void *id, size_t len);

/* Adds `id` or replaces its value; `len` is at most `id_max`. The id is copied. SKUA_ENOMEM (map
 * unchanged) only where `id` was not there. */
enum skua_err skua_idmap_put(struct skua_idmap *map, const void *id, size_t len, void *value);

/* Takes `id` out and returns its value, or NULL where it was not there. */
void *skua_idmap_remove(struct skua_idmap *map, const void *id, size_t len);

static inline size_t skua_idmap_count(const struct skua_idmap *map)
{
    return map->table.count;
}

/* The next value of an iteration, or NULL at its end. */
void *skua_idmap_next(const struct skua_idmap *map, struct skua_map_cursor *cursor);

/* Asserts the invariants; for tests. */
void skua_idmap_check(const struct skua_idmap *map);

struct skua_nummap {
    struct skua_table table;
    uint64_t key[2]; /* of the mixing; key[1] is odd */
};

void skua_nummap_init(struct skua_nummap *map, struct skua_heap *heap,
                      const uint8_t key[SKUA_MAP_KEY_LEN]);
void skua_nummap_deinit(struct skua_nummap *map);
/* Takes everything out and gives the memory back. */
void skua_nummap_clear(struct skua_nummap *map);

/* As for skua_idmap, with any 64-bit number as key. */
void *skua_nummap_get(const struct skua_nummap *map, uint64_t number);
enum skua_err skua_nummap_put(struct skua_nummap *map, uint64_t number, void *value);
void *skua_nummap_remove(struct skua_nummap *map, uint64_t number);

static inline size_t skua_nummap_count(const struct skua_nummap *map)
{
    return map->table.count;
}

void *skua_nummap_next(const struct skua_nummap *map, struct skua_map_cursor *cursor);
void skua_nummap_check(const struct skua_nummap *map);

#endif
