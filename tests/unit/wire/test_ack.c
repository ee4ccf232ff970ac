/* ACK frames against a naive model: a set of descending ranges goes in and the same comes out, as
 * many as there is room for. */
#include "unit.h"

#include "base/limits.h"
#include "random.h"
#include "wire/frame.h"

enum { MOST = 300 };

/* Up to `n` descending ranges with gaps; returns how many there was room for above 0. */
static size_t make_ranges(struct skua_range *ranges, size_t n, uint64_t *seed)
{
    uint64_t top = random_varint(seed);
    size_t count = 0;
    while (count < n) {
        uint64_t len = random_varint(seed) >> (random_next(seed) % 40);
        ranges[count] = (struct skua_range){.first = top > len ? top - len : 0, .last = top};
        uint64_t gap = 2 + (random_varint(seed) >> (random_next(seed) % 40));
        uint64_t first = ranges[count].first;
        count++;
        if (first < gap) {
            break;
        }
        top = first - gap;
    }
    return count;
}

static void ranges_round_trip_as_far_as_there_is_room(void **state)
{
    (void)state;
    static struct skua_range in[MOST], out[MOST];
    uint64_t seed = 20;
    for (int i = 0; i < 50000; i++) {
        uint8_t bytes[2048];
        size_t n = make_ranges(in, 1 + random_next(&seed) % MOST, &seed);
        uint64_t counts[3] = {random_varint(&seed), 0, random_varint(&seed)};
        bool ecn = i % 2 != 0;
        uint64_t delay = random_varint(&seed);
        size_t room = (size_t)(random_next(&seed) % (i % 3 == 0 ? sizeof bytes : 60));
        struct skua_writer w = skua_writer_of(bytes, room);
        size_t written = skua_ack_frame_write(&w, in, n, delay, ecn ? counts : NULL);
        assert_false(w.failed);
        assert_true(written <= n && written <= SKUA_LIMIT_ACK_RANGES_SENT);
        if (written == 0) {
            assert_int_equal(skua_writer_len(&w), 0);
            assert_true(room < 1 + 3 * 8 + 1 + 24);
            continue;
        }
        struct skua_reader r = skua_reader_of(bytes, skua_writer_len(&w));
        struct skua_frame f;
        assert_int_equal(skua_frame_read(&r, &f), SKUA_CODE_NO_ERROR);
        assert_int_equal(skua_reader_left(&r), 0);
        assert_int_equal(f.type, ecn ? SKUA_FRAME_ACK_ECN : SKUA_FRAME_ACK);
        assert_int_equal(f.ack.largest, in[0].last);
        assert_int_equal(f.ack.delay, delay);
        assert_int_equal(f.ack.range_count, written);
        assert_int_equal(f.ack.ecn[2], ecn ? counts[2] : 0);
        assert_int_equal(skua_ack_frame_ranges(&f.ack, out, MOST), written);
        assert_memory_equal(in, out, written * sizeof in[0]);
        assert_int_equal(skua_ack_frame_ranges(&f.ack, out, 1), 1);
        /* Stopped early only because the next range had no room. */
        if (written < n && written < SKUA_LIMIT_ACK_RANGES_SENT) {
            size_t next = skua_varint_len(in[written - 1].first - in[written].last - 2) +
                          skua_varint_len(in[written].last - in[written].first);
            assert_true(skua_writer_left(&w) < next);
        }
    }
}

static enum skua_code read_ack(const uint8_t *bytes, size_t len, struct skua_frame *f)
{
    struct skua_reader r = skua_reader_of(bytes, len);
    return skua_frame_read(&r, f);
}

static void ranges_may_not_pass_below_zero(void **state)
{
    (void)state;
    struct skua_frame f;
    /* type, largest, delay, count, first range, gap, length */
    static const uint8_t good[] = {0x02, 10, 0, 1, 3, 1, 4}; /* 7-10, 0-4 */
    assert_int_equal(read_ack(good, sizeof good, &f), SKUA_CODE_NO_ERROR);
    struct skua_range ranges[2];
    assert_int_equal(skua_ack_frame_ranges(&f.ack, ranges, 2), 2);
    assert_int_equal(ranges[0].first, 7);
    assert_int_equal(ranges[0].last, 10);
    assert_int_equal(ranges[1].first, 0);
    assert_int_equal(ranges[1].last, 4);
    static const uint8_t bad[][7] = {
        {0x02, 10, 0, 1, 3, 1, 5},  /* second range one too long */
        {0x02, 10, 0, 1, 3, 6, 0},  /* gap beyond 0 */
        {0x02, 10, 0, 1, 11, 0, 0}, /* first range beyond 0 */
        {0x02, 10, 0, 1, 10, 0, 0}, /* nothing left below the first range */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_ack(bad[i], sizeof bad[i], &f), SKUA_CODE_FRAME_ENCODING);
    }
}

static void the_number_of_ranges_is_bounded(void **state)
{
    (void)state;
    uint8_t bytes[2048];
    for (uint64_t extra = SKUA_LIMIT_ACK_RANGES_READ - 1; extra <= SKUA_LIMIT_ACK_RANGES_READ;
         extra++) {
        struct skua_writer w = skua_writer_of(bytes, sizeof bytes);
        skua_writer_varint(&w, SKUA_FRAME_ACK);
        skua_writer_varint(&w, 100000);
        skua_writer_varint(&w, 0);
        skua_writer_varint(&w, extra);
        skua_writer_zero(&w, (size_t)(1 + 2 * extra));
        struct skua_frame f;
        assert_int_equal(read_ack(bytes, skua_writer_len(&w), &f),
                         extra < SKUA_LIMIT_ACK_RANGES_READ ? SKUA_CODE_NO_ERROR
                                                            : SKUA_CODE_FRAME_ENCODING);
    }
    /* A count far beyond what the packet holds is not even walked. */
    static const uint8_t huge[] = {0x02, 10, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
    struct skua_frame f;
    assert_int_equal(read_ack(huge, sizeof huge, &f), SKUA_CODE_FRAME_ENCODING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_round_trip_as_far_as_there_is_room),
        cmocka_unit_test(ranges_may_not_pass_below_zero),
        cmocka_unit_test(the_number_of_ranges_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
