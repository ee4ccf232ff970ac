/* Watermarks and allowances: see admission.h. */
#include "endpoint/admission.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/time.h"

/* What may come at once: as much as is allowed in this time. Handshakes: some 25 ms of a processor
 * with the default, which a socket's buffer bridges at 100,000 SYNs per second. Networks: long
 * enough for a client that opens 10,000 connections in one go. */
#define BURST_NS        (SKUA_SEC / 8)
#define PREFIX_BURST_NS (8 * SKUA_SEC)
#define ANSWER_BURST_NS (SKUA_SEC / 4)

static void set(struct skua_admission *a, const struct skua_listen_config *config,
                uint32_t syn_backlog)
{
    uint32_t all = config->retry_handshakes;
    uint32_t one = config->prefix_handshakes;
    a->handshake_ns = SKUA_SEC / (all != 0 ? all : SKUA_LIMIT_RETRY_HANDSHAKES_DEFAULT);
    a->prefix_ns = SKUA_SEC / (one != 0 ? one : SKUA_LIMIT_PREFIX_HANDSHAKES_DEFAULT);
    a->half_open = config->retry_half_open != 0 ? config->retry_half_open : (syn_backlog + 1) / 2;
    a->retry = config->retry;
}

void skua_admission_init(struct skua_admission *a, const struct skua_secret_key *identity)
{
    static const struct skua_listen_config defaults = SKUA_LISTEN_CONFIG_INIT;
    skua_tokens_init(&a->tokens, identity);
    set(a, &defaults, SKUA_LIMIT_SYN_BACKLOG_DEFAULT);
}

void skua_admission_deinit(struct skua_admission *a, struct skua_heap *heap)
{
    skua_admission_stop(a, heap);
    skua_tokens_wipe(&a->tokens);
}

enum skua_err skua_admission_start(struct skua_admission *a, struct skua_heap *heap,
                                   const struct skua_listen_config *config, uint32_t syn_backlog,
                                   const uint8_t hash_key[SKUA_PREFIX_KEY_LEN])
{
    a->prefixes = skua_heap_get(heap, sizeof *a->prefixes);
    if (a->prefixes == NULL) {
        return SKUA_ENOMEM;
    }
    skua_prefixes_init(a->prefixes, hash_key);
    set(a, config, syn_backlog);
    return SKUA_OK;
}

void skua_admission_stop(struct skua_admission *a, struct skua_heap *heap)
{
    if (a->prefixes != NULL) {
        skua_wipe(a->prefixes, sizeof *a->prefixes); /* the endpoint's hash key */
        skua_heap_put(heap, a->prefixes, sizeof *a->prefixes);
        a->prefixes = NULL;
    }
}

bool skua_admission_pressed(const struct skua_admission *a, size_t half_open, skua_time now)
{
    return half_open >= a->half_open || !skua_rate_allows(&a->handshakes, now);
}

bool skua_admission_wants_proof(const struct skua_admission *a, bool pressed)
{
    switch (a->retry) {
    case SKUA_RETRY_NEVER:
        return false;
    case SKUA_RETRY_UNDER_PRESSURE:
        return pressed;
    case SKUA_RETRY_ALWAYS:
        break;
    }
    return true;
}

bool skua_admission_take(struct skua_admission *a, const struct skua_addr *remote, bool pressed,
                         skua_time now)
{
    if (pressed && a->prefixes != NULL &&
        !skua_prefixes_take(a->prefixes, remote, a->prefix_ns, PREFIX_BURST_NS, now)) {
        return false;
    }
    skua_rate_charge(&a->handshakes, a->handshake_ns, BURST_NS, now);
    return true;
}

bool skua_admission_may_answer(struct skua_admission *a, enum skua_answer_kind kind, skua_time now)
{
    static const skua_time cost[SKUA_ANSWER_KINDS] = {
        [SKUA_ANSWER_RETRY] = SKUA_SEC / SKUA_LIMIT_RETRIES_PER_SECOND,
        [SKUA_ANSWER_REFUSAL] = SKUA_SEC / SKUA_LIMIT_REFUSALS_PER_SECOND,
    };
    return skua_rate_take(&a->answers[kind], cost[kind], ANSWER_BURST_NS, now);
}
