/* Roaming: see roam.h. */
#include "io/roam.h"

#include <errno.h>
#include <string.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/time.h"
#include "io/address.h"
#include "io/driver.h"

/* From one look to the next at least; also, what comes with a new address (its route) comes soon
 * after it. */
#define LOOK_INTERVAL (100 * SKUA_MSEC)

/* Notices thrown away in one look: what is left makes the next one. */
enum { NOTICES_MAX = 256 };

static void on_notice(struct ev_loop *loop, struct ev_io *watcher, int revents)
{
    struct skua_roam *roam = watcher->data;
    (void)loop;
    (void)revents;
    skua_ev_stop_io(roam->ev, watcher);
    roam->due = true;
}

void skua_roam_init(struct skua_roam *roam, struct skua_ev *ev)
{
    *roam = (struct skua_roam){.ev = ev, .fd = -1};
}

void skua_roam_deinit(struct skua_roam *roam)
{
    if (roam->fd >= 0) {
        skua_ev_stop_io(roam->ev, &roam->reader);
        (void)roam->ev->sys->close(roam->fd);
        roam->fd = -1;
    }
}

void skua_roam_watch(struct skua_roam *roam)
{
    const struct skua_sys *sys = roam->ev->sys;
    if (roam->watching) {
        return;
    }
    roam->watching = true;
    const struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
                                       .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                                    RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
    int fd = sys->socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) {
        return;
    }
    if (sys->bind(fd, (const struct sockaddr *)&groups, sizeof groups) != 0) {
        (void)sys->close(fd);
        return;
    }
    roam->fd = fd;
    ev_io_init(&roam->reader, on_notice, fd, EV_READ);
    roam->reader.data = roam;
    skua_ev_start_io(roam->ev, &roam->reader);
}

void skua_roam_on_error(struct skua_roam *roam, int error)
{
    switch (error) {
    case EADDRNOTAVAIL:
    case EINVAL:
    case ENODEV:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTUNREACH:
        roam->due = roam->watching;
        break;
    default:
        break;
    }
}

void skua_roam_on_event(struct skua_roam *roam, const struct skua_event *event)
{
    bool in_vain = event->type == SKUA_EVENT_PATH && event->error != SKUA_OK;
    roam->due = roam->due || (in_vain && roam->watching);
}

skua_time skua_roam_next(const struct skua_roam *roam)
{
    return roam->due ? roam->next_at : SKUA_NEVER;
}

/* What notices say is not looked at: the kernel is asked how things are now. */
static void drain(struct skua_roam *roam)
{
    uint8_t notice[256];
    if (roam->fd < 0) {
        return;
    }
    for (unsigned i = 0; i < NOTICES_MAX; i++) {
        if (roam->ev->sys->read(roam->fd, notice, sizeof notice) < 0 && errno != ENOBUFS) {
            break;
        }
    }
    skua_ev_start_io(roam->ev, &roam->reader);
}

/* A datagram socket that only asks questions; -1 where there is none to be had. */
static int open_asker(const struct skua_sys *sys, const struct skua_addr *addr)
{
    return sys->socket(skua_address_kernel_family(addr), SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
}

/* Is `addr` no address of this machine any more? */
static bool is_gone(const struct skua_sys *sys, const struct skua_addr *addr)
{
    struct sockaddr_storage name;
    struct skua_addr any_port = *addr;
    any_port.port = 0;
    int fd = open_asker(sys, addr);
    if (fd < 0) {
        return false;
    }
    socklen_t len = skua_address_to_kernel(&name, &any_port);
    bool gone = sys->bind(fd, (const struct sockaddr *)&name, len) != 0 && errno == EADDRNOTAVAIL;
    (void)sys->close(fd);
    return gone;
}

/* Where packets to `remote` would leave from now; false where there is no route to it. */
static bool find_source(const struct skua_sys *sys, const struct skua_addr *remote,
                        struct skua_addr *out)
{
    struct sockaddr_storage name;
    int fd = open_asker(sys, remote);
    if (fd < 0) {
        return false;
    }
    socklen_t len = skua_address_to_kernel(&name, remote);
    bool found = sys->connect(fd, (const struct sockaddr *)&name, len) == 0;
    len = sizeof name;
    memset(&name, 0, sizeof name);
    found = found && sys->getsockname(fd, (struct sockaddr *)&name, &len) == 0;
    (void)sys->close(fd);
    skua_address_from_kernel(out, &name);
    return found;
}

/* What a look has found; bit sets of sockets. */
struct finding {
    uint32_t lost;  /* their address is gone */
    uint32_t taken; /* a connection's packets leave there */
};

/* Hands one connection to another socket. False where it has no business with its own any more, or
 * not yet: a handshake is repeated from wherever the kernel sends it. */
static bool move(struct skua_ev *ev, skua_conn conn, const struct skua_path *before,
                 struct finding *f)
{
    struct skua_path path = *before;
    struct skua_addr source;
    if (!find_source(ev->sys, &path.remote, &source)) {
        return true; /* the kernel's notice of the next network is the next sign */
    }
    if (skua_ev_other_socket(ev, before->socket, f->lost, f->taken, &path.socket) != SKUA_OK) {
        return false; /* it goes on from where it is, as behind a NAT */
    }
    f->lost &= ~(UINT32_C(1) << path.socket);
    ev->sockets[path.socket].used = source;
    enum skua_err err = skua_conn_migrate(ev->ep, conn, &path);
    if (err == SKUA_EAGAIN) {
        /* No spare id: then at once, with the old one, since the old path is dead. */
        skua_endpoint_hint(ev->ep, before, SKUA_HINT_UNREACHABLE, ev->now);
        err = skua_conn_migrate(ev->ep, conn, &path);
    }
    ev->roam.due = ev->roam.due || err == SKUA_EAGAIN || err == SKUA_ENOMEM;
    ev->stats.roamed += err == SKUA_OK;
    return err != SKUA_ESTATE;
}

/* The next connection behind `conn` (0 = the first) with its path; 0 behind the last. */
static skua_conn next(struct skua_ev *ev, skua_conn conn, struct skua_path *path)
{
    conn = skua_endpoint_next_conn(ev->ep, conn);
    return conn != 0 && skua_conn_path(ev->ep, conn, path) == SKUA_OK ? conn : 0;
}

/* Is the address that socket `sock` uses gone? If not, it may be another one by now. */
static bool is_lost(const struct skua_sys *sys, struct skua_socket *sock)
{
    if (sock->used.family == SKUA_FAMILY_NONE) {
        return false;
    }
    bool lost = is_gone(sys, &sock->used);
    sock->used = lost || sock->seen.family == SKUA_FAMILY_NONE ? sock->used : sock->seen;
    return lost;
}

static void look(struct skua_ev *ev)
{
    struct finding f = {0};
    struct skua_path path;
    for (uint32_t i = 0; i < ev->socket_count; i++) {
        f.lost |= (is_lost(ev->sys, &ev->sockets[i]) ? UINT32_C(1) : 0) << i;
    }
    if (f.lost == 0) {
        return;
    }
    for (skua_conn conn = 0; (conn = next(ev, conn, &path)) != 0;) {
        f.taken |= UINT32_C(1) << path.socket;
    }
    uint32_t waits = 0; /* connections there are still to leave */
    for (skua_conn conn = 0; (conn = next(ev, conn, &path)) != 0;) {
        bool given = path.local.family != SKUA_FAMILY_NONE; /* by the program */
        if ((f.lost >> path.socket & 1) != 0 && !given && move(ev, conn, &path, &f)) {
            waits |= UINT32_C(1) << path.socket;
        }
    }
    for (uint32_t i = 0; i < ev->socket_count; i++) {
        if (((f.lost & ~waits) >> i & 1) != 0) {
            ev->sockets[i].used = (struct skua_addr){.family = SKUA_FAMILY_NONE};
        }
    }
}

void skua_roam_run(struct skua_roam *roam, skua_time now)
{
    if (skua_roam_next(roam) > now) {
        return;
    }
    roam->due = false;
    roam->next_at = skua_time_add(now, LOOK_INTERVAL);
    drain(roam);
    look(roam->ev);
}
