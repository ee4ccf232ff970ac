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
