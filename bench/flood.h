/* What the processes of flood.c share: a piece of memory, and one function each. */
#ifndef SKUA_BENCH_FLOOD_H
#define SKUA_BENCH_FLOOD_H

#include <skua/skua_ev.h>

enum { FLOOD_ATTEMPTS_MAX = 100000 };

/* In shared memory; each member is written by one process. */
struct flood {
    /* the command line */
    uint64_t rate;  /* SYNs per second */
    double seconds; /* how long */
    unsigned retry; /* enum skua_retry_mode */
    /* the server's */
    volatile uint16_t port;
    volatile uint64_t received;     /* datagrams */
    volatile uint64_t drops;        /* that its socket had no room for */
    volatile uint64_t verdicts[64]; /* what became of them */
    volatile uint64_t cpu_ns;       /* user and system time */
    volatile uint64_t rss_kib;      /* resident memory */
    volatile uint64_t rss_half_kib; /* the most of it in the flood's first half */
    volatile uint64_t rss_peak_kib; /* ... and in its second */
    /* the generator's */
    volatile uint64_t sent;
    volatile uint64_t began_ns; /* CLOCK_MONOTONIC; 0 = it has not begun */
};

/* How the client's attempts went. */
struct flood_attempts {
    size_t limit;                 /* how many; 0 = as many as go into `seconds` */
    double seconds;               /* how long to go on */
    size_t count;                 /* established */
    size_t plain, one_more, more; /* of these, by the round trips that RETRY added */
    size_t repeated;              /* after a SYN was lost and its time ran out */
    size_t failed;
    double ms[FLOOD_ATTEMPTS_MAX]; /* from connect to established */
};

/* Ends the program with a message and errno where `ok` is false. */
void flood_check(bool ok, const char *what);

/* The server's process: serves and reports every tenth of a second, for ever. */
void flood_serve(struct flood *flood);
/* A server that only echoes: the same reports. */
void flood_echo(struct flood *flood);
/* The generator's process: for ever. */
void flood_generate(struct flood *flood);
/* Connects, once after the other. */
void flood_connect(struct flood *flood, struct flood_attempts *attempts);

#endif
