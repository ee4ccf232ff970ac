/* Allowances per network: see prefixes.h. */
#include "endpoint/prefixes.h"

#include <string.h>

#include <sodium.h>

#include "base/assert.h"

/* Bytes of an address that name the network. */
enum { PREFIX_IPV4 = 3, PREFIX_IPV6 = 7 };

SKUA_STATIC_ASSERT((SKUA_LIMIT_PREFIXES & (SKUA_LIMIT_PREFIXES - 1)) == 0, "a power of two");

void skua_prefixes_init(struct skua_prefixes *prefixes, const uint8_t key[SKUA_PREFIX_KEY_LEN])
{
    memset(prefixes, 0, sizeof *prefixes);
    memcpy(prefixes->key, key, sizeof prefixes->key);
}

static uint64_t hash(const struct skua_prefixes *prefixes, const struct skua_addr *addr)
{
    uint8_t input[1 + PREFIX_IPV6] = {addr->family};
    uint8_t out[8];
    uint64_t value = 0;
    memcpy(input + 1, addr->ip, addr->family == SKUA_FAMILY_IPV4 ? PREFIX_IPV4 : PREFIX_IPV6);
    (void)crypto_shorthash(out, input, sizeof input, prefixes->key);

    for (size_t i = 0; i < sizeof out; i++) {
        value = value << 8 | out[i];
    }
    return value;
}

bool skua_prefixes_take(struct skua_prefixes *prefixes, const struct skua_addr *addr,
                        skua_time cost_ns, skua_time burst_ns, skua_time now)
{
    uint64_t at = hash(prefixes, addr);
    struct skua_rate *one = &prefixes->rows[0][at % SKUA_LIMIT_PREFIXES];
    struct skua_rate *other = &prefixes->rows[1][(at >> 32) % SKUA_LIMIT_PREFIXES];
    if (!skua_rate_allows(one, now) && !skua_rate_allows(other, now)) {
        return false;
    }
    skua_rate_charge(one, cost_ns, burst_ns, now);
    skua_rate_charge(other, cost_ns, burst_ns, now);
    return true;
}
