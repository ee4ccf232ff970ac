/* What the files of this floor share among themselves. Upper floors include streams.h only. */
#ifndef SKUA_STREAM_INTERNAL_H
#define SKUA_STREAM_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "stream/streams.h"

/* An id's parts; see stream.h. */
enum { SKUA_STREAM_ID_BITS = 3, SKUA_STREAM_ID_MESSAGE = 4 };

SKUA_STATIC_ASSERT(SKUA_STREAM_COUNT_MAX <= UINT64_C(1) << (62 - SKUA_STREAM_ID_BITS),
                   "the id of each stream allowed fits a varint");

static inline uint64_t skua_stream_id_index(uint64_t id)
{
    return id >> SKUA_STREAM_ID_BITS;
}

static inline unsigned skua_stream_id_uni(uint64_t id)
{
    return (unsigned)(id >> 1 & 1);
}

static inline bool skua_stream_id_message(uint64_t id)
{
    return (id & SKUA_STREAM_ID_MESSAGE) != 0;
}

static inline bool skua_stream_is_message(const struct skua_stream *stream)
{
    return skua_stream_id_message(stream->id);
}

static inline bool skua_streams_is_own(const struct skua_streams *streams, uint64_t id)
{
    return (id & 1) == (streams->is_server ? 1u : 0u);
}

/* Offset up to which what was read counts for credit. */
static inline uint64_t skua_stream_taken(const struct skua_stream *stream)
{
    const struct skua_recv_side *recv = &stream->recv;
    return recv->buf.unordered ? skua_recv_pieces_taken(&recv->buf, recv->window.max)
                               : recv->buf.read;
}

/* --- streams.c: the table --- */

/* A living stream, or NULL. */
struct skua_stream *skua_streams_find(struct skua_streams *streams, uint64_t id);

/* A new stream in the table; NULL: no memory. */
struct skua_stream *skua_streams_create(struct skua_streams *streams, uint64_t id);

/* The next stream of ours of a direction, of bytes or of messages. NULL: no memory. */
struct skua_stream *skua_streams_create_own(struct skua_streams *streams, unsigned uni,
                                            bool message);

/* Which side of ours a frame of the peer's speaks to. */
enum skua_stream_side { SKUA_SIDE_SEND, SKUA_SIDE_RECV };

/* The stream that a frame of the peer's names, created (with all before it) where it is the peer's
 * and new. `*out` is NULL for one that is gone: the frame is to be ignored. */
enum skua_code skua_streams_locate(struct skua_streams *streams, uint64_t id,
                                   enum skua_stream_side side, struct skua_stream **out);

/* Frees `stream` if it is gone (stream.h); true then. */
bool skua_streams_release(struct skua_stream *stream);

/* Own streams that the peer's limit now allows begin to flow; others are blocked. */
void skua_streams_release_held(struct skua_streams *streams, unsigned uni);

/* Are own streams, open or refused, waiting for the peer's limit? */
bool skua_streams_wait(const struct skua_streams *streams, unsigned uni);

/* The limit of streams that could be announced to the peer. */
uint64_t skua_stream_kind_limit(const struct skua_stream_kind *kind);

/* Is most of the window that we grant for the connection used by what lies unread? */
static inline bool skua_streams_is_pressed(const struct skua_streams *streams)
{
    const struct skua_window *window = &streams->window;
    return streams->received - window->consumed >= window->size - window->size / 4;
}

/* --- sides.c: transitions of a stream's two sides --- */

/* To be called after any change of what a stream has to send. */
void skua_stream_update(struct skua_stream *stream);
/* A control frame of the stream's own, or of the connection, is to be sent. */
void skua_stream_mark(struct skua_stream *stream, enum skua_stream_control control);
void skua_streams_mark(struct skua_streams *streams, enum skua_streams_control control);

void skua_stream_do_finish(struct skua_stream *stream);
void skua_stream_do_reset(struct skua_stream *stream, uint64_t code);
/* The final size of the sending side cannot change any more. */
void skua_stream_fix(struct skua_stream *stream);
/* The sending side is over: its end, or its reset, is acknowledged. */
void skua_stream_send_done(struct skua_stream *stream);

/* Takes back credit up to the stream's offset `consumed`, for stream and connection, and for the
 * latter what messages are to have in advance. */
void skua_stream_credit(struct skua_stream *stream, uint64_t consumed);
/* The application has closed the connection and will not read what has come on this stream, and may
 * come: the peer should stop (RFC 2525 §2.17 in spirit: TCP says so by a RST). Only where bytes are
 * lost: the end of a stream that was read may just be on its way. */
void skua_stream_refuse_rest(struct skua_stream *stream);
/* Nobody will read: what is there and what comes is thrown away. */
void skua_stream_throw_away(struct skua_stream *stream);
/* Every byte up to the final size is there. */
void skua_stream_recv_done(struct skua_stream *stream);
/* Owes the peer a CONSUMED, where it asked for one and the application is done with the stream. */
void skua_stream_note_consumed(struct skua_stream *stream);
/* Puts `stream` on the list of those with borrowed bytes, or takes it off. */
void skua_stream_note_loans(struct skua_stream *stream);
/* Notes whether everything that the peer's FIN counts is there. May free streams. */
void skua_streams_note_complete(struct skua_streams *streams);

/* --- app.c --- */

/* Why nothing can be written, bytes or (`message`) messages; SKUA_OK where it can. */
enum skua_err skua_stream_write_error(const struct skua_stream *stream, bool message);
/* Bytes that the send buffer still takes. */
uint64_t skua_stream_room(const struct skua_stream *stream);
/* Bytes from offset `start` on were added. Do they wait until they fill a packet (`more`, or the
 * stream is corked)? They join what waits already, and leave with what does not. Where the buffer
 * took not `all` of them nothing can join any more. */
void skua_stream_note_written(struct skua_stream *stream, uint64_t start, bool more, bool all);
/* Bytes were taken off the buffer. */
void skua_stream_note_read(struct skua_stream *stream, uint64_t bytes);
/* What reading yields where there is nothing; SKUA_OK where there is. */
enum skua_err skua_stream_read_error(struct skua_stream *stream);

/* --- messages.c: of a stream that carries messages --- */

/* Is there a message whose length is known? */
bool skua_message_at_hand(const struct skua_stream *stream);
/* Can it be read: is it whole, or too long to wait for and something of it there? */
bool skua_message_ready(const struct skua_stream *stream);
/* Bytes of it that can be read now. */
uint64_t skua_message_readable(const struct skua_stream *stream);
/* Bytes of it that have not been read, arrived or not. */
uint64_t skua_message_left(const struct skua_stream *stream);
/* Bytes behind `read` that the connection is to credit in advance. */
uint32_t skua_message_prepaid(const struct skua_stream *stream);
/* Offset up to which the peer must be allowed to send; 0 = no more than the window. */
uint64_t skua_message_needs(const struct skua_stream *stream);
/* Bytes or an end have arrived: looks for the next length, checks the end, asks for credit. To be
 * followed by skua_stream_credit. */
void skua_message_advance(struct skua_stream *stream);
/* Bytes were taken off: is the message over? Then the next is at hand. To be followed by
 * skua_stream_credit. */
void skua_message_taken(struct skua_stream *stream);

/* --- fates.c --- */

/* The peer has every byte and the end. May free the stream, and set `failed`. */
void skua_stream_all_acked(struct skua_stream *stream);

/* --- events.c --- */

/* Owes the application an event, unless it has closed the stream. */
void skua_stream_raise(struct skua_stream *stream, enum skua_event_type type);
/* Is there something to read, or an end that the application has not been told of? */
bool skua_stream_is_readable(const struct skua_stream *stream);
/* No event of this stream any more. */
void skua_stream_quiet(struct skua_stream *stream);

#endif
