/* What we owe the peer: the packet numbers received, and when to say so (RFC 9000 §13.2).
 *
 * The decision is asked for once per batch of received packets (skua_acks_due): an ACK leaves at
 * once after every `tolerance`-th ack-eliciting packet, on reordering or a gap, on ECN-CE, or where
 * the caller says so; else when the oldest unacknowledged ack-eliciting packet has waited
 * max_ack_delay. Whatever is sent anyway may carry an ACK as long as skua_acks_pending. */
#ifndef SKUA_RECOVERY_ACKS_H
#define SKUA_RECOVERY_ACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/rangeset.h"

/* RFC 9000 §18.2: default of max_ack_delay. */
#define SKUA_ACKS_MAX_DELAY_NS (25 * SKUA_MSEC)

struct skua_acks {
    struct skua_rangeset received; /* at most SKUA_LIMIT_ACK_RANGES_KEPT ranges; not empty once
                                      something was received */
    uint64_t largest;              /* largest number received, where `received` is not empty */
    skua_time largest_time;        /* when it arrived */
    uint64_t largest_eliciting; /* largest ack-eliciting number received, or a larger one that the
                                   peer knows we have; UINT64_MAX = none */
    uint32_t eliciting;         /* ack-eliciting packets since the last ACK left */
    uint8_t tolerance;          /* ack-eliciting packets per ACK; 2 */
    bool immediate;             /* do not wait */
    bool news;                  /* something arrived since the last ACK left */
    skua_time oldest_time;      /* arrival of the oldest of `eliciting`, or SKUA_NEVER */
    uint64_t marks[3];          /* packets received with a mark, by ECN field less 1: ECT(1),
                                   ECT(0), CE */
};

void skua_acks_init(struct skua_acks *acks, struct skua_heap *heap);
void skua_acks_deinit(struct skua_acks *acks);

/* Packet `pn` was opened; it is not a duplicate. `ecn` is the IP header's field, 0 to 3. Memory
 * running out costs at most a number that will not be acknowledged: the peer repeats. */
void skua_acks_on_received(struct skua_acks *acks, uint64_t pn, bool eliciting, uint8_t ecn,
                           skua_time now);

/* Most ack-eliciting packets per ACK that a peer can ask for. */
enum { SKUA_ACKS_TOLERANCE_MAX = 64 };
/* The peer asks for one ACK per `packets` ack-eliciting packets, at least 1 (ACK_FREQUENCY). */
void skua_acks_set_tolerance(struct skua_acks *acks, uint64_t packets);
/* The next ACK must not wait: the handshake's third step, FIN, whatever the peer waits for. */
void skua_acks_set_immediate(struct skua_acks *acks);

/* An ACK must leave now. */
bool skua_acks_due(const struct skua_acks *acks, skua_time now);

/* An ACK would tell the peer something new: worth adding to a packet that leaves anyway. */
static inline bool skua_acks_pending(const struct skua_acks *acks)
{
    return acks->news;
}

/* Marks were seen: from then on ACK frames carry the counts (RFC 9000 §13.4.1). */
static inline bool skua_acks_saw_ecn(const struct skua_acks *acks)
{
    return (acks->marks[0] | acks->marks[1] | acks->marks[2]) != 0;
}

/* When due will become true without further packets: 0 = it is, SKUA_NEVER = nothing is owed. */
skua_time skua_acks_deadline(const struct skua_acks *acks);

/* Writes the newest ranges, descending, at most `max`; returns how many. 0 = nothing received. */
size_t skua_acks_ranges(const struct skua_acks *acks, struct skua_range *out, size_t max);

/* How long the largest number has been here: the ACK's delay field. */
skua_time skua_acks_delay(const struct skua_acks *acks, skua_time now);

/* An ACK frame was sealed: nothing is owed for now. Record `acks->largest` with the packet. */
void skua_acks_on_sent(struct skua_acks *acks);

/* A packet with an ACK frame whose largest number was `largest` has been acknowledged: the peer
 * knows all that it said, so lower numbers need not be reported again (RFC 9000 §13.2.4). */
void skua_acks_on_ack_of_ack(struct skua_acks *acks, uint64_t largest);

/* Asserts the invariants; for tests. */
void skua_acks_check(const struct skua_acks *acks);

#endif
