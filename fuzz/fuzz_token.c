/* Address tokens and RETRY. The first input byte chooses: 0, the rest is a token for a server; 1, a
 * change (xor) of an authentic one, behind four bytes of age in seconds; 2, the rest is a RETRY for
 * a client; 3, a change of an authentic one; 4, the rest is the token of an authentic one. Only an
 * unchanged token holds, and only in its time; only an unchanged RETRY is taken, what is not taken
 * changes nothing, and what is taken comes back as it was. */
#include "fuzz_handshake.h"

#include "crypto/token.h"
#include "handshake/refuse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct skua_addr remote = {
    .family = SKUA_FAMILY_IPV4, .port = 1, .ip = {192, 0, 2, 1}};
static const struct skua_addr local = {
    .family = SKUA_FAMILY_IPV4, .port = 2, .ip = {198, 51, 100, 1}};

struct client {
    struct ends ends;
    struct skua_initiator initiator;
    struct skua_head head; /* of its SYN */
    struct skua_syn syn;
};

static void client_init(struct client *c)
{
    uint8_t sent[SKUA_SYN_CAP];
    ends_init(&c->ends, SKUA_PATTERN_XX);
    bool made = skua_initiator_init(&c->initiator, &c->ends.client);
    SKUA_ASSERT(made);
    struct skua_writer w = skua_writer_of(sent, sizeof sent);
    skua_initiator_write_syn(&c->initiator, &w); /* a RETRY may come now */
    enum skua_verdict v = skua_header_peek(c->initiator.syn, SKUA_SYN_LEN, 8, &c->head);
    SKUA_ASSERT(v == SKUA_VERDICT_OK);
    v = skua_syn_read(c->initiator.syn, SKUA_SYN_LEN, &c->head, &c->syn);
    SKUA_ASSERT(v == SKUA_VERDICT_OK);
}

static void check_token(const uint8_t *data, size_t size, bool change)
{
    struct client c;
    struct skua_tokens tokens;
    uint8_t token[SKUA_TOKEN_LEN];
    const skua_time now = 1000 * SKUA_TOKEN_SLOT_NS;
    client_init(&c);
    skua_tokens_init(&tokens, &c.ends.server_keys.secret);
    const struct skua_token_claim claim = {
        .remote = &remote,
        .local = &local,
        .header = c.initiator.syn,
        .header_len = c.head.body,
    };
    skua_token_write(&tokens, token, &claim, now);
    if (!change) {
        bool held = skua_token_check(&tokens, data, size, &claim, now);
        SKUA_ASSERT(held == (size == sizeof token && memcmp(data, token, size) == 0));
        return;
    }
    struct skua_reader r = skua_reader_of(data, size);
    const skua_time age = skua_reader_u32(&r) * SKUA_SEC;
    bool changed = false;
    for (size_t i = 0; i < sizeof token; i++) {
        uint8_t bits = skua_reader_u8(&r);
        token[i] ^= bits;
        changed = changed || bits != 0;
    }
    bool held = skua_token_check(&tokens, token, sizeof token, &claim, now + age);
    SKUA_ASSERT(held == (!changed && age < 2 * SKUA_TOKEN_SLOT_NS));
}

static bool deliver(struct client *c, const uint8_t *packet, size_t len)
{
    struct skua_head head;
    struct skua_retry retry;
    return skua_header_peek(packet, len, 8, &head) == SKUA_VERDICT_OK &&
           head.type == SKUA_PACKET_RETRY &&
           skua_retry_read(packet, len, &head, &retry) == SKUA_VERDICT_OK &&
           skua_initiator_on_retry(&c->initiator, packet, &head, &retry) == SKUA_VERDICT_OK;
}

static size_t authentic(const struct client *c, const uint8_t *token, size_t token_len,
                        uint8_t out[SKUA_RETRY_CAP])
{
    struct skua_writer w = skua_writer_of(out, SKUA_RETRY_CAP);
    skua_retry_write(&w, &c->head, &c->syn, token, token_len);
    return skua_writer_len(&w);
}

/* What the client sends next is its SYN with `token` in it. */
static void expect_back(struct client *c, const uint8_t *token, size_t token_len)
{
    uint8_t sent[SKUA_SYN_CAP];
    struct skua_head head;
    struct skua_syn syn;
    struct skua_writer w = skua_writer_of(sent, sizeof sent);
    skua_initiator_write_syn(&c->initiator, &w);
    size_t len = skua_writer_len(&w);
    SKUA_ASSERT(!w.failed && len == SKUA_SYN_LEN + token_len);
    SKUA_ASSERT(skua_header_peek(sent, len, 8, &head) == SKUA_VERDICT_OK);
    SKUA_ASSERT(skua_syn_read(sent, len, &head, &syn) == SKUA_VERDICT_OK);
    SKUA_ASSERT(syn.token_len == token_len && memcmp(syn.token, token, token_len) == 0);
    SKUA_ASSERT(syn.message_len == c->syn.message_len &&
                memcmp(syn.message, c->syn.message, syn.message_len) == 0);
}

static void take_retry(const uint8_t *data, size_t size, unsigned how)
{
    static const uint8_t token[SKUA_TOKEN_LEN] = {1, 2, 3};
    struct client c;
    uint8_t packet[SKUA_RETRY_CAP];
    client_init(&c);
    const struct skua_initiator before = c.initiator;
    if (how == 2) {
        bool taken = deliver(&c, data, size);
        SKUA_ASSERT(!taken && memcmp(&c.initiator, &before, sizeof before) == 0);
    } else if (how == 3) {
        size_t len = authentic(&c, token, sizeof token, packet);
        bool changed = false;
        for (size_t i = 0; i < size && i < len; i++) {
            packet[i] ^= data[i];
            changed = changed || data[i] != 0;
        }
        bool taken = deliver(&c, packet, len);
        SKUA_ASSERT(taken == !changed);
        SKUA_ASSERT(taken || memcmp(&c.initiator, &before, sizeof before) == 0);
    } else if (size > 0 && size <= SKUA_LIMIT_TOKEN_MAX) {
        bool taken = deliver(&c, packet, authentic(&c, data, size, packet));
        SKUA_ASSERT(taken);
        expect_back(&c, data, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    unsigned how = data[0] % 5;
    if (how < 2) {
        check_token(data + 1, size - 1, how == 1);
    } else {
        take_retry(data + 1, size - 1, how);
    }
    return 0;
}
