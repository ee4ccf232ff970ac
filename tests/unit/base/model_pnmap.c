/* skua_pnmap beside a list of everything that was pushed (models.h). */
#include <string.h>

#include "base/cursor.h"
#include "base/pnmap.h"

#include "models.h"
#include "support.h"

enum { PUSHES = 2048 };

struct subject {
    struct skua_pnmap map;
    struct skua_heap heap;
    uint64_t number[PUSHES]; /* in order of pushing */
    size_t pushed;
    uint64_t first; /* numbers below were dropped */
    uint64_t end;   /* one past the last pushed */
};

/* What the entry of `number` is filled with: one of its low bytes, never 0. */
static int fill_of(uint64_t number)
{
    return (int)(number % 251) + 1;
}

static void push(struct subject *s, uint64_t gap)
{
    uint64_t number = s->end + gap;
    uint64_t first = s->first == s->end ? number : s->first;
    const struct flaky *flaky = s->heap.alloc.user;
    unsigned calls = flaky->calls;
    uint8_t *entry = skua_pnmap_push(&s->map, number, &s->heap);
    if (entry == NULL) {
        MODEL_CHECK(number - first >= s->map.limit ||
                    (flaky->calls != calls && flaky->calls % flaky->every == 0));
        return;
    }
    MODEL_CHECK(number - first < s->map.limit);
    for (size_t i = 0; i < s->map.entry_size; i++) {
        MODEL_CHECK(entry[i] == 0);
    }
    memset(entry, fill_of(number), s->map.entry_size);
    s->number[s->pushed++] = number;
    s->first = first;
    s->end = number + 1;
}

static void pop(struct subject *s, uint64_t number)
{
    skua_pnmap_pop_front_to(&s->map, number);
    number = number < s->end ? number : s->end;
    s->first = number > s->first ? number : s->first;
}

static void compare(const struct subject *s)
{
    skua_pnmap_check(&s->map);
    MODEL_CHECK(skua_pnmap_first(&s->map) == s->first && skua_pnmap_end(&s->map) == s->end);
    MODEL_CHECK(skua_pnmap_get(&s->map, s->end) == NULL);
    MODEL_CHECK(skua_pnmap_get(&s->map, UINT64_MAX) == NULL);
    MODEL_CHECK(s->first == 0 || skua_pnmap_get(&s->map, s->first - 1) == NULL);
    size_t i = s->pushed;
    for (uint64_t n = s->end; n-- > s->first;) {
        const uint8_t *entry = skua_pnmap_get(&s->map, n);
        int fill = i > 0 && s->number[i - 1] == n ? fill_of(s->number[--i]) : 0;
        MODEL_CHECK(entry != NULL);
        MODEL_CHECK(entry[0] == fill && entry[s->map.entry_size - 1] == fill);
    }
}

void model_pnmap(const uint8_t *data, size_t len)
{
    static const uint64_t bases[2] = {0, (UINT64_C(1) << 62) - 300};
    struct skua_reader r = skua_reader_of(data, len);
    struct flaky flaky = {.every = skua_reader_u8(&r)};
    uint8_t shape = skua_reader_u8(&r);
    struct subject s = {.end = bases[shape & 1], .first = bases[shape & 1]};
    flaky_heap(&s.heap, &flaky);
    skua_pnmap_init(&s.map, (shape & 2) != 0 ? 64 : 24, (shape >> 2) * 7U + 1);
    s.map.first = s.first;
    s.map.end = s.end;
    while (skua_reader_left(&r) >= 2 && s.pushed < PUSHES) {
        uint8_t action = skua_reader_u8(&r);
        uint8_t value = skua_reader_u8(&r);
        if (action < 160) {
            push(&s, value >= 250 ? value : value % 4 == 0 ? 1 : 0);
        } else if (action < 250) {
            pop(&s, s.first + value % 16);
        } else if (action < 253) {
            pop(&s, value < 128 ? s.end : UINT64_MAX);
        } else {
            skua_pnmap_trim(&s.map, &s.heap);
        }
        compare(&s);
    }
    pop(&s, s.end);
    flaky.every = 0;
    skua_pnmap_trim(&s.map, &s.heap);
    MODEL_CHECK(s.heap.used == 0);
    skua_pnmap_deinit(&s.map, &s.heap);
    MODEL_CHECK(s.heap.used == 0);
}
