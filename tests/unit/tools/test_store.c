/* Stores: nothing leaves the folder, nothing wrong gets a final name. Each test of opening runs
 * with openat2 and with the step-wise walk. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "file_proto.h"
#include "store.h"
#include "synced.h"
#include "tree.h"

struct world {
    struct tree tree;
    struct skua_store store;
};

static void begin(struct world *world, bool step_wise)
{
    tree_init(&world->tree);
    assert_int_equal(skua_store_init(&world->store, world->tree.path), 0);
    world->store.step_wise = step_wise;
}

static void end(struct world *world)
{
    skua_store_deinit(&world->store);
    tree_deinit(&world->tree);
}

static int try_open(struct world *world, const char *path, int flags)
{
    int fd = -1;
    const int error = skua_store_open(&world->store, path, flags, &fd);
    if (error == 0) {
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
    }
    return error;
}

static void check_open(bool step_wise)
{
    struct world world;
    begin(&world, step_wise);
    tree_dir(&world.tree, "d", 0755);
    tree_dir(&world.tree, "d/e", 0755);
    tree_file(&world.tree, "d/e/f", 10, 1, 0644);
    tree_link(&world.tree, "d/to_f", "e/f");
    tree_link(&world.tree, "to_d", "d");
    tree_link(&world.tree, "out", "/");
    tree_link(&world.tree, "up", "..");
    assert_int_equal(mkfifo(tree_at(&world.tree, "fifo"), 0600), 0);
    assert_int_equal(try_open(&world, "", 0), 0);
    assert_int_equal(try_open(&world, "d", 0), 0);
    assert_int_equal(try_open(&world, "d/e/f", 0), 0);
    assert_int_equal(try_open(&world, "fifo", 0), 0); /* and did not block */
    assert_int_equal(try_open(&world, "d/none", 0), ENOENT);
    assert_int_equal(try_open(&world, "none/f", 0), ENOENT);
    assert_int_equal(try_open(&world, "d/e/f/g", 0), ENOTDIR);
    assert_int_equal(try_open(&world, "d/to_f", 0), ELOOP);
    assert_int_equal(try_open(&world, "d/to_f", O_PATH), ELOOP);
    assert_int_equal(try_open(&world, "to_d/e/f", 0), ELOOP);
    assert_int_equal(try_open(&world, "to_d", O_DIRECTORY), ELOOP);
    assert_int_equal(try_open(&world, "out/etc", 0), ELOOP);
    assert_int_equal(try_open(&world, "up/tmp", 0), ELOOP);
    end(&world);
}

static void test_open(void **state)
{
    (void)state;
    check_open(false);
    check_open(true);
}

static int try_make(struct world *world, const char *path)
{
    int fd = -1;
    const int error = skua_store_make_dirs(&world->store, path, false, &fd);
    if (error == 0) {
        assert_int_equal(close(fd), 0);
    }
    return error;
}

static void check_make_dirs(bool step_wise)
{
    struct world world;
    begin(&world, step_wise);
    tree_file(&world.tree, "f", 1, 1, 0644);
    tree_link(&world.tree, "out", "/tmp");
    assert_int_equal(try_make(&world, "a/b/c"), 0);
    assert_int_equal(try_make(&world, "a/b/c"), 0);
    assert_int_equal(try_make(&world, "a/b/d"), 0);
    assert_true(tree_has(&world.tree, "a/b/c") && tree_has(&world.tree, "a/b/d"));
    assert_int_equal(try_make(&world, "f/x"), ENOTDIR);
    assert_int_equal(try_make(&world, "out/skua-must-not-exist"), ELOOP);
    struct stat st;
    assert_int_equal(stat("/tmp/skua-must-not-exist", &st), -1);
    const struct timespec mtime = {.tv_sec = 1000, .tv_nsec = 7};
    assert_int_equal(skua_store_set_dir(&world.store, "a/b", 04750, mtime, false), 0);
    assert_int_equal(stat(tree_at(&world.tree, "a/b"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    assert_int_equal(st.st_mtim.tv_sec, 1000);
    assert_int_equal(skua_store_set_dir(&world.store, "out", 0777, mtime, false), ELOOP);
    end(&world);
}

static void test_make_dirs(void **state)
{
    (void)state;
    check_make_dirs(false);
    check_make_dirs(true);
}

static void check_sync(bool step_wise)
{
    struct world world;
    int fd = -1;
    const struct timespec mtime = {.tv_sec = 1000};
    begin(&world, step_wise);
    tree_dir(&world.tree, "a", 0755);
    synced_reset();
    assert_int_equal(skua_store_make_dirs(&world.store, "a/b/c", true, &fd), 0);
    assert_int_equal(close(fd), 0);
    /* Those in which something was made, and no others. */
    assert_true(synced_has(tree_at(&world.tree, "a")));
    assert_true(synced_has(tree_at(&world.tree, "a/b")));
    assert_false(synced_has(tree_at(&world.tree, "a/b/c")) || synced_has(world.tree.path));
    synced_reset();
    assert_int_equal(skua_store_make_dirs(&world.store, "d", true, &fd), 0);
    assert_int_equal(skua_store_link(fd, "link", "x", mtime, true), 0);
    assert_int_equal(close(fd), 0);
    assert_true(synced_has(world.tree.path) && synced_has(tree_at(&world.tree, "d")));
    synced_reset();
    assert_int_equal(skua_store_set_dir(&world.store, "a", 0700, mtime, true), 0);
    assert_true(synced_has(tree_at(&world.tree, "a")));
    end(&world);
}

static void test_sync(void **state)
{
    (void)state;
    check_sync(false);
    check_sync(true);
}

/* A folder whose name may not be on the disk is no folder: who comes next makes it anew. */
static void check_failed_sync(bool step_wise)
{
    struct world world;
    int fd = -1;
    begin(&world, step_wise);
    tree_dir(&world.tree, "a", 0755);
    synced_reset();
    synced_fail_once();
    assert_int_equal(skua_store_make_dirs(&world.store, "a/b/c", true, &fd), EIO);
    assert_false(tree_has(&world.tree, "a/b"));
    assert_int_equal(skua_store_make_dirs(&world.store, "a/b", true, &fd), 0);
    assert_int_equal(close(fd), 0);
    assert_true(synced_has(tree_at(&world.tree, "a")));
    end(&world);
}

static void test_failed_sync(void **state)
{
    (void)state;
    check_failed_sync(false);
    check_failed_sync(true);
}

/* Another thread that needs the folder "n" of the same store. */
struct second {
    struct world *world;
    pthread_t thread;
    sem_t done;
    bool early; /* it had the folder before the first had synced it */
};

static void *use_folder(void *user)
{
    struct second *second = user;
    int fd = -1;
    if (skua_store_make_dirs(&second->world->store, "n", true, &fd) == 0) {
        (void)close(fd);
        (void)sem_post(&second->done);
    }
    return NULL;
}

/* While the name of "n" is on its way to the disk. A thread that does not wait for that has plenty
 * of time to show it. */
static void start_second(void *user)
{
    struct second *second = user;
    struct timespec until;
    assert_true(tree_has(&second->world->tree, "n"));
    assert_int_equal(pthread_create(&second->thread, NULL, use_folder, second), 0);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_nsec += 50 * 1000 * 1000;
    if (until.tv_nsec >= 1000 * 1000 * 1000) {
        until.tv_sec++;
        until.tv_nsec -= 1000 * 1000 * 1000;
    }
    second->early = sem_timedwait(&second->done, &until) == 0;
}

/* Two requests, one store: none calls a file safe in a folder whose name is not on the disk yet. */
static void test_folder_of_two(void **state)
{
    (void)state;
    struct world world;
    struct second second = {.world = &world};
    int fd = -1;
    begin(&world, false);
    assert_int_equal(sem_init(&second.done, 0, 0), 0);
    synced_reset();
    synced_call_once(start_second, &second);
    assert_int_equal(skua_store_make_dirs(&world.store, "n", true, &fd), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(pthread_join(second.thread, NULL), 0);
    assert_false(second.early);
    assert_int_equal(sem_trywait(&second.done), 0); /* it got the folder in the end */
    assert_int_equal(sem_destroy(&second.done), 0);
    end(&world);
}

static void test_file_life(void **state)
{
    (void)state;
    struct world world;
    struct skua_store_file file;
    struct stat st;
    const struct timespec mtime = {.tv_sec = -5, .tv_nsec = 123456789};
    begin(&world, false);
    assert_int_equal(skua_store_file_begin(&file, world.store.fd), 0);
    assert_true(skua_name_is_temp(file.temp));
    assert_int_equal(write(file.fd, "hello", 5), 5);
    assert_false(tree_has(&world.tree, "name"));
    assert_int_equal(skua_store_file_commit(&file, "name", 8, 06644, mtime, true), 0);
    assert_int_equal(stat(tree_at(&world.tree, "name"), &st), 0);
    assert_int_equal(st.st_size, 8); /* the hole at the end counts */
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_true(st.st_mtim.tv_sec == -5 && st.st_mtim.tv_nsec == 123456789);
    assert_int_equal(tree_count(&world.tree), 1);

    assert_int_equal(skua_store_file_begin(&file, world.store.fd), 0);
    skua_store_file_discard(&file);
    skua_store_file_discard(&file);
    assert_int_equal(tree_count(&world.tree), 1);
    end(&world);
}

static void test_commit_replaces_files_and_links_only(void **state)
{
    (void)state;
    struct world world;
    struct skua_store_file file;
    const struct timespec mtime = {.tv_sec = 5};
    begin(&world, false);
    tree_file(&world.tree, "victim", 3, 1, 0600);
    tree_link(&world.tree, "link", "victim");
    tree_dir(&world.tree, "dir", 0755);
    assert_int_equal(skua_store_file_begin(&file, world.store.fd), 0);
    assert_int_equal(skua_store_file_commit(&file, "link", 0, 0644, mtime, false), 0);
    struct stat st;
    assert_int_equal(lstat(tree_at(&world.tree, "link"), &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(lstat(tree_at(&world.tree, "victim"), &st), 0);
    assert_int_equal(st.st_size, 3);

    assert_int_equal(skua_store_file_begin(&file, world.store.fd), 0);
    assert_int_equal(skua_store_file_commit(&file, "dir", 0, 0644, mtime, false), EISDIR);
    assert_int_equal(tree_count(&world.tree), 3);

    assert_int_equal(mkfifo(tree_at(&world.tree, "fifo"), 0600), 0);
    assert_int_equal(skua_store_file_begin(&file, world.store.fd), 0);
    assert_int_equal(skua_store_file_commit(&file, "fifo", 0, 0644, mtime, false), EEXIST);
    assert_int_equal(lstat(tree_at(&world.tree, "fifo"), &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(tree_count(&world.tree), 4);
    end(&world);
}

static void test_link(void **state)
{
    (void)state;
    struct world world;
    const struct timespec mtime = {.tv_sec = 77};
    char target[16] = {0};
    begin(&world, false);
    tree_file(&world.tree, "l", 3, 1, 0600);
    tree_dir(&world.tree, "d", 0755);
    assert_int_equal(skua_store_link(world.store.fd, "l", "d", mtime, false), 0);
    assert_int_equal(readlink(tree_at(&world.tree, "l"), target, sizeof target - 1), 1);
    assert_string_equal(target, "d");
    assert_int_equal(skua_store_link(world.store.fd, "d", "l", mtime, false), EISDIR);
    assert_int_equal(mkfifo(tree_at(&world.tree, "fifo"), 0600), 0);
    assert_int_equal(skua_store_link(world.store.fd, "fifo", "l", mtime, false), EEXIST);
    assert_int_equal(tree_count(&world.tree), 3);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_make_dirs),
        cmocka_unit_test(test_sync),
        cmocka_unit_test(test_failed_sync),
        cmocka_unit_test(test_folder_of_two),
        cmocka_unit_test(test_file_life),
        cmocka_unit_test(test_commit_replaces_files_and_links_only),
        cmocka_unit_test(test_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
