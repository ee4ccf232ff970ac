/* What became of the frames that were sent. RFC 9000 §13.3: bytes and control frames are not
 * repeated as they were; what is still wanted is sent anew, with the value of the moment. */
#include "base/assert.h"
#include "stream/internal.h"

/* A writer that was refused may come back when the buffer is half empty. */
static void note_room(struct skua_stream *stream)
{
    struct skua_send_side *send = &stream->send;
    if (send->wants_room && skua_send_buf_buffered(&send->buf) <= stream->streams->send_limit / 2) {
        send->wants_room = false;
        skua_stream_raise(stream, SKUA_EVENT_WRITABLE);
    }
}

/* The peer has `len` bytes from `offset` on, and where `fin` the end. */
static void bytes_acked(struct skua_stream *stream, uint64_t offset, uint64_t len, bool fin)
{
    struct skua_streams *streams = stream->streams;
    struct skua_send_side *send = &stream->send;
    if (send->state != SKUA_SEND_OPEN && send->state != SKUA_SEND_FINISHED) {
        return;
    }
    uint64_t una = send->buf.una;
    if (skua_send_buf_acked(&send->buf, &streams->mem, offset, len) != SKUA_OK) {
        streams->failed = true;
        return;
    }
    streams->send_buffered -= send->buf.una - una;
    if (fin) {
        send->fin_acked = true;
        send->fin_lost = false;
    }
    if (send->fin_acked && send->buf.una == send->buf.end) {
        skua_stream_raise(stream, SKUA_EVENT_ACKED);
        skua_stream_send_done(stream);
        (void)skua_streams_release(stream);
        return;
    }
    if (send->lent && send->buf.una != una) {
        skua_stream_raise(stream, SKUA_EVENT_ACKED);
    }
    note_room(stream);
    skua_stream_update(stream);
}

void skua_stream_all_acked(struct skua_stream *stream)
{
    const struct skua_send_buf *buf = &stream->send.buf;
    bytes_acked(stream, buf->una, buf->end - buf->una, true);
}

static void reset_acked(struct skua_stream *stream)
{
    if (stream->send.state == SKUA_SEND_RESET) {
        skua_stream_send_done(stream);
        (void)skua_streams_release(stream);
    }
}

static void consumed_acked(struct skua_stream *stream)
{
    if (stream->report == SKUA_REPORT_OWED) {
        stream->report = SKUA_REPORT_DONE;
        stream->streams->reports--;
        stream->sends &= (uint8_t)~SKUA_STREAM_SENDS_CONSUMED;
        skua_stream_update(stream);
        (void)skua_streams_release(stream);
    }
}

void skua_streams_on_acked(struct skua_streams *streams, const struct skua_record *record)
{
    unsigned type = record->type;
    if (type != SKUA_FRAME_STREAM && type != SKUA_FRAME_RESET_STREAM &&
        type != SKUA_FRAME_CONFIRM_READ && type != SKUA_FRAME_CONSUMED) {
        return;
    }
    struct skua_stream *stream = skua_streams_find(streams, record->id);
    if (stream == NULL) {
        return;
    }
    if (type == SKUA_FRAME_STREAM || type == SKUA_FRAME_CONFIRM_READ) {
        bytes_acked(stream, record->offset, record->len, (record->flags & SKUA_RECORD_FIN) != 0);
    } else if (type == SKUA_FRAME_RESET_STREAM) {
        reset_acked(stream);
    } else {
        consumed_acked(stream);
    }
}

static void data_lost(struct skua_stream *stream, const struct skua_record *record)
{
    struct skua_send_side *send = &stream->send;
    if (send->state != SKUA_SEND_OPEN && send->state != SKUA_SEND_FINISHED) {
        return;
    }
    if (skua_send_buf_lost(&send->buf, &stream->streams->mem, record->offset, record->len) !=
        SKUA_OK) {
        stream->streams->failed = true;
        return;
    }
    if ((record->flags & SKUA_RECORD_FIN) != 0 && !send->fin_acked) {
        send->fin_lost = true;
    }
    skua_stream_update(stream);
}

/* A frame that belongs to one stream. */
static void stream_frame_lost(struct skua_stream *stream, const struct skua_record *record)
{
    const struct skua_recv_side *recv = &stream->recv;
    switch (record->type) {
    case SKUA_FRAME_STREAM:
    case SKUA_FRAME_CONFIRM_READ:
        data_lost(stream, record);
        break;
    case SKUA_FRAME_CONSUMED:
        if (stream->report == SKUA_REPORT_OWED) {
            skua_stream_mark(stream, SKUA_STREAM_SENDS_CONSUMED);
        }
        break;
    case SKUA_FRAME_RESET_STREAM:
        if (stream->send.state == SKUA_SEND_RESET) {
            skua_stream_mark(stream, SKUA_STREAM_SENDS_RESET);
        }
        break;
    case SKUA_FRAME_STOP_SENDING:
        if (recv->state == SKUA_RECV_OPEN) {
            skua_stream_mark(stream, SKUA_STREAM_SENDS_STOP);
        }
        break;
    case SKUA_FRAME_MAX_STREAM_DATA:
        if (recv->state == SKUA_RECV_OPEN && recv->final == UINT64_MAX &&
            recv->window.announced == record->offset) {
            skua_stream_mark(stream, SKUA_STREAM_SENDS_MAX);
        }
        break;
    case SKUA_FRAME_STREAM_DATA_BLOCKED:
        if (stream->sched_class == SKUA_SCHED_STARVED && stream->send.limit == record->offset) {
            skua_stream_mark(stream, SKUA_STREAM_SENDS_BLOCKED);
        }
        break;
    default:
        break;
    }
}

void skua_streams_on_lost(struct skua_streams *streams, const struct skua_record *record)
{
    struct skua_stream_kind *bidi = &streams->kinds[SKUA_STREAM_BIDI];
    struct skua_stream_kind *uni = &streams->kinds[SKUA_STREAM_UNI];
    unsigned again = 0;
    switch (record->type) {
    case SKUA_FRAME_STREAM:
    case SKUA_FRAME_CONFIRM_READ:
    case SKUA_FRAME_CONSUMED:
    case SKUA_FRAME_RESET_STREAM:
    case SKUA_FRAME_STOP_SENDING:
    case SKUA_FRAME_MAX_STREAM_DATA:
    case SKUA_FRAME_STREAM_DATA_BLOCKED: {
        struct skua_stream *stream = skua_streams_find(streams, record->id);
        if (stream != NULL) {
            stream_frame_lost(stream, record);
        }
        break;
    }
    case SKUA_FRAME_MAX_DATA:
        again = record->offset == streams->window.announced ? SKUA_STREAMS_SENDS_MAX_DATA : 0u;
        break;
    case SKUA_FRAME_MAX_STREAMS_BIDI:
        again = record->offset == bidi->peer_limit ? SKUA_STREAMS_SENDS_MAX_BIDI : 0u;
        break;
    case SKUA_FRAME_MAX_STREAMS_UNI:
        again = record->offset == uni->peer_limit ? SKUA_STREAMS_SENDS_MAX_UNI : 0u;
        break;
    case SKUA_FRAME_DATA_BLOCKED:
        if (record->offset == streams->send_max && streams->sent >= streams->send_max &&
            skua_sched_has_fresh(&streams->sched)) {
            again = SKUA_STREAMS_SENDS_BLOCKED;
        }
        break;
    case SKUA_FRAME_STREAMS_BLOCKED_BIDI:
        if (record->offset == bidi->own_limit && skua_streams_wait(streams, SKUA_STREAM_BIDI)) {
            again = SKUA_STREAMS_SENDS_BLOCKED_BIDI;
        }
        break;
    case SKUA_FRAME_STREAMS_BLOCKED_UNI:
        if (record->offset == uni->own_limit && skua_streams_wait(streams, SKUA_STREAM_UNI)) {
            again = SKUA_STREAMS_SENDS_BLOCKED_UNI;
        }
        break;
    default:
        break;
    }
    streams->sends |= (uint8_t)again;
}

void skua_streams_set_send_limit(struct skua_streams *streams, uint64_t bytes)
{
    streams->send_limit = bytes;
}

void skua_streams_set_packet_room(struct skua_streams *streams, uint32_t bytes)
{
    if (bytes == streams->packet_room) {
        return;
    }
    streams->packet_room = bytes;
    for (struct skua_stream *stream = skua_streams_next(streams, NULL); stream != NULL;
         stream = skua_streams_next(streams, stream)) {
        if (stream->send.gathers) {
            skua_stream_update(stream);
        }
    }
}
