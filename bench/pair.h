/* A server and a client endpoint of one process, joined without sockets in virtual time: what is
 * measured is the library alone.
 *
 * A datagram is sealed into a slot of a queue and opened there: nothing is copied in between. The
 * application on top is an echo service. The CPU time of the server's calls, and of nothing else,
 * is added up. */
#ifndef SKUA_BENCH_PAIR_H
#define SKUA_BENCH_PAIR_H

#include <skua/skua.h>

enum { BENCH_CLIENT, BENCH_SERVER };

/* Datagrams larger than this do not pass: the usual IPv4 path. */
enum { BENCH_MTU = 1472, BENCH_QUEUE = 2048, BENCH_CONNS_MAX = 1 << 20 };

/* Datagrams on their way to one host. */
struct bench_queue {
    struct skua_rx rx[BENCH_QUEUE];
    uint8_t (*slots)[BENCH_MTU];
    size_t count;
};

struct bench_host {
    struct skua_endpoint *ep;
    struct bench_queue inbox;
    uint64_t wakeups;     /* calls of on_timeout that a deadline asked for */
    uint64_t established; /* connections that were reported */
    uint64_t replied;     /* READABLE events of a client */
    uint64_t closed;      /* CLOSED events */
    uint64_t failed;      /* ... with an error */
};

struct bench_pair {
    struct bench_host host[2];
    skua_time now;
    skua_time delay;        /* one way */
    bool close_on_reply;    /* the client closes when the echo is there */
    uint64_t server_cpu_ns; /* CPU time of the server's calls */
    uint64_t server_turns;  /* how often it was measured */
    uint64_t clock_ns;      /* what measuring adds to each */
    struct skua_key server_key;
};

/* Both endpoints; the server listens under `config`. Ends the program where that fails. */
void bench_pair_open(struct bench_pair *pair, const struct skua_conn_config *config);
void bench_pair_close(struct bench_pair *pair);

/* A new connection with one stream on which `len` bytes are written. `config` may be NULL. */
skua_conn bench_pair_connect(struct bench_pair *pair, const struct skua_conn_config *config,
                             size_t len, skua_stream *stream);
/* One host takes in what has arrived, handles events, and sends into the other's inbox; false where
 * there was nothing to do. */
bool bench_pair_turn(struct bench_pair *pair, int who);
/* A turn of each. */
bool bench_pair_step(struct bench_pair *pair);
/* Lets time pass until `until`. */
void bench_pair_run(struct bench_pair *pair, skua_time until);
/* Steps until nothing moves; timers do not run. */
void bench_pair_flush(struct bench_pair *pair);

/* CPU time of this process. */
uint64_t bench_cpu_ns(void);
/* Ends the program with a message where `ok` is false. */
void bench_check(bool ok, const char *what);

#endif
