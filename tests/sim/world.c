/* See world.h. */
#include "world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/time.h"

/* What clocks show at first: not 0, and so much that they can fall back. */
#define CLOCK_BEGIN (1000 * SKUA_SEC)

enum { ROOM = 65535, BUFFERS_PER_TURN = 16, SPINS_MAX = 2000, DEEP_EVERY = 32 };

/* --- events --- */

struct sim_event {
    skua_time at;
    uint64_t order;
    struct sim_host *host;         /* whose datagram or turn; NULL for a call */
    struct sim_datagram *datagram; /* arrives; NULL for a turn */
    sim_call call;
    void *arg;
};

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static uint64_t push(struct sim_world *w, struct sim_event event)
{
    if (w->heap_len == w->heap_cap) {
        w->heap_cap = w->heap_cap != 0 ? w->heap_cap * 2 : 256;
        w->heap = realloc(w->heap, w->heap_cap * sizeof *w->heap);
        SKUA_ASSERT(w->heap != NULL);
    }
    event.at = skua_time_max(event.at, w->now);
    event.order = ++w->order;
    size_t i = w->heap_len++;
    while (i > 0 && before(&event, &w->heap[(i - 1) / 2])) {
        w->heap[i] = w->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->heap[i] = event;
    return event.order;
}

static struct sim_event pop(struct sim_world *w)
{
    struct sim_event first = w->heap[0];
    struct sim_event last = w->heap[--w->heap_len];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->heap_len; i = child) {
        if (child + 1 < w->heap_len && before(&w->heap[child + 1], &w->heap[child])) {
            child++;
        }
        if (!before(&w->heap[child], &last)) {
            break;
        }
        w->heap[i] = w->heap[child];
    }
    w->heap[i] = last;
    return first;
}

void sim_at(struct sim_world *w, skua_time at, sim_call call, void *arg)
{
    push(w, (struct sim_event){.at = at, .call = call, .arg = arg});
}

/* What the clock of a host shows. */
static skua_time clock_of(const struct sim_host *host)
{
    return host->world->now - host->clock_lag;
}

void sim_host_wake(struct sim_host *host, skua_time at)
{
    at = skua_time_max(skua_time_max(at, host->world->now), host->asleep_till);
    if (at < host->wake_at) {
        host->wake_at = at;
        host->wake_id = push(host->world, (struct sim_event){.at = at, .host = host});
    }
}

/* --- making worlds --- */

struct sim_world *sim_world_new(uint64_t seed)
{
    struct sim_world *w = calloc(1, sizeof *w);
    SKUA_ASSERT(w != NULL);
    w->seed = seed;
    w->now = CLOCK_BEGIN;
    w->rng = sim_rng_split(seed, 0);
    w->hash = seed;
    w->replay = "";
    return w;
}

static void fill_random(void *user, void *out, size_t len)
{
    struct sim_rng *rng = user;
    uint8_t *p = out;
    while (len > 0) {
        uint64_t v = sim_rng_next(rng);
        size_t n = len < 8 ? len : 8;
        for (size_t i = 0; i < n; i++) { /* not memcpy: the same on every machine */
            p[i] = (uint8_t)(v >> 8 * i);
        }
        p += n;
        len -= n;
    }
}

/* The process on the host starts: an endpoint with the host's key. */
static void boot(struct sim_host *host)
{
    struct skua_rng rng = {.fill = fill_random, .user = &host->rng};
    struct skua_alloc alloc = sim_heap_vtable(&host->heap);
    struct skua_trace trace = sim_oracle_sink(host);
    struct skua_config c = SKUA_CONFIG_INIT;
    c.key = &host->key;
    c.rng = &rng;
    c.alloc = &alloc;
    c.trace = &trace;
    c.max_udp_payload = host->config.max_udp_payload;
    c.suites = host->config.suites;
    enum skua_err err = skua_endpoint_new(&host->ep, &c);
    SIM_CHECK(host->world, err == SKUA_OK);
    host->oracle.memory_base = host->heap.used;
    host->boots++;
}

struct sim_host *sim_world_host(struct sim_world *w, const struct sim_host_config *config,
                                const struct sim_program *program)
{
    static const struct sim_host_config ideal = {
        .max_segments = 64, .max_gro = 64, .max_sends = 64};
    SKUA_ASSERT(w->hosts < SIM_HOSTS_MAX);
    struct sim_host *host = &w->host[w->hosts];
    host->world = w;
    host->index = w->hosts++;
    host->config = config != NULL ? *config : ideal;
    host->program = *program;
    host->rng = sim_rng_split(w->seed, 100 + host->index);
    host->driver_rng = sim_rng_split(w->seed, 200 + host->index);
    host->wake_at = SKUA_NEVER;
    host->room = malloc(ROOM);
    struct skua_rng rng = {.fill = fill_random, .user = &host->rng};
    skua_key_generate(&host->key, &rng);
    boot(host);
    return host;
}

struct sim_link *sim_link_between(struct sim_host *from, struct sim_host *to)
{
    return &from->world->link[from->index][to->index];
}

static void link_init(struct sim_host *from, struct sim_host *to,
                      const struct sim_link_config *config)
{
    struct sim_link *link = sim_link_between(from, to);
    link->config = *config;
    link->rng = sim_rng_split(from->world->seed, 300 + from->index * SIM_HOSTS_MAX + to->index);
}

void sim_world_connect(struct sim_world *w, struct sim_host *a, struct sim_host *b,
                       const struct sim_link_config *config)
{
    SKUA_ASSERT(a->world == w && b->world == w);
    link_init(a, b, config);
    link_init(b, a, config);
}

static void drop_inbox(struct sim_host *host)
{
    while (host->in_first != NULL) {
        struct sim_datagram *d = host->in_first;
        host->in_first = d->next;
        free(d);
    }
    host->in_last = NULL;
}

void sim_host_restart(struct sim_host *host)
{
    skua_endpoint_free(host->ep);
    SIM_CHECK(host->world, host->heap.used == 0 && host->heap.blocks == 0);
    drop_inbox(host);
    sim_oracle_forget(&host->oracle);
    host->wake_at = SKUA_NEVER;
    host->wake_id = 0;
    boot(host);
}

void sim_host_suspend(struct sim_host *host, skua_time till, bool clock_goes_on)
{
    drop_inbox(host);
    host->asleep_till = till;
    host->clock_lag += clock_goes_on ? 0 : till - host->world->now;
    host->wake_at = SKUA_NEVER;
    sim_host_wake(host, till);
}

void sim_host_clock_back(struct sim_host *host, skua_time fall)
{
    host->clock_lag += fall;
    SKUA_ASSERT(host->clock_lag < CLOCK_BEGIN);
}

void sim_world_free(struct sim_world *w)
{
    for (unsigned i = 0; i < w->hosts; i++) {
        struct sim_host *host = &w->host[i];
        skua_endpoint_free(host->ep);
        SIM_CHECK(w, host->heap.used == 0 && host->heap.blocks == 0);
        drop_inbox(host);
        sim_oracle_deinit(&host->oracle);
        free(host->room);
    }
    for (size_t i = 0; i < w->heap_len; i++) {
        free(w->heap[i].datagram);
    }
    free(w->heap);
    free(w);
}

/* --- addresses --- */

struct skua_addr sim_addr(const struct sim_host *host, unsigned socket)
{
    return (struct skua_addr){.family = SKUA_FAMILY_IPV4,
                              .port = (uint16_t)(SIM_PORT + socket),
                              .ip = {10, 0, 0, (uint8_t)(host->index + 1)}};
}

struct skua_path sim_path(const struct sim_host *from, unsigned socket, const struct sim_host *to)
{
    return (struct skua_path){
        .socket = socket, .local = sim_addr(from, socket), .remote = sim_addr(to, 0)};
}

struct skua_path sim_path_seen(struct sim_host *from, unsigned socket, struct sim_host *to,
                               unsigned to_socket)
{
    struct skua_path path = {
        .socket = socket, .local = sim_addr(from, socket), .remote = sim_addr(to, to_socket)};
    if (to->nat.on) {
        /* What it shows to one it shows to all, unless it is symmetric. */
        const struct skua_addr outer =
            from->nat.on ? sim_nat_outer(&from->nat, &path.local, &path.remote) : path.local;
        path.remote = sim_nat_outer(&to->nat, &path.remote, &outer);
    }
    return path;
}

void sim_host_nat(struct sim_host *host, const struct sim_nat_config *config)
{
    sim_nat_init(&host->nat, host->index, config);
}

struct sim_host *sim_host_at(struct sim_world *w, const struct skua_addr *addr)
{
    unsigned index = sim_nat_host_of(addr);
    bool by_nat = index < w->hosts;
    if (!by_nat) {
        index = addr->ip[0] == 10 ? addr->ip[3] - 1u : w->hosts;
    }
    return index < w->hosts && w->host[index].nat.on == by_nat ? &w->host[index] : NULL;
}

/* --- datagrams --- */

static struct sim_datagram *copy_datagram(const struct sim_datagram *from)
{
    struct sim_datagram *d = malloc(sizeof *d + from->len);
    SKUA_ASSERT(d != NULL);
    memcpy(d, from, sizeof *d + from->len);
    return d;
}

static struct sim_datagram *new_datagram(const struct skua_addr *from, const struct skua_addr *to,
                                         const void *bytes, size_t len)
{
    struct sim_datagram *d = malloc(sizeof *d + len);
    SKUA_ASSERT(d != NULL);
    *d = (struct sim_datagram){.from = *from, .to = *to, .len = len};
    if (len > 0) {
        memcpy(d->bytes, bytes, len);
    }
    return d;
}

void sim_inject(struct sim_host *host, const struct skua_addr *from, const struct skua_addr *to,
                const void *bytes, size_t len, skua_time at)
{
    push(host->world, (struct sim_event){
                          .at = at, .host = host, .datagram = new_datagram(from, to, bytes, len)});
}

/* For -v: what becomes of a datagram on its way. */
static void tell(const struct sim_host *host, const struct sim_datagram *d,
                 const struct sim_fate *fate)
{
    const uint8_t *a = d->from.ip, *b = d->to.ip;
    printf("%14.6f ms  %*s%u net %u.%u.%u.%u:%u > %u.%u.%u.%u:%u type=%02x bytes=%zu ecn=%u ",
           (double)host->world->now / 1e6, (int)host->index * 4, "", host->index, a[0], a[1], a[2],
           a[3], d->from.port, b[0], b[1], b[2], b[3], d->to.port, d->bytes[0], d->len, d->ecn);
    if (fate->copies == 0) {
        printf("lost\n");
        return;
    }
    printf("arrives=%.6f%s%s\n", (double)fate->at[0] / 1e6, fate->copies > 1 ? " twice" : "",
           fate->flips > 0 ? " damaged" : "");
}

static void offer(struct sim_host *host, struct sim_datagram *d)
{
    struct sim_world *w = host->world;
    if (host->nat.on) {
        sim_nat_out(&host->nat, d);
    }
    struct sim_host *to = sim_host_at(w, &d->to);
    struct sim_link *link = sim_link_between(host, to != NULL ? to : host);
    struct sim_fate fate = {.copies = 0};
    if (to != NULL) {
        sim_link_offer(link, d, w->now, &fate, w->counts);
    }
    if (w->verbose) {
        tell(host, d, &fate);
    }
    if (w->tap.sent != NULL) {
        w->tap.sent(w->tap.arg, host, d, &fate);
    }
    for (unsigned i = 0; i < fate.copies && to != NULL; i++) {
        struct sim_datagram *copy = copy_datagram(d);
        copy->ecn = fate.ecn;
        for (unsigned k = 0; i == 0 && k < fate.flips; k++) {
            uint64_t bit = sim_rng_below(&link->rng, copy->len * 8);
            copy->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        push(w, (struct sim_event){.at = fate.at[i], .host = to, .datagram = copy});
    }
    free(d);
}

/* A batch that the socket kept back. */
struct held {
    struct sim_host *host;
    struct sim_datagram *first;
};

static void release_held(void *arg)
{
    struct held *held = arg;
    while (held->first != NULL) {
        struct sim_datagram *d = held->first;
        held->first = d->next;
        d->next = NULL;
        offer(held->host, d);
    }
    free(held);
}

/* --- the driver --- */

static void transmit(struct sim_host *host, const struct skua_tx *tx)
{
    struct sim_world *w = host->world;
    const struct sim_host_config *c = &host->config;
    SIM_CHECK(w, tx->segment_size > 0 && tx->segment_size <= tx->len && tx->len <= tx->cap);
    SIM_CHECK(w, (tx->len + tx->segment_size - 1) / tx->segment_size <= tx->max_segments);
    if (c->interface_mtu != 0 && tx->segment_size > c->interface_mtu) {
        w->counts[SIM_COUNT_REFUSED_SEND]++;
        skua_endpoint_send_result(host->ep, tx, EMSGSIZE, clock_of(host));
        return;
    }
    if (w->tap.batch != NULL) {
        w->tap.batch(w->tap.arg, host, (tx->len + tx->segment_size - 1) / tx->segment_size);
    }
    if ((host->mute >> tx->path.socket & 1) != 0) {
        const struct sim_host *to = sim_host_at(w, &tx->path.remote);
        if (to != NULL) {
            w->link[host->index][to->index].spoilt_at = w->now;
        }
        return;
    }
    const bool told = tx->path.local.family != SKUA_FAMILY_NONE;
    const struct skua_addr from = told ? tx->path.local : sim_addr(host, tx->path.socket);
    struct held *held = NULL;
    struct sim_datagram **last = NULL;
    if (c->hold_time != 0 && sim_rng_chance(&host->driver_rng, c->hold)) {
        held = calloc(1, sizeof *held);
        SKUA_ASSERT(held != NULL);
        held->host = host;
        last = &held->first;
        host->held_till = w->now + 1 + sim_rng_below(&host->driver_rng, c->hold_time);
        w->counts[SIM_COUNT_HELD_SEND]++;
    }
    for (size_t at = 0; at < tx->len; at += tx->segment_size) {
        size_t len = tx->len - at < tx->segment_size ? tx->len - at : tx->segment_size;
        struct sim_datagram *d = new_datagram(&from, &tx->path.remote, tx->data + at, len);
        d->ecn = tx->ecn;
        w->counts[SIM_COUNT_DATAGRAM]++;
        sim_oracle_sent(host, &tx->path.remote, len);
        if (held != NULL) {
            *last = d;
            last = &d->next;
        } else {
            offer(host, d);
        }
    }
    if (held != NULL) {
        sim_at(w, host->held_till, release_held, held);
    }
}

/* Does `d` go into the same buffer as what begins with `first`? GRO: one flow, one size. */
static bool coalesces(const struct sim_datagram *first, const struct sim_datagram *d, size_t total)
{
    return memcmp(&first->from, &d->from, sizeof d->from) == 0 &&
           memcmp(&first->to, &d->to, sizeof d->to) == 0 && first->ecn == d->ecn &&
           d->len <= first->len && d->len > 0 && total + d->len <= ROOM;
}

/* Takes from the inbox what makes one receive buffer. */
static struct skua_rx take_buffer(struct sim_host *host)
{
    struct sim_datagram *first = host->in_first;
    size_t gro = host->config.max_gro > 1
                     ? (size_t)sim_rng_between(&host->driver_rng, 1, host->config.max_gro)
                     : 1;
    size_t total = 0, n = 0;
    uint8_t *bytes = malloc(first->len * gro + 1 < ROOM ? first->len * gro + 1 : ROOM);
    SKUA_ASSERT(bytes != NULL);
    struct skua_rx rx = {.path = {.socket = first->to.port - (unsigned)SIM_PORT,
                                  .local = first->to,
                                  .remote = first->from},
                         .data = bytes,
                         .ecn = first->ecn,
                         .segment_size = first->len};
    bool last = false;
    struct sim_datagram *d = first;
    struct sim_datagram *rest = first;
    while (d != NULL && n < gro && !last && (n == 0 || coalesces(first, d, total))) {
        memcpy(bytes + total, d->bytes, d->len);
        total += d->len;
        n++;
        last = d->len < first->len; /* a shorter one ends the buffer */
        sim_oracle_received(host, &d->from, d->len);
        d = d->next;
    }
    while (rest != d) {
        struct sim_datagram *next = rest->next;
        free(rest);
        rest = next;
    }
    host->in_first = d;
    host->in_last = d != NULL ? host->in_last : NULL;
    rx.len = total;
    host->world->counts[SIM_COUNT_GRO] += n > 1;
    return rx;
}

static void poll_events(struct sim_host *host)
{
    struct skua_event event;
    unsigned n = 0;
    while (skua_endpoint_poll_event(host->ep, &event)) {
        SIM_CHECK(host->world, event.type != SKUA_EVENT_NONE && event.type < SKUA_EVENT_TYPES);
        SIM_CHECK(host->world, event.reason != NULL);
        SIM_CHECK(host->world, ++n < 1000000);
        if ((event.type == SKUA_EVENT_INCOMING && !event.early) ||
            event.type == SKUA_EVENT_ESTABLISHED) {
            struct skua_path path;
            SIM_CHECK(host->world, skua_conn_path(host->ep, event.conn, &path) == SKUA_OK);
            sim_oracle_proven(host, &path.remote);
        }
        host->program.event(host, &event);
    }
    SIM_CHECK(host->world, event.type == SKUA_EVENT_NONE);
}

static void run_program(struct sim_host *host)
{
    poll_events(host);
    if (host->program.turn != NULL) {
        host->program.turn(host);
    }
}

static void send_all(struct sim_host *host)
{
    struct sim_world *w = host->world;
    for (size_t i = 0; i < host->config.max_sends && host->held_till <= w->now; i++) {
        struct skua_tx tx = {
            .data = host->room, .cap = ROOM, .max_segments = host->config.max_segments};
        skua_endpoint_send(host->ep, &tx, clock_of(host));
        if (tx.len == 0) {
            break;
        }
        transmit(host, &tx);
    }
}

static void plan_wake(struct sim_host *host)
{
    struct sim_world *w = host->world;
    skua_time next = skua_time_add(skua_endpoint_next_timeout(host->ep), host->clock_lag);
    if (host->held_till > w->now) {
        sim_host_wake(host, host->held_till);
        next = skua_time_max(next, host->held_till);
    }
    if (next != SKUA_NEVER) {
        skua_time at = skua_time_max(next, w->now);
        if (host->config.timer_delay != 0 && next > w->now) {
            skua_time late = sim_rng_below(&host->driver_rng, host->config.timer_delay);
            at = skua_time_add(at, late);
            w->counts[SIM_COUNT_LATE_TIMER] += late > 0;
        }
        sim_host_wake(host, at);
    }
    if (host->in_first != NULL) {
        sim_host_wake(host, w->now);
    }
}

static void turn(struct sim_host *host)
{
    struct sim_world *w = host->world;
    if (w->now < host->asleep_till) { /* planned before it fell asleep */
        host->wake_at = SKUA_NEVER;
        sim_host_wake(host, host->asleep_till);
        return;
    }
    struct skua_rx rx[BUFFERS_PER_TURN];
    size_t n = 0;
    host->wake_at = SKUA_NEVER;
    host->wake_id = 0;
    host->spins = host->spin_at == w->now ? host->spins + 1 : 0;
    host->spin_at = w->now;
    if (host->spins > SPINS_MAX) {
        sim_fail(w, "host %u: the driver spins", host->index);
    }
    while (host->in_first != NULL && n < BUFFERS_PER_TURN) {
        rx[n++] = take_buffer(host);
    }
    if (n > 0) {
        skua_endpoint_recv(host->ep, rx, n, clock_of(host));
    }
    if (skua_endpoint_next_timeout(host->ep) <= clock_of(host)) {
        skua_endpoint_on_timeout(host->ep, clock_of(host));
    }
    run_program(host);
    skua_endpoint_settle(host->ep);
    for (size_t i = 0; i < n; i++) {
        memset(rx[i].data, 0xee, rx[i].len);
        free(rx[i].data);
    }
    send_all(host);
    poll_events(host);
    sim_oracle_turn(host, host->turns++ % DEEP_EVERY == 0);
    plan_wake(host);
}

static void arrive(struct sim_host *host, struct sim_datagram *d)
{
    if (host->world->now < host->asleep_till) {
        free(d);
        return;
    }
    if (host->nat.on && !sim_nat_in(&host->nat, d)) {
        struct sim_tap *tap = &host->world->tap;
        if (tap->filtered != NULL) {
            tap->filtered(tap->arg, host, d);
        }
        host->world->counts[SIM_COUNT_NAT_DROP]++;
        host->nat.dropped_at = host->world->now;
        free(d);
        return;
    }
    d->next = NULL;
    if (host->in_last != NULL) {
        host->in_last->next = d;
    } else {
        host->in_first = d;
    }
    host->in_last = d;
    skua_time wait = host->config.wake_delay;
    sim_host_wake(host,
                  host->world->now + (wait != 0 ? sim_rng_below(&host->driver_rng, wait) : 0));
}

bool sim_run(struct sim_world *w, skua_time until)
{
    while (w->heap_len > 0 && w->heap[0].at <= until) {
        struct sim_event e = pop(w);
        SKUA_ASSERT(e.at >= w->now);
        w->now = e.at;
        if (e.call != NULL) {
            e.call(e.arg);
        } else if (e.datagram != NULL) {
            arrive(e.host, e.datagram);
        } else if (e.order == e.host->wake_id) {
            turn(e.host);
        }
    }
    if (w->heap_len == 0) {
        return true;
    }
    w->now = until;
    return false;
}

void sim_fail(struct sim_world *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fprintf(stderr, "\nFAIL (seed %llu, at %.6f ms): ", (unsigned long long)w->seed,
            (double)w->now / 1e6);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    if (w->dump != NULL) {
        w->dump(w);
    }
    if (w->replay[0] != '\0') {
        fprintf(stderr, "replay: %s\n", w->replay);
    }
    fflush(stderr);
    abort();
}
