/* What a listener asks of strangers before it keeps anything of theirs: RETRY always, when
 * half-open entries or haste press it, or never; what becomes of floods of SYNs; and that a clock
 * that falls back neither spoils tokens nor holds anything up. */
#include "listen_tap.h"

/* RETRY on every SYN: one more round trip, and nothing kept until the token comes. */
static void an_address_can_be_proven_first(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_endpoint_stats stats, before;
    config.retry = SKUA_RETRY_ALWAYS;
    pair_open(&p);
    pair_listen(&p, &config);
    before = pair_stats(&p, SERVER);
    (void)pair_connect(&p, NULL);
    pair_run(&p, 3 * p.delay - 1);
    stats = pair_stats(&p, SERVER);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_RETRY], 1);
    assert_int_equal(stats.half_open, 0);
    assert_int_equal(stats.memory_peak, before.memory_peak);
    pair_run(&p, p.delay);
    assert_int_equal(pair_stats(&p, SERVER).half_open, 1);
    pair_run(&p, p.delay);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 0);
    assert_true(pair_conn(&p, CLIENT)->recovery.rtt.smoothed <= 2 * p.delay + SKUA_MSEC);
    pair_run(&p, p.delay);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    pair_close(&p);
}

/* Workers take each other's tokens by the clock that they share, whichever of them has seen it fall
 * back. */
static void tokens_go_by_the_clock_as_it_is(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    config.retry = SKUA_RETRY_ALWAYS;
    pair_open(&p);
    pair_listen(&p, &config);
    skua_endpoint_on_timeout(p.host[SERVER].ep, p.now + 3600 * SKUA_SEC);
    (void)pair_connect(&p, NULL);
    pair_run(&p, 2 * p.delay - 1); /* RETRY is under way */
    assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_SYN_RETRY), 1);
    pair_restart(&p, SERVER); /* as another worker, which has seen nothing */
    pair_listen(&p, &config);
    pair_run(&p, 3 * p.delay);
    assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_SYN_BAD_TOKEN), 0);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
    pair_close(&p);
}

/* A RETRY has come, but before the SYN with its token has left the attempt by IK is given up for
 * one by XX. */
static void a_retry_meets_the_fall_back(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_conn_config client = SKUA_CONN_CONFIG_INIT;
    struct listen_tap retry = {.from = SERVER, .type = SKUA_PACKET_RETRY, .lost = true};
    config.retry = SKUA_RETRY_ALWAYS;
    pair_open(&p);
    p.drop = listen_tap;
    p.user = &retry;
    client.server_key = skua_endpoint_key(p.host[SERVER].ep);
    client.ik = true;
    pair_listen(&p, &config);
    (void)pair_connect(&p, &client);
    pair_run(&p, 7 * SKUA_SEC - SKUA_MSEC); /* SYNs at 0, 1 and 3 s */
    assert_true(retry.len > 0);
    p.now += 2 * SKUA_MSEC;
    pair_inject(&p, CLIENT, retry.bytes, retry.len);
    assert_true(pair_conn(&p, CLIENT)->dial->due);
    skua_endpoint_on_timeout(p.host[CLIENT].ep, p.now);
    assert_true(pair_conn(&p, CLIENT)->dial->fell_back);
    p.drop = NULL;
    const uint64_t sent = p.host[CLIENT].sent;
    pair_run(&p, 0);
    assert_int_equal(p.host[CLIENT].sent, sent + 1); /* one SYN, of a count of its own */
    assert_int_equal(pair_conn(&p, CLIENT)->dial->sent, 1);
    pair_run(&p, 5 * p.delay);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
    pair_close(&p);
}

/* So many clients send a SYN and give up at once. */
static void give_up(struct pair *p, int clients)
{
    for (int i = 0; i < clients; i++) {
        (void)pair_connect(p, NULL);
        pair_run(p, 0);
        assert_int_equal(skua_conn_close(p->host[CLIENT].ep, p->host[CLIENT].conn), SKUA_OK);
    }
}

/* With RETRY what fills the queue makes the others prove themselves, and holds nobody up. */
static void pressure_asks_for_proof(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_endpoint_stats stats;
    struct listen_tap tap = {.mute = true};
    config.syn_backlog = 4;
    pair_open(&p);
    p.drop = listen_tap;
    p.user = &tap;
    pair_listen(&p, &config);
    give_up(&p, 6);
    pair_run(&p, SKUA_SEC / 2);
    stats = pair_stats(&p, SERVER);
    assert_int_equal(stats.half_open, 2); /* half the queue is for those who have proved it */
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_RETRY], 4);
    p.drop = NULL;
    for (unsigned i = 1; i <= 2; i++) {
        (void)pair_connect(&p, NULL);
        pair_run(&p, 5 * p.delay);
        assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], i);
    }
    assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_SYN_RETRY), 6);
    pair_close(&p);
}

/* More handshakes per second than the watermark allows: proof is asked for until they are fewer. */
static void haste_asks_for_proof(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_endpoint_stats stats;
    config.retry_handshakes = 5;
    pair_open(&p);
    pair_listen(&p, &config);
    for (int i = 0; i < 10; i++) {
        (void)pair_connect(&p, NULL);
    }
    pair_run(&p, SKUA_SEC / 10);
    stats = pair_stats(&p, SERVER);
    assert_int_equal(stats.accept_queue + stats.half_open, 0);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 10);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_RETRY], 9); /* all but the first */
    (void)pair_connect(&p, NULL);
    pair_run(&p, SKUA_SEC / 10);
    assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_SYN_RETRY), 10);
    pair_run(&p, SKUA_SEC);
    (void)pair_connect(&p, NULL);
    pair_run(&p, SKUA_SEC / 10);
    assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_SYN_RETRY), 10);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 12);
    pair_close(&p);
}

/* SYNs whose answers reach nobody hold the queue for a second, not for as long as they last. */
static void a_flood_of_syns_passes(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_endpoint_stats stats;
    struct listen_tap tap = {.mute = true};
    config.syn_backlog = 4;
    config.retry = SKUA_RETRY_NEVER;
    pair_open(&p);
    p.drop = listen_tap;
    p.user = &tap;
    pair_listen(&p, &config);
    give_up(&p, 6);
    pair_run(&p, SKUA_SEC / 2);
    stats = pair_stats(&p, SERVER);
    assert_int_equal(stats.half_open, 4);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_QUEUE_FULL], 2);
    pair_run(&p, SKUA_SEC);
    p.drop = NULL;
    (void)pair_connect(&p, NULL);
    pair_run(&p, 10 * p.delay);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
    assert_int_equal(pair_stats(&p, SERVER).half_open, 3);
    pair_close(&p);
}

/* Copies of the last SYN until no more answers are allowed. */
static void exhaust(struct pair *p, const struct listen_tap *tap)
{
    const uint64_t before = pair_verdicts(p, SERVER, SKUA_VERDICT_ANSWER_RATE);
    unsigned rounds = 0;
    do {
        assert_true(rounds++ < 1000);
        for (int i = 0; i < 1000; i++) {
            pair_inject(p, SERVER, tap->bytes, tap->len);
        }
    } while (pair_verdicts(p, SERVER, SKUA_VERDICT_ANSWER_RATE) == before);
}

/* A flood while the clock is an hour ahead: half-open entries whose clients have gone, and RETRY
 * and REFUSE as many as may leave. Then it falls back. What has its end had it a minute later. */
static void a_clock_that_falls_back_holds_nothing_up(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_endpoint_stats before;
    struct listen_tap strangers = {.from = CLIENT, .type = SKUA_PACKET_SYN, .mute = true};
    config.syn_backlog = 16;
    pair_open(&p);
    p.drop = listen_tap;
    p.user = &strangers;
    p.now += 3600 * SKUA_SEC;
    (void)pair_connect(&p, NULL);
    pair_run(&p, SKUA_SEC / 10); /* refused */
    assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    exhaust(&p, &strangers);
    pair_listen(&p, &config);
    give_up(&p, 10);
    pair_run(&p, p.delay);
    exhaust(&p, &strangers);
    before = pair_stats(&p, SERVER);
    assert_int_equal(before.half_open, 8);
    p.now -= 3600 * SKUA_SEC;
    pair_run(&p, SKUA_SEC);
    pair_inject(&p, SERVER, strangers.bytes, strangers.len);
    assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_SYN_RETRY),
                     before.verdicts[SKUA_VERDICT_SYN_RETRY] + 1);
    p.drop = NULL;
    (void)pair_connect(&p, NULL);
    pair_run(&p, 5 * p.delay); /* a round trip more, for the proof */
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    pair_run(&p, 63 * SKUA_SEC);
    assert_int_equal(pair_stats(&p, SERVER).half_open, 0);
    assert_int_equal(skua_endpoint_unlisten(p.host[SERVER].ep), SKUA_OK);
    pair_inject(&p, SERVER, strangers.bytes, strangers.len);
    assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_SYN_NOT_LISTENING),
                     before.verdicts[SKUA_VERDICT_SYN_NOT_LISTENING] + 1);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_can_be_proven_first),
        cmocka_unit_test(tokens_go_by_the_clock_as_it_is),
        cmocka_unit_test(a_retry_meets_the_fall_back),
        cmocka_unit_test(pressure_asks_for_proof),
        cmocka_unit_test(haste_asks_for_proof),
        cmocka_unit_test(a_flood_of_syns_passes),
        cmocka_unit_test(a_clock_that_falls_back_holds_nothing_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
