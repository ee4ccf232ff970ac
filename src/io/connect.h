/* Connecting by name: RFC 8305 over connections of the endpoint.
 *
 * An attempt looks its host up, orders the addresses so that the families alternate (§4), and
 * starts a try, which is one connection, every 250 ms (§5), as soon as all before have failed, or
 * when ICMP says that one of them will. The first try that is established wins; the others are
 * aborted. The program sees one event. The table from connections to tries answers whether an event
 * belongs to an attempt. */
#ifndef SKUA_IO_CONNECT_H
#define SKUA_IO_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua_ev.h>

#include "base/list.h"

struct skua_try;

enum {
    SKUA_CONNECT_BUCKETS = 256,
    SKUA_CONNECT_REASON = 512, /* room for an event's `reason` */
};

struct skua_connector {
    struct skua_ev *ev;                             /* whose it is */
    struct skua_node attempts;                      /* all, oldest first */
    struct skua_node waiting;                       /* those with a next try, soonest first */
    struct skua_node over;                          /* failed, not yet told */
    struct skua_try *buckets[SKUA_CONNECT_BUCKETS]; /* tries by connection */
    uint64_t last_id;                               /* number of the latest attempt */
    uint32_t count;                                 /* of attempts */
    char reason[SKUA_CONNECT_REASON];               /* of the last event made here */
};

void skua_connector_init(struct skua_connector *connector, struct skua_ev *ev);
/* Gives all attempts up. */
void skua_connector_deinit(struct skua_connector *connector);

/* When the next try is due; SKUA_NEVER = none. */
skua_time skua_connector_next(const struct skua_connector *connector);

/* Starts the tries that are due. */
void skua_connector_run(struct skua_connector *connector, skua_time now);

/* ICMP said that `remote` cannot be reached. Nobody vouches for that, so its try goes on; but what
 * waits for it need not wait any longer. */
void skua_connector_hint(struct skua_connector *connector, const struct skua_addr *remote);

/* The kernel refused a datagram of connection `conn` for good, with errno `error`. */
void skua_connector_refused(struct skua_connector *connector, skua_conn conn, int error);

/* Looks at an event of the endpoint. False where it is a try's and the program need not know; else
 * it may have been changed to tell the attempt's end. */
bool skua_connector_filter(struct skua_connector *connector, struct skua_event *event);

/* The next attempt that failed without an event of the endpoint to tell it by; false = none. */
bool skua_connector_poll(struct skua_connector *connector, struct skua_event *event);

#endif
