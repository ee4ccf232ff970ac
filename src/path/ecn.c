/* ECN validation: RFC 9000 §13.4.2 and appendix A.4.
 *
 *   TESTING   marked packets leave until there are enough      -> UNKNOWN
 *   UNKNOWN   none leave; those under way have not been heard of
 *   CAPABLE   all are marked
 *   FAILED    none, for the rest of the path's life
 *
 * Counts prove a path capable or failed in any state. A hole, in TESTING and UNKNOWN, is failure;
 * in CAPABLE it is a new test, since a few marked packets at the tail can be lost by chance. That
 * needs packets without marks that arrive: from a probe timeout on there are some (conn/tx.c). */
#include "path/ecn.h"

#include "base/assert.h"

void skua_ecn_init(struct skua_ecn *ecn)
{
    *ecn = (struct skua_ecn){.state = SKUA_ECN_STATE_TESTING};
}

/* Begins a test. */
static void test(struct skua_ecn *ecn, skua_time now)
{
    ecn->state = SKUA_ECN_STATE_TESTING;
    ecn->tested = 0;
    ecn->lost = 0;
    ecn->test_start = now;
}

void skua_ecn_on_path(struct skua_ecn *ecn, skua_time now)
{
    if (ecn->state != SKUA_ECN_STATE_FAILED) {
        test(ecn, now);
    }
}

void skua_ecn_on_sent(struct skua_ecn *ecn)
{
    ecn->sent++;
    if (ecn->state == SKUA_ECN_STATE_TESTING && ++ecn->tested >= SKUA_ECN_TEST_PACKETS) {
        ecn->state = SKUA_ECN_STATE_UNKNOWN;
    }
}

void skua_ecn_on_lost(struct skua_ecn *ecn, uint64_t marked, skua_time newest)
{
    if (newest < ecn->test_start) {
        return;
    }
    uint64_t lost = ecn->lost + (marked < SKUA_ECN_HOLE_LOSSES ? marked : SKUA_ECN_HOLE_LOSSES);
    ecn->lost = (uint8_t)(lost < SKUA_ECN_HOLE_LOSSES ? lost : SKUA_ECN_HOLE_LOSSES);
}

static bool has_counts(const struct skua_ecn_ack *ack)
{
    return (ack->ect0 | ack->ect1 | ack->ce) != 0;
}

/* RFC 9000 §13.4.2.1: do the counts fit what was sent? Counts only grow, all that arrived was
 * counted, nothing was counted that was not sent, and ECT(1) is never sent. Totals are compared,
 * not the growth from ACK to ACK: a packet is counted when it arrives, and may be acknowledged
 * later. */
static bool fits(const struct skua_ecn *ecn, const struct skua_ecn_ack *ack)
{
    if (!has_counts(ack)) {
        return ack->marked == 0;
    }
    uint64_t counted = ack->ect0 + ack->ce;
    return ack->ect1 == 0 && ack->ect0 >= ecn->ect0 && ack->ce >= ecn->ce && counted <= ecn->sent &&
           counted >= ecn->acked;
}

/* Takes the counts of an ACK that advances; returns the new CE marks. */
static uint64_t validate(struct skua_ecn *ecn, const struct skua_ecn_ack *ack)
{
    if (!fits(ecn, ack)) {
        ecn->state = SKUA_ECN_STATE_FAILED;
        return 0;
    }
    if (!has_counts(ack)) {
        return 0;
    }
    uint64_t marks = ack->ce - ecn->ce;
    ecn->ect0 = ack->ect0;
    ecn->ce = ack->ce;
    if (ack->marked > 0) {
        ecn->state = SKUA_ECN_STATE_CAPABLE;
    }
    return marks;
}

/* Marked packets are lost, and only others arrive. */
static void fall_into_hole(struct skua_ecn *ecn, skua_time now)
{
    if (ecn->state == SKUA_ECN_STATE_CAPABLE) {
        test(ecn, now);
    } else {
        ecn->lost = 0;
        ecn->state = SKUA_ECN_STATE_FAILED;
    }
}

uint64_t skua_ecn_on_ack(struct skua_ecn *ecn, const struct skua_ecn_ack *ack, skua_time now)
{
    ecn->acked += ack->marked;
    if (ecn->state == SKUA_ECN_STATE_FAILED) {
        return 0;
    }
    if (ack->marked > 0) {
        ecn->lost = 0;
    } else if (ack->packets > 0) {
        skua_ecn_on_lost(ecn, ack->lost_marked, ack->lost_newest);
        if (ecn->lost == SKUA_ECN_HOLE_LOSSES) {
            fall_into_hole(ecn, now);
        }
    }
    /* An ACK that others have overtaken tells of the past. */
    return ack->advances && ecn->state != SKUA_ECN_STATE_FAILED ? validate(ecn, ack) : 0;
}

void skua_ecn_check(const struct skua_ecn *ecn)
{
    SKUA_ASSERT(ecn->state <= SKUA_ECN_STATE_CAPABLE);
    SKUA_ASSERT(ecn->ect0 + ecn->ce <= ecn->sent && ecn->acked <= ecn->sent);
    SKUA_ASSERT(ecn->tested <= SKUA_ECN_TEST_PACKETS && ecn->lost <= SKUA_ECN_HOLE_LOSSES);
    SKUA_ASSERT(ecn->state != SKUA_ECN_STATE_TESTING || ecn->tested < SKUA_ECN_TEST_PACKETS);
}
