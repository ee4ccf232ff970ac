/* Keys on disk (keys.h). A secret key is never in a stdio buffer: it is read and written with plain
 * system calls into memory that is wiped. */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

/* More than a key and a few comment lines. */
enum { KEY_FILE_MAX = 4096 };

void skua_why_set(struct skua_why *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
}

static void fill_random(void *user, void *out, size_t len)
{
    (void)user;
    randombytes_buf(out, len);
}

const struct skua_rng *skua_system_rng(void)
{
    static const struct skua_rng rng = {.fill = fill_random, .user = NULL};
    return &rng;
}

bool skua_user_path(struct skua_user_path *out, const char *name, struct skua_why *why)
{
    const char *base = getenv("XDG_CONFIG_HOME");
    const char *middle = "/skua/";
    if (base == NULL || base[0] != '/') {
        base = getenv("HOME");
        middle = "/.config/skua/";
    }
    if (base == NULL || base[0] != '/') {
        skua_why_set(why, "no place for %s: neither HOME nor XDG_CONFIG_HOME is set", name);
        return false;
    }
    const int len = snprintf(out->text, sizeof out->text, "%s%s%s", base, middle, name);
    if (len < 0 || (size_t)len >= sizeof out->text) {
        skua_why_set(why, "no place for %s: the home folder's path is too long", name);
        return false;
    }
    return true;
}

bool skua_user_path_make_parents(const char *path, struct skua_why *why)
{
    char folder[PATH_MAX];
    const size_t len = strlen(path);
    if (len >= sizeof folder) {
        skua_why_set(why, "%s: path too long", path);
        return false;
    }
    for (size_t i = 1; i < len; i++) {
        if (path[i] != '/') {
            continue;
        }
        memcpy(folder, path, i);
        folder[i] = '\0';
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
            skua_why_set(why, "cannot make folder %s: %s", folder, strerror(errno));
            return false;
        }
    }
    return true;
}

static void cut_blanks(char *line)
{
    size_t len = strlen(line);
    while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t')) {
        line[--len] = '\0';
    }
}

/* The first line of `text` that is neither empty nor a comment, without white space around it, cut
 * off by a zero; or NULL. */
static char *find_line(char *text)
{
    for (char *line = text; *line != '\0';) {
        const size_t len = strcspn(line, "\r\n");
        const bool last = line[len] == '\0';
        line[len] = '\0';
        line += strspn(line, " \t");
        if (*line != '\0' && *line != '#') {
            cut_blanks(line);
            return line;
        }
        if (last) {
            return NULL;
        }
        line += strlen(line) + 1;
    }
    return NULL;
}

/* Reads a small file into `text`; *len without the terminating zero. */
static bool read_small(int fd, char text[KEY_FILE_MAX + 1])
{
    size_t len = 0;
    for (;;) {
        const ssize_t got = read(fd, text + len, KEY_FILE_MAX - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 || len == KEY_FILE_MAX) {
            return false;
        }
        if (got == 0) {
            text[len] = '\0';
            return true;
        }
        len += (size_t)got;
    }
}

static bool check_owner_only(int fd, const char *path, struct skua_why *why)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        skua_why_set(why, "cannot read key file %s: %s", path, strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        skua_why_set(why, "key file %s is not a regular file", path);
        return false;
    }
    if ((st.st_mode & 077) != 0) {
        skua_why_set(why, "key file %s can be read by others: chmod 600 %s", path, path);
        return false;
    }
    return true;
}

bool skua_secret_key_load(struct skua_secret_key *out, const char *path, bool *missing,
                          struct skua_why *why)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (missing != NULL) {
        *missing = fd < 0 && errno == ENOENT;
    }
    if (fd < 0) {
        skua_why_set(why, "cannot read key file %s: %s", path, strerror(errno));
        return false;
    }
    char text[KEY_FILE_MAX + 1] = {0};
    bool ok = check_owner_only(fd, path, why);
    if (ok) {
        const char *line = read_small(fd, text) ? find_line(text) : NULL;
        ok = line != NULL && skua_secret_key_parse(out, line) == SKUA_OK;
        if (!ok) {
            skua_why_set(why, "%s does not hold a secret key", path);
        }
    }
    sodium_memzero(text, sizeof text);
    (void)close(fd);
    return ok;
}

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        const ssize_t done = write(fd, text, len);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return false;
        }
        text += done;
        len -= (size_t)done;
    }
    return true;
}

bool skua_secret_key_create(struct skua_secret_key *out, const char *path, struct skua_why *why)
{
    if (!skua_user_path_make_parents(path, why)) {
        return false;
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        skua_why_set(why, "cannot make key file %s: %s", path, strerror(errno));
        return false;
    }
    skua_key_generate(out, skua_system_rng());
    char text[SKUA_KEY_TEXT_LEN + 1];
    skua_secret_key_format(text, out);
    const size_t len = strlen(text);
    text[len] = '\n';
    const bool ok = write_all(fd, text, len + 1) && fsync(fd) == 0;
    if (!ok) {
        skua_why_set(why, "cannot write key file %s: %s", path, strerror(errno));
        (void)unlink(path);
        sodium_memzero(out, sizeof *out);
    }
    sodium_memzero(text, sizeof text);
    (void)close(fd);
    return ok;
}

bool skua_secret_key_load_or_create(struct skua_secret_key *out, const char *path, bool *created,
                                    struct skua_why *why)
{
    bool missing = false;
    *created = false;
    if (skua_secret_key_load(out, path, &missing, why)) {
        return true;
    }
    if (!missing) {
        return false;
    }
    *created = skua_secret_key_create(out, path, why);
    if (*created) {
        return true;
    }
    /* Another process may have made it in between. */
    return errno == EEXIST && skua_secret_key_load(out, path, &missing, why);
}

bool skua_own_key_load(struct skua_secret_key *out, const char *named, struct skua_user_path *made,
                       struct skua_why *why)
{
    bool created = false;
    made->text[0] = '\0';
    if (named != NULL) {
        return skua_secret_key_load(out, named, NULL, why);
    }
    const bool ok = skua_user_path(made, "key", why) &&
                    skua_secret_key_load_or_create(out, made->text, &created, why);
    if (!created) {
        made->text[0] = '\0';
    }
    return ok;
}

static bool append_key(struct skua_key_list *list, const struct skua_key *key)
{
    if (list->count == list->room) {
        const size_t room = list->room == 0 ? 16 : list->room * 2;
        struct skua_key *grown = realloc(list->keys, room * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        list->keys = grown;
        list->room = room;
    }
    list->keys[list->count++] = *key;
    return true;
}

/* Takes one line: nothing, or a key and a name. */
static bool take_line(struct skua_key_list *list, char *line)
{
    line[strcspn(line, "#\r\n")] = '\0';
    line += strspn(line, " \t");
    line[strcspn(line, " \t")] = '\0';
    if (*line == '\0') {
        return true;
    }
    struct skua_key key;
    return skua_key_parse(&key, line) == SKUA_OK && append_key(list, &key);
}

bool skua_key_list_load(struct skua_key_list *out, const char *path, bool *missing,
                        struct skua_why *why)
{
    *out = (struct skua_key_list){0};
    FILE *file = fopen(path, "re");
    if (missing != NULL) {
        *missing = file == NULL && errno == ENOENT;
    }
    if (file == NULL) {
        skua_why_set(why, "cannot read %s: %s", path, strerror(errno));
        return false;
    }
    char *line = NULL;
    size_t room = 0;
    size_t number = 0;
    bool ok = true;
    while (ok && getline(&line, &room, file) >= 0) {
        number++;
        ok = take_line(out, line);
    }
    if (!ok) {
        skua_why_set(why, "%s, line %zu: not a public key", path, number);
    } else if (ferror(file) != 0) {
        skua_why_set(why, "cannot read %s: %s", path, strerror(errno));
        ok = false;
    }
    if (!ok) {
        skua_key_list_deinit(out);
    }
    free(line);
    (void)fclose(file);
    return ok;
}

bool skua_key_list_has(const struct skua_key_list *list, const struct skua_key *key)
{
    for (size_t i = 0; i < list->count; i++) {
        if (sodium_memcmp(list->keys[i].bytes, key->bytes, sizeof key->bytes) == 0) {
            return true;
        }
    }
    return false;
}

void skua_key_list_deinit(struct skua_key_list *list)
{
    free(list->keys);
    *list = (struct skua_key_list){0};
}
