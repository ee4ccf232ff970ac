/* The file protocol's bytes (file_proto.h): encoders and decoders.
 *
 * Readers and writers are cursors with sticky failure: a decoder reads all its members first and
 * asks once, at the end, whether all was there and nothing is left. */
#include "file_proto.h"

#include <string.h>

/* --- cursors --- */

struct writer {
    uint8_t *start;
    size_t cap;
    size_t len;
    bool failed;
};

struct reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static void put_bytes(struct writer *w, const void *data, size_t len)
{
    if (w->failed || len > w->cap - w->len) {
        w->failed = true;
        return;
    }
    if (len > 0) {
        memcpy(w->start + w->len, data, len);
        w->len += len;
    }
}

static void put_int(struct writer *w, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
    put_bytes(w, bytes, size);
}

static void put_str(struct writer *w, struct skua_file_str str)
{
    if (str.len > SKUA_FILE_PATH_MAX) {
        w->failed = true;
        return;
    }
    put_int(w, str.len, 2);
    put_bytes(w, str.at, str.len);
}

/* Starts a record; the length is filled in by finish. */
static struct writer begin(uint8_t *out, size_t cap)
{
    struct writer w = {.start = out, .cap = cap};
    put_int(&w, 0, SKUA_FILE_HEAD_LEN);
    return w;
}

static size_t finish(struct writer *w, enum skua_file_record type)
{
    if (w->failed) {
        return 0;
    }
    skua_file_put_head(w->start, type, w->len - SKUA_FILE_HEAD_LEN);
    return w->len;
}

static const uint8_t *get_bytes(struct reader *r, size_t len)
{
    if (r->failed || len > r->left) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *at = r->at;
    r->at += len;
    r->left -= len;
    return at;
}

static uint64_t get_int(struct reader *r, size_t size)
{
    const uint8_t *at = get_bytes(r, size);
    uint64_t value = 0;
    for (size_t i = 0; at != NULL && i < size; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static struct skua_file_str get_str(struct reader *r)
{
    struct skua_file_str str = {.at = "", .len = 0};
    const size_t len = (size_t)get_int(r, 2);
    if (len > SKUA_FILE_PATH_MAX) {
        r->failed = true;
        return str;
    }
    const uint8_t *at = get_bytes(r, len);
    if (at != NULL && len > 0) {
        str.at = (const char *)at;
        str.len = len;
    }
    return str;
}

static enum skua_file_status get_status(struct reader *r)
{
    const uint8_t value = (uint8_t)get_int(r, 1);
    if (!skua_file_status_known(value)) {
        r->failed = true;
        return SKUA_STATUS_PROTOCOL;
    }
    return (enum skua_file_status)value;
}

static bool complete(const struct reader *r)
{
    return !r->failed && r->left == 0;
}

/* --- heads --- */

void skua_file_put_head(uint8_t out[SKUA_FILE_HEAD_LEN], enum skua_file_record type, size_t len)
{
    out[0] = (uint8_t)type;
    for (unsigned i = 0; i < 4; i++) {
        out[1 + i] = (uint8_t)(len >> (8 * (3 - i)));
    }
}

bool skua_file_get_head(const uint8_t in[SKUA_FILE_HEAD_LEN], bool control,
                        enum skua_file_record *type, size_t *len)
{
    const uint32_t body =
        (uint32_t)in[1] << 24 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 8 | (uint32_t)in[4];
    *len = body;
    *type = (enum skua_file_record)in[0];
    switch (in[0]) {
    case SKUA_FILE_CHUNK:
        return !control && body > SKUA_FILE_TAG_LEN &&
               body <= SKUA_FILE_CHUNK_MAX + SKUA_FILE_TAG_LEN;
    case SKUA_FILE_FILE:
    case SKUA_FILE_DIR:
    case SKUA_FILE_LINK:
    case SKUA_FILE_HOLE:
    case SKUA_FILE_END:
    case SKUA_FILE_ABORT:
    case SKUA_FILE_NOTICE:
        return !control && body <= SKUA_FILE_BODY_MAX;
    case SKUA_FILE_REQUEST:
    case SKUA_FILE_REPLY:
    case SKUA_FILE_TOTALS:
    case SKUA_FILE_SENT:
    case SKUA_FILE_VERDICTS:
    case SKUA_FILE_DONE:
        return control && body <= SKUA_FILE_CONTROL_MAX;
    default:
        return false;
    }
}

/* --- control stream --- */

size_t skua_file_put_request(uint8_t *out, size_t cap, const struct skua_file_request *request)
{
    if (request->count == 0 || request->count > SKUA_FILE_ROOTS_MAX) {
        return 0;
    }
    struct writer w = begin(out, cap);
    put_int(&w, request->version, 1);
    put_int(&w, request->op, 1);
    put_int(&w, request->flags, 2);
    put_str(&w, request->dst);
    put_int(&w, request->count, 2);
    for (size_t i = 0; i < request->count; i++) {
        put_str(&w, request->roots[i]);
    }
    return w.len > SKUA_FILE_CONTROL_MAX ? 0 : finish(&w, SKUA_FILE_REQUEST);
}

bool skua_file_get_request(const uint8_t *body, size_t len, struct skua_file_request *out)
{
    struct reader r = {.at = body, .left = len};
    out->version = (uint8_t)get_int(&r, 1);
    const uint64_t op = get_int(&r, 1);
    out->op = op == SKUA_FILE_PUT ? SKUA_FILE_PUT : SKUA_FILE_GET;
    out->flags = (uint16_t)get_int(&r, 2);
    out->dst = get_str(&r);
    out->count = (size_t)get_int(&r, 2);
    if ((op != SKUA_FILE_PUT && op != SKUA_FILE_GET) || out->count == 0 ||
        out->count > SKUA_FILE_ROOTS_MAX) {
        return false;
    }
    for (size_t i = 0; i < out->count; i++) {
        out->roots[i] = get_str(&r);
    }
    return complete(&r);
}

size_t skua_file_put_reply(uint8_t *out, size_t cap, const struct skua_file_reply *reply)
{
    struct writer w = begin(out, cap);
    put_int(&w, reply->version, 1);
    put_int(&w, reply->status, 1);
    return finish(&w, SKUA_FILE_REPLY);
}

bool skua_file_get_reply(const uint8_t *body, size_t len, struct skua_file_reply *out)
{
    struct reader r = {.at = body, .left = len};
    out->version = (uint8_t)get_int(&r, 1);
    out->status = get_status(&r);
    return complete(&r);
}

size_t skua_file_put_totals(uint8_t *out, size_t cap, const struct skua_file_totals *totals)
{
    struct writer w = begin(out, cap);
    put_int(&w, totals->entries, 8);
    put_int(&w, totals->bytes, 8);
    return finish(&w, SKUA_FILE_TOTALS);
}

bool skua_file_get_totals(const uint8_t *body, size_t len, struct skua_file_totals *out)
{
    struct reader r = {.at = body, .left = len};
    *out = (struct skua_file_totals){0};
    out->entries = get_int(&r, 8);
    out->bytes = get_int(&r, 8);
    return complete(&r);
}

size_t skua_file_put_sent(uint8_t *out, size_t cap, const struct skua_file_totals *totals)
{
    struct writer w = begin(out, cap);
    put_int(&w, totals->entries, 8);
    put_int(&w, totals->bytes, 8);
    put_int(&w, totals->streams, 2);
    return finish(&w, SKUA_FILE_SENT);
}

bool skua_file_get_sent(const uint8_t *body, size_t len, struct skua_file_totals *out)
{
    struct reader r = {.at = body, .left = len};
    out->entries = get_int(&r, 8);
    out->bytes = get_int(&r, 8);
    out->streams = (uint16_t)get_int(&r, 2);
    return complete(&r) && out->streams <= SKUA_FILE_STREAMS_MAX;
}

enum { VERDICT_LEN = 9 };

size_t skua_file_put_verdicts(uint8_t *out, size_t cap, const struct skua_file_verdict *verdicts,
                              size_t count)
{
    if (count > SKUA_FILE_VERDICTS_PER_RECORD) {
        return 0;
    }
    struct writer w = begin(out, cap);
    for (size_t i = 0; i < count; i++) {
        put_int(&w, verdicts[i].id, 8);
        put_int(&w, verdicts[i].status, 1);
    }
    return finish(&w, SKUA_FILE_VERDICTS);
}

bool skua_file_get_verdicts(const uint8_t *body, size_t len, size_t *count)
{
    struct skua_file_verdict verdict;
    *count = len / VERDICT_LEN;
    if (len % VERDICT_LEN != 0 || *count > SKUA_FILE_VERDICTS_PER_RECORD) {
        return false;
    }
    for (size_t i = 0; i < *count; i++) {
        if (!skua_file_get_verdict(body, i, &verdict)) {
            return false;
        }
    }
    return true;
}

bool skua_file_get_verdict(const uint8_t *body, size_t index, struct skua_file_verdict *out)
{
    struct reader r = {.at = body + index * VERDICT_LEN, .left = VERDICT_LEN};
    out->id = get_int(&r, 8);
    out->status = get_status(&r);
    return complete(&r);
}

size_t skua_file_put_done(uint8_t *out, size_t cap, const struct skua_file_done *done)
{
    struct writer w = begin(out, cap);
    put_int(&w, done->stored, 8);
    put_int(&w, done->failed, 8);
    return finish(&w, SKUA_FILE_DONE);
}

bool skua_file_get_done(const uint8_t *body, size_t len, struct skua_file_done *out)
{
    struct reader r = {.at = body, .left = len};
    out->stored = get_int(&r, 8);
    out->failed = get_int(&r, 8);
    return complete(&r);
}

/* --- data streams --- */

size_t skua_file_put_entry(uint8_t *out, size_t cap, const struct skua_file_entry *entry)
{
    struct writer w = begin(out, cap);
    put_int(&w, entry->id, 8);
    put_int(&w, entry->root, 2);
    put_int(&w, entry->mode, 2);
    put_int(&w, (uint64_t)entry->mtime_s, 8);
    put_int(&w, entry->mtime_ns, 4);
    put_str(&w, entry->path);
    if (entry->type == SKUA_FILE_FILE) {
        put_int(&w, entry->size, 8);
    } else if (entry->type == SKUA_FILE_LINK) {
        put_str(&w, entry->target);
    }
    return finish(&w, entry->type);
}

bool skua_file_get_entry(enum skua_file_record type, const uint8_t *body, size_t len,
                         struct skua_file_entry *out)
{
    struct reader r = {.at = body, .left = len};
    *out = (struct skua_file_entry){.type = type, .target = {.at = "", .len = 0}};
    out->id = get_int(&r, 8);
    out->root = (uint16_t)get_int(&r, 2);
    out->mode = (uint16_t)get_int(&r, 2);
    out->mtime_s = (int64_t)get_int(&r, 8);
    out->mtime_ns = (uint32_t)get_int(&r, 4);
    out->path = get_str(&r);
    if (type == SKUA_FILE_FILE) {
        out->size = get_int(&r, 8);
    } else if (type == SKUA_FILE_LINK) {
        out->target = get_str(&r);
    }
    return complete(&r) && out->mode <= 0777 && out->mtime_ns < 1000000000U &&
           out->size <= INT64_MAX;
}

size_t skua_file_put_hole(uint8_t *out, size_t cap, uint64_t len)
{
    struct writer w = begin(out, cap);
    put_int(&w, len, 8);
    return finish(&w, SKUA_FILE_HOLE);
}

bool skua_file_get_hole(const uint8_t *body, size_t len, uint64_t *out)
{
    struct reader r = {.at = body, .left = len};
    *out = get_int(&r, 8);
    return complete(&r) && *out > 0;
}

size_t skua_file_put_end(uint8_t *out, size_t cap, const struct skua_file_end *end)
{
    struct writer w = begin(out, cap);
    put_int(&w, end->has_hash ? 1 : 0, 1);
    put_bytes(&w, end->tag, sizeof end->tag);
    if (end->has_hash) {
        put_bytes(&w, end->hash, sizeof end->hash);
    }
    return finish(&w, SKUA_FILE_END);
}

bool skua_file_get_end(const uint8_t *body, size_t len, struct skua_file_end *out)
{
    struct reader r = {.at = body, .left = len};
    *out = (struct skua_file_end){0};
    const uint64_t has_hash = get_int(&r, 1);
    out->has_hash = has_hash == 1;
    const uint8_t *tag = get_bytes(&r, sizeof out->tag);
    const uint8_t *hash = out->has_hash ? get_bytes(&r, sizeof out->hash) : NULL;
    if (!complete(&r) || has_hash > 1) {
        return false;
    }
    memcpy(out->tag, tag, sizeof out->tag);
    if (hash != NULL) {
        memcpy(out->hash, hash, sizeof out->hash);
    }
    return true;
}

size_t skua_file_put_abort(uint8_t *out, size_t cap, enum skua_file_status status)
{
    struct writer w = begin(out, cap);
    put_int(&w, status, 1);
    return finish(&w, SKUA_FILE_ABORT);
}

bool skua_file_get_abort(const uint8_t *body, size_t len, enum skua_file_status *out)
{
    struct reader r = {.at = body, .left = len};
    *out = get_status(&r);
    return complete(&r) && *out != SKUA_STATUS_OK;
}

size_t skua_file_put_notice(uint8_t *out, size_t cap, const struct skua_file_notice *notice)
{
    struct writer w = begin(out, cap);
    put_int(&w, notice->id, 8);
    put_int(&w, notice->root, 2);
    put_int(&w, notice->status, 1);
    put_str(&w, notice->path);
    return finish(&w, SKUA_FILE_NOTICE);
}

bool skua_file_get_notice(const uint8_t *body, size_t len, struct skua_file_notice *out)
{
    struct reader r = {.at = body, .left = len};
    out->id = get_int(&r, 8);
    out->root = (uint16_t)get_int(&r, 2);
    out->status = get_status(&r);
    out->path = get_str(&r);
    return complete(&r) && out->status != SKUA_STATUS_OK;
}
