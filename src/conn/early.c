/* Early data, on both sides, and the tokens that they need (docs/protocol.md, "Early data").
 *
 * Client: what was written before the SYN leaves is put into it, once, and stays unsent for
 * everybody else until the SYN_ACK says what became of it. It is never sent again before that, and
 * no attempt that carried some goes over to another handshake: the server might have taken it.
 *
 * Server: a connection made by a SYN's early data is in SYN_RCVD until a packet of the client
 * opens, as with TCP Fast Open. Until then nobody knows whether the client is there, so it may send
 * only a little (RFC 9000 §8.1), and it ends after as long as its SYN_ACK is repeated. */
#include "conn/internal.h"

#include <string.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/time.h"
#include "crypto/early.h"

/* --- client */

bool skua_early_fits(const struct skua_settings *s, const struct skua_token *token)
{
    return token->len != 0 && token->len <= SKUA_TOKEN_MAX && s->ik && !s->has_psk &&
           !s->rendezvous;
}

enum skua_err skua_early_start(struct skua_connection *c, const struct skua_token *token)
{
    if (!skua_early_fits(c->settings, token)) {
        return SKUA_EINVAL;
    }
    c->dial->early = skua_heap_get(&c->env->heap, sizeof *c->dial->early);
    if (c->dial->early == NULL) {
        return SKUA_ENOMEM;
    }
    c->dial->early->token = *token;
    return SKUA_OK;
}

void skua_early_drop(struct skua_connection *c)
{
    if (c->dial->early != NULL) {
        skua_wipe(c->dial->early, sizeof *c->dial->early);
        skua_heap_put(&c->env->heap, c->dial->early, sizeof *c->dial->early);
        c->dial->early = NULL;
    }
}

bool skua_early_fill(struct skua_connection *c, uint8_t frames[SKUA_EARLY_ROOM],
                     struct skua_early_data *out)
{
    struct skua_dial_early *early = c->dial->early;
    if (early == NULL) {
        return false;
    }
    struct skua_writer w = skua_writer_of(frames, SKUA_EARLY_ROOM - early->token.len);
    early->count =
        skua_streams_early_write(&c->streams, &w, early->records, SKUA_RECORDS_PER_PACKET);
    *out = (struct skua_early_data){.token = early->token.bytes,
                                    .token_len = early->token.len,
                                    .frames = frames,
                                    .frames_len = skua_writer_len(&w)};
    if (c->env->trace.event != NULL) {
        skua_watch_frames_sent(c, frames, out->frames_len, c->env->now);
    }
    return early->count > 0;
}

bool skua_early_is_under_way(const struct skua_connection *c)
{
    return c->dial->early != NULL && c->dial->early->count > 0;
}

uint32_t skua_early_retries(const struct skua_connection *c)
{
    uint32_t retries = c->settings->syn_retries;
    return skua_early_is_under_way(c) ? skua_early_retries_of(retries) : retries;
}

enum skua_code skua_early_on_syn_ack(struct skua_connection *c, bool taken)
{
    enum skua_code code = SKUA_CODE_NO_ERROR;
    if (taken) {
        const struct skua_dial_early *early = c->dial->early;
        code = skua_early_is_under_way(c)
                   ? skua_streams_early_taken(&c->streams, early->records, early->count)
                   : SKUA_CODE_PARAMETER;
        c->early_taken = true;
    }
    skua_early_drop(c);
    return code;
}

/* --- server */

void skua_connection_take_early(struct skua_connection *c, const uint8_t *frames, size_t len,
                                skua_time now)
{
    struct skua_reader r = skua_reader_of(frames, len);
    enum skua_code code = SKUA_CODE_NO_ERROR;
    while (code == SKUA_CODE_NO_ERROR && skua_reader_left(&r) > 0) {
        struct skua_frame f;
        enum skua_code parsed = skua_frame_read(&r, &f);
        SKUA_ASSERT(parsed == SKUA_CODE_NO_ERROR); /* skua_streams_early_fit has read them */
        if (f.type == SKUA_FRAME_STREAM) {
            if (c->env->trace.event != NULL) {
                skua_watch_frame(c, SKUA_TRACE_FRAME_RECEIVED, &f, now);
            }
            code = skua_streams_on_early(&c->streams, &f.stream);
        }
    }
    if (code != SKUA_CODE_NO_ERROR) {
        skua_close_fail(c, code, SKUA_FRAME_STREAM, "", now);
    }
    skua_conn_mark(c, SKUA_MARK_BATCH | SKUA_MARK_EVENT);
}

void skua_early_on_confirmed(struct skua_connection *c, skua_time now)
{
    c->early_open = false;
    skua_timers_on_progress(c, now); /* the user timeout begins here */
    skua_acks_set_immediate(&c->rx.acks);
    skua_conn_transition(c, SKUA_ON_CONFIRMED, now);
    if (c->told) {
        c->events |= 1u << SKUA_EVENT_ESTABLISHED;
        skua_conn_mark(c, SKUA_MARK_EVENT);
    }
}

void skua_connection_cancel(struct skua_connection *c, skua_time now)
{
    if (c->early_open && !c->close.ended) { /* else our RST says it first */
        c->close.remote = true;
        skua_close_now(c, SKUA_ECONNRESET, SKUA_CODE_NO_ERROR, now);
    }
}

bool skua_early_may_send(const struct skua_connection *c)
{
    return c->count.bytes_sent + SKUA_LIMIT_UDP_MIN <= SKUA_LIMIT_EARLY_SEND;
}

skua_time skua_early_deadline(const struct skua_connection *c)
{
    return skua_time_add(c->life.received_at,
                         skua_time_backoff(skua_early_retries_of(c->settings->syn_retries)));
}

/* --- tokens */

void skua_token_due(struct skua_connection *c)
{
    if (c->is_server && c->wants_tokens && c->env->early != NULL) {
        c->token_due = true;
        skua_conn_mark(c, SKUA_MARK_SEND);
    }
}

void skua_token_fill(struct skua_connection *c, struct skua_fill *fill)
{
    uint8_t token[SKUA_EARLY_TOKEN_LEN];
    struct skua_frame frame = {.type = SKUA_FRAME_NEW_TOKEN};
    frame.new_token.data = token;
    frame.new_token.len = sizeof token;
    if (c->env->early == NULL) {
        c->token_due = false; /* nobody listens any more */
        return;
    }
    if (fill->count == SKUA_RECORDS_PER_PACKET ||
        skua_writer_left(&fill->w) < skua_frame_len(&frame)) {
        return;
    }
    skua_early_token_write(token, c->env->early, &c->peer_key, &c->env->rng, c->env->now);
    skua_frame_write(&fill->w, &frame);
    skua_wipe(token, sizeof token);
    fill->records[fill->count++] = (struct skua_record){.type = SKUA_FRAME_NEW_TOKEN};
    fill->eliciting = true;
    c->token_due = false;
}

enum skua_code skua_token_recv(struct skua_connection *c, const struct skua_frame *f)
{
    if (c->is_server || !c->settings->tokens) {
        return SKUA_CODE_PROTOCOL;
    }
    struct skua_token *token = skua_nummap_get(&c->env->tokens, c->handle);
    if (token == NULL && c->handle != 0) {
        token = skua_heap_get(&c->env->heap, sizeof *token);
        if (token != NULL && skua_nummap_put(&c->env->tokens, c->handle, token) != SKUA_OK) {
            skua_heap_put(&c->env->heap, token, sizeof *token);
            token = NULL;
        }
    }
    if (token != NULL) { /* else it is lost, and the next connection has none */
        c->has_token = true;
        token->len = f->new_token.len;
        memcpy(token->bytes, f->new_token.data, token->len);
        c->events |= 1u << SKUA_EVENT_TOKEN;
    }
    return SKUA_CODE_NO_ERROR;
}

void skua_connection_drop_token(struct skua_connection *c)
{
    if (c->has_token) {
        struct skua_token *token = skua_nummap_remove(&c->env->tokens, c->handle);
        SKUA_ASSERT(token != NULL);
        skua_wipe(token, sizeof *token);
        skua_heap_put(&c->env->heap, token, sizeof *token);
        c->has_token = false;
        c->events &= ~(1u << SKUA_EVENT_TOKEN);
    }
}

enum skua_err skua_connection_token(struct skua_connection *c, struct skua_token *out)
{
    if (!c->has_token) {
        return SKUA_EAGAIN;
    }
    *out = *(const struct skua_token *)skua_nummap_get(&c->env->tokens, c->handle);
    skua_connection_drop_token(c);
    return SKUA_OK;
}
