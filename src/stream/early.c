/* Early data: stream bytes that travel in the SYN, before anybody knows any limit.
 *
 * The client puts the first bytes of its streams there and changes nothing: until the server has
 * said what became of them, nothing of any stream counts as sent. If they were taken, they count as
 * sent and acknowledged; if not, they are sent as everything else. The server looks whether all of
 * it fits its limits before it takes any of it. docs/protocol.md, "Early data". */
#include "base/assert.h"
#include "base/limits.h"
#include "stream/internal.h"

/* --- client --- */

/* Its end is STREAM's FIN bit, and not CONFIRM_READ, which follows later. */
static bool has_plain_end(const struct skua_send_side *send)
{
    return send->state == SKUA_SEND_FINISHED && !send->confirm;
}

/* Does `stream` have something for the SYN? */
static bool has_first_bytes(const struct skua_stream *stream)
{
    const struct skua_send_side *send = &stream->send;
    return (send->state == SKUA_SEND_OPEN || send->state == SKUA_SEND_FINISHED) &&
           (send->buf.end != 0 || has_plain_end(send));
}

/* One STREAM frame, with its length since padding follows; false where there is no room. It is
 * empty for a stream that has nothing to say and was opened before one that has. */
static bool put_first_bytes(struct skua_stream *stream, struct skua_writer *w,
                            struct skua_record *record)
{
    struct skua_send_side *send = &stream->send;
    uint64_t end = has_first_bytes(stream) ? send->buf.end : 0;
    size_t room = skua_writer_left(w);
    size_t wanted = end < room ? (size_t)end : room;
    size_t header = skua_stream_frame_header_len(stream->id, 0, wanted, false);
    if (room < header || (room == header && end != 0)) {
        return false;
    }
    size_t len = wanted < room - header ? wanted : room - header;
    bool fin = has_plain_end(send) && len == end;
    send->fin_early = fin;
    const struct skua_stream_frame frame = {.id = stream->id, .len = len, .fin = fin};
    skua_stream_frame_header_write(w, &frame, false);
    if (len != 0) {
        skua_send_buf_copy(&send->buf, 0, skua_writer_bytes(w, len), len);
    }
    SKUA_ASSERT(!w->failed);
    *record = (struct skua_record){.id = stream->id,
                                   .len = (uint32_t)len,
                                   .type = SKUA_FRAME_STREAM,
                                   .flags = fin ? SKUA_RECORD_FIN : 0};
    return true;
}

/* The streams that were opened last of each kind since one was put into the SYN, or before; NULL =
 * none. Whoever names a stream names those of its kind before it. */
struct unnamed {
    struct skua_stream *last[2][2]; /* of bytes, of messages: bidirectional, unidirectional */
};

static struct skua_stream **last_of_kind(struct unnamed *unnamed, const struct skua_stream *stream)
{
    return &unnamed->last[skua_stream_is_message(stream)][skua_stream_id_uni(stream->id)];
}

/* `stream`, which has something, and before it those that the server must count before. Returns
 * how many frames; 0 where not all fit, and nothing was written. */
static size_t put_with_others(struct unnamed *unnamed, struct skua_stream *stream,
                              struct skua_writer *w, struct skua_record *records, size_t max)
{
    const struct skua_writer before = *w;
    size_t count = 0;
    *last_of_kind(unnamed, stream) = NULL;
    for (size_t i = 0; i < 4; i++) {
        struct skua_stream *silent = unnamed->last[i / 2][i % 2];
        if (silent != NULL && (count == max || !put_first_bytes(silent, w, &records[count++]))) {
            *w = before;
            return 0;
        }
    }
    if (count == max || !put_first_bytes(stream, w, &records[count++])) {
        *w = before;
        return 0;
    }
    *unnamed = (struct unnamed){.last = {{NULL}}};
    return count;
}

size_t skua_streams_early_write(struct skua_streams *streams, struct skua_writer *w,
                                struct skua_record *records, size_t max)
{
    SKUA_ASSERT(!streams->peer_known);
    /* Up to the last one that has something, none is left out: the server is to count as we do, who
     * hold back what was opened beyond its limit, of bytes or of messages. */
    struct unnamed unnamed = {.last = {{NULL}}};
    size_t count = 0;
    struct skua_stream *stream = skua_streams_next(streams, NULL);
    for (; stream != NULL; stream = skua_streams_next(streams, stream)) {
        *last_of_kind(&unnamed, stream) = stream;
        if (has_first_bytes(stream)) {
            size_t n = put_with_others(&unnamed, stream, w, records + count, max - count);
            if (n == 0) {
                break;
            }
            count += n;
        }
    }
    return count;
}

enum skua_code skua_streams_early_taken(struct skua_streams *streams,
                                        const struct skua_record *records, size_t count)
{
    SKUA_ASSERT(streams->peer_known);
    for (size_t i = 0; i < count; i++) {
        struct skua_stream *stream = skua_streams_find(streams, records[i].id);
        SKUA_ASSERT(stream != NULL); /* nothing of it was acknowledged before */
        struct skua_send_side *send = &stream->send;
        /* A server takes nothing beyond the limits that it announces. */
        if (stream->held || records[i].len > send->limit ||
            records[i].len > streams->send_max - streams->sent) {
            return SKUA_CODE_PARAMETER;
        }
        skua_send_buf_sent(&send->buf, records[i].len);
        streams->sent += records[i].len;
        if ((records[i].flags & SKUA_RECORD_FIN) != 0 && send->state == SKUA_SEND_FINISHED) {
            send->fin_sent = true;
            skua_stream_fix(stream);
        }
        skua_stream_update(stream);
        skua_streams_on_acked(streams, &records[i]);
    }
    return SKUA_CODE_NO_ERROR;
}

/* --- server --- */

/* How many streams have been opened: for either direction with and without messages, which are
 * numbered apart and count together. */
struct opened {
    uint64_t count[2][2]; /* bidirectional, unidirectional: of bytes, of messages */
};

/* A client's first bytes of a stream of its own, within what it may open and send at first? */
static bool fits(const struct skua_stream_frame *f, struct opened *opened,
                 const struct skua_transport_params *own)
{
    unsigned uni = skua_stream_id_uni(f->id);
    uint64_t streams = uni != 0 ? own->initial_max_streams_uni : own->initial_max_streams_bidi;
    uint64_t bytes =
        uni != 0 ? own->initial_max_stream_data_uni : own->initial_max_stream_data_bidi_remote;
    uint64_t *count = opened->count[uni];
    uint64_t *of_these = &count[skua_stream_id_message(f->id)];
    uint64_t least = skua_stream_id_index(f->id) + 1;
    *of_these = *of_these > least ? *of_these : least;
    return (f->id & 1) == 0 && count[0] + count[1] <= streams && f->offset == 0 &&
           f->len <= bytes && f->len <= UINT16_MAX;
}

bool skua_streams_early_fit(const uint8_t *frames, size_t len,
                            const struct skua_transport_params *own)
{
    struct skua_reader r = skua_reader_of(frames, len);
    struct opened opened = {{{0}}};
    uint64_t bytes = 0;
    unsigned count = 0;
    while (skua_reader_left(&r) > 0) {
        struct skua_frame f;
        if (skua_frame_read(&r, &f) != SKUA_CODE_NO_ERROR) {
            return false;
        }
        if (f.type == SKUA_FRAME_PADDING) {
            continue;
        }
        if (f.type != SKUA_FRAME_STREAM || !fits(&f.stream, &opened, own) ||
            ++count > SKUA_LIMIT_FRAMES_PER_PACKET) {
            return false;
        }
        bytes += f.stream.len;
    }
    return count > 0 && bytes <= own->initial_max_data;
}

enum skua_code skua_streams_on_early(struct skua_streams *streams,
                                     const struct skua_stream_frame *frame)
{
    enum skua_code code = skua_streams_on_stream(streams, frame, false);
    if (code == SKUA_CODE_NO_ERROR) {
        struct skua_stream *stream = skua_streams_find(streams, frame->id);
        if (stream != NULL && frame->len > stream->early) {
            stream->early = (uint16_t)frame->len;
        }
    }
    return code;
}
