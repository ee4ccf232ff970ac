/* SYNs at a listener: taken back by the client that gives up, and by nobody else; copied to another
 * of the server's addresses. */
#include "listen_tap.h"

/* A client's SYN has just been answered. What takes it back will be lost, and kept. */
static void half_opened(struct pair *p, struct listen_tap *kept)
{
    *kept = (struct listen_tap){.from = CLIENT, .type = SKUA_PACKET_REFUSE, .lost = true};
    pair_open(p);
    p->drop = listen_tap;
    p->user = kept;
    pair_listen(p, NULL);
    (void)pair_connect(p, NULL);
    pair_run(p, p->delay + SKUA_MSEC);
}

/* A client that gives up while its SYN is answered: the entry goes at once, and a late copy of the
 * SYN opens nothing. Where that packet is lost, the SYN_ACK asks for it again. */
static void a_syn_is_taken_back(void **state)
{
    (void)state;
    struct pair p;
    struct listen_tap kept;
    half_opened(&p, &kept);
    assert_int_equal(pair_stats(&p, SERVER).half_open, 1);
    assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    pair_run(&p, SKUA_MSEC); /* lost */
    assert_int_equal(kept.len, 1 + 4 + 9 + 9 + 2 + 16);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_EABORTED);
    p.drop = NULL;
    pair_run(&p, p.delay);
    assert_int_equal(pair_stats(&p, SERVER).half_open, 1);
    pair_run(&p, p.delay); /* the SYN_ACK has come, and the record has said it again */
    assert_int_equal(pair_stats(&p, SERVER).half_open, 0);
    assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_SYN_CANCELLED), 1);
    assert_int_equal(skua_idmap_count(&p.host[SERVER].ep->syns.spent), 1);
    pair_inject(&p, SERVER, kept.bytes, kept.len);
    assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_BAD_RETRY), 1);
    pair_run(&p, 70 * SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 0);
    assert_int_equal(pair_stats(&p, CLIENT).conns, 0);
    pair_close(&p);
}

/* By its sender only, and only as a whole. */
static void only_its_sender_takes_a_syn_back(void **state)
{
    (void)state;
    struct pair p;
    struct listen_tap kept;
    half_opened(&p, &kept);
    const struct skua_path path = pair_conn(&p, CLIENT)->path;
    assert_int_equal(skua_conn_abort(p.host[CLIENT].ep, p.host[CLIENT].conn, 1, NULL), SKUA_OK);
    pair_run(&p, SKUA_MSEC);
    assert_true(kept.len > 16);
    for (size_t i = kept.len - 16; i < kept.len; i++) {
        kept.bytes[i] ^= 0x80;
        pair_inject(&p, SERVER, kept.bytes, kept.len);
        kept.bytes[i] ^= 0x80;
        assert_int_equal(pair_stats(&p, SERVER).half_open, 1);
    }
    for (size_t len = 0; len < kept.len; len++) {
        pair_inject(&p, SERVER, kept.bytes, len);
    }
    struct skua_rx rx = {.path = path, .data = kept.bytes, .len = kept.len}; /* from elsewhere */
    skua_endpoint_recv(p.host[SERVER].ep, &rx, 1, p.now);
    assert_int_equal(pair_stats(&p, SERVER).half_open, 1);
    pair_inject(&p, SERVER, kept.bytes, kept.len);
    assert_int_equal(pair_stats(&p, SERVER).half_open, 0);
    pair_close(&p);
}

/* Which address of the server a client called is not in its packet, so anybody can have the SYN
 * arrive at another one as well, before or after. The client is answered from where it called. */
static void a_copy_to_another_address_of_the_server(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct pair p;
        struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
        struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
        struct listen_tap seen = {.from = CLIENT, .type = SKUA_PACKET_SYN};
        bool after = (i & 1) != 0;
        listen.retry = (i & 2) != 0 ? SKUA_RETRY_ALWAYS : SKUA_RETRY_UNDER_PRESSURE;
        config.ik = (i & 4) != 0;
        pair_open(&p);
        config.server_key = skua_endpoint_key(p.host[SERVER].ep);
        p.way[CLIENT].local = p.way[SERVER].remote;
        p.strict = true;
        p.drop = listen_tap;
        p.user = &seen;
        struct skua_path elsewhere = p.way[CLIENT];
        elsewhere.local.ip[3]++;
        pair_listen(&p, &listen);
        (void)pair_connect(&p, &config);
        for (int trip = 0; trip < ((i & 2) != 0 ? 2 : 1); trip++) {
            if (!after) {
                pair_run(&p, p.delay / 2);
                pair_inject_along(&p, SERVER, &elsewhere, seen.bytes, seen.len);
            }
            pair_run(&p, after ? p.delay : p.delay / 2);
            if (after) {
                pair_inject_along(&p, SERVER, &elsewhere, seen.bytes, seen.len);
            }
            pair_run(&p, p.delay);
        }
        assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
        pair_run(&p, 10 * p.delay);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
        assert_true(p.astray > 0);
        assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
        assert_int_equal(skua_conn_close(p.host[SERVER].ep, p.host[SERVER].conn), SKUA_OK);
        pair_run(&p, 10 * p.delay);
        assert_int_equal(p.host[CLIENT].closed.error, SKUA_OK);
        assert_int_equal(p.host[SERVER].closed.error, SKUA_OK);
        pair_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_syn_is_taken_back),
        cmocka_unit_test(only_its_sender_takes_a_syn_back),
        cmocka_unit_test(a_copy_to_another_address_of_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
