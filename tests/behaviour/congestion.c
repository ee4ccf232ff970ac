/* The congestion window in each phase, ACK by ACK, against the arithmetic of the RFCs, for each
 * controller: RFC 9002 §7 (NewReno), RFC 9438 (CUBIC), RFC 3168 (marks). A round trip takes 100 ms,
 * packets have 1,200 bytes, and only those are lost that the test names. */
#include <math.h>

#include "base/trace.h"
#include "chart.h"

enum { MTU = 1200, STEPS_MAX = 4000 };

/* One ACK, or a loss found by time: what it did at the client. */
struct step {
    skua_time at;
    skua_time sent;          /* the packet that gave the RTT sample left then; 0 = none */
    uint64_t acked, lost;    /* bytes */
    uint64_t cwnd, ssthresh; /* after it */
};

static struct {
    struct step step[STEPS_MAX];
    unsigned count;
    uint64_t lost; /* by the ACK that is being worked on */
} seen;

static void watch(struct side *s, const struct skua_trace_event *e)
{
    if (s != client || seen.count == STEPS_MAX) {
        return;
    }
    struct step *last = seen.count > 0 ? &seen.step[seen.count - 1] : NULL;
    if (e->type == SKUA_TRACE_PACKET_LOST) {
        seen.lost += e->args[1];
    } else if (e->type == SKUA_TRACE_CWND) {
        seen.step[seen.count++] = (struct step){
            .at = elapsed(), .lost = seen.lost, .cwnd = e->args[0], .ssthresh = e->args[1]};
        seen.lost = 0;
    } else if (e->type == SKUA_TRACE_PACKET_ACKED && last != NULL) {
        last->acked = e->args[1];
    } else if (e->type == SKUA_TRACE_RTT && last != NULL) {
        last->sent = last->at - e->args[0];
    }
}

static struct skua_conn_stats stats_of(struct side *s)
{
    struct skua_conn_stats stats;
    side_stats(s, &stats);
    return stats;
}

static void begin_on(enum skua_controller controller, const struct sim_link_config *link)
{
    static const struct sim_host_config small = {
        .max_segments = 64, .max_gro = 1, .max_sends = 64, .max_udp_payload = MTU};
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.controller = controller;
    chart_begin_drivers(link, &small, &small);
    app_listen();
    app_connect_with(&config);
    run_to(SEC(1));
    chart_forget();
    seen.count = 0;
    seen.lost = 0;
    watch_trace(watch);
}

static void begin(enum skua_controller controller)
{
    static const struct sim_link_config link = {.delay = 50 * SKUA_MSEC, .mtu = MTU};
    begin_on(controller, &link);
}

/* The first step from `from` on in which something was lost. */
static unsigned loss_from(unsigned from)
{
    unsigned i = from;
    while (i < seen.count && seen.step[i].lost == 0) {
        i++;
    }
    expect(i < seen.count);
    return i;
}

static uint64_t reduced(enum skua_controller controller, uint64_t window)
{
    return controller == SKUA_CONTROLLER_NEWRENO ? window / 2 : window * 7 / 10;
}

/* Slow start: the window grows by what was acknowledged (RFC 9002 §7.3.1), so it doubles in each
 * round trip. */
static void is_slow_start(unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        expect(seen.step[i].cwnd == seen.step[i - 1].cwnd + seen.step[i].acked);
    }
}

/* Avoidance, NewReno: one datagram for each window acknowledged (RFC 9002 §7.3.3). */
static void is_newreno(unsigned first, unsigned end)
{
    uint64_t credit = 0;
    for (unsigned i = first; i < end; i++) {
        uint64_t window = seen.step[i - 1].cwnd;
        credit += seen.step[i].acked;
        if (credit >= window) {
            credit -= window;
            window += MTU;
        }
        expect(seen.step[i].cwnd == window);
    }
    expect(seen.step[end - 1].cwnd > seen.step[first].cwnd + 10 * MTU);
}

/* Avoidance, CUBIC: the cubic function of time through W_max, or where it is larger, the window
 * that NewReno would have (RFC 9438 §4.2, §4.3). */
static void is_cubic(unsigned first, unsigned end, double w_max)
{
    const double c = 0.4, beta = 0.7, alpha = 3 * (1 - beta) / (1 + beta);
    double cwnd = (double)seen.step[first - 1].cwnd / MTU;
    double k = cbrt((w_max - cwnd) / c), w_est = cwnd;
    for (unsigned i = first; i < end; i++) {
        double t = (double)(seen.step[i].at - seen.step[first].at) / 1e9;
        double is = (double)seen.step[i].cwnd / MTU;
        double segments = (double)seen.step[i].acked / MTU;
        w_est += (w_est < w_max ? alpha : 1) * segments * MTU / (double)seen.step[i - 1].cwnd;
        double should = fmax(c * pow(t - k, 3) + w_max, w_est);
        expect(is > should - 1.5 && is < should + 1.5);
    }
    expect((double)seen.step[end - 1].cwnd / MTU > w_max + 5); /* beyond it, on the far side */
}

static void phases(enum skua_controller controller)
{
    begin(controller);
    struct skua_conn_stats start = stats_of(client);
    expect(start.ssthresh == UINT64_MAX);
    expect(start.cwnd == 10 * MTU); /* RFC 9002 §7.2 */
    net_drop(client, WITH(STREAM), 100);
    net_drop(client, WITH(STREAM), 110);
    app_send(client, SKUA_STREAM_UNI, 40000000);
    run_for(SEC(10));
    watch_trace(NULL);

    unsigned loss = loss_from(0);
    seen.step[0].cwnd = start.cwnd + seen.step[0].acked;
    is_slow_start(1, loss);
    /* Fast recovery: once, by the controller's factor, however much of this round trip is lost. */
    uint64_t before = seen.step[loss - 1].cwnd + seen.step[loss].acked;
    expect(seen.step[loss].cwnd == reduced(controller, before));
    expect(seen.step[loss].ssthresh == seen.step[loss].cwnd);
    unsigned more = loss_from(loss + 1);
    expect(seen.step[more].at < seen.step[loss].at + MS(100));
    unsigned first = loss + 1; /* until something is acknowledged that was sent after the loss */
    while (seen.step[first].sent <= seen.step[loss].at) {
        expect(seen.step[first].cwnd == seen.step[loss].cwnd);
        first++;
    }
    expect(first > more);
    if (controller == SKUA_CONTROLLER_NEWRENO) {
        is_newreno(first, seen.count);
    } else {
        is_cubic(first, seen.count, (double)before / MTU);
    }
    struct skua_conn_stats end = stats_of(client);
    expect(end.congestion_events == 1 && end.packets_lost == 2 && end.pto_count == 0);
}

SCENARIO(phases_of_cubic)
{
    phases(SKUA_CONTROLLER_CUBIC);
}

SCENARIO(phases_of_newreno)
{
    phases(SKUA_CONTROLLER_NEWRENO);
}

/* --- a timeout is no sign of congestion; an outage is */

/* The ACK that told of the loss may have let `before` grow a little first. */
static void is_reduced(enum skua_controller controller, uint64_t before, uint64_t after)
{
    expect(after >= reduced(controller, before) && after <= reduced(controller, before + MTU));
}

/* The cable is pulled for `duration`; the window before, while and after. */
static void outage(enum skua_controller controller, skua_time duration, bool persistent)
{
    begin(controller);
    net_drop(client, WITH(STREAM), 100); /* so that there is a threshold */
    app_send(client, SKUA_STREAM_UNI, 40000000);
    run_for(SEC(3));
    struct skua_conn_stats before = stats_of(client);
    net_cut(client);
    run_for(duration);
    struct skua_conn_stats during = stats_of(client);
    expect(during.pto_count > before.pto_count);
    expect(during.cwnd >= before.cwnd); /* what was under way still arrived */
    seen.count = 0;
    net_mend(client);
    run_for(SEC(9));
    unsigned loss = loss_from(0);
    struct skua_conn_stats after = stats_of(client);
    expect(after.persistent_congestions == persistent);
    expect(after.congestion_events == before.congestion_events + 1);
    if (persistent) {
        /* RFC 9002 §7.6.2: two datagrams, and slow start up to where the window was reduced to. */
        uint64_t threshold = seen.step[loss].ssthresh;
        expect(seen.step[loss].cwnd == 2 * MTU);
        is_reduced(controller, during.cwnd, threshold);
        for (unsigned i = loss + 1; seen.step[i].cwnd < threshold; i++) {
            expect(seen.step[i].cwnd == seen.step[i - 1].cwnd + seen.step[i].acked);
        }
    } else {
        is_reduced(controller, during.cwnd, seen.step[loss].cwnd);
    }
}

SCENARIO(short_outage)
{
    outage(SKUA_CONTROLLER_CUBIC, MS(300), false);
    outage(SKUA_CONTROLLER_NEWRENO, MS(300), false);
}

SCENARIO(long_outage)
{
    outage(SKUA_CONTROLLER_CUBIC, SEC(2), true);
    outage(SKUA_CONTROLLER_NEWRENO, SEC(2), true);
}

/* RFC 9002 §7.8: what is not used does not grow. */
SCENARIO(unused_window_does_not_grow)
{
    static const enum skua_controller controllers[] = {SKUA_CONTROLLER_CUBIC,
                                                       SKUA_CONTROLLER_NEWRENO};
    for (unsigned i = 0; i < 2; i++) {
        begin(controllers[i]);
        uint64_t window = stats_of(client).cwnd;
        for (unsigned n = 0; n < 100; n++) {
            app_write(client, 3000);
            run_for(MS(100));
        }
        expect(server->received == 300000);
        expect(stats_of(client).cwnd == window);
    }
}

/* An application that writes more at a time than the pacer lets out, and less than the window,
 * waits for the pacer and not for the window. */
SCENARIO(window_grows_no_further_than_its_use)
{
    static const enum skua_controller controllers[] = {SKUA_CONTROLLER_CUBIC,
                                                       SKUA_CONTROLLER_NEWRENO};
    for (unsigned i = 0; i < 2; i++) {
        begin(controllers[i]);
        uint64_t most = 0;
        for (unsigned t = 0; t < 10000; t++) {
            if (t % 50 == 0) {
                side_write(client, 20000);
            }
            run_for(MS(1));
            uint64_t in_flight = stats_of(client).bytes_in_flight;
            most = in_flight > most ? in_flight : most;
        }
        expect(most > 60000 && stats_of(client).cwnd < 4 * most);
    }
}

/* RFC 9002 §7.7: after a pause the window may be used, but not in one burst. */
SCENARIO(no_burst_after_a_pause)
{
    begin(SKUA_CONTROLLER_CUBIC);
    app_send(client, SKUA_STREAM_UNI, 400000);
    run_for(SEC(2));
    uint64_t window = stats_of(client).cwnd;
    expect(server->eof && window > 100 * MTU);
    run_for(SEC(20));
    unsigned before = sent(client, WITH(STREAM));
    app_send(client, SKUA_STREAM_UNI, 100 * MTU);
    run_for(MS(100));
    expect(sent(client, WITH(STREAM)) >= before + 100); /* within a round trip */
    skua_time start = packet(client, WITH(STREAM), before + 1)->at;
    for (unsigned i = 0; i + 10 < 100; i++) {
        skua_time first = packet(client, WITH(STREAM), before + 1 + i)->at;
        expect(packet(client, WITH(STREAM), before + 11 + i)->at >= first + MS(1));
    }
    expect(packet(client, WITH(STREAM), before + 100)->at >= start + MS(20));
    expect(stats_of(client).cwnd <= window + 100 * MTU);
}

/* --- marks */

/* A router marks two packets of one round trip instead of dropping them. */
static void marked(enum skua_controller controller)
{
    begin(controller);
    net_mark(client, WITH(STREAM), 100);
    net_mark(client, WITH(STREAM), 110);
    app_send(client, SKUA_STREAM_UNI, 1000000);
    run_for(SEC(10));
    expect(server->eof && server->received == 1000000);
    struct skua_conn_stats end = stats_of(client);
    expect(end.ecn_ce_reported == 2 && end.ecn_state == SKUA_ECN_STATE_CAPABLE);
    /* RFC 9002 §7.1: the window as after a loss, once; but nothing was lost, nor is sent again. */
    expect(end.congestion_events == 1 && end.packets_lost == 0);
    expect(end.stream_bytes_retransmitted == 0);
    unsigned i = 1;
    while (seen.step[i].cwnd >= seen.step[i - 1].cwnd) {
        i++;
    }
    expect(seen.step[i].cwnd == reduced(controller, seen.step[i - 1].cwnd + seen.step[i].acked));
    expect(seen.step[i].ssthresh == seen.step[i].cwnd);
    /* A receiver tells of a mark at once (RFC 9000 §13.2.1). */
    expect(seen.step[i].at == packet(client, WITH(STREAM), 100)->at + MS(100));
}

SCENARIO(marked_instead_of_lost)
{
    marked(SKUA_CONTROLLER_CUBIC);
    marked(SKUA_CONTROLLER_NEWRENO);
}

/* Somebody on the way clears the marks: sending goes on without them. */
SCENARIO(marks_cleared_on_the_way)
{
    static const struct sim_link_config link = {
        .delay = 50 * SKUA_MSEC, .mtu = MTU, .ecn = SIM_ECN_BLEACHES};
    begin_on(SKUA_CONTROLLER_CUBIC, &link);
    app_send(client, SKUA_STREAM_UNI, 200000);
    run_for(SEC(5));
    expect(server->eof && server->received == 200000);
    struct skua_conn_stats end = stats_of(client);
    expect(end.ecn_state == SKUA_ECN_STATE_FAILED && end.ecn_ect0_sent <= 10);
    expect(end.congestion_events == 0 && end.packets_lost == 0 && end.pto_count == 0);
}

/* Somebody drops what bears a mark: three of them are lost, then no more are sent. */
SCENARIO(marked_packets_dropped_on_the_way)
{
    static const struct sim_link_config link = {
        .delay = 50 * SKUA_MSEC, .mtu = MTU, .ecn = SIM_ECN_SWALLOWS};
    begin_on(SKUA_CONTROLLER_CUBIC, &link);
    app_send(client, SKUA_STREAM_UNI, 200000);
    run_for(SEC(5));
    expect(server->eof && server->received == 200000);
    struct skua_conn_stats end = stats_of(client);
    expect(end.ecn_state == SKUA_ECN_STATE_FAILED && end.ecn_ect0_sent <= 20);
    expect(end.pto_count <= 2);
}
