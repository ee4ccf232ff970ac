/* Stateless RESET (docs/protocol.md, "Stateless RESET"; RFC 9000 §10.3): an endpoint that has lost
 * its state, as by a restart, tells a peer that goes on sending that the connection is gone.
 *
 * Sending. A packet for an id of our own layout that nobody knows is answered by random bytes that
 * end with the id's token, which only the holder of the reset key can compute. A RESET is shorter
 * than what asked for it, so two endpoints that know nothing of each other fall silent after a few
 * packets; and it is rationed, since whoever collects tokens can reset a later connection that gets
 * one of these ids.
 *
 * Receiving. A RESET carries no id of ours: its sender never knew any but its own. So the
 * connection is found by the token's first bytes, and the whole token is then compared in constant
 * time, with the address. That happens only for what belongs to nobody, or did not open (rx.c). */
#include "endpoint/endpoint.h"

#include <string.h>

#include "base/limits.h"
#include "base/rng.h"
#include "base/time.h"
#include "crypto/reset.h"

/* A RESET looks like a short DATA packet: first byte and an id, packet number and sealed bytes. */
enum { RESET_LEN_MIN = 30, RESET_LEN_MAX = 42, FIRST_RANDOM = 0x1f, FIRST_FIXED = 0x40 };

SKUA_STATIC_ASSERT((int)RESET_LEN_MAX <= (int)SKUA_ANSWER_LEN_MAX, "a RESET fits an answer");

/* A token bucket. Other than base/rate.h's it starts full, since that is when it is needed, and so
 * it counts the debt and not what was saved up. */
static bool allowed(struct skua_endpoint *ep, skua_time now)
{
    const skua_time each = SKUA_SEC / SKUA_LIMIT_RESETS_PER_SECOND;
    skua_time paid_at = skua_time_max(ep->resets_until, now);
    if (paid_at - now > (SKUA_LIMIT_RESETS_AT_ONCE - 1) * each) {
        return false;
    }
    ep->resets_until = skua_time_add(paid_at, each);
    return true;
}

static bool answer(struct skua_endpoint *ep, const struct skua_arrival *a, skua_time now)
{
    bool asks = a->head->type == SKUA_PACKET_DATA || a->head->type == SKUA_PACKET_CONFIRM;
    if (!asks || !ep->served || a->len <= RESET_LEN_MIN || a->head->dcid_len != SKUA_OWN_ID_LEN ||
        !skua_demux_is_own(a->head->dcid) || !allowed(ep, now)) {
        return false;
    }
    size_t len = a->len - 1 < RESET_LEN_MAX ? a->len - 1 : RESET_LEN_MAX;
    struct skua_answer *reset = skua_answers_add(&ep->answers, a->path);
    skua_rng_fill(&ep->env.rng, reset->bytes, len - SKUA_RESET_TOKEN_LEN);
    reset->bytes[0] = (uint8_t)(FIRST_FIXED | (reset->bytes[0] & FIRST_RANDOM));
    skua_reset_token(reset->bytes + len - SKUA_RESET_TOKEN_LEN, &ep->env.reset_key, a->head->dcid,
                     a->head->dcid_len);
    reset->len = (uint8_t)len;
    return true;
}

/* The number by which a token is found. It is not secret to its owner, and the table's order is
 * keyed. */
static uint64_t number_of(const uint8_t token[SKUA_RESET_TOKEN_LEN])
{
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof number; i++) {
        number = number << 8 | token[i];
    }
    return number;
}

enum skua_verdict skua_reset_recv(struct skua_endpoint *ep, const struct skua_arrival *a,
                                  skua_time now)
{
    if (a->head->type == SKUA_PACKET_DATA) {
        SKUA_ASSERT(a->len >= SKUA_RESET_TOKEN_LEN); /* skua_header_peek */
        const uint8_t *token = a->data + a->len - SKUA_RESET_TOKEN_LEN;
        struct skua_connection *c = skua_nummap_get(&ep->by_token, number_of(token));
        if (c != NULL && skua_connection_reset(c, a->path, token, now)) {
            return SKUA_VERDICT_RESET;
        }
    }
    return answer(ep, a, now) ? SKUA_VERDICT_FORGOTTEN : SKUA_VERDICT_UNKNOWN_ID;
}

void skua_reset_watch(struct skua_endpoint *ep, struct skua_connection *c)
{
    skua_reset_unwatch(ep, c);
    uint64_t number = number_of(c->ids.token);
    /* Two servers cannot have the same token but by intent: the second has no RESET then. */
    if (number != 0 && skua_nummap_get(&ep->by_token, number) == NULL &&
        skua_nummap_put(&ep->by_token, number, c) == SKUA_OK) {
        c->watched = number;
    }
}

void skua_reset_unwatch(struct skua_endpoint *ep, struct skua_connection *c)
{
    if (c->watched != 0) {
        (void)skua_nummap_remove(&ep->by_token, c->watched);
        c->watched = 0;
    }
}
