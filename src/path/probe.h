/* Whether a path works: RFC 9000 §8.2, one path at a time.
 *
 * PATH_CHALLENGE carries 8 random bytes to an address, and whoever sends them back in PATH_RESPONSE
 * from there can receive at it. A challenge is repeated with fresh bytes after a PTO, which doubles
 * each time; an answer to any of the newest ones counts. At the end of its time the path is given
 * up.
 *
 * An address that has not answered yet may be a victim's. Towards it a limited probe sends at most
 * three times what came from there (RFC 9000 §8.1), so its first challenge may be too small to show
 * that the path takes 1,200 bytes; `SKUA_PROBE_SMALL` says so, and a large one follows.
 *
 * Pure: no clock, no memory, no randomness of its own. */
#ifndef SKUA_PATH_PROBE_H
#define SKUA_PATH_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>

enum { SKUA_PROBE_CHALLENGES = 4 }; /* newest challenges whose answers count */

/* RFC 9000 §8.2.4: three times the larger of the present PTO and that of a path without a sample.
 */
#define SKUA_PROBE_PATIENCE_NS (3 * SKUA_SEC)

struct skua_challenge {
    uint64_t data;     /* what was sent */
    skua_time sent_at; /* SKUA_NEVER = none */
    bool large;        /* in a datagram of 1,200 bytes */
};

struct skua_probe {
    struct skua_path path;
    struct skua_challenge sent[SKUA_PROBE_CHALLENGES]; /* ring of the newest */
    skua_time next_at;                                 /* when the next is due */
    skua_time interval_ns;                             /* between the last and the next */
    skua_time end_at;                                  /* when the path is given up */
    uint64_t in, out; /* bytes that came from there, and that went there */
    uint32_t count;   /* challenges sent */
    bool limited;     /* `out` is at most three times `in` */
    bool proven;      /* something was answered: the address is the peer's */
};

enum skua_probe_result {
    SKUA_PROBE_NOTHING, /* no answer to any challenge of this probe */
    SKUA_PROBE_SMALL,   /* the address is the peer's; a large challenge is due */
    SKUA_PROBE_DONE     /* the path works */
};

/* The first challenge is due at once. `pto` paces repeats. */
void skua_probe_start(struct skua_probe *probe, const struct skua_path *path, bool limited,
                      skua_time pto, skua_time now);

/* `bytes` authentic ones came along the path. */
static inline void skua_probe_on_received(struct skua_probe *probe, uint64_t bytes)
{
    probe->in += bytes;
}

/* Bytes that may be sent there now; UINT32_MAX = no limit. */
uint32_t skua_probe_room(const struct skua_probe *probe);

/* Size of a datagram with a challenge to send now: 1,200, or less where the limit asks for that; 0
 * where none is due, or too little is allowed for one of `least` bytes. */
uint32_t skua_probe_size(const struct skua_probe *probe, uint32_t least, skua_time now);

/* A datagram of `size` bytes was sent there. `data` is its challenge, if `challenge`. */
void skua_probe_on_sent(struct skua_probe *probe, uint32_t size, bool challenge, uint64_t data,
                        skua_time now);

/* PATH_RESPONSE came along the path. `*rtt` is the round-trip time where the result is not NOTHING.
 */
enum skua_probe_result skua_probe_on_response(struct skua_probe *probe, uint64_t data,
                                              skua_time *rtt, skua_time now);

/* When the next challenge is due, or the path is to be given up. Where the limit forbids a
 * challenge, only the latter. */
skua_time skua_probe_deadline(const struct skua_probe *probe, uint32_t least);

#endif
