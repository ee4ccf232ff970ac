/* The server's role: answers a SYN in one step and finishes from what a half-open entry keeps
 * (docs/protocol.md, "Handshake"). */
#include "handshake/responder.h"

#include <string.h>

#include "base/rng.h"
#include "crypto/reset.h"
#include "crypto/suite.h"
#include "handshake/body.h"

enum { PAYLOAD_3_CAP = 256 }; /* room for parameters above their limit: those get an answer */

SKUA_STATIC_ASSERT(sizeof(struct skua_path) ==
                       sizeof(uint32_t) + 2 * (2 * sizeof(uint16_t) + sizeof(uint32_t) + 16),
                   "a path is hashed as it stands: no padding");

void skua_syn_fingerprint(uint8_t out[SKUA_TAG_LEN], const uint8_t key[SKUA_FINGERPRINT_KEY_LEN],
                          const struct skua_path *path, const uint8_t digest[SKUA_TAG_LEN])
{
    uint8_t input[sizeof *path + SKUA_TAG_LEN];
    memcpy(input, path, sizeof *path);
    memcpy(input + sizeof *path, digest, SKUA_TAG_LEN);
    skua_fingerprint(out, key, input, sizeof input);
}

/* --- Noise state to and from what is kept */

static void pack(struct skua_responder *responder, const struct skua_noise *noise)
{
    struct skua_noise_saved saved;
    skua_noise_save(&saved, noise);
    memcpy(responder->ck, saved.ck, sizeof responder->ck);
    memcpy(responder->h, saved.h, sizeof responder->h);
    memcpy(responder->x, saved.x, sizeof responder->x);
    responder->n = saved.n;
    responder->pattern = saved.pattern;
    if (!skua_responder_complete(responder)) {
        memcpy(responder->e, saved.e, sizeof responder->e);
    }
    skua_wipe(&saved, sizeof saved);
}

static void unpack(struct skua_noise *noise, const struct skua_responder *responder,
                   const struct skua_responder_config *config)
{
    struct skua_noise_saved saved = {.n = responder->n, .pattern = responder->pattern};
    memcpy(saved.ck, responder->ck, sizeof saved.ck);
    memcpy(saved.h, responder->h, sizeof saved.h);
    memcpy(saved.x, responder->x, sizeof saved.x);
    if (!skua_responder_complete(responder)) {
        memcpy(saved.e, responder->e, sizeof saved.e);
    }
    skua_noise_restore(noise, &saved, config->local, config->psk);
    skua_wipe(&saved, sizeof saved);
}

/* --- SYN */

static bool start_noise(struct skua_noise *noise, const struct skua_responder_config *config,
                        const struct skua_head *head, const struct skua_syn *syn)
{
    struct skua_id dcid = skua_id_of(head->dcid, head->dcid_len);
    struct skua_id scid = skua_id_of(head->scid, head->scid_len);
    uint8_t prologue[SKUA_PROLOGUE_CAP];
    struct skua_writer w = skua_writer_of(prologue, sizeof prologue);
    skua_prologue_write(&w, (enum skua_pattern)syn->pattern, syn->flags, &dcid, &scid);
    SKUA_ASSERT(!w.failed);
    struct skua_secret_key e;
    skua_rng_fill(config->rng, e.bytes, sizeof e.bytes);
    struct skua_noise_config c = {.pattern = (enum skua_pattern)syn->pattern,
                                  .initiator = false,
                                  .prologue = prologue,
                                  .prologue_len = skua_writer_len(&w),
                                  .local = config->local,
                                  .psk = config->psk,
                                  .ephemeral = &e};
    bool ok = skua_noise_init(noise, &c);
    skua_wipe(&e, sizeof e);
    return ok;
}

/* The client's parameters: into `peer`, and what is wrong with them as a code. */
static enum skua_code read_client_params(const struct skua_responder_config *config,
                                         const uint8_t *data, size_t len,
                                         struct skua_transport_params *peer, bool *wants_tokens)
{
    struct skua_params params;
    enum skua_code code = skua_params_read(data, len, SKUA_PARAMS_FROM_CLIENT, &params);
    if (code != SKUA_CODE_NO_ERROR) {
        skua_params_init(&params);
    }
    *peer = params.transport;
    *wants_tokens = params.early_data;
    if (code == SKUA_CODE_NO_ERROR &&
        strcmp(params.label, config->label != NULL ? config->label : "") != 0) {
        code = SKUA_CODE_LABEL;
    }
    return code;
}

/* Early data, where there are any and nothing speaks against the handshake. */
static enum skua_verdict judge_early(struct skua_responder *responder,
                                     const struct skua_responder_config *config,
                                     const struct skua_key *client,
                                     const struct skua_early_data *early)
{
    if (early->token_len == 0 || config->early == NULL || responder->code != SKUA_CODE_NO_ERROR ||
        config->psk != NULL) {
        return SKUA_VERDICT_OK;
    }
    SKUA_ASSERT(client != NULL); /* message 1 of IK shows it */
    enum skua_early_fate fate = config->early->judge(config->early->user, client, early);
    responder->early = fate == SKUA_EARLY_TAKEN;
    return fate == SKUA_EARLY_REPLAYED ? SKUA_VERDICT_SYN_REPLAYED : SKUA_VERDICT_OK;
}

/* What message 1 offers: chooses the suite and notes what is already known to be wrong. */
static enum skua_verdict take_offer(struct skua_responder *responder,
                                    const struct skua_responder_config *config,
                                    const struct skua_key *client, const uint8_t *payload,
                                    size_t len)
{
    struct skua_offer offer;
    bool ik = skua_responder_complete(responder);
    if (!skua_offer_read(payload, len, ik, &offer)) {
        return SKUA_VERDICT_SYN_BAD;
    }
    responder->suite = skua_suite_choose(offer.suites, config->suites);
    if (responder->suite == 0) {
        return SKUA_VERDICT_SYN_SUITE;
    }
    const uint32_t used = SKUA_WIRE_VERSION;
    if (skua_versions_meet(offer.versions, offer.version_count, skua_own_versions,
                           skua_own_version_count) != used) {
        responder->code = SKUA_CODE_DOWNGRADE;
    }
    if (ik) {
        enum skua_code code = read_client_params(config, offer.params, offer.params_len,
                                                 &responder->peer, &responder->wants_tokens);
        responder->code = responder->code != 0 ? responder->code : (uint16_t)code;
    }
    return judge_early(responder, config, client, &offer.early);
}

SKUA_STATIC_ASSERT(SKUA_PARAM_TOKEN_LEN == SKUA_RESET_TOKEN_LEN, "the parameter is the token");

static bool write_syn_ack(struct skua_writer *w, struct skua_noise *noise,
                          const struct skua_responder *responder,
                          const struct skua_responder_config *config, const struct skua_head *head,
                          const struct skua_id *id)
{
    struct skua_params params = {.transport = *config->params, .initial_scid = *id};
    params.early_data = responder->early;
    if (config->reset_key != NULL) {
        params.has_reset_token = true;
        skua_reset_token(params.reset_token, config->reset_key, id->bytes, id->len);
    }
    for (size_t i = 0; i < skua_own_version_count; i++) {
        params.versions[params.version_count++] = skua_own_versions[i];
    }
    uint8_t payload[1 + SKUA_LIMIT_PARAMS_MAX];
    struct skua_writer p = skua_writer_of(payload, sizeof payload);
    skua_writer_u8(&p, responder->suite);
    skua_params_write(&p, &params, SKUA_PARAMS_FROM_SERVER, (uint32_t)skua_rng_u64(config->rng));
    skua_wipe(&params, sizeof params); /* a reset token, here and in the payload */
    SKUA_ASSERT(!p.failed);

    struct skua_id dcid = skua_id_of(head->scid, head->scid_len);
    skua_long_header_write(w, SKUA_PACKET_SYN_ACK, SKUA_WIRE_VERSION, &dcid, id);
    bool ok = skua_noise_write(noise, payload, skua_writer_len(&p), w);
    skua_wipe(payload, sizeof payload);
    return ok;
}

/* The pattern decides alone whether a psk takes part: both sides must have one, or none. */
static bool pattern_ok(const struct skua_responder_config *config, uint8_t pattern)
{
    bool with_psk = pattern == SKUA_PATTERN_XXPSK3 || pattern == SKUA_PATTERN_IKPSK2;
    return pattern < SKUA_PATTERNS && with_psk == (config->psk != NULL);
}

enum skua_verdict skua_responder_on_syn(struct skua_responder *responder,
                                        const struct skua_responder_config *config,
                                        const struct skua_head *head, const struct skua_syn *syn,
                                        const struct skua_id *id, struct skua_writer *syn_ack)
{
    SKUA_ASSERT(skua_id_len_ok(id->len));
    memset(responder, 0, sizeof *responder);
    if (!pattern_ok(config, syn->pattern)) {
        return SKUA_VERDICT_SYN_PATTERN;
    }
    struct skua_noise noise;
    bool started = start_noise(&noise, config, head, syn);
    SKUA_ASSERT(started);
    responder->pattern = syn->pattern;

    uint8_t payload[SKUA_LIMIT_SYN_MAX];
    uint8_t packet[SKUA_SYN_ACK_CAP];
    struct skua_reader in = skua_reader_of(syn->message, syn->message_len);
    struct skua_writer out = skua_writer_of(payload, sizeof payload);
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    enum skua_verdict verdict = SKUA_VERDICT_SYN_BAD;
    if (!skua_noise_read(&noise, &in, &out)) {
        goto out;
    }
    verdict =
        take_offer(responder, config, skua_noise_remote(&noise), payload, skua_writer_len(&out));
    if (verdict != SKUA_VERDICT_OK) {
        goto out;
    }
    if (!write_syn_ack(&w, &noise, responder, config, head, id)) {
        verdict = SKUA_VERDICT_SYN_BAD; /* `e` is of low order */
        goto out;
    }
    SKUA_ASSERT(!w.failed);
    pack(responder, &noise);
    skua_writer_copy(syn_ack, packet, skua_writer_len(&w));
    SKUA_ASSERT(!syn_ack->failed);
out:
    skua_noise_wipe(&noise);
    skua_wipe(payload, skua_writer_len(&out));
    if (verdict != SKUA_VERDICT_OK) {
        skua_wipe(responder, sizeof *responder);
    }
    return verdict;
}

/* --- the third packet */

static enum skua_verdict verdict_of(const struct skua_handshake_result *result)
{
    return result->code == SKUA_CODE_NO_ERROR ? SKUA_VERDICT_OK : SKUA_VERDICT_PROTOCOL;
}

enum skua_verdict skua_responder_result(const struct skua_responder *responder,
                                        const struct skua_responder_config *config,
                                        struct skua_handshake_result *result)
{
    SKUA_ASSERT(skua_responder_complete(responder));
    memset(result, 0, sizeof *result);
    struct skua_noise noise;
    unpack(&noise, responder, config);
    skua_result_fill(result, &noise, responder->suite);
    skua_noise_wipe(&noise);
    result->peer = responder->peer;
    result->early = responder->wants_tokens;
    result->code = (enum skua_code)responder->code;
    return verdict_of(result);
}

enum skua_verdict skua_responder_on_confirm(const struct skua_responder *responder,
                                            const struct skua_responder_config *config,
                                            const struct skua_confirm *confirm,
                                            struct skua_handshake_result *result)
{
    memset(result, 0, sizeof *result);
    if (skua_responder_complete(responder)) {
        return SKUA_VERDICT_CONFIRM_BAD;
    }
    struct skua_noise noise;
    unpack(&noise, responder, config);
    uint8_t payload[PAYLOAD_3_CAP];
    struct skua_reader in = skua_reader_of(confirm->message, confirm->message_len);
    struct skua_writer out = skua_writer_of(payload, sizeof payload);
    enum skua_verdict verdict = SKUA_VERDICT_CONFIRM_BAD;
    if (skua_noise_read(&noise, &in, &out)) {
        result->code = read_client_params(config, payload, skua_writer_len(&out), &result->peer,
                                          &result->early);
        if (responder->code != SKUA_CODE_NO_ERROR) {
            result->code = (enum skua_code)responder->code;
        }
        skua_result_fill(result, &noise, responder->suite);
        verdict = verdict_of(result);
    }
    skua_noise_wipe(&noise);
    skua_wipe(payload, sizeof payload);
    return verdict;
}
