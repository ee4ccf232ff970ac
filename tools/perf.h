/* `skua perf`: what the command line comes to, for client and server. */
#ifndef SKUA_TOOLS_PERF_H
#define SKUA_TOOLS_PERF_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>
#include <skua/skua_ev.h>

#include "exit_codes.h"
#include "keys.h"
#include "perf_proto.h"

/* A test, or how to serve tests. Strings live as long as argv. */
struct skua_perf_plan {
    struct skua_secret_key secret; /* own key */
    uint8_t suites;                /* bit set of enum skua_suite; 0 = all */
    enum skua_controller controller; /* congestion control of what is sent */
    uint16_t mtu;                  /* largest UDP payload; 0 = the library's */
    bool no_offload;               /* no GSO, no GRO */
    bool copy;                     /* write, do not lend */
    uint32_t chunk;                /* bytes of each write */
    bool json, quiet;
    /* client */
    const char *host;
    uint16_t port;
    bool pinned;         /* `pin` is the key that the server must have */
    struct skua_key pin; /* else any will do */
    enum skua_perf_mode mode;
    uint16_t up, down;     /* streams; RR, DGRAM and CONNECT: `up` at a time */
    uint32_t exchange;     /* RR, DGRAM: bytes of a request and of a response */
    uint64_t amount;       /* bytes each way, exchanges or connections; 0 = until time_ns */
    skua_time time_ns;     /* how long; SKUA_NEVER where `amount` counts */
    skua_time interval_ns; /* 0 = no lines */
    /* server */
    const char *listen;
    bool once;
    bool allow_any;
    struct skua_key_list allowed;
};

/* An endpoint's and driver's settings for a plan; handlers are the caller's to add. */
void skua_perf_config(struct skua_ev_config *config, const struct skua_perf_plan *plan);

/* Run until the test is over, or until interrupted. Both report everything themselves. */
enum skua_exit skua_perf_client(const struct skua_perf_plan *plan);
enum skua_exit skua_perf_server(const struct skua_perf_plan *plan);

#endif
