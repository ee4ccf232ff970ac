/* Operands of skua cp: what is local, what is remote, what is neither. */
#include "unit.h"

#include "remote.h"

static void local(const char *text)
{
    struct skua_operand operand;
    struct skua_why why;
    assert_true(skua_operand_parse(&operand, text, &why));
    assert_false(operand.remote);
    assert_string_equal(operand.path, text);
}

static void remote(const char *text, const char *host, uint16_t port, const char *path)
{
    struct skua_operand operand;
    struct skua_why why;
    assert_true(skua_operand_parse(&operand, text, &why));
    assert_true(operand.remote);
    assert_string_equal(operand.host, host);
    assert_int_equal(operand.port, port);
    assert_string_equal(operand.path, path);
}

static void bad(const char *text)
{
    struct skua_operand operand;
    struct skua_why why = {{0}};
    assert_false(skua_operand_parse(&operand, text, &why));
    assert_non_null(strstr(why.text, text));
}

static void test_local(void **state)
{
    (void)state;
    local("file");
    local("./a:b");
    local("/a:b");
    local("dir/a:b");
    local("");
    local("[a]");
    local("/skua://x");
}

static void test_scp_form(void **state)
{
    (void)state;
    remote("host:", "host", 0, "");
    remote("host:path", "host", 0, "path");
    remote("host:/path", "host", 0, "path");
    remote("host:a:b", "host", 0, "a:b");
    remote("192.0.2.1:x/y", "192.0.2.1", 0, "x/y");
    remote("[2001:db8::1]:x", "2001:db8::1", 0, "x");
    remote("[fe80::1%eth0]:", "fe80::1%eth0", 0, "");
    bad(":path");
    bad("[]:path");
    bad("user@host:path");
}

static void test_url_form(void **state)
{
    (void)state;
    remote("skua://host", "host", 0, "");
    remote("skua://host/", "host", 0, "");
    remote("skua://host/a/b", "host", 0, "a/b");
    remote("skua://host//a", "host", 0, "a");
    remote("skua://host:9000/a:b", "host", 9000, "a:b");
    remote("skua://[::1]:65535/x", "::1", 65535, "x");
    remote("skua://[::1]", "::1", 0, "");
    bad("skua://");
    bad("skua:///x");
    bad("skua://host:/x");
    bad("skua://host:0/x");
    bad("skua://host:65536/x");
    bad("skua://host:99999999999999999999/x");
    bad("skua://host:1x/x");
    bad("skua://[::1/x");
    bad("skua://[::1]x/x");
    bad("skua://user@host/x");
}

static void test_long_host(void **state)
{
    (void)state;
    char text[600];
    struct skua_operand operand;
    struct skua_why why;
    memset(text, 'h', sizeof text);
    memcpy(text + 255, ":x", 3);
    assert_true(skua_operand_parse(&operand, text, &why));
    assert_int_equal(strlen(operand.host), 255);
    memset(text, 'h', sizeof text);
    memcpy(text + 256, ":x", 3);
    assert_false(skua_operand_parse(&operand, text, &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_scp_form),
        cmocka_unit_test(test_url_form),
        cmocka_unit_test(test_long_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
