/* The Noise Protocol Framework, revision 34, over X25519, ChaCha20-Poly1305 and SHA-256: patterns
 * XX, IK, XXpsk3 and IKpsk2, both roles.
 *
 * struct skua_noise is a plain value: copying it makes a scratch state. A call that fails leaves
 * its state unusable, so whoever must survive a forged message works on a copy and assigns it back
 * when everything authenticated. Messages are raw Noise messages; their framing is the packet's.
 *
 * The state is secret: skua_noise_wipe. It borrows `local`, which must outlive it. */
#ifndef SKUA_CRYPTO_NOISE_H
#define SKUA_CRYPTO_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/assert.h"
#include "base/cursor.h"
#include "crypto/kdf.h"
#include "crypto/keypair.h"

/* Values are those of the SYN's pattern byte. */
enum skua_pattern {
    SKUA_PATTERN_XX = 0,
    SKUA_PATTERN_IK = 1,     /* the initiator knows the responder's key beforehand */
    SKUA_PATTERN_XXPSK3 = 2, /* XX with a pre-shared key in message 3 */
    SKUA_PATTERN_IKPSK2 = 3, /* IK with a pre-shared key in message 2 */
    SKUA_PATTERNS            /* how many */
};

struct skua_noise_config {
    enum skua_pattern pattern;
    bool initiator;
    const void *prologue; /* what both sides must agree on beforehand */
    size_t prologue_len;
    const struct skua_keypair *local; /* own static key; borrowed for the state's life */
    const struct skua_key *remote;    /* the responder's static key: initiator of IK, IKpsk2; else
                                         NULL */
    const uint8_t *psk;               /* SKUA_PSK_LEN bytes for psk patterns, else NULL; copied */
    const struct skua_secret_key
        *ephemeral; /* fresh random bytes for this handshake only; copied */
};

struct skua_noise {
    struct skua_secret ck;            /* chaining key */
    struct skua_secret k;             /* cipher key, where has_k */
    uint8_t h[SKUA_HASH_LEN];         /* transcript hash */
    struct skua_secret_key e;         /* own ephemeral secret */
    struct skua_key re;               /* remote ephemeral, once read */
    struct skua_key rs;               /* remote static, where has_rs */
    uint8_t psk[SKUA_PSK_LEN];        /* zero for patterns without */
    const struct skua_keypair *local; /* borrowed */
    uint8_t n;                        /* messages sealed under k */
    uint8_t pattern;                  /* enum skua_pattern */
    uint8_t message;                  /* messages written and read so far */
    bool initiator;
    bool has_k;
    bool has_rs;
    bool failed; /* sticky: a call failed */
};

/* False for a psk pattern without psk, or an IK initiator without `remote`: a caller's mistake. */
bool skua_noise_init(struct skua_noise *noise, const struct skua_noise_config *config);
void skua_noise_wipe(struct skua_noise *noise);

/* Messages of a pattern: 3 for XX, 2 for IK. */
unsigned skua_noise_messages(enum skua_pattern pattern);
/* How many bytes message `index` (from 0) has beside its payload. */
size_t skua_noise_overhead(enum skua_pattern pattern, unsigned index);
/* True where it is this side's turn to write. */
bool skua_noise_my_turn(const struct skua_noise *noise);
/* True after the last message. */
bool skua_noise_done(const struct skua_noise *noise);

/* Appends the next message with `payload` to `out`. False where there is no room or the remote key
 * is a low-order point. */
bool skua_noise_write(struct skua_noise *noise, const void *payload, size_t len,
                      struct skua_writer *out);
/* Takes the next message, which is all of `in`, and appends its payload to `payload`. False for
 * anything that does not authenticate, a low-order point, or no room. */
bool skua_noise_read(struct skua_noise *noise, struct skua_reader *in, struct skua_writer *payload);

/* Noise §5.2 Split, after the last message: keys from initiator to responder and back. Wipe both.
 */
void skua_noise_split(const struct skua_noise *noise, struct skua_secret *to_responder,
                      struct skua_secret *to_initiator);
/* The remote static key, or NULL while it is not known. It is authenticated when the message after
 * the one that carried it has been read, or transport data has. */
const struct skua_key *skua_noise_remote(const struct skua_noise *noise);

/* A responder after message 2, without what is known elsewhere: what a half-open entry keeps.
 * Secret: skua_wipe. */
struct skua_noise_saved {
    uint8_t ck[SKUA_HASH_LEN]; /* chaining key */
    uint8_t h[SKUA_HASH_LEN];  /* transcript hash */
    uint8_t x[SKUA_HASH_LEN];  /* XX: cipher key; IK, which has ended: remote static key */
    uint8_t e[SKUA_KEY_LEN];   /* XX: own ephemeral secret; IK: zero */
    uint8_t n;                 /* messages sealed under the cipher key */
    uint8_t pattern;           /* enum skua_pattern */
};
SKUA_STATIC_ASSERT(sizeof(struct skua_noise_saved) <= 140, "it is part of a half-open entry");

/* Only for a responder that has written message 2. */
void skua_noise_save(struct skua_noise_saved *out, const struct skua_noise *noise);
/* The saved state again; `psk` as in the config. */
void skua_noise_restore(struct skua_noise *noise, const struct skua_noise_saved *saved,
                        const struct skua_keypair *local, const uint8_t *psk);

#endif
