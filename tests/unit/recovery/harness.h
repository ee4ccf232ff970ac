/* A recovery with a clock, and sending and acknowledging in one line. */
#ifndef SKUA_TESTS_RECOVERY_HARNESS_H
#define SKUA_TESTS_RECOVERY_HARNESS_H

#include "unit.h"

#include "recovery/recovery.h"

enum { DATA = SKUA_SENT_ELICITING | SKUA_SENT_IN_FLIGHT, ACK_ONLY = 0, PACKET = 1000 };

struct harness {
    struct skua_heap heap;
    struct skua_recovery rec;
    struct skua_ack_result ack;
    struct skua_timeout_result timeout;
    skua_time now;
};

static inline void begin(struct harness *h)
{
    memset(h, 0, sizeof *h);
    skua_heap_init(&h->heap, NULL);
    skua_recovery_init(&h->rec, &h->heap);
    h->now = SKUA_SEC;
}

static inline void end(struct harness *h)
{
    skua_recovery_check(&h->rec);
    skua_recovery_deinit(&h->rec);
    assert_int_equal(h->heap.used, 0);
}

/* Sends one packet that carries one record with its number as id; returns the number. */
static inline uint64_t send_as(struct harness *h, uint32_t size, int flags)
{
    uint64_t pn = skua_recovery_next_pn(&h->rec);
    const struct skua_record record = {.id = pn, .len = size};
    const struct skua_sent_info info = {
        .size = size, .flags = (uint8_t)flags, .records = &record, .count = 1};
    assert_int_equal(skua_recovery_on_sent(&h->rec, pn, &info, h->now), SKUA_OK);
    return pn;
}

static inline void send_many(struct harness *h, int count)
{
    for (int i = 0; i < count; i++) {
        (void)send_as(h, PACKET, DATA);
    }
}

/* Ids of the records that an iterator yields, into `out`; returns how many. */
static inline size_t drain(struct harness *h,
                           bool (*next)(struct skua_recovery *, struct skua_record *),
                           uint64_t *out, size_t cap)
{
    size_t count = 0;
    struct skua_record record;
    while (next(&h->rec, &record)) {
        if (count < cap) {
            out[count] = record.id;
        }
        count++;
    }
    return count;
}

static inline enum skua_code ack_delayed(struct harness *h, uint64_t first, uint64_t last,
                                         skua_time delay)
{
    const struct skua_range range = {.first = first, .last = last};
    return skua_recovery_on_ack(&h->rec, &range, 1, delay, h->now, &h->ack);
}

/* Acknowledges `first` to `last` and drains both iterators. */
static inline void ack(struct harness *h, uint64_t first, uint64_t last)
{
    assert_int_equal(ack_delayed(h, first, last, 0), SKUA_CODE_NO_ERROR);
    (void)drain(h, skua_recovery_next_acked, NULL, 0);
    (void)drain(h, skua_recovery_next_lost, NULL, 0);
    skua_recovery_check(&h->rec);
}

/* Waits for the deadline and runs it. */
static inline void time_out(struct harness *h)
{
    skua_time deadline = skua_recovery_deadline(&h->rec);
    assert_true(deadline != SKUA_NEVER);
    assert_true(deadline >= h->now);
    h->now = deadline;
    skua_recovery_on_timeout(&h->rec, h->now, &h->timeout);
    (void)drain(h, skua_recovery_next_lost, NULL, 0);
}

#endif
