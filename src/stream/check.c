/* Statistics, and the invariants of the whole: the credit ledger above all. */
#include "base/assert.h"
#include "stream/internal.h"

void skua_streams_stats(const struct skua_streams *streams, struct skua_streams_stats *out)
{
    uint64_t prepaid = streams->messages != NULL ? streams->messages->prepaid : 0;
    uint64_t credit = streams->send_max > streams->sent ? streams->send_max - streams->sent : 0;
    *out = (struct skua_streams_stats){
        .sent = streams->sent,
        .resent = streams->resent,
        .received = streams->arrived - streams->given_up,
        .delivered = streams->delivered,
        .send_buffered = streams->send_buffered,
        .recv_buffered = streams->received - streams->window.consumed + prepaid,
        .send_credit = credit,
        .recv_window = streams->window.announced - streams->window.consumed,
        .open = streams->count,
    };
}

static void check_window(const struct skua_window *window)
{
    SKUA_ASSERT(window->consumed <= window->announced);
    SKUA_ASSERT(window->size <= window->max);
    SKUA_ASSERT(window->announced <= window->consumed + window->size);
}

static void check_send(const struct skua_stream *stream)
{
    const struct skua_send_side *send = &stream->send;
    bool sending = send->state == SKUA_SEND_OPEN || send->state == SKUA_SEND_FINISHED;
    if (sending) {
        skua_send_buf_check(&send->buf);
    } else {
        SKUA_ASSERT(send->buf.count == 0 && send->buf.sets == NULL);
    }
    SKUA_ASSERT(send->buf.next <= send->limit);
    SKUA_ASSERT(!send->fin_sent || send->buf.next == send->buf.end || send->given_up);
    SKUA_ASSERT(!stream->held || send->buf.next == 0);
    skua_sched_check(&stream->streams->sched, stream);
}

static void check_recv(const struct skua_stream *stream)
{
    const struct skua_recv_side *recv = &stream->recv;
    if (recv->state == SKUA_RECV_NONE) {
        return;
    }
    check_window(&recv->window);
    skua_recv_buf_check(&recv->buf);
    SKUA_ASSERT(recv->highest <= recv->window.announced);
    SKUA_ASSERT(recv->final == UINT64_MAX || recv->highest <= recv->final);
    SKUA_ASSERT(recv->buf.end <= recv->highest && recv->buf.arrived <= recv->highest);
    bool over = recv->unwanted || recv->state == SKUA_RECV_RESET;
    SKUA_ASSERT(recv->prepaid ==
                (skua_stream_is_message(stream) ? skua_message_prepaid(stream) : 0));
    SKUA_ASSERT(recv->window.consumed == (over ? recv->highest : skua_stream_taken(stream)));
    SKUA_ASSERT((recv->state == SKUA_RECV_DONE) ==
                (recv->state != SKUA_RECV_RESET && recv->buf.end == recv->final));
    SKUA_ASSERT(skua_list_is_linked(&stream->loan) == skua_recv_buf_has_loans(&recv->buf));
}

/* Sums over the living streams, to be compared with the running ones. */
struct sums {
    uint64_t unread, prepaid, buffered, sides_open, sides_unacked, gaps, reports, count;
};

static void add(struct sums *sums, const struct skua_stream *stream)
{
    const struct skua_send_side *send = &stream->send;
    const struct skua_recv_side *recv = &stream->recv;
    sums->count++;
    sums->unread += recv->highest - recv->window.consumed;
    sums->prepaid += recv->prepaid;
    if (send->state == SKUA_SEND_OPEN || send->state == SKUA_SEND_FINISHED) {
        sums->buffered += skua_send_buf_buffered(&send->buf);
    }
    if (send->state != SKUA_SEND_NONE && send->state != SKUA_SEND_DONE) {
        sums->sides_unacked++;
        sums->sides_open += !send->fixed;
    }
    sums->reports += stream->report == SKUA_REPORT_OWED;
    if (recv->buf.beyond != NULL) {
        sums->gaps += skua_recv_buf_gaps(&recv->buf);
    }
}

void skua_streams_check(const struct skua_streams *streams)
{
    struct sums sums = {0};
    skua_nummap_check(&streams->table);
    skua_list_check(&streams->all);
    skua_list_check(&streams->events);
    skua_list_check(&streams->loans);
    for (const struct skua_stream *stream = skua_streams_next(streams, NULL); stream != NULL;
         stream = skua_streams_next(streams, stream)) {
        SKUA_ASSERT(stream->streams == streams);
        SKUA_ASSERT(skua_list_is_linked(&stream->events_node) == (stream->events != 0));
        check_send(stream);
        check_recv(stream);
        add(&sums, stream);
    }
    SKUA_ASSERT(sums.count == streams->count);
    size_t tabled = skua_nummap_count(&streams->table);
    SKUA_ASSERT(tabled == 0 || tabled == streams->count);
    SKUA_ASSERT(sums.unread - sums.prepaid == streams->received - streams->window.consumed);
    SKUA_ASSERT(sums.prepaid == (streams->messages != NULL ? streams->messages->prepaid : 0));
    SKUA_ASSERT(sums.buffered == streams->send_buffered);
    SKUA_ASSERT(sums.sides_open == streams->sides_open);
    SKUA_ASSERT(sums.sides_unacked == streams->sides_unacked);
    SKUA_ASSERT(sums.reports == streams->reports);
    SKUA_ASSERT(sums.gaps == streams->mem.gaps);
    check_window(&streams->window);
    SKUA_ASSERT(streams->received <= streams->window.announced);
    SKUA_ASSERT(streams->sent <= streams->send_max);
    SKUA_ASSERT(streams->arrived <= streams->received);
    SKUA_ASSERT(!skua_list_empty(&streams->loans) || streams->mem.pieces == 0);
}
