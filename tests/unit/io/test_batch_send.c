/* Sending in batches over a kernel that refuses, is full, or fails at random: nothing sealed is
 * lost, doubled or reordered. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

#include <linux/errqueue.h>

#include "base/addr.h"
#include "fake_kernel.h"
#include "io/batch_send.h"

enum { REFUSED_MAX = FAKE_DATAGRAMS, WRITTEN_MAX = FAKE_DATAGRAMS };

/* A datagram as it was sealed: its content begins with its number. */
struct written {
    uint32_t number;
    size_t len;
    uint32_t socket;
};

struct fixture {
    struct skua_sender sender;
    struct skua_ev_stats stats;
    struct skua_socket sockets[SKUA_MAX_SOCKETS];
    struct written written[WRITTEN_MAX];
    size_t written_count;
    uint32_t refused[REFUSED_MAX]; /* numbers */
    int refused_errno[REFUSED_MAX];
    uint64_t refused_pn[REFUSED_MAX];
    size_t refused_count;
    struct skua_addr icmp_remote;
    int icmp_error;
};

static struct fixture f;

static uint32_t number_of(const uint8_t *data)
{
    uint32_t number;
    memcpy(&number, data, sizeof number);
    return number;
}

static void on_refused(void *user, const struct skua_tx *tx, int error)
{
    (void)user;
    assert_true(tx->len <= tx->segment_size);
    f.refused_pn[f.refused_count] = tx->first_pn;
    f.refused_errno[f.refused_count] = error;
    f.refused[f.refused_count++] = number_of(tx->data);
}

static void on_icmp(void *user, const struct skua_socket *sock, const struct skua_addr *remote,
                    int error)
{
    (void)user;
    (void)sock;
    f.icmp_remote = *remote;
    f.icmp_error = error;
}

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

static int setup(void **state)
{
    (void)state;
    fake_kernel_reset();
    memset(&f, 0, sizeof f);
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t family = i == 0 ? SKUA_FAMILY_IPV4 : SKUA_FAMILY_IPV6;
        f.sockets[i] = (struct skua_socket){.fd = 100 + (int)i,
                                            .local = fake_addr(family, 1, 7582),
                                            .wildcard = true,
                                            .gso = true,
                                            .ecn = true,
                                            .pktinfo = true};
    }
    f.sender.sys = &fake_sys;
    f.sender.stats = &f.stats;
    f.sender.sockets = f.sockets;
    f.sender.icmp.icmp = on_icmp;
    f.sender.refusals.refused = on_refused;
    return skua_sender_init(&f.sender, &test_alloc) == SKUA_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    skua_sender_deinit(&f.sender, &test_alloc);
    return 0;
}

/* Seals `segments` datagrams of `size` bytes, the last of `last`. False where no slot is free. */
static bool seal(uint32_t socket, size_t size, size_t segments, size_t last)
{
    struct skua_tx *tx = skua_sender_next(&f.sender);
    if (tx == NULL) {
        return false;
    }
    uint8_t family = socket == 0 ? SKUA_FAMILY_IPV4 : SKUA_FAMILY_IPV6;
    tx->path.socket = socket;
    tx->path.remote = fake_addr(family, 2, 9999);
    tx->path.local = fake_addr(family, 1, 7582);
    tx->segment_size = size;
    tx->ecn = 2;
    tx->conn = 1;
    tx->first_pn = f.written_count;
    for (size_t i = 0; i < segments; i++) {
        size_t len = i + 1 == segments ? last : size;
        uint32_t number = (uint32_t)f.written_count;
        memset(tx->data + tx->len, (int)(number & 0xff), len);
        memcpy(tx->data + tx->len, &number, sizeof number);
        f.written[f.written_count++] = (struct written){number, len, socket};
        tx->len += len;
    }
    assert_true(tx->len <= tx->cap);
    skua_sender_push(&f.sender);
    return true;
}

/* Each datagram sealed so far was sent or refused, exactly once, unchanged, and those of a socket
 * in order. */
static void check_all_accounted(void)
{
    static uint8_t seen[WRITTEN_MAX];
    uint8_t content[2048];
    int64_t last[2] = {-1, -1};
    memset(seen, 0, sizeof seen);
    skua_sender_check(&f.sender);
    assert_int_equal(f.sender.waiting_count, 0);
    for (size_t i = 0; i < fake_kernel.sent_count; i++) {
        const struct fake_datagram *d = &fake_kernel.sent[i];
        uint32_t number = number_of(d->data);
        assert_true(number < f.written_count);
        const struct written *w = &f.written[number];
        assert_int_equal(d->len, w->len);
        assert_int_equal(d->fd, 100 + (int)w->socket);
        memset(content, (int)(number & 0xff), sizeof content);
        assert_memory_equal(d->data + sizeof number, content, d->len - sizeof number);
        assert_true((int64_t)number > last[w->socket]);
        last[w->socket] = number;
        seen[number]++;
    }
    for (size_t i = 0; i < f.refused_count; i++) {
        assert_int_equal(f.refused_pn[i], f.refused[i]);
        seen[f.refused[i]]++;
    }
    for (size_t i = 0; i < f.written_count; i++) {
        assert_int_equal(seen[i], 1);
    }
    assert_int_equal(f.stats.send_datagrams, fake_kernel.sent_count);
    assert_int_equal(f.stats.send_errors, f.refused_count);
}

static void one_call_for_several_batches(void **state)
{
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        assert_true(seal(0, 1200, 10, 700));
    }
    skua_sender_flush(&f.sender);
    check_all_accounted();
    assert_int_equal(fake_kernel.sendmmsg_calls, 1);
    assert_int_equal(fake_kernel.sent_count, 80);
    for (size_t i = 0; i < 80; i++) {
        assert_true(fake_kernel.sent[i].by_gso);
        assert_int_equal(fake_kernel.sent[i].ecn, 2);
        assert_int_equal(fake_kernel.sent[i].local.family, SKUA_FAMILY_IPV4);
        assert_int_equal(fake_kernel.sent[i].remote.port, 9999);
    }
}

static void a_single_datagram_needs_no_gso(void **state)
{
    (void)state;
    assert_true(seal(1, 1200, 1, 1200));
    skua_sender_flush(&f.sender);
    check_all_accounted();
    assert_false(fake_kernel.sent[0].by_gso);
    assert_int_equal(fake_kernel.sent[0].local.family, SKUA_FAMILY_IPV6);
}

static void without_gso_by_sendmmsg(void **state)
{
    (void)state;
    f.sockets[0].gso = false;
    assert_true(seal(0, 1000, 64, 1000));
    assert_true(seal(0, 1000, 64, 10));
    skua_sender_flush(&f.sender);
    check_all_accounted();
    assert_int_equal(fake_kernel.sendmmsg_calls, 2);
    assert_int_equal(f.stats.gso_refused, 0);
}

static void gso_refused_is_remembered(void **state)
{
    (void)state;
    static const int errors[] = {EIO, EINVAL, EOPNOTSUPP, ENOPROTOOPT};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        fake_kernel.refuse_gso = errors[i];
        f.sockets[0].gso = true;
        assert_true(seal(0, 1200, 40, 1200));
        skua_sender_flush(&f.sender);
        assert_false(f.sockets[0].gso);
        assert_true(f.sockets[0].ecn);
        assert_true(f.sockets[0].pktinfo);
        assert_int_equal(f.stats.gso_refused, i + 1);
        assert_true(seal(0, 1200, 40, 1200));
        skua_sender_flush(&f.sender);
        assert_int_equal(f.stats.gso_refused, i + 1);
        check_all_accounted();
    }
    assert_int_equal(f.refused_count, 0);
}

static void ecn_refused_is_remembered_and_gso_kept(void **state)
{
    (void)state;
    fake_kernel.refuse_ecn = EINVAL;
    for (size_t i = 0; i < 3; i++) {
        assert_true(seal(0, 1200, 20, 1200));
        skua_sender_flush(&f.sender);
    }
    check_all_accounted();
    assert_int_equal(f.refused_count, 0);
    assert_false(f.sockets[0].ecn);
    assert_true(f.sockets[0].gso);
    assert_true(f.sockets[0].pktinfo);
    assert_true(fake_kernel.sent[59].by_gso);
    assert_int_equal(fake_kernel.sent[59].ecn, 0);
}

static void a_lost_source_address_is_left_out_for_a_while(void **state)
{
    (void)state;
    fake_kernel.refuse_source = EINVAL;
    for (size_t i = 0; i < 7; i++) {
        assert_true(seal(0, 1200, 1, 1200));
        skua_sender_flush(&f.sender);
    }
    assert_true(f.sockets[0].pktinfo);
    fake_kernel.refuse_source = 0;
    assert_true(seal(0, 1200, 1, 1200));
    skua_sender_flush(&f.sender);
    assert_int_equal(fake_kernel.sent[7].local.family, SKUA_FAMILY_IPV4);
    fake_kernel.refuse_source = EINVAL;
    for (size_t i = 0; i < 8; i++) {
        assert_true(f.sockets[0].pktinfo);
        assert_true(seal(0, 1200, 1, 1200));
        skua_sender_flush(&f.sender);
    }
    assert_false(f.sockets[0].pktinfo);
    check_all_accounted();
    assert_int_equal(f.refused_count, 0);
}

static void too_large_for_the_link_is_no_fault_of_gso(void **state)
{
    (void)state;
    fake_kernel.mtu = 1300;
    for (size_t i = 0; i < 10; i++) {
        assert_true(seal(0, 1400, 5, 900)); /* the last one fits */
        skua_sender_flush(&f.sender);
    }
    check_all_accounted();
    assert_true(f.sockets[0].gso);
    assert_int_equal(f.refused_count, 40);
    assert_int_equal(f.stats.send_errno, EMSGSIZE);
    assert_int_equal(fake_kernel.sent_count, 10);
    for (size_t i = 0; i < 40; i++) {
        assert_int_equal(f.refused_errno[i], EMSGSIZE);
    }
}

/* Number 0 is somebody's file as well. */
static void a_socket_that_is_not_open(void **state)
{
    (void)state;
    f.sockets[0] = (struct skua_socket){.fd = -1};
    assert_true(seal(0, 1200, 2, 300));
    assert_true(seal(1, 1200, 2, 300));
    skua_sender_flush(&f.sender);
    check_all_accounted();
    assert_int_equal(f.refused_count, 2);
    assert_int_equal(f.refused_errno[1], EADDRNOTAVAIL);
    assert_int_equal(fake_kernel.sent_count, 2);
}

/* Without DF a large packet would arrive, in fragments, and prove a size that the path does not
 * have. A handshake's packets (which have no number) prove nothing. */
static void what_may_be_fragmented_is_kept_small(void **state)
{
    (void)state;
    f.sockets[0].fragments = true;
    assert_true(seal(0, 1200, 5, 1200));
    assert_true(seal(0, 1201, 1, 1201)); /* a probe, with others before and behind it */
    assert_true(seal(0, 1200, 5, 900));
    assert_true(seal(0, 1400, 3, 1200)); /* the last one is small */
    assert_true(seal(1, 1400, 3, 1400)); /* the other socket's has DF */
    skua_sender_flush(&f.sender);
    check_all_accounted();
    assert_int_equal(f.refused_count, 3);
    assert_int_equal(f.refused[0], 5);
    assert_int_equal(f.refused[1], 11);
    assert_int_equal(f.refused[2], 12);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(f.refused_errno[i], EMSGSIZE);
    }
    assert_true(f.sockets[0].gso);
    struct skua_tx *syn = skua_sender_next(&f.sender);
    syn->path.remote = fake_addr(SKUA_FAMILY_IPV4, 2, 9999);
    syn->len = syn->segment_size = 1456;
    syn->first_pn = UINT64_MAX;
    memset(syn->data, 0, syn->len);
    skua_sender_push(&f.sender);
    skua_sender_flush(&f.sender);
    assert_int_equal(f.refused_count, 3);
    assert_int_equal(fake_kernel.sent[fake_kernel.sent_count - 1].len, 1456);
}

static void full_queue_with_gso_is_of_the_moment_until_it_is_not(void **state)
{
    (void)state;
    fake_kernel.refuse_gso = ENOBUFS;
    for (size_t i = 0; i < 7; i++) {
        assert_true(seal(0, 1200, 4, 1200));
        skua_sender_flush(&f.sender);
    }
    assert_true(f.sockets[0].gso);
    fake_kernel.refuse_gso = 0; /* one that goes through: counted from the start again */
    assert_true(seal(0, 1200, 4, 1200));
    skua_sender_flush(&f.sender);
    fake_kernel.refuse_gso = ENOBUFS;
    for (size_t i = 0; i < 8; i++) {
        assert_true(f.sockets[0].gso);
        assert_true(seal(0, 1200, 4, 1200));
        skua_sender_flush(&f.sender);
    }
    assert_false(f.sockets[0].gso);
    check_all_accounted();
    assert_int_equal(f.refused_count, 0);
}

static void a_full_socket_keeps_what_is_sealed(void **state)
{
    (void)state;
    fake_kernel.room = 3;
    for (size_t i = 0; i < SKUA_SEND_SLOTS; i++) {
        assert_true(seal(0, 1200, 3, 1200));
    }
    assert_null(skua_sender_next(&f.sender));
    skua_sender_flush(&f.sender);
    assert_true(f.sockets[0].blocked);
    assert_int_equal(f.sender.waiting_count, SKUA_SEND_SLOTS - 3);
    unsigned calls = fake_kernel.sendmmsg_calls;
    skua_sender_flush(&f.sender); /* blocked: the kernel is not asked */
    assert_int_equal(fake_kernel.sendmmsg_calls, calls);
    fake_kernel.room = SIZE_MAX;
    skua_sender_writable(&f.sender, 0);
    skua_sender_flush(&f.sender);
    check_all_accounted();
    assert_int_equal(f.refused_count, 0);
}

static void a_full_socket_does_not_stop_another(void **state)
{
    (void)state;
    fake_kernel.room = 0;
    assert_true(seal(0, 1200, 1, 1200));
    skua_sender_flush(&f.sender);
    fake_kernel.room = SIZE_MAX;
    assert_true(seal(1, 1200, 1, 1200));
    skua_sender_flush(&f.sender);
    assert_int_equal(fake_kernel.sent_count, 1);
    assert_int_equal(fake_kernel.sent[0].fd, 101);
    skua_sender_writable(&f.sender, 0);
    skua_sender_flush(&f.sender);
    check_all_accounted();
}

static void full_in_the_middle_of_a_batch(void **state)
{
    (void)state;
    f.sockets[0].gso = false;
    for (size_t room = 1; room < 64; room += 7) {
        fake_kernel.room = room;
        assert_true(seal(0, 1000, 64, 500));
        skua_sender_flush(&f.sender);
        assert_true(f.sockets[0].blocked);
        fake_kernel.room = SIZE_MAX;
        skua_sender_writable(&f.sender, 0);
        skua_sender_flush(&f.sender);
        check_all_accounted();
    }
}

static void no_sendmmsg(void **state)
{
    (void)state;
    fake_kernel.refuse_mmsg = ENOSYS;
    assert_true(seal(0, 1200, 10, 1200));
    assert_true(seal(0, 1200, 10, 1200));
    skua_sender_flush(&f.sender);
    check_all_accounted();
    assert_int_equal(fake_kernel.sendmmsg_calls, 1);
    assert_int_equal(fake_kernel.sendmsg_calls, 2);
    assert_int_equal(f.refused_count, 0);
}

static void anothers_icmp_error_costs_nothing(void **state)
{
    (void)state;
    static const int errors[] = {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE, EOPNOTSUPP};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        fake_kernel.reports[0] = (struct fake_report){fake_addr(SKUA_FAMILY_IPV4, 66, 6666),
                                                      errors[i], SO_EE_ORIGIN_ICMP};
        fake_kernel.report_count = 1;
        fake_kernel.pending = true;
        assert_true(seal(0, 1200, 5, 1200));
        skua_sender_flush(&f.sender);
        check_all_accounted();
        assert_int_equal(f.refused_count, 0);
        assert_int_equal(f.icmp_error, errors[i]);
        assert_int_equal(f.icmp_remote.port, 6666);
        assert_true(f.sockets[0].gso);
    }
    assert_int_equal(f.stats.gso_refused, 0);
}

static void own_reports_do_not_hide_an_error(void **state)
{
    (void)state;
    fake_kernel.reports[0] =
        (struct fake_report){fake_addr(SKUA_FAMILY_IPV4, 2, 9999), EMSGSIZE, SO_EE_ORIGIN_LOCAL};
    fake_kernel.report_count = 1;
    fake_kernel.mtu = 1200;
    assert_true(seal(0, 1201, 1, 1201));
    skua_sender_flush(&f.sender);
    assert_int_equal(f.refused_count, 1);
    assert_int_equal(f.refused_errno[0], EMSGSIZE);
    assert_int_equal(f.icmp_error, 0);
}

/* Each errno there is, once and for ever. */
static void every_errno(void **state)
{
    (void)state;
    for (int error = 1; error < 134; error++) {
        for (int times = 1; times <= 1000; times += 999) {
            f.written_count = 0;
            f.refused_count = 0;
            fake_kernel_reset();
            memset(&f.stats, 0, sizeof f.stats);
            f.sender.single = false;
            f.sockets[0].gso = true;
            f.sockets[0].ecn = true;
            f.sockets[0].pktinfo = true;
            f.sockets[0].blocked = false;
            bool again = error == EAGAIN || error == EINTR;
            fake_kernel.fail_send = error;
            fake_kernel.fail_send_times = again && times > 1 ? 20 : times;
            assert_true(seal(0, 1200, 7, 800));
            assert_true(seal(0, 1200, 1, 1200));
            skua_sender_flush(&f.sender);
            while (f.sockets[0].blocked) {
                assert_int_equal(error, EAGAIN);
                skua_sender_writable(&f.sender, 0);
                skua_sender_flush(&f.sender);
            }
            check_all_accounted();
            if (again || times > 1) {
                assert_int_equal(f.refused_count, again ? 0 : 8);
            }
        }
    }
}

/* Any sequence of failures, any batches on two sockets. */
static void at_random(void **state)
{
    (void)state;
    uint64_t rng = 7582;
    for (size_t run = 0; run < 400; run++) {
        assert_int_equal(teardown(NULL), 0);
        assert_int_equal(setup(NULL), 0);
        fake_kernel.chaos = run % 4 == 0 ? 0 : fake_random(&rng) | 1;
        fake_kernel.refuse_gso = run % 3 == 0 ? EIO : 0;
        fake_kernel.mtu = run % 5 == 0 ? 1100 : 0;
        for (size_t step = 0; step < 60; step++) {
            uint64_t r = fake_random(&rng);
            size_t size = 200 + r % 1200;
            size_t segments = 1 + (r >> 16) % 40;
            size_t last = 100 + (r >> 32) % (size - 100);
            (void)seal((uint32_t)(r >> 60 & 1), size, segments, last);
            fake_kernel.room = (r >> 50) % 8 == 0 ? 5 : SIZE_MAX;
            if ((r >> 56) % 3 == 0) {
                skua_sender_writable(&f.sender, 0);
                skua_sender_writable(&f.sender, 1);
                skua_sender_flush(&f.sender);
                skua_sender_check(&f.sender);
            }
        }
        fake_kernel.chaos = 0;
        fake_kernel.room = SIZE_MAX;
        skua_sender_writable(&f.sender, 0);
        skua_sender_writable(&f.sender, 1);
        skua_sender_flush(&f.sender);
        check_all_accounted();
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_call_for_several_batches),
        T(a_single_datagram_needs_no_gso),
        T(without_gso_by_sendmmsg),
        T(gso_refused_is_remembered),
        T(ecn_refused_is_remembered_and_gso_kept),
        T(a_lost_source_address_is_left_out_for_a_while),
        T(too_large_for_the_link_is_no_fault_of_gso),
        T(a_socket_that_is_not_open),
        T(what_may_be_fragmented_is_kept_small),
        T(full_queue_with_gso_is_of_the_moment_until_it_is_not),
        T(a_full_socket_keeps_what_is_sealed),
        T(a_full_socket_does_not_stop_another),
        T(full_in_the_middle_of_a_batch),
        T(no_sendmmsg),
        T(anothers_icmp_error_costs_nothing),
        T(own_reports_do_not_hide_an_error),
        T(every_errno),
        T(at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
