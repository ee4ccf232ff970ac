/* sim: runs random scenarios in parallel processes, and says what happened in them.
 *
 *   sim small|large [--count N] [--first SEED] [--jobs N] [--quiet]
 *   sim replay small|large SEED [-v]
 *
 * Counts without --count come from SKUA_SIM_SMALL and SKUA_SIM_LARGE. The last line is a hash over
 * every traced event of every scenario: equal for every machine, compiler and number of jobs. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

enum { JOBS_MAX = 64, FAILURES_MAX = 10, SECONDS_PER_SCENARIO = 60 };

/* What a process tells its parent. */
struct job {
    pid_t pid;
    uint64_t next;               /* seed at work, or to be taken up next */
    uint64_t done;               /* scenarios */
    uint64_t hash;               /* order does not matter in it */
    uint64_t counts[SIM_COUNTS]; /* sums */
    uint64_t seen[SIM_COUNTS];   /* scenarios that had any */
    skua_time took;
};

struct options {
    enum sim_class class;
    uint64_t count, first, jobs;
    bool quiet, verbose;
};

static void work(struct job *job, const struct options *o)
{
    for (; job->next < o->first + o->count; job->next += o->jobs) {
        struct sim_result result;
        alarm(SECONDS_PER_SCENARIO);
        sim_scenario(o->class, job->next, false, &result);
        job->hash += sim_mix(result.hash ^ sim_mix(job->next));
        for (int i = 0; i < SIM_COUNTS; i++) {
            job->counts[i] += result.counts[i];
            job->seen[i] += result.counts[i] > 0;
        }
        job->took += result.took;
        job->done++;
    }
}

static void launch(struct job *job, const struct options *o)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        work(job, o);
        fflush(stdout);
        _exit(0);
    }
    if (pid < 0) {
        perror("fork");
        exit(2);
    }
    job->pid = pid; /* by the parent alone: the memory is shared */
}

/* Waits for all processes; one that failed goes on behind its failure. Returns the failures. */
static unsigned supervise(struct job *jobs, const struct options *o)
{
    unsigned failures = 0;
    for (uint64_t left = o->jobs; left > 0;) {
        int status;
        pid_t pid = wait(&status);
        struct job *job = NULL;
        for (uint64_t i = 0; i < o->jobs; i++) {
            job = jobs[i].pid == pid ? &jobs[i] : job;
        }
        if (job == NULL) {
            continue;
        }
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            left--;
            continue;
        }
        fprintf(stderr, "scenario %llu failed (%s %d): sim replay %s %llu -v\n",
                (unsigned long long)job->next, WIFSIGNALED(status) ? "signal" : "exit",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                o->class == SIM_LARGE ? "large" : "small", (unsigned long long)job->next);
        job->next += o->jobs;
        if (++failures >= FAILURES_MAX) {
            fprintf(stderr, "too many failures\n");
            for (uint64_t i = 0; i < o->jobs; i++) {
                (void)kill(jobs[i].pid, SIGKILL);
            }
            return failures;
        }
        launch(job, o);
    }
    return failures;
}

static const struct {
    const char *text;
    uint64_t permille;
} counts[] = {
#define SIM_COUNT(name, text, permille) {text, permille},
#include "counts.def"
#undef SIM_COUNT
};

/* Half of what is demanded, less what chance alone may withhold: four standard deviations. */
static bool is_enough(uint64_t seen, uint64_t permille, uint64_t scenarios)
{
    uint64_t expected = permille * scenarios / 2000;
    uint64_t missing = seen < expected ? expected - seen : 0;
    return missing * missing <= 16 * expected;
}

/* The table; true where everything occurred often enough. */
static bool summarise(const struct job *jobs, const struct options *o)
{
    struct job sum = {.done = 0};
    bool enough = true;
    for (uint64_t i = 0; i < o->jobs; i++) {
        sum.done += jobs[i].done;
        sum.hash += jobs[i].hash;
        sum.took += jobs[i].took;
        for (int k = 0; k < SIM_COUNTS; k++) {
            sum.counts[k] += jobs[i].counts[k];
            sum.seen[k] += jobs[i].seen[k];
        }
    }
    for (int k = 0; k < SIM_COUNTS; k++) {
        bool demanded = o->class == SIM_SMALL && sum.done >= 200;
        bool ok = !demanded || is_enough(sum.seen[k], counts[k].permille, sum.done);
        enough = enough && ok;
        if (!o->quiet || !ok) {
            printf("%-44s %14llu   in %7llu scenarios%s\n", counts[k].text,
                   (unsigned long long)sum.counts[k], (unsigned long long)sum.seen[k],
                   ok ? "" : "   FAIL: hardly ever");
        }
    }
    printf("%llu scenarios, %.0f s of virtual time, hash %016llx\n", (unsigned long long)sum.done,
           (double)sum.took / 1e9, (unsigned long long)sum.hash);
    return enough;
}

static int run_many(const struct options *o)
{
    struct job *jobs = mmap(NULL, JOBS_MAX * sizeof *jobs, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (jobs == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    for (uint64_t i = 0; i < o->jobs; i++) {
        jobs[i].next = o->first + i;
        launch(&jobs[i], o);
    }
    unsigned failures = supervise(jobs, o);
    bool enough = summarise(jobs, o);
    if (failures > 0) {
        printf("FAIL: %u scenarios failed\n", failures);
    }
    return failures > 0 || !enough ? 1 : 0;
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

static uint64_t count_from_environment(enum sim_class class)
{
    const char *text = getenv(class == SIM_LARGE ? "SKUA_SIM_LARGE" : "SKUA_SIM_SMALL");
    if (text != NULL) {
        return number(text);
    }
    return class == SIM_LARGE ? SIM_LARGE_DEFAULT : SIM_SMALL_DEFAULT;
}

static int usage(void)
{
    fprintf(stderr, "usage: sim small|large [--count N] [--first SEED] [--jobs N] [--quiet]\n"
                    "       sim replay small|large SEED [-v]\n");
    return 2;
}

static bool parse_class(const char *text, enum sim_class *class)
{
    *class = strcmp(text, "large") == 0 ? SIM_LARGE : SIM_SMALL;
    return strcmp(text, "large") == 0 || strcmp(text, "small") == 0;
}

static int replay(int argc, char **argv)
{
    enum sim_class class;
    struct sim_result result;
    if (argc < 2 || !parse_class(argv[0], &class)) {
        return usage();
    }
    sim_scenario(class, number(argv[1]), argc > 2 && strcmp(argv[2], "-v") == 0, &result);
    printf("over after %.6f s, hash %016llx\n", (double)result.took / 1e9,
           (unsigned long long)result.hash);
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = {.first = 1, .jobs = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN)};
    if (argc < 2) {
        return usage();
    }
    if (strcmp(argv[1], "replay") == 0) {
        return replay(argc - 2, argv + 2);
    }
    if (!parse_class(argv[1], &o.class)) {
        return usage();
    }
    o.count = count_from_environment(o.class);
    for (int i = 2; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--quiet") == 0) {
            o.quiet = true;
        } else if (more && strcmp(argv[i], "--count") == 0) {
            o.count = number(argv[++i]);
        } else if (more && strcmp(argv[i], "--first") == 0) {
            o.first = number(argv[++i]);
        } else if (more && strcmp(argv[i], "--jobs") == 0) {
            o.jobs = number(argv[++i]);
        } else {
            return usage();
        }
    }
    o.jobs = o.jobs < 1 ? 1 : o.jobs > JOBS_MAX ? JOBS_MAX : o.jobs;
    return run_many(&o);
}
