/* The link emulator at work (link_run.h).
 *
 * One turn of the loop: receive what there is, deliver what is due, set the timer. Packets that
 * become due within link->coalesce_ns are delivered in one turn, which costs at most that much
 * lateness and lets a stream of packets leave in few system calls; the summary reports the worst
 * lateness.
 */
#include "link_run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "exit_codes.h"
#include "link_nat.h"
#include "link_queue.h"

enum {
    EVENT_LISTEN,
    EVENT_TIMER,
    EVENT_SIGNAL,
    EVENTS = 64,  /* taken per turn */
    RECEIVES = 32 /* per socket and turn */
};

/* Limits of the shortest time that the timer is set for. */
#define COALESCE_MIN (50 * SKUA_USEC)
#define COALESCE_MAX (250 * SKUA_USEC)

/* How often the flow table is searched for idle ones. */
#define EXPIRE_EVERY SKUA_SEC

struct link {
    const struct skua_link_setup *setup;
    struct skua_link_dir dirs[SKUA_LINK_DIRS];
    struct skua_link_queue queues[SKUA_LINK_DIRS];
    struct skua_link_pool pool;
    struct skua_link_nat nat;
    int epoll, listener, timer, signals;
    uint32_t listener_overflow;         /* last count of drops that the listener reported */
    skua_time armed;                    /* when the timer fires, or SKUA_NEVER */
    skua_time coalesce_ns;              /* shortest time that the timer is set for */
    skua_time next_rebind;              /* or SKUA_NEVER */
    skua_time move_at;                  /* or SKUA_NEVER */
    skua_time next_expire;              /* next look at idle flows */
    uint8_t scratch[SKUA_LINK_RX_ROOM]; /* receives what there is no memory for */
};

static skua_time clock_now(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (skua_time)ts.tv_sec * SKUA_SEC + (skua_time)ts.tv_nsec;
}

/* One datagram at `data` inside the chunk under construction. */
static void offer(struct link *link, int direction, uint32_t flow, uint8_t *data, size_t len,
                  uint8_t ecn, skua_time now)
{
    struct skua_link_dir *dir = &link->dirs[direction];
    struct skua_link_fate fate;
    skua_link_offer(dir, len, &fate, now);
    if (fate.verdict != SKUA_LINK_DELIVER) {
        return;
    }
    if (fate.corrupt) {
        data[fate.corrupt_bit / 8] ^= (uint8_t)(1U << (fate.corrupt_bit % 8));
    }
    const struct skua_link_packet packet = {
        .due = fate.due,
        .number = fate.number,
        .chunk = link->pool.current,
        .offset = (uint32_t)(data - link->pool.current->data),
        .len = (uint32_t)len,
        .flow = flow,
        .ecn = ecn,
    };
    for (unsigned i = 0; i < fate.copies; i++) {
        if (skua_link_queue_push(&link->queues[direction], &packet, fate.held)) {
            link->nat.flows[flow].under_way++;
        } else {
            dir->counts.memory_full++;
        }
    }
}

static void count_overflow(struct link *link, int direction, uint32_t *last, uint32_t reported)
{
    if (reported != *last && reported != 0) {
        link->dirs[direction].counts.socket_overflow += (uint32_t)(reported - *last);
        *last = reported;
    }
}

/* Receives from the listener (`flow` is SKUA_LINK_NO_FLOW) or from a flow's socket. */
static void receive(struct link *link, int direction, uint32_t flow)
{
    const bool down = direction == SKUA_LINK_DOWN;
    const int fd = down ? link->nat.flows[flow].fd : link->listener;
    for (int i = 0; i < RECEIVES; i++) {
        uint8_t *room = skua_link_pool_room(&link->pool);
        struct skua_link_rx rx;
        if (!skua_link_socket_receive(fd, room != NULL ? room : link->scratch, &rx)) {
            return;
        }
        const skua_time now = clock_now();
        if (!down) {
            flow = skua_link_nat_find(&link->nat, &rx.from, now);
        }
        count_overflow(link, direction,
                       down ? &link->nat.flows[flow].overflow : &link->listener_overflow,
                       rx.overflow);
        if (flow == SKUA_LINK_NO_FLOW) {
            continue;
        }
        link->nat.flows[flow].used = now;
        if (room == NULL) {
            const size_t segment = rx.segment > 0 ? rx.segment : 1;
            link->dirs[direction].counts.memory_full += (rx.len + segment - 1) / segment;
            continue;
        }
        size_t at = 0;
        do {
            const size_t len = rx.len - at < rx.segment ? rx.len - at : rx.segment;
            offer(link, direction, flow, room + at, len, rx.ecn, now);
            at += len;
        } while (at < rx.len);
        skua_link_pool_take(&link->pool, rx.len);
    }
}

/* Packets popped from a queue for one send. */
struct batch {
    struct skua_link_tx tx;
    struct skua_link_packet packets[SKUA_LINK_BATCH];
};

/* Whether `packet` can go in the same call as those in the batch: the same receiver and marking,
 * and no longer than the first, which all but the last must equal. */
static bool joins(const struct batch *batch, const struct skua_link_packet *packet)
{
    const size_t count = batch->tx.count;
    if (count == 0) {
        return true;
    }
    const struct skua_link_packet *first = &batch->packets[0];
    const struct skua_link_packet *last = &batch->packets[count - 1];
    return count < SKUA_LINK_BATCH && packet->flow == first->flow && packet->ecn == first->ecn &&
           last->len == first->len && packet->len > 0 && packet->len <= first->len &&
           batch->tx.bytes + packet->len <= SKUA_LINK_BATCH_BYTES;
}

static void add_to_batch(struct batch *batch, const struct skua_link_packet *packet)
{
    struct iovec *piece = &batch->tx.pieces[batch->tx.count];
    piece->iov_base = packet->chunk->data + packet->offset;
    piece->iov_len = packet->len;
    batch->packets[batch->tx.count++] = *packet;
    batch->tx.bytes += packet->len;
    batch->tx.ecn = packet->ecn;
}

/* Sends the batch, keeps the books and empties it. */
static void flush(struct link *link, int direction, struct batch *batch, skua_time now)
{
    if (batch->tx.count == 0) {
        return;
    }
    struct skua_link_counts *counts = &link->dirs[direction].counts;
    struct skua_link_flow *flow = &link->nat.flows[batch->packets[0].flow];
    const bool up = direction == SKUA_LINK_UP;
    batch->tx.to = up ? NULL : &flow->client;
    const size_t sent = skua_link_socket_send(up ? flow->fd : link->listener, &batch->tx);
    counts->send_failed += batch->tx.count - sent;
    counts->packets_out += sent;
    for (size_t i = 0; i < batch->tx.count; i++) {
        const struct skua_link_packet *packet = &batch->packets[i];
        if (i < sent) {
            counts->bytes_out += packet->len;
        }
        if (packet->number + 1 < flow->newest[direction]) {
            counts->reordered++;
        } else {
            flow->newest[direction] = packet->number + 1;
        }
        if (now - packet->due > counts->late_max_ns) {
            counts->late_max_ns = now - packet->due;
        }
        flow->under_way--;
        skua_link_packet_release(&link->pool, packet);
    }
    batch->tx.count = 0;
    batch->tx.bytes = 0;
}

static void deliver(struct link *link, int direction, skua_time now)
{
    struct skua_link_queue *queue = &link->queues[direction];
    struct batch batch;
    batch.tx.count = 0;
    batch.tx.bytes = 0;
    for (;;) {
        const struct skua_link_packet *next = skua_link_queue_peek(queue);
        if (next == NULL || next->due > now) {
            break;
        }
        if (!joins(&batch, next)) {
            flush(link, direction, &batch, now);
        }
        const struct skua_link_packet packet = skua_link_queue_pop(queue);
        add_to_batch(&batch, &packet);
    }
    flush(link, direction, &batch, now);
}

static void keep_house(struct link *link, skua_time now)
{
    if (now >= link->move_at) {
        skua_link_nat_move(&link->nat, &link->setup->move_to);
        skua_link_nat_rebind(&link->nat, now);
        link->move_at = SKUA_NEVER;
    }
    if (now >= link->next_rebind) {
        skua_link_nat_rebind(&link->nat, now);
        link->next_rebind = now + link->setup->rebind_every_ns;
    }
    if (now >= link->next_expire) {
        skua_link_nat_expire(&link->nat, link->setup->flow_timeout_ns, now);
        link->next_expire = now + EXPIRE_EVERY;
    }
}

/* Sets the timer for the next thing to do. One that fires early costs an idle turn, which is less
 * than setting it anew each time: it is only ever moved forward. */
static void arm(struct link *link, skua_time now)
{
    skua_time target =
        link->next_rebind < link->next_expire ? link->next_rebind : link->next_expire;
    target = link->move_at < target ? link->move_at : target;
    for (int i = 0; i < SKUA_LINK_DIRS; i++) {
        const struct skua_link_packet *next = skua_link_queue_peek(&link->queues[i]);
        if (next != NULL && next->due < target) {
            target = next->due;
        }
    }
    if (target < now + link->coalesce_ns) {
        target = now + link->coalesce_ns;
    }
    if (link->armed > now && link->armed <= target) {
        return;
    }
    const struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(target / SKUA_SEC), .tv_nsec = (long)(target % SKUA_SEC)},
    };
    (void)timerfd_settime(link->timer, TFD_TIMER_ABSTIME, &when, NULL);
    link->armed = target;
}

/* Runs until a signal asks to stop. */
static void loop(struct link *link)
{
    bool stop = false;
    while (!stop) {
        struct epoll_event events[EVENTS];
        const int n = epoll_wait(link->epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            const uint64_t what = events[i].data.u64;
            if (what == EVENT_LISTEN) {
                receive(link, SKUA_LINK_UP, SKUA_LINK_NO_FLOW);
            } else if (what == EVENT_SIGNAL) {
                stop = true;
            } else if (what >= SKUA_LINK_EVENT_FLOW) {
                receive(link, SKUA_LINK_DOWN, (uint32_t)(what - SKUA_LINK_EVENT_FLOW));
            }
        }
        const skua_time now = clock_now();
        deliver(link, SKUA_LINK_UP, now);
        deliver(link, SKUA_LINK_DOWN, now);
        keep_house(link, now);
        arm(link, now);
    }
}

static skua_time choose_coalescing(const struct skua_link_setup *setup)
{
    const uint64_t up = setup->params[SKUA_LINK_UP].delay_ns;
    const uint64_t down = setup->params[SKUA_LINK_DOWN].delay_ns;
    const uint64_t share = (up < down ? up : down) / 50;
    return share < COALESCE_MIN ? COALESCE_MIN : share > COALESCE_MAX ? COALESCE_MAX : share;
}

static bool watch(struct link *link, int fd, uint64_t what, uint32_t how)
{
    struct epoll_event event = {.events = how, .data.u64 = what};
    return fd >= 0 && epoll_ctl(link->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Timer events are edge-triggered: setting the timer anew makes reading it unnecessary. */
static bool open_all(struct link *link)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    link->epoll = epoll_create1(EPOLL_CLOEXEC);
    link->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    link->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    link->listener = skua_link_socket_open(&link->setup->listen, NULL);
    return link->epoll >= 0 && watch(link, link->listener, EVENT_LISTEN, EPOLLIN) &&
           watch(link, link->timer, EVENT_TIMER, EPOLLIN | EPOLLET) &&
           watch(link, link->signals, EVENT_SIGNAL, EPOLLIN);
}

static void close_all(struct link *link)
{
    const int fds[] = {link->listener, link->timer, link->signals, link->epoll};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
}

/* Says where it listens; false where that cannot be said, which main reports. */
static bool announce(const struct link *link)
{
    struct skua_link_addr bound = {.len = sizeof bound.v6};
    char text[80];
    (void)getsockname(link->listener, &bound.any, &bound.len);
    skua_link_addr_text(text, sizeof text, &bound);
    (void)printf("listening %s\n", text);
    return fflush(stdout) == 0 && ferror(stdout) == 0;
}

/* Copies the results out and gives back all memory. */
static void finish(struct link *link, struct skua_link_result *result, skua_time started)
{
    result->duration_ns = clock_now() - started;
    result->flows = link->nat.count;
    result->flows_refused = link->nat.refused;
    result->rebindings = link->nat.rebindings;
    for (int i = 0; i < SKUA_LINK_DIRS; i++) {
        result->counts[i] = link->dirs[i].counts;
        result->under_way[i] = skua_link_queue_count(&link->queues[i]);
        while (skua_link_queue_count(&link->queues[i]) > 0) {
            const struct skua_link_packet packet = skua_link_queue_pop(&link->queues[i]);
            skua_link_packet_release(&link->pool, &packet);
        }
        skua_link_queue_deinit(&link->queues[i]);
    }
    skua_link_pool_deinit(&link->pool);
}

int skua_link_run(const struct skua_link_setup *setup, struct skua_link_result *result)
{
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        (void)fprintf(stderr, "skua link: %s\n", strerror(ENOMEM));
        return SKUA_EXIT_LOCAL_IO;
    }
    link->setup = setup;
    link->pool.limit = (size_t)(setup->memory_bytes / SKUA_LINK_CHUNK_LEN) + 1;
    for (int i = 0; i < SKUA_LINK_DIRS; i++) {
        link->dirs[i] = (struct skua_link_dir){
            .params = setup->params[i],
            .seed = setup->seed,
            .direction = (uint64_t)i,
        };
    }
    const bool opened = open_all(link);
    const int error = errno;
    int code = opened ? SKUA_EXIT_OK : SKUA_EXIT_LISTEN;
    skua_link_nat_init(&link->nat, &setup->server, link->epoll);
    if (opened) {
        const skua_time started = clock_now();
        link->armed = SKUA_NEVER;
        link->coalesce_ns = choose_coalescing(setup);
        link->next_expire = started + EXPIRE_EVERY;
        link->next_rebind =
            setup->rebind_every_ns > 0 ? started + setup->rebind_every_ns : SKUA_NEVER;
        link->move_at = setup->move_to.len != 0 ? started + setup->move_after_ns : SKUA_NEVER;
        if (announce(link)) {
            arm(link, started);
            loop(link);
        } else {
            code = SKUA_EXIT_LOCAL_IO;
        }
        finish(link, result, started);
    } else {
        (void)fprintf(stderr, "skua link: cannot listen: %s\n", strerror(error));
    }
    skua_link_nat_deinit(&link->nat);
    close_all(link);
    free(link);
    return code;
}
