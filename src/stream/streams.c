/* The table of a connection's streams: ids, limits on their number, birth and end of the objects.
 *
 * Each kind of stream (bidirectional, unidirectional) of each side counts up from 0, and an id is
 * used once. So a stream is one of three: living (in the table), gone (index below the next one,
 * not in the table), or not yet opened. RFC 9000 §2.1, §3, §4.6. */
#include <string.h>

#include "base/assert.h"
#include "stream/internal.h"

/* So many streams are found by walking: a table would take more memory, and more time. */
enum { STREAMS_FEW = 4 };

void skua_streams_init(struct skua_streams *streams, const struct skua_streams_config *config)
{
    SKUA_ASSERT(config->blocks->block_size == SKUA_STREAM_BLOCK);
    memset(streams, 0, sizeof *streams);
    streams->mem.heap = config->heap;
    streams->mem.blocks = config->blocks;
    skua_nummap_init(&streams->table, config->heap, config->hash_key);
    skua_list_init(&streams->all);
    skua_list_init(&streams->events);
    skua_list_init(&streams->loans);
    skua_sched_init(&streams->sched);
    streams->is_server = config->is_server;
    streams->initial_stream_window = config->initial_max_stream;
    streams->max_stream_window = config->max_stream_window;
    streams->send_limit = config->send_limit;
    skua_window_init(&streams->window, config->initial_max_data, config->max_data_window);
    const uint32_t allowed[2] = {config->max_streams_bidi, config->max_streams_uni};
    for (unsigned uni = 0; uni < 2; uni++) {
        struct skua_stream_kind *kind = &streams->kinds[uni];
        kind->peer_max = allowed[uni];
        kind->peer_limit = allowed[uni];
        kind->peer_declared = UINT64_MAX;
    }
}

static void free_object(struct skua_stream *stream)
{
    struct skua_streams *streams = stream->streams;
    skua_sched_remove(&streams->sched, stream);
    skua_list_remove(&stream->all);
    skua_list_remove(&stream->events_node);
    skua_list_remove(&stream->loan);
    skua_send_buf_clear(&stream->send.buf, &streams->mem);
    skua_recv_buf_deinit(&stream->recv.buf, &streams->mem);
    if (streams->last == stream) {
        streams->last = NULL;
    }
    skua_heap_put(streams->mem.heap, stream, sizeof *stream);
}

void skua_streams_deinit(struct skua_streams *streams)
{
    struct skua_node *node;
    while ((node = skua_list_first(&streams->all)) != NULL) {
        free_object(SKUA_CONTAINER_OF(node, struct skua_stream, all));
    }
    skua_nummap_deinit(&streams->table);
}

struct skua_stream *skua_streams_next(const struct skua_streams *streams,
                                      const struct skua_stream *after)
{
    struct skua_node *node =
        after == NULL ? skua_list_first(&streams->all) : skua_list_next(&streams->all, &after->all);
    return node == NULL ? NULL : SKUA_CONTAINER_OF(node, struct skua_stream, all);
}

/* Under what a stream is found: its id with bit 0 as if we were the client, so that changing roles
 * moves nothing in the table. */
static uint64_t table_key(const struct skua_streams *streams, uint64_t id)
{
    return id ^ (streams->is_server ? 1u : 0u);
}

static struct skua_stream *walk_to(const struct skua_streams *streams, uint64_t id)
{
    struct skua_stream *stream = skua_streams_next(streams, NULL);
    while (stream != NULL && stream->id != id) {
        stream = skua_streams_next(streams, stream);
    }
    return stream;
}

struct skua_stream *skua_streams_find(struct skua_streams *streams, uint64_t id)
{
    if (streams->last != NULL && streams->last->id == id) {
        return streams->last;
    }
    struct skua_stream *stream = skua_nummap_count(&streams->table) == 0
                                     ? walk_to(streams, id)
                                     : skua_nummap_get(&streams->table, table_key(streams, id));
    if (stream != NULL) {
        streams->last = stream;
    }
    return stream;
}

/* The peer's credit for a new stream of ours or the peer's. */
static uint64_t first_limit(const struct skua_streams *streams, const struct skua_stream *stream)
{
    return streams->peer_initial[stream->uni ? 2 : stream->own ? 1 : 0];
}

/* After shutdown our side of a stream that the peer opens is finished, with size 0, from the start:
 * the peer infers it from FIN. */
static void begin_sending(struct skua_streams *streams, struct skua_stream *stream)
{
    struct skua_send_side *send = &stream->send;
    if (stream->uni && !stream->own) {
        send->state = SKUA_SEND_NONE;
        return;
    }
    send->limit = first_limit(streams, stream);
    if (streams->finishing) {
        send->state = SKUA_SEND_DONE;
        send->fixed = true;
        return;
    }
    send->state = SKUA_SEND_OPEN;
    streams->sides_open++;
    streams->sides_unacked++;
}

static void begin_receiving(struct skua_streams *streams, struct skua_stream *stream)
{
    struct skua_recv_side *recv = &stream->recv;
    recv->final = UINT64_MAX;
    if (stream->uni && stream->own) {
        recv->state = SKUA_RECV_NONE;
        return;
    }
    recv->state = SKUA_RECV_OPEN;
    skua_window_init(&recv->window, streams->initial_stream_window, streams->max_stream_window);
    if (streams->peer_complete) {
        /* The peer's FIN counts no byte of it. */
        skua_stream_recv_done(stream);
    }
}

/* Puts `stream`, not yet in `all`, into the table, where there is one or has to be one: all living
 * streams are in it, or none. SKUA_ENOMEM. */
static enum skua_err table_add(struct skua_streams *streams, struct skua_stream *stream)
{
    struct skua_nummap *table = &streams->table;
    bool begins = skua_nummap_count(table) == 0;
    if (begins && streams->count < STREAMS_FEW) {
        return SKUA_OK;
    }
    enum skua_err err = SKUA_OK;
    struct skua_stream *old = begins ? skua_streams_next(streams, NULL) : NULL;
    while (old != NULL && err == SKUA_OK) {
        err = skua_nummap_put(table, table_key(streams, old->id), old);
        old = skua_streams_next(streams, old);
    }
    if (err == SKUA_OK) {
        err = skua_nummap_put(table, table_key(streams, stream->id), stream);
    }
    if (err != SKUA_OK && begins) {
        skua_nummap_clear(table);
    }
    return err;
}

static void table_remove(struct skua_streams *streams, struct skua_stream *stream)
{
    if (skua_nummap_count(&streams->table) == 0) {
        return;
    }
    void *removed = skua_nummap_remove(&streams->table, table_key(streams, stream->id));
    SKUA_ASSERT(removed == stream);
    if (skua_nummap_count(&streams->table) == 0) {
        skua_nummap_clear(&streams->table);
    }
}

struct skua_stream *skua_streams_create(struct skua_streams *streams, uint64_t id)
{
    struct skua_stream *stream = skua_heap_get(streams->mem.heap, sizeof *stream);
    if (stream == NULL) {
        return NULL;
    }
    stream->id = id;
    if (table_add(streams, stream) != SKUA_OK) {
        skua_heap_put(streams->mem.heap, stream, sizeof *stream);
        return NULL;
    }
    streams->count++;
    stream->streams = streams;
    stream->own = skua_streams_is_own(streams, id);
    stream->uni = skua_stream_id_uni(id) != 0;
    skua_list_push_back(&streams->all, &stream->all);
    skua_sched_add(stream);
    skua_send_buf_init(&stream->send.buf);
    skua_recv_buf_init(&stream->recv.buf);
    begin_sending(streams, stream);
    begin_receiving(streams, stream);
    return stream;
}

bool skua_streams_release(struct skua_stream *stream)
{
    struct skua_streams *streams = stream->streams;
    bool sent = stream->send.state == SKUA_SEND_NONE || stream->send.state == SKUA_SEND_DONE;
    if (!stream->closed || !sent || stream->recv.state == SKUA_RECV_OPEN) {
        return false;
    }
    struct skua_stream_kind *kind = &streams->kinds[stream->uni];
    if (!stream->own) {
        kind->peer_gone++;
        uint64_t more = skua_stream_kind_limit(kind) - kind->peer_limit;
        if (more != 0 && (kind->peer_blocked || more >= kind->peer_max / 4)) {
            skua_streams_mark(streams, stream->uni ? SKUA_STREAMS_SENDS_MAX_UNI
                                                   : SKUA_STREAMS_SENDS_MAX_BIDI);
        }
    }
    table_remove(streams, stream);
    streams->count--;
    free_object(stream);
    return true;
}

uint64_t skua_stream_kind_limit(const struct skua_stream_kind *kind)
{
    uint64_t limit = kind->peer_gone + kind->peer_max;
    return limit < SKUA_STREAM_COUNT_MAX ? limit : SKUA_STREAM_COUNT_MAX;
}

/* A stream that the peer has just opened. */
static void welcome(struct skua_stream *stream)
{
    if (stream->streams->discarding) {
        stream->closed = true;
        skua_stream_do_finish(stream);
        skua_stream_throw_away(stream);
    } else {
        skua_stream_raise(stream, SKUA_EVENT_STREAM);
    }
}

/* RFC 9000 §3.2: opening a stream opens all lower-numbered ones of its kind. */
static enum skua_code open_up_to(struct skua_streams *streams, uint64_t id)
{
    struct skua_stream_kind *kind = &streams->kinds[skua_stream_id_uni(id)];
    uint64_t index = skua_stream_id_index(id);
    if (index >= kind->peer_limit) {
        return SKUA_CODE_STREAM_LIMIT;
    }
    if (index >= kind->peer_declared) {
        return SKUA_CODE_CLOSE_TOTALS;
    }
    uint64_t low_bits = id & ((1u << SKUA_STREAM_ID_BITS) - 1);
    while (kind->peer_next <= index) {
        struct skua_stream *stream =
            skua_streams_create(streams, kind->peer_next << SKUA_STREAM_ID_BITS | low_bits);
        if (stream == NULL) {
            return SKUA_CODE_MEMORY;
        }
        kind->peer_next++;
        welcome(stream);
    }
    return SKUA_CODE_NO_ERROR;
}

enum skua_code skua_streams_locate(struct skua_streams *streams, uint64_t id,
                                   enum skua_stream_side side, struct skua_stream **out)
{
    bool own = skua_streams_is_own(streams, id);
    bool uni = skua_stream_id_uni(id) != 0;
    const struct skua_stream_kind *kind = &streams->kinds[uni];
    *out = NULL;
    /* RFC 9000 §19.4, §19.5, §19.8, §19.10, §19.13: not for a side that does not exist. */
    if ((id & SKUA_STREAM_ID_MESSAGE) != 0 || (uni && own != (side == SKUA_SIDE_SEND))) {
        return SKUA_CODE_STREAM_STATE;
    }
    if (own) {
        if (skua_stream_id_index(id) >= kind->own_released) {
            return SKUA_CODE_STREAM_STATE;
        }
    } else if (skua_stream_id_index(id) >= kind->peer_next) {
        enum skua_code code = open_up_to(streams, id);
        if (code != SKUA_CODE_NO_ERROR) {
            return code;
        }
    }
    *out = skua_streams_find(streams, id);
    return SKUA_CODE_NO_ERROR;
}

bool skua_streams_wait(const struct skua_streams *streams, unsigned uni)
{
    const struct skua_stream_kind *kind = &streams->kinds[uni];
    return streams->peer_known && (kind->open_refused || kind->own_released < kind->own_next) &&
           kind->own_next >= kind->own_limit;
}

void skua_streams_release_held(struct skua_streams *streams, unsigned uni)
{
    struct skua_stream_kind *kind = &streams->kinds[uni];
    while (kind->own_released < kind->own_next && kind->own_released < kind->own_limit) {
        uint64_t id = kind->own_released << SKUA_STREAM_ID_BITS | (uint64_t)uni << 1 |
                      (streams->is_server ? 1u : 0u);
        kind->own_released++;
        struct skua_stream *stream = skua_streams_find(streams, id);
        /* A held stream cannot be gone: nothing of it was acknowledged. */
        SKUA_ASSERT(stream != NULL && stream->held);
        stream->held = false;
        skua_stream_update(stream);
    }
    if (kind->open_refused && kind->own_next < kind->own_limit) {
        kind->open_refused = false;
        streams->streams_event = true;
    }
    enum skua_streams_control control =
        uni == SKUA_STREAM_UNI ? SKUA_STREAMS_SENDS_BLOCKED_UNI : SKUA_STREAMS_SENDS_BLOCKED_BIDI;
    if (!skua_streams_wait(streams, uni)) {
        streams->sends &= (uint8_t)~control;
    } else if (!kind->blocked_said) {
        kind->blocked_said = true;
        skua_streams_mark(streams, control);
    }
}

void skua_streams_become_server(struct skua_streams *streams)
{
    SKUA_ASSERT(!streams->peer_known && !streams->is_server);
    streams->is_server = true;
    for (struct skua_stream *stream = skua_streams_next(streams, NULL); stream != NULL;
         stream = skua_streams_next(streams, stream)) {
        stream->id |= 1; /* ours, all of them; none has been named to the peer */
    }
}

void skua_streams_set_peer_limits(struct skua_streams *streams,
                                  const struct skua_transport_params *params)
{
    SKUA_ASSERT(!streams->peer_known);
    streams->peer_known = true;
    streams->peer_initial[0] = params->initial_max_stream_data_bidi_local;
    streams->peer_initial[1] = params->initial_max_stream_data_bidi_remote;
    streams->peer_initial[2] = params->initial_max_stream_data_uni;
    streams->send_max = params->initial_max_data;
    for (struct skua_stream *stream = skua_streams_next(streams, NULL); stream != NULL;
         stream = skua_streams_next(streams, stream)) {
        stream->send.limit = first_limit(streams, stream);
    }
    (void)skua_streams_on_max_streams(streams, SKUA_STREAM_BIDI, params->initial_max_streams_bidi);
    (void)skua_streams_on_max_streams(streams, SKUA_STREAM_UNI, params->initial_max_streams_uni);
}
