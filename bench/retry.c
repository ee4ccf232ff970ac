/* What a flooded server spends on each SYN: answering it with RETRY.
 *
 *   retry [--json] [--rounds N]        default: 21 rounds of 64 batches of 64 SYNs
 *
 * An endpoint without sockets that always wants a proof of the address. Every SYN comes from
 * another address; the batch is taken in, and its answers are taken out. Beside it, in the same run
 * and turn by turn, one AEAD seal of a token's content and one BLAKE2b over what RETRY's tag
 * covers: what an implementation with sealed tokens would spend at least. Medians of the rounds. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <skua/skua.h>

enum { ROUNDS_MAX = 101, BATCHES = 64, BATCH = 64, SYN_LEN = 1200, ROOM = 2048 };

static uint8_t syns[BATCH][SYN_LEN];
static uint8_t room[ROOM];

static void check(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "retry: %s\n", what);
        exit(1);
    }
}

static void fill(void *user, void *out, size_t len)
{
    (void)user;
    randombytes_buf(out, len);
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct skua_endpoint *open_endpoint(void)
{
    static const struct skua_rng rng = {.fill = fill};
    struct skua_endpoint *ep;
    struct skua_secret_key key;
    struct skua_config config = SKUA_CONFIG_INIT;
    skua_key_generate(&key, &rng);
    config.key = &key;
    config.rng = &rng;
    check(skua_endpoint_new(&ep, &config) == SKUA_OK, "no endpoint");
    return ep;
}

static struct skua_path path_from(uint32_t number)
{
    return (struct skua_path){
        .remote = {.family = SKUA_FAMILY_IPV4,
                   .port = (uint16_t)(1024 + number % 50000),
                   .ip = {11, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}}};
}

/* A real SYN, with other ids for each place of a batch. */
static void make_syns(struct skua_endpoint *client, skua_time now)
{
    const struct skua_path path = path_from(1);
    struct skua_tx tx = {.data = room, .cap = sizeof room, .max_segments = 1};
    skua_conn conn;
    check(skua_conn_connect(client, &path, NULL, &conn) == SKUA_OK, "no connection");
    skua_endpoint_send(client, &tx, now);
    check(tx.len == SYN_LEN, "no SYN");
    for (size_t i = 0; i < BATCH; i++) {
        memcpy(syns[i], room, SYN_LEN);
        randombytes_buf(syns[i] + 6, 8);  /* dcid */
        randombytes_buf(syns[i] + 15, 8); /* scid */
    }
}

/* Nanoseconds for each SYN. */
static double time_retries(struct skua_endpoint *server, skua_time now)
{
    static uint32_t number;
    struct skua_rx rx[BATCH];
    uint64_t answers = 0;
    uint64_t start = cpu_ns();
    for (size_t b = 0; b < BATCHES; b++) {
        for (size_t i = 0; i < BATCH; i++) {
            rx[i] = (struct skua_rx){.path = path_from(number++), .data = syns[i], .len = SYN_LEN};
        }
        skua_endpoint_recv(server, rx, BATCH, now);
        skua_endpoint_settle(server);
        struct skua_tx tx = {.data = room, .cap = sizeof room, .max_segments = 1};
        for (skua_endpoint_send(server, &tx, now); tx.len != 0;
             skua_endpoint_send(server, &tx, now)) {
            answers++;
        }
    }
    double took = (double)(cpu_ns() - start);
    check(answers == BATCHES * BATCH, "not every SYN was answered");
    return took / (BATCHES * BATCH);
}

static double time_minimum(void)
{
    uint8_t key[32], nonce[24], token[128], input[110], tag[16];
    unsigned long long len;
    randombytes_buf(key, sizeof key);
    randombytes_buf(nonce, sizeof nonce);
    randombytes_buf(input, sizeof input);
    uint64_t start = cpu_ns();
    for (size_t i = 0; i < BATCHES * BATCH; i++) {
        nonce[i % sizeof nonce]++;
        (void)crypto_aead_xchacha20poly1305_ietf_encrypt(token, &len, input, 40, input, 2, NULL,
                                                         nonce, key);
        memcpy(input, token, 40);
        (void)crypto_generichash(tag, sizeof tag, input, sizeof input, key, 10);
        input[0] ^= tag[0];
    }
    return (double)(cpu_ns() - start) / (BATCHES * BATCH);
}

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

int main(int argc, char **argv)
{
    static double retry[ROUNDS_MAX], minimum[ROUNDS_MAX], ratio[ROUNDS_MAX];
    size_t rounds = 21;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            rounds = strtoul(argv[++i], NULL, 10);
        } else {
            check(false, "usage: retry [--json] [--rounds N]");
        }
    }
    check(rounds > 0 && rounds <= ROUNDS_MAX, "rounds out of range");
    check(skua_init() == SKUA_OK, "libsodium");
    struct skua_endpoint *client = open_endpoint(), *server = open_endpoint();
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    listen.retry = SKUA_RETRY_ALWAYS;
    check(skua_endpoint_listen(server, &listen) == SKUA_OK, "cannot listen");
    skua_time now = 1000 * SKUA_SEC;
    make_syns(client, now);
    (void)time_retries(server, now); /* warm */
    for (size_t i = 0; i < rounds; i++) {
        now += SKUA_SEC; /* so that no limit per second is met */
        minimum[i] = time_minimum();
        retry[i] = time_retries(server, now);
        ratio[i] = minimum[i] / retry[i];
    }
    skua_endpoint_free(client);
    skua_endpoint_free(server);
    double each = median(retry, rounds);
    (void)printf(json
                     ? "{\"retries_per_cpu_second\":%.0f,\"retry_ns\":%.0f,\"minimum_ns\":%.0f,"
                       "\"ratio\":%.3f}\n"
                     : "%.0f RETRYs per CPU-second: %.0f ns each. AEAD and BLAKE2b alone: %.0f ns, "
                       "ratio %.2f\n",
                 1e9 / each, each, median(minimum, rounds), median(ratio, rounds));
    return 0;
}
