/* Who gets in while others try to keep everybody out. */
#include "base/verdict.h"
#include "cases.h"
#include "flood.h"

static struct skua_endpoint_stats stats_of(struct side *s)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(s->host->ep, &stats);
    return stats;
}

static void say_goodbye(struct pair *p)
{
    p->server.closes = true;
    side_close(&p->client);
    pair_until(p, SEC(10), p->client.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p->w, p->client.closed.error == SKUA_OK);
    pair_end(p);
}

/* No RETRY: the queue is bounded, and so is the memory; it is full, so that a client waits, but its
 * repeats find a place that a forged SYN has given up. */
void case_flood_without_retry(const char *name)
{
    struct pair p;
    struct sim_flood flood = {.one_network = false};
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    pair_init(&p, name, NULL);
    listen.syn_backlog = 100;
    listen.retry = SKUA_RETRY_NEVER;
    pair_listen(&p, &listen);
    const uint64_t before = p.server.host->heap.used;
    sim_flood_start(&flood, p.server.host, 10000, 20000);
    pair_run(&p, MS(300));
    pair_dial(&p, NULL);
    uint64_t most = 0;
    while (flood.left > 0) {
        pair_run(&p, MS(50));
        const struct skua_endpoint_stats stats = stats_of(&p.server);
        SIM_CHECK(p.w, stats.half_open <= 100);
        SIM_CHECK(p.w, stats.memory <= before + 100 * 1024);
        most = stats.half_open > most ? stats.half_open : most;
    }
    SIM_CHECK(p.w, most == 100);
    SIM_CHECK(p.w, stats_of(&p.server).verdicts[SKUA_VERDICT_SYN_QUEUE_FULL] > 15000);
    pair_until(&p, SEC(70), p.client.events[SKUA_EVENT_ESTABLISHED] == 1);
    say_goodbye(&p);
}

/* 100,000 SYNs in a second, no two from one address. Nearly all cost an answer and nothing else,
 * the memory stays where it is, and a client gets in with one more round trip. */
void case_flood_with_retry(const char *name)
{
    enum { FLOOD = 100000, WATERMARK = 2048 };
    struct pair p;
    struct sim_flood flood = {.one_network = false};
    pair_init(&p, name, NULL);
    pair_listen(&p, NULL);
    const uint64_t before = p.server.host->heap.used;
    sim_flood_start(&flood, p.server.host, FLOOD, FLOOD);
    pair_run(&p, MS(700) + 303 * SKUA_USEC); /* not when the watermark lets one through */
    const skua_time start = p.w->now;
    pair_dial(&p, NULL);
    pair_until(&p, SEC(1), p.client.events[SKUA_EVENT_ESTABLISHED] == 1);
    SIM_CHECK(p.w, p.client.at[SKUA_EVENT_ESTABLISHED] == start + MS(40));
    pair_until(&p, SEC(1), p.server.events[SKUA_EVENT_INCOMING] == 1);
    SIM_CHECK(p.w, p.server.at[SKUA_EVENT_INCOMING] == start + MS(50));
    pair_until(&p, SEC(2), flood.left == 0);
    const struct skua_endpoint_stats stats = stats_of(&p.server);
    SIM_CHECK(p.w, stats.half_open <= WATERMARK);
    SIM_CHECK(p.w, stats.memory_peak <= before + WATERMARK * 700 + 10000);
    SIM_CHECK(p.w, stats.verdicts[SKUA_VERDICT_SYN_RETRY] > FLOOD - 3000);
    SIM_CHECK(p.w, stats.verdicts[SKUA_VERDICT_ANSWER_RATE] == 0);
    SIM_CHECK(p.w, stats.bytes_sent < stats.bytes_received / 10);
    say_goodbye(&p);
}

/* Whichever packet of the longer handshake is lost: it is repeated, and one connection results. */
void case_any_packet_lost_with_retry(const char *name)
{
    for (unsigned who = 0; who < 2; who++) {
        for (unsigned nth = 1; nth <= 4; nth++) {
            struct pair p;
            struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
            listen.retry = SKUA_RETRY_ALWAYS;
            pair_init(&p, name, NULL);
            pair_listen(&p, &listen);
            struct side *from = who == 0 ? &p.client : &p.server;
            struct sim_link *link =
                sim_link_between(from->host, who == 0 ? p.server.host : p.client.host);
            pair_dial(&p, NULL);
            pair_until(&p, SEC(5), link->offered == nth - 1);
            from->drop_next = 1;
            pair_until(&p, SEC(5), p.client.events[SKUA_EVENT_ESTABLISHED] == 1);
            side_send(&p.client, SKUA_STREAM_UNI, 10000);
            pair_until(&p, SEC(5), p.server.eof);
            SIM_CHECK(p.w, p.server.received == 10000);
            SIM_CHECK(p.w, p.server.events[SKUA_EVENT_INCOMING] == 1);
            say_goodbye(&p);
        }
    }
}

/* A network whose SYNs all bring tokens, or need none, has its share; another one gets in beside
 * it. */
void case_one_network_cannot_have_all(const char *name)
{
    struct pair p;
    struct sim_flood flood = {.one_network = true};
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    pair_init(&p, name, NULL);
    listen.retry = SKUA_RETRY_NEVER; /* as good as a token for each */
    listen.retry_handshakes = 10;
    listen.prefix_handshakes = 50;
    pair_listen(&p, &listen);
    sim_flood_start(&flood, p.server.host, 20000, 20000);
    pair_run(&p, MS(500));
    const skua_time start = p.w->now;
    pair_dial(&p, NULL);
    pair_until(&p, SEC(1), p.client.events[SKUA_EVENT_ESTABLISHED] == 1);
    SIM_CHECK(p.w, p.client.at[SKUA_EVENT_ESTABLISHED] == start + MS(20));
    pair_until(&p, SEC(2), flood.left == 0);
    const struct skua_endpoint_stats stats = stats_of(&p.server);
    SIM_CHECK(p.w, stats.half_open <= 11 + 8 * 50 + 50 + 1);
    SIM_CHECK(p.w, stats.verdicts[SKUA_VERDICT_SYN_PREFIX] >= 19500);
    say_goodbye(&p);
}

/* A NAT forgets the client after each of its first tokens has held, before the SYN_ACK is there. So
 * every repeat comes from another address and must prove that one: the first that finds peace gets
 * in. */
void case_nat_forgets_between_retries(const char *name)
{
    struct pair p;
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    listen.retry = SKUA_RETRY_ALWAYS;
    pair_init(&p, name, NULL);
    sim_host_nat(p.client.host, NULL);
    pair_listen(&p, &listen);
    pair_dial(&p, NULL);
    for (unsigned i = 1; i <= 5; i++) {
        pair_until(&p, SEC(20), stats_of(&p.server).half_open == i);
        SIM_CHECK(p.w, p.client.events[SKUA_EVENT_ESTABLISHED] == 0);
        sim_nat_rebind(&p.client.host->nat, true);
    }
    pair_until(&p, SEC(20), p.client.events[SKUA_EVENT_ESTABLISHED] == 1);
    say_goodbye(&p);
}
