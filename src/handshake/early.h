/* Early data: what message 1 of IK may carry behind the client's parameters (docs/protocol.md,
 * "Early data"). Both halves of the handshake carry it; neither knows what it means. */
#ifndef SKUA_HANDSHAKE_EARLY_H
#define SKUA_HANDSHAKE_EARLY_H

#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/limits.h"

/* Bytes for token and frames together that any SYN has room for. */
enum { SKUA_EARLY_ROOM = SKUA_LIMIT_UDP_MIN - 39 - 5 - 96 - 8 - SKUA_LIMIT_PARAMS_MAX - 2 };

/* Repeats of a SYN with early data, and of the SYN_ACK that takes them, whatever syn_retries says:
 * servers remember for so long that they did. */
enum { SKUA_EARLY_RETRIES_MAX = 5 };

static inline uint32_t skua_early_retries_of(uint32_t syn_retries)
{
    return syn_retries < SKUA_EARLY_RETRIES_MAX ? syn_retries : SKUA_EARLY_RETRIES_MAX;
}

struct skua_early_data {
    const uint8_t *token;  /* given by the server in an earlier connection */
    const uint8_t *frames; /* for what comes first */
    size_t token_len;      /* 1 to SKUA_LIMIT_TOKEN_MAX */
    size_t frames_len;     /* to the end of the payload: padding counts */
};

/* What a server makes of it. */
enum skua_early_fate {
    SKUA_EARLY_REJECTED, /* the handshake goes on without it; the client sends the frames again */
    SKUA_EARLY_TAKEN,    /* its frames count; the client is told so */
    SKUA_EARLY_REPLAYED  /* this very SYN's frames were taken before: it has one */
};

/* Who decides, when a SYN has authenticated as `client`'s and can be answered. */
struct skua_early_judge {
    enum skua_early_fate (*judge)(void *user, const struct skua_key *client,
                                  const struct skua_early_data *early);
    void *user; /* for `judge` */
};

#endif
