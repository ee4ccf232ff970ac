/* Names that came from the network, and names on their way to a terminal.
 *
 * A path on the wire is relative, its parts separated by single '/'. Whatever a peer sends passes
 * skua_name_check_path before it is used for anything, and is then only used through store.h, which
 * keeps it beneath a folder. What is printed goes through skua_name_print, so that a file name
 * cannot drive the terminal. */
#ifndef SKUA_TOOLS_NAMES_H
#define SKUA_TOOLS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum {
    SKUA_NAME_MAX = 255,  /* bytes of one part */
    SKUA_DEPTH_MAX = 128, /* parts of a path */
};

/* Names of files under way, in the folder of their final name. */
#define SKUA_TEMP_PREFIX     ".skua-tmp-"
#define SKUA_TEMP_RANDOM_LEN 16

/* One part: not empty, not "." or "..", at most SKUA_NAME_MAX bytes, no '/', no control character
 * (bytes 0 to 31 and 127). */
bool skua_name_check(const char *name, size_t len);
/* A relative path of such parts: at most SKUA_FILE_PATH_MAX bytes and SKUA_DEPTH_MAX parts, no '/'
 * at either end. The empty path is not one. */
bool skua_name_check_path(const char *path, size_t len);
/* Whether a link in the folder of `path` (relative to the root of a tree) to `target` stays in the
 * tree by its text: relative, and never above the root on its way. */
bool skua_name_check_link(const char *path, size_t path_len, const char *target, size_t target_len);
/* Whether the name is one that the tool gives to files under way. */
bool skua_name_is_temp(const char *name);

/* Writes `name` for a terminal into `out`, always zero-terminated and cut with "..." where it does
 * not fit: control characters, C1 controls and bytes that are not UTF-8 become \xNN, a backslash
 * becomes \\. Returns `out`. `cap` is at least 8. */
const char *skua_name_print(char *out, size_t cap, const char *name, size_t len);

/* Writes `name` as the inside of a JSON string; the same rules of cutting. Bytes that are not UTF-8
 * become \u00NN. */
const char *skua_name_json(char *out, size_t cap, const char *name, size_t len);

#endif
