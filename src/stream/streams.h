/* All streams of a connection: the one header that upper floors need.
 *
 * This floor knows nothing of packets, connections and clocks. It takes frames in, fills frames
 * out, hears the fate of what it sent by records, and does what the application asks. A violation
 * by the peer comes back as the enum skua_code with which the connection is to be reset
 * (SKUA_CODE_NO_ERROR: all is well). RFC 9000 §2 to §4, §19; docs/protocol.md, "Streams" and
 * "Closing".
 *
 * Credit ledger, asserted by skua_streams_check: what the peer has used of the connection's credit
 * is the sum of the highest offsets of all its streams; what was given back is the sum of what was
 * read, thrown away or given up; the difference is what lies unread in living streams. Whatever
 * ends a stream, its credit comes back.
 *
 * Memory that a peer can cause: bytes up to the connection's window (with 4 KiB blocks: plus up to
 * two blocks per stream; and for each message stream one message of up to max_message bytes),
 * SKUA_LIMIT_RECV_GAPS ranges, and an object of sizeof(struct skua_stream)
 * for each stream that it is allowed to have open. What the application can cause: its writes, up
 * to the send limit per stream. */
#ifndef SKUA_STREAM_STREAMS_H
#define SKUA_STREAM_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/cursor.h"
#include "base/list.h"
#include "base/map.h"
#include "base/record.h"
#include "stream/mem.h"
#include "stream/sched.h"
#include "stream/stream.h"
#include "stream/window.h"
#include "wire/frame.h"
#include "wire/params.h"

/* Sensible first windows, for the transport parameters; they grow by themselves. */
#define SKUA_STREAMS_INITIAL_STREAM_WINDOW (UINT64_C(256) << 10)
#define SKUA_STREAMS_INITIAL_DATA_WINDOW   (UINT64_C(384) << 10)

/* Streams of one kind that may be opened before the peer's limit is known. */
enum { SKUA_STREAMS_OPEN_EARLY = 128 };

/* Settings of skua_streams_init; copied. */
struct skua_streams_config {
    bool is_server;              /* our streams have bit 0 set */
    struct skua_heap *heap;      /* outlives the streams */
    struct skua_blocks *blocks;  /* pool of SKUA_STREAM_BLOCK bytes; outlives the streams */
    const uint8_t *hash_key;     /* SKUA_MAP_KEY_LEN bytes; copied */
    uint64_t initial_max_data;   /* as in our transport parameters; at most max_data_window */
    uint64_t initial_max_stream; /* the same for every stream of any kind */
    uint64_t max_data_window;    /* largest window of the connection, bytes */
    uint64_t max_stream_window;  /* largest window of a stream, bytes */
    uint32_t max_streams_bidi;   /* the peer's, open at a time; as in our transport parameters */
    uint32_t max_streams_uni;
    uint32_t max_message; /* messages up to this length are held until they are whole, as far as
                             max_stream_window goes */
    uint64_t send_limit;  /* most that a stream keeps of written bytes, first value */
};

/* Streams of one direction (bidirectional or unidirectional), by who opened them; of bytes and of
 * messages together, as limits count them. */
struct skua_stream_kind {
    uint64_t own_next;      /* own streams opened */
    uint64_t own_limit;     /* own streams that the peer allows */
    uint64_t own_released;  /* own streams no longer held: the oldest so many */
    uint64_t peer_next;     /* peer's streams opened */
    uint64_t peer_gone;     /* ... of which so many are gone */
    uint64_t peer_limit;    /* limit that the peer was last told */
    uint64_t peer_declared; /* how many the peer's FIN counts; UINT64_MAX = not known */
    uint32_t peer_max;      /* peer's streams allowed to be open at a time */
    bool open_refused;      /* skua_streams_open said SKUA_EAGAIN: STREAMS is owed */
    bool blocked_said;      /* STREAMS_BLOCKED for the present limit was sent */
    bool peer_blocked;      /* the peer waits at peer_limit */
};

/* Of these, message streams: their ids count by themselves. */
struct skua_message_kind {
    uint64_t own_next;     /* as in struct skua_stream_kind */
    uint64_t own_released; /* the same */
    uint64_t peer_next;    /* the same */
};

/* What a connection with message streams needs beside. */
struct skua_message_state {
    struct skua_message_kind kinds[2]; /* by direction */
    uint64_t prepaid;                  /* sum over the streams: messages.c */
};

/* Connection-wide frames that are to be sent: each at most once, with the value of the moment. */
enum skua_streams_control {
    SKUA_STREAMS_SENDS_MAX_DATA = 1,
    SKUA_STREAMS_SENDS_MAX_BIDI = 2,
    SKUA_STREAMS_SENDS_MAX_UNI = 4,
    SKUA_STREAMS_SENDS_BLOCKED = 8,
    SKUA_STREAMS_SENDS_BLOCKED_BIDI = 16,
    SKUA_STREAMS_SENDS_BLOCKED_UNI = 32
};

/* Members are private to this floor. */
struct skua_streams {
    struct skua_stream_mem mem;
    struct skua_nummap table; /* living streams by id; empty where they are few enough to walk */
    struct skua_stream *last; /* the one looked up last, or NULL */
    struct skua_node all;     /* living streams, in order of their birth */
    struct skua_node events;  /* streams with events */
    struct skua_node loans;   /* streams with borrowed bytes */
    struct skua_sched sched;
    struct skua_stream_kind kinds[2];    /* by enum SKUA_STREAM_BIDI, SKUA_STREAM_UNI */
    struct skua_message_state *messages; /* from the first message stream on; NULL before */
    uint32_t count;                      /* living streams */
    bool is_server;
    bool peer_known;      /* the peer's limits are known */
    bool finishing;       /* skua_streams_finish_all was called */
    bool discarding;      /* skua_streams_discard_all was called */
    bool blocked_said;    /* DATA_BLOCKED for the present limit was sent */
    bool streams_event;   /* STREAMS is to be reported */
    bool peer_declared;   /* the peer's FIN has come */
    bool peer_complete;   /* ... and everything that it counts */
    bool failed;          /* memory ran out where a fate could not be noted */
    bool cut;             /* the peer ended a stream inside a message */
    bool pressed;         /* the peer's credit was used up by what lies unread: see announce_data */
    uint8_t sends;        /* bits of enum skua_streams_control */
    uint32_t max_message; /* longest message to be held until it is whole */
    uint32_t initial_stream_window; /* ours, per stream */
    uint64_t max_stream_window;     /* the same, at most */
    uint64_t peer_initial[3];  /* the peer's first credit: its bidi, our bidi, our uni streams */
    uint64_t send_limit;       /* bytes that a stream keeps */
    uint64_t send_max;         /* the peer's credit for the connection */
    uint64_t sent;             /* of which used: sum of all streams' `next` */
    uint64_t resent;           /* bytes sent again */
    uint64_t send_buffered;    /* written, not yet acknowledged in order, all streams */
    uint64_t finals;           /* sum of the final sizes of our sides that are fixed */
    uint32_t sides_open;       /* sending sides whose final size is not yet fixed */
    uint32_t sides_unacked;    /* sending sides not yet acknowledged */
    struct skua_window window; /* the credit that we grant for the connection */
    uint64_t received;         /* of which used: sum of all streams' `highest` */
    uint64_t arrived;          /* bytes that arrived or were given up by a reset, each once */
    uint64_t delivered;        /* bytes that the application has read */
    uint64_t given_up;         /* of `arrived`, what a reset said will not come */
    uint64_t peer_total;       /* sum of final sizes in the peer's FIN */
    uint32_t packet_room;      /* bytes for frames in a full packet */
    uint32_t reports;          /* CONSUMED frames owed and not yet acknowledged */
};

/* --- life --- */

/* Cannot fail; owns no memory before there is a stream. `streams` must not move. */
void skua_streams_init(struct skua_streams *streams, const struct skua_streams_config *config);
/* Frees every stream, whatever its state. Handles are the owner's business: walk first. */
void skua_streams_deinit(struct skua_streams *streams);

/* A rendezvous has made the accepting side of us: our streams have bit 0 set from now on, those
 * that were opened already included. Before skua_streams_set_peer_limits. */
void skua_streams_become_server(struct skua_streams *streams);

/* The peer's transport parameters are authentic. Called once; streams opened and written before
 * begin to flow. */
void skua_streams_set_peer_limits(struct skua_streams *streams,
                                  const struct skua_transport_params *params);

/* Walk over the living streams: the first (`after` NULL) or next one, or NULL. The present one must
 * not be closed before the next was asked for. */
struct skua_stream *skua_streams_next(const struct skua_streams *streams,
                                      const struct skua_stream *after);

/* Memory ran out where the fate of a packet had to be noted: nothing is wrong in memory, but some
 * byte would never be sent again. The connection is to be ended with SKUA_ENOMEM. Sticky. */
static inline bool skua_streams_failed(const struct skua_streams *streams)
{
    return streams->failed;
}

/* A stream ended inside a message: the connection is to be ended with SKUA_CODE_FINAL_SIZE. Sticky.
 */
static inline bool skua_streams_cut(const struct skua_streams *streams)
{
    return streams->cut;
}

/* --- frames in: the peer's, from authentic packets --- */

/* `borrowed`: `frame->data` stays valid until skua_streams_settle. SKUA_CODE_MEMORY also where our
 * own memory ran out. */
enum skua_code skua_streams_on_stream(struct skua_streams *streams,
                                      const struct skua_stream_frame *frame, bool borrowed);
enum skua_code skua_streams_on_reset_stream(struct skua_streams *streams, uint64_t id,
                                            uint64_t code, uint64_t final_size);
enum skua_code skua_streams_on_stop_sending(struct skua_streams *streams, uint64_t id,
                                            uint64_t code);
/* The stream ends at `final_size`, and its sender wants to hear when it was read. */
enum skua_code skua_streams_on_confirm_read(struct skua_streams *streams, uint64_t id,
                                            uint64_t final_size);
/* The peer's application has read our stream up to `offset`, and will read no more. */
enum skua_code skua_streams_on_consumed(struct skua_streams *streams, uint64_t id, uint64_t offset);
enum skua_code skua_streams_on_max_data(struct skua_streams *streams, uint64_t max);
enum skua_code skua_streams_on_max_stream_data(struct skua_streams *streams, uint64_t id,
                                               uint64_t max);
/* `uni`: SKUA_STREAM_BIDI or SKUA_STREAM_UNI. */
enum skua_code skua_streams_on_max_streams(struct skua_streams *streams, unsigned uni,
                                           uint64_t max);
enum skua_code skua_streams_on_data_blocked(struct skua_streams *streams, uint64_t limit);
enum skua_code skua_streams_on_stream_data_blocked(struct skua_streams *streams, uint64_t id,
                                                   uint64_t limit);
enum skua_code skua_streams_on_streams_blocked(struct skua_streams *streams, unsigned uni,
                                               uint64_t limit);

/* Is there a stream of which bytes have arrived, but not all? Time is proportional to the number of
 * streams. */
bool skua_streams_midway(const struct skua_streams *streams);

/* Is anything borrowed? Constant time. */
static inline bool skua_streams_has_loans(const struct skua_streams *streams)
{
    return !skua_list_empty(&streams->loans);
}
/* Ends the loan of receive buffers: what was not read is copied. Costs nothing where nothing is
 * borrowed. SKUA_ENOMEM: bytes that may already be acknowledged are lost, the connection cannot go
 * on. */
enum skua_err skua_streams_settle(struct skua_streams *streams);

/* --- early data: early.c --- */

/* Client, before the peer's limits are known: writes the first bytes of its streams, with at most
 * `max` records for skua_streams_early_taken. Nothing counts as sent. Returns how many. */
size_t skua_streams_early_write(struct skua_streams *streams, struct skua_writer *w,
                                struct skua_record *records, size_t max);
/* ... and after skua_streams_set_peer_limits: the server has taken what these records say.
 * SKUA_CODE_PARAMETER where it has announced less. */
enum skua_code skua_streams_early_taken(struct skua_streams *streams,
                                        const struct skua_record *records, size_t count);
/* Server: whether early data are well-formed and within the limits that `own` announces: STREAM
 * frames from offset 0 of streams that the client may open, and PADDING. */
bool skua_streams_early_fit(const uint8_t *frames, size_t len,
                            const struct skua_transport_params *own);
/* One frame of such early data; its bytes are copied. */
enum skua_code skua_streams_on_early(struct skua_streams *streams,
                                     const struct skua_stream_frame *frame);

/* --- frames out --- */

/* Would skua_streams_write_frames put something into an empty packet? Constant time. */
bool skua_streams_wants_send(const struct skua_streams *streams);

/* Puts as many frames as fit, and at most `max` records for them, one each. Everything written is
 * considered sent: each record must come back through on_acked or on_lost (or never, where the
 * connection ends).
 *
 * `w->end` must be the end of the packet's payload: a STREAM frame that fills it exactly carries no
 * length, and nothing may follow it then. Nothing is written where only a splinter of data would
 * fit (below 16 bytes, unless it ends the data). Returns how many records were filled.
 *
 * `rtt_ns` is the smoothed RTT, 0 where unknown: it tunes the windows. */
size_t skua_streams_write_frames(struct skua_streams *streams, struct skua_writer *w,
                                 struct skua_record *records, size_t max, skua_time rtt_ns,
                                 skua_time now);

/* Fate of a frame: acknowledged, or in a packet declared lost (what is still wanted is sent again).
 * To repeat what is in flight without a loss (a probe, RFC 9002 §6.2.4) call on_lost with a copy of
 * its record. Records of other frames are ignored. */
void skua_streams_on_acked(struct skua_streams *streams, const struct skua_record *record);
void skua_streams_on_lost(struct skua_streams *streams, const struct skua_record *record);

/* How many bytes a stream keeps of what was written; conn/ lets it follow the congestion window. */
void skua_streams_set_send_limit(struct skua_streams *streams, uint64_t bytes);

/* Bytes for frames in a full packet as conn/ makes them now: what gathers under a cork waits to
 * fill one. */
void skua_streams_set_packet_room(struct skua_streams *streams, uint32_t bytes);

/* Is the peer's credit (for data or streams) all that keeps something from being sent? While this
 * is so and nothing is in flight, repeat_blocked is to be called now and then: the update that
 * would end it may have been lost. */
bool skua_streams_blocked(const struct skua_streams *streams);
/* Says again that credit is missing: DATA_BLOCKED, STREAM_DATA_BLOCKED, STREAMS_BLOCKED. */
void skua_streams_repeat_blocked(struct skua_streams *streams);

/* --- the application's side; errors as in skua.h --- */

/* A new stream of ours, with user pointer and handle 0; `flags` as skua_stream_open's. SKUA_EAGAIN
 * (the STREAMS event follows), SKUA_ESTATE after finish_all, SKUA_ENOMEM. */
enum skua_err skua_streams_open(struct skua_streams *streams, unsigned flags,
                                struct skua_stream **out);
/* `more`: the rest that fills no packet may wait for more (SKUA_MORE). */
enum skua_err skua_streams_write_more(struct skua_stream *stream, const void *data, size_t len,
                                      bool more, size_t *written);
static inline enum skua_err skua_streams_write(struct skua_stream *stream, const void *data,
                                               size_t len, size_t *written)
{
    return skua_streams_write_more(stream, data, len, false, written);
}
enum skua_err skua_streams_cork(struct skua_stream *stream, bool corked);
/* Lends below 1 KiB are copied. */
enum skua_err skua_streams_lend(struct skua_stream *stream, const void *data, size_t len);
enum skua_err skua_streams_finish(struct skua_stream *stream);
enum skua_err skua_streams_finish_confirm(struct skua_stream *stream);
enum skua_err skua_streams_reset(struct skua_stream *stream, uint64_t code);
enum skua_err skua_streams_stop(struct skua_stream *stream, uint64_t code);
enum skua_err skua_streams_read(struct skua_stream *stream, void *out, size_t len, size_t *read);
enum skua_err skua_streams_peek(struct skua_stream *stream, struct skua_vec *vec, size_t *count);
enum skua_err skua_streams_consume(struct skua_stream *stream, size_t len);
/* SKUA_ENOMEM: nothing changed. */
enum skua_err skua_streams_set_priority(struct skua_stream *stream, unsigned urgency,
                                        bool incremental);
enum skua_err skua_streams_set_unordered(struct skua_stream *stream);
enum skua_err skua_streams_read_piece(struct skua_stream *stream, void *out, size_t len,
                                      uint64_t *offset, size_t *read);
enum skua_err skua_streams_peek_pieces(struct skua_stream *stream, struct skua_piece *pieces,
                                       size_t *count);
enum skua_err skua_streams_send_message(struct skua_stream *stream, const void *data, size_t len);
enum skua_err skua_streams_recv_message(struct skua_stream *stream, void *out, size_t cap,
                                        size_t *len);
/* The handle is released; the object lives on until it is gone, which may be at once: the pointer
 * is not valid any more. */
void skua_streams_close(struct skua_stream *stream);
void skua_streams_info(const struct skua_stream *stream, struct skua_stream_info *out);

/* --- events --- */

/* The next event: STREAM, READABLE, WRITABLE, STOPPED, ACKED, CONSUMED or DISCARDED of a stream, or
 * STREAMS (`*stream` is NULL). One stream's events come one at a time, STREAM first: then the owner
 * gives it a handle. Of ACKED, the offset is info.acked; of STOPPED, the code is
 * stream->send.code; of CONSUMED and DISCARDED, the offset is there. No events of a closed
 * stream. */
bool skua_streams_next_event(struct skua_streams *streams, struct skua_stream **stream,
                             enum skua_event_type *type);
/* Might there be one? May be true where next_event finds that it was taken care of meanwhile. */
static inline bool skua_streams_has_event(const struct skua_streams *streams)
{
    return streams->streams_event || !skua_list_empty(&streams->events);
}

/* --- end of the connection --- */

/* Shutdown: finishes every open sending side; no stream can be opened any more, and our side of a
 * bidirectional stream that the peer opens later counts as finished with size 0, of which nothing
 * is sent (the peer infers it from our FIN). Idempotent. */
void skua_streams_finish_all(struct skua_streams *streams);

/* What our FIN frame says. */
struct skua_streams_totals {
    uint64_t bidi;  /* bidirectional streams that we opened */
    uint64_t uni;   /* unidirectional ones */
    uint64_t total; /* sum of the final sizes of all our sending sides, the peer's bidirectional
                       streams included; a side that was reset counts with RESET_STREAM's size */
};

/* After finish_all: false until each sending side has sent its end, or its RESET_STREAM or
 * CONFIRM_READ is acknowledged, and each CONSUMED that is owed as well. From then on the totals
 * cannot change, and only repeats follow: FIN may be sent. (RESET_STREAM and CONFIRM_READ are
 * waited for, since the receiver of FIN takes a stream of which every byte but no end has arrived
 * for finished. CONSUMED is, since the FIN may end the connection at its receiver.) */
bool skua_streams_totals(const struct skua_streams *streams, struct skua_streams_totals *out);

/* Is every sending side acknowledged, end or reset included? Constant time. */
static inline bool skua_streams_all_sent_acked(const struct skua_streams *streams)
{
    return streams->sides_unacked == 0;
}

/* The peer's FIN frame: SKUA_CODE_CLOSE_TOTALS where it contradicts what has arrived or an earlier
 * FIN. Frames that exceed it are violations from now on. */
enum skua_code skua_streams_set_peer_totals(struct skua_streams *streams,
                                            const struct skua_streams_totals *totals);

/* Have all streams and bytes that the peer's FIN counts arrived? When that comes true, the end of
 * streams whose FIN bit has not been seen is inferred (and READABLE raised). Constant time. */
static inline bool skua_streams_peer_complete(const struct skua_streams *streams)
{
    return streams->peer_complete;
}

/* The reader has lost interest: unread and later bytes of every stream are thrown away (and
 * counted, and credited); streams that the peer opens later are not reported. Streams with a handle
 * still report what concerns their sending side. */
void skua_streams_discard_all(struct skua_streams *streams);

/* --- for statistics and tests --- */

struct skua_streams_stats {
    uint64_t sent;          /* application bytes, first transmissions */
    uint64_t resent;        /* later transmissions */
    uint64_t received;      /* arrived, each byte once */
    uint64_t delivered;     /* read by the application */
    uint64_t given_up;      /* of `arrived`, what a reset said will not come */
    uint64_t send_buffered; /* written, not yet acknowledged */
    uint64_t recv_buffered; /* arrived, not yet read; gaps count */
    uint64_t send_credit;   /* the peer's credit left on the connection */
    uint64_t recv_window;   /* window granted to the peer */
    uint64_t open;          /* living streams */
};
void skua_streams_stats(const struct skua_streams *streams, struct skua_streams_stats *out);

/* Asserts the invariants of every stream and the credit ledger. */
void skua_streams_check(const struct skua_streams *streams);

#endif
