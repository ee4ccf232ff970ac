/* Connections: see app.h. */
#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/time.h"

static const char export_label[] = "simulation";
static struct sim_app *app_of(const struct sim_host *host)
{
    return host->user;
}

struct sim_app *sim_app_new(struct sim_world *world)
{
    struct sim_app *app = calloc(1, sizeof *app);
    SKUA_ASSERT(app != NULL);
    app->world = world;
    app->scratch = malloc(1 << 17);
    SKUA_ASSERT(app->scratch != NULL);
    world->user = app;
    for (unsigned i = 0; i < world->hosts; i++) {
        world->host[i].user = app;
    }
    return app;
}

void sim_app_free(struct sim_app *app)
{
    while (app->conns != NULL) {
        struct sim_conn *c = app->conns;
        app->conns = c->next;
        sim_stream_drop(c);
        while (c->streams != NULL) {
            struct sim_stream *s = c->streams;
            c->streams = s->next;
            free(s->message_len);
            free(s->seen);
            free(s);
        }
        sim_datagram_free(c);
        free(c);
    }
    free(app->scratch);
    free(app);
}

static struct sim_conn *new_conn(struct sim_app *app, struct sim_host *host)
{
    struct sim_conn *c = calloc(1, sizeof *c);
    SKUA_ASSERT(c != NULL);
    c->app = app;
    c->host = host;
    c->next = app->conns;
    app->conns = c;
    return c;
}

struct sim_conn *sim_app_conn(struct sim_app *app, struct sim_host *from, unsigned socket,
                              struct sim_host *to)
{
    static const struct skua_conn_config defaults = SKUA_CONN_CONFIG_INIT;
    struct sim_conn *c = new_conn(app, from);
    c->client = true;
    c->to = to;
    c->socket = socket;
    c->config = defaults;
    c->seed = sim_mix(app->world->seed + ++app->next_seed);
    return c;
}

struct sim_conn *sim_app_mate(struct sim_conn *c)
{
    struct sim_conn *mate = sim_app_conn(c->app, c->to, 1, c->host);
    mate->client = false;
    mate->mate = c;
    c->mate = mate;
    mate->seed = c->seed;
    mate->plan = c->peer_plan;
    mate->config = c->config;
    mate->pin = *skua_endpoint_key(c->host->ep);
    mate->config.server_key = c->config.server_key != NULL ? &mate->pin : NULL;
    mate->plan.keep = c->config.max_streams_bidi != 0 ? 0 : mate->plan.keep;
    c->config.rendezvous = mate->config.rendezvous = true;
    mate->may_fail = c->may_fail;
    return mate;
}

/* --- crashes --- */

void sim_app_crash(struct sim_host *host)
{
    struct sim_app *app = app_of(host);
    for (struct sim_conn *c = app->conns; c != NULL; c = c->next) {
        /* A rendezvous may be called off before the other side has begun. */
        bool met = c->peer != NULL && c->peer->host == host;
        bool wanted =
            c->to == host && (c->handle != 0 || (c->mate != NULL && c->mate->handle != 0));
        c->bereft = c->bereft || (!c->over && (met || wanted));
        if (c->host == host && c->handle != 0 && !c->over) {
            c->crashed = true;
            c->over = true; /* its handle may soon be another's: it is not used any more */
            c->error = SKUA_EABORTED;
            sim_stream_drop(c);
        }
    }
    app->world->counts[SIM_COUNT_CRASH]++;
    sim_host_restart(host);
}

/* --- looking at a connection once more --- */

void sim_conn_check(struct sim_conn *c)
{
    if (!c->checking) {
        c->checking = true;
        c->check_next = c->app->checks[c->host->index];
        c->app->checks[c->host->index] = c;
        sim_host_wake(c->host, c->app->world->now);
    }
}

static void expect_stale(struct sim_conn *c)
{
    struct sim_world *w = c->app->world;
    struct skua_endpoint *ep = c->host->ep;
    struct skua_conn_stats stats;
    enum skua_state state;
    skua_stream stream;
    void *user;
    SIM_CHECK(w, skua_conn_stats(ep, c->handle, &stats) == SKUA_ECLOSED);
    SIM_CHECK(w, skua_conn_state(ep, c->handle, &state) == SKUA_ECLOSED);
    SIM_CHECK(w, skua_conn_user(ep, c->handle, &user) == SKUA_ECLOSED);
    SIM_CHECK(w, skua_conn_ping(ep, c->handle) == SKUA_ECLOSED);
    SIM_CHECK(w, skua_conn_shutdown(ep, c->handle) == SKUA_ECLOSED);
    SIM_CHECK(w, skua_conn_close(ep, c->handle) == SKUA_ECLOSED);
    SIM_CHECK(w, skua_conn_abort(ep, c->handle, 0, NULL) == SKUA_ECLOSED);
    SIM_CHECK(w, skua_stream_open(ep, c->handle, SKUA_STREAM_BIDI, &stream) == SKUA_ECLOSED);
    for (struct sim_stream *s = c->streams; s != NULL; s = s->next) {
        struct skua_stream_info info;
        size_t n;
        SIM_CHECK(w, skua_stream_info(ep, s->handle, &info) == SKUA_ECLOSED);
        SIM_CHECK(w, skua_stream_write(ep, s->handle, "x", 1, &n) == SKUA_ECLOSED);
        SIM_CHECK(w, skua_stream_read(ep, s->handle, &info, 1, &n) == SKUA_ECLOSED);
        SIM_CHECK(w, skua_stream_close(ep, s->handle) == SKUA_ECLOSED);
    }
}

static void become_over(struct sim_conn *c, enum skua_err error)
{
    c->over = true;
    c->error = error;
    sim_stream_drop(c);
    expect_stale(c);
    if (c->peer != NULL) {
        sim_conn_check(c->peer);
    }
}

static void do_shutdown(struct sim_conn *c)
{
    if (!c->shut && !c->over) {
        c->shut = true;
        c->app->world->counts[SIM_COUNT_SHUTDOWN]++;
        sim_stream_end_sending(c);
        enum skua_err err = skua_conn_shutdown(c->host->ep, c->handle);
        SIM_CHECK(c->app->world, err == SKUA_OK || err == SKUA_ECLOSED);
        sim_stream_ended(c);
    }
}

static void do_close(struct sim_conn *c)
{
    if (!c->closed && !c->over) {
        c->closed = true;
        c->app->world->counts[SIM_COUNT_CLOSE]++;
        sim_stream_end_sending(c);
        sim_datagram_check(c);
        SIM_CHECK(c->app->world, skua_conn_close(c->host->ep, c->handle) == SKUA_OK);
        SIM_CHECK(c->app->world, skua_conn_close(c->host->ep, c->handle) == SKUA_OK);
        if (c->peer != NULL) {
            sim_conn_check(c->peer);
        }
    }
}

static void do_abort(struct sim_conn *c)
{
    if (!c->over) {
        c->aborted = true;
        c->app->world->counts[SIM_COUNT_ABORT]++;
        sim_datagram_check(c);
        SIM_CHECK(c->app->world,
                  skua_conn_abort(c->host->ep, c->handle, SIM_ABORT_CODE, "enough") == SKUA_OK);
        become_over(c, SKUA_EABORTED);
    }
}

/* Everything that this side wants to send is written? */
static bool all_written(const struct sim_conn *c)
{
    if (!c->shut && !c->closed &&
        (c->opened[0] < c->plan.streams[0] || c->opened[1] < c->plan.streams[1])) {
        return false;
    }
    for (const struct sim_stream *s = c->streams; s != NULL; s = s->next) {
        if (!sim_stream_sent(s) || (c->plan.awaits && sim_stream_awaits(s))) {
            return false;
        }
    }
    return true;
}

/* Everything that the other side sends is read? */
static bool all_read(const struct sim_conn *c)
{
    const struct sim_conn *p = c->peer;
    if (p == NULL) {
        return false;
    }
    bool opens_no_more = p->shut || p->closed || p->over ||
                         (p->opened[0] == p->plan.streams[0] && p->opened[1] == p->plan.streams[1]);
    if (!opens_no_more || c->incoming < p->opened[0] + p->opened[1]) {
        return false;
    }
    for (const struct sim_stream *s = c->streams; s != NULL; s = s->next) {
        if (!sim_stream_received(s)) {
            return false;
        }
    }
    return true;
}

static void check(struct sim_conn *c)
{
    if (c->over || !c->established || (!c->client && !c->accepted)) {
        return;
    }
    if (!c->shut && !c->closed) {
        sim_stream_open_more(c);
    }
    switch (c->plan.end) {
    case SIM_END_CLOSE:
        if (all_written(c) && all_read(c)) {
            do_close(c);
        }
        break;
    case SIM_END_SHUTDOWN:
        if (all_written(c)) {
            do_shutdown(c);
        }
        if (c->shut && c->finished && all_read(c)) {
            do_close(c);
        }
        break;
    case SIM_END_WAIT:
        if (c->finished && all_read(c) && all_written(c)) {
            do_close(c);
        }
        break;
    case SIM_END_EARLY:
    case SIM_END_ABORT:
    case SIM_END_NEVER:
        break;
    }
}

/* --- by the clock --- */

static void on_end_at(void *arg)
{
    struct sim_conn *c = arg;
    if (c->over || c->handle == 0) {
        return;
    }
    switch (c->plan.end) {
    case SIM_END_SHUTDOWN:
        do_shutdown(c);
        sim_conn_check(c);
        break;
    case SIM_END_EARLY:
        c->app->world->counts[SIM_COUNT_CLOSE_EARLY]++;
        do_close(c);
        sim_stream_close_all(c); /* a stream whose handle is kept goes on to count */
        break;
    case SIM_END_ABORT:
        do_abort(c);
        break;
    case SIM_END_CLOSE:
    case SIM_END_WAIT:
    case SIM_END_NEVER:
        break;
    }
    sim_host_wake(c->host, c->app->world->now);
}

static void on_ping(void *arg)
{
    struct sim_conn *c = arg;
    if (!c->over && c->established) {
        c->app->world->counts[SIM_COUNT_PING]++;
        enum skua_err err = skua_conn_ping(c->host->ep, c->handle);
        SIM_CHECK(c->app->world, err == SKUA_OK || err == SKUA_ECLOSED);
        sim_host_wake(c->host, c->app->world->now);
    }
}

static void on_key_update(void *arg)
{
    struct sim_conn *c = arg;
    if (!c->over && c->established) {
        enum skua_err err = skua_conn_update_keys(c->host->ep, c->handle);
        SIM_CHECK(c->app->world, err == SKUA_OK || err == SKUA_ECLOSED || err == SKUA_EAGAIN);
        c->app->world->counts[SIM_COUNT_KEY_UPDATE] += err == SKUA_OK;
        sim_host_wake(c->host, c->app->world->now);
    }
}

static struct skua_path path_by(const struct sim_conn *c, unsigned socket)
{
    return sim_path_seen(c->host, socket, c->to, c->mate != NULL ? c->mate->socket : 0);
}

static void on_move(void *arg)
{
    struct sim_conn *c = arg;
    struct sim_world *w = c->app->world;
    if (c->over || c->handle == 0) {
        return;
    }
    const struct skua_path path = path_by(c, (unsigned)sim_rng_below(&w->rng, SIM_SOCKETS_MAX - 1));
    enum skua_err err = skua_conn_migrate(c->host->ep, c->handle, &path);
    SIM_CHECK(w, err == SKUA_OK || err == SKUA_EAGAIN || err == SKUA_ESTATE || err == SKUA_ECLOSED);
    w->counts[SIM_COUNT_MOVE] += err == SKUA_OK;
    w->counts[SIM_COUNT_MOVE_AGAIN] += err == SKUA_EAGAIN;
    sim_host_wake(c->host, w->now);
}

/* Looks for a socket that works, as a driver does: again, until nothing is sent by a dead one. */
static void on_escape(void *arg)
{
    struct sim_conn *c = arg;
    struct sim_world *w = c->app->world;
    struct skua_path path;
    if (c->over || skua_conn_path(c->host->ep, c->handle, &path) != SKUA_OK ||
        (c->host->mute >> path.socket & 1) == 0) {
        return;
    }
    on_move(c);
    sim_at(w, w->now + 200 * SKUA_MSEC, on_escape, c);
}

/* The network of the socket in use is gone, until all heals. One of them stays. */
static void on_loss(void *arg)
{
    struct sim_conn *c = arg;
    struct sim_world *w = c->app->world;
    struct skua_path path;
    if (!c->over && c->established && w->now < c->app->heal_at && c->host->mute == 0 &&
        skua_conn_path(c->host->ep, c->handle, &path) == SKUA_OK) {
        w->counts[SIM_COUNT_SOCKET_LOST]++;
        c->host->mute = 1u << path.socket;
        for (struct sim_conn *k = c->app->conns; k != NULL; k = k->next) {
            if (k->host == c->host && k->client) {
                sim_at(w, w->now + sim_rng_log(&w->rng, SKUA_MSEC, SKUA_SEC), on_escape, k);
            }
        }
    }
}

/* Arms what the plan does by the clock. */
static void arm(struct sim_conn *c)
{
    struct sim_world *w = c->app->world;
    if (c->plan.end_at != 0) {
        sim_at(w, w->now + c->plan.end_at, on_end_at, c);
    }
    for (uint32_t i = 0; i < c->plan.pings; i++) {
        sim_at(w, w->now + sim_rng_below(&w->rng, c->plan.span + 1), on_ping, c);
    }
    for (uint32_t i = 0; i < c->plan.key_updates; i++) {
        sim_at(w, w->now + sim_rng_below(&w->rng, c->plan.span + 1), on_key_update, c);
    }
    for (uint32_t i = 0; i < c->plan.moves; i++) {
        sim_at(w, w->now + sim_rng_below(&w->rng, c->plan.span + 1), on_move, c);
    }
    for (uint32_t i = 0; i < c->plan.losses; i++) {
        sim_at(w, w->now + sim_rng_below(&w->rng, c->plan.span + 1), on_loss, c);
    }
}

void sim_app_start(struct sim_conn *c)
{
    struct sim_world *w = c->app->world;
    const struct skua_path path = path_by(c, c->socket);
    c->config.user = c;
    w->counts[SIM_COUNT_CONNECT]++;
    w->counts[SIM_COUNT_RENDEZVOUS] += c->mate != NULL;
    w->counts[SIM_COUNT_CONNECT_IK] += c->config.ik;
    w->counts[SIM_COUNT_CONNECT_PSK] += c->config.psk != NULL;
    w->counts[SIM_COUNT_WRONG_PIN] += c->expected == SKUA_EPEERKEY;
    sim_datagram_arm(c);
    struct skua_addr to = path.remote;
    sim_oracle_proven(c->host, &to);
    struct skua_token token;
    sim_early_call(c, &token);
    enum skua_err err = skua_conn_connect(c->host->ep, &path, &c->config, &c->handle);
    SIM_CHECK(w, err == SKUA_OK);
    c->config.token = NULL;
    c->call = sim_oracle_call(c->host, c->handle);
    arm(c);
    if (c->plan.early) {
        sim_stream_open_more(c);
        w->counts[SIM_COUNT_EARLY_WRITE]++;
    }
    sim_host_wake(c->host, w->now);
}

/* --- events --- */

static void export_secret(struct sim_conn *c)
{
    enum skua_err err =
        skua_conn_export(c->host->ep, c->handle, export_label, c->exporter, sizeof c->exporter);
    /* A connection that is over already has none. */
    SIM_CHECK(c->app->world, err == SKUA_OK || err == SKUA_ESTATE);
    c->exported = err == SKUA_OK;
}

static struct sim_conn *find_client(struct sim_app *app, const struct sim_conn *server)
{
    for (struct sim_conn *c = app->conns; c != NULL; c = c->next) {
        if (c->client && c->exported &&
            memcmp(c->exporter, server->exporter, sizeof c->exporter) == 0) {
            return c;
        }
    }
    return NULL;
}

static void do_accept(void *arg)
{
    struct sim_conn *c = arg;
    struct sim_world *w = c->app->world;
    if (c->over) {
        return;
    }
    if (c->plan.refuse) {
        w->counts[SIM_COUNT_REFUSE]++;
        SIM_CHECK(w, skua_conn_refuse(c->host->ep, c->handle, SKUA_CODE_KEY_REFUSED) == SKUA_OK);
        become_over(c, SKUA_EABORTED);
    } else {
        c->accepted = true;
        w->counts[SIM_COUNT_ACCEPT]++;
        SIM_CHECK(w, skua_conn_accept(c->host->ep, c->handle, c) == SKUA_OK);
        SIM_CHECK(w, skua_conn_accept(c->host->ep, c->handle, c) == SKUA_ESTATE);
        sim_datagram_arm(c);
        sim_datagram_begin(c);
        arm(c);
        sim_conn_check(c);
    }
    sim_host_wake(c->host, w->now);
}

static void on_incoming(struct sim_host *host, const struct skua_event *event)
{
    struct sim_app *app = app_of(host);
    struct sim_world *w = app->world;
    struct sim_conn *c = new_conn(app, host);
    c->handle = event->conn;
    c->established = true;
    export_secret(c);
    if (!c->exported) {
        /* Its RST overtook us: it can only be let go. */
        SIM_CHECK(w, skua_conn_set_user(host->ep, c->handle, c) == SKUA_OK);
        c->may_fail = true;
        return;
    }
    if (event->early) {
        sim_early_incoming(c);
    }
    struct sim_conn *client = event->early ? sim_early_caller(app, c) : find_client(app, c);
    SIM_CHECK(w, client != NULL);
    SIM_CHECK(w, client->peer == NULL);
    c->peer = client;
    c->bereft = client->crashed;
    client->peer = c;
    c->seed = client->seed;
    c->plan = client->peer_plan;
    c->may_fail = client->may_fail;
    c->config.datagram_buffer = app->datagram_buffer;
    struct skua_key key;
    SIM_CHECK(w, skua_conn_peer_key(host->ep, c->handle, &key) == SKUA_OK);
    SIM_CHECK(w, memcmp(&key, skua_endpoint_key(client->host->ep), sizeof key) == 0);
    SIM_CHECK(w, memcmp(&event->key, &key, sizeof key) == 0);
    SIM_CHECK(w, skua_conn_set_user(host->ep, c->handle, c) == SKUA_OK);
    if (c->plan.accept_after != 0) {
        w->counts[SIM_COUNT_ACCEPT_LATE]++;
        sim_at(w, w->now + c->plan.accept_after, do_accept, c);
    } else {
        do_accept(c);
    }
    sim_conn_check(client);
}

/* Both sides of a rendezvous stand: it is one connection. */
static void on_met(struct sim_conn *c)
{
    struct sim_conn *mate = c->mate;
    if (!c->exported || !mate->exported) {
        return;
    }
    struct sim_world *w = c->app->world;
    SIM_CHECK(w, memcmp(c->exporter, mate->exporter, sizeof c->exporter) == 0);
    w->counts[SIM_COUNT_MET]++;
    c->peer = mate;
    mate->peer = c;
    sim_conn_check(mate);
}

static void on_established(struct sim_conn *c, bool early_taken)
{
    struct sim_world *w = c->app->world;
    struct skua_key key;
    if (c->early) {
        sim_early_shown(c);
        return;
    }
    SIM_CHECK(w, (c->client || c->mate != NULL) && !c->established && !c->over);
    c->established = true;
    c->accepted = c->mate != NULL;
    export_secret(c);
    if (c->mate != NULL) {
        on_met(c);
    } else {
        sim_early_answered(c, early_taken);
    }
    SIM_CHECK(w, skua_conn_peer_key(c->host->ep, c->handle, &key) == SKUA_OK);
    SIM_CHECK(w, memcmp(&key, skua_endpoint_key(c->to->ep), sizeof key) == 0);
    SIM_CHECK(w, c->expected != SKUA_EPEERKEY);
    sim_datagram_begin(c);
    sim_conn_check(c);
}

static void on_closed(struct sim_conn *c, const struct skua_event *e)
{
    struct sim_world *w = c->app->world;
    if (!sim_end_is_right(c, e)) {
        sim_fail(w,
                 "host %u: a %s ended with %s (remote %d, application %d, code %llu, frame %llu, "
                 "\"%s\")",
                 c->host->index, c->client ? "client" : "server", skua_err_name(e->error),
                 e->remote, e->application, (unsigned long long)e->code,
                 (unsigned long long)e->frame_type, e->reason);
    }
    if (e->error == SKUA_EPEERKEY) {
        SIM_CHECK(w, memcmp(&e->key, skua_endpoint_key(c->to->ep), sizeof e->key) == 0);
    }
    sim_end_count(c, e);
    become_over(c, e->error);
}

static void on_path(struct sim_conn *c, const struct skua_event *e)
{
    struct sim_world *w = c->app->world;
    struct skua_path path;
    SIM_CHECK(w, skua_conn_path(c->host->ep, c->handle, &path) == SKUA_OK);
    SIM_CHECK(w, path.socket < SIM_SOCKETS_MAX && e->path.socket < SIM_SOCKETS_MAX);
    SIM_CHECK(w, e->error == SKUA_OK || (e->error == SKUA_EUNREACHABLE && c->client));
    w->counts[SIM_COUNT_PATH_EVENT]++;
}

static void on_event(struct sim_host *host, const struct skua_event *event)
{
    struct sim_world *w = host->world;
    if (event->type == SKUA_EVENT_INCOMING) {
        on_incoming(host, event);
        return;
    }
    struct sim_conn *c = event->user;
    if (event->type == SKUA_EVENT_CLOSED && c == NULL) {
        return; /* never told of */
    }
    SIM_CHECK(w, c != NULL && c->host == host && c->handle == event->conn && !c->over);
    switch (event->type) {
    case SKUA_EVENT_NONE:
    case SKUA_EVENT_INCOMING:
    case SKUA_EVENT_TYPES:
        sim_fail(w, "an event of no kind");
    case SKUA_EVENT_PATH:
        on_path(c, event);
        break;
    case SKUA_EVENT_ESTABLISHED:
        on_established(c, event->early);
        break;
    case SKUA_EVENT_DELIVERED:
        SIM_CHECK(w, !c->delivered_all && (c->shut || c->closed));
        c->delivered_all = true;
        w->counts[SIM_COUNT_DELIVERED]++;
        break;
    case SKUA_EVENT_FINISHED:
        SIM_CHECK(w, !c->finished);
        SIM_CHECK(w, c->peer != NULL && (c->peer->shut || c->peer->closed));
        c->finished = true;
        c->finished_at = w->now;
        sim_conn_check(c);
        break;
    case SKUA_EVENT_CLOSED:
        on_closed(c, event);
        break;
    case SKUA_EVENT_TOKEN:
        sim_early_keep(c);
        break;
    case SKUA_EVENT_DATAGRAM:
    case SKUA_EVENT_DATAGRAM_ROOM:
        sim_datagram_event(c, event);
        break;
    case SKUA_EVENT_STREAM:
    case SKUA_EVENT_READABLE:
    case SKUA_EVENT_WRITABLE:
    case SKUA_EVENT_STOPPED:
    case SKUA_EVENT_ACKED:
    case SKUA_EVENT_CONSUMED:
    case SKUA_EVENT_DISCARDED:
    case SKUA_EVENT_STREAMS:
        sim_stream_event(c, event);
        break;
    }
}

static void on_turn(struct sim_host *host)
{
    struct sim_app *app = app_of(host);
    struct sim_stream *s = app->work[host->index];
    app->work[host->index] = NULL;
    while (s != NULL) {
        struct sim_stream *next = s->queue;
        s->queue = NULL;
        s->queued = false;
        sim_stream_work(s);
        s = next;
    }
    struct sim_conn *c = app->checks[host->index];
    app->checks[host->index] = NULL;
    while (c != NULL) {
        struct sim_conn *next = c->check_next;
        c->check_next = NULL;
        c->checking = false;
        check(c);
        c = next;
    }
}

const struct sim_program sim_app_program = {.event = on_event, .turn = on_turn};

/* --- the end --- */

bool sim_app_done(const struct sim_app *app)
{
    for (const struct sim_conn *c = app->conns; c != NULL; c = c->next) {
        if (c->handle != 0 && !c->over) {
            return false;
        }
    }
    return true;
}

/* What `from` wrote to a stream and saw out orderly has been read, unless the reader gave up. */
static void verify_stream(struct sim_world *w, const struct sim_stream *s)
{
    const struct sim_conn *reader = s->conn->peer;
    if (!s->can_send || s->reset || s->refused || s->conn->error != SKUA_OK || reader == NULL ||
        reader->error != SKUA_OK || reader->plan.end == SIM_END_EARLY) {
        return;
    }
    if (s->peer == NULL) {
        /* An empty end of a stream that the peer opened needs no frame; one of ours does. */
        SIM_CHECK(w, !s->own || reader->closed);
        return;
    }
    if (s->peer->stopped || s->peer->closed) {
        return;
    }
    if (s->peer->read != s->written) {
        sim_fail(w, "stream %llu: %llu bytes written, %llu read", (unsigned long long)s->id,
                 (unsigned long long)s->written, (unsigned long long)s->peer->read);
    }
}

void sim_app_verify(struct sim_app *app)
{
    for (const struct sim_conn *c = app->conns; c != NULL; c = c->next) {
        for (const struct sim_stream *s = c->streams; s != NULL; s = s->next) {
            verify_stream(app->world, s);
        }
        app->world->counts[SIM_COUNT_BYTES] += c->delivered;
    }
}

static void dump_conn(const struct sim_conn *c)
{
    static const char *const ends[] = {"close", "shutdown", "wait", "early", "abort", "never"};
    enum skua_state state = SKUA_STATE_CLOSED;
    (void)skua_conn_state(c->host->ep, c->handle, &state);
    fprintf(
        stderr,
        "  %s on host %u, handle %llx: state %s, ends by %s, established %d accepted %d shut %d "
        "closed %d finished %d over %d (%s), %u+%u of %u+%u streams opened, %u reported\n",
        c->client ? "client" : "server", c->host->index, (unsigned long long)c->handle,
        skua_state_name(state), ends[c->plan.end], c->established, c->accepted, c->shut, c->closed,
        c->finished, c->over, skua_err_name(c->error), c->opened[0], c->opened[1],
        c->plan.streams[0], c->plan.streams[1], c->incoming);
    struct skua_conn_stats st;
    if (!c->over && skua_conn_stats(c->host->ep, c->handle, &st) == SKUA_OK) {
        fprintf(stderr,
                "    rtt %.3f ms, cwnd %llu, in flight %llu, pto %.3f ms, sent %llu, lost %llu, "
                "received %llu, "
                "undecryptable %llu, to send %llu, unread %llu, credit %llu, mtu %llu, black holes "
                "%llu\n",
                (double)st.rtt_smoothed_ns / 1e6, (unsigned long long)st.cwnd,
                (unsigned long long)st.bytes_in_flight, (double)st.pto_ns / 1e6,
                (unsigned long long)st.packets_sent, (unsigned long long)st.packets_lost,
                (unsigned long long)st.packets_received,
                (unsigned long long)st.packets_undecryptable, (unsigned long long)st.send_buffered,
                (unsigned long long)st.recv_buffered, (unsigned long long)st.send_credit,
                (unsigned long long)st.mtu, (unsigned long long)st.mtu_black_holes);
    }
    unsigned shown = 0;
    for (const struct sim_stream *s = c->streams; s != NULL && shown < 8; s = s->next) {
        if (s->closed || (sim_stream_sent(s) && sim_stream_received(s))) {
            continue;
        }
        shown++;
        fprintf(
            stderr,
            "    stream %llu: wrote %llu of %llu (acked %llu, finished %d reset %d refused %d), "
            "read %llu (eof %d reset %d stopped %d)%s\n",
            (unsigned long long)s->id, (unsigned long long)s->written, (unsigned long long)s->size,
            (unsigned long long)s->acked, s->finished, s->reset, s->refused,
            (unsigned long long)s->read, s->eof, s->was_reset, s->stopped,
            s->slow ? ", slow reader" : "");
    }
}

void sim_app_dump(const struct sim_app *app)
{
    for (const struct sim_conn *c = app->conns; c != NULL; c = c->next) {
        dump_conn(c);
    }
}
