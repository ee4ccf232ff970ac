/* The table of suites. Usage limits: AES-256-GCM after RFC 9001 §B.1 with a wide margin (2^23
 * packets of up to 2^16 bytes are 2^35 blocks under one key); ChaCha20-Poly1305 and AEGIS-128L have
 * no practical limit, so theirs only bound how long one key lives. */
#include "crypto/suite.h"

#include <sodium.h>

static const struct skua_suite_info SUITES[] = {
    /* In the order of a server's preference. */
    {.name = "AEGIS-128L",
     .suite = SKUA_SUITE_AEGIS_128L,
     .key_len = 16,
     .nonce_len = 16,
     .tag_len = 32,
     .update_at = UINT64_C(1) << 40,
     .stop_at = UINT64_C(1) << 41},
    {.name = "AES-256-GCM",
     .suite = SKUA_SUITE_AES_256_GCM,
     .key_len = 32,
     .nonce_len = 12,
     .tag_len = 16,
     .update_at = UINT64_C(1) << 22,
     .stop_at = UINT64_C(1) << 23},
    {.name = "ChaCha20-Poly1305",
     .suite = SKUA_SUITE_CHACHA20_POLY1305,
     .key_len = 32,
     .nonce_len = 12,
     .tag_len = 16,
     .update_at = UINT64_C(1) << 40,
     .stop_at = UINT64_C(1) << 41},
};

enum { SUITE_COUNT = sizeof SUITES / sizeof SUITES[0] };

const struct skua_suite_info *skua_suite_info(uint8_t suite)
{
    for (unsigned i = 0; i < SUITE_COUNT; i++) {
        if (SUITES[i].suite == suite) {
            return &SUITES[i];
        }
    }
    return NULL;
}

uint8_t skua_suites_available(void)
{
    uint8_t mask = SKUA_SUITE_CHACHA20_POLY1305;
    /* AES only in hardware: in software it is slow, or leaks through timing. libsodium says so for
     * AES-256-GCM; what it asks for there (1.0.22: AES-NI, AVX and PCLMUL, or ARM's AES) includes
     * all that its AEGIS in hardware asks for. */
    if (crypto_aead_aes256gcm_is_available() != 0) {
        mask |= SKUA_SUITE_AES_256_GCM;
#ifdef crypto_aead_aegis128l_KEYBYTES
        mask |= SKUA_SUITE_AEGIS_128L;
#endif
    }
    return mask;
}

uint8_t skua_suite_choose(uint8_t mask_a, uint8_t mask_b)
{
    for (unsigned i = 0; i < SUITE_COUNT; i++) {
        if ((SUITES[i].suite & mask_a & mask_b) != 0) {
            return SUITES[i].suite;
        }
    }
    return 0;
}
