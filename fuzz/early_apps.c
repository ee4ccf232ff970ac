/* The target of early data: what the honest client writes and the server reads, each stream and
 * message with a tag of its own, by which it is known wherever it comes out. */
#include "fuzz_early.h"

#include "rng.h"

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

void early_server_heard(struct side *s, const struct skua_event *e)
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

bool early_is_wanted(void *user, const struct skua_key *key, const struct skua_path *path)
{
    const struct run *f = user;
    (void)key;
    (void)path;
    return !f->unwanted;
}

void early_client_heard(struct side *s, const struct skua_event *e)
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

/* --- the honest client */

bool early_choose_token(const struct run *f, const uint8_t args[3], struct skua_token *token)
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

void early_dial(struct run *f, const uint8_t args[6])
{
    struct skua_endpoint *ep = f->p.client.host->ep;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    struct skua_token token;
    struct call *call = &f->calls[f->call_count % CALLS];
    const struct skua_path path = sim_path(f->p.client.host, args[3] / 4 % 2, f->p.server.host);
    config.tokens = true;
    config.ik = true;
    config.server_key = &f->server_key;
    config.token = early_choose_token(f, args, &token) ? &token : NULL;
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

void early_act(struct run *f, const uint8_t args[4])
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

void early_listen(struct run *f)
{
    SIM_CHECK(f->p.w, skua_endpoint_listen(f->p.server.host->ep, &f->listen) == SKUA_OK);
    memset(f->delivered, 0, sizeof f->delivered);
}

void early_serve(struct run *f, const uint8_t args[2])
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
            early_listen(f);
        }
        break;
    case 7:
        s->host->heap.fail_at = 0;
        sim_host_restart(s->host);
        f->reader_count = 0;
        early_listen(f);
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
