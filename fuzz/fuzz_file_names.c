/* Names from the network: what the policy lets through has the properties that it promises, and
 * what is printed cannot drive a terminal or break a JSON string. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "file_proto.h"
#include "known_hosts.h"
#include "names.h"
#include "remote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void check_path(const char *name, size_t len)
{
    if (!skua_name_check_path(name, len)) {
        return;
    }
    char text[SKUA_FILE_PATH_MAX + 3];
    require(len > 0 && len <= SKUA_FILE_PATH_MAX && memchr(name, '\0', len) == NULL);
    text[0] = '/';
    memcpy(text + 1, name, len);
    text[len + 1] = '/';
    text[len + 2] = '\0';
    require(strstr(text, "//") == NULL && strstr(text, "/./") == NULL &&
            strstr(text, "/../") == NULL);
    for (size_t i = 0; i < len; i++) {
        require((unsigned char)name[i] >= 0x20 && name[i] != 0x7f);
    }
}

/* Follows a link's text from the folder of `path`; never above the root. */
static void check_link(const char *name, size_t len)
{
    static const char path[] = "a/b/link";
    if (!skua_name_check_link(path, sizeof path - 1, name, len)) {
        return;
    }
    int depth = 2;
    for (size_t at = 0; at < len;) {
        const char *slash = memchr(name + at, '/', len - at);
        const size_t part = slash != NULL ? (size_t)(slash - name) - at : len - at;
        if (part == 2 && memcmp(name + at, "..", 2) == 0) {
            depth--;
        } else if (part > 0 && !(part == 1 && name[at] == '.')) {
            depth++;
        }
        require(depth >= 0);
        at += part + 1;
    }
    require(name[0] != '/');
}

static void check_printed(const char *text, size_t room, bool json)
{
    const size_t len = strlen(text);
    require(len < room);
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        require(c >= 0x20 && c != 0x7f);
        require(!(c == 0xc2 && (unsigned char)text[i + 1] < 0xa0)); /* C1 controls */
        if (json && c == '\\') {
            i++;
            require(text[i] == '\\' || text[i] == '"' || text[i] == 'u');
        } else {
            require(!json || c != '"');
        }
    }
}

static void check_operand(const char *name, size_t len)
{
    char *text = strndup(name, len);
    struct skua_operand operand;
    struct skua_why why;
    if (text != NULL && skua_operand_parse(&operand, text, &why)) {
        require(operand.path >= text && operand.path <= text + strlen(text));
        require(!operand.remote || (operand.host[0] != '\0' && operand.path[0] != '/'));
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *name = (const char *)data;
    char out[300];
    check_path(name, size);
    check_link(name, size);
    check_printed(skua_name_print(out, sizeof out, name, size), sizeof out, false);
    check_printed(skua_name_json(out, sizeof out, name, size), sizeof out, true);
    check_operand(name, size);
    return 0;
}
