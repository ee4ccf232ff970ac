/* The link emulator's flows (link_nat.h). */
#include "link_nat.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "link_queue.h"

void skua_link_nat_init(struct skua_link_nat *nat, const struct skua_link_addr *server, int epoll)
{
    nat->server = *server;
    nat->source = (struct skua_link_addr){.len = 0};
    nat->epoll = epoll;
    nat->recent = SKUA_LINK_NO_FLOW;
    nat->count = 0;
    nat->refused = 0;
    nat->rebindings = 0;
    for (size_t i = 0; i < sizeof nat->buckets / sizeof nat->buckets[0]; i++) {
        nat->buckets[i] = SKUA_LINK_NO_FLOW;
    }
    for (uint32_t i = 0; i < SKUA_LINK_FLOWS; i++) {
        nat->flows[i].fd = -1;
    }
    nat->silenced_head = 0;
    nat->silenced_count = 0;
}

static void close_socket(struct skua_link_flow *flow)
{
    if (flow->fd >= 0) {
        (void)close(flow->fd);
    }
    flow->fd = -1;
}

static void close_oldest_silenced(struct skua_link_nat *nat)
{
    (void)close(nat->silenced[nat->silenced_head].fd);
    nat->silenced_head = (nat->silenced_head + 1) % SKUA_LINK_SILENCED;
    nat->silenced_count--;
}

void skua_link_nat_deinit(struct skua_link_nat *nat)
{
    for (uint32_t i = 0; i < SKUA_LINK_FLOWS; i++) {
        close_socket(&nat->flows[i]);
    }
    while (nat->silenced_count > 0) {
        close_oldest_silenced(nat);
    }
}

/* Keeps a socket bound, unread and with hardly any room: packets to its port vanish as behind a NAT
 * that has forgotten it, where a closed port would answer them with an ICMP message. */
static void silence(struct skua_link_nat *nat, int fd, skua_time now)
{
    const int room = 1;
    (void)epoll_ctl(nat->epoll, EPOLL_CTL_DEL, fd, NULL);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (nat->silenced_count == SKUA_LINK_SILENCED) {
        close_oldest_silenced(nat);
    }
    const size_t last = (nat->silenced_head + nat->silenced_count) % SKUA_LINK_SILENCED;
    nat->silenced[last] = (struct skua_link_silenced){.fd = fd, .since = now};
    nat->silenced_count++;
}

/* Port and the end of the address: clients are this machine's or a test network's, not attackers.
 */
static uint32_t *bucket_of(struct skua_link_nat *nat, const struct skua_link_addr *client)
{
    const bool v4 = client->any.sa_family == AF_INET;
    const unsigned port = v4 ? client->v4.sin_port : client->v6.sin6_port;
    const unsigned host = v4 ? client->v4.sin_addr.s_addr >> 24 : client->v6.sin6_addr.s6_addr[15];
    return &nat->buckets[(port ^ (port >> 8) ^ host) & 255];
}

/* Opens a flow's socket and registers it; false where there is none to be had. */
static bool open_socket(struct skua_link_nat *nat, struct skua_link_flow *flow)
{
    const int fd = skua_link_socket_open(nat->source.len != 0 ? &nat->source : NULL, &nat->server);
    if (fd < 0) {
        return false;
    }
    struct epoll_event event = {
        .events = EPOLLIN,
        .data.u64 = SKUA_LINK_EVENT_FLOW + (uint64_t)(flow - nat->flows),
    };
    if (epoll_ctl(nat->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        (void)close(fd);
        return false;
    }
    flow->fd = fd;
    flow->overflow = 0;
    return true;
}

static uint32_t make_flow(struct skua_link_nat *nat, const struct skua_link_addr *client)
{
    uint32_t index = 0;
    while (index < SKUA_LINK_FLOWS && nat->flows[index].fd >= 0) {
        index++;
    }
    if (index == SKUA_LINK_FLOWS) {
        return SKUA_LINK_NO_FLOW;
    }
    struct skua_link_flow *flow = &nat->flows[index];
    *flow = (struct skua_link_flow){.client = *client, .fd = -1};
    if (!open_socket(nat, flow)) {
        return SKUA_LINK_NO_FLOW;
    }
    uint32_t *bucket = bucket_of(nat, client);
    flow->next = *bucket;
    *bucket = index;
    nat->count++;
    return index;
}

uint32_t skua_link_nat_find(struct skua_link_nat *nat, const struct skua_link_addr *client,
                            skua_time now)
{
    uint32_t index = nat->recent;
    if (index == SKUA_LINK_NO_FLOW || !skua_link_addr_equal(&nat->flows[index].client, client)) {
        index = *bucket_of(nat, client);
        while (index != SKUA_LINK_NO_FLOW &&
               !skua_link_addr_equal(&nat->flows[index].client, client)) {
            index = nat->flows[index].next;
        }
    }
    if (index == SKUA_LINK_NO_FLOW) {
        index = make_flow(nat, client);
    }
    if (index == SKUA_LINK_NO_FLOW) {
        nat->refused++;
        return index;
    }
    nat->recent = index;
    nat->flows[index].used = now;
    return index;
}

void skua_link_nat_move(struct skua_link_nat *nat, const struct skua_link_addr *source)
{
    nat->source = *source;
}

void skua_link_nat_rebind(struct skua_link_nat *nat, skua_time now)
{
    for (uint32_t i = 0; i < SKUA_LINK_FLOWS; i++) {
        struct skua_link_flow *flow = &nat->flows[i];
        const int before = flow->fd;
        if (before >= 0 && open_socket(nat, flow)) {
            silence(nat, before, now);
            nat->rebindings++;
        }
    }
}

static void unlink_flow(struct skua_link_nat *nat, uint32_t index)
{
    uint32_t *link = bucket_of(nat, &nat->flows[index].client);
    while (*link != index) {
        link = &nat->flows[*link].next;
    }
    *link = nat->flows[index].next;
    if (nat->recent == index) {
        nat->recent = SKUA_LINK_NO_FLOW;
    }
}

void skua_link_nat_expire(struct skua_link_nat *nat, skua_time limit, skua_time now)
{
    for (uint32_t i = 0; i < SKUA_LINK_FLOWS; i++) {
        struct skua_link_flow *flow = &nat->flows[i];
        if (flow->fd >= 0 && flow->under_way == 0 && now - flow->used >= limit) {
            unlink_flow(nat, i);
            close_socket(flow);
            nat->count--;
        }
    }
    while (nat->silenced_count > 0 &&
           now - nat->silenced[nat->silenced_head].since >= SKUA_LINK_SILENCE_NS) {
        close_oldest_silenced(nat);
    }
}
