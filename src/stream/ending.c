/* The orderly end of a connection, as far as streams are concerned: what our FIN counts, and
 * whether what the peer's FIN counts is there. docs/protocol.md, "Closing". */
#include "base/assert.h"
#include "stream/internal.h"

void skua_streams_finish_all(struct skua_streams *streams)
{
    if (streams->finishing) {
        return;
    }
    streams->finishing = true;
    for (unsigned uni = 0; uni < 2; uni++) {
        streams->kinds[uni].open_refused = false;
        skua_streams_release_held(streams, uni);
    }
    streams->streams_event = false;
    for (struct skua_stream *stream = skua_streams_next(streams, NULL); stream != NULL;
         stream = skua_streams_next(streams, stream)) {
        skua_stream_do_finish(stream);
    }
}

bool skua_streams_totals(const struct skua_streams *streams, struct skua_streams_totals *out)
{
    if (!streams->finishing || streams->sides_open != 0 || streams->reports != 0) {
        return false;
    }
    *out = (struct skua_streams_totals){.bidi = streams->kinds[SKUA_STREAM_BIDI].own_next,
                                        .uni = streams->kinds[SKUA_STREAM_UNI].own_next,
                                        .total = streams->finals};
    return true;
}

enum skua_code skua_streams_set_peer_totals(struct skua_streams *streams,
                                            const struct skua_streams_totals *totals)
{
    struct skua_stream_kind *bidi = &streams->kinds[SKUA_STREAM_BIDI];
    struct skua_stream_kind *uni = &streams->kinds[SKUA_STREAM_UNI];
    if (streams->peer_declared) {
        bool same = totals->bidi == bidi->peer_declared && totals->uni == uni->peer_declared &&
                    totals->total == streams->peer_total;
        return same ? SKUA_CODE_NO_ERROR : SKUA_CODE_CLOSE_TOTALS;
    }
    if (totals->bidi < bidi->peer_next || totals->uni < uni->peer_next ||
        totals->total < streams->received) {
        return SKUA_CODE_CLOSE_TOTALS;
    }
    streams->peer_declared = true;
    bidi->peer_declared = totals->bidi;
    uni->peer_declared = totals->uni;
    streams->peer_total = totals->total;
    skua_streams_note_complete(streams);
    return SKUA_CODE_NO_ERROR;
}

void skua_streams_note_complete(struct skua_streams *streams)
{
    if (!streams->peer_declared || streams->peer_complete ||
        streams->arrived != streams->peer_total ||
        streams->kinds[0].peer_next != streams->kinds[0].peer_declared ||
        streams->kinds[1].peer_next != streams->kinds[1].peer_declared) {
        return;
    }
    streams->peer_complete = true;
    /* Every byte is there, and no reset is on its way (skua_streams_totals of the other side): what
     * has no end yet has it here. */
    struct skua_stream *next;
    for (struct skua_stream *stream = skua_streams_next(streams, NULL); stream != NULL;
         stream = next) {
        next = skua_streams_next(streams, stream);
        if (stream->recv.state == SKUA_RECV_OPEN) {
            skua_stream_recv_done(stream);
            (void)skua_streams_release(stream);
        }
    }
}

void skua_stream_refuse_rest(struct skua_stream *stream)
{
    struct skua_recv_side *recv = &stream->recv;
    if (recv->state == SKUA_RECV_OPEN && !recv->stop_asked && recv->highest > recv->buf.read) {
        recv->stop_asked = true;
        recv->code = SKUA_CODE_NO_ERROR;
        skua_stream_mark(stream, SKUA_STREAM_SENDS_STOP);
    }
}

void skua_streams_discard_all(struct skua_streams *streams)
{
    streams->discarding = true;
    struct skua_stream *next;
    for (struct skua_stream *stream = skua_streams_next(streams, NULL); stream != NULL;
         stream = next) {
        next = skua_streams_next(streams, stream);
        skua_stream_refuse_rest(stream);
        if (stream->announced) {
            skua_stream_throw_away(stream);
        } else {
            skua_streams_close(stream);
        }
    }
}
