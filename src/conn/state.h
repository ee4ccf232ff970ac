/* TCP's states as a table: what happens to a connection, by name, and which state follows. */
#ifndef SKUA_CONN_STATE_H
#define SKUA_CONN_STATE_H

#include <skua/skua.h>

/* What can happen. */
enum skua_state_event {
    SKUA_ON_CONNECT,   /* the application asks to connect: SYN will be sent */
    SKUA_ON_SYN_ACK,   /* client: an authentic SYN_ACK from a trusted key */
    SKUA_ON_EARLY,     /* server: a SYN's early data are taken */
    SKUA_ON_CONFIRMED, /* server: an authentic third packet */
    SKUA_ON_SHUTDOWN,  /* the application sends no more: FIN will be sent */
    SKUA_ON_FIN_ACKED, /* FIN_ACK: the peer has our FIN and every byte it counts */
    SKUA_ON_PEER_FIN,  /* the peer's FIN and every byte it counts are here */
    SKUA_ON_ABORT,     /* RST either way, a timeout, an error */
    SKUA_STATE_EVENTS  /* how many */
};

/* The state that follows `event` in `state`: `state` itself where the table says nothing. */
enum skua_state skua_state_next(enum skua_state state, enum skua_state_event event);

/* May application data still be written (our FIN not asked for)? */
bool skua_state_can_send(enum skua_state state);

#endif
