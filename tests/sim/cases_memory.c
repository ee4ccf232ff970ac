/* What connections cost, and what happens where there is no memory. */
#include "cases.h"

/* One connection after the other: memory does not creep up. */
void case_plateau(const char *name)
{
    struct pair p;
    uint64_t used[2] = {0, 0};
    pair_init(&p, name, NULL);
    pair_listen(&p, NULL);
    p.server.closes = true;
    for (unsigned i = 1; i <= 400; i++) {
        pair_dial(&p, NULL);
        side_send(&p.client, SKUA_STREAM_BIDI, 20000);
        pair_until(&p, SEC(1), p.server.eof);
        side_close(&p.client);
        pair_until(&p, SEC(1),
                   p.client.events[SKUA_EVENT_CLOSED] == i &&
                       p.server.events[SKUA_EVENT_CLOSED] == i);
        p.server.eof = false;
        pair_run(&p, SEC(2));
        if (i == 50) {
            used[0] = p.client.host->heap.used;
            used[1] = p.server.host->heap.used;
        }
    }
    SIM_CHECK(p.w, p.client.host->heap.used <= used[0]);
    SIM_CHECK(p.w, p.server.host->heap.used <= used[1]);
    pair_end(&p);
}

/* An application that reads nothing: its endpoint holds no more than the window. */
void case_deaf_reader(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    listen.conn.max_recv_window = 1000000;
    pair_listen(&p, &listen);
    pair_dial(&p, NULL);
    pair_run(&p, MS(200));
    p.server.drains = false;
    uint64_t base = p.server.host->heap.used;
    for (int i = 0; i < 20; i++) {
        side_send(&p.client, SKUA_STREAM_UNI, 1000000);
    }
    pair_run(&p, SEC(10));
    struct skua_conn_stats stats;
    side_stats(&p.server, &stats);
    SIM_CHECK(p.w, stats.recv_buffered > 300000 && stats.recv_buffered <= 1000000);
    /* Blocks of 4 KiB: up to two in excess per stream; and the records of packets. */
    SIM_CHECK(p.w, p.server.host->heap.used <= base + 1000000 + 20 * (8192 + 1024) + 65536);
    SIM_CHECK(p.w, skua_conn_abort(p.client.host->ep, p.client.conn, 0, "") == SKUA_OK);
    side_kick(&p.client);
    pair_end(&p);
}

/* A short life with all that it takes, in which the n-th request for memory fails (or all from the
 * n-th on): errors, but no crash, no leak, no hang, and no wrong byte. */
static bool live(const char *name, bool at_server, uint64_t nth, bool for_good)
{
    static const struct sim_link_config link = {.delay = 5 * SKUA_MSEC,
                                                .mtu = 1472,
                                                .loss = 20000,
                                                .reorder = 50000,
                                                .reorder_time = 5 * SKUA_MSEC};
    struct pair p;
    pair_init(&p, name, &link);
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    struct side *victim = at_server ? &p.server : &p.client;
    struct skua_path path = sim_path(p.client.host, 0, p.server.host);
    sim_oracle_proven(p.client.host, &path.remote);
    config.idle_timeout_ns = SEC(5);
    config.close_timeout_ns = SEC(5);
    pair_listen(&p, NULL);
    p.server.closes = true;
    p.server.plain = true;
    victim->host->heap.fail_at = victim->host->heap.requests + nth;
    victim->host->heap.fail_on = for_good;
    enum skua_err err = skua_conn_connect(p.client.host->ep, &path, &config, &p.client.conn);
    SIM_CHECK(p.w, err == SKUA_OK || err == SKUA_ENOMEM);
    skua_stream stream;
    for (unsigned i = 0; err == SKUA_OK && i < 4; i++) {
        if (skua_stream_open(p.client.host->ep, p.client.conn, i % 2, &stream) == SKUA_OK) {
            static const uint8_t lent[5000];
            size_t n;
            (void)skua_stream_lend(p.client.host->ep, stream, lent, sizeof lent);
            (void)skua_stream_write(p.client.host->ep, stream, lent, sizeof lent, &n);
            (void)skua_stream_finish(p.client.host->ep, stream);
        }
    }
    side_kick(&p.client);
    pair_run(&p, SEC(2));
    (void)skua_conn_close(p.client.host->ep, p.client.conn);
    side_kick(&p.client);
    pair_run(&p, SEC(100));
    bool failed = victim->host->heap.failures > 0;
    victim->host->heap.fail_at = 0;
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_CLOSED] == (err == SKUA_OK ? 1u : 0u));
    pair_end(&p);
    return failed;
}

void case_every_allocation_fails(const char *name)
{
    for (int at_server = 0; at_server < 2; at_server++) {
        for (int for_good = 0; for_good < 2; for_good++) {
            uint64_t nth = 1;
            while (live(name, at_server != 0, nth, for_good != 0)) {
                nth++;
            }
            SIM_CHECK((struct sim_world *)NULL, nth > 10);
        }
    }
}
