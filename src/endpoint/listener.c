/* From a stranger's packet to a connection (RFC 9293's LISTEN and SYN_RCVD).
 *
 * SYN: cheap checks first (length, address proven where that is wanted, repeat, room), then one
 * Noise message, then a half-open entry. Third packet: room in the accept queue before any
 * multiplication, then message 3, then the sealed frames; only when those have opened is there a
 * connection and is the entry spent. Where one has failed, however far it came, each further one
 * for the entry takes a handshake from its network's allowance: it costs a multiplication too. */
#include "endpoint/endpoint.h"

#include <string.h>

#include "base/time.h"
#include "handshake/refuse.h"

/* For so long a late copy of a SYN that was taken back opens nothing: 3 PTO where no RTT is known.
 */
#define SPENT_NS (3 * SKUA_SEC)

/* ... and at most for so long, however long a client makes its round trips look: a record's time
 * holds up all that were made after it. */
#define SPENT_MAX_NS (60 * SKUA_SEC)

static enum skua_verdict refuse(struct skua_endpoint *ep, const struct skua_arrival *a,
                                const struct skua_syn *syn, skua_time now)
{
    if (!skua_admission_may_answer(&ep->admission, SKUA_ANSWER_REFUSAL, now)) {
        return SKUA_VERDICT_ANSWER_RATE;
    }
    struct skua_answer *answer = skua_answers_add(&ep->answers, a->path);
    struct skua_writer w = skua_writer_of(answer->bytes, sizeof answer->bytes);
    skua_refuse_write(&w, a->head, syn, SKUA_CODE_REFUSED);
    answer->len = w.failed ? 0 : (uint8_t)skua_writer_len(&w);
    return SKUA_VERDICT_SYN_NOT_LISTENING;
}

/* Address tokens go by the caller's clock as it is: a server's workers share it, and take each
 * other's tokens. */
static struct skua_token_claim token_claim(const struct skua_arrival *a)
{
    return (struct skua_token_claim){
        .remote = &a->path->remote,
        .local = &a->path->local,
        .header = a->data,
        .header_len = a->head->body,
    };
}

/* Whether the SYN's sender has proved its address by a token. */
static bool is_proven(struct skua_endpoint *ep, const struct skua_arrival *a,
                      const struct skua_syn *syn)
{
    const struct skua_token_claim claim = token_claim(a);
    return skua_token_check(&ep->admission.tokens, syn->token, syn->token_len, &claim,
                            ep->clock.raw);
}

/* Asks for a proof, and forgets the SYN. */
static enum skua_verdict retry(struct skua_endpoint *ep, const struct skua_arrival *a,
                               const struct skua_syn *syn, skua_time now)
{
    if (!skua_admission_may_answer(&ep->admission, SKUA_ANSWER_RETRY, now)) {
        return SKUA_VERDICT_ANSWER_RATE;
    }
    const struct skua_token_claim claim = token_claim(a);
    uint8_t token[SKUA_TOKEN_LEN];
    skua_token_write(&ep->admission.tokens, token, &claim, ep->clock.raw);
    struct skua_answer *answer = skua_answers_add(&ep->answers, a->path);
    struct skua_writer w = skua_writer_of(answer->bytes, sizeof answer->bytes);
    skua_retry_write(&w, a->head, syn, token, sizeof token);
    answer->len = w.failed ? 0 : (uint8_t)skua_writer_len(&w);
    return syn->token_len != 0 ? SKUA_VERDICT_SYN_BAD_TOKEN : SKUA_VERDICT_SYN_RETRY;
}

static struct skua_responder_config responder_config(const struct skua_endpoint *ep,
                                                     const struct skua_settings *s,
                                                     struct skua_transport_params *params)
{
    struct skua_params defaults;
    skua_params_init(&defaults);
    *params = defaults.transport;
    skua_conn_params(params, s, ep->env.max_udp_payload);
    return (struct skua_responder_config){
        .local = &ep->env.identity,
        .psk = s->has_psk ? s->psk : NULL,
        .label = s->label,
        .params = params,
        .rng = &ep->env.rng,
        .reset_key = &ep->env.reset_key,
        .suites = ep->env.suites,
    };
}

/* A SYN on its way to a half-open entry. */
struct attempt {
    const struct skua_arrival *arrival;
    struct skua_syn syn;
    const struct skua_settings *settings; /* of the listener, or of a rendezvous */
    uint8_t digest[SKUA_TAG_LEN];         /* of the SYN */
    struct skua_half_open *entry;         /* what is known of it so far */
};

static bool is_repeat(struct skua_endpoint *ep, struct attempt *t, skua_time now)
{
    const struct skua_arrival *a = t->arrival;
    skua_syn_digest(t->digest, a->head, &t->syn);
    skua_syn_fingerprint(t->entry->fingerprint, ep->syns.key, a->path, t->digest);
    return skua_syn_queue_repeat(&ep->syns, t->entry->fingerprint, now);
}

/* May it be answered? All that costs no multiplication. */
static enum skua_verdict admit(struct skua_endpoint *ep, struct attempt *t, skua_time now)
{
    const struct skua_arrival *a = t->arrival;
    if (t->entry->rendezvous) {
        enum skua_verdict verdict = skua_rendezvous_syn(ep, a, &t->settings, now);
        if (verdict != SKUA_VERDICT_OK) {
            return verdict;
        }
    } else if (!ep->listening) { /* but there may be connections that early data have made */
        const bool known = skua_syn_queue_count(&ep->syns) > 0 && is_repeat(ep, t, now);
        return known ? SKUA_VERDICT_SYN_REPEAT : refuse(ep, a, &t->syn, now);
    }
    const bool pressed =
        skua_admission_pressed(&ep->admission, skua_syn_queue_count(&ep->syns), now);
    if (skua_admission_wants_proof(&ep->admission, pressed) && !is_proven(ep, a, &t->syn)) {
        return retry(ep, a, &t->syn, now);
    }
    if (is_repeat(ep, t, now)) {
        return SKUA_VERDICT_SYN_REPEAT;
    }
    if (!skua_syn_queue_has_room(&ep->syns)) {
        return SKUA_VERDICT_SYN_QUEUE_FULL;
    }
    return skua_admission_take(&ep->admission, &a->path->remote, pressed, now)
               ? SKUA_VERDICT_OK
               : SKUA_VERDICT_SYN_PREFIX;
}

/* A copy of a SYN whose early data were taken, from elsewhere. Its sender must not hear "rejected":
 * he would send the data again. Where he may be the client, he gets the first answer. */
static enum skua_verdict answer_copy(struct skua_endpoint *ep, const struct attempt *t,
                                     const struct skua_early_syn *early, skua_time now)
{
    struct skua_half_open *entry = skua_early_syn_original(early);
    if (entry == NULL) {
        return SKUA_VERDICT_SYN_REPLAYED;
    }
    if (!is_proven(ep, t->arrival, &t->syn)) {
        return retry(ep, t->arrival, &t->syn, now);
    }
    return skua_early_syn_move(early, entry, t->entry->fingerprint);
}

/* Answers it: a half-open entry, and for early data a connection. */
static enum skua_verdict answer(struct skua_endpoint *ep, struct attempt *t, skua_time now)
{
    struct skua_transport_params params;
    struct skua_responder_config config = responder_config(ep, t->settings, &params);
    struct skua_early_syn early;
    config.early = skua_early_syn_begin(&early, ep, t->arrival, t->digest, now);
    early.params = &params;
    if (ep->early == NULL || t->entry->rendezvous) {
        config.early = NULL;
    }
    const struct skua_id id = skua_demux_new_id(ep, true);
    uint8_t syn_ack[SKUA_SYN_ACK_CAP];
    struct skua_writer w = skua_writer_of(syn_ack, sizeof syn_ack);
    struct skua_responder *responder = &t->entry->responder;
    enum skua_verdict verdict =
        skua_responder_on_syn(responder, &config, t->arrival->head, &t->syn, &id, &w);
    if (verdict == SKUA_VERDICT_SYN_REPLAYED) {
        return answer_copy(ep, t, &early, now);
    }
    if (verdict != SKUA_VERDICT_OK) {
        return verdict;
    }
    t->entry->syn_ack_len = (uint8_t)skua_writer_len(&w);
    t->entry->early = early.taken;
    verdict = SKUA_VERDICT_NO_MEMORY;
    if (skua_syn_queue_add(&ep->syns, t->entry, syn_ack, &id) == SKUA_OK) {
        verdict = skua_early_syn_end(&early, &config, responder, &id);
    }
    if (verdict == SKUA_VERDICT_NO_MEMORY) {
        skua_syn_queue_drop(&ep->syns, &id);
        skua_early_syn_undo(&early);
    }
    skua_early_syn_wipe(&early);
    return verdict;
}

enum skua_verdict skua_listener_syn(struct skua_endpoint *ep, const struct skua_arrival *a,
                                    skua_time now)
{
    struct skua_half_open entry = {.path = *a->path};
    struct attempt t = {.arrival = a, .settings = ep->accept_settings, .entry = &entry};
    enum skua_verdict verdict = skua_syn_read(a->data, a->len, a->head, &t.syn);
    if (verdict != SKUA_VERDICT_OK) {
        return verdict;
    }
    entry.rendezvous = (t.syn.flags & SKUA_FLAG_RENDEZVOUS) != 0;
    verdict = admit(ep, &t, now);
    if (verdict == SKUA_VERDICT_OK) {
        verdict = answer(ep, &t, now);
    }
    skua_wipe(&entry, sizeof entry);
    return verdict;
}

enum skua_verdict skua_listener_cancel(struct skua_endpoint *ep, const struct skua_arrival *a,
                                       skua_time now)
{
    struct skua_refuse cancel;
    enum skua_verdict verdict = skua_refuse_read(a->data, a->len, a->head, &cancel);
    if (verdict != SKUA_VERDICT_OK) {
        return verdict;
    }
    uint8_t fingerprint[SKUA_TAG_LEN];
    skua_syn_fingerprint(fingerprint, ep->syns.key, a->path, cancel.tag);
    struct skua_id id;
    if (!skua_syn_queue_cancel(&ep->syns, fingerprint, skua_time_add(now, SPENT_NS), &id)) {
        return SKUA_VERDICT_BAD_RETRY;
    }
    struct skua_connection *c = skua_demux_owner(ep, &id);
    if (c != NULL) { /* early data had made one */
        skua_connection_cancel(c, now);
    }
    return SKUA_VERDICT_SYN_CANCELLED;
}

skua_time skua_listener_spent_until(const struct skua_connection *c, skua_time now)
{
    skua_time linger = skua_time_mul(skua_recovery_pto(&c->recovery), 3);
    return skua_time_add(now, skua_time_min(linger, SPENT_MAX_NS));
}

/* Message 3, or for IK nothing: what the handshake came to. */
static enum skua_verdict finish(const struct skua_endpoint *ep, const struct skua_half_open *entry,
                                const struct skua_settings *settings, const struct skua_arrival *a,
                                struct skua_handshake_result *result)
{
    struct skua_transport_params params;
    const struct skua_responder_config config = responder_config(ep, settings, &params);
    if (skua_responder_complete(&entry->responder)) {
        return a->head->type == SKUA_PACKET_DATA
                   ? skua_responder_result(&entry->responder, &config, result)
                   : SKUA_VERDICT_CONFIRM_BAD;
    }
    if (a->head->type != SKUA_PACKET_CONFIRM) {
        return SKUA_VERDICT_NO_KEYS;
    }
    struct skua_confirm confirm;
    enum skua_verdict verdict = skua_confirm_read(a->data, a->len, a->head, &confirm);
    if (verdict != SKUA_VERDICT_OK) {
        return verdict;
    }
    return skua_responder_on_confirm(&entry->responder, &config, &confirm, result);
}

/* Whether a client that has proved its key may come in; else the code of the RST that says why. */
static enum skua_code judge(const struct skua_endpoint *ep,
                            const struct skua_handshake_result *result,
                            const struct skua_path *path)
{
    if (result->code != SKUA_CODE_NO_ERROR) {
        return result->code;
    }
    if (ep->allow != NULL && !ep->allow(ep->allow_user, &result->peer_key, path)) {
        return SKUA_CODE_KEY_REFUSED;
    }
    return ep->accept_queue >= ep->backlog ? SKUA_CODE_OVERLOAD : SKUA_CODE_NO_ERROR;
}

/* What became of a third packet whose connection is reset with `code`. */
static enum skua_verdict verdict_of(enum skua_code code)
{
    if (code == SKUA_CODE_KEY_REFUSED) {
        return SKUA_VERDICT_KEY_REFUSED;
    }
    return code == SKUA_CODE_OVERLOAD ? SKUA_VERDICT_ACCEPT_OVERFLOW : SKUA_VERDICT_PROTOCOL;
}

/* A connection from `result`, which has taken the third packet in; NULL where that did not open. */
static enum skua_verdict open_connection(struct skua_endpoint *ep, struct skua_half_open *entry,
                                         const struct skua_arrival *a,
                                         const struct skua_handshake_result *result, skua_time now)
{
    struct skua_accept_args args = {
        .settings = ep->accept_settings,
        .user = ep->accept_user,
        .path = &entry->path,
        .result = result,
        .syn_ack_sent = entry->repeated ? SKUA_NEVER : entry->first_sent,
    };
    skua_half_open_ids(entry, &args.own_id, &args.peer_id);
    struct skua_connection *c;
    if (skua_connection_accept(&c, &ep->env, &args, now) != SKUA_OK) {
        return SKUA_VERDICT_NO_MEMORY;
    }
    /* A NAT may have forgotten its client meanwhile: the SYN_ACK has proven where the client was.
     */
    struct skua_arrival arrival = *a;
    arrival.elsewhere = !skua_path_equal(a->path, &entry->path);
    enum skua_verdict verdict = skua_connection_recv(c, &arrival, now);
    if (verdict != SKUA_VERDICT_OK && verdict != SKUA_VERDICT_PROTOCOL) {
        skua_connection_free(c);
        return verdict == SKUA_VERDICT_BAD_AUTH ? SKUA_VERDICT_CONFIRM_BAD : verdict;
    }
    if (skua_outbox_adopt(ep, c) != SKUA_OK) {
        skua_connection_free(c);
        return SKUA_VERDICT_NO_MEMORY;
    }
    const enum skua_code code = judge(ep, result, &entry->path);
    ep->accept_queue++;
    if (code != SKUA_CODE_NO_ERROR) {
        skua_outbox_disown(ep, c);
        skua_connection_abort(c, false, (uint64_t)code, "");
        verdict = verdict_of(code);
    }
    skua_syn_queue_spend(&ep->syns, entry, skua_listener_spent_until(c, now));
    return verdict;
}

enum skua_verdict skua_listener_third(struct skua_endpoint *ep, const struct skua_arrival *a,
                                      skua_time now)
{
    struct skua_half_open *entry = skua_syn_queue_find(&ep->syns, a->head->dcid, a->head->dcid_len);
    if (entry == NULL) {
        return SKUA_VERDICT_UNKNOWN_ID;
    }
    if (entry->rendezvous && !skua_addr_equal(&entry->path.remote, &a->path->remote)) {
        return SKUA_VERDICT_CONFIRM_BAD;
    }
    if (entry->over) {
        /* A client that has the SYN_ACK hears the rest from a record. But this may be anybody's
         * packet: a client that has not may still ask. */
        return SKUA_VERDICT_UNKNOWN_ID;
    }
    const bool full = ep->accept_queue >= ep->backlog;
    const struct skua_settings *settings = ep->accept_settings;
    if (entry->rendezvous) {
        const struct skua_connection *c = skua_rendezvous_find(ep, &entry->path);
        if (c == NULL) {
            skua_syn_queue_spend(&ep->syns, entry, now); /* met otherwise, or given up */
            return SKUA_VERDICT_UNKNOWN_ID;
        }
        settings = c->settings;
    } else if ((full && !ep->abort_on_overflow) || ep->conn_count >= ep->max_conns) {
        return SKUA_VERDICT_ACCEPT_QUEUE_FULL;
    }
    if (entry->doubted && !skua_admission_take(&ep->admission, &a->path->remote, true, now)) {
        return SKUA_VERDICT_SYN_PREFIX;
    }
    struct skua_handshake_result result;
    enum skua_verdict verdict = finish(ep, entry, settings, a, &result);
    const bool finished = verdict == SKUA_VERDICT_OK || verdict == SKUA_VERDICT_PROTOCOL;
    if (finished || verdict == SKUA_VERDICT_CONFIRM_BAD) {
        /* Matters where the entry is not spent below: message 3 may be good, and the rest not. */
        entry->doubted = true;
    }
    if (finished) {
        verdict = entry->rendezvous ? skua_rendezvous_third(ep, entry, a, &result, now)
                                    : open_connection(ep, entry, a, &result, now);
        skua_handshake_result_wipe(&result);
    }
    return verdict;
}
