/* Loss detection: RFC 9002 §6.1 by packets and time, with RACK's adaptive window (RFC 8985 §6.2).
 *
 * Both criteria get weaker as numbers grow, so the outstanding packets are looked at upwards from
 * the lowest and the first that is not lost ends the search. `lowest` therefore passes each number
 * once in a connection's life, which is also what makes persistent congestion exact across ACKs. */
#include "base/limits.h"
#include "base/time.h"
#include "recovery/internal.h"

/* RFC 8985 §6.2: a grown window is kept for 16 loss recoveries. */
enum { PERSIST_EVENTS = 16, MULT_MAX = 8 };

/* RFC 9002 §7.6.1: kPersistentCongestionThreshold. */
enum { PERSISTENT_PTOS = 3 };

/* How long after it was sent a packet is lost: 9/8 of the RTT at first, 2 RTT at most. */
static skua_time loss_delay(const struct skua_recovery *rec)
{
    skua_time rtt = skua_time_max(rec->rtt.latest, rec->rtt.smoothed);
    skua_time delay = skua_time_add(rtt, rtt / 8 * rec->reorder.mult);
    return skua_time_max(delay, SKUA_RTT_GRANULARITY_NS);
}

/* RFC 8985 §6.2: where reordering has been seen, counting packets says nothing; time decides. */
static bool is_lost_by_count(const struct skua_recovery *rec, uint64_t pn)
{
    return rec->reorder.persist == 0 && rec->largest_acked - pn >= SKUA_RECOVERY_PACKET_THRESHOLD;
}

/* RFC 9002 §7.6.2: the time between two lost ack-eliciting packets with no acknowledged one between
 * them, both sent after the first RTT sample. */
static void note_outage(struct skua_recovery *rec, const struct skua_sent *entry,
                        struct skua_loss_result *out)
{
    if ((entry->flags & SKUA_SENT_ELICITING) == 0 || entry->time_sent <= rec->first_sample_time) {
        return;
    }
    if (rec->outage_start == SKUA_NEVER) {
        rec->outage_start = entry->time_sent;
        return;
    }
    skua_time limit =
        skua_time_mul(skua_rtt_pto(&rec->rtt, rec->max_ack_delay_ns), PERSISTENT_PTOS);
    if (skua_time_sub(entry->time_sent, rec->outage_start) >= limit) {
        out->persistent = true;
        rec->outage_start = SKUA_NEVER;
        skua_rtt_restart_min(&rec->rtt);
    }
}

/* Appends to the list that skua_recovery_next_lost drains. */
static void enlist(struct skua_recovery *rec, uint64_t pn)
{
    if (rec->lost_head == SKUA_SENT_NO_PN) {
        rec->lost_head = pn;
        rec->lost_begun = false;
    } else {
        skua_sent_at(&rec->sent, rec->lost_tail)->u.fate.next = pn;
    }
    rec->lost_tail = pn;
}

static void count_lost(struct skua_recovery *rec, uint64_t pn, const struct skua_sent *entry,
                       struct skua_loss_result *out)
{
    rec->bytes_in_flight -= skua_sent_flight(entry);
    if ((entry->flags & SKUA_SENT_ELICITING) != 0) {
        rec->eliciting_in_flight--;
    }
    if ((entry->flags & SKUA_SENT_OTHER_PATH) != 0) {
        return;
    }
    if ((entry->flags & SKUA_SENT_MTU_PROBE) != 0) {
        out->mtu_probe = entry->size;
        return;
    }
    rec->lost_total += entry->size;
    out->bytes += entry->size;
    out->packets++;
    out->marked += (entry->flags & SKUA_SENT_ECT) / SKUA_SENT_ECT;
    out->largest_pn = pn;
    out->largest_sent = entry->time_sent;
    if (entry->size <= SKUA_LIMIT_UDP_MIN) {
        out->small++;
    } else if (pn >= rec->unproven) {
        out->large++;
        out->large_min =
            out->large_min == 0 || entry->size < out->large_min ? entry->size : out->large_min;
    }
    note_outage(rec, entry, out);
}

static void declare_lost(struct skua_recovery *rec, uint64_t pn, skua_time now,
                         struct skua_loss_result *out)
{
    struct skua_sent *entry = skua_sent_at(&rec->sent, pn);
    entry->state = SKUA_SENT_LOST;
    entry->u.fate = (struct skua_sent_fate){.next = SKUA_SENT_NO_PN, .since = now};
    if ((entry->flags & SKUA_SENT_IN_FLIGHT) != 0) {
        count_lost(rec, pn, entry, out);
        if ((entry->flags & SKUA_SENT_HAS_RECORD) != 0) {
            enlist(rec, pn);
        }
    }
}

/* One loss event per round shrinks the window's remaining time. */
static void decay_window(struct skua_recovery *rec, const struct skua_loss_result *loss)
{
    struct skua_reorder *reorder = &rec->reorder;
    if (reorder->persist == 0 || loss->packets == 0 || loss->largest_pn < reorder->decay_end) {
        return;
    }
    reorder->decay_end = rec->sent.next;
    reorder->persist--;
    if (reorder->persist == 0) {
        reorder->mult = 1;
    }
}

void skua_loss_on_spurious(struct skua_recovery *rec, uint64_t pn)
{
    struct skua_reorder *reorder = &rec->reorder;
    /* The first time, leaving the count of packets aside is the answer. */
    bool grow = reorder->persist != 0 && pn >= reorder->grow_end;
    if (grow && reorder->mult < MULT_MAX) {
        reorder->mult++;
    }
    if (grow || reorder->persist == 0) {
        reorder->grow_end = rec->sent.next;
    }
    reorder->persist = PERSIST_EVENTS;
    rec->outage_start = SKUA_NEVER;
}

void skua_loss_detect(struct skua_recovery *rec, skua_time now, struct skua_loss_result *out)
{
    out->bytes_in_flight = rec->bytes_in_flight;
    rec->loss_time = SKUA_NEVER;
    skua_time delay = loss_delay(rec);
    while (rec->lowest < rec->sent.next) {
        const struct skua_sent *entry = skua_sent_at(&rec->sent, rec->lowest);
        if (entry->state == SKUA_SENT_OUTSTANDING) {
            if (rec->largest_acked == SKUA_SENT_NO_PN || rec->lowest > rec->largest_acked) {
                break;
            }
            /* A packet that nobody had to acknowledge is forgotten without a timer. */
            skua_time when = (entry->flags & SKUA_SENT_IN_FLIGHT) == 0
                                 ? 0
                                 : skua_time_add(entry->time_sent, delay);
            if (when > now && !is_lost_by_count(rec, rec->lowest)) {
                rec->loss_time = when;
                break;
            }
            declare_lost(rec, rec->lowest, now, out);
        } else if (entry->state == SKUA_SENT_ACKED) {
            rec->outage_start = SKUA_NEVER;
        }
        rec->lowest++;
    }
    decay_window(rec, out);
}
