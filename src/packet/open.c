/* The two steps of packet/open.h. */
#include "packet/open.h"

#include <string.h>

#include "base/assert.h"
#include "packet/bits.h"
#include "wire/pn.h"

enum skua_verdict skua_packet_unmask(struct skua_opening *p, const struct skua_keys *keys,
                                     uint8_t *data, size_t len, size_t pn_offset, uint64_t expected)
{
    SKUA_ASSERT(pn_offset >= 1);
    memset(p, 0, sizeof *p);
    p->data = data;
    p->len = len;
    p->header_len = pn_offset + SKUA_PN_LEN;
    if (len >= sizeof p->tail) {
        memcpy(p->tail, data + len - sizeof p->tail, sizeof p->tail);
    }
    /* A tag is as long as the mask's sample, or longer. */
    if (len < p->header_len || len - p->header_len < keys->suite->tag_len) {
        return SKUA_VERDICT_RUNT;
    }
    p->first = data[0];
    memcpy(p->pn_bytes, data + pn_offset, sizeof p->pn_bytes);
    if ((p->first & SKUA_BIT_LONG) == 0) {
        skua_mask_apply(&keys->rx_hp, data + p->header_len, &p->first, p->pn_bytes);
    }
    uint32_t truncated = (uint32_t)p->pn_bytes[0] << 24 | (uint32_t)p->pn_bytes[1] << 16 |
                         (uint32_t)p->pn_bytes[2] << 8 | p->pn_bytes[3];
    p->pn = skua_pn_expand(truncated, expected);
    return SKUA_VERDICT_OK;
}

static const struct skua_aead_key *choose_key(struct skua_opening *p, const struct skua_keys *keys)
{
    if ((p->first & SKUA_BIT_LONG) != 0) {
        p->phase = 0;
        return skua_keys_rx_confirm(keys);
    }
    return skua_keys_rx(keys, (p->first & SKUA_BIT_PHASE) >> SKUA_PHASE_SHIFT, p->pn, &p->phase);
}

/* Associated data are the unmasked header: it stands in the datagram while the packet is opened,
 * and what stood there before returns where that fails. */
static bool open_in_place(const struct skua_opening *p, struct skua_aead_cache *cache,
                          const struct skua_aead_key *key)
{
    uint8_t *pn_at = p->data + p->header_len - SKUA_PN_LEN;
    const uint8_t masked_first = p->data[0];
    uint8_t masked_pn[SKUA_PN_LEN];
    memcpy(masked_pn, pn_at, sizeof masked_pn);
    p->data[0] = p->first;
    memcpy(pn_at, p->pn_bytes, sizeof masked_pn);
    if (skua_aead_open(cache, key, p->pn, p->data, p->header_len, p->len - p->header_len)) {
        return true;
    }
    p->data[0] = masked_first;
    memcpy(pn_at, masked_pn, sizeof masked_pn);
    return false;
}

enum skua_verdict skua_packet_open(struct skua_opening *p, struct skua_keys *keys,
                                   struct skua_aead_cache *cache, skua_time retire_at)
{
    const struct skua_aead_key *key = choose_key(p, keys);
    if (key == NULL) {
        return SKUA_VERDICT_NO_KEYS;
    }
    if (!open_in_place(p, cache, key)) {
        skua_keys_on_failed(keys);
        return SKUA_VERDICT_BAD_AUTH;
    }
    p->frames = p->data + p->header_len;
    p->frames_len = p->len - p->header_len - keys->suite->tag_len;
    if ((p->first & SKUA_BIT_LONG) == 0 && (p->first & SKUA_BITS_RESERVED) != 0) {
        p->code = SKUA_CODE_PROTOCOL;
        return SKUA_VERDICT_PROTOCOL;
    }
    p->code = skua_keys_on_opened(keys, cache, p->pn, p->phase, retire_at);
    return p->code == SKUA_CODE_NO_ERROR ? SKUA_VERDICT_OK : SKUA_VERDICT_PROTOCOL;
}
