/* The driver's part of each loop turn.
 *
 * A readable socket: one batch is received, opened by the core, its events are handled while the
 * core may still point into the buffers, and the loan is settled. Everything else happens once per
 * turn, in an ev_prepare of lowest priority, that is after all other watchers and right before the
 * loop waits: deadlines, tries, events, sending, the timer. What that leaves undone (a megabyte was
 * sent, events keep coming) keeps an idle watcher active, which makes the loop come back without
 * waiting. */
#include "base/time.h"
#include "io/driver.h"

enum {
    TURN_BYTES = 1 << 20, /* sent at most in one turn */
    CALL_BYTES = 1 << 18, /* sealed before they are sent: stays in the cache */
    TURN_ROUNDS = 4,      /* of events and sending in one turn */
};

/* --- what keeps the loop alive, or awake --- */

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

void skua_ev_update_hold(struct skua_ev *ev)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(ev->ep, &stats);
    set_hold(ev, ev->listening || ev->connector.count != 0 || stats.conns != 0 ||
                     ev->sender.waiting_count != 0 || (ev->hold_time_wait && stats.time_wait != 0));
}

/* --- the turn --- */

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

void skua_ev_send(struct skua_ev *ev)
{
    size_t share = TURN_BYTES;
    (void)flush(ev, &share);
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

/* --- watchers --- */

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

void skua_ev_start_watchers(struct skua_ev *ev)
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

void skua_ev_stop_watchers(struct skua_ev *ev)
{
    set_idle(ev, false);
    set_hold(ev, false);
    if (ev_is_active(&ev->prepare)) {
        ev_ref(ev->loop);
        ev_prepare_stop(ev->loop, &ev->prepare);
        ev_ref(ev->loop);
        ev_check_stop(ev->loop, &ev->check);
    }
    skua_ev_stop_io(ev, &ev->timer_reader);
}
