/* Where the roots of a copy go: the rule of cp, for both directions.
 *
 * A destination that is a directory takes each root under its own name; any other becomes the copy
 * of the only root. Its parent must exist. */
#ifndef SKUA_TOOLS_PLACE_H
#define SKUA_TOOLS_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "file_proto.h"
#include "store.h"

struct skua_place {
    const char *dst;          /* path in the store, "" for its folder; not trusted */
    bool must_be_dir;         /* the user said so */
    const char *const *names; /* of the roots; "" = the contents of the root go into the directory;
                                 not trusted */
    size_t count;
};

/* Makes the `count` targets, an array of strings to be released with skua_place_free. Blocks on the
 * disk. OK or why not; *targets is NULL then. */
enum skua_file_status skua_place_roots(const struct skua_store *store,
                                       const struct skua_place *place, char ***targets);
void skua_place_free(char **targets, size_t count);

#endif
