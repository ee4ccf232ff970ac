/* See chart.h: the chart's life, the network and the applications. */
#include "chart.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "endpoint/endpoint.h"

enum { KEPT_MAX = 32 };

static struct pair pair;
static bool open_now;
static const char *test_name = "";
static bool verbose;
static struct kept kept[KEPT_MAX];
static unsigned kept_count;
static skua_time start;

struct side *const client = &pair.client, *const server = &pair.server;

struct sim_world *world(void)
{
    return pair.w;
}

struct pair *chart_pair(void)
{
    return &pair;
}

/* --- the chart --- */

static void draw(struct sim_world *w)
{
    (void)w;
    record_draw(stderr);
}

/* What the application hears of, but for what the states show or the test asks for at every turn.
 */
static void on_event(struct side *s, const struct skua_event *e)
{
    char text[80];
    switch (e->type) {
    case SKUA_EVENT_CLOSED:
        (void)snprintf(text, sizeof text, "CLOSED: %s", skua_err_name(e->error));
        record_note(s, text);
        break;
    case SKUA_EVENT_INCOMING:
        record_note(s, s->accepts ? "INCOMING, accept" : "INCOMING");
        break;
    case SKUA_EVENT_FINISHED:
        record_note(s, "FINISHED");
        break;
    case SKUA_EVENT_CONSUMED:
        record_note(s, "CONSUMED");
        break;
    case SKUA_EVENT_DISCARDED:
        (void)snprintf(text, sizeof text, "DISCARDED at %llu", (unsigned long long)e->offset);
        record_note(s, text);
        break;
    case SKUA_EVENT_ESTABLISHED:
    case SKUA_EVENT_STREAM:
    case SKUA_EVENT_READABLE:
    case SKUA_EVENT_WRITABLE:
    case SKUA_EVENT_STOPPED:
    case SKUA_EVENT_ACKED:
    case SKUA_EVENT_DELIVERED:
    case SKUA_EVENT_DATAGRAM:
    case SKUA_EVENT_TOKEN:
    case SKUA_EVENT_DATAGRAM_ROOM:
    case SKUA_EVENT_STREAMS:
    case SKUA_EVENT_PATH:
    case SKUA_EVENT_NONE:
    case SKUA_EVENT_TYPES:
        break;
    }
}

void chart_name(const char *name, bool say_all)
{
    test_name = name;
    verbose = say_all;
}

/* Sizes of packets depend on the cipher, and which ones there are on the machine. */
static struct sim_host_config driver(const struct sim_host_config *config)
{
    struct sim_host_config c = {.max_segments = 64, .max_gro = 1, .max_sends = 64};
    c = config != NULL ? *config : c;
    c.suites = c.suites != 0 ? c.suites : SKUA_SUITE_CHACHA20_POLY1305;
    return c;
}

void chart_begin_drivers(const struct sim_link_config *link,
                         const struct sim_host_config *at_client,
                         const struct sim_host_config *at_server)
{
    static const struct sim_link_config ethernet = {.delay = 10 * SKUA_MSEC, .mtu = 1472};
    struct sim_host_config a = driver(at_client), b = driver(at_server);
    chart_end();
    pair_init_drivers(&pair, test_name, link != NULL ? link : &ethernet, &a, &b);
    pair_replay(&pair, "behaviour run", test_name);
    pair.w->verbose = pair.w->verbose || verbose;
    pair.w->dump = draw;
    client->heard = server->heard = on_event;
    start = pair.w->now;
    kept_count = 0;
    record_begin(&pair);
    open_now = true;
}

void chart_begin(const struct sim_link_config *link)
{
    chart_begin_drivers(link, NULL, NULL);
}

static void side_forget(struct side *s)
{
    memset(s->events, 0, sizeof s->events);
    memset(s->at, 0, sizeof s->at);
    s->received = s->written = 0;
    s->eof = s->finished = false;
    s->state_count = 0;
}

void chart_forget(void)
{
    start = pair.w->now;
    record_forget();
    side_forget(client);
    side_forget(server);
}

static void abort_all(struct side *s)
{
    struct skua_endpoint *ep = s->host->ep;
    (void)skua_endpoint_unlisten(ep);
    struct skua_node *node = skua_list_first(&ep->conns);
    while (node != NULL) {
        struct skua_connection *c = SKUA_CONTAINER_OF(node, struct skua_connection, all_link);
        node = skua_list_next(&ep->conns, node);
        (void)skua_conn_abort(ep, c->handle, 0, NULL);
    }
    s->dark = false;
    s->drop_next = 0;
    side_kick(s);
}

void chart_end(void)
{
    if (!open_now) {
        return;
    }
    record_stop();
    abort_all(client);
    abort_all(server);
    for (unsigned i = 0; i < 2; i++) {
        sim_link_heal(&pair.w->link[i][1 - i]);
    }
    pair_end(&pair);
    record_end();
    open_now = false;
}

/* --- time --- */

skua_time elapsed(void)
{
    return pair.w->now - start;
}

void run_for(skua_time duration)
{
    pair_run(&pair, duration);
}

void run_to(skua_time at)
{
    expect(at >= elapsed());
    run_for(at - elapsed());
}

/* --- the network --- */

static void order(enum fault_kind what, struct side *from, unsigned kind, unsigned first,
                  unsigned count, skua_time time, struct kept *copy)
{
    record_fault(&(struct fault){.what = what,
                                 .from = from,
                                 .kind = kind,
                                 .first = first,
                                 .count = count,
                                 .time = time,
                                 .kept = copy});
}

void net_drop(struct side *from, unsigned kind, unsigned nth)
{
    order(FAULT_DROP, from, kind, nth, 1, 0, NULL);
}

void net_drop_many(struct side *from, unsigned kind, unsigned nth, unsigned count)
{
    order(FAULT_DROP, from, kind, nth, count, 0, NULL);
}

void net_delay(struct side *from, unsigned kind, unsigned nth, skua_time by)
{
    order(FAULT_DELAY, from, kind, nth, 1, by, NULL);
}

void net_duplicate(struct side *from, unsigned kind, unsigned nth, skua_time after)
{
    order(FAULT_DUPLICATE, from, kind, nth, 1, after, NULL);
}

void net_corrupt(struct side *from, unsigned kind, unsigned nth)
{
    order(FAULT_CORRUPT, from, kind, nth, 1, 0, NULL);
}

void net_mark(struct side *from, unsigned kind, unsigned nth)
{
    order(FAULT_MARK, from, kind, nth, 1, 0, NULL);
}

const struct kept *net_keep(struct side *from, unsigned kind, unsigned nth)
{
    SKUA_ASSERT(kept_count < KEPT_MAX);
    struct kept *k = &kept[kept_count++];
    k->len = 0;
    order(FAULT_KEEP, from, kind, nth, 1, 0, k);
    return k;
}

void net_watch(void (*watch)(struct side *from, const struct sim_datagram *datagram))
{
    record_watch(watch);
}

void watch_trace(void (*watch)(struct side *s, const struct skua_trace_event *event))
{
    record_watch_trace(watch);
}

void net_inject(struct side *to, const struct skua_addr *from, const void *bytes, size_t len)
{
    struct skua_addr address = sim_addr((to == server ? client : server)->host, 0);
    struct skua_addr own = sim_addr(to->host, 0);
    from = from != NULL ? from : &address;
    record_injected(to, from, len);
    sim_inject(to->host, from, &own, bytes, len, pair.w->now);
}

void net_replay(struct side *to, const struct kept *copy)
{
    expect(copy->len > 0);
    net_inject(to, NULL, copy->bytes, copy->len);
}

void net_cut(struct side *from)
{
    note(from, "(the cable is pulled)");
    from->dark = true;
}

void net_mend(struct side *from)
{
    note(from, "(the cable is plugged in again)");
    from->dark = false;
}

/* --- the applications --- */

void note(struct side *s, const char *format, ...)
{
    char text[96];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    record_note(s, text);
}

void app_listen_with(const struct skua_listen_config *config)
{
    note(server, "listen(): LISTEN");
    pair_listen(&pair, config);
}

void app_listen(void)
{
    app_listen_with(NULL);
}

void app_connect_with(const struct skua_conn_config *config)
{
    note(client, "connect()");
    pair_dial(&pair, config);
}

void app_connect(void)
{
    app_connect_with(NULL);
}

void app_establish(void)
{
    app_listen();
    app_connect();
    run_until(SEC(2), client->events[SKUA_EVENT_ESTABLISHED] > 0 &&
                          server->events[SKUA_EVENT_INCOMING] > 0);
    run_for(MS(500)); /* until the handshake is confirmed and all is quiet */
}

void app_accept(void)
{
    note(server, "accept()");
    expect(skua_conn_accept(server->host->ep, server->conn, server) == SKUA_OK);
    side_kick(server);
}

void app_send(struct side *s, unsigned kind, uint64_t bytes)
{
    note(s, "write(%llu), end of stream", (unsigned long long)bytes);
    side_send(s, kind, bytes);
}

void app_write(struct side *s, uint64_t bytes)
{
    note(s, "write(%llu)", (unsigned long long)bytes);
    side_write(s, bytes);
}

void app_finish(struct side *s)
{
    note(s, "end of stream");
    side_finish(s);
}

void app_read(struct side *s)
{
    uint64_t before = s->received;
    side_read(s);
    note(s, "read(): %llu", (unsigned long long)(s->received - before));
}

void app_shutdown(struct side *s)
{
    note(s, "shutdown()");
    side_shutdown(s);
}

void app_close(struct side *s)
{
    note(s, "close()");
    side_close(s);
}

void app_abort(struct side *s, uint64_t code, const char *reason)
{
    note(s, "abort(%llu)", (unsigned long long)code);
    expect(skua_conn_abort(s->host->ep, s->conn, code, reason) == SKUA_OK);
    side_kick(s);
}

void app_crash(struct side *s)
{
    note(s, "(killed, and started again)");
    sim_host_restart(s->host);
    s->conn = 0;
    s->stream = 0;
    s->listens = false;
}

void app_suspend(struct side *s, skua_time duration, bool clock_goes_on)
{
    note(s, "(suspended for %llu ms)", (unsigned long long)(duration / SKUA_MSEC));
    sim_host_suspend(s->host, pair.w->now + duration, clock_goes_on);
}

void app_clock_back(struct side *s, skua_time fall)
{
    note(s, "(clock falls back by %llu ms)", (unsigned long long)(fall / SKUA_MSEC));
    sim_host_clock_back(s->host, fall);
}
