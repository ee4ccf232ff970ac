/* The table of a connection's streams: ids, limits on their number, birth and end of the objects.
 *
 * Each kind of stream (bidirectional, unidirectional; of bytes, of messages) of each side counts up
 * from 0, and an id is used once. So a stream is one of three: living (in the table), gone (index
 * below the next one, not in the table), or not yet opened. Limits count a direction, bytes and
 * messages together. RFC 9000 §2.1, §3, §4.6. */
#include <string.h>

#include "base/assert.h"
#include "stream/internal.h"

/* So many streams are found by walking: a table would take more memory, and more time. */
enum { STREAMS_FEW = 4 };

/* A message's length must fit into a stream's window. */
enum { MESSAGE_WINDOW_MIN = 8 };

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
    SKUA_ASSERT(config->initial_max_stream <= UINT32_MAX);
    streams->initial_stream_window = (uint32_t)config->initial_max_stream;
    streams->max_stream_window = config->max_stream_window;
    streams->max_message = config->max_message < config->max_stream_window
                               ? config->max_message
                               : (uint32_t)config->max_stream_window;
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
    if (streams->messages != NULL) {
        skua_heap_put(streams->mem.heap, streams->messages, sizeof *streams->messages);
    }
}

bool skua_streams_midway(const struct skua_streams *streams)
{
    const struct skua_stream *stream = skua_streams_next(streams, NULL);
    while (stream != NULL && (stream->recv.state != SKUA_RECV_OPEN || stream->recv.highest == 0)) {
        stream = skua_streams_next(streams, stream);
    }
    return stream != NULL;
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
    if (skua_stream_is_message(stream) && recv->window.max < MESSAGE_WINDOW_MIN) {
        recv->window.max = MESSAGE_WINDOW_MIN;
    }
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

/* Makes room to count message streams. False: no memory. */
static bool need_messages(struct skua_streams *streams)
{
    if (streams->messages == NULL) {
        streams->messages = skua_heap_get(streams->mem.heap, sizeof *streams->messages);
    }
    return streams->messages != NULL;
}

static uint64_t make_id(uint64_t index, unsigned uni, bool message, bool server)
{
    return index << SKUA_STREAM_ID_BITS | (message ? (uint64_t)SKUA_STREAM_ID_MESSAGE : 0) |
           (uint64_t)uni << 1 | (server ? 1u : 0u);
}

struct skua_stream *skua_streams_create_own(struct skua_streams *streams, unsigned uni,
                                            bool message)
{
    if (message && !need_messages(streams)) {
        return NULL;
    }
    struct skua_stream_kind *kind = &streams->kinds[uni];
    uint64_t messages = streams->messages != NULL ? streams->messages->kinds[uni].own_next : 0;
    uint64_t index = message ? messages : kind->own_next - messages;
    struct skua_stream *stream =
        skua_streams_create(streams, make_id(index, uni, message, streams->is_server));
    if (stream != NULL) {
        kind->own_next++;
        if (message) {
            streams->messages->kinds[uni].own_next++;
        }
    }
    return stream;
}

bool skua_streams_release(struct skua_stream *stream)
{
    struct skua_streams *streams = stream->streams;
    bool sent = stream->send.state == SKUA_SEND_NONE || stream->send.state == SKUA_SEND_DONE;
    if (!stream->closed || !sent || stream->recv.state == SKUA_RECV_OPEN ||
        stream->report == SKUA_REPORT_OWED) {
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

/* Index of the peer's next stream of the kind that `id` is of. */
static uint64_t peer_index(const struct skua_streams *streams, uint64_t id)
{
    unsigned uni = skua_stream_id_uni(id);
    uint64_t messages = streams->messages != NULL ? streams->messages->kinds[uni].peer_next : 0;
    return skua_stream_id_message(id) ? messages : streams->kinds[uni].peer_next - messages;
}

/* Streams of ours of that kind that may be named by the peer. */
static uint64_t own_index(const struct skua_streams *streams, uint64_t id)
{
    unsigned uni = skua_stream_id_uni(id);
    uint64_t messages = streams->messages != NULL ? streams->messages->kinds[uni].own_released : 0;
    return skua_stream_id_message(id) ? messages : streams->kinds[uni].own_released - messages;
}

/* RFC 9000 §3.2: opening a stream opens all lower-numbered ones of its kind. */
static enum skua_code open_up_to(struct skua_streams *streams, uint64_t id)
{
    unsigned uni = skua_stream_id_uni(id);
    bool message = skua_stream_id_message(id);
    struct skua_stream_kind *kind = &streams->kinds[uni];
    uint64_t next = peer_index(streams, id);
    uint64_t more = skua_stream_id_index(id) - next + 1;
    if (more > kind->peer_limit - kind->peer_next) {
        return SKUA_CODE_STREAM_LIMIT;
    }
    if (more > kind->peer_declared - kind->peer_next) {
        return SKUA_CODE_CLOSE_TOTALS;
    }
    if (message && !need_messages(streams)) {
        return SKUA_CODE_MEMORY;
    }
    for (; more != 0; more--) {
        struct skua_stream *stream =
            skua_streams_create(streams, make_id(next++, uni, message, !streams->is_server));
        if (stream == NULL) {
            return SKUA_CODE_MEMORY;
        }
        kind->peer_next++;
        if (message) {
            streams->messages->kinds[uni].peer_next++;
        }
        welcome(stream);
    }
    return SKUA_CODE_NO_ERROR;
}

enum skua_code skua_streams_locate(struct skua_streams *streams, uint64_t id,
                                   enum skua_stream_side side, struct skua_stream **out)
{
    bool own = skua_streams_is_own(streams, id);
    bool uni = skua_stream_id_uni(id) != 0;
    *out = NULL;
    /* RFC 9000 §19.4, §19.5, §19.8, §19.10, §19.13: not for a side that does not exist. */
    if (uni && own != (side == SKUA_SIDE_SEND)) {
        return SKUA_CODE_STREAM_STATE;
    }
    if (own) {
        if (skua_stream_id_index(id) >= own_index(streams, id)) {
            return SKUA_CODE_STREAM_STATE;
        }
    } else if (skua_stream_id_index(id) >= peer_index(streams, id)) {
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

/* The peer allows one more of a direction, and `stream` is the oldest that is held. */
static void release_one(struct skua_stream *stream)
{
    struct skua_streams *streams = stream->streams;
    streams->kinds[stream->uni].own_released++;
    if (skua_stream_is_message(stream)) {
        streams->messages->kinds[stream->uni].own_released++;
    }
    stream->held = false;
    skua_stream_update(stream);
}

/* The oldest held stream of a direction, of which there is one. Streams are in the order of their
 * birth, so of each kind the lower ids come first; mostly it is the one that was just opened. */
static struct skua_stream *oldest_held(const struct skua_streams *streams, unsigned uni)
{
    const struct skua_stream_kind *kind = &streams->kinds[uni];
    struct skua_node *last = skua_list_last(&streams->all);
    struct skua_stream *stream = SKUA_CONTAINER_OF(last, struct skua_stream, all);
    if (kind->own_next - kind->own_released > 1 || !stream->held || stream->uni != (uni != 0)) {
        stream = skua_streams_next(streams, NULL);
        while (!stream->held || stream->uni != (uni != 0)) {
            stream = skua_streams_next(streams, stream);
            SKUA_ASSERT(stream != NULL); /* a held stream cannot be gone: nothing of it was sent */
        }
    }
    return stream;
}

void skua_streams_release_held(struct skua_streams *streams, unsigned uni)
{
    struct skua_stream_kind *kind = &streams->kinds[uni];
    while (kind->own_released < kind->own_next && kind->own_released < kind->own_limit) {
        release_one(oldest_held(streams, uni));
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
