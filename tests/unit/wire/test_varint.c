/* Variable-length integers (RFC 9000 §16, vectors of §A.1) and packet number expansion (§A.3). */
#include "unit.h"

#include "random.h"
#include "wire/pn.h"
#include "wire/varint.h"

static uint64_t decode(const uint8_t *bytes, size_t len, size_t *used, bool *failed)
{
    struct skua_reader r = skua_reader_of(bytes, len);
    uint64_t v = skua_reader_varint(&r);
    *used = (size_t)(r.at - bytes);
    *failed = r.failed;
    return v;
}

static void rfc_vectors(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[8];
        size_t len;
        uint64_t value;
    } vectors[] = {
        {{0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c}, 8, UINT64_C(151288809941952652)},
        {{0x9d, 0x7f, 0x3e, 0x7d}, 4, 494878333},
        {{0x7b, 0xbd}, 2, 15293},
        {{0x25}, 1, 37},
        {{0x40, 0x25}, 2, 37}, /* longer than needed: allowed */
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        size_t used;
        bool failed;
        assert_int_equal(decode(vectors[i].bytes, vectors[i].len, &used, &failed),
                         vectors[i].value);
        assert_false(failed);
        assert_int_equal(used, vectors[i].len);
        for (size_t cut = 0; cut < vectors[i].len; cut++) {
            assert_int_equal(decode(vectors[i].bytes, cut, &used, &failed), 0);
            assert_true(failed);
        }
    }
}

static void lengths_change_where_they_should(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        size_t len;
    } edges[] = {{0, 1},        {63, 1},
                 {64, 2},       {16383, 2},
                 {16384, 4},    {(1u << 30) - 1, 4},
                 {1u << 30, 8}, {SKUA_VARINT_MAX, 8}};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        uint8_t bytes[8];
        struct skua_writer w = skua_writer_of(bytes, sizeof bytes);
        skua_writer_varint(&w, edges[i].value);
        assert_int_equal(skua_writer_len(&w), edges[i].len);
        assert_int_equal(skua_varint_len(edges[i].value), edges[i].len);
        struct skua_reader r = skua_reader_of(bytes, edges[i].len);
        assert_int_equal(skua_reader_varint_minimal(&r), edges[i].value);
        assert_false(r.failed);
        for (size_t room = 0; room < edges[i].len; room++) {
            w = skua_writer_of(bytes, room);
            skua_writer_varint(&w, edges[i].value);
            assert_true(w.failed);
        }
    }
}

static void round_trip_in_every_length(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 100000; i++) {
        uint64_t v = random_varint(&seed);
        for (size_t len = skua_varint_len(v); len <= 8; len *= 2) {
            uint8_t bytes[8];
            struct skua_writer w = skua_writer_of(bytes, sizeof bytes);
            skua_writer_varint_fixed(&w, v, len);
            assert_int_equal(skua_writer_len(&w), len);
            struct skua_reader r = skua_reader_of(bytes, len);
            assert_int_equal(skua_reader_varint(&r), v);
            assert_int_equal(skua_reader_left(&r), 0);
            r = skua_reader_of(bytes, len);
            (void)skua_reader_varint_minimal(&r);
            assert_int_equal(r.failed, len != skua_varint_len(v));
        }
    }
}

static void packet_numbers_expand_to_the_nearest(void **state)
{
    (void)state;
    const uint64_t window = UINT64_C(1) << 32;
    /* RFC 9000 §A.3, with 32 bits instead of 16: the same digits. */
    assert_int_equal(skua_pn_expand(0x9b3200a8, UINT64_C(0xa82f9b30ea) + 1),
                     UINT64_C(0xa89b3200a8));
    assert_int_equal(skua_pn_expand(0, 0), 0);
    assert_int_equal(skua_pn_expand(UINT32_MAX, 0), UINT32_MAX); /* nothing below 0 to choose */
    assert_int_equal(skua_pn_expand(UINT32_MAX, window), window - 1);
    assert_int_equal(skua_pn_expand(0, window - 1), window);
    assert_int_equal(skua_pn_expand(UINT32_MAX, SKUA_PN_MAX + 1), SKUA_PN_MAX);
    assert_int_equal(skua_pn_expand(0, SKUA_PN_MAX), SKUA_PN_MAX + 1 - window);
    uint64_t seed = 2;
    for (int i = 0; i < 200000; i++) {
        uint64_t expected = random_varint(&seed);
        uint64_t off = random_next(&seed) % (window - 2);
        uint64_t low = expected > window / 2 ? expected - window / 2 + 1 : 0;
        uint64_t pn = low + off;
        if (pn > SKUA_PN_MAX || pn >= expected + window / 2) {
            continue;
        }
        assert_int_equal(skua_pn_expand(skua_pn_truncate(pn), expected), pn);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_vectors),
        cmocka_unit_test(lengths_change_where_they_should),
        cmocka_unit_test(round_trip_in_every_length),
        cmocka_unit_test(packet_numbers_expand_to_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
