/* Frames: every type round-trips, every truncation fails, limits hold, and the table agrees with
 * docs/protocol.md where a mistake would be silent. */
#include "unit.h"

#include <stdlib.h>

#include "base/limits.h"
#include "random.h"
#include "wire/frame.h"
#include "wire/params.h"

static const uint16_t types[] = {
#define SKUA_FRAME(name, type, eliciting, confirm, after_fin, states, text) (type),
#include "wire/frames.def"
#undef SKUA_FRAME
};
enum { TYPES = sizeof types / sizeof types[0] };

static const uint8_t content[4096];

/* A random frame of `type`. ACK ranges are encoded into `scratch`. */
static struct skua_frame make(uint16_t type, uint64_t *seed, uint8_t *scratch, size_t cap)
{
    struct skua_frame f;
    memset(&f, 0, sizeof f);
    f.type = type;
    switch ((enum skua_frame_type)type) {
    case SKUA_FRAME_PADDING:
        f.padding = 1 + (size_t)(random_next(seed) % 40);
        break;
    case SKUA_FRAME_PING:
    case SKUA_FRAME_FIN_ACK:
        break;
    case SKUA_FRAME_ACK:
    case SKUA_FRAME_ACK_ECN: {
        struct skua_writer w = skua_writer_of(scratch, cap);
        f.ack.largest = SKUA_VARINT_MAX;
        f.ack.delay = random_varint(seed);
        f.ack.range_count = (uint16_t)(1 + random_next(seed) % 64);
        skua_writer_varint(&w, random_next(seed) >> 34);
        for (unsigned i = 1; i < f.ack.range_count; i++) {
            skua_writer_varint(&w, random_next(seed) >> 34);
            skua_writer_varint(&w, random_next(seed) >> 34);
        }
        f.ack.ranges = scratch;
        f.ack.ranges_len = (uint16_t)skua_writer_len(&w);
        for (size_t i = 0; type == SKUA_FRAME_ACK_ECN && i < 3; i++) {
            f.ack.ecn[i] = random_varint(seed);
        }
        break;
    }
    case SKUA_FRAME_RESET_STREAM:
        f.reset_stream.id = random_varint(seed);
        f.reset_stream.code = random_varint(seed);
        f.reset_stream.final_size = random_varint(seed);
        break;
    case SKUA_FRAME_ACK_FREQUENCY:
        f.ack_frequency.sequence = random_varint(seed);
        f.ack_frequency.packets = 1 + random_varint(seed) / 2;
        break;
    case SKUA_FRAME_STOP_SENDING:
        f.stop_sending.id = random_varint(seed);
        f.stop_sending.code = random_varint(seed);
        break;
    case SKUA_FRAME_CONSUMED:
    case SKUA_FRAME_CONFIRM_READ:
        f.stream_end.id = random_varint(seed);
        f.stream_end.offset = random_varint(seed);
        break;
    case SKUA_FRAME_STREAM:
        f.stream.id = random_varint(seed);
        f.stream.len = (size_t)(random_next(seed) % 1500);
        f.stream.offset = random_varint(seed) % (SKUA_VARINT_MAX - f.stream.len);
        f.stream.data = content;
        f.stream.fin = random_next(seed) % 2 != 0;
        break;
    case SKUA_FRAME_NEW_TOKEN:
        f.new_token.len = 1 + (size_t)(random_next(seed) % SKUA_LIMIT_TOKEN_MAX);
        f.new_token.data = content;
        break;
    case SKUA_FRAME_DATAGRAM:
        f.datagram.len = (size_t)(random_next(seed) % 1500);
        f.datagram.data = content;
        break;
    case SKUA_FRAME_MAX_DATA:
    case SKUA_FRAME_DATA_BLOCKED:
        f.max = random_varint(seed);
        break;
    case SKUA_FRAME_MAX_STREAMS_BIDI:
    case SKUA_FRAME_MAX_STREAMS_UNI:
    case SKUA_FRAME_STREAMS_BLOCKED_BIDI:
    case SKUA_FRAME_STREAMS_BLOCKED_UNI:
        f.max = random_varint(seed) % (SKUA_STREAM_COUNT_MAX + 1);
        break;
    case SKUA_FRAME_MAX_STREAM_DATA:
    case SKUA_FRAME_STREAM_DATA_BLOCKED:
        f.stream_max.id = random_varint(seed);
        f.stream_max.max = random_varint(seed);
        break;
    case SKUA_FRAME_NEW_CONNECTION_ID:
        f.new_id.sequence = random_varint(seed) % (UINT64_C(1) << 32);
        f.new_id.retire_prior = random_next(seed) % (f.new_id.sequence + 1);
        f.new_id.id = skua_id_of(content + 100, SKUA_LIMIT_ID_MIN + random_next(seed) % 9);
        f.new_id.token = content;
        break;
    case SKUA_FRAME_RETIRE_CONNECTION_ID:
        f.retire_id = random_varint(seed);
        break;
    case SKUA_FRAME_PATH_CHALLENGE:
    case SKUA_FRAME_PATH_RESPONSE:
        f.path = random_next(seed);
        break;
    case SKUA_FRAME_FIN:
        f.fin.bidi = random_varint(seed) % (SKUA_STREAM_COUNT_MAX + 1);
        f.fin.uni = random_varint(seed) % (SKUA_STREAM_COUNT_MAX + 1);
        f.fin.total = random_varint(seed);
        break;
    case SKUA_FRAME_RST:
        f.rst.code = random_varint(seed);
        f.rst.frame_type = random_varint(seed);
        f.rst.application = (uint8_t)(random_next(seed) % 2);
        f.rst.reason_len = (size_t)(random_next(seed) % (SKUA_LIMIT_REASON_MAX + 1));
        f.rst.reason = content;
        break;
    }
    return f;
}

static enum skua_code decode(const uint8_t *data, size_t len, struct skua_frame *f, size_t *used)
{
    uint8_t *exact = malloc(len != 0 ? len : 1);
    assert_non_null(exact);
    memcpy(exact, data, len);
    struct skua_reader r = skua_reader_of(exact, len);
    enum skua_code code = skua_frame_read(&r, f);
    *used = (size_t)(r.at - exact);
    free(exact); /* what the frame points to is gone: only its plain fields may be looked at */
    return code;
}

static void every_frame_round_trips(void **state)
{
    (void)state;
    static uint8_t scratch[1024], first[4096], second[4096];
    uint64_t seed = 10;
    for (size_t t = 0; t < TYPES; t++) {
        for (int i = 0; i < 2000; i++) {
            struct skua_frame in = make(types[t], &seed, scratch, sizeof scratch);
            struct skua_writer w = skua_writer_of(first, sizeof first);
            skua_frame_write(&w, &in);
            assert_false(w.failed);
            size_t len = skua_writer_len(&w);
            assert_int_equal(len, skua_frame_len(&in));

            struct skua_reader r = skua_reader_of(first, len);
            struct skua_frame out;
            assert_int_equal(skua_frame_read(&r, &out), SKUA_CODE_NO_ERROR);
            assert_int_equal(skua_reader_left(&r), 0);
            assert_int_equal(out.type, types[t]);
            w = skua_writer_of(second, sizeof second);
            skua_frame_write(&w, &out);
            assert_int_equal(skua_writer_len(&w), len);
            assert_memory_equal(first, second, len);
        }
    }
}

static void every_truncation_fails(void **state)
{
    (void)state;
    static uint8_t scratch[1024], bytes[4096];
    uint64_t seed = 11;
    for (size_t t = 0; t < TYPES; t++) {
        for (int i = 0; i < 50 && types[t] != SKUA_FRAME_PADDING; i++) {
            struct skua_frame in = make(types[t], &seed, scratch, sizeof scratch);
            struct skua_writer w = skua_writer_of(bytes, sizeof bytes);
            skua_frame_write(&w, &in);
            for (size_t cut = 0; cut < skua_writer_len(&w); cut++) {
                struct skua_frame out;
                size_t used;
                assert_int_equal(decode(bytes, cut, &out, &used), SKUA_CODE_FRAME_ENCODING);
            }
        }
    }
}

static void writers_report_lack_of_room(void **state)
{
    (void)state;
    static uint8_t scratch[1024], bytes[4096];
    uint64_t seed = 12;
    for (size_t t = 0; t < TYPES; t++) {
        struct skua_frame in = make(types[t], &seed, scratch, sizeof scratch);
        size_t len = skua_frame_len(&in);
        for (size_t room = 0; room < len; room++) {
            memset(bytes, 0xee, sizeof bytes);
            struct skua_writer w = skua_writer_of(bytes, room);
            skua_frame_write(&w, &in);
            assert_true(w.failed);
            assert_int_equal(bytes[room], 0xee);
        }
    }
}

static void fields_arrive_where_they_belong(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {
        0x04, 0x05, 0x41, 0x00, 0x09,                   /* RESET_STREAM 5, 256, 9 */
        0x0f, 0x08, 0x11, 0x03, 'a',  'b',  'c',        /* STREAM 8 at 17 "abc" FIN */
        0x40, 0x40, 0x02, 0x01, 0x80, 0x01, 0x00, 0x00, /* FIN 2, 1, 65536 */
        0x40, 0x42, 0x01, 0x07, 0x08, 0x02, 'n',  'o',  /* RST application 7, 8, "no" */
        0x31, 0x02, 'd',  'g',  0x31, 0x00,             /* DATAGRAM "dg", and an empty one */
        0x00, 0x00, 0x00,                               /* PADDING, three of it */
        0x08, 0x01, 'e',  'n',  'd'};                   /* STREAM 1 to the end */
    struct skua_reader r = skua_reader_of(bytes, sizeof bytes);
    struct skua_frame f;
    assert_int_equal(skua_frame_read(&r, &f), SKUA_CODE_NO_ERROR);
    assert_int_equal(f.type, SKUA_FRAME_RESET_STREAM);
    assert_int_equal(f.reset_stream.id, 5);
    assert_int_equal(f.reset_stream.code, 256);
    assert_int_equal(f.reset_stream.final_size, 9);
    assert_int_equal(skua_frame_read(&r, &f), SKUA_CODE_NO_ERROR);
    assert_int_equal(f.type, SKUA_FRAME_STREAM);
    assert_int_equal(f.stream.id, 8);
    assert_int_equal(f.stream.offset, 17);
    assert_int_equal(f.stream.len, 3);
    assert_memory_equal(f.stream.data, "abc", 3);
    assert_true(f.stream.fin);
    assert_int_equal(skua_frame_read(&r, &f), SKUA_CODE_NO_ERROR);
    assert_int_equal(f.type, SKUA_FRAME_FIN);
    assert_int_equal(f.fin.bidi, 2);
    assert_int_equal(f.fin.uni, 1);
    assert_int_equal(f.fin.total, 65536);
    assert_int_equal(skua_frame_read(&r, &f), SKUA_CODE_NO_ERROR);
    assert_int_equal(f.type, SKUA_FRAME_RST);
    assert_int_equal(f.rst.application, 1);
    assert_int_equal(f.rst.code, 7);
    assert_int_equal(f.rst.frame_type, 8);
    assert_memory_equal(f.rst.reason, "no", 2);
    assert_int_equal(skua_frame_read(&r, &f), SKUA_CODE_NO_ERROR);
    assert_int_equal(f.type, SKUA_FRAME_DATAGRAM);
    assert_int_equal(f.datagram.len, 2);
    assert_memory_equal(f.datagram.data, "dg", 2);
    assert_false(f.datagram.last);
    assert_int_equal(skua_frame_read(&r, &f), SKUA_CODE_NO_ERROR);
    assert_int_equal(f.type, SKUA_FRAME_DATAGRAM);
    assert_int_equal(f.datagram.len, 0);
    assert_int_equal(skua_frame_read(&r, &f), SKUA_CODE_NO_ERROR);
    assert_int_equal(f.type, SKUA_FRAME_PADDING);
    assert_int_equal(f.padding, 3);
    assert_int_equal(skua_frame_read(&r, &f), SKUA_CODE_NO_ERROR);
    assert_int_equal(f.stream.id, 1);
    assert_int_equal(f.stream.offset, 0);
    assert_int_equal(f.stream.len, 3);
    assert_false(f.stream.fin);
    assert_int_equal(skua_reader_left(&r), 0);
}

/* RFC 9221 §4: without a length the data end with the packet. */
static void a_datagram_without_length_is_the_last(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x01, 0x30, 'x', 0x00, 'y'};
    struct skua_reader r = skua_reader_of(bytes, sizeof bytes);
    struct skua_frame f;
    assert_int_equal(skua_frame_read(&r, &f), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_frame_read(&r, &f), SKUA_CODE_NO_ERROR);
    assert_int_equal(f.type, SKUA_FRAME_DATAGRAM);
    assert_true(f.datagram.last);
    assert_int_equal(f.datagram.len, 3);
    assert_memory_equal(f.datagram.data, "x\0y", 3);
    assert_int_equal(skua_reader_left(&r), 0);
    uint8_t again[8];
    struct skua_writer w = skua_writer_of(again, sizeof again);
    skua_frame_write(&w, &f);
    assert_int_equal(skua_writer_len(&w), skua_frame_len(&f));
    assert_memory_equal(again, bytes + 1, 4);
}

static void what_must_not_be_accepted(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[48];
        size_t len;
    } bad[] = {
        {{0x06}, 1},                            /* a type not in use */
        {{0x40, 0x01}, 2},                      /* PING in two bytes */
        {{0x80, 0x00, 0x00, 0x08, 0x00}, 5},    /* STREAM in four */
        {{0x40, 0x43}, 2},                      /* behind the last type */
        {{0xc0, 0, 0, 0, 0, 1, 0, 1}, 8},       /* 65537: must not be taken for its low 16 bits */
        {{0x12, 0xc8, 0, 0, 0, 0, 0, 0, 1}, 9}, /* MAX_STREAMS 2^59 + 1 */
        {{0x0e, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'x'},
         12},                                                /* past 2^62 */
        {{0x0a, 0x00, 0x05, 'a', 'b'}, 5},                   /* STREAM longer than the packet */
        {{0x31, 0x03, 'a', 'b'}, 4},                         /* so is this DATAGRAM */
        {{0x40, 0x30, 'a', 'b'}, 4},                         /* DATAGRAM's type in two bytes */
        {{0x40, 0x42, 0x02, 0x00, 0x00, 0x00}, 6},           /* RST of an unknown space */
        {{0x40, 0x40, 0xc8, 0, 0, 0, 0, 0, 0, 1, 0, 0}, 12}, /* FIN: too many streams */
        {{0x18, 1, 2, 8, 1}, 29},                            /* retire_prior above sequence */
        {{0x18, 1, 0, 7, 1}, 29},                            /* an id of 7 bytes */
        {{0x18, 1, 0, 17, 1}, 40},                           /* one of 17 */
        {{0x18, 0xc0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 1}, 36},    /* sequence 2^32 */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct skua_frame f;
        size_t used;
        assert_int_equal(decode(bad[i].bytes, bad[i].len, &f, &used), SKUA_CODE_FRAME_ENCODING);
    }
    uint8_t rst[300] = {0x40, 0x42, 0x00, 0x00, 0x00, 0x41, 0x00}; /* reason of 256 bytes */
    struct skua_frame f;
    size_t used;
    assert_int_equal(decode(rst, 7 + 256, &f, &used), SKUA_CODE_NO_ERROR);
    rst[6] = 1;
    assert_int_equal(decode(rst, 7 + 257, &f, &used), SKUA_CODE_FRAME_ENCODING);
}

/* The last value of each range. */
static void what_is_just_accepted(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[48];
        size_t len;
    } good[] = {
        {{0x0e, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0x01, 'x'}, 12},
        {{0x0e, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00}, 11},
        {{0x12, 0xc8, 0, 0, 0, 0, 0, 0, 0}, 9}, /* MAX_STREAMS 2^59 */
        {{0x18, 1, 1, 8, 1}, 28},               /* retire_prior is the sequence */
        {{0x18, 1, 0, 16, 1}, 36},              /* the longest id */
        {{0x18, 0xc0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 8}, 35}, /* sequence 2^32 - 1 */
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct skua_frame f;
        size_t used;
        assert_int_equal(decode(good[i].bytes, good[i].len, &f, &used), SKUA_CODE_NO_ERROR);
        assert_int_equal(used, good[i].len);
    }
}

static void the_table(void **state)
{
    (void)state;
    for (size_t t = 0; t < TYPES; t++) {
        assert_non_null(skua_frame_info(types[t]));
    }
    size_t known = 0;
    for (uint64_t type = 0; type < 70000; type++) {
        known += skua_frame_info(type) != NULL;
    }
    assert_int_equal(known, TYPES + 7 + 1); /* STREAM has eight values, DATAGRAM two */
    assert_null(skua_frame_info(UINT64_MAX));
    assert_string_equal(skua_frame_info(0x0f)->name, "STREAM");
    assert_string_equal(skua_frame_info(0x31)->name, "DATAGRAM");
    /* Protocol: all but ACK, PADDING and RST are ack-eliciting. */
    for (size_t t = 0; t < TYPES; t++) {
        bool silent = types[t] == SKUA_FRAME_ACK || types[t] == SKUA_FRAME_ACK_ECN ||
                      types[t] == SKUA_FRAME_PADDING || types[t] == SKUA_FRAME_RST;
        assert_int_equal(skua_frame_info(types[t])->eliciting, !silent);
    }
    assert_false(skua_frame_info(SKUA_FRAME_ACK)->in_confirm);
    assert_true(skua_frame_info(SKUA_FRAME_PING)->in_confirm);
    assert_int_equal(skua_frame_info(SKUA_FRAME_STREAM)->after_fin, SKUA_AFTER_FIN_REPEAT);
}

static void stream_frames_fill_the_room(void **state)
{
    (void)state;
    static uint8_t packet[20000];
    uint64_t seed = 13;
    for (int i = 0; i < 200000; i++) {
        struct skua_stream_frame s = {.id = random_varint(&seed),
                                      .offset =
                                          random_next(&seed) % 2 ? random_varint(&seed) / 2 : 0};
        size_t room = (size_t)(random_next(&seed) % (i % 4 == 0 ? 17000 : 100));
        size_t available = (size_t)(random_next(&seed) % (i % 4 == 0 ? 17000 : 100));
        bool last;
        bool fits = skua_stream_frame_fit(room, s.id, s.offset, available, &s.len, &last);
        size_t bare = skua_stream_frame_header_len(s.id, s.offset, 0, true);
        if (!fits) {
            assert_true(room < bare + 2);
            continue;
        }
        assert_true(s.len <= available && (s.len != 0 || available == 0));
        struct skua_writer w = skua_writer_of(packet, room);
        skua_stream_frame_header_write(&w, &s, last);
        assert_int_equal(skua_writer_len(&w),
                         skua_stream_frame_header_len(s.id, s.offset, s.len, last));
        skua_writer_zero(&w, s.len);
        assert_false(w.failed);
        assert_true(!last || skua_writer_left(&w) == 0);
        /* Data are held back only for want of room. */
        assert_true(s.len == available || skua_writer_left(&w) <= 1);
        struct skua_reader r = skua_reader_of(packet, skua_writer_len(&w));
        struct skua_frame f;
        assert_int_equal(skua_frame_read(&r, &f), SKUA_CODE_NO_ERROR);
        assert_int_equal(f.stream.id, s.id);
        assert_int_equal(f.stream.offset, s.offset);
        assert_int_equal(f.stream.len, s.len);
    }
}

static void random_bytes_are_harmless(void **state)
{
    (void)state;
    uint64_t seed = 14;
    uint8_t bytes[48], again[96];
    for (int i = 0; i < 300000; i++) {
        for (size_t j = 0; j < sizeof bytes; j++) {
            bytes[j] = (uint8_t)random_next(&seed);
        }
        bytes[0] = (uint8_t)types[random_next(&seed) % TYPES];
        if (bytes[0] >= 0x40) {
            bytes[1] = bytes[0];
            bytes[0] = 0x40;
        }
        struct skua_reader r = skua_reader_of(bytes, 1 + (size_t)(random_next(&seed) % 48));
        struct skua_frame f, g;
        if (skua_frame_read(&r, &f) != SKUA_CODE_NO_ERROR) {
            continue;
        }
        struct skua_writer w = skua_writer_of(again, sizeof again);
        skua_frame_write(&w, &f);
        assert_int_equal(skua_writer_len(&w), skua_frame_len(&f));
        struct skua_reader r2 = skua_reader_of(again, skua_writer_len(&w));
        assert_int_equal(skua_frame_read(&r2, &g), SKUA_CODE_NO_ERROR);
        assert_int_equal(g.type, f.type);
        assert_int_equal(skua_frame_len(&g), skua_frame_len(&f));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_round_trips),
        cmocka_unit_test(every_truncation_fails),
        cmocka_unit_test(writers_report_lack_of_room),
        cmocka_unit_test(fields_arrive_where_they_belong),
        cmocka_unit_test(a_datagram_without_length_is_the_last),
        cmocka_unit_test(what_must_not_be_accepted),
        cmocka_unit_test(what_is_just_accepted),
        cmocka_unit_test(the_table),
        cmocka_unit_test(stream_frames_fill_the_room),
        cmocka_unit_test(random_bytes_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
