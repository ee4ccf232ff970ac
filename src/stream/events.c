/* What the application is to be told: bits on the stream, and a list of the streams that have any.
 * Occurrences coalesce, so nothing can pile up. */
#include "base/assert.h"
#include "stream/internal.h"

void skua_stream_raise(struct skua_stream *stream, enum skua_event_type type)
{
    if (stream->closed) {
        return;
    }
    stream->events |= 1u << type;
    if (!skua_list_is_linked(&stream->events_node)) {
        skua_list_push_back(&stream->streams->events, &stream->events_node);
    }
}

void skua_stream_quiet(struct skua_stream *stream)
{
    stream->events = 0;
    skua_list_remove(&stream->events_node);
}

bool skua_stream_is_readable(const struct skua_stream *stream)
{
    const struct skua_recv_side *recv = &stream->recv;
    if (recv->unwanted) {
        return false;
    }
    bool has = skua_stream_is_message(stream) ? skua_message_ready(stream)
                                              : skua_recv_buf_readable(&recv->buf) != 0;
    return has ||
           (!recv->told && (recv->state == SKUA_RECV_DONE || recv->state == SKUA_RECV_RESET));
}

/* Does the event still say something? */
static bool is_news(const struct skua_stream *stream, enum skua_event_type type)
{
    if (type == SKUA_EVENT_READABLE) {
        return skua_stream_is_readable(stream);
    }
    if (type == SKUA_EVENT_WRITABLE) {
        return stream->send.state == SKUA_SEND_OPEN;
    }
    return true;
}

bool skua_streams_next_event(struct skua_streams *streams, struct skua_stream **stream,
                             enum skua_event_type *type)
{
    *stream = NULL;
    if (streams->streams_event) {
        streams->streams_event = false;
        *type = SKUA_EVENT_STREAMS;
        return true;
    }
    struct skua_node *node;
    while ((node = skua_list_first(&streams->events)) != NULL) {
        struct skua_stream *first = SKUA_CONTAINER_OF(node, struct skua_stream, events_node);
        SKUA_ASSERT(first->events != 0);
        /* STREAM has the lowest number. */
        enum skua_event_type next = (enum skua_event_type)__builtin_ctz(first->events);
        first->events &= first->events - 1;
        if (first->events == 0) {
            skua_list_remove(node);
        }
        if (is_news(first, next)) {
            *stream = first;
            *type = next;
            first->announced = true;
            return true;
        }
    }
    *type = SKUA_EVENT_NONE;
    return false;
}
