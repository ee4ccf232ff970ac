/* The policy for names from the network, and how names reach a terminal. */
#include "unit.h"

#include <stdlib.h>

#include "file_proto.h"
#include "names.h"

#define PATH(text) skua_name_check_path(text, sizeof(text) - 1)

static void test_good_paths(void **state)
{
    (void)state;
    assert_true(PATH("a"));
    assert_true(PATH("a/b/c"));
    assert_true(PATH("..."));
    assert_true(PATH(".hidden"));
    assert_true(PATH("a b"));
    assert_true(PATH("..a/a.."));
    assert_true(PATH("back\\slash"));
    assert_true(PATH("-rf"));
    assert_true(PATH("\xff\xfe not UTF-8"));
    assert_true(PATH("\xc3\xa4"));
}

static void test_hostile_paths(void **state)
{
    (void)state;
    assert_false(PATH(""));
    assert_false(PATH("/"));
    assert_false(PATH("/etc/passwd"));
    assert_false(PATH("."));
    assert_false(PATH(".."));
    assert_false(PATH("../x"));
    assert_false(PATH("a/../b"));
    assert_false(PATH("a/.."));
    assert_false(PATH("a/./b"));
    assert_false(PATH("./a"));
    assert_false(PATH("a//b"));
    assert_false(PATH("a/"));
    assert_false(PATH("a\0b"));
    assert_false(PATH("a\nb"));
    assert_false(PATH("\x1b[2J"));
    assert_false(PATH("a\x7f"));
    assert_false(PATH("a\rb"));
}

static void test_lengths(void **state)
{
    (void)state;
    char text[2 * SKUA_FILE_PATH_MAX];
    memset(text, 'x', sizeof text);
    assert_true(skua_name_check_path(text, SKUA_NAME_MAX));
    assert_false(skua_name_check_path(text, SKUA_NAME_MAX + 1));
    for (size_t i = 1; i < sizeof text; i += 2) {
        text[i] = '/';
    }
    assert_true(skua_name_check_path(text, 2 * SKUA_DEPTH_MAX - 1));
    assert_false(skua_name_check_path(text, 2 * SKUA_DEPTH_MAX + 1));
    memset(text, 'x', sizeof text);
    for (size_t i = 200; i < sizeof text; i += 201) {
        text[i] = '/';
    }
    assert_true(skua_name_check_path(text, SKUA_FILE_PATH_MAX));
    assert_false(skua_name_check_path(text, SKUA_FILE_PATH_MAX + 1));
}

static bool link_ok(const char *path, const char *target)
{
    return skua_name_check_link(path, strlen(path), target, strlen(target));
}

static void test_links(void **state)
{
    (void)state;
    assert_true(link_ok("l", "f"));
    assert_true(link_ok("d/l", "../f"));
    assert_true(link_ok("d/l", "./../e/./f"));
    assert_true(link_ok("a/b/l", "../../f"));
    assert_true(link_ok("d/l", "e//f"));
    assert_false(link_ok("l", ""));
    assert_false(link_ok("l", "/etc/passwd"));
    assert_false(link_ok("l", ".."));
    assert_false(link_ok("l", "../f"));
    assert_false(link_ok("d/l", "../../f"));
    assert_false(link_ok("d/l", "x/../../../f"));
    assert_false(link_ok("d/l", "../../d/l"));
}

static void test_temp_names(void **state)
{
    (void)state;
    assert_true(skua_name_is_temp(".skua-tmp-0123456789abcdef"));
    assert_false(skua_name_is_temp(".skua-tmp-0123456789abcde"));
    assert_false(skua_name_is_temp(".skua-tmp-0123456789abcdef0"));
    assert_false(skua_name_is_temp(".skua-tmp-0123456789abcdeX"));
    assert_false(skua_name_is_temp(".skua-tmp-"));
    assert_false(skua_name_is_temp("a"));
}

static void check_print(const char *name, size_t len, const char *terminal, const char *json)
{
    char out[64];
    assert_string_equal(skua_name_print(out, sizeof out, name, len), terminal);
    assert_string_equal(skua_name_json(out, sizeof out, name, len), json);
}

#define CHECK_PRINT(name, terminal, json) check_print(name, sizeof(name) - 1, terminal, json)

static void test_printing(void **state)
{
    (void)state;
    CHECK_PRINT("plain name", "plain name", "plain name");
    CHECK_PRINT("\x1b[31mred", "\\x1b[31mred", "\\u001b[31mred");
    CHECK_PRINT("a\nb\\c", "a\\x0ab\\\\c", "a\\u000ab\\\\c");
    CHECK_PRINT("q\"q", "q\"q", "q\\\"q");
    CHECK_PRINT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
                "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    CHECK_PRINT("\xc2\x9b", "\\xc2\\x9b", "\\u00c2\\u009b");                 /* C1: CSI */
    CHECK_PRINT("\xc0\xaf", "\\xc0\\xaf", "\\u00c0\\u00af");                 /* overlong */
    CHECK_PRINT("\xe2\x80\xae", "\\xe2\\x80\\xae", "\\u00e2\\u0080\\u00ae"); /* right to left */
    CHECK_PRINT("\xed\xa0\x80", "\\xed\\xa0\\x80", "\\u00ed\\u00a0\\u0080"); /* surrogate */
    CHECK_PRINT("\xe2\x82", "\\xe2\\x82", "\\u00e2\\u0082");                 /* cut short */
    CHECK_PRINT("a\0b", "a\\x00b", "a\\u0000b");
}

static void test_cutting(void **state)
{
    (void)state;
    char out[8];
    assert_string_equal(skua_name_print(out, sizeof out, "abcd", 4), "abcd");
    assert_string_equal(skua_name_print(out, sizeof out, "abcdefgh", 8), "abcd...");
    assert_string_equal(skua_name_print(out, sizeof out, "abc\x1b", 4), "abc...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_paths), cmocka_unit_test(test_hostile_paths),
        cmocka_unit_test(test_lengths),    cmocka_unit_test(test_links),
        cmocka_unit_test(test_temp_names), cmocka_unit_test(test_printing),
        cmocka_unit_test(test_cutting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
