/* Prologue, payload of message 1, version preference and the last derivation: the parts that both
 * roles share. */
#include "handshake/body.h"

#include "crypto/exporter.h"

void skua_prologue_write(struct skua_writer *w, enum skua_pattern pattern, uint8_t flags,
                         const struct skua_id *dcid, const struct skua_id *scid)
{
    skua_writer_copy(w, "skua", 4);
    skua_writer_u32(w, SKUA_WIRE_VERSION);
    skua_writer_u8(w, (uint8_t)pattern);
    skua_writer_u8(w, flags);
    skua_writer_u8(w, dcid->len);
    skua_writer_copy(w, dcid->bytes, dcid->len);
    skua_writer_u8(w, scid->len);
    skua_writer_copy(w, scid->bytes, scid->len);
}

void skua_offer_write(struct skua_writer *w, const struct skua_offer *offer)
{
    skua_writer_u8(w, offer->suites);
    skua_writer_u8(w, offer->version_count);
    for (size_t i = 0; i < offer->version_count; i++) {
        skua_writer_u32(w, offer->versions[i]);
    }
    skua_writer_u16(w, offer->params_len);
    skua_writer_copy(w, offer->params, offer->params_len);
    if (offer->early.token_len != 0) {
        skua_writer_u16(w, (uint16_t)offer->early.token_len);
        skua_writer_copy(w, offer->early.token, offer->early.token_len);
        skua_writer_copy(w, offer->early.frames, offer->early.frames_len);
    }
}

/* Behind the parameters of IK: a token and frames, or padding, which begins with a zero. */
static bool read_early(struct skua_reader *r, struct skua_early_data *early)
{
    if (skua_reader_left(r) < 2) {
        return true;
    }
    early->token_len = skua_reader_u16(r);
    early->token = skua_reader_bytes(r, early->token_len);
    early->frames_len = skua_reader_left(r);
    early->frames = r->at;
    return !r->failed && early->token_len <= SKUA_LIMIT_TOKEN_MAX;
}

bool skua_offer_read(const uint8_t *data, size_t len, bool ik, struct skua_offer *offer)
{
    struct skua_reader r = skua_reader_of(data, len);
    *offer = (struct skua_offer){.suites = skua_reader_u8(&r)};
    unsigned listed = skua_reader_u8(&r);
    for (unsigned i = 0; i < listed; i++) {
        uint32_t version = skua_reader_u32(&r);
        if (offer->version_count < SKUA_VERSIONS_MAX) {
            offer->versions[offer->version_count++] = version;
        }
    }
    offer->params_len = skua_reader_u16(&r);
    offer->params = skua_reader_bytes(&r, offer->params_len);
    if (r.failed || listed == 0 || (!ik && offer->params_len != 0)) {
        return false;
    }
    return !ik || read_early(&r, &offer->early);
}

const uint32_t skua_own_versions[] = {SKUA_WIRE_VERSION};
const size_t skua_own_version_count = sizeof skua_own_versions / sizeof skua_own_versions[0];

uint32_t skua_versions_meet(const uint32_t *client, size_t client_count, const uint32_t *server,
                            size_t server_count)
{
    for (size_t i = 0; i < client_count; i++) {
        for (size_t j = 0; j < server_count; j++) {
            if (client[i] == server[j]) {
                return client[i];
            }
        }
    }
    return 0;
}

void skua_result_fill(struct skua_handshake_result *result, const struct skua_noise *noise,
                      uint8_t suite)
{
    const struct skua_key *peer = skua_noise_remote(noise);
    SKUA_ASSERT(skua_noise_done(noise) && peer != NULL);
    skua_noise_split(noise, &result->to_responder, &result->to_initiator);
    skua_exporter_init(&result->exporter, noise);
    result->peer_key = *peer;
    result->suite = suite;
}
