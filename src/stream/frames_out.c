/* Fills packets with frames of streams: the connection's control frames, the streams' own, bytes
 * to be sent again, new bytes; one record for each. RFC 9000 §4, §13.3, §19. */
#include "base/assert.h"
#include "stream/internal.h"

/* Less data than this is not worth a frame, unless it ends what there is. */
enum { SPLINTER = 16 };

/* Room without which no control frame is begun: a type and three values. */
enum { CONTROL_MAX = 25 };

/* A packet being filled. */
struct fill {
    struct skua_streams *streams;
    struct skua_writer *w;
    struct skua_record *records; /* room for `max` */
    size_t max;
    size_t count; /* records filled */
    skua_time rtt_ns;
    skua_time now;
};

bool skua_streams_wants_send(const struct skua_streams *streams)
{
    return streams->sends != 0 ||
           skua_sched_has_any(&streams->sched, streams->sent < streams->send_max);
}

static void note(struct fill *f, struct skua_record record)
{
    f->records[f->count++] = record;
}

/* Is there room for any control frame? */
static bool has_room(const struct fill *f)
{
    return f->count < f->max && skua_writer_left(f->w) >= CONTROL_MAX;
}

/* Writes a control frame of the connection with one value. */
static void put_value(struct fill *f, enum skua_frame_type type, uint64_t value)
{
    struct skua_frame frame = {.type = (uint16_t)type, .max = value};
    skua_frame_write(f->w, &frame);
    note(f, (struct skua_record){.type = (uint16_t)type, .offset = value});
}

static uint64_t announce_streams(struct skua_stream_kind *kind)
{
    uint64_t limit = skua_stream_kind_limit(kind);
    if (limit > kind->peer_limit) {
        kind->peer_limit = limit;
        kind->peer_blocked = false;
    }
    return kind->peer_limit;
}

/* The connection's new limit. Where its credit was used up by what lies unread now, and the
 * application has been told of all that, it leaves it there on purpose: so that these streams do
 * not keep all others from getting anything, the window is doubled. (A single stream's window is
 * narrower than the connection's.) An application that does not even ask for events gets no more.
 */
static uint64_t announce_data(struct fill *f)
{
    struct skua_streams *s = f->streams;
    if (s->pressed && skua_streams_is_pressed(s) && skua_list_empty(&s->events)) {
        skua_window_widen(&s->window, s->window.size * 2);
    }
    s->pressed = false;
    return skua_window_announce(&s->window, 0, f->rtt_ns, f->now);
}

/* The connection's frame for one bit of enum skua_streams_control. */
static void put_control(struct fill *f, enum skua_streams_control control)
{
    struct skua_streams *s = f->streams;
    struct skua_stream_kind *bidi = &s->kinds[SKUA_STREAM_BIDI];
    struct skua_stream_kind *uni = &s->kinds[SKUA_STREAM_UNI];
    switch (control) {
    case SKUA_STREAMS_SENDS_MAX_DATA:
        put_value(f, SKUA_FRAME_MAX_DATA, announce_data(f));
        break;
    case SKUA_STREAMS_SENDS_MAX_BIDI:
        put_value(f, SKUA_FRAME_MAX_STREAMS_BIDI, announce_streams(bidi));
        break;
    case SKUA_STREAMS_SENDS_MAX_UNI:
        put_value(f, SKUA_FRAME_MAX_STREAMS_UNI, announce_streams(uni));
        break;
    case SKUA_STREAMS_SENDS_BLOCKED:
        put_value(f, SKUA_FRAME_DATA_BLOCKED, s->send_max);
        break;
    case SKUA_STREAMS_SENDS_BLOCKED_BIDI:
        put_value(f, SKUA_FRAME_STREAMS_BLOCKED_BIDI, bidi->own_limit);
        break;
    case SKUA_STREAMS_SENDS_BLOCKED_UNI:
        put_value(f, SKUA_FRAME_STREAMS_BLOCKED_UNI, uni->own_limit);
        break;
    }
}

/* All the connection's control frames that are due; false where the packet is full. */
static bool put_controls(struct fill *f)
{
    struct skua_streams *s = f->streams;
    while (s->sends != 0) {
        uint8_t lowest = (uint8_t)(s->sends & -s->sends);
        if (!has_room(f)) {
            return false;
        }
        put_control(f, (enum skua_streams_control)lowest);
        s->sends &= (uint8_t)~lowest;
    }
    return true;
}

/* A stream's new limit. The connection's window is kept wider than any stream's, so that one busy
 * stream is not slowed down by it. */
static uint64_t announce_stream(struct fill *f, struct skua_stream *stream)
{
    struct skua_window *window = &stream->recv.window;
    uint64_t least = skua_stream_is_message(stream) ? skua_message_needs(stream) : 0;
    uint64_t limit = skua_window_announce(window, least, f->rtt_ns, f->now);
    skua_window_widen(&f->streams->window, window->size + window->size / 2);
    if (skua_window_due(&f->streams->window)) {
        skua_streams_mark(f->streams, SKUA_STREAMS_SENDS_MAX_DATA);
    }
    return limit;
}

/* A stream's frame for one bit of enum skua_stream_control. */
static void put_stream_control(struct fill *f, struct skua_stream *stream,
                               enum skua_stream_control control)
{
    struct skua_frame frame = {0};
    uint64_t value = 0;
    switch (control) {
    case SKUA_STREAM_SENDS_RESET:
        frame.type = SKUA_FRAME_RESET_STREAM;
        frame.reset_stream.id = stream->id;
        frame.reset_stream.code = stream->send.code;
        frame.reset_stream.final_size = stream->send.buf.next;
        break;
    case SKUA_STREAM_SENDS_STOP:
        frame.type = SKUA_FRAME_STOP_SENDING;
        frame.stop_sending.id = stream->id;
        frame.stop_sending.code = stream->recv.code;
        break;
    case SKUA_STREAM_SENDS_MAX:
        value = announce_stream(f, stream);
        frame.type = SKUA_FRAME_MAX_STREAM_DATA;
        frame.stream_max.id = stream->id;
        frame.stream_max.max = value;
        break;
    case SKUA_STREAM_SENDS_BLOCKED:
        value = stream->send.limit;
        frame.type = SKUA_FRAME_STREAM_DATA_BLOCKED;
        frame.stream_max.id = stream->id;
        frame.stream_max.max = value;
        break;
    case SKUA_STREAM_SENDS_CONSUMED:
        frame.type = SKUA_FRAME_CONSUMED;
        frame.stream_end.id = stream->id;
        frame.stream_end.offset = stream->recv.buf.read;
        break;
    }
    skua_frame_write(f->w, &frame);
    note(f, (struct skua_record){.type = frame.type, .id = stream->id, .offset = value});
}

/* Control frames of all streams that have any; false where the packet is full. */
static bool put_stream_controls(struct fill *f)
{
    struct skua_stream *stream;
    while ((stream = skua_sched_first_control(&f->streams->sched)) != NULL) {
        while (stream->sends != 0) {
            uint8_t lowest = (uint8_t)(stream->sends & -stream->sends);
            if (!has_room(f)) {
                return false;
            }
            put_stream_control(f, stream, (enum skua_stream_control)lowest);
            stream->sends &= (uint8_t)~lowest;
        }
        skua_stream_update(stream);
    }
    return true;
}

/* A STREAM frame with as many of `available` bytes from `offset` on as fit: `*len`. False where the
 * packet is full. */
static bool put_data(struct fill *f, struct skua_stream *stream, uint64_t offset,
                     uint64_t available, size_t *len)
{
    struct skua_send_side *send = &stream->send;
    size_t room = skua_writer_left(f->w);
    size_t wanted = available < room ? (size_t)available : room;
    bool last = false;
    if (f->count == f->max ||
        !skua_stream_frame_fit(room, stream->id, offset, wanted, len, &last) ||
        (*len < SPLINTER && *len < available)) {
        return false;
    }
    bool fin =
        send->state == SKUA_SEND_FINISHED && offset + *len == send->buf.end && !send->confirm;
    struct skua_stream_frame frame = {.id = stream->id, .offset = offset, .len = *len, .fin = fin};
    skua_stream_frame_header_write(f->w, &frame, last);
    uint8_t *place = skua_writer_bytes(f->w, *len);
    SKUA_ASSERT(place != NULL);
    skua_send_buf_copy(&send->buf, offset, place, *len);
    note(f, (struct skua_record){.id = stream->id,
                                 .offset = offset,
                                 .len = (uint32_t)*len,
                                 .type = SKUA_FRAME_STREAM,
                                 .flags = fin ? SKUA_RECORD_FIN : 0});
    if (fin) {
        send->fin_sent = true;
        send->fin_lost = false;
    }
    return true;
}

/* The end of a stream that asks for CONSUMED, by a frame of its own: so that whoever hears of the
 * one hears of the other. False where the packet is full. */
static bool put_confirm_read(struct fill *f, struct skua_stream *stream)
{
    struct skua_send_side *send = &stream->send;
    struct skua_frame frame = {.type = SKUA_FRAME_CONFIRM_READ};
    frame.stream_end.id = stream->id;
    frame.stream_end.offset = send->buf.end;
    if (f->count == f->max || skua_writer_left(f->w) < skua_frame_len(&frame)) {
        return false;
    }
    skua_frame_write(f->w, &frame);
    note(f, (struct skua_record){.type = SKUA_FRAME_CONFIRM_READ,
                                 .id = stream->id,
                                 .offset = send->buf.end,
                                 .flags = SKUA_RECORD_FIN});
    send->fin_sent = true;
    send->fin_lost = false;
    return true;
}

/* Bytes to be sent again, or an end; false where the packet is full. */
static bool put_again(struct fill *f, struct skua_stream *stream, size_t *len)
{
    struct skua_send_buf *buf = &stream->send.buf;
    uint64_t offset = buf->end;
    uint64_t available = 0;
    bool lost = skua_send_buf_next_lost(buf, &offset, &available);
    if (!lost && stream->send.confirm) {
        *len = 0;
        return put_confirm_read(f, stream);
    }
    if (!put_data(f, stream, offset, available, len)) {
        return false;
    }
    if (*len != 0) {
        skua_send_buf_resent(buf, offset, *len);
        f->streams->resent += *len;
    }
    return true;
}

/* New bytes, as far as credit goes; false where the packet is full. */
static bool put_fresh(struct fill *f, struct skua_stream *stream, size_t *len)
{
    struct skua_streams *s = f->streams;
    struct skua_send_side *send = &stream->send;
    uint64_t offset = send->buf.next;
    uint64_t limit = send->limit < send->buf.end ? send->limit : send->buf.end;
    uint64_t available = limit - offset;
    available = available < s->send_max - s->sent ? available : s->send_max - s->sent;
    if (!put_data(f, stream, offset, available, len)) {
        return false;
    }
    skua_send_buf_sent(&send->buf, *len);
    s->sent += *len;
    return true;
}

/* Does a stream that has sent new bytes stand where it stood? Most do: it has more of them, credit
 * for them, and nothing else to say. */
static bool goes_on(const struct skua_streams *s, const struct skua_stream *stream)
{
    const struct skua_send_side *send = &stream->send;
    return send->buf.next < send->buf.end && send->buf.next < send->limit &&
           s->sent < s->send_max && !stream->sends_again && !send->gathers && stream->sends == 0;
}

/* Bytes of streams in the order of sched.h, until the packet is full. */
static void put_bytes(struct fill *f)
{
    struct skua_streams *s = f->streams;
    for (;;) {
        bool again;
        struct skua_stream *stream = skua_sched_first(&s->sched, s->sent < s->send_max, &again);
        size_t len;
        if (stream == NULL || !(again ? put_again(f, stream, &len) : put_fresh(f, stream, &len))) {
            return;
        }
        if (stream->send.fin_sent && !stream->send.confirm) {
            skua_stream_fix(stream);
        }
        skua_sched_sent(&s->sched, stream, len);
        if (!goes_on(s, stream)) {
            skua_stream_update(stream);
        }
        if (skua_writer_left(f->w) == 0) {
            return; /* what a busy stream mostly does: fill the packet */
        }
    }
}

size_t skua_streams_write_frames(struct skua_streams *streams, struct skua_writer *w,
                                 struct skua_record *records, size_t max, skua_time rtt_ns,
                                 skua_time now)
{
    struct fill f = {.streams = streams,
                     .w = w,
                     .records = records,
                     .max = max,
                     .count = 0,
                     .rtt_ns = rtt_ns,
                     .now = now};
    if (put_controls(&f) && put_stream_controls(&f)) {
        put_bytes(&f);
    }
    return f.count;
}

bool skua_streams_blocked(const struct skua_streams *streams)
{
    return !skua_list_empty(&streams->sched.starved) ||
           (streams->sent >= streams->send_max && skua_sched_has_fresh(&streams->sched)) ||
           skua_streams_wait(streams, SKUA_STREAM_BIDI) ||
           skua_streams_wait(streams, SKUA_STREAM_UNI);
}

void skua_streams_repeat_blocked(struct skua_streams *streams)
{
    if (streams->sent >= streams->send_max && skua_sched_has_fresh(&streams->sched)) {
        skua_streams_mark(streams, SKUA_STREAMS_SENDS_BLOCKED);
    }
    if (skua_streams_wait(streams, SKUA_STREAM_BIDI)) {
        skua_streams_mark(streams, SKUA_STREAMS_SENDS_BLOCKED_BIDI);
    }
    if (skua_streams_wait(streams, SKUA_STREAM_UNI)) {
        skua_streams_mark(streams, SKUA_STREAMS_SENDS_BLOCKED_UNI);
    }
    struct skua_node *node = skua_list_first(&streams->sched.starved);
    for (; node != NULL; node = skua_list_next(&streams->sched.starved, node)) {
        skua_stream_mark(SKUA_CONTAINER_OF(node, struct skua_stream, fresh.node),
                         SKUA_STREAM_SENDS_BLOCKED);
    }
}
