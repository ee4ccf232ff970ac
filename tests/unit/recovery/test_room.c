/* Memory of the sent ring: limits, failures, giving back. */
#include "harness.h"

#include <stdlib.h>

#include "base/limits.h"

static size_t allowance; /* allocations that still succeed */

static void *get_limited(void *user, size_t size)
{
    (void)user;
    if (allowance == 0) {
        return NULL;
    }
    allowance--;
    return malloc(size);
}

static void put_limited(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

static void begin_limited(struct harness *h, size_t allocations)
{
    static const struct skua_alloc alloc = {.get = get_limited, .put = put_limited};
    memset(h, 0, sizeof *h);
    skua_heap_init(&h->heap, &alloc);
    skua_recovery_init(&h->rec, &h->heap);
    h->now = SKUA_SEC;
    allowance = allocations;
}

static void a_failed_allocation_changes_nothing(void **state)
{
    (void)state;
    struct skua_record records[3] = {{.id = 1}, {.id = 2}, {.id = 3}};
    const struct skua_sent_info info = {
        .size = 1200, .flags = DATA, .records = records, .count = 3};
    for (size_t allowed = 0; allowed < 2; allowed++) {
        struct harness h;
        begin_limited(&h, allowed);
        assert_int_equal(skua_recovery_on_sent(&h.rec, 0, &info, h.now), SKUA_ENOMEM);
        assert_int_equal(skua_recovery_next_pn(&h.rec), 0);
        assert_int_equal(h.rec.bytes_in_flight, 0);
        skua_recovery_check(&h.rec);
        allowance = 2;
        assert_int_equal(skua_recovery_on_sent(&h.rec, 0, &info, h.now), SKUA_OK);
        end(&h);
    }
}

static void what_is_reserved_cannot_fail(void **state)
{
    (void)state;
    struct harness h;
    begin_limited(&h, 2);
    assert_int_equal(skua_recovery_reserve(&h.rec, 100, 200), SKUA_OK);
    struct skua_record records[3] = {{.id = 1}, {.id = 2}, {.id = 3}};
    const struct skua_sent_info info = {
        .size = 1200, .flags = DATA, .records = records, .count = 3};
    for (uint64_t pn = 0; pn < 100; pn++) {
        assert_int_equal(skua_recovery_on_sent(&h.rec, pn, &info, h.now), SKUA_OK);
    }
    assert_int_equal(allowance, 0);
    end(&h);
}

static void steady_state_allocates_nothing(void **state)
{
    (void)state;
    struct harness h;
    begin_limited(&h, 10);
    send_many(&h, 100);
    allowance = 0;
    for (uint64_t pn = 0; pn < 10000; pn++) {
        h.now += SKUA_MSEC;
        ack(&h, pn, pn);
        send_many(&h, 1);
    }
    end(&h);
}

static void the_ring_has_a_limit_with_room_for_probes(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    const struct skua_sent_info info = {.size = 40, .flags = DATA};
    uint64_t pn = 0;
    enum skua_err err = SKUA_OK;
    while ((err = skua_recovery_on_sent(&h.rec, pn, &info, h.now)) == SKUA_OK) {
        pn++;
    }
    assert_int_equal(err, SKUA_ELIMIT);
    assert_int_equal(skua_recovery_reserve(&h.rec, 1, 0), SKUA_ELIMIT);
    assert_in_range(pn, SKUA_LIMIT_SENT_PACKETS_MAX - 1000, SKUA_LIMIT_SENT_PACKETS_MAX - 2);
    time_out(&h);
    assert_true(h.timeout.pto);
    assert_int_equal(skua_recovery_on_sent(&h.rec, pn, &info, h.now), SKUA_OK);
    h.now += SKUA_MSEC;
    ack(&h, pn, pn);
    assert_int_equal(h.ack.loss.packets, pn);
    /* Lost packets give way at once. */
    assert_int_equal(skua_recovery_reserve(&h.rec, 1, 0), SKUA_OK);
    end(&h);
}

static void lost_packets_do_not_make_the_ring_grow(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 64);
    h.now += SKUA_MSEC;
    /* One in ten is lost and would be kept for three PTOs. */
    for (uint64_t pn = 0; pn < 20000; pn++) {
        if (pn % 10 != 0) {
            ack(&h, pn, pn);
        }
        send_many(&h, 1);
        h.now += SKUA_USEC;
    }
    assert_in_range(h.rec.sent.cap, 64, 256);
    end(&h);
}

static void a_quiet_connection_gives_memory_back(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 1000);
    (void)send_as(&h, 50, ACK_ONLY);
    h.now += SKUA_MSEC;
    skua_recovery_trim(&h.rec, h.now);
    assert_int_not_equal(h.heap.used, 0);
    ack(&h, 0, 999);
    skua_recovery_trim(&h.rec, h.now);
    assert_int_equal(h.heap.used, 0);
    /* Numbers go on, old ACKs mean nothing, new packets work. */
    ack(&h, 0, 1000);
    assert_int_equal(h.ack.packets, 0);
    assert_int_equal(send_as(&h, PACKET, DATA), 1001);
    ack(&h, 0, 1001);
    assert_int_equal(h.ack.packets, 1);
    end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_allocation_changes_nothing),
        cmocka_unit_test(what_is_reserved_cannot_fail),
        cmocka_unit_test(steady_state_allocates_nothing),
        cmocka_unit_test(the_ring_has_a_limit_with_room_for_probes),
        cmocka_unit_test(lost_packets_do_not_make_the_ring_grow),
        cmocka_unit_test(a_quiet_connection_gives_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
