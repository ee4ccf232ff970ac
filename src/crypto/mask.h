/* The header mask: hides reserved bits, key phase and packet number of a DATA packet.
 *
 * Mask = first five bytes of SipHash-2-4(hp key, first 16 bytes after the packet number), in the
 * order in which SipHash's reference puts its result out (little-endian). Byte 0 masks bits 4..0 of
 * the first byte, bytes 1 to 4 the packet number. SipHash is a keyed PRF on 16-byte inputs; what
 * RFC 9001 §5.4 takes from a raw block cipher, libsodium does not offer. */
#ifndef SKUA_CRYPTO_MASK_H
#define SKUA_CRYPTO_MASK_H

#include <stdint.h>
#include <string.h>

#include <sodium.h>

#define SKUA_HP_KEY_LEN  16
#define SKUA_MASK_SAMPLE 16
#define SKUA_MASK_FIRST  0x1f /* bits of the first byte that are masked */
#define SKUA_MASK_PN_LEN 4

/* One direction's header key; the same for the connection's life. */
struct skua_hp_key {
    uint8_t bytes[SKUA_HP_KEY_LEN];
};

/* Masks or unmasks: the two are the same. */
static inline void skua_mask_apply(const struct skua_hp_key *key,
                                   const uint8_t sample[SKUA_MASK_SAMPLE], uint8_t *first,
                                   uint8_t pn[SKUA_MASK_PN_LEN])
{
    uint8_t mask[8];
    (void)crypto_shorthash(mask, sample, SKUA_MASK_SAMPLE, key->bytes);
    *first = (uint8_t)(*first ^ (mask[0] & SKUA_MASK_FIRST));
    for (int i = 0; i < SKUA_MASK_PN_LEN; i++) {
        pn[i] = (uint8_t)(pn[i] ^ mask[1 + i]);
    }
}

#endif
