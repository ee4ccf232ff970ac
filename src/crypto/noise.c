/* Noise by the book: CipherState, SymmetricState and HandshakeState (§5) in one struct, and the
 * patterns as rows of tokens that one writer and one reader walk through. */
#include "crypto/noise.h"

#include <string.h>

#include <sodium.h>

enum {
    TAG = crypto_aead_chacha20poly1305_ietf_ABYTES,
    MESSAGES_MAX = 3,
    TOKENS_MAX = 5 /* a zero ends each row */
};

enum token { TOKEN_END, TOKEN_E, TOKEN_S, TOKEN_EE, TOKEN_ES, TOKEN_SE, TOKEN_SS, TOKEN_PSK };

struct pattern {
    const char *name;                         /* protocol name, §8 */
    uint8_t messages;                         /* rows in use */
    bool remote_known;                        /* pre-message: <- s */
    bool psk;                                 /* a pskN modifier, §9 */
    uint8_t tokens[MESSAGES_MAX][TOKENS_MAX]; /* enum token; even rows by the initiator */
};

static const struct pattern PATTERNS[SKUA_PATTERNS] = {
    [SKUA_PATTERN_XX] = {.name = "Noise_XX_25519_ChaChaPoly_SHA256",
                         .messages = 3,
                         .tokens = {{TOKEN_E},
                                    {TOKEN_E, TOKEN_EE, TOKEN_S, TOKEN_ES},
                                    {TOKEN_S, TOKEN_SE}}},
    [SKUA_PATTERN_IK] = {.name = "Noise_IK_25519_ChaChaPoly_SHA256",
                         .messages = 2,
                         .remote_known = true,
                         .tokens = {{TOKEN_E, TOKEN_ES, TOKEN_S, TOKEN_SS},
                                    {TOKEN_E, TOKEN_EE, TOKEN_SE}}},
    [SKUA_PATTERN_XXPSK3] = {.name = "Noise_XXpsk3_25519_ChaChaPoly_SHA256",
                             .messages = 3,
                             .psk = true,
                             .tokens = {{TOKEN_E},
                                        {TOKEN_E, TOKEN_EE, TOKEN_S, TOKEN_ES},
                                        {TOKEN_S, TOKEN_SE, TOKEN_PSK}}},
    [SKUA_PATTERN_IKPSK2] = {.name = "Noise_IKpsk2_25519_ChaChaPoly_SHA256",
                             .messages = 2,
                             .remote_known = true,
                             .psk = true,
                             .tokens = {{TOKEN_E, TOKEN_ES, TOKEN_S, TOKEN_SS},
                                        {TOKEN_E, TOKEN_EE, TOKEN_SE, TOKEN_PSK}}},
};

/* --- SymmetricState, §5.2 */

static void mix_hash(struct skua_noise *noise, const void *data, size_t len)
{
    crypto_hash_sha256_state state;
    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, noise->h, sizeof noise->h);
    if (len != 0) {
        (void)crypto_hash_sha256_update(&state, data, len);
    }
    (void)crypto_hash_sha256_final(&state, noise->h);
}

static void mix_key(struct skua_noise *noise, const uint8_t *input)
{
    skua_kdf_noise(&noise->ck, input, SKUA_KEY_LEN, &noise->ck, &noise->k, NULL);
    noise->has_k = true;
    noise->n = 0;
}

static void mix_key_and_hash(struct skua_noise *noise, const uint8_t *input)
{
    struct skua_secret temp;
    skua_kdf_noise(&noise->ck, input, SKUA_PSK_LEN, &noise->ck, &temp, &noise->k);
    mix_hash(noise, temp.bytes, sizeof temp.bytes);
    noise->has_k = true;
    noise->n = 0;
    skua_secret_wipe(&temp);
}

/* §12.3: 32 zero bits, then the counter in little-endian order. It stays far below 256. */
static void next_nonce(struct skua_noise *noise,
                       uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES])
{
    memset(nonce, 0, crypto_aead_chacha20poly1305_ietf_NPUBBYTES);
    nonce[4] = noise->n++;
}

static bool encrypt_and_hash(struct skua_noise *noise, const void *text, size_t len,
                             struct skua_writer *out)
{
    uint8_t *sealed = skua_writer_bytes(out, noise->has_k ? len + TAG : len);
    if (out->failed) {
        return false;
    }
    if (!noise->has_k) {
        if (len != 0) {
            memcpy(sealed, text, len);
        }
        mix_hash(noise, sealed, len);
        return true;
    }
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    next_nonce(noise, nonce);
    (void)crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, text, len, noise->h,
                                                    sizeof noise->h, NULL, nonce, noise->k.bytes);
    mix_hash(noise, sealed, len + TAG);
    return true;
}

/* Takes `len` bytes of text (and their tag) from `in`. */
static bool decrypt_and_hash(struct skua_noise *noise, struct skua_reader *in, uint8_t *text,
                             size_t len)
{
    size_t sealed_len = noise->has_k ? len + TAG : len;
    const uint8_t *sealed = skua_reader_bytes(in, sealed_len);
    if (in->failed) {
        return false;
    }
    if (!noise->has_k) {
        if (len != 0) {
            memcpy(text, sealed, len);
        }
        mix_hash(noise, sealed, sealed_len);
        return true;
    }
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    next_nonce(noise, nonce);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(text, NULL, NULL, sealed, sealed_len, noise->h,
                                                  sizeof noise->h, nonce, noise->k.bytes) != 0) {
        return false;
    }
    mix_hash(noise, sealed, sealed_len);
    return true;
}

/* --- HandshakeState, §5.3 */

bool skua_noise_init(struct skua_noise *noise, const struct skua_noise_config *config)
{
    SKUA_ASSERT((unsigned)config->pattern < SKUA_PATTERNS);
    const struct pattern *pattern = &PATTERNS[config->pattern];
    if (pattern->psk != (config->psk != NULL) ||
        (pattern->remote_known && config->initiator) != (config->remote != NULL)) {
        return false;
    }
    memset(noise, 0, sizeof *noise);
    noise->pattern = (uint8_t)config->pattern;
    noise->initiator = config->initiator;
    noise->local = config->local;
    noise->e = *config->ephemeral;
    if (config->psk != NULL) {
        memcpy(noise->psk, config->psk, sizeof noise->psk);
    }
    size_t name_len = strlen(pattern->name);
    if (name_len <= sizeof noise->h) {
        memcpy(noise->h, pattern->name, name_len);
    } else {
        (void)crypto_hash_sha256(noise->h, (const unsigned char *)pattern->name, name_len);
    }
    memcpy(noise->ck.bytes, noise->h, sizeof noise->ck.bytes);
    mix_hash(noise, config->prologue, config->prologue_len);
    if (pattern->remote_known) {
        if (config->remote != NULL) {
            noise->rs = *config->remote;
            noise->has_rs = true;
        }
        const struct skua_key *known = config->initiator ? &noise->rs : &config->local->public_key;
        mix_hash(noise, known->bytes, sizeof known->bytes);
    }
    return true;
}

void skua_noise_wipe(struct skua_noise *noise)
{
    sodium_memzero(noise, sizeof *noise);
}

unsigned skua_noise_messages(enum skua_pattern pattern)
{
    return PATTERNS[pattern].messages;
}

bool skua_noise_done(const struct skua_noise *noise)
{
    return !noise->failed && noise->message == PATTERNS[noise->pattern].messages;
}

bool skua_noise_my_turn(const struct skua_noise *noise)
{
    return !noise->failed && noise->message < PATTERNS[noise->pattern].messages &&
           (noise->message % 2 == 0) == noise->initiator;
}

size_t skua_noise_overhead(enum skua_pattern pattern, unsigned index)
{
    const struct pattern *p = &PATTERNS[pattern];
    SKUA_ASSERT(index < p->messages);
    bool has_k = false;
    size_t len = 0;
    for (unsigned message = 0; message <= index; message++) {
        len = 0;
        for (unsigned i = 0; p->tokens[message][i] != TOKEN_END; i++) {
            enum token token = (enum token)p->tokens[message][i];
            if (token == TOKEN_E) {
                len += SKUA_KEY_LEN;
                has_k = has_k || p->psk;
            } else if (token == TOKEN_S) {
                len += SKUA_KEY_LEN + (has_k ? TAG : 0U);
            } else {
                has_k = true;
            }
        }
        len += has_k ? TAG : 0U;
    }
    return len;
}

static bool mix_dh(struct skua_noise *noise, const struct skua_secret_key *secret,
                   const struct skua_key *remote)
{
    struct skua_secret shared;
    if (!skua_x25519(&shared, secret, remote)) {
        return false;
    }
    mix_key(noise, shared.bytes);
    skua_secret_wipe(&shared);
    return true;
}

/* §9.2: in psk patterns the ephemeral public key is mixed into the key as well. */
static void mix_ephemeral(struct skua_noise *noise, const struct skua_key *e)
{
    mix_hash(noise, e->bytes, sizeof e->bytes);
    if (PATTERNS[noise->pattern].psk) {
        mix_key(noise, e->bytes);
    }
}

/* Tokens that put nothing on the wire: the same for writer and reader. */
static bool mix_token(struct skua_noise *noise, enum token token)
{
    const struct skua_secret_key *s = &noise->local->secret;
    switch (token) {
    case TOKEN_EE:
        return mix_dh(noise, &noise->e, &noise->re);
    case TOKEN_ES:
        return noise->initiator ? mix_dh(noise, &noise->e, &noise->rs)
                                : mix_dh(noise, s, &noise->re);
    case TOKEN_SE:
        return noise->initiator ? mix_dh(noise, s, &noise->re)
                                : mix_dh(noise, &noise->e, &noise->rs);
    case TOKEN_SS:
        return mix_dh(noise, s, &noise->rs);
    case TOKEN_PSK:
        mix_key_and_hash(noise, noise->psk);
        return true;
    case TOKEN_E:
    case TOKEN_S:
    case TOKEN_END:
        break;
    }
    return false;
}

static bool write_token(struct skua_noise *noise, enum token token, struct skua_writer *out)
{
    if (token == TOKEN_E) {
        struct skua_key e;
        skua_key_public(&e, &noise->e);
        skua_writer_copy(out, e.bytes, sizeof e.bytes);
        mix_ephemeral(noise, &e);
        return !out->failed;
    }
    if (token == TOKEN_S) {
        const struct skua_key *s = &noise->local->public_key;
        return encrypt_and_hash(noise, s->bytes, sizeof s->bytes, out);
    }
    return mix_token(noise, token);
}

static bool read_token(struct skua_noise *noise, enum token token, struct skua_reader *in)
{
    if (token == TOKEN_E) {
        skua_reader_copy(in, noise->re.bytes, sizeof noise->re.bytes);
        mix_ephemeral(noise, &noise->re);
        return !in->failed;
    }
    if (token == TOKEN_S) {
        noise->has_rs = decrypt_and_hash(noise, in, noise->rs.bytes, sizeof noise->rs.bytes);
        return noise->has_rs;
    }
    return mix_token(noise, token);
}

static bool read_payload(struct skua_noise *noise, struct skua_reader *in,
                         struct skua_writer *payload)
{
    size_t left = skua_reader_left(in);
    size_t tag = noise->has_k ? TAG : 0U;
    if (left < tag) {
        return false;
    }
    uint8_t *text = skua_writer_bytes(payload, left - tag);
    return !payload->failed && decrypt_and_hash(noise, in, text, left - tag);
}

/* Ends one message. After the last, nothing but ck, h and the remote key is of use. */
static bool finish_message(struct skua_noise *noise, bool ok)
{
    if (!ok) {
        skua_noise_wipe(noise);
        noise->failed = true;
        return false;
    }
    noise->message++;
    if (skua_noise_done(noise)) {
        sodium_memzero(&noise->e, sizeof noise->e);
        sodium_memzero(noise->psk, sizeof noise->psk);
        skua_secret_wipe(&noise->k);
        noise->has_k = false;
        noise->n = 0;
    }
    return true;
}

bool skua_noise_write(struct skua_noise *noise, const void *payload, size_t len,
                      struct skua_writer *out)
{
    if (!skua_noise_my_turn(noise)) {
        return finish_message(noise, false);
    }
    const uint8_t *tokens = PATTERNS[noise->pattern].tokens[noise->message];
    bool ok = true;
    for (unsigned i = 0; ok && tokens[i] != TOKEN_END; i++) {
        ok = write_token(noise, (enum token)tokens[i], out);
    }
    return finish_message(noise, ok && encrypt_and_hash(noise, payload, len, out));
}

bool skua_noise_read(struct skua_noise *noise, struct skua_reader *in, struct skua_writer *payload)
{
    if (noise->failed || skua_noise_done(noise) || skua_noise_my_turn(noise)) {
        return finish_message(noise, false);
    }
    const uint8_t *tokens = PATTERNS[noise->pattern].tokens[noise->message];
    bool ok = true;
    for (unsigned i = 0; ok && tokens[i] != TOKEN_END; i++) {
        ok = read_token(noise, (enum token)tokens[i], in);
    }
    return finish_message(noise, ok && read_payload(noise, in, payload));
}

void skua_noise_split(const struct skua_noise *noise, struct skua_secret *to_responder,
                      struct skua_secret *to_initiator)
{
    SKUA_ASSERT(skua_noise_done(noise));
    skua_kdf_noise(&noise->ck, NULL, 0, to_responder, to_initiator, NULL);
}

const struct skua_key *skua_noise_remote(const struct skua_noise *noise)
{
    return noise->has_rs ? &noise->rs : NULL;
}

/* --- what a half-open entry keeps */

void skua_noise_save(struct skua_noise_saved *out, const struct skua_noise *noise)
{
    SKUA_ASSERT(!noise->initiator && !noise->failed && noise->message == 2);
    bool done = skua_noise_done(noise);
    memset(out, 0, sizeof *out);
    memcpy(out->ck, noise->ck.bytes, sizeof out->ck);
    memcpy(out->h, noise->h, sizeof out->h);
    memcpy(out->x, done ? noise->rs.bytes : noise->k.bytes, sizeof out->x);
    memcpy(out->e, noise->e.bytes, sizeof out->e);
    out->n = noise->n;
    out->pattern = noise->pattern;
}

void skua_noise_restore(struct skua_noise *noise, const struct skua_noise_saved *saved,
                        const struct skua_keypair *local, const uint8_t *psk)
{
    memset(noise, 0, sizeof *noise);
    noise->pattern = saved->pattern;
    noise->message = 2;
    noise->local = local;
    noise->n = saved->n;
    memcpy(noise->ck.bytes, saved->ck, sizeof saved->ck);
    memcpy(noise->h, saved->h, sizeof saved->h);
    memcpy(noise->e.bytes, saved->e, sizeof saved->e);
    if (skua_noise_done(noise)) {
        memcpy(noise->rs.bytes, saved->x, sizeof saved->x);
        noise->has_rs = true;
        return;
    }
    memcpy(noise->k.bytes, saved->x, sizeof saved->x);
    noise->has_k = true;
    if (PATTERNS[noise->pattern].psk) {
        SKUA_ASSERT(psk != NULL);
        memcpy(noise->psk, psk, sizeof noise->psk);
    }
}
