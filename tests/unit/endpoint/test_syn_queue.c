/* Half-open entries: when their SYN_ACK leaves, who finds them, how long they live, what is left of
 * those that became connections. */
#include "unit.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "endpoint/syn_queue.h"
#include "wire/header.h"

static const uint8_t hash_key[16] = {2};

struct fixture {
    struct skua_heap heap;
    struct skua_syn_queue q;
    skua_time now;
};

static void begin(struct fixture *f)
{
    skua_heap_init(&f->heap, NULL);
    memset(&f->q, 0, sizeof f->q);
    skua_syn_queue_init(&f->q, &f->heap, hash_key);
    f->q.retries = 5;
    f->q.backlog = 100;
    f->now = 500 * SKUA_SEC;
}

static void end(struct fixture *f)
{
    skua_syn_queue_deinit(&f->q);
    assert_int_equal(f->heap.used, 0);
}

static struct skua_id id_of(uint8_t kind, uint32_t number)
{
    struct skua_id id = {.len = 8, .bytes = {kind}};
    memcpy(id.bytes + 1, &number, sizeof number);
    return id;
}

static void print_of(uint8_t out[SKUA_TAG_LEN], uint32_t number)
{
    memset(out, 0x55, SKUA_TAG_LEN);
    memcpy(out, &number, sizeof number);
}

static enum skua_err add(struct fixture *f, uint32_t number)
{
    struct skua_half_open entry = {.path = {.socket = 1, .remote = {.port = (uint16_t)number}}};
    const struct skua_id own = id_of('s', number), peer = id_of('c', number);
    uint8_t packet[SKUA_SYN_ACK_CAP];
    uint8_t message[60] = {(uint8_t)number};
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    skua_long_header_write(&w, SKUA_PACKET_SYN_ACK, SKUA_WIRE_VERSION, &peer, &own);
    skua_writer_copy(&w, message, sizeof message);
    assert_false(w.failed);
    print_of(entry.fingerprint, number);
    entry.syn_ack_len = (uint8_t)skua_writer_len(&w);
    return skua_syn_queue_add(&f->q, &entry, packet, &own);
}

static struct skua_half_open *find(struct fixture *f, uint32_t number)
{
    const struct skua_id own = id_of('s', number);
    return skua_syn_queue_find(&f->q, own.bytes, own.len);
}

/* Sends everything that is due; how many SYN_ACKs. */
static unsigned send_all(struct fixture *f)
{
    uint8_t room[1200];
    struct skua_tx tx = {.data = room, .cap = sizeof room};
    unsigned n = 0;
    while (skua_syn_queue_send(&f->q, &tx, f->now)) {
        struct skua_head head;
        assert_int_equal(skua_header_peek(room, tx.len, 8, &head), SKUA_VERDICT_OK);
        assert_int_equal(head.type, SKUA_PACKET_SYN_ACK);
        assert_int_equal(tx.path.socket, 1);
        n++;
    }
    return n;
}

static void finds_and_names(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_int_equal(add(&f, 1), SKUA_OK);
    assert_int_equal(add(&f, 2), SKUA_OK);
    assert_int_equal(skua_syn_queue_count(&f.q), 2);
    assert_non_null(find(&f, 1));
    assert_null(find(&f, 3));
    struct skua_id own, peer;
    skua_half_open_ids(find(&f, 2), &own, &peer);
    const struct skua_id want_own = id_of('s', 2), want_peer = id_of('c', 2);
    assert_int_equal(own.len, 8);
    assert_memory_equal(own.bytes, want_own.bytes, 8);
    assert_memory_equal(peer.bytes, want_peer.bytes, 8);
    end(&f);
}

/* Without an answer: repeats 1, 3, 7, 15 and 31 s after the first, the end at 63 s. */
static void repeats_and_gives_up(void **state)
{
    (void)state;
    static const unsigned at[] = {1, 3, 7, 15, 31};
    struct fixture f;
    begin(&f);
    assert_int_equal(add(&f, 1), SKUA_OK);
    skua_time start = f.now;
    assert_int_equal(send_all(&f), 1);
    assert_false(find(&f, 1)->repeated);
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        assert_int_equal(skua_syn_queue_next_timeout(&f.q), start + at[i] * SKUA_SEC);
        f.now = start + at[i] * SKUA_SEC - 1;
        skua_syn_queue_on_timeout(&f.q, f.now);
        assert_int_equal(send_all(&f), 0);
        f.now++;
        skua_syn_queue_on_timeout(&f.q, f.now);
        assert_int_equal(send_all(&f), 1);
        assert_true(find(&f, 1)->repeated);
    }
    assert_int_equal(skua_syn_queue_next_timeout(&f.q), start + 63 * SKUA_SEC);
    f.now = start + 63 * SKUA_SEC;
    skua_syn_queue_on_timeout(&f.q, f.now);
    assert_int_equal(send_all(&f), 0);
    assert_null(find(&f, 1));
    assert_true(skua_syn_queue_next_timeout(&f.q) == SKUA_NEVER);
    end(&f);
}

/* A repeated SYN gets the SYN_ACK again, but no longer life. */
static void answers_a_repeat_but_lives_no_longer(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t print[SKUA_TAG_LEN];
    begin(&f);
    assert_int_equal(add(&f, 1), SKUA_OK);
    print_of(print, 1);
    /* Before it was sent at all a repeat changes nothing. */
    assert_true(skua_syn_queue_repeat(&f.q, print, f.now));
    assert_int_equal(send_all(&f), 1);
    skua_time start = f.now;
    unsigned sent = 0;
    while (find(&f, 1) != NULL) {
        f.now += SKUA_SEC / 2;
        assert_true(f.now <= start + 64 * SKUA_SEC);
        skua_syn_queue_on_timeout(&f.q, f.now);
        (void)skua_syn_queue_repeat(&f.q, print, f.now);
        sent += send_all(&f);
    }
    assert_true(sent >= 60 && sent <= 130);
    assert_true(f.now >= start + 62 * SKUA_SEC);
    print_of(print, 2);
    assert_false(skua_syn_queue_repeat(&f.q, print, f.now));
    end(&f);
}

/* What became a connection is not half-open any more, but its SYN is remembered for a while. */
static void remembers_what_became_a_connection(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t print[SKUA_TAG_LEN];
    begin(&f);
    print_of(print, 1);
    assert_int_equal(add(&f, 1), SKUA_OK);
    assert_int_equal(send_all(&f), 1);
    skua_syn_queue_spend(&f.q, find(&f, 1), f.now + SKUA_SEC);
    assert_null(find(&f, 1));
    assert_int_equal(skua_syn_queue_count(&f.q), 0);
    assert_true(skua_syn_queue_repeat(&f.q, print, f.now));
    assert_int_equal(send_all(&f), 0);
    assert_int_equal(skua_syn_queue_next_timeout(&f.q), f.now + SKUA_SEC);
    f.now += SKUA_SEC;
    skua_syn_queue_on_timeout(&f.q, f.now);
    assert_false(skua_syn_queue_repeat(&f.q, print, f.now));
    end(&f);
}

/* Full of entries that were never answered: the one that waits longest makes room; full of fresh
 * ones: nothing does. */
static void a_full_queue_prefers_the_fresh(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.q.backlog = 3;
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(skua_syn_queue_has_room(&f.q));
        assert_int_equal(add(&f, i), SKUA_OK);
        assert_int_equal(send_all(&f), 1);
        f.now += SKUA_MSEC;
    }
    assert_false(skua_syn_queue_has_room(&f.q));
    assert_int_equal(add(&f, 3), SKUA_ELIMIT);
    f.now += SKUA_SEC;
    skua_syn_queue_on_timeout(&f.q, f.now);
    assert_int_equal(send_all(&f), 3);
    assert_true(skua_syn_queue_has_room(&f.q));
    assert_int_equal(add(&f, 3), SKUA_OK);
    assert_int_equal(skua_syn_queue_count(&f.q), 3);
    assert_null(find(&f, 0));
    assert_non_null(find(&f, 1));
    assert_non_null(find(&f, 3));
    skua_syn_queue_clear(&f.q);
    assert_int_equal(skua_syn_queue_count(&f.q), 0);
    end(&f);
}

static void *no_memory(void *user, size_t size)
{
    (void)user;
    (void)size;
    return NULL;
}

static void give_nothing_back(void *user, void *memory, size_t size)
{
    (void)user;
    (void)memory;
    (void)size;
}

static void says_so_where_there_is_no_memory(void **state)
{
    (void)state;
    const struct skua_alloc none = {.get = no_memory, .put = give_nothing_back};
    struct fixture f;
    begin(&f);
    skua_heap_init(&f.heap, &none);
    assert_int_equal(add(&f, 1), SKUA_ENOMEM);
    assert_int_equal(skua_syn_queue_count(&f.q), 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_and_names),
        cmocka_unit_test(repeats_and_gives_up),
        cmocka_unit_test(answers_a_repeat_but_lives_no_longer),
        cmocka_unit_test(remembers_what_became_a_connection),
        cmocka_unit_test(a_full_queue_prefers_the_fresh),
        cmocka_unit_test(says_so_where_there_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
