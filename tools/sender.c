/* The sending half of a session (sender.h). */
#include "sender.h"

#include <stdlib.h>
#include <string.h>

#include "pending.h"
#include "source.h"

enum {
    LANES = 4,
    BUFFERS_PER_JOB = 4, /* filled by one job: 1 MiB between two turns of the loop */
    READY_MAX = 8,       /* buffers of a lane that wait for the stream */
    PENDING_MAX = 32768  /* files without a verdict */
};

/* A data stream and what fills it. */
struct lane {
    struct skua_job job; /* fills `filling` */
    struct skua_sender *sender;
    struct skua_source *source;
    skua_stream stream; /* 0 = not opened yet */
    bool busy;          /* the job is under way */
    bool exhausted;     /* the source has nothing left; the job's while it is under way */
    bool finished;      /* the stream's end is sent */
    struct skua_buffer *filling[BUFFERS_PER_JOB];
    size_t filling_count;
    struct skua_outcomes outcomes;  /* of what the job wrote */
    struct skua_buffer_queue ready; /* filled, not lent */
    struct skua_buffer_queue lent;  /* not acknowledged */
    uint64_t offset;                /* bytes lent */
    uint64_t acked;                 /* of these acknowledged */
};

/* Counts beforehand how much there is. */
struct measure {
    struct skua_job job;
    struct skua_sender *sender;
    struct skua_walk_config config;
    struct skua_file_totals totals;
};

struct skua_sender {
    struct skua_session *session;
    struct skua_walk *walk;
    char **roots; /* copies, for `measure` */
    size_t root_count;
    struct lane lanes[LANES];
    struct measure measure;
    struct skua_pending pending; /* files and links without a verdict, directories too */
    size_t dirs_pending;         /* of these directories: their verdict comes at the end */
    uint64_t verdicts;           /* received */
    uint64_t notices;            /* entries that will get none */
    uint64_t bytes;              /* of the files sent */
    uint16_t streams;            /* opened */
    bool sent;                   /* SENT is out */
};

static void run_fill(struct skua_job *job);
static void done_fill(struct skua_job *job);

/* --- life --- */

static bool copy_roots(struct skua_sender *sender, const char *const *roots, size_t count)
{
    sender->roots = calloc(count, sizeof *sender->roots);
    for (size_t i = 0; sender->roots != NULL && i < count; i++) {
        sender->roots[i] = strdup(roots[i]);
        if (sender->roots[i] == NULL) {
            return false;
        }
        sender->root_count++;
    }
    return sender->roots != NULL;
}

static bool init_lanes(struct skua_sender *sender, bool checksum)
{
    for (size_t i = 0; i < LANES; i++) {
        struct lane *lane = &sender->lanes[i];
        lane->sender = sender;
        lane->job.run = run_fill;
        lane->job.done = done_fill;
        lane->source = skua_source_new(sender->walk, &sender->session->key, checksum);
        if (lane->source == NULL) {
            return false;
        }
    }
    return true;
}

struct skua_sender *skua_sender_new(struct skua_session *session, const struct skua_store *store,
                                    const char *const *roots, size_t count, unsigned flags)
{
    struct skua_sender *sender = calloc(1, sizeof *sender);
    if (sender == NULL) {
        return NULL;
    }
    sender->session = session;
    if (!copy_roots(sender, roots, count)) {
        skua_sender_free(sender);
        return NULL;
    }
    sender->measure.sender = sender;
    sender->measure.config = (struct skua_walk_config){
        .store = store,
        .roots = (const char *const *)sender->roots,
        .count = count,
        .recursive = (flags & SKUA_FILE_RECURSIVE) != 0,
        .links = (flags & SKUA_FILE_LINKS) != 0,
    };
    sender->walk = skua_walk_new(&sender->measure.config);
    if (sender->walk == NULL || !init_lanes(sender, (flags & SKUA_FILE_CHECKSUM) != 0)) {
        skua_sender_free(sender);
        return NULL;
    }
    return sender;
}

static void free_lane(struct skua_session *session, struct lane *lane)
{
    skua_source_free(lane->source);
    skua_outcomes_deinit(&lane->outcomes);
    for (size_t i = 0; i < lane->filling_count; i++) {
        skua_buffers_put(session->buffers, lane->filling[i]);
    }
    session->held -= lane->filling_count;
    session->held -= skua_buffer_queue_clear(&lane->ready, session->buffers);
    session->held -= skua_buffer_queue_clear(&lane->lent, session->buffers);
}

void skua_sender_free(struct skua_sender *sender)
{
    if (sender == NULL) {
        return;
    }
    for (size_t i = 0; i < LANES; i++) {
        free_lane(sender->session, &sender->lanes[i]);
    }
    skua_walk_free(sender->walk);
    for (size_t i = 0; i < sender->root_count; i++) {
        free(sender->roots[i]);
    }
    free(sender->roots);
    skua_pending_deinit(&sender->pending);
    free(sender);
}

void skua_sender_cancel(struct skua_sender *sender)
{
    skua_walk_stop(sender->walk);
}

/* --- filling, on a worker --- */

static void run_fill(struct skua_job *job)
{
    struct lane *lane = (struct lane *)job;
    for (size_t i = 0; i < lane->filling_count; i++) {
        struct skua_buffer *buffer = lane->filling[i];
        buffer->len = 0;
        if (lane->exhausted || atomic_load(&lane->sender->session->cancel)) {
            continue;
        }
        lane->exhausted = !skua_source_fill(lane->source, buffer->data, SKUA_BUFFER_CAP,
                                            &buffer->len, &lane->outcomes);
    }
}

/* --- sending, on the loop --- */

/* Whether a worker should fill more for this lane. */
static bool wants_more(const struct lane *lane)
{
    const struct skua_sender *sender = lane->sender;
    return !lane->busy && !lane->exhausted && lane->ready.count < READY_MAX &&
           sender->pending.count - sender->dirs_pending < PENDING_MAX;
}

static void submit_fill(struct lane *lane)
{
    struct skua_session *session = lane->sender->session;
    lane->filling_count = 0;
    while (lane->filling_count < BUFFERS_PER_JOB) {
        struct skua_buffer *buffer = skua_buffers_get(session->buffers, session->held);
        if (buffer == NULL) {
            break;
        }
        session->held++;
        lane->filling[lane->filling_count++] = buffer;
    }
    if (lane->filling_count > 0) {
        lane->busy = true;
        skua_session_submit(session, &lane->job);
    }
}

/* Lends what is ready. False where the stream is gone. */
static bool lend_ready(struct lane *lane)
{
    struct skua_session *session = lane->sender->session;
    if (lane->stream == 0 && lane->ready.first != NULL) {
        const enum skua_err err =
            skua_stream_open(session->ep, session->conn, SKUA_STREAM_UNI, &lane->stream);
        if (err != SKUA_OK) {
            lane->stream = 0;
            return err == SKUA_EAGAIN;
        }
        lane->sender->streams++;
    }
    while (lane->ready.first != NULL) {
        struct skua_buffer *buffer = lane->ready.first;
        const enum skua_err err =
            skua_stream_lend(session->ep, lane->stream, buffer->data, buffer->len);
        if (err != SKUA_OK) {
            return err == SKUA_EAGAIN;
        }
        (void)skua_buffer_queue_shift(&lane->ready);
        lane->offset += buffer->len;
        buffer->end = lane->offset;
        skua_buffer_queue_push(&lane->lent, buffer);
    }
    return true;
}

/* The last lane has ended: says how much there was. */
static void send_sent(struct skua_sender *sender)
{
    struct skua_session *session = sender->session;
    const struct skua_file_totals totals = {
        .entries = skua_walk_count(sender->walk),
        .bytes = sender->bytes,
        .streams = sender->streams,
    };
    uint8_t record[64];
    const size_t len = skua_file_put_sent(record, sizeof record, &totals);
    sender->sent = true;
    session->progress.all_sent = true;
    session->ops->totals(session, &totals);
    if (!skua_file_control_send(&session->control, record, len)) {
        skua_session_broke_off(session, SKUA_FILE_ABORT_INTERNAL, "control stream broken off");
    }
}

static bool pump_lane(struct lane *lane)
{
    if (!lend_ready(lane)) {
        return false;
    }
    if (wants_more(lane)) {
        submit_fill(lane);
    }
    if (!lane->busy && lane->exhausted && lane->ready.first == NULL && !lane->finished) {
        lane->finished = true;
        return lane->stream == 0 ||
               skua_stream_finish(lane->sender->session->ep, lane->stream) == SKUA_OK;
    }
    return true;
}

void skua_sender_pump(struct skua_sender *sender)
{
    bool finished = true;
    for (size_t i = 0; i < LANES; i++) {
        struct lane *lane = &sender->lanes[i];
        if (!pump_lane(lane)) {
            skua_session_broke_off(sender->session, SKUA_FILE_ABORT_PROTOCOL,
                                   "a data stream broke off");
            return;
        }
        finished = finished && lane->finished;
    }
    if (finished && !sender->sent) {
        send_sent(sender);
    }
}

/* Takes in what a job says of the entries in its buffers. */
static bool take_outcomes(struct lane *lane)
{
    struct skua_sender *sender = lane->sender;
    struct skua_session *session = sender->session;
    for (size_t i = 0; i < lane->outcomes.count; i++) {
        struct skua_outcome *outcome = &lane->outcomes.list[i];
        if (outcome->type == SKUA_FILE_NOTICE) {
            sender->notices++;
            skua_session_outcome(session, outcome, true);
            continue;
        }
        if (!session->keep_names) {
            free(outcome->path);
            outcome->path = NULL;
        }
        const size_t before = sender->pending.count;
        if (!skua_pending_add(&sender->pending, outcome)) {
            return false;
        }
        const bool fresh = sender->pending.count > before;
        sender->dirs_pending += fresh && outcome->type == SKUA_FILE_DIR ? 1 : 0;
        sender->bytes += fresh ? outcome->size : 0;
    }
    const bool complete = !lane->outcomes.failed;
    skua_outcomes_clear(&lane->outcomes);
    return complete;
}

static void done_fill(struct skua_job *job)
{
    struct lane *lane = (struct lane *)job;
    struct skua_sender *sender = lane->sender;
    struct skua_session *session = sender->session;
    lane->busy = false;
    if (!skua_session_job_done(session)) {
        return;
    }
    for (size_t i = 0; i < lane->filling_count; i++) {
        struct skua_buffer *buffer = lane->filling[i];
        if (buffer->len > 0) {
            skua_buffer_queue_push(&lane->ready, buffer);
        } else {
            skua_buffers_put(session->buffers, buffer);
            session->held--;
        }
    }
    lane->filling_count = 0;
    if (!take_outcomes(lane)) {
        skua_session_fail(session, SKUA_FILE_ABORT_INTERNAL, "out of memory");
        return;
    }
    skua_sender_pump(sender);
}

void skua_sender_on_acked(struct skua_sender *sender, skua_stream stream, uint64_t offset)
{
    struct skua_session *session = sender->session;
    for (size_t i = 0; i < LANES; i++) {
        struct lane *lane = &sender->lanes[i];
        if (lane->stream != stream) {
            continue;
        }
        session->progress.bytes += offset - lane->acked;
        lane->acked = offset;
        while (lane->lent.first != NULL && lane->lent.first->end <= offset) {
            skua_buffers_put(session->buffers, skua_buffer_queue_shift(&lane->lent));
            session->held--;
        }
    }
    skua_sender_pump(sender);
}

/* --- how much there is --- */

static void run_measure(struct skua_job *job)
{
    struct measure *measure = (struct measure *)job;
    skua_walk_measure(&measure->config, &measure->sender->session->cancel, &measure->totals);
}

static void done_measure(struct skua_job *job)
{
    struct measure *measure = (struct measure *)job;
    struct skua_session *session = measure->sender->session;
    uint8_t record[64];
    if (!skua_session_job_done(session) || measure->sender->sent) {
        return;
    }
    session->ops->totals(session, &measure->totals);
    const size_t len = skua_file_put_totals(record, sizeof record, &measure->totals);
    if (!skua_file_control_send(&session->control, record, len)) {
        skua_session_broke_off(session, SKUA_FILE_ABORT_INTERNAL, "control stream broken off");
    }
}

void skua_sender_start(struct skua_sender *sender)
{
    skua_sender_pump(sender);
    sender->measure.job.run = run_measure;
    sender->measure.job.done = done_measure;
    skua_session_submit(sender->session, &sender->measure.job);
}

/* --- verdicts --- */

bool skua_sender_on_verdicts(struct skua_sender *sender, const uint8_t *body, size_t len)
{
    size_t count = 0;
    if (!skua_file_get_verdicts(body, len, &count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct skua_file_verdict verdict = {0};
        struct skua_outcome outcome;
        if (!skua_file_get_verdict(body, i, &verdict) ||
            !skua_pending_take(&sender->pending, verdict.id, &outcome)) {
            return false;
        }
        sender->verdicts++;
        sender->dirs_pending -= outcome.type == SKUA_FILE_DIR ? 1 : 0;
        /* What this side already knew to have failed stays its own finding. */
        const bool here = outcome.status != SKUA_STATUS_OK;
        outcome.status = here ? outcome.status : verdict.status;
        skua_session_outcome(sender->session, &outcome, here);
        free(outcome.path);
    }
    skua_sender_pump(sender);
    return true;
}

bool skua_sender_on_done(struct skua_sender *sender, const uint8_t *body, size_t len)
{
    struct skua_file_done done;
    if (!skua_file_get_done(body, len, &done) || !sender->sent || sender->pending.count > 0 ||
        done.stored + done.failed != sender->verdicts) {
        return false;
    }
    skua_session_finish(sender->session);
    sender->session->ops->done(sender->session);
    return true;
}
