/* What became of entries: a list that a worker thread fills and the loop's thread takes. */
#ifndef SKUA_TOOLS_OUTCOME_H
#define SKUA_TOOLS_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file_proto.h"

struct skua_outcome {
    uint64_t id;                  /* number of the entry */
    uint64_t size;                /* FILE: bytes */
    enum skua_file_record type;   /* FILE, DIR, LINK or NOTICE */
    enum skua_file_status status; /* what became of it, as far as this side knows */
    uint16_t root;                /* its root */
    uint16_t path_len;            /* bytes of the path */
    char *path;                   /* below its root, zero-terminated, from malloc; or NULL */
};

/* Whether the entry was left out on purpose, which is no failure: a link or something special that
 * the walk met below a root. What the user named himself and does not get has failed. */
bool skua_outcome_is_skip(const struct skua_outcome *outcome);

struct skua_outcomes {
    struct skua_outcome *list; /* from malloc, or NULL */
    size_t count;              /* used */
    size_t room;               /* allocated */
    bool failed;               /* memory was short: entries are missing */
};

/* Appends a copy; `path` may be NULL. Sets `failed` where memory is short. */
void skua_outcomes_add(struct skua_outcomes *outcomes, const struct skua_outcome *outcome,
                       const char *path, size_t path_len);
/* Forgets all entries, keeping the memory of the list. */
void skua_outcomes_clear(struct skua_outcomes *outcomes);
void skua_outcomes_deinit(struct skua_outcomes *outcomes);

#endif
