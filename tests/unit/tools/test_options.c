/* The option parser: forms of options, operands, errors, and the units of numbers. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "exit_codes.h"
#include "options.h"
#include "unit.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What one parse filled. */
struct values {
    bool quiet, verbose;
    const char *name;
    struct skua_opt_list list;
    uint64_t rate;
    size_t operands;
    int status;
    bool go_on;
    const char *argv[16];
    char message[512]; /* what stderr got */
};

/* Runs the parser with stderr going to a pipe, so that error lines can be compared. */
static struct values parse(const char *const *arguments)
{
    struct values v = {.name = "default", .rate = 7};
    const struct skua_opt table[] = {
        {"quiet", 'q', SKUA_OPT_FLAG, NULL, "say less", {.flag = &v.quiet}},
        {"verbose", 'v', SKUA_OPT_FLAG, NULL, "say more", {.flag = &v.verbose}},
        {"name", 'n', SKUA_OPT_STRING, "NAME", "a name", {.string = &v.name}},
        {"allow", 'a', SKUA_OPT_LIST, "KEY", "a key", {.list = &v.list}},
        {"rate", 0, SKUA_OPT_RATE, "RATE", "a rate", {.number = &v.rate}},
    };
    const struct skua_opts opts = {
        .command = "test",
        .synopsis = "[options] FILE...",
        .about = "Nothing.",
        .table = table,
        .count = COUNT_OF(table),
        .min_operands = 1,
        .max_operands = 3,
    };
    char *argv[17] = {(char *)(uintptr_t) "test"};
    int argc = 1;
    for (; arguments[argc - 1] != NULL; argc++) {
        argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
    }
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)fflush(stderr);
    const int saved = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    v.go_on = skua_opts_parse(&opts, argc, argv, &v.operands, &v.status);
    (void)fflush(stderr);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(ends[1]);
    const ssize_t got = read(ends[0], v.message, sizeof v.message - 1);
    assert_true(got >= 0);
    v.message[got] = '\0';
    (void)close(ends[0]);
    for (size_t i = 0; i < v.operands; i++) {
        v.argv[i] = argv[i + 1];
    }
    return v;
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void test_long_forms(void **state)
{
    (void)state;
    const struct values v = PARSE("--quiet", "--name=a=b", "--rate", "1gbit", "file");
    assert_true(v.go_on);
    assert_true(v.quiet);
    assert_false(v.verbose);
    assert_string_equal(v.name, "a=b");
    assert_int_equal(v.rate, 1000000000);
    assert_int_equal(v.operands, 1);
    assert_string_equal(v.argv[0], "file");
    assert_string_equal(v.message, "");
}

static void test_short_forms(void **state)
{
    (void)state;
    const struct values combined = PARSE("-vqnone", "f");
    assert_true(combined.go_on && combined.verbose && combined.quiet);
    assert_string_equal(combined.name, "one");
    const struct values apart = PARSE("-q", "-n", "two", "f");
    assert_true(apart.go_on && apart.quiet && !apart.verbose);
    assert_string_equal(apart.name, "two");
}

static void test_operands_keep_their_order_among_options(void **state)
{
    (void)state;
    const struct values v = PARSE("one", "-q", "-", "--name", "x", "--", "--verbose");
    assert_true(v.go_on);
    assert_int_equal(v.operands, 3);
    assert_string_equal(v.argv[0], "one");
    assert_string_equal(v.argv[1], "-");
    assert_string_equal(v.argv[2], "--verbose");
    assert_false(v.verbose);
}

static void test_lists_append(void **state)
{
    (void)state;
    const struct values v = PARSE("-a", "k1", "--allow=k2", "-ak3", "f");
    assert_int_equal(v.list.count, 3);
    assert_string_equal(v.list.items[0], "k1");
    assert_string_equal(v.list.items[1], "k2");
    assert_string_equal(v.list.items[2], "k3");
}

static void test_defaults_stay(void **state)
{
    (void)state;
    const struct values v = PARSE("f");
    assert_true(v.go_on);
    assert_string_equal(v.name, "default");
    assert_int_equal(v.rate, 7);
}

/* Each error: usage exit code, one line, the option named. */
static void assert_error(const struct values *v, const char *mentions)
{
    assert_false(v->go_on);
    assert_int_equal(v->status, SKUA_EXIT_USAGE);
    assert_non_null(strstr(v->message, mentions));
    assert_ptr_equal(strchr(v->message, '\n'), v->message + strlen(v->message) - 1);
}

static void test_errors_name_the_option(void **state)
{
    (void)state;
    const struct {
        struct values v;
        const char *mentions;
    } cases[] = {
        {PARSE("--nope", "f"), "--nope"},
        {PARSE("--nam", "x", "f"), "--nam"},
        {PARSE("--names=x", "f"), "--names"},
        {PARSE("-qz", "f"), "-z"},
        {PARSE("f", "--name"), "--name"},
        {PARSE("f", "-n"), "--name"},
        {PARSE("--quiet=yes", "f"), "--quiet"},
        {PARSE("--rate=fast", "f"), "--rate"},
        {PARSE("-q"), "operand"},
        {PARSE("a", "b", "c", "fourth"), "fourth"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_error(&cases[i].v, cases[i].mentions);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    const struct {
        enum skua_opt_kind kind;
        const char *text;
        uint64_t value;
    } good[] = {
        {SKUA_OPT_COUNT, "0", 0},
        {SKUA_OPT_COUNT, "18446744073709551615", UINT64_MAX},
        {SKUA_OPT_SIZE, "1200", 1200},
        {SKUA_OPT_SIZE, "10k", 10240},
        {SKUA_OPT_SIZE, "1.5M", 1572864},
        {SKUA_OPT_SIZE, "1G", 1073741824},
        {SKUA_OPT_RATE, "100mbit", 100000000},
        {SKUA_OPT_RATE, "2.5gbit", 2500000000},
        {SKUA_OPT_RATE, "500kbit", 500000},
        {SKUA_OPT_RATE, "8bit", 8},
        {SKUA_OPT_DURATION, "20ms", 20000000},
        {SKUA_OPT_DURATION, "1.5s", 1500000000},
        {SKUA_OPT_DURATION, "0.000001s", 1000},
        {SKUA_OPT_DURATION, "1.50000000000000000s", 1500000000},
        {SKUA_OPT_DURATION, "2", 2000000000},
        {SKUA_OPT_DURATION, "1h", UINT64_C(3600000000000)},
        {SKUA_OPT_SHARE, "2%", 20000000},
        {SKUA_OPT_SHARE, "0.02", 20000000},
        {SKUA_OPT_SHARE, ".5", 500000000},
        {SKUA_OPT_SHARE, "100%", SKUA_SHARE_ONE},
        {SKUA_OPT_SHARE, "1", SKUA_SHARE_ONE},
        {SKUA_OPT_SHARE, "0.0001%", 1000},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        uint64_t value = 99;
        assert_true(skua_opt_number(good[i].kind, good[i].text, &value));
        assert_int_equal(value, good[i].value);
    }
    const struct {
        enum skua_opt_kind kind;
        const char *text;
    } bad[] = {
        {SKUA_OPT_COUNT, ""},         {SKUA_OPT_COUNT, "-1"},
        {SKUA_OPT_COUNT, "1.5"},      {SKUA_OPT_COUNT, "18446744073709551616"},
        {SKUA_OPT_COUNT, "1 "},       {SKUA_OPT_SIZE, "1X"},
        {SKUA_OPT_SIZE, "1.5"},       {SKUA_OPT_SIZE, "16777216T"},
        {SKUA_OPT_SIZE, "k"},         {SKUA_OPT_RATE, "100"},
        {SKUA_OPT_RATE, "1.2.3kbit"}, {SKUA_OPT_DURATION, "5x"},
        {SKUA_OPT_DURATION, "+1s"},   {SKUA_OPT_SHARE, "101%"},
        {SKUA_OPT_SHARE, "1.01"},     {SKUA_OPT_SHARE, "2 %"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint64_t value = 99;
        assert_false(skua_opt_number(bad[i].kind, bad[i].text, &value));
        assert_int_equal(value, 99);
    }
}

/* The usage text shows every option with its value's name. */
static void test_usage_shows_the_table(void **state)
{
    (void)state;
    uint64_t number = 0;
    const struct skua_opt table[] = {
        {"rate", 'r', SKUA_OPT_RATE, "RATE", "first line\nsecond line", {.number = &number}},
    };
    const struct skua_opts opts = {
        .command = "x", .synopsis = "S", .about = "About.", .table = table, .count = 1};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    skua_opts_usage(&opts, out);
    (void)fclose(out);
    assert_non_null(strstr(text, "usage: skua x S\n"));
    assert_non_null(strstr(text, "\n  -r, --rate RATE "));
    assert_non_null(strstr(text, "first line\n  "));
    assert_non_null(strstr(text, "-h, --help"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_forms),
        cmocka_unit_test(test_short_forms),
        cmocka_unit_test(test_operands_keep_their_order_among_options),
        cmocka_unit_test(test_lists_append),
        cmocka_unit_test(test_defaults_stay),
        cmocka_unit_test(test_errors_name_the_option),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_usage_shows_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
