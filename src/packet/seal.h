/* Sealing a packet: a header and plain frames become the datagram's bytes.
 *
 * DATA and CONFIRM alike: everything before the frames, the unmasked packet number included, is
 * associated data (docs/protocol.md, "Sealing"). A DATA packet's first byte and number are then
 * masked, and before that it is padded with PADDING frames so that no DATA is below 40 bytes. */
#ifndef SKUA_PACKET_SEAL_H
#define SKUA_PACKET_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/aead.h"
#include "crypto/keys.h"

/* The smallest DATA datagram. */
#define SKUA_DATA_MIN 40

/* How much longer a packet gets by sealing, not counting the padding of tiny ones. */
static inline size_t skua_packet_overhead(const struct skua_keys *keys)
{
    return keys->suite->tag_len;
}

/* A packet to seal. */
struct skua_sealing {
    uint8_t *data;     /* header with the 4-byte packet number at its end, then frames */
    size_t header_len; /* bytes before the frames */
    size_t len;        /* bytes of header and frames; may equal header_len */
    size_t cap;        /* room at `data`: at least SKUA_DATA_MIN, and `len` and overhead */
    uint64_t pn;       /* full packet number; above every one sealed before */
};

/* Seals in place and sets `*total` to the datagram's length. The key phase bit of a DATA packet is
 * set here. False, with nothing done, at the suite's packet limit: the connection is over. */
bool skua_packet_seal(struct skua_keys *keys, struct skua_aead_cache *cache,
                      const struct skua_sealing *packet, size_t *total);

#endif
