/* The two servers of flood.c: Skua, and one that only answers. */
#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "flood.h"

enum { BATCH = 64, ANSWER = 65, BUFFER = 2048, REPORT_MS = 100 };

static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t cpu_ns(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000 +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

/* Pages of this process that are in memory, in KiB. */
static uint64_t resident_kib(void)
{
    unsigned long long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f != NULL) {
        if (fscanf(f, "%llu %llu", &total, &resident) != 2) {
            resident = 0;
        }
        (void)fclose(f);
    }
    return resident * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void note_memory(struct flood *flood)
{
    uint64_t rss = resident_kib();
    flood->rss_kib = rss;
    if (flood->began_ns == 0) {
        return;
    }
    bool second = now_ns() - flood->began_ns > (uint64_t)(flood->seconds * 0.5e9);
    if (second && rss > flood->rss_peak_kib) {
        flood->rss_peak_kib = rss;
    } else if (!second && rss > flood->rss_half_kib) {
        flood->rss_half_kib = rss;
    }
}

static void report(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
    struct skua_ev *ev = timer->data;
    struct flood *flood = skua_ev_user(ev);
    struct skua_endpoint_stats stats;
    struct skua_ev_stats driver;
    (void)loop;
    (void)revents;
    skua_endpoint_stats(skua_ev_endpoint(ev), &stats);
    skua_ev_stats(ev, &driver);
    for (size_t i = 0; i < sizeof stats.verdicts / sizeof stats.verdicts[0]; i++) {
        flood->verdicts[i] = stats.verdicts[i];
    }
    flood->received = stats.datagrams_received;
    flood->drops = driver.recv_drops;
    flood->cpu_ns = cpu_ns();
    note_memory(flood);
}

static void on_finished(struct skua_ev *ev, const struct skua_event *event)
{
    (void)skua_conn_close(skua_ev_endpoint(ev), event->conn);
}

void flood_serve(struct flood *flood)
{
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    struct skua_ev *ev;
    struct skua_addr addr;
    struct ev_timer timer;
    config.handlers.finished = on_finished;
    config.user = flood;
    listen.retry = (enum skua_retry_mode)flood->retry;
    flood_check(skua_ev_new(&ev, loop, &config) == SKUA_OK, "no driver");
    flood_check(skua_ev_listen(ev, "127.0.0.1:0", &listen) == SKUA_OK, "cannot listen");
    flood_check(skua_ev_local_addr(ev, 0, &addr) == SKUA_OK, "no address");
    ev_timer_init(&timer, report, 0., REPORT_MS / 1e3);
    timer.data = ev;
    ev_timer_start(loop, &timer);
    flood->port = addr.port;
    ev_run(loop, 0);
}

void flood_echo(struct flood *flood)
{
    static uint8_t buffers[BATCH][BUFFER];
    static struct mmsghdr messages[BATCH];
    static struct iovec vecs[BATCH];
    static struct sockaddr_in names[BATCH];
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof own;
    const int room = 4 << 20;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    flood_check(fd >= 0 && bind(fd, (struct sockaddr *)&own, sizeof own) == 0 &&
                    getsockname(fd, (struct sockaddr *)&own, &len) == 0,
                "socket");
    flood->port = ntohs(own.sin_port);
    uint64_t reported = 0;
    for (;;) {
        for (size_t i = 0; i < BATCH; i++) {
            vecs[i] = (struct iovec){.iov_base = buffers[i], .iov_len = BUFFER};
            messages[i].msg_hdr = (struct msghdr){.msg_name = &names[i],
                                                  .msg_namelen = sizeof names[i],
                                                  .msg_iov = &vecs[i],
                                                  .msg_iovlen = 1};
        }
        int n = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < n; i++) {
            vecs[i].iov_len = ANSWER;
        }
        if (n > 0) {
            (void)sendmmsg(fd, messages, (unsigned)n, 0);
            flood->received += (uint64_t)n;
        }
        uint64_t now = now_ns();
        if (now - reported > (uint64_t)REPORT_MS * 1000000) {
            reported = now;
            flood->cpu_ns = cpu_ns();
        }
    }
}
