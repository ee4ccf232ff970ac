/* Decoding of frames. Every check that needs no connection is made here, so that what comes out is
 * well-formed by itself: the ranges of an ACK descend and do not pass below 0, data and offsets end
 * within 62 bits, stream counts within 2^59 (RFC 9000 §19). */
#include "wire/frame.h"

#include "base/limits.h"
#include "wire/params.h"

/* Length of the run of zero bytes at `at`. */
static size_t zero_run(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *p = at;
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        if (word != 0) {
            break;
        }
        p += sizeof word;
    }
    while (p != end && *p == 0) {
        p++;
    }
    return (size_t)(p - at);
}

/* RFC 9000 §19.3.1: the first range, then pairs of gap and length, downwards. False where they pass
 * below packet number 0 or are cut off. */
static bool check_ranges(struct skua_reader *r, uint64_t largest, uint64_t extra)
{
    uint64_t len = skua_reader_varint(r);
    if (len > largest) {
        return false;
    }
    uint64_t smallest = largest - len;
    for (uint64_t i = 0; i < extra; i++) {
        uint64_t gap = skua_reader_varint(r);
        len = skua_reader_varint(r);
        if (r->failed || smallest < gap + 2 || smallest - gap - 2 < len) {
            return false;
        }
        smallest -= gap + 2 + len;
    }
    return !r->failed;
}

static bool read_ack(struct skua_reader *r, struct skua_ack_frame *ack, bool ecn)
{
    *ack = (struct skua_ack_frame){.largest = skua_reader_varint(r)};
    ack->delay = skua_reader_varint(r);
    uint64_t extra = skua_reader_varint(r);
    if (extra >= SKUA_LIMIT_ACK_RANGES_READ) {
        return false;
    }
    ack->ranges = r->at;
    if (!check_ranges(r, ack->largest, extra)) {
        return false;
    }
    ack->ranges_len = (uint16_t)(r->at - ack->ranges);
    ack->range_count = (uint16_t)(extra + 1);
    for (size_t i = 0; ecn && i < 3; i++) {
        ack->ecn[i] = skua_reader_varint(r);
    }
    return true;
}

static bool read_stream(struct skua_reader *r, struct skua_stream_frame *s, unsigned bits)
{
    s->id = skua_reader_varint(r);
    s->offset = (bits & SKUA_STREAM_BIT_OFF) != 0 ? skua_reader_varint(r) : 0;
    uint64_t len = (bits & SKUA_STREAM_BIT_LEN) != 0 ? skua_reader_varint(r) : skua_reader_left(r);
    if (len > skua_reader_left(r) || s->offset > SKUA_VARINT_MAX - len) {
        return false;
    }
    s->len = (size_t)len;
    s->data = skua_reader_bytes(r, s->len);
    s->fin = (bits & SKUA_STREAM_BIT_FIN) != 0;
    return true;
}

/* RFC 9221 §4. */
static bool read_datagram(struct skua_reader *r, struct skua_frame *f, unsigned bits)
{
    f->datagram.last = (bits & SKUA_DATAGRAM_BIT_LEN) == 0;
    uint64_t len = f->datagram.last ? skua_reader_left(r) : skua_reader_varint(r);
    if (len > skua_reader_left(r)) {
        return false;
    }
    f->datagram.len = (size_t)len;
    f->datagram.data = skua_reader_bytes(r, f->datagram.len);
    return true;
}

static bool read_count(struct skua_reader *r, uint64_t *count)
{
    *count = skua_reader_varint(r);
    return *count <= SKUA_STREAM_COUNT_MAX;
}

static bool read_rst(struct skua_reader *r, struct skua_frame *f)
{
    f->rst.application = skua_reader_u8(r);
    f->rst.code = skua_reader_varint(r);
    f->rst.frame_type = skua_reader_varint(r);
    uint64_t len = skua_reader_varint(r);
    if (f->rst.application > 1 || len > SKUA_LIMIT_REASON_MAX) {
        return false;
    }
    f->rst.reason_len = (size_t)len;
    f->rst.reason = skua_reader_bytes(r, f->rst.reason_len);
    return true;
}

/* RFC 9000 §19.15. Sequence numbers beyond 32 bits are given up: no connection comes that far. */
static bool read_new_id(struct skua_reader *r, struct skua_frame *f)
{
    f->new_id.sequence = skua_reader_varint(r);
    f->new_id.retire_prior = skua_reader_varint(r);
    size_t len = skua_reader_u8(r);
    if (f->new_id.sequence > UINT32_MAX || f->new_id.retire_prior > f->new_id.sequence ||
        !skua_id_len_ok(len) || len > skua_reader_left(r)) {
        return false;
    }
    f->new_id.id = skua_id_of(skua_reader_bytes(r, len), len);
    f->new_id.token = skua_reader_bytes(r, SKUA_FRAME_TOKEN_LEN);
    return true;
}

/* RFC 9000 §19.7. */
static bool read_new_token(struct skua_reader *r, struct skua_frame *f)
{
    uint64_t len = skua_reader_varint(r);
    if (len == 0 || len > SKUA_LIMIT_TOKEN_MAX) {
        return false;
    }
    f->new_token.len = (size_t)len;
    f->new_token.data = skua_reader_bytes(r, f->new_token.len);
    return true;
}

/* The fields of `f->type`; false where they are wrong (cut off shows in the reader). */
static bool read_fields(struct skua_reader *r, struct skua_frame *f)
{
    switch ((enum skua_frame_type)f->type) {
    case SKUA_FRAME_PADDING:
        f->padding = 1 + zero_run(r->at, r->end);
        r->at += f->padding - 1;
        return true;
    case SKUA_FRAME_PING:
    case SKUA_FRAME_FIN_ACK:
        return true;
    case SKUA_FRAME_ACK:
    case SKUA_FRAME_ACK_ECN:
        return read_ack(r, &f->ack, f->type == SKUA_FRAME_ACK_ECN);
    case SKUA_FRAME_RESET_STREAM:
        f->reset_stream.id = skua_reader_varint(r);
        f->reset_stream.code = skua_reader_varint(r);
        f->reset_stream.final_size = skua_reader_varint(r);
        return true;
    case SKUA_FRAME_STOP_SENDING:
        f->stop_sending.id = skua_reader_varint(r);
        f->stop_sending.code = skua_reader_varint(r);
        return true;
    case SKUA_FRAME_CONSUMED:
    case SKUA_FRAME_CONFIRM_READ:
        f->stream_end.id = skua_reader_varint(r);
        f->stream_end.offset = skua_reader_varint(r);
        return true;
    case SKUA_FRAME_NEW_TOKEN:
        return read_new_token(r, f);
    case SKUA_FRAME_ACK_FREQUENCY:
        f->ack_frequency.sequence = skua_reader_varint(r);
        f->ack_frequency.packets = skua_reader_varint(r);
        return r->failed || f->ack_frequency.packets != 0;
    case SKUA_FRAME_MAX_DATA:
    case SKUA_FRAME_DATA_BLOCKED:
        f->max = skua_reader_varint(r);
        return true;
    case SKUA_FRAME_MAX_STREAMS_BIDI:
    case SKUA_FRAME_MAX_STREAMS_UNI:
    case SKUA_FRAME_STREAMS_BLOCKED_BIDI:
    case SKUA_FRAME_STREAMS_BLOCKED_UNI:
        return read_count(r, &f->max);
    case SKUA_FRAME_MAX_STREAM_DATA:
    case SKUA_FRAME_STREAM_DATA_BLOCKED:
        f->stream_max.id = skua_reader_varint(r);
        f->stream_max.max = skua_reader_varint(r);
        return true;
    case SKUA_FRAME_NEW_CONNECTION_ID:
        return read_new_id(r, f);
    case SKUA_FRAME_RETIRE_CONNECTION_ID:
        f->retire_id = skua_reader_varint(r);
        return true;
    case SKUA_FRAME_PATH_CHALLENGE:
    case SKUA_FRAME_PATH_RESPONSE:
        f->path = skua_reader_u64(r);
        return true;
    case SKUA_FRAME_FIN:
        f->fin.total = 0;
        if (!read_count(r, &f->fin.bidi) || !read_count(r, &f->fin.uni)) {
            return false;
        }
        f->fin.total = skua_reader_varint(r);
        return true;
    case SKUA_FRAME_RST:
        return read_rst(r, f);
    case SKUA_FRAME_DATAGRAM: /* skua_frame_read takes all their types aside */
    case SKUA_FRAME_STREAM:
        break;
    }
    return false; /* not a frame of this version */
}

enum skua_code skua_frame_read(struct skua_reader *r, struct skua_frame *f)
{
    /* RFC 9000 §12.4: the type must be in its shortest form. */
    uint64_t type = skua_reader_varint_minimal(r);
    f->type = type <= UINT16_MAX ? (uint16_t)type : 0;
    bool ok;
    if ((type & ~UINT64_C(7)) == SKUA_FRAME_STREAM) {
        f->type = SKUA_FRAME_STREAM;
        ok = read_stream(r, &f->stream, (unsigned)type & 7u);
    } else if ((type & ~UINT64_C(1)) == SKUA_FRAME_DATAGRAM) {
        f->type = SKUA_FRAME_DATAGRAM;
        ok = read_datagram(r, f, (unsigned)type & 1u);
    } else {
        ok = type <= UINT16_MAX && !r->failed && read_fields(r, f);
    }
    return ok && !r->failed ? SKUA_CODE_NO_ERROR : SKUA_CODE_FRAME_ENCODING;
}
