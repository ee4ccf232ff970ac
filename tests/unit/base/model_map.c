/* skua_idmap and skua_nummap beside an array of values (models.h). */
#include <stdbool.h>
#include <string.h>

#include "base/cursor.h"
#include "base/map.h"

#include "models.h"
#include "support.h"

enum { NAMES = 256, KEYS = NAMES + SKUA_IDMAP_ID_MAX + 1, ID_MAX_SHORT = 16 };

static const uint8_t hash_key[SKUA_MAP_KEY_LEN] = {7, 1, 6, 2, 5, 3, 4, 0, 15, 9, 14, 10};

/* Both maps behind one face: 256 names, some of them the same key. */
struct subject {
    bool by_id;              /* which of the two is under test */
    struct skua_idmap ids;   /* if by_id */
    struct skua_nummap nums; /* if not */
};

/* The key of a name. Half of the ids are zeros only, so that one is a padded prefix of another. */
static size_t id_of(const struct subject *s, uint8_t name, uint8_t id[SKUA_IDMAP_ID_MAX])
{
    size_t len = name % (s->ids.id_max + 1);
    memset(id, (name & 1) != 0 ? 0 : name, SKUA_IDMAP_ID_MAX);
    return len;
}

static uint64_t number_of(uint8_t name)
{
    return name < 128   ? (uint64_t)name * 4
           : name < 192 ? (UINT64_C(1) << 62) - 160 + name
                        : UINT64_MAX - 255 + name;
}

/* Index of a name's key in the model. */
static size_t key_of(const struct subject *s, uint8_t name)
{
    if (!s->by_id) {
        return name;
    }
    uint8_t id[SKUA_IDMAP_ID_MAX];
    size_t len = id_of(s, name, id);
    return len == 0 || id[0] == 0 ? NAMES + len : name;
}

static void subject_init(struct subject *s, struct skua_heap *heap, bool by_id, size_t id_max)
{
    s->by_id = by_id;
    skua_idmap_init(&s->ids, heap, hash_key, id_max);
    skua_nummap_init(&s->nums, heap, hash_key);
}

static void subject_deinit(struct subject *s)
{
    skua_idmap_deinit(&s->ids);
    skua_nummap_deinit(&s->nums);
}

static enum skua_err put(struct subject *s, uint8_t name, void *value)
{
    uint8_t id[SKUA_IDMAP_ID_MAX];
    size_t len = id_of(s, name, id);
    return s->by_id ? skua_idmap_put(&s->ids, id, len, value)
                    : skua_nummap_put(&s->nums, number_of(name), value);
}

static void *get(const struct subject *s, uint8_t name)
{
    uint8_t id[SKUA_IDMAP_ID_MAX];
    size_t len = id_of(s, name, id);
    return s->by_id ? skua_idmap_get(&s->ids, id, len) : skua_nummap_get(&s->nums, number_of(name));
}

static void *drop(struct subject *s, uint8_t name)
{
    uint8_t id[SKUA_IDMAP_ID_MAX];
    size_t len = id_of(s, name, id);
    return s->by_id ? skua_idmap_remove(&s->ids, id, len)
                    : skua_nummap_remove(&s->nums, number_of(name));
}

static void *next(const struct subject *s, struct skua_map_cursor *cursor)
{
    return s->by_id ? skua_idmap_next(&s->ids, cursor) : skua_nummap_next(&s->nums, cursor);
}

/* Values are names: &names[n] belongs to the key of name n. */
static uint8_t names[NAMES];

static uint8_t name_of(const void *value)
{
    return (uint8_t)((const uint8_t *)value - names);
}

/* The model: the value of each key, or NULL. */
struct values {
    void *of[KEYS];
};

static void compare(const struct subject *s, const struct values *values)
{
    skua_idmap_check(&s->ids);
    skua_nummap_check(&s->nums);
    size_t count = 0;
    for (size_t i = 0; i < KEYS; i++) {
        count += values->of[i] != NULL ? 1 : 0;
    }
    MODEL_CHECK(count == (s->by_id ? skua_idmap_count(&s->ids) : skua_nummap_count(&s->nums)));
    for (size_t n = 0; n < NAMES; n++) {
        MODEL_CHECK(get(s, (uint8_t)n) == values->of[key_of(s, (uint8_t)n)]);
    }
}

/* Every value is visited once, in the order of a map that was filled in another order. */
static void compare_order(const struct subject *s, const struct values *values)
{
    struct skua_heap heap;
    skua_heap_init(&heap, NULL);
    struct subject twin;
    subject_init(&twin, &heap, s->by_id, s->ids.id_max);
    size_t count = 0;
    for (size_t i = KEYS; i-- > 0;) {
        if (values->of[i] != NULL) {
            MODEL_CHECK(put(&twin, name_of(values->of[i]), values->of[i]) == SKUA_OK);
            count++;
        }
    }
    struct skua_map_cursor mine = {.hash = 0};
    struct skua_map_cursor other = {.hash = 0};
    for (size_t i = 0; i <= count; i++) {
        void *value = next(s, &mine);
        MODEL_CHECK(value == next(&twin, &other));
        MODEL_CHECK((value == NULL) == (i == count));
        MODEL_CHECK(value == NULL || values->of[key_of(s, name_of(value))] == value);
    }
    subject_deinit(&twin);
}

/* Removes about half of the entries while walking over them all. */
static void prune(struct subject *s, struct values *values, uint8_t keep)
{
    struct values left = *values;
    struct skua_map_cursor cursor = {.hash = 0};
    for (void *value; (value = next(s, &cursor)) != NULL;) {
        uint8_t name = name_of(value);
        size_t key = key_of(s, name);
        MODEL_CHECK(left.of[key] == value);
        left.of[key] = NULL;
        if (((name ^ keep) & 1) != 0) {
            MODEL_CHECK(drop(s, name) == value);
            values->of[key] = NULL;
        }
    }
    for (size_t i = 0; i < KEYS; i++) {
        MODEL_CHECK(left.of[i] == NULL);
    }
}

static void step(struct subject *s, struct values *values, struct skua_reader *r)
{
    uint8_t action = skua_reader_u8(r);
    uint8_t name = skua_reader_u8(r);
    size_t key = key_of(s, name);
    if (action == 255) {
        prune(s, values, name);
    } else if (action < 128) {
        enum skua_err err = put(s, name, &names[name]);
        if (err == SKUA_OK) {
            values->of[key] = &names[name];
        } else {
            const struct flaky *flaky = s->ids.table.heap->alloc.user;
            MODEL_CHECK(err == SKUA_ENOMEM && values->of[key] == NULL);
            MODEL_CHECK(flaky->calls % flaky->every == 0);
        }
    } else {
        MODEL_CHECK(drop(s, name) == values->of[key]);
        values->of[key] = NULL;
    }
}

static void run(const uint8_t *data, size_t len, bool by_id)
{
    struct skua_reader r = skua_reader_of(data, len);
    struct flaky flaky = {.every = skua_reader_u8(&r)};
    size_t id_max = (skua_reader_u8(&r) & 1) != 0 ? SKUA_IDMAP_ID_MAX : ID_MAX_SHORT;
    struct skua_heap heap;
    flaky_heap(&heap, &flaky);
    struct subject subject;
    subject_init(&subject, &heap, by_id, id_max);
    struct values values = {.of = {NULL}};
    for (size_t steps = 0; skua_reader_left(&r) >= 2; steps++) {
        step(&subject, &values, &r);
        if (steps % 8 == 0) {
            compare(&subject, &values);
        }
    }
    compare(&subject, &values);
    compare_order(&subject, &values);
    subject_deinit(&subject);
    MODEL_CHECK(heap.used == 0);
}

void model_idmap(const uint8_t *data, size_t len)
{
    run(data, len, true);
}

void model_nummap(const uint8_t *data, size_t len)
{
    run(data, len, false);
}
