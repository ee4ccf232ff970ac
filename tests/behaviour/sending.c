/* Numbers, and what becomes of packets that are lost, doubled, reordered, damaged, or cut off for a
 * while. */
#include "chart.h"

/* --- 30: sequence and acknowledgement numbers --- */

static void is_stream(const struct packet *p, uint64_t pn, uint64_t offset, uint64_t len)
{
    const struct wire_frame *f = frame_of(p, STREAM);
    expect(p->pn == pn && f != NULL && f->a == 0 && f->b == offset && f->c == len);
}

static void is_ack(const struct packet *p, uint64_t largest, uint64_t first, uint64_t ranges)
{
    const struct wire_frame *f = frame_of(p, ACK);
    expect(f != NULL && f->a == largest && f->b == first && f->c == ranges);
}

SCENARIO(numbers_of_a_small_exchange)
{
    net_drop(client, WITH(STREAM), 2);
    app_listen();
    app_connect();
    run_to(
        MS(100)); /* numbers 0 are spent on the handshake's third packet and its acknowledgement */
    expect(packet(client, CONFIRM, 1)->pn == 0 && packet(server, DATA, 1)->pn == 0);
    is_ack(packet(server, DATA, 1), 0, 0, 1);
    app_write(client, 1000);
    run_to(MS(110));
    app_write(client, 500); /* lost */
    run_to(MS(120));
    app_write(client, 300);
    run_to(MS(400));
    app_write(server, 50);
    run_to(MS(1000));
    /* Packets have numbers that count packets, streams have offsets that count bytes. */
    is_stream(packet(client, WITH(STREAM), 1), 1, 0, 1000);
    is_stream(packet(client, WITH(STREAM), 2), 2, 1000, 500);
    is_stream(packet(client, WITH(STREAM), 3), 3, 1500, 300);
    /* The server says which packets it has: 3 and 0 to 1; number 2 is missing. */
    is_ack(packet(server, DATA, 2), 3, 3, 2);
    /* The bytes go again, under a number of their own; number 2 is never seen. */
    is_stream(packet(client, WITH(STREAM), 4), 4, 1000, 500);
    is_ack(packet(server, DATA, 3), 4, 3, 1); /* what the client knows to be known is left out */
    /* The other direction has numbers and offsets of its own. */
    is_stream(packet(server, WITH(STREAM), 1), 3, 0, 50);
    is_ack(packet(client, WITH(ACK), sent(client, WITH(ACK))), 3, 1, 1);
    expect(server->received == 1800 && client->received == 50);
}

/* --- 31: every byte once and in order --- */

SCENARIO(lost_doubled_reordered_corrupted)
{
    app_establish();
    net_drop(client, WITH(STREAM), 2);
    net_duplicate(client, WITH(STREAM), 3, MS(2));
    net_delay(client, WITH(STREAM), 4, MS(7));
    net_corrupt(client, WITH(STREAM), 6);
    app_send(client, SKUA_STREAM_UNI, 9000);
    run_for(SEC(2));
    expect(server->received == 9000 &&
           server->eof); /* and each byte was what it should be (pair.c) */
    struct skua_conn_stats stats;
    side_stats(server, &stats);
    expect(stats.packets_duplicate == 1);
    expect(stats.packets_reordered >= 1);
    expect(stats.stream_bytes_received == 9000);
    side_stats(client, &stats);
    expect(stats.packets_lost >= 2); /* the lost one and the damaged one */
    expect(stats.stream_bytes_sent == 9000);
}

/* The same for a megabyte both ways, at random, with every fault often. */
SCENARIO(every_byte_once_and_in_order)
{
    const struct sim_link_config bad = {.delay = 10 * SKUA_MSEC,
                                        .jitter = 2 * SKUA_MSEC,
                                        .mtu = 1472,
                                        .loss = 50000,
                                        .duplicate = 50000,
                                        .corrupt = 50000,
                                        .reorder = 100000,
                                        .reorder_time = 15 * SKUA_MSEC};
    chart_begin(&bad);
    app_listen();
    app_connect();
    run_until(SEC(70), server->events[SKUA_EVENT_INCOMING] == 1);
    app_send(client, SKUA_STREAM_BIDI, 1000000);
    run_until(SEC(10), server->events[SKUA_EVENT_STREAM] == 1);
    app_write(server, 1000000);
    app_finish(server);
    run_until(SEC(300), server->eof && client->eof);
    expect(server->received == 1000000 && client->received == 1000000);
    struct skua_conn_stats stats;
    side_stats(server, &stats);
    expect(stats.packets_duplicate > 0 && stats.packets_reordered > 0);
    uint64_t *counts = world()->counts;
    expect(counts[SIM_COUNT_LOSS] > 50 && counts[SIM_COUNT_CORRUPTED] > 50);
    expect(verdicts(server, SKUA_VERDICT_BAD_AUTH) > 0);
}

/* --- 39: everything is lost for a while --- */

static void pull_the_cable(void)
{
    net_cut(client);
    net_cut(server);
}

static void plug_it_in(void)
{
    net_mend(client);
    net_mend(server);
}

SCENARIO(cable_pulled_and_plugged_in_again)
{
    app_establish();
    app_send(client, SKUA_STREAM_UNI, 100000);
    run_for(MS(5));
    pull_the_cable();
    run_for(MS(50)); /* what was written just now goes into the void */
    skua_time pulled = elapsed();
    unsigned before = sent(client, ANY);
    run_for(SEC(25));
    /* It asks less and less often: by PTO, doubled each time, at most 8 s apart. */
    expect(sent(client, ANY) - before <= 2 * 9);
    skua_time last = packet(client, ANY, sent(client, ANY))->at;
    for (unsigned i = before + 1; i <= sent(client, ANY); i++) {
        expect(packet(client, ANY, i)->at - packet(client, ANY, i - 1)->at <= SEC(8));
    }
    expect(last > pulled + SEC(12));
    expect(client->events[SKUA_EVENT_CLOSED] == 0 && server->events[SKUA_EVENT_CLOSED] == 0);
    plug_it_in();
    /* The next probe gets through, and everything with it. */
    skua_time next = last + SEC(8);
    run_to(next - MS(1));
    expect(!server->eof);
    run_to(next + SEC(1));
    expect(server->received == 100000 && server->eof);
}

SCENARIO(cable_pulled_for_too_long)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    config.idle_timeout_ns = listen.conn.idle_timeout_ns = SKUA_NEVER;
    config.user_timeout_ns = SEC(90);
    app_listen_with(&listen);
    app_connect_with(&config);
    run_to(SEC(1));
    pull_the_cable();
    app_send(client, SKUA_STREAM_UNI, 1000);
    run_to(SEC(91) - 1);
    expect_state(client, SKUA_STATE_ESTABLISHED);
    run_to(SEC(91));
    expect_closed(client, SKUA_ETIMEDOUT); /* unacknowledged for the user timeout */
    expect_at(client, SKUA_EVENT_CLOSED, SEC(91));
}
