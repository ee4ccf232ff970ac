/* Keys of servers seen before (known_hosts.h). */
#include "known_hosts.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void skua_known_host_name(char out[SKUA_HOST_TEXT_LEN], const char *host, uint16_t port)
{
    if (strchr(host, ':') != NULL) {
        (void)snprintf(out, SKUA_HOST_TEXT_LEN, "[%.255s]:%u", host, (unsigned)port);
    } else {
        (void)snprintf(out, SKUA_HOST_TEXT_LEN, "%.255s:%u", host, (unsigned)port);
    }
    for (char *at = out; *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
}

/* 1: the line names the host and has a key; 0: another line; -1: malformed. */
static int match(char *line, const char *name, struct skua_key *key)
{
    line[strcspn(line, "#\r\n")] = '\0';
    line += strspn(line, " \t");
    const size_t len = strcspn(line, " \t");
    if (len != strlen(name) || memcmp(line, name, len) != 0) {
        return 0;
    }
    char *text = line + len + strspn(line + len, " \t");
    text[strcspn(text, " \t")] = '\0';
    return skua_key_parse(key, text) == SKUA_OK ? 1 : -1;
}

bool skua_known_hosts_find(const char *path, const char *name, bool *found, struct skua_key *key,
                           struct skua_why *why)
{
    *found = false;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        if (errno == ENOENT) {
            return true;
        }
        skua_why_set(why, "cannot read %s: %s", path, strerror(errno));
        return false;
    }
    char *line = NULL;
    size_t room = 0;
    size_t number = 0;
    bool ok = true;
    while (ok && getline(&line, &room, file) >= 0) {
        number++;
        struct skua_key seen;
        const int result = match(line, name, &seen);
        if (result > 0) {
            *found = true;
            *key = seen;
        } else if (result < 0) {
            skua_why_set(why, "%s, line %zu: not a public key", path, number);
            ok = false;
        }
    }
    free(line);
    (void)fclose(file);
    return ok;
}

/* Whether a last line has no end: an editor may have left it so. */
static bool is_line_open(int fd)
{
    struct stat st;
    char last = '\n';
    return fstat(fd, &st) == 0 && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 &&
           last != '\n';
}

bool skua_known_hosts_add(const char *path, const char *name, const struct skua_key *key,
                          struct skua_why *why)
{
    char text[SKUA_KEY_TEXT_LEN];
    char line[SKUA_HOST_TEXT_LEN + SKUA_KEY_TEXT_LEN + 3];
    skua_key_format(text, key);
    if (!skua_user_path_make_parents(path, why)) {
        return false;
    }
    /* One write of one line: two programs that append at the same time do not mix. */
    const int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const char *before = fd >= 0 && is_line_open(fd) ? "\n" : "";
    const int len = snprintf(line, sizeof line, "%s%s %s\n", before, name, text);
    const bool ok = fd >= 0 && write(fd, line, (size_t)len) == len;
    if (!ok) {
        skua_why_set(why, "cannot write %s: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return ok;
}
