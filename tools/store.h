/* Files beneath one folder: opened for reading, and stored under a temporary name until they are
 * complete.
 *
 * Nothing here follows a symbolic link or leaves the folder, whatever happens to the tree at the
 * same time: paths are opened by openat2 with RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and
 * RESOLVE_NO_MAGICLINKS, and where the kernel has no openat2 part by part with O_NOFOLLOW. Paths
 * must have passed skua_name_check_path; "" is the folder itself.
 *
 * Functions return 0 or an errno value (ELOOP: a link is in the way; EXDEV: would leave the
 * folder). A store may be used by several threads at a time; a struct skua_store_file by one. */
#ifndef SKUA_TOOLS_STORE_H
#define SKUA_TOOLS_STORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "names.h"

struct skua_store {
    int fd;                 /* the folder, or -1 */
    bool step_wise;         /* openat2 is not available */
    pthread_mutex_t making; /* held while synced folders are made; from init to deinit */
};

/* Opens the folder `path` of the local machine; links on the way to it are followed. */
int skua_store_init(struct skua_store *store, const char *path);
void skua_store_deinit(struct skua_store *store);

/* Opens `path` for reading, file or directory; `flags` are further open flags (O_PATH,
 * O_DIRECTORY). Never blocks on a FIFO. */
int skua_store_open(const struct skua_store *store, const char *path, int flags, int *fd);
/* Opens the directory `path`, making the missing ones on the way with mode 0700. With `sync` each
 * folder in which one was made is on the disk before this returns: a file in a new folder is not
 * safe before the folder's own name is. That holds for a folder that another thread makes with
 * `sync` as well, of whatever request: this waits for it. What cannot be synced is removed again.
 */
int skua_store_make_dirs(struct skua_store *store, const char *path, bool sync, int *fd);
/* Sets permission bits and modification time of the directory `path`; with `sync` on the disk. */
int skua_store_set_dir(const struct skua_store *store, const char *path, mode_t mode,
                       struct timespec mtime, bool sync);

/* A file on its way: exists under a temporary name. */
struct skua_store_file {
    int dir;                                                   /* borrowed; its folder */
    int fd;                                                    /* or -1: none */
    char temp[sizeof SKUA_TEMP_PREFIX + SKUA_TEMP_RANDOM_LEN]; /* its present name */
};

/* Makes a new empty file with a random temporary name in `dir`, mode 0600. */
int skua_store_file_begin(struct skua_store_file *file, int dir);
/* Gives it length, permission bits (nothing above 0777), modification time and its final name,
 * replacing a file or link of that name and nothing else (EISDIR; EEXIST: a device, FIFO or
 * socket). With `sync`, file and folder are on the disk before this returns. Whatever the result,
 * `file` is over: on failure the temporary file is gone. */
int skua_store_file_commit(struct skua_store_file *file, const char *name, uint64_t size,
                           mode_t mode, struct timespec mtime, bool sync);
/* Removes it. Does nothing where there is none. */
void skua_store_file_discard(struct skua_store_file *file);

/* Makes a symbolic link `name` in `dir`, replacing a file or link of that name and nothing else.
 * With `sync` the folder is on the disk before this returns. */
int skua_store_link(int dir, const char *name, const char *target, struct timespec mtime,
                    bool sync);

#endif
