/* JSON of `skua perf` (perf_json.h). */
#include "perf_json.h"

#include <inttypes.h>

static double seconds(uint64_t ns)
{
    return (double)ns / (double)SKUA_SEC;
}

static double per_second(double amount, uint64_t ns)
{
    return ns > 0 ? amount / seconds(ns) : 0;
}

/* A string of any bytes: what is not printable ASCII is escaped. */
static void json_string(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            (void)fprintf(out, "\\%c", byte);
        } else if (byte < 0x20 || byte > 0x7e) {
            (void)fprintf(out, "\\u%04x", byte);
        } else {
            (void)fputc(byte, out);
        }
    }
    (void)fputc('"', out);
}

/* A statistic: the API's "none" and "never" become null. */
static void json_value(FILE *out, const char *name, uint64_t value)
{
    if (value == UINT64_MAX) {
        (void)fprintf(out, ",\"%s\":null", name);
    } else {
        (void)fprintf(out, ",\"%s\":%" PRIu64, name, value);
    }
}

static void json_end(FILE *out, const struct skua_perf_end *end)
{
    (void)fprintf(out,
                  "{\"cpu_user_seconds\":%.6f,\"cpu_system_seconds\":%.6f,\"seconds\":%.6f"
                  ",\"received_bytes\":%" PRIu64 ",\"receive_seconds\":%.6f,\"served\":%" PRIu64,
                  seconds(end->cpu_user_ns), seconds(end->cpu_system_ns), seconds(end->elapsed_ns),
                  end->received_bytes, seconds(end->receive_ns), end->served);
    (void)fprintf(out, ",\"conn\":{\"cipher\":\"%s\",\"cc\":\"%s\",\"ecn_state\":\"%s\"",
                  skua_perf_suite_name(end->suite), skua_perf_controller_name(end->controller),
                  skua_ecn_state_name((enum skua_ecn_state)end->ecn_state));
#define SKUA_PERF_CONN(member) json_value(out, #member, end->conn.member);
#define SKUA_PERF_COUNTER(member)
#define SKUA_PERF_GAUGE(member)
#include "perf_stats.def"
#undef SKUA_PERF_CONN
#undef SKUA_PERF_COUNTER
#undef SKUA_PERF_GAUGE
    (void)fprintf(out, "},\"driver\":{\"gso\":%s,\"gro\":%s",
                  end->driver.sockets_gso > 0 ? "true" : "false",
                  end->driver.sockets_gro > 0 ? "true" : "false");
#define SKUA_PERF_CONN(member)
#define SKUA_PERF_COUNTER(member) json_value(out, #member, end->driver.member);
#define SKUA_PERF_GAUGE(member)   json_value(out, #member, end->driver.member);
#include "perf_stats.def"
#undef SKUA_PERF_CONN
#undef SKUA_PERF_COUNTER
#undef SKUA_PERF_GAUGE
    (void)fprintf(out, "}}");
}

/* ,"up":{..}: what the receiver of a direction got; null where nothing went that way, or where the
 * receiver did not say. */
static void json_direction(FILE *out, const char *name, uint16_t streams,
                           const struct skua_perf_end *receiver)
{
    if (streams == 0 || receiver == NULL) {
        (void)fprintf(out, ",\"%s\":null", name);
        return;
    }
    (void)fprintf(
        out, ",\"%s\":{\"streams\":%u,\"bytes\":%" PRIu64 ",\"seconds\":%.6f,\"goodput_bps\":%.0f}",
        name, streams, receiver->received_bytes, seconds(receiver->receive_ns),
        per_second((double)receiver->received_bytes * 8, receiver->receive_ns));
}

/* Both directions together, over the longer of them. */
static void json_total(const struct skua_perf_report *report)
{
    const struct skua_perf_end *client = &report->client;
    const struct skua_perf_end *peer = &report->peer;
    const uint64_t bytes = client->received_bytes + peer->received_bytes;
    const uint64_t ns =
        client->receive_ns > peer->receive_ns ? client->receive_ns : peer->receive_ns;
    const double gb = (double)bytes / 1e9;
    const double own = seconds(client->cpu_user_ns + client->cpu_system_ns);
    const double others = seconds(peer->cpu_user_ns + peer->cpu_system_ns);
    (void)fprintf(report->out, ",\"bytes\":%" PRIu64 ",\"seconds\":%.6f,\"goodput_bps\":%.0f",
                  bytes, seconds(ns),
                  per_second((double)client->received_bytes * 8, client->receive_ns) +
                      per_second((double)peer->received_bytes * 8, peer->receive_ns));
    if (bytes > 0 && report->has_peer) {
        (void)fprintf(report->out, ",\"cpu_seconds_per_gb\":{\"client\":%.6f,\"server\":%.6f}",
                      own / gb, others / gb);
    } else {
        (void)fprintf(report->out, ",\"cpu_seconds_per_gb\":null");
    }
    json_direction(report->out, "up", report->up, report->has_peer ? peer : NULL);
    json_direction(report->out, "down", report->down, client);
}

static void json_times(FILE *out, const char *name, const struct skua_hist *hist)
{
    if (hist == NULL) {
        return;
    }
    (void)fprintf(out,
                  ",\"%s\":{\"count\":%" PRIu64 ",\"min\":%" PRIu64 ",\"p50\":%" PRIu64
                  ",\"p90\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"p99.9\":%" PRIu64 ",\"max\":%" PRIu64
                  "}",
                  name, hist->count, hist->min, skua_hist_at(hist, 500), skua_hist_at(hist, 900),
                  skua_hist_at(hist, 990), skua_hist_at(hist, 999), hist->max);
}

/* RR, DGRAM and CONNECT: how many, how fast, how long each took, in nanoseconds. */
static void json_exchanges(const struct skua_perf_report *report)
{
    const bool rr = report->mode != SKUA_PERF_CONNECT;
    const char *what = rr ? "exchanges" : "connections";
    (void)fprintf(report->out,
                  ",\"%s\":%" PRIu64 ",\"failures\":%" PRIu64
                  ",\"at_a_time\":%u,\"exchange_bytes\":%" PRIu32
                  ",\"seconds\":%.6f,\"%s_per_second\":%.3f",
                  what, report->exchanges, report->failures, report->up, report->exchange,
                  seconds(report->elapsed_ns), what,
                  per_second((double)report->exchanges, report->elapsed_ns));
    json_times(report->out, rr ? "latency_ns" : "established_ns", report->times);
    json_times(report->out, "closed_ns", report->lives);
}

static void json_interval(FILE *out, const struct skua_perf_interval *interval)
{
    const uint64_t length = interval->to_ns - interval->from_ns;
    (void)fprintf(out,
                  "{\"from\":%.6f,\"to\":%.6f,\"up_bytes\":%" PRIu64 ",\"down_bytes\":%" PRIu64
                  ",\"up_bps\":%.0f,\"down_bps\":%.0f,\"exchanges\":%" PRIu64 ",\"rtt_ns\":%" PRIu64
                  ",\"cwnd\":%" PRIu64 ",\"packets_lost\":%" PRIu64 ",\"resent_bytes\":%" PRIu64
                  "}",
                  seconds(interval->from_ns), seconds(interval->to_ns), interval->up_bytes,
                  interval->down_bytes, per_second((double)interval->up_bytes * 8, length),
                  per_second((double)interval->down_bytes * 8, length), interval->exchanges,
                  interval->rtt_ns, interval->cwnd, interval->packets_lost, interval->resent_bytes);
}

void skua_perf_json_report(const struct skua_perf_report *report)
{
    FILE *out = report->out;
    (void)fprintf(out, "{\"mode\":\"%s\",\"target\":", skua_perf_mode_name(report->mode));
    json_string(out, report->server);
    (void)fprintf(out, ",\"error\":");
    if (report->error != NULL) {
        json_string(out, report->error);
    } else {
        (void)fprintf(out, "null");
    }
    if (report->mode == SKUA_PERF_BULK) {
        json_total(report);
    } else {
        json_exchanges(report);
    }
    (void)fprintf(out, ",\"client\":");
    json_end(out, &report->client);
    (void)fprintf(out, ",\"server\":");
    if (report->has_peer) {
        json_end(out, &report->peer);
    } else {
        (void)fprintf(out, "null");
    }
    (void)fprintf(out, ",\"intervals\":[");
    for (size_t i = 0; i < report->interval_count; i++) {
        (void)fprintf(out, "%s", i > 0 ? "," : "");
        json_interval(out, &report->intervals[i]);
    }
    (void)fprintf(out, "]}\n");
    (void)fflush(out);
}

void skua_perf_json_served(FILE *out, const char *client, const struct skua_perf_request *request,
                           const struct skua_perf_end *end)
{
    (void)fprintf(out, "{\"client\":");
    json_string(out, client);
    (void)fprintf(out, ",\"mode\":\"%s\",\"server\":", skua_perf_mode_name(request->mode));
    json_end(out, end);
    (void)fprintf(out, "}\n");
    (void)fflush(out);
}
