/* HyStart++: RFC 9406 §4, alone and under NewReno. */
#include "unit.h"

#include "cc/cc.h"
#include "cc/hystart.h"

enum { MTU = 1200, PACKETS = 16 };

#define MS(n) ((skua_time)(n)*SKUA_MSEC)

/* One path: acknowledgements of rounds of PACKETS packets. */
struct path {
    struct skua_hystart hystart;
    uint64_t next_pn; /* to be sent */
};

static void begin(struct path *path)
{
    skua_hystart_init(&path->hystart);
    path->next_pn = PACKETS;
}

/* The next round's packets leave while those of the last one are acknowledged with RTTs of
 * `rtt_ns`; `samples` of the ACKs give one. The phase after the round. */
static enum skua_hystart_phase run_round(struct path *path, skua_time rtt_ns, unsigned samples)
{
    enum skua_hystart_phase phase = SKUA_HYSTART_SLOW_START;
    uint64_t first = path->next_pn - PACKETS;
    for (unsigned i = 0; i < PACKETS; i++) {
        const struct skua_cc_ack ack = {.bytes = MTU,
                                        .largest_pn = first + i,
                                        .next_pn = path->next_pn++,
                                        .cwnd_limited = true,
                                        .rtt_sampled = i < samples,
                                        .rtt = {.latest_ns = rtt_ns}};
        phase = skua_hystart_on_ack(&path->hystart, &ack);
    }
    return phase;
}

static void a_steady_rtt_changes_nothing(void **state)
{
    (void)state;
    struct path path;
    begin(&path);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(run_round(&path, MS(50), PACKETS), SKUA_HYSTART_SLOW_START);
    }
}

/* RttThresh = max(4 ms, min(last / 8, 16 ms)): one case in each part. */
static void the_threshold_follows_the_rtt(void **state)
{
    (void)state;
    static const struct {
        skua_time rtt_ns;
        skua_time threshold_ns;
    } cases[] = {{MS(1), MS(4)}, {MS(80), MS(10)}, {MS(400), MS(16)}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        skua_time rtt = cases[i].rtt_ns;
        skua_time more = rtt + cases[i].threshold_ns;
        struct path path;
        begin(&path);
        (void)run_round(&path, rtt, PACKETS);
        assert_int_equal(run_round(&path, more - 1, PACKETS), SKUA_HYSTART_SLOW_START);
        begin(&path);
        (void)run_round(&path, rtt, PACKETS);
        assert_int_equal(run_round(&path, more, PACKETS), SKUA_HYSTART_CSS);
    }
}

static void fewer_than_eight_samples_say_nothing(void **state)
{
    (void)state;
    struct path path;
    begin(&path);
    (void)run_round(&path, MS(50), PACKETS);
    assert_int_equal(run_round(&path, MS(100), 7), SKUA_HYSTART_SLOW_START);
    begin(&path);
    (void)run_round(&path, MS(50), PACKETS);
    assert_int_equal(run_round(&path, MS(100), 8), SKUA_HYSTART_CSS);
}

/* The smallest sample of a round counts: jitter on top of an empty queue is no queue. */
static void one_small_sample_is_enough(void **state)
{
    (void)state;
    struct path path;
    begin(&path);
    (void)run_round(&path, MS(50), PACKETS);
    const struct skua_cc_ack ack = {.largest_pn = path.next_pn - PACKETS,
                                    .next_pn = path.next_pn++,
                                    .rtt_sampled = true,
                                    .rtt = {.latest_ns = MS(51)}};
    (void)skua_hystart_on_ack(&path.hystart, &ack);
    assert_int_equal(run_round(&path, MS(100), PACKETS - 2), SKUA_HYSTART_SLOW_START);
}

static void css_lasts_five_rounds_with_the_one_it_began_in(void **state)
{
    (void)state;
    struct path path;
    begin(&path);
    (void)run_round(&path, MS(50), PACKETS);
    for (unsigned i = 0; i < SKUA_HYSTART_CSS_ROUNDS; i++) {
        assert_int_equal(run_round(&path, MS(60), PACKETS), SKUA_HYSTART_CSS);
    }
    assert_int_equal(run_round(&path, MS(60), PACKETS), SKUA_HYSTART_OVER);
    assert_int_equal(run_round(&path, MS(10), PACKETS), SKUA_HYSTART_OVER);
}

static void a_smaller_rtt_takes_slow_start_up_again(void **state)
{
    (void)state;
    struct path path;
    begin(&path);
    (void)run_round(&path, MS(50), PACKETS);
    assert_int_equal(run_round(&path, MS(60), PACKETS), SKUA_HYSTART_CSS);
    assert_int_equal(run_round(&path, MS(60), PACKETS), SKUA_HYSTART_CSS);
    assert_int_equal(run_round(&path, MS(59), PACKETS), SKUA_HYSTART_SLOW_START);
    /* And from the new round's minimum on the search begins anew. */
    assert_int_equal(run_round(&path, MS(60), PACKETS), SKUA_HYSTART_SLOW_START);
    assert_int_equal(run_round(&path, MS(70), PACKETS), SKUA_HYSTART_CSS);
}

/* One round of NewReno at its present window: everything acknowledged, packet by packet. */
static void reno_round(struct skua_cc *cc, uint64_t *pn, skua_time rtt_ns)
{
    uint64_t packets = cc->cwnd / MTU;
    uint64_t next_pn = *pn + packets;
    for (uint64_t i = 0; i < packets; i++) {
        const struct skua_cc_ack ack = {
            .bytes = MTU,
            .bytes_in_flight = cc->cwnd,
            .largest_pn = *pn + i,
            .next_pn = next_pn++,
            .cwnd_limited = true,
            .rtt_sampled = true,
            .rtt = {.latest_ns = rtt_ns, .smoothed_ns = rtt_ns, .min_ns = rtt_ns}};
        skua_cc_on_ack(cc, &ack, MS(1));
    }
    *pn += packets;
}

/* Per round of CSS the window grows by a quarter: five of them make it at most three times as
 * large, where slow start would have made it 32 times so. */
static void newreno_grows_by_a_quarter_in_css(void **state)
{
    (void)state;
    struct skua_cc cc;
    uint64_t pn = 0;
    skua_cc_init(&cc, &skua_cc_newreno, MTU, 0);
    reno_round(&cc, &pn, MS(50));
    assert_int_equal(cc.cwnd, 24000);
    reno_round(&cc, &pn, MS(50));
    assert_int_equal(cc.cwnd, 48000);
    uint64_t before = cc.cwnd;
    reno_round(&cc, &pn, MS(90)); /* seven packets grow the window before the eighth speaks */
    assert_int_equal(cc.cwnd, before + 7 * MTU + 33 * MTU / 4);
    unsigned rounds = 1;
    while (cc.ssthresh == SKUA_CC_NO_SSTHRESH && rounds < 100) {
        reno_round(&cc, &pn, MS(90));
        rounds++;
    }
    assert_in_range(rounds, SKUA_HYSTART_CSS_ROUNDS, SKUA_HYSTART_CSS_ROUNDS + 2);
    assert_in_range(cc.cwnd, before * 2, before * 4);
    assert_in_range(cc.ssthresh, before * 2, cc.cwnd);
    assert_int_equal(cc.congestion_events, 0);
}

/* RFC 9406 §4.3: after the first reduction slow start is the standard one. */
static void newreno_asks_in_the_initial_slow_start_only(void **state)
{
    (void)state;
    struct skua_cc cc;
    uint64_t pn = 0;
    skua_cc_init(&cc, &skua_cc_newreno, MTU, 0);
    for (unsigned i = 0; i < 5; i++) {
        reno_round(&cc, &pn, MS(50));
    }
    const struct skua_cc_loss loss = {.bytes = MTU,
                                      .packets = 1,
                                      .bytes_in_flight = cc.cwnd,
                                      .largest_sent = 0,
                                      .persistent = true};
    skua_cc_on_loss(&cc, &loss, 0);
    uint64_t ssthresh = cc.ssthresh;
    assert_int_equal(cc.cwnd, 2 * MTU);
    reno_round(&cc, &pn, MS(50));
    assert_int_equal(cc.cwnd, 4 * MTU);
    reno_round(&cc, &pn, MS(100));
    assert_int_equal(cc.cwnd, 8 * MTU);
    reno_round(&cc, &pn, MS(200));
    assert_int_equal(cc.cwnd, 16 * MTU);
    reno_round(&cc, &pn, MS(400));
    assert_int_equal(cc.cwnd, 32 * MTU);
    assert_true(cc.ssthresh == ssthresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_rtt_changes_nothing),
        cmocka_unit_test(the_threshold_follows_the_rtt),
        cmocka_unit_test(fewer_than_eight_samples_say_nothing),
        cmocka_unit_test(one_small_sample_is_enough),
        cmocka_unit_test(css_lasts_five_rounds_with_the_one_it_began_in),
        cmocka_unit_test(a_smaller_rtt_takes_slow_start_up_again),
        cmocka_unit_test(newreno_grows_by_a_quarter_in_css),
        cmocka_unit_test(newreno_asks_in_the_initial_slow_start_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
