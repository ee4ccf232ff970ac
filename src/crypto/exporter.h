/* Secrets for the application, bound to one handshake (RFC 8446 §7.5 in spirit).
 *
 *   exporter secret = label(final chaining key, "exporter", handshake hash)
 *   output          = label(exporter secret, "export", SHA-256(the application's label))
 *
 * The transport keys come from the same chaining key by Split(), whose HMAC input is empty: neither
 * tells anything of the other. */
#ifndef SKUA_CRYPTO_EXPORTER_H
#define SKUA_CRYPTO_EXPORTER_H

#include <stdbool.h>
#include <stddef.h>

#include "crypto/kdf.h"
#include "crypto/noise.h"

#define SKUA_EXPORT_MAX 64

/* After the handshake's last message. Wipe with skua_secret_wipe. */
void skua_exporter_init(struct skua_secret *out, const struct skua_noise *noise);

/* `len` bytes for a zero-terminated label of any length. False where `len` is 0 or above
 * SKUA_EXPORT_MAX. */
bool skua_export(const struct skua_secret *secret, const char *label, void *out, size_t len);

#endif
