/* Message streams: their ids and limits, boundaries, credit for what waits to be whole, and what a
 * peer may not do. */
#include "stream/internal.h"
#include "table.h"

#define MESSAGES(id) ((id) | 4)

enum { SERVER = 1, CLIENT = 0 };

/* `len` bytes of `data` at `offset` of a stream. */
static enum skua_code put(struct table *t, uint64_t id, uint64_t offset, const void *data,
                          size_t len, bool fin)
{
    struct skua_stream_frame frame = {
        .id = id, .offset = offset, .data = data, .len = len, .fin = fin};
    return skua_streams_on_stream(&t->streams, &frame, false);
}

/* A message stream of the peer's, reported, with these bytes. */
static struct skua_stream *from_peer(struct table *t, const void *data, size_t len, bool fin)
{
    struct skua_stream *stream;
    uint64_t id = MESSAGES(id_of(0, 0, SERVER));
    assert_int_equal(put(t, id, 0, data, len, fin), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAM);
    assert_int_equal(stream->id, id);
    return stream;
}

static void expect_message(struct skua_stream *stream, const void *want, size_t len)
{
    uint8_t out[2000];
    size_t got = 1;
    assert_int_equal(skua_streams_recv_message(stream, out, sizeof out, &got), SKUA_OK);
    assert_int_equal(got, len);
    assert_memory_equal(out, want, len);
}

static void expect_error(struct skua_stream *stream, size_t cap, enum skua_err err, size_t len)
{
    uint8_t out[2000];
    size_t got = 1;
    assert_int_equal(skua_streams_recv_message(stream, out, cap, &got), err);
    assert_int_equal(got, len);
}

static uint64_t id_opened(struct table *t, unsigned flags)
{
    struct skua_stream *stream = NULL;
    assert_int_equal(skua_streams_open(&t->streams, flags, &stream), SKUA_OK);
    return stream->id;
}

/* --- ids and limits --- */

static void each_kind_counts_by_itself(void **state)
{
    struct table *t = *state;
    assert_int_equal(id_opened(t, SKUA_STREAM_BIDI), 0);
    assert_int_equal(id_opened(t, SKUA_STREAM_BIDI | SKUA_STREAM_MESSAGES), 4);
    assert_int_equal(id_opened(t, SKUA_STREAM_BIDI), 8);
    assert_int_equal(id_opened(t, SKUA_STREAM_BIDI | SKUA_STREAM_MESSAGES), 12);
    assert_int_equal(id_opened(t, SKUA_STREAM_UNI | SKUA_STREAM_MESSAGES), 6);
    assert_int_equal(id_opened(t, SKUA_STREAM_UNI), 2);
    /* The limit is the direction's. */
    struct skua_stream *stream;
    assert_int_equal(skua_streams_open(&t->streams, SKUA_STREAM_MESSAGES, &stream), SKUA_EAGAIN);
    assert_int_equal(skua_streams_open(&t->streams, SKUA_STREAM_BIDI, &stream), SKUA_EAGAIN);
    /* FIN counts both. */
    struct skua_streams_totals totals;
    skua_streams_finish_all(&t->streams);
    while (skua_streams_wants_send(&t->streams)) {
        assert_true(table_send(t, TABLE_PACKET) != 0);
    }
    assert_true(skua_streams_totals(&t->streams, &totals));
    assert_int_equal(totals.bidi, 4);
    assert_int_equal(totals.uni, 2);
}

static void a_peer_opens_all_below_of_that_kind_only(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream;
    assert_int_equal(table_data(t, MESSAGES(id_of(1, 0, SERVER)), 0, 1, false), SKUA_CODE_NO_ERROR);
    for (uint64_t i = 0; i < 2; i++) {
        assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAM);
        assert_int_equal(stream->id, MESSAGES(id_of(i, 0, SERVER)));
    }
    assert_int_equal(t->streams.count, 2);
    /* Two are left of four, whichever they are. */
    assert_int_equal(table_data(t, id_of(2, 0, SERVER), 0, 1, false), SKUA_CODE_STREAM_LIMIT);
    assert_int_equal(table_data(t, MESSAGES(id_of(4, 0, SERVER)), 0, 1, false),
                     SKUA_CODE_STREAM_LIMIT);
    assert_int_equal(t->streams.count, 2);
    assert_int_equal(table_data(t, id_of(1, 0, SERVER), 0, 1, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(t->streams.count, 4);
    assert_int_equal(table_data(t, MESSAGES(id_of(2, 0, SERVER)), 0, 1, false),
                     SKUA_CODE_STREAM_LIMIT);
    assert_int_equal(table_data(t, MESSAGES(id_of(3, 1, SERVER)), 0, 1, false), SKUA_CODE_NO_ERROR);
    /* The largest index there is. */
    assert_int_equal(table_data(t, SKUA_VARINT_MAX - 2, 0, 1, false), SKUA_CODE_STREAM_LIMIT);
    /* FIN counts both: fewer than there are, or more frames than it counts, contradict. */
    struct skua_streams_totals few = {.bidi = 3, .uni = 4, .total = 3};
    assert_int_equal(skua_streams_set_peer_totals(&t->streams, &few), SKUA_CODE_CLOSE_TOTALS);
}

static void totals_bound_both_kinds(void **state)
{
    struct table *t = *state;
    struct skua_streams_totals totals = {.bidi = 2, .uni = 0, .total = 2};
    assert_int_equal(skua_streams_set_peer_totals(&t->streams, &totals), SKUA_CODE_NO_ERROR);
    assert_int_equal(put(t, MESSAGES(id_of(0, 0, SERVER)), 0, "\x00", 1, true), SKUA_CODE_NO_ERROR);
    assert_int_equal(put(t, MESSAGES(id_of(2, 0, SERVER)), 0, "\x00", 1, true),
                     SKUA_CODE_CLOSE_TOTALS);
    assert_false(skua_streams_peer_complete(&t->streams));
    assert_int_equal(table_data(t, id_of(0, 0, SERVER), 0, 1, true), SKUA_CODE_NO_ERROR);
    assert_true(skua_streams_peer_complete(&t->streams));
}

static void own_ones_that_were_not_opened(void **state)
{
    struct table *t = *state;
    (void)id_opened(t, SKUA_STREAM_BIDI);
    assert_int_equal(table_data(t, MESSAGES(id_of(0, 0, CLIENT)), 0, 1, false),
                     SKUA_CODE_STREAM_STATE);
    assert_int_equal(skua_streams_on_stop_sending(&t->streams, MESSAGES(id_of(0, 0, CLIENT)), 1),
                     SKUA_CODE_STREAM_STATE);
    (void)id_opened(t, SKUA_STREAM_MESSAGES);
    assert_int_equal(table_data(t, MESSAGES(id_of(0, 0, CLIENT)), 0, 1, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, MESSAGES(id_of(1, 0, CLIENT)), 0, 1, false),
                     SKUA_CODE_STREAM_STATE);
    assert_int_equal(table_data(t, id_of(1, 0, CLIENT), 0, 1, false), SKUA_CODE_STREAM_STATE);
}

/* Opened before the peer's limits are known: they go out in the order in which they were opened. */
static void held_ones_follow_in_order(void **state)
{
    (void)state;
    struct table *t = table_new();
    struct skua_streams_config config = table_config(t);
    skua_streams_init(&t->streams, &config);
    struct skua_stream *streams[6];
    for (unsigned i = 0; i < 6; i++) {
        unsigned flags = i % 3 == 1 ? SKUA_STREAM_MESSAGES : SKUA_STREAM_BIDI;
        assert_int_equal(skua_streams_open(&t->streams, flags, &streams[i]), SKUA_OK);
    }
    struct skua_transport_params params = table_params();
    params.initial_max_streams_bidi = 1;
    skua_streams_set_peer_limits(&t->streams, &params);
    for (unsigned allowed = 1; allowed <= 6; allowed++) {
        assert_int_equal(skua_streams_on_max_streams(&t->streams, SKUA_STREAM_BIDI, allowed),
                         SKUA_CODE_NO_ERROR);
        for (unsigned i = 0; i < 6; i++) {
            assert_int_equal(streams[i]->held, i >= allowed);
            assert_int_equal(skua_streams_on_max_stream_data(&t->streams, streams[i]->id, 1),
                             i >= allowed ? SKUA_CODE_STREAM_STATE : SKUA_CODE_NO_ERROR);
        }
    }
    skua_streams_check(&t->streams);
    skua_streams_deinit(&t->streams);
    skua_blocks_deinit(&t->blocks);
    assert_int_equal(t->heap.used, 0);
    free(t);
}

/* --- boundaries --- */

static void what_is_sent_by_one_call(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = table_open(t, SKUA_STREAM_MESSAGES);
    static uint8_t long_one[300];
    assert_int_equal(skua_streams_send_message(stream, "abc", 3), SKUA_OK);
    assert_int_equal(skua_streams_send_message(stream, NULL, 0), SKUA_OK);
    assert_int_equal(skua_streams_send_message(stream, long_one, sizeof long_one), SKUA_OK);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    const struct skua_frame *frame = table_sent(t, SKUA_FRAME_STREAM);
    assert_int_equal(frame->stream.id, 4);
    assert_int_equal(frame->stream.len, 4 + 1 + 2 + 300);
    assert_memory_equal(frame->stream.data,
                        "\x03"
                        "abc\0\x41\x2c\0",
                        8);
    /* Bytes without boundaries have no place there, and messages none elsewhere. */
    size_t n;
    assert_int_equal(skua_streams_write(stream, "x", 1, &n), SKUA_ESTATE);
    assert_int_equal(skua_streams_lend(stream, "x", 1), SKUA_ESTATE);
    struct skua_stream *bytes = table_open(t, SKUA_STREAM_BIDI);
    assert_int_equal(skua_streams_send_message(bytes, "x", 1), SKUA_ESTATE);
    expect_error(bytes, 10, SKUA_ESTATE, 0);
    assert_int_equal(skua_streams_finish(stream), SKUA_OK);
    assert_int_equal(skua_streams_send_message(stream, "x", 1), SKUA_ESTATE);
}

static void all_of_it_or_nothing(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = table_open(t, SKUA_STREAM_MESSAGES);
    struct skua_stream_info info;
    static uint8_t bytes[200000];
    skua_streams_set_send_limit(&t->streams, 1000);
    assert_int_equal(skua_streams_send_message(stream, bytes, 900), SKUA_OK);
    /* Longer than the room, and than the buffer: taken whole, since there is some room. */
    assert_int_equal(skua_streams_send_message(stream, bytes, 5000), SKUA_OK);
    assert_int_equal(skua_streams_send_message(stream, bytes, 1), SKUA_EAGAIN);
    skua_streams_info(stream, &info);
    assert_int_equal(info.written, 2 + 900 + 2 + 5000);
    assert_int_equal(skua_streams_on_max_data(&t->streams, 100000), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_max_stream_data(&t->streams, 4, 100000), SKUA_CODE_NO_ERROR);
    struct skua_stream *writable;
    table_flush(t);
    assert_int_equal(table_event(t, &writable), SKUA_EVENT_WRITABLE);
    assert_int_equal(skua_streams_send_message(stream, bytes, 1), SKUA_OK);
    table_flush(t);
    skua_streams_check(&t->streams);
}

static unsigned allocations_left;

static void *get(void *user, size_t size)
{
    (void)user;
    return allocations_left-- == 0 ? NULL : malloc(size);
}

static void give(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

/* Memory that ends in the middle of a message leaves nothing of it behind. */
static void no_half_message(void **state)
{
    (void)state;
    static uint8_t bytes[20000];
    unsigned failed = 0;
    for (unsigned nth = 0; nth < 12; nth++) {
        struct table *t = table_new();
        skua_heap_init(&t->heap, &(struct skua_alloc){.get = get, .put = give});
        struct skua_streams_config config = table_config(t);
        skua_streams_init(&t->streams, &config);
        struct skua_transport_params params = table_params();
        params.initial_max_data = params.initial_max_stream_data_bidi_remote = 100000;
        skua_streams_set_peer_limits(&t->streams, &params);
        allocations_left = 1000;
        struct skua_stream *stream = table_open(t, SKUA_STREAM_MESSAGES);
        assert_int_equal(skua_streams_send_message(stream, "abc", 3), SKUA_OK);
        allocations_left = nth;
        enum skua_err err = skua_streams_send_message(stream, bytes, sizeof bytes);
        allocations_left = 1000;
        failed += err != SKUA_OK;
        assert_int_equal(stream->send.buf.end, err == SKUA_OK ? 4 + 4 + sizeof bytes : 4);
        skua_streams_check(&t->streams);
        assert_int_equal(skua_streams_send_message(stream, "def", 3), SKUA_OK);
        skua_streams_check(&t->streams);
        table_flush(t);
        skua_streams_deinit(&t->streams);
        skua_blocks_deinit(&t->blocks);
        assert_int_equal(t->heap.used, 0);
        free(t);
    }
    assert_true(failed > 3 && failed < 12);
}

static void readable_when_it_is_whole(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream;
    struct skua_stream *s = from_peer(t, "\x05", 1, false);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_NONE);
    expect_error(s, 100, SKUA_EAGAIN, 0);
    assert_int_equal(put(t, s->id, 1, "hell", 4, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_NONE);
    struct skua_stream_info info;
    skua_streams_info(s, &info);
    assert_true(info.messages);
    assert_int_equal(info.readable, 0);
    assert_int_equal(info.message_left, 5);
    struct skua_vec vec[4];
    size_t n = 4;
    assert_int_equal(skua_streams_peek(s, vec, &n), SKUA_EAGAIN);
    assert_int_equal(skua_streams_consume(s, 1), SKUA_EINVAL);
    /* Its last byte, the next one, and the beginning of a third. */
    assert_int_equal(put(t, s->id, 5, "o\x00\x02y", 4, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_READABLE);
    expect_error(s, 4, SKUA_EMSGSIZE, 5); /* stays */
    expect_message(s, "hello", 5);
    expect_message(s, "", 0);
    expect_error(s, 100, SKUA_EAGAIN, 0);
    assert_int_equal(put(t, s->id, 9, "z", 1, true), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_READABLE);
    expect_message(s, "yz", 2);
    expect_error(s, 100, SKUA_EOF, 0);
    skua_streams_check(&t->streams);
}

/* By read, peek and consume: never beyond the end of the message at hand. */
static void piece_by_piece(void **state)
{
    struct table *t = *state;
    struct skua_stream *s = from_peer(t, "\x05hello\x00\x03the", 11, true);
    uint8_t out[100];
    size_t n;
    assert_int_equal(skua_streams_read(s, out, 2, &n), SKUA_OK);
    assert_int_equal(n, 2);
    struct skua_stream_info info;
    skua_streams_info(s, &info);
    assert_int_equal(info.message_left, 3);
    assert_int_equal(info.readable, 3);
    assert_int_equal(skua_streams_read(s, out, sizeof out, &n), SKUA_OK);
    assert_int_equal(n, 3);
    assert_memory_equal(out, "llo", 3);
    struct skua_vec vec[4];
    n = 4;
    assert_int_equal(skua_streams_peek(s, vec, &n), SKUA_OK);
    assert_int_equal(n, 0); /* the empty one */
    assert_int_equal(skua_streams_consume(s, 0), SKUA_OK);
    n = 4;
    assert_int_equal(skua_streams_peek(s, vec, &n), SKUA_OK);
    assert_int_equal(n, 1);
    assert_int_equal(vec[0].len, 3);
    assert_memory_equal(vec[0].data, "the", 3);
    assert_int_equal(skua_streams_consume(s, 4), SKUA_EINVAL);
    assert_int_equal(skua_streams_consume(s, 1), SKUA_OK);
    expect_message(s, "he", 2); /* the rest of it */
    assert_int_equal(skua_streams_read(s, out, sizeof out, &n), SKUA_EOF);
}

/* --- long ones --- */

/* The table's windows begin with 1,000 bytes and 2,500; max_message is 600. */
static void longer_than_is_held(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream;
    struct skua_stream *s = from_peer(t, "\x42\x59", 2, false); /* 601 */
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_NONE); /* none of it is there */
    expect_error(s, 2000, SKUA_EMSGSIZE, 601);
    assert_int_equal(table_data(t, s->id, 2, 10, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_READABLE);
    expect_error(s, 2000, SKUA_EMSGSIZE, 601);
    uint8_t out[2000];
    size_t n;
    assert_int_equal(skua_streams_read(s, out, sizeof out, &n), SKUA_OK);
    assert_int_equal(n, 10);
    /* What is left is short enough to be waited for. */
    assert_int_equal(table_data(t, s->id, 12, 590, false), SKUA_CODE_NO_ERROR);
    expect_error(s, 2000, SKUA_EAGAIN, 0);
    assert_int_equal(table_data(t, s->id, 602, 1, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_recv_message(s, out, sizeof out, &n), SKUA_OK);
    assert_int_equal(n, 591);
    table_flush(t);
    /* One that is whole before anybody looks is no matter of length. */
    assert_int_equal(put(t, s->id, 603, "\x42\xbc", 2, false), SKUA_CODE_NO_ERROR); /* 700 */
    assert_int_equal(table_data(t, s->id, 605, 700, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_recv_message(s, out, sizeof out, &n), SKUA_OK);
    assert_int_equal(n, 700);
}

/* Nothing of a message is read before it is whole: its credit is there nevertheless. */
static void four_halves_do_not_use_up_the_connection(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    /* Four streams, each with 590 of 600 bytes: 2,368 of the connection's 2,500. */
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t id = MESSAGES(id_of(i, 0, SERVER));
        assert_int_equal(put(t, id, 0, "\x42\x58", 2, false), SKUA_CODE_NO_ERROR);
        assert_int_equal(table_data(t, id, 2, 590, false), SKUA_CODE_NO_ERROR);
    }
    struct skua_streams_stats stats;
    skua_streams_stats(s, &stats);
    assert_int_equal(stats.recv_buffered, 4 * 590);
    /* None can be read, and yet there is credit for more. */
    assert_true(table_send(t, TABLE_PACKET) > 0);
    assert_true(table_sent(t, SKUA_FRAME_MAX_DATA)->max >= 2500 + 4 * 590);
    table_fate(t, true);
    /* Each may become whole. */
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(table_data(t, MESSAGES(id_of(i, 0, SERVER)), 592, 10, false),
                         SKUA_CODE_NO_ERROR);
    }
    /* A whole one that nobody reads is not credited twice; the next behind it not at all. */
    uint64_t consumed = s->window.consumed;
    assert_int_equal(put(t, MESSAGES(id_of(0, 0, SERVER)), 602, "\x41\x2c", 2, false),
                     SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, MESSAGES(id_of(0, 0, SERVER)), 604, 100, false),
                     SKUA_CODE_NO_ERROR);
    assert_int_equal(s->window.consumed, consumed);
    skua_streams_check(s);
}

static void the_edge_of_the_window_inside_a_message(void **state)
{
    struct table *t = *state;
    /* 600 of 1,000 bytes lie unread, so that nothing is announced; then a message of 600. */
    struct skua_stream *s = from_peer(t, "\x42\x56", 2, false);
    static const uint8_t zeros[598];
    assert_int_equal(table_data(t, s->id, 2, 598, false), SKUA_CODE_NO_ERROR);
    table_flush(t);
    assert_int_equal(put(t, s->id, 600, "\x42\x58", 2, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, s->id, 602, 398, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(s->recv.window.announced, 1000);
    /* It is at hand now, and its end lies beyond the edge. */
    expect_message(s, zeros, sizeof zeros);
    assert_true(table_send(t, TABLE_PACKET) > 0);
    assert_true(table_sent(t, SKUA_FRAME_MAX_STREAM_DATA)->stream_max.max >= 1202);
    table_fate(t, true);
    assert_int_equal(table_data(t, s->id, 1000, 202, false), SKUA_CODE_NO_ERROR);
    uint8_t out[600];
    size_t n;
    assert_int_equal(skua_streams_recv_message(s, out, sizeof out, &n), SKUA_OK);
    assert_int_equal(n, 600);
}

/* Less than a portion is missing: it is announced all the same. */
static void a_few_bytes_beyond_the_edge(void **state)
{
    struct table *t = *state;
    struct skua_stream *s = from_peer(t, "\x41\x36", 2, false); /* 310 */
    static const uint8_t zeros[310];
    assert_int_equal(table_data(t, s->id, 2, 310, false), SKUA_CODE_NO_ERROR);
    expect_message(s, zeros, sizeof zeros);
    table_flush(t);
    uint64_t edge = s->recv.window.announced;
    uint64_t at = 312;
    for (; at + 500 + 2 < edge; at += 2) {
        assert_int_equal(put(t, s->id, at, "\x01x", 2, false), SKUA_CODE_NO_ERROR);
        expect_message(s, "x", 1);
        t->streams.sends = 0; /* as if it were not yet worth a frame */
        s->sends = 0;
        skua_stream_update(s);
    }
    assert_true(s->recv.window.announced == edge);
    assert_int_equal(put(t, s->id, at, "\x42\x30", 2, false), SKUA_CODE_NO_ERROR); /* 560 */
    assert_true(at + 562 > edge && at + 562 < edge + 100);
    assert_true(table_send(t, TABLE_PACKET) > 0);
    assert_true(table_sent(t, SKUA_FRAME_MAX_STREAM_DATA)->stream_max.max >= at + 562);
}

/* --- what a peer may not do --- */

static void an_end_inside_a_message(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    static const struct {
        const char *bytes;
        size_t len;
        bool cut;
    } cases[] = {
        {"\x03"
         "abc",
         4, false},
        {"\x03"
         "ab",
         3, true},
        {"\x03", 1, true},
        {"\x40", 1, true},         /* inside a length */
        {"\x00\x00\x40", 3, true}, /* behind two that are empty: found when they are read */
        {"\x00\x00", 2, false},
        {"\xff\xff\xff\xff\xff\xff\xff\xff", 8, true}, /* beyond all offsets */
        {"", 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int with_fin = 0; with_fin < 2; with_fin++) {
            struct table *own = table_new();
            struct skua_streams_config config = table_config(own);
            skua_streams_init(&own->streams, &config);
            struct skua_transport_params params = table_params();
            skua_streams_set_peer_limits(&own->streams, &params);
            struct skua_stream *stream =
                from_peer(own, cases[i].bytes, cases[i].len, with_fin != 0);
            if (with_fin == 0) { /* the end follows from the connection's */
                struct skua_streams_totals totals = {.bidi = 1, .total = cases[i].len};
                assert_int_equal(skua_streams_set_peer_totals(&own->streams, &totals),
                                 SKUA_CODE_NO_ERROR);
            }
            uint8_t out[10];
            size_t n;
            while (skua_streams_recv_message(stream, out, sizeof out, &n) == SKUA_OK) {
            }
            assert_int_equal(skua_streams_cut(&own->streams), cases[i].cut);
            skua_streams_deinit(&own->streams);
            skua_blocks_deinit(&own->blocks);
            free(own);
        }
    }
    /* A reset may come anywhere. */
    struct skua_stream *stream = from_peer(t, "\x03x", 2, false);
    assert_int_equal(skua_streams_on_reset_stream(s, stream->id, 9, 3), SKUA_CODE_NO_ERROR);
    assert_false(skua_streams_cut(s));
    expect_error(stream, 10, SKUA_ERESET, 0);
    struct skua_stream_info info;
    skua_streams_info(stream, &info);
    assert_int_equal(info.error_code, 9);
    assert_int_equal(info.message_left, 0);
    assert_int_equal(skua_streams_consume(stream, 0), SKUA_ERESET);
    skua_streams_info(stream, &info);
    assert_int_equal(info.error_code, 9);
    assert_false(skua_streams_cut(s));
    skua_streams_check(s);
}

static void who_does_not_read_loses_no_credit(void **state)
{
    struct table *t = *state;
    struct skua_stream *s = from_peer(t, "\x42\x58x", 3, false);
    assert_int_equal(skua_streams_stop(s, 1), SKUA_OK);
    struct skua_stream_info info;
    skua_streams_info(s, &info);
    assert_int_equal(info.readable, 0);
    assert_int_equal(info.message_left, 0);
    assert_int_equal(table_data(t, s->id, 3, 900, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(t->streams.window.consumed, 903);
    expect_error(s, 100, SKUA_ESTATE, 0);
    skua_streams_check(&t->streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        table_test(each_kind_counts_by_itself),
        table_test(a_peer_opens_all_below_of_that_kind_only),
        table_test(totals_bound_both_kinds),
        table_test(own_ones_that_were_not_opened),
        cmocka_unit_test(held_ones_follow_in_order),
        table_test(what_is_sent_by_one_call),
        table_test(all_of_it_or_nothing),
        cmocka_unit_test(no_half_message),
        table_test(readable_when_it_is_whole),
        table_test(piece_by_piece),
        table_test(longer_than_is_held),
        table_test(four_halves_do_not_use_up_the_connection),
        table_test(the_edge_of_the_window_inside_a_message),
        table_test(a_few_bytes_beyond_the_edge),
        table_test(an_end_inside_a_message),
        table_test(who_does_not_read_loses_no_credit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
