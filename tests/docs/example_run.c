/* The run: connect, one stream with a few bytes each way, orderly close. Everything is driven as a
 * program without a driver would do it, through skua.h alone. */
#include "example_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char HELLO[] = "hello, server";
static const char REPLY[] = "hello, client";
static const char *const NAMES[SIDES] = {"client", "server"};

/* Time begins here; what is shown counts from it. */
#define START SKUA_SEC

enum { FLYING_MAX = 16 };

struct world;

/* One host. */
struct end {
    struct world *world;
    enum example_side side;
    struct skua_endpoint *ep;
    struct skua_path path; /* the way to the other one */
    skua_conn conn;        /* 0 before there is one */
    uint8_t fills[65];     /* draws so far, by length */
};

/* A datagram under way. */
struct flying {
    skua_time at;         /* arrival */
    enum example_side to; /* receiver */
    size_t len;           /* bytes of data */
    uint8_t data[EXAMPLE_DATAGRAM_MAX];
};

struct world {
    struct example_run *run;
    struct end ends[SIDES];
    struct flying flying[FLYING_MAX]; /* in the order of arrival: all ways take equally long */
    size_t flying_count;
    skua_time now;
};

void example_require(bool ok, const char *text)
{
    if (!ok) {
        (void)fprintf(stderr, "worked example: %s\n", text);
        exit(EXIT_FAILURE);
    }
}

static struct example_entry *add(struct world *w, enum example_side side)
{
    example_require(w->run->count < EXAMPLE_ENTRIES, "too many entries");
    struct example_entry *entry = &w->run->entries[w->run->count++];
    entry->at = w->now - START;
    entry->side = side;
    return entry;
}

__attribute__((format(printf, 3, 4))) static void note(struct world *w, enum example_side side,
                                                       const char *format, ...)
{
    struct example_entry *entry = add(w, side);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(entry->note, sizeof entry->note, format, args);
    va_end(args);
}

/* Randomness that a reader recognises: bytes count up from a start that depends on the side, the
 * length asked for, and how often that length was asked for before. */
static void fill(void *user, void *out, size_t len)
{
    struct end *end = user;
    uint8_t *bytes = out;
    example_require(len < sizeof end->fills, "more random bytes at once than expected");
    uint8_t first = (uint8_t)((end->side == CLIENT ? 0x60 : 0xa0) + 8 * end->fills[len]++);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(first + i);
    }
    struct example_run *run = end->world->run;
    if (len == SKUA_KEY_LEN) {
        example_require(run->draw_count < EXAMPLE_DRAWS, "too many keys drawn");
        struct example_draw *draw = &run->draws[run->draw_count++];
        draw->side = end->side;
        memcpy(draw->value.bytes, bytes, len);
    }
}

static void on_trace(void *user, const struct skua_trace_event *event)
{
    struct end *end = user;
    const char *name = skua_trace_name(event->type);
    if (name != NULL && strcmp(name, "state_changed") == 0) {
        note(end->world, end->side, "%s is %s, was %s", NAMES[end->side],
             skua_state_name((enum skua_state)event->args[1]),
             skua_state_name((enum skua_state)event->args[0]));
    }
}

static void make_end(struct world *w, enum example_side side)
{
    struct end *end = &w->ends[side];
    const struct skua_rng rng = {.fill = fill, .user = end};
    const struct skua_trace trace = {.event = on_trace, .user = end};
    struct skua_config config = SKUA_CONFIG_INIT;
    end->world = w;
    end->side = side;
    end->path.remote = (struct skua_addr){.family = SKUA_FAMILY_IPV4, .ip = {192, 0, 2, 1}};
    end->path.remote.port = side == CLIENT ? SKUA_DEFAULT_PORT : 50000;
    end->path.remote.ip[3] = side == CLIENT ? 2 : 1;
    for (size_t i = 0; i < SKUA_KEY_LEN; i++) {
        w->run->secret[side].bytes[i] = (uint8_t)((side == CLIENT ? 0x00 : 0x20) + i);
    }
    config.key = &w->run->secret[side];
    config.rng = &rng;
    config.trace = &trace;
    config.suites = SKUA_SUITE_CHACHA20_POLY1305; /* the same bytes on every machine */
    example_require(skua_endpoint_new(&end->ep, &config) == SKUA_OK, "no endpoint");
}

/* --- the applications */

static void start(struct world *w)
{
    struct end *client = &w->ends[CLIENT];
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    skua_stream stream;
    size_t written = 0;
    listen.conn.label = EXAMPLE_LABEL;
    config.label = EXAMPLE_LABEL;
    example_require(skua_endpoint_listen(w->ends[SERVER].ep, &listen) == SKUA_OK, "no listener");
    example_require(
        skua_conn_connect(client->ep, &client->path, &config, &client->conn) == SKUA_OK &&
            skua_stream_open(client->ep, client->conn, SKUA_STREAM_BIDI, &stream) == SKUA_OK &&
            skua_stream_write(client->ep, stream, HELLO, strlen(HELLO), &written) == SKUA_OK &&
            skua_stream_finish(client->ep, stream) == SKUA_OK,
        "the client cannot start");
    note(w, CLIENT, "the client connects, opens a stream, writes \"%s\" and finishes it", HELLO);
}

/* Reads to the end of the stream; true where that was it. */
static bool read_all(const struct end *end, skua_stream stream, const char *expected)
{
    char text[64];
    size_t len = 0;
    enum skua_err err = skua_stream_read(end->ep, stream, text, sizeof text, &len);
    example_require(err == SKUA_OK && len == strlen(expected) && memcmp(text, expected, len) == 0,
                    "other bytes than were written");
    return skua_stream_read(end->ep, stream, text, sizeof text, &len) == SKUA_EOF;
}

static void on_readable(struct end *end, const struct skua_event *event)
{
    bool server = end->side == SERVER;
    size_t written = 0;
    example_require(read_all(end, event->stream, server ? HELLO : REPLY), "no end of stream");
    if (server) {
        example_require(skua_stream_write(end->ep, event->stream, REPLY, strlen(REPLY), &written) ==
                                SKUA_OK &&
                            skua_stream_finish(end->ep, event->stream) == SKUA_OK,
                        "no reply");
        note(end->world, SERVER, "the server reads it, writes \"%s\" and finishes the stream",
             REPLY);
    } else {
        example_require(skua_conn_close(end->ep, event->conn) == SKUA_OK, "no close");
        note(end->world, CLIENT, "the client has read the reply and closes");
    }
}

static void on_event(struct end *end, const struct skua_event *event)
{
    uint8_t *exported = end->world->run->exported[end->side];
    switch (event->type) {
    case SKUA_EVENT_INCOMING:
        end->conn = event->conn;
        example_require(skua_conn_accept(end->ep, event->conn, NULL) == SKUA_OK, "no accept");
        note(end->world, SERVER, "the server accepts");
        break;
    case SKUA_EVENT_READABLE:
        example_require(skua_conn_export(end->ep, event->conn, EXAMPLE_EXPORT, exported, 32) ==
                            SKUA_OK,
                        "no exporter");
        on_readable(end, event);
        break;
    case SKUA_EVENT_FINISHED:
        note(end->world, end->side, "%s: the peer's FIN is complete", NAMES[end->side]);
        (void)skua_conn_close(end->ep, event->conn);
        break;
    case SKUA_EVENT_CLOSED:
        example_require(event->error == SKUA_OK, "a connection ended with an error");
        note(end->world, end->side, "%s: closed, everything acknowledged", NAMES[end->side]);
        break;
    case SKUA_EVENT_DATAGRAM:
    case SKUA_EVENT_TOKEN:
    case SKUA_EVENT_DATAGRAM_ROOM:
    case SKUA_EVENT_PATH:
    case SKUA_EVENT_NONE:
    case SKUA_EVENT_ESTABLISHED:
    case SKUA_EVENT_STREAM:
    case SKUA_EVENT_WRITABLE:
    case SKUA_EVENT_STOPPED:
    case SKUA_EVENT_ACKED:
    case SKUA_EVENT_CONSUMED:
    case SKUA_EVENT_DISCARDED:
    case SKUA_EVENT_DELIVERED:
    case SKUA_EVENT_STREAMS:
    case SKUA_EVENT_TYPES:
        break;
    }
}

/* --- the network */

static void send_all(struct world *w, struct end *end)
{
    static uint8_t buffer[65507];
    struct skua_tx tx = {.data = buffer, .cap = sizeof buffer, .max_segments = 1};
    for (skua_endpoint_send(end->ep, &tx, w->now); tx.len > 0;
         skua_endpoint_send(end->ep, &tx, w->now)) {
        example_require(tx.len <= EXAMPLE_DATAGRAM_MAX && w->flying_count < FLYING_MAX,
                        "more or larger datagrams than expected");
        struct example_entry *entry = add(w, end->side);
        entry->len = tx.len;
        memcpy(entry->data, tx.data, tx.len);
        struct flying *flying = &w->flying[w->flying_count++];
        flying->at = w->now + EXAMPLE_DELAY;
        flying->to = end->side == CLIENT ? SERVER : CLIENT;
        flying->len = tx.len;
        memcpy(flying->data, tx.data, tx.len);
    }
}

static void handle_events(struct end *end)
{
    struct skua_event event;
    while (skua_endpoint_poll_event(end->ep, &event)) {
        on_event(end, &event);
    }
    skua_endpoint_settle(end->ep);
}

static void deliver(struct world *w)
{
    struct flying first = w->flying[0];
    memmove(&w->flying[0], &w->flying[1], --w->flying_count * sizeof first);
    struct end *end = &w->ends[first.to];
    struct skua_rx rx = {.path = end->path, .data = first.data, .len = first.len};
    skua_endpoint_recv(end->ep, &rx, 1, w->now);
    handle_events(end);
}

static bool is_over(const struct world *w)
{
    for (int i = 0; i < SIDES; i++) {
        struct skua_endpoint_stats stats;
        skua_endpoint_stats(w->ends[i].ep, &stats);
        if (stats.conns > 0) {
            return false;
        }
    }
    return w->flying_count == 0;
}

/* What happens next, wherever it is. */
static void step(struct world *w)
{
    skua_time next = w->flying_count > 0 ? w->flying[0].at : SKUA_NEVER;
    for (int i = 0; i < SIDES; i++) {
        skua_time at = skua_endpoint_next_timeout(w->ends[i].ep);
        next = at < next ? at : next;
    }
    example_require(next != SKUA_NEVER, "nothing happens any more");
    w->now = next > w->now ? next : w->now;
    if (w->flying_count > 0 && w->flying[0].at <= w->now) {
        deliver(w);
    }
    for (int i = 0; i < SIDES; i++) {
        skua_endpoint_on_timeout(w->ends[i].ep, w->now);
        handle_events(&w->ends[i]);
        send_all(w, &w->ends[i]);
        handle_events(&w->ends[i]); /* the last packet of a connection ends it */
    }
}

void example_run(struct example_run *run)
{
    static struct world world;
    struct world *w = &world;
    memset(run, 0, sizeof *run);
    memset(w, 0, sizeof *w);
    w->run = run;
    w->now = START;
    make_end(w, CLIENT);
    make_end(w, SERVER);
    for (int i = 0; i < SIDES; i++) { /* the first verb tells the time */
        skua_endpoint_on_timeout(w->ends[i].ep, w->now);
    }
    start(w);
    for (int i = 0; i < SIDES; i++) {
        send_all(w, &w->ends[i]);
    }
    for (int steps = 0; !is_over(w); steps++) {
        example_require(steps < 1000, "the run does not end");
        step(w);
    }
    for (int i = 0; i < SIDES; i++) {
        skua_endpoint_free(w->ends[i].ep);
    }
}
