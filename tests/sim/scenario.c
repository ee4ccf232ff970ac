/* Random scenarios: see scenario.h.
 *
 * Two phases. First the network has faults. Then it heals, and from that moment everything must
 * come to its end within a time that follows from the scenario (liveness): the bytes at a tenth of
 * the link's rate, the pauses of slow readers and writers, and a fixed patience for repeats and
 * round trips. After that an endpoint must be asleep and empty. */
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/assert.h"
#include "base/time.h"
#include "onlooker.h"
#include "siege.h"

/* Repeats back off to 31 s for a SYN; whatever was lost last before the healing is sent again after
 * that. */
#define PATIENCE (100 * SKUA_SEC)
/* Half-open entries live for 63 s, and TIME_WAIT records for twice three PTOs of at most 8 s. */
#define AFTERMATH (200 * SKUA_SEC)

struct scenario {
    struct sim_world *w;
    struct sim_app *app;
    struct sim_host *server;
    struct sim_link_config link;
    struct sim_siege siege;
    struct sim_onlooker onlooker; /* where there is one */
    skua_time rtt;
    skua_time heal_at;
    skua_time patience;
    uint64_t scale;                   /* of small windows */
    uint64_t least_window;            /* smallest window of any stream */
    bool few_streams;                 /* the server allows only a few at a time */
    struct sim_host *victim;          /* whose process is killed; NULL = nobody's */
    struct sim_rng clocks;            /* what becomes of them */
    struct skua_listen_config listen; /* the server's */
    uint8_t secret[SKUA_PSK_LEN];
    char replay[128];
};

static uint32_t maybe(struct sim_rng *rng, uint32_t ppm, uint64_t least, uint64_t most)
{
    return sim_rng_chance(rng, ppm) ? (uint32_t)sim_rng_log(rng, least, most) : 0;
}

static skua_time maybe_time(struct sim_rng *rng, uint32_t ppm, skua_time least, skua_time most)
{
    return sim_rng_chance(rng, ppm) ? sim_rng_log(rng, least, most) : 0;
}

/* What the way does to marks. */
static void draw_ecn(struct sim_rng *rng, struct sim_link_config *c)
{
    uint64_t dice = sim_rng_below(rng, 100);
    c->ecn = dice < 76   ? SIM_ECN_KEEPS
             : dice < 84 ? SIM_ECN_BLEACHES
             : dice < 92 ? SIM_ECN_REMARKS
                         : SIM_ECN_SWALLOWS;
}

static void draw_link(struct scenario *s, enum sim_class class)
{
    struct sim_rng *rng = &s->w->rng;
    struct sim_link_config *c = &s->link;
    c->delay = sim_rng_log(rng, 50 * SKUA_USEC, 200 * SKUA_MSEC);
    s->rtt = 2 * c->delay;
    if (sim_rng_chance(rng, 800000)) {
        c->rate = class == SIM_LARGE ? sim_rng_log(rng, 20000000, 2000000000)
                                     : sim_rng_log(rng, 1000000, 1000000000);
        uint64_t bdp = c->rate / 8000 * (s->rtt / 1000) / 1000;
        c->queue = bdp / 10 + sim_rng_below(rng, 2 * bdp + 1);
        c->queue = c->queue < 20000 ? 20000 : c->queue;
    }
    if (sim_rng_chance(rng, 300000)) {
        c->mtu = (uint32_t)sim_rng_between(rng, s->siege.least_mtu, 9000);
    } else if (sim_rng_chance(rng, 800000)) {
        c->mtu = 1472;
    }
    if (c->queue != 0 && sim_rng_chance(rng, 400000)) {
        c->mark_above = c->queue / 10 + sim_rng_below(rng, c->queue);
    }
    c->ce = maybe(rng, 300000, 100, 200000);
    draw_ecn(rng, c);
}

static void draw_faults(struct scenario *s, enum sim_class class)
{
    struct sim_rng *rng = &s->w->rng;
    struct sim_link_config *c = &s->link;
    skua_time phase = sim_rng_log(rng, 100 * SKUA_MSEC, 10 * SKUA_SEC);
    uint32_t worst = class == SIM_LARGE ? 20000 : 300000;
    s->heal_at = s->w->now + phase;
    if (sim_rng_chance(rng, 150000)) {
        return; /* a perfect network */
    }
    c->loss = maybe(rng, 500000, worst / 100, worst);
    if (sim_rng_chance(rng, 250000)) {
        c->burst_enter = (uint32_t)sim_rng_log(rng, 1000, 100000);
        c->burst_leave = (uint32_t)sim_rng_log(rng, 50000, 500000);
        c->burst_loss = (uint32_t)sim_rng_between(rng, 300000, SIM_CERTAIN);
    }
    c->jitter = maybe_time(rng, 300000, 10 * SKUA_USEC, 20 * SKUA_MSEC);
    c->reorder = maybe(rng, 400000, 5000, 500000);
    c->reorder_time = sim_rng_log(rng, 10 * SKUA_USEC, 50 * SKUA_MSEC);
    c->duplicate = maybe(rng, 300000, 5000, 500000);
    c->corrupt = maybe(rng, 300000, worst / 100, worst);
    if (sim_rng_chance(rng, 200000)) {
        c->dark_from = s->w->now + sim_rng_below(rng, 4 * s->rtt + 100 * SKUA_MSEC);
        c->dark_to = c->dark_from + sim_rng_log(rng, 10 * SKUA_MSEC, 5 * SKUA_SEC);
    }
    if (sim_rng_chance(rng, 100000)) {
        c->hole_from = (uint32_t)sim_rng_between(rng, 1300, 5000);
        c->hole_to = c->hole_from + (uint32_t)sim_rng_between(rng, 1, 3000);
    }
}

static struct sim_host_config draw_host(struct scenario *s)
{
    struct sim_rng *rng = &s->w->rng;
    static const size_t segments[] = {1, 2, 10, 64};
    struct sim_host_config c = {
        .max_segments = segments[sim_rng_below(rng, 4)],
        .max_gro = sim_rng_chance(rng, 600000) ? 64 : 1,
        .max_sends = sim_rng_chance(rng, 800000) ? 64 : sim_rng_between(rng, 1, 4),
        .wake_delay = maybe_time(rng, 300000, SKUA_USEC, 5 * SKUA_MSEC),
        .timer_delay = maybe_time(rng, 400000, 10 * SKUA_USEC, 10 * SKUA_MSEC),
        .hold = maybe(rng, 150000, 1000, 200000),
        .hold_time = 5 * SKUA_MSEC,
        .suites = sim_rng_chance(rng, 800000) ? SKUA_SUITE_CHACHA20_POLY1305 : 0,
    };
    if (sim_rng_chance(rng, 100000)) {
        c.interface_mtu = (uint32_t)sim_rng_between(rng, s->siege.least_mtu, 3000);
    }
    if (sim_rng_chance(rng, 200000)) {
        c.max_udp_payload = (uint16_t)sim_rng_between(rng, 1200, 9000);
    }
    return c;
}

/* Bytes of datagrams that may wait; 0: the peer may send none. */
static uint32_t draw_buffer(struct sim_rng *rng)
{
    return sim_rng_chance(rng, 800000) ? (uint32_t)sim_rng_log(rng, 200, 400000) : 0;
}

/* One side's behaviour; `budget` bytes in all. */
static struct sim_plan draw_plan(struct scenario *s, uint64_t budget)
{
    struct sim_rng *rng = &s->w->rng;
    uint32_t n = (uint32_t)sim_rng_log(rng, 1, 40);
    struct sim_plan p = {
        .at_once = (uint32_t)sim_rng_log(rng, 1, 64),
        .chunk_max = sim_rng_log(rng, 1, 65536),
        .read_max = sim_rng_log(rng, 1, 65536),
        .lend = maybe(rng, 500000, 10000, SIM_CERTAIN),
        .peek = maybe(rng, 600000, 10000, SIM_CERTAIN),
        .messages = maybe(rng, 400000, 50000, SIM_CERTAIN),
        .unordered = maybe(rng, 300000, 50000, SIM_CERTAIN),
        .slow = maybe(rng, 200000, 50000, SIM_CERTAIN),
        .write_pause = maybe(rng, 200000, 10000, 500000),
        .pause = sim_rng_log(rng, SKUA_USEC, 20 * SKUA_MSEC),
        .prioritize = maybe(rng, 200000, 10000, SIM_CERTAIN),
        .confirm = maybe(rng, 200000, 10000, SIM_CERTAIN),
        .awaits = sim_rng_chance(rng, 700000),
        .more = maybe(rng, 200000, 10000, SIM_CERTAIN),
        .reset = maybe(rng, 150000, 10000, 500000),
        .stop = maybe(rng, 150000, 10000, 500000),
        .abandon = maybe(rng, 100000, 1000, 100000),
        .keep = maybe(rng, 300000, 10000, SIM_CERTAIN),
        .span = s->heal_at - s->w->now,
    };
    p.streams[0] = (uint32_t)sim_rng_below(rng, n + 1);
    p.streams[1] = (uint32_t)sim_rng_below(rng, n + 1);
    p.size_max = budget / (n + 1) + 1;
    /* Tiny pieces take long: bound their number. */
    if (p.size_max / p.chunk_max > 200) {
        p.chunk_max = p.size_max / 200 + 1;
    }
    if (sim_rng_chance(rng, 300000)) {
        p.datagrams = (uint32_t)sim_rng_log(rng, 1, 2000);
        p.datagram_max = sim_rng_log(rng, 8, 65507);
        p.datagram_burst = (uint32_t)sim_rng_log(rng, 1, 2000);
        p.datagram_dies = maybe(rng, 500000, 100000, SIM_CERTAIN);
        p.datagram_life = sim_rng_log(rng, 1, SKUA_SEC);
        p.datagram_pause = sim_rng_log(rng, SKUA_USEC, 50 * SKUA_MSEC);
    }
    if (sim_rng_chance(rng, 100000)) {
        p.pings = (uint32_t)sim_rng_between(rng, 1, 5);
    }
    if (sim_rng_chance(rng, 150000)) {
        p.key_updates = (uint32_t)sim_rng_between(rng, 1, 8);
    }
    p.accept_after = maybe_time(rng, 200000, SKUA_USEC, SKUA_SEC);
    return p;
}

/* ... and what the other side writes is read in not much more pieces than it is written in. */
static void bound_reads(struct sim_plan *reader, const struct sim_plan *writer)
{
    if (writer->size_max / reader->read_max > 200) {
        reader->read_max = writer->size_max / 200 + 1;
    }
}

/* How the two sides end, so that the connection comes to an end. */
static void draw_ends(struct scenario *s, struct sim_conn *c)
{
    struct sim_rng *rng = &s->w->rng;
    static const enum sim_end pairs[][2] = {
        {SIM_END_CLOSE, SIM_END_CLOSE},    {SIM_END_CLOSE, SIM_END_WAIT},
        {SIM_END_WAIT, SIM_END_CLOSE},     {SIM_END_SHUTDOWN, SIM_END_WAIT},
        {SIM_END_WAIT, SIM_END_SHUTDOWN},  {SIM_END_SHUTDOWN, SIM_END_SHUTDOWN},
        {SIM_END_SHUTDOWN, SIM_END_CLOSE}, {SIM_END_CLOSE, SIM_END_SHUTDOWN},
    };
    uint64_t k = sim_rng_below(rng, sizeof pairs / sizeof pairs[0]);
    c->plan.end = pairs[k][0];
    c->peer_plan.end = pairs[k][1];
    struct sim_plan *one = sim_rng_chance(rng, 500000) ? &c->plan : &c->peer_plan;
    skua_time at = 1 + sim_rng_log(rng, SKUA_USEC, 2 * SKUA_SEC);
    uint64_t dice = sim_rng_below(rng, 100);
    if (dice < 8) {
        one->end = SIM_END_EARLY;
        one->end_at = at;
    } else if (dice < 16) {
        one->end = SIM_END_ABORT;
        one->end_at = at;
    } else if (dice < 24 && one->end == SIM_END_SHUTDOWN) {
        one->end_at = at;
    } else if (dice < 26) {
        one->end = SIM_END_NEVER;
        c->config.idle_timeout_ns = sim_rng_log(rng, SKUA_SEC, 20 * SKUA_SEC);
        c->may_fail = true;
    }
}

static void start(void *arg)
{
    struct sim_conn *c = arg;
    if (sim_early_waits(c)) {
        sim_at(c->app->world, sim_early_look_again(c), start, c);
    } else {
        sim_app_start(c);
    }
}

/* One of the two gives up soon: when the SYN and what answers it are under way. */
static void end_soon(struct scenario *s, struct sim_conn *c)
{
    struct sim_rng *rng = &s->w->rng;
    struct sim_plan *one = sim_rng_chance(rng, 600000) ? &c->plan : &c->peer_plan;
    one->end = sim_rng_chance(rng, 500000) ? SIM_END_EARLY : SIM_END_ABORT;
    one->end_at = 1 + sim_rng_log(rng, SKUA_USEC, 2 * s->rtt);
}

/* Early data, or a token to send some the next time. */
static void draw_early(struct scenario *s, struct sim_conn *c)
{
    struct sim_rng *rng = &s->w->rng;
    if (!s->siege.early || c->expected == SKUA_EPEERKEY) {
        return;
    }
    c->config.tokens = sim_rng_chance(rng, 900000);
    c->plan.uses_token = c->next != NULL && sim_rng_chance(rng, 800000);
    if (c->plan.uses_token) {
        c->plan.streams[1] += c->plan.streams[0] + c->plan.streams[1] == 0;
        if (c->expected == SKUA_OK && sim_rng_chance(rng, 150000)) {
            end_soon(s, c);
        }
    }
}

static void note_window(struct scenario *s, const struct skua_conn_config *c)
{
    uint64_t window =
        c->max_recv_window < c->max_stream_window ? c->max_recv_window : c->max_stream_window;
    s->least_window = window < s->least_window ? window : s->least_window;
}

static enum skua_controller draw_controller(struct scenario *s)
{
    unsigned n = 1;
    while (skua_controller_name((enum skua_controller)(n + 1)) != NULL) {
        n++;
    }
    enum skua_controller c = (enum skua_controller)sim_rng_between(&s->w->rng, 1, n);
    s->w->counts[SIM_COUNT_NEWRENO] += c == SKUA_CONTROLLER_NEWRENO;
    s->w->counts[SIM_COUNT_CUBIC] += c == SKUA_CONTROLLER_CUBIC;
    return c;
}

static void draw_conn(struct scenario *s, struct sim_host *from, bool psk, const uint8_t *secret,
                      const char *label, uint64_t budget)
{
    struct sim_rng *rng = &s->w->rng;
    /* One at a time for an address. */
    bool rendezvous = s->app->conns == NULL && sim_rng_chance(rng, 100000);
    struct sim_conn *c =
        sim_app_conn(s->app, from, (unsigned)sim_rng_below(rng, SIM_SOCKETS_MAX - 1), s->server);
    c->plan = draw_plan(s, budget);
    c->peer_plan = draw_plan(s, budget);
    bound_reads(&c->plan, &c->peer_plan);
    bound_reads(&c->peer_plan, &c->plan);
    c->plan.early = sim_rng_chance(rng, 200000);
    draw_ends(s, c);
    memcpy(c->psk, secret, sizeof c->psk);
    c->config.psk = psk ? c->psk : NULL;
    (void)snprintf(c->label, sizeof c->label, "%s", label);
    c->config.label = c->label;
    uint64_t dice = sim_rng_below(rng, 100);
    if (rendezvous) {
        c->pin = *skua_endpoint_key(s->server->ep);
        c->config.server_key = sim_rng_chance(rng, 700000) ? &c->pin : NULL;
        c->config.ik = c->config.server_key != NULL && sim_rng_chance(rng, 500000);
    } else if (dice < 30) { /* a pin, two thirds of them with IK */
        c->pin = *skua_endpoint_key(s->server->ep);
        c->config.server_key = &c->pin;
        c->config.ik = dice < 20;
    } else if (dice < 34) {
        c->pin = *skua_endpoint_key(from->ep);
        c->config.server_key = &c->pin;
        c->config.ik = dice < 32;
        c->expected = SKUA_EPEERKEY;
        c->plan.end_at = 0; /* nobody closes it before it has found out */
        c->plan.early = false;
    } else if (dice < 38) {
        c->peer_plan.refuse = true;
    } else if (dice < 40) {
        (void)snprintf(c->label, sizeof c->label, "no such label");
        c->expected = SKUA_ECONNREFUSED;
        c->plan.end_at = 0;
    }
    if (s->siege.bans && from->index == 1 && c->expected == SKUA_OK && !rendezvous) {
        c->expected = SKUA_ECONNREFUSED;
        c->plan.end_at = 0;
    }
    c->may_fail = c->may_fail || s->siege.shuts_out;
    c->may_overflow = s->siege.abort_on_overflow;
    c->config.close_timeout_ns = 600 * SKUA_SEC; /* slow readers are welcome */
    c->config.controller = draw_controller(s);
    c->config.fin_wait2_timeout_ns = 600 * SKUA_SEC;
    if (sim_rng_chance(rng, 100000)) {
        c->config.max_recv_window = sim_rng_log(rng, 2000, 100000) * s->scale;
        c->config.max_stream_window = sim_rng_log(rng, 1000, 100000) * s->scale;
        note_window(s, &c->config);
    }
    if (sim_rng_chance(rng, 100000)) {
        c->config.max_streams_bidi = (uint32_t)sim_rng_between(rng, 1, 4);
        c->config.max_streams_uni = (uint32_t)sim_rng_between(rng, 1, 4);
        c->plan.keep = 0; /* a stream whose handle is kept counts */
    }
    if (!rendezvous) {
        draw_early(s, c);
    }
    c->config.datagram_buffer = draw_buffer(rng);
    c->config.max_message = maybe(rng, 500000, 1, 100000);
    c->peer_plan.keep = s->few_streams ? 0 : c->peer_plan.keep;
    sim_at(s->w, s->w->now + maybe_time(rng, 500000, SKUA_USEC, SKUA_SEC), start, c);
    if (rendezvous) {
        sim_at(s->w, s->w->now + maybe_time(rng, 700000, SKUA_USEC, 10 * SKUA_SEC), start,
               sim_app_mate(c));
    }
}

static void rebind(void *arg)
{
    struct sim_host *host = arg;
    struct sim_world *w = host->world;
    bool address = sim_rng_chance(&w->rng, 300000);
    sim_nat_rebind(&host->nat, address);
    w->counts[address ? SIM_COUNT_NAT_ADDRESS : SIM_COUNT_NAT_PORT]++;
}

/* Addresses change: NATs forget, sockets go away, and applications move. Who is silent cannot be
 * found behind a NAT that has forgotten him: clients there keep the way open. */
static void draw_paths(struct scenario *s)
{
    struct sim_world *w = s->w;
    struct sim_rng *rng = &w->rng;
    bool rendezvous = s->app->conns != NULL && s->app->conns->mate != NULL;
    for (struct sim_conn *c = s->app->conns; c != NULL; c = c->next) {
        rendezvous = rendezvous || c->mate != NULL;
    }
    for (struct sim_conn *c = s->app->conns; c != NULL && !rendezvous; c = c->next) {
        if (sim_rng_chance(rng, 200000)) {
            c->plan.moves = (uint32_t)sim_rng_between(rng, 1, 8);
        }
        c->plan.losses = sim_rng_chance(rng, 100000);
    }
    for (unsigned i = 1; i < w->hosts && !rendezvous; i++) {
        if (!w->host[i].nat.on || sim_rng_chance(rng, 300000)) {
            continue;
        }
        for (uint64_t n = sim_rng_log(rng, 1, 30); n > 0; n--) {
            sim_at(w, w->now + sim_rng_below(rng, s->heal_at - w->now + 1), rebind, &w->host[i]);
        }
        for (struct sim_conn *c = s->app->conns; c != NULL; c = c->next) {
            bool ends = c->plan.end != SIM_END_NEVER && c->peer_plan.end != SIM_END_NEVER;
            if (c->host == &w->host[i] && ends) {
                c->config.keepalive_time_ns = sim_rng_log(rng, 100 * SKUA_MSEC, 2 * SKUA_SEC);
                c->config.keepalive_intvl_ns = c->config.keepalive_time_ns;
                c->config.keepalive_probes = 1000;
            }
        }
    }
}

static void heal(void *arg)
{
    struct scenario *s = arg;
    for (unsigned i = 0; i < s->w->hosts; i++) {
        s->w->host[i].mute = 0;
        for (unsigned k = 0; k < s->w->hosts; k++) {
            sim_link_heal(&s->w->link[i][k]);
        }
    }
    s->w->counts[SIM_COUNT_HEALED]++;
}

/* The link changes while it is in use: another route. */
static void change(void *arg)
{
    struct scenario *s = arg;
    struct sim_rng *rng = &s->w->rng;
    for (unsigned i = 0; i < s->w->hosts; i++) {
        struct sim_link_config *c = &s->w->link[i][i == 0 ? 1 : 0].config;
        c->delay = c->delay / 2 + sim_rng_below(rng, c->delay + 1);
        if (c->mtu != 0 && sim_rng_chance(rng, 400000)) {
            c->mtu = (uint32_t)sim_rng_between(rng, s->siege.least_mtu, 3000);
        }
        if (c->rate != 0 && sim_rng_chance(rng, 400000)) {
            c->rate = c->rate / 2 + sim_rng_below(rng, c->rate);
        }
        if (sim_rng_chance(rng, 300000)) {
            draw_ecn(rng, c);
        }
    }
    s->w->counts[SIM_COUNT_LINK_CHANGE]++;
}

static void dump(struct sim_world *w)
{
    sim_app_dump(w->user);
}

static void listen_at_server(struct scenario *s)
{
    SIM_CHECK(s->w, skua_endpoint_listen(s->server->ep, &s->listen) == SKUA_OK);
    SIM_CHECK(s->w, skua_endpoint_listen(s->server->ep, &s->listen) == SKUA_ESTATE);
}

static void draw_listener(struct scenario *s, bool psk, const char *label)
{
    struct sim_rng *rng = &s->w->rng;
    struct skua_listen_config c = SKUA_LISTEN_CONFIG_INIT;
    c.conn.close_timeout_ns = 600 * SKUA_SEC;
    c.conn.controller = draw_controller(s);
    c.conn.fin_wait2_timeout_ns = 600 * SKUA_SEC;
    c.conn.psk = psk ? s->secret : NULL;
    c.conn.label = label;
    sim_siege_listen(&s->siege, &c);
    if (sim_rng_chance(rng, 100000)) {
        c.conn.max_recv_window = sim_rng_log(rng, 2000, 100000) * s->scale;
        c.conn.max_stream_window = sim_rng_log(rng, 1000, 100000) * s->scale;
        note_window(s, &c.conn);
        c.conn.max_streams_bidi = (uint32_t)sim_rng_between(rng, 1, 4);
        s->few_streams = true;
    }
    c.conn.max_message = maybe(rng, 500000, 1, 100000);
    c.conn.datagram_buffer = s->app->datagram_buffer = draw_buffer(rng);
    s->listen = c;
    listen_at_server(s);
}

/* The process of the server, or of a client, is killed and started again, with the same key and the
 * same settings. */
static void crash(void *arg)
{
    struct scenario *s = arg;
    sim_app_crash(s->victim);
    if (s->victim == s->server) {
        listen_at_server(s);
    }
}

/* Somebody's clock falls back, by a tick or by minutes. */
static void fall_back(void *arg)
{
    struct scenario *s = arg;
    struct sim_host *host = &s->w->host[sim_rng_below(&s->clocks, s->w->hosts)];
    sim_host_clock_back(host, sim_rng_log(&s->clocks, SKUA_MSEC, 300 * SKUA_SEC));
    s->w->counts[SIM_COUNT_CLOCK_BACK]++;
}

static void draw_clocks(struct scenario *s)
{
    s->clocks = sim_rng_split(s->w->seed, 500);
    if (sim_rng_chance(&s->clocks, 100000)) {
        for (uint64_t n = sim_rng_between(&s->clocks, 1, 3); n > 0; n--) {
            skua_time in = sim_rng_log(&s->clocks, SKUA_MSEC, 5 * SKUA_SEC);
            sim_at(s->w, s->w->now + in, fall_back, s);
        }
    }
}

/* What the applications write, twice over for both ends of a transfer; up to two blocks in excess
 * for each direction of a stream; and what connections and their packets take. */
static void bound_memory(struct scenario *s, uint64_t bytes, uint32_t conns)
{
    uint64_t most = (UINT64_C(3) << 20) + conns * (UINT64_C(256) << 10) + 4 * bytes;
    for (const struct sim_conn *c = s->app->conns; c != NULL; c = c->next) {
        /* Queues of datagrams: what may be in them, four times over, as their rings double. */
        most += c->plan.datagrams + c->peer_plan.datagrams > 0 ? UINT64_C(10) << 20 : 0;
        for (unsigned uni = 0; uni < 2; uni++) {
            most += (c->plan.streams[uni] + c->peer_plan.streams[uni]) * UINT64_C(20000);
        }
    }
    for (unsigned i = 0; i < s->w->hosts; i++) {
        s->w->host[i].oracle.memory_max = s->w->host[i].oracle.memory_base + most;
    }
}

static void draw(struct scenario *s, enum sim_class class)
{
    struct sim_world *w = s->w;
    struct sim_rng *rng = &w->rng;
    sim_siege_draw(&s->siege, rng);
    draw_link(s, class);
    draw_faults(s, class);
    unsigned clients = sim_rng_chance(rng, 300000) ? 2 : 1;
    for (unsigned i = 0; i <= clients; i++) {
        struct sim_host_config config = draw_host(s);
        (void)sim_world_host(w, &config, &sim_app_program);
    }
    s->server = &w->host[0];
    for (unsigned i = 1; i <= clients; i++) {
        if (sim_rng_chance(rng, 300000)) {
            const struct sim_nat_config nat = {.symmetric = sim_rng_chance(rng, 300000),
                                               .open = sim_rng_chance(rng, 300000)};
            sim_host_nat(&w->host[i], &nat);
            w->counts[SIM_COUNT_NAT]++;
        }
        sim_world_connect(w, s->server, &w->host[i], &s->link);
    }
    s->app = sim_app_new(w);
    s->app->heal_at = s->heal_at;
    for (size_t i = 0; i < sizeof s->secret; i++) {
        s->secret[i] = (uint8_t)sim_rng_next(rng);
    }
    bool psk = !s->siege.early && sim_rng_chance(rng, 100000);
    const char *label = sim_rng_chance(rng, 500000) ? "" : "sim";
    s->siege.banned = *skua_endpoint_key(w->host[1].ep);
    draw_listener(s, psk, label);
    sim_siege_start(&s->siege, s->server);
    uint64_t most = class == SIM_LARGE ? UINT64_C(40) << 20 : UINT64_C(1) << 20;
    uint64_t bytes =
        class == SIM_LARGE ? sim_rng_between(rng, most / 8, most) : sim_rng_log(rng, 4096, most);
    uint32_t conns = (uint32_t)sim_rng_between(rng, 1, class == SIM_LARGE ? 2 : 4);
    conns += s->siege.early ? 1 : 0;
    for (uint32_t i = 0; i < conns; i++) {
        struct sim_host *from = &w->host[1 + sim_rng_below(rng, clients)];
        draw_conn(s, from, psk, s->secret, label, bytes / conns);
    }
    draw_paths(s);
    bound_memory(s, bytes, conns);
    if (sim_rng_chance(rng, 100000)) {
        s->victim = sim_rng_chance(rng, 700000) ? s->server : &w->host[1];
        sim_at(w, w->now + sim_rng_log(rng, SKUA_MSEC, 3 * SKUA_SEC), crash, s);
    }
    if (sim_rng_chance(rng, s->siege.early ? 400000 : 150000)) {
        sim_onlooker_start(&s->onlooker, w, s->heal_at);
    }
    sim_at(w, s->heal_at, heal, s);
    if (sim_rng_chance(rng, 200000)) {
        for (uint64_t n = sim_rng_between(rng, 1, 4); n > 0; n--) {
            sim_at(w, w->now + sim_rng_below(rng, 10 * s->rtt + 100 * SKUA_MSEC), change, s);
        }
    }
    draw_clocks(s);
    s->patience = PATIENCE + 40 * s->rtt;
    s->patience += bytes * 2 / s->least_window * (2 * s->rtt + 50 * SKUA_MSEC);
    if (s->link.rate != 0) {
        s->patience += bytes * 4 * 8 * 10 * 1000 / (s->link.rate / 1000) * SKUA_USEC;
    }
}

static void finish(struct scenario *s)
{
    struct sim_world *w = s->w;
    skua_time end = skua_time_max(s->heal_at, w->now) + s->patience;
    while (!sim_app_done(s->app) || w->now < s->heal_at) {
        if (w->now >= end) {
            sim_fail(w, "not over in time");
        }
        (void)sim_run(w, skua_time_min(w->now + SKUA_SEC / 4, end));
    }
    skua_time over = w->now;
    /* Nothing is left to be done, ever. */
    if (!sim_run(w, w->now + AFTERMATH)) {
        sim_fail(w, "an endpoint does not come to rest");
    }
    w->now = over;
    for (unsigned i = 0; i < w->hosts; i++) {
        struct skua_endpoint_stats stats;
        skua_endpoint_stats(w->host[i].ep, &stats);
        SIM_CHECK(w, skua_endpoint_next_timeout(w->host[i].ep) == SKUA_NEVER);
        SIM_CHECK(w, stats.conns == 0 && stats.half_open == 0 && stats.time_wait == 0);
        SIM_CHECK(w, stats.accept_queue == 0);
        /* Tables do not shrink, and some blocks wait for the next connection. */
        SIM_CHECK(w, stats.memory <= w->host[i].oracle.memory_base + (UINT64_C(5) << 18));
    }
    sim_siege_count(s->server, w->counts);
    sim_app_verify(s->app);
}

static void run(struct scenario *s, enum sim_class class, struct sim_result *out)
{
    s->scale = class == SIM_LARGE ? 100 : 1;
    s->least_window = UINT64_MAX;
    s->w->replay = s->replay;
    s->w->dump = dump;
    skua_time start_at = s->w->now;
    draw(s, class);
    finish(s);
    out->hash = s->w->hash;
    out->took = s->w->now - start_at;
    memcpy(out->counts, s->w->counts, sizeof out->counts);
    sim_app_free(s->app);
    sim_world_free(s->w);
}

void sim_scenario(enum sim_class class, uint64_t seed, bool verbose, struct sim_result *out)
{
    struct scenario s = {.w = sim_world_new(seed)};
    (void)snprintf(s.replay, sizeof s.replay, "sim replay %s %llu -v",
                   class == SIM_LARGE ? "large" : "small", (unsigned long long)seed);
    s.w->verbose = verbose;
    run(&s, class, out);
}

void sim_scenario_script(const uint8_t *script, size_t len)
{
    struct scenario s = {.w = sim_world_new(1)};
    struct sim_result result;
    s.w->rng.script = script;
    s.w->rng.script_len = len;
    run(&s, SIM_SMALL, &result);
}
