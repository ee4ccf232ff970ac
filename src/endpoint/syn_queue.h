/* The SYN queue: half-open entries (TCP's SYN_RCVD), so that a SYN never builds a connection.
 *
 * An entry is what the third packet will need, and the SYN_ACK's bytes, which are sent again as
 * they are. It takes at most SKUA_LIMIT_HALF_OPEN_MAX bytes; its ids are read from the stored
 * SYN_ACK. Entries are found by the server's id, and repeats of a SYN by a fingerprint of path
 * and SYN, before any multiplication. When the third packet has come, the fingerprint stays for
 * a while, so that a late copy of the SYN opens nothing.
 *
 * Where the queue is full, an entry whose SYN_ACK has been repeated makes room for a new one: a
 * client that lives answers the first. So spoofed SYNs fill the queue for a second, not for as long
 * as their entries last.
 *
 * Entries whose SYN_ACK is due are on `due`; the others wait on the list of their repeat count,
 * each list in the order of its deadlines: no heap, constant time. */
#ifndef SKUA_ENDPOINT_SYN_QUEUE_H
#define SKUA_ENDPOINT_SYN_QUEUE_H

#include <skua/skua.h>

#include "base/list.h"
#include "base/map.h"
#include "crypto/tag.h"
#include "handshake/responder.h"

struct skua_heap;

/* syn_retries is at most 16 (conn/settings.c). */
enum { SKUA_SYN_LEVELS = 18 };

struct skua_half_open {
    struct skua_node link;             /* on `due` or a level; first member */
    skua_time first_sent;              /* when the SYN_ACK first left; SKUA_NEVER = not yet */
    skua_time repeat_at;               /* when it is due again */
    struct skua_path path;             /* where the SYN came from */
    uint8_t fingerprint[SKUA_TAG_LEN]; /* of the SYN */
    uint8_t level;                     /* repeats by timer so far */
    bool repeated : 1;                 /* sent more than once: no RTT sample */
    bool doubted : 1;                  /* a third packet for it cost a multiplication, in vain */
    bool early : 1; /* a connection with the same id waits for the third packet */
    bool over : 1;  /* that connection has ended; a client that repeats its SYN is to hear of it */
    bool rendezvous : 1;             /* answers a SYN with that flag */
    uint8_t syn_ack_len;             /* bytes of `syn_ack` */
    struct skua_responder responder; /* secret */
    uint8_t syn_ack[];               /* the packet */
};

struct skua_syn_queue {
    struct skua_heap *heap;
    struct skua_idmap by_id;          /* own id -> entry */
    struct skua_idmap by_fingerprint; /* fingerprint -> entry */
    struct skua_idmap spent;          /* fingerprint -> record of a SYN that became a connection */
    struct skua_node due;             /* entries whose SYN_ACK is to be sent */
    struct skua_node level[SKUA_SYN_LEVELS]; /* waiting entries by repeat count */
    struct skua_node spent_by_age;           /* records, the oldest first */
    uint8_t key[SKUA_FINGERPRINT_KEY_LEN];   /* of the fingerprint */
    uint32_t retries;                        /* repeats before an entry is given up */
    uint32_t backlog;                        /* most entries */
};

void skua_syn_queue_init(struct skua_syn_queue *q, struct skua_heap *heap, const uint8_t key[16]);
void skua_syn_queue_deinit(struct skua_syn_queue *q);
/* Nobody listens any more: drops every entry but those of rendezvous and of connections. */
void skua_syn_queue_clear(struct skua_syn_queue *q);

/* Whether an entry can be added: there is room, or an entry that makes some. */
bool skua_syn_queue_has_room(const struct skua_syn_queue *q);
/* Adds an entry for an answered SYN; its SYN_ACK (with our id `id`) is due at once. SKUA_ENOMEM,
 * SKUA_ELIMIT. */
enum skua_err skua_syn_queue_add(struct skua_syn_queue *q, const struct skua_half_open *entry,
                                 const uint8_t *syn_ack, const struct skua_id *id);
/* A SYN with this fingerprint was seen before: true, and where it is still half-open its SYN_ACK is
 * due again. */
bool skua_syn_queue_repeat(struct skua_syn_queue *q, const uint8_t fingerprint[SKUA_TAG_LEN],
                           skua_time now);
/* The SYN has come along `path`, which its sender has proved, and has this fingerprint there: the
 * entry is its from now on, and the SYN_ACK due again. SKUA_ENOMEM: nothing has changed. */
enum skua_err skua_syn_queue_move(struct skua_syn_queue *q, struct skua_half_open *entry,
                                  const struct skua_path *path,
                                  const uint8_t fingerprint[SKUA_TAG_LEN], skua_time now);
/* The client has taken its SYN back: the entry goes (`*own` is its own id), its fingerprint stays
 * until `until`. False where there is none. */
bool skua_syn_queue_cancel(struct skua_syn_queue *q, const uint8_t fingerprint[SKUA_TAG_LEN],
                           skua_time until, struct skua_id *own);
/* The entry with own id `id`, or NULL. */
struct skua_half_open *skua_syn_queue_find(const struct skua_syn_queue *q, const uint8_t *id,
                                           size_t len);
/* The two ids of an entry: ours and the client's. */
void skua_half_open_ids(const struct skua_half_open *entry, struct skua_id *own,
                        struct skua_id *peer);
/* Takes the entry with own id `id` away, as if there had been no SYN. */
void skua_syn_queue_drop(struct skua_syn_queue *q, const struct skua_id *id);
/* The third packet has come: the entry goes, its fingerprint stays until `until`. */
void skua_syn_queue_spend(struct skua_syn_queue *q, struct skua_half_open *entry, skua_time until);
/* Moves the next SYN_ACK that is due into `tx`; false where there is none. */
bool skua_syn_queue_send(struct skua_syn_queue *q, struct skua_tx *tx, skua_time now);
skua_time skua_syn_queue_next_timeout(const struct skua_syn_queue *q);
void skua_syn_queue_on_timeout(struct skua_syn_queue *q, skua_time now);

static inline size_t skua_syn_queue_count(const struct skua_syn_queue *q)
{
    return skua_idmap_count(&q->by_id);
}

#endif
