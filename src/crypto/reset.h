/* Stateless reset (RFC 9000 §10.3): what an endpoint that has forgotten a connection can still
 * prove.
 *
 * Each connection id has a token that only the holder of the reset key can compute, and that the
 * peer was told while the connection lived. The key is fixed, so that a restarted endpoint finds
 * the same tokens without having kept a file. */
#ifndef SKUA_CRYPTO_RESET_H
#define SKUA_CRYPTO_RESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "crypto/kdf.h"

#define SKUA_RESET_TOKEN_LEN 16

/* The reset key of an endpoint that was given none: label(HKDF-Extract("", static secret key),
 * "reset", "", 32). Secret: skua_secret_wipe. */
void skua_reset_key_derive(struct skua_secret *out, const struct skua_secret_key *identity);

/* The token of a connection id: first 16 bytes of HMAC-SHA256(key, "reset" ‖ id). */
void skua_reset_token(uint8_t out[SKUA_RESET_TOKEN_LEN], const struct skua_secret *key,
                      const void *id, size_t id_len);

/* Equality in constant time. Sixteen zeros stand for no token and equal nothing. */
bool skua_reset_token_equal(const uint8_t a[SKUA_RESET_TOKEN_LEN],
                            const uint8_t b[SKUA_RESET_TOKEN_LEN]);

#endif
