/* The receiving half of a session: data streams emptied into buffers, workers store what is in
 * them, verdicts go back.
 *
 * A stream whose worker is behind is not read: its credit runs out and the sender waits. The number
 * of buffers, and the verdicts that the peer has not read yet, bound the memory. */
#ifndef SKUA_TOOLS_RECEIVER_H
#define SKUA_TOOLS_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>

#include "session.h"

/* `targets` as in skua_intake_config. NULL where memory is short. */
struct skua_receiver *skua_receiver_new(struct skua_session *session, struct skua_store *store,
                                        const char *const *targets, size_t count, unsigned flags);
/* No job may be under way. Temporary files are removed. */
void skua_receiver_free(struct skua_receiver *receiver);

/* The peer opened a data stream; false where it has too many. */
bool skua_receiver_add(struct skua_receiver *receiver, skua_stream stream);
void skua_receiver_on_readable(struct skua_receiver *receiver, skua_stream stream);
/* The control stream has room again. */
void skua_receiver_pump(struct skua_receiver *receiver);

/* SENT, once; false where it makes no sense. */
bool skua_receiver_on_sent(struct skua_receiver *receiver, const struct skua_file_totals *sent);

#endif
