/* How connections end: refused, reset, closed, each event once, each packet lost in turn. */
#include "pair.h"

/* A client that gives up before the server's application has heard of it. */
static void a_reset_before_incoming_is_forgotten(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_listen(&p, NULL);
    skua_conn conn = pair_connect(&p, NULL);
    pair_run(&p, 0);
    p.now += p.delay;
    pair_arrive(&p);
    pair_send(&p, SERVER);
    p.now += p.delay;
    pair_arrive(&p);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
    /* The third packet carries the RST. */
    assert_int_equal(skua_conn_abort(p.host[CLIENT].ep, conn, 7, "never mind"), SKUA_OK);
    pair_run(&p, SKUA_SEC);
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(p.host[SERVER].ep, &stats);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 0);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 0);
    assert_int_equal(stats.accept_queue, 0);
    assert_int_equal(stats.conns, 0);
    pair_close(&p);
}

/* The same after INCOMING, before accept: CLOSED tells. */
static void a_reset_before_accept_is_told(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    p.no_accept = true;
    pair_establish(&p, NULL, NULL);
    assert_int_equal(skua_conn_abort(p.host[CLIENT].ep, p.host[CLIENT].conn, 7, NULL), SKUA_OK);
    pair_run(&p, SKUA_SEC);
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(p.host[SERVER].ep, &stats);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 1);
    assert_int_equal(p.host[SERVER].closed.error, SKUA_ECONNRESET);
    assert_int_equal(stats.accept_queue, 0);
    assert_int_equal(stats.conns, 0);
    pair_close(&p);
}

/* A connection that the peer resets, or that breaks the protocol, in a batch with its first packet
 * must not fill the accept queue. */
static void many_resets_leave_room_in_the_accept_queue(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    config.backlog = 2;
    pair_listen(&p, &config);
    for (int i = 0; i < 5; i++) {
        p.no_poll[SERVER] = true;
        (void)pair_connect(&p, NULL);
        pair_run(&p, 6 * p.delay);
        assert_int_equal(skua_conn_abort(p.host[CLIENT].ep, p.host[CLIENT].conn, 1, NULL), SKUA_OK);
        pair_run(&p, SKUA_SEC);
    }
    p.no_poll[SERVER] = false;
    (void)pair_connect(&p, NULL);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    pair_close(&p);
}

static bool drop_from_server(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    (void)data;
    (void)len;
    return from == SERVER && *(bool *)pair->user;
}

/* The passive side's FIN_ACK is lost; its FIN arrives; the FIN_ACK that answers it must not end the
 * passive side before the active one knows that its own FIN was taken. */
static void a_lost_fin_ack_before_last_ack_is_made_good(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    bool dropping = false;
    p.drop = drop_from_server;
    p.user = &dropping;
    pair_establish(&p, NULL, NULL);
    dropping = true;
    skua_time begin = p.now;
    assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    pair_run(&p, p.delay + SKUA_MSEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_FINISHED], 1);
    dropping = false;
    assert_int_equal(skua_conn_close(p.host[SERVER].ep, p.host[SERVER].conn), SKUA_OK);
    pair_run(&p, 8 * p.delay);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 1);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 1);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_OK);
    assert_true(p.now - begin < SKUA_SEC);
    pair_close(&p);
}

/* A FIN that comes again says that the FIN_ACK was lost: there is another one, whatever the sender
 * of the first thinks of its packet. */
static void a_fin_again_is_answered_again(void **state)
{
    (void)state;
    static const uint8_t fin[] = {0x40, 0x40, 0, 0, 0};
    struct pair p;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    assert_int_equal(skua_conn_shutdown(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    pair_run(&p, 10 * p.delay);
    const struct skua_connection *c = pair_conn(&p, SERVER);
    assert_int_equal(c->state, SKUA_STATE_CLOSE_WAIT);
    assert_false(c->close.fin_ack_due);
    pair_forge(&p, CLIENT, fin, sizeof fin);
    assert_true(c->close.fin_ack_due);
    pair_send(&p, SERVER);
    assert_false(c->close.fin_ack_due);
    pair_close(&p);
}

static void close_while_connecting_is_closed(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    skua_conn conn = pair_connect(&p, NULL);
    pair_send(&p, CLIENT);
    assert_int_equal(skua_conn_close(p.host[CLIENT].ep, conn), SKUA_OK);
    enum skua_state now;
    assert_int_equal(skua_conn_state(p.host[CLIENT].ep, conn, &now), SKUA_OK);
    assert_int_equal(now, SKUA_STATE_CLOSED);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 1);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_EABORTED);
    pair_close(&p);
}

/* Bytes, their end and the peer's close arrive; nobody reads for a while: CLOSED comes after the
 * last byte was read, and once. */
static void closed_waits_for_unread_bytes(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    skua_stream stream;
    size_t n;
    assert_int_equal(
        skua_stream_open(p.host[CLIENT].ep, p.host[CLIENT].conn, SKUA_STREAM_UNI, &stream),
        SKUA_OK);
    assert_int_equal(skua_stream_write(p.host[CLIENT].ep, stream, "last words", 10, &n), SKUA_OK);
    assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(skua_conn_shutdown(p.host[SERVER].ep, p.host[SERVER].conn), SKUA_OK);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 1);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 0);
    uint8_t text[16];
    assert_int_equal(skua_stream_read(p.host[SERVER].ep, p.host[SERVER].stream, text, 16, &n),
                     SKUA_OK);
    assert_int_equal(n, 10);
    assert_memory_equal(text, "last words", 10);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 1);
    assert_int_equal(p.host[SERVER].closed.error, SKUA_OK);
    pair_close(&p);
}

/* A frame that breaks the protocol stands behind a stream's bytes: the loan of these must end all
 * the same. */
static void bytes_before_a_violation_are_settled(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    static const uint8_t open[] = {0x0a, 0x02, 0x00}; /* STREAM of uni 0, empty */
    static const uint8_t bad[] = {0x0e, 0x02, 0x00, 0x04, 'g', 'o', 'o', 'd', 0x3f};
    pair_forge(&p, CLIENT, open, sizeof open);
    assert_true(p.host[SERVER].stream != 0);
    p.no_poll[SERVER] = true;
    pair_forge(&p, CLIENT, bad, sizeof bad);
    uint8_t text[8] = {0};
    size_t n;
    enum skua_err err = skua_stream_read(p.host[SERVER].ep, p.host[SERVER].stream, text, 8, &n);
    assert_true(err != SKUA_OK || (n == 4 && memcmp(text, "good", 4) == 0));
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_before_incoming_is_forgotten),
        cmocka_unit_test(a_reset_before_accept_is_told),
        cmocka_unit_test(many_resets_leave_room_in_the_accept_queue),
        cmocka_unit_test(a_lost_fin_ack_before_last_ack_is_made_good),
        cmocka_unit_test(a_fin_again_is_answered_again),
        cmocka_unit_test(close_while_connecting_is_closed),
        cmocka_unit_test(closed_waits_for_unread_bytes),
        cmocka_unit_test(bytes_before_a_violation_are_settled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
