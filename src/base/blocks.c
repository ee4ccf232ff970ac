/* The pool of blocks: see blocks.h. */
#include "base/blocks.h"

#include "base/alloc.h"
#include "base/assert.h"

/* A kept block: its first bytes are the link. */
struct skua_block {
    struct skua_block *next; /* NULL: the last */
};

void skua_blocks_init(struct skua_blocks *blocks, struct skua_heap *heap, size_t block_size,
                      size_t keep_max)
{
    SKUA_ASSERT(block_size >= sizeof(struct skua_block));
    *blocks = (struct skua_blocks){.heap = heap, .block_size = block_size, .keep_max = keep_max};
}

void skua_blocks_deinit(struct skua_blocks *blocks)
{
    SKUA_ASSERT(blocks->in_use == 0);
    skua_blocks_trim(blocks, 0);
}

void *skua_blocks_get(struct skua_blocks *blocks)
{
    struct skua_block *block = blocks->free;
    if (block != NULL) {
        blocks->free = block->next;
        blocks->kept--;
    } else {
        block = skua_heap_get_raw(blocks->heap, blocks->block_size);
    }
    if (block != NULL) {
        blocks->in_use++;
    }
    return block;
}

void skua_blocks_put(struct skua_blocks *blocks, void *block)
{
    if (block == NULL) {
        return;
    }
    SKUA_ASSERT(blocks->in_use > 0);
    blocks->in_use--;
    if (blocks->kept >= blocks->keep_max) {
        skua_heap_put(blocks->heap, block, blocks->block_size);
        return;
    }
    struct skua_block *kept = block;
    kept->next = blocks->free;
    blocks->free = kept;
    blocks->kept++;
}

void skua_blocks_trim(struct skua_blocks *blocks, size_t keep)
{
    while (blocks->kept > keep) {
        struct skua_block *block = blocks->free;
        blocks->free = block->next;
        blocks->kept--;
        skua_heap_put(blocks->heap, block, blocks->block_size);
    }
}

void skua_blocks_check(const struct skua_blocks *blocks)
{
    size_t kept = 0;
    for (const struct skua_block *block = blocks->free; block != NULL; block = block->next) {
        kept++;
        SKUA_ASSERT(kept <= blocks->kept);
    }
    SKUA_ASSERT(kept == blocks->kept && kept <= blocks->keep_max);
}
