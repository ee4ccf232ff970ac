/* Listening: who is refused, by the library or by the program; the accept queue, where it is full,
 * and who may come into it; what becomes of those who wait when listening ends. An endpoint that
 * connects to itself, and what it makes of a flood of ICMP. What a listener asks of strangers is in
 * test_listen_proof.c, its SYNs are in test_listen_syns.c, third packets in test_listen_third.c. */
#include "pair.h"

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
    stats = pair_stats(&p, SERVER);
    assert_int_equal(stats.accept_queue, 0);
    assert_int_equal(stats.conns, 0);
    pair_close(&p);
}

/* One connection fills the accept queue, and another client begins. Returns the one that waits. */
static skua_conn full(struct pair *p, bool aborts)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    config.backlog = 1;
    config.abort_on_overflow = aborts;
    pair_open(p);
    p->no_accept = true;
    pair_listen(p, &config);
    (void)pair_connect(p, NULL);
    pair_run(p, 10 * p->delay);
    const skua_conn first = p->host[SERVER].conn;
    (void)pair_connect(p, NULL);
    return first;
}

/* The accept queue is full: nothing is lost, the third packet's repeat finds room. */
static void a_full_accept_queue_waits(void **state)
{
    (void)state;
    struct pair p;
    const skua_conn first = full(&p, false);
    pair_run(&p, 2 * SKUA_SEC);
    assert_int_equal(pair_stats(&p, SERVER).accept_queue, 1);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    assert_int_equal(skua_conn_accept(p.host[SERVER].ep, first, NULL), SKUA_OK);
    pair_run(&p, 9 * SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 2);
    pair_close(&p);
}

/* The same, but the client is to know at once. */
static void a_full_accept_queue_can_refuse(void **state)
{
    (void)state;
    struct pair p;
    struct skua_endpoint_stats stats;
    const skua_conn first = full(&p, true);
    pair_run(&p, 4 * p.delay + SKUA_MSEC);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 1);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_ECONNREFUSED);
    assert_int_equal(p.host[CLIENT].closed.code, SKUA_CODE_OVERLOAD);
    stats = pair_stats(&p, SERVER);
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
        stats = pair_stats(&p, SERVER);
        assert_int_equal(stats.verdicts[SKUA_VERDICT_KEY_REFUSED], !allowed);
        assert_int_equal(stats.accept_queue, 0);
        if (!allowed) {
            assert_int_equal(p.host[CLIENT].closed.error, SKUA_ECONNREFUSED);
            assert_int_equal(p.host[CLIENT].closed.code, SKUA_CODE_KEY_REFUSED);
        }
        pair_close(&p);
    }
}

/* Listening needs memory: where there is none, nothing has changed. */
static void listening_without_memory(void **state)
{
    (void)state;
    struct pair p;
    struct skua_endpoint_stats before, after;
    pair_open(&p);
    before = pair_stats(&p, SERVER);
    enum skua_err err = SKUA_ENOMEM;
    unsigned n = 0;
    for (; err == SKUA_ENOMEM && n < 10; n++) {
        p.host[SERVER].fail_after = n;
        err = skua_endpoint_listen(p.host[SERVER].ep, NULL);
        p.host[SERVER].fail_after = -1;
        after = pair_stats(&p, SERVER);
        assert_true(err == SKUA_OK || after.memory == before.memory);
    }
    assert_int_equal(err, SKUA_OK);
    assert_int_equal(n, 3); /* settings, and networks' shares */
    assert_int_equal(skua_endpoint_unlisten(p.host[SERVER].ep), SKUA_OK);
    after = pair_stats(&p, SERVER);
    assert_int_equal(after.memory, before.memory);
    pair_close(&p);
}

/* What waits, half open or to be accepted, ends; what was accepted goes on. */
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
    stats = pair_stats(&p, SERVER);
    assert_int_equal(stats.half_open, 1);
    assert_int_equal(stats.accept_queue, 2);
    assert_int_equal(skua_endpoint_unlisten(p.host[SERVER].ep), SKUA_OK);
    assert_int_equal(skua_endpoint_unlisten(p.host[SERVER].ep), SKUA_ESTATE);
    p.no_poll[SERVER] = false;
    pair_run(&p, SKUA_SEC);
    stats = pair_stats(&p, SERVER);
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
        cmocka_unit_test(listening_without_memory),
        cmocka_unit_test(unlisten_refuses_what_waits),
        cmocka_unit_test(an_endpoint_connects_to_itself),
        cmocka_unit_test(a_flood_of_hints_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
