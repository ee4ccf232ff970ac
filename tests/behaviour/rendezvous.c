/* Both sides connect and nobody listens; and a side that connects to itself. */
#include "chart.h"

#include <string.h>

/* `s` connects to where the other side is seen. */
static void meet(struct side *s)
{
    struct sim_host *other = (s == client ? server : client)->host;
    struct skua_path path = sim_path_seen(s->host, 0, other, 0);
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.rendezvous = true;
    config.server_key = skua_endpoint_key(other->ep);
    sim_oracle_proven(s->host, &path.remote);
    note(s, "connect(rendezvous)");
    expect(skua_conn_connect(s->host->ep, &path, &config, &s->conn) == SKUA_OK);
    side_kick(s);
}

/* One connection, the same at both. */
static void expect_met(void)
{
    uint8_t a[32], b[32];
    expect(skua_conn_export(client->host->ep, client->conn, "x", a, sizeof a) == SKUA_OK);
    expect(skua_conn_export(server->host->ep, server->conn, "x", b, sizeof b) == SKUA_OK);
    expect(memcmp(a, b, sizeof a) == 0);
    for (int i = 0; i < 2; i++) {
        struct side *s = i == 0 ? client : server;
        struct skua_endpoint_stats stats;
        skua_endpoint_stats(s->host->ep, &stats);
        expect(stats.conns == 1 && stats.half_open == 0);
        expect(s->events[SKUA_EVENT_ESTABLISHED] == 1);
        expect(s->events[SKUA_EVENT_INCOMING] == 0);
        expect_states(s, SKUA_STATE_SYN_SENT, SKUA_STATE_ESTABLISHED);
    }
}

/* The two SYNs cross. */
SCENARIO(both_connect)
{
    meet(client);
    run_to(MS(4));
    meet(server);
    run_to(MS(100));
    expect_met();
    expect(verdicts(client, SKUA_VERDICT_SYN_CROSSED) +
               verdicts(server, SKUA_VERDICT_SYN_CROSSED) ==
           1);
    expect((sent(client, SYN_ACK) == 0) != (sent(server, SYN_ACK) == 0));
    app_send(client, SKUA_STREAM_BIDI, 1000);
    run_to(MS(200));
    expect(server->received == 1000);
}

/* The first SYN meets a NAT that knows of nothing; the peer's first one calls for another. */
SCENARIO(both_connect_through_nats)
{
    sim_host_nat(client->host, NULL);
    sim_host_nat(server->host, NULL);
    meet(client);
    run_to(MS(2500));
    expect(sent(client, SYN) == 2); /* at 0 and 1 s: dropped by the server's NAT */
    expect(verdicts(server, SKUA_VERDICT_SYN_UNEXPECTED) == 0);
    meet(server);
    run_for(MS(40));
    expect_met();
}

/* They begin at the same moment, and all of the first SYNs are lost on the way. */
SCENARIO(both_connect_and_lose)
{
    sim_host_nat(client->host, NULL);
    sim_host_nat(server->host, NULL);
    net_drop(client, SYN, 1);
    net_drop(server, SYN, 1);
    meet(client);
    meet(server);
    run_to(SEC(1) + MS(40));
    expect_met();
}

/* --- question 23 */

static void connect_to_itself(bool rendezvous)
{
    struct skua_path path = sim_path(client->host, 0, client->host);
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    const struct sim_link_config loop = {.delay = MS(1)};
    config.rendezvous = rendezvous;
    path.local = (struct skua_addr){0}; /* as a socket bound to no address has it */
    sim_world_connect(world(), client->host, client->host, &loop);
    sim_oracle_proven(client->host, &path.remote);
    note(client, "connect(itself)");
    expect(skua_conn_connect(client->host->ep, &path, &config, &client->conn) == SKUA_OK);
    side_kick(client);
}

/* Where it listens it gets both ends of an ordinary connection. */
SCENARIO(connects_to_itself)
{
    expect(skua_endpoint_listen(client->host->ep, NULL) == SKUA_OK);
    connect_to_itself(false);
    run_to(MS(100));
    expect(client->events[SKUA_EVENT_ESTABLISHED] == 1);
    expect(client->events[SKUA_EVENT_INCOMING] == 1);
    expect_states(client, SKUA_STATE_SYN_SENT, SKUA_STATE_ESTABLISHED, SKUA_STATE_ESTABLISHED);
    app_send(client, SKUA_STREAM_UNI, 5000);
    run_to(MS(200));
    expect(client->received == 5000);
}

/* Where it does not, nobody is there. */
SCENARIO(connects_to_itself_unheard)
{
    connect_to_itself(false);
    run_to(MS(100));
    expect_closed(client, SKUA_ECONNREFUSED);
}

/* A rendezvous takes two. */
SCENARIO(meets_itself)
{
    connect_to_itself(true);
    run_to(SEC(64));
    expect_closed(client, SKUA_ETIMEDOUT);
    expect(verdicts(client, SKUA_VERDICT_SYN_REFLECTED) == 6);

    chart_begin(NULL);
    struct skua_path path = sim_path(client->host, 0, client->host);
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.rendezvous = true;
    expect(skua_conn_connect(client->host->ep, &path, &config, &client->conn) == SKUA_EINVAL);
}
