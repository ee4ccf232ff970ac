/* RETRY, REFUSE and VERSIONS: all echo the SYN's ids crosswise, so that the client finds its
 * attempt. */
#include "handshake/refuse.h"

static const char RETRY_LABEL[] = "skua retry";
static const char REFUSE_LABEL[] = "skua refuse";
static const char CANCEL_LABEL[] = "skua cancel";

static void write_echo(struct skua_writer *w, enum skua_packet_type type, uint32_t version,
                       const struct skua_head *head)
{
    struct skua_id dcid = skua_id_of(head->scid, head->scid_len);
    struct skua_id scid = skua_id_of(head->dcid, head->dcid_len);
    skua_long_header_write(w, type, version, &dcid, &scid);
}

void skua_answer_tag(uint8_t out[SKUA_TAG_LEN], enum skua_packet_type type, const uint8_t *packet,
                     size_t len, const struct skua_head *head, const uint8_t *ephemeral)
{
    uint8_t input[SKUA_RETRY_CAP + SKUA_LONG_HEADER_MAX + SKUA_EPHEMERAL_LEN];
    struct skua_writer w = skua_writer_of(input, sizeof input);
    skua_writer_copy(&w, packet, len);
    skua_writer_u8(&w, head->first);
    skua_writer_u32(&w, head->version);
    skua_writer_u8(&w, head->dcid_len);
    skua_writer_copy(&w, head->dcid, head->dcid_len);
    skua_writer_u8(&w, head->scid_len);
    skua_writer_copy(&w, head->scid, head->scid_len);
    skua_writer_copy(&w, ephemeral, SKUA_EPHEMERAL_LEN);
    SKUA_ASSERT(!w.failed);
    skua_tag(out, type == SKUA_PACKET_RETRY ? RETRY_LABEL : REFUSE_LABEL, input,
             skua_writer_len(&w));
}

/* Puts the tag behind what `p` holds, and all of it into `w`. */
static void finish(struct skua_writer *w, struct skua_writer *p, enum skua_packet_type type,
                   const struct skua_head *head, const struct skua_syn *syn)
{
    uint8_t tag[SKUA_TAG_LEN];
    skua_answer_tag(tag, type, p->begin, skua_writer_len(p), head, syn->ephemeral);
    skua_writer_copy(p, tag, sizeof tag);
    SKUA_ASSERT(!p->failed);
    skua_writer_copy(w, p->begin, skua_writer_len(p));
}

void skua_refuse_write(struct skua_writer *w, const struct skua_head *head,
                       const struct skua_syn *syn, enum skua_code code)
{
    uint8_t packet[SKUA_REFUSE_CAP];
    struct skua_writer p = skua_writer_of(packet, sizeof packet);
    write_echo(&p, SKUA_PACKET_REFUSE, SKUA_WIRE_VERSION, head);
    skua_writer_u16(&p, (uint16_t)code);
    finish(w, &p, SKUA_PACKET_REFUSE, head, syn);
}

void skua_retry_write(struct skua_writer *w, const struct skua_head *head,
                      const struct skua_syn *syn, const uint8_t *token, size_t len)
{
    SKUA_ASSERT(len > 0 && len <= SKUA_LIMIT_TOKEN_MAX);
    uint8_t packet[SKUA_RETRY_CAP];
    struct skua_writer p = skua_writer_of(packet, sizeof packet);
    write_echo(&p, SKUA_PACKET_RETRY, SKUA_WIRE_VERSION, head);
    skua_writer_u16(&p, (uint16_t)len);
    skua_writer_copy(&p, token, len);
    finish(w, &p, SKUA_PACKET_RETRY, head, syn);
}

void skua_syn_digest(uint8_t out[SKUA_TAG_LEN], const struct skua_head *head,
                     const struct skua_syn *syn)
{
    uint8_t input[2 * (1 + SKUA_LIMIT_ID_MAX) + 2 + SKUA_LIMIT_SYN_MAX];
    struct skua_writer w = skua_writer_of(input, sizeof input);
    skua_writer_u8(&w, head->dcid_len);
    skua_writer_copy(&w, head->dcid, head->dcid_len);
    skua_writer_u8(&w, head->scid_len);
    skua_writer_copy(&w, head->scid, head->scid_len);
    skua_writer_u8(&w, syn->flags);
    skua_writer_u8(&w, syn->pattern);
    skua_writer_copy(&w, syn->message, syn->message_len);
    SKUA_ASSERT(!w.failed);
    skua_tag(out, CANCEL_LABEL, input, skua_writer_len(&w));
}

void skua_cancel_write(struct skua_writer *w, const struct skua_head *head,
                       const struct skua_syn *syn)
{
    const struct skua_id dcid = skua_id_of(head->dcid, head->dcid_len);
    const struct skua_id scid = skua_id_of(head->scid, head->scid_len);
    uint8_t digest[SKUA_TAG_LEN];
    skua_syn_digest(digest, head, syn);
    skua_long_header_write(w, SKUA_PACKET_REFUSE, SKUA_WIRE_VERSION, &dcid, &scid);
    skua_writer_u16(w, SKUA_CODE_NO_ERROR);
    skua_writer_copy(w, digest, sizeof digest);
}

void skua_versions_write(struct skua_writer *w, const struct skua_head *head)
{
    write_echo(w, SKUA_PACKET_VERSIONS, 0, head);
    skua_writer_u32(w, SKUA_WIRE_VERSION);
}
