/* skua cp: copies files to and from a `skua serve`. This file reads the command line and decides
 * what goes where; cp_run.c does it. */
#include "cp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "commands.h"
#include "names.h"
#include "options.h"
#include "remote.h"
#include "start.h"

/* The command line. */
struct args {
    const char *key;        /* --key */
    const char *server_key; /* --server-key */
    const char *known;      /* --known-hosts */
    uint64_t port;          /* --port */
    bool recursive, links, checksum, sync, accept_new, json, quiet, verbose;
};

static const char about[] =
    "Copies files to or from a host that runs `skua serve`. Every file is verified at its\n"
    "destination before it gets its name; success is reported only after that.\n"
    "\n"
    "examples:\n"
    "  skua cp report.pdf server:            into the served folder\n"
    "  skua cp -r photos server:backup       a folder, into or as server's backup\n"
    "  skua cp server:data/big.iso .         from the server\n"
    "  skua cp -P 9000 a b c server:in/      several files, another port\n"
    "  skua cp -r skua://[2001:db8::1]:9000/logs /tmp/logs\n"
    "\n"
    "Symbolic links in a folder are skipped with a notice, or with --links copied as links\n"
    "(relative ones that stay in the tree). A link named as SRC is followed.";

static skua_time now_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (skua_time)ts.tv_sec * SKUA_SEC + (skua_time)ts.tv_nsec;
}

/* The last part of `path`, as a new string: "" for ".", "..", "/" and "" (their contents go into
 * the destination). */
static char *base_name(const char *path)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    char *name = strndup(path + start, end - start);
    if (name != NULL && (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)) {
        name[0] = '\0';
    }
    return name;
}

/* A path on the server as the protocol wants it, as a new string: without empty parts and ".". What
 * else is not allowed in it check_source says, and of a destination the server. */
static char *clean_path(const char *path)
{
    char *clean = malloc(strlen(path) + 1);
    size_t used = 0;
    for (const char *at = path; clean != NULL && *at != '\0';) {
        const size_t len = strcspn(at, "/");
        if (len > 0 && !(len == 1 && at[0] == '.')) {
            if (used > 0) {
                clean[used++] = '/';
            }
            memcpy(clean + used, at, len);
            used += len;
        }
        at += len + (at[len] == '/' ? 1 : 0);
    }
    if (clean != NULL) {
        clean[used] = '\0';
    }
    return clean;
}

/* Keeps a string until the plan goes; NULL where memory was short. */
static const char *own(struct skua_cp_plan *plan, char *text)
{
    plan->owned[plan->owned_count++] = text;
    return text;
}

/* Appends a root. */
static bool add_root(struct skua_cp_plan *plan, const char *root, const char *shown)
{
    const char *path = plan->upload ? root : own(plan, clean_path(root));
    const char *name = own(plan, base_name(root));
    if (path == NULL || name == NULL) {
        return false;
    }
    plan->roots[plan->count] = path;
    plan->shown[plan->count] = shown;
    plan->names[plan->count] = name;
    plan->count++;
    return true;
}

/* The destination; a '/' at its end says that it must be a directory. */
static bool set_dst(struct skua_cp_plan *plan, const struct skua_operand *dst)
{
    const size_t len = strlen(dst->path);
    plan->upload = dst->remote;
    plan->dst = dst->remote ? own(plan, clean_path(dst->path)) : dst->path;
    if (len > 0 && dst->path[len - 1] == '/') {
        plan->flags |= SKUA_FILE_DST_IS_DIR;
    }
    return plan->dst != NULL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Two sources of one name would overwrite each other. */
static bool check_names(const struct skua_cp_plan *plan, const struct skua_opts *opts)
{
    const char **sorted = calloc(plan->count + 1, sizeof *sorted);
    bool ok = sorted != NULL;
    for (size_t i = 0; ok && i < plan->count; i++) {
        sorted[i] = plan->names[i];
    }
    if (ok && plan->count > 1) {
        qsort(sorted, plan->count, sizeof *sorted, compare_names);
    }
    for (size_t i = 1; ok && i < plan->count; i++) {
        if (sorted[i][0] != '\0' && strcmp(sorted[i - 1], sorted[i]) == 0) {
            char shown[512];
            (void)skua_opts_error(
                opts, "several sources would become \"%s\"",
                skua_name_print(shown, sizeof shown, sorted[i], strlen(sorted[i])));
            ok = false;
        }
    }
    free(sorted);
    return ok;
}

static uint16_t port_of(const struct skua_operand *operand, const struct args *args)
{
    return operand->port != 0 ? operand->port : (uint16_t)args->port;
}

/* Sorts the operands into the plan. False after a usage error. */
static bool plan_operands(struct skua_cp_plan *plan, const struct skua_opts *opts,
                          const struct args *args, char **operands, size_t count)
{
    struct skua_why why;
    struct skua_operand dst;
    struct skua_operand src;
    if (!skua_operand_parse(&dst, operands[count - 1], &why)) {
        (void)skua_opts_error(opts, "%s", why.text);
        return false;
    }
    if (!set_dst(plan, &dst)) {
        return false;
    }
    for (size_t i = 0; i + 1 < count; i++) {
        if (!skua_operand_parse(&src, operands[i], &why)) {
            (void)skua_opts_error(opts, "%s", why.text);
            return false;
        }
        if (src.remote == dst.remote) {
            (void)skua_opts_error(opts, dst.remote ? "both sides are remote: copy in two steps"
                                                   : "no side is remote: write HOST:PATH or "
                                                     "skua://HOST/PATH");
            return false;
        }
        if (!dst.remote && i > 0 &&
            (strcmp(plan->host, src.host) != 0 || plan->port != port_of(&src, args))) {
            (void)skua_opts_error(opts, "all sources must be on the same server");
            return false;
        }
        const struct skua_operand *remote = dst.remote ? &dst : &src;
        memcpy(plan->host, remote->host, sizeof plan->host);
        plan->port = port_of(remote, args);
        if (!add_root(plan, src.path, operands[i])) {
            return false;
        }
    }
    return check_names(plan, opts);
}

static enum skua_file_status check_local(const char *path, bool recursive)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return skua_file_status_of_errno(errno);
    }
    if (S_ISDIR(st.st_mode)) {
        return recursive ? SKUA_STATUS_OK : SKUA_STATUS_IS_DIR;
    }
    return S_ISREG(st.st_mode) ? SKUA_STATUS_OK : SKUA_STATUS_SPECIAL;
}

/* Why a source cannot be copied, as far as that is known before anybody is asked; or OK. */
static enum skua_file_status check_source(const struct skua_cp_plan *plan, size_t index)
{
    const char *root = plan->roots[index];
    const char *name = plan->names[index];
    const bool recursive = (plan->flags & SKUA_FILE_RECURSIVE) != 0;
    enum skua_file_status status = SKUA_STATUS_OK;
    if (plan->upload) {
        status = check_local(root, recursive);
    } else if (root[0] != '\0' && !skua_name_check_path(root, strlen(root))) {
        status = SKUA_STATUS_BAD_NAME;
    }
    if (status == SKUA_STATUS_OK && name[0] != '\0' && !skua_name_check(name, strlen(name))) {
        status = SKUA_STATUS_BAD_NAME;
    }
    return status;
}

/* Drops sources that cannot be copied; each is reported, and does not stop the others. */
static void check_sources(struct skua_cp_plan *plan, struct skua_report *report)
{
    size_t kept = 0;
    /* What is not asked for of a download is what the server's NOTICE of it would be. */
    const enum skua_file_record type = plan->upload ? SKUA_FILE_FILE : SKUA_FILE_NOTICE;
    /* Where several were to go stays a directory when only one is left. */
    plan->flags |= plan->count > 1 ? (unsigned)SKUA_FILE_DST_IS_DIR : 0U;
    for (size_t i = 0; i < plan->count; i++) {
        const struct skua_outcome outcome = {.type = type, .status = check_source(plan, i)};
        if (outcome.status != SKUA_STATUS_OK) {
            skua_report_entry(report, plan->shown[i], "", &outcome, true);
            continue;
        }
        plan->roots[kept] = plan->roots[i];
        plan->shown[kept] = plan->shown[i];
        plan->names[kept] = plan->names[i];
        kept++;
    }
    plan->count = kept;
}

/* Key, pin, known servers. OK, or the exit code after an error line. */
static enum skua_exit plan_keys(struct skua_cp_plan *plan, const struct args *args,
                                struct skua_report *report)
{
    struct skua_user_path made;
    struct skua_why why;
    bool ok = skua_own_key_load(&plan->key, args->key, &made, &why);
    if (ok && made.text[0] != '\0') {
        skua_report_note(report, "made a new key in %s", made.text);
    }
    if (ok && args->known != NULL) {
        ok = strlen(args->known) < sizeof plan->known.text;
        skua_why_set(&why, "%s: path too long", args->known);
        (void)snprintf(plan->known.text, sizeof plan->known.text, "%s", args->known);
    } else if (ok) {
        ok = skua_user_path(&plan->known, "known_hosts", &why);
    }
    skua_known_host_name(plan->host_name, plan->host, plan->port);
    if (ok && !plan->pin_given) {
        ok = skua_known_hosts_find(plan->known.text, plan->host_name, &plan->pinned, &plan->pin,
                                   &why);
    }
    if (!ok) {
        skua_report_error(report, "%s", why.text);
        return SKUA_EXIT_LOCAL_IO;
    }
    return SKUA_EXIT_OK;
}

/* Asks on the terminal whether `key` is the server's; true for "yes". */
static bool ask(const struct skua_cp_plan *plan, const char *key)
{
    char answer[16] = {0};
    FILE *terminal = fopen("/dev/tty", "r+e");
    if (terminal == NULL) {
        return false;
    }
    (void)fprintf(terminal,
                  "The server %s is not known yet. Its key is\n  %s\nIs this right? Type yes: ",
                  plan->host_name, key);
    (void)fflush(terminal);
    const bool yes = fgets(answer, sizeof answer, terminal) != NULL && strcmp(answer, "yes\n") == 0;
    (void)fclose(terminal);
    return yes;
}

/* Runs; where the server is unknown asks and runs again. */
static enum skua_exit run(struct skua_cp_plan *plan, struct skua_report *report)
{
    bool unknown = false;
    struct skua_key key;
    char text[SKUA_KEY_TEXT_LEN];
    struct skua_why why;
    enum skua_exit code = skua_cp_run(plan, report, &unknown, &key);
    if (!unknown) {
        return code;
    }
    skua_key_format(text, &key);
    if (isatty(STDIN_FILENO) != 1 || !ask(plan, text)) {
        skua_report_error(report,
                          "server %s is not known; its key is %s (to trust it: --server-key KEY, "
                          "or --accept-new)",
                          plan->host_name, text);
        return SKUA_EXIT_PEER_KEY;
    }
    if (!skua_known_hosts_add(plan->known.text, plan->host_name, &key, &why)) {
        skua_report_error(report, "%s", why.text);
        return SKUA_EXIT_LOCAL_IO;
    }
    plan->pinned = true;
    plan->pin = key;
    return skua_cp_run(plan, report, &unknown, &key);
}

static void free_plan(struct skua_cp_plan *plan)
{
    for (size_t i = 0; i < plan->owned_count; i++) {
        free(plan->owned[i]);
    }
    free(plan->owned);
    free(plan->roots);
    free(plan->shown);
    free(plan->names);
    sodium_memzero(&plan->key, sizeof plan->key);
}

static unsigned flags_of(const struct args *args)
{
    return (args->recursive ? SKUA_FILE_RECURSIVE : 0U) | (args->links ? SKUA_FILE_LINKS : 0U) |
           (args->checksum ? SKUA_FILE_CHECKSUM : 0U) | (args->sync ? SKUA_FILE_FSYNC : 0U);
}

static enum skua_exit copy(struct skua_cp_plan *plan, const struct args *args,
                           struct skua_report *report)
{
    check_sources(plan, report);
    enum skua_exit code = plan->count > 0 ? plan_keys(plan, args, report) : SKUA_EXIT_OK;
    if (plan->count > 0 && code == SKUA_EXIT_OK) {
        code = run(plan, report);
    }
    if (code == SKUA_EXIT_OK) {
        code = skua_report_exit(report);
    }
    skua_report_summary(report, code, now_ns());
    return code;
}

static int copy_operands(const struct skua_opts *opts, const struct args *args, char **operands,
                         size_t count)
{
    struct skua_cp_plan plan = {.flags = flags_of(args), .accept_new = args->accept_new};
    if (count > SKUA_FILE_ROOTS_MAX) {
        return skua_opts_error(opts, "at most %d sources at a time", SKUA_FILE_ROOTS_MAX - 1);
    }
    if (args->port == 0 || args->port > UINT16_MAX) {
        return skua_opts_error(opts, "--port: no such port");
    }
    plan.pin_given = args->server_key != NULL;
    plan.pinned = plan.pin_given;
    if (plan.pin_given && skua_key_parse(&plan.pin, args->server_key) != SKUA_OK) {
        return skua_opts_error(opts, "--server-key: not a public key");
    }
    plan.roots = calloc(count, sizeof *plan.roots);
    plan.shown = calloc(count, sizeof *plan.shown);
    plan.names = calloc(count, sizeof *plan.names);
    plan.owned = calloc(2 * count, sizeof *plan.owned);
    struct skua_report report;
    skua_report_init(&report, now_ns());
    report.json = args->json;
    report.quiet = args->quiet;
    report.verbose = args->verbose;
    int code = SKUA_EXIT_LOCAL_IO;
    if (plan.roots == NULL || plan.shown == NULL || plan.names == NULL || plan.owned == NULL) {
        skua_report_error(&report, "out of memory");
    } else if (!plan_operands(&plan, opts, args, operands, count)) {
        code = SKUA_EXIT_USAGE;
    } else {
        report.upload = plan.upload;
        code = (int)copy(&plan, args, &report);
    }
    free_plan(&plan);
    return code;
}

int skua_cmd_cp(int argc, char **argv)
{
    struct args args = {.port = SKUA_DEFAULT_PORT};
    const struct skua_opt table[] = {
        {.name = "recursive",
         .letter = 'r',
         .kind = SKUA_OPT_FLAG,
         .flag = &args.recursive,
         .help = "copy directories with all that is in them"},
        {.name = "port",
         .letter = 'P',
         .kind = SKUA_OPT_COUNT,
         .arg = "PORT",
         .number = &args.port,
         .help = "the server's port (default 7582)"},
        SKUA_OPTION_KEY(&args.key),
        {.name = "server-key",
         .kind = SKUA_OPT_STRING,
         .arg = "KEY",
         .string = &args.server_key,
         .help = "the key that the server must have, instead of the known one"},
        {.name = "known-hosts",
         .kind = SKUA_OPT_STRING,
         .arg = "FILE",
         .string = &args.known,
         .help = "keys of known servers (default ~/.config/skua/known_hosts)"},
        {.name = "accept-new",
         .kind = SKUA_OPT_FLAG,
         .flag = &args.accept_new,
         .help = "remember the key of an unknown server without asking"},
        {.name = "links",
         .kind = SKUA_OPT_FLAG,
         .flag = &args.links,
         .help = "copy symbolic links as links"},
        {.name = "checksum",
         .kind = SKUA_OPT_FLAG,
         .flag = &args.checksum,
         .help = "check BLAKE2b of each whole file as well (slower)"},
        SKUA_OPTION_FSYNC(&args.sync),
        {.name = "json",
         .kind = SKUA_OPT_FLAG,
         .flag = &args.json,
         .help = "JSON lines on stdout, for scripts"},
        {.name = "verbose",
         .letter = 'v',
         .kind = SKUA_OPT_FLAG,
         .flag = &args.verbose,
         .help = "a line for each file"},
        {.name = "quiet",
         .letter = 'q',
         .kind = SKUA_OPT_FLAG,
         .flag = &args.quiet,
         .help = "no progress, no summary; only what is left out\nor fails"},
    };
    const struct skua_opts opts = {
        .command = "cp",
        .synopsis = "[options] SRC... DST",
        .about = about,
        .table = table,
        .count = sizeof table / sizeof table[0],
        .min_operands = 2,
        .max_operands = SIZE_MAX,
    };
    size_t operands = 0;
    int status = SKUA_EXIT_OK;
    if (!skua_opts_parse(&opts, argc, argv, &operands, &status)) {
        return status;
    }
    if (!skua_start_copying(opts.command)) {
        return SKUA_EXIT_LOCAL_IO;
    }
    return copy_operands(&opts, &args, argv + 1, operands);
}
