/* What the files of recovery/ share with each other and with nobody else. */
#ifndef SKUA_RECOVERY_INTERNAL_H
#define SKUA_RECOVERY_INTERNAL_H

#include "recovery/recovery.h"

/* Declares lost what is, below the largest acknowledged number, and sets the loss timer. */
void skua_loss_detect(struct skua_recovery *rec, skua_time now, struct skua_loss_result *out);

/* Packet `pn`, declared lost, was acknowledged: reordering is larger than was thought. */
void skua_loss_on_spurious(struct skua_recovery *rec, uint64_t pn);

/* Stamps a packet in flight that is about to be sent; before it is counted in bytes in flight. */
void skua_rate_on_sent(struct skua_recovery *rec, struct skua_sent *entry, skua_time now);

/* Makes the sample of one ACK from the newest packet that it newly acknowledged (a copy of its
 * entry from before). Everything acknowledged is in rec->delivered by now. */
void skua_rate_sample(struct skua_recovery *rec, const struct skua_sent *newest, skua_time now,
                      struct skua_rate_sample *out);

/* Drops settled packets from the front of the ring. A lost one stays for a while, so that a late
 * ACK shows that it was not. Does nothing while an iterator is not drained. */
void skua_recovery_drop_settled(struct skua_recovery *rec, skua_time now);

#endif
