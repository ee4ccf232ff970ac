/* Defaults and ranges of the configuration, and settings that connections share. */
#include "unit.h"

#include "base/alloc.h"
#include "conn/settings.h"

static void zero_means_the_documented_default(void **state)
{
    (void)state;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    for (int i = 0; i < 2; i++) { /* NULL means the same as an empty config */
        struct skua_settings s;
        assert_int_equal(skua_settings_resolve(&s, i == 0 ? &config : NULL), SKUA_OK);
        assert_int_equal(s.idle_timeout_ns, 30 * SKUA_SEC);
        assert_int_equal(s.user_timeout_ns, 60 * SKUA_SEC);
        assert_true(s.keepalive_time_ns == SKUA_NEVER);
        assert_int_equal(s.keepalive_intvl_ns, 10 * SKUA_SEC);
        assert_int_equal(s.keepalive_probes, 5);
        assert_int_equal(s.syn_retries, 5);
        assert_int_equal(s.close_timeout_ns, 30 * SKUA_SEC);
        assert_int_equal(s.fin_wait2_timeout_ns, 60 * SKUA_SEC);
        assert_int_equal(s.time_wait_ns, 0); /* 3 PTO: not known yet */
        assert_int_equal(s.max_recv_window, 64 << 20);
        assert_int_equal(s.max_stream_window, 32 << 20);
        assert_int_equal(s.max_send_buffer, 32 << 20);
        assert_int_equal(s.max_streams_bidi, 1024);
        assert_int_equal(s.max_streams_uni, 1024);
        assert_int_equal(s.controller, SKUA_CONTROLLER_CUBIC);
        assert_false(s.has_server_key || s.has_psk || s.ik);
        assert_string_equal(s.label, "");
    }
}

static void keeps_what_is_asked_for(void **state)
{
    (void)state;
    static const uint8_t psk[SKUA_PSK_LEN] = {1, 2, 3};
    static const struct skua_key key = {.bytes = {7}};
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.psk = psk;
    config.server_key = &key;
    config.ik = true;
    config.label = "a label of thirty-one letters..";
    config.idle_timeout_ns = SKUA_NEVER;
    config.user_timeout_ns = SKUA_NEVER;
    config.keepalive_time_ns = 5;
    config.keepalive_intvl_ns = 6;
    config.keepalive_probes = 7;
    config.syn_retries = 16;
    config.max_recv_window = 1;
    config.max_stream_window = (UINT64_C(1) << 40) - 1;
    config.max_send_buffer = 2;
    config.max_streams_bidi = 1 << 20;
    config.max_streams_uni = 3;
    config.time_wait_ns = 9;
    config.close_timeout_ns = SKUA_NEVER;
    config.fin_wait2_timeout_ns = 11;
    config.controller = SKUA_CONTROLLER_NEWRENO;
    struct skua_settings s;
    assert_int_equal(skua_settings_resolve(&s, &config), SKUA_OK);
    assert_true(s.has_psk && s.has_server_key && s.ik);
    assert_memory_equal(s.psk, psk, sizeof psk);
    assert_memory_equal(&s.server_key, &key, sizeof key);
    assert_string_equal(s.label, config.label);
    assert_true(s.idle_timeout_ns == SKUA_NEVER && s.user_timeout_ns == SKUA_NEVER);
    assert_true(s.close_timeout_ns == SKUA_NEVER);
    assert_int_equal(s.fin_wait2_timeout_ns, 11);
    assert_int_equal(s.keepalive_time_ns, 5);
    assert_int_equal(s.keepalive_intvl_ns, 6);
    assert_int_equal(s.keepalive_probes, 7);
    assert_int_equal(s.syn_retries, 16);
    assert_int_equal(s.max_recv_window, 1);
    assert_int_equal(s.max_stream_window, 1); /* no more than what leaves the others some */
    assert_int_equal(s.max_send_buffer, 2);
    assert_int_equal(s.max_streams_bidi, 1 << 20);
    assert_int_equal(s.max_streams_uni, 3);
    assert_int_equal(s.time_wait_ns, 9);
    assert_int_equal(s.controller, SKUA_CONTROLLER_NEWRENO);
}

/* One member out of range at a time. */
static void refuses_what_is_out_of_range(void **state)
{
    (void)state;
    static const struct skua_conn_config good = SKUA_CONN_CONFIG_INIT;
    struct skua_settings s;
    struct skua_conn_config config = good;
    assert_int_equal(skua_conn_config_check(&good), SKUA_OK);
    assert_int_equal(skua_conn_config_check(NULL), SKUA_OK);
    config.size--;
    assert_int_equal(skua_settings_resolve(&s, &config), SKUA_EINVAL);
    assert_int_equal(skua_conn_config_check(&config), SKUA_EINVAL);
    config = good;
    config.label = "a label of thirty-two letters...";
    assert_int_equal(skua_settings_resolve(&s, &config), SKUA_EINVAL);
    config = good;
    config.syn_retries = 17;
    assert_int_equal(skua_settings_resolve(&s, &config), SKUA_EINVAL);
    config = good;
    config.max_streams_bidi = (1 << 20) + 1;
    assert_int_equal(skua_settings_resolve(&s, &config), SKUA_EINVAL);
    config = good;
    config.max_streams_uni = (1 << 20) + 1;
    assert_int_equal(skua_settings_resolve(&s, &config), SKUA_EINVAL);
    config = good;
    config.max_recv_window = UINT64_C(1) << 40;
    assert_int_equal(skua_settings_resolve(&s, &config), SKUA_EINVAL);
    config = good;
    config.max_stream_window = UINT64_C(1) << 40;
    assert_int_equal(skua_settings_resolve(&s, &config), SKUA_EINVAL);
    config = good;
    config.max_send_buffer = UINT64_C(1) << 40;
    assert_int_equal(skua_settings_resolve(&s, &config), SKUA_EINVAL);
    config = good;
    config.controller = (enum skua_controller)99;
    assert_int_equal(skua_settings_resolve(&s, &config), SKUA_EINVAL);
    config = good;
    config.ik = true; /* IK encrypts to a key: it must be known */
    assert_int_equal(skua_settings_resolve(&s, &config), SKUA_EINVAL);
}

static void equal_settings_are_shared_until_the_last_lets_go(void **state)
{
    (void)state;
    struct skua_heap heap;
    struct skua_settings value;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    skua_heap_init(&heap, NULL);
    assert_int_equal(skua_settings_resolve(&value, &config), SKUA_OK);
    struct skua_settings *first = skua_settings_share(&heap, &value, NULL);
    assert_non_null(first);
    struct skua_settings *same = skua_settings_share(&heap, &value, first);
    assert_ptr_equal(same, first);
    config.label = "other";
    assert_int_equal(skua_settings_resolve(&value, &config), SKUA_OK);
    struct skua_settings *other = skua_settings_share(&heap, &value, first);
    assert_ptr_not_equal(other, first);
    assert_int_equal(heap.used, 2 * sizeof *first);
    skua_settings_drop(&heap, first);
    assert_int_equal(heap.used, 2 * sizeof *first);
    skua_settings_drop(&heap, same);
    assert_int_equal(heap.used, sizeof *first);
    assert_ptr_equal(skua_settings_hold(other), other);
    skua_settings_drop(&heap, other);
    skua_settings_drop(&heap, other);
    skua_settings_drop(&heap, NULL);
    assert_int_equal(heap.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_means_the_documented_default),
        cmocka_unit_test(keeps_what_is_asked_for),
        cmocka_unit_test(refuses_what_is_out_of_range),
        cmocka_unit_test(equal_settings_are_shared_until_the_last_lets_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
