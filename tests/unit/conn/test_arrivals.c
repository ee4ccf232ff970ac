/* Every packet in every state: what becomes of it, of the state, and what is answered. The answers
 * stand in arrivals.def, one line for each pair; docs/protocol.md prints it. `test_conn_arrivals
 * --print` writes what the code does. */
#include "pair.h"

#include <stdio.h>
#include <string.h>

#include "handshake/refuse.h"

/* What arrives. */
enum arrival {
#define SKUA_ARRIVAL(name, text) name,
#include "arrivals.def"
#undef SKUA_ARRIVAL
    ARRIVALS
};

static const char *const names[] = {
#define SKUA_ARRIVAL(name, text) #name,
#include "arrivals.def"
#undef SKUA_ARRIVAL
};

/* Where it arrives: a state of one of the two sides. */
struct place {
    int side;
    enum skua_state state;
};

static const struct place places[] = {
#define SKUA_PLACE(side, state) {side, SKUA_STATE_##state},
#include "arrivals.def"
#undef SKUA_PLACE
};
enum { PLACES = sizeof places / sizeof places[0] };

/* What follows. */
struct outcome {
    const char *verdict;   /* its name */
    enum skua_state after; /* state then */
    char answer[16];       /* packets that leave at once, a letter each */
};

static const struct {
    struct place place;
    enum arrival what;
    struct outcome outcome;
} table[] = {
#define SKUA_OUTCOME(side, state, what, verdict, after, answer)                                    \
    {{side, SKUA_STATE_##state}, what, {#verdict, SKUA_STATE_##after, answer}},
#include "arrivals.def"
#undef SKUA_OUTCOME
};

/* The handshake's packets, as they went by. */
struct seen {
    uint8_t bytes[3][SKUA_LIMIT_SYN_MAX]; /* SYN, SYN_ACK, CONFIRM */
    size_t len[3];
    int deaf; /* what goes to this side is lost; -1 = nothing is */
};

static bool watch(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    struct seen *seen = pair->user;
    unsigned type = (data[0] >> 2) & 0x0fu;
    if ((data[0] & SKUA_FIRST_LONG) != 0 && type <= SKUA_PACKET_CONFIRM && seen->len[type] == 0) {
        memcpy(seen->bytes[type], data, len);
        seen->len[type] = len;
    }
    return seen->deaf == !from || seen->deaf == 2;
}

/* A packet of `from` with these frames, of at least the length of one that asks for an answer. */
static void send_frames_of(struct pair *p, int from, const uint8_t *bytes, size_t len)
{
    uint8_t frames[SKUA_ELICITING_MIN] = {0};
    memcpy(frames, bytes, len);
    pair_forge(p, from, frames, sizeof frames);
}

static void send_fin_ack(struct pair *p, int from)
{
    static const uint8_t fin_ack[] = {0x40, 0x41};
    send_frames_of(p, from, fin_ack, sizeof fin_ack);
}

static void send_fin(struct pair *p, int from)
{
    static const uint8_t fin[] = {0x40, 0x40, 0, 0, 0};
    send_frames_of(p, from, fin, sizeof fin);
}

/* Lets the side go through its states until it is in the one wanted; the peer is alive and has its
 * keys, and nothing is under way. */
static void go_to(struct pair *p, struct seen *seen, const struct place *place)
{
    const int side = place->side;
    struct host *host = &p->host[side];
    pair_listen(p, NULL);
    (void)pair_connect(p, NULL);
    if (place->state == SKUA_STATE_CLOSED || place->state == SKUA_STATE_LISTEN) {
        pair_run(p, 10 * p->delay);
        pair_restart(p, side); /* it has forgotten the connection, whose packets arrive */
        if (place->state == SKUA_STATE_LISTEN) {
            pair_listen(p, NULL);
        }
        return;
    }
    if (place->state == SKUA_STATE_SYN_SENT) {
        seen->deaf = CLIENT;
        pair_run(p, p->delay + SKUA_MSEC);
        return;
    }
    if (place->state == SKUA_STATE_SYN_RCVD) {
        seen->deaf = SERVER;
        pair_send(p, CLIENT);
        pair_inject(p, SERVER, seen->bytes[SKUA_PACKET_SYN], seen->len[SKUA_PACKET_SYN]);
        pair_run(p, 2 * p->delay + SKUA_MSEC);
        return;
    }
    pair_run(p, 10 * p->delay);
    seen->deaf = 2; /* from here on only what is forged arrives */
    bool passive = place->state == SKUA_STATE_CLOSE_WAIT || place->state == SKUA_STATE_LAST_ACK;
    if (passive) {
        send_fin(p, !side);
        pair_run(p, 0);
    }
    if (place->state != SKUA_STATE_ESTABLISHED && place->state != SKUA_STATE_CLOSE_WAIT) {
        assert_int_equal(skua_conn_shutdown(host->ep, host->conn), SKUA_OK);
        pair_run(p, 0);
    }
    if (place->state == SKUA_STATE_FIN_WAIT_2 || place->state == SKUA_STATE_TIME_WAIT) {
        send_fin_ack(p, !side);
    }
    if (place->state == SKUA_STATE_CLOSING || place->state == SKUA_STATE_TIME_WAIT) {
        send_fin(p, !side);
    }
    pair_run(p, 40 * SKUA_MSEC); /* delayed ACKs have left */
}

/* Where `side` is, by its connection, else by what its endpoint holds; `record`: one may be of it.
 */
static enum skua_state state_at(struct pair *p, int side, bool record)
{
    struct skua_endpoint_stats stats;
    struct skua_connection *c = skua_endpoint_conn(p->host[side].ep, p->host[side].conn);
    skua_endpoint_stats(p->host[side].ep, &stats);
    if (c != NULL && c->state != SKUA_STATE_CLOSED) {
        return c->state;
    }
    if (record && stats.time_wait > 0) {
        return SKUA_STATE_TIME_WAIT;
    }
    if (stats.half_open > 0) {
        return SKUA_STATE_SYN_RCVD;
    }
    /* A listener goes on whatever becomes of its connections: it is a place only before them. */
    return side == SERVER && p->host[SERVER].ep->listening && p->host[SERVER].conn == 0
               ? SKUA_STATE_LISTEN
               : SKUA_STATE_CLOSED;
}

/* A packet made for the connection's SYN by somebody who saw it. */
static size_t answer_to_syn(const struct seen *seen, enum arrival what, uint8_t *out, size_t cap)
{
    struct skua_head head;
    struct skua_syn syn;
    const uint8_t *bytes = seen->bytes[SKUA_PACKET_SYN];
    struct skua_writer w = skua_writer_of(out, cap);
    assert_int_equal(skua_header_peek(bytes, seen->len[SKUA_PACKET_SYN], SKUA_OWN_ID_LEN, &head),
                     SKUA_VERDICT_OK);
    assert_int_equal(skua_syn_read(bytes, seen->len[SKUA_PACKET_SYN], &head, &syn),
                     SKUA_VERDICT_OK);
    if (what == ARRIVES_RETRY) {
        skua_retry_write(&w, &head, &syn, (const uint8_t *)"token", 5);
    } else if (what == ARRIVES_REFUSE) {
        skua_refuse_write(&w, &head, &syn, SKUA_CODE_REFUSED);
    } else if (what == ARRIVES_CANCEL) {
        skua_cancel_write(&w, &head, &syn);
    } else {
        skua_versions_write(&w, &head);
        out[skua_writer_len(&w) - 1] ^= 0x55; /* another version than ours */
    }
    assert_false(w.failed);
    return skua_writer_len(&w);
}

static void send_frames(struct pair *p, int from, enum arrival what)
{
    static const uint8_t ping[] = {0x01};
    static const uint8_t rst[] = {0x40, 0x42, 1, 7, 0, 0};
    const uint8_t stream[] = {0x0a, from == SERVER ? 3 : 2, 3, 'a', 'b', 'c'};
    if (what == ARRIVES_PING) {
        send_frames_of(p, from, ping, sizeof ping);
    } else if (what == ARRIVES_STREAM) {
        send_frames_of(p, from, stream, sizeof stream);
    } else if (what == ARRIVES_FIN) {
        send_fin(p, from);
    } else if (what == ARRIVES_FIN_ACK) {
        send_fin_ack(p, from);
    } else {
        assert_int_equal(what, ARRIVES_RST);
        pair_forge(p, from, rst, sizeof rst);
    }
}

/* A DATA packet that is none: for `id`, and with the token of `peer`'s own where it has one. */
static void send_fake(struct pair *p, int side, const struct skua_id *id,
                      const struct skua_connection *peer)
{
    uint8_t packet[60];
    memset(packet, 0x55, sizeof packet);
    packet[0] = 0x40;
    memcpy(packet + 1, id->bytes, id->len);
    if (peer != NULL) {
        skua_reset_token(packet + sizeof packet - SKUA_RESET_TOKEN_LEN,
                         &p->host[!side].ep->env.reset_key, peer->ids.own[0], SKUA_OWN_ID_LEN);
    }
    pair_inject(p, side, packet, sizeof packet);
}

/* The id by which the other side knows the place; `len` 0 where it does not. */
static struct skua_id id_of(const struct pair *p, int side)
{
    static const struct skua_id none = {.len = 0};
    const struct skua_connection *c = skua_endpoint_conn(p->host[side].ep, p->host[side].conn);
    const struct skua_connection *peer = skua_endpoint_conn(p->host[!side].ep, p->host[!side].conn);
    return c != NULL ? skua_ids_own(&c->ids) : peer != NULL ? peer->ids.peer : none;
}

/* Another attempt of the peer's, from the same address. */
static void send_new_syn(struct pair *p, struct seen *seen, int side)
{
    skua_conn old = p->host[!side].conn;
    seen->len[SKUA_PACKET_SYN] = 0;
    assert_int_equal(pair_dial(p, !side, NULL), SKUA_OK);
    p->host[!side].conn = old;
    pair_send(p, !side);
    assert_true(seen->len[SKUA_PACKET_SYN] != 0);
    pair_inject(p, side, seen->bytes[SKUA_PACKET_SYN], seen->len[SKUA_PACKET_SYN]);
}

/* False where there is no such packet in this place. */
static bool arrive(struct pair *p, struct seen *seen, int side, enum arrival what)
{
    static const struct skua_id nobody = {.len = SKUA_OWN_ID_LEN};
    const struct skua_connection *peer = skua_endpoint_conn(p->host[!side].ep, p->host[!side].conn);
    const bool keys = peer != NULL && peer->suite != 0 && !peer->close.over;
    uint8_t packet[SKUA_LIMIT_SYN_MAX];
    size_t len = 0;
    if (what == ARRIVES_NEW_SYN) {
        seen->deaf = 2;
        send_new_syn(p, seen, side);
        return true;
    }
    if (what == ARRIVES_FORGERY) {
        const struct skua_id id = id_of(p, side);
        if (id.len != 0) {
            send_fake(p, side, &id, NULL);
        }
        return id.len != 0;
    }
    if (what > ARRIVES_FORGERY) {
        if (keys && what == ARRIVES_RESET) {
            send_fake(p, side, &nobody, peer);
        } else if (keys) {
            send_frames(p, !side, what);
        }
        return keys;
    }
    if (what <= ARRIVES_CONFIRM) {
        len = seen->len[what];
        memcpy(packet, seen->bytes[what], len);
    } else if (seen->len[SKUA_PACKET_SYN] != 0) {
        len = answer_to_syn(seen, what, packet, sizeof packet);
    }
    if (len != 0) {
        pair_inject(p, side, packet, len);
    }
    return len != 0;
}

/* The kinds of packets that `side` sends at this instant. */
static void answers(struct pair *p, int side, char *out, size_t cap)
{
    static uint8_t bytes[SKUA_LIMIT_UDP_MAX];
    size_t n = 0;
    for (;;) {
        struct skua_tx tx = {.data = bytes, .cap = sizeof bytes, .max_segments = 1};
        skua_endpoint_send(p->host[side].ep, &tx, p->now);
        if (tx.len == 0) {
            break;
        }
        static const char *const kinds = "SACTR";
        bool long_header = (bytes[0] & SKUA_FIRST_LONG) != 0;
        assert_true(n + 1 < cap);
        out[n++] = long_header ? kinds[(bytes[0] >> 2) & 7u] : 'D';
    }
    out[n] = '\0';
}

static const char *const verdicts[] = {
#define SKUA_VERDICT(name, counter, text) #name,
#include "base/verdicts.def"
#undef SKUA_VERDICT
};

static bool run(const struct place *place, enum arrival what, struct outcome *out)
{
    struct pair p;
    struct seen seen = {.deaf = -1};
    struct skua_endpoint_stats before, after;
    pair_open(&p);
    p.drop = watch;
    p.user = &seen;
    go_to(&p, &seen, place);
    assert_string_equal(skua_state_name(state_at(&p, place->side, true)),
                        skua_state_name(place->state));
    skua_endpoint_stats(p.host[place->side].ep, &before);
    *out = (struct outcome){.verdict = NULL};
    bool there = arrive(&p, &seen, place->side, what);
    skua_endpoint_stats(p.host[place->side].ep, &after);
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        if (after.verdicts[i] != before.verdicts[i]) {
            assert_null(out->verdict);
            out->verdict = verdicts[i];
        }
    }
    assert_true(there == (out->verdict != NULL));
    answers(&p, place->side, out->answer, sizeof out->answer);
    /* A violation leaves a record, which repeats the RST. */
    out->after = state_at(&p, place->side, !there || strcmp(out->verdict, "PROTOCOL") != 0);
    pair_close(&p);
    return there;
}

static void print_all(void)
{
    for (size_t i = 0; i < PLACES; i++) {
        for (int what = 0; what < ARRIVALS; what++) {
            struct outcome o;
            if (run(&places[i], (enum arrival)what, &o)) {
                printf("SKUA_OUTCOME(%s, %s, %s, %s, %s, \"%s\")\n",
                       places[i].side == CLIENT ? "CLIENT" : "SERVER",
                       skua_state_name(places[i].state), names[what], o.verdict,
                       skua_state_name(o.after), o.answer);
            }
        }
    }
}

static const struct outcome *find(const struct place *place, enum arrival what)
{
    const struct outcome *found = NULL;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].place.side == place->side && table[i].place.state == place->state &&
            table[i].what == what) {
            assert_null(found);
            found = &table[i].outcome;
        }
    }
    return found;
}

static void every_packet_in_every_state(void **state)
{
    (void)state;
    size_t compared = 0;
    for (size_t i = 0; i < PLACES; i++) {
        for (int what = 0; what < ARRIVALS; what++) {
            struct outcome o;
            const struct outcome *want = find(&places[i], (enum arrival)what);
            bool there = run(&places[i], (enum arrival)what, &o);
            bool same = there == (want != NULL) &&
                        (!there || (strcmp(o.verdict, want->verdict) == 0 &&
                                    o.after == want->after && strcmp(o.answer, want->answer) == 0));
            if (!same) {
                fail_msg("%s in %s, %s: %s, then %s, answered by \"%s\"", names[what],
                         skua_state_name(places[i].state),
                         places[i].side == CLIENT ? "client" : "server",
                         there ? o.verdict : "impossible", skua_state_name(o.after), o.answer);
            }
            compared += there;
        }
    }
    assert_int_equal(compared, sizeof table / sizeof table[0]);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--print") == 0) {
        print_all();
        return 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_packet_in_every_state)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
