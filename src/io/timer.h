/* The one timer of a driver: an absolute timerfd of CLOCK_MONOTONIC.
 *
 * An ev_timer below a millisecond fires up to a millisecond late, this one within about 40 us.
 * Setting it costs a system call, so it is set again only when the deadline comes earlier: a timer
 * that fires before the present deadline is recognised by whoever is called too early, and set
 * again then. */
#ifndef SKUA_IO_TIMER_H
#define SKUA_IO_TIMER_H

#include <stdbool.h>

#include <skua/skua.h>

#include "io/sys.h"

struct skua_timer {
    int fd;          /* -1 = none */
    skua_time armed; /* when it will fire; SKUA_NEVER = not armed */
};

/* False with errno where the system has none to give. */
bool skua_timer_open(struct skua_timer *timer, const struct skua_sys *sys);
void skua_timer_close(struct skua_timer *timer, const struct skua_sys *sys);

/* Makes it fire at `deadline` or before. `*calls` counts the system calls. False where the kernel
 * refused: the caller must look at the clock itself. */
bool skua_timer_arm(struct skua_timer *timer, const struct skua_sys *sys, skua_time deadline,
                    uint64_t *calls);

/* It has become readable: takes that back. */
void skua_timer_fired(struct skua_timer *timer, const struct skua_sys *sys);

/* The present time. */
skua_time skua_clock_now(const struct skua_sys *sys);

#endif
