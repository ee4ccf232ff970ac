/* What the application does with streams: the functions behind skua_stream_*, with their errors. */
#include "base/assert.h"
#include "stream/internal.h"

enum skua_err skua_streams_open(struct skua_streams *streams, unsigned flags,
                                struct skua_stream **out)
{
    SKUA_ASSERT(flags <= (SKUA_STREAM_UNI | SKUA_STREAM_MESSAGES));
    unsigned uni = flags & SKUA_STREAM_UNI;
    bool message = (flags & SKUA_STREAM_MESSAGES) != 0;
    struct skua_stream_kind *kind = &streams->kinds[uni];
    if (streams->finishing) {
        return SKUA_ESTATE;
    }
    uint64_t limit = streams->peer_known ? kind->own_limit : (uint64_t)SKUA_STREAMS_OPEN_EARLY;
    if (kind->own_next >= limit) {
        kind->open_refused = true;
        skua_streams_release_held(streams, uni);
        return SKUA_EAGAIN;
    }
    struct skua_stream *stream = skua_streams_create_own(streams, uni, message);
    if (stream == NULL) {
        return SKUA_ENOMEM;
    }
    stream->announced = true;
    stream->held = true;
    skua_streams_release_held(streams, uni);
    *out = stream;
    return SKUA_OK;
}

/* --- writing --- */

enum skua_err skua_stream_write_error(const struct skua_stream *stream, bool message)
{
    const struct skua_send_side *send = &stream->send;
    if (send->state == SKUA_SEND_OPEN) {
        return skua_stream_is_message(stream) == message ? SKUA_OK : SKUA_ESTATE;
    }
    if (send->stopped) {
        return SKUA_ESTOPPED;
    }
    return send->given_up ? SKUA_ERESET : SKUA_ESTATE;
}

uint64_t skua_stream_room(const struct skua_stream *stream)
{
    const struct skua_send_buf *buf = &stream->send.buf;
    uint64_t limit = stream->streams->send_limit;
    uint64_t buffered = skua_send_buf_buffered(buf);
    uint64_t room = buffered < limit ? limit - buffered : 0;
    return room < SKUA_VARINT_MAX - buf->end ? room : SKUA_VARINT_MAX - buf->end;
}

void skua_stream_note_written(struct skua_stream *stream, uint64_t start, bool more, bool all)
{
    struct skua_send_side *send = &stream->send;
    stream->streams->send_buffered += send->buf.end - start;
    send->gathers = all && (more || send->corked) && (send->gathers || send->buf.next == start);
    skua_stream_update(stream);
}

enum skua_err skua_streams_write_more(struct skua_stream *stream, const void *data, size_t len,
                                      bool more, size_t *written)
{
    struct skua_send_side *send = &stream->send;
    *written = 0;
    enum skua_err err = skua_stream_write_error(stream, false);
    if (err != SKUA_OK || len == 0) {
        return err;
    }
    uint64_t room = skua_stream_room(stream);
    size_t n = room < len ? (size_t)room : len;
    uint64_t start = send->buf.end;
    err = n == 0 ? SKUA_EAGAIN
                 : skua_send_buf_write(&send->buf, &stream->streams->mem, data, n, written);
    /* Where memory is short and something is under way, its acknowledgement gives some back. */
    send->wants_room = send->wants_room || n < len || (*written > 0 && *written < len);
    skua_stream_note_written(stream, start, more, *written == len);
    return *written != 0 ? SKUA_OK : err;
}

enum skua_err skua_streams_lend(struct skua_stream *stream, const void *data, size_t len)
{
    struct skua_send_side *send = &stream->send;
    enum skua_err err = skua_stream_write_error(stream, false);
    if (err != SKUA_OK || len == 0) {
        return err;
    }
    uint64_t start = send->buf.end;
    if (skua_stream_room(stream) == 0) {
        send->wants_room = true;
        skua_stream_note_written(stream, start, false, false);
        return SKUA_EAGAIN;
    }
    if (len > SKUA_VARINT_MAX - start) {
        return SKUA_EINVAL;
    }
    err = skua_send_buf_lend(&send->buf, &stream->streams->mem, data, len);
    if (err == SKUA_OK) {
        send->lent = true;
        skua_stream_note_written(stream, start, false, true);
    }
    return err;
}

enum skua_err skua_streams_cork(struct skua_stream *stream, bool corked)
{
    struct skua_send_side *send = &stream->send;
    if (send->state == SKUA_SEND_NONE) {
        return SKUA_ESTATE;
    }
    send->corked = corked;
    if (!corked) {
        send->gathers = false;
        skua_stream_update(stream);
    }
    return SKUA_OK;
}

enum skua_err skua_streams_finish(struct skua_stream *stream)
{
    const struct skua_send_side *send = &stream->send;
    if (send->state == SKUA_SEND_NONE) {
        return SKUA_ESTATE;
    }
    if (send->given_up) {
        return send->stopped ? SKUA_ESTOPPED : SKUA_ERESET;
    }
    skua_stream_do_finish(stream);
    return SKUA_OK;
}

enum skua_err skua_streams_finish_confirm(struct skua_stream *stream)
{
    struct skua_send_side *send = &stream->send;
    bool too_late = send->fin_sent || send->fin_early || send->state == SKUA_SEND_DONE;
    if (too_late && !send->confirm && !send->given_up) {
        return SKUA_ESTATE; /* the end has been told without the wish */
    }
    enum skua_err err = skua_streams_finish(stream);
    send->confirm = send->confirm || err == SKUA_OK;
    return err;
}

enum skua_err skua_streams_reset(struct skua_stream *stream, uint64_t code)
{
    const struct skua_send_side *send = &stream->send;
    if (code > SKUA_VARINT_MAX) {
        return SKUA_EINVAL;
    }
    if (send->state == SKUA_SEND_NONE) {
        return SKUA_ESTATE;
    }
    if (send->state == SKUA_SEND_OPEN || send->state == SKUA_SEND_FINISHED) {
        skua_stream_do_reset(stream, code);
    }
    return SKUA_OK;
}

/* --- reading --- */

/* Bytes that can be read now. */
static uint64_t readable(const struct skua_stream *stream)
{
    return skua_stream_is_message(stream) ? skua_message_readable(stream)
                                          : skua_recv_buf_readable(&stream->recv.buf);
}

enum skua_err skua_stream_read_error(struct skua_stream *stream)
{
    struct skua_recv_side *recv = &stream->recv;
    if (recv->state == SKUA_RECV_NONE || recv->unwanted) {
        return SKUA_ESTATE;
    }
    if (recv->state == SKUA_RECV_RESET) {
        recv->told = true;
        return SKUA_ERESET;
    }
    if (skua_stream_is_message(stream) ? skua_message_ready(stream)
                                       : skua_recv_buf_readable(&recv->buf) != 0) {
        return SKUA_OK;
    }
    if (recv->state == SKUA_RECV_DONE) {
        recv->told = true;
        skua_stream_note_consumed(stream);
        return SKUA_EOF;
    }
    return SKUA_EAGAIN;
}

void skua_stream_note_read(struct skua_stream *stream, uint64_t bytes)
{
    stream->streams->delivered += bytes;
    if (skua_stream_is_message(stream)) {
        skua_message_taken(stream);
    }
    skua_stream_note_loans(stream);
    skua_stream_credit(stream, skua_stream_taken(stream));
}

/* What reading in order yields. */
static enum skua_err order_error(struct skua_stream *stream)
{
    return stream->recv.buf.unordered && !stream->recv.unwanted ? SKUA_ESTATE
                                                                : skua_stream_read_error(stream);
}

enum skua_err skua_streams_read(struct skua_stream *stream, void *out, size_t len, size_t *read)
{
    *read = 0;
    enum skua_err err = order_error(stream);
    if (err != SKUA_OK) {
        return err;
    }
    uint64_t most = readable(stream);
    len = most < len ? (size_t)most : len;
    *read = skua_recv_buf_read(&stream->recv.buf, &stream->streams->mem, out, len);
    skua_stream_note_read(stream, *read);
    return SKUA_OK;
}

/* The first `bytes` of `count` pieces; returns how many pieces they are. */
static size_t cut_pieces(struct skua_vec *vec, size_t count, uint64_t bytes)
{
    size_t n = 0;
    for (; n < count && bytes != 0; n++) {
        vec[n].len = bytes < vec[n].len ? (size_t)bytes : vec[n].len;
        bytes -= vec[n].len;
    }
    return n;
}

enum skua_err skua_streams_peek(struct skua_stream *stream, struct skua_vec *vec, size_t *count)
{
    size_t max = *count;
    *count = 0;
    enum skua_err err = order_error(stream);
    if (err != SKUA_OK) {
        return err;
    }
    *count = skua_recv_buf_peek(&stream->recv.buf, vec, max);
    if (skua_stream_is_message(stream)) {
        *count = cut_pieces(vec, *count, skua_message_readable(stream));
    }
    return SKUA_OK;
}

enum skua_err skua_streams_consume(struct skua_stream *stream, size_t len)
{
    struct skua_recv_side *recv = &stream->recv;
    if (recv->state == SKUA_RECV_NONE || recv->unwanted) {
        return SKUA_ESTATE;
    }
    if (recv->state == SKUA_RECV_RESET) {
        return SKUA_ERESET;
    }
    if (len > readable(stream)) {
        return SKUA_EINVAL;
    }
    skua_recv_buf_consume(&recv->buf, &stream->streams->mem, len);
    skua_stream_note_read(stream, len);
    return SKUA_OK;
}

enum skua_err skua_streams_stop(struct skua_stream *stream, uint64_t code)
{
    struct skua_recv_side *recv = &stream->recv;
    if (code > SKUA_VARINT_MAX) {
        return SKUA_EINVAL;
    }
    if (recv->state == SKUA_RECV_NONE) {
        return SKUA_ESTATE;
    }
    if (recv->state == SKUA_RECV_OPEN && !recv->stop_asked) {
        recv->stop_asked = true;
        recv->code = code;
        skua_stream_mark(stream, SKUA_STREAM_SENDS_STOP);
    }
    skua_stream_throw_away(stream);
    return SKUA_OK;
}

/* --- both --- */

enum skua_err skua_streams_set_priority(struct skua_stream *stream, unsigned urgency,
                                        bool incremental)
{
    if (urgency > SKUA_URGENCY_LAST) {
        return SKUA_EINVAL;
    }
    if (stream->send.state == SKUA_SEND_NONE) {
        return SKUA_ESTATE;
    }
    struct skua_streams *streams = stream->streams;
    return skua_sched_set_priority(&streams->sched, streams->mem.heap, stream, urgency,
                                   incremental);
}

void skua_streams_close(struct skua_stream *stream)
{
    stream->closed = true;
    stream->handle = 0;
    stream->user = NULL;
    skua_stream_quiet(stream);
    skua_stream_do_finish(stream);
    skua_stream_throw_away(stream);
    (void)skua_streams_release(stream);
}

void skua_streams_info(const struct skua_stream *stream, struct skua_stream_info *out)
{
    const struct skua_send_side *send = &stream->send;
    const struct skua_recv_side *recv = &stream->recv;
    bool reset = recv->state == SKUA_RECV_RESET;
    *out = (struct skua_stream_info){
        .id = stream->id,
        .written = send->buf.end,
        .acked = send->buf.una,
        .read = recv->buf.read,
        .readable = readable(stream),
        .writable = send->state == SKUA_SEND_OPEN ? skua_stream_room(stream) : 0,
        .early = stream->early,
        .error_code = reset           ? recv->code
                      : send->stopped ? send->code
                                      : 0,
        .can_send = send->state == SKUA_SEND_OPEN,
        .can_recv = !recv->unwanted && (recv->state == SKUA_RECV_OPEN ||
                                        (recv->state == SKUA_RECV_DONE && !recv->told)),
        .urgency = stream->urgency,
        .incremental = stream->incremental,
        .finished = send->state == SKUA_SEND_DONE && !send->given_up,
        .reset = reset,
        .stopped = send->stopped,
        .messages = skua_stream_is_message(stream),
        .message_left = skua_stream_is_message(stream) ? skua_message_left(stream) : 0,
        .consumed = send->answered && send->code == send->buf.end,
        .discarded = send->answered && send->code != send->buf.end,
    };
}
