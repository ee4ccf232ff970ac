/* HMAC-SHA256 and what is built on it. Every intermediate is secret and wiped. */
#include "crypto/kdf.h"

#include <string.h>

#include <sodium.h>

#include "base/assert.h"
#include "base/cursor.h"

#define LABEL_PREFIX "skua "
enum { LABEL_MAX = 32, CONTEXT_MAX = 64, INFO_MAX = 2 + 1 + 5 + LABEL_MAX + 1 + CONTEXT_MAX };

void skua_secret_wipe(struct skua_secret *secret)
{
    sodium_memzero(secret, sizeof *secret);
}

static void mac_add(crypto_auth_hmacsha256_state *state, const void *data, size_t len)
{
    if (len != 0) {
        (void)crypto_auth_hmacsha256_update(state, data, len);
    }
}

static void mac_done(crypto_auth_hmacsha256_state *state, uint8_t out[SKUA_HASH_LEN])
{
    (void)crypto_auth_hmacsha256_final(state, out);
    sodium_memzero(state, sizeof *state);
}

void skua_hmac(uint8_t out[SKUA_HASH_LEN], const void *key, size_t key_len, const void *data,
               size_t len)
{
    crypto_auth_hmacsha256_state state;
    (void)crypto_auth_hmacsha256_init(&state, key, key_len);
    mac_add(&state, data, len);
    mac_done(&state, out);
}

void skua_hkdf_extract(struct skua_secret *prk, const void *salt, size_t salt_len, const void *ikm,
                       size_t ikm_len)
{
    static const uint8_t zeros[SKUA_HASH_LEN];
    if (salt_len == 0) {
        salt = zeros;
        salt_len = sizeof zeros;
    }
    skua_hmac(prk->bytes, salt, salt_len, ikm, ikm_len);
}

static void expand(const crypto_auth_hmacsha256_state *keyed, const void *info, size_t info_len,
                   void *out, size_t len)
{
    SKUA_ASSERT(len <= (size_t)255 * SKUA_HASH_LEN);
    struct skua_writer w = skua_writer_of(out, len);
    struct skua_secret block; /* T(i) of RFC 5869 */
    for (uint8_t i = 1; skua_writer_left(&w) != 0; i++) {
        crypto_auth_hmacsha256_state state = *keyed;
        mac_add(&state, block.bytes, i == 1 ? 0 : sizeof block.bytes);
        mac_add(&state, info, info_len);
        mac_add(&state, &i, 1);
        mac_done(&state, block.bytes);
        size_t left = skua_writer_left(&w);
        skua_writer_copy(&w, block.bytes, left < sizeof block.bytes ? left : sizeof block.bytes);
    }
    skua_secret_wipe(&block);
}

void skua_hkdf_expand(const struct skua_secret *prk, const void *info, size_t info_len, void *out,
                      size_t len)
{
    struct skua_hkdf hkdf;
    skua_hkdf_init(&hkdf, prk);
    expand(&hkdf.keyed, info, info_len, out, len);
    skua_hkdf_wipe(&hkdf);
}

void skua_hkdf_init(struct skua_hkdf *hkdf, const struct skua_secret *prk)
{
    (void)crypto_auth_hmacsha256_init(&hkdf->keyed, prk->bytes, sizeof prk->bytes);
}

void skua_hkdf_wipe(struct skua_hkdf *hkdf)
{
    sodium_memzero(hkdf, sizeof *hkdf);
}

void skua_hkdf_label(const struct skua_secret *prk, const char *label, const void *context,
                     size_t context_len, void *out, size_t len)
{
    struct skua_hkdf hkdf;
    skua_hkdf_init(&hkdf, prk);
    skua_hkdf_derive(&hkdf, label, context, context_len, out, len);
    skua_hkdf_wipe(&hkdf);
}

void skua_hkdf_derive(const struct skua_hkdf *hkdf, const char *label, const void *context,
                      size_t context_len, void *out, size_t len)
{
    size_t label_len = strlen(label);
    SKUA_ASSERT(label_len <= LABEL_MAX && context_len <= CONTEXT_MAX && len <= UINT16_MAX);
    uint8_t info[INFO_MAX];
    struct skua_writer w = skua_writer_of(info, sizeof info);
    skua_writer_u16(&w, (uint16_t)len);
    skua_writer_u8(&w, (uint8_t)(strlen(LABEL_PREFIX) + label_len));
    skua_writer_copy(&w, LABEL_PREFIX, strlen(LABEL_PREFIX));
    skua_writer_copy(&w, label, label_len);
    skua_writer_u8(&w, (uint8_t)context_len);
    skua_writer_copy(&w, context, context_len);
    SKUA_ASSERT(!w.failed);
    expand(&hkdf->keyed, info, skua_writer_len(&w), out, len);
}

void skua_kdf_noise(const struct skua_secret *ck, const void *input, size_t len,
                    struct skua_secret *out1, struct skua_secret *out2, struct skua_secret *out3)
{
    /* Noise §4.3 is HKDF with ck as salt, the input as keying material and no info. */
    uint8_t all[3 * SKUA_HASH_LEN];
    struct skua_secret prk;
    skua_hkdf_extract(&prk, ck->bytes, sizeof ck->bytes, input, len);
    skua_hkdf_expand(&prk, NULL, 0, all, (out3 == NULL ? 2U : 3U) * SKUA_HASH_LEN);
    memcpy(out1->bytes, all, SKUA_HASH_LEN);
    memcpy(out2->bytes, all + SKUA_HASH_LEN, SKUA_HASH_LEN);
    if (out3 != NULL) {
        memcpy(out3->bytes, all + (size_t)2 * SKUA_HASH_LEN, SKUA_HASH_LEN);
    }
    sodium_memzero(all, sizeof all);
    skua_secret_wipe(&prk);
}
