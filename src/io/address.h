/* Addresses: between the API's form, the kernel's and text. */
#ifndef SKUA_IO_ADDRESS_H
#define SKUA_IO_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <skua/skua.h>

/* Writes `addr` in the kernel's form and returns its length; 0 where it has no family. */
socklen_t skua_address_to_kernel(struct sockaddr_storage *out, const struct skua_addr *addr);

/* Reads the kernel's form; family NONE for anything but IPv4 and IPv6. */
void skua_address_from_kernel(struct skua_addr *out, const struct sockaddr_storage *in);

/* Reads a numeric host without port and brackets, as "192.0.2.1" or "fe80::1%eth0", with `port`.
 * False for anything else, names included. */
bool skua_address_parse_host(struct skua_addr *out, const char *host, uint16_t port);

/* What an address to bind means. */
struct skua_bind_spec {
    struct skua_addr addr; /* where to; of a dual-stack one only the port counts */
    bool both;             /* ":port" or "*:port": the wildcard of both families */
};

/* Reads the forms of skua_ev_bind (skua_ev.h). */
bool skua_address_parse_bind(struct skua_bind_spec *out, const char *text);

/* Whether it is the wildcard address (0.0.0.0 or ::). */
bool skua_address_is_wildcard(const struct skua_addr *addr);

/* Whether it is one of this machine's own, which no packet from elsewhere has (127.0.0.0/8, ::1).
 */
bool skua_address_is_loopback(const struct skua_addr *addr);

/* AF_INET, AF_INET6 or AF_UNSPEC. */
int skua_address_kernel_family(const struct skua_addr *addr);

#endif
