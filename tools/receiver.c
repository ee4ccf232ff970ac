/* The receiving half of a session (receiver.h). */
#include "receiver.h"

#include <stdlib.h>
#include <string.h>

#include "sink.h"

/* Held at a time, 8 MiB: a disk that is behind is not helped by more. */
enum { BUFFERS_MAX = 32 };

/* A data stream and what stores its files. */
struct inlet {
    struct skua_job job; /* feeds `storing` to the sink */
    struct skua_receiver *receiver;
    struct skua_sink *sink;
    skua_stream stream;
    bool busy;                   /* the job is under way */
    bool ended;                  /* the stream's end was read */
    bool ending;                 /* the job under way is the last */
    bool closed;                 /* the sink has seen the end */
    bool bad;                    /* the sink refused the bytes */
    struct skua_buffer *filling; /* or NULL */
    struct skua_buffer_queue full;
    struct skua_buffer_queue storing;
    struct skua_outcomes outcomes; /* of what the job stored */
};

/* Gives directories their times when everything is there. */
struct finish {
    struct skua_job job;
    struct skua_receiver *receiver;
    struct skua_outcomes outcomes;
};

struct skua_receiver {
    struct skua_session *session;
    struct skua_intake *intake;
    struct inlet inlets[SKUA_FILE_STREAMS_MAX];
    size_t count;  /* of inlets */
    size_t closed; /* of these */
    bool sent_known;
    struct skua_file_totals sent;
    struct skua_file_done done; /* verdicts given */
    struct finish finish;
    bool finishing;
};

static void run_store(struct skua_job *job);
static void done_store(struct skua_job *job);
static void run_finish(struct skua_job *job);
static void done_finish(struct skua_job *job);

struct skua_receiver *skua_receiver_new(struct skua_session *session, struct skua_store *store,
                                        const char *const *targets, size_t count, unsigned flags)
{
    struct skua_receiver *receiver = calloc(1, sizeof *receiver);
    if (receiver == NULL) {
        return NULL;
    }
    struct skua_intake_config config = {
        .store = store,
        .targets = targets,
        .count = count,
        .key = session->key,
        .recursive = (flags & SKUA_FILE_RECURSIVE) != 0,
        .links = (flags & SKUA_FILE_LINKS) != 0,
        .checksum = (flags & SKUA_FILE_CHECKSUM) != 0,
        .sync = (flags & SKUA_FILE_FSYNC) != 0,
    };
    receiver->session = session;
    receiver->finish.receiver = receiver;
    receiver->finish.job.run = run_finish;
    receiver->finish.job.done = done_finish;
    receiver->intake = skua_intake_new(&config);
    sodium_memzero(&config.key, sizeof config.key);
    if (receiver->intake == NULL) {
        free(receiver);
        return NULL;
    }
    return receiver;
}

static void free_inlet(struct skua_session *session, struct inlet *inlet)
{
    skua_sink_free(inlet->sink);
    skua_outcomes_deinit(&inlet->outcomes);
    if (inlet->filling != NULL) {
        skua_buffers_put(session->buffers, inlet->filling);
        session->held--;
    }
    session->held -= skua_buffer_queue_clear(&inlet->full, session->buffers);
    session->held -= skua_buffer_queue_clear(&inlet->storing, session->buffers);
}

void skua_receiver_free(struct skua_receiver *receiver)
{
    if (receiver == NULL) {
        return;
    }
    for (size_t i = 0; i < receiver->count; i++) {
        free_inlet(receiver->session, &receiver->inlets[i]);
    }
    skua_outcomes_deinit(&receiver->finish.outcomes);
    skua_intake_free(receiver->intake);
    free(receiver);
}

/* --- verdicts --- */

/* Reports outcomes and sends the verdicts among them. False where memory is short. */
static bool give_verdicts(struct skua_receiver *receiver, struct skua_outcomes *outcomes)
{
    struct skua_session *session = receiver->session;
    struct skua_file_verdict verdicts[SKUA_FILE_VERDICTS_PER_RECORD];
    uint8_t record[SKUA_FILE_HEAD_LEN + 16 * SKUA_FILE_VERDICTS_PER_RECORD];
    size_t count = 0;
    bool ok = !outcomes->failed;
    for (size_t i = 0; ok && i < outcomes->count; i++) {
        const struct skua_outcome *outcome = &outcomes->list[i];
        const bool notice = outcome->type == SKUA_FILE_NOTICE;
        if (!notice) {
            verdicts[count++] =
                (struct skua_file_verdict){.id = outcome->id, .status = outcome->status};
            receiver->done.stored += outcome->status == SKUA_STATUS_OK ? 1 : 0;
            receiver->done.failed += outcome->status == SKUA_STATUS_OK ? 0 : 1;
        }
        if (count > 0 && (count == SKUA_FILE_VERDICTS_PER_RECORD || i + 1 == outcomes->count)) {
            const size_t len = skua_file_put_verdicts(record, sizeof record, verdicts, count);
            ok = skua_file_control_send(&session->control, record, len);
            count = 0;
        }
        skua_session_outcome(session, outcome, !notice);
    }
    skua_outcomes_clear(outcomes);
    return ok;
}

/* --- storing, on a worker --- */

static void run_store(struct skua_job *job)
{
    struct inlet *inlet = (struct inlet *)job;
    const struct skua_buffer *buffer = inlet->storing.first;
    while (buffer != NULL && !inlet->bad && !atomic_load(&inlet->receiver->session->cancel)) {
        inlet->bad = !skua_sink_take(inlet->sink, buffer->data, buffer->len, &inlet->outcomes);
        buffer = buffer->next;
    }
    if (inlet->ending && !inlet->bad) {
        inlet->bad = !skua_sink_end(inlet->sink);
    }
}

/* --- reading, on the loop --- */

/* Copies what the stream has into `inlet->filling`; false where it has nothing more now. */
static bool take_some(struct inlet *inlet, bool *broken)
{
    struct skua_session *session = inlet->receiver->session;
    struct skua_vec pieces[16];
    size_t count = sizeof pieces / sizeof pieces[0];
    const enum skua_err err = skua_stream_peek(session->ep, inlet->stream, pieces, &count);
    if (err != SKUA_OK) {
        inlet->ended = err == SKUA_EOF;
        *broken = err != SKUA_EOF && err != SKUA_EAGAIN;
        return false;
    }
    struct skua_buffer *buffer = inlet->filling;
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t room = SKUA_BUFFER_CAP - buffer->len;
        const size_t len = pieces[i].len < room ? pieces[i].len : room;
        memcpy(buffer->data + buffer->len, pieces[i].data, len);
        buffer->len += len;
        taken += len;
    }
    session->progress.bytes += taken;
    *broken = skua_stream_consume(session->ep, inlet->stream, taken) != SKUA_OK;
    if (buffer->len == SKUA_BUFFER_CAP) {
        skua_buffer_queue_push(&inlet->full, buffer);
        inlet->filling = NULL;
    }
    return taken > 0 && !*broken;
}

/* Reads as far as there are buffers. False where the stream broke off. */
static bool drain_stream(struct inlet *inlet)
{
    struct skua_session *session = inlet->receiver->session;
    bool broken = false;
    bool more = !inlet->ended;
    while (more && skua_file_control_queued(&session->control) < SKUA_FILE_CONTROL_QUEUE_HIGH) {
        if (inlet->filling == NULL) {
            if (session->held < BUFFERS_MAX) {
                inlet->filling = skua_buffers_get(session->buffers, session->held);
            }
            if (inlet->filling == NULL) {
                break;
            }
            session->held++;
        }
        more = take_some(inlet, &broken);
    }
    if (inlet->filling != NULL && inlet->filling->len == 0) {
        /* An idle stream keeps no buffer that another may be waiting for. */
        skua_buffers_put(session->buffers, inlet->filling);
        session->held--;
        inlet->filling = NULL;
    }
    return !broken;
}

/* Hands what was read to a worker. */
static void submit_store(struct inlet *inlet)
{
    if (inlet->busy || inlet->closed) {
        return;
    }
    if (inlet->filling != NULL && inlet->filling->len > 0) {
        skua_buffer_queue_push(&inlet->full, inlet->filling);
        inlet->filling = NULL;
    }
    if (inlet->full.first == NULL && !inlet->ended) {
        return;
    }
    inlet->storing = inlet->full;
    inlet->full = (struct skua_buffer_queue){0};
    inlet->ending = inlet->ended;
    inlet->busy = true;
    skua_session_submit(inlet->receiver->session, &inlet->job);
}

static void pump_inlet(struct inlet *inlet)
{
    if (!drain_stream(inlet)) {
        skua_session_broke_off(inlet->receiver->session, SKUA_FILE_ABORT_PROTOCOL,
                               "a data stream broke off");
        return;
    }
    submit_store(inlet);
}

void skua_receiver_pump(struct skua_receiver *receiver)
{
    for (size_t i = 0; i < receiver->count && !receiver->session->stopping; i++) {
        pump_inlet(&receiver->inlets[i]);
    }
}

/* When all streams are stored: directories get their times. */
static void finish_if_complete(struct skua_receiver *receiver)
{
    struct skua_session *session = receiver->session;
    if (!receiver->sent_known || receiver->closed < receiver->sent.streams || receiver->finishing) {
        return;
    }
    uint64_t entries = 0;
    for (size_t i = 0; i < receiver->count; i++) {
        entries += skua_sink_entries(receiver->inlets[i].sink);
    }
    if (receiver->closed != receiver->sent.streams || entries != receiver->sent.entries) {
        skua_session_fail(session, SKUA_FILE_ABORT_PROTOCOL, "the numbers of entries differ");
        return;
    }
    if (!skua_intake_is_complete(receiver->intake)) {
        skua_session_fail(session, SKUA_FILE_ABORT_PROTOCOL,
                          "nothing came of something that was asked for");
        return;
    }
    receiver->finishing = true;
    skua_session_submit(session, &receiver->finish.job);
}

static void done_store(struct skua_job *job)
{
    struct inlet *inlet = (struct inlet *)job;
    struct skua_receiver *receiver = inlet->receiver;
    struct skua_session *session = receiver->session;
    inlet->busy = false;
    if (!skua_session_job_done(session)) {
        return;
    }
    session->held -= skua_buffer_queue_clear(&inlet->storing, session->buffers);
    if (inlet->bad) {
        skua_session_fail(session, SKUA_FILE_ABORT_PROTOCOL, "malformed data stream");
        return;
    }
    if (!give_verdicts(receiver, &inlet->outcomes)) {
        skua_session_broke_off(session, SKUA_FILE_ABORT_INTERNAL, "out of memory");
        return;
    }
    if (inlet->ending) {
        inlet->closed = true;
        receiver->closed++;
        (void)skua_stream_close(session->ep, inlet->stream);
    }
    /* Buffers came back: any stream may have waited for one. */
    skua_receiver_pump(receiver);
    if (!session->stopping) {
        finish_if_complete(receiver);
    }
}

bool skua_receiver_add(struct skua_receiver *receiver, skua_stream stream)
{
    if (receiver->count == SKUA_FILE_STREAMS_MAX) {
        return false;
    }
    struct inlet *inlet = &receiver->inlets[receiver->count];
    *inlet = (struct inlet){.receiver = receiver, .stream = stream};
    inlet->job.run = run_store;
    inlet->job.done = done_store;
    inlet->sink = skua_sink_new(receiver->intake);
    if (inlet->sink == NULL) {
        return false;
    }
    receiver->count++;
    pump_inlet(inlet);
    return true;
}

void skua_receiver_on_readable(struct skua_receiver *receiver, skua_stream stream)
{
    for (size_t i = 0; i < receiver->count; i++) {
        if (receiver->inlets[i].stream == stream && !receiver->inlets[i].closed) {
            pump_inlet(&receiver->inlets[i]);
            return;
        }
    }
}

bool skua_receiver_on_sent(struct skua_receiver *receiver, const struct skua_file_totals *sent)
{
    if (receiver->sent_known) {
        return false;
    }
    receiver->sent_known = true;
    receiver->sent = *sent;
    finish_if_complete(receiver);
    return true;
}

/* --- the end --- */

static void run_finish(struct skua_job *job)
{
    struct finish *finish = (struct finish *)job;
    skua_intake_finish(finish->receiver->intake, &finish->outcomes);
}

static void done_finish(struct skua_job *job)
{
    struct finish *finish = (struct finish *)job;
    struct skua_receiver *receiver = finish->receiver;
    struct skua_session *session = receiver->session;
    uint8_t record[64];
    if (!skua_session_job_done(session)) {
        return;
    }
    bool ok = give_verdicts(receiver, &finish->outcomes);
    const size_t len = skua_file_put_done(record, sizeof record, &receiver->done);
    ok = ok && skua_file_control_send(&session->control, record, len);
    if (!ok) {
        skua_session_broke_off(session, SKUA_FILE_ABORT_INTERNAL, "out of memory");
        return;
    }
    skua_session_finish(session);
    session->ops->done(session);
}
