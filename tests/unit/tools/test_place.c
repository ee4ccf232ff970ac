/* Where the roots of a copy go. */
#include "unit.h"

#include <sys/stat.h>

#include "place.h"
#include "tree.h"

/* The target of root 0, or NULL; the status in *status. Valid until the next call. */
static const char *place_one(const struct skua_store *store, const char *dst, bool must_be_dir,
                             const char *const *names, size_t count, enum skua_file_status *status)
{
    static char target[SKUA_FILE_PATH_MAX * 2];
    const struct skua_place place = {
        .dst = dst, .must_be_dir = must_be_dir, .names = names, .count = count};
    char **targets = NULL;
    *status = skua_place_roots(store, &place, &targets);
    assert_int_equal(targets != NULL, *status == SKUA_STATUS_OK);
    if (targets == NULL) {
        return NULL;
    }
    strncpy(target, targets[count - 1], sizeof target - 1);
    skua_place_free(targets, count);
    return target;
}

static const char *const one[] = {"name"};
static const char *const two[] = {"first", "second"};
static const char *const contents[] = {""};

static void test_places(void **state)
{
    (void)state;
    struct tree tree;
    struct skua_store store;
    enum skua_file_status status;
    tree_init(&tree);
    tree_dir(&tree, "d", 0755);
    tree_dir(&tree, "d/e", 0755);
    tree_file(&tree, "f", 3, 1, 0644);
    tree_link(&tree, "l", "d");
    assert_int_equal(skua_store_init(&store, tree.path), 0);
    assert_string_equal(place_one(&store, "", false, one, 1, &status), "name");
    assert_string_equal(place_one(&store, "d", false, one, 1, &status), "d/name");
    assert_string_equal(place_one(&store, "d/e", true, two, 2, &status), "d/e/second");
    assert_string_equal(place_one(&store, "d", false, contents, 1, &status), "d");
    assert_string_equal(place_one(&store, "", false, contents, 1, &status), "");
    assert_string_equal(place_one(&store, "f", false, one, 1, &status), "f");
    assert_string_equal(place_one(&store, "new", false, one, 1, &status), "new");
    assert_string_equal(place_one(&store, "d/e/new", false, one, 1, &status), "d/e/new");
    skua_store_deinit(&store);
    tree_deinit(&tree);
}

static void refused(const struct skua_store *store, const char *dst, bool must_be_dir,
                    const char *const *names, size_t count, enum skua_file_status want)
{
    enum skua_file_status status;
    assert_null(place_one(store, dst, must_be_dir, names, count, &status));
    assert_int_equal(status, want);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const hostile[] = {"../x"};
    static const char *const dots[] = {".."};
    static const char *const path[] = {"a/b"};
    struct tree tree;
    struct skua_store store;
    tree_init(&tree);
    tree_dir(&tree, "d", 0755);
    tree_file(&tree, "f", 3, 1, 0644);
    tree_link(&tree, "l", "d");
    assert_int_equal(mkfifo(tree_at(&tree, "fifo"), 0600), 0);
    assert_int_equal(skua_store_init(&store, tree.path), 0);
    refused(&store, "fifo", false, one, 1, SKUA_STATUS_DST_NOT_FILE);
    refused(&store, "new", true, one, 1, SKUA_STATUS_NOT_FOUND);
    refused(&store, "new", false, two, 2, SKUA_STATUS_NOT_FOUND);
    refused(&store, "new", false, contents, 1, SKUA_STATUS_NOT_FOUND);
    refused(&store, "f", true, one, 1, SKUA_STATUS_NOT_DIR);
    refused(&store, "f", false, two, 2, SKUA_STATUS_NOT_DIR);
    refused(&store, "no/new", false, one, 1, SKUA_STATUS_NOT_FOUND);
    refused(&store, "f/new", false, one, 1, SKUA_STATUS_NOT_DIR);
    refused(&store, "l", false, one, 1, SKUA_STATUS_IS_LINK);
    refused(&store, "l/new", false, one, 1, SKUA_STATUS_IS_LINK);
    refused(&store, "..", false, one, 1, SKUA_STATUS_BAD_NAME);
    refused(&store, "/tmp", false, one, 1, SKUA_STATUS_BAD_NAME);
    refused(&store, "d/../../x", false, one, 1, SKUA_STATUS_BAD_NAME);
    refused(&store, "d", false, hostile, 1, SKUA_STATUS_BAD_NAME);
    refused(&store, "", false, dots, 1, SKUA_STATUS_BAD_NAME);
    refused(&store, "", false, path, 1, SKUA_STATUS_BAD_NAME);
    skua_store_deinit(&store);
    tree_deinit(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
