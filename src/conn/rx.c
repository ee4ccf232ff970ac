/* A datagram in.
 *
 * The order keeps forgeries cheap and harmless: unmask, ask the replay window, open once, and only
 * then change anything. What is decided once per batch (ACKs, events) waits for
 * skua_connection_batch_end. */
#include "conn/internal.h"

#include "base/limits.h"
#include "base/time.h"

/* An authentic packet: note its number, then carry out its frames. */
static enum skua_verdict take(struct skua_connection *c, const struct skua_opening *p,
                              const struct skua_arrival *a, skua_time now)
{
    bool largest = p->pn >= skua_replay_end(&c->rx.replay);
    if (!largest) {
        c->count.packets_reordered++;
    } else if (!a->elsewhere && skua_ids_is_news(&c->ids, a->head->dcid)) {
        skua_ids_on_used(&c->ids, a->head->dcid, true);
    }
    skua_replay_commit(&c->rx.replay, p->pn, &c->env->heap);
    c->count.packets_received++;
    c->count.bytes_received += p->len;
    skua_timers_on_received(c, now);
    if (!c->confirmed) {
        skua_conn_confirm(c, now);
    }
    struct skua_frame_origin origin = {.pn = p->pn,
                                       .phase = p->phase,
                                       .confirm = a->head->type == SKUA_PACKET_CONFIRM,
                                       .arrival = a};
    enum skua_code code = skua_frames_recv(c, &origin, p->frames, p->frames_len, now);
    /* Also where a later frame was wrong: the application may read until it has heard of CLOSED. */
    if (skua_streams_has_loans(&c->streams) && !skua_list_is_linked(&c->loan_link)) {
        skua_list_push_back(&c->env->loans, &c->loan_link);
    }
    if (code != SKUA_CODE_NO_ERROR) {
        skua_close_fail(c, code, origin.type, "", now);
        return SKUA_VERDICT_PROTOCOL;
    }
    c->flowing = c->flowing || (origin.eliciting && a->len >= SKUA_LIMIT_UDP_MIN);
    if (a->elsewhere || c->migration != NULL) {
        skua_migrate_on_packet(c, a, p, largest, now);
    }
    if (!c->close.ended) {
        skua_acks_on_received(&c->rx.acks, p->pn, origin.eliciting, a->ecn, now);
    }
    return SKUA_VERDICT_OK;
}

/* A packet that did not open: perhaps it is not one, but the peer's stateless RESET. */
static enum skua_verdict not_opened(struct skua_connection *c, const struct skua_arrival *a,
                                    const struct skua_opening *p, enum skua_verdict verdict,
                                    skua_time now)
{
    c->count.packets_undecryptable += verdict != SKUA_VERDICT_RUNT;
    bool reset =
        a->head->type == SKUA_PACKET_DATA && skua_connection_reset(c, a->path, p->tail, now);
    return reset ? SKUA_VERDICT_RESET : verdict;
}

/* Where the packet number stands. */
static enum skua_verdict find_pn(const struct skua_arrival *a, size_t *offset)
{
    struct skua_confirm confirm;
    *offset = a->head->body;
    if (a->head->type == SKUA_PACKET_DATA) {
        return SKUA_VERDICT_OK;
    }
    enum skua_verdict verdict = skua_confirm_read(a->data, a->len, a->head, &confirm);
    *offset = confirm.pn_offset;
    return verdict;
}

enum skua_verdict skua_rx_open(struct skua_connection *c, const struct skua_arrival *a,
                               struct skua_opening *p, skua_time now)
{
    size_t pn_offset;
    enum skua_verdict verdict = find_pn(a, &pn_offset);
    if (verdict != SKUA_VERDICT_OK) {
        return verdict;
    }
    uint64_t expected = skua_replay_end(&c->rx.replay);
    verdict = skua_packet_unmask(p, &c->keys, a->data, a->len, pn_offset, expected);
    if (verdict != SKUA_VERDICT_OK) {
        return not_opened(c, a, p, verdict, now);
    }
    verdict = skua_replay_check(&c->rx.replay, p->pn);
    if (verdict != SKUA_VERDICT_OK) {
        c->count.packets_duplicate++;
        return verdict;
    }
    skua_time retire_at = skua_time_add(now, skua_time_mul(skua_recovery_pto(&c->recovery), 3));
    verdict = skua_packet_open(p, &c->keys, c->env->cache, retire_at);
    if (verdict != SKUA_VERDICT_OK && verdict != SKUA_VERDICT_PROTOCOL) {
        verdict = not_opened(c, a, p, verdict, now);
        skua_conn_trace(c, SKUA_TRACE_PACKET_RECEIVED,
                        SKUA_TRACE_ARGS(a->head->type, p->pn, a->len, verdict), now);
    }
    return verdict;
}

enum skua_verdict skua_rx_take(struct skua_connection *c, const struct skua_arrival *a,
                               const struct skua_opening *p, enum skua_verdict verdict,
                               skua_time now)
{
    if (verdict == SKUA_VERDICT_PROTOCOL) {
        skua_close_fail(c, p->code, 0, "", now);
    } else {
        verdict = take(c, p, a, now);
    }
    skua_conn_trace(c, SKUA_TRACE_PACKET_RECEIVED,
                    SKUA_TRACE_ARGS(a->head->type, p->pn, a->len, verdict), now);
    return verdict;
}

static enum skua_verdict recv_sealed(struct skua_connection *c, const struct skua_arrival *a,
                                     skua_time now)
{
    struct skua_opening p;
    enum skua_verdict verdict = skua_rx_open(c, a, &p, now);
    if (verdict != SKUA_VERDICT_OK && verdict != SKUA_VERDICT_PROTOCOL) {
        return verdict;
    }
    return skua_rx_take(c, a, &p, verdict, now);
}

enum skua_verdict skua_connection_recv(struct skua_connection *c, const struct skua_arrival *a,
                                       skua_time now)
{
    if (c->close.ended) {
        return SKUA_VERDICT_CLOSED;
    }
    /* RFC 9000 §9: only clients move. */
    if (a->elsewhere && !c->is_server && !skua_addr_equal(&a->path->remote, &c->path.remote)) {
        return SKUA_VERDICT_OTHER_ADDRESS;
    }
    skua_conn_mark(c, SKUA_MARK_BATCH);
    switch (a->head->type) {
    case SKUA_PACKET_DATA:
        if (c->state == SKUA_STATE_SYN_SENT) {
            return SKUA_VERDICT_NO_KEYS;
        }
        return recv_sealed(c, a, now);
    case SKUA_PACKET_CONFIRM:
        return c->is_server ? recv_sealed(c, a, now) : SKUA_VERDICT_MALFORMED;
    case SKUA_PACKET_SYN_ACK:
    case SKUA_PACKET_RETRY:
    case SKUA_PACKET_REFUSE:
    case SKUA_PACKET_VERSIONS:
        return skua_dial_recv(c, a, now);
    case SKUA_PACKET_SYN:
        break;
    }
    return SKUA_VERDICT_MALFORMED;
}

void skua_connection_batch_end(struct skua_connection *c, skua_time now)
{
    if (c->close.ended) {
        return;
    }
    skua_close_check_peer(c, now);
    skua_close_arm(c, now);
    if (skua_streams_failed(&c->streams) || c->close.lost_memory) {
        skua_close_fail(c, SKUA_CODE_INTERNAL, 0, "out of memory", now);
        return;
    }
    if (skua_streams_cut(&c->streams)) {
        skua_close_fail(c, SKUA_CODE_FINAL_SIZE, SKUA_FRAME_STREAM, "ends inside a message", now);
        return;
    }
    unsigned marks = SKUA_MARK_DEADLINE;
    if (skua_connection_has_event(c)) {
        marks |= SKUA_MARK_EVENT;
    }
    if (c->state != SKUA_STATE_SYN_SENT) {
        marks |= SKUA_MARK_SEND;
    }
    skua_conn_mark(c, marks);
}

void skua_connection_settle(struct skua_connection *c)
{
    if (c->datagrams != NULL) {
        skua_datagrams_settle(c->datagrams);
    }
    if (skua_streams_has_loans(&c->streams) && skua_streams_settle(&c->streams) != SKUA_OK) {
        c->close.lost_memory = true;
        skua_conn_mark(c, SKUA_MARK_BATCH);
    }
}
