/* Lists of what became of entries (outcome.h). */
#include "outcome.h"

#include <stdlib.h>
#include <string.h>

bool skua_outcome_is_skip(const struct skua_outcome *outcome)
{
    return outcome->type == SKUA_FILE_NOTICE && outcome->path_len > 0 &&
           (outcome->status == SKUA_STATUS_LINK_SKIPPED || outcome->status == SKUA_STATUS_SPECIAL);
}

static bool grow(struct skua_outcomes *outcomes)
{
    const size_t room = outcomes->room == 0 ? 64 : outcomes->room * 2;
    struct skua_outcome *list = realloc(outcomes->list, room * sizeof *list);
    if (list == NULL) {
        return false;
    }
    outcomes->list = list;
    outcomes->room = room;
    return true;
}

void skua_outcomes_add(struct skua_outcomes *outcomes, const struct skua_outcome *outcome,
                       const char *path, size_t path_len)
{
    if (outcomes->count == outcomes->room && !grow(outcomes)) {
        outcomes->failed = true;
        return;
    }
    struct skua_outcome *added = &outcomes->list[outcomes->count];
    *added = *outcome;
    added->path = NULL;
    added->path_len = 0;
    if (path != NULL) {
        added->path = malloc(path_len + 1);
        if (added->path == NULL) {
            outcomes->failed = true;
            return;
        }
        memcpy(added->path, path, path_len);
        added->path[path_len] = '\0';
        added->path_len = (uint16_t)path_len;
    }
    outcomes->count++;
}

void skua_outcomes_clear(struct skua_outcomes *outcomes)
{
    for (size_t i = 0; i < outcomes->count; i++) {
        free(outcomes->list[i].path);
    }
    outcomes->count = 0;
}

void skua_outcomes_deinit(struct skua_outcomes *outcomes)
{
    skua_outcomes_clear(outcomes);
    free(outcomes->list);
    *outcomes = (struct skua_outcomes){0};
}
