/* See model.h. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/recv_buf.h"
#include "stream/send_buf.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum {
    SPACE = 65536, /* bytes of a modelled stream */
    LOANS = 64,    /* borrowed buffers until settle */
};

static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)(offset * 31 + (offset >> 8) * 17 + (offset >> 12) * 5);
}

struct memory {
    struct skua_heap heap;
    struct skua_blocks blocks;
    struct skua_stream_mem mem;
};

static void memory_init(struct memory *m)
{
    skua_heap_init(&m->heap, NULL);
    skua_blocks_init(&m->blocks, &m->heap, SKUA_STREAM_BLOCK, 2);
    m->mem = (struct skua_stream_mem){.heap = &m->heap, .blocks = &m->blocks};
}

static void memory_deinit(struct memory *m)
{
    CHECK(m->mem.gaps == 0 && m->mem.pieces == 0);
    CHECK(skua_blocks_in_use(&m->blocks) == 0);
    skua_blocks_deinit(&m->blocks);
    CHECK(m->heap.used == 0);
}

/* --- receiving --- */

struct recv_model {
    struct memory m;
    struct skua_recv_buf buf;
    bool has[SPACE];
    bool taken[SPACE]; /* unordered: was handed out */
    uint64_t read, end, arrived;
    bool discarding, unordered;
    uint8_t *loans[LOANS];
    size_t loan_lens[LOANS];
    size_t loan_count;
};

static void recv_settle(struct recv_model *r)
{
    CHECK(skua_recv_buf_settle(&r->buf, &r->m.mem) == SKUA_OK);
    CHECK(!skua_recv_buf_has_loans(&r->buf));
    for (size_t i = 0; i < r->loan_count; i++) {
        memset(r->loans[i], 0xdb, r->loan_lens[i]);
        free(r->loans[i]);
    }
    r->loan_count = 0;
}

static void recv_put(struct recv_model *r, struct pair_source *source)
{
    uint64_t offset = pair_pick(source, 3) != 0 ? r->end : r->read;
    offset += pair_pick(source, 4) == 0 ? pair_pick(source, 20000) : 0;
    offset = offset < SPACE - 1 ? offset : SPACE - 1;
    size_t len = 1 + pair_pick(source, pair_pick(source, 2) != 0 ? 1500 : 12000);
    len = len < SPACE - offset ? len : (size_t)(SPACE - offset);
    bool borrowed = pair_pick(source, 2) != 0;
    if (borrowed && r->loan_count == LOANS) {
        recv_settle(r);
    }
    uint8_t *bytes = malloc(len);
    CHECK(bytes != NULL);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = byte_at(offset + i);
        r->arrived += !r->has[offset + i];
        r->has[offset + i] = true;
    }
    CHECK(skua_recv_buf_put(&r->buf, &r->m.mem, offset, bytes, len, borrowed) == SKUA_OK);
    if (borrowed) {
        r->loans[r->loan_count] = bytes;
        r->loan_lens[r->loan_count++] = len;
    } else {
        memset(bytes, 0xdb, len);
        free(bytes);
    }
    while (r->end < SPACE && r->has[r->end]) {
        r->end++;
    }
}

static void recv_take(struct recv_model *r, struct pair_source *source)
{
    uint64_t readable = r->discarding ? 0 : r->end - r->read;
    if (pair_pick(source, 2) != 0) {
        uint8_t out[9000];
        size_t wanted = pair_pick(source, (uint32_t)sizeof out);
        size_t got = skua_recv_buf_read(&r->buf, &r->m.mem, out, wanted);
        CHECK(got == (readable < wanted ? readable : wanted));
        for (size_t i = 0; i < got; i++) {
            CHECK(out[i] == byte_at(r->read + i));
        }
        r->read += got;
        return;
    }
    struct skua_vec vec[6];
    size_t count = skua_recv_buf_peek(&r->buf, vec, 1 + pair_pick(source, 6));
    CHECK((count != 0) == (readable != 0));
    uint64_t at = r->read;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < vec[i].len; k++) {
            CHECK(vec[i].data[k] == byte_at(at + k));
        }
        at += vec[i].len;
    }
    CHECK(at <= r->end || r->discarding);
    uint64_t taken = pair_pick(source, (uint32_t)(at - r->read) + 1);
    skua_recv_buf_consume(&r->buf, &r->m.mem, taken);
    r->read += taken;
}

/* --- unordered --- */

static void recv_set_unordered(struct recv_model *r)
{
    if (!r->discarding && !r->unordered) {
        CHECK(skua_recv_buf_set_unordered(&r->buf, &r->m.mem) == SKUA_OK);
        memset(r->taken, true, r->read);
        r->unordered = true;
    }
}

/* The lowest byte from `at` on that is there and was not taken; SPACE where there is none. */
static uint64_t next_fresh(const struct recv_model *r, uint64_t at)
{
    while (at < SPACE && (!r->has[at] || r->taken[at])) {
        at++;
    }
    return at;
}

static uint64_t count_fresh(const struct recv_model *r)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < SPACE; i++) {
        n += r->has[i] && !r->taken[i];
    }
    return n;
}

static void recv_take_pieces(struct recv_model *r, struct pair_source *source)
{
    struct skua_piece pieces[8];
    size_t max = 1 + pair_pick(source, 8);
    size_t count = skua_recv_pieces_peek(&r->buf, pieces, max);
    uint64_t at = 0;
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        CHECK(pieces[i].len != 0);
        for (size_t k = 0; k < pieces[i].len; k++) {
            at = next_fresh(r, at);
            CHECK(pieces[i].offset + k == at && pieces[i].data[k] == byte_at(at));
            at++;
        }
        total += pieces[i].len;
    }
    CHECK(count == max || next_fresh(r, at) == SPACE);
    uint64_t taken = pair_pick(source, (uint32_t)total + 1);
    skua_recv_buf_consume(&r->buf, &r->m.mem, taken);
    for (at = 0; taken != 0; taken--) {
        at = next_fresh(r, at);
        r->taken[at] = true;
    }
}

/* What the buffer says of itself. */
static void recv_check(const struct recv_model *r)
{
    skua_recv_buf_check(&r->buf);
    CHECK(r->buf.end == r->end && r->buf.arrived == r->arrived);
    uint64_t readable = r->unordered ? count_fresh(r) : r->end - r->read;
    CHECK(skua_recv_buf_readable(&r->buf) == (r->discarding ? 0 : readable));
    if (r->unordered && !r->discarding) {
        CHECK(r->buf.read == next_fresh(r, 0) || r->buf.read == r->end);
        CHECK(skua_recv_pieces_taken(&r->buf, UINT64_MAX) == r->arrived - readable);
        CHECK(skua_recv_pieces_taken(&r->buf, 0) == r->buf.read);
    }
}

void model_recv(struct pair_source source, unsigned steps)
{
    struct recv_model *r = calloc(1, sizeof *r);
    CHECK(r != NULL);
    memory_init(&r->m);
    skua_recv_buf_init(&r->buf);
    for (unsigned i = 0; i < steps; i++) {
        uint32_t what = pair_pick(&source, 64);
        if (what < 36) {
            recv_put(r, &source);
        } else if (what < 58 && r->unordered && !r->discarding) {
            recv_take_pieces(r, &source);
        } else if (what < 58) {
            recv_take(r, &source);
        } else if (what < 63) {
            recv_settle(r);
        } else if (pair_pick(&source, 8) == 0) {
            skua_recv_buf_discard(&r->buf, &r->m.mem);
            r->discarding = true;
        } else if (pair_pick(&source, 2) == 0) {
            recv_set_unordered(r);
        }
        recv_check(r);
        if (r->read == SPACE || r->end == SPACE) {
            break;
        }
    }
    recv_settle(r);
    skua_recv_buf_deinit(&r->buf, &r->m.mem);
    memory_deinit(&r->m);
    free(r);
}

/* --- sending --- */

enum byte_state { UNWRITTEN, WRITTEN, FLYING, LOST, ACKED };

struct send_model {
    struct memory m;
    struct skua_send_buf buf;
    uint8_t state[SPACE]; /* enum byte_state */
    uint8_t source[SPACE];
    uint64_t una, next, end;
};

static void send_write(struct send_model *s, struct pair_source *source)
{
    size_t len = 1 + pair_pick(source, pair_pick(source, 3) != 0 ? 700 : 9000);
    len = len < SPACE - s->end ? len : (size_t)(SPACE - s->end);
    size_t taken = 0;
    if (pair_pick(source, 2) != 0) {
        uint8_t bytes[9001];
        memcpy(bytes, s->source + s->end, len);
        CHECK(skua_send_buf_write(&s->buf, &s->m.mem, bytes, len, &taken) == SKUA_OK);
        CHECK(taken == len);
    } else {
        CHECK(skua_send_buf_lend(&s->buf, &s->m.mem, s->source + s->end, len) == SKUA_OK);
    }
    memset(s->state + s->end, WRITTEN, len);
    s->end += len;
}

static void send_fresh(struct send_model *s, struct pair_source *source)
{
    uint64_t len = pair_pick(source, 1500);
    len = len < s->end - s->next ? len : s->end - s->next;
    uint8_t out[1500];
    skua_send_buf_copy(&s->buf, s->next, out, (size_t)len);
    CHECK(memcmp(out, s->source + s->next, (size_t)len) == 0);
    skua_send_buf_sent(&s->buf, len);
    memset(s->state + s->next, FLYING, (size_t)len);
    s->next += len;
}

static void send_again(struct send_model *s, struct pair_source *source)
{
    uint64_t first = s->una;
    while (first < s->next && s->state[first] != LOST) {
        first++;
    }
    uint64_t until = first;
    while (until < s->next && s->state[until] == LOST) {
        until++;
    }
    uint64_t offset = 0;
    uint64_t len = 0;
    bool some = skua_send_buf_next_lost(&s->buf, &offset, &len);
    CHECK(some == (first < s->next));
    if (!some) {
        return;
    }
    CHECK(offset == first && len == until - first);
    len = 1 + pair_pick(source, (uint32_t)(len < 1500 ? len : 1500));
    len = len < until - first ? len : until - first;
    uint8_t out[1501];
    skua_send_buf_copy(&s->buf, offset, out, (size_t)len);
    CHECK(memcmp(out, s->source + offset, (size_t)len) == 0);
    skua_send_buf_resent(&s->buf, offset, len);
    memset(s->state + offset, FLYING, (size_t)len);
}

/* Acknowledges or loses some range of what was sent. */
static void send_fate(struct send_model *s, struct pair_source *source, bool acked)
{
    if (s->next == 0) {
        return;
    }
    uint64_t span = s->next - s->una;
    uint64_t offset = s->una + pair_pick(source, (uint32_t)span + 1);
    offset = pair_pick(source, 4) == 0 ? s->una : offset;
    offset -= pair_pick(source, 8) == 0 && offset > 100 ? 100 : 0;
    uint64_t len = pair_pick(source, 3000);
    len = len < s->next - offset ? len : s->next - offset;
    if (acked) {
        CHECK(skua_send_buf_acked(&s->buf, &s->m.mem, offset, len) == SKUA_OK);
    } else {
        CHECK(skua_send_buf_lost(&s->buf, &s->m.mem, offset, len) == SKUA_OK);
    }
    for (uint64_t i = offset; i < offset + len; i++) {
        if (acked) {
            s->state[i] = ACKED;
        } else if (s->state[i] == FLYING) {
            s->state[i] = LOST;
        }
    }
    while (s->una < s->next && s->state[s->una] == ACKED) {
        s->una++;
    }
}

void model_send(struct pair_source source, unsigned steps)
{
    struct send_model *s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    memory_init(&s->m);
    skua_send_buf_init(&s->buf);
    for (size_t i = 0; i < SPACE; i++) {
        s->source[i] = byte_at(i);
    }
    for (unsigned i = 0; i < steps && s->end < SPACE; i++) {
        uint32_t what = pair_pick(&source, 16);
        if (what < 4) {
            send_write(s, &source);
        } else if (what < 8) {
            send_fresh(s, &source);
        } else if (what < 11) {
            send_again(s, &source);
        } else if (what < 13) {
            send_fate(s, &source, false);
        } else {
            send_fate(s, &source, true);
        }
        skua_send_buf_check(&s->buf);
        CHECK(s->buf.una == s->una && s->buf.next == s->next && s->buf.end == s->end);
        CHECK(skua_send_buf_buffered(&s->buf) == s->end - s->una);
    }
    skua_send_buf_clear(&s->buf, &s->m.mem);
    memory_deinit(&s->m);
    free(s);
}
