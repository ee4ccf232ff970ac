/* skua_rangeset beside an array of 256 bits (models.h). */
#include <stdbool.h>
#include <string.h>

#include "base/cursor.h"
#include "base/rangeset.h"

#include "models.h"
#include "support.h"

enum { UNIVERSE = 256 };

struct bits {
    bool has[UNIVERSE];
};

static uint32_t count_runs(const struct bits *bits)
{
    uint32_t runs = 0;
    for (size_t i = 0; i < UNIVERSE; i++) {
        runs += bits->has[i] && (i == 0 || !bits->has[i - 1]) ? 1 : 0;
    }
    return runs;
}

static void drop_lowest_run(struct bits *bits)
{
    size_t i = 0;
    while (!bits->has[i]) {
        i++;
    }
    while (i < UNIVERSE && bits->has[i]) {
        bits->has[i++] = false;
    }
}

static void compare(const struct skua_rangeset *set, const struct bits *bits, uint64_t base)
{
    skua_rangeset_check(set);
    uint32_t runs = 0;
    for (size_t i = 0; i < UNIVERSE; i++) {
        MODEL_CHECK(skua_rangeset_contains(set, base + i) == bits->has[i]);
        if (bits->has[i] && (i == 0 || !bits->has[i - 1])) {
            MODEL_CHECK(skua_rangeset_at(set, runs).first == base + i);
            MODEL_CHECK(skua_rangeset_find(set, base + i) == runs);
        }
        if (bits->has[i] && (i == UNIVERSE - 1 || !bits->has[i + 1])) {
            MODEL_CHECK(skua_rangeset_at(set, runs).last == base + i);
            runs++;
        }
    }
    MODEL_CHECK(runs == skua_rangeset_count(set));
    MODEL_CHECK(base == 0 || !skua_rangeset_contains(set, base - 1));
    if (runs > 0) {
        MODEL_CHECK(skua_rangeset_min(set) == skua_rangeset_at(set, 0).first);
        MODEL_CHECK(skua_rangeset_max(set) == skua_rangeset_at(set, runs - 1).last);
    }
}

/* One addition or removal. */
static void step(struct skua_rangeset *set, struct bits *bits, uint64_t base, struct skua_reader *r)
{
    bool add = (skua_reader_u8(r) & 3) != 0;
    size_t first = skua_reader_u8(r);
    size_t last = first + skua_reader_u8(r) % 32;
    last = last < UNIVERSE ? last : UNIVERSE - 1;

    struct bits after = *bits;
    for (size_t i = first; i <= last; i++) {
        after.has[i] = add;
    }
    enum skua_err expected = SKUA_OK;
    if (count_runs(&after) > set->limit) {
        if (set->refuses) {
            expected = SKUA_ELIMIT;
        } else {
            drop_lowest_run(&after);
        }
    }
    enum skua_err err = add ? skua_rangeset_add(set, base + first, base + last)
                            : skua_rangeset_remove(set, base + first, base + last);
    if (err == SKUA_ENOMEM) {
        const struct flaky *flaky = set->heap->alloc.user;
        MODEL_CHECK(flaky->every != 0 && flaky->calls % flaky->every == 0);
    } else {
        MODEL_CHECK(err == expected);
        *bits = err == SKUA_OK ? after : *bits;
    }
    compare(set, bits, base);
}

void model_rangeset(const uint8_t *data, size_t len)
{
    static const uint64_t bases[4] = {0, (UINT64_C(1) << 62) - 100, UINT64_MAX - 255, 77};
    struct skua_reader r = skua_reader_of(data, len);
    struct flaky flaky = {.every = skua_reader_u8(&r)};
    uint8_t shape = skua_reader_u8(&r);
    struct skua_heap heap;
    flaky_heap(&heap, &flaky);

    struct skua_rangeset set;
    uint32_t limit = (uint32_t)(shape >> 3) * 2 + 1;
    skua_rangeset_init(&set, &heap, limit,
                       (shape & 4) != 0 ? SKUA_RANGESET_REFUSE : SKUA_RANGESET_FORGET_LOWEST);
    struct bits bits = {.has = {false}};
    while (skua_reader_left(&r) >= 3) {
        step(&set, &bits, bases[shape & 3], &r);
    }
    skua_rangeset_deinit(&set);
    MODEL_CHECK(heap.used == 0);
}
