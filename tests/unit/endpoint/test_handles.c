/* Handles that are stale, of another kind, or whose object goes while they are used. */
#include "pair.h"

static skua_stream open_stream(struct pair *p, unsigned flags)
{
    skua_stream stream = 0;
    assert_int_equal(skua_stream_open(p->host[CLIENT].ep, p->host[CLIENT].conn, flags, &stream),
                     SKUA_OK);
    return stream;
}

static bool is_zero(const void *memory, size_t len)
{
    const uint8_t *bytes = memory;
    while (len > 0 && bytes[len - 1] == 0) {
        len--;
    }
    return len == 0;
}

/* Every function on a connection and on a stream refuses `handle`. */
static void refuses(struct skua_endpoint *ep, uint64_t handle)
{
    uint8_t bytes[8];
    size_t n = sizeof bytes;
    void *user;
    skua_stream stream;
    struct skua_vec vec;
    struct skua_key key;
    struct skua_path path;
    enum skua_state state;
    struct skua_conn_stats stats;
    struct skua_stream_info info;
    assert_int_equal(skua_conn_accept(ep, handle, NULL), SKUA_ECLOSED);
    assert_int_equal(skua_conn_refuse(ep, handle, SKUA_CODE_REFUSED), SKUA_ECLOSED);
    assert_int_equal(skua_conn_shutdown(ep, handle), SKUA_ECLOSED);
    assert_int_equal(skua_conn_close(ep, handle), SKUA_ECLOSED);
    assert_int_equal(skua_conn_abort(ep, handle, 0, NULL), SKUA_ECLOSED);
    assert_int_equal(skua_conn_set_user(ep, handle, NULL), SKUA_ECLOSED);
    assert_int_equal(skua_conn_user(ep, handle, &user), SKUA_ECLOSED);
    assert_int_equal(skua_conn_peer_key(ep, handle, &key), SKUA_ECLOSED);
    assert_int_equal(skua_conn_path(ep, handle, &path), SKUA_ECLOSED);
    assert_int_equal(skua_conn_state(ep, handle, &state), SKUA_ECLOSED);
    assert_int_equal(skua_conn_export(ep, handle, "x", bytes, 8), SKUA_ECLOSED);
    assert_int_equal(skua_conn_update_keys(ep, handle), SKUA_ECLOSED);
    assert_int_equal(skua_conn_ping(ep, handle), SKUA_ECLOSED);
    assert_int_equal(skua_conn_stats(ep, handle, &stats), SKUA_ECLOSED);
    assert_int_equal(skua_stream_open(ep, handle, SKUA_STREAM_UNI, &stream), SKUA_ECLOSED);
    assert_int_equal(skua_stream_write(ep, handle, bytes, 8, &n), SKUA_ECLOSED);
    assert_int_equal(skua_stream_lend(ep, handle, bytes, 8), SKUA_ECLOSED);
    assert_int_equal(skua_stream_finish(ep, handle), SKUA_ECLOSED);
    assert_int_equal(skua_stream_reset(ep, handle, 0), SKUA_ECLOSED);
    assert_int_equal(skua_stream_stop(ep, handle, 0), SKUA_ECLOSED);
    assert_int_equal(skua_stream_read(ep, handle, bytes, 8, &n), SKUA_ECLOSED);
    n = 1;
    assert_int_equal(skua_stream_peek(ep, handle, &vec, &n), SKUA_ECLOSED);
    assert_int_equal(n, 0);
    assert_int_equal(skua_stream_consume(ep, handle, 0), SKUA_ECLOSED);
    assert_int_equal(skua_stream_set_user(ep, handle, NULL), SKUA_ECLOSED);
    assert_int_equal(skua_stream_user(ep, handle, &user), SKUA_ECLOSED);
    assert_int_equal(skua_stream_conn(ep, handle, &stream), SKUA_ECLOSED);
    assert_int_equal(skua_stream_info(ep, handle, &info), SKUA_ECLOSED);
    assert_int_equal(skua_stream_close(ep, handle), SKUA_ECLOSED);
}

static void stale_and_invented_handles_are_refused(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    struct skua_endpoint *ep = p.host[CLIENT].ep;
    skua_stream closed = open_stream(&p, SKUA_STREAM_UNI);
    skua_stream left = open_stream(&p, SKUA_STREAM_BIDI);
    assert_int_equal(skua_stream_close(ep, closed), SKUA_OK);
    refuses(ep, 0);
    refuses(ep, UINT64_MAX);
    refuses(ep, closed);
    assert_int_equal(skua_conn_abort(ep, p.host[CLIENT].conn, 1, NULL), SKUA_OK);
    refuses(ep, p.host[CLIENT].conn);
    refuses(ep, left);
    pair_run(&p, SKUA_SEC);
    refuses(ep, left);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 0);
    pair_close(&p);
}

static void kinds_are_not_mixed_up(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    struct skua_endpoint *ep = p.host[CLIENT].ep;
    skua_stream stream = open_stream(&p, SKUA_STREAM_UNI);
    assert_int_equal(skua_conn_close(ep, stream), SKUA_ECLOSED);
    assert_int_equal(skua_stream_close(ep, p.host[CLIENT].conn), SKUA_ECLOSED);
    pair_close(&p);
}

/* Every connection that the application knows, once, and no other. */
static void connections_in_turn(void **state)
{
    (void)state;
    struct pair p;
    skua_conn known[3];
    pair_open(&p);
    struct skua_endpoint *ep = p.host[CLIENT].ep;
    assert_int_equal(skua_endpoint_next_conn(ep, 0), 0);
    pair_establish(&p, NULL, NULL);
    known[0] = p.host[CLIENT].conn;
    p.no_poll[SERVER] = true;
    for (unsigned i = 1; i < 3; i++) {
        known[i] = pair_connect(&p, NULL);
    }
    pair_run(&p, 20 * p.delay);
    skua_conn at = 0;
    for (unsigned i = 0; i < 3; i++) {
        at = skua_endpoint_next_conn(ep, at);
        assert_int_equal(at, known[i]);
    }
    assert_int_equal(skua_endpoint_next_conn(ep, at), 0);
    assert_int_equal(skua_conn_abort(ep, known[1], 1, NULL), SKUA_OK);
    assert_int_equal(skua_endpoint_next_conn(ep, known[0]), known[2]);
    assert_int_equal(skua_endpoint_next_conn(ep, known[1]), 0); /* stale */
    /* The server's application has not heard of the newer ones. */
    ep = p.host[SERVER].ep;
    assert_int_equal(skua_endpoint_next_conn(ep, 0), p.host[SERVER].conn);
    assert_int_equal(skua_endpoint_next_conn(ep, p.host[SERVER].conn), 0);
    pair_close(&p);
}

/* No event tells that lent memory is free: the call itself ends the loan (seen by a sanitizer). */
static void aborting_ends_loans(void **state)
{
    (void)state;
    struct pair p;
    enum { LENT = 100000 };
    uint8_t *bytes = calloc(1, LENT);
    assert_non_null(bytes);
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    skua_stream stream = open_stream(&p, SKUA_STREAM_BIDI);
    assert_int_equal(skua_stream_lend(p.host[CLIENT].ep, stream, bytes, LENT), SKUA_OK);
    pair_run(&p, 3 * p.delay); /* some are under way, some wait */
    assert_int_equal(skua_conn_abort(p.host[CLIENT].ep, p.host[CLIENT].conn, 7, NULL), SKUA_OK);
    free(bytes);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 1);
    pair_close(&p);
}

/* The endpoint goes while bytes are borrowed, streams are open and packets are under way. */
static void everything_goes_with_the_endpoint(void **state)
{
    (void)state;
    struct pair p;
    static const uint8_t bytes[100000];
    size_t n;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    skua_stream stream = open_stream(&p, SKUA_STREAM_BIDI);
    assert_int_equal(skua_stream_write(p.host[CLIENT].ep, stream, bytes, sizeof bytes, &n),
                     SKUA_OK);
    assert_int_equal(skua_stream_lend(p.host[CLIENT].ep, stream, bytes, sizeof bytes), SKUA_OK);
    pair_run(&p, 3 * p.delay);
    (void)pair_connect(&p, NULL);
    pair_run(&p, 0);
    pair_close(&p);
}

/* New keys again and again, from both sides, under load and loss. */
static bool drop_some(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    uint64_t *count = pair->user;
    (void)from;
    (void)data;
    (void)len;
    return ++*count % 23 == 0;
}

static void keys_change_under_load(void **state)
{
    (void)state;
    static uint8_t bytes[1 << 16];
    struct pair p;
    uint64_t count = 0;
    uint64_t got = 0;
    pair_open(&p);
    p.drop = drop_some;
    p.user = &count;
    pair_establish(&p, NULL, NULL);
    skua_stream stream = open_stream(&p, SKUA_STREAM_UNI);
    for (int i = 0; i < 400; i++) {
        size_t n;
        enum skua_err err = skua_stream_write(p.host[CLIENT].ep, stream, bytes, sizeof bytes, &n);
        assert_true(err == SKUA_OK || err == SKUA_EAGAIN);
        (void)skua_conn_update_keys(p.host[i % 2].ep, p.host[i % 2].conn);
        pair_run(&p, 2 * p.delay);
        while (p.host[SERVER].stream != 0 &&
               skua_stream_read(p.host[SERVER].ep, p.host[SERVER].stream, bytes, sizeof bytes,
                                &n) == SKUA_OK) {
            got += n;
        }
    }
    struct skua_conn_stats stats;
    assert_int_equal(skua_conn_stats(p.host[CLIENT].ep, p.host[CLIENT].conn, &stats), SKUA_OK);
    assert_true(stats.key_updates > 5);
    assert_int_equal(stats.packets_undecryptable, 0);
    assert_true(got > 1000000);
    pair_close(&p);
}

/* Bytes that nobody reads keep a connection's handle for as long as the application likes, and
 * none of its secrets. */
static void secrets_go_when_a_connection_is_over(void **state)
{
    (void)state;
    struct pair p;
    uint8_t secret[32];
    size_t n;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    struct skua_endpoint *client = p.host[CLIENT].ep, *server = p.host[SERVER].ep;
    const skua_conn conn = p.host[SERVER].conn;
    const skua_stream stream = open_stream(&p, SKUA_STREAM_UNI);
    assert_int_equal(skua_stream_write(client, stream, "hello", 5, &n), SKUA_OK);
    assert_int_equal(skua_conn_close(client, p.host[CLIENT].conn), SKUA_OK);
    assert_int_equal(skua_conn_shutdown(server, conn), SKUA_OK);
    const struct skua_connection *c = pair_conn(&p, SERVER);
    assert_int_equal(skua_conn_export(server, conn, "x", secret, sizeof secret), SKUA_OK);
    assert_false(is_zero(&c->exporter, sizeof c->exporter));
    pair_run(&p, SKUA_SEC);
    assert_true(c->close.over);
    assert_int_equal(skua_conn_export(server, conn, "x", secret, sizeof secret), SKUA_ESTATE);
    assert_true(is_zero(&c->exporter, sizeof c->exporter));
    assert_true(is_zero(&c->keys, sizeof c->keys));
    assert_true(is_zero(c->ids.token, sizeof c->ids.token));
    char text[8];
    assert_int_equal(skua_stream_read(server, p.host[SERVER].stream, text, sizeof text, &n),
                     SKUA_OK);
    assert_int_equal(n, 5);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stale_and_invented_handles_are_refused),
        cmocka_unit_test(kinds_are_not_mixed_up),
        cmocka_unit_test(connections_in_turn),
        cmocka_unit_test(aborting_ends_loans),
        cmocka_unit_test(everything_goes_with_the_endpoint),
        cmocka_unit_test(keys_change_under_load),
        cmocka_unit_test(secrets_go_when_a_connection_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
