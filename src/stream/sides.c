/* Transitions of a stream's sending and receiving side, whoever causes them: application, peer, or
 * the end of the connection. All credit and all counts of the connection are kept here.
 * RFC 9000 §3, §4. */
#include "base/assert.h"
#include "stream/internal.h"

void skua_streams_mark(struct skua_streams *streams, enum skua_streams_control control)
{
    streams->sends |= (uint8_t)control;
}

void skua_stream_mark(struct skua_stream *stream, enum skua_stream_control control)
{
    stream->sends |= (uint8_t)control;
    skua_stream_update(stream);
}

void skua_stream_update(struct skua_stream *stream)
{
    struct skua_streams *streams = stream->streams;
    skua_sched_update(&streams->sched, stream);
    bool blocked = streams->peer_known && streams->sent >= streams->send_max &&
                   skua_sched_has_fresh(&streams->sched);
    if (!blocked) {
        streams->sends &= (uint8_t)~SKUA_STREAMS_SENDS_BLOCKED;
    } else if (!streams->blocked_said) {
        /* RFC 9000 §4.1: once per limit. */
        streams->blocked_said = true;
        skua_streams_mark(streams, SKUA_STREAMS_SENDS_BLOCKED);
    }
}

/* --- sending --- */

void skua_stream_do_finish(struct skua_stream *stream)
{
    if (stream->send.state == SKUA_SEND_OPEN) {
        stream->send.state = SKUA_SEND_FINISHED;
        stream->send.wants_room = false;
        stream->send.gathers = false;
        skua_stream_update(stream);
    }
}

void skua_stream_do_reset(struct skua_stream *stream, uint64_t code)
{
    struct skua_send_side *send = &stream->send;
    SKUA_ASSERT(send->state == SKUA_SEND_OPEN || send->state == SKUA_SEND_FINISHED);
    stream->streams->send_buffered -= skua_send_buf_buffered(&send->buf);
    skua_send_buf_clear(&send->buf, &stream->streams->mem);
    send->state = SKUA_SEND_RESET;
    send->given_up = true;
    send->wants_room = false;
    send->lent = false;
    send->code = code;
    skua_stream_mark(stream, SKUA_STREAM_SENDS_RESET);
}

void skua_stream_fix(struct skua_stream *stream)
{
    struct skua_streams *streams = stream->streams;
    if (stream->send.fixed) {
        return;
    }
    stream->send.fixed = true;
    streams->finals += stream->send.buf.next;
    streams->sides_open--;
}

void skua_stream_send_done(struct skua_stream *stream)
{
    SKUA_ASSERT(stream->send.state == SKUA_SEND_FINISHED || stream->send.state == SKUA_SEND_RESET);
    skua_stream_fix(stream);
    stream->send.state = SKUA_SEND_DONE;
    stream->streams->sides_unacked--;
    skua_stream_update(stream);
}

/* --- receiving --- */

void skua_stream_credit(struct skua_stream *stream, uint64_t consumed)
{
    struct skua_streams *streams = stream->streams;
    struct skua_recv_side *recv = &stream->recv;
    SKUA_ASSERT(consumed >= recv->window.consumed && consumed <= recv->highest);
    if (skua_stream_is_message(stream)) {
        uint32_t prepaid = skua_message_prepaid(stream);
        streams->window.consumed += prepaid;
        streams->window.consumed -= recv->prepaid;
        streams->messages->prepaid += prepaid;
        streams->messages->prepaid -= recv->prepaid;
        recv->prepaid = prepaid;
    }
    streams->window.consumed += consumed - recv->window.consumed;
    recv->window.consumed = consumed;
    if (skua_window_due(&streams->window)) {
        skua_streams_mark(streams, SKUA_STREAMS_SENDS_MAX_DATA);
    }
    if (recv->final == UINT64_MAX && skua_window_due(&recv->window)) {
        skua_stream_mark(stream, SKUA_STREAM_SENDS_MAX);
    }
}

void skua_stream_note_consumed(struct skua_stream *stream)
{
    const struct skua_recv_side *recv = &stream->recv;
    bool over = recv->state == SKUA_RECV_DONE && (recv->told || recv->unwanted);
    if (over && stream->report == SKUA_REPORT_WANTED) {
        stream->report = SKUA_REPORT_OWED;
        stream->streams->reports++;
        skua_stream_mark(stream, SKUA_STREAM_SENDS_CONSUMED);
    }
}

void skua_stream_throw_away(struct skua_stream *stream)
{
    struct skua_recv_side *recv = &stream->recv;
    if (recv->state == SKUA_RECV_NONE) {
        return;
    }
    recv->unwanted = true;
    skua_recv_buf_discard(&recv->buf, &stream->streams->mem);
    skua_stream_note_loans(stream);
    skua_stream_credit(stream, recv->highest);
    skua_stream_note_consumed(stream);
}

void skua_stream_recv_done(struct skua_stream *stream)
{
    struct skua_recv_side *recv = &stream->recv;
    SKUA_ASSERT(recv->state == SKUA_RECV_OPEN && recv->buf.arrived == recv->buf.end);
    recv->final = recv->buf.end;
    recv->state = SKUA_RECV_DONE;
    if (skua_stream_is_message(stream) && !recv->unwanted) {
        skua_message_advance(stream);
    }
    stream->sends &= (uint8_t) ~(SKUA_STREAM_SENDS_STOP | SKUA_STREAM_SENDS_MAX);
    skua_stream_update(stream);
    if (!recv->unwanted) {
        skua_stream_raise(stream, SKUA_EVENT_READABLE);
    }
    skua_stream_note_consumed(stream);
}

void skua_stream_note_loans(struct skua_stream *stream)
{
    bool has = skua_recv_buf_has_loans(&stream->recv.buf);
    if (has == skua_list_is_linked(&stream->loan)) {
        return;
    }
    if (has) {
        skua_list_push_back(&stream->streams->loans, &stream->loan);
    } else {
        skua_list_remove(&stream->loan);
    }
}
