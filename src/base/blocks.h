/* A pool of blocks of one size, for the buffers of streams.
 *
 * Blocks that come back are kept, up to a bound, and handed out again without a visit to the
 * allocator: the one that came back last first, since its memory is still in the cache. */
#ifndef SKUA_BASE_BLOCKS_H
#define SKUA_BASE_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

struct skua_heap;
struct skua_block;

struct skua_blocks {
    struct skua_heap *heap;  /* where blocks come from */
    struct skua_block *free; /* blocks kept, the last returned first; the link is in the block */
    size_t block_size;       /* bytes of each */
    size_t in_use;           /* blocks handed out */
    size_t kept;             /* blocks in `free` */
    size_t keep_max;         /* most blocks to keep */
};

/* Blocks of `block_size` bytes, at least sizeof(void *), of which at most `keep_max` are kept while
 * nobody uses them. */
void skua_blocks_init(struct skua_blocks *blocks, struct skua_heap *heap, size_t block_size,
                      size_t keep_max);

/* Every block has come back. */
void skua_blocks_deinit(struct skua_blocks *blocks);

/* A block, aligned for any type, its content undefined; NULL where there is no memory. */
void *skua_blocks_get(struct skua_blocks *blocks);

/* Takes a block back; NULL is allowed. */
void skua_blocks_put(struct skua_blocks *blocks, void *block);

/* Gives all but `keep` of the kept blocks back to the allocator. */
void skua_blocks_trim(struct skua_blocks *blocks, size_t keep);

/* Blocks handed out. */
static inline size_t skua_blocks_in_use(const struct skua_blocks *blocks)
{
    return blocks->in_use;
}

/* Asserts the invariants; for tests. */
void skua_blocks_check(const struct skua_blocks *blocks);

#endif
