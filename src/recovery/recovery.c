/* Sending, timers and housekeeping of loss recovery. ACKs are in ack.c, losses in loss.c. */
#include "recovery/recovery.h"

#include "base/limits.h"
#include "base/time.h"
#include "recovery/internal.h"

enum {
    PTO_PROBES = 2,     /* RFC 9002 §6.2.4: at most two datagrams per PTO */
    PTO_SHIFT_MAX = 20, /* backoff is capped far below */
    KEEP_LOST_PTOS = 3  /* how long a lost packet's ACK still counts as spurious loss */
};

void skua_recovery_init(struct skua_recovery *rec, struct skua_heap *heap)
{
    *rec = (struct skua_recovery){
        .max_ack_delay_ns = 25 * SKUA_MSEC, /* RFC 9000 §18.2: default */
        .largest_acked = SKUA_SENT_NO_PN,
        .loss_time = SKUA_NEVER,
        .first_sample_time = SKUA_NEVER,
        .outage_start = SKUA_NEVER,
        .reorder = {.mult = 1},
        .full = SKUA_LIMIT_UDP_MIN,
        .acked_head = SKUA_SENT_NO_PN,
        .lost_head = SKUA_SENT_NO_PN,
        .lost_more = SKUA_SENT_NO_RECORD,
    };
    skua_sent_init(&rec->sent, heap);
    skua_rtt_init(&rec->rtt);
}

void skua_recovery_deinit(struct skua_recovery *rec)
{
    skua_sent_deinit(&rec->sent);
}

static bool is_drained(const struct skua_recovery *rec)
{
    return rec->acked_head == SKUA_SENT_NO_PN && rec->lost_head == SKUA_SENT_NO_PN;
}

static void drop_first(struct skua_recovery *rec)
{
    skua_sent_drop_records(&rec->sent, skua_sent_at(&rec->sent, rec->sent.first));
    rec->sent.first++;
}

/* A lost packet's ACK still tells of a spurious loss for a while. */
static bool is_worth_keeping(const struct skua_recovery *rec, const struct skua_sent *entry,
                             skua_time now)
{
    if (entry->state != SKUA_SENT_LOST || (entry->flags & SKUA_SENT_IN_FLIGHT) == 0) {
        return false;
    }
    skua_time pto = skua_rtt_pto(&rec->rtt, rec->max_ack_delay_ns);
    return skua_time_sub(now, entry->u.fate.since) < skua_time_mul(pto, KEEP_LOST_PTOS);
}

void skua_recovery_drop_settled(struct skua_recovery *rec, skua_time now)
{
    if (!is_drained(rec)) {
        return;
    }
    while (rec->sent.first < rec->lowest &&
           !is_worth_keeping(rec, skua_sent_at(&rec->sent, rec->sent.first), now)) {
        drop_first(rec);
    }
}

/* A ring that would grow first forgets what is settled, where that is more than half of it; at the
 * limit, all of it. */
static void tidy(struct skua_recovery *rec, uint32_t packets)
{
    const struct skua_sent_map *sent = &rec->sent;
    uint64_t wanted = sent->next - sent->first + packets;
    uint64_t settled = rec->lowest - sent->first;
    bool at_limit = wanted > SKUA_RECOVERY_PACKETS_MAX;
    if ((wanted <= sent->cap && !at_limit) || !is_drained(rec)) {
        return;
    }
    uint64_t keep = settled;
    if (at_limit) {
        keep = 0;
    } else if (settled > sent->cap / 2) {
        keep = sent->cap / 4;
    }
    while (rec->lowest - sent->first > keep) {
        drop_first(rec);
    }
}

enum skua_err skua_recovery_make_room(struct skua_recovery *rec, uint32_t packets, uint32_t records)
{
    tidy(rec, packets);
    uint64_t wanted = rec->sent.next - rec->sent.first + packets;
    if (rec->pto_count == 0 && wanted > SKUA_RECOVERY_PACKETS_MAX) {
        return SKUA_ELIMIT;
    }
    return skua_sent_reserve(&rec->sent, packets, records);
}

enum skua_err skua_recovery_on_sent(struct skua_recovery *rec, uint64_t pn,
                                    const struct skua_sent_info *info, skua_time now)
{
    SKUA_ASSERT(pn == rec->sent.next);
    SKUA_ASSERT(info->size <= UINT16_MAX);
    SKUA_ASSERT((info->flags & (SKUA_SENT_APP_LIMITED | SKUA_SENT_HAS_RECORD)) == 0);
    bool eliciting = (info->flags & SKUA_SENT_ELICITING) != 0;
    bool in_flight = (info->flags & SKUA_SENT_IN_FLIGHT) != 0;
    SKUA_ASSERT(in_flight || !eliciting);
    size_t more = info->count > 1 ? info->count - 1 : 0;
    if (more > SKUA_LIMIT_SENT_PACKETS_MAX) {
        return SKUA_ELIMIT;
    }
    enum skua_err err = skua_recovery_reserve(rec, 1, (uint32_t)more);
    if (err != SKUA_OK) {
        return err;
    }
    struct skua_sent *entry;
    err = skua_sent_push(&rec->sent, &entry);
    SKUA_ASSERT(err == SKUA_OK);
    entry->state = SKUA_SENT_OUTSTANDING;
    entry->time_sent = now;
    entry->size = (uint16_t)info->size;
    entry->flags = info->flags;
    err = skua_sent_put_records(&rec->sent, entry, info->records, info->count);
    SKUA_ASSERT(err == SKUA_OK);
    if (in_flight) {
        skua_rate_on_sent(rec, entry, now);
        rec->bytes_in_flight += skua_sent_flight(entry);
    }
    if (eliciting) {
        rec->eliciting_in_flight++;
        rec->last_eliciting_sent = now;
    }
    return SKUA_OK;
}

enum skua_err skua_recovery_skip(struct skua_recovery *rec, uint64_t pn)
{
    SKUA_ASSERT(pn == rec->sent.next);
    enum skua_err err = skua_recovery_reserve(rec, 1, 0);
    if (err != SKUA_OK) {
        return err;
    }
    struct skua_sent *entry;
    err = skua_sent_push(&rec->sent, &entry);
    SKUA_ASSERT(err == SKUA_OK);
    rec->skipped[rec->skipped_count % SKUA_RECOVERY_SKIPPED] = (uint32_t)pn;
    rec->skipped_count++;
    return SKUA_OK;
}

void skua_recovery_on_path(struct skua_recovery *rec, bool other_host)
{
    for (uint64_t pn = rec->sent.first; pn < rec->sent.next; pn++) {
        struct skua_sent *entry = skua_sent_at(&rec->sent, pn);
        if (entry->state == SKUA_SENT_OUTSTANDING || entry->state == SKUA_SENT_LOST) {
            /* Nor do its marks tell of the new path. */
            entry->flags = (entry->flags & (uint8_t)~SKUA_SENT_ECT) | SKUA_SENT_OTHER_PATH;
        }
    }
    rec->bytes_in_flight = 0;
    rec->pto_count = 0;
    rec->outage_start = SKUA_NEVER;
    rec->app_limited_until = 0;
    if (other_host) {
        skua_rtt_init(&rec->rtt);
        rec->first_sample_time = SKUA_NEVER;
        rec->reorder = (struct skua_reorder){.mult = 1};
    }
}

void skua_recovery_set_full(struct skua_recovery *rec, uint32_t size)
{
    SKUA_ASSERT(size <= UINT16_MAX);
    rec->full = (uint16_t)size;
    rec->unproven = rec->sent.next;
}

void skua_recovery_on_app_limited(struct skua_recovery *rec)
{
    uint64_t until = rec->delivered + rec->bytes_in_flight;
    rec->app_limited_until = until != 0 ? until : 1;
}

skua_time skua_recovery_pto(const struct skua_recovery *rec)
{
    /* RFC 9002 §6.2.1: no max_ack_delay before the handshake is confirmed. */
    skua_time pto = skua_rtt_pto(&rec->rtt, rec->confirmed ? rec->max_ack_delay_ns : 0);
    uint32_t shift = rec->pto_count < PTO_SHIFT_MAX ? rec->pto_count : PTO_SHIFT_MAX;
    skua_time backed_off = skua_time_mul(pto, UINT64_C(1) << shift);
    return skua_time_max(pto, skua_time_min(backed_off, SKUA_RECOVERY_PTO_MAX_NS));
}

skua_time skua_recovery_deadline(const struct skua_recovery *rec)
{
    if (rec->loss_time != SKUA_NEVER) {
        return rec->loss_time;
    }
    if (rec->eliciting_in_flight == 0) {
        return SKUA_NEVER;
    }
    skua_time pto = skua_recovery_pto(rec);
    skua_time at = skua_time_add(rec->last_eliciting_sent, pto);
    /* RFC 9002 §6.2.1 counts from the last packet alone. An application that sends a little at a
     * time would put the PTO off for as long as the window lasts, on a path that takes small
     * packets and no large ones, say. What is in flight has an ACK within one PTO; two are enough.
     */
    skua_time latest = skua_time_add(rec->delivered_time, skua_time_mul(pto, 2));
    return rec->bytes_in_flight > 0 ? skua_time_min(at, latest) : at;
}

void skua_recovery_on_timeout(struct skua_recovery *rec, skua_time now,
                              struct skua_timeout_result *out)
{
    SKUA_ASSERT(is_drained(rec));
    *out = (struct skua_timeout_result){
        .loss = {.largest_pn = SKUA_SENT_NO_PN, .bytes_in_flight = rec->bytes_in_flight}};
    if (skua_recovery_deadline(rec) > now) {
        return;
    }
    if (rec->loss_time != SKUA_NEVER) {
        skua_loss_detect(rec, now, &out->loss);
        out->loss_timer = true;
        return;
    }
    rec->pto_count++;
    rec->delivered_time = now;
    out->pto = true;
    out->probes = PTO_PROBES;
}

static bool is_worth_probing(const struct skua_sent *entry)
{
    return entry->state == SKUA_SENT_OUTSTANDING && (entry->flags & SKUA_SENT_ELICITING) != 0 &&
           (entry->flags & SKUA_SENT_MTU_PROBE) == 0 && (entry->flags & SKUA_SENT_HAS_RECORD) != 0;
}

size_t skua_recovery_probe_records(const struct skua_recovery *rec, uint64_t *cursor,
                                   struct skua_record *out, size_t cap)
{
    uint64_t pn = *cursor > rec->lowest ? *cursor : rec->lowest;
    while (pn < rec->sent.next && !is_worth_probing(skua_sent_at(&rec->sent, pn))) {
        pn++;
    }
    *cursor = pn < rec->sent.next ? pn + 1 : pn;
    if (pn == rec->sent.next || cap == 0) {
        return 0;
    }
    const struct skua_sent *entry = skua_sent_at(&rec->sent, pn);
    out[0] = entry->record;
    size_t count = 1;
    for (uint32_t i = entry->more; i != SKUA_SENT_NO_RECORD && count < cap;
         i = rec->sent.pool[i].next) {
        out[count++] = rec->sent.pool[i].record;
    }
    return count;
}

void skua_recovery_trim(struct skua_recovery *rec, skua_time now)
{
    skua_recovery_drop_settled(rec, now);
    if (!is_drained(rec) || rec->bytes_in_flight != 0 || rec->eliciting_in_flight != 0) {
        return;
    }
    while (rec->sent.first < rec->sent.next) {
        drop_first(rec);
    }
    rec->lowest = rec->sent.next;
    rec->loss_time = SKUA_NEVER;
    skua_sent_release(&rec->sent);
}

void skua_recovery_check(const struct skua_recovery *rec)
{
    skua_sent_check(&rec->sent);
    SKUA_ASSERT(rec->sent.first <= rec->lowest && rec->lowest <= rec->sent.next);
    uint64_t bytes = 0;
    uint64_t eliciting = 0;
    uint64_t settled_from = rec->sent.first; /* lowest number of the run without open packets */
    for (uint64_t pn = rec->sent.first; pn < rec->sent.next; pn++) {
        const struct skua_sent *entry = skua_sent_at(&rec->sent, pn);
        bool outstanding = entry->state == SKUA_SENT_OUTSTANDING;
        if (outstanding) {
            SKUA_ASSERT(pn >= rec->lowest);
            bytes += skua_sent_flight(entry);
            eliciting += (entry->flags & SKUA_SENT_ELICITING) != 0;
        }
        if (outstanding || entry->state == SKUA_SENT_LOST) {
            settled_from = pn + 1;
        } else if (entry->state == SKUA_SENT_ACKED) {
            uint64_t skip_to = entry->u.fate.skip_to;
            SKUA_ASSERT(skip_to <= pn);
            SKUA_ASSERT((skip_to > rec->sent.first ? skip_to : rec->sent.first) >= settled_from);
        }
    }
    SKUA_ASSERT(bytes == rec->bytes_in_flight);
    SKUA_ASSERT(eliciting == rec->eliciting_in_flight);
}
