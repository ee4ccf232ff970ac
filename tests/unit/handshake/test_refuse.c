/* REFUSE, VERSIONS, and which version two lists meet in. */
#include "fixture.h"

#include "handshake/body.h"
#include "handshake/refuse.h"

/* The client's view of a REFUSE datagram; BAD_RETRY also where it does not even parse. */
static enum skua_verdict view_refuse(const struct pair *p, const uint8_t *data, size_t len,
                                     uint16_t *code)
{
    struct skua_head head;
    struct skua_refuse refuse;
    if (skua_header_peek(data, len, 8, &head) != SKUA_VERDICT_OK ||
        head.type != SKUA_PACKET_REFUSE ||
        skua_refuse_read(data, len, &head, &refuse) != SKUA_VERDICT_OK) {
        return SKUA_VERDICT_BAD_RETRY;
    }
    return skua_initiator_on_refuse(&p->client, data, &head, &refuse, code);
}

static void start(struct pair *p, struct skua_head *head, struct skua_syn *syn)
{
    pair_init(p, SKUA_PATTERN_XX, 1);
    assert_true(skua_initiator_init(&p->client, &p->client_config));
    assert_int_equal(skua_header_peek(p->client.syn, SKUA_SYN_LEN, 8, head), SKUA_VERDICT_OK);
    assert_int_equal(skua_syn_read(p->client.syn, SKUA_SYN_LEN, head, syn), SKUA_VERDICT_OK);
}

static void refuse_is_believed_only_whole(void **state)
{
    (void)state;
    struct pair p;
    struct skua_head head;
    struct skua_syn syn;
    start(&p, &head, &syn);
    uint8_t packet[SKUA_REFUSE_CAP];
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    skua_refuse_write(&w, &head, &syn, SKUA_CODE_REFUSED);
    size_t len = skua_writer_len(&w);
    assert_int_equal(len, 1 + 4 + 9 + 9 + 2 + 16);
    uint16_t code = 0;
    assert_int_equal(view_refuse(&p, packet, len, &code), SKUA_VERDICT_OK);
    assert_int_equal(code, SKUA_CODE_REFUSED);
    for (size_t i = 0; i < len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            packet[i] ^= (uint8_t)(1u << bit);
            assert_int_equal(view_refuse(&p, packet, len, &code), SKUA_VERDICT_BAD_RETRY);
            packet[i] ^= (uint8_t)(1u << bit);
        }
    }
    assert_int_equal(view_refuse(&p, packet, len - 1, &code), SKUA_VERDICT_BAD_RETRY);

    /* Not after the handshake. */
    struct skua_handshake_result result;
    assert_int_equal(pair_answer(&p, p.client.syn, SKUA_SYN_LEN), SKUA_VERDICT_OK);
    assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &result), SKUA_VERDICT_OK);
    assert_int_equal(view_refuse(&p, packet, len, &code), SKUA_VERDICT_BAD_RETRY);
}

static void refuse_belongs_to_one_syn(void **state)
{
    (void)state;
    struct pair p;
    struct skua_head head;
    struct skua_syn syn;
    start(&p, &head, &syn);
    uint8_t packet[SKUA_REFUSE_CAP];
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    skua_refuse_write(&w, &head, &syn, SKUA_CODE_REFUSED);
    struct pair q = p;
    assert_true(skua_initiator_init(&q.client, &p.client_config)); /* same ids, another `e` */
    uint16_t code;
    assert_int_equal(view_refuse(&q, packet, skua_writer_len(&w), &code), SKUA_VERDICT_BAD_RETRY);
}

static void versions_end_an_attempt_only_when_ours_is_missing(void **state)
{
    (void)state;
    struct pair p;
    struct skua_head head;
    struct skua_syn syn;
    start(&p, &head, &syn);
    uint8_t packet[SKUA_VERSIONS_CAP];
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    skua_versions_write(&w, &head);
    size_t len = skua_writer_len(&w);
    struct skua_head answer;
    struct skua_versions list;
    assert_int_equal(skua_header_peek(packet, len, 8, &answer), SKUA_VERDICT_OK);
    assert_int_equal(answer.type, SKUA_PACKET_VERSIONS);
    assert_int_equal(skua_versions_read(packet, len, &answer, &list), SKUA_VERDICT_OK);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.list[0], SKUA_WIRE_VERSION);
    assert_int_equal(skua_initiator_on_versions(&p.client, &answer, &list), SKUA_VERDICT_BAD_RETRY);
    list.list[0]++;
    assert_int_equal(skua_initiator_on_versions(&p.client, &answer, &list), SKUA_VERDICT_OK);
    packet[6] ^= 1; /* ids must be echoed */
    assert_int_equal(skua_initiator_on_versions(&p.client, &answer, &list), SKUA_VERDICT_BAD_RETRY);
    packet[6] ^= 1;
    packet[15] ^= 1;
    assert_int_equal(skua_initiator_on_versions(&p.client, &answer, &list), SKUA_VERDICT_BAD_RETRY);
}

static void the_clients_order_decides_where_versions_meet(void **state)
{
    (void)state;
    static const uint32_t client[] = {7, 5, 3}, server[] = {3, 4, 5}, other[] = {1};
    assert_int_equal(skua_versions_meet(client, 3, server, 3), 5);
    assert_int_equal(skua_versions_meet(server, 3, client, 3), 3);
    assert_int_equal(skua_versions_meet(client, 3, other, 1), 0);
    assert_int_equal(skua_versions_meet(client, 0, server, 3), 0);
}

static void offers_are_checked(void **state)
{
    (void)state;
    struct skua_offer out;
    static const uint8_t good[] = {7, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 0x99, 0, 0};
    assert_true(skua_offer_read(good, sizeof good, true, &out));
    assert_int_equal(out.suites, 7);
    assert_int_equal(out.version_count, 2);
    assert_int_equal(out.versions[1], 2);
    assert_int_equal(out.params_len, 1);
    assert_int_equal(out.params[0], 0x99);
    assert_false(skua_offer_read(good, sizeof good, false, &out)); /* parameters in clear */
    for (size_t cut = 0; cut < 13; cut++) {
        assert_false(skua_offer_read(good, cut, true, &out));
    }
    static const uint8_t none[] = {7, 0, 0, 0};
    assert_false(skua_offer_read(none, sizeof none, true, &out));
    uint8_t many[2 + 4 * 255 + 2] = {7, 255};
    assert_true(skua_offer_read(many, sizeof many, false, &out));
    assert_int_equal(out.version_count, SKUA_VERSIONS_MAX);
}

int main(void)
{
    if (skua_init() != SKUA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuse_is_believed_only_whole),
        cmocka_unit_test(refuse_belongs_to_one_syn),
        cmocka_unit_test(versions_end_an_attempt_only_when_ours_is_missing),
        cmocka_unit_test(the_clients_order_decides_where_versions_meet),
        cmocka_unit_test(offers_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
