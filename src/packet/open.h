/* Opening a packet, in two steps, so that the caller can drop a duplicate before the costly one:
 *
 *     verdict = skua_packet_unmask(&p, keys, datagram, len, pn_offset, expected);
 *     ... p.pn against the replay window ...
 *     verdict = skua_packet_open(&p, keys, cache, retire_at);
 *
 * The first step writes nothing to the datagram. The second opens in place and once only: where it
 * fails the header is as it was, but the sealed bytes are lost. The last 16 bytes are kept in
 * `tail` before that, for whoever must tell a stateless RESET from a forgery (verdicts RUNT,
 * NO_KEYS and BAD_AUTH).
 *
 * Nothing here keeps or asks a replay window. Of the connection's state a forged packet changes
 * nothing but the count of failed authentications. */
#ifndef SKUA_PACKET_OPEN_H
#define SKUA_PACKET_OPEN_H

#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/verdict.h"
#include "crypto/aead.h"
#include "crypto/keys.h"

/* A packet on its way in; its members are results. */
struct skua_opening {
    uint8_t *data;       /* the datagram */
    size_t len;          /* its bytes */
    size_t header_len;   /* bytes before the sealed frames; the packet number ends there */
    uint64_t pn;         /* by unmask: full packet number, not authentic before open succeeds */
    uint8_t first;       /* by unmask: first byte without its mask */
    uint8_t pn_bytes[4]; /* by unmask: packet number without its mask */
    uint8_t tail[16];    /* by unmask: the datagram's last bytes; zero where it is shorter */
    uint8_t *frames;     /* by open: plain frames, in the datagram */
    size_t frames_len;   /* by open: their bytes */
    uint64_t phase;      /* by open: key phase it was sealed in, for skua_keys_on_ack_received */
    enum skua_code code; /* by open: with SKUA_VERDICT_PROTOCOL, what to put into the RST */
};

/* Finds number and key phase of a DATA (bit 7 of the first byte clear) or CONFIRM (set). The packet
 * number starts at `pn_offset`; `expected` is one more than the largest number received, or 0.
 * SKUA_VERDICT_OK, or SKUA_VERDICT_RUNT. */
enum skua_verdict skua_packet_unmask(struct skua_opening *p, const struct skua_keys *keys,
                                     uint8_t *data, size_t len, size_t pn_offset,
                                     uint64_t expected);

/* Opens what unmask has looked at. If it is the first of a new key phase, the keys follow and the
 * previous receive key is held until `retire_at` (now + 3 PTO).
 *
 * SKUA_VERDICT_OK        `frames` and `frames_len` are the frames, which may be none
 * SKUA_VERDICT_NO_KEYS   of a phase whose key is gone; nothing changed
 * SKUA_VERDICT_BAD_AUTH  not authentic; counted in the keys
 * SKUA_VERDICT_PROTOCOL  authentic, and wrong: reserved bits, or a key update out of order; the
 *                        connection must be reset with `code` */
enum skua_verdict skua_packet_open(struct skua_opening *p, struct skua_keys *keys,
                                   struct skua_aead_cache *cache, skua_time retire_at);

#endif
