/* Conversion and parsing of addresses: see address.h. */
#include "io/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include <skua/skua_ev.h>

int skua_address_kernel_family(const struct skua_addr *addr)
{
    if (addr->family == SKUA_FAMILY_IPV4) {
        return AF_INET;
    }
    return addr->family == SKUA_FAMILY_IPV6 ? AF_INET6 : AF_UNSPEC;
}

socklen_t skua_address_to_kernel(struct sockaddr_storage *out, const struct skua_addr *addr)
{
    if (addr->family == SKUA_FAMILY_IPV4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
        memcpy(&in.sin_addr, addr->ip, sizeof in.sin_addr);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    if (addr->family == SKUA_FAMILY_IPV6) {
        struct sockaddr_in6 in = {
            .sin6_family = AF_INET6, .sin6_port = htons(addr->port), .sin6_scope_id = addr->scope};
        memcpy(&in.sin6_addr, addr->ip, sizeof in.sin6_addr);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    return 0;
}

void skua_address_from_kernel(struct skua_addr *out, const struct sockaddr_storage *in)
{
    memset(out, 0, sizeof *out);
    if (in->ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, in, sizeof v4);
        out->family = SKUA_FAMILY_IPV4;
        out->port = ntohs(v4.sin_port);
        memcpy(out->ip, &v4.sin_addr, sizeof v4.sin_addr);
    } else if (in->ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, in, sizeof v6);
        out->family = SKUA_FAMILY_IPV6;
        out->port = ntohs(v6.sin6_port);
        out->scope = v6.sin6_scope_id;
        memcpy(out->ip, &v6.sin6_addr, sizeof v6.sin6_addr);
    }
}

bool skua_address_is_wildcard(const struct skua_addr *addr)
{
    static const uint8_t zero[sizeof addr->ip];
    return memcmp(addr->ip, zero, sizeof zero) == 0;
}

bool skua_address_is_loopback(const struct skua_addr *addr)
{
    static const uint8_t one[sizeof addr->ip] = {[sizeof addr->ip - 1] = 1};
    return addr->family == SKUA_FAMILY_IPV4 ? addr->ip[0] == 127
                                            : memcmp(addr->ip, one, sizeof one) == 0;
}

/* Decimal digits only, at most `max`. */
static bool parse_number(const char *text, uint32_t max, uint32_t *out)
{
    uint64_t value = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > max) {
            return false;
        }
    }
    *out = (uint32_t)value;
    return true;
}

bool skua_address_parse_host(struct skua_addr *out, const char *host, uint16_t port)
{
    char text[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
    memset(out, 0, sizeof *out);
    size_t len = strlen(host);
    if (len == 0 || len >= sizeof text) {
        return false;
    }
    memcpy(text, host, len + 1);
    out->port = port;
    if (inet_pton(AF_INET, text, out->ip) == 1) {
        out->family = SKUA_FAMILY_IPV4;
        return true;
    }
    char *zone = strchr(text, '%');
    if (zone != NULL) {
        *zone++ = '\0';
        out->scope = if_nametoindex(zone);
        if (out->scope == 0 && (!parse_number(zone, UINT32_MAX, &out->scope) || out->scope == 0)) {
            memset(out, 0, sizeof *out);
            return false;
        }
    }
    if (inet_pton(AF_INET6, text, out->ip) != 1) {
        memset(out, 0, sizeof *out);
        return false;
    }
    out->family = SKUA_FAMILY_IPV6;
    return true;
}

bool skua_address_parse_bind(struct skua_bind_spec *out, const char *text)
{
    char host[SKUA_ADDR_TEXT_LEN];
    uint32_t port;
    memset(out, 0, sizeof *out);
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !parse_number(colon + 1, UINT16_MAX, &port)) {
        return false;
    }
    size_t len = (size_t)(colon - text);
    if (len == 0 || (len == 1 && text[0] == '*')) {
        out->both = true;
        out->addr.port = (uint16_t)port;
        return true;
    }
    bool brackets = text[0] == '[';
    if (brackets) {
        if (len < 2 || text[len - 1] != ']') {
            return false;
        }
        text++;
        len -= 2;
    }
    if (len >= sizeof host) {
        return false;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    if (!skua_address_parse_host(&out->addr, host, (uint16_t)port)) {
        return false;
    }
    /* Without brackets it would be a guess where an IPv6 address ends and the port begins. */
    return brackets == (out->addr.family == SKUA_FAMILY_IPV6);
}

enum skua_err skua_ev_addr_parse(struct skua_addr *out, const char *text)
{
    struct skua_bind_spec spec;
    memset(out, 0, sizeof *out);
    if (text == NULL || !skua_address_parse_bind(&spec, text) || spec.both) {
        return SKUA_EADDR;
    }
    *out = spec.addr;
    return SKUA_OK;
}
