/* NewReno as RFC 9002 §7 has it, with byte counting in congestion avoidance (RFC 3465), HyStart++
 * in the initial slow start (RFC 9406) and undo of a reduction whose losses all turned out to be
 * spurious. */
#ifndef SKUA_CC_NEWRENO_H
#define SKUA_CC_NEWRENO_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>

#include "cc/hystart.h"

struct skua_cc_ops;

struct skua_newreno {
    skua_time recovery_start;    /* packets sent until then belong to the last reduction */
    bool reduced;                /* recovery_start means something */
    bool collapsed;              /* persistent congestion since then: any ACK grows the window */
    uint64_t credit;             /* bytes acknowledged towards the next datagram of window */
    uint64_t undo_cwnd;          /* window before the last reduction; 0 = nothing to undo */
    uint64_t undo_ssthresh;      /* slow start threshold before it */
    uint64_t undo_packets;       /* its losses not yet found to be spurious */
    struct skua_hystart hystart; /* when the initial slow start is to end */
};

extern const struct skua_cc_ops skua_cc_newreno;

#endif
