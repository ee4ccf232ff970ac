/* Data in the first packet: when, how often, and what becomes of copies. */
#include "chart.h"

#include <limits.h>
#include <string.h>

static struct skua_token token;

static struct skua_conn_config asking(void)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.tokens = true;
    config.ik = true;
    config.server_key = skua_endpoint_key(server->host->ep);
    return config;
}

static void listen_for_early_data(void)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    config.early_data = true;
    app_listen_with(&config);
}

/* A connection before the chart begins: the client has a token from it. */
static void earn_a_token(void)
{
    const struct skua_conn_config config = asking();
    listen_for_early_data();
    app_connect_with(&config);
    run_for(MS(200));
    expect(client->events[SKUA_EVENT_TOKEN] == 1);
    expect(skua_conn_token(client->host->ep, client->conn, &token) == SKUA_OK);
    server->closes = true;
    app_close(client);
    run_for(MS(200));
    expect_closed(client, SKUA_OK);
    server->closes = false;
    chart_forget();
}

static void connect_with_early_data(uint64_t bytes)
{
    struct skua_conn_config config = asking();
    config.token = &token;
    app_connect_with(&config);
    app_send(client, SKUA_STREAM_UNI, bytes);
}

/* Half a round trip; and the answer after a whole one. */
SCENARIO(first_packet_carries_data)
{
    earn_a_token();
    connect_with_early_data(100);
    run_to(MS(10));
    expect(server->received == 100 && server->eof);
    expect_at(server, SKUA_EVENT_INCOMING, MS(10));
    expect_state(server, SKUA_STATE_SYN_RCVD);
    expect_state(client, SKUA_STATE_SYN_SENT);
    expect_frames(client, SYN, 1, STREAM_END);
    app_send(server, SKUA_STREAM_UNI, 200);
    run_to(MS(20));
    expect_at(client, SKUA_EVENT_ESTABLISHED, MS(20));
    expect(client->received == 200 && client->eof);
    expect_state(server, SKUA_STATE_SYN_RCVD);
    run_to(MS(30));
    expect_state(server, SKUA_STATE_ESTABLISHED);
    expect_states(server, SKUA_STATE_SYN_RCVD, SKUA_STATE_ESTABLISHED);
    run_to(SEC(1));
    expect_sent(client, SYN, 1);
    expect(server->received == 100); /* nothing came again */
}

/* Round trips of 600 ms: the first byte arrives after 300, without a token after 900. */
SCENARIO(early_data_takes_half_a_round_trip)
{
    for (int early = 0; early < 2; early++) {
        const struct sim_link_config slow = {.delay = MS(300)};
        chart_begin(&slow);
        const struct skua_conn_config config = asking();
        listen_for_early_data();
        app_connect_with(&config);
        run_for(SEC(2));
        expect(skua_conn_token(client->host->ep, client->conn, &token) == SKUA_OK);
        skua_time start = elapsed();
        struct skua_conn_config again = asking();
        again.token = early != 0 ? &token : NULL;
        app_connect_with(&again);
        app_send(client, SKUA_STREAM_UNI, 1);
        run_for(SEC(2));
        expect(server->received == 1);
        expect_at(server, SKUA_EVENT_STREAM, start + (early != 0 ? MS(300) : MS(900)));
    }
}

/* The server does not take it: the same bytes come as in any other connection. */
SCENARIO(early_data_rejected)
{
    earn_a_token();
    run_for(SEC(11)); /* the token is too old */
    skua_time start = elapsed();
    connect_with_early_data(100);
    run_for(MS(29));
    expect(server->events[SKUA_EVENT_INCOMING] == 0);
    expect(verdicts(server, SKUA_VERDICT_SYN_EARLY_REJECTED) == 1);
    run_for(MS(1));
    expect_at(server, SKUA_EVENT_INCOMING, start + MS(30));
    expect(server->received == 100 && server->eof);
}

/* Whoever copied the first packet sends it again: in time, late, and to the server's next start. */
SCENARIO(early_data_copied)
{
    earn_a_token();
    const struct kept *syn = net_keep(client, SYN, 1);
    connect_with_early_data(100);
    run_for(MS(15));
    net_replay(server, syn);
    run_for(SEC(1));
    expect_state(server, SKUA_STATE_ESTABLISHED);
    net_replay(server, syn);
    run_for(SEC(6));
    net_replay(server, syn);
    expect(server->events[SKUA_EVENT_INCOMING] == 1);
    expect(server->received == 100);
    expect(verdicts(server, SKUA_VERDICT_SYN_REPEAT) == 2);
    run_for(MS(1));
    expect(verdicts(server, SKUA_VERDICT_SYN_REPLAYED) == 1);
    note(server, "unlisten(), listen(): as after a restart");
    expect(skua_endpoint_unlisten(server->host->ep) == SKUA_OK);
    listen_for_early_data();
    net_replay(server, syn);
    run_for(SEC(2));
    expect(verdicts(server, SKUA_VERDICT_SYN_EARLY_REJECTED) == 1);
    expect(server->events[SKUA_EVENT_INCOMING] == 1);
    expect(server->received == 100);
}

/* The answer is lost, and said again: neither side sends the data again. */
SCENARIO(early_data_answer_lost)
{
    earn_a_token();
    net_drop_many(server, ANY, 1, 2); /* the SYN_ACK, and what the application answers */
    connect_with_early_data(100);
    run_for(MS(10));
    app_send(server, SKUA_STREAM_UNI, 200);
    run_for(SEC(3));
    expect(server->events[SKUA_EVENT_INCOMING] == 1);
    expect(server->received == 100);
    expect(client->received == 200);
    expect_state(server, SKUA_STATE_ESTABLISHED);
}

/* No answer arrives at all, and a copy of the first packet comes when the server has forgotten it:
 * the client has given up by then, and nothing was delivered twice. */
SCENARIO(early_data_unanswered)
{
    earn_a_token();
    const struct kept *syn = net_keep(client, SYN, 1);
    skua_time start = elapsed();
    net_drop_many(server, ANY, 1, UINT_MAX);
    connect_with_early_data(100);
    run_for(SEC(62));
    expect(client->events[SKUA_EVENT_CLOSED] == 0);
    run_for(SEC(88));
    expect_at(client, SKUA_EVENT_CLOSED, start + SEC(63));
    expect_closed(client, SKUA_ETIMEDOUT);
    net_replay(server, syn);
    run_for(SEC(1));
    expect(verdicts(server, SKUA_VERDICT_SYN_EARLY_REJECTED) == 1);
    expect(server->events[SKUA_EVENT_INCOMING] == 1);
    expect(server->received == 100);
}
