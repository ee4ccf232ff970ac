/* Real sockets on loopback: GSO to GRO, ECN, addresses, ICMP, and opening with calls that fail. */
#include "unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/addr.h"
#include "io/address.h"
#include "io/batch_recv.h"
#include "io/batch_send.h"

static const struct skua_socket_options options = {.buffer = 1 << 20};

static void *get(void *user, size_t size)
{
    (void)user;
    return malloc(size);
}

static void put(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

static const struct skua_alloc test_alloc = {.get = get, .put = put};

static unsigned icmp_count;
static int icmp_error;
static struct skua_addr icmp_remote;

static void on_icmp(void *user, const struct skua_socket *sock, const struct skua_addr *remote,
                    int error)
{
    (void)user;
    (void)sock;
    icmp_count++;
    icmp_error = error;
    icmp_remote = *remote;
}

static void on_refused(void *user, const struct skua_tx *tx, int error)
{
    (void)tx;
    *(int *)user = error;
}

static bool wait_for(int fd, short events)
{
    struct pollfd pollfd = {.fd = fd, .events = events};
    return poll(&pollfd, 1, 5000) == 1;
}

static struct skua_addr loopback(uint8_t family)
{
    struct skua_addr addr;
    (void)skua_address_parse_host(&addr, family == SKUA_FAMILY_IPV4 ? "127.0.0.1" : "::1", 0);
    return addr;
}

/* A machine without IPv6 (some containers) cannot run the half of a test that needs it. */
static bool has_family(uint8_t family)
{
    struct skua_socket probe;
    struct skua_addr addr = loopback(family);
    if (skua_socket_open(&probe, &skua_sys_linux, &addr, &options) != SKUA_OK) {
        return false;
    }
    skua_socket_close(&probe, &skua_sys_linux);
    return true;
}

static void send_batch(struct skua_sender *sender, const struct skua_addr *to, size_t size,
                       size_t segments, uint8_t ecn)
{
    struct skua_tx *tx = skua_sender_next(sender);
    assert_non_null(tx);
    tx->path.remote = *to;
    tx->segment_size = size;
    tx->len = size * segments;
    tx->ecn = ecn;
    for (size_t i = 0; i < tx->len; i++) {
        tx->data[i] = (uint8_t)(i / size);
    }
    skua_sender_push(sender);
    skua_sender_flush(sender);
}

static void round_trip(uint8_t family, bool no_offload)
{
    static struct skua_receiver receiver;
    static struct skua_sender sender;
    struct skua_ev_stats stats = {0};
    struct skua_socket from;
    struct skua_socket to;
    struct skua_addr any = {.family = family};
    const struct skua_socket_options o = {.buffer = 1 << 22, .no_offload = no_offload};
    assert_int_equal(skua_socket_open(&from, &skua_sys_linux, &any, &o), SKUA_OK);
    assert_int_equal(skua_socket_open(&to, &skua_sys_linux, &any, &o), SKUA_OK);
    assert_true(from.wildcard && from.local.port != 0 && from.local.port != to.local.port);
    assert_true(!no_offload || (!from.gso && !to.gro));
    memset(&sender, 0, sizeof sender);
    sender.sys = &skua_sys_linux;
    sender.stats = &stats;
    sender.sockets = &from;
    sender.icmp.icmp = on_icmp;
    assert_int_equal(skua_sender_init(&sender, &test_alloc), SKUA_OK);
    assert_int_equal(skua_receiver_init(&receiver, &skua_sys_linux, &stats, &test_alloc), SKUA_OK);
    struct skua_addr target = loopback(family);
    target.port = to.local.port;
    send_batch(&sender, &target, 1200, 20, 2);
    size_t got = 0;
    while (got < 20 && wait_for(to.fd, POLLIN)) {
        size_t count;
        assert_int_equal(skua_receiver_read(&receiver, &to, 0, &count), SKUA_RECV_SOME);
        for (size_t i = 0; i < count; i++) {
            const struct skua_rx *rx = &receiver.rx[i];
            struct skua_addr local = target;
            struct skua_addr remote = loopback(family);
            remote.port = from.local.port;
            assert_int_equal(rx->ecn, 2);
            assert_true(skua_addr_equal(&rx->path.local, &local));
            assert_true(skua_addr_equal(&rx->path.remote, &remote));
            size_t size = rx->segment_size == 0 ? rx->len : rx->segment_size;
            assert_int_equal(size, 1200);
            for (size_t at = 0; at < rx->len; at += size) {
                assert_int_equal(rx->data[at], got);
                assert_int_equal(rx->data[at + size - 1], got);
                got++;
            }
        }
    }
    assert_int_equal(got, 20);
    assert_int_equal(stats.send_datagrams, 20);
    skua_sender_deinit(&sender, &test_alloc);
    skua_receiver_deinit(&receiver, &test_alloc);
    skua_socket_close(&from, &skua_sys_linux);
    skua_socket_close(&to, &skua_sys_linux);
}

static void over_loopback(void **state)
{
    (void)state;
    for (int no_offload = 0; no_offload < 2; no_offload++) {
        round_trip(SKUA_FAMILY_IPV4, no_offload != 0);
        if (has_family(SKUA_FAMILY_IPV6)) {
            round_trip(SKUA_FAMILY_IPV6, no_offload != 0);
        }
    }
}

/* The kernel says by ICMP that nobody listens; the error belongs to the address it came from. */
static void port_unreachable(void **state)
{
    (void)state;
    static struct skua_sender sender;
    struct skua_ev_stats stats = {0};
    struct skua_socket sock;
    struct skua_socket gone;
    struct skua_addr addr = loopback(SKUA_FAMILY_IPV4);
    int refused = 0;
    assert_int_equal(skua_socket_open(&sock, &skua_sys_linux, &addr, &options), SKUA_OK);
    assert_int_equal(skua_socket_open(&gone, &skua_sys_linux, &addr, &options), SKUA_OK);
    skua_socket_close(&gone, &skua_sys_linux);
    memset(&sender, 0, sizeof sender);
    sender.sys = &skua_sys_linux;
    sender.stats = &stats;
    sender.sockets = &sock;
    sender.icmp.icmp = on_icmp;
    sender.refusals = (struct skua_refusal_sink){.refused = on_refused, .user = &refused};
    assert_int_equal(skua_sender_init(&sender, &test_alloc), SKUA_OK);
    icmp_count = 0;
    send_batch(&sender, &gone.local, 100, 1, 0);
    assert_true(wait_for(sock.fd, POLLERR));
    /* The pending error hits the next send, to somebody else; it must go out all the same. */
    struct skua_addr self = sock.local;
    send_batch(&sender, &self, 100, 1, 0);
    assert_int_equal(icmp_count, 1);
    assert_int_equal(icmp_error, ECONNREFUSED);
    assert_true(skua_addr_equal(&icmp_remote, &gone.local));
    assert_int_equal(refused, 0);
    assert_int_equal(stats.send_datagrams, 2);
    assert_true(wait_for(sock.fd, POLLIN));
    skua_sender_deinit(&sender, &test_alloc);
    skua_socket_close(&sock, &skua_sys_linux);
}

static void address_in_use(void **state)
{
    (void)state;
    struct skua_socket first;
    struct skua_socket second;
    struct skua_addr addr = loopback(SKUA_FAMILY_IPV4);
    assert_int_equal(skua_socket_open(&first, &skua_sys_linux, &addr, &options), SKUA_OK);
    assert_int_equal(skua_socket_open(&second, &skua_sys_linux, &first.local, &options),
                     SKUA_EADDRINUSE);
    assert_int_equal(second.fd, -1);
    addr.ip[0] = 192; /* 192.0.0.1: not of this machine */
    assert_int_equal(skua_socket_open(&second, &skua_sys_linux, &addr, &options), SKUA_EADDR);
    skua_socket_close(&first, &skua_sys_linux);
    skua_socket_close(&first, &skua_sys_linux);
}

/* Never fragmented: DF is set, and what does not fit the interface is refused. */
static void dont_fragment(void **state)
{
    (void)state;
    struct skua_socket sock;
    struct skua_addr addr = loopback(SKUA_FAMILY_IPV4);
    assert_int_equal(skua_socket_open(&sock, &skua_sys_linux, &addr, &options), SKUA_OK);
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(getsockopt(sock.fd, IPPROTO_IP, IP_MTU_DISCOVER, &value, &len), 0);
    assert_int_equal(value, IP_PMTUDISC_PROBE);
    assert_false(sock.fragments);
    skua_socket_close(&sock, &skua_sys_linux);
    addr = loopback(SKUA_FAMILY_IPV6);
    if (has_family(SKUA_FAMILY_IPV6)) {
        assert_int_equal(skua_socket_open(&sock, &skua_sys_linux, &addr, &options), SKUA_OK);
        assert_int_equal(getsockopt(sock.fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &value, &len), 0);
        assert_int_equal(value, IPV6_PMTUDISC_PROBE);
        assert_false(sock.fragments);
        skua_socket_close(&sock, &skua_sys_linux);
    }
}

/* --- failing calls --- */

static struct skua_sys failing_sys;
static int failing_errno;
static int failing_option; /* -1 = all */

static int fail_socket(int family, int type, int protocol)
{
    (void)family;
    (void)type;
    (void)protocol;
    errno = failing_errno;
    return -1;
}

static int fail_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    (void)fd;
    (void)address;
    (void)len;
    errno = failing_errno;
    return -1;
}

static int fail_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    (void)fd;
    (void)address;
    (void)len;
    errno = failing_errno;
    return -1;
}

static int fail_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    if (failing_option == -1 || failing_option == level * 1000 + option) {
        errno = ENOPROTOOPT;
        return -1;
    }
    return setsockopt(fd, level, option, value, len);
}

static enum skua_err expected(int error)
{
    if (error == EADDRINUSE) {
        return SKUA_EADDRINUSE;
    }
    if (error == EACCES || error == EPERM) {
        return SKUA_EACCES;
    }
    if (error == ENOMEM || error == ENOBUFS) {
        return SKUA_ENOMEM;
    }
    bool address = error == EADDRNOTAVAIL || error == EAFNOSUPPORT || error == EPROTONOSUPPORT ||
                   error == EINVAL || error == ENODEV;
    return address ? SKUA_EADDR : SKUA_ESYSTEM;
}

static void every_errno_leaves_nothing_open(void **state)
{
    (void)state;
    struct skua_addr addr = loopback(SKUA_FAMILY_IPV4);
    int before = dup(0);
    close(before);
    for (int error = 1; error < 134; error++) {
        for (int call = 0; call < 3; call++) {
            struct skua_socket sock;
            failing_sys = skua_sys_linux;
            failing_errno = error;
            failing_sys.socket = call == 0 ? fail_socket : failing_sys.socket;
            failing_sys.bind = call == 1 ? fail_bind : failing_sys.bind;
            failing_sys.getsockname = call == 2 ? fail_getsockname : failing_sys.getsockname;
            assert_int_equal(skua_socket_open(&sock, &failing_sys, &addr, &options),
                             expected(error));
            assert_int_equal(errno, error);
            assert_int_equal(sock.fd, -1);
        }
    }
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

static void options_that_the_kernel_does_not_know(void **state)
{
    (void)state;
    struct skua_socket sock;
    struct skua_addr addr = {.family = SKUA_FAMILY_IPV4};
    failing_sys = skua_sys_linux;
    failing_sys.setsockopt = fail_setsockopt;
    failing_option = -1;
    assert_int_equal(skua_socket_open(&sock, &failing_sys, &addr, &options), SKUA_OK);
    assert_false(sock.gso);
    assert_false(sock.gro);
    assert_false(sock.pktinfo);
    assert_true(sock.fragments);
    skua_socket_close(&sock, &failing_sys);
    failing_option = IPPROTO_IP * 1000 + IP_MTU_DISCOVER;
    assert_int_equal(skua_socket_open(&sock, &failing_sys, &addr, &options), SKUA_OK);
    assert_true(sock.fragments && sock.pktinfo);
    skua_socket_close(&sock, &failing_sys);
    /* Without IPV6_V6ONLY the socket would take the IPv4 port as well: that is an error. */
    addr.family = SKUA_FAMILY_IPV6;
    if (has_family(SKUA_FAMILY_IPV6)) {
        failing_option = IPPROTO_IPV6 * 1000 + IPV6_MTU_DISCOVER;
        assert_int_equal(skua_socket_open(&sock, &failing_sys, &addr, &options), SKUA_OK);
        assert_true(sock.fragments && sock.pktinfo);
        skua_socket_close(&sock, &failing_sys);
        failing_option = IPPROTO_IPV6 * 1000 + IPV6_V6ONLY;
        assert_int_equal(skua_socket_open(&sock, &failing_sys, &addr, &options), SKUA_ESYSTEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_loopback),
        cmocka_unit_test(port_unreachable),
        cmocka_unit_test(address_in_use),
        cmocka_unit_test(dont_fragment),
        cmocka_unit_test(every_errno_leaves_nothing_open),
        cmocka_unit_test(options_that_the_kernel_does_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
