/* Scratch folders for tests of files (tree.h). */
#include "tree.h"

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void tree_init(struct tree *tree)
{
    const char *base = getenv("TMPDIR");
    const int len = snprintf(tree->path, sizeof tree->path, "%s/skua-test-XXXXXX",
                             base != NULL && strlen(base) < 32 ? base : "/tmp");
    assert_true(len > 0 && (size_t)len < sizeof tree->path);
    assert_non_null(mkdtemp(tree->path));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int open_up(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)ftw;
    return type == FTW_D || type == FTW_DNR ? chmod(path, st->st_mode | 0700) : 0;
}

void tree_deinit(struct tree *tree)
{
    (void)nftw(tree->path, open_up, 16, FTW_PHYS);
    assert_int_equal(nftw(tree->path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *tree_at(const struct tree *tree, const char *name)
{
    static char paths[4][8192];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", tree->path, name);
    return path;
}

void tree_dir(const struct tree *tree, const char *name, mode_t mode)
{
    assert_int_equal(mkdir(tree_at(tree, name), 0700), 0);
    assert_int_equal(chmod(tree_at(tree, name), mode), 0);
}

void tree_file(const struct tree *tree, const char *name, size_t size, unsigned seed, mode_t mode)
{
    FILE *file = fopen(tree_at(tree, name), "wb");
    assert_non_null(file);
    for (size_t i = 0; i < size; i++) {
        const unsigned mixed = ((unsigned)i + seed * 7919U) * 2654435761U;
        assert_int_not_equal(putc((int)(mixed >> 24), file), EOF);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(tree_at(tree, name), mode), 0);
}

void tree_link(const struct tree *tree, const char *name, const char *target)
{
    assert_int_equal(symlink(target, tree_at(tree, name)), 0);
}

bool tree_has(const struct tree *tree, const char *name)
{
    struct stat st;
    return lstat(tree_at(tree, name), &st) == 0;
}

static bool same_bytes(const char *a, const char *b)
{
    FILE *left = fopen(a, "rb");
    FILE *right = fopen(b, "rb");
    assert_non_null(left);
    assert_non_null(right);
    int l = 0;
    int r = 0;
    while (l == r && l != EOF) {
        l = getc(left);
        r = getc(right);
    }
    (void)fclose(left);
    (void)fclose(right);
    return l == r;
}

static bool same_target(const char *a, const char *b)
{
    char left[4096] = {0};
    char right[4096] = {0};
    assert_true(readlink(a, left, sizeof left - 1) >= 0);
    assert_true(readlink(b, right, sizeof right - 1) >= 0);
    return strcmp(left, right) == 0;
}

/* Whether what is at `a` is at `b` as well; directories go down. */
static bool same_at(const char *a, const char *b, bool top)
{
    struct stat left;
    struct stat right;
    assert_int_equal(lstat(a, &left), 0);
    if (lstat(b, &right) != 0) {
        print_error("missing: %s\n", b);
        return false;
    }
    const bool same_time = left.st_mtim.tv_sec == right.st_mtim.tv_sec &&
                           left.st_mtim.tv_nsec == right.st_mtim.tv_nsec;
    if (!top && (left.st_mode != right.st_mode || !same_time)) {
        print_error("differs in mode or time: %s %s\n", a, b);
        return false;
    }
    if (S_ISLNK(left.st_mode)) {
        return same_target(a, b);
    }
    if (S_ISREG(left.st_mode)) {
        return left.st_size == right.st_size && same_bytes(a, b);
    }
    DIR *dir = opendir(a);
    assert_non_null(dir);
    bool same = true;
    for (struct dirent *entry = readdir(dir); same && entry != NULL; entry = readdir(dir)) {
        char below_a[8192];
        char below_b[8192];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        (void)snprintf(below_a, sizeof below_a, "%s/%s", a, entry->d_name);
        (void)snprintf(below_b, sizeof below_b, "%s/%s", b, entry->d_name);
        same = same_at(below_a, below_b, false);
        if (!same) {
            print_error("different: %s\n", below_a);
        }
    }
    (void)closedir(dir);
    return same;
}

bool tree_same(const struct tree *a, const struct tree *b)
{
    return same_at(a->path, b->path, true) && same_at(b->path, a->path, true);
}

static size_t counted;

static int count_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)path;
    (void)st;
    (void)type;
    counted += ftw->level > 0 ? 1 : 0;
    return 0;
}

size_t tree_count(const struct tree *tree)
{
    counted = 0;
    assert_int_equal(nftw(tree->path, count_one, 16, FTW_PHYS), 0);
    return counted;
}
