/* BLAKE2b in the forms of crypto/tag.h. */
#include "crypto/tag.h"

#include <string.h>

#include <sodium.h>

#include "base/assert.h"

void skua_tag(uint8_t out[SKUA_TAG_LEN], const char *label, const void *data, size_t len)
{
    size_t label_len = strlen(label);
    SKUA_ASSERT(label_len >= 1 && label_len <= crypto_generichash_KEYBYTES_MAX);
    /* The one-shot function of libsodium does not insist on its recommended key length. */
    int failed =
        crypto_generichash(out, SKUA_TAG_LEN, data, len, (const unsigned char *)label, label_len);
    SKUA_ASSERT(failed == 0);
}

void skua_fingerprint(uint8_t out[SKUA_TAG_LEN], const uint8_t key[SKUA_FINGERPRINT_KEY_LEN],
                      const void *data, size_t len)
{
    int failed = crypto_generichash(out, SKUA_TAG_LEN, data, len, key, SKUA_FINGERPRINT_KEY_LEN);
    SKUA_ASSERT(failed == 0);
}

bool skua_tag_equal(const uint8_t a[SKUA_TAG_LEN], const uint8_t b[SKUA_TAG_LEN])
{
    return sodium_memcmp(a, b, SKUA_TAG_LEN) == 0;
}
