/* Somebody on the path who sees every datagram and sends copies of it: from addresses of his own or
 * to other addresses of its receiver, ahead of it or up to minutes later, SYNs above all. He
 * answers the RETRYs that his copies get, and takes SYNs back that are not his. He keeps nothing
 * away, and sends nothing from an address of a host's that this host has not sent himself: what he
 * says in somebody else's name is what that one said, once more. */
#ifndef SKUA_TESTS_SIM_ONLOOKER_H
#define SKUA_TESTS_SIM_ONLOOKER_H

#include "world.h"

/* Addresses of his; and room for a SYN with a token in it. */
enum { SIM_ONLOOKER_PLACES = 2, SIM_ONLOOKER_SYN = 2000 };

struct sim_onlooker {
    struct sim_world *world;
    struct sim_rng rng;
    uint32_t syns, others; /* ppm of datagrams that he copies */
    uint32_t overtakes;    /* ppm of these copies that he sends ahead */
    uint32_t answers;      /* ppm of RETRYs that he answers */
    uint32_t refuses;      /* ppm of SYNs that he takes back, or refuses, in his own name */
    skua_time till;        /* from then on copies come late, and RETRYs get no answer; minutes later
                              he is gone */
    /* The newest SYN that came from each of his addresses. */
    struct {
        size_t len; /* 0 = none */
        uint8_t bytes[SIM_ONLOOKER_SYN];
    } syn[SIM_ONLOOKER_PLACES];
};

/* He looks on from now; `onlooker` stays in place. */
void sim_onlooker_start(struct sim_onlooker *onlooker, struct sim_world *world, skua_time till);

#endif
