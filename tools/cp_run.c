/* skua cp over a connection: connects, checks whose server it is, copies, and says in one line what
 * went wrong. */
#include "cp.h"

#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <skua/skua_ev.h>
#include <sodium.h>

#include "names.h"
#include "place.h"
#include "stop_signals.h"

/* How long an orderly end may take once everything is stored. */
#define CLOSE_WAIT_S 3.0

struct run {
    const struct skua_cp_plan *plan;
    struct skua_report *report;
    struct ev_loop *loop;
    struct skua_ev *ev;
    struct skua_pool *pool;
    struct skua_buffers buffers;
    struct skua_session session;
    bool session_open;       /* init was called, `gone` was not */
    skua_conn conn;          /* 0 = none (any more) */
    struct skua_store store; /* GET: the local folder */
    char **targets;          /* GET: places in it */
    struct skua_stop_signals signals;
    ev_timer tick;    /* progress */
    ev_timer give_up; /* the orderly end takes too long */
    bool replied;     /* the server has answered the request */
    bool done;        /* everything is stored */
    bool over;        /* `code` stands */
    bool *unknown;    /* the caller's */
    struct skua_key *server_key;
    enum skua_exit code;
};

static skua_time now_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (skua_time)ts.tv_sec * SKUA_SEC + (skua_time)ts.tv_nsec;
}

static void stop_session(struct run *run)
{
    if (run->session_open) {
        skua_session_stop(&run->session);
    }
}

/* The copy is over with this code; the loop ends. */
static void finish(struct run *run, enum skua_exit code)
{
    if (!run->over) {
        run->over = true;
        run->code = code;
    }
    stop_session(run);
    ev_break(run->loop, EVBREAK_ALL);
}

static void abort_conn(struct run *run, enum skua_file_abort code, const char *reason)
{
    if (run->conn != 0) {
        (void)skua_conn_abort(skua_ev_endpoint(run->ev), run->conn, code, reason);
        run->conn = 0;
    }
}

/* --- the session's callbacks --- */

static void on_outcome(struct skua_session *session, const struct skua_outcome *outcome, bool here)
{
    struct run *run = session->user;
    const bool known = outcome->root < run->plan->count;
    skua_report_entry(run->report, known ? run->plan->shown[outcome->root] : "?",
                      outcome->path != NULL ? outcome->path : "", outcome, here);
}

static void on_totals(struct skua_session *session, const struct skua_file_totals *totals)
{
    struct run *run = session->user;
    run->report->totals = *totals;
}

static void on_reply(struct skua_session *session, enum skua_file_status status)
{
    struct run *run = session->user;
    char shown[1024];
    run->replied = true;
    if (status == SKUA_STATUS_OK) {
        return;
    }
    /* Judged is the destination or the request as a whole: sources have their own outcomes. */
    const char *dst = run->plan->upload ? run->plan->dst : "";
    const char *quote = dst[0] != '\0' ? "\"" : "";
    const bool refused = status == SKUA_STATUS_READ_ONLY || status == SKUA_STATUS_WRITE_ONLY ||
                         status == SKUA_STATUS_BAD_NAME || status == SKUA_STATUS_VERSION;
    skua_report_error(run->report, "%s refused %s%s%s: %s", run->plan->host_name, quote,
                      dst[0] != '\0' ? skua_name_print(shown, sizeof shown, dst, strlen(dst))
                                     : "the copy",
                      quote, skua_file_status_text(status));
    abort_conn(run, SKUA_FILE_ABORT_INTERRUPTED, "");
    finish(run, refused ? SKUA_EXIT_REFUSED : SKUA_EXIT_REMOTE_IO);
}

static void on_done(struct skua_session *session)
{
    struct run *run = session->user;
    run->done = true;
    if (skua_conn_close(session->ep, run->conn) != SKUA_OK) {
        finish(run, SKUA_EXIT_OK);
        return;
    }
    ev_timer_set(&run->give_up, CLOSE_WAIT_S, 0.);
    ev_timer_start(run->loop, &run->give_up);
}

static void on_failed(struct skua_session *session, enum skua_file_abort code, const char *why)
{
    struct run *run = session->user;
    skua_report_error(run->report, "%s: %s", run->plan->host_name, why);
    abort_conn(run, code, why);
    finish(run, code == SKUA_FILE_ABORT_INTERNAL ? SKUA_EXIT_LOCAL_IO : SKUA_EXIT_INTEGRITY);
}

static void on_gone(struct skua_session *session)
{
    struct run *run = session->user;
    run->session_open = false;
}

static const struct skua_session_ops session_ops = {
    .reply = on_reply,
    .outcome = on_outcome,
    .totals = on_totals,
    .done = on_done,
    .failed = on_failed,
    .gone = on_gone,
};

/* --- connecting --- */

/* Whether the server may be talked to; else says why and ends. */
static bool check_server(struct run *run)
{
    struct skua_why why;
    if (run->plan->pinned) {
        return true; /* the handshake has checked it */
    }
    if (skua_conn_peer_key(skua_ev_endpoint(run->ev), run->conn, run->server_key) != SKUA_OK) {
        finish(run, SKUA_EXIT_PEER_KEY);
        return false;
    }
    if (!run->plan->accept_new) {
        *run->unknown = true;
        abort_conn(run, SKUA_FILE_ABORT_INTERRUPTED, "server not known");
        finish(run, SKUA_EXIT_PEER_KEY);
        return false;
    }
    if (!skua_known_hosts_add(run->plan->known.text, run->plan->host_name, run->server_key, &why)) {
        skua_report_error(run->report, "%s", why.text);
        abort_conn(run, SKUA_FILE_ABORT_INTERRUPTED, "");
        finish(run, SKUA_EXIT_LOCAL_IO);
        return false;
    }
    char key[SKUA_KEY_TEXT_LEN];
    skua_key_format(key, run->server_key);
    skua_report_note(run->report, "remembered %s with key %s", run->plan->host_name, key);
    return true;
}

static struct skua_file_str str_of(const char *text)
{
    return (struct skua_file_str){.at = text, .len = strlen(text)};
}

static bool send_request(struct run *run)
{
    const struct skua_cp_plan *plan = run->plan;
    struct skua_file_request *request = calloc(1, sizeof *request);
    if (request == NULL) {
        return false;
    }
    request->version = SKUA_FILE_VERSION;
    request->op = plan->upload ? SKUA_FILE_PUT : SKUA_FILE_GET;
    request->flags =
        (uint16_t)(plan->upload ? plan->flags : plan->flags & ~(unsigned)SKUA_FILE_DST_IS_DIR);
    request->dst = str_of(plan->upload ? plan->dst : "");
    request->count = plan->count;
    for (size_t i = 0; i < plan->count; i++) {
        request->roots[i] = str_of(plan->upload ? plan->names[i] : plan->roots[i]);
    }
    const bool ok = skua_session_request(&run->session, request);
    free(request);
    return ok;
}

static bool start_copy(struct run *run)
{
    const struct skua_cp_plan *plan = run->plan;
    const struct skua_session_config config = {
        .ops = &session_ops,
        .user = run,
        .ep = skua_ev_endpoint(run->ev),
        .conn = run->conn,
        .pool = run->pool,
        .buffers = &run->buffers,
        .keep_names = true,
    };
    run->session_open = true;
    if (skua_session_init(&run->session, &config) != SKUA_OK || !send_request(run)) {
        return false;
    }
    return plan->upload
               ? skua_session_send(&run->session, NULL, plan->roots, plan->count, plan->flags)
               : skua_session_receive(&run->session, &run->store, (const char *const *)run->targets,
                                      plan->count, plan->flags);
}

static void on_established(struct skua_ev *ev, const struct skua_event *event)
{
    struct run *run = skua_ev_user(ev);
    run->conn = event->conn;
    if (!check_server(run)) {
        return;
    }
    if (!start_copy(run)) {
        skua_report_error(run->report, "out of memory, or too many names for one request");
        abort_conn(run, SKUA_FILE_ABORT_INTERNAL, "");
        finish(run, SKUA_EXIT_LOCAL_IO);
    }
}

static void on_session_event(struct skua_ev *ev, const struct skua_event *event)
{
    struct run *run = skua_ev_user(ev);
    if (run->session_open) {
        skua_session_on_event(&run->session, event);
    }
}

/* --- how it ends --- */

static void explain_peer_key(struct run *run, const struct skua_event *event)
{
    const struct skua_cp_plan *plan = run->plan;
    char has[SKUA_KEY_TEXT_LEN];
    char want[SKUA_KEY_TEXT_LEN];
    skua_key_format(has, &event->key);
    skua_key_format(want, &plan->pin);
    if (plan->pin_given) {
        skua_report_error(run->report, "%s has the key %s, not the given %s", plan->host_name, has,
                          want);
        return;
    }
    skua_report_error(run->report,
                      "THE KEY OF %s HAS CHANGED: it is %s, known is %s. Someone may be listening, "
                      "or the server has a new key: then remove its line from %s",
                      plan->host_name, has, want, plan->known.text);
}

static void explain_key_refused(struct run *run)
{
    char text[SKUA_KEY_TEXT_LEN];
    struct skua_key own;
    skua_key_public(&own, &run->plan->key);
    skua_key_format(text, &own);
    skua_report_error(run->report,
                      "%s does not allow this key; its owner must add this line to the server's "
                      "allowed_keys: %s",
                      run->plan->host_name, text);
}

/* The connection ended before everything was stored. */
static enum skua_exit explain(struct run *run, const struct skua_event *event)
{
    const char *host = run->plan->host_name;
    char reason[600];
    (void)skua_name_print(reason, sizeof reason, event->reason, strlen(event->reason));
    if (event->error == SKUA_EPEERKEY) {
        explain_peer_key(run, event);
        return SKUA_EXIT_PEER_KEY;
    }
    if (!event->application && event->remote && event->code == SKUA_CODE_KEY_REFUSED) {
        explain_key_refused(run);
        return SKUA_EXIT_REFUSED;
    }
    const char *colon = reason[0] != '\0' ? ": " : "";
    if (run->replied || (run->session_open && event->error != SKUA_ECONNREFUSED)) {
        skua_report_error(run->report, "connection to %s lost: %s%s%s", host,
                          skua_strerror(event->error), colon, reason);
        return SKUA_EXIT_LOST;
    }
    /* A code from the server is a decision; without one, nobody listens there. */
    const bool refused = event->remote && event->code != 0;
    skua_report_error(run->report, "cannot connect to %s: %s%s%s", host,
                      refused ? skua_code_text(event->code) : skua_strerror(event->error), colon,
                      reason);
    return refused ? SKUA_EXIT_REFUSED : SKUA_EXIT_UNREACHABLE;
}

static void on_closed(struct skua_ev *ev, const struct skua_event *event)
{
    struct run *run = skua_ev_user(ev);
    run->conn = 0;
    if (run->over) {
        return;
    }
    finish(run, run->done ? SKUA_EXIT_OK : explain(run, event));
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct run *run = watcher->data;
    (void)loop;
    (void)events;
    if (run->done) {
        finish(run, SKUA_EXIT_OK);
        return;
    }
    skua_report_error(run->report, "interrupted; unfinished files are removed");
    abort_conn(run, SKUA_FILE_ABORT_INTERRUPTED, "interrupted");
    finish(run, SKUA_EXIT_INTERRUPTED);
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct run *run = watcher->data;
    (void)loop;
    (void)events;
    if (run->session_open && !run->done) {
        skua_report_tick(run->report, &run->session.progress, now_ns());
    }
}

static void on_give_up(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    finish(watcher->data, SKUA_EXIT_OK);
}

/* --- set-up --- */

/* GET: finds out where things go before anybody is asked for them. */
static enum skua_exit prepare_local(struct run *run)
{
    const struct skua_cp_plan *plan = run->plan;
    struct skua_place place = {.dst = "",
                               .must_be_dir = (plan->flags & SKUA_FILE_DST_IS_DIR) != 0,
                               .names = plan->names,
                               .count = plan->count};
    char *folder = strdup(plan->dst);
    char *last = strdup(plan->dst);
    int error = folder == NULL || last == NULL ? ENOMEM : skua_store_init(&run->store, plan->dst);
    if (error == ENOENT || error == ENOTDIR) {
        /* Not a directory: its folder is the store, and it becomes the copy. */
        place.dst = basename(last);
        error = skua_store_init(&run->store, dirname(folder));
    }
    enum skua_file_status status = skua_file_status_of_errno(error);
    if (error == 0) {
        status = skua_place_roots(&run->store, &place, &run->targets);
    }
    free(folder);
    free(last);
    if (status == SKUA_STATUS_OK) {
        return SKUA_EXIT_OK;
    }
    char shown[1024];
    skua_report_error(run->report, "%s: %s",
                      skua_name_print(shown, sizeof shown, plan->dst, strlen(plan->dst)),
                      skua_file_status_text(status));
    return SKUA_EXIT_LOCAL_IO;
}

static enum skua_err connect_server(struct run *run)
{
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    config.endpoint.key = &run->plan->key;
    config.user = run;
    config.handlers = (struct skua_ev_handlers){
        .size = sizeof(struct skua_ev_handlers),
        .established = on_established,
        .stream = on_session_event,
        .readable = on_session_event,
        .writable = on_session_event,
        .acked = on_session_event,
        .streams = on_session_event,
        .stopped = on_session_event,
        .closed = on_closed,
    };
    const enum skua_err err = skua_ev_new(&run->ev, run->loop, &config);
    if (err != SKUA_OK) {
        return err;
    }
    struct skua_conn_config conn = SKUA_CONN_CONFIG_INIT;
    conn.label = SKUA_FILE_LABEL;
    conn.server_key = run->plan->pinned ? &run->plan->pin : NULL;
    conn.keepalive_time_ns = 10 * SKUA_SEC; /* a slow disk is not a dead peer */
    conn.max_recv_window = UINT64_C(32) << 20;
    conn.max_streams_bidi = 1;
    conn.max_streams_uni = SKUA_FILE_STREAMS_MAX;
    return skua_ev_connect(run->ev, run->plan->host, run->plan->port, &conn, NULL);
}

static void start_watchers(struct run *run)
{
    ev_timer_init(&run->tick, on_tick, 0.1, 0.1);
    ev_timer_init(&run->give_up, on_give_up, CLOSE_WAIT_S, 0.);
    run->tick.data = run;
    run->give_up.data = run;
    skua_stop_signals_start(&run->signals, run->loop, on_signal, run);
    ev_timer_start(run->loop, &run->tick);
}

/* The driver goes first: it sends what is ready, a RST say, and lent memory is free afterwards. */
static void tear_down(struct run *run)
{
    skua_ev_free(run->ev);
    stop_session(run);
    skua_pool_drain(run->pool);
    skua_pool_free(run->pool);
    skua_buffers_deinit(&run->buffers);
    skua_store_deinit(&run->store);
    skua_place_free(run->targets, run->plan->count);
    skua_stop_signals_end(&run->signals, run->loop);
    ev_timer_stop(run->loop, &run->tick);
    ev_timer_stop(run->loop, &run->give_up);
}

enum skua_exit skua_cp_run(const struct skua_cp_plan *plan, struct skua_report *report,
                           bool *unknown, struct skua_key *server_key)
{
    struct run run = {.plan = plan,
                      .report = report,
                      .loop = ev_default_loop(EVFLAG_AUTO),
                      .store = {.fd = -1},
                      .unknown = unknown,
                      .server_key = server_key};
    *unknown = false;
    if (!plan->upload) {
        const enum skua_exit code = prepare_local(&run);
        if (code != SKUA_EXIT_OK) {
            skua_store_deinit(&run.store);
            return code;
        }
    }
    run.pool = run.loop != NULL ? skua_pool_new(run.loop, 0) : NULL;
    if (run.pool == NULL) {
        skua_store_deinit(&run.store);
        skua_place_free(run.targets, plan->count);
        skua_report_error(report, "cannot start: no memory or threads left");
        return SKUA_EXIT_LOCAL_IO;
    }
    skua_buffers_init(&run.buffers, SKUA_BUFFERS_MAX_EACH);
    start_watchers(&run);
    const enum skua_err err = connect_server(&run);
    if (err == SKUA_OK) {
        (void)ev_run(run.loop, 0);
    } else {
        skua_report_error(report, "cannot connect to %s: %s", plan->host_name, skua_strerror(err));
        run.code = SKUA_EXIT_UNREACHABLE;
    }
    tear_down(&run);
    return run.code;
}
