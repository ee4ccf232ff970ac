/* Draws an exchange: one line per packet, state and remark, the client left and the server right.
 */
#ifndef SKUA_TESTS_BEHAVIOUR_LADDER_H
#define SKUA_TESTS_BEHAVIOUR_LADDER_H

#include "record.h"

struct ladder_event {
    struct side *side; /* at which it happened */
    skua_time at;
    bool is_packet;
    struct packet packet; /* where it is one */
    char note[96];        /* where it is none */
};

/* `events` in the order in which they happened. */
void ladder_draw(FILE *out, const struct ladder_event *events, size_t count,
                 const struct side *left);

#endif
