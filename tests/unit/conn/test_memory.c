/* Memory that runs out at any point: nothing crashes, spins or leaks, and no byte is wrong. */
#include "pair.h"

enum { TOTAL = 200000 };

static uint8_t byte_at(size_t offset)
{
    return (uint8_t)(offset * 31 + (offset >> 8));
}

/* One connection's life: connect, send, read, close both ways. Failing calls are fine. */
static void live(struct pair *p)
{
    static uint8_t bytes[TOTAL];
    skua_stream stream = 0;
    size_t written = 0;
    size_t got = 0;
    bool finished = false;
    for (size_t i = 0; i < TOTAL; i++) {
        bytes[i] = byte_at(i);
    }
    struct host *client = &p->host[CLIENT];
    struct host *server = &p->host[SERVER];
    for (int round = 0; round < 100 && client->events[SKUA_EVENT_CLOSED] == 0; round++) {
        size_t n;
        if (stream == 0) {
            (void)skua_stream_open(client->ep, client->conn, SKUA_STREAM_UNI, &stream);
        }
        (void)skua_stream_write(client->ep, stream, bytes + written, TOTAL - written, &n);
        written += n;
        if (written == TOTAL && !finished) {
            finished = skua_stream_finish(client->ep, stream) == SKUA_OK;
        }
        pair_run(p, 10 * p->delay);
        uint8_t piece[5000];
        enum skua_err err = SKUA_OK;
        while (err == SKUA_OK && server->stream != 0) {
            err = skua_stream_read(server->ep, server->stream, piece, sizeof piece, &n);
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(piece[i], byte_at(got + i));
            }
            got += n;
        }
        if (err == SKUA_EOF) {
            assert_int_equal(got, TOTAL);
            (void)skua_conn_close(client->ep, client->conn);
            (void)skua_conn_close(server->ep, server->conn);
        }
    }
    assert_true(client->failed != 0 || server->failed != 0 || got == TOTAL);
    pair_run(p, 100 * SKUA_SEC);
}

static bool drop_some(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    uint64_t *count = pair->user;
    (void)from;
    (void)data;
    (void)len;
    return ++*count % 11 == 0;
}

/* Every allocation of either side fails, one alone or it and all after it. */
static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        for (int once = 0; once < 2; once++) {
            for (int64_t nth = 0; nth < 400; nth++) {
                struct pair p;
                uint64_t count = 0;
                pair_open(&p);
                p.drop = drop_some;
                p.user = &count;
                pair_listen(&p, NULL);
                (void)pair_connect(&p, NULL);
                p.host[side].fail_after = nth;
                p.host[side].fail_once = once != 0;
                live(&p);
                bool reached = p.host[side].failed != 0;
                pair_close(&p);
                if (!reached) {
                    break;
                }
            }
        }
    }
}

/* Nothing can be allocated any more while ACKs are due: it waits for memory, it does not spin. */
static void no_memory_is_no_spin(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        static uint8_t bytes[TOTAL];
        struct pair p;
        pair_open(&p);
        struct skua_listen_config server = SKUA_LISTEN_CONFIG_INIT;
        struct skua_conn_config client = SKUA_CONN_CONFIG_INIT;
        pair_establish(&p, &client, &server);
        skua_stream stream;
        size_t n;
        assert_int_equal(
            skua_stream_open(p.host[CLIENT].ep, p.host[CLIENT].conn, SKUA_STREAM_UNI, &stream),
            SKUA_OK);
        pair_run(&p, 20 * SKUA_SEC); /* rings are given back */
        assert_int_equal(skua_stream_write(p.host[CLIENT].ep, stream, bytes, 3000, &n), SKUA_OK);
        p.host[side].fail_after = 0;
        pair_run(&p, SKUA_SEC);
        p.host[side].fail_after = -1;
        pair_run(&p, 5 * SKUA_SEC);
        assert_true(p.host[SERVER].stream != 0 || p.host[SERVER].events[SKUA_EVENT_CLOSED] != 0);
        pair_close(&p);
    }
}

/* Borrowed bytes cannot be kept: the reader gets no stranger's bytes in their stead. */
static void a_loan_that_cannot_be_settled_ends_the_connection(void **state)
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
    assert_int_equal(skua_stream_write(p.host[CLIENT].ep, stream, "a", 1, &n), SKUA_OK);
    pair_run(&p, SKUA_SEC);
    skua_stream reader = p.host[SERVER].stream;
    uint8_t out[1000];
    assert_int_equal(skua_stream_read(p.host[SERVER].ep, reader, out, sizeof out, &n), SKUA_OK);
    memset(out, 'b', sizeof out);
    assert_int_equal(skua_stream_write(p.host[CLIENT].ep, stream, out, 500, &n), SKUA_OK);
    pair_send(&p, CLIENT);
    p.now += p.delay;
    /* The pool of blocks has one for the loan's own list, and none for the bytes. */
    struct skua_blocks *blocks = &p.host[SERVER].ep->env.blocks;
    skua_blocks_trim(blocks, 1);
    p.host[SERVER].fail_after = 0;
    p.no_poll[SERVER] = true;
    pair_arrive(&p);
    enum skua_err err = skua_stream_read(p.host[SERVER].ep, reader, out, sizeof out, &n);
    assert_true(err != SKUA_OK);
    p.no_poll[SERVER] = false;
    p.host[SERVER].fail_after = -1;
    pair_run(&p, SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 1);
    assert_int_equal(p.host[SERVER].closed.error, SKUA_EINTERNAL);
    pair_close(&p);
}

/* An ACK is asked for, but the number that it should report could not be noted. */
static void an_ack_of_nothing_is_not_due(void **state)
{
    (void)state;
    struct pair p;
    struct skua_acks acks;
    pair_open(&p);
    skua_acks_init(&acks, &p.host[CLIENT].ep->env.heap);
    p.host[CLIENT].fail_after = 0;
    uint64_t pn = 0;
    while (p.host[CLIENT].failed == 0) {
        skua_acks_on_received(&acks, pn, true, 0, p.now);
        pn += 2;
    }
    skua_acks_on_sent(&acks);
    skua_acks_on_received(&acks, pn, true, 0, p.now);
    skua_acks_set_immediate(&acks);
    assert_true(skua_acks_deadline(&acks) == SKUA_NEVER);
    p.host[CLIENT].fail_after = -1;
    skua_acks_on_received(&acks, pn, true, 0, p.now);
    assert_true(skua_acks_due(&acks, p.now));
    skua_acks_deinit(&acks);
    pair_close(&p);
}

static bool drop_all(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    (void)pair;
    (void)from;
    (void)data;
    (void)len;
    return true;
}

/* Memory ran out while a timer declared bytes lost: nobody would send them again. */
static void a_fate_that_cannot_be_noted_ends_the_connection(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    p.drop = drop_all;
    assert_int_equal(skua_conn_ping(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    pair_send(&p, CLIENT);
    pair_conn(&p, CLIENT)->streams.failed = true;
    pair_run(&p, SKUA_SEC);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 1);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_EINTERNAL);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(no_memory_is_no_spin),
        cmocka_unit_test(a_loan_that_cannot_be_settled_ends_the_connection),
        cmocka_unit_test(an_ack_of_nothing_is_not_due),
        cmocka_unit_test(a_fate_that_cannot_be_noted_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
