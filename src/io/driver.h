/* The driver's insides, shared by its files: driver.c (life), turn.c (what happens in each turn of
 * the loop), driver_sockets.c (bind and listen), dispatch.c (events to handlers), connect.c
 * (attempts), roam.c (addresses that go).
 *
 * Whatever may call a handler runs between skua_ev_enter and skua_ev_leave: skua_ev_free inside
 * only marks the driver, and the outermost leave frees it. */
#ifndef SKUA_IO_DRIVER_H
#define SKUA_IO_DRIVER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include <skua/skua_ev.h>

#include "io/batch_recv.h"
#include "io/batch_send.h"
#include "io/connect.h"
#include "io/resolve.h"
#include "io/roam.h"
#include "io/socket.h"
#include "io/sys.h"
#include "io/timer.h"

struct skua_ev {
    const struct skua_sys *sys;       /* the kernel */
    struct ev_loop *loop;             /* the caller's */
    struct skua_endpoint *ep;         /* own */
    struct skua_alloc alloc;          /* where this struct and its buffers come from */
    struct skua_ev_handlers handlers; /* the caller's */
    void *user;                       /* the caller's */
    struct skua_socket_options socket_options;
    bool hold_time_wait;                          /* config */
    bool held;                                    /* the loop is kept alive by us */
    bool listening;                               /* the endpoint listens */
    bool busy;                                    /* there is more to do: the loop must not sleep */
    bool dying;                                   /* skua_ev_free was called */
    unsigned depth;                               /* of skua_ev_enter */
    int last_errno;                               /* skua_ev_errno */
    skua_time now;                                /* the last time given to the endpoint */
    struct skua_ev_stats stats;                   /* counters; the states are filled in on demand */
    uint32_t socket_count;                        /* open sockets: the first ones of `sockets` */
    struct skua_socket sockets[SKUA_MAX_SOCKETS]; /* fd -1 beyond the open ones */
    bool local_only[SKUA_MAX_SOCKETS];      /* listens on a loopback address: connections to other
                                               machines are not made from it */
    bool own[SKUA_MAX_SOCKETS];             /* opened by the driver, not by the program */
    struct ev_io readers[SKUA_MAX_SOCKETS]; /* always active while the socket is open */
    struct ev_io writers[SKUA_MAX_SOCKETS]; /* active while it is blocked */
    struct skua_timer timer;                /* the only one */
    struct ev_io timer_reader;              /* on it */
    struct ev_prepare prepare;              /* the loop turn's end */
    struct ev_check check;                  /* after the program's watchers of this turn */
    struct ev_idle again;                   /* active while `busy` */
    struct skua_resolver *resolver;         /* made with the first lookup; or NULL */
    struct skua_connector connector;
    struct skua_roam roam;
    struct skua_receiver receiver;
    struct skua_sender sender;
};

/* skua_ev_new on another kernel. */
enum skua_err skua_ev_new_on(struct skua_ev **out, struct ev_loop *loop,
                             const struct skua_ev_config *config, const struct skua_sys *sys);

void skua_ev_enter(struct skua_ev *ev);
/* The driver may be gone afterwards. */
void skua_ev_leave(struct skua_ev *ev);

/* Hands events to handlers until there is none, or skua_ev_free was called, or many have been
 * (`busy` is set then). False where there was none. */
bool skua_ev_dispatch(struct skua_ev *ev);

/* Keeps the loop alive as skua_ev.h promises, or lets it go. Each turn does it; so must what begins
 * something between two turns, as a callback of the program's may be the loop's last one. For calls
 * of the core, which do not come by here, an ev_check looks behind these callbacks. */
void skua_ev_update_hold(struct skua_ev *ev);

/* Watchers that do not keep the loop alive; both calls are idempotent. */
void skua_ev_start_io(struct skua_ev *ev, struct ev_io *watcher);
void skua_ev_stop_io(struct skua_ev *ev, struct ev_io *watcher);

/* The watchers of the turn itself; to stop those that were never started is nothing. */
void skua_ev_start_watchers(struct skua_ev *ev);
void skua_ev_stop_watchers(struct skua_ev *ev);

/* Sends what there is, as far as a turn may, and handles no event. */
void skua_ev_send(struct skua_ev *ev);

/* Watches socket `index`, which has just been opened. */
void skua_ev_watch_socket(struct skua_ev *ev, uint32_t index);
/* Closes the sockets from number `count` on. */
void skua_ev_drop_sockets(struct skua_ev *ev, uint32_t count);
/* The socket for connections to `remote`, opened where there is none. */
enum skua_err skua_ev_outgoing_socket(struct skua_ev *ev, const struct skua_addr *remote,
                                      uint32_t *index);
/* Another wildcard socket of its own than `index`, of the same family, for connections that leave
 * that one: with a fresh port where no connection is there (not in `taken`) and its address is
 * not known or gone too (in `lost`); as it is where it is fine; or a new one. */
enum skua_err skua_ev_other_socket(struct skua_ev *ev, uint32_t index, uint32_t lost,
                                   uint32_t taken, uint32_t *out);
/* The resolver, made where there is none. */
enum skua_err skua_ev_resolver(struct skua_ev *ev, struct skua_resolver **out);

#endif
