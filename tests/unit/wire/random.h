/* A seeded generator for tests: the same numbers everywhere (splitmix64). */
#ifndef SKUA_TESTS_WIRE_RANDOM_H
#define SKUA_TESTS_WIRE_RANDOM_H

#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* A value that a varint can carry, each of its four lengths equally often. */
static inline uint64_t random_varint(uint64_t *state)
{
    static const unsigned bits[4] = {6, 14, 30, 62};
    unsigned width = bits[random_next(state) % 4];
    return random_next(state) >> (64 - width);
}

#endif
