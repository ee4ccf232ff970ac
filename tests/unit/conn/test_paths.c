/* PATH_CHALLENGE and PATH_RESPONSE on a living connection, by a peer that has the keys: what it can
 * make the other side send, keep and do. */
#include "pair.h"

#include "conn/internal.h"

struct frames {
    uint8_t bytes[1000];
    struct skua_writer w;
};

static void begin(struct frames *f)
{
    f->w = skua_writer_of(f->bytes, sizeof f->bytes);
}

static void put_path(struct frames *f, enum skua_frame_type type, uint64_t data)
{
    skua_writer_varint(&f->w, type);
    skua_writer_u64(&f->w, data);
}

/* Bytes that `side` has sent since the last call. */
static uint64_t sent_by(struct pair *p, int side)
{
    static uint64_t before[2];
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(p->host[side].ep, &stats);
    uint64_t n = stats.bytes_sent - before[side];
    before[side] = stats.bytes_sent;
    return n;
}

static void open_pair(struct pair *p)
{
    pair_open(p);
    pair_establish(p, NULL, NULL);
    pair_run(p, 20 * p->delay);
    (void)sent_by(p, CLIENT);
    (void)sent_by(p, SERVER);
}

/* Attack 12: thousands of challenges, and not one acknowledgement. Only the newest is answered, by
 * no more than was sent, and nothing is kept. */
static void a_flood_of_challenges(void **state)
{
    (void)state;
    for (int victim = 0; victim < 2; victim++) {
        struct pair p;
        struct frames f;
        open_pair(&p);
        uint64_t out = p.host[victim].out;
        for (uint64_t i = 0; i < 2000; i++) {
            begin(&f);
            put_path(&f, SKUA_FRAME_PATH_CHALLENGE, i);
            put_path(&f, SKUA_FRAME_PATH_CHALLENGE, ~i);
            pair_forge(&p, !victim, f.bytes, skua_writer_len(&f.w));
            assert_true(p.host[victim].out <= out + 3);
            if (i % 100 == 99) {
                const struct skua_migration *m = pair_conn(&p, victim)->migration;
                assert_non_null(m);
                assert_int_equal(m->answer, ~i); /* the newest, and no other */
                assert_false(m->probing);
                pair_send(&p, victim);
                assert_null(pair_conn(&p, victim)->migration);
                pair_run(&p, SKUA_MSEC);
            }
        }
        assert_true(sent_by(&p, victim) < 20 * 200);
        assert_int_equal(p.host[victim].events[SKUA_EVENT_CLOSED], 0);
        assert_int_equal(p.host[victim].events[SKUA_EVENT_PATH], 0);
        pair_run(&p, SKUA_SEC);
        pair_close(&p);
    }
}

/* Answers to what was never asked. */
static void answers_out_of_the_blue(void **state)
{
    (void)state;
    for (int victim = 0; victim < 2; victim++) {
        struct pair p;
        struct frames f;
        open_pair(&p);
        for (uint64_t i = 0; i < 100; i++) {
            begin(&f);
            put_path(&f, SKUA_FRAME_PATH_RESPONSE, i * i);
            pair_forge(&p, !victim, f.bytes, skua_writer_len(&f.w));
        }
        assert_null(pair_conn(&p, victim)->migration);
        pair_run(&p, SKUA_SEC);
        assert_int_equal(p.host[victim].events[SKUA_EVENT_CLOSED], 0);
        assert_int_equal(p.host[victim].events[SKUA_EVENT_PATH], 0);
        pair_close(&p);
    }
}

/* A challenge without memory to note it is not answered, and harms nobody. */
static void no_memory_for_an_answer(void **state)
{
    (void)state;
    struct pair p;
    struct frames f;
    open_pair(&p);
    p.host[SERVER].fail_after = 0;
    begin(&f);
    put_path(&f, SKUA_FRAME_PATH_CHALLENGE, 7);
    pair_forge(&p, CLIENT, f.bytes, skua_writer_len(&f.w));
    p.host[SERVER].fail_after = -1;
    assert_null(pair_conn(&p, SERVER)->migration);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 0);
    pair_close(&p);
}

/* A packet of `from` with these frames, `len` bytes long, or as short as one may be that asks for
 * an ACK. */
struct packet {
    uint8_t bytes[SKUA_LIMIT_UDP_MIN];
    size_t len;
};

static void seal(struct pair *p, int from, const struct frames *f, size_t len, struct packet *out)
{
    struct skua_connection *c = pair_conn(p, from);
    struct skua_fill fill;
    assert_true(skua_tx_begin(c, &fill, out->bytes, len));
    skua_writer_copy(&fill.w, f->bytes, skua_writer_len(&f->w));
    skua_writer_zero(&fill.w, skua_writer_left(&fill.w));
    out->len = skua_tx_seal(c, &fill, out->bytes, 0, p->now);
}

/* Hands a copy of a packet to `to`, as if it came along `path`; nothing leaves yet. */
static void hand(struct pair *p, int to, const struct skua_path *path, const struct packet *packet)
{
    struct packet copy = *packet;
    struct skua_rx rx = {.path = *path, .data = copy.bytes, .len = copy.len};
    skua_endpoint_recv(p->host[to].ep, &rx, 1, p->now);
    skua_endpoint_settle(p->host[to].ep);
}

/* The client's path, as the server sees it, but for port and last byte of the address. */
static struct skua_path another(struct pair *p, uint16_t port, uint8_t address)
{
    struct skua_path path = pair_conn(p, SERVER)->path;
    path.remote.port = port;
    path.remote.ip[3] = (uint8_t)(path.remote.ip[3] + address);
    return path;
}

static void put_ping(struct frames *f)
{
    begin(f);
    skua_writer_u8(&f->w, SKUA_FRAME_PING);
}

/* A packet each from `ports` addresses in turn. */
static void from_ports(struct pair *p, const uint16_t *ports, size_t count)
{
    struct frames f;
    put_ping(&f);
    for (size_t i = 0; i < count; i++) {
        struct packet packet;
        const struct skua_path path = another(p, ports[i], 0);
        seal(p, CLIENT, &f, SKUA_LIMIT_UDP_MIN, &packet);
        hand(p, SERVER, &path, &packet);
    }
}

/* A packet that others have overtaken, and one that only asks, show no move. */
static void what_shows_no_move(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct pair p;
        struct frames f;
        struct packet first, second;
        open_pair(&p);
        const struct skua_path elsewhere = another(&p, 20000, 0);
        if (old) {
            put_ping(&f);
        } else {
            begin(&f);
            put_path(&f, SKUA_FRAME_PATH_CHALLENGE, 1);
        }
        seal(&p, CLIENT, &f, SKUA_LIMIT_UDP_MIN, &first);
        if (old) {
            seal(&p, CLIENT, &f, SKUA_LIMIT_UDP_MIN, &second);
            hand(&p, SERVER, &pair_conn(&p, SERVER)->path, &second);
        }
        hand(&p, SERVER, &elsewhere, &first);
        struct skua_migration *m = pair_conn(&p, SERVER)->migration;
        assert_true(m != NULL && m->probing && !m->wanted);
        pair_send(&p, SERVER);
        begin(&f);
        put_path(&f, SKUA_FRAME_PATH_RESPONSE, m->probe.sent[0].data);
        seal(&p, CLIENT, &f, SKUA_LIMIT_UDP_MIN, &first);
        hand(&p, SERVER, &elsewhere, &first);
        assert_true(m->works);
        assert_int_equal(pair_conn(&p, SERVER)->count.path_changes, 0);
        /* A packet with more in it does. */
        put_ping(&f);
        seal(&p, CLIENT, &f, SKUA_LIMIT_UDP_MIN, &first);
        hand(&p, SERVER, &elsewhere, &first);
        assert_int_equal(pair_conn(&p, SERVER)->count.path_changes, 1);
        pair_run(&p, SKUA_SEC);
        pair_close(&p);
    }
}

/* Small packets allow small challenges only. Behind another port they are enough; at another
 * address, which may be another network, a large one must pass before the server moves. */
static void small_packets(void **state)
{
    (void)state;
    for (uint8_t address = 0; address < 2; address++) {
        struct pair p;
        struct frames f;
        struct packet packet;
        open_pair(&p);
        struct skua_connection *c = pair_conn(&p, SERVER);
        const struct skua_path elsewhere = another(&p, 20000, address);
        c->cc.cwnd = 54321;
        c->pmtud.mtu = 1400;
        (void)sent_by(&p, SERVER);
        put_ping(&f);
        seal(&p, CLIENT, &f, SKUA_ELICITING_MIN, &packet);
        hand(&p, SERVER, &elsewhere, &packet);
        pair_send(&p, SERVER);
        const struct skua_probe *probe = &c->migration->probe;
        assert_int_equal(probe->in, SKUA_ELICITING_MIN);
        assert_int_equal(probe->out, 3 * SKUA_ELICITING_MIN);
        assert_int_equal(probe->count, 1);
        p.now += p.delay; /* the answer tells a round trip */
        begin(&f);
        put_path(&f, SKUA_FRAME_PATH_RESPONSE, probe->sent[0].data);
        seal(&p, CLIENT, &f, SKUA_ELICITING_MIN, &packet);
        hand(&p, SERVER, &elsewhere, &packet);
        assert_int_equal(c->count.path_changes, address == 0);
        if (address != 0) {
            pair_send(&p, SERVER);
            assert_int_equal(probe->count, 2);
            begin(&f);
            put_path(&f, SKUA_FRAME_PATH_RESPONSE, probe->sent[1].data);
            seal(&p, CLIENT, &f, SKUA_ELICITING_MIN, &packet);
            hand(&p, SERVER, &elsewhere, &packet);
        }
        assert_int_equal(c->count.path_changes, 1);
        assert_true(skua_path_equal(&c->path, &elsewhere));
        assert_true((c->cc.cwnd == 54321) == (address == 0));
        assert_int_equal(c->pmtud.mtu, address == 0 ? 1400 : 1200);
        pair_run(&p, SKUA_SEC);
        pair_close(&p);
    }
}

/* The client speaks from `path`, and answers the server's challenge from there: the server follows.
 */
static void follow(struct pair *p, const struct skua_path *path)
{
    struct frames f;
    struct packet packet;
    struct skua_connection *c = pair_conn(p, SERVER);
    uint32_t moves = c->count.path_changes;
    begin(&f);
    put_ping(&f);
    seal(p, CLIENT, &f, SKUA_LIMIT_UDP_MIN, &packet);
    hand(p, SERVER, path, &packet);
    pair_send(p, SERVER);
    assert_non_null(c->migration);
    p->now += 2 * p->delay; /* the answer tells a round trip */
    begin(&f);
    put_path(&f, SKUA_FRAME_PATH_RESPONSE, c->migration->probe.sent[0].data);
    seal(p, CLIENT, &f, SKUA_LIMIT_UDP_MIN, &packet);
    hand(p, SERVER, path, &packet);
    assert_int_equal(c->count.path_changes, moves + 1);
}

/* A receiver whose losses count in no window because it changes its port all the time. */
static void ports_that_change_all_the_time(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p);
    struct skua_connection *c = pair_conn(&p, SERVER);
    const skua_time soon = 120 * SKUA_MSEC, late = 400 * SKUA_MSEC;
    const struct {
        skua_time after;
        bool kept;
    } moves[] = {{late, true}, {soon, false}, {soon, false}, {late, true}, {soon, false}};
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        const struct skua_path path = another(&p, (uint16_t)(20000 + i), 0);
        pair_run(&p, moves[i].after);
        assert_true(c->recovery.rtt.smoothed > 16 * SKUA_MSEC);
        assert_true(c->recovery.rtt.smoothed < 40 * SKUA_MSEC);
        c->cc.cwnd = 54321;
        follow(&p, &path);
        assert_int_equal(c->cc.cwnd == 54321, moves[i].kept);
    }
    pair_run(&p, SKUA_SEC);
    pair_close(&p);
}

/* The server does not move: its packets from another address are as good as none. */
static void a_server_elsewhere(void **state)
{
    (void)state;
    struct pair p;
    struct frames f;
    struct packet packet;
    struct skua_endpoint_stats before, after;
    open_pair(&p);
    struct skua_connection *c = pair_conn(&p, CLIENT);
    const struct skua_path path = c->path;
    struct skua_path elsewhere = path;
    elsewhere.remote.port++;
    uint64_t received = c->count.packets_received;
    put_ping(&f);
    seal(&p, SERVER, &f, SKUA_LIMIT_UDP_MIN, &packet);
    skua_endpoint_stats(p.host[CLIENT].ep, &before);
    hand(&p, CLIENT, &elsewhere, &packet);
    skua_endpoint_stats(p.host[CLIENT].ep, &after);
    unsigned verdict = SKUA_VERDICT_OTHER_ADDRESS;
    assert_int_equal(after.verdicts[verdict], before.verdicts[verdict] + 1);
    assert_int_equal(c->count.packets_received, received);
    hand(&p, CLIENT, &path, &packet); /* it is good where it comes from the server */
    assert_int_equal(c->count.packets_received, received + 1);
    assert_true(skua_path_equal(&c->path, &path) && c->migration == NULL);
    pair_run(&p, SKUA_SEC);
    pair_close(&p);
}

/* A client whose port changes with each packet is followed at a pace, and one path at a time. */
static void a_new_port_with_each_packet(void **state)
{
    (void)state;
    struct pair p;
    uint16_t ports[1000];
    open_pair(&p);
    for (uint16_t i = 0; i < 1000; i++) {
        ports[i] = (uint16_t)(20000 + i);
    }
    uint64_t out = p.host[SERVER].out;
    from_ports(&p, ports, 1000);
    struct skua_connection *server = pair_conn(&p, SERVER);
    assert_true(server->migration->probing);
    assert_int_equal(server->migration->probe.path.remote.port, 20000);
    assert_true(p.host[SERVER].out <= out + 5);
    for (int i = 0; i < 10; i++) {
        pair_run(&p, 100 * SKUA_MSEC);
        from_ports(&p, ports + 100 * i, 100);
    }
    assert_int_equal(server->count.path_changes, 0);
    assert_true(server->count.path_challenges <= 40);
    skua_ids_check(&server->ids);
    assert_true(server->ids.spare_count <= 1);
    pair_run(&p, 20 * SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 0);
    pair_close(&p);
}

/* What answers to anything is not asked: port 53, say. */
static void reflectors(void **state)
{
    (void)state;
    static const uint16_t ports[] = {0, 7, 19, 53, 123, 1900, 11211};
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        struct pair p;
        open_pair(&p);
        from_ports(&p, &ports[i], 1);
        const struct skua_migration *m = pair_conn(&p, SERVER)->migration;
        assert_true(m == NULL || !m->probing);
        assert_int_equal(pair_conn(&p, SERVER)->count.path_challenges, 0);
        pair_run(&p, SKUA_SEC);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 0);
        pair_close(&p);
    }
}

/* The kernel refuses the path that is tried: no need to wait for its end. */
static void refused_by_the_kernel(void **state)
{
    (void)state;
    struct pair p;
    open_pair(&p);
    struct skua_connection *c = pair_conn(&p, CLIENT);
    struct skua_path path = c->path;
    path.socket++;
    assert_int_equal(skua_conn_migrate(p.host[CLIENT].ep, p.host[CLIENT].conn, &path),
                     SKUA_EAGAIN); /* the server has said nothing yet that a spare goes with */
    assert_null(c->migration);
    skua_stream stream;
    size_t n;
    assert_int_equal(
        skua_stream_open(p.host[SERVER].ep, p.host[SERVER].conn, SKUA_STREAM_UNI, &stream),
        SKUA_OK);
    assert_int_equal(skua_stream_write(p.host[SERVER].ep, stream, "x", 1, &n), SKUA_OK);
    pair_run(&p, 20 * p.delay);
    assert_int_equal(skua_conn_migrate(p.host[CLIENT].ep, p.host[CLIENT].conn, &path), SKUA_OK);
    struct skua_tx tx = {.path = path, .conn = p.host[CLIENT].conn, .segment_size = 1200};
    skua_endpoint_send_result(p.host[CLIENT].ep, &tx, 90 /* EMSGSIZE */, p.now);
    pair_poll(&p, CLIENT);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_PATH], 1);
    assert_int_equal(c->count.path_failures, 1);
    assert_int_equal(c->pmtud.mtu, 1200); /* that of the present path is as before */
    /* What was sent along a path that was left meanwhile says nothing. */
    skua_endpoint_send_result(p.host[CLIENT].ep, &tx, 111 /* ECONNREFUSED */, p.now);
    assert_int_equal(c->life.hint_at, SKUA_NEVER);
    /* Of the present one it does. */
    tx.path = c->path;
    static const int unreachable[] = {100 /* ENETDOWN */, 101 /* ENETUNREACH */,
                                      113 /* EHOSTUNREACH */, 99 /* EADDRNOTAVAIL */,
                                      97 /* EAFNOSUPPORT: the socket is of the other family */};
    for (size_t i = 0; i < sizeof unreachable / sizeof unreachable[0]; i++) {
        c->life.hint_at = SKUA_NEVER;
        skua_endpoint_send_result(p.host[CLIENT].ep, &tx, unreachable[i], p.now);
        assert_int_equal(c->life.hint_at, p.now);
        assert_int_equal(c->life.hint, SKUA_HINT_UNREACHABLE);
    }
    c->life.hint_at = SKUA_NEVER;
    skua_endpoint_send_result(p.host[CLIENT].ep, &tx, 1 /* EPERM */, p.now);
    assert_int_equal(c->life.hint_at, SKUA_NEVER);
    pair_run(&p, SKUA_SEC);
    pair_close(&p);
}

/* A client whose server has told it a spare id. */
static void open_with_spare(struct pair *p)
{
    skua_stream stream;
    size_t n;
    open_pair(p);
    assert_int_equal(
        skua_stream_open(p->host[SERVER].ep, p->host[SERVER].conn, SKUA_STREAM_UNI, &stream),
        SKUA_OK);
    assert_int_equal(skua_stream_write(p->host[SERVER].ep, stream, "x", 1, &n), SKUA_OK);
    pair_run(p, 20 * p->delay);
    assert_int_equal(pair_conn(p, CLIENT)->ids.spare_count, 1);
}

/* Whoever asks for the same path again and again gets one trial, and one id; and moves at once
 * where the present path turns out to be dead meanwhile. */
static void the_same_path_again(void **state)
{
    (void)state;
    struct pair p;
    open_with_spare(&p);
    struct skua_connection *c = pair_conn(&p, CLIENT);
    struct skua_path path = c->path;
    path.socket++;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(skua_conn_migrate(p.host[CLIENT].ep, p.host[CLIENT].conn, &path), SKUA_OK);
        assert_true(c->migration != NULL && c->migration->probing);
        assert_true(c->ids.spare_count == 1 && c->ids.retiring == NULL);
    }
    assert_int_equal(c->count.path_changes, 0);
    skua_endpoint_hint(p.host[CLIENT].ep, &c->path, SKUA_HINT_UNREACHABLE, p.now);
    assert_int_equal(skua_conn_migrate(p.host[CLIENT].ep, p.host[CLIENT].conn, &path), SKUA_OK);
    assert_int_equal(c->count.path_changes, 1);
    assert_int_equal(c->path.socket, path.socket);
    assert_int_equal(c->ids.peer_sequence, 1); /* the spare is in use, not thrown away */
    pair_run(&p, SKUA_SEC);
    pair_close(&p);
}

static bool drop_from_server(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    (void)data;
    (void)len;
    return from == SERVER && *(bool *)pair->user;
}

/* In LAST_ACK the server may be in TIME_WAIT already, where it knows one id: the last one used. A
 * client whose path is dead moves at once, and keeps calling by that id; before, by another. */
static void the_id_stays_at_the_end(void **state)
{
    (void)state;
    for (int closing = 0; closing < 2; closing++) {
        struct pair p;
        bool dropping = false;
        open_pair(&p);
        p.drop = drop_from_server;
        p.user = &dropping;
        struct host *client = &p.host[CLIENT];
        const struct skua_connection *c = pair_conn(&p, CLIENT);
        assert_int_equal(skua_conn_ping(p.host[SERVER].ep, p.host[SERVER].conn), SKUA_OK);
        pair_run(&p, 4 * p.delay); /* a spare id came with it */
        assert_int_equal(c->ids.spare_count, 1);
        const struct skua_id id = c->ids.peer;
        if (closing != 0) {
            assert_int_equal(skua_conn_close(p.host[SERVER].ep, p.host[SERVER].conn), SKUA_OK);
            pair_run(&p, 3 * p.delay);
            dropping = true;
            assert_int_equal(skua_conn_close(client->ep, client->conn), SKUA_OK);
            pair_run(&p, SKUA_SEC);
            assert_int_equal(c->state, SKUA_STATE_LAST_ACK);
        } else {
            dropping = true;
            assert_int_equal(skua_conn_ping(client->ep, client->conn), SKUA_OK);
            pair_run(&p, SKUA_SEC);
        }
        struct skua_path path = c->path;
        path.socket = 1;
        assert_int_equal(skua_conn_migrate(client->ep, client->conn, &path), SKUA_OK);
        assert_int_equal(c->count.path_changes, 1); /* at once */
        assert_int_equal(skua_id_equal(&c->ids.peer, &id), closing);
        pair_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_of_challenges),
        cmocka_unit_test(answers_out_of_the_blue),
        cmocka_unit_test(no_memory_for_an_answer),
        cmocka_unit_test(what_shows_no_move),
        cmocka_unit_test(small_packets),
        cmocka_unit_test(ports_that_change_all_the_time),
        cmocka_unit_test(a_server_elsewhere),
        cmocka_unit_test(a_new_port_with_each_packet),
        cmocka_unit_test(reflectors),
        cmocka_unit_test(refused_by_the_kernel),
        cmocka_unit_test(the_same_path_again),
        cmocka_unit_test(the_id_stays_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
