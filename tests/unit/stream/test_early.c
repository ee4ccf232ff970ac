/* Early data: what a client puts into its SYN, and what a server takes of them: first bytes within
 * all that it announces, or nothing. */
#include "table.h"

static const struct skua_transport_params own = {
    .initial_max_data = 100,
    .initial_max_stream_data_bidi_remote = 60,
    .initial_max_stream_data_uni = 40,
    .initial_max_streams_bidi = 3,
    .initial_max_streams_uni = 2,
};

struct frames {
    uint8_t bytes[2000];
    struct skua_writer w;
};

static void begin(struct frames *f)
{
    f->w = skua_writer_of(f->bytes, sizeof f->bytes);
}

static void put(struct frames *f, uint64_t id, uint64_t offset, size_t len, bool fin)
{
    const struct skua_stream_frame frame = {.id = id, .offset = offset, .len = len, .fin = fin};
    skua_stream_frame_header_write(&f->w, &frame, false);
    skua_writer_zero(&f->w, len);
    assert_false(f->w.failed);
}

static bool fit(const struct frames *f)
{
    return skua_streams_early_fit(f->bytes, skua_writer_len(&f->w), &own);
}

/* One STREAM frame. */
static bool one_fits(uint64_t id, uint64_t offset, size_t len)
{
    struct frames f;
    begin(&f);
    put(&f, id, offset, len, false);
    return fit(&f);
}

static void each_limit(void **state)
{
    (void)state;
    enum { BIDI = 0, UNI = 2, NEXT = 8 }; /* a client's streams; the bit of messages between */
    assert_true(one_fits(BIDI, 0, 60));
    assert_false(one_fits(BIDI, 0, 61));
    assert_true(one_fits(UNI, 0, 40));
    assert_false(one_fits(UNI, 0, 41));
    assert_true(one_fits(BIDI + 2 * NEXT, 0, 1));
    assert_false(one_fits(BIDI + 3 * NEXT, 0, 1));
    assert_true(one_fits(UNI + NEXT, 0, 1));
    assert_false(one_fits(UNI + 2 * NEXT, 0, 1));
    assert_false(one_fits(BIDI + 1, 0, 1)); /* the server's own */
    assert_false(one_fits(UNI + 1, 0, 1));
    assert_false(one_fits(BIDI, 1, 1)); /* not the first bytes */
}

/* Streams of messages are numbered by themselves, and count together with the others. */
static void both_numberings_together(void **state)
{
    (void)state;
    enum { BIDI = 0, UNI = 2, MESSAGES = 4, NEXT = 8 };
    static const uint64_t too_many[] = {BIDI + NEXT, UNI + MESSAGES + NEXT};
    for (size_t i = 0; i < sizeof too_many / sizeof too_many[0]; i++) {
        struct frames f;
        begin(&f);
        put(&f, BIDI, 0, 1, false);
        put(&f, BIDI + MESSAGES + NEXT, 0, 1, false); /* the second: it opens the first as well */
        put(&f, BIDI + MESSAGES, 0, 1, false);
        put(&f, UNI, 0, 1, false);
        put(&f, UNI + MESSAGES, 0, 1, false);
        assert_true(fit(&f));
        put(&f, too_many[i], 0, 1, false);
        assert_false(fit(&f));
    }
}

static void all_together(void **state)
{
    (void)state;
    struct frames f;
    begin(&f);
    assert_false(fit(&f)); /* nothing at all */
    skua_writer_zero(&f.w, 10);
    assert_false(fit(&f)); /* padding */
    put(&f, 0, 0, 60, true);
    skua_writer_zero(&f.w, 3);
    put(&f, 2, 0, 40, false);
    put(&f, 8, 0, 0, true);
    assert_true(fit(&f));
    put(&f, 8, 0, 1, false);
    assert_false(fit(&f)); /* more than the connection's credit */
    begin(&f);
    for (unsigned i = 0; i < SKUA_LIMIT_FRAMES_PER_PACKET; i++) {
        put(&f, 0, 0, 0, false);
    }
    assert_true(fit(&f));
    put(&f, 0, 0, 0, false);
    assert_false(fit(&f)); /* more frames than a packet may have */
}

static void nothing_but_bytes(void **state)
{
    (void)state;
    static const uint8_t types[] = {0x01, 0x04, 0x10, 0x1a, 0x30, 0x40, 0x42, 0x3f};
    for (size_t i = 0; i < sizeof types; i++) {
        struct frames f;
        begin(&f);
        put(&f, 0, 0, 1, false);
        skua_writer_varint(&f.w, types[i]);
        skua_writer_zero(&f.w, 20);
        assert_false(fit(&f));
    }
    static const uint8_t cut_off[] = {0x0a, 0, 9, 1};
    assert_false(skua_streams_early_fit(cut_off, sizeof cut_off, &own));
}

/* --- the client's side */

static struct table *client_new(void)
{
    struct table *t = table_new();
    struct skua_streams_config config = table_config(t);
    skua_streams_init(&t->streams, &config); /* of the peer's limits nothing is known */
    return t;
}

static void client_free(struct table *t)
{
    skua_streams_deinit(&t->streams);
    skua_blocks_deinit(&t->blocks);
    assert_int_equal(t->heap.used, 0);
    free(t);
}

static struct skua_stream *open_one(struct table *t, unsigned flags, size_t len)
{
    struct skua_stream *stream = NULL;
    assert_int_equal(skua_streams_open(&t->streams, flags, &stream), SKUA_OK);
    if (len != 0) {
        table_write(stream, len);
    }
    return stream;
}

/* Whoever names a stream names those of its kind before it; of each other kind the last one says
 * how many there are. What is opened behind the last one that has something is not named. */
static void silent_streams_take_little(void **state)
{
    (void)state;
    struct table *t = client_new();
    for (unsigned i = 0; i < 20; i++) {
        (void)open_one(t, SKUA_STREAM_BIDI, 0);
        (void)open_one(t, SKUA_STREAM_UNI, 0);
        (void)open_one(t, SKUA_STREAM_BIDI | SKUA_STREAM_MESSAGES, 0);
    }
    const struct skua_stream *talks = open_one(t, SKUA_STREAM_BIDI, 5);
    const struct skua_stream *again = open_one(t, SKUA_STREAM_UNI, 7);
    (void)open_one(t, SKUA_STREAM_UNI, 0);
    struct skua_writer w = skua_writer_of(t->packet, TABLE_PACKET);
    assert_int_equal(skua_streams_early_write(&t->streams, &w, t->records, 16), 4);
    assert_int_equal(t->records[0].id, id_of(19, 1, 0));
    assert_int_equal(t->records[0].len, 0);
    assert_int_equal(t->records[1].id, id_of(19, 0, 0) | 4);
    assert_int_equal(t->records[1].len, 0);
    assert_int_equal(t->records[2].id, talks->id);
    assert_int_equal(t->records[2].len, 5);
    assert_int_equal(t->records[3].id, again->id);
    assert_int_equal(t->records[3].len, 7);
    /* Nothing is named without what it is named for. */
    for (size_t max = 0; max < 3; max++) {
        w = skua_writer_of(t->packet, TABLE_PACKET);
        assert_int_equal(skua_streams_early_write(&t->streams, &w, t->records, max), 0);
        assert_int_equal(skua_writer_len(&w), 0);
    }
    w = skua_writer_of(t->packet, 9);
    assert_int_equal(skua_streams_early_write(&t->streams, &w, t->records, 16), 0);
    assert_int_equal(skua_writer_len(&w), 0);
    client_free(t);
}

static void nobody_talks(void **state)
{
    (void)state;
    struct table *t = client_new();
    (void)open_one(t, SKUA_STREAM_BIDI, 0);
    struct skua_writer w = skua_writer_of(t->packet, TABLE_PACKET);
    assert_int_equal(skua_streams_early_write(&t->streams, &w, t->records, 16), 0);
    assert_int_equal(skua_writer_len(&w), 0);
    client_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit),
        cmocka_unit_test(both_numberings_together),
        cmocka_unit_test(all_together),
        cmocka_unit_test(nothing_but_bytes),
        cmocka_unit_test(silent_streams_take_little),
        cmocka_unit_test(nobody_talks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
