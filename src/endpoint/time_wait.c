/* TIME_WAIT records: see time_wait.h.
 *
 * A record counts its times in microseconds from its own start, and its pace in milliseconds, so
 * that it stays within SKUA_LIMIT_TIME_WAIT_BYTES with the longest ids and tags. */
#include "endpoint/time_wait.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "base/time.h"

struct record {
    struct skua_node link; /* in a bucket; first member */
    skua_time started;     /* when it was added */
    uint32_t until_us;     /* when it ends, after `started` */
    uint32_t answered_us;  /* last answer, after `started` */
    uint16_t pace_ms;      /* least time between two answers */
    uint8_t answers;       /* sent so far, up to SKUA_TIME_WAIT_ANSWERS; and the bits below */
    uint8_t id_len;        /* bytes of id */
    uint8_t packet_len;    /* bytes of packet */
    uint8_t bytes[];       /* id, then packet */
};

enum {
    PROLONGED = 0x80, /* its time was doubled */
    TIRELESS = 0x40,  /* any number of answers, however soon */
    FLAGS = PROLONGED | TIRELESS
};
SKUA_STATIC_ASSERT((SKUA_TIME_WAIT_ANSWERS & FLAGS) == 0, "answers and flags share a byte");

/* Id of 16, and {FIN_ACK, ACK of one packet} under a 32-byte tag: 1 + 16 + 4 + 2 + 12 + 32. */
SKUA_STATIC_ASSERT(offsetof(struct record, bytes) + 16 + 67 <= SKUA_LIMIT_TIME_WAIT_BYTES,
                   "a record is at most as large as documented");

static size_t record_size(const struct record *record)
{
    return offsetof(struct record, bytes) + record->id_len + record->packet_len;
}

static skua_time record_end(const struct record *record)
{
    return skua_time_add(record->started, record->until_us * SKUA_USEC);
}

static struct skua_node *bucket_of(struct skua_time_wait *tw, const struct record *record)
{
    uint64_t tick = record_end(record) / SKUA_TIME_WAIT_GRAIN;
    uint64_t last = tw->tick + SKUA_TIME_WAIT_BUCKETS - 1;
    tick = tick < tw->tick ? tw->tick : tick;
    tick = tick > last ? last : tick;
    return &tw->bucket[tick % SKUA_TIME_WAIT_BUCKETS];
}

static void record_drop(struct skua_time_wait *tw, struct record *record)
{
    (void)skua_idmap_remove(&tw->by_id, record->bytes, record->id_len);
    skua_list_remove(&record->link);
    skua_heap_put(tw->heap, record, record_size(record));
}

void skua_time_wait_init(struct skua_time_wait *tw, struct skua_heap *heap, const uint8_t key[16])
{
    tw->heap = heap;
    tw->tick = 0;
    skua_idmap_init(&tw->by_id, heap, key, SKUA_LIMIT_ID_MAX);
    for (size_t i = 0; i < SKUA_TIME_WAIT_BUCKETS; i++) {
        skua_list_init(&tw->bucket[i]);
    }
}

void skua_time_wait_deinit(struct skua_time_wait *tw)
{
    for (size_t i = 0; i < SKUA_TIME_WAIT_BUCKETS; i++) {
        struct skua_node *node;
        while ((node = skua_list_first(&tw->bucket[i])) != NULL) {
            record_drop(tw, SKUA_CONTAINER_OF(node, struct record, link));
        }
    }
    skua_idmap_deinit(&tw->by_id);
}

/* The record that ends first leaves. */
static void drop_one(struct skua_time_wait *tw)
{
    for (uint64_t i = 0; i < SKUA_TIME_WAIT_BUCKETS; i++) {
        struct skua_node *node =
            skua_list_first(&tw->bucket[(tw->tick + i) % SKUA_TIME_WAIT_BUCKETS]);
        if (node != NULL) {
            record_drop(tw, SKUA_CONTAINER_OF(node, struct record, link));
            return;
        }
    }
}

void skua_time_wait_add(struct skua_time_wait *tw, const struct skua_time_wait_entry *entry,
                        skua_time now)
{
    SKUA_ASSERT(entry->packet_len > 0 && entry->packet_len <= UINT8_MAX);
    SKUA_ASSERT(entry->packet_len <= SKUA_ANSWER_LEN_MAX);
    if (skua_time_wait_count(tw) == 0) {
        tw->tick = now / SKUA_TIME_WAIT_GRAIN;
    }
    if (skua_time_wait_count(tw) >= SKUA_LIMIT_TIME_WAIT_MAX) {
        drop_one(tw);
    }
    size_t size = offsetof(struct record, bytes) + entry->id->len + entry->packet_len;
    struct record *record = skua_heap_get(tw->heap, size);
    if (record == NULL) {
        return;
    }
    skua_time pace_ms = entry->pto_ns / 4 / SKUA_MSEC;
    skua_time length_us = entry->length_ns / SKUA_USEC;
    record->started = now;
    record->until_us = (uint32_t)skua_time_min(length_us, UINT32_MAX / 2);
    record->answers = entry->tireless ? TIRELESS : 0;
    record->pace_ms = (uint16_t)skua_time_min(pace_ms, UINT16_MAX);
    record->id_len = entry->id->len;
    record->packet_len = (uint8_t)entry->packet_len;
    memcpy(record->bytes, entry->id->bytes, entry->id->len);
    memcpy(record->bytes + record->id_len, entry->packet, entry->packet_len);
    if (skua_idmap_put(&tw->by_id, record->bytes, record->id_len, record) != SKUA_OK) {
        skua_heap_put(tw->heap, record, size);
        return;
    }
    skua_list_push_back(bucket_of(tw, record), &record->link);
}

static void record_answer(const struct record *record, const struct skua_path *path,
                          struct skua_answers *answers)
{
    struct skua_answer *answer = skua_answers_add(answers, path);
    memcpy(answer->bytes, record->bytes + record->id_len, record->packet_len);
    answer->len = record->packet_len;
}

bool skua_time_wait_recv(struct skua_time_wait *tw, const struct skua_question *question,
                         struct skua_answers *answers, skua_time now)
{
    struct record *record = skua_idmap_get(&tw->by_id, question->id, question->id_len);
    if (record == NULL) {
        return false;
    }
    uint64_t age_us = skua_time_sub(now, record->started) / SKUA_USEC;
    uint64_t quiet_us = skua_time_sub(age_us, record->answered_us);
    unsigned sent = record->answers & ~(unsigned)FLAGS;
    bool soon = sent != 0 && quiet_us < record->pace_ms * UINT64_C(1000);
    bool tired = sent >= SKUA_TIME_WAIT_ANSWERS;
    bool tireless = (record->answers & TIRELESS) != 0;
    if (question->len <= record->packet_len || ((tired || soon) && !tireless)) {
        return true;
    }
    record_answer(record, question->path, answers);
    record->answered_us = (uint32_t)skua_time_min(age_us, UINT32_MAX);
    if ((record->answers & PROLONGED) == 0) {
        record->until_us *= 2;
        skua_list_remove(&record->link);
        skua_list_push_back(bucket_of(tw, record), &record->link);
    }
    record->answers |= PROLONGED;
    record->answers = (uint8_t)(record->answers + (sent < SKUA_TIME_WAIT_ANSWERS));
    return true;
}

bool skua_time_wait_has(const struct skua_time_wait *tw, const struct skua_id *id)
{
    return skua_idmap_get(&tw->by_id, id->bytes, id->len) != NULL;
}

skua_time skua_time_wait_next_timeout(const struct skua_time_wait *tw)
{
    if (skua_time_wait_count(tw) == 0) {
        return SKUA_NEVER;
    }
    uint64_t tick = tw->tick;
    while (skua_list_empty(&tw->bucket[tick % SKUA_TIME_WAIT_BUCKETS])) {
        tick++;
    }
    return (tick + 1) * SKUA_TIME_WAIT_GRAIN;
}

/* Goes through one bucket: those that have ended leave, the others (put here because they end
 * beyond the last bucket) move on. */
static void sweep(struct skua_time_wait *tw, struct skua_node *bucket, skua_time now)
{
    struct skua_node moved;
    skua_list_init(&moved);
    struct skua_node *node;
    while ((node = skua_list_pop_front(bucket)) != NULL) {
        struct record *record = SKUA_CONTAINER_OF(node, struct record, link);
        if (record_end(record) <= now) {
            record_drop(tw, record);
        } else {
            skua_list_push_back(&moved, node);
        }
    }
    while ((node = skua_list_pop_front(&moved)) != NULL) {
        skua_list_push_back(bucket_of(tw, SKUA_CONTAINER_OF(node, struct record, link)), node);
    }
}

void skua_time_wait_on_timeout(struct skua_time_wait *tw, skua_time now)
{
    uint64_t end = now / SKUA_TIME_WAIT_GRAIN;
    uint64_t rounds =
        end - tw->tick < SKUA_TIME_WAIT_BUCKETS ? end - tw->tick : SKUA_TIME_WAIT_BUCKETS;
    if (end <= tw->tick) {
        return;
    }
    uint64_t first = tw->tick;
    tw->tick = end;
    for (uint64_t i = 0; i < rounds; i++) {
        sweep(tw, &tw->bucket[(first + i) % SKUA_TIME_WAIT_BUCKETS], now);
    }
}
