/* The key phases of crypto/keys.h. Everything that a packet can bring about here happens after it
 * authenticated; a forged one only raises rx_failed. */
#include "crypto/keys.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/time.h"

/* --- derivation */

static void derive_key(struct skua_aead_key *key, struct skua_aead_cache *cache,
                       const struct skua_suite_info *suite, const struct skua_hkdf *secret)
{
    memset(key, 0, sizeof *key);
    key->id = skua_aead_next_id(cache);
    key->suite = suite->suite;
    skua_hkdf_derive(secret, "key", &suite->suite, 1, key->key, suite->key_len);
    skua_hkdf_derive(secret, "iv", &suite->suite, 1, key->iv, suite->nonce_len);
}

/* The key of `secret`'s phase, and where `hp` is not NULL the header key; the secret of the phase
 * after it takes the place of `secret`. */
static void derive_phase(struct skua_keys *keys, struct skua_aead_cache *cache,
                         struct skua_aead_key *key, struct skua_secret *secret,
                         struct skua_hp_key *hp)
{
    struct skua_hkdf hkdf;
    skua_hkdf_init(&hkdf, secret);
    derive_key(key, cache, keys->suite, &hkdf);
    if (hp != NULL) {
        skua_hkdf_derive(&hkdf, "hp", NULL, 0, hp->bytes, sizeof hp->bytes);
    }
    skua_hkdf_derive(&hkdf, "ku", NULL, 0, secret->bytes, sizeof secret->bytes);
    skua_hkdf_wipe(&hkdf);
}

static struct skua_aead_key *rx_slot(struct skua_keys *keys, uint64_t phase)
{
    return &keys->rx[phase % 2];
}

static void drop_previous(struct skua_keys *keys, struct skua_aead_cache *cache)
{
    if (keys->rx_prev != NULL) {
        skua_aead_key_wipe(keys->rx_prev, cache);
        skua_heap_put(cache->heap, keys->rx_prev, sizeof *keys->rx_prev);
        keys->rx_prev = NULL;
    }
    keys->rx_prev_until = SKUA_NEVER;
}

/* The present key becomes the previous one, until `retire_at`. Without memory for that it is gone
 * at once: packets under way that were sealed with it are lost, and repeated. */
static void keep_previous(struct skua_keys *keys, struct skua_aead_cache *cache,
                          skua_time retire_at)
{
    struct skua_aead_key *present = rx_slot(keys, keys->rx_phase);
    drop_previous(keys, cache);
    keys->rx_prev = skua_heap_get_raw(cache->heap, sizeof *keys->rx_prev);
    if (keys->rx_prev != NULL) {
        *keys->rx_prev = *present;
        skua_wipe(present, sizeof *present);
        keys->rx_prev_until = skua_time_min(retire_at, SKUA_NEVER - 1);
    } else {
        skua_aead_key_wipe(present, cache);
    }
}

void skua_keys_init(struct skua_keys *keys, struct skua_aead_cache *cache, uint8_t suite,
                    bool initiator, const struct skua_secret *to_responder,
                    const struct skua_secret *to_initiator)
{
    memset(keys, 0, sizeof *keys);
    keys->suite = skua_suite_info(suite);
    SKUA_ASSERT(keys->suite != NULL);
    keys->tx_next = initiator ? *to_responder : *to_initiator;
    keys->rx_next = initiator ? *to_initiator : *to_responder;
    derive_phase(keys, cache, &keys->tx, &keys->tx_next, &keys->tx_hp);
    derive_phase(keys, cache, rx_slot(keys, 0), &keys->rx_next, &keys->rx_hp);
    derive_phase(keys, cache, rx_slot(keys, 1), &keys->rx_next, NULL);
    keys->rx_first_pn = UINT64_MAX;
    keys->rx_prev_until = SKUA_NEVER;
}

void skua_keys_wipe(struct skua_keys *keys, struct skua_aead_cache *cache)
{
    skua_aead_key_wipe(&keys->tx, cache);
    for (unsigned i = 0; i < 2; i++) {
        skua_aead_key_wipe(&keys->rx[i], cache);
    }
    drop_previous(keys, cache);
    skua_wipe(keys, sizeof *keys);
}

/* --- sending */

const struct skua_aead_key *skua_keys_tx(struct skua_keys *keys, uint64_t pn)
{
    if (keys->tx_sealed >= keys->suite->stop_at || pn >= SKUA_PN_LIMIT) {
        return NULL;
    }
    /* A nonce is the packet number under the key's IV: rising numbers make it unique. */
    SKUA_ASSERT(pn >= keys->tx_next_pn);
    keys->tx_next_pn = pn + 1;
    keys->tx_sealed++;
    return &keys->tx;
}

static void advance_tx(struct skua_keys *keys, struct skua_aead_cache *cache)
{
    skua_aead_key_wipe(&keys->tx, cache);
    derive_phase(keys, cache, &keys->tx, &keys->tx_next, NULL);
    keys->tx_phase++;
    keys->tx_first_pn = keys->tx_next_pn;
    keys->tx_sealed = 0;
    keys->tx_acked = false;
}

/* --- receiving */

const struct skua_aead_key *skua_keys_rx(const struct skua_keys *keys, unsigned bit, uint64_t pn,
                                         uint64_t *phase)
{
    *phase = keys->rx_phase;
    if ((keys->rx_phase & 1) != bit) {
        /* Below the boundary only the previous phase can be meant, RFC 9001 §6.5. */
        if (pn < keys->rx_first_pn) {
            *phase = keys->rx_phase - 1;
            return keys->rx_prev;
        }
        *phase = keys->rx_phase + 1;
    }
    return &keys->rx[*phase % 2];
}

const struct skua_aead_key *skua_keys_rx_confirm(const struct skua_keys *keys)
{
    if (keys->rx_phase > 1) {
        return NULL;
    }
    return keys->rx_phase == 0 ? &keys->rx[0] : keys->rx_prev;
}

/* The peer's packet `pn` is the first opened under the next key. */
static enum skua_code advance_rx(struct skua_keys *keys, struct skua_aead_cache *cache, uint64_t pn,
                                 skua_time retire_at)
{
    bool answer = keys->tx_phase == keys->rx_phase; /* the peer began */
    /* RFC 9001 §6.4: numbers and phases rise together. §6.2, §6.5: the peer may begin an update
     * only when it has seen an ACK for the phase that it leaves, which we must have sent. */
    if (pn < keys->rx_max || (answer && !keys->rx_ack_sent)) {
        return SKUA_CODE_KEY_UPDATE;
    }
    keep_previous(keys, cache, retire_at);
    keys->rx_phase++;
    keys->rx_prev_max = keys->rx_max;
    keys->rx_first_pn = pn;
    keys->rx_max = pn;
    keys->rx_ack_sent = false;
    derive_phase(keys, cache, rx_slot(keys, keys->rx_phase + 1), &keys->rx_next, NULL);
    if (answer) {
        advance_tx(keys, cache);
    }
    return SKUA_CODE_NO_ERROR;
}

enum skua_code skua_keys_on_opened(struct skua_keys *keys, struct skua_aead_cache *cache,
                                   uint64_t pn, uint64_t phase, skua_time retire_at)
{
    if (phase == keys->rx_phase) {
        if (pn < keys->rx_prev_max) {
            return SKUA_CODE_KEY_UPDATE; /* RFC 9001 §6.4 */
        }
        keys->rx_max = pn > keys->rx_max ? pn : keys->rx_max;
        keys->rx_first_pn = pn < keys->rx_first_pn ? pn : keys->rx_first_pn;
        return SKUA_CODE_NO_ERROR;
    }
    if (phase == keys->rx_phase + 1) {
        return advance_rx(keys, cache, pn, retire_at);
    }
    SKUA_ASSERT(phase + 1 == keys->rx_phase);
    /* A DATA packet comes here only with a number below the boundary; a CONFIRM, chosen by its type
     * alone, may not. */
    if (pn >= keys->rx_first_pn) {
        return SKUA_CODE_KEY_UPDATE;
    }
    keys->rx_prev_max = pn > keys->rx_prev_max ? pn : keys->rx_prev_max;
    return SKUA_CODE_NO_ERROR;
}

void skua_keys_on_timeout(struct skua_keys *keys, struct skua_aead_cache *cache, skua_time now)
{
    if (keys->rx_prev_until != SKUA_NEVER && now >= keys->rx_prev_until) {
        drop_previous(keys, cache);
    }
}

/* --- facts and updates */

enum skua_code skua_keys_on_ack_received(struct skua_keys *keys, uint64_t largest, uint64_t phase)
{
    if (largest < keys->tx_first_pn) {
        return SKUA_CODE_NO_ERROR;
    }
    if (phase < keys->tx_phase) {
        return SKUA_CODE_KEY_UPDATE;
    }
    keys->tx_acked = true;
    return SKUA_CODE_NO_ERROR;
}

bool skua_keys_may_update(const struct skua_keys *keys)
{
    if (!keys->confirmed || !keys->tx_acked || keys->tx_phase != keys->rx_phase) {
        return false;
    }
    /* RFC 9001 §6.5 asks to wait for 3 PTO between updates; half-way to the suite's limit that
     * courtesy ends. */
    uint64_t urgent = keys->suite->update_at / 2 + keys->suite->stop_at / 2;
    return keys->rx_prev_until == SKUA_NEVER || keys->tx_sealed >= urgent;
}

bool skua_keys_update(struct skua_keys *keys, struct skua_aead_cache *cache)
{
    if (!skua_keys_may_update(keys)) {
        return false;
    }
    advance_tx(keys, cache);
    return true;
}

bool skua_keys_update_due(const struct skua_keys *keys)
{
    return keys->tx_sealed >= keys->suite->update_at && skua_keys_may_update(keys);
}

void skua_keys_check(const struct skua_keys *keys)
{
    SKUA_ASSERT(keys->suite != NULL);
    SKUA_ASSERT(keys->tx_phase == keys->rx_phase || keys->tx_phase == keys->rx_phase + 1);
    SKUA_ASSERT(keys->tx.id != 0);
    SKUA_ASSERT(keys->tx_first_pn <= keys->tx_next_pn && keys->tx_next_pn <= SKUA_PN_LIMIT);
    SKUA_ASSERT(keys->tx_sealed <= keys->tx_next_pn - keys->tx_first_pn);
    SKUA_ASSERT(keys->rx[0].id != 0 && keys->rx[1].id != 0);
    bool previous = keys->rx_prev != NULL;
    SKUA_ASSERT(!previous || keys->rx_prev->id != 0);
    SKUA_ASSERT(previous == (keys->rx_prev_until != SKUA_NEVER));
    SKUA_ASSERT(keys->rx_phase != 0 || !previous);
    SKUA_ASSERT(keys->rx_first_pn == UINT64_MAX || keys->rx_first_pn <= keys->rx_max);
    SKUA_ASSERT(keys->rx_phase == 0 || keys->rx_prev_max < keys->rx_first_pn);
}
