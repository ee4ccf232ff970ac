/* A connection whose peer has the keys and does what it likes: the input's bytes become frames that
 * authenticate. Whatever they say, no assertion is tripped, invariants hold, memory is bounded and
 * comes back.
 *
 * The handshake is an honest one; then one endpoint falls silent, and packets are sealed with its
 * keys. The first byte says which end is attacked. Then, again and again: an operation and a
 * length, and so many bytes. */
#include "fuzz_attack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPERATIONS_MAX = 200, MEMORY_MAX = 8 << 20 };

static void deliver(struct attack *a, const uint8_t *bytes, size_t len)
{
    const struct skua_addr from = sim_addr(a->attacker->host, 0);
    attack_deliver(a, &from, 0, bytes, len);
}

/* `frames` as a packet of the attacker's; `leap` numbers are left out before it. */
static void forge(struct attack *a, const uint8_t *frames, size_t len, uint64_t leap)
{
    const struct skua_connection *c = attack_conn(a->attacker);
    uint8_t packet[ATTACK_PACKET_MAX];
    if (c != NULL && !c->close.over) {
        a->pn += leap;
        len = attack_seal(a, &c->ids.peer, frames, len, packet);
        if (len != 0) {
            deliver(a, packet, len);
        }
    }
}

/* What it does with the order and the end of what it writes; false: nothing. */
static bool arrange(struct attack *a, unsigned what, size_t amount)
{
    static const uint8_t zeros[70000];
    struct skua_endpoint *ep = a->victim->host->ep;
    skua_stream stream = a->victim->stream;
    size_t n;
    switch (what) {
    case 1:
        (void)skua_stream_finish_confirm(ep, stream);
        return true;
    case 2:
        (void)skua_stream_cork(ep, stream, amount % 2 == 0);
        return true;
    case 3:
        (void)skua_stream_write_flags(ep, stream, zeros, amount, SKUA_MORE, &n);
        return true;
    case 4:
        (void)skua_stream_set_priority(ep, stream, amount % 8, amount / 8 % 2 == 0);
        return true;
    default:
        return false;
    }
}

/* What the attacked application does of itself. */
static void act(struct attack *a, const uint8_t *bytes, size_t len)
{
    static const uint8_t zeros[70000];
    static uint8_t room[70000];
    struct side *v = a->victim;
    struct skua_endpoint *ep = v->host->ep;
    size_t n;
    uint64_t offset;
    skua_stream stream;
    uint8_t what = len > 0 ? bytes[0] : 0;
    size_t amount = len > 1 ? bytes[1] * (size_t)256 + (len > 2 ? bytes[2] : 0) : 1;
    switch (what % 18) {
    case 0:
        if (skua_stream_open(ep, v->conn, what / 18 % 4, &stream) == SKUA_OK) {
            v->stream = stream;
        }
        break;
    case 1:
        (void)skua_stream_write(ep, v->stream, zeros, amount, &n);
        break;
    case 2:
        (void)skua_stream_lend(ep, v->stream, zeros, amount);
        break;
    case 3:
        (void)skua_stream_finish(ep, v->stream);
        break;
    case 4:
        (void)skua_stream_reset(ep, v->stream, amount);
        break;
    case 5:
        (void)skua_stream_stop(ep, v->stream, amount);
        break;
    case 6:
        (void)skua_stream_close(ep, v->stream);
        break;
    case 7:
        v->drains = !v->drains;
        break;
    case 8:
        (void)skua_conn_shutdown(ep, v->conn);
        break;
    case 9:
        (void)skua_conn_close(ep, v->conn);
        break;
    case 10:
        (void)skua_conn_update_keys(ep, v->conn);
        break;
    case 11:
        (void)skua_conn_send_datagram(ep, v->conn, zeros, amount, amount * SKUA_USEC);
        break;
    case 12:
        while (skua_conn_drop_datagram(ep, v->conn) == SKUA_OK) {
        }
        break;
    case 13:
        (void)skua_stream_send_message(ep, v->stream, zeros, amount);
        break;
    case 14:
        (void)skua_stream_recv_message(ep, v->stream, room, amount, &n);
        break;
    case 15:
        (void)skua_stream_set_unordered(ep, v->stream);
        break;
    case 16:
        (void)skua_stream_read_piece(ep, v->stream, room, amount, &offset, &n);
        break;
    default:
        if (arrange(a, what / 18u, amount)) {
            break;
        }
        if (amount > 60000) {
            (void)skua_conn_abort(ep, v->conn, amount, "fuzzed");
        } else {
            (void)skua_conn_ping(ep, v->conn);
        }
        break;
    }
    side_kick(v);
}

/* What looks like a stateless RESET: `bytes`, and behind them the token of the attacker's id; a bit
 * of it is flipped where the first byte is odd. Only a client takes it. */
static void reset(struct attack *a, const uint8_t *bytes, size_t len)
{
    const struct skua_connection *c = attack_conn(a->attacker);
    uint8_t packet[1 + UINT8_MAX + SKUA_RESET_TOKEN_LEN] = {SKUA_FIRST_FIXED};
    if (c == NULL) {
        return;
    }
    if (len > 0) {
        memcpy(packet + 1, bytes, len);
    }
    const struct skua_id own = skua_ids_own(&c->ids);
    skua_reset_token(packet + 1 + len, &a->attacker->host->ep->env.reset_key, own.bytes, own.len);
    packet[1 + len] ^= len > 0 ? bytes[0] & 1u : 0;
    deliver(a, packet, 1 + len + SKUA_RESET_TOKEN_LEN);
}

/* The attacked process is killed and started again: all that follows is for nobody. */
static void restart(struct attack *a)
{
    sim_host_restart(a->victim->host);
    if (a->victim == &a->p.server) {
        SIM_CHECK(a->p.w, skua_endpoint_listen(a->victim->host->ep, NULL) == SKUA_OK);
    }
}

/* A datagram that needs no keys, or of an endpoint that has none any more. */
static void bare(struct attack *a, unsigned what, const uint8_t *bytes, size_t len)
{
    switch (what % 4) {
    case 2:
        reset(a, bytes, len);
        break;
    case 3:
        restart(a);
        break;
    default:
        deliver(a, bytes, len);
        break;
    }
}

static void operate(struct attack *a, uint8_t what, const uint8_t *bytes, size_t len)
{
    struct skua_connection *c = attack_conn(a->attacker);
    switch (what % 8) {
    case 0:
    case 1:
    case 2:
        forge(a, bytes, len, 0);
        break;
    case 3:
        forge(a, bytes, len, what / 8u * UINT64_C(97));
        break;
    case 4:
        act(a, bytes, len);
        break;
    case 5:
        bare(a, what / 8u, bytes, len);
        break;
    case 6:
        pair_run(&a->p, (len > 0 ? bytes[0] : 1) * MS(1) * (what > 200 ? 1000 : 1));
        break;
    default:
        if (c != NULL && !c->close.over && skua_keys_may_update(&c->keys)) {
            (void)skua_keys_update(&c->keys, c->env->cache);
        }
        break;
    }
    pair_run(&a->p, SKUA_USEC * 100);
    SIM_CHECK(a->p.w, a->victim->host->heap.used < MEMORY_MAX);
    sim_oracle_turn(a->victim->host, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attack a = {.pn = 0};
    if (size < 2) {
        return 0;
    }
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.max_recv_window = listen.conn.max_recv_window = 1 << 20;
    config.datagram_buffer = listen.conn.datagram_buffer = 10000;
    config.idle_timeout_ns = listen.conn.idle_timeout_ns = SKUA_NEVER;
    attack_begin(&a, (data[0] & 1) == 0, &listen, &config);
    size_t at = 1;
    for (int i = 0; i < OPERATIONS_MAX && at + 2 <= size; i++) {
        size_t len = data[at + 1];
        uint8_t what = data[at];
        at += 2;
        len = len < size - at ? len : size - at;
        operate(&a, what, data + at, len);
        at += len;
    }
    pair_run(&a.p, SEC(1));
    sim_world_free(a.p.w);
    return 0;
}
