/* One table of streams with the peer played by the test: frames in by hand, frames out decoded. */
#ifndef SKUA_TESTS_STREAM_TABLE_H
#define SKUA_TESTS_STREAM_TABLE_H

#include "unit.h"

#include <stdlib.h>

#include "base/limits.h"
#include "stream/streams.h"

enum { TABLE_PACKET = 1200, TABLE_FRAMES = 32 };

struct table {
    struct skua_heap heap;
    struct skua_blocks blocks;
    struct skua_streams streams;
    uint8_t packet[TABLE_PACKET];
    struct skua_record records[TABLE_FRAMES]; /* of the last packet */
    struct skua_frame frames[TABLE_FRAMES];   /* of the last packet */
    size_t count;                             /* how many */
    skua_time now;
};

/* Ids by number, as in stream.h. */
static inline uint64_t id_of(uint64_t index, unsigned uni, unsigned server)
{
    return index << 3 | (uint64_t)uni << 1 | server;
}

/* A client; window 1,000 per stream and 2,500 for the connection, growing to 8,000 and 20,000; four
 * streams of each direction; messages of up to 600 bytes are held; the peer allows the same. */
static inline struct skua_streams_config table_config(struct table *t)
{
    static const uint8_t hash_key[SKUA_MAP_KEY_LEN] = {9};
    return (struct skua_streams_config){
        .is_server = false,
        .heap = &t->heap,
        .blocks = &t->blocks,
        .hash_key = hash_key,
        .initial_max_data = 2500,
        .initial_max_stream = 1000,
        .max_data_window = 20000,
        .max_stream_window = 8000,
        .max_streams_bidi = 4,
        .max_streams_uni = 4,
        .max_message = 600,
        .send_limit = 100000,
    };
}

static inline struct skua_transport_params table_params(void)
{
    return (struct skua_transport_params){
        .initial_max_data = 2500,
        .initial_max_stream_data_bidi_local = 1000,
        .initial_max_stream_data_bidi_remote = 1000,
        .initial_max_stream_data_uni = 1000,
        .initial_max_streams_bidi = 4,
        .initial_max_streams_uni = 4,
    };
}

static inline struct table *table_new(void)
{
    struct table *t = calloc(1, sizeof *t);
    assert_non_null(t);
    skua_heap_init(&t->heap, NULL);
    skua_blocks_init(&t->blocks, &t->heap, SKUA_STREAM_BLOCK, 0);
    return t;
}

static inline int table_setup(void **state)
{
    struct table *t = table_new();
    struct skua_streams_config config = table_config(t);
    skua_streams_init(&t->streams, &config);
    struct skua_transport_params params = table_params();
    skua_streams_set_peer_limits(&t->streams, &params);
    *state = t;
    return 0;
}

static inline int table_teardown(void **state)
{
    struct table *t = *state;
    skua_streams_check(&t->streams);
    skua_streams_deinit(&t->streams);
    skua_blocks_deinit(&t->blocks);
    assert_int_equal(t->heap.used, 0);
    free(t);
    return 0;
}

/* `len` zero bytes at `offset`. */
static inline enum skua_code table_data(struct table *t, uint64_t id, uint64_t offset, size_t len,
                                        bool fin)
{
    static const uint8_t zeros[65536];
    assert_true(len <= sizeof zeros);
    struct skua_stream_frame frame = {
        .id = id, .offset = offset, .data = zeros, .len = len, .fin = fin};
    return skua_streams_on_stream(&t->streams, &frame, false);
}

/* Fills one packet of at most `room` bytes and decodes it. */
static inline size_t table_send(struct table *t, size_t room)
{
    struct skua_writer w = skua_writer_of(t->packet, room);
    size_t records = skua_streams_write_frames(&t->streams, &w, t->records, TABLE_FRAMES,
                                               10 * SKUA_MSEC, t->now);
    struct skua_reader r = skua_reader_of(t->packet, skua_writer_len(&w));
    t->count = 0;
    while (skua_reader_left(&r) != 0) {
        assert_int_equal(skua_frame_read(&r, &t->frames[t->count++]), SKUA_CODE_NO_ERROR);
    }
    assert_int_equal(records, t->count);
    return t->count;
}

/* Was there a frame of `type` in the last packet? */
static inline bool table_has(const struct table *t, enum skua_frame_type type)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->frames[i].type == (uint16_t)type) {
            return true;
        }
    }
    return false;
}

/* The first frame of `type` in the last packet, where there must be one. */
static inline const struct skua_frame *table_sent(const struct table *t, enum skua_frame_type type)
{
    size_t i = 0;
    while (i + 1 < t->count && t->frames[i].type != (uint16_t)type) {
        i++;
    }
    assert_int_equal(t->frames[i].type, type);
    return &t->frames[i];
}

/* Everything in the last packet is acknowledged, or lost. */
static inline void table_fate(struct table *t, bool acked)
{
    for (size_t i = 0; i < t->count; i++) {
        if (acked) {
            skua_streams_on_acked(&t->streams, &t->records[i]);
        } else {
            skua_streams_on_lost(&t->streams, &t->records[i]);
        }
    }
}

/* Sends until there is nothing to send; all of it is acknowledged. */
static inline void table_flush(struct table *t)
{
    while (skua_streams_wants_send(&t->streams)) {
        assert_true(table_send(t, TABLE_PACKET) != 0);
        table_fate(t, true);
    }
}

static inline struct skua_stream *table_open(struct table *t, unsigned uni)
{
    struct skua_stream *stream = NULL;
    assert_int_equal(skua_streams_open(&t->streams, uni, &stream), SKUA_OK);
    return stream;
}

/* The next event's type, NONE where there is none. */
static inline enum skua_event_type table_event(struct table *t, struct skua_stream **stream)
{
    enum skua_event_type type;
    (void)skua_streams_next_event(&t->streams, stream, &type);
    return type;
}

static inline void table_write(struct skua_stream *stream, size_t len)
{
    static const uint8_t zeros[65536];
    size_t written = 0;
    assert_int_equal(skua_streams_write(stream, zeros, len, &written), SKUA_OK);
    assert_int_equal(written, len);
}

#define table_test(name) cmocka_unit_test_setup_teardown(name, table_setup, table_teardown)

#endif
