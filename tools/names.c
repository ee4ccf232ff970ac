/* Names from the network and for the terminal (names.h). */
#include "names.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "file_proto.h"

bool skua_name_check(const char *name, size_t len)
{
    if (len == 0 || len > SKUA_NAME_MAX || (len == 1 && name[0] == '.') ||
        (len == 2 && name[0] == '.' && name[1] == '.')) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)name[i];
        if (c < 0x20 || c == 0x7f || c == '/') {
            return false;
        }
    }
    return true;
}

bool skua_name_check_path(const char *path, size_t len)
{
    if (len == 0 || len > SKUA_FILE_PATH_MAX) {
        return false;
    }
    size_t start = 0;
    size_t depth = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i == len || path[i] == '/') {
            if (!skua_name_check(path + start, i - start) || ++depth > SKUA_DEPTH_MAX) {
                return false;
            }
            start = i + 1;
        }
    }
    return true;
}

bool skua_name_check_link(const char *path, size_t path_len, const char *target, size_t target_len)
{
    if (target_len == 0 || target[0] == '/' || target_len > SKUA_FILE_PATH_MAX) {
        return false;
    }
    size_t depth = 0;
    for (size_t i = 0; i < path_len; i++) {
        depth += path[i] == '/' ? 1 : 0;
    }
    size_t start = 0;
    for (size_t i = 0; i <= target_len; i++) {
        if (i < target_len && target[i] == '\0') {
            return false;
        }
        if (i < target_len && target[i] != '/') {
            continue;
        }
        const size_t len = i - start;
        if (len == 2 && target[start] == '.' && target[start + 1] == '.') {
            if (depth == 0) {
                return false;
            }
            depth--;
        } else if (len > 0 && !(len == 1 && target[start] == '.')) {
            depth++;
        }
        start = i + 1;
    }
    return true;
}

bool skua_name_is_temp(const char *name)
{
    const size_t prefix = strlen(SKUA_TEMP_PREFIX);
    return strncmp(name, SKUA_TEMP_PREFIX, prefix) == 0 &&
           strspn(name + prefix, "0123456789abcdef") == SKUA_TEMP_RANDOM_LEN &&
           name[prefix + SKUA_TEMP_RANDOM_LEN] == '\0';
}

/* Length of the valid UTF-8 sequence of a printable character at `at`, or 0. */
static size_t utf8_len(const unsigned char *at, size_t left)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t low, high;
    } forms[] = {{0x80, 0x00, 0x20, 0x7e},
                 {0xe0, 0xc0, 0xa0, 0x7ff},
                 {0xf0, 0xe0, 0x800, 0xffff},
                 {0xf8, 0xf0, 0x10000, 0x10ffff}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if ((at[0] & forms[i].mask) != forms[i].lead || left < i + 1) {
            continue;
        }
        uint32_t rune = at[0] & (unsigned)(unsigned char)~forms[i].mask;
        for (size_t k = 1; k <= i; k++) {
            if ((at[k] & 0xc0) != 0x80) {
                return 0;
            }
            rune = rune << 6 | (at[k] & 0x3fU);
        }
        /* Not: surrogates, line and paragraph separator, marks that turn the writing direction. */
        const bool hidden = (rune >= 0xd800 && rune <= 0xdfff) ||
                            (rune >= 0x200b && rune <= 0x200f) ||
                            (rune >= 0x2028 && rune <= 0x202e) ||
                            (rune >= 0x2060 && rune <= 0x206f) || rune == 0xfeff;
        return rune < forms[i].low || rune > forms[i].high || hidden ? 0 : i + 1;
    }
    return 0;
}

/* Appends a piece if it and a later "..." fit. */
static bool append(char *out, size_t cap, size_t *len, const char *piece, size_t piece_len)
{
    if (*len + piece_len + 4 > cap) {
        memcpy(out + *len, "...", 4);
        return false;
    }
    memcpy(out + *len, piece, piece_len);
    *len += piece_len;
    out[*len] = '\0';
    return true;
}

static const char *print_escaped(char *out, size_t cap, const char *name, size_t len, bool json)
{
    size_t at = 0;
    size_t used = 0;
    out[0] = '\0';
    while (at < len) {
        const unsigned char *c = (const unsigned char *)name + at;
        const size_t rune = utf8_len(c, len - at);
        char piece[8];
        size_t piece_len = rune;
        if (rune == 1 && (*c == '\\' || (json && *c == '"'))) {
            piece[0] = '\\';
            piece[1] = (char)*c;
            piece_len = 2;
        } else if (rune > 0) {
            memcpy(piece, c, rune);
        } else {
            piece_len = (size_t)snprintf(piece, sizeof piece, json ? "\\u%04x" : "\\x%02x", *c);
        }
        if (!append(out, cap, &used, piece, piece_len)) {
            break;
        }
        at += rune > 0 ? rune : 1;
    }
    return out;
}

const char *skua_name_print(char *out, size_t cap, const char *name, size_t len)
{
    return print_escaped(out, cap, name, len, false);
}

const char *skua_name_json(char *out, size_t cap, const char *name, size_t len)
{
    return print_escaped(out, cap, name, len, true);
}
