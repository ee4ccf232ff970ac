/* Sent packets that still matter: a ring of 64-byte entries addressed by packet number, and a pool
 * for the records that do not fit into an entry.
 *
 * The ring holds the numbers from `first` to `next` - 1; the entry of number n is at n modulo the
 * capacity. A number skipped on purpose has an entry too. What a union member means follows from
 * `state`. Room is asked for before a packet is sealed (skua_sent_reserve); pushing then cannot
 * fail.
 */
#ifndef SKUA_RECOVERY_SENT_H
#define SKUA_RECOVERY_SENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/record.h"

/* No further record; no packet number. */
#define SKUA_SENT_NO_RECORD UINT32_MAX
#define SKUA_SENT_NO_PN     UINT64_MAX

/* Flags of a sent packet. HAS_RECORD and APP_LIMITED are recovery's own, the others the sender's to
 * set. */
enum {
    SKUA_SENT_ELICITING = 1, /* ack-eliciting */
    SKUA_SENT_IN_FLIGHT = 2, /* subject to loss detection, and unless an MTU probe counted in bytes
                                in flight (RFC 9002 §2) */
    SKUA_SENT_MTU_PROBE = 4, /* a PMTUD probe: its loss says nothing about congestion */
    SKUA_SENT_APP_LIMITED = 8, /* the sender had nothing more to send then */
    SKUA_SENT_HAS_RECORD = 16, /* `record` is in use */
    SKUA_SENT_ECT = 32,        /* left with ECT(0) in its IP header */
    SKUA_SENT_OTHER_PATH = 64 /* not along the present path: sent before it came into use, or to try
                                 another. The sender may set it for what is not ack-eliciting */
};

/* What says nothing about congestion on the present path, nor about its RTT and MTU. */
enum { SKUA_SENT_APART = SKUA_SENT_MTU_PROBE | SKUA_SENT_OTHER_PATH };

enum skua_sent_state {
    SKUA_SENT_VOID,        /* skipped, or forgotten: nothing here */
    SKUA_SENT_OUTSTANDING, /* neither acknowledged nor lost */
    SKUA_SENT_LOST,        /* declared lost, kept to notice that it was not */
    SKUA_SENT_ACKED        /* acknowledged */
};

/* What the delivery rate needs to know from the time of sending (draft-cheng-iccrg-delivery-rate-
 * estimation §3). Ages are relative to time_sent in units of SKUA_SENT_AGE_NS and saturate. */
struct skua_sent_stamp {
    uint64_t delivered;      /* bytes delivered on the connection until then */
    uint32_t delivered_age;  /* since the last of these was acknowledged */
    uint32_t first_sent_age; /* since the start of the sending interval */
    uint32_t in_flight;      /* bytes in flight, this packet included; saturates */
    uint32_t lost;           /* bytes lost on the connection until then, modulo 2^32 */
};
enum { SKUA_SENT_AGE_NS = 64 };

/* What replaces the stamp once the packet's fate is known. */
struct skua_sent_fate {
    uint64_t next;    /* next packet number of the list to be drained, or SKUA_SENT_NO_PN */
    uint64_t skip_to; /* ACKED: down to this number everything is known to be settled */
    skua_time since;  /* LOST: when it was declared */
};

struct skua_sent {
    skua_time time_sent; /* when it was sealed */
    union {
        struct skua_sent_stamp stamp; /* while OUTSTANDING */
        struct skua_sent_fate fate;   /* while LOST or ACKED */
    } u;
    struct skua_record record; /* first frame, where HAS_RECORD */
    uint16_t size;             /* UDP payload, bytes */
    uint8_t flags;             /* SKUA_SENT_... */
    uint8_t state;             /* enum skua_sent_state */
    uint32_t more;             /* further records in the pool, or SKUA_SENT_NO_RECORD */
};
SKUA_STATIC_ASSERT(sizeof(struct skua_sent) == 64, "one cache line");

/* A record of the pool. */
struct skua_sent_more {
    struct skua_record record;
    uint32_t next; /* next of the same packet or of the free list, or SKUA_SENT_NO_RECORD */
};

struct skua_sent_map {
    struct skua_heap *heap;      /* where both arrays live */
    struct skua_sent *ring;      /* `cap` entries, or NULL */
    uint64_t first;              /* lowest number held; `next` where there is none */
    uint64_t next;               /* number of the next packet */
    struct skua_sent_more *pool; /* `pool_cap` records, or NULL */
    uint32_t cap;                /* 0 or a power of two */
    uint32_t pool_cap;           /* 0 or a power of two */
    uint32_t pool_free;          /* head of the free list, or SKUA_SENT_NO_RECORD */
    uint32_t pool_left;          /* records on the free list */
};

void skua_sent_init(struct skua_sent_map *map, struct skua_heap *heap);
void skua_sent_deinit(struct skua_sent_map *map);

/* Is there room for `packets` numbers and `records` records beyond each packet's first? */
static inline bool skua_sent_has_room(const struct skua_sent_map *map, uint32_t packets,
                                      uint32_t records)
{
    return map->next - map->first + packets <= map->cap && records <= map->pool_left;
}

/* Makes it. SKUA_ELIMIT beyond SKUA_LIMIT_SENT_PACKETS_MAX of either, SKUA_ENOMEM: nothing changed.
 */
enum skua_err skua_sent_reserve(struct skua_sent_map *map, uint32_t packets, uint32_t records);

/* The entry of number `next`, which is counted up: zeroed but for `more`. Errors as reserve. */
enum skua_err skua_sent_push(struct skua_sent_map *map, struct skua_sent **out);

/* Stores the records of a packet. Errors as reserve; the entry is as before then. */
enum skua_err skua_sent_put_records(struct skua_sent_map *map, struct skua_sent *entry,
                                    const struct skua_record *records, size_t count);

/* Takes the next record off an entry; false where there is none left. */
bool skua_sent_take_record(struct skua_sent_map *map, struct skua_sent *entry,
                           struct skua_record *out);

/* Gives all records of an entry back. */
void skua_sent_drop_records(struct skua_sent_map *map, struct skua_sent *entry);

/* What a packet counts in bytes in flight: an MTU probe, which may be larger than the whole
 * congestion window, nothing (RFC 8899 §3, item 7), nor one along another path (RFC 9000 §9.4). */
static inline uint32_t skua_sent_flight(const struct skua_sent *entry)
{
    bool counts = (entry->flags & (SKUA_SENT_IN_FLIGHT | SKUA_SENT_APART)) == SKUA_SENT_IN_FLIGHT;
    return counts ? entry->size : 0;
}

/* The entry of `pn`, which is held. */
static inline struct skua_sent *skua_sent_at(const struct skua_sent_map *map, uint64_t pn)
{
    return &map->ring[pn & (map->cap - 1)];
}

static inline bool skua_sent_holds(const struct skua_sent_map *map, uint64_t pn)
{
    return pn >= map->first && pn < map->next;
}

/* Frees all memory of a map that holds no number. */
void skua_sent_release(struct skua_sent_map *map);

/* Asserts the invariants; for tests. */
void skua_sent_check(const struct skua_sent_map *map);

#endif
