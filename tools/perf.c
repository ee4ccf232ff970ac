/* `skua perf`: measures the transport between two machines, as iperf3 measures TCP. This file reads
 * the command line; perf_client.c and perf_server.c do the work.
 *
 * A client without --server-key takes any server: what it sends is worth nothing, and whoever poses
 * as the server learns no more than how fast the path to himself is. A server is stricter, since
 * strangers could use it to fill its network: it needs a list of keys, or the word that anyone may
 * come, unless it listens where only this machine can reach it. */
#include "perf.h"

#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "options.h"
#include "perf_report.h"
#include "start.h"

/* The command line. */
struct skua_perf_args {
    const char *listen, *allow, *key, *server_key, *cipher, *cc;
    bool server, allow_any, once, reverse, bidir, rr, dgram, connect, copy, no_offload, json, quiet;
    uint64_t port, time_ns, amount, parallel, msg, mtu, interval_ns;
};

enum { MTU_MIN = 1200, MTU_MAX = 65507, DEFAULT_EXCHANGE = 64, DEFAULT_CHUNK = 1 << 20 };

/* "Not given" for a number. */
#define UNSET UINT64_MAX

static const char about[] =
    "Measures throughput, latency or connections per second between two machines, like\n"
    "iperf3. One runs `skua perf -s`, the other `skua perf HOST`.\n"
    "\n"
    "examples:\n"
    "  skua perf -s --allow-any            the server\n"
    "  skua perf host                      how fast to it, for 10 seconds\n"
    "  skua perf host -R -P 4 -t 30        how fast from it, on 4 streams\n"
    "  skua perf host --bidir -n 1G --json both ways, 1 GiB each; for scripts\n"
    "  skua perf host --rr --msg 64        round trips of small requests\n"
    "  skua perf host --dgram              the same by datagrams\n"
    "  skua perf host --connect -P 16      connections per second\n"
    "\n"
    "Goodput is measured where the bytes are received, from the first to the last. CPU time\n"
    "is that of the whole process. The client takes a server with any key unless\n"
    "--server-key says which.";

void skua_perf_config(struct skua_ev_config *config, const struct skua_perf_plan *plan)
{
    config->endpoint.key = &plan->secret;
    config->endpoint.suites = plan->suites;
    config->endpoint.max_udp_payload = plan->mtu;
    config->no_offload = plan->no_offload;
}

/* --- the plan --- */

static bool parse_suite(const char *name, uint8_t *out)
{
    static const enum skua_suite all[] = {SKUA_SUITE_CHACHA20_POLY1305, SKUA_SUITE_AES_256_GCM,
                                          SKUA_SUITE_AEGIS_128L};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(name, skua_perf_suite_name((uint64_t)all[i])) == 0) {
            *out = (uint8_t)all[i];
            return true;
        }
    }
    return false;
}

static bool parse_controller(const char *name, enum skua_controller *out)
{
    const char *known;
    for (unsigned i = 1; (known = skua_controller_name((enum skua_controller)i)) != NULL; i++) {
        if (strcmp(name, known) == 0) {
            *out = (enum skua_controller)i;
            return true;
        }
    }
    return false;
}

static bool is_loopback(const char *listen)
{
    static const uint8_t v6[16] = {[15] = 1};
    struct skua_addr addr;
    if (skua_ev_addr_parse(&addr, listen) != SKUA_OK) {
        return false;
    }
    return addr.family == SKUA_FAMILY_IPV4 ? addr.ip[0] == 127 : memcmp(addr.ip, v6, 16) == 0;
}

/* What both sides have. NULL, or what is wrong. */
static const char *plan_common(struct skua_perf_plan *plan, const struct skua_perf_args *args)
{
    plan->json = args->json;
    plan->quiet = args->quiet;
    plan->copy = args->copy;
    plan->no_offload = args->no_offload;
    if (args->cipher != NULL && !parse_suite(args->cipher, &plan->suites)) {
        return "--cipher: there are aes-256-gcm, chacha20-poly1305 and aegis-128l";
    }
    if (args->cc != NULL && !parse_controller(args->cc, &plan->controller)) {
        return "--cc: there are newreno and cubic";
    }
    if (args->mtu != UNSET && (args->mtu < MTU_MIN || args->mtu > MTU_MAX)) {
        return "--mtu: 1200 to 65507 bytes";
    }
    if (args->msg == 0 || (args->msg != UNSET && args->msg > SKUA_PERF_EXCHANGE_MAX)) {
        return "--msg: 1 byte to 16M";
    }
    plan->mtu = args->mtu == UNSET ? 0 : (uint16_t)args->mtu;
    plan->chunk = args->msg == UNSET ? (uint32_t)DEFAULT_CHUNK : (uint32_t)args->msg;
    return NULL;
}

static const char *plan_server(struct skua_perf_plan *plan, const struct skua_perf_args *args)
{
    if (args->rr || args->dgram || args->connect || args->reverse || args->bidir ||
        args->server_key != NULL || args->time_ns != UNSET || args->amount != UNSET ||
        args->parallel != UNSET || args->port != UNSET || args->interval_ns != UNSET) {
        return "what to measure is for the client to say";
    }
    if (args->allow != NULL && args->allow_any) {
        return "--allow and --allow-any exclude each other";
    }
    plan->listen = args->listen != NULL ? args->listen : ":7582";
    plan->once = args->once;
    plan->allow_any = args->allow_any || (args->allow == NULL && is_loopback(plan->listen));
    if (!plan->allow_any && args->allow == NULL) {
        return "who may connect? Give --allow FILE, --allow-any, or --listen 127.0.0.1:7582";
    }
    return NULL;
}

/* Streams and amounts, by mode. */
static const char *plan_mode(struct skua_perf_plan *plan, const struct skua_perf_args *args)
{
    const uint64_t streams = args->parallel == UNSET ? 1 : args->parallel;
    if (args->rr + args->dgram + args->connect + args->reverse + args->bidir > 1) {
        return "--rr, --dgram, --connect, --reverse and --bidir exclude each other";
    }
    if (streams == 0 || streams > SKUA_PERF_STREAMS_MAX) {
        return "--parallel: 1 to 128";
    }
    if (args->connect && args->msg != UNSET) {
        return "--msg says nothing with --connect";
    }
    if (args->dgram && args->msg != UNSET &&
        (args->msg < SKUA_PERF_DGRAM_MIN || args->msg > SKUA_PERF_DGRAM_MAX)) {
        return "--msg: 16 to 65507 bytes with --dgram";
    }
    plan->mode = args->rr        ? SKUA_PERF_RR
                 : args->dgram   ? SKUA_PERF_DGRAM
                 : args->connect ? SKUA_PERF_CONNECT
                                 : SKUA_PERF_BULK;
    plan->up = args->reverse ? 0 : (uint16_t)streams;
    plan->down = args->reverse || args->bidir ? (uint16_t)streams : 0;
    if (args->rr || args->dgram) {
        plan->exchange = args->msg == UNSET ? (uint32_t)DEFAULT_EXCHANGE : (uint32_t)args->msg;
    }
    return NULL;
}

static const char *plan_client(struct skua_perf_plan *plan, const struct skua_perf_args *args)
{
    if (args->listen != NULL || args->allow != NULL || args->allow_any || args->once) {
        return "--listen, --allow, --allow-any and --once belong to --server";
    }
    if (args->port != UNSET && (args->port == 0 || args->port > UINT16_MAX)) {
        return "--port: no such port";
    }
    plan->port = args->port == UNSET ? (uint16_t)SKUA_DEFAULT_PORT : (uint16_t)args->port;
    plan->pinned = args->server_key != NULL;
    if (plan->pinned && skua_key_parse(&plan->pin, args->server_key) != SKUA_OK) {
        return "--server-key: not a public key";
    }
    if (args->amount == 0 || args->time_ns == 0) {
        return "nothing to measure in no time";
    }
    if (args->amount != UNSET && args->time_ns != UNSET) {
        return "--time and --number exclude each other";
    }
    plan->amount = args->amount == UNSET ? 0 : args->amount;
    plan->time_ns = args->amount != UNSET    ? SKUA_NEVER
                    : args->time_ns != UNSET ? args->time_ns
                                             : 10 * SKUA_SEC;
    plan->interval_ns = args->interval_ns == UNSET ? SKUA_SEC : args->interval_ns;
    if (plan->interval_ns != 0 && plan->interval_ns < 10 * SKUA_MSEC) {
        return "--interval: 10ms or more";
    }
    return plan_mode(plan, args);
}

static bool load_keys(struct skua_perf_plan *plan, const struct skua_perf_args *args)
{
    struct skua_why why;
    bool ok = true;
    if (args->key != NULL) {
        ok = skua_secret_key_load(&plan->secret, args->key, NULL, &why);
    } else {
        skua_key_generate(&plan->secret, skua_ev_rng());
    }
    if (ok && args->allow != NULL) {
        ok = skua_key_list_load(&plan->allowed, args->allow, NULL, &why);
    }
    if (!ok) {
        (void)fprintf(stderr, "skua perf: %s\n", why.text);
    }
    return ok;
}

static int run(const struct skua_opts *opts, const struct skua_perf_args *args, const char *host)
{
    struct skua_perf_plan plan = {.host = host};
    if (args->server == (host != NULL)) {
        return skua_opts_error(opts, args->server ? "a server takes no HOST"
                                                  : "give a HOST, or --server");
    }
    const char *error = plan_common(&plan, args);
    if (error == NULL) {
        error = args->server ? plan_server(&plan, args) : plan_client(&plan, args);
    }
    if (error != NULL) {
        return skua_opts_error(opts, "%s", error);
    }
    enum skua_exit code = SKUA_EXIT_LOCAL_IO;
    if (skua_start(opts->command) && load_keys(&plan, args)) {
        code = args->server ? skua_perf_server(&plan) : skua_perf_client(&plan);
    }
    skua_key_list_deinit(&plan.allowed);
    skua_wipe(&plan.secret, sizeof plan.secret);
    return (int)code;
}

int skua_cmd_perf(int argc, char **argv)
{
    struct skua_perf_args args = {.port = UNSET,
                                  .time_ns = UNSET,
                                  .amount = UNSET,
                                  .parallel = UNSET,
                                  .msg = UNSET,
                                  .mtu = UNSET,
                                  .interval_ns = UNSET};
    const struct skua_opt table[] = {
#define SKUA_PERF_OPTION(kind, target, member, name, letter, arg, help)                            \
    {name, letter, SKUA_OPT_##kind, arg, help, {.target = &args.member}},
#include "perf_options.def"
#undef SKUA_PERF_OPTION
    };
    const struct skua_opts opts = {
        .command = "perf",
        .synopsis = "HOST [options] | skua perf --server [options]",
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
    return run(&opts, &args, operands == 1 ? argv[1] : NULL);
}
