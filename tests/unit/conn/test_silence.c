/* Timers in the absence of news: what ends a quiet connection, what must not, and that no deadline
 * is left in the past. */
#include "pair.h"

static void config_quiet(struct skua_conn_config *config)
{
    const struct skua_conn_config init = SKUA_CONN_CONFIG_INIT;
    *config = init;
    config->idle_timeout_ns = SKUA_NEVER;
}

static void establish_quiet(struct pair *p)
{
    struct skua_conn_config client;
    struct skua_listen_config server = SKUA_LISTEN_CONFIG_INIT;
    config_quiet(&client);
    config_quiet(&server.conn);
    pair_open(p);
    pair_establish(p, &client, &server);
}

/* Anyone can forge an ICMP message: a peer that lives gets the chance to say so. */
static void a_hint_does_not_end_an_idle_connection(void **state)
{
    (void)state;
    struct pair p;
    establish_quiet(&p);
    pair_run(&p, 5 * SKUA_SEC);
    for (int hint = SKUA_HINT_UNREACHABLE; hint <= SKUA_HINT_PORT_UNREACHABLE; hint++) {
        struct skua_path path;
        assert_int_equal(skua_conn_path(p.host[CLIENT].ep, p.host[CLIENT].conn, &path), SKUA_OK);
        skua_endpoint_hint(p.host[CLIENT].ep, &path, (enum skua_hint)hint, p.now);
        pair_run(&p, 10 * SKUA_SEC);
    }
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 0);
    pair_close(&p);
}

static bool drop_all(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    (void)from;
    (void)data;
    (void)len;
    return *(bool *)pair->user;
}

static void run_with_hint(enum skua_hint hint, unsigned closed)
{
    struct pair p;
    bool dead = false;
    establish_quiet(&p);
    p.drop = drop_all;
    p.user = &dead;
    dead = true;
    struct skua_path path;
    assert_int_equal(skua_conn_path(p.host[CLIENT].ep, p.host[CLIENT].conn, &path), SKUA_OK);
    assert_int_equal(skua_conn_ping(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    skua_endpoint_hint(p.host[CLIENT].ep, &path, hint, p.now);
    pair_run(&p, 5 * SKUA_SEC);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], closed);
    dead = false;
    pair_run(&p, 10 * SKUA_SEC);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], closed);
    pair_close(&p);
}

/* The peer's port is closed: no need to wait for a timeout. */
static void a_dead_port_ends_a_connection_soon(void **state)
{
    (void)state;
    run_with_hint(SKUA_HINT_PORT_UNREACHABLE, 1);
}

/* RFC 1122 §4.2.3.9: an unreachable network may be reachable again in a moment. */
static void an_unreachable_network_is_waited_for(void **state)
{
    (void)state;
    run_with_hint(SKUA_HINT_UNREACHABLE, 0);
}

static bool drop_nth(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    int64_t *left = pair->user;
    (void)data;
    (void)len;
    return from == CLIENT && (*left)-- == 0;
}

/* A lost PING is not repeated: with nothing else unacknowledged the user timeout must not run. */
static void a_lost_ping_is_not_waited_for(void **state)
{
    (void)state;
    struct pair p;
    int64_t left = INT64_MAX;
    establish_quiet(&p);
    p.drop = drop_nth;
    p.user = &left;
    pair_run(&p, SKUA_SEC);
    left = 0;
    assert_int_equal(skua_conn_ping(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    pair_run(&p, SKUA_MSEC);
    assert_int_equal(skua_conn_ping(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    pair_run(&p, 3600 * SKUA_SEC);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 0);
    pair_close(&p);
}

/* A caller with small buffers, as a plain poll loop has: the MTU search stays below them. */
static void small_buffers_bound_the_mtu(void **state)
{
    (void)state;
    static uint8_t bytes[1 << 20];
    struct pair p;
    pair_open(&p);
    p.cap = 1400;
    pair_establish(&p, NULL, NULL);
    skua_stream stream;
    assert_int_equal(
        skua_stream_open(p.host[CLIENT].ep, p.host[CLIENT].conn, SKUA_STREAM_UNI, &stream),
        SKUA_OK);
    for (int i = 0; i < 50; i++) {
        size_t n;
        (void)skua_stream_write(p.host[CLIENT].ep, stream, bytes, sizeof bytes, &n);
        pair_run(&p, 2 * p.delay);
        while (p.host[SERVER].stream != 0 &&
               skua_stream_read(p.host[SERVER].ep, p.host[SERVER].stream, bytes, sizeof bytes,
                                &n) == SKUA_OK) {
        }
    }
    struct skua_conn_stats stats;
    assert_int_equal(skua_conn_stats(p.host[CLIENT].ep, p.host[CLIENT].conn, &stats), SKUA_OK);
    assert_true(stats.mtu > 1200 && stats.mtu <= 1400);
    p.cap = 1200;
    pair_run(&p, SKUA_SEC);
    uint64_t before = p.host[CLIENT].sent;
    size_t n;
    (void)skua_stream_write(p.host[CLIENT].ep, stream, bytes, sizeof bytes, &n);
    pair_run(&p, SKUA_SEC);
    assert_true(p.host[CLIENT].sent > before);
    pair_close(&p);
}

enum ending { NO_STREAM, OPEN, ENDED };

/* A stream of `from`, then a packet that asks for an ACK, `less` bytes shorter than a full one, a
 * small one, and an hour of nothing: how many datagrams with a PING the other side has sent. */
static uint64_t asked(int from, size_t less, enum ending ending)
{
    struct pair p;
    uint8_t frames[SKUA_LIMIT_UDP_MIN] = {0};
    skua_stream stream;
    size_t n;
    establish_quiet(&p);
    struct host *h = &p.host[from];
    if (ending != NO_STREAM) {
        assert_int_equal(skua_stream_open(h->ep, h->conn, SKUA_STREAM_BIDI, &stream), SKUA_OK);
        assert_int_equal(skua_stream_write(h->ep, stream, "x", 1, &n), SKUA_OK);
        if (ending == ENDED) {
            assert_int_equal(skua_stream_finish(h->ep, stream), SKUA_OK);
        }
    }
    pair_run(&p, 10 * SKUA_SEC);
    assert_int_equal(pair_conn(&p, from)->pmtud.mtu, SKUA_LIMIT_UDP_MIN);
    size_t len = skua_tx_room(pair_conn(&p, from)) - less;
    frames[len - 1] = SKUA_FRAME_PING;
    uint64_t before = p.host[!from].sent;
    pair_forge(&p, from, frames, len);
    pair_forge(&p, from, frames + len - 1, 1);
    pair_run(&p, SKUA_MSEC);
    assert_int_equal(p.host[!from].sent, before + 1); /* the ACK */
    pair_run(&p, 3600 * SKUA_SEC);
    uint64_t pings = p.host[!from].sent - before - 1;
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 0);
    pair_close(&p);
    return pings;
}

/* A client asks after a flow that stops, once; after nothing else, and a server never. */
static void a_flow_that_stops(void **state)
{
    (void)state;
    assert_int_equal(asked(SERVER, 0, OPEN), 1);
    assert_int_equal(asked(SERVER, 1, OPEN), 0);
    assert_int_equal(asked(SERVER, 0, ENDED), 0);
    assert_int_equal(asked(SERVER, 0, NO_STREAM), 0);
    assert_int_equal(asked(CLIENT, 0, OPEN), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hint_does_not_end_an_idle_connection),
        cmocka_unit_test(a_dead_port_ends_a_connection_soon),
        cmocka_unit_test(an_unreachable_network_is_waited_for),
        cmocka_unit_test(a_lost_ping_is_not_waited_for),
        cmocka_unit_test(a_flow_that_stops),
        cmocka_unit_test(small_buffers_bound_the_mtu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
