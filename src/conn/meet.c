/* Rendezvous: both sides connect, nobody listens (RFC 9293 §3.5, figure 7; docs/protocol.md,
 * "Rendezvous").
 *
 * Each side sends a SYN, and of the two handshakes that these could begin exactly one can complete:
 * the side with the smaller id in its SYN answers, the other does not. An id is the same in every
 * SYN of one attempt. `e` is not, since a fresh XX attempt follows an IK SYN that nobody reads: if
 * it decided, one side could have answered before it drew a new `e` and the other after, and each
 * would hold a connection of its own.
 *
 * Whoever answers goes on to repeat its own SYN: what it answered may be a forgery, and its SYNs
 * keep the way through its NAT open. The first handshake to complete is the connection. */
#include "conn/internal.h"

#include <string.h>

#include <sodium.h>

#include "base/time.h"

/* A SYN of ours that the peer's called for leaves at most once in this time. The peer's own
 * repeats are further apart; only a forger's are not. */
#define PROMPT_INTERVAL_NS (100 * SKUA_MSEC)

/* -1, 0 or 1 as `a` is smaller than, equal to or greater than `b`, byte by byte. */
static int compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    if (order == 0) {
        order = (a_len > b_len) - (a_len < b_len);
    }
    return (order > 0) - (order < 0);
}

enum skua_verdict skua_connection_cross(struct skua_connection *c, const struct skua_head *head,
                                        skua_time now)
{
    SKUA_ASSERT(c->state == SKUA_STATE_SYN_SENT);
    struct skua_dial *dial = c->dial;
    const struct skua_id own = skua_ids_own(&c->ids);
    int order = compare(own.bytes, own.len, head->scid, head->scid_len);
    if (order < 0) {
        return SKUA_VERDICT_OK;
    }
    if (order == 0) {
        return SKUA_VERDICT_SYN_REFLECTED;
    }
    /* Our first SYN may have met a closed NAT; the peer's shows that it is open now. */
    if (dial->sent > 0 &&
        (dial->prompted_at == 0 || skua_time_sub(now, dial->prompted_at) >= PROMPT_INTERVAL_NS)) {
        dial->prompted_at = now;
        dial->prompted = true;
        skua_conn_mark(c, SKUA_MARK_SEND);
    }
    return SKUA_VERDICT_SYN_CROSSED;
}

/* Whether `key` may be the peer's. One that may not is kept, so that the attempt fails with it when
 * its next repeat is due, unless a peer with the right one comes first (as after a SYN_ACK). */
static bool is_trusted(struct skua_connection *c, const struct skua_key *key)
{
    if (!c->settings->has_server_key ||
        sodium_memcmp(key->bytes, c->settings->server_key.bytes, sizeof key->bytes) == 0) {
        return true;
    }
    c->dial->initiator.seen_key = *key;
    c->dial->initiator.seen = true;
    return false;
}

/* The client of the SYN that nobody answered becomes a server. */
static void change_sides(struct skua_connection *c, const struct skua_accept_args *args,
                         skua_time now)
{
    c->is_server = true;
    skua_streams_become_server(&c->streams);
    skua_ids_init(&c->ids, &args->own_id);
    c->ids.peer = args->peer_id;
    skua_timers_on_start(c, now);
    skua_conn_install(c, args->result);
    if (args->syn_ack_sent != SKUA_NEVER) {
        skua_conn_first_rtt(c, skua_time_sub(now, args->syn_ack_sent));
    }
    skua_conn_transition(c, SKUA_ON_CONFIRMED, now);
    if (c->close.shutdown) {
        skua_conn_transition(c, SKUA_ON_SHUTDOWN, now);
    }
    skua_acks_set_immediate(&c->rx.acks);
}

enum skua_verdict skua_connection_meet(struct skua_connection *c,
                                       const struct skua_accept_args *args,
                                       const struct skua_arrival *a, skua_time now)
{
    SKUA_ASSERT(c->state == SKUA_STATE_SYN_SENT);
    struct skua_opening p;
    skua_conn_derive(c, args->result, true);
    enum skua_verdict verdict = skua_rx_open(c, a, &p, now);
    bool opened = verdict == SKUA_VERDICT_OK || verdict == SKUA_VERDICT_PROTOCOL;
    if (opened && !is_trusted(c, &args->result->peer_key)) {
        verdict = SKUA_VERDICT_SYN_ACK_UNTRUSTED;
        opened = false;
    }
    if (!opened) {
        skua_keys_wipe(&c->keys, c->env->cache);
        return verdict;
    }
    change_sides(c, args, now);
    skua_conn_mark(c, SKUA_MARK_BATCH);
    if (args->result->code != SKUA_CODE_NO_ERROR) {
        skua_close_fail(c, args->result->code, 0, "", now);
        return SKUA_VERDICT_PROTOCOL;
    }
    c->events |= 1u << SKUA_EVENT_ESTABLISHED;
    skua_conn_mark(c, SKUA_MARK_EVENT);
    return skua_rx_take(c, a, &p, verdict, now);
}
