/* From SYN to accept: every packet lost, every refusal, full queues. */
#include <string.h>

#include "cases.h"

static const uint8_t secret[SKUA_PSK_LEN] = {1, 2, 3};

static void both_established(struct pair *p)
{
    pair_until(p, SEC(2),
               p->client.events[SKUA_EVENT_ESTABLISHED] == 1 &&
                   p->server.events[SKUA_EVENT_INCOMING] == 1);
}

static void say_goodbye(struct pair *p)
{
    p->server.closes = true;
    side_close(&p->client);
    pair_until(p, SEC(10),
               p->client.events[SKUA_EVENT_CLOSED] == 1 &&
                   p->server.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p->w, p->client.closed.error == SKUA_OK && p->server.closed.error == SKUA_OK);
    pair_end(p);
}

/* XX, IK, XXpsk3, IKpsk2: one round trip, the same secret, the right keys. */
void case_patterns(const char *name)
{
    for (int i = 0; i < 4; i++) {
        bool ik = i % 2 == 1, psk = i >= 2;
        struct pair p;
        pair_init(&p, name, NULL);
        struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
        struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
        struct skua_key key = *skua_endpoint_key(p.server.host->ep);
        config.server_key = ik ? &key : NULL;
        config.ik = ik;
        config.psk = listen.conn.psk = psk ? secret : NULL;
        config.label = listen.conn.label = "case";
        pair_listen(&p, &listen);
        skua_time start = p.w->now;
        pair_dial(&p, &config);
        both_established(&p);
        SIM_CHECK(p.w, p.client.at[SKUA_EVENT_ESTABLISHED] == start + MS(20));
        SIM_CHECK(p.w, p.server.at[SKUA_EVENT_INCOMING] == start + MS(30));
        uint8_t a[64], b[64];
        SIM_CHECK(p.w, skua_conn_export(p.client.host->ep, p.client.conn, "x", a, 64) == SKUA_OK);
        SIM_CHECK(p.w, skua_conn_export(p.server.host->ep, p.server.conn, "x", b, 64) == SKUA_OK);
        SIM_CHECK(p.w, memcmp(a, b, sizeof a) == 0);
        SIM_CHECK(p.w, skua_conn_export(p.server.host->ep, p.server.conn, "y", b, 64) == SKUA_OK);
        SIM_CHECK(p.w, memcmp(a, b, sizeof a) != 0);
        say_goodbye(&p);
    }
}

/* A lost SYN is repeated after a second, and gives no RTT sample. */
void case_syn_lost(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_listen(&p, NULL);
    p.client.drop_next = 1;
    skua_time start = p.w->now;
    pair_dial(&p, NULL);
    both_established(&p);
    SIM_CHECK(p.w, p.client.at[SKUA_EVENT_ESTABLISHED] == start + SEC(1) + MS(20));
    pair_run(&p, MS(500));
    struct skua_conn_stats stats;
    side_stats(&p.client, &stats);
    SIM_CHECK(p.w, stats.rtt_smoothed_ns >= MS(20) && stats.rtt_smoothed_ns < MS(60));
    say_goodbye(&p);
}

/* Repeats at 1, 3, 7, 15 and 31 s, the end at 63 s (docs/protocol.md, "Repeats"). */
void case_syn_into_the_void(const char *name)
{
    static const unsigned at[] = {0, 1, 3, 7, 15, 31};
    struct pair p;
    pair_init(&p, name, NULL);
    p.client.dark = true;
    skua_time start = p.w->now;
    pair_dial(&p, NULL);
    pair_run(&p, SEC(62));
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_CLOSED] == 0);
    SIM_CHECK(p.w, p.client.sent_count == 6);
    for (unsigned i = 0; i < 6; i++) {
        SIM_CHECK(p.w, p.client.sent_at[i] == start + SEC(at[i]));
    }
    pair_run(&p, SEC(2));
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, p.client.closed.error == SKUA_ETIMEDOUT);
    SIM_CHECK(p.w, p.client.at[SKUA_EVENT_CLOSED] == start + SEC(63));
    pair_end(&p);
}

/* A SYN_ACK without an answer is repeated in the same way, and the half-open entry goes at 63 s. */
void case_syn_ack_repeats(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_listen(&p, NULL);
    pair_dial(&p, NULL);
    pair_run(&p, MS(15));
    p.client.dark = p.server.dark = true;
    struct sim_link *down = sim_link_between(p.server.host, p.client.host);
    static const unsigned at[] = {1, 3, 7, 15, 31};
    SIM_CHECK(p.w, down->offered == 1);
    skua_time start = p.w->now - MS(5); /* the SYN_ACK left then */
    for (unsigned i = 0; i < 5; i++) {
        pair_run(&p, start + SEC(at[i]) - MS(1) - p.w->now);
        SIM_CHECK(p.w, down->offered == 1 + i);
        pair_run(&p, MS(2));
        SIM_CHECK(p.w, down->offered == 2 + i);
    }
    struct skua_endpoint_stats stats;
    pair_run(&p, start + SEC(62) - p.w->now);
    skua_endpoint_stats(p.server.host->ep, &stats);
    SIM_CHECK(p.w, stats.half_open == 1 && down->offered == 6);
    pair_run(&p, SEC(2));
    skua_endpoint_stats(p.server.host->ep, &stats);
    SIM_CHECK(p.w, stats.half_open == 0 && down->offered == 6);
    pair_end(&p);
}

/* Any later packet of the client completes the handshake; its data are repaired. */
void case_confirm_lost(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_listen(&p, NULL);
    pair_dial(&p, NULL);
    pair_run(&p, MS(15));
    p.client.drop_next = 1; /* the third packet */
    pair_until(&p, SEC(1), p.client.events[SKUA_EVENT_ESTABLISHED] == 1);
    side_send(&p.client, SKUA_STREAM_UNI, 5000);
    both_established(&p);
    pair_until(&p, SEC(2), p.server.eof);
    SIM_CHECK(p.w, p.server.received == 5000);
    say_goodbye(&p);

    /* The same with nothing to send but the third packet itself: its PTO repeats it. */
    pair_init(&p, name, NULL);
    pair_listen(&p, NULL);
    pair_dial(&p, NULL);
    pair_run(&p, MS(15));
    p.client.drop_next = 1;
    both_established(&p);
    SIM_CHECK(p.w,
              p.server.at[SKUA_EVENT_INCOMING] - p.client.at[SKUA_EVENT_ESTABLISHED] < MS(200));
    say_goodbye(&p);
}

static void wrong_pin(const char *name, bool ik, skua_time patience)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_listen(&p, NULL);
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    struct skua_key key = *skua_endpoint_key(p.client.host->ep);
    config.server_key = &key;
    config.ik = ik;
    pair_dial(&p, &config);
    pair_until(&p, patience, p.client.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, p.client.closed.error == SKUA_EPEERKEY);
    SIM_CHECK(p.w, memcmp(&p.client.closed.key, skua_endpoint_key(p.server.host->ep), 32) == 0);
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_ESTABLISHED] == 0);
    SIM_CHECK(p.w, p.server.events[SKUA_EVENT_INCOMING] == 0);
    pair_end(&p);
}

/* "The key has changed", and not "timed out"; the client's key is not shown. */
void case_wrong_pin(const char *name)
{
    wrong_pin(name, false, MS(1100));
}

void case_wrong_pin_ik(const char *name)
{
    wrong_pin(name, true, SEC(10));
}

void case_nobody_listens(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    skua_time start = p.w->now;
    pair_dial(&p, NULL);
    pair_until(&p, SEC(1), p.client.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, p.client.closed.error == SKUA_ECONNREFUSED && p.client.closed.remote);
    SIM_CHECK(p.w, p.client.closed.code == SKUA_CODE_REFUSED);
    SIM_CHECK(p.w, p.client.at[SKUA_EVENT_CLOSED] == start + MS(20));
    pair_end(&p);
}

void case_wrong_label(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    pair_listen(&p, NULL);
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.label = "another";
    pair_dial(&p, &config);
    pair_until(&p, SEC(1), p.client.events[SKUA_EVENT_CLOSED] == 1);
    SIM_CHECK(p.w, p.client.closed.error == SKUA_ECONNREFUSED);
    SIM_CHECK(p.w, p.client.closed.code == SKUA_CODE_LABEL);
    SIM_CHECK(p.w, p.server.events[SKUA_EVENT_INCOMING] == 0);
    pair_end(&p);
}

/* Whoever does not know the shared secret gets nowhere, and leaves nothing behind. */
void case_wrong_psk(const char *name)
{
    static const uint8_t other[SKUA_PSK_LEN] = {9};
    for (int i = 0; i < 3; i++) {
        struct pair p;
        pair_init(&p, name, NULL);
        struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
        struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
        listen.conn.psk = i == 0 ? NULL : secret;
        config.psk = i == 1 ? NULL : other;
        pair_listen(&p, &listen);
        pair_dial(&p, &config);
        pair_until(&p, SEC(70), p.client.events[SKUA_EVENT_CLOSED] == 1);
        SIM_CHECK(p.w, p.client.closed.error != SKUA_OK);
        SIM_CHECK(p.w, p.server.events[SKUA_EVENT_INCOMING] == 0);
        pair_end(&p);
    }
}

enum { GUESTS = 5 };

/* Where the accept queue is full the third packet is dropped, and its repeats succeed later. */
void case_accept_queue(const char *name)
{
    struct pair p;
    pair_init(&p, name, NULL);
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    listen.backlog = 1;
    pair_listen(&p, &listen);
    p.server.accepts = false;
    for (int i = 0; i < GUESTS; i++) {
        pair_dial(&p, NULL);
    }
    pair_run(&p, SEC(1));
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(p.server.host->ep, &stats);
    SIM_CHECK(p.w, p.server.events[SKUA_EVENT_INCOMING] == 1 && stats.accept_queue == 1);
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_ESTABLISHED] == GUESTS);
    SIM_CHECK(p.w, stats.half_open == GUESTS - 1);
    for (unsigned i = 1; i <= GUESTS; i++) {
        pair_until(&p, SEC(10), p.server.events[SKUA_EVENT_INCOMING] == i);
        SIM_CHECK(p.w, skua_conn_accept(p.server.host->ep, p.server.conn, &p.server) == SKUA_OK);
    }
    SIM_CHECK(p.w, p.client.events[SKUA_EVENT_CLOSED] == 0);
    SIM_CHECK(p.w, skua_endpoint_unlisten(p.server.host->ep) == SKUA_OK);
    pair_until(&p, SEC(40), p.client.events[SKUA_EVENT_CLOSED] == GUESTS);
    pair_end(&p);
}

/* A connection that ends before the application took it. */
void case_abort_before_accept(const char *name)
{
    for (unsigned k = 0; k < 2; k++) {
        struct pair p;
        pair_init(&p, name, NULL);
        p.server.accepts = false;
        pair_listen(&p, NULL);
        pair_dial(&p, NULL);
        if (k == 0) { /* both in one receive batch of the server */
            pair_until(&p, SEC(1), p.client.events[SKUA_EVENT_ESTABLISHED] == 1);
        } else {
            pair_run(&p, MS(200));
        }
        SIM_CHECK(p.w, skua_conn_abort(p.client.host->ep, p.client.conn, 3, "no") == SKUA_OK);
        side_kick(&p.client);
        pair_run(&p, SEC(1));
        struct skua_endpoint_stats stats;
        skua_endpoint_stats(p.server.host->ep, &stats);
        SIM_CHECK(p.w, stats.accept_queue == 0 && stats.conns == 0);
        SIM_CHECK(p.w, p.server.events[SKUA_EVENT_INCOMING] == p.server.events[SKUA_EVENT_CLOSED]);
        pair_end(&p);
    }
}
