/* Datagrams: see app.h.
 *
 * The bytes of a datagram are a function of connection, direction and its number, which its first
 * eight bytes carry. So each one that arrives is known: it was sent, it is whole, and it has not
 * come before. Shorter ones have no bytes, and are only counted. */
#include "app.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

enum { NUMBERED = 8, LARGEST = 65507 };

struct sim_datagrams {
    uint32_t sent;    /* by this side, taken by the core */
    uint32_t left;    /* still to be sent */
    uint32_t empty;   /* of `sent`, without bytes */
    uint16_t *len;    /* of each sent one */
    uint8_t *arrived; /* of each of the peer's: it was read */
    uint32_t read, read_empty;
    bool waiting; /* for DATAGRAM_ROOM */
    bool deaf;    /* does not read for a while */
};

static uint64_t key_of(const struct sim_conn *c, bool from_client, uint64_t number)
{
    return sim_mix(c->seed ^ sim_mix(number * 2 + (from_client ? 1 : 0) + 77));
}

/* Datagram `number` of a side, `len` bytes: none, or NUMBERED and more. */
static void compose(const struct sim_conn *c, bool from_client, uint64_t number, uint8_t *out,
                    size_t len)
{
    uint64_t key = key_of(c, from_client, number);
    for (size_t i = 0; i < len; i++) {
        uint64_t word = i < NUMBERED ? number : sim_mix(key + i / 8);
        out[i] = (uint8_t)(word >> i % 8 * 8);
    }
}

void sim_datagram_arm(struct sim_conn *c)
{
    if (c->plan.datagrams == 0 && c->peer_plan.datagrams == 0 && c->client) {
        return;
    }
    struct sim_datagrams *d = calloc(1, sizeof *d);
    SKUA_ASSERT(d != NULL);
    c->datagrams = d;
    d->left = c->plan.datagrams;
    d->len = calloc(d->left + 1, sizeof *d->len);
    SKUA_ASSERT(d->len != NULL);
}

void sim_datagram_free(struct sim_conn *c)
{
    if (c->datagrams != NULL) {
        free(c->datagrams->len);
        free(c->datagrams->arrived);
        free(c->datagrams);
        c->datagrams = NULL;
    }
}

/* --- sending --- */

static size_t draw_len(struct sim_conn *c, size_t most)
{
    struct sim_rng *rng = &c->app->world->rng;
    uint64_t dice = sim_rng_below(rng, 16);
    size_t limit = c->plan.datagram_max < most ? (size_t)c->plan.datagram_max : most;
    if (dice == 0 || limit < NUMBERED) {
        return 0;
    }
    return dice < 4 ? limit : (size_t)sim_rng_log(rng, NUMBERED, limit);
}

/* Sends one; false where the core takes no more at present. */
static bool send_one(struct sim_conn *c)
{
    struct sim_datagrams *d = c->datagrams;
    struct sim_world *w = c->app->world;
    struct skua_endpoint *ep = c->host->ep;
    size_t most = 0;
    enum skua_err err = skua_conn_max_datagram(ep, c->handle, &most);
    if (err != SKUA_OK) {
        SIM_CHECK(w, most == 0 && (err == SKUA_ECLOSED || err == SKUA_ESTATE));
        SIM_CHECK(w, skua_conn_send_datagram(ep, c->handle, "", 0, 0) == err);
        d->left = 0;
        return false;
    }
    SIM_CHECK(w, most > 1000 && most < LARGEST);
    SIM_CHECK(w, skua_conn_send_datagram(ep, c->handle, c->app->scratch, most + 1, 0) ==
                     SKUA_EMSGSIZE);
    size_t len = draw_len(c, most);
    skua_time life = sim_rng_chance(&w->rng, c->plan.datagram_dies) ? c->plan.datagram_life : 0;
    compose(c, c->client, d->sent, c->app->scratch, len);
    err = skua_conn_send_datagram(ep, c->handle, c->app->scratch, len, life);
    memset(c->app->scratch, 0xcc, len);
    if (err == SKUA_EAGAIN) {
        w->counts[SIM_COUNT_DGRAM_AGAIN]++;
        d->waiting = true;
        return false;
    }
    SIM_CHECK(w, err == SKUA_OK);
    d->len[d->sent++] = (uint16_t)len;
    d->empty += len == 0;
    d->left--;
    w->counts[SIM_COUNT_DGRAM_SENT]++;
    return true;
}

static void send_some(void *arg)
{
    struct sim_conn *c = arg;
    struct sim_world *w = c->app->world;
    struct sim_datagrams *d = c->datagrams;
    if (c->over || !c->established || d->waiting) {
        return;
    }
    uint64_t burst = sim_rng_between(&w->rng, 1, c->plan.datagram_burst);
    for (; burst > 0 && d->left > 0; burst--) {
        if (!send_one(c)) {
            break;
        }
    }
    if (d->left > 0 && !d->waiting) {
        sim_at(w, w->now + sim_rng_below(&w->rng, c->plan.datagram_pause + 1), send_some, c);
    }
    sim_host_wake(c->host, w->now);
}

void sim_datagram_begin(struct sim_conn *c)
{
    if (c->datagrams != NULL && c->datagrams->left > 0) {
        send_some(c);
    }
}

/* --- receiving --- */

static void check_one(struct sim_conn *c, const uint8_t *data, size_t len)
{
    struct sim_datagrams *d = c->datagrams;
    struct sim_world *w = c->app->world;
    SIM_CHECK(w, c->peer != NULL && c->peer->datagrams != NULL && c->config.datagram_buffer != 0);
    const struct sim_datagrams *from = c->peer->datagrams;
    uint8_t want[LARGEST];
    uint64_t number = 0;
    w->counts[SIM_COUNT_DGRAM_READ]++;
    d->read++;
    if (len == 0) {
        d->read_empty++;
        SIM_CHECK(w, d->read_empty <= from->empty);
        return;
    }
    SIM_CHECK(w, len >= NUMBERED);
    for (size_t i = 0; i < NUMBERED; i++) {
        number |= (uint64_t)data[i] << i * 8;
    }
    SIM_CHECK(w, number < from->sent && from->len[number] == len);
    compose(c, !c->client, number, want, len);
    SIM_CHECK(w, memcmp(want, data, len) == 0);
    if (d->arrived == NULL) {
        d->arrived = calloc(c->peer->plan.datagrams + 1u, 1);
        SKUA_ASSERT(d->arrived != NULL);
    }
    SIM_CHECK(w, d->arrived[number] == 0);
    d->arrived[number] = 1;
}

/* Reads all that there is, one way or the other. */
static void read_all(struct sim_conn *c)
{
    struct sim_world *w = c->app->world;
    struct skua_endpoint *ep = c->host->ep;
    for (;;) {
        struct skua_vec vec;
        size_t len = 0;
        enum skua_err err = skua_conn_peek_datagram(ep, c->handle, &vec);
        if (err != SKUA_OK) {
            SIM_CHECK(w, err == SKUA_EAGAIN);
            return;
        }
        if (sim_rng_chance(&w->rng, c->plan.peek)) {
            check_one(c, vec.data, vec.len);
            SIM_CHECK(w, skua_conn_drop_datagram(ep, c->handle) == SKUA_OK);
            continue;
        }
        if (vec.len > 0) {
            err = skua_conn_recv_datagram(ep, c->handle, c->app->scratch, vec.len - 1, &len);
            SIM_CHECK(w, err == SKUA_EMSGSIZE && len == vec.len);
        }
        err = skua_conn_recv_datagram(ep, c->handle, c->app->scratch, vec.len, &len);
        SIM_CHECK(w, err == SKUA_OK && len == vec.len);
        check_one(c, c->app->scratch, len);
    }
}

static void listen_again(void *arg)
{
    struct sim_conn *c = arg;
    c->datagrams->deaf = false;
    if (!c->over && !c->closed) {
        read_all(c);
        sim_host_wake(c->host, c->app->world->now);
    }
}

void sim_datagram_event(struct sim_conn *c, const struct skua_event *e)
{
    struct sim_world *w = c->app->world;
    struct sim_datagrams *d = c->datagrams;
    SIM_CHECK(w, d != NULL);
    if (e->type == SKUA_EVENT_DATAGRAM_ROOM) {
        SIM_CHECK(w, d->waiting);
        d->waiting = false;
        send_some(c);
    } else if (!d->deaf && sim_rng_chance(&w->rng, c->plan.slow / 4)) {
        d->deaf = true;
        sim_at(w, w->now + sim_rng_below(&w->rng, c->plan.pause * 20 + 1), listen_again, c);
    } else if (!d->deaf) {
        read_all(c);
    }
}

/* --- the end --- */

/* What the core counted, while it still says so. */
void sim_datagram_check(struct sim_conn *c)
{
    struct sim_world *w = c->app->world;
    const struct sim_datagrams *d = c->datagrams;
    struct skua_conn_stats st;
    if (d == NULL || skua_conn_stats(c->host->ep, c->handle, &st) != SKUA_OK) {
        return;
    }
    SIM_CHECK(w, st.datagrams_sent + st.datagrams_unsent <= d->sent);
    SIM_CHECK(w, st.datagrams_acked <= st.datagrams_sent);
    SIM_CHECK(w, st.datagrams_lost <= st.datagrams_sent);
    SIM_CHECK(w, d->read + st.datagrams_unread <= st.datagrams_received);
    w->counts[SIM_COUNT_DGRAM_LOST] += st.datagrams_lost;
    w->counts[SIM_COUNT_DGRAM_UNSENT] += st.datagrams_unsent;
    w->counts[SIM_COUNT_DGRAM_UNREAD] += st.datagrams_unread;
}
