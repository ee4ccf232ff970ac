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

/* Both directions take the same time for all keys (of a length), as libsodium does it: no table is
 * looked up by a character. */
static void format(char out[SKUA_KEY_TEXT_LEN], const uint8_t bytes[SKUA_KEY_LEN])
{
    (void)sodium_bin2base64(out, SKUA_KEY_TEXT_LEN, bytes, SKUA_KEY_LEN,
                            sodium_base64_VARIANT_ORIGINAL);
}

/* One text per key: of 44 characters, padding included, and without stray bits in the last. `out`
 * keeps what it had where it is none. */
static enum skua_err parse(uint8_t out[SKUA_KEY_LEN], const char *text)
{
    if (text == NULL || strlen(text) != SKUA_KEY_TEXT_LEN - 1) {
        return SKUA_EINVAL;
    }
    uint8_t bytes[SKUA_KEY_LEN];
    size_t len = 0;
    bool ok = sodium_base642bin(bytes, sizeof bytes, text, SKUA_KEY_TEXT_LEN - 1, NULL, &len, NULL,
                                sodium_base64_VARIANT_ORIGINAL) == 0 &&
              len == sizeof bytes;
    if (ok) {
        memcpy(out, bytes, sizeof bytes);
    }
    skua_wipe(bytes, sizeof bytes);
    return ok ? SKUA_OK : SKUA_EINVAL;
}

void skua_key_format(char out[SKUA_KEY_TEXT_LEN], const struct skua_key *key)
{
    format(out, key->bytes);
}

enum skua_err skua_key_parse(struct skua_key *out, const char *text)
{
    return parse(out->bytes, text);
}

void skua_secret_key_format(char out[SKUA_KEY_TEXT_LEN], const struct skua_secret_key *secret)
{
    format(out, secret->bytes);
}

enum skua_err skua_secret_key_parse(struct skua_secret_key *out, const char *text)
{
    return parse(out->bytes, text);
}

void skua_wipe(void *memory, size_t len)
{
    sodium_memzero(memory, len);
}
