/* Connections that are over, but may still be asked about: the TIME_WAIT table.
 *
 * A record is the sealed last packet of a connection ({FIN_ACK, ACK}, or a RST) and what it takes
 * to send it again: the id it listens to, and how often it may answer. Whoever asks is answered,
 * wherever he is by now: only the peer can read it, and it is shorter than the question. All keys
 * are gone. Any longer packet for the id is answered by the same bytes, at most once per PTO/4 and
 * SKUA_TIME_WAIT_ANSWERS times (tireless records: each and every one); the first one doubles the
 * record's time (docs/protocol.md, "TIME_WAIT"). Shorter packets are not answered, so two records
 * can never talk to each other.
 *
 * Records lie in buckets by the time at which they end: adding, removing and ending take constant
 * time. The table is bounded by SKUA_LIMIT_TIME_WAIT_MAX; where it is full, those that end first
 * leave first. */
#ifndef SKUA_ENDPOINT_TIME_WAIT_H
#define SKUA_ENDPOINT_TIME_WAIT_H

#include <skua/skua.h>

#include "base/list.h"
#include "base/map.h"
#include "endpoint/answers.h"
#include "wire/id.h"

struct skua_heap;

enum {
    SKUA_TIME_WAIT_ANSWERS = 16, /* most answers of one record */
    SKUA_TIME_WAIT_BUCKETS = 128 /* of SKUA_TIME_WAIT_GRAIN each */
};
#define SKUA_TIME_WAIT_GRAIN (100 * SKUA_MSEC)
/* Where the configuration does not say how long, it is three PTOs, and no less than this: the peer
 * repeats its FIN less and less often, up to every 8 s, and whatever was lost on the way when
 * TIME_WAIT began must not have ended by then. */
#define SKUA_TIME_WAIT_LEAST (10 * SKUA_SEC)

struct skua_time_wait {
    struct skua_heap *heap;
    struct skua_idmap by_id;                         /* own id -> record */
    struct skua_node bucket[SKUA_TIME_WAIT_BUCKETS]; /* records by when they end */
    uint64_t tick; /* first bucket not yet gone through, in grains */
};

/* What a record is made from. */
struct skua_time_wait_entry {
    const struct skua_id *id; /* own id of the connection */
    const uint8_t *packet;    /* the sealed last packet; copied */
    size_t packet_len;
    skua_time length_ns; /* of TIME_WAIT */
    skua_time pto_ns;    /* at the end */
    bool tireless;       /* answers everything: who has seen the id must not use answers up */
};

void skua_time_wait_init(struct skua_time_wait *tw, struct skua_heap *heap, const uint8_t key[16]);
void skua_time_wait_deinit(struct skua_time_wait *tw);
/* Adds a record. Where there is no memory there is none, and repeats of the peer stay unanswered.
 */
void skua_time_wait_add(struct skua_time_wait *tw, const struct skua_time_wait_entry *entry,
                        skua_time now);
/* A datagram that may be for a record. */
struct skua_question {
    const uint8_t *id;            /* its dcid */
    size_t id_len;                /* bytes of it */
    size_t len;                   /* of the whole datagram */
    const struct skua_path *path; /* where it came from, and an answer goes */
};

/* True where a record takes it, and answers if it should. */
bool skua_time_wait_recv(struct skua_time_wait *tw, const struct skua_question *question,
                         struct skua_answers *answers, skua_time now);
/* Whether `id` is still taken by a record. */
bool skua_time_wait_has(const struct skua_time_wait *tw, const struct skua_id *id);
/* When records may end; SKUA_NEVER where there are none. */
skua_time skua_time_wait_next_timeout(const struct skua_time_wait *tw);
void skua_time_wait_on_timeout(struct skua_time_wait *tw, skua_time now);

static inline size_t skua_time_wait_count(const struct skua_time_wait *tw)
{
    return skua_idmap_count(&tw->by_id);
}

#endif
