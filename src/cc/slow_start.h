/* Slow start as every window-based controller has it: RFC 9002 §7.3.1, with HyStart++ (RFC 9406) in
 * the initial one. */
#ifndef SKUA_CC_SLOW_START_H
#define SKUA_CC_SLOW_START_H

#include <stdbool.h>
#include <stdint.h>

struct skua_cc;
struct skua_cc_ack;
struct skua_hystart;

/* An ACK, in any phase. Grows the window up to its threshold where it `grows` at all, and sets the
 * threshold where HyStart++ says so. Returns the acknowledged bytes that are left for congestion
 * avoidance. `hystart` is looked at only as long as there is no threshold. */
uint64_t skua_slow_start(struct skua_cc *cc, struct skua_hystart *hystart,
                         const struct skua_cc_ack *ack, bool grows);

#endif
