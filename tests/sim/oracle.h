/* What must hold at every moment, whatever the network does. One per host; fed by the trace sink
 * and by the driver.
 *
 *   - packet numbers of a connection only grow (no nonce twice under one key), in every key phase
 *   - a server sends at most three times what an unproven address has sent
 *   - bytes in flight stay within the congestion window, but for probes
 *   - states change only as conn/state.def says
 *   - memory stays within what the limits allow
 *   - the internal invariants of streams, recovery, path MTU and keys */
#ifndef SKUA_TESTS_SIM_ORACLE_H
#define SKUA_TESTS_SIM_ORACLE_H

#include <skua/skua.h>

struct sim_host;

struct sim_known {
    uint64_t handle;  /* 0 = empty */
    uint64_t next_pn; /* least that may be sent next */
    uint64_t state;   /* enum skua_state */
    uint64_t packets; /* sent */
};

/* An address of somebody else's. */
struct sim_place {
    struct skua_addr addr; /* family NONE = empty */
    uint64_t in, out;      /* bytes */
    bool proven;           /* a connection from there has been authenticated, or we called it */
};

struct sim_oracle {
    struct sim_known *known; /* hash table of connections by handle */
    size_t known_cap, known_count;
    struct sim_place *places; /* hash table of the addresses of others */
    size_t place_cap, place_count;
    uint64_t memory_base; /* of the idle endpoint */
    uint64_t memory_max;  /* most it may use; 0 = not checked */
    uint64_t transitions; /* seen */
};

/* The sink for a host's endpoint. */
struct skua_trace sim_oracle_sink(struct sim_host *host);
/* The endpoint is another one now: handles of the old mean nothing. */
void sim_oracle_forget(struct sim_oracle *oracle);
void sim_oracle_deinit(struct sim_oracle *oracle);
/* `len` bytes came from, or go to, `peer`. */
void sim_oracle_received(struct sim_host *host, const struct skua_addr *peer, size_t len);
void sim_oracle_sent(struct sim_host *host, const struct skua_addr *peer, size_t len);
/* The address is proven to be the peer's. */
void sim_oracle_proven(struct sim_host *host, const struct skua_addr *peer);
/* What tells a client's attempt from all others: of the id that it chose for its SYN. The same at a
 * server, where its early data have just made a connection. */
uint64_t sim_oracle_call(const struct sim_host *host, uint64_t conn);
/* After a turn of the driver; `deep` also runs the core's own invariant checks. */
void sim_oracle_turn(struct sim_host *host, bool deep);

#endif
