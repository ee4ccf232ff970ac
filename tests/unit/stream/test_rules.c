/* What a peer may not do with streams (RFC 9000 §2 to §4, §19), and what it may. */
#include "table.h"

#define SERVER_BIDI(index) id_of(index, 0, 1)
#define SERVER_UNI(index)  id_of(index, 1, 1)
#define OWN_BIDI(index)    id_of(index, 0, 0)
#define OWN_UNI(index)     id_of(index, 1, 0)

static void frames_for_a_side_that_does_not_exist(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    (void)table_open(t, SKUA_STREAM_UNI);
    /* Ours to send on: nothing comes back. */
    assert_int_equal(table_data(t, OWN_UNI(0), 0, 1, false), SKUA_CODE_STREAM_STATE);
    assert_int_equal(skua_streams_on_reset_stream(s, OWN_UNI(0), 1, 0), SKUA_CODE_STREAM_STATE);
    assert_int_equal(skua_streams_on_stream_data_blocked(s, OWN_UNI(0), 0), SKUA_CODE_STREAM_STATE);
    /* The peer's to send on: nothing goes there. */
    assert_int_equal(skua_streams_on_stop_sending(s, SERVER_UNI(0), 1), SKUA_CODE_STREAM_STATE);
    assert_int_equal(skua_streams_on_max_stream_data(s, SERVER_UNI(0), 9), SKUA_CODE_STREAM_STATE);
    /* The same for streams of messages. */
    assert_int_equal(table_data(t, OWN_UNI(0) | 4, 0, 1, false), SKUA_CODE_STREAM_STATE);
    assert_int_equal(skua_streams_on_stop_sending(s, SERVER_UNI(0) | 4, 1), SKUA_CODE_STREAM_STATE);
}

static void frames_for_own_streams_not_opened(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    assert_int_equal(table_data(t, OWN_BIDI(0), 0, 1, false), SKUA_CODE_STREAM_STATE);
    assert_int_equal(skua_streams_on_reset_stream(s, OWN_BIDI(0), 1, 0), SKUA_CODE_STREAM_STATE);
    assert_int_equal(skua_streams_on_stop_sending(s, OWN_BIDI(0), 1), SKUA_CODE_STREAM_STATE);
    assert_int_equal(skua_streams_on_stop_sending(s, OWN_UNI(0), 1), SKUA_CODE_STREAM_STATE);
    assert_int_equal(skua_streams_on_max_stream_data(s, OWN_BIDI(0), 1), SKUA_CODE_STREAM_STATE);
    (void)table_open(t, SKUA_STREAM_BIDI);
    assert_int_equal(table_data(t, OWN_BIDI(0), 0, 1, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, OWN_BIDI(1), 0, 1, false), SKUA_CODE_STREAM_STATE);
}

static void every_frame_respects_the_stream_limit(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    assert_int_equal(table_data(t, SERVER_BIDI(4), 0, 1, false), SKUA_CODE_STREAM_LIMIT);
    assert_int_equal(table_data(t, SERVER_UNI(4), 0, 1, false), SKUA_CODE_STREAM_LIMIT);
    assert_int_equal(skua_streams_on_reset_stream(s, SERVER_UNI(4), 1, 0), SKUA_CODE_STREAM_LIMIT);
    assert_int_equal(skua_streams_on_stop_sending(s, SERVER_BIDI(4), 1), SKUA_CODE_STREAM_LIMIT);
    assert_int_equal(skua_streams_on_max_stream_data(s, SERVER_BIDI(4), 1), SKUA_CODE_STREAM_LIMIT);
    assert_int_equal(skua_streams_on_stream_data_blocked(s, SERVER_BIDI(4), 1),
                     SKUA_CODE_STREAM_LIMIT);
    assert_null(skua_streams_next(s, NULL));
    assert_int_equal(table_data(t, SERVER_BIDI(3), 0, 1, false), SKUA_CODE_NO_ERROR);
}

static void a_stream_opens_all_below_it(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream;
    assert_int_equal(table_data(t, SERVER_BIDI(2), 0, 1, false), SKUA_CODE_NO_ERROR);
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAM);
        assert_int_equal(stream->id, SERVER_BIDI(i));
        if (i == 2) {
            assert_int_equal(table_event(t, &stream), SKUA_EVENT_READABLE);
            assert_int_equal(stream->id, SERVER_BIDI(2));
        }
    }
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_NONE);
}

static void stream_credit(void **state)
{
    struct table *t = *state;
    assert_int_equal(table_data(t, SERVER_BIDI(0), 0, 1000, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, SERVER_BIDI(0), 1000, 1, false), SKUA_CODE_FLOW_CONTROL);
    assert_int_equal(table_data(t, SERVER_BIDI(1), 1000, 1, false), SKUA_CODE_FLOW_CONTROL);
    /* An end beyond the limit counts, even without bytes. */
    assert_int_equal(skua_streams_on_reset_stream(&t->streams, SERVER_BIDI(1), 1, 1001),
                     SKUA_CODE_FLOW_CONTROL);
    assert_int_equal(table_data(t, SERVER_BIDI(1), 1001, 0, true), SKUA_CODE_FLOW_CONTROL);
    assert_int_equal(table_data(t, SERVER_BIDI(1), 1000, 0, true), SKUA_CODE_NO_ERROR);
}

static void connection_credit_counts_highest_offsets(void **state)
{
    struct table *t = *state;
    assert_int_equal(table_data(t, SERVER_BIDI(0), 999, 1, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, SERVER_BIDI(1), 999, 1, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, SERVER_BIDI(2), 500, 1, false), SKUA_CODE_FLOW_CONTROL);
    assert_int_equal(skua_streams_on_reset_stream(&t->streams, SERVER_BIDI(2), 1, 501),
                     SKUA_CODE_FLOW_CONTROL);
    assert_int_equal(table_data(t, SERVER_BIDI(2), 499, 1, false), SKUA_CODE_NO_ERROR);
    /* Filling gaps costs nothing. */
    assert_int_equal(table_data(t, SERVER_BIDI(0), 0, 999, false), SKUA_CODE_NO_ERROR);
}

static void final_size_is_final(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    assert_int_equal(table_data(t, SERVER_BIDI(0), 50, 50, true), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, SERVER_BIDI(0), 100, 1, false), SKUA_CODE_FINAL_SIZE);
    assert_int_equal(table_data(t, SERVER_BIDI(0), 0, 99, true), SKUA_CODE_FINAL_SIZE);
    assert_int_equal(table_data(t, SERVER_BIDI(0), 101, 0, true), SKUA_CODE_FINAL_SIZE);
    assert_int_equal(skua_streams_on_reset_stream(s, SERVER_BIDI(0), 1, 99), SKUA_CODE_FINAL_SIZE);
    assert_int_equal(skua_streams_on_reset_stream(s, SERVER_BIDI(0), 1, 101), SKUA_CODE_FINAL_SIZE);
    assert_int_equal(skua_streams_on_reset_stream(s, SERVER_BIDI(0), 1, 100), SKUA_CODE_NO_ERROR);
    /* After a reset as well. */
    assert_int_equal(table_data(t, SERVER_BIDI(0), 100, 1, false), SKUA_CODE_FINAL_SIZE);
    assert_int_equal(skua_streams_on_reset_stream(s, SERVER_BIDI(0), 1, 10), SKUA_CODE_FINAL_SIZE);
    /* Not below what has come. */
    assert_int_equal(table_data(t, SERVER_BIDI(1), 0, 60, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, SERVER_BIDI(1), 10, 10, true), SKUA_CODE_FINAL_SIZE);
    assert_int_equal(skua_streams_on_reset_stream(s, SERVER_BIDI(1), 1, 59), SKUA_CODE_FINAL_SIZE);
}

static void offsets_end_at_2_62(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    assert_int_equal(table_data(t, SERVER_BIDI(0), SKUA_VARINT_MAX, 1, false),
                     SKUA_CODE_FRAME_ENCODING);
    assert_int_equal(skua_streams_on_max_streams(s, 0, SKUA_STREAM_COUNT_MAX + 1),
                     SKUA_CODE_FRAME_ENCODING);
    assert_int_equal(skua_streams_on_streams_blocked(s, 1, SKUA_STREAM_COUNT_MAX + 1),
                     SKUA_CODE_FRAME_ENCODING);
    assert_int_equal(skua_streams_on_max_streams(s, 0, SKUA_STREAM_COUNT_MAX), SKUA_CODE_NO_ERROR);
}

/* A stream that is gone: whatever still arrives for it changes nothing. */
static void frames_for_a_stream_that_is_gone(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    struct skua_stream *stream;
    assert_int_equal(table_data(t, SERVER_UNI(0), 0, 10, true), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAM);
    skua_streams_close(stream);
    assert_null(skua_streams_next(s, NULL));
    assert_int_equal(table_data(t, SERVER_UNI(0), 0, 10, true), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, SERVER_UNI(0), 0, 999, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_reset_stream(s, SERVER_UNI(0), 1, 10), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_stream_data_blocked(s, SERVER_UNI(0), 5), SKUA_CODE_NO_ERROR);
    assert_null(skua_streams_next(s, NULL));
    struct skua_record late = {.type = SKUA_FRAME_STREAM, .id = SERVER_UNI(0), .len = 4};
    skua_streams_on_acked(s, &late);
    skua_streams_on_lost(s, &late);
}

static void limits_never_shrink(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    struct skua_stream *stream = table_open(t, SKUA_STREAM_BIDI);
    assert_int_equal(skua_streams_on_max_data(s, 10), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_max_stream_data(s, stream->id, 10), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_max_streams(s, 0, 1), SKUA_CODE_NO_ERROR);
    (void)table_open(t, SKUA_STREAM_BIDI);
    table_write(stream, 500);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(t->frames[0].stream.len, 500);
}

/* RFC 9000 §3.5. */
static void stop_sending_is_answered_by_reset(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream = table_open(t, SKUA_STREAM_BIDI);
    struct skua_stream *event;
    table_write(stream, 900);
    (void)table_send(t, 400);
    size_t sent = t->frames[0].stream.len;
    assert_int_equal(skua_streams_on_stop_sending(&t->streams, stream->id, 77), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &event), SKUA_EVENT_STOPPED);
    assert_int_equal(event->send.code, 77);
    size_t written = 0;
    assert_int_equal(skua_streams_write(stream, "x", 1, &written), SKUA_ESTOPPED);
    assert_int_equal(skua_streams_finish(stream), SKUA_ESTOPPED);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    const struct skua_frame *reset = table_sent(t, SKUA_FRAME_RESET_STREAM);
    assert_int_equal(reset->reset_stream.code, 77);
    assert_int_equal(reset->reset_stream.final_size, sent);
    /* Lost: sent again; acknowledged: over. */
    table_fate(t, false);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_true(table_has(t, SKUA_FRAME_RESET_STREAM));
    table_fate(t, true);
    assert_true(skua_streams_all_sent_acked(&t->streams));
    assert_false(skua_streams_wants_send(&t->streams));
}

static void a_reset_is_reported_and_drops_what_was_unread(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream;
    assert_int_equal(table_data(t, SERVER_BIDI(0), 0, 100, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_reset_stream(&t->streams, SERVER_BIDI(0), 5, 900),
                     SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAM);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_READABLE);
    uint8_t out[10];
    size_t got;
    assert_int_equal(skua_streams_read(stream, out, sizeof out, &got), SKUA_ERESET);
    struct skua_stream_info info;
    skua_streams_info(stream, &info);
    assert_true(info.reset);
    assert_int_equal(info.error_code, 5);
    assert_int_equal(skua_blocks_in_use(&t->blocks), 0);
    /* After the end has arrived a reset comes too late (RFC 9000 §3.2). */
    assert_int_equal(table_data(t, SERVER_BIDI(1), 0, 100, true), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_reset_stream(&t->streams, SERVER_BIDI(1), 5, 100),
                     SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAM);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_READABLE);
    assert_int_equal(skua_streams_read(stream, out, sizeof out, &got), SKUA_OK);
}

static void api_errors(void **state)
{
    struct table *t = *state;
    struct skua_stream *own = table_open(t, SKUA_STREAM_UNI);
    struct skua_stream *theirs;
    uint8_t byte = 0;
    size_t n = 0;
    struct skua_vec vec;
    assert_int_equal(table_data(t, SERVER_UNI(0), 0, 3, true), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &theirs), SKUA_EVENT_STREAM);
    assert_int_equal(skua_streams_read(own, &byte, 1, &n), SKUA_ESTATE);
    assert_int_equal(skua_streams_consume(own, 0), SKUA_ESTATE);
    assert_int_equal(skua_streams_stop(own, 1), SKUA_ESTATE);
    assert_int_equal(skua_streams_write(theirs, &byte, 1, &n), SKUA_ESTATE);
    assert_int_equal(skua_streams_lend(theirs, &byte, 1), SKUA_ESTATE);
    assert_int_equal(skua_streams_finish(theirs), SKUA_ESTATE);
    assert_int_equal(skua_streams_reset(theirs, 1), SKUA_ESTATE);
    assert_int_equal(skua_streams_reset(own, UINT64_MAX), SKUA_EINVAL);
    assert_int_equal(skua_streams_stop(theirs, UINT64_MAX), SKUA_EINVAL);
    assert_int_equal(skua_streams_consume(theirs, 4), SKUA_EINVAL);
    assert_int_equal(skua_streams_consume(theirs, 3), SKUA_OK);
    assert_int_equal(skua_streams_read(theirs, &byte, 1, &n), SKUA_EOF);
    n = 1;
    assert_int_equal(skua_streams_peek(theirs, &vec, &n), SKUA_EOF);
    assert_int_equal(n, 0);
    assert_int_equal(skua_streams_finish(own), SKUA_OK);
    assert_int_equal(skua_streams_finish(own), SKUA_OK);
    assert_int_equal(skua_streams_write(own, &byte, 1, &n), SKUA_ESTATE);
    assert_int_equal(skua_streams_reset(own, 1), SKUA_OK);
    assert_int_equal(skua_streams_write(own, &byte, 1, &n), SKUA_ERESET);
}

static void many_gaps_end_the_connection(void **state)
{
    struct table *t = *state;
    struct skua_streams_config config = table_config(t);
    config.initial_max_data = 4 << 20;
    config.initial_max_stream = 1 << 20;
    skua_streams_deinit(&t->streams);
    skua_streams_init(&t->streams, &config);
    enum skua_code code = SKUA_CODE_NO_ERROR;
    uint64_t gaps = 0;
    for (uint64_t stream = 0; stream < 4 && code == SKUA_CODE_NO_ERROR; stream++) {
        for (uint64_t i = 1; i < 8000 && code == SKUA_CODE_NO_ERROR; i++, gaps++) {
            code = table_data(t, SERVER_UNI(stream), 65 * i, 64, false);
        }
    }
    assert_int_equal(code, SKUA_CODE_MEMORY);
    assert_int_equal(gaps, SKUA_LIMIT_RECV_GAPS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        table_test(frames_for_a_side_that_does_not_exist),
        table_test(frames_for_own_streams_not_opened),
        table_test(every_frame_respects_the_stream_limit),
        table_test(a_stream_opens_all_below_it),
        table_test(stream_credit),
        table_test(connection_credit_counts_highest_offsets),
        table_test(final_size_is_final),
        table_test(offsets_end_at_2_62),
        table_test(frames_for_a_stream_that_is_gone),
        table_test(limits_never_shrink),
        table_test(stop_sending_is_answered_by_reset),
        table_test(a_reset_is_reported_and_drops_what_was_unread),
        table_test(api_errors),
        table_test(many_gaps_end_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
