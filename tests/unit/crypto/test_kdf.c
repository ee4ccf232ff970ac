/* HMAC, HKDF, labelled expansion, exporter, tags and header mask against published vectors; what is
 * Skua's own against values computed once with Python's hmac and hashlib. */
#include "hex.h"

#include "crypto/exporter.h"
#include "crypto/kdf.h"
#include "crypto/mask.h"
#include "crypto/reset.h"
#include "crypto/tag.h"

static void count_up(void *out, size_t len, uint8_t first)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(first + i);
    }
}

static void hmac_rfc4231(void **state)
{
    (void)state;
    uint8_t key[20];
    uint8_t out[SKUA_HASH_LEN];
    memset(key, 0x0b, sizeof key);
    skua_hmac(out, key, sizeof key, "Hi There", 8);
    assert_hex(out, sizeof out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    skua_hmac(out, "Jefe", 4, "what do ya want for nothing?", 28);
    assert_hex(out, sizeof out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void hkdf_rfc5869(void **state)
{
    (void)state;
    uint8_t ikm[80];
    uint8_t salt[80];
    uint8_t info[80];
    uint8_t okm[82];
    struct skua_secret prk;
    /* A.1 */
    memset(ikm, 0x0b, 22);
    count_up(salt, 13, 0);
    count_up(info, 10, 0xf0);
    skua_hkdf_extract(&prk, salt, 13, ikm, 22);
    assert_hex(prk.bytes, sizeof prk.bytes,
               "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    skua_hkdf_expand(&prk, info, 10, okm, 42);
    assert_hex(okm, 42,
               "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
               "34007208d5b887185865");
    /* A.2 */
    count_up(ikm, 80, 0);
    count_up(salt, 80, 0x60);
    count_up(info, 80, 0xb0);
    skua_hkdf_extract(&prk, salt, 80, ikm, 80);
    skua_hkdf_expand(&prk, info, 80, okm, 82);
    assert_hex(okm, 82,
               "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
               "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
               "cc30c58179ec3e87c14c01d5c1f3434f1d87");
    /* A.3 */
    memset(ikm, 0x0b, 22);
    skua_hkdf_extract(&prk, NULL, 0, ikm, 22);
    assert_hex(prk.bytes, sizeof prk.bytes,
               "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
    skua_hkdf_expand(&prk, NULL, 0, okm, 42);
    assert_hex(okm, 42,
               "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
               "9d201395faa4b61a96c8");
}

static void labelled_expansion(void **state)
{
    (void)state;
    struct skua_secret prk;
    uint8_t context[64];
    uint8_t out[48];
    uint8_t other[48];
    count_up(prk.bytes, sizeof prk.bytes, 0);
    count_up(context, sizeof context, 0);
    skua_hkdf_label(&prk, "key", "\x02", 1, out, 32);
    assert_hex(out, 32, "a7f39306d2139404a95996567d377ff12313b78278fcef0e02ebd04b7c642bb3");
    skua_hkdf_label(&prk, "ku", NULL, 0, out, 32);
    assert_hex(out, 32, "1a7a999c9ec19ceee2295a42b5f6481c5b98bcce56a1bcf72b8f6459c95e3276");
    skua_hkdf_label(&prk, "iv", context, 64, out, 48);
    assert_hex(out, 48,
               "f62b87fae9ab3996a7e68c8f54361753776765c3e701431df6cf06f99b3d4a58"
               "ed0a0bebae99e3413cae8fdf0bb70e32");
    /* The length is bound: a shorter output is no prefix of a longer one. */
    skua_hkdf_label(&prk, "iv", context, 64, other, 32);
    assert_memory_not_equal(out, other, 32);
}

static void noise_expansion(void **state)
{
    (void)state;
    struct skua_secret ck;
    struct skua_secret a;
    struct skua_secret b;
    struct skua_secret c;
    count_up(ck.bytes, sizeof ck.bytes, 0);
    skua_kdf_noise(&ck, "input", 5, &a, &b, &c);
    assert_hex(a.bytes, 32, "6652e076ecbcbe76627293d67fcc22d29dee719f3c185066ea867eaf1e6f4c47");
    assert_hex(b.bytes, 32, "5c709f4c8626825d850cc12e878c9ea7a08159016a009bc36b8109676b9c074b");
    assert_hex(c.bytes, 32, "9d6f3254e354007293d243ca6c6ddb2d10b725c55285c73317b7d383e39fd488");
    /* In place, and with two outputs. */
    skua_kdf_noise(&ck, "input", 5, &ck, &b, NULL);
    assert_memory_equal(&ck, &a, sizeof ck);
}

static void exporter(void **state)
{
    (void)state;
    struct skua_secret secret;
    uint8_t out[SKUA_EXPORT_MAX];
    count_up(secret.bytes, sizeof secret.bytes, 0);
    assert_true(skua_export(&secret, "my label", out, 64));
    assert_hex(out, 64,
               "eae2d8b49b87f7a1272bc79cf5df4fac5df36c726d419e831ee434b72d1461d8"
               "c2a753baf4c06e5da0d87cc38a917da66a2da52a0a2c910ff1bbac2a4454bee0");
    assert_false(skua_export(&secret, "my label", out, 0));
    assert_false(skua_export(&secret, "my label", out, 65));
}

static void tags(void **state)
{
    (void)state;
    uint8_t out[SKUA_TAG_LEN];
    uint8_t other[SKUA_TAG_LEN];
    uint8_t key[32];
    count_up(key, sizeof key, 0);
    skua_tag(out, "skua retry", "data", 4);
    assert_hex(out, sizeof out, "b8da3ba604e2aa2eefed29800e417e62");
    skua_tag(other, "x", "", 0);
    assert_hex(other, sizeof other, "442a44457137672b3218c1007dc8f76a");
    assert_false(skua_tag_equal(out, other));
    skua_fingerprint(out, key, "data", 4);
    assert_hex(out, sizeof out, "8e1d8dd9167b90120c52368775c52200");
    memcpy(other, out, sizeof out);
    assert_true(skua_tag_equal(out, other));
    other[15] ^= 1;
    assert_false(skua_tag_equal(out, other));
}

/* Values computed by another implementation (Python's hmac). */
static void reset_tokens(void **state)
{
    (void)state;
    struct skua_secret key;
    uint8_t token[SKUA_RESET_TOKEN_LEN];
    uint8_t other[SKUA_RESET_TOKEN_LEN];
    static const uint8_t none[SKUA_RESET_TOKEN_LEN];
    count_up(key.bytes, sizeof key.bytes, 0);
    skua_reset_token(token, &key, "\0\0\0\0\0\0\0", 8);
    assert_hex(token, sizeof token, "9f73631105dd3c0ef306da4c897996d7");
    skua_reset_token(other, &key, "\0\0\0\0\0\0\0", 7);
    assert_false(skua_reset_token_equal(token, other));
    memcpy(other, token, sizeof token);
    assert_true(skua_reset_token_equal(token, other));
    other[15] ^= 1;
    assert_false(skua_reset_token_equal(token, other));
    assert_false(skua_reset_token_equal(none, none));
}

static void reset_key_of_an_identity(void **state)
{
    (void)state;
    struct skua_secret_key identity;
    struct skua_secret key;
    count_up(identity.bytes, sizeof identity.bytes, 0);
    skua_reset_key_derive(&key, &identity);
    assert_hex(key.bytes, sizeof key.bytes,
               "42a48e97ef55576d86a973868e474d1549d3f1aff9978cb9637a28f8b12c77f6");
}

/* The SipHash-2-4 reference vectors: key 00 to 0f, input 00 to 0e and 00 to 0f. */
static void siphash_and_mask(void **state)
{
    (void)state;
    struct skua_hp_key key;
    uint8_t sample[16];
    uint8_t hash[8];
    count_up(key.bytes, sizeof key.bytes, 0);
    count_up(sample, sizeof sample, 0);
    crypto_shorthash(hash, sample, 15, key.bytes);
    assert_hex(hash, 8, "e545be4961ca29a1");
    crypto_shorthash(hash, sample, 16, key.bytes);
    assert_hex(hash, 8, "db9bc2577fcc2a3f");

    uint8_t first = 0x40;
    uint8_t pn[4] = {0, 0, 0, 1};
    skua_mask_apply(&key, sample, &first, pn);
    assert_int_equal(first, 0x40 | (0xdb & 0x1f));
    assert_hex(pn, 4, "9bc2577e");
    skua_mask_apply(&key, sample, &first, pn);
    assert_int_equal(first, 0x40);
    assert_hex(pn, 4, "00000001");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_rfc4231),       cmocka_unit_test(hkdf_rfc5869),
        cmocka_unit_test(labelled_expansion), cmocka_unit_test(noise_expansion),
        cmocka_unit_test(exporter),           cmocka_unit_test(tags),
        cmocka_unit_test(reset_tokens),       cmocka_unit_test(reset_key_of_an_identity),
        cmocka_unit_test(siphash_and_mask),
    };
    return skua_init() == SKUA_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
