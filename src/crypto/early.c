/* Tokens for early data: see early.h. */
#include "crypto/early.h"

#include <sodium.h>

#include "base/assert.h"
#include "base/cursor.h"
#include "base/rng.h"
#include "crypto/token.h"

SKUA_STATIC_ASSERT(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == SKUA_EARLY_NONCE_LEN &&
                       crypto_aead_xchacha20poly1305_ietf_KEYBYTES ==
                           sizeof(struct skua_early_key) &&
                       SKUA_EARLY_TOKEN_LEN ==
                           1 + SKUA_EARLY_NONCE_LEN + 8 + crypto_aead_xchacha20poly1305_ietf_ABYTES,
                   "the token's layout");

enum { CLAIM_LEN = 1 + SKUA_KEY_LEN, SEALED_LEN = SKUA_EARLY_TOKEN_LEN - 1 - SKUA_EARLY_NONCE_LEN };

/* What a token is bound to, and need not carry. */
static void write_claim(uint8_t out[CLAIM_LEN], const struct skua_key *client)
{
    struct skua_writer w = skua_writer_of(out, CLAIM_LEN);
    skua_writer_u8(&w, SKUA_TOKEN_EARLY);
    skua_writer_copy(&w, client->bytes, sizeof client->bytes);
    SKUA_ASSERT(!w.failed);
}

void skua_early_token_write(uint8_t out[SKUA_EARLY_TOKEN_LEN], const struct skua_early_key *key,
                            const struct skua_key *client, const struct skua_rng *rng,
                            skua_time now)
{
    uint8_t claim[CLAIM_LEN];
    uint8_t issued[8];
    struct skua_writer w = skua_writer_of(issued, sizeof issued);
    skua_writer_u64(&w, now);
    write_claim(claim, client);
    out[0] = SKUA_TOKEN_EARLY;
    skua_rng_fill(rng, out + 1, SKUA_EARLY_NONCE_LEN);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out + 1 + SKUA_EARLY_NONCE_LEN, NULL, issued,
                                                     sizeof issued, claim, sizeof claim, NULL,
                                                     out + 1, key->bytes);
}

bool skua_early_token_open(const uint8_t *token, size_t len, const struct skua_early_key *key,
                           const struct skua_key *client, skua_time *issued)
{
    uint8_t claim[CLAIM_LEN];
    uint8_t text[8];
    if (len != SKUA_EARLY_TOKEN_LEN || token[0] != SKUA_TOKEN_EARLY) {
        return false;
    }
    write_claim(claim, client);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            text, NULL, NULL, token + 1 + SKUA_EARLY_NONCE_LEN, SEALED_LEN, claim, sizeof claim,
            token + 1, key->bytes) != 0) {
        return false;
    }
    struct skua_reader r = skua_reader_of(text, sizeof text);
    *issued = skua_reader_u64(&r);
    return true;
}
