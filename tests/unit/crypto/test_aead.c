/* Suites, AEAD vectors, nonces, and the cache of expanded keys. */
#include "hex.h"

#include "crypto/aead.h"

static struct skua_aead_cache cache;

struct vector {
    const char *key;
    const char *nonce;
    const char *ad;
    const char *text;
    const char *sealed; /* with tag */
    uint8_t suite;
};

static const struct vector VECTORS[] = {
    /* RFC 8439 §2.8.2 */
    {.suite = SKUA_SUITE_CHACHA20_POLY1305,
     .key = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
     .nonce = "070000004041424344454647",
     .ad = "50515253c0c1c2c3c4c5c6c7",
     .text = "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a"
             "204966204920636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865"
             "206675747572652c2073756e73637265656e20776f756c642062652069742e",
     .sealed = "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca96712"
               "82fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58"
               "fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116"
               "1ae10b594f09e26a7e902ecbd0600691"},
    /* The GCM submission's test cases 14 and 16 */
    {.suite = SKUA_SUITE_AES_256_GCM,
     .key = "0000000000000000000000000000000000000000000000000000000000000000",
     .nonce = "000000000000000000000000",
     .ad = "",
     .text = "00000000000000000000000000000000",
     .sealed = "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {.suite = SKUA_SUITE_AES_256_GCM,
     .key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     .nonce = "cafebabefacedbaddecaf888",
     .ad = "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     .text = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
             "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     .sealed = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
               "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
               "76fc6ece0f4e1768cddf8853bb2d551b"},
    /* draft-irtf-cfrg-aegis-aead, AEGIS-128L with 256-bit tags: test vectors 1 to 4 */
    {.suite = SKUA_SUITE_AEGIS_128L,
     .key = "10010000000000000000000000000000",
     .nonce = "10000200000000000000000000000000",
     .ad = "",
     .text = "00000000000000000000000000000000",
     .sealed = "c1c0e58bd913006feba00f4b3cc3594e"
               "25835bfbb21632176cf03840687cb968cace4617af1bd0f7d064c639a5c79ee4"},
    {.suite = SKUA_SUITE_AEGIS_128L,
     .key = "10010000000000000000000000000000",
     .nonce = "10000200000000000000000000000000",
     .ad = "",
     .text = "",
     .sealed = "1360dc9db8ae42455f6e5b6a9d488ea4f2184c4e12120249335c4ee84bafe25d"},
    {.suite = SKUA_SUITE_AEGIS_128L,
     .key = "10010000000000000000000000000000",
     .nonce = "10000200000000000000000000000000",
     .ad = "0001020304050607",
     .text = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     .sealed = "79d94593d8c2119d7e8fd9b8fc77845c5c077a05b2528b6ac54b563aed8efe84"
               "022cb796fe7e0ae1197525ff67e309484cfbab6528ddef89f17d74ef8ecd82b3"},
    {.suite = SKUA_SUITE_AEGIS_128L,
     .key = "10010000000000000000000000000000",
     .nonce = "10000200000000000000000000000000",
     .ad = "0001020304050607",
     .text = "000102030405060708090a0b0c0d",
     .sealed = "79d94593d8c2119d7e8fd9b8fc77"
               "86f1b80bfb463aba711d15405d094baf4a55a15dbfec81a76f35ed0b9c8b04ac"},
};

static void published_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof VECTORS / sizeof VECTORS[0]; i++) {
        const struct vector *v = &VECTORS[i];
        if ((skua_suites_available() & v->suite) == 0) {
            print_message("vector %zu: suite not available here\n", i);
            continue;
        }
        struct skua_aead_key key = {.suite = v->suite, .id = skua_aead_next_id(&cache)};
        const size_t tag_len = skua_suite_info(v->suite)->tag_len;
        uint8_t packet[256];
        unhex(key.key, sizeof key.key, v->key);
        unhex(key.iv, sizeof key.iv, v->nonce);
        size_t ad_len = unhex(packet, sizeof packet, v->ad);
        size_t len = unhex(packet + ad_len, sizeof packet - ad_len, v->text);
        skua_aead_seal(&cache, &key, 0, packet, ad_len, len);
        assert_hex(packet + ad_len, len + tag_len, v->sealed);
        assert_true(skua_aead_open(&cache, &key, 0, packet, ad_len, len + tag_len));
        assert_hex(packet + ad_len, len, v->text);
        assert_hex(packet, ad_len, v->ad);
    }
}

/* The number is xored into the IV's end: IV a with number a^b is IV b with number 0. */
static void nonce_is_iv_xor_number(void **state)
{
    (void)state;
    struct skua_aead_key a = {.suite = SKUA_SUITE_CHACHA20_POLY1305, .id = 1};
    memset(a.key, 9, sizeof a.key);
    memset(a.iv, 0xa5, sizeof a.iv);
    struct skua_aead_key b = a;
    static const uint8_t NUMBER[8] = {0x3f, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde};
    for (int i = 0; i < 8; i++) {
        b.iv[4 + i] ^= NUMBER[i];
    }
    uint8_t one[32] = "some text";
    uint8_t two[32] = "some text";
    skua_aead_seal(&cache, &a, UINT64_C(0x3f123456789abcde), one, 4, 12);
    skua_aead_seal(&cache, &b, 0, two, 4, 12);
    assert_memory_equal(one, two, sizeof one);
    assert_false(skua_aead_open(&cache, &a, 1, one, 4, 28));
}

/* Every suite at hand: seals and opens, and no flipped bit goes unnoticed. */
static void every_bit_counts(void **state)
{
    (void)state;
    for (unsigned bit = 1; bit <= SKUA_SUITE_AEGIS_128L; bit <<= 1) {
        uint8_t suite = (uint8_t)(bit & skua_suites_available());
        if (suite == 0) {
            continue;
        }
        const size_t sealed_len = 21 + (size_t)skua_suite_info(suite)->tag_len;
        struct skua_aead_key key = {.suite = suite, .id = skua_aead_next_id(&cache)};
        uint8_t plain[64];
        uint8_t sealed[64];
        uint64_t seed = suite;
        fill_random(&seed, key.key, sizeof key.key);
        fill_random(&seed, key.iv, sizeof key.iv);
        fill_random(&seed, plain, sizeof plain);
        memcpy(sealed, plain, sizeof plain);
        skua_aead_seal(&cache, &key, 77, sealed, 11, 21);
        assert_memory_not_equal(sealed + 11, plain + 11, 21);
        for (size_t i = 0; i < (11 + sealed_len) * 8; i++) {
            uint8_t forged[64];
            memcpy(forged, sealed, sizeof forged);
            forged[i / 8] ^= (uint8_t)(1U << i % 8);
            assert_false(skua_aead_open(&cache, &key, 77, forged, 11, sealed_len));
        }
        for (size_t len = 0; len < sealed_len; len++) {
            uint8_t cut[64];
            memcpy(cut, sealed, sizeof cut);
            assert_false(skua_aead_open(&cache, &key, 77, cut, 11, len));
        }
        assert_true(skua_aead_open(&cache, &key, 77, sealed, 11, sealed_len));
        assert_memory_equal(sealed, plain, 11 + 21);
    }
}

/* More keys than slots, used in a random order: each always means itself. */
static void cache_never_confuses_keys(void **state)
{
    (void)state;
    enum { KEYS = 5 * SKUA_AEAD_CACHE_SLOTS / 2 };
    static struct skua_aead_key keys[KEYS];
    static uint8_t sealed[KEYS][32];
    if ((skua_suites_available() & SKUA_SUITE_AES_256_GCM) == 0) {
        skip(); /* no AES in hardware: the suite does not exist here */
    }
    uint64_t seed = 11;
    for (unsigned i = 0; i < KEYS; i++) {
        keys[i] = (struct skua_aead_key){.suite = SKUA_SUITE_AES_256_GCM,
                                         .id = skua_aead_next_id(&cache)};
        fill_random(&seed, keys[i].key, sizeof keys[i].key);
        memset(sealed[i], 3, sizeof sealed[i]);
        skua_aead_seal(&cache, &keys[i], i, sealed[i], 4, 12);
    }
    for (unsigned round = 0; round < 2000; round++) {
        unsigned i = (unsigned)(next_random(&seed) % KEYS);
        uint8_t copy[32];
        memcpy(copy, sealed[i], sizeof copy);
        assert_true(skua_aead_open(&cache, &keys[i], i, copy, 4, 28));
    }
}

static void wiped_key_leaves_nothing(void **state)
{
    (void)state;
    if ((skua_suites_available() & SKUA_SUITE_AES_256_GCM) == 0) {
        skip(); /* no AES in hardware: the suite does not exist here */
    }
    struct skua_aead_key key = {.suite = SKUA_SUITE_AES_256_GCM, .id = skua_aead_next_id(&cache)};
    const size_t slot = key.id % SKUA_AEAD_CACHE_SLOTS;
    uint8_t text[32] = {0};
    memset(key.key, 5, sizeof key.key);
    skua_aead_seal(&cache, &key, 0, text, 4, 12);
    assert_int_equal(cache.id[slot], key.id);
    assert_false(sodium_is_zero((const uint8_t *)&cache.state[slot], sizeof cache.state[slot]));
    skua_aead_key_wipe(&key, &cache);
    assert_true(sodium_is_zero((const uint8_t *)&key, sizeof key));
    assert_true(sodium_is_zero((const uint8_t *)&cache.state[slot], sizeof cache.state[slot]));
    assert_int_equal(cache.id[slot], 0);
    skua_aead_key_wipe(&key, &cache);
}

static void suites(void **state)
{
    (void)state;
    const uint8_t all =
        SKUA_SUITE_AEGIS_128L | SKUA_SUITE_AES_256_GCM | SKUA_SUITE_CHACHA20_POLY1305;
    assert_int_equal(skua_suite_choose(all, all), SKUA_SUITE_AEGIS_128L);
    assert_int_equal(skua_suite_choose(all, 3), SKUA_SUITE_AES_256_GCM);
    assert_int_equal(skua_suite_choose(5, 3), SKUA_SUITE_CHACHA20_POLY1305);
    assert_int_equal(skua_suite_choose(4, 3), 0);
    assert_int_equal(skua_suite_choose(0xf8, 0xf8), 0);
    assert_int_equal(skua_suites_available() & SKUA_SUITE_CHACHA20_POLY1305, 1);
    assert_int_equal(skua_suites_available() & ~all, 0);
#ifdef crypto_aead_aegis128l_KEYBYTES
    /* Hardware AES gives both. */
    assert_int_equal((skua_suites_available() & SKUA_SUITE_AEGIS_128L) != 0,
                     (skua_suites_available() & SKUA_SUITE_AES_256_GCM) != 0);
#else
    assert_int_equal(skua_suites_available() & SKUA_SUITE_AEGIS_128L, 0);
#endif
    assert_null(skua_suite_info(0));
    assert_null(skua_suite_info(3));
    assert_null(skua_suite_info(8));
    for (unsigned bit = 1; bit <= SKUA_SUITE_AEGIS_128L; bit <<= 1) {
        const struct skua_suite_info *info = skua_suite_info((uint8_t)bit);
        assert_non_null(info);
        assert_int_equal(info->suite, bit);
        assert_in_range(info->key_len, 16, SKUA_SUITE_KEY_MAX);
        assert_in_range(info->nonce_len, 12, SKUA_SUITE_NONCE_MAX);
        assert_in_range(info->tag_len, 16, SKUA_SUITE_TAG_MAX);
        assert_true(info->update_at < info->stop_at);
    }
    assert_int_equal(skua_suite_info(SKUA_SUITE_AES_256_GCM)->update_at, 1 << 22);
    assert_int_equal(skua_suite_info(SKUA_SUITE_AES_256_GCM)->stop_at, 1 << 23);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),        cmocka_unit_test(nonce_is_iv_xor_number),
        cmocka_unit_test(every_bit_counts),         cmocka_unit_test(cache_never_confuses_keys),
        cmocka_unit_test(wiped_key_leaves_nothing), cmocka_unit_test(suites),
    };
    skua_aead_cache_init(&cache, NULL);
    return skua_init() == SKUA_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
