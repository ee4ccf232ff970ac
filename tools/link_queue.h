/* Packets under way in an emulated link: their bytes, and the order in which they are due.
 *
 * Bytes are received into large chunks, one behind the other, and sent from there: a packet is
 * never copied and nothing is allocated per packet. A chunk is reused when no packet in it is left.
 *
 * Each direction has two first-in-first-out rings, one of packets on time and one of packets held
 * back; in each of them `due` never decreases (link_model.h), so the next packet is the earlier of
 * two heads and no heap is needed. */
#ifndef SKUA_TOOLS_LINK_QUEUE_H
#define SKUA_TOOLS_LINK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

/* Room that one receive needs: the largest buffer that UDP_GRO delivers. */
#define SKUA_LINK_RX_ROOM 65536

/* Bytes of one chunk. */
#define SKUA_LINK_CHUNK_LEN (1 << 20)

/* Bytes of packets, with the number of packets that lie there. */
struct skua_link_chunk {
    struct skua_link_chunk *next; /* in the list of free chunks */
    uint32_t packets;             /* references */
    uint8_t data[SKUA_LINK_CHUNK_LEN];
};

/* All chunks. Zero it but for `limit`. */
struct skua_link_pool {
    struct skua_link_chunk *free;    /* unused chunks */
    struct skua_link_chunk *current; /* the one that is filled */
    size_t filled;                   /* bytes used of `current` */
    size_t chunks;                   /* allocated */
    size_t limit;                    /* most to allocate */
};

/* One packet under way. */
struct skua_link_packet {
    skua_time due;                 /* when it arrives */
    uint64_t number;               /* its number in its direction */
    struct skua_link_chunk *chunk; /* where its bytes are */
    uint32_t offset;               /* from the start of the chunk */
    uint32_t len;                  /* bytes of payload */
    uint32_t flow;                 /* index of the flow */
    uint8_t ecn;                   /* ECN bits of its IP header */
};

/* A ring that grows by doubling. Zero it. */
struct skua_link_ring {
    struct skua_link_packet *slots; /* `mask` + 1 of them, or NULL */
    size_t mask;                    /* capacity - 1 */
    size_t head;                    /* index of the first packet, not yet masked */
    size_t count;                   /* packets in the ring */
};

/* The packets of one direction. Zero it. */
struct skua_link_queue {
    struct skua_link_ring on_time;
    struct skua_link_ring held;
};

/* Where the next receive may write SKUA_LINK_RX_ROOM bytes; NULL where the pool is at its limit or
 * out of memory. The place stays the same until bytes are taken with skua_link_pool_take. */
uint8_t *skua_link_pool_room(struct skua_link_pool *pool);
/* Ends a receive: `len` bytes of the room now belong to packets. Packets must be pushed before
 * (they hold the chunk); with none pushed, use 0. */
void skua_link_pool_take(struct skua_link_pool *pool, size_t len);
/* Frees all chunks; every packet has been released before. */
void skua_link_pool_deinit(struct skua_link_pool *pool);

/* Adds a packet (and a reference to its chunk). Its `due` is not before that of the last one with
 * the same `held`. False where memory ran out; nothing has changed then. */
bool skua_link_queue_push(struct skua_link_queue *queue, const struct skua_link_packet *packet,
                          bool held);
/* The packet due first, or NULL; on a tie the one with the smaller number. Valid until the next
 * push or pop. */
const struct skua_link_packet *skua_link_queue_peek(const struct skua_link_queue *queue);
/* Removes the packet that peek shows and keeps its chunk referenced: the caller sends it and then
 * calls skua_link_packet_release. */
struct skua_link_packet skua_link_queue_pop(struct skua_link_queue *queue);
/* Packets in the queue. */
size_t skua_link_queue_count(const struct skua_link_queue *queue);
void skua_link_queue_deinit(struct skua_link_queue *queue);

/* Gives up a popped packet's bytes. */
void skua_link_packet_release(struct skua_link_pool *pool, const struct skua_link_packet *packet);

#endif
