/* The two answers to a SYN that keep no state: REFUSE and VERSIONS.
 *
 * REFUSE carries a tag over itself and the SYN's header and `e`, so that only someone who saw the
 * SYN can make it, and a damaged one is not believed. It is no proof of who made it: an on-path
 * observer can, as with a TCP RST. */
#ifndef SKUA_HANDSHAKE_REFUSE_H
#define SKUA_HANDSHAKE_REFUSE_H

#include <skua/skua.h>

#include "base/cursor.h"
#include "crypto/tag.h"
#include "wire/header.h"

enum {
    SKUA_REFUSE_CAP = SKUA_LONG_HEADER_MAX + 2 + SKUA_PACKET_TAG_LEN,
    SKUA_VERSIONS_CAP = SKUA_LONG_HEADER_MAX + 4
};
SKUA_STATIC_ASSERT(SKUA_PACKET_TAG_LEN == SKUA_TAG_LEN, "one kind of tag");

/* Writes the REFUSE that answers a SYN. */
void skua_refuse_write(struct skua_writer *w, const struct skua_head *head,
                       const struct skua_syn *syn, enum skua_code code);

/* The tag of a REFUSE whose first `len` bytes (all before the tag) are `refuse`, as an answer to
 * the SYN with `head` and `ephemeral`. */
void skua_refuse_tag(uint8_t out[SKUA_TAG_LEN], const uint8_t *refuse, size_t len,
                     const struct skua_head *head, const uint8_t *ephemeral);

/* Writes the VERSIONS that answers a long-header datagram of an unknown version. */
void skua_versions_write(struct skua_writer *w, const struct skua_head *head);

#endif
