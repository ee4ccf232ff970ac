/* What an emulated link did (link_report.h). Both forms come from one list of counters. */
#include "link_report.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

/* A counter of one direction: its place, its JSON name, its line in the table. */
struct line {
    size_t offset;
    const char *name;
    const char *text;
};

#define LINE(member, text)                                                                         \
    {                                                                                              \
        offsetof(struct skua_link_counts, member), #member, text                                   \
    }
static const struct line lines[] = {
    LINE(packets_in, "packets offered"),
    LINE(bytes_in, "bytes offered"),
    LINE(packets_out, "packets delivered"),
    LINE(bytes_out, "bytes delivered"),
    LINE(lost, "lost on the wire"),
    LINE(dropped_queue, "dropped, queue full"),
    LINE(dropped_mtu, "dropped, larger than the MTU"),
    LINE(duplicated, "duplicated"),
    LINE(reordered, "delivered out of order"),
    LINE(corrupted, "corrupted"),
    LINE(queue_max, "longest queue, bytes"),
    LINE(late_max_ns, "worst lateness of the emulator, ns"),
    LINE(send_failed, "refused by the kernel"),
    LINE(socket_overflow, "lost before the emulator"),
    LINE(memory_full, "dropped, emulator's memory full"),
};
#undef LINE

static uint64_t value_of(const struct skua_link_counts *counts, const struct line *line)
{
    uint64_t value = 0;
    memcpy(&value, (const char *)counts + line->offset, sizeof value);
    return value;
}

static double seconds(skua_time duration_ns)
{
    return (double)duration_ns / (double)SKUA_SEC;
}

void skua_link_report_table(FILE *out, const struct skua_link_result *result)
{
    (void)fprintf(out, "%-36s%16s%16s\n", "link", "to the server", "to the client");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        (void)fprintf(out, "%-36s%16" PRIu64 "%16" PRIu64 "\n", lines[i].text,
                      value_of(&result->counts[SKUA_LINK_UP], &lines[i]),
                      value_of(&result->counts[SKUA_LINK_DOWN], &lines[i]));
    }
    (void)fprintf(out, "%-36s%16" PRIu64 "%16" PRIu64 "\n", "still under way",
                  result->under_way[SKUA_LINK_UP], result->under_way[SKUA_LINK_DOWN]);
    (void)fprintf(out,
                  "%.1f s, clients: %" PRIu64 ", source ports changed: %" PRIu64
                  ", packets of clients too many: %" PRIu64 "\n",
                  seconds(result->duration_ns), result->flows, result->rebindings,
                  result->flows_refused);
}

static void json_direction(FILE *out, const struct skua_link_result *result, int direction)
{
    (void)fprintf(out, "{");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        (void)fprintf(out, "\"%s\":%" PRIu64 ",", lines[i].name,
                      value_of(&result->counts[direction], &lines[i]));
    }
    (void)fprintf(out, "\"under_way\":%" PRIu64 "}", result->under_way[direction]);
}

void skua_link_report_json(FILE *out, const struct skua_link_result *result)
{
    (void)fprintf(out,
                  "{\"seconds\":%.3f,\"flows\":%" PRIu64 ",\"flows_refused\":%" PRIu64
                  ",\"rebindings\":%" PRIu64 ",\"up\":",
                  seconds(result->duration_ns), result->flows, result->flows_refused,
                  result->rebindings);
    json_direction(out, result, SKUA_LINK_UP);
    (void)fprintf(out, ",\"down\":");
    json_direction(out, result, SKUA_LINK_DOWN);
    (void)fprintf(out, "}\n");
    (void)fflush(out);
}
