/* Datagrams of a connection: when they may be sent, that they arrive whole or not at all, share the
 * packets with streams and ACKs, leave before FIN, and cost nothing where there are none. */
#include "pair.h"

struct box {
    size_t count, bytes; /* read so far */
    size_t last;         /* length of the last one */
};

/* Reads all that waits at a host. */
static void drain(struct pair *p, int at, struct box *box)
{
    static uint8_t out[SKUA_LIMIT_UDP_MAX];
    size_t len;
    while (skua_conn_recv_datagram(p->host[at].ep, p->host[at].conn, out, sizeof out, &len) ==
           SKUA_OK) {
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(out[i], (uint8_t)(len + i));
        }
        box->count++;
        box->bytes += len;
        box->last = len;
    }
}

static enum skua_err send_len(struct pair *p, int from, size_t len, skua_time lifetime)
{
    static uint8_t bytes[SKUA_LIMIT_UDP_MAX];
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(len + i);
    }
    return skua_conn_send_datagram(p->host[from].ep, p->host[from].conn, bytes, len, lifetime);
}

/* Both sides take datagrams, `buffer` bytes of them. */
static void begin(struct pair *p, uint32_t buffer)
{
    struct skua_conn_config client = SKUA_CONN_CONFIG_INIT;
    struct skua_listen_config server = SKUA_LISTEN_CONFIG_INIT;
    client.datagram_buffer = buffer;
    server.conn.datagram_buffer = buffer;
    pair_open(p);
    pair_establish(p, &client, &server);
}

static struct skua_conn_stats stats_of(struct pair *p, int at)
{
    struct skua_conn_stats st;
    assert_int_equal(skua_conn_stats(p->host[at].ep, p->host[at].conn, &st), SKUA_OK);
    return st;
}

static void both_ways(void **state)
{
    (void)state;
    struct pair p;
    struct box boxes[2] = {{0}};
    begin(&p, 65536);
    for (int from = 0; from < 2; from++) {
        size_t most = 0;
        assert_int_equal(skua_conn_max_datagram(p.host[from].ep, p.host[from].conn, &most),
                         SKUA_OK);
        assert_true(most > 1100 && most < 1200);
        assert_int_equal(send_len(&p, from, 0, 0), SKUA_OK);
        assert_int_equal(send_len(&p, from, 64, 0), SKUA_OK);
        assert_int_equal(send_len(&p, from, most, SKUA_NEVER), SKUA_OK);
        assert_int_equal(send_len(&p, from, most + 1, 0), SKUA_EMSGSIZE);
        pair_run(&p, SKUA_SEC);
        assert_true(p.host[!from].events[SKUA_EVENT_DATAGRAM] > 0);
        drain(&p, !from, &boxes[!from]);
        assert_int_equal(boxes[!from].count, 3);
        assert_int_equal(boxes[!from].bytes, 64 + most);
        assert_int_equal(stats_of(&p, from).datagrams_acked, 3);
        assert_int_equal(stats_of(&p, !from).datagrams_received, 3);
    }
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 0);
    pair_close(&p);
}

static void only_where_the_peer_takes_them(void **state)
{
    (void)state;
    struct pair p;
    struct skua_conn_config client = SKUA_CONN_CONFIG_INIT;
    client.datagram_buffer = 1000;
    pair_open(&p);
    pair_listen(&p, NULL);
    size_t most = 1;
    skua_conn conn = pair_connect(&p, &client);
    assert_int_equal(skua_conn_send_datagram(p.host[CLIENT].ep, conn, "x", 1, 0), SKUA_ESTATE);
    pair_run(&p, SKUA_SEC);
    /* The server said nothing of them. */
    assert_int_equal(skua_conn_send_datagram(p.host[CLIENT].ep, conn, "x", 1, 0), SKUA_ESTATE);
    assert_int_equal(skua_conn_max_datagram(p.host[CLIENT].ep, conn, &most), SKUA_ESTATE);
    assert_int_equal(most, 0);
    /* The client takes them, the server is the one to send. */
    assert_int_equal(send_len(&p, SERVER, 10, 0), SKUA_OK);
    pair_run(&p, SKUA_SEC);
    struct box box = {0};
    drain(&p, CLIENT, &box);
    assert_int_equal(box.count, 1);
    /* Nothing waits any more. */
    struct skua_vec vec;
    uint8_t out[4];
    size_t len;
    assert_int_equal(skua_conn_peek_datagram(p.host[CLIENT].ep, conn, &vec), SKUA_EAGAIN);
    assert_int_equal(skua_conn_drop_datagram(p.host[CLIENT].ep, conn), SKUA_EAGAIN);
    assert_int_equal(skua_conn_recv_datagram(p.host[CLIENT].ep, conn, out, 4, &len), SKUA_EAGAIN);
    assert_int_equal(len, 0);
    /* Too short a buffer takes nothing. */
    assert_int_equal(send_len(&p, SERVER, 10, 0), SKUA_OK);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(skua_conn_recv_datagram(p.host[CLIENT].ep, conn, out, 4, &len), SKUA_EMSGSIZE);
    assert_int_equal(len, 10);
    drain(&p, CLIENT, &box);
    assert_int_equal(box.count, 2);
    pair_close(&p);
}

/* RFC 9221 §3: whoever was told 0 and sends one breaks the protocol. */
static void one_that_was_not_asked_for(void **state)
{
    (void)state;
    struct pair p;
    static const uint8_t frames[] = {0x31, 0x01, 'x'};
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    pair_forge(&p, CLIENT, frames, sizeof frames);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(p.host[SERVER].closed.error, SKUA_EPROTO);
    assert_int_equal(p.host[SERVER].closed.code, SKUA_CODE_PROTOCOL);
    assert_int_equal(p.host[SERVER].closed.frame_type, 0x30);
    assert_true(p.host[CLIENT].closed.remote);
    pair_close(&p);
}

static bool drop_client(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    (void)data;
    (void)len;
    return from == CLIENT && *(int *)pair->user > 0 && (*(int *)pair->user)-- > 0;
}

static void a_lost_one_is_not_repeated(void **state)
{
    (void)state;
    struct pair p;
    struct box box = {0};
    int left = 1;
    begin(&p, 65536);
    p.drop = drop_client;
    p.user = &left;
    assert_int_equal(send_len(&p, CLIENT, 100, 0), SKUA_OK);
    pair_run(&p, SKUA_MSEC);
    for (size_t i = 1; i < 6; i++) {
        assert_int_equal(send_len(&p, CLIENT, 100 + i, 0), SKUA_OK);
        pair_run(&p, SKUA_MSEC);
    }
    pair_run(&p, 10 * SKUA_SEC);
    drain(&p, SERVER, &box);
    assert_int_equal(box.count, 5);
    assert_int_equal(stats_of(&p, CLIENT).datagrams_sent, 6);
    assert_int_equal(stats_of(&p, CLIENT).datagrams_lost, 1);
    assert_int_equal(stats_of(&p, CLIENT).datagrams_acked, 5);
    /* The last of all: the PTO asks with a PING, and the loss is noticed. */
    left = 1;
    assert_int_equal(send_len(&p, CLIENT, 200, 0), SKUA_OK);
    pair_run(&p, 10 * SKUA_SEC);
    drain(&p, SERVER, &box);
    assert_int_equal(box.count, 5);
    assert_int_equal(stats_of(&p, CLIENT).datagrams_lost, 2);
    assert_int_equal(stats_of(&p, CLIENT).bytes_in_flight, 0);
    pair_close(&p);
}

/* The window is full for a while: what cannot leave within its lifetime does not leave later. */
static void what_cannot_leave_in_time(void **state)
{
    (void)state;
    struct pair p;
    struct box box = {0};
    int left = 1000000;
    begin(&p, 65536);
    p.drop = drop_client;
    p.user = &left;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(send_len(&p, CLIENT, 1000, 0), SKUA_OK);
    }
    pair_run(&p, 15 * SKUA_MSEC);
    uint64_t gone = stats_of(&p, CLIENT).datagrams_sent;
    assert_true(gone > 5 && gone < 15);
    assert_int_equal(send_len(&p, CLIENT, 1, 20 * SKUA_MSEC), SKUA_OK);
    assert_int_equal(send_len(&p, CLIENT, 2, 5 * SKUA_SEC), SKUA_OK);
    pair_run(&p, 30 * SKUA_MSEC); /* before the first PTO */
    assert_int_equal(stats_of(&p, CLIENT).datagrams_sent, gone);
    left = 0;
    pair_run(&p, SKUA_SEC);
    drain(&p, SERVER, &box);
    assert_int_equal(box.last, 2);
    assert_int_equal(stats_of(&p, CLIENT).datagrams_unsent, 1);
    assert_int_equal(box.count, 20 - gone + 1);
    pair_close(&p);
}

/* Neither of streams and datagrams starves the other: each gets half. */
static void streams_and_datagrams_take_turns(void **state)
{
    (void)state;
    struct pair p;
    struct box box = {0};
    static uint8_t bytes[100000];
    begin(&p, 1000000);
    skua_stream stream;
    size_t n;
    struct skua_endpoint *ep = p.host[CLIENT].ep;
    assert_int_equal(skua_stream_open(ep, p.host[CLIENT].conn, SKUA_STREAM_UNI, &stream), SKUA_OK);
    assert_int_equal(skua_stream_write(ep, stream, bytes, sizeof bytes, &n), SKUA_OK);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(send_len(&p, CLIENT, 1000, 0), SKUA_OK);
    }
    for (int i = 0; i < 2; i++) {
        pair_run(&p, 3 * p.delay);
        struct skua_conn_stats st = stats_of(&p, SERVER);
        uint64_t of_datagrams = st.datagrams_received * 1000;
        assert_true(st.stream_bytes_received > 0 && of_datagrams > 0);
        assert_true(st.stream_bytes_received < 2 * of_datagrams + 5000);
        assert_true(of_datagrams < 2 * st.stream_bytes_received + 5000);
    }
    pair_run(&p, 5 * SKUA_SEC);
    drain(&p, SERVER, &box);
    assert_int_equal(box.count, 200);
    assert_int_equal(stats_of(&p, SERVER).stream_bytes_received, n);
    pair_close(&p);
}

/* An ACK that could travel along must not keep the largest datagram waiting until it is due. */
static void the_largest_does_not_wait_for_an_ack(void **state)
{
    (void)state;
    struct pair p;
    struct box box = {0};
    size_t most = 0;
    begin(&p, 65536);
    assert_int_equal(skua_conn_max_datagram(p.host[SERVER].ep, p.host[SERVER].conn, &most),
                     SKUA_OK);
    assert_int_equal(send_len(&p, CLIENT, 10, 0), SKUA_OK);
    pair_run(&p, p.delay + SKUA_MSEC);
    assert_true(skua_acks_pending(&pair_conn(&p, SERVER)->rx.acks));
    assert_int_equal(send_len(&p, SERVER, most, 0), SKUA_OK);
    pair_run(&p, p.delay + SKUA_MSEC);
    drain(&p, CLIENT, &box);
    assert_int_equal(box.count, 1);
    /* And a small one takes it along. */
    uint64_t packets = p.host[CLIENT].sent;
    assert_int_equal(send_len(&p, CLIENT, 10, 0), SKUA_OK);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(p.host[CLIENT].sent, packets + 1);
    pair_close(&p);
}

static void shutdown_comes_after_them(void **state)
{
    (void)state;
    struct pair p;
    struct box box = {0};
    begin(&p, 1000000);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(send_len(&p, CLIENT, 1000, 0), SKUA_OK);
    }
    assert_int_equal(skua_conn_shutdown(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    assert_int_equal(send_len(&p, CLIENT, 1, 0), SKUA_ESTATE);
    pair_run(&p, 5 * SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_FINISHED], 1);
    drain(&p, SERVER, &box);
    assert_int_equal(box.count, 100);
    /* The other direction goes on. */
    assert_int_equal(send_len(&p, SERVER, 1, 0), SKUA_OK);
    pair_run(&p, SKUA_SEC);
    drain(&p, CLIENT, &box);
    assert_int_equal(box.count, 101);
    /* After FIN none may come: CLOSE_STATE. */
    static const uint8_t frames[] = {0x31, 0x01, 'x'};
    pair_forge(&p, CLIENT, frames, sizeof frames);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(p.host[SERVER].closed.code, SKUA_CODE_CLOSE_STATE);
    pair_close(&p);
}

static void close_throws_them_away(void **state)
{
    (void)state;
    struct pair p;
    begin(&p, 65536);
    assert_int_equal(send_len(&p, CLIENT, 10, 0), SKUA_OK);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(skua_conn_close(p.host[SERVER].ep, p.host[SERVER].conn), SKUA_OK);
    struct skua_vec vec;
    assert_int_equal(skua_conn_peek_datagram(p.host[SERVER].ep, p.host[SERVER].conn, &vec),
                     SKUA_EAGAIN);
    assert_int_equal(send_len(&p, CLIENT, 10, 0), SKUA_OK);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(stats_of(&p, SERVER).datagrams_received, 1);
    assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    pair_run(&p, 5 * SKUA_SEC);
    assert_int_equal(p.host[SERVER].closed.error, SKUA_OK);
    pair_close(&p);
}

/* Large ones that wait while the path turns out to be smaller make way for others. */
static void the_path_has_become_too_small(void **state)
{
    (void)state;
    struct pair p;
    struct box box = {0};
    begin(&p, 65536);
    struct skua_connection *c = pair_conn(&p, CLIENT);
    c->pmtud.mtu = 1400;
    size_t most = 0;
    assert_int_equal(skua_conn_max_datagram(p.host[CLIENT].ep, p.host[CLIENT].conn, &most),
                     SKUA_OK);
    assert_int_equal(send_len(&p, CLIENT, most, 0), SKUA_OK);
    assert_int_equal(send_len(&p, CLIENT, 20, 0), SKUA_OK);
    c->pmtud.mtu = 1200;
    pair_run(&p, SKUA_SEC);
    drain(&p, SERVER, &box);
    assert_int_equal(box.count, 1);
    assert_int_equal(box.last, 20);
    assert_int_equal(stats_of(&p, CLIENT).datagrams_unsent, 1);
    pair_close(&p);
}

/* While it is not known whether it has, they wait: for a probe that arrives, or not. */
static void the_path_may_have_become_too_small(void **state)
{
    (void)state;
    struct pair p;
    struct box box = {0};
    begin(&p, 65536);
    struct skua_connection *c = pair_conn(&p, CLIENT);
    c->pmtud.mtu = 1400;
    size_t most = 0, still = 0;
    assert_int_equal(skua_conn_max_datagram(p.host[CLIENT].ep, p.host[CLIENT].conn, &most),
                     SKUA_OK);
    assert_int_equal(send_len(&p, CLIENT, most, 0), SKUA_OK);
    c->pmtud.mtu = 1200;
    c->pmtud.suspect = 1400;
    c->pmtud.size = 1400;
    assert_int_equal(skua_conn_max_datagram(p.host[CLIENT].ep, p.host[CLIENT].conn, &still),
                     SKUA_OK);
    assert_int_equal(still, most);
    pair_run(&p, SKUA_SEC);
    drain(&p, SERVER, &box);
    assert_int_equal(box.count, 1);
    assert_int_equal(box.last, most);
    struct skua_conn_stats stats = stats_of(&p, CLIENT);
    assert_int_equal(stats.datagrams_unsent, 0);
    assert_in_range(stats.mtu, 1400, 65507);
    pair_close(&p);
}

static void not_read_in_time(void **state)
{
    (void)state;
    struct pair p;
    struct box box = {0};
    begin(&p, 5 * (100 + SKUA_LIMIT_DATAGRAM_COST));
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(send_len(&p, CLIENT, 81 + i, 0), SKUA_OK);
    }
    pair_run(&p, SKUA_SEC);
    assert_int_equal(stats_of(&p, CLIENT).datagrams_acked, 20);
    assert_int_equal(stats_of(&p, SERVER).datagrams_unread, 15);
    drain(&p, SERVER, &box);
    assert_int_equal(box.count, 5);
    assert_int_equal(box.last, 100);
    pair_close(&p);
}

static void room_is_reported(void **state)
{
    (void)state;
    struct pair p;
    struct box box = {0};
    begin(&p, 1 << 25);
    size_t sent = 0;
    while (send_len(&p, CLIENT, 1000, 0) == SKUA_OK) {
        sent++;
    }
    pair_run(&p, 10 * p.delay);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_DATAGRAM_ROOM], 0);
    pair_run(&p, 20 * SKUA_SEC);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_DATAGRAM_ROOM], 1);
    drain(&p, SERVER, &box);
    assert_int_equal(box.count, sent);
    pair_close(&p);
}

/* Every allocation fails in turn: at worst a datagram is lost or refused. */
static void memory_runs_out(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        for (int64_t nth = 0; nth < 40; nth++) {
            struct pair p;
            struct box box = {0};
            begin(&p, 1000000);
            p.host[side].fail_after = nth;
            p.host[side].fail_once = true;
            for (int i = 0; i < 50; i++) {
                (void)send_len(&p, CLIENT, 900, 0);
                (void)send_len(&p, SERVER, 10, 0);
                if (i % 10 == 9) {
                    pair_run(&p, p.delay);
                }
            }
            pair_run(&p, SKUA_SEC);
            drain(&p, SERVER, &box);
            drain(&p, CLIENT, &box);
            assert_true(box.count >= 40 && box.count <= 100);
            assert_int_equal(p.host[0].events[SKUA_EVENT_CLOSED], 0);
            assert_int_equal(p.host[1].events[SKUA_EVENT_CLOSED], 0);
            pair_close(&p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways),
        cmocka_unit_test(only_where_the_peer_takes_them),
        cmocka_unit_test(one_that_was_not_asked_for),
        cmocka_unit_test(a_lost_one_is_not_repeated),
        cmocka_unit_test(what_cannot_leave_in_time),
        cmocka_unit_test(streams_and_datagrams_take_turns),
        cmocka_unit_test(the_largest_does_not_wait_for_an_ack),
        cmocka_unit_test(shutdown_comes_after_them),
        cmocka_unit_test(close_throws_them_away),
        cmocka_unit_test(the_path_has_become_too_small),
        cmocka_unit_test(the_path_may_have_become_too_small),
        cmocka_unit_test(not_read_in_time),
        cmocka_unit_test(room_is_reported),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
