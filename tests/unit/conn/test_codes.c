/* Every error that a peer can cause ends the connection with its own code and frame type, and both
 * applications hear the same of it: a table of frames that break a rule, then what no frame alone
 * can do. At the end each code of codes.def, and each frame that can offend, must have been seen.
 */
#include "pair.h"

#include "packet/seal.h"

/* Frames, by their bytes. */
#define BYTES(...)                                                                                 \
    {                                                                                              \
        (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})                     \
    }
#define FIN_TYPE           0x40, 0x40 /* as a varint */
#define FIN_ACK_TYPE       0x40, 0x41
#define RST_TYPE           0x40, 0x42
#define ACK_FREQUENCY_TYPE 0x40, 0x43
#define CONSUMED_TYPE      0x40, 0x44
#define CONFIRM_READ_TYPE  0x40, 0x45
/* Enough that nothing is padded: what follows can be cut off. */
#define PINGS     1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
#define OVER_2_59 0xc8, 0, 0, 0, 0, 0, 0, 1

struct frames {
    const uint8_t *bytes;
    size_t len;
};

/* Who is made to do it: the client; either side with the same bytes; either side, with a stream id
 * as the first byte behind the type, which the server must choose otherwise. */
enum offender { BY_CLIENT, BY_BOTH, BY_BOTH_IDS };

/* One side sends `before` (which is fine), then `offence`. */
static const struct {
    const char *what;
    struct frames before, offence;
    enum skua_code code;
    uint64_t frame_type;
    enum offender by;
} table[] = {
    {"an unknown type", {0}, BYTES(0x3f), SKUA_CODE_FRAME_ENCODING, 0x3f, BY_BOTH},
    {"a type in a long form", {0}, BYTES(0x40, 0x01), SKUA_CODE_FRAME_ENCODING, 0, BY_BOTH},
    {"ACK of a packet not sent",
     {0},
     BYTES(0x02, 0x7f, 0xff, 0, 0, 0),
     SKUA_CODE_ACK_UNSENT,
     0x02,
     BY_BOTH},
    {"ACK below packet number 0",
     {0},
     BYTES(0x02, 5, 0, 0, 6),
     SKUA_CODE_FRAME_ENCODING,
     0x02,
     BY_BOTH},
    {"ACK of too many ranges",
     {0},
     BYTES(0x02, 5, 0, 0x41, 0, 0),
     SKUA_CODE_FRAME_ENCODING,
     0x02,
     BY_BOTH},
    {"ACK_ECN of a packet not sent",
     {0},
     BYTES(0x03, 0x7f, 0xff, 0, 0, 0, 0, 0, 0),
     SKUA_CODE_ACK_UNSENT,
     0x03,
     BY_BOTH},
    {"ACK_ECN cut off",
     {0},
     BYTES(PINGS, 0x03, 0, 0, 0, 0, 0, 0),
     SKUA_CODE_FRAME_ENCODING,
     0x03,
     BY_BOTH},
    {"RESET_STREAM of a stream not opened",
     {0},
     BYTES(0x04, 1, 0, 0),
     SKUA_CODE_STREAM_STATE,
     0x04,
     BY_BOTH_IDS},
    {"RESET_STREAM below what was sent", BYTES(0x0a, 0, 3, 1, 2, 3), BYTES(0x04, 0, 0, 2),
     SKUA_CODE_FINAL_SIZE, 0x04, BY_BOTH_IDS},
    {"RESET_STREAM of a stream beyond the limit",
     {0},
     BYTES(0x04, 0x60, 0x00, 0, 0),
     SKUA_CODE_STREAM_LIMIT,
     0x04,
     BY_CLIENT},
    {"STOP_SENDING where nothing is sent",
     {0},
     BYTES(0x05, 2, 0),
     SKUA_CODE_STREAM_STATE,
     0x05,
     BY_BOTH_IDS},
    {"NEW_TOKEN from a client, or not asked for",
     {0},
     BYTES(0x07, 1, 9),
     SKUA_CODE_PROTOCOL,
     0x07,
     BY_BOTH},
    {"NEW_TOKEN of nothing", {0}, BYTES(0x07, 0), SKUA_CODE_FRAME_ENCODING, 0x07, BY_BOTH},
    {"STREAM on the receiver's own one",
     {0},
     BYTES(0x08, 3, 1),
     SKUA_CODE_STREAM_STATE,
     0x08,
     BY_BOTH_IDS},
    {"STREAM not opened", {0}, BYTES(0x08, 1, 1), SKUA_CODE_STREAM_STATE, 0x08, BY_BOTH_IDS},
    {"STREAM beyond the limit",
     {0},
     BYTES(0x08, 0x60, 0x00),
     SKUA_CODE_STREAM_LIMIT,
     0x08,
     BY_CLIENT},
    {"STREAM beyond its credit",
     {0},
     BYTES(0x0e, 0, 0xbf, 0xff, 0xff, 0xff, 1, 7),
     SKUA_CODE_FLOW_CONTROL,
     0x08,
     BY_BOTH_IDS},
    {"STREAM beyond its end", BYTES(0x0b, 0, 1, 7), BYTES(0x0e, 0, 1, 1, 7), SKUA_CODE_FINAL_SIZE,
     0x08, BY_BOTH_IDS},
    {"STREAM with another end", BYTES(0x0b, 0, 1, 7), BYTES(0x0b, 0, 0), SKUA_CODE_FINAL_SIZE, 0x08,
     BY_BOTH_IDS},
    {"STREAM cut off", {0}, BYTES(0x0a, 0, 9, 1), SKUA_CODE_FRAME_ENCODING, 0x08, BY_BOTH_IDS},
    {"STREAM beyond what FIN counts", BYTES(FIN_TYPE, 1, 0, 5), BYTES(0x0e, 0, 5, 1, 7),
     SKUA_CODE_CLOSE_TOTALS, 0x08, BY_BOTH_IDS},
    {"MAX_DATA cut off", {0}, BYTES(PINGS, 0x10), SKUA_CODE_FRAME_ENCODING, 0x10, BY_BOTH},
    {"MAX_STREAM_DATA where nothing is sent",
     {0},
     BYTES(0x11, 2, 1),
     SKUA_CODE_STREAM_STATE,
     0x11,
     BY_BOTH_IDS},
    {"MAX_STREAM_DATA of a stream not opened",
     {0},
     BYTES(0x11, 1, 1),
     SKUA_CODE_STREAM_STATE,
     0x11,
     BY_BOTH_IDS},
    {"MAX_STREAMS_BIDI beyond 2^59",
     {0},
     BYTES(0x12, OVER_2_59),
     SKUA_CODE_FRAME_ENCODING,
     0x12,
     BY_BOTH},
    {"MAX_STREAMS_UNI beyond 2^59",
     {0},
     BYTES(0x13, OVER_2_59),
     SKUA_CODE_FRAME_ENCODING,
     0x13,
     BY_BOTH},
    {"DATA_BLOCKED after FIN", BYTES(FIN_TYPE, 0, 0, 0), BYTES(0x14, 0), SKUA_CODE_CLOSE_STATE,
     0x14, BY_BOTH},
    {"STREAM_DATA_BLOCKED on the receiver's own one",
     {0},
     BYTES(0x15, 3, 0),
     SKUA_CODE_STREAM_STATE,
     0x15,
     BY_BOTH_IDS},
    {"STREAM_DATA_BLOCKED after FIN", BYTES(FIN_TYPE, 0, 0, 0), BYTES(0x15, 0, 0),
     SKUA_CODE_CLOSE_STATE, 0x15, BY_BOTH},
    {"STREAMS_BLOCKED_BIDI beyond 2^59",
     {0},
     BYTES(0x16, OVER_2_59),
     SKUA_CODE_FRAME_ENCODING,
     0x16,
     BY_BOTH},
    {"STREAMS_BLOCKED_UNI after FIN", BYTES(FIN_TYPE, 0, 0, 0), BYTES(0x17, 0),
     SKUA_CODE_CLOSE_STATE, 0x17, BY_BOTH},
    {"NEW_CONNECTION_ID that gives itself up",
     {0},
     BYTES(0x18, 1, 2, 8),
     SKUA_CODE_FRAME_ENCODING,
     0x18,
     BY_BOTH},
    {"RETIRE_CONNECTION_ID of an id never told",
     {0},
     BYTES(0x19, 5),
     SKUA_CODE_PROTOCOL,
     0x19,
     BY_BOTH},
    {"PATH_CHALLENGE cut off",
     {0},
     BYTES(PINGS, 0x1a, 1, 2, 3, 4, 5),
     SKUA_CODE_FRAME_ENCODING,
     0x1a,
     BY_BOTH},
    {"PATH_RESPONSE cut off",
     {0},
     BYTES(PINGS, 0x1b, 1, 2, 3, 4, 5),
     SKUA_CODE_FRAME_ENCODING,
     0x1b,
     BY_BOTH},
    {"DATAGRAM where none is taken", {0}, BYTES(0x30, 1), SKUA_CODE_PROTOCOL, 0x30, BY_BOTH},
    {"FIN that counts less than was sent", BYTES(0x0a, 0, 3, 1, 2, 3), BYTES(FIN_TYPE, 1, 0, 2),
     SKUA_CODE_CLOSE_TOTALS, 0x40, BY_BOTH_IDS},
    {"FIN that counts fewer streams", BYTES(0x0a, 2, 0), BYTES(FIN_TYPE, 0, 0, 0),
     SKUA_CODE_CLOSE_TOTALS, 0x40, BY_BOTH_IDS},
    {"FIN that says something else", BYTES(FIN_TYPE, 0, 0, 0), BYTES(FIN_TYPE, 0, 1, 0),
     SKUA_CODE_CLOSE_TOTALS, 0x40, BY_BOTH},
    {"FIN of more than 2^59 streams",
     {0},
     BYTES(FIN_TYPE, OVER_2_59, 0, 0),
     SKUA_CODE_FRAME_ENCODING,
     0x40,
     BY_BOTH},
    {"FIN_ACK without a FIN", {0}, BYTES(FIN_ACK_TYPE), SKUA_CODE_CLOSE_STATE, 0x41, BY_BOTH},
    {"RST of no space", {0}, BYTES(RST_TYPE, 2, 0, 0, 0), SKUA_CODE_FRAME_ENCODING, 0x42, BY_BOTH},
    {"RST with too long a reason",
     {0},
     BYTES(RST_TYPE, 0, 0, 0, 0x41, 0x01),
     SKUA_CODE_FRAME_ENCODING,
     0x42,
     BY_BOTH},
    {"ACK_FREQUENCY of no packets",
     {0},
     BYTES(ACK_FREQUENCY_TYPE, 0, 0),
     SKUA_CODE_FRAME_ENCODING,
     0x43,
     BY_BOTH},
    {"CONSUMED of a stream not opened",
     {0},
     BYTES(CONSUMED_TYPE, 1, 0),
     SKUA_CODE_STREAM_STATE,
     0x44,
     BY_BOTH_IDS},
    {"CONSUMED that nobody asked for", BYTES(0x0a, 0, 0), BYTES(CONSUMED_TYPE, 0, 0),
     SKUA_CODE_STREAM_STATE, 0x44, BY_BOTH_IDS},
    {"CONFIRM_READ below what was sent", BYTES(0x0a, 0, 3, 1, 2, 3), BYTES(CONFIRM_READ_TYPE, 0, 2),
     SKUA_CODE_FINAL_SIZE, 0x45, BY_BOTH_IDS},
    {"CONFIRM_READ with another size", BYTES(CONFIRM_READ_TYPE, 0, 2),
     BYTES(CONFIRM_READ_TYPE, 0, 3), SKUA_CODE_FINAL_SIZE, 0x45, BY_BOTH_IDS},
    {"CONFIRM_READ beyond the credit",
     {0},
     BYTES(CONFIRM_READ_TYPE, 0, 0xc0, 0, 0, 0, 1, 0, 0, 0),
     SKUA_CODE_FLOW_CONTROL,
     0x45,
     BY_BOTH_IDS},
};

/* What was seen so far. */
static bool code_seen[256];
static bool frame_seen[256];

static void note(enum skua_code code, uint64_t frame_type)
{
    assert_true((unsigned)code < 256 && frame_type < 256);
    code_seen[code] = true;
    frame_seen[frame_type] = true;
}

/* What the side that is told by RST calls it. */
static enum skua_err error_of(enum skua_code code)
{
    switch (code) {
    case SKUA_CODE_REFUSED:
    case SKUA_CODE_LABEL:
    case SKUA_CODE_KEY_REFUSED:
    case SKUA_CODE_OVERLOAD:
        return SKUA_ECONNREFUSED;
    case SKUA_CODE_NO_ERROR:
    case SKUA_CODE_INTERNAL:
        return SKUA_ECONNRESET;
    case SKUA_CODE_AEAD_LIMIT:
        return SKUA_ECRYPTO;
    case SKUA_CODE_DOWNGRADE:
        return SKUA_EVERSION;
    case SKUA_CODE_FLOW_CONTROL:
    case SKUA_CODE_STREAM_LIMIT:
    case SKUA_CODE_STREAM_STATE:
    case SKUA_CODE_FINAL_SIZE:
    case SKUA_CODE_FRAME_ENCODING:
    case SKUA_CODE_PARAMETER:
    case SKUA_CODE_CONNECTION_ID_LIMIT:
    case SKUA_CODE_PROTOCOL:
    case SKUA_CODE_KEY_UPDATE:
    case SKUA_CODE_ACK_UNSENT:
    case SKUA_CODE_CLOSE_STATE:
    case SKUA_CODE_CLOSE_TOTALS:
    case SKUA_CODE_MEMORY:
        break;
    }
    return SKUA_EPROTO;
}

static void expect_closed(const struct pair *p, int at, enum skua_err error, bool remote,
                          enum skua_code code, uint64_t frame_type)
{
    const struct skua_event *e = &p->host[at].closed;
    assert_int_equal(p->host[at].events[SKUA_EVENT_CLOSED], 1);
    assert_string_equal(skua_err_name(e->error), skua_err_name(error));
    assert_int_equal(e->remote, remote);
    assert_false(e->application);
    assert_int_equal(e->code, code);
    assert_int_equal(e->frame_type, frame_type);
}

/* `victim` has noticed, and its peer is told. */
static void expect_both(struct pair *p, int victim, enum skua_err error, enum skua_code code,
                        uint64_t frame_type)
{
    struct skua_endpoint_stats stats;
    pair_run(p, 4 * p->delay);
    expect_closed(p, victim, error, false, code, frame_type);
    expect_closed(p, !victim, error_of(code), true, code, frame_type);
    for (int i = 0; i < 2; i++) {
        skua_endpoint_stats(p->host[i].ep, &stats);
        assert_int_equal(stats.conns, 0);
    }
    note(code, frame_type);
}

/* The other side's ids where the server is the one who sends. */
static void mirrored(uint8_t *out, const struct frames *frames)
{
    size_t type_len = frames->len > 0 && frames->bytes[0] >= 0x40 ? 2 : 1;
    if (frames->len > 0) {
        memcpy(out, frames->bytes, frames->len);
    }
    bool has_id = type_len == 1 || frames->bytes[1] == SKUA_FRAME_CONSUMED ||
                  frames->bytes[1] == SKUA_FRAME_CONFIRM_READ;
    if (has_id && frames->len > type_len) {
        out[type_len] ^= 1;
    }
}

static void offend(size_t row, int from)
{
    struct pair p;
    uint8_t before[16], offence[16];
    const bool flip = from == SERVER && table[row].by == BY_BOTH_IDS;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    if (flip) {
        mirrored(before, &table[row].before);
        mirrored(offence, &table[row].offence);
    }
    if (table[row].before.len > 0) {
        pair_forge(&p, from, flip ? before : table[row].before.bytes, table[row].before.len);
        assert_int_equal(p.host[!from].events[SKUA_EVENT_CLOSED], 0);
    }
    pair_forge(&p, from, flip ? offence : table[row].offence.bytes, table[row].offence.len);
    expect_both(&p, !from, SKUA_EPROTO, table[row].code, table[row].frame_type);
    pair_close(&p);
}

static void each_frame_out_of_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        for (int from = 0; from < 2; from++) {
            if (from == CLIENT || table[i].by != BY_CLIENT) {
                print_message("  %s: %s\n", from == CLIENT ? "client" : "server", table[i].what);
                offend(i, from);
            }
        }
    }
}

static void more_frames_than_a_packet_may_have(void **state)
{
    (void)state;
    struct pair p;
    uint8_t pings[SKUA_LIMIT_FRAMES_PER_PACKET + 1];
    memset(pings, 0x01, sizeof pings);
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    pair_forge(&p, CLIENT, pings, sizeof pings - 1);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 0);
    pair_forge(&p, CLIENT, pings, sizeof pings);
    expect_both(&p, SERVER, SKUA_EPROTO, SKUA_CODE_PROTOCOL, 0x01);
    pair_close(&p);
}

/* One range beyond a gap after the other, on stream after stream. */
static void more_gaps_than_a_stream_may_have(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    for (uint32_t gap = 0; gap <= SKUA_LIMIT_RECV_GAPS_THIN; gap++) {
        uint8_t frame[16];
        struct skua_writer w = skua_writer_of(frame, sizeof frame);
        skua_writer_u8(&w, 0x0e);
        skua_writer_varint(&w, 0);
        skua_writer_varint(&w, 1 + 2 * gap);
        skua_writer_varint(&w, 1);
        skua_writer_u8(&w, 9);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 0);
        pair_forge(&p, CLIENT, frame, skua_writer_len(&w));
    }
    expect_both(&p, SERVER, SKUA_EINTERNAL, SKUA_CODE_MEMORY, 0x08);
    pair_close(&p);
}

/* FIN_ACK, as any answer, cannot stand in a CONFIRM. The server's application has not heard of the
 * connection and does not. */
static void an_answer_in_the_third_packet(void **state)
{
    (void)state;
    static const uint8_t answers[][6] = {{0x02, 0, 0, 0, 0, 0}, {0x40, 0x41}};
    static const uint64_t types[] = {0x02, 0x41};
    for (size_t i = 0; i < 2; i++) {
        struct pair p;
        pair_open(&p);
        pair_listen(&p, NULL);
        (void)pair_connect(&p, NULL);
        pair_run(&p, 0);
        p.now += p.delay;
        pair_arrive(&p);
        pair_send(&p, SERVER);
        p.now += p.delay;
        pair_arrive(&p);
        assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_ESTABLISHED], 1);
        pair_forge(&p, CLIENT, answers[i], i == 0 ? 5 : 2);
        pair_run(&p, 4 * p.delay);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 0);
        assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 0);
        expect_closed(&p, CLIENT, SKUA_EPROTO, true, SKUA_CODE_PROTOCOL, types[i]);
        pair_close(&p);
    }
}

/* A packet sealed with a reserved bit of its header set. */
static void a_reserved_bit(void **state)
{
    (void)state;
    struct pair p;
    uint8_t packet[100];
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    struct skua_connection *c = pair_conn(&p, CLIENT);
    struct skua_fill fill;
    assert_true(skua_tx_begin(c, &fill, packet, sizeof packet));
    skua_writer_u8(&fill.w, 0x01);
    packet[0] |= 0x08;
    size_t len = skua_tx_seal(c, &fill, packet, 0, p.now);
    assert_true(len != 0);
    pair_inject(&p, SERVER, packet, len);
    expect_both(&p, SERVER, SKUA_EPROTO, SKUA_CODE_PROTOCOL, 0);
    pair_close(&p);
}

/* Our own sealing pads, so this one is made by hand. */
static void a_packet_without_frames(void **state)
{
    (void)state;
    struct pair p;
    uint8_t packet[64];
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    struct skua_connection *c = pair_conn(&p, CLIENT);
    uint64_t pn = skua_recovery_next_pn(&c->recovery);
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    skua_data_header_write(&w, &c->ids.peer, pn, 0);
    size_t header = skua_writer_len(&w);
    const struct skua_aead_key *key = skua_keys_tx(&c->keys, pn);
    assert_non_null(key);
    skua_aead_seal(c->env->cache, key, pn, packet, header, 0);
    skua_mask_apply(&c->keys.tx_hp, packet + header, &packet[0], packet + header - SKUA_PN_LEN);
    pair_inject(&p, SERVER, packet, header + c->keys.suite->tag_len);
    expect_both(&p, SERVER, SKUA_EPROTO, SKUA_CODE_PROTOCOL, 0);
    pair_close(&p);
}

/* A second update before anything of the first was acknowledged. */
static void a_key_update_too_early(void **state)
{
    (void)state;
    static const uint8_t ping[] = {0x01};
    struct pair p;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    struct skua_connection *c = pair_conn(&p, CLIENT);
    assert_true(skua_keys_update(&c->keys, c->env->cache));
    pair_forge(&p, CLIENT, ping, sizeof ping);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_CLOSED], 0);
    c->keys.rx_phase++; /* as if the answer had come */
    c->keys.tx_acked = true;
    assert_true(skua_keys_update(&c->keys, c->env->cache));
    c->keys.rx_phase--;
    pair_forge(&p, CLIENT, ping, sizeof ping);
    c->keys.tx_phase--; /* the server's RST is under the keys that the client has run away from */
    pair_run(&p, 5 * p.delay);
    expect_closed(&p, SERVER, SKUA_EPROTO, false, SKUA_CODE_KEY_UPDATE, 0);
    expect_closed(&p, CLIENT, SKUA_EPROTO, true, SKUA_CODE_KEY_UPDATE, 0);
    note(SKUA_CODE_KEY_UPDATE, 0);
    pair_close(&p);
}

/* Its number is far above one that has not come (test_ids.c has the other ways). */
static void an_id_too_far_ahead(void **state)
{
    (void)state;
    for (int from = 0; from < 2; from++) {
        uint8_t frame[4 + 8 + SKUA_RESET_TOKEN_LEN] = {0x18, 20, 0, 8};
        struct pair p;
        pair_open(&p);
        pair_establish(&p, NULL, NULL);
        pair_forge(&p, from, frame, sizeof frame);
        expect_both(&p, !from, SKUA_EPROTO, SKUA_CODE_CONNECTION_ID_LIMIT, 0x18);
        pair_close(&p);
    }
}

/* Too many packets that do not authenticate, and too many sealed. */
static void a_cipher_at_its_limit(void **state)
{
    (void)state;
    for (int what = 0; what < 2; what++) {
        struct pair p;
        pair_open(&p);
        pair_establish(&p, NULL, NULL);
        struct skua_connection *c = pair_conn(&p, SERVER);
        if (what == 0) {
            c->keys.rx_failed = SKUA_KEYS_FAILED_MAX - 1;
            uint8_t packet[60] = {0x40};
            memcpy(packet + 1, c->ids.own[0], SKUA_OWN_ID_LEN);
            pair_inject(&p, SERVER, packet, sizeof packet);
        } else {
            c->keys.tx_sealed = c->keys.suite->stop_at - SKUA_KEYS_RESERVE;
            assert_int_equal(skua_conn_ping(p.host[SERVER].ep, p.host[SERVER].conn), SKUA_OK);
        }
        expect_both(&p, SERVER, SKUA_ECRYPTO, SKUA_CODE_AEAD_LIMIT, 0);
        pair_close(&p);
    }
}

/* Until the server has the SYN, and its SYN_ACK is on its way. */
static void half_open(struct pair *p, const struct skua_conn_config *config)
{
    pair_open(p);
    pair_listen(p, NULL);
    (void)pair_connect(p, config);
    pair_run(p, p->delay + SKUA_MSEC);
}

/* The server's application never hears of these. */
static void expect_refused(struct pair *p, enum skua_code code)
{
    pair_run(p, 6 * p->delay);
    expect_closed(p, CLIENT, error_of(code), true, code, 0);
    assert_int_equal(p->host[SERVER].events[SKUA_EVENT_CLOSED], 0);
    note(code, 0);
    pair_close(p);
}

static void what_the_handshake_brings_to_light(void **state)
{
    (void)state;
    struct pair p;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.label = "another";
    half_open(&p, &config);
    expect_refused(&p, SKUA_CODE_LABEL);
    /* Parameters cut off, then sealed as they are. */
    half_open(&p, NULL);
    struct skua_connection *c = pair_conn(&p, CLIENT);
    c->dial->initiator.params_len--;
    expect_refused(&p, SKUA_CODE_PARAMETER);
    /* A list of versions that would have led to another. */
    half_open(&p, NULL);
    struct skua_map_cursor cursor = {0};
    struct skua_half_open *entry = skua_idmap_next(&p.host[SERVER].ep->syns.by_id, &cursor);
    assert_non_null(entry);
    entry->responder.code = SKUA_CODE_DOWNGRADE;
    expect_refused(&p, SKUA_CODE_DOWNGRADE);
}

/* The server's parameters are wrong: the client says so, to an application that has heard of it. */
static void parameters_of_the_server(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    p.host[SERVER].ep->env.max_udp_payload = SKUA_LIMIT_UDP_MIN - 1;
    pair_listen(&p, NULL);
    (void)pair_connect(&p, NULL);
    pair_run(&p, p.delay); /* the SYN_ACK is made */
    p.host[SERVER].ep->env.max_udp_payload = SKUA_LIMIT_UDP_MAX;
    pair_run(&p, 6 * p.delay);
    expect_closed(&p, CLIENT, SKUA_EPROTO, false, SKUA_CODE_PARAMETER, 0);
    assert_int_equal(p.host[SERVER].events[SKUA_EVENT_INCOMING], 0);
    pair_close(&p);
}

static void what_a_server_refuses_for(void **state)
{
    (void)state;
    static const enum skua_code codes[] = {SKUA_CODE_REFUSED, SKUA_CODE_KEY_REFUSED,
                                           SKUA_CODE_OVERLOAD, SKUA_CODE_LABEL};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct pair p;
        pair_open(&p);
        p.no_accept = true;
        pair_establish(&p, NULL, NULL);
        assert_int_equal(skua_conn_refuse(p.host[SERVER].ep, p.host[SERVER].conn, codes[i]),
                         SKUA_OK);
        expect_refused(&p, codes[i]);
    }
}

/* Nobody's fault: memory that a loan needs was not there (test_memory.c has that). */
static void an_internal_error(void **state)
{
    (void)state;
    static const uint8_t ping[] = {0x01};
    struct pair p;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    pair_conn(&p, SERVER)->close.lost_memory = true;
    pair_forge(&p, CLIENT, ping, sizeof ping);
    expect_both(&p, SERVER, SKUA_EINTERNAL, SKUA_CODE_INTERNAL, 0);
    pair_close(&p);
}

/* The one who closed has waited long enough: no error of the peer's. */
static void a_close_that_is_over(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    pair_establish(&p, NULL, NULL);
    assert_int_equal(skua_conn_close(p.host[SERVER].ep, p.host[SERVER].conn), SKUA_OK);
    pair_run(&p, 29 * SKUA_SEC);
    assert_int_equal(p.host[CLIENT].events[SKUA_EVENT_CLOSED], 0);
    pair_run(&p, 2 * SKUA_SEC);
    expect_both(&p, SERVER, SKUA_OK, SKUA_CODE_NO_ERROR, 0);
    pair_close(&p);
}

static void every_code_and_frame_was_there(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned value;
    } codes[] = {
#define SKUA_CODE(name, value, text) {#name, (value)},
#include <skua/codes.def>
#undef SKUA_CODE
    };
    static const struct {
        const char *name;
        unsigned type;
    } frames[] = {
#define SKUA_FRAME(name, type, eliciting, confirm, after_fin, states, text) {#name, (type)},
#include "wire/frames.def"
#undef SKUA_FRAME
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (!code_seen[codes[i].value]) {
            fail_msg("nothing raises %s", codes[i].name);
        }
    }
    for (size_t i = 1; i < sizeof frames / sizeof frames[0]; i++) { /* PADDING cannot offend */
        if (!frame_seen[frames[i].type]) {
            fail_msg("no offence of %s", frames[i].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_frame_out_of_place),
        cmocka_unit_test(more_frames_than_a_packet_may_have),
        cmocka_unit_test(more_gaps_than_a_stream_may_have),
        cmocka_unit_test(an_answer_in_the_third_packet),
        cmocka_unit_test(a_reserved_bit),
        cmocka_unit_test(a_packet_without_frames),
        cmocka_unit_test(a_key_update_too_early),
        cmocka_unit_test(an_id_too_far_ahead),
        cmocka_unit_test(a_cipher_at_its_limit),
        cmocka_unit_test(what_the_handshake_brings_to_light),
        cmocka_unit_test(parameters_of_the_server),
        cmocka_unit_test(what_a_server_refuses_for),
        cmocka_unit_test(an_internal_error),
        cmocka_unit_test(a_close_that_is_over),
        cmocka_unit_test(every_code_and_frame_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
