/* Whole handshakes of all four patterns, and what keeps one from succeeding. */
#include "fixture.h"

static const enum skua_pattern patterns[] = {SKUA_PATTERN_XX, SKUA_PATTERN_IK, SKUA_PATTERN_XXPSK3,
                                             SKUA_PATTERN_IKPSK2};
enum { PATTERNS = 4 };

static void assert_same_secrets(const struct skua_handshake_result *a,
                                const struct skua_handshake_result *b)
{
    assert_memory_equal(&a->to_responder, &b->to_responder, sizeof a->to_responder);
    assert_memory_equal(&a->to_initiator, &b->to_initiator, sizeof a->to_initiator);
    assert_memory_equal(&a->exporter, &b->exporter, sizeof a->exporter);
    assert_memory_not_equal(&a->to_responder, &a->to_initiator, sizeof a->to_responder);
    assert_int_equal(a->suite, b->suite);
}

static void both_ends_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < PATTERNS; i++) {
        struct pair p;
        struct skua_handshake_result client, server;
        pair_init(&p, patterns[i], 100 + i);
        assert_true(skua_initiator_init(&p.client, &p.client_config));
        assert_int_equal(skua_initiator_pattern(&p.client), patterns[i]);
        assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn), SKUA_VERDICT_OK);
        assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &client), SKUA_VERDICT_OK);
        assert_int_equal(p.client.message3_len == 0, skua_responder_complete(&p.server));
        assert_int_equal(pair_confirm(&p, p.client.message3, p.client.message3_len, &server),
                         SKUA_VERDICT_OK);
        assert_same_secrets(&client, &server);
        assert_memory_equal(&client.peer_key, &p.server_keys.public_key, sizeof client.peer_key);
        assert_memory_equal(&server.peer_key, &p.client_keys.public_key, sizeof server.peer_key);
        assert_int_equal(client.peer.initial_max_data, 2000002);
        assert_int_equal(server.peer.initial_max_data, 1000001);
        assert_int_equal(client.code, SKUA_CODE_NO_ERROR);
        assert_int_equal(server.code, SKUA_CODE_NO_ERROR);
        assert_true(skua_id_equal(&p.client.server_id, &p.server_id));
        /* The Noise state is gone: nothing of it is needed any more. */
        static const struct skua_noise zero;
        assert_memory_equal(&p.client.noise, &zero, sizeof zero);
    }
}

static void sizes_hold_with_the_longest_of_everything(void **state)
{
    (void)state;
    for (size_t i = 0; i < PATTERNS; i++) {
        struct pair p;
        struct skua_handshake_result client, server;
        pair_init(&p, patterns[i], 200 + i);
        const uint64_t credit = (1 << 30) - 1;
        struct skua_transport_params most = {.max_idle_timeout_ms = SKUA_PARAM_IDLE_END - 1,
                                             .initial_max_data = credit,
                                             .initial_max_stream_data_bidi_local = credit,
                                             .initial_max_stream_data_bidi_remote = credit,
                                             .initial_max_stream_data_uni = credit,
                                             .initial_max_streams_bidi = SKUA_LIMIT_STREAMS_MAX,
                                             .initial_max_streams_uni = SKUA_LIMIT_STREAMS_MAX,
                                             .max_udp_payload = 65000,
                                             .active_id_limit = SKUA_LIMIT_ACTIVE_IDS,
                                             .max_ack_delay_ms = 16383,
                                             .ack_delay_exponent = 20};
        p.client_params.transport = most;
        p.server_params = most;
        p.client_config.dcid = pair_id(&p, 16);
        p.client_config.scid = pair_id(&p, 16);
        p.server_id = pair_id(&p, 16);
        memset(p.client_params.label, 'l', SKUA_LABEL_MAX);
        p.client_params.label_len = SKUA_LABEL_MAX;
        p.server_config.label = p.client_params.label;
        assert_true(skua_initiator_init(&p.client, &p.client_config));
        assert_int_equal(sizeof p.client.syn, 1200);
        assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn), SKUA_VERDICT_OK);
        assert_true(p.syn_ack_len <= 248);
        assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &client), SKUA_VERDICT_OK);
        assert_true(p.client.message3_len <= 176);
        assert_int_equal(pair_confirm(&p, p.client.message3, p.client.message3_len, &server),
                         SKUA_VERDICT_OK);
        assert_same_secrets(&client, &server);
        /* Without the padding behind the last member. */
        size_t members = offsetof(struct skua_transport_params, ack_delay_exponent) + 1;
        assert_memory_equal(&client.peer, &most, members);
        assert_memory_equal(&server.peer, &most, members);
    }
}

static void a_wrong_pin_reveals_only_the_key(void **state)
{
    (void)state;
    static const enum skua_pattern xx[] = {SKUA_PATTERN_XX, SKUA_PATTERN_XXPSK3};
    for (size_t i = 0; i < 2; i++) {
        struct pair p;
        struct skua_handshake_result result;
        static const struct skua_handshake_result zero;
        pair_init(&p, xx[i], 300 + i);
        p.client_config.server_key = &p.other_keys.public_key;
        assert_true(skua_initiator_init(&p.client, &p.client_config));
        assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn), SKUA_VERDICT_OK);
        assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &result),
                         SKUA_VERDICT_SYN_ACK_UNTRUSTED);
        assert_true(p.client.seen && !p.client.done && p.client.message3_len == 0);
        assert_memory_equal(&p.client.seen_key, &p.server_keys.public_key, SKUA_KEY_LEN);
        assert_memory_equal(&result, &zero, sizeof zero);
        /* The trusted server's answer still counts afterwards. */
        p.server_config.local = &p.other_keys;
        assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn), SKUA_VERDICT_OK);
        assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &result), SKUA_VERDICT_OK);
        assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &result),
                         SKUA_VERDICT_SYN_ACK_LATE);
    }
    struct pair p;
    pair_init(&p, SKUA_PATTERN_IK, 310);
    p.client_config.server_key = &p.other_keys.public_key;
    assert_true(skua_initiator_init(&p.client, &p.client_config));
    assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn), SKUA_VERDICT_SYN_BAD);
    assert_int_equal(p.syn_ack_len, 0);
}

static void any_key_is_taken_without_a_pin(void **state)
{
    (void)state;
    struct pair p;
    struct skua_handshake_result result;
    pair_init(&p, SKUA_PATTERN_XX, 320);
    p.client_config.server_key = NULL;
    assert_true(skua_initiator_init(&p.client, &p.client_config));
    assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn), SKUA_VERDICT_OK);
    assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &result), SKUA_VERDICT_OK);
    assert_memory_equal(&result.peer_key, &p.server_keys.public_key, SKUA_KEY_LEN);
}

static void a_wrong_psk_fails_where_it_is_mixed_in(void **state)
{
    (void)state;
    static const uint8_t other[SKUA_PSK_LEN] = {9};
    struct pair p;
    struct skua_handshake_result result;
    pair_init(&p, SKUA_PATTERN_XXPSK3, 400);
    p.server_config.psk = other;
    assert_true(skua_initiator_init(&p.client, &p.client_config));
    assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn), SKUA_VERDICT_OK);
    assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &result), SKUA_VERDICT_OK);
    assert_int_equal(pair_confirm(&p, p.client.message3, p.client.message3_len, &result),
                     SKUA_VERDICT_CONFIRM_BAD);
    pair_init(&p, SKUA_PATTERN_IKPSK2, 401);
    p.server_config.psk = other;
    assert_true(skua_initiator_init(&p.client, &p.client_config));
    assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn), SKUA_VERDICT_OK);
    assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &result), SKUA_VERDICT_SYN_ACK_BAD);
    /* One side with, one without: the pattern says so before any multiplication. */
    for (size_t i = 0; i < PATTERNS; i++) {
        pair_init(&p, patterns[i], 410 + i);
        p.server_config.psk = p.server_config.psk == NULL ? PSK : NULL;
        assert_true(skua_initiator_init(&p.client, &p.client_config));
        assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn),
                         SKUA_VERDICT_SYN_PATTERN);
    }
}

static void the_server_chooses_the_suite(void **state)
{
    (void)state;
    enum {
        C = SKUA_SUITE_CHACHA20_POLY1305,
        A = SKUA_SUITE_AES_256_GCM,
        G = SKUA_SUITE_AEGIS_128L
    };
    static const struct {
        uint8_t client, server, chosen;
    } cases[] = {{C, C | A | G, C},     {C | A, C | A | G, A}, {C | A | G, C | A | G, G},
                 {C | A | G, C | A, A}, {C | 0x80, C, C},      {A, C, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t j = 0; j < PATTERNS; j++) {
            struct pair p;
            struct skua_handshake_result client, server;
            pair_init(&p, patterns[j], 500 + 4 * i + j);
            p.client_config.suites = cases[i].client;
            p.server_config.suites = cases[i].server;
            assert_true(skua_initiator_init(&p.client, &p.client_config));
            enum skua_verdict v = pair_answer(&p, p.client.syn, sizeof p.client.syn);
            assert_int_equal(v, cases[i].chosen != 0 ? SKUA_VERDICT_OK : SKUA_VERDICT_SYN_SUITE);
            if (v == SKUA_VERDICT_OK) {
                assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &client),
                                 SKUA_VERDICT_OK);
                (void)pair_confirm(&p, p.client.message3, p.client.message3_len, &server);
                assert_int_equal(client.suite, cases[i].chosen);
                assert_same_secrets(&client, &server);
            }
        }
    }
}

static void a_suite_not_offered_is_not_taken(void **state)
{
    (void)state;
    struct pair p;
    struct skua_handshake_result result;
    pair_init(&p, SKUA_PATTERN_XX, 550);
    p.client_config.suites = SKUA_SUITE_CHACHA20_POLY1305 | SKUA_SUITE_AES_256_GCM;
    p.server_config.suites = SKUA_SUITE_AES_256_GCM;
    assert_true(skua_initiator_init(&p.client, &p.client_config));
    assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn), SKUA_VERDICT_OK);
    p.client.suites = SKUA_SUITE_CHACHA20_POLY1305; /* as if it had offered less */
    assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &result), SKUA_VERDICT_SYN_ACK_BAD);
}

static void labels_must_match(void **state)
{
    (void)state;
    static const char *const labels[] = {"ech", "echo2", "", NULL};
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < PATTERNS; j++) {
            struct pair p;
            struct skua_handshake_result client, server;
            pair_init(&p, patterns[j], 600 + 4 * i + j);
            p.server_config.label = labels[i];
            assert_true(skua_initiator_init(&p.client, &p.client_config));
            assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn), SKUA_VERDICT_OK);
            assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &client), SKUA_VERDICT_OK);
            /* The keys are there all the same: the answer is a RST under them. */
            assert_int_equal(pair_confirm(&p, p.client.message3, p.client.message3_len, &server),
                             SKUA_VERDICT_PROTOCOL);
            assert_int_equal(server.code, SKUA_CODE_LABEL);
            assert_same_secrets(&client, &server);
        }
    }
}

static void malformed_parameters_are_answered_under_the_keys(void **state)
{
    (void)state;
    for (size_t j = 0; j < PATTERNS; j++) {
        struct pair p;
        struct skua_handshake_result client, server;
        pair_init(&p, patterns[j], 700 + j);
        /* The writer does not judge: 21 is above the exponent's range. */
        p.client_params.transport.ack_delay_exponent = 21;
        p.server_params.ack_delay_exponent = 21;
        assert_true(skua_initiator_init(&p.client, &p.client_config));
        assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn), SKUA_VERDICT_OK);
        assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &client), SKUA_VERDICT_PROTOCOL);
        assert_int_equal(pair_confirm(&p, p.client.message3, p.client.message3_len, &server),
                         SKUA_VERDICT_PROTOCOL);
        assert_int_equal(client.code, SKUA_CODE_PARAMETER);
        assert_int_equal(server.code, SKUA_CODE_PARAMETER);
        assert_int_equal(server.peer.ack_delay_exponent, 3);
        assert_int_equal(server.peer.initial_max_data, 0);
        assert_same_secrets(&client, &server);
    }
}

static void configs_that_cannot_work(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p, SKUA_PATTERN_IK, 800);
    p.client_config.server_key = NULL;
    assert_false(skua_initiator_init(&p.client, &p.client_config));
    static const struct skua_key low_order; /* all zero */
    p.client_config.server_key = &low_order;
    assert_false(skua_initiator_init(&p.client, &p.client_config));
    pair_init(&p, SKUA_PATTERN_XX, 801);
    p.client_config.suites = 0;
    assert_false(skua_initiator_init(&p.client, &p.client_config));
    pair_init(&p, SKUA_PATTERN_XX, 802);
    p.client_config.dcid = pair_id(&p, 7);
    assert_false(skua_initiator_init(&p.client, &p.client_config));
}

static void fingerprints_tell_syns_apart(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p, SKUA_PATTERN_XX, 900);
    assert_true(skua_initiator_init(&p.client, &p.client_config));
    uint8_t key[SKUA_FINGERPRINT_KEY_LEN] = {5}, same[SKUA_TAG_LEN], other[SKUA_TAG_LEN];
    struct skua_path path = {
        .remote = {.family = SKUA_FAMILY_IPV4, .port = 9, .ip = {192, 0, 2, 1}}};
    struct skua_head head;
    struct skua_syn syn;
    uint8_t copy[SKUA_SYN_LEN];
    memcpy(copy, p.client.syn, sizeof copy);
    assert_int_equal(skua_header_peek(copy, sizeof copy, 8, &head), SKUA_VERDICT_OK);
    assert_int_equal(skua_syn_read(copy, sizeof copy, &head, &syn), SKUA_VERDICT_OK);
    pair_fingerprint(same, key, &path, &head, &syn);
    pair_fingerprint(other, key, &path, &head, &syn);
    assert_memory_equal(same, other, sizeof same);
    path.remote.port++;
    pair_fingerprint(other, key, &path, &head, &syn);
    assert_memory_not_equal(same, other, sizeof same);
    path.remote.port--;
    path.local.ip[0]++;
    pair_fingerprint(other, key, &path, &head, &syn);
    assert_memory_not_equal(same, other, sizeof same);
    path.local.ip[0]--;
    key[0]++;
    pair_fingerprint(other, key, &path, &head, &syn);
    assert_memory_not_equal(same, other, sizeof same);
    key[0]--;
    syn.pattern++;
    pair_fingerprint(other, key, &path, &head, &syn);
    assert_memory_not_equal(same, other, sizeof same);
    syn.pattern--;
    for (size_t i = 5; i < sizeof copy; i++) { /* ids, then message 1 behind the fixed fields */
        bool counted = (i >= 6 && i < 14) || (i >= 15 && i < 23) || i >= 28;
        if (i == 5 || i == 14) {
            continue; /* lengths: another parse */
        }
        copy[i] ^= 1;
        pair_fingerprint(other, key, &path, &head, &syn);
        assert_int_equal(memcmp(same, other, sizeof same) != 0, counted);
        copy[i] ^= 1;
    }
}

int main(void)
{
    if (skua_init() != SKUA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_agree),
        cmocka_unit_test(sizes_hold_with_the_longest_of_everything),
        cmocka_unit_test(a_wrong_pin_reveals_only_the_key),
        cmocka_unit_test(any_key_is_taken_without_a_pin),
        cmocka_unit_test(a_wrong_psk_fails_where_it_is_mixed_in),
        cmocka_unit_test(the_server_chooses_the_suite),
        cmocka_unit_test(a_suite_not_offered_is_not_taken),
        cmocka_unit_test(labels_must_match),
        cmocka_unit_test(malformed_parameters_are_answered_under_the_keys),
        cmocka_unit_test(configs_that_cannot_work),
        cmocka_unit_test(fingerprints_tell_syns_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
