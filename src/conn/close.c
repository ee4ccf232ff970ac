/* The end of a connection: FIN each way, RST, TIME_WAIT (docs/protocol.md, "Closing").
 *
 * Our FIN says "I send no more" and counts what was sent; the peer's FIN_ACK says that all of it
 * has arrived. FIN is repeated each PTO until then. The side that closed first seals one last
 * packet {FIN_ACK, ACK} before it wipes its keys: the record in the endpoint's TIME_WAIT table
 * repeats its bytes.
 *
 * `ended` means that nothing more is received and CLOSED is to be reported; `over`, that nothing
 * more is sent either and the keys are gone. Between the two lies at most one packet: a RST. */
#include "conn/internal.h"

#include <string.h>

#include "base/limits.h"
#include "base/time.h"

/* TIME_WAIT packets name one packet number only, so that a record has a fixed size. */
static void write_last_ack(struct skua_connection *c, struct skua_fill *fill)
{
    if (skua_replay_end(&c->rx.replay) != 0) {
        const struct skua_range newest = {.first = c->rx.acks.largest, .last = c->rx.acks.largest};
        fill->ack = skua_ack_frame_write(&fill->w, &newest, 1, 0, NULL) > 0;
    }
}

/* Nothing leaves any more: secrets are wiped and what was in flight is forgotten. What stays may
 * stay for long, if the application keeps the handle. */
static void become_over(struct skua_connection *c)
{
    if (c->close.over) {
        return;
    }
    c->close.over = true;
    c->close.rst_due = false;
    if (c->close.farewell != NULL) {
        c->close.farewell->pto_ns = skua_recovery_pto(&c->recovery);
    }
    skua_dial_free(c);
    c->count.key_updates = (uint32_t)c->keys.tx_phase;
    skua_keys_wipe(&c->keys, c->env->cache);
    skua_secret_wipe(&c->exporter);
    skua_recovery_deinit(&c->recovery);
    skua_acks_deinit(&c->rx.acks);
    skua_replay_deinit(&c->rx.replay, &c->env->heap);
    skua_ids_deinit(&c->ids, &c->env->heap);
    skua_migrate_free(c);
    skua_conn_mark(c, SKUA_MARK_ENDED | SKUA_MARK_EVENT | SKUA_MARK_DEADLINE);
}

/* CLOSED is to be reported with `error`, and with code and frame type of a RST; nothing more is
 * received. */
static void become_ended(struct skua_connection *c, enum skua_err error, uint64_t code,
                         uint64_t frame_type, skua_time now)
{
    SKUA_ASSERT(!c->close.ended);
    c->close.ended = true;
    c->close.error = error;
    c->close.end.code = code;
    c->close.end.frame_type = frame_type;
    c->close.end.reason = NULL;
    skua_conn_trace(c, SKUA_TRACE_CLOSED,
                    SKUA_TRACE_ARGS((uint64_t) - (int64_t)error, c->close.end.code, c->close.remote,
                                    c->close.end.frame_type),
                    now);
    skua_conn_mark(c, SKUA_MARK_SEND | SKUA_MARK_EVENT | SKUA_MARK_DEADLINE);
}

static void set_reason(struct skua_connection *c, const void *text, size_t len)
{
    len = len < SKUA_LIMIT_REASON_MAX ? len : SKUA_LIMIT_REASON_MAX;
    if (len == 0 || c->close.end.reason != NULL) {
        return;
    }
    c->close.end.reason = skua_heap_get(&c->env->heap, SKUA_LIMIT_REASON_MAX + 1);
    if (c->close.end.reason == NULL) {
        return; /* the code says enough */
    }
    memcpy(c->close.end.reason, text, len);
    for (size_t i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)c->close.end.reason[i];
        if (ch < 0x20 || ch == 0x7f) {
            c->close.end.reason[i] = '?';
        }
    }
    c->close.reason_len = (uint16_t)len;
}

/* A RST is to be sent, where there are keys to seal it with; before that, the SYN is taken back
 * (dial.c). */
static void want_rst(struct skua_connection *c)
{
    if (c->suite == 0 && !skua_dial_was_heard(c)) {
        become_over(c);
    } else {
        c->close.rst_due = true;
        skua_conn_mark(c, SKUA_MARK_SEND);
    }
}

void skua_close_fail(struct skua_connection *c, enum skua_code code, uint64_t frame_type,
                     const char *reason, skua_time now)
{
    if (c->close.ended) {
        return;
    }
    enum skua_err error = code == SKUA_CODE_LABEL        ? SKUA_ECONNREFUSED
                          : code == SKUA_CODE_AEAD_LIMIT ? SKUA_ECRYPTO
                          : code == SKUA_CODE_INTERNAL || code == SKUA_CODE_MEMORY ? SKUA_EINTERNAL
                                                                                   : SKUA_EPROTO;
    become_ended(c, error, (uint64_t)code, frame_type, now);
    set_reason(c, reason, strlen(reason));
    want_rst(c);
    skua_conn_transition(c, SKUA_ON_ABORT, now);
}

void skua_close_now(struct skua_connection *c, enum skua_err error, uint64_t code, skua_time now)
{
    become_ended(c, error, code, 0, now);
    become_over(c);
    skua_conn_transition(c, SKUA_ON_ABORT, now);
}

/* What a RST means to the application. */
static enum skua_err error_of_rst(const struct skua_frame *f)
{
    if (f->rst.application != 0) {
        return SKUA_ECONNRESET;
    }
    switch (f->rst.code) {
    case SKUA_CODE_REFUSED:
    case SKUA_CODE_LABEL:
    case SKUA_CODE_KEY_REFUSED:
    case SKUA_CODE_OVERLOAD:
        return SKUA_ECONNREFUSED;
    case SKUA_CODE_NO_ERROR:
    case SKUA_CODE_INTERNAL: /* the peer's trouble, not ours */
        return SKUA_ECONNRESET;
    case SKUA_CODE_AEAD_LIMIT:
        return SKUA_ECRYPTO;
    case SKUA_CODE_DOWNGRADE:
        return SKUA_EVERSION;
    default:
        return SKUA_EPROTO;
    }
}

void skua_close_on_rst(struct skua_connection *c, const struct skua_frame *f, skua_time now)
{
    c->close.remote = true;
    c->close.application = f->rst.application != 0;
    become_ended(c, error_of_rst(f), f->rst.code, f->rst.frame_type, now);
    set_reason(c, f->rst.reason, f->rst.reason_len);
    become_over(c);
    skua_conn_transition(c, SKUA_ON_ABORT, now);
}

/* Has all that we wrote arrived? FIN_ACK says so; acknowledgements of every byte and of each
 * stream's end do as well. */
static bool has_all_arrived(const struct skua_connection *c)
{
    return c->close.fin_acked || (c->close.fin_sent && skua_streams_all_sent_acked(&c->streams));
}

/* In LAST_ACK and CLOSING the peer owes us nothing but its word that all has arrived. */
static bool owes_nothing_else(const struct skua_connection *c)
{
    return (c->state == SKUA_STATE_LAST_ACK || c->state == SKUA_STATE_CLOSING) &&
           has_all_arrived(c);
}

void skua_close_on_silence(struct skua_connection *c, enum skua_err error, skua_time now)
{
    bool harmless = owes_nothing_else(c) || (c->close.released && has_all_arrived(c));
    skua_close_now(c, harmless ? SKUA_OK : error, SKUA_CODE_NO_ERROR, now);
}

bool skua_connection_reset(struct skua_connection *c, const struct skua_path *path,
                           const uint8_t token[SKUA_RESET_TOKEN_LEN], skua_time now)
{
    if (c->close.ended || !skua_addr_equal(&path->remote, &c->path.remote) ||
        !skua_reset_token_equal(token, c->ids.token)) {
        return false;
    }
    bool harmless = owes_nothing_else(c);
    c->close.remote = !harmless;
    skua_close_now(c, harmless ? SKUA_OK : SKUA_ECONNRESET, SKUA_CODE_NO_ERROR, now);
    return true;
}

enum skua_code skua_close_on_fin(struct skua_connection *c, const struct skua_frame *f, uint64_t pn)
{
    const struct skua_streams_totals totals = {
        .bidi = f->fin.bidi, .uni = f->fin.uni, .total = f->fin.total};
    enum skua_code code = skua_streams_set_peer_totals(&c->streams, &totals);
    if (code != SKUA_CODE_NO_ERROR) {
        return code;
    }
    if (!c->close.peer_fin || pn < c->close.fin.peer_fin_pn) {
        c->close.fin.peer_fin_pn = pn;
    }
    c->close.peer_fin = true;
    /* A repeat says that our FIN_ACK was lost. */
    c->close.fin_ack_due = c->close.fin_ack_due || c->close.peer_complete;
    skua_acks_set_immediate(&c->rx.acks);
    return SKUA_CODE_NO_ERROR;
}

/* RFC 9293 §3.6.1 lets the peer go on for ever; one whose application has left does not wait for
 * that. */
static void limit_fin_wait_2(struct skua_connection *c, skua_time now)
{
    if (c->state == SKUA_STATE_FIN_WAIT_2 && c->close.fin.deadline != 0) {
        c->close.fin.deadline = skua_time_min(
            c->close.fin.deadline, skua_time_add(now, c->settings->fin_wait2_timeout_ns));
    }
}

void skua_close_arm(struct skua_connection *c, skua_time now)
{
    if (c->close.released && c->close.fin.deadline == 0) {
        c->close.fin.deadline = skua_time_add(now, c->settings->close_timeout_ns);
        limit_fin_wait_2(c, now);
    }
}

enum skua_code skua_close_on_fin_ack(struct skua_connection *c, skua_time now)
{
    if (!c->close.fin_sent) {
        return SKUA_CODE_CLOSE_STATE;
    }
    if (c->close.fin_acked) {
        return SKUA_CODE_NO_ERROR;
    }
    c->close.fin_acked = true;
    c->close.fin_due = false;
    c->events |= 1u << SKUA_EVENT_DELIVERED;
    skua_conn_mark(c, SKUA_MARK_EVENT);
    c->close.fin.repeat_at = SKUA_NEVER;
    skua_conn_transition(c, SKUA_ON_FIN_ACKED, now);
    limit_fin_wait_2(c, now);
    if (c->state == SKUA_STATE_CLOSED) {
        become_ended(c, SKUA_OK, SKUA_CODE_NO_ERROR, 0, now);
        become_over(c);
    }
    return SKUA_CODE_NO_ERROR;
}

void skua_close_check_peer(struct skua_connection *c, skua_time now)
{
    if (c->close.peer_complete || !c->close.peer_fin || !skua_streams_peer_complete(&c->streams)) {
        return;
    }
    c->close.peer_complete = true;
    c->close.fin_ack_due = true;
    skua_token_due(c); /* a fresh one, since the client may be back soon */
    c->events |= 1u << SKUA_EVENT_FINISHED;
    skua_conn_transition(c, SKUA_ON_PEER_FIN, now);
    skua_conn_mark(c, SKUA_MARK_SEND | SKUA_MARK_EVENT);
}

void skua_close_on_fin_sent(struct skua_connection *c, skua_time now)
{
    uint32_t shift = c->close.fin_repeats < 6 ? c->close.fin_repeats : 6;
    skua_time wait = skua_rtt_pto(&c->recovery.rtt, c->recovery.max_ack_delay_ns) << shift;
    c->close.fin_sent = true;
    c->close.fin_repeats++;
    c->close.fin.repeat_at = skua_time_add(now, skua_time_min(wait, SKUA_RECOVERY_PTO_MAX_NS));
}

/* The record of this connection will repeat `len` sealed bytes. Where there is no memory for them
 * there would be none for the record either. */
static void keep_farewell(struct skua_connection *c, const uint8_t *packet, size_t len)
{
    SKUA_ASSERT(c->close.farewell == NULL);
    if (len == 0 || len > SKUA_FAREWELL_MAX) {
        return;
    }
    c->close.farewell = skua_heap_get(&c->env->heap, sizeof *c->close.farewell);
    if (c->close.farewell != NULL) {
        memcpy(c->close.farewell->packet, packet, len);
        c->close.farewell->len = (uint8_t)len;
    }
}

/* TIME_WAIT begins: {FIN_ACK, ACK} under the next number is the last packet. */
static void send_time_wait(struct skua_connection *c, struct skua_tx *tx, skua_time now)
{
    struct skua_fill fill;
    if (skua_tx_begin(c, &fill, tx->data, SKUA_LIMIT_UDP_MIN)) {
        const struct skua_frame fin_ack = {.type = SKUA_FRAME_FIN_ACK};
        skua_frame_write(&fill.w, &fin_ack);
        write_last_ack(c, &fill);
        tx->len = skua_tx_seal(c, &fill, tx->data, 0, now);
        tx->segment_size = tx->len;
        keep_farewell(c, tx->data, tx->len);
    }
    become_ended(c, SKUA_OK, SKUA_CODE_NO_ERROR, 0, now);
    become_over(c);
}

/* The server may have an entry for our SYN: it is to forget it. The record repeats that, as an
 * answer to SYN_ACKs. */
static void send_cancel(struct skua_connection *c, struct skua_tx *tx, skua_time now)
{
    skua_dial_write_cancel(c, tx, now);
    keep_farewell(c, tx->data, tx->len);
    become_over(c);
}

/* RST with its reason now; the record repeats one without. */
static void send_rst(struct skua_connection *c, struct skua_tx *tx, skua_time now)
{
    for (int i = 0; i < 2; i++) {
        struct skua_fill fill;
        if (!skua_tx_begin(c, &fill, tx->data, SKUA_LIMIT_UDP_MIN)) {
            break;
        }
        skua_control_rst(c, &fill, i == 0 ? 0 : SKUA_LIMIT_REASON_MAX);
        tx->len = skua_tx_seal(c, &fill, tx->data, 0, now);
        if (i == 0) {
            keep_farewell(c, tx->data, tx->len);
        }
    }
    tx->segment_size = tx->len;
    become_over(c);
}

bool skua_close_send(struct skua_connection *c, struct skua_tx *tx, skua_time now)
{
    if (c->close.rst_due) {
        if (c->suite == 0) {
            send_cancel(c, tx, now);
        } else {
            send_rst(c, tx, now);
        }
        return true;
    }
    if (c->state == SKUA_STATE_TIME_WAIT) {
        send_time_wait(c, tx, now);
        return true;
    }
    return c->close.ended;
}

skua_time skua_close_deadline(const struct skua_connection *c)
{
    skua_time at =
        c->close.released && c->close.fin.deadline != 0 ? c->close.fin.deadline : SKUA_NEVER;
    return skua_time_min(at, c->close.fin.repeat_at);
}

void skua_close_on_timeout(struct skua_connection *c, skua_time now)
{
    if (c->close.fin.repeat_at <= now) {
        c->close.fin.repeat_at = SKUA_NEVER;
        c->close.fin_due = !c->close.fin_acked;
        skua_conn_mark(c, SKUA_MARK_SEND);
    }
    if (c->close.released && c->close.fin.deadline != 0 && c->close.fin.deadline <= now) {
        /* Everything arrived, and the peer has not said its own FIN: that is its business. */
        enum skua_err error = has_all_arrived(c) ? SKUA_OK : SKUA_ETIMEDOUT;
        become_ended(c, error, SKUA_CODE_NO_ERROR, 0, now);
        want_rst(c);
        skua_conn_transition(c, SKUA_ON_ABORT, now);
    }
}

enum skua_err skua_connection_shutdown(struct skua_connection *c)
{
    if (c->close.ended) {
        return SKUA_ECLOSED;
    }
    if (!c->close.shutdown) {
        c->close.shutdown = true;
        c->close.fin_due = true;
        skua_token_due(c);
        skua_streams_finish_all(&c->streams);
        skua_conn_transition(c, SKUA_ON_SHUTDOWN, c->env->now);
        skua_conn_mark(c, SKUA_MARK_SEND | SKUA_MARK_DEADLINE);
    }
    return SKUA_OK;
}

enum skua_err skua_connection_close(struct skua_connection *c)
{
    if (c->close.released) {
        return SKUA_OK;
    }
    c->close.released = true;
    skua_streams_discard_all(&c->streams);
    if (c->datagrams != NULL) {
        skua_datagrams_discard(c->datagrams);
    }
    if (c->close.ended) {
        skua_conn_mark(c, SKUA_MARK_EVENT); /* the husk's CLOSED can be reported now */
        return SKUA_OK;
    }
    if (c->state == SKUA_STATE_SYN_SENT) {
        become_ended(c, SKUA_EABORTED, SKUA_CODE_NO_ERROR, 0, c->env->now);
        want_rst(c);
        skua_conn_transition(c, SKUA_ON_ABORT, c->env->now);
        return SKUA_OK;
    }
    skua_conn_mark(c, SKUA_MARK_BATCH); /* arms the deadline, looks at the peer's FIN again */
    return skua_connection_shutdown(c);
}

void skua_connection_abort(struct skua_connection *c, bool application, uint64_t code,
                           const char *reason)
{
    c->close.reported = true; /* nobody is left to tell */
    if (c->close.ended) {
        skua_conn_mark(c, SKUA_MARK_DEADLINE);
        return;
    }
    c->close.application = application;
    become_ended(c, SKUA_EABORTED, code, 0, c->env->now);
    set_reason(c, reason, reason != NULL ? strlen(reason) : 0);
    want_rst(c);
    skua_conn_transition(c, SKUA_ON_ABORT, c->env->now);
}

bool skua_close_is_husk(const struct skua_connection *c)
{
    struct skua_streams_stats stats;
    if (c->close.error != SKUA_OK || c->close.released) {
        return false;
    }
    skua_streams_stats(&c->streams, &stats);
    return stats.recv_buffered > 0 || skua_streams_has_event(&c->streams);
}
