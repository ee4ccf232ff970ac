/* A client and a server that shake hands in memory, from one seed. */
#ifndef SKUA_TESTS_HANDSHAKE_FIXTURE_H
#define SKUA_TESTS_HANDSHAKE_FIXTURE_H

#include "unit.h"

#include <skua/skua.h>

#include "handshake/initiator.h"
#include "handshake/refuse.h"
#include "handshake/responder.h"

/* Both ends and what has passed between them. */
struct pair {
    uint64_t seed;
    struct skua_rng rng;
    struct skua_keypair client_keys, server_keys, other_keys;
    struct skua_params client_params;
    struct skua_transport_params server_params;
    struct skua_id server_id;
    struct skua_initiator_config client_config;
    struct skua_responder_config server_config;
    struct skua_initiator client;
    struct skua_responder server;
    uint8_t syn_ack[SKUA_SYN_ACK_CAP];
    size_t syn_ack_len;
};

static const uint8_t PSK[SKUA_PSK_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};

static inline void pair_fill(void *user, void *out, size_t len)
{
    uint64_t *state = user;
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bytes[i] = (uint8_t)(*state >> 56);
    }
}

static inline struct skua_id pair_id(struct pair *p, size_t len)
{
    uint8_t bytes[SKUA_LIMIT_ID_MAX];
    pair_fill(&p->seed, bytes, sizeof bytes);
    return skua_id_of(bytes, len);
}

static inline void pair_key(struct pair *p, struct skua_keypair *keys)
{
    struct skua_secret_key secret;
    skua_key_generate(&secret, &p->rng);
    skua_keypair_init(keys, &secret);
}

/* Two ends configured for `pattern`; the test may still change the configs. */
static inline void pair_init(struct pair *p, enum skua_pattern pattern, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    p->seed = seed;
    p->rng = (struct skua_rng){pair_fill, &p->seed};
    pair_key(p, &p->client_keys);
    pair_key(p, &p->server_keys);
    pair_key(p, &p->other_keys);
    skua_params_init(&p->client_params);
    p->client_params.transport.initial_max_data = 1000001;
    memcpy(p->client_params.label, "echo", 4);
    p->client_params.label_len = 4;
    p->server_params = p->client_params.transport;
    p->server_params.initial_max_data = 2000002;
    p->server_id = pair_id(p, 8);
    bool ik = pattern == SKUA_PATTERN_IK || pattern == SKUA_PATTERN_IKPSK2;
    bool psk = pattern == SKUA_PATTERN_XXPSK3 || pattern == SKUA_PATTERN_IKPSK2;
    p->client_config = (struct skua_initiator_config){.local = &p->client_keys,
                                                      .server_key = &p->server_keys.public_key,
                                                      .psk = psk ? PSK : NULL,
                                                      .params = &p->client_params,
                                                      .rng = &p->rng,
                                                      .dcid = pair_id(p, 8),
                                                      .scid = pair_id(p, 8),
                                                      .suites = SKUA_SUITE_CHACHA20_POLY1305,
                                                      .ik = ik};
    p->server_config = (struct skua_responder_config){.local = &p->server_keys,
                                                      .psk = psk ? PSK : NULL,
                                                      .label = "echo",
                                                      .params = &p->server_params,
                                                      .rng = &p->rng,
                                                      .suites = SKUA_SUITE_CHACHA20_POLY1305};
}

/* A SYN's fingerprint. */
static inline void pair_fingerprint(uint8_t out[SKUA_TAG_LEN],
                                    const uint8_t key[SKUA_FINGERPRINT_KEY_LEN],
                                    const struct skua_path *path, const struct skua_head *head,
                                    const struct skua_syn *syn)
{
    uint8_t digest[SKUA_TAG_LEN];
    skua_syn_digest(digest, head, syn);
    skua_syn_fingerprint(out, key, path, digest);
}

/* The server's answer to the datagram `syn`. */
static inline enum skua_verdict pair_answer(struct pair *p, const uint8_t *data, size_t len)
{
    struct skua_head head;
    struct skua_syn syn;
    enum skua_verdict v = skua_header_peek(data, len, 8, &head);
    if (v != SKUA_VERDICT_OK) {
        return v;
    }
    if (head.type != SKUA_PACKET_SYN) {
        return SKUA_VERDICT_MALFORMED;
    }
    v = skua_syn_read(data, len, &head, &syn);
    if (v != SKUA_VERDICT_OK) {
        return v;
    }
    struct skua_writer w = skua_writer_of(p->syn_ack, sizeof p->syn_ack);
    v = skua_responder_on_syn(&p->server, &p->server_config, &head, &syn, &p->server_id, &w);
    p->syn_ack_len = skua_writer_len(&w);
    return v;
}

/* The client's reaction to the datagram `data`. */
static inline enum skua_verdict pair_react(struct pair *p, const uint8_t *data, size_t len,
                                           struct skua_handshake_result *result)
{
    struct skua_head head;
    struct skua_syn_ack syn_ack;
    enum skua_verdict v = skua_header_peek(data, len, 8, &head);
    if (v != SKUA_VERDICT_OK) {
        return v;
    }
    if (head.type != SKUA_PACKET_SYN_ACK) {
        return SKUA_VERDICT_MALFORMED;
    }
    v = skua_syn_ack_read(data, len, &head, &syn_ack);
    if (v != SKUA_VERDICT_OK) {
        return v;
    }
    return skua_initiator_on_syn_ack(&p->client, &head, &syn_ack, result);
}

/* The server's end, by message 3 or at once. */
static inline enum skua_verdict pair_confirm(struct pair *p, const uint8_t *message, size_t len,
                                             struct skua_handshake_result *result)
{
    if (skua_responder_complete(&p->server)) {
        return skua_responder_result(&p->server, &p->server_config, result);
    }
    struct skua_confirm confirm = {.message = message, .message_len = (uint16_t)len};
    return skua_responder_on_confirm(&p->server, &p->server_config, &confirm, result);
}

#endif
