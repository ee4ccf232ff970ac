/* Entries that were sent and have no verdict yet, by number. */
#ifndef SKUA_TOOLS_PENDING_H
#define SKUA_TOOLS_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outcome.h"

struct skua_pending_entry;

struct skua_pending {
    struct skua_pending_entry **buckets; /* from malloc, or NULL; a power of two of them */
    size_t room;                         /* of buckets */
    size_t count;                        /* entries */
};

/* Takes the outcome and its path over (`outcome->path` becomes NULL). A second one with a number
 * that is there replaces status and type of the first. False where memory is short. */
bool skua_pending_add(struct skua_pending *pending, struct skua_outcome *outcome);
/* Takes it out; false where there is none. The caller frees `out->path`. */
bool skua_pending_take(struct skua_pending *pending, uint64_t id, struct skua_outcome *out);
void skua_pending_deinit(struct skua_pending *pending);

#endif
