/* Frames: what the sealed part of a packet consists of (docs/protocol.md, "Frames").
 *
 * skua_frame_read takes one frame at a time off a reader and checks everything that can be checked
 * without knowing the connection: lengths, ranges of values, order of ACK ranges. Data, reasons and
 * ACK ranges stay where they are in the packet. What a frame may do in which packet and state is
 * the table frames.def, asked through skua_frame_info. */
#ifndef SKUA_WIRE_FRAME_H
#define SKUA_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/cursor.h"
#include "base/record.h"
#include "wire/id.h"
#include "wire/varint.h"

enum skua_frame_type {
#define SKUA_FRAME(name, type, eliciting, confirm, after_fin, states, text)                        \
    SKUA_FRAME_##name = (type),
#include "wire/frames.def"
#undef SKUA_FRAME
};

/* Low bits of a STREAM frame's type (RFC 9000 §19.8). */
enum { SKUA_STREAM_BIT_FIN = 1, SKUA_STREAM_BIT_LEN = 2, SKUA_STREAM_BIT_OFF = 4 };

/* Low bit of a DATAGRAM frame's type (RFC 9221 §4): a length is present. */
enum { SKUA_DATAGRAM_BIT_LEN = 1 };
/* Bytes of the stateless reset token in NEW_CONNECTION_ID (RFC 9000 §10.3). */
enum { SKUA_FRAME_TOKEN_LEN = 16 };

/* What a sender that has sent FIN may still do with a frame. */
enum skua_frame_after_fin {
    SKUA_AFTER_FIN_YES,
    SKUA_AFTER_FIN_REPEAT, /* only what was sent before, again */
    SKUA_AFTER_FIN_NO
};

/* In which states a frame has an effect at its receiver. */
enum skua_frame_states {
    SKUA_FRAME_STATES_ANY,        /* every synchronized state */
    SKUA_FRAME_STATES_PEER_SENDS, /* until the peer's FIN is complete */
    SKUA_FRAME_STATES_SELF_SENDS  /* until the own FIN is acknowledged */
};

/* One line of frames.def. */
struct skua_frame_info {
    const char *name; /* as "MAX_DATA" */
    bool eliciting;   /* asks for an acknowledgement */
    bool in_confirm;  /* may stand in a CONFIRM packet */
    enum skua_frame_after_fin after_fin;
    enum skua_frame_states states;
};

/* The line of `type` (0x08 for all STREAM types, 0x30 for both of DATAGRAM), or NULL for a type
 * that this version does not know. */
const struct skua_frame_info *skua_frame_info(uint64_t type);

/* ACK and ACK_ECN. The ranges stay in the packet, encoded and already validated. */
struct skua_ack_frame {
    uint64_t largest;      /* largest packet number acknowledged */
    uint64_t delay;        /* as on the wire: microseconds >> the sender's ack_delay_exponent */
    uint64_t ecn[3];       /* ACK_ECN: ECT(0), ECT(1), CE counts; else 0 */
    const uint8_t *ranges; /* first range and gap/length pairs (RFC 9000 §19.3.1) */
    uint16_t ranges_len;   /* bytes of them */
    uint16_t range_count;  /* ranges, the first included: 1 to SKUA_LIMIT_ACK_RANGES_READ */
};

struct skua_stream_frame {
    uint64_t id;
    uint64_t offset;     /* of the first byte */
    const uint8_t *data; /* in the packet */
    size_t len;          /* bytes of data; offset + len is at most SKUA_VARINT_MAX */
    bool fin;            /* the stream ends behind the data */
};

/* One decoded frame. `type` is an enum skua_frame_type: for every STREAM frame
 * SKUA_FRAME_STREAM, for every DATAGRAM frame SKUA_FRAME_DATAGRAM. */
struct skua_frame {
    uint16_t type;
    union {
        size_t padding; /* PADDING: length of the run */
        struct skua_ack_frame ack;
        struct skua_stream_frame stream;
        struct {
            const uint8_t *data; /* in the packet */
            size_t len;          /* bytes of data, may be 0 */
            bool last;           /* it had no length: the data end with the packet */
        } datagram;
        struct {
            uint64_t id;
            uint64_t code;
            uint64_t final_size;
        } reset_stream;
        struct {
            uint64_t id;
            uint64_t code;
        } stop_sending;
        struct {
            uint64_t id;
            uint64_t offset; /* CONSUMED: bytes read; CONFIRM_READ: the final size */
        } stream_end;        /* CONSUMED, CONFIRM_READ */
        struct {
            const uint8_t *data; /* in the packet */
            size_t len;          /* 1 to SKUA_LIMIT_TOKEN_MAX */
        } new_token;
        struct {
            uint64_t sequence; /* only the largest seen counts */
            uint64_t packets;  /* ack-eliciting packets per acknowledgement, at least 1 */
        } ack_frequency;
        uint64_t max; /* MAX_DATA, MAX_STREAMS_*; DATA_BLOCKED, STREAMS_BLOCKED_*: the limit met */
        struct {
            uint64_t id;
            uint64_t max;
        } stream_max; /* MAX_STREAM_DATA, STREAM_DATA_BLOCKED */
        struct {
            uint64_t sequence;     /* which of the sender's ids: below 2^32 */
            uint64_t retire_prior; /* the receiver is to give up all before this one */
            struct skua_id id;
            const uint8_t *token; /* SKUA_FRAME_TOKEN_LEN bytes, in the packet */
        } new_id;
        uint64_t retire_id; /* RETIRE_CONNECTION_ID: sequence of the receiver's id */
        uint64_t path;      /* PATH_CHALLENGE, PATH_RESPONSE: what the challenger chose */
        struct {
            uint64_t bidi;  /* bidirectional streams that the sender opened */
            uint64_t uni;   /* unidirectional ones */
            uint64_t total; /* sum of the final sizes of all its sending sides */
        } fin;
        struct {
            uint64_t code;         /* enum skua_code, or the application's */
            uint64_t frame_type;   /* the frame that offended, 0 = none */
            const uint8_t *reason; /* in the packet, not terminated */
            size_t reason_len;     /* at most SKUA_LIMIT_REASON_MAX */
            uint8_t application;   /* 1: code of the application; 0: of the transport */
        } rst;
    };
};

/* Takes the next frame off `r`, which must not be empty. SKUA_CODE_NO_ERROR, or
 * SKUA_CODE_FRAME_ENCODING; then only `type` is meaningful (the type read, 0 where even that
 * failed) and the rest of the packet is lost. */
enum skua_code skua_frame_read(struct skua_reader *r, struct skua_frame *frame);

/* Writes any frame, a STREAM frame with its length and data, a DATAGRAM frame with its data and,
 * unless it is the `last`, its length, an ACK with the ranges that it points to. Values must be
 * encodable. Lack of room: the writer fails. */
void skua_frame_write(struct skua_writer *w, const struct skua_frame *frame);

/* Bytes that skua_frame_write writes. */
size_t skua_frame_len(const struct skua_frame *frame);

/* --- STREAM, the hot path */

/* Bytes of a STREAM frame's header; `last`: without length field, the data fill the packet. */
static inline size_t skua_stream_frame_header_len(uint64_t id, uint64_t offset, size_t len,
                                                  bool last)
{
    return 1 + skua_varint_len(id) + (offset == 0 ? 0 : skua_varint_len(offset)) +
           (last ? 0 : skua_varint_len(len));
}

/* Writes a STREAM frame's header; the caller puts `len` bytes of data behind it. `last`: the data
 * end with the packet, so no length is written and nothing may follow. */
static inline void skua_stream_frame_header_write(struct skua_writer *w,
                                                  const struct skua_stream_frame *frame, bool last)
{
    unsigned type = SKUA_FRAME_STREAM | (frame->offset != 0 ? SKUA_STREAM_BIT_OFF : 0u) |
                    (last ? 0u : SKUA_STREAM_BIT_LEN) | (frame->fin ? SKUA_STREAM_BIT_FIN : 0u);
    skua_writer_u8(w, (uint8_t)type);
    skua_writer_varint(w, frame->id);
    if (frame->offset != 0) {
        skua_writer_varint(w, frame->offset);
    }
    if (!last) {
        skua_writer_varint(w, frame->len);
    }
}

/* How many of `available` bytes a STREAM frame with its header can carry in `room` bytes of packet.
 * `*last` says whether it has to go without a length field: then header and data fill `room`
 * exactly. False where not even the header fits, or, with bytes available, not one of them. */
bool skua_stream_frame_fit(size_t room, uint64_t id, uint64_t offset, size_t available, size_t *len,
                           bool *last);

/* --- ACK */

/* Writes an ACK frame (ACK_ECN where `ecn` is not NULL) of the first of `n` (>= 1) descending,
 * disjoint, not adjacent ranges, as many as there is room for and at most
 * SKUA_LIMIT_ACK_RANGES_SENT. Returns how many; 0: no room for even one, nothing was written. */
size_t skua_ack_frame_write(struct skua_writer *w, const struct skua_range *ranges, size_t n,
                            uint64_t delay, const uint64_t ecn[3]);

/* A walk over the ranges of a decoded ACK frame, from the largest down. */
struct skua_ack_iter {
    struct skua_reader reader; /* what is left of the encoded ranges */
    uint64_t next_last;        /* first: largest acknowledged; then smallest of the last range */
    uint16_t left;             /* ranges not yet yielded */
    bool started;
};

void skua_ack_iter_init(struct skua_ack_iter *iter, const struct skua_ack_frame *ack);

/* The next range, or false behind the last one. */
bool skua_ack_iter_next(struct skua_ack_iter *iter, struct skua_range *range);

/* All ranges, descending, into `out` of `cap` entries; returns how many were stored. */
size_t skua_ack_frame_ranges(const struct skua_ack_frame *ack, struct skua_range *out, size_t cap);

#endif
