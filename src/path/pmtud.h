/* Path MTU discovery by probing: DPLPMTUD, RFC 8899, over sizes of UDP payload.
 *
 * Starts at 1,200 bytes, which the handshake has proved. Tries the largest size first, then sizes
 * that are common in practice, then halves what is left. A size fails after three lost probes; one
 * probe is under way at a time. A probe's loss means nothing else: it never reaches congestion
 * control.
 *
 * A black hole (the path shrank, or drops large packets silently) is believed only where large
 * packets are lost while smaller ones sent later arrive, twice, with no large one in between; then
 * the size goes down one step, and probing starts again at once, so that an error costs little.
 * Where probes pass and a black hole shows again before the raise timer, the lower size stays until
 * then.
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

/* Sizes fit 16 bits: the largest payload and one more do. */
struct skua_pmtud {
    skua_time raise_time;      /* when to search again, or SKUA_NEVER */
    skua_time hole_time;       /* when the last suspicion was established: packets sent before count
                                  no more */
    skua_time black_hole_time; /* when the last black hole was believed, or SKUA_NEVER */
    uint32_t black_holes;      /* for stats */
    uint16_t mtu;              /* present size, known to work */
    uint16_t max;              /* largest size that both ends allow */
    uint16_t ceiling;          /* sizes from here on are taken not to work; max + 1 = none known */
    uint16_t goal;             /* largest size of this search */
    uint16_t size;             /* size being tried; 0 = none chosen */
    uint16_t acked_size;       /* largest packet that the last ACK newly acknowledged */
    uint16_t hole_size;        /* smallest of the lost packets that make a suspicion; 0 = none */
    uint8_t hole_losses;       /* how many */
    uint8_t hole_episodes;     /* suspicions that hold so far */
    uint8_t goal_losses;       /* probes of `goal` lost */
    uint8_t losses;            /* probes of `size` lost */
    bool enabled;              /* probing is allowed: the handshake is confirmed */
    bool in_flight;            /* a probe of `size` is under way */
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

/* The probe was sent, arrived, or was declared lost. True where the MTU changed. */
void skua_pmtud_on_probe_sent(struct skua_pmtud *pmtud, uint32_t size);
bool skua_pmtud_on_probe_acked(struct skua_pmtud *pmtud, uint32_t size);
void skua_pmtud_on_probe_lost(struct skua_pmtud *pmtud, uint32_t size);

/* An ACK newly acknowledged packets in flight, the largest of `size` bytes (MTU probes not
 * counted). Before on_packet_lost for the same ACK. */
void skua_pmtud_on_packet_acked(struct skua_pmtud *pmtud, uint32_t size);

/* `count` packets were declared lost, the smallest of `size_min` bytes, the newest sent at
 * `newest_sent` (MTU probes not counted). Returns true where the MTU was lowered. */
bool skua_pmtud_on_packet_lost(struct skua_pmtud *pmtud, uint32_t size_min, uint64_t count,
                               skua_time newest_sent, skua_time now);

/* The local kernel refused a datagram of `size` bytes (EMSGSIZE). A probe under way is given up:
 * its later loss is ignored. Returns true where the MTU was lowered. */
bool skua_pmtud_on_too_big(struct skua_pmtud *pmtud, uint32_t size);

/* Packets leave along another path to the same host: what is under way is not heard of any more. */
void skua_pmtud_on_path(struct skua_pmtud *pmtud);

/* Size for packets of a PTO: after the second in a row large ones may be what is lost, so small
 * ones are sent, whose arrival also is what proves a black hole. */
uint32_t skua_pmtud_pto_size(const struct skua_pmtud *pmtud, uint32_t pto_count);

/* Asserts the invariants; for tests. */
void skua_pmtud_check(const struct skua_pmtud *pmtud);

#endif
