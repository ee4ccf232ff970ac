/* The table that both maps of map.h are made of: see there for the order it keeps.
 *
 * Of use to map.c and its test only. Entries are found by a hash and a key of whole words; several
 * keys may share a hash. */
#ifndef SKUA_BASE_TABLE_H
#define SKUA_BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/map.h"

/* What is looked for or added. */
struct skua_table_key {
    uint64_t hash;         /* its top bits choose the slot */
    const uint64_t *words; /* as many as the table was made for; NULL for none */
};

/* A table whose keys are `key_words` words long besides their hash. */
void skua_table_init(struct skua_table *t, struct skua_heap *heap, size_t key_words);
void skua_table_deinit(struct skua_table *t);

/* The value of `key`, or NULL. */
void *skua_table_get(const struct skua_table *t, struct skua_table_key key);

/* Adds `key` or replaces its value, which is not NULL. SKUA_ENOMEM: table unchanged. */
enum skua_err skua_table_put(struct skua_table *t, struct skua_table_key key, void *value);

/* Takes `key` out and returns its value, or NULL where it was not there. */
void *skua_table_remove(struct skua_table *t, struct skua_table_key key);

/* The next value of an iteration, or NULL at its end. */
void *skua_table_next(const struct skua_table *t, struct skua_map_cursor *cursor);

/* Asserts the invariants; for tests. */
void skua_table_check(const struct skua_table *t);

#endif
