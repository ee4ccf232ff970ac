/* Frames of the peer's that concern streams: every rule of RFC 9000 §4 and §19 that they can break
 * is checked here, before anything changes. */
#include "base/assert.h"
#include "stream/internal.h"

/* May the peer's side of `stream` reach up to `end`, and, where `fin`, end there? RFC 9000 §4.1,
 * §4.5. Notes the credit that it uses. */
static enum skua_code extend(struct skua_stream *stream, uint64_t end, bool fin)
{
    struct skua_streams *streams = stream->streams;
    struct skua_recv_side *recv = &stream->recv;
    if (recv->final != UINT64_MAX) {
        bool fits = fin ? end == recv->final : end <= recv->final;
        return fits ? SKUA_CODE_NO_ERROR : SKUA_CODE_FINAL_SIZE;
    }
    if (fin && end < recv->highest) {
        return SKUA_CODE_FINAL_SIZE;
    }
    if (end > recv->highest) {
        uint64_t more = end - recv->highest;
        if (end > recv->window.announced || more > streams->window.announced - streams->received) {
            return SKUA_CODE_FLOW_CONTROL;
        }
        if (streams->peer_declared && more > streams->peer_total - streams->received) {
            return SKUA_CODE_CLOSE_TOTALS;
        }
        recv->highest = end;
        streams->received += more;
    }
    if (fin) {
        recv->final = end;
        stream->sends &= (uint8_t)~SKUA_STREAM_SENDS_MAX;
        skua_stream_update(stream);
    }
    return SKUA_CODE_NO_ERROR;
}

/* Takes bytes into the buffer of a receiving side that is open. */
static enum skua_code take(struct skua_stream *stream, const struct skua_stream_frame *frame,
                           bool borrowed)
{
    struct skua_streams *streams = stream->streams;
    struct skua_recv_side *recv = &stream->recv;
    uint64_t end_before = recv->buf.end;
    uint64_t arrived_before = recv->buf.arrived;
    if (frame->len != 0) {
        enum skua_err err = skua_recv_buf_put(&recv->buf, &streams->mem, frame->offset, frame->data,
                                              frame->len, borrowed);
        if (err != SKUA_OK) {
            return SKUA_CODE_MEMORY;
        }
        streams->arrived += recv->buf.arrived - arrived_before;
        skua_stream_note_loans(stream);
    }
    if (recv->unwanted) {
        skua_stream_credit(stream, recv->highest);
        if (streams->discarding) {
            skua_stream_refuse_rest(stream);
        }
    } else if (skua_stream_is_message(stream)) {
        skua_message_advance(stream);
        skua_stream_credit(stream, recv->buf.read);
    }
    if (recv->buf.end == recv->final) {
        skua_stream_recv_done(stream);
    } else if ((recv->buf.end != end_before ||
                (recv->buf.unordered && recv->buf.arrived != arrived_before)) &&
               skua_stream_is_readable(stream)) {
        skua_stream_raise(stream, SKUA_EVENT_READABLE);
    }
    return SKUA_CODE_NO_ERROR;
}

enum skua_code skua_streams_on_stream(struct skua_streams *streams,
                                      const struct skua_stream_frame *frame, bool borrowed)
{
    if (frame->offset > SKUA_VARINT_MAX || frame->len > SKUA_VARINT_MAX - frame->offset) {
        return SKUA_CODE_FRAME_ENCODING;
    }
    struct skua_stream *stream;
    enum skua_code code = skua_streams_locate(streams, frame->id, SKUA_SIDE_RECV, &stream);
    if (code != SKUA_CODE_NO_ERROR || stream == NULL) {
        return code;
    }
    code = extend(stream, frame->offset + frame->len, frame->fin);
    if (code != SKUA_CODE_NO_ERROR || stream->recv.state != SKUA_RECV_OPEN) {
        return code;
    }
    code = take(stream, frame, borrowed);
    if (code != SKUA_CODE_NO_ERROR) {
        return code;
    }
    (void)skua_streams_release(stream);
    skua_streams_note_complete(streams);
    return SKUA_CODE_NO_ERROR;
}

enum skua_code skua_streams_on_confirm_read(struct skua_streams *streams, uint64_t id,
                                            uint64_t final_size)
{
    struct skua_stream *stream;
    enum skua_code code = skua_streams_locate(streams, id, SKUA_SIDE_RECV, &stream);
    if (code != SKUA_CODE_NO_ERROR || stream == NULL) {
        return code;
    }
    if (stream->report == SKUA_REPORT_NONE) {
        stream->report = SKUA_REPORT_WANTED;
        skua_stream_note_consumed(stream);
    }
    const struct skua_stream_frame end = {.id = id, .offset = final_size, .len = 0, .fin = true};
    return skua_streams_on_stream(streams, &end, false);
}

enum skua_code skua_streams_on_reset_stream(struct skua_streams *streams, uint64_t id,
                                            uint64_t code, uint64_t final_size)
{
    struct skua_stream *stream;
    enum skua_code result = skua_streams_locate(streams, id, SKUA_SIDE_RECV, &stream);
    if (result != SKUA_CODE_NO_ERROR || stream == NULL) {
        return result;
    }
    struct skua_recv_side *recv = &stream->recv;
    result = extend(stream, final_size, true);
    if (result != SKUA_CODE_NO_ERROR || recv->state != SKUA_RECV_OPEN) {
        return result;
    }
    recv->state = SKUA_RECV_RESET;
    recv->code = code;
    uint64_t missing = final_size - recv->buf.arrived;
    streams->arrived += missing;
    streams->given_up += missing;
    /* RFC 9000 §3.2: what was not read may be dropped; its credit comes back. */
    skua_recv_buf_discard(&recv->buf, &streams->mem);
    skua_stream_note_loans(stream);
    skua_stream_credit(stream, final_size);
    stream->sends &= (uint8_t)~SKUA_STREAM_SENDS_STOP;
    skua_stream_update(stream);
    if (!recv->unwanted) {
        skua_stream_raise(stream, SKUA_EVENT_READABLE);
    }
    (void)skua_streams_release(stream);
    skua_streams_note_complete(streams);
    return SKUA_CODE_NO_ERROR;
}

enum skua_code skua_streams_on_stop_sending(struct skua_streams *streams, uint64_t id,
                                            uint64_t code)
{
    struct skua_stream *stream;
    enum skua_code result = skua_streams_locate(streams, id, SKUA_SIDE_SEND, &stream);
    if (result != SKUA_CODE_NO_ERROR || stream == NULL) {
        return result;
    }
    struct skua_send_side *send = &stream->send;
    if (send->state != SKUA_SEND_OPEN && send->state != SKUA_SEND_FINISHED) {
        return SKUA_CODE_NO_ERROR;
    }
    /* RFC 9000 §3.5: answered by RESET_STREAM with the same code. */
    send->stopped = true;
    skua_stream_do_reset(stream, code);
    skua_stream_raise(stream, SKUA_EVENT_STOPPED);
    return SKUA_CODE_NO_ERROR;
}

enum skua_code skua_streams_on_consumed(struct skua_streams *streams, uint64_t id, uint64_t offset)
{
    struct skua_stream *stream;
    enum skua_code code = skua_streams_locate(streams, id, SKUA_SIDE_SEND, &stream);
    if (code != SKUA_CODE_NO_ERROR || stream == NULL) {
        return code;
    }
    struct skua_send_side *send = &stream->send;
    if (!send->confirm || !send->fin_sent) {
        return SKUA_CODE_STREAM_STATE;
    }
    if (offset > send->buf.next) {
        return SKUA_CODE_FINAL_SIZE;
    }
    if (send->answered || send->given_up) {
        return SKUA_CODE_NO_ERROR;
    }
    send->answered = true;
    send->code = offset;
    skua_stream_raise(stream, offset == send->buf.end ? SKUA_EVENT_CONSUMED : SKUA_EVENT_DISCARDED);
    /* It has everything, whether its acknowledgements say so yet or not. */
    skua_stream_all_acked(stream);
    return SKUA_CODE_NO_ERROR;
}

enum skua_code skua_streams_on_max_data(struct skua_streams *streams, uint64_t max)
{
    if (max > streams->send_max) {
        streams->send_max = max;
        streams->blocked_said = false;
        streams->sends &= (uint8_t)~SKUA_STREAMS_SENDS_BLOCKED;
    }
    return SKUA_CODE_NO_ERROR;
}

enum skua_code skua_streams_on_max_stream_data(struct skua_streams *streams, uint64_t id,
                                               uint64_t max)
{
    struct skua_stream *stream;
    enum skua_code code = skua_streams_locate(streams, id, SKUA_SIDE_SEND, &stream);
    if (code == SKUA_CODE_NO_ERROR && stream != NULL && max > stream->send.limit) {
        stream->send.limit = max;
        stream->send.blocked_said = false;
        skua_stream_update(stream);
    }
    return code;
}

enum skua_code skua_streams_on_max_streams(struct skua_streams *streams, unsigned uni, uint64_t max)
{
    SKUA_ASSERT(uni <= SKUA_STREAM_UNI);
    /* RFC 9000 §4.6. */
    if (max > SKUA_STREAM_COUNT_MAX) {
        return SKUA_CODE_FRAME_ENCODING;
    }
    struct skua_stream_kind *kind = &streams->kinds[uni];
    if (max > kind->own_limit) {
        kind->own_limit = max;
        kind->blocked_said = false;
    }
    skua_streams_release_held(streams, uni);
    return SKUA_CODE_NO_ERROR;
}

enum skua_code skua_streams_on_data_blocked(struct skua_streams *streams, uint64_t limit)
{
    streams->pressed = limit == streams->window.announced && skua_streams_is_pressed(streams);
    if (streams->pressed || skua_window_answers(&streams->window, limit)) {
        skua_streams_mark(streams, SKUA_STREAMS_SENDS_MAX_DATA);
    }
    return SKUA_CODE_NO_ERROR;
}

enum skua_code skua_streams_on_stream_data_blocked(struct skua_streams *streams, uint64_t id,
                                                   uint64_t limit)
{
    struct skua_stream *stream;
    enum skua_code code = skua_streams_locate(streams, id, SKUA_SIDE_RECV, &stream);
    if (code == SKUA_CODE_NO_ERROR && stream != NULL && stream->recv.state == SKUA_RECV_OPEN &&
        stream->recv.final == UINT64_MAX && skua_window_answers(&stream->recv.window, limit)) {
        skua_stream_mark(stream, SKUA_STREAM_SENDS_MAX);
    }
    return code;
}

enum skua_code skua_streams_on_streams_blocked(struct skua_streams *streams, unsigned uni,
                                               uint64_t limit)
{
    SKUA_ASSERT(uni <= SKUA_STREAM_UNI);
    if (limit > SKUA_STREAM_COUNT_MAX) {
        return SKUA_CODE_FRAME_ENCODING;
    }
    struct skua_stream_kind *kind = &streams->kinds[uni];
    if (limit > kind->peer_limit) {
        return SKUA_CODE_NO_ERROR;
    }
    kind->peer_blocked = limit == kind->peer_limit;
    if (!kind->peer_blocked || skua_stream_kind_limit(kind) > kind->peer_limit) {
        skua_streams_mark(streams, uni == SKUA_STREAM_UNI ? SKUA_STREAMS_SENDS_MAX_UNI
                                                          : SKUA_STREAMS_SENDS_MAX_BIDI);
    }
    return SKUA_CODE_NO_ERROR;
}

enum skua_err skua_streams_settle(struct skua_streams *streams)
{
    enum skua_err result = SKUA_OK;
    struct skua_node *node;
    while ((node = skua_list_pop_front(&streams->loans)) != NULL) {
        struct skua_stream *stream = SKUA_CONTAINER_OF(node, struct skua_stream, loan);
        enum skua_err err = skua_recv_buf_settle(&stream->recv.buf, &streams->mem);
        if (err != SKUA_OK) {
            /* What could not be kept must not be read; the connection ends. */
            skua_recv_buf_discard(&stream->recv.buf, &streams->mem);
            streams->failed = true;
            result = err;
        }
    }
    return result;
}
