/* Key files, lists of keys, known servers. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "keys.h"
#include "known_hosts.h"
#include "tree.h"

static const char key_text[] = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
static const char other_text[] = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

static void write_file(const struct tree *tree, const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(tree_at(tree, name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(tree_at(tree, name), mode), 0);
}

static void test_create_and_load(void **state)
{
    (void)state;
    struct tree tree;
    struct skua_secret_key made;
    struct skua_secret_key loaded;
    struct skua_why why;
    struct stat st;
    bool created = false;
    bool missing = false;
    tree_init(&tree);
    const char *path = tree_at(&tree, "a/b/key");
    assert_false(skua_secret_key_load(&loaded, path, &missing, &why));
    assert_true(missing);
    assert_true(skua_secret_key_load_or_create(&made, path, &created, &why));
    assert_true(created);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(tree_at(&tree, "a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_true(skua_secret_key_load_or_create(&loaded, path, &created, &why));
    assert_false(created);
    assert_memory_equal(&made, &loaded, sizeof made);
    assert_false(skua_secret_key_create(&made, path, &why)); /* never overwrites */
    tree_deinit(&tree);
}

static void check_load(const struct tree *tree, const char *text, mode_t mode, bool want)
{
    struct skua_secret_key key = {{0}};
    struct skua_why why;
    bool missing = true;
    write_file(tree, "key", text, mode);
    assert_int_equal(skua_secret_key_load(&key, tree_at(tree, "key"), &missing, &why), want);
    assert_false(missing);
    if (want) {
        assert_int_equal(key.bytes[0], 1);
        assert_int_equal(key.bytes[31], 1);
    } else {
        assert_true(sodium_is_zero(key.bytes, sizeof key.bytes)); /* nothing of a bad one stays */
    }
}

static void test_load_refuses(void **state)
{
    (void)state;
    struct tree tree;
    char text[8192];
    tree_init(&tree);
    (void)snprintf(text, sizeof text, "%s\n", key_text);
    check_load(&tree, text, 0600, true);
    check_load(&tree, text, 0400, true);
    check_load(&tree, text, 0640, false);
    check_load(&tree, text, 0604, false);
    check_load(&tree, text, 0620, false);
    check_load(&tree, key_text, 0600, true); /* no newline */
    (void)snprintf(text, sizeof text, "# comment\n\n  %s  \n", key_text);
    check_load(&tree, text, 0600, true);
    check_load(&tree, "", 0600, false);
    check_load(&tree, "# only a comment", 0600, false);
    check_load(&tree, "c2hvcnQ=\n", 0600, false);
    (void)snprintf(text, sizeof text, "%s extra\n", key_text);
    check_load(&tree, text, 0600, false);
    memset(text, '#', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    check_load(&tree, text, 0600, false);
    tree_deinit(&tree);
}

static void test_list(void **state)
{
    (void)state;
    struct tree tree;
    struct skua_key_list list;
    struct skua_key key;
    struct skua_key other;
    struct skua_why why;
    bool missing = false;
    char text[1024];
    tree_init(&tree);
    assert_int_equal(skua_key_parse(&key, key_text), SKUA_OK);
    assert_int_equal(skua_key_parse(&other, other_text), SKUA_OK);
    assert_false(skua_key_list_load(&list, tree_at(&tree, "keys"), &missing, &why));
    assert_true(missing);

    (void)snprintf(text, sizeof text, "# friends\n\n\t%s  Ann # since May\r\n%s", key_text,
                   key_text);
    write_file(&tree, "keys", text, 0644);
    assert_true(skua_key_list_load(&list, tree_at(&tree, "keys"), &missing, &why));
    assert_int_equal(list.count, 2);
    assert_true(skua_key_list_has(&list, &key));
    assert_false(skua_key_list_has(&list, &other));
    skua_key_list_deinit(&list);
    assert_false(skua_key_list_has(&list, &key));

    (void)snprintf(text, sizeof text, "%s\nnonsense\n", key_text);
    write_file(&tree, "keys", text, 0644);
    assert_false(skua_key_list_load(&list, tree_at(&tree, "keys"), &missing, &why));
    assert_non_null(strstr(why.text, "line 2"));
    assert_int_equal(list.count, 0);
    write_file(&tree, "keys", "", 0644);
    assert_true(skua_key_list_load(&list, tree_at(&tree, "keys"), NULL, &why));
    assert_false(skua_key_list_has(&list, &key));
    skua_key_list_deinit(&list);
    tree_deinit(&tree);
}

static void test_known_hosts(void **state)
{
    (void)state;
    struct tree tree;
    struct skua_key key;
    struct skua_key other;
    struct skua_key found_key;
    struct skua_why why;
    char name[SKUA_HOST_TEXT_LEN];
    bool found = true;
    tree_init(&tree);
    const char *path = tree_at(&tree, "conf/known_hosts");
    assert_int_equal(skua_key_parse(&key, key_text), SKUA_OK);
    assert_int_equal(skua_key_parse(&other, other_text), SKUA_OK);
    skua_known_host_name(name, "Example.ORG", 7582);
    assert_string_equal(name, "example.org:7582");
    assert_true(skua_known_hosts_find(path, name, &found, &found_key, &why)); /* no file */
    assert_false(found);
    assert_true(skua_known_hosts_add(path, name, &key, &why));
    assert_true(skua_known_hosts_find(path, name, &found, &found_key, &why));
    assert_true(found);
    assert_memory_equal(&found_key, &key, sizeof key);
    assert_true(skua_known_hosts_find(path, "example.org:758", &found, &found_key, &why));
    assert_false(found);

    skua_known_host_name(name, "2001:db8::1", 1);
    assert_string_equal(name, "[2001:db8::1]:1");
    assert_true(skua_known_hosts_add(path, name, &key, &why));
    assert_true(skua_known_hosts_add(path, name, &other, &why)); /* the last one counts */
    assert_true(skua_known_hosts_find(path, name, &found, &found_key, &why));
    assert_memory_equal(&found_key, &other, sizeof key);

    FILE *file = fopen(path, "a");
    assert_non_null(file);
    (void)fputs("broken:1 nonsense\n# comment\nelse:1 also\n", file);
    assert_int_equal(fclose(file), 0);
    assert_false(skua_known_hosts_find(path, "broken:1", &found, &found_key, &why));

    /* A last line without its end, as some editors leave it, stays a line of its own. */
    file = fopen(path, "a");
    assert_non_null(file);
    (void)fprintf(file, "last:1 %s", other_text);
    assert_int_equal(fclose(file), 0);
    assert_true(skua_known_hosts_add(path, "new:1", &key, &why));
    assert_true(skua_known_hosts_find(path, "new:1", &found, &found_key, &why));
    assert_true(found);
    assert_true(skua_known_hosts_find(path, "last:1", &found, &found_key, &why));
    assert_true(found);
    assert_memory_equal(&found_key, &other, sizeof key);
    assert_true(skua_known_hosts_find(path, name, &found, &found_key, &why));
    tree_deinit(&tree);
}

static void test_user_path(void **state)
{
    (void)state;
    struct skua_user_path path;
    struct skua_why why;
    assert_int_equal(setenv("HOME", "/home/ann", 1), 0);
    assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
    assert_true(skua_user_path(&path, "key", &why));
    assert_string_equal(path.text, "/home/ann/.config/skua/key");
    assert_int_equal(setenv("XDG_CONFIG_HOME", "/conf", 1), 0);
    assert_true(skua_user_path(&path, "key", &why));
    assert_string_equal(path.text, "/conf/skua/key");
    assert_int_equal(setenv("XDG_CONFIG_HOME", "relative", 1), 0); /* to be ignored */
    assert_true(skua_user_path(&path, "key", &why));
    assert_string_equal(path.text, "/home/ann/.config/skua/key");
    assert_int_equal(unsetenv("HOME"), 0);
    assert_false(skua_user_path(&path, "key", &why));
}

/* The user's key is made where it is missing, one that was named is not. */
static void test_own_key(void **state)
{
    (void)state;
    struct tree tree;
    struct skua_secret_key key;
    struct skua_secret_key again;
    struct skua_user_path made;
    struct skua_why why;
    tree_init(&tree);
    assert_int_equal(setenv("XDG_CONFIG_HOME", tree_at(&tree, "conf"), 1), 0);
    assert_false(skua_own_key_load(&key, tree_at(&tree, "named"), &made, &why));
    assert_string_equal(made.text, "");
    assert_int_equal(access(tree_at(&tree, "named"), F_OK), -1);
    assert_true(skua_own_key_load(&key, NULL, &made, &why));
    assert_string_equal(made.text, tree_at(&tree, "conf/skua/key"));
    assert_true(skua_own_key_load(&again, NULL, &made, &why));
    assert_string_equal(made.text, "");
    assert_memory_equal(&key, &again, sizeof key);
    assert_true(skua_own_key_load(&again, tree_at(&tree, "conf/skua/key"), &made, &why));
    assert_memory_equal(&key, &again, sizeof key);
    assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
    tree_deinit(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_and_load),
        cmocka_unit_test(test_load_refuses),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_known_hosts),
        cmocka_unit_test(test_user_path),
        cmocka_unit_test(test_own_key),
    };
    return skua_init() == SKUA_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
