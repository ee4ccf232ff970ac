/* Messages: where their boundaries are, those that need not arrive, and bytes that are read before
 * what is missing below them. */
#include <string.h>

#include "chart.h"

enum { ROOM = 70000 };

static uint8_t bytes[ROOM];

/* --- 40: two messages, and the four ways in which a stream of bytes shows them ---
 *
 *   A  each by itself            C  a part of the first, then its rest and the second
 *   B  both together             D  the first and a part of the second, then its rest */

struct split {
    char name;
    uint64_t first, second; /* bytes of the two messages */
    bool apart;             /* the second is written when the first was read */
    bool cut;               /* of the packets that carry them the second is lost at first */
};

static const struct split splits[] = {{'A', 300, 400, true, false},
                                      {'B', 300, 400, false, false},
                                      {'D', 300, 1500, false, true},
                                      {'C', 1500, 300, false, true}};

/* What the reader got, call by call. */
struct reads {
    unsigned count;
    uint64_t len[8];
};

static void write_one(bool message, uint64_t len)
{
    struct skua_endpoint *ep = client->host->ep;
    size_t n = len;
    note(client, message ? "send message (%u)" : "write(%u)", (unsigned)len);
    enum skua_err err = message ? skua_stream_send_message(ep, client->stream, bytes, len)
                                : skua_stream_write(ep, client->stream, bytes, len, &n);
    expect(err == SKUA_OK && n == len);
    side_kick(client);
}

static void read_now(bool message, struct reads *reads)
{
    static uint8_t out[ROOM];
    struct skua_endpoint *ep = server->host->ep;
    for (;;) {
        size_t n = 0;
        enum skua_err err = message ? skua_stream_recv_message(ep, server->stream, out, ROOM, &n)
                                    : skua_stream_read(ep, server->stream, out, ROOM, &n);
        if (err != SKUA_OK) {
            expect(err == SKUA_EAGAIN);
            return;
        }
        note(server, message ? "message: %u" : "read(): %u", (unsigned)n);
        reads->len[reads->count++] = n;
    }
}

static void run_split(const struct split *split, bool message, struct reads *reads)
{
    *reads = (struct reads){.count = 0};
    chart_begin(NULL);
    app_establish();
    server->drains = false;
    if (split->cut) {
        net_drop(client, WITH(STREAM), 2);
    }
    expect(skua_stream_open(client->host->ep, client->conn,
                            SKUA_STREAM_UNI | (message ? SKUA_STREAM_MESSAGES : 0u),
                            &client->stream) == SKUA_OK);
    note(client, "split %c", split->name);
    write_one(message, split->first);
    if (split->apart) {
        run_for(MS(15));
        read_now(message, reads);
    }
    write_one(message, split->second);
    run_for(MS(15));
    read_now(message, reads);
    run_for(SEC(1)); /* what was lost has come */
    read_now(message, reads);
}

SCENARIO(bytes_have_no_boundaries)
{
    struct reads reads[4];
    for (unsigned i = 0; i < 4; i++) {
        run_split(&splits[i], false, &reads[i]);
    }
    expect(reads[0].count == 2 && reads[0].len[0] == 300 && reads[0].len[1] == 400);
    expect(reads[1].count == 1 && reads[1].len[0] == 700);
    expect(reads[2].count == 2 && reads[2].len[0] > 300 && reads[2].len[1] < 1500);
    expect(reads[3].count == 2 && reads[3].len[0] < 1500 && reads[3].len[1] > 300);
    for (unsigned i = 2; i < 4; i++) {
        expect(reads[i].len[0] + reads[i].len[1] == 1800);
    }
}

SCENARIO(messages_keep_their_boundaries)
{
    for (unsigned i = 0; i < 4; i++) {
        struct reads reads;
        run_split(&splits[i], true, &reads);
        expect(reads.count == 2);
        expect(reads.len[0] == splits[i].first && reads.len[1] == splits[i].second);
    }
}

/* Messages that are longer than any window: up to max_message they arrive whole nevertheless, and
 * several that are half there do not block each other; longer ones are read in pieces. */
SCENARIO(messages_longer_than_the_window)
{
    enum { STREAMS = 8, LEN = 60000 };
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    static uint8_t out[ROOM];
    size_t n;
    listen.conn.max_recv_window = 100000; /* of the connection: less than two of them */
    app_listen_with(&listen);
    app_connect();
    run_for(MS(200));
    server->drains = false;
    struct skua_endpoint *from = client->host->ep, *to = server->host->ep;
    skua_stream streams[STREAMS];
    for (unsigned i = 0; i < STREAMS; i++) {
        expect(skua_stream_open(from, client->conn, SKUA_STREAM_UNI | SKUA_STREAM_MESSAGES,
                                &streams[i]) == SKUA_OK);
        expect(skua_stream_send_message(from, streams[i], bytes, LEN) == SKUA_OK);
    }
    side_kick(client);
    run_until(SEC(20), server->events[SKUA_EVENT_READABLE] == STREAMS);
    expect(server->events[SKUA_EVENT_STREAM] == STREAMS);
    expect(skua_stream_recv_message(to, server->stream, out, ROOM, &n) == SKUA_OK && n == LEN);
    /* Beyond max_message (64 KiB): the length is told, the bytes come as they arrive. */
    expect(skua_stream_send_message(from, streams[STREAMS - 1], bytes, ROOM) == SKUA_OK);
    side_kick(client);
    run_for(MS(11)); /* some of it is there */
    expect(skua_stream_recv_message(to, server->stream, out, ROOM, &n) == SKUA_EMSGSIZE);
    expect(n == ROOM);
    size_t got = 0;
    for (unsigned i = 0; i < 1000 && got < ROOM; i++) {
        (void)skua_stream_read(to, server->stream, out, sizeof out, &n);
        got += n;
        side_kick(server);
        run_for(MS(10));
    }
    expect(got == ROOM);
}

/* --- 66: messages that need not arrive --- */

static void establish_with_datagrams(void)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    config.datagram_buffer = listen.conn.datagram_buffer = 100000;
    app_listen_with(&listen);
    app_connect_with(&config);
    run_for(MS(600));
}

static void send_datagram(struct side *s, size_t len, skua_time lifetime)
{
    note(s, "datagram(%u)", (unsigned)len);
    expect(skua_conn_send_datagram(s->host->ep, s->conn, bytes, len, lifetime) == SKUA_OK);
    side_kick(s);
}

/* Takes the next one; 0 where there is none. */
static size_t next_datagram(struct side *s)
{
    static uint8_t out[ROOM];
    size_t n = 0;
    enum skua_err err = skua_conn_recv_datagram(s->host->ep, s->conn, out, ROOM, &n);
    expect(err == (n != 0 ? SKUA_OK : SKUA_EAGAIN));
    if (n != 0) {
        note(s, "datagram: %u", (unsigned)n);
    }
    return n;
}

SCENARIO(lost_datagram_is_not_repeated)
{
    establish_with_datagrams();
    net_drop(client, WITH(DATAGRAM), 2);
    app_write(client, 500);
    run_for(MS(30));
    send_datagram(client, 101, 0);
    run_for(MS(5));
    app_write(client, 50); /* travels with the second one */
    send_datagram(client, 102, 0);
    run_for(MS(5));
    for (size_t i = 3; i <= 5; i++) {
        send_datagram(client, 100 + i, 0);
        run_for(MS(5));
    }
    run_for(SEC(1));
    /* The others came, in order here; the second never will, and its packet's bytes came again. */
    expect(next_datagram(server) == 101 && next_datagram(server) == 103);
    expect(next_datagram(server) == 104 && next_datagram(server) == 105);
    expect(next_datagram(server) == 0);
    expect_sent(client, WITH(DATAGRAM), 5);
    expect(server->received == 550);
    struct skua_conn_stats stats;
    side_stats(client, &stats);
    expect(stats.datagrams_sent == 5 && stats.datagrams_lost == 1 && stats.datagrams_acked == 4);
}

/* A call that comes too late is worth nothing: what could not leave in time never leaves. */
SCENARIO(datagram_outlives_itself)
{
    establish_with_datagrams();
    net_cut(server); /* no acknowledgement opens the window again */
    struct skua_conn_stats stats;
    for (unsigned i = 0; i < 12; i++) {
        send_datagram(client, 1100, 0);
    }
    run_for(MS(30));
    side_stats(client, &stats);
    uint64_t gone = stats.datagrams_sent;
    expect(gone < 12);
    send_datagram(client, 10, MS(20));
    send_datagram(client, 20, 0);
    run_for(MS(25));
    net_mend(server);
    run_for(SEC(2));
    side_stats(client, &stats);
    expect(stats.datagrams_unsent == 1 && stats.datagrams_sent == 13);
    size_t n, last = 0;
    while ((n = next_datagram(server)) != 0) {
        last = n;
        expect(n != 10);
    }
    expect(last == 20);
}

/* One packet carries it: how long it may be follows the path's MTU. */
SCENARIO(datagram_fits_one_packet)
{
    establish_with_datagrams();
    struct skua_endpoint *ep = client->host->ep;
    size_t before = 0, after = 0;
    expect(skua_conn_max_datagram(ep, client->conn, &before) == SKUA_OK);
    expect(before > 1100 && before < 1200);
    expect(skua_conn_send_datagram(ep, client->conn, bytes, before + 1, 0) == SKUA_EMSGSIZE);
    send_datagram(client, before, 0);
    run_for(MS(100));
    expect(next_datagram(server) == before);
    expect(packet(client, WITH(DATAGRAM), 1)->size == 1200);
    app_send(client, SKUA_STREAM_UNI, 2000000); /* worth larger packets */
    run_until(SEC(10), server->eof);
    expect(skua_conn_max_datagram(ep, client->conn, &after) == SKUA_OK);
    expect(after > before + 200);
    send_datagram(client, after, 0);
    run_for(MS(100));
    expect(next_datagram(server) == after);
    /* Twenty small ones share a packet. */
    unsigned packets = sent(client, WITH(DATAGRAM));
    for (unsigned i = 0; i < 20; i++) {
        send_datagram(client, 20, 0);
    }
    run_for(MS(100));
    expect_sent(client, WITH(DATAGRAM), packets + 1);
    for (unsigned i = 0; i < 20; i++) {
        expect(next_datagram(server) == 20);
    }
}

/* Nobody reads: the newest are kept, within what the reader allowed, and nothing stands still. */
SCENARIO(datagrams_that_nobody_reads)
{
    establish_with_datagrams();
    for (unsigned i = 0; i < 300; i++) {
        send_datagram(client, 1000, 0);
        run_for(MS(1));
    }
    send_datagram(client, 7, 0);
    run_for(SEC(1));
    struct skua_conn_stats stats;
    side_stats(server, &stats);
    expect(stats.datagrams_received == 301);
    expect(stats.datagrams_unread > 200 && stats.datagrams_unread < 220);
    size_t n, last = 0;
    unsigned count = 0;
    while ((n = next_datagram(server)) != 0) {
        last = n;
        count++;
    }
    expect(last == 7 && count == 301 - stats.datagrams_unread);
}

/* --- 67: reading what is there --- */

SCENARIO(bytes_behind_a_gap)
{
    app_establish();
    server->drains = false;
    struct skua_endpoint *ep = server->host->ep;
    app_write(client, 100);
    run_for(MS(50));
    expect(skua_stream_set_unordered(ep, server->stream) == SKUA_OK);
    net_drop(client, WITH(STREAM), 1);
    app_write(client, 200); /* lost */
    run_for(MS(5));
    app_write(client, 300);
    run_for(MS(15));
    static uint8_t out[ROOM];
    uint64_t offset = 1;
    size_t n = 0;
    /* Both ends of the gap are read: where they belong is told. */
    expect(skua_stream_read_piece(ep, server->stream, out, ROOM, &offset, &n) == SKUA_OK);
    expect(offset == 0 && n == 100);
    expect(skua_stream_read_piece(ep, server->stream, out, ROOM, &offset, &n) == SKUA_OK);
    note(server, "piece: %u at %u", (unsigned)n, (unsigned)offset);
    expect(offset == 300 && n == 300);
    for (size_t i = 0; i < n; i++) {
        expect(out[i] == side_byte(offset + i));
    }
    app_finish(client);
    run_for(SEC(1));
    /* The gap is filled; nothing comes twice; the end comes when all was read. */
    expect(skua_stream_read_piece(ep, server->stream, out, ROOM, &offset, &n) == SKUA_OK);
    note(server, "piece: %u at %u", (unsigned)n, (unsigned)offset);
    expect(offset == 100 && n == 200);
    expect(skua_stream_read_piece(ep, server->stream, out, ROOM, &offset, &n) == SKUA_EOF);
    note(server, "end of stream");
}
