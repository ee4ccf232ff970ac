/* The other side of flood.c: the client that means it, and the senders that do not. */
#include <ev.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "flood.h"

enum { BATCH = 32, SYN_MAX = 1500, SOURCE_PORT_ROOM = 1, GAP_MS = 10 };

static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* --- the client */

struct client {
    struct flood *flood;
    struct flood_attempts *attempts;
    struct skua_ev *ev;
    struct ev_timer gap; /* until the next attempt */
    uint64_t begun_ns;   /* the first attempt */
    uint64_t tried_ns;   /* this one */
};

static void try_again(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
    struct client *c = timer->data;
    struct flood_attempts *a = c->attempts;
    uint64_t now = now_ns();
    (void)loop;
    (void)revents;
    bool enough = a->limit != 0 ? a->count + a->failed >= a->limit
                                : now - c->begun_ns > (uint64_t)(a->seconds * 1e9);
    if (enough || a->count == FLOOD_ATTEMPTS_MAX) {
        skua_ev_free(c->ev);
        return;
    }
    c->tried_ns = now;
    flood_check(skua_ev_connect(c->ev, "127.0.0.1", c->flood->port, NULL, NULL) == SKUA_OK,
                "cannot connect");
}

static void wait_a_little(struct client *c)
{
    ev_timer_set(&c->gap, GAP_MS / 1e3, 0.);
    ev_timer_start(skua_ev_loop(c->ev), &c->gap);
}

static void on_established(struct skua_ev *ev, const struct skua_event *event)
{
    struct client *c = skua_ev_user(ev);
    struct flood_attempts *a = c->attempts;
    struct skua_conn_stats stats;
    double ms = (double)(now_ns() - c->tried_ns) / 1e6;
    flood_check(skua_conn_stats(skua_ev_endpoint(ev), event->conn, &stats) == SKUA_OK, "no stats");
    a->ms[a->count++] = ms;
    if (ms >= 1000) { /* the first repeat is due after a second */
        a->repeated++;
    } else { /* nothing but SYNs has been sent so far */
        a->plain += stats.packets_sent == 1;
        a->one_more += stats.packets_sent == 2;
        a->more += stats.packets_sent > 2;
    }
    (void)skua_conn_abort(skua_ev_endpoint(ev), event->conn, 0, NULL);
    wait_a_little(c);
}

static void on_closed(struct skua_ev *ev, const struct skua_event *event)
{
    struct client *c = skua_ev_user(ev);
    c->attempts->failed += event->error != SKUA_OK;
    wait_a_little(c);
}

void flood_connect(struct flood *flood, struct flood_attempts *attempts)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    struct client c = {.flood = flood, .attempts = attempts, .begun_ns = now_ns()};
    config.handlers.established = on_established;
    config.handlers.closed = on_closed;
    config.user = &c;
    flood_check(skua_ev_new(&c.ev, loop, &config) == SKUA_OK, "no driver");
    ev_timer_init(&c.gap, try_again, GAP_MS / 1e3, 0.);
    c.gap.data = &c;
    ev_timer_start(loop, &c.gap);
    ev_run(loop, 0);
    ev_loop_destroy(loop);
}

/* --- the generator */

static uint64_t seed = 1;

static uint64_t next_random(void)
{
    uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void randomise(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t v = next_random();
        memcpy(out + i, &v, len - i < 8 ? len - i : 8);
    }
}

/* An honest SYN, from an endpoint without a socket; its length. */
static size_t make_syn(uint8_t *out)
{
    struct skua_endpoint *ep;
    struct skua_secret_key key;
    struct skua_config config = SKUA_CONFIG_INIT;
    const struct skua_path path = {.remote = {.family = SKUA_FAMILY_IPV4, .port = 1}};
    struct skua_tx tx = {.data = out, .cap = SYN_MAX, .max_segments = 1};
    skua_conn conn;
    skua_key_generate(&key, skua_ev_rng());
    config.key = &key;
    config.rng = skua_ev_rng();
    flood_check(skua_endpoint_new(&ep, &config) == SKUA_OK &&
                    skua_conn_connect(ep, &path, NULL, &conn) == SKUA_OK,
                "no SYN");
    skua_endpoint_send(ep, &tx, 1);
    size_t len = tx.len;
    skua_endpoint_free(ep);
    return len;
}

/* One message: the socket it leaves by is bound to no address, so that each names its own. */
struct message {
    uint8_t syn[SYN_MAX];
    struct iovec vec;
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

static void forge(struct message *m)
{
    const struct in_pktinfo from = {
        .ipi_spec_dst.s_addr = htonl(0x7f000000U | (uint32_t)(next_random() % 0xfffffeU + 1))};
    struct cmsghdr *c = (struct cmsghdr *)(void *)m->control;
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof from);
    memcpy(CMSG_DATA(c), &from, sizeof from);
    randomise(m->syn + 6, 8);   /* dcid, behind type, version and length */
    randomise(m->syn + 15, 8);  /* scid */
    randomise(m->syn + 28, 32); /* e, behind token, pattern and length */
}

void flood_generate(struct flood *flood)
{
    static struct message messages[BATCH];
    static struct mmsghdr headers[BATCH];
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(flood->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int room = SOURCE_PORT_ROOM; /* what comes back is not read */
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    flood_check(fd >= 0, "socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    size_t len = make_syn(messages[0].syn);
    for (size_t i = 0; i < BATCH; i++) {
        struct message *m = &messages[i];
        memcpy(m->syn, messages[0].syn, len);
        m->vec = (struct iovec){.iov_base = m->syn, .iov_len = len};
        headers[i].msg_hdr = (struct msghdr){.msg_name = &to,
                                             .msg_namelen = sizeof to,
                                             .msg_iov = &m->vec,
                                             .msg_iovlen = 1,
                                             .msg_control = m->control,
                                             .msg_controllen = sizeof m->control};
    }
    uint64_t begin = now_ns();
    flood->began_ns = begin;
    for (uint64_t sent = 0;;) {
        double due = (double)(now_ns() - begin) * 1e-9 * (double)flood->rate;
        if (due < (double)(sent + BATCH)) {
            (void)usleep(100);
            continue;
        }
        for (size_t i = 0; i < BATCH; i++) {
            forge(&messages[i]);
        }
        int n = sendmmsg(fd, headers, BATCH, 0);
        flood_check(n > 0, "sendmmsg");
        sent += (uint64_t)n;
        flood->sent = sent;
    }
}
