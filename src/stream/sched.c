/* The scheduler: see sched.h. */
#include "stream/sched.h"

#include "stream/stream.h"

void skua_sched_init(struct skua_sched *sched)
{
    skua_list_init(&sched->control);
    skua_list_init(&sched->again);
    skua_list_init(&sched->fresh);
    skua_list_init(&sched->starved);
}

/* Puts `node` at the end of `list`, or takes it off. */
static void set_listed(struct skua_node *list, struct skua_node *node, bool listed)
{
    if (listed == skua_list_is_linked(node)) {
        return;
    }
    if (listed) {
        skua_list_push_back(list, node);
    } else {
        skua_list_remove(node);
    }
}

/* May bytes of this stream be sent at all? */
static bool is_sending(const struct skua_stream *stream)
{
    return !stream->held &&
           (stream->send.state == SKUA_SEND_OPEN || stream->send.state == SKUA_SEND_FINISHED);
}

/* Lost bytes, or nothing but the end to tell. */
static bool wants_again(const struct skua_send_side *send)
{
    if (skua_send_buf_has_lost(&send->buf)) {
        return true;
    }
    return send->state == SKUA_SEND_FINISHED && send->buf.next == send->buf.end &&
           (!send->fin_sent || send->fin_lost);
}

static enum skua_sched_class class_of(const struct skua_stream *stream)
{
    const struct skua_send_side *send = &stream->send;
    if (!is_sending(stream) || send->buf.next == send->buf.end) {
        return SKUA_SCHED_NOTHING;
    }
    return send->limit > send->buf.next ? SKUA_SCHED_FRESH : SKUA_SCHED_STARVED;
}

void skua_sched_update(struct skua_sched *sched, struct skua_stream *stream)
{
    struct skua_send_side *send = &stream->send;
    enum skua_sched_class class = class_of(stream);
    if (class != stream->sched_class) {
        skua_list_remove(&stream->fresh);
        stream->sched_class = class;
        if (class == SKUA_SCHED_FRESH) {
            send->turn = 0;
            skua_list_push_back(&sched->fresh, &stream->fresh);
        } else if (class == SKUA_SCHED_STARVED) {
            skua_list_push_back(&sched->starved, &stream->fresh);
        }
    }
    /* RFC 9000 §4.1: a sender that is blocked SHOULD say so, once per limit. */
    if (class != SKUA_SCHED_STARVED) {
        stream->sends &= (uint8_t)~SKUA_STREAM_SENDS_BLOCKED;
    } else if (!send->blocked_said) {
        send->blocked_said = true;
        stream->sends |= SKUA_STREAM_SENDS_BLOCKED;
    }
    set_listed(&sched->again, &stream->again, is_sending(stream) && wants_again(send));
    set_listed(&sched->control, &stream->control, !stream->held && stream->sends != 0);
}

void skua_sched_remove(struct skua_stream *stream)
{
    skua_list_remove(&stream->control);
    skua_list_remove(&stream->again);
    skua_list_remove(&stream->fresh);
    stream->sched_class = SKUA_SCHED_NOTHING;
}

void skua_sched_sent(struct skua_sched *sched, struct skua_stream *stream, size_t bytes)
{
    struct skua_send_side *send = &stream->send;
    send->turn += (uint32_t)bytes;
    if (send->turn < SKUA_SCHED_TURN) {
        return;
    }
    send->turn = 0;
    if (skua_list_is_linked(&stream->again)) {
        skua_list_remove(&stream->again);
        skua_list_push_back(&sched->again, &stream->again);
    }
    if (stream->sched_class == SKUA_SCHED_FRESH) {
        skua_list_remove(&stream->fresh);
        skua_list_push_back(&sched->fresh, &stream->fresh);
    }
}

struct skua_stream *skua_sched_first_control(const struct skua_sched *sched)
{
    struct skua_node *node = skua_list_first(&sched->control);
    return node == NULL ? NULL : SKUA_CONTAINER_OF(node, struct skua_stream, control);
}

struct skua_stream *skua_sched_first_again(const struct skua_sched *sched)
{
    struct skua_node *node = skua_list_first(&sched->again);
    return node == NULL ? NULL : SKUA_CONTAINER_OF(node, struct skua_stream, again);
}

struct skua_stream *skua_sched_first_fresh(const struct skua_sched *sched)
{
    struct skua_node *node = skua_list_first(&sched->fresh);
    return node == NULL ? NULL : SKUA_CONTAINER_OF(node, struct skua_stream, fresh);
}
