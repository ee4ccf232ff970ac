/* Sending in batches, with fall-backs: see batch_send.h.
 *
 * skua_sender_flush goes socket by socket: gather messages from the slots that wait for it, oldest
 * first; one system call; account for what the kernel took; on an error, step the form of the
 * first message's slot, since sendmmsg fails only when its first message does. Each round takes
 * bytes, steps a form, refuses a datagram, or ends the socket's turn, so it comes to an end. */
#include "io/batch_send.h"

#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "io/address.h"

enum {
    /* From slot to slot. They start on different cache sets, so that 16 small datagrams do not
     * evict each other. */
    STRIDE = (1 << 16) + 2112,
    STRIKES_MAX = 8,       /* refusals in a row until something is given up */
    ICMP_RETRIES_MAX = 32, /* per socket and flush: errors read from the queue and tried again */
    UNFRAGMENTED = 1200,   /* what every path carries (docs/protocol.md §2) */
};
#define MEMORY ((size_t)STRIDE * SKUA_SEND_SLOTS)

enum skua_err skua_sender_init(struct skua_sender *sender, const struct skua_alloc *alloc)
{
    sender->memory = alloc->get(alloc->user, MEMORY);
    if (sender->memory == NULL) {
        return SKUA_ENOMEM;
    }
    for (size_t i = 0; i < SKUA_SEND_SLOTS; i++) {
        sender->free[i] = (uint8_t)(SKUA_SEND_SLOTS - 1 - i);
    }
    sender->free_count = SKUA_SEND_SLOTS;
    return SKUA_OK;
}

void skua_sender_deinit(struct skua_sender *sender, const struct skua_alloc *alloc)
{
    if (sender->memory != NULL) {
        alloc->put(alloc->user, sender->memory, MEMORY);
        sender->memory = NULL;
    }
}

struct skua_tx *skua_sender_next(struct skua_sender *sender)
{
    if (sender->free_count == 0) {
        return NULL;
    }
    uint8_t number = sender->free[sender->free_count - 1];
    struct skua_send_slot *slot = &sender->slots[number];
    memset(slot, 0, sizeof *slot);
    slot->tx.data = sender->memory + (size_t)number * STRIDE;
    slot->tx.cap = SKUA_SEND_SLOT;
    slot->tx.max_segments = SKUA_SEND_SEGMENTS;
    return &slot->tx;
}

void skua_sender_push(struct skua_sender *sender)
{
    SKUA_ASSERT(sender->free_count != 0);
    uint8_t number = sender->free[--sender->free_count];
    struct skua_send_slot *slot = &sender->slots[number];
    SKUA_ASSERT(slot->tx.len != 0 && slot->tx.len <= slot->tx.cap);
    SKUA_ASSERT(slot->tx.path.socket < SKUA_MAX_SOCKETS);
    if (slot->tx.segment_size == 0 || slot->tx.segment_size > slot->tx.len) {
        slot->tx.segment_size = slot->tx.len;
    }
    if (!sender->sockets[slot->tx.path.socket].gso || slot->tx.segment_size == slot->tx.len) {
        slot->form = SKUA_FORM_PLAIN;
    }
    sender->waiting[sender->waiting_count++] = number;
    sender->stats->send_batches++;
}

void skua_sender_writable(struct skua_sender *sender, uint32_t index)
{
    sender->sockets[index].blocked = false;
}

/* Takes slots that are done off the queue. */
static void release_done(struct skua_sender *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->waiting_count; i++) {
        uint8_t number = s->waiting[i];
        if (s->slots[number].sent < s->slots[number].tx.len) {
            s->waiting[kept++] = number;
        } else {
            s->free[s->free_count++] = number;
        }
    }
    s->waiting_count = kept;
}

/* Whether what `form` leaves out is in the batch at all: else the next form is the same message. */
static bool form_matters(const struct skua_sender *s, const struct skua_send_slot *slot,
                         enum skua_send_form form)
{
    const struct skua_socket *sock = &s->sockets[slot->tx.path.socket];
    switch (form) {
    case SKUA_FORM_GSO:
    case SKUA_FORM_PLAIN:
        return true;
    case SKUA_FORM_NO_ECN:
        return slot->tx.ecn != 0 && sock->ecn;
    case SKUA_FORM_BARE:
        return slot->tx.path.local.family != SKUA_FAMILY_NONE && sock->pktinfo;
    }
    return false;
}

static void write_message(struct skua_sender *s, size_t m, uint8_t number, size_t offset,
                          size_t len)
{
    const struct skua_send_slot *slot = &s->slots[number];
    const struct skua_tx *tx = &slot->tx;
    const struct skua_socket *sock = &s->sockets[tx->path.socket];
    bool source = slot->form < SKUA_FORM_BARE && sock->pktinfo;
    struct skua_control_out out = {.segment_size =
                                       len > tx->segment_size ? (uint16_t)tx->segment_size : 0,
                                   .ecn = slot->form < SKUA_FORM_NO_ECN && sock->ecn ? tx->ecn : 0,
                                   .family = sock->local.family,
                                   .local = source ? &tx->path.local : NULL};
    s->vecs[m] = (struct iovec){.iov_base = tx->data + offset, .iov_len = len};
    size_t control_len = skua_control_write(&s->controls[m], &out);
    s->messages[m].msg_hdr =
        (struct msghdr){.msg_name = &s->names[m],
                        .msg_namelen = skua_address_to_kernel(&s->names[m], &tx->path.remote),
                        .msg_iov = &s->vecs[m],
                        .msg_iovlen = 1,
                        .msg_control = control_len == 0 ? NULL : &s->controls[m],
                        .msg_controllen = control_len};
    s->owners[m] = number;
}

/* Messages of socket `index`, oldest first; how many. */
static size_t gather(struct skua_sender *s, uint32_t index)
{
    size_t count = 0;
    for (size_t i = 0; i < s->waiting_count; i++) {
        uint8_t number = s->waiting[i];
        const struct skua_send_slot *slot = &s->slots[number];
        if (slot->tx.path.socket != index) {
            continue;
        }
        for (size_t at = slot->sent; at < slot->tx.len; count++) {
            size_t left = slot->tx.len - at;
            size_t one = left < slot->tx.segment_size ? left : slot->tx.segment_size;
            size_t len = slot->form == SKUA_FORM_GSO ? left : one;
            if (count == SKUA_SEND_MESSAGES) {
                return count;
            }
            write_message(s, count, number, at, len);
            at += len;
        }
    }
    return count;
}

/* May message `m` leave on a socket whose datagrams may be fragmented? */
static bool is_small(const struct skua_sender *s, size_t m)
{
    const struct skua_tx *tx = &s->slots[s->owners[m]].tx;
    size_t len = s->vecs[m].iov_len;
    return (len < tx->segment_size ? len : tx->segment_size) <= UNFRAGMENTED ||
           tx->first_pn == UINT64_MAX;
}

/* One system call for the first messages of `count`; how many the kernel took, or -1. */
static int transmit(struct skua_sender *s, const struct skua_socket *sock, size_t count)
{
    int fd = sock->fd;
    if (fd < 0) { /* a path of the program's with a socket that was never bound */
        errno = EADDRNOTAVAIL;
        return -1;
    }
    if (sock->fragments) {
        size_t small = 0;
        while (small < count && is_small(s, small)) {
            small++;
        }
        if (small == 0) {
            errno = EMSGSIZE;
            return -1;
        }
        count = small;
    }
    for (;;) {
        s->stats->send_calls++;
        int n;
        if (s->single) {
            n = s->sys->sendmsg(fd, &s->messages[0].msg_hdr, MSG_DONTWAIT) < 0 ? -1 : 1;
        } else {
            n = s->sys->sendmmsg(fd, s->messages, (unsigned)count, MSG_DONTWAIT);
        }
        if (n >= 0 || (errno != EINTR && (errno != ENOSYS || s->single))) {
            return n;
        }
        s->single = s->single || errno == ENOSYS;
    }
}

/* A message of the slot went through in a form to which a refusal had led: what is to blame? */
static void learn(struct skua_socket *sock, struct skua_send_slot *slot)
{
    bool of_the_moment = slot->refusal == EMSGSIZE || slot->refusal == ENOBUFS;
    switch (slot->form) {
    case SKUA_FORM_GSO:
        sock->gso_strikes = 0;
        break;
    case SKUA_FORM_PLAIN:
        if (slot->refusal != 0) {
            sock->gso_strikes++;
            sock->gso = sock->gso && of_the_moment && sock->gso_strikes < STRIKES_MAX;
        }
        break;
    case SKUA_FORM_NO_ECN:
        sock->ecn = sock->ecn && slot->refusal == 0;
        break;
    case SKUA_FORM_BARE:
        if (slot->refusal != 0) {
            sock->pktinfo_strikes++;
            sock->pktinfo = sock->pktinfo && sock->pktinfo_strikes < STRIKES_MAX;
        }
        break;
    }
    slot->refusal = 0;
}

/* The kernel took the first `n` messages. */
static void account(struct skua_sender *s, size_t n)
{
    for (size_t m = 0; m < n; m++) {
        struct skua_send_slot *slot = &s->slots[s->owners[m]];
        struct skua_socket *sock = &s->sockets[slot->tx.path.socket];
        size_t len = s->vecs[m].iov_len;
        if (slot->form < SKUA_FORM_BARE && slot->tx.path.local.family != SKUA_FAMILY_NONE) {
            sock->pktinfo_strikes = 0;
        }
        learn(sock, slot);
        slot->sent += len;
        s->stats->send_bytes += len;
        s->stats->send_datagrams += (len + slot->tx.segment_size - 1) / slot->tx.segment_size;
    }
}

/* The first datagram left of `slot` will not go: tell, and leave it out. */
static void refuse(struct skua_sender *s, struct skua_send_slot *slot, int error)
{
    struct skua_tx tx = slot->tx;
    size_t left = tx.len - slot->sent;
    tx.data += slot->sent;
    tx.len = left < tx.segment_size ? left : tx.segment_size;
    tx.cap = tx.len;
    if (tx.first_pn != UINT64_MAX) {
        tx.first_pn += slot->sent / slot->tx.segment_size;
    }
    slot->sent += tx.len;
    slot->refusal = 0; /* what goes through next says nothing about the form */
    s->stats->send_errors++;
    s->stats->send_errno = error;
    s->refusals.refused(s->refusals.user, &tx, error);
}

/* The slot's next form after `error`; false where there is none that could help. */
static bool step_form(struct skua_sender *s, struct skua_send_slot *slot, int error)
{
    bool control = error == EINVAL || error == EIO || error == EOPNOTSUPP || error == ENOPROTOOPT;
    bool size = error == EMSGSIZE || error == ENOBUFS;
    if (slot->form == SKUA_FORM_GSO && (control || size)) {
        slot->form = SKUA_FORM_PLAIN;
        slot->refusal = error;
        s->stats->gso_refused++;
        return true;
    }
    for (unsigned form = slot->form + 1U; control && form <= SKUA_FORM_BARE; form++) {
        if (form_matters(s, slot, (enum skua_send_form)form)) {
            slot->form = (enum skua_send_form)form;
            slot->refusal = error;
            s->stats->control_refused++;
            return true;
        }
    }
    return false;
}

/* Sends what waits for socket `index`. */
static void flush_socket(struct skua_sender *s, uint32_t index)
{
    struct skua_socket *sock = &s->sockets[index];
    unsigned icmp_retries = 0;
    for (size_t count = gather(s, index); count != 0; count = gather(s, index)) {
        int n = transmit(s, sock, count);
        SKUA_ASSERT(n != 0);
        if (n > 0) {
            account(s, (size_t)n);
            continue;
        }
        int error = errno;
        if (error == EAGAIN) {
            sock->blocked = true;
            s->stats->send_blocked++;
            return;
        }
        if (icmp_retries < ICMP_RETRIES_MAX &&
            skua_error_queue_drain(sock, s->sys, &s->icmp) != 0) {
            icmp_retries++;
            continue;
        }
        struct skua_send_slot *slot = &s->slots[s->owners[0]];
        if (!step_form(s, slot, error)) {
            refuse(s, slot, error);
        }
    }
}

void skua_sender_flush(struct skua_sender *sender)
{
    uint32_t todo = 0; /* bit set of sockets */
    for (size_t i = 0; i < sender->waiting_count; i++) {
        todo |= UINT32_C(1) << sender->slots[sender->waiting[i]].tx.path.socket;
    }
    for (uint32_t index = 0; todo >> index != 0; index++) {
        if ((todo >> index & 1) != 0 && !sender->sockets[index].blocked) {
            flush_socket(sender, index);
        }
    }
    release_done(sender);
}

void skua_sender_check(const struct skua_sender *sender)
{
    uint32_t seen = 0;
    SKUA_ASSERT(sender->waiting_count + sender->free_count == SKUA_SEND_SLOTS);
    for (size_t i = 0; i < SKUA_SEND_SLOTS; i++) {
        bool waits = i < sender->waiting_count;
        uint8_t number = waits ? sender->waiting[i] : sender->free[i - sender->waiting_count];
        const struct skua_send_slot *slot = &sender->slots[number];
        SKUA_ASSERT((seen >> number & 1) == 0);
        SKUA_ASSERT(!waits || slot->sent < slot->tx.len);
        seen |= UINT32_C(1) << number;
    }
}
