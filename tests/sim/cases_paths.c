/* Addresses that change under a connection. */
#include "base/addr.h"
#include "cases.h"

static void conclude(struct pair *p)
{
    p->server.closes = true;
    side_close(&p->client);
    pair_until(p, SEC(10),
               p->client.events[SKUA_EVENT_CLOSED] == 1 &&
                   p->server.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p->w, p->client.closed.error == SKUA_OK && p->server.closed.error == SKUA_OK);
    pair_end(p);
}

/* A client behind a NAT: the server sees the NAT's address, and nobody but the server gets in. */
void case_behind_a_nat(const char *name)
{
    struct pair p;
    struct skua_path path;
    pair_init(&p, name, NULL);
    sim_host_nat(p.client.host, NULL);
    pair_establish(&p);
    const struct skua_addr inner = sim_addr(p.client.host, 0);
    const struct skua_addr server = sim_addr(p.server.host, 0);
    const struct skua_addr stranger = sim_addr(p.server.host, 1);
    const struct skua_addr outer = sim_nat_outer(&p.client.host->nat, &inner, &server);
    SIM_CHECK(p.w, skua_conn_path(p.server.host->ep, p.server.conn, &path) == SKUA_OK);
    SIM_CHECK(p.w, skua_addr_equal(&path.remote, &outer));
    side_send(&p.client, SKUA_STREAM_BIDI, 100000);
    pair_until(&p, SEC(2), p.server.eof);
    uint64_t dropped = p.w->counts[SIM_COUNT_NAT_DROP];
    sim_inject(p.client.host, &stranger, &outer, "hello", 5, p.w->now);
    sim_inject(p.client.host, &server, &inner, "hello", 5, p.w->now);
    pair_run(&p, MS(1));
    SIM_CHECK(p.w, p.w->counts[SIM_COUNT_NAT_DROP] == dropped + 2);
    conclude(&p);
}
