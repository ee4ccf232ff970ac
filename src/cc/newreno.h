/* NewReno as RFC 9002 §7 has it, with byte counting in congestion avoidance (RFC 3465), HyStart++
 * in the initial slow start (RFC 9406) and undo of a reduction whose losses all turned out to be
 * spurious. */
#ifndef SKUA_CC_NEWRENO_H
#define SKUA_CC_NEWRENO_H

#include <stdint.h>

#include "cc/hystart.h"
#include "cc/reduction.h"

struct skua_cc_ops;

struct skua_newreno {
    struct skua_reduction reduction; /* the last one */
    uint64_t credit;                 /* bytes acknowledged towards the next datagram of window */
    struct skua_hystart hystart;     /* when the initial slow start is to end */
};

extern const struct skua_cc_ops skua_cc_newreno;

#endif
