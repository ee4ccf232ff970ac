/* Watermarks, and the allowances of networks and of answers without state. */
#include "unit.h"

#include "base/alloc.h"
#include "endpoint/admission.h"

static const uint8_t hash_key[SKUA_PREFIX_KEY_LEN] = {3};
static const struct skua_secret_key identity = {.bytes = {1}};

struct fixture {
    struct skua_heap heap;
    struct skua_admission a;
    struct skua_listen_config config;
    skua_time now;
};

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    skua_heap_init(&f->heap, NULL);
    skua_admission_init(&f->a, &identity);
    f->config = (struct skua_listen_config)SKUA_LISTEN_CONFIG_INIT;
    f->now = 1000 * SKUA_SEC;
}

static void start(struct fixture *f)
{
    assert_int_equal(skua_admission_start(&f->a, &f->heap, &f->config, 1000, hash_key), SKUA_OK);
}

static void end(struct fixture *f)
{
    skua_admission_deinit(&f->a, &f->heap);
    assert_int_equal(f->heap.used, 0);
}

static struct skua_addr ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    return (struct skua_addr){.family = SKUA_FAMILY_IPV4, .port = port, .ip = {a, b, c, d}};
}

/* Handshakes that a sender at `addr` is given at once under pressure. */
static unsigned take_all(struct fixture *f, const struct skua_addr *addr, unsigned most)
{
    unsigned n = 0;
    while (n < most && skua_admission_take(&f->a, addr, true, f->now)) {
        n++;
    }
    return n;
}

static void entries_make_pressure(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    start(&f);
    assert_false(skua_admission_pressed(&f.a, 499, f.now));
    assert_true(skua_admission_pressed(&f.a, 500, f.now));
    end(&f);
    begin(&f);
    f.config.retry_half_open = 3;
    start(&f);
    assert_false(skua_admission_pressed(&f.a, 2, f.now));
    assert_true(skua_admission_pressed(&f.a, 3, f.now));
    end(&f);
}

static void haste_makes_pressure(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    start(&f);
    const struct skua_addr addr = ipv4(192, 0, 2, 1, 1);
    unsigned n = 0;
    while (n < 10000 && !skua_admission_pressed(&f.a, 0, f.now)) {
        assert_true(skua_admission_take(&f.a, &addr, false, f.now));
        n++;
    }
    assert_int_equal(n, SKUA_LIMIT_RETRY_HANDSHAKES_DEFAULT / 8 + 1);
    assert_true(skua_admission_pressed(&f.a, 0, f.now));
    f.now += SKUA_SEC / 100;
    assert_false(skua_admission_pressed(&f.a, 0, f.now));
    end(&f);
}

static void modes(void **state)
{
    (void)state;
    struct fixture f;
    static const struct {
        enum skua_retry_mode mode;
        bool calm, pressed;
    } rows[] = {{SKUA_RETRY_NEVER, false, false},
                {SKUA_RETRY_UNDER_PRESSURE, false, true},
                {SKUA_RETRY_ALWAYS, true, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(&f);
        f.config.retry = rows[i].mode;
        start(&f);
        assert_int_equal(skua_admission_wants_proof(&f.a, false), rows[i].calm);
        assert_int_equal(skua_admission_wants_proof(&f.a, true), rows[i].pressed);
        end(&f);
    }
}

/* 8 seconds' worth at once, then the rate; whatever host and port. Others have their own. */
static void networks_have_shares(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.config.prefix_handshakes = 10;
    start(&f);
    const struct skua_addr one = ipv4(192, 0, 2, 1, 1), same = ipv4(192, 0, 2, 200, 9),
                           other = ipv4(192, 0, 3, 1, 1);
    assert_int_equal(take_all(&f, &one, 1000), 81);
    assert_int_equal(take_all(&f, &same, 1000), 0);
    assert_int_equal(take_all(&f, &other, 1000), 81);
    f.now += SKUA_SEC;
    assert_int_equal(take_all(&f, &same, 1000), 10);
    struct skua_addr six = {.family = SKUA_FAMILY_IPV6, .ip = {0x20, 1, 0xd, 0xb8, 0, 1, 2, 3}};
    assert_int_equal(take_all(&f, &six, 1000), 81);
    six.ip[7] = 4; /* the same /56 */
    six.ip[15] = 77;
    assert_int_equal(take_all(&f, &six, 1000), 0);
    six.ip[6] = 3;
    assert_int_equal(take_all(&f, &six, 1000), 81);
    /* Without pressure nobody is counted. */
    assert_true(skua_admission_take(&f.a, &one, false, f.now));
    end(&f);
}

static void shares_can_be_without_limit(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.config.prefix_handshakes = UINT32_MAX;
    start(&f);
    const struct skua_addr one = ipv4(192, 0, 2, 1, 1);
    assert_int_equal(take_all(&f, &one, 100000), 100000);
    end(&f);
}

/* A client that opens 10,000 connections at once gets them soon: most of them now, the rest in the
 * repeats after 1 and 3 s. */
static void the_defaults_take_ten_thousand(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    start(&f);
    const struct skua_addr one = ipv4(127, 0, 0, 1, 4000);
    unsigned left = 10000;
    for (unsigned i = 0; i < 3; i++) {
        left -= take_all(&f, &one, left);
        f.now += (i + 1) * SKUA_SEC;
    }
    assert_int_equal(left, 0);
    end(&f);
}

/* 50 networks that take all they get: hardly another one out of 2,000 shares both allowances with
 * them. */
static void the_busy_hardly_touch_others(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.config.prefix_handshakes = 10;
    start(&f);
    for (unsigned i = 0; i < 50; i++) {
        const struct skua_addr busy = ipv4(203, 0, (uint8_t)i, 1, 1);
        assert_true(take_all(&f, &busy, 1000) >= 40);
    }
    unsigned refused = 0;
    for (unsigned i = 0; i < 2000; i++) {
        const struct skua_addr addr = ipv4(10, (uint8_t)(i >> 8), (uint8_t)i, 1, 1);
        refused += take_all(&f, &addr, 1) == 0;
    }
    assert_true(refused < 20);
    end(&f);
}

/* The table neither grows nor allocates, whatever comes. */
static void the_table_does_not_grow(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    start(&f);
    const uint64_t used = f.heap.used;
    assert_true(used <= SKUA_PREFIX_ROWS * SKUA_LIMIT_PREFIXES * sizeof(struct skua_rate) + 64);
    for (uint32_t i = 0; i < 1000000; i++) {
        const struct skua_addr addr =
            ipv4((uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 1, (uint16_t)i);
        (void)skua_admission_take(&f.a, &addr, true, f.now);
        f.now += SKUA_USEC;
    }
    assert_int_equal(f.heap.used, used);
    assert_int_equal(f.heap.peak, used);
    end(&f);
}

static void answers_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f); /* nobody has to listen */
    unsigned n[SKUA_ANSWER_KINDS] = {0};
    for (unsigned ms = 0; ms < 1000; ms++) {
        for (unsigned i = 0; i < 700; i++) {
            n[0] += skua_admission_may_answer(&f.a, SKUA_ANSWER_RETRY, f.now);
            n[1] += skua_admission_may_answer(&f.a, SKUA_ANSWER_REFUSAL, f.now);
        }
        f.now += SKUA_MSEC;
    }
    assert_in_range(n[SKUA_ANSWER_RETRY], 500000, 625001);
    assert_in_range(n[SKUA_ANSWER_REFUSAL], 1000, 1251);
    end(&f);
}

int main(void)
{
    if (skua_init() != SKUA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_make_pressure),
        cmocka_unit_test(haste_makes_pressure),
        cmocka_unit_test(modes),
        cmocka_unit_test(networks_have_shares),
        cmocka_unit_test(shares_can_be_without_limit),
        cmocka_unit_test(the_defaults_take_ten_thousand),
        cmocka_unit_test(the_busy_hardly_touch_others),
        cmocka_unit_test(the_table_does_not_grow),
        cmocka_unit_test(answers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
