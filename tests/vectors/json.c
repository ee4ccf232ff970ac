/* The reader of json.h: recursive descent with a bounded depth. */
#include "json.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64 };

struct parser {
    struct json *json;
    const char *begin;
    const char *at;
    const char *end;
    size_t cap; /* nodes allocated */
};

static bool fail(struct parser *p, const char *why)
{
    if (p->json->error == NULL) {
        p->json->error = why;
        p->json->error_at = (size_t)(p->at - p->begin);
    }
    return false;
}

static void skip_space(struct parser *p)
{
    while (p->at < p->end && memchr(" \t\r\n", *p->at, 4) != NULL) {
        p->at++;
    }
}

static bool take(struct parser *p, char c)
{
    skip_space(p);
    if (p->at == p->end || *p->at != c) {
        return false;
    }
    p->at++;
    return true;
}

/* Appends an empty node. Nodes move when the array grows: they are named by index. */
static bool add_node(struct parser *p, size_t *index)
{
    if (p->json->count == p->cap) {
        size_t cap = p->cap == 0 ? 256 : 2 * p->cap;
        struct json_node *nodes = realloc(p->json->nodes, cap * sizeof *nodes);
        if (nodes == NULL) {
            return fail(p, "out of memory");
        }
        p->json->nodes = nodes;
        p->cap = cap;
    }
    *index = p->json->count++;
    memset(&p->json->nodes[*index], 0, sizeof p->json->nodes[*index]);
    return true;
}

static bool read_escape(struct parser *p)
{
    if (p->at == p->end) {
        return fail(p, "string without end");
    }
    char c = *p->at++;
    if (c != 'u') {
        return memchr("\"\\/bfnrt", c, 8) != NULL || fail(p, "unknown escape");
    }
    for (int i = 0; i < 4; i++, p->at++) {
        if (p->at == p->end || strchr("0123456789abcdefABCDEF", *p->at) == NULL || *p->at == '\0') {
            return fail(p, "\\u needs four hexadecimal digits");
        }
    }
    return true;
}

static bool read_string(struct parser *p, const char **text, size_t *len)
{
    if (!take(p, '"')) {
        return fail(p, "string expected");
    }
    *text = p->at;
    while (p->at < p->end && *p->at != '"') {
        unsigned char c = (unsigned char)*p->at++;
        if (c < 0x20) {
            return fail(p, "control character in a string");
        }
        if (c == '\\' && !read_escape(p)) {
            return false;
        }
    }
    if (p->at == p->end) {
        return fail(p, "string without end");
    }
    *len = (size_t)(p->at - *text);
    p->at++;
    return true;
}

static bool digits(struct parser *p)
{
    const char *from = p->at;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9') {
        p->at++;
    }
    return p->at > from || fail(p, "digit expected");
}

static bool read_number(struct parser *p)
{
    if (p->at < p->end && *p->at == '-') {
        p->at++;
    }
    if (p->at < p->end && *p->at == '0') {
        p->at++;
    } else if (!digits(p)) {
        return false;
    }
    if (p->at < p->end && *p->at == '.') {
        p->at++;
        if (!digits(p)) {
            return false;
        }
    }
    if (p->at < p->end && (*p->at == 'e' || *p->at == 'E')) {
        p->at++;
        if (p->at < p->end && (*p->at == '+' || *p->at == '-')) {
            p->at++;
        }
        return digits(p);
    }
    return true;
}

static bool read_word(struct parser *p, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0) {
        return fail(p, "value expected");
    }
    p->at += len;
    return true;
}

static bool read_scalar(struct parser *p, struct json_node *node)
{
    const char *from = p->at;
    bool ok = false;
    switch (p->at == p->end ? '\0' : *p->at) {
    case '"':
        node->type = JSON_STRING;
        return read_string(p, &node->text, &node->len);
    case 't':
        node->type = JSON_BOOL;
        ok = read_word(p, "true");
        break;
    case 'f':
        node->type = JSON_BOOL;
        ok = read_word(p, "false");
        break;
    case 'n':
        node->type = JSON_NULL;
        ok = read_word(p, "null");
        break;
    default:
        node->type = JSON_NUMBER;
        ok = read_number(p);
        break;
    }
    node->text = from;
    node->len = (size_t)(p->at - from);
    return ok;
}

static bool read_value(struct parser *p, size_t index, unsigned depth);

/* One member or element, with the name before it in an object. */
static bool read_child(struct parser *p, bool object, unsigned depth)
{
    const char *name = NULL;
    size_t name_len = 0;
    if (object &&
        (!read_string(p, &name, &name_len) || (!take(p, ':') && !fail(p, "':' expected")))) {
        return false;
    }
    size_t child = 0;
    if (!add_node(p, &child)) {
        return false;
    }
    p->json->nodes[child].name = name;
    p->json->nodes[child].name_len = name_len;
    return read_value(p, child, depth + 1);
}

static bool read_children(struct parser *p, bool object, unsigned depth)
{
    char close = object ? '}' : ']';
    if (take(p, close)) {
        return true;
    }
    do {
        if (!read_child(p, object, depth)) {
            return false;
        }
    } while (take(p, ','));
    return take(p, close) || fail(p, "',' or the end of an object or array expected");
}

static bool read_value(struct parser *p, size_t index, unsigned depth)
{
    if (depth > DEPTH_MAX) {
        return fail(p, "nested too deeply");
    }
    skip_space(p);
    bool ok = true;
    if (take(p, '{')) {
        p->json->nodes[index].type = JSON_OBJECT;
        ok = read_children(p, true, depth);
    } else if (take(p, '[')) {
        p->json->nodes[index].type = JSON_ARRAY;
        ok = read_children(p, false, depth);
    } else {
        ok = read_scalar(p, &p->json->nodes[index]);
    }
    p->json->nodes[index].next = p->json->count;
    return ok;
}

bool json_read(struct json *json, const char *text, size_t len)
{
    *json = (struct json){.nodes = NULL, .count = 0, .error = NULL, .error_at = 0};
    struct parser p = {.json = json, .begin = text, .at = text, .end = text + len, .cap = 0};
    size_t root = 0;
    if (!add_node(&p, &root) || !read_value(&p, root, 0)) {
        return false;
    }
    skip_space(&p);
    return p.at == p.end || fail(&p, "text after the document's end");
}

void json_free(struct json *json)
{
    free(json->nodes);
    json->nodes = NULL;
    json->count = 0;
}

const struct json_node *json_child(const struct json *json, const struct json_node *parent,
                                   const struct json_node *previous)
{
    size_t index = previous == NULL ? (size_t)(parent - json->nodes) + 1 : previous->next;
    return index < parent->next ? &json->nodes[index] : NULL;
}

const struct json_node *json_member(const struct json *json, const struct json_node *object,
                                    const char *name)
{
    if (object->type != JSON_OBJECT) {
        return NULL;
    }
    const struct json_node *child = NULL;
    while ((child = json_child(json, object, child)) != NULL) {
        if (child->name_len == strlen(name) && memcmp(child->name, name, child->name_len) == 0) {
            return child;
        }
    }
    return NULL;
}
