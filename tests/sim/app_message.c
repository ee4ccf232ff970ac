/* Message streams: see app.h. The lengths of what one end sent are known to the other, so each
 * boundary is checked; the bytes are those of a stream that has nothing but them. */
#include "app.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "wire/varint.h"

static void note_sent(struct sim_stream *s, size_t len)
{
    if (s->messages == s->message_room) {
        s->message_room = s->message_room == 0 ? 16 : s->message_room * 2;
        s->message_len = realloc(s->message_len, s->message_room * sizeof *s->message_len);
        SKUA_ASSERT(s->message_len != NULL);
    }
    s->message_len[s->messages++] = (uint32_t)len;
    s->lengths_out += skua_varint_len(len);
}

enum skua_err sim_message_send(struct sim_stream *s, uint64_t left)
{
    struct sim_app *app = s->conn->app;
    struct sim_world *w = app->world;
    uint64_t most = s->conn->plan.chunk_max < left ? s->conn->plan.chunk_max : left;
    uint64_t dice = sim_rng_below(&w->rng, 20);
    size_t len = dice == 0   ? 0
                 : dice == 1 ? (size_t)(left < SIM_SCRATCH ? left : SIM_SCRATCH)
                             : (size_t)sim_rng_log(&w->rng, 1, most);
    sim_stream_pattern(s, s->written, app->scratch, len);
    enum skua_err err = skua_stream_send_message(s->conn->host->ep, s->handle, app->scratch, len);
    memset(app->scratch, 0xcc, len);
    if (err == SKUA_OK) {
        note_sent(s, len);
        s->written += len;
        w->counts[SIM_COUNT_MESSAGE]++;
    }
    return err;
}

/* `len` bytes at `data` were taken off the message at hand. */
static void took(struct sim_stream *s, size_t len)
{
    struct sim_world *w = s->conn->app->world;
    SIM_CHECK(w, s->peer != NULL && s->taken < s->peer->messages);
    uint32_t whole = s->peer->message_len[s->taken];
    if (s->part == 0) {
        s->lengths_in += skua_varint_len(whole);
    }
    s->part += len;
    s->read += len;
    s->conn->delivered += len;
    SIM_CHECK(w, s->part <= whole);
    if (s->part == whole) {
        s->part = 0;
        s->taken++;
        w->counts[SIM_COUNT_MESSAGE_READ]++;
    }
}

/* A piece of up to `len` bytes, by read, or by peek and consume. */
static enum skua_err take_piece(struct sim_stream *s, size_t len)
{
    struct sim_app *app = s->conn->app;
    struct sim_world *w = app->world;
    struct skua_endpoint *ep = s->conn->host->ep;
    struct skua_vec vec[4];
    size_t count = (size_t)sim_rng_between(&w->rng, 1, 4);
    size_t n = 0;
    enum skua_err err;
    if (sim_rng_chance(&w->rng, s->conn->plan.peek)) {
        uint64_t start = s->read;
        err = skua_stream_peek(ep, s->handle, vec, &count);
        for (size_t i = 0; i < count; i++) {
            sim_stream_check(s, vec[i].data, vec[i].len);
            s->read += vec[i].len;
            n += vec[i].len;
        }
        s->read = start;
        n = n < len ? n : len;
        SIM_CHECK(w, err != SKUA_OK || skua_stream_consume(ep, s->handle, n) == SKUA_OK);
    } else {
        err = skua_stream_read(ep, s->handle, app->scratch, len, &n);
        sim_stream_check(s, app->scratch, n);
    }
    if (err == SKUA_OK) {
        took(s, n);
        w->counts[SIM_COUNT_MESSAGE_PIECE]++;
    }
    return err;
}

enum skua_err sim_message_take(struct sim_stream *s, size_t len)
{
    struct sim_app *app = s->conn->app;
    struct sim_world *w = app->world;
    if (sim_rng_chance(&w->rng, 300000)) {
        return take_piece(s, len);
    }
    size_t got = 0;
    size_t cap = sim_rng_chance(&w->rng, 500000) ? (size_t)SIM_SCRATCH : len;
    enum skua_err err =
        skua_stream_recv_message(s->conn->host->ep, s->handle, app->scratch, cap, &got);
    if (err == SKUA_OK || err == SKUA_EMSGSIZE) {
        SIM_CHECK(w, s->peer != NULL && s->taken < s->peer->messages);
        SIM_CHECK(w, got == s->peer->message_len[s->taken] - s->part);
    }
    if (err == SKUA_EMSGSIZE) {
        return take_piece(s, len);
    }
    if (err == SKUA_OK) {
        SIM_CHECK(w, got <= cap);
        sim_stream_check(s, app->scratch, got);
        took(s, got);
    }
    return err;
}
