/* What became of the packets that were sent.
 *
 * Recovery says which packets were acknowledged or lost and gives their records back; here each
 * record goes to whoever wrote the frame, and the controller, the pacer and the path MTU hear what
 * concerns them. Order as cc/cc.h and path/pmtud.h want it: what arrived before what was lost. */
#include "conn/internal.h"

#include "base/limits.h"
#include "base/time.h"

/* Acknowledgements wanted per window, and bounds of ack-eliciting packets for each. */
enum { ACKS_PER_WINDOW = 16, ACK_PACKETS_MIN = 2, ACK_PACKETS_MAX = 32 };

static struct skua_cc_rtt cc_rtt(const struct skua_rtt *rtt)
{
    return (struct skua_cc_rtt){
        .latest_ns = rtt->latest,
        .smoothed_ns = skua_rtt_is_known(rtt) ? rtt->smoothed : 0,
        .min_ns = skua_rtt_is_known(rtt) ? rtt->min : 0,
    };
}

static void record_acked(struct skua_connection *c, const struct skua_record *record)
{
    if (record->type == SKUA_FRAME_ACK) {
        skua_acks_on_ack_of_ack(&c->rx.acks, record->id);
    } else if (record->type == SKUA_FRAME_DATAGRAM) {
        skua_datagrams_on_acked(c->datagrams, record);
    } else if (record->type == SKUA_FRAME_RETIRE_CONNECTION_ID) {
        skua_ids_on_acked(&c->ids, &c->env->heap, record);
    } else {
        skua_streams_on_acked(&c->streams, record);
    }
}

static void record_lost(struct skua_connection *c, const struct skua_record *record)
{
    if (record->type == SKUA_FRAME_FIN) {
        c->close.fin_due = !c->close.fin_acked;
    } else if (record->type == SKUA_FRAME_ACK_FREQUENCY) {
        c->tx.ack_frequency_due = c->tx.ack_frequency_due || record->id == c->tx.ack_sequence;
    } else if (record->type == SKUA_FRAME_NEW_TOKEN) {
        skua_token_due(c);
    } else if (record->type == SKUA_FRAME_FIN_ACK) {
        c->close.fin_ack_due = true;
    } else if (record->type == SKUA_FRAME_DATAGRAM) {
        skua_datagrams_on_lost(c->datagrams, record);
    } else if (record->type == SKUA_FRAME_NEW_CONNECTION_ID ||
               record->type == SKUA_FRAME_RETIRE_CONNECTION_ID) {
        skua_ids_on_lost(&c->ids, record);
    } else {
        skua_streams_on_lost(&c->streams, record);
    }
}

void skua_fate_set_mtu(struct skua_connection *c, uint32_t old, skua_time now)
{
    skua_cc_on_mtu(&c->cc, c->pmtud.mtu);
    skua_recovery_set_full(&c->recovery, c->pmtud.mtu);
    skua_streams_set_packet_room(&c->streams, (uint32_t)skua_tx_room(c));
    skua_conn_trace(c, SKUA_TRACE_MTU, SKUA_TRACE_ARGS(old, c->pmtud.mtu), now);
}

/* The counters follow a controller's own, which begin anew on each path. */
static void count_reductions(struct skua_connection *c, const struct skua_cc *before)
{
    c->count.congestion_events += (uint16_t)(c->cc.congestion_events - before->congestion_events);
    c->count.persistent_congestions +=
        (uint16_t)(c->cc.persistent_events - before->persistent_events);
}

/* What an ACK says of marks: those that arrived as sent, and congestion (RFC 9002 §7.1). */
static void on_ecn(struct skua_connection *c, const struct skua_ack_frame *frame,
                   const struct skua_ack_result *ack, skua_time now)
{
    uint8_t state = c->ecn.state;
    const struct skua_ecn_ack ecn = {
        .packets = ack->packets,
        .marked = ack->marked,
        .lost_marked = ack->loss.marked,
        .lost_newest = ack->loss.largest_sent,
        .advances = ack->advances,
        .ect0 = frame->ecn[0],
        .ect1 = frame->ecn[1],
        .ce = frame->ecn[2],
    };
    uint64_t marks = skua_ecn_on_ack(&c->ecn, &ecn, now);
    /* What was marked before a test began may have gone along another path. */
    if (marks > 0 && ack->largest_sent >= c->ecn.test_start) {
        const struct skua_cc before = c->cc;
        const struct skua_cc_ce ce = {.packets = marks, .largest_sent = ack->largest_sent};
        skua_cc_on_ce(&c->cc, &ce, now);
        count_reductions(c, &before);
    }
    if (marks > 0 || state != c->ecn.state) {
        skua_conn_trace(c, SKUA_TRACE_ECN,
                        SKUA_TRACE_ARGS(state, c->ecn.state, c->ecn.ect0, c->ecn.ce), now);
    }
}

static void on_loss(struct skua_connection *c, const struct skua_loss_result *loss, skua_time now)
{
    struct skua_record record;
    while (skua_recovery_next_lost(&c->recovery, &record)) {
        record_lost(c, &record);
    }
    if (loss->mtu_probe != 0) {
        c->count.mtu_probes_lost++;
        c->count.mtu_black_holes += skua_pmtud_on_probe_lost(&c->pmtud, loss->mtu_probe);
    }
    if (loss->packets == 0) {
        return;
    }
    c->count.packets_lost += loss->packets;
    skua_conn_trace(
        c, SKUA_TRACE_PACKET_LOST,
        SKUA_TRACE_ARGS(loss->largest_pn, loss->bytes, c->recovery.bytes_in_flight, loss->packets),
        now);
    const struct skua_cc before = c->cc;
    const struct skua_cc_loss cc_loss = {
        .bytes = loss->bytes,
        .packets = loss->packets,
        .bytes_in_flight = loss->bytes_in_flight,
        .largest_pn = loss->largest_pn,
        .largest_sent = loss->largest_sent,
        .persistent = loss->persistent,
    };
    skua_cc_on_loss(&c->cc, &cc_loss, now);
    count_reductions(c, &before);
    uint32_t old = c->pmtud.mtu;
    const struct skua_pmtud_loss mtu_loss = {.packets = loss->packets,
                                             .small = loss->small,
                                             .large = loss->large,
                                             .large_min = loss->large_min};
    if (skua_pmtud_on_packet_lost(&c->pmtud, &mtu_loss, now)) {
        bool suspicion = c->pmtud.suspect != 0;
        c->count.mtu_suspicions += suspicion;
        c->count.mtu_black_holes += !suspicion;
        skua_fate_set_mtu(c, old, now);
    }
}

/* ACKs are asked for as often as the window needs them, some 16 per round trip, and not more often:
 * each costs both sides a packet. A new wish is told when it differs by a factor of two
 * (draft-ietf-quic-ack-frequency §6). */
static void tune_ack_frequency(struct skua_connection *c)
{
    uint64_t packets = c->cc.cwnd / c->pmtud.mtu / ACKS_PER_WINDOW;
    packets = packets < ACK_PACKETS_MIN ? ACK_PACKETS_MIN : packets;
    packets = packets > ACK_PACKETS_MAX ? ACK_PACKETS_MAX : packets;
    uint32_t told = c->tx.ack_packets != 0 ? c->tx.ack_packets : ACK_PACKETS_MIN;
    if ((skua_tx_is_bulk(c) && packets >= 2 * told) || 2 * packets <= told) {
        c->tx.ack_sequence++;
        c->tx.ack_packets = (uint8_t)packets;
        c->tx.ack_frequency_due = true;
    }
}

/* After any change of window or RTT. */
static void follow_controller(struct skua_connection *c, skua_time now)
{
    skua_pacer_set_rate(&c->pacer, c->cc.pacing_rate, c->pmtud.mtu, now);
    uint64_t keep = 2 * c->cc.cwnd;
    uint64_t floor = UINT64_C(128) << 10;
    keep = keep < floor ? floor : keep;
    keep = keep > c->settings->max_send_buffer ? c->settings->max_send_buffer : keep;
    skua_streams_set_send_limit(&c->streams, keep);
    tune_ack_frequency(c);
    skua_conn_trace(
        c, SKUA_TRACE_CWND,
        SKUA_TRACE_ARGS(c->cc.cwnd, c->cc.ssthresh, c->recovery.bytes_in_flight, c->cc.pacing_rate),
        now);
}

/* RFC 9002 §7.8: a window grows while it is in use. Who waits for the pacer may use it, or only
 * send more at a time than the pacer lets out: then what was delivered since the newest of these
 * packets left, and what is in flight now, is less than half of the window. (While the window
 * doubles, that is what the last round trip used.) */
static bool is_window_used(const struct skua_connection *c, const struct skua_ack_result *ack)
{
    uint64_t used = c->recovery.bytes_in_flight + ack->rate.bytes;
    bool half = !ack->rate.valid || used >= c->cc.cwnd / 2;
    return c->tx.cwnd_limited || (c->tx.pacing_limited && half);
}

/* The controller and the path hear what arrived. */
static void on_acked(struct skua_connection *c, const struct skua_ack_result *ack, skua_time now)
{
    uint32_t old = c->pmtud.mtu;
    bool changed = ack->mtu_probe != 0 && skua_pmtud_on_probe_acked(&c->pmtud, ack->mtu_probe);
    changed = skua_pmtud_on_packet_acked(&c->pmtud, ack->size_max) || changed;
    if (changed) {
        skua_fate_set_mtu(c, old, now);
    }
    if (ack->bytes > 0) {
        const struct skua_cc_ack cc_ack = {
            .bytes = ack->bytes,
            .bytes_in_flight = ack->bytes_in_flight,
            .largest_pn = ack->largest_pn,
            .largest_sent = ack->largest_sent,
            .next_pn = skua_recovery_next_pn(&c->recovery),
            .cwnd_limited = is_window_used(c, ack),
            .rtt_sampled = ack->rtt_sampled,
            .rtt = cc_rtt(&c->recovery.rtt),
            .rate = {.valid = ack->rate.valid,
                     .app_limited = ack->rate.app_limited,
                     .bytes_per_s = ack->rate.bytes_per_s,
                     .delivered = ack->rate.delivered,
                     .prior_delivered = ack->rate.prior_delivered,
                     .tx_in_flight = ack->rate.tx_in_flight,
                     .lost = ack->rate.lost},
        };
        skua_cc_on_ack(&c->cc, &cc_ack, now);
    }
    if (ack->spurious_packets > 0) {
        c->count.packets_spurious += ack->spurious_packets;
        const struct skua_cc_spurious spurious = {.bytes = ack->spurious_bytes,
                                                  .packets = ack->spurious_packets,
                                                  .since = ack->spurious_since};
        skua_cc_on_spurious(&c->cc, &spurious, now);
    }
    if (ack->rate.valid) {
        c->count.delivery_rate = ack->rate.bytes_per_s;
    }
    c->count.packets_acked += ack->packets;
}

enum skua_code skua_fate_on_ack(struct skua_connection *c, const struct skua_ack_frame *ack,
                                uint64_t phase, skua_time now)
{
    struct skua_range ranges[SKUA_LIMIT_ACK_RANGES_READ];
    size_t n = skua_ack_frame_ranges(ack, ranges, SKUA_LIMIT_ACK_RANGES_READ);
    /* RFC 9000 §19.3: microseconds, scaled by the sender's exponent; absurd values saturate. */
    uint64_t limit = UINT64_MAX / SKUA_USEC >> c->peer_ack_delay_exponent;
    skua_time delay =
        ack->delay > limit ? SKUA_NEVER : (ack->delay << c->peer_ack_delay_exponent) * SKUA_USEC;
    struct skua_ack_result result;
    enum skua_code code = skua_recovery_on_ack(&c->recovery, ranges, n, delay, now, &result);
    if (code == SKUA_CODE_NO_ERROR) {
        code = skua_keys_on_ack_received(&c->keys, ack->largest, phase);
    }
    if (code != SKUA_CODE_NO_ERROR) {
        return code;
    }
    c->count.acks_received++;
    struct skua_record record;
    while (skua_recovery_next_acked(&c->recovery, &record)) {
        record_acked(c, &record);
    }
    on_acked(c, &result, now);
    /* The record of TIME_WAIT counts nothing; there is none before the peer's FIN was here. */
    if (c->ecn.sent > 0 && !(c->close.fin_acked && c->close.peer_fin)) {
        on_ecn(c, ack, &result, now);
    }
    on_loss(c, &result.loss, now);
    if (result.packets > 0) {
        c->tx.probes = 0; /* the peer answers: what is left of a PTO's allowance is not needed */
        skua_timers_on_progress(c, now);
        follow_controller(c, now);
        skua_conn_trace(
            c, SKUA_TRACE_PACKET_ACKED,
            SKUA_TRACE_ARGS(result.largest_pn, result.bytes, c->recovery.bytes_in_flight), now);
    }
    if (result.rtt_sampled) {
        const struct skua_rtt *rtt = &c->recovery.rtt;
        skua_conn_trace(c, SKUA_TRACE_RTT,
                        SKUA_TRACE_ARGS(rtt->latest, rtt->smoothed, rtt->var, rtt->min), now);
    }
    return SKUA_CODE_NO_ERROR;
}

/* RFC 9002 §6.2.4: a probe repeats what has waited longest, so that the tail of a transfer needs
 * one PTO and not two. */
static void queue_probes(struct skua_connection *c, uint8_t probes)
{
    uint64_t cursor = 0;
    for (uint8_t i = 0; i < probes; i++) {
        struct skua_record records[SKUA_RECORDS_PER_PACKET];
        size_t n =
            skua_recovery_probe_records(&c->recovery, &cursor, records, SKUA_RECORDS_PER_PACKET);
        for (size_t k = 0; k < n; k++) {
            if (records[k].type != SKUA_FRAME_DATAGRAM) { /* not known to be lost, nor repeated */
                record_lost(c, &records[k]);
            }
        }
    }
    c->tx.probes = probes;
    c->tx.ping = true;
}

void skua_fate_on_path(struct skua_connection *c, skua_time now)
{
    queue_probes(c, 2);
    follow_controller(c, now);
}

void skua_fate_on_timeout(struct skua_connection *c, skua_time now)
{
    if (skua_recovery_deadline(&c->recovery) > now) {
        return;
    }
    struct skua_timeout_result result;
    skua_recovery_on_timeout(&c->recovery, now, &result);
    on_loss(c, &result.loss, now);
    if (result.loss.marked > 0) {
        skua_ecn_on_lost(&c->ecn, result.loss.marked, result.loss.largest_sent);
    }
    if (result.loss_timer) {
        skua_timers_on_timed_loss(c);
        follow_controller(c, now);
    }
    if (result.pto) {
        c->count.pto_count++;
        queue_probes(c, result.probes);
    }
    skua_conn_trace(c, SKUA_TRACE_TIMER, SKUA_TRACE_ARGS(result.pto ? 1 : 0), now);
}
