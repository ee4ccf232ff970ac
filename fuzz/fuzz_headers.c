/* Any datagram through peek and reader: the parts found lie within it, in order. The first input
 * byte chooses the receiver's id length. */
#include <stdint.h>

#include "base/assert.h"
#include "wire/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(const uint8_t *part, size_t len, const uint8_t *data, size_t size)
{
    SKUA_ASSERT(part >= data && len <= size && (size_t)(part - data) <= size - len);
}

static void read_body(const uint8_t *data, size_t size, const struct skua_head *head)
{
    struct skua_syn syn;
    struct skua_syn_ack syn_ack;
    struct skua_confirm confirm;
    struct skua_retry retry;
    struct skua_refuse refuse;
    struct skua_versions versions;
    switch (head->type) {
    case SKUA_PACKET_SYN:
        if (skua_syn_read(data, size, head, &syn) == SKUA_VERDICT_OK) {
            within(syn.token, syn.token_len, data, size);
            SKUA_ASSERT(syn.message + syn.message_len == data + size && syn.message_len >= 32);
        }
        break;
    case SKUA_PACKET_SYN_ACK:
        if (skua_syn_ack_read(data, size, head, &syn_ack) == SKUA_VERDICT_OK) {
            SKUA_ASSERT(syn_ack.message + syn_ack.message_len == data + size);
        }
        break;
    case SKUA_PACKET_CONFIRM:
        if (skua_confirm_read(data, size, head, &confirm) == SKUA_VERDICT_OK) {
            within(confirm.message, confirm.message_len, data, size);
            SKUA_ASSERT(confirm.message + confirm.message_len == data + confirm.pn_offset);
            within(data + confirm.pn_offset, SKUA_PN_LEN + SKUA_SAMPLE_LEN, data, size);
        }
        break;
    case SKUA_PACKET_RETRY:
        if (skua_retry_read(data, size, head, &retry) == SKUA_VERDICT_OK) {
            within(retry.token, retry.token_len, data, size);
            SKUA_ASSERT(retry.token_len > 0 && retry.token + retry.token_len == retry.tag);
            SKUA_ASSERT(retry.tag == data + retry.tag_offset);
            within(retry.tag, SKUA_PACKET_TAG_LEN, data, size);
        }
        break;
    case SKUA_PACKET_REFUSE:
        if (skua_refuse_read(data, size, head, &refuse) == SKUA_VERDICT_OK) {
            SKUA_ASSERT(refuse.tag == data + refuse.tag_offset);
            within(refuse.tag, SKUA_PACKET_TAG_LEN, data, size);
        }
        break;
    case SKUA_PACKET_VERSIONS:
        if (skua_versions_read(data, size, head, &versions) == SKUA_VERDICT_OK) {
            SKUA_ASSERT(versions.count >= 1 && versions.count <= SKUA_VERSIONS_MAX);
        }
        break;
    case SKUA_PACKET_DATA:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    size_t id_len = 8 + (size_t)(data[0] % 9);
    data++;
    size--;
    struct skua_head head;
    enum skua_verdict v = skua_header_peek(data, size, id_len, &head);
    if (v == SKUA_VERDICT_OK || v == SKUA_VERDICT_VERSION) {
        within(head.dcid, head.dcid_len, data, size);
        SKUA_ASSERT(head.body <= size && head.dcid_len <= 16 && head.scid_len <= 16);
    }
    if (v == SKUA_VERDICT_OK) {
        read_body(data, size, &head);
    }
    return 0;
}
