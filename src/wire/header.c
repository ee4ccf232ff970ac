/* Long headers and the bodies that stand in clear (docs/protocol.md, "Packets"; the invariants
 * after RFC 8999). */
#include "wire/header.h"

#include <skua/skua.h>

#include "base/assert.h"

/* Checks of a long header that hold for this version only. */
static enum skua_verdict check_version_1(const struct skua_head *head)
{
    unsigned type = (head->first >> 2) & 0x0fu;
    unsigned allowed = type == SKUA_PACKET_SYN ? SKUA_FLAG_RENDEZVOUS : 0;
    if (type > SKUA_PACKET_REFUSE || (head->first & SKUA_FIRST_FLAGS & ~allowed) != 0 ||
        !skua_id_len_ok(head->dcid_len) || !skua_id_len_ok(head->scid_len)) {
        return SKUA_VERDICT_MALFORMED;
    }
    return SKUA_VERDICT_OK;
}

static const uint8_t *read_id(struct skua_reader *r, uint8_t *len)
{
    *len = skua_reader_u8(r);
    return skua_reader_bytes(r, *len);
}

enum skua_verdict skua_header_peek_long(const uint8_t *data, size_t len, struct skua_head *head)
{
    if (len == 0) {
        return SKUA_VERDICT_RUNT;
    }
    if ((data[0] & SKUA_FIRST_FIXED) == 0) {
        return SKUA_VERDICT_NOT_SKUA;
    }
    if ((data[0] & SKUA_FIRST_LONG) == 0) {
        return SKUA_VERDICT_RUNT; /* DATA of sufficient length never comes here */
    }
    struct skua_reader r = skua_reader_of(data, len);
    *head = (struct skua_head){.first = skua_reader_u8(&r)};
    head->version = skua_reader_u32(&r);
    head->dcid = read_id(&r, &head->dcid_len);
    head->scid = read_id(&r, &head->scid_len);
    if (head->dcid_len > SKUA_LIMIT_ID_MAX || head->scid_len > SKUA_LIMIT_ID_MAX) {
        return SKUA_VERDICT_MALFORMED;
    }
    if (r.failed) {
        return SKUA_VERDICT_RUNT;
    }
    head->body = (uint8_t)(r.at - data);
    if (head->version == 0) {
        head->type = SKUA_PACKET_VERSIONS; /* whatever bits 5..0 are */
        return SKUA_VERDICT_OK;
    }
    if (head->version != SKUA_WIRE_VERSION) {
        return SKUA_VERDICT_VERSION;
    }
    head->type = (enum skua_packet_type)((head->first >> 2) & 0x0fu);
    return check_version_1(head);
}

/* What follows the ids. */
static struct skua_reader body_of(const uint8_t *data, size_t len, const struct skua_head *head)
{
    SKUA_ASSERT(head->body <= len);
    return skua_reader_of(data + head->body, len - head->body);
}

/* The verdict on a body that must have ended here. */
static enum skua_verdict finish(const struct skua_reader *r)
{
    if (r->failed) {
        return SKUA_VERDICT_RUNT;
    }
    return skua_reader_left(r) == 0 ? SKUA_VERDICT_OK : SKUA_VERDICT_MALFORMED;
}

enum skua_verdict skua_syn_read(const uint8_t *data, size_t len, const struct skua_head *head,
                                struct skua_syn *out)
{
    SKUA_ASSERT(head->type == SKUA_PACKET_SYN);
    if (len < SKUA_LIMIT_UDP_MIN) {
        return SKUA_VERDICT_SYN_SHORT;
    }
    struct skua_reader r = body_of(data, len, head);
    *out = (struct skua_syn){.flags = head->first & SKUA_FIRST_FLAGS};
    out->token_len = skua_reader_u16(&r);
    out->token = skua_reader_bytes(&r, out->token_len);
    out->pattern = skua_reader_u8(&r);
    out->message_len = skua_reader_u16(&r);
    out->message = skua_reader_bytes(&r, out->message_len);
    out->ephemeral = out->message;
    if (len > SKUA_LIMIT_SYN_MAX || out->token_len > SKUA_LIMIT_TOKEN_MAX ||
        (!r.failed && out->message_len < SKUA_EPHEMERAL_LEN)) {
        return SKUA_VERDICT_MALFORMED;
    }
    return finish(&r);
}

enum skua_verdict skua_syn_ack_read(const uint8_t *data, size_t len, const struct skua_head *head,
                                    struct skua_syn_ack *out)
{
    SKUA_ASSERT(head->type == SKUA_PACKET_SYN_ACK);
    if (len > SKUA_LIMIT_SYN_ACK_MAX) {
        return SKUA_VERDICT_MALFORMED;
    }
    struct skua_reader r = body_of(data, len, head);
    out->message_len = skua_reader_left(&r);
    out->message = r.at;
    return out->message_len < SKUA_EPHEMERAL_LEN ? SKUA_VERDICT_RUNT : SKUA_VERDICT_OK;
}

enum skua_verdict skua_confirm_read(const uint8_t *data, size_t len, const struct skua_head *head,
                                    struct skua_confirm *out)
{
    SKUA_ASSERT(head->type == SKUA_PACKET_CONFIRM);
    struct skua_reader r = body_of(data, len, head);
    *out = (struct skua_confirm){.message_len = skua_reader_u16(&r)};
    out->message = skua_reader_bytes(&r, out->message_len);
    out->pn_offset = (size_t)(r.at - data);
    out->pn = skua_reader_u32(&r);
    if (r.failed || skua_reader_left(&r) < SKUA_SAMPLE_LEN) {
        return SKUA_VERDICT_RUNT;
    }
    return SKUA_VERDICT_OK;
}

enum skua_verdict skua_retry_read(const uint8_t *data, size_t len, const struct skua_head *head,
                                  struct skua_retry *out)
{
    SKUA_ASSERT(head->type == SKUA_PACKET_RETRY);
    struct skua_reader r = body_of(data, len, head);
    *out = (struct skua_retry){.token_len = skua_reader_u16(&r)};
    out->token = skua_reader_bytes(&r, out->token_len);
    out->tag_offset = (size_t)(r.at - data);
    out->tag = skua_reader_bytes(&r, SKUA_PACKET_TAG_LEN);
    if (!r.failed && (out->token_len == 0 || out->token_len > SKUA_LIMIT_TOKEN_MAX)) {
        return SKUA_VERDICT_MALFORMED;
    }
    return finish(&r);
}

enum skua_verdict skua_refuse_read(const uint8_t *data, size_t len, const struct skua_head *head,
                                   struct skua_refuse *out)
{
    SKUA_ASSERT(head->type == SKUA_PACKET_REFUSE);
    struct skua_reader r = body_of(data, len, head);
    *out = (struct skua_refuse){.code = skua_reader_u16(&r)};
    out->tag_offset = (size_t)(r.at - data);
    out->tag = skua_reader_bytes(&r, SKUA_PACKET_TAG_LEN);
    return finish(&r);
}

enum skua_verdict skua_versions_read(const uint8_t *data, size_t len, const struct skua_head *head,
                                     struct skua_versions *out)
{
    SKUA_ASSERT(head->type == SKUA_PACKET_VERSIONS);
    struct skua_reader r = body_of(data, len, head);
    *out = (struct skua_versions){.count = 0};
    do {
        uint32_t version = skua_reader_u32(&r);
        if (out->count < SKUA_VERSIONS_MAX) {
            out->list[out->count++] = version;
        }
    } while (skua_reader_left(&r) != 0);
    return r.failed ? SKUA_VERDICT_RUNT : SKUA_VERDICT_OK;
}

void skua_long_header_write(struct skua_writer *w, enum skua_packet_type type, uint32_t version,
                            const struct skua_id *dcid, const struct skua_id *scid)
{
    SKUA_ASSERT(type != SKUA_PACKET_DATA);
    skua_writer_u8(w, SKUA_FIRST_BYTE(type));
    skua_writer_u32(w, version);
    skua_writer_u8(w, dcid->len);
    skua_writer_copy(w, dcid->bytes, dcid->len);
    skua_writer_u8(w, scid->len);
    skua_writer_copy(w, scid->bytes, scid->len);
}

void skua_syn_body_write(struct skua_writer *w, uint8_t pattern, size_t message_len)
{
    SKUA_ASSERT(message_len <= UINT16_MAX);
    skua_writer_u16(w, 0); /* no token */
    skua_writer_u8(w, pattern);
    skua_writer_u16(w, (uint16_t)message_len);
}

void skua_confirm_header_write(struct skua_writer *w, const struct skua_id *dcid,
                               const struct skua_id *scid, const uint8_t *message,
                               size_t message_len, uint64_t pn)
{
    SKUA_ASSERT(message_len <= UINT16_MAX);
    skua_long_header_write(w, SKUA_PACKET_CONFIRM, SKUA_WIRE_VERSION, dcid, scid);
    skua_writer_u16(w, (uint16_t)message_len);
    skua_writer_copy(w, message, message_len);
    skua_writer_u32(w, skua_pn_truncate(pn));
}
