/* BLAKE2b in the forms of crypto/tag.h. RETRY's tag is made for every SYN of a flood: with the
 * label in front of the data it is one block, as a key it would be one more. */
#include "crypto/tag.h"

#include <string.h>

#include <sodium.h>

#include "base/assert.h"

void skua_tag(uint8_t out[SKUA_TAG_LEN], const char *label, const void *data, size_t len)
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, SKUA_TAG_LEN);
    (void)crypto_generichash_update(&state, (const unsigned char *)label, strlen(label));
    (void)crypto_generichash_update(&state, data, len);
    int failed = crypto_generichash_final(&state, out, SKUA_TAG_LEN);
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
