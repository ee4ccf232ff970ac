/* The driver with the protocol on top, over real sockets: a bulk transfer there and back by every
 * family of addresses, with and without offload, on sockets that cannot forbid fragments and on a
 * kernel whose calls fail; then making a driver, and binding its sockets, with what is refused and
 * what fails for want of memory or descriptors. Its life is test_ev_life.c, connecting by names and
 * addresses test_ev_connect.c. */
#include "ev_sides.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "io/driver.h"

static void echo_over_ipv4(void **state)
{
    (void)state;
    sides_transfer("127.0.0.1:0", "127.0.0.1", false);
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
    sides_transfer("[::1]:0", "::1", false);
}

static void echo_over_a_dual_stack_wildcard(void **state)
{
    (void)state;
    sides_transfer(":0", "localhost", false);
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
    sides_transfer("127.0.0.1:0", "127.0.0.1", true);
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
    sides_transfer("127.0.0.1:0", "127.0.0.1", false);
    skua_ev_stats(client.ev, &stats);
    assert_int_equal(stats.sockets_fragmenting, 0);
    assert_int_not_equal(client.mtu, 1200);
    sides_teardown(NULL);
    sides_setup(NULL);
    sys.setsockopt = refuse_df;
    sides_transfer("127.0.0.1:0", "127.0.0.1", false);
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
        sides_transfer("127.0.0.1:0", "127.0.0.1", false);
        assert_int_equal(sides_teardown(NULL), 0);
        struct skua_sys keep = sys;
        assert_int_equal(sides_setup(NULL), 0);
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
    sides_make(&client, &none, &sys, false);
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
    sides_make(&client, &sides_bulk, &sys, false);
    assert_int_equal(skua_ev_bind(client.ev, "127.0.0.1:0"), SKUA_ESYSTEM);
    assert_int_equal(skua_ev_errno(client.ev), EMFILE);
    assert_int_equal(skua_ev_connect(client.ev, "127.0.0.1", 9, NULL, NULL), SKUA_OK);
    assert_int_equal(client.closed, 0);
    ev_run(loop, 0);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.last.error, SKUA_ESYSTEM);
    assert_true(client.last.conn == 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sides_setup, sides_teardown)
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
