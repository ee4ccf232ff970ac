/* A peer that holds the keys and sends whatever it likes: the other side never asserts, spins or
 * leaks, and reports one end at most. */
#include "pair.h"

#include <stdlib.h>

enum { SEEDS = 2000, PACKETS = 30 };

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* Mostly small, now and then at an edge. */
static uint64_t number(uint64_t *state)
{
    static const uint64_t edges[] = {63,
                                     64,
                                     1024,
                                     256 << 10,
                                     384 << 10,
                                     UINT32_MAX,
                                     UINT64_C(1) << 59,
                                     (UINT64_C(1) << 59) + 1,
                                     SKUA_VARINT_MAX};
    uint64_t r = next(state);
    return r % 5 == 0 ? edges[next(state) % (sizeof edges / sizeof edges[0])] : r % 12;
}

/* Mostly an id that the sender may use, by who opened it. */
static uint64_t stream_id(uint64_t *state, int from, bool sending)
{
    uint64_t r = next(state);
    if (r % 16 == 0) {
        return number(state);
    }
    uint64_t opener = from == SERVER ? 1 : 0;
    uint64_t uni = sending ? next(state) % 2 : 0;
    return next(state) % 4 << 3 | (next(state) % 3 == 0 ? 4u : 0u) | uni << 1 | opener;
}

/* Mostly the number of a packet that was sent. */
static uint64_t packet_number(uint64_t *state, uint64_t sent)
{
    return next(state) % 16 == 0 || sent == 0 ? number(state) : next(state) % sent;
}

static void put_frame(struct skua_writer *w, uint64_t *state, int from, uint64_t sent)
{
    static const uint8_t types[] = {0x00, 0x01, 0x02, 0x02, 0x03, 0x04, 0x05, 0x08, 0x0a,
                                    0x0b, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
                                    0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x30, 0x31, 0x40,
                                    0x40, 0x41, 0x41, 0x42, 0x44, 0x45, 0x45, 0x3f};
    uint8_t type = types[next(state) % sizeof types];
    bool rare = type == 0x42 || type == 0x40 || type == 0x41 || type == 0x3f;
    if (rare && next(state) % 8 != 0) {
        type = 0x01; /* else few connections live long */
    }
    skua_writer_varint(w, type);
    switch (type) {
    case 0x02:
    case 0x03:
        skua_writer_varint(w, packet_number(state, sent)); /* largest */
        skua_writer_varint(w, number(state));              /* delay */
        skua_writer_varint(w, 0);
        skua_writer_varint(w, 0); /* first range */
        for (int i = 0; type == 0x03 && i < 3; i++) {
            skua_writer_varint(w, number(state));
        }
        break;
    case 0x04:
    case 0x40:
        skua_writer_varint(w, type == 0x04 ? stream_id(state, from, true) : next(state) % 4);
        skua_writer_varint(w, number(state));
        skua_writer_varint(w, next(state) % 40);
        break;
    case 0x44:
    case 0x45:
        skua_writer_varint(w, stream_id(state, from, type == 0x45));
        skua_writer_varint(w, next(state) % 40);
        break;
    case 0x05:
    case 0x11:
    case 0x15:
        skua_writer_varint(w, stream_id(state, from, type == 0x15));
        skua_writer_varint(w, number(state));
        break;
    case 0x0a:
    case 0x0b:
    case 0x0e:
    case 0x0f: {
        uint8_t data[32] = {0};
        size_t len = next(state) % sizeof data;
        skua_writer_varint(w, stream_id(state, from, true));
        if ((type & 0x04) != 0) {
            skua_writer_varint(w, number(state));
        }
        skua_writer_varint(w, len);
        skua_writer_copy(w, data, len);
        break;
    }
    case 0x31: {
        uint8_t data[32] = {0};
        size_t len = next(state) % sizeof data;
        skua_writer_varint(w, next(state) % 16 == 0 ? number(state) : len);
        skua_writer_copy(w, data, len);
        break;
    }
    case 0x08:
        skua_writer_varint(w, stream_id(state, from, true)); /* the rest is data */
        break;
    case 0x18: {
        uint8_t bytes[24] = {0};
        uint64_t n = 1 + next(state) % 4;
        bytes[0] = (uint8_t)n;
        skua_writer_varint(w, n);
        skua_writer_varint(w, next(state) % (n + 1));
        skua_writer_u8(w, 8);
        skua_writer_copy(w, bytes, sizeof bytes);
        break;
    }
    case 0x1a:
    case 0x1b:
        skua_writer_u64(w, number(state));
        break;
    case 0x19:
        skua_writer_varint(w, next(state) % 16 == 0 ? number(state) : 1);
        break;
    case 0x42:
        skua_writer_u8(w, (uint8_t)(next(state) % 2));
        skua_writer_varint(w, number(state));
        skua_writer_varint(w, number(state));
        skua_writer_varint(w, 2);
        skua_writer_copy(w, "\n!", 2);
        break;
    default:
        if (type >= 0x10 && type <= 0x17) {
            skua_writer_varint(w, number(state));
        }
        break;
    }
}

/* What the application does meanwhile. */
static void act(struct pair *p, int at, uint64_t *state)
{
    struct host *host = &p->host[at];
    skua_stream stream = 0;
    uint8_t bytes[3000] = {0};
    size_t n;
    switch (next(state) % 10) {
    case 0:
        (void)skua_stream_open(host->ep, host->conn, SKUA_STREAM_BIDI, &stream);
        (void)skua_stream_write(host->ep, stream, bytes, sizeof bytes, &n);
        break;
    case 1:
        (void)skua_stream_open(host->ep, host->conn, SKUA_STREAM_UNI, &stream);
        (void)skua_stream_finish(host->ep, stream);
        break;
    case 2:
        (void)skua_stream_read(host->ep, host->stream, bytes, sizeof bytes, &n);
        (void)skua_stream_recv_message(host->ep, host->stream, bytes, sizeof bytes, &n);
        break;
    case 3:
        (void)skua_stream_close(host->ep, host->stream);
        break;
    case 4:
        (void)skua_stream_stop(host->ep, host->stream, 1);
        (void)skua_stream_reset(host->ep, host->stream, 2);
        break;
    case 5:
        (void)skua_conn_shutdown(host->ep, host->conn);
        break;
    case 6:
        (void)skua_conn_update_keys(host->ep, host->conn);
        break;
    case 7:
        if (next(state) % 4 == 0) {
            (void)skua_conn_close(host->ep, host->conn);
        }
        break;
    case 8:
        (void)skua_conn_send_datagram(host->ep, host->conn, bytes, next(state) % 1300, 0);
        (void)skua_conn_drop_datagram(host->ep, host->conn);
        break;
    default:
        break;
    }
}

static void converse(uint64_t seed)
{
    struct pair p;
    uint64_t state = seed;
    pair_open(&p);
    p.seed = seed;
    struct skua_conn_config client = SKUA_CONN_CONFIG_INIT;
    struct skua_listen_config server = SKUA_LISTEN_CONFIG_INIT;
    client.datagram_buffer = server.conn.datagram_buffer = seed % 3 == 0 ? 0 : 500;
    pair_establish(&p, &client, &server);
    int from = (int)(seed % 2);
    for (int i = 0; i < PACKETS; i++) {
        act(&p, !from, &state);
        struct skua_connection *c = skua_endpoint_conn(p.host[from].ep, p.host[from].conn);
        bool heard = skua_endpoint_conn(p.host[!from].ep, p.host[!from].conn) != NULL;
        if (c != NULL && !c->close.ended && heard) {
            uint8_t frames[400];
            struct skua_writer w = skua_writer_of(frames, sizeof frames);
            const struct skua_connection *peer = pair_conn(&p, !from);
            uint64_t sent = skua_recovery_next_pn(&peer->recovery);
            for (uint64_t k = 1 + next(&state) % 4; k > 0; k--) {
                put_frame(&w, &state, from, sent);
            }
            pair_forge(&p, from, frames, skua_writer_len(&w));
        }
        c = skua_endpoint_conn(p.host[!from].ep, p.host[!from].conn);
        if (c != NULL && !c->close.over) {
            skua_streams_check(&c->streams);
            skua_recovery_check(&c->recovery);
            if (c->datagrams != NULL) {
                skua_datagrams_check(c->datagrams);
            }
            skua_ids_check(&c->ids);
        }
        if (next(&state) % 2 == 0) {
            pair_run(&p, next(&state) % 4 * p.delay);
        }
    }
    (void)skua_conn_close(p.host[!from].ep, p.host[!from].conn);
    pair_run(&p, 200 * SKUA_SEC);
    assert_true(p.host[!from].events[SKUA_EVENT_CLOSED] == 1);
    pair_close(&p);
}

static void whatever_it_sends(void **state)
{
    const char *text = getenv("SEED");
    (void)state;
    if (text != NULL) {
        converse(strtoull(text, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("%s", seed % 500 == 0 ? "." : "");
        converse(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whatever_it_sends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
