/* The client's role: one SYN, any number of answers tried, one accepted (docs/protocol.md,
 * "Handshake"). */
#include "handshake/initiator.h"

#include <string.h>

#include <sodium.h>

#include "base/rng.h"
#include "crypto/suite.h"
#include "handshake/body.h"
#include "handshake/refuse.h"

static enum skua_pattern choose_pattern(bool ik, bool psk)
{
    if (ik) {
        return psk ? SKUA_PATTERN_IKPSK2 : SKUA_PATTERN_IK;
    }
    return psk ? SKUA_PATTERN_XXPSK3 : SKUA_PATTERN_XX;
}

enum skua_pattern skua_initiator_pattern(const struct skua_initiator *initiator)
{
    return (enum skua_pattern)initiator->pattern;
}

static bool config_ok(const struct skua_initiator_config *config)
{
    return skua_id_len_ok(config->dcid.len) && skua_id_len_ok(config->scid.len) &&
           skua_suite_choose(config->suites, config->suites) != 0 &&
           (!config->ik || config->server_key != NULL);
}

static bool start_noise(struct skua_initiator *initiator,
                        const struct skua_initiator_config *config)
{
    uint8_t prologue[SKUA_PROLOGUE_CAP];
    struct skua_writer w = skua_writer_of(prologue, sizeof prologue);
    skua_prologue_write(&w, skua_initiator_pattern(initiator), initiator->flags, &initiator->dcid,
                        &initiator->scid);
    SKUA_ASSERT(!w.failed);
    struct skua_secret_key e;
    skua_rng_fill(config->rng, e.bytes, sizeof e.bytes);
    struct skua_noise_config noise = {.pattern = skua_initiator_pattern(initiator),
                                      .initiator = true,
                                      .prologue = prologue,
                                      .prologue_len = skua_writer_len(&w),
                                      .local = config->local,
                                      .remote = config->ik ? config->server_key : NULL,
                                      .psk = config->psk,
                                      .ephemeral = &e};
    bool ok = skua_noise_init(&initiator->noise, &noise);
    skua_wipe(&e, sizeof e);
    return ok;
}

/* The packet, padded within message 1's payload to its full size. */
static bool write_syn(struct skua_initiator *initiator, const struct skua_early_data *early)
{
    enum skua_pattern pattern = skua_initiator_pattern(initiator);
    struct skua_writer w = skua_writer_of(initiator->syn, sizeof initiator->syn);
    skua_long_header_write(&w, SKUA_PACKET_SYN, SKUA_WIRE_VERSION, &initiator->dcid,
                           &initiator->scid);
    initiator->syn[0] |= initiator->flags;
    size_t message_len = skua_writer_left(&w) - SKUA_SYN_BODY_LEN;
    skua_syn_body_write(&w, (uint8_t)pattern, message_len);

    struct skua_offer offer = {.suites = initiator->suites};
    for (size_t i = 0; i < skua_own_version_count; i++) {
        offer.versions[offer.version_count++] = skua_own_versions[i];
    }
    if (skua_pattern_is_ik(pattern)) {
        offer.params = initiator->params;
        offer.params_len = initiator->params_len;
        offer.early = early != NULL ? *early : (struct skua_early_data){.token_len = 0};
    }
    uint8_t payload[SKUA_SYN_LEN] = {0};
    struct skua_writer p = skua_writer_of(payload, sizeof payload);
    skua_offer_write(&p, &offer);
    size_t payload_len = message_len - skua_noise_overhead(pattern, 0);
    SKUA_ASSERT(!p.failed && skua_writer_len(&p) <= payload_len);
    bool ok = skua_noise_write(&initiator->noise, payload, payload_len, &w);
    skua_wipe(payload, sizeof payload); /* token and early data */
    SKUA_ASSERT(!ok || skua_writer_len(&w) == SKUA_SYN_LEN);
    return ok;
}

bool skua_initiator_init(struct skua_initiator *initiator,
                         const struct skua_initiator_config *config)
{
    memset(initiator, 0, sizeof *initiator);
    if (!config_ok(config)) {
        return false;
    }
    initiator->pattern = (uint8_t)choose_pattern(config->ik, config->psk != NULL);
    initiator->flags = config->rendezvous ? SKUA_FLAG_RENDEZVOUS : 0;
    initiator->dcid = config->dcid;
    initiator->scid = config->scid;
    initiator->suites = config->suites;
    if (config->server_key != NULL) {
        initiator->server_key = *config->server_key;
        initiator->pinned = true;
    }
    uint8_t grease[4];
    skua_rng_fill(config->rng, grease, sizeof grease);
    struct skua_reader r = skua_reader_of(grease, sizeof grease);
    struct skua_writer w = skua_writer_of(initiator->params, sizeof initiator->params);
    skua_params_write(&w, config->params, SKUA_PARAMS_FROM_CLIENT, skua_reader_u32(&r));
    SKUA_ASSERT(!w.failed);
    initiator->params_len = (uint8_t)skua_writer_len(&w);
    if (!start_noise(initiator, config) || !write_syn(initiator, config->early)) {
        skua_initiator_wipe(initiator);
        return false;
    }
    return true;
}

void skua_initiator_write_syn(struct skua_initiator *initiator, struct skua_writer *w)
{
    /* The token's length stands right behind the ids, as two zero bytes in the stored packet. */
    size_t ids = (size_t)1 + 4 + 1 + initiator->dcid.len + 1 + initiator->scid.len;
    skua_writer_copy(w, initiator->syn, ids);
    skua_writer_u16(w, initiator->token_len);
    skua_writer_copy(w, initiator->token, initiator->token_len);
    skua_writer_copy(w, initiator->syn + ids + 2, sizeof initiator->syn - ids - 2);
    initiator->retry_open = true;
}

void skua_initiator_wipe(struct skua_initiator *initiator)
{
    skua_wipe(initiator, sizeof *initiator);
}

/* Well-formed parameters of the server; false where they cannot be used at all. */
static bool take_params(const struct skua_params *params, const struct skua_head *head,
                        struct skua_handshake_result *result)
{
    /* The header's scid is not in the transcript: this copy of it is what counts. */
    if (!skua_id_matches(&params->initial_scid, head->scid, head->scid_len)) {
        return false;
    }
    result->peer = params->transport;
    memcpy(result->reset_token, params->reset_token, sizeof result->reset_token);
    result->early = params->early_data;
    const uint32_t used = SKUA_WIRE_VERSION;
    if (params->version_count != 0 &&
        skua_versions_meet(skua_own_versions, skua_own_version_count, params->versions,
                           params->version_count) != used) {
        result->code = SKUA_CODE_DOWNGRADE;
    }
    return true;
}

/* Message 2's payload: the suite, then the server's parameters. False where it cannot be used at
 * all; malformed parameters are the result's `code`. */
static bool read_payload(const struct skua_initiator *initiator, const struct skua_head *head,
                         const uint8_t *payload, size_t len, struct skua_handshake_result *result)
{
    struct skua_reader r = skua_reader_of(payload, len);
    result->suite = skua_reader_u8(&r);
    if (r.failed || skua_suite_info(result->suite) == NULL ||
        (result->suite & initiator->suites) == 0) {
        return false;
    }
    struct skua_params params;
    bool ok = true;
    result->code = skua_params_read(r.at, skua_reader_left(&r), SKUA_PARAMS_FROM_SERVER, &params);
    if (result->code == SKUA_CODE_NO_ERROR) {
        ok = take_params(&params, head, result);
    } else {
        skua_params_init(&params);
        result->peer = params.transport;
    }
    skua_wipe(&params, sizeof params); /* a reset token */
    return ok;
}

/* Message 2 has opened as `payload`: judges it and, for XX, writes message 3. */
static enum skua_verdict take_message_2(struct skua_initiator *initiator, struct skua_noise *noise,
                                        const struct skua_head *head, const uint8_t *payload,
                                        size_t len, struct skua_handshake_result *result)
{
    const struct skua_key *key = skua_noise_remote(noise);
    SKUA_ASSERT(key != NULL);
    if (initiator->pinned &&
        sodium_memcmp(key->bytes, initiator->server_key.bytes, sizeof key->bytes) != 0) {
        initiator->seen_key = *key;
        initiator->seen = true;
        return SKUA_VERDICT_SYN_ACK_UNTRUSTED;
    }
    if (!read_payload(initiator, head, payload, len, result)) {
        return SKUA_VERDICT_SYN_ACK_BAD;
    }
    struct skua_writer w = skua_writer_of(initiator->message3, sizeof initiator->message3);
    if (!skua_noise_done(noise) &&
        !skua_noise_write(noise, initiator->params, initiator->params_len, &w)) {
        skua_wipe(initiator->message3, sizeof initiator->message3);
        return SKUA_VERDICT_SYN_ACK_BAD;
    }
    initiator->message3_len = (uint8_t)skua_writer_len(&w);
    skua_result_fill(result, noise, result->suite);
    return result->code == SKUA_CODE_NO_ERROR ? SKUA_VERDICT_OK : SKUA_VERDICT_PROTOCOL;
}

/* Reads message 2 and, for XX, writes message 3, both on `noise`, a scratch state. */
static enum skua_verdict try_syn_ack(struct skua_initiator *initiator, struct skua_noise *noise,
                                     const struct skua_head *head,
                                     const struct skua_syn_ack *syn_ack,
                                     struct skua_handshake_result *result)
{
    uint8_t payload[SKUA_LIMIT_SYN_ACK_MAX];
    struct skua_reader in = skua_reader_of(syn_ack->message, syn_ack->message_len);
    struct skua_writer out = skua_writer_of(payload, sizeof payload);
    enum skua_verdict verdict = SKUA_VERDICT_SYN_ACK_BAD;
    if (skua_noise_read(noise, &in, &out)) {
        verdict = take_message_2(initiator, noise, head, payload, skua_writer_len(&out), result);
    }
    skua_wipe(payload, sizeof payload); /* a reset token */
    return verdict;
}

enum skua_verdict skua_initiator_on_syn_ack(struct skua_initiator *initiator,
                                            const struct skua_head *head,
                                            const struct skua_syn_ack *syn_ack,
                                            struct skua_handshake_result *result)
{
    memset(result, 0, sizeof *result);
    if (initiator->done) {
        return SKUA_VERDICT_SYN_ACK_LATE;
    }
    if (!skua_id_matches(&initiator->scid, head->dcid, head->dcid_len)) {
        return SKUA_VERDICT_SYN_ACK_BAD;
    }
    struct skua_noise scratch = initiator->noise;
    enum skua_verdict verdict = try_syn_ack(initiator, &scratch, head, syn_ack, result);
    skua_noise_wipe(&scratch);
    if (verdict == SKUA_VERDICT_OK || verdict == SKUA_VERDICT_PROTOCOL) {
        initiator->server_id = skua_id_of(head->scid, head->scid_len);
        initiator->done = true;
        skua_noise_wipe(&initiator->noise);
    } else {
        skua_handshake_result_wipe(result);
    }
    return verdict;
}

/* Whether a packet without state echoes the ids of this SYN crosswise. */
static bool echoes(const struct skua_initiator *initiator, const struct skua_head *head)
{
    return !initiator->done && skua_id_matches(&initiator->scid, head->dcid, head->dcid_len) &&
           skua_id_matches(&initiator->dcid, head->scid, head->scid_len);
}

/* The stored SYN, taken apart. */
static void parse_own(const struct skua_initiator *initiator, struct skua_head *head,
                      struct skua_syn *syn)
{
    enum skua_verdict parsed =
        skua_header_peek(initiator->syn, sizeof initiator->syn, initiator->dcid.len, head);
    SKUA_ASSERT(parsed == SKUA_VERDICT_OK);
    parsed = skua_syn_read(initiator->syn, sizeof initiator->syn, head, syn);
    SKUA_ASSERT(parsed == SKUA_VERDICT_OK);
}

void skua_initiator_repeat(struct skua_initiator *initiator)
{
    initiator->retries = 0;
}

void skua_initiator_write_cancel(const struct skua_initiator *initiator, struct skua_writer *w)
{
    struct skua_head head;
    struct skua_syn syn;
    parse_own(initiator, &head, &syn);
    skua_cancel_write(w, &head, &syn);
}

/* Whether a packet with a tag answers this SYN: ids and tag are right. */
static bool answers(const struct skua_initiator *initiator, const uint8_t *data,
                    const struct skua_head *head, const uint8_t *tag, size_t tag_offset)
{
    if (!echoes(initiator, head)) {
        return false;
    }
    struct skua_head own;
    struct skua_syn syn;
    parse_own(initiator, &own, &syn);
    uint8_t expected[SKUA_TAG_LEN];
    skua_answer_tag(expected, head->type, data, tag_offset, &own, syn.ephemeral);
    return skua_tag_equal(expected, tag);
}

/* A copy that was late: the SYN holds this token already. */
static bool is_known(const struct skua_initiator *initiator, const struct skua_retry *retry)
{
    return initiator->token_len == retry->token_len &&
           memcmp(initiator->token, retry->token, retry->token_len) == 0;
}

enum skua_verdict skua_initiator_on_retry(struct skua_initiator *initiator, const uint8_t *data,
                                          const struct skua_head *head,
                                          const struct skua_retry *retry)
{
    if (!initiator->retry_open || initiator->retries >= SKUA_RETRIES_MAX ||
        is_known(initiator, retry) ||
        !answers(initiator, data, head, retry->tag, retry->tag_offset)) {
        return SKUA_VERDICT_BAD_RETRY;
    }
    initiator->retry_open = false;
    initiator->retried = true;
    initiator->retries++;
    initiator->token_len = retry->token_len;
    memcpy(initiator->token, retry->token, retry->token_len);
    return SKUA_VERDICT_OK;
}

enum skua_verdict skua_initiator_on_refuse(const struct skua_initiator *initiator,
                                           const uint8_t *data, const struct skua_head *head,
                                           const struct skua_refuse *refuse, uint16_t *code)
{
    if (!answers(initiator, data, head, refuse->tag, refuse->tag_offset)) {
        return SKUA_VERDICT_BAD_RETRY;
    }
    *code = refuse->code;
    return SKUA_VERDICT_OK;
}

enum skua_verdict skua_initiator_on_versions(const struct skua_initiator *initiator,
                                             const struct skua_head *head,
                                             const struct skua_versions *versions)
{
    if (!echoes(initiator, head)) {
        return SKUA_VERDICT_BAD_RETRY;
    }
    for (size_t i = 0; i < versions->count; i++) {
        if (versions->list[i] == SKUA_WIRE_VERSION) {
            return SKUA_VERDICT_BAD_RETRY;
        }
    }
    return SKUA_VERDICT_OK;
}
