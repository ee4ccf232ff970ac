/* Reading the error queue: see error_queue.h. */
#include "io/error_queue.h"

#include <string.h>

/* linux/errqueue.h uses struct timespec without declaring it. */
#include <time.h>

#include <linux/errqueue.h>
#include <netinet/in.h>

#include "io/address.h"
#include "io/control.h"

enum { DRAIN_MAX = 64 };

/* The report in a message of the queue; false where there is none from the network. */
static bool read_report(struct msghdr *message, int *error)
{
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(message); cmsg != NULL;
         cmsg = CMSG_NXTHDR(message, cmsg)) {
        bool v4 = cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_RECVERR;
        bool v6 = cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_RECVERR;
        struct sock_extended_err report;
        if ((v4 || v6) && cmsg->cmsg_len >= CMSG_LEN(sizeof report)) {
            memcpy(&report, CMSG_DATA(cmsg), sizeof report);
            *error = (int)report.ee_errno;
            return report.ee_origin == SO_EE_ORIGIN_ICMP || report.ee_origin == SO_EE_ORIGIN_ICMP6;
        }
    }
    return false;
}

unsigned skua_error_queue_drain(const struct skua_socket *sock, const struct skua_sys *sys,
                                const struct skua_icmp_sink *sink)
{
    unsigned count = 0;
    for (unsigned i = 0; i < DRAIN_MAX; i++) {
        struct sockaddr_storage name;
        struct skua_control control;
        uint8_t head[64]; /* of the datagram that ICMP quotes; not looked at */
        struct iovec iov = {.iov_base = head, .iov_len = sizeof head};
        struct msghdr message = {.msg_name = &name,
                                 .msg_namelen = sizeof name,
                                 .msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};
        memset(&name, 0, sizeof name);
        if (sys->recvmsg(sock->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
            break;
        }
        struct skua_addr remote;
        int error = 0;
        skua_address_from_kernel(&remote, &name);
        if (read_report(&message, &error)) {
            count++;
            sink->icmp(sink->user, sock, &remote, error);
        }
    }
    return count;
}
