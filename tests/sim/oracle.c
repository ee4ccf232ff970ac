/* See oracle.h. Looks into the endpoint (read only), which the public API does not show. */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/trace.h"
#include "conn/internal.h"
#include "endpoint/endpoint.h"
#include "world.h"

enum { LENGTH_MAX = 8 }; /* of a message, as a varint */

static struct sim_known *find(struct sim_oracle *o, uint64_t handle)
{
    size_t i = sim_mix(handle) & (o->known_cap - 1);
    while (o->known[i].handle != 0 && o->known[i].handle != handle) {
        i = (i + 1) & (o->known_cap - 1);
    }
    return &o->known[i];
}

static struct sim_known *know(struct sim_oracle *o, uint64_t handle)
{
    if (o->known_count * 2 >= o->known_cap) {
        struct sim_known *old = o->known;
        size_t cap = o->known_cap;
        o->known_cap = cap != 0 ? cap * 2 : 16;
        o->known = calloc(o->known_cap, sizeof *o->known);
        SKUA_ASSERT(o->known != NULL);
        for (size_t i = 0; i < cap; i++) {
            if (old[i].handle != 0) {
                *find(o, old[i].handle) = old[i];
            }
        }
        free(old);
    }
    struct sim_known *k = find(o, handle);
    if (k->handle == 0) {
        k->handle = handle;
        k->state = SKUA_STATES; /* not known yet */
        o->known_count++;
    }
    return k;
}

static const struct {
    enum skua_state from, to;
} legal[] = {
#define SKUA_TRANSITION(from, event, to) {SKUA_STATE_##from, SKUA_STATE_##to},
#include "conn/state.def"
#undef SKUA_TRANSITION
};

static void check_transition(struct sim_host *host, const struct skua_trace_event *e)
{
    bool found = false;
    for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++) {
        found = found || (legal[i].from == e->args[0] && legal[i].to == e->args[1]);
    }
    if (!found) {
        sim_fail(host->world, "host %u: transition from state %d to %d", host->index,
                 (int)e->args[0], (int)e->args[1]);
    }
    host->oracle.transitions++;
    if (e->args[0] == SKUA_STATE_SYN_RCVD && e->args[1] == SKUA_STATE_ESTABLISHED) {
        /* A packet of the client opened, and only the SYN_ACK can have made that. */
        const struct skua_connection *c = skua_endpoint_conn(host->ep, e->conn);
        SIM_CHECK(host->world, c != NULL);
        sim_oracle_proven(host, &c->path.remote);
    }
    if (e->conn != 0) {
        struct sim_known *k = know(&host->oracle, e->conn);
        if (k->state != SKUA_STATES && k->state != e->args[0]) {
            sim_fail(host->world, "host %u: connection was in state %d, not %d", host->index,
                     (int)k->state, (int)e->args[0]);
        }
        k->state = e->args[1];
    }
}

static void check_sent(struct sim_host *host, const struct skua_trace_event *e)
{
    if (e->conn == 0) {
        return;
    }
    const struct skua_connection *c = skua_endpoint_conn(host->ep, e->conn);
    if (c == NULL || c->state == SKUA_STATE_SYN_SENT) {
        return; /* a SYN has no number */
    }
    struct sim_known *k = know(&host->oracle, e->conn);
    if (e->args[1] < k->next_pn) {
        sim_fail(host->world, "host %u: packet number %llu again", host->index,
                 (unsigned long long)e->args[1]);
    }
    k->next_pn = e->args[1] + 1;
    k->packets++;
    bool eliciting = c->tx.ack_only_run == 0; /* counted before it is traced */
    bool mtu_probe = e->args[2] > c->pmtud.mtu;
    if (eliciting && !mtu_probe && c->tx.probes == 0 && e->args[3] > c->cc.cwnd) {
        sim_fail(host->world, "host %u: %llu bytes in flight, cwnd is %llu", host->index,
                 (unsigned long long)e->args[3], (unsigned long long)c->cc.cwnd);
    }
}

static void count_ecn(struct sim_world *world, const struct skua_trace_event *e)
{
    uint64_t from = e->args[0], to = e->args[1];
    world->counts[SIM_COUNT_ECN_CAPABLE] += from != to && to == SKUA_ECN_STATE_CAPABLE;
    world->counts[SIM_COUNT_ECN_FAILED] += from != to && to == SKUA_ECN_STATE_FAILED;
}

static void hash_in(uint64_t *hash, uint64_t value)
{
    *hash = sim_mix(*hash ^ value) + UINT64_C(0x9e3779b97f4a7c15);
}

static void print_event(const struct sim_host *host, const struct skua_trace_event *e)
{
    static const char *const names[][5] = {
#define SKUA_TRACE(name, text, a, b, c, d) {text, a, b, c, d},
#include "base/trace.def"
#undef SKUA_TRACE
    };
    printf("%14.6f ms  %*s%u %08x %s", (double)e->time / 1e6, (int)host->index * 4, "", host->index,
           (unsigned)e->conn, names[e->type][0]);
    for (int i = 0; i < 4; i++) {
        if (names[e->type][i + 1][0] != '\0') {
            printf(" %s=%llu", names[e->type][i + 1], (unsigned long long)e->args[i]);
        }
    }
    if (e->type == SKUA_TRACE_STATE) {
        printf(" (%s -> %s)", skua_state_name((enum skua_state)e->args[0]),
               skua_state_name((enum skua_state)e->args[1]));
    }
    printf("\n");
}

static uint64_t hash_addr(const struct skua_addr *addr)
{
    uint64_t hash = addr->port;
    for (size_t i = 0; i < sizeof addr->ip; i++) {
        hash = sim_mix(hash + addr->ip[i]);
    }
    return hash;
}

static struct sim_place *find_place(struct sim_oracle *o, const struct skua_addr *addr)
{
    size_t i = hash_addr(addr) & (o->place_cap - 1);
    while (o->places[i].addr.family != SKUA_FAMILY_NONE &&
           !skua_addr_equal(&o->places[i].addr, addr)) {
        i = (i + 1) & (o->place_cap - 1);
    }
    return &o->places[i];
}

static struct sim_place *place_of(struct sim_oracle *o, const struct skua_addr *addr)
{
    if (o->place_count * 2 >= o->place_cap) {
        struct sim_place *old = o->places;
        size_t cap = o->place_cap;
        o->place_cap = cap != 0 ? cap * 2 : 16;
        o->places = calloc(o->place_cap, sizeof *o->places);
        SKUA_ASSERT(o->places != NULL);
        for (size_t i = 0; i < cap; i++) {
            if (old[i].addr.family != SKUA_FAMILY_NONE) {
                *find_place(o, &old[i].addr) = old[i];
            }
        }
        free(old);
    }
    struct sim_place *p = find_place(o, addr);
    if (p->addr.family == SKUA_FAMILY_NONE) {
        p->addr = *addr;
        o->place_count++;
    }
    return p;
}

/* The endpoint says that an address has answered, or that it sends there from now on. Neither can
 * be before something went there, and something came back. */
static void check_path(struct sim_host *host, const struct skua_trace_event *e)
{
    static const char *const what[] = {"tried", "proven", "used", "given up"};
    const struct skua_addr addr = {.family = SKUA_FAMILY_IPV4,
                                   .port = (uint16_t)e->args[3],
                                   .ip = {(uint8_t)(e->args[2] >> 24), (uint8_t)(e->args[2] >> 16),
                                          (uint8_t)(e->args[2] >> 8), (uint8_t)e->args[2]}};
    const struct skua_connection *c = skua_endpoint_conn(host->ep, e->conn);
    struct sim_place *p = place_of(&host->oracle, &addr);
    host->world->counts[SIM_COUNT_PATH_TRIED] += e->args[0] == 0;
    host->world->counts[SIM_COUNT_PATH_MOVED] += e->args[0] == 2;
    host->world->counts[SIM_COUNT_PATH_FAILED] += e->args[0] == 3;
    if (c != NULL && !c->is_server) {
        return; /* it sends where it called */
    }
    /* In SYN_RCVD a token in the SYN is the proof. */
    bool by_token = e->args[0] == 2 && c != NULL && c->half_open;
    host->world->counts[SIM_COUNT_EARLY_MOVED] += by_token;
    if (e->args[0] == 1 || by_token) {
        SIM_CHECK(host->world, p->out > 0 && p->in > 0);
        p->proven = true;
    } else if (e->args[0] == 2 && !p->proven) {
        sim_fail(host->world, "host %u: an unproven address is %s", host->index, what[2]);
    }
}

static void on_trace(void *user, const struct skua_trace_event *e)
{
    struct sim_host *host = user;
    struct sim_world *world = host->world;
    hash_in(&world->hash, host->index);
    hash_in(&world->hash, e->time);
    hash_in(&world->hash, e->conn);
    hash_in(&world->hash, e->type);
    for (int i = 0; i < 4; i++) {
        hash_in(&world->hash, e->args[i]);
    }
    if (world->verbose) {
        print_event(host, e);
    }
    if (host->observe != NULL) {
        host->observe(host->observe_arg, e);
    }
    if (world->tap.trace != NULL) {
        world->tap.trace(world->tap.arg, host, e);
    }
    if (e->type == SKUA_TRACE_STATE) {
        check_transition(host, e);
    } else if (e->type == SKUA_TRACE_PACKET_SENT) {
        check_sent(host, e);
    } else if (e->type == SKUA_TRACE_PATH) {
        check_path(host, e);
    } else if (e->type == SKUA_TRACE_ECN) {
        count_ecn(world, e);
    } else if (e->type == SKUA_TRACE_MTU) {
        world->counts[SIM_COUNT_MTU_FELL] += e->args[1] < e->args[0];
    }
}

struct skua_trace sim_oracle_sink(struct sim_host *host)
{
    return (struct skua_trace){.event = on_trace, .user = host};
}

void sim_oracle_forget(struct sim_oracle *o)
{
    free(o->known);
    o->known = NULL;
    o->known_cap = o->known_count = 0;
}

void sim_oracle_deinit(struct sim_oracle *o)
{
    free(o->known);
    free(o->places);
    o->known = NULL;
    o->places = NULL;
}

void sim_oracle_received(struct sim_host *host, const struct skua_addr *peer, size_t len)
{
    place_of(&host->oracle, peer)->in += len;
}

void sim_oracle_sent(struct sim_host *host, const struct skua_addr *peer, size_t len)
{
    struct sim_place *p = place_of(&host->oracle, peer);
    p->out += len;
    if (!p->proven && p->out > 3 * p->in) {
        sim_fail(host->world, "host %u: %llu bytes to an unproven address that sent %llu",
                 host->index, (unsigned long long)p->out, (unsigned long long)p->in);
    }
}

void sim_oracle_proven(struct sim_host *host, const struct skua_addr *peer)
{
    place_of(&host->oracle, peer)->proven = true;
}

uint64_t sim_oracle_call(const struct sim_host *host, uint64_t conn)
{
    const struct skua_connection *c = skua_endpoint_conn(host->ep, conn);
    SIM_CHECK(host->world, c != NULL);
    const struct skua_id id = c->is_server ? c->ids.peer : skua_ids_own(&c->ids);
    uint64_t call = 0;
    for (unsigned i = 0; i < 8; i++) {
        call = call << 8 | id.bytes[i];
    }
    return call;
}

static void check_connection(struct sim_host *host, const struct skua_connection *c)
{
    skua_streams_check(&c->streams);
    skua_pmtud_check(&c->pmtud);
    skua_ids_check(&c->ids);
    skua_ecn_check(&c->ecn);
    if (!c->close.over) {
        skua_recovery_check(&c->recovery);
        skua_acks_check(&c->rx.acks);
        if (c->suite != 0) {
            skua_keys_check(&c->keys);
            SIM_CHECK(host->world, c->streams.packet_room == skua_tx_room(c));
        }
    }
    struct skua_conn_stats stats;
    skua_connection_stats(c, &stats);
    /* Messages that wait to be whole count in no window: one of each stream, or its length. */
    uint64_t held = c->streams.messages != NULL ? c->streams.messages->prepaid : 0;
    SIM_CHECK(host->world, held <= stats.streams_open * (c->streams.max_message + LENGTH_MAX));
    SIM_CHECK(host->world, stats.send_credit < UINT64_C(1) << 62);
    SIM_CHECK(host->world, stats.recv_buffered <= c->settings->max_recv_window + held);
    SIM_CHECK(host->world, stats.packets_acked <= stats.packets_sent);
    SIM_CHECK(host->world, stats.bytes_acked <= stats.bytes_sent);
    /* A window grows by what was acknowledged, and an undone reduction gives back no more. */
    SIM_CHECK(host->world,
              stats.cwnd <= skua_cc_initial_window(c->pmtud.max) + c->recovery.delivered);
}

void sim_oracle_turn(struct sim_host *host, bool deep)
{
    struct skua_endpoint *ep = host->ep;
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(ep, &stats);
    SIM_CHECK(host->world, stats.memory == host->heap.used);
    if (host->oracle.memory_max != 0 && stats.memory > host->oracle.memory_max) {
        sim_fail(host->world, "host %u: %llu bytes of memory, at most %llu allowed", host->index,
                 (unsigned long long)stats.memory, (unsigned long long)host->oracle.memory_max);
    }
    if (!deep) {
        return;
    }
    skua_handles_check(&ep->handles);
    skua_nummap_check(&ep->by_id);
    skua_timers_check(&ep->timers);
    skua_blocks_check(&ep->env.blocks);
    unsigned waiting = 0;
    struct skua_node *node = skua_list_first(&ep->conns);
    for (; node != NULL; node = skua_list_next(&ep->conns, node)) {
        const struct skua_connection *c = SKUA_CONTAINER_OF(node, struct skua_connection, all_link);
        check_connection(host, c);
        waiting += !c->accepted && c->handle != 0;
    }
    SIM_CHECK(host->world, ep->accept_queue == waiting);
}
