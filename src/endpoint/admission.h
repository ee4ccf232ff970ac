/* Who may have a handshake: what is asked of a SYN before anything is computed or kept for it.
 *
 * Over a watermark, of half-open entries or of handshakes per second, a SYN must bring a token, by
 * which its sender proves that it receives what is sent to its address (RFC 9000 §8.1). One without
 * is answered by RETRY, for which nothing is kept, nothing allocated and nothing multiplied. */
#ifndef SKUA_ENDPOINT_ADMISSION_H
#define SKUA_ENDPOINT_ADMISSION_H

#include <skua/skua.h>

#include "base/rate.h"
#include "crypto/token.h"

struct skua_admission {
    struct skua_tokens tokens;   /* secret */
    struct skua_rate handshakes; /* begun lately, against the watermark */
    skua_time handshake_ns;      /* what one of them takes of a second, at the watermark */
    uint32_t half_open;          /* watermark: entries */
    enum skua_retry_mode retry;  /* when addresses must be proven */
};

void skua_admission_init(struct skua_admission *a, const struct skua_secret_key *identity);
void skua_admission_deinit(struct skua_admission *a);
/* Takes over what a listener's `config` says; `syn_backlog` is the room for half-open entries. */
void skua_admission_set(struct skua_admission *a, const struct skua_listen_config *config,
                        uint32_t syn_backlog);

/* Must a SYN prove its address now, with so many half-open entries? */
bool skua_admission_wants_proof(const struct skua_admission *a, size_t half_open, skua_time now);
/* A handshake begins. */
void skua_admission_on_handshake(struct skua_admission *a, skua_time now);

#endif
