/* See record.h. What a packet carries is known from the trace: the frames come before their packet,
 * the packets of a batch in the order in which they leave. What was sealed and not sent (a record's
 * copy of a RST) comes before what was, so that of too many the last ones count. */
#include "record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/assert.h"
#include "base/trace.h"
#include "base/verdict.h"
#include "ladder.h"
#include "path/ecn.h"

enum {
    EVENTS_MAX = 20000, /* what comes later is counted and not kept */
    TRACED_MAX = 4096,  /* packets sealed in one batch */
    FAULTS_MAX = 64,
    INJECTED_MAX = 32,
    KINDS = KIND_WITH_FRAME + 256
};

/* No packet is under way for longer. */
#define FLIGHT_MAX (5 * SKUA_SEC)

/* Of one host: what was traced and is not on the link yet. */
struct traced {
    struct packet packets[TRACED_MAX];
    size_t first, count;
    struct packet open; /* its frames so far */
    unsigned sent[KINDS];
    skua_time last_arrival; /* of what left so far */
    uint64_t opened_pn;     /* of the datagram that is being received */
    uint64_t resets;        /* stateless RESETs seen */
};

static struct {
    struct pair *pair;
    skua_time start;
    bool stopped;
    struct ladder_event *events;
    size_t count, cap;
    struct fault faults[FAULTS_MAX];
    size_t fault_count;
    unsigned injected;
    struct traced traced[2]; /* by index of the host */
    uint64_t half_open;
    void (*watch)(struct side *from, const struct sim_datagram *datagram);
    void (*watch_trace)(struct side *s, const struct skua_trace_event *event);
} r;

static struct side *side_of(const struct sim_host *host)
{
    return host == r.pair->client.host ? &r.pair->client
                                       : (host == r.pair->server.host ? &r.pair->server : NULL);
}

static struct ladder_event *add(struct side *s)
{
    if (r.stopped || r.count == EVENTS_MAX) {
        return NULL;
    }
    if (r.count == r.cap) {
        r.cap = r.cap != 0 ? r.cap * 2 : 256;
        r.events = realloc(r.events, r.cap * sizeof *r.events);
        SKUA_ASSERT(r.events != NULL);
    }
    struct ladder_event *e = &r.events[r.count++];
    memset(e, 0, sizeof *e);
    e->side = s;
    e->at = r.pair->w->now - r.start;
    return e;
}

/* The address that a reader does not expect there. */
static struct skua_addr unusual(const struct skua_addr *is, const struct side *expected)
{
    struct skua_addr first = sim_addr(expected->host, 0);
    return skua_addr_equal(is, &first) ? (struct skua_addr){.family = SKUA_FAMILY_NONE} : *is;
}

void record_injected(struct side *to, const struct skua_addr *from, size_t len)
{
    struct side *other = to == &r.pair->client ? &r.pair->server : &r.pair->client;
    struct ladder_event *e = r.injected++ < INJECTED_MAX ? add(other) : NULL;
    if (e != NULL) {
        e->is_packet = true;
        e->packet = (struct packet){.from = other,
                                    .injected = true,
                                    .peer = unusual(from, other),
                                    .pn = UINT64_MAX,
                                    .size = len,
                                    .at = e->at,
                                    .copies = 1,
                                    .arrived = {e->at}};
    }
}

void record_note(struct side *s, const char *text)
{
    struct ladder_event *e = add(s);
    if (e != NULL) {
        (void)snprintf(e->note, sizeof e->note, "%s", text);
    }
}

/* --- the trace --- */

static void on_frame(struct packet *p, const uint64_t *args)
{
    if (args[0] != PADDING && p->frame_count < FRAMES_KEPT) {
        p->frames[p->frame_count++] = (struct wire_frame){args[0], args[1], args[2], args[3]};
    }
}

static void on_packet(struct traced *t, const uint64_t *args)
{
    SKUA_ASSERT(t->first + t->count < TRACED_MAX);
    struct packet *p = &t->packets[t->first + t->count++];
    *p = t->open;
    p->kind = (unsigned)args[0];
    p->pn = p->kind == SYN || p->kind == REFUSE ? UINT64_MAX : args[1];
    memset(&t->open, 0, sizeof t->open);
}

/* How well a packet fits a verdict, given the number that was read off the datagram. */
static unsigned fitness(const struct packet *p, unsigned verdict, uint64_t pn)
{
    switch (verdict) {
    case SKUA_VERDICT_BAD_AUTH:
        return p->damaged ? 2 : 1;
    case SKUA_VERDICT_DUPLICATE:
    case SKUA_VERDICT_TOO_OLD:
        return p->pn == pn ? 2 : 1;
    default:
        return 1;
    }
}

/* The datagram that is dropped now arrived now and has this size. */
static void on_dropped(const struct side *receiver, const uint64_t *args, skua_time at)
{
    struct packet *best = NULL;
    unsigned best_copy = 0, best_fitness = 0;
    unsigned verdict = (unsigned)args[0];
    for (size_t i = r.count; i-- > 0 && !r.stopped && r.events[i].at + FLIGHT_MAX >= at;) {
        struct packet *p = r.events[i].is_packet ? &r.events[i].packet : NULL;
        if (p == NULL || p->from == receiver || p->size != args[1]) {
            continue;
        }
        for (unsigned k = 0; k < p->copies; k++) {
            unsigned fits = fitness(p, verdict, r.traced[receiver->host->index].opened_pn);
            if (p->arrived[k] == at && p->verdict[k] == SKUA_VERDICT_OK && fits >= best_fitness) {
                best = p;
                best_copy = k;
                best_fitness = fits;
            }
        }
    }
    if (best != NULL) {
        best->verdict[best_copy] = verdict;
    }
}

/* A NAT drops what arrives now: as good as lost. */
static void on_filtered(void *arg, struct sim_host *to, const struct sim_datagram *d)
{
    (void)arg;
    skua_time at = to->world->now - r.start;
    for (size_t i = r.count; i-- > 0;) {
        struct packet *p = r.events[i].is_packet ? &r.events[i].packet : NULL;
        if (p != NULL && p->from->host != to && p->size == d->len && p->copies == 1 &&
            p->arrived[0] == at) {
            p->copies = 0;
            return;
        }
    }
}

/* Sockets of a host are told apart by their number, others by their port. */
static void on_path(struct side *s, const uint64_t args[4])
{
    static const char *const what[] = {"is tried", "is proven", "in use", "given up"};
    char text[80];
    bool own = s == &r.pair->client;
    (void)snprintf(text, sizeof text, "path %s %" PRIu64 " %s", own ? "from socket" : "to port",
                   own ? args[1] : args[3], what[args[0]]);
    record_note(s, text);
}

static void on_trace(void *arg, struct sim_host *host, const struct skua_trace_event *e)
{
    (void)arg;
    struct side *s = side_of(host);
    if (s == NULL) {
        return;
    }
    if (r.watch_trace != NULL) {
        r.watch_trace(s, e);
    }
    struct traced *t = &r.traced[host->index];
    switch ((enum skua_trace_type)e->type) {
    case SKUA_TRACE_FRAME_SENT:
        on_frame(&t->open, e->args);
        break;
    case SKUA_TRACE_PACKET_SENT:
        on_packet(t, e->args);
        break;
    case SKUA_TRACE_DROPPED:
        on_dropped(s, e->args, r.pair->w->now - r.start);
        break;
    case SKUA_TRACE_STATE:
        record_note(s, skua_state_name((enum skua_state)e->args[1]));
        r.half_open += e->args[1] == SKUA_STATE_SYN_RCVD; /* said: early data have made it */
        break;
    case SKUA_TRACE_PATH:
        on_path(s, e->args);
        break;
    case SKUA_TRACE_PACKET_RECEIVED:
        t->opened_pn = e->args[1];
        break;
    case SKUA_TRACE_PACKET_ACKED:
    case SKUA_TRACE_PACKET_LOST:
    case SKUA_TRACE_FRAME_RECEIVED:
    case SKUA_TRACE_RTT:
    case SKUA_TRACE_CWND:
    case SKUA_TRACE_TIMER:
    case SKUA_TRACE_KEY_PHASE:
    case SKUA_TRACE_MTU:
    case SKUA_TRACE_ECN:
    case SKUA_TRACE_CLOSED:
        break;
    }
}

static void on_batch(void *arg, struct sim_host *host, size_t datagrams)
{
    (void)arg;
    if (side_of(host) == NULL) {
        return;
    }
    struct traced *t = &r.traced[host->index];
    if (t->count == 0) { /* an answer, which no connection sealed */
        t->first = 0;
    }
    while (t->count > datagrams) {
        t->first++;
        t->count--;
    }
}

/* --- the wire --- */

static bool is_of_kind(const struct packet *p, unsigned kind)
{
    if (kind == ANY || kind == p->kind) {
        return true;
    }
    for (unsigned i = 0; kind >= KIND_WITH_FRAME && i < p->frame_count; i++) {
        uint64_t type = p->frames[i].type;
        unsigned wanted = kind & ~(unsigned)KIND_WITH_FRAME;
        if (frame_is(type, wanted) || (wanted == STREAM && type == STREAM_END)) {
            return true;
        }
    }
    return false;
}

/* Has the host's endpoint just answered for a connection that it has forgotten? */
static bool is_reset(struct sim_host *host, struct traced *t)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(host->ep, &stats);
    uint64_t answered = stats.verdicts[SKUA_VERDICT_FORGOTTEN];
    t->resets = t->resets > answered ? 0 : t->resets; /* another endpoint, after a crash */
    bool reset = t->resets < answered;
    t->resets += reset;
    return reset;
}

/* The packet that goes with a datagram. */
static void identify(struct packet *p, struct sim_host *host, struct traced *t,
                     const struct sim_datagram *d)
{
    bool is_long = d->len > 0 && (d->bytes[0] & SKUA_FIRST_LONG) != 0;
    memset(p, 0, sizeof *p);
    if (t->count > 0) {
        *p = t->packets[t->first++];
        t->count--;
    } else if (is_long) {
        p->kind = d->bytes[0] >> 2 & 15u;
        p->pn = UINT64_MAX;
    } else {
        p->kind = is_reset(host, t) ? RESET : DATA;
        p->sealed_before = p->kind == DATA;
        p->pn = UINT64_MAX;
    }
    if (t->count == 0) {
        t->first = 0;
    }
}

static void apply(struct fault *f, const struct sim_datagram *d, struct sim_fate *fate)
{
    switch (f->what) {
    case FAULT_DROP:
        fate->copies = 0;
        break;
    case FAULT_DELAY:
        fate->at[0] += f->time;
        break;
    case FAULT_DUPLICATE:
        if (fate->copies == 1) {
            fate->at[fate->copies++] = fate->at[0] + f->time;
        }
        break;
    case FAULT_CORRUPT:
        fate->flips = 3;
        break;
    case FAULT_MARK:
        fate->ecn = SKUA_ECN_CE;
        break;
    case FAULT_KEEP:
        f->kept->len = d->len < sizeof f->kept->bytes ? d->len : sizeof f->kept->bytes;
        memcpy(f->kept->bytes, d->bytes, f->kept->len);
        break;
    }
}

static void count_kinds(struct traced *t, const struct packet *p)
{
    t->sent[ANY]++;
    t->sent[p->kind]++;
    bool seen[256] = {false};
    for (unsigned i = 0; i < p->frame_count; i++) {
        unsigned type = (unsigned)p->frames[i].type & 0xff;
        unsigned plain = type == STREAM_END ? STREAM : type == ACK_ECN ? ACK : type;
        if (plain != type && !seen[plain]) {
            seen[plain] = true;
            t->sent[WITH(plain)]++;
        }
        if (!seen[type]) {
            seen[type] = true;
            t->sent[WITH(type)]++;
        }
    }
}

/* SYN_RCVD is no state of a connection, but an entry more in the SYN queue. */
static void note_half_open(struct side *s)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(s->host->ep, &stats);
    if (s == &r.pair->server && stats.half_open != r.half_open) {
        if (stats.half_open > r.half_open) {
            record_note(s, skua_state_name(SKUA_STATE_SYN_RCVD));
        }
        r.half_open = stats.half_open;
    }
}

static void on_sent(void *arg, struct sim_host *host, const struct sim_datagram *d,
                    struct sim_fate *fate)
{
    (void)arg;
    struct side *s = side_of(host);
    if (s == NULL) {
        return;
    }
    if (r.watch != NULL) {
        r.watch(s, d);
    }
    struct traced *t = &r.traced[host->index];
    struct packet p;
    identify(&p, host, t, d);
    p.from = s;
    for (size_t i = 0; i < r.fault_count; i++) {
        struct fault *f = &r.faults[i];
        if (f->from == s && is_of_kind(&p, f->kind)) {
            f->seen++;
            if (f->seen >= f->first && f->seen - f->first < f->count) {
                apply(f, d, fate);
            }
        }
    }
    note_half_open(s);
    count_kinds(t, &p);
    struct ladder_event *e = add(s);
    if (e == NULL) {
        return;
    }
    p.size = d->len;
    p.peer = unusual(&d->to, s == &r.pair->client ? &r.pair->server : &r.pair->client);
    p.at = e->at;
    p.copies = fate->copies;
    p.damaged = fate->flips > 0;
    p.marked = fate->ecn == SKUA_ECN_CE;
    for (unsigned i = 0; i < p.copies; i++) {
        p.arrived[i] = fate->at[i] - r.start;
    }
    e->is_packet = true;
    e->packet = p;
    /* Whatever left earlier and arrives later was overtaken. */
    for (size_t i = r.count - 1; p.copies > 0 && i-- > 0 && t->last_arrival > p.arrived[0];) {
        struct packet *old = &r.events[i].packet;
        if (r.events[i].is_packet && old->from == s && old->copies > 0) {
            old->late = old->late || old->arrived[0] > p.arrived[0];
        }
    }
    if (p.copies > 0 && p.arrived[0] > t->last_arrival) {
        t->last_arrival = p.arrived[0];
    }
}

/* --- asking --- */

const struct packet *record_packet(const struct side *s, unsigned kind, unsigned nth)
{
    for (size_t i = 0; i < r.count; i++) {
        const struct packet *p = &r.events[i].packet;
        if (r.events[i].is_packet && !p->injected && p->from == s && is_of_kind(p, kind) &&
            --nth == 0) {
            return p;
        }
    }
    return NULL;
}

unsigned record_count(const struct side *s, unsigned kind)
{
    return r.traced[s->host->index].sent[kind];
}

void record_fault(const struct fault *fault)
{
    SKUA_ASSERT(r.fault_count < FAULTS_MAX && fault->first > 0);
    r.faults[r.fault_count++] = *fault;
}

void record_draw(FILE *out)
{
    ladder_draw(out, r.events, r.count, &r.pair->client);
}

/* --- life --- */

void record_begin(struct pair *p)
{
    SKUA_ASSERT(r.pair == NULL);
    r.pair = p;
    r.start = p->w->now;
    p->w->tap = (struct sim_tap){
        .trace = on_trace, .batch = on_batch, .sent = on_sent, .filtered = on_filtered};
}

void record_watch(void (*watch)(struct side *from, const struct sim_datagram *datagram))
{
    r.watch = watch;
}

void record_watch_trace(void (*watch)(struct side *s, const struct skua_trace_event *event))
{
    r.watch_trace = watch;
}

void record_forget(void)
{
    r.count = 0;
    r.injected = 0;
    r.start = r.pair->w->now;
    for (unsigned i = 0; i < 2; i++) {
        memset(&r.traced[i], 0, sizeof r.traced[i]);
    }
}

void record_stop(void)
{
    r.stopped = true;
    r.watch = NULL;
    r.watch_trace = NULL;
    r.fault_count = 0;
}

void record_end(void)
{
    free(r.events);
    memset(&r, 0, sizeof r);
}
