/* The I/O verbs: datagrams in and out, time, events (docs/architecture.md, "The core's verbs"). */
#include "endpoint/endpoint.h"

#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "base/trace.h"

/* What looking at one connection for a hint is reckoned at, and how much of it may come at once. */
#define HINT_LOOK_NS  SKUA_USEC
#define HINT_BURST_NS (100 * SKUA_MSEC)

/* Every verb that carries the time begins here: what it means by `now` from then on is a time that
 * does not fall back, whatever the caller's clock does. It is noted for the calls without time. */
static skua_time set_now(struct skua_endpoint *ep, skua_time now)
{
    ep->env.now = skua_steady_tell(&ep->clock, now);
    return ep->env.now;
}

static void recv_one(struct skua_endpoint *ep, const struct skua_rx *rx, uint8_t *data, size_t len,
                     skua_time now)
{
    enum skua_verdict verdict = skua_demux_recv(ep, rx, data, len, now);
    ep->verdicts[verdict]++;
    if (verdict != SKUA_VERDICT_OK) {
        skua_trace_emit(&ep->env.trace, 0, SKUA_TRACE_DROPPED,
                        SKUA_TRACE_ARGS((uint64_t)verdict, len, rx->path.socket), now);
    }
}

void skua_endpoint_recv(struct skua_endpoint *ep, struct skua_rx *rx, size_t n, skua_time now)
{
    now = set_now(ep, now);
    for (size_t i = 0; i < n; i++) {
        size_t step = rx[i].segment_size != 0 ? rx[i].segment_size : rx[i].len;
        size_t at = 0;
        ep->compared = NULL;
        do { /* at least once: an empty datagram counts as well */
            size_t len = rx[i].len - at < step ? rx[i].len - at : step;
            ep->datagrams_received++;
            ep->bytes_received += len;
            recv_one(ep, &rx[i], rx[i].data + at, len, now);
            at += step;
        } while (at < rx[i].len);
    }
    skua_outbox_drain(ep, now);
}

void skua_endpoint_settle(struct skua_endpoint *ep)
{
    struct skua_node *node;
    while ((node = skua_list_pop_front(&ep->env.loans)) != NULL) {
        skua_connection_settle(SKUA_CONTAINER_OF(node, struct skua_connection, loan_link));
    }
}

/* Connections in turn: one that has sent goes to the end of the line, one that has nothing leaves
 * it. */
static void send_from_ready(struct skua_endpoint *ep, struct skua_tx *tx, skua_time now)
{
    struct skua_node *node;
    while (tx->len == 0 && (node = skua_list_pop_front(&ep->ready)) != NULL) {
        struct skua_connection *c = SKUA_CONTAINER_OF(node, struct skua_connection, link);
        skua_connection_send(c, tx, now);
        if (tx->len > 0 && !c->close.over) {
            skua_list_push_back(&ep->ready, &c->link);
        }
    }
}

void skua_endpoint_send(struct skua_endpoint *ep, struct skua_tx *tx, skua_time now)
{
    SKUA_ASSERT(tx->cap >= SKUA_LIMIT_UDP_MIN && tx->max_segments > 0);
    now = set_now(ep, now);
    skua_outbox_drain(ep, now);
    tx->len = 0;
    tx->segment_size = 0;
    tx->ecn = 0;
    tx->conn = 0;
    tx->first_pn = UINT64_MAX;
    if (!skua_answers_send(&ep->answers, tx) && !skua_syn_queue_send(&ep->syns, tx, now)) {
        send_from_ready(ep, tx, now);
    }
    if (tx->len > 0) {
        ep->datagrams_sent += (tx->len + tx->segment_size - 1) / tx->segment_size;
        ep->bytes_sent += tx->len;
    }
    skua_outbox_drain(ep, now);
}

/* Every connection along `path`: what ICMP and errno say names no id. ICMP can be forged without
 * end, so that a flood of it must not cost more than so many looks per second. */
static void hint_path(struct skua_endpoint *ep, const struct skua_path *path, enum skua_hint hint,
                      skua_time now)
{
    skua_time cost = skua_time_mul(HINT_LOOK_NS, ep->conn_count);
    if (!skua_rate_take(&ep->hints, cost, HINT_BURST_NS, now)) {
        return;
    }
    struct skua_node *node = skua_list_first(&ep->conns);
    for (; node != NULL; node = skua_list_next(&ep->conns, node)) {
        struct skua_connection *c = SKUA_CONTAINER_OF(node, struct skua_connection, all_link);
        if (skua_path_equal(&c->path, path)) {
            skua_connection_hint(c, hint, now);
        }
    }
}

/* The datagram did not leave this machine, for want of a way. */
static bool is_unreachable(int error)
{
    return error == ENETUNREACH || error == EHOSTUNREACH || error == ENETDOWN ||
           error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

void skua_endpoint_send_result(struct skua_endpoint *ep, const struct skua_tx *tx, int error,
                               skua_time now)
{
    now = set_now(ep, now);
    struct skua_connection *c = skua_endpoint_conn(ep, tx->conn);
    if (c == NULL || c->close.over) {
        return;
    }
    if (!skua_path_equal(&tx->path, &c->path)) { /* one that is tried, or was left meanwhile */
        if (error == EMSGSIZE || is_unreachable(error)) {
            skua_connection_path_refused(c, &tx->path, now);
        }
    } else if (error == EMSGSIZE) {
        skua_connection_too_large(c, tx, now);
    } else if (error == ECONNREFUSED) {
        skua_connection_hint(c, SKUA_HINT_PORT_UNREACHABLE, now);
    } else if (is_unreachable(error)) {
        skua_connection_hint(c, SKUA_HINT_UNREACHABLE, now);
    }
}

void skua_endpoint_hint(struct skua_endpoint *ep, const struct skua_path *path, enum skua_hint hint,
                        skua_time now)
{
    now = set_now(ep, now);
    hint_path(ep, path, hint, now);
}

skua_time skua_endpoint_next_timeout(const struct skua_endpoint *ep)
{
    if (!skua_list_empty(&ep->env.out.dirty) || !skua_list_empty(&ep->untimed) ||
        !skua_list_empty(&ep->ready) || !skua_list_empty(&ep->syns.due) || ep->answers.count > 0) {
        return 0;
    }
    skua_time at = skua_timers_next(&ep->timers);
    at = skua_time_min(at, skua_syn_queue_next_timeout(&ep->syns));
    at = skua_time_min(at, skua_time_wait_next_timeout(&ep->time_wait));
    return skua_steady_to_raw(&ep->clock, at);
}

void skua_endpoint_on_timeout(struct skua_endpoint *ep, skua_time now)
{
    now = set_now(ep, now);
    skua_outbox_set_timers(ep, now);
    struct skua_timer *timer;
    while ((timer = skua_timers_pop_due(&ep->timers, now)) != NULL) {
        skua_connection_on_timeout(SKUA_CONTAINER_OF(timer, struct skua_connection, timer), now);
    }
    skua_syn_queue_on_timeout(&ep->syns, now);
    skua_time_wait_on_timeout(&ep->time_wait, now);
    if (ep->early != NULL) {
        skua_early_expire(ep->early, now);
    }
    skua_outbox_drain(ep, now);
}

/* A new stream gets its handle when it is first reported. */
static bool name_stream(struct skua_endpoint *ep, struct skua_event *event,
                        struct skua_stream *stream)
{
    if (stream == NULL || stream->handle != 0) {
        return true;
    }
    if (skua_handles_new(&ep->handles, SKUA_HANDLE_STREAM, stream, &stream->handle) != SKUA_OK) {
        return false;
    }
    event->stream = stream->handle;
    return true;
}

/* The CLOSED event's text outlives the connection. */
static void keep_reason(struct skua_endpoint *ep, struct skua_event *event)
{
    if (event->reason[0] != '\0') {
        (void)memcpy(ep->reason, event->reason, strlen(event->reason) + 1);
        event->reason = ep->reason;
    }
}

static bool poll_one(struct skua_endpoint *ep, struct skua_connection *c, struct skua_event *event)
{
    struct skua_stream *stream;
    if (!skua_connection_poll_event(c, event, &stream)) {
        return false;
    }
    if (!name_stream(ep, event, stream)) {
        /* No memory to name it: the peer cannot have this stream. */
        (void)skua_streams_stop(stream, SKUA_CODE_MEMORY);
        (void)skua_streams_reset(stream, SKUA_CODE_MEMORY);
        skua_streams_close(stream);
        skua_connection_touch(c);
        return false;
    }
    if (event->type == SKUA_EVENT_CLOSED) {
        keep_reason(ep, event);
        skua_outbox_disown(ep, c);
    }
    return true;
}

bool skua_endpoint_poll_event(struct skua_endpoint *ep, struct skua_event *event)
{
    struct skua_node *node;
    while ((node = skua_list_first(&ep->env.out.events)) != NULL) {
        struct skua_outbox *outbox = SKUA_CONTAINER_OF(node, struct skua_outbox, event_node);
        struct skua_connection *c = SKUA_CONTAINER_OF(outbox, struct skua_connection, outbox);
        if (poll_one(ep, c, event)) {
            return true;
        }
        if (!skua_connection_has_event(c)) {
            skua_list_remove(node);
        }
    }
    *event = (struct skua_event){.type = SKUA_EVENT_NONE, .reason = ""};
    return false;
}
