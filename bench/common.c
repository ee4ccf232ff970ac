/* See common.h. */
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *program = "bench";

void bench_die(const char *what)
{
    (void)fprintf(stderr, "%s: %s: %s\n", program, what, strerror(errno));
    exit(1);
}

static void usage(void)
{
    (void)fprintf(stderr,
                  "usage: %s ROLE IPV4 PORT [--seconds S] [--size N] [--cipher NAME]"
                  " [--no-offload]\n",
                  program);
    exit(2);
}

static size_t parse_count(const char *text, unsigned long max)
{
    char *end = NULL;
    const unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value == 0 || value > max) {
        usage();
    }
    return (size_t)value;
}

void bench_parse(struct bench_args *args, int argc, char **argv)
{
    static const struct option options[] = {{"seconds", required_argument, NULL, 't'},
                                            {"size", required_argument, NULL, 'n'},
                                            {"cipher", required_argument, NULL, 'c'},
                                            {"no-offload", no_argument, NULL, 'o'},
                                            {NULL, 0, NULL, 0}};
    program = argv[0];
    *args = (struct bench_args){.seconds = 2, .cipher = "none", .size = 1452, .offload = true};
    for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (letter) {
        case 't':
            args->seconds = strtod(optarg, NULL);
            break;
        case 'n':
            args->size = parse_count(optarg, 65507);
            break;
        case 'c':
            args->cipher = optarg;
            break;
        case 'o':
            args->offload = false;
            break;
        default:
            usage();
        }
    }
    if (argc - optind != 3 || !(args->seconds > 0)) {
        usage();
    }
    args->role = argv[optind];
    args->addr.sin_family = AF_INET;
    args->addr.sin_port = htons((uint16_t)parse_count(argv[optind + 2], UINT16_MAX));
    if (inet_pton(AF_INET, argv[optind + 1], &args->addr.sin_addr) != 1) {
        usage();
    }
}

uint64_t bench_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void bench_add(struct bench_count *count, uint64_t bytes, uint64_t now)
{
    if (count->first_ns == 0) {
        count->first_ns = now;
    }
    count->bytes += bytes;
    count->last_ns = now;
}

void bench_print(const struct bench_count *count)
{
    const double seconds = (double)(count->last_ns - count->first_ns) / 1e9;
    (void)printf("{\"bytes\":%" PRIu64 ",\"seconds\":%.6f,\"goodput_bps\":%.0f}\n", count->bytes,
                 seconds, seconds > 0 ? (double)count->bytes * 8 / seconds : 0.0);
}

uint8_t *bench_chunk(void)
{
    uint8_t *chunk = malloc(BENCH_CHUNK);
    if (chunk == NULL) {
        bench_die("malloc");
    }
    memset(chunk, 0x5a, BENCH_CHUNK);
    return chunk;
}
