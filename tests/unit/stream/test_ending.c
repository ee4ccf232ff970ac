/* The orderly end: what FIN counts on both sides. */
#include "table.h"

#define SERVER_BIDI(index) id_of(index, 0, 1)
#define SERVER_UNI(index)  id_of(index, 1, 1)

static void totals_wait_until_everything_was_sent(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    struct skua_streams_totals totals;
    struct skua_stream *a = table_open(t, SKUA_STREAM_BIDI);
    struct skua_stream *b = table_open(t, SKUA_STREAM_UNI);
    table_write(a, 1500);
    table_write(b, 70);
    assert_int_equal(table_data(t, SERVER_BIDI(0), 0, 5, false), SKUA_CODE_NO_ERROR);
    assert_false(skua_streams_totals(s, &totals));
    skua_streams_finish_all(s);
    struct skua_stream *none;
    assert_int_equal(skua_streams_open(s, SKUA_STREAM_UNI, &none), SKUA_ESTATE);
    /* 500 bytes of `a` wait for credit. */
    table_flush(t);
    assert_false(skua_streams_totals(s, &totals));
    assert_int_equal(skua_streams_on_max_stream_data(s, a->id, 5000), SKUA_CODE_NO_ERROR);
    (void)table_send(t, TABLE_PACKET);
    assert_true(skua_streams_totals(s, &totals));
    assert_int_equal(totals.bidi, 1);
    assert_int_equal(totals.uni, 1);
    assert_int_equal(totals.total, 1570);
    assert_false(skua_streams_all_sent_acked(s));
    table_fate(t, true);
    assert_true(skua_streams_all_sent_acked(s));
    /* A stream that the peer opens now: our side is finished, empty, and silent. */
    assert_int_equal(table_data(t, SERVER_BIDI(1), 0, 5, false), SKUA_CODE_NO_ERROR);
    table_flush(t);
    assert_true(skua_streams_totals(s, &totals));
    assert_int_equal(totals.total, 1570);
    assert_true(skua_streams_all_sent_acked(s));
}

/* The receiver of FIN takes a stream without an end for finished: so no reset may be on its way. */
static void totals_wait_for_resets(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    struct skua_streams_totals totals;
    struct skua_stream *a = table_open(t, SKUA_STREAM_BIDI);
    table_write(a, 800);
    (void)table_send(t, 403);
    assert_int_equal(skua_streams_reset(a, 1), SKUA_OK);
    skua_streams_finish_all(s);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_false(skua_streams_totals(s, &totals));
    table_fate(t, true);
    assert_true(skua_streams_totals(s, &totals));
    assert_int_equal(totals.total, 401);
}

static void after_totals_a_reset_changes_nothing(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    struct skua_streams_totals totals;
    struct skua_stream *a = table_open(t, SKUA_STREAM_BIDI);
    table_write(a, 800);
    skua_streams_finish_all(s);
    (void)table_send(t, TABLE_PACKET);
    assert_true(skua_streams_totals(s, &totals));
    assert_int_equal(skua_streams_reset(a, 1), SKUA_OK);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(table_sent(t, SKUA_FRAME_RESET_STREAM)->reset_stream.final_size, 800);
    assert_true(skua_streams_totals(s, &totals));
    assert_int_equal(totals.total, 800);
    table_fate(t, true);
    assert_true(skua_streams_all_sent_acked(s));
}

static void complete_when_every_byte_is_there(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    struct skua_stream *own = table_open(t, SKUA_STREAM_BIDI);
    struct skua_stream *stream;
    size_t got;
    uint8_t out[200];
    table_flush(t);
    const struct skua_streams_totals totals = {.bidi = 1, .uni = 2, .total = 300};
    assert_int_equal(table_data(t, SERVER_BIDI(0), 100, 100, true), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_set_peer_totals(s, &totals), SKUA_CODE_NO_ERROR);
    assert_false(skua_streams_peer_complete(s));
    assert_int_equal(table_data(t, SERVER_BIDI(0), 0, 100, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, own->id, 0, 60, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_reset_stream(s, SERVER_UNI(0), 1, 40), SKUA_CODE_NO_ERROR);
    /* All bytes, but a stream is missing. */
    assert_false(skua_streams_peer_complete(s));
    assert_int_equal(table_data(t, SERVER_UNI(1), 0, 0, false), SKUA_CODE_NO_ERROR);
    assert_true(skua_streams_peer_complete(s));
    /* Ends that were not seen are inferred. */
    assert_int_equal(skua_streams_read(own, out, sizeof out, &got), SKUA_OK);
    assert_int_equal(got, 60);
    assert_int_equal(skua_streams_read(own, out, sizeof out, &got), SKUA_EOF);
    unsigned readable = 0;
    enum skua_event_type type;
    while ((type = table_event(t, &stream)) != SKUA_EVENT_NONE) {
        readable += type == SKUA_EVENT_READABLE;
    }
    assert_int_equal(readable, 3); /* `own` has been read to its end */
    /* Our own stream, opened later: the peer sends nothing on it. */
    struct skua_stream *late = table_open(t, SKUA_STREAM_BIDI);
    assert_int_equal(skua_streams_read(late, out, sizeof out, &got), SKUA_EOF);
    /* A repeated FIN. */
    assert_int_equal(skua_streams_set_peer_totals(s, &totals), SKUA_CODE_NO_ERROR);
}

static void totals_that_contradict(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    assert_int_equal(table_data(t, SERVER_UNI(1), 0, 50, false), SKUA_CODE_NO_ERROR);
    const struct skua_streams_totals few_bytes = {.uni = 2, .total = 49};
    const struct skua_streams_totals few_streams = {.uni = 1, .total = 500};
    const struct skua_streams_totals fine = {.uni = 2, .total = 60};
    const struct skua_streams_totals other = {.uni = 2, .total = 61};
    assert_int_equal(skua_streams_set_peer_totals(s, &few_bytes), SKUA_CODE_CLOSE_TOTALS);
    assert_int_equal(skua_streams_set_peer_totals(s, &few_streams), SKUA_CODE_CLOSE_TOTALS);
    assert_int_equal(skua_streams_set_peer_totals(s, &fine), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_set_peer_totals(s, &other), SKUA_CODE_CLOSE_TOTALS);
    /* And what exceeds them later. */
    assert_int_equal(table_data(t, SERVER_UNI(2), 0, 1, false), SKUA_CODE_CLOSE_TOTALS);
    assert_int_equal(table_data(t, SERVER_BIDI(0), 0, 1, false), SKUA_CODE_CLOSE_TOTALS);
    assert_int_equal(table_data(t, SERVER_UNI(1), 50, 11, false), SKUA_CODE_CLOSE_TOTALS);
    assert_int_equal(skua_streams_on_reset_stream(s, SERVER_UNI(0), 1, 11), SKUA_CODE_CLOSE_TOTALS);
    assert_int_equal(table_data(t, SERVER_UNI(1), 50, 10, false), SKUA_CODE_NO_ERROR);
    assert_true(skua_streams_peer_complete(s));
}

static void nobody_reads_any_more(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    struct skua_stream *own = table_open(t, SKUA_STREAM_BIDI);
    struct skua_stream *stream;
    table_flush(t);
    assert_int_equal(table_data(t, own->id, 0, 100, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, SERVER_UNI(0), 10, 90, false), SKUA_CODE_NO_ERROR);
    skua_streams_discard_all(s);
    assert_int_equal(s->window.consumed, 200);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_NONE);
    assert_int_equal(skua_blocks_in_use(&t->blocks), 0);
    assert_int_equal(table_data(t, SERVER_UNI(1), 0, 1000, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, SERVER_BIDI(0), 0, 7, true), SKUA_CODE_NO_ERROR);
    assert_int_equal(s->window.consumed, 1207);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_NONE);
    assert_int_equal(skua_blocks_in_use(&t->blocks), 0);
    size_t got;
    uint8_t out[1];
    assert_int_equal(skua_streams_read(own, out, 1, &got), SKUA_ESTATE);
    /* What arrived is still counted exactly. */
    const struct skua_streams_totals totals = {.bidi = 1, .uni = 2, .total = 1207};
    assert_int_equal(skua_streams_set_peer_totals(s, &totals), SKUA_CODE_NO_ERROR);
    assert_false(skua_streams_peer_complete(s));
    assert_int_equal(table_data(t, SERVER_UNI(0), 0, 10, false), SKUA_CODE_NO_ERROR);
    assert_true(skua_streams_peer_complete(s));
    table_flush(t);
}

/* A connection is closed: who writes to a stream whose bytes are thrown away is asked to stop,
 * once; who had all of them read is not. */
static void lost_bytes_are_told(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    struct skua_stream *unread, *read, *ended;
    uint8_t out[10];
    size_t got;
    assert_int_equal(table_data(t, SERVER_UNI(0), 0, 10, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &unread), SKUA_EVENT_STREAM);
    assert_int_equal(table_event(t, &unread), SKUA_EVENT_READABLE);
    assert_int_equal(table_data(t, SERVER_UNI(1), 0, 10, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &read), SKUA_EVENT_STREAM);
    assert_int_equal(table_event(t, &read), SKUA_EVENT_READABLE);
    assert_int_equal(skua_streams_read(read, out, 10, &got), SKUA_OK);
    assert_int_equal(table_data(t, SERVER_UNI(2), 0, 10, true), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &ended), SKUA_EVENT_STREAM);
    assert_int_equal(table_event(t, &ended), SKUA_EVENT_READABLE);
    skua_streams_discard_all(s);
    assert_true((unread->sends & SKUA_STREAM_SENDS_STOP) != 0);
    assert_true(unread->recv.stop_asked && unread->recv.code == 0);
    assert_false(read->recv.stop_asked);
    assert_false(ended->recv.stop_asked); /* it has nothing more to send */
    table_flush(t);
    assert_false((unread->sends & SKUA_STREAM_SENDS_STOP) != 0);
    assert_int_equal(table_data(t, SERVER_UNI(0), 10, 5, false), SKUA_CODE_NO_ERROR);
    assert_false((unread->sends & SKUA_STREAM_SENDS_STOP) != 0);
    /* Its end, and a repeat, are no loss; more bytes are. */
    assert_int_equal(table_data(t, SERVER_UNI(1), 0, 10, false), SKUA_CODE_NO_ERROR);
    assert_false(read->recv.stop_asked);
    assert_int_equal(table_data(t, SERVER_UNI(1), 10, 1, false), SKUA_CODE_NO_ERROR);
    assert_true((read->sends & SKUA_STREAM_SENDS_STOP) != 0);
    /* A stream that the peer opens now. */
    assert_int_equal(table_data(t, SERVER_UNI(3), 0, 1, false), SKUA_CODE_NO_ERROR);
    struct skua_stream *late = NULL;
    while ((late = skua_streams_next(s, late)) != NULL && late->id != SERVER_UNI(3)) {
    }
    assert_true(late != NULL && (late->sends & SKUA_STREAM_SENDS_STOP) != 0);
    table_flush(t);
}

static void nothing_was_ever_sent(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    struct skua_streams_totals totals;
    skua_streams_finish_all(s);
    assert_true(skua_streams_totals(s, &totals));
    assert_int_equal(totals.bidi + totals.uni + totals.total, 0);
    assert_true(skua_streams_all_sent_acked(s));
    assert_int_equal(skua_streams_set_peer_totals(s, &totals), SKUA_CODE_NO_ERROR);
    assert_true(skua_streams_peer_complete(s));
    assert_false(skua_streams_wants_send(s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        table_test(totals_wait_until_everything_was_sent),
        table_test(totals_wait_for_resets),
        table_test(after_totals_a_reset_changes_nothing),
        table_test(complete_when_every_byte_is_there),
        table_test(totals_that_contradict),
        table_test(nobody_reads_any_more),
        table_test(lost_bytes_are_told),
        table_test(nothing_was_ever_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
