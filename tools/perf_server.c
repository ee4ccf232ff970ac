/* The server of `skua perf`: listens, admits clients, and hands their events to their sessions
 * (perf_session.h). */
#include <stdio.h>

#include "perf.h"
#include "perf_session.h"
#include "start.h"
#include "stop_signals.h"

/* Connections at a time: a bound on what clients can make grow. */
enum { CONNS_MAX = 16384 };

static struct skua_perf_server *server_of(struct skua_ev *ev)
{
    return skua_ev_user(ev);
}

/* --- events --- */

/* Before a client takes room among those that wait. */
static bool is_allowed(void *user, const struct skua_key *key, const struct skua_path *path)
{
    const struct skua_perf_server *server = user;
    (void)path;
    return server->plan->allow_any || skua_key_list_has(&server->plan->allowed, key);
}

static void on_incoming(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_perf_server *server = server_of(ev);
    struct skua_perf_session *session = skua_perf_session_new(server, event->conn);
    if (session == NULL) {
        (void)skua_conn_refuse(server->ep, event->conn, SKUA_CODE_OVERLOAD);
    } else if (skua_conn_accept(server->ep, event->conn, session) != SKUA_OK) {
        skua_perf_session_free(session);
    }
}

static void on_stream(struct skua_ev *ev, const struct skua_event *event)
{
    skua_perf_session_stream(server_of(ev), event->user, event->stream);
}

static void on_readable(struct skua_ev *ev, const struct skua_event *event)
{
    skua_perf_session_readable(server_of(ev), event->user, event);
}

static void on_writable(struct skua_ev *ev, const struct skua_event *event)
{
    skua_perf_session_writable(server_of(ev), event->user, event);
}

static void on_datagram(struct skua_ev *ev, const struct skua_event *event)
{
    skua_perf_session_datagram(server_of(ev), event->user);
}

static void on_finished(struct skua_ev *ev, const struct skua_event *event)
{
    (void)skua_conn_close(skua_ev_endpoint(ev), event->conn);
}

static void on_closed(struct skua_ev *ev, const struct skua_event *event)
{
    skua_perf_session_end(server_of(ev), event->user,
                          event->error == SKUA_OK ? "the client left"
                                                  : skua_strerror(event->error));
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct skua_perf_server *server = watcher->data;
    (void)events;
    server->code = SKUA_EXIT_INTERRUPTED;
    ev_break(loop, EVBREAK_ALL);
}

/* --- beginning and end --- */

static enum skua_err start(struct skua_perf_server *server)
{
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    listen.conn.controller = server->plan->controller;
    config.endpoint.max_conns = CONNS_MAX;
    config.user = server;
    config.handlers = (struct skua_ev_handlers){.size = sizeof(struct skua_ev_handlers),
                                                .incoming = on_incoming,
                                                .stream = on_stream,
                                                .readable = on_readable,
                                                .writable = on_writable,
                                                .datagram = on_datagram,
                                                .finished = on_finished,
                                                .closed = on_closed};
    skua_perf_config(&config, server->plan);
    listen.conn.label = SKUA_PERF_LABEL;
    listen.conn.datagram_buffer = SKUA_PERF_DGRAM_BUFFER;
    listen.backlog = 1024;
    listen.allow = is_allowed;
    listen.allow_user = server;
    const enum skua_err err = skua_ev_new(&server->ev, server->loop, &config);
    if (err != SKUA_OK) {
        return err;
    }
    server->ep = skua_ev_endpoint(server->ev);
    return skua_ev_listen(server->ev, server->plan->listen, &listen);
}

/* Where it listens and who it is, for people and scripts; false where that cannot be said, which
 * main reports. */
static bool announce(const struct skua_perf_server *server)
{
    struct skua_addr addr = {0};
    char where[SKUA_ADDR_TEXT_LEN];
    char key[SKUA_KEY_TEXT_LEN];
    (void)skua_ev_local_addr(server->ev, 0, &addr);
    skua_addr_format(where, &addr);
    skua_key_format(key, skua_endpoint_key(server->ep));
    (void)printf(server->plan->json ? "{\"listening\":\"%s\",\"key\":\"%s\"}\n"
                                    : "listening %s %s\n",
                 where, key);
    return fflush(stdout) == 0 && ferror(stdout) == 0;
}

static void serve(struct skua_perf_server *server, struct skua_stop_signals *signals)
{
    skua_stop_signals_start(signals, server->loop, on_signal, server);
    if (!announce(server)) {
        server->code = SKUA_EXIT_LOCAL_IO;
        return;
    }
    (void)ev_run(server->loop, 0);
    for (struct skua_perf_session *session = server->sessions; session != NULL;
         session = session->next) {
        (void)skua_conn_abort(server->ep, session->conn, SKUA_PERF_ABORT_INTERRUPTED,
                              "the server ends");
    }
}

enum skua_exit skua_perf_server(const struct skua_perf_plan *plan)
{
    struct skua_perf_server server = {.plan = plan, .loop = ev_default_loop(EVFLAG_AUTO)};
    struct skua_stop_signals signals = {.count = 0};
    skua_start_service();
    enum skua_err err = SKUA_ENOMEM;
    if (server.loop != NULL && skua_perf_source_init(&server.source, plan->chunk, plan->copy)) {
        err = start(&server);
    }
    if (err == SKUA_OK) {
        serve(&server, &signals);
    } else {
        const bool cipher = err == SKUA_EINVAL && server.ev == NULL;
        (void)fprintf(stderr, "skua perf: cannot listen on %s: %s\n", plan->listen,
                      cipher ? "this machine does not have the cipher" : skua_strerror(err));
        server.code = server.ev == NULL ? SKUA_EXIT_LOCAL_IO : SKUA_EXIT_LISTEN;
    }
    skua_stop_signals_insist(&signals, server.loop);
    skua_ev_free(server.ev);
    while (server.sessions != NULL) {
        skua_perf_session_free(server.sessions);
    }
    skua_perf_source_deinit(&server.source);
    skua_stop_signals_end(&signals, server.loop);
    return server.code;
}
