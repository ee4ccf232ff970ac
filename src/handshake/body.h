/* What the Noise messages of the handshake carry, and what both sides hash before the first of them
 * (docs/protocol.md, "Handshake"). Private to handshake/. */
#ifndef SKUA_HANDSHAKE_BODY_H
#define SKUA_HANDSHAKE_BODY_H

#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/cursor.h"
#include "crypto/noise.h"
#include "handshake/early.h"
#include "handshake/result.h"
#include "wire/header.h"

/* "skua", version, pattern, flags and two ids of the SYN. */
enum { SKUA_PROLOGUE_CAP = 4 + 4 + 1 + 1 + 2 * (1 + SKUA_LIMIT_ID_MAX) };

void skua_prologue_write(struct skua_writer *w, enum skua_pattern pattern, uint8_t flags,
                         const struct skua_id *dcid, const struct skua_id *scid);

/* True for IK and IKpsk2: two messages, the client's parameters in the first. */
static inline bool skua_pattern_is_ik(enum skua_pattern pattern)
{
    return pattern == SKUA_PATTERN_IK || pattern == SKUA_PATTERN_IKPSK2;
}

/* Payload of message 1: what the client offers. */
struct skua_offer {
    uint8_t suites;                       /* bit set of enum skua_suite */
    uint8_t version_count;                /* entries of `versions` */
    uint32_t versions[SKUA_VERSIONS_MAX]; /* by the client's preference; further ones left out */
    const uint8_t *params;                /* IK: the client's parameters, in the payload */
    uint16_t params_len;                  /* bytes of them; 0 in XX */
    struct skua_early_data early;         /* IK: token_len 0 = none */
};

void skua_offer_write(struct skua_writer *w, const struct skua_offer *offer);

/* False where it is cut off, lists no version, or has parameters that only IK (`ik`) sends here.
 * What follows is padding. */
bool skua_offer_read(const uint8_t *data, size_t len, bool ik, struct skua_offer *offer);

/* The versions that this implementation speaks, by preference, and how many. */
extern const uint32_t skua_own_versions[];
extern const size_t skua_own_version_count;

/* The version that a client listing `client` and a server listing `server` must meet in: the
 * client's first that the server has too; 0 where there is none. */
uint32_t skua_versions_meet(const uint32_t *client, size_t client_count, const uint32_t *server,
                            size_t server_count);

/* Secrets, peer key and suite of a handshake whose messages are through. */
void skua_result_fill(struct skua_handshake_result *result, const struct skua_noise *noise,
                      uint8_t suite);

#endif
