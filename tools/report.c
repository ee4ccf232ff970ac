/* What `skua cp` tells its user (report.h). */
#include "report.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "names.h"

enum {
    NAME_ROOM = 1024, /* of a name on the terminal; what is longer is cut */
    /* Of an operand (HOST:PATH) and a path below it: longer ones no system call takes. */
    FULL_NAME_ROOM = PATH_MAX + SKUA_FILE_PATH_MAX + 512,
    JSON_ROOM = 6 * FULL_NAME_ROOM + 8, /* each byte may become \u00NN */
    REASON_ROOM = 512                   /* of a status's text, escaped */
};

#define TERMINAL_EVERY (SKUA_SEC / 5)
#define JSON_EVERY     SKUA_SEC
#define PLAIN_EVERY    (10 * SKUA_SEC)

void skua_report_init(struct skua_report *report, skua_time now)
{
    *report = (struct skua_report){
        .terminal = isatty(STDERR_FILENO) == 1, .start = now, .last = now, .sampled = now};
}

static void clear_line(struct skua_report *report)
{
    if (report->line_open) {
        (void)fputs("\r\033[K", stderr);
        report->line_open = false;
    }
}

void skua_report_error(struct skua_report *report, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    clear_line(report);
    (void)fprintf(stderr, "skua cp: %s\n", text);
    if (report->json) {
        char escaped[2 * sizeof text];
        (void)printf("{\"type\":\"error\",\"text\":\"%s\"}\n",
                     skua_name_json(escaped, sizeof escaped, text, strlen(text)));
        (void)fflush(stdout);
    }
}

void skua_report_note(struct skua_report *report, const char *format, ...)
{
    va_list args;
    if (report->quiet) {
        return;
    }
    clear_line(report);
    (void)fputs("skua cp: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

/* The exit code of a copy in which nothing but this went wrong. */
static enum skua_exit exit_of(const struct skua_report *report, const struct skua_outcome *outcome,
                              bool here)
{
    const enum skua_file_status status = outcome->status;
    /* A name that no server takes counts as refused by it, though it was not asked. A file that
     * came under a name that cannot be had here is no NOTICE. */
    const bool refused_name = status == SKUA_STATUS_BAD_NAME && outcome->path_len == 0 &&
                              outcome->type == SKUA_FILE_NOTICE && !report->upload;
    if (status == SKUA_STATUS_INTEGRITY) {
        return SKUA_EXIT_INTEGRITY;
    }
    if (refused_name || status == SKUA_STATUS_NOT_ASKED || status == SKUA_STATUS_READ_ONLY ||
        status == SKUA_STATUS_WRITE_ONLY) {
        return SKUA_EXIT_REFUSED;
    }
    return here ? SKUA_EXIT_LOCAL_IO : SKUA_EXIT_REMOTE_IO;
}

static void count(struct skua_report *report, const struct skua_outcome *outcome, bool here)
{
    if (outcome->status == SKUA_STATUS_OK) {
        report->stored++;
        report->files += outcome->type == SKUA_FILE_FILE ? 1 : 0;
        report->bytes += outcome->size;
    } else if (skua_outcome_is_skip(outcome)) {
        report->skipped++;
    } else {
        report->failed++;
        if (report->first_failure == SKUA_EXIT_OK) {
            report->first_failure = exit_of(report, outcome, here);
        }
    }
}

static const char *kind_name(enum skua_file_record type)
{
    return type == SKUA_FILE_DIR ? "dir" : type == SKUA_FILE_LINK ? "link" : "file";
}

/* The name is given whole, however long: a script looks for the file by it. */
static void show_json_entry(const char *name, const struct skua_outcome *outcome, bool here)
{
    char escaped[JSON_ROOM];
    char reason[REASON_ROOM];
    const char *text = skua_file_status_text(outcome->status);
    const bool ok = outcome->status == SKUA_STATUS_OK;
    const char *status = ok ? "ok" : skua_outcome_is_skip(outcome) ? "skipped" : "failed";
    (void)printf(
        "{\"type\":\"%s\",\"path\":\"%s\",\"size\":%" PRIu64
        ",\"status\":\"%s\",\"side\":\"%s\"%s%s%s}\n",
        kind_name(outcome->type), skua_name_json(escaped, sizeof escaped, name, strlen(name)),
        outcome->size, status, here ? "local" : "remote", ok ? "" : ",\"reason\":\"",
        ok ? "" : skua_name_json(reason, sizeof reason, text, strlen(text)), ok ? "" : "\"");
}

void skua_report_entry(struct skua_report *report, const char *root, const char *path,
                       const struct skua_outcome *outcome, bool here)
{
    char name[FULL_NAME_ROOM];
    char shown[NAME_ROOM];
    const bool ok = outcome->status == SKUA_STATUS_OK;
    count(report, outcome, here);
    const size_t root_len = strlen(root);
    const bool slash = path[0] != '\0' && root_len > 0 && root[root_len - 1] != '/';
    (void)snprintf(name, sizeof name, "%s%s%s", root, slash ? "/" : "", path);
    if (report->json) {
        show_json_entry(name, outcome, here);
    }
    if (!ok || (report->verbose && !report->quiet)) {
        const bool there = !here && !ok && !skua_outcome_is_skip(outcome);
        clear_line(report);
        (void)fprintf(stderr, "skua cp: %s: %s%s\n",
                      skua_name_print(shown, sizeof shown, name, strlen(name)),
                      skua_file_status_text(outcome->status), there ? " (on the other side)" : "");
    }
}

/* "1.5 GB" in powers of 1000, as disks and networks count. */
static const char *size_text(char out[24], uint64_t bytes)
{
    static const char units[] = "kMGTPE";
    if (bytes < 1000) {
        (void)snprintf(out, 24, "%" PRIu64 " B", bytes);
        return out;
    }
    uint64_t tenths = bytes / 100;
    size_t unit = 0;
    while (tenths >= 10000) {
        tenths /= 1000;
        unit++;
    }
    (void)snprintf(out, 24, "%" PRIu64 ".%" PRIu64 " %cB", tenths / 10, tenths % 10, units[unit]);
    return out;
}

static void sample_rate(struct skua_report *report, uint64_t bytes, skua_time now)
{
    const skua_time span = now - report->sampled;
    if (span < SKUA_SEC / 4) {
        return;
    }
    /* Milliseconds keep the product within 64 bits. */
    const uint64_t rate = (bytes - report->sample) * 1000 / (span / SKUA_MSEC);
    report->rate = report->rate == 0 ? rate : (report->rate * 7 + rate) / 8;
    report->sample = bytes;
    report->sampled = now;
}

static void left_text(char out[40], const struct skua_report *report, uint64_t bytes)
{
    out[0] = '\0';
    if (report->totals.bytes > bytes && report->rate > 0) {
        const uint64_t s = (report->totals.bytes - bytes) / report->rate;
        (void)snprintf(out, 40, "%" PRIu64 ":%02u:%02u left", s / 3600, (unsigned)(s / 60 % 60),
                       (unsigned)(s % 60));
    }
}

static const char *phase(const struct skua_report *report,
                         const struct skua_session_progress *progress)
{
    if (!report->upload) {
        return progress->all_sent ? "storing" : "receiving";
    }
    return progress->all_sent && progress->bytes >= report->totals.bytes ? "verifying" : "sending";
}

static void show_json(const struct skua_report *report,
                      const struct skua_session_progress *progress)
{
    (void)printf("{\"type\":\"progress\",\"phase\":\"%s\",\"bytes\":%" PRIu64
                 ",\"total_bytes\":%" PRIu64 ",\"entries\":%" PRIu64 ",\"total_entries\":%" PRIu64
                 ",\"bytes_per_second\":%" PRIu64 "}\n",
                 phase(report, progress), progress->bytes, report->totals.bytes, progress->entries,
                 report->totals.entries, report->rate);
    (void)fflush(stdout);
}

static void show_line(struct skua_report *report, const struct skua_session_progress *progress)
{
    char done[24];
    char all[24];
    char rate[24];
    char left[40];
    enum { WIDTH = 20 };
    char bar[WIDTH + 1];
    /* What is acknowledged counts some bytes more than files hold. */
    const uint64_t total = report->totals.bytes;
    const uint64_t bytes = total > 0 && progress->bytes > total ? total : progress->bytes;
    const uint64_t filled = total >= WIDTH ? bytes / (total / WIDTH) : 0;
    for (unsigned i = 0; i < WIDTH; i++) {
        bar[i] = i < filled ? '#' : '.';
    }
    bar[WIDTH] = '\0';
    left_text(left, report, bytes);
    (void)fprintf(stderr, "%s[%s] %s of %s  %s/s  %s  %" PRIu64 "/%" PRIu64 " entries  %s%s",
                  report->terminal ? "\r" : "skua cp: ", bar, size_text(done, bytes),
                  total > 0 ? size_text(all, total) : "?", size_text(rate, report->rate), left,
                  progress->entries, report->totals.entries, phase(report, progress),
                  report->terminal ? "\033[K" : "\n");
    report->line_open = report->terminal;
}

void skua_report_tick(struct skua_report *report, const struct skua_session_progress *progress,
                      skua_time now)
{
    sample_rate(report, progress->bytes, now);
    const skua_time every = report->json       ? JSON_EVERY
                            : report->terminal ? TERMINAL_EVERY
                                               : PLAIN_EVERY;
    if (now - report->last < every) {
        return;
    }
    report->last = now;
    if (report->json) {
        show_json(report, progress);
    } else if (!report->quiet) {
        show_line(report, progress);
    }
}

enum skua_exit skua_report_exit(const struct skua_report *report)
{
    if (report->failed == 0) {
        return SKUA_EXIT_OK;
    }
    return report->stored > 0 ? SKUA_EXIT_PARTIAL : report->first_failure;
}

void skua_report_summary(struct skua_report *report, enum skua_exit code, skua_time now)
{
    char size[24];
    char rate[24];
    const uint64_t ms = (now - report->start) / SKUA_MSEC;
    clear_line(report);
    if (report->json) {
        (void)printf("{\"type\":\"summary\",\"files\":%" PRIu64 ",\"bytes\":%" PRIu64
                     ",\"stored\":%" PRIu64 ",\"skipped\":%" PRIu64 ",\"failed\":%" PRIu64
                     ",\"ms\":%" PRIu64 ",\"exit\":%d}\n",
                     report->files, report->bytes, report->stored, report->skipped, report->failed,
                     ms, (int)code);
        (void)fflush(stdout);
    }
    if (report->quiet || report->stored == 0) {
        return; /* what failed has its own line */
    }
    (void)fprintf(stderr, "skua cp: %" PRIu64 " file%s, %s verified and stored", report->files,
                  report->files == 1 ? "" : "s", size_text(size, report->bytes));
    if (report->failed > 0 || report->skipped > 0) {
        (void)fprintf(stderr, ", %" PRIu64 " failed, %" PRIu64 " skipped", report->failed,
                      report->skipped);
    }
    (void)fprintf(stderr, " in %" PRIu64 ".%03" PRIu64 " s (%s/s)\n", ms / 1000, ms % 1000,
                  size_text(rate, report->bytes * 1000 / (ms > 0 ? ms : 1)));
}
