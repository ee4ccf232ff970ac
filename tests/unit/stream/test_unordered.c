/* Unordered reading: bytes come as they arrive, each once, with their place; credit comes back for
 * them, within bounds; the end comes when all were read. */
#include "base/limits.h"
#include "stream/internal.h"
#include "table.h"

#define STREAM id_of(0, 0, 1)

/* Bytes of the peer's stream 0: their offset, modulo 251. */
static enum skua_code put(struct table *t, uint64_t offset, size_t len, bool fin)
{
    static uint8_t bytes[65536];
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)((offset + i) % 251);
    }
    struct skua_stream_frame frame = {
        .id = STREAM, .offset = offset, .data = bytes, .len = len, .fin = fin};
    enum skua_code code = skua_streams_on_stream(&t->streams, &frame, false);
    memset(bytes, 0xdd, sizeof bytes);
    return code;
}

/* The peer's stream, which opens with `len` bytes at `offset`, read without order. */
static struct skua_stream *begin(struct table *t, uint64_t offset, size_t len)
{
    struct skua_stream *stream;
    assert_int_equal(put(t, offset, len, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAM);
    assert_int_equal(skua_streams_set_unordered(stream), SKUA_OK);
    return stream;
}

/* One piece of up to `most` bytes, which must be `len` bytes at `offset`. */
static void expect_piece(struct skua_stream *stream, size_t most, uint64_t offset, size_t len)
{
    static uint8_t out[65536];
    uint64_t at = 1;
    size_t n = 1;
    assert_int_equal(skua_streams_read_piece(stream, out, most, &at, &n), SKUA_OK);
    assert_int_equal(at, offset);
    assert_int_equal(n, len);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(out[i], (at + i) % 251);
    }
    skua_streams_check(stream->streams);
}

static void expect_none(struct skua_stream *stream, enum skua_err err)
{
    uint8_t out[8];
    uint64_t at;
    size_t n = 1;
    assert_int_equal(skua_streams_read_piece(stream, out, sizeof out, &at, &n), err);
    assert_int_equal(n, 0);
    struct skua_piece pieces[2];
    n = 2;
    assert_int_equal(skua_streams_peek_pieces(stream, pieces, &n), err);
    assert_int_equal(n, 0);
}

static void bytes_behind_a_gap(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream;
    struct skua_stream *s = begin(t, 100, 50);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_READABLE);
    expect_piece(s, 30, 100, 30);
    expect_piece(s, 100, 130, 20);
    expect_none(s, SKUA_EAGAIN);
    /* Again, and with more on both sides: only what is new comes. */
    assert_int_equal(put(t, 90, 70, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_READABLE);
    expect_piece(s, 100, 90, 10);
    expect_piece(s, 100, 150, 10);
    assert_int_equal(put(t, 100, 60, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_NONE);
    expect_none(s, SKUA_EAGAIN);
    /* The gap is filled: everything up to 160 has come, and is read but for the first 90. */
    assert_int_equal(put(t, 0, 120, false), SKUA_CODE_NO_ERROR);
    struct skua_stream_info info;
    skua_streams_info(s, &info);
    assert_int_equal(info.read, 0);
    assert_int_equal(info.readable, 90);
    expect_piece(s, 1000, 0, 90);
    skua_streams_info(s, &info);
    assert_int_equal(info.read, 160);
    assert_int_equal(info.readable, 0);
}

static void the_end_comes_when_all_was_read(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream;
    struct skua_stream *s = begin(t, 10, 10);
    expect_piece(s, 100, 10, 10);
    assert_int_equal(put(t, 20, 5, true), SKUA_CODE_NO_ERROR);
    expect_piece(s, 100, 20, 5);
    expect_none(s, SKUA_EAGAIN);
    while (table_event(t, &stream) != SKUA_EVENT_NONE) {
    }
    assert_int_equal(put(t, 0, 10, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_READABLE);
    expect_piece(s, 100, 0, 10);
    expect_none(s, SKUA_EOF);
}

/* Credit comes back for what is read beyond a gap: of the connection and of the stream. */
static void credit_for_what_is_read(void **state)
{
    struct table *t = *state;
    struct skua_stream *s = begin(t, 1, 999);
    assert_false(table_send(t, TABLE_PACKET) != 0 && table_has(t, SKUA_FRAME_MAX_STREAM_DATA));
    expect_piece(s, 2000, 1, 999);
    assert_true(table_send(t, TABLE_PACKET) > 0);
    assert_true(table_sent(t, SKUA_FRAME_MAX_STREAM_DATA)->stream_max.max >= 1999);
    table_fate(t, true);
    assert_int_equal(t->streams.window.consumed, 999);
}

/* A peer that never fills the gap gets credit for a largest window beyond it, and no more: else the
 * ring of blocks would grow with all that it sends. */
static void a_gap_for_good(void **state)
{
    struct table *t = *state;
    struct skua_stream *s = begin(t, 1, 900);
    uint64_t at = 901;
    for (int i = 0; i < 300; i++) {
        table_flush(t);
        uint64_t edge = s->recv.window.announced;
        uint64_t conn = t->streams.window.announced - t->streams.received;
        uint64_t len = edge - at < conn ? edge - at : conn;
        len = len < 500 ? len : 500;
        if (len != 0) {
            assert_int_equal(put(t, at, (size_t)len, false), SKUA_CODE_NO_ERROR);
            at += len;
        }
        uint8_t out[4000];
        uint64_t offset;
        size_t n;
        (void)skua_streams_read_piece(s, out, sizeof out, &offset, &n);
        skua_streams_check(&t->streams);
    }
    assert_true(at > s->recv.window.max);
    assert_true(at <= 2 * s->recv.window.max);
    expect_none(s, SKUA_EAGAIN);
    assert_int_equal(s->recv.buf.blocks, 0);
    /* The missing byte sets everything free. */
    assert_int_equal(put(t, 0, 1, false), SKUA_CODE_NO_ERROR);
    expect_piece(s, 10, 0, 1);
    assert_int_equal(s->recv.window.consumed, at);
}

static void switched_on_late(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream;
    assert_int_equal(put(t, 0, 300, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(put(t, 400, 100, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAM);
    uint8_t out[200];
    size_t n;
    uint64_t at;
    /* Each way of reading has its time. */
    assert_int_equal(skua_streams_read_piece(stream, out, 10, &at, &n), SKUA_ESTATE);
    struct skua_piece pieces[4];
    n = 4;
    assert_int_equal(skua_streams_peek_pieces(stream, pieces, &n), SKUA_ESTATE);
    assert_int_equal(skua_streams_read(stream, out, 200, &n), SKUA_OK);
    assert_int_equal(skua_streams_set_unordered(stream), SKUA_OK);
    assert_int_equal(skua_streams_set_unordered(stream), SKUA_OK);
    assert_int_equal(skua_streams_read(stream, out, 200, &n), SKUA_ESTATE);
    struct skua_vec vec[4];
    n = 4;
    assert_int_equal(skua_streams_peek(stream, vec, &n), SKUA_ESTATE);
    n = 4;
    assert_int_equal(skua_streams_peek_pieces(stream, pieces, &n), SKUA_OK);
    assert_int_equal(n, 2);
    assert_int_equal(pieces[0].offset, 200);
    assert_int_equal(pieces[0].len, 100);
    assert_int_equal(pieces[1].offset, 400);
    assert_int_equal(skua_streams_consume(stream, 201), SKUA_EINVAL);
    assert_int_equal(skua_streams_consume(stream, 150), SKUA_OK);
    skua_streams_check(&t->streams);
    expect_piece(stream, 100, 450, 50);
}

static void where_it_cannot_be(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream;
    assert_int_equal(skua_streams_set_unordered(table_open(t, SKUA_STREAM_UNI)), SKUA_ESTATE);
    assert_int_equal(skua_streams_set_unordered(table_open(t, SKUA_STREAM_MESSAGES)), SKUA_ESTATE);
    struct skua_stream *s = begin(t, 5, 10);
    assert_int_equal(skua_streams_on_reset_stream(&t->streams, STREAM, 3, 20), SKUA_CODE_NO_ERROR);
    expect_none(s, SKUA_ERESET);
    assert_int_equal(skua_streams_set_unordered(s), SKUA_ERESET);
    skua_streams_check(&t->streams);
    assert_int_equal(table_data(t, id_of(1, 0, 1), 5, 10, false), SKUA_CODE_NO_ERROR);
    while (table_event(t, &stream) != SKUA_EVENT_STREAM) {
    }
    assert_int_equal(skua_streams_set_unordered(stream), SKUA_OK);
    assert_int_equal(skua_streams_stop(stream, 1), SKUA_OK);
    expect_none(stream, SKUA_ESTATE);
    assert_int_equal(skua_streams_set_unordered(stream), SKUA_ESTATE);
    /* What arrives is noted all the same, and forgotten. */
    assert_int_equal(table_data(t, id_of(1, 0, 1), 0, 8, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, id_of(1, 0, 1), 20, 8, false), SKUA_CODE_NO_ERROR);
    skua_streams_check(&t->streams);
}

/* Ranges that wait to be read count as gaps do. */
static void ranges_are_bounded(void **state)
{
    struct table *t = table_new();
    (void)state;
    struct skua_streams_config config = table_config(t);
    config.initial_max_data = config.max_data_window = 1 << 20;
    config.initial_max_stream = config.max_stream_window = 1 << 20;
    skua_streams_init(&t->streams, &config);
    (void)begin(t, 1, 1);
    enum skua_code code = SKUA_CODE_NO_ERROR;
    uint64_t at = 3;
    while (code == SKUA_CODE_NO_ERROR) {
        code = put(t, at, 1, false);
        at += 2;
    }
    assert_int_equal(code, SKUA_CODE_MEMORY);
    assert_true(at / 2 > SKUA_LIMIT_RECV_GAPS_THIN / 2);
    assert_true(at / 2 <= SKUA_LIMIT_RECV_GAPS_THIN + 2);
    skua_streams_deinit(&t->streams);
    skua_blocks_deinit(&t->blocks);
    assert_int_equal(t->heap.used, 0);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        table_test(bytes_behind_a_gap),       table_test(the_end_comes_when_all_was_read),
        table_test(credit_for_what_is_read),  table_test(a_gap_for_good),
        table_test(switched_on_late),         table_test(where_it_cannot_be),
        cmocka_unit_test(ranges_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
