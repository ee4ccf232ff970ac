/* Runs one command under the benchmark's rules and writes down what it cost:
 *   spawn OUT CPU SECONDS COMMAND [ARGUMENT...]
 *
 * The command runs on processor CPU (-1: on any), is ended after SECONDS, or when this program is
 * told to end, and dies with it in any case. OUT gets one line: the seconds of user and of system
 * time of all its threads, the seconds it took, and its exit status. One measure for every program,
 * whatever it would say of itself. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t child;

/* First TERM; if it is still there a second later, KILL. */
static void stop(int signal)
{
    static volatile sig_atomic_t asked;
    (void)signal;
    (void)kill((pid_t)child, asked ? SIGKILL : SIGTERM);
    asked = 1;
    (void)alarm(1);
}

static void run(const char *processor, char **command)
{
    const int cpu = atoi(processor);
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        (void)sched_setaffinity(0, sizeof set, &set);
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)execvp(command[0], command);
    (void)fprintf(stderr, "%s: %s\n", command[0], strerror(errno));
    _exit(127);
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        (void)fprintf(stderr, "usage: %s OUT CPU SECONDS COMMAND [ARGUMENT...]\n", argv[0]);
        return 2;
    }
    struct timespec from, to;
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    const pid_t pid = fork();
    if (pid == 0) {
        run(argv[2], argv + 4);
    }
    if (pid < 0) {
        perror("fork");
        return 2;
    }
    child = pid;
    struct sigaction action = {.sa_handler = stop};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGALRM, &action, NULL);
    (void)alarm((unsigned)atoi(argv[3]));
    int status = 0;
    struct rusage usage;
    while (wait4(pid, &status, 0, &usage) < 0) {
        if (errno != EINTR) {
            perror("wait4");
            return 2;
        }
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    const double took =
        (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    FILE *out = fopen(argv[1], "w");
    if (out == NULL) {
        perror(argv[1]);
        return 2;
    }
    (void)fprintf(out, "%.6f %.6f %.6f %d\n", seconds(usage.ru_utime), seconds(usage.ru_stime),
                  took, code);
    return fclose(out) == 0 ? code : 2;
}
