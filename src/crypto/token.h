/* Address tokens: a client that brings one back has received what was sent to its address (RFC 9000
 * §8.1).
 *
 * The server keeps nothing. A token is
 *
 *   kind u8 ‖ low byte of the slot u8 ‖ SipHash-2-4-128(the slot's key, kind ‖ slot ‖ claim)
 *
 * where the claim is the client's address, the server's to which it sent, and the SYN's header. All
 * come with the SYN that brings the token back, so that nothing has to be carried, nothing has to
 * be hidden, and no nonce can repeat: a PRF is enough, and costs a fifth of an AEAD.
 *
 * Time is cut into slots of 64 s, each with a key of its own, derived from the endpoint's static
 * key. A token holds in its slot and the next: 64 to 128 s, longer than a SYN is repeated. All
 * endpoints with one static key and one clock, as the workers of a server have them, take each
 * other's tokens: so it is the caller's clock as it is, even where that falls back. Tokens of what
 * is ahead then do not hold, and the client gets another; old ones hold again, and still say no
 * more than that their owner once received at the address. */
#ifndef SKUA_CRYPTO_TOKEN_H
#define SKUA_CRYPTO_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "crypto/kdf.h"

#define SKUA_TOKEN_SLOT_NS (64 * SKUA_SEC)

enum {
    SKUA_TOKEN_MAC_LEN = 16,
    SKUA_TOKEN_LEN = 1 + 1 + SKUA_TOKEN_MAC_LEN, /* bytes of an address token */
};

/* The first byte of a token; the other kind is crypto/early.h's. */
enum skua_token_kind { SKUA_TOKEN_ADDRESS = 1, SKUA_TOKEN_EARLY = 2 };

/* The keys of one slot. Secret. */
struct skua_token_slot {
    uint64_t number; /* time / SKUA_TOKEN_SLOT_NS; UINT64_MAX = not derived */
    uint8_t key[16]; /* of SipHash, for address tokens */
};

/* Secret: skua_tokens_wipe. */
struct skua_tokens {
    struct skua_secret root;         /* the slots' keys come from it */
    struct skua_token_slot slots[2]; /* by the parity of the number */
};

/* What a token is bound to: another claim, another token. */
struct skua_token_claim {
    const struct skua_addr *remote; /* who gets the token, and must bring it back */
    const struct skua_addr *local;  /* ... to here: a copy of its SYN proves nothing elsewhere */
    const uint8_t *header;          /* the SYN's first byte, version and ids, as they stand */
    size_t header_len;              /* at most SKUA_TOKEN_HEADER_MAX */
};
#define SKUA_TOKEN_HEADER_MAX 39

/* root = label(HKDF-Extract("", static secret key), "token", "", 32). */
void skua_tokens_init(struct skua_tokens *tokens, const struct skua_secret_key *identity);
void skua_tokens_wipe(struct skua_tokens *tokens);

/* The address token of `claim` at `now`. */
void skua_token_write(struct skua_tokens *tokens, uint8_t out[SKUA_TOKEN_LEN],
                      const struct skua_token_claim *claim, skua_time now);
/* Whether the `len` bytes at `token` are one for `claim` that still holds; nothing else is said of
 * what is not. */
bool skua_token_check(struct skua_tokens *tokens, const uint8_t *token, size_t len,
                      const struct skua_token_claim *claim, skua_time now);

#endif
