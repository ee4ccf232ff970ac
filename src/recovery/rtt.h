/* Round-trip time of one path: RFC 9002 §5.
 *
 * Pure arithmetic on integers; `latest`, `smoothed`, `var` and `min` carry the RFC's meaning.
 * Before the first sample, `smoothed` and `var` hold the initial guess, so that a PTO can be
 * computed at any time. */
#ifndef SKUA_RECOVERY_RTT_H
#define SKUA_RECOVERY_RTT_H

#include <stdbool.h>

#include <skua/skua.h>

/* RFC 9002 §6.2.2: kInitialRtt. */
#define SKUA_RTT_INITIAL_NS (333 * SKUA_MSEC)
/* RFC 9002 §6.1.2: kGranularity. */
#define SKUA_RTT_GRANULARITY_NS (1 * SKUA_MSEC)

struct skua_rtt {
    skua_time latest;   /* last sample, ns; 0 before the first */
    skua_time smoothed; /* moving average, ns; SKUA_RTT_INITIAL_NS before the first sample */
    skua_time var;      /* mean deviation, ns; half the initial RTT before the first sample */
    skua_time min; /* smallest sample, not corrected by ACK delays; SKUA_NEVER before the first */
};

void skua_rtt_init(struct skua_rtt *rtt);

/* Was at least one sample taken? */
static inline bool skua_rtt_is_known(const struct skua_rtt *rtt)
{
    return rtt->min != SKUA_NEVER;
}

/* Takes a sample. `ack_delay` is what the peer said it waited; it is believed up to `max_ack_delay`
 * and only as far as it does not bring the sample below the minimum (RFC 9002 §5.3). SKUA_NEVER as
 * `max_ack_delay` believes all of it: for the time before the handshake is confirmed. */
void skua_rtt_update(struct skua_rtt *rtt, skua_time sample, skua_time ack_delay,
                     skua_time max_ack_delay);

/* The minimum starts anew with the latest sample (RFC 9002 §5.2, after persistent congestion). */
void skua_rtt_restart_min(struct skua_rtt *rtt);

/* The probe timeout before backoff: smoothed + max(4 var, granularity) + max_ack_delay
 * (RFC 9002 §6.2.1). */
skua_time skua_rtt_pto(const struct skua_rtt *rtt, skua_time max_ack_delay);

#endif
