/* RETRY, REFUSE, VERSIONS, and which version two lists meet in. */
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

/* The client's reaction to a RETRY datagram; BAD_RETRY also where it does not even parse. */
static enum skua_verdict view_retry(struct pair *p, const uint8_t *data, size_t len)
{
    struct skua_head head;
    struct skua_retry retry;
    if (skua_header_peek(data, len, 8, &head) != SKUA_VERDICT_OK ||
        head.type != SKUA_PACKET_RETRY ||
        skua_retry_read(data, len, &head, &retry) != SKUA_VERDICT_OK) {
        return SKUA_VERDICT_BAD_RETRY;
    }
    return skua_initiator_on_retry(&p->client, data, &head, &retry);
}

static size_t send_syn(struct pair *p, uint8_t out[SKUA_SYN_CAP])
{
    struct skua_writer w = skua_writer_of(out, SKUA_SYN_CAP);
    skua_initiator_write_syn(&p->client, &w);
    assert_false(w.failed);
    return skua_writer_len(&w);
}

static size_t make_retry(uint8_t *out, const struct skua_head *head, const struct skua_syn *syn,
                         const char *token)
{
    struct skua_writer w = skua_writer_of(out, SKUA_RETRY_CAP);
    skua_retry_write(&w, head, syn, (const uint8_t *)token, strlen(token));
    return skua_writer_len(&w);
}

static void retry_is_believed_only_whole(void **state)
{
    (void)state;
    struct pair p;
    struct skua_head head;
    struct skua_syn syn;
    uint8_t sent[SKUA_SYN_CAP], packet[SKUA_RETRY_CAP];
    start(&p, &head, &syn);
    size_t len = make_retry(packet, &head, &syn, "a token");
    assert_int_equal(len, 1 + 4 + 9 + 9 + 2 + 7 + 16);
    assert_int_equal(view_retry(&p, packet, len), SKUA_VERDICT_BAD_RETRY); /* nothing was sent */
    assert_int_equal(send_syn(&p, sent), SKUA_SYN_LEN);
    for (size_t i = 0; i < len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            packet[i] ^= (uint8_t)(1u << bit);
            assert_int_equal(view_retry(&p, packet, len), SKUA_VERDICT_BAD_RETRY);
            packet[i] ^= (uint8_t)(1u << bit);
        }
    }
    struct pair q = p;
    assert_true(skua_initiator_init(&q.client, &p.client_config)); /* same ids, another `e` */
    (void)send_syn(&q, sent);
    assert_int_equal(view_retry(&q, packet, len), SKUA_VERDICT_BAD_RETRY);
    assert_int_equal(view_retry(&p, packet, len), SKUA_VERDICT_OK);
    /* REFUSE has a label of its own. */
    packet[0] = SKUA_FIRST_BYTE(SKUA_PACKET_REFUSE);
    uint16_t code;
    assert_int_equal(view_refuse(&p, packet, len, &code), SKUA_VERDICT_BAD_RETRY);
}

/* The token is put in and nothing else changes, so that the handshake goes on as it began. */
static void the_same_syn_brings_the_token_back(void **state)
{
    (void)state;
    struct pair p;
    struct skua_head head, again_head;
    struct skua_syn syn, again_syn;
    struct skua_handshake_result client, server;
    uint8_t first[SKUA_SYN_CAP], again[SKUA_SYN_CAP], packet[SKUA_RETRY_CAP];
    uint8_t print[SKUA_TAG_LEN], again_print[SKUA_TAG_LEN];
    static const uint8_t key[SKUA_FINGERPRINT_KEY_LEN] = {7};
    static const struct skua_path path = {.remote = {.port = 1}};
    start(&p, &head, &syn);
    size_t len = send_syn(&p, first);
    assert_memory_equal(first, p.client.syn, SKUA_SYN_LEN);
    size_t retry_len = make_retry(packet, &head, &syn, "a token");
    assert_int_equal(view_retry(&p, packet, retry_len), SKUA_VERDICT_OK);
    size_t again_len = send_syn(&p, again);
    assert_int_equal(again_len, len + 7);
    assert_memory_equal(again, first, 23);
    assert_memory_equal(again + 23, "\0\7a token", 9);
    assert_memory_equal(again + 32, first + 25, len - 25);
    assert_int_equal(skua_header_peek(again, again_len, 8, &again_head), SKUA_VERDICT_OK);
    assert_int_equal(skua_syn_read(again, again_len, &again_head, &again_syn), SKUA_VERDICT_OK);
    pair_fingerprint(print, key, &path, &head, &syn);
    pair_fingerprint(again_print, key, &path, &again_head, &again_syn);
    assert_memory_equal(print, again_print, sizeof print);
    assert_int_equal(pair_answer(&p, again, again_len), SKUA_VERDICT_OK);
    assert_int_equal(pair_react(&p, p.syn_ack, p.syn_ack_len, &client), SKUA_VERDICT_OK);
    assert_int_equal(pair_confirm(&p, p.client.message3, p.client.message3_len, &server),
                     SKUA_VERDICT_OK);
    assert_memory_equal(&client.to_responder, &server.to_responder, sizeof client.to_responder);
    /* None after the handshake. */
    assert_int_equal(view_retry(&p, packet, retry_len), SKUA_VERDICT_BAD_RETRY);
}

/* One for each SYN that was sent, three for each repeat; the last one's token counts. */
static void retries_are_counted(void **state)
{
    (void)state;
    struct pair p;
    struct skua_head head;
    struct skua_syn syn;
    uint8_t sent[SKUA_SYN_CAP], one[SKUA_RETRY_CAP], two[SKUA_RETRY_CAP];
    start(&p, &head, &syn);
    size_t one_len = make_retry(one, &head, &syn, "the first token");
    size_t two_len = make_retry(two, &head, &syn, "another");
    (void)send_syn(&p, sent);
    assert_int_equal(view_retry(&p, one, one_len), SKUA_VERDICT_OK);
    assert_int_equal(view_retry(&p, two, two_len), SKUA_VERDICT_BAD_RETRY);
    assert_int_equal(send_syn(&p, sent), SKUA_SYN_LEN + 15);
    assert_int_equal(view_retry(&p, one, one_len), SKUA_VERDICT_BAD_RETRY); /* a late copy */
    assert_int_equal(view_retry(&p, two, two_len), SKUA_VERDICT_OK);
    assert_int_equal(send_syn(&p, sent), SKUA_SYN_LEN + 7);
    assert_memory_equal(sent + 25, "another", 7);
    assert_int_equal(view_retry(&p, one, one_len), SKUA_VERDICT_OK);
    (void)send_syn(&p, sent);
    assert_int_equal(view_retry(&p, two, two_len), SKUA_VERDICT_BAD_RETRY);
    assert_int_equal(send_syn(&p, sent), SKUA_SYN_LEN + 15);
    skua_initiator_repeat(&p.client);
    assert_int_equal(view_retry(&p, one, one_len), SKUA_VERDICT_BAD_RETRY);
    assert_int_equal(view_retry(&p, two, two_len), SKUA_VERDICT_OK);
    assert_int_equal(send_syn(&p, sent), SKUA_SYN_LEN + 7);
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
        cmocka_unit_test(retry_is_believed_only_whole),
        cmocka_unit_test(the_same_syn_brings_the_token_back),
        cmocka_unit_test(retries_are_counted),
        cmocka_unit_test(versions_end_an_attempt_only_when_ours_is_missing),
        cmocka_unit_test(the_clients_order_decides_where_versions_meet),
        cmocka_unit_test(offers_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
