/* A client in SYN_SENT and one datagram. The first input byte chooses the pattern and whether the
 * rest is the datagram itself or a change (xor) of the authentic SYN_ACK. Only an unchanged SYN_ACK
 * may be accepted, and what is not accepted changes nothing but `seen`. */
#include "fuzz_handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t authentic(const struct ends *e, const struct skua_initiator *client, uint8_t *out)
{
    struct skua_head head;
    struct skua_syn syn;
    struct skua_responder server;
    enum skua_verdict v = skua_header_peek(client->syn, SKUA_SYN_LEN, 8, &head);
    SKUA_ASSERT(v == SKUA_VERDICT_OK);
    v = skua_syn_read(client->syn, SKUA_SYN_LEN, &head, &syn);
    SKUA_ASSERT(v == SKUA_VERDICT_OK);
    struct skua_writer w = skua_writer_of(out, SKUA_SYN_ACK_CAP);
    v = skua_responder_on_syn(&server, &e->server, &head, &syn, &e->server_id, &w);
    SKUA_ASSERT(v == SKUA_VERDICT_OK);
    return skua_writer_len(&w);
}

/* Hands the datagram to whatever takes its type; true where it was accepted as a SYN_ACK. */
static bool deliver(struct skua_initiator *client, const uint8_t *packet, size_t len)
{
    struct skua_head head;
    struct skua_syn_ack syn_ack;
    struct skua_refuse refuse;
    struct skua_versions versions;
    struct skua_handshake_result result;
    uint16_t code;
    if (skua_header_peek(packet, len, 8, &head) != SKUA_VERDICT_OK) {
        return false;
    }
    if (head.type == SKUA_PACKET_REFUSE &&
        skua_refuse_read(packet, len, &head, &refuse) == SKUA_VERDICT_OK) {
        (void)skua_initiator_on_refuse(client, packet, &head, &refuse, &code);
    }
    if (head.type == SKUA_PACKET_VERSIONS &&
        skua_versions_read(packet, len, &head, &versions) == SKUA_VERDICT_OK) {
        (void)skua_initiator_on_versions(client, &head, &versions);
    }
    if (head.type != SKUA_PACKET_SYN_ACK ||
        skua_syn_ack_read(packet, len, &head, &syn_ack) != SKUA_VERDICT_OK) {
        return false;
    }
    return skua_initiator_on_syn_ack(client, &head, &syn_ack, &result) == SKUA_VERDICT_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    unsigned pattern = data[0] % SKUA_PATTERNS;
    bool change = (data[0] & 0x80) != 0;
    data++;
    size--;
    struct ends e;
    struct skua_initiator client;
    ends_init(&e, pattern);
    bool made = skua_initiator_init(&client, &e.client);
    SKUA_ASSERT(made);
    const struct skua_initiator before = client;
    if (!change) {
        bool accepted = deliver(&client, data, size);
        SKUA_ASSERT(!accepted && memcmp(&client, &before, sizeof before) == 0);
        return 0;
    }
    uint8_t packet[SKUA_SYN_ACK_CAP];
    size_t len = authentic(&e, &client, packet);
    bool changed = false;
    for (size_t i = 0; i < size && i < len; i++) {
        packet[i] ^= data[i];
        changed = changed || data[i] != 0;
    }
    bool accepted = deliver(&client, packet, len);
    SKUA_ASSERT(accepted == !changed && client.done == accepted);
    return 0;
}
