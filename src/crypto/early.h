/* Tokens for early data: whoever brings one back in a SYN has been here before, lately, and not
 * with this token.
 *
 * A token is sealed by the endpoint that gives it, and only that endpoint can open it: the key is
 * random and lives as long as the endpoint listens. So a token says by itself which worker gave it
 * and that this worker has not restarted since, and a worker that cannot tell whether a token was
 * used before cannot open it either.
 *
 *   kind u8 ‖ nonce [24] ‖ XChaCha20-Poly1305(key, nonce, time of issue u64; kind ‖ client's key)
 *
 * The nonce is random, so it names the token. That a token is used once is the business of whoever
 * opens it (endpoint/early.h). It travels inside message 1 of Noise IK, never in the clear, and so
 * belongs to one SYN. */
#ifndef SKUA_CRYPTO_EARLY_H
#define SKUA_CRYPTO_EARLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

enum {
    SKUA_EARLY_NONCE_LEN = 24,
    SKUA_EARLY_TOKEN_LEN = 1 + SKUA_EARLY_NONCE_LEN + 8 + 16,
    SKUA_EARLY_NAME_LEN = 16 /* bytes of the nonce that name a token */
};

/* Secret: skua_wipe. */
struct skua_early_key {
    uint8_t bytes[32];
};

/* A token for the client with `client`, given at `now`. */
void skua_early_token_write(uint8_t out[SKUA_EARLY_TOKEN_LEN], const struct skua_early_key *key,
                            const struct skua_key *client, const struct skua_rng *rng,
                            skua_time now);
/* Whether the `len` bytes at `token` are one that was given to `client` under this key; `*issued`
 * says when. */
bool skua_early_token_open(const uint8_t *token, size_t len, const struct skua_early_key *key,
                           const struct skua_key *client, skua_time *issued);
/* What names a token that has been opened. */
static inline const uint8_t *skua_early_token_name(const uint8_t *token)
{
    return token + 1;
}

#endif
