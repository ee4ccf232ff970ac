/* The four-way close: either side first, both at once, half of it, each of its packets lost. */
#include "chart.h"

static uint64_t records(struct side *s)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(s->host->ep, &stats);
    return stats.time_wait;
}

static void expect_both_closed(void)
{
    expect_closed(client, SKUA_OK);
    expect_closed(server, SKUA_OK);
}

/* --- 45: either side first, step by step; 10 ms each way */

static void four_way(struct side *first, struct side *second)
{
    app_establish();
    run_to(SEC(1));
    app_close(first);
    run_to(SEC(1) + MS(5)); /* FIN is under way */
    expect_state(first, SKUA_STATE_FIN_WAIT_1);
    expect_state(second, SKUA_STATE_ESTABLISHED);
    run_to(SEC(1) + MS(15)); /* its FIN_ACK is */
    expect_state(first, SKUA_STATE_FIN_WAIT_1);
    expect_state(second, SKUA_STATE_CLOSE_WAIT);
    expect_at(second, SKUA_EVENT_FINISHED, SEC(1) + MS(10));
    run_to(SEC(1) + MS(25));
    expect_state(first, SKUA_STATE_FIN_WAIT_2);
    expect_state(second, SKUA_STATE_CLOSE_WAIT);
    run_to(SEC(2));
    app_close(second);
    run_to(SEC(2) + MS(5)); /* the second FIN is under way */
    expect_state(first, SKUA_STATE_FIN_WAIT_2);
    expect_state(second, SKUA_STATE_LAST_ACK);
    run_to(SEC(2) + MS(15)); /* the last FIN_ACK is */
    expect_state(first, SKUA_STATE_TIME_WAIT);
    expect_state(second, SKUA_STATE_LAST_ACK);
    run_to(SEC(2) + MS(25));
    expect_both_closed();
    expect_at(first, SKUA_EVENT_CLOSED, SEC(2) + MS(10));
    expect_at(second, SKUA_EVENT_CLOSED, SEC(2) + MS(20));
    expect_sent(first, WITH(FIN), 1);
    expect_sent(second, WITH(FIN), 1);
    expect_sent(first, WITH(FIN_ACK), 1);
    /* The second FIN's packet says once more that the first has come (docs/protocol.md 9.2). */
    expect_sent(second, WITH(FIN_ACK), 2);
    expect_state(first, SKUA_STATE_TIME_WAIT); /* a record, for ten seconds */
    run_to(SEC(14));
    expect(records(first) == 0 && records(second) == 0);
}

SCENARIO(four_way_close_client_first)
{
    four_way(client, server);
    expect_states(client, SKUA_STATE_SYN_SENT, SKUA_STATE_ESTABLISHED, SKUA_STATE_FIN_WAIT_1,
                  SKUA_STATE_FIN_WAIT_2, SKUA_STATE_TIME_WAIT);
    expect_states(server, SKUA_STATE_ESTABLISHED, SKUA_STATE_CLOSE_WAIT, SKUA_STATE_LAST_ACK,
                  SKUA_STATE_CLOSED);
}

SCENARIO(four_way_close_server_first)
{
    four_way(server, client);
    expect_states(server, SKUA_STATE_ESTABLISHED, SKUA_STATE_FIN_WAIT_1, SKUA_STATE_FIN_WAIT_2,
                  SKUA_STATE_TIME_WAIT);
    expect_states(client, SKUA_STATE_SYN_SENT, SKUA_STATE_ESTABLISHED, SKUA_STATE_CLOSE_WAIT,
                  SKUA_STATE_LAST_ACK, SKUA_STATE_CLOSED);
}

/* --- 46: three packets, where the second side has nothing left to say */

SCENARIO(three_way_close)
{
    server->closes = true; /* as soon as it hears of the end */
    app_establish();
    run_to(SEC(1));
    app_close(client);
    run_to(SEC(1) + MS(30));
    expect_both_closed();
    expect_sent(client, WITH(FIN), 1);
    expect_sent(server, WITH(FIN), 1);
    expect_sent(server, WITH(FIN_ACK), 1); /* in the packet of its FIN */
    expect(frame_of(packet(server, WITH(FIN), 1), FIN_ACK) != NULL);
    expect_sent(client, WITH(FIN_ACK), 1);
    expect_states(client, SKUA_STATE_SYN_SENT, SKUA_STATE_ESTABLISHED, SKUA_STATE_FIN_WAIT_1,
                  SKUA_STATE_FIN_WAIT_2, SKUA_STATE_TIME_WAIT);
}

/* --- 47: half-close */

enum { TEN_MB = 10 << 20 };

SCENARIO(half_close)
{
    app_establish();
    app_send(client, SKUA_STREAM_BIDI, 100);
    app_shutdown(client);
    run_for(SEC(1));
    expect_state(client, SKUA_STATE_FIN_WAIT_2);
    expect_state(server, SKUA_STATE_CLOSE_WAIT);
    expect(server->received == 100 && server->eof);
    app_send(server, SKUA_STREAM_UNI, TEN_MB);
    run_until(SEC(60), client->received == TEN_MB && client->eof);
    expect_state(client, SKUA_STATE_FIN_WAIT_2);
    app_close(server);
    run_for(SEC(1));
    expect_both_closed(); /* nothing is left to read: the client need not close */
    expect(client->received == TEN_MB);
}

/* --- 48: each of the four lost */

/* Both close in turn, at 1 s and 2 s. */
static void close_in_turn(void)
{
    run_to(SEC(1));
    app_close(client);
    run_to(SEC(2));
    app_close(server);
    run_to(SEC(3));
    expect_both_closed();
}

SCENARIO(first_fin_lost)
{
    app_establish();
    net_drop(client, WITH(FIN), 1);
    close_in_turn();
    expect_sent(client, WITH(FIN), 2); /* again after one PTO, by who sent it */
    expect_sent(server, WITH(FIN), 1);
    expect(packet(client, WITH(FIN), 2)->at < SEC(1) + MS(200));
}

SCENARIO(first_fin_ack_lost)
{
    app_establish();
    net_drop(server, WITH(FIN_ACK), 1);
    close_in_turn();
    expect_sent(client, WITH(FIN), 2); /* FIN asks for it again */
    expect(packet(server, WITH(FIN_ACK), 2)->at < SEC(1) + MS(200));
}

SCENARIO(second_fin_lost)
{
    app_establish();
    net_drop(server, WITH(FIN), 1);
    close_in_turn();
    expect_sent(client, WITH(FIN), 1);
    expect_sent(server, WITH(FIN), 2);
}

SCENARIO(last_fin_ack_lost)
{
    app_establish();
    net_drop(client, WITH(FIN_ACK), 1);
    close_in_turn();
    expect_sent(server, WITH(FIN), 2);
    /* The second FIN_ACK is the first once more: the keys are gone. */
    expect_closed(client, SKUA_OK);
    expect_at(client, SKUA_EVENT_CLOSED, SEC(2) + MS(10));
    expect(packet(client, ANY, sent(client, ANY))->sealed_before);
}

/* FIN is repeated after each PTO, which doubles up to 8 s, until close() gives up after 30 s: what
 * was written has arrived, so that it ends well. */
SCENARIO(fin_never_answered)
{
    app_establish();
    app_send(client, SKUA_STREAM_UNI, 1000);
    run_to(SEC(1));
    net_cut(client);
    app_close(client);
    run_to(SEC(40));
    expect_closed(client, SKUA_OK);
    expect_at(client, SKUA_EVENT_CLOSED, SEC(31));
    unsigned fins = sent(client, WITH(FIN));
    expect(fins >= 8);
    for (unsigned i = 2; i < fins; i++) {
        skua_time gap = packet(client, WITH(FIN), i + 1)->at - packet(client, WITH(FIN), i)->at;
        expect(gap <= SEC(8) + MS(1));
    }
}

/* The same with a byte that has not arrived: the application is told. */
SCENARIO(fin_never_answered_with_data)
{
    app_establish();
    run_to(SEC(1));
    net_cut(client);
    app_send(client, SKUA_STREAM_UNI, 1);
    app_close(client);
    run_to(SEC(40));
    expect_closed(client, SKUA_ETIMEDOUT);
}

/* FIN and its packet are there and acknowledged, but not the data before it: no FIN_ACK, no end of
 * the stream, and nothing is lost. */
SCENARIO(fin_arrives_before_data)
{
    app_establish();
    run_to(SEC(1));
    net_drop(client, WITH(STREAM), 1);
    app_send(client, SKUA_STREAM_UNI, 5000);
    app_close(client);
    run_to(SEC(1) + MS(15));
    expect(packet(client, WITH(FIN), 1)->copies == 1); /* it has arrived */
    expect_sent(server, WITH(FIN_ACK), 0);
    expect(server->events[SKUA_EVENT_FINISHED] == 0 && !server->eof);
    expect_state(server, SKUA_STATE_ESTABLISHED);
    run_to(SEC(2));
    expect(server->received == 5000 && server->eof);
    expect(server->events[SKUA_EVENT_FINISHED] == 1);
    expect_state(client, SKUA_STATE_FIN_WAIT_2);
    expect_state(server, SKUA_STATE_CLOSE_WAIT);
}

/* --- 49: the peer never closes */

SCENARIO(peer_never_closes)
{
    app_establish();
    run_to(SEC(1));
    app_close(client);
    run_to(SEC(30));
    expect_state(client, SKUA_STATE_FIN_WAIT_2);
    run_to(SEC(32));
    expect_closed(client, SKUA_OK);
    expect_at(client, SKUA_EVENT_CLOSED, SEC(31)); /* close_timeout_ns */
    expect_closed(server, SKUA_ECONNRESET);
    expect(server->closed.remote && server->closed.code == SKUA_CODE_NO_ERROR);
}

/* Closing may take as long as it likes; once everything has arrived the peer has a minute. */
SCENARIO(fin_wait_2_has_a_limit)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    config.close_timeout_ns = SKUA_NEVER;
    config.idle_timeout_ns = listen.conn.idle_timeout_ns = SKUA_NEVER;
    app_listen_with(&listen);
    app_connect_with(&config);
    run_to(SEC(1));
    app_close(client);
    run_to(SEC(60));
    expect_state(client, SKUA_STATE_FIN_WAIT_2);
    run_to(SEC(62));
    expect_closed(client, SKUA_OK);
    expect_at(client, SKUA_EVENT_CLOSED, SEC(61) + MS(20)); /* since FIN_ACK came */
    expect_closed(server, SKUA_ECONNRESET);
}

/* Who has only shut down waits as long as the peer likes: that is half-close. */
SCENARIO(half_closed_without_limit)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    config.idle_timeout_ns = listen.conn.idle_timeout_ns = SKUA_NEVER;
    app_listen_with(&listen);
    app_connect_with(&config);
    run_to(SEC(1));
    app_shutdown(client);
    run_to(SEC(3600));
    expect_state(client, SKUA_STATE_FIN_WAIT_2);
    expect_state(server, SKUA_STATE_CLOSE_WAIT);
    app_send(server, SKUA_STREAM_UNI, 1000);
    app_close(server);
    run_for(SEC(1));
    expect_both_closed();
    expect(client->received == 1000);
}

/* --- 50: both at once */

SCENARIO(both_close_at_once)
{
    app_establish();
    run_to(SEC(1));
    app_close(client);
    app_close(server);
    run_to(SEC(1) + MS(5));
    expect_state(client, SKUA_STATE_FIN_WAIT_1);
    expect_state(server, SKUA_STATE_FIN_WAIT_1);
    run_to(SEC(1) + MS(15));
    expect_state(client, SKUA_STATE_CLOSING);
    expect_state(server, SKUA_STATE_CLOSING);
    run_to(SEC(1) + MS(25));
    expect_state(client, SKUA_STATE_TIME_WAIT);
    expect_state(server, SKUA_STATE_TIME_WAIT);
    expect_both_closed();
    expect(records(client) == 1 && records(server) == 1);
    run_to(SEC(20));
    expect(records(client) == 0 && records(server) == 0);
}

/* --- 51: FIN overtakes data */

SCENARIO(fin_overtakes_data)
{
    app_establish();
    run_to(SEC(1));
    net_delay(client, WITH(STREAM), 1, MS(8)); /* less than would make it a loss */
    app_send(client, SKUA_STREAM_UNI, 4000);
    app_shutdown(client);
    run_to(SEC(1) + MS(15));
    expect(frame_of(packet(client, WITH(FIN), 1), FIN)->c == 4000);
    expect(packet(client, WITH(FIN), 1)->arrived[0] < packet(client, WITH(STREAM), 1)->arrived[0]);
    expect(server->received == 0 && !server->eof);
    expect(server->events[SKUA_EVENT_FINISHED] == 0);
    run_to(SEC(1) + MS(19));
    expect(server->received == 4000 && server->eof);
    expect_at(server, SKUA_EVENT_FINISHED, SEC(1) + MS(18));
    run_to(SEC(2));
    expect_sent(client, WITH(FIN), 1);
}
