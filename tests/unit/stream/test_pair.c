/* Two tables of streams through a lossy channel: thousands of seeds, and every allocation made to
 * fail in turn. See pair.h for what is checked. */
#include "unit.h"

#include "pair.h"

enum { RUNS = 2000 };

static void add(struct pair_summary *sum, const struct pair_summary *one)
{
    sum->bytes_read += one->bytes_read;
    sum->streams += one->streams;
    sum->resets += one->resets;
    sum->stops += one->stops;
    sum->lost_packets += one->lost_packets;
    sum->spurious += one->spurious;
    sum->blocked += one->blocked;
    sum->borrowed += one->borrowed;
    sum->priorities += one->priorities;
    sum->gathered += one->gathered;
    sum->messages += one->messages;
    sum->pieces += one->pieces;
    sum->consumed += one->consumed;
    sum->discarded += one->discarded;
    sum->unordered += one->unordered;
}

static void everything_ends(void **state)
{
    (void)state;
    struct pair_summary sum = {0};
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        struct pair_source source = {.state = seed * 7919};
        struct pair_options options = {
            .ticks = 200 + pair_pick(&source, 400),
            .window = 1000 + pair_pick(&source, 4000),
            .max_window = 4000 + pair_pick(&source, 30000),
            .max_message = 1 + pair_pick(&source, 20000),
            .max_streams = 1 + pair_pick(&source, 12),
        };
        struct pair_summary one = {0};
        pair_run(source, &options, &one);
        add(&sum, &one);
    }
    /* Each kind of event happened often enough to mean something. */
    assert_true(sum.bytes_read > UINT64_C(1000) * RUNS);
    assert_true(sum.streams > 10 * RUNS);
    assert_true(sum.resets > RUNS / 2);
    assert_true(sum.stops > RUNS / 2);
    assert_true(sum.lost_packets > 10 * RUNS);
    assert_true(sum.spurious > RUNS);
    assert_true(sum.blocked > RUNS);
    assert_true(sum.borrowed > 10 * RUNS);
    assert_true(sum.priorities > RUNS);
    assert_true(sum.gathered > 10 * RUNS);
    assert_true(sum.messages > 10 * RUNS);
    assert_true(sum.pieces > 5 * RUNS);
    assert_true(sum.consumed > RUNS);
    assert_true(sum.discarded > RUNS / 4);
    assert_true(sum.unordered > RUNS);
}

static void every_allocation_fails(void **state)
{
    (void)state;
    unsigned ended = 0;
    for (unsigned seed = 1; seed <= 4; seed++) {
        for (unsigned n = 1;; n++) {
            struct pair_source source = {.state = seed};
            struct pair_options options = {.ticks = 150,
                                           .fail_alloc = n,
                                           .window = 3000,
                                           .max_window = 20000,
                                           .max_message = 2000,
                                           .max_streams = 6};
            struct pair_summary one = {0};
            pair_run(source, &options, &one);
            ended += one.ran_out;
            if (one.allocations < n) {
                break;
            }
        }
    }
    assert_true(ended > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_ends),
        cmocka_unit_test(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
