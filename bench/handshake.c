/* Connections per second of the server's CPU: open, one exchange, close.
 *
 *   handshake [--json] [--rounds N] [--conns N]        default: 11 rounds of 512
 *
 * Only the server's calls are timed. Beside it, in the same run and turn by turn, what a handshake
 * costs the server at least: one multiplication of the base point (its ephemeral key) and three
 * others in XX, four in IK (the Noise tokens es, ss, ee, se; XX has no ss). The ratio says which
 * part of the server's time that minimum is; medians of the rounds. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pair.h"

enum { ROUNDS_MAX = 101, EXCHANGE = 64, WAVE = 64, MULTIPLICATIONS = 128 };

/* Nanoseconds, by round. */
struct times {
    double connection[ROUNDS_MAX]; /* of the server's CPU */
    double minimum[ROUNDS_MAX];    /* 1 base and 3 or 4 others */
    size_t rounds;
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof values[0], compare);
    return values[count / 2];
}

static double time_minimum(int others)
{
    uint8_t secret[32];
    uint8_t point[32];
    randombytes_buf(secret, sizeof secret);
    uint64_t start = bench_cpu_ns();
    for (int i = 0; i < MULTIPLICATIONS; i++) {
        bench_check(crypto_scalarmult_base(point, secret) == 0, "X25519");
        for (int k = 0; k < others; k++) {
            bench_check(crypto_scalarmult(point, secret, point) == 0, "X25519");
        }
    }
    return (double)(bench_cpu_ns() - start) / MULTIPLICATIONS;
}

static double time_connections(struct bench_pair *pair, const struct skua_conn_config *config,
                               uint64_t conns)
{
    skua_stream stream;
    uint64_t closed = pair->host[BENCH_SERVER].closed;
    uint64_t turns = pair->server_turns;
    uint64_t start = pair->server_cpu_ns;
    for (uint64_t i = 0; i < conns; i += WAVE) {
        for (int k = 0; k < WAVE; k++) {
            (void)bench_pair_connect(pair, config, EXCHANGE, &stream);
        }
        bench_pair_run(pair, pair->now + 200 * SKUA_MSEC);
    }
    bench_pair_run(pair, pair->now + 2 * SKUA_SEC);
    bench_check(pair->host[BENCH_SERVER].closed - closed == conns, "not every connection ended");
    bench_check(pair->host[BENCH_SERVER].failed == 0, "a connection failed");
    uint64_t clock = (pair->server_turns - turns) * pair->clock_ns;
    return (double)(pair->server_cpu_ns - start - clock) / (double)conns;
}

static void run(struct times *t, bool ik, uint64_t conns)
{
    static struct bench_pair pair;
    struct skua_conn_config server = SKUA_CONN_CONFIG_INIT;
    struct skua_conn_config client = SKUA_CONN_CONFIG_INIT;
    bench_pair_open(&pair, &server);
    pair.close_on_reply = true;
    client.server_key = &pair.server_key;
    client.ik = ik;
    (void)time_connections(&pair, &client, conns); /* warm */
    for (size_t i = 0; i < t->rounds; i++) {
        t->minimum[i] = time_minimum(ik ? 4 : 3);
        t->connection[i] = time_connections(&pair, &client, conns);
    }
    bench_pair_close(&pair);
}

static void print(const char *pattern, struct times *t, bool json)
{
    double ratios[ROUNDS_MAX];
    for (size_t i = 0; i < t->rounds; i++) {
        ratios[i] = t->minimum[i] / t->connection[i];
    }
    double connection = median(t->connection, t->rounds);
    double minimum = median(t->minimum, t->rounds);
    double ratio = median(ratios, t->rounds);
    (void)printf(json ? "{\"pattern\":\"%s\",\"connections_per_cpu_second\":%.0f,"
                        "\"server_us\":%.1f,\"minimum_us\":%.1f,\"ratio\":%.3f}\n"
                      : "%-7s %12.0f %12.1f %12.1f %8.2f\n",
                 pattern, 1e9 / connection, connection / 1e3, minimum / 1e3, ratio);
}

int main(int argc, char **argv)
{
    static struct times times;
    bool json = false;
    uint64_t conns = 512;
    times.rounds = 11;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            times.rounds = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--conns") == 0 && i + 1 < argc) {
            conns = strtoull(argv[++i], NULL, 10) / WAVE * WAVE;
        } else {
            bench_check(false, "usage: handshake [--json] [--rounds N] [--conns N]");
        }
    }
    bench_check(times.rounds > 0 && times.rounds <= ROUNDS_MAX && conns > 0, "out of range");
    if (!json) {
        (void)printf("%-7s %12s %12s %12s %8s\n", "", "per server", "server's us", "minimum,",
                     "ratio");
        (void)printf("%-7s %12s %12s %12s\n", "pattern", "CPU-second", "for each", "us");
    }
    run(&times, false, conns);
    print("XX", &times, json);
    run(&times, true, conns);
    print("IK", &times, json);
    return 0;
}
