/* See fake_kernel.h. */
#include "fake_kernel.h"

#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h>

#include "base/assert.h"
#include "io/address.h"

struct fake_kernel fake_kernel;

void fake_kernel_reset(void)
{
    memset(&fake_kernel, 0, sizeof fake_kernel);
    fake_kernel.room = SIZE_MAX;
}

uint64_t fake_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

struct skua_addr fake_addr(uint8_t family, uint8_t host, uint16_t port)
{
    struct skua_addr addr = {.family = family, .port = port};
    if (family == SKUA_FAMILY_IPV4) {
        addr.ip[0] = 10;
        addr.ip[3] = host;
    } else {
        addr.ip[0] = 0xfd;
        addr.ip[15] = host;
    }
    return addr;
}

/* What the control data of a message asks for. */
struct wish {
    uint16_t segment;
    uint8_t ecn;
    struct skua_addr local;
};

static void read_wish(struct wish *wish, const struct msghdr *message)
{
    struct msghdr copy = *message;
    memset(wish, 0, sizeof *wish);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&copy); c != NULL; c = CMSG_NXTHDR(&copy, c)) {
        int value = 0;
        if (c->cmsg_level == 17 && c->cmsg_type == UDP_SEGMENT) {
            memcpy(&wish->segment, CMSG_DATA(c), sizeof wish->segment);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            memcpy(&value, CMSG_DATA(c), sizeof value);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            memcpy(&value, CMSG_DATA(c), sizeof value);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            wish->local.family = SKUA_FAMILY_IPV4;
            memcpy(wish->local.ip, &info.ipi_spec_dst, 4);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            wish->local.family = SKUA_FAMILY_IPV6;
            memcpy(wish->local.ip, &info.ipi6_addr, 16);
        }
        wish->ecn = (uint8_t)(wish->ecn | value);
    }
}

/* errno for this message, or 0. */
static int verdict(const struct wish *wish, size_t len)
{
    struct fake_kernel *k = &fake_kernel;
    size_t one = wish->segment == 0 ? len : wish->segment;
    if (k->pending && k->report_count != 0) {
        k->pending = false; /* a pending error is told once */
        return k->reports[0].error;
    }
    if (k->fail_send_times > 0) {
        k->fail_send_times--;
        return k->fail_send;
    }
    if (k->chaos != 0 && fake_random(&k->chaos) % 4 == 0) {
        return 1 + (int)(fake_random(&k->chaos) % 133);
    }
    if (k->room == 0) {
        return EAGAIN;
    }
    if (wish->segment != 0 && k->refuse_gso != 0) {
        return k->refuse_gso;
    }
    if (wish->ecn != 0 && k->refuse_ecn != 0) {
        return k->refuse_ecn;
    }
    if (wish->local.family != SKUA_FAMILY_NONE && k->refuse_source != 0) {
        return k->refuse_source;
    }
    return k->mtu != 0 && one > k->mtu ? EMSGSIZE : 0;
}

static bool take(int fd, const struct msghdr *message)
{
    struct fake_kernel *k = &fake_kernel;
    struct wish wish;
    struct sockaddr_storage name = {0};
    size_t len = message->msg_iov[0].iov_len;
    read_wish(&wish, message);
    int error = verdict(&wish, len);
    if (error != 0) {
        errno = error;
        return false;
    }
    SKUA_ASSERT(message->msg_iovlen == 1 && len != 0 && message->msg_namelen <= sizeof name);
    SKUA_ASSERT(wish.segment == 0 || len <= (size_t)wish.segment * 64);
    memcpy(&name, message->msg_name, message->msg_namelen);
    k->room -= k->room != SIZE_MAX;
    for (size_t at = 0; at < len;) {
        size_t left = len - at;
        size_t one = wish.segment != 0 && wish.segment < left ? wish.segment : left;
        SKUA_ASSERT(k->sent_count < FAKE_DATAGRAMS && FAKE_BYTES - k->bytes_used >= one);
        struct fake_datagram *d = &k->sent[k->sent_count++];
        *d = (struct fake_datagram){.fd = fd,
                                    .local = wish.local,
                                    .data = k->bytes + k->bytes_used,
                                    .len = one,
                                    .ecn = wish.ecn,
                                    .by_gso = wish.segment != 0};
        skua_address_from_kernel(&d->remote, &name);
        memcpy(k->bytes + k->bytes_used, (const uint8_t *)message->msg_iov[0].iov_base + at, one);
        k->bytes_used += one;
        at += one;
    }
    return true;
}

static ssize_t fake_sendmsg(int fd, const struct msghdr *message, int flags)
{
    (void)flags;
    fake_kernel.sendmsg_calls++;
    return take(fd, message) ? (ssize_t)message->msg_iov[0].iov_len : -1;
}

static int fake_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    (void)flags;
    fake_kernel.sendmmsg_calls++;
    if (fake_kernel.refuse_mmsg != 0) {
        errno = fake_kernel.refuse_mmsg;
        return -1;
    }
    unsigned done = 0;
    while (done < count && take(fd, &messages[done].msg_hdr)) {
        done++;
    }
    return done == 0 ? -1 : (int)done;
}

/* Appends a control message to a message being received. */
static void tell(struct msghdr *message, size_t *used, int level, int type, const void *value,
                 size_t len)
{
    struct cmsghdr header = {.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};
    uint8_t *at = (uint8_t *)message->msg_control + *used;
    SKUA_ASSERT(*used + CMSG_SPACE(len) <= message->msg_controllen);
    memcpy(at, &header, sizeof header);
    memcpy(at + CMSG_LEN(0), value, len);
    *used += CMSG_SPACE(len);
}

static void tell_all(struct msghdr *message, const struct fake_incoming *in)
{
    size_t used = 0;
    bool v6 = in->remote.family == SKUA_FAMILY_IPV6;
    int segment = in->segment_size;
    int tclass = in->ecn;
    if (segment != 0) {
        tell(message, &used, 17, UDP_GRO, &segment, sizeof segment);
    }
    if (v6) {
        tell(message, &used, IPPROTO_IPV6, IPV6_TCLASS, &tclass, sizeof tclass);
    } else {
        tell(message, &used, IPPROTO_IP, IP_TOS, &in->ecn, sizeof in->ecn);
    }
    if (in->local.family == SKUA_FAMILY_IPV6) {
        struct in6_pktinfo info = {.ipi6_ifindex = 2};
        memcpy(&info.ipi6_addr, in->local.ip, 16);
        tell(message, &used, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    } else if (in->local.family == SKUA_FAMILY_IPV4) {
        struct in_pktinfo info = {.ipi_ifindex = 2};
        memcpy(&info.ipi_spec_dst, in->local.ip, 4);
        tell(message, &used, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    }
    if (in->drops != 0) {
        tell(message, &used, SOL_SOCKET, SO_RXQ_OVFL, &in->drops, sizeof in->drops);
    }
    message->msg_controllen = used;
}

static ssize_t receive_report(struct msghdr *message)
{
    struct fake_kernel *k = &fake_kernel;
    if (k->report_count == 0) {
        errno = EAGAIN;
        return -1;
    }
    struct fake_report report = k->reports[0];
    memmove(k->reports, k->reports + 1, --k->report_count * sizeof report);
    struct sock_extended_err error = {.ee_errno = (uint32_t)report.error,
                                      .ee_origin = report.origin};
    size_t used = 0;
    bool v6 = report.remote.family == SKUA_FAMILY_IPV6;
    tell(message, &used, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &error,
         sizeof error);
    message->msg_controllen = used;
    message->msg_namelen =
        skua_address_to_kernel((struct sockaddr_storage *)message->msg_name, &report.remote);
    return 0;
}

static ssize_t fake_recvmsg(int fd, struct msghdr *message, int flags)
{
    struct fake_kernel *k = &fake_kernel;
    (void)fd;
    if ((flags & MSG_ERRQUEUE) != 0) {
        return receive_report(message);
    }
    k->recvmsg_calls++;
    if (k->fail_recv_times > 0) {
        k->fail_recv_times--;
        errno = k->fail_recv;
        return -1;
    }
    if (k->incoming_next == k->incoming_count) {
        errno = EAGAIN;
        return -1;
    }
    const struct fake_incoming *in = &k->incoming[k->incoming_next++];
    SKUA_ASSERT(in->len <= message->msg_iov[0].iov_len);
    memset(message->msg_iov[0].iov_base, in->fill, in->len);
    message->msg_namelen =
        skua_address_to_kernel((struct sockaddr_storage *)message->msg_name, &in->remote);
    message->msg_flags = in->flags;
    tell_all(message, in);
    return (ssize_t)in->len;
}

static int fake_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                         struct timespec *timeout)
{
    (void)timeout;
    fake_kernel.recvmmsg_calls++;
    fake_kernel.asked = count;
    if (fake_kernel.refuse_mmsg != 0) {
        errno = fake_kernel.refuse_mmsg;
        return -1;
    }
    unsigned done = 0;
    while (done < count) {
        ssize_t len = fake_recvmsg(fd, &messages[done].msg_hdr, flags);
        fake_kernel.recvmsg_calls--;
        if (len < 0) {
            break;
        }
        messages[done++].msg_len = (unsigned)len;
    }
    return done == 0 ? -1 : (int)done;
}

/* A descriptor that an event loop can watch and that is never ready to read. */
static int fake_socket(int family, int type, int protocol)
{
    (void)family;
    (void)type;
    (void)protocol;
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static int fake_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    (void)fd;
    (void)address;
    (void)len;
    return 0;
}

static int fake_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return fake_bind(fd, address, len);
}

static int fake_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    struct sockaddr_storage name;
    struct skua_addr addr = fake_addr(SKUA_FAMILY_IPV4, 1, (uint16_t)(1000 + fd));
    *len = skua_address_to_kernel(&name, &addr);
    memcpy(address, &name, *len);
    return 0;
}

static int fake_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    (void)fd;
    (void)level;
    (void)option;
    (void)value;
    (void)len;
    return 0;
}

const struct skua_sys fake_sys = {
    .socket = fake_socket,
    .bind = fake_bind,
    .connect = fake_connect,
    .getsockname = fake_getsockname,
    .setsockopt = fake_setsockopt,
    .close = close,
    .recvmsg = fake_recvmsg,
    .recvmmsg = fake_recvmmsg,
    .sendmsg = fake_sendmsg,
    .sendmmsg = fake_sendmmsg,
    .clock_gettime = clock_gettime,
};
