/* A peer that has lost its memory, and somebody who would like it to be believed. */
#include <string.h>

#include "chart.h"
#include "handshake/refuse.h"

/* --- 59: killed and restarted */

SCENARIO(server_killed_and_restarted)
{
    app_establish();
    run_to(SEC(1));
    app_crash(server);
    app_listen();
    run_to(SEC(5)); /* nobody says anything: the client cannot know */
    expect_state(client, SKUA_STATE_ESTABLISHED);
    app_send(client, SKUA_STREAM_UNI, 100);
    run_to(SEC(5) + MS(25));
    expect_closed(client, SKUA_ECONNRESET);
    expect_at(client, SKUA_EVENT_CLOSED, SEC(5) + MS(20)); /* one round trip */
    expect_sent(server, RESET, 1);
    expect(packet(server, RESET, 1)->size < packet(client, WITH(STREAM), 1)->size);
    app_connect(); /* and the server is there */
    run_for(MS(50));
    expect_state(server, SKUA_STATE_ESTABLISHED);
}

/* With a probe of keep-alive, or any packet at all. */
SCENARIO(server_killed_and_restarted_keepalive)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.keepalive_time_ns = SEC(10);
    app_listen();
    app_connect_with(&config);
    run_to(SEC(1));
    app_crash(server);
    app_listen();
    run_to(SEC(12));
    expect_closed(client, SKUA_ECONNRESET);
    expect_at(client, SKUA_EVENT_CLOSED, packet(client, WITH(PING), 2)->at + MS(20));
}

/* The RESET is lost: the next packet asks for another. */
SCENARIO(reset_lost)
{
    app_establish();
    run_to(SEC(1));
    app_crash(server);
    app_listen();
    net_drop(server, RESET, 1);
    app_send(client, SKUA_STREAM_UNI, 100);
    run_to(SEC(2));
    expect_closed(client, SKUA_ECONNRESET);
    expect_sent(server, RESET, 2);
}

/* In LAST_ACK, with everything acknowledged, the peer owes nothing but its word: an orderly end. */
SCENARIO(server_restarted_in_last_ack)
{
    app_establish();
    app_send(client, SKUA_STREAM_UNI, 1000);
    run_to(SEC(1));
    app_close(server);
    run_to(SEC(2));
    expect_state(client, SKUA_STATE_CLOSE_WAIT);
    app_crash(server); /* it held FIN_WAIT_2 */
    app_listen();
    app_close(client);
    run_to(SEC(3));
    expect_closed(client, SKUA_OK);
    expect_sent(server, RESET, 1);
}

/* A client has no tokens to give: the server learns by its own timers. */
SCENARIO(client_killed_and_restarted)
{
    app_establish();
    run_to(SEC(1));
    app_crash(client);
    app_send(server, SKUA_STREAM_UNI, 100);
    run_to(SEC(20));
    expect_state(server, SKUA_STATE_ESTABLISHED);
    expect_sent(client, RESET, 0);
    run_to(SEC(40));
    expect_closed(server, SKUA_ETIMEDOUT); /* 30 s without a sign of life */
}

/* --- 62: forgeries from off the path, by somebody who knows both addresses and even the ids */

enum { MILLION = 1000000, BATCH = 1000, KINDS_FORGED = 10 };

/* One forged packet of each kind in turn. */
static size_t forge(struct sim_rng *rng, unsigned kind, const struct kept *const seen[4],
                    uint8_t *out)
{
    const struct kept *syn = seen[0], *syn_ack = seen[1], *confirm = seen[2], *data = seen[3];
    size_t len = 40 + sim_rng_below(rng, 60);
    for (size_t i = 0; i < 256; i++) {
        out[i] = (uint8_t)sim_rng_next(rng);
    }
    switch (kind % KINDS_FORGED) {
    case 0: /* DATA of each length, behind the right id: RST, FIN, ACK, bytes look like that */
    case 1:
    case 2:
    case 3:
        memcpy(out, data->bytes, 1 + SKUA_OWN_ID_LEN);
        return len;
    case 4: /* a real one, with one bit flipped */
        memcpy(out, data->bytes, data->len);
        out[9 + sim_rng_below(rng, data->len - 9)] ^= (uint8_t)(1u << sim_rng_below(rng, 8));
        return data->len;
    case 5: /* what could be a RESET */
        out[0] = (uint8_t)(0x40 | (out[0] & 0x1f));
        return len;
    case 6: /* the third packet with another end */
        memcpy(out, confirm->bytes, 100);
        return 200;
    case 7: /* SYN_ACK with another key */
        memcpy(out, syn_ack->bytes, 23);
        return 180;
    case 8: { /* REFUSE, and the SYN taken back */
        memcpy(out, syn->bytes, 23);
        out[0] = 0xd0;
        return 41;
    }
    default: /* VERSIONS */
        memcpy(out, syn->bytes, 23);
        memset(out + 1, 0, 4);
        return 27;
    }
}

SCENARIO(a_million_forgeries)
{
    struct sim_rng rng = sim_rng_split(62, 62);
    static uint8_t bytes[BATCH][256];
    static struct skua_rx rx[BATCH];
    const struct kept *seen[2][4];
    seen[0][0] = seen[1][0] = net_keep(client, SYN, 1);
    seen[0][1] = seen[1][1] = net_keep(server, SYN_ACK, 1);
    seen[0][2] = seen[1][2] = net_keep(client, CONFIRM, 1);
    seen[0][3] = net_keep(server, WITH(STREAM), 1); /* for the client */
    seen[1][3] = net_keep(client, WITH(STREAM), 1);
    app_establish();
    app_write(client, 100);
    const skua_stream mine = client->stream;
    run_for(SEC(1));
    app_send(server, SKUA_STREAM_UNI, 100);
    run_for(SEC(1));
    client->stream = mine;
    for (unsigned at = 0; at < 2; at++) {
        struct side *s = at == 0 ? client : server;
        struct side *other = at == 0 ? server : client;
        struct skua_conn_stats before, after;
        struct skua_endpoint_stats endpoint = {0}, then;
        side_stats(s, &before);
        skua_endpoint_stats(s->host->ep, &endpoint);
        for (unsigned n = 0; n < MILLION / 2; n += BATCH) {
            for (unsigned i = 0; i < BATCH; i++) {
                size_t len = forge(&rng, n + i, seen[at], bytes[i]);
                rx[i] = (struct skua_rx){
                    .path = sim_path(s->host, 0, other->host), .data = bytes[i], .len = len};
            }
            skua_endpoint_recv(s->host->ep, rx, BATCH, world()->now);
            skua_endpoint_settle(s->host->ep);
            /* What is answered at all is answered with less: RESETs for ids of ours, a few. */
            run_for(SKUA_USEC);
        }
        side_stats(s, &after);
        skua_endpoint_stats(s->host->ep, &then);
        expect(then.datagrams_received == endpoint.datagrams_received + MILLION / 2);
        expect(then.verdicts[SKUA_VERDICT_OK] == endpoint.verdicts[SKUA_VERDICT_OK]);
        expect(then.verdicts[SKUA_VERDICT_RESET] == 0);
        expect(after.packets_received == before.packets_received);
        expect(after.packets_sent == before.packets_sent);
        expect(after.packets_undecryptable > MILLION / 2 / 3);
        expect(after.memory <= before.memory && then.memory <= endpoint.memory + 4096);
        expect(then.conns == 1 && then.half_open == 0 && then.time_wait == 0);
        expect_state(s, SKUA_STATE_ESTABLISHED);
    }
    app_write(client, 100);
    app_finish(client);
    run_for(SEC(1));
    expect(server->received == 200 && server->eof && client->received == 100);
    expect(client->events[SKUA_EVENT_CLOSED] == 0 && server->events[SKUA_EVENT_CLOSED] == 0);
}
