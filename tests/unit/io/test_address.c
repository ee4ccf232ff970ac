/* Addresses: text, kernel form, and back. */
#include "unit.h"

#include <stdio.h>

#include <skua/skua_ev.h>

#include "io/address.h"

static void bind_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid, both;
        uint8_t family;
        uint16_t port;
        uint8_t first, last; /* bytes of the address */
    } table[] = {
        {"0.0.0.0:7582", true, false, SKUA_FAMILY_IPV4, 7582, 0, 0},
        {"192.0.2.1:65535", true, false, SKUA_FAMILY_IPV4, 65535, 192, 0},
        {"[::]:0", true, false, SKUA_FAMILY_IPV6, 0, 0, 0},
        {"[2001:db8::9]:1", true, false, SKUA_FAMILY_IPV6, 1, 0x20, 9},
        {"[::ffff:192.0.2.1]:1", true, false, SKUA_FAMILY_IPV6, 1, 0, 1},
        {":7582", true, true, SKUA_FAMILY_NONE, 7582, 0, 0},
        {"*:7582", true, true, SKUA_FAMILY_NONE, 7582, 0, 0},
        {"", false, false, 0, 0, 0, 0},
        {"7582", false, false, 0, 0, 0, 0},
        {"0.0.0.0", false, false, 0, 0, 0, 0},
        {"0.0.0.0:", false, false, 0, 0, 0, 0},
        {"0.0.0.0:65536", false, false, 0, 0, 0, 0},
        {"0.0.0.0:-1", false, false, 0, 0, 0, 0},
        {"0.0.0.0: 1", false, false, 0, 0, 0, 0},
        {"0.0.0.0:1x", false, false, 0, 0, 0, 0},
        {"256.0.0.0:1", false, false, 0, 0, 0, 0},
        {"1.2.3:1", false, false, 0, 0, 0, 0},
        {"::1:7582", false, false, 0, 0, 0, 0},
        {"[]:1", false, false, 0, 0, 0, 0},
        {"[:1", false, false, 0, 0, 0, 0},
        {"[::1:1", false, false, 0, 0, 0, 0},
        {"[1.2.3.4]:1", false, false, 0, 0, 0, 0},
        {"[fe80::1%nosuchinterface]:1", false, false, 0, 0, 0, 0},
        {"[fe80::1%]:1", false, false, 0, 0, 0, 0},
        {"localhost:1", false, false, 0, 0, 0, 0},
        {"[0000000000000000000000000000000000000000000000000000000000000000000000000000000000::]:1",
         false, false, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct skua_bind_spec spec;
        struct skua_addr addr;
        bool valid = skua_address_parse_bind(&spec, table[i].text);
        bool single = table[i].valid && !table[i].both;
        assert_int_equal(valid, table[i].valid);
        assert_int_equal(skua_ev_addr_parse(&addr, table[i].text), single ? SKUA_OK : SKUA_EADDR);
        if (valid) {
            assert_int_equal(spec.both, table[i].both);
            assert_int_equal(spec.addr.family, table[i].family);
            assert_int_equal(spec.addr.port, table[i].port);
            assert_int_equal(spec.addr.ip[0], table[i].first);
        }
        if (valid && table[i].family == SKUA_FAMILY_IPV6) {
            assert_int_equal(spec.addr.ip[15], table[i].last);
        }
    }
    struct skua_addr addr;
    assert_int_equal(skua_ev_addr_parse(&addr, NULL), SKUA_EADDR);
}

static void scope_by_name_and_number(void **state)
{
    (void)state;
    struct skua_addr addr;
    assert_true(skua_address_parse_host(&addr, "fe80::1%lo", 5));
    assert_int_equal(addr.scope, 1); /* the loopback interface is always number 1 */
    assert_true(skua_address_parse_host(&addr, "fe80::1%7", 5));
    assert_int_equal(addr.scope, 7);
    assert_false(skua_address_parse_host(&addr, "fe80::1%0", 5));
    assert_false(skua_address_parse_host(&addr, "10.0.0.1%lo", 5));
    assert_int_equal(addr.family, SKUA_FAMILY_NONE);
}

static void kernel_form_and_back(void **state)
{
    (void)state;
    static const char *const hosts[] = {"10.1.2.3", "2001:db8::1", "fe80::2%9", "0.0.0.0", "::"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct skua_addr addr;
        struct skua_addr again;
        struct sockaddr_storage storage = {0};
        assert_true(skua_address_parse_host(&addr, hosts[i], 4321));
        socklen_t len = skua_address_to_kernel(&storage, &addr);
        assert_int_not_equal(len, 0);
        assert_int_equal(storage.ss_family, skua_address_kernel_family(&addr));
        skua_address_from_kernel(&again, &storage);
        assert_memory_equal(&addr, &again, sizeof addr);
        assert_int_equal(skua_address_is_wildcard(&addr), i >= 3);
    }
    struct skua_addr none = {0};
    struct sockaddr_storage storage = {0};
    assert_int_equal(skua_address_to_kernel(&storage, &none), 0);
    storage.ss_family = AF_UNIX;
    skua_address_from_kernel(&none, &storage);
    assert_int_equal(none.family, SKUA_FAMILY_NONE);
}

static void loopback(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "127.255.0.9", "::1", /* none: */ "126.0.0.1",
                                        "128.0.0.1", "0.0.0.0",     "::",  "::2",
                                        "7f00::1"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct skua_addr addr;
        assert_true(skua_address_parse_host(&addr, hosts[i], 1));
        assert_int_equal(skua_address_is_loopback(&addr), i < 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bind_forms),
        cmocka_unit_test(scope_by_name_and_number),
        cmocka_unit_test(kernel_form_and_back),
        cmocka_unit_test(loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
