/* What an endpoint lends to all its connections: memory, randomness, keys, caches, and the list on
 * which connections leave their marks. It outlives them. */
#ifndef SKUA_CONN_ENV_H
#define SKUA_CONN_ENV_H

#include <skua/skua.h>

#include "base/alloc.h"
#include "base/blocks.h"
#include "base/list.h"
#include "base/map.h"
#include "conn/outbox.h"
#include "crypto/aead.h"
#include "crypto/early.h"
#include "crypto/kdf.h"
#include "crypto/keypair.h"

struct skua_env {
    struct skua_heap heap;              /* where every object comes from */
    struct skua_rng rng;                /* the caller's randomness */
    struct skua_trace trace;            /* the caller's sink; `event` is NULL when off */
    struct skua_aead_cache *cache;      /* expanded cipher states of busy connections */
    struct skua_blocks blocks;          /* stream buffers */
    struct skua_keypair identity;       /* own static key */
    struct skua_secret reset_key;       /* makes the reset tokens of own ids */
    uint8_t hash_key[16];               /* keys every hash table */
    uint16_t max_udp_payload;           /* largest datagram to send or receive */
    uint8_t suites;                     /* ciphers allowed, bits of enum skua_suite */
    skua_time now;                      /* of the last I/O verb: dates what API calls do */
    const struct skua_early_key *early; /* seals tokens for early data; NULL = none are given */
    struct skua_nummap tokens;          /* struct skua_token that were received, by handle */
    struct skua_node loans;             /* connections whose streams hold borrowed bytes */
    struct skua_outlists out;           /* what connections leave to be done */
};

#endif
