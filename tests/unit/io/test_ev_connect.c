/* Connecting by a driver, over real sockets: names with several addresses, of which some are silent
 * or refuse; from which socket an attempt leaves; attempts that are cancelled, refused by the
 * program or swallowed by the own machine's firewall; and arguments that make no sense. The clock
 * runs fast where a test waits for the protocol's time-outs. */
#include "ev_sides.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/timerfd.h>
#include <unistd.h>

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
    if (sides_setup(state) != 0) {
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
    sides_on_established(ev, event);
    assert_int_equal(skua_conn_close(skua_ev_endpoint(ev), event->conn), SKUA_OK);
}

static const struct skua_ev_handlers close_handlers = {.size = sizeof(struct skua_ev_handlers),
                                                       .established = on_established_close,
                                                       .closed = sides_on_closed};

/* A program that listens on its address in a VPN does not connect from elsewhere. One that listens
 * on a loopback address only can still connect to others. */
static void connects_from_where_it_listens(void **state)
{
    (void)state;
    struct skua_ev_stats stats;
    struct skua_path path;
    struct skua_addr own;
    uint64_t attempt;
    sides_serve(&sides_echo, "127.0.0.1:0");
    sides_make(&client, &sides_quiet, &sys, false);
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
    sides_serve(&sides_echo, "127.0.0.1:0");
    int fd = silent_socket(9);
    add_address(9);
    add_address(1);
    add_address(9);
    sides_make(&client, &close_handlers, &sys, false);
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
    sides_serve(&sides_echo, "127.0.0.1:0");
    for (uint8_t last = 8; last >= 2; last--) {
        add_address(last); /* nobody there: ICMP, or REFUSE */
    }
    add_address(1);
    sides_make(&client, &close_handlers, &sys, false);
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
    sides_make(&client, &close_handlers, &sys, false);
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
    sides_make(&client, &close_handlers, &sys, false);
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
    sides_serve(&sides_echo, "127.0.0.1:0");
    int fd = silent_socket(9);
    add_address(1);
    add_address(9);
    sides_make(&client, &close_handlers, &sys, false);
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

static void on_refuse(struct skua_ev *ev, const struct skua_event *event)
{
    server.incoming++;
    assert_int_equal(skua_conn_refuse(skua_ev_endpoint(ev), event->conn, SKUA_CODE_KEY_REFUSED),
                     SKUA_OK);
    assert_int_equal(skua_ev_unlisten(ev), SKUA_OK);
}

static void refused_by_the_program(void **state)
{
    (void)state;
    static const struct skua_ev_handlers refuses = {.size = sizeof(struct skua_ev_handlers),
                                                    .incoming = on_refuse};
    sides_join(&refuses, &sides_quiet);
    ev_run(loop, 0);
    assert_int_equal(server.incoming, 1);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.last.error, SKUA_ECONNREFUSED);
}

static void accepted_without_a_handler(void **state)
{
    (void)state;
    struct skua_ev_handlers handlers = sides_echo;
    handlers.incoming = NULL;
    sides_join(&handlers, &sides_bulk);
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
    sides_make(&client, &close_handlers, &sys, false);
    assert_int_equal(skua_ev_connect(client.ev, "many", port, NULL, &numbers[0]), SKUA_OK);
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.9", port, NULL, &numbers[1]), SKUA_OK);
    assert_int_equal(skua_ev_connect(client.ev, "many", port, NULL, &numbers[2]), SKUA_OK);
    assert_int_equal(skua_ev_connect_cancel(client.ev, numbers[0]), SKUA_OK);
    assert_int_equal(skua_ev_connect_cancel(client.ev, numbers[0]), SKUA_ECLOSED);
    sides_run_for(0.1);
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
    sides_make(&client, &close_handlers, &sys, false);
    config.syn_retries = 2;
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", 9, &config, NULL), SKUA_OK);
    ev_run(loop, 0);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.last.error, SKUA_ETIMEDOUT);
    assert_string_equal(client.reason, "some packets could not be sent: Operation not permitted");
    skua_ev_stats(client.ev, &stats);
    assert_int_equal(stats.send_errno, EPERM);
    assert_int_equal(stats.send_errors, 3);
}

static void connect_arguments(void **state)
{
    (void)state;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    sides_make(&client, &close_handlers, &sys, false);
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
#define T(name) cmocka_unit_test_setup_teardown(name, sides_setup, sides_teardown)
#define N(name) cmocka_unit_test_setup_teardown(name, setup_names, sides_teardown)
    const struct CMUnitTest tests[] = {
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
