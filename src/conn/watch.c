/* What a trace sink hears of frames (base/trace.def says what the arguments mean).
 *
 * Frames that are sent are read back from the packet before it is sealed: so whoever writes a frame
 * need not tell, and without a sink a packet costs one branch, however many frames it has. */
#include "conn/internal.h"

static void watch_ack(const struct skua_connection *c, enum skua_trace_type type,
                      const struct skua_frame *f, skua_time now)
{
    struct skua_range range = {.first = 0};
    (void)skua_ack_frame_ranges(&f->ack, &range, 1);
    skua_conn_trace(c, type, SKUA_TRACE_ARGS(f->type, range.last, range.first, f->ack.range_count),
                    now);
}

void skua_watch_frame(const struct skua_connection *c, enum skua_trace_type type,
                      const struct skua_frame *f, skua_time now)
{
    uint64_t a = 0, b = 0, d = 0;
    uint64_t number = f->type;
    switch ((enum skua_frame_type)f->type) {
    case SKUA_FRAME_PADDING:
        a = f->padding;
        break;
    case SKUA_FRAME_PING:
    case SKUA_FRAME_FIN_ACK:
        break;
    case SKUA_FRAME_ACK:
    case SKUA_FRAME_ACK_ECN:
        watch_ack(c, type, f, now);
        return;
    case SKUA_FRAME_RESET_STREAM:
        a = f->reset_stream.id;
        b = f->reset_stream.code;
        d = f->reset_stream.final_size;
        break;
    case SKUA_FRAME_STOP_SENDING:
        a = f->stop_sending.id;
        b = f->stop_sending.code;
        break;
    case SKUA_FRAME_STREAM:
        number |= f->stream.fin ? SKUA_STREAM_BIT_FIN : 0u;
        a = f->stream.id;
        b = f->stream.offset;
        d = f->stream.len;
        break;
    case SKUA_FRAME_MAX_DATA:
    case SKUA_FRAME_MAX_STREAMS_BIDI:
    case SKUA_FRAME_MAX_STREAMS_UNI:
    case SKUA_FRAME_DATA_BLOCKED:
    case SKUA_FRAME_STREAMS_BLOCKED_BIDI:
    case SKUA_FRAME_STREAMS_BLOCKED_UNI:
        a = f->max;
        break;
    case SKUA_FRAME_MAX_STREAM_DATA:
    case SKUA_FRAME_STREAM_DATA_BLOCKED:
        a = f->stream_max.id;
        b = f->stream_max.max;
        break;
    case SKUA_FRAME_NEW_CONNECTION_ID:
        a = f->new_id.sequence;
        b = f->new_id.retire_prior;
        break;
    case SKUA_FRAME_RETIRE_CONNECTION_ID:
        a = f->retire_id;
        break;
    case SKUA_FRAME_PATH_CHALLENGE:
    case SKUA_FRAME_PATH_RESPONSE:
        a = f->path;
        break;
    case SKUA_FRAME_FIN:
        a = f->fin.bidi;
        b = f->fin.uni;
        d = f->fin.total;
        break;
    case SKUA_FRAME_RST:
        a = f->rst.application;
        b = f->rst.code;
        d = f->rst.frame_type;
        break;
    case SKUA_FRAME_CONSUMED:
    case SKUA_FRAME_CONFIRM_READ:
        a = f->stream_end.id;
        b = f->stream_end.offset;
        break;
    case SKUA_FRAME_ACK_FREQUENCY:
        a = f->ack_frequency.sequence;
        b = f->ack_frequency.packets;
        break;
    case SKUA_FRAME_NEW_TOKEN:
        a = f->new_token.len;
        break;
    case SKUA_FRAME_DATAGRAM:
        a = f->datagram.len;
        break;
    }
    skua_conn_trace(c, type, SKUA_TRACE_ARGS(number, a, b, d), now);
}

void skua_watch_frames_sent(const struct skua_connection *c, const uint8_t *frames, size_t len,
                            skua_time now)
{
    struct skua_reader r = skua_reader_of(frames, len);
    while (skua_reader_left(&r) > 0) {
        struct skua_frame frame;
        enum skua_code code = skua_frame_read(&r, &frame);
        SKUA_ASSERT(code == SKUA_CODE_NO_ERROR); /* we wrote it */
        skua_watch_frame(c, SKUA_TRACE_FRAME_SENT, &frame, now);
    }
}
