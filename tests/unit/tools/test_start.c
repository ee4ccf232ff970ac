/* How commands begin where libsodium cannot be used: each says so in the same words. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include <skua/skua.h>

#include "start.h"

static enum skua_err init_result;

enum skua_err skua_init(void)
{
    return init_result;
}

/* What `start` of "test" comes to, with what it wrote to stderr in `message`. */
static bool starts(bool (*start)(const char *), char message[100])
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)fflush(stderr);
    const int saved = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    const bool ok = start("test");
    (void)fflush(stderr);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(ends[1]);
    const ssize_t got = read(ends[0], message, 99);
    assert_true(got >= 0);
    message[got] = '\0';
    (void)close(ends[0]);
    return ok;
}

static void all_say_the_same(void **state)
{
    (void)state;
    bool (*const ways[])(const char *) = {skua_start, skua_start_copying};
    char message[100];
    for (size_t i = 0; i < 2; i++) {
        init_result = SKUA_EINTERNAL;
        assert_false(starts(ways[i], message));
        assert_string_equal(message, "skua test: libsodium cannot be used\n");
        init_result = SKUA_OK;
        assert_true(starts(ways[i], message));
        assert_string_equal(message, "");
    }
}

/* A closed pipe and a full quota of a file are errors, and end no copy. */
static void signals_of_writing_are_errors(void **state)
{
    (void)state;
    char message[100];
    assert_true(starts(skua_start_copying, message));
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    (void)close(ends[1]);
    FILE *file = tmpfile();
    assert_non_null(file);
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_int_equal(write(fileno(file), "x", 1), -1);
    assert_int_equal(errno, EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_say_the_same),
        cmocka_unit_test(signals_of_writing_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
