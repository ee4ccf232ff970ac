/* What the tests of the lowest floor share: numbers from a seed, and an allocator that fails on
 * demand. Included by the fuzz target as well, so nothing of cmocka is in here. */
#ifndef SKUA_TESTS_BASE_SUPPORT_H
#define SKUA_TESTS_BASE_SUPPORT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

/* A seeded generator (SplitMix64): the same numbers on every machine. */
static inline uint64_t random_next(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* malloc that refuses each `every`th time (0 = never). */
struct flaky {
    unsigned every; /* 1 = each call fails; 0 = none */
    unsigned calls; /* so far */
};

static inline void *flaky_get(void *user, size_t size)
{
    struct flaky *flaky = user;
    flaky->calls++;
    return flaky->every != 0 && flaky->calls % flaky->every == 0 ? NULL : malloc(size);
}

static inline void flaky_put(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

static inline void flaky_heap(struct skua_heap *heap, struct flaky *flaky)
{
    const struct skua_alloc alloc = {.get = flaky_get, .put = flaky_put, .user = flaky};
    skua_heap_init(heap, &alloc);
}

/* Ends the program where a container and its model differ: both cmocka and a fuzzer notice. */
#define MODEL_CHECK(expression)                                                                    \
    do {                                                                                           \
        if (!(expression)) {                                                                       \
            (void)fprintf(stderr, "%s:%d: model: %s\n", __FILE__, __LINE__, #expression);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
