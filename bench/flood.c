/* A server under a flood of SYNs from forged addresses, and a client that wants in.
 *
 *   flood [--rate N] [--seconds S] [--retry never|pressure|always]    default: 100,000 per second,
 * 5 s, pressure
 *
 * Three processes on loopback. A server on libskua_ev with all defaults. A generator that sends
 * SYNs with ids and keys of their own, from random addresses of 127.0.0.0/8, all of which are this
 * machine's: no privilege is needed, and nothing leaves it. A client that connects again and again,
 * before and during the flood. Printed are what became of the client's attempts, how many more
 * round trips they took, the server's resident memory before, during and after, and what it
 * counted.
 *
 * Then the same flood meets a program that only answers each datagram with one of 65 bytes, by
 * recvmmsg and sendmmsg; printed is the processor time that both servers spent for each datagram.
 */
#include "flood.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CALM_ATTEMPTS = 25,
    ROUNDS_MAX = 101,
    REPORT_US = 300000, /* longer than servers take to report */
    SETTLE_US = 300000,
    ROUND_US = 1000000
};

void flood_check(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set); /* one core is enough to run, if not to measure */
}

/* Runs `run` in a process of its own, which ends with this one. */
static pid_t spawn(void (*run)(struct flood *), struct flood *flood, int cpu)
{
    pid_t child = fork();
    flood_check(child >= 0, "fork");
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(cpu);
        run(flood);
        exit(0);
    }
    return child;
}

static void reap(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

static void wait_for_port(const struct flood *flood)
{
    for (int i = 0; i < 500 && flood->port == 0; i++) {
        (void)usleep(10000);
    }
    flood_check(flood->port != 0, "the server does not start");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_attempts(const char *when, struct flood_attempts *a)
{
    qsort(a->ms, a->count, sizeof a->ms[0], compare);
    (void)printf(
        "%-20s %zu attempts: %zu at once, %zu with one more round trip, %zu with more, %zu "
        "after a repeat, %zu failed; median %.2f ms, longest %.2f ms\n",
        when, a->count + a->failed, a->plain, a->one_more, a->more, a->repeated, a->failed,
        a->count != 0 ? a->ms[a->count / 2] : 0., a->count != 0 ? a->ms[a->count - 1] : 0.);
}

static void print_verdicts(const struct flood *flood)
{
    const char *name;
    (void)printf("%-20s %llu datagrams, %llu more lost for want of room in the socket;",
                 "server's counters", (unsigned long long)flood->received,
                 (unsigned long long)flood->drops);
    for (size_t i = 0; (name = skua_verdict_name(i)) != NULL; i++) {
        if (flood->verdicts[i] != 0) {
            (void)printf(" %s %llu", name, (unsigned long long)flood->verdicts[i]);
        }
    }
    (void)printf("\n");
}

/* The show: a client among forged SYNs. */
static void besiege(struct flood *flood)
{
    static struct flood_attempts calm = {.limit = CALM_ATTEMPTS};
    static struct flood_attempts pressed;
    pressed.seconds = flood->seconds;
    pid_t server = spawn(flood_serve, flood, 0);
    wait_for_port(flood);
    flood_connect(flood, &calm);
    uint64_t rss_before = flood->rss_kib;
    pid_t generator = spawn(flood_generate, flood, 1);
    flood_connect(flood, &pressed);
    uint64_t sent = flood->sent;
    reap(generator);
    (void)usleep(REPORT_US);
    (void)printf("%-20s %.0f SYNs per second from random addresses of 127.0.0.0/8\n", "flood",
                 (double)sent / flood->seconds);
    print_attempts("client, before", &calm);
    print_attempts("client, during", &pressed);
    (void)printf(
        "%-20s %llu KiB before; at most %llu KiB in the flood's first half, %llu KiB in its "
        "second\n",
        "resident memory", (unsigned long long)rss_before, (unsigned long long)flood->rss_half_kib,
        (unsigned long long)flood->rss_peak_kib);
    print_verdicts(flood);
    reap(server);
}

/* The processor time, ns, that the server `run` spends on each datagram of a flood as fast as the
 * machine makes it. */
static double time_server(struct flood *flood, void (*run)(struct flood *))
{
    flood->port = 0;
    flood->began_ns = 0;
    pid_t server = spawn(run, flood, 0);
    wait_for_port(flood);
    pid_t generator = spawn(flood_generate, flood, 1);
    (void)usleep(SETTLE_US);
    uint64_t cpu = flood->cpu_ns, received = flood->received;
    (void)usleep(ROUND_US);
    double each = (double)(flood->cpu_ns - cpu) / (double)(flood->received - received);
    reap(generator);
    reap(server);
    return each;
}

static void compare_with_echo(struct flood *flood, size_t rounds)
{
    double skua[ROUNDS_MAX], echo[ROUNDS_MAX], ratio[ROUNDS_MAX];
    flood->retry = SKUA_RETRY_ALWAYS;
    flood->rate = UINT64_MAX;
    for (size_t i = 0; i < rounds; i++) {
        echo[i] = time_server(flood, flood_echo);
        skua[i] = time_server(flood, flood_serve);
        ratio[i] = echo[i] / skua[i];
    }
    qsort(echo, rounds, sizeof echo[0], compare);
    qsort(skua, rounds, sizeof skua[0], compare);
    qsort(ratio, rounds, sizeof ratio[0], compare);
    (void)printf("%-20s %.2f us of the server's processor; recvmmsg and sendmmsg alone %.2f us; "
                 "ratio %.2f\n",
                 "for each RETRY", skua[rounds / 2] / 1e3, echo[rounds / 2] / 1e3,
                 ratio[rounds / 2]);
}

/* Fills in what to do; how many rounds of comparison. */
static size_t parse(struct flood *flood, int argc, char **argv)
{
    size_t rounds = 5;
    static const char *const modes[] = {"pressure", "never", "always"};
    flood->rate = 100000;
    flood->seconds = 5;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--rate") == 0) {
            flood->rate = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--seconds") == 0) {
            flood->seconds = atof(argv[i + 1]);
        } else if (strcmp(argv[i], "--rounds") == 0) {
            rounds = strtoul(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--retry") == 0) {
            for (unsigned m = 0; m < 3; m++) {
                flood->retry = strcmp(argv[i + 1], modes[m]) == 0 ? m : flood->retry;
            }
        }
    }
    if (argc % 2 == 0 || flood->rate == 0 || flood->seconds < 1 || rounds > ROUNDS_MAX) {
        (void)fprintf(stderr,
                      "usage: flood [--rate N] [--seconds S] [--retry never|pressure|always] "
                      "[--rounds N]\n");
        exit(2);
    }
    return rounds;
}

int main(int argc, char **argv)
{
    struct flood *flood =
        mmap(NULL, sizeof *flood, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    flood_check(flood != MAP_FAILED, "mmap");
    size_t rounds = parse(flood, argc, argv);
    flood_check(skua_init() == SKUA_OK, "libsodium");
    besiege(flood);
    if (rounds != 0) {
        compare_with_echo(flood, rounds);
    }
    return 0;
}
