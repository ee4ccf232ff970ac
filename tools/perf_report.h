/* What `skua perf` says: lines while a test runs, a summary, one JSON object. Pure: it formats what
 * it is given. */
#ifndef SKUA_TOOLS_PERF_REPORT_H
#define SKUA_TOOLS_PERF_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "perf_hist.h"
#include "perf_proto.h"

/* A piece of the test as the client sees it. */
struct skua_perf_interval {
    uint64_t from_ns, to_ns; /* since the beginning */
    uint64_t up_bytes;       /* acknowledged by the server's transport meanwhile */
    uint64_t down_bytes;     /* read by the client meanwhile */
    uint64_t exchanges;      /* RR, DGRAM: completed; CONNECT: connections closed */
    uint64_t rtt_ns;         /* smoothed, at the end of it */
    uint64_t cwnd;           /* the client's, at the end of it */
    uint64_t packets_lost;   /* of the client's packets, meanwhile */
    uint64_t resent_bytes;   /* of the client's stream bytes, meanwhile */
};

/* Intervals kept for JSON; later ones are printed but not kept. */
enum { SKUA_PERF_INTERVALS_MAX = 100000 };

/* Everything about one test of a client. Zero is a good beginning; `out` must be set. */
struct skua_perf_report {
    FILE *out;                /* stdout */
    bool json, quiet;         /* one object at the end; a summary only */
    const char *server;       /* as the user named it */
    enum skua_perf_mode mode; /* BULK, RR, DGRAM or CONNECT */
    uint16_t up, down;        /* streams each way; else: `up` at a time */
    uint32_t exchange;        /* RR, DGRAM: bytes each way */
    uint64_t elapsed_ns;      /* but BULK: first beginning to last end */
    uint64_t exchanges;       /* RR, DGRAM: completed; CONNECT: connections closed in order */
    uint64_t failures;        /* DGRAM: not completed; CONNECT: connections that ended otherwise */
    struct skua_hist *times;  /* RR, DGRAM: exchanges; CONNECT: connect to established; else NULL */
    struct skua_hist *lives;  /* CONNECT: connect to closed; else NULL */
    struct skua_perf_end client;          /* this side's account */
    struct skua_perf_end peer;            /* the server's */
    bool has_peer;                        /* it came */
    const char *error;                    /* why the test is incomplete, or NULL */
    struct skua_perf_interval *intervals; /* from malloc, or NULL */
    size_t interval_count, interval_room;
};

/* Releases the intervals. */
void skua_perf_report_deinit(struct skua_perf_report *report);

/* Keeps the interval and, without `json` and `quiet`, prints its line or lines. */
void skua_perf_report_interval(struct skua_perf_report *report,
                               const struct skua_perf_interval *interval);
/* The end: text, or the object. */
void skua_perf_report_summary(const struct skua_perf_report *report);

/* The server's line (or object) about a test that is over. */
void skua_perf_report_served(FILE *out, bool json, const char *client,
                             const struct skua_perf_request *request,
                             const struct skua_perf_end *end);

/* "12.3 MB", decimal. */
enum { SKUA_PERF_TEXT_LEN = 32 };
void skua_perf_format_bytes(char out[SKUA_PERF_TEXT_LEN], uint64_t bytes);
/* "4.56 Gbit/s" for `bytes` in `ns`; "-" where ns is 0. */
void skua_perf_format_rate(char out[SKUA_PERF_TEXT_LEN], uint64_t bytes, uint64_t ns);

/* "bulk", "rr", "dgram", "connect", "exchange". */
const char *skua_perf_mode_name(enum skua_perf_mode mode);
/* The name that --cipher takes; "none" where none is agreed on. */
const char *skua_perf_suite_name(uint64_t suite);
/* ... of a congestion controller. */
const char *skua_perf_controller_name(uint64_t controller);

#endif
