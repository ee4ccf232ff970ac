/* Control messages (cmsg(3)) of a datagram socket: what travels beside the bytes.
 *
 * Out: segment size (UDP_SEGMENT), ECN bits (RFC 3168), source address (IP_PKTINFO,
 * IPV6_PKTINFO). In: segment size (UDP_GRO), ECN bits, destination address, and the count of
 * buffers, each a datagram or by UDP_GRO several, that the kernel dropped for want of room
 * (SO_RXQ_OVFL). */
#ifndef SKUA_IO_CONTROL_H
#define SKUA_IO_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <skua/skua.h>

/* Room for the control data of one message, aligned as the kernel wants it. */
struct skua_control {
    _Alignas(size_t) uint8_t bytes[192];
};

/* What to say about a message to send. */
struct skua_control_out {
    uint16_t segment_size;         /* bytes of one datagram; 0 = the message is one datagram */
    uint8_t ecn;                   /* ECN bits; 0 = nothing is said */
    uint8_t family;                /* enum skua_family of the socket */
    const struct skua_addr *local; /* source address, or NULL: the kernel chooses */
};

/* Writes it and returns the bytes used: msg_controllen; 0 where there is nothing to say. */
size_t skua_control_write(struct skua_control *control, const struct skua_control_out *out);

/* What the kernel said about a message received. */
struct skua_control_in {
    uint16_t segment_size;  /* bytes of one datagram; 0 = not said */
    uint8_t ecn;            /* ECN bits; 0 where not said */
    struct skua_addr local; /* destination address, port 0; family NONE where not said */
    bool has_drops;         /* `drops` was said */
    uint32_t drops;         /* buffers dropped since the socket was made, modulo 2^32 */
};

/* Reads the control data of a received message. */
void skua_control_read(struct skua_control_in *in, struct msghdr *message);

#endif
