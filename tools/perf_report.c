/* What `skua perf` tells a person: lines and summary (perf_report.h). JSON is in perf_json.c. */
#include "perf_report.h"

#include <inttypes.h>
#include <stdlib.h>

#include "perf_json.h"

void skua_perf_format_bytes(char out[SKUA_PERF_TEXT_LEN], uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    size_t unit = 0;
    double value = (double)bytes;
    while (value >= 999.5) {
        value /= 1000;
        unit++;
    }
    const int places = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    (void)snprintf(out, SKUA_PERF_TEXT_LEN, "%.*f %s", places, value, units[unit]);
}

void skua_perf_format_rate(char out[SKUA_PERF_TEXT_LEN], uint64_t bytes, uint64_t ns)
{
    static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s"};
    if (ns == 0) {
        (void)snprintf(out, SKUA_PERF_TEXT_LEN, "-");
        return;
    }
    double value = (double)bytes * 8e9 / (double)ns;
    size_t unit = 0;
    while (value >= 999.5 && unit < 3) {
        value /= 1000;
        unit++;
    }
    const int places = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    (void)snprintf(out, SKUA_PERF_TEXT_LEN, "%.*f %s", places, value, units[unit]);
}

const char *skua_perf_mode_name(enum skua_perf_mode mode)
{
    switch (mode) {
    case SKUA_PERF_BULK:
        return "bulk";
    case SKUA_PERF_RR:
        return "rr";
    case SKUA_PERF_CONNECT:
        return "connect";
    case SKUA_PERF_EXCHANGE:
        return "exchange";
    case SKUA_PERF_DGRAM:
        return "dgram";
    }
    return "?";
}

const char *skua_perf_suite_name(uint64_t suite)
{
    switch (suite) {
    case SKUA_SUITE_CHACHA20_POLY1305:
        return "chacha20-poly1305";
    case SKUA_SUITE_AES_256_GCM:
        return "aes-256-gcm";
    case SKUA_SUITE_AEGIS_128L:
        return "aegis-128l";
    default:
        return "none";
    }
}

static bool has_exchanges(const struct skua_perf_report *report)
{
    return report->mode == SKUA_PERF_RR || report->mode == SKUA_PERF_DGRAM;
}

const char *skua_perf_controller_name(uint64_t controller)
{
    const char *name =
        controller < 256 ? skua_controller_name((enum skua_controller)controller) : NULL;
    return name != NULL ? name : "none";
}

static double seconds(uint64_t ns)
{
    return (double)ns / (double)SKUA_SEC;
}

static double micros(uint64_t ns)
{
    return (double)ns / (double)SKUA_USEC;
}

/* --- while it runs --- */

static void keep(struct skua_perf_report *report, const struct skua_perf_interval *interval)
{
    if (report->interval_count == report->interval_room) {
        const size_t room = report->interval_room == 0 ? 64 : report->interval_room * 2;
        struct skua_perf_interval *grown = room > SKUA_PERF_INTERVALS_MAX * 2
                                               ? NULL
                                               : realloc(report->intervals, room * sizeof *grown);
        if (grown == NULL) {
            return;
        }
        report->intervals = grown;
        report->interval_room = room;
    }
    report->intervals[report->interval_count++] = *interval;
}

void skua_perf_report_deinit(struct skua_perf_report *report)
{
    free(report->intervals);
    report->intervals = NULL;
    report->interval_count = 0;
    report->interval_room = 0;
}

static void print_span(FILE *out, const struct skua_perf_interval *interval)
{
    (void)fprintf(out, "%7.2f-%-7.2f s  ", seconds(interval->from_ns), seconds(interval->to_ns));
}

/* One direction of an interval; the client's window and losses concern what goes up. */
static void print_bulk(FILE *out, const struct skua_perf_interval *interval, bool up)
{
    char bytes[SKUA_PERF_TEXT_LEN];
    char rate[SKUA_PERF_TEXT_LEN];
    char cwnd[SKUA_PERF_TEXT_LEN];
    const uint64_t moved = up ? interval->up_bytes : interval->down_bytes;
    skua_perf_format_bytes(bytes, moved);
    skua_perf_format_rate(rate, moved, interval->to_ns - interval->from_ns);
    print_span(out, interval);
    (void)fprintf(out, "%-4s %9s  %12s  rtt %.3f ms", up ? "up" : "down", bytes, rate,
                  micros(interval->rtt_ns) / 1000);
    if (up) {
        skua_perf_format_bytes(cwnd, interval->cwnd);
        skua_perf_format_bytes(bytes, interval->resent_bytes);
        (void)fprintf(out, "  cwnd %s  lost %" PRIu64 "  resent %s", cwnd, interval->packets_lost,
                      bytes);
    }
    (void)fprintf(out, "\n");
}

void skua_perf_report_interval(struct skua_perf_report *report,
                               const struct skua_perf_interval *interval)
{
    keep(report, interval);
    if (report->json || report->quiet) {
        return;
    }
    if (report->mode != SKUA_PERF_BULK) {
        const double length = seconds(interval->to_ns - interval->from_ns);
        print_span(report->out, interval);
        (void)fprintf(report->out, "%9" PRIu64 " %s  %.0f per second\n", interval->exchanges,
                      has_exchanges(report) ? "exchanges" : "connections",
                      length > 0 ? (double)interval->exchanges / length : 0.0);
    } else {
        if (report->up > 0) {
            print_bulk(report->out, interval, true);
        }
        if (report->down > 0) {
            print_bulk(report->out, interval, false);
        }
    }
    (void)fflush(report->out);
}

/* --- at the end --- */

/* A direction: goodput at its receiver, and what its sender knows. */
static void print_direction(FILE *out, const char *name, const struct skua_perf_end *receiver,
                            const struct skua_perf_end *sender)
{
    char bytes[SKUA_PERF_TEXT_LEN];
    char rate[SKUA_PERF_TEXT_LEN];
    char resent[SKUA_PERF_TEXT_LEN];
    skua_perf_format_bytes(bytes, receiver->received_bytes);
    skua_perf_format_rate(rate, receiver->received_bytes, receiver->receive_ns);
    (void)fprintf(out, "%-7s %s in %.3f s: %s goodput\n", name, bytes,
                  seconds(receiver->receive_ns), rate);
    skua_perf_format_bytes(resent, sender->conn.stream_bytes_retransmitted);
    (void)fprintf(
        out,
        "        packets sent %" PRIu64 ", lost %" PRIu64 ", spurious %" PRIu64
        ", resent %s, timeouts %" PRIu64 ", rtt %.3f ms (min %.3f), mtu %" PRIu64
        ", cc %s, ecn %s, ce %" PRIu64 "\n",
        sender->conn.packets_sent, sender->conn.packets_lost, sender->conn.packets_spurious, resent,
        sender->conn.pto_count, micros(sender->conn.rtt_smoothed_ns) / 1000,
        micros(sender->conn.rtt_min_ns) / 1000, sender->conn.mtu,
        skua_perf_controller_name(sender->controller),
        skua_ecn_state_name((enum skua_ecn_state)sender->ecn_state), sender->conn.ecn_ce_reported);
}

static void print_times(FILE *out, const char *name, const struct skua_hist *hist)
{
    (void)fprintf(out, "%-7s p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f us\n", name,
                  micros(skua_hist_at(hist, 500)), micros(skua_hist_at(hist, 900)),
                  micros(skua_hist_at(hist, 990)), micros(skua_hist_at(hist, 999)),
                  micros(hist->max));
}

/* CPU of a side: seconds, share of one core, and per unit of work. */
static void print_cpu(const struct skua_perf_report *report, const char *name,
                      const struct skua_perf_end *end)
{
    const double used = seconds(end->cpu_user_ns + end->cpu_system_ns);
    const double elapsed = seconds(end->elapsed_ns);
    (void)fprintf(report->out, "%-7s cpu %.2f s user, %.2f s system: %.0f %% of a core", name,
                  seconds(end->cpu_user_ns), seconds(end->cpu_system_ns),
                  elapsed > 0 ? 100 * used / elapsed : 0.0);
    const uint64_t bytes = report->client.received_bytes + report->peer.received_bytes;
    if (report->mode == SKUA_PERF_BULK && bytes > 0) {
        (void)fprintf(report->out, ", %.3f s per GB", used * 1e9 / (double)bytes);
    } else if (report->mode != SKUA_PERF_BULK && report->exchanges > 0) {
        (void)fprintf(report->out, ", %.1f us each", used * 1e6 / (double)report->exchanges);
    }
    (void)fprintf(report->out,
                  "\n        %" PRIu64 " datagrams sent in %" PRIu64 " calls%s, %" PRIu64
                  " received in %" PRIu64 " calls%s\n",
                  end->driver.send_datagrams, end->driver.send_calls,
                  end->driver.sockets_gso > 0 ? " (gso)" : "", end->driver.recv_datagrams,
                  end->driver.recv_calls, end->driver.sockets_gro > 0 ? " (gro)" : "");
}

static void print_rate(const struct skua_perf_report *report)
{
    const double elapsed = seconds(report->elapsed_ns);
    (void)fprintf(report->out, "%-7s %" PRIu64 " in %.3f s: %.0f per second",
                  skua_perf_mode_name(report->mode), report->exchanges, elapsed,
                  elapsed > 0 ? (double)report->exchanges / elapsed : 0.0);
    if (has_exchanges(report)) {
        (void)fprintf(report->out, ", %" PRIu32 " bytes each way", report->exchange);
    }
    if (report->failures > 0) {
        (void)fprintf(report->out, ", %" PRIu64 " %s", report->failures,
                      report->mode == SKUA_PERF_DGRAM ? "lost" : "failed");
    }
    (void)fprintf(report->out, "\n");
    if (report->times != NULL) {
        print_times(report->out, has_exchanges(report) ? "latency" : "opened", report->times);
    }
    if (report->lives != NULL) {
        print_times(report->out, "closed", report->lives);
    }
}

void skua_perf_report_summary(const struct skua_perf_report *report)
{
    if (report->json) {
        skua_perf_json_report(report);
        return;
    }
    if (report->mode != SKUA_PERF_BULK) {
        print_rate(report);
    }
    if (report->up > 0 && report->mode == SKUA_PERF_BULK && report->has_peer) {
        print_direction(report->out, "up", &report->peer, &report->client);
    }
    if (report->down > 0) {
        /* Without the server's account, what its packets did stays unknown: zeros. */
        print_direction(report->out, "down", &report->client, &report->peer);
    }
    print_cpu(report, "client", &report->client);
    if (report->has_peer) {
        print_cpu(report, "server", &report->peer);
    }
    (void)fprintf(report->out, "cipher  %s\n", skua_perf_suite_name(report->client.suite));
    (void)fflush(report->out);
}

void skua_perf_report_served(FILE *out, bool json, const char *client,
                             const struct skua_perf_request *request,
                             const struct skua_perf_end *end)
{
    char received[SKUA_PERF_TEXT_LEN];
    char rate[SKUA_PERF_TEXT_LEN];
    char sent[SKUA_PERF_TEXT_LEN];
    if (json) {
        skua_perf_json_served(out, client, request, end);
        return;
    }
    skua_perf_format_bytes(received, end->received_bytes);
    skua_perf_format_rate(rate, end->received_bytes, end->receive_ns);
    skua_perf_format_bytes(sent, end->conn.stream_bytes_sent);
    (void)fprintf(out, "%s %s: received %s (%s), sent %s, cpu %.2f s of %.2f s", client,
                  skua_perf_mode_name(request->mode), received, rate, sent,
                  seconds(end->cpu_user_ns + end->cpu_system_ns), seconds(end->elapsed_ns));
    if (request->mode == SKUA_PERF_CONNECT) {
        (void)fprintf(out, ", %" PRIu64 " connections", end->served);
    }
    (void)fprintf(out, "\n");
    (void)fflush(out);
}
