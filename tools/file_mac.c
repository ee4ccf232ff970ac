/* One-time MACs of chunks (file_mac.h). The one-time key is the first 32 bytes of XChaCha20 under
 * the exporter secret with the nonce entry number, chunk number, zeros: a PRF of both numbers. */
#include "file_mac.h"

static void put_u64(uint8_t *out, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * (7 - i)));
    }
}

void skua_file_mac_init(struct skua_file_mac *mac, const struct skua_file_key *key, uint64_t id,
                        uint64_t index)
{
    uint8_t nonce[crypto_stream_xchacha20_NONCEBYTES] = {0};
    uint8_t once[crypto_onetimeauth_KEYBYTES];
    put_u64(nonce, id);
    put_u64(nonce + 8, index);
    (void)crypto_stream_xchacha20(once, sizeof once, nonce, key->bytes);
    (void)crypto_onetimeauth_init(&mac->state, once);
    sodium_memzero(once, sizeof once);
}

void skua_file_mac_update(struct skua_file_mac *mac, const void *data, size_t len)
{
    (void)crypto_onetimeauth_update(&mac->state, data, len);
}

void skua_file_mac_final(struct skua_file_mac *mac, uint8_t tag[SKUA_FILE_TAG_LEN])
{
    (void)crypto_onetimeauth_final(&mac->state, tag);
    sodium_memzero(mac, sizeof *mac);
}

bool skua_file_mac_verify(struct skua_file_mac *mac, const uint8_t tag[SKUA_FILE_TAG_LEN])
{
    uint8_t own[SKUA_FILE_TAG_LEN];
    skua_file_mac_final(mac, own);
    const bool same = sodium_memcmp(own, tag, sizeof own) == 0;
    sodium_memzero(own, sizeof own);
    return same;
}
