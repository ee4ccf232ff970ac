/* Address tokens: for whom, for what and how long they hold. */
#include "hex.h"

#include "crypto/token.h"

static const struct skua_secret_key identity = {.bytes = {1, 2, 3}};
static const uint8_t header[23] = {0xc0, 0x73, 0x6b, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9};
static const struct skua_addr remote = {
    .family = SKUA_FAMILY_IPV4, .port = 4000, .ip = {192, 0, 2, 1}};

static const struct skua_addr local = {
    .family = SKUA_FAMILY_IPV4, .port = 4433, .ip = {198, 51, 100, 7}};

static struct skua_token_claim claim_of(const struct skua_addr *addr)
{
    return (struct skua_token_claim){
        .remote = addr, .local = &local, .header = header, .header_len = sizeof header};
}

/* The value was computed by another implementation (Python, with SipHash written out). */
static void known_answer(void **state)
{
    (void)state;
    struct skua_tokens tokens;
    const struct skua_token_claim claim = claim_of(&remote);
    uint8_t token[SKUA_TOKEN_LEN];
    skua_tokens_init(&tokens, &identity);
    skua_token_write(&tokens, token, &claim, 1000 * SKUA_TOKEN_SLOT_NS);
    assert_hex(token, sizeof token, "01e8796543cf75a25bc8d7837459c5605b29");
    skua_tokens_wipe(&tokens);
}

static void holds_in_its_slot_and_the_next(void **state)
{
    (void)state;
    static const skua_time begin[] = {0, 64 * SKUA_SEC, 255 * 64 * SKUA_SEC,
                                      100000 * 64 * SKUA_SEC};
    for (size_t i = 0; i < sizeof begin / sizeof begin[0]; i++) {
        struct skua_tokens tokens, worker;
        const struct skua_token_claim claim = claim_of(&remote);
        uint8_t token[SKUA_TOKEN_LEN];
        skua_tokens_init(&tokens, &identity);
        skua_tokens_init(&worker, &identity);
        skua_time last = begin[i] + SKUA_TOKEN_SLOT_NS - 1;
        for (int k = 0; k < 2; k++) { /* made at either end of the slot */
            skua_token_write(&tokens, token, &claim, k == 0 ? begin[i] : last);
            skua_time end = last + SKUA_TOKEN_SLOT_NS;
            assert_true(skua_token_check(&tokens, token, sizeof token, &claim, last));
            assert_true(skua_token_check(&worker, token, sizeof token, &claim, last));
            assert_true(skua_token_check(&tokens, token, sizeof token, &claim, end));
            assert_true(skua_token_check(&worker, token, sizeof token, &claim, end));
            assert_false(skua_token_check(&tokens, token, sizeof token, &claim, end + 1));
            assert_false(skua_token_check(&worker, token, sizeof token, &claim, end + 1));
            /* Nor when its byte of the slot comes round again, nor before it was made. */
            skua_time round = begin[i] + 256 * SKUA_TOKEN_SLOT_NS;
            assert_false(skua_token_check(&tokens, token, sizeof token, &claim, round));
            if (begin[i] > 0) {
                assert_false(skua_token_check(&tokens, token, sizeof token, &claim, begin[i] - 1));
            }
        }
    }
}

static void belongs_to_one_address_one_syn_and_one_server(void **state)
{
    (void)state;
    struct skua_tokens tokens, stranger;
    static const struct skua_secret_key other = {.bytes = {3, 2, 1}};
    uint8_t changed[sizeof header], token[SKUA_TOKEN_LEN];
    struct skua_token_claim claim = claim_of(&remote);
    const skua_time now = 1000 * SKUA_SEC;
    skua_tokens_init(&tokens, &identity);
    skua_tokens_init(&stranger, &other);
    skua_token_write(&tokens, token, &claim, now);
    assert_true(skua_token_check(&tokens, token, sizeof token, &claim, now));
    assert_false(skua_token_check(&stranger, token, sizeof token, &claim, now));
    for (size_t i = 0; i < 8 * sizeof header; i++) {
        memcpy(changed, header, sizeof header);
        changed[i / 8] ^= (uint8_t)(1u << i % 8);
        claim.header = changed;
        assert_false(skua_token_check(&tokens, token, sizeof token, &claim, now));
    }
    claim.header = header;
    claim.header_len--;
    assert_false(skua_token_check(&tokens, token, sizeof token, &claim, now));
    claim.header_len++;
    struct skua_addr addr = remote;
    claim.remote = &addr;
    addr.port++;
    assert_false(skua_token_check(&tokens, token, sizeof token, &claim, now));
    addr = remote;
    addr.ip[15] ^= 1;
    assert_false(skua_token_check(&tokens, token, sizeof token, &claim, now));
    addr = remote;
    addr.family = SKUA_FAMILY_IPV6;
    assert_false(skua_token_check(&tokens, token, sizeof token, &claim, now));
    addr = remote;
    addr.scope = 1;
    assert_false(skua_token_check(&tokens, token, sizeof token, &claim, now));
    addr = remote;
    assert_true(skua_token_check(&tokens, token, sizeof token, &claim, now));
    addr = local; /* the server's own */
    claim.local = &addr;
    addr.ip[3]++;
    assert_false(skua_token_check(&tokens, token, sizeof token, &claim, now));
    addr = local;
    addr.port++;
    assert_false(skua_token_check(&tokens, token, sizeof token, &claim, now));
}

static void forgeries_are_none(void **state)
{
    (void)state;
    struct skua_tokens tokens;
    const struct skua_token_claim claim = claim_of(&remote);
    const skua_time now = 1000 * SKUA_SEC;
    uint8_t token[SKUA_TOKEN_LEN + 1] = {0};
    skua_tokens_init(&tokens, &identity);
    skua_token_write(&tokens, token, &claim, now);
    for (size_t len = 0; len <= sizeof token; len++) {
        assert_int_equal(skua_token_check(&tokens, token, len, &claim, now), len == SKUA_TOKEN_LEN);
    }
    for (size_t i = 0; i < (size_t)8 * SKUA_TOKEN_LEN; i++) {
        token[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_false(skua_token_check(&tokens, token, SKUA_TOKEN_LEN, &claim, now));
        token[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_false(skua_token_check(&tokens, NULL, 0, &claim, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer),
        cmocka_unit_test(holds_in_its_slot_and_the_next),
        cmocka_unit_test(belongs_to_one_address_one_syn_and_one_server),
        cmocka_unit_test(forgeries_are_none),
    };
    return skua_init() == SKUA_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
