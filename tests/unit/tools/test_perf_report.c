/* The report of `skua perf`: histogram against sorted values, units, text, JSON. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "perf_report.h"

/* --- histogram --- */

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Percentiles of random values of all sizes are the sorted values' within 1/128, never below. */
static void test_hist_model(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static const unsigned ranks[] = {1, 10, 500, 900, 990, 999, 1000};
    uint64_t *values = calloc(COUNT, sizeof *values);
    uint64_t seed = 42;
    for (unsigned width = 1; width <= 64; width += 3) {
        struct skua_hist *hist = calloc(1, sizeof *hist);
        for (size_t i = 0; i < COUNT; i++) {
            values[i] = next_random(&seed) >> (64 - width);
            skua_hist_add(hist, values[i]);
        }
        qsort(values, COUNT, sizeof *values, compare);
        assert_true(hist->count == COUNT && hist->min == values[0] &&
                    hist->max == values[COUNT - 1]);
        for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
            const uint64_t want = values[(size_t)COUNT * ranks[i] / 1000 - 1];
            const uint64_t got = skua_hist_at(hist, ranks[i]);
            assert_true(got >= want && got - want <= want / 128);
        }
        free(hist);
    }
    free(values);
}

static void test_hist_edges(void **state)
{
    (void)state;
    struct skua_hist *hist = calloc(1, sizeof *hist);
    assert_int_equal(skua_hist_at(hist, 500), 0);
    for (uint64_t value = 0; value < 256; value++) {
        skua_hist_add(hist, value);
    }
    assert_int_equal(skua_hist_at(hist, 0), 0);
    assert_int_equal(skua_hist_at(hist, 500), 127); /* small values are exact */
    assert_int_equal(skua_hist_at(hist, 1000), 255);
    skua_hist_add(hist, UINT64_MAX);
    assert_true(skua_hist_at(hist, 1000) == UINT64_MAX);
    assert_true(skua_hist_at(hist, 990) == 254);
    free(hist);
}

/* --- units --- */

static void assert_bytes(uint64_t bytes, const char *want)
{
    char text[SKUA_PERF_TEXT_LEN];
    skua_perf_format_bytes(text, bytes);
    assert_string_equal(text, want);
}

static void assert_rate(uint64_t bytes, uint64_t ns, const char *want)
{
    char text[SKUA_PERF_TEXT_LEN];
    skua_perf_format_rate(text, bytes, ns);
    assert_string_equal(text, want);
}

static void test_units(void **state)
{
    (void)state;
    assert_bytes(0, "0 B");
    assert_bytes(999, "999 B");
    assert_bytes(1000, "1.00 kB");
    assert_bytes(12340, "12.3 kB");
    assert_bytes(999400, "999 kB");
    assert_bytes(999500, "1.00 MB");
    assert_bytes(UINT64_MAX, "18.4 EB");
    assert_rate(1, 0, "-");
    assert_rate(0, SKUA_SEC, "0.00 bit/s");
    assert_rate(125, SKUA_SEC, "1.00 kbit/s");
    assert_rate(1250000000, SKUA_SEC, "10.0 Gbit/s");
    assert_rate(UINT64_C(125000000000) * 2, SKUA_SEC, "2000 Gbit/s");
}

/* --- output --- */

/* What `report` prints, as a string from malloc. */
static char *printed(struct skua_perf_report *report, const struct skua_perf_interval *interval)
{
    char *text = NULL;
    size_t len = 0;
    report->out = open_memstream(&text, &len);
    if (interval != NULL) {
        skua_perf_report_interval(report, interval);
    } else {
        skua_perf_report_summary(report);
    }
    (void)fclose(report->out);
    return text;
}

static void assert_contains(const char *text, const char *want)
{
    if (strstr(text, want) == NULL) {
        print_error("\"%s\" is not in: %s\n", want, text);
        fail();
    }
}

static const struct skua_perf_interval second = {.to_ns = SKUA_SEC,
                                                 .up_bytes = 125000000,
                                                 .down_bytes = 250000000,
                                                 .rtt_ns = 1500000,
                                                 .cwnd = 20000,
                                                 .packets_lost = 3,
                                                 .resent_bytes = 4000};

/* 1 GB up in 1 s, 2 GB down in 2 s. */
static struct skua_perf_report both_ways(void)
{
    return (struct skua_perf_report){
        .server = "a\"b\\c\n",
        .mode = SKUA_PERF_BULK,
        .up = 1,
        .down = 2,
        .has_peer = true,
        .client = {.received_bytes = 2000000000,
                   .receive_ns = 2 * SKUA_SEC,
                   .cpu_user_ns = SKUA_SEC,
                   .cpu_system_ns = SKUA_SEC / 2,
                   .elapsed_ns = 3 * SKUA_SEC,
                   .suite = SKUA_SUITE_AES_256_GCM,
                   .conn = {.ssthresh = UINT64_MAX, .packets_lost = 7}},
        .peer = {.received_bytes = 1000000000,
                 .receive_ns = SKUA_SEC,
                 .cpu_user_ns = 3 * SKUA_SEC,
                 .elapsed_ns = 3 * SKUA_SEC,
                 .driver = {.sockets_gso = 1}},
    };
}

static void test_text(void **state)
{
    (void)state;
    struct skua_perf_report report = both_ways();
    char *text = printed(&report, &second);
    assert_contains(text, "0.00-1.00");
    assert_contains(text,
                    "125 MB   1.00 Gbit/s  rtt 1.500 ms  cwnd 20.0 kB  lost 3  resent 4.00 kB");
    assert_contains(text, "250 MB   2.00 Gbit/s");
    free(text);
    text = printed(&report, NULL);
    assert_contains(text, "up      1.00 GB in 1.000 s: 8.00 Gbit/s goodput\n");
    assert_contains(text, "down    2.00 GB in 2.000 s: 8.00 Gbit/s goodput\n");
    assert_contains(text, "lost 7");
    assert_contains(text, "client  cpu 1.00 s user, 0.50 s system: 50 % of a core, 0.500 s per GB");
    assert_contains(text,
                    "server  cpu 3.00 s user, 0.00 s system: 100 % of a core, 1.000 s per GB");
    assert_contains(text, "cipher  aes-256-gcm");
    free(text);
    report.quiet = true;
    text = printed(&report, &second);
    assert_string_equal(text, "");
    free(text);
    skua_perf_report_deinit(&report);
}

static void test_json(void **state)
{
    (void)state;
    struct skua_perf_report report = both_ways();
    report.json = true;
    char *text = printed(&report, &second);
    assert_string_equal(text, "");
    free(text);
    text = printed(&report, NULL);
    assert_contains(text, "{\"mode\":\"bulk\",\"target\":\"a\\\"b\\\\c\\u000a\",\"error\":null,"
                          "\"bytes\":3000000000,\"seconds\":2.000000,\"goodput_bps\":16000000000,"
                          "\"cpu_seconds_per_gb\":{\"client\":0.500000,\"server\":1.000000},");
    assert_contains(text, "\"up\":{\"streams\":1,\"bytes\":1000000000,\"seconds\":1.000000,"
                          "\"goodput_bps\":8000000000}");
    assert_contains(text, "\"ssthresh\":null");
    assert_contains(text, "\"packets_lost\":7");
    assert_contains(text, "\"gso\":true,\"gro\":false");
    assert_contains(text,
                    "\"intervals\":[{\"from\":0.000000,\"to\":1.000000,\"up_bytes\":125000000");
    assert_int_equal(text[strlen(text) - 1], '\n');
    free(text);
    skua_perf_report_deinit(&report);
}

/* A test that never began, or whose server died: still one whole object. */
static void test_json_without_server(void **state)
{
    (void)state;
    struct skua_perf_report report = {
        .json = true, .server = "x", .mode = SKUA_PERF_BULK, .up = 1, .error = "no answer"};
    char *text = printed(&report, NULL);
    assert_contains(text, "\"error\":\"no answer\"");
    assert_contains(text,
                    "\"goodput_bps\":0,\"cpu_seconds_per_gb\":null,\"up\":null,\"down\":null");
    assert_contains(text, "\"server\":null,\"intervals\":[]}\n");
    free(text);
}

static void test_exchanges(void **state)
{
    (void)state;
    struct skua_hist *hist = calloc(1, sizeof *hist);
    for (unsigned i = 0; i < 1000; i++) {
        skua_hist_add(hist, i < 990 ? 50000 : 90000);
    }
    struct skua_perf_report report = {.server = "x",
                                      .mode = SKUA_PERF_RR,
                                      .up = 1,
                                      .exchange = 64,
                                      .exchanges = 1000,
                                      .elapsed_ns = SKUA_SEC / 2,
                                      .times = hist};
    char *text = printed(&report, NULL);
    assert_contains(text, "rr      1000 in 0.500 s: 2000 per second, 64 bytes each way\n");
    assert_contains(text, "p99.9 90.0  max 90.0 us");
    free(text);
    report.json = true;
    text = printed(&report, NULL);
    assert_contains(text, "\"exchanges\":1000");
    assert_contains(text, "\"exchanges_per_second\":2000.000");
    assert_contains(text, "\"latency_ns\":{\"count\":1000,\"min\":50000,\"p50\":50175,");
    assert_contains(text, "\"p99.9\":90000,\"max\":90000}");
    free(text);
    free(hist);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hist_model), cmocka_unit_test(test_hist_edges),
        cmocka_unit_test(test_units),      cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),       cmocka_unit_test(test_json_without_server),
        cmocka_unit_test(test_exchanges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
