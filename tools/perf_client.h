/* The client of `skua perf`: its state, shared by the files that make it.
 *
 * perf_client.c connects and reports, perf_test.c runs a test from REQUEST to RESULT, perf_load.c
 * and perf_dgram.c make the load of a mode.
 * The main connection carries the control stream and, but in CONNECT, the load. A load counts in
 * `running` what has not ended yet; when that is 0 the client says DONE and waits for RESULT. */
#ifndef SKUA_TOOLS_PERF_CLIENT_H
#define SKUA_TOOLS_PERF_CLIENT_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "perf.h"
#include "perf_flow.h"
#include "perf_report.h"
#include "stop_signals.h"

enum skua_perf_phase {
    SKUA_PERF_CONNECTING, /* until established */
    SKUA_PERF_ASKING,     /* REQUEST sent, READY awaited */
    SKUA_PERF_RUNNING,    /* the load is on */
    SKUA_PERF_ENDING,     /* DONE sent, RESULT awaited */
    SKUA_PERF_CLOSING,    /* everything is known */
    SKUA_PERF_OVER        /* the loop ends */
};

struct skua_perf_client;

/* One stream of BULK going up, one series of exchanges, or one series of connections. */
struct skua_perf_lane {
    struct skua_perf_client *client;
    struct skua_perf_out out;         /* BULK and RR */
    uint64_t missing;                 /* RR: bytes until the response is whole */
    skua_time began;                  /* RR, DGRAM: of the exchange; CONNECT: of the connection */
    uint64_t number;                  /* DGRAM: of the exchange */
    struct skua_perf_control control; /* CONNECT */
    skua_conn conn;                   /* CONNECT */
    bool answered;                    /* CONNECT: READY came */
};

struct skua_perf_client {
    const struct skua_perf_plan *plan;
    struct ev_loop *loop;
    struct skua_ev *ev;
    struct skua_endpoint *ep;
    enum skua_perf_phase phase;
    bool stopping;    /* nothing new is to begin */
    bool interrupted; /* by a signal */
    skua_conn conn;   /* the main connection, 0 = none */
    struct skua_perf_control control;
    struct skua_perf_source source;
    struct skua_perf_lane lanes[SKUA_PERF_STREAMS_MAX];
    uint16_t lane_count; /* in use: the load's width */
    uint16_t arrived;    /* BULK: streams that the server opened */
    uint32_t running;    /* lanes and streams coming down that have not ended */
    uint64_t begun;      /* exchanges or connections */
    struct skua_perf_in in;
    struct skua_perf_meter meter;
    struct skua_perf_report report;
    struct skua_perf_interval mark; /* totals at the beginning of the present interval */
    ev_timer tick, limit, look;     /* intervals, the end; DGRAM: patience */
    struct skua_stop_signals signals;
    enum skua_exit code;
    char error[512]; /* why it failed */
};

/* --- perf_client.c --- */

/* The test cannot go on: says why and ends with `code`. */
__attribute__((format(printf, 3, 4))) void
skua_perf_fail(struct skua_perf_client *client, enum skua_exit code, const char *format, ...);

/* --- perf_test.c --- */

/* The main connection is established: sends REQUEST. */
void skua_perf_ask(struct skua_perf_client *client);
/* The control stream has something. */
void skua_perf_read_control(struct skua_perf_client *client);
/* RUNNING or ENDING: the time is up, or the user has seen enough. What is under way is dropped. */
void skua_perf_stop(struct skua_perf_client *client);
/* Something of the load has ended: DONE where that was the last. */
void skua_perf_one_ended(struct skua_perf_client *client);

/* --- perf_load.c --- */

/* READY came: begins. */
void skua_perf_load_begin(struct skua_perf_client *client);
/* Begins nothing more and ends soon: streams are reset, exchanges given up, connections closed. */
void skua_perf_load_stop(struct skua_perf_client *client);
/* Bytes that went up and were acknowledged. */
uint64_t skua_perf_load_acked(struct skua_perf_client *client);

/* Is another exchange or connection to begin? Counts it if so. */
bool skua_perf_load_next(struct skua_perf_client *client);
/* One was completed. */
void skua_perf_load_count(struct skua_perf_client *client);

/* --- perf_dgram.c --- */

void skua_perf_dgram_begin(struct skua_perf_client *client);
/* Exchanges under way are given up. */
void skua_perf_dgram_stop(struct skua_perf_client *client);
/* Datagrams came. */
void skua_perf_dgram_arrived(struct skua_perf_client *client);

/* --- perf_load.c: events --- */

/* Events of data streams of the main connection. */
void skua_perf_load_stream(struct skua_perf_client *client, skua_stream stream);
void skua_perf_load_readable(struct skua_perf_client *client, const struct skua_event *event);
void skua_perf_load_writable(struct skua_perf_client *client, struct skua_perf_lane *lane);
/* Events of a connection of CONNECT. */
void skua_perf_load_conn(struct skua_perf_lane *lane, const struct skua_event *event);

#endif
