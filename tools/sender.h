/* The sending half of a session: data streams filled by worker threads, verdicts taken in.
 *
 * A few lanes, each a data stream with a source of its own; they divide the entries among
 * themselves, so a slow file holds up one lane only. Workers fill buffers ahead; the loop lends
 * them to the stream and gets them back when the peer's transport has acknowledged them. What
 * bounds the memory is the session's share of buffers, and the number of entries without a verdict.
 */
#ifndef SKUA_TOOLS_SENDER_H
#define SKUA_TOOLS_SENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "session.h"

/* `roots` as in skua_walk_config. NULL where memory is short. */
struct skua_sender *skua_sender_new(struct skua_session *session, const struct skua_store *store,
                                    const char *const *roots, size_t count, unsigned flags);
/* No job may be under way, and the connection must be gone. */
void skua_sender_free(struct skua_sender *sender);

/* Begins to fill and send. */
void skua_sender_start(struct skua_sender *sender);
/* Makes workers stop soon. */
void skua_sender_cancel(struct skua_sender *sender);

void skua_sender_on_acked(struct skua_sender *sender, skua_stream stream, uint64_t offset);
/* WRITABLE or STREAMS: tries again to send. */
void skua_sender_pump(struct skua_sender *sender);

/* VERDICTS and DONE from the receiver; false where they make no sense. */
bool skua_sender_on_verdicts(struct skua_sender *sender, const uint8_t *body, size_t len);
bool skua_sender_on_done(struct skua_sender *sender, const uint8_t *body, size_t len);

#endif
