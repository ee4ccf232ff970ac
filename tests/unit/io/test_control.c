/* Control messages: what is written is what the kernel's macros read, and the other way round. */
#include "unit.h"

#include <linux/udp.h>
#include <netinet/in.h>

#include "io/control.h"

static struct msghdr message_of(struct skua_control *control, size_t len)
{
    return (struct msghdr){.msg_control = control, .msg_controllen = len};
}

/* How many control messages of this kind there are. */
static unsigned count_of(struct msghdr *message, int level, int type)
{
    unsigned n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        n += c->cmsg_level == level && c->cmsg_type == type;
    }
    return n;
}

static void nothing_to_say_takes_no_room(void **state)
{
    (void)state;
    struct skua_control control;
    struct skua_addr none = {0};
    struct skua_control_out out = {.family = SKUA_FAMILY_IPV4, .local = &none};
    assert_int_equal(skua_control_write(&control, &out), 0);
}

static void all_at_once(void **state)
{
    (void)state;
    static const uint8_t families[] = {SKUA_FAMILY_IPV4, SKUA_FAMILY_IPV6};
    for (size_t i = 0; i < 2; i++) {
        bool v6 = families[i] == SKUA_FAMILY_IPV6;
        struct skua_control control;
        struct skua_addr local = {.family = families[i], .ip = {10, 0, 0, 7}, .port = 9};
        struct skua_control_out out = {
            .segment_size = 1452, .ecn = 2, .family = families[i], .local = &local};
        size_t len = skua_control_write(&control, &out);
        struct msghdr message = message_of(&control, len);
        assert_int_equal(count_of(&message, 17, UDP_SEGMENT), 1);
        assert_int_equal(count_of(&message, IPPROTO_IP, IP_TOS), !v6);
        assert_int_equal(count_of(&message, IPPROTO_IPV6, IPV6_TCLASS), v6);
        assert_int_equal(count_of(&message, IPPROTO_IP, IP_PKTINFO), !v6);
        assert_int_equal(count_of(&message, IPPROTO_IPV6, IPV6_PKTINFO), v6);
        struct skua_control_in in;
        skua_control_read(&in, &message);
        assert_int_equal(in.ecn, 2);
        assert_int_equal(in.segment_size, 0); /* UDP_SEGMENT is not UDP_GRO */
        assert_int_equal(in.local.family, families[i]);
        assert_memory_equal(in.local.ip, local.ip, sizeof local.ip);
        assert_int_equal(in.local.port, 0);
        assert_false(in.has_drops);
    }
}

static void source_of_the_other_family_is_left_out(void **state)
{
    (void)state;
    struct skua_control control;
    struct skua_addr local = {.family = SKUA_FAMILY_IPV6};
    struct skua_control_out out = {.family = SKUA_FAMILY_IPV4, .local = &local};
    assert_int_equal(skua_control_write(&control, &out), 0);
}

static void gro_and_drops(void **state)
{
    (void)state;
    struct skua_control control;
    memset(&control, 0, sizeof control);
    struct msghdr message = message_of(&control, CMSG_SPACE(sizeof(int)) * 2);
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    int size = 1200;
    uint32_t drops = 77;
    c->cmsg_level = 17;
    c->cmsg_type = UDP_GRO;
    c->cmsg_len = CMSG_LEN(sizeof size);
    memcpy(CMSG_DATA(c), &size, sizeof size);
    c = CMSG_NXTHDR(&message, c);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SO_RXQ_OVFL;
    c->cmsg_len = CMSG_LEN(sizeof drops);
    memcpy(CMSG_DATA(c), &drops, sizeof drops);
    struct skua_control_in in;
    skua_control_read(&in, &message);
    assert_int_equal(in.segment_size, 1200);
    assert_true(in.has_drops);
    assert_int_equal(in.drops, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_say_takes_no_room),
        cmocka_unit_test(all_at_once),
        cmocka_unit_test(source_of_the_other_family_is_left_out),
        cmocka_unit_test(gro_and_drops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
