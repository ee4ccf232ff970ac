/* Streams beside each other, readers that are slow, writers of small pieces, and what an
 * acknowledgement says. */
#include "chart.h"

/* --- 41: small writes --- */

static void cork(struct side *s, bool corked)
{
    note(s, corked ? "cork" : "uncork");
    expect(skua_stream_cork(s->host->ep, s->stream, corked) == SKUA_OK);
    side_kick(s);
}

/* The `nth` packet with bytes has these. */
static void expect_bytes(struct side *s, unsigned nth, uint64_t offset, uint64_t len)
{
    const struct wire_frame *f = frame_of(packet(s, WITH(STREAM), nth), STREAM);
    expect(f->b == offset && f->c == len);
}

SCENARIO(small_writes_leave_at_once)
{
    app_establish();
    skua_time start = elapsed();
    for (unsigned i = 0; i < 5; i++) {
        app_write(client, 10);
        run_for(MS(3)); /* the acknowledgement of the first would take 20 ms */
    }
    run_for(MS(100));
    for (unsigned i = 0; i < 5; i++) {
        expect_sent_at(client, WITH(STREAM), i + 1, start + i * MS(3));
        expect_bytes(client, i + 1, 10 * i, 10);
    }
    expect(server->received == 50);
}

/* Write, write, read: where Nagle and delayed acknowledgements wait for each other. */
SCENARIO(two_small_writes_and_an_answer)
{
    app_establish();
    app_write(client, 10);
    app_write(client, 10);
    skua_time start = elapsed();
    run_until(SEC(1), server->received == 20);
    app_write(server, 100);
    run_until(SEC(1), client->received == 100);
    expect(elapsed() == start + MS(20));
}

SCENARIO(small_writes_under_a_cork)
{
    app_establish();
    app_write(client, 0); /* opens the stream */
    cork(client, true);
    for (unsigned i = 0; i < 3; i++) {
        app_write(client, 300);
    }
    run_for(SEC(5)); /* no timer ends it */
    expect_sent(client, WITH(STREAM), 0);
    app_write(client, 300);
    run_for(SEC(1)); /* a packet is full: it leaves, the rest waits */
    expect_sent(client, WITH(STREAM), 1);
    expect(packet(client, WITH(STREAM), 1)->size == 1200);
    uint64_t first = frame_of(packet(client, WITH(STREAM), 1), STREAM)->c;
    skua_time now = elapsed();
    cork(client, false);
    run_for(MS(100));
    expect_sent(client, WITH(STREAM), 2);
    expect_sent_at(client, WITH(STREAM), 2, now);
    expect_bytes(client, 2, first, 1200 - first);
    expect(server->received == 1200);
    /* The end of the stream takes along what waits. */
    cork(client, true);
    app_write(client, 10);
    run_for(MS(100));
    expect(server->received == 1200);
    app_finish(client);
    run_for(MS(100));
    expect(server->received == 1210 && server->eof);
}

/* --- 44: what an acknowledgement says --- */

static void finish_confirm(struct side *s)
{
    note(s, "end of stream, confirm");
    expect(skua_stream_finish_confirm(s->host->ep, s->stream) == SKUA_OK);
    side_kick(s);
}

static struct skua_stream_info info_of(struct side *s)
{
    struct skua_stream_info info;
    expect(skua_stream_info(s->host->ep, s->stream, &info) == SKUA_OK);
    return info;
}

/* Spare connection ids are told with the first packets: not in the middle of what is to be seen. */
static void exchange_pings(void)
{
    expect(skua_conn_ping(client->host->ep, client->conn) == SKUA_OK);
    expect(skua_conn_ping(server->host->ep, server->conn) == SKUA_OK);
    side_kick(client);
    side_kick(server);
    run_for(MS(100));
}

/* The client has sent 1,000 bytes and wants to hear when they are read; the server reads nothing by
 * itself. */
static void send_and_ask(void)
{
    app_establish();
    server->drains = false;
    exchange_pings();
    app_write(client, 1000);
    finish_confirm(client);
    run_for(MS(100));
    expect(client->events[SKUA_EVENT_ACKED] == 1 && info_of(client).finished);
}

/* Three things, three events: the peer's transport has it, its application has read it, and all of
 * the connection has arrived. */
SCENARIO(acknowledged_consumed_delivered)
{
    send_and_ask();
    skua_time acked = client->at[SKUA_EVENT_ACKED];
    run_for(SEC(2));
    expect(server->received == 0);
    expect(client->events[SKUA_EVENT_CONSUMED] == 0 && !info_of(client).consumed);
    app_read(server); /* to the end */
    skua_time read = world()->now;
    run_for(MS(100));
    expect(client->events[SKUA_EVENT_ACKED] == 1 && client->at[SKUA_EVENT_ACKED] == acked);
    expect(client->at[SKUA_EVENT_CONSUMED] == read + MS(10) && info_of(client).consumed);
    /* Something is written that nobody reads: it has arrived, and no more is said. */
    client->stream = 0;
    app_send(client, SKUA_STREAM_UNI, 500);
    run_for(MS(100));
    app_shutdown(client);
    run_for(MS(100));
    expect(client->events[SKUA_EVENT_DELIVERED] == 1 && client->events[SKUA_EVENT_CONSUMED] == 1);
    expect(server->received == 1000);
}

/* The reader closes right after reading, and the word is lost, twice: it comes all the same, and
 * before the FIN that may end everything. */
SCENARIO(consumed_is_not_overtaken_by_the_close)
{
    send_and_ask();
    net_drop_many(server, WITH(CONSUMED), 1, 2);
    app_read(server);
    app_close(server);
    run_until(SEC(5), client->events[SKUA_EVENT_CONSUMED] == 1);
    expect(client->events[SKUA_EVENT_FINISHED] == 0);
    expect(sent(server, WITH(CONSUMED)) == 3);
    skua_time heard = client->at[SKUA_EVENT_CONSUMED];
    run_until(SEC(5), client->events[SKUA_EVENT_FINISHED] == 1);
    expect(client->at[SKUA_EVENT_FINISHED] == heard + MS(20)); /* acknowledged at once */
    app_close(client);
    run_for(SEC(30));
    expect_closed(client, SKUA_OK);
    expect_closed(server, SKUA_OK);
}

/* The reader takes a part and throws the rest away. */
SCENARIO(thrown_away_is_not_consumed)
{
    send_and_ask();
    uint8_t bytes[400];
    size_t n;
    note(server, "read(): 400");
    expect(skua_stream_read(server->host->ep, server->stream, bytes, sizeof bytes, &n) == SKUA_OK);
    app_close(server);
    run_for(MS(100));
    expect(client->events[SKUA_EVENT_CONSUMED] == 0);
    expect(client->events[SKUA_EVENT_DISCARDED] == 1 && info_of(client).discarded);
    expect(frame_of(packet(server, WITH(CONSUMED), 1), CONSUMED)->b == 400);
}

/* The reader dies with everything unread: acknowledged, never consumed. */
SCENARIO(acknowledged_and_never_read)
{
    send_and_ask();
    app_abort(server, 7, "out of order");
    run_for(SEC(1));
    expect_closed(client, SKUA_ECONNRESET);
    expect(client->events[SKUA_EVENT_CONSUMED] == 0 && client->events[SKUA_EVENT_DELIVERED] == 0);
}

/* --- 35, 36, 37: readers --- */

enum { WINDOW = 4000 }; /* of a stream, where a ladder is to be short */

/* A server that reads only when told to, and takes little in advance. */
static void establish_narrow(void)
{
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    listen.conn.max_recv_window = 3 * WINDOW;
    listen.conn.max_stream_window = WINDOW;
    server->drains = false;
    app_listen_with(&listen);
    app_connect();
    run_to(MS(100));
    exchange_pings();
}

SCENARIO(slow_receiver_closes_the_window)
{
    establish_narrow();
    app_send(client, SKUA_STREAM_UNI, 3 * WINDOW);
    run_for(SEC(1));
    struct skua_conn_stats stats;
    side_stats(client, &stats);
    expect(stats.stream_bytes_sent == WINDOW); /* as far as it was allowed, and no further */
    expect(stats.packets_lost == 0);
    side_stats(server, &stats);
    expect(stats.recv_buffered == WINDOW);
    app_read(server); /* opens it again */
    run_for(MS(500));
    expect(server->received == WINDOW);
    app_read(server);
    run_for(MS(500));
    app_read(server);
    expect(server->received == 3 * WINDOW && server->eof);
    side_stats(client, &stats);
    expect(stats.packets_lost == 0 && stats.stream_bytes_retransmitted == 0);
}

/* With windows of any size: what is sent and not read is bounded by them, however long it lasts. */
SCENARIO(slow_receiver_bounds_memory)
{
    server->drains = false;
    app_establish();
    app_send(client, SKUA_STREAM_UNI, 4 << 20);
    run_for(SEC(60));
    struct skua_conn_stats stats;
    side_stats(server, &stats);
    expect(stats.recv_buffered == 256 << 10 && stats.memory < (300 << 10));
    server->drains = true;
    app_read(server);
    run_until(SEC(20), server->eof);
    expect(server->received == 4 << 20);
    side_stats(client, &stats);
    expect(stats.stream_bytes_sent == 4 << 20);
}

/* The update is a frame that asks for an acknowledgement: lost, it is sent again. */
SCENARIO(window_update_lost)
{
    establish_narrow();
    app_send(client, SKUA_STREAM_UNI, 2 * WINDOW);
    run_for(SEC(1));
    net_drop(server, WITH(MAX_STREAM_DATA), 1);
    app_read(server);
    run_for(SEC(1));
    app_read(server);
    expect(server->received == 2 * WINDOW && server->eof);
}

/* All updates are lost for a while, and the blocked side's questions as well: it goes on asking. */
SCENARIO(window_updates_lost_for_a_while)
{
    establish_narrow();
    app_send(client, SKUA_STREAM_UNI, 2 * WINDOW);
    run_for(SEC(1));
    unsigned asked = sent(client, WITH(STREAM_DATA_BLOCKED));
    expect(asked >= 3); /* at once, then on a timer, less and less often */
    net_cut(server);
    app_read(server);
    run_for(SEC(20));
    expect(sent(client, WITH(STREAM_DATA_BLOCKED)) >= asked + 2);
    expect(server->received == WINDOW);
    net_mend(server);
    run_for(SEC(10));
    app_read(server);
    expect(server->received == 2 * WINDOW && server->eof);
}

/* A byte at a time: credit comes in quarters of the window, and packets are full. */
SCENARIO(many_tiny_reads)
{
    establish_narrow();
    app_send(client, SKUA_STREAM_UNI, 3 * WINDOW);
    run_for(SEC(1));
    note(server, "read() of one byte, 8000 times");
    for (unsigned i = 0; i < 2 * WINDOW; i++) {
        uint8_t byte;
        size_t n;
        expect(skua_stream_read(server->host->ep, server->stream, &byte, 1, &n) == SKUA_OK);
        side_kick(server);
        run_for(SKUA_MSEC);
    }
    run_for(SEC(1));
    expect(sent(server, WITH(MAX_STREAM_DATA)) <= 2 * 4);
    expect(sent(client, WITH(STREAM)) <= 2 * (3 * WINDOW / 1000 + 1));
    for (unsigned i = 1; i < sent(client, WITH(STREAM)); i++) {
        expect(frame_of(packet(client, WITH(STREAM), i), STREAM)->c >= 300);
    }
}

/* --- 42: head-of-line blocking --- */

static skua_stream open_stream(struct side *s)
{
    s->stream = 0;
    s->to_write = s->written = 0;
    s->finished = s->finishes = false;
    app_write(s, 100);
    run_for(MS(100)); /* until the other side knows it: its `stream` */
    return s->stream;
}

static uint64_t readable(struct side *s, skua_stream stream)
{
    struct skua_stream_info info;
    expect(skua_stream_info(s->host->ep, stream, &info) == SKUA_OK);
    return info.readable;
}

SCENARIO(loss_on_one_stream_delays_no_other)
{
    app_establish();
    exchange_pings();
    server->drains = false;
    skua_stream at_client[3], at_server[3];
    for (unsigned i = 0; i < 3; i++) {
        at_client[i] = open_stream(client);
        at_server[i] = server->stream;
    }
    net_drop(client, WITH(STREAM), 1);
    skua_time start = elapsed();
    for (unsigned i = 0; i < 3; i++) {
        client->stream = at_client[i];
        client->written = client->to_write = 100;
        app_write(client, 1000);
        run_for(MS(1));
    }
    run_to(start + MS(13));
    expect(readable(server, at_server[0]) == 100); /* lost: it waits for its repair */
    expect(readable(server, at_server[1]) == 1100);
    expect(readable(server, at_server[2]) == 1100);
    run_for(MS(200));
    expect(readable(server, at_server[0]) == 1100);
}

/* --- 43: one stream's window against another's --- */

/* Opens a stream and lends it a megabyte. */
static void pour(struct side *s)
{
    static uint8_t bytes[1 << 20];
    skua_stream stream;
    note(s, "lend(%zu)", sizeof bytes);
    expect(skua_stream_open(s->host->ep, s->conn, SKUA_STREAM_UNI, &stream) == SKUA_OK);
    expect(skua_stream_lend(s->host->ep, stream, bytes, sizeof bytes) == SKUA_OK);
    side_kick(s);
}

/* Three streams that nobody reads could fill the connection's window of 384 KiB, and more than
 * that. A fourth one gets through, at once and a megabyte later. */
SCENARIO(unread_streams_do_not_starve_the_rest)
{
    app_establish();
    server->drains = false;
    for (unsigned i = 0; i < 3; i++) {
        pour(client);
    }
    run_for(SEC(2));
    struct skua_conn_stats stats;
    side_stats(server, &stats);
    expect(stats.recv_buffered == 3 * (256 << 10)); /* each as far as its own window goes */
    expect(sent(client, WITH(DATA_BLOCKED)) >= 1);  /* in the way of the connection's */
    app_send(client, SKUA_STREAM_UNI, 1 << 20);
    run_for(MS(60)); /* the first bytes, or the question for credit and its answer */
    uint64_t before = server->received;
    server->drains = true;
    app_read(server);
    expect(server->received > before);
    run_until(SEC(30), server->eof);
    expect(server->received == 1 << 20);
    side_stats(server, &stats);
    expect(stats.recv_buffered == 3 * (256 << 10) && stats.memory < (1100 << 10));
}

/* The same where both windows are as narrow as each other: the stream's is kept narrower. */
SCENARIO(one_unread_stream_leaves_the_others_some)
{
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    listen.conn.max_recv_window = listen.conn.max_stream_window = WINDOW;
    server->drains = false;
    app_listen_with(&listen);
    app_connect();
    run_to(MS(100));
    app_send(client, SKUA_STREAM_UNI, 2 * WINDOW);
    run_for(SEC(1));
    app_send(client, SKUA_STREAM_UNI, 10 * WINDOW);
    run_for(MS(30));
    server->drains = true;
    app_read(server);
    run_until(SEC(30), server->eof);
    expect(server->received == 10 * WINDOW);
}

/* What the application has not even been told of gets the first window, and no more. */
SCENARIO(nobody_accepts_and_nothing_grows)
{
    server->accepts = false;
    app_listen();
    app_connect();
    run_for(MS(100));
    for (unsigned i = 0; i < 3; i++) {
        pour(client);
    }
    run_for(SEC(20));
    struct skua_conn_stats stats;
    side_stats(server, &stats);
    expect(stats.recv_buffered == 384 << 10);
}
