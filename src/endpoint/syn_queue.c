/* Half-open entries: see syn_queue.h. */
#include "endpoint/syn_queue.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/time.h"
#include "wire/header.h"

SKUA_STATIC_ASSERT(offsetof(struct skua_half_open, syn_ack) + SKUA_SYN_ACK_CAP -
                           (SKUA_LIMIT_ID_MAX - SKUA_OWN_ID_LEN) <=
                       SKUA_LIMIT_HALF_OPEN_MAX,
                   "a half-open entry is at most as large as documented");
SKUA_STATIC_ASSERT(SKUA_SYN_ACK_CAP <= UINT8_MAX, "syn_ack_len is a byte");

/* What stays of a SYN that became a connection. */
struct spent {
    struct skua_node link; /* first member */
    skua_time until;       /* when it may be forgotten */
    uint8_t fingerprint[SKUA_TAG_LEN];
};

static size_t entry_size(const struct skua_half_open *entry)
{
    return offsetof(struct skua_half_open, syn_ack) + entry->syn_ack_len;
}

void skua_half_open_ids(const struct skua_half_open *entry, struct skua_id *own,
                        struct skua_id *peer)
{
    struct skua_head head;
    enum skua_verdict verdict =
        skua_header_peek(entry->syn_ack, entry->syn_ack_len, SKUA_OWN_ID_LEN, &head);
    SKUA_ASSERT(verdict == SKUA_VERDICT_OK); /* we wrote it */
    *own = skua_id_of(head.scid, head.scid_len);
    *peer = skua_id_of(head.dcid, head.dcid_len);
}

static void entry_drop(struct skua_syn_queue *q, struct skua_half_open *entry)
{
    struct skua_id own;
    struct skua_id peer;
    skua_half_open_ids(entry, &own, &peer);
    (void)skua_idmap_remove(&q->by_id, own.bytes, own.len);
    (void)skua_idmap_remove(&q->by_fingerprint, entry->fingerprint, SKUA_TAG_LEN);
    skua_list_remove(&entry->link);
    size_t size = entry_size(entry);
    skua_wipe(entry, size);
    skua_heap_put(q->heap, entry, size);
}

static void spent_drop(struct skua_syn_queue *q, struct spent *spent)
{
    (void)skua_idmap_remove(&q->spent, spent->fingerprint, SKUA_TAG_LEN);
    skua_list_remove(&spent->link);
    skua_heap_put(q->heap, spent, sizeof *spent);
}

void skua_syn_queue_init(struct skua_syn_queue *q, struct skua_heap *heap, const uint8_t key[16])
{
    q->heap = heap;
    skua_idmap_init(&q->by_id, heap, key, SKUA_OWN_ID_LEN);
    skua_idmap_init(&q->by_fingerprint, heap, key, SKUA_TAG_LEN);
    skua_idmap_init(&q->spent, heap, key, SKUA_TAG_LEN);
    skua_list_init(&q->due);
    skua_list_init(&q->spent_by_age);
    for (size_t i = 0; i < SKUA_SYN_LEVELS; i++) {
        skua_list_init(&q->level[i]);
    }
}

static void clear_list(struct skua_syn_queue *q, struct skua_node *list, bool all)
{
    struct skua_node *node = skua_list_first(list);
    while (node != NULL) {
        struct skua_half_open *entry = SKUA_CONTAINER_OF(node, struct skua_half_open, link);
        node = skua_list_next(list, node);
        if (all || (!entry->rendezvous && !entry->early)) {
            entry_drop(q, entry);
        }
    }
}

static void clear_lists(struct skua_syn_queue *q, bool all)
{
    clear_list(q, &q->due, all);
    for (size_t i = 0; i < SKUA_SYN_LEVELS; i++) {
        clear_list(q, &q->level[i], all);
    }
}

void skua_syn_queue_clear(struct skua_syn_queue *q)
{
    clear_lists(q, false);
}

void skua_syn_queue_deinit(struct skua_syn_queue *q)
{
    clear_lists(q, true);
    struct skua_node *node;
    while ((node = skua_list_first(&q->spent_by_age)) != NULL) {
        spent_drop(q, SKUA_CONTAINER_OF(node, struct spent, link));
    }
    skua_idmap_deinit(&q->by_id);
    skua_idmap_deinit(&q->by_fingerprint);
    skua_idmap_deinit(&q->spent);
}

/* The entry that waits longest of those whose client did not answer the first SYN_ACK; NULL = none.
 * Those of connections do not count: what their SYN_ACK says must be said again, and they are few.
 */
static struct skua_half_open *least_promising(const struct skua_syn_queue *q)
{
    for (size_t i = SKUA_SYN_LEVELS - 1; i > 0; i--) {
        struct skua_node *node = skua_list_first(&q->level[i]);
        while (node != NULL) {
            struct skua_half_open *entry = SKUA_CONTAINER_OF(node, struct skua_half_open, link);
            if (!entry->early) {
                return entry;
            }
            node = skua_list_next(&q->level[i], node);
        }
    }
    return NULL;
}

bool skua_syn_queue_has_room(const struct skua_syn_queue *q)
{
    return skua_syn_queue_count(q) < q->backlog || least_promising(q) != NULL;
}

enum skua_err skua_syn_queue_add(struct skua_syn_queue *q, const struct skua_half_open *from,
                                 const uint8_t *syn_ack, const struct skua_id *id)
{
    if (skua_syn_queue_count(q) >= q->backlog) {
        struct skua_half_open *victim = least_promising(q);
        if (victim == NULL) {
            return SKUA_ELIMIT;
        }
        entry_drop(q, victim);
    }
    struct skua_half_open *entry = skua_heap_get(q->heap, entry_size(from));
    if (entry == NULL) {
        return SKUA_ENOMEM;
    }
    memcpy(entry, from, offsetof(struct skua_half_open, syn_ack));
    memcpy(entry->syn_ack, syn_ack, from->syn_ack_len);
    entry->link = (struct skua_node){NULL, NULL};
    entry->first_sent = SKUA_NEVER;
    if (skua_idmap_put(&q->by_id, id->bytes, id->len, entry) == SKUA_OK) {
        if (skua_idmap_put(&q->by_fingerprint, entry->fingerprint, SKUA_TAG_LEN, entry) ==
            SKUA_OK) {
            skua_list_push_back(&q->due, &entry->link);
            return SKUA_OK;
        }
        (void)skua_idmap_remove(&q->by_id, id->bytes, id->len);
    }
    size_t size = entry_size(entry);
    skua_wipe(entry, size);
    skua_heap_put(q->heap, entry, size);
    return SKUA_ENOMEM;
}

/* RFC 9000 §8.1: to an address that nobody has proved no more leaves than three times what came
 * from there. The last term is the RST of an application that ends the connection. */
SKUA_STATIC_ASSERT((1 + SKUA_EARLY_RETRIES_MAX) * SKUA_SYN_ACK_CAP + SKUA_LIMIT_EARLY_SEND +
                           SKUA_LIMIT_REASON_MAX + 64 <=
                       3 * SKUA_LIMIT_UDP_MIN,
                   "one SYN with early data pays for all that answers it");

/* Repeats of an entry by timer. */
static uint32_t retries_of(const struct skua_syn_queue *q, const struct skua_half_open *entry)
{
    return entry->early || entry->over ? skua_early_retries_of(q->retries) : q->retries;
}

/* When an entry is given up, whatever repeats arrive. */
static skua_time entry_end(const struct skua_syn_queue *q, const struct skua_half_open *entry)
{
    return skua_time_add(entry->first_sent, skua_time_backoff(retries_of(q, entry)));
}

/* The SYN has come again: so must its answer. */
static void make_due(struct skua_syn_queue *q, struct skua_half_open *entry, skua_time now)
{
    if (entry->first_sent != SKUA_NEVER && entry_end(q, entry) > now) {
        skua_list_remove(&entry->link);
        skua_list_push_back(&q->due, &entry->link);
    }
}

bool skua_syn_queue_repeat(struct skua_syn_queue *q, const uint8_t fingerprint[SKUA_TAG_LEN],
                           skua_time now)
{
    struct skua_half_open *entry = skua_idmap_get(&q->by_fingerprint, fingerprint, SKUA_TAG_LEN);
    if (entry == NULL) {
        return skua_idmap_get(&q->spent, fingerprint, SKUA_TAG_LEN) != NULL;
    }
    make_due(q, entry, now);
    return true;
}

enum skua_err skua_syn_queue_move(struct skua_syn_queue *q, struct skua_half_open *entry,
                                  const struct skua_path *path,
                                  const uint8_t fingerprint[SKUA_TAG_LEN], skua_time now)
{
    if (skua_idmap_put(&q->by_fingerprint, fingerprint, SKUA_TAG_LEN, entry) != SKUA_OK) {
        return SKUA_ENOMEM;
    }
    (void)skua_idmap_remove(&q->by_fingerprint, entry->fingerprint, SKUA_TAG_LEN);
    memcpy(entry->fingerprint, fingerprint, SKUA_TAG_LEN);
    entry->path = *path;
    make_due(q, entry, now);
    return SKUA_OK;
}

struct skua_half_open *skua_syn_queue_find(const struct skua_syn_queue *q, const uint8_t *id,
                                           size_t len)
{
    return skua_idmap_get(&q->by_id, id, len);
}

void skua_syn_queue_drop(struct skua_syn_queue *q, const struct skua_id *id)
{
    struct skua_half_open *entry = skua_syn_queue_find(q, id->bytes, id->len);
    if (entry != NULL) {
        entry_drop(q, entry);
    }
}

void skua_syn_queue_spend(struct skua_syn_queue *q, struct skua_half_open *entry, skua_time until)
{
    struct skua_node *oldest = skua_list_first(&q->spent_by_age);
    if (oldest != NULL && skua_idmap_count(&q->spent) >= SKUA_LIMIT_TIME_WAIT_MAX) {
        spent_drop(q, SKUA_CONTAINER_OF(oldest, struct spent, link));
    }
    struct spent *spent = skua_heap_get(q->heap, sizeof *spent);
    if (spent != NULL) {
        spent->until = until;
        memcpy(spent->fingerprint, entry->fingerprint, SKUA_TAG_LEN);
        if (skua_idmap_put(&q->spent, spent->fingerprint, SKUA_TAG_LEN, spent) == SKUA_OK) {
            skua_list_push_back(&q->spent_by_age, &spent->link);
        } else {
            skua_heap_put(q->heap, spent, sizeof *spent);
        }
    }
    entry_drop(q, entry);
}

bool skua_syn_queue_cancel(struct skua_syn_queue *q, const uint8_t fingerprint[SKUA_TAG_LEN],
                           skua_time until, struct skua_id *own)
{
    struct skua_half_open *entry = skua_idmap_get(&q->by_fingerprint, fingerprint, SKUA_TAG_LEN);
    if (entry != NULL) {
        struct skua_id peer;
        skua_half_open_ids(entry, own, &peer);
        skua_syn_queue_spend(q, entry, until);
    }
    return entry != NULL;
}

bool skua_syn_queue_send(struct skua_syn_queue *q, struct skua_tx *tx, skua_time now)
{
    struct skua_node *node = skua_list_pop_front(&q->due);
    if (node == NULL) {
        return false;
    }
    struct skua_half_open *entry = SKUA_CONTAINER_OF(node, struct skua_half_open, link);
    SKUA_ASSERT(tx->cap >= entry->syn_ack_len);
    memcpy(tx->data, entry->syn_ack, entry->syn_ack_len);
    tx->len = entry->syn_ack_len;
    tx->segment_size = tx->len;
    tx->path = entry->path;
    entry->repeated = entry->first_sent != SKUA_NEVER;
    entry->first_sent = entry->repeated ? entry->first_sent : now;
    entry->repeat_at = skua_time_add(now, SKUA_SEC << entry->level);
    skua_list_push_back(&q->level[entry->level], &entry->link);
    return true;
}

skua_time skua_syn_queue_next_timeout(const struct skua_syn_queue *q)
{
    skua_time at = SKUA_NEVER;
    for (size_t i = 0; skua_syn_queue_count(q) != 0 && i < SKUA_SYN_LEVELS; i++) {
        struct skua_node *node = skua_list_first(&q->level[i]);
        if (node != NULL) {
            at = skua_time_min(at, SKUA_CONTAINER_OF(node, struct skua_half_open, link)->repeat_at);
        }
    }
    struct skua_node *node = skua_list_first(&q->spent_by_age);
    if (node != NULL) {
        at = skua_time_min(at, SKUA_CONTAINER_OF(node, struct spent, link)->until);
    }
    return at;
}

static void level_timeout(struct skua_syn_queue *q, struct skua_node *level, skua_time now)
{
    struct skua_node *node;
    while ((node = skua_list_first(level)) != NULL) {
        struct skua_half_open *entry = SKUA_CONTAINER_OF(node, struct skua_half_open, link);
        if (entry->repeat_at > now) {
            return;
        }
        if (entry->level >= retries_of(q, entry) || entry_end(q, entry) <= now) {
            entry_drop(q, entry);
            continue;
        }
        entry->level++;
        entry->repeat_at = skua_time_add(now, SKUA_SEC << entry->level);
        skua_list_remove(node);
        skua_list_push_back(entry->over ? &q->level[entry->level] : &q->due, node);
    }
}

void skua_syn_queue_on_timeout(struct skua_syn_queue *q, skua_time now)
{
    for (size_t i = 0; skua_syn_queue_count(q) != 0 && i < SKUA_SYN_LEVELS; i++) {
        level_timeout(q, &q->level[i], now);
    }
    struct skua_node *node;
    while ((node = skua_list_first(&q->spent_by_age)) != NULL) {
        struct spent *spent = SKUA_CONTAINER_OF(node, struct spent, link);
        if (spent->until > now) {
            return;
        }
        spent_drop(q, spent);
    }
}
