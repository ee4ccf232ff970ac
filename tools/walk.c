/* The walk over what is to be sent (walk.h).
 *
 * Depth first, with a stack of open directories. The lock covers the stack and readdir; opening the
 * single file, the slow part on a cold disk, happens outside of it, relative to a directory that is
 * kept open by a reference count. */
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "names.h"

/* An open directory. */
struct folder {
    DIR *dir;
    unsigned refs;   /* the stack's, and one for each entry being opened; under the lock */
    size_t path_len; /* bytes of the walk's path that are this directory's */
};

struct skua_walk {
    pthread_mutex_t lock;
    const struct skua_store *store; /* or NULL */
    char **roots;                   /* copies */
    size_t count;                   /* of roots */
    size_t next_root;               /* the one to start with next */
    uint64_t next_id;
    bool recursive;
    bool links;
    bool measure; /* files are looked at, not opened */
    bool stopped;
    size_t depth; /* used folders */
    struct folder *folders[SKUA_DEPTH_MAX + 1];
    char path[SKUA_FILE_PATH_MAX + 1]; /* of the topmost folder, below its root */
};

static void unref_folder(struct folder *folder)
{
    if (--folder->refs == 0) {
        (void)closedir(folder->dir);
        free(folder);
    }
}

static struct skua_walk *new_walk(const struct skua_walk_config *config, bool measure)
{
    struct skua_walk *walk = calloc(1, sizeof *walk);
    if (walk == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&walk->lock, NULL);
    walk->store = config->store;
    walk->recursive = config->recursive;
    walk->links = config->links;
    walk->measure = measure;
    walk->roots = calloc(config->count, sizeof *walk->roots);
    for (size_t i = 0; walk->roots != NULL && i < config->count; i++) {
        walk->roots[i] = strdup(config->roots[i]);
        if (walk->roots[i] == NULL) {
            break;
        }
        walk->count++;
    }
    if (walk->count < config->count) {
        skua_walk_free(walk);
        return NULL;
    }
    return walk;
}

struct skua_walk *skua_walk_new(const struct skua_walk_config *config)
{
    return new_walk(config, false);
}

void skua_walk_free(struct skua_walk *walk)
{
    if (walk == NULL) {
        return;
    }
    while (walk->depth > 0) {
        unref_folder(walk->folders[--walk->depth]);
    }
    for (size_t i = 0; i < walk->count; i++) {
        free(walk->roots[i]);
    }
    free(walk->roots);
    (void)pthread_mutex_destroy(&walk->lock);
    free(walk);
}

static bool notice(struct skua_walk_entry *entry, enum skua_file_status status)
{
    if (entry->fd >= 0) {
        (void)close(entry->fd);
        entry->fd = -1;
    }
    entry->type = SKUA_FILE_NOTICE;
    entry->status = status;
    return true;
}

/* Makes the open directory `fd` the topmost; takes `fd` over. */
static bool push(struct skua_walk *walk, int fd, const struct skua_walk_entry *entry)
{
    struct folder *folder = calloc(1, sizeof *folder);
    DIR *dir = folder != NULL ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        free(folder);
        (void)close(fd);
        return false;
    }
    folder->dir = dir;
    folder->refs = 1;
    folder->path_len = entry->path_len;
    memcpy(walk->path, entry->path, entry->path_len + 1);
    walk->folders[walk->depth++] = folder;
    return true;
}

static void pop(struct skua_walk *walk)
{
    unref_folder(walk->folders[--walk->depth]);
    if (walk->depth > 0) {
        walk->path[walk->folders[walk->depth - 1]->path_len] = '\0';
    }
}

/* `entry->fd` is a directory: either it becomes the topmost one, or it is refused. Under the lock.
 */
static bool enter(struct skua_walk *walk, struct skua_walk_entry *entry)
{
    if (!walk->recursive) {
        return notice(entry, SKUA_STATUS_IS_DIR);
    }
    if (walk->depth > SKUA_DEPTH_MAX) {
        return notice(entry, SKUA_STATUS_BAD_NAME);
    }
    const int fd = entry->fd;
    entry->fd = -1;
    entry->type = SKUA_FILE_DIR;
    return push(walk, fd, entry) || notice(entry, SKUA_STATUS_NO_MEMORY);
}

/* Opens root `index`; `flags` are 0 or O_PATH. A local one may be a link, which the user named:
 * open follows it. */
static int open_root(const struct skua_walk *walk, size_t index, int flags, int *fd)
{
    const char *root = walk->roots[index];
    if (walk->store != NULL) {
        return skua_store_open(walk->store, root, flags, fd);
    }
    *fd = open(root, flags | O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return *fd < 0 ? errno : 0;
}

static bool next_root(struct skua_walk *walk, struct skua_walk_entry *entry)
{
    const size_t index = walk->next_root++;
    entry->root = (uint16_t)index;
    const int error = open_root(walk, index, 0, &entry->fd);
    if (error != 0) {
        /* Opening a socket answers ENXIO. */
        return notice(entry,
                      error == ENXIO ? SKUA_STATUS_SPECIAL : skua_file_status_of_errno(error));
    }
    if (fstat(entry->fd, &entry->st) != 0) {
        return notice(entry, skua_file_status_of_errno(errno));
    }
    if (S_ISDIR(entry->st.st_mode)) {
        return enter(walk, entry);
    }
    if (!S_ISREG(entry->st.st_mode)) {
        return notice(entry, SKUA_STATUS_SPECIAL);
    }
    entry->type = SKUA_FILE_FILE;
    return true;
}

/* The entry's path is its folder's and `name`. */
static bool set_path(const struct skua_walk *walk, struct skua_walk_entry *entry, const char *name)
{
    const size_t folder_len = walk->folders[walk->depth - 1]->path_len;
    const size_t name_len = strlen(name);
    const size_t len = folder_len + (folder_len > 0 ? 1 : 0) + name_len;
    const bool fits = len <= SKUA_FILE_PATH_MAX;
    memcpy(entry->path, walk->path, folder_len + 1);
    entry->path_len = folder_len;
    if (fits) {
        if (folder_len > 0) {
            entry->path[entry->path_len++] = '/';
        }
        memcpy(entry->path + entry->path_len, name, name_len + 1);
        entry->path_len = len;
    }
    return fits && skua_name_check_path(entry->path, entry->path_len);
}

/* A subdirectory, with the lock held: it changes the stack. */
static bool next_subfolder(struct skua_walk *walk, struct skua_walk_entry *entry, int dir,
                           const char *name)
{
    entry->fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (entry->fd < 0 || fstat(entry->fd, &entry->st) != 0) {
        return notice(entry, skua_file_status_of_errno(errno));
    }
    return enter(walk, entry);
}

static bool read_link(const struct skua_walk *walk, struct skua_walk_entry *entry, int dir,
                      const char *name)
{
    if (!walk->links) {
        return notice(entry, SKUA_STATUS_LINK_SKIPPED);
    }
    const ssize_t len = readlinkat(dir, name, entry->target, sizeof entry->target);
    if (len < 0 || fstatat(dir, name, &entry->st, AT_SYMLINK_NOFOLLOW) != 0) {
        return notice(entry, skua_file_status_of_errno(errno));
    }
    if ((size_t)len >= sizeof entry->target) {
        return notice(entry, SKUA_STATUS_BAD_NAME);
    }
    entry->target[len] = '\0';
    entry->type = SKUA_FILE_LINK;
    return true;
}

/* A file of the folder `dir`, without the lock. */
static bool open_file(const struct skua_walk *walk, struct skua_walk_entry *entry, int dir,
                      const char *name)
{
    entry->type = SKUA_FILE_FILE;
    if (walk->measure) {
        return fstatat(dir, name, &entry->st, AT_SYMLINK_NOFOLLOW) == 0 ||
               notice(entry, skua_file_status_of_errno(errno));
    }
    entry->fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (entry->fd < 0 || fstat(entry->fd, &entry->st) != 0) {
        return notice(entry, skua_file_status_of_errno(errno));
    }
    return S_ISREG(entry->st.st_mode) || notice(entry, SKUA_STATUS_SPECIAL);
}

/* What the directory entry is; file systems that do not say are asked. */
static unsigned char entry_type(int dir, const struct dirent *found)
{
    struct stat st;
    if (found->d_type != DT_UNKNOWN) {
        return found->d_type;
    }
    return fstatat(dir, found->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
               ? (unsigned char)IFTODT(st.st_mode)
               : DT_REG;
}

/* The next name of the topmost folder that is worth an entry, or NULL at its end. */
static const struct dirent *next_name(struct folder *folder, int *error)
{
    for (;;) {
        errno = 0;
        const struct dirent *found = readdir(folder->dir);
        if (found == NULL) {
            *error = errno;
            return NULL;
        }
        if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0 &&
            !skua_name_is_temp(found->d_name)) {
            return found;
        }
    }
}

/* Handles one name of the topmost folder. Called with the lock, returns with it. */
static bool next_in_folder(struct skua_walk *walk, struct skua_walk_entry *entry,
                           const struct dirent *found)
{
    struct folder *folder = walk->folders[walk->depth - 1];
    const int dir = dirfd(folder->dir);
    char name[NAME_MAX + 1];
    memcpy(name, found->d_name, strlen(found->d_name) + 1);
    if (!set_path(walk, entry, name)) {
        return notice(entry, SKUA_STATUS_BAD_NAME);
    }
    const unsigned char type = entry_type(dir, found);
    if (type == DT_DIR) {
        return next_subfolder(walk, entry, dir, name);
    }
    if (type != DT_REG && type != DT_LNK) {
        return notice(entry, SKUA_STATUS_SPECIAL);
    }
    folder->refs++;
    (void)pthread_mutex_unlock(&walk->lock);
    const bool result =
        type == DT_LNK ? read_link(walk, entry, dir, name) : open_file(walk, entry, dir, name);
    (void)pthread_mutex_lock(&walk->lock);
    unref_folder(folder);
    return result;
}

static bool next_locked(struct skua_walk *walk, struct skua_walk_entry *entry)
{
    while (!walk->stopped) {
        if (walk->depth == 0) {
            if (walk->next_root == walk->count) {
                return false;
            }
            entry->id = walk->next_id++;
            return next_root(walk, entry);
        }
        struct folder *folder = walk->folders[walk->depth - 1];
        entry->root = (uint16_t)(walk->next_root - 1);
        int error = 0;
        const struct dirent *found = next_name(folder, &error);
        if (found == NULL && error == 0) {
            pop(walk);
            continue;
        }
        entry->id = walk->next_id++;
        if (found != NULL) {
            return next_in_folder(walk, entry, found);
        }
        memcpy(entry->path, walk->path, folder->path_len + 1);
        entry->path_len = folder->path_len;
        pop(walk);
        return notice(entry, skua_file_status_of_errno(error));
    }
    return false;
}

bool skua_walk_next(struct skua_walk *walk, struct skua_walk_entry *entry)
{
    entry->fd = -1;
    entry->status = SKUA_STATUS_OK;
    entry->path_len = 0;
    entry->path[0] = '\0';
    entry->target[0] = '\0';
    (void)pthread_mutex_lock(&walk->lock);
    const bool more = next_locked(walk, entry);
    (void)pthread_mutex_unlock(&walk->lock);
    return more;
}

/* What an entry's name leads to now: 0 or an errno value. It is not opened for reading: it may be
 * anything by now, a device that feels that. */
static int look_again(const struct skua_walk *walk, const struct skua_walk_entry *entry,
                      struct stat *st)
{
    int root = -1;
    int fd = -1;
    int error = open_root(walk, entry->root, O_PATH, &root);
    if (error != 0) {
        return error;
    }
    if (entry->path_len == 0) {
        fd = root;
    } else {
        const struct skua_store below = {.fd = root};
        error = skua_store_open(&below, entry->path, O_PATH, &fd);
        (void)close(root);
    }
    if (error == 0) {
        error = fstat(fd, st) != 0 ? errno : 0;
        (void)close(fd);
    }
    return error;
}

bool skua_walk_name_left(const struct skua_walk *walk, const struct skua_walk_entry *entry)
{
    struct stat now;
    const int error = look_again(walk, entry, &now);
    if (error != 0) {
        return error == ENOENT || error == ENOTDIR || error == ELOOP;
    }
    return now.st_dev != entry->st.st_dev || now.st_ino != entry->st.st_ino;
}

uint64_t skua_walk_count(struct skua_walk *walk)
{
    (void)pthread_mutex_lock(&walk->lock);
    const uint64_t count = walk->next_id;
    (void)pthread_mutex_unlock(&walk->lock);
    return count;
}

void skua_walk_stop(struct skua_walk *walk)
{
    (void)pthread_mutex_lock(&walk->lock);
    walk->stopped = true;
    (void)pthread_mutex_unlock(&walk->lock);
}

void skua_walk_measure(const struct skua_walk_config *config, const atomic_bool *stop,
                       struct skua_file_totals *out)
{
    *out = (struct skua_file_totals){0};
    struct skua_walk *walk = new_walk(config, true);
    struct skua_walk_entry *entry = malloc(sizeof *entry);
    while (walk != NULL && entry != NULL && !atomic_load(stop) && skua_walk_next(walk, entry)) {
        out->entries++;
        if (entry->type == SKUA_FILE_FILE) {
            out->bytes += (uint64_t)entry->st.st_size;
        }
        if (entry->fd >= 0) {
            (void)close(entry->fd);
        }
    }
    free(entry);
    skua_walk_free(walk);
}
