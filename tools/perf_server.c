/* The server of `skua perf`: any number of clients, each with a connection and a test of its own.
 *
 * A session is a connection. It does what its REQUEST says, within the limits of perf_proto.h, and
 * keeps no time: the client ends everything. A client that breaks the protocol loses its
 * connection, and nobody else notices. */
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "perf.h"
#include "perf_flow.h"
#include "perf_report.h"

/* Connections at a time: a bound on what clients can make grow. */
enum { CONNS_MAX = 16384 };

/* A data stream. */
struct lane {
    struct skua_perf_out out; /* BULK: down; RR: responses */
    uint64_t missing;         /* RR: bytes until the request is whole */
};

struct session {
    struct session *next, **link; /* in the server's list */
    skua_conn conn;
    char name[SKUA_ADDR_TEXT_LEN]; /* the client's address */
    struct skua_perf_control control;
    bool requested; /* a REQUEST came and is valid */
    bool done;      /* the client's streams have all ended for it */
    bool told;      /* RESULT was sent */
    struct skua_perf_request request;
    struct lane *lanes; /* one per stream of the request, or NULL */
    uint16_t opened;    /* streams that the client opened */
    uint16_t ended;     /* of these at their end */
    struct skua_perf_in in;
    struct skua_perf_meter meter;
    uint64_t served_before; /* the server's count when the test began */
};

struct server {
    const struct skua_perf_plan *plan;
    struct ev_loop *loop;
    struct skua_ev *ev;
    struct skua_endpoint *ep;
    struct skua_perf_source source;
    struct session *sessions;
    uint64_t served; /* EXCHANGE connections answered */
    enum skua_exit code;
};

static struct server *server_of(struct skua_ev *ev)
{
    return skua_ev_user(ev);
}

/* --- sessions --- */

static struct session *session_new(struct server *server, skua_conn conn)
{
    struct session *session = calloc(1, sizeof *session);
    struct skua_path path;
    if (session == NULL) {
        return NULL;
    }
    session->conn = conn;
    session->control.ep = server->ep;
    if (skua_conn_path(server->ep, conn, &path) == SKUA_OK) {
        skua_addr_format(session->name, &path.remote);
    }
    session->next = server->sessions;
    session->link = &server->sessions;
    if (session->next != NULL) {
        session->next->link = &session->next;
    }
    server->sessions = session;
    return session;
}

static void session_free(struct session *session)
{
    *session->link = session->next;
    if (session->next != NULL) {
        session->next->link = session->link;
    }
    free(session->lanes);
    free(session);
}

/* A test is over, with or without a result. */
static void test_over(struct server *server, enum skua_exit code)
{
    if (server->plan->once) {
        server->code = code;
        ev_break(server->loop, EVBREAK_ALL);
    }
}

/* The connection is gone: `why` goes to the user where a test was under way. */
static void session_end(struct server *server, struct session *session, const char *why)
{
    const bool test = session->requested && session->request.mode != SKUA_PERF_EXCHANGE;
    if (test && !session->told) {
        (void)fprintf(stderr, "skua perf: %s: test broken off: %s\n", session->name, why);
    }
    const enum skua_exit code = session->told ? SKUA_EXIT_OK : SKUA_EXIT_LOST;
    session_free(session);
    if (test) {
        test_over(server, code);
    }
}

/* The client violates the protocol, or memory is short. */
static void session_abort(struct server *server, struct session *session, enum skua_perf_abort code,
                          const char *why)
{
    (void)skua_conn_abort(server->ep, session->conn, (uint64_t)code, why);
    session_end(server, session, why);
}

/* Sends RESULT once all has ended on both sides. */
static void maybe_result(struct server *server, struct session *session)
{
    uint8_t message[SKUA_PERF_MESSAGE_MAX];
    struct skua_perf_end end;
    if (!session->done || session->told || session->ended < session->request.up) {
        return;
    }
    session->told = true;
    skua_perf_meter_end(&session->meter, server->ev, session->conn, &session->in, &end);
    end.served = server->served - session->served_before;
    /* A failure to send shows as the end of the connection. */
    (void)skua_perf_control_send(&session->control, message, skua_perf_put_result(message, &end));
    if (!server->plan->quiet) {
        skua_perf_report_served(stdout, server->plan->json, session->name, &session->request, &end);
    }
}

/* --- the control stream --- */

static bool open_down(struct server *server, struct session *session)
{
    const uint16_t count = session->request.down;
    for (uint16_t i = 0; i < count; i++) {
        struct lane *lane = &session->lanes[i];
        if (skua_stream_open(server->ep, session->conn, SKUA_STREAM_UNI, &lane->out.stream) !=
            SKUA_OK) {
            return false;
        }
        (void)skua_stream_set_user(server->ep, lane->out.stream, lane);
        const uint64_t bytes = session->request.bytes;
        lane->out.left = bytes == 0 ? UINT64_MAX : bytes / count + (i < bytes % count ? 1 : 0);
        if (skua_perf_out_pump(server->ep, &lane->out, &server->source) != SKUA_OK) {
            return false;
        }
    }
    return true;
}

static bool on_request(struct server *server, struct session *session, const uint8_t *body,
                       size_t len)
{
    uint8_t message[SKUA_PERF_MESSAGE_MAX];
    struct skua_perf_request *request = &session->request;
    if (session->requested || !skua_perf_get_request(body, len, request)) {
        return false;
    }
    const bool known = request->version == SKUA_PERF_VERSION;
    if (!skua_perf_control_send(
            &session->control, message,
            skua_perf_put_ready(message, known ? SKUA_PERF_OK : SKUA_PERF_BAD_VERSION))) {
        return false;
    }
    if (!known) {
        return true; /* the client closes */
    }
    session->requested = true;
    if (request->mode == SKUA_PERF_EXCHANGE) {
        server->served++;
        return true;
    }
    skua_perf_meter_begin(&session->meter, server->ev);
    session->served_before = server->served;
    /* BULK: lanes for what goes down; RR: one for each stream that comes. */
    const size_t lanes = request->mode == SKUA_PERF_RR ? request->up : request->down;
    session->lanes = calloc(lanes + 1, sizeof *session->lanes);
    return session->lanes != NULL && open_down(server, session);
}

static bool on_message(struct server *server, struct session *session, enum skua_perf_type type,
                       const uint8_t *body, size_t len)
{
    switch (type) {
    case SKUA_PERF_REQUEST:
        return on_request(server, session, body, len);
    case SKUA_PERF_STOP:
        for (uint16_t i = 0; session->lanes != NULL && i < session->request.down; i++) {
            skua_perf_out_reset(server->ep, &session->lanes[i].out);
        }
        return session->requested;
    case SKUA_PERF_DONE:
        if (!session->requested || session->done || session->request.mode == SKUA_PERF_EXCHANGE) {
            return false;
        }
        session->done = true;
        maybe_result(server, session);
        return true;
    case SKUA_PERF_READY:
    case SKUA_PERF_RESULT:
        break;
    }
    return false;
}

static void read_control(struct server *server, struct session *session)
{
    enum skua_perf_type type = SKUA_PERF_REQUEST;
    const uint8_t *body = NULL;
    size_t len = 0;
    enum skua_perf_got got = SKUA_PERF_GOT_MESSAGE;
    while ((got = skua_perf_control_next(&session->control, &type, &body, &len)) ==
           SKUA_PERF_GOT_MESSAGE) {
        if (!on_message(server, session, type, body, len)) {
            session_abort(server, session, SKUA_PERF_ABORT_PROTOCOL, "unexpected message");
            return;
        }
    }
    /* The end of the stream after all was said is the client's closing. */
    if (got == SKUA_PERF_GOT_BAD && !session->told &&
        (!session->requested || session->request.mode != SKUA_PERF_EXCHANGE)) {
        session_abort(server, session, SKUA_PERF_ABORT_PROTOCOL, "malformed message");
    }
}

/* --- data streams --- */

/* The client opened a stream: is there a place for it? */
static bool place_stream(struct server *server, struct session *session, skua_stream stream)
{
    struct skua_stream_info info;
    if (skua_stream_info(server->ep, stream, &info) != SKUA_OK) {
        return true; /* gone again */
    }
    const bool uni = (info.id & 2) != 0;
    if (!uni && session->control.stream == 0) {
        session->control.stream = stream;
        return true;
    }
    const bool wanted = session->requested &&
                        session->request.mode == (uni ? SKUA_PERF_BULK : SKUA_PERF_RR) &&
                        session->opened < session->request.up;
    if (wanted && !uni) {
        struct lane *lane = &session->lanes[session->opened];
        lane->out.stream = stream;
        lane->missing = session->request.exchange;
        (void)skua_stream_set_user(server->ep, stream, lane);
    }
    session->opened = (uint16_t)(session->opened + (wanted ? 1 : 0));
    return wanted;
}

static void end_stream(struct server *server, struct session *session, skua_stream stream)
{
    (void)skua_stream_close(server->ep, stream);
    session->ended++;
    maybe_result(server, session);
}

/* RR: `got` more bytes of requests; a response for each that is whole. */
static void respond(struct server *server, struct session *session, struct lane *lane, uint64_t got)
{
    while (got >= lane->missing) {
        got -= lane->missing;
        lane->missing = session->request.exchange;
        lane->out.left += session->request.exchange;
    }
    lane->missing -= got;
    /* An error means that the client has left, which the reading side will see as well. */
    (void)skua_perf_out_write(server->ep, &lane->out, &server->source);
}

static void on_readable(struct skua_ev *ev, const struct skua_event *event)
{
    struct server *server = server_of(ev);
    struct session *session = event->user;
    struct lane *lane = event->stream_user;
    uint64_t got = 0;
    if (event->stream == session->control.stream) {
        read_control(server, session);
        return;
    }
    const enum skua_err err =
        skua_perf_in_drain(server->ep, event->stream, &session->in, skua_ev_now(ev), &got);
    if (lane != NULL && got > 0) {
        respond(server, session, lane, got);
    }
    if (err != SKUA_EAGAIN) {
        end_stream(server, session, event->stream);
    }
}

/* --- other events --- */

static void on_incoming(struct skua_ev *ev, const struct skua_event *event)
{
    struct server *server = server_of(ev);
    const struct skua_perf_plan *plan = server->plan;
    struct skua_key key;
    if (!plan->allow_any && (skua_conn_peer_key(server->ep, event->conn, &key) != SKUA_OK ||
                             !skua_key_list_has(&plan->allowed, &key))) {
        (void)skua_conn_refuse(server->ep, event->conn, SKUA_CODE_KEY_REFUSED);
        return;
    }
    struct session *session = session_new(server, event->conn);
    if (session == NULL) {
        (void)skua_conn_refuse(server->ep, event->conn, SKUA_CODE_OVERLOAD);
    } else if (skua_conn_accept(server->ep, event->conn, session) != SKUA_OK) {
        session_free(session);
    }
}

static void on_stream(struct skua_ev *ev, const struct skua_event *event)
{
    struct server *server = server_of(ev);
    if (!place_stream(server, event->user, event->stream)) {
        session_abort(server, event->user, SKUA_PERF_ABORT_PROTOCOL, "unexpected stream");
    }
}

static void on_writable(struct skua_ev *ev, const struct skua_event *event)
{
    struct server *server = server_of(ev);
    struct session *session = event->user;
    struct lane *lane = event->stream_user;
    if (lane == NULL) {
        return;
    }
    if (session->request.mode == SKUA_PERF_RR) {
        (void)skua_perf_out_write(server->ep, &lane->out, &server->source);
    } else {
        (void)skua_perf_out_pump(server->ep, &lane->out, &server->source);
    }
}

static void on_finished(struct skua_ev *ev, const struct skua_event *event)
{
    (void)skua_conn_close(skua_ev_endpoint(ev), event->conn);
}

static void on_closed(struct skua_ev *ev, const struct skua_event *event)
{
    session_end(server_of(ev), event->user,
                event->error == SKUA_OK ? "the client left" : skua_strerror(event->error));
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct server *server = watcher->data;
    (void)events;
    server->code = SKUA_EXIT_INTERRUPTED;
    ev_break(loop, EVBREAK_ALL);
}

/* --- beginning and end --- */

static enum skua_err start(struct server *server)
{
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    config.endpoint.max_conns = CONNS_MAX;
    config.user = server;
    config.handlers = (struct skua_ev_handlers){.incoming = on_incoming,
                                                .stream = on_stream,
                                                .readable = on_readable,
                                                .writable = on_writable,
                                                .finished = on_finished,
                                                .closed = on_closed};
    skua_perf_config(&config, server->plan);
    listen.conn.label = SKUA_PERF_LABEL;
    listen.backlog = 1024;
    const enum skua_err err = skua_ev_new(&server->ev, server->loop, &config);
    if (err != SKUA_OK) {
        return err;
    }
    server->ep = skua_ev_endpoint(server->ev);
    return skua_ev_listen(server->ev, server->plan->listen, &listen);
}

/* Where it listens and who it is, for people and scripts. */
static void announce(const struct server *server)
{
    struct skua_addr addr = {0};
    char where[SKUA_ADDR_TEXT_LEN];
    char key[SKUA_KEY_TEXT_LEN];
    (void)skua_ev_local_addr(server->ev, 0, &addr);
    skua_addr_format(where, &addr);
    skua_key_format(key, skua_endpoint_key(server->ep));
    (void)printf(server->plan->json ? "{\"listening\":\"%s\",\"key\":\"%s\"}\n"
                                    : "listening %s key %s\n",
                 where, key);
    (void)fflush(stdout);
}

static void serve(struct server *server)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    ev_signal signals[2];
    for (size_t i = 0; i < 2; i++) {
        ev_signal_init(&signals[i], on_signal, numbers[i]);
        signals[i].data = server;
        ev_signal_start(server->loop, &signals[i]);
    }
    announce(server);
    (void)ev_run(server->loop, 0);
    for (size_t i = 0; i < 2; i++) {
        ev_signal_stop(server->loop, &signals[i]);
    }
    for (struct session *session = server->sessions; session != NULL; session = session->next) {
        (void)skua_conn_abort(server->ep, session->conn, SKUA_PERF_ABORT_INTERRUPTED,
                              "the server ends");
    }
}

enum skua_exit skua_perf_server(const struct skua_perf_plan *plan)
{
    struct server server = {.plan = plan, .loop = ev_default_loop(EVFLAG_AUTO)};
    enum skua_err err = SKUA_ENOMEM;
    if (server.loop != NULL && skua_perf_source_init(&server.source, plan->chunk, plan->copy)) {
        err = start(&server);
    }
    if (err == SKUA_OK) {
        serve(&server);
    } else {
        const bool cipher = err == SKUA_EINVAL && server.ev == NULL;
        (void)fprintf(stderr, "skua perf: cannot listen on %s: %s\n", plan->listen,
                      cipher ? "this machine does not have the cipher" : skua_strerror(err));
        server.code = server.ev == NULL ? SKUA_EXIT_LOCAL_IO : SKUA_EXIT_LISTEN;
    }
    skua_ev_free(server.ev);
    while (server.sessions != NULL) {
        session_free(server.sessions);
    }
    skua_perf_source_deinit(&server.source);
    return server.code;
}
