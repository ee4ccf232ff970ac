/* Streams: see app.h. */
#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/time.h"

enum { RESET_CODE = 1000, STOP_CODE = 2000 };

struct sim_loan {
    struct sim_loan *next;
    uint64_t end; /* offset behind its last byte */
    size_t len;
    uint8_t bytes[];
};

/* --- what a stream's bytes are --- */

static uint64_t stream_key(const struct sim_stream *s, bool from_client)
{
    return sim_mix(s->conn->seed ^ s->id * 2 ^ (from_client ? 1 : 0));
}

/* The pattern at `offset`, `len` bytes. */
static void pattern(uint64_t key, uint64_t offset, uint8_t *out, size_t len)
{
    size_t i = 0;
    while (i < len) {
        uint64_t word = sim_mix(key + (offset + i) / 8);
        unsigned at = (unsigned)((offset + i) % 8);
        if (at == 0 && len - i >= 8) {
            for (unsigned k = 0; k < 8; k++) {
                out[i + k] = (uint8_t)(word >> 8 * k);
            }
            i += 8;
        } else {
            out[i++] = (uint8_t)(word >> 8 * at);
        }
    }
}

void sim_stream_pattern(const struct sim_stream *s, uint64_t offset, uint8_t *out, size_t len)
{
    pattern(stream_key(s, s->conn->client), offset, out, len);
}

void sim_stream_check(const struct sim_stream *s, const uint8_t *data, size_t len)
{
    struct sim_world *w = s->conn->app->world;
    uint64_t key = stream_key(s, !s->conn->client);
    uint8_t want[512];
    for (size_t at = 0; at < len; at += sizeof want) {
        size_t n = len - at < sizeof want ? len - at : sizeof want;
        pattern(key, s->read + at, want, n);
        if (memcmp(want, data + at, n) != 0) {
            sim_fail(w, "host %u: stream %llu: wrong bytes near offset %llu", s->conn->host->index,
                     (unsigned long long)s->id, (unsigned long long)(s->read + at));
        }
    }
}

/* --- lent memory --- */

static void release_loans(struct sim_stream *s, uint64_t upto)
{
    struct sim_loan **at = &s->loans;
    while (*at != NULL) {
        struct sim_loan *loan = *at;
        if (loan->end > upto) {
            at = &loan->next;
            continue;
        }
        *at = loan->next;
        memset(loan->bytes, 0xbb, loan->len);
        free(loan);
    }
}

/* The core must not have written to it. */
static void check_loans(const struct sim_stream *s)
{
    uint64_t key = stream_key(s, s->conn->client);
    for (const struct sim_loan *loan = s->loans; loan != NULL; loan = loan->next) {
        uint8_t want[64];
        size_t n = loan->len < sizeof want ? loan->len : sizeof want;
        pattern(key, loan->end - loan->len, want, n);
        SIM_CHECK(s->conn->app->world, memcmp(want, loan->bytes, n) == 0);
    }
}

/* --- work list --- */

void sim_stream_queue(struct sim_stream *s, bool read, bool write)
{
    struct sim_app *app = s->conn->app;
    s->want_read = s->want_read || read;
    s->want_write = s->want_write || write;
    if (!s->queued && !s->conn->over) {
        s->queued = true;
        s->queue = app->work[s->conn->host->index];
        app->work[s->conn->host->index] = s;
        sim_host_wake(s->conn->host, app->world->now);
    }
}

static void read_later(void *arg)
{
    sim_stream_queue(arg, true, false);
}

static void write_later(void *arg)
{
    sim_stream_queue(arg, false, true);
}

/* --- the life of a stream --- */

bool sim_stream_sent(const struct sim_stream *s)
{
    return !s->can_send || s->finished || s->reset || s->refused || s->closed;
}

bool sim_stream_received(const struct sim_stream *s)
{
    return !s->can_recv || s->eof || s->was_reset || s->stopped || s->closed;
}

bool sim_stream_awaits(const struct sim_stream *s)
{
    return s->confirm && !s->confirmed && !s->refused && !s->closed;
}

static void close_stream(struct sim_stream *s)
{
    struct sim_world *w = s->conn->app->world;
    s->closed = true;
    s->finished = s->finished || (s->can_send && !s->reset && !s->refused);
    w->counts[SIM_COUNT_STREAM_CLOSE]++;
    SIM_CHECK(w, skua_stream_close(s->conn->host->ep, s->handle) == SKUA_OK);
    SIM_CHECK(w, skua_stream_close(s->conn->host->ep, s->handle) == SKUA_ECLOSED);
}

/* After any progress: is the handle of no more use? */
static void progressed(struct sim_stream *s)
{
    struct sim_conn *c = s->conn;
    struct sim_world *w = c->app->world;
    if (sim_stream_sent(s) && sim_stream_received(s) && !sim_stream_awaits(s) && !s->done) {
        bool keep = sim_rng_chance(&w->rng, c->plan.keep);
        s->done = true;
        c->open_now -= s->own;
        if (!keep && !c->over) {
            close_stream(s);
        }
    }
    sim_conn_check(c);
}

static struct sim_stream *find_stream(struct sim_conn *c, uint64_t id)
{
    for (struct sim_stream *s = c != NULL ? c->streams : NULL; s != NULL; s = s->next) {
        if (s->id == id) {
            return s;
        }
    }
    return NULL;
}

static struct sim_stream *add_stream(struct sim_conn *c, skua_stream handle, bool own)
{
    struct sim_world *w = c->app->world;
    struct sim_stream *s = calloc(1, sizeof *s);
    SKUA_ASSERT(s != NULL);
    struct skua_stream_info info;
    SIM_CHECK(w, skua_stream_info(c->host->ep, handle, &info) == SKUA_OK);
    s->conn = c;
    s->handle = handle;
    s->own = own;
    s->uni = (info.id & 2) != 0;
    s->carries_messages = (info.id & 4) != 0;
    SIM_CHECK(w, info.messages == s->carries_messages);
    /* In a rendezvous bit 0 may still change: there it says which of the two opened the stream. */
    s->id = (info.id & ~UINT64_C(1)) | (own == c->client ? 0 : 1);
    SIM_CHECK(w, s->id == info.id || c->mate != NULL);
    SIM_CHECK(w, find_stream(c, s->id) == NULL);
    s->can_send = own || !s->uni;
    s->can_recv = !own || !s->uni;
    s->next = c->streams;
    c->streams = s;
    const struct sim_plan *p = &c->plan;
    s->size = p->size_max > p->size_min ? sim_rng_log(&w->rng, p->size_min + 1, p->size_max) - 1
                                        : p->size_max;
    s->give_up_at =
        sim_rng_chance(&w->rng, p->reset) ? sim_rng_below(&w->rng, s->size + 1) : UINT64_MAX;
    s->stop_at =
        sim_rng_chance(&w->rng, p->stop) ? sim_rng_below(&w->rng, p->size_max + 1) : UINT64_MAX;
    s->slow = sim_rng_chance(&w->rng, p->slow);
    SIM_CHECK(w, skua_stream_set_user(c->host->ep, handle, s) == SKUA_OK);
    skua_conn conn;
    SIM_CHECK(w, skua_stream_conn(c->host->ep, handle, &conn) == SKUA_OK && conn == c->handle);
    s->finished = s->can_send && (c->shut || c->closed); /* too late to say anything */
    sim_unordered_begin(s);
    if (!sim_stream_sent(s)) {
        sim_stream_queue(s, false, true);
    }
    return s;
}

void sim_stream_open_more(struct sim_conn *c)
{
    struct sim_world *w = c->app->world;
    for (unsigned uni = 0; uni < 2; uni++) {
        while (c->opened[uni] < c->plan.streams[uni] && c->open_now < c->plan.at_once &&
               !c->refused_open[uni]) {
            skua_stream handle;
            bool messages = sim_rng_chance(&w->rng, c->plan.messages);
            enum skua_err err = skua_stream_open(
                c->host->ep, c->handle, uni | (messages ? SKUA_STREAM_MESSAGES : 0u), &handle);
            if (err == SKUA_EAGAIN) {
                c->refused_open[uni] = true;
                w->counts[SIM_COUNT_OPEN_AGAIN]++;
                break;
            }
            if (err == SKUA_ECLOSED) {
                return; /* it has ended: CLOSED is on its way */
            }
            SIM_CHECK(w, err == SKUA_OK);
            c->opened[uni]++;
            c->open_now++;
            w->counts[uni != 0 ? SIM_COUNT_OPEN_UNI : SIM_COUNT_OPEN_BIDI]++;
            (void)add_stream(c, handle, true);
        }
    }
}

void sim_stream_end_sending(struct sim_conn *c)
{
    for (struct sim_stream *s = c->streams; s != NULL; s = s->next) {
        if (s->can_send && !s->reset && !s->refused) {
            s->finished = true;
        }
        s->stopped = s->stopped || (c->closed && s->can_recv && !s->eof && !s->was_reset);
    }
}

void sim_stream_ended(struct sim_conn *c)
{
    for (struct sim_stream *s = c->streams; s != NULL; s = s->next) {
        if (!s->done && !s->closed) {
            progressed(s);
        }
    }
}

void sim_stream_close_all(struct sim_conn *c)
{
    for (struct sim_stream *s = c->streams; s != NULL; s = s->next) {
        if (!s->closed) {
            close_stream(s);
        }
    }
}

void sim_stream_drop(struct sim_conn *c)
{
    for (struct sim_stream *s = c->streams; s != NULL; s = s->next) {
        check_loans(s);
        release_loans(s, UINT64_MAX);
    }
}

/* --- writing --- */

/* A result that is not success: what it means for the sending side. True: try later. */
static bool write_failed(struct sim_stream *s, enum skua_err err)
{
    struct sim_world *w = s->conn->app->world;
    if (err == SKUA_EAGAIN) {
        w->counts[SIM_COUNT_WRITE_AGAIN]++;
        return true;
    }
    if (err == SKUA_ESTOPPED) {
        SIM_CHECK(w, s->peer == NULL || s->peer->stopped || s->peer->closed);
        s->refused = true;
        release_loans(s, UINT64_MAX);
        return false;
    }
    if (err == SKUA_ECLOSED) {
        return true; /* the connection has ended: CLOSED is on its way */
    }
    sim_fail(w, "host %u: stream %llu: write says %s", s->conn->host->index,
             (unsigned long long)s->id, skua_err_name(err));
}

static enum skua_err lend(struct sim_stream *s, size_t len)
{
    struct sim_loan *loan = malloc(sizeof *loan + len);
    SKUA_ASSERT(loan != NULL);
    loan->len = len;
    loan->end = s->written + len;
    pattern(stream_key(s, s->conn->client), s->written, loan->bytes, len);
    enum skua_err err = skua_stream_lend(s->conn->host->ep, s->handle, loan->bytes, len);
    if (err != SKUA_OK) {
        free(loan);
        return err;
    }
    loan->next = s->loans;
    s->loans = loan;
    s->written += len;
    s->conn->app->world->counts[SIM_COUNT_LEND]++;
    return SKUA_OK;
}

static enum skua_err copy(struct sim_stream *s, size_t len)
{
    size_t n = 0;
    struct sim_app *app = s->conn->app;
    pattern(stream_key(s, s->conn->client), s->written, app->scratch, len);
    bool more = sim_rng_chance(&app->world->rng, s->conn->plan.more);
    enum skua_err err = skua_stream_write_flags(s->conn->host->ep, s->handle, app->scratch, len,
                                                more ? SKUA_MORE : 0, &n);
    app->world->counts[SIM_COUNT_WRITE_MORE] += more;
    SIM_CHECK(app->world, n <= len && (err == SKUA_OK) == (n > 0));
    memset(app->scratch, 0xcc, len);
    s->written += n;
    app->world->counts[SIM_COUNT_WRITE]++;
    return err;
}

static void end_writing(struct sim_stream *s)
{
    struct sim_conn *c = s->conn;
    struct sim_world *w = c->app->world;
    enum skua_err err;
    if (s->written >= s->give_up_at) {
        s->reset = true;
        w->counts[SIM_COUNT_RESET]++;
        err = skua_stream_reset(c->host->ep, s->handle, RESET_CODE + s->id);
        release_loans(s, UINT64_MAX);
    } else {
        bool confirm = sim_rng_chance(&w->rng, c->plan.confirm);
        err = confirm ? skua_stream_finish_confirm(c->host->ep, s->handle)
                      : skua_stream_finish(c->host->ep, s->handle);
        if (err == SKUA_ESTOPPED) {
            s->refused = true;
            release_loans(s, UINT64_MAX);
            return;
        }
        s->finished = true;
        s->confirm = confirm && err == SKUA_OK;
        w->counts[SIM_COUNT_FINISH]++;
        w->counts[SIM_COUNT_CONFIRM] += s->confirm;
    }
    SIM_CHECK(w, err == SKUA_OK || err == SKUA_ECLOSED);
}

/* Any priority, while it writes. */
static void prioritize(struct sim_stream *s)
{
    struct sim_world *w = s->conn->app->world;
    struct skua_endpoint *ep = s->conn->host->ep;
    unsigned urgency = (unsigned)sim_rng_below(&w->rng, 8);
    bool incremental = sim_rng_chance(&w->rng, 500000);
    enum skua_err err = skua_stream_set_priority(ep, s->handle, urgency, incremental);
    struct skua_stream_info info;
    SIM_CHECK(w, err == SKUA_OK || err == SKUA_ECLOSED);
    if (err == SKUA_OK) {
        w->counts[SIM_COUNT_PRIORITY]++;
        SIM_CHECK(w, skua_stream_info(ep, s->handle, &info) == SKUA_OK);
        SIM_CHECK(w, info.urgency == urgency && info.incremental == incremental);
    }
}

static void cork(struct sim_stream *s)
{
    struct sim_world *w = s->conn->app->world;
    bool corked = sim_rng_chance(&w->rng, 500000);
    enum skua_err err = skua_stream_cork(s->conn->host->ep, s->handle, corked);
    SIM_CHECK(w, err == SKUA_OK || err == SKUA_ECLOSED);
    w->counts[SIM_COUNT_CORK]++;
}

static void do_write(struct sim_stream *s)
{
    struct sim_conn *c = s->conn;
    struct sim_world *w = c->app->world;
    const struct sim_plan *p = &c->plan;
    uint64_t limit = s->give_up_at < s->size ? s->give_up_at : s->size;
    while (!sim_stream_sent(s) && s->written < limit) {
        if (sim_rng_chance(&w->rng, p->prioritize)) {
            prioritize(s);
        }
        if (sim_rng_chance(&w->rng, p->more)) {
            cork(s);
        }
        uint64_t left = limit - s->written;
        size_t len = (size_t)sim_rng_between(&w->rng, 1, p->chunk_max < left ? p->chunk_max : left);
        enum skua_err err = s->carries_messages                ? sim_message_send(s, left)
                            : sim_rng_chance(&w->rng, p->lend) ? lend(s, len)
                                                               : copy(s, len);
        if (err != SKUA_OK) {
            if (write_failed(s, err)) {
                return;
            }
            break;
        }
        if (sim_rng_chance(&w->rng, p->write_pause)) {
            sim_at(w, w->now + sim_rng_below(&w->rng, p->pause + 1), write_later, s);
            return;
        }
    }
    if (!sim_stream_sent(s)) {
        end_writing(s);
    }
    progressed(s);
}

/* --- reading --- */

/* What the peer's end of the stream did, where it is known. */
static void check_end(const struct sim_stream *s, enum skua_err err)
{
    struct sim_world *w = s->conn->app->world;
    const struct sim_stream *from = s->peer;
    struct skua_stream_info info;
    SIM_CHECK(w, skua_stream_info(s->conn->host->ep, s->handle, &info) == SKUA_OK);
    /* Of a message that was given up its length may have been looked at. */
    uint64_t length = err == SKUA_ERESET && s->carries_messages ? 8 : 0;
    uint64_t read = s->read + s->lengths_in;
    bool behind = s->unordered && err == SKUA_ERESET; /* of a gap */
    SIM_CHECK(w, behind || (info.read >= read && info.read <= read + length));
    SIM_CHECK(w, info.readable == 0);
    SIM_CHECK(w, info.message_left == 0);
    if (from == NULL) {
        /* Our bidirectional stream, whose end the peer closed before it heard of it. */
        SIM_CHECK(w, err == SKUA_EOF && s->read == 0);
        SIM_CHECK(w, s->conn->peer != NULL && (s->conn->peer->shut || s->conn->peer->closed));
        return;
    }
    if (err == SKUA_EOF) {
        SIM_CHECK(w, from->finished && from->written == s->read);
        SIM_CHECK(w, from->messages == s->taken && s->part == 0);
    } else {
        SIM_CHECK(w, from->reset && info.reset && info.error_code == RESET_CODE + s->id);
    }
}

/* One read or peek of up to `len` bytes. */
static enum skua_err take(struct sim_stream *s, size_t len)
{
    struct sim_app *app = s->conn->app;
    struct sim_world *w = app->world;
    struct skua_endpoint *ep = s->conn->host->ep;
    size_t n = 0;
    enum skua_err err;
    if (s->carries_messages) {
        return sim_message_take(s, len);
    }
    if (s->unordered) {
        return sim_unordered_take(s, len);
    }
    if (sim_rng_chance(&w->rng, s->conn->plan.peek)) {
        struct skua_vec vec[4];
        size_t count = (size_t)sim_rng_between(&w->rng, 1, 4);
        size_t seen = 0;
        err = skua_stream_peek(ep, s->handle, vec, &count);
        SIM_CHECK(w, (err == SKUA_OK) == (count > 0) && count <= 4);
        uint64_t start = s->read;
        for (size_t i = 0; i < count; i++) {
            SIM_CHECK(w, vec[i].len > 0);
            sim_stream_check(s, vec[i].data, vec[i].len);
            s->read += vec[i].len;
            seen += vec[i].len;
        }
        s->read = start;
        n = seen < len ? seen : len;
        if (err == SKUA_OK) {
            SIM_CHECK(w, skua_stream_consume(ep, s->handle, n) == SKUA_OK);
        }
        w->counts[SIM_COUNT_PEEK]++;
    } else {
        err = skua_stream_read(ep, s->handle, app->scratch, len, &n);
        SIM_CHECK(w, n <= len && (err == SKUA_OK) == (n > 0));
        sim_stream_check(s, app->scratch, n);
        w->counts[SIM_COUNT_READ]++;
    }
    s->read += n;
    s->conn->delivered += n;
    if (w->verbose) {
        printf("%14.6f ms  %*s%u stream %llu: %zu bytes, to offset %llu: %s\n",
               (double)w->now / 1e6, (int)s->conn->host->index * 4, "", s->conn->host->index,
               (unsigned long long)s->id, n, (unsigned long long)s->read, skua_err_name(err));
    }
    if (s->peer != NULL) {
        SIM_CHECK(w, s->read <= s->peer->written);
    }
    return err;
}

static void do_read(struct sim_stream *s)
{
    struct sim_conn *c = s->conn;
    struct sim_world *w = c->app->world;
    while (!sim_stream_received(s) && !c->over) {
        if (s->read >= s->stop_at) {
            s->stopped = true;
            w->counts[SIM_COUNT_STOP]++;
            enum skua_err err = skua_stream_stop(c->host->ep, s->handle, STOP_CODE + s->id);
            SIM_CHECK(w, err == SKUA_OK || err == SKUA_ECLOSED);
            break;
        }
        uint64_t max = c->plan.read_max < SIM_SCRATCH ? c->plan.read_max : SIM_SCRATCH;
        enum skua_err err = take(s, (size_t)sim_rng_between(&w->rng, 1, max));
        if (err == SKUA_EAGAIN) {
            return;
        }
        if (err == SKUA_EOF || err == SKUA_ERESET) {
            check_end(s, err);
            s->eof = err == SKUA_EOF;
            s->was_reset = err == SKUA_ERESET;
            break;
        }
        if (err != SKUA_OK) {
            sim_fail(w, "host %u: stream %llu: read says %s", c->host->index,
                     (unsigned long long)s->id, skua_err_name(err));
        }
        if (s->slow) {
            w->counts[SIM_COUNT_SLOW_READER]++;
            sim_at(w, w->now + sim_rng_below(&w->rng, c->plan.pause + 1), read_later, s);
            return;
        }
    }
    progressed(s);
}

void sim_stream_work(struct sim_stream *s)
{
    struct sim_conn *c = s->conn;
    bool read = s->want_read, write = s->want_write;
    s->want_read = s->want_write = false;
    if (c->over || s->closed) {
        return;
    }
    if (sim_rng_chance(&c->app->world->rng, c->plan.abandon)) {
        c->open_now -= s->own && !s->done;
        s->done = true;
        close_stream(s);
        sim_conn_check(c);
        return;
    }
    if (write && !sim_stream_sent(s)) {
        do_write(s);
    }
    if (read && !s->closed && !sim_stream_received(s)) {
        do_read(s);
    }
}

/* --- events --- */

static void on_stream(struct sim_conn *c, const struct skua_event *e)
{
    struct sim_stream *s = add_stream(c, e->stream, false);
    c->incoming++;
    s->peer = find_stream(c->peer, s->id);
    SIM_CHECK(c->app->world, s->peer != NULL && s->peer->own);
    s->peer->peer = s;
    sim_early_stream(s, e->early);
    sim_stream_queue(s, true, false);
}

/* What the peer's application did, as it says. */
static void on_confirmed(struct sim_stream *s, const struct skua_event *e)
{
    struct sim_world *w = s->conn->app->world;
    const struct sim_stream *from = s->peer;
    bool all = e->type == SKUA_EVENT_CONSUMED;
    struct skua_stream_info info;
    SIM_CHECK(w, skua_stream_info(s->conn->host->ep, s->handle, &info) == SKUA_OK);
    SIM_CHECK(w, s->confirm && !s->confirmed && !s->reset && !s->refused);
    SIM_CHECK(w, info.consumed == all && info.discarded == !all && info.finished);
    SIM_CHECK(w, info.acked == info.written && s->acked == info.written);
    SIM_CHECK(w, all == (e->offset == info.written) && e->offset <= info.written);
    if (from == NULL) { /* its end was closed before it heard of the stream */
        SIM_CHECK(w, e->offset == 0 && s->conn->peer->closed);
    } else {
        SIM_CHECK(w, from->eof || from->closed || from->stopped);
        /* Lengths of messages, and what was read beyond a gap, are not counted alike. */
        SIM_CHECK(w, info.messages || from->unordered || from->read == e->offset);
    }
    s->confirmed = true;
    w->counts[all ? SIM_COUNT_CONSUMED : SIM_COUNT_DISCARDED]++;
    progressed(s);
}

void sim_stream_event(struct sim_conn *c, const struct skua_event *e)
{
    struct sim_world *w = c->app->world;
    if (e->type == SKUA_EVENT_STREAMS) {
        c->refused_open[0] = c->refused_open[1] = false;
        sim_conn_check(c);
        return;
    }
    if (e->type == SKUA_EVENT_STREAM) {
        on_stream(c, e);
        return;
    }
    struct sim_stream *s = e->stream_user;
    SIM_CHECK(w, s != NULL && s->conn == c && s->handle == e->stream && !s->closed);
    if (e->type == SKUA_EVENT_ACKED) {
        SIM_CHECK(w, e->offset >= s->acked && e->offset <= s->written + s->lengths_out);
        s->acked = e->offset;
        check_loans(s);
        release_loans(s, e->offset);
    } else if (e->type == SKUA_EVENT_CONSUMED || e->type == SKUA_EVENT_DISCARDED) {
        on_confirmed(s, e);
    } else if (e->type == SKUA_EVENT_STOPPED) {
        SIM_CHECK(w, s->can_send);
        SIM_CHECK(w, s->peer == NULL || s->peer->stopped || s->peer->closed);
        SIM_CHECK(w, s->peer == NULL || s->peer->closed || e->code == STOP_CODE + s->id);
        if (!s->reset) {
            s->refused = true;
        }
        release_loans(s, UINT64_MAX);
        progressed(s);
    } else {
        sim_stream_queue(s, e->type == SKUA_EVENT_READABLE, e->type == SKUA_EVENT_WRITABLE);
    }
}
