/* The connection's own frames: ACK, ACK_FREQUENCY, PING, FIN, FIN_ACK, RST.
 *
 * Each has a "due" flag that facts set and that sending clears; a lost packet sets it again
 * (fate.c). So there is never more than one of each waiting, whatever a peer does. */
#include "conn/internal.h"

#include "base/limits.h"

/* Our ACK delays are in units of 8 us: the default exponent (RFC 9000 §18.2). */
enum { ACK_DELAY_EXPONENT = 3 };

static void note(struct skua_fill *fill, uint64_t id, enum skua_frame_type type)
{
    SKUA_ASSERT(fill->count < SKUA_RECORDS_PER_PACKET);
    fill->records[fill->count++] = (struct skua_record){.id = id, .type = (uint16_t)type};
}

void skua_control_ack(struct skua_connection *c, struct skua_fill *fill, skua_time now)
{
    struct skua_acks *acks = &c->rx.acks;
    struct skua_range ranges[SKUA_LIMIT_ACK_RANGES_SENT];
    size_t n = skua_acks_ranges(acks, ranges, SKUA_LIMIT_ACK_RANGES_SENT);
    uint64_t delay = skua_acks_delay(acks, now) / SKUA_USEC >> ACK_DELAY_EXPONENT;
    const uint64_t counts[] = {acks->marks[SKUA_ECN_ECT0 - 1], acks->marks[SKUA_ECN_ECT1 - 1],
                               acks->marks[SKUA_ECN_CE - 1]};
    const uint64_t *ecn = skua_acks_saw_ecn(acks) ? counts : NULL;
    if (n > 0 && skua_ack_frame_write(&fill->w, ranges, n, delay, ecn) > 0) {
        fill->ack = true;
        note(fill, ranges[0].last, SKUA_FRAME_ACK);
    }
}

void skua_control_ack_frequency(struct skua_connection *c, struct skua_fill *fill)
{
    struct skua_frame frame = {.type = SKUA_FRAME_ACK_FREQUENCY};
    frame.ack_frequency.sequence = c->tx.ack_sequence;
    frame.ack_frequency.packets = c->tx.ack_packets;
    if (fill->count < SKUA_RECORDS_PER_PACKET &&
        skua_writer_left(&fill->w) >= skua_frame_len(&frame)) {
        skua_frame_write(&fill->w, &frame);
        note(fill, c->tx.ack_sequence, SKUA_FRAME_ACK_FREQUENCY);
        fill->eliciting = true;
        c->tx.ack_frequency_due = false;
    }
}

void skua_control_ids(struct skua_connection *c, struct skua_fill *fill)
{
    if (!c->ids.due || fill->count + SKUA_IDS_FRAMES > SKUA_RECORDS_PER_PACKET) {
        return;
    }
    size_t n = skua_ids_write_frames(&c->ids, &c->env->reset_key, &fill->w,
                                     fill->records + fill->count, SKUA_IDS_FRAMES);
    fill->count += n;
    fill->eliciting = fill->eliciting || n > 0;
}

/* May FIN leave, and what does it say? Every byte was sent, and so was every datagram. */
static bool fin_ready(const struct skua_connection *c, struct skua_streams_totals *totals)
{
    return c->close.fin_due && skua_streams_totals(&c->streams, totals) &&
           !skua_datagram_wants_send(c);
}

bool skua_control_wants_send(const struct skua_connection *c)
{
    struct skua_streams_totals totals;
    return c->tx.ping || c->close.fin_ack_due || c->ids.urgent || c->token_due ||
           fin_ready(c, &totals);
}

/* Writes a frame of a few bytes where there is room; then it is no longer due. */
static void write_due(struct skua_fill *fill, const struct skua_frame *frame, bool *due)
{
    if (fill->count == SKUA_RECORDS_PER_PACKET ||
        skua_writer_left(&fill->w) < skua_frame_len(frame)) {
        return;
    }
    skua_frame_write(&fill->w, frame);
    note(fill, 0, (enum skua_frame_type)frame->type);
    fill->eliciting = true;
    *due = false;
}

void skua_control_close(struct skua_connection *c, struct skua_fill *fill)
{
    struct skua_streams_totals totals;
    bool fin_due = fin_ready(c, &totals);
    /* Whoever sends FIN second keeps no record: the FIN_ACK that answers it ends all. So each such
     * FIN takes the own FIN_ACK along, lest an earlier one was lost. */
    if (c->close.fin_ack_due || (fin_due && c->close.peer_complete)) {
        const struct skua_frame fin_ack = {.type = SKUA_FRAME_FIN_ACK};
        write_due(fill, &fin_ack, &c->close.fin_ack_due);
    }
    if (fin_due) {
        struct skua_frame fin = {.type = SKUA_FRAME_FIN};
        fin.fin.bidi = totals.bidi;
        fin.fin.uni = totals.uni;
        fin.fin.total = totals.total;
        write_due(fill, &fin, &c->close.fin_due);
        fill->fin = !c->close.fin_due;
    }
}

void skua_control_ping(struct skua_connection *c, struct skua_fill *fill)
{
    if (c->tx.ping && !fill->eliciting && skua_writer_left(&fill->w) >= 1) {
        const struct skua_frame ping = {.type = SKUA_FRAME_PING};
        skua_frame_write(&fill->w, &ping);
        fill->eliciting = true;
    }
    if (fill->eliciting) {
        c->tx.ping = false;
    }
}

void skua_control_rst(struct skua_connection *c, struct skua_fill *fill, size_t reason_max)
{
    struct skua_frame rst = {.type = SKUA_FRAME_RST};
    size_t len = c->close.reason_len < reason_max ? c->close.reason_len : reason_max;
    rst.rst.application = c->close.application ? 1 : 0;
    rst.rst.code = c->close.end.code;
    rst.rst.frame_type = c->close.end.frame_type;
    rst.rst.reason = (const uint8_t *)c->close.end.reason;
    rst.rst.reason_len = len;
    skua_frame_write(&fill->w, &rst);
    SKUA_ASSERT(!fill->w.failed);
}
