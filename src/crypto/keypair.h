/* X25519 keys beyond the public API: a pair that is multiplied out once, and Diffie-Hellman. */
#ifndef SKUA_CRYPTO_KEYPAIR_H
#define SKUA_CRYPTO_KEYPAIR_H

#include <stdbool.h>

#include <skua/skua.h>

#include "crypto/kdf.h"

/* A secret key and its public key. Secret: skua_keypair_wipe. */
struct skua_keypair {
    struct skua_secret_key secret;
    struct skua_key public_key;
};

/* Costs a multiplication. */
void skua_keypair_init(struct skua_keypair *pair, const struct skua_secret_key *secret);
void skua_keypair_wipe(struct skua_keypair *pair);

/* RFC 7748 §6.1. False where the result is zero, as every low-order point makes it: `out` is then
 * wiped and the handshake must end. */
bool skua_x25519(struct skua_secret *out, const struct skua_secret_key *secret,
                 const struct skua_key *remote);

#endif
