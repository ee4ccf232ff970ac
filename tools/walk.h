/* What there is to send: walks the roots of a request and yields one entry at a time.
 *
 * A walk is shared by the threads that read files (source.h): skua_walk_next is thread-safe. Every
 * entry gets the next number; the numbers 0 to count - 1 are all given out, each once. A directory
 * comes before what is in it. Symbolic links below a root are never followed; temporary files of
 * the tool are passed over. Entries that cannot be sent come as notices.
 *
 * Roots come in two kinds: of the local command line (any path, and a link that the user named is
 * followed), and of a peer's request (beneath a store, no link is followed). */
#ifndef SKUA_TOOLS_WALK_H
#define SKUA_TOOLS_WALK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "file_proto.h"
#include "store.h"

struct skua_walk;

struct skua_walk_config {
    const struct skua_store *store; /* roots are beneath it; NULL: local paths. Outlives the walk */
    const char *const *roots;       /* paths; copied */
    size_t count;                   /* of roots, at least 1 */
    bool recursive;                 /* go into directories; else they are notices (IS_DIR) */
    bool links;                     /* yield links; else they are notices (LINK_SKIPPED) */
};

/* One entry. */
struct skua_walk_entry {
    uint64_t id;                       /* its number */
    uint16_t root;                     /* which root it is of */
    enum skua_file_record type;        /* FILE, DIR, LINK or NOTICE */
    enum skua_file_status status;      /* NOTICE: why */
    struct stat st;                    /* DIR, LINK: its metadata; FILE: of its opened `fd` */
    int fd;                            /* FILE: open for reading, belongs to the caller; else -1 */
    size_t path_len;                   /* bytes of `path` */
    char path[SKUA_FILE_PATH_MAX + 1]; /* below the root; "" = the root itself */
    char target[SKUA_FILE_PATH_MAX + 1]; /* LINK: where it points; else "" */
};

/* NULL where memory is short. */
struct skua_walk *skua_walk_new(const struct skua_walk_config *config);
void skua_walk_free(struct skua_walk *walk);

/* The next entry; false at the end. Blocks on the disk: not for the loop's thread. */
bool skua_walk_next(struct skua_walk *walk, struct skua_walk_entry *entry);
/* Whether the name of a FILE no longer leads to what was opened by it, as far as that can be told.
 * Blocks on the disk, too. */
bool skua_walk_name_left(const struct skua_walk *walk, const struct skua_walk_entry *entry);
/* Entries yielded so far. */
uint64_t skua_walk_count(struct skua_walk *walk);
/* Makes skua_walk_next return false from now on. */
void skua_walk_stop(struct skua_walk *walk);

/* Counts entries and bytes of the same roots without reading files, for progress bars. Stops early,
 * with what it has, when *stop becomes true. */
void skua_walk_measure(const struct skua_walk_config *config, const atomic_bool *stop,
                       struct skua_file_totals *out);

#endif
