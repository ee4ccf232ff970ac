/* Names and texts: every value has one, no two of a kind share one, unknown values are survived. */
#include "unit.h"

#include "base/limits.h"
#include "base/trace.h"
#include "base/verdict.h"

static const enum skua_err errs[] = {
#define SKUA_ERR(name, value, text) name,
#include <skua/errors.def>
#undef SKUA_ERR
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof errs / sizeof errs[0]; i++) {
        assert_memory_equal(skua_err_name(errs[i]), "SKUA_", 5);
        assert_true(strlen(skua_strerror(errs[i])) > 0);
        assert_true((errs[i] == SKUA_OK) == (i == 0));
        assert_true(errs[i] <= 0);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(skua_strerror(errs[i]), skua_strerror(errs[k]));
            assert_int_not_equal(errs[i], errs[k]);
        }
    }
    assert_string_equal(skua_err_name(SKUA_ETIMEDOUT), "SKUA_ETIMEDOUT");
    assert_string_equal(skua_strerror(SKUA_EOF), "end of stream");
    assert_string_equal(skua_err_name((enum skua_err) - 19), "SKUA_?");
    assert_string_equal(skua_strerror((enum skua_err)1), "unknown error");
}

static void test_codes(void **state)
{
    (void)state;
    assert_string_equal(skua_code_text(SKUA_CODE_NO_ERROR), "no error");
    assert_string_equal(skua_code_text(SKUA_CODE_ACK_UNSENT),
                        "acknowledgement of a packet never sent");
    assert_string_equal(skua_code_text(0x3f), "unknown code");
    /* A code whose low bits are a known one's. */
    assert_string_equal(skua_code_text((UINT64_C(1) << 32) + 1), "unknown code");
    assert_string_equal(skua_code_text(UINT64_MAX), "unknown code");
}

static void test_events_and_states(void **state)
{
    (void)state;
    for (int i = 0; i < SKUA_EVENT_TYPES; i++) {
        assert_string_not_equal(skua_event_name((enum skua_event_type)i), "?");
    }
    assert_string_equal(skua_event_name(SKUA_EVENT_READABLE), "READABLE");
    assert_string_equal(skua_event_name(SKUA_EVENT_TYPES), "?");
    for (int i = 0; i < SKUA_STATES; i++) {
        assert_string_not_equal(skua_state_name((enum skua_state)i), "?");
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(skua_state_name((enum skua_state)i),
                                    skua_state_name((enum skua_state)k));
        }
    }
    assert_string_equal(skua_state_name(SKUA_STATE_FIN_WAIT_2), "FIN_WAIT_2");
    assert_string_equal(skua_state_name((enum skua_state)99), "?");
}

static void test_verdicts(void **state)
{
    (void)state;
    assert_int_equal(SKUA_VERDICT_OK, 0);
    for (size_t i = 0; i < SKUA_VERDICTS; i++) {
        assert_non_null(skua_verdict_name(i));
    }
    assert_string_equal(skua_verdict_name(SKUA_VERDICT_BAD_AUTH), "bad_auth");
    assert_string_equal(skua_verdict_name(SKUA_VERDICTS - 1), "protocol");
    assert_null(skua_verdict_name(SKUA_VERDICTS));
    assert_null(skua_verdict_name(SIZE_MAX));
}

static void test_limits(void **state)
{
    (void)state;
    assert_int_equal(SKUA_LIMIT_UDP_MIN, 1200);
    /* Three times a SYN covers all copies of a SYN_ACK (docs/protocol.md). */
    assert_true(6 * SKUA_LIMIT_SYN_ACK_MAX <= 3 * SKUA_LIMIT_UDP_MIN);
    assert_true(SKUA_LIMIT_ACK_RANGES_SENT <= SKUA_LIMIT_ACK_RANGES_KEPT);
    assert_true(SKUA_LIMIT_ACK_RANGES_SENT <= SKUA_LIMIT_ACK_RANGES_READ);
}

/* Keeps the last event. */
static void keep_event(void *user, const struct skua_trace_event *event)
{
    *(struct skua_trace_event *)user = *event;
}

static void test_trace(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < SKUA_TRACE_TYPES; i++) {
        assert_non_null(skua_trace_name(i));
    }
    assert_string_equal(skua_trace_name(SKUA_TRACE_PACKET_LOST), "packet_lost");
    assert_null(skua_trace_name(SKUA_TRACE_TYPES));
    assert_null(skua_trace_name(UINT32_MAX));

    struct skua_trace_event seen = {.time = 0};
    const struct skua_trace sink = {.event = keep_event, .user = &seen};
    const struct skua_trace none = {.event = NULL};
    assert_false(skua_trace_on(&none));
    assert_true(skua_trace_on(&sink));
    skua_trace_emit(&none, 1, SKUA_TRACE_MTU, SKUA_TRACE_ARGS(1, 2), 3);
    assert_int_equal(seen.time, 0);
    skua_trace_emit(&sink, 5, SKUA_TRACE_MTU, SKUA_TRACE_ARGS(1200, 1452), 77);
    assert_int_equal(seen.time, 77);
    assert_int_equal(seen.conn, 5);
    assert_int_equal(seen.type, SKUA_TRACE_MTU);
    assert_int_equal(seen.args[0], 1200);
    assert_int_equal(seen.args[1], 1452);
    assert_int_equal(seen.args[2], 0);
    assert_int_equal(seen.args[3], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),   cmocka_unit_test(test_codes),
        cmocka_unit_test(test_verdicts), cmocka_unit_test(test_events_and_states),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
