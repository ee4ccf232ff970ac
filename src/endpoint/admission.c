/* Watermarks: see admission.h. */
#include "endpoint/admission.h"

#include "base/limits.h"
#include "base/time.h"

/* Handshakes may come in bursts of as many as are allowed in this time. */
#define BURST_NS SKUA_SEC

void skua_admission_init(struct skua_admission *a, const struct skua_secret_key *identity)
{
    skua_tokens_init(&a->tokens, identity);
}

void skua_admission_deinit(struct skua_admission *a)
{
    skua_tokens_wipe(&a->tokens);
}

void skua_admission_set(struct skua_admission *a, const struct skua_listen_config *config,
                        uint32_t syn_backlog)
{
    uint32_t rate = config->retry_handshakes;
    a->handshake_ns = SKUA_SEC / (rate != 0 ? rate : SKUA_LIMIT_RETRY_HANDSHAKES_DEFAULT);
    a->half_open = config->retry_half_open != 0 ? config->retry_half_open : syn_backlog / 2;
    a->retry = config->retry;
}

/* Is one of the watermarks passed? */
static bool under_pressure(const struct skua_admission *a, size_t half_open, skua_time now)
{
    return half_open >= a->half_open || !skua_rate_allows(&a->handshakes, now);
}

bool skua_admission_wants_proof(const struct skua_admission *a, size_t half_open, skua_time now)
{
    switch (a->retry) {
    case SKUA_RETRY_NEVER:
        return false;
    case SKUA_RETRY_UNDER_PRESSURE:
        return under_pressure(a, half_open, now);
    case SKUA_RETRY_ALWAYS:
        break;
    }
    return true;
}

void skua_admission_on_handshake(struct skua_admission *a, skua_time now)
{
    skua_rate_charge(&a->handshakes, a->handshake_ns, BURST_NS, now);
}
