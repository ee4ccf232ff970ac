/* A datagram out: fill, seal, note, in one pass and without allocation.
 *
 * What may leave is decided here, in RFC 9002's terms: ACKs always; everything else within the
 * congestion window and the pacer's budget; a PTO's probes in spite of both. All datagrams of one
 * call have one size, but for the last, so that the kernel can segment them (UDP_SEGMENT). */
#include "conn/internal.h"

#include "base/limits.h"
#include "base/rng.h"
#include "base/time.h"
#include "packet/seal.h"

/* After so many packets that the peer does not acknowledge, one carries a PING: else the peer's
 * acknowledgement of our ACKs, which lets us forget old ranges, would never come (RFC 9000
 * §13.2.4). */
enum { ACK_ONLY_RUN_MAX = 32 };

/* A packet number is skipped once in this many packets or somewhat more (RFC 9000 §21.4: optimistic
 * ACKs). */
enum { SKIP_EVERY = 512 };

/* Where a packet cannot be noted (no memory, or as many unacknowledged as allowed) this is how long
 * the next attempt waits. */
#define HOLD_NS (10 * SKUA_MSEC)

/* Does the third step still have to travel in each packet? */
static bool carries_message3(const struct skua_connection *c)
{
    return c->dial != NULL && !c->confirmed && c->dial->initiator.message3_len > 0;
}

static size_t room_of(const struct skua_connection *c, size_t size)
{
    const struct skua_id own = skua_ids_own(&c->ids);
    size_t header = carries_message3(c) ? skua_confirm_header_len(&c->ids.peer, &own,
                                                                  c->dial->initiator.message3_len)
                                        : skua_data_header_len(c->ids.peer.len);
    return size - header - skua_packet_overhead(&c->keys);
}

size_t skua_tx_room(const struct skua_connection *c)
{
    return room_of(c, c->pmtud.mtu);
}

size_t skua_tx_trusted_room(const struct skua_connection *c)
{
    return room_of(c, skua_pmtud_trusted(&c->pmtud));
}

static size_t header_write(struct skua_connection *c, uint8_t *buf, size_t size,
                           const struct skua_id *dcid)
{
    struct skua_writer w = skua_writer_of(buf, size);
    uint64_t pn = skua_recovery_next_pn(&c->recovery);
    if (carries_message3(c)) {
        const struct skua_initiator *i = &c->dial->initiator;
        const struct skua_id own = skua_ids_own(&c->ids);
        skua_confirm_header_write(&w, dcid, &own, i->message3, i->message3_len, pn);
    } else {
        skua_data_header_write(&w, dcid, pn, skua_keys_tx_bit(&c->keys));
    }
    SKUA_ASSERT(!w.failed);
    return skua_writer_len(&w);
}

/* Leaves out a packet number now and then; between batches, so that a batch has consecutive ones.
 */
static bool skip_number(struct skua_connection *c)
{
    if (skua_recovery_next_pn(&c->recovery) < c->tx.skip_pn) {
        return true;
    }
    if (c->tx.skip_pn != 0 &&
        skua_recovery_skip(&c->recovery, skua_recovery_next_pn(&c->recovery)) != SKUA_OK) {
        return false;
    }
    c->tx.skip_pn = skua_recovery_next_pn(&c->recovery) + SKIP_EVERY / 2 +
                    skua_rng_below(&c->env->rng, SKIP_EVERY);
    return true;
}

bool skua_tx_begin(struct skua_connection *c, struct skua_fill *fill, uint8_t *buf, size_t size)
{
    return skua_tx_begin_to(c, fill, buf, size, &c->ids.peer);
}

bool skua_tx_begin_to(struct skua_connection *c, struct skua_fill *fill, uint8_t *buf, size_t size,
                      const struct skua_id *dcid)
{
    if (skua_recovery_reserve(&c->recovery, 1, SKUA_RECORDS_PER_PACKET) != SKUA_OK) {
        return false;
    }
    fill->type = carries_message3(c) ? SKUA_PACKET_CONFIRM : SKUA_PACKET_DATA;
    size_t header = header_write(c, buf, size, dcid);
    size_t tag = skua_packet_overhead(&c->keys);
    SKUA_ASSERT(size > header + tag);
    fill->w = skua_writer_of(buf + header, size - header - tag);
    fill->count = 0;
    fill->eliciting = false;
    fill->ack = false;
    fill->fin = false;
    fill->allow_data = false;
    return true;
}

/* Everything that follows from a sealed packet. */
static void note_sent(struct skua_connection *c, const struct skua_fill *fill, size_t size,
                      uint8_t flags, skua_time now)
{
    uint64_t pn = skua_recovery_next_pn(&c->recovery);
    const struct skua_sent_info info = {
        .size = (uint32_t)size, .flags = flags, .records = fill->records, .count = fill->count};
    enum skua_err err = skua_recovery_on_sent(&c->recovery, pn, &info, now);
    SKUA_ASSERT(err == SKUA_OK); /* reserved by skua_tx_begin */
    /* RFC 9002 §7.7: ACKs are not paced, and must not use up what credit updates need. A probe of
     * the MTU or of another path is rare, and outside of every window. */
    if ((flags & (SKUA_SENT_IN_FLIGHT | SKUA_SENT_APART)) == SKUA_SENT_IN_FLIGHT) {
        skua_pacer_on_sent(&c->pacer, size, now);
        const struct skua_cc_sent sent = {.pn = pn,
                                          .bytes = (uint32_t)size,
                                          .bytes_in_flight = c->recovery.bytes_in_flight - size};
        skua_cc_on_sent(&c->cc, &sent, now);
    }
    if (fill->ack) {
        skua_acks_on_sent(&c->rx.acks);
        c->count.acks_sent++;
    }
    if ((flags & SKUA_SENT_ECT) != 0) {
        skua_ecn_on_sent(&c->ecn);
    }
    if (fill->eliciting) {
        c->tx.ack_only_run = 0;
        skua_timers_on_eliciting_sent(c, now);
    } else if (c->tx.ack_only_run < UINT8_MAX) {
        c->tx.ack_only_run++;
    }
    if (fill->fin) {
        skua_close_on_fin_sent(c, now);
    }
    c->count.packets_sent++;
    c->count.bytes_sent += size;
    if (skua_trace_on(&c->env->trace)) {
        skua_conn_trace(c, SKUA_TRACE_PACKET_SENT,
                        SKUA_TRACE_ARGS(fill->type, pn, size, c->recovery.bytes_in_flight), now);
    }
}

size_t skua_tx_seal(struct skua_connection *c, struct skua_fill *fill, uint8_t *buf, uint8_t flags,
                    skua_time now)
{
    SKUA_ASSERT(!fill->w.failed);
    size_t header = (size_t)(fill->w.begin - buf);
    size_t tag = skua_packet_overhead(&c->keys);
    size_t len = header + skua_writer_len(&fill->w) + tag;
    if (fill->eliciting && len < SKUA_ELICITING_MIN) {
        skua_writer_zero(&fill->w, SKUA_ELICITING_MIN - len);
        SKUA_ASSERT(!fill->w.failed);
    }
    const struct skua_sealing sealing = {
        .data = buf,
        .header_len = header,
        .len = header + skua_writer_len(&fill->w),
        .cap = (size_t)(fill->w.end - buf) + tag,
        .pn = skua_recovery_next_pn(&c->recovery),
    };
    if (skua_trace_on(&c->env->trace)) {
        skua_watch_frames_sent(c, fill->w.begin, skua_writer_len(&fill->w), now);
    }
    if (fill->ack) {
        skua_keys_on_ack_sent(&c->keys, c->rx.acks.largest);
    }
    size_t total = 0;
    if (!skua_packet_seal(&c->keys, c->env->cache, &sealing, &total)) {
        return 0;
    }
    if (fill->eliciting) {
        flags |= SKUA_SENT_ELICITING | SKUA_SENT_IN_FLIGHT;
    }
    if (c->tx.ect) {
        flags |= SKUA_SENT_ECT;
    }
    note_sent(c, fill, total, flags, now);
    return total;
}

/* Have streams or datagrams something to send? */
static bool wants_data(const struct skua_connection *c)
{
    return skua_streams_wants_send(&c->streams) || skua_datagram_wants_send(c);
}

static void fill_streams(struct skua_connection *c, struct skua_fill *fill, skua_time now)
{
    size_t n = skua_streams_write_frames(&c->streams, &fill->w, fill->records + fill->count,
                                         SKUA_RECORDS_PER_PACKET - 2 - fill->count,
                                         c->recovery.rtt.smoothed, now);
    fill->count += n;
    fill->eliciting = fill->eliciting || n > 0;
}

/* Frames of streams and datagrams, in turn. */
static void fill_data(struct skua_connection *c, struct skua_fill *fill, skua_time now)
{
    if (!skua_datagram_wants_send(c)) {
        fill_streams(c, fill, now);
    } else if (skua_datagram_goes_first(c)) {
        c->datagrams->yields = skua_datagram_fill(c, fill, now);
        fill_streams(c, fill, now);
    } else {
        c->datagrams->yields = false;
        fill_streams(c, fill, now);
        (void)skua_datagram_fill(c, fill, now);
    }
}

/* A look, and no call, for nearly all packets. */
static inline void fill_close(struct skua_connection *c, struct skua_fill *fill)
{
    if (c->close.fin_due || c->close.fin_ack_due) {
        skua_control_close(c, fill);
    }
}

/* Puts into one packet behind those in `tx` what there is to say. Returns its length; 0 where there
 * is nothing, or nothing allowed. */
static size_t build(struct skua_connection *c, const struct skua_tx *tx, size_t size,
                    bool allow_data, skua_time now)
{
    uint8_t *buf = tx->data + tx->len;
    struct skua_fill fill;
    bool ack_due = skua_acks_due(&c->rx.acks, now);
    bool data = allow_data && wants_data(c);
    if (!ack_due && !data && !(allow_data && skua_control_wants_send(c))) {
        return 0;
    }
    if (!skua_tx_begin(c, &fill, buf, size)) {
        c->tx.hold_until = skua_time_add(now, HOLD_NS);
        return 0;
    }
    fill.allow_data = allow_data;
    if (c->confirmed) {
        size_t keep = c->datagrams != NULL ? skua_datagram_keep(c, &fill, ack_due) : 0;
        fill.w.end -= keep;
        if (skua_acks_pending(&c->rx.acks)) {
            skua_control_ack(c, &fill, now);
        }
        fill.w.end += keep;
    }
    if (allow_data) {
        if (c->token_due) {
            skua_token_fill(c, &fill); /* before a FIN_ACK, which may end all */
        }
        fill_close(c, &fill);
        if (data) {
            skua_control_ids(c, &fill);
            if (c->tx.ack_frequency_due) {
                skua_control_ack_frequency(c, &fill);
            }
            fill_data(c, &fill, now);
            fill_close(c, &fill);
        }
        c->tx.ping = c->tx.ping || c->tx.ack_only_run >= ACK_ONLY_RUN_MAX;
        skua_control_ping(c, &fill);
        if (fill.eliciting || c->ids.urgent) {
            skua_control_ids(c, &fill);
        }
    }
    if (!fill.eliciting) {
        /* A packet of ACKs bears no mark, so it cannot join those that do. */
        if (!fill.ack || !ack_due || tx->len > 0) {
            return 0;
        }
        c->tx.ect = false;
    }
    return skua_tx_seal(c, &fill, buf, 0, now);
}

bool skua_tx_is_bulk(const struct skua_connection *c)
{
    return c->tx.cwnd_limited || c->tx.pacing_limited ||
           (c->tx.room_limited &&
            c->recovery.bytes_in_flight >= skua_cc_initial_window(c->pmtud.mtu));
}

bool skua_tx_may_probe(const struct skua_connection *c)
{
    /* Larger packets would help, or it must be known whether the path still takes them. */
    bool wanted = skua_tx_is_bulk(c) || c->pmtud.suspect != 0;
    /* Once FIN has left, all has been sent. It waits for datagrams, and these for the judgement. */
    return wanted && c->confirmed && !c->close.fin_sent;
}

/* Buffers of the caller's that are smaller than what the path takes bound the size as a link does.
 */
static void bound_by_buffer(struct skua_connection *c, const struct skua_tx *tx, skua_time now)
{
    uint32_t old = c->pmtud.mtu;
    if (skua_pmtud_on_too_big(&c->pmtud, (uint32_t)tx->cap + 1)) {
        skua_fate_set_mtu(c, old, now);
    }
}

/* A PMTUD probe, where one is due: a PING padded to the size to be tried (RFC 8899 §5.3). */
static bool send_probe(struct skua_connection *c, struct skua_tx *tx, skua_time now)
{
    if (!skua_tx_may_probe(c)) {
        return false;
    }
    uint32_t size = skua_pmtud_probe_size(&c->pmtud, now);
    struct skua_fill fill;
    if (size > tx->cap) {
        bound_by_buffer(c, tx, now);
        return false;
    }
    if (size == 0 || c->recovery.bytes_in_flight > c->cc.cwnd ||
        !skua_tx_begin(c, &fill, tx->data, size)) {
        return false;
    }
    const struct skua_frame ping = {.type = SKUA_FRAME_PING};
    skua_frame_write(&fill.w, &ping);
    skua_writer_zero(&fill.w, skua_writer_left(&fill.w));
    fill.eliciting = true;
    tx->len = skua_tx_seal(c, &fill, tx->data, SKUA_SENT_MTU_PROBE, now);
    tx->segment_size = tx->len;
    skua_pmtud_on_probe_sent(&c->pmtud, size);
    c->count.mtu_probes_sent++;
    return tx->len > 0;
}

/* May an ack-eliciting packet of `size` bytes leave now? */
static bool window_open(struct skua_connection *c, size_t size, uint64_t budget, skua_time now)
{
    c->tx.pace_at = SKUA_NEVER;
    if (c->tx.probes > 0) {
        return true;
    }
    c->tx.cwnd_limited = skua_cc_room(&c->cc, c->recovery.bytes_in_flight) < size;
    c->tx.pacing_limited = budget == 0;
    if (c->tx.pacing_limited && !c->tx.cwnd_limited) {
        c->tx.pace_at = skua_pacer_next(&c->pacer, now);
    }
    return !c->tx.cwnd_limited && !c->tx.pacing_limited;
}

/* Keys that are used up end the connection; keys that are due are changed. */
static bool keys_ready(struct skua_connection *c, skua_time now)
{
    if (skua_keys_exhausted(&c->keys)) {
        skua_close_fail(c, SKUA_CODE_AEAD_LIMIT, 0, "", now);
        return false;
    }
    skua_keys_on_timeout(&c->keys, c->env->cache, now);
    if ((c->tx.update_keys || skua_keys_update_due(&c->keys)) &&
        skua_keys_update(&c->keys, c->env->cache)) {
        c->tx.update_keys = false;
        skua_conn_trace(c, SKUA_TRACE_KEY_PHASE,
                        SKUA_TRACE_ARGS(c->keys.tx_phase, skua_recovery_next_pn(&c->recovery), 1),
                        now);
    }
    return true;
}

/* Are the ack-eliciting packets of a batch to be marked? From a PTO until an ACK every other batch
 * bears no mark, the PTO's probe to begin with: what arrives tells a path that swallows marks from
 * one that is down or takes no large packets (path/ecn.h). */
static bool wants_mark(const struct skua_connection *c)
{
    bool heard = c->recovery.pto_count == 0;
    return c->confirmed && skua_ecn_marks(&c->ecn) && (c->tx.mark_next || heard);
}

/* Size of the next packet. */
static size_t packet_size(const struct skua_connection *c)
{
    uint8_t probes = c->tx.probes;
    return probes == 0 ? c->pmtud.mtu
                       : skua_pmtud_pto_size(&c->pmtud, c->recovery.pto_count, probes - 1u);
}

/* A PTO's probe has left. A large one is not the last: at least a PING is to follow. */
static void count_probe(struct skua_connection *c, size_t len)
{
    c->tx.probes--;
    c->tx.ping = c->tx.ping || (c->tx.probes > 0 && len > SKUA_LIMIT_UDP_MIN);
}

/* As many packets of one size as there is cause, window, budget and room for, and `most`. */
static void fill_batch(struct skua_connection *c, struct skua_tx *tx, size_t most, skua_time now)
{
    size_t size = packet_size(c);
    uint64_t budget = skua_pacer_budget(&c->pacer, now);
    size_t first = 0;
    bool stopped = false; /* with room left */
    c->tx.ect = wants_mark(c);
    for (size_t i = 0; !stopped && i < most && tx->cap - tx->len >= size; i++) {
        bool open = window_open(c, size, budget, now);
        size_t len = build(c, tx, size, open, now);
        if (len == 0) {
            c->tx.probes = 0; /* what is left of them is not saved up for later */
            stopped = true;
            continue;
        }
        first = first == 0 ? len : first;
        tx->len += len;
        budget = budget > len ? budget - len : 0;
        if (c->tx.probes > 0) {
            count_probe(c, len);
        }
        stopped = len < first || len < size; /* a shorter one is the last */
        size = packet_size(c) < first ? packet_size(c) : first;
    }
    c->tx.room_limited = !stopped && wants_data(c);
    tx->segment_size = first;
    tx->ecn = c->tx.ect ? SKUA_ECN_ECT0 : SKUA_ECN_NOT_ECT;
    if (tx->len > 0 && c->tx.ack_only_run == 0) {
        c->tx.mark_next = !c->tx.ect && skua_ecn_marks(&c->ecn);
    }
    if (tx->len == 0 && !c->tx.cwnd_limited && !c->tx.pacing_limited) {
        skua_recovery_on_app_limited(&c->recovery);
    }
}

void skua_connection_send(struct skua_connection *c, struct skua_tx *tx, skua_time now)
{
    tx->len = 0;
    tx->segment_size = 0;
    tx->ecn = SKUA_ECN_NOT_ECT;
    c->tx.ect = false;
    tx->path = c->path;
    tx->conn = c->handle;
    tx->first_pn = UINT64_MAX;
    if (c->close.over) {
        return;
    }
    skua_conn_mark(c, SKUA_MARK_DEADLINE);
    if (c->state == SKUA_STATE_SYN_SENT) {
        skua_dial_send(c, tx, now);
        return;
    }
    if (skua_close_send(c, tx, now)) {
        return;
    }
    if (!keys_ready(c, now)) {
        (void)skua_close_send(c, tx, now);
        return;
    }
    if (!skip_number(c)) {
        c->tx.hold_until = skua_time_add(now, HOLD_NS);
        return;
    }
    tx->first_pn = skua_recovery_next_pn(&c->recovery);
    c->tx.hold_until = SKUA_NEVER;
    if (c->early_open) {
        c->tx.pace_at = SKUA_NEVER;
        if (!skua_early_may_send(c)) {
            c->tx.hold_until = skua_early_deadline(c); /* RFC 9002 §6.2.2.1: no PTO meanwhile */
            return;
        }
    }
    if (c->pmtud.mtu > tx->cap) {
        bound_by_buffer(c, tx, now);
    }
    if (c->migration != NULL && skua_migrate_send(c, tx, now)) {
        return;
    }
    if (!send_probe(c, tx, now)) {
        fill_batch(c, tx, c->early_open ? 1 : tx->max_segments, now);
    }
    if (tx->len == 0) {
        skua_timers_after_send(c, now);
    }
}

void skua_connection_too_large(struct skua_connection *c, const struct skua_tx *tx, skua_time now)
{
    uint32_t old = c->pmtud.mtu;
    if (skua_pmtud_on_too_big(&c->pmtud, (uint32_t)tx->segment_size)) {
        c->count.mtu_refusals++;
        skua_fate_set_mtu(c, old, now);
    }
    skua_conn_mark(c, SKUA_MARK_SEND | SKUA_MARK_DEADLINE);
}
