/* Roaming: what the driver does when an address of this machine goes away, as when a laptop leaves
 * a network.
 *
 * Packets from a wildcard socket leave with whatever source address the kernel has at the time. So
 * a connection survives as it does behind a NAT that forgets, but neither side knows why: the
 * client keeps a congestion window that belongs to another network and an id by which both networks
 * can be connected, and one that only receives says nothing at all. Therefore the driver looks,
 * when there is a sign, whether the addresses in use are still there, and hands the connections of
 * those that are gone to another socket (skua_conn_migrate).
 *
 * Signs: the kernel's notices about addresses and routes (rtnetlink), which are not read but only
 * counted on; refusals to send; a path that was tried in vain. Signs are cheap to miss and cheap to
 * have for nothing: there is at most one look in 100 ms, and without a sign none.
 *
 * Left alone: sockets that the program bound to one address, connections that it gave a local
 * address, accepted connections, handshakes (whose repeats the kernel sends from where it can). */
#ifndef SKUA_IO_ROAM_H
#define SKUA_IO_ROAM_H

#include <ev.h>
#include <stdbool.h>

#include <skua/skua_ev.h>

struct skua_roam {
    struct skua_ev *ev;  /* whose it is */
    struct ev_io reader; /* on the netlink socket; stopped from a sign until the look */
    int fd;              /* netlink socket; -1 = none: not yet, or the kernel gives none */
    bool watching;       /* there may be connections to move: signs count */
    bool due;            /* there was a sign since the last look */
    skua_time next_at;   /* no look before */
};

void skua_roam_init(struct skua_roam *roam, struct skua_ev *ev);
void skua_roam_deinit(struct skua_roam *roam);

/* There is a socket that may be left one day: signs count from now on, and the kernel is asked for
 * its notices. Endpoints that only listen never look. */
void skua_roam_watch(struct skua_roam *roam);

/* The kernel refused a datagram with `error`. */
void skua_roam_on_error(struct skua_roam *roam, int error);
/* An event of a connection. */
void skua_roam_on_event(struct skua_roam *roam, const struct skua_event *event);

/* When skua_roam_run has something to do; SKUA_NEVER. */
skua_time skua_roam_next(const struct skua_roam *roam);
/* Looks, if it is due. */
void skua_roam_run(struct skua_roam *roam, skua_time now);

#endif
