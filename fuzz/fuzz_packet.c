/* Opening packets, with the input as a script for two ends that hold each other's keys: seal,
 * deliver in any order, change bytes, cut, update keys, let time pass, and hand over bytes of the
 * input's own. Whatever happens:
 *   - the keys' invariants hold (skua_keys_check);
 *   - a packet that was changed, or never sealed, does not open and changes nothing but the count;
 *   - a genuine packet opens to what was sealed, or its keys have gone; its sender, who keeps the
 *     rules, is never accused;
 *   - a failed open leaves the header as it was. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/cursor.h"
#include "packet/open.h"
#include "packet/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 8, ROOM = 512, RETIRE = 1000 };
enum op { OP_SEAL, OP_DELIVER, OP_CHANGE, OP_CUT, OP_UPDATE, OP_TIMEOUT, OP_RAW, OPS };

/* A sealed packet on its way. */
struct flying {
    uint8_t data[ROOM];
    size_t len;        /* 0 = empty slot */
    size_t header_len; /* as sealed */
    size_t frames_len; /* as sealed, padding not counted */
    uint64_t pn;
    uint64_t phase; /* of its keys */
    uint64_t ack;   /* largest number it acknowledges, or UINT64_MAX */
    uint8_t fill;   /* every byte of the frames */
};

struct side {
    struct skua_keys keys;
    struct flying out[SLOTS];
    uint64_t next_pn;
    uint64_t largest; /* largest number received, or UINT64_MAX */
};

static struct skua_aead_cache cache;
static struct skua_heap heap;
static struct side sides[2];

static void start(uint8_t suite)
{
    struct skua_secret a;
    struct skua_secret b;
    memset(sides, 0, sizeof sides);
    memset(&a, 7, sizeof a);
    memset(&b, 9, sizeof b);
    skua_heap_init(&heap, NULL);
    skua_aead_cache_init(&cache, &heap);
    for (unsigned i = 0; i < 2; i++) {
        skua_keys_init(&sides[i].keys, &cache, suite, i == 0, &a, &b);
        skua_keys_on_confirmed(&sides[i].keys);
        sides[i].largest = UINT64_MAX;
    }
}

static void seal_one(struct side *from, struct skua_reader *in)
{
    struct flying *f = &from->out[skua_reader_u8(in) % SLOTS];
    uint8_t kind = skua_reader_u8(in);
    f->fill = skua_reader_u8(in);
    f->frames_len = skua_reader_u8(in);
    f->header_len = 13 + kind % 16;
    f->pn = from->next_pn;
    from->next_pn += 1 + kind / 64;
    f->phase = from->keys.tx_phase;
    f->ack = from->largest;
    if (f->ack != UINT64_MAX) {
        skua_keys_on_ack_sent(&from->keys, f->ack);
    }
    memset(f->data, kind, f->header_len);
    /* CONFIRM belongs to phase 0; a client that keeps the rules sends none later. */
    f->data[0] = (kind & 0x20) != 0 && f->phase == 0 ? 0xc8 : 0x40;
    for (unsigned i = 0; i < 4; i++) {
        f->data[f->header_len - 4 + i] = (uint8_t)(f->pn >> (24 - 8 * i));
    }
    memset(f->data + f->header_len, f->fill, f->frames_len);
    const struct skua_sealing packet = {.data = f->data,
                                        .header_len = f->header_len,
                                        .len = f->header_len + f->frames_len,
                                        .cap = ROOM,
                                        .pn = f->pn};
    SKUA_ASSERT(skua_packet_seal(&from->keys, &cache, &packet, &f->len));
}

/* Opens a copy in a block of exactly its size. */
static enum skua_verdict open_copy(struct side *at, const uint8_t *data, size_t len,
                                   size_t header_len, struct skua_opening *p, uint8_t **copy)
{
    *copy = malloc(len == 0 ? 1 : len);
    SKUA_ASSERT(*copy != NULL);
    memcpy(*copy, data, len);
    uint64_t expected = at->largest == UINT64_MAX ? 0 : at->largest + 1;
    enum skua_verdict verdict =
        skua_packet_unmask(p, &at->keys, *copy, len, header_len - 4, expected);
    return verdict == SKUA_VERDICT_OK ? skua_packet_open(p, &at->keys, &cache, RETIRE) : verdict;
}

static void deliver(struct side *at, const struct flying *f)
{
    struct skua_opening p;
    uint8_t *copy = NULL;
    const uint64_t phase = at->keys.rx_phase;
    enum skua_verdict verdict = open_copy(at, f->data, f->len, f->header_len, &p, &copy);
    if (verdict == SKUA_VERDICT_OK) {
        SKUA_ASSERT(p.pn == f->pn && p.phase == f->phase && p.frames_len >= f->frames_len);
        for (size_t i = 0; i < p.frames_len; i++) {
            SKUA_ASSERT(p.frames[i] == (i < f->frames_len ? f->fill : 0));
        }
        at->largest = at->largest == UINT64_MAX || p.pn > at->largest ? p.pn : at->largest;
        if (f->ack != UINT64_MAX) {
            SKUA_ASSERT(skua_keys_on_ack_received(&at->keys, f->ack, p.phase) ==
                        SKUA_CODE_NO_ERROR);
        }
    } else {
        /* Only a packet of an earlier phase may be undecipherable. */
        SKUA_ASSERT(verdict == SKUA_VERDICT_NO_KEYS || verdict == SKUA_VERDICT_BAD_AUTH);
        SKUA_ASSERT(f->phase < phase);
    }
    free(copy);
}

/* Bytes that nobody sealed. */
static void forge(struct side *at, const uint8_t *data, size_t len, size_t header_len)
{
    struct skua_opening p;
    uint8_t *copy = NULL;
    struct skua_keys before = at->keys;
    enum skua_verdict verdict = open_copy(at, data, len, header_len, &p, &copy);
    SKUA_ASSERT(verdict == SKUA_VERDICT_RUNT || verdict == SKUA_VERDICT_NO_KEYS ||
                verdict == SKUA_VERDICT_BAD_AUTH);
    SKUA_ASSERT(memcmp(copy, data, len < header_len ? len : header_len) == 0);
    before.rx_failed += verdict == SKUA_VERDICT_BAD_AUTH ? 1 : 0;
    SKUA_ASSERT(memcmp(&before, &at->keys, sizeof before) == 0);
    free(copy);
}

static void change(struct side *at, const struct flying *f, struct skua_reader *in)
{
    uint8_t forged[ROOM];
    size_t where = skua_reader_u16(in) % f->len;
    uint8_t by = skua_reader_u8(in);
    memcpy(forged, f->data, f->len);
    forged[where] = (uint8_t)(forged[where] ^ (by == 0 ? 1 : by));
    forge(at, forged, f->len, f->header_len);
}

static void step(struct skua_reader *in)
{
    uint8_t byte = skua_reader_u8(in);
    struct side *from = &sides[byte >> 7];
    struct side *to = &sides[1 - (byte >> 7)];
    const struct flying *f = &from->out[(byte >> 4) % SLOTS];
    switch ((enum op)((byte & 15) % OPS)) {
    case OP_SEAL:
        seal_one(from, in);
        break;
    case OP_DELIVER:
        if (f->len != 0) {
            deliver(to, f);
        }
        break;
    case OP_CHANGE:
        if (f->len != 0) {
            change(to, f, in);
        }
        break;
    case OP_CUT:
        if (f->len != 0) {
            forge(to, f->data, skua_reader_u16(in) % f->len, f->header_len);
        }
        break;
    case OP_UPDATE:
        (void)skua_keys_update(&from->keys, &cache);
        break;
    case OP_TIMEOUT:
        skua_keys_on_timeout(&from->keys, &cache, RETIRE);
        break;
    case OP_RAW: {
        size_t header_len = 5U + skua_reader_u8(in) % 32;
        size_t len = skua_reader_u8(in);
        len = len < skua_reader_left(in) ? len : skua_reader_left(in);
        if (!in->failed) {
            forge(to, skua_reader_bytes(in, len), len, header_len);
        }
        break;
    }
    case OPS:
        break;
    }
    skua_keys_check(&from->keys);
    skua_keys_check(&to->keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skua_reader in = skua_reader_of(data, size);
    SKUA_ASSERT(skua_init() == SKUA_OK);
    uint8_t suite = skua_suite_choose((uint8_t)(skua_reader_u8(&in) | 1), skua_suites_available());
    start(suite);
    while (skua_reader_left(&in) != 0) {
        step(&in);
    }
    for (unsigned i = 0; i < 2; i++) {
        skua_keys_wipe(&sides[i].keys, &cache);
    }
    skua_aead_cache_deinit(&cache);
    return 0;
}
