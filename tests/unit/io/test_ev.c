/* The driver with the protocol on top: two of them in one loop, over real sockets, some of whose
 * calls fail. */
#include "unit.h"

#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <skua/skua_ev.h>

#include "io/driver.h"

enum { BULK = 3 << 20 };

/* One side of a test. */
struct side {
    struct skua_ev *ev;
    unsigned incoming, established, finished, closed;
    struct skua_event last; /* the latest `closed` */
    char reason[512];       /* its text */
    skua_conn conn;
    size_t sent, got; /* bytes of the bulk transfer */
    uint64_t mtu;     /* of the connection at its end */
    bool wrong;       /* a byte that does not belong there */
};

static struct ev_loop *loop;
static struct ev_timer watchdog;
static struct side server;
static struct side client;
static struct skua_sys sys; /* what the client runs on */
static struct skua_addr listening;

static uint8_t content_at(size_t offset)
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

static void on_refuse(struct skua_ev *ev, const struct skua_event *event)
{
    side_of(ev)->incoming++;
    assert_int_equal(skua_conn_refuse(skua_ev_endpoint(ev), event->conn, SKUA_CODE_KEY_REFUSED),
                     SKUA_OK);
    assert_int_equal(skua_ev_unlisten(ev), SKUA_OK);
}

static void on_established(struct skua_ev *ev, const struct skua_event *event)
{
    side_of(ev)->established++;
    side_of(ev)->conn = event->conn;
}

static void on_closed(struct skua_ev *ev, const struct skua_event *event)
{
    side_of(ev)->closed++;
    side_of(ev)->last = *event;
    (void)snprintf(side_of(ev)->reason, sizeof side_of(ev)->reason, "%s", event->reason);
}

static void on_closed_unlisten(struct skua_ev *ev, const struct skua_event *event)
{
    on_closed(ev, event);
    assert_int_equal(skua_ev_unlisten(ev), SKUA_OK);
}

static void on_finished_close(struct skua_ev *ev, const struct skua_event *event)
{
    side_of(ev)->finished++;
    (void)skua_conn_close(skua_ev_endpoint(ev), event->conn);
}

/* The server sends back what it gets. */
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
            bytes[i] = content_at(side->sent + i);
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
    on_established(ev, event);
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
            side->wrong = side->wrong || bytes[i] != content_at(side->got + i);
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

static const struct skua_ev_handlers echo_handlers = {.size = sizeof(struct skua_ev_handlers),
                                                      .incoming = on_incoming,
                                                      .readable = on_echo,
                                                      .writable = on_echo,
                                                      .finished = on_finished_close,
                                                      .closed = on_closed_unlisten};
static const struct skua_ev_handlers bulk_handlers = {.size = sizeof(struct skua_ev_handlers),
                                                      .established = on_established_bulk,
                                                      .readable = on_compare,
                                                      .writable = on_writable,
                                                      .closed = on_closed};

static void make(struct side *side, const struct skua_ev_handlers *handlers,
                 const struct skua_sys *on, bool no_offload)
{
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    config.handlers = *handlers;
    config.user = side;
    config.no_offload = no_offload;
    assert_int_equal(skua_ev_new_on(&side->ev, loop, &config, on), SKUA_OK);
}

static void serve(const struct skua_ev_handlers *handlers, const char *address)
{
    make(&server, handlers, &skua_sys_linux, false);
    assert_int_equal(skua_ev_listen(server.ev, address, NULL), SKUA_OK);
    assert_int_equal(skua_ev_local_addr(server.ev, 0, &listening), SKUA_OK);
    assert_int_not_equal(listening.port, 0);
}

static int setup(void **state)
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

static int teardown(void **state)
{
    (void)state;
    skua_ev_free(client.ev);
    skua_ev_free(server.ev);
    ev_ref(loop);
    ev_timer_stop(loop, &watchdog);
    ev_loop_destroy(loop);
    return 0;
}

/* The whole echo of BULK bytes; ev_run returns by itself when both sides are done. */
static void transfer(const char *address, const char *host, bool no_offload)
{
    serve(&echo_handlers, address);
    make(&client, &bulk_handlers, &sys, no_offload);
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

static void echo_over_ipv4(void **state)
{
    (void)state;
    transfer("127.0.0.1:0", "127.0.0.1", false);
    struct skua_ev_stats stats;
    skua_ev_stats(client.ev, &stats);
    assert_int_equal(stats.sockets, 1);
    assert_true(stats.send_bytes > BULK);
    assert_true(stats.send_calls <= stats.send_batches);
    assert_int_equal(stats.send_errors, 0);
    assert_int_equal(stats.recv_errors, 0);
}

static void echo_over_ipv6(void **state)
{
    (void)state;
    transfer("[::1]:0", "::1", false);
}

static void echo_over_a_dual_stack_wildcard(void **state)
{
    (void)state;
    transfer(":0", "localhost", false);
    struct skua_addr second;
    if (skua_ev_local_addr(server.ev, 1, &second) == SKUA_OK) {
        assert_int_equal(second.port, listening.port);
        assert_int_not_equal(second.family, listening.family);
    }
    assert_int_equal(skua_ev_local_addr(server.ev, 2, &second), SKUA_EINVAL);
}

static void echo_without_offload(void **state)
{
    (void)state;
    transfer("127.0.0.1:0", "127.0.0.1", true);
    struct skua_ev_stats stats;
    skua_ev_stats(client.ev, &stats);
    assert_int_equal(stats.sockets_gso + stats.sockets_gro, 0);
    assert_int_equal(stats.recv_buffers, stats.recv_datagrams);
}

static int refuse_df(int fd, int level, int option, const void *value, socklen_t len)
{
    if (level == IPPROTO_IP && option == IP_MTU_DISCOVER) {
        errno = ENOPROTOOPT;
        return -1;
    }
    return setsockopt(fd, level, option, value, len);
}

/* A socket that cannot forbid fragments sends what no path fragments, though the path would carry
 * more. */
static void without_df_nothing_is_probed(void **state)
{
    (void)state;
    struct skua_ev_stats stats;
    transfer("127.0.0.1:0", "127.0.0.1", false);
    skua_ev_stats(client.ev, &stats);
    assert_int_equal(stats.sockets_fragmenting, 0);
    assert_int_not_equal(client.mtu, 1200);
    teardown(NULL);
    setup(NULL);
    sys.setsockopt = refuse_df;
    transfer("127.0.0.1:0", "127.0.0.1", false);
    skua_ev_stats(client.ev, &stats);
    assert_int_equal(stats.sockets_fragmenting, 1);
    assert_int_equal(client.mtu, 1200);
    assert_true(stats.send_bytes <= stats.send_datagrams * 1200);
}

/* --- calls that fail --- */

static uint64_t chaos;
static unsigned failures;

/* One call in `n` fails with any errno, until all bytes are there: how the close copes with loss is
 * the protocol's business, and takes its time. */
static bool fails(unsigned n)
{
    if (client.got == BULK) {
        return false;
    }
    chaos = chaos * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    if ((chaos >> 33) % n != 0) {
        return false;
    }
    failures++;
    errno = 1 + (int)((chaos >> 20) % 133);
    return true;
}

static int chaos_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    return fails(4) ? -1 : sendmmsg(fd, messages, count > 3 ? 3 : count, flags);
}

static ssize_t chaos_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return fails(4) ? -1 : sendmsg(fd, message, flags);
}

static int chaos_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                          struct timespec *timeout)
{
    return fails(4) ? -1 : recvmmsg(fd, messages, count, flags, timeout);
}

static ssize_t chaos_recvmsg(int fd, struct msghdr *message, int flags)
{
    return fails(4) ? -1 : recvmsg(fd, message, flags);
}

static int chaos_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
    return fails(3) ? -1 : timerfd_settime(fd, flags, value, old);
}

static ssize_t chaos_read(int fd, void *out, size_t len)
{
    return fails(3) ? -1 : read(fd, out, len);
}

static void echo_over_a_failing_kernel(void **state)
{
    (void)state;
    sys.sendmmsg = chaos_sendmmsg;
    sys.sendmsg = chaos_sendmsg;
    sys.recvmmsg = chaos_recvmmsg;
    sys.recvmsg = chaos_recvmsg;
    sys.timerfd_settime = chaos_settime;
    sys.read = chaos_read;
    for (unsigned seed = 1; seed <= 10; seed++) {
        chaos = seed;
        transfer("127.0.0.1:0", "127.0.0.1", false);
        assert_int_equal(teardown(NULL), 0);
        struct skua_sys keep = sys;
        assert_int_equal(setup(NULL), 0);
        sys = keep;
    }
    assert_true(failures > 100);
}

static int no_timerfd(int clock, int flags)
{
    (void)clock;
    (void)flags;
    errno = EMFILE;
    return -1;
}

static int no_socket(int family, int type, int protocol)
{
    (void)family;
    (void)type;
    (void)protocol;
    errno = EMFILE;
    return -1;
}

static void making_fails(void **state)
{
    (void)state;
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    struct skua_ev *ev = NULL;
    sys.timerfd_create = no_timerfd;
    assert_int_equal(skua_ev_new_on(&ev, loop, &config, &sys), SKUA_ESYSTEM);
    assert_int_equal(errno, EMFILE);
    config.size++;
    assert_int_equal(skua_ev_new(&ev, loop, &config), SKUA_EINVAL);
    config.size = 0;
    assert_int_equal(skua_ev_new(&ev, loop, &config), SKUA_EINVAL);
    config.size = sizeof config;
    config.handlers.size -= sizeof(skua_ev_handler *); /* a program that is one handler older */
    assert_int_equal(skua_ev_new(&ev, loop, &config), SKUA_EINVAL);
    config.handlers.size = sizeof config.handlers;
    config.endpoint.size -= sizeof(void *);
    assert_int_equal(skua_ev_new(&ev, loop, &config), SKUA_EINVAL);
    assert_int_equal(skua_ev_new(&ev, loop, NULL), SKUA_EINVAL);
    assert_null(ev);
    skua_ev_free(NULL);
}

static size_t allocations_left;
static size_t bytes_held;

static void *scarce_get(void *user, size_t size)
{
    (void)user;
    if (allocations_left == 0) {
        return NULL;
    }
    allocations_left--;
    bytes_held += size;
    return malloc(size);
}

static void scarce_put(void *user, void *memory, size_t size)
{
    (void)user;
    bytes_held -= size;
    free(memory);
}

/* Every allocation of making, binding and connecting fails in turn; nothing is leaked. */
static void every_allocation_fails(void **state)
{
    (void)state;
    const struct skua_alloc alloc = {.get = scarce_get, .put = scarce_put};
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    config.endpoint.alloc = &alloc;
    bool done = false;
    for (size_t n = 0; !done && n < 1000; n++) {
        struct skua_ev *ev = NULL;
        allocations_left = n;
        enum skua_err err = skua_ev_new(&ev, loop, &config);
        if (err == SKUA_OK) {
            err = skua_ev_listen(ev, "127.0.0.1:0", NULL);
        }
        if (err == SKUA_OK) {
            err = skua_ev_connect(ev, "127.0.0.1", 9, NULL, NULL);
        }
        assert_true(err == SKUA_OK || err == SKUA_ENOMEM);
        done = err == SKUA_OK && allocations_left > 0;
        ev_run(loop, EVRUN_NOWAIT);
        skua_ev_free(ev);
        assert_int_equal(bytes_held, 0);
    }
    assert_true(done);
}

/* --- sockets --- */

static void binding(void **state)
{
    (void)state;
    static const struct skua_ev_handlers none = SKUA_EV_HANDLERS_INIT;
    struct skua_ev_stats stats;
    char text[64];
    make(&client, &none, &sys, false);
    assert_int_equal(skua_ev_listen(client.ev, NULL, NULL), SKUA_EINVAL);
    assert_int_equal(skua_ev_bind(client.ev, "localhost:1"), SKUA_EADDR);
    assert_int_equal(skua_ev_bind(client.ev, NULL), SKUA_EADDR);
    assert_int_equal(skua_ev_bind(client.ev, "192.0.2.1:0"), SKUA_EADDR);
    assert_int_equal(skua_ev_bind(client.ev, "127.0.0.1:0"), SKUA_OK);
    assert_int_equal(skua_ev_local_addr(client.ev, 0, &listening), SKUA_OK);
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", listening.port);
    assert_int_equal(skua_ev_bind(client.ev, text), SKUA_EADDRINUSE);
    assert_int_equal(skua_ev_listen(client.ev, NULL, NULL), SKUA_OK);
    assert_int_equal(skua_ev_listen(client.ev, "127.0.0.1:0", NULL), SKUA_ESTATE);
    skua_ev_stats(client.ev, &stats);
    assert_int_equal(stats.sockets, 1);
    for (unsigned i = 1; i < SKUA_MAX_SOCKETS; i++) {
        assert_int_equal(skua_ev_bind(client.ev, "127.0.0.1:0"), SKUA_OK);
    }
    assert_int_equal(skua_ev_bind(client.ev, "127.0.0.1:0"), SKUA_ELIMIT);
    assert_int_equal(skua_ev_unlisten(client.ev), SKUA_OK);
    assert_int_equal(skua_ev_unlisten(client.ev), SKUA_ESTATE);
    ev_run(loop, 0);
}

static void no_descriptors(void **state)
{
    (void)state;
    sys.socket = no_socket;
    make(&client, &bulk_handlers, &sys, false);
    assert_int_equal(skua_ev_bind(client.ev, "127.0.0.1:0"), SKUA_ESYSTEM);
    assert_int_equal(skua_ev_errno(client.ev), EMFILE);
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", 9, NULL, NULL), SKUA_OK);
    assert_int_equal(client.closed, 0);
    ev_run(loop, 0);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.last.error, SKUA_ESYSTEM);
    assert_true(client.last.conn == 0);
}

/* --- life --- */

static void an_empty_driver_does_not_hold_the_loop(void **state)
{
    (void)state;
    make(&client, &bulk_handlers, &sys, false);
    ev_run(loop, 0);
    assert_ptr_equal(skua_ev_loop(client.ev), loop);
}

static void on_established_free(struct skua_ev *ev, const struct skua_event *event)
{
    on_established(ev, event);
    skua_ev_free(ev);
    client.ev = NULL;
    skua_ev_free(server.ev);
    server.ev = NULL;
}

static void freed_in_a_handler(void **state)
{
    (void)state;
    struct skua_ev_handlers handlers = bulk_handlers;
    handlers.established = on_established_free;
    serve(&echo_handlers, "127.0.0.1:0");
    make(&client, &handlers, &sys, false);
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", listening.port, NULL, NULL), SKUA_OK);
    ev_run(loop, 0);
    assert_int_equal(client.established, 1);
    assert_int_equal(client.closed, 0);
}

static void on_established_abort(struct skua_ev *ev, const struct skua_event *event)
{
    skua_stream stream;
    size_t written;
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    on_established(ev, event);
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
    struct skua_ev_handlers aborts = echo_handlers;
    struct skua_ev_handlers writes = bulk_handlers;
    aborts.readable = on_readable_abort;
    writes.established = on_established_abort;
    serve(&aborts, "127.0.0.1:0");
    make(&client, &writes, &sys, false);
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", listening.port, NULL, NULL), SKUA_OK);
    ev_run(loop, 0);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.last.error, SKUA_ECONNRESET);
    assert_true(client.last.remote && client.last.application && client.last.code == 77);
}

static void on_pause_over(struct ev_loop *l, struct ev_timer *watcher, int revents)
{
    (void)watcher;
    (void)revents;
    ev_break(l, EVBREAK_ALL);
}

static void run_for(double seconds)
{
    struct ev_timer pause;
    ev_timer_init(&pause, on_pause_over, seconds, 0.0);
    ev_timer_start(loop, &pause);
    ev_run(loop, 0);
    ev_timer_stop(loop, &pause);
}

/* An idle connection costs nothing: the loop sleeps. */
static void idle_means_asleep(void **state)
{
    (void)state;
    struct skua_ev_handlers quiet = {.size = sizeof(struct skua_ev_handlers),
                                     .established = on_established,
                                     .closed = on_closed};
    serve(&echo_handlers, "127.0.0.1:0");
    make(&client, &quiet, &sys, false);
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", listening.port, NULL, NULL), SKUA_OK);
    run_for(1.0); /* handshake, MTU search */
    assert_int_equal(client.established, 1);
    unsigned before = ev_iteration(loop);
    run_for(1.0);
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
    serve(&echo_handlers, "127.0.0.1:0");
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
    make(&client, &bulk_handlers, &sys, false);
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
    make(&client, &bulk_handlers, &sys, false);
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
    serve(&lazy, "127.0.0.1:0");
    make(&client, &bulk_handlers, &sys, false);
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", listening.port, NULL, NULL), SKUA_OK);
    while (server.got < BULK) {
        run_for(0.02);
        while (skua_stream_read(skua_ev_endpoint(server.ev), unread, bytes, sizeof bytes, &len) ==
               SKUA_OK) {
            for (size_t i = 0; i < len; i++) {
                assert_int_equal(bytes[i], content_at(server.got + i));
            }
            server.got += len;
        }
    }
}

/* --- connecting --- */

/* Addresses that the name "many" has, in this order. */
static struct sockaddr_in many[8];
static size_t many_count;
static struct addrinfo many_list[8];

static int fake_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                            struct addrinfo **out)
{
    (void)service;
    (void)hints;
    if (strcmp(host, "many") != 0) {
        return EAI_NONAME;
    }
    for (size_t i = 0; i < many_count; i++) {
        many_list[i] = (struct addrinfo){.ai_addr = (struct sockaddr *)&many[i],
                                         .ai_addrlen = sizeof many[i],
                                         .ai_next = i + 1 < many_count ? &many_list[i + 1] : NULL};
    }
    *out = many_list;
    return 0;
}

static void fake_freeaddrinfo(struct addrinfo *list)
{
    (void)list;
}

/* The name has 127.0.0.`last` among its addresses. */
static void add_address(uint8_t last)
{
    many[many_count].sin_family = AF_INET;
    many[many_count++].sin_addr.s_addr = htonl(UINT32_C(0x7f000000) | last);
}

static int setup_names(void **state)
{
    many_count = 0;
    if (setup(state) != 0) {
        return -1;
    }
    sys.getaddrinfo = fake_getaddrinfo;
    sys.freeaddrinfo = fake_freeaddrinfo;
    return 0;
}

/* A socket at 127.0.0.`last`, with the server's port, that never answers. */
static int silent_socket(uint8_t last)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(listening.port)};
    in.sin_addr.s_addr = htonl(UINT32_C(0x7f000000) | last);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static void on_established_close(struct skua_ev *ev, const struct skua_event *event)
{
    on_established(ev, event);
    assert_int_equal(skua_conn_close(skua_ev_endpoint(ev), event->conn), SKUA_OK);
}

static const struct skua_ev_handlers close_handlers = {.size = sizeof(struct skua_ev_handlers),
                                                       .established = on_established_close,
                                                       .closed = on_closed};

/* A program that listens on its address in a VPN does not connect from elsewhere. One that listens
 * on a loopback address only can still connect to others. */
static void connects_from_where_it_listens(void **state)
{
    (void)state;
    struct skua_ev_stats stats;
    struct skua_path path;
    struct skua_addr own;
    uint64_t attempt;
    serve(&echo_handlers, "127.0.0.1:0");
    struct skua_ev_handlers handlers = {.size = sizeof(struct skua_ev_handlers),
                                        .established = on_established,
                                        .closed = on_closed};
    make(&client, &handlers, &sys, false);
    assert_int_equal(skua_ev_listen(client.ev, "127.0.0.2:0", NULL), SKUA_OK);
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", listening.port, NULL, NULL), SKUA_OK);
    while (client.established == 0 || server.incoming == 0) {
        ev_run(loop, EVRUN_ONCE);
    }
    assert_int_equal(skua_conn_path(skua_ev_endpoint(client.ev), client.conn, &path), SKUA_OK);
    assert_int_equal(path.socket, 0);
    assert_int_equal(skua_ev_local_addr(client.ev, 0, &own), SKUA_OK);
    assert_int_equal(skua_conn_path(skua_ev_endpoint(server.ev), server.conn, &path), SKUA_OK);
    assert_memory_equal(&path.remote, &own, sizeof own);
    skua_ev_stats(client.ev, &stats);
    assert_int_equal(stats.sockets, 1);
    assert_int_equal(skua_ev_connect(client.ev, "192.0.2.1", 9, NULL, &attempt), SKUA_OK);
    assert_int_equal(skua_ev_connect_cancel(client.ev, attempt), SKUA_OK);
    skua_ev_stats(client.ev, &stats);
    assert_int_equal(stats.sockets, 2);
    assert_int_equal(skua_ev_local_addr(client.ev, 1, &own), SKUA_OK);
    assert_int_equal(own.ip[0], 0);
}

static void a_silent_address_is_overtaken(void **state)
{
    (void)state;
    serve(&echo_handlers, "127.0.0.1:0");
    int fd = silent_socket(9);
    add_address(9);
    add_address(1);
    add_address(9);
    make(&client, &close_handlers, &sys, false);
    int user;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.user = &user;
    skua_time begin = skua_ev_now(client.ev);
    assert_int_equal(skua_ev_connect(client.ev, "many", listening.port, &config, NULL), SKUA_OK);
    ev_run(loop, 0);
    skua_time took = skua_ev_now(client.ev) - begin;
    assert_int_equal(client.established, 1);
    assert_int_equal(client.closed, 1); /* of the one that was established */
    assert_true(client.last.user == &user && client.last.conn == client.conn);
    assert_int_equal(client.last.error, SKUA_OK);
    assert_int_equal(server.incoming, 1);
    assert_true(took >= 250 * SKUA_MSEC);
    close(fd);
}

static void a_refusing_address_is_left_at_once(void **state)
{
    (void)state;
    skua_time begin;
    serve(&echo_handlers, "127.0.0.1:0");
    for (uint8_t last = 8; last >= 2; last--) {
        add_address(last); /* nobody there: ICMP, or REFUSE */
    }
    add_address(1);
    make(&client, &close_handlers, &sys, false);
    begin = skua_ev_now(client.ev);
    assert_int_equal(skua_ev_connect(client.ev, "many", listening.port, NULL, NULL), SKUA_OK);
    ev_run(loop, 0);
    assert_true(skua_ev_now(client.ev) - begin < 7 * 250 * SKUA_MSEC);
    assert_int_equal(client.established, 1);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.last.error, SKUA_OK);
}

static void all_refuse(void **state)
{
    (void)state;
    int user;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.user = &user;
    add_address(2);
    add_address(3);
    make(&client, &close_handlers, &sys, false);
    assert_int_equal(skua_ev_connect(client.ev, "many", 9, &config, NULL), SKUA_OK);
    ev_run(loop, 0);
    assert_int_equal(client.established, 0);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.last.error, SKUA_ECONNREFUSED);
    assert_ptr_equal(client.last.user, &user);
}

static void unknown_name(void **state)
{
    (void)state;
    int user;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.user = &user;
    make(&client, &close_handlers, &sys, false);
    assert_int_equal(skua_ev_connect(client.ev, "nosuch", 9, &config, NULL), SKUA_OK);
    ev_run(loop, 0);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.last.error, SKUA_ENAME);
    assert_true(client.last.conn == 0);
    assert_ptr_equal(client.last.user, &user);
    assert_string_equal(client.last.reason, gai_strerror(EAI_NONAME));
}

/* A clock that runs twenty times as fast, with the timer to match. */
enum { SPEED = 20 };

static int fast_gettime(clockid_t clock, struct timespec *out)
{
    int result = clock_gettime(clock, out);
    skua_time t = ((skua_time)out->tv_sec * SKUA_SEC + (skua_time)out->tv_nsec) * SPEED;
    out->tv_sec = (time_t)(t / SKUA_SEC);
    out->tv_nsec = (long)(t % SKUA_SEC);
    return result;
}

static int fast_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
    const struct timespec *at = &value->it_value;
    skua_time t = ((skua_time)at->tv_sec * SKUA_SEC + (skua_time)at->tv_nsec) / SPEED + 1;
    struct itimerspec real = {
        .it_value = {.tv_sec = (time_t)(t / SKUA_SEC), .tv_nsec = (long)(t % SKUA_SEC)}};
    return timerfd_settime(fd, flags, &real, old);
}

static void wrong_key(void **state)
{
    sys.clock_gettime = fast_gettime;
    sys.timerfd_settime = fast_settime;
    (void)state;
    struct skua_secret_key secret;
    struct skua_key key;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    skua_key_generate(&secret, skua_ev_rng());
    skua_key_public(&key, &secret);
    config.server_key = &key;
    serve(&echo_handlers, "127.0.0.1:0");
    int fd = silent_socket(9);
    add_address(1);
    add_address(9);
    make(&client, &close_handlers, &sys, false);
    skua_time begin = skua_ev_now(client.ev);
    assert_int_equal(skua_ev_connect(client.ev, "many", listening.port, &config, NULL), SKUA_OK);
    memset(&key, 0, sizeof key); /* the driver has its own copy */
    while (client.closed == 0) {
        ev_run(loop, EVRUN_ONCE);
    }
    assert_int_equal(client.last.error, SKUA_EPEERKEY);
    assert_true(skua_ev_now(client.ev) - begin < 60 * SKUA_SEC); /* not the silent one's time-out */
    assert_memory_equal(&client.last.key, skua_endpoint_key(skua_ev_endpoint(server.ev)),
                        sizeof key);
    close(fd);
}

static void refused_by_the_program(void **state)
{
    (void)state;
    static const struct skua_ev_handlers refuses = {.size = sizeof(struct skua_ev_handlers),
                                                    .incoming = on_refuse};
    serve(&refuses, "127.0.0.1:0");
    make(&client,
         &(struct skua_ev_handlers){.size = sizeof(struct skua_ev_handlers),
                                    .established = on_established,
                                    .closed = on_closed},
         &sys, false);
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", listening.port, NULL, NULL), SKUA_OK);
    ev_run(loop, 0);
    assert_int_equal(server.incoming, 1);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.last.error, SKUA_ECONNREFUSED);
}

static void accepted_without_a_handler(void **state)
{
    (void)state;
    struct skua_ev_handlers handlers = echo_handlers;
    handlers.incoming = NULL;
    serve(&handlers, "127.0.0.1:0");
    make(&client, &bulk_handlers, &sys, false);
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", listening.port, NULL, NULL), SKUA_OK);
    ev_run(loop, 0);
    assert_int_equal(client.got, BULK);
}

static void cancelled(void **state)
{
    (void)state;
    uint64_t numbers[3];
    listening.port = 0;
    int fd = silent_socket(9);
    struct sockaddr_in in;
    socklen_t len = sizeof in;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    uint16_t port = ntohs(in.sin_port);
    add_address(9);
    make(&client, &close_handlers, &sys, false);
    assert_int_equal(skua_ev_connect(client.ev, "many", port, NULL, &numbers[0]), SKUA_OK);
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.9", port, NULL, &numbers[1]), SKUA_OK);
    assert_int_equal(skua_ev_connect(client.ev, "many", port, NULL, &numbers[2]), SKUA_OK);
    assert_int_equal(skua_ev_connect_cancel(client.ev, numbers[0]), SKUA_OK);
    assert_int_equal(skua_ev_connect_cancel(client.ev, numbers[0]), SKUA_ECLOSED);
    run_for(0.1);
    assert_int_equal(skua_ev_connect_cancel(client.ev, numbers[1]), SKUA_OK);
    assert_int_equal(skua_ev_connect_cancel(client.ev, numbers[2]), SKUA_OK);
    assert_int_equal(skua_ev_connect_cancel(client.ev, 99), SKUA_ECLOSED);
    ev_run(loop, 0); /* nothing holds it any more */
    assert_int_equal(client.established + client.closed, 0);
    close(fd);
}

static int firewall(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    (void)fd;
    (void)messages;
    (void)count;
    (void)flags;
    errno = EPERM;
    return -1;
}

/* A firewall of the own machine swallows packets as a silent peer does; but it says so. */
static void the_own_firewall_is_named(void **state)
{
    (void)state;
    struct skua_ev_stats stats;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    sys.clock_gettime = fast_gettime;
    sys.timerfd_settime = fast_settime;
    sys.sendmmsg = firewall;
    make(&client, &close_handlers, &sys, false);
    config.syn_retries = 2;
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", 9, &config, NULL), SKUA_OK);
    ev_run(loop, 0);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.last.error, SKUA_ETIMEDOUT);
    assert_string_equal(client.reason, "cannot send: Operation not permitted");
    skua_ev_stats(client.ev, &stats);
    assert_int_equal(stats.send_errno, EPERM);
    assert_int_equal(stats.send_errors, 3);
}

static void connect_arguments(void **state)
{
    (void)state;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    make(&client, &close_handlers, &sys, false);
    assert_int_equal(skua_ev_connect(client.ev, NULL, 9, NULL, NULL), SKUA_EINVAL);
    assert_int_equal(skua_ev_connect(client.ev, "", 9, NULL, NULL), SKUA_EINVAL);
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", 0, NULL, NULL), SKUA_EINVAL);
    config.label = "a label that is longer than thirty-one bytes";
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", 9, &config, NULL), SKUA_EINVAL);
    config.label = NULL;
    config.ik = true; /* without a key */
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", 9, &config, NULL), SKUA_EINVAL);
    assert_int_equal(skua_ev_connect(client.ev, "localhost", 9, &config, NULL), SKUA_EINVAL);
    config.ik = false;
    config.max_streams_bidi = 1u << 30;
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", 9, &config, NULL), SKUA_EINVAL);
    config.max_streams_bidi = 0;
    config.size = 0;
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", 9, &config, NULL), SKUA_EINVAL);
    ev_run(loop, 0);
    assert_int_equal(client.closed, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define N(name) cmocka_unit_test_setup_teardown(name, setup_names, teardown)
    const struct CMUnitTest tests[] = {
        T(echo_over_ipv4),
        T(echo_over_ipv6),
        T(echo_over_a_dual_stack_wildcard),
        T(echo_without_offload),
        T(without_df_nothing_is_probed),
        T(echo_over_a_failing_kernel),
        T(making_fails),
        T(every_allocation_fails),
        T(binding),
        T(no_descriptors),
        T(an_empty_driver_does_not_hold_the_loop),
        T(freed_in_a_handler),
        T(aborted_and_freed_at_once),
        T(idle_means_asleep),
        T(listening_holds_the_loop),
        T(connecting_from_a_timer_holds_the_loop),
        T(dialling_from_a_timer_holds_the_loop),
        T(read_later),
        T(connects_from_where_it_listens),
        N(a_silent_address_is_overtaken),
        N(a_refusing_address_is_left_at_once),
        N(all_refuse),
        N(unknown_name),
        N(wrong_key),
        T(refused_by_the_program),
        T(accepted_without_a_handler),
        N(cancelled),
        T(the_own_firewall_is_named),
        N(connect_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
