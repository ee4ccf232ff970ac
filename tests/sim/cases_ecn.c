/* ECN on ways that carry marks, change them or swallow what bears one; and what CE does. */
#include "base/assert.h"
#include "cases.h"
#include "conn/connection.h"
#include "endpoint/endpoint.h"

static struct skua_conn_stats stats_of(struct side *s)
{
    struct skua_conn_stats stats;
    side_stats(s, &stats);
    return stats;
}

static struct sim_link_config *way(struct pair *p, struct side *from)
{
    struct side *to = from == &p->client ? &p->server : &p->client;
    return &sim_link_between(from->host, to->host)->config;
}

/* One stream, both of its directions at once. */
static void send_both_ways(struct pair *p, uint64_t bytes)
{
    side_send(&p->client, SKUA_STREAM_BIDI, bytes);
    pair_until(p, SEC(1), p->server.stream != 0);
    side_write(&p->server, bytes);
    side_finish(&p->server);
}

/* Both directions carry bulk data; what one side marks the other has counted, and told. */
void case_capable(const char *name)
{
    /* Whatever else goes wrong on the way. */
    const struct sim_link_config link = {.delay = 10 * SKUA_MSEC,
                                         .rate = 50000000,
                                         .queue = 200000,
                                         .mtu = 1472,
                                         .loss = 20000,
                                         .reorder = 50000,
                                         .reorder_time = 5 * SKUA_MSEC,
                                         .duplicate = 20000,
                                         .ce = 1000};
    struct pair p;
    pair_init(&p, name, &link);
    pair_establish(&p);
    send_both_ways(&p, 10000000);
    pair_until(&p, SEC(60), p.server.eof && p.client.eof);
    pair_run(&p, SEC(1));
    struct side *const sides[] = {&p.client, &p.server};
    for (unsigned i = 0; i < 2; i++) {
        struct skua_conn_stats a = stats_of(sides[i]), b = stats_of(sides[1 - i]);
        SIM_CHECK(p.w, a.ecn_state == SKUA_ECN_STATE_CAPABLE);
        SIM_CHECK(p.w, a.ecn_ect0_sent > 5000 && a.ecn_ect0_sent <= a.packets_sent);
        SIM_CHECK(p.w, a.ecn_ect0_reported <= b.ecn_ect0_received);
        SIM_CHECK(p.w, a.ecn_ce_reported > 0 && a.ecn_ce_reported <= b.ecn_ce_received);
        SIM_CHECK(p.w, b.ecn_ect0_received + b.ecn_ce_received <= a.ecn_ect0_sent);
        SIM_CHECK(p.w, b.ecn_ect1_received == 0);
        /* What is still owed is within the last packets. */
        SIM_CHECK(p.w, b.ecn_ect0_received - a.ecn_ect0_reported < 64);
    }
    pair_conclude(&p);
}

/* The marks do not arrive as they were sent: one direction gives up, the other goes on. */
static void spoilt(const char *name, enum sim_link_ecn how)
{
    const struct sim_link_config link = {
        .delay = 10 * SKUA_MSEC, .rate = 50000000, .queue = 200000, .mtu = 1472};
    struct pair p;
    pair_init(&p, name, &link);
    way(&p, &p.client)->ecn = how;
    pair_establish(&p);
    send_both_ways(&p, 5000000);
    pair_until(&p, SEC(10), p.server.eof && p.client.eof);
    struct skua_conn_stats client = stats_of(&p.client), server = stats_of(&p.server);
    SIM_CHECK(p.w, client.ecn_state == SKUA_ECN_STATE_FAILED);
    SIM_CHECK(p.w, client.ecn_ect0_sent <= 20);
    SIM_CHECK(p.w, server.ecn_state == SKUA_ECN_STATE_CAPABLE);
    SIM_CHECK(p.w, client.congestion_events <= 3);
    pair_conclude(&p);
}

void case_bleached(const char *name)
{
    spoilt(name, SIM_ECN_BLEACHES);
}

void case_remarked(const char *name)
{
    spoilt(name, SIM_ECN_REMARKS);
}

/* A way that swallows every packet with a mark costs a new connection one probe timeout. */
void case_swallowed(const char *name)
{
    const struct sim_link_config link = {
        .delay = 10 * SKUA_MSEC, .rate = 50000000, .queue = 200000};
    struct pair p;
    pair_init(&p, name, &link);
    way(&p, &p.client)->ecn = SIM_ECN_SWALLOWS;
    pair_establish(&p);
    side_send(&p.client, SKUA_STREAM_UNI, 20000);
    pair_until(&p, MS(250), p.server.eof);
    SIM_CHECK(p.w, stats_of(&p.client).ecn_state == SKUA_ECN_STATE_FAILED);
    pair_conclude(&p);
    /* An exchange of small requests waits until three of them have been lost. */
    pair_init(&p, name, &link);
    way(&p, &p.client)->ecn = SIM_ECN_SWALLOWS;
    pair_establish(&p);
    for (unsigned i = 1; i <= 10; i++) {
        side_write(&p.client, 100);
        pair_until(&p, MS(250), p.server.received == 100 * i);
        pair_run(&p, MS(100));
    }
    struct skua_conn_stats client = stats_of(&p.client);
    SIM_CHECK(p.w, client.ecn_state == SKUA_ECN_STATE_FAILED && client.ecn_ect0_sent == 3);
    SIM_CHECK(p.w, client.pto_count == 3);
    pair_conclude(&p);
}

/* FIN_WAIT_2: the own direction is closed, and what gives the peer credit still bears marks. */
void case_swallowed_when_half_closed(const char *name)
{
    const struct sim_link_config link = {.delay = 10 * SKUA_MSEC, .rate = 50000000, .mtu = 1472};
    struct pair p;
    pair_init(&p, name, &link);
    pair_establish(&p);
    side_write(&p.client, 1000);
    pair_until(&p, SEC(1), p.server.received == 1000);
    side_write(&p.server, 20000000);
    side_finish(&p.server);
    side_shutdown(&p.client);
    pair_run(&p, SEC(1));
    SIM_CHECK(p.w, side_state(&p.client) == SKUA_STATE_FIN_WAIT_2);
    SIM_CHECK(p.w, stats_of(&p.client).ecn_state == SKUA_ECN_STATE_CAPABLE);
    way(&p, &p.client)->ecn = SIM_ECN_SWALLOWS;
    pair_until(&p, SEC(20), p.client.eof);
    struct skua_conn_stats client = stats_of(&p.client);
    SIM_CHECK(p.w, client.ecn_state == SKUA_ECN_STATE_FAILED && client.ecn_ect0_sent < 100);
    side_close(&p.server);
    pair_until(&p, SEC(10), p.client.events[SKUA_EVENT_CLOSED] == 1);
    pair_end(&p);
}

/* The route changes, and the new one swallows marks. */
void case_swallowed_later(const char *name)
{
    const struct sim_link_config link = {
        .delay = 10 * SKUA_MSEC, .rate = 50000000, .queue = 200000, .mtu = 1472};
    struct pair p;
    pair_init(&p, name, &link);
    pair_establish(&p);
    side_send(&p.client, SKUA_STREAM_UNI, 20000000);
    pair_run(&p, SEC(1));
    SIM_CHECK(p.w, stats_of(&p.client).ecn_state == SKUA_ECN_STATE_CAPABLE);
    way(&p, &p.client)->ecn = SIM_ECN_SWALLOWS;
    pair_until(&p, MS(500), stats_of(&p.client).ecn_state == SKUA_ECN_STATE_FAILED);
    struct skua_conn_stats client = stats_of(&p.client);
    SIM_CHECK(p.w, client.mtu > 1400 && client.mtu_black_holes == 0);
    uint64_t before = p.server.received;
    pair_run(&p, MS(500));
    SIM_CHECK(p.w, p.server.received > before + 500000);
    pair_until(&p, SEC(20), p.server.eof);
    pair_conclude(&p);
}

/* An application that sends more often than a probe timeout puts each of them off, and an outage
 * has made it long. */
void case_swallowed_under_pings(const char *name)
{
    const struct sim_link_config link = {.delay = 10 * SKUA_MSEC, .rate = 50000000};
    /* The outage lasts an odd and an even number of timeouts. */
    for (unsigned seconds = 1; seconds <= 4; seconds++) {
        struct pair p;
        pair_init(&p, name, &link);
        pair_establish(&p);
        side_write(&p.client, 1000);
        pair_run(&p, SEC(1));
        SIM_CHECK(p.w, stats_of(&p.client).ecn_state == SKUA_ECN_STATE_CAPABLE);
        way(&p, &p.client)->ecn = SIM_ECN_SWALLOWS;
        p.client.dark = true;
        side_write(&p.client, 1000);
        pair_run(&p, SEC(seconds));
        p.client.dark = false;
        for (unsigned i = 0; i < 8 && p.server.received < 2000; i++) {
            SIM_CHECK(p.w, skua_conn_ping(p.client.host->ep, p.client.conn) == SKUA_OK);
            side_kick(&p.client);
            pair_run(&p, MS(100));
        }
        SIM_CHECK(p.w, p.server.received == 2000);
        pair_conclude(&p);
    }
}

/* The same without an outage: sending puts the timer off, to twice its length and no further. */
void case_swallowed_under_steady_pings(const char *name)
{
    const struct sim_link_config link = {.delay = 200 * SKUA_MSEC, .rate = 50000000};
    struct pair p;
    pair_init(&p, name, &link);
    pair_establish(&p);
    side_write(&p.client, 1000);
    pair_run(&p, SEC(2));
    SIM_CHECK(p.w, stats_of(&p.client).ecn_state == SKUA_ECN_STATE_CAPABLE);
    way(&p, &p.client)->ecn = SIM_ECN_SWALLOWS;
    side_write(&p.client, 1000);
    for (unsigned i = 0; i < 30 && p.server.received < 2000; i++) {
        SIM_CHECK(p.w, skua_conn_ping(p.client.host->ep, p.client.conn) == SKUA_OK);
        side_kick(&p.client);
        pair_run(&p, MS(100));
    }
    SIM_CHECK(p.w, p.server.received == 2000);
    SIM_CHECK(p.w, stats_of(&p.client).pto_count == 1);
    pair_conclude(&p);
}

/* What asks for no acknowledgement is shorter than what does, and bears no mark. */
static bool see_marks(void *arg, const struct sim_datagram *d, uint64_t index, skua_time now)
{
    uint64_t *marked = arg;
    (void)index;
    (void)now;
    SKUA_ASSERT(d->len >= SKUA_ELICITING_MIN || d->ecn == 0);
    *marked += d->ecn != 0;
    return false;
}

/* The other side's acknowledgements bear no marks, so that a way that swallows them cannot silence
 * it, whenever that begins. */
void case_swallowed_backwards(const char *name)
{
    const struct sim_link_config link = {
        .delay = 10 * SKUA_MSEC, .rate = 50000000, .queue = 200000, .mtu = 1472};
    struct pair p;
    uint64_t marked = 0;
    pair_init(&p, name, &link);
    struct sim_link *down = sim_link_between(p.server.host, p.client.host);
    down->drop = see_marks;
    down->drop_arg = &marked;
    pair_establish(&p);
    side_send(&p.client, SKUA_STREAM_UNI, 20000000);
    pair_run(&p, SEC(1));
    way(&p, &p.server)->ecn = SIM_ECN_SWALLOWS;
    uint64_t before = p.server.received;
    pair_run(&p, SEC(1));
    SIM_CHECK(p.w, p.server.received > before + 4000000);
    pair_until(&p, SEC(20), p.server.eof);
    SIM_CHECK(p.w, marked > 0); /* credit, now and then */
    pair_conclude(&p);
}

/* A queue that marks instead of dropping: the sender slows down, nothing is lost, and the queue
 * stays far below what it would hold. */
void case_ce_instead_of_loss(const char *name)
{
    const struct sim_link_config link = {.delay = 10 * SKUA_MSEC,
                                         .rate = 50000000,
                                         .queue = 1000000,
                                         .mtu = 1472,
                                         .mark_above = 60000};
    struct pair p;
    pair_init(&p, name, &link);
    pair_establish(&p);
    side_send(&p.client, SKUA_STREAM_UNI, 40000000);
    pair_run(&p, SEC(2));
    uint64_t before = p.server.received;
    pair_run(&p, SEC(3));
    struct skua_conn_stats client = stats_of(&p.client);
    SIM_CHECK(p.w, (p.server.received - before) * 8 / 3 > 42000000);
    SIM_CHECK(p.w, client.packets_lost == 0);
    SIM_CHECK(p.w, client.congestion_events > 3 && client.ecn_ce_reported > 3);
    /* Once for each round trip, however many packets bear the mark. */
    SIM_CHECK(p.w, client.congestion_events < 5000 / 20);
    pair_until(&p, SEC(20), p.server.eof);
    pair_conclude(&p);
}

/* A receiver that lies about marks, in a way that cannot be. */
static void lie(uint64_t marks[3], unsigned how)
{
    uint64_t *ect0 = &marks[SKUA_ECN_ECT0 - 1];
    switch (how) {
    case 0: /* more than was sent */
        marks[SKUA_ECN_CE - 1] += 1000000;
        break;
    case 1: /* what was never sent */
        marks[SKUA_ECN_ECT1 - 1]++;
        break;
    case 2: /* fewer than were acknowledged */
        *ect0 -= *ect0 > 20 ? 20 : *ect0;
        break;
    default: /* nothing at all */
        *ect0 = 0;
        break;
    }
}

/* Marking ends, and no window is reduced for it. */
void case_counts_that_lie(const char *name)
{
    const struct sim_link_config link = {
        .delay = 10 * SKUA_MSEC, .rate = 50000000, .queue = 1000000, .mtu = 1472};
    for (unsigned how = 0; how < 4; how++) {
        struct pair p;
        pair_init(&p, name, &link);
        pair_establish(&p);
        side_send(&p.client, SKUA_STREAM_UNI, 5000000);
        pair_run(&p, MS(300));
        struct skua_conn_stats before = stats_of(&p.client);
        SIM_CHECK(p.w, before.ecn_state == SKUA_ECN_STATE_CAPABLE);
        struct skua_connection *c = skua_endpoint_conn(p.server.host->ep, p.server.conn);
        SKUA_ASSERT(c != NULL);
        skua_time start = p.w->now;
        while (!p.server.eof) {
            SIM_CHECK(p.w, p.w->now < start + SEC(60));
            lie(c->rx.acks.marks, how);
            pair_step(&p);
        }
        struct skua_conn_stats after = stats_of(&p.client);
        SIM_CHECK(p.w, after.ecn_state == SKUA_ECN_STATE_FAILED);
        SIM_CHECK(p.w, after.congestion_events == before.congestion_events);
        SIM_CHECK(p.w, after.packets_lost == before.packets_lost);
        pair_conclude(&p);
    }
}
