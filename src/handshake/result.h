/* What a finished handshake leaves behind, for either side. */
#ifndef SKUA_HANDSHAKE_RESULT_H
#define SKUA_HANDSHAKE_RESULT_H

#include <stdint.h>

#include <skua/skua.h>

#include "crypto/kdf.h"
#include "wire/params.h"

/* Secret: skua_handshake_result_wipe when it has been taken over. */
struct skua_handshake_result {
    struct skua_secret to_responder; /* Split(): for skua_keys_init */
    struct skua_secret to_initiator; /* the same, other direction */
    struct skua_secret exporter;     /* for skua_export */
    struct skua_key peer_key;        /* the peer's static key */
    struct skua_transport_params
        peer;            /* what the peer asks for; defaults where `code` is PARAMETER */
    bool early;          /* the peer's early_data: see wire/params.h */
    enum skua_code code; /* NO_ERROR, or why the connection must be reset at once: PARAMETER,
                            DOWNGRADE, LABEL */
    uint8_t suite;       /* enum skua_suite */
    uint8_t reset_token[SKUA_PARAM_TOKEN_LEN]; /* of the peer's id; zeros: none */
};

static inline void skua_handshake_result_wipe(struct skua_handshake_result *result)
{
    skua_wipe(result, sizeof *result);
}

#endif
