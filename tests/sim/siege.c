/* See siege.h. */
#include "siege.h"

#include <string.h>

#include "base/time.h"
#include "base/verdict.h"

/* Payload that IPv6's least MTU leaves: docs/protocol.md, "SYN". */
enum { PATH_MIN = 1200, PATH_MIN_WITH_TOKEN = 1232 };

static void draw_flood(struct sim_siege *siege, struct sim_rng *rng)
{
    siege->flood_count = sim_rng_log(rng, 50, 2000);
    siege->flood_rate = sim_rng_log(rng, 1000, 100000);
    siege->flood.one_network = sim_rng_chance(rng, 500000);
    siege->shuts_out = siege->shuts_out || siege->retry == SKUA_RETRY_NEVER;
}

/* A SYN that seems to have moved is answered by RETRY in every mode. */
static void draw_early(struct sim_siege *siege, struct sim_rng *rng)
{
    siege->early = true;
    siege->least_mtu = PATH_MIN_WITH_TOKEN;
    siege->early_window =
        sim_rng_chance(rng, 500000) ? sim_rng_log(rng, SKUA_MSEC, 60 * SKUA_SEC) : 0;
    siege->early_backlog = sim_rng_chance(rng, 300000) ? (uint32_t)sim_rng_between(rng, 1, 3) : 0;
}

void sim_siege_draw(struct sim_siege *siege, struct sim_rng *rng)
{
    siege->least_mtu = PATH_MIN;
    if (sim_rng_chance(rng, 400000)) {
        draw_early(siege, rng);
    }
    siege->abort_on_overflow = sim_rng_chance(rng, 150000);
    siege->backlog = siege->abort_on_overflow || sim_rng_chance(rng, 200000) ? 1 : 0;
    siege->bans = sim_rng_chance(rng, 30000);
    if (sim_rng_chance(rng, 600000)) {
        return;
    }
    static const enum skua_retry_mode modes[] = {SKUA_RETRY_ALWAYS, SKUA_RETRY_UNDER_PRESSURE,
                                                 SKUA_RETRY_UNDER_PRESSURE, SKUA_RETRY_NEVER};
    siege->retry = modes[sim_rng_below(rng, 4)];
    siege->syn_backlog = 64;
    siege->retry_half_open = (uint32_t)sim_rng_log(rng, 1, 32);
    siege->retry_handshakes = (uint32_t)sim_rng_log(rng, 1, 20);
    if (siege->retry != SKUA_RETRY_NEVER) {
        siege->least_mtu = PATH_MIN_WITH_TOKEN;
    }
    if (sim_rng_chance(rng, 200000)) {
        siege->syn_backlog = (uint32_t)sim_rng_between(rng, 1, 3);
        siege->shuts_out = true;
    }
    if (sim_rng_chance(rng, 300000)) {
        siege->prefix_handshakes = (uint32_t)sim_rng_between(rng, 1, 8);
    }
    if (sim_rng_chance(rng, 400000)) {
        draw_flood(siege, rng);
    }
}

static bool allow(void *user, const struct skua_key *key, const struct skua_path *path)
{
    const struct sim_siege *siege = user;
    (void)path;
    return !siege->bans || memcmp(key, &siege->banned, sizeof *key) != 0;
}

void sim_siege_listen(struct sim_siege *siege, struct skua_listen_config *config)
{
    config->backlog = siege->backlog;
    config->abort_on_overflow = siege->abort_on_overflow;
    config->retry = siege->retry;
    config->syn_backlog = siege->syn_backlog;
    config->retry_half_open = siege->retry_half_open;
    config->retry_handshakes = siege->retry_handshakes;
    config->prefix_handshakes = siege->prefix_handshakes;
    config->early_data = siege->early;
    config->early_window_ns = siege->early_window;
    config->early_backlog = siege->early_backlog;
    config->allow = allow;
    config->allow_user = siege;
}

void sim_siege_start(struct sim_siege *siege, struct sim_host *server)
{
    if (siege->flood_count != 0) {
        sim_flood_start(&siege->flood, server, siege->flood_rate, siege->flood_count);
        server->world->counts[SIM_COUNT_FLOOD]++;
    }
}

void sim_siege_count(const struct sim_host *server, uint64_t *counts)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(server->ep, &stats);
    const uint64_t *verdicts = stats.verdicts;
    counts[SIM_COUNT_SYN_RETRY] += verdicts[SKUA_VERDICT_SYN_RETRY];
    counts[SIM_COUNT_SYN_BAD_TOKEN] += verdicts[SKUA_VERDICT_SYN_BAD_TOKEN];
    counts[SIM_COUNT_SYN_PREFIX] += verdicts[SKUA_VERDICT_SYN_PREFIX];
    counts[SIM_COUNT_SYN_QUEUE_FULL] += verdicts[SKUA_VERDICT_SYN_QUEUE_FULL];
    counts[SIM_COUNT_ACCEPT_QUEUE_FULL] += verdicts[SKUA_VERDICT_ACCEPT_QUEUE_FULL];
    counts[SIM_COUNT_ACCEPT_OVERFLOW] += verdicts[SKUA_VERDICT_ACCEPT_OVERFLOW];
    counts[SIM_COUNT_TAKEN_BACK] += verdicts[SKUA_VERDICT_SYN_CANCELLED];
    counts[SIM_COUNT_EARLY_COPY] += verdicts[SKUA_VERDICT_SYN_REPLAYED];
    counts[SIM_COUNT_KEY_REFUSED] += verdicts[SKUA_VERDICT_KEY_REFUSED];
}
