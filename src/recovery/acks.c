/* The receiver's half: which numbers arrived, and when an ACK is owed. */
#include "recovery/acks.h"

#include "base/limits.h"
#include "base/time.h"

enum {
    ECN_ECT1 = 1,
    ECN_ECT0 = 2,
    ECN_CE = 3,
    DEFAULT_TOLERANCE = 2
}; /* RFC 3168 §5; RFC 9000 §13.2.2 */

void skua_acks_init(struct skua_acks *acks, struct skua_heap *heap)
{
    *acks = (struct skua_acks){
        .largest_eliciting = UINT64_MAX,
        .tolerance = DEFAULT_TOLERANCE,
        .oldest_time = SKUA_NEVER,
    };
    skua_rangeset_init(&acks->received, heap, SKUA_LIMIT_ACK_RANGES_KEPT,
                       SKUA_RANGESET_FORGET_LOWEST);
}

void skua_acks_deinit(struct skua_acks *acks)
{
    skua_rangeset_deinit(&acks->received);
}

/* RFC 9000 §13.2.1: out of order, or beyond a gap above the largest ack-eliciting number. A gap is
 * there exactly where the range that `pn` extends does not reach down to that number. */
static bool is_reordered(const struct skua_acks *acks, uint64_t pn)
{
    if (acks->largest_eliciting == UINT64_MAX) {
        return false;
    }
    if (pn < acks->largest_eliciting) {
        return true;
    }
    uint32_t index = skua_rangeset_find(&acks->received, pn);
    return index == skua_rangeset_count(&acks->received) ||
           skua_rangeset_at(&acks->received, index).first > acks->largest_eliciting;
}

void skua_acks_on_received(struct skua_acks *acks, uint64_t pn, bool eliciting, uint8_t ecn,
                           skua_time now)
{
    bool first = skua_rangeset_count(&acks->received) == 0;
    /* Out of memory: the number stays unreported and the peer repeats what it carried. */
    if (skua_rangeset_add(&acks->received, pn, pn) != SKUA_OK) {
        return;
    }
    if (ecn != 0) {
        acks->marks[ecn - 1]++;
    }
    acks->news = true;
    if (first || pn > acks->largest) {
        acks->largest = pn;
        acks->largest_time = now;
    }
    if (!eliciting) {
        return;
    }
    if (ecn == ECN_CE || is_reordered(acks, pn)) {
        acks->immediate = true;
    }
    if (acks->largest_eliciting == UINT64_MAX || pn > acks->largest_eliciting) {
        acks->largest_eliciting = pn;
    }
    acks->eliciting++;
    acks->oldest_time = skua_time_min(acks->oldest_time, now);
}

void skua_acks_set_tolerance(struct skua_acks *acks, uint64_t packets)
{
    acks->tolerance =
        (uint8_t)(packets < SKUA_ACKS_TOLERANCE_MAX ? packets : SKUA_ACKS_TOLERANCE_MAX);
}

void skua_acks_set_immediate(struct skua_acks *acks)
{
    acks->immediate = true;
}

skua_time skua_acks_deadline(const struct skua_acks *acks)
{
    if (!acks->news) {
        return SKUA_NEVER; /* nothing to say, whatever was asked for */
    }
    if (acks->immediate || acks->eliciting >= acks->tolerance) {
        return 0;
    }
    return acks->eliciting == 0 ? SKUA_NEVER
                                : skua_time_add(acks->oldest_time, SKUA_ACKS_MAX_DELAY_NS);
}

bool skua_acks_due(const struct skua_acks *acks, skua_time now)
{
    skua_time deadline = skua_acks_deadline(acks);
    return deadline != SKUA_NEVER && deadline <= now;
}

size_t skua_acks_ranges(const struct skua_acks *acks, struct skua_range *out, size_t max)
{
    uint32_t held = skua_rangeset_count(&acks->received);
    size_t count = held < max ? held : max;
    for (size_t i = 0; i < count; i++) {
        out[i] = skua_rangeset_at(&acks->received, held - 1 - (uint32_t)i);
    }
    return count;
}

skua_time skua_acks_delay(const struct skua_acks *acks, skua_time now)
{
    return skua_time_sub(now, acks->largest_time);
}

void skua_acks_on_sent(struct skua_acks *acks)
{
    acks->eliciting = 0;
    acks->immediate = false;
    acks->news = false;
    acks->oldest_time = SKUA_NEVER;
}

void skua_acks_on_ack_of_ack(struct skua_acks *acks, uint64_t largest)
{
    if (skua_rangeset_count(&acks->received) == 0) {
        return;
    }
    /* The number itself stays, so that what follows is seen to be connected. Removing from 0 on
     * cannot fail. */
    uint64_t known = largest < acks->largest ? largest : acks->largest;
    if (known > 0) {
        (void)skua_rangeset_remove(&acks->received, 0, known - 1);
    }
    if (acks->largest_eliciting == UINT64_MAX || acks->largest_eliciting < known) {
        acks->largest_eliciting = known;
    }
}

void skua_acks_check(const struct skua_acks *acks)
{
    skua_rangeset_check(&acks->received);
    uint32_t count = skua_rangeset_count(&acks->received);
    SKUA_ASSERT(count <= SKUA_LIMIT_ACK_RANGES_KEPT);
    SKUA_ASSERT(count == 0 || skua_rangeset_max(&acks->received) == acks->largest);
    SKUA_ASSERT((acks->eliciting == 0) == (acks->oldest_time == SKUA_NEVER));
}
