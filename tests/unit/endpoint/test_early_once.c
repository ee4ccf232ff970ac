/* Early data are delivered once at most, whoever copies, delays or loses packets. */
#include "early_pair.h"
#include "listen_tap.h"

#include "base/time.h"
#include "handshake/refuse.h"

/* Copies in time and late, from there and from elsewhere, to the same listener and to the next:
 * nothing is delivered twice, no connection is made, and no copy is told "rejected" as long as its
 * client could believe it. */
static void copies_do_nothing(void **state)
{
    (void)state;
    struct pair p;
    struct early_tap t = {.mute = false};
    struct skua_listen_config listen = early_giving();
    struct skua_token token = early_begin(&p, &t, NULL);
    (void)early_call(&p, &token, "hello");
    pair_run(&p, p.delay);
    pair_inject(&p, SERVER, t.syn, t.len);
    assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_REPEAT), 1);
    early_inject(&p, &t, 1); /* for all that is known this may be the client: it is asked */
    assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_RETRY), 1);
    assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_REPLAYED), 0);
    pair_run(&p, 10 * p.delay);
    early_came_through(&p, "hello", true);
    skua_time begin = p.now;
    uint64_t replayed = 0;
    for (skua_time at = 0; at < 200 * SKUA_SEC; at += 5 * SKUA_SEC) {
        pair_run(&p, begin + at - p.now);
        uint64_t sent = p.host[SERVER].sent;
        pair_inject(&p, SERVER, t.syn, t.len);
        early_inject(&p, &t, (uint16_t)(2 + at / SKUA_SEC));
        pair_run(&p, p.delay);
        if (at < 130 * SKUA_SEC) { /* longer than any client waits */
            assert_int_equal(p.host[SERVER].sent, sent);
            assert_true(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_REPLAYED) > replayed);
            replayed = early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_REPLAYED);
        }
    }
    assert_true(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_EARLY_REJECTED) >
                0); /* half-open entries */
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_STREAM], 1);
    pair_run(&p, 100 * SKUA_SEC);
    assert_int_equal(skua_idmap_count(&p.host[SERVER].ep->early->strikes), 0);

    token = early_earn(&p);
    (void)early_call(&p, &token, "again");
    pair_run(&p, 10 * p.delay);
    early_came_through(&p, "again", true);
    assert_int_equal(skua_endpoint_unlisten(p.host[SERVER].ep), SKUA_OK);
    pair_listen(&p, &listen);
    pair_inject(&p, SERVER, t.syn, t.len);
    early_inject(&p, &t, 1000);
    pair_run(&p, SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    pair_close(&p);
}

/* A token serves once: in another SYN it is worth nothing, and the data come as usual. */
static void a_token_serves_once(void **state)
{
    (void)state;
    struct pair p;
    struct skua_token token = early_begin(&p, NULL, NULL);
    (void)early_call(&p, &token, "hello");
    pair_run(&p, 10 * p.delay);
    early_came_through(&p, "hello", true);
    early_forget(&p);
    (void)early_call(&p, &token, "once more");
    pair_run(&p, 10 * p.delay);
    early_came_through(&p, "once more", false);
    pair_close(&p);
}

/* "Rejected" is for ever: the client may send the data again by then. */
static void what_was_rejected_stays_rejected(void **state)
{
    (void)state;
    struct pair p;
    struct early_tap t = {.mute = false};
    struct skua_token token = early_begin(&p, &t, NULL);
    p.host[SERVER].ep->early_count = 1000;
    (void)early_call(&p, &token, "hello");
    pair_run(&p, 10 * p.delay);
    p.host[SERVER].ep->early_count = 0;
    early_inject(&p, &t, 1);
    pair_run(&p, p.delay);
    early_came_through(&p, "hello", false);
    pair_close(&p);
}

/* Where the answer is lost it is given again; the data are delivered once. */
static void a_lost_answer_is_repeated(void **state)
{
    (void)state;
    static const skua_time deaf_for[] = {5 * SKUA_SEC,
                                         31 * SKUA_SEC}; /* longer than idle_timeout */
    for (size_t i = 0; i < sizeof deaf_for / sizeof deaf_for[0]; i++) {
        struct pair p;
        struct early_tap t = {.mute = true};
        struct skua_token token = early_begin(&p, &t, NULL);
        (void)early_call(&p, &token, "hello");
        pair_run(&p, deaf_for[i]);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
        t.mute = false;
        pair_run(&p, 4 * SKUA_SEC);
        early_came_through(&p, "hello", true);
        pair_close(&p);
    }
}

/* Nor is the server less patient where it asks connections after a second of silence, waits ten for
 * an acknowledgement (of an answer that was lost, too), or is told by ICMP that nobody is there. */
static void nothing_else_ends_the_wait(void **state)
{
    (void)state;
    enum { KEEPALIVE, USER_TIMEOUT, HINT, WAYS };
    for (int i = 0; i < WAYS; i++) {
        struct pair p;
        struct early_tap t = {.mute = true};
        struct skua_listen_config listen = early_giving();
        if (i == KEEPALIVE) {
            listen.conn.keepalive_time_ns = 2 * SKUA_SEC;
            listen.conn.keepalive_intvl_ns = SKUA_SEC;
        }
        listen.conn.user_timeout_ns = i == USER_TIMEOUT ? 10 * SKUA_SEC : 0;
        struct skua_token token = early_begin(&p, &t, &listen);
        skua_stream stream = early_call(&p, &token, "hello");
        pair_run(&p, p.delay);
        struct host *server = &p.host[SERVER];
        size_t n;
        if (i == USER_TIMEOUT) {
            assert_int_equal(skua_stream_write(server->ep, server->stream, "world", 5, &n),
                             SKUA_OK);
            assert_int_equal(skua_stream_finish(server->ep, server->stream), SKUA_OK);
        }
        pair_run(&p, p.delay);
        uint64_t sent = pair_conn(&p, SERVER)->count.packets_sent;
        if (i == HINT) {
            skua_endpoint_hint(server->ep, &p.way[CLIENT], SKUA_HINT_PORT_UNREACHABLE, p.now);
        }
        pair_run(&p, 25 * SKUA_SEC);
        if (i != USER_TIMEOUT) { /* what it may send is for answers */
            assert_int_equal(pair_conn(&p, SERVER)->count.packets_sent, sent);
        }
        t.mute = false;
        pair_run(&p, 8 * SKUA_SEC);
        if (i == USER_TIMEOUT) {
            early_reads(&p, CLIENT, stream, "world");
        }
        early_came_through(&p, "hello", true);
        pair_close(&p);
    }
}

/* A client that hears nothing does not try another way: the server may have the data. */
static void silence_stays_silence(void **state)
{
    (void)state;
    struct pair p;
    struct early_tap t = {.mute = true};
    struct skua_listen_config listen = early_giving();
    listen.conn.idle_timeout_ns = SKUA_NEVER;
    struct skua_token token = early_begin(&p, &t, &listen);
    struct skua_conn_config config = early_asking(&p);
    config.token = &token;
    config.syn_retries = 10; /* not with early data */
    (void)pair_connect(&p, &config);
    skua_stream s;
    size_t n;
    skua_time start = p.now;
    assert_int_equal(skua_stream_open(p.host[CLIENT].ep, p.host[CLIENT].conn, SKUA_STREAM_UNI, &s),
                     SKUA_OK);
    assert_int_equal(skua_stream_write(p.host[CLIENT].ep, s, "hello", 5, &n), SKUA_OK);
    pair_run(&p, 100 * SKUA_SEC);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_ETIMEDOUT);
    assert_int_equal(p.host[CLIENT].at[SKUA_EVENT_CLOSED], start + 63 * SKUA_SEC);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_ESTABLISHED], 0);
    assert_int_equal(p.host[SERVER].closed.error, SKUA_ETIMEDOUT);
    assert_int_equal(p.host[SERVER].ep->early_count, 0);
    pair_close(&p);
}

/* A RETRY for the client's first SYN, with a token of its own each time, as whoever has seen that
 * SYN can make it. */
static void forge_retry(struct pair *p, const struct early_tap *t)
{
    struct skua_head head;
    struct skua_syn syn;
    uint8_t packet[SKUA_RETRY_CAP], token[16] = {1};
    memcpy(token + 1, &p->now, sizeof p->now);
    assert_int_equal(skua_header_peek(t->syn, t->len, SKUA_OWN_ID_LEN, &head), SKUA_VERDICT_OK);
    assert_int_equal(skua_syn_read(t->syn, t->len, &head, &syn), SKUA_VERDICT_OK);
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    skua_retry_write(&w, &head, &syn, token, sizeof token);
    assert_false(w.failed);
    pair_inject(p, CLIENT, packet, skua_writer_len(&w));
}

/* Anybody on the path can forge RETRYs. They prolong no attempt: the server forgets early data that
 * it has taken, and would say "rejected" to a client that still waits by then. Not even what comes
 * before the client has noticed that its time is over counts. */
static void retries_prolong_nothing(void **state)
{
    (void)state;
    for (int early = 0; early < 2; early++) {
        struct pair p;
        struct early_tap t = {.mute = true};
        struct skua_token token = early_begin(&p, &t, NULL);
        struct host *client = &p.host[CLIENT], *server = &p.host[SERVER];
        skua_time start = p.now;
        if (early) {
            (void)early_call(&p, &token, "hello");
        } else {
            (void)pair_connect(&p, NULL);
        }
        pair_run(&p, p.delay);
        t.deaf = true;
        unsigned forged = 0;
        while (client->events[SKUA_EVENT_CLOSED] == 0) {
            assert_true(p.now < start + 300 * SKUA_SEC);
            skua_time due = skua_endpoint_next_timeout(client->ep);
            if (due > p.now + 1) {
                pair_run(&p, due - p.now - 1);
                forge_retry(&p, &t);
                forged++;
            }
            pair_run(&p, 1);
        }
        assert_true(forged > 8);
        assert_true(early_verdicts(&p, CLIENT, SKUA_VERDICT_BAD_RETRY) < forged);
        assert_int_equal(client->at[SKUA_EVENT_CLOSED], start + 63 * SKUA_SEC);
        assert_int_equal(client->closed.error, SKUA_ETIMEDOUT);
        assert_int_equal(server->events[SKUA_EVENT_INCOMING], early);
        pair_close(&p);
    }
}

/* The caller was stopped, and finds an answer that has waited for it: the SYN that it belongs to
 * was on its way for so long that the server had forgotten that it has the data. */
static void an_answer_that_waited_is_not_believed(void **state)
{
    (void)state;
    struct pair p;
    struct early_tap t = {.mute = true};
    struct skua_token token = early_begin(&p, &t, NULL);
    struct host *client = &p.host[CLIENT], *server = &p.host[SERVER];
    (void)early_call(&p, &token, "hello");
    pair_run(&p, p.delay);
    assert_int_equal(server->events[SKUA_EVENT_INCOMING], 1);
    t.deaf = true;
    for (skua_time end = p.now + 150 * SKUA_SEC; p.now < end; p.now += SKUA_SEC) {
        skua_endpoint_on_timeout(server->ep, p.now);
        pair_poll(&p, SERVER);
        pair_send(&p, SERVER);
    }
    t.deaf = t.mute = false;
    pair_inject(&p, SERVER, t.syn, t.len);
    assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_EARLY_REJECTED), 1);
    pair_send(&p, SERVER);
    p.now += p.delay;
    pair_arrive(&p);
    assert_int_equal(early_verdicts(&p, CLIENT, SKUA_VERDICT_SYN_ACK_LATE), 1);
    forge_retry(&p, &t); /* nor does it ask again */
    uint64_t sent = client->sent;
    pair_send(&p, CLIENT);
    assert_int_equal(client->sent, sent);
    pair_run(&p, 10 * SKUA_SEC);
    assert_int_equal(client->closed.error, SKUA_ETIMEDOUT);
    assert_int_equal(server->events[SKUA_EVENT_INCOMING], 1);
    pair_close(&p);
}

/* A client that is not there any more: the server gives up by itself, and has said little. */
static void a_client_that_is_not_there(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct pair p;
        struct early_tap t = {.mute = false};
        struct skua_listen_config listen = early_giving();
        bool accepted = (i & 1) != 0;
        listen.conn.idle_timeout_ns = SKUA_NEVER;
        listen.conn.syn_retries = (i & 2) != 0 ? 14 : 0; /* not for its SYN_ACK */
        struct skua_token token = early_begin(&p, &t, &listen);
        p.no_accept = !accepted;
        (void)early_call(&p, &token, "hello");
        pair_run(&p, p.delay / 2);
        t.deaf = t.mute = true;
        uint64_t before = p.host[SERVER].ep->bytes_sent;
        pair_run(&p, p.delay);
        if (accepted) {
            static uint8_t bytes[100000];
            size_t n;
            struct skua_endpoint *ep = p.host[SERVER].ep;
            skua_stream s = p.host[SERVER].stream;
            assert_int_equal(skua_stream_write(ep, s, bytes, 430, &n), SKUA_OK);
            pair_run(&p, SKUA_MSEC); /* and as much as may be behind it */
            assert_int_equal(skua_stream_write(ep, s, bytes, sizeof bytes, &n), SKUA_OK);
        }
        /* No repeat of its SYN arrives: all that it will ever get is three times one SYN. */
        skua_time start = p.now;
        pair_run(&p, 70 * SKUA_SEC);
        struct skua_endpoint_stats stats;
        skua_endpoint_stats(p.host[SERVER].ep, &stats);
        pair_run(&p, 40000 * SKUA_SEC);
        assert_true(p.host[SERVER].ep->bytes_sent - before <= 3 * SKUA_LIMIT_UDP_MIN);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 1);
        assert_true(p.host[SERVER].at[SKUA_EVENT_CLOSED] <= start + 64 * SKUA_SEC);
        assert_int_equal(p.host[SERVER].closed.error, SKUA_ETIMEDOUT);
        assert_int_equal(stats.conns, 0);
        assert_int_equal(stats.half_open, 0);
        assert_int_equal(stats.accept_queue, 0);
        assert_int_equal(p.host[SERVER].ep->early_count, 0);
        pair_close(&p);
    }
}

/* The client changes its mind before it is answered. */
static void a_syn_taken_back(void **state)
{
    (void)state;
    struct pair p;
    struct skua_token token = early_begin(&p, NULL, NULL);
    (void)early_call(&p, &token, "hello");
    pair_run(&p, p.delay / 2);
    assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
    pair_run(&p, 2 * p.delay);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
    assert_int_equal(p.host[SERVER].closed.error, SKUA_ECONNRESET);
    assert_int_equal(p.host[SERVER].ep->early_count, 0);
    assert_int_equal(skua_syn_queue_count(&p.host[SERVER].ep->syns), 0);
    pair_close(&p);
}

/* Both change their minds: the client's word comes when the server has ended the connection, and
 * has not yet had room to say so. */
static void a_syn_taken_back_too_late(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pair p;
        struct listen_tap kept = {.from = CLIENT, .type = SKUA_PACKET_REFUSE, .lost = true};
        struct skua_token token = early_begin(&p, NULL, NULL);
        p.drop = listen_tap;
        p.user = &kept;
        p.no_accept = i == 1;
        (void)early_call(&p, &token, "hello");
        pair_run(&p, p.delay / 2);
        assert_int_equal(skua_conn_close(p.host[CLIENT].ep, p.host[CLIENT].conn), SKUA_OK);
        pair_run(&p, p.delay - p.delay / 2);
        assert_true(kept.len > 0);
        struct skua_endpoint *ep = p.host[SERVER].ep;
        skua_conn conn = p.host[SERVER].conn;
        assert_int_equal(i == 0 ? skua_conn_abort(ep, conn, 9, "no")
                                : skua_conn_refuse(ep, conn, SKUA_CODE_REFUSED),
                         SKUA_OK);
        pair_inject(&p, SERVER, kept.bytes, kept.len);
        p.drop = NULL;
        pair_run(&p, 70 * SKUA_SEC);
        assert_int_equal(ep->early_count, 0);
        assert_int_equal(skua_syn_queue_count(&ep->syns), 0);
        pair_close(&p);
    }
}

/* A packet of the type for the server's connection, with nothing true in it but the id. */
static void forge_third(struct pair *p, const struct skua_id *id, enum skua_packet_type type)
{
    uint8_t packet[100] = {SKUA_FIRST_FIXED};
    if (type == SKUA_PACKET_DATA) {
        memcpy(packet + 1, id->bytes, id->len);
    } else {
        struct skua_writer w = skua_writer_of(packet, sizeof packet);
        skua_long_header_write(&w, type, SKUA_WIRE_VERSION, id, id);
    }
    pair_inject(p, SERVER, packet, sizeof packet);
}

/* The application ends it before the client has answered, and the first SYN_ACK arrives or is lost:
 * the client hears of it. What an onlooker makes of the id that the SYN_ACK shows changes nothing.
 */
static void the_server_ends_it_first(void **state)
{
    (void)state;
    for (int round = 0; round < 8; round++) {
        struct pair p;
        struct early_tap t = {.mute = round >= 4};
        int i = round % 4;
        struct skua_token token = early_begin(&p, &t, NULL);
        p.no_accept = i == 1;
        (void)early_call(&p, &token, "hello");
        pair_run(&p, p.delay);
        struct skua_endpoint *ep = p.host[SERVER].ep;
        skua_conn conn = p.host[SERVER].conn;
        const struct skua_id id = skua_ids_own(&pair_conn(&p, SERVER)->ids);
        if (i == 0) {
            assert_int_equal(skua_conn_abort(ep, conn, 9, "no"), SKUA_OK);
        } else if (i == 1) {
            assert_int_equal(skua_conn_refuse(ep, conn, SKUA_CODE_REFUSED), SKUA_OK);
        } else if (i == 2) {
            assert_int_equal(skua_conn_close(ep, conn), SKUA_OK);
        } else {
            assert_int_equal(skua_endpoint_unlisten(ep), SKUA_OK); /* it was accepted: goes on */
        }
        pair_run(&p, p.delay);
        assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], t.mute ? 0 : 1);
        for (int forged = 0; forged < 2; forged++) {
            forge_third(&p, &id, forged ? SKUA_PACKET_DATA : SKUA_PACKET_CONFIRM);
        }
        pair_run(&p, t.mute ? 4 * SKUA_SEC : 0);
        t.mute = false;
        pair_run(&p, 4 * SKUA_SEC);
        if (i < 2) {
            assert_int_equal(p.host[CLIENT].closed.error,
                             i == 0 ? SKUA_ECONNRESET : SKUA_ECONNREFUSED);
        } else {
            assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
            early_close_both(&p);
            assert_int_equal(p.host[CLIENT].closed.error, SKUA_OK);
            assert_int_equal(p.host[SERVER].closed.error, SKUA_OK);
        }
        assert_int_equal(ep->early_count, 0);
        uint64_t sent = p.host[SERVER].sent;
        pair_run(&p, 64 * SKUA_SEC); /* whoever does not ask is not told again */
        assert_int_equal(p.host[SERVER].sent, sent);
        assert_int_equal(skua_syn_queue_count(&ep->syns), 0);
        pair_close(&p);
    }
}

/* The client hears nothing for long, and asks only then; or somebody who has seen the id has spent
 * all the time until then to ask in its place. It hears the server's own word, and not that nobody
 * knows it. */
static void the_end_is_told_late(void **state)
{
    (void)state;
    static const skua_time silence[] = {12 * SKUA_SEC, 12 * SKUA_SEC, 30 * SKUA_SEC};
    for (size_t i = 0; i < sizeof silence / sizeof silence[0]; i++) {
        struct pair p;
        struct early_tap t = {.mute = true};
        struct skua_listen_config listen = early_giving();
        listen.conn.time_wait_ns = i == 2 ? SKUA_SEC : 0;
        struct skua_token token = early_begin(&p, &t, &listen);
        p.no_accept = true;
        (void)early_call(&p, &token, "hello");
        pair_run(&p, p.delay);
        struct skua_endpoint *ep = p.host[SERVER].ep;
        const struct skua_id id = skua_ids_own(&pair_conn(&p, SERVER)->ids);
        assert_int_equal(skua_conn_refuse(ep, p.host[SERVER].conn, SKUA_CODE_REFUSED), SKUA_OK);
        const skua_time end = p.now + silence[i];
        for (int forged = 0; i == 1 && forged < 40; forged++) {
            pair_run(&p, 300 * SKUA_MSEC);
            forge_third(&p, &id, SKUA_PACKET_DATA);
        }
        pair_run(&p, skua_time_sub(end, p.now));
        t.mute = false;
        pair_run(&p, i == 2 ? 3 * SKUA_SEC : 5 * SKUA_SEC);
        assert_int_equal(p.host[CLIENT].closed.error, SKUA_ECONNREFUSED);
        pair_run(&p, 200 * SKUA_SEC);
        assert_int_equal(skua_syn_queue_count(&ep->syns), 0);
        assert_int_equal(skua_time_wait_count(&ep->time_wait), 0);
        pair_close(&p);
    }
}

/* The entry that repeats what was said of early data is not given up for another client's. */
static void the_answer_is_kept(void **state)
{
    (void)state;
    struct pair p;
    struct early_tap t = {.mute = true};
    struct skua_listen_config listen = early_giving();
    listen.syn_backlog = 2;
    listen.retry = SKUA_RETRY_NEVER;
    struct skua_token token = early_begin(&p, &t, &listen);
    (void)early_call(&p, &token, "hello");
    skua_conn early = p.host[CLIENT].conn;
    pair_run(&p, 1); /* it waits longest */
    for (int i = 0; i < 3; i++) {
        (void)pair_connect(&p, NULL);
        pair_run(&p, 1500 * SKUA_MSEC); /* the server has repeated all of itself */
    }
    assert_int_equal(skua_syn_queue_count(&p.host[SERVER].ep->syns), 2);
    t.mute = false;
    pair_run(&p, 3 * SKUA_SEC);
    struct skua_conn_stats stats;
    assert_int_equal(skua_conn_stats(p.host[CLIENT].ep, early, &stats), SKUA_OK);
    assert_int_equal(stats.state, SKUA_STATE_ESTABLISHED);
    assert_int_equal(p.host[SERVER].ep->early_count, 0);
    pair_close(&p);
}

/* A client can make its round trips look as long as it likes, by ACKs that say that they were not
 * late; its SYN is not remembered for three PTOs of that. */
static void a_slow_client_is_forgotten_in_time(void **state)
{
    (void)state;
    struct pair p;
    struct skua_token token = early_begin(&p, NULL, NULL);
    (void)early_call(&p, &token, "hello");
    pair_run(&p, p.delay);
    const struct skua_endpoint *ep = p.host[SERVER].ep;
    skua_conn_first_rtt(pair_conn(&p, SERVER), 60 * SKUA_SEC);
    pair_run(&p, 4 * p.delay);
    assert_false(pair_conn(&p, SERVER)->early_open);
    assert_int_equal(skua_idmap_count(&ep->syns.spent), 1);
    early_close_both(&p);
    pair_run(&p, 61 * SKUA_SEC);
    assert_int_equal(skua_idmap_count(&ep->syns.spent), 0);
    pair_close(&p);
}

/* A server that claims to have taken what it was not given. */
static void taken_and_never_given(void **state)
{
    (void)state;
    struct pair p;
    struct skua_token token = early_begin(&p, NULL, NULL);
    (void)early_call(&p, &token, "hello");
    pair_run(&p, p.delay);
    pair_conn(&p, CLIENT)->dial->early->count = 0; /* as if it had sent none */
    pair_run(&p, 4 * p.delay);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_EPROTO);
    assert_int_equal(p.host[CLIENT].closed.code, SKUA_CODE_PARAMETER);
    pair_close(&p);
}

/* A token serves for its server only: where nothing was written, an IK attempt that nobody answers
 * is followed by an XX attempt as ever, and the user hears that the key is another. */
static void an_unused_token_does_not_hide_another_key(void **state)
{
    (void)state;
    struct pair p;
    struct skua_token token = early_begin(&p, NULL, NULL);
    struct skua_conn_config config = early_asking(&p);
    config.token = &token;
    config.server_key = skua_endpoint_key(p.host[CLIENT].ep); /* not who listens there */
    (void)pair_connect(&p, &config);
    pair_run(&p, 200 * SKUA_SEC);
    assert_int_equal(p.host[CLIENT].closed.error, SKUA_EPEERKEY);
    pair_close(&p);
}

/* The caller's clock goes ahead and falls back, contrary to what is asked of it: what was taken, or
 * was too old, is not good again. */
static void a_clock_that_falls_back(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pair p;
        struct early_tap t = {.mute = false};
        struct skua_token token = early_begin(&p, &t, NULL);
        struct skua_endpoint *ep = p.host[SERVER].ep;
        (void)early_call(&p, &token, "hello");
        if (i == 1) { /* too old when it comes */
            skua_endpoint_on_timeout(ep, p.now + 20 * SKUA_SEC);
        }
        pair_run(&p, 10 * p.delay);
        early_came_through(&p, "hello", i == 0);
        skua_endpoint_on_timeout(ep, p.now + 300 * SKUA_SEC); /* all is forgotten */
        assert_int_equal(skua_idmap_count(&ep->early->strikes), 0);
        uint64_t rejected = early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_EARLY_REJECTED);
        early_inject(&p, &t, 7);
        assert_int_equal(early_verdicts(&p, SERVER, SKUA_VERDICT_SYN_EARLY_REJECTED), rejected + 1);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 1);
        pair_close(&p);
    }
    /* A token that is from the future. */
    struct pair p;
    early_open(&p, NULL);
    skua_endpoint_on_timeout(p.host[SERVER].ep, p.now + SKUA_SEC);
    struct skua_token token = early_earn(&p);
    (void)early_call(&p, &token, "hello");
    pair_run(&p, 10 * p.delay);
    early_came_through(&p, "hello", true);
    pair_close(&p);
}

/* --- the strike register by itself */

static void strikes_are_bounded(void **state)
{
    (void)state;
    struct pair p;
    early_open(&p, NULL);
    struct skua_endpoint *ep = p.host[SERVER].ep;
    struct skua_early *early = ep->early;
    const struct skua_key *client = skua_endpoint_key(p.host[CLIENT].ep);
    uint8_t bytes[SKUA_EARLY_TOKEN_LEN], spare[2][SKUA_EARLY_TOKEN_LEN];
    const uint8_t digest[SKUA_TAG_LEN] = {1};
    struct skua_early_data data = {.token = bytes, .token_len = sizeof bytes};
    skua_time now = p.now;
    skua_early_token_write(spare[0], &early->key, client, &ep->env.rng, now);
    skua_early_token_write(spare[1], &early->key, client, &ep->env.rng, now);
    for (uint32_t i = 0; i < SKUA_LIMIT_EARLY_STRIKES; i++) {
        skua_early_token_write(bytes, &early->key, client, &ep->env.rng, now);
        assert_int_equal(skua_early_strike(early, client, &data, digest, true, now),
                         SKUA_EARLY_TAKEN);
    }
    data.token = spare[0];
    assert_int_equal(skua_early_strike(early, client, &data, digest, true, now),
                     SKUA_EARLY_REJECTED);
    /* There is room again, but nobody remembers what became of tokens of that time. */
    early->window_ns = 1000 * SKUA_SEC;
    now += 138 * SKUA_SEC;
    for (int i = 0; i < 2; i++) {
        data.token = spare[i];
        assert_int_equal(skua_early_strike(early, client, &data, digest, true, now),
                         SKUA_EARLY_REJECTED);
    }
    assert_int_equal(skua_idmap_count(&early->strikes), 0);
    skua_early_token_write(spare[0], &early->key, client, &ep->env.rng, now);
    data.token = spare[0];
    assert_int_equal(skua_early_strike(early, client, &data, digest, true, now), SKUA_EARLY_TAKEN);
    assert_int_equal(skua_early_strike(early, client, &data, digest, true, now),
                     SKUA_EARLY_REPLAYED);
    skua_early_undo(early, &data);
    assert_int_equal(skua_early_strike(early, client, &data, digest, true, now),
                     SKUA_EARLY_REJECTED);
    /* A clock that stands before a token was given is no reason to take it. */
    skua_early_token_write(spare[1], &early->key, client, &ep->env.rng, now + 1);
    data.token = spare[1];
    assert_int_equal(skua_early_strike(early, client, &data, digest, true, now),
                     SKUA_EARLY_REJECTED);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_do_nothing),
        cmocka_unit_test(a_token_serves_once),
        cmocka_unit_test(what_was_rejected_stays_rejected),
        cmocka_unit_test(a_lost_answer_is_repeated),
        cmocka_unit_test(nothing_else_ends_the_wait),
        cmocka_unit_test(silence_stays_silence),
        cmocka_unit_test(retries_prolong_nothing),
        cmocka_unit_test(an_answer_that_waited_is_not_believed),
        cmocka_unit_test(a_client_that_is_not_there),
        cmocka_unit_test(a_syn_taken_back),
        cmocka_unit_test(a_syn_taken_back_too_late),
        cmocka_unit_test(the_server_ends_it_first),
        cmocka_unit_test(the_end_is_told_late),
        cmocka_unit_test(the_answer_is_kept),
        cmocka_unit_test(taken_and_never_given),
        cmocka_unit_test(a_slow_client_is_forgotten_in_time),
        cmocka_unit_test(an_unused_token_does_not_hide_another_key),
        cmocka_unit_test(a_clock_that_falls_back),
        cmocka_unit_test(strikes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
