/* Early data: half a round trip, taken or not, and never without being said. */
#include "early_pair.h"

#include "base/time.h"

/* --- tokens */

static void tokens_are_given_to_those_who_ask(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct pair p;
        struct skua_listen_config listen = early_giving();
        struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
        struct skua_token token;
        listen.early_data = (i & 1) != 0;
        config.tokens = (i & 2) != 0; /* with XX as well */
        early_open(&p, &listen);
        (void)pair_connect(&p, &config);
        struct host *client = &p.host[CLIENT];
        assert_int_equal(skua_conn_token(client->ep, client->conn, &token), SKUA_EAGAIN);
        pair_run(&p, 10 * p.delay);
        assert_int_equal(client->events[SKUA_EVENT_TOKEN], i == 3);
        assert_int_equal(skua_conn_token(client->ep, client->conn, &token),
                         i == 3 ? SKUA_OK : SKUA_EAGAIN);
        assert_int_equal(token.len, i == 3 ? SKUA_EARLY_TOKEN_LEN : 0);
        assert_int_equal(skua_conn_token(client->ep, client->conn, &token), SKUA_EAGAIN);
        early_close_both(&p); /* another one comes with the end, and nobody fetches it */
        assert_true(i == 3 ? client->events[SKUA_EVENT_TOKEN] > 1
                           : client->events[SKUA_EVENT_TOKEN] == 0);
        assert_int_equal(skua_conn_token(client->ep, client->conn, &token), SKUA_ECLOSED);
        assert_int_equal(skua_nummap_count(&client->ep->env.tokens), 0);
        pair_close(&p);
    }
}

/* Where the server closes first too. */
static void a_fresh_token_comes_with_the_end(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct pair p;
        struct skua_token token;
        early_open(&p, NULL);
        struct skua_conn_config config = early_asking(&p);
        (void)pair_connect(&p, &config);
        pair_run(&p, 25 * SKUA_SEC); /* the first one is old by now */
        struct host *client = &p.host[CLIENT];
        assert_int_equal(skua_conn_token(client->ep, client->conn, &token), SKUA_OK);
        assert_int_equal(skua_conn_close(p.host[first].ep, p.host[first].conn), SKUA_OK);
        pair_run(&p, 5 * p.delay);
        assert_int_equal(skua_conn_token(client->ep, client->conn, &token), SKUA_OK);
        early_close_both(&p);
        early_forget(&p);
        (void)early_call(&p, &token, "hello");
        pair_run(&p, 6 * p.delay);
        early_came_through(&p, "hello", true);
        pair_close(&p);
    }
}

static void refused(struct pair *p, const struct skua_conn_config *config)
{
    assert_int_equal(skua_conn_config_check(config), SKUA_EINVAL);
    assert_int_equal(pair_dial(p, CLIENT, config), SKUA_EINVAL);
}

static void nonsense_is_refused_at_once(void **state)
{
    (void)state;
    struct pair p;
    static const uint8_t psk[SKUA_PSK_LEN] = {1};
    struct skua_token token = {.len = SKUA_EARLY_TOKEN_LEN};
    pair_open(&p);
    struct skua_conn_config good = early_asking(&p), bad = early_asking(&p);
    good.token = bad.token = &token;
    assert_int_equal(skua_conn_config_check(&good), SKUA_OK);
    bad.ik = false;
    refused(&p, &bad);
    bad = good;
    bad.psk = psk;
    refused(&p, &bad);
    bad = good;
    bad.rendezvous = true;
    refused(&p, &bad);
    token.len = 0;
    refused(&p, &good);
    token.len = SKUA_TOKEN_MAX + 1;
    refused(&p, &good);
    struct skua_listen_config listen = early_giving();
    listen.conn.psk = psk;
    assert_int_equal(skua_endpoint_listen(p.host[SERVER].ep, &listen), SKUA_EINVAL);
    listen = early_giving();
    listen.early_window_ns = 86401 * SKUA_SEC;
    assert_int_equal(skua_endpoint_listen(p.host[SERVER].ep, &listen), SKUA_EINVAL);
    pair_close(&p);
}

/* --- taken */

static void arrives_after_half_a_round_trip(void **state)
{
    (void)state;
    struct pair p;
    struct skua_token token = early_begin(&p, NULL, NULL);
    skua_time start = p.now;
    skua_stream stream = early_call(&p, &token, "hello");
    struct host *client = &p.host[CLIENT], *server = &p.host[SERVER];
    pair_run(&p, p.delay);
    assert_int_equal(server->at[SKUA_EVENT_INCOMING], start + p.delay);
    assert_true(server->seen[SKUA_EVENT_INCOMING].early);
    assert_true(server->seen[SKUA_EVENT_READABLE].early || server->seen[SKUA_EVENT_STREAM].early);
    assert_memory_equal(&server->seen[SKUA_EVENT_INCOMING].key, skua_endpoint_key(client->ep),
                        sizeof(struct skua_key));
    enum skua_state at;
    assert_int_equal(skua_conn_state(server->ep, server->conn, &at), SKUA_OK);
    assert_int_equal(at, SKUA_STATE_SYN_RCVD);
    assert_int_equal(server->ep->early_count, 1);
    early_reads(&p, SERVER, server->stream, "hello");
    size_t n;
    assert_int_equal(skua_stream_write(server->ep, server->stream, "world", 5, &n), SKUA_OK);
    assert_int_equal(skua_stream_finish(server->ep, server->stream), SKUA_OK);
    pair_run(&p, p.delay); /* SYN_ACK, and the answer behind it */
    assert_int_equal(client->at[SKUA_EVENT_ESTABLISHED], start + 2 * p.delay);
    assert_true(client->seen[SKUA_EVENT_ESTABLISHED].early);
    assert_int_equal(client->at[SKUA_EVENT_READABLE], start + 2 * p.delay);
    early_reads(&p, CLIENT, stream, "world");
    struct skua_stream_info info;
    assert_int_equal(skua_stream_info(client->ep, stream, &info), SKUA_OK);
    assert_int_equal(info.acked, 5);
    assert_true(info.finished);
    assert_int_equal(server->events[SKUA_EVENT_ESTABLISHED], 0);
    pair_run(&p, p.delay);
    assert_int_equal(server->events[SKUA_EVENT_ESTABLISHED], 1);
    assert_int_equal(skua_conn_state(server->ep, server->conn, &at), SKUA_OK);
    assert_int_equal(at, SKUA_STATE_ESTABLISHED);
    assert_int_equal(server->ep->early_count, 0);
    assert_int_equal(skua_syn_queue_count(&server->ep->syns), 0);
    early_close_both(&p);
    assert_int_equal(client->closed.error, SKUA_OK);
    assert_int_equal(server->closed.error, SKUA_OK);
    pair_close(&p);
}

/* More than fits into the SYN, in several streams: what does not fit follows as usual. */
static void the_rest_follows(void **state)
{
    (void)state;
    enum { STREAMS = 20, BYTES = 300 };
    for (int taken = 0; taken < 2; taken++) {
        struct pair p;
        char text[BYTES];
        struct skua_token token = early_begin(&p, NULL, NULL);
        token.bytes[30] ^= taken ? 0 : 1;
        struct skua_conn_config config = early_asking(&p);
        config.token = &token;
        (void)pair_connect(&p, &config);
        for (int i = 0; i < STREAMS; i++) {
            skua_stream s;
            size_t n;
            memset(text, 'a' + i, sizeof text);
            struct skua_endpoint *ep = p.host[CLIENT].ep;
            assert_int_equal(skua_stream_open(ep, p.host[CLIENT].conn, (unsigned)i % 2, &s),
                             SKUA_OK);
            assert_int_equal(skua_stream_write(ep, s, text, i < 6 ? 30 : sizeof text, &n), SKUA_OK);
            assert_int_equal(skua_stream_finish(ep, s), SKUA_OK);
        }
        pair_run(&p, p.delay);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_STREAM] > 6, taken);
        pair_run(&p, 20 * p.delay);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_STREAM], STREAMS);
        struct skua_streams *streams = &pair_conn(&p, SERVER)->streams;
        struct skua_stream *s = NULL;
        for (int i = 0; (s = skua_streams_next(streams, s)) != NULL; i++) {
            char got[BYTES + 1];
            size_t n;
            uint64_t index = s->id >> 3;
            int order = (int)(2 * index + (s->id >> 1 & 1));
            assert_int_equal(skua_streams_read(s, got, sizeof got, &n), SKUA_OK);
            assert_int_equal(n, order < 6 ? 30 : BYTES);
            assert_int_equal(got[0], 'a' + order);
            assert_int_equal(got[n - 1], 'a' + order);
        }
        skua_streams_check(streams);
        skua_streams_check(&pair_conn(&p, CLIENT)->streams);
        early_close_both(&p);
        assert_int_equal(p.host[CLIENT].closed.error, SKUA_OK);
        assert_int_equal(p.host[SERVER].closed.error, SKUA_OK);
        pair_close(&p);
    }
}

/* What the application does to its streams between SYN and SYN_ACK. */
static void streams_change_meanwhile(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct pair p;
        bool taken = (i & 1) != 0;
        size_t n;
        struct skua_token token = early_begin(&p, NULL, NULL);
        token.bytes[30] ^= taken ? 0 : 1;
        struct skua_conn_config config = early_asking(&p);
        config.token = &token;
        (void)pair_connect(&p, &config);
        struct skua_endpoint *ep = p.host[CLIENT].ep;
        skua_stream s;
        assert_int_equal(skua_stream_open(ep, p.host[CLIENT].conn, SKUA_STREAM_UNI, &s), SKUA_OK);
        assert_int_equal(skua_stream_write(ep, s, "hello", 5, &n), SKUA_OK);
        pair_run(&p, p.delay / 2);
        switch (i / 2) {
        case 0: /* more, and the end */
            assert_int_equal(skua_stream_write(ep, s, " world", 6, &n), SKUA_OK);
            assert_int_equal(skua_stream_finish(ep, s), SKUA_OK);
            break;
        case 1:
            assert_int_equal(skua_stream_reset(ep, s, 7), SKUA_OK);
            break;
        case 2: /* no handle any more */
            assert_int_equal(skua_stream_close(ep, s), SKUA_OK);
            break;
        case 3:
            assert_int_equal(skua_conn_shutdown(ep, p.host[CLIENT].conn), SKUA_OK);
            break;
        }
        pair_run(&p, 10 * p.delay);
        char got[20];
        skua_stream in = p.host[SERVER].stream;
        struct skua_endpoint *to = p.host[SERVER].ep;
        enum skua_err err = skua_stream_read(to, in, got, sizeof got, &n);
        if (i / 2 == 1) {
            assert_int_equal(err, SKUA_ERESET);
        } else {
            assert_int_equal(err, SKUA_OK);
            assert_int_equal(n, i / 2 == 0 ? 11 : 5);
            assert_memory_equal(got, "hello world", n);
            assert_int_equal(skua_stream_read(to, in, got, sizeof got, &n), SKUA_EOF);
        }
        skua_streams_check(&pair_conn(&p, CLIENT)->streams);
        skua_streams_check(&pair_conn(&p, SERVER)->streams);
        early_close_both(&p);
        assert_int_equal(p.host[CLIENT].closed.error, SKUA_OK);
        assert_int_equal(p.host[SERVER].closed.error, SKUA_OK);
        pair_close(&p);
    }
}

/* A RETRY costs a round trip, not the early data. */
static void goes_with_retry(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config listen = early_giving();
    listen.retry = SKUA_RETRY_ALWAYS;
    struct skua_token token = early_begin(&p, NULL, &listen);
    skua_time start = p.now;
    (void)early_call(&p, &token, "hello");
    pair_run(&p, 10 * p.delay);
    assert_int_equal(p.host[SERVER].at[SKUA_EVENT_INCOMING], start + 3 * p.delay);
    early_came_through(&p, "hello", true);
    pair_close(&p);
}

/* --- not taken: the same bytes come as ordinary data */

static void without_a_good_token(void **state)
{
    (void)state;
    for (int i = 0; i < 7; i++) {
        struct pair p;
        struct skua_listen_config listen = early_giving();
        struct skua_token token = early_begin(&p, NULL, NULL);
        switch (i) {
        case 0: /* another nonce */
            token.bytes[5] ^= 1;
            break;
        case 1: /* cut off */
            token.len--;
            break;
        case 2: /* as long as any */
            memset(token.bytes, 2, sizeof token.bytes);
            token.len = SKUA_TOKEN_MAX;
            break;
        case 3: /* too old */
            pair_run(&p, 10 * SKUA_SEC);
            break;
        case 4: /* another listener: after a restart, say */
            assert_int_equal(skua_endpoint_unlisten(p.host[SERVER].ep), SKUA_OK);
            pair_listen(&p, &listen);
            break;
        case 5: /* one that takes none */
            assert_int_equal(skua_endpoint_unlisten(p.host[SERVER].ep), SKUA_OK);
            pair_listen(&p, NULL);
            break;
        case 6: /* given to somebody else */
            skua_early_token_write(token.bytes, &p.host[SERVER].ep->early->key,
                                   skua_endpoint_key(p.host[SERVER].ep),
                                   &p.host[SERVER].ep->env.rng, p.now);
            break;
        }
        (void)early_call(&p, &token, "hello");
        pair_run(&p, p.delay);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 0);
        assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_EARLY_REJECTED), i != 5);
        pair_run(&p, 10 * p.delay);
        early_came_through(&p, "hello", false);
        pair_close(&p);
    }
}

/* The window is the listener's to choose, and ends when it ends. */
static void the_window(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pair p;
        struct skua_listen_config listen = early_giving();
        listen.early_window_ns = 100 * SKUA_SEC;
        early_open(&p, &listen);
        struct skua_token token;
        token.len = SKUA_EARLY_TOKEN_LEN;
        skua_early_token_write(token.bytes, &p.host[SERVER].ep->early->key,
                               skua_endpoint_key(p.host[CLIENT].ep), &p.host[SERVER].ep->env.rng,
                               p.now);
        pair_run(&p, 100 * SKUA_SEC - p.delay + (unsigned)i);
        (void)early_call(&p, &token, "hello");
        pair_run(&p, 10 * p.delay);
        early_came_through(&p, "hello", i == 0);
        pair_close(&p);
    }
}

static bool allow_nobody(void *user, const struct skua_key *key, const struct skua_path *path)
{
    (void)key;
    (void)path;
    return *(bool *)user;
}

/* A server that would not take the connection now does not take the data either, from nowhere and
 * never. */
static void without_room_or_consent(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct pair p;
        struct skua_listen_config listen = early_giving();
        bool allowed = true;
        listen.allow = allow_nobody;
        listen.allow_user = &allowed;
        listen.backlog = 1;
        listen.early_backlog = 1;
        listen.conn.max_streams_bidi = i == 3 ? 1 : 0;
        struct early_tap t = {.mute = false};
        struct skua_token token = early_begin(&p, &t, &listen);
        if (i == 0) { /* the accept queue is full */
            p.no_accept = true;
            (void)pair_connect(&p, NULL);
            pair_run(&p, 10 * p.delay);
        } else if (i == 1) {
            allowed = false;
        } else if (i == 2) { /* as many as may be have not answered yet */
            p.host[SERVER].ep->early_count = 1;
        }
        early_forget(&p);
        (void)early_call(&p, &token, "hello");
        if (i == 3) { /* a stream too many */
            skua_stream s;
            struct skua_endpoint *ep = p.host[CLIENT].ep;
            assert_int_equal(skua_stream_open(ep, p.host[CLIENT].conn, SKUA_STREAM_BIDI, &s),
                             SKUA_OK);
            assert_int_equal(skua_stream_finish(ep, s), SKUA_OK);
        }
        pair_run(&p, p.delay);
        assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_EARLY_REJECTED), 1);
        p.host[SERVER].ep->early_count = 0;
        early_inject(&p, &t, 1);
        assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_EARLY_REJECTED), 2);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 0);
        if (i == 0) {
            assert_int_equal(skua_conn_accept(p.host[SERVER].ep, p.host[SERVER].conn, NULL),
                             SKUA_OK);
            p.no_accept = false;
        }
        pair_run(&p, 20 * p.delay);
        if (i == 1) {
            assert_int_equal(p.host[CLIENT].closed.code, SKUA_CODE_KEY_REFUSED);
        } else if (i == 3) {
            assert_int_equal(p.host[SERVER].events[SKUA_EVENT_STREAM], 1);
        } else {
            early_came_through(&p, "hello", false);
        }
        pair_close(&p);
    }
}

/* A stream that has nothing for the SYN, or was given up before it left, counts for the server as
 * for the client: what was opened after it is taken only where both are within the limit. */
static void streams_keep_their_places(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct pair p;
        const bool within = i % 2 == 1, given_up = i >= 2;
        struct skua_listen_config listen = early_giving();
        listen.conn.max_streams_bidi = within ? 2 : 1;
        struct skua_token token = early_begin(&p, NULL, &listen);
        struct host *client = &p.host[CLIENT];
        struct skua_conn_config config = early_asking(&p);
        skua_stream silent, talks;
        size_t n;
        config.token = &token;
        early_forget(&p);
        (void)pair_connect(&p, &config);
        assert_int_equal(skua_stream_open(client->ep, client->conn, SKUA_STREAM_BIDI, &silent),
                         SKUA_OK);
        if (given_up) {
            assert_int_equal(skua_stream_write(client->ep, silent, "x", 1, &n), SKUA_OK);
            assert_int_equal(skua_stream_reset(client->ep, silent, 7), SKUA_OK);
        }
        assert_int_equal(skua_stream_open(client->ep, client->conn,
                                          SKUA_STREAM_BIDI | SKUA_STREAM_MESSAGES, &talks),
                         SKUA_OK);
        assert_int_equal(skua_stream_send_message(client->ep, talks, "hello", 5), SKUA_OK);
        pair_run(&p, 20 * p.delay);
        assert_int_equal(client->events[SKUA_EVENT_CLOSED], 0);
        assert_int_equal(client->events[SKUA_EVENT_ESTABLISHED], 1);
        assert_int_equal(client->seen[SKUA_EVENT_ESTABLISHED].early, within);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_STREAM], within ? 2 : given_up);
        pair_close(&p);
    }
}

/* --- memory */

/* Every allocation of either side fails in turn, alone or with all after it. Nothing is delivered
 * twice, and what began ends. */
static void every_allocation_may_fail(void **state)
{
    (void)state;
    unsigned early = 0, late = 0;
    for (int side = 0; side < 2; side++) {
        for (int64_t nth = 0; nth < 60; nth++) {
            struct pair p;
            struct skua_token token = early_begin(&p, NULL, NULL);
            struct host *client = &p.host[CLIENT], *server = &p.host[SERVER];
            struct skua_conn_config config = early_asking(&p);
            config.token = &token;
            p.host[side].fail_after = nth;
            p.host[side].fail_once = nth % 2 == 0;
            skua_stream s = 0;
            size_t n = 0;
            if (pair_dial(&p, CLIENT, &config) == SKUA_OK &&
                skua_stream_open(client->ep, client->conn, SKUA_STREAM_UNI, &s) == SKUA_OK) {
                (void)skua_stream_write(client->ep, s, "hello", 5, &n);
                (void)skua_stream_finish(client->ep, s);
            }
            pair_run(&p, 3 * SKUA_SEC);
            char got[10];
            size_t len = 0;
            if (server->stream != 0 &&
                skua_stream_read(server->ep, server->stream, got, sizeof got, &len) == SKUA_OK) {
                assert_int_equal(len, n);
                early += server->seen[SKUA_EVENT_INCOMING].early;
                late += !server->seen[SKUA_EVENT_INCOMING].early;
            }
            assert_true(server->events[SKUA_EVENT_STREAM] <= 1);
            p.host[side].fail_after = -1;
            early_close_both(&p);
            pair_run(&p, 200 * SKUA_SEC);
            assert_int_equal(server->ep->early_count, 0);
            pair_close(&p);
        }
    }
    assert_true(early > 20 && late > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_given_to_those_who_ask),
        cmocka_unit_test(a_fresh_token_comes_with_the_end),
        cmocka_unit_test(nonsense_is_refused_at_once),
        cmocka_unit_test(arrives_after_half_a_round_trip),
        cmocka_unit_test(the_rest_follows),
        cmocka_unit_test(streams_change_meanwhile),
        cmocka_unit_test(goes_with_retry),
        cmocka_unit_test(without_a_good_token),
        cmocka_unit_test(the_window),
        cmocka_unit_test(without_room_or_consent),
        cmocka_unit_test(streams_keep_their_places),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
