/* Connecting by name: see connect.h.
 *
 * An attempt is in `attempts` for all its life, in `waiting` while another try is to come and at
 * least one is under way, and in `over` when it has failed without an event that says so. Every try
 * starts 250 ms after the one before or earlier, so that appending keeps `waiting` in order. */
#include "io/connect.h"

#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/time.h"
#include "io/address.h"
#include "io/driver.h"

enum { TRIES_MAX = 8 };
/* RFC 8305 §5: "Connection Attempt Delay". */
#define NEXT_TRY_DELAY (250 * SKUA_MSEC)

/* One connection of an attempt. */
struct skua_try {
    skua_conn conn;               /* 0 = not under way */
    struct skua_attempt *attempt; /* whose */
    struct skua_try *next;        /* in its bucket */
    int refusal;                  /* errno of the latest send that was refused; 0 = none */
};

struct skua_attempt {
    struct skua_connector *connector;  /* whose it is */
    struct skua_node node;             /* in `attempts` */
    struct skua_node place;            /* in `waiting` or `over` */
    uint64_t id;                       /* skua_ev_connect's number */
    struct skua_conn_config config;    /* copy; points into the members below */
    struct skua_key server_key;        /* copy */
    uint8_t psk[SKUA_PSK_LEN];         /* copy */
    char label[SKUA_LABEL_MAX + 1];    /* copy */
    struct skua_lookup *lookup;        /* under way, or NULL */
    struct skua_addr addrs[TRIES_MAX]; /* to try, in this order */
    unsigned addr_count;               /* of them */
    unsigned next_addr;                /* index of the next one */
    unsigned live;                     /* tries under way */
    skua_time next_at;                 /* when the next one is due, while in `waiting` */
    struct skua_event failure;         /* the most telling so far; type NONE = no failure yet */
    char reason[SKUA_CONNECT_REASON];  /* its text */
    struct skua_try tries[TRIES_MAX];  /* by address */
};

static struct skua_try **bucket_of(struct skua_connector *c, skua_conn conn)
{
    /* Fibonacci hashing: handles differ in slot and generation, anywhere in the word. */
    return &c->buckets[conn * UINT64_C(0x9e3779b97f4a7c15) >> 56];
}

static struct skua_try *find(struct skua_connector *c, skua_conn conn)
{
    struct skua_try *t = *bucket_of(c, conn);
    while (t != NULL && t->conn != conn) {
        t = t->next;
    }
    return t;
}

static void forget(struct skua_connector *c, struct skua_try *t)
{
    struct skua_try **at = bucket_of(c, t->conn);
    while (*at != t) {
        at = &(*at)->next;
    }
    *at = t->next;
    t->conn = 0;
    t->attempt->live--;
}

/* Ends the attempt, its tries and its lookup. */
static void drop(struct skua_connector *c, struct skua_attempt *a)
{
    for (unsigned i = 0; i < TRIES_MAX; i++) {
        if (a->tries[i].conn != 0) {
            skua_conn conn = a->tries[i].conn;
            forget(c, &a->tries[i]);
            (void)skua_conn_abort(c->ev->ep, conn, 0, NULL);
        }
    }
    if (a->lookup != NULL) {
        skua_lookup_cancel(a->lookup);
    }
    skua_list_remove(&a->node);
    skua_list_remove(&a->place);
    c->count--;
    struct skua_alloc *alloc = &c->ev->alloc;
    skua_wipe(a, sizeof *a);
    alloc->put(alloc->user, a, sizeof *a);
}

/* How much an error says about the peer: the attempt reports the most telling. */
static int weight(enum skua_err error)
{
    if (error == SKUA_EPEERKEY) {
        return 5;
    }
    if (error == SKUA_EVERSION) {
        return 4;
    }
    if (error == SKUA_ECONNREFUSED) {
        return 3;
    }
    return error == SKUA_ETIMEDOUT || error == SKUA_EUNREACHABLE ? 1 : 2;
}

static void note_failure(struct skua_attempt *a, const struct skua_event *event)
{
    if (a->failure.type == SKUA_EVENT_NONE || weight(event->error) > weight(a->failure.error)) {
        a->failure = *event;
        (void)snprintf(a->reason, sizeof a->reason, "%s", event->reason);
    }
}

static void note_error(struct skua_attempt *a, enum skua_err error, const char *reason)
{
    struct skua_event event = {.type = SKUA_EVENT_CLOSED, .error = error, .reason = reason};
    note_failure(a, &event);
}

/* The event that tells the attempt's failure; the attempt is gone afterwards. */
static void tell_failure(struct skua_connector *c, struct skua_attempt *a, struct skua_event *event)
{
    *event = a->failure;
    event->user = a->config.user;
    memcpy(c->reason, a->reason, sizeof c->reason);
    event->reason = c->reason;
    drop(c, a);
}

static enum skua_err start_try(struct skua_connector *c, struct skua_attempt *a, unsigned index)
{
    struct skua_path path = {.remote = a->addrs[index]};
    struct skua_try *t = &a->tries[index];
    skua_conn conn;
    enum skua_err err = skua_ev_outgoing_socket(c->ev, &path.remote, &path.socket);
    if (err == SKUA_EADDR) {
        return SKUA_EUNREACHABLE; /* the machine does not have this family */
    }
    if (err == SKUA_OK) {
        err = skua_conn_connect(c->ev->ep, &path, &a->config, &conn);
    }
    if (err != SKUA_OK) {
        return err;
    }
    struct skua_try **bucket = bucket_of(c, conn);
    *t = (struct skua_try){.conn = conn, .attempt = a, .next = *bucket};
    *bucket = t;
    a->live++;
    return SKUA_OK;
}

/* Starts the next try, and goes on to the one after where it fails at once. */
static void advance(struct skua_connector *c, struct skua_attempt *a, skua_time now)
{
    skua_list_remove(&a->place);
    while (a->next_addr < a->addr_count) {
        enum skua_err err = start_try(c, a, a->next_addr++);
        if (err == SKUA_OK) {
            break;
        }
        note_error(a, err, "");
    }
    if (a->live == 0) {
        skua_list_push_back(&c->over, &a->place);
    } else if (a->next_addr < a->addr_count) {
        a->next_at = skua_time_add(now, NEXT_TRY_DELAY);
        skua_list_push_back(&c->waiting, &a->place);
    }
}

/* The first address not in `used`, of a family other than `last` if `other`; `count` where there is
 * none. */
static size_t pick_addr(const struct skua_addr *addrs, size_t count, uint32_t used, uint8_t last,
                        bool other)
{
    size_t i = 0;
    while (i < count && ((used >> i & 1) != 0 || (other && addrs[i].family == last))) {
        i++;
    }
    return i;
}

/* RFC 8305 §4: the first address as the resolver prefers, then the families in turn. */
static void interleave(struct skua_attempt *a, const struct skua_addr *addrs, size_t count)
{
    uint32_t used = 0;
    uint8_t last = SKUA_FAMILY_NONE;
    while (a->addr_count < TRIES_MAX && a->addr_count < count) {
        size_t i = pick_addr(addrs, count, used, last, true);
        if (i == count) {
            i = pick_addr(addrs, count, used, last, false);
        }
        used |= UINT32_C(1) << i;
        last = addrs[i].family;
        a->addrs[a->addr_count++] = addrs[i];
    }
}

/* The name is looked up. No handler is called from here; the loop's turn does that. */
static void on_lookup(void *user, const struct skua_lookup_result *result)
{
    struct skua_attempt *a = user;
    struct skua_connector *c = a->connector;
    a->lookup = NULL;
    if (result->count == 0) {
        note_error(a, SKUA_ENAME, result->error);
    }
    interleave(a, result->addrs, result->count);
    advance(c, a, skua_clock_now(c->ev->sys));
}

void skua_connector_init(struct skua_connector *connector, struct skua_ev *ev)
{
    memset(connector, 0, sizeof *connector);
    connector->ev = ev;
    skua_list_init(&connector->attempts);
    skua_list_init(&connector->waiting);
    skua_list_init(&connector->over);
}

static struct skua_attempt *first_of(const struct skua_node *list)
{
    return SKUA_CONTAINER_OF(skua_list_first(list), struct skua_attempt, place);
}

void skua_connector_deinit(struct skua_connector *connector)
{
    while (!skua_list_empty(&connector->attempts)) {
        struct skua_node *node = skua_list_first(&connector->attempts);
        drop(connector, SKUA_CONTAINER_OF(node, struct skua_attempt, node));
    }
}

skua_time skua_connector_next(const struct skua_connector *connector)
{
    return skua_list_empty(&connector->waiting) ? SKUA_NEVER
                                                : first_of(&connector->waiting)->next_at;
}

void skua_connector_run(struct skua_connector *connector, skua_time now)
{
    while (skua_connector_next(connector) <= now) {
        advance(connector, first_of(&connector->waiting), now);
    }
}

/* Whether a try of the attempt is under way to `remote`. */
static bool tries_address(const struct skua_attempt *a, const struct skua_addr *remote)
{
    for (unsigned i = 0; i < a->next_addr; i++) {
        if (a->tries[i].conn != 0 && skua_addr_equal(&a->addrs[i], remote)) {
            return true;
        }
    }
    return false;
}

void skua_connector_hint(struct skua_connector *connector, const struct skua_addr *remote)
{
    struct skua_node *next;
    for (struct skua_node *n = connector->waiting.next; n != &connector->waiting; n = next) {
        struct skua_attempt *a = SKUA_CONTAINER_OF(n, struct skua_attempt, place);
        next = n->next;
        if (a->next_at != 0 && tries_address(a, remote)) {
            a->next_at = 0; /* at once, and so first in the list */
            skua_list_remove(n);
            skua_list_push_front(&connector->waiting, n);
        }
    }
}

/* The peer was not heard, and nothing says why. */
static bool is_silence(const struct skua_event *event)
{
    bool silence = event->error == SKUA_ETIMEDOUT || event->error == SKUA_EUNREACHABLE;
    return silence && event->reason[0] == '\0';
}

void skua_connector_refused(struct skua_connector *connector, skua_conn conn, int error)
{
    struct skua_try *t = find(connector, conn);
    if (t != NULL) {
        t->refusal = error;
    }
}

bool skua_connector_filter(struct skua_connector *connector, struct skua_event *event)
{
    bool ends = event->type == SKUA_EVENT_ESTABLISHED || event->type == SKUA_EVENT_CLOSED;
    struct skua_try *t = ends ? find(connector, event->conn) : NULL;
    if (t == NULL) {
        return true;
    }
    struct skua_attempt *a = t->attempt;
    forget(connector, t);
    if (event->type == SKUA_EVENT_ESTABLISHED) {
        drop(connector, a);
        return true;
    }
    char text[SKUA_CONNECT_REASON];
    if (is_silence(event) && t->refusal != 0) { /* this machine does not let its packets out */
        (void)snprintf(text, sizeof text, "some packets could not be sent: %s",
                       strerror(t->refusal));
        event->reason = text;
    }
    note_failure(a, event);
    /* A server with another key, or without a common version, has been reached: other addresses of
     * the name would only hide that. */
    if (event->error == SKUA_EPEERKEY || event->error == SKUA_EVERSION) {
        tell_failure(connector, a, event);
        return true;
    }
    if (a->live == 0 && a->next_addr == a->addr_count) {
        tell_failure(connector, a, event);
        return true;
    }
    if (a->live == 0) {
        advance(connector, a, skua_clock_now(connector->ev->sys));
    }
    return false;
}

bool skua_connector_poll(struct skua_connector *connector, struct skua_event *event)
{
    if (skua_list_empty(&connector->over)) {
        return false;
    }
    tell_failure(connector, first_of(&connector->over), event);
    return true;
}

/* Copies the caller's settings; false where they are out of range. */
static bool copy_config(struct skua_attempt *a, const struct skua_conn_config *config)
{
    const struct skua_conn_config defaults = SKUA_CONN_CONFIG_INIT;
    a->config = defaults;
    if (config == NULL) {
        return true;
    }
    if (skua_conn_config_check(config) != SKUA_OK || config->token != NULL) {
        return false;
    }
    a->config = *config;
    if (a->config.server_key != NULL) {
        a->server_key = *a->config.server_key;
        a->config.server_key = &a->server_key;
    }
    if (a->config.psk != NULL) {
        memcpy(a->psk, a->config.psk, sizeof a->psk);
        a->config.psk = a->psk;
    }
    if (a->config.label != NULL) {
        memcpy(a->label, a->config.label, strlen(a->config.label));
        a->config.label = a->label;
    }
    return true;
}

/* Gets the attempt under way: by the address itself, or by a lookup. */
static enum skua_err begin(struct skua_connector *c, struct skua_attempt *a, const char *host,
                           uint16_t port)
{
    struct skua_resolver *resolver;
    if (skua_address_parse_host(&a->addrs[0], host, port)) {
        a->addr_count = 1;
        advance(c, a, skua_clock_now(c->ev->sys));
        return SKUA_OK;
    }
    enum skua_err err = skua_ev_resolver(c->ev, &resolver);
    return err != SKUA_OK ? err
                          : skua_resolver_start(resolver, host, port, on_lookup, a, &a->lookup);
}

enum skua_err skua_ev_connect(struct skua_ev *ev, const char *host, uint16_t port,
                              const struct skua_conn_config *config, uint64_t *attempt)
{
    struct skua_connector *c = &ev->connector;
    if (host == NULL || port == 0) {
        return SKUA_EINVAL;
    }
    struct skua_attempt *a = ev->alloc.get(ev->alloc.user, sizeof *a);
    if (a == NULL) {
        return SKUA_ENOMEM;
    }
    memset(a, 0, sizeof *a);
    a->connector = c;
    a->id = ++c->last_id;
    skua_list_push_back(&c->attempts, &a->node);
    c->count++;
    enum skua_err err = copy_config(a, config) ? begin(c, a, host, port) : SKUA_EINVAL;
    if (err != SKUA_OK) {
        drop(c, a);
        return err;
    }
    if (attempt != NULL) {
        *attempt = a->id;
    }
    skua_ev_update_hold(ev);
    return SKUA_OK;
}

enum skua_err skua_ev_connect_cancel(struct skua_ev *ev, uint64_t attempt)
{
    struct skua_connector *c = &ev->connector;
    for (struct skua_node *n = c->attempts.next; n != &c->attempts; n = n->next) {
        struct skua_attempt *a = SKUA_CONTAINER_OF(n, struct skua_attempt, node);
        if (a->id == attempt) {
            drop(c, a);
            return SKUA_OK;
        }
    }
    return SKUA_ECLOSED;
}
