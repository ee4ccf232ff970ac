/* The life of a driver in the program's loop: what holds the loop and what lets it return, that an
 * idle connection does not wake it, that a driver may be freed in any handler, and that what is not
 * read at once can be read later. Over real sockets. */
#include "ev_sides.h"

#include <errno.h>

static void an_empty_driver_does_not_hold_the_loop(void **state)
{
    (void)state;
    sides_make(&client, &sides_bulk, &sys, false);
    ev_run(loop, 0);
    assert_ptr_equal(skua_ev_loop(client.ev), loop);
}

static void on_established_free(struct skua_ev *ev, const struct skua_event *event)
{
    sides_on_established(ev, event);
    skua_ev_free(ev);
    client.ev = NULL;
    skua_ev_free(server.ev);
    server.ev = NULL;
}

static void freed_in_a_handler(void **state)
{
    (void)state;
    struct skua_ev_handlers handlers = sides_bulk;
    handlers.established = on_established_free;
    sides_join(&sides_echo, &handlers);
    ev_run(loop, 0);
    assert_int_equal(client.established, 1);
    assert_int_equal(client.closed, 0);
}

static void on_established_abort(struct skua_ev *ev, const struct skua_event *event)
{
    skua_stream stream;
    size_t written;
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    sides_on_established(ev, event);
    assert_int_equal(skua_stream_open(ep, event->conn, 0, &stream), SKUA_OK);
    assert_int_equal(skua_stream_write(ep, stream, "x", 1, &written), SKUA_OK);
}

static void on_readable_abort(struct skua_ev *ev, const struct skua_event *event)
{
    assert_int_equal(skua_conn_abort(skua_ev_endpoint(ev), event->conn, 77, "enough"), SKUA_OK);
    skua_ev_free(ev); /* the RST leaves all the same */
    server.ev = NULL;
}

static void aborted_and_freed_at_once(void **state)
{
    (void)state;
    struct skua_ev_handlers aborts = sides_echo;
    struct skua_ev_handlers writes = sides_bulk;
    aborts.readable = on_readable_abort;
    writes.established = on_established_abort;
    sides_join(&aborts, &writes);
    ev_run(loop, 0);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.last.error, SKUA_ECONNRESET);
    assert_true(client.last.remote && client.last.application && client.last.code == 77);
}

/* An idle connection costs nothing: the loop sleeps. */
static void idle_means_asleep(void **state)
{
    (void)state;
    sides_join(&sides_echo, &sides_quiet);
    sides_run_for(1.0); /* handshake, MTU search */
    assert_int_equal(client.established, 1);
    unsigned before = ev_iteration(loop);
    sides_run_for(1.0);
    assert_true(ev_iteration(loop) - before < 20);
}

/* Says by `data` that its time has come. */
static void on_pause_told(struct ev_loop *l, struct ev_timer *watcher, int revents)
{
    (void)revents;
    *(bool *)watcher->data = true;
    ev_break(l, EVBREAK_ALL);
}

static void listening_holds_the_loop(void **state)
{
    (void)state;
    bool told = false;
    struct ev_timer pause;
    ev_timer_init(&pause, on_pause_told, 0.05, 0.0);
    pause.data = &told;
    sides_serve(&sides_echo, "127.0.0.1:0");
    ev_timer_start(loop, &pause);
    ev_unref(loop);
    ev_run(loop, 0);
    assert_true(told); /* it did not return before */
    ev_ref(loop);
    ev_timer_stop(loop, &pause);
    assert_int_equal(skua_ev_unlisten(server.ev), SKUA_OK);
    ev_run(loop, 0);
}

static void on_pause_connect(struct ev_loop *l, struct ev_timer *watcher, int revents)
{
    (void)l;
    (void)watcher;
    (void)revents;
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", 1, NULL, NULL), SKUA_OK);
}

/* An attempt that the program's last watcher has begun holds the loop as any other does. */
static void connecting_from_a_timer_holds_the_loop(void **state)
{
    (void)state;
    struct ev_timer pause;
    sides_make(&client, &sides_bulk, &sys, false);
    ev_timer_init(&pause, on_pause_connect, 0.01, 0.0);
    ev_timer_start(loop, &pause);
    ev_run(loop, 0);
    assert_int_equal(client.closed, 1); /* port 1: refused */
}

static void on_pause_dial(struct ev_loop *l, struct ev_timer *watcher, int revents)
{
    struct skua_path path = {.socket = *(uint32_t *)watcher->data};
    skua_conn conn;
    (void)l;
    (void)revents;
    assert_int_equal(skua_ev_addr_parse(&path.remote, "127.0.0.1:1"), SKUA_OK);
    assert_int_equal(skua_conn_connect(skua_ev_endpoint(client.ev), &path, NULL, &conn), SKUA_OK);
}

/* The same by a call of the core, which the driver does not see; and with a socket that there is
 * not, which nothing must be sent on: least of all on file 0. */
static void dialling_from_a_timer_holds_the_loop(void **state)
{
    (void)state;
    struct ev_timer pause;
    struct skua_ev_stats stats;
    uint32_t socket = 0;
    sides_make(&client, &sides_bulk, &sys, false);
    assert_int_equal(skua_ev_bind(client.ev, "127.0.0.1:0"), SKUA_OK);
    ev_timer_init(&pause, on_pause_dial, 0.01, 0.0);
    pause.data = &socket;
    ev_timer_start(loop, &pause);
    ev_run(loop, 0);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.last.error, SKUA_ECONNREFUSED);
    skua_ev_stats(client.ev, &stats);
    assert_int_not_equal(stats.send_datagrams, 0);
    uint64_t sent = stats.send_datagrams;
    socket = 1; /* not bound */
    ev_timer_start(loop, &pause);
    ev_run(loop, 0);
    assert_int_equal(client.closed, 2);
    assert_int_equal(client.last.error, SKUA_EUNREACHABLE);
    skua_ev_stats(client.ev, &stats);
    assert_int_equal(stats.send_datagrams, sent);
    assert_int_equal(stats.send_errno, EADDRNOTAVAIL);
}

static skua_stream unread;

static void on_stream_note(struct skua_ev *ev, const struct skua_event *event)
{
    (void)ev;
    unread = event->stream;
}

/* What a program does not read at once is still right when it reads later: the driver's buffers are
 * only lent while its handlers run. */
static void read_later(void **state)
{
    (void)state;
    static const struct skua_ev_handlers lazy = {.size = sizeof(struct skua_ev_handlers),
                                                 .stream = on_stream_note};
    uint8_t bytes[10000];
    size_t len;
    sides_join(&lazy, &sides_bulk);
    while (server.got < BULK) {
        sides_run_for(0.02);
        while (skua_stream_read(skua_ev_endpoint(server.ev), unread, bytes, sizeof bytes, &len) ==
               SKUA_OK) {
            for (size_t i = 0; i < len; i++) {
                assert_int_equal(bytes[i], sides_byte_at(server.got + i));
            }
            server.got += len;
        }
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sides_setup, sides_teardown)
    const struct CMUnitTest tests[] = {
        T(an_empty_driver_does_not_hold_the_loop),
        T(freed_in_a_handler),
        T(aborted_and_freed_at_once),
        T(idle_means_asleep),
        T(listening_holds_the_loop),
        T(connecting_from_a_timer_holds_the_loop),
        T(dialling_from_a_timer_holds_the_loop),
        T(read_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
