/* See nat.h. Addresses of NATs are 198.51.GENERATION.HOST. */
#include "nat.h"

#include <limits.h>
#include <string.h>

#include "base/addr.h"
#include "link.h"

enum { FIRST_PORT = 20000 };

void sim_nat_init(struct sim_nat *nat, unsigned host, const struct sim_nat_config *config)
{
    *nat = (struct sim_nat){.on = true, .index = (uint8_t)(host + 1), .next_port = FIRST_PORT};
    if (config != NULL) {
        nat->config = *config;
    }
}

void sim_nat_rebind(struct sim_nat *nat, bool address)
{
    memset(nat->mappings, 0, sizeof nat->mappings);
    nat->generation = (uint8_t)(nat->generation + address);
    nat->rebindings++;
}

unsigned sim_nat_host_of(const struct skua_addr *addr)
{
    return addr->family == SKUA_FAMILY_IPV4 && addr->ip[0] == 198 && addr->ip[1] == 51
               ? addr->ip[3] - 1u
               : UINT_MAX;
}

static struct sim_nat_mapping *find(struct sim_nat *nat, const struct skua_addr *inner,
                                    const struct skua_addr *remote)
{
    for (unsigned i = 0; i < SIM_NAT_MAPPINGS; i++) {
        struct sim_nat_mapping *m = &nat->mappings[i];
        if (skua_addr_equal(&m->inner, inner) &&
            (!nat->config.symmetric || skua_addr_equal(&m->remote, remote))) {
            return m;
        }
    }
    return NULL;
}

static struct sim_nat_mapping *find_or_make(struct sim_nat *nat, const struct skua_addr *inner,
                                            const struct skua_addr *remote)
{
    struct sim_nat_mapping *m = find(nat, inner, remote);
    if (m == NULL) {
        m = &nat->mappings[nat->next++ % SIM_NAT_MAPPINGS];
        *m = (struct sim_nat_mapping){.inner = *inner, .remote = *remote};
        m->outer = (struct skua_addr){.family = SKUA_FAMILY_IPV4,
                                      .port = nat->next_port++,
                                      .ip = {198, 51, nat->generation, nat->index}};
        nat->next_port = nat->next_port < FIRST_PORT ? FIRST_PORT : nat->next_port;
    }
    return m;
}

static bool knows_peer(const struct sim_nat_mapping *m, const struct skua_addr *remote)
{
    unsigned n = m->peer_count < SIM_NAT_PEERS ? m->peer_count : SIM_NAT_PEERS;
    for (unsigned i = 0; i < n; i++) {
        if (skua_addr_equal(&m->peers[i], remote)) {
            return true;
        }
    }
    return false;
}

struct skua_addr sim_nat_outer(struct sim_nat *nat, const struct skua_addr *inner,
                               const struct skua_addr *remote)
{
    return find_or_make(nat, inner, remote)->outer;
}

void sim_nat_out(struct sim_nat *nat, struct sim_datagram *d)
{
    struct sim_nat_mapping *m = find_or_make(nat, &d->from, &d->to);
    if (!knows_peer(m, &d->to)) {
        m->peers[m->peer_count++ % SIM_NAT_PEERS] = d->to;
    }
    d->from = m->outer;
}

bool sim_nat_in(const struct sim_nat *nat, struct sim_datagram *d)
{
    for (unsigned i = 0; i < SIM_NAT_MAPPINGS; i++) {
        const struct sim_nat_mapping *m = &nat->mappings[i];
        if (m->inner.family != SKUA_FAMILY_NONE && skua_addr_equal(&m->outer, &d->to)) {
            d->to = m->inner;
            return nat->config.open || knows_peer(m, &d->from);
        }
    }
    return false;
}
