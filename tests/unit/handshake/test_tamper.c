/* One bit changed in any byte of SYN, SYN_ACK or message 3: the handshake must not succeed with it,
 * the untouched packet must succeed afterwards, and repeats must be identical. */
#include "fixture.h"

static const enum skua_pattern patterns[] = {SKUA_PATTERN_XX, SKUA_PATTERN_IK, SKUA_PATTERN_XXPSK3,
                                             SKUA_PATTERN_IKPSK2};
enum { PATTERNS = 4 };

/* A changed SYN may be answered (XX authenticates nothing yet), but no handshake comes of it. */
static void every_byte_of_the_syn(void **state)
{
    (void)state;
    for (size_t j = 0; j < PATTERNS; j++) {
        struct pair p;
        pair_init(&p, patterns[j], 10 + j);
        assert_true(skua_initiator_init(&p.client, &p.client_config));
        uint8_t syn[SKUA_SYN_LEN];
        for (size_t i = 0; i < sizeof syn; i++) {
            memcpy(syn, p.client.syn, sizeof syn);
            syn[i] ^= (uint8_t)(1u << (i % 8));
            struct skua_handshake_result result;
            if (pair_answer(&p, syn, sizeof syn) != SKUA_VERDICT_OK) {
                continue;
            }
            assert_true(patterns[j] == SKUA_PATTERN_XX || patterns[j] == SKUA_PATTERN_XXPSK3);
            enum skua_verdict v = pair_react(&p, p.syn_ack, p.syn_ack_len, &result);
            assert_int_equal(v, SKUA_VERDICT_SYN_ACK_BAD);
            assert_false(p.client.done);
        }
    }
}

static void every_byte_of_the_syn_ack(void **state)
{
    (void)state;
    for (size_t j = 0; j < PATTERNS; j++) {
        struct pair p;
        struct skua_handshake_result result;
        static const struct skua_handshake_result zero;
        pair_init(&p, patterns[j], 20 + j);
        assert_true(skua_initiator_init(&p.client, &p.client_config));
        assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn), SKUA_VERDICT_OK);
        struct skua_initiator before = p.client;
        for (size_t i = 0; i < p.syn_ack_len; i++) {
            p.syn_ack[i] ^= (uint8_t)(1u << (i % 8));
            memset(&result, 0, sizeof result);
            enum skua_verdict v = pair_react(&p, p.syn_ack, p.syn_ack_len, &result);
            assert_true(v == SKUA_VERDICT_SYN_ACK_BAD || v == SKUA_VERDICT_MALFORMED ||
                        v == SKUA_VERDICT_NOT_SKUA || v == SKUA_VERDICT_VERSION ||
                        v == SKUA_VERDICT_RUNT);
            assert_false(p.client.done);
            assert_memory_equal(&p.client, &before, sizeof before);
            assert_memory_equal(&result, &zero, sizeof zero);
            p.syn_ack[i] ^= (uint8_t)(1u << (i % 8));
        }
        for (size_t len = 1; len < p.syn_ack_len; len++) {
            assert_int_not_equal(pair_react(&p, p.syn_ack, len, &result), SKUA_VERDICT_OK);
        }
        assert_memory_equal(&p.client, &before, sizeof before);
        assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &result), SKUA_VERDICT_OK);
    }
}

static void every_byte_of_message_3(void **state)
{
    (void)state;
    for (size_t j = 0; j < PATTERNS; j += 2) { /* the XX patterns */
        struct pair p;
        struct skua_handshake_result client, server;
        static const struct skua_handshake_result zero;
        pair_init(&p, patterns[j], 30 + j);
        assert_true(skua_initiator_init(&p.client, &p.client_config));
        assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn), SKUA_VERDICT_OK);
        assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &client), SKUA_VERDICT_OK);
        const struct skua_responder before = p.server;
        uint8_t *message = p.client.message3;
        size_t len = p.client.message3_len;
        for (size_t i = 0; i < len; i++) {
            message[i] ^= (uint8_t)(1u << (i % 8));
            assert_int_equal(pair_confirm(&p, message, len, &server), SKUA_VERDICT_CONFIRM_BAD);
            assert_memory_equal(&server, &zero, sizeof zero);
            message[i] ^= (uint8_t)(1u << (i % 8));
            assert_int_equal(pair_confirm(&p, message, i, &server), SKUA_VERDICT_CONFIRM_BAD);
        }
        static const uint8_t lengthy[2000];
        assert_int_equal(pair_confirm(&p, lengthy, sizeof lengthy, &server),
                         SKUA_VERDICT_CONFIRM_BAD);
        assert_memory_equal(&p.server, &before, sizeof before);
        /* A responder is not used up: the same copy answers each repeat the same. */
        for (int repeat = 0; repeat < 2; repeat++) {
            assert_int_equal(pair_confirm(&p, message, len, &server), SKUA_VERDICT_OK);
            assert_memory_equal(&server.to_initiator, &client.to_initiator, SKUA_HASH_LEN);
        }
    }
    /* A CONFIRM for an IK handshake has no meaning. */
    struct pair p;
    struct skua_handshake_result result;
    pair_init(&p, SKUA_PATTERN_IK, 40);
    assert_true(skua_initiator_init(&p.client, &p.client_config));
    assert_int_equal(pair_answer(&p, p.client.syn, sizeof p.client.syn), SKUA_VERDICT_OK);
    static const uint8_t message[100];
    struct skua_confirm confirm = {.message = message, .message_len = sizeof message};
    assert_int_equal(skua_responder_on_confirm(&p.server, &p.server_config, &confirm, &result),
                     SKUA_VERDICT_CONFIRM_BAD);
}

static void an_answer_to_another_syn_does_not_fit(void **state)
{
    (void)state;
    for (size_t j = 0; j < PATTERNS; j++) {
        struct pair p, q;
        struct skua_handshake_result result;
        pair_init(&p, patterns[j], 50 + j);
        assert_true(skua_initiator_init(&p.client, &p.client_config));
        q = p;
        q.client_config.rng = &p.rng; /* same keys and ids, another `e` */
        assert_true(skua_initiator_init(&q.client, &q.client_config));
        assert_memory_not_equal(p.client.syn, q.client.syn, SKUA_SYN_LEN);
        assert_int_equal(pair_answer(&p, q.client.syn, SKUA_SYN_LEN), SKUA_VERDICT_OK);
        assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &result),
                         SKUA_VERDICT_SYN_ACK_BAD);
    }
}

static void a_low_order_ephemeral_is_not_answered(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p, SKUA_PATTERN_XX, 60);
    assert_true(skua_initiator_init(&p.client, &p.client_config));
    memset(p.client.syn + 28, 0, 32);
    static const struct skua_responder zero;
    assert_int_equal(pair_answer(&p, p.client.syn, SKUA_SYN_LEN), SKUA_VERDICT_SYN_BAD);
    assert_int_equal(p.syn_ack_len, 0);
    assert_memory_equal(&p.server, &zero, sizeof zero);
}

int main(void)
{
    if (skua_init() != SKUA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_of_the_syn),
        cmocka_unit_test(every_byte_of_the_syn_ack),
        cmocka_unit_test(every_byte_of_message_3),
        cmocka_unit_test(an_answer_to_another_syn_does_not_fit),
        cmocka_unit_test(a_low_order_ephemeral_is_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
