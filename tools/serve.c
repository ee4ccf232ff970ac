/* skua serve: lets others copy files into and out of a folder. This file reads the command line,
 * listens, and stops in order; serve_client.c serves each client. */
#include "serve.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <sodium.h>

#include "commands.h"
#include "file_proto.h"
#include "options.h"
#include "start.h"
#include "stop_signals.h"

/* Memory in buffers of all clients together, as far as each gets a minimum: 256 MiB. */
#define BUFFERS_MAX 1024

/* The command line. */
struct args {
    const char *listen; /* --listen */
    const char *key;    /* --key */
    const char *allow;  /* --allow */
    uint64_t max_clients;
    bool allow_any, read_only, write_only, sync, quiet;
};

static const char about[] =
    "Serves the folder DIR (default: the current one) to `skua cp`. Only clients whose public\n"
    "keys are listed may connect. Nothing outside of DIR is reachable, symbolic links in it are\n"
    "not followed. When ready, stdout has a line \"listening ADDRESS KEY\" for each socket.\n"
    "\n"
    "examples:\n"
    "  skua serve ~/share                       keys from ~/.config/skua/allowed_keys\n"
    "  skua serve /srv/drop --write-only        clients can put files, not get any\n"
    "  skua serve --listen 192.0.2.1:9000 --allow team.keys --read-only\n"
    "\n"
    "A list of keys has one public key per line, then maybe a name; '#' starts a comment. It is\n"
    "read again when it has changed. A client's key: skua keygen --help.";

void serve_log(const struct serve *serve, const char *format, ...)
{
    va_list args;
    if (serve->quiet) {
        return;
    }
    /* One write per line: several servers may share a log. */
    char line[4096];
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    (void)fprintf(stderr, "skua serve: %s\n", line);
}

/* An error line; returns the code. */
__attribute__((format(printf, 2, 3))) static enum skua_exit complain(enum skua_exit code,
                                                                     const char *format, ...)
{
    va_list args;
    (void)fputs("skua serve: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    return code;
}

static void on_incoming(struct skua_ev *ev, const struct skua_event *event)
{
    serve_client_incoming(skua_ev_user(ev), event);
}

static void on_event(struct skua_ev *ev, const struct skua_event *event)
{
    serve_client_event(skua_ev_user(ev), event);
}

static void on_closed(struct skua_ev *ev, const struct skua_event *event)
{
    serve_client_closed(skua_ev_user(ev), event);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    const struct serve *serve = watcher->data;
    (void)events;
    serve_log(serve, "stopping");
    ev_break(loop, EVBREAK_ALL);
}

/* Many clients and deep trees need many descriptors. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum skua_exit load_key(struct skua_secret_key *key, const struct args *args)
{
    struct skua_user_path made;
    struct skua_why why;
    const bool ok = skua_own_key_load(key, args->key, &made, &why);
    if (ok && made.text[0] != '\0') {
        (void)fprintf(stderr, "skua serve: made a new key in %s\n", made.text);
    }
    return ok ? SKUA_EXIT_OK : complain(SKUA_EXIT_LOCAL_IO, "%s", why.text);
}

/* `path` is the place of the default list; it stays in use. */
static enum skua_exit load_allowed(struct serve *serve, const struct args *args,
                                   struct skua_user_path *path)
{
    struct skua_why why;
    bool missing = false;
    if (args->allow_any) {
        return SKUA_EXIT_OK;
    }
    if (args->allow == NULL && !skua_user_path(path, "allowed_keys", &why)) {
        return complain(SKUA_EXIT_LOCAL_IO, "%s", why.text);
    }
    serve->allow_path = args->allow != NULL ? args->allow : path->text;
    if (skua_key_list_load(&serve->allowed, serve->allow_path, &missing, &why)) {
        (void)stat(serve->allow_path, &serve->allow_stat);
        return SKUA_EXIT_OK;
    }
    if (missing) {
        return complain(SKUA_EXIT_USAGE,
                        "nobody is allowed yet: write the public keys of clients to %s, one per "
                        "line (or --allow FILE, or --allow-any for everybody)",
                        serve->allow_path);
    }
    return complain(SKUA_EXIT_LOCAL_IO, "%s", why.text);
}

/* Starts the driver with the key; the caller wipes the key. */
static enum skua_exit start(struct serve *serve, const struct skua_secret_key *key,
                            const char *address)
{
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    config.endpoint.key = key;
    config.user = serve;
    config.handlers = (struct skua_ev_handlers){
        .size = sizeof(struct skua_ev_handlers),
        .incoming = on_incoming,
        .stream = on_event,
        .readable = on_event,
        .writable = on_event,
        .acked = on_event,
        .streams = on_event,
        .stopped = on_event,
        .closed = on_closed,
    };
    enum skua_err err = skua_ev_new(&serve->ev, serve->loop, &config);
    if (err != SKUA_OK) {
        return complain(SKUA_EXIT_LOCAL_IO, "cannot start: %s", skua_strerror(err));
    }
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    listen.conn.label = SKUA_FILE_LABEL;
    listen.conn.keepalive_time_ns = 10 * SKUA_SEC;
    listen.conn.max_recv_window = UINT64_C(32) << 20;
    listen.conn.max_streams_bidi = 1;
    listen.conn.max_streams_uni = SKUA_FILE_STREAMS_MAX;
    listen.allow = serve_client_allow;
    listen.allow_user = serve;
    err = skua_ev_listen(serve->ev, address, &listen);
    if (err == SKUA_ESYSTEM) {
        return complain(SKUA_EXIT_LISTEN, "cannot listen on %s: %s", address,
                        strerror(skua_ev_errno(serve->ev)));
    }
    if (err != SKUA_OK) {
        return complain(SKUA_EXIT_LISTEN, "cannot listen on %s: %s", address, skua_strerror(err));
    }
    return SKUA_EXIT_OK;
}

/* Says where it listens; false where that cannot be said, which main reports. */
static bool announce(const struct serve *serve)
{
    char key[SKUA_KEY_TEXT_LEN];
    char text[SKUA_ADDR_TEXT_LEN];
    struct skua_addr addr;
    skua_key_format(key, skua_endpoint_key(skua_ev_endpoint(serve->ev)));
    for (uint32_t i = 0; skua_ev_local_addr(serve->ev, i, &addr) == SKUA_OK; i++) {
        skua_addr_format(text, &addr);
        (void)printf("listening %s %s\n", text, key);
    }
    return fflush(stdout) == 0 && ferror(stdout) == 0;
}

/* Serves until a signal. The signals stay caught: what follows must not be cut short by a second
 * one (stop_signals.h). */
static enum skua_exit run(struct serve *serve, struct skua_stop_signals *signals)
{
    skua_stop_signals_start(signals, serve->loop, on_signal, serve);
    if (!announce(serve)) {
        return SKUA_EXIT_LOCAL_IO; /* whoever waits for the line would wait for ever */
    }
    (void)ev_run(serve->loop, 0);
    return SKUA_EXIT_OK;
}

/* Clients are told, the driver sends that and goes; then workers finish and temporary files go. */
static void tear_down(struct serve *serve)
{
    if (serve->ev != NULL) {
        serve_client_stop_all(serve);
        skua_ev_free(serve->ev);
    }
    if (serve->pool != NULL) {
        skua_pool_drain(serve->pool);
        skua_pool_free(serve->pool);
    }
    skua_buffers_deinit(&serve->buffers);
    skua_store_deinit(&serve->store);
    skua_key_list_deinit(&serve->allowed);
}

static enum skua_exit serve_folder(const struct args *args, const char *folder)
{
    struct serve serve = {.loop = ev_default_loop(EVFLAG_AUTO),
                          .read_only = args->read_only,
                          .write_only = args->write_only,
                          .sync = args->sync,
                          .quiet = args->quiet,
                          .max_clients = args->max_clients,
                          .store = {.fd = -1}};
    struct skua_stop_signals signals = {.count = 0};
    struct skua_user_path allow_path;
    struct skua_secret_key key;
    enum skua_exit code = load_allowed(&serve, args, &allow_path);
    const int error = code == SKUA_EXIT_OK ? skua_store_init(&serve.store, folder) : 0;
    if (error != 0) {
        code = complain(SKUA_EXIT_LOCAL_IO, "cannot serve %s: %s", folder, strerror(error));
    }
    if (code == SKUA_EXIT_OK) {
        raise_descriptors();
        skua_buffers_init(&serve.buffers, BUFFERS_MAX);
        serve.pool = serve.loop != NULL ? skua_pool_new(serve.loop, 0) : NULL;
        if (serve.pool == NULL) {
            code = complain(SKUA_EXIT_LOCAL_IO, "cannot start: no memory or threads left");
        }
    }
    if (code == SKUA_EXIT_OK) {
        code = load_key(&key, args);
    }
    if (code == SKUA_EXIT_OK) {
        code = start(&serve, &key, args->listen);
        sodium_memzero(&key, sizeof key);
    }
    if (code == SKUA_EXIT_OK) {
        code = run(&serve, &signals);
    }
    skua_stop_signals_insist(&signals, serve.loop);
    tear_down(&serve);
    skua_stop_signals_end(&signals, serve.loop);
    return code;
}

int skua_cmd_serve(int argc, char **argv)
{
    struct args args = {.listen = "*:7582", .max_clients = 64};
    const struct skua_opt table[] = {
        {.name = "listen",
         .letter = 'l',
         .kind = SKUA_OPT_STRING,
         .arg = "ADDR:PORT",
         .string = &args.listen,
         .help = "where to listen (default *:7582, both families); port 0 = any"},
        SKUA_OPTION_KEY(&args.key),
        {.name = "allow",
         .kind = SKUA_OPT_STRING,
         .arg = "FILE",
         .string = &args.allow,
         .help = "public keys that may connect (default ~/.config/skua/allowed_keys)"},
        {.name = "allow-any",
         .kind = SKUA_OPT_FLAG,
         .flag = &args.allow_any,
         .help = "everybody may connect"},
        {.name = "read-only",
         .kind = SKUA_OPT_FLAG,
         .flag = &args.read_only,
         .help = "clients can get files, not put any"},
        {.name = "write-only",
         .kind = SKUA_OPT_FLAG,
         .flag = &args.write_only,
         .help = "clients can put files, not get any"},
        {.name = "max-clients",
         .kind = SKUA_OPT_COUNT,
         .arg = "N",
         .number = &args.max_clients,
         .help = "connections at a time (default 64); more are refused"},
        SKUA_OPTION_FSYNC(&args.sync),
        {.name = "quiet",
         .letter = 'q',
         .kind = SKUA_OPT_FLAG,
         .flag = &args.quiet,
         .help = "log nothing"},
    };
    const struct skua_opts opts = {
        .command = "serve",
        .synopsis = "[options] [DIR]",
        .about = about,
        .table = table,
        .count = sizeof table / sizeof table[0],
        .max_operands = 1,
    };
    size_t operands = 0;
    int status = SKUA_EXIT_OK;
    if (!skua_opts_parse(&opts, argc, argv, &operands, &status)) {
        return status;
    }
    if (args.read_only && args.write_only) {
        return skua_opts_error(&opts, "--read-only and --write-only exclude each other");
    }
    if (args.allow_any && args.allow != NULL) {
        return skua_opts_error(&opts, "--allow and --allow-any exclude each other");
    }
    if (args.max_clients == 0) {
        return skua_opts_error(&opts, "--max-clients must be at least 1");
    }
    if (!skua_start_copying(opts.command)) {
        return SKUA_EXIT_LOCAL_IO;
    }
    skua_start_service();
    return (int)serve_folder(&args, operands > 0 ? argv[1] : ".");
}
