/* What a packet costs in the core: bulk data through two endpoints of one process, without sockets,
 * in virtual time; part by part, beside the bare cipher on the same sizes.
 *
 *   core [--suite chacha20|aes|aegis] [--size BYTES] [--bytes BYTES] [--lend] [--copy-out] [--json]
 *
 * A turn: the sender fills up to TURN_BATCHES batches of 64 KiB, as for UDP_SEGMENT; the receiver
 * takes them as UDP_GRO would deliver them, the application reads in place (or copies out), the
 * loan ends, the ACKs go back. The memory stays warm but for --lend, which lends from 32 MiB in
 * turn. docs/architecture.md, "The hot path", has the budget. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <skua/skua.h>

#include "crypto/aead.h"
#include "crypto/suite.h"

enum {
    TURN_BATCHES = 4,
    ROOM = 65507,
    LENT = 32 << 20,
    PIECE = 1 << 18,
    FLOOR_PACKETS_MAX = 400000
};

/* Where time goes. */
enum part { WRITE, SEND, RECV, READ, SETTLE, ACK_SEND, ACK_RECV, PARTS };
static const char *const part_names[PARTS] = {
    "write or lend", "fill and seal",      "open and sort", "events and read",
    "settle",        "fill and seal ACKs", "take in ACKs"};

struct options {
    uint8_t suite;
    uint16_t size;
    uint64_t bytes;
    bool lend, copy_out, json;
};

struct bench {
    struct options o;
    struct skua_endpoint *client, *server;
    struct skua_path to_server, to_client;
    skua_conn conn;
    skua_stream out;
    skua_time now;
    uint64_t ns[PARTS];
    uint64_t packets, acks, batches;
    uint64_t written, read;
    uint8_t *memory; /* to write from */
    uint8_t *wire[TURN_BATCHES];
};

static void check(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "core: %s\n", what);
        exit(1);
    }
}

static uint64_t clock_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SKUA_SEC + (uint64_t)t.tv_nsec;
}

static void fill_random(void *user, void *out, size_t len)
{
    (void)user;
    randombytes_buf(out, len);
}

static struct skua_endpoint *open_endpoint(const struct options *o)
{
    const struct skua_rng rng = {.fill = fill_random};
    struct skua_secret_key key;
    struct skua_endpoint *ep = NULL;
    skua_key_generate(&key, &rng);
    struct skua_config config = SKUA_CONFIG_INIT;
    config.key = &key;
    config.rng = &rng;
    config.max_udp_payload = o->size;
    config.suites = o->suite;
    check(skua_endpoint_new(&ep, &config) == SKUA_OK, "this suite is not to be had here");
    return ep;
}

static void bench_open(struct bench *b)
{
    b->client = open_endpoint(&b->o);
    b->server = open_endpoint(&b->o);
    b->to_server.remote = (struct skua_addr){.family = 4, .port = 7582, .ip = {127, 0, 0, 1}};
    b->to_client.remote = (struct skua_addr){.family = 4, .port = 7583, .ip = {127, 0, 0, 1}};
    b->now = SKUA_SEC;
    b->memory = malloc(LENT + PIECE); /* a piece may begin just below LENT */
    check(b->memory != NULL, "memory");
    memset(b->memory, 7, LENT + PIECE);
    for (int i = 0; i < TURN_BATCHES; i++) {
        b->wire[i] = malloc(ROOM);
        check(b->wire[i] != NULL, "memory");
    }
    check(skua_endpoint_listen(b->server, NULL) == SKUA_OK, "listen");
    check(skua_conn_connect(b->client, &b->to_server, NULL, &b->conn) == SKUA_OK, "connect");
    check(skua_stream_open(b->client, b->conn, SKUA_STREAM_UNI, &b->out) == SKUA_OK, "open");
}

static void write_more(struct bench *b)
{
    size_t n = 0;
    uint64_t left = b->o.bytes - b->written;
    size_t len = left < PIECE ? (size_t)left : PIECE;
    uint8_t *from = b->memory + b->written % LENT;
    if (left == 0) {
        return;
    }
    if (b->o.lend) {
        struct skua_stream_info info;
        /* The library takes every loan while there is room: keep it to a few megabytes. */
        check(skua_stream_info(b->client, b->out, &info) == SKUA_OK, "info");
        bool enough = info.written - info.acked > (UINT64_C(4) << 20);
        n = !enough && skua_stream_lend(b->client, b->out, from, len) == SKUA_OK ? len : 0;
    } else {
        (void)skua_stream_write(b->client, b->out, from, len, &n);
    }
    b->written += n;
}

static void read_all(struct bench *b, skua_stream stream)
{
    static uint8_t copy[PIECE];
    size_t n;
    if (b->o.copy_out) {
        while (skua_stream_read(b->server, stream, copy, sizeof copy, &n) == SKUA_OK) {
            b->read += n;
        }
        return;
    }
    struct skua_vec vec[16];
    size_t count = 16;
    while (skua_stream_peek(b->server, stream, vec, &count) == SKUA_OK) {
        size_t total = 0;
        for (size_t i = 0; i < count; i++) {
            total += vec[i].len;
        }
        check(skua_stream_consume(b->server, stream, total) == SKUA_OK, "consume");
        b->read += total;
        count = 16;
    }
}

static void client_events(struct bench *b)
{
    struct skua_event e;
    while (skua_endpoint_poll_event(b->client, &e)) {
        check(e.type != SKUA_EVENT_CLOSED, "the client's connection ended");
    }
}

static void server_events(struct bench *b)
{
    struct skua_event e;
    while (skua_endpoint_poll_event(b->server, &e)) {
        if (e.type == SKUA_EVENT_INCOMING) {
            check(skua_conn_accept(b->server, e.conn, NULL) == SKUA_OK, "accept");
        } else if (e.type == SKUA_EVENT_STREAM || e.type == SKUA_EVENT_READABLE) {
            read_all(b, e.stream);
        }
        check(e.type != SKUA_EVENT_CLOSED, "the server's connection ended");
    }
}

/* Adds the time since `*at` to a part. */
static void lap(struct bench *b, enum part part, uint64_t *at)
{
    uint64_t t = clock_ns();
    b->ns[part] += t - *at;
    *at = t;
}

/* Fills batches; how many. */
static size_t fill(struct bench *b, struct skua_endpoint *ep, struct skua_rx *rx, bool data)
{
    size_t n = 0;
    while (n < TURN_BATCHES) {
        struct skua_tx tx = {.data = b->wire[n], .cap = ROOM, .max_segments = 64};
        skua_endpoint_send(ep, &tx, b->now);
        if (tx.len == 0) {
            break;
        }
        rx[n++] = (struct skua_rx){.path = data ? b->to_client : b->to_server,
                                   .data = tx.data,
                                   .len = tx.len,
                                   .segment_size = tx.segment_size};
        uint64_t segments = (tx.len + tx.segment_size - 1) / tx.segment_size;
        b->packets += data ? segments : 0;
        b->acks += data ? 0 : segments;
        b->batches += data ? 1 : 0;
    }
    return n;
}

static void turn(struct bench *b)
{
    struct skua_rx rx[TURN_BATCHES];
    uint64_t at = clock_ns();
    write_more(b);
    lap(b, WRITE, &at);
    size_t n = fill(b, b->client, rx, true);
    lap(b, SEND, &at);
    b->now += 20 * SKUA_USEC;
    at = clock_ns();
    skua_endpoint_recv(b->server, rx, n, b->now);
    lap(b, RECV, &at);
    server_events(b);
    lap(b, READ, &at);
    skua_endpoint_settle(b->server);
    lap(b, SETTLE, &at);
    skua_endpoint_on_timeout(b->server, b->now);
    size_t acks = fill(b, b->server, rx, false);
    lap(b, ACK_SEND, &at);
    b->now += 20 * SKUA_USEC;
    at = clock_ns();
    skua_endpoint_recv(b->client, rx, acks, b->now);
    skua_endpoint_settle(b->client);
    skua_endpoint_on_timeout(b->client, b->now);
    client_events(b);
    lap(b, ACK_RECV, &at);
    b->now += n < TURN_BATCHES ? 100 * SKUA_USEC : 0; /* nothing more to send: let time pass */
}

static void reset_counts(struct bench *b)
{
    memset(b->ns, 0, sizeof b->ns);
    b->packets = b->acks = b->batches = b->written = b->read = 0;
}

/* The cipher alone, in and out of one 64 KiB buffer: ns per packet. */
static double floor_ns(const struct options *o, bool seal)
{
    static struct skua_aead_cache cache;
    enum { HEADER = 13 };
    static uint8_t room[ROOM + SKUA_SUITE_TAG_MAX];
    const struct skua_suite_info *info = skua_suite_info(o->suite);
    struct skua_aead_key key = {.suite = o->suite, .key = {1}, .iv = {2}};
    size_t text = (size_t)o->size - HEADER - info->tag_len;
    size_t slots = sizeof room / ((size_t)o->size + 1);
    skua_aead_cache_init(&cache, NULL);
    key.id = skua_aead_next_id(&cache);
    uint64_t spent = 0;
    uint64_t packets = o->bytes / o->size; /* as many as were sent, so that valgrind ends soon */
    packets = packets < FLOOR_PACKETS_MAX ? packets : FLOOR_PACKETS_MAX;
    packets = packets / slots * slots + slots;
    for (uint64_t done = 0; done < packets;) {
        uint64_t start = clock_ns();
        for (size_t i = 0; i < slots; i++) {
            skua_aead_seal(&cache, &key, done + i, room + i * o->size, HEADER, text);
        }
        uint64_t middle = clock_ns();
        for (size_t i = 0; i < slots; i++) {
            check(skua_aead_open(&cache, &key, done + i, room + i * o->size, HEADER,
                                 text + info->tag_len),
                  "floor");
        }
        spent += seal ? middle - start : clock_ns() - middle;
        done += slots;
    }
    return (double)spent / (double)packets;
}

static void report(const struct bench *b)
{
    double per[PARTS];
    double seal = floor_ns(&b->o, true), open = floor_ns(&b->o, false);
    for (int i = 0; i < PARTS; i++) {
        per[i] = (double)b->ns[i] / (double)b->packets;
    }
    double sender = per[WRITE] + per[SEND] + per[ACK_RECV];
    double receiver = per[RECV] + per[READ] + per[SETTLE] + per[ACK_SEND];
    const char *suite = skua_suite_info(b->o.suite)->name;
    if (b->o.json) {
        printf("{\"suite\":\"%s\",\"size\":%u,\"packets\":%llu,\"acks\":%llu,"
               "\"write\":%.1f,\"send\":%.1f,\"recv\":%.1f,\"read\":%.1f,\"settle\":%.1f,"
               "\"ack_send\":%.1f,\"ack_recv\":%.1f,\"sender\":%.1f,\"receiver\":%.1f,"
               "\"aead_seal\":%.1f,\"aead_open\":%.1f}\n",
               suite, b->o.size, (unsigned long long)b->packets, (unsigned long long)b->acks,
               per[WRITE], per[SEND], per[RECV], per[READ], per[SETTLE], per[ACK_SEND],
               per[ACK_RECV], sender, receiver, seal, open);
        return;
    }
    printf("%s, datagrams of %u bytes: %llu of them, %llu ACKs, %.1f to a batch\n\n", suite,
           b->o.size, (unsigned long long)b->packets, (unsigned long long)b->acks,
           (double)b->packets / (double)b->batches);
    for (int i = 0; i < PARTS; i++) {
        printf("  %-22s %8.1f ns per packet\n", part_names[i], per[i]);
    }
    printf("\n  %-22s %8.1f ns = %.1f Gbit/s; but for the cipher (%.1f): %.1f\n", "sender", sender,
           (double)b->o.size * 8 / sender, seal, sender - seal);
    printf("  %-22s %8.1f ns = %.1f Gbit/s; but for the cipher (%.1f): %.1f\n", "receiver",
           receiver, (double)b->o.size * 8 / receiver, open, receiver - open);
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: core [--suite chacha20|aes|aegis] [--size BYTES] "
                          "[--bytes BYTES] [--lend] [--copy-out] [--json]\n");
    return 2;
}

static bool parse(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--lend") == 0) {
            o->lend = true;
        } else if (strcmp(argv[i], "--copy-out") == 0) {
            o->copy_out = true;
        } else if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
        } else if (strcmp(argv[i], "--suite") == 0) {
            o->suite = strcmp(value, "chacha20") == 0 ? SKUA_SUITE_CHACHA20_POLY1305
                       : strcmp(value, "aes") == 0    ? SKUA_SUITE_AES_256_GCM
                       : strcmp(value, "aegis") == 0  ? SKUA_SUITE_AEGIS_128L
                                                      : 0;
            i++;
        } else if (strcmp(argv[i], "--size") == 0) {
            o->size = (uint16_t)strtoul(value, NULL, 10);
            i++;
        } else if (strcmp(argv[i], "--bytes") == 0) {
            o->bytes = strtoull(value, NULL, 10);
            i++;
        } else {
            return false;
        }
    }
    return o->suite != 0 && o->size >= 1200 && o->bytes > 0;
}

int main(int argc, char **argv)
{
    struct bench b = {.o = {.size = 1452, .bytes = UINT64_C(2) << 30}};
    check(skua_init() == SKUA_OK, "libsodium");
    b.o.suite = skua_suite_choose(skua_suites_available(), skua_suites_available());
    if (!parse(&b.o, argc, argv)) {
        return usage();
    }
    uint64_t bytes = b.o.bytes;
    b.o.bytes = UINT64_MAX;
    bench_open(&b);
    while (b.read < UINT64_C(64) << 20) { /* until windows, path MTU and buffers have grown */
        turn(&b);
    }
    reset_counts(&b);
    while (b.read < bytes) {
        turn(&b);
    }
    report(&b);
    skua_endpoint_free(b.client);
    skua_endpoint_free(b.server);
    free(b.memory);
    for (int i = 0; i < TURN_BATCHES; i++) {
        free(b.wire[i]);
    }
    return 0;
}
