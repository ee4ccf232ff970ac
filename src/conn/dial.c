/* The client's handshake: SYN_SENT until a trusted SYN_ACK, and the third step until the server has
 * answered under the transport keys.
 *
 * The SYN is repeated byte for byte at 1, 3, 7, 15, 31 s after the first (docs/protocol.md,
 * "Repeats"); after a RETRY it leaves again at once, with the token put in. A server whose key is
 * known is called by IK; when two repeats bring nothing, its key may have changed, and a fresh XX
 * attempt finds out which key it has now, so that the user hears "key changed" and not "timed out".
 *
 * A client that gives up before it is answered takes its SYN back by a REFUSE, so that the server
 * does not keep an entry for it. */
#include "conn/internal.h"

#include <string.h>

#include "base/rng.h"
#include "base/time.h"

/* Unanswered repeats of an IK SYN before the XX attempt. */
enum { IK_REPEATS = 2 };

static struct skua_params own_params(const struct skua_connection *c)
{
    struct skua_params params;
    skua_params_init(&params);
    skua_conn_params(&params.transport, c->settings, c->env->max_udp_payload);
    params.early_data = c->settings->tokens;
    params.label_len = (uint8_t)strlen(c->settings->label);
    memcpy(params.label, c->settings->label, sizeof params.label);
    return params;
}

/* A fresh handshake state: XX, or IK where `ik`. */
static bool prepare(struct skua_connection *c, bool ik)
{
    const struct skua_params params = own_params(c);
    struct skua_initiator_config config = {
        .local = &c->env->identity,
        .server_key = c->settings->has_server_key ? &c->settings->server_key : NULL,
        .psk = c->settings->has_psk ? c->settings->psk : NULL,
        .params = &params,
        .rng = &c->env->rng,
        .scid = skua_ids_own(&c->ids),
        .suites = c->env->suites,
        .ik = ik,
        .rendezvous = c->settings->rendezvous,
    };
    struct skua_early_data early;
    uint8_t frames[SKUA_EARLY_ROOM];
    if (ik && skua_early_fill(c, frames, &early)) {
        config.early = &early;
    }
    config.dcid.len = config.scid.len;
    skua_rng_fill(&c->env->rng, config.dcid.bytes, config.dcid.len);
    bool ok = skua_initiator_init(&c->dial->initiator, &config);
    skua_wipe(frames, sizeof frames);
    return ok;
}

enum skua_err skua_dial_start(struct skua_connection *c)
{
    c->dial = skua_heap_get(&c->env->heap, sizeof *c->dial);
    if (c->dial == NULL) {
        return SKUA_ENOMEM;
    }
    c->dial->first_sent = SKUA_NEVER;
    c->dial->repeat_at = SKUA_NEVER;
    c->dial->due = true;
    if (!prepare(c, c->settings->ik)) {
        skua_dial_free(c);
        return SKUA_EINVAL;
    }
    return SKUA_OK;
}

void skua_dial_free(struct skua_connection *c)
{
    if (c->dial != NULL) {
        skua_initiator_wipe(&c->dial->initiator);
        skua_early_drop(c);
        skua_heap_put(&c->env->heap, c->dial, sizeof *c->dial);
        c->dial = NULL;
    }
}

/* When the attempt is over, whatever RETRYs have come meanwhile: anybody on the path can make them,
 * and a server forgets that it has taken early data (endpoint/early.c). SKUA_NEVER before the first
 * SYN. */
static skua_time end_of(const struct skua_connection *c)
{
    return skua_time_add(c->dial->first_sent, skua_time_backoff(skua_early_retries(c)));
}

void skua_dial_send(struct skua_connection *c, struct skua_tx *tx, skua_time now)
{
    struct skua_dial *dial = c->dial;
    if ((!dial->due && !dial->prompted) || end_of(c) <= now) {
        return;
    }
    SKUA_ASSERT(dial->sent < 32);
    if (dial->sent == 0 && dial->early != NULL) {
        bool ok = prepare(c, true); /* with what has been written since */
        SKUA_ASSERT(ok);
    }
    struct skua_writer w = skua_writer_of(tx->data, tx->cap);
    skua_initiator_write_syn(&dial->initiator, &w);
    tx->len =
        w.failed ? 0 : skua_writer_len(&w); /* a caller without room for tokens waits in vain */
    tx->segment_size = tx->len;
    if (dial->due) {
        dial->first_sent = dial->sent == 0 ? now : dial->first_sent;
        dial->sent += !dial->retried; /* what a RETRY asked for is no repeat */
        dial->repeat_at =
            skua_time_min(skua_time_add(now, SKUA_SEC << (dial->sent - 1)), end_of(c));
    }
    dial->doubtful = dial->doubtful || !dial->due;
    dial->due = dial->retried = dial->prompted = false;
    c->count.packets_sent++;
    c->count.bytes_sent += tx->len;
    skua_conn_trace(c, SKUA_TRACE_PACKET_SENT, SKUA_TRACE_ARGS(SKUA_PACKET_SYN, 0, tx->len), now);
}

bool skua_dial_was_heard(const struct skua_connection *c)
{
    return c->dial != NULL && c->dial->sent > 0;
}

void skua_dial_write_cancel(struct skua_connection *c, struct skua_tx *tx, skua_time now)
{
    struct skua_writer w = skua_writer_of(tx->data, tx->cap);
    skua_initiator_write_cancel(&c->dial->initiator, &w);
    SKUA_ASSERT(!w.failed);
    tx->len = skua_writer_len(&w);
    tx->segment_size = tx->len;
    c->count.packets_sent++;
    c->count.bytes_sent += tx->len;
    skua_conn_trace(c, SKUA_TRACE_PACKET_SENT, SKUA_TRACE_ARGS(SKUA_PACKET_REFUSE, 0, tx->len),
                    now);
}

skua_time skua_dial_deadline(const struct skua_connection *c)
{
    return c->dial->repeat_at;
}

static void give_up(struct skua_connection *c, enum skua_err error, skua_time now)
{
    c->peer_key = c->dial->initiator.seen_key;
    skua_close_now(c, error, SKUA_CODE_NO_ERROR, now);
}

void skua_dial_on_timeout(struct skua_connection *c, skua_time now)
{
    struct skua_dial *dial = c->dial;
    if (dial->repeat_at > now) {
        return;
    }
    const bool last = end_of(c) <= now;
    if (dial->initiator.seen) {
        give_up(c, SKUA_EPEERKEY, now);
    } else if (c->life.hint_at != SKUA_NEVER && (!c->settings->rendezvous || last)) {
        /* Said by ICMP, and by silence since: a closed UDP port, or no way to the host. In a
         * rendezvous the peer may not have begun yet. */
        bool closed = c->life.hint == SKUA_HINT_PORT_UNREACHABLE;
        give_up(c, closed ? SKUA_ECONNREFUSED : SKUA_EUNREACHABLE, now);
    } else if (last) {
        give_up(c, SKUA_ETIMEDOUT, now);
    } else {
        if (c->settings->ik && !dial->fell_back && dial->sent > IK_REPEATS &&
            !skua_early_is_under_way(c)) {
            skua_early_drop(c); /* a token for the key that does not answer */
            dial->fell_back = true;
            dial->sent = 0; /* a new attempt, with the patience of one */
            dial->first_sent = SKUA_NEVER;
            dial->doubtful = false;
            skua_initiator_wipe(&dial->initiator);
            bool ok = prepare(c, false);
            SKUA_ASSERT(ok); /* XX asks less of its config than IK, which was fine */
        }
        skua_initiator_repeat(&dial->initiator);
        dial->retried = false; /* a repeat is due now, whatever a RETRY had asked for */
        dial->due = true;
        skua_conn_mark(c, SKUA_MARK_SEND);
    }
}

/* A trusted SYN_ACK: ESTABLISHED, and the third packet is due. */
static void on_accepted(struct skua_connection *c, const struct skua_handshake_result *result,
                        skua_time now)
{
    c->ids.peer = c->dial->initiator.server_id;
    skua_timers_on_start(c, now);
    skua_conn_derive(c, result, false);
    skua_conn_install(c, result);
    /* RFC 6298 §3: no sample from what was repeated; a RETRY gave one before. */
    if (c->dial->sent == 1 && !c->dial->doubtful && !c->dial->initiator.retried) {
        skua_conn_first_rtt(c, skua_time_sub(now, c->dial->first_sent));
    }
    skua_conn_transition(c, SKUA_ON_SYN_ACK, now);
    if (c->close.shutdown) {
        skua_conn_transition(c, SKUA_ON_SHUTDOWN, now);
    }
    c->tx.ping = true; /* the third step is always ack-eliciting */
    enum skua_code code = skua_early_on_syn_ack(c, result->early);
    code = result->code != SKUA_CODE_NO_ERROR ? result->code : code;
    if (code != SKUA_CODE_NO_ERROR) {
        skua_close_fail(c, code, 0, "", now);
        return;
    }
    c->events |= 1u << SKUA_EVENT_ESTABLISHED;
    skua_conn_mark(c, SKUA_MARK_SEND | SKUA_MARK_EVENT | SKUA_MARK_DEADLINE);
}

static enum skua_verdict recv_syn_ack(struct skua_connection *c, const struct skua_arrival *a,
                                      skua_time now)
{
    struct skua_syn_ack syn_ack;
    enum skua_verdict verdict = skua_syn_ack_read(a->data, a->len, a->head, &syn_ack);
    if (verdict != SKUA_VERDICT_OK) {
        return verdict;
    }
    if (c->dial == NULL || c->dial->initiator.done) {
        c->tx.ping = c->tx.ping || !c->confirmed; /* the server repeats: our third step was lost */
        return SKUA_VERDICT_SYN_ACK_LATE;
    }
    if (skua_early_is_under_way(c) && end_of(c) <= now) {
        return SKUA_VERDICT_SYN_ACK_LATE; /* "rejected" may only mean "forgotten" by now */
    }
    struct skua_handshake_result result;
    verdict = skua_initiator_on_syn_ack(&c->dial->initiator, a->head, &syn_ack, &result);
    if (verdict == SKUA_VERDICT_OK || verdict == SKUA_VERDICT_PROTOCOL) {
        c->count.packets_received++;
        c->count.bytes_received += a->len;
        on_accepted(c, &result, now);
    }
    skua_handshake_result_wipe(&result);
    return verdict;
}

/* The server wants to see that its answers arrive: the same SYN at once, with the token. */
static enum skua_verdict recv_retry(struct skua_connection *c, const struct skua_arrival *a,
                                    skua_time now)
{
    struct skua_dial *dial = c->dial;
    struct skua_retry retry;
    enum skua_verdict verdict = skua_retry_read(a->data, a->len, a->head, &retry);
    if (verdict != SKUA_VERDICT_OK) {
        return verdict;
    }
    bool first = dial->sent == 1 && !dial->initiator.retried && !dial->doubtful;
    verdict = skua_initiator_on_retry(&dial->initiator, a->data, a->head, &retry);
    if (verdict == SKUA_VERDICT_OK) {
        if (first) {
            skua_conn_first_rtt(c, skua_time_sub(now, dial->first_sent));
        }
        dial->retried = !dial->due; /* else a repeat was due anyway */
        dial->due = true;
        skua_conn_mark(c, SKUA_MARK_SEND);
    }
    return verdict;
}

static enum skua_verdict recv_refuse(struct skua_connection *c, const struct skua_arrival *a,
                                     skua_time now)
{
    struct skua_refuse refuse;
    uint16_t code = 0;
    enum skua_verdict verdict = skua_refuse_read(a->data, a->len, a->head, &refuse);
    if (verdict != SKUA_VERDICT_OK) {
        return verdict;
    }
    verdict = skua_initiator_on_refuse(&c->dial->initiator, a->data, a->head, &refuse, &code);
    if (verdict == SKUA_VERDICT_OK) {
        c->close.remote = true;
        skua_close_now(c, SKUA_ECONNREFUSED, code, now);
    }
    return verdict;
}

static enum skua_verdict recv_versions(struct skua_connection *c, const struct skua_arrival *a,
                                       skua_time now)
{
    struct skua_versions versions;
    enum skua_verdict verdict = skua_versions_read(a->data, a->len, a->head, &versions);
    if (verdict != SKUA_VERDICT_OK) {
        return verdict;
    }
    verdict = skua_initiator_on_versions(&c->dial->initiator, a->head, &versions);
    if (verdict == SKUA_VERDICT_OK) {
        c->close.remote = true;
        skua_close_now(c, SKUA_EVERSION, SKUA_CODE_NO_ERROR, now);
    }
    return verdict;
}

enum skua_verdict skua_dial_recv(struct skua_connection *c, const struct skua_arrival *a,
                                 skua_time now)
{
    if (c->is_server || !skua_addr_equal(&a->path->remote, &c->path.remote)) {
        return SKUA_VERDICT_MALFORMED;
    }
    if (a->head->type == SKUA_PACKET_SYN_ACK) {
        return recv_syn_ack(c, a, now);
    }
    if (c->state != SKUA_STATE_SYN_SENT) {
        return SKUA_VERDICT_BAD_RETRY;
    }
    if (a->head->type == SKUA_PACKET_RETRY) {
        return recv_retry(c, a, now);
    }
    return a->head->type == SKUA_PACKET_REFUSE ? recv_refuse(c, a, now) : recv_versions(c, a, now);
}
