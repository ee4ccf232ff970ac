/* noise_vectors [--skip-absent] FILE: runs every Noise vector of a JSON file (the format that the
 * implementations share: "vectors", each with protocol_name, keys and messages) through
 * crypto/noise.c in both roles and through Split()'s keys.
 *
 * Prints what failed and "N passed, N failed". Exit status: 0 all passed; 1 some failed; 2 the file
 * cannot be used, with a message; 77 it is absent and --skip-absent was given. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/cursor.h"
#include "crypto/noise.h"
#include "json.h"

enum { STATUS_PASSED = 0, STATUS_FAILED = 1, STATUS_UNUSABLE = 2, STATUS_SKIPPED = 77 };
enum { BYTES_MAX = 65535, FILE_MAX = 64 << 20 };

/* Bytes of a hexadecimal string. */
struct bytes {
    uint8_t *data;
    size_t len;
    bool present;
};

enum { SIDE_INITIATOR, SIDE_RESPONDER, SIDES };

struct side {
    struct bytes prologue;
    struct bytes secret; /* static */
    struct bytes ephemeral;
    struct bytes psk;
    struct skua_keypair pair;
    struct skua_noise noise;
};

struct vector {
    const struct json *json;
    const struct json_node *node;
    char name[64]; /* protocol_name */
    enum skua_pattern pattern;
    struct side side[SIDES];
    struct bytes remote; /* the responder's static key as the initiator of IK knows it */
    struct bytes hash;
    const struct json_node *messages;
    char why[160]; /* reason of a failure or of refusal */
};

static const char *const PATTERN_NAMES[SKUA_PATTERNS] = {
    [SKUA_PATTERN_XX] = "Noise_XX_25519_ChaChaPoly_SHA256",
    [SKUA_PATTERN_IK] = "Noise_IK_25519_ChaChaPoly_SHA256",
    [SKUA_PATTERN_XXPSK3] = "Noise_XXpsk3_25519_ChaChaPoly_SHA256",
    [SKUA_PATTERN_IKPSK2] = "Noise_IKpsk2_25519_ChaChaPoly_SHA256",
};

__attribute__((format(printf, 2, 3))) static bool complain(struct vector *v, const char *format,
                                                           ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(v->why, sizeof v->why, format, args);
    va_end(args);
    return false;
}

/* --- reading a vector: false = the file is wrong */

static bool hex_of(struct vector *v, const struct json_node *node, const char *what,
                   struct bytes *out)
{
    if (node->type != JSON_STRING || node->len % 2 != 0 || node->len / 2 > BYTES_MAX) {
        return complain(v, "%s is not a hexadecimal string", what);
    }
    out->data = calloc(1, node->len / 2 + 1);
    if (out->data == NULL) {
        return complain(v, "out of memory");
    }
    const char *end = NULL;
    if (sodium_hex2bin(out->data, node->len / 2, node->text, node->len, NULL, &out->len, &end) !=
            0 ||
        end != node->text + node->len) {
        return complain(v, "%s is not a hexadecimal string", what);
    }
    out->present = true;
    return true;
}

/* A member that may be missing; `len` 0 = any length. */
static bool hex_member(struct vector *v, const char *name, size_t len, struct bytes *out)
{
    const struct json_node *node = json_member(v->json, v->node, name);
    if (node == NULL) {
        return true;
    }
    if (!hex_of(v, node, name, out)) {
        return false;
    }
    return len == 0 || out->len == len || complain(v, "%s has not %zu bytes", name, len);
}

static bool psk_member(struct vector *v, const char *name, struct bytes *out)
{
    const struct json_node *list = json_member(v->json, v->node, name);
    if (list == NULL) {
        return true;
    }
    if (list->type != JSON_ARRAY) {
        return complain(v, "%s is not an array", name);
    }
    const struct json_node *first = json_child(v->json, list, NULL);
    if (first == NULL) {
        return true;
    }
    if (json_child(v->json, list, first) != NULL) {
        return complain(v, "%s has more than one key", name);
    }
    return hex_of(v, first, name, out) &&
           (out->len == SKUA_PSK_LEN || complain(v, "%s has not %d bytes", name, SKUA_PSK_LEN));
}

static bool read_side(struct vector *v, unsigned which)
{
    static const struct {
        const char *prologue, *secret, *ephemeral, *psks;
    } NAMES[SIDES] = {
        {"init_prologue", "init_static", "init_ephemeral", "init_psks"},
        {"resp_prologue", "resp_static", "resp_ephemeral", "resp_psks"},
    };
    struct side *side = &v->side[which];
    if (!hex_member(v, NAMES[which].prologue, 0, &side->prologue) ||
        !hex_member(v, NAMES[which].secret, SKUA_KEY_LEN, &side->secret) ||
        !hex_member(v, NAMES[which].ephemeral, SKUA_KEY_LEN, &side->ephemeral) ||
        !psk_member(v, NAMES[which].psks, &side->psk)) {
        return false;
    }
    if (!side->secret.present || !side->ephemeral.present) {
        return complain(v, "%s or %s is missing", NAMES[which].secret, NAMES[which].ephemeral);
    }
    struct skua_secret_key secret;
    memcpy(secret.bytes, side->secret.data, sizeof secret.bytes);
    skua_keypair_init(&side->pair, &secret);
    return true;
}

static bool read_messages(struct vector *v)
{
    v->messages = json_member(v->json, v->node, "messages");
    if (v->messages == NULL || v->messages->type != JSON_ARRAY) {
        return complain(v, "messages is missing or no array");
    }
    unsigned count = 0;
    const struct json_node *node = NULL;
    while ((node = json_child(v->json, v->messages, node)) != NULL) {
        const struct json_node *payload = json_member(v->json, node, "payload");
        const struct json_node *ciphertext = json_member(v->json, node, "ciphertext");
        if (payload == NULL || ciphertext == NULL) {
            return complain(v, "message %u lacks payload or ciphertext", count);
        }
        count++;
    }
    return count >= skua_noise_messages(v->pattern) ||
           complain(v, "fewer messages than the pattern has");
}

static bool read_vector(struct vector *v)
{
    const struct json_node *name = json_member(v->json, v->node, "protocol_name");
    if (name == NULL || name->type != JSON_STRING || name->len >= sizeof v->name) {
        return complain(v, "protocol_name is missing or no name");
    }
    memcpy(v->name, name->text, name->len);
    unsigned pattern = 0;
    while (pattern < SKUA_PATTERNS && strcmp(PATTERN_NAMES[pattern], v->name) != 0) {
        pattern++;
    }
    if (pattern == SKUA_PATTERNS) {
        return complain(v, "protocol unknown here");
    }
    v->pattern = (enum skua_pattern)pattern;
    return read_side(v, SIDE_INITIATOR) && read_side(v, SIDE_RESPONDER) &&
           hex_member(v, "init_remote_static", SKUA_KEY_LEN, &v->remote) &&
           hex_member(v, "handshake_hash", SKUA_HASH_LEN, &v->hash) && read_messages(v);
}

/* --- running it: false = the vector failed */

static bool start_side(struct vector *v, unsigned which)
{
    struct side *side = &v->side[which];
    struct skua_secret_key ephemeral;
    memcpy(ephemeral.bytes, side->ephemeral.data, sizeof ephemeral.bytes);
    const bool knows = which == SIDE_INITIATOR &&
                       (v->pattern == SKUA_PATTERN_IK || v->pattern == SKUA_PATTERN_IKPSK2);
    struct skua_key remote = v->side[SIDE_RESPONDER].pair.public_key;
    if (v->remote.present) {
        memcpy(remote.bytes, v->remote.data, sizeof remote.bytes);
    }
    const struct skua_noise_config config = {
        .pattern = v->pattern,
        .initiator = which == SIDE_INITIATOR,
        .prologue = side->prologue.data,
        .prologue_len = side->prologue.len,
        .local = &side->pair,
        .remote = knows ? &remote : NULL,
        .psk = side->psk.present ? side->psk.data : NULL,
        .ephemeral = &ephemeral,
    };
    return skua_noise_init(&side->noise, &config) || complain(v, "psks do not fit the pattern");
}

/* A handshake message: `from` must write exactly `sealed`, `to` must read `payload` from it. */
static bool run_handshake(struct vector *v, unsigned index, const struct bytes *payload,
                          const struct bytes *sealed)
{
    static uint8_t buffer[BYTES_MAX + 256];
    struct skua_noise *from = &v->side[index % 2].noise;
    struct skua_noise *to = &v->side[1 - index % 2].noise;
    struct skua_writer out = skua_writer_of(buffer, sizeof buffer);
    if (!skua_noise_write(from, payload->data, payload->len, &out)) {
        return complain(v, "message %u cannot be written", index);
    }
    if (skua_writer_len(&out) != sealed->len || memcmp(buffer, sealed->data, sealed->len) != 0) {
        return complain(v, "message %u differs", index);
    }
    if (sealed->len != payload->len + skua_noise_overhead(v->pattern, index)) {
        return complain(v, "message %u has another length than announced", index);
    }
    struct skua_reader in = skua_reader_of(sealed->data, sealed->len);
    out = skua_writer_of(buffer, sizeof buffer);
    if (!skua_noise_read(to, &in, &out)) {
        return complain(v, "message %u cannot be read", index);
    }
    if (skua_writer_len(&out) != payload->len || memcmp(buffer, payload->data, payload->len) != 0) {
        return complain(v, "payload of message %u differs", index);
    }
    return true;
}

/* Both ends must know the same afterwards, and each other. */
static bool check_end(struct vector *v)
{
    const struct skua_noise *a = &v->side[SIDE_INITIATOR].noise;
    const struct skua_noise *b = &v->side[SIDE_RESPONDER].noise;
    if (!skua_noise_done(a) || !skua_noise_done(b)) {
        return complain(v, "handshake has not ended");
    }
    if (memcmp(a->h, b->h, sizeof a->h) != 0 ||
        (v->hash.present && memcmp(a->h, v->hash.data, sizeof a->h) != 0)) {
        return complain(v, "handshake hash differs");
    }
    const struct skua_key *of_b = skua_noise_remote(a);
    const struct skua_key *of_a = skua_noise_remote(b);
    if (of_a == NULL || of_b == NULL ||
        memcmp(of_a, &v->side[SIDE_INITIATOR].pair.public_key, sizeof *of_a) != 0 ||
        memcmp(of_b, &v->side[SIDE_RESPONDER].pair.public_key, sizeof *of_b) != 0) {
        return complain(v, "static key learnt differs");
    }
    return true;
}

/* A transport message (Noise §5.1): the counter is per direction and in little-endian order. */
static bool run_transport(struct vector *v, unsigned index, const struct bytes *payload,
                          const struct bytes *sealed)
{
    static uint8_t buffer[BYTES_MAX + 256];
    unsigned handshake = skua_noise_messages(v->pattern);
    unsigned from = index % 2;
    uint64_t counter = (index - handshake) / 2;
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = {0};
    for (unsigned i = 0; i < 8; i++) {
        nonce[4 + i] = (uint8_t)(counter >> (8 * i));
    }
    struct skua_secret key[2][SIDES]; /* [whose view][direction, named by its sender] */
    skua_noise_split(&v->side[0].noise, &key[0][SIDE_INITIATOR], &key[0][SIDE_RESPONDER]);
    skua_noise_split(&v->side[1].noise, &key[1][SIDE_INITIATOR], &key[1][SIDE_RESPONDER]);
    unsigned long long len = 0;
    (void)crypto_aead_chacha20poly1305_ietf_encrypt(buffer, &len, payload->data, payload->len, NULL,
                                                    0, NULL, nonce, key[from][from].bytes);
    if (len != sealed->len || memcmp(buffer, sealed->data, sealed->len) != 0) {
        return complain(v, "transport message %u differs", index);
    }
    if (crypto_aead_chacha20poly1305_ietf_decrypt(buffer, &len, NULL, sealed->data, sealed->len,
                                                  NULL, 0, nonce, key[1 - from][from].bytes) != 0 ||
        len != payload->len || memcmp(buffer, payload->data, payload->len) != 0) {
        return complain(v, "transport message %u cannot be read", index);
    }
    return true;
}

/* One message; `*usable` turns false where the file is wrong. */
static bool run_message(struct vector *v, const struct json_node *node, unsigned index,
                        bool *usable)
{
    struct bytes payload = {0};
    struct bytes sealed = {0};
    *usable = hex_of(v, json_member(v->json, node, "payload"), "payload", &payload) &&
              hex_of(v, json_member(v->json, node, "ciphertext"), "ciphertext", &sealed);
    bool ok = false;
    if (*usable) {
        unsigned handshake = skua_noise_messages(v->pattern);
        ok = index < handshake ? run_handshake(v, index, &payload, &sealed) &&
                                     (index + 1 < handshake || check_end(v))
                               : run_transport(v, index, &payload, &sealed);
    }
    free(payload.data);
    free(sealed.data);
    return ok;
}

static bool run_vector(struct vector *v, bool *usable)
{
    *usable = true;
    if (!start_side(v, SIDE_INITIATOR) || !start_side(v, SIDE_RESPONDER)) {
        *usable = false;
        return false;
    }
    unsigned index = 0;
    const struct json_node *node = NULL;
    while ((node = json_child(v->json, v->messages, node)) != NULL) {
        if (!run_message(v, node, index++, usable)) {
            return false;
        }
    }
    return true;
}

static void free_vector(struct vector *v)
{
    for (unsigned i = 0; i < SIDES; i++) {
        free(v->side[i].prologue.data);
        free(v->side[i].secret.data);
        free(v->side[i].ephemeral.data);
        free(v->side[i].psk.data);
    }
    free(v->remote.data);
    free(v->hash.data);
}

/* --- the file */

static char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    char *text = NULL;
    size_t cap = 0;
    *len = 0;
    do {
        cap = cap == 0 ? 65536 : 2 * cap;
        char *larger = cap > FILE_MAX ? NULL : realloc(text, cap);
        if (larger == NULL) {
            errno = cap > FILE_MAX ? EFBIG : ENOMEM;
            goto failed;
        }
        text = larger;
        *len += fread(text + *len, 1, cap - *len, file);
    } while (*len == cap);
    if (ferror(file) == 0) {
        (void)fclose(file);
        return text;
    }
failed:
    free(text);
    (void)fclose(file);
    return NULL;
}

static int run_all(const struct json *json, const char *path)
{
    const struct json_node *vectors = json_member(json, &json->nodes[0], "vectors");
    if (vectors == NULL || vectors->type != JSON_ARRAY) {
        fprintf(stderr, "noise_vectors: %s: no array \"vectors\"\n", path);
        return STATUS_UNUSABLE;
    }
    unsigned passed = 0;
    unsigned failed = 0;
    const struct json_node *node = NULL;
    while ((node = json_child(json, vectors, node)) != NULL) {
        struct vector v = {.json = json, .node = node};
        bool usable = read_vector(&v);
        bool ok = usable && run_vector(&v, &usable);
        free_vector(&v);
        if (!usable) {
            fprintf(stderr, "noise_vectors: %s: vector %u (%s): %s\n", path, passed + failed,
                    v.name, v.why);
            return STATUS_UNUSABLE;
        }
        if (!ok) {
            printf("vector %u (%s): %s\n", passed + failed, v.name, v.why);
        }
        passed += ok ? 1 : 0;
        failed += ok ? 0 : 1;
    }
    if (passed + failed == 0) {
        fprintf(stderr, "noise_vectors: %s: no vectors\n", path);
        return STATUS_UNUSABLE;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? STATUS_PASSED : STATUS_FAILED;
}

int main(int argc, char **argv)
{
    bool skip_absent = argc == 3 && strcmp(argv[1], "--skip-absent") == 0;
    if (argc != 2 && !skip_absent) {
        fprintf(stderr, "usage: noise_vectors [--skip-absent] FILE\n");
        return STATUS_UNUSABLE;
    }
    const char *path = argv[argc - 1];
    if (skua_init() != SKUA_OK) {
        fprintf(stderr, "noise_vectors: libsodium cannot be used\n");
        return STATUS_UNUSABLE;
    }
    size_t len = 0;
    char *text = read_file(path, &len);
    if (text == NULL) {
        bool skip = skip_absent && errno == ENOENT;
        fprintf(stderr, "noise_vectors: %s: %s%s\n", path, strerror(errno),
                skip ? ": skipped" : "");
        return skip ? STATUS_SKIPPED : STATUS_UNUSABLE;
    }
    struct json json;
    int status = STATUS_UNUSABLE;
    if (json_read(&json, text, len)) {
        status = run_all(&json, path);
    } else {
        fprintf(stderr, "noise_vectors: %s: byte %zu: %s\n", path, json.error_at, json.error);
    }
    json_free(&json);
    free(text);
    return status;
}
