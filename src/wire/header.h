/* Packet headers (docs/protocol.md, "Packets"): the invariant part, then each type's own fields.
 *
 * Reading happens in two steps. skua_header_peek looks at what holds for every version (form bit,
 * bit 6, version, length-prefixed ids), which is enough to find the connection, and for this
 * version also at type, flags and the ids' lengths. The readers below then take one type of packet
 * apart. All pointers point into the datagram, nothing is copied, and every failure is a verdict:
 * no input is an error of ours.
 *
 * Writers fill a struct skua_writer and report lack of room by its sticky failure. Sealing, opening
 * and masking belong to packet/. */
#ifndef SKUA_WIRE_HEADER_H
#define SKUA_WIRE_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/verdict.h"
#include "wire/id.h"
#include "wire/pn.h"

/* Packet types. The long header's are the codes of bits 5..2; DATA has none. */
enum skua_packet_type {
    SKUA_PACKET_SYN = 0,
    SKUA_PACKET_SYN_ACK = 1,
    SKUA_PACKET_CONFIRM = 2,
    SKUA_PACKET_RETRY = 3,
    SKUA_PACKET_REFUSE = 4,
    SKUA_PACKET_VERSIONS = 5,
    SKUA_PACKET_DATA = 16
};

enum {
    SKUA_FIRST_LONG = 0x80,      /* bit 7: long header */
    SKUA_FIRST_FIXED = 0x40,     /* bit 6: always 1 (RFC 9443) */
    SKUA_FIRST_FLAGS = 0x03,     /* long header, bits 1..0: 0 but for the next */
    SKUA_FLAG_RENDEZVOUS = 0x01, /* SYN: its sender waits for one of ours in the same way */
    SKUA_FIRST_RESERVED = 0x38,  /* DATA, bits 5..3: 0, checked after opening */
    SKUA_FIRST_PHASE = 0x04,     /* DATA, bit 2: key phase */
    SKUA_FIRST_MASKED = 0x1f     /* DATA, the bits that the header mask covers */
};

/* First byte of a long header. */
#define SKUA_FIRST_BYTE(type) ((uint8_t)(0xc0u | (unsigned)(type) << 2))

enum {
    SKUA_VERSIONS_MAX = 16,   /* versions read from a VERSIONS packet or a SYN; further ones are
                                 passed over */
    SKUA_DATA_LEN_MIN = 40,   /* shorter DATA packets are padded to this */
    SKUA_SAMPLE_LEN = 16,     /* ciphertext under the header mask's PRF */
    SKUA_PACKET_TAG_LEN = 16, /* tag of RETRY and REFUSE */
    SKUA_EPHEMERAL_LEN = 32,  /* `e`, the first bytes of every Noise message 1 and 2 */
    SKUA_SYN_BODY_LEN = 2 + 1 + 2, /* between ids and message 1 of a SYN without token */
    SKUA_LONG_HEADER_MAX = 1 + 4 + 2 * (1 + SKUA_LIMIT_ID_MAX) /* first byte to scid */
};

/* The invariant part of a datagram. */
struct skua_head {
    enum skua_packet_type type; /* meaning only where peek says OK */
    uint32_t version;           /* long header; 0 in VERSIONS and DATA */
    const uint8_t *dcid;        /* destination id, in the datagram */
    const uint8_t *scid;        /* source id; NULL in DATA */
    uint8_t first;              /* first byte; still masked in DATA */
    uint8_t dcid_len;           /* 0 to 16; in DATA the receiver's own length */
    uint8_t scid_len;           /* 0 to 16 */
    uint8_t body;               /* offset of what follows the ids */
};

/* Cold half of skua_header_peek: everything but a DATA packet of sufficient length. */
enum skua_verdict skua_header_peek_long(const uint8_t *data, size_t len, struct skua_head *head);

/* Looks at a datagram of `len` bytes; `id_len` is the length of this endpoint's own ids (8 to 16).
 * OK; VERSION for an unknown version (ids are then valid, to answer with VERSIONS); RUNT, NOT_SKUA
 * or MALFORMED. */
static inline enum skua_verdict skua_header_peek(const uint8_t *data, size_t len, size_t id_len,
                                                 struct skua_head *head)
{
    if (len >= 1 + id_len + SKUA_PN_LEN + SKUA_SAMPLE_LEN &&
        (data[0] & (SKUA_FIRST_LONG | SKUA_FIRST_FIXED)) == SKUA_FIRST_FIXED) {
        *head = (struct skua_head){.type = SKUA_PACKET_DATA,
                                   .dcid = data + 1,
                                   .first = data[0],
                                   .dcid_len = (uint8_t)id_len,
                                   .body = (uint8_t)(1 + id_len)};
        return SKUA_VERDICT_OK;
    }
    return skua_header_peek_long(data, len, head);
}

/* SYN. */
struct skua_syn {
    const uint8_t *token;     /* address token; empty in a first SYN */
    const uint8_t *message;   /* Noise message 1 */
    const uint8_t *ephemeral; /* `e`: the first 32 bytes of it */
    uint16_t token_len;
    uint16_t message_len;
    uint8_t pattern; /* as on the wire; may be unknown */
    uint8_t flags;   /* bits 1..0 of the first byte: 0 or SKUA_FLAG_RENDEZVOUS */
};

/* SYN_ACK. */
struct skua_syn_ack {
    const uint8_t *message; /* Noise message 2, to the end of the datagram */
    size_t message_len;
};

/* CONFIRM. */
struct skua_confirm {
    const uint8_t *message; /* Noise message 3 */
    uint16_t message_len;
    uint32_t pn;      /* truncated packet number */
    size_t pn_offset; /* where it stands; the sealed frames begin SKUA_PN_LEN later */
};

/* RETRY. */
struct skua_retry {
    const uint8_t *token; /* to be brought back in the SYN; not empty */
    uint16_t token_len;   /* at most SKUA_LIMIT_TOKEN_MAX */
    const uint8_t *tag;   /* SKUA_PACKET_TAG_LEN bytes, over everything before it */
    size_t tag_offset;    /* where it stands */
};

/* REFUSE. */
struct skua_refuse {
    uint16_t code;      /* enum skua_code */
    const uint8_t *tag; /* SKUA_PACKET_TAG_LEN bytes, over everything before it */
    size_t tag_offset;  /* where it stands */
};

/* VERSIONS. */
struct skua_versions {
    uint32_t list[SKUA_VERSIONS_MAX]; /* in the sender's order of preference */
    size_t count;                     /* entries in use */
};

/* The readers expect the `head` that skua_header_peek made of the same datagram, of their own type.
 * OK, or SYN_SHORT, RUNT (cut off) or MALFORMED. */
enum skua_verdict skua_syn_read(const uint8_t *data, size_t len, const struct skua_head *head,
                                struct skua_syn *out);
enum skua_verdict skua_syn_ack_read(const uint8_t *data, size_t len, const struct skua_head *head,
                                    struct skua_syn_ack *out);
enum skua_verdict skua_confirm_read(const uint8_t *data, size_t len, const struct skua_head *head,
                                    struct skua_confirm *out);
enum skua_verdict skua_retry_read(const uint8_t *data, size_t len, const struct skua_head *head,
                                  struct skua_retry *out);
enum skua_verdict skua_refuse_read(const uint8_t *data, size_t len, const struct skua_head *head,
                                   struct skua_refuse *out);
enum skua_verdict skua_versions_read(const uint8_t *data, size_t len, const struct skua_head *head,
                                     struct skua_versions *out);

/* The long header up to and with the ids. */
void skua_long_header_write(struct skua_writer *w, enum skua_packet_type type, uint32_t version,
                            const struct skua_id *dcid, const struct skua_id *scid);

/* What follows the ids of a SYN: an empty token, the pattern and the length of message 1, which the
 * caller writes next. */
void skua_syn_body_write(struct skua_writer *w, uint8_t pattern, size_t message_len);

/* A CONFIRM up to and with its packet number; the caller seals the frames behind it. */
void skua_confirm_header_write(struct skua_writer *w, const struct skua_id *dcid,
                               const struct skua_id *scid, const uint8_t *message,
                               size_t message_len, uint64_t pn);

/* Bytes that skua_confirm_header_write writes. */
static inline size_t skua_confirm_header_len(const struct skua_id *dcid, const struct skua_id *scid,
                                             size_t message_len)
{
    return 1u + 4u + 1u + dcid->len + 1u + scid->len + 2u + message_len + SKUA_PN_LEN;
}

/* Bytes of a DATA header for ids of `dcid_len` bytes. */
static inline size_t skua_data_header_len(size_t dcid_len)
{
    return 1 + dcid_len + SKUA_PN_LEN;
}

/* The header of a DATA packet, not yet masked. `phase` is 0 or 1. */
static inline void skua_data_header_write(struct skua_writer *w, const struct skua_id *dcid,
                                          uint64_t pn, unsigned phase)
{
    skua_writer_u8(w, (uint8_t)(SKUA_FIRST_FIXED | (phase != 0 ? SKUA_FIRST_PHASE : 0)));
    skua_writer_copy(w, dcid->bytes, dcid->len);
    skua_writer_u32(w, skua_pn_truncate(pn));
}

/* The four bytes of packet number behind a DATA packet's id, as they stand (masked or not). */
static inline uint32_t skua_data_pn_read(const uint8_t *data, size_t id_len)
{
    const uint8_t *p = data + 1 + id_len;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

#endif
