/* Receiving in batches: sizes, control data, what is thrown away, and errors. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

#include <linux/errqueue.h>

#include "base/addr.h"
#include "fake_kernel.h"
#include "io/batch_recv.h"
#include "io/error_queue.h"

static struct skua_receiver receiver;
static struct skua_ev_stats stats;
static struct skua_socket sock;

static void *get(void *user, size_t size)
{
    return *(bool *)user ? NULL : malloc(size);
}

static void put(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

static bool no_memory;
static const struct skua_alloc test_alloc = {.get = get, .put = put, .user = &no_memory};

static int setup(void **state)
{
    (void)state;
    fake_kernel_reset();
    memset(&stats, 0, sizeof stats);
    sock = (struct skua_socket){
        .fd = 9, .local = {.family = SKUA_FAMILY_IPV4, .port = 7582}, .wildcard = true};
    return skua_receiver_init(&receiver, &fake_sys, &stats, &test_alloc) == SKUA_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    skua_receiver_deinit(&receiver, &test_alloc);
    return 0;
}

static struct fake_incoming *arrive(size_t len, uint16_t segment_size)
{
    struct fake_incoming *in = &fake_kernel.incoming[fake_kernel.incoming_count++];
    *in = (struct fake_incoming){.remote = fake_addr(SKUA_FAMILY_IPV4, 2, 9999),
                                 .local = fake_addr(SKUA_FAMILY_IPV4, 1, 0),
                                 .len = len,
                                 .segment_size = segment_size,
                                 .fill = (uint8_t)fake_kernel.incoming_count,
                                 .ecn = 3};
    return in;
}

static void buffers_as_described(void **state)
{
    (void)state;
    size_t count;
    arrive(65000, 1200);
    arrive(1200, 0);
    arrive(1200, 1200); /* one datagram, segment size said all the same */
    assert_int_equal(skua_receiver_read(&receiver, &sock, 3, &count), SKUA_RECV_SOME);
    assert_int_equal(count, 3);
    struct skua_addr local = fake_addr(SKUA_FAMILY_IPV4, 1, 7582);
    struct skua_addr remote = fake_addr(SKUA_FAMILY_IPV4, 2, 9999);
    for (size_t i = 0; i < count; i++) {
        const struct skua_rx *rx = &receiver.rx[i];
        assert_int_equal(rx->path.socket, 3);
        assert_true(skua_addr_equal(&rx->path.local, &local));
        assert_true(skua_addr_equal(&rx->path.remote, &remote));
        assert_int_equal(rx->ecn, 3);
        assert_int_equal(rx->len, i == 0 ? 65000 : 1200);
        assert_int_equal(rx->segment_size, i == 0 ? 1200 : 0);
        assert_int_equal(rx->data[0], i + 1);
        assert_int_equal(rx->data[rx->len - 1], i + 1);
    }
    assert_int_equal(stats.recv_datagrams, 55 + 2);
    assert_int_equal(stats.recv_bytes, 67400);
    assert_int_equal(stats.recv_calls, 1);
    assert_int_equal(skua_receiver_read(&receiver, &sock, 3, &count), SKUA_RECV_EMPTY);
    assert_int_equal(count, 0);
}

static void ipv6_and_local_address(void **state)
{
    (void)state;
    size_t count;
    sock.local = fake_addr(SKUA_FAMILY_IPV6, 0, 7582);
    struct fake_incoming *in = arrive(100, 0);
    in->remote = fake_addr(SKUA_FAMILY_IPV6, 2, 1);
    in->local = (struct skua_addr){.family = SKUA_FAMILY_IPV6, .ip = {0xfe, 0x80, [15] = 1}};
    in = arrive(100, 0);
    in->remote = fake_addr(SKUA_FAMILY_IPV6, 2, 1);
    in->local = (struct skua_addr){.family = SKUA_FAMILY_IPV6, .ip = {0xff, 0x02, [15] = 1}};
    assert_int_equal(skua_receiver_read(&receiver, &sock, 0, &count), SKUA_RECV_SOME);
    assert_int_equal(count, 2);
    assert_int_equal(receiver.rx[0].path.local.scope, 2); /* link-local: its interface */
    assert_int_equal(receiver.rx[0].ecn, 3);
    assert_int_equal(receiver.rx[1].path.local.family, SKUA_FAMILY_NONE); /* multicast */
}

static void a_bound_socket_knows_its_address(void **state)
{
    (void)state;
    size_t count;
    sock.wildcard = false;
    sock.local = fake_addr(SKUA_FAMILY_IPV4, 77, 7582);
    arrive(100, 0)->local.family = SKUA_FAMILY_NONE;
    assert_int_equal(skua_receiver_read(&receiver, &sock, 0, &count), SKUA_RECV_SOME);
    assert_true(skua_addr_equal(&receiver.rx[0].path.local, &sock.local));
}

static void cut_and_empty_ones_are_thrown_away(void **state)
{
    (void)state;
    size_t count;
    arrive(100, 0)->flags = MSG_TRUNC;
    arrive(100, 0)->flags = MSG_CTRUNC;
    arrive(0, 0);
    arrive(100, 0);
    assert_int_equal(skua_receiver_read(&receiver, &sock, 0, &count), SKUA_RECV_SOME);
    assert_int_equal(count, 1);
    assert_int_equal(receiver.rx[0].data[0], 4);
    assert_int_equal(stats.recv_truncated, 2);
}

static void drops_are_counted_across_the_wrap(void **state)
{
    (void)state;
    size_t count;
    arrive(100, 0)->drops = UINT32_MAX;
    arrive(100, 0)->drops = 5;
    arrive(100, 0);
    sock.drops = UINT32_MAX - 1;
    assert_int_equal(skua_receiver_read(&receiver, &sock, 0, &count), SKUA_RECV_SOME);
    assert_int_equal(stats.recv_drops, 7);
}

static void more_buffers_while_they_come_back_nearly_empty(void **state)
{
    (void)state;
    size_t count;
    for (size_t i = 0; i < 16 + 64; i++) {
        arrive(1200, 0);
    }
    (void)skua_receiver_read(&receiver, &sock, 0, &count);
    assert_int_equal(fake_kernel.asked, SKUA_RECV_FEW);
    assert_int_equal(count, 16);
    (void)skua_receiver_read(&receiver, &sock, 0, &count);
    assert_int_equal(fake_kernel.asked, SKUA_RECV_MANY);
    assert_int_equal(count, 64);
    for (size_t i = 0; i < 64; i++) {
        arrive(60000, 1200);
    }
    (void)skua_receiver_read(&receiver, &sock, 0, &count);
    assert_int_equal(fake_kernel.asked, SKUA_RECV_MANY);
    (void)skua_receiver_read(&receiver, &sock, 0, &count);
    assert_int_equal(fake_kernel.asked, SKUA_RECV_FEW);
}

static void no_recvmmsg(void **state)
{
    (void)state;
    size_t count;
    fake_kernel.refuse_mmsg = ENOSYS;
    arrive(2400, 1200);
    arrive(100, 0);
    assert_int_equal(skua_receiver_read(&receiver, &sock, 0, &count), SKUA_RECV_SOME);
    assert_int_equal(count, 1);
    assert_int_equal(receiver.rx[0].segment_size, 1200);
    assert_int_equal(skua_receiver_read(&receiver, &sock, 0, &count), SKUA_RECV_SOME);
    assert_int_equal(count, 1);
    assert_int_equal(fake_kernel.recvmmsg_calls, 1);
    assert_int_equal(fake_kernel.recvmsg_calls, 2);
    assert_int_equal(skua_receiver_read(&receiver, &sock, 0, &count), SKUA_RECV_EMPTY);
}

static void every_errno(void **state)
{
    (void)state;
    for (int error = 1; error < 134; error++) {
        size_t count;
        fake_kernel_reset();
        receiver.single = false;
        fake_kernel.fail_recv = error;
        fake_kernel.fail_recv_times = 1;
        arrive(100, 0);
        enum skua_recv_result result = skua_receiver_read(&receiver, &sock, 0, &count);
        bool again = error == EINTR || error == ENOSYS;
        enum skua_recv_result refused = error == EAGAIN ? SKUA_RECV_EMPTY : SKUA_RECV_ERROR;
        assert_int_equal(result, again ? SKUA_RECV_SOME : refused);
        assert_int_equal(count, again ? 1 : 0);
        if (!again) {
            assert_int_equal(skua_receiver_read(&receiver, &sock, 0, &count), SKUA_RECV_SOME);
            assert_int_equal(count, 1);
        }
    }
}

static void out_of_memory(void **state)
{
    (void)state;
    static struct skua_receiver other;
    no_memory = true;
    assert_int_equal(skua_receiver_init(&other, &fake_sys, &stats, &test_alloc), SKUA_ENOMEM);
    skua_receiver_deinit(&other, &test_alloc);
    no_memory = false;
}

static void on_icmp(void *user, const struct skua_socket *from, const struct skua_addr *remote,
                    int error)
{
    (void)from;
    *(int *)user = error * 100000 + remote->port;
}

static void error_queue(void **state)
{
    (void)state;
    int last = 0;
    struct skua_icmp_sink sink = {.icmp = on_icmp, .user = &last};
    assert_int_equal(skua_error_queue_drain(&sock, &fake_sys, &sink), 0);
    fake_kernel.reports[0] =
        (struct fake_report){fake_addr(SKUA_FAMILY_IPV4, 2, 1234), ECONNREFUSED, SO_EE_ORIGIN_ICMP};
    fake_kernel.reports[1] = (struct fake_report){fake_addr(SKUA_FAMILY_IPV6, 2, 4321),
                                                  EHOSTUNREACH, SO_EE_ORIGIN_ICMP6};
    fake_kernel.reports[2] =
        (struct fake_report){fake_addr(SKUA_FAMILY_IPV4, 2, 1), EMSGSIZE, SO_EE_ORIGIN_LOCAL};
    fake_kernel.report_count = 3;
    assert_int_equal(skua_error_queue_drain(&sock, &fake_sys, &sink), 2);
    assert_int_equal(last, EHOSTUNREACH * 100000 + 4321);
    assert_int_equal(fake_kernel.report_count, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(buffers_as_described),
        T(ipv6_and_local_address),
        T(a_bound_socket_knows_its_address),
        T(cut_and_empty_ones_are_thrown_away),
        T(drops_are_counted_across_the_wrap),
        T(more_buffers_while_they_come_back_nearly_empty),
        T(no_recvmmsg),
        T(every_errno),
        T(out_of_memory),
        T(error_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
