/* NewReno as RFC 9002 §7 has it, with byte counting in congestion avoidance (RFC 3465) and undo of
 * a reduction whose losses all turned out to be spurious. */
#ifndef SKUA_CC_NEWRENO_H
#define SKUA_CC_NEWRENO_H

#include "cc/cc.h"

extern const struct skua_cc_ops skua_cc_newreno;

#endif
