/* Addresses as text, beside RFC 5952's examples; equality of addresses and paths. */
#include "unit.h"

#include "base/addr.h"

static struct skua_addr ipv6(const uint16_t groups[8], uint32_t scope, uint16_t port)
{
    struct skua_addr addr = {.family = SKUA_FAMILY_IPV6, .scope = scope, .port = port};
    for (size_t i = 0; i < 8; i++) {
        addr.ip[2 * i] = (uint8_t)(groups[i] >> 8);
        addr.ip[2 * i + 1] = (uint8_t)groups[i];
    }
    return addr;
}

static void assert_text(const struct skua_addr *addr, const char *expected)
{
    char text[SKUA_ADDR_TEXT_LEN];
    memset(text, 'x', sizeof text);
    skua_addr_format(text, addr);
    assert_string_equal(text, expected);
}

static void test_ipv4(void **state)
{
    (void)state;
    struct skua_addr addr = {.family = SKUA_FAMILY_IPV4, .port = 7582, .ip = {192, 0, 2, 1}};
    assert_text(&addr, "192.0.2.1:7582");
    addr = (struct skua_addr){.family = SKUA_FAMILY_IPV4, .port = 0, .ip = {0}};
    assert_text(&addr, "0.0.0.0:0");
    addr =
        (struct skua_addr){.family = SKUA_FAMILY_IPV4, .port = 65535, .ip = {255, 255, 255, 255}};
    assert_text(&addr, "255.255.255.255:65535");
}

static void test_ipv6(void **state)
{
    (void)state;
    static const struct {
        uint16_t groups[8];
        uint32_t scope;
        uint16_t port;
        const char *text;
    } cases[] = {
        {{0x2001, 0xdb8, 0, 0, 0, 0, 0, 1}, 3, 7582, "[2001:db8::1%3]:7582"},
        {{0x2001, 0xdb8, 0, 0, 0, 0, 0, 1}, 0, 7582, "[2001:db8::1]:7582"},
        /* RFC 5952 §4.2.2: one zero group is not shortened. */
        {{0x2001, 0xdb8, 0, 1, 1, 1, 1, 1}, 0, 1, "[2001:db8:0:1:1:1:1:1]:1"},
        /* §4.2.3: the longest run, the first of equals. */
        {{0x2001, 0, 0, 1, 0, 0, 0, 1}, 0, 1, "[2001:0:0:1::1]:1"},
        {{0x2001, 0xdb8, 0, 0, 1, 0, 0, 1}, 0, 1, "[2001:db8::1:0:0:1]:1"},
        {{0, 0, 0, 0, 0, 0, 0, 0}, 0, 0, "[::]:0"},
        {{0, 0, 0, 0, 0, 0, 0, 1}, 0, 53, "[::1]:53"},
        {{1, 0, 0, 0, 0, 0, 0, 0}, 0, 53, "[1::]:53"},
        {{0, 0, 1, 2, 3, 4, 5, 6}, 0, 53, "[::1:2:3:4:5:6]:53"},
        {{1, 2, 3, 4, 5, 6, 0, 0}, 0, 53, "[1:2:3:4:5:6::]:53"},
        /* §5: an IPv4-mapped address. */
        {{0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201}, 0, 9, "[::ffff:192.0.2.1]:9"},
        {{0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff},
         UINT32_MAX,
         65535,
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535"},
        {{0xfe80, 0, 0, 0, 0xabc, 0xd, 0xe0, 0xf000}, 2, 7, "[fe80::abc:d:e0:f000%2]:7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct skua_addr addr = ipv6(cases[i].groups, cases[i].scope, cases[i].port);
        assert_text(&addr, cases[i].text);
    }
}

static void test_unknown(void **state)
{
    (void)state;
    const struct skua_addr addr = {.family = SKUA_FAMILY_NONE};
    assert_text(&addr, "unknown:0");
}

static void test_equality(void **state)
{
    (void)state;
    const struct skua_addr a = {.family = SKUA_FAMILY_IPV4, .port = 7, .ip = {192, 0, 2, 1}};
    struct skua_addr b = a;
    assert_true(skua_addr_equal(&a, &b));
    b.port = 8;
    assert_false(skua_addr_equal(&a, &b));
    struct skua_path p = {.socket = 1, .remote = a};
    struct skua_path q = {.socket = 1, .remote = a, .local = b};
    assert_true(skua_path_equal(&p, &q));
    q.socket = 2;
    assert_false(skua_path_equal(&p, &q));
    q = p;
    q.remote.ip[3] = 2;
    assert_false(skua_path_equal(&p, &q));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_equality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
