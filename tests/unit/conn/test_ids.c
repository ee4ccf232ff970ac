/* Connection ids on a living connection: a spare one of each side, and what a peer may not do with
 * them. */
#include "pair.h"

/* Frames by hand. */
struct frames {
    uint8_t bytes[1000];
    struct skua_writer w;
};

static void begin(struct frames *f)
{
    f->w = skua_writer_of(f->bytes, sizeof f->bytes);
}

static void put_new(struct frames *f, uint64_t number, uint64_t retire)
{
    skua_writer_varint(&f->w, SKUA_FRAME_NEW_CONNECTION_ID);
    skua_writer_varint(&f->w, number);
    skua_writer_varint(&f->w, retire);
    skua_writer_u8(&f->w, 8);
    for (unsigned i = 0; i < 8 + 16; i++) {
        skua_writer_u8(&f->w, (uint8_t)(number * 31 + i));
    }
}

static void put_retire(struct frames *f, uint64_t number)
{
    skua_writer_varint(&f->w, SKUA_FRAME_RETIRE_CONNECTION_ID);
    skua_writer_varint(&f->w, number);
}

static void forge(struct pair *p, int from, struct frames *f)
{
    assert_false(f->w.failed);
    pair_forge(p, from, f->bytes, skua_writer_len(&f->w));
    pair_poll(p, !from);
}

/* Both sides write a little, so that each has told its spare. */
static void talk(struct pair *p)
{
    for (int at = 0; at < 2; at++) {
        skua_stream stream;
        size_t n;
        assert_int_equal(
            skua_stream_open(p->host[at].ep, p->host[at].conn, SKUA_STREAM_UNI, &stream), SKUA_OK);
        assert_int_equal(skua_stream_write(p->host[at].ep, stream, "hello", 5, &n), SKUA_OK);
        assert_int_equal(skua_stream_finish(p->host[at].ep, stream), SKUA_OK);
        pair_run(p, 20 * p->delay);
    }
}

static void open_pair(struct pair *p)
{
    pair_open(p);
    pair_establish(p, NULL, NULL);
    talk(p);
}

static void expect_end(struct pair *p, int victim, enum skua_code code, uint64_t frame)
{
    assert_int_equal(p->host[victim].events[SKUA_EVENT_CLOSED], 1);
    assert_int_equal(p->host[victim].closed.error, SKUA_EPROTO);
    assert_int_equal(p->host[victim].closed.code, code);
    assert_int_equal(p->host[victim].closed.frame_type, frame);
    pair_run(p, 100 * SKUA_SEC);
}

static void expect_reset(struct pair *p, int victim, enum skua_code code, uint64_t frame)
{
    expect_end(p, victim, code, frame);
    /* The offender hears the same. */
    assert_int_equal(p->host[!victim].closed.code, code);
    assert_int_equal(p->host[!victim].closed.frame_type, frame);
    pair_close(p);
}

/* Each side holds a spare id of the other, with the right token, and packets under it arrive. */
static void spares(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p);
    for (int at = 0; at < 2; at++) {
        struct skua_connection *c = pair_conn(&p, at);
        struct skua_connection *peer = pair_conn(&p, !at);
        assert_int_equal(c->ids.spare_count, 1);
        assert_false(c->ids.due || peer->ids.due);
        const struct skua_spare_id *spare = c->ids.spares;
        uint8_t token[SKUA_RESET_TOKEN_LEN];
        skua_reset_token(token, &peer->env->reset_key, spare->id.bytes, spare->id.len);
        assert_memory_equal(token, spare->token, sizeof token);
        if (at == CLIENT) { /* a server's ids tell a load balancer where to go */
            assert_memory_equal(spare->id.bytes, c->ids.peer.bytes, 3);
        }
        struct skua_id old = c->ids.peer;
        const struct skua_id new = spare->id;
        assert_true(skua_ids_take(&c->ids));
        assert_int_equal(skua_ids_adopt(&c->ids, &c->env->heap), SKUA_CODE_NO_ERROR);
        skua_conn_mark(c, SKUA_MARK_SEND);
        uint64_t received = peer->count.packets_received;
        pair_run(&p, 20 * p.delay);
        assert_true(peer->count.packets_received > received);
        struct skua_id used = skua_ids_own(&peer->ids);
        assert_true(skua_id_equal(&used, &new));
        /* The old one is given up and known to nobody; another has come. */
        assert_int_equal(c->ids.spare_count, 1);
        assert_null(c->ids.retiring);
        assert_null(peer->ids.retiring);
        uint8_t packet[100] = {0x40};
        memcpy(packet + 1, old.bytes, old.len);
        struct skua_endpoint_stats before, after;
        skua_endpoint_stats(p.host[!at].ep, &before);
        pair_inject(&p, !at, packet, sizeof packet);
        skua_endpoint_stats(p.host[!at].ep, &after);
        enum skua_verdict nobodys = at == CLIENT ? SKUA_VERDICT_FORGOTTEN : SKUA_VERDICT_UNKNOWN_ID;
        assert_int_equal(after.verdicts[nobodys], before.verdicts[nobodys] + 1);
    }
    pair_close(&p);
}

/* TIME_WAIT answers under the id that was used last, and only there. */
static void time_wait(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p);
    struct skua_connection *server = pair_conn(&p, SERVER);
    const struct skua_id first = server->ids.peer;
    const struct skua_id second = server->ids.spares->id;
    assert_true(skua_ids_take(&server->ids));
    assert_int_equal(skua_ids_adopt(&server->ids, &server->env->heap), SKUA_CODE_NO_ERROR);
    (void)skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn);
    pair_run(&p, 4 * p.delay);
    (void)skua_conn_close(p.host[SERVER].ep, p.host[SERVER].conn);
    pair_run(&p, 4 * p.delay);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_OK);
    assert_int_equal(p.host[SERVER].closed.error, SKUA_OK);
    uint8_t packet[100] = {0x40};
    struct skua_endpoint_stats stats;
    memcpy(packet + 1, second.bytes, second.len);
    uint64_t sent = p.host[CLIENT].sent;
    pair_inject(&p, CLIENT, packet, sizeof packet);
    pair_send(&p, CLIENT);
    skua_endpoint_stats(p.host[CLIENT].ep, &stats);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_TIME_WAIT], 1);
    assert_int_equal(p.host[CLIENT].sent, sent + 1);
    memcpy(packet + 1, first.bytes, first.len);
    pair_inject(&p, CLIENT, packet, sizeof packet);
    skua_endpoint_stats(p.host[CLIENT].ep, &stats);
    assert_int_equal(stats.verdicts[SKUA_VERDICT_TIME_WAIT], 1);
    pair_run(&p, 100 * SKUA_SEC);
    pair_close(&p);
}

static void too_many_ids(void **state)
{
    (void)state;
    for (int from = 0; from < 2; from++) {
        struct pair p;
        struct frames f;
        open_pair(&p);
        begin(&f);
        for (uint64_t n = 2; n < SKUA_LIMIT_ACTIVE_IDS; n++) {
            put_new(&f, n, 0);
        }
        forge(&p, from, &f);
        assert_int_equal(p.host[!from].events[SKUA_EVENT_CLOSED], 0);
        begin(&f);
        put_new(&f, SKUA_LIMIT_ACTIVE_IDS, 0);
        forge(&p, from, &f);
        expect_reset(&p, !from, SKUA_CODE_CONNECTION_ID_LIMIT, SKUA_FRAME_NEW_CONNECTION_ID);
    }
}

/* Attack 13: ids that must be given up at once, and no acknowledgement of that. */
static void too_many_retirements(void **state)
{
    (void)state;
    for (int from = 0; from < 2; from++) {
        struct pair p;
        struct frames f;
        open_pair(&p);
        uint64_t n = 2;
        uint64_t before = p.host[!from].out;
        while (p.host[!from].events[SKUA_EVENT_CLOSED] == 0 && n < 40) {
            begin(&f);
            put_new(&f, n, n);
            forge(&p, from, &f);
            n++;
            assert_true(p.host[!from].out <= before + 8);
        }
        assert_true(n < 2 + SKUA_LIMIT_RETIREMENTS + 2);
        expect_end(&p, !from, SKUA_CODE_CONNECTION_ID_LIMIT, SKUA_FRAME_NEW_CONNECTION_ID);
        pair_close(&p);
    }
}

static void wrong_retirements(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0 /* the one in use */, 2, 1000, SKUA_VARINT_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        for (int from = 0; from < 2; from++) {
            struct pair p;
            struct frames f;
            open_pair(&p);
            begin(&f);
            put_retire(&f, numbers[i]);
            forge(&p, from, &f);
            expect_reset(&p, !from, SKUA_CODE_PROTOCOL, SKUA_FRAME_RETIRE_CONNECTION_ID);
        }
    }
}

/* A peer that retires each spare as soon as it gets it costs one id at a time. */
static void restless(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p);
    struct skua_connection *client = pair_conn(&p, CLIENT);
    struct skua_connection *server = pair_conn(&p, SERVER);
    for (uint32_t n = 1; n < 500; n++) {
        assert_int_equal(client->ids.spares->sequence, n);
        assert_true(skua_ids_take(&client->ids));
        assert_int_equal(skua_ids_drop_taken(&client->ids, &client->env->heap), SKUA_CODE_NO_ERROR);
        skua_conn_mark(client, SKUA_MARK_SEND);
        pair_run(&p, 4 * p.delay);
        assert_int_equal(skua_nummap_count(&p.host[SERVER].ep->by_id), SKUA_IDS_OWN);
        skua_ids_check(&server->ids);
    }
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spares),
        cmocka_unit_test(time_wait),
        cmocka_unit_test(too_many_ids),
        cmocka_unit_test(too_many_retirements),
        cmocka_unit_test(wrong_retirements),
        cmocka_unit_test(restless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
