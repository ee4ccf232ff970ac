/* What the benchmark's programs share: a command line, clocks, and one line of JSON at the end.
 *
 * Each program is both ends of one transport: `NAME recv ADDR PORT [options]` waits for one sender
 * and prints what it got, `NAME send ADDR PORT [options]` sends for --seconds and prints what it
 * sent. Only payload counts, from the first byte that arrived to the last. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BENCH_CHUNK = 1 << 17 }; /* bytes that one call of a byte-stream API is given */

struct bench_args {
    const char *role;        /* recv, send, ... */
    struct sockaddr_in addr; /* where to listen, or where to send to */
    double seconds;          /* how long to send */
    const char *cipher;      /* by name; "none" where nothing is sealed */
    size_t size;             /* UDP payload in bytes */
    bool offload;            /* UDP_SEGMENT and UDP_GRO */
};

/* What went through, and when. */
struct bench_count {
    uint64_t bytes;    /* payload */
    uint64_t first_ns; /* when the first of it came; 0: none came */
    uint64_t last_ns;  /* when the last of it came */
};

/* Reads the command line; ends the program, with a message, where it is wrong. */
void bench_parse(struct bench_args *args, int argc, char **argv);

/* The monotonic clock. */
uint64_t bench_now(void);

/* Adds `bytes` that came at `now`. */
void bench_add(struct bench_count *count, uint64_t bytes, uint64_t now);

/* One line of JSON: bytes, seconds, goodput_bps. */
void bench_print(const struct bench_count *count);

/* Ends the program with "PROGRAM: what: strerror(errno)". */
void bench_die(const char *what) __attribute__((noreturn));

/* BENCH_CHUNK bytes to send. The same ones always: the transport is measured, not the memory. */
uint8_t *bench_chunk(void);

#ifdef __cplusplus
}
#endif
#endif
