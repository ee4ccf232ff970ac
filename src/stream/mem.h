/* Where the buffers of streams take their memory from, and what they hold of it.
 *
 * One per connection, shared by the buffers of all its streams. Bytes live in blocks of
 * SKUA_STREAM_BLOCK bytes from the endpoint's pool; everything else (rings of pointers, range sets)
 * comes from the heap. */
#ifndef SKUA_STREAM_MEM_H
#define SKUA_STREAM_MEM_H

#include <stdint.h>

#include "base/alloc.h"
#include "base/blocks.h"

/* Size of the blocks of the pool handed to skua_streams_init. Small enough that a stream of one
 * byte is cheap: a stream with little in it costs one block. A power of two. */
enum { SKUA_STREAM_BLOCK = 4096 };

struct skua_stream_mem {
    struct skua_heap *heap;     /* rings, sets and stream objects */
    struct skua_blocks *blocks; /* bytes, SKUA_STREAM_BLOCK each */
    uint32_t pieces;            /* borrowed pieces held by all receive buffers */
    uint32_t gaps;              /* ranges beyond a gap held by all receive buffers */
};

#endif
