/* What skua cp tells scripts: each line is a JSON object, and exit codes say whose fault it was. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "report.h"

/* --- a strict reader of flat JSON objects: the members are strings and whole numbers ---
 * What fails may have read the line's terminating zero: nothing is read after that. */

static bool take(const char **at, char c)
{
    const bool there = **at == c;
    *at += there ? 1 : 0;
    return there;
}

/* An escape sequence of RFC 8259, section 7, behind its backslash. */
static bool take_escape(const char **at)
{
    const char c = *(*at)++;
    if (c != 'u') {
        return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
    }
    const size_t digits = strspn(*at, "0123456789abcdefABCDEF");
    *at += digits < 4 ? digits : 4;
    return digits >= 4;
}

static bool take_string(const char **at)
{
    if (!take(at, '"')) {
        return false;
    }
    while (**at != '"') {
        const unsigned char c = (unsigned char)*(*at)++;
        if (c < 0x20 || (c == '\\' && !take_escape(at))) {
            return false;
        }
    }
    return take(at, '"');
}

static bool take_value(const char **at)
{
    if (**at == '"') {
        return take_string(at);
    }
    const size_t len = strspn(*at, "0123456789");
    *at += len;
    return len > 0;
}

/* Whether the line, without its end, is one object. */
static bool is_object(const char *line)
{
    const char *at = line;
    if (!take(&at, '{')) {
        return false;
    }
    do {
        if (!take_string(&at) || !take(&at, ':') || !take_value(&at)) {
            return false;
        }
    } while (take(&at, ','));
    return take(&at, '}') && *at == '\0';
}

/* --- what is printed meanwhile --- */

struct capture {
    int out, err; /* the real ones */
    FILE *file;   /* stdout goes here, stderr nowhere */
};

static void capture_begin(struct capture *capture)
{
    capture->file = tmpfile();
    assert_non_null(capture->file);
    (void)fflush(NULL);
    capture->out = dup(STDOUT_FILENO);
    capture->err = dup(STDERR_FILENO);
    const int nowhere = open("/dev/null", O_WRONLY);
    assert_true(capture->out >= 0 && capture->err >= 0 && nowhere >= 0);
    assert_true(dup2(fileno(capture->file), STDOUT_FILENO) >= 0);
    assert_true(dup2(nowhere, STDERR_FILENO) >= 0);
    assert_int_equal(close(nowhere), 0);
}

/* Each line must be an object; returns how many there are. */
static size_t capture_end(struct capture *capture)
{
    static char line[65536];
    size_t count = 0;
    (void)fflush(NULL);
    assert_true(dup2(capture->out, STDOUT_FILENO) >= 0);
    assert_true(dup2(capture->err, STDERR_FILENO) >= 0);
    assert_int_equal(close(capture->out), 0);
    assert_int_equal(close(capture->err), 0);
    rewind(capture->file);
    while (fgets(line, sizeof line, capture->file) != NULL) {
        const size_t len = strlen(line);
        assert_int_equal(line[len - 1], '\n');
        line[len - 1] = '\0';
        if (!is_object(line)) {
            fail_msg("not a JSON object: %s", line);
        }
        count++;
    }
    assert_int_equal(fclose(capture->file), 0);
    return count;
}

/* --- tests --- */

static void test_the_reader_reads(void **state)
{
    (void)state;
    assert_true(is_object("{\"a\":\"b\",\"c\":12}"));
    assert_true(is_object("{\"a\":\"\\u00e4\\\"\\\\\"}"));
    assert_false(is_object("{\"a\":\"x \"y\" z\"}"));
    assert_false(is_object("{\"a\":\"\\x0a\"}"));
    assert_false(is_object("{\"a\":\"\\u0g\"}"));
    assert_false(is_object("{\"a\":1} "));
    assert_false(is_object("{\"a\":\"b"));
}

static void test_every_line_is_json(void **state)
{
    (void)state;
    static const enum skua_file_status statuses[] = {
#define SKUA_FILE_STATUS(name, value, text) SKUA_STATUS_##name,
#include "file_status.def"
#undef SKUA_FILE_STATUS
    };
    static const char *const names[] = {"f", "a\"b\\c", "new\nline", "\xc3\xa4 \xff", ""};
    enum {
        STATUSES = sizeof statuses / sizeof statuses[0],
        NAMES = sizeof names / sizeof names[0]
    };
    struct skua_report report;
    struct capture capture;
    capture_begin(&capture);
    skua_report_init(&report, 0);
    report.json = true;
    for (size_t i = 0; i < STATUSES; i++) {
        for (size_t k = 0; k < NAMES; k++) {
            const struct skua_outcome outcome = {.type = SKUA_FILE_FILE, .status = statuses[i]};
            skua_report_entry(&report, names[k], "below", &outcome, i % 2 == 0);
        }
        skua_report_error(&report, "%s", skua_file_status_text(statuses[i]));
    }
    const struct skua_session_progress progress = {.bytes = 1};
    skua_report_tick(&report, &progress, 10 * SKUA_SEC);
    skua_report_summary(&report, SKUA_EXIT_PARTIAL, 11 * SKUA_SEC);
    assert_int_equal(capture_end(&capture), STATUSES * (NAMES + 1) + 2);
}

/* The exit code of a copy of one source, of which this became. */
static enum skua_exit exit_of(bool upload, bool here, struct skua_outcome outcome)
{
    struct skua_report report;
    struct capture capture;
    capture_begin(&capture);
    skua_report_init(&report, 0);
    report.upload = upload;
    skua_report_entry(&report, "name", "", &outcome, here);
    assert_int_equal(capture_end(&capture), 0);
    return skua_report_exit(&report);
}

static void test_whose_fault_a_name_is(void **state)
{
    (void)state;
    const struct skua_outcome file = {.type = SKUA_FILE_FILE, .status = SKUA_STATUS_BAD_NAME};
    const struct skua_outcome notice = {.type = SKUA_FILE_NOTICE, .status = SKUA_STATUS_BAD_NAME};
    /* No server takes it, whether it was asked or not. */
    assert_int_equal(exit_of(false, true, notice), SKUA_EXIT_REFUSED);
    assert_int_equal(exit_of(false, false, notice), SKUA_EXIT_REFUSED);
    /* It came, and the file system here does not take it. */
    assert_int_equal(exit_of(false, true, file), SKUA_EXIT_LOCAL_IO);
    /* A local source has it, or it could not be stored there. */
    assert_int_equal(exit_of(true, true, file), SKUA_EXIT_LOCAL_IO);
    assert_int_equal(exit_of(true, false, file), SKUA_EXIT_REMOTE_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_reader_reads),
        cmocka_unit_test(test_every_line_is_json),
        cmocka_unit_test(test_whose_fault_a_name_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
