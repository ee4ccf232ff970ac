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
