/* The scheduler: see sched.h. RFC 9218 §10. */
#include "stream/sched.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "stream/streams.h"

/* Ranks, the heaps' order: urgency in the highest bits; below it a stream's place in the order of
 * ids, or, behind all of those, the one place that incremental streams share: in heaps of this kind
 * equals go in the order in which they were put there. Never SKUA_NEVER, which means "none". */
#define RANK_BITS   61
#define RANK_SHARED ((UINT64_C(1) << RANK_BITS) - 2)

/* The rank that streams in the lists would have. */
#define RANK_DEFAULT ((uint64_t)SKUA_URGENCY_DEFAULT << RANK_BITS | RANK_SHARED)

void skua_sched_init(struct skua_sched *sched)
{
    skua_list_init(&sched->control);
    skua_list_init(&sched->again);
    skua_list_init(&sched->fresh);
    skua_list_init(&sched->starved);
    sched->ranks = NULL;
}

void skua_sched_add(struct skua_stream *stream)
{
    stream->urgency = SKUA_URGENCY_DEFAULT;
    stream->incremental = true;
}

/* --- queues --- */

static bool is_ranked(const struct skua_stream *stream)
{
    return stream->urgency != SKUA_URGENCY_DEFAULT || !stream->incremental;
}

static uint64_t rank_of(const struct skua_stream *stream)
{
    uint64_t order = stream->incremental ? RANK_SHARED : stream->id >> 2;
    return (uint64_t)stream->urgency << RANK_BITS | order;
}

/* Puts a ranked stream's place into a heap; where it is there already, behind its equals. */
static void rank(struct skua_timers *queue, const struct skua_stream *stream,
                 union skua_sched_place *place)
{
    enum skua_err err = skua_timers_set(queue, &place->timer, rank_of(stream));
    SKUA_ASSERT(err == SKUA_OK); /* each member has room */
}

static void unrank(struct skua_timers *queue, union skua_sched_place *place)
{
    skua_timers_cancel(queue, &place->timer);
    *place = (union skua_sched_place){.timer = {0}};
}

static void set_again(struct skua_sched *sched, struct skua_stream *stream, bool queued)
{
    stream->sends_again = queued;
    if (is_ranked(stream)) {
        if (queued) {
            rank(&sched->ranks->again, stream, &stream->again);
        } else if (stream->again.timer.index != 0) {
            unrank(&sched->ranks->again, &stream->again);
        }
    } else if (queued) {
        skua_list_push_back(&sched->again, &stream->again.node);
    } else {
        skua_list_remove(&stream->again.node);
    }
}

static void set_class(struct skua_sched *sched, struct skua_stream *stream,
                      enum skua_sched_class class)
{
    if (stream->sched_class == SKUA_SCHED_FRESH && is_ranked(stream)) {
        unrank(&sched->ranks->fresh, &stream->fresh);
    } else {
        skua_list_remove(&stream->fresh.node);
    }
    stream->sched_class = (uint8_t) class;
    if (class == SKUA_SCHED_STARVED) {
        skua_list_push_back(&sched->starved, &stream->fresh.node);
    } else if (class == SKUA_SCHED_FRESH) {
        stream->send.turn = 0;
        if (is_ranked(stream)) {
            rank(&sched->ranks->fresh, stream, &stream->fresh);
        } else {
            skua_list_push_back(&sched->fresh, &stream->fresh.node);
        }
    }
}

static void set_control(struct skua_sched *sched, struct skua_stream *stream, bool queued)
{
    if (queued == skua_list_is_linked(&stream->control)) {
        return;
    }
    if (queued) {
        skua_list_push_back(&sched->control, &stream->control);
    } else {
        skua_list_remove(&stream->control);
    }
}

/* --- what a stream has to send --- */

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

/* Would what was gathered fill a packet? */
static bool fills_packet(const struct skua_stream *stream)
{
    const struct skua_send_buf *buf = &stream->send.buf;
    uint64_t bytes = buf->end - buf->next;
    size_t header = skua_stream_frame_header_len(stream->id, buf->next, 0, true);
    return header + bytes >= stream->streams->packet_room;
}

static inline enum skua_sched_class class_of(const struct skua_stream *stream)
{
    const struct skua_send_side *send = &stream->send;
    if (send->buf.next == send->buf.end || (send->gathers && !fills_packet(stream))) {
        return SKUA_SCHED_NOTHING;
    }
    return send->limit > send->buf.next ? SKUA_SCHED_FRESH : SKUA_SCHED_STARVED;
}

void skua_sched_update(struct skua_sched *sched, struct skua_stream *stream)
{
    struct skua_send_side *send = &stream->send;
    bool sending = is_sending(stream);
    enum skua_sched_class class = sending ? class_of(stream) : SKUA_SCHED_NOTHING;
    if (class != stream->sched_class) {
        set_class(sched, stream, class);
    }
    /* RFC 9000 §4.1: a sender that is blocked SHOULD say so, once per limit. */
    if (class != SKUA_SCHED_STARVED) {
        stream->sends &= (uint8_t)~SKUA_STREAM_SENDS_BLOCKED;
    } else if (!send->blocked_said) {
        send->blocked_said = true;
        stream->sends |= SKUA_STREAM_SENDS_BLOCKED;
    }
    bool again = sending && wants_again(send);
    if (again != stream->sends_again) {
        set_again(sched, stream, again);
    }
    set_control(sched, stream, !stream->held && stream->sends != 0);
}

/* --- priorities --- */

/* Room for one more stream with another priority than the default. */
static enum skua_err join(struct skua_sched *sched, struct skua_heap *heap)
{
    struct skua_sched_ranks *ranks = sched->ranks;
    if (ranks == NULL) {
        ranks = skua_heap_get(heap, sizeof *ranks);
        if (ranks == NULL) {
            return SKUA_ENOMEM;
        }
        skua_timers_init(&ranks->again, heap);
        skua_timers_init(&ranks->fresh, heap);
        sched->ranks = ranks;
    }
    uint32_t wanted = ranks->members + 1;
    if (skua_timers_reserve(&ranks->again, wanted) == SKUA_OK &&
        skua_timers_reserve(&ranks->fresh, wanted) == SKUA_OK) {
        ranks->members = wanted;
        return SKUA_OK;
    }
    return SKUA_ENOMEM;
}

/* Gives the heaps back where no stream needs them. */
static void tidy(struct skua_sched *sched)
{
    struct skua_sched_ranks *ranks = sched->ranks;
    if (ranks != NULL && ranks->members == 0) {
        struct skua_heap *heap = ranks->fresh.heap;
        skua_timers_deinit(&ranks->again);
        skua_timers_deinit(&ranks->fresh);
        skua_heap_put(heap, ranks, sizeof *ranks);
        sched->ranks = NULL;
    }
}

/* Takes `stream` out of all queues. */
static void leave(struct skua_sched *sched, struct skua_stream *stream)
{
    set_again(sched, stream, false);
    set_class(sched, stream, SKUA_SCHED_NOTHING);
    set_control(sched, stream, false);
}

void skua_sched_remove(struct skua_sched *sched, struct skua_stream *stream)
{
    leave(sched, stream);
    if (is_ranked(stream)) {
        sched->ranks->members--;
        tidy(sched);
        skua_sched_add(stream);
    }
}

enum skua_err skua_sched_set_priority(struct skua_sched *sched, struct skua_heap *heap,
                                      struct skua_stream *stream, unsigned urgency,
                                      bool incremental)
{
    bool ranked = is_ranked(stream);
    bool to_rank = urgency != SKUA_URGENCY_DEFAULT || !incremental;
    if (to_rank && !ranked && join(sched, heap) != SKUA_OK) {
        tidy(sched);
        return SKUA_ENOMEM;
    }
    leave(sched, stream);
    stream->urgency = (uint8_t)urgency;
    stream->incremental = incremental;
    if (ranked && !to_rank) {
        sched->ranks->members--;
        tidy(sched);
    }
    skua_sched_update(sched, stream);
    return SKUA_OK;
}

/* --- turns --- */

void skua_sched_sent(struct skua_sched *sched, struct skua_stream *stream, size_t bytes)
{
    struct skua_send_side *send = &stream->send;
    send->turn += (uint32_t)bytes;
    if (send->turn < SKUA_SCHED_TURN || !stream->incremental) {
        return;
    }
    send->turn = 0;
    if (stream->sends_again) {
        set_again(sched, stream, false);
        set_again(sched, stream, true);
    }
    if (stream->sched_class == SKUA_SCHED_FRESH) {
        set_class(sched, stream, SKUA_SCHED_FRESH);
    }
}

struct skua_stream *skua_sched_first_control(const struct skua_sched *sched)
{
    struct skua_node *node = skua_list_first(&sched->control);
    return node == NULL ? NULL : SKUA_CONTAINER_OF(node, struct skua_stream, control);
}

static struct skua_stream *of_again(struct skua_node *node)
{
    return node == NULL ? NULL : SKUA_CONTAINER_OF(node, struct skua_stream, again.node);
}

static struct skua_stream *of_fresh(struct skua_node *node)
{
    return node == NULL ? NULL : SKUA_CONTAINER_OF(node, struct skua_stream, fresh.node);
}

/* Does a heap's first come before the list's? */
static bool outranks(const struct skua_timers *queue, const struct skua_node *list)
{
    return queue->count != 0 && (queue->places[0].at < RANK_DEFAULT || skua_list_empty(list));
}

/* As skua_sched_first, where there are heaps to be looked at. */
static struct skua_stream *first_of_all(const struct skua_sched *sched, bool credit, bool *again)
{
    const struct skua_sched_ranks *ranks = sched->ranks;
    struct skua_stream *repeats =
        outranks(&ranks->again, &sched->again)
            ? SKUA_CONTAINER_OF(ranks->again.places[0].timer, struct skua_stream, again.timer)
            : of_again(skua_list_first(&sched->again));
    struct skua_stream *begins =
        outranks(&ranks->fresh, &sched->fresh)
            ? SKUA_CONTAINER_OF(ranks->fresh.places[0].timer, struct skua_stream, fresh.timer)
            : of_fresh(skua_list_first(&sched->fresh));
    begins = credit ? begins : NULL;
    *again = repeats != NULL && (begins == NULL || repeats->urgency <= begins->urgency);
    return *again ? repeats : begins;
}

struct skua_stream *skua_sched_first(const struct skua_sched *sched, bool credit, bool *again)
{
    if (sched->ranks != NULL) {
        return first_of_all(sched, credit, again);
    }
    *again = !skua_list_empty(&sched->again);
    if (*again) {
        return of_again(skua_list_first(&sched->again));
    }
    return credit ? of_fresh(skua_list_first(&sched->fresh)) : NULL;
}

void skua_sched_check(const struct skua_sched *sched, const struct skua_stream *stream)
{
    bool fresh = stream->sched_class == SKUA_SCHED_FRESH;
    bool linked = is_ranked(stream) && fresh ? skua_timer_is_set(&stream->fresh.timer)
                                             : skua_list_is_linked(&stream->fresh.node);
    SKUA_ASSERT(stream->urgency <= SKUA_URGENCY_LAST);
    SKUA_ASSERT((stream->sched_class != SKUA_SCHED_NOTHING) == linked);
    SKUA_ASSERT(stream->sched_class ==
                (is_sending(stream) ? class_of(stream) : SKUA_SCHED_NOTHING));
    linked = is_ranked(stream) ? skua_timer_is_set(&stream->again.timer)
                               : skua_list_is_linked(&stream->again.node);
    SKUA_ASSERT(stream->sends_again == linked);
    SKUA_ASSERT(linked == (is_sending(stream) && wants_again(&stream->send)));
    SKUA_ASSERT(skua_list_is_linked(&stream->control) == (stream->sends != 0 && !stream->held));
    SKUA_ASSERT(!is_ranked(stream) || sched->ranks != NULL);
}
