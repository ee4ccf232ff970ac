/* One client of skua serve: who it is, what it asks for, what became of it. */
#include "serve.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file_proto.h"
#include "names.h"
#include "place.h"
#include "session.h"

/* A client that has not asked for anything by then is sent away. */
#define REQUEST_WAIT_S 30.0

struct serve_client {
    struct serve *serve;
    struct serve_client *next, *prev; /* in serve->first */
    struct skua_session session;
    struct skua_job place_job; /* PUT: finds out where things go */
    ev_timer request_wait;
    skua_conn conn; /* 0 = none any more */
    bool done;      /* everything is stored */
    ev_tstamp start;
    char peer[SKUA_ADDR_TEXT_LEN + SKUA_KEY_TEXT_LEN]; /* address and key, for the log */
    /* The request, as strings of our own. */
    enum skua_file_op op;
    unsigned flags;
    char *dst;
    char **roots;
    size_t root_count;
    /* PUT: what place_job found. */
    enum skua_file_status place_status;
    char **targets;
};

static void run_place(struct skua_job *job);
static void done_place(struct skua_job *job);

/* --- life --- */

static void free_request(struct serve_client *client)
{
    for (size_t i = 0; i < client->root_count; i++) {
        free(client->roots[i]);
    }
    skua_place_free(client->targets, client->root_count);
    free(client->roots);
    free(client->dst);
}

static void on_gone(struct skua_session *session)
{
    struct serve_client *client = session->user;
    struct serve *serve = client->serve;
    *(client->prev != NULL ? &client->prev->next : &serve->first) = client->next;
    if (client->next != NULL) {
        client->next->prev = client->prev;
    }
    serve->clients--;
    free_request(client);
    free(client);
}

/* Ends the connection at once. */
static void drop(struct serve_client *client, enum skua_file_abort code, const char *why)
{
    ev_timer_stop(client->serve->loop, &client->request_wait);
    if (client->conn != 0) {
        (void)skua_conn_abort(client->session.ep, client->conn, code, why);
        client->conn = 0;
    }
    skua_session_stop(&client->session);
}

static void on_request_wait(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct serve_client *client = watcher->data;
    (void)loop;
    (void)events;
    serve_log(client->serve, "%s asked for nothing, sent away", client->peer);
    drop(client, SKUA_FILE_ABORT_PROTOCOL, "no request");
}

/* --- requests --- */

/* Zero-terminated copy; NULL for a string with a zero in it, and where memory is short. */
static char *copy_str(struct skua_file_str str)
{
    return memchr(str.at, '\0', str.len) != NULL ? NULL : strndup(str.at, str.len);
}

static enum skua_file_status keep_request(struct serve_client *client,
                                          const struct skua_file_request *request)
{
    client->op = request->op;
    client->flags = request->flags | (client->serve->sync ? SKUA_FILE_FSYNC : 0U);
    client->dst = copy_str(request->dst);
    client->roots = calloc(request->count, sizeof *client->roots);
    if (client->dst == NULL || client->roots == NULL) {
        return SKUA_STATUS_BAD_NAME;
    }
    for (size_t i = 0; i < request->count; i++) {
        client->roots[i] = copy_str(request->roots[i]);
        if (client->roots[i] == NULL) {
            return SKUA_STATUS_BAD_NAME;
        }
        client->root_count++;
    }
    return SKUA_STATUS_OK;
}

static enum skua_file_status check_request(const struct serve_client *client,
                                           const struct skua_file_request *request)
{
    const unsigned known = SKUA_FILE_RECURSIVE | SKUA_FILE_LINKS | SKUA_FILE_CHECKSUM |
                           SKUA_FILE_FSYNC | SKUA_FILE_DST_IS_DIR;
    if (request->version != SKUA_FILE_VERSION || (request->flags & ~known) != 0) {
        return SKUA_STATUS_VERSION;
    }
    if (request->op == SKUA_FILE_PUT && client->serve->read_only) {
        return SKUA_STATUS_READ_ONLY;
    }
    if (request->op == SKUA_FILE_GET && client->serve->write_only) {
        return SKUA_STATUS_WRITE_ONLY;
    }
    for (size_t i = 0; i < request->count && request->op == SKUA_FILE_GET; i++) {
        const struct skua_file_str root = request->roots[i];
        if (root.len > 0 && !skua_name_check_path(root.at, root.len)) {
            return SKUA_STATUS_BAD_NAME;
        }
    }
    return SKUA_STATUS_OK;
}

static void out_of_memory(struct serve_client *client)
{
    serve_log(client->serve, "%s: out of memory", client->peer);
    drop(client, SKUA_FILE_ABORT_INTERNAL, "out of memory");
}

/* Answers; after a refusal the connection ends in order. */
static bool reply(struct serve_client *client, enum skua_file_status status)
{
    if (!skua_session_reply(&client->session, status)) {
        out_of_memory(client);
        return false;
    }
    if (status != SKUA_STATUS_OK) {
        serve_log(client->serve, "%s refused: %s", client->peer, skua_file_status_text(status));
        client->done = true;
        skua_session_finish(&client->session);
        (void)skua_conn_close(client->session.ep, client->conn);
        return false;
    }
    return true;
}

static const char *const *as_const(char **list)
{
    return (const char *const *)list;
}

static void on_request(struct skua_session *session, const struct skua_file_request *request)
{
    struct serve_client *client = session->user;
    enum skua_file_status status = check_request(client, request);
    ev_timer_stop(client->serve->loop, &client->request_wait);
    if (status == SKUA_STATUS_OK) {
        status = keep_request(client, request);
    }
    if (status == SKUA_STATUS_OK && client->op == SKUA_FILE_PUT) {
        client->place_job = (struct skua_job){.run = run_place, .done = done_place, .user = client};
        skua_session_submit(session, &client->place_job);
        return;
    }
    if (reply(client, status) &&
        !skua_session_send(session, &client->serve->store, as_const(client->roots),
                           client->root_count, client->flags)) {
        out_of_memory(client);
    }
}

static void run_place(struct skua_job *job)
{
    struct serve_client *client = job->user;
    const struct skua_place place = {
        .dst = client->dst,
        .must_be_dir = (client->flags & SKUA_FILE_DST_IS_DIR) != 0,
        .names = as_const(client->roots),
        .count = client->root_count,
    };
    client->place_status = skua_place_roots(&client->serve->store, &place, &client->targets);
}

static void done_place(struct skua_job *job)
{
    struct serve_client *client = job->user;
    struct skua_session *session = &client->session;
    if (!skua_session_job_done(session)) {
        return;
    }
    if (reply(client, client->place_status) &&
        !skua_session_receive(session, &client->serve->store, as_const(client->targets),
                              client->root_count, client->flags)) {
        out_of_memory(client);
    }
}

/* --- the session's other callbacks --- */

static void on_outcome(struct skua_session *session, const struct skua_outcome *outcome, bool here)
{
    (void)session;
    (void)outcome;
    (void)here;
}

static void on_totals(struct skua_session *session, const struct skua_file_totals *totals)
{
    (void)session;
    (void)totals;
}

/* "put in/box" or "get a and 3 more", for the log. */
static void describe(const struct serve_client *client, char *out, size_t room)
{
    char name[512];
    const bool put = client->op == SKUA_FILE_PUT;
    const char *path = client->roots == NULL ? "?" : put ? client->dst : client->roots[0];
    (void)snprintf(out, room, "%s \"%s\"%s", put ? "put" : "get",
                   skua_name_print(name, sizeof name, path, strlen(path)),
                   !put && client->root_count > 1 ? " and more" : "");
}

static void log_end(const struct serve_client *client, const char *how)
{
    char what[600];
    const struct skua_session_progress *progress = &client->session.progress;
    if (!client->session.requested) {
        serve_log(client->serve, "%s: %s", client->peer, how);
        return;
    }
    describe(client, what, sizeof what);
    serve_log(client->serve,
              "%s %s: %" PRIu64 " entries stored, %" PRIu64 " failed, %" PRIu64
              " bytes, %.3f s: %s",
              client->peer, what, progress->stored, progress->failed, progress->bytes,
              ev_now(client->serve->loop) - client->start, how);
}

static void on_done(struct skua_session *session)
{
    struct serve_client *client = session->user;
    client->done = true;
    log_end(client, "complete");
    (void)skua_conn_close(session->ep, client->conn);
}

static void on_failed(struct skua_session *session, enum skua_file_abort code, const char *why)
{
    struct serve_client *client = session->user;
    log_end(client, why);
    drop(client, code, why);
}

static const struct skua_session_ops session_ops = {
    .request = on_request,
    .outcome = on_outcome,
    .totals = on_totals,
    .done = on_done,
    .failed = on_failed,
    .gone = on_gone,
};

/* --- connections --- */

/* Whether the key may connect. A list that has changed is read again; where it cannot be, the last
 * good one stays. */
static bool is_allowed(struct serve *serve, const struct skua_key *key)
{
    struct stat st;
    struct skua_key_list list;
    struct skua_why why;
    if (serve->allow_path == NULL) {
        return true;
    }
    if (stat(serve->allow_path, &st) == 0 &&
        (st.st_mtim.tv_sec != serve->allow_stat.st_mtim.tv_sec ||
         st.st_mtim.tv_nsec != serve->allow_stat.st_mtim.tv_nsec ||
         st.st_size != serve->allow_stat.st_size || st.st_ino != serve->allow_stat.st_ino)) {
        if (skua_key_list_load(&list, serve->allow_path, NULL, &why)) {
            skua_key_list_deinit(&serve->allowed);
            serve->allowed = list;
        } else {
            serve_log(serve, "%s; the former list stays in use", why.text);
        }
        serve->allow_stat = st;
    }
    return skua_key_list_has(&serve->allowed, key);
}

/* Accepts the connection and makes its client; false where memory is short. */
static bool take(struct serve *serve, skua_conn conn, const char *peer)
{
    struct skua_endpoint *ep = skua_ev_endpoint(serve->ev);
    struct serve_client *client = calloc(1, sizeof *client);
    if (client == NULL || skua_conn_accept(ep, conn, client) != SKUA_OK) {
        free(client);
        return false;
    }
    client->serve = serve;
    client->conn = conn;
    client->start = ev_now(serve->loop);
    (void)snprintf(client->peer, sizeof client->peer, "%s", peer);
    client->next = serve->first;
    if (client->next != NULL) {
        client->next->prev = client;
    }
    serve->first = client;
    serve->clients++;
    ev_timer_init(&client->request_wait, on_request_wait, REQUEST_WAIT_S, 0.);
    client->request_wait.data = client;
    ev_timer_start(serve->loop, &client->request_wait);
    const struct skua_session_config config = {
        .ops = &session_ops,
        .user = client,
        .ep = ep,
        .conn = conn,
        .pool = serve->pool,
        .buffers = &serve->buffers,
        .server = true,
    };
    if (skua_session_init(&client->session, &config) != SKUA_OK) {
        drop(client, SKUA_FILE_ABORT_INTERNAL, "no exporter");
    }
    return true;
}

enum { PEER_TEXT_LEN = SKUA_KEY_TEXT_LEN + SKUA_ADDR_TEXT_LEN };

/* Who a peer is, for the log. */
static void format_peer(char out[PEER_TEXT_LEN], const struct skua_key *key,
                        const struct skua_path *path)
{
    char key_text[SKUA_KEY_TEXT_LEN];
    char addr_text[SKUA_ADDR_TEXT_LEN];
    skua_key_format(key_text, key);
    skua_addr_format(addr_text, &path->remote);
    (void)snprintf(out, PEER_TEXT_LEN, "%s %s", addr_text, key_text);
}

bool serve_client_allow(void *serve, const struct skua_key *key, const struct skua_path *path)
{
    char peer[PEER_TEXT_LEN];
    if (is_allowed(serve, key)) {
        return true;
    }
    format_peer(peer, key, path);
    serve_log(serve, "%s is not allowed, refused", peer);
    return false;
}

void serve_client_incoming(struct serve *serve, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(serve->ev);
    struct skua_path path = {0};
    char peer[PEER_TEXT_LEN];
    (void)skua_conn_path(ep, event->conn, &path);
    format_peer(peer, &event->key, &path);
    enum skua_code code = SKUA_CODE_NO_ERROR;
    if (serve->clients >= serve->max_clients) {
        serve_log(serve, "%s refused: %zu clients already", peer, serve->clients);
        code = SKUA_CODE_OVERLOAD;
    } else if (!take(serve, event->conn, peer)) {
        code = SKUA_CODE_INTERNAL;
    }
    if (code != SKUA_CODE_NO_ERROR) {
        (void)skua_conn_refuse(ep, event->conn, code);
    }
}

void serve_client_event(struct serve *serve, const struct skua_event *event)
{
    (void)serve;
    struct serve_client *client = event->user;
    if (client != NULL && client->conn != 0) {
        skua_session_on_event(&client->session, event);
    }
}

void serve_client_closed(struct serve *serve, const struct skua_event *event)
{
    (void)serve;
    struct serve_client *client = event->user;
    if (client == NULL || client->conn == 0) {
        return;
    }
    client->conn = 0;
    if (!client->done) {
        char how[700];
        char reason[600];
        (void)skua_name_print(reason, sizeof reason, event->reason, strlen(event->reason));
        (void)snprintf(how, sizeof how, "%s%s%s",
                       event->error == SKUA_OK ? "closed by the client"
                                               : skua_strerror(event->error),
                       reason[0] != '\0' ? ": " : "", reason);
        log_end(client, how);
    }
    ev_timer_stop(client->serve->loop, &client->request_wait);
    skua_session_stop(&client->session);
}

void serve_client_stop_all(struct serve *serve)
{
    for (struct serve_client *client = serve->first; client != NULL; client = client->next) {
        if (client->conn != 0 && !client->done) {
            log_end(client, "the server stops");
        }
        drop(client, SKUA_FILE_ABORT_INTERRUPTED, "the server stops");
    }
}
