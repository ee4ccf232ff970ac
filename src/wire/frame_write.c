/* Encoding of frames, and how long the result is. Every varint is written in its shortest form. */
#include "wire/frame.h"

#include "base/assert.h"
#include "base/limits.h"

static void write_ack(struct skua_writer *w, const struct skua_frame *f)
{
    const struct skua_ack_frame *ack = &f->ack;
    SKUA_ASSERT(ack->range_count >= 1);
    skua_writer_varint(w, ack->largest);
    skua_writer_varint(w, ack->delay);
    skua_writer_varint(w, ack->range_count - 1u);
    skua_writer_copy(w, ack->ranges, ack->ranges_len);
    for (size_t i = 0; f->type == SKUA_FRAME_ACK_ECN && i < 3; i++) {
        skua_writer_varint(w, ack->ecn[i]);
    }
}

static void write_rst(struct skua_writer *w, const struct skua_frame *f)
{
    SKUA_ASSERT(f->rst.reason_len <= SKUA_LIMIT_REASON_MAX && f->rst.application <= 1);
    skua_writer_u8(w, f->rst.application);
    skua_writer_varint(w, f->rst.code);
    skua_writer_varint(w, f->rst.frame_type);
    skua_writer_varint(w, f->rst.reason_len);
    skua_writer_copy(w, f->rst.reason, f->rst.reason_len);
}

static void write_datagram(struct skua_writer *w, const struct skua_frame *f)
{
    skua_writer_varint(w, SKUA_FRAME_DATAGRAM | (f->datagram.last ? 0u : SKUA_DATAGRAM_BIT_LEN));
    if (!f->datagram.last) {
        skua_writer_varint(w, f->datagram.len);
    }
    skua_writer_copy(w, f->datagram.data, f->datagram.len);
}

static void write_new_id(struct skua_writer *w, const struct skua_frame *f)
{
    SKUA_ASSERT(f->new_id.retire_prior <= f->new_id.sequence);
    skua_writer_varint(w, f->new_id.sequence);
    skua_writer_varint(w, f->new_id.retire_prior);
    skua_writer_u8(w, f->new_id.id.len);
    skua_writer_copy(w, f->new_id.id.bytes, f->new_id.id.len);
    skua_writer_copy(w, f->new_id.token, SKUA_FRAME_TOKEN_LEN);
}

/* The fields behind the type of every frame but STREAM and DATAGRAM. */
static void write_fields(struct skua_writer *w, const struct skua_frame *f)
{
    switch ((enum skua_frame_type)f->type) {
    case SKUA_FRAME_PADDING:
        SKUA_ASSERT(f->padding >= 1);
        skua_writer_zero(w, f->padding - 1);
        return;
    case SKUA_FRAME_PING:
    case SKUA_FRAME_FIN_ACK:
        return;
    case SKUA_FRAME_ACK:
    case SKUA_FRAME_ACK_ECN:
        write_ack(w, f);
        return;
    case SKUA_FRAME_RESET_STREAM:
        skua_writer_varint(w, f->reset_stream.id);
        skua_writer_varint(w, f->reset_stream.code);
        skua_writer_varint(w, f->reset_stream.final_size);
        return;
    case SKUA_FRAME_STOP_SENDING:
        skua_writer_varint(w, f->stop_sending.id);
        skua_writer_varint(w, f->stop_sending.code);
        return;
    case SKUA_FRAME_CONSUMED:
    case SKUA_FRAME_CONFIRM_READ:
        skua_writer_varint(w, f->stream_end.id);
        skua_writer_varint(w, f->stream_end.offset);
        return;
    case SKUA_FRAME_NEW_TOKEN:
        skua_writer_varint(w, f->new_token.len);
        skua_writer_copy(w, f->new_token.data, f->new_token.len);
        return;
    case SKUA_FRAME_ACK_FREQUENCY:
        skua_writer_varint(w, f->ack_frequency.sequence);
        skua_writer_varint(w, f->ack_frequency.packets);
        return;
    case SKUA_FRAME_MAX_DATA:
    case SKUA_FRAME_DATA_BLOCKED:
    case SKUA_FRAME_MAX_STREAMS_BIDI:
    case SKUA_FRAME_MAX_STREAMS_UNI:
    case SKUA_FRAME_STREAMS_BLOCKED_BIDI:
    case SKUA_FRAME_STREAMS_BLOCKED_UNI:
        skua_writer_varint(w, f->max);
        return;
    case SKUA_FRAME_MAX_STREAM_DATA:
    case SKUA_FRAME_STREAM_DATA_BLOCKED:
        skua_writer_varint(w, f->stream_max.id);
        skua_writer_varint(w, f->stream_max.max);
        return;
    case SKUA_FRAME_NEW_CONNECTION_ID:
        write_new_id(w, f);
        return;
    case SKUA_FRAME_RETIRE_CONNECTION_ID:
        skua_writer_varint(w, f->retire_id);
        return;
    case SKUA_FRAME_PATH_CHALLENGE:
    case SKUA_FRAME_PATH_RESPONSE:
        skua_writer_u64(w, f->path);
        return;
    case SKUA_FRAME_FIN:
        skua_writer_varint(w, f->fin.bidi);
        skua_writer_varint(w, f->fin.uni);
        skua_writer_varint(w, f->fin.total);
        return;
    case SKUA_FRAME_RST:
        write_rst(w, f);
        return;
    case SKUA_FRAME_STREAM:
    case SKUA_FRAME_DATAGRAM:
        return;
    }
}

void skua_frame_write(struct skua_writer *w, const struct skua_frame *f)
{
    if (f->type == SKUA_FRAME_STREAM) {
        skua_stream_frame_header_write(w, &f->stream, false);
        skua_writer_copy(w, f->stream.data, f->stream.len);
        return;
    }
    if (f->type == SKUA_FRAME_DATAGRAM) {
        write_datagram(w, f);
        return;
    }
    SKUA_ASSERT(skua_frame_info(f->type) != NULL);
    skua_writer_varint(w, f->type);
    write_fields(w, f);
}

static size_t ack_len(const struct skua_frame *f)
{
    const struct skua_ack_frame *ack = &f->ack;
    size_t len = skua_varint_len(ack->largest) + skua_varint_len(ack->delay) +
                 skua_varint_len(ack->range_count - 1u) + ack->ranges_len;
    for (size_t i = 0; f->type == SKUA_FRAME_ACK_ECN && i < 3; i++) {
        len += skua_varint_len(ack->ecn[i]);
    }
    return len;
}

/* Bytes of what write_fields writes. */
static size_t fields_len(const struct skua_frame *f)
{
    switch ((enum skua_frame_type)f->type) {
    case SKUA_FRAME_PADDING:
        return f->padding - 1;
    case SKUA_FRAME_PING:
    case SKUA_FRAME_FIN_ACK:
        return 0;
    case SKUA_FRAME_ACK:
    case SKUA_FRAME_ACK_ECN:
        return ack_len(f);
    case SKUA_FRAME_RESET_STREAM:
        return skua_varint_len(f->reset_stream.id) + skua_varint_len(f->reset_stream.code) +
               skua_varint_len(f->reset_stream.final_size);
    case SKUA_FRAME_STOP_SENDING:
        return skua_varint_len(f->stop_sending.id) + skua_varint_len(f->stop_sending.code);
    case SKUA_FRAME_CONSUMED:
    case SKUA_FRAME_CONFIRM_READ:
        return skua_varint_len(f->stream_end.id) + skua_varint_len(f->stream_end.offset);
    case SKUA_FRAME_NEW_TOKEN:
        return skua_varint_len(f->new_token.len) + f->new_token.len;
    case SKUA_FRAME_ACK_FREQUENCY:
        return skua_varint_len(f->ack_frequency.sequence) +
               skua_varint_len(f->ack_frequency.packets);
    case SKUA_FRAME_MAX_DATA:
    case SKUA_FRAME_DATA_BLOCKED:
    case SKUA_FRAME_MAX_STREAMS_BIDI:
    case SKUA_FRAME_MAX_STREAMS_UNI:
    case SKUA_FRAME_STREAMS_BLOCKED_BIDI:
    case SKUA_FRAME_STREAMS_BLOCKED_UNI:
        return skua_varint_len(f->max);
    case SKUA_FRAME_MAX_STREAM_DATA:
    case SKUA_FRAME_STREAM_DATA_BLOCKED:
        return skua_varint_len(f->stream_max.id) + skua_varint_len(f->stream_max.max);
    case SKUA_FRAME_NEW_CONNECTION_ID:
        return skua_varint_len(f->new_id.sequence) + skua_varint_len(f->new_id.retire_prior) + 1 +
               f->new_id.id.len + SKUA_FRAME_TOKEN_LEN;
    case SKUA_FRAME_RETIRE_CONNECTION_ID:
        return skua_varint_len(f->retire_id);
    case SKUA_FRAME_PATH_CHALLENGE:
    case SKUA_FRAME_PATH_RESPONSE:
        return sizeof f->path;
    case SKUA_FRAME_FIN:
        return skua_varint_len(f->fin.bidi) + skua_varint_len(f->fin.uni) +
               skua_varint_len(f->fin.total);
    case SKUA_FRAME_RST:
        return 1 + skua_varint_len(f->rst.code) + skua_varint_len(f->rst.frame_type) +
               skua_varint_len(f->rst.reason_len) + f->rst.reason_len;
    case SKUA_FRAME_DATAGRAM:
        return (f->datagram.last ? 0 : skua_varint_len(f->datagram.len)) + f->datagram.len;
    case SKUA_FRAME_STREAM:
        break;
    }
    return 0;
}

size_t skua_frame_len(const struct skua_frame *f)
{
    if (f->type == SKUA_FRAME_STREAM) {
        return skua_stream_frame_header_len(f->stream.id, f->stream.offset, f->stream.len, false) +
               f->stream.len;
    }
    SKUA_ASSERT(skua_frame_info(f->type) != NULL);
    return skua_varint_len(f->type) + fields_len(f);
}

/* Bytes that range `i` takes in an ACK frame. */
static size_t range_len(const struct skua_range *ranges, size_t i)
{
    SKUA_ASSERT(ranges[i].first <= ranges[i].last);
    size_t len = skua_varint_len(ranges[i].last - ranges[i].first);
    if (i > 0) {
        SKUA_ASSERT(ranges[i - 1].first >= ranges[i].last + 2);
        len += skua_varint_len(ranges[i - 1].first - ranges[i].last - 2);
    }
    return len;
}

size_t skua_ack_frame_write(struct skua_writer *w, const struct skua_range *ranges, size_t n,
                            uint64_t delay, const uint64_t ecn[3])
{
    SKUA_STATIC_ASSERT(SKUA_LIMIT_ACK_RANGES_SENT <= 64, "the count is a varint of one byte");
    SKUA_ASSERT(n >= 1);
    size_t most = n < SKUA_LIMIT_ACK_RANGES_SENT ? n : SKUA_LIMIT_ACK_RANGES_SENT;
    size_t len = 1 + skua_varint_len(ranges[0].last) + skua_varint_len(delay) + 1;
    for (size_t i = 0; ecn != NULL && i < 3; i++) {
        len += skua_varint_len(ecn[i]);
    }
    size_t count = 0;
    while (count < most && len + range_len(ranges, count) <= skua_writer_left(w)) {
        len += range_len(ranges, count);
        count++;
    }
    if (count == 0 || w->failed) {
        return 0;
    }
    skua_writer_u8(w, ecn != NULL ? SKUA_FRAME_ACK_ECN : SKUA_FRAME_ACK);
    skua_writer_varint(w, ranges[0].last);
    skua_writer_varint(w, delay);
    skua_writer_varint(w, count - 1);
    skua_writer_varint(w, ranges[0].last - ranges[0].first);
    for (size_t i = 1; i < count; i++) {
        skua_writer_varint(w, ranges[i - 1].first - ranges[i].last - 2);
        skua_writer_varint(w, ranges[i].last - ranges[i].first);
    }
    for (size_t i = 0; ecn != NULL && i < 3; i++) {
        skua_writer_varint(w, ecn[i]);
    }
    SKUA_ASSERT(!w->failed);
    return count;
}
