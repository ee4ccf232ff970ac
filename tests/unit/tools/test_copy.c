/* Source to sink without a network: trees arrive as they were, whatever the pieces in which the
 * bytes arrive, and what must not arrive does not. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink.h"
#include "source.h"
#include "synced.h"
#include "tree.h"

static const struct skua_file_key key = {.bytes = {1, 2, 3}};

/* How one copy is made. */
struct plan {
    const struct tree *from;
    const char *root; /* path in `from`, or "" */
    bool served;      /* `from` is a store, as a server's folder is */
    const struct tree *to;
    const char *target; /* path in `to`, or "" */
    bool no_recursion;
    bool links;
    bool checksum;
    bool sync;
    size_t piece;   /* bytes handed to the sink at a time; 0 = a whole buffer */
    size_t cap;     /* of the source's buffer; 0 = 256 KiB */
    size_t streams; /* sources that share the walk; 0 = 1 */
    /* Called with each buffer before it goes to the sink; may change it. */
    void (*tamper)(uint8_t *data, size_t len, size_t number);
    /* Results. */
    struct skua_outcomes sent;
    struct skua_outcomes stored;
    enum skua_file_status stream_status;
};

static bool feed(struct skua_sink *sink, const uint8_t *data, size_t len, struct plan *plan)
{
    const size_t piece = plan->piece == 0 ? len : plan->piece;
    for (size_t at = 0; at < len; at += piece) {
        /* A block of its own: a sanitizer sees a read past its end. */
        const size_t take = len - at < piece ? len - at : piece;
        uint8_t *copy = malloc(take);
        memcpy(copy, data + at, take);
        const bool good = skua_sink_take(sink, copy, take, &plan->stored);
        free(copy);
        if (!good) {
            plan->stream_status = skua_sink_status(sink);
            return false;
        }
    }
    return true;
}

enum { STREAMS_MAX = 4 };

static void pump(struct plan *plan, struct skua_source **sources, struct skua_sink **sinks)
{
    const size_t cap = plan->cap == 0 ? 262144 : plan->cap;
    const size_t streams = plan->streams == 0 ? 1 : plan->streams;
    uint8_t *buffer = malloc(cap);
    bool more[STREAMS_MAX] = {true, true, true, true};
    bool good = true;
    size_t open = streams;
    for (size_t number = 0; good && open > 0; number++) {
        const size_t i = number % streams;
        if (!more[i]) {
            continue;
        }
        size_t len = 0;
        more[i] = skua_source_fill(sources[i], buffer, cap, &len, &plan->sent);
        assert_true(len <= cap);
        if (plan->tamper != NULL) {
            plan->tamper(buffer, len, number);
        }
        good = feed(sinks[i], buffer, len, plan);
        if (good && !more[i]) {
            open--;
            assert_true(skua_sink_end(sinks[i]));
        }
    }
    free(buffer);
}

static void copy(struct plan *plan)
{
    struct skua_store store;
    struct skua_store served;
    char root[4200];
    (void)snprintf(root, sizeof root, "%s%s%s", plan->from->path, plan->root[0] != '\0' ? "/" : "",
                   plan->root);
    const char *roots[] = {plan->served ? plan->root : root};
    const char *targets[] = {plan->target};
    assert_int_equal(skua_store_init(&store, plan->to->path), 0);
    assert_int_equal(skua_store_init(&served, plan->from->path), 0);
    const struct skua_walk_config walk_config = {.store = plan->served ? &served : NULL,
                                                 .roots = roots,
                                                 .count = 1,
                                                 .recursive = !plan->no_recursion,
                                                 .links = plan->links};
    const struct skua_intake_config intake_config = {
        .store = &store,
        .targets = targets,
        .count = 1,
        .key = key,
        .recursive = !plan->no_recursion,
        .links = plan->links,
        .checksum = plan->checksum,
        .sync = plan->sync,
    };
    struct skua_walk *walk = skua_walk_new(&walk_config);
    struct skua_intake *intake = skua_intake_new(&intake_config);
    struct skua_source *sources[STREAMS_MAX];
    struct skua_sink *sinks[STREAMS_MAX];
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        sources[i] = skua_source_new(walk, &key, plan->checksum);
        sinks[i] = skua_sink_new(intake);
    }
    plan->stream_status = SKUA_STATUS_OK;
    pump(plan, sources, sinks);
    uint64_t entries = 0;
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        entries += skua_sink_entries(sinks[i]);
        skua_source_free(sources[i]);
        skua_sink_free(sinks[i]);
    }
    if (plan->stream_status == SKUA_STATUS_OK) {
        skua_intake_finish(intake, &plan->stored);
        assert_int_equal(entries, skua_walk_count(walk));
    }
    assert_false(plan->sent.failed || plan->stored.failed);
    skua_intake_free(intake);
    skua_walk_free(walk);
    skua_store_deinit(&served);
    skua_store_deinit(&store);
}

static void plan_deinit(struct plan *plan)
{
    skua_outcomes_deinit(&plan->sent);
    skua_outcomes_deinit(&plan->stored);
}

/* The status stored for `path`; fails where there is none or several. */
static enum skua_file_status stored(const struct plan *plan, const char *path)
{
    enum skua_file_status status = SKUA_STATUS_PROTOCOL;
    size_t found = 0;
    for (size_t i = 0; i < plan->stored.count; i++) {
        if (strcmp(plan->stored.list[i].path, path) == 0) {
            status = plan->stored.list[i].status;
            found++;
        }
    }
    assert_int_equal(found, 1);
    return status;
}

static void make_tree(const struct tree *tree)
{
    tree_dir(tree, "deep", 0755);
    tree_dir(tree, "deep/er", 0750);
    tree_dir(tree, "deep/er/est", 0700);
    tree_dir(tree, "empty", 0711);
    tree_dir(tree, "closed", 0755);
    tree_file(tree, "closed/f", 100, 1, 0444);
    tree_file(tree, "zero", 0, 1, 0600);
    tree_file(tree, "one", 1, 2, 0644);
    tree_file(tree, "page", 4096, 3, 0640);
    tree_file(tree, "big", 3000001, 4, 0755);
    tree_file(tree, "deep/er/est/file", 70000, 5, 0644);
    tree_file(tree, "-rf *", 10, 6, 0644);
    tree_file(tree, "\xc3\xa4 \xff", 10, 7, 0644);
    for (unsigned i = 0; i < 300; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "deep/small%u", i);
        tree_file(tree, name, i * 13, i, 0644);
    }
    tree_link(tree, "deep/link", "../one");
    assert_int_equal(chmod(tree_at(tree, "closed"), 0555), 0);
}

static void test_tree_arrives(void **state)
{
    (void)state;
    struct tree from;
    tree_init(&from);
    make_tree(&from);
    static const struct plan shapes[] = {
        {.piece = 0},   {.piece = 1, .cap = 20000},      {.piece = 4097},    {.cap = 16384},
        {.streams = 4}, {.streams = 3, .piece = 100001}, {.checksum = true}, {.cap = 2000000},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct tree to;
        tree_init(&to);
        struct plan plan = shapes[i];
        plan.from = &from;
        plan.to = &to;
        plan.root = "";
        plan.target = "";
        plan.links = true;
        copy(&plan);
        assert_int_equal(plan.stream_status, SKUA_STATUS_OK);
        assert_int_equal(plan.stored.count, tree_count(&from) + 1);
        for (size_t k = 0; k < plan.stored.count; k++) {
            assert_int_equal(plan.stored.list[k].status, SKUA_STATUS_OK);
        }
        assert_true(tree_same(&from, &to));
        plan_deinit(&plan);
        tree_deinit(&to);
    }
    tree_deinit(&from);
}

static void test_everything_is_on_the_disk(void **state)
{
    (void)state;
    struct tree from;
    struct tree to;
    static const char *const paths[] = {"new", "new/d", "new/d/e", "new/d/e/f", "new/d/empty"};
    tree_init(&from);
    tree_init(&to);
    tree_dir(&from, "d", 0755);
    tree_dir(&from, "d/e", 0755);
    tree_dir(&from, "d/empty", 0755);
    tree_file(&from, "d/e/f", 10, 1, 0644);
    tree_link(&from, "d/link", "e/f");
    for (int sync = 0; sync < 2; sync++) {
        struct plan plan = {.from = &from,
                            .root = "",
                            .to = &to,
                            .target = sync != 0 ? "new" : "unsafe",
                            .links = true,
                            .sync = sync != 0};
        synced_reset();
        copy(&plan);
        plan_deinit(&plan);
        assert_int_equal(synced_has(to.path), sync);
    }
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_true(synced_has(tree_at(&to, paths[i])));
    }
    tree_deinit(&from);
    tree_deinit(&to);
}

static void test_one_file(void **state)
{
    (void)state;
    struct tree from;
    struct tree to;
    tree_init(&from);
    tree_init(&to);
    tree_file(&from, "a", 5000, 1, 0640);
    struct plan plan = {.from = &from, .root = "a", .to = &to, .target = "b", .no_recursion = true};
    copy(&plan);
    assert_int_equal(stored(&plan, ""), SKUA_STATUS_OK);
    assert_true(tree_has(&to, "b"));
    assert_int_equal(tree_count(&to), 1);
    plan_deinit(&plan);

    /* The store's folder itself is no place for a file; nor is a directory. */
    plan = (struct plan){.from = &from, .root = "a", .to = &to, .target = ""};
    copy(&plan);
    assert_int_equal(stored(&plan, ""), SKUA_STATUS_DST_NOT_FILE);
    plan_deinit(&plan);
    tree_dir(&to, "d", 0755);
    plan = (struct plan){.from = &from, .root = "a", .to = &to, .target = "d"};
    copy(&plan);
    assert_int_equal(stored(&plan, ""), SKUA_STATUS_DST_NOT_FILE);
    plan_deinit(&plan);
    assert_int_equal(tree_count(&to), 2);
    tree_deinit(&from);
    tree_deinit(&to);
}

static void test_what_is_not_sent(void **state)
{
    (void)state;
    struct tree from;
    struct tree to;
    tree_init(&from);
    tree_init(&to);
    tree_dir(&from, "d", 0755);
    tree_file(&from, "d/f", 10, 1, 0644);
    tree_link(&from, "l", "d/f");
    tree_link(&from, "out", "/etc/passwd");
    tree_file(&from, "new\nline", 10, 1, 0644);
    tree_file(&from, ".skua-tmp-0123456789abcdef", 10, 1, 0644);
    assert_int_equal(mkfifo(tree_at(&from, "fifo"), 0600), 0);
    struct plan plan = {.from = &from, .root = "", .to = &to, .target = ""};
    copy(&plan);
    assert_int_equal(stored(&plan, "d/f"), SKUA_STATUS_OK);
    assert_int_equal(stored(&plan, "l"), SKUA_STATUS_LINK_SKIPPED);
    assert_int_equal(stored(&plan, "fifo"), SKUA_STATUS_SPECIAL);
    assert_int_equal(stored(&plan, "new\nline"), SKUA_STATUS_BAD_NAME);
    assert_int_equal(tree_count(&to), 2);
    plan_deinit(&plan);

    plan.links = true;
    copy(&plan);
    assert_int_equal(stored(&plan, "l"), SKUA_STATUS_OK);
    assert_int_equal(stored(&plan, "out"), SKUA_STATUS_LINK_REFUSED);
    plan_deinit(&plan);

    plan =
        (struct plan){.from = &from, .root = "d", .to = &to, .target = "x", .no_recursion = true};
    copy(&plan);
    assert_int_equal(stored(&plan, ""), SKUA_STATUS_IS_DIR);
    assert_false(tree_has(&to, "x"));
    plan_deinit(&plan);
    plan = (struct plan){.from = &from, .root = "none", .to = &to, .target = "x"};
    copy(&plan);
    assert_int_equal(stored(&plan, ""), SKUA_STATUS_NOT_FOUND);
    plan_deinit(&plan);
    tree_deinit(&from);
    tree_deinit(&to);
}

/* A tree whose middle is replaced by a link while it is written. */
static void test_links_in_the_way(void **state)
{
    (void)state;
    struct tree from;
    struct tree to;
    struct tree outside;
    tree_init(&from);
    tree_init(&to);
    tree_init(&outside);
    tree_dir(&from, "d", 0755);
    tree_file(&from, "d/f", 10, 1, 0644);
    tree_link(&to, "d", outside.path);
    struct plan plan = {.from = &from, .root = "", .to = &to, .target = ""};
    copy(&plan);
    assert_int_equal(stored(&plan, "d"), SKUA_STATUS_IS_LINK);
    assert_int_equal(stored(&plan, "d/f"), SKUA_STATUS_IS_LINK);
    assert_int_equal(tree_count(&outside), 0);
    plan_deinit(&plan);
    tree_deinit(&from);
    tree_deinit(&to);
    tree_deinit(&outside);
}

static void flip_byte_of_third(uint8_t *data, size_t len, size_t number)
{
    if (number == 2) {
        data[len / 2] ^= 1;
    }
}

static void test_changed_bytes_are_not_stored(void **state)
{
    (void)state;
    struct tree from;
    struct tree to;
    tree_init(&from);
    tree_init(&to);
    tree_file(&from, "a", 2000000, 1, 0640);
    struct plan plan = {
        .from = &from, .root = "a", .to = &to, .target = "a", .tamper = flip_byte_of_third};
    copy(&plan);
    assert_int_equal(stored(&plan, ""), SKUA_STATUS_INTEGRITY);
    assert_int_equal(tree_count(&to), 0);
    plan_deinit(&plan);
    tree_deinit(&from);
    tree_deinit(&to);
}

static const struct tree *tampered;

static void append_to_file(uint8_t *data, size_t len, size_t number)
{
    (void)data;
    (void)len;
    if (number == 2) {
        FILE *file = fopen(tree_at(tampered, "a"), "ab");
        assert_non_null(file);
        (void)fputs("more", file);
        assert_int_equal(fclose(file), 0);
    }
}

static void shorten_file(uint8_t *data, size_t len, size_t number)
{
    (void)data;
    (void)len;
    if (number == 2) {
        assert_int_equal(truncate(tree_at(tampered, "a"), 1000), 0);
    }
}

/* As `rsync --inplace -t` or who keeps encrypted containers does: other bytes, the old times. */
static void rewrite_with_old_times(uint8_t *data, size_t len, size_t number)
{
    (void)data;
    (void)len;
    if (number != 2) {
        return;
    }
    struct stat st;
    struct stat now;
    const int fd = open(tree_at(tampered, "a"), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    do { /* until the file system's clock has ticked: some milliseconds */
        assert_int_equal(pwrite(fd, "other", 5, st.st_size - 5), 5);
        assert_int_equal(futimens(fd, times), 0);
        assert_int_equal(fstat(fd, &now), 0);
    } while (now.st_ctim.tv_sec == st.st_ctim.tv_sec && now.st_ctim.tv_nsec == st.st_ctim.tv_nsec);
    assert_int_equal(close(fd), 0);
}

static void check_change(void (*tamper)(uint8_t *, size_t, size_t))
{
    struct tree from;
    struct tree to;
    tree_init(&from);
    tree_init(&to);
    tree_file(&from, "a", 2000000, 1, 0640);
    tampered = &from;
    struct plan plan = {.from = &from, .root = "a", .to = &to, .target = "a", .tamper = tamper};
    copy(&plan);
    assert_int_equal(stored(&plan, ""), SKUA_STATUS_CHANGED);
    assert_int_equal(plan.sent.count, 2);
    assert_int_equal(plan.sent.list[1].status, SKUA_STATUS_CHANGED);
    assert_int_equal(tree_count(&to), 0);
    plan_deinit(&plan);
    tree_deinit(&from);
    tree_deinit(&to);
}

/* Returns when what happens to "a" from now on gives it another change time: after some
 * milliseconds. */
static void wait_for_tick(void)
{
    struct stat st;
    struct stat now;
    assert_int_equal(stat(tree_at(tampered, "a"), &st), 0);
    do {
        tree_file(tampered, "clock", 1, 1, 0600);
        assert_int_equal(stat(tree_at(tampered, "clock"), &now), 0);
        assert_int_equal(unlink(tree_at(tampered, "clock")), 0);
    } while (now.st_ctim.tv_sec == st.st_ctim.tv_sec && now.st_ctim.tv_nsec == st.st_ctim.tv_nsec);
}

static void chmod_file(uint8_t *data, size_t len, size_t number)
{
    (void)data;
    (void)len;
    if (number == 2) {
        wait_for_tick();
        assert_int_equal(chmod(tree_at(tampered, "a"), 0600), 0);
    }
}

static void unlink_file(uint8_t *data, size_t len, size_t number)
{
    (void)data;
    (void)len;
    if (number == 2) {
        wait_for_tick();
        assert_int_equal(unlink(tree_at(tampered, "a")), 0);
    }
}

/* As logs are put aside. */
static void rename_file(uint8_t *data, size_t len, size_t number)
{
    (void)data;
    (void)len;
    if (number == 2) {
        wait_for_tick();
        assert_int_equal(rename(tree_at(tampered, "a"), tree_at(tampered, "a.1")), 0);
    }
}

/* As editors with a copy of the former text save. */
static void rename_and_make_anew(uint8_t *data, size_t len, size_t number)
{
    rename_file(data, len, number);
    if (number == 2) {
        tree_file(tampered, "a", 2000000, 2, 0640);
    }
}

/* As editors without one save, and as a PUT does. */
static void replace_file(uint8_t *data, size_t len, size_t number)
{
    (void)data;
    (void)len;
    if (number == 2) {
        wait_for_tick();
        tree_file(tampered, "b", 2000000, 2, 0640);
        assert_int_equal(rename(tree_at(tampered, "b"), tree_at(tampered, "a")), 0);
    }
}

static void test_files_that_change(void **state)
{
    (void)state;
    check_change(append_to_file);
    check_change(shorten_file);
    check_change(rewrite_with_old_times);
    check_change(chmod_file);
}

/* The bytes at `path` of `tree` are those that tree_file makes of size 2000000 and seed 1. */
static void check_bytes(const struct tree *tree, const char *path)
{
    enum { SIZE = 2000000 };
    struct tree expected;
    static uint8_t bytes[2][SIZE + 1];
    tree_init(&expected);
    tree_file(&expected, "x", SIZE, 1, 0600);
    const char *const paths[2] = {tree_at(&expected, "x"), tree_at(tree, path)};
    for (size_t i = 0; i < 2; i++) {
        FILE *file = fopen(paths[i], "rb");
        assert_non_null(file);
        assert_int_equal(fread(bytes[i], 1, SIZE + 1, file), SIZE);
        assert_int_equal(fclose(file), 0);
    }
    assert_memory_equal(bytes[0], bytes[1], SIZE);
    tree_deinit(&expected);
}

/* `root` is "a", or "" for the folder that it is in. */
static void check_kept(void (*tamper)(uint8_t *, size_t, size_t), const char *root, bool served)
{
    struct tree from;
    struct tree to;
    tree_init(&from);
    tree_init(&to);
    tree_file(&from, "a", 2000000, 1, 0640);
    tampered = &from;
    struct plan plan = {
        .from = &from, .root = root, .served = served, .to = &to, .target = root, .tamper = tamper};
    copy(&plan);
    assert_int_equal(stored(&plan, root[0] != '\0' ? "" : "a"), SKUA_STATUS_OK);
    check_bytes(&to, "a");
    plan_deinit(&plan);
    tree_deinit(&from);
    tree_deinit(&to);
}

/* The open file is what it was when its name goes: it is copied. */
static void test_files_whose_name_goes(void **state)
{
    (void)state;
    for (int served = 0; served < 2; served++) {
        check_kept(unlink_file, "a", served != 0);
        check_kept(rename_file, "a", served != 0);
        check_kept(rename_and_make_anew, "a", served != 0);
        check_kept(replace_file, "a", served != 0);
        check_kept(unlink_file, "", served != 0);
        check_kept(rename_file, "", served != 0);
    }
}

/* Files of /proc have bytes but no size. */
static void test_more_bytes_than_the_size_says(void **state)
{
    (void)state;
    struct tree from;
    struct tree to;
    tree_init(&from);
    tree_init(&to);
    tree_link(&from, "version", "/proc/version");
    struct plan plan = {.from = &from, .root = "version", .to = &to, .target = "copy"};
    copy(&plan);
    assert_int_equal(stored(&plan, ""), SKUA_STATUS_CHANGED);
    assert_int_equal(tree_count(&to), 0);
    plan_deinit(&plan);
    tree_deinit(&from);
    tree_deinit(&to);
}

static void test_sparse_file(void **state)
{
    (void)state;
    struct tree from;
    struct tree to;
    struct stat st;
    const off_t size = (off_t)1 << 40;
    tree_init(&from);
    tree_init(&to);
    tree_file(&from, "s", 5000, 1, 0644);
    const int fd = open(tree_at(&from, "s"), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "island", 6, size / 2), 6);
    if (ftruncate(fd, size) != 0) {
        skip(); /* the file system has no files of a tebibyte */
    }
    assert_int_equal(close(fd), 0);
    struct plan plan = {.from = &from, .root = "s", .to = &to, .target = "s"};
    copy(&plan);
    assert_int_equal(stored(&plan, ""), SKUA_STATUS_OK);
    assert_int_equal(stat(tree_at(&to, "s"), &st), 0);
    assert_true(st.st_size == size);
    assert_true(st.st_blocks < 10000);
    char island[7] = {0};
    const int copied = open(tree_at(&to, "s"), O_RDONLY);
    assert_int_equal(pread(copied, island, 6, size / 2), 6);
    assert_string_equal(island, "island");
    assert_int_equal(close(copied), 0);
    plan_deinit(&plan);
    tree_deinit(&from);
    tree_deinit(&to);
}

/* Makes `name` of `tree`: data and holes of these many bytes take turns. False where the file
 * system has no holes. */
static bool make_holes(const struct tree *tree, const char *name, const size_t *lengths,
                       size_t count, off_t size)
{
    static uint8_t data[131072];
    struct stat st;
    off_t at = 0;
    tree_file(tree, name, 0, 1, 0644);
    memset(data, 7, sizeof data);
    const int fd = open(tree_at(tree, name), O_WRONLY);
    assert_true(fd >= 0);
    for (size_t i = 0; at < size; i++) {
        const size_t len = lengths[i % count];
        if (i % 2 == 0) {
            assert_int_equal(pwrite(fd, data, len, at), len);
        }
        at += (off_t)len;
    }
    assert_int_equal(ftruncate(fd, size), 0);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(close(fd), 0);
    return st.st_blocks * 512 < size / 8 * 5;
}

/* Holes begin where they like, not where chunks do; short ones do not hide those behind them. */
static void test_many_holes(void **state)
{
    (void)state;
    static const size_t halves[] = {131072, 131072};
    static const size_t mixed[] = {4096, 16384, 4096, 8192, 4096, 102400};
    enum { SIZE = 16777216 };
    struct tree from;
    struct tree to;
    struct stat st;
    tree_init(&from);
    tree_init(&to);
    if (!make_holes(&from, "halves", halves, 2, SIZE) ||
        !make_holes(&from, "mixed", mixed, 6, SIZE)) {
        tree_deinit(&from);
        tree_deinit(&to);
        skip(); /* the file system has no holes */
    }
    struct plan plan = {.from = &from, .root = "", .to = &to, .target = ""};
    copy(&plan);
    assert_int_equal(stored(&plan, "halves"), SKUA_STATUS_OK);
    assert_int_equal(stored(&plan, "mixed"), SKUA_STATUS_OK);
    assert_true(tree_same(&from, &to));
    assert_int_equal(stat(tree_at(&to, "halves"), &st), 0);
    assert_true(st.st_blocks * 512 < SIZE / 8 * 5);
    assert_int_equal(stat(tree_at(&to, "mixed"), &st), 0);
    assert_true(st.st_blocks * 512 < SIZE / 8 * 3);
    plan_deinit(&plan);
    tree_deinit(&from);
    tree_deinit(&to);
}

/* With --checksum there are no HOLEs on the way: zeros are not written. */
static void test_sparse_file_with_checksum(void **state)
{
    (void)state;
    struct tree from;
    struct stat st;
    static const size_t pieces[] = {0, 1000, 262139};
    tree_init(&from);
    tree_file(&from, "s", 5000, 1, 0644);
    const int fd = open(tree_at(&from, "s"), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "island", 6, 2000000), 6);
    assert_int_equal(pwrite(fd, "end", 3, 3000001), 3);
    assert_int_equal(ftruncate(fd, 4000000), 0);
    assert_int_equal(close(fd), 0);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct tree to;
        tree_init(&to);
        struct plan plan = {.from = &from,
                            .root = "",
                            .to = &to,
                            .target = "",
                            .checksum = true,
                            .piece = pieces[i]};
        copy(&plan);
        assert_int_equal(stored(&plan, "s"), SKUA_STATUS_OK);
        assert_true(tree_same(&from, &to));
        assert_int_equal(stat(tree_at(&to, "s"), &st), 0);
        assert_true(st.st_blocks * 512 < st.st_size / 4);
        plan_deinit(&plan);
        tree_deinit(&to);
    }
    tree_deinit(&from);
}

/* --- a sink alone, against a hostile sender --- */

struct hostile {
    struct tree to;
    struct skua_store store;
    struct skua_intake *intake;
    struct skua_sink *sink;
    struct skua_outcomes outcomes;
};

/* What was asked for: "mine", or with `count` 2 "second" as well. */
static void hostile_begin_with(struct hostile *h, bool recursive, size_t count)
{
    const char *targets[] = {"mine", "second"};
    *h = (struct hostile){0};
    tree_init(&h->to);
    assert_int_equal(skua_store_init(&h->store, h->to.path), 0);
    const struct skua_intake_config config = {.store = &h->store,
                                              .targets = targets,
                                              .count = count,
                                              .key = key,
                                              .recursive = recursive,
                                              .links = recursive};
    h->intake = skua_intake_new(&config);
    h->sink = skua_sink_new(h->intake);
    const uint8_t preface = SKUA_FILE_STREAM_DATA;
    assert_true(skua_sink_take(h->sink, &preface, 1, &h->outcomes));
}

static void hostile_begin(struct hostile *h, bool recursive)
{
    hostile_begin_with(h, recursive, 1);
}

static void hostile_end(struct hostile *h)
{
    skua_sink_free(h->sink);
    skua_intake_free(h->intake);
    skua_outcomes_deinit(&h->outcomes);
    skua_store_deinit(&h->store);
    tree_deinit(&h->to);
}

static struct skua_file_str str(const char *text)
{
    return (struct skua_file_str){.at = text, .len = strlen(text)};
}

/* Sends an empty file or a link with everything else right; returns its verdict. */
static enum skua_file_status offer(struct hostile *h, struct skua_file_entry entry)
{
    uint8_t record[8300];
    size_t len = skua_file_put_entry(record, sizeof record, &entry);
    assert_int_not_equal(len, 0);
    skua_outcomes_clear(&h->outcomes);
    assert_true(skua_sink_take(h->sink, record, len, &h->outcomes));
    if (entry.type == SKUA_FILE_FILE) {
        struct skua_file_end end = {0};
        struct skua_file_mac mac;
        skua_file_mac_init(&mac, &key, entry.id, SKUA_FILE_END_INDEX);
        skua_file_mac_update(&mac, record + 5, len - 5);
        skua_file_mac_final(&mac, end.tag);
        len = skua_file_put_end(record, sizeof record, &end);
        assert_true(skua_sink_take(h->sink, record, len, &h->outcomes));
    }
    assert_int_equal(h->outcomes.count, 1);
    return h->outcomes.list[0].status;
}

static enum skua_file_status offer_file(struct hostile *h, const char *path)
{
    return offer(h,
                 (struct skua_file_entry){.type = SKUA_FILE_FILE, .mode = 0644, .path = str(path)});
}

static enum skua_file_status offer_link(struct hostile *h, const char *path, const char *target)
{
    return offer(h, (struct skua_file_entry){
                        .type = SKUA_FILE_LINK, .path = str(path), .target = str(target)});
}

static void test_hostile_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "../x", "/x", "a/../../x", "a//x", "./x", "a/", "..", ".", "a\nb", "\x1b]0;x\x07", "a\x7f",
    };
    struct hostile h;
    hostile_begin(&h, true);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(offer_file(&h, names[i]), SKUA_STATUS_BAD_NAME);
    }
    const struct skua_file_entry nul = {.type = SKUA_FILE_FILE, .path = {.at = "a\0b", .len = 3}};
    assert_int_equal(offer(&h, nul), SKUA_STATUS_BAD_NAME);
    assert_int_equal(tree_count(&h.to), 0);
    assert_int_equal(offer_file(&h, "good"), SKUA_STATUS_OK);
    assert_true(tree_has(&h.to, "mine/good"));
    assert_int_equal(offer_link(&h, "l", "../../etc"), SKUA_STATUS_LINK_REFUSED);
    assert_int_equal(offer_link(&h, "l", "/etc"), SKUA_STATUS_LINK_REFUSED);
    assert_int_equal(offer_link(&h, "", "x"), SKUA_STATUS_DST_NOT_FILE);
    /* A link that is allowed, and then a file through it: not followed. */
    assert_int_equal(offer_link(&h, "l", "good"), SKUA_STATUS_OK);
    assert_int_equal(offer_file(&h, "l/x"), SKUA_STATUS_IS_LINK);
    hostile_end(&h);
}

static void test_what_was_not_asked_for(void **state)
{
    (void)state;
    struct hostile h;
    hostile_begin(&h, false);
    assert_int_equal(offer_file(&h, "extra"), SKUA_STATUS_NOT_ASKED);
    assert_int_equal(offer_link(&h, "", "x"), SKUA_STATUS_NOT_ASKED);
    const struct skua_file_entry other = {.type = SKUA_FILE_FILE, .root = 1, .path = str("")};
    assert_int_equal(offer(&h, other), SKUA_STATUS_NOT_ASKED);
    assert_int_equal(tree_count(&h.to), 0);
    assert_int_equal(offer_file(&h, ""), SKUA_STATUS_OK);
    assert_int_equal(offer_file(&h, ""), SKUA_STATUS_NOT_ASKED); /* a second time */
    assert_true(tree_has(&h.to, "mine"));
    hostile_end(&h);
}

static void offer_notice(struct hostile *h, uint16_t root, const char *path)
{
    uint8_t record[256];
    const struct skua_file_notice notice = {
        .root = root, .status = SKUA_STATUS_LINK_SKIPPED, .path = str(path)};
    const size_t len = skua_file_put_notice(record, sizeof record, &notice);
    assert_true(skua_sink_take(h->sink, record, len, &h->outcomes));
}

/* Nobody gets away with leaving out what was asked for. */
static void test_roots_that_never_come(void **state)
{
    (void)state;
    struct hostile h;
    hostile_begin_with(&h, true, 2);
    assert_false(skua_intake_is_complete(h.intake));
    assert_int_equal(offer_file(&h, ""), SKUA_STATUS_OK);
    assert_int_equal(offer_file(&h, ""), SKUA_STATUS_NOT_ASKED);
    offer_notice(&h, 1, "x"); /* a link left out, where it might be */
    offer_notice(&h, 2, "");
    offer_notice(&h, UINT16_MAX, "");
    struct skua_file_entry second = {.type = SKUA_FILE_FILE, .root = 1, .path = str("below")};
    assert_int_equal(offer(&h, second), SKUA_STATUS_OK);
    assert_false(skua_intake_is_complete(h.intake));
    offer_notice(&h, 1, "");
    assert_true(skua_intake_is_complete(h.intake));
    /* A folder that could not be read to its end: the notice may overtake it. */
    second = (struct skua_file_entry){.type = SKUA_FILE_LINK, .root = 1, .target = str("x")};
    assert_int_not_equal(offer(&h, second), SKUA_STATUS_NOT_ASKED);
    hostile_end(&h);

    /* What comes and is refused has its verdict. */
    hostile_begin(&h, false);
    assert_int_equal(offer_link(&h, "", "x"), SKUA_STATUS_NOT_ASKED);
    assert_true(skua_intake_is_complete(h.intake));
    hostile_end(&h);
}

/* Bytes that no sender would send end the stream; temporary files go with it. */
static void test_protocol_violations(void **state)
{
    (void)state;
    uint8_t record[256];
    const struct skua_file_entry file = {.type = SKUA_FILE_FILE, .size = 10, .path = str("f")};
    const size_t file_len = skua_file_put_entry(record, sizeof record, &file);
    const struct {
        bool after_file;
        uint8_t bytes[32];
        size_t len;
    } cases[] = {
        {false, {SKUA_FILE_CHUNK, 0, 0, 0, 20}, 5},          /* no file */
        {false, {SKUA_FILE_END, 0, 0, 0, 17}, 22},           /* no file */
        {false, {SKUA_FILE_REQUEST, 0, 0, 0, 0}, 5},         /* wrong stream */
        {false, {99, 0, 0, 0, 0}, 5},                        /* unknown */
        {false, {SKUA_FILE_FILE, 0, 0, 0x20, 1}, 5},         /* too long */
        {false, {SKUA_FILE_NOTICE, 0, 0, 0, 0}, 5},          /* too short */
        {true, {SKUA_FILE_CHUNK, 0, 0, 0, 27}, 5},           /* more than announced */
        {true, {SKUA_FILE_END, 0, 0, 0, 17}, 22},            /* less than announced */
        {true, {SKUA_FILE_HOLE, 0, 0, 0, 8, [12] = 11}, 13}, /* more than announced */
        {true, {SKUA_FILE_FILE, 0, 0, 0, 37}, 5},            /* a file in a file: see below */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hostile h;
        hostile_begin(&h, true);
        bool good = true;
        if (cases[i].after_file) {
            assert_true(skua_sink_take(h.sink, record, file_len, &h.outcomes));
        }
        if (cases[i].after_file && cases[i].bytes[0] == SKUA_FILE_FILE) {
            good = skua_sink_take(h.sink, record, file_len, &h.outcomes);
        } else {
            good = skua_sink_take(h.sink, cases[i].bytes, cases[i].len, &h.outcomes);
        }
        assert_false(good);
        assert_int_equal(skua_sink_status(h.sink), SKUA_STATUS_PROTOCOL);
        assert_false(skua_sink_take(h.sink, record, 1, &h.outcomes));
        assert_false(skua_sink_end(h.sink));
        skua_sink_free(h.sink);
        h.sink = NULL;
        assert_int_equal(tree_count(&h.to), cases[i].after_file ? 1 : 0); /* the folder "mine" */
        hostile_end(&h);
    }
}

static void test_early_end_leaves_nothing(void **state)
{
    (void)state;
    struct hostile h;
    uint8_t record[256];
    const struct skua_file_entry file = {.type = SKUA_FILE_FILE, .size = 10, .path = str("")};
    const size_t len = skua_file_put_entry(record, sizeof record, &file);
    hostile_begin(&h, false);
    assert_true(skua_sink_take(h.sink, record, len, &h.outcomes));
    assert_int_equal(tree_count(&h.to), 1);
    assert_false(tree_has(&h.to, "mine"));
    assert_false(skua_sink_end(h.sink));
    skua_sink_free(h.sink);
    h.sink = NULL;
    assert_int_equal(tree_count(&h.to), 0);
    hostile_end(&h);
}

int main(void)
{
    if (sodium_init() < 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_arrives),
        cmocka_unit_test(test_everything_is_on_the_disk),
        cmocka_unit_test(test_one_file),
        cmocka_unit_test(test_what_is_not_sent),
        cmocka_unit_test(test_links_in_the_way),
        cmocka_unit_test(test_changed_bytes_are_not_stored),
        cmocka_unit_test(test_files_that_change),
        cmocka_unit_test(test_files_whose_name_goes),
        cmocka_unit_test(test_more_bytes_than_the_size_says),
        cmocka_unit_test(test_sparse_file),
        cmocka_unit_test(test_many_holes),
        cmocka_unit_test(test_sparse_file_with_checksum),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_what_was_not_asked_for),
        cmocka_unit_test(test_roots_that_never_come),
        cmocka_unit_test(test_protocol_violations),
        cmocka_unit_test(test_early_end_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
