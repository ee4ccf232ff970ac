/* Stateless RESET: a restarted server tells its clients; nobody else can; nobody answers for ever.
 */
#include "pair.h"

#include "crypto/reset.h"

enum { ID = SKUA_OWN_ID_LEN, TOKEN = SKUA_RESET_TOKEN_LEN };

/* A packet for an id of the server's that does not exist, of `len` bytes. */
static void stray(uint8_t *packet, size_t len, uint8_t last)
{
    static const uint8_t head[] = {0x40, ID - 1, 0, 0, 1, 2, 3, 4};
    memset(packet, 0xa5, len);
    memcpy(packet, head, sizeof head);
    packet[1 + ID - 1] = last;
}

/* The next datagram that `at` sends; its length, 0 where there is none. */
static size_t next_sent(struct pair *p, int at, uint8_t *out, size_t cap)
{
    struct skua_tx tx = {.data = out, .cap = cap, .max_segments = 1};
    skua_endpoint_send(p->host[at].ep, &tx, p->now);
    return tx.len;
}

static void write_some(struct pair *p, int at, size_t len)
{
    static const uint8_t bytes[2000];
    skua_stream stream;
    size_t n;
    assert_true(len <= sizeof bytes);
    assert_int_equal(skua_stream_open(p->host[at].ep, p->host[at].conn, SKUA_STREAM_UNI, &stream),
                     SKUA_OK);
    assert_int_equal(skua_stream_write(p->host[at].ep, stream, bytes, len, &n), SKUA_OK);
}

/* The client knows within one round trip of its next packet, whatever that is. */
static void a_restarted_server_tells(void **state)
{
    (void)state;
    for (int what = 0; what < 3; what++) {
        struct pair p;
        pair_open(&p);
        pair_establish(&p, NULL, NULL);
        pair_restart(&p, SERVER);
        pair_listen(&p, NULL);
        if (what == 0) {
            write_some(&p, CLIENT, 1);
        } else if (what == 1) {
            assert_int_equal(skua_conn_ping(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
        } else {
            assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
        }
        pair_run(&p, 2 * p.delay);
        assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 1);
        assert_int_equal(p.host[CLIENT].closed.error, SKUA_ECONNRESET);
        assert_true(p.host[CLIENT].closed.remote);
        assert_false(p.host[CLIENT].closed.application);
        assert_int_equal(p.host[CLIENT].closed.code, SKUA_CODE_NO_ERROR);
        assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_FORGOTTEN), 1);
        assert_int_equal(pair_verdicts(&p, CLIENT, SKUA_VERDICT_RESET), 1);
        assert_int_equal(skua_nummap_count(&p.host[CLIENT].ep->by_token), 0);
        pair_close(&p);
    }
}

/* The third packet is under way to a server that does not know the first any more. */
static void a_client_not_yet_confirmed_is_told_too(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_listen(&p, NULL);
    (void)pair_connect(&p, NULL);
    pair_run(&p, 2 * p.delay);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
    pair_restart(&p, SERVER);
    pair_listen(&p, NULL);
    pair_run(&p, 2 * p.delay);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_ECONNRESET);
    pair_close(&p);
}

/* Another key makes other tokens. */
static void another_key_resets_nothing(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    p.host[SERVER].key.bytes[5] ^= 1;
    pair_restart(&p, SERVER);
    pair_listen(&p, NULL);
    write_some(&p, CLIENT, 1);
    pair_run(&p, 2 * p.delay);
    assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_FORGOTTEN), 1);
    assert_int_equal(pair_verdicts(&p, CLIENT, SKUA_VERDICT_UNKNOWN_ID), 1);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 0);
    pair_close(&p);
}

/* Token and address must both be right; where the id in front is the connection's own, the packet
 * fails to open first. */
static void only_token_and_address_reset(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        struct pair p;
        pair_open(&p);
        pair_establish(&p, NULL, NULL);
        struct skua_connection *c = pair_conn(&p, CLIENT);
        uint8_t packet[SKUA_DATA_LEN_MIN] = {0x41};
        if (known != 0) {
            memcpy(packet + 1, c->ids.own[0], ID);
        }
        uint8_t *token = packet + sizeof packet - TOKEN;
        memcpy(token, c->ids.token, TOKEN);
        enum skua_verdict refused = known != 0 ? SKUA_VERDICT_BAD_AUTH : SKUA_VERDICT_UNKNOWN_ID;
        for (int bit = 0; bit < 8 * TOKEN; bit++) {
            token[bit / 8] ^= (uint8_t)(1 << bit % 8);
            pair_inject(&p, CLIENT, packet, sizeof packet);
            token[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_int_equal(pair_verdicts(&p, CLIENT, refused), 8 * TOKEN);
        uint8_t copy[sizeof packet];
        memcpy(copy, packet, sizeof copy);
        struct skua_rx rx = {.path = c->path, .data = copy, .len = sizeof copy};
        rx.path.remote.port++;
        skua_endpoint_recv(p.host[CLIENT].ep, &rx, 1, p.now);
        skua_endpoint_settle(p.host[CLIENT].ep);
        enum skua_verdict elsewhere = known != 0 ? SKUA_VERDICT_OTHER_ADDRESS : refused;
        assert_int_equal(pair_verdicts(&p, CLIENT, elsewhere), known != 0 ? 1 : 8 * TOKEN + 1);
        pair_poll(&p, CLIENT);
        assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 0);
        pair_inject(&p, CLIENT, packet, sizeof packet);
        assert_int_equal(pair_verdicts(&p, CLIENT, SKUA_VERDICT_RESET), 1);
        assert_int_equal(p.host[CLIENT].closed.error, SKUA_ECONNRESET);
        pair_close(&p);
    }
}

/* A server's connections have no token of their clients: sixteen zeros reset nothing. */
static void no_token_is_no_reset(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    uint8_t packet[SKUA_DATA_LEN_MIN] = {0x41};
    pair_inject(&p, SERVER, packet, sizeof packet);
    memcpy(packet + 1, pair_conn(&p, SERVER)->ids.own[0], ID);
    pair_inject(&p, SERVER, packet, sizeof packet);
    assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_RESET), 0);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 0);
    pair_close(&p);
}

/* Shorter than its trigger, at least 30 bytes, and like a DATA packet. */
static void the_answer_is_shorter_than_the_question(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_listen(&p, NULL);
    for (size_t len = 29; len <= 100; len++) {
        uint8_t packet[100], out[SKUA_LIMIT_UDP_MIN], token[TOKEN];
        stray(packet, len, (uint8_t)len);
        pair_inject(&p, SERVER, packet, len);
        size_t got = next_sent(&p, SERVER, out, sizeof out);
        if (len <= 30) {
            assert_int_equal(got, 0);
            continue;
        }
        assert_int_equal(got, len - 1 < 42 ? len - 1 : 42);
        assert_int_equal(out[0] & 0xe0, 0x40);
        skua_reset_token(token, &p.host[SERVER].ep->env.reset_key, packet + 1, ID);
        assert_memory_equal(out + got - TOKEN, token, TOKEN);
        assert_int_equal(next_sent(&p, SERVER, out, sizeof out), 0);
    }
    assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_FORGOTTEN), 70);
    pair_close(&p);
}

/* Ids of another server, another worker or no server; long headers; an endpoint that never
 * listened.
 */
static void only_own_ids_are_answered(void **state)
{
    (void)state;
    struct pair p;
    uint8_t packet[100], out[SKUA_LIMIT_UDP_MIN];
    pair_open(&p);
    stray(packet, sizeof packet, 0);
    pair_inject(&p, SERVER, packet, sizeof packet);
    assert_int_equal(next_sent(&p, SERVER, out, sizeof out), 0);
    pair_listen(&p, NULL);
    for (size_t i = 1; i <= 3; i++) {
        packet[i] ^= 0x10;
        pair_inject(&p, SERVER, packet, sizeof packet);
        assert_int_equal(next_sent(&p, SERVER, out, sizeof out), 0);
        packet[i] ^= 0x10;
    }
    /* A SYN_ACK for an id that looks like ours. */
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    const struct skua_id id = skua_id_of((const uint8_t[]){ID - 1, 0, 0, 1, 2, 3, 4, 5}, ID);
    skua_long_header_write(&w, SKUA_PACKET_SYN_ACK, SKUA_WIRE_VERSION, &id, &id);
    pair_inject(&p, SERVER, packet, sizeof packet);
    assert_int_equal(next_sent(&p, SERVER, out, sizeof out), 0);
    assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_UNKNOWN_ID), 5);
    pair_close(&p);
}

/* Two servers that know nothing of each other, and a forged packet between them: even if every
 * RESET looked like a packet for an id of the other's, they fall silent after a few. */
static void two_servers_do_not_talk_for_ever(void **state)
{
    (void)state;
    struct pair p;
    uint8_t packet[SKUA_LIMIT_UDP_MIN];
    size_t len = 1000;
    unsigned turns = 0;
    pair_open(&p);
    pair_listen(&p, NULL);
    assert_int_equal(skua_endpoint_listen(p.host[CLIENT].ep, NULL), SKUA_OK);
    stray(packet, len, 1);
    for (int at = SERVER; len != 0; at = !at) {
        pair_inject(&p, at, packet, len);
        len = next_sent(&p, at, packet, sizeof packet);
        static const uint8_t layout[] = {ID - 1, 0, 0};
        memcpy(packet + 1, layout, sizeof layout);
        turns++;
    }
    assert_int_equal(turns, 1 + 42 - 30 + 1);
    pair_close(&p);
}

static uint64_t answered(struct pair *p, unsigned questions)
{
    uint64_t before = pair_verdicts(p, SERVER, SKUA_VERDICT_FORGOTTEN);
    for (unsigned i = 0; i < questions; i++) {
        uint8_t packet[50], out[SKUA_LIMIT_UDP_MIN];
        stray(packet, sizeof packet, (uint8_t)i);
        pair_inject(p, SERVER, packet, sizeof packet);
        (void)next_sent(p, SERVER, out, sizeof out);
    }
    return pair_verdicts(p, SERVER, SKUA_VERDICT_FORGOTTEN) - before;
}

static void answers_are_rationed(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_listen(&p, NULL);
    assert_int_equal(answered(&p, 70000), SKUA_LIMIT_RESETS_AT_ONCE);
    p.now += SKUA_SEC;
    assert_int_equal(answered(&p, 1000), SKUA_LIMIT_RESETS_PER_SECOND);
    p.now += 3600 * SKUA_SEC;
    assert_int_equal(answered(&p, 70000), SKUA_LIMIT_RESETS_AT_ONCE);
    pair_close(&p);
}

static bool drop_all_from(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    (void)data;
    (void)len;
    return from == *(int *)pair->user;
}

/* The server has closed first and is gone, record and all; the client waits in LAST_ACK for its
 * FIN_ACK. All that it sent was acknowledged: an orderly end. Some of it was not: a reset. */
static void in_last_ack_it_is_an_end(void **state)
{
    (void)state;
    for (int acked = 0; acked < 2; acked++) {
        struct pair p;
        int none = -1;
        pair_open(&p);
        p.drop = drop_all_from;
        p.user = &none;
        pair_establish(&p, NULL, NULL);
        assert_int_equal(skua_conn_close(p.host[SERVER].ep, p.host[SERVER].conn), SKUA_OK);
        write_some(&p, CLIENT, 500);
        pair_run(&p, 4 * p.delay);
        if (acked == 0) {
            none = CLIENT;
            write_some(&p, CLIENT, 500);
        }
        assert_int_equal(skua_conn_shutdown(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
        pair_send(&p, CLIENT);
        none = SERVER; /* the last FIN_ACK */
        pair_run(&p, p.delay);
        assert_int_equal(pair_conn(&p, CLIENT)->state, SKUA_STATE_LAST_ACK);
        if (acked != 0) {
            pair_poll(&p, SERVER);
            assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 1);
            /* What acknowledged everything but said nothing of the FIN. */
            struct skua_connection *c = pair_conn(&p, CLIENT);
            uint8_t ack[16];
            struct skua_writer w = skua_writer_of(ack, sizeof ack);
            const struct skua_range all = {.first = 0,
                                           .last = skua_recovery_next_pn(&c->recovery) - 1};
            assert_true(skua_ack_frame_write(&w, &all, 1, 0, NULL) > 0);
            struct skua_reader r = skua_reader_of(ack, skua_writer_len(&w));
            struct skua_frame frame;
            assert_int_equal(skua_frame_read(&r, &frame), SKUA_CODE_NO_ERROR);
            assert_int_equal(skua_fate_on_ack(c, &frame.ack, 0, p.now), SKUA_CODE_NO_ERROR);
        }
        none = -1;
        pair_restart(&p, SERVER);
        pair_listen(&p, NULL);
        pair_run(&p, 2 * SKUA_SEC);
        assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 1);
        assert_int_equal(p.host[CLIENT].closed.error, acked != 0 ? SKUA_OK : SKUA_ECONNRESET);
        assert_int_equal(p.host[CLIENT].closed.remote, acked == 0);
        pair_close(&p);
    }
}

/* A server that gives two connections one token: the first is found by it. */
static void a_token_given_twice_is_harmless(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    struct skua_connection *first = pair_conn(&p, CLIENT);
    skua_conn handle = p.host[CLIENT].conn;
    (void)pair_connect(&p, NULL);
    pair_run(&p, 10 * p.delay);
    struct skua_connection *second = pair_conn(&p, CLIENT);
    assert_int_equal(skua_nummap_count(&p.host[CLIENT].ep->by_token), 2);
    skua_conn_set_peer_token(second, first->ids.token);
    pair_run(&p, 0);
    assert_int_equal(skua_nummap_count(&p.host[CLIENT].ep->by_token), 1);
    assert_int_equal(skua_conn_abort(p.host[CLIENT].ep, p.host[CLIENT].conn, 1, NULL), SKUA_OK);
    pair_run(&p, 10 * p.delay);
    assert_int_equal(skua_nummap_count(&p.host[CLIENT].ep->by_token), 1);
    uint8_t packet[SKUA_DATA_LEN_MIN] = {0x41};
    memcpy(packet + sizeof packet - TOKEN, first->ids.token, TOKEN);
    pair_inject(&p, CLIENT, packet, sizeof packet);
    assert_true(p.host[CLIENT].closed.conn == handle);
    pair_close(&p);
}

/* A key given in the configuration takes the place of the derived one. */
static void the_key_may_be_given(void **state)
{
    (void)state;
    struct pair p;
    uint8_t key[SKUA_RESET_KEY_LEN] = {9, 8, 7};
    struct skua_config config = SKUA_CONFIG_INIT;
    struct skua_endpoint *ep;
    pair_open(&p);
    config.key = &p.host[SERVER].key;
    config.rng = &p.host[SERVER].ep->env.rng;
    config.reset_key = key;
    assert_int_equal(skua_endpoint_new(&ep, &config), SKUA_OK);
    assert_memory_equal(ep->env.reset_key.bytes, key, sizeof key);
    struct skua_secret derived;
    skua_reset_key_derive(&derived, config.key);
    assert_memory_equal(p.host[SERVER].ep->env.reset_key.bytes, derived.bytes, sizeof derived);
    skua_endpoint_free(ep);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restarted_server_tells),
        cmocka_unit_test(a_client_not_yet_confirmed_is_told_too),
        cmocka_unit_test(another_key_resets_nothing),
        cmocka_unit_test(only_token_and_address_reset),
        cmocka_unit_test(no_token_is_no_reset),
        cmocka_unit_test(the_answer_is_shorter_than_the_question),
        cmocka_unit_test(only_own_ids_are_answered),
        cmocka_unit_test(two_servers_do_not_talk_for_ever),
        cmocka_unit_test(answers_are_rationed),
        cmocka_unit_test(in_last_ack_it_is_an_end),
        cmocka_unit_test(a_token_given_twice_is_harmless),
        cmocka_unit_test(the_key_may_be_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
