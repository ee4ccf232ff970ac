/* The target of early data: whoever sends copies of what the client sent, a hostile client and a
 * hostile server. */
#include "base/rng.h"
#include "fuzz_early.h"

/* The client's own address, or one that nobody answers at. */
static struct skua_addr place(const struct run *f, unsigned number)
{
    struct skua_addr addr = sim_addr(f->p.client.host, 0);
    if (number % 4 != 0) {
        addr.ip[0] = 192;
        addr.ip[3] = (uint8_t)(number % 16);
    }
    return addr;
}

static const struct copy *copy_of(const struct run *f, unsigned which)
{
    const unsigned kept = f->copy_count < COPIES ? f->copy_count : COPIES;
    return kept == 0 ? NULL : &f->copies[(f->copy_count - 1 - which % kept) % COPIES];
}

static void to_server(struct run *f, const struct skua_addr *from, const uint8_t *bytes, size_t len)
{
    const struct skua_addr to = sim_addr(f->p.server.host, 0);
    sim_inject(f->p.server.host, from, &to, bytes, len, f->p.w->now);
}

void early_replay(struct run *f, const uint8_t args[2])
{
    const struct copy *copy = copy_of(f, args[0]);
    const struct skua_addr from = place(f, args[1]);
    if (copy != NULL) {
        to_server(f, &from, copy->bytes, copy->len);
    }
}

void early_forge_syn(struct run *f, const uint8_t args[4], const uint8_t *frames, size_t len)
{
    struct skua_token token = {.len = SKUA_EARLY_TOKEN_LEN};
    struct skua_initiator initiator;
    struct skua_params params;
    uint8_t syn[SKUA_SYN_CAP];
    (void)early_choose_token(f, args, &token);
    skua_params_init(&params);
    params.early_data = true;
    params.transport.initial_max_streams_bidi = args[3];
    const struct skua_early_data early = {
        .token = token.bytes, .token_len = token.len, .frames = frames, .frames_len = len};
    struct skua_initiator_config config = {.local = &f->p.client.host->ep->env.identity,
                                           .server_key = &f->server_key,
                                           .params = &params,
                                           .rng = &f->ends.rng,
                                           .suites = SKUA_SUITE_CHACHA20_POLY1305,
                                           .ik = true,
                                           .early = &early};
    config.dcid.len = config.scid.len = 8;
    skua_rng_fill(&f->ends.rng, config.dcid.bytes, 8);
    skua_rng_fill(&f->ends.rng, config.scid.bytes, 8);
    if (token.len + len <= SKUA_EARLY_ROOM && skua_initiator_init(&initiator, &config)) {
        struct skua_writer w = skua_writer_of(syn, sizeof syn);
        const struct skua_addr from = place(f, args[3]);
        skua_initiator_write_syn(&initiator, &w);
        to_server(f, &from, syn, skua_writer_len(&w));
        skua_initiator_wipe(&initiator);
    }
}

static enum skua_early_fate say(void *user, const struct skua_key *client,
                                const struct skua_early_data *early)
{
    (void)client;
    (void)early;
    return *(const uint8_t *)user % 2 == 0 ? SKUA_EARLY_TAKEN : SKUA_EARLY_REJECTED;
}

void early_forge_syn_ack(struct run *f, const uint8_t args[4])
{
    const struct copy *copy = copy_of(f, args[0]);
    struct skua_head head;
    struct skua_syn syn;
    if (copy == NULL ||
        skua_header_peek(copy->bytes, copy->len, SKUA_OWN_ID_LEN, &head) != SKUA_VERDICT_OK ||
        head.type != SKUA_PACKET_SYN ||
        skua_syn_read(copy->bytes, copy->len, &head, &syn) != SKUA_VERDICT_OK) {
        return;
    }
    struct skua_params params;
    skua_params_init(&params);
    params.transport.initial_max_data = args[2] * UINT64_C(32);
    params.transport.initial_max_stream_data_uni = args[3] * UINT64_C(32);
    params.transport.initial_max_stream_data_bidi_remote = args[3] * UINT64_C(32);
    params.transport.initial_max_streams_bidi = args[1] / 2 % 4;
    params.transport.initial_max_streams_uni = args[1] / 8 % 4;
    const struct skua_early_judge judge = {say, (uint8_t[]){args[1]}};
    const struct skua_responder_config config = {.local = &f->p.server.host->ep->env.identity,
                                                 .params = &params.transport,
                                                 .rng = &f->ends.rng,
                                                 .suites = SKUA_SUITE_CHACHA20_POLY1305,
                                                 .early = &judge};
    struct skua_id id = {.len = 8};
    skua_rng_fill(&f->ends.rng, id.bytes, id.len);
    struct skua_responder responder;
    uint8_t packet[SKUA_SYN_ACK_CAP];
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    if (skua_responder_on_syn(&responder, &config, &head, &syn, &id, &w) == SKUA_VERDICT_OK) {
        const struct skua_addr from = sim_addr(f->p.server.host, 0);
        const struct skua_addr to = sim_addr(f->p.client.host, args[1] / 32 % 2);
        sim_inject(f->p.client.host, &from, &to, packet, skua_writer_len(&w), f->p.w->now);
    }
}
