/* Prints docs/protocol-example.md: every datagram of one connection, taken apart field by field.
 *
 * Nothing is taken from the endpoints but the datagrams and the ephemeral keys that their
 * generators gave out. Everything else is computed again: two Noise states are led through the
 * handshake and must produce the same messages, transport keys come from them, and each packet is
 * opened under these. Whatever does not agree ends the program, so the page cannot show what the
 * code does not do. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "crypto/exporter.h"
#include "crypto/keypair.h"
#include "crypto/keys.h"
#include "crypto/noise.h"
#include "example_run.h"
#include "handshake/body.h"
#include "packet/open.h"
#include "wire/frame.h"
#include "wire/header.h"
#include "wire/params.h"

static const char *const SIDE[SIDES] = {"client", "server"};

/* What both sides know, computed anew. */
struct replay {
    struct skua_keypair pair[SIDES];
    struct skua_noise noise[SIDES];
    struct skua_aead_cache cache;
    struct skua_keys keys[SIDES]; /* each side's own end */
    uint64_t received[SIDES];     /* largest packet number + 1, by receiver */
    struct skua_id id[SIDES];     /* what each side is called */
    uint8_t payload[1200];        /* of the present Noise message */
    size_t payload_len;
};

/* --- text */

static void print_hex(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        (void)printf("%02x", p[i]);
    }
}

/* A named value on lines of its own. */
static void value(const char *name, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len || i == 0; i += 32) {
        (void)printf("%-22s", i == 0 ? name : "");
        print_hex(p + i, len - i < 32 ? len - i : 32);
        (void)printf("\n");
    }
}

/* One field: offset, bytes, meaning. Long ones go over several lines. */
__attribute__((format(printf, 4, 5))) static void field(size_t offset, const uint8_t *p, size_t len,
                                                        const char *format, ...)
{
    for (size_t i = 0; i < len || i == 0; i += 16) {
        size_t n = len - i < 16 ? len - i : 16;
        (void)printf("%5zu  ", offset + i);
        print_hex(p + i, n);
        if (i == 0) {
            (void)printf("%*s", (int)(2 * (16 - n) + 2), "");
            va_list args;
            va_start(args, format);
            (void)vprintf(format, args);
            va_end(args);
        }
        (void)printf("\n");
    }
}

static void raw(const uint8_t *data, size_t len)
{
    size_t zeros = 0;
    while (zeros < len && data[len - 1 - zeros] == 0) {
        zeros++;
    }
    zeros = zeros > 64 ? zeros : 0;
    (void)printf("```\n");
    for (size_t i = 0; i < len - zeros; i += 32) {
        print_hex(data + i, len - zeros - i < 32 ? len - zeros - i : 32);
        (void)printf("\n");
    }
    if (zeros > 0) {
        (void)printf("... and %zu bytes 00\n", zeros);
    }
    (void)printf("```\n\n");
}

/* --- transport parameters */

static const char *param_name(uint64_t id)
{
    switch (id) {
#define SKUA_PARAM(name, value, type, member, minimum, maximum, preset, text)                      \
    case value:                                                                                    \
        return #member;
#include "wire/params.def"
#undef SKUA_PARAM
    case SKUA_PARAM_RESET_TOKEN:
        return "stateless_reset_token";
    case SKUA_PARAM_INITIAL_SCID:
        return "initial_scid";
    case SKUA_PARAM_VERSIONS:
        return "versions";
    case SKUA_PARAM_LABEL:
        return "label";
    default:
        return id % 31 == 27 ? "grease, ignored" : "unknown";
    }
}

static bool is_integer(uint64_t id)
{
    return id != SKUA_PARAM_RESET_TOKEN && id != SKUA_PARAM_INITIAL_SCID &&
           id != SKUA_PARAM_VERSIONS && id != SKUA_PARAM_LABEL && id % 31 != 27;
}

static void print_params(const uint8_t *data, size_t len, size_t offset)
{
    struct skua_reader r = skua_reader_of(data, len);
    while (skua_reader_left(&r) > 0) {
        const uint8_t *at = r.at;
        uint64_t id = skua_reader_varint(&r);
        uint64_t size = skua_reader_varint(&r);
        const uint8_t *bytes = skua_reader_bytes(&r, (size_t)size);
        example_require(!r.failed, "parameters do not parse");
        struct skua_reader v = skua_reader_of(bytes, (size_t)size);
        size_t whole = (size_t)(r.at - at);
        offset += whole;
        if (is_integer(id)) {
            field(offset - whole, at, whole, "%s = %" PRIu64, param_name(id),
                  skua_reader_varint(&v));
        } else if (id == SKUA_PARAM_LABEL) {
            field(offset - whole, at, whole, "label = \"%.*s\"", (int)size, (const char *)bytes);
        } else {
            field(offset - whole, at, whole, "%s", param_name(id));
        }
    }
}

/* --- frames */

static void describe_stream(const struct skua_stream_frame *s, char *out, size_t size)
{
    (void)snprintf(out, size, "STREAM%s: stream %" PRIu64 ", offset %" PRIu64 ", \"%.*s\"",
                   s->fin ? " with FIN" : "", s->id, s->offset, (int)s->len, (const char *)s->data);
}

static void describe(const struct skua_frame *f, char *out, size_t size)
{
    const struct skua_frame_info *info = skua_frame_info(f->type);
    example_require(info != NULL, "unknown frame");
    struct skua_ack_iter iter;
    struct skua_range range;
    switch ((enum skua_frame_type)f->type) {
    case SKUA_FRAME_PADDING:
        (void)snprintf(out, size, f->padding == 1 ? "PADDING" : "PADDING, %zu times", f->padding);
        return;
    case SKUA_FRAME_ACK:
        skua_ack_iter_init(&iter, &f->ack);
        example_require(skua_ack_iter_next(&iter, &range) && f->ack.range_count == 1,
                        "one range of packet numbers was expected");
        (void)snprintf(out, size, "ACK of %" PRIu64 " to %" PRIu64 ", delay %" PRIu64 " us",
                       range.first, range.last, f->ack.delay << 3);
        return;
    case SKUA_FRAME_STREAM:
        describe_stream(&f->stream, out, size);
        return;
    case SKUA_FRAME_NEW_CONNECTION_ID:
        (void)snprintf(out, size, "NEW_CONNECTION_ID: number %" PRIu64 ", retire before %" PRIu64,
                       f->new_id.sequence, f->new_id.retire_prior);
        return;
    case SKUA_FRAME_FIN:
        (void)snprintf(out, size,
                       "FIN: %" PRIu64 " bidi, %" PRIu64 " uni streams opened, %" PRIu64 " bytes",
                       f->fin.bidi, f->fin.uni, f->fin.total);
        return;
    case SKUA_FRAME_PING:
    case SKUA_FRAME_ACK_ECN:
    case SKUA_FRAME_RESET_STREAM:
    case SKUA_FRAME_STOP_SENDING:
    case SKUA_FRAME_ACK_FREQUENCY:
    case SKUA_FRAME_MAX_DATA:
    case SKUA_FRAME_MAX_STREAM_DATA:
    case SKUA_FRAME_MAX_STREAMS_BIDI:
    case SKUA_FRAME_MAX_STREAMS_UNI:
    case SKUA_FRAME_DATA_BLOCKED:
    case SKUA_FRAME_STREAM_DATA_BLOCKED:
    case SKUA_FRAME_STREAMS_BLOCKED_BIDI:
    case SKUA_FRAME_STREAMS_BLOCKED_UNI:
    case SKUA_FRAME_DATAGRAM:
    case SKUA_FRAME_RETIRE_CONNECTION_ID:
    case SKUA_FRAME_CONSUMED:
    case SKUA_FRAME_CONFIRM_READ:
    case SKUA_FRAME_PATH_CHALLENGE:
    case SKUA_FRAME_PATH_RESPONSE:
    case SKUA_FRAME_NEW_TOKEN:
    case SKUA_FRAME_FIN_ACK:
    case SKUA_FRAME_RST:
        break;
    }
    (void)snprintf(out, size, "%s", info->name);
}

static void print_frames(const uint8_t *frames, size_t len)
{
    struct skua_reader r = skua_reader_of(frames, len);
    while (skua_reader_left(&r) > 0) {
        const uint8_t *at = r.at;
        struct skua_frame frame;
        char text[128];
        example_require(skua_frame_read(&r, &frame) == SKUA_CODE_NO_ERROR, "a frame is malformed");
        describe(&frame, text, sizeof text);
        field((size_t)(at - frames), at, (size_t)(r.at - at), "%s", text);
    }
}

/* --- Noise, led along */

/* The secret behind an ephemeral public key: one of those that the side's generator gave out. */
static struct skua_secret_key ephemeral_of(const struct example_run *run, enum example_side side,
                                           const uint8_t *e)
{
    for (size_t i = 0; i < run->draw_count; i++) {
        struct skua_key key;
        skua_key_public(&key, &run->draws[i].value);
        if (run->draws[i].side == side && memcmp(key.bytes, e, sizeof key.bytes) == 0) {
            return run->draws[i].value;
        }
    }
    example_require(false, "an ephemeral key that nobody drew");
    return run->draws[0].value;
}

static void start_noise(struct replay *re, enum example_side side,
                        const struct skua_secret_key *ephemeral, const uint8_t *prologue,
                        size_t prologue_len)
{
    const struct skua_noise_config config = {.pattern = SKUA_PATTERN_XX,
                                             .initiator = side == CLIENT,
                                             .prologue = prologue,
                                             .prologue_len = prologue_len,
                                             .local = &re->pair[side],
                                             .ephemeral = ephemeral};
    example_require(skua_noise_init(&re->noise[side], &config), "Noise does not start");
}

/* The other side reads `message`, and `from` must write the same bytes for the payload read. */
static void pass(struct replay *re, enum example_side from, const uint8_t *message, size_t len)
{
    enum example_side to = from == CLIENT ? SERVER : CLIENT;
    struct skua_reader in = skua_reader_of(message, len);
    struct skua_writer out = skua_writer_of(re->payload, sizeof re->payload);
    example_require(skua_noise_read(&re->noise[to], &in, &out), "a message does not authenticate");
    re->payload_len = skua_writer_len(&out);
    uint8_t again[1232];
    struct skua_writer w = skua_writer_of(again, sizeof again);
    example_require(skua_noise_write(&re->noise[from], re->payload, re->payload_len, &w) &&
                        skua_writer_len(&w) == len && memcmp(again, message, len) == 0,
                    "Noise makes another message");
    example_require(memcmp(re->noise[from].h, re->noise[to].h, SKUA_HASH_LEN) == 0,
                    "the transcripts differ");
}

/* --- packets */

static size_t print_long_header(const uint8_t *data, const struct skua_head *head)
{
    static const char *const names[] = {"SYN", "SYN_ACK", "CONFIRM"};
    field(0, data, 1, "long header, type %d %s, flags 0", (int)head->type, names[head->type]);
    field(1, data + 1, 4, "version 1");
    field(5, data + 5, 1, "dcid length");
    field(6, head->dcid, head->dcid_len, "dcid");
    size_t at = (size_t)6 + head->dcid_len;
    field(at, data + at, 1, "scid length");
    field(at + 1, head->scid, head->scid_len, "scid");
    return head->body;
}

static void print_syn(struct replay *re, const struct example_run *run, const uint8_t *data,
                      size_t len, const struct skua_head *head)
{
    struct skua_syn syn;
    example_require(skua_syn_read(data, len, head, &syn) == SKUA_VERDICT_OK, "no SYN");
    size_t at = print_long_header(data, head);
    field(at, data + at, 2, "token length");
    field(at + 2, data + at + 2, 1, "pattern XX");
    field(at + 3, data + at + 3, 2, "message length = %u", syn.message_len);
    at += 5;
    field(at, syn.ephemeral, 32, "Noise message 1: e");

    re->id[CLIENT] = skua_id_of(head->scid, head->scid_len);
    const struct skua_id dcid = skua_id_of(head->dcid, head->dcid_len);
    uint8_t prologue[SKUA_PROLOGUE_CAP];
    struct skua_writer w = skua_writer_of(prologue, sizeof prologue);
    skua_prologue_write(&w, SKUA_PATTERN_XX, 0, &dcid, &re->id[CLIENT]);
    const struct skua_secret_key e = ephemeral_of(run, CLIENT, syn.ephemeral);
    start_noise(re, CLIENT, &e, prologue, skua_writer_len(&w));
    start_noise(re, SERVER, &e, prologue, skua_writer_len(&w)); /* e comes with message 2 */
    struct skua_noise begun = re->noise[CLIENT];
    pass(re, CLIENT, syn.message, syn.message_len);

    at += 32;
    const uint8_t *payload = syn.message + 32; /* in clear */
    field(at, payload, 1, "payload: suites offered: ChaCha20-Poly1305");
    field(at + 1, payload + 1, 1, "version count");
    field(at + 2, payload + 2, 4, "version 1");
    field(at + 6, payload + 6, 2, "params length: 0 in XX");
    (void)printf("%5zu  00...                             padding, %zu bytes\n\n", at + 8,
                 syn.message_len - (size_t)40);
    value("client e, secret", e.bytes, sizeof e.bytes);
    value("prologue", prologue, skua_writer_len(&w));
    value("h after prologue", begun.h, sizeof begun.h);
    value("h after message 1", re->noise[CLIENT].h, SKUA_HASH_LEN);
}

/* The server's Noise state again, with the `e` that message 2 shows. */
static void restart_server(struct replay *re, const struct example_run *run, const uint8_t *e)
{
    const struct skua_secret_key secret = ephemeral_of(run, SERVER, e);
    re->noise[SERVER].e = secret;
    value("server e, secret", secret.bytes, sizeof secret.bytes);
}

static void print_syn_ack(struct replay *re, const struct example_run *run, const uint8_t *data,
                          size_t len, const struct skua_head *head)
{
    struct skua_syn_ack syn_ack;
    example_require(skua_syn_ack_read(data, len, head, &syn_ack) == SKUA_VERDICT_OK, "no SYN_ACK");
    size_t at = print_long_header(data, head);
    const uint8_t *m = syn_ack.message;
    field(at, m, 32, "Noise message 2: e");
    field(at + 32, m + 32, 48, "s, sealed: the server's static key");
    field(at + 80, m + 80, syn_ack.message_len - 80, "payload, sealed");
    re->id[SERVER] = skua_id_of(head->scid, head->scid_len);
    (void)printf("\n");
    restart_server(re, run, m);
    pass(re, SERVER, m, syn_ack.message_len);
    value("h after message 2", re->noise[SERVER].h, SKUA_HASH_LEN);
    value("ck after message 2", re->noise[SERVER].ck.bytes, SKUA_HASH_LEN);
    (void)printf("\npayload of message 2:\n\n");
    field(0, re->payload, 1, "suite chosen: ChaCha20-Poly1305");
    print_params(re->payload + 1, re->payload_len - 1, 1);
}

static void print_keys(const char *direction, const struct skua_secret *split,
                       const struct skua_aead_key *key, const struct skua_hp_key *hp)
{
    (void)printf("\n%s:\n\n", direction);
    value("secret of phase 0", split->bytes, sizeof split->bytes);
    value("key", key->key, 32);
    value("IV", key->iv, 12);
    value("hp key", hp->bytes, sizeof hp->bytes);
}

static void print_split(struct replay *re, const struct example_run *run)
{
    struct skua_secret to_server;
    struct skua_secret to_client;
    struct skua_secret exporter;
    uint8_t exported[32];
    skua_noise_split(&re->noise[CLIENT], &to_server, &to_client);
    skua_exporter_init(&exporter, &re->noise[SERVER]);
    for (int i = 0; i < SIDES; i++) {
        skua_keys_init(&re->keys[i], &re->cache, SKUA_SUITE_CHACHA20_POLY1305, i == CLIENT,
                       &to_server, &to_client);
    }
    value("h after message 3", re->noise[CLIENT].h, SKUA_HASH_LEN);
    value("ck, final", re->noise[CLIENT].ck.bytes, SKUA_HASH_LEN);
    print_keys("client to server", &to_server, &re->keys[CLIENT].tx, &re->keys[CLIENT].tx_hp);
    print_keys("server to client", &to_client, &re->keys[SERVER].tx, &re->keys[SERVER].tx_hp);
    (void)printf("\n");
    value("exporter secret", exporter.bytes, sizeof exporter.bytes);
    example_require(skua_export(&exporter, EXAMPLE_EXPORT, exported, sizeof exported), "no export");
    for (int i = 0; i < SIDES; i++) {
        example_require(memcmp(run->exported[i], exported, sizeof exported) == 0,
                        "the exported bytes differ");
    }
    value("32 bytes exported", exported, sizeof exported);
    (void)printf("%-22sfor the label \"%s\"\n", "", EXAMPLE_EXPORT);
}

/* Opens a packet of `from` and prints what sealing did, then its frames. */
static void print_sealed(struct replay *re, enum example_side from, const uint8_t *data, size_t len,
                         size_t pn_offset)
{
    enum example_side to = from == CLIENT ? SERVER : CLIENT;
    uint8_t copy[EXAMPLE_DATAGRAM_MAX];
    memcpy(copy, data, len);
    struct skua_opening p;
    example_require(skua_packet_unmask(&p, &re->keys[to], copy, len, pn_offset, re->received[to]) ==
                            SKUA_VERDICT_OK &&
                        skua_packet_open(&p, &re->keys[to], &re->cache, SKUA_NEVER - 1) ==
                            SKUA_VERDICT_OK,
                    "a packet does not open");
    re->received[to] = p.pn + 1;
    uint8_t nonce[12];
    memcpy(nonce, re->keys[from].tx.iv, sizeof nonce);
    for (size_t i = 0; i < 8; i++) {
        nonce[4 + i] ^= (uint8_t)(p.pn >> (56 - 8 * i));
    }
    if (data[0] < SKUA_FIRST_LONG) {
        uint8_t first = 0;
        uint8_t mask[1 + SKUA_PN_LEN] = {0};
        skua_mask_apply(&re->keys[to].rx_hp, data + p.header_len, &first, mask + 1);
        mask[0] = first;
        value("sample", data + p.header_len, SKUA_SAMPLE_LEN);
        value("mask", mask, sizeof mask);
    }
    (void)printf("%-22s%" PRIu64 "\n", "packet number", p.pn);
    value("associated data", copy, p.header_len);
    value("nonce", nonce, sizeof nonce);
    (void)printf("\nframes:\n\n");
    print_frames(p.frames, p.frames_len);
}

static void print_confirm(struct replay *re, const struct example_run *run, const uint8_t *data,
                          size_t len, const struct skua_head *head)
{
    struct skua_confirm confirm;
    example_require(skua_confirm_read(data, len, head, &confirm) == SKUA_VERDICT_OK, "no CONFIRM");
    size_t at = print_long_header(data, head);
    const uint8_t *m = confirm.message;
    field(at, data + at, 2, "message length = %u", confirm.message_len);
    at += 2;
    field(at, m, 48, "Noise message 3: s, sealed: the client's static key");
    field(at + 48, m + 48, confirm.message_len - (size_t)48, "payload, sealed");
    field(confirm.pn_offset, data + confirm.pn_offset, SKUA_PN_LEN, "packet number, not masked");
    at = confirm.pn_offset + SKUA_PN_LEN;
    field(at, data + at, len - at, "sealed frames, tag");
    pass(re, CLIENT, m, confirm.message_len);
    (void)printf("\npayload of message 3:\n\n");
    print_params(re->payload, re->payload_len, 0);
    (void)printf("\n");
    print_split(re, run);
    (void)printf("\n");
    print_sealed(re, CLIENT, data, len, confirm.pn_offset);
}

static void print_data(struct replay *re, enum example_side from, const uint8_t *data, size_t len,
                       const struct skua_head *head)
{
    enum example_side to = from == CLIENT ? SERVER : CLIENT;
    example_require(skua_id_matches(&re->id[to], head->dcid, head->dcid_len), "a strange id");
    field(0, data, 1, "short header, bits 4..0 masked");
    field(1, head->dcid, head->dcid_len, "dcid: the %s's id", SIDE[to]);
    field(head->body, data + head->body, SKUA_PN_LEN, "packet number, masked");
    size_t at = (size_t)head->body + SKUA_PN_LEN;
    field(at, data + at, len - at, "sealed frames, tag");
    (void)printf("\n");
    print_sealed(re, from, data, len, head->body);
}

static void print_datagram(struct replay *re, const struct example_run *run,
                           const struct example_entry *entry, size_t number)
{
    struct skua_head head;
    example_require(skua_header_peek(entry->data, entry->len, 8, &head) == SKUA_VERDICT_OK,
                    "a header does not parse");
    const char *name = head.type == SKUA_PACKET_SYN       ? "SYN"
                       : head.type == SKUA_PACKET_SYN_ACK ? "SYN_ACK"
                       : head.type == SKUA_PACKET_CONFIRM ? "CONFIRM"
                                                          : "DATA";
    (void)printf("\n### %zu. %s, %s to %s, %" PRIu64 " ms, %zu bytes\n\n", number, name,
                 SIDE[entry->side], SIDE[entry->side == CLIENT ? SERVER : CLIENT],
                 entry->at / SKUA_MSEC, entry->len);
    raw(entry->data, entry->len);
    (void)printf("```\n");
    if (head.type == SKUA_PACKET_SYN) {
        print_syn(re, run, entry->data, entry->len, &head);
    } else if (head.type == SKUA_PACKET_SYN_ACK) {
        print_syn_ack(re, run, entry->data, entry->len, &head);
    } else if (head.type == SKUA_PACKET_CONFIRM) {
        print_confirm(re, run, entry->data, entry->len, &head);
    } else {
        print_data(re, entry->side, entry->data, entry->len, &head);
    }
    (void)printf("```\n");
}

static void print_intro(const struct replay *re, const struct example_run *run)
{
    (void)printf(
        "# A worked example\n\n"
        "One connection, byte for byte: handshake (XX), thirteen bytes each way on one stream, "
        "orderly close. The\nspecification is [protocol.md](protocol.md). This page is the output "
        "of tests/docs/worked_example.c, which runs two\nendpoints under fixed keys and then "
        "computes everything shown here again from the datagrams and the secrets below;\n"
        "a test compares the page with it. Do not edit it: `cmake --build BUILD --target "
        "docs_update`.\n\n"
        "Suite ChaCha20-Poly1305, application label \"%s\", %d ms each way. Times count from the "
        "start. In the tables the\nfirst column is the offset, the second the bytes. Random bytes "
        "count up, so that they are recognised; real ones\nmust not.\n\n```\n",
        EXAMPLE_LABEL, (int)(EXAMPLE_DELAY / SKUA_MSEC));
    value("client static, secret", run->secret[CLIENT].bytes, SKUA_KEY_LEN);
    value("client static, public", re->pair[CLIENT].public_key.bytes, SKUA_KEY_LEN);
    value("server static, secret", run->secret[SERVER].bytes, SKUA_KEY_LEN);
    value("server static, public", re->pair[SERVER].public_key.bytes, SKUA_KEY_LEN);
    (void)printf("```\n\n## The run\n\n```\n");
    size_t number = 0;
    for (size_t i = 0; i < run->count; i++) {
        const struct example_entry *entry = &run->entries[i];
        (void)printf("%3" PRIu64 " ms  ", entry->at / SKUA_MSEC);
        if (entry->len == 0) {
            (void)printf("       %s\n", entry->note);
        } else {
            (void)printf("%s%zu, %zu bytes\n", entry->side == CLIENT ? "---->  " : "<----  ",
                         ++number, entry->len);
        }
    }
    (void)printf("```\n\n## The datagrams\n");
}

int main(void)
{
    static struct example_run run;
    static struct replay re;
    example_run(&run);
    for (int i = 0; i < SIDES; i++) {
        skua_keypair_init(&re.pair[i], &run.secret[i]);
    }
    skua_aead_cache_init(&re.cache, NULL);
    print_intro(&re, &run);
    size_t number = 0;
    for (size_t i = 0; i < run.count; i++) {
        if (run.entries[i].len > 0) {
            print_datagram(&re, &run, &run.entries[i], ++number);
        }
    }
    return 0;
}
