/* The link emulator at work: sockets, timers and the two directions (link_model.h), in one thread.
 *
 * Datagrams from clients go up to the server, each client by a socket of its own (link_nat.h);
 * answers come down through the listening socket. */
#ifndef SKUA_TOOLS_LINK_RUN_H
#define SKUA_TOOLS_LINK_RUN_H

#include <stdint.h>

#include <skua/skua.h>

#include "link_model.h"
#include "link_socket.h"

/* The two directions: index of every pair below. */
enum { SKUA_LINK_UP, SKUA_LINK_DOWN, SKUA_LINK_DIRS };

/* What to emulate. */
struct skua_link_setup {
    struct skua_link_addr listen;                   /* where clients send to; port 0 = any */
    struct skua_link_addr server;                   /* where their packets go */
    struct skua_link_params params[SKUA_LINK_DIRS]; /* the link */
    uint64_t seed;                                  /* of all random decisions */
    uint64_t rebind_every_ns;                       /* fresh source ports this often; 0 = never */
    struct skua_link_addr move_to;                  /* another source address; len 0 = never */
    uint64_t move_after_ns;                         /* when it is taken, from the start */
    uint64_t flow_timeout_ns;                       /* silence after which a client is forgotten */
    uint64_t memory_bytes;                          /* most for packets under way */
};

/* What happened. */
struct skua_link_result {
    struct skua_link_counts counts[SKUA_LINK_DIRS];
    uint64_t under_way[SKUA_LINK_DIRS]; /* accepted, not yet delivered at the end */
    uint64_t flows;                     /* clients known at the end */
    uint64_t flows_refused;             /* packets of clients beyond the limit */
    uint64_t rebindings;                /* fresh source ports */
    skua_time duration_ns;              /* from start to end */
};

/* Prints "listening ADDR:PORT" on stdout and runs until SIGINT or SIGTERM. Returns one of enum
 * skua_exit; an error is one line on stderr. */
int skua_link_run(const struct skua_link_setup *setup, struct skua_link_result *result);

#endif
