/* skua_handles beside a list of every handle ever given out (models.h). */
#include <stdbool.h>

#include "base/cursor.h"
#include "base/handles.h"

#include "models.h"
#include "support.h"

enum { GIVEN = 1024 };

struct given {
    uint64_t handle;
    unsigned kind;
    bool living;
};

struct subject {
    struct skua_handles handles;
    struct given given[GIVEN];
    size_t count;  /* of `given` */
    size_t living; /* of them */
};

static void add(struct subject *s, unsigned kind)
{
    uint64_t handle = 0;
    struct given *given = &s->given[s->count];
    enum skua_err err = skua_handles_new(&s->handles, kind, given, &handle);
    MODEL_CHECK((err == SKUA_ELIMIT) == (s->living == s->handles.limit));
    if (err != SKUA_OK) {
        const struct flaky *flaky = s->handles.heap->alloc.user;
        MODEL_CHECK(handle == 0);
        MODEL_CHECK(err == SKUA_ELIMIT || flaky->calls % flaky->every == 0);
        return;
    }
    MODEL_CHECK(handle != 0);
    for (size_t i = 0; i < s->count; i++) {
        MODEL_CHECK(s->given[i].handle != handle);
    }
    *given = (struct given){.handle = handle, .kind = kind, .living = true};
    s->count++;
    s->living++;
}

static void end(struct subject *s, size_t i)
{
    if (!s->given[i].living) {
        return;
    }
    skua_handles_free(&s->handles, s->given[i].handle);
    s->given[i].living = false;
    s->living--;
}

static void compare(const struct subject *s)
{
    skua_handles_check(&s->handles);
    MODEL_CHECK(skua_handles_count(&s->handles) == s->living);
    for (size_t i = 0; i < s->count; i++) {
        const struct given *given = &s->given[i];
        const void *object = skua_handles_get(&s->handles, given->handle, given->kind);
        MODEL_CHECK(object == (given->living ? given : NULL));
        MODEL_CHECK(skua_handles_get(&s->handles, given->handle, given->kind % 15 + 1) == NULL);
    }
}

void model_handles(const uint8_t *data, size_t len)
{
    struct skua_reader r = skua_reader_of(data, len);
    struct flaky flaky = {.every = skua_reader_u8(&r)};
    struct skua_heap heap;
    flaky_heap(&heap, &flaky);
    struct subject s = {.count = 0};
    skua_handles_init(&s.handles, &heap, skua_reader_u8(&r));
    while (skua_reader_left(&r) >= 2 && s.count < GIVEN) {
        uint8_t action = skua_reader_u8(&r);
        unsigned value = skua_reader_u8(&r);
        if (action < 150) {
            add(&s, value % 15 + 1);
        } else if (action < 250 && s.count > 0) {
            end(&s, (value * 256 + action) % s.count);
        } else {
            uint64_t any = skua_reader_u64(&r);
            for (unsigned kind = 0; kind < 17; kind++) {
                const struct given *object = skua_handles_get(&s.handles, any, kind);
                MODEL_CHECK(object == NULL || (object->living && object->handle == any));
            }
        }
        compare(&s);
    }
    skua_handles_deinit(&s.handles);
    MODEL_CHECK(heap.used == 0);
}
