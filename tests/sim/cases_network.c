/* Speed, path MTU, forgeries and keys. */
#include <string.h>

#include "cases.h"

/* 1 Gbit/s times 100 ms, a queue of one BDP, no loss, nothing configured: after slow start at least
 * 90 % of the link carries application bytes. */
void case_fills_a_long_fat_link(const char *name)
{
    const struct sim_link_config link = {
        .delay = 50 * SKUA_MSEC, .rate = 1000000000, .queue = 12500000, .mtu = 1472};
    struct pair p;
    pair_init(&p, name, &link);
    pair_establish(&p);
    side_send(&p.client, SKUA_STREAM_UNI, UINT64_C(1) << 34);
    pair_run(&p, SEC(5));
    uint64_t start = p.server.received;
    pair_run(&p, SEC(10));
    uint64_t rate = (p.server.received - start) * 8 / 10;
    if (rate < 900000000) {
        struct skua_conn_stats stats;
        side_stats(&p.client, &stats);
        sim_fail(p.w, "only %llu bit/s (cwnd %llu, credit %llu, lost %llu, mtu %llu)",
                 (unsigned long long)rate, (unsigned long long)stats.cwnd,
                 (unsigned long long)stats.send_credit, (unsigned long long)stats.packets_lost,
                 (unsigned long long)stats.mtu);
    }
    SIM_CHECK(p.w, skua_conn_abort(p.client.host->ep, p.client.conn, 0, "") == SKUA_OK);
    side_kick(&p.client);
    pair_end(&p);
}

/* The path shrinks under a running transfer, to a size far below. */
void case_black_hole(const char *name)
{
    const struct sim_link_config link = {
        .delay = 10 * SKUA_MSEC, .rate = 100000000, .queue = 500000, .mtu = 8972};
    struct pair p;
    pair_init(&p, name, &link);
    pair_establish(&p);
    side_send(&p.client, SKUA_STREAM_UNI, 100000000);
    pair_run(&p, SEC(2));
    struct skua_conn_stats stats;
    side_stats(&p.client, &stats);
    SIM_CHECK(p.w, stats.mtu > 8000);
    sim_link_between(p.client.host, p.server.host)->config.mtu = 1400;
    uint64_t received = p.server.received;
    pair_run(&p, SEC(1));
    side_stats(&p.client, &stats);
    SIM_CHECK(p.w, stats.mtu <= 1400 && stats.mtu > 1370);
    SIM_CHECK(p.w, stats.mtu_suspicions == 1 && stats.mtu_black_holes == 1);
    SIM_CHECK(p.w, p.server.received > received + 5000000);
    pair_until(&p, SEC(30), p.server.eof);
    SIM_CHECK(p.w, p.server.received == 100000000);
    pair_conclude(&p);
}

/* 15 % of loss both ways, whatever the size: no reason to send smaller packets. Both sides send. */
static void lose_at_random(const char *name, uint64_t seed)
{
    const struct sim_link_config link = {
        .delay = 10 * SKUA_MSEC, .rate = 100000000, .queue = 500000, .mtu = 1472, .loss = 150000};
    struct pair p;
    pair_init(&p, name, &link);
    struct side *const sides[] = {&p.client, &p.server};
    for (unsigned i = 0; i < 2; i++) {
        sim_link_between(sides[i]->host, sides[1 - i]->host)->rng = sim_rng_split(seed, i);
    }
    pair_listen(&p, NULL);
    pair_dial(&p, NULL);
    pair_until(&p, SEC(60), p.server.events[SKUA_EVENT_INCOMING] > 0);
    side_send(&p.client, SKUA_STREAM_BIDI, 1000000);
    pair_until(&p, SEC(60), p.server.stream != 0);
    side_write(&p.server, 1000000);
    side_finish(&p.server);
    skua_time start = p.w->now, small = 0, found[2] = {0, 0};
    while (!p.server.eof || !p.client.eof) {
        pair_step(&p);
        for (unsigned i = 0; i < 2; i++) {
            struct skua_conn_stats stats;
            side_stats(sides[i], &stats);
            found[i] = found[i] == 0 && stats.mtu == 1472 ? p.w->now : found[i];
            small += found[i] != 0 && stats.mtu < 1472 ? SKUA_MSEC : 0;
            SIM_CHECK(p.w, stats.mtu_black_holes == 0);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        struct skua_conn_stats stats;
        side_stats(sides[i], &stats);
        SIM_CHECK(p.w, stats.mtu == 1472 && stats.packets_lost > 50);
    }
    /* A suspicion now and then costs some round trips of smaller packets. */
    SIM_CHECK(p.w, small < (p.w->now - start) / 50);
    SIM_CHECK(p.w, skua_conn_abort(p.client.host->ep, p.client.conn, 0, "") == SKUA_OK);
    side_kick(&p.client);
    sim_link_heal(sim_link_between(p.client.host, p.server.host));
    sim_link_heal(sim_link_between(p.server.host, p.client.host));
    pair_end(&p);
}

void case_loss_is_no_black_hole(const char *name)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        lose_at_random(name, seed);
    }
}

/* Keeps some of the server's datagrams for later use. */
struct tape {
    unsigned count;
    uint8_t bytes[64][2048];
    size_t len[64];
};

static bool record(void *arg, const struct sim_datagram *d, uint64_t index, skua_time now)
{
    struct tape *tape = arg;
    (void)index;
    (void)now;
    if (tape->count < 64 && d->len <= sizeof tape->bytes[0]) {
        memcpy(tape->bytes[tape->count], d->bytes, d->len);
        tape->len[tape->count++] = d->len;
    }
    return false;
}

/* 100,000 datagrams that are random, replayed, cut short or damaged: counters move, nothing else.
 */
void case_garbage(const char *name)
{
    static struct tape tape;
    static const struct sim_link_config link = {.delay = 10 * SKUA_MSEC, .mtu = 1472};
    struct pair p;
    tape.count = 0;
    pair_init(&p, name, &link);
    pair_establish(&p);
    struct sim_link *up = sim_link_between(p.client.host, p.server.host);
    up->drop = record;
    up->drop_arg = &tape;
    side_send(&p.client, SKUA_STREAM_UNI, 70000);
    pair_run(&p, SEC(1));
    SIM_CHECK(p.w, tape.count >= 20 && p.server.received == 70000);
    struct skua_conn_stats before, after;
    struct skua_endpoint_stats first, last;
    side_stats(&p.server, &before);
    skua_endpoint_stats(p.server.host->ep, &first);
    struct skua_addr to = sim_addr(p.server.host, 0);
    struct sim_rng rng = sim_rng_split(3, 3);
    enum { FORGERIES = 100000 };
    for (unsigned i = 0; i < FORGERIES; i++) {
        uint8_t d[2048];
        unsigned k = (unsigned)sim_rng_below(&rng, tape.count);
        size_t len = tape.len[k];
        struct skua_addr from = sim_addr(p.client.host, 0);
        memcpy(d, tape.bytes[k], len);
        switch (i % 5) {
        case 0: /* replayed */
            break;
        case 1: /* damaged */
            d[sim_rng_below(&rng, len)] ^= (uint8_t)(1u << sim_rng_below(&rng, 8));
            break;
        case 2: /* cut short */
            len = (size_t)sim_rng_below(&rng, len);
            break;
        case 3: /* for the right id, from elsewhere, random */
            from.port = 7;
            from.ip[3] = 77;
            for (size_t b = 9; b < len; b++) {
                d[b] = (uint8_t)sim_rng_next(&rng);
            }
            break;
        default: /* random */
            len = (size_t)sim_rng_below(&rng, 1300);
            for (size_t b = 0; b < len; b++) {
                d[b] = (uint8_t)sim_rng_next(&rng);
            }
            break;
        }
        sim_inject(p.server.host, &from, &to, d, len, p.w->now + i * SKUA_USEC * 10);
    }
    pair_run(&p, SEC(2));
    side_stats(&p.server, &after);
    skua_endpoint_stats(p.server.host->ep, &last);
    SIM_CHECK(p.w, last.datagrams_received == first.datagrams_received + FORGERIES);
    SIM_CHECK(p.w, last.verdicts[0] == first.verdicts[0]);
    SIM_CHECK(p.w, after.packets_received == before.packets_received);
    SIM_CHECK(p.w, after.stream_bytes_received == before.stream_bytes_received);
    SIM_CHECK(p.w, after.packets_undecryptable > before.packets_undecryptable);
    SIM_CHECK(p.w, after.packets_duplicate > before.packets_duplicate);
    SIM_CHECK(p.w, after.packets_sent == before.packets_sent);
    SIM_CHECK(p.w, last.memory <= first.memory);
    SIM_CHECK(p.w, last.conns == 1 && last.half_open == 0);
    side_send(&p.client, SKUA_STREAM_UNI, 100000);
    pair_until(&p, SEC(2), p.server.received == 170000);
    pair_conclude(&p);
}

/* Both sides change their keys again and again while packets overtake each other: all of them open.
 */
void case_key_updates(const char *name)
{
    const struct sim_link_config link = {.delay = 5 * SKUA_MSEC,
                                         .rate = 200000000,
                                         .queue = 1000000,
                                         .mtu = 1472,
                                         .reorder = 200000,
                                         .reorder_time = 5 * SKUA_MSEC};
    struct pair p;
    pair_init(&p, name, &link);
    pair_establish(&p);
    side_send(&p.client, SKUA_STREAM_BIDI, 100000000);
    unsigned updates = 0;
    while (!p.server.eof && p.w->now < SEC(1000) + SEC(60)) {
        updates += skua_conn_update_keys(p.client.host->ep, p.client.conn) == SKUA_OK;
        side_kick(&p.client);
        pair_run(&p, MS(7));
        updates += skua_conn_update_keys(p.server.host->ep, p.server.conn) == SKUA_OK;
        side_kick(&p.server);
        pair_run(&p, MS(7));
    }
    struct skua_conn_stats client, server;
    side_stats(&p.client, &client);
    side_stats(&p.server, &server);
    SIM_CHECK(p.w, p.server.received == 100000000);
    SIM_CHECK(p.w, updates >= 20 && client.key_updates + server.key_updates >= 20);
    SIM_CHECK(p.w, client.packets_undecryptable == 0 && server.packets_undecryptable == 0);
    pair_conclude(&p);
}
