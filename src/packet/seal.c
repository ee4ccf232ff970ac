/* One pass over a packet: pad, set the phase bit, seal, mask. */
#include "packet/seal.h"

#include <string.h>

#include "base/assert.h"
#include "packet/bits.h"
#include "wire/pn.h"

bool skua_packet_seal(struct skua_keys *keys, struct skua_aead_cache *cache,
                      const struct skua_sealing *packet, size_t *total)
{
    const struct skua_aead_key *key = skua_keys_tx(keys, packet->pn);
    if (key == NULL) {
        return false;
    }
    uint8_t *data = packet->data;
    const size_t header_len = packet->header_len;
    const size_t tag_len = keys->suite->tag_len;
    size_t len = packet->len;
    SKUA_ASSERT(header_len > SKUA_PN_LEN && len >= header_len);
    const bool is_long = (data[0] & SKUA_BIT_LONG) != 0;
    if (!is_long) {
        data[0] =
            (uint8_t)((data[0] & ~SKUA_BIT_PHASE) | skua_keys_tx_bit(keys) << SKUA_PHASE_SHIFT);
        if (len + tag_len < SKUA_DATA_MIN) {
            /* A PADDING frame is a zero byte. */
            SKUA_ASSERT(packet->cap >= SKUA_DATA_MIN);
            memset(data + len, 0, SKUA_DATA_MIN - tag_len - len);
            len = SKUA_DATA_MIN - tag_len;
        }
    }
    SKUA_ASSERT(len + tag_len <= packet->cap);
    skua_aead_seal(cache, key, packet->pn, data, header_len, len - header_len);
    if (!is_long) {
        skua_mask_apply(&keys->tx_hp, data + header_len, &data[0], data + header_len - SKUA_PN_LEN);
    }
    *total = len + tag_len;
    return true;
}
