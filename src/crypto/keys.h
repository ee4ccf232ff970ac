/* Transport keys of one connection: both directions, their phases and limits (RFC 9001 §6).
 *
 * Phases count up from 0; a packet shows the lowest bit of its phase. Sending is in tx_phase,
 * receiving in rx_phase; tx_phase is rx_phase, or one more between an own update and the peer's
 * answer. The receiver holds up to three keys: the present one, the next one (ready ahead, so that
 * a forged phase bit costs no more time than any other forgery) and, for 3 PTO after a change, the
 * previous one. Which of them opens a packet follows from its phase bit and number alone, before
 * opening: a packet is tried once.
 *
 *   bit of the present phase                      -> present key
 *   other bit, number below the phase's boundary  -> previous key, if still held
 *   other bit, otherwise                          -> next key; if it opens, the phase changes
 *
 * The boundary is the lowest number opened in the present phase. Every derivation is labelled:
 *   secret of phase 0 = Split()'s key of the direction
 *   key, IV           = label(secret, "key" | "iv", suite byte)
 *   next secret       = label(secret, "ku")
 *   hp key            = label(secret of phase 0, "hp"), never changed
 *
 * The struct is secret: skua_keys_wipe. */
#ifndef SKUA_CRYPTO_KEYS_H
#define SKUA_CRYPTO_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "crypto/mask.h"

/* Failed authentications after which a connection must end, in any suite. */
#define SKUA_KEYS_FAILED_MAX (UINT64_C(1) << 36)
/* Packets below a suite's stop_at that are kept for saying goodbye: skua_keys_exhausted. */
#define SKUA_KEYS_RESERVE UINT64_C(64)
/* Packet numbers stay below (RFC 9000 §12.3). */
#define SKUA_PN_LIMIT (UINT64_C(1) << 62)

struct skua_keys {
    struct skua_aead_key tx;       /* of tx_phase */
    struct skua_aead_key rx[2];    /* present and next; index: phase modulo 2 */
    struct skua_aead_key *rx_prev; /* previous, on the heap while it is held; else NULL */
    struct skua_secret tx_next;    /* secret of tx_phase + 1 */
    struct skua_secret rx_next;    /* secret of rx_phase + 2 */
    struct skua_hp_key tx_hp;      /* header key, sending */
    struct skua_hp_key rx_hp;      /* header key, receiving */
    uint64_t tx_phase;             /* phase in which packets are sealed: counts its changes */
    uint64_t tx_next_pn;           /* lowest number that may still be sealed: none is used twice */
    uint64_t tx_first_pn;          /* where the numbers of tx_phase begin */
    uint64_t tx_sealed;            /* packets sealed in tx_phase */
    uint64_t rx_phase;             /* phase in which packets are expected */
    uint64_t rx_first_pn;    /* boundary: lowest number opened in rx_phase; UINT64_MAX before */
    uint64_t rx_max;         /* largest number opened in rx_phase */
    uint64_t rx_prev_max;    /* largest number opened in phase rx_phase - 1, where rx_phase > 0 */
    uint64_t rx_failed;      /* failed authentications, all phases */
    skua_time rx_prev_until; /* when the previous key is dropped; SKUA_NEVER = none is held */
    const struct skua_suite_info *suite;
    bool confirmed;   /* the handshake is confirmed */
    bool tx_acked;    /* a packet of tx_phase was acknowledged */
    bool rx_ack_sent; /* an ACK of a packet of rx_phase was sealed */
};

/* Keys of phase 0. `initiator` says whose end this is; the secrets are Split()'s. `suite` is one
 * known suite. */
void skua_keys_init(struct skua_keys *keys, struct skua_aead_cache *cache, uint8_t suite,
                    bool initiator, const struct skua_secret *to_responder,
                    const struct skua_secret *to_initiator);
/* Wipes everything, what the cache holds included. A wiped struct may be wiped again. */
void skua_keys_wipe(struct skua_keys *keys, struct skua_aead_cache *cache);

/* --- sending */

/* The phase bit for the next packet. */
static inline unsigned skua_keys_tx_bit(const struct skua_keys *keys)
{
    return (unsigned)(keys->tx_phase & 1);
}
/* The key for packet `pn`, which is counted as sealed; `pn` is above every earlier one (asserted).
 * NULL at the suite's limit. */
const struct skua_aead_key *skua_keys_tx(struct skua_keys *keys, uint64_t pn);

/* --- receiving */

/* The key for a DATA packet with phase bit `bit`, and that phase. NULL where it is held no more. */
const struct skua_aead_key *skua_keys_rx(const struct skua_keys *keys, unsigned bit, uint64_t pn,
                                         uint64_t *phase);
/* The key for a CONFIRM, which belongs to phase 0. NULL where it is held no more. */
const struct skua_aead_key *skua_keys_rx_confirm(const struct skua_keys *keys);
/* Packet `pn` opened under the key of `phase` (as skua_keys_rx said). Changes the phase where it is
 * the next one; sending follows if the peer began. The previous key is then held until `retire_at`
 * (now + 3 PTO). SKUA_CODE_NO_ERROR, or SKUA_CODE_KEY_UPDATE where the peer breaks RFC 9001 §6: the
 * connection must end with that code. */
enum skua_code skua_keys_on_opened(struct skua_keys *keys, struct skua_aead_cache *cache,
                                   uint64_t pn, uint64_t phase, skua_time retire_at);
/* A packet did not authenticate. */
static inline void skua_keys_on_failed(struct skua_keys *keys)
{
    keys->rx_failed++;
}
/* Drops the previous key when its time has come. */
void skua_keys_on_timeout(struct skua_keys *keys, struct skua_aead_cache *cache, skua_time now);
/* When that is; SKUA_NEVER = nothing to drop. It is no deadline to wake up for alone: dropping at
 * the next occasion will do. */
static inline skua_time skua_keys_next_timeout(const struct skua_keys *keys)
{
    return keys->rx_prev_until;
}

/* --- facts from the connection */

/* The handshake is confirmed: the server opened a CONFIRM or first DATA, the client opened the
 * server's first packet under these keys. */
static inline void skua_keys_on_confirmed(struct skua_keys *keys)
{
    keys->confirmed = true;
}
/* An ACK up to `largest` was put into a packet that is about to be sealed. */
static inline void skua_keys_on_ack_sent(struct skua_keys *keys, uint64_t largest)
{
    if (largest >= keys->rx_first_pn) {
        keys->rx_ack_sent = true;
    }
}
/* An ACK up to `largest` came in a packet of `phase`. SKUA_CODE_KEY_UPDATE where it acknowledges a
 * packet of our new phase from within an old one (RFC 9001 §6.2). */
enum skua_code skua_keys_on_ack_received(struct skua_keys *keys, uint64_t largest, uint64_t phase);

/* --- updates and limits */

/* True where an own update may begin: the handshake is confirmed, no update is under way, a packet
 * of the present phase was acknowledged, and the previous receive key has gone (RFC 9001 §6.1,
 * §6.5). */
bool skua_keys_may_update(const struct skua_keys *keys);
/* Begins an own update; false where it may not. The packets sealed from now on announce it. */
bool skua_keys_update(struct skua_keys *keys, struct skua_aead_cache *cache);
/* True where volume asks for an own update and it may begin: call skua_keys_update. Cheap enough
 * for each batch. */
bool skua_keys_update_due(const struct skua_keys *keys);
/* True where the connection must end now with SKUA_CODE_AEAD_LIMIT: a few packets can still be
 * sealed, or too many failed to authenticate. */
static inline bool skua_keys_exhausted(const struct skua_keys *keys)
{
    return keys->tx_sealed >= keys->suite->stop_at - SKUA_KEYS_RESERVE ||
           keys->rx_failed >= SKUA_KEYS_FAILED_MAX;
}

/* Asserts the invariants above; for tests and fuzzers. */
void skua_keys_check(const struct skua_keys *keys);

#endif
