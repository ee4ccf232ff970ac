/* Addresses and paths by value: comparison and hashing input.
 *
 * struct skua_addr has no padding, and unused bytes of it are zero, so that equality is a memcmp.
 */
#ifndef SKUA_BASE_ADDR_H
#define SKUA_BASE_ADDR_H

#include <stdbool.h>
#include <string.h>

#include <skua/skua.h>

#include "base/assert.h"

SKUA_STATIC_ASSERT(sizeof(struct skua_addr) == 24, "no padding: addresses are compared by memcmp");

static inline bool skua_addr_equal(const struct skua_addr *a, const struct skua_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Same socket and same remote address. The local address is left out: sockets bound to a wildcard
 * learn it late. */
static inline bool skua_path_equal(const struct skua_path *a, const struct skua_path *b)
{
    return a->socket == b->socket && skua_addr_equal(&a->remote, &b->remote);
}

#endif
