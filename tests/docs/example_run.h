/* Two endpoints of the real core in one process, with fixed keys, fixed randomness and a clock that
 * only moves when nothing else happens: the run that docs/protocol-example.md shows. */
#ifndef SKUA_TESTS_DOCS_EXAMPLE_RUN_H
#define SKUA_TESTS_DOCS_EXAMPLE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#define EXAMPLE_LABEL  "example/1"
#define EXAMPLE_EXPORT "channel"
/* One way. */
#define EXAMPLE_DELAY (10 * SKUA_MSEC)

enum example_side { CLIENT, SERVER, SIDES };

enum { EXAMPLE_ENTRIES = 64, EXAMPLE_DRAWS = 64, EXAMPLE_DATAGRAM_MAX = 1232 };

/* One thing that happened: a datagram that left, or something to tell. */
struct example_entry {
    skua_time at;           /* since the start */
    enum example_side side; /* whose doing */
    char note[96];          /* empty for a datagram */
    size_t len;             /* bytes of `data`; 0 for a note */
    uint8_t data[EXAMPLE_DATAGRAM_MAX];
};

/* What a side's generator gave out, of 32 bytes: its ephemeral keys are among them. */
struct example_draw {
    enum example_side side;
    struct skua_secret_key value;
};

struct example_run {
    struct skua_secret_key secret[SIDES]; /* static keys */
    struct example_entry entries[EXAMPLE_ENTRIES];
    size_t count;
    struct example_draw draws[EXAMPLE_DRAWS];
    size_t draw_count;
    uint8_t exported[SIDES][32]; /* skua_conn_export with EXAMPLE_EXPORT */
};

/* Runs it from the client's connect until both connections are gone. Ends the program where
 * something does not go as planned. */
void example_run(struct example_run *run);

/* Ends the program with `text` where `ok` is false. */
void example_require(bool ok, const char *text);

#endif
