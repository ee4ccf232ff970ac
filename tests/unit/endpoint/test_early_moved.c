/* Early data whose SYN_ACK goes where the client is not: a copy of the SYN has come first, or the
 * client's NAT has forgotten it between two repeats. */
#include "early_pair.h"

#include "base/time.h"

/* A pair that tells apart where the server's packets go. */
static struct skua_token begin(struct pair *p, struct early_tap *t,
                               const struct skua_listen_config *config)
{
    const struct skua_token token = early_begin(p, t, config);
    p->strict = true;
    return token;
}

/* The client's SYN from `path`, with a token that proves it. */
static void inject_proven(struct pair *p, const struct early_tap *t, const struct skua_path *path)
{
    struct skua_endpoint *ep = p->host[SERVER].ep;
    struct skua_head head;
    struct skua_syn syn;
    uint8_t proven[SKUA_SYN_CAP], token[SKUA_TOKEN_LEN];
    assert_int_equal(skua_header_peek(t->syn, t->len, SKUA_OWN_ID_LEN, &head), SKUA_VERDICT_OK);
    assert_int_equal(skua_syn_read(t->syn, t->len, &head, &syn), SKUA_VERDICT_OK);
    const struct skua_token_claim claim = {
        .remote = &path->remote, .local = &path->local, .header = t->syn, .header_len = head.body};
    skua_token_write(&ep->admission.tokens, token, &claim, p->now);
    const size_t rest = (size_t)head.body + 2 + syn.token_len;
    struct skua_writer w = skua_writer_of(proven, sizeof proven);
    skua_writer_copy(&w, t->syn, head.body);
    skua_writer_u16(&w, sizeof token);
    skua_writer_copy(&w, token, sizeof token);
    skua_writer_copy(&w, t->syn + rest, t->len - rest);
    assert_false(w.failed);
    pair_inject_along(p, SERVER, path, proven, skua_writer_len(&w));
}

/* One more round trip, and all is as if there had been no copy; what the server had answered to the
 * wrong address as well. */
static void a_copy_comes_first(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct pair p;
        struct early_tap t = {.mute = false};
        struct skua_listen_config listen = early_giving();
        listen.retry = i == 1 ? SKUA_RETRY_NEVER : SKUA_RETRY_UNDER_PRESSURE;
        struct skua_token token = begin(&p, &t, &listen);
        struct host *client = &p.host[CLIENT], *server = &p.host[SERVER];
        skua_time start = p.now;
        skua_stream stream = early_call(&p, &token, "hello");
        pair_run(&p, p.delay / 2);
        early_inject(&p, &t, 1);
        assert_int_equal(server->events[SKUA_EVENT_INCOMING], 1);
        if (i == 2) { /* what it writes at once goes to the copy's address, too */
            size_t n;
            assert_int_equal(skua_stream_write(server->ep, server->stream, "world", 5, &n),
                             SKUA_OK);
            assert_int_equal(skua_stream_finish(server->ep, server->stream), SKUA_OK);
        }
        pair_run(&p, p.delay - p.delay / 2);
        assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_RETRY), 1);
        assert_true(p.astray > 0);
        pair_run(&p, 3 * p.delay);
        assert_int_equal(client->at[SKUA_EVENT_ESTABLISHED], start + 4 * p.delay);
        pair_run(&p, 10 * p.delay);
        /* The application knew the other path. */
        assert_int_equal(server->events[SKUA_EVENT_PATH], 1);
        const struct skua_path before = early_elsewhere(1);
        assert_memory_equal(&server->seen[SKUA_EVENT_PATH].path, &before, sizeof before);
        struct skua_path path;
        assert_int_equal(skua_conn_path(server->ep, server->conn, &path), SKUA_OK);
        assert_true(skua_path_equal(&path, &p.way[CLIENT]));
        if (i == 2) {
            early_reads(&p, CLIENT, stream, "world");
        }
        early_came_through(&p, "hello", true);
        pair_close(&p);
    }
}

static bool is_established(struct pair *p, skua_conn conn)
{
    struct skua_conn_stats stats;
    assert_int_equal(skua_conn_stats(p->host[CLIENT].ep, conn, &stats), SKUA_OK);
    return stats.state == SKUA_STATE_ESTABLISHED;
}

/* Others with early data, whose entries are not given up, never fill the queue: a client whose SYN
 * was overtaken is asked for its proof, and is taken for what it is. */
static void others_leave_room(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pair p;
        struct early_tap t = {.mute = false};
        struct skua_listen_config listen = early_giving();
        listen.retry = i == 0 ? SKUA_RETRY_NEVER : SKUA_RETRY_UNDER_PRESSURE;
        listen.syn_backlog = 4;
        struct skua_token token[4];
        token[0] = begin(&p, &t, &listen);
        struct skua_endpoint *ep = p.host[SERVER].ep;
        for (int k = 1; k < 4; k++) {
            token[k] = early_earn(&p);
        }
        t.deaf = true;
        skua_conn conns[4];
        struct early_tap first = {.len = 0};
        for (int k = 0; k < 4; k++) {
            (void)early_call(&p, &token[k], "hello");
            conns[k] = p.host[CLIENT].conn;
            pair_run(&p, 1);
            first = k == 0 ? t : first;
            const struct skua_path somewhere = early_elsewhere((uint16_t)(k + 1));
            inject_proven(&p, &t, k == 0 ? &somewhere : &p.way[CLIENT]);
        }
        assert_int_equal(ep->early_count, 2);
        assert_int_equal(skua_syn_queue_count(&ep->syns), 4);
        pair_run(&p, 1100 * SKUA_MSEC); /* all SYN_ACKs were repeated */
        uint64_t asked = early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_RETRY);
        pair_inject(&p, SERVER, first.syn, first.len);
        assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_RETRY), asked + 1);
        t.deaf = false;
        pair_run(&p, 3 * SKUA_SEC);
        for (int k = 0; k < 4; k++) {
            assert_true(is_established(&p, conns[k]));
        }
        assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_QUEUE_FULL), 0);
        assert_int_equal(ep->early_count, 0);
        pair_close(&p);
    }
}

/* The copy bears the client's address, and has come to another one of the server's: ahead of the
 * SYN, and behind the one that proves the client's address, which proves nothing there. */
static void a_copy_to_another_address_of_the_server(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pair p;
        struct early_tap t = {.mute = false};
        struct skua_token token = begin(&p, &t, NULL);
        p.way[CLIENT].local = p.way[SERVER].remote;
        struct skua_path elsewhere = p.way[CLIENT];
        elsewhere.local.ip[3]++;
        (void)early_call(&p, &token, "hello");
        pair_run(&p, p.delay / 2);
        pair_inject_along(&p, SERVER, &elsewhere, t.syn, t.len);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
        if (i == 1) {
            pair_run(&p, 3 * p.delay);
            assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_REPEAT), 1);
            pair_inject_along(&p, SERVER, &elsewhere, t.syn, t.len);
            assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_BAD_TOKEN), 1);
        }
        pair_run(&p, 10 * p.delay);
        assert_true(p.astray > 0);
        early_came_through(&p, "hello", true);
        pair_close(&p);
    }
}

/* The NAT in front of the client gives it another port from the first repeat on; or with every one.
 */
static void a_new_port_between_repeats(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pair p;
        struct early_tap t = {.mute = true};
        struct skua_token token = begin(&p, &t, NULL);
        (void)early_call(&p, &token, "hello");
        pair_run(&p, SKUA_SEC / 2);
        p.way[CLIENT].remote.port++;
        pair_run(&p, SKUA_SEC);
        if (i == 1) {
            pair_run(&p, SKUA_SEC);
            p.way[CLIENT].remote.port++;
        }
        t.mute = false;
        pair_run(&p, 2 * SKUA_SEC);
        early_came_through(&p, "hello", true);
        pair_close(&p);
    }
}

/* A client names a victim's address as its own, and may show later that it is elsewhere. The victim
 * gets no more than three times what seemed to come from it. */
static void a_victim_gets_little(void **state)
{
    (void)state;
    for (int moves = 0; moves < 2; moves++) {
        struct pair p;
        struct early_tap t = {.mute = false};
        static uint8_t bytes[100000];
        size_t n;
        struct skua_token token = begin(&p, &t, NULL);
        struct host *client = &p.host[CLIENT], *server = &p.host[SERVER];
        t.deaf = true;
        (void)early_call(&p, &token, "hello");
        pair_run(&p, 1);
        early_inject(&p, &t, 1);
        assert_int_equal(server->events[SKUA_EVENT_INCOMING], 1);
        assert_int_equal(skua_stream_write(server->ep, server->stream, bytes, sizeof bytes, &n),
                         SKUA_OK);
        pair_run(&p, SKUA_SEC / 2);
        assert_true(p.astray > SKUA_LIMIT_UDP_MIN);
        t.deaf = false;
        if (moves != 0) {
            inject_proven(&p, &t, &p.way[CLIENT]);
            uint64_t said = p.astray;
            pair_run(&p, 10 * SKUA_SEC);
            assert_int_equal(p.astray, said);
            assert_true(client->seen[SKUA_EVENT_ESTABLISHED].early);
            struct skua_stream_info info;
            assert_int_equal(skua_stream_info(server->ep, server->stream, &info), SKUA_OK);
            assert_int_equal(info.acked, n);
        } else {
            t.deaf = true;
            pair_run(&p, 70 * SKUA_SEC);
            assert_int_equal(server->ep->early_count, 0);
        }
        assert_true(p.astray <= 3 * SKUA_LIMIT_UDP_MIN);
        assert_int_equal(server->events[SKUA_EVENT_INCOMING], 1);
        pair_close(&p);
    }
}

/* Somebody who can receive at his own address has the answer come there, after the client has got
 * it already. The client goes on, and the connection comes back to it. */
static void an_onlooker_takes_it_away(void **state)
{
    (void)state;
    struct pair p;
    struct early_tap t = {.mute = false};
    struct skua_token token = begin(&p, &t, NULL);
    struct host *server = &p.host[SERVER];
    (void)early_call(&p, &token, "hello");
    pair_run(&p, p.delay);
    const struct skua_path his = early_elsewhere(1);
    inject_proven(&p, &t, &his);
    assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_REPEAT), 1);
    pair_run(&p, 20 * p.delay);
    struct skua_path path;
    assert_int_equal(skua_conn_path(server->ep, server->conn, &path), SKUA_OK);
    assert_true(skua_path_equal(&path, &p.way[CLIENT]));
    early_came_through(&p, "hello", true);
    pair_close(&p);
}

/* When the client has answered, no copy is, with whatever proof. */
static void then_it_stays(void **state)
{
    (void)state;
    struct pair p;
    struct early_tap t = {.mute = false};
    struct skua_token token = begin(&p, &t, NULL);
    (void)early_call(&p, &token, "hello");
    pair_run(&p, 20 * p.delay);
    uint64_t sent = p.host[SERVER].sent;
    const struct skua_path his = early_elsewhere(1);
    inject_proven(&p, &t, &his);
    early_inject(&p, &t, 2);
    assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_REPLAYED), 2);
    pair_run(&p, p.delay);
    assert_int_equal(p.host[SERVER].sent, sent);
    early_came_through(&p, "hello", true);
    pair_close(&p);
}

/* The application has ended the connection that the copy made: the client hears of that. */
static void what_is_over_is_told_elsewhere(void **state)
{
    (void)state;
    struct pair p;
    struct early_tap t = {.mute = false};
    struct skua_token token = begin(&p, &t, NULL);
    struct host *client = &p.host[CLIENT], *server = &p.host[SERVER];
    p.no_accept = true;
    (void)early_call(&p, &token, "hello");
    pair_run(&p, p.delay / 2);
    early_inject(&p, &t, 1);
    assert_int_equal(skua_conn_refuse(server->ep, server->conn, SKUA_CODE_REFUSED), SKUA_OK);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(client->closed.error, SKUA_ECONNREFUSED);
    assert_int_equal(server->events[SKUA_EVENT_INCOMING], 1);
    pair_run(&p, 64 * SKUA_SEC);
    assert_int_equal(skua_syn_queue_count(&server->ep->syns), 0);
    pair_close(&p);
}

struct asked {
    uint16_t port;  /* the only one that may come in; 0 = all may */
    unsigned times; /* how often the application was asked */
};

static bool allow_port(void *user, const struct skua_key *key, const struct skua_path *path)
{
    struct asked *asked = user;
    (void)key;
    asked->times++;
    return asked->port == 0 || asked->port == path->remote.port;
}

/* The application is asked for the other address, too, when that is proved; and not for copies from
 * anywhere. */
static void the_application_is_asked_again(void **state)
{
    (void)state;
    for (int allowed = 0; allowed < 2; allowed++) {
        struct pair p;
        struct early_tap t = {.mute = false};
        struct asked asked = {.port = 0};
        struct skua_listen_config listen = early_giving();
        listen.allow = allow_port;
        listen.allow_user = &asked;
        struct skua_token token = begin(&p, &t, &listen);
        asked = (struct asked){.port = allowed ? 0 : 1};
        (void)early_call(&p, &token, "hello");
        pair_run(&p, p.delay / 2);
        early_inject(&p, &t, 1);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
        early_inject(&p, &t, 2);
        assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_RETRY), 1);
        assert_int_equal(asked.times, 1);
        pair_run(&p, 10 * p.delay);
        assert_int_equal(asked.times, 2);
        if (allowed) {
            early_came_through(&p, "hello", true);
        } else {
            pair_run(&p, 70 * SKUA_SEC);
            assert_int_equal(p.host[CLIENT].closed.error, SKUA_ETIMEDOUT);
            assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
        }
        pair_close(&p);
    }
}

/* Any allocation of the server fails while it moves: the client's next repeat finds it as it was.
 */
static void without_memory(void **state)
{
    (void)state;
    uint64_t failed = 0;
    for (int64_t nth = 0; nth < 4; nth++) {
        struct pair p;
        struct early_tap t = {.mute = false};
        struct skua_token token = begin(&p, &t, NULL);
        struct host *server = &p.host[SERVER];
        (void)early_call(&p, &token, "hello");
        pair_run(&p, p.delay / 2);
        early_inject(&p, &t, 1);
        pair_run(&p, 5 * p.delay / 2 - 1);
        server->fail_after = nth;
        server->fail_once = true;
        pair_run(&p, 1);
        server->fail_after = -1;
        failed += server->failed;
        pair_run(&p, 4 * SKUA_SEC);
        early_came_through(&p, "hello", true);
        pair_close(&p);
    }
    assert_true(failed > 0);
}

/* Entry and connection of the only half-open client. */
static bool same_place(struct pair *p, const struct skua_half_open *entry)
{
    return skua_path_equal(&entry->path, &pair_conn(p, SERVER)->path);
}

/* The table of fingerprints must grow for the move, and cannot: entry and connection stay together,
 * and the next repeat moves both, once. */
static void neither_moves_alone(void **state)
{
    (void)state;
    for (int64_t nth = 0; nth < 2; nth++) {
        struct pair p;
        struct early_tap t = {.mute = false};
        struct skua_token token = begin(&p, &t, NULL);
        struct host *server = &p.host[SERVER];
        (void)early_call(&p, &token, "hello");
        pair_run(&p, p.delay / 2);
        early_inject(&p, &t, 1);
        t.deaf = true;
        pair_run(&p, SKUA_SEC / 2);
        struct skua_idmap *map = &server->ep->syns.by_fingerprint;
        const struct skua_id id = skua_ids_own(&pair_conn(&p, SERVER)->ids);
        struct skua_half_open *entry = skua_syn_queue_find(&server->ep->syns, id.bytes, id.len);
        const size_t slots = map->table.mask + 1;
        uint8_t name[SKUA_TAG_LEN] = {0};
        for (; skua_idmap_count(map) < slots - (slots + 7) / 8; name[0]++) {
            assert_int_equal(skua_idmap_put(map, name, sizeof name, entry), SKUA_OK);
        }
        server->fail_after = nth;
        server->fail_once = true;
        inject_proven(&p, &t, &p.way[CLIENT]);
        assert_int_equal(server->failed, 1);
        assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_NO_MEMORY), 1);
        assert_true(same_place(&p, entry));
        assert_int_equal(server->events[SKUA_EVENT_PATH], 0);
        inject_proven(&p, &t, &p.way[CLIENT]);
        assert_true(same_place(&p, entry));
        assert_true(skua_path_equal(&entry->path, &p.way[CLIENT]));
        const struct skua_path before = early_elsewhere(1);
        assert_memory_equal(&server->seen[SKUA_EVENT_PATH].path, &before, sizeof before);
        assert_int_equal(pair_conn(&p, SERVER)->count.path_changes, 1);
        while (name[0]-- > 0) {
            assert_ptr_equal(skua_idmap_remove(map, name, sizeof name), entry);
        }
        t.deaf = false;
        pair_run(&p, 4 * SKUA_SEC);
        assert_int_equal(server->events[SKUA_EVENT_PATH], 1);
        early_came_through(&p, "hello", true);
        pair_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_comes_first),
        cmocka_unit_test(others_leave_room),
        cmocka_unit_test(a_copy_to_another_address_of_the_server),
        cmocka_unit_test(a_new_port_between_repeats),
        cmocka_unit_test(a_victim_gets_little),
        cmocka_unit_test(an_onlooker_takes_it_away),
        cmocka_unit_test(then_it_stays),
        cmocka_unit_test(what_is_over_is_told_elsewhere),
        cmocka_unit_test(the_application_is_asked_again),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(neither_moves_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
