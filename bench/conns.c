/* Many connections over real sockets: one client socket, one server socket, on loopback, in one
 * process.
 *
 *   conns [AT_ONCE [IN_A_ROW]]                 default: 10000 100000
 *
 * First AT_ONCE connections are opened and all of them kept, each with a stream on which 64 bytes
 * went each way; then they are closed. After that IN_A_ROW connections are opened and closed one
 * after the other. Printed are times, sockets, and what both endpoints hold: bytes per connection
 * while all are open, and the TIME_WAIT records and bytes of the client, which closes first, as
 * their number grows. */
#include <ev.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skua/skua_ev.h>

enum { MESSAGE = 64, UNDER_WAY = 256, SAMPLES = 10 };

static struct {
    struct ev_loop *loop;
    struct skua_ev *client, *server;
    struct skua_path path; /* from the one to the other */
    struct skua_key key;   /* the server's */
    uint64_t at_once, in_a_row;
    uint64_t opened, answered, closed; /* of the present phase */
    bool in_row;                       /* the second phase */
    skua_conn *conns;                  /* of the first */
    skua_time began, sampled;
    uint64_t client_base, server_base; /* bytes of the endpoints without connections */
} bench;

static void fail(const char *what, enum skua_err err)
{
    (void)fprintf(stderr, "conns: %s: %s\n", what, skua_strerror(err));
    exit(1);
}

static void must(const char *what, enum skua_err err)
{
    if (err != SKUA_OK) {
        fail(what, err);
    }
}

static struct skua_endpoint_stats stats_of(struct skua_ev *ev)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(skua_ev_endpoint(ev), &stats);
    return stats;
}

static double seconds_since(skua_time then)
{
    return (double)(skua_ev_now(bench.client) - then) * 1e-9;
}

/* --- the server: sends back what it gets, and closes when the client has */

static void echo(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    uint8_t bytes[MESSAGE];
    size_t len = 0, written = 0;
    while (skua_stream_read(ep, event->stream, bytes, sizeof bytes, &len) == SKUA_OK) {
        must("write", skua_stream_write(ep, event->stream, bytes, len, &written));
    }
}

static void finished(struct skua_ev *ev, const struct skua_event *event)
{
    (void)skua_conn_close(skua_ev_endpoint(ev), event->conn);
}

/* --- the client */

static void open_next(void)
{
    struct skua_endpoint *ep = skua_ev_endpoint(bench.client);
    static const uint8_t message[MESSAGE];
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    skua_conn conn;
    skua_stream stream;
    size_t written;
    config.server_key = &bench.key;
    config.user = (void *)(uintptr_t)bench.opened; /* its index */
    must("connect", skua_conn_connect(ep, &bench.path, &config, &conn));
    must("stream", skua_stream_open(ep, conn, SKUA_STREAM_BIDI, &stream));
    must("write", skua_stream_write(ep, stream, message, sizeof message, &written));
    if (!bench.in_row) {
        bench.conns[bench.opened] = conn;
    }
    bench.opened++;
}

static void report_all_open(void)
{
    const struct skua_endpoint_stats client = stats_of(bench.client);
    const struct skua_endpoint_stats server = stats_of(bench.server);
    struct skua_ev_stats sockets[2];
    skua_ev_stats(bench.client, &sockets[0]);
    skua_ev_stats(bench.server, &sockets[1]);
    (void)printf("at once     %" PRIu64 " connections open after %.2f s, between %u client socket "
                 "and %u server socket\n"
                 "            bytes each: client %" PRIu64 ", server %" PRIu64 "\n",
                 client.conns, seconds_since(bench.began), sockets[0].sockets, sockets[1].sockets,
                 (client.memory - bench.client_base) / client.conns,
                 (server.memory - bench.server_base) / server.conns);
}

static void close_all(void)
{
    report_all_open();
    bench.began = skua_ev_now(bench.client);
    for (uint64_t i = 0; i < bench.at_once; i++) {
        must("close", skua_conn_close(skua_ev_endpoint(bench.client), bench.conns[i]));
    }
}

static void on_readable(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    uint8_t bytes[MESSAGE];
    size_t len = 0;
    if (skua_stream_read(ep, event->stream, bytes, sizeof bytes, &len) != SKUA_OK) {
        return;
    }
    bench.answered++;
    if (bench.in_row) {
        must("close", skua_conn_close(ep, event->conn));
    } else if (bench.opened < bench.at_once) {
        open_next();
    } else if (bench.answered == bench.at_once) {
        close_all();
    }
}

static void sample(void)
{
    const struct skua_endpoint_stats client = stats_of(bench.client);
    const struct skua_endpoint_stats server = stats_of(bench.server);
    (void)printf("in a row    %8" PRIu64 " closed, %6.1f us each; client: %6" PRIu64
                 " TIME_WAIT records, %9" PRIu64 " bytes; server: %" PRIu64 " connections, %" PRIu64
                 " bytes\n",
                 bench.closed,
                 1e6 * seconds_since(bench.sampled) / (double)(bench.in_a_row / SAMPLES),
                 client.time_wait, client.memory - bench.client_base, server.conns,
                 server.memory - bench.server_base);
    bench.sampled = skua_ev_now(bench.client);
}

static void begin_row(void)
{
    bench.in_row = true;
    bench.opened = bench.answered = bench.closed = 0;
    bench.sampled = skua_ev_now(bench.client);
    open_next();
}

static void on_closed(struct skua_ev *ev, const struct skua_event *event)
{
    if (event->error != SKUA_OK) {
        fail("a connection", event->error);
    }
    bench.closed++;
    if (!bench.in_row) {
        if (bench.closed == bench.at_once) {
            (void)printf("            all closed after %.2f s: %" PRIu64 " TIME_WAIT records\n",
                         seconds_since(bench.began), stats_of(ev).time_wait);
            begin_row();
        }
        return;
    }
    if (bench.closed % (bench.in_a_row / SAMPLES) == 0) {
        sample();
    }
    if (bench.closed == bench.in_a_row) {
        ev_break(bench.loop, EVBREAK_ALL);
    } else {
        open_next();
    }
}

static void on_server_closed(struct skua_ev *ev, const struct skua_event *event)
{
    (void)ev;
    if (event->error != SKUA_OK) {
        fail("a connection of the server's", event->error);
    }
}

static void start(void)
{
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    config.endpoint.max_conns = (size_t)bench.at_once + 1000;
    config.handlers.readable = echo;
    config.handlers.finished = finished;
    config.handlers.closed = on_server_closed;
    must("server", skua_ev_new(&bench.server, bench.loop, &config));
    must("listen", skua_ev_listen(bench.server, "127.0.0.1:0", &listen));
    config.handlers = (struct skua_ev_handlers){
        .size = sizeof(struct skua_ev_handlers), .readable = on_readable, .closed = on_closed};
    must("client", skua_ev_new(&bench.client, bench.loop, &config));
    must("bind", skua_ev_bind(bench.client, "127.0.0.1:0"));
    must("address", skua_ev_local_addr(bench.server, 0, &bench.path.remote));
    bench.key = *skua_endpoint_key(skua_ev_endpoint(bench.server));
    bench.client_base = stats_of(bench.client).memory;
    bench.server_base = stats_of(bench.server).memory;
    bench.began = skua_ev_now(bench.client);
    for (uint64_t i = 0; i < UNDER_WAY && i < bench.at_once; i++) {
        open_next();
    }
}

int main(int argc, char **argv)
{
    bench.at_once = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;
    bench.in_a_row = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000;
    if (argc > 3 || bench.at_once == 0 || bench.in_a_row < SAMPLES) {
        (void)fprintf(stderr, "usage: conns [AT_ONCE [IN_A_ROW]]\n");
        return 2;
    }
    bench.conns = calloc(bench.at_once, sizeof *bench.conns);
    bench.loop = ev_default_loop(EVFLAG_AUTO);
    if (bench.conns == NULL) {
        fail("memory", SKUA_ENOMEM);
    }
    start();
    ev_run(bench.loop, 0);
    skua_ev_free(bench.client);
    skua_ev_free(bench.server);
    free(bench.conns);
    return 0;
}
