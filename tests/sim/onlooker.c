/* See onlooker.h. */
#include "onlooker.h"

#include <string.h>

#include "base/time.h"
#include "handshake/refuse.h"

/* How late a copy comes, at most; and how long after `till` the last one does: what it opens at a
 * server, 63 s, is over in time for the end of a run. */
#define LATEST (100 * SKUA_SEC)

enum { FIRST_PLACE = 1, PORT = 7000 };

static struct skua_addr place_of(unsigned i)
{
    return (struct skua_addr){.family = SKUA_FAMILY_IPV4,
                              .port = (uint16_t)(PORT + i),
                              .ip = {192, 0, 2, (uint8_t)(FIRST_PLACE + i)}};
}

/* Which of his addresses this is; SIM_ONLOOKER_PLACES = none. */
static unsigned place_at(const struct skua_addr *addr)
{
    return addr->ip[0] == 192 && addr->ip[1] == 0 ? addr->port - (unsigned)PORT
                                                  : (unsigned)SIM_ONLOOKER_PLACES;
}

static void send(struct sim_onlooker *o, const struct sim_datagram *d, const void *bytes,
                 size_t len, skua_time at)
{
    struct sim_host *to = sim_host_at(o->world, &d->to);
    unsigned place = place_at(&d->from);
    if (place < SIM_ONLOOKER_PLACES && len <= SIM_ONLOOKER_SYN) {
        memcpy(o->syn[place].bytes, bytes, len);
        o->syn[place].len = len;
    }
    sim_inject(to, &d->from, &d->to, bytes, len, at);
}

/* Whence and whither: another sender, another address of the receiver's, both, or the same again.
 */
static void redirect(struct sim_onlooker *o, struct skua_addr *from, struct skua_addr *to)
{
    uint64_t dice = sim_rng_below(&o->rng, 100);
    if (dice < 65) {
        *from = place_of((unsigned)sim_rng_below(&o->rng, SIM_ONLOOKER_PLACES));
    }
    if (dice >= 55 && dice < 85 && to->ip[0] == 10) {
        to->ip[1] = (uint8_t)sim_rng_below(&o->rng, 2);
        to->port = (uint16_t)(SIM_PORT + sim_rng_below(&o->rng, SIM_SOCKETS_MAX));
    }
}

static void copy(struct sim_onlooker *o, const struct sim_datagram *d, const struct sim_fate *fate,
                 bool syn)
{
    struct sim_world *w = o->world;
    struct sim_datagram way = {.from = d->from, .to = d->to};
    redirect(o, &way.from, &way.to);
    skua_time original = fate->copies > 0 ? fate->at[0] : w->now;
    bool ahead = w->now < o->till && sim_rng_chance(&o->rng, o->overtakes);
    skua_time at = ahead ? w->now + sim_rng_below(&o->rng, original - w->now + 1)
                         : original + sim_rng_log(&o->rng, SKUA_USEC, LATEST);
    if (at > o->till + LATEST) {
        return;
    }
    w->counts[syn ? SIM_COUNT_SYN_COPY : SIM_COUNT_COPY]++;
    w->counts[SIM_COUNT_COPY_AHEAD] += ahead;
    send(o, &way, d->bytes, d->len, at);
}

/* A REFUSE in his own name: to the server as from one who takes the SYN back, or to the client as
 * from a server where nobody listens. Not from where his copies come from: what they have opened he
 * can take back, as he could close any attempt in its client's name (docs/protocol.md §2.5). */
static void refuse(struct sim_onlooker *o, const struct sim_datagram *d)
{
    struct skua_head head;
    struct skua_syn syn;
    uint8_t bytes[SKUA_REFUSE_CAP];
    struct skua_writer w = skua_writer_of(bytes, sizeof bytes);
    if (skua_header_peek(d->bytes, d->len, SKUA_OWN_ID_LEN, &head) != SKUA_VERDICT_OK ||
        skua_syn_read(d->bytes, d->len, &head, &syn) != SKUA_VERDICT_OK) {
        return;
    }
    struct sim_datagram way = {.from = place_of(SIM_ONLOOKER_PLACES), .to = d->to};
    if (sim_rng_chance(&o->rng, 500000)) {
        skua_cancel_write(&w, &head, &syn);
    } else {
        skua_refuse_write(&w, &head, &syn, SKUA_CODE_REFUSED);
        way.to = d->from;
    }
    o->world->counts[SIM_COUNT_FORGED_REFUSE]++;
    sim_inject(sim_host_at(o->world, &way.to), &way.from, &way.to, bytes, skua_writer_len(&w),
               o->world->now + sim_rng_log(&o->rng, SKUA_USEC, SKUA_SEC));
}

/* His copy of a SYN is asked for a proof: he puts the token in and sends it again. */
static void answer(struct sim_onlooker *o, const struct sim_datagram *d, unsigned place)
{
    struct skua_head head, syn_head;
    struct skua_retry retry;
    struct skua_syn syn;
    const uint8_t *old = o->syn[place].bytes;
    size_t len = o->syn[place].len;
    uint8_t bytes[SIM_ONLOOKER_SYN];
    if (skua_header_peek(d->bytes, d->len, SKUA_OWN_ID_LEN, &head) != SKUA_VERDICT_OK ||
        skua_header_peek(old, len, SKUA_OWN_ID_LEN, &syn_head) != SKUA_VERDICT_OK ||
        syn_head.type != SKUA_PACKET_SYN ||
        skua_retry_read(d->bytes, d->len, &head, &retry) != SKUA_VERDICT_OK ||
        skua_syn_read(old, len, &syn_head, &syn) != SKUA_VERDICT_OK ||
        len + retry.token_len > sizeof bytes) {
        return;
    }
    struct skua_writer w = skua_writer_of(bytes, sizeof bytes);
    size_t behind = syn_head.body + 2u + syn.token_len;
    skua_writer_copy(&w, old, syn_head.body);
    skua_writer_u16(&w, retry.token_len);
    skua_writer_copy(&w, retry.token, retry.token_len);
    skua_writer_copy(&w, old + behind, len - behind);
    const struct sim_datagram way = {.from = d->to, .to = d->from};
    o->world->counts[SIM_COUNT_RETRY_ANSWERED]++;
    send(o, &way, bytes, skua_writer_len(&w),
         o->world->now + sim_rng_log(&o->rng, SKUA_USEC, 100 * SKUA_MSEC));
}

static enum skua_packet_type type_of(const struct sim_datagram *d)
{
    return (d->bytes[0] & SKUA_FIRST_LONG) != 0 ? (d->bytes[0] & 0x3cu) >> 2 : SKUA_PACKET_DATA;
}

static void see(void *arg, struct sim_host *host, const struct sim_datagram *d,
                struct sim_fate *fate)
{
    struct sim_onlooker *o = arg;
    (void)host;
    unsigned place = place_at(&d->to);
    if (place < SIM_ONLOOKER_PLACES) {
        if (type_of(d) == SKUA_PACKET_RETRY && o->world->now < o->till &&
            sim_rng_chance(&o->rng, o->answers)) {
            answer(o, d, place);
        }
        return;
    }
    if (sim_host_at(o->world, &d->to) == NULL) {
        return;
    }
    bool syn = type_of(d) == SKUA_PACKET_SYN;
    if (sim_rng_chance(&o->rng, syn ? o->syns : o->others)) {
        copy(o, d, fate, syn);
    }
    if (syn && sim_rng_chance(&o->rng, o->refuses)) {
        refuse(o, d);
    }
}

void sim_onlooker_start(struct sim_onlooker *o, struct sim_world *w, skua_time till)
{
    o->world = w;
    o->rng = sim_rng_split(w->seed, 600);
    o->till = till;
    o->syns = (uint32_t)sim_rng_log(&o->rng, 50000, SIM_CERTAIN);
    o->others = (uint32_t)sim_rng_log(&o->rng, 1000, 200000);
    o->overtakes = (uint32_t)sim_rng_below(&o->rng, SIM_CERTAIN);
    o->answers = (uint32_t)sim_rng_below(&o->rng, SIM_CERTAIN);
    o->refuses = (uint32_t)sim_rng_log(&o->rng, 10000, 500000);
    w->counts[SIM_COUNT_ONLOOKER]++;
    w->tap.sent = see;
    w->tap.arg = o;
}
