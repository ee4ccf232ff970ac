/* Early data and admission under attack. The input drives an honest client with tokens good and
 * bad, the server's application, a link that loses, somebody who sends copies of what the client
 * sent from here and there, a hostile client who puts what it likes into SYNs of the client's key,
 * and a hostile server with the server's key, who says what it likes of early data. Then:
 *
 *   - what the honest client wrote once is delivered once at most for as long as a listener lives,
 *     from its first byte on and no more than was written
 *   - nobody comes in whose key is not wanted, and no client believes that something was taken
 *     which it did not send
 *   - an address that has not answered gets three times what it sent (oracle)
 *   - connections, half-open entries, strikes and memory stay within their limits
 *   - in the end all of it goes away
 *
 * Two bytes configure the listener. Then, again and again: an operation, a length, so many bytes.
 */
#include "fuzz_early.h"

#include "base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPERATIONS_MAX = 120, MEMORY_MAX = 4 << 20 };

static void note_sent(void *arg, struct sim_host *from, const struct sim_datagram *d,
                      struct sim_fate *fate)
{
    struct run *f = arg;
    (void)fate;
    if (from == f->p.client.host && d->len <= COPY_MAX) {
        struct copy *copy = &f->copies[f->copy_count++ % COPIES];
        memcpy(copy->bytes, d->bytes, d->len);
        copy->len = d->len;
    }
}

/* --- what must hold */

static void check(struct run *f)
{
    struct sim_world *w = f->p.w;
    const struct skua_endpoint *ep = f->p.server.host->ep;
    unsigned early = 0;
    struct skua_node *node = skua_list_first(&ep->conns);
    for (; node != NULL; node = skua_list_next(&ep->conns, node)) {
        const struct skua_connection *c = SKUA_CONTAINER_OF(node, struct skua_connection, all_link);
        early += c->half_open;
        SIM_CHECK(w, !c->early_open || c->close.ended || c->half_open);
        SIM_CHECK(w, !c->early_open || c->count.bytes_sent <= SKUA_LIMIT_EARLY_SEND);
    }
    SIM_CHECK(w, early == ep->early_count && early <= f->listen.early_backlog);
    SIM_CHECK(w, skua_syn_queue_count(&ep->syns) <= f->listen.syn_backlog + early);
    SIM_CHECK(w, ep->accept_queue <= f->listen.backlog + early);
    SIM_CHECK(w, ep->early == NULL ||
                     skua_idmap_count(&ep->early->strikes) <= SKUA_LIMIT_EARLY_STRIKES);
    sim_oracle_turn(f->p.server.host, true);
    sim_oracle_turn(f->p.client.host, true);
    for (int i = 0; i < 2; i++) {
        SIM_CHECK(w, f->p.w->host[i].heap.used < MEMORY_MAX);
    }
}

/* --- operations */

/* The link and the clocks. */
static void pass(struct run *f, const uint8_t args[4])
{
    static const skua_time units[] = {SKUA_MSEC, 20 * SKUA_MSEC, SKUA_SEC, 0};
    switch (args[0] % 6) {
    case 0:
        f->p.client.drop_next = args[1] % 8;
        break;
    case 1:
        f->p.server.drop_next = args[1] % 8;
        break;
    case 2:
        f->p.client.dark = args[1] % 2 != 0;
        f->p.server.dark = args[1] / 2 % 2 != 0;
        break;
    case 3: /* the server's clock falls back, and goes ahead as far */
        f->p.server.host->clock_lag = args[1] * SKUA_SEC;
        sim_host_wake(f->p.server.host, f->p.w->now);
        break;
    default:
        break;
    }
    pair_run(&f->p, args[2] * units[args[3] % 4]);
}

static void operate(struct run *f, unsigned what, const uint8_t *bytes, size_t len)
{
    uint8_t args[6] = {0};
    memcpy(args, bytes, len < sizeof args ? len : sizeof args);
    switch (what % 8) {
    case 0:
    case 1:
        early_dial(f, args);
        break;
    case 2:
        early_act(f, args);
        break;
    case 3:
        early_serve(f, args);
        break;
    case 4:
        early_replay(f, args);
        break;
    case 5:
        early_forge_syn(f, args, bytes + (len > 4 ? 4 : len), len > 4 ? len - 4 : 0);
        break;
    case 6:
        early_forge_syn_ack(f, args);
        break;
    default:
        pass(f, args);
        break;
    }
    pair_run(&f->p, SKUA_USEC * 100);
    check(f);
}

/* --- a run */

static void begin(struct run *f, const uint8_t setup[2])
{
    static const struct sim_link_config link = {.delay = SKUA_MSEC};
    memset(f, 0, sizeof *f);
    ends_init(&f->ends, SKUA_PATTERN_IK);
    pair_init(&f->p, "", &link);
    f->p.w->replay = "";
    f->p.w->user = f;
    f->p.w->tap.sent = note_sent;
    f->p.w->tap.arg = f;
    f->listen = (struct skua_listen_config)SKUA_LISTEN_CONFIG_INIT;
    f->listen.early_data = true;
    f->listen.retry = (enum skua_retry_mode)(setup[0] % 3);
    f->listen.early_backlog = 1 + setup[0] / 4 % 4;
    f->listen.syn_backlog = 1 + setup[0] / 16;
    f->listen.backlog = 1 + setup[1] % 4;
    f->listen.abort_on_overflow = setup[1] / 4 % 2 != 0;
    f->listen.early_window_ns = setup[1] / 8 % 2 != 0 ? 100 * SKUA_SEC : 0;
    f->listen.retry_handshakes = setup[1] / 16;
    f->listen.allow = early_is_wanted;
    f->listen.allow_user = f;
    f->p.server.drains = f->p.client.drains = false;
    f->p.server.plain = f->p.client.plain = true;
    f->p.server.heard = early_server_heard;
    f->p.client.heard = early_client_heard;
    f->server_key = *skua_endpoint_key(f->p.server.host->ep);
    const struct skua_addr server = sim_addr(f->p.server.host, 0);
    sim_oracle_proven(f->p.client.host, &server);
    early_listen(f);
}

/* Everybody hangs up; then there is to be nothing left. */
static void end(struct run *f)
{
    f->ending = true;
    f->unwanted = false;
    f->p.server.accepts = false;
    f->p.client.dark = f->p.server.dark = false;
    f->p.client.drop_next = f->p.server.drop_next = 0;
    f->p.server.host->heap.fail_at = 0;
    f->p.server.host->clock_lag = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct sim_host *host = &f->p.w->host[i];
        struct skua_node *node = skua_list_first(&host->ep->conns);
        while (node != NULL) {
            const struct skua_connection *c =
                SKUA_CONTAINER_OF(node, struct skua_connection, all_link);
            node = skua_list_next(&host->ep->conns, node);
            if (c->handle != 0) {
                (void)skua_conn_abort(host->ep, c->handle, 0, NULL);
            }
        }
        sim_host_wake(host, f->p.w->now);
    }
    pair_run(&f->p, SEC(1));
    check(f);
    SIM_CHECK(f->p.w, skua_endpoint_unlisten(f->p.server.host->ep) == SKUA_OK);
    pair_run(&f->p, SEC(3000)); /* a round trip during which the clock was set is a long one */
    pair_end(&f->p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run f; /* large; begins anew each time */
    if (size < 4) {
        return 0;
    }
    begin(&f, data);
    size_t at = 2;
    for (int i = 0; i < OPERATIONS_MAX && at + 2 <= size; i++) {
        size_t len = data[at + 1];
        uint8_t what = data[at];
        at += 2;
        len = len < size - at ? len : size - at;
        operate(&f, what, data + at, len);
        at += len;
    }
    end(&f);
    return 0;
}
