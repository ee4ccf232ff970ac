/* Message streams: messages with boundaries on a stream of bytes (docs/protocol.md, "Message
 * streams"). Each message is a varint, its length, and its bytes; the stream ends between two.
 *
 * The message at hand is the first that is not wholly read. Its length is taken off the buffer as
 * soon as it is there (`recv.message_end`), so that what is then in front are its bytes. It is
 * handed out when it is whole, unless it is longer than max_message: then in pieces.
 *
 * Credit must not end inside a message that waits to be whole, since nothing of it is read until
 * then:
 *   of the stream      the window is widened to the length of the message at hand
 *   of the connection  what is there of it counts as taken in advance (`recv.prepaid`), so that
 *                      halves of messages on many streams cannot use it all up
 * So a connection may hold max_message bytes for each message stream beside its window.
 *
 * A peer that ends a stream inside a message breaks the protocol. That may be found out only when
 * the application reads: `cut` says so. */
#include <string.h>

#include "base/assert.h"
#include "stream/internal.h"

enum { HEAD_MAX = 8 }; /* longest varint */

/* --- sending --- */

enum skua_err skua_streams_send_message(struct skua_stream *stream, const void *data, size_t len)
{
    struct skua_send_side *send = &stream->send;
    struct skua_stream_mem *mem = &stream->streams->mem;
    enum skua_err err = skua_stream_write_error(stream, true);
    if (err != SKUA_OK) {
        return err;
    }
    uint64_t start = send->buf.end;
    if (skua_stream_room(stream) == 0) {
        send->wants_room = true;
        skua_stream_note_written(stream, start, false, false);
        return SKUA_EAGAIN;
    }
    if (len > SKUA_VARINT_MAX || HEAD_MAX + len > SKUA_VARINT_MAX - start) {
        return SKUA_EINVAL;
    }
    uint8_t head[HEAD_MAX];
    struct skua_writer w = skua_writer_of(head, sizeof head);
    skua_writer_varint(&w, len);
    size_t taken = 0;
    err = skua_send_buf_write(&send->buf, mem, head, skua_writer_len(&w), &taken);
    if (err == SKUA_OK && len != 0) {
        err = skua_send_buf_write(&send->buf, mem, data, len, &taken);
    }
    if (err != SKUA_OK) {
        skua_send_buf_cut(&send->buf, mem, start);
        return err;
    }
    skua_stream_note_written(stream, start, false, true);
    return SKUA_OK;
}

/* --- the message at hand --- */

/* Bytes of it that are not yet read, arrived or not; there is one. */
static uint64_t left_of(const struct skua_stream *stream)
{
    return stream->recv.message_end - stream->recv.buf.read;
}

static bool is_whole(const struct skua_stream *stream)
{
    return stream->recv.buf.end >= stream->recv.message_end;
}

/* May it wait to be whole? */
static bool is_held(const struct skua_stream *stream)
{
    return left_of(stream) <= stream->streams->max_message;
}

bool skua_message_at_hand(const struct skua_stream *stream)
{
    const struct skua_recv_side *recv = &stream->recv;
    return !recv->unwanted && recv->state != SKUA_RECV_RESET && recv->message_end != 0;
}

bool skua_message_ready(const struct skua_stream *stream)
{
    const struct skua_recv_side *recv = &stream->recv;
    return skua_message_at_hand(stream) &&
           (is_whole(stream) || (!is_held(stream) && recv->buf.end != recv->buf.read));
}

uint64_t skua_message_readable(const struct skua_stream *stream)
{
    const struct skua_recv_side *recv = &stream->recv;
    if (!skua_message_ready(stream)) {
        return 0;
    }
    return (is_whole(stream) ? recv->message_end : recv->buf.end) - recv->buf.read;
}

uint64_t skua_message_left(const struct skua_stream *stream)
{
    return skua_message_at_hand(stream) ? left_of(stream) : 0;
}

uint32_t skua_message_prepaid(const struct skua_stream *stream)
{
    const struct skua_recv_side *recv = &stream->recv;
    if (recv->unwanted || recv->state == SKUA_RECV_RESET) {
        return 0;
    }
    uint64_t end = recv->buf.end;
    if (recv->message_end != 0) {
        end = is_whole(stream) ? recv->message_end : end;
        end = is_held(stream) ? end : recv->buf.read;
    }
    return (uint32_t)(end - recv->buf.read);
}

uint64_t skua_message_needs(const struct skua_stream *stream)
{
    const struct skua_recv_side *recv = &stream->recv;
    if (recv->unwanted) {
        return 0;
    }
    if (recv->message_end == 0) {
        return recv->buf.read + HEAD_MAX;
    }
    return is_held(stream) ? recv->message_end : 0;
}

/* Takes the length of the next message off the buffer, where all of it is there. */
static void take_length(struct skua_stream *stream)
{
    struct skua_recv_side *recv = &stream->recv;
    struct skua_vec vec[HEAD_MAX];
    uint8_t head[HEAD_MAX];
    size_t have = 0;
    size_t pieces = skua_recv_buf_peek(&recv->buf, vec, HEAD_MAX);
    for (size_t i = 0; i < pieces && have < HEAD_MAX; i++) {
        size_t n = vec[i].len < HEAD_MAX - have ? vec[i].len : HEAD_MAX - have;
        memcpy(head + have, vec[i].data, n);
        have += n;
    }
    struct skua_reader r = skua_reader_of(head, have);
    uint64_t len = skua_reader_varint(&r);
    if (r.failed) {
        return;
    }
    size_t used = have - skua_reader_left(&r);
    skua_recv_buf_consume(&recv->buf, &stream->streams->mem, used);
    skua_stream_note_loans(stream);
    stream->streams->delivered += used;
    if (len > SKUA_VARINT_MAX - recv->buf.read) {
        stream->streams->cut = true;
    } else {
        recv->message_end = recv->buf.read + len;
    }
}

void skua_message_advance(struct skua_stream *stream)
{
    struct skua_recv_side *recv = &stream->recv;
    if (recv->message_end == 0 && !stream->streams->cut) {
        take_length(stream);
    }
    bool open_end =
        recv->state == SKUA_RECV_DONE && recv->message_end == 0 && recv->buf.read != recv->buf.end;
    if (open_end || recv->message_end > recv->final) {
        stream->streams->cut = true;
        return;
    }
    uint64_t needs = skua_message_needs(stream);
    if (recv->state == SKUA_RECV_OPEN && recv->final == UINT64_MAX &&
        recv->window.announced < needs) {
        skua_window_widen(&recv->window, needs - recv->buf.read);
        skua_stream_mark(stream, SKUA_STREAM_SENDS_MAX);
    }
}

void skua_message_taken(struct skua_stream *stream)
{
    struct skua_recv_side *recv = &stream->recv;
    if (recv->message_end == recv->buf.read) {
        recv->message_end = 0;
    }
    skua_message_advance(stream);
}

/* --- receiving --- */

enum skua_err skua_streams_recv_message(struct skua_stream *stream, void *out, size_t cap,
                                        size_t *len)
{
    *len = 0;
    if (!skua_stream_is_message(stream)) {
        return SKUA_ESTATE;
    }
    enum skua_err err = skua_stream_read_error(stream);
    if (err != SKUA_OK && !(err == SKUA_EAGAIN && skua_message_at_hand(stream))) {
        return err;
    }
    uint64_t left = left_of(stream);
    if (!is_whole(stream) && is_held(stream)) {
        return SKUA_EAGAIN;
    }
    *len = (size_t)left;
    if (!is_whole(stream) || left > cap) {
        return SKUA_EMSGSIZE;
    }
    return skua_streams_read(stream, out, (size_t)left, len);
}
