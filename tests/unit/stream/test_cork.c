/* Small writes: at once, or held together until they fill a packet, by SKUA_MORE and by a cork. */
#include "table.h"

enum { ROOM = 1000, HEADER = 2 }; /* of a packet; of a STREAM frame of stream 0 at offset 0 */

static struct skua_stream *open_one(struct table *t)
{
    skua_streams_set_packet_room(&t->streams, ROOM);
    return table_open(t, SKUA_STREAM_BIDI);
}

static void write_more(struct skua_stream *stream, size_t len)
{
    static const uint8_t zeros[4096];
    size_t written = 0;
    assert_int_equal(skua_streams_write_more(stream, zeros, len, true, &written), SKUA_OK);
    assert_int_equal(written, len);
}

/* The next packet holds so many bytes of the stream and nothing else; 0: there is none. */
static void expect_packet(struct table *t, size_t len)
{
    skua_streams_check(&t->streams);
    assert_int_equal(skua_streams_wants_send(&t->streams), len != 0);
    assert_int_equal(table_send(t, ROOM), len != 0 ? 1 : 0);
    if (len != 0) {
        assert_int_equal(t->frames[0].stream.len, len);
    }
}

static void small_writes_leave_at_once(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = open_one(t);
    for (unsigned i = 0; i < 5; i++) {
        table_write(stream, 10);
        expect_packet(t, 10);
    }
    expect_packet(t, 0);
}

static void more_waits_for_a_full_packet(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = open_one(t);
    for (unsigned i = 0; i < 9; i++) {
        write_more(stream, 100);
        expect_packet(t, 0);
    }
    write_more(stream, ROOM - HEADER - 900 - 1);
    expect_packet(t, 0);
    write_more(stream, 1);
    expect_packet(t, ROOM - HEADER);
    /* What is beyond one packet waits for the next. */
    assert_int_equal(skua_streams_on_max_stream_data(&t->streams, stream->id, 2000),
                     SKUA_CODE_NO_ERROR);
    write_more(stream, 100);
    expect_packet(t, 0);
    table_write(stream, 50);
    expect_packet(t, 150);
    expect_packet(t, 0);
}

static void a_cork_holds_until_it_is_pulled(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = open_one(t);
    assert_int_equal(skua_streams_cork(stream, true), SKUA_OK);
    table_write(stream, 10);
    table_write(stream, 20);
    assert_int_equal(skua_streams_lend(stream, "lent", 4), SKUA_OK);
    expect_packet(t, 0);
    assert_int_equal(skua_streams_cork(stream, false), SKUA_OK);
    expect_packet(t, 34);
    table_write(stream, 5);
    expect_packet(t, 5);
}

static void the_end_leaves_with_what_waits(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = open_one(t);
    assert_int_equal(skua_streams_cork(stream, true), SKUA_OK);
    table_write(stream, 10);
    assert_int_equal(skua_streams_finish(stream), SKUA_OK);
    expect_packet(t, 10);
    assert_true(t->frames[0].stream.fin);
    stream = table_open(t, SKUA_STREAM_BIDI);
    write_more(stream, 10);
    skua_streams_finish_all(&t->streams);
    expect_packet(t, 10);
    assert_true(t->frames[0].stream.fin);
}

/* A buffer that takes no more cannot wait for more. */
static void a_full_buffer_leaves(void **state)
{
    struct table *t = *state;
    static const uint8_t zeros[4096];
    struct skua_stream *stream = open_one(t);
    size_t written;
    skua_streams_set_send_limit(&t->streams, 300);
    write_more(stream, 200);
    expect_packet(t, 0);
    assert_int_equal(skua_streams_write_more(stream, zeros, 200, true, &written), SKUA_OK);
    assert_int_equal(written, 100);
    expect_packet(t, 300);
    table_fate(t, true);
    assert_int_equal(skua_streams_cork(stream, true), SKUA_OK);
    table_write(stream, 300);
    expect_packet(t, 0);
    assert_int_equal(skua_streams_write(stream, zeros, 1, &written), SKUA_EAGAIN);
    expect_packet(t, 300);
    table_fate(t, true);
    table_write(stream, 300);
    expect_packet(t, 0);
    assert_int_equal(skua_streams_lend(stream, zeros, 2000), SKUA_EAGAIN);
    expect_packet(t, 300);
}

/* Bytes that wait for something else are not held up by those that join them. */
static void what_waits_anyway_is_not_held_up(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = open_one(t);
    table_write(stream, 10);
    write_more(stream, 10);
    expect_packet(t, 20);
    write_more(stream, 10);
    expect_packet(t, 0);
    assert_int_equal(skua_streams_cork(stream, true), SKUA_OK);
    expect_packet(t, 0);
    table_write(stream, 10);
    expect_packet(t, 0);
    /* Lost bytes wait for nothing. */
    assert_int_equal(skua_streams_cork(stream, false), SKUA_OK);
    assert_int_equal(skua_streams_cork(stream, true), SKUA_OK);
    expect_packet(t, 20);
    struct skua_record lost = t->records[0];
    table_write(stream, 10);
    expect_packet(t, 0);
    skua_streams_on_lost(&t->streams, &lost);
    expect_packet(t, 20);
    expect_packet(t, 0);
}

/* Without credit nothing is asked for that would not be sent. */
static void what_gathers_is_not_blocked(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = open_one(t);
    table_write(stream, 1000);
    expect_packet(t, ROOM - HEADER);
    expect_packet(t, HEADER);
    write_more(stream, 10);
    assert_false(skua_streams_blocked(&t->streams));
    expect_packet(t, 0);
    table_write(stream, 10);
    assert_true(skua_streams_blocked(&t->streams));
    assert_int_equal(table_send(t, ROOM), 1);
    assert_int_equal(t->frames[0].type, SKUA_FRAME_STREAM_DATA_BLOCKED);
}

static void what_fills_a_packet_may_change(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = open_one(t);
    write_more(stream, 900);
    expect_packet(t, 0);
    skua_streams_set_packet_room(&t->streams, 800);
    assert_int_equal(table_send(t, 800), 1);
    assert_int_equal(t->frames[0].stream.len, 800 - HEADER);
    expect_packet(t, 0);
    write_more(stream, 690);
    assert_int_equal(skua_streams_on_max_stream_data(&t->streams, stream->id, 2000),
                     SKUA_CODE_NO_ERROR);
    expect_packet(t, 0);
    skua_streams_set_packet_room(&t->streams, 796);
    assert_true(skua_streams_wants_send(&t->streams));
    skua_streams_set_packet_room(&t->streams, 797);
    expect_packet(t, 0);
}

static void a_cork_needs_a_sending_side(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream;
    assert_int_equal(table_data(t, id_of(0, 1, 1), 0, 10, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAM);
    assert_int_equal(skua_streams_cork(stream, true), SKUA_ESTATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        table_test(small_writes_leave_at_once),
        table_test(more_waits_for_a_full_packet),
        table_test(a_cork_holds_until_it_is_pulled),
        table_test(the_end_leaves_with_what_waits),
        table_test(a_full_buffer_leaves),
        table_test(what_waits_anyway_is_not_held_up),
        table_test(what_gathers_is_not_blocked),
        table_test(what_fills_a_packet_may_change),
        table_test(a_cork_needs_a_sending_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
