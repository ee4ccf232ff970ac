/* libsodium's one-shot AEADs behind one pair of functions, and the cache of expanded AES keys. */
#include "crypto/aead.h"

#include <string.h>

#include "base/assert.h"
#include "base/endian.h"

void skua_aead_cache_init(struct skua_aead_cache *cache, struct skua_heap *heap)
{
    memset(cache, 0, sizeof *cache);
    cache->heap = heap;
}

void skua_aead_cache_deinit(struct skua_aead_cache *cache)
{
    sodium_memzero(cache, sizeof *cache);
}

uint64_t skua_aead_next_id(struct skua_aead_cache *cache)
{
    return ++cache->last_id;
}

void skua_aead_key_wipe(struct skua_aead_key *key, struct skua_aead_cache *cache)
{
    size_t slot = key->id % SKUA_AEAD_CACHE_SLOTS;
    if (key->id != 0 && cache->id[slot] == key->id) {
        sodium_memzero(&cache->state[slot], sizeof cache->state[slot]);
        cache->id[slot] = 0;
    }
    sodium_memzero(key, sizeof *key);
}

/* The expanded form of an AES-256-GCM key. Two busy keys on one slot expand by turns, once per
 * batch of packets: some 150 ns. */
static const crypto_aead_aes256gcm_state *expanded(struct skua_aead_cache *cache,
                                                   const struct skua_aead_key *key)
{
    size_t slot = key->id % SKUA_AEAD_CACHE_SLOTS;
    if (cache->id[slot] != key->id) {
        (void)crypto_aead_aes256gcm_beforenm(&cache->state[slot], key->key);
        cache->id[slot] = key->id;
    }
    return &cache->state[slot];
}

/* The word whose bytes in memory are `value` in big-endian order. */
static uint64_t big_endian(uint64_t value)
{
    uint8_t bytes[sizeof value];
    skua_store_be64(bytes, value);
    memcpy(&value, bytes, sizeof value);
    return value;
}

/* Sixteen bytes in one register: gcc's and clang's vectors, where there are such. An AEAD begins
 * with one load of the whole nonce, and that load waits (12 to 20 ns, a tenth of what AEGIS-128L
 * takes for a packet) until the nonce's last store has reached the cache, unless it was one store.
 */
#if defined(__GNUC__)
typedef uint64_t nonce_words __attribute__((vector_size(SKUA_SUITE_NONCE_MAX)));
#else
typedef uint64_t nonce_words[2];
#endif

/* RFC 9001 §5.3: the IV with the packet number, big-endian, xored into its end. */
static void make_nonce(uint8_t nonce[SKUA_SUITE_NONCE_MAX], const struct skua_aead_key *key,
                       unsigned nonce_len, uint64_t pn)
{
    const unsigned shift = 8 * (SKUA_SUITE_NONCE_MAX - nonce_len); /* bits behind the nonce's end */
    nonce_words words;
    memcpy(&words, key->iv, sizeof words);
    words[0] ^= big_endian(shift == 0 ? 0 : pn >> (64 - shift));
    words[1] ^= big_endian(pn << shift);
    memcpy(nonce, &words, sizeof words);
}

void skua_aead_seal(struct skua_aead_cache *cache, const struct skua_aead_key *key, uint64_t pn,
                    uint8_t *packet, size_t ad_len, size_t len)
{
    SKUA_ASSERT(key->id != 0);
    uint8_t nonce[SKUA_SUITE_NONCE_MAX];
    uint8_t *text = packet + ad_len;
    int failed = -1;
    switch ((enum skua_suite)key->suite) {
    case SKUA_SUITE_AES_256_GCM:
        make_nonce(nonce, key, crypto_aead_aes256gcm_NPUBBYTES, pn);
        failed = crypto_aead_aes256gcm_encrypt_afternm(text, NULL, text, len, packet, ad_len, NULL,
                                                       nonce, expanded(cache, key));
        break;
    case SKUA_SUITE_CHACHA20_POLY1305:
        make_nonce(nonce, key, crypto_aead_chacha20poly1305_ietf_NPUBBYTES, pn);
        failed = crypto_aead_chacha20poly1305_ietf_encrypt(text, NULL, text, len, packet, ad_len,
                                                           NULL, nonce, key->key);
        break;
    case SKUA_SUITE_AEGIS_128L:
#ifdef crypto_aead_aegis128l_KEYBYTES
        make_nonce(nonce, key, crypto_aead_aegis128l_NPUBBYTES, pn);
        failed = crypto_aead_aegis128l_encrypt(text, NULL, text, len, packet, ad_len, NULL, nonce,
                                               key->key);
#endif
        break;
    }
    SKUA_ASSERT(failed == 0);
}

bool skua_aead_open(struct skua_aead_cache *cache, const struct skua_aead_key *key, uint64_t pn,
                    uint8_t *packet, size_t ad_len, size_t len)
{
    SKUA_ASSERT(key->id != 0);
    uint8_t nonce[SKUA_SUITE_NONCE_MAX];
    uint8_t *text = packet + ad_len;
    switch ((enum skua_suite)key->suite) {
    case SKUA_SUITE_AES_256_GCM:
        make_nonce(nonce, key, crypto_aead_aes256gcm_NPUBBYTES, pn);
        return crypto_aead_aes256gcm_decrypt_afternm(text, NULL, NULL, text, len, packet, ad_len,
                                                     nonce, expanded(cache, key)) == 0;
    case SKUA_SUITE_CHACHA20_POLY1305:
        make_nonce(nonce, key, crypto_aead_chacha20poly1305_ietf_NPUBBYTES, pn);
        return crypto_aead_chacha20poly1305_ietf_decrypt(text, NULL, NULL, text, len, packet,
                                                         ad_len, nonce, key->key) == 0;
    case SKUA_SUITE_AEGIS_128L:
#ifdef crypto_aead_aegis128l_KEYBYTES
        make_nonce(nonce, key, crypto_aead_aegis128l_NPUBBYTES, pn);
        return crypto_aead_aegis128l_decrypt(text, NULL, NULL, text, len, packet, ad_len, nonce,
                                             key->key) == 0;
#else
        break;
#endif
    }
    return false;
}
