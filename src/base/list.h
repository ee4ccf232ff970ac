/* An intrusive, doubly linked, circular list.
 *
 * The head is a node of its own, made by skua_list_init. A member is a struct skua_node inside the
 * object that is listed, zero while it is in no list: zeroed memory needs no further preparation.
 * All operations take constant time, and none needs memory. A listed node, and a head, must not
 * move. */
#ifndef SKUA_BASE_LIST_H
#define SKUA_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"

struct skua_node {
    struct skua_node *next; /* NULL while not linked */
    struct skua_node *prev; /* NULL while not linked */
};

/* The object of `type` whose `member` is at `pointer`. */
#define SKUA_CONTAINER_OF(pointer, type, member)                                                   \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Makes `list` the head of an empty list. */
static inline void skua_list_init(struct skua_node *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool skua_list_empty(const struct skua_node *list)
{
    return list->next == list;
}

/* Whether `node`, a member, is in a list. */
static inline bool skua_list_is_linked(const struct skua_node *node)
{
    return node->next != NULL;
}

/* Puts `node`, which is in no list, before `place`: a member, or the head to make it the last. */
static inline void skua_list_insert_before(struct skua_node *place, struct skua_node *node)
{
    SKUA_ASSERT(!skua_list_is_linked(node));
    node->next = place;
    node->prev = place->prev;
    place->prev->next = node;
    place->prev = node;
}

static inline void skua_list_push_front(struct skua_node *list, struct skua_node *node)
{
    skua_list_insert_before(list->next, node);
}

static inline void skua_list_push_back(struct skua_node *list, struct skua_node *node)
{
    skua_list_insert_before(list, node);
}

/* Takes `node` out of its list, if it is in one. It can be put into a list again. */
static inline void skua_list_remove(struct skua_node *node)
{
    if (!skua_list_is_linked(node)) {
        return;
    }
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = NULL;
    node->prev = NULL;
}

/* The first member, or NULL. */
static inline struct skua_node *skua_list_first(const struct skua_node *list)
{
    return list->next == list ? NULL : list->next;
}

/* The last member, or NULL. */
static inline struct skua_node *skua_list_last(const struct skua_node *list)
{
    return list->prev == list ? NULL : list->prev;
}

/* The member of `list` after `node`, or NULL. Ask before `node` is removed. */
static inline struct skua_node *skua_list_next(const struct skua_node *list,
                                               const struct skua_node *node)
{
    return node->next == list ? NULL : node->next;
}

/* Takes the first member out; NULL where there is none. */
static inline struct skua_node *skua_list_pop_front(struct skua_node *list)
{
    struct skua_node *node = skua_list_first(list);
    if (node != NULL) {
        skua_list_remove(node);
    }
    return node;
}

/* Asserts that both directions agree. Takes time in proportion to the length: for tests. */
static inline void skua_list_check(const struct skua_node *list)
{
    const struct skua_node *node = list;
    do {
        SKUA_ASSERT(node->next != NULL && node->prev != NULL);
        SKUA_ASSERT(node->next->prev == node && node->prev->next == node);
        node = node->next;
    } while (node != list);
}

#endif
