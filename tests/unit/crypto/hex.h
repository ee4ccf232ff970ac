/* Test vectors as they are published: hexadecimal text. */
#ifndef SKUA_TESTS_UNIT_HEX_H
#define SKUA_TESTS_UNIT_HEX_H

#include "unit.h"

#include <sodium.h>

/* Reads `text` into `out` of at least `cap` bytes and returns how many bytes they are. */
static inline size_t unhex(void *out, size_t cap, const char *text)
{
    size_t len = 0;
    const char *end = NULL;
    assert_int_equal(sodium_hex2bin(out, cap, text, strlen(text), NULL, &len, &end), 0);
    assert_true(*end == '\0');
    return len;
}

/* `len` bytes at `data` are those of `text`. */
static inline void assert_hex(const void *data, size_t len, const char *text)
{
    uint8_t expected[512];
    assert_int_equal(unhex(expected, sizeof expected, text), len);
    assert_memory_equal(data, expected, len);
}

/* A seeded generator (splitmix64), for what may be any value. */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline void fill_random(uint64_t *state, void *out, size_t len)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)next_random(state);
    }
}

#endif
