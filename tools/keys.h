/* Keys on disk: the own secret key, and lists of public keys.
 *
 * A secret key file is one line of base64 (32 bytes); lines that start with '#' and empty lines are
 * ignored. It must be a regular file that nobody but its owner can read, as ssh demands. A list of
 * public keys (`allowed_keys`) has one key per line, optionally followed by white space and a name;
 * '#' starts a comment.
 *
 * Every function that can fail writes one line without a final newline into a struct skua_why: the
 * caller prints it. Functions wipe what they read on their stack. */
#ifndef SKUA_TOOLS_KEYS_H
#define SKUA_TOOLS_KEYS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include <skua/skua.h>

/* Why something failed: one line for a person, without prefix and newline. */
struct skua_why {
    char text[512];
};

/* Formats into `why`, cutting what does not fit. */
__attribute__((format(printf, 2, 3))) void skua_why_set(struct skua_why *why, const char *format,
                                                        ...);

/* A path of a file of the user. */
struct skua_user_path {
    char text[PATH_MAX];
};

/* $XDG_CONFIG_HOME/skua/NAME, or ~/.config/skua/NAME where that is not set. False where neither
 * variable (XDG_CONFIG_HOME, HOME) says where. */
bool skua_user_path(struct skua_user_path *out, const char *name, struct skua_why *why);

/* Makes the folders that lead to `path`, those that are missing with mode 0700. */
bool skua_user_path_make_parents(const char *path, struct skua_why *why);

/* The system's generator as the API wants it; static. */
const struct skua_rng *skua_system_rng(void);

/* Reads a secret key. `*missing` tells "no such file" from other failures; it may be NULL. A failure
 * leaves nothing secret in `out`. */
bool skua_secret_key_load(struct skua_secret_key *out, const char *path, bool *missing,
                          struct skua_why *why);

/* Makes a new secret key and stores it with mode 0600 in a new file; an existing file is never
 * overwritten (false). Missing folders are made. */
bool skua_secret_key_create(struct skua_secret_key *out, const char *path, struct skua_why *why);

/* Loads, and where there is no file creates. `*created` says which. */
bool skua_secret_key_load_or_create(struct skua_secret_key *out, const char *path, bool *created,
                                    struct skua_why *why);

/* The own key of a command: from the file `named`, which must exist (a typing error must not make a
 * new identity); where that is NULL, from the user's, which is made when it is missing. `*made` is
 * the path of a file that was made, else empty. */
bool skua_own_key_load(struct skua_secret_key *out, const char *named, struct skua_user_path *made,
                       struct skua_why *why);

/* Public keys that may connect. */
struct skua_key_list {
    struct skua_key *keys; /* from malloc, or NULL */
    size_t count;          /* used entries */
    size_t room;           /* allocated entries */
};

/* Reads a list; an error names the line. `*missing` as above. On failure the list is empty. */
bool skua_key_list_load(struct skua_key_list *out, const char *path, bool *missing,
                        struct skua_why *why);
/* Whether `key` is in the list. */
bool skua_key_list_has(const struct skua_key_list *list, const struct skua_key *key);
/* Releases the list's memory; the list is empty afterwards. */
void skua_key_list_deinit(struct skua_key_list *list);

#endif
