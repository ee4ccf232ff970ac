/* Sessions of `skua perf`'s server (perf_session.h): each does what its REQUEST says. */
#include "perf_session.h"

#include <stdio.h>
#include <stdlib.h>

#include "perf_report.h"

/* A data stream. */
struct skua_perf_session_lane {
    struct skua_perf_out out; /* BULK: down; RR: responses */
    uint64_t missing;         /* RR: bytes until the request is whole */
};

/* --- sessions --- */

struct skua_perf_session *skua_perf_session_new(struct skua_perf_server *server, skua_conn conn)
{
    struct skua_perf_session *session = calloc(1, sizeof *session);
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

void skua_perf_session_free(struct skua_perf_session *session)
{
    *session->link = session->next;
    if (session->next != NULL) {
        session->next->link = session->link;
    }
    free(session->lanes);
    free(session);
}

/* A test is over, with or without a result. */
static void test_over(struct skua_perf_server *server, enum skua_exit code)
{
    if (server->plan->once) {
        server->code = code;
        ev_break(server->loop, EVBREAK_ALL);
    }
}

/* The connection is gone: `why` goes to the user where a test was under way. */
void skua_perf_session_end(struct skua_perf_server *server, struct skua_perf_session *session,
                           const char *why)
{
    const bool test = session->requested && session->request.mode != SKUA_PERF_EXCHANGE;
    if (test && !session->told) {
        (void)fprintf(stderr, "skua perf: %s: test broken off: %s\n", session->name, why);
    }
    const enum skua_exit code = session->told ? SKUA_EXIT_OK : SKUA_EXIT_LOST;
    skua_perf_session_free(session);
    if (test) {
        test_over(server, code);
    }
}

/* The client violates the protocol, or memory is short. */
static void session_abort(struct skua_perf_server *server, struct skua_perf_session *session,
                          enum skua_perf_abort code, const char *why)
{
    (void)skua_conn_abort(server->ep, session->conn, (uint64_t)code, why);
    skua_perf_session_end(server, session, why);
}

/* Sends RESULT once all has ended on both sides. */
static void maybe_result(struct skua_perf_server *server, struct skua_perf_session *session)
{
    uint8_t message[SKUA_PERF_MESSAGE_MAX];
    struct skua_perf_end end;
    const uint16_t streams = session->request.mode == SKUA_PERF_DGRAM ? 0 : session->request.up;
    if (!session->done || session->told || session->ended < streams) {
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

static bool open_down(struct skua_perf_server *server, struct skua_perf_session *session)
{
    const uint16_t count = session->request.down;
    for (uint16_t i = 0; i < count; i++) {
        struct skua_perf_session_lane *lane = &session->lanes[i];
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

static bool on_request(struct skua_perf_server *server, struct skua_perf_session *session,
                       const uint8_t *body, size_t len)
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

static bool on_message(struct skua_perf_server *server, struct skua_perf_session *session,
                       enum skua_perf_type type, const uint8_t *body, size_t len)
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

static void read_control(struct skua_perf_server *server, struct skua_perf_session *session)
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
        session_abort(server, session, SKUA_PERF_ABORT_PROTOCOL, "the control stream broke off");
    }
}

/* --- data streams --- */

/* The client opened a stream: is there a place for it? */
static bool place_stream(struct skua_perf_server *server, struct skua_perf_session *session,
                         skua_stream stream)
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
        struct skua_perf_session_lane *lane = &session->lanes[session->opened];
        lane->out.stream = stream;
        lane->missing = session->request.exchange;
        (void)skua_stream_set_user(server->ep, stream, lane);
    }
    session->opened = (uint16_t)(session->opened + (wanted ? 1 : 0));
    return wanted;
}

static void end_stream(struct skua_perf_server *server, struct skua_perf_session *session,
                       skua_stream stream)
{
    (void)skua_stream_close(server->ep, stream);
    session->ended++;
    maybe_result(server, session);
}

/* RR: `got` more bytes of requests; a response for each that is whole. */
static void respond(struct skua_perf_server *server, struct skua_perf_session *session,
                    struct skua_perf_session_lane *lane, uint64_t got)
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

void skua_perf_session_readable(struct skua_perf_server *server, struct skua_perf_session *session,
                                const struct skua_event *event)
{
    struct skua_perf_session_lane *lane = event->stream_user;
    uint64_t got = 0;
    if (event->stream == session->control.stream) {
        read_control(server, session);
        return;
    }
    const enum skua_err err =
        skua_perf_in_drain(server->ep, event->stream, &session->in, skua_ev_now(server->ev), &got);
    if (lane != NULL && got > 0) {
        respond(server, session, lane, got);
    }
    if (err != SKUA_EAGAIN) {
        end_stream(server, session, event->stream);
    }
}

void skua_perf_session_writable(struct skua_perf_server *server, struct skua_perf_session *session,
                                const struct skua_event *event)
{
    struct skua_perf_session_lane *lane = event->stream_user;
    if (lane == NULL) {
        return;
    }
    /* Errors: the client has left, which the reading side or CLOSED will say. */
    if (session->request.mode == SKUA_PERF_RR) {
        (void)skua_perf_out_write(server->ep, &lane->out, &server->source);
    } else {
        (void)skua_perf_out_pump(server->ep, &lane->out, &server->source);
    }
}

void skua_perf_session_stream(struct skua_perf_server *server, struct skua_perf_session *session,
                              skua_stream stream)
{
    if (!place_stream(server, session, stream)) {
        session_abort(server, session, SKUA_PERF_ABORT_PROTOCOL, "unexpected stream");
    }
}
