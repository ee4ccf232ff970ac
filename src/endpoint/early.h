/* Early data at the server: whose are taken, and that no token serves twice (RFC 8446 §8.1, §8.2).
 *
 * The strike register holds every token that was used, whether its early data were taken or not,
 * for as long as it could be good and for as long as a client may repeat its SYN. Where that is not
 * possible (the register is full, or there is no memory), all tokens given so far are void: what is
 * not remembered must not be taken. Tokens of an earlier listener, of another worker or of this one
 * before a restart cannot even be opened (crypto/early.h). Time, here and in tokens, never falls
 * back (base/steady.h): should the caller's clock do so, what was forgotten or found too old must
 * not be good again.
 *
 * Another SYN with a used token is answered without early data. A copy of the SYN whose early data
 * were taken never is, since its sender would send the data again: it gets the answer of the first
 * one, where that still waits for its client (endpoint/early_open.c), or none.
 *
 * A connection made by early data is an ordinary one, in SYN_RCVD, and its half-open entry stays
 * beside it, under the same id, to repeat the SYN_ACK, until a packet of the client opens. */
#ifndef SKUA_ENDPOINT_EARLY_H
#define SKUA_ENDPOINT_EARLY_H

#include <skua/skua.h>

#include "base/list.h"
#include "base/map.h"
#include "crypto/early.h"
#include "crypto/tag.h"
#include "handshake/early.h"
#include "wire/id.h"

struct skua_heap;

struct skua_early {
    struct skua_early_key key; /* seals tokens; secret, of this listener only */
    struct skua_heap *heap;    /* for strikes */
    struct skua_idmap strikes; /* a token's name -> what became of it */
    struct skua_node by_age;   /* the same, the oldest first */
    skua_time window_ns;       /* how long a token is good */
    skua_time floor;           /* tokens given before are void */
    uint32_t backlog;          /* most connections whose client has not answered */
};

/* For a listener with `config` and room for `syn_backlog` half-open entries: those of early data
 * are not given up for others, so no more than half are. NULL: no memory. */
struct skua_early *skua_early_new(struct skua_heap *heap, const struct skua_listen_config *config,
                                  uint32_t syn_backlog, const struct skua_rng *rng,
                                  const uint8_t hash_key[16]);
void skua_early_free(struct skua_early *early); /* NULL is allowed */

/* A SYN of `client` with `digest` brings `token`, and its early data can be taken, or not
 * (`wanted`). Notes the token as used, with what is answered. */
enum skua_early_fate skua_early_strike(struct skua_early *early, const struct skua_key *client,
                                       const struct skua_early_data *data,
                                       const uint8_t digest[SKUA_TAG_LEN], bool wanted,
                                       skua_time now);
/* What was just taken cannot be kept, or is not welcome: it and its repeats are rejected. */
void skua_early_undo(struct skua_early *early, const struct skua_early_data *data);
/* ... or it has one, with the own id `own`. */
void skua_early_answered(struct skua_early *early, const struct skua_early_data *data,
                         const struct skua_id *own);
/* Of a copy (REPLAYED): the own id in that answer. */
struct skua_id skua_early_answer(const struct skua_early *early,
                                 const struct skua_early_data *data);
/* Forgets what need not be remembered. */
void skua_early_expire(struct skua_early *early, skua_time now);

#endif
