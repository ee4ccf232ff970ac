/* The server of `skua perf`: its state, and one session for each connection.
 *
 * A session does what its REQUEST says, within the limits of perf_proto.h, and keeps no time: the
 * client ends everything. A client that breaks the protocol loses its connection, and nobody else
 * notices. */
#ifndef SKUA_TOOLS_PERF_SESSION_H
#define SKUA_TOOLS_PERF_SESSION_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "perf.h"
#include "perf_flow.h"

struct skua_perf_session_lane;

struct skua_perf_session {
    struct skua_perf_session *next, **link; /* in the server's list */
    skua_conn conn;
    char name[SKUA_ADDR_TEXT_LEN]; /* the client's address */
    struct skua_perf_control control;
    bool requested; /* a REQUEST came and is valid */
    bool done;      /* the client's streams have all ended for it */
    bool told;      /* RESULT was sent */
    struct skua_perf_request request;
    struct skua_perf_session_lane *lanes; /* one per stream of the request, or NULL */
    uint16_t opened;                      /* streams that the client opened */
    uint16_t ended;                       /* of these at their end */
    struct skua_perf_in in;
    struct skua_perf_meter meter;
    uint64_t served_before; /* the server's count when the test began */
};

struct skua_perf_server {
    const struct skua_perf_plan *plan;
    struct ev_loop *loop;
    struct skua_ev *ev;
    struct skua_endpoint *ep;
    struct skua_perf_source source;
    struct skua_perf_session *sessions;
    uint64_t served; /* EXCHANGE connections answered */
    enum skua_exit code;
};

/* A session for a connection that is about to be accepted; NULL where memory is short. */
struct skua_perf_session *skua_perf_session_new(struct skua_perf_server *server, skua_conn conn);
void skua_perf_session_free(struct skua_perf_session *session);
/* The connection is gone: `why` goes to the user where a test was under way. Frees the session, and
 * with --once ends the loop. */
void skua_perf_session_end(struct skua_perf_server *server, struct skua_perf_session *session,
                           const char *why);

/* Events of the connection. The session may be gone afterwards. */
void skua_perf_session_stream(struct skua_perf_server *server, struct skua_perf_session *session,
                              skua_stream stream);
void skua_perf_session_readable(struct skua_perf_server *server, struct skua_perf_session *session,
                                const struct skua_event *event);
void skua_perf_session_writable(struct skua_perf_server *server, struct skua_perf_session *session,
                                const struct skua_event *event);

/* Datagrams came: perf_dgram.c. */
void skua_perf_session_datagram(struct skua_perf_server *server, struct skua_perf_session *session);

#endif
