/* Lists of versions that would have led to another one than is spoken: whoever notices says
 * DOWNGRADE under the keys. The end that lists them is played by hand, since ours knows one. */
#include "fixture.h"

#include "handshake/body.h"

static const enum skua_pattern patterns[] = {SKUA_PATTERN_XX, SKUA_PATTERN_IK};
static const uint32_t others[] = {0x736b0099, 0x736b0098};

/* A handshake state for the end with `own`, as the other end's config has it. */
static void play(struct skua_noise *noise, struct pair *p, enum skua_pattern pattern,
                 bool initiator)
{
    uint8_t prologue[SKUA_PROLOGUE_CAP];
    struct skua_writer w = skua_writer_of(prologue, sizeof prologue);
    skua_prologue_write(&w, pattern, 0, &p->client_config.dcid, &p->client_config.scid);
    struct skua_secret_key e;
    pair_fill(&p->seed, e.bytes, sizeof e.bytes);
    const struct skua_noise_config config = {
        .pattern = pattern,
        .initiator = initiator,
        .prologue = prologue,
        .prologue_len = skua_writer_len(&w),
        .local = initiator ? &p->client_keys : &p->server_keys,
        .remote = initiator && pattern == SKUA_PATTERN_IK ? &p->server_keys.public_key : NULL,
        .ephemeral = &e};
    assert_true(skua_noise_init(noise, &config));
}

/* A server that lists `count` versions, none of them ours. */
static enum skua_code answered_by(enum skua_pattern pattern, uint8_t count)
{
    struct pair p;
    struct skua_noise noise;
    struct skua_head head;
    struct skua_syn syn;
    uint8_t payload[SKUA_SYN_LEN], packet[SKUA_SYN_ACK_CAP];
    pair_init(&p, pattern, 900);
    assert_true(skua_initiator_init(&p.client, &p.client_config));
    assert_int_equal(skua_header_peek(p.client.syn, SKUA_SYN_LEN, 8, &head), SKUA_VERDICT_OK);
    assert_int_equal(skua_syn_read(p.client.syn, SKUA_SYN_LEN, &head, &syn), SKUA_VERDICT_OK);
    play(&noise, &p, pattern, false);
    struct skua_reader in = skua_reader_of(syn.message, syn.message_len);
    struct skua_writer out = skua_writer_of(payload, sizeof payload);
    assert_true(skua_noise_read(&noise, &in, &out));

    struct skua_params params = {.transport = p.server_params, .initial_scid = p.server_id};
    params.version_count = count;
    memcpy(params.versions, others, sizeof others);
    out = skua_writer_of(payload, sizeof payload);
    skua_writer_u8(&out, SKUA_SUITE_CHACHA20_POLY1305);
    skua_params_write(&out, &params, SKUA_PARAMS_FROM_SERVER, 0);
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    skua_long_header_write(&w, SKUA_PACKET_SYN_ACK, SKUA_WIRE_VERSION, &p.client_config.scid,
                           &p.server_id);
    assert_true(skua_noise_write(&noise, payload, skua_writer_len(&out), &w));

    struct skua_handshake_result result;
    enum skua_verdict verdict = pair_react(&p, packet, skua_writer_len(&w), &result);
    assert_int_equal(verdict, count == 0 ? SKUA_VERDICT_OK : SKUA_VERDICT_PROTOCOL);
    return result.code;
}

static void a_client_notices(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(answered_by(patterns[i], 2), SKUA_CODE_DOWNGRADE);
        assert_int_equal(answered_by(patterns[i], 0),
                         SKUA_CODE_NO_ERROR); /* it need not list any */
    }
}

/* A client that lists versions, none of them ours, and says that it speaks ours. */
static void a_server_notices(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pair p;
        struct skua_noise noise;
        uint8_t payload[400], params[SKUA_LIMIT_PARAMS_MAX], packet[SKUA_SYN_LEN];
        pair_init(&p, patterns[i], 910 + i);
        play(&noise, &p, patterns[i], true);
        struct skua_writer w = skua_writer_of(params, sizeof params);
        skua_params_write(&w, &p.client_params, SKUA_PARAMS_FROM_CLIENT, 0);
        struct skua_offer offer = {.suites = SKUA_SUITE_CHACHA20_POLY1305, .version_count = 2};
        memcpy(offer.versions, others, sizeof others);
        if (patterns[i] == SKUA_PATTERN_IK) {
            offer.params = params;
            offer.params_len = (uint16_t)skua_writer_len(&w);
        }
        struct skua_writer out = skua_writer_of(payload, sizeof payload);
        skua_offer_write(&out, &offer);

        struct skua_writer syn = skua_writer_of(packet, sizeof packet);
        skua_long_header_write(&syn, SKUA_PACKET_SYN, SKUA_WIRE_VERSION, &p.client_config.dcid,
                               &p.client_config.scid);
        size_t message_len = skua_writer_left(&syn) - SKUA_SYN_BODY_LEN;
        skua_syn_body_write(&syn, (uint8_t)patterns[i], message_len);
        uint8_t full[SKUA_SYN_LEN] = {0};
        memcpy(full, payload, skua_writer_len(&out));
        assert_true(skua_noise_write(&noise, full,
                                     message_len - skua_noise_overhead(patterns[i], 0), &syn));
        assert_int_equal(pair_answer(&p, packet, sizeof packet), SKUA_VERDICT_OK);
        assert_int_equal(p.server.code, SKUA_CODE_DOWNGRADE);
    }
}

int main(void)
{
    if (skua_init() != SKUA_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_notices),
        cmocka_unit_test(a_server_notices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
