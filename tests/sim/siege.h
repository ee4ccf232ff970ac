/* What a random scenario does to the listener's door: RETRY in each mode, watermarks and queues
 * that are small, networks' shares, keys that are not wanted, floods of SYNs from elsewhere, and
 * early data. */
#ifndef SKUA_TESTS_SIM_SIEGE_H
#define SKUA_TESTS_SIM_SIEGE_H

#include "flood.h"

struct sim_siege {
    struct sim_flood flood;
    uint64_t flood_count; /* SYNs; 0 = none */
    uint64_t flood_rate;  /* per second */
    enum skua_retry_mode retry;
    uint32_t syn_backlog, retry_half_open, retry_handshakes, prefix_handshakes;
    uint32_t backlog; /* 0 = default */
    bool abort_on_overflow;
    bool shuts_out; /* whoever is honest may be kept out */
    bool bans;      /* `banned` is not wanted */
    struct skua_key banned;
    bool early;             /* early data are taken ... */
    skua_time early_window; /* ... with tokens that are so old at most; 0 = default */
    uint32_t early_backlog; /* ... from so many clients that have not answered; 0 = default */
    uint32_t least_mtu;     /* a path must carry at least this: a SYN with its token */
};

void sim_siege_draw(struct sim_siege *siege, struct sim_rng *rng);
/* Puts what was drawn into the listener's `config`; `siege` stays in place. */
void sim_siege_listen(struct sim_siege *siege, struct skua_listen_config *config);
/* The flood begins. */
void sim_siege_start(struct sim_siege *siege, struct sim_host *server);
/* What came of it, at the end. */
void sim_siege_count(const struct sim_host *server, uint64_t *counts);

#endif
