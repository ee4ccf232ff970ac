/* What each frame means: from a packet's bytes to calls on streams, recovery and close.
 *
 * Rules that depend on the packet (CONFIRM or DATA), on the sender's FIN and on our state come from
 * the table wire/frames.def; what belongs to streams is checked there. The first violation ends the
 * loop and the connection. */
#include "conn/internal.h"

#include "base/limits.h"

/* May a frame of this kind stand where it stands? */
static enum skua_code check_place(const struct skua_connection *c,
                                  const struct skua_frame_info *info,
                                  const struct skua_frame_origin *origin)
{
    if (origin->confirm && !info->in_confirm) {
        return SKUA_CODE_PROTOCOL;
    }
    if (c->close.peer_fin && info->after_fin == SKUA_AFTER_FIN_NO &&
        origin->pn > c->close.fin.peer_fin_pn) {
        return SKUA_CODE_CLOSE_STATE;
    }
    return SKUA_CODE_NO_ERROR;
}

/* Does a frame still mean anything in our state? An old repeat does not. */
static bool has_effect(const struct skua_connection *c, const struct skua_frame_info *info)
{
    switch (info->states) {
    case SKUA_FRAME_STATES_ANY:
        return true;
    case SKUA_FRAME_STATES_PEER_SENDS:
        return !c->close.peer_complete;
    case SKUA_FRAME_STATES_SELF_SENDS:
        return !c->close.fin_acked;
    }
    return true;
}

static enum skua_code recv_stream_frame(struct skua_connection *c, const struct skua_frame *f)
{
    struct skua_streams *s = &c->streams;
    switch ((enum skua_frame_type)f->type) {
    case SKUA_FRAME_STREAM:
        return skua_streams_on_stream(s, &f->stream, true);
    case SKUA_FRAME_RESET_STREAM:
        return skua_streams_on_reset_stream(s, f->reset_stream.id, f->reset_stream.code,
                                            f->reset_stream.final_size);
    case SKUA_FRAME_STOP_SENDING:
        return skua_streams_on_stop_sending(s, f->stop_sending.id, f->stop_sending.code);
    case SKUA_FRAME_MAX_DATA:
        return skua_streams_on_max_data(s, f->max);
    case SKUA_FRAME_MAX_STREAM_DATA:
        return skua_streams_on_max_stream_data(s, f->stream_max.id, f->stream_max.max);
    case SKUA_FRAME_MAX_STREAMS_BIDI:
        return skua_streams_on_max_streams(s, SKUA_STREAM_BIDI, f->max);
    case SKUA_FRAME_MAX_STREAMS_UNI:
        return skua_streams_on_max_streams(s, SKUA_STREAM_UNI, f->max);
    case SKUA_FRAME_DATA_BLOCKED:
        return skua_streams_on_data_blocked(s, f->max);
    case SKUA_FRAME_STREAM_DATA_BLOCKED:
        return skua_streams_on_stream_data_blocked(s, f->stream_max.id, f->stream_max.max);
    case SKUA_FRAME_STREAMS_BLOCKED_BIDI:
        return skua_streams_on_streams_blocked(s, SKUA_STREAM_BIDI, f->max);
    case SKUA_FRAME_STREAMS_BLOCKED_UNI:
        return skua_streams_on_streams_blocked(s, SKUA_STREAM_UNI, f->max);
    case SKUA_FRAME_CONSUMED:
        skua_acks_set_immediate(&c->rx.acks); /* the peer's FIN waits for it */
        return skua_streams_on_consumed(s, f->stream_end.id, f->stream_end.offset);
    case SKUA_FRAME_CONFIRM_READ:
        return skua_streams_on_confirm_read(s, f->stream_end.id, f->stream_end.offset);
    case SKUA_FRAME_DATAGRAM:
    case SKUA_FRAME_NEW_CONNECTION_ID:
    case SKUA_FRAME_RETIRE_CONNECTION_ID:
    case SKUA_FRAME_PATH_CHALLENGE:
    case SKUA_FRAME_PATH_RESPONSE:
    case SKUA_FRAME_PADDING:
    case SKUA_FRAME_PING:
    case SKUA_FRAME_ACK:
    case SKUA_FRAME_ACK_ECN:
    case SKUA_FRAME_FIN:
    case SKUA_FRAME_FIN_ACK:
    case SKUA_FRAME_NEW_TOKEN:
    case SKUA_FRAME_RST:
    case SKUA_FRAME_ACK_FREQUENCY:
        break;
    }
    return SKUA_CODE_FRAME_ENCODING;
}

/* Packets may overtake each other: only the newest wish counts. */
static void recv_ack_frequency(struct skua_connection *c, const struct skua_frame *f)
{
    if (f->ack_frequency.sequence >= c->rx.ack_sequence) {
        c->rx.ack_sequence = f->ack_frequency.sequence + 1;
        skua_acks_set_tolerance(&c->rx.acks, f->ack_frequency.packets);
    }
}

static enum skua_code recv_new_id(struct skua_connection *c, const struct skua_frame *f)
{
    uint32_t before = c->ids.peer_sequence;
    enum skua_code code = skua_ids_on_new(&c->ids, &c->env->heap, f);
    if (c->ids.peer_sequence != before) { /* the peer wanted the one in use given up */
        skua_conn_mark(c, SKUA_MARK_TOKEN);
    }
    return code;
}

static enum skua_code recv_retire_id(struct skua_connection *c,
                                     const struct skua_frame_origin *origin,
                                     const struct skua_frame *f)
{
    bool gone;
    enum skua_code code =
        skua_ids_on_retire(&c->ids, f->retire_id, origin->arrival->head->dcid, &gone);
    if (gone) {
        skua_conn_mark(c, SKUA_MARK_IDS);
    }
    return code;
}

static enum skua_code recv_frame(struct skua_connection *c, const struct skua_frame_origin *origin,
                                 const struct skua_frame *f, skua_time now)
{
    switch ((enum skua_frame_type)f->type) {
    case SKUA_FRAME_PADDING:
    case SKUA_FRAME_PING:
        return SKUA_CODE_NO_ERROR;
    case SKUA_FRAME_ACK:
    case SKUA_FRAME_ACK_ECN:
        return skua_fate_on_ack(c, &f->ack, origin->phase, now);
    case SKUA_FRAME_FIN:
        return skua_close_on_fin(c, f, origin->pn);
    case SKUA_FRAME_FIN_ACK:
        return skua_close_on_fin_ack(c, now);
    case SKUA_FRAME_ACK_FREQUENCY:
        recv_ack_frequency(c, f);
        return SKUA_CODE_NO_ERROR;
    case SKUA_FRAME_NEW_TOKEN:
        return skua_token_recv(c, f);
    case SKUA_FRAME_RST:
        skua_close_on_rst(c, f, now);
        return SKUA_CODE_NO_ERROR;
    case SKUA_FRAME_DATAGRAM:
        return skua_datagram_on_frame(c, f);
    case SKUA_FRAME_NEW_CONNECTION_ID:
        return recv_new_id(c, f);
    case SKUA_FRAME_RETIRE_CONNECTION_ID:
        return recv_retire_id(c, origin, f);
    case SKUA_FRAME_PATH_CHALLENGE:
        skua_migrate_on_challenge(c, f->path, origin->arrival);
        return SKUA_CODE_NO_ERROR;
    case SKUA_FRAME_PATH_RESPONSE:
        skua_migrate_on_response(c, f->path, origin->arrival, now);
        return SKUA_CODE_NO_ERROR;
    case SKUA_FRAME_RESET_STREAM:
    case SKUA_FRAME_STOP_SENDING:
    case SKUA_FRAME_STREAM:
    case SKUA_FRAME_CONSUMED:
    case SKUA_FRAME_CONFIRM_READ:
    case SKUA_FRAME_DATA_BLOCKED:
    case SKUA_FRAME_STREAM_DATA_BLOCKED:
    case SKUA_FRAME_STREAMS_BLOCKED_BIDI:
    case SKUA_FRAME_STREAMS_BLOCKED_UNI:
        break;
    case SKUA_FRAME_MAX_DATA:
    case SKUA_FRAME_MAX_STREAM_DATA:
    case SKUA_FRAME_MAX_STREAMS_BIDI:
    case SKUA_FRAME_MAX_STREAMS_UNI:
        skua_timers_on_credit(c);
        break;
    }
    return recv_stream_frame(c, f);
}

enum skua_code skua_frames_recv(struct skua_connection *c, struct skua_frame_origin *origin,
                                const uint8_t *frames, size_t len, skua_time now)
{
    struct skua_reader r = skua_reader_of(frames, len);
    unsigned seen = 0;
    if (len == 0) {
        return SKUA_CODE_PROTOCOL; /* RFC 9000 §12.4: a packet without frames */
    }
    while (skua_reader_left(&r) > 0 && !c->close.ended) {
        struct skua_frame frame;
        enum skua_code code = skua_frame_read(&r, &frame);
        origin->type = frame.type;
        if (code != SKUA_CODE_NO_ERROR) {
            return code;
        }
        const struct skua_frame_info *info = skua_frame_info(frame.type);
        SKUA_ASSERT(info != NULL);
        origin->eliciting = origin->eliciting || info->eliciting;
        code = check_place(c, info, origin);
        if (code == SKUA_CODE_NO_ERROR && frame.type != SKUA_FRAME_PADDING &&
            ++seen > SKUA_LIMIT_FRAMES_PER_PACKET) {
            code = SKUA_CODE_PROTOCOL;
        }
        if (code == SKUA_CODE_NO_ERROR && has_effect(c, info)) {
            if (skua_trace_on(&c->env->trace)) {
                skua_watch_frame(c, SKUA_TRACE_FRAME_RECEIVED, &frame, now);
            }
            code = recv_frame(c, origin, &frame, now);
        }
        if (code != SKUA_CODE_NO_ERROR) {
            return code;
        }
    }
    return SKUA_CODE_NO_ERROR;
}
