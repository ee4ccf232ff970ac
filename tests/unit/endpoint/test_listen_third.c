/* Third packets at a listener that are not the client's: forged ones, and copies that were cut.
 * They cost a multiplication or more, so that they count as handshakes of their network, or they
 * cost nothing. The real one comes in all the same. */
#include "listen_tap.h"

/* A client has sent its third packet, and that is lost. Its network may begin ten handshakes a
 * second. */
static void half_opened(struct pair *p, struct listen_tap *third, uint8_t suite)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    *third = (struct listen_tap){.from = CLIENT, .type = SKUA_PACKET_CONFIRM, .lost = true};
    config.prefix_handshakes = 10;
    pair_open(p);
    for (int i = 0; i < 2; i++) {
        p->host[i].ep->env.suites = suite;
    }
    p->drop = listen_tap;
    p->user = third;
    pair_listen(p, &config);
    pair_run(p, 10 * SKUA_SEC); /* allowances are saved up */
    (void)pair_connect(p, NULL);
    pair_run(p, 3 * p->delay);
    assert_true(third->len > 0);
}

/* The real third packet comes in all the same. */
static void comes_in(struct pair *p)
{
    assert_int_equal(pair_stats(p, SERVER).half_open, 1);
    p->drop = NULL;
    pair_run(p, 2 * SKUA_SEC);
    assert_int_equal(p->host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    pair_close(p);
}

/* Third packets that fail cost a multiplication each: they count as handshakes of their network. */
static void forged_third_packets_are_limited(void **state)
{
    (void)state;
    struct pair p;
    struct skua_endpoint_stats stats;
    struct listen_tap confirm;
    half_opened(&p, &confirm, SKUA_SUITE_CHACHA20_POLY1305);
    for (int i = 0; i < 200; i++) {
        uint8_t forged[sizeof confirm.bytes];
        memcpy(forged, confirm.bytes, confirm.len);
        forged[i % 2 == 0 ? confirm.len - 1 : 60] ^= (uint8_t)(i + 1); /* or message 3 is good */
        pair_inject(&p, SERVER, forged, confirm.len);
    }
    stats = pair_stats(&p, SERVER);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_CONFIRM_BAD], 82);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_PREFIX], 118);
    comes_in(&p);
}

/* 200 times the third packet, of whose sealed bytes `left` are left: what became of them. */
static void cut_third_packets(uint8_t suite, size_t left, uint64_t *runts, uint64_t *limited)
{
    struct pair p;
    struct skua_endpoint_stats stats;
    struct listen_tap third;
    struct skua_head head;
    struct skua_confirm confirm;
    half_opened(&p, &third, suite);
    assert_int_equal(skua_header_peek(third.bytes, third.len, SKUA_OWN_ID_LEN, &head),
                     SKUA_VERDICT_OK);
    assert_int_equal(skua_confirm_read(third.bytes, third.len, &head, &confirm), SKUA_VERDICT_OK);
    const size_t len = confirm.pn_offset + SKUA_PN_LEN + left;
    assert_true(len < third.len);
    for (int i = 0; i < 200; i++) {
        pair_inject(&p, SERVER, third.bytes, len);
    }
    stats = pair_stats(&p, SERVER);
    *runts = stats.verdicts[SKUA_VERDICT_RUNT];
    *limited = stats.verdicts[SKUA_VERDICT_SYN_PREFIX];
    assert_int_equal(*runts + *limited, 200);
    comes_in(&p);
}

/* What is too short for any suite costs nothing, and is not counted. */
static void short_third_packets_cost_nothing(void **state)
{
    (void)state;
    uint64_t runts, limited;
    cut_third_packets(SKUA_SUITE_CHACHA20_POLY1305, SKUA_SAMPLE_LEN - 1, &runts, &limited);
    assert_int_equal(limited, 0);
}

/* With a tag of 32 bytes a packet can hold a good message 3 and too little behind it. Whoever
 * repeats that has a key, but may not be wanted, and copies come from anywhere. */
static void cut_third_packets_are_limited(void **state)
{
    (void)state;
    if ((skua_suites_available() & SKUA_SUITE_AEGIS_128L) == 0) {
        skip(); /* this libsodium or processor has no suite with such a tag */
    }
    uint64_t runts, limited;
    for (size_t left = SKUA_SAMPLE_LEN; left < 32; left += 15) {
        cut_third_packets(SKUA_SUITE_AEGIS_128L, left, &runts, &limited);
        assert_int_equal(runts, 82);
        assert_int_equal(limited, 118);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forged_third_packets_are_limited),
        cmocka_unit_test(short_third_packets_cost_nothing),
        cmocka_unit_test(cut_third_packets_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
