/* Two endpoints in virtual time: see pair.h. */
#include "pair.h"

#include <stdlib.h>

#include "base/time.h"

/* Calls without the time going on until it is called a spin. */
enum { SPIN_MAX = 2000 };

struct datagram {
    struct datagram *next;
    skua_time at; /* when it arrives */
    int to;
    size_t len;
    uint8_t data[];
};

/* splitmix64 */
static uint64_t random_word(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void fill_random(void *user, void *out, size_t len)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)random_word(user);
    }
}

static void *get_memory(void *user, size_t size)
{
    struct host *host = user;
    if (host->fail_after == 0) {
        host->failed++;
        host->fail_after = host->fail_once ? -1 : 0;
        return NULL;
    }
    host->fail_after -= host->fail_after > 0;
    host->out++;
    return malloc(size);
}

static void put_memory(void *user, void *memory, size_t size)
{
    struct host *host = user;
    (void)size;
    host->out--;
    free(memory);
}

static struct skua_path path_to(int host)
{
    struct skua_path path = {.socket = 0};
    path.remote.family = SKUA_FAMILY_IPV4;
    path.remote.port = (uint16_t)(1000 + host);
    path.remote.ip[0] = 10;
    path.remote.ip[3] = (uint8_t)(host + 1);
    return path;
}

static void open_host(struct pair *pair, struct host *host)
{
    const struct skua_rng rng = {.fill = fill_random, .user = &pair->seed};
    const struct skua_alloc alloc = {.get = get_memory, .put = put_memory, .user = host};
    struct skua_config config = SKUA_CONFIG_INIT;
    config.key = &host->key;
    config.rng = &rng;
    config.alloc = &alloc;
    config.suites = SKUA_SUITE_CHACHA20_POLY1305;
    assert_int_equal(skua_endpoint_new(&host->ep, &config), SKUA_OK);
}

void pair_restart(struct pair *pair, int which)
{
    struct host *host = &pair->host[which];
    skua_endpoint_free(host->ep);
    assert_int_equal(host->out, 0);
    *host = (struct host){.key = host->key, .fail_after = -1};
    open_host(pair, host);
}

void pair_open(struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    pair->seed = 1;
    pair->now = SKUA_SEC;
    pair->delay = 10 * SKUA_MSEC;
    pair->mtu = 1500;
    assert_int_equal(skua_init(), SKUA_OK);
    for (int i = 0; i < 2; i++) {
        struct host *host = &pair->host[i];
        const struct skua_rng rng = {.fill = fill_random, .user = &pair->seed};
        host->fail_after = -1;
        skua_key_generate(&host->key, &rng);
        open_host(pair, host);
        pair->way[i] = path_to(i);
    }
}

void pair_close(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        skua_endpoint_free(pair->host[i].ep);
        assert_int_equal(pair->host[i].out, 0);
    }
    while (pair->first != NULL) {
        struct datagram *d = pair->first;
        pair->first = d->next;
        free(d);
    }
}

void pair_listen(struct pair *pair, const struct skua_listen_config *config)
{
    assert_int_equal(skua_endpoint_listen(pair->host[SERVER].ep, config), SKUA_OK);
}

enum skua_err pair_dial(struct pair *pair, int from, const struct skua_conn_config *config)
{
    const struct skua_path path = path_to(!from);
    struct host *host = &pair->host[from];
    return skua_conn_connect(host->ep, &path, config, &host->conn);
}

skua_conn pair_connect(struct pair *pair, const struct skua_conn_config *config)
{
    assert_int_equal(pair_dial(pair, CLIENT, config), SKUA_OK);
    return pair->host[CLIENT].conn;
}

void pair_establish(struct pair *pair, const struct skua_conn_config *client,
                    const struct skua_listen_config *server)
{
    pair_listen(pair, server);
    (void)pair_connect(pair, client);
    pair_run(pair, 10 * pair->delay);
    assert_int_equal(pair->host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
    assert_int_equal(pair->host[SERVER].events[SKUA_EVENT_INCOMING], 1);
}

static void take_off(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    if (len > pair->mtu || (pair->drop != NULL && pair->drop(pair, from, data, len))) {
        return;
    }
    struct datagram *d = malloc(sizeof *d + len);
    assert_non_null(d);
    *d = (struct datagram){.at = skua_time_add(pair->now, pair->delay), .to = !from, .len = len};
    memcpy(d->data, data, len);
    if (pair->first == NULL) {
        pair->first = d;
    } else {
        pair->last->next = d;
    }
    pair->last = d;
}

/* Does what leaves the server along `path` reach the client? */
static bool reaches_client(const struct pair *pair, const struct skua_path *path)
{
    return skua_path_equal(path, &pair->way[CLIENT]) &&
           skua_addr_equal(&path->local, &pair->way[CLIENT].local);
}

void pair_send(struct pair *pair, int from)
{
    static uint8_t buffer[SKUA_LIMIT_UDP_MAX];
    for (;;) {
        struct skua_tx tx = {
            .data = buffer, .cap = pair->cap != 0 ? pair->cap : sizeof buffer, .max_segments = 44};
        skua_endpoint_send(pair->host[from].ep, &tx, pair->now);
        assert_int_equal(tx.max_segments, 44);
        if (tx.len == 0) {
            return;
        }
        bool lost = pair->strict && from == SERVER && !reaches_client(pair, &tx.path);
        pair->astray += lost ? tx.len : 0;
        for (size_t at = 0; at < tx.len; at += tx.segment_size) {
            size_t left = tx.len - at;
            pair->host[from].sent++;
            if (lost) {
                continue;
            }
            take_off(pair, from, buffer + at, left < tx.segment_size ? left : tx.segment_size);
        }
    }
}

void pair_poll(struct pair *pair, int at)
{
    struct host *host = &pair->host[at];
    struct skua_event event;
    while (!pair->no_poll[at] && skua_endpoint_poll_event(host->ep, &event)) {
        host->events[event.type]++;
        host->at[event.type] = pair->now;
        host->seen[event.type] = event;
        host->seen[event.type].reason = NULL;
        if (event.type == SKUA_EVENT_INCOMING) {
            host->conn = event.conn;
            if (!pair->no_accept) {
                assert_int_equal(skua_conn_accept(host->ep, event.conn, NULL), SKUA_OK);
            }
        } else if (event.type == SKUA_EVENT_STREAM) {
            host->stream = event.stream;
        } else if (event.type == SKUA_EVENT_CLOSED) {
            host->closed = event;
            host->closed.reason = NULL;
        }
    }
}

void pair_inject(struct pair *pair, int to, const uint8_t *data, size_t len)
{
    pair_inject_along(pair, to, &pair->way[!to], data, len);
}

void pair_inject_along(struct pair *pair, int to, const struct skua_path *path, const uint8_t *data,
                       size_t len)
{
    uint8_t *copy = malloc(len);
    assert_non_null(copy);
    memcpy(copy, data, len);
    struct skua_rx rx = {.path = *path, .data = copy, .len = len};
    skua_endpoint_recv(pair->host[to].ep, &rx, 1, pair->now);
    pair_poll(pair, to);
    skua_endpoint_settle(pair->host[to].ep);
    memset(copy, 0xdd, len);
    free(copy);
}

void pair_arrive(struct pair *pair)
{
    while (pair->first != NULL && pair->first->at <= pair->now) {
        struct datagram *d = pair->first;
        pair->first = d->next;
        pair_inject(pair, d->to, d->data, d->len);
        free(d);
    }
}

static skua_time next_time(const struct pair *pair)
{
    skua_time next = pair->first != NULL ? pair->first->at : SKUA_NEVER;
    for (int i = 0; i < 2; i++) {
        next = skua_time_min(next, skua_endpoint_next_timeout(pair->host[i].ep));
    }
    return next;
}

void pair_run(struct pair *pair, skua_time length)
{
    skua_time end = skua_time_add(pair->now, length);
    unsigned still = 0;
    for (;;) {
        pair_arrive(pair);
        for (int i = 0; i < 2; i++) {
            skua_endpoint_on_timeout(pair->host[i].ep, pair->now);
            pair_poll(pair, i);
            pair_send(pair, i);
        }
        skua_time next = next_time(pair);
        if (next > end) {
            pair->now = end;
            return;
        }
        still = next > pair->now ? 0 : still + 1;
        assert_true(still < SPIN_MAX);
        pair->now = skua_time_max(pair->now, next);
    }
}

struct skua_endpoint_stats pair_stats(struct pair *pair, int at)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(pair->host[at].ep, &stats);
    return stats;
}

uint64_t pair_verdicts(struct pair *pair, int at, enum skua_verdict verdict)
{
    return pair_stats(pair, at).verdicts[verdict];
}

struct skua_connection *pair_conn(struct pair *pair, int host)
{
    struct skua_connection *c = skua_endpoint_conn(pair->host[host].ep, pair->host[host].conn);
    assert_non_null(c);
    return c;
}

void pair_forge(struct pair *pair, int from, const uint8_t *frames, size_t len)
{
    uint8_t packet[SKUA_LIMIT_UDP_MIN];
    struct skua_connection *c = pair_conn(pair, from);
    struct skua_fill fill;
    assert_true(skua_tx_begin(c, &fill, packet, sizeof packet));
    skua_writer_copy(&fill.w, frames, len);
    size_t size = skua_tx_seal(c, &fill, packet, 0, pair->now);
    assert_true(size != 0);
    pair_inject(pair, !from, packet, size);
}
