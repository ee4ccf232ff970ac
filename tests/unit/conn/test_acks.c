/* ACK_FREQUENCY: a bulk sender asks for fewer acknowledgements, its peer obeys, and a lost wish is
 * told again. */
#include "pair.h"

enum { BULK = 3000000 };

/* The client sends `BULK` bytes; the server lets them lie in its window. */
static void send_bulk(struct pair *p)
{
    static uint8_t data[BULK];
    skua_stream stream;
    size_t at = 0;
    struct skua_endpoint *ep = p->host[CLIENT].ep;
    assert_int_equal(skua_stream_open(ep, p->host[CLIENT].conn, SKUA_STREAM_UNI, &stream), SKUA_OK);
    for (int i = 0; i < 2000 && at < BULK; i++) {
        size_t n;
        (void)skua_stream_write(ep, stream, data + at, BULK - at, &n);
        at += n;
        pair_run(p, 5 * SKUA_MSEC);
        struct skua_stream_info info;
        skua_stream in = p->host[SERVER].stream;
        if (in != 0 && skua_stream_info(p->host[SERVER].ep, in, &info) == SKUA_OK) {
            size_t got;
            static uint8_t sink[BULK];
            (void)skua_stream_read(p->host[SERVER].ep, in, sink, sizeof sink, &got);
        }
    }
    assert_int_equal(at, BULK);
}

static void begin(struct pair *p)
{
    pair_open(p);
    p->mtu = 1452;
    p->delay = 20 * SKUA_MSEC;
    pair_establish(p, NULL, NULL);
}

static void a_bulk_sender_asks_for_fewer(void **state)
{
    (void)state;
    struct pair p;
    begin(&p);
    send_bulk(&p);
    const struct skua_connection *server = pair_conn(&p, SERVER);
    const struct skua_connection *client = pair_conn(&p, CLIENT);
    assert_true(server->rx.acks.tolerance > 2);
    assert_true(server->rx.acks.tolerance <= 32);
    assert_int_equal(server->rx.acks.tolerance, client->tx.ack_packets);
    assert_int_equal(server->rx.ack_sequence, client->tx.ack_sequence + 1);
    pair_close(&p);
}

/* Drops every datagram of the client for a while. */
static bool drop_client(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    (void)data;
    (void)len;
    return from == CLIENT && *(int *)pair->user > 0 && (*(int *)pair->user)-- > 0;
}

static void a_lost_wish_is_told_again(void **state)
{
    (void)state;
    struct pair p;
    int left = 0;
    begin(&p);
    send_bulk(&p);
    struct skua_connection *client = pair_conn(&p, CLIENT);
    client->tx.ack_packets = 7; /* a wish of its own kind, so that it is recognised */
    client->tx.ack_sequence++;
    client->tx.ack_frequency_due = true;
    p.drop = drop_client;
    p.user = &left;
    left = 3;
    skua_stream stream;
    size_t n;
    assert_int_equal(
        skua_stream_open(p.host[CLIENT].ep, p.host[CLIENT].conn, SKUA_STREAM_UNI, &stream),
        SKUA_OK);
    assert_int_equal(skua_stream_write(p.host[CLIENT].ep, stream, "lost", 4, &n), SKUA_OK);
    pair_run(&p, 30 * SKUA_MSEC);
    assert_false(client->tx.ack_frequency_due); /* it left, and is gone */
    pair_run(&p, 10 * SKUA_SEC);
    assert_int_equal(left, 0);
    assert_int_equal(pair_conn(&p, SERVER)->rx.ack_sequence, client->tx.ack_sequence + 1);
    pair_close(&p);
}

static void only_the_newest_wish_counts(void **state)
{
    (void)state;
    struct pair p;
    begin(&p);
    static const uint8_t newer[] = {0x40, 0x43, 9, 12};
    static const uint8_t older[] = {0x40, 0x43, 8, 30};
    static const uint8_t absurd[] = {0x40, 0x43, 10, 0x7f, 0xff};
    pair_forge(&p, CLIENT, newer, sizeof newer);
    pair_forge(&p, CLIENT, older, sizeof older);
    assert_int_equal(pair_conn(&p, SERVER)->rx.acks.tolerance, 12);
    pair_forge(&p, CLIENT, absurd, sizeof absurd);
    assert_int_equal(pair_conn(&p, SERVER)->rx.acks.tolerance, SKUA_ACKS_TOLERANCE_MAX);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bulk_sender_asks_for_fewer),
        cmocka_unit_test(a_lost_wish_is_told_again),
        cmocka_unit_test(only_the_newest_wish_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
