/* The client's half of the handshake as a value: it makes the SYN, takes the SYN_ACK and leaves
 * message 3 and the transport secrets.
 *
 * The SYN is made once; every repeat sends the same bytes, and after a RETRY the same with a token
 * put in, which is in neither prologue nor fingerprint. Answers are tried on a scratch copy of
 * the Noise state: whatever does not authenticate, or shows a key that is not trusted, changes
 * nothing, and the next answer has the same chance. Message 3 is computed once, when an answer is
 * accepted, and stands in every CONFIRM.
 *
 * The struct is secret: skua_initiator_wipe. It may be dropped when the server has answered under
 * the transport keys. */
#ifndef SKUA_HANDSHAKE_INITIATOR_H
#define SKUA_HANDSHAKE_INITIATOR_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/cursor.h"
#include "base/limits.h"
#include "base/verdict.h"
#include "crypto/keypair.h"
#include "crypto/noise.h"
#include "handshake/early.h"
#include "handshake/result.h"
#include "wire/header.h"
#include "wire/params.h"

struct skua_initiator_config {
    const struct skua_keypair *local;  /* own identity; borrowed for the initiator's life */
    const struct skua_key *server_key; /* the key the server must have, or NULL = any; copied */
    const uint8_t *psk;                /* SKUA_PSK_LEN bytes or NULL; copied */
    const struct skua_params *params;  /* transport parameters and label to announce */
    const struct skua_rng *rng;        /* used during init only */
    struct skua_id dcid; /* random, 8 to 16 bytes: the server's name until it chooses */
    struct skua_id scid; /* own id */
    uint8_t suites;      /* bit set of enum skua_suite to offer; not empty */
    bool ik;             /* IK instead of XX; needs `server_key` */
    bool rendezvous;     /* the SYN says that both sides send one */
    const struct skua_early_data *early; /* with IK: to put into the SYN, at most SKUA_EARLY_ROOM
                                            bytes; NULL = nothing. Used during init only */
};

enum {
    SKUA_SYN_LEN = SKUA_LIMIT_UDP_MIN, /* bytes of a SYN without token */
    SKUA_SYN_CAP = SKUA_SYN_LEN + SKUA_LIMIT_TOKEN_MAX,
    /* RETRYs taken for a SYN and each of its repeats: a second would be one too many, but the
     * server's clock or key, or the own address behind a NAT, may just have changed. */
    SKUA_RETRIES_MAX = 3,
    /* Noise message 3 of XX: sealed static key and sealed parameters. */
    SKUA_MESSAGE_3_MAX = 32 + 16 + SKUA_LIMIT_PARAMS_MAX + 16
};

struct skua_initiator {
    struct skua_noise noise;               /* after message 1; wiped when done */
    struct skua_key server_key;            /* the pin, where `pinned` */
    struct skua_key seen_key;              /* the last key not trusted, where `seen` */
    struct skua_id dcid;                   /* of the SYN */
    struct skua_id scid;                   /* own */
    struct skua_id server_id;              /* chosen by the server, once done */
    uint8_t params[SKUA_LIMIT_PARAMS_MAX]; /* own parameter block, for message 3 */
    uint8_t params_len;                    /* bytes of it */
    uint8_t message3[SKUA_MESSAGE_3_MAX];  /* once done */
    uint8_t message3_len;                  /* 0 for IK, which has none */
    uint8_t suites;                        /* offered */
    uint8_t pattern;                       /* enum skua_pattern */
    uint8_t flags;                         /* of the SYN: 0 or SKUA_FLAG_RENDEZVOUS */
    bool pinned;                           /* a key is expected */
    bool seen;                             /* a SYN_ACK with another key has come */
    bool done;                             /* a SYN_ACK has been accepted */
    bool retry_open;                       /* a SYN has left since the last RETRY was taken */
    bool retried;                          /* a RETRY was taken */
    uint8_t retries;                       /* RETRYs taken since the last repeat */
    uint16_t token_len;                    /* bytes of `token`; 0 = none */
    uint8_t token[SKUA_LIMIT_TOKEN_MAX];   /* of the last RETRY: goes into the SYN */
    uint8_t syn[SKUA_SYN_LEN];             /* the packet, without token */
};
SKUA_STATIC_ASSERT(SKUA_MESSAGE_3_MAX <= UINT8_MAX, "message3_len is a byte");

/* Makes the SYN. False for a config that cannot work: IK without a key, or with one of low order;
 * ids or suites out of range. */
bool skua_initiator_init(struct skua_initiator *initiator,
                         const struct skua_initiator_config *config);
/* May be called twice. */
void skua_initiator_wipe(struct skua_initiator *initiator);

/* The pattern in use. */
enum skua_pattern skua_initiator_pattern(const struct skua_initiator *initiator);

/* Writes the SYN, at most SKUA_SYN_CAP bytes, for sending: a RETRY may answer it. */
void skua_initiator_write_syn(struct skua_initiator *initiator, struct skua_writer *w);

/* The SYN is to be repeated since nothing came of it: RETRYs are taken once more. */
void skua_initiator_repeat(struct skua_initiator *initiator);

/* Writes the packet that takes the SYN back. */
void skua_initiator_write_cancel(const struct skua_initiator *initiator, struct skua_writer *w);

/* Takes a SYN_ACK whose dcid has led here.
 *   OK                 accepted: `result` is valid, message3 and server_id are set
 *   PROTOCOL           accepted, and the server breaks the protocol: as OK, with a code in `result`
 *   SYN_ACK_UNTRUSTED  authentic in itself, but not the expected key: seen_key holds it
 *   SYN_ACK_BAD        does not parse or authenticate, or names a suite not offered
 *   SYN_ACK_LATE       one was accepted before
 * In the last three cases nothing else has changed and `result` is wiped. */
enum skua_verdict skua_initiator_on_syn_ack(struct skua_initiator *initiator,
                                            const struct skua_head *head,
                                            const struct skua_syn_ack *syn_ack,
                                            struct skua_handshake_result *result);

/* Takes a RETRY: OK (the SYN now holds its token, and is to be sent again at once) or BAD_RETRY.
 * `data` is the datagram. One is taken for each SYN sent, none with the token that the SYN holds
 * already, and SKUA_RETRIES_MAX between two repeats. Only in SYN_SENT. */
enum skua_verdict skua_initiator_on_retry(struct skua_initiator *initiator, const uint8_t *data,
                                          const struct skua_head *head,
                                          const struct skua_retry *retry);

/* Whether a REFUSE answers this SYN: OK (`*code` is then valid) or BAD_RETRY. `data` is the
 * datagram. Only a connection in SYN_SENT may act on it. */
enum skua_verdict skua_initiator_on_refuse(const struct skua_initiator *initiator,
                                           const uint8_t *data, const struct skua_head *head,
                                           const struct skua_refuse *refuse, uint16_t *code);

/* Whether a VERSIONS answers this SYN: OK means that the server does not speak this version (and
 * there is no other to try), else BAD_RETRY. Only in SYN_SENT. */
enum skua_verdict skua_initiator_on_versions(const struct skua_initiator *initiator,
                                             const struct skua_head *head,
                                             const struct skua_versions *versions);

#endif
