/* One seed drives everything: splitmix64, and draws in integers only, so that a run is the same
 * with every compiler and on every machine. Parts of the world that must not disturb each other
 * (links, endpoints, applications) have generators of their own, split off by number. */
#ifndef SKUA_TESTS_SIM_RNG_H
#define SKUA_TESTS_SIM_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Probabilities are parts per million. */
enum { SIM_CERTAIN = 1000000 };

struct sim_rng {
    uint64_t state;
    const uint8_t *script; /* a fuzzer's: draws come from it while it lasts; else NULL */
    size_t script_len;
};

static inline uint64_t sim_mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint64_t sim_rng_next(struct sim_rng *rng)
{
    rng->state += UINT64_C(0x9e3779b97f4a7c15);
    return sim_mix(rng->state);
}

/* An independent generator: number `which` of `seed`. */
static inline struct sim_rng sim_rng_split(uint64_t seed, uint64_t which)
{
    return (struct sim_rng){.state = sim_mix(seed ^ sim_mix(which + UINT64_C(0x2545f4914f6cdd1d)))};
}

/* The next draw from a script: as few bytes as `n` needs, so that a fuzzer's change stays local. */
static inline uint64_t sim_rng_scripted(struct sim_rng *rng, uint64_t n)
{
    uint64_t v = 0;
    for (uint64_t rest = n - 1; rest != 0 && rng->script_len > 0; rest >>= 8) {
        v = v << 8 | *rng->script++;
        rng->script_len--;
    }
    return v % n;
}

/* 0 to n - 1; n is not 0. The bias of the plain remainder does not matter here. */
static inline uint64_t sim_rng_below(struct sim_rng *rng, uint64_t n)
{
    return rng->script_len > 0 ? sim_rng_scripted(rng, n) : sim_rng_next(rng) % n;
}

/* first to last, both included. */
static inline uint64_t sim_rng_between(struct sim_rng *rng, uint64_t first, uint64_t last)
{
    return first + sim_rng_below(rng, last - first + 1);
}

static inline bool sim_rng_chance(struct sim_rng *rng, uint32_t ppm)
{
    return ppm != 0 && sim_rng_below(rng, SIM_CERTAIN) < ppm;
}

/* first to last with every order of magnitude as likely as any other. */
static inline uint64_t sim_rng_log(struct sim_rng *rng, uint64_t first, uint64_t last)
{
    unsigned doublings = 0;
    while (doublings < 63 && first << doublings < last) {
        doublings++;
    }
    uint64_t low = first << sim_rng_below(rng, doublings + 1u);
    uint64_t high = low * 2 < last ? low * 2 : last;
    return low >= high ? high : sim_rng_between(rng, low, high);
}

#endif
