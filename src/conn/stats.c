/* What the application reads: tcp_info's counterpart. */
#include "conn/internal.h"

static void path_stats(const struct skua_connection *c, struct skua_conn_stats *out)
{
    const struct skua_rtt *rtt = &c->recovery.rtt;
    out->rtt_latest_ns = rtt->latest;
    out->rtt_smoothed_ns = rtt->smoothed;
    out->rtt_var_ns = rtt->var;
    out->rtt_min_ns = skua_rtt_is_known(rtt) ? rtt->min : 0;
    out->pto_ns = skua_recovery_pto(&c->recovery);
    out->cwnd = c->cc.cwnd;
    out->ssthresh = c->cc.ssthresh;
    out->bytes_in_flight = c->recovery.bytes_in_flight;
    out->pacing_rate = c->cc.pacing_rate;
    out->delivery_rate = c->count.delivery_rate;
    out->mtu = c->pmtud.mtu;
    out->mtu_probes_sent = c->count.mtu_probes_sent;
    out->mtu_probes_lost = c->count.mtu_probes_lost;
    out->mtu_suspicions = c->count.mtu_suspicions;
    out->mtu_black_holes = c->count.mtu_black_holes;
    out->mtu_refusals = c->count.mtu_refusals;
    out->ecn_state = (enum skua_ecn_state)c->ecn.state;
    out->ecn_ect0_sent = c->ecn.sent;
    out->ecn_ect0_reported = c->ecn.ect0;
    out->ecn_ce_reported = c->ecn.ce;
    out->path_changes = c->count.path_changes;
    out->path_failures = c->count.path_failures;
    out->path_challenges = c->count.path_challenges;
    out->ecn_ect0_received = c->rx.acks.marks[SKUA_ECN_ECT0 - 1];
    out->ecn_ect1_received = c->rx.acks.marks[SKUA_ECN_ECT1 - 1];
    out->ecn_ce_received = c->rx.acks.marks[SKUA_ECN_CE - 1];
}

static void packet_stats(const struct skua_connection *c, struct skua_conn_stats *out)
{
    const struct skua_counters *n = &c->count;
    out->packets_sent = n->packets_sent;
    out->bytes_sent = n->bytes_sent;
    out->packets_received = n->packets_received;
    out->bytes_received = n->bytes_received;
    out->packets_lost = n->packets_lost;
    out->bytes_lost = c->recovery.lost_total;
    out->packets_spurious = n->packets_spurious;
    out->packets_acked = n->packets_acked;
    out->bytes_acked = c->recovery.delivered;
    out->packets_duplicate = n->packets_duplicate;
    out->packets_undecryptable = n->packets_undecryptable;
    out->packets_reordered = n->packets_reordered;
    out->acks_sent = n->acks_sent;
    out->acks_received = n->acks_received;
    out->pto_count = n->pto_count;
    out->congestion_events = n->congestion_events;
    out->persistent_congestions = n->persistent_congestions;
    out->key_updates = c->close.over ? n->key_updates : c->keys.tx_phase;
}

static void stream_stats(const struct skua_connection *c, struct skua_conn_stats *out)
{
    struct skua_streams_stats s;
    skua_streams_stats(&c->streams, &s);
    out->stream_bytes_sent = s.sent;
    out->stream_bytes_retransmitted = s.resent;
    out->stream_bytes_received = s.received;
    out->stream_bytes_delivered = s.delivered;
    out->send_buffered = s.send_buffered;
    out->recv_buffered = s.recv_buffered;
    out->send_credit = s.send_credit;
    out->recv_window = s.recv_window;
    out->streams_open = s.open;
}

static void datagram_stats(const struct skua_datagrams *d, struct skua_conn_stats *out)
{
    out->datagrams_sent = d->sent;
    out->datagrams_acked = d->acked;
    out->datagrams_lost = d->lost;
    out->datagrams_unsent = d->unsendable;
    out->datagrams_received = d->received;
    out->datagrams_unread = d->unfit;
    out->memory += skua_datagrams_memory(d);
}

void skua_connection_stats(const struct skua_connection *c, struct skua_conn_stats *out)
{
    *out = (struct skua_conn_stats){
        .state = c->state, .suite = (enum skua_suite)c->suite, .controller = c->cc.ops->controller};
    path_stats(c, out);
    packet_stats(c, out);
    stream_stats(c, out);
    out->memory = sizeof *c + (c->dial != NULL ? sizeof *c->dial : 0) + out->send_buffered +
                  out->recv_buffered + c->recovery.sent.cap * sizeof(struct skua_sent) +
                  c->recovery.sent.pool_cap * sizeof(struct skua_sent_more) +
                  skua_ids_memory(&c->ids);
    if (c->datagrams != NULL) {
        datagram_stats(c->datagrams, out);
    }
}
