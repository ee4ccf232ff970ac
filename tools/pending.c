/* Entries without a verdict (pending.h): a hash table of lists. The numbers are our own and
 * consecutive, so the number itself is a perfect hash. */
#include "pending.h"

#include <stdlib.h>

struct skua_pending_entry {
    struct skua_pending_entry *next;
    struct skua_outcome outcome;
};

static struct skua_pending_entry **find(struct skua_pending *pending, uint64_t id)
{
    struct skua_pending_entry **at = &pending->buckets[id & (pending->room - 1)];
    while (*at != NULL && (*at)->outcome.id != id) {
        at = &(*at)->next;
    }
    return at;
}

/* Doubles the buckets and moves the entries. */
static bool grow(struct skua_pending *pending)
{
    struct skua_pending bigger = {.room = pending->room == 0 ? 256 : pending->room * 2,
                                  .count = pending->count};
    bigger.buckets = calloc(bigger.room, sizeof *bigger.buckets);
    if (bigger.buckets == NULL) {
        return false;
    }
    for (size_t i = 0; i < pending->room; i++) {
        while (pending->buckets[i] != NULL) {
            struct skua_pending_entry *entry = pending->buckets[i];
            pending->buckets[i] = entry->next;
            struct skua_pending_entry **to = &bigger.buckets[entry->outcome.id & (bigger.room - 1)];
            entry->next = *to;
            *to = entry;
        }
    }
    free(pending->buckets);
    *pending = bigger;
    return true;
}

bool skua_pending_add(struct skua_pending *pending, struct skua_outcome *outcome)
{
    if (pending->count >= pending->room && !grow(pending)) {
        return false;
    }
    struct skua_pending_entry **at = find(pending, outcome->id);
    if (*at != NULL) {
        (*at)->outcome.status = outcome->status;
        (*at)->outcome.type = outcome->type;
        return true;
    }
    struct skua_pending_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        return false;
    }
    entry->outcome = *outcome;
    outcome->path = NULL;
    *at = entry;
    pending->count++;
    return true;
}

bool skua_pending_take(struct skua_pending *pending, uint64_t id, struct skua_outcome *out)
{
    if (pending->room == 0) {
        return false;
    }
    struct skua_pending_entry **at = find(pending, id);
    struct skua_pending_entry *entry = *at;
    if (entry == NULL) {
        return false;
    }
    *out = entry->outcome;
    *at = entry->next;
    free(entry);
    pending->count--;
    return true;
}

void skua_pending_deinit(struct skua_pending *pending)
{
    for (size_t i = 0; i < pending->room; i++) {
        while (pending->buckets[i] != NULL) {
            struct skua_pending_entry *entry = pending->buckets[i];
            pending->buckets[i] = entry->next;
            free(entry->outcome.path);
            free(entry);
        }
    }
    free(pending->buckets);
    *pending = (struct skua_pending){0};
}
