/* Events to handlers: see driver.h.
 *
 * Handlers are called from here only, and only inside the loop. */
#include "io/driver.h"

/* Events handed out in a row before other watchers of the loop have their turn. */
enum { EVENTS_MAX = 1024 };

static skua_ev_handler *handler_of(const struct skua_ev *ev, enum skua_event_type type)
{
    const struct skua_ev_handlers *h = &ev->handlers;
    switch (type) {
    case SKUA_EVENT_INCOMING:
        return h->incoming;
    case SKUA_EVENT_ESTABLISHED:
        return h->established;
    case SKUA_EVENT_STREAM:
        return h->stream;
    case SKUA_EVENT_READABLE:
        return h->readable;
    case SKUA_EVENT_WRITABLE:
        return h->writable;
    case SKUA_EVENT_STOPPED:
        return h->stopped;
    case SKUA_EVENT_ACKED:
        return h->acked;
    case SKUA_EVENT_STREAMS:
        return h->streams;
    case SKUA_EVENT_DATAGRAM:
        return h->datagram;
    case SKUA_EVENT_DATAGRAM_ROOM:
        return h->datagram_room;
    case SKUA_EVENT_CONSUMED:
        return h->consumed;
    case SKUA_EVENT_DISCARDED:
        return h->discarded;
    case SKUA_EVENT_TOKEN:
        return h->token;
    case SKUA_EVENT_FINISHED:
        return h->finished;
    case SKUA_EVENT_DELIVERED:
        return h->delivered;
    case SKUA_EVENT_PATH:
        return h->path;
    case SKUA_EVENT_CLOSED:
        return h->closed;
    case SKUA_EVENT_NONE:
    case SKUA_EVENT_TYPES:
        break;
    }
    return NULL;
}

static bool next_event(struct skua_ev *ev, struct skua_event *event)
{
    while (skua_endpoint_poll_event(ev->ep, event)) {
        skua_roam_on_event(&ev->roam, event);
        if (skua_connector_filter(&ev->connector, event)) {
            return true;
        }
    }
    return skua_connector_poll(&ev->connector, event);
}

bool skua_ev_dispatch(struct skua_ev *ev)
{
    struct skua_event event;
    unsigned count = 0;
    while (count < EVENTS_MAX && !ev->dying && next_event(ev, &event)) {
        skua_ev_handler *handler = handler_of(ev, event.type);
        count++;
        if (handler != NULL) {
            handler(ev, &event);
        } else if (event.type == SKUA_EVENT_INCOMING) {
            (void)skua_conn_accept(ev->ep, event.conn, event.user);
        }
    }
    ev->busy = ev->busy || count == EVENTS_MAX;
    return count != 0;
}
