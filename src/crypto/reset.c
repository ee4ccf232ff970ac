/* HMAC-SHA256 in the forms of crypto/reset.h. */
#include "crypto/reset.h"

#include <string.h>

#include <sodium.h>

void skua_reset_key_derive(struct skua_secret *out, const struct skua_secret_key *identity)
{
    struct skua_secret prk;
    skua_hkdf_extract(&prk, NULL, 0, identity->bytes, sizeof identity->bytes);
    skua_hkdf_label(&prk, "reset", NULL, 0, out->bytes, sizeof out->bytes);
    skua_secret_wipe(&prk);
}

void skua_reset_token(uint8_t out[SKUA_RESET_TOKEN_LEN], const struct skua_secret *key,
                      const void *id, size_t id_len)
{
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    (void)crypto_auth_hmacsha256_init(&state, key->bytes, sizeof key->bytes);
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)"reset", 5);
    (void)crypto_auth_hmacsha256_update(&state, id, id_len);
    (void)crypto_auth_hmacsha256_final(&state, mac);
    memcpy(out, mac, SKUA_RESET_TOKEN_LEN);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(mac, sizeof mac);
}

bool skua_reset_token_equal(const uint8_t a[SKUA_RESET_TOKEN_LEN],
                            const uint8_t b[SKUA_RESET_TOKEN_LEN])
{
    bool none = sodium_is_zero(a, SKUA_RESET_TOKEN_LEN) != 0;
    return sodium_memcmp(a, b, SKUA_RESET_TOKEN_LEN) == 0 && !none;
}
