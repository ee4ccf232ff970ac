/* Silence, credit and patience. */
#include "cases.h"

static void conclude(struct pair *p)
{
    p->server.closes = true;
    side_close(&p->client);
    pair_until(p, SEC(10),
               p->client.events[SKUA_EVENT_CLOSED] == 1 &&
                   p->server.events[SKUA_EVENT_CLOSED] == 1);
    pair_end(p);
}

/* The smaller of both sides' idle times counts, from the last packet on. */
void case_idle(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    listen.conn.idle_timeout_ns = SEC(20);
    config.idle_timeout_ns = SEC(5);
    pair_listen(&p, &listen);
    pair_dial(&p, &config);
    pair_run(&p, SEC(3));
    SIM_CHECK(p.w, skua_conn_ping(p.client.host->ep, p.client.conn) == SKUA_OK);
    side_kick(&p.client);
    pair_run(&p, MS(4990));
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_CLOSED] == 0);
    pair_run(&p, MS(100));
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, p.client.closed.error == SKUA_EIDLE);
    SIM_CHECK(p.w, p.server.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, p.server.closed.error == SKUA_EIDLE);
    pair_end(&p);
}

/* RFC 5482: so long may data stay unacknowledged. */
void case_user_timeout(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.user_timeout_ns = SEC(10);
    pair_listen(&p, NULL);
    pair_dial(&p, &config);
    pair_run(&p, SEC(1));
    p.client.dark = true;
    skua_time start = p.w->now;
    side_send(&p.client, SKUA_STREAM_UNI, 1000);
    pair_until(&p, SEC(11), p.client.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, p.client.closed.error == SKUA_ETIMEDOUT);
    SIM_CHECK(p.w, p.client.at[SKUA_EVENT_CLOSED] - start >= SEC(10));
    SIM_CHECK(p.w, p.client.at[SKUA_EVENT_CLOSED] - start < SEC(10) + MS(10));
    pair_end(&p);
}

/* Probes after `time`, then every `intvl`; the peer is dead when so many went unanswered. */
void case_keepalive(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.idle_timeout_ns = listen.conn.idle_timeout_ns = SKUA_NEVER;
    config.user_timeout_ns = SKUA_NEVER;
    config.keepalive_time_ns = SEC(50);
    config.keepalive_intvl_ns = SEC(10);
    config.keepalive_probes = 3;
    pair_listen(&p, &listen);
    pair_dial(&p, &config);
    pair_run(&p, SEC(600));
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_CLOSED] == 0);
    struct skua_conn_stats stats;
    side_stats(&p.client, &stats);
    /* One probe each 50 s, each acknowledged. */
    SIM_CHECK(p.w, stats.packets_sent <= 3 + 2 * 12 + 3);
    SIM_CHECK(p.w, stats.packets_received >= 11);
    p.client.dark = p.server.dark = true;
    skua_time start = p.w->now;
    pair_until(&p, SEC(90), p.client.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, p.client.closed.error == SKUA_ETIMEDOUT);
    /* The last probe before may have been up to 50 s ago. */
    SIM_CHECK(p.w, p.client.at[SKUA_EVENT_CLOSED] - start >= SEC(30));
    SIM_CHECK(p.w, p.client.at[SKUA_EVENT_CLOSED] - start <= SEC(80) + MS(10));
    SIM_CHECK(p.w, skua_conn_abort(p.server.host->ep, p.server.conn, 0, "") == SKUA_OK);
    side_kick(&p.server);
    pair_end(&p);
}

/* The reader pauses, the window closes, and the update that opens it again is lost. */
void case_zero_window(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_establish(&p);
    p.server.drains = false;
    side_send(&p.client, SKUA_STREAM_UNI, 3000000);
    pair_run(&p, SEC(20));
    struct skua_conn_stats before, stats;
    side_stats(&p.client, &before);
    SIM_CHECK(p.w, before.bytes_in_flight == 0 && before.send_buffered > 0);
    SIM_CHECK(p.w, p.server.received == 0);
    /* A blocked sender asks, but less and less often. */
    pair_run(&p, SEC(100));
    side_stats(&p.client, &stats);
    SIM_CHECK(p.w, stats.packets_sent - before.packets_sent <= 2 * 100 / 8 + 4);
    SIM_CHECK(p.w, stats.packets_sent - before.packets_sent >= 100 / 8 - 2);
    /* The reader goes on; what it says at first is lost. */
    p.server.drains = true;
    p.server.drop_next = 3;
    uint8_t buf[4096];
    size_t n;
    while (skua_stream_read(p.server.host->ep, p.server.stream, buf, sizeof buf, &n) == SKUA_OK) {
        p.server.received += n;
    }
    side_kick(&p.server);
    pair_until(&p, SEC(15), p.server.eof);
    SIM_CHECK(p.w, p.server.received == 3000000);
    conclude(&p);
}

/* PTO backoff is capped at 8 s: a cable plugged back in is noticed. */
void case_cable_plugged_in_again(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.idle_timeout_ns = listen.conn.idle_timeout_ns = SKUA_NEVER;
    config.user_timeout_ns = listen.conn.user_timeout_ns = SKUA_NEVER;
    pair_listen(&p, &listen);
    pair_dial(&p, &config);
    pair_run(&p, SEC(1));
    side_send(&p.client, SKUA_STREAM_UNI, 10000000);
    pair_run(&p, MS(50));
    p.client.dark = p.server.dark = true;
    pair_run(&p, SEC(1000));
    SIM_CHECK(p.w, !p.server.eof && p.client.events[SKUA_EVENT_CLOSED] == 0);
    p.client.dark = p.server.dark = false;
    uint64_t received = p.server.received;
    pair_run(&p, SEC(8) + MS(100));
    SIM_CHECK(p.w, p.server.received > received);
    pair_until(&p, SEC(30), p.server.eof);
    SIM_CHECK(p.w, p.server.received == 10000000);
    conclude(&p);
}

/* ICMP can be forged: it makes us ask, and the answer counts. */
void case_hint_alone_ends_nothing(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_establish(&p);
    struct skua_path path = sim_path(p.client.host, 0, p.server.host);
    for (int i = 0; i < 100; i++) {
        skua_endpoint_hint(p.client.host->ep, &path, SKUA_HINT_UNREACHABLE, p.w->now);
        skua_endpoint_hint(p.client.host->ep, &path, SKUA_HINT_PORT_UNREACHABLE, p.w->now);
        side_kick(&p.client);
        pair_run(&p, MS(200));
    }
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_CLOSED] == 0);
    SIM_CHECK(p.w, side_state(&p.client) == SKUA_STATE_ESTABLISHED);
    conclude(&p);
}

/* An idle connection without timeouts has nothing to wake up for. */
void case_asleep(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.idle_timeout_ns = listen.conn.idle_timeout_ns = SKUA_NEVER;
    pair_listen(&p, &listen);
    pair_dial(&p, &config);
    pair_run(&p, SEC(1));
    side_send(&p.client, SKUA_STREAM_UNI, 100000);
    pair_run(&p, SEC(60));
    SIM_CHECK(p.w, p.server.eof);
    SIM_CHECK(p.w, skua_endpoint_next_timeout(p.client.host->ep) == SKUA_NEVER);
    SIM_CHECK(p.w, skua_endpoint_next_timeout(p.server.host->ep) == SKUA_NEVER);
    pair_run(&p, SEC(100000));
    side_send(&p.client, SKUA_STREAM_UNI, 1000);
    pair_run(&p, SEC(1));
    SIM_CHECK(p.w, p.server.received == 101000);
    conclude(&p);
}
