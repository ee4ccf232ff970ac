/* Listening, its queues and their limits. */
#include "pair.h"

static void stats_of(struct pair *p, int at, struct skua_endpoint_stats *stats)
{
    skua_endpoint_stats(p->host[at].ep, stats);
}

static void nobody_listens_is_told_at_once(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    (void)pair_connect(&p, NULL);
    pair_run(&p, 3 * p.delay);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 1);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_ECONNREFUSED);
    pair_close(&p);
}

static void a_refused_connection_is_told(void **state)
{
    (void)state;
    struct pair p;
    struct skua_endpoint_stats stats;
    pair_open(&p);
    p.no_accept = true;
    pair_establish(&p, NULL, NULL);
    struct skua_endpoint *ep = p.host[SERVER].ep;
    assert_int_equal(skua_conn_refuse(ep, p.host[SERVER].conn, SKUA_CODE_KEY_REFUSED), SKUA_OK);
    pair_run(&p, 3 * p.delay);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_ECONNREFUSED);
    assert_int_equal(p.host[CLIENT].closed.code, SKUA_CODE_KEY_REFUSED);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 0);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.accept_queue, 0);
    assert_int_equal(stats.conns, 0);
    pair_close(&p);
}

/* The accept queue is full: nothing is lost, the third packet's repeat finds room. */
static void a_full_accept_queue_waits(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_endpoint_stats stats;
    config.backlog = 1;
    pair_open(&p);
    p.no_accept = true;
    pair_listen(&p, &config);
    (void)pair_connect(&p, NULL);
    pair_run(&p, 10 * p.delay);
    skua_conn first = p.host[SERVER].conn;
    (void)pair_connect(&p, NULL);
    pair_run(&p, 2 * SKUA_SEC);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.accept_queue, 1);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    assert_int_equal(skua_conn_accept(p.host[SERVER].ep, first, NULL), SKUA_OK);
    pair_run(&p, 9 * SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 2);
    pair_close(&p);
}

/* What the server sends, and what takes a SYN back: so a client that closes is one that has never
 * heard of it. */
static bool drop_from_server(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    bool cancel = len > 0 && data[0] == SKUA_FIRST_BYTE(SKUA_PACKET_REFUSE);
    return (from == SERVER || cancel) && *(bool *)pair->user;
}

/* The same, but the client is to know at once. */
static void a_full_accept_queue_can_refuse(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_endpoint_stats stats;
    config.backlog = 1;
    config.abort_on_overflow = true;
    pair_open(&p);
    p.no_accept = true;
    pair_listen(&p, &config);
    (void)pair_connect(&p, NULL);
    pair_run(&p, 10 * p.delay);
    skua_conn first = p.host[SERVER].conn;
    (void)pair_connect(&p, NULL);
    pair_run(&p, 4 * p.delay + SKUA_MSEC);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 1);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_ECONNREFUSED);
    assert_int_equal(p.host[CLIENT].closed.code, SKUA_CODE_OVERLOAD);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_ACCEPT_OVERFLOW], 1);
    assert_int_equal(stats.accept_queue, 1);
    assert_int_equal(stats.conns, 1);
    assert_int_equal(stats.half_open, 0);
    assert_int_equal(skua_conn_accept(p.host[SERVER].ep, first, NULL), SKUA_OK);
    (void)pair_connect(&p, NULL);
    pair_run(&p, 10 * p.delay);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 2);
    pair_close(&p);
}

struct list {
    struct skua_key key; /* the only one that may come in */
    unsigned asked;
};

static bool only(void *user, const struct skua_key *key, const struct skua_path *path)
{
    struct list *list = user;
    list->asked++;
    assert_int_equal(path->remote.family, SKUA_FAMILY_IPV4);
    return memcmp(key, &list->key, sizeof *key) == 0;
}

/* A key that is not on the list never takes room, in XX and in IK. */
static void keys_can_be_listed(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct pair p;
        struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
        struct skua_conn_config client = SKUA_CONN_CONFIG_INIT;
        struct skua_endpoint_stats stats;
        struct list list = {.asked = 0};
        const bool allowed = i % 2 == 0, ik = i >= 2;
        pair_open(&p);
        config.backlog = 1;
        config.allow = only;
        config.allow_user = &list;
        list.key = *skua_endpoint_key(p.host[allowed ? CLIENT : SERVER].ep);
        client.server_key = skua_endpoint_key(p.host[SERVER].ep);
        client.ik = ik;
        pair_listen(&p, &config);
        (void)pair_connect(&p, &client);
        pair_run(&p, 10 * p.delay);
        assert_int_equal(list.asked, 1);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], allowed);
        assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], !allowed);
        stats_of(&p, SERVER, &stats);
        assert_int_equal(stats.verdicts[SKUA_VERDICT_KEY_REFUSED], !allowed);
        assert_int_equal(stats.accept_queue, 0);
        if (!allowed) {
            assert_int_equal(p.host[CLIENT].closed.error, SKUA_ECONNREFUSED);
            assert_int_equal(p.host[CLIENT].closed.code, SKUA_CODE_KEY_REFUSED);
        }
        pair_close(&p);
    }
}

/* The first CONFIRM. */
struct third {
    size_t len;
    uint8_t bytes[2000];
};

static bool drop_confirm(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    struct third *third = pair->user;
    bool drop = from == CLIENT && data[0] == SKUA_FIRST_BYTE(SKUA_PACKET_CONFIRM);
    if (drop && third->len == 0) {
        assert_true(len <= sizeof third->bytes);
        third->len = len;
        memcpy(third->bytes, data, len);
    }
    return drop;
}

/* A client has sent its third packet, and that is lost. Its network may begin ten handshakes a
 * second. */
static void half_opened(struct pair *p, struct third *third, uint8_t suite)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    third->len = 0;
    config.prefix_handshakes = 10;
    pair_open(p);
    for (int i = 0; i < 2; i++) {
        p->host[i].ep->env.suites = suite;
    }
    p->drop = drop_confirm;
    p->user = third;
    pair_listen(p, &config);
    pair_run(p, 10 * SKUA_SEC); /* allowances are saved up */
    (void)pair_connect(p, NULL);
    pair_run(p, 3 * p->delay);
    assert_true(third->len > 0);
}

/* The real third packet comes in all the same. */
static void comes_in(struct pair *p)
{
    struct skua_endpoint_stats stats;
    stats_of(p, SERVER, &stats);
    assert_int_equal(stats.half_open, 1);
    p->drop = NULL;
    pair_run(p, 2 * SKUA_SEC);
    assert_int_equal(p->host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    pair_close(p);
}

/* Third packets that fail cost a multiplication each: they count as handshakes of their network. */
static void forged_third_packets_are_limited(void **state)
{
    (void)state;
    struct pair p;
    struct skua_endpoint_stats stats;
    struct third confirm;
    half_opened(&p, &confirm, SKUA_SUITE_CHACHA20_POLY1305);
    for (int i = 0; i < 200; i++) {
        uint8_t forged[sizeof confirm.bytes];
        memcpy(forged, confirm.bytes, confirm.len);
        forged[i % 2 == 0 ? confirm.len - 1 : 60] ^= (uint8_t)(i + 1); /* or message 3 is good */
        pair_inject(&p, SERVER, forged, confirm.len);
    }
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_CONFIRM_BAD], 82);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_PREFIX], 118);
    comes_in(&p);
}

/* 200 times the third packet, of whose sealed bytes `left` are left: what became of them. */
static void cut_third_packets(uint8_t suite, size_t left, uint64_t *runts, uint64_t *limited)
{
    struct pair p;
    struct skua_endpoint_stats stats;
    struct third third;
    struct skua_head head;
    struct skua_confirm confirm;
    half_opened(&p, &third, suite);
    assert_int_equal(skua_header_peek(third.bytes, third.len, SKUA_OWN_ID_LEN, &head),
                     SKUA_VERDICT_OK);
    assert_int_equal(skua_confirm_read(third.bytes, third.len, &head, &confirm), SKUA_VERDICT_OK);
    const size_t len = confirm.pn_offset + SKUA_PN_LEN + left;
    assert_true(len < third.len);
    for (int i = 0; i < 200; i++) {
        pair_inject(&p, SERVER, third.bytes, len);
    }
    stats_of(&p, SERVER, &stats);
    *runts = stats.verdicts[SKUA_VERDICT_RUNT];
    *limited = stats.verdicts[SKUA_VERDICT_SYN_PREFIX];
    assert_int_equal(*runts + *limited, 200);
    comes_in(&p);
}

/* What is too short for any suite costs nothing, and is not counted. */
static void short_third_packets_cost_nothing(void **state)
{
    (void)state;
    uint64_t runts, limited;
    cut_third_packets(SKUA_SUITE_CHACHA20_POLY1305, SKUA_SAMPLE_LEN - 1, &runts, &limited);
    assert_int_equal(limited, 0);
}

/* With a tag of 32 bytes a packet can hold a good message 3 and too little behind it. Whoever
 * repeats that has a key, but may not be wanted, and copies come from anywhere. */
static void cut_third_packets_are_limited(void **state)
{
    (void)state;
    if ((skua_suites_available() & SKUA_SUITE_AEGIS_128L) == 0) {
        skip(); /* this libsodium or processor has no suite with such a tag */
    }
    uint64_t runts, limited;
    for (size_t left = SKUA_SAMPLE_LEN; left < 32; left += 15) {
        cut_third_packets(SKUA_SUITE_AEGIS_128L, left, &runts, &limited);
        assert_int_equal(runts, 82);
        assert_int_equal(limited, 118);
    }
}

/* RETRY on every SYN: one more round trip, and nothing kept until the token comes. */
static void an_address_can_be_proven_first(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_endpoint_stats stats, before;
    config.retry = SKUA_RETRY_ALWAYS;
    pair_open(&p);
    pair_listen(&p, &config);
    stats_of(&p, SERVER, &before);
    (void)pair_connect(&p, NULL);
    pair_run(&p, 3 * p.delay - 1);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_RETRY], 1);
    assert_int_equal(stats.half_open, 0);
    assert_int_equal(stats.memory_peak, before.memory_peak);
    pair_run(&p, p.delay);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.half_open, 1);
    pair_run(&p, p.delay);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 0);
    assert_true(pair_conn(&p, CLIENT)->recovery.rtt.smoothed <= 2 * p.delay + SKUA_MSEC);
    pair_run(&p, p.delay);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    pair_close(&p);
}

/* Workers take each other's tokens by the clock that they share, whichever of them has seen it fall
 * back. */
static void tokens_go_by_the_clock_as_it_is(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_endpoint_stats stats;
    config.retry = SKUA_RETRY_ALWAYS;
    pair_open(&p);
    pair_listen(&p, &config);
    skua_endpoint_on_timeout(p.host[SERVER].ep, p.now + 3600 * SKUA_SEC);
    (void)pair_connect(&p, NULL);
    pair_run(&p, 2 * p.delay - 1); /* RETRY is under way */
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_RETRY], 1);
    pair_restart(&p, SERVER); /* as another worker, which has seen nothing */
    pair_listen(&p, &config);
    pair_run(&p, 3 * p.delay);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_BAD_TOKEN], 0);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
    pair_close(&p);
}

struct retries {
    size_t len; /* of the last one */
    uint8_t bytes[200];
};

static bool catch_retry(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    struct retries *r = pair->user;
    if (from != SERVER || data[0] != SKUA_FIRST_BYTE(SKUA_PACKET_RETRY)) {
        return false;
    }
    r->len = len;
    memcpy(r->bytes, data, len);
    return true;
}

/* A RETRY has come, but before the SYN with its token has left the attempt by IK is given up for
 * one by XX. */
static void a_retry_meets_the_fall_back(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_conn_config client = SKUA_CONN_CONFIG_INIT;
    struct retries retries = {.len = 0};
    config.retry = SKUA_RETRY_ALWAYS;
    pair_open(&p);
    p.drop = catch_retry;
    p.user = &retries;
    client.server_key = skua_endpoint_key(p.host[SERVER].ep);
    client.ik = true;
    pair_listen(&p, &config);
    (void)pair_connect(&p, &client);
    pair_run(&p, 7 * SKUA_SEC - SKUA_MSEC); /* SYNs at 0, 1 and 3 s */
    assert_true(retries.len > 0 && retries.len <= sizeof retries.bytes);
    p.now += 2 * SKUA_MSEC;
    pair_inject(&p, CLIENT, retries.bytes, retries.len);
    assert_true(pair_conn(&p, CLIENT)->dial->due);
    skua_endpoint_on_timeout(p.host[CLIENT].ep, p.now);
    assert_true(pair_conn(&p, CLIENT)->dial->fell_back);
    p.drop = NULL;
    const uint64_t sent = p.host[CLIENT].sent;
    pair_run(&p, 0);
    assert_int_equal(p.host[CLIENT].sent, sent + 1); /* one SYN, of a count of its own */
    assert_int_equal(pair_conn(&p, CLIENT)->dial->sent, 1);
    pair_run(&p, 5 * p.delay);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
    pair_close(&p);
}

/* Listening needs memory: where there is none, nothing has changed. */
static void listening_without_memory(void **state)
{
    (void)state;
    struct pair p;
    struct skua_endpoint_stats before, after;
    pair_open(&p);
    stats_of(&p, SERVER, &before);
    enum skua_err err = SKUA_ENOMEM;
    unsigned n = 0;
    for (; err == SKUA_ENOMEM && n < 10; n++) {
        p.host[SERVER].fail_after = n;
        err = skua_endpoint_listen(p.host[SERVER].ep, NULL);
        p.host[SERVER].fail_after = -1;
        stats_of(&p, SERVER, &after);
        assert_true(err == SKUA_OK || after.memory == before.memory);
    }
    assert_int_equal(err, SKUA_OK);
    assert_int_equal(n, 3); /* settings, and networks' shares */
    assert_int_equal(skua_endpoint_unlisten(p.host[SERVER].ep), SKUA_OK);
    stats_of(&p, SERVER, &after);
    assert_int_equal(after.memory, before.memory);
    pair_close(&p);
}

/* With RETRY what fills the queue makes the others prove themselves, and holds nobody up. */
static void pressure_asks_for_proof(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_endpoint_stats stats;
    bool dropping = true;
    config.syn_backlog = 4;
    pair_open(&p);
    p.drop = drop_from_server;
    p.user = &dropping;
    pair_listen(&p, &config);
    for (int i = 0; i < 6; i++) {
        (void)pair_connect(&p, NULL);
        pair_run(&p, 0);
        assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    }
    pair_run(&p, SKUA_SEC / 2);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.half_open, 2); /* half the queue is for those who have proved it */
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_RETRY], 4);
    dropping = false;
    for (unsigned i = 1; i <= 2; i++) {
        (void)pair_connect(&p, NULL);
        pair_run(&p, 5 * p.delay);
        assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], i);
    }
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_RETRY], 6);
    pair_close(&p);
}

/* More handshakes per second than the watermark allows: proof is asked for until they are fewer. */
static void haste_asks_for_proof(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_endpoint_stats stats;
    config.retry_handshakes = 5;
    pair_open(&p);
    pair_listen(&p, &config);
    for (int i = 0; i < 10; i++) {
        (void)pair_connect(&p, NULL);
    }
    pair_run(&p, SKUA_SEC / 10);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.accept_queue + stats.half_open, 0);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 10);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_RETRY], 9); /* all but the first */
    (void)pair_connect(&p, NULL);
    pair_run(&p, SKUA_SEC / 10);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_RETRY], 10);
    pair_run(&p, SKUA_SEC);
    (void)pair_connect(&p, NULL);
    pair_run(&p, SKUA_SEC / 10);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_RETRY], 10);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 12);
    pair_close(&p);
}

/* SYNs whose answers reach nobody hold the queue for a second, not for as long as they last. */
static void a_flood_of_syns_passes(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_endpoint_stats stats;
    bool dropping = true;
    config.syn_backlog = 4;
    config.retry = SKUA_RETRY_NEVER;
    pair_open(&p);
    p.drop = drop_from_server;
    p.user = &dropping;
    pair_listen(&p, &config);
    for (int i = 0; i < 6; i++) {
        (void)pair_connect(&p, NULL);
        pair_run(&p, 0);
        assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    }
    pair_run(&p, SKUA_SEC / 2);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.half_open, 4);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_QUEUE_FULL], 2);
    pair_run(&p, SKUA_SEC);
    dropping = false;
    (void)pair_connect(&p, NULL);
    pair_run(&p, 10 * p.delay);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.half_open, 3);
    pair_close(&p);
}

/* The last SYN, while what the server sends is lost. */
struct strangers {
    bool dropping; /* first member: drop_from_server */
    size_t len;
    uint8_t bytes[2000];
};

static bool keep_syn(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    struct strangers *s = pair->user;
    if (from == CLIENT && data[0] == SKUA_FIRST_BYTE(SKUA_PACKET_SYN) && s->dropping) {
        assert_true(len <= sizeof s->bytes);
        s->len = len;
        memcpy(s->bytes, data, len);
    }
    return drop_from_server(pair, from, data, len);
}

/* Copies of the last SYN until no more answers are allowed. */
static void exhaust(struct pair *p, struct strangers *s)
{
    struct skua_endpoint_stats stats;
    stats_of(p, SERVER, &stats);
    const uint64_t before = stats.verdicts[SKUA_VERDICT_ANSWER_RATE];
    do {
        for (int i = 0; i < 1000; i++) {
            pair_inject(p, SERVER, s->bytes, s->len);
        }
        stats_of(p, SERVER, &stats);
    } while (stats.verdicts[SKUA_VERDICT_ANSWER_RATE] == before);
}

/* A flood while the clock is an hour ahead: half-open entries whose clients have gone, and RETRY
 * and REFUSE as many as may leave. Then it falls back. What has its end had it a minute later. */
static void a_clock_that_falls_back_holds_nothing_up(void **state)
{
    (void)state;
    struct pair p;
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_endpoint_stats before, stats;
    struct strangers strangers = {.dropping = true};
    config.syn_backlog = 16;
    pair_open(&p);
    p.drop = keep_syn;
    p.user = &strangers;
    p.now += 3600 * SKUA_SEC;
    (void)pair_connect(&p, NULL);
    pair_run(&p, SKUA_SEC / 10); /* refused */
    assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    exhaust(&p, &strangers);
    pair_listen(&p, &config);
    for (int i = 0; i < 10; i++) {
        (void)pair_connect(&p, NULL);
        pair_run(&p, 0);
        assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    }
    pair_run(&p, p.delay);
    exhaust(&p, &strangers);
    stats_of(&p, SERVER, &before);
    assert_int_equal(before.half_open, 8);
    p.now -= 3600 * SKUA_SEC;
    pair_run(&p, SKUA_SEC);
    pair_inject(&p, SERVER, strangers.bytes, strangers.len);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_RETRY],
                     before.verdicts[SKUA_VERDICT_SYN_RETRY] + 1);
    strangers.dropping = false;
    (void)pair_connect(&p, NULL);
    pair_run(&p, 5 * p.delay); /* a round trip more, for the proof */
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    pair_run(&p, 63 * SKUA_SEC);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.half_open, 0);
    assert_int_equal(skua_endpoint_unlisten(p.host[SERVER].ep), SKUA_OK);
    strangers.dropping = true;
    pair_inject(&p, SERVER, strangers.bytes, strangers.len);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_NOT_LISTENING],
                     before.verdicts[SKUA_VERDICT_SYN_NOT_LISTENING] + 1);
    pair_close(&p);
}

static uint64_t half_open(struct pair *p)
{
    struct skua_endpoint_stats stats;
    stats_of(p, SERVER, &stats);
    return stats.half_open;
}

struct kept {
    size_t len;
    uint8_t bytes[100];
};

/* Keeps what takes a SYN back, which is lost. */
static bool keep_cancel(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    struct kept *copy = pair->user;
    if (from == CLIENT && data[0] == SKUA_FIRST_BYTE(SKUA_PACKET_REFUSE)) {
        assert_true(len <= sizeof copy->bytes);
        copy->len = len;
        memcpy(copy->bytes, data, len);
        return true;
    }
    return false;
}

/* A client that gives up while its SYN is answered: the entry goes at once, and a late copy of the
 * SYN opens nothing. Where that packet is lost, the SYN_ACK asks for it again. */
static void a_syn_is_taken_back(void **state)
{
    (void)state;
    struct pair p;
    struct skua_endpoint_stats stats;
    struct kept kept = {0};
    pair_open(&p);
    p.drop = keep_cancel;
    p.user = &kept;
    pair_listen(&p, NULL);
    (void)pair_connect(&p, NULL);
    pair_run(&p, p.delay + SKUA_MSEC);
    assert_int_equal(half_open(&p), 1);
    assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    pair_run(&p, SKUA_MSEC); /* lost */
    assert_int_equal(kept.len, 1 + 4 + 9 + 9 + 2 + 16);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_EABORTED);
    p.drop = NULL;
    pair_run(&p, p.delay);
    assert_int_equal(half_open(&p), 1);
    pair_run(&p, p.delay); /* the SYN_ACK has come, and the record has said it again */
    assert_int_equal(half_open(&p), 0);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_SYN_CANCELLED], 1);
    assert_int_equal(skua_idmap_count(&p.host[SERVER].ep->syns.spent), 1);
    pair_inject(&p, SERVER, kept.bytes, kept.len);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_BAD_RETRY], 1);
    pair_run(&p, 70 * SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 0);
    stats_of(&p, CLIENT, &stats);
    assert_int_equal(stats.conns, 0);
    pair_close(&p);
}

/* By its sender only, and only as a whole. */
static void only_its_sender_takes_a_syn_back(void **state)
{
    (void)state;
    struct pair p;
    struct kept kept = {0};
    pair_open(&p);
    p.drop = keep_cancel;
    p.user = &kept;
    pair_listen(&p, NULL);
    (void)pair_connect(&p, NULL);
    pair_run(&p, p.delay + SKUA_MSEC);
    const struct skua_path path = pair_conn(&p, CLIENT)->path;
    assert_int_equal(skua_conn_abort(p.host[CLIENT].ep, p.host[CLIENT].conn, 1, NULL), SKUA_OK);
    pair_run(&p, SKUA_MSEC);
    assert_true(kept.len > 16);
    for (size_t i = kept.len - 16; i < kept.len; i++) {
        kept.bytes[i] ^= 0x80;
        pair_inject(&p, SERVER, kept.bytes, kept.len);
        kept.bytes[i] ^= 0x80;
        assert_int_equal(half_open(&p), 1);
    }
    for (size_t len = 0; len < kept.len; len++) {
        pair_inject(&p, SERVER, kept.bytes, len);
    }
    struct skua_rx rx = {.path = path, .data = kept.bytes, .len = kept.len}; /* from elsewhere */
    skua_endpoint_recv(p.host[SERVER].ep, &rx, 1, p.now);
    assert_int_equal(half_open(&p), 1);
    pair_inject(&p, SERVER, kept.bytes, kept.len);
    assert_int_equal(half_open(&p), 0);
    pair_close(&p);
}

/* What waits, half open or to be accepted, ends; what was accepted goes on. */
/* Keeps the last SYN of the client. */
struct seen_syn {
    size_t len;
    uint8_t bytes[SKUA_SYN_CAP];
};

static bool see_syn(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    struct seen_syn *seen = pair->user;
    if (from == CLIENT && data[0] == SKUA_FIRST_BYTE(SKUA_PACKET_SYN)) {
        assert_true(len <= sizeof seen->bytes);
        seen->len = len;
        memcpy(seen->bytes, data, len);
    }
    return false;
}

/* Which address of the server a client called is not in its packet, so anybody can have the SYN
 * arrive at another one as well, before or after. The client is answered from where it called. */
static void a_copy_to_another_address_of_the_server(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct pair p;
        struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
        struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
        struct seen_syn seen = {0};
        bool after = (i & 1) != 0;
        listen.retry = (i & 2) != 0 ? SKUA_RETRY_ALWAYS : SKUA_RETRY_UNDER_PRESSURE;
        config.ik = (i & 4) != 0;
        pair_open(&p);
        config.server_key = skua_endpoint_key(p.host[SERVER].ep);
        p.way[CLIENT].local = p.way[SERVER].remote;
        p.strict = true;
        p.drop = see_syn;
        p.user = &seen;
        struct skua_path elsewhere = p.way[CLIENT];
        elsewhere.local.ip[3]++;
        pair_listen(&p, &listen);
        (void)pair_connect(&p, &config);
        for (int trip = 0; trip < ((i & 2) != 0 ? 2 : 1); trip++) {
            if (!after) {
                pair_run(&p, p.delay / 2);
                pair_inject_along(&p, SERVER, &elsewhere, seen.bytes, seen.len);
            }
            pair_run(&p, after ? p.delay : p.delay / 2);
            if (after) {
                pair_inject_along(&p, SERVER, &elsewhere, seen.bytes, seen.len);
            }
            pair_run(&p, p.delay);
        }
        assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
        pair_run(&p, 10 * p.delay);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
        assert_true(p.astray > 0);
        assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
        assert_int_equal(skua_conn_close(p.host[SERVER].ep, p.host[SERVER].conn), SKUA_OK);
        pair_run(&p, 10 * p.delay);
        assert_int_equal(p.host[CLIENT].closed.error, SKUA_OK);
        assert_int_equal(p.host[SERVER].closed.error, SKUA_OK);
        pair_close(&p);
    }
}

static void unlisten_refuses_what_waits(void **state)
{
    (void)state;
    struct pair p;
    struct skua_endpoint_stats stats;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    p.no_accept = true;
    (void)pair_connect(&p, NULL);
    pair_run(&p, 10 * p.delay);
    p.no_poll[SERVER] = true;
    (void)pair_connect(&p, NULL);
    pair_run(&p, 10 * p.delay);
    (void)pair_connect(&p, NULL);
    pair_run(&p, p.delay + SKUA_MSEC);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.half_open, 1);
    assert_int_equal(stats.accept_queue, 2);
    assert_int_equal(skua_endpoint_unlisten(p.host[SERVER].ep), SKUA_OK);
    assert_int_equal(skua_endpoint_unlisten(p.host[SERVER].ep), SKUA_ESTATE);
    p.no_poll[SERVER] = false;
    pair_run(&p, SKUA_SEC);
    stats_of(&p, SERVER, &stats);
    assert_int_equal(stats.half_open, 0);
    assert_int_equal(stats.accept_queue, 0);
    assert_int_equal(stats.conns, 1);
    /* Two by RST; the half-open one by the stateless RESET that answers its third packet. */
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 3);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_ECONNRESET);
    assert_int_equal(skua_endpoint_listen(p.host[SERVER].ep, NULL), SKUA_OK);
    pair_close(&p);
}

/* Sends what an endpoint has for its own address back to itself. */
static void loop_back(struct pair *p, struct skua_endpoint *ep, const struct skua_path *path)
{
    static uint8_t bytes[SKUA_LIMIT_UDP_MAX];
    for (int i = 0; i < 100; i++) {
        struct skua_tx tx = {.data = bytes, .cap = sizeof bytes, .max_segments = 1};
        skua_endpoint_send(ep, &tx, p->now);
        if (tx.len == 0) {
            return;
        }
        struct skua_rx rx = {.path = *path, .data = bytes, .len = tx.len};
        skua_endpoint_recv(ep, &rx, 1, p->now);
        skua_endpoint_settle(ep);
    }
}

static void an_endpoint_connects_to_itself(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_listen(&p, NULL);
    struct skua_endpoint *ep = p.host[SERVER].ep;
    const struct skua_path path = {
        .remote = {.family = SKUA_FAMILY_IPV4, .port = 1001, .ip = {127, 0, 0, 1}}};
    skua_conn conn;
    assert_int_equal(skua_conn_connect(ep, &path, NULL, &conn), SKUA_OK);
    for (int i = 0; i < 20; i++) {
        loop_back(&p, ep, &path);
        pair_poll(&p, SERVER);
        p.now += 10 * SKUA_MSEC;
        skua_endpoint_on_timeout(ep, p.now);
    }
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_ESTABLISHED], 1);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    assert_int_equal(skua_conn_close(ep, conn), SKUA_OK);
    assert_int_equal(skua_conn_close(ep, p.host[SERVER].conn), SKUA_OK);
    for (int i = 0; i < 20; i++) {
        loop_back(&p, ep, &path);
        pair_poll(&p, SERVER);
        p.now += 10 * SKUA_MSEC;
        skua_endpoint_on_timeout(ep, p.now);
    }
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 2);
    pair_close(&p);
}

/* ICMP can be forged without end: past an allowance it is not looked at. */
static void a_flood_of_hints_is_bounded(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    struct skua_endpoint *ep = p.host[CLIENT].ep;
    struct skua_path path;
    assert_int_equal(skua_conn_path(ep, p.host[CLIENT].conn, &path), SKUA_OK);
    struct skua_path other = path;
    other.remote.port++;
    for (int i = 0; i < 1000000; i++) {
        skua_endpoint_hint(ep, &other, SKUA_HINT_UNREACHABLE, p.now);
    }
    struct skua_connection *c = pair_conn(&p, CLIENT);
    skua_endpoint_hint(ep, &path, SKUA_HINT_PORT_UNREACHABLE, p.now);
    assert_true(c->life.hint_at == SKUA_NEVER);
    pair_run(&p, SKUA_SEC);
    skua_endpoint_hint(ep, &path, SKUA_HINT_PORT_UNREACHABLE, p.now);
    assert_true(c->life.hint_at == p.now);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_listens_is_told_at_once),
        cmocka_unit_test(a_refused_connection_is_told),
        cmocka_unit_test(a_full_accept_queue_waits),
        cmocka_unit_test(a_full_accept_queue_can_refuse),
        cmocka_unit_test(keys_can_be_listed),
        cmocka_unit_test(forged_third_packets_are_limited),
        cmocka_unit_test(short_third_packets_cost_nothing),
        cmocka_unit_test(cut_third_packets_are_limited),
        cmocka_unit_test(an_address_can_be_proven_first),
        cmocka_unit_test(tokens_go_by_the_clock_as_it_is),
        cmocka_unit_test(a_retry_meets_the_fall_back),
        cmocka_unit_test(listening_without_memory),
        cmocka_unit_test(pressure_asks_for_proof),
        cmocka_unit_test(haste_asks_for_proof),
        cmocka_unit_test(a_flood_of_syns_passes),
        cmocka_unit_test(a_clock_that_falls_back_holds_nothing_up),
        cmocka_unit_test(a_syn_is_taken_back),
        cmocka_unit_test(only_its_sender_takes_a_syn_back),
        cmocka_unit_test(a_copy_to_another_address_of_the_server),
        cmocka_unit_test(unlisten_refuses_what_waits),
        cmocka_unit_test(an_endpoint_connects_to_itself),
        cmocka_unit_test(a_flood_of_hints_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
