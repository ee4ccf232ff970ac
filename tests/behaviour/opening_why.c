/* What a connection is, why it takes three packets to open one, and what an attacker can guess. */
#include <string.h>

#include "chart.h"

/* --- 1: the header --- */

enum { ID = 8, LONG = 1 + 4 + 2 * (1 + ID), SHORT = 1 + ID + 4, TAG = 16 };

static bool same(const uint8_t *a, const uint8_t *b, size_t len)
{
    return memcmp(a, b, len) == 0;
}

static void is_long_header(const struct kept *k, uint8_t first)
{
    static const uint8_t version[] = {0x73, 0x6b, 0x00, 0x01};
    expect(k->len > LONG && k->bytes[0] == first);
    expect(same(k->bytes + 1, version, 4));
    expect(k->bytes[5] == ID && k->bytes[14] == ID);
}

SCENARIO(header_fields)
{
    const struct kept *syn = net_keep(client, SYN, 1), *syn_ack = net_keep(server, SYN_ACK, 1);
    const struct kept *confirm = net_keep(client, CONFIRM, 1);
    const struct kept *up = net_keep(client, DATA, 1), *next = net_keep(client, DATA, 2);
    const struct kept *down = net_keep(server, DATA, 1);
    app_establish();
    app_send(client, SKUA_STREAM_UNI, 5000);
    run_for(SEC(1));
    is_long_header(syn, 0xc0);
    is_long_header(syn_ack, 0xc4);
    is_long_header(confirm, 0xc8);
    /* The names by which they call each other. */
    const uint8_t *client_id = syn->bytes + 15, *server_id = syn_ack->bytes + 15;
    expect(same(syn_ack->bytes + 6, client_id, ID) && same(down->bytes + 1, client_id, ID));
    expect(same(confirm->bytes + 6, server_id, ID) && same(up->bytes + 1, server_id, ID));
    /* DATA: bit 7 is 0, bit 6 is 1, the other bits and the number are masked. */
    expect((up->bytes[0] & 0xc0) == 0x40 && (down->bytes[0] & 0xc0) == 0x40);
    const struct packet *p = packet(client, DATA, 1);
    static const uint8_t number_1[] = {0, 0, 0, 1}, number_2[] = {0, 0, 0, 2};
    expect(p->pn == 1 && !same(up->bytes + 1 + ID, number_1, 4));
    expect(packet(client, DATA, 2)->pn == 2 && !same(next->bytes + 1 + ID, number_2, 4));
    /* 29 bytes for header and tag; a STREAM frame has its type, an id, an offset and bytes. */
    const struct wire_frame *f = frame_of(packet(client, DATA, 2), STREAM);
    expect(packet(client, DATA, 2)->size == SHORT + TAG + 1 + 1 + 2 + f->c);
}

/* --- 2: what a connection is --- */

static unsigned opened[2];
static skua_conn accepted[2];
static unsigned accepted_count;

static void note_streams(struct side *s, const struct skua_event *e)
{
    if (e->type == SKUA_EVENT_INCOMING && accepted_count < 2) {
        accepted[accepted_count++] = e->conn;
    }
    for (unsigned i = 0; i < accepted_count; i++) {
        opened[i] += e->type == SKUA_EVENT_STREAM && e->conn == accepted[i];
    }
    (void)s;
}

/* Two connections between the same two addresses and ports, and each packet finds its own. */
SCENARIO(connection_is_not_the_four_tuple)
{
    memset(opened, 0, sizeof opened);
    accepted_count = 0;
    server->heard = note_streams;
    app_listen();
    app_connect();
    skua_conn first = client->conn;
    run_to(SEC(1));
    app_connect();
    skua_conn second = client->conn;
    run_to(SEC(2));
    expect(first != second && accepted_count == 2 && accepted[0] != accepted[1]);
    struct skua_path a, b;
    expect(skua_conn_path(client->host->ep, first, &a) == SKUA_OK);
    expect(skua_conn_path(client->host->ep, second, &b) == SKUA_OK);
    expect(memcmp(&a, &b, sizeof a) == 0);
    client->conn = first;
    app_send(client, SKUA_STREAM_UNI, 100);
    run_to(SEC(3));
    expect(opened[0] == 1 && opened[1] == 0 && server->received == 100);
    client->conn = second;
    app_send(client, SKUA_STREAM_UNI, 100);
    run_to(SEC(4));
    expect(opened[0] == 1 && opened[1] == 1 && server->received == 200);
}

/* A packet with the right id and tag belongs to the connection, wherever it comes from. */
SCENARIO(connection_survives_another_address)
{
    const struct skua_addr elsewhere = {
        .family = SKUA_FAMILY_IPV4, .port = 9999, .ip = {192, 0, 2, 1}};
    app_establish();
    const struct kept *data = net_keep(client, WITH(STREAM), 1);
    net_drop(client, WITH(STREAM), 1);
    app_send(client, SKUA_STREAM_UNI, 100);
    run_for(MS(1));
    expect(server->received == 0);
    net_inject(server, &elsewhere, data->bytes, data->len);
    run_for(MS(1));
    expect(server->received == 100 && server->eof);
    run_for(SEC(1));
    expect_state(client, SKUA_STATE_ESTABLISHED);
    expect_state(server, SKUA_STATE_ESTABLISHED);
}

/* --- 4: why three --- */

static uint64_t server_memory(void)
{
    return server->host->heap.used;
}

/* With two packets the server would have a connection, and would talk to somebody who never asked.
 */
SCENARIO(two_packets_would_accept_a_spoofed_address)
{
    const struct skua_addr victim = {.family = SKUA_FAMILY_IPV4, .port = 80, .ip = {192, 0, 2, 7}};
    const struct kept *syn = net_keep(client, SYN, 1);
    app_listen();
    net_drop(client, SYN, 1);
    app_connect();
    run_to(MS(1));
    app_close(client);
    uint64_t before = server_memory();
    net_inject(server, &victim, syn->bytes, syn->len);
    run_to(SEC(62));
    expect_state(server, SKUA_STATE_SYN_RCVD);
    expect(server_memory() - before <= 1024); /* an entry of at most 512 bytes, and its table */
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(server->host->ep, &stats);
    expect(stats.conns == 0 && server->events[SKUA_EVENT_INCOMING] == 0);
    expect(stats.bytes_sent <= 3 * syn->len); /* RFC 9000 §8.1 */
    expect_sent(server, DATA, 0);
    run_to(SEC(64));
    expect_state(server, SKUA_STATE_LISTEN);
    skua_endpoint_stats(server->host->ep, &stats);
    expect(stats.half_open == 0 && server_memory() - before <= 512);
}

/* The same SYN once more, long after its connection: with two packets there would be another. */
SCENARIO(two_packets_would_accept_an_old_syn)
{
    const struct kept *syn = net_keep(client, SYN, 1);
    server->closes = true;
    app_establish();
    app_close(client);
    run_to(SEC(10));
    expect_closed(client, SKUA_OK);
    expect_closed(server, SKUA_OK);
    server->conn = 0;
    net_replay(server, syn);
    run_to(SEC(11));
    expect_state(server, SKUA_STATE_SYN_RCVD);
    expect(verdicts(client, SKUA_VERDICT_UNKNOWN_ID) >= 1); /* the client knows nothing of it */
    expect_sent(client, CONFIRM, 1);
    run_to(SEC(75));
    expect_state(server, SKUA_STATE_LISTEN);
    expect(server->events[SKUA_EVENT_INCOMING] == 1);
}

/* --- 14: what can be guessed --- */

enum { RUNS = 200, COLUMNS = 5 };

/* What the wire shows of each connection: ids, ephemeral keys, the masked number of the first DATA.
 */
static struct {
    uint8_t bytes[32];
} seen[COLUMNS][RUNS + 1];
static unsigned seen_count[COLUMNS];

static void see(unsigned column, const uint8_t *bytes, size_t len)
{
    if (seen_count[column] <= RUNS) {
        memset(&seen[column][seen_count[column]], 0, sizeof seen[0][0]);
        memcpy(seen[column][seen_count[column]++].bytes, bytes, len);
    }
}

static void look(struct side *from, const struct sim_datagram *d)
{
    unsigned type = d->bytes[0] >> 2 & 15u;
    if ((d->bytes[0] & SKUA_FIRST_LONG) == 0) {
        if (from == server) {
            see(4, d->bytes + 1 + ID, 4);
        }
    } else if (type == SYN) {
        see(0, d->bytes + 6, ID);
        see(1, d->bytes + 28, 32);
    } else if (type == SYN_ACK) {
        see(2, d->bytes + 15, ID);
        see(3, d->bytes + LONG, 32);
    }
}

SCENARIO(nothing_on_the_wire_repeats)
{
    memset(seen_count, 0, sizeof seen_count);
    net_watch(look);
    app_listen();
    for (unsigned i = 0; i < RUNS; i++) {
        app_connect();
        run_for(MS(100));
        expect(packet(server, DATA, i + 1)->pn == 0); /* every connection begins at 0 ... */
        app_abort(client, 0, NULL);
        run_for(MS(100));
    }
    for (unsigned column = 0; column < COLUMNS; column++) {
        expect(seen_count[column] == RUNS);
        for (unsigned i = 0; i < RUNS; i++) {
            for (unsigned k = 0; k < i; k++) { /* ... and shows it in none */
                expect(!same(seen[column][i].bytes, seen[column][k].bytes, 32));
            }
        }
    }
}

enum { GUESSES_BLIND = 900000, GUESSES_WITH_ID = 99000, GUESSES_SYN_ACK = 1000, PER_STEP = 1000 };

static void scribble(struct sim_rng *rng, uint8_t *bytes, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        bytes[i] = (uint8_t)sim_rng_next(rng);
    }
}

/* A million guesses: at ids; at tags, by somebody who has seen the id; at the second packet, by
 * somebody who has seen the first. */
SCENARIO(a_million_guesses)
{
    struct sim_rng rng = sim_rng_split(14, 14);
    uint8_t guess[200];
    const struct kept *data = net_keep(client, WITH(STREAM), 1);
    app_establish();
    app_send(client, SKUA_STREAM_UNI, 100);
    run_for(SEC(1));
    struct skua_conn_stats before, after;
    side_stats(server, &before);
    for (unsigned i = 0; i < GUESSES_BLIND + GUESSES_WITH_ID; i++) {
        size_t len = 40 + i % 60;
        scribble(&rng, guess, 0, len);
        guess[0] = (uint8_t)(0x40 | (guess[0] & 0x1f));
        if (i >= GUESSES_BLIND) {
            memcpy(guess + 1, data->bytes + 1, ID);
        }
        net_inject(server, NULL, guess, len);
        if (i % PER_STEP == 0) {
            run_for(MS(1));
        }
    }
    run_for(MS(10));
    side_stats(server, &after);
    expect(verdicts(server, SKUA_VERDICT_UNKNOWN_ID) == GUESSES_BLIND);
    expect(after.packets_undecryptable + after.packets_duplicate +
               verdicts(server, SKUA_VERDICT_TOO_OLD) >=
           GUESSES_WITH_ID);
    expect(after.packets_received == before.packets_received);
    expect(after.packets_sent == before.packets_sent && after.memory <= before.memory);
    expect_state(server, SKUA_STATE_ESTABLISHED);
    app_send(client, SKUA_STREAM_UNI, 100);
    run_for(SEC(1));
    expect(server->received == 200);
}

SCENARIO(a_guessed_second_packet)
{
    struct sim_rng rng = sim_rng_split(15, 15);
    uint8_t guess[178];
    const struct kept *syn = net_keep(client, SYN, 1);
    app_listen();
    app_connect();
    run_to(MS(15));
    for (unsigned i = 0; i < GUESSES_SYN_ACK; i++) {
        scribble(&rng, guess, 0, sizeof guess);
        memcpy(guess, syn->bytes, LONG);
        guess[0] = 0xc4;
        memcpy(guess + 6, syn->bytes + 15, ID); /* the client's id; the server's is a guess */
        scribble(&rng, guess, 15, 15 + ID);
        net_inject(client, NULL, guess, sizeof guess);
    }
    run_to(MS(19));
    expect(verdicts(client, SKUA_VERDICT_SYN_ACK_BAD) == GUESSES_SYN_ACK);
    expect_state(client, SKUA_STATE_SYN_SENT);
    run_to(MS(50));
    expect_at(client, SKUA_EVENT_ESTABLISHED, MS(20));
    expect_at(server, SKUA_EVENT_INCOMING, MS(30));
}

/* --- 24, 25: SYNs where there is a connection --- */

SCENARIO(repeated_syn_on_established)
{
    net_duplicate(client, SYN, 1, MS(25)); /* arrives behind the third packet */
    app_listen();
    app_connect();
    run_to(SEC(1));
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(server->host->ep, &stats);
    expect(stats.half_open == 0 && stats.conns == 1);
    expect(verdicts(server, SKUA_VERDICT_SYN_REPEAT) == 1);
    expect_sent(server, SYN_ACK, 1);
    expect_state(server, SKUA_STATE_ESTABLISHED);
}

SCENARIO(new_syn_on_established)
{
    app_establish();
    skua_conn old_client = client->conn, old_server = server->conn;
    app_connect();
    run_for(SEC(1));
    expect(server->events[SKUA_EVENT_INCOMING] == 2 && server->conn != old_server);
    client->conn = old_client;
    app_send(client, SKUA_STREAM_UNI, 5000);
    run_for(SEC(1));
    expect(server->received == 5000);
    expect(client->events[SKUA_EVENT_CLOSED] == 0 && server->events[SKUA_EVENT_CLOSED] == 0);
}

SCENARIO(client_restarts_on_the_same_port)
{
    app_establish();
    skua_conn old = server->conn;
    run_to(SEC(5));
    app_crash(client);
    app_connect();
    run_to(SEC(5) + MS(100));
    expect_at(client, SKUA_EVENT_ESTABLISHED, SEC(5) + MS(20));
    expect_at(server, SKUA_EVENT_INCOMING, SEC(5) + MS(30));
    enum skua_state state;
    expect(skua_conn_state(server->host->ep, old, &state) == SKUA_OK);
    expect(state == SKUA_STATE_ESTABLISHED && server->conn != old);
    /* The old one hears nothing any more: its idle time is 30 s from the client's last packet. */
    run_to(SEC(31));
    expect_closed(server, SKUA_EIDLE);
    expect(server->closed.conn == old);
    expect_at(server, SKUA_EVENT_CLOSED, packet(client, CONFIRM, 1)->arrived[0] + SEC(30));
}

/* --- 26, 27 --- */

static bool shown; /* something of the application's was legible */

static void read_along(struct side *from, const struct sim_datagram *d)
{
    uint8_t text[16];
    (void)from;
    for (unsigned i = 0; i < sizeof text; i++) {
        text[i] = side_byte(i);
    }
    for (size_t i = 0; i + sizeof text <= d->len; i++) {
        shown = shown || same(d->bytes + i, text, sizeof text);
    }
}

SCENARIO(encryption_takes_no_round_trip)
{
    shown = false;
    net_watch(read_along);
    app_listen();
    app_connect();
    app_send(client, SKUA_STREAM_BIDI, 100);
    run_to(SEC(1));
    /* A round trip takes 20 ms: the first byte is there after one and a half of them. */
    expect_at(server, SKUA_EVENT_STREAM, MS(30));
    expect(server->received == 100 && !shown);
}

/* RFC 9443: other protocols on the port are told apart by bit 6 of the first byte. */
SCENARIO(other_protocols_on_the_port)
{
    static const struct {
        const char *name;
        uint8_t bytes[24];
    } others[] = {
        {"STUN", {0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42}},
        {"DTLS", {0x16, 0xfe, 0xfd, 0x00}},
        {"RTP", {0x80, 0x60, 0x12, 0x34}},
        {"DNS", {0x12, 0x34, 0x01, 0x00, 0x00, 0x01}},
    };
    app_establish();
    struct skua_conn_stats before, after;
    side_stats(server, &before);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        net_inject(server, NULL, others[i].bytes, sizeof others[i].bytes);
        run_for(MS(1));
        expect(verdicts(server, SKUA_VERDICT_NOT_SKUA) == i + 1);
    }
    side_stats(server, &after);
    expect(after.packets_sent == before.packets_sent);
    expect_state(server, SKUA_STATE_ESTABLISHED);
}
