/* What is sent again, when, and what if it was not lost. Packets have one size, so that no probe of
 * the path's MTU is between them. */
#include "chart.h"

/* Of one size: 1,200 bytes. */
static void begin(const struct sim_link_config *link)
{
    static const struct sim_host_config small = {
        .max_segments = 64, .max_gro = 1, .max_sends = 64, .max_udp_payload = 1200};
    chart_begin_drivers(link, &small, &small);
}

static struct skua_conn_stats stats_of(struct side *s)
{
    struct skua_conn_stats stats;
    side_stats(s, &stats);
    return stats;
}

/* The packet carries these bytes of the stream. */
static void is_stream(const struct packet *p, uint64_t offset, uint64_t len)
{
    const struct wire_frame *f = frame_of(p, STREAM);
    expect(f != NULL && f->b == offset && f->c == len);
}

/* --- 33: when by timer, when fast */

/* Three later ones have been acknowledged. */
SCENARIO(sent_again_fast)
{
    begin(NULL);
    app_establish();
    chart_forget();
    net_drop(client, WITH(STREAM), 2);
    app_send(client, SKUA_STREAM_UNI, 9000);
    run_for(SEC(1));
    const struct wire_frame *lost = frame_of(packet(client, WITH(STREAM), 2), STREAM);
    expect(server->eof && server->received == 9000);
    /* The third that came after it left a round trip before. */
    skua_time third = packet(client, WITH(STREAM), 5)->at;
    expect_sent_at(client, WITH(STREAM), 9, third + MS(20));
    /* What was lost, and nothing else; an acknowledgement takes five bytes of its place. */
    expect_sent(client, WITH(STREAM), 10);
    is_stream(packet(client, WITH(STREAM), 9), lost->b, lost->c - 5);
    is_stream(packet(client, WITH(STREAM), 10), lost->b + lost->c - 5, 5);
    struct skua_conn_stats stats = stats_of(client);
    expect(stats.packets_lost == 1 && stats.stream_bytes_retransmitted == lost->c);
    expect(stats.pto_count == 0);
}

/* Only one later one has been: it may have overtaken. An eighth of a round trip shows. */
SCENARIO(sent_again_after_the_reordering_window)
{
    begin(NULL);
    app_establish();
    chart_forget();
    net_drop(client, WITH(STREAM), 1);
    app_write(client, 500);
    run_for(MS(1));
    app_write(client, 300);
    run_for(SEC(1));
    expect(server->received == 800);
    struct skua_conn_stats stats = stats_of(client);
    expect(stats.packets_lost == 1 && stats.stream_bytes_retransmitted == 500);
    expect(stats.pto_count == 0);
    skua_time again = packet(client, WITH(STREAM), 3)->at;
    is_stream(packet(client, WITH(STREAM), 3), 0, 500);
    expect(again > MS(22) && again < MS(26));
}

/* Nothing later was sent, so no acknowledgement can tell: the timer does, again and again. */
SCENARIO(sent_again_by_timer)
{
    begin(NULL);
    app_establish();
    chart_forget();
    struct skua_conn_stats before = stats_of(client);
    /* RFC 9002 §6.2.1: smoothed_rtt + max(4 rttvar, 1 ms) + max_ack_delay. */
    skua_time margin = 4 * before.rtt_var_ns > MS(1) ? 4 * before.rtt_var_ns : MS(1);
    skua_time pto = before.rtt_smoothed_ns + margin + MS(25);
    expect(before.pto_ns == pto);
    net_drop_many(client, ANY, 1, 3);
    app_write(client, 500);
    run_for(SEC(2));
    /* Each timeout is twice as long as the one before. */
    expect_sent_at(client, WITH(STREAM), 1, 0);
    expect_sent_at(client, WITH(STREAM), 2, pto);
    expect_sent_at(client, WITH(STREAM), 3, 3 * pto);
    expect_sent_at(client, WITH(STREAM), 4, 7 * pto);
    expect_sent(client, WITH(STREAM), 4);
    is_stream(packet(client, WITH(STREAM), 4), 0, 500);
    expect(server->received == 500 && server->events[SKUA_EVENT_STREAM] == 1);
    struct skua_conn_stats after = stats_of(client);
    expect(after.pto_count == 3 && after.packets_lost == 3);
}

/* --- 34: it was not lost */

static struct skua_conn_config with(enum skua_controller controller)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.controller = controller;
    return config;
}

/* A packet is late: lost by the count of later ones, sent again, then acknowledged. */
static void not_lost(enum skua_controller controller)
{
    struct skua_conn_config config = with(controller);
    begin(NULL);
    app_listen();
    app_connect_with(&config);
    run_to(MS(600));
    chart_forget();
    struct skua_conn_stats before = stats_of(client);
    net_delay(client, WITH(STREAM), 2, MS(15));
    app_send(client, SKUA_STREAM_UNI, 9000);
    /* Lost when the third later one is acknowledged: the window is reduced. */
    run_until(MS(100), stats_of(client).packets_lost == 1);
    struct skua_conn_stats reduced = stats_of(client);
    expect(reduced.congestion_events == 1 && reduced.ssthresh == reduced.cwnd);
    expect(reduced.cwnd < before.cwnd + reduced.bytes_acked - before.bytes_acked);
    /* Its own acknowledgement comes: window and threshold are as if nothing had been. */
    run_until(MS(100), stats_of(client).packets_spurious == 1);
    struct skua_conn_stats restored = stats_of(client);
    expect(restored.ssthresh == before.ssthresh && restored.cwnd >= before.cwnd);
    run_for(SEC(1));
    expect(server->eof && server->received == 9000);
    expect(stats_of(server).packets_reordered == 1);
}

SCENARIO(was_not_lost)
{
    not_lost(SKUA_CONTROLLER_CUBIC);
}

SCENARIO(was_not_lost_newreno)
{
    not_lost(SKUA_CONTROLLER_NEWRENO);
}

/* Once a packet has been late, the count of later ones means nothing: time decides. */
SCENARIO(late_again)
{
    begin(NULL);
    app_establish();
    net_delay(client, WITH(STREAM), 2, MS(15));
    app_send(client, SKUA_STREAM_UNI, 9000);
    run_for(SEC(1));
    expect(stats_of(client).packets_spurious == 1);
    chart_forget();
    net_delay(client, WITH(STREAM), 2, 2200 * SKUA_USEC);
    app_send(client, SKUA_STREAM_UNI, 9000);
    run_for(SEC(1));
    expect(server->eof && stats_of(server).packets_reordered == 2);
    struct skua_conn_stats stats = stats_of(client);
    expect(stats.packets_lost == 1 && stats.congestion_events == 1);
}

/* One was late, another is lost indeed: what was learnt from that stays. */
SCENARIO(one_late_and_one_lost)
{
    begin(NULL);
    app_establish();
    chart_forget();
    net_delay(client, WITH(STREAM), 2, MS(15));
    net_drop(client, WITH(STREAM), 3);
    app_send(client, SKUA_STREAM_UNI, 12000);
    run_for(SEC(1));
    expect(server->eof && server->received == 12000);
    struct skua_conn_stats stats = stats_of(client);
    expect(stats.packets_lost == 2 && stats.packets_spurious == 1);
    expect(stats.congestion_events == 1 && stats.ssthresh != UINT64_MAX);
}

/* The round trip grows at once, for good: a timeout finds nothing lost, and reduces nothing. */
SCENARIO(round_trip_grows_suddenly)
{
    begin(NULL);
    app_establish();
    chart_forget();
    struct skua_conn_stats before = stats_of(client);
    sim_link_between(client->host, server->host)->config.delay = MS(150);
    app_send(client, SKUA_STREAM_UNI, 9000);
    run_for(SEC(2));
    expect(server->eof && server->received == 9000);
    struct skua_conn_stats after = stats_of(client);
    expect(after.pto_count > 0 && after.congestion_events == 0 && after.packets_lost == 0);
    expect(after.cwnd >= before.cwnd);
    expect(after.rtt_smoothed_ns > MS(60));
}

/* --- 32: one packet, one piece */

/* One packet lost costs one packet. Of a datagram of 9,000 bytes in six fragments, one lost would
 * cost all. */
SCENARIO(one_lost_packet_costs_one_packet)
{
    begin(NULL);
    app_establish();
    net_drop(client, WITH(STREAM), 20);
    app_send(client, SKUA_STREAM_UNI, 60000);
    run_for(SEC(2));
    expect(server->eof && server->received == 60000);
    struct skua_conn_stats stats = stats_of(client);
    expect(stats.packets_lost == 1);
    expect(stats.stream_bytes_retransmitted ==
           frame_of(packet(client, WITH(STREAM), 20), STREAM)->c);
}

/* The path's size is found by packets that carry nothing else: their loss costs nothing. */
SCENARIO(size_of_the_path_is_found)
{
    static const unsigned sizes[] = {1200, 1232, 1400, 1452, 1472, 2972, 8972, 65507};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const struct sim_link_config link = {
            .delay = 10 * SKUA_MSEC, .rate = 20000000, .mtu = sizes[i]};
        chart_begin(&link);
        app_establish();
        app_send(client, SKUA_STREAM_UNI, 15000000);
        run_for(SEC(5));
        struct skua_conn_stats stats = stats_of(client);
        /* To within a sixty-fourth. */
        expect(stats.mtu <= sizes[i] && stats.mtu + stats.mtu / 64 + 1 >= sizes[i]);
        expect(stats.mtu_probes_lost > 0 || sizes[i] == 65507);
        expect(stats.packets_lost == 0 && stats.congestion_events == 0);
        expect(stats.mtu_black_holes == 0 && stats.stream_bytes_retransmitted == 0);
    }
}

/* In the middle of a transfer the path falls to `to`, without a word: what is larger vanishes. */
struct hole {
    uint32_t from, to;
    bool up, down; /* for what the client sends, and the server */
    uint32_t loss; /* ppm of all packets that are lost besides */
};

/* What became of a transfer, from the moment on. */
struct mending {
    skua_time pause;    /* longest time in which nothing arrived */
    skua_time believed; /* when the sender knew that the path was smaller */
    skua_time found;    /* when it had found its size, within a sixty-fourth */
};

static struct mending watch_mending(struct side *from, struct side *to, uint32_t size)
{
    struct mending m = {.pause = 0};
    skua_time start = elapsed(), last = start;
    uint64_t received = to->received;
    while (m.found == 0 || elapsed() < start + MS(500)) {
        expect(elapsed() < start + SEC(2));
        run_for(MS(1));
        if (to->received != received) {
            m.pause = elapsed() - last > m.pause ? elapsed() - last : m.pause;
            last = elapsed();
            received = to->received;
        }
        struct skua_conn_stats stats = stats_of(from);
        bool believed = stats.mtu_black_holes > 0;
        m.believed = m.believed == 0 && believed ? elapsed() - start : m.believed;
        bool found = believed && stats.mtu + stats.mtu / 64 + 1 >= size;
        m.found = m.found == 0 && found ? elapsed() - start : m.found;
    }
    return m;
}

/* The sender fell once, goes on, and knows the new size. */
static void is_mended(struct side *from, const struct hole *h)
{
    struct skua_conn_stats stats = stats_of(from);
    expect(stats.mtu <= h->to && stats.mtu + stats.mtu / 64 + 1 >= h->to);
    expect(stats.mtu_black_holes == 1);
    /* Marked packets vanished with the others: no reason to stop marking. */
    expect(stats.ecn_state == SKUA_ECN_STATE_CAPABLE);
    expect(stats.persistent_congestions == 0 || h->loss != 0);
}

static struct mending fall_into(const struct hole *h)
{
    const struct sim_link_config link = {.delay = 10 * SKUA_MSEC,
                                         .rate = 100000000,
                                         .queue = 100000,
                                         .mtu = h->from,
                                         .loss = h->loss};
    chart_begin(&link);
    app_establish();
    app_send(client, SKUA_STREAM_BIDI, h->up ? 100000000 : 1);
    run_until(SEC(1), server->events[SKUA_EVENT_STREAM] == 1);
    if (h->down) {
        app_write(server, 100000000);
    }
    run_for(SEC(2));
    struct side *sender = h->up ? client : server, *receiver = h->up ? server : client;
    struct skua_conn_stats before = stats_of(sender);
    expect(before.mtu == h->from && before.mtu_black_holes == 0);
    if (h->up) {
        sim_link_between(client->host, server->host)->config.mtu = h->to;
    }
    if (h->down) {
        sim_link_between(server->host, client->host)->config.mtu = h->to;
    }
    struct mending m = watch_mending(sender, receiver, h->to);
    run_for(SEC(1));
    is_mended(sender, h);
    if (h->up && h->down) {
        is_mended(receiver, h);
    }
    return m;
}

SCENARIO(path_becomes_smaller)
{
    static const struct hole holes[] = {
        {.from = 1472, .to = 1452, .up = true},
        {.from = 1472, .to = 1400, .up = true},
        {.from = 1472, .to = 1280, .up = true},
        {.from = 1472, .to = 1200, .up = true},
        {.from = 1472, .to = 1400, .down = true},
        {.from = 1472, .to = 1400, .up = true, .down = true},
        {.from = 8972, .to = 1472, .up = true},
        {.from = 8972, .to = 1400, .up = true},
        {.from = 65507, .to = 1400, .up = true},
    };
    for (unsigned i = 0; i < sizeof holes / sizeof *holes; i++) {
        struct mending m = fall_into(&holes[i]);
        /* A probe timeout and a round trip; three probes; then the search. */
        expect(m.pause <= MS(180) && m.believed <= MS(240) && m.found <= MS(350));
    }
}

SCENARIO(path_becomes_smaller_and_loses)
{
    static const struct hole holes[] = {
        {.from = 1472, .to = 1400, .up = true, .loss = 20000},
        {.from = 1472, .to = 1280, .down = true, .loss = 50000},
        {.from = 1472, .to = 1400, .up = true, .down = true, .loss = 150000},
    };
    for (unsigned i = 0; i < sizeof holes / sizeof *holes; i++) {
        struct mending m = fall_into(&holes[i]);
        expect(m.pause <= MS(300) && m.believed <= MS(500) && m.found <= SEC(1));
    }
}

/* Where there is little to say, there is little to learn from: the requests of the first timeouts
 * are late, those after them are not. */
SCENARIO(path_becomes_smaller_between_requests)
{
    app_establish();
    app_send(client, SKUA_STREAM_UNI, 200000);
    run_for(SEC(1));
    expect(stats_of(client).mtu == 1472 && stats_of(client).pto_count == 0);
    client->stream = 0; /* another one */
    client->to_write = 0;
    client->finishes = false;
    chart_forget();
    sim_link_between(client->host, server->host)->config.mtu = 1300;
    for (unsigned i = 1; i <= 8; i++) {
        app_write(client, 1400);
        run_until(MS(i <= 2 ? 300 : 12), server->received == 1400 * i);
        run_for(MS(300));
    }
    struct skua_conn_stats stats = stats_of(client);
    expect(stats.mtu_suspicions == 1 && stats.mtu_black_holes == 1 && stats.mtu == 1200);
    expect(stats.pto_count <= 6);
}

/* An application that writes a little at a time puts no timeout off: with the window of a bulk
 * transfer it would do so for seconds. */
SCENARIO(path_becomes_smaller_under_a_steady_flow)
{
    app_establish();
    app_send(client, SKUA_STREAM_UNI, 3000000);
    run_for(SEC(1));
    expect(stats_of(client).mtu == 1472 && stats_of(client).cwnd > 200000);
    client->stream = 0; /* another one */
    client->to_write = 0;
    client->finishes = false;
    chart_forget();
    sim_link_between(client->host, server->host)->config.mtu = 1300;
    unsigned late = 0;
    for (unsigned i = 1; i <= 500; i++) {
        app_write(client, 1400);
        run_for(MS(20));
        late += server->received != 1400 * i;
    }
    expect(late <= 8); /* two probe timeouts and a round trip */
    expect(stats_of(client).mtu_black_holes == 1 && server->received == 500 * 1400);
}

/* Datagrams are not cut: while probes judge, large ones wait; then the application is told that
 * they are too long, and those that waited are dropped. */
SCENARIO(path_becomes_smaller_under_datagrams)
{
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    listen.conn.datagram_buffer = 100000;
    app_listen_with(&listen);
    app_connect();
    run_for(SEC(1));
    app_send(client, SKUA_STREAM_UNI, 3000000);
    run_for(SEC(1));
    expect(stats_of(client).mtu == 1472 && stats_of(client).cwnd > 200000);
    chart_forget();
    sim_link_between(client->host, server->host)->config.mtu = 1300;
    static const uint8_t bytes[1400];
    skua_time start = elapsed();
    unsigned taken = 0;
    while (skua_conn_send_datagram(client->host->ep, client->conn, bytes, sizeof bytes, 0) ==
           SKUA_OK) {
        taken++;
        side_kick(client);
        run_for(MS(20));
        expect(elapsed() < start + MS(400));
    }
    size_t most = 0;
    expect(skua_conn_max_datagram(client->host->ep, client->conn, &most) == SKUA_OK);
    expect(most > 1100 && most < 1200);
    struct skua_conn_stats stats = stats_of(client);
    expect(stats.mtu_black_holes == 1 && stats.datagrams_lost > 0 && stats.datagrams_unsent > 0);
    expect(stats.datagrams_lost + stats.datagrams_unsent == taken);
    expect(skua_conn_send_datagram(client->host->ep, client->conn, bytes, most, 0) == SKUA_OK);
    side_kick(client);
    run_for(MS(100));
    expect(stats_of(client).datagrams_acked == 1);
}
