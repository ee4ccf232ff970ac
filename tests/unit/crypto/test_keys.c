/* The key phases: derivation, choice of the receive key, updates from both sides, reordering around
 * them, what RFC 9001 §6 forbids, and the limits. Two ends exchange tagged "packets": number, phase
 * bit and the sealing key, so that whether one opens is whether the keys are equal. */
#include "base/alloc.h"
#include "hex.h"

#include "crypto/keys.h"

enum { CLIENT, SERVER };
#define RETIRE UINT64_C(1000)

static struct skua_aead_cache cache;
static struct skua_heap heap;

struct packet {
    uint64_t pn;
    unsigned bit;
    uint8_t key[SKUA_SUITE_KEY_MAX]; /* sealed with */
};

struct fixture {
    struct skua_keys end[2];
    uint64_t next_pn[2];
};

static void start(struct fixture *f, uint8_t suite)
{
    struct skua_secret to_responder;
    struct skua_secret to_initiator;
    memset(f, 0, sizeof *f);
    memset(&to_responder, 7, sizeof to_responder);
    memset(&to_initiator, 9, sizeof to_initiator);
    skua_keys_init(&f->end[CLIENT], &cache, suite, true, &to_responder, &to_initiator);
    skua_keys_init(&f->end[SERVER], &cache, suite, false, &to_responder, &to_initiator);
    skua_keys_on_confirmed(&f->end[CLIENT]);
    skua_keys_on_confirmed(&f->end[SERVER]);
}

static void stop(struct fixture *f)
{
    for (unsigned i = 0; i < 2; i++) {
        skua_keys_check(&f->end[i]);
        skua_keys_wipe(&f->end[i], &cache);
        assert_true(sodium_is_zero((const uint8_t *)&f->end[i], sizeof f->end[i]));
    }
    assert_int_equal(heap.used, 0);
}

static struct packet seal(struct fixture *f, unsigned from)
{
    struct packet p = {.pn = f->next_pn[from]++, .bit = skua_keys_tx_bit(&f->end[from])};
    const struct skua_aead_key *key = skua_keys_tx(&f->end[from], p.pn);
    assert_non_null(key);
    memcpy(p.key, key->key, sizeof p.key);
    return p;
}

enum fate { OPENED, NO_KEY, FORGED, FORBIDDEN };

/* What packet/open.c does, with equality of keys instead of the AEAD. */
static enum fate open_packet(struct fixture *f, unsigned at, const struct packet *p,
                             uint64_t *phase_out)
{
    struct skua_keys *keys = &f->end[at];
    uint64_t phase = 0;
    const struct skua_aead_key *key = skua_keys_rx(keys, p->bit, p->pn, &phase);
    if (phase_out != NULL) {
        *phase_out = phase;
    }
    if (key == NULL) {
        return NO_KEY;
    }
    if (memcmp(key->key, p->key, sizeof p->key) != 0) {
        skua_keys_on_failed(keys);
        return FORGED;
    }
    if (skua_keys_on_opened(keys, &cache, p->pn, phase, RETIRE) != SKUA_CODE_NO_ERROR) {
        return FORBIDDEN;
    }
    skua_keys_check(keys);
    return OPENED;
}

/* One packet from `from`, its ACK in a packet back, and that one's ACK noted. */
static void round_trip(struct fixture *f, unsigned from)
{
    const unsigned to = 1 - from;
    uint64_t phase = 0;
    struct packet p = seal(f, from);
    assert_int_equal(open_packet(f, to, &p, NULL), OPENED);
    skua_keys_on_ack_sent(&f->end[to], p.pn);
    struct packet ack = seal(f, to);
    assert_int_equal(open_packet(f, from, &ack, &phase), OPENED);
    assert_int_equal(skua_keys_on_ack_received(&f->end[from], p.pn, phase), SKUA_CODE_NO_ERROR);
}

/* Both directions acknowledged, previous keys gone: either side may update. */
static void settle(struct fixture *f)
{
    round_trip(f, SERVER);
    round_trip(f, CLIENT);
    round_trip(f, SERVER); /* again: the first may only have carried an update over */
    for (unsigned i = 0; i < 2; i++) {
        skua_keys_on_timeout(&f->end[i], &cache, RETIRE);
        assert_int_equal(skua_keys_next_timeout(&f->end[i]), SKUA_NEVER);
        assert_true(skua_keys_may_update(&f->end[i]));
    }
}

/* Values from an HKDF in Python: secrets 07... to the responder and 09... to the initiator. */
static void derivation(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    const struct skua_keys *client = &f.end[CLIENT];
    const struct skua_keys *server = &f.end[SERVER];
    assert_hex(client->tx.key, 32,
               "f0c074465222380a01f77e54984e0ecf0ff7b34cdb11651b8f66f6e4645610c7");
    assert_hex(client->tx.iv, 12, "25e5bd1cd5f19263d9ac040a");
    assert_hex(client->tx_hp.bytes, 16, "74db8efa1ae73efe478b515c65c91068");
    assert_hex(server->tx.key, 32,
               "028796d8115f6c2bddd2813d2637ffc839233644aff27b0614c4a670f0020657");
    assert_hex(server->tx_hp.bytes, 16, "222091058b305e54f3d8f3308649324b");
    assert_hex(server->rx[1].key, 32,
               "28a30606e456403fc978037f51303abd5e3b044d8ac15cb120beaa1271d68c5e");
    assert_hex(server->rx[1].iv, 12, "58515c3f645f9828f49e7cdf");
    assert_memory_equal(client->rx_hp.bytes, server->tx_hp.bytes, 16);
    stop(&f);
    if ((skua_suites_available() & SKUA_SUITE_AES_256_GCM) != 0) {
        start(&f, SKUA_SUITE_AES_256_GCM);
        assert_hex(client->tx.key, 32,
                   "819e99987495a7ed01878581d824fb66e81b3e753cd00417b09ebdd163d82900");
        stop(&f);
    }
}

static void own_update(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    settle(&f);
    const struct skua_hp_key hp = f.end[CLIENT].tx_hp;
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    assert_false(skua_keys_update(&f.end[CLIENT], &cache));
    assert_int_equal(skua_keys_tx_bit(&f.end[CLIENT]), 1);
    struct packet p = seal(&f, CLIENT);
    assert_int_equal(open_packet(&f, SERVER, &p, NULL), OPENED);
    /* The server follows at once, and remembers the old key for a while. */
    assert_int_equal(f.end[SERVER].rx_phase, 1);
    assert_int_equal(skua_keys_tx_bit(&f.end[SERVER]), 1);
    assert_int_equal(skua_keys_next_timeout(&f.end[SERVER]), RETIRE);
    settle(&f);
    assert_int_equal(f.end[CLIENT].tx_phase, 1);
    assert_int_equal(f.end[SERVER].tx_phase, 1);
    assert_memory_equal(&hp, &f.end[CLIENT].tx_hp, sizeof hp);
    stop(&f);
}

static void many_updates_from_both_sides(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    for (unsigned i = 0; i < 50; i++) {
        settle(&f);
        assert_true(skua_keys_update(&f.end[i % 3 == 0 ? CLIENT : SERVER], &cache));
    }
    settle(&f);
    assert_int_equal(f.end[CLIENT].tx_phase, 50);
    assert_int_equal(f.end[SERVER].rx_phase, 50);
    stop(&f);
}

static void both_update_at_once(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    settle(&f);
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    assert_true(skua_keys_update(&f.end[SERVER], &cache));
    struct packet a = seal(&f, CLIENT);
    struct packet b = seal(&f, SERVER);
    assert_int_equal(open_packet(&f, SERVER, &a, NULL), OPENED);
    assert_int_equal(open_packet(&f, CLIENT, &b, NULL), OPENED);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(f.end[i].tx_phase, 1);
        assert_int_equal(f.end[i].rx_phase, 1);
    }
    settle(&f);
    stop(&f);
}

/* RFC 9001 §6.1: confirmed, and acknowledged in the present phase. */
static void update_must_wait(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    f.end[CLIENT].confirmed = false;
    round_trip(&f, CLIENT);
    assert_false(skua_keys_update(&f.end[CLIENT], &cache));
    skua_keys_on_confirmed(&f.end[CLIENT]);
    assert_true(skua_keys_may_update(&f.end[CLIENT]));
    /* The server has sent, but nothing of it was acknowledged. */
    assert_false(skua_keys_update(&f.end[SERVER], &cache));

    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    round_trip(&f, CLIENT);
    assert_int_equal(f.end[CLIENT].rx_phase, 1);
    /* All done, but the previous receive key is still held (§6.5). */
    assert_false(skua_keys_update(&f.end[CLIENT], &cache));
    skua_keys_on_timeout(&f.end[CLIENT], &cache, RETIRE - 1);
    assert_false(skua_keys_update(&f.end[CLIENT], &cache));
    skua_keys_on_timeout(&f.end[CLIENT], &cache, RETIRE);
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    stop(&f);
}

static void reordering_around_an_update(void **state)
{
    (void)state;
    struct fixture f;
    struct packet old[6];
    struct packet young[6];
    uint64_t phase = 0;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    settle(&f);
    for (unsigned i = 0; i < 6; i++) {
        old[i] = seal(&f, CLIENT);
    }
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    for (unsigned i = 0; i < 6; i++) {
        young[i] = seal(&f, CLIENT);
    }
    assert_int_equal(open_packet(&f, SERVER, &old[1], NULL), OPENED);
    assert_int_equal(open_packet(&f, SERVER, &young[3], NULL), OPENED);
    /* Late ones of the old phase, and earlier ones of the new, which lower the boundary. */
    assert_int_equal(open_packet(&f, SERVER, &old[0], &phase), OPENED);
    assert_int_equal(phase, 0);
    assert_int_equal(open_packet(&f, SERVER, &young[0], &phase), OPENED);
    assert_int_equal(phase, 1);
    assert_int_equal(f.end[SERVER].rx_first_pn, young[0].pn);
    assert_int_equal(open_packet(&f, SERVER, &old[5], NULL), OPENED);
    assert_int_equal(open_packet(&f, SERVER, &young[5], NULL), OPENED);
    assert_int_equal(f.end[SERVER].rx_failed, 0);
    /* After 3 PTO the old key has gone: no forgery, just too late. */
    skua_keys_on_timeout(&f.end[SERVER], &cache, RETIRE);
    assert_int_equal(open_packet(&f, SERVER, &old[4], NULL), NO_KEY);
    assert_int_equal(open_packet(&f, SERVER, &young[4], NULL), OPENED);
    assert_int_equal(f.end[SERVER].rx_failed, 0);
    stop(&f);
}

/* A phase bit or key that is not genuine changes nothing but the count. */
static void forged_phase_bits(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    settle(&f);
    uint64_t failed = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned bit = 0; bit < 2; bit++) {
            static const uint64_t NUMBERS[] = {0, 1, 2, 3, 100, UINT64_C(1) << 61};
            for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
                struct packet p = {.pn = NUMBERS[i], .bit = bit, .key = {0xbb}};
                struct skua_keys before = f.end[SERVER];
                enum fate fate = open_packet(&f, SERVER, &p, NULL);
                assert_true(fate == FORGED || fate == NO_KEY);
                failed += fate == FORGED ? 1 : 0;
                before.rx_failed = f.end[SERVER].rx_failed;
                assert_memory_equal(&before, &f.end[SERVER], sizeof before);
            }
        }
        settle(&f);
        assert_true(skua_keys_update(&f.end[CLIENT], &cache));
        round_trip(&f, CLIENT);
    }
    assert_int_equal(f.end[SERVER].rx_failed, failed);
    assert_true(failed > 20);
    stop(&f);
}

/* §6.2, §6.5: a second update before we acknowledged anything of the first. */
static void double_update_of_the_peer(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    settle(&f);
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    struct packet p = seal(&f, CLIENT);
    assert_int_equal(open_packet(&f, SERVER, &p, NULL), OPENED);
    /* The client breaks its own rules. */
    f.end[CLIENT].tx_acked = true;
    f.end[CLIENT].rx_phase = 1;
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    p = seal(&f, CLIENT);
    assert_int_equal(p.bit, 0);
    assert_int_equal(open_packet(&f, SERVER, &p, NULL), FORBIDDEN);
    skua_keys_wipe(&f.end[CLIENT], &cache);
    skua_keys_wipe(&f.end[SERVER], &cache);
}

/* §6.1: an update before anything was acknowledged at all. */
static void first_update_too_early(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    struct packet p = seal(&f, CLIENT);
    assert_int_equal(open_packet(&f, SERVER, &p, NULL), OPENED);
    f.end[CLIENT].tx_acked = true;
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    p = seal(&f, CLIENT);
    assert_int_equal(open_packet(&f, SERVER, &p, NULL), FORBIDDEN);
    stop(&f);
}

/* The answer to our update needs no ACK from us: only whoever begins must wait for one. */
static void answer_is_no_update(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    round_trip(&f, CLIENT);
    assert_false(f.end[CLIENT].rx_ack_sent);
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    round_trip(&f, CLIENT);
    assert_int_equal(f.end[CLIENT].rx_phase, 1);
    stop(&f);
}

/* §6.4: numbers and phases rise together. */
static void old_key_for_a_young_number(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    settle(&f);
    struct skua_keys liar = f.end[CLIENT]; /* goes on under the old key */
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    f.next_pn[CLIENT] += 10;
    struct packet p = seal(&f, CLIENT);
    assert_int_equal(open_packet(&f, SERVER, &p, NULL), OPENED);
    /* Above the boundary the other bit means the next phase: this does not open. */
    struct packet lie = {.pn = p.pn + 1, .bit = 0};
    memcpy(lie.key, liar.tx.key, sizeof lie.key);
    assert_int_equal(open_packet(&f, SERVER, &lie, NULL), FORGED);
    /* Below it the lie opens; the truth with a lower number then shows it. */
    lie.pn = p.pn - 1;
    assert_int_equal(open_packet(&f, SERVER, &lie, NULL), OPENED);
    struct packet truth = p;
    truth.pn = p.pn - 2;
    assert_int_equal(open_packet(&f, SERVER, &truth, NULL), FORBIDDEN);
    stop(&f);
}

static void next_key_for_an_old_number(void **state)
{
    (void)state;
    struct fixture f;
    struct packet sent[4];
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    settle(&f);
    for (unsigned i = 0; i < 4; i++) {
        sent[i] = seal(&f, CLIENT);
    }
    assert_int_equal(open_packet(&f, SERVER, &sent[3], NULL), OPENED);
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    struct packet p = seal(&f, CLIENT);
    p.pn = sent[1].pn;
    assert_int_equal(open_packet(&f, SERVER, &p, NULL), FORBIDDEN);
    assert_int_equal(f.end[SERVER].rx_phase, 0);
    stop(&f);
}

/* §6.2: an ACK of the new phase's packet in an old phase's packet. */
static void ack_from_the_old_phase(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    settle(&f);
    struct packet before = seal(&f, CLIENT);
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    struct packet after = seal(&f, CLIENT);
    assert_int_equal(skua_keys_on_ack_received(&f.end[CLIENT], before.pn, 0), SKUA_CODE_NO_ERROR);
    assert_false(f.end[CLIENT].tx_acked);
    assert_int_equal(skua_keys_on_ack_received(&f.end[CLIENT], after.pn, 0), SKUA_CODE_KEY_UPDATE);
    assert_int_equal(skua_keys_on_ack_received(&f.end[CLIENT], after.pn, 1), SKUA_CODE_NO_ERROR);
    assert_true(f.end[CLIENT].tx_acked);
    stop(&f);
}

static void confirm_belongs_to_phase_0(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    const struct skua_keys *server = &f.end[SERVER];
    const struct skua_aead_key key = *skua_keys_rx_confirm(server);
    assert_memory_equal(key.key, f.end[CLIENT].tx.key, 32);
    settle(&f);
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    struct packet p = seal(&f, CLIENT);
    assert_int_equal(open_packet(&f, SERVER, &p, NULL), OPENED);
    assert_memory_equal(skua_keys_rx_confirm(server), &key, sizeof key);
    /* A late CONFIRM has a number from before the update; another one is a lie. */
    assert_int_equal(skua_keys_on_opened(&f.end[SERVER], &cache, 0, 0, RETIRE), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_keys_on_opened(&f.end[SERVER], &cache, p.pn + 1, 0, RETIRE),
                     SKUA_CODE_KEY_UPDATE);
    skua_keys_on_timeout(&f.end[SERVER], &cache, RETIRE);
    assert_null(skua_keys_rx_confirm(server));
    settle(&f);
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    round_trip(&f, CLIENT);
    assert_null(skua_keys_rx_confirm(server));
    stop(&f);
}

static void volume_limits(void **state)
{
    (void)state;
    struct fixture f;
    const struct skua_suite_info *suite = skua_suite_info(SKUA_SUITE_AES_256_GCM);
    if ((skua_suites_available() & suite->suite) == 0) {
        suite = skua_suite_info(SKUA_SUITE_CHACHA20_POLY1305);
    }
    start(&f, suite->suite);
    settle(&f);
    struct skua_keys *keys = &f.end[CLIENT];
    keys->tx_next_pn = f.next_pn[CLIENT] = suite->stop_at; /* as if so many had been sealed */
    keys->tx_sealed = suite->update_at - 1;
    assert_false(skua_keys_update_due(keys));
    (void)seal(&f, CLIENT);
    assert_true(skua_keys_update_due(keys));
    /* The previous key still held: wait, but not for ever. */
    keys->rx_prev_until = RETIRE;
    assert_false(skua_keys_update_due(keys));
    keys->tx_sealed = suite->update_at + (suite->stop_at - suite->update_at) / 2;
    assert_true(skua_keys_update_due(keys));
    keys->rx_prev_until = SKUA_NEVER;
    /* Not allowed: the limit stops it, with a few packets to say so. */
    keys->tx_acked = false;
    assert_false(skua_keys_update_due(keys));
    keys->tx_sealed = suite->stop_at - SKUA_KEYS_RESERVE - 1;
    assert_false(skua_keys_exhausted(keys));
    for (unsigned i = 0; i <= SKUA_KEYS_RESERVE; i++) {
        (void)seal(&f, CLIENT);
        assert_true(skua_keys_exhausted(keys));
    }
    assert_null(skua_keys_tx(keys, f.next_pn[CLIENT]));
    keys->tx_acked = true;
    assert_true(skua_keys_update(keys, &cache));
    assert_false(skua_keys_exhausted(keys));
    (void)seal(&f, CLIENT);
    skua_keys_wipe(&f.end[CLIENT], &cache);
    skua_keys_wipe(&f.end[SERVER], &cache);
}

static bool expanded(uint64_t id)
{
    return cache.id[id % SKUA_AEAD_CACHE_SLOTS] == id;
}

/* A key that is given up takes its expanded form along. */
static void old_keys_leave_the_cache(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t text[32] = {0};
    if ((skua_suites_available() & SKUA_SUITE_AES_256_GCM) == 0) {
        skip(); /* no AES in hardware: the suite does not exist here */
    }
    start(&f, SKUA_SUITE_AES_256_GCM);
    settle(&f);
    const struct skua_aead_key tx = f.end[CLIENT].tx;
    const struct skua_aead_key rx = f.end[SERVER].rx[0];
    skua_aead_seal(&cache, &tx, 0, text, 0, 8);
    skua_aead_seal(&cache, &rx, 0, text, 0, 8);
    assert_true(expanded(tx.id) && expanded(rx.id));
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    assert_false(expanded(tx.id));
    round_trip(&f, CLIENT);
    assert_true(expanded(rx.id));
    skua_keys_on_timeout(&f.end[SERVER], &cache, RETIRE);
    assert_false(expanded(rx.id));
    stop(&f);
}

static void *no_memory(void *user, size_t size)
{
    (void)user;
    (void)size;
    return NULL;
}

/* The previous key is the only one that memory is asked for: without it what it sealed is lost. */
static void an_update_needs_no_memory(void **state)
{
    (void)state;
    struct fixture f;
    const struct skua_heap had = heap;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    settle(&f);
    heap.alloc.get = no_memory;
    struct packet late = seal(&f, CLIENT);
    assert_true(skua_keys_update(&f.end[CLIENT], &cache));
    round_trip(&f, CLIENT);
    skua_keys_check(&f.end[SERVER]);
    assert_int_equal(open_packet(&f, SERVER, &late, NULL), NO_KEY);
    round_trip(&f, CLIENT);
    stop(&f);
    heap = had;
}

static void failure_limit(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    f.end[SERVER].rx_failed = SKUA_KEYS_FAILED_MAX - 1;
    assert_false(skua_keys_exhausted(&f.end[SERVER]));
    struct packet p = {.pn = 0, .bit = 0, .key = {1}};
    assert_int_equal(open_packet(&f, SERVER, &p, NULL), FORGED);
    assert_true(skua_keys_exhausted(&f.end[SERVER]));
    /* An update does not forgive: the limit is the connection's. */
    settle(&f);
    assert_true(skua_keys_update(&f.end[SERVER], &cache));
    assert_true(skua_keys_exhausted(&f.end[SERVER]));
    stop(&f);
}

static void numbers_end(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, SKUA_SUITE_CHACHA20_POLY1305);
    assert_non_null(skua_keys_tx(&f.end[CLIENT], SKUA_PN_LIMIT - 1));
    assert_null(skua_keys_tx(&f.end[CLIENT], SKUA_PN_LIMIT));
    assert_null(skua_keys_tx(&f.end[CLIENT], UINT64_MAX));
    stop(&f);
}

/* Random traffic with loss, reordering and updates: whoever keeps the rules is never accused. */
static void random_schedules(void **state)
{
    (void)state;
    enum { FLIGHT = 16 };
    struct flying {
        struct packet p;
        uint64_t ack; /* largest acknowledged, or UINT64_MAX */
        bool used;
    };
    uint64_t updates = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct fixture f;
        static struct flying air[2][FLIGHT]; /* by sender */
        uint64_t largest[2] = {UINT64_MAX, UINT64_MAX};
        uint64_t rng = seed;
        memset(air, 0, sizeof air);
        start(&f, SKUA_SUITE_CHACHA20_POLY1305);
        for (unsigned round = 0; round < 3000; round++) {
            unsigned side = (unsigned)(next_random(&rng) & 1);
            struct flying *slot = &air[side][next_random(&rng) % FLIGHT];
            if (next_random(&rng) % 40 == 0) {
                (void)skua_keys_update(&f.end[side], &cache);
            }
            if (!slot->used) {
                slot->ack = largest[side];
                if (slot->ack != UINT64_MAX) {
                    skua_keys_on_ack_sent(&f.end[side], slot->ack);
                }
                slot->p = seal(&f, side);
                slot->used = true;
                continue;
            }
            slot->used = false;
            if (next_random(&rng) % 5 == 0) {
                continue; /* lost */
            }
            uint64_t phase = 0;
            struct skua_keys *to = &f.end[1 - side];
            /* A packet may be older than the keys held; one of two phases ago looks forged. */
            enum fate fate = open_packet(&f, 1 - side, &slot->p, &phase);
            assert_int_not_equal(fate, FORBIDDEN);
            if (fate != OPENED) {
                assert_true(f.end[side].tx_phase >= 1);
                continue;
            }
            if (slot->ack != UINT64_MAX) {
                assert_int_equal(skua_keys_on_ack_received(to, slot->ack, phase),
                                 SKUA_CODE_NO_ERROR);
            }
            if (largest[1 - side] == UINT64_MAX || slot->p.pn > largest[1 - side]) {
                largest[1 - side] = slot->p.pn;
            }
            if (next_random(&rng) % 8 == 0) {
                skua_keys_on_timeout(to, &cache, RETIRE);
            }
        }
        updates += f.end[CLIENT].tx_phase;
        stop(&f);
    }
    assert_true(updates > 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derivation),
        cmocka_unit_test(own_update),
        cmocka_unit_test(many_updates_from_both_sides),
        cmocka_unit_test(both_update_at_once),
        cmocka_unit_test(update_must_wait),
        cmocka_unit_test(reordering_around_an_update),
        cmocka_unit_test(forged_phase_bits),
        cmocka_unit_test(double_update_of_the_peer),
        cmocka_unit_test(first_update_too_early),
        cmocka_unit_test(answer_is_no_update),
        cmocka_unit_test(old_key_for_a_young_number),
        cmocka_unit_test(next_key_for_an_old_number),
        cmocka_unit_test(ack_from_the_old_phase),
        cmocka_unit_test(confirm_belongs_to_phase_0),
        cmocka_unit_test(volume_limits),
        cmocka_unit_test(old_keys_leave_the_cache),
        cmocka_unit_test(failure_limit),
        cmocka_unit_test(numbers_end),
        cmocka_unit_test(an_update_needs_no_memory),
        cmocka_unit_test(random_schedules),
    };
    skua_heap_init(&heap, NULL);
    skua_aead_cache_init(&cache, &heap);
    return skua_init() == SKUA_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
