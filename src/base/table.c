/* Open addressing in a canonical order: see map.h, and table.h for the verbs.
 *
 * A slot is {hash, value, key}; its home is its hash >> shift, and its distance is how far behind
 * its home it lies, around the end of the table. A slot is free where its value is NULL. Invariant:
 * between a slot's home and the slot there is no free one and none nearer to its own home than the
 * slot would be there, and slots of one home ascend by (hash, key). */
#include "base/table.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

enum { SLOTS_MIN = 4 };

/* A slot as far as it is the same in all tables. */
struct slot {
    uint64_t hash;
    void *value;    /* NULL: free */
    uint64_t key[]; /* the id, padded with zeros; nothing in a skua_nummap */
};

static struct slot *slot_at(const struct skua_table *t, size_t index)
{
    return (struct slot *)(void *)(t->slots + index * t->stride);
}

static size_t distance(const struct skua_table *t, const struct slot *slot, size_t index)
{
    return (index - (size_t)(slot->hash >> t->shift)) & t->mask;
}

/* Order of the slot's key against the wanted one: -1, 0, 1. Called only where hashes are equal. */
static int compare_keys(const struct skua_table *t, const struct slot *slot, const uint64_t *key)
{
    size_t words = (t->stride - sizeof *slot) / sizeof key[0];
    for (size_t i = 0; i < words; i++) {
        if (slot->key[i] != key[i]) {
            return slot->key[i] < key[i] ? -1 : 1;
        }
    }
    return 0;
}

/* Finds the slot of `wanted`. Where there is none, `*index` is the place that it would take. */
static bool find(const struct skua_table *t, struct skua_table_key wanted, size_t *index)
{
    size_t i = (size_t)(wanted.hash >> t->shift);
    for (size_t d = 0;; d++, i = (i + 1) & t->mask) {
        const struct slot *slot = slot_at(t, i);
        if (slot->value == NULL) {
            break;
        }
        if (slot->hash == wanted.hash) {
            int order = compare_keys(t, slot, wanted.words);
            if (order == 0) {
                *index = i;
                return true;
            }
            if (order > 0) {
                break;
            }
            continue;
        }
        size_t slot_distance = distance(t, slot, i);
        if (slot_distance < d || (slot_distance == d && slot->hash > wanted.hash)) {
            break;
        }
    }
    *index = i;
    return false;
}

/* Makes the slot at `index` free for use, by moving it and its followers one place on. */
static struct slot *open_gap(struct skua_table *t, size_t index)
{
    size_t end = index;
    while (slot_at(t, end)->value != NULL) {
        end = (end + 1) & t->mask;
    }
    while (end != index) {
        size_t before = (end - 1) & t->mask;
        memcpy(slot_at(t, end), slot_at(t, before), t->stride);
        end = before;
    }
    return slot_at(t, index);
}

static void close_gap(struct skua_table *t, size_t index)
{
    for (;;) {
        size_t next = (index + 1) & t->mask;
        const struct slot *slot = slot_at(t, next);
        if (slot->value == NULL || distance(t, slot, next) == 0) {
            break;
        }
        memcpy(slot_at(t, index), slot, t->stride);
        index = next;
    }
    memset(slot_at(t, index), 0, t->stride);
}

static void put_new(struct skua_table *t, struct skua_table_key wanted, void *value)
{
    size_t index;
    bool found = find(t, wanted, &index);
    SKUA_ASSERT(!found);
    struct slot *slot = open_gap(t, index);
    slot->hash = wanted.hash;
    slot->value = value;
    if (t->stride > sizeof *slot) {
        memcpy(slot->key, wanted.words, t->stride - sizeof *slot);
    }
    t->count++;
}

static size_t table_bytes(const struct skua_table *t)
{
    return t->slots == NULL ? 0 : (t->mask + 1) * t->stride;
}

/* Moves everything into a table of `slots` slots (a power of two). */
static bool resize(struct skua_table *t, size_t slots)
{
    struct skua_table grown = *t;
    grown.slots = skua_heap_get(t->heap, slots * t->stride);
    if (grown.slots == NULL) {
        return false;
    }
    grown.mask = slots - 1;
    grown.count = 0;
    grown.shift = 64;
    for (size_t n = slots; n > 1; n /= 2) {
        grown.shift--;
    }
    for (size_t i = 0; i < (t->slots == NULL ? 0 : t->mask + 1); i++) {
        const struct slot *slot = slot_at(t, i);
        if (slot->value != NULL) {
            put_new(&grown, (struct skua_table_key){.hash = slot->hash, .words = slot->key},
                    slot->value);
        }
    }
    skua_heap_put(t->heap, t->slots, table_bytes(t));
    *t = grown;
    return true;
}

void skua_table_init(struct skua_table *t, struct skua_heap *heap, size_t key_words)
{
    *t = (struct skua_table){.heap = heap};
    t->stride = (uint32_t)(sizeof(struct slot) + key_words * sizeof(uint64_t));
}

void skua_table_deinit(struct skua_table *t)
{
    skua_heap_put(t->heap, t->slots, table_bytes(t));
    t->slots = NULL;
    t->count = 0;
}

void *skua_table_get(const struct skua_table *t, struct skua_table_key wanted)
{
    size_t index;
    return t->count != 0 && find(t, wanted, &index) ? slot_at(t, index)->value : NULL;
}

enum skua_err skua_table_put(struct skua_table *t, struct skua_table_key wanted, void *value)
{
    SKUA_ASSERT(value != NULL);
    size_t index;
    if (t->count != 0 && find(t, wanted, &index)) {
        slot_at(t, index)->value = value;
        return SKUA_OK;
    }
    /* At most seven eighths full: in this order of slots some five are looked at on the way then,
     * which are next to each other, and a search for what is not there ends as soon. */
    size_t slots = t->slots == NULL ? 0 : t->mask + 1;
    if (t->count >= slots - (slots + 7) / 8 && !resize(t, slots == 0 ? SLOTS_MIN : slots * 2)) {
        return SKUA_ENOMEM;
    }
    put_new(t, wanted, value);
    return SKUA_OK;
}

void *skua_table_remove(struct skua_table *t, struct skua_table_key wanted)
{
    size_t index;
    if (t->count == 0 || !find(t, wanted, &index)) {
        return NULL;
    }
    void *value = slot_at(t, index)->value;
    close_gap(t, index);
    t->count--;
    size_t slots = t->mask + 1;
    if (slots > SLOTS_MIN && t->count < slots / 8) {
        /* Where there is no memory for the smaller table, the larger one stays. */
        (void)resize(t, slots / 4 > SLOTS_MIN ? slots / 4 : SLOTS_MIN);
    }
    return value;
}

/* Whether an entry of `hash`, the `seen`th of its hash in this walk, was given before. */
static bool was_given(const struct skua_map_cursor *cursor, uint64_t hash, uint32_t seen)
{
    return hash < cursor->hash || (hash == cursor->hash && seen < cursor->given);
}

/* Walks on from the home of the hash given last. Slots at the beginning of the table that belong to
 * its end (farther from home than from the beginning) come last, beyond slot `mask`. */
void *skua_table_next(const struct skua_table *t, struct skua_map_cursor *cursor)
{
    if (t->count == 0) {
        return NULL;
    }
    uint32_t seen = 0;
    for (size_t at = (size_t)(cursor->hash >> t->shift);; at++) {
        size_t index = at & t->mask;
        const struct slot *slot = slot_at(t, index);
        bool round_the_end = slot->value != NULL && distance(t, slot, index) > index;
        if (at > t->mask && !round_the_end) {
            return NULL;
        }
        if (slot->value == NULL || round_the_end != (at > t->mask)) {
            continue;
        }
        if (!was_given(cursor, slot->hash, seen)) {
            cursor->given = slot->hash == cursor->hash ? cursor->given + 1 : 1;
            cursor->hash = slot->hash;
            return slot->value;
        }
        seen += slot->hash == cursor->hash ? 1 : 0;
    }
}

void skua_table_check(const struct skua_table *t)
{
    size_t count = 0;
    for (size_t i = 0; t->slots != NULL && i <= t->mask; i++) {
        const struct slot *slot = slot_at(t, i);
        if (slot->value == NULL) {
            continue;
        }
        size_t index;
        SKUA_ASSERT(
            find(t, (struct skua_table_key){.hash = slot->hash, .words = slot->key}, &index));
        SKUA_ASSERT(index == i);
        const struct slot *next = slot_at(t, (i + 1) & t->mask);
        if (next->value != NULL) {
            size_t far = distance(t, next, (i + 1) & t->mask);
            SKUA_ASSERT(far <= distance(t, slot, i) + 1);
            SKUA_ASSERT(far != distance(t, slot, i) + 1 || slot->hash <= next->hash);
        }
        count++;
    }
    SKUA_ASSERT(count == t->count && (t->slots == NULL || count <= t->mask));
}
