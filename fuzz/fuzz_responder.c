/* A server, a SYN and a third packet. Bits of the first input byte: pattern (0-1), the rest is the
 * SYN itself (7 = 0) or a change of the authentic one (7 = 1); with bit 6 the SYN is authentic and
 * the rest is the CONFIRM datagram behind it. No forged third packet may be accepted. */
#include "fuzz_handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum skua_verdict answer(const struct ends *e, const uint8_t *packet, size_t len,
                                struct skua_responder *server)
{
    struct skua_head head;
    struct skua_syn syn;
    uint8_t out[SKUA_SYN_ACK_CAP];
    enum skua_verdict v = skua_header_peek(packet, len, 8, &head);
    if (v != SKUA_VERDICT_OK || head.type != SKUA_PACKET_SYN) {
        return SKUA_VERDICT_MALFORMED;
    }
    v = skua_syn_read(packet, len, &head, &syn);
    if (v != SKUA_VERDICT_OK) {
        return v;
    }
    struct skua_writer w = skua_writer_of(out, sizeof out);
    v = skua_responder_on_syn(server, &e->server, &head, &syn, &e->server_id, &w);
    SKUA_ASSERT((v == SKUA_VERDICT_OK) == (skua_writer_len(&w) != 0));
    return v;
}

static void confirm(const struct ends *e, const struct skua_responder *server,
                    const uint8_t *packet, size_t len)
{
    struct skua_head head;
    struct skua_confirm c;
    struct skua_handshake_result result;
    if (skua_header_peek(packet, len, 8, &head) == SKUA_VERDICT_OK &&
        head.type == SKUA_PACKET_CONFIRM &&
        skua_confirm_read(packet, len, &head, &c) == SKUA_VERDICT_OK) {
        enum skua_verdict v = skua_responder_on_confirm(server, &e->server, &c, &result);
        SKUA_ASSERT(v == SKUA_VERDICT_CONFIRM_BAD);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    unsigned mode = data[0];
    unsigned pattern = mode % SKUA_PATTERNS;
    data++;
    size--;
    struct ends e;
    struct skua_initiator client;
    struct skua_responder server;
    ends_init(&e, pattern);
    if ((mode & 0xc0) == 0) {
        (void)answer(&e, data, size, &server);
        return 0;
    }
    bool made = skua_initiator_init(&client, &e.client);
    SKUA_ASSERT(made);
    if ((mode & 0x40) == 0) {
        for (size_t i = 0; i < size && i < SKUA_SYN_LEN; i++) {
            client.syn[i] ^= data[i];
        }
        (void)answer(&e, client.syn, SKUA_SYN_LEN, &server);
        return 0;
    }
    enum skua_verdict v = answer(&e, client.syn, SKUA_SYN_LEN, &server);
    SKUA_ASSERT(v == SKUA_VERDICT_OK);
    confirm(&e, &server, data, size);
    return 0;
}
