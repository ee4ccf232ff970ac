/* The two labelled expansions of crypto/exporter.h. */
#include "crypto/exporter.h"

#include <string.h>

#include <sodium.h>

#include "base/assert.h"

void skua_exporter_init(struct skua_secret *out, const struct skua_noise *noise)
{
    SKUA_ASSERT(skua_noise_done(noise));
    skua_hkdf_label(&noise->ck, "exporter", noise->h, sizeof noise->h, out->bytes,
                    sizeof out->bytes);
}

bool skua_export(const struct skua_secret *secret, const char *label, void *out, size_t len)
{
    if (len == 0 || len > SKUA_EXPORT_MAX) {
        return false;
    }
    uint8_t context[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256(context, (const unsigned char *)label, strlen(label));
    skua_hkdf_label(secret, "export", context, sizeof context, out, len);
    return true;
}
