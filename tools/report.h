/* What `skua cp` tells its user: a progress line on a terminal, plain lines elsewhere, JSON lines
 * for scripts, one line for each file that failed, and the exit code that follows from all.
 *
 * People read stderr; with --json, stdout has one JSON object per line (docs/tool.md). Names are
 * always escaped. */
#ifndef SKUA_TOOLS_REPORT_H
#define SKUA_TOOLS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "exit_codes.h"
#include "file_proto.h"
#include "session.h"

struct skua_report {
    bool json;     /* JSON lines on stdout */
    bool quiet;    /* nothing but what is not as it was asked for: errors, entries left out */
    bool verbose;  /* a line for each file */
    bool terminal; /* stderr is one: progress in place */
    bool upload;
    bool line_open;                   /* a progress line stands on the terminal */
    skua_time start;                  /* CLOCK_MONOTONIC */
    skua_time last;                   /* of the last tick that was shown */
    skua_time sampled;                /* of `rate` */
    uint64_t sample;                  /* bytes then */
    uint64_t rate;                    /* bytes per second, smoothed */
    struct skua_file_totals totals;   /* zero = not known */
    uint64_t stored, skipped, failed; /* entries */
    uint64_t files, bytes;            /* stored files, and the bytes in them */
    enum skua_exit first_failure;     /* code of the first entry that failed; OK = none */
};

void skua_report_init(struct skua_report *report, skua_time now);

/* An error that concerns the whole copy: "skua cp: ..." */
__attribute__((format(printf, 2, 3))) void skua_report_error(struct skua_report *report,
                                                             const char *format, ...);
/* Something worth knowing that is no error; not with -q. */
__attribute__((format(printf, 2, 3))) void skua_report_note(struct skua_report *report,
                                                            const char *format, ...);

/* What became of an entry named `root`/`path` (path may be ""). `here`: judged on this side. */
void skua_report_entry(struct skua_report *report, const char *root, const char *path,
                       const struct skua_outcome *outcome, bool here);
/* Several times a second: shows progress when it is time to. */
void skua_report_tick(struct skua_report *report, const struct skua_session_progress *progress,
                      skua_time now);
/* At the end: the summary. `code` is the copy's. */
void skua_report_summary(struct skua_report *report, enum skua_exit code, skua_time now);
/* The exit code that the entries make: OK, PARTIAL where others were stored, else what stopped the
 * first. */
enum skua_exit skua_report_exit(const struct skua_report *report);

#endif
