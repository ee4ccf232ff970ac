/* docs/protocol.md against the code: its tables of parameters, codes and limits, and the test
 * vectors of its appendix, which are made here anew from the inputs that it names. On a mismatch
 * the expected line is printed, ready to be put there. */
#include "unit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "crypto/exporter.h"
#include "handshake/initiator.h"
#include "handshake/refuse.h"
#include "handshake/responder.h"
#include "packet/seal.h"

/* The document without any white space. */
static char *document;

static void append_squeezed(char *out, const char *text)
{
    size_t n = strlen(out);
    for (; *text != 0; text++) {
        if (isspace((unsigned char)*text) == 0) {
            out[n++] = *text;
        }
    }
    out[n] = 0;
}

static int load(void **state)
{
    (void)state;
    FILE *file = fopen(SKUA_PROTOCOL_MD, "rb");
    if (file == NULL) {
        return -1;
    }
    enum { CAP = 1 << 18 };
    document = calloc(1, CAP);
    char *text = calloc(1, CAP);
    if (document == NULL || text == NULL || fread(text, 1, CAP - 1, file) == 0) {
        return -1;
    }
    append_squeezed(document, text);
    free(text);
    return fclose(file);
}

static int unload(void **state)
{
    (void)state;
    free(document);
    return 0;
}

static void assert_documented(const char *line)
{
    char squeezed[2048] = "";
    append_squeezed(squeezed, line);
    if (strstr(document, squeezed) == NULL) {
        fail_msg("not in docs/protocol.md: %s", line);
    }
}

static void parameters(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned id;
    } rows[] = {
#define SKUA_PARAM(name, id, type, member, minimum, maximum, preset, text) {#name, id},
#include "wire/params.def"
#undef SKUA_PARAM
        {"INITIAL_SCID", SKUA_PARAM_INITIAL_SCID},
        {"VERSIONS", SKUA_PARAM_VERSIONS},
        {"LABEL", SKUA_PARAM_LABEL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[64] = "";
        for (size_t j = 0; rows[i].name[j] != 0; j++) {
            name[j] = (char)tolower((unsigned char)rows[i].name[j]);
        }
        char line[128];
        (void)snprintf(line, sizeof line, "| 0x%02x | %s |", rows[i].id, name);
        assert_documented(line);
    }
}

static void codes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        unsigned value;
    } rows[] = {
#define SKUA_CODE(name, value, text) {#name, text, value},
#include <skua/codes.def>
#undef SKUA_CODE
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[256];
        (void)snprintf(line, sizeof line, "| 0x%02x | %s | %s |", rows[i].value,
                       rows[i].name + strlen("SKUA_CODE_"), rows[i].text);
        assert_documented(line);
    }
}

static void limits(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        unsigned value;
    } rows[] = {
#define SKUA_LIMIT(name, value, text) {#name, text, value},
#include "base/limits.def"
#undef SKUA_LIMIT
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char value[32], line[512];
        unsigned v = rows[i].value;
        if (v >= 1000000) {
            (void)snprintf(value, sizeof value, "%u,%03u,%03u", v / 1000000, v / 1000 % 1000,
                           v % 1000);
        } else if (v >= 1000) {
            (void)snprintf(value, sizeof value, "%u,%03u", v / 1000, v % 1000);
        } else {
            (void)snprintf(value, sizeof value, "%u", v);
        }
        (void)snprintf(line, sizeof line, "| %s | %s | %s |", rows[i].name, value, rows[i].text);
        assert_documented(line);
    }
}

/* --- the appendix */

static void assert_vector(const char *name, const void *data, size_t len)
{
    char hex[1024], line[1100];
    assert_true(2 * len + 1 <= sizeof hex);
    (void)sodium_bin2hex(hex, sizeof hex, data, len);
    (void)snprintf(line, sizeof line, "%s = %s.", name, hex);
    assert_documented(line);
}

/* Zeros for what is not a key, so that nothing is greased; else the byte at `user`. */
static void fill_fixed(void *user, void *out, size_t len)
{
    const uint8_t *byte = user;
    memset(out, len == SKUA_KEY_LEN ? *byte : 0, len);
}

static struct skua_keypair keys_of(uint8_t byte)
{
    struct skua_secret_key secret;
    memset(secret.bytes, byte, sizeof secret.bytes);
    struct skua_keypair keys;
    skua_keypair_init(&keys, &secret);
    return keys;
}

static struct skua_id id_of(uint8_t byte)
{
    uint8_t bytes[8];
    memset(bytes, byte, sizeof bytes);
    return skua_id_of(bytes, sizeof bytes);
}

/* A packet of frames under phase 0, sealed. */
static size_t seal(uint8_t *packet, size_t header_len, const uint8_t *frames, size_t len,
                   bool initiator, const struct skua_handshake_result *result)
{
    static struct skua_aead_cache cache;
    static struct skua_keys keys;
    skua_aead_cache_init(&cache, NULL);
    skua_keys_init(&keys, &cache, result->suite, initiator, &result->to_responder,
                   &result->to_initiator);
    memcpy(packet + header_len, frames, len);
    const struct skua_sealing sealing = {
        .data = packet, .header_len = header_len, .len = header_len + len, .cap = 512, .pn = 0};
    size_t total = 0;
    assert_true(skua_packet_seal(&keys, &cache, &sealing, &total));
    return total;
}

static void sealed_packets(const struct skua_initiator *client,
                           const struct skua_handshake_result *result)
{
    uint8_t packet[512];
    static const uint8_t ping[] = {0x01};
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    skua_confirm_header_write(&w, &client->server_id, &client->scid, client->message3,
                              client->message3_len, 0);
    size_t header_len = skua_writer_len(&w);
    size_t len = seal(packet, header_len, ping, sizeof ping, true, result);
    assert_vector("confirm", packet, len);

    static const uint8_t ack[] = {0x02, 0x00, 0x00, 0x00, 0x00};
    w = skua_writer_of(packet, sizeof packet);
    skua_data_header_write(&w, &client->scid, 0, 0);
    header_len = skua_writer_len(&w);
    len = seal(packet, header_len, ack, sizeof ack, false, result);
    assert_vector("data", packet, len);
}

static void vectors(void **state)
{
    (void)state;
    uint8_t client_e = 0x33, server_e = 0x44;
    const struct skua_rng client_rng = {fill_fixed, &client_e},
                          server_rng = {fill_fixed, &server_e};
    const struct skua_keypair client_keys = keys_of(0x11), server_keys = keys_of(0x22);
    struct skua_params params;
    skua_params_init(&params);
    params.transport.initial_max_data = 1048576;
    memcpy(params.label, "echo", 4);
    params.label_len = 4;
    const struct skua_initiator_config client_config = {.local = &client_keys,
                                                        .params = &params,
                                                        .rng = &client_rng,
                                                        .dcid = id_of(0xaa),
                                                        .scid = id_of(0xbb),
                                                        .suites = SKUA_SUITE_CHACHA20_POLY1305};
    const struct skua_responder_config server_config = {.local = &server_keys,
                                                        .label = "echo",
                                                        .params = &params.transport,
                                                        .rng = &server_rng,
                                                        .suites = SKUA_SUITE_CHACHA20_POLY1305};
    struct skua_initiator client;
    assert_true(skua_initiator_init(&client, &client_config));
    assert_vector("syn_start", client.syn, 80);
    uint8_t digest[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256(digest, client.syn, sizeof client.syn);
    assert_vector("syn_sha256", digest, sizeof digest);

    struct skua_head head;
    struct skua_syn syn;
    assert_int_equal(skua_header_peek(client.syn, SKUA_SYN_LEN, 8, &head), SKUA_VERDICT_OK);
    assert_int_equal(skua_syn_read(client.syn, SKUA_SYN_LEN, &head, &syn), SKUA_VERDICT_OK);
    uint8_t packet[SKUA_SYN_ACK_CAP];
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    skua_refuse_write(&w, &head, &syn, SKUA_CODE_REFUSED);
    assert_vector("refuse", packet, skua_writer_len(&w));
    uint8_t retry[128], token[18];
    memset(token, 0x55, sizeof token);
    w = skua_writer_of(retry, sizeof retry);
    skua_retry_write(&w, &head, &syn, token, sizeof token);
    assert_vector("retry", retry, skua_writer_len(&w));

    struct skua_responder server;
    const struct skua_id server_id = id_of(0xcc);
    w = skua_writer_of(packet, sizeof packet);
    assert_int_equal(skua_responder_on_syn(&server, &server_config, &head, &syn, &server_id, &w),
                     SKUA_VERDICT_OK);
    assert_vector("syn_ack", packet, skua_writer_len(&w));

    struct skua_syn_ack syn_ack;
    struct skua_handshake_result result;
    assert_int_equal(skua_header_peek(packet, skua_writer_len(&w), 8, &head), SKUA_VERDICT_OK);
    assert_int_equal(skua_syn_ack_read(packet, skua_writer_len(&w), &head, &syn_ack),
                     SKUA_VERDICT_OK);
    assert_int_equal(skua_initiator_on_syn_ack(&client, &head, &syn_ack, &result), SKUA_VERDICT_OK);
    assert_vector("to_server", &result.to_responder, SKUA_HASH_LEN);
    assert_vector("to_client", &result.to_initiator, SKUA_HASH_LEN);
    uint8_t exported[16];
    assert_true(skua_export(&result.exporter, "test", exported, sizeof exported));
    assert_vector("exported", exported, sizeof exported);
    sealed_packets(&client, &result);
}

int main(void)
{
    if (skua_init() != SKUA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters),
        cmocka_unit_test(codes),
        cmocka_unit_test(limits),
        cmocka_unit_test(vectors),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
