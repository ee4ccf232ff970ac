/* What a connection costs while it does nothing: bytes and wake-ups.
 *
 *   idle [--json] [--minutes N] [CONNECTIONS ...]      default: 60 minutes, 1 100 10000 100000
 *   idle --fields                  a connection's bytes member by member, as Markdown tables
 *   idle --check PAGE              whether a page has these tables
 *
 * For each number of connections, each with one open stream on which a few bytes went each way:
 * allocator bytes per connection half-open, idle and active, at the server and at the client; bytes
 * per TIME_WAIT record; wake-ups in an hour of virtual time without keep-alive and with one of 60 s
 * at the server, and what a wake-up costs the server; and what the endpoint's calls cost while
 * nothing happens. Tables that all connections share (ids, handles, timers) are counted in:
 * everything divided by the number of connections. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint/endpoint.h"
#include "fields.h"
#include "pair.h"

enum { WAVE = 512, GREETING = 64, SAMPLE_MAX = 1000, ACTIVE_BYTES = 16384, ASKS = 100000 };

/* Figures of one number of connections; bytes are per connection. */
struct figures {
    uint64_t conns;
    uint64_t half_open, dial;    /* of the two ends before the third packet */
    uint64_t idle[2], active[2]; /* by BENCH_CLIENT, BENCH_SERVER */
    uint64_t record;             /* TIME_WAIT, the id's table included */
    uint64_t empty;              /* the server's endpoint without connections */
    uint64_t quiet_wakeups;      /* of both ends, keep-alive off */
    uint64_t keepalive_wakeups;  /* of the server, keep-alive 60 s */
    double keepalive_us;         /* server's CPU for each probe: wake up, send, receive */
    double keepalive_core;       /* ... in percent of a core */
    double next_timeout_ns, poll_event_ns, on_timeout_ns; /* per call while nothing happens */
};

/* Bytes from the allocator, but for blocks of stream buffers that nobody uses: at most 1 MiB of
 * them is kept for all connections, however few there are. */
static uint64_t memory_of(const struct bench_pair *pair, int who)
{
    const struct skua_endpoint *ep = pair->host[who].ep;
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(ep, &stats);
    return stats.memory - ep->env.blocks.kept * ep->env.blocks.block_size;
}

static uint64_t share(uint64_t more, uint64_t less, uint64_t count)
{
    return more > less ? (more - less + count / 2) / count : 0;
}

static struct skua_conn_config config_of(skua_time keepalive)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.idle_timeout_ns = SKUA_NEVER;
    config.keepalive_time_ns = keepalive;
    config.time_wait_ns = 10 * SKUA_SEC;
    return config;
}

static void connect_some(struct bench_pair *pair, skua_stream *streams, size_t first, size_t end)
{
    const struct skua_conn_config config = config_of(SKUA_NEVER);
    for (size_t i = first; i < end; i++) {
        (void)bench_pair_connect(pair, &config, GREETING, &streams[i]);
    }
}

/* In waves of `wave`, with `pause` after each. */
static void connect_waves(struct bench_pair *pair, skua_stream *streams, size_t first, size_t end,
                          size_t wave, skua_time pause)
{
    for (size_t i = first; i < end; i += wave) {
        connect_some(pair, streams, i, i + wave < end ? i + wave : end);
        bench_pair_run(pair, pair->now + pause);
    }
}

/* SYNs that are answered and not confirmed: what the two ends hold then. */
static void measure_half_open(struct bench_pair *pair, struct figures *f, skua_stream *streams,
                              size_t sample)
{
    uint64_t before[2] = {memory_of(pair, BENCH_CLIENT), memory_of(pair, BENCH_SERVER)};
    connect_some(pair, streams, 0, sample);
    bench_pair_turn(pair, BENCH_CLIENT);
    bench_pair_turn(pair, BENCH_SERVER);
    f->dial = share(memory_of(pair, BENCH_CLIENT), before[BENCH_CLIENT], sample);
    f->half_open = share(memory_of(pair, BENCH_SERVER), before[BENCH_SERVER], sample);
}

/* Writes to some of the streams, and looks while all of it is on its way back. */
static void measure_active(struct bench_pair *pair, struct figures *f, const skua_stream *streams,
                           size_t sample)
{
    static const uint8_t bytes[ACTIVE_BYTES];
    uint64_t before[2] = {memory_of(pair, BENCH_CLIENT), memory_of(pair, BENCH_SERVER)};
    for (size_t i = 0; i < sample; i++) {
        size_t written;
        enum skua_err err = skua_stream_write(pair->host[BENCH_CLIENT].ep, streams[i], bytes,
                                              sizeof bytes, &written);
        bench_check(err == SKUA_OK && written == sizeof bytes, "write");
    }
    bench_pair_flush(pair);
    for (int who = 0; who < 2; who++) {
        f->active[who] = f->idle[who] + share(memory_of(pair, who), before[who], sample);
    }
}

static double ns_per(uint64_t start, uint64_t times)
{
    return (double)(bench_cpu_ns() - start) / (double)times;
}

static void measure_calls(struct bench_pair *pair, struct figures *f)
{
    struct skua_endpoint *ep = pair->host[BENCH_SERVER].ep;
    struct skua_event event;
    uint64_t never = 0;
    uint64_t start = bench_cpu_ns();
    for (int i = 0; i < ASKS; i++) {
        never += skua_endpoint_next_timeout(ep) == SKUA_NEVER ? 1 : 0;
    }
    f->next_timeout_ns = ns_per(start, ASKS);
    bench_check(never == ASKS, "an idle endpoint wants to be called");
    start = bench_cpu_ns();
    for (int i = 0; i < ASKS; i++) {
        bench_check(!skua_endpoint_poll_event(ep, &event), "an event while nothing happens");
    }
    f->poll_event_ns = ns_per(start, ASKS);
    start = bench_cpu_ns();
    for (int i = 0; i < ASKS; i++) {
        skua_endpoint_on_timeout(ep, pair->now);
    }
    f->on_timeout_ns = ns_per(start, ASKS);
}

/* The clients close; the server keeps nothing, the clients, who closed first, a record each. */
static void measure_end(struct bench_pair *pair, struct figures *f, const skua_stream *streams)
{
    struct skua_endpoint *ep = pair->host[BENCH_CLIENT].ep;
    for (size_t i = 0; i < f->conns; i++) {
        skua_conn conn;
        bench_check(skua_stream_conn(ep, streams[i], &conn) == SKUA_OK, "stream");
        (void)skua_conn_close(ep, conn);
        if (i % WAVE == WAVE - 1) {
            bench_pair_flush(pair);
        }
    }
    bench_pair_flush(pair);
    uint64_t records = skua_time_wait_count(&ep->time_wait);
    uint64_t before = memory_of(pair, BENCH_CLIENT);
    bench_pair_run(pair, pair->now + 60 * SKUA_SEC);
    f->record = records != 0 ? share(before, memory_of(pair, BENCH_CLIENT), records) : 0;
    bench_check(pair->host[BENCH_CLIENT].closed == f->conns &&
                    pair->host[BENCH_SERVER].closed == f->conns &&
                    pair->host[BENCH_SERVER].failed + pair->host[BENCH_CLIENT].failed == 0,
                "a connection did not end well");
}

static void run_quiet(struct figures *f, skua_stream *streams, skua_time span)
{
    static struct bench_pair pair;
    const struct skua_conn_config config = config_of(SKUA_NEVER);
    size_t sample = f->conns < SAMPLE_MAX ? (size_t)f->conns : SAMPLE_MAX;
    bench_pair_open(&pair, &config);
    uint64_t empty[2] = {memory_of(&pair, BENCH_CLIENT), memory_of(&pair, BENCH_SERVER)};
    f->empty = empty[BENCH_SERVER];
    measure_half_open(&pair, f, streams, sample);
    connect_waves(&pair, streams, sample, (size_t)f->conns, WAVE, SKUA_SEC);
    bench_pair_run(&pair, pair.now + 60 * SKUA_SEC);
    bench_check(pair.host[BENCH_SERVER].established == f->conns &&
                    pair.host[BENCH_CLIENT].replied == f->conns,
                "not every connection carried its bytes");
    for (int who = 0; who < 2; who++) {
        f->idle[who] = share(memory_of(&pair, who), empty[who], f->conns);
    }
    measure_active(&pair, f, streams, sample);
    bench_pair_run(&pair, pair.now + 60 * SKUA_SEC);
    uint64_t before = pair.host[BENCH_CLIENT].wakeups + pair.host[BENCH_SERVER].wakeups;
    bench_pair_run(&pair, pair.now + span);
    f->quiet_wakeups = pair.host[BENCH_CLIENT].wakeups + pair.host[BENCH_SERVER].wakeups - before;
    measure_calls(&pair, f);
    measure_end(&pair, f, streams);
    bench_pair_close(&pair);
}

/* The server probes; the clients only answer. */
static void run_keepalive(struct figures *f, skua_stream *streams, skua_time span)
{
    static struct bench_pair pair;
    const struct skua_conn_config config = config_of(60 * SKUA_SEC);
    bench_pair_open(&pair, &config);
    /* One after the other, over most of a keep-alive's time: no two are due at once. */
    connect_waves(&pair, streams, 0, (size_t)f->conns, 1, 50 * SKUA_SEC / f->conns);
    bench_pair_run(&pair, pair.now + 120 * SKUA_SEC);
    uint64_t wakeups = pair.host[BENCH_SERVER].wakeups;
    uint64_t turns = pair.server_turns;
    uint64_t cpu = pair.server_cpu_ns;
    bench_pair_run(&pair, pair.now + span);
    wakeups = pair.host[BENCH_SERVER].wakeups - wakeups;
    turns = pair.server_turns - turns;
    cpu = pair.server_cpu_ns - cpu;
    cpu -= cpu < turns * pair.clock_ns ? cpu : turns * pair.clock_ns;
    f->keepalive_wakeups = wakeups;
    f->keepalive_us = wakeups != 0 ? (double)cpu / (double)wakeups / 1e3 : 0;
    f->keepalive_core = 100 * (double)cpu / (double)span;
    bench_check(pair.host[BENCH_SERVER].closed == 0, "keep-alive ended a connection");
    bench_pair_close(&pair);
}

static void print_json(const struct figures *f, unsigned minutes)
{
    (void)printf("{\"connections\":%" PRIu64 ",\"half_open_bytes\":%" PRIu64
                 ",\"dial_bytes\":%" PRIu64 ",\"idle_bytes_server\":%" PRIu64
                 ",\"idle_bytes_client\":%" PRIu64 ",\"active_bytes_server\":%" PRIu64
                 ",\"active_bytes_client\":%" PRIu64 ",\"time_wait_bytes\":%" PRIu64
                 ",\"endpoint_bytes\":%" PRIu64 ",\"minutes\":%u,\"wakeups\":%" PRIu64
                 ",\"keepalive_wakeups\":%" PRIu64 ",\"keepalive_us\":%.2f"
                 ",\"keepalive_core_percent\":%.3f,\"next_timeout_ns\":%.1f"
                 ",\"poll_event_ns\":%.1f,\"on_timeout_ns\":%.1f}\n",
                 f->conns, f->half_open, f->dial, f->idle[BENCH_SERVER], f->idle[BENCH_CLIENT],
                 f->active[BENCH_SERVER], f->active[BENCH_CLIENT], f->record, f->empty, minutes,
                 f->quiet_wakeups, f->keepalive_wakeups, f->keepalive_us, f->keepalive_core,
                 f->next_timeout_ns, f->poll_event_ns, f->on_timeout_ns);
}

static void print_header(unsigned minutes)
{
    (void)printf("Bytes of allocator memory per connection; wake-ups in %u min of virtual time.\n"
                 "%8s %9s %6s | %12s | %14s | %6s | %7s %9s %7s %7s | %24s\n"
                 "%8s %9s %6s | %6s %5s | %7s %6s | %6s | %7s %9s %7s %7s | %8s %7s %7s\n",
                 minutes, "", "half-open", "SYN", "idle", "active", "record", "wakes", "wakes at",
                 "us per", "% of a", "ns per call while idle", "conns", "server", "client",
                 "server", "clnt", "server", "clnt", "TIMEW", "k-a off", "k-a 60 s", "probe",
                 "core", "timeout?", "event?", "run");
}

static void print_row(const struct figures *f)
{
    (void)printf("%8" PRIu64 " %9" PRIu64 " %6" PRIu64 " | %6" PRIu64 " %5" PRIu64 " | %7" PRIu64
                 " %6" PRIu64 " | %6" PRIu64 " | %7" PRIu64 " %9" PRIu64
                 " %7.2f %7.3f | %8.1f %7.1f %7.1f\n",
                 f->conns, f->half_open, f->dial, f->idle[BENCH_SERVER], f->idle[BENCH_CLIENT],
                 f->active[BENCH_SERVER], f->active[BENCH_CLIENT], f->record, f->quiet_wakeups,
                 f->keepalive_wakeups, f->keepalive_us, f->keepalive_core, f->next_timeout_ns,
                 f->poll_event_ns, f->on_timeout_ns);
    (void)fflush(stdout);
}

static void run(uint64_t conns, bool json, unsigned minutes)
{
    struct figures f = {.conns = conns};
    skua_stream *streams = calloc(conns, sizeof *streams);
    bench_check(streams != NULL, "memory");
    skua_time span = minutes * 60 * SKUA_SEC;
    run_quiet(&f, streams, span);
    run_keepalive(&f, streams, span);
    if (json) {
        print_json(&f, minutes);
    } else {
        print_row(&f);
    }
    free(streams);
}

int main(int argc, char **argv)
{
    static const uint64_t defaults[] = {1, 100, 10000, 100000};
    bool json = false;
    unsigned minutes = 60;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--fields") == 0) {
            bench_fields_print(stdout);
            return 0;
        } else if (strcmp(argv[i], "--check") == 0 && i + 1 < argc) {
            bench_check(bench_fields_check(argv[i + 1]),
                        "the tables are out of date: put in what `idle --fields` prints");
            return 0;
        } else if (strcmp(argv[i], "--minutes") == 0 && i + 1 < argc) {
            minutes = (unsigned)strtoul(argv[++i], NULL, 10);
        } else {
            bench_check(
                false,
                "usage: idle [--json] [--minutes N] [CONNECTIONS ...] | --fields | --check PAGE");
        }
    }
    if (!json) {
        print_header(minutes);
    }
    for (size_t n = 0; i == argc && n < sizeof defaults / sizeof defaults[0]; n++) {
        run(defaults[n], json, minutes);
    }
    for (; i < argc; i++) {
        uint64_t conns = strtoull(argv[i], NULL, 10);
        bench_check(conns > 0 && conns <= BENCH_CONNS_MAX, "number of connections");
        run(conns, json, minutes);
    }
    return 0;
}
