/* Explicit Congestion Notification on the present path: whether to mark own packets, and what the
 * peer's counts say (RFC 9000 §13.4 and appendix A.4, RFC 3168).
 *
 * A path is first tested with a few marked packets. It is found capable when the peer's counts show
 * that marks arrive as they were sent. Marking ends where they do not: bleached, changed to another
 * codepoint, put on packets that had none, or not counted by the peer. It also ends where marked
 * packets vanish while others arrive: the whole connection would hang on a few bits. A capable path
 * that begins to look like that is tested again, so that only a few packets are at stake.
 *
 * Pure: no clock, no memory, deterministic. */
#ifndef SKUA_PATH_ECN_H
#define SKUA_PATH_ECN_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>

/* The ECN field of the IP header (RFC 3168 §5). */
enum { SKUA_ECN_NOT_ECT = 0, SKUA_ECN_ECT1 = 1, SKUA_ECN_ECT0 = 2, SKUA_ECN_CE = 3 };

enum {
    SKUA_ECN_TEST_PACKETS = 10, /* marked packets of a test; a batch that began is marked whole */
    SKUA_ECN_HOLE_LOSSES = 3    /* marked packets lost, with none acknowledged, that make a hole */
};

struct skua_ecn {
    uint64_t sent;        /* packets sent with ECT(0) */
    uint64_t acked;       /* of these, acknowledged */
    uint64_t ect0, ce;    /* the peer's counts, of the newest ACK that was believed */
    skua_time test_start; /* what was sent before does not count in this test */
    uint8_t state;        /* enum skua_ecn_state */
    uint8_t tested;       /* marked packets of this test, up to SKUA_ECN_TEST_PACKETS */
    uint8_t lost;         /* marked packets lost since one was acknowledged, up to HOLE_LOSSES */
};

/* What one ACK says. */
struct skua_ecn_ack {
    uint64_t packets;        /* newly acknowledged */
    uint64_t marked;         /* of these, sent with ECT(0) */
    uint64_t lost_marked;    /* sent with ECT(0) and declared lost because of this ACK */
    skua_time lost_newest;   /* when the newest lost packet was sent */
    bool advances;           /* the ACK's largest number is larger than that of any before */
    uint64_t ect0, ect1, ce; /* the peer's counts; all 0 in an ACK without them */
};

/* A new path: to be tested. */
void skua_ecn_init(struct skua_ecn *ecn);

/* Are packets sent now to be marked with ECT(0)? */
static inline bool skua_ecn_marks(const struct skua_ecn *ecn)
{
    return ecn->state == SKUA_ECN_STATE_TESTING || ecn->state == SKUA_ECN_STATE_CAPABLE;
}

/* Packets leave along another path from now on, which is to be tested; but where one has failed,
 * the totals fit no more. */
void skua_ecn_on_path(struct skua_ecn *ecn, skua_time now);

/* A marked packet was sent. */
void skua_ecn_on_sent(struct skua_ecn *ecn);

/* Marked packets were declared lost by time, the newest sent at `newest`. */
void skua_ecn_on_lost(struct skua_ecn *ecn, uint64_t marked, skua_time newest);

/* An ACK. Returns how many more CE marks it tells of: with any, the network asks for less. */
uint64_t skua_ecn_on_ack(struct skua_ecn *ecn, const struct skua_ecn_ack *ack, skua_time now);

/* Asserts the invariants; for tests. */
void skua_ecn_check(const struct skua_ecn *ecn);

#endif
