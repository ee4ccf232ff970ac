/* Reading that is to be confirmed: CONFIRM_READ and CONSUMED, both sides, loss, the end. */
#include "table.h"

/* A stream of ours that ends after 100 bytes and asks; everything is sent. */
static struct skua_stream *ask(struct table *t)
{
    struct skua_stream *stream = table_open(t, SKUA_STREAM_UNI);
    table_write(stream, 100);
    assert_int_equal(skua_streams_finish_confirm(stream), SKUA_OK);
    assert_int_equal(table_send(t, TABLE_PACKET), 2);
    return stream;
}

static enum skua_code consumed(struct table *t, const struct skua_stream *stream, uint64_t offset)
{
    return skua_streams_on_consumed(&t->streams, stream->id, offset);
}

/* The peer's stream: 100 bytes, their end, the wish. */
static struct skua_stream *asked(struct table *t, uint64_t id)
{
    struct skua_stream *stream;
    assert_int_equal(table_data(t, id, 0, 100, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAM);
    assert_int_equal(skua_streams_on_confirm_read(&t->streams, id, 100), SKUA_CODE_NO_ERROR);
    return stream;
}

static enum skua_err read_some(struct skua_stream *stream, size_t len)
{
    uint8_t bytes[200];
    size_t got;
    return skua_streams_read(stream, bytes, len, &got);
}

/* The next packet has CONSUMED with this offset. */
static void expect_consumed(struct table *t, uint64_t id, uint64_t offset)
{
    assert_true(table_send(t, TABLE_PACKET) != 0);
    const struct skua_frame *f = table_sent(t, SKUA_FRAME_CONSUMED);
    assert_int_equal(f->stream_end.id, id);
    assert_int_equal(f->stream_end.offset, offset);
    skua_streams_check(&t->streams);
}

/* ... or none, at most credit for streams. */
static void expect_silence(struct table *t)
{
    if (table_send(t, TABLE_PACKET) != 0) {
        assert_int_equal(t->count, 1);
        assert_int_equal(t->frames[0].type, SKUA_FRAME_MAX_STREAMS_UNI);
        table_fate(t, true);
    }
    assert_false(skua_streams_wants_send(&t->streams));
}

/* --- asking --- */

static void the_end_and_the_wish_are_one_frame(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = ask(t);
    assert_false(t->frames[0].stream.fin);
    assert_int_equal(t->frames[1].type, SKUA_FRAME_CONFIRM_READ);
    assert_int_equal(t->frames[1].stream_end.id, stream->id);
    assert_int_equal(t->frames[1].stream_end.offset, 100);
    skua_streams_check(&t->streams);
    /* Lost: the bytes again, then the end. */
    table_fate(t, false);
    assert_int_equal(table_send(t, TABLE_PACKET), 2);
    assert_false(t->frames[0].stream.fin);
    assert_int_equal(t->frames[1].type, SKUA_FRAME_CONFIRM_READ);
    struct skua_record bytes = t->records[0], end = t->records[1];
    /* The end alone is lost. */
    skua_streams_on_lost(&t->streams, &end);
    skua_streams_on_acked(&t->streams, &bytes);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(t->frames[0].type, SKUA_FRAME_CONFIRM_READ);
    table_fate(t, true);
    struct skua_stream_info info;
    skua_streams_info(stream, &info);
    assert_true(info.finished && !info.consumed && !info.discarded);
    assert_false(skua_streams_wants_send(&t->streams));
}

static void no_room_for_the_end(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = table_open(t, SKUA_STREAM_UNI);
    table_write(stream, 100);
    assert_int_equal(skua_streams_finish_confirm(stream), SKUA_OK);
    assert_int_equal(table_send(t, 106), 1); /* the bytes, and one byte too few for the end */
    assert_int_equal(table_send(t, 4), 0);
    assert_true(skua_streams_wants_send(&t->streams));
    assert_int_equal(table_send(t, 5), 1);
    assert_int_equal(t->frames[0].type, SKUA_FRAME_CONFIRM_READ);
}

/* FIN makes its receiver infer ends: it waits until the peer knows what is asked. */
static void fin_waits_for_the_wish(void **state)
{
    struct table *t = *state;
    struct skua_streams_totals totals;
    (void)ask(t);
    skua_streams_finish_all(&t->streams);
    assert_false(skua_streams_totals(&t->streams, &totals));
    table_fate(t, true);
    assert_true(skua_streams_totals(&t->streams, &totals));
    assert_int_equal(totals.total, 100);
}

static void too_late_to_ask(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = table_open(t, SKUA_STREAM_UNI);
    table_write(stream, 10);
    assert_int_equal(skua_streams_finish(stream), SKUA_OK);
    assert_int_equal(skua_streams_finish_confirm(stream), SKUA_OK); /* not yet sent */
    assert_int_equal(table_send(t, TABLE_PACKET), 2);
    assert_int_equal(skua_streams_finish_confirm(stream), SKUA_OK);
    assert_int_equal(skua_streams_finish(stream), SKUA_OK);
    stream = table_open(t, SKUA_STREAM_UNI);
    assert_int_equal(skua_streams_finish(stream), SKUA_OK);
    table_flush(t);
    assert_int_equal(skua_streams_finish_confirm(stream), SKUA_ESTATE);
    stream = table_open(t, SKUA_STREAM_UNI);
    assert_int_equal(skua_streams_reset(stream, 1), SKUA_OK);
    assert_int_equal(skua_streams_finish_confirm(stream), SKUA_ERESET);
    struct skua_stream *theirs;
    while (table_event(t, &theirs) != SKUA_EVENT_NONE) {
    }
    theirs = asked(t, id_of(0, 1, 1));
    assert_int_equal(skua_streams_finish_confirm(theirs), SKUA_ESTATE);
}

/* --- being answered --- */

static void consumed_says_acked_as_well(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = ask(t);
    struct skua_stream *event;
    struct skua_stream_info info;
    assert_int_equal(consumed(t, stream, 100), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_ACKED);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_CONSUMED);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_NONE);
    skua_streams_info(stream, &info);
    assert_true(info.finished && info.consumed && !info.discarded);
    assert_int_equal(info.acked, 100);
    /* Fates of what was on its way, and repeats, mean nothing any more. */
    table_fate(t, false);
    assert_false(skua_streams_wants_send(&t->streams));
    assert_int_equal(consumed(t, stream, 50), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_NONE);
    uint64_t id = stream->id;
    skua_streams_close(stream);
    assert_null(skua_streams_next(&t->streams, NULL));
    assert_int_equal(skua_streams_on_consumed(&t->streams, id, 100), SKUA_CODE_NO_ERROR);
}

static void discarded_says_how_far(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = ask(t);
    struct skua_stream *event;
    struct skua_stream_info info;
    table_fate(t, true);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_ACKED);
    assert_int_equal(consumed(t, stream, 99), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_DISCARDED);
    assert_int_equal(stream->send.code, 99);
    skua_streams_info(stream, &info);
    assert_true(info.finished && !info.consumed && info.discarded);
    assert_int_equal(info.error_code, 0);
}

static void answers_to_no_question(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = table_open(t, SKUA_STREAM_BIDI);
    assert_int_equal(consumed(t, stream, 0), SKUA_CODE_STREAM_STATE);
    table_write(stream, 10);
    assert_int_equal(skua_streams_finish_confirm(stream), SKUA_OK);
    assert_int_equal(consumed(t, stream, 10), SKUA_CODE_STREAM_STATE); /* it has not seen the end */
    (void)table_send(t, TABLE_PACKET);
    assert_int_equal(consumed(t, stream, 11), SKUA_CODE_FINAL_SIZE);
    assert_int_equal(skua_streams_on_consumed(&t->streams, id_of(1, 0, 0), 0),
                     SKUA_CODE_STREAM_STATE);
    assert_int_equal(skua_streams_on_consumed(&t->streams, id_of(0, 1, 1), 0),
                     SKUA_CODE_STREAM_STATE);
    assert_int_equal(skua_streams_on_consumed(&t->streams, id_of(0, 0, 1), 0),
                     SKUA_CODE_STREAM_STATE);
}

/* Given up by us, or by the peer: STOPPED is the answer then. */
static void no_answer_after_a_reset(void **state)
{
    struct table *t = *state;
    struct skua_stream *event;
    struct skua_stream *stream = ask(t);
    assert_int_equal(skua_streams_on_stop_sending(&t->streams, stream->id, 5), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_STOPPED);
    assert_int_equal(consumed(t, stream, 100), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_NONE);
    struct skua_stream_info info;
    skua_streams_info(stream, &info);
    assert_false(info.consumed || info.discarded);
    assert_int_equal(info.error_code, 5);
}

/* --- answering --- */

static void reading_to_the_end_is_confirmed(void **state)
{
    struct table *t = *state;
    const uint64_t id = id_of(0, 1, 1);
    struct skua_stream *stream = asked(t, id);
    assert_int_equal(read_some(stream, 60), SKUA_OK);
    assert_int_equal(read_some(stream, 60), SKUA_OK);
    assert_false(skua_streams_wants_send(&t->streams)); /* it has not been told of the end */
    assert_int_equal(read_some(stream, 60), SKUA_EOF);
    expect_consumed(t, id, 100);
    assert_false(skua_streams_wants_send(&t->streams));
    /* Lost: again. A repeated wish is no loss. */
    table_fate(t, false);
    expect_consumed(t, id, 100);
    assert_int_equal(skua_streams_on_confirm_read(&t->streams, id, 100), SKUA_CODE_NO_ERROR);
    assert_false(skua_streams_wants_send(&t->streams));
    /* The stream is kept until the peer knows, and so is the connection. */
    struct skua_record record = t->records[0];
    struct skua_streams_totals totals;
    skua_streams_close(stream);
    assert_non_null(skua_streams_next(&t->streams, NULL));
    skua_streams_finish_all(&t->streams);
    assert_false(skua_streams_totals(&t->streams, &totals));
    skua_streams_on_lost(&t->streams, &record);
    expect_consumed(t, id, 100);
    table_fate(t, true);
    assert_null(skua_streams_next(&t->streams, NULL));
    assert_true(skua_streams_totals(&t->streams, &totals));
    skua_streams_on_acked(&t->streams, &record);
    skua_streams_on_lost(&t->streams, &record);
}

static void closing_behind_the_last_byte_is_enough(void **state)
{
    struct table *t = *state;
    const uint64_t id = id_of(0, 1, 1);
    struct skua_stream *stream = asked(t, id);
    assert_int_equal(read_some(stream, 100), SKUA_OK);
    skua_streams_close(stream);
    expect_consumed(t, id, 100);
    table_fate(t, true);
    assert_null(skua_streams_next(&t->streams, NULL));
}

static void throwing_away_is_no_reading(void **state)
{
    struct table *t = *state;
    const uint64_t id = id_of(0, 1, 1);
    struct skua_stream *stream = asked(t, id);
    assert_int_equal(read_some(stream, 60), SKUA_OK);
    skua_streams_close(stream);
    expect_consumed(t, id, 60);
    /* Closed first: the answer waits until all of it has come. */
    struct skua_stream *second;
    const uint64_t next = id_of(1, 1, 1);
    assert_int_equal(table_data(t, next, 0, 10, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &second), SKUA_EVENT_STREAM);
    skua_streams_close(second);
    assert_int_equal(skua_streams_on_confirm_read(&t->streams, next, 100), SKUA_CODE_NO_ERROR);
    expect_silence(t);
    assert_int_equal(table_data(t, next, 10, 90, false), SKUA_CODE_NO_ERROR);
    expect_consumed(t, next, 0);
    table_fate(t, true);
    /* All of a connection's streams. */
    const uint64_t last = id_of(2, 1, 1);
    (void)asked(t, last);
    skua_streams_discard_all(&t->streams);
    expect_consumed(t, last, 0);
}

static void a_stopped_stream_is_not_confirmed(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream;
    const uint64_t id = id_of(0, 1, 1);
    assert_int_equal(table_data(t, id, 0, 10, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAM);
    assert_int_equal(skua_streams_on_confirm_read(&t->streams, id, 100), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_stop(stream, 7), SKUA_OK);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(t->frames[0].type, SKUA_FRAME_STOP_SENDING);
    assert_int_equal(skua_streams_on_reset_stream(&t->streams, id, 7, 100), SKUA_CODE_NO_ERROR);
    skua_streams_close(stream);
    expect_silence(t);
    assert_null(skua_streams_next(&t->streams, NULL));
}

static void an_empty_stream_is_read_by_its_end(void **state)
{
    struct table *t = *state;
    const uint64_t id = id_of(0, 1, 1);
    struct skua_stream *stream;
    assert_int_equal(skua_streams_on_confirm_read(&t->streams, id, 0), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAM);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_READABLE);
    assert_false(skua_streams_wants_send(&t->streams));
    assert_int_equal(read_some(stream, 1), SKUA_EOF);
    expect_consumed(t, id, 0);
}

/* The end came with FIN's help, or with a FIN bit, before the wish did. */
static void a_wish_that_comes_late(void **state)
{
    struct table *t = *state;
    const uint64_t id = id_of(0, 1, 1);
    struct skua_stream *stream;
    assert_int_equal(table_data(t, id, 0, 10, true), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAM);
    assert_int_equal(read_some(stream, 10), SKUA_OK);
    assert_int_equal(read_some(stream, 10), SKUA_EOF);
    assert_int_equal(skua_streams_on_confirm_read(&t->streams, id, 10), SKUA_CODE_NO_ERROR);
    expect_consumed(t, id, 10);
    table_fate(t, true);
    skua_streams_close(stream);
    assert_int_equal(skua_streams_on_confirm_read(&t->streams, id, 10), SKUA_CODE_NO_ERROR);
    expect_silence(t);
}

static void wishes_that_break_rules(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    const uint64_t id = id_of(0, 1, 1);
    assert_int_equal(skua_streams_on_confirm_read(s, id_of(0, 1, 0), 0), SKUA_CODE_STREAM_STATE);
    assert_int_equal(skua_streams_on_confirm_read(s, id_of(9, 1, 1), 0), SKUA_CODE_STREAM_LIMIT);
    assert_int_equal(skua_streams_on_confirm_read(s, id, 1001), SKUA_CODE_FLOW_CONTROL);
    assert_int_equal(table_data(t, id, 0, 10, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_confirm_read(s, id, 9), SKUA_CODE_FINAL_SIZE);
    assert_int_equal(skua_streams_on_confirm_read(s, id, 20), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_confirm_read(s, id, 21), SKUA_CODE_FINAL_SIZE);
    assert_int_equal(table_data(t, id, 20, 1, false), SKUA_CODE_FINAL_SIZE);
}

/* A peer that never acknowledges an answer has one stream less for each. */
static void unheard_answers_are_bounded(void **state)
{
    struct table *t = *state;
    uint64_t before = t->heap.used;
    for (unsigned i = 0; i < 4; i++) {
        struct skua_stream *stream = asked(t, id_of(i, 1, 1));
        assert_int_equal(read_some(stream, 100), SKUA_OK);
        skua_streams_close(stream);
    }
    while (skua_streams_wants_send(&t->streams)) {
        (void)table_send(t, TABLE_PACKET);
        assert_false(table_has(t, SKUA_FRAME_MAX_STREAMS_UNI));
    }
    assert_int_equal(skua_streams_on_confirm_read(&t->streams, id_of(4, 1, 1), 0),
                     SKUA_CODE_STREAM_LIMIT);
    assert_int_equal(t->streams.reports, 4);
    assert_true(t->heap.used - before < 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        table_test(the_end_and_the_wish_are_one_frame),
        table_test(no_room_for_the_end),
        table_test(fin_waits_for_the_wish),
        table_test(too_late_to_ask),
        table_test(consumed_says_acked_as_well),
        table_test(discarded_says_how_far),
        table_test(answers_to_no_question),
        table_test(no_answer_after_a_reset),
        table_test(reading_to_the_end_is_confirmed),
        table_test(closing_behind_the_last_byte_is_enough),
        table_test(throwing_away_is_no_reading),
        table_test(a_stopped_stream_is_not_confirmed),
        table_test(an_empty_stream_is_read_by_its_end),
        table_test(a_wish_that_comes_late),
        table_test(wishes_that_break_rules),
        table_test(unheard_answers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
