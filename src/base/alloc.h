/* Memory through the caller's vtable (struct skua_alloc), with the running total that `stats`
 * reports.
 *
 * Every heap object of the core is taken and given back here, so that a test can make each
 * allocation fail in turn and an oracle can compare the total with the documented limits. Sizes are
 * passed back on release: no header per block. */
#ifndef SKUA_BASE_ALLOC_H
#define SKUA_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

/* An allocator with accounting; one per endpoint, shared by everything below it. */
struct skua_heap {
    struct skua_alloc alloc; /* where memory comes from */
    uint64_t used;           /* bytes handed out and not yet given back */
    uint64_t peak;           /* largest `used` so far */
};

/* `alloc` may be NULL: malloc and free. */
void skua_heap_init(struct skua_heap *heap, const struct skua_alloc *alloc);

/* `size` zeroed bytes aligned for any type, or NULL. `size` is not 0. */
void *skua_heap_get(struct skua_heap *heap, size_t size);

/* As skua_heap_get, without zeroing: for bulk buffers. */
void *skua_heap_get_raw(struct skua_heap *heap, size_t size);

/* Gives back what skua_heap_get returned for `size`; NULL is allowed. */
void skua_heap_put(struct skua_heap *heap, void *memory, size_t size);

#endif
