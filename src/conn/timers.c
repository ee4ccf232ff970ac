/* One deadline from many facts.
 *
 * Other files state what happened; which timers that starts or stops is decided here (RFC 9000
 * §10.1 for idleness, RFC 5482 for the user timeout, RFC 9293 §3.8.4 for keep-alive). An idle
 * connection has at most one reason to wake up.
 *
 * In SYN_RCVD (`early_open`) only skua_early_deadline says how long: as long as a client repeats
 * its SYN. Silence says nothing there, since it is the SYN_ACK that is under way, and that is
 * repeated beside the connection; and nobody knows yet whether the client is where we send to. */
#include "conn/internal.h"

#include "base/time.h"

/* With an ICMP hint the peer gets this long to show that it lives. */
#define HINT_PATIENCE_NS SKUA_SEC

/* A flow may stop for as long without being asked after, on the shortest path. */
#define STALLED_LEAST_NS (200 * SKUA_MSEC)

void skua_timers_on_start(struct skua_connection *c, skua_time now)
{
    c->life.received_at = now;
    c->life.sent_at = 0;
    c->life.unacked_since = SKUA_NEVER;
    c->life.hint_at = SKUA_NEVER;
    c->life.blocked_at = SKUA_NEVER;
    c->life.keepalive_at = skua_time_add(now, c->settings->keepalive_time_ns);
}

void skua_timers_on_received(struct skua_connection *c, skua_time now)
{
    c->life.received_at = now;
    c->life.sent_at = 0;
    c->life.hint_at = SKUA_NEVER;
    c->life.keepalive_sent = 0;
    c->life.keepalive_at = skua_time_add(now, c->settings->keepalive_time_ns);
}

void skua_timers_on_eliciting_sent(struct skua_connection *c, skua_time now)
{
    if (c->life.sent_at == 0) {
        c->life.sent_at = now; /* RFC 9000 §10.1: only the first after a reception counts */
    }
    if (c->life.unacked_since == SKUA_NEVER) {
        c->life.unacked_since = now;
    }
}

void skua_timers_on_progress(struct skua_connection *c, skua_time now)
{
    c->life.unacked_since = c->recovery.eliciting_in_flight > 0 ? now : SKUA_NEVER;
    c->life.blocked_at = SKUA_NEVER;
}

void skua_timers_on_timed_loss(struct skua_connection *c)
{
    if (c->recovery.eliciting_in_flight == 0) {
        c->life.unacked_since = SKUA_NEVER; /* not all that is lost is sent again: a PING is not */
    }
}

/* RFC 9000 §10.1: at least three PTOs, so that a lost packet can be repaired first. */
static skua_time idle_deadline(const struct skua_connection *c)
{
    if (c->early_open || c->life.idle_timeout_ns == SKUA_NEVER) {
        return SKUA_NEVER;
    }
    skua_time least = skua_time_mul(skua_recovery_pto(&c->recovery), 3);
    return skua_time_add(skua_time_max(c->life.received_at, c->life.sent_at),
                         skua_time_max(c->life.idle_timeout_ns, least));
}

static skua_time user_deadline(const struct skua_connection *c)
{
    return c->early_open ? SKUA_NEVER
                         : skua_time_add(c->life.unacked_since, c->settings->user_timeout_ns);
}

static skua_time keepalive_deadline(const struct skua_connection *c)
{
    return c->early_open ? SKUA_NEVER : c->life.keepalive_at;
}

/* RFC 1122 §4.2.3.9: an unreachable host or network may be back in a moment, and other timers know
 * how long to wait; a closed port means that the peer is gone. Without the PTO's backoff, which
 * would run ahead of the time that passes. */
static skua_time hint_deadline(const struct skua_connection *c)
{
    if (c->life.hint_at == SKUA_NEVER || c->life.hint != SKUA_HINT_PORT_UNREACHABLE) {
        return SKUA_NEVER;
    }
    skua_time pto = skua_rtt_pto(&c->recovery.rtt, c->recovery.max_ack_delay_ns);
    return skua_time_add(c->life.hint_at, skua_time_max(skua_time_mul(pto, 3), HINT_PATIENCE_NS));
}

/* A client that only reads says nothing once it has acknowledged everything. Where its NAT forgets
 * just then, the server's packets go astray and nobody can tell the other: so when packets stop
 * coming in the middle of a stream, with nothing of ours under way, the client asks after them,
 * once. Its PING is repeated as any packet that is lost, and shows the server the way. Only a flow
 * that had full packets is asked after: an exchange of small messages is not worth a packet in each
 * pause, and an idle connection is asked nothing. */
static skua_time stalled_deadline(const struct skua_connection *c)
{
    if (!c->flowing || c->is_server || c->close.peer_complete ||
        c->recovery.eliciting_in_flight > 0) {
        return SKUA_NEVER;
    }
    skua_time pto = skua_rtt_pto(&c->recovery.rtt, c->recovery.max_ack_delay_ns);
    return skua_time_add(c->life.received_at,
                         skua_time_max(skua_time_mul(pto, 3), STALLED_LEAST_NS));
}

static void run_stalled(struct skua_connection *c, skua_time now)
{
    if (stalled_deadline(c) <= now) {
        c->flowing = false;
        c->tx.ping = c->tx.ping || skua_streams_midway(&c->streams);
    }
}

/* What a busy connection needs and a quiet one does not (rings of packet numbers) is given back
 * when stragglers are no longer expected. It happens once per pause: then there is nothing left to
 * give. */
static skua_time trim_deadline(const struct skua_connection *c)
{
    if (c->recovery.sent.cap == 0 || c->recovery.eliciting_in_flight > 0) {
        return SKUA_NEVER;
    }
    skua_time quiet = skua_time_mul(skua_recovery_pto(&c->recovery), 3);
    return skua_time_add(skua_time_max(c->life.received_at, c->life.sent_at),
                         skua_time_max(quiet, SKUA_SEC));
}

static void run_trim(struct skua_connection *c, skua_time now)
{
    if (trim_deadline(c) <= now) {
        skua_recovery_trim(&c->recovery, now);
        skua_replay_trim(&c->rx.replay, &c->env->heap);
        if (c->datagrams != NULL) {
            skua_datagrams_trim(c->datagrams);
        }
    }
}

/* The peer's credit is all that holds us back, and nothing in flight would bring an answer. */
static bool is_stuck(const struct skua_connection *c)
{
    return c->recovery.eliciting_in_flight == 0 && skua_streams_blocked(&c->streams);
}

skua_time skua_connection_deadline(const struct skua_connection *c)
{
    if (c->close.over) {
        return SKUA_NEVER;
    }
    if (c->state == SKUA_STATE_SYN_SENT) {
        return skua_dial_deadline(c);
    }
    if (c->close.ended) {
        return SKUA_NEVER; /* its RST leaves with the next send */
    }
    skua_time at = c->tx.hold_until;
    if (at == SKUA_NEVER) {
        at = skua_recovery_deadline(&c->recovery);
        at = skua_time_min(at, skua_acks_deadline(&c->rx.acks));
        at = skua_time_min(at, c->tx.pace_at);
    }
    at = skua_time_min(at, skua_close_deadline(c));
    at = skua_time_min(at, idle_deadline(c));
    at = skua_time_min(at, user_deadline(c));
    at = skua_time_min(at, hint_deadline(c));
    at = skua_time_min(at, keepalive_deadline(c));
    at = skua_time_min(at, trim_deadline(c));
    at = skua_time_min(at, stalled_deadline(c));
    if (c->early_open) {
        at = skua_time_min(at, skua_early_deadline(c));
    }
    if (skua_tx_may_probe(c)) {
        at = skua_time_min(at, skua_pmtud_deadline(&c->pmtud));
    }
    if (c->migration != NULL) {
        at = skua_time_min(at, skua_migrate_deadline(c));
    }
    return skua_time_min(at, c->life.blocked_at);
}

static void run_keepalive(struct skua_connection *c, skua_time now)
{
    if (keepalive_deadline(c) > now) {
        return;
    }
    if (c->life.keepalive_sent >= c->settings->keepalive_probes) {
        skua_close_on_silence(c, SKUA_ETIMEDOUT, now);
        return;
    }
    c->life.keepalive_sent++;
    c->life.keepalive_at = skua_time_add(now, c->settings->keepalive_intvl_ns);
    c->tx.ping = true;
}

/* Asks for credit again. */
static void run_blocked(struct skua_connection *c, skua_time now)
{
    if (c->life.blocked_at <= now) {
        skua_streams_repeat_blocked(&c->streams);
        c->life.blocked_at = SKUA_NEVER;
        if (c->life.blocked_repeats < UINT8_MAX) {
            c->life.blocked_repeats++;
        }
    }
}

void skua_timers_on_credit(struct skua_connection *c)
{
    c->life.blocked_repeats = 0;
}

/* As TCP's persist timer (RFC 9293 §3.8.6.1): less and less often, but never given up. */
void skua_timers_after_send(struct skua_connection *c, skua_time now)
{
    if (c->life.blocked_at == SKUA_NEVER && is_stuck(c)) {
        unsigned doublings = c->life.blocked_repeats < 10 ? c->life.blocked_repeats : 10;
        skua_time wait = skua_time_mul(skua_recovery_pto(&c->recovery), UINT64_C(2) << doublings);
        c->life.blocked_at = skua_time_add(now, skua_time_min(wait, SKUA_RECOVERY_PTO_MAX_NS));
    }
}

static enum skua_err verdict_of_silence(const struct skua_connection *c, skua_time now)
{
    if (hint_deadline(c) <= now) {
        return SKUA_EUNREACHABLE;
    }
    if (user_deadline(c) <= now || (c->early_open && skua_early_deadline(c) <= now)) {
        return SKUA_ETIMEDOUT;
    }
    if (idle_deadline(c) <= now) {
        return c->life.sent_at != 0 || !c->confirmed ? SKUA_ETIMEDOUT : SKUA_EIDLE;
    }
    return SKUA_OK;
}

/* What timers do that cannot end it, but for want of memory. */
static void run_repairs(struct skua_connection *c, skua_time now)
{
    skua_fate_on_timeout(c, now);
    run_blocked(c, now);
    run_stalled(c, now);
    run_trim(c, now);
    if (skua_streams_failed(&c->streams)) {
        skua_close_fail(c, SKUA_CODE_INTERNAL, 0, "out of memory", now);
    }
}

void skua_connection_on_timeout(struct skua_connection *c, skua_time now)
{
    if (c->close.ended) {
        return;
    }
    if (c->state == SKUA_STATE_SYN_SENT) {
        skua_dial_on_timeout(c, now);
        return;
    }
    enum skua_err end = verdict_of_silence(c, now);
    if (end != SKUA_OK) {
        skua_close_on_silence(c, end, now);
        return;
    }
    skua_close_on_timeout(c, now);
    if (!c->close.ended) {
        run_keepalive(c, now);
    }
    if (!c->close.ended) {
        run_repairs(c, now);
    }
    if (c->migration != NULL) {
        skua_migrate_on_timeout(c, now);
    }
    skua_conn_mark(c, SKUA_MARK_SEND | SKUA_MARK_DEADLINE | SKUA_MARK_EVENT);
}

void skua_connection_hint(struct skua_connection *c, enum skua_hint hint, skua_time now)
{
    if (c->close.ended || (c->life.hint_at != SKUA_NEVER && (unsigned)hint <= c->life.hint)) {
        return;
    }
    if (c->early_open) {
        return; /* it is about whoever has the address; a client elsewhere will repeat its SYN */
    }
    c->life.hint = (uint8_t)hint;
    c->life.hint_at = now;
    if (c->state != SKUA_STATE_SYN_SENT) {
        c->tx.ping = true; /* anyone can forge ICMP: a peer that lives is asked to say so */
        skua_conn_mark(c, SKUA_MARK_SEND);
    }
    skua_conn_mark(c, SKUA_MARK_DEADLINE);
}
