/* See heap.h. */
#include "heap.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* Before each block: keeps it aligned for any type. */
struct header {
    size_t size;
    size_t magic;
};
enum { MAGIC = 0x51a7e };

static void *get(void *user, size_t size)
{
    struct sim_heap *heap = user;
    heap->requests++;
    if (heap->fail_at != 0 &&
        (heap->requests == heap->fail_at || (heap->fail_on && heap->requests > heap->fail_at))) {
        heap->failures++;
        return NULL;
    }
    struct header *block = malloc(sizeof *block + size);
    SKUA_ASSERT(block != NULL);
    block->size = size;
    block->magic = MAGIC;
    heap->used += size;
    heap->blocks++;
    memset(block + 1, 0xa5, size < 512 ? size : 512);
    return block + 1;
}

static void put(void *user, void *memory, size_t size)
{
    struct sim_heap *heap = user;
    struct header *block = (struct header *)memory - 1;
    SKUA_ASSERT(block->magic == MAGIC && block->size == size);
    SKUA_ASSERT(heap->used >= size && heap->blocks > 0);
    heap->used -= size;
    heap->blocks--;
    block->magic = 0;
    memset(memory, 0xdd, size < 512 ? size : 512);
    free(block);
}

struct skua_alloc sim_heap_vtable(struct sim_heap *heap)
{
    return (struct skua_alloc){.get = get, .put = put, .user = heap};
}
