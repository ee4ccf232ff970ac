/* Loss recovery against a naive model: the input is a list of operations (send, skip, acknowledge,
 * wait, time out, trim, change the path or the size of a full packet), and after each both must
 * agree on every packet.
 *
 * The model keeps one flat array for all packets ever sent and walks all of it each time. It takes
 * the RTT from recovery (tests/unit/recovery has the arithmetic) and decides everything else by
 * itself. tests/unit/recovery/test_model.c runs the same function on pseudo-random input. */
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/limits.h"
#include "base/time.h"
#include "recovery/internal.h"

enum { PACKETS_MAX = 3000, RECORDS_MAX = 5, RANGES_MAX = 8 };

enum fate { UNSENT, OPEN, LOST, ACKED, SKIPPED };

struct packet {
    enum fate fate;
    uint8_t flags;
    uint32_t size;
    uint32_t records;
    skua_time sent;
};

struct world {
    struct skua_heap heap;
    struct skua_recovery rec;
    struct packet packets[PACKETS_MAX];
    uint64_t next;
    uint64_t largest_acked;    /* or UINT64_MAX */
    uint64_t reorder_grow_end; /* the model's own reordering window */
    uint64_t reorder_decay_end;
    uint32_t reorder_mult;
    uint32_t reorder_persist;
    uint32_t full;     /* a full packet's size */
    uint64_t unproven; /* none from here on was acknowledged */
    skua_time now;
};

/* What a packet counts in flight: an MTU probe nothing, nor what left along another path. */
static uint64_t flight_of(const struct packet *p)
{
    return (p->flags & (SKUA_SENT_IN_FLIGHT | SKUA_SENT_APART)) == SKUA_SENT_IN_FLIGHT ? p->size
                                                                                       : 0;
}

/* Records of packet `pn` are numbered; each list must come in ascending order and complete. */
static uint64_t record_sum(uint64_t pn, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += pn * 31 + i + 1;
    }
    return sum;
}

typedef bool next_record(struct skua_recovery *rec, struct skua_record *out);

static uint64_t drain(struct world *w, next_record *next)
{
    uint64_t sum = 0;
    uint64_t last = 0;
    struct skua_record record;
    while (next(&w->rec, &record)) {
        SKUA_ASSERT(record.id >= last);
        last = record.id;
        sum += record.id * 31 + record.offset + 1;
    }
    return sum;
}

static void do_send(struct world *w, uint8_t shape)
{
    if (w->next == PACKETS_MAX) {
        return;
    }
    struct packet *p = &w->packets[w->next];
    struct skua_record records[RECORDS_MAX];
    p->records = shape % (RECORDS_MAX + 1);
    for (uint32_t i = 0; i < p->records; i++) {
        records[i] = (struct skua_record){.id = w->next, .offset = i};
    }
    p->size = 40 + (uint32_t)shape * 5;
    p->sent = w->now;
    p->fate = OPEN;
    p->flags = (shape & 7) == 0    ? 0
               : (shape & 31) == 1 ? SKUA_SENT_ELICITING | SKUA_SENT_IN_FLIGHT | SKUA_SENT_MTU_PROBE
               : (shape & 31) == 2 ? SKUA_SENT_IN_FLIGHT
                                   : SKUA_SENT_ELICITING | SKUA_SENT_IN_FLIGHT;
    const struct skua_sent_info info = {
        .size = p->size, .flags = p->flags, .records = records, .count = p->records};
    SKUA_ASSERT(skua_recovery_on_sent(&w->rec, w->next, &info, w->now) == SKUA_OK);
    w->next++;
}

static void do_skip(struct world *w)
{
    if (w->next < PACKETS_MAX) {
        w->packets[w->next].fate = SKIPPED;
        SKUA_ASSERT(skua_recovery_skip(&w->rec, w->next) == SKUA_OK);
        w->next++;
    }
}

static void model_spurious(struct world *w, uint64_t pn)
{
    bool grow = w->reorder_persist != 0 && pn >= w->reorder_grow_end;
    if (grow && w->reorder_mult < 8) {
        w->reorder_mult++;
    }
    if (grow || w->reorder_persist == 0) {
        w->reorder_grow_end = w->next;
    }
    w->reorder_persist = 16;
}

/* Looks at every packet below the largest acknowledged, in no clever way. */
static void model_losses(struct world *w, const struct skua_loss_result *result)
{
    skua_time rtt = skua_time_max(w->rec.rtt.latest, w->rec.rtt.smoothed);
    skua_time delay = skua_time_max(rtt + rtt / 8 * w->reorder_mult, SKUA_MSEC);
    uint64_t bytes = 0;
    uint64_t count = 0;
    uint64_t records = 0;
    uint64_t largest = UINT64_MAX;
    uint64_t small = 0, large = 0;
    uint32_t large_min = 0;
    for (uint64_t pn = 0; w->largest_acked != UINT64_MAX && pn < w->largest_acked; pn++) {
        struct packet *p = &w->packets[pn];
        bool in_flight = (p->flags & SKUA_SENT_IN_FLIGHT) != 0;
        bool late =
            p->sent + delay <= w->now || (w->reorder_persist == 0 && w->largest_acked - pn >= 3);
        if (p->fate != OPEN || (in_flight && !late)) {
            continue;
        }
        p->fate = LOST;
        records += in_flight ? record_sum(pn, p->records) : 0;
        if (in_flight && (p->flags & SKUA_SENT_APART) == 0) {
            bytes += p->size;
            count++;
            largest = pn;
            small += p->size <= SKUA_LIMIT_UDP_MIN;
            if (p->size > SKUA_LIMIT_UDP_MIN && pn >= w->unproven) {
                large++;
                large_min = large_min == 0 || p->size < large_min ? p->size : large_min;
            }
        }
    }
    if (count != 0 && w->reorder_persist != 0 && largest >= w->reorder_decay_end) {
        w->reorder_decay_end = w->next;
        if (--w->reorder_persist == 0) {
            w->reorder_mult = 1;
        }
    }
    SKUA_ASSERT(result->bytes == bytes && result->packets == count);
    SKUA_ASSERT(result->largest_pn == largest);
    SKUA_ASSERT(result->small == small && result->large == large);
    SKUA_ASSERT(result->large_min == large_min);
    SKUA_ASSERT(drain(w, skua_recovery_next_lost) == records);
}

/* What the model finds newly acknowledged in one range, from the top as recovery does. */
static void model_range(struct world *w, const struct skua_range *range,
                        struct skua_ack_result *expected, uint64_t *records)
{
    for (uint64_t end = range->last + 1; end > range->first; end--) {
        uint64_t pn = end - 1;
        struct packet *p = &w->packets[pn];
        bool in_flight = (p->flags & SKUA_SENT_IN_FLIGHT) != 0;
        bool late = p->fate == LOST && skua_sent_holds(&w->rec.sent, pn);
        if (p->fate != OPEN && !late) {
            continue;
        }
        if (late && in_flight && (p->flags & SKUA_SENT_APART) == 0) {
            expected->spurious_packets++;
            expected->spurious_bytes += p->size;
            model_spurious(w, pn);
        }
        expected->bytes += late ? 0 : flight_of(p);
        expected->packets++;
        *records += record_sum(pn, p->records);
        p->fate = ACKED;
        if ((p->flags & SKUA_SENT_APART) == 0 && p->size >= w->full && pn >= w->unproven) {
            w->unproven = pn + 1;
        }
        if (w->largest_acked == UINT64_MAX || pn > w->largest_acked) {
            w->largest_acked = pn;
        }
    }
}

/* The newest eight skipped numbers are known; older ones may pass. */
static bool names_skipped(const struct world *w, const struct skua_range *ranges, size_t count)
{
    uint32_t seen = 0;
    for (uint64_t end = w->next; end > 0 && seen < SKUA_RECOVERY_SKIPPED; end--) {
        if (w->packets[end - 1].fate != SKIPPED) {
            continue;
        }
        seen++;
        for (size_t i = 0; i < count; i++) {
            if (ranges[i].first <= end - 1 && end - 1 <= ranges[i].last) {
                return true;
            }
        }
    }
    return false;
}

static size_t read_ranges(struct world *w, struct skua_reader *r, struct skua_range *ranges)
{
    size_t wanted = 1 + skua_reader_u8(r) % RANGES_MAX;
    uint64_t top = w->next + 1;
    size_t count = 0;
    while (count < wanted) {
        uint64_t gap = skua_reader_u8(r) % 16u + (count != 0);
        uint64_t len = skua_reader_u8(r) % 64u;
        if (top < gap + 1) {
            break;
        }
        uint64_t last = top - gap - 1;
        uint64_t first = last > len ? last - len : 0;
        ranges[count++] = (struct skua_range){.first = first, .last = last};
        top = first;
    }
    return count;
}

static void do_ack(struct world *w, struct skua_reader *r)
{
    struct skua_range ranges[RANGES_MAX];
    size_t count = read_ranges(w, r, ranges);
    if (count == 0) {
        return;
    }
    struct skua_ack_result result;
    bool wrong = ranges[0].last >= w->next || names_skipped(w, ranges, count);
    skua_recovery_drop_settled(&w->rec, w->now);
    struct skua_ack_result expected = {.bytes = 0};
    uint64_t records = 0;
    for (size_t i = 0; !wrong && i < count; i++) {
        model_range(w, &ranges[i], &expected, &records);
    }
    enum skua_code code = skua_recovery_on_ack(&w->rec, ranges, count, SKUA_MSEC, w->now, &result);
    SKUA_ASSERT((code == SKUA_CODE_ACK_UNSENT) == wrong);
    SKUA_ASSERT(result.bytes == expected.bytes && result.packets == expected.packets);
    SKUA_ASSERT(result.spurious_packets == expected.spurious_packets);
    SKUA_ASSERT(result.spurious_bytes == expected.spurious_bytes);
    SKUA_ASSERT(drain(w, skua_recovery_next_acked) == records);
    if (result.packets != 0) {
        model_losses(w, &result.loss);
    }
}

static void do_timeout(struct world *w)
{
    skua_time deadline = skua_recovery_deadline(&w->rec);
    if (deadline == SKUA_NEVER) {
        return;
    }
    w->now = skua_time_max(w->now, deadline);
    struct skua_timeout_result result;
    skua_recovery_on_timeout(&w->rec, w->now, &result);
    SKUA_ASSERT(result.loss_timer != result.pto);
    if (result.loss_timer) {
        model_losses(w, &result.loss);
    }
    uint64_t cursor = 0;
    struct skua_record records[RECORDS_MAX];
    size_t count = skua_recovery_probe_records(&w->rec, &cursor, records, RECORDS_MAX);
    uint64_t pn = 0;
    while (pn < w->next && (w->packets[pn].fate != OPEN || w->packets[pn].records == 0 ||
                            (w->packets[pn].flags & (SKUA_SENT_ELICITING | SKUA_SENT_MTU_PROBE)) !=
                                SKUA_SENT_ELICITING)) {
        pn++;
    }
    SKUA_ASSERT(count == (pn < w->next ? w->packets[pn].records : 0));
    SKUA_ASSERT(count == 0 || records[0].id == pn);
}

static void check(const struct world *w)
{
    skua_recovery_check(&w->rec);
    uint64_t bytes = 0;
    for (uint64_t pn = 0; pn < w->next; pn++) {
        const struct packet *p = &w->packets[pn];
        bytes += p->fate == OPEN ? flight_of(p) : 0;
    }
    SKUA_ASSERT(bytes == w->rec.bytes_in_flight);
}

/* ACK-only packets that trim forgot cannot be acknowledged any more. */
static void do_trim(struct world *w)
{
    skua_recovery_trim(&w->rec, w->now);
    for (uint64_t pn = 0; pn < w->next; pn++) {
        if (w->packets[pn].fate == OPEN && !skua_sent_holds(&w->rec.sent, pn)) {
            SKUA_ASSERT((w->packets[pn].flags & SKUA_SENT_IN_FLIGHT) == 0);
            w->packets[pn].fate = LOST;
        }
    }
}

/* Packets leave along another path from now on. */
static void do_path(struct world *w, bool other_host)
{
    skua_recovery_on_path(&w->rec, other_host);
    for (uint64_t pn = 0; pn < w->next; pn++) {
        struct packet *p = &w->packets[pn];
        p->flags |= p->fate == OPEN || p->fate == LOST ? SKUA_SENT_OTHER_PATH : 0;
    }
    if (other_host) {
        w->reorder_mult = 1;
        w->reorder_persist = 0;
        w->reorder_grow_end = w->reorder_decay_end = 0;
    }
}

static void step(struct world *w, struct skua_reader *r)
{
    uint8_t op = skua_reader_u8(r);
    switch (op & 7) {
    case 0:
    case 1:
    case 2:
        for (uint8_t n = op >> 3; n > 0; n--) {
            do_send(w, skua_reader_u8(r));
        }
        break;
    case 3:
    case 4:
        do_ack(w, r);
        break;
    case 5:
        w->now += ((skua_time)op >> 3) * SKUA_MSEC;
        break;
    case 6:
        if ((op >> 3) % 4 == 0) {
            do_skip(w);
        } else {
            do_timeout(w);
        }
        break;
    case 7:
        if ((op >> 3) == 0) {
            do_trim(w);
        } else if ((op >> 3) <= 2) {
            do_path(w, (op >> 3) == 2);
        } else if ((op >> 3) <= 4) {
            w->full = (op >> 3) == 3 ? SKUA_LIMIT_UDP_MIN : 1250;
            w->unproven = w->next;
            skua_recovery_set_full(&w->rec, w->full);
        }
        break;
    default:
        break;
    }
    check(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *w = calloc(1, sizeof *w);
    if (w == NULL) {
        abort();
    }
    skua_heap_init(&w->heap, NULL);
    skua_recovery_init(&w->rec, &w->heap);
    w->largest_acked = UINT64_MAX;
    w->reorder_mult = 1;
    w->full = SKUA_LIMIT_UDP_MIN;
    w->now = SKUA_SEC;
    struct skua_reader r = skua_reader_of(data, size);
    while (skua_reader_left(&r) > 0) {
        step(w, &r);
    }
    skua_recovery_deinit(&w->rec);
    SKUA_ASSERT(w->heap.used == 0);
    free(w);
    return 0;
}
