/* Many connections of one socket to one other. */
#include "chart.h"

enum { MANY = 10000, PER_STEP = 100 };

static bool heard_of[MANY];
static unsigned arrived;

/* Each connection says who it is as soon as it stands. */
static void say_number(struct side *s, const struct skua_event *e)
{
    if (e->type == SKUA_EVENT_ESTABLISHED) {
        skua_stream stream;
        size_t n = 0;
        uint32_t number = (uint32_t)(uintptr_t)e->user;
        expect(skua_stream_open(s->host->ep, e->conn, SKUA_STREAM_UNI, &stream) == SKUA_OK);
        expect(skua_stream_write(s->host->ep, stream, &number, sizeof number, &n) == SKUA_OK);
        expect(n == sizeof number && skua_stream_finish(s->host->ep, stream) == SKUA_OK);
        expect(skua_stream_close(s->host->ep, stream) == SKUA_OK);
    }
}

static void read_number(struct side *s, const struct skua_event *e)
{
    if (e->type == SKUA_EVENT_STREAM) {
        uint32_t number = MANY;
        size_t n = 0;
        expect(skua_stream_read(s->host->ep, e->stream, &number, sizeof number, &n) == SKUA_OK);
        expect(n == sizeof number && number < MANY && !heard_of[number]);
        heard_of[number] = true;
        arrived++;
        expect(skua_stream_close(s->host->ep, e->stream) == SKUA_OK);
    }
}

static void connect_as(uint32_t number)
{
    struct skua_path path = sim_path(client->host, 0, server->host);
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.user = (void *)(uintptr_t)number;
    config.idle_timeout_ns = SEC(600);
    expect(skua_conn_connect(client->host->ep, &path, &config, &client->conn) == SKUA_OK);
    side_kick(client);
}

static void connect_many(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        connect_as(i);
        if (i % PER_STEP == PER_STEP - 1) {
            run_for(MS(10));
        }
    }
    run_for(SEC(5));
}

static void begin(void)
{
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    listen.conn.idle_timeout_ns = SEC(600);
    struct skua_path path = sim_path(client->host, 0, server->host);
    for (unsigned i = 0; i < MANY; i++) {
        heard_of[i] = false;
    }
    arrived = 0;
    client->heard = say_number;
    server->heard = read_number;
    server->drains = false;
    sim_oracle_proven(client->host, &path.remote);
    app_listen_with(&listen);
}

SCENARIO(ten_thousand_connections_of_one_port)
{
    begin();
    connect_many(0, MANY);
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(server->host->ep, &stats);
    expect(stats.conns == MANY && stats.half_open == 0);
    expect(client->events[SKUA_EVENT_ESTABLISHED] == MANY);
    expect(arrived == MANY); /* each over its own, none twice */
}

/* The port is no limit, memory is: so many bytes for each connection, whether there are few or
 * many. */
SCENARIO(memory_bounds_a_port)
{
    enum { FEW = 1000, MORE = 3000, LIMIT = 3072 };
    begin();
    uint64_t empty = server->host->heap.used;
    connect_many(0, FEW);
    uint64_t few = server->host->heap.used;
    connect_many(FEW, MORE);
    uint64_t more = server->host->heap.used;
    expect(arrived == MORE);
    (void)printf("%u connections: %llu bytes each, %u more: %llu\n", FEW,
                 (unsigned long long)(few - empty) / FEW, MORE - FEW,
                 (unsigned long long)(more - few) / (MORE - FEW));
    expect((few - empty) / FEW <= LIMIT);
    expect((more - few) / (MORE - FEW) <= LIMIT);
}
