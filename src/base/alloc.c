/* Accounting allocator over the caller's vtable: see alloc.h. */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static void *system_get(void *user, size_t size)
{
    (void)user;
    return malloc(size);
}

static void system_put(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

void skua_heap_init(struct skua_heap *heap, const struct skua_alloc *alloc)
{
    *heap = (struct skua_heap){.alloc = {.get = system_get, .put = system_put}};
    if (alloc != NULL) {
        heap->alloc = *alloc;
    }
}

void *skua_heap_get_raw(struct skua_heap *heap, size_t size)
{
    SKUA_ASSERT(size != 0);
    void *memory = heap->alloc.get(heap->alloc.user, size);
    if (memory == NULL) {
        return NULL;
    }
    heap->used += size;
    if (heap->used > heap->peak) {
        heap->peak = heap->used;
    }
    return memory;
}

void *skua_heap_get(struct skua_heap *heap, size_t size)
{
    void *memory = skua_heap_get_raw(heap, size);
    if (memory != NULL) {
        memset(memory, 0, size);
    }
    return memory;
}

void skua_heap_put(struct skua_heap *heap, void *memory, size_t size)
{
    if (memory == NULL) {
        return;
    }
    SKUA_ASSERT(heap->used >= size);
    heap->used -= size;
    heap->alloc.put(heap->alloc.user, memory, size);
}
