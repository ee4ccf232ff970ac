/* Who gets in: old, forged and repeated packets of the handshake, floods, full queues, and every
 * reason for which a SYN comes to nothing. */
#include <string.h>

#include "base/limits.h"
#include "chart.h"
#include "endpoint/endpoint.h"
#include "flood.h"
#include "handshake/responder.h"

/* Where things stand in a SYN whose ids have 8 bytes. */
enum { AT_VERSION = 1, AT_TOKEN = 23, AT_PATTERN = 25, AT_MESSAGE = 28, AT_SUITES = 60 };

static struct skua_endpoint_stats stats_of(struct side *s)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(s->host->ep, &stats);
    return stats;
}

/* Somebody else's address: he will not hear the answer. */
static struct skua_addr elsewhere(uint16_t port)
{
    return (struct skua_addr){
        .family = SKUA_FAMILY_IPV4, .port = port, .ip = {198, 51, 100, (uint8_t)port}};
}

/* So many SYNs reach the server at once, each from another address whose owner knows nothing of it.
 */
static void forged_syns(unsigned count)
{
    static struct sim_flood flood;
    note(server, "(%u forged SYNs)", count);
    flood = (struct sim_flood){.sent = 0};
    sim_flood_start(&flood, server->host, 1000000, count);
}

/* --- 11: an old SYN */

/* From an attempt that was given up; it arrives just before the new one. */
SCENARIO(old_syn_before_the_new)
{
    const struct kept *old = net_keep(client, SYN, 1);
    net_drop(client, ANY, 1); /* the old SYN ... */
    net_drop(client, ANY, 2); /* ... and what takes it back */
    app_listen();
    app_connect();
    run_to(MS(5));
    app_close(client);
    run_to(SEC(1));
    client->conn = 0;
    net_replay(server, old);
    app_connect();
    run_to(SEC(1) + MS(50));
    expect_at(client, SKUA_EVENT_ESTABLISHED, SEC(1) + MS(20));
    expect(server->events[SKUA_EVENT_INCOMING] == 1 && stats_of(server).conns == 1);
    run_to(SEC(70));
    expect(stats_of(server).half_open == 0);
    expect(server->events[SKUA_EVENT_INCOMING] == 1);
}

/* From a connection that has ended, or of the present one, while the new one stands. */
SCENARIO(old_syn_after_the_new)
{
    const struct kept *old = net_keep(client, SYN, 1), *own = net_keep(client, SYN, 2);
    app_listen();
    app_connect();
    run_to(SEC(1));
    app_abort(client, 0, "");
    run_to(SEC(20));
    app_connect();
    run_to(SEC(20) + MS(35));
    net_replay(server, own); /* late, by less than 3 PTO: opens nothing */
    run_to(SEC(20) + MS(40));
    expect(verdicts(server, SKUA_VERDICT_SYN_REPEAT) == 1 && stats_of(server).half_open == 0);
    run_to(SEC(21));
    net_replay(server, old); /* years late: an entry that nobody confirms */
    run_to(SEC(22));
    expect(stats_of(server).half_open == 1);
    expect_state(client, SKUA_STATE_ESTABLISHED);
    app_send(client, SKUA_STREAM_UNI, 1000);
    run_to(SEC(100));
    expect(stats_of(server).half_open == 0 && server->eof && server->received == 1000);
    expect(server->events[SKUA_EVENT_INCOMING] == 2);
}

/* --- 12: an old or forged SYN_ACK */

SCENARIO(old_syn_ack)
{
    const struct kept *old = net_keep(server, SYN_ACK, 1), *syn = net_keep(client, SYN, 2);
    app_listen();
    app_connect();
    run_to(SEC(1));
    app_abort(client, 0, "");
    run_to(SEC(20));
    app_connect();
    run_to(SEC(20) + MS(5));
    uint8_t bytes[sizeof old->bytes];
    memcpy(bytes, old->bytes, old->len);
    net_replay(client, old); /* for an id that is not in use any more */
    memcpy(bytes + 6, syn->bytes + 15, 8);
    net_inject(client, NULL, bytes, old->len); /* and the same with the right one */
    run_to(SEC(20) + MS(6));
    expect(verdicts(client, SKUA_VERDICT_SYN_ACK_BAD) == 1);
    expect_state(client, SKUA_STATE_SYN_SENT);
    run_to(SEC(21));
    expect_at(client, SKUA_EVENT_ESTABLISHED, SEC(20) + MS(20));
}

/* Somebody on the path has seen the SYN and answers it, faster than the server, with a key of his
 * own. */
static void answer_as_another(const struct kept *syn)
{
    static const struct skua_secret_key secret = {.bytes = {7}};
    static const struct skua_id id = {.len = 8, .bytes = {7}};
    const struct skua_connection *own = skua_endpoint_conn(client->host->ep, client->conn);
    expect(own != NULL);
    const struct skua_rng rng = own->env->rng;
    const struct skua_secret reset_key = {.bytes = {7}};
    struct skua_keypair keys;
    struct skua_params params;
    struct skua_head head;
    struct skua_syn parsed;
    struct skua_responder responder;
    uint8_t bytes[SKUA_SYN_ACK_CAP];
    skua_keypair_init(&keys, &secret);
    skua_params_init(&params);
    const struct skua_responder_config config = {.local = &keys,
                                                 .params = &params.transport,
                                                 .rng = &rng,
                                                 .reset_key = &reset_key,
                                                 .suites = SKUA_SUITE_CHACHA20_POLY1305};
    expect(skua_header_peek(syn->bytes, syn->len, 8, &head) == SKUA_VERDICT_OK);
    expect(skua_syn_read(syn->bytes, syn->len, &head, &parsed) == SKUA_VERDICT_OK);
    struct skua_writer w = skua_writer_of(bytes, sizeof bytes);
    expect(skua_responder_on_syn(&responder, &config, &head, &parsed, &id, &w) == SKUA_VERDICT_OK);
    net_inject(client, NULL, bytes, skua_writer_len(&w));
}

SCENARIO(forged_syn_ack)
{
    const struct skua_key pin = *skua_endpoint_key(server->host->ep);
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    const struct kept *syn = net_keep(client, SYN, 1);
    config.server_key = &pin;
    app_listen();
    app_connect_with(&config);
    run_to(MS(5));
    note(client, "(a stranger on the path answers with his key)");
    answer_as_another(syn);
    run_to(MS(6));
    expect(verdicts(client, SKUA_VERDICT_SYN_ACK_UNTRUSTED) == 1);
    expect_state(client, SKUA_STATE_SYN_SENT);
    expect_sent(client, CONFIRM, 0); /* the client's key is in there: nobody has seen it */
    run_to(SEC(2));
    expect_at(client, SKUA_EVENT_ESTABLISHED, MS(20));
    expect_state(server, SKUA_STATE_ESTABLISHED);
}

/* --- 13: the same SYN ten times */

SCENARIO(same_syn_ten_times)
{
    const struct kept *syn = net_keep(client, SYN, 1), *first = net_keep(server, SYN_ACK, 1),
                      *last = net_keep(server, SYN_ACK, 10);
    app_listen();
    app_connect();
    for (unsigned i = 2; i <= 10; i++) {
        run_to(MS(9 + i));
        net_replay(server, syn);
    }
    run_to(MS(25));
    expect(stats_of(server).half_open == 1);
    expect(verdicts(server, SKUA_VERDICT_SYN_REPEAT) == 9);
    expect_sent(server, SYN_ACK, 10);
    expect(first->len == last->len && memcmp(first->bytes, last->bytes, first->len) == 0);
    run_to(SEC(1));
    expect(server->events[SKUA_EVENT_INCOMING] == 1 && stats_of(server).conns == 1);
    expect(client->events[SKUA_EVENT_ESTABLISHED] == 1);
}

/* --- 17: a flood of SYNs */

/* The lower half of the queue is full of forged SYNs: who comes now must prove its address. */
SCENARIO(retry_under_pressure)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    config.syn_backlog = 4;
    app_listen_with(&config);
    forged_syns(2);
    run_to(MS(5));
    expect(stats_of(server).half_open == 2);
    app_connect();
    run_to(MS(20));
    expect_sent(server, RETRY, 1);
    expect(stats_of(server).half_open == 2); /* nothing is kept for it */
    run_to(MS(500));
    expect_sent(client, SYN, 2);
    expect_sent_at(client, SYN, 2, MS(5 + 20));
    expect(packet(client, SYN, 2)->size == 1218); /* the same with the token in it */
    expect_at(client, SKUA_EVENT_ESTABLISHED, MS(5 + 40));
    expect_at(server, SKUA_EVENT_INCOMING, MS(5 + 50));
}

SCENARIO(flood_from_everywhere)
{
    enum { FLOOD = 20000 };
    static struct sim_flood flood;
    app_listen();
    flood = (struct sim_flood){.sent = 0};
    sim_flood_start(&flood, server->host, 100000, FLOOD);
    run_to(MS(20));
    const uint64_t early = stats_of(server).memory;
    run_to(MS(100) + 303 * SKUA_USEC);
    const skua_time start = elapsed();
    app_connect();
    run_to(SEC(1));
    expect(flood.sent == FLOOD);
    expect_at(client, SKUA_EVENT_ESTABLISHED, start + MS(40)); /* one more round trip */
    expect_state(server, SKUA_STATE_ESTABLISHED);
    expect(verdicts(server, SKUA_VERDICT_SYN_RETRY) > FLOOD - 500);
    expect(stats_of(server).memory_peak < early + 500 * 1024); /* a thousand entries per second */
    expect(stats_of(server).bytes_sent < stats_of(server).bytes_received / 10);
}

/* RETRY is switched off and the queue is full: the SYN is dropped. A forged one that did not answer
 * its first SYN_ACK makes room for the client's repeat. */
SCENARIO(queue_full_without_retry)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    config.syn_backlog = 2;
    config.retry = SKUA_RETRY_NEVER;
    app_listen_with(&config);
    forged_syns(2);
    run_to(MS(5));
    app_connect();
    run_to(MS(500));
    expect(verdicts(server, SKUA_VERDICT_SYN_QUEUE_FULL) == 1);
    expect_sent(server, RETRY, 0);
    expect_state(client, SKUA_STATE_SYN_SENT);
    run_to(SEC(2));
    expect_sent_at(client, SYN, 2, SEC(1) + MS(5));
    expect_at(client, SKUA_EVENT_ESTABLISHED, SEC(1) + MS(5 + 20));
    expect(stats_of(server).half_open == 1);
}

/* A token is for one address, and not for long. */
SCENARIO(token_elsewhere_or_old)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    config.retry = SKUA_RETRY_ALWAYS;
    const struct kept *syn = net_keep(client, SYN, 2); /* holds the token */
    app_listen_with(&config);
    app_connect();
    run_to(SEC(1));
    expect_state(server, SKUA_STATE_ESTABLISHED);
    const struct skua_addr from = elsewhere(1001);
    net_inject(server, &from, syn->bytes, syn->len);
    run_to(SEC(2));
    expect(verdicts(server, SKUA_VERDICT_SYN_BAD_TOKEN) == 1 && stats_of(server).half_open == 0);
    net_replay(server, syn); /* still good: an entry */
    run_to(SEC(3));
    expect(stats_of(server).half_open == 1);
    run_to(SEC(129));
    net_replay(server, syn);
    run_to(SEC(130));
    expect(verdicts(server, SKUA_VERDICT_SYN_BAD_TOKEN) == 2 && stats_of(server).half_open == 0);
}

/* --- 18: the accept queue is full */

SCENARIO(accept_queue_full)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    config.backlog = 1;
    server->accepts = false;
    app_listen_with(&config);
    app_connect();
    run_to(MS(100));
    app_connect(); /* the second */
    run_to(MS(125));
    expect(client->events[SKUA_EVENT_ESTABLISHED] == 2);
    app_send(client, SKUA_STREAM_UNI, 5000);
    run_to(SEC(1));
    expect(server->events[SKUA_EVENT_INCOMING] == 1);
    expect(verdicts(server, SKUA_VERDICT_ACCEPT_QUEUE_FULL) >= 3);
    expect(stats_of(server).half_open == 1 && stats_of(server).accept_queue == 1);
    app_accept();
    run_to(SEC(10));
    expect(server->events[SKUA_EVENT_INCOMING] == 2);
    app_accept();
    run_to(SEC(11));
    expect(server->eof && server->received == 5000);
    expect(client->events[SKUA_EVENT_CLOSED] == 0);
}

/* Nobody ever accepts: the server gives the entry up after its repeats, the client when its data
 * have been unacknowledged for user_timeout. */
SCENARIO(accept_queue_full_for_ever)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_conn_config patient = SKUA_CONN_CONFIG_INIT;
    config.backlog = 1;
    patient.idle_timeout_ns = config.conn.idle_timeout_ns = SKUA_NEVER;
    server->accepts = false;
    app_listen_with(&config);
    app_connect_with(&patient);
    run_to(MS(100));
    app_connect_with(&patient);
    run_to(SEC(60));
    expect(stats_of(server).half_open == 1);
    run_to(SEC(64));
    expect(stats_of(server).half_open == 0);
    expect_sent(server, SYN_ACK, 1 + 6);
    expect(server->events[SKUA_EVENT_INCOMING] == 1);
    expect(client->events[SKUA_EVENT_CLOSED] == 1 && client->closed.error == SKUA_ETIMEDOUT);
}

/* --- 19: ... with abort_on_overflow */

SCENARIO(accept_queue_full_aborts)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    config.backlog = 1;
    config.abort_on_overflow = true;
    server->accepts = false;
    app_listen_with(&config);
    app_connect();
    run_to(MS(100));
    app_connect();
    run_to(MS(200));
    expect_at(client, SKUA_EVENT_CLOSED, MS(100) + MS(40));
    expect(client->closed.error == SKUA_ECONNREFUSED && client->closed.remote);
    expect(client->closed.code == SKUA_CODE_OVERLOAD);
    expect(verdicts(server, SKUA_VERDICT_ACCEPT_OVERFLOW) == 1);
    expect(server->events[SKUA_EVENT_INCOMING] == 1);
    expect(stats_of(server).conns == 1 && stats_of(server).half_open == 0);
}

static bool nobody(void *user, const struct skua_key *key, const struct skua_path *path)
{
    (void)user;
    (void)key;
    (void)path;
    return false;
}

/* A key that may not come in takes no room in the accept queue either. */
SCENARIO(key_not_on_the_list)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    config.allow = nobody;
    app_listen_with(&config);
    app_connect();
    run_to(MS(200));
    expect_at(client, SKUA_EVENT_CLOSED, MS(40));
    expect(client->closed.error == SKUA_ECONNREFUSED);
    expect(client->closed.code == SKUA_CODE_KEY_REFUSED);
    expect(verdicts(server, SKUA_VERDICT_KEY_REFUSED) == 1);
    expect(server->events[SKUA_EVENT_INCOMING] == 0);
}

/* --- 20: in which cases is a SYN dropped? */

/* A SYN of a connection that is over and forgotten when this returns. */
static const struct kept *learn_a_syn(const struct skua_listen_config *config)
{
    const struct kept *syn = net_keep(client, SYN, 1);
    app_listen_with(config);
    app_connect();
    run_to(MS(100));
    app_abort(client, 0, "");
    run_to(SEC(10));
    return syn;
}

/* The kept SYN with `len` bytes and byte `at` xored with `bits` is counted by `verdict`. */
static void expect_counted(const struct kept *syn, size_t len, size_t at, uint8_t bits,
                           enum skua_verdict verdict)
{
    static uint16_t port = 2000;
    uint8_t bytes[4096] = {0};
    const struct skua_addr from = elsewhere(port++);
    const uint64_t before = verdicts(server, verdict);
    memcpy(bytes, syn->bytes, syn->len);
    bytes[at] ^= bits;
    net_inject(server, &from, bytes, len);
    run_for(MS(1));
    expect(verdicts(server, verdict) == before + 1);
}

SCENARIO(each_reason_has_a_counter)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    const struct kept *syn = learn_a_syn(&config);
    const size_t len = syn->len;
    expect_counted(syn, 1199, 0, 0, SKUA_VERDICT_SYN_SHORT);
    expect_counted(syn, len, AT_VERSION, 0x80, SKUA_VERDICT_VERSION);
    expect_sent(server, VERSIONS, 1);
    expect_counted(syn, len, 0, 0x40, SKUA_VERDICT_NOT_SKUA);
    expect_counted(syn, 2100, 0, 0, SKUA_VERDICT_MALFORMED);
    expect_counted(syn, len, AT_TOKEN + 1, 3, SKUA_VERDICT_RUNT); /* cut off by three bytes */
    expect_counted(syn, len, AT_PATTERN, 7, SKUA_VERDICT_SYN_PATTERN);
    expect_counted(syn, len, AT_SUITES, syn->bytes[AT_SUITES], SKUA_VERDICT_SYN_SUITE);
    expect_counted(syn, len, AT_SUITES + 1, syn->bytes[AT_SUITES + 1], SKUA_VERDICT_SYN_BAD);
    expect_counted(syn, len, 0, 1, SKUA_VERDICT_SYN_UNEXPECTED); /* a rendezvous with nobody */
    expect(stats_of(server).half_open == 0);
    expect_counted(syn, len, 6, 1, SKUA_VERDICT_OK);
    expect(stats_of(server).half_open == 1);
    server->host->heap.fail_at = server->host->heap.requests + 1;
    expect_counted(syn, len, 6, 2, SKUA_VERDICT_NO_MEMORY);
    expect(skua_endpoint_unlisten(server->host->ep) == SKUA_OK);
    expect_counted(syn, len, 6, 3, SKUA_VERDICT_SYN_NOT_LISTENING);
    expect_sent(server, REFUSE, 1);
}

/* Those that depend on what else is going on. */
SCENARIO(each_reason_under_pressure)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    config.syn_backlog = 2;
    config.retry_half_open = 1;
    config.prefix_handshakes = 1;
    const struct kept *syn = learn_a_syn(&config);
    expect_counted(syn, syn->len, 6, 1, SKUA_VERDICT_OK);
    expect_counted(syn, syn->len, 6, 2, SKUA_VERDICT_SYN_RETRY);
    app_connect(); /* has a token: the queue's last place */
    net_drop_many(client, CONFIRM, 1, UINT_MAX);
    run_for(MS(100));
    expect(stats_of(server).half_open == 2);
    expect(skua_endpoint_unlisten(server->host->ep) == SKUA_OK);

    config.retry = SKUA_RETRY_NEVER;
    config.syn_backlog = 100;
    app_listen_with(&config);
    for (unsigned i = 0; i < 10; i++) { /* a network's share: eight, one on credit, and pressure */
        expect_counted(syn, syn->len, 7, (uint8_t)(i + 1), SKUA_VERDICT_OK);
    }
    expect_counted(syn, syn->len, 7, 200, SKUA_VERDICT_SYN_PREFIX);
    expect(skua_endpoint_unlisten(server->host->ep) == SKUA_OK);

    config.syn_backlog = 1;
    config.prefix_handshakes = 0;
    app_listen_with(&config);
    expect_counted(syn, syn->len, 8, 1, SKUA_VERDICT_OK);
    expect_counted(syn, syn->len, 8, 2, SKUA_VERDICT_SYN_QUEUE_FULL);
}

/* --- 21: nobody listens */

SCENARIO(nobody_listens)
{
    app_connect();
    run_to(SEC(1));
    expect_at(client, SKUA_EVENT_CLOSED, MS(20));
    expect_closed(client, SKUA_ECONNREFUSED);
    expect(client->closed.remote && client->closed.code == SKUA_CODE_REFUSED);
    expect_sent(client, SYN, 1);
    expect(verdicts(server, SKUA_VERDICT_SYN_NOT_LISTENING) == 1);
}

/* REFUSE is limited: nobody can have the host send as many as he likes. */
SCENARIO(refusals_are_limited)
{
    enum { FLOOD = 20000 };
    static struct sim_flood flood;
    flood = (struct sim_flood){.sent = 0};
    sim_flood_start(&flood, server->host, 20000, FLOOD);
    run_to(SEC(2));
    expect(verdicts(server, SKUA_VERDICT_SYN_NOT_LISTENING) <=
           1251); /* in a second, with a burst */
    expect(verdicts(server, SKUA_VERDICT_SYN_NOT_LISTENING) +
               verdicts(server, SKUA_VERDICT_ANSWER_RATE) ==
           FLOOD);
    app_connect();
    run_to(SEC(3));
    expect_closed(client, SKUA_ECONNREFUSED);
}

/* The port is closed: ICMP says so. Anybody can forge that, so it shortens the patience only: the
 * attempt ends where the server has not answered by the next repeat. */
SCENARIO(port_closed)
{
    net_drop_many(client, SYN, 1, UINT_MAX);
    app_connect();
    run_to(MS(20));
    note(client, "ICMP: port unreachable");
    struct skua_path path = sim_path(client->host, 0, server->host);
    skua_endpoint_hint(client->host->ep, &path, SKUA_HINT_PORT_UNREACHABLE, world()->now);
    run_to(MS(999));
    expect_state(client, SKUA_STATE_SYN_SENT);
    run_to(SEC(2));
    expect_at(client, SKUA_EVENT_CLOSED, SEC(1));
    expect_closed(client, SKUA_ECONNREFUSED);
    expect_sent(client, SYN, 1);
}

/* The same message while the server answers: it was forged, and nothing happens. */
SCENARIO(port_closed_says_a_liar)
{
    app_listen();
    app_connect();
    run_to(MS(5));
    note(client, "ICMP: port unreachable");
    struct skua_path path = sim_path(client->host, 0, server->host);
    skua_endpoint_hint(client->host->ep, &path, SKUA_HINT_PORT_UNREACHABLE, world()->now);
    run_to(SEC(10));
    expect_at(client, SKUA_EVENT_ESTABLISHED, MS(20));
    expect_state(client, SKUA_STATE_ESTABLISHED);
}
