/* What tests of the driver share: see ev_sides.h. */
#include "ev_sides.h"

#include <stdio.h>

#include "io/driver.h"

struct ev_loop *loop;
static struct ev_timer watchdog;
struct side server;
struct side client;
struct skua_sys sys;
struct skua_addr listening;

uint8_t sides_byte_at(size_t offset)
{
    return (uint8_t)(offset * 31 + (offset >> 8) * 7 + (offset >> 16));
}

static void on_watchdog(struct ev_loop *l, struct ev_timer *watcher, int revents)
{
    (void)l;
    (void)watcher;
    (void)revents;
    fail_msg("the loop does not come to an end");
}

static struct side *side_of(struct skua_ev *ev)
{
    return skua_ev_user(ev);
}

static void on_incoming(struct skua_ev *ev, const struct skua_event *event)
{
    side_of(ev)->incoming++;
    side_of(ev)->conn = event->conn;
    assert_int_equal(skua_conn_accept(skua_ev_endpoint(ev), event->conn, NULL), SKUA_OK);
}

void sides_on_established(struct skua_ev *ev, const struct skua_event *event)
{
    side_of(ev)->established++;
    side_of(ev)->conn = event->conn;
}

void sides_on_closed(struct skua_ev *ev, const struct skua_event *event)
{
    side_of(ev)->closed++;
    side_of(ev)->last = *event;
    (void)snprintf(side_of(ev)->reason, sizeof side_of(ev)->reason, "%s", event->reason);
}

static void on_closed_unlisten(struct skua_ev *ev, const struct skua_event *event)
{
    sides_on_closed(ev, event);
    assert_int_equal(skua_ev_unlisten(ev), SKUA_OK);
}

static void on_finished_close(struct skua_ev *ev, const struct skua_event *event)
{
    side_of(ev)->finished++;
    (void)skua_conn_close(skua_ev_endpoint(ev), event->conn);
}

static void on_echo(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    for (;;) {
        struct skua_vec vec;
        size_t count = 1;
        size_t written;
        enum skua_err err = skua_stream_peek(ep, event->stream, &vec, &count);
        if (err == SKUA_EOF) {
            (void)skua_stream_close(ep, event->stream);
        }
        if (err != SKUA_OK ||
            skua_stream_write(ep, event->stream, vec.data, vec.len, &written) != SKUA_OK) {
            return;
        }
        assert_int_equal(skua_stream_consume(ep, event->stream, written), SKUA_OK);
    }
}

/* The client sends BULK bytes. */
static void pump(struct skua_ev *ev, skua_stream stream)
{
    struct side *side = side_of(ev);
    uint8_t bytes[10000];
    while (side->sent < BULK) {
        size_t len = BULK - side->sent < sizeof bytes ? BULK - side->sent : sizeof bytes;
        size_t written = 0;
        for (size_t i = 0; i < len; i++) {
            bytes[i] = sides_byte_at(side->sent + i);
        }
        if (skua_stream_write(skua_ev_endpoint(ev), stream, bytes, len, &written) != SKUA_OK) {
            return;
        }
        side->sent += written;
    }
    (void)skua_stream_finish(skua_ev_endpoint(ev), stream);
}

static void on_writable(struct skua_ev *ev, const struct skua_event *event)
{
    pump(ev, event->stream);
}

static void on_established_bulk(struct skua_ev *ev, const struct skua_event *event)
{
    skua_stream stream;
    sides_on_established(ev, event);
    assert_int_equal(skua_stream_open(skua_ev_endpoint(ev), event->conn, SKUA_STREAM_BIDI, &stream),
                     SKUA_OK);
    pump(ev, stream);
}

static void on_compare(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    struct side *side = side_of(ev);
    uint8_t bytes[10000];
    size_t len;
    enum skua_err err;
    while ((err = skua_stream_read(ep, event->stream, bytes, sizeof bytes, &len)) == SKUA_OK) {
        for (size_t i = 0; i < len; i++) {
            side->wrong = side->wrong || bytes[i] != sides_byte_at(side->got + i);
        }
        side->got += len;
    }
    if (err == SKUA_EOF) {
        struct skua_conn_stats stats;
        assert_int_equal(skua_conn_stats(ep, event->conn, &stats), SKUA_OK);
        side->mtu = stats.mtu;
        (void)skua_conn_close(ep, event->conn);
    }
}

const struct skua_ev_handlers sides_echo = {.size = sizeof(struct skua_ev_handlers),
                                            .incoming = on_incoming,
                                            .readable = on_echo,
                                            .writable = on_echo,
                                            .finished = on_finished_close,
                                            .closed = on_closed_unlisten};
const struct skua_ev_handlers sides_bulk = {.size = sizeof(struct skua_ev_handlers),
                                            .established = on_established_bulk,
                                            .readable = on_compare,
                                            .writable = on_writable,
                                            .closed = sides_on_closed};

const struct skua_ev_handlers sides_quiet = {.size = sizeof(struct skua_ev_handlers),
                                             .established = sides_on_established,
                                             .closed = sides_on_closed};

void sides_make(struct side *side, const struct skua_ev_handlers *handlers,
                const struct skua_sys *on, bool no_offload)
{
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    config.handlers = *handlers;
    config.user = side;
    config.no_offload = no_offload;
    assert_int_equal(skua_ev_new_on(&side->ev, loop, &config, on), SKUA_OK);
}

void sides_serve(const struct skua_ev_handlers *handlers, const char *address)
{
    sides_make(&server, handlers, &skua_sys_linux, false);
    assert_int_equal(skua_ev_listen(server.ev, address, NULL), SKUA_OK);
    assert_int_equal(skua_ev_local_addr(server.ev, 0, &listening), SKUA_OK);
    assert_int_not_equal(listening.port, 0);
}

void sides_join(const struct skua_ev_handlers *serves, const struct skua_ev_handlers *calls)
{
    sides_serve(serves, "127.0.0.1:0");
    sides_make(&client, calls, &sys, false);
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", listening.port, NULL, NULL), SKUA_OK);
}

int sides_setup(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_AUTO);
    memset(&server, 0, sizeof server);
    memset(&client, 0, sizeof client);
    sys = skua_sys_linux;
    ev_timer_init(&watchdog, on_watchdog, 60.0, 0.0);
    ev_timer_start(loop, &watchdog);
    ev_unref(loop);
    return loop == NULL ? -1 : 0;
}

int sides_teardown(void **state)
{
    (void)state;
    skua_ev_free(client.ev);
    skua_ev_free(server.ev);
    ev_ref(loop);
    ev_timer_stop(loop, &watchdog);
    ev_loop_destroy(loop);
    return 0;
}

void sides_transfer(const char *address, const char *host, bool no_offload)
{
    sides_serve(&sides_echo, address);
    sides_make(&client, &sides_bulk, &sys, no_offload);
    assert_int_equal(skua_ev_connect(client.ev, host, listening.port, NULL, NULL), SKUA_OK);
    ev_run(loop, 0);
    assert_int_equal(server.incoming, 1);
    assert_int_equal(client.established, 1);
    assert_int_equal(client.got, BULK);
    assert_false(client.wrong);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.last.error, SKUA_OK);
    assert_int_equal(server.closed, 1);
    assert_int_equal(server.last.error, SKUA_OK);
}

static void on_pause_over(struct ev_loop *l, struct ev_timer *watcher, int revents)
{
    (void)watcher;
    (void)revents;
    ev_break(l, EVBREAK_ALL);
}

void sides_run_for(double seconds)
{
    struct ev_timer pause;
    ev_timer_init(&pause, on_pause_over, seconds, 0.0);
    ev_timer_start(loop, &pause);
    ev_run(loop, 0);
    ev_timer_stop(loop, &pause);
}
