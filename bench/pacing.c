/* How exactly the driver paces: two processes on loopback, one core each, and a controller that
 * holds the pacing rate where it is told to.
 *
 *   pacing GBIT_PER_S [SECONDS [UDP_PAYLOAD [CIPHER]]]      CIPHER: aes, chacha, aegis
 *
 * Prints one line of JSON: UDP payload sent per second over the rate asked for, and what that cost:
 * wake-ups of the timer, timerfd_settime, loop turns, share of the sender's core. The controller is
 * put into the connection from here, through the interface that all controllers have. A timer that
 * is late by more than 1 ms is not made up for, so other work on the two cores shows in the rate;
 * `chrt -f 10` in front keeps it away. */
#include <ev.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <skua/skua_ev.h>

#include "cc/cc.h"
#include "endpoint/endpoint.h"

enum { CHUNK = 1 << 20, WINDOW = 32 << 20 };
#define WARM_UP_S 0.5

/* How to reach the receiver. */
struct address {
    uint16_t port;
    struct skua_key key;
};

/* A point in time and what was done until then. */
struct sample {
    double seconds;
    double cpu_seconds;
    struct skua_conn_stats conn;
    struct skua_ev_stats driver;
};

static uint64_t held_rate; /* bytes per second */
static double duration;
static skua_conn the_conn;
static skua_stream the_stream;
static struct sample first;
static uint8_t chunk[CHUNK];

/* --- the controller: nothing moves it */

static void held_init(struct skua_cc *cc, skua_time now)
{
    (void)now;
    cc->cwnd = WINDOW;
    cc->ssthresh = WINDOW;
}

static void held_on_sent(struct skua_cc *cc, const struct skua_cc_sent *sent, skua_time now)
{
    (void)cc;
    (void)sent;
    (void)now;
}

static void held_on_ack(struct skua_cc *cc, const struct skua_cc_ack *ack, skua_time now)
{
    (void)cc;
    (void)ack;
    (void)now;
}

static void held_on_ce(struct skua_cc *cc, const struct skua_cc_ce *ce, skua_time now)
{
    (void)cc;
    (void)ce;
    (void)now;
}

static void held_on_loss(struct skua_cc *cc, const struct skua_cc_loss *loss, skua_time now)
{
    (void)cc;
    (void)loss;
    (void)now;
}

static void held_on_spurious(struct skua_cc *cc, const struct skua_cc_spurious *spurious,
                             skua_time now)
{
    (void)cc;
    (void)spurious;
    (void)now;
}

static void held_on_mtu(struct skua_cc *cc, uint32_t old_mtu)
{
    (void)cc;
    (void)old_mtu;
}

static uint64_t held_pacing_rate(const struct skua_cc *cc)
{
    (void)cc;
    return held_rate;
}

static const struct skua_cc_ops held = {
    .controller = SKUA_CONTROLLER_DEFAULT, /* none of them */
    .init = held_init,
    .on_sent = held_on_sent,
    .on_ack = held_on_ack,
    .on_ce = held_on_ce,
    .on_loss = held_on_loss,
    .on_spurious = held_on_spurious,
    .on_mtu = held_on_mtu,
    .pacing_rate = held_pacing_rate,
};

/* --- both sides */

static void fail(const char *what, enum skua_err err)
{
    fprintf(stderr, "pacing: %s: %s\n", what, skua_strerror(err));
    exit(1);
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set); /* one core is enough to run, if not to measure */
}

static void read_all(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    struct skua_vec vec[16];
    size_t count = 16;
    while (skua_stream_peek(ep, event->stream, vec, &count) == SKUA_OK) {
        size_t len = 0;
        for (size_t i = 0; i < count; i++) {
            len += vec[i].len;
        }
        (void)skua_stream_consume(ep, event->stream, len);
        count = 16;
    }
}

static void receive(struct skua_ev_config *config, int out)
{
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    struct skua_ev *ev;
    struct skua_addr addr;
    struct address address;
    config->handlers.readable = read_all;
    enum skua_err err = skua_ev_new(&ev, loop, config);
    if (err == SKUA_OK) {
        err = skua_ev_listen(ev, "127.0.0.1:0", NULL);
    }
    if (err == SKUA_OK) {
        err = skua_ev_local_addr(ev, 0, &addr);
    }
    if (err != SKUA_OK) {
        fail("receiver", err);
    }
    memset(&address, 0, sizeof address);
    address.port = addr.port;
    address.key = *skua_endpoint_key(skua_ev_endpoint(ev));
    if (write(out, &address, sizeof address) != (ssize_t)sizeof address) {
        exit(1);
    }
    ev_run(loop, 0);
}

/* --- the sender */

static void take_sample(struct skua_ev *ev, struct sample *sample)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    sample->cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                          (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
    sample->seconds = (double)skua_ev_now(ev) * 1e-9;
    (void)skua_conn_stats(skua_ev_endpoint(ev), the_conn, &sample->conn);
    skua_ev_stats(ev, &sample->driver);
}

static void report(struct skua_ev *ev)
{
    struct sample last;
    take_sample(ev, &last);
    double seconds = last.seconds - first.seconds;
    double rate = (double)(last.conn.bytes_sent - first.conn.bytes_sent) / seconds;
    printf("{\"gbit_per_s\": %.3f, \"of_rate\": %.4f, \"timer_arms_per_s\": %.0f, "
           "\"timer_fires_per_s\": %.0f, \"turns_per_s\": %.0f, \"send_calls_per_s\": %.0f, "
           "\"cpu_share\": %.3f, \"lost\": %llu, \"mtu\": %llu}\n",
           rate * 8e-9, rate / (double)held_rate,
           (double)(last.driver.timer_arms - first.driver.timer_arms) / seconds,
           (double)(last.driver.timer_fires - first.driver.timer_fires) / seconds,
           (double)(last.driver.turns - first.driver.turns) / seconds,
           (double)(last.driver.send_calls - first.driver.send_calls) / seconds,
           (last.cpu_seconds - first.cpu_seconds) / seconds,
           (unsigned long long)(last.conn.packets_lost - first.conn.packets_lost),
           (unsigned long long)last.conn.mtu);
}

static void lend(struct skua_ev *ev)
{
    while (skua_stream_lend(skua_ev_endpoint(ev), the_stream, chunk, sizeof chunk) == SKUA_OK) {
    }
}

static void on_writable(struct skua_ev *ev, const struct skua_event *event)
{
    (void)event;
    lend(ev);
}

static void on_established(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    struct skua_connection *c = skua_endpoint_conn(ep, event->conn);
    if (c == NULL) {
        fail("connection", SKUA_ECLOSED);
    }
    the_conn = event->conn;
    skua_cc_init(&c->cc, &held, c->cc.mtu, skua_ev_now(ev));
    enum skua_err err = skua_stream_open(ep, the_conn, SKUA_STREAM_UNI, &the_stream);
    if (err != SKUA_OK) {
        fail("stream", err);
    }
    lend(ev);
}

static void on_closed(struct skua_ev *ev, const struct skua_event *event)
{
    (void)ev;
    fail("connection", event->error);
}

static void on_begin(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    take_sample(timer->data, &first);
}

static void on_end(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
    (void)revents;
    report(timer->data);
    ev_break(loop, EVBREAK_ALL);
}

static void send_all(struct skua_ev_config *config, const struct address *address)
{
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    struct skua_conn_config conn = SKUA_CONN_CONFIG_INIT;
    struct skua_ev *ev;
    struct ev_timer begin;
    struct ev_timer end;
    config->handlers.established = on_established;
    config->handlers.writable = on_writable;
    config->handlers.closed = on_closed;
    conn.server_key = &address->key;
    enum skua_err err = skua_ev_new(&ev, loop, config);
    if (err == SKUA_OK) {
        err = skua_ev_connect(ev, "127.0.0.1", address->port, &conn, NULL);
    }
    if (err != SKUA_OK) {
        fail("sender", err);
    }
    ev_timer_init(&begin, on_begin, WARM_UP_S, 0.);
    ev_timer_init(&end, on_end, WARM_UP_S + duration, 0.);
    begin.data = ev;
    end.data = ev;
    ev_timer_start(loop, &begin);
    ev_timer_start(loop, &end);
    ev_run(loop, 0);
}

static uint8_t suite_of(const char *name)
{
    if (strcmp(name, "aes") == 0) {
        return SKUA_SUITE_AES_256_GCM;
    }
    return strcmp(name, "aegis") == 0 ? SKUA_SUITE_AEGIS_128L : SKUA_SUITE_CHACHA20_POLY1305;
}

int main(int argc, char **argv)
{
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    struct address address;
    int pipes[2];
    if (argc < 2 || argc > 5 || atof(argv[1]) <= 0 || pipe(pipes) != 0) {
        fprintf(stderr, "usage: pacing GBIT_PER_S [SECONDS [UDP_PAYLOAD [CIPHER]]]\n");
        return 2;
    }
    held_rate = (uint64_t)(atof(argv[1]) * 1e9 / 8);
    duration = argc > 2 ? atof(argv[2]) : 2;
    config.endpoint.max_udp_payload = (uint16_t)(argc > 3 ? atoi(argv[3]) : 1452);
    config.endpoint.suites = suite_of(argc > 4 ? argv[4] : "aes");
    pid_t child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(1);
        receive(&config, pipes[1]);
        return 0;
    }
    pin(0);
    if (child < 0 || read(pipes[0], &address, sizeof address) != (ssize_t)sizeof address) {
        return 1;
    }
    send_all(&config, &address);
    return 0;
}
