/* Both roles of every pattern against each other, everything that must fail, and the state that a
 * half-open entry keeps. Published vectors: tests/vectors. */
#include "hex.h"

#include "crypto/exporter.h"
#include "crypto/noise.h"

struct pair {
    struct skua_keypair key[2];
    struct skua_noise noise[2]; /* initiator, responder */
};

static const uint8_t PSK[SKUA_PSK_LEN] = "a pre-shared key, 32 bytes long.";

static bool has_psk(unsigned pattern)
{
    return pattern == SKUA_PATTERN_XXPSK3 || pattern == SKUA_PATTERN_IKPSK2;
}

static bool knows_remote(unsigned pattern)
{
    return pattern == SKUA_PATTERN_IK || pattern == SKUA_PATTERN_IKPSK2;
}

static void start_side(struct pair *p, unsigned side, unsigned pattern, const uint8_t *psk,
                       const char *prologue)
{
    struct skua_secret_key ephemeral;
    memset(ephemeral.bytes, 0x30 + (int)side, sizeof ephemeral.bytes);
    const struct skua_noise_config config = {
        .pattern = (enum skua_pattern)pattern,
        .initiator = side == 0,
        .prologue = prologue,
        .prologue_len = strlen(prologue),
        .local = &p->key[side],
        .remote = side == 0 && knows_remote(pattern) ? &p->key[1].public_key : NULL,
        .psk = has_psk(pattern) ? psk : NULL,
        .ephemeral = &ephemeral,
    };
    assert_true(skua_noise_init(&p->noise[side], &config));
}

static void start(struct pair *p, unsigned pattern)
{
    for (unsigned side = 0; side < 2; side++) {
        struct skua_secret_key secret;
        memset(secret.bytes, 0x10 + (int)side, sizeof secret.bytes);
        skua_keypair_init(&p->key[side], &secret);
    }
    start_side(p, 0, pattern, PSK, "prologue");
    start_side(p, 1, pattern, PSK, "prologue");
}

/* Message `index` with a payload of `len` bytes; returns its length. */
static size_t write_message(struct pair *p, unsigned index, size_t len, uint8_t message[512])
{
    uint8_t payload[64];
    struct skua_writer out = skua_writer_of(message, 512);
    memset(payload, 'a' + (int)index, sizeof payload);
    assert_true(skua_noise_my_turn(&p->noise[index % 2]));
    assert_true(skua_noise_write(&p->noise[index % 2], payload, len, &out));
    return skua_writer_len(&out);
}

static bool read_message(struct skua_noise *noise, const uint8_t *message, size_t message_len,
                         unsigned index, size_t len)
{
    uint8_t payload[512];
    uint8_t expected[64];
    struct skua_reader in = skua_reader_of(message, message_len);
    struct skua_writer out = skua_writer_of(payload, sizeof payload);
    if (!skua_noise_read(noise, &in, &out)) {
        return false;
    }
    memset(expected, 'a' + (int)index, sizeof expected);
    assert_int_equal(skua_writer_len(&out), len);
    assert_memory_equal(payload, expected, len);
    return true;
}

static void step(struct pair *p, unsigned index, size_t len)
{
    uint8_t message[512];
    size_t message_len = write_message(p, index, len, message);
    assert_true(read_message(&p->noise[1 - index % 2], message, message_len, index, len));
}

static void assert_agreed(const struct pair *p)
{
    struct skua_secret keys[2][2];
    struct skua_secret exported[2];
    for (unsigned side = 0; side < 2; side++) {
        assert_true(skua_noise_done(&p->noise[side]));
        skua_noise_split(&p->noise[side], &keys[side][0], &keys[side][1]);
        skua_exporter_init(&exported[side], &p->noise[side]);
        const struct skua_key *remote = skua_noise_remote(&p->noise[side]);
        assert_non_null(remote);
        assert_memory_equal(remote, &p->key[1 - side].public_key, sizeof *remote);
        /* What is not needed any more has been wiped. */
        assert_true(sodium_is_zero(p->noise[side].e.bytes, sizeof p->noise[side].e.bytes));
        assert_true(sodium_is_zero(p->noise[side].psk, sizeof p->noise[side].psk));
    }
    assert_memory_equal(&keys[0], &keys[1], sizeof keys[0]);
    assert_memory_equal(&exported[0], &exported[1], sizeof exported[0]);
    assert_memory_not_equal(&keys[0][0], &keys[0][1], sizeof keys[0][0]);
    assert_memory_not_equal(&keys[0][0], &exported[0], sizeof exported[0]);
    assert_memory_not_equal(&keys[0][1], &exported[0], sizeof exported[0]);
}

static void every_pattern_agrees(void **state)
{
    (void)state;
    for (unsigned pattern = 0; pattern < SKUA_PATTERNS; pattern++) {
        struct pair p;
        start(&p, pattern);
        for (unsigned i = 0; i < skua_noise_messages((enum skua_pattern)pattern); i++) {
            step(&p, i, i == 0 ? 0 : 30);
        }
        assert_agreed(&p);
    }
}

/* The overheads that packet sizes are computed from. */
static void overheads(void **state)
{
    (void)state;
    static const size_t EXPECTED[SKUA_PATTERNS][3] = {
        [SKUA_PATTERN_XX] = {32, 96, 64},
        [SKUA_PATTERN_IK] = {96, 48, 0},
        [SKUA_PATTERN_XXPSK3] = {48, 96, 64},
        [SKUA_PATTERN_IKPSK2] = {96, 48, 0},
    };
    for (unsigned pattern = 0; pattern < SKUA_PATTERNS; pattern++) {
        struct pair p;
        start(&p, pattern);
        for (unsigned i = 0; i < skua_noise_messages((enum skua_pattern)pattern); i++) {
            uint8_t message[512];
            size_t len = write_message(&p, i, 20, message);
            assert_int_equal(len, 20 + EXPECTED[pattern][i]);
            assert_int_equal(skua_noise_overhead((enum skua_pattern)pattern, i),
                             EXPECTED[pattern][i]);
            assert_true(read_message(&p.noise[1 - i % 2], message, len, i, 20));
        }
    }
}

/* A forged message fails on a copy and the original goes on. Message 1 of XX is in clear: a flip
 * there is found by the next message. */
static void every_bit_counts(void **state)
{
    (void)state;
    for (unsigned pattern = 0; pattern < SKUA_PATTERNS; pattern++) {
        struct pair p;
        start(&p, pattern);
        for (unsigned i = 0; i < skua_noise_messages((enum skua_pattern)pattern); i++) {
            uint8_t message[512];
            size_t len = write_message(&p, i, 7, message);
            const struct skua_noise *reader = &p.noise[1 - i % 2];
            bool clear = pattern == SKUA_PATTERN_XX && i == 0;
            for (size_t bit = 0; !clear && bit < 8 * len; bit++) {
                struct skua_noise scratch = *reader;
                message[bit / 8] ^= (uint8_t)(1U << bit % 8);
                assert_false(read_message(&scratch, message, len, i, 7));
                assert_true(scratch.failed);
                assert_false(skua_noise_done(&scratch));
                message[bit / 8] ^= (uint8_t)(1U << bit % 8);
            }
            for (size_t cut = 0; !clear && cut < len; cut++) {
                struct skua_noise scratch = *reader;
                assert_false(read_message(&scratch, message, cut, i, 7));
            }
            assert_true(read_message(&p.noise[1 - i % 2], message, len, i, 7));
        }
        assert_agreed(&p);
    }
}

/* The ignored top bit of `e` does not change the point, but the transcript. */
static void top_bit_is_in_transcript(void **state)
{
    (void)state;
    struct pair p;
    uint8_t message[512];
    start(&p, SKUA_PATTERN_IK);
    size_t len = write_message(&p, 0, 7, message);
    message[31] ^= 0x80;
    assert_false(read_message(&p.noise[1], message, len, 0, 7));

    start(&p, SKUA_PATTERN_XX);
    len = write_message(&p, 0, 7, message);
    message[31] ^= 0x80;
    assert_true(read_message(&p.noise[1], message, len, 0, 7));
    len = write_message(&p, 1, 7, message);
    assert_false(read_message(&p.noise[0], message, len, 1, 7));
}

static void low_order_points_end_it(void **state)
{
    (void)state;
    uint8_t message[512];
    for (unsigned pattern = 0; pattern < SKUA_PATTERNS; pattern++) {
        struct pair p;
        /* From the initiator: refused where the responder first multiplies. */
        start(&p, pattern);
        size_t len = write_message(&p, 0, 0, message);
        if (knows_remote(pattern)) {
            memset(message, 0, SKUA_KEY_LEN);
            assert_false(read_message(&p.noise[1], message, len, 0, 0));
            continue;
        }
        struct skua_writer out = skua_writer_of(message, sizeof message);
        if (!has_psk(pattern)) {
            memset(message, 0, SKUA_KEY_LEN);
            assert_true(read_message(&p.noise[1], message, len, 0, 0));
            assert_false(skua_noise_write(&p.noise[1], NULL, 0, &out));
        }
        /* From the responder. */
        start(&p, pattern);
        step(&p, 0, 0);
        len = write_message(&p, 1, 0, message);
        memset(message, 0, SKUA_KEY_LEN);
        message[0] = 1;
        assert_false(read_message(&p.noise[0], message, len, 1, 0));
    }
    /* A pin that is no key. */
    struct pair p;
    start(&p, SKUA_PATTERN_IK);
    memset(&p.key[1].public_key, 0, sizeof p.key[1].public_key);
    start_side(&p, 0, SKUA_PATTERN_IK, PSK, "");
    struct skua_writer out = skua_writer_of(message, sizeof message);
    assert_false(skua_noise_write(&p.noise[0], NULL, 0, &out));
}

/* Runs a handshake whose sides differ; true if all messages could be read. */
static bool completes(struct pair *p, unsigned pattern)
{
    for (unsigned i = 0; i < skua_noise_messages((enum skua_pattern)pattern); i++) {
        uint8_t message[512];
        size_t len = write_message(p, i, 7, message);
        if (!read_message(&p->noise[1 - i % 2], message, len, i, 7)) {
            return false;
        }
    }
    return true;
}

static void sides_must_agree(void **state)
{
    (void)state;
    uint8_t other_psk[SKUA_PSK_LEN];
    memcpy(other_psk, PSK, sizeof other_psk);
    other_psk[31] ^= 1;
    for (unsigned pattern = 0; pattern < SKUA_PATTERNS; pattern++) {
        struct pair p;
        start(&p, pattern);
        assert_true(completes(&p, pattern));
        start(&p, pattern);
        start_side(&p, 1, pattern, PSK, "Prologue");
        assert_false(completes(&p, pattern));
        if (has_psk(pattern)) {
            start(&p, pattern);
            start_side(&p, 1, pattern, other_psk, "prologue");
            assert_false(completes(&p, pattern));
        }
        if (knows_remote(pattern)) {
            /* The responder's key is another than the initiator believes. */
            start(&p, pattern);
            struct skua_secret_key secret;
            memset(secret.bytes, 0x77, sizeof secret.bytes);
            skua_keypair_init(&p.key[1], &secret);
            start_side(&p, 1, pattern, PSK, "prologue");
            assert_false(completes(&p, pattern));
        }
    }
}

static void wrong_configs(void **state)
{
    (void)state;
    struct pair p;
    struct skua_secret_key ephemeral = {{1}};
    start(&p, SKUA_PATTERN_XX);
    struct skua_noise_config config = {
        .pattern = SKUA_PATTERN_XXPSK3, .local = &p.key[0], .ephemeral = &ephemeral};
    assert_false(skua_noise_init(&p.noise[0], &config));
    config.pattern = SKUA_PATTERN_XX;
    config.psk = PSK;
    assert_false(skua_noise_init(&p.noise[0], &config));
    config.psk = NULL;
    config.pattern = SKUA_PATTERN_IK;
    config.initiator = true;
    assert_false(skua_noise_init(&p.noise[0], &config));
    config.initiator = false;
    config.remote = &p.key[1].public_key;
    assert_false(skua_noise_init(&p.noise[0], &config));
}

static void out_of_turn(void **state)
{
    (void)state;
    struct pair p;
    uint8_t message[512];
    struct skua_writer out = skua_writer_of(message, sizeof message);
    start(&p, SKUA_PATTERN_XX);
    assert_false(skua_noise_my_turn(&p.noise[1]));
    assert_false(skua_noise_write(&p.noise[1], NULL, 0, &out));
    start(&p, SKUA_PATTERN_XX);
    struct skua_noise copy = p.noise[0];
    assert_false(read_message(&copy, message, 40, 0, 0));
    /* A failed state stays failed. */
    assert_false(skua_noise_my_turn(&copy));
    assert_false(skua_noise_write(&copy, NULL, 0, &out));
    for (unsigned i = 0; i < 3; i++) {
        step(&p, i, 0);
    }
    copy = p.noise[1];
    assert_false(read_message(&copy, message, 40, 0, 0));
    assert_false(skua_noise_write(&p.noise[1], NULL, 0, &out));
}

static void no_room(void **state)
{
    (void)state;
    for (unsigned pattern = 0; pattern < SKUA_PATTERNS; pattern++) {
        struct pair p;
        start(&p, pattern);
        for (unsigned i = 0; i < skua_noise_messages((enum skua_pattern)pattern); i++) {
            uint8_t message[512];
            uint8_t payload[8] = {0};
            const size_t full = 7 + skua_noise_overhead((enum skua_pattern)pattern, i);
            for (size_t room = 0; room < full; room += 5) {
                struct skua_noise scratch = p.noise[i % 2];
                struct skua_writer out = skua_writer_of(message, room);
                assert_false(skua_noise_write(&scratch, payload, 7, &out));
            }
            size_t len = write_message(&p, i, 7, message);
            struct skua_noise scratch = p.noise[1 - i % 2];
            struct skua_reader in = skua_reader_of(message, len);
            struct skua_writer out = skua_writer_of(payload, 6);
            assert_false(skua_noise_read(&scratch, &in, &out));
            assert_true(read_message(&p.noise[1 - i % 2], message, len, i, 7));
        }
    }
}

/* A responder that was put away after message 2 goes on as if it had not been. */
static void saved_responder(void **state)
{
    (void)state;
    for (unsigned pattern = 0; pattern < SKUA_PATTERNS; pattern++) {
        struct pair p;
        struct skua_noise_saved saved;
        start(&p, pattern);
        step(&p, 0, 9);
        step(&p, 1, 9);
        skua_noise_save(&saved, &p.noise[1]);
        memset(&p.noise[1], 0xee, sizeof p.noise[1]);
        skua_noise_restore(&p.noise[1], &saved, &p.key[1], has_psk(pattern) ? PSK : NULL);
        if (skua_noise_messages((enum skua_pattern)pattern) == 3) {
            uint8_t message[512];
            size_t len = write_message(&p, 2, 9, message);
            /* Another psk does not do, nor does a forged message. */
            struct skua_noise scratch;
            if (has_psk(pattern)) {
                static const uint8_t OTHER[SKUA_PSK_LEN];
                skua_noise_restore(&scratch, &saved, &p.key[1], OTHER);
                assert_false(read_message(&scratch, message, len, 2, 9));
            }
            scratch = p.noise[1];
            message[3] ^= 1;
            assert_false(read_message(&scratch, message, len, 2, 9));
            message[3] ^= 1;
            assert_true(read_message(&p.noise[1], message, len, 2, 9));
        }
        assert_agreed(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pattern_agrees),
        cmocka_unit_test(overheads),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(top_bit_is_in_transcript),
        cmocka_unit_test(low_order_points_end_it),
        cmocka_unit_test(sides_must_agree),
        cmocka_unit_test(wrong_configs),
        cmocka_unit_test(out_of_turn),
        cmocka_unit_test(no_room),
        cmocka_unit_test(saved_responder),
    };
    return skua_init() == SKUA_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
