/* Credit in both directions: portions, auto-tuning, lost updates, streams allowed, and that nothing
 * that ends a stream keeps its credit. */
#include "table.h"

#define SERVER_BIDI(index) id_of(index, 0, 1)
#define SERVER_UNI(index)  id_of(index, 1, 1)

/* Takes `len` bytes off `stream`. */
static void take(struct skua_stream *stream, size_t len)
{
    assert_int_equal(skua_streams_consume(stream, len), SKUA_OK);
}

static struct skua_stream *peer_stream(struct table *t)
{
    struct skua_stream *stream;
    enum skua_event_type type;
    do {
        type = table_event(t, &stream);
        assert_int_not_equal(type, SKUA_EVENT_NONE);
    } while (type != SKUA_EVENT_STREAM);
    return stream;
}

/* Behaviour 37: no silly window. */
static void credit_comes_in_useful_portions(void **state)
{
    struct table *t = *state;
    assert_int_equal(table_data(t, SERVER_BIDI(0), 0, 1000, false), SKUA_CODE_NO_ERROR);
    struct skua_stream *stream = peer_stream(t);
    for (unsigned i = 0; i < 249; i++) {
        take(stream, 1);
        assert_false(skua_streams_wants_send(&t->streams));
    }
    take(stream, 1);
    assert_true(skua_streams_wants_send(&t->streams));
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    const struct skua_frame *max = table_sent(t, SKUA_FRAME_MAX_STREAM_DATA);
    assert_int_equal(max->stream_max.max, 1250);
    assert_int_equal(table_data(t, SERVER_BIDI(0), 1000, 250, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, SERVER_BIDI(0), 1250, 1, false), SKUA_CODE_FLOW_CONTROL);
}

static void a_lost_update_is_sent_again(void **state)
{
    struct table *t = *state;
    assert_int_equal(table_data(t, SERVER_BIDI(0), 0, 1000, false), SKUA_CODE_NO_ERROR);
    struct skua_stream *stream = peer_stream(t);
    take(stream, 700);
    (void)table_send(t, TABLE_PACKET);
    assert_int_equal(t->count, 2);
    assert_true(table_has(t, SKUA_FRAME_MAX_DATA));
    take(stream, 100);
    assert_false(skua_streams_wants_send(&t->streams));
    table_fate(t, false);
    assert_true(skua_streams_wants_send(&t->streams));
    struct skua_record old[2] = {t->records[0], t->records[1]};
    t->now += SKUA_SEC; /* a slow reader: the windows do not grow */
    assert_int_equal(table_send(t, TABLE_PACKET), 2);
    /* The 100 bytes read since are no useful portion: the limits are the same. */
    assert_int_equal(table_sent(t, SKUA_FRAME_MAX_DATA)->max, 2500 + 700);
    assert_int_equal(table_sent(t, SKUA_FRAME_MAX_STREAM_DATA)->stream_max.max, 1700);
    take(stream, 200);
    t->now += SKUA_SEC;
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(table_sent(t, SKUA_FRAME_MAX_STREAM_DATA)->stream_max.max, 2000);
    /* An update that a newer one has replaced is not repeated. */
    skua_streams_on_lost(&t->streams,
                         old[0].type == SKUA_FRAME_MAX_STREAM_DATA ? &old[0] : &old[1]);
    assert_false(skua_streams_wants_send(&t->streams));
}

/* Behaviour 37: asking again and again does not get credit byte by byte. */
static void a_repeat_gives_no_crumbs(void **state)
{
    struct table *t = *state;
    assert_int_equal(table_data(t, SERVER_BIDI(0), 0, 1000, false), SKUA_CODE_NO_ERROR);
    struct skua_stream *stream = peer_stream(t);
    take(stream, 700);
    (void)table_send(t, TABLE_PACKET);
    for (int i = 0; i < 20; i++) {
        take(stream, 10);
        /* It has not heard of 1,700 yet. */
        assert_int_equal(skua_streams_on_stream_data_blocked(&t->streams, SERVER_BIDI(0), 1000),
                         SKUA_CODE_NO_ERROR);
        (void)table_send(t, TABLE_PACKET);
        assert_int_equal(table_sent(t, SKUA_FRAME_MAX_STREAM_DATA)->stream_max.max, 1700);
    }
}

/* Behaviour 36: the blocked side says so, and what it has not heard is said again. */
static void blocked_is_answered(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    assert_int_equal(table_data(t, SERVER_BIDI(0), 0, 1000, false), SKUA_CODE_NO_ERROR);
    /* It knows all that we can give: no answer. */
    assert_int_equal(skua_streams_on_data_blocked(s, 2500), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_stream_data_blocked(s, SERVER_BIDI(0), 1000),
                     SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_streams_blocked(s, 0, 4), SKUA_CODE_NO_ERROR);
    assert_false(skua_streams_wants_send(s));
    take(peer_stream(t), 1000);
    (void)table_send(t, TABLE_PACKET);
    assert_int_equal(skua_streams_on_data_blocked(s, 2500), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_stream_data_blocked(s, SERVER_BIDI(0), 1000),
                     SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_streams_blocked(s, 0, 3), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_send(t, TABLE_PACKET), 3);
    assert_int_equal(table_sent(t, SKUA_FRAME_MAX_STREAMS_BIDI)->max, 4);
    assert_true(table_sent(t, SKUA_FRAME_MAX_DATA)->max >= 3500);
}

/* 1 Gbit/s over 100 ms: the default windows grow until they do not limit. */
static void windows_grow_to_bandwidth_times_delay(void **state)
{
    (void)state;
    struct skua_window window;
    skua_window_init(&window, SKUA_STREAMS_INITIAL_STREAM_WINDOW, UINT64_C(32) << 20);
    const uint64_t per_ms = 125000;
    const skua_time rtt = 100 * SKUA_MSEC;
    /* The sender is limited by the window alone: one window per round trip, at most the link. */
    for (skua_time now = 0; now < 3 * SKUA_SEC; now += SKUA_MSEC) {
        uint64_t rate = window.size / 100 < per_ms ? window.size / 100 : per_ms;
        window.consumed += rate;
        if (skua_window_due(&window)) {
            (void)skua_window_announce(&window, 0, rtt, now);
        }
    }
    assert_true(window.size >= 2 * 100 * per_ms);
    assert_true(window.size <= UINT64_C(32) << 20);
}

static void windows_of_slow_readers_do_not_grow(void **state)
{
    (void)state;
    struct skua_window window;
    skua_window_init(&window, 256 << 10, 32 << 20);
    for (skua_time now = 0; now < 10 * SKUA_SEC; now += SKUA_MSEC) {
        window.consumed += 500; /* 500 kB/s at 20 ms: 10 kB */
        if (skua_window_due(&window)) {
            (void)skua_window_announce(&window, 0, 20 * SKUA_MSEC, now);
        }
    }
    assert_int_equal(window.size, 256 << 10);
}

static void the_connection_is_wider_than_its_widest_stream(void **state)
{
    struct table *t = *state;
    assert_int_equal(table_data(t, SERVER_UNI(0), 0, 1000, false), SKUA_CODE_NO_ERROR);
    struct skua_stream *stream = peer_stream(t);
    uint64_t offset = 1000;
    for (unsigned i = 0; i < 50; i++) {
        t->now += SKUA_MSEC;
        take(stream, (size_t)skua_recv_buf_readable(&stream->recv.buf));
        table_flush(t);
        uint64_t more = stream->recv.window.announced - offset;
        assert_int_equal(table_data(t, SERVER_UNI(0), offset, (size_t)more, false),
                         SKUA_CODE_NO_ERROR);
        offset += more;
    }
    assert_int_equal(stream->recv.window.size, 8000);
    assert_true(t->streams.window.size >= 12000);
}

/* Field note 3.4: whatever ends a stream, the connection's credit comes back. */
/* A sender that uses up what it may: `bytes` on a stream of its own. */
static struct skua_stream *fill(struct table *t, uint64_t index, size_t bytes)
{
    assert_int_equal(table_data(t, SERVER_UNI(index), 0, bytes, false), SKUA_CODE_NO_ERROR);
    return peer_stream(t);
}

static void poll_all(struct table *t)
{
    struct skua_stream *stream;
    while (table_event(t, &stream) != SKUA_EVENT_NONE) {
    }
}

/* Behaviour 43: two streams that nobody reads fill the connection's window. A third one still gets
 * through, and so do those that come later, up to what the application allows. */
static void unread_streams_leave_credit_to_others(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    (void)fill(t, 0, 1000);
    (void)fill(t, 1, 1000);
    (void)fill(t, 2, 500);
    poll_all(t);
    assert_int_equal(table_data(t, SERVER_UNI(3), 0, 1, false), SKUA_CODE_FLOW_CONTROL);
    poll_all(t);
    assert_int_equal(skua_streams_on_data_blocked(s, 2500), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(table_sent(t, SKUA_FRAME_MAX_DATA)->max, 5000);
    assert_int_equal(table_data(t, SERVER_UNI(3), 0, 1000, false), SKUA_CODE_NO_ERROR);
    poll_all(t);
    /* There is credit left: nothing more for now, whatever it says. */
    assert_int_equal(skua_streams_on_data_blocked(s, 5000), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_data_blocked(s, 2500), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(table_sent(t, SKUA_FRAME_MAX_DATA)->max, 5000);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(table_data(t, SERVER_BIDI(i), 0, i < 1 ? 1000 : 500, false),
                         SKUA_CODE_NO_ERROR);
    }
    poll_all(t);
    assert_int_equal(skua_streams_on_data_blocked(s, 5000), SKUA_CODE_NO_ERROR);
    (void)table_send(t, TABLE_PACKET);
    assert_int_equal(table_sent(t, SKUA_FRAME_MAX_DATA)->max, 10000);
    skua_streams_check(s);
}

/* Nothing is known of an application that asks for no events: it gets no more. */
static void what_nobody_asked_for_widens_nothing(void **state)
{
    struct table *t = *state;
    struct skua_stream *stream;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(table_data(t, SERVER_UNI(i), 0, i < 2 ? 1000 : 500, false),
                         SKUA_CODE_NO_ERROR);
    }
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(skua_streams_on_data_blocked(&t->streams, 2500), SKUA_CODE_NO_ERROR);
        (void)table_send(t, TABLE_PACKET);
        assert_int_equal(table_sent(t, SKUA_FRAME_MAX_DATA)->max, 2500);
        assert_int_not_equal(table_event(t, &stream), SKUA_EVENT_NONE);
    }
    /* Asked in one batch with the last bytes, answered behind the application's turn. */
    assert_int_equal(skua_streams_on_data_blocked(&t->streams, 2500), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_NONE);
    (void)table_send(t, TABLE_PACKET);
    assert_int_equal(table_sent(t, SKUA_FRAME_MAX_DATA)->max, 5000);
}

/* However much lies unread, never more than the application allows. */
static void unread_streams_have_a_bound(void **state)
{
    (void)state;
    struct table *t = table_new();
    struct skua_streams *s = &t->streams;
    struct skua_streams_config config = table_config(t);
    config.max_data_window = 4000;
    skua_streams_init(s, &config);
    (void)fill(t, 0, 1000);
    (void)fill(t, 1, 1000);
    (void)fill(t, 2, 500);
    poll_all(t);
    assert_int_equal(skua_streams_on_data_blocked(s, 2500), SKUA_CODE_NO_ERROR);
    (void)table_send(t, TABLE_PACKET);
    assert_int_equal(table_sent(t, SKUA_FRAME_MAX_DATA)->max, 4000);
    (void)fill(t, 3, 1000);
    assert_int_equal(table_data(t, SERVER_UNI(2), 500, 500, false), SKUA_CODE_NO_ERROR);
    poll_all(t);
    assert_int_equal(skua_streams_on_data_blocked(s, 4000), SKUA_CODE_NO_ERROR);
    (void)table_send(t, TABLE_PACKET);
    assert_int_equal(table_sent(t, SKUA_FRAME_MAX_DATA)->max, 4000);
    void *again = t;
    assert_int_equal(table_teardown(&again), 0);
}

static void every_end_returns_credit(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    assert_int_equal(table_data(t, SERVER_BIDI(0), 0, 600, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, SERVER_BIDI(1), 500, 100, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, SERVER_BIDI(2), 0, 600, true), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, SERVER_UNI(0), 0, 300, false), SKUA_CODE_NO_ERROR);
    struct skua_stream *stopped = peer_stream(t);
    struct skua_stream *closed = peer_stream(t);
    struct skua_stream *ended = peer_stream(t);
    (void)peer_stream(t);
    assert_int_equal(s->window.consumed, 0);
    assert_int_equal(skua_streams_stop(stopped, 1), SKUA_OK);
    assert_int_equal(s->window.consumed, 600);
    skua_streams_close(closed);
    assert_int_equal(s->window.consumed, 1200);
    skua_streams_close(ended);
    assert_int_equal(s->window.consumed, 1800);
    assert_int_equal(skua_streams_on_reset_stream(s, SERVER_UNI(0), 1, 400), SKUA_CODE_NO_ERROR);
    assert_int_equal(s->window.consumed, 2200);
    /* What still comes for them is credited as it comes. */
    assert_int_equal(table_data(t, SERVER_BIDI(0), 600, 50, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_data(t, SERVER_BIDI(1), 600, 50, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(s->window.consumed, 2300);
    skua_streams_check(s);
    (void)table_send(t, TABLE_PACKET);
    assert_int_equal(table_sent(t, SKUA_FRAME_MAX_DATA)->max, 4800);
}

static void streams_are_given_back_when_gone(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    assert_int_equal(table_data(t, SERVER_UNI(3), 0, 1, true), SKUA_CODE_NO_ERROR);
    struct skua_stream *streams[4];
    for (unsigned i = 0; i < 4; i++) {
        streams[i] = peer_stream(t);
    }
    assert_int_equal(table_data(t, SERVER_UNI(4), 0, 1, true), SKUA_CODE_STREAM_LIMIT);
    /* Closed by the application, but its end has not come: not gone. */
    skua_streams_close(streams[0]);
    assert_false(skua_streams_wants_send(s));
    assert_int_equal(table_data(t, SERVER_UNI(0), 0, 0, true), SKUA_CODE_NO_ERROR);
    (void)table_send(t, TABLE_PACKET);
    assert_int_equal(table_sent(t, SKUA_FRAME_MAX_STREAMS_UNI)->max, 5);
    assert_int_equal(table_data(t, SERVER_UNI(4), 0, 1, true), SKUA_CODE_NO_ERROR);
    table_fate(t, false);
    (void)table_send(t, TABLE_PACKET);
    assert_int_equal(table_sent(t, SKUA_FRAME_MAX_STREAMS_UNI)->max, 5);
}

/* A portion of streams too small to be announced is given to a peer that waits. */
static void a_peer_that_waits_gets_single_streams(void **state)
{
    struct table *t = *state;
    struct skua_streams_config config = table_config(t);
    config.max_streams_uni = 16;
    skua_streams_deinit(&t->streams);
    skua_streams_init(&t->streams, &config);
    struct skua_streams *s = &t->streams;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(table_data(t, SERVER_UNI(i), 0, 1, true), SKUA_CODE_NO_ERROR);
        skua_streams_close(peer_stream(t));
        assert_false(skua_streams_wants_send(s));
    }
    assert_int_equal(skua_streams_on_streams_blocked(s, 1, 16), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(t->frames[0].max, 18);
    assert_int_equal(skua_streams_on_streams_blocked(s, 1, 18), SKUA_CODE_NO_ERROR);
    assert_false(skua_streams_wants_send(s));
    assert_int_equal(table_data(t, SERVER_UNI(2), 0, 1, true), SKUA_CODE_NO_ERROR);
    skua_streams_close(peer_stream(t));
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(t->frames[0].max, 19);
}

static void sender_stops_at_credit_and_says_so_once(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    struct skua_stream *stream = table_open(t, SKUA_STREAM_BIDI);
    table_write(stream, 3000);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(t->frames[0].stream.len, 1000);
    assert_true(skua_streams_blocked(s));
    table_fate(t, true);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(table_sent(t, SKUA_FRAME_STREAM_DATA_BLOCKED)->stream_max.max, 1000);
    assert_false(skua_streams_wants_send(s));
    skua_streams_repeat_blocked(s);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    table_fate(t, false);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_true(table_has(t, SKUA_FRAME_STREAM_DATA_BLOCKED));
    /* The connection's limit. */
    assert_int_equal(skua_streams_on_max_stream_data(s, stream->id, 9000), SKUA_CODE_NO_ERROR);
    uint64_t sent = 1000;
    while (skua_streams_wants_send(s)) {
        (void)table_send(t, TABLE_PACKET);
        sent += table_has(t, SKUA_FRAME_STREAM) ? table_sent(t, SKUA_FRAME_STREAM)->stream.len : 0;
    }
    assert_int_equal(sent, 2500);
    assert_int_equal(table_sent(t, SKUA_FRAME_DATA_BLOCKED)->max, 2500);
    assert_true(skua_streams_blocked(s));
    /* What is lost may be sent again without credit. */
    struct skua_record lost = {
        .type = SKUA_FRAME_STREAM, .id = stream->id, .offset = 1000, .len = 9};
    skua_streams_on_lost(s, &lost);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(t->frames[0].stream.offset, 1000);
    assert_int_equal(t->frames[0].stream.len, 9);
    assert_int_equal(skua_streams_on_max_data(s, 9000), SKUA_CODE_NO_ERROR);
    assert_false(skua_streams_blocked(s));
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(t->frames[0].stream.len, 500);
}

static void opening_waits_for_the_peer(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    struct skua_stream *stream;
    for (unsigned i = 0; i < 4; i++) {
        (void)table_open(t, SKUA_STREAM_UNI);
    }
    assert_int_equal(skua_streams_open(s, SKUA_STREAM_UNI, &stream), SKUA_EAGAIN);
    assert_int_equal(table_send(t, TABLE_PACKET), 1);
    assert_int_equal(table_sent(t, SKUA_FRAME_STREAMS_BLOCKED_UNI)->max, 4);
    assert_true(skua_streams_blocked(s));
    assert_int_equal(skua_streams_open(s, SKUA_STREAM_UNI, &stream), SKUA_EAGAIN);
    assert_false(skua_streams_wants_send(s));
    assert_int_equal(skua_streams_on_max_streams(s, 1, 5), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_STREAMS);
    assert_null(stream);
    assert_int_equal(table_event(t, &stream), SKUA_EVENT_NONE);
    (void)table_open(t, SKUA_STREAM_UNI);
    assert_false(skua_streams_blocked(s));
}

static void streams_written_before_the_handshake_wait(void **state)
{
    (void)state;
    struct table *t = table_new();
    struct skua_streams_config config = table_config(t);
    struct skua_streams *s = &t->streams;
    skua_streams_init(s, &config);
    struct skua_stream *streams[6];
    for (unsigned i = 0; i < 6; i++) {
        streams[i] = table_open(t, SKUA_STREAM_UNI);
        table_write(streams[i], 10 + i);
    }
    assert_int_equal(skua_streams_reset(streams[5], 3), SKUA_OK);
    assert_false(skua_streams_wants_send(s));
    assert_false(skua_streams_blocked(s));
    skua_streams_check(s);
    struct skua_transport_params params = table_params();
    skua_streams_set_peer_limits(s, &params);
    assert_true(skua_streams_blocked(s));
    assert_int_equal(table_send(t, TABLE_PACKET), 5);
    assert_int_equal(t->frames[0].type, SKUA_FRAME_STREAMS_BLOCKED_UNI);
    assert_int_equal(t->frames[4].stream.len, 13);
    assert_false(skua_streams_wants_send(s));
    assert_int_equal(skua_streams_on_max_streams(s, 1, 6), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_send(t, TABLE_PACKET), 2);
    assert_true(table_has(t, SKUA_FRAME_RESET_STREAM));
    assert_int_equal(table_sent(t, SKUA_FRAME_STREAM)->stream.len, 14);
    void *again = t;
    assert_int_equal(table_teardown(&again), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        table_test(credit_comes_in_useful_portions),
        table_test(a_lost_update_is_sent_again),
        table_test(a_repeat_gives_no_crumbs),
        table_test(blocked_is_answered),
        cmocka_unit_test(windows_grow_to_bandwidth_times_delay),
        cmocka_unit_test(windows_of_slow_readers_do_not_grow),
        table_test(the_connection_is_wider_than_its_widest_stream),
        table_test(unread_streams_leave_credit_to_others),
        table_test(what_nobody_asked_for_widens_nothing),
        table_test(unread_streams_have_a_bound),
        table_test(every_end_returns_credit),
        table_test(streams_are_given_back_when_gone),
        table_test(a_peer_that_waits_gets_single_streams),
        table_test(sender_stops_at_credit_and_says_so_once),
        table_test(opening_waits_for_the_peer),
        cmocka_unit_test(streams_written_before_the_handshake_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
