/* The public functions on an endpoint: life, listening, statistics. */
#include "endpoint/endpoint.h"

#include <string.h>

#include "base/limits.h"
#include "base/rng.h"
#include "base/time.h"
#include "crypto/reset.h"
#include "crypto/suite.h"

/* Blocks of stream buffers kept for reuse while nobody needs them: 1 MiB. */
enum { BLOCKS_KEPT = 256 };

/* A token for early data is good for at most so long. */
#define EARLY_WINDOW_MAX_NS (86400 * SKUA_SEC)

/* Repeats of a SYN_ACK in a rendezvous, before a listener says otherwise. */
enum { SYN_RETRIES_DEFAULT = 5 };

static enum skua_err check_config(const struct skua_config *config)
{
    if (config == NULL || config->size != sizeof *config || config->key == NULL ||
        config->rng == NULL || config->rng->fill == NULL) {
        return SKUA_EINVAL;
    }
    uint16_t payload = config->max_udp_payload;
    if (payload != 0 && (payload < SKUA_LIMIT_UDP_MIN || payload > SKUA_LIMIT_UDP_MAX)) {
        return SKUA_EINVAL;
    }
    return config->max_conns < UINT32_C(1) << 28 ? SKUA_OK : SKUA_EINVAL;
}

static void init_env(struct skua_env *env, const struct skua_config *config)
{
    env->rng = *config->rng;
    if (config->trace != NULL) {
        env->trace = *config->trace;
    }
    skua_keypair_init(&env->identity, config->key);
    if (config->reset_key != NULL) {
        memcpy(env->reset_key.bytes, config->reset_key, sizeof env->reset_key.bytes);
    } else {
        skua_reset_key_derive(&env->reset_key, config->key);
    }
    skua_blocks_init(&env->blocks, &env->heap, SKUA_STREAM_BLOCK, BLOCKS_KEPT);
    skua_rng_fill(&env->rng, env->hash_key, sizeof env->hash_key);
    env->max_udp_payload =
        config->max_udp_payload != 0 ? config->max_udp_payload : SKUA_LIMIT_UDP_MAX;
    uint8_t available = skua_suites_available();
    env->suites = config->suites != 0 ? config->suites & available : available;
    skua_nummap_init(&env->tokens, &env->heap, env->hash_key);
    skua_list_init(&env->out.dirty);
    skua_list_init(&env->out.events);
    skua_list_init(&env->loans);
}

static void init_tables(struct skua_endpoint *ep, const struct skua_config *config)
{
    struct skua_heap *heap = &ep->env.heap;
    ep->max_conns = config->max_conns != 0 ? config->max_conns : SKUA_LIMIT_CONNS_DEFAULT;
    skua_aead_cache_init(&ep->cache, heap);
    ep->env.cache = &ep->cache;
    skua_handles_init(&ep->handles, heap, INT32_MAX);
    skua_nummap_init(&ep->by_id, heap, ep->env.hash_key);
    skua_nummap_init(&ep->by_token, heap, ep->env.hash_key);
    skua_idmap_init(&ep->meetings, heap, ep->env.hash_key, SKUA_MEETING_KEY_LEN);
    skua_timers_init(&ep->timers, heap);
    skua_admission_init(&ep->admission, config->key);
    skua_syn_queue_init(&ep->syns, heap, ep->env.hash_key);
    skua_rng_fill(&ep->env.rng, ep->syns.key, sizeof ep->syns.key);
    ep->syns.backlog = SKUA_LIMIT_SYN_BACKLOG_DEFAULT;
    ep->syns.retries = SYN_RETRIES_DEFAULT;
    skua_time_wait_init(&ep->time_wait, heap, ep->env.hash_key);
    skua_list_init(&ep->conns);
    skua_list_init(&ep->ready);
    skua_list_init(&ep->untimed);
}

enum skua_err skua_endpoint_new(struct skua_endpoint **out, const struct skua_config *config)
{
    if (out == NULL) {
        return SKUA_EINVAL;
    }
    *out = NULL;
    enum skua_err err = check_config(config);
    if (err != SKUA_OK || (err = skua_init()) != SKUA_OK) {
        return err;
    }
    struct skua_heap heap;
    skua_heap_init(&heap, config->alloc);
    struct skua_endpoint *ep = skua_heap_get(&heap, sizeof *ep);
    if (ep == NULL) {
        return SKUA_ENOMEM;
    }
    ep->env.heap = heap;
    init_env(&ep->env, config);
    init_tables(ep, config);
    if (ep->env.suites == 0) {
        skua_endpoint_free(ep);
        return SKUA_EINVAL;
    }
    *out = ep;
    return SKUA_OK;
}

void skua_endpoint_free(struct skua_endpoint *ep)
{
    if (ep == NULL) {
        return;
    }
    struct skua_node *node;
    while ((node = skua_list_pop_front(&ep->conns)) != NULL) {
        struct skua_connection *c = SKUA_CONTAINER_OF(node, struct skua_connection, all_link);
        skua_timers_cancel(&ep->timers, &c->timer);
        skua_connection_free(c);
    }
    skua_nummap_deinit(&ep->env.tokens);
    skua_early_free(ep->early);
    skua_settings_drop(&ep->env.heap, ep->accept_settings);
    skua_time_wait_deinit(&ep->time_wait);
    skua_syn_queue_deinit(&ep->syns);
    skua_admission_deinit(&ep->admission, &ep->env.heap);
    skua_timers_deinit(&ep->timers);
    skua_nummap_deinit(&ep->by_token);
    skua_nummap_deinit(&ep->by_id);
    skua_idmap_deinit(&ep->meetings);
    skua_handles_deinit(&ep->handles);
    skua_blocks_deinit(&ep->env.blocks);
    skua_aead_cache_deinit(&ep->cache);
    struct skua_heap heap = ep->env.heap;
    skua_wipe(ep, sizeof *ep);
    skua_heap_put(&heap, ep, sizeof *ep);
    SKUA_ASSERT(heap.used == 0); /* everything came back */
}

const struct skua_key *skua_endpoint_key(const struct skua_endpoint *ep)
{
    return &ep->env.identity.public_key;
}

static enum skua_err start_early(struct skua_endpoint *ep, const struct skua_listen_config *c,
                                 uint32_t syn_backlog)
{
    if (!c->early_data) {
        return SKUA_OK;
    }
    ep->early = skua_early_new(&ep->env.heap, c, syn_backlog, &ep->env.rng, ep->env.hash_key);
    ep->env.early = ep->early != NULL ? &ep->early->key : NULL;
    return ep->early != NULL ? SKUA_OK : SKUA_ENOMEM;
}

/* Lets go of what only a listener has. */
static void stop_listening(struct skua_endpoint *ep)
{
    skua_early_free(ep->early);
    ep->early = NULL;
    ep->env.early = NULL;
    skua_admission_stop(&ep->admission, &ep->env.heap);
    skua_settings_drop(&ep->env.heap, ep->accept_settings);
    ep->accept_settings = NULL;
}

enum skua_err skua_endpoint_listen(struct skua_endpoint *ep,
                                   const struct skua_listen_config *config)
{
    static const struct skua_listen_config defaults = SKUA_LISTEN_CONFIG_INIT;
    const struct skua_listen_config *c = config != NULL ? config : &defaults;
    if (c->size != sizeof *c || (unsigned)c->retry > SKUA_RETRY_ALWAYS ||
        c->early_window_ns > EARLY_WINDOW_MAX_NS || (c->early_data && c->conn.psk != NULL)) {
        return SKUA_EINVAL;
    }
    if (ep->listening) {
        return SKUA_ESTATE;
    }
    struct skua_settings settings;
    enum skua_err err = skua_settings_resolve(&settings, &c->conn);
    if (err != SKUA_OK) {
        return err;
    }
    struct skua_heap *heap = &ep->env.heap;
    uint32_t syn_backlog = c->syn_backlog != 0 ? c->syn_backlog : SKUA_LIMIT_SYN_BACKLOG_DEFAULT;
    ep->accept_settings = skua_settings_share(heap, &settings, NULL);
    skua_wipe(&settings, sizeof settings);
    if (ep->accept_settings == NULL ||
        skua_admission_start(&ep->admission, heap, c, syn_backlog, ep->env.hash_key) != SKUA_OK ||
        start_early(ep, c, syn_backlog) != SKUA_OK) {
        stop_listening(ep);
        return SKUA_ENOMEM;
    }
    ep->accept_user = c->conn.user;
    ep->backlog = c->backlog != 0 ? c->backlog : SKUA_LIMIT_BACKLOG_DEFAULT;
    ep->abort_on_overflow = c->abort_on_overflow;
    ep->allow = c->allow;
    ep->allow_user = c->allow_user;
    ep->syns.backlog = syn_backlog;
    ep->syns.retries = ep->accept_settings->syn_retries;
    ep->listening = true;
    ep->served = true;
    return SKUA_OK;
}

enum skua_err skua_endpoint_unlisten(struct skua_endpoint *ep)
{
    if (!ep->listening) {
        return SKUA_ESTATE;
    }
    ep->listening = false;
    skua_syn_queue_clear(&ep->syns);
    stop_listening(ep);
    struct skua_node *node = skua_list_first(&ep->conns);
    while (node != NULL) {
        struct skua_connection *c = SKUA_CONTAINER_OF(node, struct skua_connection, all_link);
        node = skua_list_next(&ep->conns, node);
        if (!c->accepted && c->handle != 0) {
            skua_outbox_disown(ep, c);
            skua_connection_abort(c, false, SKUA_CODE_REFUSED, "");
        }
    }
    return SKUA_OK;
}

void skua_endpoint_stats(const struct skua_endpoint *ep, struct skua_endpoint_stats *out)
{
    *out = (struct skua_endpoint_stats){
        .conns = ep->conn_count,
        .half_open = skua_syn_queue_count(&ep->syns),
        .accept_queue = ep->accept_queue,
        .time_wait = skua_time_wait_count(&ep->time_wait),
        .memory = ep->env.heap.used,
        .memory_peak = ep->env.heap.peak,
        .datagrams_received = ep->datagrams_received,
        .bytes_received = ep->bytes_received,
        .datagrams_sent = ep->datagrams_sent,
        .bytes_sent = ep->bytes_sent,
    };
    memcpy(out->verdicts, ep->verdicts, sizeof ep->verdicts);
}
