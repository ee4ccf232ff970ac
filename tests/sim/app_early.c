/* Early data: see app.h.
 *
 * Which call made a connection is not known by its secret here, as the caller does not have that
 * yet, but by the id that it chose. So two connections of one call would show, and so would a
 * caller who hears "rejected" of what was taken: but for a server that was started again meanwhile,
 * early data reach an application once. That the bytes are right, and come in one piece with those
 * that follow, is seen as with all others. */
#include "app.h"

#include <string.h>

#include "base/time.h"

/* How often somebody who waits for a token looks for one. */
#define LOOK_EVERY (50 * SKUA_MSEC)

void sim_early_keep(struct sim_conn *c)
{
    struct sim_world *w = c->app->world;
    struct sim_tokens *t = &c->app->tokens[c->host->index];
    struct skua_token token;
    SIM_CHECK(w, c->client && c->config.tokens);
    SIM_CHECK(w, skua_conn_token(c->host->ep, c->handle, &token) == SKUA_OK);
    SIM_CHECK(w, token.len > 0 && token.len <= SKUA_TOKEN_MAX);
    memmove(&t->token[1], &t->token[0], (SIM_TOKENS - 1) * sizeof t->token[0]);
    t->token[0] = token;
    t->count += t->count < SIM_TOKENS;
    w->counts[SIM_COUNT_TOKEN]++;
    SIM_CHECK(w, skua_conn_token(c->host->ep, c->handle, &token) == SKUA_EAGAIN);
}

bool sim_early_waits(const struct sim_conn *c)
{
    const struct sim_app *app = c->app;
    return c->plan.uses_token && app->tokens[c->host->index].count == 0 &&
           app->world->now + LOOK_EVERY < app->heal_at;
}

skua_time sim_early_look_again(const struct sim_conn *c)
{
    struct sim_world *w = c->app->world;
    return w->now + 1 + sim_rng_below(&w->rng, LOOK_EVERY);
}

/* A token for the next call: mostly the newest, once. */
static bool take_token(struct sim_conn *c, struct skua_token *out)
{
    struct sim_world *w = c->app->world;
    struct sim_tokens *t = &c->app->tokens[c->host->index];
    if (t->count == 0) {
        return false;
    }
    uint64_t dice = sim_rng_below(&w->rng, 100);
    if (dice < 10) { /* old, or used already: it stays */
        *out = t->token[t->count - 1];
        w->counts[SIM_COUNT_TOKEN_AGAIN]++;
        return true;
    }
    *out = t->token[0];
    if (dice < 25) {
        w->counts[SIM_COUNT_TOKEN_AGAIN]++;
        return true;
    }
    t->count--;
    memmove(&t->token[0], &t->token[1], t->count * sizeof t->token[0]);
    if (dice < 30) {
        out->bytes[sim_rng_below(&w->rng, out->len)] ^= (uint8_t)(1u << sim_rng_below(&w->rng, 8));
        w->counts[SIM_COUNT_TOKEN_DAMAGED]++;
    } else if (dice < 33) {
        out->len = (size_t)sim_rng_between(&w->rng, 1, out->len);
        w->counts[SIM_COUNT_TOKEN_DAMAGED]++;
    }
    return true;
}

void sim_early_call(struct sim_conn *c, struct skua_token *token)
{
    if (c->plan.uses_token && take_token(c, token)) {
        c->pin = *skua_endpoint_key(c->to->ep);
        c->config.server_key = &c->pin;
        c->config.ik = true;
        c->config.token = token;
        c->plan.early = true;
        c->offers = true;
        c->app->world->counts[SIM_COUNT_EARLY]++;
    }
}

struct sim_conn *sim_early_caller(struct sim_app *app, const struct sim_conn *server)
{
    for (struct sim_conn *c = app->conns; c != NULL; c = c->next) {
        if (c->offers && c->call == server->call) {
            return c;
        }
    }
    return NULL;
}

void sim_early_incoming(struct sim_conn *c)
{
    c->early = true;
    c->boot = c->host->boots;
    c->call = sim_oracle_call(c->host, c->handle);
    c->app->world->counts[SIM_COUNT_EARLY_TAKEN]++;
}

void sim_early_shown(struct sim_conn *c)
{
    struct sim_world *w = c->app->world;
    SIM_CHECK(w, !c->shown && c->accepted);
    c->shown = true;
    w->counts[SIM_COUNT_EARLY_SHOWN]++;
}

/* Who took its early data was lost before it answered, and does not count any more. */
static void forget_peer(struct sim_conn *c)
{
    c->peer = NULL;
    for (struct sim_stream *s = c->streams; s != NULL; s = s->next) {
        s->peer = NULL;
    }
}

void sim_early_answered(struct sim_conn *c, bool taken)
{
    struct sim_world *w = c->app->world;
    const struct sim_conn *server = c->peer;
    if (!taken) {
        SIM_CHECK(w, server == NULL || server->boot < server->host->boots);
        w->counts[SIM_COUNT_EARLY_REJECTED] += c->offers;
        w->counts[SIM_COUNT_EARLY_TWICE] += server != NULL;
        forget_peer(c);
        return;
    }
    SIM_CHECK(w, c->offers && server != NULL && server->early);
    SIM_CHECK(w, !c->exported || memcmp(c->exporter, server->exporter, sizeof c->exporter) == 0);
}

void sim_early_stream(const struct sim_stream *s, bool early)
{
    struct sim_world *w = s->conn->app->world;
    struct skua_stream_info info;
    SIM_CHECK(w, skua_stream_info(s->conn->host->ep, s->handle, &info) == SKUA_OK);
    SIM_CHECK(w, early == (info.early > info.read));
    SIM_CHECK(w, info.early == 0 || s->conn->early);
    w->counts[SIM_COUNT_EARLY_STREAM] += early;
}
