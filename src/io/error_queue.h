/* The error queue of a socket (IP_RECVERR, ip(7)): what ICMP said about datagrams sent.
 *
 * An ICMP message also becomes a pending error, which the next send or receive on the socket
 * returns instead of doing its work, whatever peer that call was for. So an errno that ICMP can
 * cause means first of all: read this queue, and try again. */
#ifndef SKUA_IO_ERROR_QUEUE_H
#define SKUA_IO_ERROR_QUEUE_H

#include <stdint.h>

#include <skua/skua.h>

#include "io/socket.h"

/* Who wants to know: `remote` is where the datagram had been sent to, `error` the errno value that
 * stands for the message (ECONNREFUSED: port unreachable). */
struct skua_icmp_sink {
    void (*icmp)(void *user, const struct skua_socket *sock, const struct skua_addr *remote,
                 int error);
    void *user;
};

/* Empties the queue (64 messages at most per call) and returns how many messages came from the
 * network; the kernel's own reports about the caller's sends are dropped, since the send returned
 * the same errno. */
unsigned skua_error_queue_drain(const struct skua_socket *sock, const struct skua_sys *sys,
                                const struct skua_icmp_sink *sink);

#endif
