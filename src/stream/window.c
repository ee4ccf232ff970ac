/* Credit and its auto-tuning: see window.h. RFC 9000 §4. */
#include "stream/window.h"

#include "base/time.h"
#include "wire/varint.h"

/* More to give than this is worth a frame to a peer that says it is blocked. */
enum { ANSWER_MIN = 1200 };

void skua_window_init(struct skua_window *window, uint64_t initial, uint64_t max)
{
    *window = (struct skua_window){.announced = initial,
                                   .size = initial,
                                   .max = max > initial ? max : initial,
                                   .epoch = SKUA_NEVER};
}

bool skua_window_answers(const struct skua_window *window, uint64_t blocked_at)
{
    return blocked_at < window->announced ||
           window->consumed + window->size - window->announced >= ANSWER_MIN;
}

/* Doubles the window where it would be used up, at the present rate, within two round trips. */
static void tune(struct skua_window *window, skua_time rtt_ns, skua_time now)
{
    uint64_t used = window->consumed - window->epoch_consumed;
    if (window->epoch != SKUA_NEVER && rtt_ns != 0 && used != 0) {
        skua_time elapsed = skua_time_sub(now, window->epoch);
        skua_time enough = skua_time_mul(skua_time_mul(rtt_ns, 2), used) / window->size;
        if (elapsed < enough) {
            skua_window_widen(window, window->size * 2);
        }
    }
    window->epoch = now;
    window->epoch_consumed = window->consumed;
}

uint64_t skua_window_announce(struct skua_window *window, uint64_t least, skua_time rtt_ns,
                              skua_time now)
{
    /* A repeat for a peer that missed the last one must not give a few bytes more each time: it
     * would send them in a packet of their own and ask again (RFC 9293 §3.8.6.2.2, silly window).
     */
    uint64_t more = window->consumed + window->size - window->announced;
    if (!skua_window_due(window) && more < ANSWER_MIN && window->announced >= least) {
        return window->announced;
    }
    tune(window, rtt_ns, now);
    uint64_t limit = window->consumed + window->size;
    window->announced = limit < SKUA_VARINT_MAX ? limit : SKUA_VARINT_MAX;
    return window->announced;
}

void skua_window_widen(struct skua_window *window, uint64_t size)
{
    if (size > window->size) {
        window->size = size < window->max ? size : window->max;
    }
}
