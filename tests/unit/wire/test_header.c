/* Packet headers: what the writers make is what the readers see, every truncation and every wrong
 * length is noticed, and nothing is read beyond the datagram. */
#include "unit.h"

#include <stdlib.h>

#include <skua/skua.h>

#include "random.h"
#include "wire/header.h"

static struct skua_id id_of_len(size_t len, uint8_t first)
{
    uint8_t bytes[SKUA_LIMIT_ID_MAX];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(first + i);
    }
    return skua_id_of(bytes, len);
}

/* Peek and read in one: the verdict that a receiver would reach. The datagram is copied to a heap
 * block of its own size, so that a sanitizer sees a read past its end. */
static enum skua_verdict judge(const uint8_t *data, size_t len, struct skua_head *head)
{
    uint8_t *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    uint8_t *exact = len != 0 ? realloc(copy, len) : copy;
    struct skua_head local;
    enum skua_verdict v = skua_header_peek(exact, len, 8, &local);
    if (v == SKUA_VERDICT_OK) {
        struct skua_syn syn;
        struct skua_syn_ack syn_ack;
        struct skua_confirm confirm;
        struct skua_retry retry;
        struct skua_refuse refuse;
        struct skua_versions versions;
        switch (local.type) {
        case SKUA_PACKET_SYN:
            v = skua_syn_read(exact, len, &local, &syn);
            break;
        case SKUA_PACKET_SYN_ACK:
            v = skua_syn_ack_read(exact, len, &local, &syn_ack);
            break;
        case SKUA_PACKET_CONFIRM:
            v = skua_confirm_read(exact, len, &local, &confirm);
            break;
        case SKUA_PACKET_RETRY:
            v = skua_retry_read(exact, len, &local, &retry);
            break;
        case SKUA_PACKET_REFUSE:
            v = skua_refuse_read(exact, len, &local, &refuse);
            break;
        case SKUA_PACKET_VERSIONS:
            v = skua_versions_read(exact, len, &local, &versions);
            break;
        case SKUA_PACKET_DATA:
            break;
        }
    }
    *head = local;
    free(exact);
    return v;
}

static size_t make_syn(uint8_t *out, size_t cap, size_t id_len)
{
    struct skua_id dcid = id_of_len(id_len, 1);
    struct skua_id scid = id_of_len(8, 50);
    struct skua_writer w = skua_writer_of(out, cap);
    skua_long_header_write(&w, SKUA_PACKET_SYN, SKUA_WIRE_VERSION, &dcid, &scid);
    size_t message_len = skua_writer_left(&w) - SKUA_SYN_BODY_LEN;
    skua_syn_body_write(&w, 1, message_len);
    skua_writer_zero(&w, message_len);
    assert_false(w.failed);
    return skua_writer_len(&w);
}

static void syn(void **state)
{
    (void)state;
    uint8_t data[1200];
    struct skua_head head;
    for (size_t id_len = 8; id_len <= 16; id_len++) {
        assert_int_equal(make_syn(data, sizeof data, id_len), 1200);
        assert_int_equal(skua_header_peek(data, sizeof data, 8, &head), SKUA_VERDICT_OK);
        assert_int_equal(head.type, SKUA_PACKET_SYN);
        assert_int_equal(head.version, SKUA_WIRE_VERSION);
        assert_int_equal(head.dcid_len, id_len);
        assert_int_equal(head.dcid[0], 1);
        assert_int_equal(head.scid[7], 57);
        struct skua_syn out;
        assert_int_equal(skua_syn_read(data, sizeof data, &head, &out), SKUA_VERDICT_OK);
        assert_int_equal(out.pattern, 1);
        assert_int_equal(out.token_len, 0);
        assert_int_equal(out.message_len, 1200 - (1 + 4 + 1 + id_len + 1 + 8) - 5);
        assert_ptr_equal(out.message + out.message_len, data + sizeof data);
        assert_ptr_equal(out.ephemeral, out.message);
    }
    for (size_t len = 23; len < sizeof data; len++) {
        assert_int_equal(judge(data, len, &head),
                         len < 31 ? SKUA_VERDICT_RUNT : SKUA_VERDICT_SYN_SHORT);
    }
    data[5] = 7; /* an id shorter than this version allows */
    assert_int_equal(judge(data, sizeof data, &head), SKUA_VERDICT_MALFORMED);
    data[5] = 17;
    assert_int_equal(judge(data, sizeof data, &head), SKUA_VERDICT_MALFORMED);
}

static void syn_with_token_and_with_wrong_lengths(void **state)
{
    (void)state;
    uint8_t data[1500] = {0};
    struct skua_head head;
    (void)make_syn(data, 1200, 8);
    /* Behind the ids (1 + 4 + 9 + 9): token length, token, pattern, message length. */
    uint8_t with_token[1210];
    memcpy(with_token, data, 23);
    memcpy(with_token + 23,
           "\x00\x0a"
           "0123456789",
           12);
    memcpy(with_token + 35, data + 25, 1200 - 25);
    struct skua_syn out;
    assert_int_equal(skua_header_peek(with_token, sizeof with_token, 8, &head), SKUA_VERDICT_OK);
    assert_int_equal(skua_syn_read(with_token, sizeof with_token, &head, &out), SKUA_VERDICT_OK);
    assert_int_equal(out.token_len, 10);
    assert_memory_equal(out.token, "0123456789", 10);
    assert_int_equal(out.message_len, 1200 - 28);

    assert_int_equal(judge(data, 1201, &head), SKUA_VERDICT_MALFORMED); /* a byte too many */
    data[23] = 1;
    data[24] = 1; /* token of 257 bytes */
    assert_int_equal(judge(data, 1200, &head), SKUA_VERDICT_MALFORMED);
    data[23] = data[24] = 0;
    data[27]++; /* message longer than the datagram */
    assert_int_equal(judge(data, 1200, &head), SKUA_VERDICT_RUNT);
    data[27]--;
    data[0] |= SKUA_FLAG_RENDEZVOUS;
    assert_int_equal(skua_header_peek(data, 1200, 8, &head), SKUA_VERDICT_OK);
    assert_int_equal(skua_syn_read(data, 1200, &head, &out), SKUA_VERDICT_OK);
    assert_int_equal(out.flags, SKUA_FLAG_RENDEZVOUS);
    data[0] |= 2; /* the other flag means nothing yet */
    assert_int_equal(judge(data, 1200, &head), SKUA_VERDICT_MALFORMED);
    data[0] = SKUA_FIRST_BYTE(SKUA_PACKET_SYN_ACK) | SKUA_FLAG_RENDEZVOUS;
    assert_int_equal(judge(data, 1200, &head), SKUA_VERDICT_MALFORMED);
}

static void syn_ack(void **state)
{
    (void)state;
    uint8_t data[700] = {0};
    struct skua_id dcid = id_of_len(8, 1);
    struct skua_id scid = id_of_len(16, 50);
    struct skua_writer w = skua_writer_of(data, sizeof data);
    skua_long_header_write(&w, SKUA_PACKET_SYN_ACK, SKUA_WIRE_VERSION, &dcid, &scid);
    assert_int_equal(data[0], 0xc4);
    size_t header = skua_writer_len(&w);
    struct skua_head head;
    for (size_t len = 1; len <= sizeof data; len++) {
        enum skua_verdict want = len < header + 32 ? SKUA_VERDICT_RUNT
                                 : len <= 600      ? SKUA_VERDICT_OK
                                                   : SKUA_VERDICT_MALFORMED;
        assert_int_equal(judge(data, len, &head), want);
    }
    struct skua_syn_ack out;
    assert_int_equal(skua_header_peek(data, 300, 8, &head), SKUA_VERDICT_OK);
    assert_int_equal(skua_syn_ack_read(data, 300, &head, &out), SKUA_VERDICT_OK);
    assert_int_equal(out.message_len, 300 - header);
}

static void confirm(void **state)
{
    (void)state;
    uint8_t data[400] = {0};
    uint8_t message[100];
    memset(message, 0xab, sizeof message);
    struct skua_id dcid = id_of_len(16, 1);
    struct skua_id scid = id_of_len(8, 50);
    struct skua_writer w = skua_writer_of(data, sizeof data);
    skua_confirm_header_write(&w, &dcid, &scid, message, sizeof message, UINT64_C(0x512345678));
    size_t header = skua_writer_len(&w);
    assert_int_equal(header, skua_confirm_header_len(&dcid, &scid, sizeof message));
    struct skua_head head;
    struct skua_confirm out;
    assert_int_equal(skua_header_peek(data, header + 16, 16, &head), SKUA_VERDICT_OK);
    assert_int_equal(skua_confirm_read(data, header + 16, &head, &out), SKUA_VERDICT_OK);
    assert_int_equal(out.message_len, sizeof message);
    assert_memory_equal(out.message, message, sizeof message);
    assert_int_equal(out.pn, 0x12345678);
    assert_int_equal(out.pn_offset + 4, header);
    for (size_t len = 1; len < header + 16; len++) {
        assert_int_equal(judge(data, len, &head), SKUA_VERDICT_RUNT);
    }
}

static void data(void **state)
{
    (void)state;
    uint8_t packet[64] = {0};
    struct skua_head head;
    for (size_t id_len = 8; id_len <= 16; id_len++) {
        struct skua_id dcid = id_of_len(id_len, 9);
        for (unsigned phase = 0; phase < 2; phase++) {
            struct skua_writer w = skua_writer_of(packet, sizeof packet);
            skua_data_header_write(&w, &dcid, UINT64_C(0x3fedcba98), phase);
            assert_int_equal(skua_writer_len(&w), skua_data_header_len(id_len));
            assert_int_equal(packet[0], phase != 0 ? 0x44 : 0x40);
            size_t least = 1 + id_len + 4 + 16;
            assert_int_equal(skua_header_peek(packet, least - 1, id_len, &head), SKUA_VERDICT_RUNT);
            assert_int_equal(skua_header_peek(packet, least, id_len, &head), SKUA_VERDICT_OK);
            assert_int_equal(head.type, SKUA_PACKET_DATA);
            assert_int_equal(head.first, packet[0]);
            assert_true(skua_id_matches(&dcid, head.dcid, head.dcid_len));
            assert_int_equal(head.body, 1 + id_len);
            assert_int_equal(skua_data_pn_read(packet, id_len), 0xfedcba98);
        }
    }
}

static void versions_and_unknown_versions(void **state)
{
    (void)state;
    uint8_t packet[200];
    struct skua_id dcid = id_of_len(8, 1);
    struct skua_id none = id_of_len(0, 0);
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    skua_long_header_write(&w, SKUA_PACKET_VERSIONS, 0, &dcid, &none);
    size_t header = skua_writer_len(&w);
    for (uint32_t i = 0; i < 20; i++) {
        skua_writer_u32(&w, 100 + i);
    }
    struct skua_head head;
    struct skua_versions out;
    for (unsigned low = 0; low < 64; low++) { /* only bits 7 and 6 of the first byte count */
        packet[0] = (uint8_t)(0xc0 | low);
        assert_int_equal(skua_header_peek(packet, skua_writer_len(&w), 8, &head), SKUA_VERDICT_OK);
        assert_int_equal(head.type, SKUA_PACKET_VERSIONS);
    }
    assert_int_equal(skua_versions_read(packet, skua_writer_len(&w), &head, &out), SKUA_VERDICT_OK);
    assert_int_equal(out.count, SKUA_VERSIONS_MAX);
    assert_int_equal(out.list[15], 115);
    for (size_t len = 1; len < skua_writer_len(&w); len++) {
        bool whole = len > header && (len - header) % 4 == 0;
        assert_int_equal(judge(packet, len, &head), whole ? SKUA_VERDICT_OK : SKUA_VERDICT_RUNT);
    }
    packet[4] = 9; /* version 9 */
    assert_int_equal(judge(packet, header, &head), SKUA_VERDICT_VERSION);
    assert_int_equal(head.version, 9);
    assert_int_equal(head.dcid_len, 8);
    assert_int_equal(head.scid_len, 0);
}

/* A RETRY with a token of `token_len` bytes in `packet`; its length. */
static size_t make_retry(uint8_t *packet, size_t cap, size_t token_len)
{
    struct skua_id dcid = id_of_len(8, 1);
    struct skua_id scid = id_of_len(8, 2);
    struct skua_writer w = skua_writer_of(packet, cap);
    skua_long_header_write(&w, SKUA_PACKET_RETRY, SKUA_WIRE_VERSION, &dcid, &scid);
    skua_writer_u16(&w, (uint16_t)token_len);
    for (size_t i = 0; i < token_len; i++) {
        skua_writer_u8(&w, (uint8_t)i);
    }
    skua_writer_zero(&w, SKUA_PACKET_TAG_LEN);
    assert_false(w.failed);
    return skua_writer_len(&w);
}

static void retry(void **state)
{
    (void)state;
    uint8_t packet[400] = {0};
    struct skua_head head;
    struct skua_retry out;
    size_t len = make_retry(packet, sizeof packet, 20);
    assert_int_equal(skua_header_peek(packet, len, 8, &head), SKUA_VERDICT_OK);
    assert_int_equal(skua_retry_read(packet, len, &head, &out), SKUA_VERDICT_OK);
    assert_int_equal(out.token_len, 20);
    assert_int_equal(out.token[19], 19);
    assert_int_equal(out.tag_offset, len - SKUA_PACKET_TAG_LEN);
    for (size_t cut = 1; cut < len; cut++) {
        assert_int_equal(judge(packet, cut, &head), SKUA_VERDICT_RUNT);
    }
    assert_int_equal(judge(packet, len + 1, &head), SKUA_VERDICT_MALFORMED);
    /* Neither without a token nor with one that is too long. */
    len = make_retry(packet, sizeof packet, SKUA_LIMIT_TOKEN_MAX);
    assert_int_equal(judge(packet, len, &head), SKUA_VERDICT_OK);
    len = make_retry(packet, sizeof packet, SKUA_LIMIT_TOKEN_MAX + 1);
    assert_int_equal(judge(packet, len, &head), SKUA_VERDICT_MALFORMED);
    len = make_retry(packet, sizeof packet, 0);
    assert_int_equal(judge(packet, len, &head), SKUA_VERDICT_MALFORMED);
}

static void refuse(void **state)
{
    (void)state;
    uint8_t packet[80] = {0};
    struct skua_id dcid = id_of_len(8, 1);
    struct skua_id scid = id_of_len(8, 2);
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    skua_long_header_write(&w, SKUA_PACKET_REFUSE, SKUA_WIRE_VERSION, &dcid, &scid);
    skua_writer_u16(&w, SKUA_CODE_OVERLOAD);
    size_t before = skua_writer_len(&w);
    skua_writer_zero(&w, SKUA_PACKET_TAG_LEN);
    struct skua_head head;
    struct skua_refuse out;
    size_t len = skua_writer_len(&w);
    assert_int_equal(skua_header_peek(packet, len, 8, &head), SKUA_VERDICT_OK);
    assert_int_equal(skua_refuse_read(packet, len, &head, &out), SKUA_VERDICT_OK);
    assert_int_equal(out.code, SKUA_CODE_OVERLOAD);
    assert_int_equal(out.tag_offset, before);
    for (size_t cut = 1; cut < len; cut++) {
        assert_int_equal(judge(packet, cut, &head), SKUA_VERDICT_RUNT);
    }
    assert_int_equal(judge(packet, len + 1, &head), SKUA_VERDICT_MALFORMED);
}

static void foreign_bytes(void **state)
{
    (void)state;
    uint8_t packet[64] = {0};
    struct skua_head head;
    uint64_t seed = 3;
    assert_int_equal(skua_header_peek(packet, 0, 8, &head), SKUA_VERDICT_RUNT);
    for (int i = 0; i < 200000; i++) {
        for (size_t j = 0; j < sizeof packet; j++) {
            packet[j] = (uint8_t)random_next(&seed);
        }
        size_t len = 1 + (size_t)(random_next(&seed) % sizeof packet);
        bool fixed = (packet[0] & 0x40) != 0;
        if (fixed && i % 2 == 0) {
            struct skua_writer w = skua_writer_of(packet + 1, 4);
            skua_writer_u32(&w, SKUA_WIRE_VERSION);
        }
        enum skua_verdict v = judge(packet, len, &head);
        assert_int_equal(v == SKUA_VERDICT_NOT_SKUA, !fixed);
    }
    /* Every type code of a long header that is not in use. */
    (void)make_syn(packet, sizeof packet, 8);
    for (unsigned type = 5; type < 16; type++) {
        packet[0] = SKUA_FIRST_BYTE(type);
        assert_int_equal(judge(packet, sizeof packet, &head), SKUA_VERDICT_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syn),           cmocka_unit_test(syn_with_token_and_with_wrong_lengths),
        cmocka_unit_test(syn_ack),       cmocka_unit_test(confirm),
        cmocka_unit_test(data),          cmocka_unit_test(versions_and_unknown_versions),
        cmocka_unit_test(retry),         cmocka_unit_test(refuse),
        cmocka_unit_test(foreign_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
