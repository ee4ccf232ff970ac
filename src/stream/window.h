/* The credit that a receiver grants, for one stream or a connection (RFC 9000 §4).
 *
 * The peer may send up to `announced`. What the application takes off (or what is thrown away in
 * its stead) is `consumed`; consumed + window is what could be granted. It is announced in useful
 * portions, a quarter of the window, never byte by byte (RFC 9000 §4.2, RFC 9293 §3.8.6.2.2).
 *
 * Auto-tuning: when a portion was consumed so fast that the window would be used up within two
 * round trips, the window, not the application, may be what limits the sender, and it is doubled,
 * up to `max`. So it stays at twice bandwidth times delay or more. */
#ifndef SKUA_STREAM_WINDOW_H
#define SKUA_STREAM_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>

struct skua_window {
    uint64_t announced;      /* limit that the peer was last told, or is allowed from the start */
    uint64_t consumed;       /* bytes taken off */
    uint64_t size;           /* present window, bytes */
    uint64_t max;            /* largest window, bytes */
    uint64_t epoch_consumed; /* `consumed` when the present measurement began */
    skua_time epoch;         /* when it began; SKUA_NEVER = not yet */
};

/* The peer knows `initial` from the transport parameters. */
void skua_window_init(struct skua_window *window, uint64_t initial, uint64_t max);

/* Is a portion worth announcing there? */
static inline bool skua_window_due(const struct skua_window *window)
{
    uint64_t more = window->consumed + window->size - window->announced;
    return more != 0 && more >= window->size / 4;
}

/* What the peer said it is blocked at: should a limit be announced (again)? Either it has not heard
 * of the newest one, or there is a packet's worth more to give. */
bool skua_window_answers(const struct skua_window *window, uint64_t blocked_at);

/* Tunes the window and moves the limit: the new `announced`, at least `least` (which the window
 * must allow; 0 = any). `rtt` 0 = unknown. */
uint64_t skua_window_announce(struct skua_window *window, uint64_t least, skua_time rtt_ns,
                              skua_time now);

/* At least `size`, within `max`: for a connection that must not be narrower than its streams. */
void skua_window_widen(struct skua_window *window, uint64_t size);

#endif
