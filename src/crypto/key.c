/* The public functions on keys (skua.h, "keys"). */
#include <string.h>

#include <sodium.h>

#include <skua/skua.h>

#include "base/assert.h"

SKUA_STATIC_ASSERT(SKUA_KEY_TEXT_LEN ==
                       sodium_base64_ENCODED_LEN(SKUA_KEY_LEN, sodium_base64_VARIANT_ORIGINAL),
                   "room for the text form");

enum skua_err skua_init(void)
{
    return sodium_init() < 0 ? SKUA_EINTERNAL : SKUA_OK;
}

void skua_key_generate(struct skua_secret_key *out, const struct skua_rng *rng)
{
    /* X25519 clamps when it multiplies: any 32 bytes are a secret key. */
    rng->fill(rng->user, out->bytes, sizeof out->bytes);
}

void skua_key_public(struct skua_key *out, const struct skua_secret_key *secret)
{
    (void)crypto_scalarmult_curve25519_base(out->bytes, secret->bytes);
}

void skua_key_format(char out[SKUA_KEY_TEXT_LEN], const struct skua_key *key)
{
    (void)sodium_bin2base64(out, SKUA_KEY_TEXT_LEN, key->bytes, sizeof key->bytes,
                            sodium_base64_VARIANT_ORIGINAL);
}

enum skua_err skua_key_parse(struct skua_key *out, const char *text)
{
    /* One text per key: of 44 characters, padding included, and without stray bits in the last. */
    if (text == NULL || strlen(text) != SKUA_KEY_TEXT_LEN - 1) {
        return SKUA_EINVAL;
    }
    struct skua_key key;
    size_t len = 0;
    if (sodium_base642bin(key.bytes, sizeof key.bytes, text, SKUA_KEY_TEXT_LEN - 1, NULL, &len,
                          NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        len != sizeof key.bytes) {
        return SKUA_EINVAL;
    }
    *out = key;
    return SKUA_OK;
}

void skua_wipe(void *memory, size_t len)
{
    sodium_memzero(memory, len);
}
