/* Buffers between disk and network (buffers.h), straight from the kernel, so that returned ones do
 * not fragment the heap. */
#include "buffers.h"

#include <sys/mman.h>

void skua_buffers_init(struct skua_buffers *buffers, size_t limit)
{
    *buffers = (struct skua_buffers){.limit = limit};
}

void skua_buffers_deinit(struct skua_buffers *buffers)
{
    while (buffers->idle != NULL) {
        struct skua_buffer *buffer = buffers->idle;
        buffers->idle = buffer->next;
        (void)munmap(buffer, SKUA_BUFFER_SIZE);
    }
    buffers->idle_count = 0;
}

/* How many a transfer may hold. */
static size_t share(const struct skua_buffers *buffers)
{
    const size_t fair = buffers->limit / (buffers->users > 0 ? buffers->users : 1);
    if (fair < SKUA_BUFFERS_MIN_EACH) {
        return SKUA_BUFFERS_MIN_EACH;
    }
    return fair > SKUA_BUFFERS_MAX_EACH ? SKUA_BUFFERS_MAX_EACH : fair;
}

struct skua_buffer *skua_buffers_get(struct skua_buffers *buffers, size_t held)
{
    if (held >= share(buffers)) {
        return NULL;
    }
    struct skua_buffer *buffer = buffers->idle;
    if (buffer != NULL) {
        buffers->idle = buffer->next;
        buffers->idle_count--;
    } else {
        void *memory = mmap(NULL, SKUA_BUFFER_SIZE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            return NULL;
        }
        buffer = memory;
    }
    buffer->next = NULL;
    buffer->len = 0;
    buffer->end = 0;
    return buffer;
}

void skua_buffers_put(struct skua_buffers *buffers, struct skua_buffer *buffer)
{
    if (buffers->idle_count == SKUA_BUFFERS_IDLE_MAX) {
        (void)munmap(buffer, SKUA_BUFFER_SIZE);
        return;
    }
    buffer->next = buffers->idle;
    buffers->idle = buffer;
    buffers->idle_count++;
}

void skua_buffer_queue_push(struct skua_buffer_queue *queue, struct skua_buffer *buffer)
{
    buffer->next = NULL;
    if (queue->first == NULL) {
        queue->first = buffer;
    } else {
        queue->last->next = buffer;
    }
    queue->last = buffer;
    queue->count++;
}

struct skua_buffer *skua_buffer_queue_shift(struct skua_buffer_queue *queue)
{
    struct skua_buffer *buffer = queue->first;
    if (buffer != NULL) {
        queue->first = buffer->next;
        queue->count--;
    }
    return buffer;
}

size_t skua_buffer_queue_clear(struct skua_buffer_queue *queue, struct skua_buffers *buffers)
{
    const size_t count = queue->count;
    for (struct skua_buffer *buffer = skua_buffer_queue_shift(queue); buffer != NULL;
         buffer = skua_buffer_queue_shift(queue)) {
        skua_buffers_put(buffers, buffer);
    }
    return count;
}
