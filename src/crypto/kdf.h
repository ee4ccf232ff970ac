/* Key derivation on HMAC-SHA256: HKDF (RFC 5869), Skua's labelled expansion, and Noise's HKDF.
 *
 * A labelled expansion binds an output to its purpose, its length and a context. HKDF-Expand gets
 *     info = u16 length of the output ‖ u8 length of text ‖ text ‖ u8 length of context ‖ context
 * where text is "skua " followed by the label (RFC 8446 §7.1 with another prefix). */
#ifndef SKUA_CRYPTO_KDF_H
#define SKUA_CRYPTO_KDF_H

#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#define SKUA_HASH_LEN 32

/* 32 secret bytes of key derivation. Secret: skua_secret_wipe. */
struct skua_secret {
    uint8_t bytes[SKUA_HASH_LEN];
};

void skua_secret_wipe(struct skua_secret *secret);

/* HMAC-SHA256 (RFC 2104). */
void skua_hmac(uint8_t out[SKUA_HASH_LEN], const void *key, size_t key_len, const void *data,
               size_t len);

/* RFC 5869 §2.2; a salt of no bytes stands for zeros. */
void skua_hkdf_extract(struct skua_secret *prk, const void *salt, size_t salt_len, const void *ikm,
                       size_t ikm_len);

/* RFC 5869 §2.3; `len` is at most 255 * 32. */
void skua_hkdf_expand(const struct skua_secret *prk, const void *info, size_t info_len, void *out,
                      size_t len);

/* A secret made ready for several labels: the HMAC's key is hashed once. Secret: skua_hkdf_wipe. */
struct skua_hkdf {
    crypto_auth_hmacsha256_state keyed; /* the key's blocks are in it */
};

void skua_hkdf_init(struct skua_hkdf *hkdf, const struct skua_secret *prk);
void skua_hkdf_wipe(struct skua_hkdf *hkdf);

/* The labelled expansion above. `label` is our own text of at most 32 characters; `context_len` at
 * most 64. `out` may be the secret. */
void skua_hkdf_derive(const struct skua_hkdf *hkdf, const char *label, const void *context,
                      size_t context_len, void *out, size_t len);

/* The same for one label. */
void skua_hkdf_label(const struct skua_secret *prk, const char *label, const void *context,
                     size_t context_len, void *out, size_t len);

/* Noise §4.3: HKDF(ck, input) with two or three outputs. `out3` NULL = two. Outputs may be `ck`. */
void skua_kdf_noise(const struct skua_secret *ck, const void *input, size_t len,
                    struct skua_secret *out1, struct skua_secret *out2, struct skua_secret *out3);

#endif
