/* How much each network has had lately: an allowance per prefix (IPv4 /24, IPv6 /56), in a table
 * that never grows.
 *
 * Two rows of allowances; a prefix has one in each, by a keyed hash. It is refused only where both
 * are used up (a count-min sketch with decay): so a busy network rarely stands in the way of
 * another one, and nobody can choose whom. There are no entries to evict, hence none to be pushed
 * out. */
#ifndef SKUA_ENDPOINT_PREFIXES_H
#define SKUA_ENDPOINT_PREFIXES_H

#include <skua/skua.h>

#include "base/limits.h"
#include "base/rate.h"

enum { SKUA_PREFIX_ROWS = 2, SKUA_PREFIX_KEY_LEN = 16 };

struct skua_prefixes {
    uint8_t key[SKUA_PREFIX_KEY_LEN]; /* of SipHash */
    struct skua_rate rows[SKUA_PREFIX_ROWS][SKUA_LIMIT_PREFIXES];
};

void skua_prefixes_init(struct skua_prefixes *prefixes, const uint8_t key[SKUA_PREFIX_KEY_LEN]);

/* Takes `cost_ns` from the allowance of the network that `addr` is in; false where that is used up.
 * `burst_ns` as for skua_rate_take. */
bool skua_prefixes_take(struct skua_prefixes *prefixes, const struct skua_addr *addr,
                        skua_time cost_ns, skua_time burst_ns, skua_time now);

#endif
