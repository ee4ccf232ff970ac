/* The AEAD suites: sizes, usage limits and preference (docs/protocol.md, "Cipher suites").
 *
 * Sets of suites are bit masks of enum skua_suite, one byte as on the wire. */
#ifndef SKUA_CRYPTO_SUITE_H
#define SKUA_CRYPTO_SUITE_H

#include <stdint.h>

#include <skua/skua.h>

#define SKUA_SUITE_KEY_MAX   32
#define SKUA_SUITE_NONCE_MAX 16
#define SKUA_SUITE_TAG_MAX   32

struct skua_suite_info {
    const char *name;   /* as in traces and stats: "AES-256-GCM" */
    uint64_t update_at; /* packets sealed under one key after which it is due for replacement */
    uint64_t stop_at;   /* packets sealed under one key, at most */
    uint8_t suite;      /* enum skua_suite */
    uint8_t key_len;    /* bytes */
    uint8_t nonce_len;  /* bytes */
    uint8_t tag_len;    /* bytes */
};

/* The table's line for one suite; NULL for anything that is not exactly one known suite. */
const struct skua_suite_info *skua_suite_info(uint8_t suite);

/* What this machine and this libsodium can run. After skua_init. */
uint8_t skua_suites_available(void);

/* The suite a server chooses from what both sides offer: AEGIS-128L, AES-256-GCM,
 * ChaCha20-Poly1305. 0 where they share none. Symmetric, unknown bits are ignored. */
uint8_t skua_suite_choose(uint8_t mask_a, uint8_t mask_b);

#endif
