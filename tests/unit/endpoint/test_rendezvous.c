/* Two sides that both connect: one connection results, whatever is lost, forged or sent back. */
#include "pair.h"

#include "base/time.h"

static const uint8_t SECRET[SKUA_PSK_LEN] = {3, 1, 4};

enum { STREAMS = 7 }; /* opened before the connection stands: more than are found by walking */

/* Both sides in one world; `seed` decides, among other things, who has the smaller id. */
static void open_seeded(struct pair *p, uint64_t seed)
{
    pair_open(p);
    p->seed = seed;
}

/* Settings of `host` for a rendezvous with the other. */
static struct skua_conn_config settings(struct pair *p, int host, bool ik)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.rendezvous = true;
    config.label = "meet";
    config.ik = ik;
    config.server_key = skua_endpoint_key(p->host[!host].ep);
    return config;
}

static void dial(struct pair *p, int host, bool ik)
{
    struct skua_conn_config config = settings(p, host, ik);
    assert_int_equal(pair_dial(p, host, &config), SKUA_OK);
}

/* Has the client the smaller id, so that it is the one to answer? */
static bool client_answers(struct pair *p)
{
    const uint8_t *ids[2];
    for (int i = 0; i < 2; i++) {
        ids[i] = pair_conn(p, i)->ids.own[0];
    }
    return memcmp(ids[CLIENT], ids[SERVER], SKUA_OWN_ID_LEN) < 0;
}

static void established(struct pair *p)
{
    uint8_t secret[2][32];
    for (int i = 0; i < 2; i++) {
        const struct host *h = &p->host[i];
        assert_int_equal(h->events[SKUA_EVENT_ESTABLISHED], 1);
        assert_int_equal(h->events[SKUA_EVENT_INCOMING], 0);
        assert_int_equal(h->events[SKUA_EVENT_CLOSED], 0);
        assert_int_equal(skua_conn_export(h->ep, h->conn, "x", secret[i], 32), SKUA_OK);
        struct skua_key key;
        assert_int_equal(skua_conn_peer_key(h->ep, h->conn, &key), SKUA_OK);
        assert_memory_equal(&key, skua_endpoint_key(p->host[!i].ep), sizeof key);
        struct skua_endpoint_stats stats;
        skua_endpoint_stats(h->ep, &stats);
        assert_int_equal(stats.conns, 1);
        assert_int_equal(stats.accept_queue, 0);
        assert_null(skua_idmap_get(&h->ep->meetings, "", 0));
        assert_int_equal(skua_idmap_count(&h->ep->meetings), 0);
        assert_in_range(skua_nummap_count(&h->ep->by_id), 1, SKUA_IDS_OWN);
    }
    assert_memory_equal(secret[0], secret[1], 32);
    assert_true(pair_conn(p, CLIENT)->is_server != pair_conn(p, SERVER)->is_server);
}

static void close_both(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(skua_conn_close(p->host[i].ep, p->host[i].conn), SKUA_OK);
    }
    pair_run(p, 30 * SKUA_SEC);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(p->host[i].events[SKUA_EVENT_CLOSED], 1);
        assert_int_equal(p->host[i].closed.error, SKUA_OK);
    }
    pair_close(p);
}

/* So much time later there is one connection, which ends orderly. */
static void come_together(struct pair *p, skua_time length)
{
    pair_run(p, length);
    established(p);
    close_both(p);
}

/* The client begins, and the server so much later. */
static void begin(struct pair *p, bool ik, skua_time later)
{
    dial(p, CLIENT, ik);
    pair_run(p, later);
    dial(p, SERVER, ik);
}

/* Every pattern, and either side with the smaller id. */
static void one_connection_results(void **state)
{
    (void)state;
    unsigned answered[2] = {0, 0};
    for (unsigned i = 0; i < 32; i++) {
        struct pair p;
        open_seeded(&p, 1 + i / 4);
        for (int host = 0; host < 2; host++) {
            struct skua_conn_config config = settings(&p, host, (i & 1) != 0);
            config.psk = (i & 2) != 0 ? SECRET : NULL;
            assert_int_equal(pair_dial(&p, host, &config), SKUA_OK);
        }
        answered[client_answers(&p)]++;
        bool server = client_answers(&p);
        pair_run(&p, 10 * p.delay);
        established(&p);
        assert_int_equal(pair_conn(&p, CLIENT)->is_server, server);
        close_both(&p);
    }
    assert_true(answered[0] > 0 && answered[1] > 0);
}

/* Whoever begins late is answered at once: its first SYN makes the other repeat its own. */
static void the_late_one_does_not_wait(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct pair p;
        open_seeded(&p, seed);
        dial(&p, CLIENT, false);
        pair_run(&p, 5 * SKUA_SEC);
        assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 0);
        assert_true(pair_verdicts(&p, SERVER, SKUA_VERDICT_SYN_UNEXPECTED) >= 2);
        dial(&p, SERVER, false);
        /* SYN, SYN_ACK, CONFIRM; where the client answers first: SYN, SYN, SYN_ACK, CONFIRM. */
        come_together(&p, 4 * p.delay);
    }
}

/* Streams opened beforehand belong to whichever side their opener turns out to be. */
static void early_streams_change_sides(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct pair p;
        skua_stream stream[2][STREAMS];
        open_seeded(&p, seed);
        for (int host = 0; host < 2; host++) {
            dial(&p, host, true);
            for (int i = 0; i < STREAMS; i++) {
                size_t n;
                struct skua_endpoint *ep = p.host[host].ep;
                skua_stream *s = &stream[host][i];
                assert_int_equal(skua_stream_open(ep, p.host[host].conn, (unsigned)i % 2, s),
                                 SKUA_OK);
                assert_int_equal(skua_stream_write(ep, *s, "hello", 5, &n), SKUA_OK);
                assert_int_equal(skua_stream_finish(ep, *s), SKUA_OK);
            }
        }
        pair_run(&p, 10 * p.delay);
        established(&p);
        for (int host = 0; host < 2; host++) {
            struct skua_connection *c = pair_conn(&p, host);
            assert_int_equal(p.host[host].events[SKUA_EVENT_STREAM], STREAMS);
            for (int i = 0; i < STREAMS; i++) {
                struct skua_stream_info info;
                assert_int_equal(skua_stream_info(p.host[host].ep, stream[host][i], &info),
                                 SKUA_OK);
                assert_int_equal(info.id & 1, c->is_server);
                assert_int_equal(info.acked, 5);
            }
            skua_streams_check(&c->streams);
        }
        close_both(&p);
    }
}

/* Nobody expects it: no answer, since a refusal would end the attempt of a peer that began first.
 * A listener has nothing to do with it. */
static void nobody_is_there(void **state)
{
    (void)state;
    for (int listening = 0; listening < 2; listening++) {
        struct pair p;
        pair_open(&p);
        if (listening != 0) {
            pair_listen(&p, NULL);
        }
        dial(&p, CLIENT, false);
        pair_run(&p, 62 * SKUA_SEC);
        assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 0);
        assert_int_equal(p.host[SERVER].sent, 0);
        assert_int_equal(pair_verdicts(&p, SERVER, SKUA_VERDICT_SYN_UNEXPECTED), 6);
        pair_run(&p, 2 * SKUA_SEC);
        assert_int_equal(p.host[CLIENT].closed.error, SKUA_ETIMEDOUT);
        assert_int_equal(skua_idmap_count(&p.host[CLIENT].ep->meetings), 0);
        pair_close(&p);
    }
}

/* ICMP "port unreachable" only says that the peer has not begun. */
static void a_closed_port_may_open(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    dial(&p, CLIENT, false);
    pair_run(&p, 2 * SKUA_SEC);
    skua_endpoint_hint(p.host[CLIENT].ep, &pair_conn(&p, CLIENT)->path, SKUA_HINT_PORT_UNREACHABLE,
                       p.now);
    pair_run(&p, 20 * SKUA_SEC);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 0);
    pair_run(&p, 43 * SKUA_SEC);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_ECONNREFUSED);
    pair_close(&p);
}

static void one_at_a_time_for_an_address(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    dial(&p, CLIENT, false);
    skua_conn first = p.host[CLIENT].conn;
    struct skua_conn_config config = settings(&p, CLIENT, false);
    assert_int_equal(pair_dial(&p, CLIENT, &config), SKUA_ESTATE);
    assert_int_equal(skua_conn_close(p.host[CLIENT].ep, first), SKUA_OK);
    assert_int_equal(pair_dial(&p, CLIENT, &config), SKUA_OK); /* also before it is cleared away */
    pair_run(&p, p.delay);
    dial(&p, SERVER, false);
    pair_run(&p, 10 * p.delay);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 1);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_EABORTED);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_ESTABLISHED], 1);
    assert_int_equal(pair_dial(&p, CLIENT, &config), SKUA_OK); /* one that stands is no attempt */
    pair_run(&p, 64 * SKUA_SEC);
    pair_close(&p);
}

/* Keeps a copy of the first SYN of each side. */
struct tap {
    uint8_t syn[2][SKUA_LIMIT_UDP_MIN];
    bool have[2];
    bool drops; /* nothing arrives */
};

static bool tap(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    struct tap *t = pair->user;
    if (!t->have[from] && len == SKUA_LIMIT_UDP_MIN) {
        memcpy(t->syn[from], data, len);
        t->have[from] = true;
    }
    return t->drops;
}

/* From now on SYNs are kept, and nothing arrives. */
static void cut(struct pair *p, struct tap *t)
{
    *t = (struct tap){.drops = true};
    p->drop = tap;
    p->user = t;
}

static void its_own_syn_comes_back(void **state)
{
    (void)state;
    struct pair p;
    struct tap t;
    pair_open(&p);
    cut(&p, &t);
    dial(&p, CLIENT, false);
    pair_run(&p, 0);
    for (int i = 0; i < 100; i++) {
        pair_inject(&p, CLIENT, t.syn[CLIENT], sizeof t.syn[CLIENT]);
        pair_run(&p, SKUA_MSEC);
    }
    assert_int_equal(pair_verdicts(&p, CLIENT, SKUA_VERDICT_SYN_REFLECTED), 100);
    assert_int_equal(p.host[CLIENT].sent, 1);
    t.drops = false;
    dial(&p, SERVER, false);
    come_together(&p, SKUA_SEC + 10 * p.delay);
}

/* Another's SYN from the peer's address is in nobody's way, whoever has the smallest id. */
static void forged_syns_change_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 16; seed++) {
        struct pair other, p;
        struct tap t;
        open_seeded(&other, 100 + seed);
        cut(&other, &t);
        for (int i = 0; i < 2; i++) {
            dial(&other, i, seed % 2 == 0);
        }
        pair_run(&other, 0);
        pair_close(&other);
        open_seeded(&p, seed);
        for (int i = 0; i < 2; i++) {
            dial(&p, i, seed % 4 >= 2);
        }
        for (int to = 0; to < 2; to++) {
            for (int from = 0; from < 2; from++) {
                pair_inject(&p, to, t.syn[from], sizeof t.syn[from]);
            }
        }
        pair_run(&p, 10 * p.delay);
        established(&p);
        pair_run(&p, 64 * SKUA_SEC); /* what they left behind goes by itself */
        for (int i = 0; i < 2; i++) {
            struct skua_endpoint_stats stats;
            skua_endpoint_stats(p.host[i].ep, &stats);
            assert_int_equal(stats.half_open, 0);
        }
        pair_close(&p);
    }
}

/* Forged SYNs from the peer's address call for a SYN of ours each: bounded. */
static void prompts_are_rare(void **state)
{
    (void)state;
    struct pair p;
    struct tap t;
    pair_open(&p);
    cut(&p, &t);
    dial(&p, CLIENT, false);
    pair_run(&p, 0);
    memset(t.syn[CLIENT] + 15, 0, 8); /* the id: smaller than any */
    uint64_t before = p.host[CLIENT].sent;
    for (int i = 0; i < 900; i++) {
        pair_inject(&p, CLIENT, t.syn[CLIENT], sizeof t.syn[CLIENT]);
        pair_run(&p, SKUA_MSEC);
    }
    assert_int_equal(pair_verdicts(&p, CLIENT, SKUA_VERDICT_SYN_CROSSED), 900);
    assert_int_equal(p.host[CLIENT].sent, before + 9);
    pair_run(&p, 64 * SKUA_SEC); /* the schedule is what it was: 1, 3, 7, 15, 31 s */
    assert_int_equal(p.host[CLIENT].sent, before + 9 + 5);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_ETIMEDOUT);
    pair_close(&p);
}

/* The peer is somebody else: told with the key that it has, in either role. */
static void a_wrong_key_is_told(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        for (int ik = 0; ik < 2; ik++) {
            struct pair p;
            open_seeded(&p, seed);
            struct skua_conn_config config = settings(&p, CLIENT, ik != 0);
            config.server_key = skua_endpoint_key(p.host[CLIENT].ep);
            assert_int_equal(pair_dial(&p, CLIENT, &config), SKUA_OK);
            dial(&p, SERVER, false);
            pair_run(&p, 10 * SKUA_SEC);
            assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 0);
            assert_int_equal(p.host[CLIENT].closed.error, SKUA_EPEERKEY);
            assert_memory_equal(&p.host[CLIENT].closed.key, skua_endpoint_key(p.host[SERVER].ep),
                                sizeof(struct skua_key));
            pair_run(&p, 200 * SKUA_SEC);
            assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 1);
            pair_close(&p);
        }
    }
}

/* Both hear of it, with the same code, whichever of them compared the labels. */
static void labels_must_agree(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        for (int ik = 0; ik < 2; ik++) {
            struct pair p;
            open_seeded(&p, seed);
            struct skua_conn_config config = settings(&p, CLIENT, ik != 0);
            config.label = "another";
            assert_int_equal(pair_dial(&p, CLIENT, &config), SKUA_OK);
            dial(&p, SERVER, ik != 0);
            pair_run(&p, SKUA_SEC);
            for (int i = 0; i < 2; i++) {
                assert_int_equal(p.host[i].events[SKUA_EVENT_CLOSED], 1);
                assert_int_equal(p.host[i].closed.error, SKUA_ECONNREFUSED);
                assert_int_equal(p.host[i].closed.code, SKUA_CODE_LABEL);
            }
            pair_close(&p);
        }
    }
}

static void secrets_must_agree(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    struct skua_conn_config config = settings(&p, CLIENT, false);
    config.psk = SECRET;
    assert_int_equal(pair_dial(&p, CLIENT, &config), SKUA_OK);
    dial(&p, SERVER, false);
    pair_run(&p, 70 * SKUA_SEC);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(p.host[i].events[SKUA_EVENT_ESTABLISHED], 0);
        assert_int_equal(p.host[i].closed.error, SKUA_ETIMEDOUT);
    }
    pair_close(&p);
}

/* Loses the datagrams whose numbers are bits of `lost`. */
struct sieve {
    uint32_t lost;
    unsigned count;
};

static bool lose(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    struct sieve *s = pair->user;
    (void)from;
    (void)data;
    (void)len;
    bool lost = s->count < 32 && (s->lost >> s->count & 1) != 0;
    s->count++;
    return lost;
}

/* Any of the first eight datagrams lost, in all combinations; the slower side's IK attempt is
 * followed by XX, with both SYNs under way. */
static void any_loss_is_repaired(void **state)
{
    (void)state;
    for (uint32_t mask = 0; mask < 256; mask++) {
        for (int ik = 0; ik < 2; ik++) {
            struct pair p;
            struct sieve s = {.lost = mask};
            open_seeded(&p, 1 + mask % 7);
            p.drop = lose;
            p.user = &s;
            begin(&p, ik != 0, mask % 3 * 7 * SKUA_MSEC);
            come_together(&p, 25 * SKUA_SEC);
        }
    }
}

/* A round trip longer than the patience with IK: the answer to the IK SYN comes when the XX SYN is
 * already under way. One connection all the same. */
static void falling_back_on_a_slow_path(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct pair p;
        open_seeded(&p, seed);
        p.delay = (500 + seed % 13 * 200) * SKUA_MSEC;
        begin(&p, true, seed % 11 * 500 * SKUA_MSEC);
        come_together(&p, 30 * SKUA_SEC);
    }
}

/* Loses three of four SYN_ACKs, by the state that `user` points to. */
static bool lose_answers(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    uint64_t *dice = pair->user;
    (void)from;
    (void)len;
    *dice = *dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return data[0] == SKUA_FIRST_BYTE(SKUA_PACKET_SYN_ACK) && *dice >> 62 != 0;
}

/* The one that answers gives IK up in between, and its next answer is under way together with its
 * XX SYN. If anything that is new in that SYN decided, the other would answer it now, and each
 * would be the client of a connection of its own. */
static void falling_back_while_answering(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct pair p;
        uint64_t dice = seed;
        open_seeded(&p, seed);
        p.delay = (100 + seed * 97 % 1400) * SKUA_MSEC;
        p.drop = lose_answers;
        p.user = &dice;
        dial(&p, CLIENT, true);
        pair_run(&p, seed * 113 % 3000 * SKUA_MSEC);
        dial(&p, SERVER, false);
        pair_run(&p, 20 * SKUA_SEC);
        if (p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED] == 1 &&
            p.host[SERVER].events[SKUA_EVENT_ESTABLISHED] == 1) {
            established(&p);
        }
        pair_close(&p);
    }
}

/* Unlisten ends what strangers began, not what the application itself waits for. */
static void unlisten_leaves_it_alone(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct pair p;
        open_seeded(&p, seed);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(skua_endpoint_listen(p.host[i].ep, NULL), SKUA_OK);
            dial(&p, i, false);
        }
        pair_run(&p, p.delay); /* one SYN has been answered */
        for (int i = 0; i < 2; i++) {
            assert_int_equal(skua_endpoint_unlisten(p.host[i].ep), SKUA_OK);
        }
        come_together(&p, 3 * p.delay);
    }
}

static void a_way_to_itself_is_none(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    struct skua_conn_config config = settings(&p, CLIENT, false);
    struct skua_path path = {
        .local = {.family = SKUA_FAMILY_IPV4, .port = 7, .ip = {127, 0, 0, 1}}};
    path.remote = path.local;
    skua_conn conn;
    assert_int_equal(skua_conn_connect(p.host[CLIENT].ep, &path, &config, &conn), SKUA_EINVAL);
    pair_close(&p);
}

/* Every allocation of either side fails, alone or with all after it; what fails for want of memory
 * may fail, but ends. */
static void every_allocation_may_fail(void **state)
{
    (void)state;
    unsigned met = 0;
    for (int side = 0; side < 2; side++) {
        for (int64_t nth = 0; nth < 40; nth++) {
            struct pair p;
            open_seeded(&p, 3);
            p.host[side].fail_after = nth;
            p.host[side].fail_once = nth % 2 == 0;
            for (int i = 0; i < 2; i++) {
                struct skua_conn_config config = settings(&p, i, nth % 4 >= 2);
                enum skua_err err = pair_dial(&p, i, &config);
                assert_true(err == SKUA_OK || err == SKUA_ENOMEM);
            }
            pair_run(&p, 2 * SKUA_SEC);
            met += p.host[0].events[SKUA_EVENT_ESTABLISHED] == 1 &&
                   p.host[1].events[SKUA_EVENT_ESTABLISHED] == 1;
            for (int i = 0; i < 2; i++) {
                (void)skua_conn_close(p.host[i].ep, p.host[i].conn);
                assert_true(p.host[i].events[SKUA_EVENT_ESTABLISHED] <= 1);
            }
            pair_run(&p, 200 * SKUA_SEC);
            pair_close(&p);
        }
    }
    assert_true(met >= 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_connection_results),
        cmocka_unit_test(the_late_one_does_not_wait),
        cmocka_unit_test(early_streams_change_sides),
        cmocka_unit_test(nobody_is_there),
        cmocka_unit_test(a_closed_port_may_open),
        cmocka_unit_test(one_at_a_time_for_an_address),
        cmocka_unit_test(its_own_syn_comes_back),
        cmocka_unit_test(forged_syns_change_nothing),
        cmocka_unit_test(prompts_are_rare),
        cmocka_unit_test(a_wrong_key_is_told),
        cmocka_unit_test(labels_must_agree),
        cmocka_unit_test(secrets_must_agree),
        cmocka_unit_test(any_loss_is_repaired),
        cmocka_unit_test(falling_back_on_a_slow_path),
        cmocka_unit_test(falling_back_while_answering),
        cmocka_unit_test(unlisten_leaves_it_alone),
        cmocka_unit_test(a_way_to_itself_is_none),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
