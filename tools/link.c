/* `skua link`: a bad network between two UDP programs, for users and for tests. This file reads the
 * options; link_run.c does the work, link_model.c decides. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "commands.h"
#include "link_report.h"
#include "link_run.h"
#include "options.h"
#include "start.h"

/* "Not given" for a setting of a direction. */
#define UNSET UINT64_MAX

/* Delays beyond this are typing errors, and times must not overflow. */
#define MAX_DELAY (3600 * SKUA_SEC)

/* Rates beyond this would make the model's products overflow. */
#define MAX_RATE UINT64_C(1000000000000)

/* Everything the command line says. */
struct arguments {
    const char *listen;
    const char *to;
    bool json;
    uint64_t seed;
    uint64_t rebind_every_ns;
    const char *move_to;
    uint64_t move_after_ns;
    uint64_t flow_timeout_ns;
    uint64_t memory_bytes;
    struct skua_link_params both;                     /* --NAME */
    struct skua_link_params separate[SKUA_LINK_DIRS]; /* --NAME-up, --NAME-down; UNSET = as both */
};

static void set_defaults(struct arguments *arguments)
{
    *arguments = (struct arguments){
        .seed = 1,
        .move_after_ns = SKUA_SEC,
        .flow_timeout_ns = 300 * SKUA_SEC,
        .memory_bytes = UINT64_C(256) << 20,
        .both = {.reorder_by_ns = 5 * SKUA_MSEC, .queue_bytes = UNSET},
    };
    for (int i = 0; i < SKUA_LINK_DIRS; i++) {
#define SKUA_LINK_OPTION(member, name, kind, arg, help) arguments->separate[i].member = UNSET;
#include "link_options.def"
#undef SKUA_LINK_OPTION
    }
}

/* Fills what a direction was not told separately. */
static void resolve(struct skua_link_params *params, const struct skua_link_params *both)
{
#define SKUA_LINK_OPTION(member, name, kind, arg, help)                                            \
    if (params->member == UNSET) {                                                                 \
        params->member = both->member;                                                             \
    }
#include "link_options.def"
#undef SKUA_LINK_OPTION
}

/* Makes the directions' settings out of the arguments; NULL, or what is wrong with them. */
static const char *make_params(struct skua_link_setup *setup, const struct arguments *arguments)
{
    uint64_t round_trip_ns = 0;
    for (int i = 0; i < SKUA_LINK_DIRS; i++) {
        struct skua_link_params *params = &setup->params[i];
        *params = arguments->separate[i];
        resolve(params, &arguments->both);
        if (params->delay_ns > MAX_DELAY || params->jitter_ns > MAX_DELAY ||
            params->reorder_by_ns > MAX_DELAY) {
            return "delays end at one hour";
        }
        if (params->rate_bps > MAX_RATE) {
            return "rates end at 1000gbit";
        }
        round_trip_ns += params->delay_ns;
    }
    for (int i = 0; i < SKUA_LINK_DIRS; i++) {
        struct skua_link_params *params = &setup->params[i];
        if (params->queue_bytes == UNSET) {
            params->queue_bytes = skua_link_default_queue(params->rate_bps, round_trip_ns);
        }
    }
    return NULL;
}

/* An address without port, of the server's family; NULL, or what is wrong with it. */
static const char *resolve_move(struct skua_link_setup *setup, const char *text)
{
    char with_port[128];
    if (snprintf(with_port, sizeof with_port, "%s:0", text) >= (int)sizeof with_port) {
        return "not an address";
    }
    const char *error = skua_link_resolve(&setup->move_to, with_port, true);
    if (error == NULL && setup->move_to.any.sa_family != setup->server.any.sa_family) {
        error = "the server's is of another family";
    }
    return error;
}

static int run(const struct skua_opts *opts, const struct arguments *arguments)
{
    struct skua_link_setup setup = {
        .seed = arguments->seed,
        .rebind_every_ns = arguments->rebind_every_ns,
        .move_after_ns = arguments->move_after_ns,
        .flow_timeout_ns = arguments->flow_timeout_ns,
        .memory_bytes = arguments->memory_bytes,
    };
    if (arguments->listen == NULL || arguments->to == NULL) {
        return skua_opts_error(opts, "--listen and --to are required");
    }
    const char *error = make_params(&setup, arguments);
    if (error != NULL) {
        return skua_opts_error(opts, "%s", error);
    }
    error = skua_link_resolve(&setup.listen, arguments->listen, true);
    if (error != NULL) {
        return skua_opts_error(opts, "--listen %s: %s", arguments->listen, error);
    }
    error = skua_link_check(arguments->to, false);
    if (error != NULL) {
        return skua_opts_error(opts, "--to %s: %s", arguments->to, error);
    }
    error = skua_link_resolve(&setup.server, arguments->to, false);
    if (error != NULL) {
        (void)fprintf(stderr, "skua link: --to %s: %s\n", arguments->to, error);
        return SKUA_EXIT_UNREACHABLE;
    }
    error = arguments->move_to != NULL ? resolve_move(&setup, arguments->move_to) : NULL;
    if (error != NULL) {
        return skua_opts_error(opts, "--move-to %s: %s", arguments->move_to, error);
    }
    struct skua_link_result result = {0};
    if (!arguments->json) {
        skua_start_service();
    }
    const int status = skua_link_run(&setup, &result);
    if (status == SKUA_EXIT_OK && arguments->json) {
        skua_link_report_json(stdout, &result);
    } else if (status == SKUA_EXIT_OK) {
        skua_link_report_table(stderr, &result);
    }
    return status;
}

int skua_cmd_link(int argc, char **argv)
{
    struct arguments arguments;
    set_defaults(&arguments);
    const struct skua_opt table[] = {
        {"listen",
         'l',
         SKUA_OPT_STRING,
         "ADDR:PORT",
         "where clients send to; port 0 takes a free one",
         {.string = &arguments.listen}},
        {"to", 't', SKUA_OPT_STRING, "HOST:PORT", "the server", {.string = &arguments.to}},
#define SKUA_LINK_OPTION(member, name, kind, arg, help)                                            \
    {name, 0, SKUA_OPT_##kind, arg, help, {.number = &arguments.both.member}},
#include "link_options.def"
#undef SKUA_LINK_OPTION
#define SKUA_LINK_OPTION(member, name, kind, arg, help)                                            \
    {name "-up",           0,                                                                      \
     SKUA_OPT_##kind,      arg,                                                                    \
     "to the server only", {.number = &arguments.separate[SKUA_LINK_UP].member}},                  \
        {name "-down",         0,                                                                  \
         SKUA_OPT_##kind,      arg,                                                                \
         "to the client only", {.number = &arguments.separate[SKUA_LINK_DOWN].member}},
#include "link_options.def"
#undef SKUA_LINK_OPTION
        {"rebind-every",
         0,
         SKUA_OPT_DURATION,
         "TIME",
         "change the source port towards the server this\noften, as a NAT that forgets does",
         {.number = &arguments.rebind_every_ns}},
        {"move-to",
         0,
         SKUA_OPT_STRING,
         "ADDR",
         "change the source address towards the server, once,\nto this one of this machine's",
         {.string = &arguments.move_to}},
        {"move-after",
         0,
         SKUA_OPT_DURATION,
         "TIME",
         "when, from the emulator's start; default: 1s",
         {.number = &arguments.move_after_ns}},
        {"seed",
         0,
         SKUA_OPT_COUNT,
         "N",
         "seed of every random decision; default: 1",
         {.number = &arguments.seed}},
        {"flow-timeout",
         0,
         SKUA_OPT_DURATION,
         "TIME",
         "forget a client after this silence; default: 300s",
         {.number = &arguments.flow_timeout_ns}},
        {"memory",
         0,
         SKUA_OPT_SIZE,
         "SIZE",
         "most for packets under way; default: 256M",
         {.number = &arguments.memory_bytes}},
        {"json",
         'j',
         SKUA_OPT_FLAG,
         NULL,
         "print the summary as JSON on stdout",
         {.flag = &arguments.json}},
    };
    const struct skua_opts opts = {
        .command = "link",
        .synopsis = "--listen ADDR:PORT --to HOST:PORT [options]",
        .about =
            "Passes UDP datagrams between clients and a server as a network with the given\n"
            "faults would, needs no privileges, and prints \"listening ADDR:PORT\" when ready\n"
            "and a summary when interrupted (SIGINT, SIGTERM). Settings apply to each\n"
            "direction on its own; the n-th packet of a direction meets the same fate in every\n"
            "run with the same seed.",
        .table = table,
        .count = sizeof table / sizeof table[0],
        .max_operands = 0,
    };
    size_t operands = 0;
    int status = SKUA_EXIT_OK;
    return skua_opts_parse(&opts, argc, argv, &operands, &status) ? run(&opts, &arguments) : status;
}
