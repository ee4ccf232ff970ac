/* Large buffers between disk and network, shared out among the transfers of a process.
 *
 * The number of bytes in them is bounded: a transfer may hold `max_each` buffers, less where many
 * transfers share the whole, but always a few. One that gets none waits until it returns one of its
 * own. Used by the loop's thread only; the memory itself goes to workers and back. */
#ifndef SKUA_TOOLS_BUFFERS_H
#define SKUA_TOOLS_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

enum {
    SKUA_BUFFER_SIZE = 262144,  /* with its head */
    SKUA_BUFFERS_MIN_EACH = 8,  /* that every transfer may hold */
    SKUA_BUFFERS_MAX_EACH = 96, /* 24 MiB: a send window of 1 Gbit/s and 200 ms */
    SKUA_BUFFERS_IDLE_MAX = 32  /* kept when nobody needs them */
};

struct skua_buffer {
    struct skua_buffer *next; /* its holder's, else the pool's */
    uint64_t end;             /* its holder's: offset in the stream where it ends */
    size_t len;               /* used bytes */
    uint8_t data[];           /* SKUA_BUFFER_CAP bytes */
};

#define SKUA_BUFFER_CAP (SKUA_BUFFER_SIZE - sizeof(struct skua_buffer))

/* First in, first out. */
struct skua_buffer_queue {
    struct skua_buffer *first; /* or NULL */
    struct skua_buffer *last;  /* valid unless empty */
    size_t count;
};

struct skua_buffers {
    struct skua_buffer *idle; /* list */
    size_t idle_count;
    size_t limit; /* of buffers for all transfers, as far as MIN_EACH allows */
    size_t users; /* transfers */
};

void skua_buffers_init(struct skua_buffers *buffers, size_t limit);
void skua_buffers_deinit(struct skua_buffers *buffers);

/* An empty buffer for a transfer that holds `held`; NULL: not now, or no memory. */
struct skua_buffer *skua_buffers_get(struct skua_buffers *buffers, size_t held);
void skua_buffers_put(struct skua_buffers *buffers, struct skua_buffer *buffer);

void skua_buffer_queue_push(struct skua_buffer_queue *queue, struct skua_buffer *buffer);
/* The first, or NULL. */
struct skua_buffer *skua_buffer_queue_shift(struct skua_buffer_queue *queue);
/* Returns all of them; their number. */
size_t skua_buffer_queue_clear(struct skua_buffer_queue *queue, struct skua_buffers *buffers);

#endif
