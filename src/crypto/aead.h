/* Sealing and opening under one suite, in place.
 *
 * Associated data and text lie next to each other in one buffer: [ad][text] becomes [ad][sealed
 * text][tag]. The nonce is the key's IV xor the packet number, left-padded (RFC 9001 §5.3). That no
 * packet number is used twice under a key is the caller's duty (crypto/keys.c asserts it).
 *
 * An expanded AES-GCM key takes 512 bytes, so idle connections hold none: a small direct-mapped
 * cache of the endpoint does, found by the key's id. Ids come from the cache's own counter, so two
 * keys of an endpoint never share one. */
#ifndef SKUA_CRYPTO_AEAD_H
#define SKUA_CRYPTO_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#include "crypto/suite.h"

struct skua_heap;

#define SKUA_AEAD_CACHE_SLOTS 32

/* One direction's key of one phase. Secret: skua_aead_key_wipe. */
struct skua_aead_key {
    uint64_t id;                      /* unique in the endpoint; 0 = no key here */
    uint8_t suite;                    /* enum skua_suite */
    uint8_t key[SKUA_SUITE_KEY_MAX];  /* the first key_len bytes count */
    uint8_t iv[SKUA_SUITE_NONCE_MAX]; /* the first nonce_len bytes count */
};

/* Expanded keys of one endpoint (about 17 KiB). Secret: skua_aead_cache_deinit. */
struct skua_aead_cache {
    crypto_aead_aes256gcm_state state[SKUA_AEAD_CACHE_SLOTS]; /* slot = id modulo the slots */
    uint64_t id[SKUA_AEAD_CACHE_SLOTS];                       /* whose state it is, or 0 */
    uint64_t last_id;                                         /* the id given out last */
    struct skua_heap *heap; /* for keys that are held for a while only */
};

/* An empty cache. Needs memory aligned for any type (16 bytes). `heap` (crypto/keys.c needs it, the
 * functions below do not) outlives it. */
void skua_aead_cache_init(struct skua_aead_cache *cache, struct skua_heap *heap);
/* Wipes it. */
void skua_aead_cache_deinit(struct skua_aead_cache *cache);

/* The id for a new key. */
uint64_t skua_aead_next_id(struct skua_aead_cache *cache);
/* Wipes the key and what the cache holds of it; nothing happens to an empty key. */
void skua_aead_key_wipe(struct skua_aead_key *key, struct skua_aead_cache *cache);

/* Seals `len` bytes at `packet + ad_len`, authenticating the `ad_len` bytes before them; the tag
 * follows, so that there must be room for tag_len more. */
void skua_aead_seal(struct skua_aead_cache *cache, const struct skua_aead_key *key, uint64_t pn,
                    uint8_t *packet, size_t ad_len, size_t len);

/* Opens `len` bytes (tag included) at `packet + ad_len`; the text is `len - tag_len` bytes there.
 * False where they do not authenticate or are shorter than a tag: the sealed bytes are then lost.
 */
bool skua_aead_open(struct skua_aead_cache *cache, const struct skua_aead_key *key, uint64_t pn,
                    uint8_t *packet, size_t ad_len, size_t len);

#endif
