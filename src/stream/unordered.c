/* Unordered reading: what the application does with a stream whose bytes it takes as they arrive
 * (recv_pieces.c). Credit comes back for what is taken, wherever it belongs, but never for more
 * than the largest window beyond a gap: so a peer that leaves one for good cannot make the books of
 * the receiver grow. */
#include <string.h>

#include "base/assert.h"
#include "stream/internal.h"

enum skua_err skua_streams_set_unordered(struct skua_stream *stream)
{
    struct skua_recv_side *recv = &stream->recv;
    if (recv->state == SKUA_RECV_NONE || recv->unwanted || skua_stream_is_message(stream)) {
        return SKUA_ESTATE;
    }
    if (recv->state == SKUA_RECV_RESET) {
        return SKUA_ERESET;
    }
    enum skua_err err = skua_recv_buf_set_unordered(&recv->buf, &stream->streams->mem);
    if (err == SKUA_OK && skua_recv_buf_readable(&recv->buf) != 0) {
        skua_stream_raise(stream, SKUA_EVENT_READABLE);
    }
    return err;
}

/* What reading yields; SKUA_OK where there is something. */
static enum skua_err pieces_error(struct skua_stream *stream)
{
    enum skua_err err = skua_stream_read_error(stream);
    bool ordered = !stream->recv.buf.unordered;
    return ordered && (err == SKUA_OK || err == SKUA_EAGAIN || err == SKUA_EOF) ? SKUA_ESTATE : err;
}

enum skua_err skua_streams_peek_pieces(struct skua_stream *stream, struct skua_piece *pieces,
                                       size_t *count)
{
    size_t max = *count;
    *count = 0;
    enum skua_err err = pieces_error(stream);
    if (err == SKUA_OK) {
        *count = skua_recv_pieces_peek(&stream->recv.buf, pieces, max);
    }
    return err;
}

enum skua_err skua_streams_read_piece(struct skua_stream *stream, void *out, size_t len,
                                      uint64_t *offset, size_t *read)
{
    struct skua_recv_buf *buf = &stream->recv.buf;
    *offset = 0;
    *read = 0;
    enum skua_err err = pieces_error(stream);
    if (err != SKUA_OK) {
        return err;
    }
    struct skua_piece piece;
    while (*read < len && skua_recv_pieces_peek(buf, &piece, 1) == 1) {
        if (*read == 0) {
            *offset = piece.offset;
        } else if (piece.offset != *offset + *read) {
            break;
        }
        size_t n = piece.len < len - *read ? piece.len : len - *read;
        memcpy((uint8_t *)out + *read, piece.data, n);
        skua_recv_buf_consume(buf, &stream->streams->mem, n);
        *read += n;
    }
    skua_stream_note_read(stream, *read);
    return SKUA_OK;
}
