/* Files beneath one folder (store.h). */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>
#include <sodium.h>

#include "file_proto.h"

int skua_store_init(struct skua_store *store, const char *path)
{
    store->step_wise = false;
    store->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->fd < 0) {
        return errno;
    }
    (void)pthread_mutex_init(&store->making, NULL);
    return 0;
}

void skua_store_deinit(struct skua_store *store)
{
    if (store->fd >= 0) {
        (void)pthread_mutex_destroy(&store->making);
        (void)close(store->fd);
        store->fd = -1;
    }
}

/* Copies the part of `path` at *at into `name` and moves *at behind it; false at the end. */
static bool next_part(const char *path, size_t *at, char name[SKUA_NAME_MAX + 1])
{
    const size_t len = strcspn(path + *at, "/");
    if (len == 0 || len > SKUA_NAME_MAX) {
        return false;
    }
    memcpy(name, path + *at, len);
    name[len] = '\0';
    *at += len + (path[*at + len] == '/' ? 1U : 0U);
    return true;
}

/* O_NOFOLLOW together with O_DIRECTORY answers ENOTDIR for a link: says what it was. */
static int explain(int dir, const char *name, int error)
{
    struct stat st;
    if (error == ENOTDIR && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(st.st_mode)) {
        return ELOOP;
    }
    return error;
}

static int open_part(int dir, const char *name, int flags, int *fd)
{
    *fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC);
    return *fd < 0 ? explain(dir, name, errno) : 0;
}

/* What a walk does about directories that are missing. */
enum make { FIND, MAKE, MAKE_SYNCED };

/* Brings the names in a folder to the disk; `dir` may be an O_PATH descriptor. */
static int sync_folder(int dir)
{
    const int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    const int error = fsync(fd) != 0 ? errno : 0;
    (void)close(fd);
    return error;
}

static int make_part(int dir, const char *name, enum make make)
{
    if (make == FIND) {
        return 0;
    }
    if (mkdirat(dir, name, 0700) != 0) {
        return errno == EEXIST ? 0 : errno;
    }
    const int error = make == MAKE_SYNCED ? sync_folder(dir) : 0;
    if (error != 0) {
        /* Who comes next must not find it and take its name for safe. */
        (void)unlinkat(dir, name, AT_REMOVEDIR);
    }
    return error;
}

/* The walk for kernels without openat2, and for making directories: every part but the last is a
 * directory and no link. */
static int open_step_wise(int root, const char *path, int flags, enum make make, int *fd)
{
    char name[SKUA_NAME_MAX + 1];
    size_t at = 0;
    int dir = dup(root);
    int error = dir < 0 ? errno : 0;
    while (error == 0 && next_part(path, &at, name)) {
        const bool last = path[at] == '\0';
        int next = -1;
        error = make_part(dir, name, make);
        if (error != 0) {
            break;
        }
        error = open_part(dir, name, last ? flags : O_PATH | O_DIRECTORY, &next);
        if (error == 0 && last && (flags & O_PATH) != 0) {
            /* O_PATH opens a link itself: refuse it as the other ways do. */
            struct stat st;
            error = fstat(next, &st) != 0 ? errno : S_ISLNK(st.st_mode) ? ELOOP : 0;
            if (error != 0) {
                (void)close(next);
                break;
            }
        }
        if (error == 0) {
            (void)close(dir);
            dir = next;
        }
    }
    if (error != 0 && dir >= 0) {
        (void)close(dir);
        dir = -1;
    }
    *fd = dir;
    return error;
}

static int open_beneath(const struct skua_store *store, const char *path, int flags, int *fd)
{
    const char *name = path[0] == '\0' ? "." : path;
    const struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    if (!store->step_wise) {
        const long result = syscall(SYS_openat2, store->fd, name, &how, sizeof how);
        if (result >= 0) {
            *fd = (int)result;
            return 0;
        }
        /* EPERM: a seccomp filter older than the call. EAGAIN: a rename raced with "..", which is
         * not in our paths, so it can only be spurious. */
        if (errno != ENOSYS && errno != EPERM && errno != EAGAIN) {
            return errno;
        }
    }
    if (path[0] == '\0') {
        return open_part(store->fd, ".", flags, fd);
    }
    return open_step_wise(store->fd, path, flags, FIND, fd);
}

int skua_store_open(const struct skua_store *store, const char *path, int flags, int *fd)
{
    /* openat2 refuses flags that O_PATH makes meaningless. */
    const int more = (flags & O_PATH) != 0 ? 0 : O_NONBLOCK | O_NOCTTY;
    return open_beneath(store, path, flags | O_RDONLY | more, fd);
}

static int make_dirs(const struct skua_store *store, const char *path, enum make make, int *fd)
{
    const int error = open_beneath(store, path, O_RDONLY | O_DIRECTORY, fd);
    if (error != ENOENT) {
        return error;
    }
    return open_step_wise(store->fd, path, O_RDONLY | O_DIRECTORY, make, fd);
}

int skua_store_make_dirs(struct skua_store *store, const char *path, bool sync, int *fd)
{
    if (!sync) {
        return make_dirs(store, path, MAKE, fd);
    }
    /* One at a time, also where nothing is missing: what is there may be on its way to the disk. */
    (void)pthread_mutex_lock(&store->making);
    const int error = make_dirs(store, path, MAKE_SYNCED, fd);
    (void)pthread_mutex_unlock(&store->making);
    return error;
}

int skua_store_set_dir(const struct skua_store *store, const char *path, mode_t mode,
                       struct timespec mtime, bool sync)
{
    int fd = -1;
    int error = open_beneath(store, path, O_RDONLY | O_DIRECTORY, &fd);
    if (error != 0) {
        return error;
    }
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, mtime};
    if (fchmod(fd, mode & 0777) != 0 || futimens(fd, times) != 0 || (sync && fsync(fd) != 0)) {
        error = errno;
    }
    (void)close(fd);
    return error;
}

static void make_temp_name(char out[sizeof SKUA_TEMP_PREFIX + SKUA_TEMP_RANDOM_LEN])
{
    uint8_t random[SKUA_TEMP_RANDOM_LEN / 2];
    randombytes_buf(random, sizeof random);
    memcpy(out, SKUA_TEMP_PREFIX, sizeof SKUA_TEMP_PREFIX);
    (void)sodium_bin2hex(out + sizeof SKUA_TEMP_PREFIX - 1, SKUA_TEMP_RANDOM_LEN + 1, random,
                         sizeof random);
}

int skua_store_file_begin(struct skua_store_file *file, int dir)
{
    file->dir = dir;
    do {
        make_temp_name(file->temp);
        file->fd =
            openat(dir, file->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    } while (file->fd < 0 && errno == EEXIST);
    return file->fd < 0 ? errno : 0;
}

/* Closes it, once. Some file systems report a failed write only here. */
static int close_file(struct skua_store_file *file)
{
    const int fd = file->fd;
    file->fd = -1;
    return close(fd) != 0 && errno != EINTR ? errno : 0;
}

void skua_store_file_discard(struct skua_store_file *file)
{
    if (file->fd >= 0) {
        (void)unlinkat(file->dir, file->temp, 0);
        (void)close_file(file);
    }
}

/* Everything but the final name. */
static int finish_file(int fd, uint64_t size, mode_t mode, struct timespec mtime, bool sync)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, mtime};
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return errno;
    }
    /* A hole at the end was not written. */
    if ((uint64_t)st.st_size != size && ftruncate(fd, (off_t)size) != 0) {
        return errno;
    }
    if (fchmod(fd, mode & 0777) != 0 || futimens(fd, times) != 0) {
        return errno;
    }
    return sync && fsync(fd) != 0 ? errno : 0;
}

/* Gives the temporary file or link its final name. A file that is there is replaced; what people
 * make with mknod or mkfifo is not: /dev/null as a file full of what was thrown away, say. */
static int rename_over(int dir, const char *temp, const char *name)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode) &&
        !S_ISLNK(st.st_mode)) {
        return S_ISDIR(st.st_mode) ? EISDIR : EEXIST;
    }
    return renameat(dir, temp, dir, name) != 0 ? errno : 0;
}

int skua_store_file_commit(struct skua_store_file *file, const char *name, uint64_t size,
                           mode_t mode, struct timespec mtime, bool sync)
{
    int error = finish_file(file->fd, size, mode, mtime, sync);
    /* Closed before it gets its name, so that a late error leaves nothing wrong there. */
    const int close_error = close_file(file);
    error = error != 0 ? error : close_error;
    if (error == 0) {
        error = rename_over(file->dir, file->temp, name);
    }
    if (error != 0) {
        (void)unlinkat(file->dir, file->temp, 0);
        return error;
    }
    return sync && fsync(file->dir) != 0 ? errno : 0;
}

int skua_store_link(int dir, const char *name, const char *target, struct timespec mtime, bool sync)
{
    char temp[sizeof SKUA_TEMP_PREFIX + SKUA_TEMP_RANDOM_LEN];
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, mtime};
    int error = 0;
    do {
        make_temp_name(temp);
        error = symlinkat(target, dir, temp) != 0 ? errno : 0;
    } while (error == EEXIST);
    if (error != 0) {
        return error;
    }
    error = utimensat(dir, temp, times, AT_SYMLINK_NOFOLLOW) != 0 ? errno
                                                                  : rename_over(dir, temp, name);
    if (error != 0) {
        (void)unlinkat(dir, temp, 0);
        return error;
    }
    return sync && fsync(dir) != 0 ? errno : 0;
}
