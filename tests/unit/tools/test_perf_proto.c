/* Messages of `skua perf`: known bytes, round trips, every way to be malformed. */
#include "unit.h"

#include <stdlib.h>

#include "perf_proto.h"

static const struct skua_perf_request bulk = {.version = SKUA_PERF_VERSION,
                                              .mode = SKUA_PERF_BULK,
                                              .up = 2,
                                              .down = 128,
                                              .bytes = 0x0102030405060708};

static void test_request_bytes(void **state)
{
    (void)state;
    static const uint8_t want[] = {
        1, 0, 18, SKUA_PERF_VERSION, 1, 0, 2, 0, 128, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0};
    uint8_t out[SKUA_PERF_MESSAGE_MAX];
    struct skua_perf_request back;
    assert_int_equal(skua_perf_put_request(out, &bulk), sizeof want);
    assert_memory_equal(out, want, sizeof want);
    assert_true(skua_perf_get_request(want + SKUA_PERF_HEAD_LEN, 18, &back));
    assert_int_equal(back.mode, SKUA_PERF_BULK);
    assert_int_equal(back.up, 2);
    assert_int_equal(back.down, 128);
    assert_true(back.bytes == bulk.bytes);
    assert_int_equal(back.exchange, 0);
    for (size_t len = 0; len < 40; len++) {
        if (len != 18) {
            uint8_t *body = calloc(1, len + 1); /* so that a sanitizer sees reading beyond it */
            memcpy(body, want + SKUA_PERF_HEAD_LEN, len < 18 ? len : 18);
            assert_false(skua_perf_get_request(body, len, &back));
            free(body);
        }
    }
}

/* Encodes and decodes: is the request one that a server takes? */
static bool is_taken(const struct skua_perf_request *request)
{
    uint8_t out[SKUA_PERF_MESSAGE_MAX];
    struct skua_perf_request back;
    const size_t len = skua_perf_put_request(out, request);
    return skua_perf_get_request(out + SKUA_PERF_HEAD_LEN, len - SKUA_PERF_HEAD_LEN, &back);
}

static void test_request_limits(void **state)
{
    (void)state;
    struct skua_perf_request r = bulk;
    assert_true(is_taken(&r));
    r.down = 129;
    assert_false(is_taken(&r));
    r.down = 0;
    assert_true(is_taken(&r));
    r.up = 0;
    assert_false(is_taken(&r)); /* nothing to do */
    r.up = 129;
    assert_false(is_taken(&r));
    r = bulk;
    r.exchange = 1;
    assert_false(is_taken(&r));

    r = (struct skua_perf_request){
        .version = SKUA_PERF_VERSION, .mode = SKUA_PERF_RR, .up = 1, .exchange = 64};
    assert_true(is_taken(&r));
    r.exchange = SKUA_PERF_EXCHANGE_MAX;
    assert_true(is_taken(&r));
    r.exchange = SKUA_PERF_EXCHANGE_MAX + 1;
    assert_false(is_taken(&r));
    r.exchange = 0;
    assert_false(is_taken(&r));
    r.exchange = 64;
    r.down = 1;
    assert_false(is_taken(&r));
    r.down = 0;
    r.up = 0;
    assert_false(is_taken(&r));

    r = (struct skua_perf_request){
        .version = SKUA_PERF_VERSION, .mode = SKUA_PERF_DGRAM, .up = 128, .exchange = 16};
    assert_true(is_taken(&r));
    r.exchange = 15;
    assert_false(is_taken(&r));
    r.exchange = 65507;
    assert_true(is_taken(&r));
    r.exchange = 65508;
    assert_false(is_taken(&r));
    r.exchange = 64;
    r.up = 0;
    assert_false(is_taken(&r));

    for (unsigned mode = 0; mode < 256; mode++) {
        r = (struct skua_perf_request){.version = SKUA_PERF_VERSION,
                                       .mode = (enum skua_perf_mode)mode};
        assert_int_equal(is_taken(&r), mode == SKUA_PERF_CONNECT || mode == SKUA_PERF_EXCHANGE);
    }
    r.mode = SKUA_PERF_CONNECT;
    r.up = 1;
    assert_false(is_taken(&r));

    /* Of another version nothing but that is known, and nothing else is looked at. */
    struct skua_perf_request back;
    static const uint8_t other[18] = {SKUA_PERF_VERSION + 1, 99, 0xff, 0xff, 0xff};
    assert_true(skua_perf_get_request(other, sizeof other, &back));
    assert_int_equal(back.version, SKUA_PERF_VERSION + 1);
    assert_int_equal(back.up, 0);
}

static void test_head(void **state)
{
    (void)state;
    /* For each type exactly one length is good. */
    for (unsigned type = 0; type < 256; type++) {
        unsigned good = 0;
        for (unsigned len = 0; len < 65536; len++) {
            const uint8_t head[SKUA_PERF_HEAD_LEN] = {(uint8_t)type, (uint8_t)(len >> 8),
                                                      (uint8_t)len};
            enum skua_perf_type got;
            size_t got_len;
            if (skua_perf_get_head(head, &got, &got_len)) {
                assert_int_equal(got, type);
                assert_int_equal(got_len, len);
                assert_true(len <= SKUA_PERF_BODY_MAX);
                good++;
            }
        }
        assert_int_equal(good, type >= SKUA_PERF_REQUEST && type <= SKUA_PERF_RESULT ? 1 : 0);
    }
}

static void test_plain_and_ready(void **state)
{
    (void)state;
    uint8_t out[SKUA_PERF_MESSAGE_MAX];
    enum skua_perf_status status;
    assert_int_equal(skua_perf_put_plain(out, SKUA_PERF_STOP), 3);
    assert_memory_equal(out, "\x03\0\0", 3);
    assert_int_equal(skua_perf_put_ready(out, SKUA_PERF_OK), 5);
    static const uint8_t ready[] = {2, 0, 2, SKUA_PERF_VERSION, SKUA_PERF_OK};
    assert_memory_equal(out, ready, sizeof ready);
    assert_true(skua_perf_get_ready(out + 3, 2, &status));
    assert_int_equal(status, SKUA_PERF_OK);
    assert_false(skua_perf_get_ready(out + 3, 1, &status));
    static const uint8_t odd[] = {1, 2};
    assert_false(skua_perf_get_ready(odd, 2, &status)); /* no such status */
    static const uint8_t later[] = {7, 0};
    assert_false(skua_perf_get_ready(later, 2, &status)); /* takes what we did not ask */
    static const uint8_t refusal[] = {7, 1};
    assert_true(skua_perf_get_ready(refusal, 2, &status));
    assert_int_equal(status, SKUA_PERF_BAD_VERSION);
}

static void test_result(void **state)
{
    (void)state;
    uint8_t out[SKUA_PERF_MESSAGE_MAX];
    struct skua_perf_end back;
    struct skua_perf_end end = {.received_bytes = 1,
                                .receive_ns = 2,
                                .cpu_user_ns = 3,
                                .cpu_system_ns = 4,
                                .elapsed_ns = 5,
                                .served = 6,
                                .suite = SKUA_SUITE_AEGIS_128L,
                                .ecn_state = SKUA_ECN_STATE_CAPABLE,
                                .controller = SKUA_CONTROLLER_CUBIC};
    /* A different value in each member, so that none can take another's place. */
    uint64_t value = UINT64_C(0x100000000);
    uint32_t small = 100;
#define SKUA_PERF_CONN(member)    end.conn.member = value++;
#define SKUA_PERF_COUNTER(member) end.driver.member = value++;
#define SKUA_PERF_GAUGE(member)   end.driver.member = small++;
#include "perf_stats.def"
#undef SKUA_PERF_CONN
#undef SKUA_PERF_COUNTER
#undef SKUA_PERF_GAUGE
    const size_t len = skua_perf_put_result(out, &end);
    enum skua_perf_type type;
    size_t body;
    assert_true(skua_perf_get_head(out, &type, &body));
    assert_int_equal(type, SKUA_PERF_RESULT);
    assert_int_equal(body + SKUA_PERF_HEAD_LEN, len);
    assert_true(skua_perf_get_result(out + SKUA_PERF_HEAD_LEN, body, &back));
    assert_false(skua_perf_get_result(out + SKUA_PERF_HEAD_LEN, body - 8, &back));
    assert_true(skua_perf_get_result(out + SKUA_PERF_HEAD_LEN, body, &back));
    assert_true(back.received_bytes == 1 && back.receive_ns == 2 && back.cpu_user_ns == 3 &&
                back.cpu_system_ns == 4 && back.elapsed_ns == 5 && back.served == 6 &&
                back.suite == SKUA_SUITE_AEGIS_128L && back.ecn_state == SKUA_ECN_STATE_CAPABLE &&
                back.controller == SKUA_CONTROLLER_CUBIC);
#define SKUA_PERF_CONN(member)    assert_true(back.conn.member == end.conn.member);
#define SKUA_PERF_COUNTER(member) assert_true(back.driver.member == end.driver.member);
#define SKUA_PERF_GAUGE(member)   assert_true(back.driver.member == end.driver.member);
#include "perf_stats.def"
#undef SKUA_PERF_CONN
#undef SKUA_PERF_COUNTER
#undef SKUA_PERF_GAUGE
}

/* Every member of the statistics is in the list: the list has as many lines as there is room. */
static void test_stats_complete(void **state)
{
    (void)state;
    size_t conn = 0;
    size_t driver = 0;
    struct skua_conn_stats c;
    struct skua_ev_stats d;
#define SKUA_PERF_CONN(member)    conn += sizeof c.member;
#define SKUA_PERF_COUNTER(member) driver += sizeof d.member;
#define SKUA_PERF_GAUGE(member)   driver += sizeof d.member;
#include "perf_stats.def"
#undef SKUA_PERF_CONN
#undef SKUA_PERF_COUNTER
#undef SKUA_PERF_GAUGE
    /* `state` is always the same at the end; suite, ECN state and controller travel by themselves;
     * what is named here of the driver's is its own affair. */
    assert_int_equal(conn + offsetof(struct skua_conn_stats, rtt_latest_ns), sizeof c);
    driver += sizeof d.attempts + sizeof d.roamed + sizeof d.sockets_fragmenting;
    assert_int_equal(driver + sizeof d.send_errno, sizeof d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_bytes), cmocka_unit_test(test_request_limits),
        cmocka_unit_test(test_head),          cmocka_unit_test(test_plain_and_ready),
        cmocka_unit_test(test_result),        cmocka_unit_test(test_stats_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
