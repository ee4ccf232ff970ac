/* The signals that end a command in order: SIGINT, SIGTERM, and SIGHUP, by which a terminal that is
 * closed ends what runs in it. A closed terminal may send two, its shell's and the kernel's, less
 * than a millisecond apart: who has something to clean up ends the watch after that. */
#ifndef SKUA_TOOLS_STOP_SIGNALS_H
#define SKUA_TOOLS_STOP_SIGNALS_H

#include <stddef.h>

#include <ev.h>

struct skua_stop_signals {
    ev_signal watchers[3];
    size_t count; /* of `watchers` in use */
};

/* Calls `stop` on each, its watcher's `data` is `user`. A SIGHUP that is ignored, as nohup has it,
 * stays ignored. */
void skua_stop_signals_start(struct skua_stop_signals *signals, struct ev_loop *loop,
                             void (*stop)(struct ev_loop *, ev_signal *, int), void *user);
/* For cleaning up that may wait for a disk: SIGINT and SIGTERM kill again, SIGHUP does not. */
void skua_stop_signals_insist(struct skua_stop_signals *signals, struct ev_loop *loop);
/* The signals kill again. Does nothing where `signals` is all zero. */
void skua_stop_signals_end(struct skua_stop_signals *signals, struct ev_loop *loop);

#endif
