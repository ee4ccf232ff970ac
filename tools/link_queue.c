/* Packets under way in an emulated link (link_queue.h). */
#include "link_queue.h"

#include <stdlib.h>

uint8_t *skua_link_pool_room(struct skua_link_pool *pool)
{
    if (pool->current != NULL && pool->current->packets == 0) {
        pool->filled = 0; /* everything in it has left already: reuse it while it is in the cache */
    }
    if (pool->current != NULL && pool->filled + SKUA_LINK_RX_ROOM <= SKUA_LINK_CHUNK_LEN) {
        return pool->current->data + pool->filled;
    }
    struct skua_link_chunk *fresh = pool->free;
    if (fresh != NULL) {
        pool->free = fresh->next;
    } else {
        fresh = pool->chunks < pool->limit ? malloc(sizeof *fresh) : NULL;
        if (fresh == NULL) {
            return NULL;
        }
        fresh->packets = 0;
        pool->chunks++;
    }
    pool->current = fresh;
    pool->filled = 0;
    return fresh->data;
}

void skua_link_pool_take(struct skua_link_pool *pool, size_t len)
{
    pool->filled += len;
}

void skua_link_packet_release(struct skua_link_pool *pool, const struct skua_link_packet *packet)
{
    struct skua_link_chunk *chunk = packet->chunk;
    chunk->packets--;
    if (chunk->packets == 0 && chunk != pool->current) {
        chunk->next = pool->free;
        pool->free = chunk;
    }
}

void skua_link_pool_deinit(struct skua_link_pool *pool)
{
    while (pool->free != NULL) {
        struct skua_link_chunk *chunk = pool->free;
        pool->free = chunk->next;
        free(chunk);
    }
    free(pool->current);
    pool->current = NULL;
}

/* Doubles the ring; false where memory ran out. */
static bool grow(struct skua_link_ring *ring)
{
    const size_t capacity = ring->slots == NULL ? 256 : 2 * (ring->mask + 1);
    struct skua_link_packet *slots = malloc(capacity * sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < ring->count; i++) {
        slots[i] = ring->slots[(ring->head + i) & ring->mask];
    }
    free(ring->slots);
    ring->slots = slots;
    ring->mask = capacity - 1;
    ring->head = 0;
    return true;
}

bool skua_link_queue_push(struct skua_link_queue *queue, const struct skua_link_packet *packet,
                          bool held)
{
    struct skua_link_ring *ring = held ? &queue->held : &queue->on_time;
    if ((ring->slots == NULL || ring->count == ring->mask + 1) && !grow(ring)) {
        return false;
    }
    ring->slots[(ring->head + ring->count) & ring->mask] = *packet;
    ring->count++;
    packet->chunk->packets++;
    return true;
}

static const struct skua_link_packet *head_of(const struct skua_link_ring *ring)
{
    return ring->count > 0 ? &ring->slots[ring->head & ring->mask] : NULL;
}

static bool held_is_next(const struct skua_link_queue *queue)
{
    const struct skua_link_packet *on_time = head_of(&queue->on_time);
    const struct skua_link_packet *held = head_of(&queue->held);
    if (on_time == NULL || held == NULL) {
        return held != NULL;
    }
    return held->due < on_time->due ||
           (held->due == on_time->due && held->number < on_time->number);
}

const struct skua_link_packet *skua_link_queue_peek(const struct skua_link_queue *queue)
{
    return head_of(held_is_next(queue) ? &queue->held : &queue->on_time);
}

struct skua_link_packet skua_link_queue_pop(struct skua_link_queue *queue)
{
    struct skua_link_ring *ring = held_is_next(queue) ? &queue->held : &queue->on_time;
    const struct skua_link_packet packet = ring->slots[ring->head & ring->mask];
    ring->head++;
    ring->count--;
    return packet;
}

size_t skua_link_queue_count(const struct skua_link_queue *queue)
{
    return queue->on_time.count + queue->held.count;
}

void skua_link_queue_deinit(struct skua_link_queue *queue)
{
    free(queue->on_time.slots);
    free(queue->held.slots);
    *queue = (struct skua_link_queue){0};
}
