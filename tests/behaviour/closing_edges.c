/* TIME_WAIT and its length, ends that are forgotten, not read, cut short, or come too early. */
#include <string.h>

#include "base/alloc.h"
#include "chart.h"
#include "endpoint/endpoint.h"

static struct skua_endpoint_stats stats_of(struct side *s)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(s->host->ep, &stats);
    return stats;
}

/* The client closes first at 1 s, the server follows: the client's record begins at 1.02 s. */
static void close_client_first(const struct skua_conn_config *config)
{
    server->closes = true;
    app_listen();
    app_connect_with(config);
    run_to(SEC(1));
    app_close(client);
    run_to(SEC(1) + MS(50));
    expect_closed(client, SKUA_OK);
    expect_closed(server, SKUA_OK);
    expect_state(client, SKUA_STATE_TIME_WAIT);
}

/* --- 52: why TIME_WAIT, and how long */

SCENARIO(time_wait_answers_a_repeated_fin)
{
    const struct kept *fin = net_keep(server, WITH(FIN), 1);
    close_client_first(NULL);
    unsigned before = sent(client, ANY);
    run_to(SEC(5));
    net_replay(client, fin); /* as if the last FIN_ACK had been lost */
    run_for(MS(30));
    expect(sent(client, ANY) == before + 1);
    expect(packet(client, ANY, before + 1)->sealed_before);
    expect_state(client, SKUA_STATE_TIME_WAIT);
    /* The answer doubles its time, from 10 to 20 s; further ones do not. */
    run_to(SEC(12));
    net_replay(client, fin);
    run_to(SEC(20));
    expect_state(client, SKUA_STATE_TIME_WAIT);
    net_replay(client, fin);
    run_to(SEC(22));
    expect_state(client, SKUA_STATE_CLOSED);
}

SCENARIO(time_wait_ends_by_itself)
{
    close_client_first(NULL);
    run_to(SEC(10));
    expect_state(client, SKUA_STATE_TIME_WAIT);
    run_to(SEC(12));
    expect_state(client, SKUA_STATE_CLOSED);
}

/* Whoever wants TCP's 2 MSL can have them, and whoever wants less. */
SCENARIO(time_wait_can_be_set)
{
    static const skua_time lengths[] = {SEC(240), SEC(60), SEC(1)};
    for (unsigned i = 0; i < 3; i++) {
        struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
        config.time_wait_ns = lengths[i];
        if (i > 0) {
            chart_begin(NULL);
        }
        close_client_first(&config);
        run_to(SEC(1) + lengths[i] - MS(100));
        expect_state(client, SKUA_STATE_TIME_WAIT);
        run_to(SEC(1) + lengths[i] + MS(300));
        expect_state(client, SKUA_STATE_CLOSED);
    }
}

/* Why 2 MSL are not needed: a packet of the old connection cannot enter a new one, even between the
 * same two addresses and at once. */
SCENARIO(old_packets_enter_no_new_connection)
{
    server->closes = true;
    app_establish();
    const struct kept *data = net_keep(client, WITH(STREAM), 1),
                      *fin = net_keep(client, WITH(FIN), 1);
    app_send(client, SKUA_STREAM_UNI, 500);
    run_for(SEC(1));
    app_close(client);
    run_for(SEC(1));
    expect_closed(server, SKUA_OK);
    app_connect();
    run_for(SEC(1));
    expect_state(server, SKUA_STATE_ESTABLISHED);
    uint64_t received = server->received;
    for (int i = 0; i < 10; i++) {
        net_replay(server, data);
        net_replay(server, fin);
        run_for(MS(10));
    }
    expect_state(server, SKUA_STATE_ESTABLISHED);
    expect(server->received == received);
    expect(verdicts(server, SKUA_VERDICT_FORGOTTEN) >= 20); /* nobody's */
}

/* --- 53: what arrives in TIME_WAIT */

SCENARIO(syn_in_time_wait)
{
    server->closes = false;
    client->closes = true;
    app_establish();
    run_to(SEC(1));
    app_close(server); /* so TIME_WAIT is where the SYN will arrive */
    run_to(SEC(1) + MS(50));
    expect_state(server, SKUA_STATE_TIME_WAIT);
    client->closes = false;
    app_connect(); /* from the same port */
    run_for(MS(25));
    expect_at(client, SKUA_EVENT_ESTABLISHED, SEC(1) + MS(70)); /* one round trip */
    run_for(MS(50));
    expect_state(server, SKUA_STATE_ESTABLISHED);
    expect(stats_of(server).time_wait == 1); /* and the record is still there */
}

/* RFC 1337's TIME_WAIT assassination: a forged RST ends nothing. */
SCENARIO(rst_in_time_wait)
{
    const struct kept *fin = net_keep(server, WITH(FIN), 1);
    close_client_first(NULL);
    uint8_t forged[60];
    memset(forged, 0x66, sizeof forged);
    memcpy(forged, fin->bytes, 1 + SKUA_OWN_ID_LEN); /* somebody who has seen the id */
    for (int i = 0; i < 100; i++) {
        net_inject(client, NULL, forged, sizeof forged);
        run_for(MS(1));
    }
    expect_state(client, SKUA_STATE_TIME_WAIT);
    expect(verdicts(client, SKUA_VERDICT_TIME_WAIT) == 100);
    run_for(SEC(5));
    unsigned before = sent(client, ANY);
    net_replay(client, fin);
    run_for(MS(30));
    expect(sent(client, ANY) == before + 1); /* it still answers who is right */
}

/* --- 54: many short connections of one port */

enum { SHORT = 400 };

SCENARIO(many_short_connections)
{
    uint64_t least = UINT64_MAX, most = 0;
    server->closes = true;
    app_listen();
    run_for(MS(10));
    uint64_t base = stats_of(client).memory;
    for (unsigned i = 0; i < SHORT; i++) {
        app_connect();
        run_for(MS(41));
        app_close(client);
        run_for(MS(59)); /* ten in a second */
        expect(client->events[SKUA_EVENT_CLOSED] == i + 1 && client->closed.error == SKUA_OK);
        uint64_t records = stats_of(client).time_wait;
        if (i > 150) {
            least = records < least ? records : least;
            most = records > most ? records : most;
        }
    }
    /* The records of the last ten seconds, on one port; at most 128 bytes each, in a table that
     * doubles. */
    expect(least >= 98 && most <= 105);
    expect(stats_of(client).memory - base <= most * (128 + 2 * 2 * 24) + 20000);
    expect(sent(client, SYN) == SHORT && stats_of(client).conns == 0);
}

/* Where there are too many, the oldest leave first. */
SCENARIO(time_wait_table_is_bounded)
{
    struct skua_heap heap;
    struct skua_time_wait tw;
    static const uint8_t key[16], bytes[40];
    struct skua_time_wait_entry entry = {
        .packet = bytes, .packet_len = sizeof bytes, .length_ns = SEC(10)};
    skua_heap_init(&heap, NULL);
    skua_time_wait_init(&tw, &heap, key);
    for (uint32_t i = 0; i < 100000; i++) {
        struct skua_id id = {.len = 8};
        memcpy(id.bytes, &i, sizeof i);
        entry.id = &id;
        skua_time_wait_add(&tw, &entry, SEC(1) + i * SKUA_USEC * 10);
        expect(skua_time_wait_count(&tw) <= SKUA_LIMIT_TIME_WAIT_MAX);
    }
    expect(skua_time_wait_count(&tw) == SKUA_LIMIT_TIME_WAIT_MAX);
    for (uint32_t i = 0; i < 100000; i += 999) {
        struct skua_id id = {.len = 8};
        memcpy(id.bytes, &i, sizeof i);
        expect(skua_time_wait_has(&tw, &id) == (i >= 100000 - SKUA_LIMIT_TIME_WAIT_MAX));
    }
    expect(heap.used <= SKUA_LIMIT_TIME_WAIT_MAX * (UINT64_C(128) + 2 * 24) + 4096);
    skua_time_wait_deinit(&tw);
    expect(heap.used == 0);
}

/* --- 55: the application forgets to close */

enum { FORGOTTEN = 30 };

SCENARIO(many_close_waits)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    config.idle_timeout_ns = listen.conn.idle_timeout_ns = SKUA_NEVER;
    app_listen_with(&listen);
    run_for(MS(10));
    uint64_t base = stats_of(server).memory;
    for (unsigned i = 0; i < FORGOTTEN; i++) {
        app_connect_with(&config);
        run_for(MS(50));
        app_send(client, SKUA_STREAM_BIDI, 100000); /* the server reads all of it */
        run_for(SEC(1));
        app_shutdown(client);
        run_for(SEC(1));
        expect_state(server, SKUA_STATE_CLOSE_WAIT);
    }
    run_for(SEC(60));
    expect(stats_of(server).conns == FORGOTTEN);
    /* Buffers, rings and replay windows are given back: what is left is the connection itself and
     * its open stream. Blocks in reserve belong to the endpoint, whatever it does. */
    uint64_t reserve = server->host->ep->env.blocks.kept * server->host->ep->env.blocks.block_size;
    expect((stats_of(server).memory - reserve - base) / FORGOTTEN <= 3300);
    unsigned before = sent(server, ANY);
    run_for(SEC(3600));
    expect(sent(server, ANY) == before); /* and it costs no packet */
    expect_state(server, SKUA_STATE_CLOSE_WAIT);
}

/* --- 56: close with unread data; linger 0 */

SCENARIO(close_with_unread_data)
{
    app_establish();
    server->drains = false;
    run_to(SEC(1));
    app_write(client, 3000); /* a stream that is still open */
    run_to(SEC(2));
    app_send(server, SKUA_STREAM_UNI, 2000); /* an answer is under way ... */
    app_close(server);                       /* ... and the 3,000 bytes are never read */
    run_to(SEC(2) + MS(15));
    expect(client->events[SKUA_EVENT_STOPPED] == 1); /* the writer is told ... */
    expect(client->received == 2000);                /* ... and nothing of the answer is lost */
    app_close(client);
    run_to(SEC(3));
    expect_closed(client, SKUA_OK);
    expect_closed(server, SKUA_OK);
    expect_sent(server, WITH(RST), 0);
}

/* Everything has arrived, the end of the stream too: there is nothing left to stop, and only the
 * application knows that it has read none of it. */
SCENARIO(close_with_an_unread_end)
{
    app_establish();
    server->drains = false;
    run_to(SEC(1));
    app_send(client, SKUA_STREAM_UNI, 1000);
    run_to(SEC(2));
    app_close(server);
    run_to(SEC(2) + MS(15));
    app_close(client);
    run_to(SEC(3));
    expect(server->received == 0);
    expect(client->events[SKUA_EVENT_STOPPED] == 0);
    expect(client->events[SKUA_EVENT_DELIVERED] == 1); /* to the transport */
    expect_closed(client, SKUA_OK);
    expect_closed(server, SKUA_OK);
}

/* Who must know has asked: the answer comes with the close. */
SCENARIO(close_with_an_unread_end_asked_after)
{
    app_establish();
    server->drains = false;
    run_to(SEC(1));
    app_write(client, 1000);
    note(client, "end of stream, confirm");
    expect(skua_stream_finish_confirm(client->host->ep, client->stream) == SKUA_OK);
    side_kick(client);
    run_to(SEC(2));
    expect(client->events[SKUA_EVENT_ACKED] == 1 && client->events[SKUA_EVENT_DISCARDED] == 0);
    app_close(server);
    run_to(SEC(2) + MS(15));
    expect(client->events[SKUA_EVENT_DISCARDED] == 1);
    expect(client->events[SKUA_EVENT_CONSUMED] == 0);
    app_close(client);
    run_to(SEC(3));
    expect_closed(client, SKUA_OK);
    expect_closed(server, SKUA_OK);
}

/* Bytes that come after close: the same, by and by. */
SCENARIO(close_and_the_peer_goes_on)
{
    app_establish();
    run_to(SEC(1));
    app_write(client, 1000);
    run_to(SEC(2));
    app_close(server); /* all that had come was read */
    run_to(SEC(2) + MS(50));
    expect(client->events[SKUA_EVENT_STOPPED] == 0);
    app_write(client, 1000);
    run_to(SEC(2) + MS(80));
    expect(client->events[SKUA_EVENT_STOPPED] == 1);
}

SCENARIO(linger_0)
{
    app_establish();
    run_to(SEC(1));
    app_send(client, SKUA_STREAM_UNI, 100000);
    app_abort(client, 7, "enough");
    expect(client->events[SKUA_EVENT_CLOSED] == 0); /* nobody is left to tell */
    run_to(SEC(1) + MS(15));
    expect_closed(server, SKUA_ECONNRESET);
    expect_at(server, SKUA_EVENT_CLOSED, SEC(1) + MS(10));
    expect(server->closed.remote && server->closed.application && server->closed.code == 7);
    expect(strcmp(server->reason, "enough") == 0);
    expect_sent(client, WITH(FIN), 0);
    expect_states(client, SKUA_STATE_SYN_SENT, SKUA_STATE_ESTABLISHED, SKUA_STATE_CLOSED);
    /* No TIME_WAIT, but a record that says RST again where the first was lost. */
    expect(stats_of(client).time_wait == 1 && stats_of(client).conns == 0);
    app_connect();
    run_for(MS(50));
    expect_state(server, SKUA_STATE_ESTABLISHED);
}

/* --- 57: close too early */

SCENARIO(close_while_connecting)
{
    app_listen();
    app_connect();
    run_to(MS(15)); /* the SYN_ACK is under way */
    expect_state(server, SKUA_STATE_SYN_RCVD);
    app_close(client);
    run_to(MS(16));
    expect_closed(client, SKUA_EABORTED);
    run_to(MS(30));
    expect_state(server, SKUA_STATE_LISTEN);
    expect(stats_of(server).half_open == 0);
    expect(verdicts(server, SKUA_VERDICT_SYN_CANCELLED) == 1);
    run_to(SEC(70));
    expect(server->events[SKUA_EVENT_INCOMING] == 0);
    expect_sent(server, SYN_ACK, 1);
}

/* Nobody has heard the SYN yet: there is nothing to take back but what may still arrive. */
SCENARIO(close_while_connecting_and_loss)
{
    net_drop(client, REFUSE, 1);
    app_listen();
    app_connect();
    run_to(MS(5));
    app_close(client);
    run_to(MS(45)); /* its SYN_ACK is answered by the same packet again */
    expect_sent(client, REFUSE, 2);
    expect(stats_of(server).half_open == 0);
}

SCENARIO(server_closes_while_half_open)
{
    app_listen();
    app_connect();
    run_to(MS(15));
    expect_state(server, SKUA_STATE_SYN_RCVD);
    note(server, "unlisten()");
    expect(skua_endpoint_unlisten(server->host->ep) == SKUA_OK);
    expect(stats_of(server).half_open == 0);
    run_to(MS(45));
    /* TCP's RST for the third packet. */
    expect_at(client, SKUA_EVENT_ESTABLISHED, MS(20));
    expect_closed(client, SKUA_ECONNRESET);
    expect_at(client, SKUA_EVENT_CLOSED, MS(40));
    expect_sent(server, RESET, 1);
    app_connect();
    run_for(MS(25));
    expect(client->closed.error == SKUA_ECONNREFUSED);
}

/* --- 58: the last bytes before close */

enum { LAST = 100000 }; /* as much as the send buffer takes at once */

SCENARIO(last_bytes_before_close)
{
    static const struct sim_link_config link = {.delay = MS(10), .rate = 20000000, .loss = 50000};
    chart_begin(&link);
    server->closes = true;
    app_establish();
    app_send(client, SKUA_STREAM_UNI, LAST);
    app_close(client); /* in the same instant */
    run_for(SEC(20));
    expect(server->received == LAST && server->eof);
    expect_closed(client, SKUA_OK);
    expect_closed(server, SKUA_OK);
}

SCENARIO(last_bytes_that_do_not_arrive)
{
    app_establish();
    run_to(SEC(1));
    app_send(client, SKUA_STREAM_UNI, LAST);
    app_close(client);
    run_to(SEC(1) + MS(12));
    net_cut(client);
    run_to(SEC(32));
    expect(server->received < LAST);
    expect_closed(client, SKUA_ETIMEDOUT); /* and the closer knows */
}

SCENARIO(last_bytes_that_nobody_takes)
{
    app_establish();
    server->drains = false;
    run_to(SEC(1));
    app_send(client, SKUA_STREAM_UNI, 50 << 20); /* far more than the window */
    run_to(SEC(6));
    app_close(client);
    run_to(SEC(35));
    expect_state(client, SKUA_STATE_FIN_WAIT_1);
    run_to(SEC(37));
    expect_closed(client, SKUA_ETIMEDOUT); /* a zero window does not hold it off */
    expect_at(client, SKUA_EVENT_CLOSED, SEC(36));
    expect_closed(server, SKUA_ECONNRESET);
}
