/* A peer that falls silent, and a clock that jumps. */
#include "chart.h"

/* --- 60, 61: silence --- */

static void establish(const struct skua_conn_config *config, skua_time server_idle)
{
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    listen.conn.idle_timeout_ns = server_idle;
    app_listen_with(&listen);
    app_connect_with(config);
    run_to(MS(100));
}

/* keepalive_time after the last packet the first probe, `probes` of them `intvl` apart, and one
 * `intvl` more: then it is over. */
SCENARIO(peer_loses_power)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.idle_timeout_ns = SKUA_NEVER;
    config.keepalive_time_ns = SEC(60);
    config.keepalive_intvl_ns = SEC(5);
    config.keepalive_probes = 3;
    establish(&config, SKUA_NEVER);
    net_cut(server);
    skua_time heard = packet(server, DATA, 1)->arrived[0];
    unsigned before = sent(client, ANY);
    run_to(heard + SEC(60) - 1);
    expect_sent(client, ANY, before);
    skua_time end = heard + SEC(60) + 3 * SEC(5);
    run_to(end - 1);
    expect_sent_at(client, ANY, before + 1, heard + SEC(60));
    expect_state(client, SKUA_STATE_ESTABLISHED);
    run_to(end);
    expect_closed(client, SKUA_ETIMEDOUT);
    expect_at(client, SKUA_EVENT_CLOSED, end);
}

/* Without keep-alive nobody asks: the idle time ends it, at the smaller of both sides' values. */
SCENARIO(peer_loses_power_without_keepalive)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.idle_timeout_ns = SEC(20);
    establish(&config, SEC(50));
    net_cut(server);
    skua_time heard = packet(server, DATA, 1)->arrived[0];
    unsigned before = sent(client, ANY);
    run_to(heard + SEC(20));
    expect_closed(client, SKUA_EIDLE);
    expect_at(client, SKUA_EVENT_CLOSED, heard + SEC(20));
    expect_sent(client, ANY, before);
}

/* The transport's probe is answered by the transport: the application has nothing to do with it. */
SCENARIO(keepalive_is_not_the_applications)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.keepalive_time_ns = SEC(10);
    establish(&config, 0);
    unsigned events = 0;
    for (unsigned i = 0; i < SKUA_EVENT_TYPES; i++) {
        events += server->events[i];
    }
    unsigned client_before = sent(client, DATA), server_before = sent(server, DATA);
    run_to(SEC(95));
    unsigned probes = sent(client, DATA) - client_before;
    expect(probes == 9);
    expect_sent(server, DATA, server_before + probes);
    for (unsigned i = 1; i <= probes; i++) {
        const struct packet *p = packet(client, DATA, client_before + i);
        expect(frame_of(p, PING) != NULL && frame_of(p, STREAM) == NULL);
        expect_frames(server, DATA, server_before + i, ACK);
    }
    for (unsigned i = 0; i < SKUA_EVENT_TYPES; i++) {
        events -= server->events[i];
    }
    expect(events == 0); /* the server's application has seen nothing ... */
    expect_state(client, SKUA_STATE_ESTABLISHED);
    expect_state(server, SKUA_STATE_ESTABLISHED); /* ... nor died of an idle time of 30 s */
}

/* --- 65: clocks --- */

/* A laptop sleeps in the middle of a transfer, and its clock with it. */
SCENARIO(suspended_in_the_middle)
{
    const struct sim_link_config link = {
        .delay = 10 * SKUA_MSEC, .rate = 8000000, .queue = 50000, .mtu = 1472};
    chart_begin(&link);
    app_establish();
    app_send(client, SKUA_STREAM_UNI, 2000000);
    run_for(SEC(1));
    expect(!server->eof && server->received > 100000);
    uint64_t received = server->received;
    unsigned before = sent(client, ANY);
    app_suspend(client, SEC(20), false);
    run_for(SEC(20));
    expect(server->received <= received + 100000);
    expect_sent(client, ANY, before);
    run_for(MS(5));
    expect(sent(client, ANY) - before <= 4); /* no storm: at most two probes of a PTO and ACKs */
    run_until(SEC(10), server->eof);
    expect(server->received == 2000000);
    expect(client->events[SKUA_EVENT_CLOSED] == 0 && server->events[SKUA_EVENT_CLOSED] == 0);
}

/* The clock of a machine that does count the sleep jumps: one probe, not five that were missed, and
 * no verdict before the peer had time to answer it. */
SCENARIO(clock_jumps_ahead)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.idle_timeout_ns = SKUA_NEVER;
    config.keepalive_time_ns = SEC(10);
    config.keepalive_intvl_ns = SEC(1);
    config.keepalive_probes = 5;
    establish(&config, SKUA_NEVER);
    run_to(SEC(1));
    app_suspend(client, SEC(3600), true);
    unsigned before = sent(client, ANY);
    run_for(SEC(3600) + MS(50));
    expect_sent(client, ANY, before + 1);
    expect(frame_of(packet(client, ANY, before + 1), PING) != NULL);
    app_send(client, SKUA_STREAM_UNI, 10000);
    run_for(SEC(1));
    expect(server->received == 10000 && server->eof);
    expect_state(client, SKUA_STATE_ESTABLISHED);
}

/* Data under way when the clock jumps: one PTO's worth is sent again, not one for each that was
 * missed. */
SCENARIO(clock_jumps_ahead_in_flight)
{
    app_establish();
    net_drop_many(client, ANY, 1, 3);
    app_send(client, SKUA_STREAM_UNI, 3000);
    run_for(MS(1));
    app_suspend(client, SEC(25), true);
    unsigned before = sent(client, WITH(STREAM));
    run_for(SEC(25) + MS(5));
    expect_sent(client, WITH(STREAM), before + 2);
    run_for(SEC(1));
    expect(server->received == 3000 && server->eof);
}

/* The clocks of both fall back, one after the other and by more than any timeout, while data, ACKs
 * and a lost packet are under way: nothing waits for them to catch up. */
SCENARIO(clock_falls_back)
{
    const struct sim_link_config link = {
        .delay = 10 * SKUA_MSEC, .rate = 8000000, .queue = 50000, .mtu = 1472};
    chart_begin(&link);
    server->closes = true; /* as soon as it hears of the end */
    app_establish();
    app_send(client, SKUA_STREAM_UNI, 2000000);
    run_for(MS(500));
    uint64_t received = server->received;
    app_clock_back(client, SEC(600));
    run_for(MS(500));
    expect(server->received >= received + 400000);
    received = server->received;
    app_clock_back(server, SEC(600));
    net_drop(client, WITH(STREAM), 1);
    run_for(MS(500));
    expect(server->received >= received + 400000);
    run_until(SEC(3), server->eof);
    expect(server->received == 2000000);
    app_clock_back(client, SEC(60));
    app_clock_back(server, SEC(60));
    net_drop(client, WITH(FIN), 1); /* repeated after a PTO, as ever */
    app_close(client);
    run_for(SEC(1));
    expect_closed(client, SKUA_OK);
    expect_closed(server, SKUA_OK);
    run_for(SEC(20)); /* ... and records end */
    expect_state(client, SKUA_STATE_CLOSED);
    expect_state(server, SKUA_STATE_CLOSED);
}
