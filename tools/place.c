/* Where the roots of a copy go (place.h). */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void skua_place_free(char **targets, size_t count)
{
    for (size_t i = 0; targets != NULL && i < count; i++) {
        free(targets[i]);
    }
    free(targets);
}

/* What is at `path`: *mode is 0 where nothing is. */
static int look(const struct skua_store *store, const char *path, mode_t *mode)
{
    int fd = -1;
    struct stat st;
    int error = skua_store_open(store, path, O_PATH, &fd);
    *mode = 0;
    if (error != 0) {
        return error == ENOENT ? 0 : error;
    }
    if (fstat(fd, &st) != 0) {
        error = errno;
    } else {
        *mode = st.st_mode;
    }
    (void)close(fd);
    return error;
}

/* Whether the folder that `path` is to be made in exists. */
static enum skua_file_status check_parent(const struct skua_store *store, const char *path)
{
    const char *slash = strrchr(path, '/');
    char parent[SKUA_FILE_PATH_MAX + 1];
    mode_t mode = 0;
    if (slash == NULL) {
        return SKUA_STATUS_OK;
    }
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = '\0';
    const int error = look(store, parent, &mode);
    if (error != 0) {
        return skua_file_status_of_errno(error);
    }
    return mode == 0 ? SKUA_STATUS_NOT_FOUND : S_ISDIR(mode) ? SKUA_STATUS_OK : SKUA_STATUS_NOT_DIR;
}

/* Whether `dst` is a directory, and if not whether it may become the copy. */
static enum skua_file_status judge(const struct skua_store *store, const struct skua_place *place,
                                   bool *is_dir)
{
    mode_t mode = 0;
    *is_dir = place->dst[0] == '\0';
    if (*is_dir) {
        return SKUA_STATUS_OK;
    }
    if (!skua_name_check_path(place->dst, strlen(place->dst))) {
        return SKUA_STATUS_BAD_NAME;
    }
    const int error = look(store, place->dst, &mode);
    if (error != 0) {
        /* A link among them: its owner may mean what it points to. One that a copy meets in a
         * folder is replaced (skua_store_file_commit). */
        return skua_file_status_of_errno(error);
    }
    *is_dir = S_ISDIR(mode);
    if (*is_dir) {
        return SKUA_STATUS_OK;
    }
    if (place->must_be_dir || place->count > 1 || place->names[0][0] == '\0') {
        return mode == 0 ? SKUA_STATUS_NOT_FOUND : SKUA_STATUS_NOT_DIR;
    }
    if (mode != 0 && !S_ISREG(mode)) {
        return SKUA_STATUS_DST_NOT_FILE;
    }
    return check_parent(store, place->dst);
}

enum skua_file_status skua_place_roots(const struct skua_store *store,
                                       const struct skua_place *place, char ***targets)
{
    bool is_dir = false;
    *targets = NULL;
    enum skua_file_status status = judge(store, place, &is_dir);
    if (status != SKUA_STATUS_OK) {
        return status;
    }
    char **list = calloc(place->count, sizeof *list);
    for (size_t i = 0; list != NULL && i < place->count; i++) {
        const char *name = place->names[i];
        if (name[0] != '\0' && !skua_name_check(name, strlen(name))) {
            status = SKUA_STATUS_BAD_NAME;
            break;
        }
        const char *slash = is_dir && place->dst[0] != '\0' && name[0] != '\0' ? "/" : "";
        if (asprintf(&list[i], "%s%s%s", place->dst, slash, is_dir ? name : "") < 0) {
            list[i] = NULL;
            status = SKUA_STATUS_NO_MEMORY;
            break;
        }
    }
    if (list == NULL || status != SKUA_STATUS_OK) {
        skua_place_free(list, place->count);
        return list == NULL ? SKUA_STATUS_NO_MEMORY : status;
    }
    *targets = list;
    return SKUA_STATUS_OK;
}
