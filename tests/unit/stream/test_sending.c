/* How packets are filled: length fields, splinters, turns, repeats, events of the sending side. */
#include "table.h"

/* The peer allows everything. */
static void allow(struct table *t)
{
    struct skua_streams *s = &t->streams;
    assert_int_equal(skua_streams_on_max_data(s, 1 << 30), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_max_streams(s, 0, 2000), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_max_streams(s, 1, 2000), SKUA_CODE_NO_ERROR);
}

static struct skua_stream *open_wide(struct table *t, unsigned uni)
{
    struct skua_stream *stream = table_open(t, uni);
    assert_int_equal(skua_streams_on_max_stream_data(&t->streams, stream->id, 1 << 28),
                     SKUA_CODE_NO_ERROR);
    return stream;
}

static void the_last_frame_has_no_length(void **state)
{
    struct table *t = *state;
    allow(t);
    table_write(open_wide(t, SKUA_STREAM_BIDI), 5000);
    struct skua_writer w = skua_writer_of(t->packet, 1000);
    assert_int_equal(skua_streams_write_frames(&t->streams, &w, t->records, 4, 10 * SKUA_MSEC, 0),
                     1);
    assert_int_equal(skua_writer_left(&w), 0);
    assert_int_equal(t->packet[0], SKUA_FRAME_STREAM);
    assert_int_equal(t->records[0].len, 998);
}

static void no_splinters(void **state)
{
    struct table *t = *state;
    allow(t);
    struct skua_stream *stream = open_wide(t, SKUA_STREAM_BIDI);
    table_write(stream, 500);
    assert_int_equal(table_send(t, 17), 0);
    assert_int_equal(table_send(t, 18), 1);
    assert_int_equal(t->records[0].len, 16);
    /* The rest, however short, is no splinter. */
    assert_int_equal(table_send(t, 480 + 3), 1);
    assert_int_equal(table_send(t, 10), 1);
    assert_int_equal(t->records[0].len, 4);
}

static void the_end_goes_with_the_last_byte(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = table_open(t, SKUA_STREAM_BIDI);
    table_write(stream, 100);
    assert_int_equal(skua_streams_finish(stream), SKUA_OK);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_true(t->frames[0].stream.fin);
    assert_int_equal(t->records[0].flags, SKUA_RECORD_FIN);
    assert_false(skua_streams_wants_send(&t->streams));
    /* Lost: bytes and end are sent again. */
    table_fate(t, false);
    assert_int_equal(table_send(t, 70), 1);
    assert_false(t->frames[0].stream.fin);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_true(t->frames[0].stream.fin);
    table_fate(t, true);
    assert_false(skua_streams_all_sent_acked(&t->streams));
}

static void an_empty_end(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = table_open(t, SKUA_STREAM_UNI);
    struct skua_stream *event;
    assert_false(skua_streams_wants_send(&t->streams));
    assert_int_equal(skua_streams_finish(stream), SKUA_OK);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(t->frames[0].stream.len, 0);
    assert_true(t->frames[0].stream.fin);
    table_fate(t, true);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_ACKED);
    struct skua_stream_info info;
    skua_streams_info(stream, &info);
    assert_true(info.finished);
    skua_streams_close(stream);
    assert_null(skua_streams_next(&t->streams, NULL));
}

static void only_what_is_missing_is_sent_again(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    struct skua_stream *stream = table_open(t, SKUA_STREAM_BIDI);
    table_write(stream, 1000);
    (void)table_send(t, TABLE_PACKET);
    struct skua_record all = t->records[0];
    struct skua_record middle = all;
    middle.offset = 300;
    middle.len = 200;
    skua_streams_on_acked(s, &middle);
    skua_streams_on_lost(s, &all);
    assert_int_equal(table_send(t, TABLE_PACKET), 2);
    assert_int_equal(t->records[0].offset, 0);
    assert_int_equal(t->records[0].len, 300);
    assert_int_equal(t->records[1].offset, 500);
    assert_int_equal(t->records[1].len, 500);
    /* It was not lost after all: nothing more to do. */
    skua_streams_on_lost(s, &t->records[0]);
    skua_streams_on_acked(s, &all);
    assert_false(skua_streams_wants_send(s));
    assert_int_equal(skua_blocks_in_use(&t->blocks), 0);
    table_fate(t, true);
}

static void repeats_come_before_new_bytes(void **state)
{
    struct table *t = *state;
    struct skua_stream *a = table_open(t, SKUA_STREAM_BIDI);
    struct skua_stream *b = table_open(t, SKUA_STREAM_BIDI);
    table_write(b, 300);
    (void)table_send(t, TABLE_PACKET);
    table_write(a, 900);
    table_fate(t, false);
    assert_int_equal(table_send(t, TABLE_PACKET), 2);
    assert_int_equal(t->records[0].id, b->id);
    assert_int_equal(t->records[1].id, a->id);
}

static void streams_take_turns(void **state)
{
    struct table *t = *state;
    allow(t);
    struct skua_stream *streams[4];
    uint64_t sent[4] = {0};
    for (unsigned i = 0; i < 4; i++) {
        streams[i] = open_wide(t, SKUA_STREAM_BIDI);
        table_write(streams[i], 60000);
        table_write(streams[i], 40000);
    }
    unsigned changes = 0;
    unsigned present = 0;
    for (unsigned packets = 0; packets < 250; packets++) {
        assert_int_equal(table_send(t, TABLE_PACKET), 1);
        unsigned i = (unsigned)(t->records[0].id >> 3);
        sent[i] += t->records[0].len;
        changes += i != present;
        present = i;
    }
    /* One stream per packet, changed every 14 packets: fair within a turn. */
    assert_in_range(changes, 12, 20);
    for (unsigned i = 0; i < 4; i++) {
        assert_in_range(sent[i], 250 * 1190 / 4 - SKUA_SCHED_TURN,
                        250 * 1200 / 4 + SKUA_SCHED_TURN);
    }
}

/* Small streams share packets, and a thousand idle ones cost nothing. */
static void small_streams_share_a_packet(void **state)
{
    struct table *t = *state;
    allow(t);
    struct skua_stream *streams[1000];
    for (unsigned i = 0; i < 1000; i++) {
        streams[i] = table_open(t, SKUA_STREAM_UNI);
    }
    assert_int_equal(skua_blocks_in_use(&t->blocks), 0);
    assert_true(t->heap.used / 1000 < 600);
    for (unsigned i = 0; i < 10; i++) {
        table_write(streams[i * 100], 50);
    }
    assert_int_equal(table_send(t, TABLE_PACKET), 10);
    assert_false(skua_streams_wants_send(&t->streams));
}

static void records_run_out(void **state)
{
    struct table *t = *state;
    for (unsigned i = 0; i < 3; i++) {
        table_write(table_open(t, SKUA_STREAM_BIDI), 50);
    }
    struct skua_writer w = skua_writer_of(t->packet, TABLE_PACKET);
    assert_int_equal(skua_streams_write_frames(&t->streams, &w, t->records, 2, 0, 0), 2);
    assert_true(skua_streams_wants_send(&t->streams));
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
}

static void writers_wait_for_half_the_buffer(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    allow(t);
    skua_streams_set_send_limit(s, 4000);
    struct skua_stream *stream = open_wide(t, SKUA_STREAM_BIDI);
    struct skua_stream *event;
    static const uint8_t zeros[5000];
    size_t written;
    assert_int_equal(skua_streams_write(stream, zeros, 5000, &written), SKUA_OK);
    assert_int_equal(written, 4000);
    assert_int_equal(skua_streams_write(stream, zeros, 1, &written), SKUA_EAGAIN);
    assert_int_equal(written, 0);
    assert_int_equal(skua_streams_lend(stream, zeros, 5000), SKUA_EAGAIN);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(table_send(t, 1003), 1);
        table_fate(t, true);
        assert_int_equal(table_event(t, &event), i == 0 ? SKUA_EVENT_NONE : SKUA_EVENT_WRITABLE);
    }
    /* Lent memory goes in as a whole, while there is any room. */
    assert_int_equal(skua_streams_lend(stream, zeros, 5000), SKUA_OK);
    assert_int_equal(skua_streams_write(stream, zeros, 1, &written), SKUA_EAGAIN);
    table_flush(t);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_WRITABLE);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_ACKED);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_NONE);
}

/* Gives a block as long as `user` says that there is one. */
static void *scarce_get(void *user, size_t size)
{
    unsigned *left = user;
    if (size < SKUA_STREAM_BLOCK) {
        return malloc(size);
    }
    if (*left == 0) {
        return NULL;
    }
    --*left;
    return malloc(size);
}

static void scarce_put(void *user, void *memory, size_t size)
{
    unsigned *left = user;
    *left += size >= SKUA_STREAM_BLOCK;
    free(memory);
}

/* What finds no memory waits as what finds no room does. */
static void writers_wait_for_memory(void **state)
{
    struct table *t = *state;
    unsigned left = 1;
    static const uint8_t zeros[SKUA_STREAM_BLOCK + 100];
    allow(t);
    struct skua_stream *stream = open_wide(t, SKUA_STREAM_BIDI);
    const struct skua_alloc before = t->heap.alloc;
    t->heap.alloc = (struct skua_alloc){.get = scarce_get, .put = scarce_put, .user = &left};
    struct skua_stream *event;
    size_t written;
    assert_int_equal(skua_streams_write(stream, zeros, sizeof zeros, &written), SKUA_OK);
    assert_int_equal(written, SKUA_STREAM_BLOCK);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_NONE);
    table_flush(t);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_WRITABLE);
    assert_int_equal(skua_streams_write(stream, zeros, 100, &written), SKUA_OK);
    assert_int_equal(written, 100);
    table_flush(t);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_NONE);
    t->heap.alloc = before;
}

static void acked_is_reported_for_lent_memory_only(void **state)
{
    struct table *t = *state;
    struct skua_stream *copied = table_open(t, SKUA_STREAM_UNI);
    struct skua_stream *lent = table_open(t, SKUA_STREAM_UNI);
    struct skua_stream *event;
    static const uint8_t bytes[100];
    table_write(copied, 100);
    assert_int_equal(skua_streams_lend(lent, bytes, sizeof bytes), SKUA_OK);
    table_flush(t);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_ACKED);
    assert_ptr_equal(event, lent);
    struct skua_stream_info info;
    skua_streams_info(lent, &info);
    assert_int_equal(info.acked, 100);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_NONE);
}

/* Closing releases the handle; what was written is delivered all the same. */
static void a_closed_stream_delivers_what_was_written(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = table_open(t, SKUA_STREAM_BIDI);
    uint64_t id = stream->id;
    table_write(stream, 200);
    skua_streams_close(stream);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_true(t->frames[0].stream.fin);
    table_fate(t, false);
    table_flush(t);
    assert_non_null(skua_streams_next(&t->streams, NULL));
    assert_int_equal(table_data(t, id, 0, 10, true), SKUA_CODE_NO_ERROR);
    assert_null(skua_streams_next(&t->streams, NULL));
    assert_false(skua_streams_has_event(&t->streams));
}

static void readable_is_an_edge(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream;
    const uint64_t id = id_of(0, 0, 1);
    uint8_t out[100];
    size_t got;
    assert_int_equal(table_data(t, id, 0, 10, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAM);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_READABLE);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_NONE);
    /* Beyond a gap: nothing to read. */
    assert_int_equal(table_data(t, id, 20, 10, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_NONE);
    assert_int_equal(table_data(t, id, 10, 10, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_READABLE);
    /* Read before the event was polled: no event. */
    assert_int_equal(table_data(t, id, 30, 10, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_read(stream, out, sizeof out, &got), SKUA_OK);
    assert_int_equal(got, 40);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_NONE);
    assert_int_equal(table_data(t, id, 40, 0, true), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_READABLE);
    assert_int_equal(skua_streams_read(stream, out, sizeof out, &got), SKUA_EOF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        table_test(the_last_frame_has_no_length),
        table_test(no_splinters),
        table_test(the_end_goes_with_the_last_byte),
        table_test(an_empty_end),
        table_test(only_what_is_missing_is_sent_again),
        table_test(repeats_come_before_new_bytes),
        table_test(streams_take_turns),
        table_test(small_streams_share_a_packet),
        table_test(records_run_out),
        table_test(writers_wait_for_half_the_buffer),
        table_test(writers_wait_for_memory),
        table_test(acked_is_reported_for_lent_memory_only),
        table_test(a_closed_stream_delivers_what_was_written),
        table_test(readable_is_an_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
