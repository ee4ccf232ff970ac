/* One request over one connection (session.h): the control stream, and who gets which event. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "receiver.h"
#include "sender.h"

/* Of the control stream; those of data have the default, 3. */
enum { CONTROL_URGENCY = 1 };

enum skua_err skua_session_init(struct skua_session *session,
                                const struct skua_session_config *config)
{
    *session = (struct skua_session){
        .ops = config->ops,
        .user = config->user,
        .ep = config->ep,
        .conn = config->conn,
        .pool = config->pool,
        .buffers = config->buffers,
        .server = config->server,
        .keep_names = config->keep_names,
    };
    atomic_init(&session->cancel, false);
    skua_file_control_init(&session->control, config->ep);
    session->buffers->users++;
    return skua_conn_export(config->ep, config->conn, SKUA_FILE_EXPORT_LABEL, session->key.bytes,
                            sizeof session->key.bytes);
}

/* Everything that workers could use is unused now. */
static void clean_up(struct skua_session *session)
{
    skua_sender_free(session->sender);
    skua_receiver_free(session->receiver);
    session->sender = NULL;
    session->receiver = NULL;
    skua_file_control_deinit(&session->control);
    sodium_memzero(&session->key, sizeof session->key);
    session->buffers->users--;
    session->ops->gone(session);
}

void skua_session_submit(struct skua_session *session, struct skua_job *job)
{
    session->jobs++;
    skua_pool_submit(session->pool, job);
}

bool skua_session_job_done(struct skua_session *session)
{
    session->jobs--;
    if (!session->stopping) {
        return true;
    }
    if (session->jobs == 0) {
        clean_up(session);
    }
    return false;
}

static void run_last(struct skua_job *job)
{
    (void)job;
}

static void done_last(struct skua_job *job)
{
    struct skua_session *session = (void *)((char *)job - offsetof(struct skua_session, last));
    (void)skua_session_job_done(session);
}

void skua_session_stop(struct skua_session *session)
{
    if (session->stopping) {
        return;
    }
    session->stopping = true;
    atomic_store(&session->cancel, true);
    if (session->sender != NULL) {
        skua_sender_cancel(session->sender);
    }
    /* Whoever calls may be deep inside the session: it is taken down from the loop, by way of a job
     * that does nothing. */
    session->last = (struct skua_job){.run = run_last, .done = done_last, .user = session};
    skua_session_submit(session, &session->last);
}

void skua_session_fail(struct skua_session *session, enum skua_file_abort code, const char *why)
{
    if (!session->stopping && !session->finished) {
        session->ops->failed(session, code, why);
    }
}

void skua_session_broke_off(struct skua_session *session, enum skua_file_abort code,
                            const char *why)
{
    enum skua_state state;
    const enum skua_err err = skua_conn_state(session->ep, session->conn, &state);
    if (err == SKUA_OK && state != SKUA_STATE_CLOSED) {
        skua_session_fail(session, code, why);
    }
}

void skua_session_finish(struct skua_session *session)
{
    session->finished = true;
}

void skua_session_outcome(struct skua_session *session, const struct skua_outcome *outcome,
                          bool here)
{
    session->progress.entries++;
    if (outcome->status == SKUA_STATUS_OK) {
        session->progress.stored++;
    } else if (!skua_outcome_is_skip(outcome)) {
        session->progress.failed++;
    }
    session->ops->outcome(session, outcome, here);
}

/* `stream` is the control stream: what it says does not wait behind megabytes of files. Without
 * memory for that it takes turns with them. */
static void take_control(struct skua_session *session, skua_stream stream)
{
    session->control.stream = stream;
    (void)skua_stream_set_priority(session->ep, stream, CONTROL_URGENCY, true);
}

bool skua_session_request(struct skua_session *session, const struct skua_file_request *request)
{
    skua_stream stream;
    if (skua_stream_open(session->ep, session->conn, SKUA_STREAM_BIDI, &stream) != SKUA_OK) {
        return false;
    }
    take_control(session, stream);
    uint8_t *record = malloc(SKUA_FILE_CONTROL_MAX + SKUA_FILE_HEAD_LEN);
    if (record == NULL) {
        return false;
    }
    const size_t len =
        skua_file_put_request(record, SKUA_FILE_CONTROL_MAX + SKUA_FILE_HEAD_LEN, request);
    const bool ok = len > 0 && skua_file_control_send(&session->control, record, len);
    free(record);
    return ok;
}

bool skua_session_reply(struct skua_session *session, enum skua_file_status status)
{
    const struct skua_file_reply reply = {.version = SKUA_FILE_VERSION, .status = status};
    uint8_t record[32];
    const size_t len = skua_file_put_reply(record, sizeof record, &reply);
    return skua_file_control_send(&session->control, record, len);
}

bool skua_session_send(struct skua_session *session, const struct skua_store *store,
                       const char *const *roots, size_t count, unsigned flags)
{
    session->sender = skua_sender_new(session, store, roots, count, flags);
    if (session->sender == NULL) {
        return false;
    }
    skua_sender_start(session->sender);
    return true;
}

bool skua_session_receive(struct skua_session *session, struct skua_store *store,
                          const char *const *targets, size_t count, unsigned flags)
{
    session->receiver = skua_receiver_new(session, store, targets, count, flags);
    for (size_t i = 0; session->receiver != NULL && i < session->early_count; i++) {
        if (!skua_receiver_add(session->receiver, session->early[i])) {
            return false;
        }
    }
    session->early_count = 0;
    return session->receiver != NULL &&
           (!session->early_sent || skua_receiver_on_sent(session->receiver, &session->sent));
}

/* --- records of the control stream --- */

static bool on_request(struct skua_session *session, const uint8_t *body, size_t len)
{
    struct skua_file_request *request = malloc(sizeof *request);
    const bool good = request != NULL && session->server && !session->requested &&
                      skua_file_get_request(body, len, request);
    if (good) {
        session->requested = true;
        session->ops->request(session, request);
    }
    free(request);
    return good;
}

static bool on_reply(struct skua_session *session, const uint8_t *body, size_t len)
{
    struct skua_file_reply reply;
    if (session->server || !skua_file_get_reply(body, len, &reply)) {
        return false;
    }
    session->ops->reply(session, reply.status);
    return true;
}

/* Whether this side receives, or will as soon as it knows where things go. */
static bool is_receiving(const struct skua_session *session)
{
    return session->sender == NULL && (session->receiver != NULL || session->requested);
}

static bool on_totals(struct skua_session *session, const uint8_t *body, size_t len)
{
    struct skua_file_totals totals;
    if (!is_receiving(session) || !skua_file_get_totals(body, len, &totals)) {
        return false;
    }
    session->ops->totals(session, &totals);
    return true;
}

static bool on_sent(struct skua_session *session, const uint8_t *body, size_t len)
{
    struct skua_file_totals sent;
    if (!is_receiving(session) || session->progress.all_sent ||
        !skua_file_get_sent(body, len, &sent)) {
        return false;
    }
    session->progress.all_sent = true;
    session->ops->totals(session, &sent);
    if (session->receiver != NULL) {
        return skua_receiver_on_sent(session->receiver, &sent);
    }
    session->early_sent = true;
    session->sent = sent;
    return true;
}

static bool dispatch(struct skua_session *session, enum skua_file_record type, const uint8_t *body,
                     size_t len)
{
    switch (type) {
    case SKUA_FILE_REQUEST:
        return on_request(session, body, len);
    case SKUA_FILE_REPLY:
        return on_reply(session, body, len);
    case SKUA_FILE_TOTALS:
        return on_totals(session, body, len);
    case SKUA_FILE_SENT:
        return on_sent(session, body, len);
    case SKUA_FILE_VERDICTS:
        return session->sender != NULL && skua_sender_on_verdicts(session->sender, body, len);
    case SKUA_FILE_DONE:
        return session->sender != NULL && skua_sender_on_done(session->sender, body, len);
    case SKUA_FILE_FILE:
    case SKUA_FILE_DIR:
    case SKUA_FILE_LINK:
    case SKUA_FILE_CHUNK:
    case SKUA_FILE_HOLE:
    case SKUA_FILE_END:
    case SKUA_FILE_ABORT:
    case SKUA_FILE_NOTICE:
        break;
    }
    return false;
}

static bool on_record(void *user, enum skua_file_record type, const uint8_t *body, size_t len)
{
    struct skua_session *session = user;
    const bool good = dispatch(session, type, body, len);
    if (!good) {
        skua_session_fail(session, SKUA_FILE_ABORT_PROTOCOL, "malformed or unexpected record");
    }
    return good && !session->stopping && !session->finished;
}

/* --- events --- */

/* The peer opened a stream: its first bidirectional one is the control stream, unidirectional ones
 * carry data. */
static void on_stream(struct skua_session *session, skua_stream stream)
{
    struct skua_stream_info info;
    if (skua_stream_info(session->ep, stream, &info) != SKUA_OK) {
        return;
    }
    const bool uni = (info.id & 2) != 0;
    bool good = false;
    if (!uni && session->server && session->control.stream == 0) {
        take_control(session, stream);
        good = true;
    } else if (uni && session->receiver != NULL) {
        good = skua_receiver_add(session->receiver, stream);
    } else if (uni && session->sender == NULL && session->early_count < SKUA_FILE_STREAMS_MAX) {
        session->early[session->early_count++] = stream;
        good = true;
    }
    if (!good) {
        skua_session_fail(session, SKUA_FILE_ABORT_PROTOCOL, "a stream that has no place");
    }
}

static void on_readable(struct skua_session *session, skua_stream stream)
{
    if (stream != session->control.stream) {
        if (session->receiver != NULL) {
            skua_receiver_on_readable(session->receiver, stream);
        }
        return;
    }
    if (!skua_file_control_read(&session->control, on_record, session)) {
        skua_session_broke_off(session, SKUA_FILE_ABORT_PROTOCOL, "control stream broken off");
    }
}

static void on_writable(struct skua_session *session, skua_stream stream)
{
    if (stream == session->control.stream) {
        if (!skua_file_control_flush(&session->control)) {
            skua_session_broke_off(session, SKUA_FILE_ABORT_PROTOCOL, "control stream broken off");
        } else if (session->receiver != NULL) {
            skua_receiver_pump(session->receiver);
        }
    } else if (session->sender != NULL) {
        skua_sender_pump(session->sender);
    }
}

void skua_session_on_event(struct skua_session *session, const struct skua_event *event)
{
    if (session->stopping || session->finished) {
        return;
    }
    switch (event->type) {
    case SKUA_EVENT_STREAM:
        on_stream(session, event->stream);
        break;
    case SKUA_EVENT_READABLE:
        on_readable(session, event->stream);
        break;
    case SKUA_EVENT_WRITABLE:
        on_writable(session, event->stream);
        break;
    case SKUA_EVENT_ACKED:
        if (session->sender != NULL && event->stream != session->control.stream) {
            skua_sender_on_acked(session->sender, event->stream, event->offset);
        }
        break;
    case SKUA_EVENT_STREAMS:
        if (session->sender != NULL) {
            skua_sender_pump(session->sender);
        }
        break;
    case SKUA_EVENT_STOPPED:
        skua_session_fail(session, SKUA_FILE_ABORT_PROTOCOL, "a stream was stopped");
        break;
    case SKUA_EVENT_DATAGRAM:
    case SKUA_EVENT_TOKEN:
    case SKUA_EVENT_DATAGRAM_ROOM:
    case SKUA_EVENT_NONE:
    case SKUA_EVENT_INCOMING:
    case SKUA_EVENT_ESTABLISHED:
    case SKUA_EVENT_FINISHED:
    case SKUA_EVENT_CONSUMED:
    case SKUA_EVENT_DISCARDED:
    case SKUA_EVENT_DELIVERED:
    case SKUA_EVENT_PATH:
    case SKUA_EVENT_CLOSED:
    case SKUA_EVENT_TYPES:
        break;
    }
}
