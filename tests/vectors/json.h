/* A reader of JSON documents (RFC 8259) for test vectors: the whole document becomes one array of
 * nodes over the text, which must stay in place. Strings are kept as they are written, escapes
 * included: names and hexadecimal values need none, and one with an escape equals none of ours. */
#ifndef SKUA_TESTS_VECTORS_JSON_H
#define SKUA_TESTS_VECTORS_JSON_H

#include <stdbool.h>
#include <stddef.h>

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_node {
    enum json_type type;
    const char *text; /* string: between the quotes; number, bool: as written */
    size_t len;       /* bytes of text */
    const char *name; /* member of an object: its name, else NULL */
    size_t name_len;
    size_t next; /* index one past this node and everything in it */
};

struct json {
    struct json_node *nodes; /* in the order of the text; [0] is the document */
    size_t count;
    const char *error; /* why reading failed, or NULL */
    size_t error_at;   /* offset in the text */
};

/* Reads `len` bytes; false and `error` where they are not one JSON value. json_free in any case. */
bool json_read(struct json *json, const char *text, size_t len);
void json_free(struct json *json);

/* The member `name` of an object, or NULL. */
const struct json_node *json_member(const struct json *json, const struct json_node *object,
                                    const char *name);
/* Iterates over an array's or object's children: first with `previous` NULL; NULL at the end. */
const struct json_node *json_child(const struct json *json, const struct json_node *parent,
                                   const struct json_node *previous);

#endif
