/* Fixed keys and a seeded generator for the handshake's fuzz targets: an input always means the
 * same run. */
#ifndef SKUA_FUZZ_HANDSHAKE_H
#define SKUA_FUZZ_HANDSHAKE_H

#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "handshake/initiator.h"
#include "handshake/responder.h"

struct ends {
    uint64_t seed;
    struct skua_rng rng;
    struct skua_keypair client_keys, server_keys;
    struct skua_params params;
    struct skua_initiator_config client;
    struct skua_responder_config server;
    struct skua_id server_id;
};

static const uint8_t FUZZ_PSK[SKUA_PSK_LEN] = {1};

static inline void ends_fill(void *user, void *out, size_t len)
{
    uint64_t *state = user;
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bytes[i] = (uint8_t)(*state >> 56);
    }
}

static inline void ends_init(struct ends *e, unsigned pattern)
{
    enum skua_err err = skua_init();
    SKUA_ASSERT(err == SKUA_OK);
    memset(e, 0, sizeof *e);
    e->seed = 1;
    e->rng = (struct skua_rng){ends_fill, &e->seed};
    struct skua_secret_key secret;
    skua_key_generate(&secret, &e->rng);
    skua_keypair_init(&e->client_keys, &secret);
    skua_key_generate(&secret, &e->rng);
    skua_keypair_init(&e->server_keys, &secret);
    skua_params_init(&e->params);
    static const uint8_t id[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    e->server_id = skua_id_of(id, sizeof id);
    const uint8_t *psk = pattern >= SKUA_PATTERN_XXPSK3 ? FUZZ_PSK : NULL;
    e->client = (struct skua_initiator_config){.local = &e->client_keys,
                                               .server_key = &e->server_keys.public_key,
                                               .psk = psk,
                                               .params = &e->params,
                                               .rng = &e->rng,
                                               .dcid = skua_id_of(id, sizeof id),
                                               .scid = skua_id_of(id, sizeof id),
                                               .suites = SKUA_SUITE_CHACHA20_POLY1305,
                                               .ik = pattern % 2 != 0};
    e->server = (struct skua_responder_config){.local = &e->server_keys,
                                               .psk = psk,
                                               .params = &e->params.transport,
                                               .rng = &e->rng,
                                               .suites = SKUA_SUITE_CHACHA20_POLY1305};
}

#endif
