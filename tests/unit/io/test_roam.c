/* The driver leaves a socket whose address has gone (io/roam.c): over real sockets on loopback, and
 * a kernel that says of 127.0.0.1 that it is gone, has no route, or refuses to send. */
#include "unit.h"

#include <errno.h>
#include <ev.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <skua/skua_ev.h>

#include "io/driver.h"

static struct ev_loop *loop;
static struct ev_timer watchdog;
static struct skua_ev *server;
static struct skua_ev *client;
static struct skua_sys sys; /* what the client runs on */
static struct skua_addr listening;
static skua_conn conn;                   /* the client's */
static skua_stream bulk;                 /* the server's end of what it sends; 0 = nothing */
static unsigned moves, failures, closed; /* the client's events */
static unsigned follows;                 /* PATH events of the server */
static size_t got;                       /* bytes at the client */
static bool wrong;                       /* one of them does not belong there */

/* The kernel. */
static bool gone;        /* 127.0.0.1 is no address of ours */
static bool no_route;    /* connect fails */
static int refuse_times; /* so many sends fail ... */
static bool refuse_new;  /* ... on the newest wildcard socket only */
static bool no_netlink;  /* there is no such socket */
static int notice_fd;    /* writing here makes the client's netlink socket readable */
static unsigned looks;   /* times that the kernel was asked about 127.0.0.1 */
static int newest_fd;    /* the last UDP socket that was bound to the wildcard */

static int on_socket(int family, int type, int protocol)
{
    int pair[2];
    if (family != AF_NETLINK) {
        return socket(family, type, protocol);
    }
    if (no_netlink) {
        errno = EPERM;
        return -1;
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    notice_fd = pair[1];
    return pair[0];
}

static int on_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    if (address->sa_family == AF_NETLINK) {
        return 0;
    }
    struct sockaddr_in in;
    assert_int_equal(len, sizeof in);
    memcpy(&in, address, sizeof in);
    newest_fd = in.sin_addr.s_addr == htonl(INADDR_ANY) ? fd : newest_fd;
    if (in.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && in.sin_port == 0) {
        looks++;
        if (gone) {
            errno = EADDRNOTAVAIL;
            return -1;
        }
    }
    return bind(fd, address, len);
}

static int on_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    if (no_route) {
        errno = ENETUNREACH;
        return -1;
    }
    return connect(fd, address, len);
}

static int on_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    if (refuse_times > 0 && (fd == newest_fd || !refuse_new)) {
        refuse_times--;
        errno = ENETUNREACH;
        return -1;
    }
    return sendmmsg(fd, messages, count, flags);
}

/* --- both sides */

static void pump(struct skua_ev *ev)
{
    static uint8_t zeros[100000];
    size_t written;
    while (bulk != 0 && skua_stream_write(skua_ev_endpoint(ev), bulk, zeros, sizeof zeros,
                                          &written) == SKUA_OK) {
    }
}

static void on_incoming(struct skua_ev *ev, const struct skua_event *event)
{
    assert_int_equal(skua_conn_accept(skua_ev_endpoint(ev), event->conn, NULL), SKUA_OK);
}

static void on_stream(struct skua_ev *ev, const struct skua_event *event)
{
    bulk = event->stream;
    pump(ev);
}

static void on_writable(struct skua_ev *ev, const struct skua_event *event)
{
    (void)event;
    pump(ev);
}

static void on_server_path(struct skua_ev *ev, const struct skua_event *event)
{
    (void)ev;
    follows += event->error == SKUA_OK;
}

static void on_server_closed(struct skua_ev *ev, const struct skua_event *event)
{
    (void)event;
    bulk = 0;
    (void)skua_ev_unlisten(ev);
}

static void on_established(struct skua_ev *ev, const struct skua_event *event)
{
    (void)ev;
    conn = event->conn;
}

static void on_readable(struct skua_ev *ev, const struct skua_event *event)
{
    uint8_t bytes[10000];
    size_t len;
    while (skua_stream_read(skua_ev_endpoint(ev), event->stream, bytes, sizeof bytes, &len) ==
           SKUA_OK) {
        for (size_t i = 0; i < len; i++) {
            wrong = wrong || bytes[i] != 0;
        }
        got += len;
    }
}

static void on_path(struct skua_ev *ev, const struct skua_event *event)
{
    (void)ev;
    moves += event->error == SKUA_OK;
    failures += event->error != SKUA_OK;
}

static void on_closed(struct skua_ev *ev, const struct skua_event *event)
{
    (void)ev;
    (void)event;
    closed++;
}

static void on_watchdog(struct ev_loop *l, struct ev_timer *watcher, int revents)
{
    (void)l;
    (void)watcher;
    (void)revents;
    fail_msg("the loop does not come to an end");
}

static const struct skua_ev_handlers server_handlers = {.size = sizeof(struct skua_ev_handlers),
                                                        .incoming = on_incoming,
                                                        .stream = on_stream,
                                                        .writable = on_writable,
                                                        .path = on_server_path,
                                                        .closed = on_server_closed};
static const struct skua_ev_handlers client_handlers = {.size = sizeof(struct skua_ev_handlers),
                                                        .established = on_established,
                                                        .readable = on_readable,
                                                        .path = on_path,
                                                        .closed = on_closed};

static int setup(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_AUTO);
    sys = skua_sys_linux;
    sys.socket = on_socket;
    sys.bind = on_bind;
    sys.connect = on_connect;
    sys.sendmmsg = on_sendmmsg;
    conn = 0;
    bulk = 0;
    moves = failures = closed = follows = looks = 0;
    got = 0;
    wrong = gone = no_route = no_netlink = false;
    notice_fd = newest_fd = -1;
    refuse_new = false;
    refuse_times = 0;
    ev_timer_init(&watchdog, on_watchdog, 60.0, 0.0);
    ev_timer_start(loop, &watchdog);
    ev_unref(loop);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    skua_ev_free(client);
    skua_ev_free(server);
    client = server = NULL;
    if (notice_fd >= 0) {
        close(notice_fd);
    }
    ev_ref(loop);
    ev_timer_stop(loop, &watchdog);
    ev_loop_destroy(loop);
    return 0;
}

/* --- steps of a test */

static void turn(void)
{
    ev_run(loop, EVRUN_ONCE);
}

static void notice(void)
{
    if (write(notice_fd, "news", 4) != 4) {
        assert_int_equal(errno, EAGAIN); /* there are many already */
    }
}

/* Client and server, connected; `local` is bound by the client's program, or NULL. */
static void establish(const char *local)
{
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    config.handlers = server_handlers;
    assert_int_equal(skua_ev_new(&server, loop, &config), SKUA_OK);
    assert_int_equal(skua_ev_listen(server, "127.0.0.1:0", NULL), SKUA_OK);
    assert_int_equal(skua_ev_local_addr(server, 0, &listening), SKUA_OK);
    config.handlers = client_handlers;
    assert_int_equal(skua_ev_new_on(&client, loop, &config, &sys), SKUA_OK);
    if (local != NULL) {
        assert_int_equal(skua_ev_bind(client, local), SKUA_OK);
    }
    assert_int_equal(skua_ev_connect(client, "127.0.0.1", listening.port, NULL, NULL), SKUA_OK);
    while (conn == 0) {
        turn();
    }
}

/* The server sends without end. */
static void download(size_t bytes)
{
    if (bulk == 0) {
        skua_stream stream;
        size_t written;
        struct skua_endpoint *ep = skua_ev_endpoint(client);
        assert_int_equal(skua_stream_open(ep, conn, SKUA_STREAM_BIDI, &stream), SKUA_OK);
        assert_int_equal(skua_stream_write(ep, stream, "go", 2, &written), SKUA_OK);
    }
    for (size_t end = got + bytes; got < end;) {
        turn();
    }
}

static struct skua_path path_of_client(void)
{
    struct skua_path path;
    assert_int_equal(skua_conn_path(skua_ev_endpoint(client), conn, &path), SKUA_OK);
    return path;
}

static struct skua_ev_stats stats_of_client(void)
{
    struct skua_ev_stats stats;
    skua_ev_stats(client, &stats);
    return stats;
}

static void run_for(skua_time ns)
{
    skua_time end = skua_clock_now(&sys) + ns;
    while (skua_clock_now(&sys) < end) {
        ev_run(loop, EVRUN_NOWAIT);
    }
}

static void conclude(void)
{
    assert_false(wrong);
    assert_int_equal(closed, 0);
    assert_int_equal(skua_conn_abort(skua_ev_endpoint(client), conn, 0, ""), SKUA_OK);
    ev_run(loop, 0);
}

/* --- tests */

/* A notice of the kernel's, in the middle of a download: the connection goes on from another
 * socket, and both sides know. */
static void a_download_survives(void **state)
{
    (void)state;
    establish(NULL);
    download(1000000);
    assert_int_equal(path_of_client().socket, 0);
    gone = true;
    notice();
    while (moves == 0 || follows == 0) {
        download(1);
    }
    download(1000000);
    assert_int_equal(path_of_client().socket, 1);
    assert_int_equal(stats_of_client().sockets, 2);
    assert_true(stats_of_client().roamed >= 1);
    assert_int_equal(moves, 1);
    assert_int_equal(failures, 0);
    conclude();
}

/* An idle connection moves as well, so that the server's next packet finds it. */
static void an_idle_connection_moves(void **state)
{
    (void)state;
    establish(NULL);
    run_for(200 * SKUA_MSEC);
    gone = true;
    notice();
    while (moves == 0 || follows == 0) {
        turn();
    }
    download(1000);
    conclude();
}

/* Notices that change nothing cost at most a look in 100 ms, and no connection anything. */
static void notices_for_nothing(void **state)
{
    (void)state;
    establish(NULL);
    skua_time begin = skua_clock_now(&sys);
    while (skua_clock_now(&sys) < begin + 350 * SKUA_MSEC) {
        notice();
        ev_run(loop, EVRUN_NOWAIT);
        ev_run(loop, EVRUN_NOWAIT);
    }
    skua_time took = skua_clock_now(&sys) - begin;
    assert_true(looks >= 2 && looks <= took / (100 * SKUA_MSEC) + 1);
    assert_int_equal(stats_of_client().roamed, 0);
    assert_int_equal(stats_of_client().sockets, 1);
    run_for(350 * SKUA_MSEC); /* what was left of the notices */
    unsigned before = looks;
    run_for(250 * SKUA_MSEC);
    assert_int_equal(looks, before);
    conclude();
}

/* A kernel without netlink: a refusal to send is a sign too. */
static void a_refusal_is_a_sign(void **state)
{
    (void)state;
    no_netlink = true;
    establish(NULL);
    download(100000);
    gone = true;
    refuse_times = 1;
    while (moves == 0) {
        download(1);
    }
    assert_int_equal(path_of_client().socket, 1);
    download(1000000);
    conclude();
}

/* Between two networks there is no route: nothing moves until there is one again. */
static void it_waits_for_a_route(void **state)
{
    (void)state;
    establish(NULL);
    download(100000);
    gone = no_route = true;
    notice();
    run_for(250 * SKUA_MSEC);
    assert_int_equal(stats_of_client().sockets, 1);
    assert_int_equal(stats_of_client().roamed, 0);
    no_route = false;
    notice();
    while (moves == 0) {
        download(1);
    }
    conclude();
}

/* What was bound to one address stays there, come what may. */
static void a_bound_socket_is_not_left(void **state)
{
    (void)state;
    establish("127.0.0.1:0");
    skua_roam_watch(&client->roam); /* as for a connection from another socket */
    download(100000);
    gone = true;
    notice();
    run_for(250 * SKUA_MSEC);
    assert_int_equal(stats_of_client().sockets, 1);
    assert_int_equal(stats_of_client().roamed, 0);
    download(100000);
    conclude();
}

/* So does a connection that was given its local address, beside one that was not. */
static void a_given_address_is_kept(void **state)
{
    (void)state;
    establish(NULL);
    download(100000);
    skua_conn moves_on = conn;
    struct skua_path path = path_of_client();
    path.local = path.remote; /* 127.0.0.1 as well */
    path.local.port = 0;
    skua_conn stays;
    assert_int_equal(skua_conn_connect(skua_ev_endpoint(client), &path, NULL, &stays), SKUA_OK);
    while (conn == moves_on) {
        turn();
    }
    assert_true(conn == stays);
    run_for(100 * SKUA_MSEC); /* until both could move */
    gone = true;
    notice();
    conn = moves_on;
    while (moves == 0) {
        download(1);
    }
    run_for(250 * SKUA_MSEC);
    assert_int_equal(path_of_client().socket, 1);
    conn = stays;
    assert_int_equal(path_of_client().socket, 0);
    assert_int_equal(moves, 1);
    assert_int_equal(skua_conn_abort(skua_ev_endpoint(client), moves_on, 0, ""), SKUA_OK);
    conclude();
}

/* An endpoint that only listens has nothing to move, whatever the kernel refuses. */
static void a_server_does_not_look(void **state)
{
    (void)state;
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    config.handlers = server_handlers;
    assert_int_equal(skua_ev_new_on(&server, loop, &config, &sys), SKUA_OK);
    assert_int_equal(skua_ev_listen(server, "0.0.0.0:0", NULL), SKUA_OK);
    assert_int_equal(skua_ev_local_addr(server, 0, &listening), SKUA_OK);
    config.handlers = client_handlers;
    assert_int_equal(skua_ev_new(&client, loop, &config), SKUA_OK);
    assert_int_equal(skua_ev_connect(client, "127.0.0.1", listening.port, NULL, NULL), SKUA_OK);
    while (conn == 0) {
        turn();
    }
    download(100000);
    gone = true;
    refuse_times = 10;
    download(100000);
    assert_int_equal(refuse_times, 0);
    run_for(250 * SKUA_MSEC);
    assert_int_equal(looks, 0);
    assert_int_equal(notice_fd, -1);
    conclude();
}

/* Away and away again: two sockets are enough, and no port is used twice. */
static void two_sockets_are_enough(void **state)
{
    (void)state;
    uint16_t ports[6];
    establish(NULL);
    download(100000);
    for (unsigned i = 0; i < 6; i++) {
        struct skua_addr local;
        skua_time begin = skua_clock_now(&sys);
        assert_int_equal(path_of_client().socket, i % 2);
        assert_int_equal(skua_ev_local_addr(client, i % 2, &local), SKUA_OK);
        ports[i] = local.port;
        for (unsigned j = 0; j < i; j++) {
            assert_int_not_equal(ports[i], ports[j]);
        }
        gone = true;
        notice();
        while (moves == i) {
            download(1);
            assert_true(skua_clock_now(&sys) < begin + 20 * SKUA_SEC);
        }
        gone = false;
        run_for(150 * SKUA_MSEC); /* the server's next spare id */
    }
    assert_int_equal(stats_of_client().sockets, 2);
    download(100000);
    conclude();
}

/* The new path is refused as well, the first time: it is tried again. */
static void a_path_in_vain_is_tried_again(void **state)
{
    (void)state;
    establish(NULL);
    download(100000);
    run_for(150 * SKUA_MSEC);
    gone = true;
    notice();
    newest_fd = -1; /* the socket that is opened now refuses its first datagram */
    refuse_new = true;
    refuse_times = 1;
    while (moves == 0) {
        download(1);
    }
    assert_int_equal(failures, 1);
    assert_int_equal(refuse_times, 0);
    assert_int_equal(path_of_client().socket, 1);
    conclude();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_download_survives, setup, teardown),
        cmocka_unit_test_setup_teardown(an_idle_connection_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(notices_for_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_is_a_sign, setup, teardown),
        cmocka_unit_test_setup_teardown(it_waits_for_a_route, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bound_socket_is_not_left, setup, teardown),
        cmocka_unit_test_setup_teardown(a_given_address_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_does_not_look, setup, teardown),
        cmocka_unit_test_setup_teardown(two_sockets_are_enough, setup, teardown),
        cmocka_unit_test_setup_teardown(a_path_in_vain_is_tried_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
