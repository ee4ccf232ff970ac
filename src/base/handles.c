/* The table behind handles: see handles.h.
 *
 * Invariants: slots below `used` are either living (object set, kind in the stamp) or free (in the
 * list, kind 0) or worn out (no object, kind 0, in no list, the last generation spent). */
#include "base/handles.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

#define NONE            UINT32_MAX
#define GENERATION_BITS 28
#define GENERATION_MAX  ((UINT32_C(1) << GENERATION_BITS) - 1)

enum { CAP_MIN = 16 };

void skua_handles_init(struct skua_handles *handles, struct skua_heap *heap, uint32_t limit)
{
    SKUA_ASSERT(limit < UINT32_C(1) << 31);
    *handles =
        (struct skua_handles){.heap = heap, .limit = limit, .free_first = NONE, .free_last = NONE};
}

void skua_handles_deinit(struct skua_handles *handles)
{
    skua_heap_put(handles->heap, handles->slots, handles->cap * sizeof handles->slots[0]);
    skua_handles_init(handles, handles->heap, handles->limit);
}

static enum skua_err grow(struct skua_handles *handles)
{
    /* More slots than the limit are only needed after 2^28 uses of each. */
    if (handles->cap > UINT32_MAX / 4) {
        return SKUA_ELIMIT;
    }
    uint32_t cap = handles->cap == 0 ? CAP_MIN : handles->cap * 2;
    struct skua_handle_slot *slots = skua_heap_get(handles->heap, cap * sizeof *slots);
    if (slots == NULL) {
        return SKUA_ENOMEM;
    }
    if (handles->used > 0) {
        memcpy(slots, handles->slots, handles->used * sizeof *slots);
    }
    skua_heap_put(handles->heap, handles->slots, handles->cap * sizeof *slots);
    handles->slots = slots;
    handles->cap = cap;
    return SKUA_OK;
}

enum skua_err skua_handles_new(struct skua_handles *handles, unsigned kind, void *object,
                               uint64_t *out)
{
    SKUA_ASSERT(kind != 0 && kind <= SKUA_HANDLE_KIND_MAX && object != NULL);
    if (handles->count >= handles->limit) {
        return SKUA_ELIMIT;
    }
    uint32_t index = handles->free_first;
    if (index == NONE) {
        if (handles->used == handles->cap) {
            enum skua_err err = grow(handles);
            if (err != SKUA_OK) {
                return err;
            }
        }
        index = handles->used++;
    } else {
        handles->free_first = handles->slots[index].next;
        if (handles->free_first == NONE) {
            handles->free_last = NONE;
        }
    }
    struct skua_handle_slot *slot = &handles->slots[index];
    SKUA_ASSERT(slot->object == NULL && slot->stamp < GENERATION_MAX);
    slot->object = object;
    slot->stamp = (uint32_t)kind << GENERATION_BITS | (slot->stamp + 1);
    slot->next = NONE;
    handles->count++;
    *out = (uint64_t)slot->stamp << 32 | index;
    return SKUA_OK;
}

void skua_handles_free(struct skua_handles *handles, uint64_t handle)
{
    SKUA_ASSERT(skua_handles_get(handles, handle, (unsigned)(handle >> 60)) != NULL);
    uint32_t index = (uint32_t)handle;
    struct skua_handle_slot *slot = &handles->slots[index];
    slot->object = NULL;
    slot->stamp &= GENERATION_MAX;
    handles->count--;
    if (slot->stamp == GENERATION_MAX) {
        return;
    }
    if (handles->free_last == NONE) {
        handles->free_first = index;
    } else {
        handles->slots[handles->free_last].next = index;
    }
    handles->free_last = index;
}

void skua_handles_check(const struct skua_handles *handles)
{
    SKUA_ASSERT(handles->used <= handles->cap && handles->count <= handles->used);
    SKUA_ASSERT(handles->count <= handles->limit);
    uint32_t living = 0;
    uint32_t worn_out = 0;
    for (uint32_t i = 0; i < handles->used; i++) {
        const struct skua_handle_slot *slot = &handles->slots[i];
        SKUA_ASSERT((slot->object != NULL) == (slot->stamp >> GENERATION_BITS != 0));
        living += slot->object != NULL ? 1 : 0;
        worn_out += slot->stamp == GENERATION_MAX ? 1 : 0;
    }
    uint32_t free = 0;
    uint32_t last = NONE;
    for (uint32_t i = handles->free_first; i != NONE; i = handles->slots[i].next) {
        SKUA_ASSERT(i < handles->used && handles->slots[i].object == NULL);
        free++;
        SKUA_ASSERT(free <= handles->used);
        last = i;
    }
    SKUA_ASSERT(last == handles->free_last && living == handles->count);
    SKUA_ASSERT(living + free + worn_out == handles->used);
}
