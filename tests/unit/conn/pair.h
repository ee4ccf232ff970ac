/* Two endpoints, a client and a server, joined by two lines in virtual time.
 *
 * A line delivers every datagram after `delay`, unless `drop` says otherwise. Each datagram arrives
 * in memory of its own that is overwritten when its loan ends, so that whatever still points there
 * is found out. A run fails where an endpoint asks to be called again and again without the time
 * going on. */
#ifndef SKUA_TESTS_CONN_PAIR_H
#define SKUA_TESTS_CONN_PAIR_H

#include "unit.h"

#include "conn/internal.h"
#include "endpoint/endpoint.h"

enum { CLIENT, SERVER };

struct datagram;

/* One of the two hosts. */
struct host {
    struct skua_endpoint *ep;
    struct skua_secret_key key;               /* the endpoint's */
    skua_conn conn;                           /* its connection, 0 before it knows of one */
    unsigned events[SKUA_EVENT_TYPES];        /* polled so far, by type */
    struct skua_event closed;                 /* the last CLOSED; `reason` is not kept */
    struct skua_event seen[SKUA_EVENT_TYPES]; /* the last of each type; likewise */
    skua_time at[SKUA_EVENT_TYPES];           /* when that was */
    skua_stream stream;                       /* the last stream that the peer opened */
    uint64_t sent;                            /* datagrams that left, dropped ones included */
    uint64_t out, failed;                     /* allocations that live; that failed */
    int64_t fail_after;                       /* allocations until all fail; below 0 = never */
    bool fail_once;                           /* only the one, not all after it */
};

struct pair {
    struct host host[2];
    skua_time now;
    skua_time delay; /* one way */
    size_t cap;      /* largest tx offered; 0 = 65,507 */
    size_t mtu;      /* larger datagrams vanish */
    bool no_accept;  /* INCOMING is left unanswered */
    bool no_poll[2]; /* events are left where they are */
    bool (*drop)(struct pair *pair, int from, const uint8_t *data, size_t len);
    void *user;              /* for `drop` */
    struct skua_path way[2]; /* the path along which each host's datagrams reach the other one */
    bool strict;     /* what the server sends along another path than the client's vanishes */
    uint64_t astray; /* bytes of that */
    uint64_t seed;   /* of everything random */
    struct datagram *first, *last;
};

void pair_open(struct pair *pair);
/* The process of `host` is killed and started again with the same key; it does not listen yet. */
void pair_restart(struct pair *pair, int host);
/* Frees both endpoints and checks that all memory came back. */
void pair_close(struct pair *pair);
void pair_listen(struct pair *pair, const struct skua_listen_config *config);
/* Either side connects to the other. */
enum skua_err pair_dial(struct pair *pair, int from, const struct skua_conn_config *config);
/* The client connects to the server; nothing is sent yet. `config` may be NULL. */
skua_conn pair_connect(struct pair *pair, const struct skua_conn_config *config);
/* Listens, connects and runs until both know of the connection. */
void pair_establish(struct pair *pair, const struct skua_conn_config *client,
                    const struct skua_listen_config *server);

/* Lets time pass until `pair->now + length`. */
void pair_run(struct pair *pair, skua_time length);
/* The steps of a run, one by one: what is ready to leave `from` leaves; events of `at` are polled;
 * what has arrived by now is taken in. */
void pair_send(struct pair *pair, int from);
void pair_poll(struct pair *pair, int at);
void pair_arrive(struct pair *pair);
/* Hands `len` bytes to host `to` as if they came from the other one. */
void pair_inject(struct pair *pair, int to, const uint8_t *data, size_t len);
/* ... or along any path. */
void pair_inject_along(struct pair *pair, int to, const struct skua_path *path, const uint8_t *data,
                       size_t len);

/* What the endpoint of a host counts; how many datagrams met with `verdict` there. */
struct skua_endpoint_stats pair_stats(struct pair *pair, int at);
uint64_t pair_verdicts(struct pair *pair, int at, enum skua_verdict verdict);

/* The connection behind a host's handle. */
struct skua_connection *pair_conn(struct pair *pair, int host);
/* A packet of the connection of `from` with exactly these frames, handed to the other side. */
void pair_forge(struct pair *pair, int from, const uint8_t *frames, size_t len);

#endif
