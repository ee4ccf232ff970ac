/* The world: a virtual clock, hosts with one endpoint each, and links between them.
 *
 * Time passes only from event to event; events at the same instant come in the order in which they
 * were asked for. Each host runs a driver like libskua_ev's: take what arrived in batches (several
 * datagrams to a buffer where they fit, as with GRO), run timers, let the application work, end the
 * loan of the buffers (which are poisoned then), send until there is nothing to send. It wakes up
 * late, blocks, and has a limited interface, as it is told to. */
#ifndef SKUA_TESTS_SIM_WORLD_H
#define SKUA_TESTS_SIM_WORLD_H

#include <skua/skua.h>

#include "counts.h"
#include "heap.h"
#include "link.h"
#include "nat.h"
#include "oracle.h"
#include "rng.h"

enum { SIM_HOSTS_MAX = 4, SIM_SOCKETS_MAX = 4, SIM_PORT = 4000 };

struct sim_world;
struct sim_host;

struct sim_host_config {
    size_t max_segments;      /* GSO: 1 to 64 */
    size_t max_gro;           /* datagrams in one receive buffer at most; 1 = no GRO */
    size_t max_sends;         /* calls of send per turn */
    skua_time wake_delay;     /* a datagram waits up to so long for the driver */
    skua_time timer_delay;    /* timers fire up to so much late */
    uint32_t hold;            /* ppm per batch: the socket blocks ... */
    skua_time hold_time;      /* ... for up to this long */
    uint32_t interface_mtu;   /* larger ones are refused with EMSGSIZE; 0 = no limit */
    uint16_t max_udp_payload; /* as in struct skua_config */
    uint8_t suites;           /* as in struct skua_config */
};

/* What runs on a host. */
struct sim_program {
    void (*event)(struct sim_host *host, const struct skua_event *event);
    void (*turn)(
        struct sim_host *host); /* once per turn of the driver, after the events; may be NULL */
};

struct sim_host {
    struct sim_world *world;
    unsigned index;
    struct skua_endpoint *ep;
    struct skua_secret_key key;
    struct sim_host_config config;
    struct sim_program program;
    void *user; /* of the program */
    struct sim_heap heap;
    struct sim_rng rng;        /* the endpoint's randomness */
    struct sim_rng driver_rng; /* the driver's moods */
    struct sim_oracle oracle;
    struct sim_nat nat; /* between it and everybody else, where it is on */
    struct sim_datagram *in_first, *in_last;
    skua_time wake_at;     /* SKUA_NEVER = asleep */
    uint64_t wake_id;      /* of the event that is meant */
    skua_time held_till;   /* the socket blocks until then */
    unsigned mute;         /* bit i: what socket i sends is lost */
    skua_time asleep_till; /* suspended: takes no turn and hears nothing before */
    skua_time clock_lag;   /* its clock shows so much less than the world's */
    unsigned spins;        /* turns at one instant */
    skua_time spin_at;
    uint64_t turns;
    unsigned boots; /* of its process, so far */
    uint8_t *room;  /* for skua_endpoint_send */
    /* The program's look at the trace; may be NULL. */
    void (*observe)(void *arg, const struct skua_trace_event *event);
    void *observe_arg;
};

/* A test's own eyes and hands; members may be NULL. */
struct sim_tap {
    /* Something was traced. */
    void (*trace)(void *arg, struct sim_host *host, const struct skua_trace_event *event);
    /* So many datagrams are about to leave; what they carry has just been traced, in this order. */
    void (*batch)(void *arg, struct sim_host *from, size_t datagrams);
    /* One of them is on the link, and this will become of it, unless the tap changes it. */
    void (*sent)(void *arg, struct sim_host *from, const struct sim_datagram *datagram,
                 struct sim_fate *fate);
    /* The NAT in front of `to` lets it not pass. */
    void (*filtered)(void *arg, struct sim_host *to, const struct sim_datagram *datagram);
    void *arg;
};

typedef void (*sim_call)(void *arg);

struct sim_event;

struct sim_world {
    uint64_t seed;
    skua_time now;
    uint64_t order; /* events so far: breaks ties */
    struct sim_event *heap;
    size_t heap_len, heap_cap;
    unsigned hosts;
    struct sim_host host[SIM_HOSTS_MAX];
    struct sim_link link[SIM_HOSTS_MAX][SIM_HOSTS_MAX]; /* from, to */
    struct sim_rng rng;                                 /* the scenario's and the applications' */
    uint64_t counts[SIM_COUNTS];
    uint64_t hash; /* of everything that was traced */
    bool verbose;
    struct sim_tap tap;
    void *user;                            /* of the scenario */
    const char *replay;                    /* command that repeats this run */
    void (*dump)(struct sim_world *world); /* says more when something failed; may be NULL */
};

struct sim_world *sim_world_new(uint64_t seed);
void sim_world_free(struct sim_world *world);

/* One more host; its endpoint has a key of its own. `config` may be NULL: an ideal driver. */
struct sim_host *sim_world_host(struct sim_world *world, const struct sim_host_config *config,
                                const struct sim_program *program);
/* The process on the host is killed, without a packet, and started again, with the same key. */
void sim_host_restart(struct sim_host *host);
/* The host is suspended from now to `till`, like a laptop whose lid is closed: what arrives is
 * lost. Its clock goes on meanwhile, or stands still (CLOCK_MONOTONIC of Linux). */
void sim_host_suspend(struct sim_host *host, skua_time till, bool clock_goes_on);
/* The host's clock falls back by so much: less than 1,000 s in all, which is where it began. */
void sim_host_clock_back(struct sim_host *host, skua_time fall);
/* Both directions between two hosts. */
void sim_world_connect(struct sim_world *world, struct sim_host *a, struct sim_host *b,
                       const struct sim_link_config *config);
struct sim_link *sim_link_between(struct sim_host *from, struct sim_host *to);

/* Puts a NAT before the host; `config` may be NULL. Before anything is sent. */
void sim_host_nat(struct sim_host *host, const struct sim_nat_config *config);
/* Whom a datagram to `addr` reaches; NULL = nobody. A host has all of 10.*.*.INDEX+1; behind a NAT
 * it is reached by the NAT's address only. */
struct sim_host *sim_host_at(struct sim_world *world, const struct skua_addr *addr);

/* The address of a host's socket, and the path from one to another (which is not behind a NAT). */
struct skua_addr sim_addr(const struct sim_host *host, unsigned socket);
struct skua_path sim_path(const struct sim_host *from, unsigned socket, const struct sim_host *to);
/* The path from a socket to another, by the address that a NAT before it shows, if there is one. */
struct skua_path sim_path_seen(struct sim_host *from, unsigned socket, struct sim_host *to,
                               unsigned to_socket);

/* Calls `call` at `at`. */
void sim_at(struct sim_world *world, skua_time at, sim_call call, void *arg);
/* The host's driver takes a turn soon: an application asked for something. */
void sim_host_wake(struct sim_host *host, skua_time at);
/* A datagram from nowhere reaches `host` at `at`. */
void sim_inject(struct sim_host *host, const struct skua_addr *from, const struct skua_addr *to,
                const void *bytes, size_t len, skua_time at);

/* Runs until nothing is left to happen, or `until`; false when time ran out first. */
bool sim_run(struct sim_world *world, skua_time until);

/* Reports a failure with all that is known, and aborts: fuzzers and debuggers stop there. */
_Noreturn void sim_fail(struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define SIM_CHECK(world, condition)                                                                \
    ((condition) ? (void)0 : sim_fail(world, "%s:%d: not so: %s", __FILE__, __LINE__, #condition))

#endif
