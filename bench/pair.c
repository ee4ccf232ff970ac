/* The echo service between two endpoints of one process: see pair.h. */
#include "pair.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ECHO_PIECE = 4096 };

uint64_t bench_cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * SKUA_SEC + (uint64_t)t.tv_nsec;
}

void bench_check(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "bench: %s\n", what);
        exit(1);
    }
}

static void fill_random(void *user, void *out, size_t len)
{
    (void)user;
    randombytes_buf(out, len);
}

/* The server's address, or the client's. */
static struct skua_addr address_of(int who)
{
    return (struct skua_addr){.family = SKUA_FAMILY_IPV4,
                              .port = (uint16_t)(SKUA_DEFAULT_PORT + who),
                              .ip = {127, 0, 0, 1}};
}

static void open_host(struct bench_pair *pair, int who)
{
    const struct skua_rng rng = {.fill = fill_random};
    struct skua_secret_key key;
    bench_check(skua_init() == SKUA_OK, "libsodium");
    skua_key_generate(&key, &rng);
    struct skua_config config = SKUA_CONFIG_INIT;
    config.key = &key;
    config.rng = &rng;
    config.max_conns = BENCH_CONNS_MAX;
    config.max_udp_payload = BENCH_MTU;
    struct bench_host *host = &pair->host[who];
    bench_check(skua_endpoint_new(&host->ep, &config) == SKUA_OK, "endpoint");
    skua_wipe(&key, sizeof key);
    host->inbox.slots = calloc(BENCH_QUEUE, sizeof host->inbox.slots[0]);
    bench_check(host->inbox.slots != NULL, "memory");
}

/* What reading the clock twice in a row shows. */
static uint64_t clock_cost(void)
{
    enum { TIMES = 10000 };
    uint64_t start = bench_cpu_ns();
    for (int i = 0; i < TIMES; i++) {
        (void)bench_cpu_ns();
    }
    return (bench_cpu_ns() - start) / TIMES;
}

void bench_pair_open(struct bench_pair *pair, const struct skua_conn_config *config)
{
    *pair = (struct bench_pair){.now = SKUA_SEC, .delay = 100 * SKUA_USEC};
    open_host(pair, BENCH_CLIENT);
    open_host(pair, BENCH_SERVER);
    pair->server_key = *skua_endpoint_key(pair->host[BENCH_SERVER].ep);
    pair->clock_ns = clock_cost();
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    listen.backlog = BENCH_CONNS_MAX;
    listen.syn_backlog = BENCH_CONNS_MAX; /* all at once, from one address: no flood */
    listen.retry = SKUA_RETRY_NEVER;
    listen.prefix_handshakes = UINT32_MAX;
    if (config != NULL) {
        listen.conn = *config;
    }
    bench_check(skua_endpoint_listen(pair->host[BENCH_SERVER].ep, &listen) == SKUA_OK, "listen");
}

void bench_pair_close(struct bench_pair *pair)
{
    for (int i = 0; i < 2; i++) {
        skua_endpoint_free(pair->host[i].ep);
        free(pair->host[i].inbox.slots);
    }
}

skua_conn bench_pair_connect(struct bench_pair *pair, const struct skua_conn_config *config,
                             size_t len, skua_stream *stream)
{
    static const uint8_t bytes[1 << 16];
    struct skua_endpoint *ep = pair->host[BENCH_CLIENT].ep;
    const struct skua_path path = {.remote = address_of(BENCH_SERVER)};
    skua_conn conn;
    size_t written;
    bench_check(skua_conn_connect(ep, &path, config, &conn) == SKUA_OK, "connect");
    bench_check(skua_stream_open(ep, conn, SKUA_STREAM_BIDI, stream) == SKUA_OK, "open");
    bench_check(skua_stream_write(ep, *stream, bytes, len, &written) == SKUA_OK && written == len,
                "write");
    return conn;
}

static void echo(struct bench_host *host, skua_stream stream, bool back)
{
    uint8_t piece[ECHO_PIECE];
    size_t n;
    while (skua_stream_read(host->ep, stream, piece, sizeof piece, &n) == SKUA_OK) {
        size_t written;
        bench_check(!back || (skua_stream_write(host->ep, stream, piece, n, &written) == SKUA_OK &&
                              written == n),
                    "echo");
    }
}

static void handle(struct bench_pair *pair, int who, const struct skua_event *event)
{
    struct bench_host *host = &pair->host[who];
    switch ((int)event->type) {
    case SKUA_EVENT_INCOMING:
        bench_check(skua_conn_accept(host->ep, event->conn, NULL) == SKUA_OK, "accept");
        host->established++;
        break;
    case SKUA_EVENT_ESTABLISHED:
        host->established++;
        break;
    case SKUA_EVENT_READABLE:
        echo(host, event->stream, who == BENCH_SERVER);
        host->replied++;
        if (who == BENCH_CLIENT && pair->close_on_reply) {
            (void)skua_conn_close(host->ep, event->conn);
        }
        break;
    case SKUA_EVENT_FINISHED:
        (void)skua_conn_close(host->ep, event->conn);
        break;
    case SKUA_EVENT_CLOSED:
        host->closed++;
        host->failed += event->error != SKUA_OK ? 1 : 0;
        if (event->error != SKUA_OK) {
            (void)fprintf(stderr, "bench: a connection ended: %s\n", skua_strerror(event->error));
        }
        break;
    default:
        break;
    }
}

static bool turn(struct bench_pair *pair, int who)
{
    struct bench_host *host = &pair->host[who];
    struct bench_queue *out = &pair->host[1 - who].inbox;
    struct skua_event event;
    bool moved = host->inbox.count > 0;
    skua_endpoint_recv(host->ep, host->inbox.rx, host->inbox.count, pair->now);
    host->inbox.count = 0;
    while (skua_endpoint_poll_event(host->ep, &event)) {
        handle(pair, who, &event);
        moved = true;
    }
    skua_endpoint_settle(host->ep);
    while (out->count < BENCH_QUEUE) {
        struct skua_tx tx = {.data = out->slots[out->count], .cap = BENCH_MTU, .max_segments = 1};
        skua_endpoint_send(host->ep, &tx, pair->now);
        if (tx.len == 0) {
            break;
        }
        out->rx[out->count++] =
            (struct skua_rx){.path = {.local = address_of(1 - who), .remote = address_of(who)},
                             .data = tx.data,
                             .len = tx.len};
        moved = true;
    }
    return moved;
}

bool bench_pair_turn(struct bench_pair *pair, int who)
{
    uint64_t start = who == BENCH_SERVER ? bench_cpu_ns() : 0;
    bool moved = turn(pair, who);
    if (who == BENCH_SERVER) {
        pair->server_cpu_ns += bench_cpu_ns() - start;
        pair->server_turns++;
    }
    pair->now += pair->delay;
    return moved;
}

bool bench_pair_step(struct bench_pair *pair)
{
    bool moved = bench_pair_turn(pair, BENCH_CLIENT);
    return bench_pair_turn(pair, BENCH_SERVER) || moved;
}

void bench_pair_flush(struct bench_pair *pair)
{
    while (bench_pair_step(pair)) {
    }
}

static skua_time next_of(const struct bench_pair *pair)
{
    skua_time client = skua_endpoint_next_timeout(pair->host[BENCH_CLIENT].ep);
    skua_time server = skua_endpoint_next_timeout(pair->host[BENCH_SERVER].ep);
    return client < server ? client : server;
}

void bench_pair_run(struct bench_pair *pair, skua_time until)
{
    for (;;) {
        bench_pair_flush(pair);
        skua_time next = next_of(pair);
        if (next > pair->now && (next > until || pair->now > until)) {
            pair->now = pair->now > until ? pair->now : until;
            return;
        }
        pair->now = pair->now > next ? pair->now : next;
        for (int i = 0; i < 2; i++) {
            struct bench_host *host = &pair->host[i];
            if (skua_endpoint_next_timeout(host->ep) <= pair->now) {
                uint64_t start = bench_cpu_ns();
                skua_endpoint_on_timeout(host->ep, pair->now);
                host->wakeups++;
                if (i == BENCH_SERVER) {
                    pair->server_cpu_ns += bench_cpu_ns() - start;
                    pair->server_turns++;
                }
            }
        }
    }
}
