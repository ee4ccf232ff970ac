/* Connection ids of both directions (RFC 9000 §5.1, §19.15, §19.16).
 *
 * An id is chosen by whoever receives packets under it. Each side tells the other a spare one, so
 * that a connection that moves to another address can be known by another id there, which nobody
 * else can connect with the first.
 *
 *   own ids      at most two: the one that the peer uses, and a spare. The owner (the endpoint)
 *                makes them, since it alone knows which are free: `wants_own` asks for one and
 *                `take_gone` gives one back that the peer has retired.
 *   peer's ids   the one in use on the present path, and spares with their tokens on the heap. A
 *                path that is being tried may have taken one of the spares.
 *
 * Both are bounded, whatever a peer does: it can have SKUA_LIMIT_ACTIVE_IDS ids held and
 * SKUA_LIMIT_RETIREMENTS given up and not acknowledged; more is an error. Frames are made from the
 * state of the moment, never queued. */
#ifndef SKUA_PATH_IDS_H
#define SKUA_PATH_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/cursor.h"
#include "base/limits.h"
#include "base/record.h"
#include "crypto/reset.h"
#include "wire/frame.h"
#include "wire/id.h"

struct skua_heap;

enum {
    SKUA_IDS_OWN = 2,   /* own ids at a time */
    SKUA_IDS_FRAMES = 3 /* most frames that one packet gets */
};

/* What has become of an own id. */
enum skua_own_state {
    SKUA_OWN_NONE, /* no id here */
    SKUA_OWN_DUE,  /* the peer is to be told */
    SKUA_OWN_LOST, /* it was told in a packet that was lost */
    SKUA_OWN_TOLD, /* it was told, or knows from the handshake */
    SKUA_OWN_GONE  /* the peer has retired it: for take_gone */
};

/* A spare id of the peer's. */
struct skua_spare_id {
    uint32_t sequence;                   /* the peer's number of it */
    bool taken;                          /* in use on the path that is being tried */
    struct skua_id id;                   /* dcid of packets to the peer */
    uint8_t token[SKUA_RESET_TOKEN_LEN]; /* of its stateless reset */
};

/* Ids given up and not yet known to the peer as such. */
struct skua_retiring {
    uint32_t sequence[SKUA_LIMIT_RETIREMENTS];
    uint16_t due;  /* bit i: RETIRE_CONNECTION_ID for sequence[i] is to be (re)sent */
    uint8_t count; /* of them; not 0 */
};

struct skua_ids {
    struct skua_spare_id *spares;        /* `spare_cap` of them on the heap, or NULL */
    struct skua_retiring *retiring;      /* on the heap while there are any, else NULL */
    uint32_t own_sequence[SKUA_IDS_OWN]; /* our number of each; of the last one, where NONE */
    uint32_t peer_sequence;              /* the peer's number of `peer` */
    uint32_t peer_next;                  /* lowest number of the peer's not yet received */
    uint32_t retire_prior;               /* the peer wants all before this one given up */
    uint16_t peer_seen;                  /* bit i: number peer_next + i was received */
    struct skua_id peer;                 /* dcid of packets along the present path */
    uint8_t token[SKUA_RESET_TOKEN_LEN]; /* of its stateless reset; zeros = not known */
    uint8_t own[SKUA_IDS_OWN][SKUA_OWN_ID_LEN];
    uint8_t own_state[SKUA_IDS_OWN]; /* enum skua_own_state */
    uint8_t own_used;                /* index of the one that the peer used last on this path */
    uint8_t own_heard;               /* ... on any path, other than to ask about one */
    uint8_t spare_count, spare_cap;  /* entries of `spares`, and its room */
    bool ready;                      /* the handshake is confirmed: spares may be told */
    bool due;                        /* there is a frame to write ... */
    bool urgent;                     /* ... that is worth a packet of its own */
};

/* `own` is the id of the handshake; `peer` is set by the caller when it is known. */
void skua_ids_init(struct skua_ids *ids, const struct skua_id *own);
void skua_ids_deinit(struct skua_ids *ids, struct skua_heap *heap);

/* --- own ids */

/* The own id that the peer used last on the present path. */
struct skua_id skua_ids_own(const struct skua_ids *ids);
/* The own id under which the peer's newest packet came that was not to ask about a path: in
 * LAST_ACK and CLOSING it uses no other. */
struct skua_id skua_ids_heard(const struct skua_ids *ids);
/* The handshake is confirmed. */
void skua_ids_on_confirmed(struct skua_ids *ids);
/* Is another own id wanted? Then skua_ids_add_own. */
bool skua_ids_wants_own(const struct skua_ids *ids);
void skua_ids_add_own(struct skua_ids *ids, const struct skua_id *id);
/* Takes out an own id that the peer has retired; false where there is none. */
bool skua_ids_take_gone(struct skua_ids *ids, struct skua_id *out);
/* Takes out any own id; false where none is left. For the end of the connection. */
bool skua_ids_take_any(struct skua_ids *ids, struct skua_id *out);

/* An authentic packet came under `dcid`, which is an own id. True where that is not the id that the
 * peer used before on the present path. */
static inline bool skua_ids_is_other(const struct skua_ids *ids, const uint8_t *dcid)
{
    return memcmp(ids->own[ids->own_used], dcid, SKUA_OWN_ID_LEN) != 0;
}
/* True also where the last one was heard on another path: that is to be noted too. */
static inline bool skua_ids_is_news(const struct skua_ids *ids, const uint8_t *dcid)
{
    return ids->own_heard != ids->own_used || skua_ids_is_other(ids, dcid);
}
/* Notes it as used on the present path, or (not `here`) as heard on another one. */
void skua_ids_on_used(struct skua_ids *ids, const uint8_t *dcid, bool here);

/* --- frames of the peer's */

/* NEW_CONNECTION_ID. PROTOCOL where it contradicts what was said, CONNECTION_ID_LIMIT, INTERNAL (no
 * memory to give one up; where there is none for a spare, it is forgotten). `ids->peer` may have
 * changed: the peer wants the old one given up. */
enum skua_code skua_ids_on_new(struct skua_ids *ids, struct skua_heap *heap,
                               const struct skua_frame *frame);
/* RETIRE_CONNECTION_ID, in a packet under `dcid`. PROTOCOL for an id that the peer was never told,
 * or the one that the packet came under. True in `*gone`: see take_gone. */
enum skua_code skua_ids_on_retire(struct skua_ids *ids, uint64_t sequence, const uint8_t *dcid,
                                  bool *gone);

/* --- frames for the peer */

/* Writes what is due and fits, at most `max` (and SKUA_IDS_FRAMES) frames, each with its record;
 * returns how many. `key` makes reset tokens. */
size_t skua_ids_write_frames(struct skua_ids *ids, const struct skua_secret *key,
                             struct skua_writer *w, struct skua_record *records, size_t max);
/* The fate of a frame; records of other frames are ignored. */
void skua_ids_on_acked(struct skua_ids *ids, struct skua_heap *heap,
                       const struct skua_record *record);
void skua_ids_on_lost(struct skua_ids *ids, const struct skua_record *record);

/* --- the peer's ids */

/* Takes a spare for a path to be tried; false where there is none, or too many given up. At most
 * one is taken at a time. */
bool skua_ids_take(struct skua_ids *ids);
/* The id for that path: the one taken, else the one in use. */
const struct skua_id *skua_ids_other(const struct skua_ids *ids);
/* The path has become the present one: the id taken is in use, and the one before given up. */
enum skua_code skua_ids_adopt(struct skua_ids *ids, struct skua_heap *heap);
/* It was given up, and the id taken with it. */
enum skua_code skua_ids_drop_taken(struct skua_ids *ids, struct skua_heap *heap);

/* Bytes on the heap. */
size_t skua_ids_memory(const struct skua_ids *ids);
/* Asserts the invariants; for tests. */
void skua_ids_check(const struct skua_ids *ids);

#endif
