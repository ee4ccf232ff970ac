/* Address tokens: see token.h. */
#include "crypto/token.h"

#include <sodium.h>

#include "base/assert.h"
#include "base/cursor.h"

SKUA_STATIC_ASSERT(crypto_shorthash_siphashx24_BYTES == SKUA_TOKEN_MAC_LEN &&
                       crypto_shorthash_siphashx24_KEYBYTES ==
                           sizeof(((struct skua_token_slot *)0)->key),
                   "SipHash-2-4 with 128 bits of result");

void skua_tokens_init(struct skua_tokens *tokens, const struct skua_secret_key *identity)
{
    struct skua_secret prk;
    skua_hkdf_extract(&prk, NULL, 0, identity->bytes, sizeof identity->bytes);
    skua_hkdf_label(&prk, "token", NULL, 0, tokens->root.bytes, sizeof tokens->root.bytes);
    skua_secret_wipe(&prk);
    tokens->slots[0].number = UINT64_MAX;
    tokens->slots[1].number = UINT64_MAX;
}

void skua_tokens_wipe(struct skua_tokens *tokens)
{
    sodium_memzero(tokens, sizeof *tokens);
}

/* The keys of slot `number`; every other slot of the same parity is over or still to come. */
static const struct skua_token_slot *slot_at(struct skua_tokens *tokens, uint64_t number)
{
    struct skua_token_slot *slot = &tokens->slots[number % 2];
    if (slot->number != number) {
        uint8_t context[8];
        struct skua_writer w = skua_writer_of(context, sizeof context);
        skua_writer_u64(&w, number);
        skua_hkdf_label(&tokens->root, "address token", context, sizeof context, slot->key,
                        sizeof slot->key);
        slot->number = number;
    }
    return slot;
}

/* The number of times `now` lies in. */
static uint64_t slot_number(skua_time now)
{
    return now / SKUA_TOKEN_SLOT_NS;
}

static void write_addr(struct skua_writer *w, const struct skua_addr *addr)
{
    skua_writer_u8(w, addr->family);
    skua_writer_u16(w, addr->port);
    skua_writer_u32(w, addr->scope);
    skua_writer_copy(w, addr->ip, sizeof addr->ip);
}

static void write_at(struct skua_tokens *tokens, uint8_t out[SKUA_TOKEN_LEN],
                     const struct skua_token_claim *claim, uint64_t number)
{
    const struct skua_token_slot *slot = slot_at(tokens, number);
    uint8_t input[1 + 8 + 2 * (1 + 2 + 4 + sizeof claim->remote->ip) + SKUA_TOKEN_HEADER_MAX];
    struct skua_writer w = skua_writer_of(input, sizeof input);
    skua_writer_u8(&w, SKUA_TOKEN_ADDRESS);
    skua_writer_u64(&w, number);
    write_addr(&w, claim->remote);
    write_addr(&w, claim->local);
    skua_writer_copy(&w, claim->header, claim->header_len);
    SKUA_ASSERT(!w.failed);
    out[0] = SKUA_TOKEN_ADDRESS;
    out[1] = (uint8_t)number;
    (void)crypto_shorthash_siphashx24(out + 2, input, skua_writer_len(&w), slot->key);
}

void skua_token_write(struct skua_tokens *tokens, uint8_t out[SKUA_TOKEN_LEN],
                      const struct skua_token_claim *claim, skua_time now)
{
    write_at(tokens, out, claim, slot_number(now));
}

bool skua_token_check(struct skua_tokens *tokens, const uint8_t *token, size_t len,
                      const struct skua_token_claim *claim, skua_time now)
{
    if (len != SKUA_TOKEN_LEN || token[0] != SKUA_TOKEN_ADDRESS) {
        return false;
    }
    uint64_t number = slot_number(now);
    uint8_t age = (uint8_t)((uint8_t)number - token[1]); /* in slots, modulo 256 */
    if (age > 1 || age > number) {
        return false;
    }
    uint8_t expected[SKUA_TOKEN_LEN];
    write_at(tokens, expected, claim, number - age);
    return sodium_memcmp(token, expected, sizeof expected) == 0;
}
