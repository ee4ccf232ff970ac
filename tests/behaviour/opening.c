/* The three packets of the handshake, each of them lost, and what they may carry. */
#include <string.h>

#include "chart.h"

static uint64_t connections(struct side *s)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(s->host->ep, &stats);
    return stats.conns + stats.half_open;
}

SCENARIO(three_way_handshake)
{
    expect_state(client, SKUA_STATE_CLOSED);
    expect_state(server, SKUA_STATE_CLOSED);
    app_listen();
    expect_state(server, SKUA_STATE_LISTEN);
    app_connect();
    run_to(MS(5)); /* the SYN is under way */
    expect_state(client, SKUA_STATE_SYN_SENT);
    expect_state(server, SKUA_STATE_LISTEN);
    run_to(MS(15)); /* the SYN_ACK is under way */
    expect_state(client, SKUA_STATE_SYN_SENT);
    expect_state(server, SKUA_STATE_SYN_RCVD);
    run_to(MS(25)); /* the third packet is under way */
    expect_state(client, SKUA_STATE_ESTABLISHED);
    expect_state(server, SKUA_STATE_SYN_RCVD);
    run_to(MS(35));
    expect_state(server, SKUA_STATE_ESTABLISHED);
    run_to(SEC(1));
    expect_sent(client, SYN, 1);
    expect_sent(server, SYN_ACK, 1);
    expect_sent(client, CONFIRM, 1);
    expect_frames(client, CONFIRM, 1, PING);
    expect_frames(server, DATA, 1, ACK);
    expect_states(client, SKUA_STATE_SYN_SENT, SKUA_STATE_ESTABLISHED);
    expect_states(server, SKUA_STATE_ESTABLISHED);
}

/* --- 5: the first is lost */

SCENARIO(first_packet_lost)
{
    net_drop(client, SYN, 1);
    const struct kept *first = net_keep(client, SYN, 1), *second = net_keep(client, SYN, 2);
    app_listen();
    app_connect();
    run_to(MS(30));
    expect_state(client, SKUA_STATE_SYN_SENT);
    expect_state(server, SKUA_STATE_LISTEN);
    run_to(SEC(2));
    expect_sent_at(client, SYN, 2, SEC(1));
    expect(second->len == first->len && memcmp(first->bytes, second->bytes, first->len) == 0);
    expect_at(client, SKUA_EVENT_ESTABLISHED, SEC(1) + MS(20));
    expect_at(server, SKUA_EVENT_INCOMING, SEC(1) + MS(30));
}

SCENARIO(every_first_packet_lost)
{
    static const unsigned seconds[] = {0, 1, 3, 7, 15, 31};
    net_drop_many(client, SYN, 1, UINT_MAX);
    app_listen();
    app_connect();
    run_to(SEC(63) - MS(1));
    expect_state(client, SKUA_STATE_SYN_SENT);
    expect_sent(client, SYN, 6);
    for (unsigned i = 0; i < 6; i++) {
        expect_sent_at(client, SYN, i + 1, SEC(seconds[i]));
    }
    run_to(SEC(64));
    expect_closed(client, SKUA_ETIMEDOUT);
    expect_at(client, SKUA_EVENT_CLOSED, SEC(63));
    expect_sent(client, SYN, 6);
}

/* syn_retries counts the repeats; the wait after the last one is as long as its turn. */
SCENARIO(syn_retries)
{
    for (unsigned retries = 1; retries <= 8; retries++) {
        struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
        config.syn_retries = retries;
        chart_begin(NULL);
        net_drop_many(client, SYN, 1, UINT_MAX);
        app_connect_with(&config);
        skua_time end = SEC((1u << (retries + 1)) - 1);
        run_to(end - 1);
        expect(client->events[SKUA_EVENT_CLOSED] == 0);
        run_for(MS(1));
        expect_at(client, SKUA_EVENT_CLOSED, end);
        expect_closed(client, SKUA_ETIMEDOUT);
        expect_sent(client, SYN, retries + 1);
    }
}

/* --- 6: the second is lost */

SCENARIO(second_packet_lost)
{
    net_drop(server, SYN_ACK, 1);
    app_listen();
    app_connect();
    run_to(MS(30));
    expect_state(client, SKUA_STATE_SYN_SENT);
    expect_state(server, SKUA_STATE_SYN_RCVD);
    run_to(SEC(2));
    expect_sent_at(client, SYN, 2, SEC(1));              /* the client's clock ... */
    expect_sent_at(server, SYN_ACK, 2, SEC(1) + MS(10)); /* ... and the server's own */
    expect_at(client, SKUA_EVENT_ESTABLISHED, SEC(1) + MS(20));
    expect(server->events[SKUA_EVENT_INCOMING] == 1);
    expect(connections(client) == 1 && connections(server) == 1);
}

/* --- 7 to 9: the third is lost */

SCENARIO(third_packet_lost_nobody_sends)
{
    net_drop(client, CONFIRM, 1);
    app_listen();
    app_connect();
    run_to(MS(50));
    expect_state(client, SKUA_STATE_ESTABLISHED);
    expect_state(server, SKUA_STATE_SYN_RCVD);
    run_to(SEC(2));
    /* RFC 9002 §6.2.1: PTO = srtt + 4 * rttvar = 20 + 4 * 10 ms, since the third packet left. */
    expect_sent_at(client, CONFIRM, 2, MS(20) + MS(60));
    expect_frames(client, CONFIRM, 2, PING);
    expect_at(server, SKUA_EVENT_INCOMING, MS(90));
    expect_sent(server, SYN_ACK, 1);
    expect_state(server, SKUA_STATE_ESTABLISHED);
}

/* Should the client's clock be slow, the server's is not: its SYN_ACK is answered at once. */
SCENARIO(third_packet_lost_syn_ack_asks_again)
{
    net_drop_many(client, CONFIRM, 1, 5); /* and the repeats of the first second */
    app_listen();
    app_connect();
    run_to(SEC(1) + MS(15));
    expect_sent(client, CONFIRM, 5);
    expect_state(server, SKUA_STATE_SYN_RCVD);
    run_to(SEC(1) + MS(31));
    expect_sent_at(server, SYN_ACK, 2, SEC(1) + MS(10));
    expect_sent_at(client, CONFIRM, 6, SEC(1) + MS(20));
    expect_at(server, SKUA_EVENT_INCOMING, SEC(1) + MS(30));
    expect(verdicts(client, SKUA_VERDICT_SYN_ACK_LATE) == 1);
}

SCENARIO(third_packet_lost_client_sends)
{
    net_drop(client, CONFIRM, 1);
    app_listen();
    app_connect();
    app_send(client, SKUA_STREAM_UNI, 3000); /* before it stands: leaves with the third packet */
    run_to(MS(30));
    expect_sent(client, DATA, 0);
    expect_frames(client, CONFIRM, 1, STREAM);
    expect_frames(client, CONFIRM, 2, STREAM);
    expect_at(server, SKUA_EVENT_INCOMING, MS(30)); /* as if nothing had been lost */
    expect(server->received == 0);                  /* but the first bytes are missing */
    run_to(SEC(1));
    expect(server->received == 3000 && server->eof);
    const struct wire_frame *lost = frame_of(packet(client, CONFIRM, 1), STREAM);
    const struct wire_frame *again = frame_of(packet(client, DATA, 1), STREAM);
    expect(lost->b == 0 && again != NULL && again->b == 0); /* the same bytes in another packet */
    expect_sent(client, CONFIRM, 3);
    expect(server->events[SKUA_EVENT_INCOMING] == 1);
}

static void write_at_once(struct side *s, const struct skua_event *e)
{
    if (e->type == SKUA_EVENT_INCOMING) {
        expect(skua_conn_accept(s->host->ep, e->conn, s) == SKUA_OK);
        s->conn = e->conn;
        app_send(s, SKUA_STREAM_UNI, 1000);
    }
}

SCENARIO(third_packet_lost_server_sends)
{
    server->accepts = false;
    server->heard = write_at_once;
    net_drop(client, CONFIRM, 1);
    app_listen();
    app_connect();
    run_to(MS(89));
    expect_sent(server, DATA, 0); /* there is no connection yet to write on */
    expect(connections(server) == 1);
    expect_state(server, SKUA_STATE_SYN_RCVD);
    run_to(MS(90));
    expect_sent_at(server, DATA, 1, MS(90));
    expect(frame_of(packet(server, DATA, 1), STREAM) != NULL);
    run_to(SEC(1));
    expect(client->received == 1000 && client->eof);
}

/* --- 10: which of the three may carry data? */

SCENARIO(third_packet_carries_data)
{
    const struct kept *syn = net_keep(client, SYN, 1);
    const struct kept *syn_ack = net_keep(server, SYN_ACK, 1);
    app_listen();
    app_connect();
    app_send(client, SKUA_STREAM_UNI, 500);
    run_to(SEC(1));
    expect_frames(client, CONFIRM, 1, STREAM_END);
    expect(server->received == 500 && server->eof);
    expect_sent(client, CONFIRM, 1);
    /* The SYN has its fields and zeros; there is no room for frames in a SYN_ACK, only Noise. */
    for (size_t i = 80; i < syn->len; i++) {
        expect(syn->bytes[i] == 0);
    }
    expect(syn->len == 1200 && syn_ack->len < 200);
}

/* --- 15, 16: connect and accept */

SCENARIO(connect_after_the_second_accept_after_the_third)
{
    app_listen();
    app_connect();
    expect(elapsed() == 0); /* the call only begins it */
    run_to(MS(20) - 1);
    expect(client->events[SKUA_EVENT_ESTABLISHED] == 0);
    run_to(MS(30) - 1);
    expect_at(client, SKUA_EVENT_ESTABLISHED, MS(20));
    expect(server->events[SKUA_EVENT_INCOMING] == 0);
    run_to(MS(40));
    expect_at(server, SKUA_EVENT_INCOMING, MS(30));
}

enum { UNACCEPTED_WINDOW = 65536, UNACCEPTED_BYTES = 200000 }; /* of the one stream */

SCENARIO(established_without_accept)
{
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    listen.conn.max_recv_window = 2 * UNACCEPTED_WINDOW;
    listen.conn.max_stream_window = UNACCEPTED_WINDOW;
    server->accepts = false;
    app_listen_with(&listen);
    app_connect();
    app_send(client, SKUA_STREAM_UNI, UNACCEPTED_BYTES);
    run_to(SEC(5));
    expect_state(client, SKUA_STATE_ESTABLISHED);
    expect_state(server, SKUA_STATE_ESTABLISHED);
    struct skua_conn_stats stats;
    side_stats(client, &stats);
    expect(stats.bytes_in_flight == 0); /* all that was sent is acknowledged ... */
    side_stats(server, &stats);
    expect(stats.recv_buffered == UNACCEPTED_WINDOW); /* ... and lies there, up to the window */
    expect(server->received == 0);
    app_accept();
    run_to(SEC(8));
    expect(server->received == UNACCEPTED_BYTES && server->eof);
}
