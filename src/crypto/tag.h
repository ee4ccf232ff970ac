/* Short authenticators that are not AEAD tags. */
#ifndef SKUA_CRYPTO_TAG_H
#define SKUA_CRYPTO_TAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKUA_TAG_LEN             16
#define SKUA_FINGERPRINT_KEY_LEN 32

/* BLAKE2b-128 over a public label and data: RETRY and REFUSE carry it. It proves
 * that the maker saw what is hashed, nothing more. */
void skua_tag(uint8_t out[SKUA_TAG_LEN], const char *label, const void *data, size_t len);

/* BLAKE2b-128 under a secret key: recognises equal data without keeping them; others cannot make
 * collisions. */
void skua_fingerprint(uint8_t out[SKUA_TAG_LEN], const uint8_t key[SKUA_FINGERPRINT_KEY_LEN],
                      const void *data, size_t len);

/* Equality in constant time. */
bool skua_tag_equal(const uint8_t a[SKUA_TAG_LEN], const uint8_t b[SKUA_TAG_LEN]);

#endif
