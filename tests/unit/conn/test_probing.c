/* Who looks for a larger path MTU: whoever sends in bulk, whatever holds it back, and nobody else.
 */
#include "pair.h"

#include "cc/cc.h"

/* A client with a window that nothing fills and no pacer, and one packet's path. */
static void begin(struct pair *p)
{
    pair_open(p);
    p->mtu = 1452;
    pair_establish(p, NULL, NULL);
    pair_run(p, 10 * p->delay);
    struct skua_connection *c = pair_conn(p, CLIENT);
    c->cc.cwnd = UINT64_C(1) << 30;
    skua_pacer_set_rate(&c->pacer, UINT64_MAX, c->pmtud.mtu, p->now);
    assert_int_equal(c->count.mtu_probes_sent, 0);
}

static void write_zeros(struct pair *p, size_t len)
{
    static const uint8_t zeros[100000];
    skua_stream stream;
    size_t n;
    struct skua_endpoint *ep = p->host[CLIENT].ep;
    assert_int_equal(skua_stream_open(ep, p->host[CLIENT].conn, SKUA_STREAM_UNI, &stream), SKUA_OK);
    assert_true(len <= sizeof zeros);
    assert_int_equal(skua_stream_write(ep, stream, zeros, len, &n), SKUA_OK);
    assert_int_equal(n, len);
}

/* Sends `buffers` buffers of at most `segments` datagrams; how many bytes the last one has. */
static size_t send(struct pair *p, int buffers, size_t segments)
{
    static uint8_t room[SKUA_LIMIT_UDP_MAX];
    struct skua_tx tx = {.data = room, .cap = sizeof room, .max_segments = segments};
    for (int i = 0; i < buffers; i++) {
        skua_endpoint_send(p->host[CLIENT].ep, &tx, p->now);
    }
    return tx.len;
}

static void a_slow_processor_is_no_reason_to_send_small_packets(void **state)
{
    (void)state;
    struct pair p;
    begin(&p);
    const struct skua_connection *c = pair_conn(&p, CLIENT);
    write_zeros(&p, 100000);
    assert_true(send(&p, 1, 44) > 40 * SKUA_LIMIT_UDP_MIN);
    assert_false(c->tx.cwnd_limited || c->tx.pacing_limited);
    assert_int_equal(c->count.mtu_probes_sent, 0);
    assert_true(send(&p, 1, 44) > SKUA_LIMIT_UDP_MIN); /* the probe, alone */
    assert_int_equal(c->count.mtu_probes_sent, 1);
    assert_true(send(&p, 1, 44) > 20 * SKUA_LIMIT_UDP_MIN);
    assert_int_equal(c->count.mtu_probes_sent, 1);
    pair_close(&p);
}

/* Where each buffer holds one datagram, a message of three fills several in a row. */
static void a_small_message_is_no_bulk(void **state)
{
    (void)state;
    struct pair p;
    begin(&p);
    write_zeros(&p, 3000);
    assert_int_equal(send(&p, 4, 1), 0);
    assert_int_equal(pair_conn(&p, CLIENT)->count.mtu_probes_sent, 0);
    pair_close(&p);
}

/* All is said, and there is no more to come. */
static void the_end_of_a_bulk_is_no_bulk(void **state)
{
    (void)state;
    struct pair p;
    begin(&p);
    write_zeros(&p, 30000);
    assert_true(send(&p, 1, 44) > 0);
    assert_int_equal(send(&p, 1, 44), 0);
    assert_int_equal(pair_conn(&p, CLIENT)->count.mtu_probes_sent, 0);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_processor_is_no_reason_to_send_small_packets),
        cmocka_unit_test(a_small_message_is_no_bulk),
        cmocka_unit_test(the_end_of_a_bulk_is_no_bulk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
