/* The bounds on what a peer can make grow, as constants: SKUA_LIMIT_UDP_MIN and so on.
 *
 * Values and reasons are in limits.def, and nowhere else. */
#ifndef SKUA_BASE_LIMITS_H
#define SKUA_BASE_LIMITS_H

enum skua_limit {
#define SKUA_LIMIT(name, value, text) SKUA_LIMIT_##name = (value),
#include "base/limits.def"
#undef SKUA_LIMIT
};

#endif
