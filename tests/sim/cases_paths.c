/* Addresses that change under a connection. */
#include <string.h>

#include "base/addr.h"
#include "cases.h"
#include "conn/internal.h"
#include "endpoint/endpoint.h"

/* The connection behind a side's handle, which must be there. */
static const struct skua_connection *connection_of(const struct side *side)
{
    const struct skua_connection *c = skua_endpoint_conn(side->host->ep, side->conn);
    if (c == NULL) {
        sim_fail(side->pair->w, "the connection is gone");
    }
    return c;
}

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

static const struct sim_link_config ordinary = {
    .delay = 20 * SKUA_MSEC, .rate = 50000000, .queue = 400000, .mtu = 1472};

/* A client that only receives shows its new address with its next ACK: until it owes one. */
static void until_it_speaks(struct pair *p)
{
    const struct skua_connection *c = connection_of(&p->client);
    pair_until(p, SEC(1), c->rx.acks.eliciting > 0 || c->recovery.eliciting_in_flight > 0);
}

static void rebind(struct pair *p, bool address)
{
    sim_nat_rebind(&p->client.host->nat, address);
}

static struct skua_path path_of(struct side *s)
{
    struct skua_path path = {.socket = 0};
    SIM_CHECK(s->pair->w, skua_conn_path(s->host->ep, s->conn, &path) == SKUA_OK);
    return path;
}

/* Where the server sees the client at present. */
static struct skua_addr outer_of(struct pair *p, unsigned socket)
{
    const struct skua_addr inner = sim_addr(p->client.host, socket);
    const struct skua_addr server = sim_addr(p->server.host, 0);
    return sim_nat_outer(&p->client.host->nat, &inner, &server);
}

/* The NAT forgets the port in the middle of an upload, and of a download: the transfer goes on,
 * with the window and the RTT that it had. */
void case_nat_forgets_the_port(const char *name)
{
    for (int download = 0; download < 2; download++) {
        struct pair p;
        struct skua_conn_stats before, after;
        pair_init(&p, name, &ordinary);
        sim_host_nat(p.client.host, NULL);
        pair_establish(&p);
        struct side *sender = download ? &p.server : &p.client;
        struct side *reader = download ? &p.client : &p.server;
        side_send(sender, SKUA_STREAM_UNI, 40000000);
        pair_run(&p, SEC(2));
        side_stats(sender, &before);
        uint64_t received = reader->received;
        until_it_speaks(&p);
        rebind(&p, false);
        pair_until(&p, MS(200), p.server.events[SKUA_EVENT_PATH] == 1);
        const struct skua_addr now = outer_of(&p, 0);
        const struct skua_path path = path_of(&p.server);
        SIM_CHECK(p.w, skua_addr_equal(&path.remote, &now));
        side_stats(sender, &after);
        SIM_CHECK(p.w, after.cwnd >= before.cwnd / 2 && after.mtu == before.mtu);
        SIM_CHECK(p.w, after.rtt_min_ns == before.rtt_min_ns);
        pair_run(&p, SEC(1));
        /* Nothing but some round trips was lost: 6.25 MB/s minus a tenth of a second. */
        if (reader->received - received < 4500000) {
            sim_fail(p.w, "only %llu bytes in a second",
                     (unsigned long long)(reader->received - received));
        }
        side_stats(&p.server, &after);
        SIM_CHECK(p.w, after.path_changes == 1 && after.path_failures == 0);
        pair_until(&p, SEC(30), reader->eof);
        SIM_CHECK(p.w, reader->received == 40000000);
        conclude(&p);
    }
}

/* ... and just when the client that reads owes no ACK: nothing that the server sends finds it, and
 * it has nothing to say. It asks after the flow, and is found. */
void case_nat_forgets_a_silent_reader(const char *name)
{
    struct pair p;
    struct skua_conn_stats stats;
    pair_init(&p, name, &ordinary);
    sim_host_nat(p.client.host, NULL);
    pair_establish(&p);
    side_send(&p.server, SKUA_STREAM_UNI, UINT64_C(1) << 40);
    pair_run(&p, SEC(2));
    for (unsigned i = 0; i < 20; i++) {
        const struct skua_connection *c = connection_of(&p.client);
        pair_until(&p, SEC(1),
                   c->rx.acks.eliciting == 0 && c->recovery.eliciting_in_flight == 0 &&
                       !skua_control_wants_send(c));
        rebind(&p, i % 5 == 4);
        uint64_t received = p.client.received;
        pair_until(&p, SEC(1), p.server.events[SKUA_EVENT_PATH] == i + 1);
        pair_run(&p, MS(900));
        SIM_CHECK(p.w, p.client.received > received + 500000);
    }
    side_stats(&p.server, &stats);
    SIM_CHECK(p.w, stats.path_changes == 20 && stats.path_failures == 0);
    SIM_CHECK(p.w, skua_conn_abort(p.server.host->ep, p.server.conn, 0, "") == SKUA_OK);
    side_kick(&p.server);
    pair_end(&p);
}

/* Another address may be another network: window, RTT and path MTU start anew. */
void case_nat_changes_the_address(const char *name)
{
    struct pair p;
    struct skua_conn_stats before, after;
    pair_init(&p, name, &ordinary);
    sim_host_nat(p.client.host, NULL);
    pair_establish(&p);
    side_send(&p.server, SKUA_STREAM_UNI, 40000000);
    pair_run(&p, SEC(2));
    side_stats(&p.server, &before);
    SIM_CHECK(p.w, before.cwnd > 100000 && before.mtu == 1472);
    until_it_speaks(&p);
    rebind(&p, true);
    pair_until(&p, MS(300), p.server.events[SKUA_EVENT_PATH] == 1);
    side_stats(&p.server, &after);
    SIM_CHECK(p.w, after.cwnd < 20000 && after.mtu == 1200);
    SIM_CHECK(p.w, after.ssthresh == UINT64_MAX);
    SIM_CHECK(p.w, after.rtt_smoothed_ns >= MS(40) && after.rtt_smoothed_ns < MS(150));
    pair_until(&p, SEC(30), p.client.eof);
    SIM_CHECK(p.w, p.client.received == 40000000);
    conclude(&p);
}

/* A new port each second, for a minute. */
void case_nat_forgets_often(const char *name)
{
    struct pair p;
    struct skua_conn_stats stats;
    pair_init(&p, name, &ordinary);
    sim_host_nat(p.client.host, NULL);
    pair_establish(&p);
    side_send(&p.server, SKUA_STREAM_UNI, UINT64_C(1) << 40);
    pair_run(&p, SEC(2));
    uint64_t received = p.client.received;
    for (unsigned i = 0; i < 60; i++) {
        until_it_speaks(&p);
        rebind(&p, i % 20 == 19);
        pair_run(&p, SEC(1));
    }
    side_stats(&p.server, &stats);
    SIM_CHECK(p.w, stats.path_changes == 60 && stats.path_failures == 0);
    uint64_t rate = (p.client.received - received) * 8 / 60;
    if (rate < 35000000) {
        sim_fail(p.w, "only %llu bit/s", (unsigned long long)rate);
    }
    SIM_CHECK(p.w, skua_conn_abort(p.server.host->ep, p.server.conn, 0, "") == SKUA_OK);
    side_kick(&p.server);
    pair_end(&p);
}

/* The client takes another socket: it asks first, moves, and shows another id on the new path, as
 * does the server. */
void case_move_on_purpose(const char *name)
{
    struct pair p;
    pair_init(&p, name, &ordinary);
    pair_establish(&p);
    side_send(&p.server, SKUA_STREAM_UNI, 1000);
    pair_run(&p, MS(200));
    side_send(&p.client, SKUA_STREAM_UNI, 20000000);
    pair_run(&p, SEC(1));
    const struct skua_connection *c = connection_of(&p.client);
    const struct skua_connection *s = connection_of(&p.server);
    const struct skua_id from_client = c->ids.peer, from_server = s->ids.peer;
    const struct skua_path path = sim_path(p.client.host, 1, p.server.host);
    SIM_CHECK(p.w, skua_conn_migrate(p.client.host->ep, p.client.conn, &path) == SKUA_OK);
    side_kick(&p.client);
    pair_run(&p, MS(30));
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_PATH] == 0); /* not before it has answered */
    pair_until(&p, MS(300),
               p.client.events[SKUA_EVENT_PATH] == 1 && p.server.events[SKUA_EVENT_PATH] == 1);
    const struct skua_path at_client = path_of(&p.client), at_server = path_of(&p.server);
    SIM_CHECK(p.w, at_client.socket == 1 && at_server.remote.port == SIM_PORT + 1);
    SIM_CHECK(p.w, !skua_id_equal(&c->ids.peer, &from_client));
    SIM_CHECK(p.w, !skua_id_equal(&s->ids.peer, &from_server));
    pair_run(&p, MS(500));
    /* The old ids are given up, and there are new spares. */
    SIM_CHECK(p.w, c->ids.retiring == NULL && s->ids.retiring == NULL);
    SIM_CHECK(p.w, c->ids.spare_count == 1 && s->ids.spare_count == 1);
    SIM_CHECK(p.w, c->migration == NULL && s->migration == NULL);
    pair_until(&p, SEC(30), p.server.eof);
    conclude(&p);
}

/* Drops the answers to PATH_CHALLENGE. */
static bool is_full(void *arg, const struct sim_datagram *d, uint64_t index, skua_time now)
{
    (void)arg, (void)index, (void)now;
    return d->len >= SKUA_LIMIT_UDP_MIN;
}

/* The server has to answer for TIME_WAIT before it has followed the client: by the id that the
 * client took with it. */
void case_move_into_time_wait(const char *name)
{
    struct pair p;
    pair_init(&p, name, &ordinary);
    pair_establish(&p);
    side_send(&p.server, SKUA_STREAM_UNI, 1000);
    pair_run(&p, MS(200));
    side_shutdown(&p.server);
    pair_run(&p, MS(200));
    const struct skua_path path = sim_path(p.client.host, 1, p.server.host);
    SIM_CHECK(p.w, skua_conn_migrate(p.client.host->ep, p.client.conn, &path) == SKUA_OK);
    side_kick(&p.client);
    pair_run(&p, MS(30));
    struct sim_link *link = sim_link_between(p.client.host, p.server.host);
    link->drop = is_full;
    pair_until(&p, MS(300), p.client.events[SKUA_EVENT_PATH] == 1);
    p.server.dark = true;
    side_send(&p.client, SKUA_STREAM_UNI, 100);
    side_close(&p.client);
    pair_run(&p, MS(50));
    SIM_CHECK(p.w, p.server.events[SKUA_EVENT_PATH] == 0);
    SIM_CHECK(p.w, p.server.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, side_state(&p.client) == SKUA_STATE_LAST_ACK);
    p.server.dark = false;
    pair_until(&p, SEC(2), p.client.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, p.client.closed.error == SKUA_OK);
    pair_end(&p);
}

/* The present path is dead, and the application says where to go: at once. */
void case_move_from_a_dead_path(const char *name)
{
    struct pair p;
    pair_init(&p, name, &ordinary);
    pair_establish(&p);
    side_send(&p.client, SKUA_STREAM_UNI, 5000000);
    pair_run(&p, MS(300));
    p.client.dark = p.server.dark = true;
    struct skua_conn_stats stats;
    do {
        pair_run(&p, MS(10));
        side_stats(&p.client, &stats);
    } while (stats.pto_count < 2);
    p.client.dark = p.server.dark = false;
    const struct skua_path path = sim_path(p.client.host, 2, p.server.host);
    SIM_CHECK(p.w, skua_conn_migrate(p.client.host->ep, p.client.conn, &path) == SKUA_OK);
    side_kick(&p.client);
    pair_run(&p, MS(1));
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_PATH] == 1);
    uint64_t received = p.server.received;
    pair_run(&p, MS(200));
    SIM_CHECK(p.w, p.server.received > received);
    pair_until(&p, SEC(10), p.server.eof);
    conclude(&p);
}

/* A path that does not answer is given up, and the connection stays where it was. */
void case_move_to_nowhere(const char *name)
{
    struct pair p;
    pair_init(&p, name, &ordinary);
    static const struct sim_nat_config nat = {.symmetric = true};
    sim_host_nat(p.client.host, &nat);
    pair_establish(&p);
    side_send(&p.server, SKUA_STREAM_UNI, 1000);
    pair_run(&p, MS(200));
    side_send(&p.client, SKUA_STREAM_UNI, 100000);
    pair_run(&p, SEC(1));
    struct skua_path path = sim_path(p.client.host, 1, p.server.host);
    path.remote.port++;
    SIM_CHECK(p.w, skua_conn_migrate(p.client.host->ep, p.client.conn, &path) == SKUA_EINVAL);
    path.remote.port--;
    path.socket = SKUA_MAX_SOCKETS;
    SIM_CHECK(p.w, skua_conn_migrate(p.client.host->ep, p.client.conn, &path) == SKUA_EINVAL);
    path.socket = 1;
    SIM_CHECK(p.w, skua_conn_migrate(p.server.host->ep, p.server.conn, &path) == SKUA_ESTATE);
    SIM_CHECK(p.w, skua_conn_migrate(p.client.host->ep, p.client.conn, &path) == SKUA_OK);
    p.client.host->mute = 1u << 1;
    side_kick(&p.client);
    pair_run(&p, SEC(2));
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_PATH] == 0);
    side_send(&p.client, SKUA_STREAM_UNI, 100000);
    pair_until(&p, SEC(2), p.client.events[SKUA_EVENT_PATH] == 1);
    SIM_CHECK(p.w, path_of(&p.client).socket == 0);
    struct skua_conn_stats stats;
    side_stats(&p.client, &stats);
    SIM_CHECK(p.w, stats.path_changes == 0 && stats.path_failures == 1);
    SIM_CHECK(p.w, stats.path_challenges >= 4 && stats.path_challenges <= 8);
    pair_until(&p, SEC(2), p.server.received == 200000);
    pair_run(&p, MS(100));
    const struct skua_connection *c = connection_of(&p.client);
    SIM_CHECK(p.w, c->migration == NULL && c->ids.spare_count == 1);
    conclude(&p);
}

/* The third packet comes from another port than the first: the connection begins where the SYN_ACK
 * was answered from, and moves when the new port has answered too. */
void case_nat_forgets_during_the_handshake(const char *name)
{
    for (int early = 0; early < 2; early++) {
        struct pair p;
        pair_init(&p, name, &ordinary);
        sim_host_nat(p.client.host, NULL);
        pair_listen(&p, NULL);
        pair_dial(&p, NULL);
        const struct skua_addr first = outer_of(&p, 0);
        if (early) {
            pair_run(&p, MS(30)); /* the SYN_ACK finds nobody */
        } else {
            pair_run(&p, MS(1));
            p.client.drop_next = 1; /* the first CONFIRM is lost, and then the mapping */
            pair_until(&p, MS(100), p.client.events[SKUA_EVENT_ESTABLISHED] == 1);
            pair_run(&p, MS(1));
        }
        rebind(&p, false);
        const struct skua_addr second = outer_of(&p, 0);
        pair_until(&p, SEC(3), p.server.events[SKUA_EVENT_INCOMING] == 1);
        struct skua_path path = path_of(&p.server);
        SIM_CHECK(p.w, skua_addr_equal(&path.remote, early ? &second : &first));
        pair_run(&p, MS(500));
        path = path_of(&p.server);
        SIM_CHECK(p.w, skua_addr_equal(&path.remote, &second));
        side_send(&p.server, SKUA_STREAM_UNI, 100000);
        pair_until(&p, SEC(2), p.client.eof);
        conclude(&p);
    }
}

/* An onlooker whose copies arrive first. */
struct onlooker {
    struct pair *p;
    struct skua_addr addr;
    unsigned copies;
    bool blind; /* sees nothing any more */
};

static bool look_on(void *arg, const struct sim_datagram *d, uint64_t index, skua_time now)
{
    struct onlooker *o = arg;
    (void)index;
    if (!o->blind) {
        const struct skua_addr server = sim_addr(o->p->server.host, 0);
        sim_inject(o->p->server.host, &o->addr, &server, d->bytes, d->len, now + MS(1));
        o->copies++;
    }
    return false;
}

/* Attack 20 (RFC 9000 §9.3.3): each packet of the client's reaches the server first from another
 * address, which answers nothing. The server asks it, within three times what it sent, and stays
 * where it is. */
void case_attacker_copies_packets(const char *name)
{
    for (int download = 0; download < 2; download++) {
        struct pair p;
        struct skua_conn_stats stats;
        pair_init(&p, name, &ordinary);
        pair_establish(&p);
        const struct skua_path before = path_of(&p.server);
        struct onlooker o = {.p = &p, .addr = {.family = SKUA_FAMILY_IPV4, .port = 6666}};
        memcpy(o.addr.ip, (const uint8_t[]){10, 0, 0, 99}, 4);
        struct sim_link *up = sim_link_between(p.client.host, p.server.host);
        up->drop = look_on;
        up->drop_arg = &o;
        struct side *reader = download ? &p.client : &p.server;
        side_send(download ? &p.server : &p.client, SKUA_STREAM_UNI, 20000000);
        pair_until(&p, SEC(10), reader->eof);
        SIM_CHECK(p.w, reader->received == 20000000 && o.copies > 1000);
        o.blind = true;
        pair_run(&p, SEC(5));
        side_stats(&p.server, &stats);
        const struct skua_path after = path_of(&p.server);
        SIM_CHECK(p.w, skua_path_equal(&before, &after) && stats.path_changes == 0);
        SIM_CHECK(p.w, stats.path_challenges > 0);
        SIM_CHECK(p.w, p.server.events[SKUA_EVENT_PATH] == 0);
        const struct skua_connection *c = connection_of(&p.server);
        SIM_CHECK(p.w, c->migration == NULL && c->ids.spare_count <= 1);
        conclude(&p);
    }
}

/* ... and one that only copies now and then, while the client is quiet: the client's next packet
 * says where it is. */
void case_attacker_copies_one_packet(const char *name)
{
    struct pair p;
    struct skua_conn_stats stats;
    pair_init(&p, name, &ordinary);
    pair_establish(&p);
    struct onlooker o = {.p = &p, .addr = {.family = SKUA_FAMILY_IPV4, .port = 6666}};
    memcpy(o.addr.ip, (const uint8_t[]){10, 0, 0, 99}, 4);
    struct sim_link *up = sim_link_between(p.client.host, p.server.host);
    for (unsigned i = 0; i < 10; i++) {
        up->drop = look_on;
        up->drop_arg = &o;
        o.blind = false;
        SIM_CHECK(p.w, skua_conn_ping(p.client.host->ep, p.client.conn) == SKUA_OK);
        side_kick(&p.client);
        pair_run(&p, MS(1));
        o.blind = true;
        pair_run(&p, MS(199));
    }
    side_stats(&p.server, &stats);
    SIM_CHECK(p.w, o.copies == 10 && stats.path_changes == 0);
    /* The server's PING on the old path was answered there: nothing was waited for. */
    SIM_CHECK(p.w, stats.path_challenges == 10 && stats.path_failures == 0);
    conclude(&p);
}

/* The client closes, and its NAT forgets at any moment of that: both sides end orderly. */
void case_nat_forgets_while_closing(const char *name)
{
    for (unsigned at = 0; at < 200; at += 5) {
        for (int address = 0; address < 2; address++) {
            struct pair p;
            pair_init(&p, name, &ordinary);
            sim_host_nat(p.client.host, NULL);
            pair_establish(&p);
            p.server.closes = true;
            side_send(&p.client, SKUA_STREAM_UNI, 20000);
            side_close(&p.client);
            pair_run(&p, MS(at));
            rebind(&p, address != 0);
            pair_until(&p, SEC(20),
                       p.client.events[SKUA_EVENT_CLOSED] == 1 &&
                           p.server.events[SKUA_EVENT_CLOSED] == 1);
            SIM_CHECK(p.w, p.client.closed.error == SKUA_OK);
            SIM_CHECK(p.w, p.server.closed.error == SKUA_OK && p.server.received == 20000);
            pair_end(&p);
        }
    }
}

/* The same where the client moves on purpose, also when nothing has come for a while: the server
 * may be in TIME_WAIT then. */
void case_move_while_closing(const char *name)
{
    for (unsigned at = 0; at < 200; at += 5) {
        for (int variant = 0; variant < 4; variant++) {
            bool server_first = (variant & 1) != 0;
            bool lossy = (variant & 2) != 0;
            struct pair p;
            pair_init(&p, name, &ordinary);
            pair_establish(&p);
            side_send(&p.server, SKUA_STREAM_UNI, 1000);
            pair_run(&p, MS(200));
            side_send(&p.client, SKUA_STREAM_UNI, 20000);
            struct side *first = server_first ? &p.server : &p.client;
            struct side *second = server_first ? &p.client : &p.server;
            second->closes = true;
            side_close(first);
            pair_run(&p, MS(at));
            p.server.dark = lossy;
            pair_run(&p, MS(lossy ? 80 : 0));
            p.server.dark = false;
            const struct skua_path path = sim_path(p.client.host, 1, p.server.host);
            (void)skua_conn_migrate(p.client.host->ep, p.client.conn, &path);
            side_kick(&p.client);
            pair_until(&p, SEC(20),
                       p.client.events[SKUA_EVENT_CLOSED] == 1 &&
                           p.server.events[SKUA_EVENT_CLOSED] == 1);
            SIM_CHECK(p.w, p.client.closed.error == SKUA_OK);
            SIM_CHECK(p.w, p.server.closed.error == SKUA_OK);
            pair_end(&p);
        }
    }
}
