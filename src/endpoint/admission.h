/* Who may have a handshake: what is asked of a SYN before anything is computed or kept for it.
 *
 * Over a watermark, of half-open entries or of handshakes per second, a SYN must bring a token, by
 * which its sender proves that it receives what is sent to its address (RFC 9000 §8.1). One without
 * is answered by RETRY, for which nothing is kept, nothing allocated and nothing multiplied. Those
 * with one are limited per network, so that one network cannot use up all handshakes; without
 * pressure nobody is. */
#ifndef SKUA_ENDPOINT_ADMISSION_H
#define SKUA_ENDPOINT_ADMISSION_H

#include <skua/skua.h>

#include "base/rate.h"
#include "crypto/token.h"
#include "endpoint/prefixes.h"

struct skua_heap;

/* Kinds of answers that keep no state, by what bounds them. */
enum skua_answer_kind { SKUA_ANSWER_RETRY, SKUA_ANSWER_REFUSAL, SKUA_ANSWER_KINDS };

struct skua_admission {
    struct skua_tokens tokens;      /* secret */
    struct skua_rate handshakes;    /* begun lately, against the watermark */
    skua_time handshake_ns;         /* what one of them takes of a second, at the watermark */
    uint32_t half_open;             /* watermark: entries */
    enum skua_retry_mode retry;     /* when addresses must be proven */
    struct skua_prefixes *prefixes; /* handshakes by network; NULL while not listening */
    skua_time prefix_ns;            /* what one of them takes of its network's second */
    struct skua_rate answers[SKUA_ANSWER_KINDS]; /* answers without state given lately */
};

/* As a listener with defaults, but for the limits per network: for rendezvous, which need none. */
void skua_admission_init(struct skua_admission *a, const struct skua_secret_key *identity);
void skua_admission_deinit(struct skua_admission *a, struct skua_heap *heap);
/* Takes over what a listener's `config` says; `syn_backlog` is the room for half-open entries,
 * `hash_key` keys the table of networks. SKUA_ENOMEM: nothing has changed. */
enum skua_err skua_admission_start(struct skua_admission *a, struct skua_heap *heap,
                                   const struct skua_listen_config *config, uint32_t syn_backlog,
                                   const uint8_t hash_key[SKUA_PREFIX_KEY_LEN]);
/* Nobody listens any more. */
void skua_admission_stop(struct skua_admission *a, struct skua_heap *heap);

/* Is a watermark passed, with so many half-open entries? */
bool skua_admission_pressed(const struct skua_admission *a, size_t half_open, skua_time now);
/* Must a SYN prove its address now? */
bool skua_admission_wants_proof(const struct skua_admission *a, bool pressed);
/* A handshake with `remote` is to begin: whether its network may have it. */
bool skua_admission_take(struct skua_admission *a, const struct skua_addr *remote, bool pressed,
                         skua_time now);
/* An answer of this kind is to be given: whether it may be. */
bool skua_admission_may_answer(struct skua_admission *a, enum skua_answer_kind kind, skua_time now);

#endif
