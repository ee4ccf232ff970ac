/* An ACK frame: RFC 9002 §5.1 and A.7; and the iterators over what it settled.
 *
 * A frame repeats ranges that earlier ones have told. An acknowledged entry therefore remembers
 * down to which number everything was acknowledged with it, and a walk that meets it jumps there:
 * the work is proportional to what is new. */
#include "base/time.h"
#include "recovery/internal.h"

static bool covers(const struct skua_range *ranges, size_t count, uint64_t pn)
{
    for (size_t i = 0; i < count && ranges[i].last >= pn; i++) {
        if (ranges[i].first <= pn) {
            return true;
        }
    }
    return false;
}

/* RFC 9000 §13.1 and §21.4: an ACK of what was never sent, or skipped to catch optimistic ACKs. */
static bool acks_unsent(const struct skua_recovery *rec, const struct skua_range *ranges,
                        size_t count)
{
    if (ranges[0].last >= rec->sent.next) {
        return true;
    }
    uint32_t known =
        rec->skipped_count < SKUA_RECOVERY_SKIPPED ? rec->skipped_count : SKUA_RECOVERY_SKIPPED;
    for (uint32_t i = 0; i < known; i++) {
        uint32_t ago = (uint32_t)rec->sent.next - rec->skipped[i];
        if (covers(ranges, count, rec->sent.next - ago)) {
            return true;
        }
    }
    return false;
}

/* One walk over an ACK's ranges. */
struct walk {
    struct skua_recovery *rec;
    struct skua_ack_result *out;
    struct skua_sent newest; /* copy of the newest packet for the rate sample */
    bool has_newest;         /* it is there */
    bool other_path;         /* the largest newly acknowledged went along another path */
    uint8_t flags;           /* SKUA_SENT_... that any newly acknowledged packet has */
};

static void count_acked(struct walk *walk, struct skua_sent *entry)
{
    struct skua_recovery *rec = walk->rec;
    struct skua_ack_result *out = walk->out;
    rec->bytes_in_flight -= skua_sent_flight(entry);
    rec->delivered += skua_sent_flight(entry);
    out->bytes += skua_sent_flight(entry);
    if ((entry->flags & SKUA_SENT_ELICITING) != 0) {
        rec->eliciting_in_flight--;
    }
    /* Descending order: the first is the newest. */
    if (!walk->has_newest && (entry->flags & SKUA_SENT_APART) == 0) {
        walk->newest = *entry;
        walk->has_newest = true;
    }
}

static void count_spurious(struct walk *walk, uint64_t pn, const struct skua_sent *entry)
{
    if ((entry->flags & SKUA_SENT_IN_FLIGHT) == 0) {
        return;
    }
    walk->rec->delivered += skua_sent_flight(entry);
    if ((entry->flags & SKUA_SENT_APART) == 0) {
        skua_time since = entry->u.fate.since;
        bool first = walk->out->spurious_packets == 0 || since < walk->out->spurious_since;
        walk->out->spurious_since = first ? since : walk->out->spurious_since;
        walk->out->spurious_packets++;
        walk->out->spurious_bytes += entry->size;
        skua_loss_on_spurious(walk->rec, pn);
    }
}

/* Settles `pn` as acknowledged in a range that reaches down to `low`. */
static void acknowledge(struct walk *walk, uint64_t pn, uint64_t low)
{
    struct skua_recovery *rec = walk->rec;
    struct skua_ack_result *out = walk->out;
    struct skua_sent *entry = skua_sent_at(&rec->sent, pn);
    bool in_flight = (entry->flags & SKUA_SENT_IN_FLIGHT) != 0;
    bool other_path = (entry->flags & SKUA_SENT_OTHER_PATH) != 0;
    if (entry->state == SKUA_SENT_LOST) {
        count_spurious(walk, pn, entry);
    } else if (in_flight) {
        count_acked(walk, entry);
    }
    if (out->packets == 0) {
        out->largest_pn = pn;
        out->largest_sent = entry->time_sent;
        walk->other_path = other_path;
    }
    out->packets++;
    out->marked += (entry->flags & SKUA_SENT_ECT) != 0 ? 1 : 0;
    walk->flags |= entry->flags;
    if (!other_path && (entry->flags & SKUA_SENT_MTU_PROBE) != 0) {
        out->mtu_probe = entry->size;
    } else if (!other_path && entry->size > out->size_max) {
        out->size_max = entry->size;
        if (entry->size >= rec->full && pn >= rec->unproven) {
            rec->unproven = pn + 1;
        }
    }
    entry->state = SKUA_SENT_ACKED;
    entry->u.fate = (struct skua_sent_fate){.next = SKUA_SENT_NO_PN, .skip_to = low};
    if ((entry->flags & SKUA_SENT_HAS_RECORD) != 0) {
        /* Descending walk, pushed at the head: the list ascends. */
        entry->u.fate.next = rec->acked_head;
        rec->acked_head = pn;
    }
}

static void walk_range(struct walk *walk, const struct skua_range *range)
{
    struct skua_sent_map *sent = &walk->rec->sent;
    uint64_t low = range->first > sent->first ? range->first : sent->first;
    /* Counted as one past the number, so that 0 needs no special case. */
    for (uint64_t end = range->last + 1; end > low; end--) {
        uint64_t pn = end - 1;
        struct skua_sent *entry = skua_sent_at(sent, pn);
        switch ((enum skua_sent_state)entry->state) {
        case SKUA_SENT_OUTSTANDING:
        case SKUA_SENT_LOST:
            acknowledge(walk, pn, low);
            break;
        case SKUA_SENT_ACKED: {
            uint64_t skip_to = entry->u.fate.skip_to;
            if (low < skip_to) {
                entry->u.fate.skip_to = low;
            }
            end = skip_to + 1;
            break;
        }
        case SKUA_SENT_VOID:
            break;
        }
    }
}

/* RFC 9002 §5.1: a sample is taken where the largest number is new and something newly acknowledged
 * is ack-eliciting. */
static void sample_rtt(struct skua_recovery *rec, skua_time ack_delay, skua_time now,
                       struct skua_ack_result *out)
{
    if (!out->largest_is_new || !out->eliciting) {
        return;
    }
    skua_rtt_update(&rec->rtt, skua_time_sub(now, out->largest_sent), ack_delay,
                    rec->confirmed ? rec->max_ack_delay_ns : SKUA_NEVER);
    out->rtt_sampled = true;
    if (rec->first_sample_time == SKUA_NEVER) {
        rec->first_sample_time = now;
    }
}

enum skua_code skua_recovery_on_ack(struct skua_recovery *rec, const struct skua_range *ranges,
                                    size_t count, skua_time ack_delay, skua_time now,
                                    struct skua_ack_result *out)
{
    SKUA_ASSERT(count > 0);
    SKUA_ASSERT(rec->acked_head == SKUA_SENT_NO_PN && rec->lost_head == SKUA_SENT_NO_PN);
    *out = (struct skua_ack_result){
        .largest_pn = SKUA_SENT_NO_PN,
        .loss = {.largest_pn = SKUA_SENT_NO_PN, .bytes_in_flight = rec->bytes_in_flight},
        .bytes_in_flight = rec->bytes_in_flight};
    if (acks_unsent(rec, ranges, count)) {
        return SKUA_CODE_ACK_UNSENT;
    }
    skua_recovery_drop_settled(rec, now);
    struct walk walk = {.rec = rec, .out = out};
    for (size_t i = 0; i < count && ranges[i].last >= rec->sent.first; i++) {
        walk_range(&walk, &ranges[i]);
    }
    if (out->packets == 0) {
        return SKUA_CODE_NO_ERROR;
    }
    if (rec->largest_acked == SKUA_SENT_NO_PN || out->largest_pn > rec->largest_acked) {
        rec->largest_acked = out->largest_pn;
        out->advances = true;
    }
    out->largest_is_new = out->largest_pn == ranges[0].last;
    out->eliciting = (walk.flags & SKUA_SENT_ELICITING) != 0;
    if (!walk.other_path) {
        sample_rtt(rec, ack_delay, now, out);
    }
    if (walk.has_newest) {
        skua_rate_sample(rec, &walk.newest, now, &out->rate);
    }
    if (out->bytes != 0 || out->spurious_bytes != 0) {
        rec->delivered_time = now;
    }
    rec->pto_count = 0;
    skua_loss_detect(rec, now, &out->loss);
    return SKUA_CODE_NO_ERROR;
}

bool skua_recovery_next_acked(struct skua_recovery *rec, struct skua_record *out)
{
    while (rec->acked_head != SKUA_SENT_NO_PN) {
        struct skua_sent *entry = skua_sent_at(&rec->sent, rec->acked_head);
        if (skua_sent_take_record(&rec->sent, entry, out)) {
            return true;
        }
        rec->acked_head = entry->u.fate.next;
    }
    return false;
}

/* Copies: the records stay with the entry, so that they can be acknowledged after all. */
bool skua_recovery_next_lost(struct skua_recovery *rec, struct skua_record *out)
{
    while (rec->lost_head != SKUA_SENT_NO_PN) {
        const struct skua_sent *entry = skua_sent_at(&rec->sent, rec->lost_head);
        if (!rec->lost_begun) {
            rec->lost_begun = true;
            rec->lost_more = entry->more;
            *out = entry->record;
            return true;
        }
        if (rec->lost_more != SKUA_SENT_NO_RECORD) {
            const struct skua_sent_more *more = &rec->sent.pool[rec->lost_more];
            rec->lost_more = more->next;
            *out = more->record;
            return true;
        }
        rec->lost_begun = false;
        rec->lost_head = entry->u.fate.next;
    }
    return false;
}
