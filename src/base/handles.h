/* Handles: 64-bit names of objects that may have gone.
 *
 * A handle is kind (4 bits, 1 to 15) | generation (28 bits) | slot (32 bits). Each use of a slot
 * has a generation of its own, so that a stale handle finds nothing; slots are reused in the order
 * in which they became free, so that generations are used up slowly, and a slot that has none left
 * is not used again: no handle is ever given out twice. A handle is never 0. */
#ifndef SKUA_BASE_HANDLES_H
#define SKUA_BASE_HANDLES_H

#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

struct skua_heap;

enum { SKUA_HANDLE_KIND_MAX = 15 };

/* One slot. */
struct skua_handle_slot {
    void *object;   /* what it names; NULL while free */
    uint32_t stamp; /* upper half of its handle; while free its kind is 0 and the generation is the
                       one of the last use */
    uint32_t next;  /* next free slot in order; UINT32_MAX = none */
};

struct skua_handles {
    struct skua_heap *heap;         /* memory for `slots` */
    struct skua_handle_slot *slots; /* NULL while `cap` is 0 */
    uint32_t cap;                   /* room of `slots` */
    uint32_t used;                  /* slots used at least once: the first of `slots` */
    uint32_t count;                 /* handles in use */
    uint32_t limit;                 /* most handles in use at a time */
    uint32_t free_first;            /* free slot to use next; UINT32_MAX = none */
    uint32_t free_last;             /* free slot to use last; UINT32_MAX = none */
};

/* At most `limit` handles at a time, below 2^31. */
void skua_handles_init(struct skua_handles *handles, struct skua_heap *heap, uint32_t limit);
void skua_handles_deinit(struct skua_handles *handles);

/* A handle of `kind` (1 to SKUA_HANDLE_KIND_MAX) for `object` (not NULL). SKUA_ENOMEM, SKUA_ELIMIT;
 * `out` is untouched then. */
enum skua_err skua_handles_new(struct skua_handles *handles, unsigned kind, void *object,
                               uint64_t *out);

/* The object that `handle` names, or NULL for anything that is not a living handle of `kind`. Any
 * number may be asked for. */
static inline void *skua_handles_get(const struct skua_handles *handles, uint64_t handle,
                                     unsigned kind)
{
    uint32_t slot = (uint32_t)handle;
    if (slot >= handles->used || handle >> 60 != kind || kind == 0 ||
        handles->slots[slot].stamp != (uint32_t)(handle >> 32)) {
        return NULL;
    }
    return handles->slots[slot].object;
}

/* Ends `handle`, which is living. */
void skua_handles_free(struct skua_handles *handles, uint64_t handle);

/* Handles in use. */
static inline uint32_t skua_handles_count(const struct skua_handles *handles)
{
    return handles->count;
}

/* Asserts the invariants; for tests. */
void skua_handles_check(const struct skua_handles *handles);

#endif
