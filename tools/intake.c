/* One request's receiving side (sink.h, intake.h): policy, places, and the directories that get
 * their times when everything in them is there. Thread-safe. */
#include "intake.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

/* What has come of a root itself: its entry, which must not come twice; something that said why it
 * does not come, or that was not asked for. */
enum { ROOT_ENTRY = 1, ROOT_REFUSED = 2 };

/* A directory that waits for the end. */
struct dir {
    uint64_t id;
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint16_t mode;
    uint16_t root;
    char *path;      /* in the store, from malloc */
    size_t path_off; /* where in `path` the part below the root starts */
};

struct skua_intake {
    struct skua_intake_config config; /* `targets` points to own copies */
    char **targets;
    uint8_t *roots; /* for each target the bits of what has come */
    pthread_mutex_t lock;
    struct dir *dirs;
    size_t dir_count;
    size_t dir_room;
};

struct skua_intake *skua_intake_new(const struct skua_intake_config *config)
{
    struct skua_intake *intake = calloc(1, sizeof *intake);
    if (intake == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&intake->lock, NULL);
    intake->config = *config;
    intake->config.count = 0;
    intake->targets = calloc(config->count, sizeof *intake->targets);
    intake->roots = calloc(config->count, sizeof *intake->roots);
    for (size_t i = 0; intake->targets != NULL && i < config->count; i++) {
        intake->targets[i] = strdup(config->targets[i]);
        if (intake->targets[i] == NULL) {
            break;
        }
        intake->config.count++;
    }
    if (intake->config.count < config->count || intake->roots == NULL) {
        skua_intake_free(intake);
        return NULL;
    }
    return intake;
}

void skua_intake_free(struct skua_intake *intake)
{
    if (intake == NULL) {
        return;
    }
    for (size_t i = 0; i < intake->config.count; i++) {
        free(intake->targets[i]);
    }
    for (size_t i = 0; i < intake->dir_count; i++) {
        free(intake->dirs[i].path);
    }
    free(intake->dirs);
    free(intake->targets);
    free(intake->roots);
    (void)pthread_mutex_destroy(&intake->lock);
    sodium_memzero(intake, sizeof *intake);
    free(intake);
}

const struct skua_intake_config *skua_intake_settings(const struct skua_intake *intake)
{
    return &intake->config;
}

/* Notes that something has come of root `root` itself; whether it has come before. */
static bool mark_root(struct skua_intake *intake, uint16_t root, uint8_t what)
{
    if (root >= intake->config.count) {
        return false;
    }
    (void)pthread_mutex_lock(&intake->lock);
    const bool again = (intake->roots[root] & what) != 0;
    intake->roots[root] |= what;
    (void)pthread_mutex_unlock(&intake->lock);
    return again;
}

void skua_intake_notice(struct skua_intake *intake, const struct skua_file_notice *notice)
{
    if (notice->path.len == 0) {
        (void)mark_root(intake, notice->root, ROOT_REFUSED);
    }
}

bool skua_intake_is_complete(const struct skua_intake *intake)
{
    return memchr(intake->roots, 0, intake->config.count) == NULL;
}

/* Whether a request like this one may bring such an entry. */
static enum skua_file_status check_asked(struct skua_intake *intake,
                                         const struct skua_file_entry *entry)
{
    const struct skua_intake_config *config = &intake->config;
    const bool below = entry->path.len > 0;
    const bool asked = entry->root < config->count && (!below || config->recursive) &&
                       (entry->type != SKUA_FILE_DIR || config->recursive) &&
                       (entry->type != SKUA_FILE_LINK || config->links);
    const bool again = !below && mark_root(intake, entry->root, asked ? ROOT_ENTRY : ROOT_REFUSED);
    return asked && !again ? SKUA_STATUS_OK : SKUA_STATUS_NOT_ASKED;
}

enum skua_file_status skua_intake_place(struct skua_intake *intake,
                                        const struct skua_file_entry *entry, char *path)
{
    const enum skua_file_status asked = check_asked(intake, entry);
    if (asked != SKUA_STATUS_OK) {
        return asked;
    }
    if (entry->path.len > 0 && !skua_name_check_path(entry->path.at, entry->path.len)) {
        return SKUA_STATUS_BAD_NAME;
    }
    const char *target = intake->targets[entry->root];
    size_t len = strlen(target);
    memcpy(path, target, len);
    if (len > 0 && entry->path.len > 0) {
        path[len++] = '/';
    }
    memcpy(path + len, entry->path.at, entry->path.len);
    len += entry->path.len;
    path[len] = '\0';
    if (len == 0) {
        return entry->type == SKUA_FILE_DIR ? SKUA_STATUS_OK : SKUA_STATUS_DST_NOT_FILE;
    }
    if (!skua_name_check_path(path, len)) {
        return SKUA_STATUS_BAD_NAME;
    }
    if (entry->type == SKUA_FILE_LINK &&
        (memchr(entry->target.at, '\0', entry->target.len) != NULL ||
         !skua_name_check_link(entry->path.at, entry->path.len, entry->target.at,
                               entry->target.len))) {
        return SKUA_STATUS_LINK_REFUSED;
    }
    return SKUA_STATUS_OK;
}

int skua_intake_make_dirs(const struct skua_intake *intake, const char *path, int *fd)
{
    const struct skua_intake_config *config = &intake->config;
    return skua_store_make_dirs(config->store, path, config->sync, fd);
}

/* Room for one more; under the lock. */
static bool reserve_dir(struct skua_intake *intake)
{
    if (intake->dir_count < intake->dir_room) {
        return true;
    }
    const size_t room = intake->dir_room == 0 ? 64 : intake->dir_room * 2;
    struct dir *dirs = realloc(intake->dirs, room * sizeof *dirs);
    if (dirs == NULL) {
        return false;
    }
    intake->dirs = dirs;
    intake->dir_room = room;
    return true;
}

enum skua_file_status skua_intake_add_dir(struct skua_intake *intake,
                                          const struct skua_file_entry *entry, const char *path)
{
    enum skua_file_status status = SKUA_STATUS_OK;
    char *copy = strdup(path);
    (void)pthread_mutex_lock(&intake->lock);
    if (intake->dir_count == SKUA_INTAKE_DIRS_MAX) {
        status = SKUA_STATUS_LIMIT;
    } else if (copy == NULL || !reserve_dir(intake)) {
        status = SKUA_STATUS_NO_MEMORY;
    } else {
        intake->dirs[intake->dir_count++] = (struct dir){
            .id = entry->id,
            .mtime_s = entry->mtime_s,
            .mtime_ns = entry->mtime_ns,
            .mode = entry->mode,
            .root = entry->root,
            .path = copy,
            .path_off = strlen(path) - entry->path.len,
        };
        copy = NULL;
    }
    (void)pthread_mutex_unlock(&intake->lock);
    free(copy);
    return status;
}

/* What is in a directory comes before it: a parent may end up closed to its owner. */
static int compare_backwards(const void *a, const void *b)
{
    const struct dir *left = a;
    const struct dir *right = b;
    return strcmp(right->path, left->path);
}

void skua_intake_finish(struct skua_intake *intake, struct skua_outcomes *outcomes)
{
    if (intake->dir_count > 0) {
        qsort(intake->dirs, intake->dir_count, sizeof *intake->dirs, compare_backwards);
    }
    for (size_t i = 0; i < intake->dir_count; i++) {
        const struct dir *dir = &intake->dirs[i];
        const struct timespec mtime = {.tv_sec = dir->mtime_s, .tv_nsec = (long)dir->mtime_ns};
        /* The store's own folder stays as it is. */
        int error = 0;
        if (dir->path[0] != '\0') {
            error = skua_store_set_dir(intake->config.store, dir->path, dir->mode, mtime,
                                       intake->config.sync);
        }
        const struct skua_outcome outcome = {
            .id = dir->id,
            .type = SKUA_FILE_DIR,
            .status = skua_file_status_of_errno(error),
            .root = dir->root,
        };
        const char *path = dir->path + dir->path_off;
        skua_outcomes_add(outcomes, &outcome, path, strlen(path));
    }
}
