/* How connections end: see app.h.
 *
 * An end is right where the two sides' doings, and what the network did to them, explain it. The
 * rules are as narrow as they can be: each silence that is allowed has a reason. */
#include "app.h"

#include <string.h>

#include "base/time.h"

/* A stateless RESET of a server, or the RST of a close that ran into its deadline. */
static bool is_forgotten(const struct sim_conn *c, const struct skua_event *e)
{
    return (c->client || c->mate != NULL) && e->error == SKUA_ECONNRESET && e->remote &&
           !e->application && e->code == SKUA_CODE_NO_ERROR;
}

void sim_end_count(struct sim_conn *c, const struct skua_event *e)
{
    uint64_t *n = c->app->world->counts;
    enum skua_err error = e->error;
    n[SIM_COUNT_END_FORGOTTEN] += is_forgotten(c, e);
    n[SIM_COUNT_END_OK] += error == SKUA_OK;
    n[SIM_COUNT_END_RESET] += error == SKUA_ECONNRESET;
    n[SIM_COUNT_END_REFUSED] += error == SKUA_ECONNREFUSED;
    n[SIM_COUNT_END_PEERKEY] += error == SKUA_EPEERKEY;
    n[SIM_COUNT_END_TIMEOUT] += error == SKUA_ETIMEDOUT;
    n[SIM_COUNT_END_IDLE] += error == SKUA_EIDLE;
    n[SIM_COUNT_END_OTHER] += error != SKUA_OK && error != SKUA_ECONNRESET &&
                              error != SKUA_ECONNREFUSED && error != SKUA_EPEERKEY &&
                              error != SKUA_ETIMEDOUT && error != SKUA_EIDLE;
}

/* The accept queue was full. The RST that says so may be lost, with all its repeats. */
static bool refused_for_room(const struct sim_conn *c, const struct skua_event *e, bool silence)
{
    bool told = e->error == SKUA_ECONNREFUSED && e->remote && e->code == SKUA_CODE_OVERLOAD;
    return c->may_overflow && c->client && c->peer == NULL && (told || silence);
}

/* Was `c` perhaps unable to learn from `p`, who has ended, that its FIN arrived? */
static bool is_unheard(const struct sim_conn *c, const struct sim_conn *p)
{
    skua_time late = p->finished_at + 5 * SKUA_SEC;
    return sim_link_between(p->host, c->host)->spoilt_at >= late ||
           sim_link_between(c->host, p->host)->spoilt_at >= late ||
           p->host->nat.dropped_at >= p->finished_at;
}

/* Is this end what the two sides' doings allow? */
bool sim_end_is_right(const struct sim_conn *c, const struct skua_event *e)
{
    const struct sim_conn *p = c->peer;
    /* A peer that is gone for good: it does not answer, or says by a stateless RESET that it knows
     * nothing (a server, to its clients). */
    bool silence = e->error == SKUA_ETIMEDOUT || e->error == SKUA_EIDLE || is_forgotten(c, e);
    if ((c->may_fail && silence) || refused_for_room(c, e, silence)) {
        return true;
    }
    if (c->early && p != NULL && (p->closed || p->aborted) && !p->established) {
        /* It took its SYN back, by a REFUSE, which may be lost. */
        return silence || (e->error == SKUA_EABORTED && c->closed) ||
               (e->error == SKUA_ECONNRESET && e->remote && !e->application &&
                e->code == SKUA_CODE_NO_ERROR);
    }
    if (c->bereft && (silence || e->error == SKUA_OK || (e->error == SKUA_EABORTED && c->closed))) {
        return true;
    }
    if (c->expected != SKUA_OK) {
        /* A refusal by RST may be lost, with all its repeats. */
        return e->error == c->expected || (c->expected == SKUA_ECONNREFUSED && silence);
    }
    if ((p != NULL && p->aborted) || (c->mate != NULL && c->mate->aborted)) {
        /* A RST may be lost, and we may have been through before it. */
        return silence || (e->error == SKUA_OK) ||
               (e->error == SKUA_ECONNRESET && e->remote && e->application &&
                e->code == SIM_ABORT_CODE && strcmp(e->reason, "enough") == 0) ||
               (e->error == SKUA_ECONNRESET && e->remote && e->application &&
                e->code == SIM_ABORT_CODE && e->reason[0] == '\0') ||
               (e->error == SKUA_EABORTED && c->closed);
    }
    if (c->client && c->peer_plan.refuse && !(c->peer != NULL && c->peer->accepted)) {
        return silence || (e->error == SKUA_ECONNREFUSED && e->remote) ||
               (e->error == SKUA_EABORTED && c->closed);
    }
    if (c->mate != NULL && c->peer == NULL && (c->mate->closed || c->mate->aborted)) {
        return silence || (e->error == SKUA_EABORTED && c->closed); /* it did not wait for us */
    }
    if (e->error == SKUA_EVERSION) {
        /* Nothing protects VERSIONS from damage: one flipped bit asks for it, another one spoils
         * it. */
        return (c->client || c->mate != NULL) && e->remote && !c->established &&
               c->app->world->counts[SIM_COUNT_CORRUPTED] > 1;
    }
    if (c->may_fail) {
        return true;
    }
    if (c->closed && !c->established) {
        return e->error == SKUA_EABORTED;
    }
    if (c->plan.end == SIM_END_EARLY || (p != NULL && p->plan.end == SIM_END_EARLY)) {
        /* close() gives up after its deadline, by a RST. */
        return e->error == SKUA_OK || silence ||
               (e->error == SKUA_ECONNRESET && e->remote && !e->application);
    }
    /* Where the last packet of a peer that went through TIME_WAIT is lost, and for seconds its
     * repeats or what asks for them, nobody says that our FIN has arrived (it has). Behind a NAT
     * that forgets he cannot be asked either, since he speaks no more of himself. */
    return e->error == SKUA_OK || (silence && p != NULL && p->finished && is_unheard(c, p));
}
