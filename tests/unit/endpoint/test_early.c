/* Early data: half a round trip, once at most, and never without being said. */
#include "pair.h"

#include "base/time.h"

static uint64_t verdicts(struct pair *p, int at, enum skua_verdict verdict)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(p->host[at].ep, &stats);
    return stats.verdicts[verdict];
}

static struct skua_conn_config asking(struct pair *p)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.tokens = true;
    config.ik = true;
    config.server_key = skua_endpoint_key(p->host[SERVER].ep);
    return config;
}

static struct skua_listen_config giving(void)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    config.early_data = true;
    return config;
}

/* Forgets what both sides have seen. */
static void forget(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        memset(p->host[i].events, 0, sizeof p->host[i].events);
        memset(p->host[i].seen, 0, sizeof p->host[i].seen);
        p->host[i].stream = 0;
    }
}

/* Closes what there is at both sides, and lets it end. */
static void close_both(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        (void)skua_conn_close(p->host[i].ep, p->host[i].conn);
    }
    pair_run(p, 20 * p->delay);
}

/* A token for the client, from a connection that has ended since; the server listens on. */
static struct skua_token earn(struct pair *p)
{
    struct skua_token token;
    struct skua_conn_config config = asking(p);
    struct host *client = &p->host[CLIENT];
    (void)pair_connect(p, &config);
    pair_run(p, 10 * p->delay);
    assert_true(client->events[SKUA_EVENT_TOKEN] > 0);
    assert_int_equal(skua_conn_token(client->ep, client->conn, &token), SKUA_OK);
    close_both(p);
    forget(p);
    return token;
}

static void open_early(struct pair *p, const struct skua_listen_config *config)
{
    const struct skua_listen_config defaults = giving();
    pair_open(p);
    pair_listen(p, config != NULL ? config : &defaults);
}

/* Connects with `token` and writes `text` with its end before the SYN leaves. */
static skua_stream call(struct pair *p, const struct skua_token *token, const char *text)
{
    struct skua_conn_config config = asking(p);
    struct host *client = &p->host[CLIENT];
    skua_stream stream;
    size_t n;
    config.token = token;
    (void)pair_connect(p, &config);
    assert_int_equal(skua_stream_open(client->ep, client->conn, SKUA_STREAM_BIDI, &stream),
                     SKUA_OK);
    assert_int_equal(skua_stream_write(client->ep, stream, text, strlen(text), &n), SKUA_OK);
    assert_int_equal(n, strlen(text));
    assert_int_equal(skua_stream_finish(client->ep, stream), SKUA_OK);
    return stream;
}

/* What can be read of `stream` at `at` is `text`, and no more comes. */
static void reads(struct pair *p, int at, skua_stream stream, const char *text)
{
    char got[2000];
    size_t n = 0;
    struct skua_endpoint *ep = p->host[at].ep;
    assert_int_equal(skua_stream_read(ep, stream, got, sizeof got, &n), SKUA_OK);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(got, text, n);
    assert_int_equal(skua_stream_read(ep, stream, got, sizeof got, &n), SKUA_EOF);
}

/* The call came through once, as early data or not, and the connection ends orderly. */
static void came_through(struct pair *p, const char *text, bool early)
{
    struct host *client = &p->host[CLIENT], *server = &p->host[SERVER];
    assert_int_equal(client->events[SKUA_EVENT_ESTABLISHED], 1);
    assert_int_equal(client->seen[SKUA_EVENT_ESTABLISHED].early, early);
    assert_int_equal(server->events[SKUA_EVENT_INCOMING], 1);
    assert_int_equal(server->seen[SKUA_EVENT_INCOMING].early, early);
    assert_int_equal(server->events[SKUA_EVENT_ESTABLISHED], early);
    assert_int_equal(server->events[SKUA_EVENT_STREAM], 1);
    struct skua_stream_info info;
    assert_int_equal(skua_stream_info(server->ep, server->stream, &info), SKUA_OK);
    assert_int_equal(info.early, early ? strlen(text) : 0);
    reads(p, SERVER, server->stream, text);
    assert_int_equal(server->ep->early_count, 0);
    close_both(p);
    assert_int_equal(client->closed.error, SKUA_OK);
    assert_int_equal(server->closed.error, SKUA_OK);
}

/* --- tokens */

static void tokens_are_given_to_those_who_ask(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct pair p;
        struct skua_listen_config listen = giving();
        struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
        struct skua_token token;
        listen.early_data = (i & 1) != 0;
        config.tokens = (i & 2) != 0; /* with XX as well */
        open_early(&p, &listen);
        (void)pair_connect(&p, &config);
        struct host *client = &p.host[CLIENT];
        assert_int_equal(skua_conn_token(client->ep, client->conn, &token), SKUA_EAGAIN);
        pair_run(&p, 10 * p.delay);
        assert_int_equal(client->events[SKUA_EVENT_TOKEN], i == 3);
        assert_int_equal(skua_conn_token(client->ep, client->conn, &token),
                         i == 3 ? SKUA_OK : SKUA_EAGAIN);
        assert_int_equal(token.len, i == 3 ? SKUA_EARLY_TOKEN_LEN : 0);
        assert_int_equal(skua_conn_token(client->ep, client->conn, &token), SKUA_EAGAIN);
        close_both(&p); /* another one comes with the end, and nobody fetches it */
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
        open_early(&p, NULL);
        struct skua_conn_config config = asking(&p);
        (void)pair_connect(&p, &config);
        pair_run(&p, 25 * SKUA_SEC); /* the first one is old by now */
        struct host *client = &p.host[CLIENT];
        assert_int_equal(skua_conn_token(client->ep, client->conn, &token), SKUA_OK);
        assert_int_equal(skua_conn_close(p.host[first].ep, p.host[first].conn), SKUA_OK);
        pair_run(&p, 5 * p.delay);
        assert_int_equal(skua_conn_token(client->ep, client->conn, &token), SKUA_OK);
        close_both(&p);
        forget(&p);
        (void)call(&p, &token, "hello");
        pair_run(&p, 6 * p.delay);
        came_through(&p, "hello", true);
        pair_close(&p);
    }
}

static void nonsense_is_refused_at_once(void **state)
{
    (void)state;
    struct pair p;
    static const uint8_t psk[SKUA_PSK_LEN] = {1};
    struct skua_token token = {.len = SKUA_EARLY_TOKEN_LEN};
    pair_open(&p);
    struct skua_conn_config good = asking(&p), bad = asking(&p);
    good.token = bad.token = &token;
    bad.ik = false;
    assert_int_equal(pair_dial(&p, CLIENT, &bad), SKUA_EINVAL);
    bad = good;
    bad.psk = psk;
    assert_int_equal(pair_dial(&p, CLIENT, &bad), SKUA_EINVAL);
    bad = good;
    bad.rendezvous = true;
    assert_int_equal(pair_dial(&p, CLIENT, &bad), SKUA_EINVAL);
    token.len = 0;
    assert_int_equal(pair_dial(&p, CLIENT, &good), SKUA_EINVAL);
    token.len = SKUA_TOKEN_MAX + 1;
    assert_int_equal(pair_dial(&p, CLIENT, &good), SKUA_EINVAL);
    struct skua_listen_config listen = giving();
    listen.conn.psk = psk;
    assert_int_equal(skua_endpoint_listen(p.host[SERVER].ep, &listen), SKUA_EINVAL);
    listen = giving();
    listen.early_window_ns = 86401 * SKUA_SEC;
    assert_int_equal(skua_endpoint_listen(p.host[SERVER].ep, &listen), SKUA_EINVAL);
    pair_close(&p);
}

/* --- taken */

static void arrives_after_half_a_round_trip(void **state)
{
    (void)state;
    struct pair p;
    open_early(&p, NULL);
    struct skua_token token = earn(&p);
    skua_time start = p.now;
    skua_stream stream = call(&p, &token, "hello");
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
    reads(&p, SERVER, server->stream, "hello");
    size_t n;
    assert_int_equal(skua_stream_write(server->ep, server->stream, "world", 5, &n), SKUA_OK);
    assert_int_equal(skua_stream_finish(server->ep, server->stream), SKUA_OK);
    pair_run(&p, p.delay); /* SYN_ACK, and the answer behind it */
    assert_int_equal(client->at[SKUA_EVENT_ESTABLISHED], start + 2 * p.delay);
    assert_true(client->seen[SKUA_EVENT_ESTABLISHED].early);
    assert_int_equal(client->at[SKUA_EVENT_READABLE], start + 2 * p.delay);
    reads(&p, CLIENT, stream, "world");
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
    close_both(&p);
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
        open_early(&p, NULL);
        struct skua_token token = earn(&p);
        token.bytes[30] ^= taken ? 0 : 1;
        struct skua_conn_config config = asking(&p);
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
        close_both(&p);
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
        open_early(&p, NULL);
        struct skua_token token = earn(&p);
        token.bytes[30] ^= taken ? 0 : 1;
        struct skua_conn_config config = asking(&p);
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
        close_both(&p);
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
    struct skua_listen_config listen = giving();
    listen.retry = SKUA_RETRY_ALWAYS;
    open_early(&p, &listen);
    struct skua_token token = earn(&p);
    skua_time start = p.now;
    (void)call(&p, &token, "hello");
    pair_run(&p, 10 * p.delay);
    assert_int_equal(p.host[SERVER].at[SKUA_EVENT_INCOMING], start + 3 * p.delay);
    came_through(&p, "hello", true);
    pair_close(&p);
}

/* --- not taken: the same bytes come as ordinary data */

static void without_a_good_token(void **state)
{
    (void)state;
    for (int i = 0; i < 7; i++) {
        struct pair p;
        struct skua_listen_config listen = giving();
        open_early(&p, NULL);
        struct skua_token token = earn(&p);
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
        (void)call(&p, &token, "hello");
        pair_run(&p, p.delay);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 0);
        assert_int_equal(verdicts(&p, SERVER, SKUA_VERDICT_SYN_EARLY_REJECTED), i != 5);
        pair_run(&p, 10 * p.delay);
        came_through(&p, "hello", false);
        pair_close(&p);
    }
}

/* The window is the listener's to choose, and ends when it ends. */
static void the_window(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pair p;
        struct skua_listen_config listen = giving();
        listen.early_window_ns = 100 * SKUA_SEC;
        open_early(&p, &listen);
        struct skua_token token;
        token.len = SKUA_EARLY_TOKEN_LEN;
        skua_early_token_write(token.bytes, &p.host[SERVER].ep->early->key,
                               skua_endpoint_key(p.host[CLIENT].ep), &p.host[SERVER].ep->env.rng,
                               p.now);
        pair_run(&p, 100 * SKUA_SEC - p.delay + (unsigned)i);
        (void)call(&p, &token, "hello");
        pair_run(&p, 10 * p.delay);
        came_through(&p, "hello", i == 0);
        pair_close(&p);
    }
}

static bool allow_nobody(void *user, const struct skua_key *key, const struct skua_path *path)
{
    (void)key;
    (void)path;
    return *(bool *)user;
}

/* A server that would not take the connection now does not take the data either. */
static void without_room_or_consent(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct pair p;
        struct skua_listen_config listen = giving();
        bool allowed = true;
        listen.allow = allow_nobody;
        listen.allow_user = &allowed;
        listen.backlog = 1;
        listen.early_backlog = 1;
        listen.conn.max_streams_bidi = i == 3 ? 1 : 0;
        open_early(&p, &listen);
        struct skua_token token = earn(&p);
        if (i == 0) { /* the accept queue is full */
            p.no_accept = true;
            (void)pair_connect(&p, NULL);
            pair_run(&p, 10 * p.delay);
        } else if (i == 1) {
            allowed = false;
        } else if (i == 2) { /* as many as may be have not answered yet */
            p.host[SERVER].ep->early_count = 1;
        }
        forget(&p);
        (void)call(&p, &token, "hello");
        if (i == 3) { /* a stream too many */
            skua_stream s;
            struct skua_endpoint *ep = p.host[CLIENT].ep;
            assert_int_equal(skua_stream_open(ep, p.host[CLIENT].conn, SKUA_STREAM_BIDI, &s),
                             SKUA_OK);
            assert_int_equal(skua_stream_finish(ep, s), SKUA_OK);
        }
        pair_run(&p, p.delay);
        assert_int_equal(verdicts(&p, SERVER, SKUA_VERDICT_SYN_EARLY_REJECTED), 1);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 0);
        p.host[SERVER].ep->early_count = 0;
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
            came_through(&p, "hello", false);
        }
        pair_close(&p);
    }
}

/* --- once */

/* Keeps the client's next SYN, and drops what the test says. */
struct tap {
    uint8_t syn[SKUA_LIMIT_UDP_MIN];
    bool have, deaf, mute; /* drop what the client, the server sends */
};

static bool tap(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    struct tap *t = pair->user;
    if (from == CLIENT && data[0] == SKUA_FIRST_BYTE(SKUA_PACKET_SYN) && len == sizeof t->syn) {
        memcpy(t->syn, data, len);
        t->have = true;
    }
    return from == CLIENT ? t->deaf : t->mute;
}

/* A copy of the SYN reaches the server from some other address. */
static void inject_from_elsewhere(struct pair *p, struct tap *t, uint16_t port)
{
    uint8_t copy[sizeof t->syn];
    memcpy(copy, t->syn, sizeof copy);
    struct skua_rx rx = {.data = copy, .len = sizeof copy};
    rx.path.remote.family = SKUA_FAMILY_IPV4;
    rx.path.remote.ip[0] = 192;
    rx.path.remote.port = port;
    skua_endpoint_recv(p->host[SERVER].ep, &rx, 1, p->now);
    pair_poll(p, SERVER);
    skua_endpoint_settle(p->host[SERVER].ep);
}

/* Copies in time and late, from there and from elsewhere, to the same listener and to the next:
 * nothing is delivered twice, no connection is made, and no copy is told "rejected" as long as its
 * client could believe it. */
static void copies_do_nothing(void **state)
{
    (void)state;
    struct pair p;
    struct tap t = {.have = false};
    struct skua_listen_config listen = giving();
    open_early(&p, NULL);
    p.drop = tap;
    p.user = &t;
    struct skua_token token = earn(&p);
    (void)call(&p, &token, "hello");
    pair_run(&p, p.delay);
    pair_inject(&p, SERVER, t.syn, sizeof t.syn);
    assert_int_equal(verdicts(&p, SERVER, SKUA_VERDICT_SYN_REPEAT), 1);
    inject_from_elsewhere(&p, &t, 1);
    assert_int_equal(verdicts(&p, SERVER, SKUA_VERDICT_SYN_REPLAYED), 1);
    pair_run(&p, 10 * p.delay);
    came_through(&p, "hello", true);
    skua_time begin = p.now;
    uint64_t replayed = 1;
    for (skua_time at = 0; at < 200 * SKUA_SEC; at += 5 * SKUA_SEC) {
        pair_run(&p, begin + at - p.now);
        uint64_t sent = p.host[SERVER].sent;
        pair_inject(&p, SERVER, t.syn, sizeof t.syn);
        inject_from_elsewhere(&p, &t, (uint16_t)(2 + at / SKUA_SEC));
        pair_run(&p, p.delay);
        if (at < 130 * SKUA_SEC) { /* longer than any client waits */
            assert_int_equal(p.host[SERVER].sent, sent);
            assert_true(verdicts(&p, SERVER, SKUA_VERDICT_SYN_REPLAYED) > replayed);
            replayed = verdicts(&p, SERVER, SKUA_VERDICT_SYN_REPLAYED);
        }
    }
    assert_true(verdicts(&p, SERVER, SKUA_VERDICT_SYN_EARLY_REJECTED) > 0); /* half-open entries */
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_STREAM], 1);
    pair_run(&p, 100 * SKUA_SEC);
    assert_int_equal(skua_idmap_count(&p.host[SERVER].ep->early->strikes), 0);

    token = earn(&p);
    (void)call(&p, &token, "again");
    pair_run(&p, 10 * p.delay);
    came_through(&p, "again", true);
    assert_int_equal(skua_endpoint_unlisten(p.host[SERVER].ep), SKUA_OK);
    pair_listen(&p, &listen);
    pair_inject(&p, SERVER, t.syn, sizeof t.syn);
    inject_from_elsewhere(&p, &t, 1000);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    pair_close(&p);
}

/* A token serves once: in another SYN it is worth nothing, and the data come as usual. */
static void a_token_serves_once(void **state)
{
    (void)state;
    struct pair p;
    open_early(&p, NULL);
    struct skua_token token = earn(&p);
    (void)call(&p, &token, "hello");
    pair_run(&p, 10 * p.delay);
    came_through(&p, "hello", true);
    forget(&p);
    (void)call(&p, &token, "once more");
    pair_run(&p, 10 * p.delay);
    came_through(&p, "once more", false);
    pair_close(&p);
}

/* "Rejected" is for ever: the client may send the data again by then. */
static void what_was_rejected_stays_rejected(void **state)
{
    (void)state;
    struct pair p;
    struct tap t = {.have = false};
    open_early(&p, NULL);
    p.drop = tap;
    p.user = &t;
    struct skua_token token = earn(&p);
    p.host[SERVER].ep->early_count = 1000;
    (void)call(&p, &token, "hello");
    pair_run(&p, 10 * p.delay);
    p.host[SERVER].ep->early_count = 0;
    inject_from_elsewhere(&p, &t, 1);
    pair_run(&p, p.delay);
    came_through(&p, "hello", false);
    pair_close(&p);
}

/* Where the answer is lost it is given again; the data are delivered once. */
static void a_lost_answer_is_repeated(void **state)
{
    (void)state;
    static const skua_time deaf_for[] = {5 * SKUA_SEC, 31 * SKUA_SEC}; /* longer than idle_timeout */
    for (size_t i = 0; i < sizeof deaf_for / sizeof deaf_for[0]; i++) {
        struct pair p;
        struct tap t = {.mute = true};
        open_early(&p, NULL);
        struct skua_token token = earn(&p);
        p.drop = tap;
        p.user = &t;
        (void)call(&p, &token, "hello");
        pair_run(&p, deaf_for[i]);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
        t.mute = false;
        pair_run(&p, 4 * SKUA_SEC);
        came_through(&p, "hello", true);
        pair_close(&p);
    }
}

/* A client that hears nothing does not try another way: the server may have the data. */
static void silence_stays_silence(void **state)
{
    (void)state;
    struct pair p;
    struct tap t = {.mute = true};
    struct skua_listen_config listen = giving();
    listen.conn.idle_timeout_ns = SKUA_NEVER;
    open_early(&p, &listen);
    struct skua_token token = earn(&p);
    p.drop = tap;
    p.user = &t;
    struct skua_conn_config config = asking(&p);
    config.token = &token;
    config.syn_retries = 10; /* not with early data */
    (void)pair_connect(&p, &config);
    skua_stream s;
    size_t n;
    skua_time start = p.now;
    assert_int_equal(skua_stream_open(p.host[CLIENT].ep, p.host[CLIENT].conn, SKUA_STREAM_UNI, &s),
                     SKUA_OK);
    assert_int_equal(skua_stream_write(p.host[CLIENT].ep, s, "hello", 5, &n), SKUA_OK);
    pair_run(&p, 100 * SKUA_SEC);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_ETIMEDOUT);
    assert_int_equal(p.host[CLIENT].at[SKUA_EVENT_CLOSED], start + 63 * SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_ESTABLISHED], 0);
    assert_int_equal(p.host[SERVER].closed.error, SKUA_ETIMEDOUT);
    assert_int_equal(p.host[SERVER].ep->early_count, 0);
    pair_close(&p);
}

/* A client that is not there any more: the server gives up by itself, and has said little. */
static void a_client_that_is_not_there(void **state)
{
    (void)state;
    for (int accepted = 0; accepted < 2; accepted++) {
        struct pair p;
        struct tap t = {.have = false};
        struct skua_listen_config listen = giving();
        listen.conn.idle_timeout_ns = SKUA_NEVER;
        open_early(&p, &listen);
        struct skua_token token = earn(&p);
        p.drop = tap;
        p.user = &t;
        p.no_accept = accepted == 0;
        (void)call(&p, &token, "hello");
        pair_run(&p, p.delay / 2);
        t.deaf = t.mute = true;
        uint64_t before = p.host[SERVER].ep->bytes_sent;
        pair_run(&p, p.delay);
        if (accepted != 0) {
            static uint8_t bytes[100000];
            size_t n;
            struct skua_endpoint *ep = p.host[SERVER].ep;
            assert_int_equal(skua_stream_write(ep, p.host[SERVER].stream, bytes, sizeof bytes, &n),
                             SKUA_OK);
        }
        /* No repeat of its SYN arrives: all that it will ever get is three times one SYN. */
        pair_run(&p, 70 * SKUA_SEC);
        assert_true(p.host[SERVER].ep->bytes_sent - before <= 3 * SKUA_LIMIT_UDP_MIN);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 1);
        assert_int_equal(p.host[SERVER].closed.error, SKUA_ETIMEDOUT);
        struct skua_endpoint_stats stats;
        skua_endpoint_stats(p.host[SERVER].ep, &stats);
        assert_int_equal(stats.conns, 0);
        assert_int_equal(stats.half_open, 0);
        assert_int_equal(stats.accept_queue, 0);
        assert_int_equal(p.host[SERVER].ep->early_count, 0);
        pair_close(&p);
    }
}

/* The client changes its mind before it is answered. */
static void a_syn_taken_back(void **state)
{
    (void)state;
    struct pair p;
    open_early(&p, NULL);
    struct skua_token token = earn(&p);
    (void)call(&p, &token, "hello");
    pair_run(&p, p.delay / 2);
    assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    pair_run(&p, 2 * p.delay);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    assert_int_equal(p.host[SERVER].closed.error, SKUA_ECONNRESET);
    assert_int_equal(p.host[SERVER].ep->early_count, 0);
    assert_int_equal(skua_syn_queue_count(&p.host[SERVER].ep->syns), 0);
    pair_close(&p);
}

/* What takes a SYN back, kept on its way. */
struct taken_back {
    uint8_t bytes[SKUA_LIMIT_UDP_MIN];
    size_t len;
};

static bool keep_taken_back(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    struct taken_back *kept = pair->user;
    bool is_it = from == CLIENT && data[0] == SKUA_FIRST_BYTE(SKUA_PACKET_REFUSE);
    if (is_it) {
        assert_true(len <= sizeof kept->bytes);
        memcpy(kept->bytes, data, len);
        kept->len = len;
    }
    return is_it;
}

/* Both change their minds: the client's word comes when the server has ended the connection, and
 * has not yet had room to say so. */
static void a_syn_taken_back_too_late(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pair p;
        struct taken_back kept = {.len = 0};
        open_early(&p, NULL);
        struct skua_token token = earn(&p);
        p.drop = keep_taken_back;
        p.user = &kept;
        p.no_accept = i == 1;
        (void)call(&p, &token, "hello");
        pair_run(&p, p.delay / 2);
        assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
        pair_run(&p, p.delay - p.delay / 2);
        assert_true(kept.len > 0);
        struct skua_endpoint *ep = p.host[SERVER].ep;
        skua_conn conn = p.host[SERVER].conn;
        assert_int_equal(i == 0 ? skua_conn_abort(ep, conn, 9, "no")
                                : skua_conn_refuse(ep, conn, SKUA_CODE_REFUSED),
                         SKUA_OK);
        pair_inject(&p, SERVER, kept.bytes, kept.len);
        p.drop = NULL;
        pair_run(&p, 70 * SKUA_SEC);
        assert_int_equal(ep->early_count, 0);
        assert_int_equal(skua_syn_queue_count(&ep->syns), 0);
        pair_close(&p);
    }
}

/* The application ends it before the client has answered, and the first SYN_ACK arrives or is lost:
 * the client hears of it. */
static void the_server_ends_it_first(void **state)
{
    (void)state;
    for (int round = 0; round < 8; round++) {
        struct pair p;
        struct tap t = {.mute = round >= 4};
        int i = round % 4;
        open_early(&p, NULL);
        struct skua_token token = earn(&p);
        p.drop = tap;
        p.user = &t;
        p.no_accept = i == 1;
        (void)call(&p, &token, "hello");
        pair_run(&p, p.delay);
        struct skua_endpoint *ep = p.host[SERVER].ep;
        skua_conn conn = p.host[SERVER].conn;
        if (i == 0) {
            assert_int_equal(skua_conn_abort(ep, conn, 9, "no"), SKUA_OK);
        } else if (i == 1) {
            assert_int_equal(skua_conn_refuse(ep, conn, SKUA_CODE_REFUSED), SKUA_OK);
        } else if (i == 2) {
            assert_int_equal(skua_conn_close(ep, conn), SKUA_OK);
        } else {
            assert_int_equal(skua_endpoint_unlisten(ep), SKUA_OK); /* it was accepted: goes on */
        }
        pair_run(&p, p.delay);
        assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], t.mute ? 0 : 1);
        pair_run(&p, t.mute ? SKUA_SEC : 0);
        t.mute = false;
        pair_run(&p, 3 * SKUA_SEC);
        if (i < 2) {
            assert_int_equal(p.host[CLIENT].closed.error,
                             i == 0 ? SKUA_ECONNRESET : SKUA_ECONNREFUSED);
        } else {
            assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
            close_both(&p);
            assert_int_equal(p.host[CLIENT].closed.error, SKUA_OK);
            assert_int_equal(p.host[SERVER].closed.error, SKUA_OK);
        }
        assert_int_equal(ep->early_count, 0);
        uint64_t sent = p.host[SERVER].sent;
        pair_run(&p, 64 * SKUA_SEC); /* whoever does not ask is not told again */
        assert_int_equal(p.host[SERVER].sent, sent);
        assert_int_equal(skua_syn_queue_count(&ep->syns), 0);
        pair_close(&p);
    }
}

/* The entry that repeats what was said of early data is not given up for another client's. */
static void the_answer_is_kept(void **state)
{
    (void)state;
    struct pair p;
    struct tap t = {.mute = true};
    struct skua_listen_config listen = giving();
    listen.syn_backlog = 1;
    listen.retry = SKUA_RETRY_NEVER;
    open_early(&p, &listen);
    struct skua_token token = earn(&p);
    p.drop = tap;
    p.user = &t;
    (void)call(&p, &token, "hello");
    skua_conn early = p.host[CLIENT].conn;
    pair_run(&p, 2500 * SKUA_MSEC); /* the server has repeated it of itself */
    (void)pair_connect(&p, NULL);
    pair_run(&p, p.delay);
    assert_int_equal(verdicts(&p, SERVER, SKUA_VERDICT_SYN_QUEUE_FULL), 1);
    t.mute = false;
    pair_run(&p, 2 * SKUA_SEC);
    struct skua_conn_stats stats;
    assert_int_equal(skua_conn_stats(p.host[CLIENT].ep, early, &stats), SKUA_OK);
    assert_int_equal(stats.state, SKUA_STATE_ESTABLISHED);
    assert_int_equal(p.host[SERVER].ep->early_count, 0);
    pair_close(&p);
}

/* A client can make its round trips look as long as it likes, by ACKs that say that they were not
 * late; its SYN is not remembered for three PTOs of that. */
static void a_slow_client_is_forgotten_in_time(void **state)
{
    (void)state;
    struct pair p;
    open_early(&p, NULL);
    struct skua_token token = earn(&p);
    (void)call(&p, &token, "hello");
    pair_run(&p, p.delay);
    const struct skua_endpoint *ep = p.host[SERVER].ep;
    skua_conn_first_rtt(pair_conn(&p, SERVER), 60 * SKUA_SEC);
    pair_run(&p, 4 * p.delay);
    assert_false(pair_conn(&p, SERVER)->early_open);
    assert_int_equal(skua_idmap_count(&ep->syns.spent), 1);
    close_both(&p);
    pair_run(&p, 61 * SKUA_SEC);
    assert_int_equal(skua_idmap_count(&ep->syns.spent), 0);
    pair_close(&p);
}

/* A server that claims to have taken what it was not given. */
static void taken_and_never_given(void **state)
{
    (void)state;
    struct pair p;
    open_early(&p, NULL);
    struct skua_token token = earn(&p);
    (void)call(&p, &token, "hello");
    pair_run(&p, p.delay);
    pair_conn(&p, CLIENT)->dial->early->count = 0; /* as if it had sent none */
    pair_run(&p, 4 * p.delay);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_EPROTO);
    assert_int_equal(p.host[CLIENT].closed.code, SKUA_CODE_PARAMETER);
    pair_close(&p);
}

/* A token serves for its server only: where nothing was written, an IK attempt that nobody answers
 * is followed by an XX attempt as ever, and the user hears that the key is another. */
static void an_unused_token_does_not_hide_another_key(void **state)
{
    (void)state;
    struct pair p;
    open_early(&p, NULL);
    struct skua_token token = earn(&p);
    struct skua_conn_config config = asking(&p);
    config.token = &token;
    config.server_key = skua_endpoint_key(p.host[CLIENT].ep); /* not who listens there */
    (void)pair_connect(&p, &config);
    pair_run(&p, 200 * SKUA_SEC);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_EPEERKEY);
    pair_close(&p);
}

/* The caller's clock goes ahead and falls back, contrary to what is asked of it: what was taken, or
 * was too old, is not good again. */
static void a_clock_that_falls_back(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pair p;
        struct tap t = {.have = false};
        open_early(&p, NULL);
        p.drop = tap;
        p.user = &t;
        struct skua_token token = earn(&p);
        struct skua_endpoint *ep = p.host[SERVER].ep;
        (void)call(&p, &token, "hello");
        if (i == 1) { /* too old when it comes */
            skua_endpoint_on_timeout(ep, p.now + 20 * SKUA_SEC);
        }
        pair_run(&p, 10 * p.delay);
        came_through(&p, "hello", i == 0);
        skua_endpoint_on_timeout(ep, p.now + 300 * SKUA_SEC); /* all is forgotten */
        assert_int_equal(skua_idmap_count(&ep->early->strikes), 0);
        uint64_t rejected = verdicts(&p, SERVER, SKUA_VERDICT_SYN_EARLY_REJECTED);
        inject_from_elsewhere(&p, &t, 7);
        assert_int_equal(verdicts(&p, SERVER, SKUA_VERDICT_SYN_EARLY_REJECTED), rejected + 1);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
        pair_close(&p);
    }
    /* A token that is from the future. */
    struct pair p;
    open_early(&p, NULL);
    skua_endpoint_on_timeout(p.host[SERVER].ep, p.now + SKUA_SEC);
    struct skua_token token = earn(&p);
    (void)call(&p, &token, "hello");
    pair_run(&p, 10 * p.delay);
    came_through(&p, "hello", true);
    pair_close(&p);
}

/* --- the strike register by itself */

static void strikes_are_bounded(void **state)
{
    (void)state;
    struct pair p;
    open_early(&p, NULL);
    struct skua_endpoint *ep = p.host[SERVER].ep;
    struct skua_early *early = ep->early;
    const struct skua_key *client = skua_endpoint_key(p.host[CLIENT].ep);
    uint8_t bytes[SKUA_EARLY_TOKEN_LEN], spare[2][SKUA_EARLY_TOKEN_LEN];
    const uint8_t digest[SKUA_TAG_LEN] = {1};
    struct skua_early_data data = {.token = bytes, .token_len = sizeof bytes};
    skua_time now = p.now;
    skua_early_token_write(spare[0], &early->key, client, &ep->env.rng, now);
    skua_early_token_write(spare[1], &early->key, client, &ep->env.rng, now);
    for (uint32_t i = 0; i < SKUA_LIMIT_EARLY_STRIKES; i++) {
        skua_early_token_write(bytes, &early->key, client, &ep->env.rng, now);
        assert_int_equal(skua_early_strike(early, client, &data, digest, true, now),
                         SKUA_EARLY_TAKEN);
    }
    data.token = spare[0];
    assert_int_equal(skua_early_strike(early, client, &data, digest, true, now),
                     SKUA_EARLY_REJECTED);
    /* There is room again, but nobody remembers what became of tokens of that time. */
    early->window_ns = 1000 * SKUA_SEC;
    now += 138 * SKUA_SEC;
    for (int i = 0; i < 2; i++) {
        data.token = spare[i];
        assert_int_equal(skua_early_strike(early, client, &data, digest, true, now),
                         SKUA_EARLY_REJECTED);
    }
    assert_int_equal(skua_idmap_count(&early->strikes), 0);
    skua_early_token_write(spare[0], &early->key, client, &ep->env.rng, now);
    data.token = spare[0];
    assert_int_equal(skua_early_strike(early, client, &data, digest, true, now), SKUA_EARLY_TAKEN);
    assert_int_equal(skua_early_strike(early, client, &data, digest, true, now),
                     SKUA_EARLY_REPLAYED);
    skua_early_undo(early, &data);
    assert_int_equal(skua_early_strike(early, client, &data, digest, true, now),
                     SKUA_EARLY_REJECTED);
    /* A clock that stands before a token was given is no reason to take it. */
    skua_early_token_write(spare[1], &early->key, client, &ep->env.rng, now + 1);
    data.token = spare[1];
    assert_int_equal(skua_early_strike(early, client, &data, digest, true, now),
                     SKUA_EARLY_REJECTED);
    pair_close(&p);
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
            open_early(&p, NULL);
            struct skua_token token = earn(&p);
            struct host *client = &p.host[CLIENT], *server = &p.host[SERVER];
            struct skua_conn_config config = asking(&p);
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
            close_both(&p);
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
        cmocka_unit_test(copies_do_nothing),
        cmocka_unit_test(a_token_serves_once),
        cmocka_unit_test(what_was_rejected_stays_rejected),
        cmocka_unit_test(a_lost_answer_is_repeated),
        cmocka_unit_test(silence_stays_silence),
        cmocka_unit_test(a_client_that_is_not_there),
        cmocka_unit_test(a_syn_taken_back),
        cmocka_unit_test(a_syn_taken_back_too_late),
        cmocka_unit_test(the_server_ends_it_first),
        cmocka_unit_test(the_answer_is_kept),
        cmocka_unit_test(taken_and_never_given),
        cmocka_unit_test(a_slow_client_is_forgotten_in_time),
        cmocka_unit_test(an_unused_token_does_not_hide_another_key),
        cmocka_unit_test(a_clock_that_falls_back),
        cmocka_unit_test(strikes_are_bounded),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
