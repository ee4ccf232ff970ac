/* Loss recovery of one packet number space: RFC 9002, with RACK's adaptive reordering window
 * (RFC 8985 §6.2), detection of spurious losses, and delivery-rate samples
 * (draft-cheng-iccrg-delivery-rate-estimation).
 *
 * Recovery knows packets, sizes and times. It keeps the records of what packets carried and hands
 * them back; it never looks into them, and knows neither streams nor congestion controllers. The
 * connection calls it in this order:
 *
 *   sending     reserve, seal, on_sent
 *   an ACK      on_ack, then next_acked and next_lost until both are empty
 *   a deadline  on_timeout, then next_lost until empty, then (PTO) probe_records and probes to send
 *
 * Work per ACK is proportional to what is newly acknowledged or lost: a settled run is jumped over
 * in one step, and the lowest outstanding number only moves up. */
#ifndef SKUA_RECOVERY_RECOVERY_H
#define SKUA_RECOVERY_RECOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/limits.h"
#include "base/record.h"
#include "recovery/rtt.h"
#include "recovery/sent.h"

/* RFC 9002 §6.1.1: kPacketThreshold. */
#define SKUA_RECOVERY_PACKET_THRESHOLD 3
/* docs/protocol.md, "Timers": backoff of the PTO ends here, unless one PTO is longer by itself. */
#define SKUA_RECOVERY_PTO_MAX_NS (8 * SKUA_SEC)
/* Skipped packet numbers remembered at a time: the newest. */
enum { SKUA_RECOVERY_SKIPPED = 8 };

/* A packet about to be told of. */
struct skua_sent_info {
    uint32_t size;                     /* UDP payload, bytes, at most 65,507 */
    uint8_t flags;                     /* SKUA_SENT_ELICITING, _IN_FLIGHT, _MTU_PROBE, _ECT */
    const struct skua_record *records; /* what it carried; copied */
    size_t count;                      /* number of records, may be 0 */
};

/* A delivery-rate sample; `valid` is false where the ACK gave none. */
struct skua_rate_sample {
    bool valid;               /* the rest means something */
    bool app_limited;         /* the sender had nothing to send: a lower bound only */
    uint64_t bytes_per_s;     /* delivery rate */
    uint64_t bytes;           /* delivered during the interval */
    skua_time interval_ns;    /* the longer of sending and acknowledging interval */
    uint64_t delivered;       /* total delivered on the connection, now */
    uint64_t prior_delivered; /* the same when the sampled packet was sent: counts rounds */
    uint64_t tx_in_flight;    /* bytes in flight when it was sent, itself included */
    uint64_t lost;            /* bytes declared lost since it was sent */
};

/* What was declared lost by one call. MTU probes are in none of the counts but their own, packets
 * along another path in none at all. */
struct skua_loss_result {
    uint64_t bytes;           /* in flight until now */
    uint64_t packets;         /* of these bytes */
    uint64_t largest_pn;      /* largest of them, or SKUA_SENT_NO_PN */
    skua_time largest_sent;   /* when that one was sent */
    uint64_t small;           /* of them, those of at most 1,200 bytes */
    uint64_t large;           /* of them, those of more than 1,200 bytes after which nothing of full
                                 size was sent and acknowledged (skua_recovery_set_full) */
    uint32_t large_min;       /* smallest of the large ones, bytes; 0 = none */
    bool persistent;          /* persistent congestion is established (RFC 9002 §7.6) */
    uint32_t mtu_probe;       /* size of an MTU probe that was lost; 0 = none */
    uint64_t marked;          /* of the packets, sent with ECT(0) */
    uint64_t bytes_in_flight; /* before this call */
};

struct skua_ack_result {
    uint64_t bytes;   /* newly acknowledged, in flight until now, bytes; MTU probes not counted */
    uint64_t packets; /* newly acknowledged, ACK-only ones included */
    uint64_t marked;  /* of these, sent with ECT(0) */
    bool eliciting;   /* any of them was ack-eliciting */
    bool largest_is_new;    /* the largest number of the ACK is newly acknowledged */
    bool advances;          /* it is larger than any acknowledged before */
    uint64_t largest_pn;    /* largest newly acknowledged, or SKUA_SENT_NO_PN */
    skua_time largest_sent; /* when that one was sent */
    uint32_t size_max;      /* largest of the packets newly acknowledged, ACK-only ones included: it
                               fitted through the path; bytes; MTU probes not counted */
    bool rtt_sampled;       /* rtt was updated */
    uint32_t mtu_probe;     /* size of an MTU probe newly acknowledged; 0 = none */
    uint64_t spurious_packets; /* had been declared lost, and were not; MTU probes not counted */
    uint64_t spurious_bytes;   /* of these */
    skua_time spurious_since;  /* when the first of these had been declared lost */
    struct skua_rate_sample rate;
    struct skua_loss_result loss; /* declared lost because of this ACK */
    uint64_t bytes_in_flight;     /* before this call */
};

/* What fired. Both false: called too early. */
struct skua_timeout_result {
    bool loss_timer; /* packets were declared lost by time */
    bool pto;        /* send probes, whatever the congestion window says */
    uint8_t probes;  /* how many */
    struct skua_loss_result loss;
};

/* The adaptive reordering window (RFC 8985 §6.2, step 4, in terms of RFC 9002). */
struct skua_reorder {
    uint64_t grow_end;  /* a spurious loss below this number grows the window no further */
    uint64_t decay_end; /* a loss below this number is of the same event as one before */
    uint32_t mult;      /* window in eighths of the RTT, 1 to 8 */
    uint32_t persist;   /* loss events until the window shrinks back; 0 = never grew */
};

struct skua_recovery {
    struct skua_sent_map sent;
    struct skua_rtt rtt;           /* of the present path; skua_rtt_init on a new one */
    skua_time max_ack_delay_ns;    /* the peer's transport parameter */
    uint64_t lowest;               /* everything below is settled: acknowledged, lost or skipped */
    uint64_t largest_acked;        /* or SKUA_SENT_NO_PN */
    uint64_t bytes_in_flight;      /* sent, neither acknowledged nor lost; MTU probes not counted */
    uint64_t eliciting_in_flight;  /* packets */
    skua_time last_eliciting_sent; /* when; PTO counts from here */
    skua_time loss_time;           /* when `lowest` will be lost by time, or SKUA_NEVER */
    skua_time first_sample_time;   /* when RTT was first known, or SKUA_NEVER */
    skua_time outage_start;        /* when the first of an unbroken run of lost packets was sent, or
                                      SKUA_NEVER */
    struct skua_reorder reorder;
    uint64_t acked_head;       /* list of newly acknowledged packets, or SKUA_SENT_NO_PN */
    uint64_t lost_head;        /* list of newly lost packets, or SKUA_SENT_NO_PN */
    uint64_t lost_tail;        /* its last */
    uint32_t lost_more;        /* next record of lost_head to hand out, or SKUA_SENT_NO_RECORD */
    bool lost_begun;           /* the inline record of lost_head was handed out */
    bool confirmed;            /* handshake confirmed: the peer may delay ACKs */
    uint16_t full;             /* size of a full packet, bytes */
    uint64_t unproven;         /* no full packet from this number on has been acknowledged */
    uint64_t delivered;        /* bytes acknowledged on this connection */
    uint64_t lost_total;       /* bytes declared lost on this connection */
    skua_time delivered_time;  /* when `delivered` last grew, nothing was in flight, or a PTO ran */
    skua_time first_sent_time; /* start of the sending interval of the next sample */
    uint64_t app_limited_until; /* `delivered` at which the app-limited phase ends; 0 = none */
    uint32_t
        skipped[SKUA_RECOVERY_SKIPPED]; /* skipped numbers, ring of the newest: their low bits */
    uint32_t skipped_count;             /* skips so far */
    uint32_t pto_count;                 /* consecutive PTOs without an ACK */
};

void skua_recovery_init(struct skua_recovery *rec, struct skua_heap *heap);
void skua_recovery_deinit(struct skua_recovery *rec);

/* The number that the next packet (or skip) has: 0, 1, 2, ... */
static inline uint64_t skua_recovery_next_pn(const struct skua_recovery *rec)
{
    return rec->sent.next;
}

/* Packets that may await their ACK, but for probes. */
#define SKUA_RECOVERY_PACKETS_MAX (SKUA_LIMIT_SENT_PACKETS_MAX - 256)

/* As skua_recovery_reserve, where that takes more than a look. */
enum skua_err skua_recovery_make_room(struct skua_recovery *rec, uint32_t packets,
                                      uint32_t records);

/* Makes sure that the next `packets` calls of on_sent and skip, with `records` records in all,
 * succeed. SKUA_ELIMIT: as many packets as allowed await their ACK: wait. SKUA_ENOMEM. */
static inline enum skua_err skua_recovery_reserve(struct skua_recovery *rec, uint32_t packets,
                                                  uint32_t records)
{
    const struct skua_sent_map *sent = &rec->sent;
    bool room = skua_sent_has_room(sent, packets, records) &&
                sent->next - sent->first + packets <= SKUA_RECOVERY_PACKETS_MAX;
    return room ? SKUA_OK : skua_recovery_make_room(rec, packets, records);
}

/* Packet `pn` (the next one) was sealed and goes out at `now`. Fails as reserve does, and only
 * where no room was reserved: nothing changed then. */
enum skua_err skua_recovery_on_sent(struct skua_recovery *rec, uint64_t pn,
                                    const struct skua_sent_info *info, skua_time now);

/* Packet number `pn` (the next one) is left out on purpose: whoever acknowledges it lies. The
 * newest SKUA_RECOVERY_SKIPPED are remembered. Errors as on_sent. */
enum skua_err skua_recovery_skip(struct skua_recovery *rec, uint64_t pn);

/* The path has changed: packets leave along another one from now on, to another host where
 * `other_host`. What was sent before is still acknowledged or lost, but says nothing about the new
 * path (RFC 9000 §9.4). Work is proportional to what is in flight. */
void skua_recovery_on_path(struct skua_recovery *rec, bool other_host);

/* From now on a full packet has `size` bytes: large ones that are lost from here on are told apart
 * where none of full size that left after them arrived. */
void skua_recovery_set_full(struct skua_recovery *rec, uint32_t size);

/* The sender stopped for want of data (not of window or pacing credit): delivery-rate samples until
 * what is in flight now is delivered are lower bounds. */
void skua_recovery_on_app_limited(struct skua_recovery *rec);

/* Takes an ACK frame: `count` ranges, descending and disjoint as the decoder guarantees, at least
 * one. `ack_delay` as decoded, ns. SKUA_CODE_ACK_UNSENT: a number never sent is among them; nothing
 * changed. Both iterators must have been drained before. */
enum skua_code skua_recovery_on_ack(struct skua_recovery *rec, const struct skua_range *ranges,
                                    size_t count, skua_time ack_delay, skua_time now,
                                    struct skua_ack_result *out);

/* Yields the records of newly acknowledged packets, ascending; false when drained. A packet without
 * records yields none. Records of a packet that turned out not to be lost are among them. */
bool skua_recovery_next_acked(struct skua_recovery *rec, struct skua_record *out);

/* Yields the records of newly lost packets, ascending; false when drained. */
bool skua_recovery_next_lost(struct skua_recovery *rec, struct skua_record *out);

/* When on_timeout wants to be called, or SKUA_NEVER. */
skua_time skua_recovery_deadline(const struct skua_recovery *rec);

/* The present probe timeout, backoff included. */
skua_time skua_recovery_pto(const struct skua_recovery *rec);

/* Runs the timer that is due at `now`, if any. */
void skua_recovery_on_timeout(struct skua_recovery *rec, skua_time now,
                              struct skua_timeout_result *out);

/* What to repeat in a probe: the records (the first `cap` of them) of the lowest packet at or above
 * `*cursor` that is outstanding, ack-eliciting, no MTU probe, and has records. Moves `*cursor` past
 * it; start with 0. Returns how many; 0 = there is no such packet, send a PING. The packet stays
 * outstanding. */
size_t skua_recovery_probe_records(const struct skua_recovery *rec, uint64_t *cursor,
                                   struct skua_record *out, size_t cap);

/* Drops what is kept only for bookkeeping, and all memory where nothing awaits an ACK. For a
 * connection that has gone quiet. */
void skua_recovery_trim(struct skua_recovery *rec, skua_time now);

/* Asserts the invariants, in time proportional to what is held; for tests and fuzzers. */
void skua_recovery_check(const struct skua_recovery *rec);

#endif
