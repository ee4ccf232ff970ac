/* Addresses that change, and somebody who pretends that they do. */
#include <string.h>

#include "chart.h"

static const struct sim_link_config ordinary = {
    .delay = 10 * SKUA_MSEC, .rate = 20000000, .queue = 60000, .mtu = 1472};

static struct skua_path path_of(struct side *s)
{
    struct skua_path path = {.socket = 0};
    expect(skua_conn_path(s->host->ep, s->conn, &path) == SKUA_OK);
    return path;
}

static struct skua_conn_stats stats_of(struct side *s)
{
    struct skua_conn_stats stats;
    side_stats(s, &stats);
    return stats;
}

/* A client behind a NAT; connected, and the server has told it a spare id. */
static void behind_nat(const struct sim_link_config *link)
{
    chart_begin(link);
    sim_host_nat(client->host, NULL);
    app_establish();
}

static void forget(bool address)
{
    note(client, address ? "(its NAT has another address)" : "(its NAT has forgotten the port)");
    sim_nat_rebind(&client->host->nat, address);
}

/* Where the server would see the client's next packet come from. */
static struct skua_addr outer(void)
{
    const struct skua_addr inner = sim_addr(client->host, 0), peer = sim_addr(server->host, 0);
    return sim_nat_outer(&client->host->nat, &inner, &peer);
}

static bool server_follows(void)
{
    const struct skua_addr now = outer();
    const struct skua_path path = path_of(server);
    return memcmp(&path.remote, &now, sizeof now) == 0;
}

/* --- 63 */

/* The next packet shows the server where the client is. It asks the new address, and moves when it
 * has answered: one round trip. Until then everything else, the ACK here, goes where the client
 * was.
 */
SCENARIO(nat_forgets_the_port)
{
    behind_nat(NULL);
    run_to(SEC(1));
    forget(false);
    app_send(client, SKUA_STREAM_UNI, 100);
    run_to(SEC(1) + MS(100));
    expect_sent(server, WITH(PATH_CHALLENGE), 1);
    expect(packet(server, WITH(PATH_CHALLENGE), 1)->size <= 3 * packet(client, DATA, 1)->size);
    expect_at(server, SKUA_EVENT_PATH, SEC(1) + MS(30));
    expect(server_follows() && server->events[SKUA_EVENT_PATH] == 1);
    expect(client->events[SKUA_EVENT_PATH] == 0); /* it cannot know, and need not */
    expect(server->received == 100 && server->eof);
}

/* In the middle of a download, with another address: the bytes go on, but window, RTT and path MTU
 * begin anew, since they belonged to another network. With another port only they stay. */
SCENARIO(address_changes_during_a_download)
{
    for (int address = 0; address < 2; address++) {
        behind_nat(&ordinary);
        app_send(server, SKUA_STREAM_UNI, 10000000);
        run_to(SEC(2));
        const struct skua_conn_stats before = stats_of(server);
        expect(before.mtu == 1472 && before.cwnd > 30000);
        forget(address != 0);
        run_until(SEC(1), server->events[SKUA_EVENT_PATH] == 1);
        const struct skua_conn_stats after = stats_of(server);
        expect(after.mtu == (address ? 1200 : 1472));
        expect(address ? after.cwnd <= 12000 && after.ssthresh == UINT64_MAX
                       : after.cwnd >= before.cwnd / 2);
        run_until(SEC(10), client->eof);
        expect(client->received == 10000000);
    }
}

/* A client that reads, and owes no ACK when its NAT forgets: the server's packets find nobody, and
 * neither can tell the other. The client asks after the flow that has stopped. */
SCENARIO(nat_forgets_while_the_client_is_silent)
{
    behind_nat(NULL);
    run_to(SEC(1));
    app_write(server, 3475); /* three full packets */
    run_to(SEC(1) + MS(50));
    expect(client->received == 3475);
    expect(packet(server, WITH(STREAM), 3)->size == 1200);
    forget(false);
    app_write(server, 1000);
    unsigned before = sent(client, ANY);
    run_to(SEC(2));
    expect(server_follows());
    expect(client->received == 3475 + 1000);
    expect(frame_of(packet(client, ANY, before + 1), PING) != NULL);
}

/* Every 200 ms another port, every second another address. */
SCENARIO(address_changes_often)
{
    behind_nat(&ordinary);
    app_send(client, SKUA_STREAM_UNI, 10000000);
    for (unsigned i = 0; i < 20; i++) {
        run_for(MS(200));
        forget(i % 5 == 4);
    }
    run_until(SEC(10), server->eof);
    expect(server->received == 10000000);
    expect(stats_of(server).path_changes == 20 && stats_of(server).path_failures == 0);
    expect(client->events[SKUA_EVENT_CLOSED] == 0 && server->events[SKUA_EVENT_CLOSED] == 0);
}

/* ... while every tenth packet is lost in both directions. */
SCENARIO(address_changes_during_loss)
{
    struct sim_link_config link = ordinary;
    link.loss = 100000; /* ppm */
    for (int download = 0; download < 2; download++) {
        behind_nat(&link);
        struct side *reader = download ? client : server;
        app_send(download ? server : client, SKUA_STREAM_UNI, 500000);
        for (unsigned i = 0; i < 8; i++) {
            run_for(MS(500));
            forget(i % 4 == 3);
        }
        run_until(SEC(60), reader->eof);
        expect(reader->received == 500000);
    }
}

/* At any moment of the end: both sides end orderly, and every byte has arrived. */
SCENARIO(address_changes_during_close)
{
    for (unsigned at = 0; at < 100; at += 5) {
        behind_nat(NULL);
        server->closes = true;
        app_send(client, SKUA_STREAM_UNI, 5000);
        app_close(client);
        run_for(MS(at));
        forget(at % 2 == 1);
        run_until(SEC(20),
                  client->events[SKUA_EVENT_CLOSED] == 1 && server->events[SKUA_EVENT_CLOSED] == 1);
        expect_closed(client, SKUA_OK);
        expect_closed(server, SKUA_OK);
        expect(server->received == 5000);
    }
}

/* What the driver does when the machine has another network: the client asks along the new path,
 * moves when it has answered, and neither side's ids show that it is the same connection. */
SCENARIO(client_moves)
{
    app_establish();
    app_send(server, SKUA_STREAM_UNI, 100); /* with it goes a spare id */
    run_to(SEC(1));
    const struct kept *before = net_keep(client, ANY, 1);
    app_send(client, SKUA_STREAM_UNI, 100);
    run_to(SEC(2));
    const struct skua_path path = sim_path(client->host, 1, server->host);
    const struct kept *after = net_keep(client, WITH(STREAM), 1);
    note(client, "(another network: migrate)");
    expect(skua_conn_migrate(client->host->ep, client->conn, &path) == SKUA_OK);
    side_kick(client);
    run_to(SEC(2) + MS(15));
    expect(path_of(client).socket == 0); /* not before it has answered */
    run_to(SEC(2) + MS(50));
    expect_at(client, SKUA_EVENT_PATH, SEC(2) + MS(20));
    expect(path_of(client).socket == 1);
    app_send(client, SKUA_STREAM_UNI, 100);
    run_to(SEC(3));
    expect(path_of(server).remote.port == SIM_PORT + 1);
    expect(before->len > 9 && after->len > 9);
    expect(memcmp(before->bytes + 1, after->bytes + 1, 8) != 0);
    expect(stats_of(client).path_changes == 1 && stats_of(server).path_changes == 1);
}

/* The old network is gone: nothing is asked there any more. The client leaves at once, and what was
 * lost is sent again along the new path. */
SCENARIO(client_moves_from_a_dead_network)
{
    app_establish();
    app_send(server, SKUA_STREAM_UNI, 100);
    run_to(SEC(1));
    net_cut(client);
    app_send(client, SKUA_STREAM_UNI, 10000);
    run_to(SEC(1) + MS(1));
    const struct skua_path path = sim_path(client->host, 1, server->host);
    const struct skua_path old = path_of(client);
    net_mend(client);
    note(client, "(the network is unreachable; another: migrate)");
    skua_endpoint_hint(client->host->ep, &old, SKUA_HINT_UNREACHABLE, world()->now);
    expect(skua_conn_migrate(client->host->ep, client->conn, &path) == SKUA_OK);
    side_kick(client);
    expect(path_of(client).socket == 1);
    run_to(SEC(1) + MS(150));
    expect(server->received == 10000 && server->eof);
}

/* --- 64 */

/* An onlooker whose copies of what the client sends reach the server first. */
static const struct skua_addr stranger = {
    .family = SKUA_FAMILY_IPV4, .port = 6666, .ip = {10, 0, 0, 99}};
static unsigned copies;
static uint64_t copied_bytes, attracted_bytes;

static void look_on(struct side *from, const struct sim_datagram *d)
{
    if (from == client && d->len <= ordinary.mtu) {
        const struct skua_addr to = sim_addr(server->host, 0);
        sim_inject(server->host, &stranger, &to, d->bytes, d->len, world()->now + MS(1));
        copies++;
        copied_bytes += d->len;
    } else if (memcmp(&d->to, &stranger, sizeof stranger) == 0) {
        attracted_bytes += d->len;
    }
}

static void begin_copying(void)
{
    copies = 0;
    copied_bytes = attracted_bytes = 0;
    net_watch(look_on);
}

/* One copy: the server asks the stranger, in vain, and sends the client a PING where it was. The
 * client's answer from there ends the matter. */
SCENARIO(attacker_copies_one_packet)
{
    app_establish();
    run_to(SEC(1));
    const struct skua_path before = path_of(server);
    begin_copying();
    app_send(client, SKUA_STREAM_UNI, 100);
    run_for(1);
    net_watch(NULL);
    run_to(SEC(5));
    expect(copies == 1);
    const struct skua_path after = path_of(server);
    expect(memcmp(&before, &after, sizeof before) == 0);
    expect(server->events[SKUA_EVENT_PATH] == 0 && stats_of(server).path_changes == 0);
    expect_sent(server, WITH(PATH_CHALLENGE), 1);
    expect(packet(server, WITH(PATH_CHALLENGE), 1)->size <= 3 * copied_bytes);
    expect(server->received == 100 && client->events[SKUA_EVENT_CLOSED] == 0);
}

/* Every packet, for as long as it takes, in both directions: nothing but challenges goes there, a
 * few times what came from there at most, and the transfer is as fast as without him. */
SCENARIO(attacker_copies_every_packet)
{
    for (int download = 0; download < 2; download++) {
        chart_begin(&ordinary);
        app_establish();
        const struct skua_path before = path_of(server);
        begin_copying();
        struct side *reader = download ? client : server;
        app_send(download ? server : client, SKUA_STREAM_UNI, 5000000);
        run_until(SEC(4), reader->eof); /* 2 s at least */
        net_watch(NULL);
        run_for(SEC(5));
        const struct skua_path after = path_of(server);
        expect(copies > 100 && memcmp(&before, &after, sizeof before) == 0);
        expect(stats_of(server).path_changes == 0 && reader->received == 5000000);
        expect(attracted_bytes > 0 && attracted_bytes <= 3 * copied_bytes);
        expect(stats_of(server).mtu == 1472 || !download);
    }
}

/* Packets that the server had before are duplicates, from wherever they come. */
SCENARIO(attacker_sends_old_packets)
{
    app_establish();
    const struct kept *old = net_keep(client, DATA, 1);
    app_send(client, SKUA_STREAM_UNI, 100);
    run_to(SEC(1));
    app_send(client, SKUA_STREAM_UNI, 100);
    run_to(SEC(2));
    unsigned before = sent(server, ANY);
    for (unsigned i = 0; i < 100; i++) {
        net_inject(server, &stranger, old->bytes, old->len);
    }
    run_to(SEC(3));
    expect_sent(server, ANY, before);
    expect(verdicts(server, SKUA_VERDICT_DUPLICATE) == 100);
    expect(stats_of(server).path_challenges == 0);
}
