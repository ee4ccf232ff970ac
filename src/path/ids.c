/* Connection ids: see ids.h.
 *
 * Sequence numbers of the peer's ids tell repeats from news: all below `peer_next` were received,
 * and `peer_seen` holds those above it that overtook a lost one. An id that was given up can so
 * never come back. Invariant: `due` and `urgent` follow from the rest (note_due). */
#include "path/ids.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

/* Numbers of the peer's by which one may be ahead of one that is missing. */
enum { SEEN_BITS = 16 };

/* The first spare waits for a packet that leaves anyway; what replaces a retired one does not,
 * since the peer has none left then. */
enum { FIRST_SPARE = 1 };

static void note_due(struct skua_ids *ids)
{
    ids->urgent = ids->retiring != NULL && ids->retiring->due != 0;
    ids->due = ids->urgent;
    for (unsigned i = 0; i < SKUA_IDS_OWN; i++) {
        if (ids->own_state[i] == SKUA_OWN_DUE || ids->own_state[i] == SKUA_OWN_LOST) {
            ids->due = true;
            ids->urgent = ids->urgent || ids->own_sequence[i] > FIRST_SPARE;
        }
    }
}

void skua_ids_init(struct skua_ids *ids, const struct skua_id *own)
{
    SKUA_ASSERT(own->len == SKUA_OWN_ID_LEN);
    *ids = (struct skua_ids){.peer_next = 1};
    memcpy(ids->own[0], own->bytes, SKUA_OWN_ID_LEN);
    ids->own_state[0] = SKUA_OWN_TOLD;
}

static void free_spares(struct skua_ids *ids, struct skua_heap *heap)
{
    if (ids->spares != NULL) {
        size_t size = ids->spare_cap * sizeof *ids->spares;
        skua_wipe(ids->spares, size);
        skua_heap_put(heap, ids->spares, size);
    }
    ids->spares = NULL;
    ids->spare_count = ids->spare_cap = 0;
}

void skua_ids_deinit(struct skua_ids *ids, struct skua_heap *heap)
{
    free_spares(ids, heap);
    skua_heap_put(heap, ids->retiring, sizeof *ids->retiring);
    ids->retiring = NULL;
    skua_wipe(ids->token, sizeof ids->token);
    note_due(ids);
}

/* --- own ids */

struct skua_id skua_ids_own(const struct skua_ids *ids)
{
    return skua_id_of(ids->own[ids->own_used], SKUA_OWN_ID_LEN);
}

struct skua_id skua_ids_heard(const struct skua_ids *ids)
{
    return skua_id_of(ids->own[ids->own_heard], SKUA_OWN_ID_LEN);
}

void skua_ids_on_confirmed(struct skua_ids *ids)
{
    ids->ready = true;
}

/* The index of an own id in `state`; SKUA_IDS_OWN where there is none. */
static unsigned find_state(const struct skua_ids *ids, enum skua_own_state state)
{
    unsigned i = 0;
    while (i < SKUA_IDS_OWN && ids->own_state[i] != state) {
        i++;
    }
    return i;
}

/* The number that the next own id will have. */
static uint32_t own_next(const struct skua_ids *ids)
{
    SKUA_STATIC_ASSERT(SKUA_IDS_OWN == 2, "the larger of two");
    const uint32_t *n = ids->own_sequence;
    return (n[0] > n[1] ? n[0] : n[1]) + 1;
}

bool skua_ids_wants_own(const struct skua_ids *ids)
{
    return ids->ready && own_next(ids) != UINT32_MAX &&
           find_state(ids, SKUA_OWN_NONE) < SKUA_IDS_OWN;
}

void skua_ids_add_own(struct skua_ids *ids, const struct skua_id *id)
{
    unsigned i = find_state(ids, SKUA_OWN_NONE);
    SKUA_ASSERT(i < SKUA_IDS_OWN && id->len == SKUA_OWN_ID_LEN);
    memcpy(ids->own[i], id->bytes, SKUA_OWN_ID_LEN);
    ids->own_sequence[i] = own_next(ids);
    ids->own_state[i] = SKUA_OWN_DUE;
    note_due(ids);
}

static void take_own(struct skua_ids *ids, unsigned i, struct skua_id *out)
{
    *out = skua_id_of(ids->own[i], SKUA_OWN_ID_LEN);
    ids->own_state[i] = SKUA_OWN_NONE;
    note_due(ids);
}

bool skua_ids_take_gone(struct skua_ids *ids, struct skua_id *out)
{
    unsigned i = find_state(ids, SKUA_OWN_GONE);
    if (i < SKUA_IDS_OWN) {
        take_own(ids, i, out);
    }
    return i < SKUA_IDS_OWN;
}

bool skua_ids_take_any(struct skua_ids *ids, struct skua_id *out)
{
    unsigned i = 0;
    while (i < SKUA_IDS_OWN && ids->own_state[i] == SKUA_OWN_NONE) {
        i++;
    }
    if (i < SKUA_IDS_OWN) {
        take_own(ids, i, out);
    }
    return i < SKUA_IDS_OWN;
}

void skua_ids_on_used(struct skua_ids *ids, const uint8_t *dcid, bool here)
{
    for (unsigned i = 0; i < SKUA_IDS_OWN; i++) {
        if (ids->own_state[i] != SKUA_OWN_NONE && memcmp(ids->own[i], dcid, SKUA_OWN_ID_LEN) == 0) {
            ids->own_used = here ? (uint8_t)i : ids->own_used;
            ids->own_heard = (uint8_t)i;
        }
    }
}

enum skua_code skua_ids_on_retire(struct skua_ids *ids, uint64_t sequence, const uint8_t *dcid,
                                  bool *gone)
{
    *gone = false;
    if (sequence >= own_next(ids)) {
        return SKUA_CODE_PROTOCOL;
    }
    for (unsigned i = 0; i < SKUA_IDS_OWN; i++) {
        if (ids->own_state[i] == SKUA_OWN_NONE || ids->own_state[i] == SKUA_OWN_GONE ||
            ids->own_sequence[i] != sequence) {
            continue;
        }
        if (ids->own_state[i] == SKUA_OWN_DUE || memcmp(ids->own[i], dcid, SKUA_OWN_ID_LEN) == 0) {
            return SKUA_CODE_PROTOCOL;
        }
        ids->own_state[i] = SKUA_OWN_GONE;
        *gone = true;
        note_due(ids);
    }
    return SKUA_CODE_NO_ERROR;
}

/* --- the peer's ids */

/* RETIRE_CONNECTION_ID for `sequence` is due. */
static enum skua_code retire(struct skua_ids *ids, struct skua_heap *heap, uint32_t sequence)
{
    if (ids->retiring == NULL) {
        ids->retiring = skua_heap_get(heap, sizeof *ids->retiring);
        if (ids->retiring == NULL) {
            return SKUA_CODE_INTERNAL;
        }
    }
    struct skua_retiring *r = ids->retiring;
    if (r->count == SKUA_LIMIT_RETIREMENTS) {
        return SKUA_CODE_CONNECTION_ID_LIMIT;
    }
    r->due = (uint16_t)(r->due | 1u << r->count);
    r->sequence[r->count++] = sequence;
    note_due(ids);
    return SKUA_CODE_NO_ERROR;
}

static void remove_spare(struct skua_ids *ids, unsigned i)
{
    ids->spare_count--;
    memmove(&ids->spares[i], &ids->spares[i + 1], (ids->spare_count - i) * sizeof *ids->spares);
    skua_wipe(&ids->spares[ids->spare_count], sizeof *ids->spares);
}

/* The index of the spare that was taken, or else (`taken` false) of the oldest that was not;
 * `spare_count` where there is none. */
static unsigned find_spare(const struct skua_ids *ids, bool taken)
{
    unsigned found = ids->spare_count;
    for (unsigned i = 0; i < ids->spare_count; i++) {
        if (ids->spares[i].taken == taken &&
            (found == ids->spare_count || ids->spares[i].sequence < ids->spares[found].sequence)) {
            found = i;
        }
    }
    return found;
}

/* Spare `i` is in use from now on, and what was before is given up. */
static enum skua_code use_spare(struct skua_ids *ids, struct skua_heap *heap, unsigned i)
{
    enum skua_code code = retire(ids, heap, ids->peer_sequence);
    if (code == SKUA_CODE_NO_ERROR) {
        ids->peer = ids->spares[i].id;
        ids->peer_sequence = ids->spares[i].sequence;
        memcpy(ids->token, ids->spares[i].token, sizeof ids->token);
        remove_spare(ids, i);
    }
    return code;
}

/* Gives up what the peer wants given up: spares, and where there is another the id in use. */
static enum skua_code obey_retire_prior(struct skua_ids *ids, struct skua_heap *heap)
{
    enum skua_code code = SKUA_CODE_NO_ERROR;
    for (unsigned i = ids->spare_count; i-- > 0 && code == SKUA_CODE_NO_ERROR;) {
        if (ids->spares[i].sequence < ids->retire_prior) {
            code = retire(ids, heap, ids->spares[i].sequence);
            remove_spare(ids, i);
        }
    }
    unsigned next = find_spare(ids, false);
    if (code == SKUA_CODE_NO_ERROR && ids->peer_sequence < ids->retire_prior &&
        next < ids->spare_count) {
        code = use_spare(ids, heap, next);
    }
    return code;
}

/* Notes that number `sequence` has come. False where it is too far ahead of one that has not. */
static bool note_seen(struct skua_ids *ids, uint32_t sequence)
{
    uint32_t ahead = sequence - ids->peer_next;
    if (ahead >= SEEN_BITS) {
        return false;
    }
    ids->peer_seen = (uint16_t)(ids->peer_seen | 1u << ahead);
    while ((ids->peer_seen & 1) != 0) {
        ids->peer_seen >>= 1;
        ids->peer_next++;
    }
    return true;
}

static bool was_seen(const struct skua_ids *ids, uint32_t sequence)
{
    return sequence < ids->peer_next || (sequence - ids->peer_next < SEEN_BITS &&
                                         (ids->peer_seen >> (sequence - ids->peer_next) & 1) != 0);
}

/* Does the frame say of a known id, or number, what was said before? Numbers that were given up are
 * not looked at any more. */
static bool is_consistent(const struct skua_ids *ids, const struct skua_frame *f)
{
    bool same_number = ids->peer_sequence == f->new_id.sequence;
    if (same_number != skua_id_equal(&ids->peer, &f->new_id.id)) {
        return false;
    }
    for (unsigned i = 0; i < ids->spare_count; i++) {
        const struct skua_spare_id *s = &ids->spares[i];
        same_number = s->sequence == f->new_id.sequence;
        if (same_number != skua_id_equal(&s->id, &f->new_id.id) ||
            (same_number && !skua_reset_token_equal(s->token, f->new_id.token))) {
            return false;
        }
    }
    return true;
}

static enum skua_code add_spare(struct skua_ids *ids, struct skua_heap *heap,
                                const struct skua_frame *f)
{
    unsigned kept = ids->spare_count + (ids->peer_sequence >= ids->retire_prior ? 1u : 0u);
    if (kept >= SKUA_LIMIT_ACTIVE_IDS) {
        return SKUA_CODE_CONNECTION_ID_LIMIT;
    }
    if (ids->spare_count == ids->spare_cap) {
        uint8_t cap = (uint8_t)(ids->spare_cap == 0 ? 1 : ids->spare_cap * 2);
        struct skua_spare_id *spares = skua_heap_get(heap, cap * sizeof *spares);
        if (spares == NULL) {
            return SKUA_CODE_NO_ERROR; /* it goes on without: a spare is no need */
        }
        uint8_t count = ids->spare_count;
        if (count != 0) {
            memcpy(spares, ids->spares, count * sizeof *spares);
        }
        free_spares(ids, heap);
        ids->spares = spares;
        ids->spare_count = count;
        ids->spare_cap = cap;
    }
    struct skua_spare_id *s = &ids->spares[ids->spare_count++];
    *s = (struct skua_spare_id){.sequence = (uint32_t)f->new_id.sequence, .id = f->new_id.id};
    memcpy(s->token, f->new_id.token, sizeof s->token);
    return SKUA_CODE_NO_ERROR;
}

enum skua_code skua_ids_on_new(struct skua_ids *ids, struct skua_heap *heap,
                               const struct skua_frame *f)
{
    uint32_t sequence = (uint32_t)f->new_id.sequence;
    if (!is_consistent(ids, f)) {
        return SKUA_CODE_PROTOCOL;
    }
    bool known = was_seen(ids, sequence);
    if (!known && !note_seen(ids, sequence)) {
        return SKUA_CODE_CONNECTION_ID_LIMIT;
    }
    if (f->new_id.retire_prior > ids->retire_prior) {
        ids->retire_prior = (uint32_t)f->new_id.retire_prior;
    }
    enum skua_code code = obey_retire_prior(ids, heap);
    if (known || code != SKUA_CODE_NO_ERROR) {
        return code;
    }
    if (sequence < ids->retire_prior) {
        return retire(ids, heap, sequence); /* RFC 9000 §19.15: it came too late */
    }
    code = add_spare(ids, heap, f);
    return code == SKUA_CODE_NO_ERROR ? obey_retire_prior(ids, heap) : code;
}

bool skua_ids_take(struct skua_ids *ids)
{
    unsigned i = find_spare(ids, false);
    if (i == ids->spare_count || find_spare(ids, true) < ids->spare_count ||
        (ids->retiring != NULL && ids->retiring->count == SKUA_LIMIT_RETIREMENTS)) {
        return false;
    }
    ids->spares[i].taken = true;
    return true;
}

const struct skua_id *skua_ids_other(const struct skua_ids *ids)
{
    unsigned i = find_spare(ids, true);
    return i < ids->spare_count ? &ids->spares[i].id : &ids->peer;
}

enum skua_code skua_ids_adopt(struct skua_ids *ids, struct skua_heap *heap)
{
    unsigned i = find_spare(ids, true);
    return i < ids->spare_count ? use_spare(ids, heap, i) : SKUA_CODE_NO_ERROR;
}

enum skua_code skua_ids_drop_taken(struct skua_ids *ids, struct skua_heap *heap)
{
    unsigned i = find_spare(ids, true);
    if (i == ids->spare_count) {
        return SKUA_CODE_NO_ERROR;
    }
    enum skua_code code = retire(ids, heap, ids->spares[i].sequence);
    remove_spare(ids, i);
    return code;
}

/* --- frames for the peer */

/* Writes `f` with a record of it; false where there is no room. */
static bool write_frame(struct skua_writer *w, struct skua_record *record,
                        const struct skua_frame *f, uint64_t sequence)
{
    if (skua_writer_left(w) < skua_frame_len(f)) {
        return false;
    }
    skua_frame_write(w, f);
    *record = (struct skua_record){.id = sequence, .type = f->type};
    return true;
}

static bool write_new(struct skua_ids *ids, unsigned i, const struct skua_secret *key,
                      struct skua_writer *w, struct skua_record *record)
{
    uint8_t token[SKUA_RESET_TOKEN_LEN];
    skua_reset_token(token, key, ids->own[i], SKUA_OWN_ID_LEN);
    struct skua_frame f = {.type = SKUA_FRAME_NEW_CONNECTION_ID};
    f.new_id.sequence = ids->own_sequence[i];
    f.new_id.retire_prior = 0;
    f.new_id.id = skua_id_of(ids->own[i], SKUA_OWN_ID_LEN);
    f.new_id.token = token;
    bool ok = write_frame(w, record, &f, f.new_id.sequence);
    skua_wipe(token, sizeof token);
    if (ok) {
        ids->own_state[i] = SKUA_OWN_TOLD;
    }
    return ok;
}

static bool write_retire(struct skua_retiring *r, unsigned i, struct skua_writer *w,
                         struct skua_record *record)
{
    struct skua_frame f = {.type = SKUA_FRAME_RETIRE_CONNECTION_ID};
    f.retire_id = r->sequence[i];
    bool ok = write_frame(w, record, &f, f.retire_id);
    if (ok) {
        r->due = (uint16_t)(r->due & ~(1u << i));
    }
    return ok;
}

size_t skua_ids_write_frames(struct skua_ids *ids, const struct skua_secret *key,
                             struct skua_writer *w, struct skua_record *records, size_t max)
{
    size_t n = 0;
    max = max < SKUA_IDS_FRAMES ? max : SKUA_IDS_FRAMES;
    for (unsigned i = 0; i < SKUA_IDS_OWN && n < max; i++) {
        if (ids->own_state[i] == SKUA_OWN_DUE || ids->own_state[i] == SKUA_OWN_LOST) {
            n += write_new(ids, i, key, w, &records[n]);
        }
    }
    for (unsigned i = 0; ids->retiring != NULL && i < ids->retiring->count && n < max; i++) {
        if ((ids->retiring->due >> i & 1) != 0) {
            n += write_retire(ids->retiring, i, w, &records[n]);
        }
    }
    note_due(ids);
    return n;
}

void skua_ids_on_acked(struct skua_ids *ids, struct skua_heap *heap,
                       const struct skua_record *record)
{
    struct skua_retiring *r = ids->retiring;
    if (record->type != SKUA_FRAME_RETIRE_CONNECTION_ID || r == NULL) {
        return;
    }
    for (unsigned i = 0; i < r->count; i++) {
        if (r->sequence[i] == record->id) {
            r->count--;
            r->sequence[i] = r->sequence[r->count]; /* the last takes its place, and its bit */
            unsigned last = r->due >> r->count & 1;
            r->due = (uint16_t)((r->due & ~(1u << i | 1u << r->count)) |
                                (i < r->count ? last << i : 0u));
            break;
        }
    }
    if (r->count == 0) {
        skua_heap_put(heap, r, sizeof *r);
        ids->retiring = NULL;
    }
    note_due(ids);
}

void skua_ids_on_lost(struct skua_ids *ids, const struct skua_record *record)
{
    for (unsigned i = 0; record->type == SKUA_FRAME_NEW_CONNECTION_ID && i < SKUA_IDS_OWN; i++) {
        if (ids->own_state[i] == SKUA_OWN_TOLD && ids->own_sequence[i] == record->id &&
            record->id != 0) {
            ids->own_state[i] = SKUA_OWN_LOST;
        }
    }
    struct skua_retiring *r = ids->retiring;
    for (unsigned i = 0; record->type == SKUA_FRAME_RETIRE_CONNECTION_ID && r != NULL; i++) {
        if (i == r->count) {
            break;
        }
        if (r->sequence[i] == record->id) {
            r->due = (uint16_t)(r->due | 1u << i);
        }
    }
    note_due(ids);
}

size_t skua_ids_memory(const struct skua_ids *ids)
{
    return ids->spare_cap * sizeof *ids->spares +
           (ids->retiring != NULL ? sizeof *ids->retiring : 0);
}

void skua_ids_check(const struct skua_ids *ids)
{
    struct skua_ids copy = *ids;
    note_due(&copy);
    SKUA_ASSERT(copy.due == ids->due && copy.urgent == ids->urgent);
    SKUA_ASSERT(ids->spare_count <= ids->spare_cap && ids->spare_cap <= SKUA_LIMIT_ACTIVE_IDS);
    SKUA_ASSERT((ids->spares == NULL) == (ids->spare_cap == 0));
    SKUA_ASSERT(ids->own_used < SKUA_IDS_OWN && ids->own_heard < SKUA_IDS_OWN);
    SKUA_ASSERT((ids->peer_seen & 1) == 0);
    unsigned taken = 0;
    for (unsigned i = 0; i < ids->spare_count; i++) {
        taken += ids->spares[i].taken;
        SKUA_ASSERT(ids->spares[i].sequence != ids->peer_sequence);
        SKUA_ASSERT(was_seen(ids, ids->spares[i].sequence));
    }
    SKUA_ASSERT(taken <= 1);
    if (ids->retiring != NULL) {
        SKUA_ASSERT(ids->retiring->count > 0 && ids->retiring->count <= SKUA_LIMIT_RETIREMENTS);
        SKUA_ASSERT(ids->retiring->due >> ids->retiring->count == 0);
    }
}
