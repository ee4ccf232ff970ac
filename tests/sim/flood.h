/* SYNs from everywhere: the sender of each is another address, which never hears the answer. */
#ifndef SKUA_TESTS_SIM_FLOOD_H
#define SKUA_TESTS_SIM_FLOOD_H

#include "world.h"

/* The simulator's largest datagram of a flood. */
enum { SIM_FLOOD_SYN = 1200 };

struct sim_flood {
    struct sim_host *target;
    struct sim_rng rng;
    skua_time period; /* between two SYNs */
    uint64_t left;    /* still to be sent */
    uint64_t sent;    /* so far */
    bool one_network; /* all from one /24 */
    uint8_t syn[SIM_FLOOD_SYN];
};

/* `count` SYNs begin to reach `target`, so many per second. Each has ids and an ephemeral key of
 * its own, and reads like an honest one. `flood` stays in place until it is over. */
void sim_flood_start(struct sim_flood *flood, struct sim_host *target, uint64_t per_second,
                     uint64_t count);

#endif
