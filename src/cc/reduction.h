/* One reduction of the window: which packets belong to it, and its undo.
 *
 * What window-based controllers do alike when packets are lost: reduce once per round trip
 * (RFC 9002 §7.3.2), collapse on persistent congestion (§7.6.2), and take a reduction back whose
 * losses all turned out to be none (RFC 4015 in spirit). By how much is theirs. */
#ifndef SKUA_CC_REDUCTION_H
#define SKUA_CC_REDUCTION_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>

struct skua_cc;
struct skua_cc_loss;
struct skua_cc_spurious;

struct skua_reduction {
    skua_time start;   /* packets sent until then belong to it */
    uint64_t cwnd;     /* window before it; 0 = there was none */
    uint64_t ssthresh; /* slow start threshold before it */
    uint32_t packets;  /* its losses not yet found to be spurious */
    bool any;          /* `start` means something */
    bool collapsed;    /* persistent congestion since then: any ACK grows the window */
    bool undoable;     /* its reason may still turn out to be none */
};

/* RFC 9002 §7.3.2: a packet sent before the reduction does not reduce the window again. */
static inline bool skua_reduction_covers(const struct skua_reduction *r, skua_time sent)
{
    return r->any && sent <= r->start;
}

/* ... nor grows it, but after a collapse. */
static inline bool skua_reduction_holds(const struct skua_reduction *r, skua_time sent)
{
    return skua_reduction_covers(r, sent) && !r->collapsed;
}

/* Reduces window and threshold to `window`, or to the minimum. */
void skua_reduction_begin(struct skua_cc *cc, struct skua_reduction *r, uint64_t window,
                          skua_time now);

/* Losses that belong to it. Persistent congestion takes the window to its minimum and leaves the
 * threshold. */
void skua_reduction_on_loss(struct skua_cc *cc, struct skua_reduction *r,
                            const struct skua_cc_loss *loss);

/* CE in its round: it stays, whatever becomes of the losses. */
static inline void skua_reduction_on_ce(struct skua_reduction *r)
{
    r->undoable = false;
}

/* True where all of its losses were none and it has been taken back. */
bool skua_reduction_on_spurious(struct skua_cc *cc, struct skua_reduction *r,
                                const struct skua_cc_spurious *spurious);

#endif
