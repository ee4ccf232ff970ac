/* What the application polls: bits of the connection first, then of its streams, CLOSED last. */
#include "conn/internal.h"

#include <string.h>

#define BIT(type) (1u << SKUA_EVENT_##type)

/* CLOSED waits for bytes that arrived before an orderly end and are not yet read. */
static bool closed_is_due(const struct skua_connection *c)
{
    return c->close.ended && !c->close.reported && !skua_close_is_husk(c);
}

bool skua_connection_has_event(const struct skua_connection *c)
{
    if (c->handle == 0 || c->close.reported) {
        return false;
    }
    if (!c->accepted) {
        return c->close.ended ? c->told : (c->events & BIT(INCOMING)) != 0;
    }
    return c->events != 0 || skua_streams_has_event(&c->streams) || closed_is_due(c);
}

static void fill_closed(struct skua_connection *c, struct skua_event *event)
{
    event->type = SKUA_EVENT_CLOSED;
    event->error = c->close.error;
    event->remote = c->close.remote;
    event->application = c->close.application;
    event->code = c->close.end.code;
    event->frame_type = c->close.end.frame_type;
    if (c->close.error == SKUA_EPEERKEY) {
        event->key = c->peer_key;
    }
    event->reason = c->close.end.reason != NULL ? c->close.end.reason : "";
    c->close.reported = true;
    skua_conn_mark(c, SKUA_MARK_DEADLINE);
}

static bool take_bit(struct skua_connection *c, enum skua_event_type type, struct skua_event *event)
{
    if ((c->events & 1u << type) == 0) {
        return false;
    }
    c->events &= ~(1u << type);
    event->type = type;
    return true;
}

static uint64_t offset_of(const struct skua_stream *stream, enum skua_event_type type)
{
    if (type == SKUA_EVENT_ACKED) {
        return stream->send.buf.una;
    }
    bool answer = type == SKUA_EVENT_CONSUMED || type == SKUA_EVENT_DISCARDED;
    return answer ? stream->send.code : 0;
}

static bool stream_event(struct skua_connection *c, struct skua_event *event,
                         struct skua_stream **stream)
{
    enum skua_event_type type;
    if (!skua_streams_next_event(&c->streams, stream, &type)) {
        return false;
    }
    event->type = type;
    if (*stream != NULL) {
        event->stream = (*stream)->handle;
        event->stream_user = (*stream)->user;
        event->offset = offset_of(*stream, type);
        event->early = (*stream)->early > (*stream)->recv.buf.read;
        event->code = type == SKUA_EVENT_STOPPED ? (*stream)->send.code : 0;
    }
    return true;
}

/* The application may have read them since. */
static bool datagram_event(struct skua_connection *c, struct skua_event *event)
{
    if (!skua_datagram_is_news(c)) {
        c->events &= ~BIT(DATAGRAM);
    }
    return take_bit(c, SKUA_EVENT_DATAGRAM, event) || take_bit(c, SKUA_EVENT_DATAGRAM_ROOM, event);
}

static bool path_event(struct skua_connection *c, struct skua_event *event)
{
    if (!take_bit(c, SKUA_EVENT_PATH, event)) {
        return false;
    }
    event->path = c->migration->before;
    event->error = c->migration->error;
    skua_conn_mark(c, SKUA_MARK_DEADLINE); /* what is left of it goes in time */
    return true;
}

bool skua_connection_poll_event(struct skua_connection *c, struct skua_event *event,
                                struct skua_stream **stream)
{
    *event = (struct skua_event){.conn = c->handle, .user = c->user, .reason = ""};
    *stream = NULL;
    if (!skua_connection_has_event(c)) {
        return false;
    }
    if (!c->accepted) {
        if (c->close.ended) {
            fill_closed(c, event);
        } else {
            c->told = take_bit(c, SKUA_EVENT_INCOMING, event);
            event->key = c->peer_key;
            event->early = c->early_open;
        }
        return true;
    }
    if (take_bit(c, SKUA_EVENT_ESTABLISHED, event)) {
        event->early = c->early_taken;
        return true;
    }
    if (take_bit(c, SKUA_EVENT_TOKEN, event) || path_event(c, event) || datagram_event(c, event) ||
        stream_event(c, event, stream) || take_bit(c, SKUA_EVENT_FINISHED, event) ||
        take_bit(c, SKUA_EVENT_DELIVERED, event)) {
        return true;
    }
    if (closed_is_due(c)) {
        fill_closed(c, event);
        return true;
    }
    return false;
}

void skua_connection_touch(struct skua_connection *c)
{
    unsigned marks = SKUA_MARK_DEADLINE;
    marks |= skua_streams_wants_send(&c->streams) ? SKUA_MARK_SEND : 0u;
    marks |= skua_connection_has_event(c) ? SKUA_MARK_EVENT : 0u;
    if (c->close.shutdown) {
        marks |= SKUA_MARK_SEND;
    }
    if (skua_streams_cut(&c->streams)) {
        marks |= SKUA_MARK_BATCH;
    }
    skua_conn_mark(c, marks);
}
