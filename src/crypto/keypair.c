/* X25519 by libsodium, with low-order points refused. */
#include "crypto/keypair.h"

#include <sodium.h>

void skua_keypair_init(struct skua_keypair *pair, const struct skua_secret_key *secret)
{
    pair->secret = *secret;
    skua_key_public(&pair->public_key, secret);
}

void skua_keypair_wipe(struct skua_keypair *pair)
{
    sodium_memzero(pair, sizeof *pair);
}

bool skua_x25519(struct skua_secret *out, const struct skua_secret_key *secret,
                 const struct skua_key *remote)
{
    /* libsodium refuses the low-order points it knows and a result of zeros, and says so. */
    if (crypto_scalarmult_curve25519(out->bytes, secret->bytes, remote->bytes) != 0) {
        skua_secret_wipe(out);
        return false;
    }
    return true;
}
