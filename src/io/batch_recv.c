/* Receiving in batches: see batch_recv.h. */
#include "io/batch_recv.h"

#include <errno.h>
#include <string.h>

#include "io/address.h"

enum {
    /* Buffers start on different cache sets, so that 64 small datagrams do not evict each other. */
    STRIDE = SKUA_RECV_BUFFER + 2112,
    /* Bytes per buffer on average below which more buffers are asked for. */
    NEARLY_EMPTY = 4096,
};
#define MEMORY ((size_t)STRIDE * SKUA_RECV_MANY)

enum skua_err skua_receiver_init(struct skua_receiver *receiver, const struct skua_sys *sys,
                                 struct skua_ev_stats *stats, const struct skua_alloc *alloc)
{
    memset(receiver, 0, sizeof *receiver);
    receiver->sys = sys;
    receiver->stats = stats;
    receiver->ask = SKUA_RECV_FEW;
    receiver->memory = alloc->get(alloc->user, MEMORY);
    if (receiver->memory == NULL) {
        return SKUA_ENOMEM;
    }
    for (size_t i = 0; i < SKUA_RECV_MANY; i++) {
        receiver->vecs[i].iov_base = receiver->memory + i * STRIDE;
        receiver->vecs[i].iov_len = SKUA_RECV_BUFFER;
    }
    return SKUA_OK;
}

void skua_receiver_deinit(struct skua_receiver *receiver, const struct skua_alloc *alloc)
{
    if (receiver->memory != NULL) {
        alloc->put(alloc->user, receiver->memory, MEMORY);
        receiver->memory = NULL;
    }
}

static void prepare(struct skua_receiver *r)
{
    for (size_t i = 0; i < r->ask; i++) {
        struct msghdr *message = &r->messages[i].msg_hdr;
        message->msg_name = &r->names[i];
        message->msg_namelen = sizeof r->names[i];
        message->msg_iov = &r->vecs[i];
        message->msg_iovlen = 1;
        message->msg_control = &r->controls[i];
        message->msg_controllen = sizeof r->controls[i];
        message->msg_flags = 0;
        r->names[i].ss_family = AF_UNSPEC;
    }
}

/* Fills `messages`; how many, or -1 with errno. */
static int receive(struct skua_receiver *r, int fd)
{
    for (;;) {
        r->stats->recv_calls++;
        if (!r->single) {
            int n = r->sys->recvmmsg(fd, r->messages, r->ask, MSG_DONTWAIT, NULL);
            if (n >= 0 || (errno != ENOSYS && errno != EINTR)) {
                return n;
            }
            r->single = r->single || errno == ENOSYS;
        } else {
            ssize_t len = r->sys->recvmsg(fd, &r->messages[0].msg_hdr, MSG_DONTWAIT);
            if (len >= 0) {
                r->messages[0].msg_len = (unsigned)len;
                return 1;
            }
            if (errno != EINTR) {
                return -1;
            }
        }
    }
}

/* Describes message `i` in `rx`; false where it is to be thrown away. */
static bool describe(struct skua_receiver *r, size_t i, struct skua_socket *sock, uint32_t index,
                     struct skua_rx *rx)
{
    struct msghdr *message = &r->messages[i].msg_hdr;
    struct skua_control_in in;
    skua_control_read(&in, message);
    if (in.has_drops) {
        r->stats->recv_drops += (uint32_t)(in.drops - sock->drops);
        sock->drops = in.drops;
    }
    size_t len = r->messages[i].msg_len;
    if ((message->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        r->stats->recv_truncated++;
        return false;
    }
    *rx = (struct skua_rx){.path.socket = index,
                           .path.local = sock->local,
                           .data = r->memory + i * STRIDE,
                           .len = len,
                           .segment_size = in.segment_size < len ? in.segment_size : 0,
                           .ecn = in.ecn};
    if (sock->wildcard) {
        rx->path.local = in.local;
        rx->path.local.port = in.local.family == SKUA_FAMILY_NONE ? 0 : sock->local.port;
    }
    skua_address_from_kernel(&rx->path.remote, &r->names[i]);
    return len != 0 && rx->path.remote.family != SKUA_FAMILY_NONE;
}

enum skua_recv_result skua_receiver_read(struct skua_receiver *receiver, struct skua_socket *sock,
                                         uint32_t index, size_t *count)
{
    struct skua_ev_stats *stats = receiver->stats;
    *count = 0;
    prepare(receiver);
    int n = receive(receiver, sock->fd);
    if (n < 0 && errno == EAGAIN) {
        return SKUA_RECV_EMPTY;
    }
    if (n <= 0) {
        return n == 0 ? SKUA_RECV_EMPTY : SKUA_RECV_ERROR;
    }
    uint64_t bytes = 0;
    for (size_t i = 0; i < (size_t)n; i++) {
        struct skua_rx *rx = &receiver->rx[*count];
        if (describe(receiver, i, sock, index, rx)) {
            size_t size = rx->segment_size == 0 ? rx->len : rx->segment_size;
            stats->recv_datagrams += (rx->len + size - 1) / size;
            bytes += rx->len;
            (*count)++;
        }
    }
    if (sock->wildcard && *count != 0) {
        sock->seen = receiver->rx[*count - 1].path.local;
        sock->used = sock->used.family == SKUA_FAMILY_NONE ? sock->seen : sock->used;
    }
    stats->recv_buffers += *count;
    stats->recv_bytes += bytes;
    if ((size_t)n == receiver->ask) {
        bool small = bytes < (uint64_t)n * NEARLY_EMPTY;
        receiver->ask = small ? SKUA_RECV_MANY : SKUA_RECV_FEW;
    }
    return SKUA_RECV_SOME;
}
