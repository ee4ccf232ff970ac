/* See pair.h. */
#include "pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/trace.h"

uint8_t side_byte(uint64_t offset)
{
    return (uint8_t)(offset * 7 + (offset >> 8) * 13 + (offset >> 16));
}

static void read_all(struct side *s, skua_stream stream)
{
    uint8_t buf[16384];
    for (;;) {
        size_t n = 0;
        struct skua_stream_info info = {.read = 0};
        (void)skua_stream_info(s->host->ep, stream, &info);
        enum skua_err err = skua_stream_read(s->host->ep, stream, buf, sizeof buf, &n);
        for (size_t i = 0; i < n; i++) {
            SIM_CHECK(s->pair->w, s->plain || buf[i] == side_byte(info.read + i));
        }
        s->received += n;
        if (err == SKUA_OK) {
            continue;
        }
        if (err == SKUA_EOF) {
            s->eof = true;
        } else if (err != SKUA_EAGAIN) {
            s->read_error = err;
        }
        return;
    }
}

static void write_more(struct side *s)
{
    uint8_t bytes[16384];
    while (s->stream != 0 && s->written < s->to_write) {
        uint64_t left = s->to_write - s->written;
        size_t n = 0;
        size_t len = left < sizeof bytes ? (size_t)left : sizeof bytes;
        for (size_t i = 0; i < len; i++) {
            bytes[i] = side_byte(s->written + i);
        }
        if (skua_stream_write(s->host->ep, s->stream, bytes, len, &n) != SKUA_OK) {
            return;
        }
        s->written += n;
    }
    if (s->stream != 0 && s->finishes && !s->finished && s->written == s->to_write) {
        s->finished = skua_stream_finish(s->host->ep, s->stream) == SKUA_OK;
    }
}

static void on_event(struct sim_host *host, const struct skua_event *e)
{
    struct side *s = host->user;
    s->events[e->type]++;
    s->at[e->type] = host->world->now;
    if (s->heard != NULL) {
        s->heard(s, e);
    }
    switch (e->type) {
    case SKUA_EVENT_INCOMING:
        s->conn = e->conn;
        if (s->accepts) {
            SIM_CHECK(host->world, skua_conn_accept(host->ep, e->conn, s) == SKUA_OK);
        }
        break;
    case SKUA_EVENT_STREAM:
        s->stream = e->stream;
        if (s->drains) {
            read_all(s, e->stream);
        }
        break;
    case SKUA_EVENT_READABLE:
        if (s->drains) {
            read_all(s, e->stream);
        }
        break;
    case SKUA_EVENT_WRITABLE:
        write_more(s);
        break;
    case SKUA_EVENT_FINISHED:
        if (s->closes) {
            (void)skua_conn_close(host->ep, e->conn);
        }
        break;
    case SKUA_EVENT_CLOSED:
        s->closed = *e;
        (void)snprintf(s->reason, sizeof s->reason, "%s", e->reason);
        s->closed.reason = s->reason;
        break;
    case SKUA_EVENT_ESTABLISHED:
    case SKUA_EVENT_DATAGRAM:
    case SKUA_EVENT_TOKEN:
    case SKUA_EVENT_DATAGRAM_ROOM:
    case SKUA_EVENT_STOPPED:
    case SKUA_EVENT_ACKED:
    case SKUA_EVENT_CONSUMED:
    case SKUA_EVENT_DISCARDED:
    case SKUA_EVENT_DELIVERED:
    case SKUA_EVENT_STREAMS:
    case SKUA_EVENT_PATH:
    case SKUA_EVENT_NONE:
    case SKUA_EVENT_TYPES:
        break;
    }
}

static const struct sim_program program = {.event = on_event};

static void observe(void *arg, const struct skua_trace_event *e)
{
    struct side *s = arg;
    if (e->type == SKUA_TRACE_STATE && s->state_count < PAIR_STATES_MAX) {
        s->states[s->state_count++] = (enum skua_state)e->args[1];
    } else if (e->type == SKUA_TRACE_PACKET_SENT) {
        s->sent[e->args[0] & 31]++;
        if (s->sent_count < 64) {
            s->sent_at[s->sent_count++] = e->time;
        }
    }
}

static bool drop(void *arg, const struct sim_datagram *d, uint64_t index, skua_time now)
{
    struct side *s = arg;
    (void)d;
    (void)index;
    (void)now;
    if (s->drop_next > 0) {
        s->drop_next--;
        return true;
    }
    return s->dark;
}

static void side_init(struct pair *p, struct side *s, const struct sim_host_config *config)
{
    s->pair = p;
    s->host = sim_world_host(p->w, config, &program);
    s->host->user = s;
    s->host->observe = observe;
    s->host->observe_arg = s;
    s->accepts = true;
    s->drains = true;
}

void pair_replay(struct pair *p, const char *command, const char *name)
{
    static char replay[128];
    (void)snprintf(replay, sizeof replay, "%s %s", command, name);
    p->w->replay = replay;
}

void pair_init_drivers(struct pair *p, const char *name, const struct sim_link_config *link,
                       const struct sim_host_config *client, const struct sim_host_config *server)
{
    static const struct sim_link_config ideal = {.delay = 10 * SKUA_MSEC};
    memset(p, 0, sizeof *p);
    p->w = sim_world_new(1);
    pair_replay(p, "sim_cases", name);
    p->w->verbose = getenv("SKUA_SIM_VERBOSE") != NULL;
    side_init(p, &p->server, server);
    side_init(p, &p->client, client);
    sim_world_connect(p->w, p->server.host, p->client.host, link != NULL ? link : &ideal);
    struct sim_link *up = sim_link_between(p->client.host, p->server.host);
    struct sim_link *down = sim_link_between(p->server.host, p->client.host);
    up->drop = down->drop = drop;
    up->drop_arg = &p->client;
    down->drop_arg = &p->server;
}

void pair_init(struct pair *p, const char *name, const struct sim_link_config *link)
{
    pair_init_drivers(p, name, link, NULL, NULL);
}

void pair_listen(struct pair *p, const struct skua_listen_config *config)
{
    SIM_CHECK(p->w, skua_endpoint_listen(p->server.host->ep, config) == SKUA_OK);
    p->server.listens = true;
}

void pair_dial(struct pair *p, const struct skua_conn_config *config)
{
    struct skua_path path = sim_path(p->client.host, 0, p->server.host);
    sim_oracle_proven(p->client.host, &path.remote);
    SIM_CHECK(p->w,
              skua_conn_connect(p->client.host->ep, &path, config, &p->client.conn) == SKUA_OK);
    side_kick(&p->client);
}

void pair_establish(struct pair *p)
{
    pair_listen(p, NULL);
    pair_dial(p, NULL);
    pair_until(p, SEC(2),
               p->client.events[SKUA_EVENT_ESTABLISHED] > 0 &&
                   p->server.events[SKUA_EVENT_INCOMING] > 0);
    /* Until the handshake is confirmed and all is quiet. */
    pair_run(p, MS(500));
}

void pair_run(struct pair *p, skua_time duration)
{
    skua_time end = p->w->now + duration;
    (void)sim_run(p->w, end);
    p->w->now = end;
}

void pair_step(struct pair *p)
{
    pair_run(p, SKUA_MSEC);
}

void side_kick(struct side *s)
{
    sim_host_wake(s->host, s->pair->w->now);
}

void side_send(struct side *s, unsigned kind, uint64_t bytes)
{
    SIM_CHECK(s->pair->w, skua_stream_open(s->host->ep, s->conn, kind, &s->stream) == SKUA_OK);
    s->to_write = bytes;
    s->written = 0;
    s->finished = false;
    s->finishes = true;
    write_more(s);
    side_kick(s);
}

void side_write(struct side *s, uint64_t bytes)
{
    if (s->stream == 0) {
        SIM_CHECK(s->pair->w,
                  skua_stream_open(s->host->ep, s->conn, SKUA_STREAM_BIDI, &s->stream) == SKUA_OK);
    }
    s->to_write += bytes;
    write_more(s);
    side_kick(s);
}

void side_finish(struct side *s)
{
    s->finishes = true;
    write_more(s);
    side_kick(s);
}

void side_read(struct side *s)
{
    read_all(s, s->stream);
    side_kick(s);
}

void side_close(struct side *s)
{
    SIM_CHECK(s->pair->w, skua_conn_close(s->host->ep, s->conn) == SKUA_OK);
    side_kick(s);
}

void side_shutdown(struct side *s)
{
    SIM_CHECK(s->pair->w, skua_conn_shutdown(s->host->ep, s->conn) == SKUA_OK);
    side_kick(s);
}

void side_stats(struct side *s, struct skua_conn_stats *out)
{
    SIM_CHECK(s->pair->w, skua_conn_stats(s->host->ep, s->conn, out) == SKUA_OK);
}

enum skua_state side_state(struct side *s)
{
    enum skua_state state = SKUA_STATE_CLOSED;
    (void)skua_conn_state(s->host->ep, s->conn, &state);
    return state;
}

void pair_conclude(struct pair *p)
{
    p->server.closes = true;
    side_close(&p->client);
    pair_until(p, SEC(10),
               p->client.events[SKUA_EVENT_CLOSED] == 1 &&
                   p->server.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p->w, p->client.closed.error == SKUA_OK && p->server.closed.error == SKUA_OK);
    pair_end(p);
}

void pair_end(struct pair *p)
{
    (void)sim_run(p->w, p->w->now + SEC(300)); /* what is left in the world's heap is out of date */
    for (unsigned i = 0; i < p->w->hosts; i++) {
        struct skua_endpoint_stats stats;
        skua_endpoint_stats(p->w->host[i].ep, &stats);
        SIM_CHECK(p->w, stats.conns == 0 && stats.half_open == 0 && stats.time_wait == 0);
        SIM_CHECK(p->w, skua_endpoint_next_timeout(p->w->host[i].ep) == SKUA_NEVER);
    }
    sim_world_free(p->w);
}
