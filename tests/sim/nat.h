/* A NAT in front of a host (RFC 4787): what the host sends shows the NAT's address and a port of
 * the NAT's, and what comes back finds its way only while that mapping lives.
 *
 * Mappings are made by what the host sends, or by asking for one, as a STUN server would tell it.
 * A datagram from outside passes only if the socket has sent to that address and port before
 * ("port restricted"), unless the NAT is `open`. sim_nat_rebind forgets all mappings, as after a
 * restart or a change of provider. */
#ifndef SKUA_TESTS_SIM_NAT_H
#define SKUA_TESTS_SIM_NAT_H

#include <skua/skua.h>

enum { SIM_NAT_MAPPINGS = 16, SIM_NAT_PEERS = 8 };

struct sim_datagram;

struct sim_nat_config {
    bool symmetric; /* a mapping for each address sent to, not one for each socket */
    bool open;      /* no filter: whoever knows the mapping gets through */
};

struct sim_nat_mapping {
    struct skua_addr inner;                /* the host's socket; family NONE = not in use */
    struct skua_addr outer;                /* what others see */
    struct skua_addr remote;               /* symmetric: the only one it is for */
    struct skua_addr peers[SIM_NAT_PEERS]; /* sent to: a ring of the newest */
    unsigned peer_count;                   /* so far */
};

struct sim_nat {
    bool on;
    struct sim_nat_config config;
    uint8_t index;        /* last byte of its addresses: the host's number + 1 */
    uint8_t generation;   /* of its address: counts changes */
    uint16_t next_port;   /* of the next mapping */
    unsigned next;        /* mapping to reuse where all are taken */
    uint64_t rebindings;  /* so far */
    skua_time dropped_at; /* when something was last not let in */
    struct sim_nat_mapping mappings[SIM_NAT_MAPPINGS];
};

void sim_nat_init(struct sim_nat *nat, unsigned host, const struct sim_nat_config *config);
/* Forgets every mapping; new ones have other ports, and where `address` another address. */
void sim_nat_rebind(struct sim_nat *nat, bool address);
/* What `remote` sees as the address of `inner`; the mapping is made where there is none. */
struct skua_addr sim_nat_outer(struct sim_nat *nat, const struct skua_addr *inner,
                               const struct skua_addr *remote);
/* A datagram that leaves: its source becomes the NAT's. */
void sim_nat_out(struct sim_nat *nat, struct sim_datagram *d);
/* A datagram that comes in: its destination becomes the host's; false where it is dropped. */
bool sim_nat_in(const struct sim_nat *nat, struct sim_datagram *d);
/* The number of the host whose NAT has this address; UINT_MAX for all others. */
unsigned sim_nat_host_of(const struct skua_addr *addr);

#endif
