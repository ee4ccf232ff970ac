/* The public functions on streams: handles in, verbs of stream/ out, and the connection told that
 * there may be work. */
#include "endpoint/endpoint.h"

static struct skua_connection *conn_of(const struct skua_stream *stream)
{
    return SKUA_CONTAINER_OF(stream->streams, struct skua_connection, streams);
}

/* After an operation that may have to be sent or reported. */
static enum skua_err done(struct skua_stream *stream, enum skua_err err)
{
    skua_connection_touch(conn_of(stream));
    return err;
}

enum skua_err skua_stream_open(struct skua_endpoint *ep, skua_conn conn, unsigned flags,
                               skua_stream *out)
{
    *out = 0;
    struct skua_connection *c = skua_endpoint_conn(ep, conn);
    if (c == NULL || c->close.ended) {
        return SKUA_ECLOSED;
    }
    if (flags > (SKUA_STREAM_UNI | SKUA_STREAM_MESSAGES)) {
        return SKUA_EINVAL;
    }
    if (!c->accepted || !skua_state_can_send(c->state)) {
        return SKUA_ESTATE;
    }
    struct skua_stream *stream;
    enum skua_err err = skua_streams_open(&c->streams, flags, &stream);
    if (err != SKUA_OK) {
        skua_connection_touch(c);
        return err;
    }
    err = skua_handles_new(&ep->handles, SKUA_HANDLE_STREAM, stream, &stream->handle);
    if (err != SKUA_OK) {
        (void)skua_streams_reset(stream, SKUA_CODE_MEMORY);
        skua_streams_close(stream);
        skua_connection_touch(c);
        return err;
    }
    *out = stream->handle;
    return SKUA_OK;
}

/* Streams of a connection that has ended can still be read, but take nothing more. */
static enum skua_err sendable(const struct skua_stream *stream)
{
    return conn_of(stream)->close.ended ? SKUA_ECLOSED : SKUA_OK;
}

enum skua_err skua_stream_write(struct skua_endpoint *ep, skua_stream handle, const void *data,
                                size_t len, size_t *written)
{
    *written = 0;
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL || sendable(stream) != SKUA_OK) {
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_write(stream, data, len, written));
}

enum skua_err skua_stream_write_flags(struct skua_endpoint *ep, skua_stream handle,
                                      const void *data, size_t len, unsigned flags, size_t *written)
{
    *written = 0;
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL || sendable(stream) != SKUA_OK) {
        return SKUA_ECLOSED;
    }
    if (flags > SKUA_MORE) {
        return SKUA_EINVAL;
    }
    return done(stream, skua_streams_write_more(stream, data, len, flags == SKUA_MORE, written));
}

enum skua_err skua_stream_cork(struct skua_endpoint *ep, skua_stream handle, bool corked)
{
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL || sendable(stream) != SKUA_OK) {
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_cork(stream, corked));
}

enum skua_err skua_stream_lend(struct skua_endpoint *ep, skua_stream handle, const void *data,
                               size_t len)
{
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL || sendable(stream) != SKUA_OK) {
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_lend(stream, data, len));
}

enum skua_err skua_stream_finish(struct skua_endpoint *ep, skua_stream handle)
{
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL || sendable(stream) != SKUA_OK) {
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_finish(stream));
}

enum skua_err skua_stream_finish_confirm(struct skua_endpoint *ep, skua_stream handle)
{
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL || sendable(stream) != SKUA_OK) {
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_finish_confirm(stream));
}

enum skua_err skua_stream_reset(struct skua_endpoint *ep, skua_stream handle, uint64_t code)
{
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL || sendable(stream) != SKUA_OK) {
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_reset(stream, code));
}

enum skua_err skua_stream_stop(struct skua_endpoint *ep, skua_stream handle, uint64_t code)
{
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL || sendable(stream) != SKUA_OK) {
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_stop(stream, code));
}

enum skua_err skua_stream_read(struct skua_endpoint *ep, skua_stream handle, void *out, size_t len,
                               size_t *read)
{
    *read = 0;
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL) {
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_read(stream, out, len, read));
}

enum skua_err skua_stream_peek(struct skua_endpoint *ep, skua_stream handle, struct skua_vec *vec,
                               size_t *count)
{
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL) {
        *count = 0;
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_peek(stream, vec, count));
}

enum skua_err skua_stream_consume(struct skua_endpoint *ep, skua_stream handle, size_t len)
{
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL) {
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_consume(stream, len));
}

enum skua_err skua_stream_set_priority(struct skua_endpoint *ep, skua_stream handle,
                                       unsigned urgency, bool incremental)
{
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL || sendable(stream) != SKUA_OK) {
        return SKUA_ECLOSED;
    }
    return skua_streams_set_priority(stream, urgency, incremental);
}

enum skua_err skua_stream_send_message(struct skua_endpoint *ep, skua_stream handle,
                                       const void *data, size_t len)
{
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL || sendable(stream) != SKUA_OK) {
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_send_message(stream, data, len));
}

enum skua_err skua_stream_recv_message(struct skua_endpoint *ep, skua_stream handle, void *out,
                                       size_t cap, size_t *len)
{
    *len = 0;
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL) {
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_recv_message(stream, out, cap, len));
}

enum skua_err skua_stream_set_unordered(struct skua_endpoint *ep, skua_stream handle)
{
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL) {
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_set_unordered(stream));
}

enum skua_err skua_stream_read_piece(struct skua_endpoint *ep, skua_stream handle, void *out,
                                     size_t len, uint64_t *offset, size_t *read)
{
    *offset = 0;
    *read = 0;
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL) {
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_read_piece(stream, out, len, offset, read));
}

enum skua_err skua_stream_peek_pieces(struct skua_endpoint *ep, skua_stream handle,
                                      struct skua_piece *pieces, size_t *count)
{
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL) {
        *count = 0;
        return SKUA_ECLOSED;
    }
    return done(stream, skua_streams_peek_pieces(stream, pieces, count));
}

enum skua_err skua_stream_close(struct skua_endpoint *ep, skua_stream handle)
{
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL) {
        return SKUA_ECLOSED;
    }
    struct skua_connection *c = conn_of(stream);
    skua_handles_free(&ep->handles, handle);
    stream->handle = 0;
    skua_streams_close(stream);
    skua_connection_touch(c);
    return SKUA_OK;
}

enum skua_err skua_stream_set_user(struct skua_endpoint *ep, skua_stream handle, void *user)
{
    struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL) {
        return SKUA_ECLOSED;
    }
    stream->user = user;
    return SKUA_OK;
}

enum skua_err skua_stream_user(struct skua_endpoint *ep, skua_stream handle, void **out)
{
    const struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL) {
        return SKUA_ECLOSED;
    }
    *out = stream->user;
    return SKUA_OK;
}

enum skua_err skua_stream_conn(struct skua_endpoint *ep, skua_stream handle, skua_conn *out)
{
    const struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL) {
        return SKUA_ECLOSED;
    }
    *out = conn_of(stream)->handle;
    return SKUA_OK;
}

enum skua_err skua_stream_info(struct skua_endpoint *ep, skua_stream handle,
                               struct skua_stream_info *out)
{
    const struct skua_stream *stream = skua_endpoint_stream(ep, handle);
    if (stream == NULL) {
        return SKUA_ECLOSED;
    }
    skua_streams_info(stream, out);
    return SKUA_OK;
}
