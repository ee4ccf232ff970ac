/* Control messages, written and read: see control.h. */
#include "io/control.h"

#include <linux/udp.h>
#include <netinet/in.h>
#include <string.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif

enum { ECN_MASK = 3 };

/* Adds one control message behind `*used` bytes. */
static void add(struct skua_control *control, size_t *used, int level, int type, const void *value,
                size_t len)
{
    struct cmsghdr header = {.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};
    uint8_t *at = control->bytes + *used;
    memset(at, 0, CMSG_SPACE(len));
    memcpy(at, &header, sizeof header);
    memcpy(at + CMSG_LEN(0), value, len);
    *used += CMSG_SPACE(len);
}

static void add_source(struct skua_control *control, size_t *used, const struct skua_addr *local)
{
    if (local->family == SKUA_FAMILY_IPV4) {
        struct in_pktinfo info;
        memset(&info, 0, sizeof info);
        memcpy(&info.ipi_spec_dst, local->ip, sizeof info.ipi_spec_dst);
        add(control, used, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else if (local->family == SKUA_FAMILY_IPV6) {
        struct in6_pktinfo info;
        memset(&info, 0, sizeof info);
        memcpy(&info.ipi6_addr, local->ip, sizeof info.ipi6_addr);
        info.ipi6_ifindex = local->scope;
        add(control, used, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
}

size_t skua_control_write(struct skua_control *control, const struct skua_control_out *out)
{
    size_t used = 0;
    if (out->segment_size != 0) {
        add(control, &used, SOL_UDP, UDP_SEGMENT, &out->segment_size, sizeof out->segment_size);
    }
    if (out->ecn != 0) {
        int tos = out->ecn & ECN_MASK;
        if (out->family == SKUA_FAMILY_IPV6) {
            add(control, &used, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
        } else {
            add(control, &used, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
        }
    }
    if (out->local != NULL && out->local->family == out->family) {
        add_source(control, &used, out->local);
    }
    return used;
}

/* Copies the value of a control message, as much of it as there is. */
static void take(void *out, size_t size, const struct cmsghdr *cmsg)
{
    size_t len = cmsg->cmsg_len - CMSG_LEN(0);
    memset(out, 0, size);
    memcpy(out, CMSG_DATA(cmsg), len < size ? len : size);
}

static void read_ipv4(struct skua_control_in *in, const struct cmsghdr *cmsg)
{
    if (cmsg->cmsg_type == IP_TOS) {
        uint8_t tos;
        take(&tos, sizeof tos, cmsg);
        in->ecn = tos & ECN_MASK;
    } else if (cmsg->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;
        take(&info, sizeof info, cmsg);
        /* The address to answer from: of a broadcast, not the destination in the header. */
        in->local.family = SKUA_FAMILY_IPV4;
        memcpy(in->local.ip, &info.ipi_spec_dst, sizeof info.ipi_spec_dst);
    }
}

static void read_ipv6(struct skua_control_in *in, const struct cmsghdr *cmsg)
{
    if (cmsg->cmsg_type == IPV6_TCLASS) {
        int tos;
        take(&tos, sizeof tos, cmsg);
        in->ecn = (uint8_t)(tos & ECN_MASK);
    } else if (cmsg->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;
        take(&info, sizeof info, cmsg);
        if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) {
            return;
        }
        in->local.family = SKUA_FAMILY_IPV6;
        memcpy(in->local.ip, &info.ipi6_addr, sizeof info.ipi6_addr);
        if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) {
            in->local.scope = info.ipi6_ifindex;
        }
    }
}

void skua_control_read(struct skua_control_in *in, struct msghdr *message)
{
    memset(in, 0, sizeof *in);
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(message); cmsg != NULL;
         cmsg = CMSG_NXTHDR(message, cmsg)) {
        if (cmsg->cmsg_level == IPPROTO_IP) {
            read_ipv4(in, cmsg);
        } else if (cmsg->cmsg_level == IPPROTO_IPV6) {
            read_ipv6(in, cmsg);
        } else if (cmsg->cmsg_level == SOL_UDP && cmsg->cmsg_type == UDP_GRO) {
            int size;
            take(&size, sizeof size, cmsg);
            in->segment_size = size > 0 && size <= UINT16_MAX ? (uint16_t)size : 0;
        } else if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SO_RXQ_OVFL) {
            take(&in->drops, sizeof in->drops, cmsg);
            in->has_drops = true;
        }
    }
}
