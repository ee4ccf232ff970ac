/* The three answers to a SYN that keep no state: RETRY, REFUSE and VERSIONS.
 *
 * RETRY and REFUSE carry a tag over themselves and the SYN's header and `e`, so that only someone
 * who saw the SYN can make them, and a damaged one is not believed. It is no proof of who made it:
 * an on-path observer can, as with a TCP RST. All echo the SYN's ids crosswise. */
#ifndef SKUA_HANDSHAKE_REFUSE_H
#define SKUA_HANDSHAKE_REFUSE_H

#include <skua/skua.h>

#include "base/cursor.h"
#include "crypto/tag.h"
#include "wire/header.h"

enum {
    SKUA_REFUSE_CAP = SKUA_LONG_HEADER_MAX + 2 + SKUA_PACKET_TAG_LEN,
    SKUA_RETRY_CAP = SKUA_LONG_HEADER_MAX + 2 + SKUA_LIMIT_TOKEN_MAX + SKUA_PACKET_TAG_LEN,
    SKUA_VERSIONS_CAP = SKUA_LONG_HEADER_MAX + 4
};
SKUA_STATIC_ASSERT(SKUA_PACKET_TAG_LEN == SKUA_TAG_LEN, "one kind of tag");

/* Writes the REFUSE that answers a SYN. */
void skua_refuse_write(struct skua_writer *w, const struct skua_head *head,
                       const struct skua_syn *syn, enum skua_code code);

/* Writes the RETRY that answers a SYN with a token of `len` bytes, 1 to SKUA_LIMIT_TOKEN_MAX. */
void skua_retry_write(struct skua_writer *w, const struct skua_head *head,
                      const struct skua_syn *syn, const uint8_t *token, size_t len);

/* The tag of a RETRY or REFUSE (`type`) whose first `len` bytes (all before the tag) are `packet`,
 * as an answer to the SYN with `head` and `ephemeral`. */
void skua_answer_tag(uint8_t out[SKUA_TAG_LEN], enum skua_packet_type type, const uint8_t *packet,
                     size_t len, const struct skua_head *head, const uint8_t *ephemeral);

/* Tells a SYN from all others: a hash of all that its transcript covers, which is everything but
 * the token. */
void skua_syn_digest(uint8_t out[SKUA_TAG_LEN], const struct skua_head *head,
                     const struct skua_syn *syn);
/* Writes the REFUSE by which a client takes its own SYN back: the SYN's ids, and its digest in
 * place of the tag. At most SKUA_REFUSE_CAP bytes. */
void skua_cancel_write(struct skua_writer *w, const struct skua_head *head,
                       const struct skua_syn *syn);

/* Writes the VERSIONS that answers a long-header datagram of an unknown version. */
void skua_versions_write(struct skua_writer *w, const struct skua_head *head);

#endif
