/* Sealing and opening whole packets: what goes in comes out, nothing forged does, no nonce is used
 * twice, and the header shows nothing. Run for every suite that this machine has. */
#include "unit.h"

#include <stdlib.h>

#include <sodium.h>

#include "base/alloc.h"
#include "packet/open.h"
#include "packet/seal.h"

enum { CLIENT, SERVER, ID_LEN = 8, DATA_HEADER = 1 + ID_LEN + 4, CONFIRM_HEADER = 100 };
#define RETIRE UINT64_C(1000)

static struct skua_aead_cache cache;
static struct skua_heap heap;
static struct skua_keys ends[2];

static void start(uint8_t suite)
{
    struct skua_secret to_responder;
    struct skua_secret to_initiator;
    memset(&to_responder, 7, sizeof to_responder);
    memset(&to_initiator, 9, sizeof to_initiator);
    skua_keys_init(&ends[CLIENT], &cache, suite, true, &to_responder, &to_initiator);
    skua_keys_init(&ends[SERVER], &cache, suite, false, &to_responder, &to_initiator);
    skua_keys_on_confirmed(&ends[CLIENT]);
    skua_keys_on_confirmed(&ends[SERVER]);
}

static void stop(void)
{
    skua_keys_wipe(&ends[CLIENT], &cache);
    skua_keys_wipe(&ends[SERVER], &cache);
}

/* The next suite of this machine after `suite` (0 to begin), or 0. */
static uint8_t next_suite(uint8_t suite)
{
    unsigned bit = suite == 0 ? 1U : (unsigned)suite << 1;
    for (; bit <= SKUA_SUITE_AEGIS_128L; bit <<= 1) {
        if ((skua_suites_available() & bit) != 0) {
            return (uint8_t)bit;
        }
    }
    return 0;
}

/* A header with packet number `pn` at its end, and `len` bytes of frames. Returns the length. */
static size_t fill_packet(uint8_t *data, uint8_t first, size_t header_len, uint64_t pn, size_t len)
{
    memset(data, 0xc1, header_len);
    data[0] = first;
    for (unsigned i = 0; i < 4; i++) {
        data[header_len - 4 + i] = (uint8_t)(pn >> (24 - 8 * i));
    }
    memset(data + header_len, 0x66, len);
    return header_len + len;
}

static size_t seal(unsigned from, uint8_t first, size_t header_len, uint64_t pn, size_t len,
                   uint8_t data[2048])
{
    size_t total = 0;
    const struct skua_sealing packet = {.data = data,
                                        .header_len = header_len,
                                        .len = fill_packet(data, first, header_len, pn, len),
                                        .cap = 2048,
                                        .pn = pn};
    assert_true(skua_packet_seal(&ends[from], &cache, &packet, &total));
    return total;
}

static enum skua_verdict open_at(unsigned at, uint8_t *data, size_t len, size_t header_len,
                                 uint64_t expected, struct skua_opening *p)
{
    enum skua_verdict verdict =
        skua_packet_unmask(p, &ends[at], data, len, header_len - 4, expected);
    return verdict == SKUA_VERDICT_OK ? skua_packet_open(p, &ends[at], &cache, RETIRE) : verdict;
}

static void data_round_trip(void **state)
{
    (void)state;
    for (uint8_t suite = 0; (suite = next_suite(suite)) != 0;) {
        static const uint64_t NUMBERS[] = {0,
                                           1,
                                           255,
                                           UINT64_C(0x12345678),
                                           UINT64_C(0xffffffff),
                                           UINT64_C(0x100000000),
                                           UINT64_C(0x3ffffffffffffffe)};
        start(suite);
        for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
            uint8_t data[2048];
            uint8_t frames[1400];
            struct skua_opening p;
            size_t total = seal(CLIENT, 0x40, DATA_HEADER, NUMBERS[i], 1400, data);
            assert_int_equal(total, DATA_HEADER + 1400 + skua_packet_overhead(&ends[CLIENT]));
            assert_int_equal(open_at(SERVER, data, total, DATA_HEADER, NUMBERS[i], &p),
                             SKUA_VERDICT_OK);
            assert_int_equal(p.pn, NUMBERS[i]);
            assert_int_equal(p.frames_len, 1400);
            assert_ptr_equal(p.frames, data + DATA_HEADER);
            memset(frames, 0x66, sizeof frames);
            assert_memory_equal(p.frames, frames, sizeof frames);
            assert_int_equal(data[0], 0x40);
        }
        assert_int_equal(ends[SERVER].rx_failed, 0);
        stop();
    }
}

static void confirm_round_trip(void **state)
{
    (void)state;
    for (uint8_t suite = 0; (suite = next_suite(suite)) != 0;) {
        uint8_t data[2048];
        uint8_t header[CONFIRM_HEADER];
        struct skua_opening p;
        start(suite);
        size_t total = seal(CLIENT, 0xc8, CONFIRM_HEADER, 5, 1, data);
        (void)fill_packet(header, 0xc8, CONFIRM_HEADER, 5, 0);
        /* Nothing of it is masked, and nothing is padded. */
        assert_memory_equal(data, header, CONFIRM_HEADER);
        assert_int_equal(total, CONFIRM_HEADER + 1 + skua_packet_overhead(&ends[CLIENT]));
        assert_int_equal(open_at(SERVER, data, total, CONFIRM_HEADER, 0, &p), SKUA_VERDICT_OK);
        assert_int_equal(p.pn, 5);
        assert_int_equal(p.phase, 0);
        assert_int_equal(p.frames_len, 1);
        stop();
    }
}

static void tiny_data_is_padded(void **state)
{
    (void)state;
    for (uint8_t suite = 0; (suite = next_suite(suite)) != 0;) {
        start(suite);
        for (size_t len = 0; len < 40; len++) {
            uint8_t data[2048];
            struct skua_opening p;
            size_t total = seal(CLIENT, 0x40, DATA_HEADER, len, len, data);
            size_t natural = DATA_HEADER + len + skua_packet_overhead(&ends[CLIENT]);
            assert_int_equal(total, natural < SKUA_DATA_MIN ? SKUA_DATA_MIN : natural);
            assert_int_equal(open_at(SERVER, data, total, DATA_HEADER, len, &p), SKUA_VERDICT_OK);
            for (size_t i = 0; i < p.frames_len; i++) {
                assert_int_equal(p.frames[i], i < len ? 0x66 : 0);
            }
        }
        stop();
    }
}

/* After a failed open the header is as it came, and the end of the datagram is in `tail`. */
static void every_bit_counts(void **state)
{
    (void)state;
    static const struct {
        uint8_t first;
        size_t header_len;
    } KINDS[] = {{0x40, DATA_HEADER}, {0xc8, CONFIRM_HEADER}};
    for (uint8_t suite = 0; (suite = next_suite(suite)) != 0;) {
        for (size_t kind = 0; kind < 2; kind++) {
            const size_t header_len = KINDS[kind].header_len;
            uint8_t data[2048];
            uint8_t copy[2048];
            struct skua_opening p;
            start(suite);
            size_t total = seal(CLIENT, KINDS[kind].first, header_len, 3, 30, data);
            for (size_t bit = 0; bit < 8 * total; bit++) {
                uint8_t tail[16];
                memcpy(copy, data, total);
                copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
                memcpy(tail, copy + total - 16, sizeof tail);
                const uint8_t first = copy[0];
                enum skua_verdict verdict = open_at(SERVER, copy, total, header_len, 0, &p);
                /* A forged phase bit, before anything has arrived, leads to no key. */
                assert_true(verdict == SKUA_VERDICT_BAD_AUTH || verdict == SKUA_VERDICT_NO_KEYS);
                assert_memory_equal(p.tail, tail, sizeof tail);
                assert_null(p.frames);
                assert_int_equal(copy[0], first);
                for (size_t i = 1; i < header_len; i++) {
                    unsigned flip = bit / 8 == i ? 1U << bit % 8 : 0U;
                    assert_int_equal(copy[i], data[i] ^ flip);
                }
            }
            assert_int_equal(ends[SERVER].rx_phase, 0);
            assert_true(ends[SERVER].rx_failed > 0);
            for (size_t len = 0; len < total; len++) {
                memcpy(copy, data, total);
                enum skua_verdict verdict = open_at(SERVER, copy, len, header_len, 0, &p);
                bool runt = len < header_len + skua_packet_overhead(&ends[SERVER]);
                assert_true(runt ? verdict == SKUA_VERDICT_RUNT : verdict != SKUA_VERDICT_OK);
            }
            assert_int_equal(open_at(SERVER, data, total, header_len, 0, &p), SKUA_VERDICT_OK);
            stop();
        }
    }
}

/* unmask is free to be called for packets that are then dropped: it writes nothing. */
static void unmask_writes_nothing(void **state)
{
    (void)state;
    uint8_t data[2048];
    uint8_t copy[2048];
    struct skua_opening p;
    start(SKUA_SUITE_CHACHA20_POLY1305);
    size_t total = seal(CLIENT, 0x40, DATA_HEADER, 77, 30, data);
    memcpy(copy, data, total);
    const struct skua_keys before = ends[SERVER];
    assert_int_equal(skua_packet_unmask(&p, &ends[SERVER], data, total, DATA_HEADER - 4, 60),
                     SKUA_VERDICT_OK);
    assert_int_equal(p.pn, 77);
    assert_memory_equal(copy, data, total);
    assert_memory_equal(&before, &ends[SERVER], sizeof before);
    stop();
}

/* Same bytes, other number: another nonce, so another ciphertext; the mask follows it. */
static void no_nonce_twice(void **state)
{
    (void)state;
    enum { PACKETS = 3000 };
    for (uint8_t suite = 0; (suite = next_suite(suite)) != 0;) {
        static uint8_t seen[PACKETS][16];
        unsigned first_bytes = 0;
        unsigned masked_like_last = 0;
        uint8_t last[5] = {0};
        start(suite);
        for (unsigned i = 0; i < PACKETS; i++) {
            uint8_t data[2048];
            (void)seal(CLIENT, 0x40, DATA_HEADER, i, 32, data);
            memcpy(seen[i], data + DATA_HEADER, 16);
            assert_int_equal(data[0] & 0xe0, 0x40);
            first_bytes |= 1U << (data[0] & 0x1f);
            uint8_t mask[5] = {data[0]};
            for (unsigned j = 0; j < 4; j++) {
                mask[1 + j] = (uint8_t)(data[DATA_HEADER - 4 + j] ^ (i >> (24 - 8 * j)));
            }
            masked_like_last += memcmp(mask, last, 5) == 0 ? 1 : 0;
            memcpy(last, mask, 5);
        }
        for (unsigned i = 0; i < PACKETS; i++) {
            for (unsigned j = i + 1; j < PACKETS; j++) {
                assert_true(memcmp(seen[i], seen[j], 16) != 0);
            }
        }
        assert_int_equal(first_bytes, UINT32_MAX); /* all 32 values of the masked bits occur */
        assert_int_equal(masked_like_last, 0);
        /* Both directions and the next phase have other keys. */
        uint8_t data[2048];
        (void)seal(SERVER, 0x40, DATA_HEADER, 0, 32, data);
        assert_memory_not_equal(data + DATA_HEADER, seen[0], 16);
        assert_memory_not_equal(ends[CLIENT].tx.iv, ends[SERVER].tx.iv, 12);
        stop();
    }
}

static void reserved_bits(void **state)
{
    (void)state;
    for (uint8_t bit = 0x08; bit <= 0x20; bit = (uint8_t)(bit << 1)) {
        uint8_t data[2048];
        struct skua_opening p;
        start(SKUA_SUITE_CHACHA20_POLY1305);
        size_t total = seal(CLIENT, (uint8_t)(0x40 | bit), DATA_HEADER, 0, 30, data);
        assert_int_equal(open_at(SERVER, data, total, DATA_HEADER, 0, &p), SKUA_VERDICT_PROTOCOL);
        assert_int_equal(p.code, SKUA_CODE_PROTOCOL);
        stop();
    }
}

static void key_update(void **state)
{
    (void)state;
    for (uint8_t suite = 0; (suite = next_suite(suite)) != 0;) {
        uint8_t data[2048];
        uint8_t late[2048];
        struct skua_opening p;
        start(suite);
        size_t total = seal(CLIENT, 0x40, DATA_HEADER, 0, 30, data);
        assert_int_equal(open_at(SERVER, data, total, DATA_HEADER, 0, &p), SKUA_VERDICT_OK);
        skua_keys_on_ack_sent(&ends[SERVER], 0);
        total = seal(SERVER, 0x40, DATA_HEADER, 0, 30, data);
        assert_int_equal(open_at(CLIENT, data, total, DATA_HEADER, 0, &p), SKUA_VERDICT_OK);
        assert_int_equal(skua_keys_on_ack_received(&ends[CLIENT], 0, 0), SKUA_CODE_NO_ERROR);
        size_t late_total = seal(CLIENT, 0x40, DATA_HEADER, 1, 30, late);
        assert_true(skua_keys_update(&ends[CLIENT], &cache));
        /* Whatever bit the header came with, the sealed packet shows its phase. */
        total = seal(CLIENT, 0x40, DATA_HEADER, 2, 30, data);
        assert_int_equal(open_at(SERVER, data, total, DATA_HEADER, 1, &p), SKUA_VERDICT_OK);
        assert_int_equal(p.phase, 1);
        assert_int_equal(data[0], 0x44);
        assert_int_equal(ends[SERVER].tx_phase, 1);
        assert_int_equal(open_at(SERVER, late, late_total, DATA_HEADER, 3, &p), SKUA_VERDICT_OK);
        assert_int_equal(p.phase, 0);
        total = seal(SERVER, 0x44, DATA_HEADER, 1, 30, data);
        assert_int_equal(open_at(CLIENT, data, total, DATA_HEADER, 1, &p), SKUA_VERDICT_OK);
        assert_int_equal(ends[CLIENT].rx_phase, 1);
        /* Before the server has acknowledged anything of phase 1, there may be no phase 2. */
        ends[CLIENT].tx_acked = true;
        skua_keys_on_timeout(&ends[CLIENT], &cache, RETIRE);
        assert_true(skua_keys_update(&ends[CLIENT], &cache));
        total = seal(CLIENT, 0x40, DATA_HEADER, 3, 30, data);
        assert_int_equal(open_at(SERVER, data, total, DATA_HEADER, 3, &p), SKUA_VERDICT_PROTOCOL);
        assert_int_equal(p.code, SKUA_CODE_KEY_UPDATE);
        stop();
    }
}

static void limit_stops_sealing(void **state)
{
    (void)state;
    uint8_t data[2048];
    uint8_t copy[2048];
    size_t total = 0;
    start(SKUA_SUITE_CHACHA20_POLY1305);
    ends[CLIENT].tx_sealed = ends[CLIENT].suite->stop_at;
    const struct skua_sealing packet = {.data = data,
                                        .header_len = DATA_HEADER,
                                        .len = fill_packet(data, 0x40, DATA_HEADER, 0, 20),
                                        .cap = sizeof data,
                                        .pn = 0};
    memcpy(copy, data, DATA_HEADER + 20);
    assert_false(skua_packet_seal(&ends[CLIENT], &cache, &packet, &total));
    assert_memory_equal(copy, data, DATA_HEADER + 20);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_round_trip),       cmocka_unit_test(confirm_round_trip),
        cmocka_unit_test(tiny_data_is_padded),   cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(unmask_writes_nothing), cmocka_unit_test(no_nonce_twice),
        cmocka_unit_test(reserved_bits),         cmocka_unit_test(key_update),
        cmocka_unit_test(limit_stops_sealing),
    };
    skua_heap_init(&heap, NULL);
    skua_aead_cache_init(&cache, &heap);
    return skua_init() == SKUA_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
