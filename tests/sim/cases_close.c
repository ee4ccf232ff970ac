/* TCP's ways to part, with every packet lost in turn. */
#include <string.h>

#include "cases.h"

static bool went_through(const struct side *s, const enum skua_state *states, unsigned n)
{
    if (s->state_count != n) {
        return false;
    }
    return memcmp(s->states, states, n * sizeof *states) == 0;
}

#define WENT_THROUGH(side, ...)                                                                    \
    went_through(side, (const enum skua_state[]){__VA_ARGS__},                                     \
                 sizeof((const enum skua_state[]){__VA_ARGS__}) / sizeof(enum skua_state))

static void both_closed(struct pair *p, skua_time limit)
{
    pair_until(p, limit,
               p->client.events[SKUA_EVENT_CLOSED] == 1 &&
                   p->server.events[SKUA_EVENT_CLOSED] == 1);
}

static void both_ok(struct pair *p)
{
    SIM_CHECK(p->w, p->client.closed.error == SKUA_OK && p->server.closed.error == SKUA_OK);
}

static uint64_t records(struct side *s)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(s->host->ep, &stats);
    return stats.time_wait;
}

void case_client_first(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_establish(&p);
    side_close(&p.client);
    pair_until(&p, SEC(1), p.server.events[SKUA_EVENT_FINISHED] == 1);
    pair_run(&p, MS(100));
    SIM_CHECK(p.w, side_state(&p.client) == SKUA_STATE_FIN_WAIT_2);
    SIM_CHECK(p.w, side_state(&p.server) == SKUA_STATE_CLOSE_WAIT);
    side_close(&p.server);
    both_closed(&p, MS(100));
    both_ok(&p);
    SIM_CHECK(p.w,
              WENT_THROUGH(&p.client, SKUA_STATE_SYN_SENT, SKUA_STATE_ESTABLISHED,
                           SKUA_STATE_FIN_WAIT_1, SKUA_STATE_FIN_WAIT_2, SKUA_STATE_TIME_WAIT));
    SIM_CHECK(p.w, WENT_THROUGH(&p.server, SKUA_STATE_ESTABLISHED, SKUA_STATE_CLOSE_WAIT,
                                SKUA_STATE_LAST_ACK, SKUA_STATE_CLOSED));
    SIM_CHECK(p.w, records(&p.client) == 1 && records(&p.server) == 0);
    pair_end(&p);
}

void case_server_first(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_establish(&p);
    p.client.closes = true;
    side_close(&p.server);
    both_closed(&p, SEC(1));
    both_ok(&p);
    SIM_CHECK(p.w, WENT_THROUGH(&p.client, SKUA_STATE_SYN_SENT, SKUA_STATE_ESTABLISHED,
                                SKUA_STATE_CLOSE_WAIT, SKUA_STATE_LAST_ACK, SKUA_STATE_CLOSED));
    SIM_CHECK(p.w, p.server.states[p.server.state_count - 1] == SKUA_STATE_TIME_WAIT);
    SIM_CHECK(p.w, records(&p.client) == 0 && records(&p.server) == 1);
    pair_end(&p);
}

void case_simultaneous(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_establish(&p);
    side_close(&p.server);
    side_close(&p.client);
    both_closed(&p, SEC(1));
    both_ok(&p);
    SIM_CHECK(p.w, WENT_THROUGH(&p.client, SKUA_STATE_SYN_SENT, SKUA_STATE_ESTABLISHED,
                                SKUA_STATE_FIN_WAIT_1, SKUA_STATE_CLOSING, SKUA_STATE_TIME_WAIT));
    SIM_CHECK(p.w, WENT_THROUGH(&p.server, SKUA_STATE_ESTABLISHED, SKUA_STATE_FIN_WAIT_1,
                                SKUA_STATE_CLOSING, SKUA_STATE_TIME_WAIT));
    pair_end(&p);
}

/* Closing with data under way while the link loses, in turn, each packet of either side, or two in
 * a row: everything arrives, both sides end orderly, and soon. */
void case_any_packet_lost(const char *name)
{
    for (unsigned who = 0; who < 2; who++) {
        for (unsigned nth = 0; nth < 10; nth++) {
            for (unsigned run = 1; run <= 2; run++) {
                for (unsigned both = 0; both < 2; both++) {
                    struct pair p;
                    pair_init(&p, name, NULL);
                    pair_establish(&p);
                    struct side *loser = who == 0 ? &p.client : &p.server;
                    p.server.closes = true;
                    side_send(&p.client, SKUA_STREAM_UNI, 3000);
                    side_close(&p.client);
                    if (both != 0) {
                        side_close(&p.server);
                        p.server.closes = false;
                    }
                    struct sim_link *link =
                        sim_link_between(loser->host, who == 0 ? p.server.host : p.client.host);
                    uint64_t start = link->offered;
                    skua_time limit = p.w->now + SEC(5);
                    while (p.client.events[SKUA_EVENT_CLOSED] == 0 ||
                           p.server.events[SKUA_EVENT_CLOSED] == 0) {
                        if (link->offered == start + nth) {
                            loser->drop_next = run;
                            start = UINT64_MAX / 2;
                        }
                        SIM_CHECK(p.w, p.w->now < limit);
                        pair_run(&p, SKUA_MSEC / 10);
                    }
                    both_ok(&p);
                    SIM_CHECK(p.w, both != 0 || p.server.received == 3000);
                    pair_end(&p);
                }
            }
        }
    }
}

/* One side has finished; the other goes on sending for as long as it likes. */
void case_half_closed(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_establish(&p);
    side_send(&p.client, SKUA_STREAM_BIDI, 100);
    pair_until(&p, SEC(1), p.server.eof);
    side_shutdown(&p.client);
    pair_until(&p, SEC(1), p.server.events[SKUA_EVENT_FINISHED] == 1);
    SIM_CHECK(p.w, side_state(&p.server) == SKUA_STATE_CLOSE_WAIT);
    skua_stream stream;
    SIM_CHECK(p.w, skua_stream_open(p.client.host->ep, p.client.conn, SKUA_STREAM_UNI, &stream) ==
                       SKUA_ESTATE);
    pair_run(&p, SEC(20));
    side_send(&p.server, SKUA_STREAM_UNI, 1000000);
    pair_until(&p, SEC(20), p.client.received == 1000000 && p.client.eof);
    side_close(&p.server);
    /* Both have finished, and there is nothing to read: the client need not close. */
    both_closed(&p, SEC(1));
    both_ok(&p);
    pair_end(&p);
}

void case_abort_tells_why(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_establish(&p);
    side_send(&p.client, SKUA_STREAM_UNI, 100000);
    pair_run(&p, MS(15));
    SIM_CHECK(p.w,
              skua_conn_abort(p.client.host->ep, p.client.conn, 4711, "tired\nof it") == SKUA_OK);
    side_kick(&p.client);
    pair_until(&p, MS(50), p.server.events[SKUA_EVENT_CLOSED] == 1);
    const struct skua_event *e = &p.server.closed;
    SIM_CHECK(p.w, e->error == SKUA_ECONNRESET && e->remote && e->application && e->code == 4711);
    SIM_CHECK(p.w, strcmp(p.server.reason, "tired?of it") == 0);
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_CLOSED] == 0);
    pair_end(&p);
}

/* The RST is lost: the record answers the peer's next packet with another. */
void case_abort_lost(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_establish(&p);
    p.client.drop_next = 1;
    SIM_CHECK(p.w, skua_conn_abort(p.client.host->ep, p.client.conn, 5, "") == SKUA_OK);
    side_kick(&p.client);
    pair_run(&p, MS(30));
    SIM_CHECK(p.w, p.server.events[SKUA_EVENT_CLOSED] == 0 && records(&p.client) == 1);
    side_send(&p.server, SKUA_STREAM_UNI, 10);
    pair_until(&p, MS(60), p.server.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, p.server.closed.error == SKUA_ECONNRESET && p.server.closed.code == 5);
    pair_end(&p);
}

/* The last FIN_ACK is lost, again and again: the record says it again, but not without end. */
void case_time_wait_answers(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_establish(&p);
    side_close(&p.client);
    pair_until(&p, SEC(1), p.server.events[SKUA_EVENT_FINISHED] == 1);
    pair_run(&p, MS(100));
    side_close(&p.server);
    struct sim_link *down = sim_link_between(p.client.host, p.server.host);
    uint64_t sent = down->offered;
    p.client.drop_next = 2;
    both_closed(&p, SEC(5));
    both_ok(&p);
    SIM_CHECK(p.w, down->offered == sent + 3);
    pair_end(&p);

    /* Old packets that come again and again are answered at most 16 times, and for so long. */
    pair_init(&p, name, NULL);
    pair_establish(&p);
    p.server.closes = true;
    side_close(&p.client);
    both_closed(&p, SEC(1));
    SIM_CHECK(p.w, records(&p.client) == 1);
    down = sim_link_between(p.client.host, p.server.host);
    sent = down->offered;
    uint8_t old[100] = {0x40};
    struct skua_addr from = sim_addr(p.server.host, 0), to = sim_addr(p.client.host, 0);
    /* The id is random to us: a packet for another one is nobody's. */
    for (unsigned i = 0; i < 1000; i++) {
        sim_inject(p.client.host, &from, &to, old, sizeof old, p.w->now + i * SKUA_MSEC);
    }
    pair_run(&p, SEC(2));
    SIM_CHECK(p.w, down->offered == sent);
    SIM_CHECK(p.w, records(&p.client) == 1);
    pair_run(&p, SEC(9));
    SIM_CHECK(p.w, records(&p.client) == 0);
    pair_end(&p);
}

/* The network loses everything for seconds when nothing but the last FIN_ACK is missing, so that
 * the peer has backed off by then: the record is still there. Whichever side holds it. */
void case_outage_at_the_very_end(const char *name)
{
    for (unsigned who = 0; who < 2; who++) {
        struct pair p;
        pair_init(&p, name, NULL);
        pair_establish(&p);
        struct side *first = who == 0 ? &p.client : &p.server;
        struct side *second = who == 0 ? &p.server : &p.client;
        side_send(second, SKUA_STREAM_UNI, 1000);
        side_close(first);
        pair_until(&p, SEC(1), second->events[SKUA_EVENT_FINISHED] == 1);
        pair_run(&p, MS(100));
        side_close(second);
        first->dark = true;
        pair_until(&p, SEC(1), first->events[SKUA_EVENT_CLOSED] == 1);
        pair_run(&p, SEC(4));
        first->dark = false;
        both_closed(&p, SEC(9));
        both_ok(&p);
        pair_end(&p);
    }
}

/* What arrived before an orderly end can be read after it; CLOSED comes last. */
void case_unread_bytes_survive(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_establish(&p);
    p.client.drains = false;
    side_send(&p.server, SKUA_STREAM_UNI, 50000);
    pair_run(&p, MS(200));
    side_close(&p.server);
    pair_run(&p, MS(200));
    side_shutdown(&p.client);
    pair_run(&p, SEC(5));
    SIM_CHECK(p.w, p.server.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, p.server.closed.error == SKUA_OK);
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_CLOSED] == 0);
    static uint8_t buf[60000];
    size_t n = 0, total = 0;
    while (skua_stream_read(p.client.host->ep, p.client.stream, buf, 7000, &n) == SKUA_OK) {
        total += n;
    }
    SIM_CHECK(p.w, total == 50000);
    side_kick(&p.client);
    pair_until(&p, MS(10), p.client.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, p.client.closed.error == SKUA_OK);
    pair_end(&p);
}

/* A reader that never reads cannot hold close() off. */
void case_close_has_a_deadline(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_establish(&p);
    p.server.drains = false;
    side_send(&p.client, SKUA_STREAM_UNI, 50000000);
    pair_run(&p, SEC(5));
    skua_time start = p.w->now;
    side_close(&p.client);
    pair_until(&p, SEC(31), p.client.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, p.client.closed.error == SKUA_ETIMEDOUT);
    SIM_CHECK(p.w, p.w->now >= start + SEC(30));
    pair_until(&p, SEC(1), p.server.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, p.server.closed.error == SKUA_ECONNRESET);
    pair_end(&p);
}
