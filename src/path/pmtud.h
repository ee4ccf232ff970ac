/* Path MTU discovery by probing: DPLPMTUD, RFC 8899, over sizes of UDP payload.
 *
 * Starts at 1,200 bytes, which the handshake has proved. Tries the largest size first, then sizes
 * that are common in practice, then halves what is left. A size fails after three lost probes; one
 * probe is under way at a time. A probe's loss means nothing else: it never reaches congestion
 * control.
 *
 * A black hole (the path shrank, or drops large packets silently) is suspected where four packets
 * of more than 1,200 bytes were lost while something smaller that left later arrived, and none of
 * the present size did. From then on data leave in packets of 1,200 bytes, so that nothing waits
 * for the judgement; that is for probes of the size that was: the first to arrive dismisses the
 * suspicion, three lost in a row make it a belief, and the search begins again below. Where small
 * packets are lost as well, chance is likelier, and it takes six. A path that lets probes pass and
 * no data is found out by the third suspicion without large data arriving in between: that one is
 * believed at once, and for as long as the raise timer.
 *
 * Pure: no clock, no memory, deterministic. */
#ifndef SKUA_PATH_PMTUD_H
#define SKUA_PATH_PMTUD_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>

/* RFC 8899 §5.1.1: PMTU_RAISE_TIMER. */
#define SKUA_PMTUD_RAISE_NS (600 * SKUA_SEC)
/* RFC 8899 §5.1.2: MAX_PROBES. */
#define SKUA_PMTUD_MAX_PROBES 3

/* ... where packets that should have passed are lost as well. */
#define SKUA_PMTUD_MAX_PROBES_LOSSY 6

/* Sizes fit 16 bits: the largest payload and one more do. */
struct skua_pmtud {
    skua_time raise_time; /* when to search again, or SKUA_NEVER */
    uint16_t mtu;         /* present size of data packets, known to work */
    uint16_t max;         /* largest size that both ends allow */
    uint16_t ceiling;     /* sizes from here on are taken not to work; max + 1 = none known */
    uint16_t goal;        /* largest size of this search */
    uint16_t size;        /* size being tried; 0 = none chosen */
    uint16_t suspect;     /* size that worked, and that probes are to judge now; 0 = none */
    uint16_t hole_size;   /* smallest of the lost packets that may make a suspicion; 0 = none */
    uint8_t hole_losses;  /* how many */
    uint8_t dismissed;    /* suspicions that a probe dismissed, with no data of full size since */
    uint8_t goal_losses;  /* probes of `goal` lost */
    uint8_t losses;       /* probes of `size` lost */
    bool enabled : 1;     /* probing is allowed: the handshake is confirmed */
    bool in_flight : 1;   /* a probe of `size` is under way */
    bool lossy : 1;       /* since `size` was chosen, packets were lost that should have passed */
};

/* Packets that were declared lost, MTU probes not counted. */
struct skua_pmtud_loss {
    uint64_t packets;   /* all of them */
    uint64_t small;     /* of at most 1,200 bytes */
    uint64_t large;     /* of more than 1,200 bytes, with none of full size that left later acked */
    uint32_t large_min; /* smallest of the large ones, bytes */
};

/* `max`: what this host can send at most, 1,200 to 65,507. Probing starts with skua_pmtud_start. */
void skua_pmtud_init(struct skua_pmtud *pmtud, uint32_t max);

/* The handshake is confirmed and the peer takes at most `peer_max` bytes. */
void skua_pmtud_start(struct skua_pmtud *pmtud, uint32_t peer_max);

/* Size of the probe to send now, or 0. A probe is ack-eliciting, padded to exactly this size, and
 * fits into the congestion window. */
uint32_t skua_pmtud_probe_size(struct skua_pmtud *pmtud, skua_time now);

/* When skua_pmtud_probe_size may become other than 0 by itself, or SKUA_NEVER. */
skua_time skua_pmtud_deadline(const struct skua_pmtud *pmtud);

/* The largest size that is taken to work: `mtu`, or what probes are still to judge. */
static inline uint32_t skua_pmtud_trusted(const struct skua_pmtud *pmtud)
{
    return pmtud->suspect != 0 ? pmtud->suspect : pmtud->mtu;
}

/* The probe was sent. */
void skua_pmtud_on_probe_sent(struct skua_pmtud *pmtud, uint32_t size);
/* It arrived. True where the MTU changed. */
bool skua_pmtud_on_probe_acked(struct skua_pmtud *pmtud, uint32_t size);
/* It was declared lost. True where a black hole is believed for it. */
bool skua_pmtud_on_probe_lost(struct skua_pmtud *pmtud, uint32_t size);

/* An ACK newly acknowledged packets in flight, the largest of `size` bytes (MTU probes not
 * counted). Before on_packet_lost for the same ACK. True where the MTU changed. */
bool skua_pmtud_on_packet_acked(struct skua_pmtud *pmtud, uint32_t size);

/* Packets were declared lost. True where the MTU was lowered: for a suspicion where `suspect` is
 * set afterwards, else for a belief. */
bool skua_pmtud_on_packet_lost(struct skua_pmtud *pmtud, const struct skua_pmtud_loss *loss,
                               skua_time now);

/* The local kernel refused a datagram of `size` bytes (EMSGSIZE). A probe under way is given up:
 * its later loss is ignored. Returns true where the MTU was lowered. */
bool skua_pmtud_on_too_big(struct skua_pmtud *pmtud, uint32_t size);

/* Packets leave along another path to the same host: what is under way is not heard of any more. */
void skua_pmtud_on_path(struct skua_pmtud *pmtud);

/* Size of the next packet of a PTO, which `left` more may follow: small ones but for the first one
 * of the first PTO, since large ones may be what is lost. That the small one arrives and the large
 * one does not is what makes a suspicion. */
uint32_t skua_pmtud_pto_size(const struct skua_pmtud *pmtud, uint32_t pto_count, uint32_t left);

/* Asserts the invariants; for tests. */
void skua_pmtud_check(const struct skua_pmtud *pmtud);

#endif
