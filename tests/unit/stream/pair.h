/* Two tables of streams that talk to each other through a channel that loses, delays, reorders and
 * duplicates, in virtual time, with an application on each side that does whatever the source of
 * choices says. Used by the unit tests (seeded) and by the fuzzer (the input is the source).
 *
 * Every byte is a function of (stream, direction, offset), so any byte that is read is checked.
 * Whatever happens first, the channel heals at the end, and everything must then come to its end:
 * pair_run aborts where it does not. */
#ifndef SKUA_TESTS_STREAM_PAIR_H
#define SKUA_TESTS_STREAM_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where choices come from: bytes of `data` while there are any, then a generator. */
struct pair_source {
    const uint8_t *data;
    size_t len;
    uint64_t state; /* of the generator; 0: zeros once the data is used up */
};

uint32_t pair_pick(struct pair_source *source, uint32_t n);

struct pair_options {
    unsigned ticks;       /* of chaos, before the channel heals */
    unsigned fail_alloc;  /* which allocation fails; 0 = none */
    uint64_t window;      /* first windows, bytes */
    uint64_t max_window;  /* largest windows */
    uint32_t max_message; /* longest message that is held until it is whole */
    unsigned max_streams; /* of each kind */
};

/* What happened, so that a test can see that it tested something. */
struct pair_summary {
    uint64_t bytes_read, streams, resets, stops, stale, lost_packets, spurious, blocked, borrowed;
    uint64_t priorities, gathered, consumed, discarded;
    uint64_t messages, pieces; /* received whole; in pieces */
    uint64_t unordered;        /* pieces read out of order */
    uint64_t allocations;
    bool ran_out; /* the failing allocation ended the run early */
};

void pair_run(struct pair_source source, const struct pair_options *options,
              struct pair_summary *summary);

#endif
