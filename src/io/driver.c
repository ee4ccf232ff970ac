/* The driver on libev: its life and its part of each loop turn.
 *
 * A readable socket: one batch is received, opened by the core, its events are handled while the
 * core may still point into the buffers, and the loan is settled. Everything else happens once per
 * turn, in an ev_prepare of lowest priority, that is after all other watchers and right before the
 * loop waits: deadlines, tries, events, sending, the timer. What that leaves undone (a megabyte was
 * sent, events keep coming) keeps an idle watcher active, which makes the loop come back without
 * waiting. */
#include "io/driver.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

enum {
    TURN_BYTES = 1 << 20,    /* sent at most in one turn */
    CALL_BYTES = 1 << 18,    /* sealed before they are sent: stays in the cache */
    TURN_ROUNDS = 4,         /* of events and sending in one turn */
    SOCKET_BUFFER = 4 << 20, /* default of config.socket_buffer */
};

static void *system_get(void *user, size_t size)
{
    (void)user;
    return malloc(size);
}

static void system_put(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

static void system_random(void *user, void *out, size_t len)
{
    (void)user;
    randombytes_buf(out, len);
}

const struct skua_rng *skua_ev_rng(void)
{
    static const struct skua_rng rng = {.fill = system_random};
    return &rng;
}

void skua_ev_start_io(struct skua_ev *ev, struct ev_io *watcher)
{
    if (!ev_is_active(watcher)) {
        ev_io_start(ev->loop, watcher);
        ev_unref(ev->loop);
    }
}

void skua_ev_stop_io(struct skua_ev *ev, struct ev_io *watcher)
{
    if (ev_is_active(watcher)) {
        ev_ref(ev->loop);
        ev_io_stop(ev->loop, watcher);
    }
}

static void set_idle(struct skua_ev *ev, bool on)
{
    if (on && !ev_is_active(&ev->again)) {
        ev_idle_start(ev->loop, &ev->again);
        ev_unref(ev->loop);
    } else if (!on && ev_is_active(&ev->again)) {
        ev_ref(ev->loop);
        ev_idle_stop(ev->loop, &ev->again);
    }
}

static void set_hold(struct skua_ev *ev, bool on)
{
    if (on && !ev->held) {
        ev_ref(ev->loop);
    } else if (!on && ev->held) {
        ev_unref(ev->loop);
    }
    ev->held = on;
}

/* What ICMP said, for the core. */
static void on_icmp(void *user, const struct skua_socket *sock, const struct skua_addr *remote,
                    int error)
{
    struct skua_ev *ev = user;
    struct skua_path path = {.socket = (uint32_t)(sock - ev->sockets), .remote = *remote};
    ev->stats.icmp_errors++;
    switch (error) {
    case ECONNREFUSED:
        skua_connector_hint(&ev->connector, remote);
        skua_endpoint_hint(ev->ep, &path, SKUA_HINT_PORT_UNREACHABLE, ev->now);
        break;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENONET:
    case ENOPROTOOPT:
    case EACCES:
        skua_connector_hint(&ev->connector, remote);
        skua_endpoint_hint(ev->ep, &path, SKUA_HINT_UNREACHABLE, ev->now);
        break;
    default:
        break; /* EMSGSIZE: the transport finds the MTU itself and does not believe ICMP */
    }
}

static void on_refused(void *user, const struct skua_tx *tx, int error)
{
    struct skua_ev *ev = user;
    skua_roam_on_error(&ev->roam, error);
    skua_connector_refused(&ev->connector, tx->conn, error);
    skua_endpoint_send_result(ev->ep, tx, error, ev->now);
}

/* Seals and sends until nothing is left to send, `*share` bytes are used up (they are taken off),
 * or the sockets are full. False where nothing was there to send. */
static bool flush(struct skua_ev *ev, size_t *share)
{
    size_t total = 0;
    bool more = true;
    while (more && total < *share) {
        size_t call = 0;
        struct skua_tx *tx = NULL;
        while (more && call < CALL_BYTES && (tx = skua_sender_next(&ev->sender)) != NULL) {
            skua_endpoint_send(ev->ep, tx, ev->now);
            more = tx->len != 0;
            if (more) {
                call += tx->len;
                skua_sender_push(&ev->sender);
            }
        }
        more = more && tx != NULL;
        total += call;
        if (call != 0) {
            skua_sender_flush(&ev->sender);
            ev->now = skua_clock_now(ev->sys);
        }
    }
    *share -= total < *share ? total : *share;
    ev->busy = ev->busy || more;
    for (uint32_t i = 0; i < ev->socket_count; i++) {
        if (ev->sockets[i].blocked) {
            skua_ev_start_io(ev, &ev->writers[i]);
        }
    }
    return total != 0;
}

void skua_ev_update_hold(struct skua_ev *ev)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(ev->ep, &stats);
    set_hold(ev, ev->listening || ev->connector.count != 0 || stats.conns != 0 ||
                     ev->sender.waiting_count != 0 || (ev->hold_time_wait && stats.time_wait != 0));
}

/* When the next turn is due at the latest. */
static void schedule(struct skua_ev *ev)
{
    skua_time deadline = skua_endpoint_next_timeout(ev->ep);
    if (ev->sender.free_count == 0) {
        deadline = SKUA_NEVER; /* nothing can be sent before a socket is writable again */
    }
    deadline = skua_time_min(deadline, skua_connector_next(&ev->connector));
    deadline = skua_time_min(deadline, skua_roam_next(&ev->roam));
    if (deadline <= ev->now ||
        !skua_timer_arm(&ev->timer, ev->sys, deadline, &ev->stats.timer_arms)) {
        ev->busy = true;
    }
    set_idle(ev, ev->busy);
}

/* The driver's part of a loop turn. */
static void turn(struct skua_ev *ev)
{
    bool active = true;
    bool counted = false;
    size_t share = TURN_BYTES;
    ev->busy = false;
    ev->now = skua_clock_now(ev->sys);
    for (unsigned round = 0; active && share != 0 && round < TURN_ROUNDS; round++) {
        bool due = skua_endpoint_next_timeout(ev->ep) <= ev->now;
        if (due) {
            skua_endpoint_on_timeout(ev->ep, ev->now);
        }
        skua_connector_run(&ev->connector, ev->now);
        skua_roam_run(&ev->roam, ev->now);
        bool events = skua_ev_dispatch(ev);
        if (ev->dying) {
            return;
        }
        if (events) {
            ev->now = skua_clock_now(ev->sys); /* handlers took theirs: no packet left before */
        }
        active = flush(ev, &share) || events;
        counted = counted || active || due;
    }
    ev->busy = ev->busy || active;
    ev->stats.turns += counted;
    schedule(ev);
    skua_ev_update_hold(ev);
}

static void on_prepare(struct ev_loop *loop, struct ev_prepare *watcher, int revents)
{
    struct skua_ev *ev = watcher->data;
    (void)loop;
    (void)revents;
    skua_ev_enter(ev);
    turn(ev);
    skua_ev_leave(ev);
}

/* The program's callbacks are over, and may have begun a connection by skua_conn_connect. */
static void on_check(struct ev_loop *loop, struct ev_check *watcher, int revents)
{
    struct skua_ev *ev = watcher->data;
    (void)loop;
    (void)revents;
    if (!ev->held) {
        skua_ev_update_hold(ev);
    }
}

/* Its being active is all that counts. */
static void on_idle(struct ev_loop *loop, struct ev_idle *watcher, int revents)
{
    (void)loop;
    (void)watcher;
    (void)revents;
}

static void on_readable(struct ev_loop *loop, struct ev_io *watcher, int revents)
{
    struct skua_ev *ev = watcher->data;
    uint32_t index = (uint32_t)(watcher - ev->readers);
    struct skua_socket *sock = &ev->sockets[index];
    size_t count;
    (void)loop;
    (void)revents;
    skua_ev_enter(ev);
    enum skua_recv_result result = skua_receiver_read(&ev->receiver, sock, index, &count);
    ev->now = skua_clock_now(ev->sys);
    if (count != 0) {
        skua_endpoint_recv(ev->ep, ev->receiver.rx, count, ev->now);
        (void)skua_ev_dispatch(ev);
        if (!ev->dying) {
            skua_endpoint_settle(ev->ep);
        }
    }
    if (result != SKUA_RECV_SOME) {
        /* A full error queue alone makes a socket readable as well. */
        unsigned reports = skua_error_queue_drain(sock, ev->sys, &ev->sender.icmp);
        ev->stats.recv_errors += result == SKUA_RECV_ERROR && reports == 0;
    }
    skua_ev_leave(ev);
}

static void on_writable(struct ev_loop *loop, struct ev_io *watcher, int revents)
{
    struct skua_ev *ev = watcher->data;
    (void)loop;
    (void)revents;
    skua_ev_stop_io(ev, watcher);
    ev->now = skua_clock_now(ev->sys);
    skua_sender_writable(&ev->sender, (uint32_t)(watcher - ev->writers));
    skua_sender_flush(&ev->sender);
}

static void on_timer(struct ev_loop *loop, struct ev_io *watcher, int revents)
{
    struct skua_ev *ev = watcher->data;
    (void)loop;
    (void)revents;
    ev->stats.timer_fires++;
    skua_timer_fired(&ev->timer, ev->sys);
}

void skua_ev_watch_socket(struct skua_ev *ev, uint32_t index)
{
    ev_io_init(&ev->readers[index], on_readable, ev->sockets[index].fd, EV_READ);
    ev_io_init(&ev->writers[index], on_writable, ev->sockets[index].fd, EV_WRITE);
    ev->readers[index].data = ev;
    ev->writers[index].data = ev;
    skua_ev_start_io(ev, &ev->readers[index]);
}

void skua_ev_drop_sockets(struct skua_ev *ev, uint32_t count)
{
    while (ev->socket_count > count) {
        uint32_t index = --ev->socket_count;
        skua_ev_stop_io(ev, &ev->readers[index]);
        skua_ev_stop_io(ev, &ev->writers[index]);
        skua_socket_close(&ev->sockets[index], ev->sys);
    }
}

enum skua_err skua_ev_resolver(struct skua_ev *ev, struct skua_resolver **out)
{
    enum skua_err err = SKUA_OK;
    if (ev->resolver == NULL) {
        err = skua_resolver_new(&ev->resolver, ev->sys, ev->loop);
    }
    *out = ev->resolver;
    return err;
}

/* Gives back everything; what has not been made yet is zero. */
static void destroy(struct skua_ev *ev)
{
    if (ev->ep != NULL) {
        skua_connector_deinit(&ev->connector);
        ev->now = skua_clock_now(ev->sys);
        size_t share = TURN_BYTES;
        (void)flush(ev, &share);
    }
    set_idle(ev, false);
    set_hold(ev, false);
    if (ev_is_active(&ev->prepare)) {
        ev_ref(ev->loop);
        ev_prepare_stop(ev->loop, &ev->prepare);
        ev_ref(ev->loop);
        ev_check_stop(ev->loop, &ev->check);
    }
    skua_ev_stop_io(ev, &ev->timer_reader);
    skua_roam_deinit(&ev->roam);
    skua_ev_drop_sockets(ev, 0);
    skua_timer_close(&ev->timer, ev->sys);
    skua_resolver_free(ev->resolver);
    skua_endpoint_free(ev->ep);
    skua_sender_deinit(&ev->sender, &ev->alloc);
    skua_receiver_deinit(&ev->receiver, &ev->alloc);
    struct skua_alloc alloc = ev->alloc;
    alloc.put(alloc.user, ev, sizeof *ev);
}

void skua_ev_enter(struct skua_ev *ev)
{
    ev->depth++;
}

void skua_ev_leave(struct skua_ev *ev)
{
    if (--ev->depth == 0 && ev->dying) {
        destroy(ev);
    }
}

void skua_ev_free(struct skua_ev *ev)
{
    if (ev == NULL || ev->dying) {
        return;
    }
    skua_ev_enter(ev);
    ev->dying = true;
    skua_ev_leave(ev);
}

static void start_watchers(struct skua_ev *ev)
{
    ev_idle_init(&ev->again, on_idle);
    ev_prepare_init(&ev->prepare, on_prepare);
    ev_set_priority(&ev->prepare, EV_MINPRI);
    ev->prepare.data = ev;
    ev_prepare_start(ev->loop, &ev->prepare);
    ev_unref(ev->loop);
    ev_check_init(&ev->check, on_check);
    ev_set_priority(&ev->check, EV_MINPRI);
    ev->check.data = ev;
    ev_check_start(ev->loop, &ev->check);
    ev_unref(ev->loop);
    ev_io_init(&ev->timer_reader, on_timer, ev->timer.fd, EV_READ);
    ev->timer_reader.data = ev;
    skua_ev_start_io(ev, &ev->timer_reader);
}

/* Everything that can fail, in order. */
static enum skua_err build(struct skua_ev *ev, struct skua_config *endpoint)
{
    enum skua_err err = skua_init();
    if (err != SKUA_OK) {
        return err;
    }
    if (!skua_timer_open(&ev->timer, ev->sys)) {
        return SKUA_ESYSTEM;
    }
    err = skua_receiver_init(&ev->receiver, ev->sys, &ev->stats, &ev->alloc);
    if (err != SKUA_OK) {
        return err;
    }
    err = skua_sender_init(&ev->sender, &ev->alloc);
    if (err != SKUA_OK) {
        return err;
    }
    struct skua_secret_key fresh;
    endpoint->rng = endpoint->rng == NULL ? skua_ev_rng() : endpoint->rng;
    if (endpoint->key == NULL) {
        skua_key_generate(&fresh, endpoint->rng);
        endpoint->key = &fresh;
    }
    err = skua_endpoint_new(&ev->ep, endpoint);
    skua_wipe(&fresh, sizeof fresh);
    return err;
}

enum skua_err skua_ev_new_on(struct skua_ev **out, struct ev_loop *loop,
                             const struct skua_ev_config *config, const struct skua_sys *sys)
{
    if (out == NULL || loop == NULL || config == NULL || config->size != sizeof *config ||
        config->endpoint.size != sizeof config->endpoint ||
        config->handlers.size != sizeof config->handlers) {
        return SKUA_EINVAL;
    }
    struct skua_ev_config c = *config;
    struct skua_alloc alloc = {.get = system_get, .put = system_put};
    if (c.endpoint.alloc != NULL) {
        alloc = *c.endpoint.alloc;
    }
    struct skua_ev *ev = alloc.get(alloc.user, sizeof *ev);
    if (ev == NULL) {
        return SKUA_ENOMEM;
    }
    memset(ev, 0, sizeof *ev);
    ev->sys = sys;
    ev->loop = loop;
    ev->alloc = alloc;
    ev->handlers = c.handlers;
    ev->user = c.user;
    ev->hold_time_wait = c.hold_time_wait;
    ev->socket_options.no_offload = c.no_offload;
    ev->socket_options.buffer = c.socket_buffer == 0 ? SOCKET_BUFFER : c.socket_buffer;
    ev->timer.fd = -1;
    for (uint32_t i = 0; i < SKUA_MAX_SOCKETS; i++) {
        ev->sockets[i].fd = -1;
    }
    ev->now = skua_clock_now(sys);
    ev->sender.sys = sys;
    ev->sender.stats = &ev->stats;
    ev->sender.sockets = ev->sockets;
    ev->sender.icmp = (struct skua_icmp_sink){.icmp = on_icmp, .user = ev};
    ev->sender.refusals = (struct skua_refusal_sink){.refused = on_refused, .user = ev};
    skua_connector_init(&ev->connector, ev);
    skua_roam_init(&ev->roam, ev);
    enum skua_err err = build(ev, &c.endpoint);
    if (err != SKUA_OK) {
        int error = errno;
        destroy(ev);
        errno = error;
        return err;
    }
    start_watchers(ev);
    *out = ev;
    return SKUA_OK;
}

enum skua_err skua_ev_new(struct skua_ev **out, struct ev_loop *loop,
                          const struct skua_ev_config *config)
{
    return skua_ev_new_on(out, loop, config, &skua_sys_linux);
}

struct skua_endpoint *skua_ev_endpoint(struct skua_ev *ev)
{
    return ev->ep;
}

void *skua_ev_user(const struct skua_ev *ev)
{
    return ev->user;
}

struct ev_loop *skua_ev_loop(const struct skua_ev *ev)
{
    return ev->loop;
}

skua_time skua_ev_now(const struct skua_ev *ev)
{
    return ev->now;
}

int skua_ev_errno(const struct skua_ev *ev)
{
    return ev->last_errno;
}

void skua_ev_stats(const struct skua_ev *ev, struct skua_ev_stats *out)
{
    *out = ev->stats;
    out->sockets = ev->socket_count;
    out->attempts = ev->connector.count;
    for (uint32_t i = 0; i < ev->socket_count; i++) {
        out->sockets_gso += ev->sockets[i].gso;
        out->sockets_gro += ev->sockets[i].gro;
        out->sockets_fragmenting += ev->sockets[i].fragments;
    }
}
