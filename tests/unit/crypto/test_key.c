/* The public functions on keys, and X25519. */
#include "hex.h"

#include "crypto/keypair.h"

static void x25519_rfc7748(void **state)
{
    (void)state;
    struct skua_secret_key scalar;
    struct skua_key point;
    struct skua_secret out;
    /* §5.2 */
    unhex(scalar.bytes, 32, "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    unhex(point.bytes, 32, "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    assert_true(skua_x25519(&out, &scalar, &point));
    assert_hex(out.bytes, 32, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    /* §6.1 */
    struct skua_keypair alice;
    struct skua_keypair bob;
    unhex(scalar.bytes, 32, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    skua_keypair_init(&alice, &scalar);
    assert_hex(alice.public_key.bytes, 32,
               "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    unhex(scalar.bytes, 32, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    skua_keypair_init(&bob, &scalar);
    assert_hex(bob.public_key.bytes, 32,
               "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    assert_true(skua_x25519(&out, &alice.secret, &bob.public_key));
    assert_hex(out.bytes, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_true(skua_x25519(&out, &bob.secret, &alice.public_key));
    assert_hex(out.bytes, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

/* Points of order 1, 2, 4 and 8, and non-canonical forms of 0 and 1. */
static void low_order_points(void **state)
{
    (void)state;
    static const char *const POINTS[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    struct skua_secret_key secret;
    uint64_t seed = 7;
    fill_random(&seed, secret.bytes, sizeof secret.bytes);
    for (size_t i = 0; i < sizeof POINTS / sizeof POINTS[0]; i++) {
        struct skua_key point;
        struct skua_secret out;
        unhex(point.bytes, 32, POINTS[i]);
        memset(&out, 0xaa, sizeof out);
        assert_false(skua_x25519(&out, &secret, &point));
        assert_true(sodium_is_zero(out.bytes, sizeof out.bytes));
    }
}

static void text_form(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 200; i++) {
        struct skua_key key;
        struct skua_key back;
        char text[SKUA_KEY_TEXT_LEN];
        fill_random(&seed, key.bytes, sizeof key.bytes);
        skua_key_format(text, &key);
        assert_int_equal(strlen(text), 44);
        assert_int_equal(text[43], '=');
        assert_int_equal(skua_key_parse(&back, text), SKUA_OK);
        assert_memory_equal(&key, &back, sizeof key);
        struct skua_secret_key secret;
        char secret_text[SKUA_KEY_TEXT_LEN];
        assert_int_equal(skua_secret_key_parse(&secret, text), SKUA_OK);
        assert_memory_equal(secret.bytes, key.bytes, sizeof key.bytes);
        skua_secret_key_format(secret_text, &secret);
        assert_string_equal(secret_text, text);
    }
    /* RFC 4648 §4 on bytes that use '+' and '/'. */
    struct skua_key key;
    char text[SKUA_KEY_TEXT_LEN];
    memset(key.bytes, 0xfb, sizeof key.bytes);
    skua_key_format(text, &key);
    assert_string_equal(text, "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=");
}

static void wrong_text(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "",
        "=",
        "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s",   /* no padding */
        "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s==", /* too long */
        "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s= ", /* white space */
        " /v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=",
        "-_v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=", /* the other alphabet */
        "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/t=", /* stray bits in the last character */
        "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/vs", /* 33 bytes */
        "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+w==", /* 31 bytes */
        "+/v7+/v7+/v7+/v7+/v7+/v7=/v7+/v7+/v7+/v7+/s=",
    };
    struct skua_key key;
    memset(&key, 0x55, sizeof key);
    const struct skua_key before = key;
    struct skua_secret_key secret;
    memset(&secret, 0x55, sizeof secret);
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        assert_int_equal(skua_key_parse(&key, WRONG[i]), SKUA_EINVAL);
        assert_int_equal(skua_secret_key_parse(&secret, WRONG[i]), SKUA_EINVAL);
    }
    assert_int_equal(skua_key_parse(&key, NULL), SKUA_EINVAL);
    assert_int_equal(skua_secret_key_parse(&secret, NULL), SKUA_EINVAL);
    assert_memory_equal(&key, &before, sizeof key);
    assert_memory_equal(secret.bytes, before.bytes, sizeof secret.bytes);
}

static void fill(void *user, void *out, size_t len)
{
    fill_random(user, out, len);
}

static void generate(void **state)
{
    (void)state;
    uint64_t seed = 3;
    const struct skua_rng rng = {.fill = fill, .user = &seed};
    struct skua_secret_key a;
    struct skua_secret_key b;
    skua_key_generate(&a, &rng);
    skua_key_generate(&b, &rng);
    assert_memory_not_equal(&a, &b, sizeof a);
    /* One seed replays a run, key generation included. */
    seed = 3;
    skua_key_generate(&b, &rng);
    assert_memory_equal(&a, &b, sizeof a);
    skua_wipe(&a, sizeof a);
    assert_true(sodium_is_zero(a.bytes, sizeof a.bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x25519_rfc7748), cmocka_unit_test(low_order_points),
        cmocka_unit_test(text_form),      cmocka_unit_test(wrong_text),
        cmocka_unit_test(generate),
    };
    return skua_init() == SKUA_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
