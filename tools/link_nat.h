/* The link emulator's flows: what a NAT's table is.
 *
 * Each client address gets a socket of its own towards the server, so that the server sees as many
 * clients as there are. A rebinding gives a flow a fresh socket, hence another source port, and
 * what still arrives at the old one is thrown away in silence, as a NAT would. Flows without
 * packets for a while are forgotten. */
#ifndef SKUA_TOOLS_LINK_NAT_H
#define SKUA_TOOLS_LINK_NAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "link_socket.h"

/* Flows at a time; a client beyond it is not served until an old flow expires. */
#define SKUA_LINK_FLOWS 1024

/* Ports given up and still kept silent, in all; beyond it the oldest is closed. */
#define SKUA_LINK_SILENCED 512

/* How long a port that was given up stays silent: longer than a peer keeps sending to it. */
#define SKUA_LINK_SILENCE_NS (60 * SKUA_SEC)

/* "No flow". */
#define SKUA_LINK_NO_FLOW UINT32_MAX

/* One client. */
struct skua_link_flow {
    struct skua_link_addr client; /* its address as the emulator sees it */
    int fd;                       /* socket towards the server, -1 = unused entry */
    uint32_t next;                /* next flow with the same hash, or SKUA_LINK_NO_FLOW */
    uint32_t overflow;            /* last count of drops that `fd` reported */
    uint64_t under_way;           /* its packets in the two queues */
    uint64_t newest[2];           /* per direction: largest packet number delivered, plus 1 */
    skua_time used;               /* when a packet was last seen */
};

/* A socket before a rebinding: bound, never read. */
struct skua_link_silenced {
    int fd;
    skua_time since; /* time of the rebinding */
};

/* The table. */
struct skua_link_nat {
    struct skua_link_addr server; /* where flows lead to */
    struct skua_link_addr source; /* where they come from; len 0 = the kernel's choice */
    int epoll;                    /* sockets of flows are registered here */
    uint32_t buckets[256];        /* first flow by hash of the client's address */
    uint32_t recent;              /* the flow found last */
    uint32_t count;               /* flows in use */
    uint64_t refused;             /* packets of clients beyond the limit */
    uint64_t rebindings;          /* fresh sockets given to flows */
    struct skua_link_flow flows[SKUA_LINK_FLOWS];           /* by index */
    struct skua_link_silenced silenced[SKUA_LINK_SILENCED]; /* ring, oldest at silenced_head */
    size_t silenced_head;
    size_t silenced_count;
};

/* Prepares an empty table. `epoll` stays the caller's; its events carry base + flow index, where
 * base is SKUA_LINK_EVENT_FLOW. */
void skua_link_nat_init(struct skua_link_nat *nat, const struct skua_link_addr *server, int epoll);
void skua_link_nat_deinit(struct skua_link_nat *nat);
#define SKUA_LINK_EVENT_FLOW 16

/* The flow of a client, made where there is none; SKUA_LINK_NO_FLOW at the limit or where no socket
 * could be made (counted as refused). */
uint32_t skua_link_nat_find(struct skua_link_nat *nat, const struct skua_link_addr *client,
                            skua_time now);
/* Fresh sockets come from this address of the machine's from now on; its port is 0. */
void skua_link_nat_move(struct skua_link_nat *nat, const struct skua_link_addr *source);
/* Gives every flow a fresh socket. */
void skua_link_nat_rebind(struct skua_link_nat *nat, skua_time now);
/* Forgets flows unused since `limit` before now and without packets under way, and closes ports
 * that were silent for long enough. */
void skua_link_nat_expire(struct skua_link_nat *nat, skua_time limit, skua_time now);

#endif
