/* What tests of the driver share: two of them in one loop, over real sockets. The server sends back
 * what the client sends, or does what the test's own handlers say. What the client runs on can be
 * made to fail; a watchdog ends a test whose loop does not come to an end. */
#ifndef SKUA_TESTS_EV_SIDES_H
#define SKUA_TESTS_EV_SIDES_H

#include "unit.h"

#include <ev.h>

#include <skua/skua_ev.h>

#include "io/sys.h"

enum { BULK = 3 << 20 };

/* One side of a test. */
struct side {
    struct skua_ev *ev;
    unsigned incoming, established, finished, closed;
    struct skua_event last; /* the latest `closed` */
    char reason[512];       /* its text */
    skua_conn conn;
    size_t sent, got; /* bytes of the bulk transfer */
    uint64_t mtu;     /* of the connection at its end */
    bool wrong;       /* a byte that does not belong there */
};

extern struct ev_loop *loop;
extern struct side server;
extern struct side client;
extern struct skua_sys sys;        /* what the client runs on */
extern struct skua_addr listening; /* the server's first socket */

/* For every test; a test that wants a second pair calls both in between. */
int sides_setup(void **state);
int sides_teardown(void **state);

/* Note what the side has seen. */
void sides_on_established(struct skua_ev *ev, const struct skua_event *event);
void sides_on_closed(struct skua_ev *ev, const struct skua_event *event);

extern const struct skua_ev_handlers sides_echo;  /* a server that sends back what it gets */
extern const struct skua_ev_handlers sides_bulk;  /* a client that sends BULK bytes, and compares */
extern const struct skua_ev_handlers sides_quiet; /* a client that only notes what it sees */

/* The byte at `offset` of the bulk transfer. */
uint8_t sides_byte_at(size_t offset);

void sides_make(struct side *side, const struct skua_ev_handlers *handlers,
                const struct skua_sys *on, bool no_offload);
/* A server that listens at `address`. */
void sides_serve(const struct skua_ev_handlers *handlers, const char *address);
/* A server at 127.0.0.1 with handlers `serves`; a client with `calls` has begun to connect to it.
 */
void sides_join(const struct skua_ev_handlers *serves, const struct skua_ev_handlers *calls);
/* The whole echo of BULK bytes; ev_run returns by itself when both sides are done. */
void sides_transfer(const char *address, const char *host, bool no_offload);
/* Runs the loop for so long, or until nothing holds it. */
void sides_run_for(double seconds);

#endif
