/* Scratch folders for tests of files. Failures end the test. */
#ifndef SKUA_TESTS_TREE_H
#define SKUA_TESTS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tree {
    char path[64]; /* the folder */
};

/* A new empty folder below $TMPDIR or /tmp. */
void tree_init(struct tree *tree);
/* Removes it with all that is in it, links not followed. */
void tree_deinit(struct tree *tree);
/* PATH/name; static, valid until the fourth next call. */
const char *tree_at(const struct tree *tree, const char *name);
void tree_dir(const struct tree *tree, const char *name, mode_t mode);
/* A file of `size` bytes that depend on `seed` and the offset. */
void tree_file(const struct tree *tree, const char *name, size_t size, unsigned seed, mode_t mode);
void tree_link(const struct tree *tree, const char *name, const char *target);
bool tree_has(const struct tree *tree, const char *name);
/* Whether both are the same: names, kinds, modes, times, contents and link targets. Prints the
 * first difference. */
bool tree_same(const struct tree *a, const struct tree *b);
/* Number of entries in it, at all depths. */
size_t tree_count(const struct tree *tree);

#endif
