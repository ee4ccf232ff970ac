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
#include <string.h>

#include "base/limits.h"
#include "base/rng.h"
#include "endpoint/endpoint.h"
#include "fuzz_handshake.h"
#include "pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    OPERATIONS_MAX = 120,
    CALLS = 6,    /* connections of the client that operations can name */
    STREAMS = 3,  /* of each: bidirectional, unidirectional, ... */
    MESSAGES = 2, /* ... and one of messages */
    WRITE_MAX = 4096,
    TOKENS = 6,  /* newest that were received */
    COPIES = 12, /* newest datagrams that the client sent */
    COPY_MAX = 1500,
    TAGS = 250,   /* streams and messages of the client in all */
    READERS = 64, /* streams of the server that are followed */
    TAG_LEN = 8,
    MEMORY_MAX = 4 << 20
};

struct call {
    skua_conn conn;
    bool gave; /* there was something in its SYN */
    skua_stream streams[STREAMS];
    uint8_t tags[STREAMS];
};

/* What the server has read of a stream. */
struct reader {
    skua_stream stream;
    uint8_t tag[TAG_LEN];
    uint64_t len;
};

struct copy {
    uint8_t bytes[COPY_MAX];
    size_t len;
};

struct run {
    struct pair p;
    struct ends ends; /* its generator is for what is forged */
    struct skua_listen_config listen;
    struct skua_key server_key;
    struct call calls[CALLS];
    unsigned call_count;
    struct skua_token tokens[TOKENS];
    unsigned token_count;
    struct copy copies[COPIES];
    unsigned copy_count;
    uint64_t written[TAGS]; /* bytes, by tag */
    bool delivered[TAGS];   /* to the application above the present listener */
    unsigned tag_count;
    struct reader readers[READERS];
    unsigned reader_count;
    bool unwanted; /* the client's key */
    bool ending;
};

static void write_tag(uint8_t out[TAG_LEN], unsigned tag)
{
    const uint64_t bits = sim_mix(tag + UINT64_C(0x5eed));
    memcpy(out, &bits, TAG_LEN);
}

/* --- the applications */

/* The first bytes say which stream of the client's it is; forged ones say nothing. */
static void note_read(struct run *f, const struct reader *r, bool complete)
{
    for (unsigned tag = 0; tag < f->tag_count; tag++) {
        uint8_t expected[TAG_LEN];
        write_tag(expected, tag);
        if (memcmp(expected, r->tag, TAG_LEN) != 0) {
            continue;
        }
        SIM_CHECK(f->p.w, r->len <= f->written[tag]);
        if (complete) {
            SIM_CHECK(f->p.w, !f->delivered[tag]);
            f->delivered[tag] = true;
        }
    }
}

static struct reader *reader_of(struct run *f, skua_stream stream)
{
    for (unsigned i = 0; i < f->reader_count; i++) {
        if (f->readers[i].stream == stream) {
            return &f->readers[i];
        }
    }
    if (f->reader_count == READERS) {
        return NULL;
    }
    struct reader *r = &f->readers[f->reader_count++];
    *r = (struct reader){.stream = stream};
    return r;
}

static void read_messages(struct run *f, skua_stream stream)
{
    uint8_t bytes[TAG_LEN + WRITE_MAX];
    struct reader r = {.stream = stream};
    size_t n;
    while (skua_stream_recv_message(f->p.server.host->ep, stream, bytes, sizeof bytes, &n) == 0) {
        r.len = n;
        memcpy(r.tag, bytes, n < TAG_LEN ? n : TAG_LEN);
        if (n >= TAG_LEN) {
            note_read(f, &r, true);
        }
    }
}

static void read_bytes(struct run *f, skua_stream stream)
{
    struct reader *r = reader_of(f, stream);
    uint8_t bytes[2000];
    size_t n;
    while (skua_stream_read(f->p.server.host->ep, stream, bytes, sizeof bytes, &n) == 0 && n > 0) {
        if (r == NULL) {
            continue;
        }
        for (size_t i = 0; i < n && r->len + i < TAG_LEN; i++) {
            r->tag[r->len + i] = bytes[i];
        }
        bool complete = r->len < TAG_LEN && r->len + n >= TAG_LEN;
        r->len += n;
        if (r->len >= TAG_LEN) {
            note_read(f, r, complete);
        }
    }
}

static void read_stream(struct run *f, skua_stream stream)
{
    struct skua_stream_info info;
    if (skua_stream_info(f->p.server.host->ep, stream, &info) == SKUA_OK) {
        if (info.messages) {
            read_messages(f, stream);
        } else {
            read_bytes(f, stream);
        }
    }
}

static void server_heard(struct side *s, const struct skua_event *e)
{
    struct run *f = s->host->world->user;
    if (e->type == SKUA_EVENT_STREAM || e->type == SKUA_EVENT_READABLE) {
        read_stream(f, e->stream);
    } else if (e->type == SKUA_EVENT_INCOMING) {
        SIM_CHECK(f->p.w, !f->unwanted);
        if (f->ending) {
            (void)skua_conn_refuse(s->host->ep, e->conn, SKUA_CODE_REFUSED);
        }
    }
}

static bool is_wanted(void *user, const struct skua_key *key, const struct skua_path *path)
{
    const struct run *f = user;
    (void)key;
    (void)path;
    return !f->unwanted;
}

static void client_heard(struct side *s, const struct skua_event *e)
{
    struct run *f = s->host->world->user;
    struct skua_token *token = &f->tokens[f->token_count % TOKENS];
    for (unsigned i = 0; i < CALLS && e->type == SKUA_EVENT_ESTABLISHED && e->early; i++) {
        SIM_CHECK(f->p.w, f->calls[i].conn != e->conn || f->calls[i].gave);
    }
    if (e->type == SKUA_EVENT_TOKEN && skua_conn_token(s->host->ep, e->conn, token) == SKUA_OK) {
        f->token_count++;
    }
}

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

/* --- the honest client */

/* One of the tokens that were received, as it is or not. */
static bool choose_token(const struct run *f, const uint8_t args[4], struct skua_token *token)
{
    if (f->token_count == 0) {
        return false;
    }
    const unsigned kept = f->token_count < TOKENS ? f->token_count : TOKENS;
    *token = f->tokens[(f->token_count - 1 - args[0] % kept) % TOKENS];
    switch (args[1] % 8) {
    case 5:
        token->bytes[args[2] % token->len] ^= (uint8_t)(1u << args[2] % 8);
        break;
    case 6:
        token->len = (uint16_t)(1 + args[2] % token->len);
        break;
    case 7:
        return false;
    default:
        break;
    }
    return true;
}

/* Opens a stream, and writes a tag to one of bytes. */
static bool open_stream(struct run *f, struct call *call, unsigned i)
{
    struct skua_endpoint *ep = f->p.client.host->ep;
    const unsigned kind = i == MESSAGES ? SKUA_STREAM_UNI | SKUA_STREAM_MESSAGES : i;
    uint8_t tag[TAG_LEN];
    size_t n = 0;
    if (f->tag_count == TAGS || skua_stream_open(ep, call->conn, kind, &call->streams[i]) != 0) {
        return false;
    }
    if (i != MESSAGES) {
        write_tag(tag, f->tag_count);
        (void)skua_stream_write(ep, call->streams[i], tag, sizeof tag, &n);
        call->tags[i] = (uint8_t)f->tag_count;
        f->written[f->tag_count++] = n;
    }
    return i == MESSAGES || n == sizeof tag;
}

/* A message of a tag and `len` zeros. */
static void send_message(struct run *f, skua_stream stream, size_t len)
{
    uint8_t bytes[TAG_LEN + WRITE_MAX] = {0};
    if (f->tag_count < TAGS) {
        write_tag(bytes, f->tag_count);
        if (skua_stream_send_message(f->p.client.host->ep, stream, bytes, TAG_LEN + len) == 0) {
            f->written[f->tag_count++] = TAG_LEN + len;
        }
    }
}

/* Writes `len` zeros to a stream, on a fresh one after its tag; or sends a message. */
static void write_stream(struct run *f, struct call *call, unsigned i, size_t len, bool fresh)
{
    static const uint8_t zeros[WRITE_MAX];
    size_t n;
    if ((fresh && !open_stream(f, call, i)) || call->streams[i] == 0) {
        return;
    }
    if (i == MESSAGES) {
        send_message(f, call->streams[i], len);
    } else if (skua_stream_write(f->p.client.host->ep, call->streams[i], zeros, len, &n) == 0) {
        f->written[call->tags[i]] += n;
    }
}

/* args: token, what is done to it, where; how many streams; bytes of each; whether they end. */
static void dial(struct run *f, const uint8_t args[6])
{
    struct skua_endpoint *ep = f->p.client.host->ep;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    struct skua_token token;
    struct call *call = &f->calls[f->call_count % CALLS];
    const struct skua_path path = sim_path(f->p.client.host, args[3] / 4 % 2, f->p.server.host);
    config.tokens = true;
    config.ik = true;
    config.server_key = &f->server_key;
    config.token = choose_token(f, args, &token) ? &token : NULL;
    if (f->call_count >= CALLS) {
        (void)skua_conn_abort(ep, call->conn, 0, NULL);
    }
    memset(call, 0, sizeof *call);
    if (skua_conn_connect(ep, &path, &config, &call->conn) != SKUA_OK) {
        return;
    }
    f->call_count++;
    call->gave = config.token != NULL && args[3] % 4 != 0;
    for (unsigned i = 0; i < args[3] % 4 && i < STREAMS; i++) {
        write_stream(f, call, i, args[4] * (size_t)8, true);
        if (args[5] % 2 != 0) {
            (void)skua_stream_finish(ep, call->streams[i]);
        }
    }
    side_kick(&f->p.client);
}

static void act(struct run *f, const uint8_t args[4])
{
    struct skua_endpoint *ep = f->p.client.host->ep;
    struct call *call = &f->calls[args[0] % CALLS];
    const unsigned i = args[1] % STREAMS;
    switch (args[2] % 10) {
    case 0:
        write_stream(f, call, i, args[3] * (size_t)8, true);
        break;
    case 1:
        write_stream(f, call, i, args[3] * (size_t)16, false);
        break;
    case 2:
        (void)skua_stream_finish(ep, call->streams[i]);
        break;
    case 3:
        (void)skua_stream_reset(ep, call->streams[i], args[3]);
        break;
    case 4:
        (void)skua_stream_close(ep, call->streams[i]);
        call->streams[i] = 0;
        break;
    case 5:
        (void)skua_conn_shutdown(ep, call->conn);
        break;
    case 6:
        (void)skua_conn_close(ep, call->conn);
        break;
    case 7:
        (void)skua_conn_abort(ep, call->conn, args[3], "");
        break;
    case 8:
        (void)skua_stream_finish_confirm(ep, call->streams[i]);
        break;
    default:
        (void)skua_stream_stop(ep, call->streams[i], args[3]);
        break;
    }
    side_kick(&f->p.client);
}

/* --- the server */

/* Another listener: it knows nothing of what was delivered before. */
static void begin_listening(struct run *f)
{
    SIM_CHECK(f->p.w, skua_endpoint_listen(f->p.server.host->ep, &f->listen) == SKUA_OK);
    memset(f->delivered, 0, sizeof f->delivered);
}

static void serve(struct run *f, const uint8_t args[4])
{
    static const uint8_t zeros[4096];
    struct side *s = &f->p.server;
    struct skua_endpoint *ep = s->host->ep;
    size_t n;
    switch (args[0] % 10) {
    case 0:
        s->accepts = !s->accepts;
        break;
    case 1:
        (void)skua_conn_accept(ep, s->conn, NULL);
        break;
    case 2:
        (void)skua_conn_close(ep, s->conn);
        break;
    case 3:
        (void)skua_conn_abort(ep, s->conn, args[1], "");
        break;
    case 4:
        (void)skua_stream_write(ep, s->stream, zeros, args[1] * (size_t)16, &n);
        break;
    case 5:
        (void)skua_stream_finish(ep, s->stream);
        break;
    case 6:
        s->host->heap.fail_at = 0;
        if (skua_endpoint_unlisten(ep) == SKUA_OK) {
            begin_listening(f);
        }
        break;
    case 7:
        s->host->heap.fail_at = 0;
        sim_host_restart(s->host);
        f->reader_count = 0;
        begin_listening(f);
        break;
    case 8:
        f->unwanted = !f->unwanted;
        break;
    default: /* an allocation fails */
        s->host->heap.fail_at = s->host->heap.requests + 1 + args[1] % 16;
        break;
    }
    side_kick(s);
}

/* --- others */

/* The client's own address, or one that nobody answers at. */
static struct skua_addr place(const struct run *f, unsigned number)
{
    struct skua_addr addr = sim_addr(f->p.client.host, 0);
    if (number % 4 != 0) {
        addr.ip[0] = 192;
        addr.ip[3] = (uint8_t)(number % 16);
    }
    return addr;
}

static const struct copy *copy_of(const struct run *f, unsigned which)
{
    const unsigned kept = f->copy_count < COPIES ? f->copy_count : COPIES;
    return kept == 0 ? NULL : &f->copies[(f->copy_count - 1 - which % kept) % COPIES];
}

static void to_server(struct run *f, const struct skua_addr *from, const uint8_t *bytes, size_t len)
{
    const struct skua_addr to = sim_addr(f->p.server.host, 0);
    sim_inject(f->p.server.host, from, &to, bytes, len, f->p.w->now);
}

/* A copy of what the client sent, from somewhere; perhaps without its address token. */
static void replay(struct run *f, const uint8_t args[4])
{
    const struct copy *copy = copy_of(f, args[0]);
    const struct skua_addr from = place(f, args[1]);
    if (copy != NULL) {
        to_server(f, &from, copy->bytes, copy->len);
    }
}

/* A SYN of the client's key with `frames` as early data. */
static void forge_syn(struct run *f, const uint8_t args[4], const uint8_t *frames, size_t len)
{
    struct skua_token token = {.len = SKUA_EARLY_TOKEN_LEN};
    struct skua_initiator initiator;
    struct skua_params params;
    uint8_t syn[SKUA_SYN_CAP];
    (void)choose_token(f, args, &token);
    skua_params_init(&params);
    params.early_data = true;
    params.transport.initial_max_streams_bidi = args[3];
    const struct skua_early_data early = {
        .token = token.bytes, .token_len = token.len, .frames = frames, .frames_len = len};
    struct skua_initiator_config config = {.local = &f->p.client.host->ep->env.identity,
                                           .server_key = &f->server_key,
                                           .params = &params,
                                           .rng = &f->ends.rng,
                                           .suites = SKUA_SUITE_CHACHA20_POLY1305,
                                           .ik = true,
                                           .early = &early};
    config.dcid.len = config.scid.len = 8;
    skua_rng_fill(&f->ends.rng, config.dcid.bytes, 8);
    skua_rng_fill(&f->ends.rng, config.scid.bytes, 8);
    if (token.len + len <= SKUA_EARLY_ROOM && skua_initiator_init(&initiator, &config)) {
        struct skua_writer w = skua_writer_of(syn, sizeof syn);
        const struct skua_addr from = place(f, args[3]);
        skua_initiator_write_syn(&initiator, &w);
        to_server(f, &from, syn, skua_writer_len(&w));
        skua_initiator_wipe(&initiator);
    }
}

static enum skua_early_fate say(void *user, const struct skua_key *client,
                                const struct skua_early_data *early)
{
    (void)client;
    (void)early;
    return *(const uint8_t *)user % 2 == 0 ? SKUA_EARLY_TAKEN : SKUA_EARLY_REJECTED;
}

/* A SYN_ACK of the server's key for a SYN of the client's, with limits of its own choice. */
static void forge_syn_ack(struct run *f, const uint8_t args[4])
{
    const struct copy *copy = copy_of(f, args[0]);
    struct skua_head head;
    struct skua_syn syn;
    if (copy == NULL ||
        skua_header_peek(copy->bytes, copy->len, SKUA_OWN_ID_LEN, &head) != SKUA_VERDICT_OK ||
        head.type != SKUA_PACKET_SYN ||
        skua_syn_read(copy->bytes, copy->len, &head, &syn) != SKUA_VERDICT_OK) {
        return;
    }
    struct skua_params params;
    skua_params_init(&params);
    params.transport.initial_max_data = args[2] * UINT64_C(32);
    params.transport.initial_max_stream_data_uni = args[3] * UINT64_C(32);
    params.transport.initial_max_stream_data_bidi_remote = args[3] * UINT64_C(32);
    params.transport.initial_max_streams_bidi = args[1] / 2 % 4;
    params.transport.initial_max_streams_uni = args[1] / 8 % 4;
    const struct skua_early_judge judge = {say, (uint8_t[]){args[1]}};
    const struct skua_responder_config config = {.local = &f->p.server.host->ep->env.identity,
                                                 .params = &params.transport,
                                                 .rng = &f->ends.rng,
                                                 .suites = SKUA_SUITE_CHACHA20_POLY1305,
                                                 .early = &judge};
    struct skua_id id = {.len = 8};
    skua_rng_fill(&f->ends.rng, id.bytes, id.len);
    struct skua_responder responder;
    uint8_t packet[SKUA_SYN_ACK_CAP];
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    if (skua_responder_on_syn(&responder, &config, &head, &syn, &id, &w) == SKUA_VERDICT_OK) {
        const struct skua_addr from = sim_addr(f->p.server.host, 0);
        const struct skua_addr to = sim_addr(f->p.client.host, args[1] / 32 % 2);
        sim_inject(f->p.client.host, &from, &to, packet, skua_writer_len(&w), f->p.w->now);
    }
}

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
        dial(f, args);
        break;
    case 2:
        act(f, args);
        break;
    case 3:
        serve(f, args);
        break;
    case 4:
        replay(f, args);
        break;
    case 5:
        forge_syn(f, args, bytes + (len > 4 ? 4 : len), len > 4 ? len - 4 : 0);
        break;
    case 6:
        forge_syn_ack(f, args);
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
    f->listen.allow = is_wanted;
    f->listen.allow_user = f;
    f->p.server.drains = f->p.client.drains = false;
    f->p.server.plain = f->p.client.plain = true;
    f->p.server.heard = server_heard;
    f->p.client.heard = client_heard;
    f->server_key = *skua_endpoint_key(f->p.server.host->ep);
    const struct skua_addr server = sim_addr(f->p.server.host, 0);
    sim_oracle_proven(f->p.client.host, &server);
    begin_listening(f);
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
