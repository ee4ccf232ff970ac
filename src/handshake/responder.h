/* The server's half of the handshake as a value small enough for a half-open entry.
 *
 * A SYN is answered in one step: message 1 is read, a suite chosen, the SYN_ACK written, and what
 * the third packet will need is squeezed into struct skua_responder. The caller stores both and
 * answers repeats with the same bytes.
 *
 * XX: the third packet brings message 3; skua_responder_on_confirm works on a scratch copy, and the
 * caller commits only when the sealed frames behind it opened under the resulting keys. IK: there
 * is no message 3; the result is available at once (skua_responder_result), and the first DATA
 * packet that opens is the third packet.
 *
 * struct skua_responder is secret: skua_wipe. */
#ifndef SKUA_HANDSHAKE_RESPONDER_H
#define SKUA_HANDSHAKE_RESPONDER_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/verdict.h"
#include "crypto/keypair.h"
#include "crypto/noise.h"
#include "crypto/tag.h"
#include "handshake/early.h"
#include "handshake/result.h"
#include "wire/header.h"
#include "wire/params.h"

/* What a listener brings into each handshake. Borrowed for each call; `local` and `psk` must be the
 * same in all calls for one handshake. */
struct skua_responder_config {
    const struct skua_keypair *local; /* own identity */
    const uint8_t *psk;               /* SKUA_PSK_LEN bytes: only psk patterns; NULL: only those
                                         without */
    const char *label;                /* application label a client must name; NULL = "" */
    const struct skua_transport_params *params; /* to announce */
    const struct skua_rng *rng;                 /* for the ephemeral key and grease */
    const struct skua_secret *reset_key;  /* makes the id's reset token; NULL = none is sent */
    uint8_t suites;                       /* bit set of enum skua_suite allowed */
    const struct skua_early_judge *early; /* decides on early data; NULL: none is taken */
};

/* Between SYN_ACK and third packet. */
struct skua_responder {
    uint8_t ck[SKUA_HASH_LEN]; /* Noise chaining key */
    uint8_t h[SKUA_HASH_LEN];  /* Noise transcript hash */
    uint8_t x[SKUA_HASH_LEN];  /* XX: Noise cipher key; IK: the client's static key */
    union {
        uint8_t e[SKUA_KEY_LEN];           /* XX: own ephemeral secret */
        struct skua_transport_params peer; /* IK: the client's parameters */
    };
    uint16_t code;     /* IK: as skua_handshake_result.code */
    uint8_t n;         /* Noise: messages sealed under the cipher key */
    uint8_t pattern;   /* enum skua_pattern */
    uint8_t suite;     /* the chosen one */
    bool early;        /* IK: the SYN's early data were taken */
    bool wants_tokens; /* IK: the client asked for tokens */
};
SKUA_STATIC_ASSERT(sizeof(struct skua_responder) <= 168, "part of a half-open entry");

enum {
    /* The longest SYN_ACK: header, `e`, sealed static key, sealed suite and parameters. */
    SKUA_SYN_ACK_CAP = SKUA_LONG_HEADER_MAX + 32 + (32 + 16) + 1 + SKUA_LIMIT_PARAMS_MAX + 16
};
SKUA_STATIC_ASSERT(SKUA_SYN_ACK_CAP <= 248, "stored in a half-open entry");

/* Recognises a repeat of a SYN before any multiplication, and a client that takes it back: a keyed
 * hash of the path that it came along and of the SYN's digest (refuse.h). A damaged copy of a SYN
 * is not a repeat of it: its answer would never authenticate. Nor is a copy that came to another of
 * our addresses, where it would be answered from: the client hears only the one that it called.
 * `key` is the endpoint's own secret. */
void skua_syn_fingerprint(uint8_t out[SKUA_TAG_LEN], const uint8_t key[SKUA_FINGERPRINT_KEY_LEN],
                          const struct skua_path *path, const uint8_t digest[SKUA_TAG_LEN]);

/* Answers a SYN: fills `responder` and writes the SYN_ACK (at most SKUA_SYN_ACK_CAP bytes), in
 * which `id` (8 to 16 bytes) is the server's name for the connection.
 *   OK           answered
 *   SYN_PATTERN  unknown pattern, or with psk where none is configured, or the reverse
 *   SYN_SUITE    no common suite
 *   SYN_BAD      does not parse or authenticate
 *   SYN_REPLAYED its early data were taken before
 * Where it is not OK nothing was written and `responder` is wiped. */
enum skua_verdict skua_responder_on_syn(struct skua_responder *responder,
                                        const struct skua_responder_config *config,
                                        const struct skua_head *head, const struct skua_syn *syn,
                                        const struct skua_id *id, struct skua_writer *syn_ack);

/* True for IK: no message 3 comes, skua_responder_result has everything. */
static inline bool skua_responder_complete(const struct skua_responder *responder)
{
    return responder->pattern == SKUA_PATTERN_IK || responder->pattern == SKUA_PATTERN_IKPSK2;
}

/* IK only: what the handshake came to, not yet proven by the client. OK, or PROTOCOL with a code in
 * `result`: the connection is to be reset. */
enum skua_verdict skua_responder_result(const struct skua_responder *responder,
                                        const struct skua_responder_config *config,
                                        struct skua_handshake_result *result);

/* XX: takes message 3 of a CONFIRM; the responder is not changed. OK; PROTOCOL with a code in
 * `result`, which is otherwise as for OK; CONFIRM_BAD for anything that does not authenticate (and
 * for a CONFIRM that belongs to no XX handshake): `result` is then wiped. */
enum skua_verdict skua_responder_on_confirm(const struct skua_responder *responder,
                                            const struct skua_responder_config *config,
                                            const struct skua_confirm *confirm,
                                            struct skua_handshake_result *result);

#endif
