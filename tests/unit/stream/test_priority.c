/* Which stream sends next: urgency, turns, order of ids, repeats; and what other priorities than
 * the default cost. RFC 9218 §10. */
#include "table.h"

enum { PACKET = 1000 };

/* The peer allows everything. */
static void allow(struct table *t)
{
    struct skua_streams *s = &t->streams;
    assert_int_equal(skua_streams_on_max_data(s, 1 << 30), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_on_max_streams(s, 0, 2000), SKUA_CODE_NO_ERROR);
}

static struct skua_stream *open_wide(struct table *t, unsigned urgency, bool incremental)
{
    struct skua_stream *stream = table_open(t, SKUA_STREAM_BIDI);
    assert_int_equal(skua_streams_on_max_stream_data(&t->streams, stream->id, 1 << 28),
                     SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_streams_set_priority(stream, urgency, incremental), SKUA_OK);
    return stream;
}

/* Whose bytes the next packet carries, by the stream's number; -1: nobody's. */
static int next_sender(struct table *t)
{
    if (table_send(t, PACKET) == 0) {
        return -1;
    }
    skua_streams_check(&t->streams);
    return (int)(t->records[t->count - 1].id >> 3);
}

static void priorities_have_a_range_and_a_side(void **state)
{
    struct table *t = *state;
    struct skua_stream *own = table_open(t, SKUA_STREAM_UNI);
    struct skua_stream *peers;
    struct skua_stream_info info;
    skua_streams_info(own, &info);
    assert_int_equal(info.urgency, 3);
    assert_true(info.incremental);
    assert_int_equal(skua_streams_set_priority(own, 8, true), SKUA_EINVAL);
    assert_int_equal(skua_streams_set_priority(own, 7, false), SKUA_OK);
    skua_streams_info(own, &info);
    assert_int_equal(info.urgency, 7);
    assert_false(info.incremental);
    assert_int_equal(table_data(t, id_of(0, 1, 1), 0, 10, false), SKUA_CODE_NO_ERROR);
    assert_int_equal(table_event(t, &peers), SKUA_EVENT_STREAM);
    assert_int_equal(skua_streams_set_priority(peers, 0, true), SKUA_ESTATE);
}

static void the_most_urgent_goes_first(void **state)
{
    struct table *t = *state;
    allow(t);
    /* Urgencies 7 down to 0, the default among them: the last one opened goes first. */
    for (unsigned i = 0; i < 8; i++) {
        table_write(open_wide(t, 7 - i, i % 2 == 0), 2500);
    }
    /* Whoever is done makes room for the next one in the same packet. */
    uint64_t order[8];
    unsigned seen = 0;
    while (table_send(t, PACKET) != 0) {
        for (size_t i = 0; i < t->count; i++) {
            if (seen == 0 || order[seen - 1] != t->records[i].id) {
                assert_true(seen < 8);
                order[seen++] = t->records[i].id;
            }
        }
    }
    assert_int_equal(seen, 8);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(order[i] >> 3, 7 - i);
    }
}

/* A stream that becomes urgent goes first at once, and one that gets urgent bytes as well. */
static void urgency_interrupts(void **state)
{
    struct table *t = *state;
    allow(t);
    struct skua_stream *bulk = open_wide(t, 5, false);
    struct skua_stream *control = open_wide(t, 1, true);
    table_write(bulk, 60000);
    assert_int_equal(next_sender(t), 0);
    table_write(control, 100);
    assert_int_equal(table_send(t, PACKET), 2);
    assert_int_equal(t->records[0].id, control->id);
    assert_int_equal(t->records[0].len, 100);
    assert_int_equal(t->records[1].id, bulk->id);
    struct skua_stream *third = open_wide(t, 6, true);
    table_write(third, 60000);
    assert_int_equal(next_sender(t), 0);
    assert_int_equal(skua_streams_set_priority(third, 4, true), SKUA_OK);
    assert_int_equal(next_sender(t), 2);
    assert_int_equal(skua_streams_set_priority(third, 3, true), SKUA_OK);
    assert_int_equal(next_sender(t), 2);
    assert_int_equal(skua_streams_set_priority(third, 7, false), SKUA_OK);
    assert_int_equal(next_sender(t), 0);
}

/* Bytes that each of `n` streams sent in `packets` packets, and how often the sender changed. */
static unsigned share(struct table *t, unsigned packets, uint64_t *sent, unsigned n)
{
    unsigned changes = 0;
    int present = -1;
    for (unsigned i = 0; i < packets; i++) {
        int sender = next_sender(t);
        assert_in_range(sender, 0, n - 1);
        sent[sender] += t->records[t->count - 1].len;
        changes += sender != present;
        present = sender;
    }
    return changes;
}

static void incremental_streams_share(void **state)
{
    struct table *t = *state;
    allow(t);
    static const unsigned urgencies[] = {5, 3, 0};
    for (unsigned round = 0; round < 3; round++) {
        uint64_t sent[12] = {0};
        for (unsigned i = 0; i < 4; i++) {
            struct skua_stream *stream = open_wide(t, urgencies[round], true);
            table_write(stream, 60000);
            table_write(stream, 40000);
        }
        /* All rounds before are less urgent: they get nothing. */
        unsigned changes = share(t, 200, sent, 4 * (round + 1));
        assert_in_range(changes, 10, 16);
        for (unsigned i = 0; i < 4 * round; i++) {
            assert_int_equal(sent[i], 0);
        }
        for (unsigned i = 4 * round; i < 4 * round + 4; i++) {
            assert_in_range(sent[i], 200 * 990 / 4 - SKUA_SCHED_TURN,
                            200 * PACKET / 4 + SKUA_SCHED_TURN);
        }
    }
}

/* One after the other, by id: whichever was written first, and whoever had nothing for a while. */
static void others_go_in_the_order_of_their_ids(void **state)
{
    struct table *t = *state;
    allow(t);
    struct skua_stream *shared = open_wide(t, 3, true);
    struct skua_stream *streams[3];
    for (unsigned i = 0; i < 3; i++) {
        streams[i] = open_wide(t, 3, false);
    }
    table_write(shared, 50000);
    for (unsigned i = 3; i-- > 0;) {
        table_write(streams[i], 40000);
    }
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(next_sender(t), 1);
    }
    /* The first has nothing for the moment: the second begins, and stops when it is back. */
    while (t->streams.sched.ranks->fresh.count == 3) {
        (void)table_send(t, PACKET);
    }
    assert_int_equal(next_sender(t), 2);
    table_write(streams[0], 990);
    assert_int_equal(next_sender(t), 1);
    for (unsigned i = 0; i < 36; i++) {
        assert_int_equal(next_sender(t), 2);
    }
    while (t->streams.sched.ranks->fresh.count > 1) {
        (void)table_send(t, PACKET);
    }
    assert_int_equal(next_sender(t), 3);
    while (t->streams.sched.ranks->fresh.count > 0) {
        (void)table_send(t, PACKET);
    }
    assert_int_equal(next_sender(t), 0);
}

/* A stream without credit of its own makes way, and comes back to its place. */
static void credit_of_a_stream_holds_up_no_other(void **state)
{
    struct table *t = *state;
    allow(t);
    struct skua_stream *first = table_open(t, SKUA_STREAM_BIDI);
    assert_int_equal(skua_streams_set_priority(first, 0, false), SKUA_OK);
    struct skua_stream *second = open_wide(t, 0, false);
    table_write(first, 5000);
    table_write(second, 60000);
    assert_int_equal(next_sender(t), 0);
    assert_int_equal(next_sender(t), 1);
    assert_int_equal(next_sender(t), 1);
    assert_int_equal(skua_streams_on_max_stream_data(&t->streams, first->id, 2500),
                     SKUA_CODE_NO_ERROR);
    assert_int_equal(next_sender(t), 0);
}

/* What is lost goes first among its equals, and waits for what is more urgent. */
static void repeats_keep_their_urgency(void **state)
{
    struct table *t = *state;
    allow(t);
    struct skua_stream *low = open_wide(t, 4, true);
    struct skua_stream *middle = open_wide(t, 3, true);
    struct skua_stream *high = open_wide(t, 2, true);
    table_write(low, 30000);
    assert_int_equal(next_sender(t), 0);
    struct skua_record lost_low = t->records[0];
    table_write(middle, 30000);
    assert_int_equal(next_sender(t), 1);
    struct skua_record lost_middle = t->records[0];
    table_write(high, 1500);
    skua_streams_on_lost(&t->streams, &lost_low);
    skua_streams_on_lost(&t->streams, &lost_middle);
    skua_streams_check(&t->streams);
    assert_int_equal(next_sender(t), 2);
    assert_int_equal(table_send(t, PACKET), 2);
    assert_int_equal(t->records[0].id, high->id);
    assert_int_equal(t->records[1].id, middle->id);
    assert_int_equal(t->records[1].offset, 0);
    while (t->streams.sched.again.next != &t->streams.sched.again) {
        assert_int_equal(next_sender(t), 1);
    }
    assert_int_equal(skua_streams_reset(middle, 0), SKUA_OK);
    (void)table_send(t, PACKET); /* RESET_STREAM, then the lost bytes of what is left */
    assert_int_equal(t->records[0].type, SKUA_FRAME_RESET_STREAM);
    assert_int_equal(t->records[1].id, low->id);
    assert_int_equal(t->records[1].offset, 0);
}

/* Repeats need no credit: new bytes that wait for it, however urgent, do not hold them up. */
static void credit_of_the_connection_holds_up_no_repeat(void **state)
{
    struct table *t = *state;
    struct skua_streams *s = &t->streams;
    struct skua_stream *low = open_wide(t, 7, true);
    struct skua_stream *high = open_wide(t, 0, true);
    table_write(low, 2500);
    (void)next_sender(t);
    struct skua_record lost = t->records[0];
    (void)next_sender(t);
    (void)next_sender(t); /* all the credit there is */
    table_write(high, 100);
    assert_true(skua_streams_blocked(s));
    assert_int_equal(table_send(t, PACKET), 1);
    assert_int_equal(t->records[0].type, SKUA_FRAME_DATA_BLOCKED);
    assert_false(skua_streams_wants_send(s));
    skua_streams_on_lost(s, &lost);
    assert_true(skua_streams_wants_send(s));
    assert_int_equal(next_sender(t), 0);
    assert_false(skua_streams_wants_send(s));
    assert_int_equal(skua_streams_on_max_data(s, 5000), SKUA_CODE_NO_ERROR);
    assert_int_equal(next_sender(t), 1);
}

/* Control frames wait for no bytes: those of the least urgent stream go before the most urgent
 * stream's data. */
static void control_frames_go_first(void **state)
{
    struct table *t = *state;
    allow(t);
    struct skua_stream *low = open_wide(t, 7, false);
    table_write(open_wide(t, 0, false), 60000);
    assert_int_equal(next_sender(t), 1);
    assert_int_equal(skua_streams_stop(low, 5), SKUA_OK);
    assert_int_equal(skua_streams_reset(low, 6), SKUA_OK);
    assert_int_equal(table_send(t, PACKET), 3);
    assert_int_equal(t->records[0].type, SKUA_FRAME_RESET_STREAM);
    assert_int_equal(t->records[1].type, SKUA_FRAME_STOP_SENDING);
}

/* The heaps are there only while a stream needs them. */
static void the_default_costs_nothing(void **state)
{
    struct table *t = *state;
    allow(t);
    uint64_t before = t->heap.used;
    struct skua_stream *a = table_open(t, SKUA_STREAM_BIDI);
    uint64_t one = t->heap.used - before;
    struct skua_stream *b = table_open(t, SKUA_STREAM_BIDI);
    assert_int_equal(skua_streams_set_priority(a, 3, true), SKUA_OK);
    assert_null(t->streams.sched.ranks);
    assert_int_equal(t->heap.used - before, 2 * one);
    assert_int_equal(skua_streams_set_priority(a, 2, true), SKUA_OK);
    assert_int_equal(skua_streams_set_priority(b, 3, false), SKUA_OK);
    assert_non_null(t->streams.sched.ranks);
    assert_int_equal(skua_streams_set_priority(b, 6, false), SKUA_OK);
    assert_int_equal(skua_streams_set_priority(a, 3, true), SKUA_OK);
    assert_non_null(t->streams.sched.ranks);
    /* The last one that has another priority goes away. */
    uint64_t id = b->id;
    skua_streams_close(b);
    table_flush(t);
    assert_int_equal(table_data(t, id, 0, 0, true), SKUA_CODE_NO_ERROR);
    assert_null(t->streams.sched.ranks);
    assert_int_equal(t->heap.used - before, one);
}

/* A thousand of them, in random order, changing and ending: compared with a plain search. */
static void the_heap_agrees_with_a_search(void **state)
{
    struct table *t = *state;
    enum { N = 300 };
    struct skua_stream *streams[N];
    uint32_t seed = 7;
    allow(t);
    for (unsigned i = 0; i < N; i++) {
        streams[i] = open_wide(t, i % 8, false);
    }
    for (unsigned step = 0; step < 20000; step++) {
        seed = seed * 1664525 + 1013904223;
        struct skua_stream *stream = streams[(seed >> 8) % N];
        if ((seed & 3) == 0) {
            assert_int_equal(skua_streams_set_priority(stream, seed >> 4 & 7, false), SKUA_OK);
        } else if (stream->send.buf.end == stream->send.buf.next) {
            table_write(stream, 1 + (seed >> 20) % 900);
        }
        const struct skua_stream *best = NULL;
        for (unsigned i = 0; i < N; i++) {
            bool has = streams[i]->send.buf.end != streams[i]->send.buf.next;
            if (has && (best == NULL || streams[i]->urgency < best->urgency)) {
                best = streams[i];
            }
        }
        if (best != NULL && (seed & 4) == 0) {
            assert_true(table_send(t, PACKET) > 0);
            assert_int_equal(t->records[0].id, best->id);
            table_fate(t, true);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        table_test(priorities_have_a_range_and_a_side),
        table_test(the_most_urgent_goes_first),
        table_test(urgency_interrupts),
        table_test(incremental_streams_share),
        table_test(others_go_in_the_order_of_their_ids),
        table_test(credit_of_a_stream_holds_up_no_other),
        table_test(repeats_keep_their_urgency),
        table_test(credit_of_the_connection_holds_up_no_repeat),
        table_test(control_frames_go_first),
        table_test(the_default_costs_nothing),
        table_test(the_heap_agrees_with_a_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
