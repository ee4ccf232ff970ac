/* Congestion controllers beside each other, in the simulator's virtual time: how much of a link one
 * connection fills, and how two share it.
 *
 *   cc [--seconds N] [--rate MBIT]
 *
 * The tables are Markdown, for docs/performance.md. The same on every machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

enum { FLOWS_MAX = 2, PIECE = 65536 };

/* A bulk sender. */
struct flow {
    enum skua_controller controller;
    skua_conn conn;
    skua_stream stream;
    uint64_t received;
};

struct run {
    struct sim_world *w;
    struct sim_host *client, *server;
    struct flow flow[FLOWS_MAX];
    unsigned flows, accepted;
};

static uint8_t zeros[PIECE];

/* --- the applications --- */

static void write_all(struct sim_host *host, struct flow *f)
{
    size_t n;
    while (skua_stream_write(host->ep, f->stream, zeros, sizeof zeros, &n) == SKUA_OK) {
    }
}

static void client_event(struct sim_host *host, const struct skua_event *e)
{
    struct flow *f = e->user;
    if (e->type == SKUA_EVENT_ESTABLISHED) {
        SIM_CHECK(host->world,
                  skua_stream_open(host->ep, f->conn, SKUA_STREAM_UNI, &f->stream) == SKUA_OK);
        write_all(host, f);
    } else if (e->type == SKUA_EVENT_WRITABLE) {
        write_all(host, f);
    }
    SIM_CHECK(host->world, e->type != SKUA_EVENT_CLOSED);
}

static void server_event(struct sim_host *host, const struct skua_event *e)
{
    struct run *run = host->user;
    if (e->type == SKUA_EVENT_INCOMING) {
        /* In the order in which they were dialled, one after the other. */
        SIM_CHECK(host->world,
                  skua_conn_accept(host->ep, e->conn, &run->flow[run->accepted++]) == SKUA_OK);
    } else if (e->type == SKUA_EVENT_STREAM || e->type == SKUA_EVENT_READABLE) {
        struct flow *f = e->user;
        size_t n;
        while (skua_stream_read(host->ep, e->stream, zeros, sizeof zeros, &n) == SKUA_OK) {
            f->received += n;
        }
    }
}

static const struct sim_program client = {.event = client_event}, server = {.event = server_event};

/* --- a run --- */

static void begin(struct run *run, const struct sim_link_config *link)
{
    *run = (struct run){.w = sim_world_new(1)};
    run->client = sim_world_host(run->w, NULL, &client);
    run->server = sim_world_host(run->w, NULL, &server);
    run->server->user = run;
    sim_world_connect(run->w, run->client, run->server, link);
    /* Loss and queue are in the way of the data only. */
    struct sim_link_config *back = &sim_link_between(run->server, run->client)->config;
    back->loss = 0;
    back->queue = 0;
    SIM_CHECK(run->w, skua_endpoint_listen(run->server->ep, NULL) == SKUA_OK);
}

static void dial(struct run *run, enum skua_controller controller)
{
    struct flow *f = &run->flow[run->flows++];
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    struct skua_path path = sim_path(run->client, 0, run->server);
    f->controller = controller;
    config.controller = controller;
    config.user = f;
    sim_oracle_proven(run->client, &path.remote);
    SIM_CHECK(run->w, skua_conn_connect(run->client->ep, &path, &config, &f->conn) == SKUA_OK);
    sim_host_wake(run->client, run->w->now);
}

static void pass(struct run *run, skua_time time)
{
    (void)sim_run(run->w, run->w->now + time);
}

static struct sim_link_config link_of(uint64_t rate, skua_time rtt, double loss, double queue)
{
    uint64_t bdp = rate / 8 * (rtt / SKUA_USEC) / 1000000;
    uint64_t bytes = (uint64_t)((double)bdp * queue);
    return (struct sim_link_config){.delay = rtt / 2,
                                    .rate = rate,
                                    .queue = bytes > 6000 ? bytes : 6000,
                                    .loss = (uint32_t)(loss * 10000),
                                    .mtu = 1472};
}

static const skua_time rtts[] = {1, 20, 100, 300};
static const double queues[] = {0.5, 1, 4};

/* Percent of the link that one connection fills with application bytes, its beginning included. */
static double fill(enum skua_controller controller, const struct sim_link_config *link,
                   skua_time time)
{
    struct run run;
    begin(&run, link);
    dial(&run, controller);
    pass(&run, time);
    double rate = (double)run.flow[0].received * 8 / ((double)time / SKUA_SEC);
    sim_world_free(run.w);
    return 100 * rate / (double)link->rate;
}

static void print_heading(const char *first)
{
    printf("| %s |", first);
    for (unsigned i = 1; skua_controller_name((enum skua_controller)i) != NULL; i++) {
        for (size_t q = 0; q < sizeof queues / sizeof queues[0]; q++) {
            printf(" %s, %g BDP |", skua_controller_name((enum skua_controller)i), queues[q]);
        }
    }
    printf("\n|---|");
    for (unsigned i = 1; skua_controller_name((enum skua_controller)i) != NULL; i++) {
        for (size_t q = 0; q < sizeof queues / sizeof queues[0]; q++) {
            printf("---:|");
        }
    }
    printf("\n");
}

static void print_alone(uint64_t rate, skua_time time)
{
    static const double losses[] = {0, 0.01, 0.1, 1};
    printf("One connection, %u Mbit/s, %u s: percent of the link, by queue.\n\n",
           (unsigned)(rate / 1000000), (unsigned)(time / SKUA_SEC));
    print_heading("RTT, loss");
    for (size_t r = 0; r < sizeof rtts / sizeof rtts[0]; r++) {
        for (size_t l = 0; l < sizeof losses / sizeof losses[0]; l++) {
            printf("| %u ms, %g %% |", (unsigned)rtts[r], losses[l]);
            for (unsigned i = 1; skua_controller_name((enum skua_controller)i) != NULL; i++) {
                for (size_t q = 0; q < sizeof queues / sizeof queues[0]; q++) {
                    struct sim_link_config link =
                        link_of(rate, rtts[r] * SKUA_MSEC, losses[l], queues[q]);
                    printf(" %.1f |", fill((enum skua_controller)i, &link, time));
                    (void)fflush(stdout);
                }
            }
            printf("\n");
        }
    }
}

/* Two connections, the second one begins ten seconds later: the second's share of what both get in
 * the time that follows, percent. */
static double share(enum skua_controller first, enum skua_controller second,
                    const struct sim_link_config *link, skua_time time)
{
    struct run run;
    begin(&run, link);
    dial(&run, first);
    pass(&run, 10 * SKUA_SEC);
    dial(&run, second);
    pass(&run, 10 * SKUA_SEC);
    uint64_t before[] = {run.flow[0].received, run.flow[1].received};
    pass(&run, time);
    double one = (double)(run.flow[0].received - before[0]);
    double two = (double)(run.flow[1].received - before[1]);
    sim_world_free(run.w);
    return 100 * two / (one + two);
}

static void print_shared(uint64_t rate, skua_time time)
{
    printf("\nTwo connections, %u Mbit/s, no loss but by the queue of 1 BDP: the second's share in "
           "percent, from 10 s after its\nbeginning on, for %u s.\n\n",
           (unsigned)(rate / 1000000), (unsigned)(time / SKUA_SEC));
    printf("| RTT | newreno, newreno | cubic, cubic | newreno, cubic | cubic, newreno |\n"
           "|---|---:|---:|---:|---:|\n");
    static const enum skua_controller pairs[][2] = {
        {SKUA_CONTROLLER_NEWRENO, SKUA_CONTROLLER_NEWRENO},
        {SKUA_CONTROLLER_CUBIC, SKUA_CONTROLLER_CUBIC},
        {SKUA_CONTROLLER_NEWRENO, SKUA_CONTROLLER_CUBIC},
        {SKUA_CONTROLLER_CUBIC, SKUA_CONTROLLER_NEWRENO},
    };
    for (size_t r = 0; r < sizeof rtts / sizeof rtts[0]; r++) {
        printf("| %u ms |", (unsigned)rtts[r]);
        for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
            struct sim_link_config link = link_of(rate, rtts[r] * SKUA_MSEC, 0, 1);
            printf(" %.0f |", share(pairs[i][0], pairs[i][1], &link, time));
            (void)fflush(stdout);
        }
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    uint64_t rate = 100, seconds = 30;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            seconds = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--rate") == 0 && i + 1 < argc) {
            rate = strtoull(argv[++i], NULL, 10);
        } else {
            (void)fprintf(stderr, "usage: cc [--seconds N] [--rate MBIT]\n");
            return 2;
        }
    }
    if (rate == 0 || rate > 100000 || seconds == 0 || seconds > 100000 || skua_init() != SKUA_OK) {
        return 2;
    }
    print_alone(rate * 1000000, seconds * SKUA_SEC);
    print_shared(rate * 1000000, 2 * seconds * SKUA_SEC);
    return 0;
}
