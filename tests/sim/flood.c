/* See flood.h. */
#include "flood.h"

#include <string.h>

#include "base/assert.h"
#include "handshake/initiator.h"
#include "wire/header.h"

/* SYNs handed to the world at a time. */
enum { BATCH = 64, ID_LEN = 8 };

static void fill(void *user, void *out, size_t len)
{
    struct sim_rng *rng = user;
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)sim_rng_next(rng);
    }
}

/* A SYN of pattern XX, to be changed for each sender. */
static void make_syn(struct sim_flood *flood)
{
    const struct skua_rng rng = {.fill = fill, .user = &flood->rng};
    struct skua_secret_key secret;
    struct skua_keypair keys;
    struct skua_params params;
    struct skua_initiator initiator;
    skua_key_generate(&secret, &rng);
    skua_keypair_init(&keys, &secret);
    skua_params_init(&params);
    struct skua_initiator_config config = {.local = &keys,
                                           .params = &params,
                                           .rng = &rng,
                                           .dcid = {.len = ID_LEN},
                                           .scid = {.len = ID_LEN},
                                           .suites = SKUA_SUITE_CHACHA20_POLY1305};
    bool made = skua_initiator_init(&initiator, &config);
    SKUA_ASSERT(made && sizeof flood->syn == sizeof initiator.syn);
    memcpy(flood->syn, initiator.syn, sizeof flood->syn);
    skua_initiator_wipe(&initiator);
}

static struct skua_addr next_sender(struct sim_flood *flood)
{
    struct skua_addr from = {.family = SKUA_FAMILY_IPV4, .ip = {203, 0, 113, 0}};
    if (!flood->one_network) {
        fill(&flood->rng, from.ip, 3);
        from.ip[0] |= 0x80; /* none of the hosts' */
    }
    from.ip[3] = (uint8_t)sim_rng_next(&flood->rng);
    from.port = (uint16_t)sim_rng_between(&flood->rng, 1024, 65535);
    return from;
}

static void go_on(void *arg)
{
    struct sim_flood *flood = arg;
    struct sim_world *w = flood->target->world;
    const struct skua_addr to = sim_addr(flood->target, 0);
    skua_time at = w->now;
    for (unsigned i = 0; i < BATCH && flood->left > 0; i++) {
        struct skua_addr from = next_sender(flood);
        fill(&flood->rng, flood->syn + 6, ID_LEN);
        fill(&flood->rng, flood->syn + 6 + ID_LEN + 1, ID_LEN);
        fill(&flood->rng, flood->syn + 6 + 2 * ID_LEN + 1 + SKUA_SYN_BODY_LEN, SKUA_EPHEMERAL_LEN);
        sim_inject(flood->target, &from, &to, flood->syn, sizeof flood->syn, at);
        at += flood->period;
        flood->left--;
        flood->sent++;
    }
    if (flood->left > 0) {
        sim_at(w, at, go_on, flood);
    }
}

void sim_flood_start(struct sim_flood *flood, struct sim_host *target, uint64_t per_second,
                     uint64_t count)
{
    flood->target = target;
    flood->rng = sim_rng_split(target->world->seed, 400);
    flood->period = SKUA_SEC / per_second;
    flood->left = count;
    make_syn(flood);
    sim_at(target->world, target->world->now, go_on, flood);
}
