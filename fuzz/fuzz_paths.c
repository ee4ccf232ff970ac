/* Addresses and connection ids under an authenticated attacker, who sends from eight places, under
 * any id, whatever frames of paths and ids it likes, sends copies of its packets from elsewhere and
 * packets late, and answers the victim's challenges rightly or wrongly. Whatever it does:
 *
 *   - a server sends along a path only when the newest packet that does more than ask came from
 *     there once, and a challenge of its own (a large one, where the address is another) was
 *     answered from there; and never more than three times what came from an address that has not
 *     answered (oracle), nor anything to a reflector
 *   - a client's packets go to the server's address
 *   - a copy of a packet that was taken changes nothing
 *   - ids are unique and found; what a peer can have kept is bounded
 *   - in the end nothing of all this is left but the path and its ids
 *
 * The first byte says which end is attacked. Then operations of four bytes: what, and three
 * arguments. Frames are gathered where bit 7 of the operation is set; with bit 6 their packet is
 * late. */
#include "fuzz_paths.h"

#include "base/addr.h"
#include "base/time.h"
#include "conn/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPERATIONS_MAX = 300, LEAST = 40, STREAM_MEMORY = 10000 };

/* --- what is sent */

/* The id that the packet goes to: one of the victim's that have been told, or (3) the first. */
static struct skua_id target(const struct walk *f, const struct skua_connection *c, unsigned which)
{
    const unsigned i = which % SKUA_IDS_OWN;
    const struct skua_connection *own = attack_conn(f->a.attacker);
    const bool told = c->ids.own_state[i] != SKUA_OWN_NONE && c->ids.own_state[i] != SKUA_OWN_DUE;
    return own != NULL && (which % 4 == 3 || !told) ? own->ids.peer
                                                    : skua_id_of(c->ids.own[i], SKUA_OWN_ID_LEN);
}

static uint64_t received(const struct walk *f)
{
    const struct skua_connection *c = paths_victim(f);
    return c != NULL ? c->count.packets_received : 0;
}

/* A packet leaves, from a place, for the victim's socket; one that is taken is kept. */
static void deliver(struct walk *f, const struct copy *copy, unsigned from, unsigned socket)
{
    const struct skua_addr addr = paths_place(f, from);
    uint64_t before = received(f);
    if (copy->pn > f->newest) {
        f->newest = copy->pn;
        f->spoken[from % PLACES] = f->spoken[from % PLACES] || copy->speaks;
    }
    f->answered[from % PLACES] =
        f->answered[from % PLACES] || (copy->right >> from % PLACES & 1) != 0;
    attack_deliver(&f->a, &addr, socket % SOCKETS, copy->bytes, copy->len);
    pair_run(&f->a.p, SKUA_USEC * 100);
    if (received(f) > before) {
        f->copies[f->copy_count++ % COPIES] = *copy;
    }
}

static void deliver_late(struct walk *f, unsigned from, unsigned socket)
{
    if (f->late.len != 0) {
        const struct copy copy = f->late;
        f->late.len = 0;
        deliver(f, &copy, from, socket);
    }
}

/* What has been gathered, from a place, with padding up to `size` bytes, or later. */
static void flush(struct walk *f, unsigned from, unsigned which, size_t size, bool late)
{
    const struct skua_connection *c = paths_victim(f);
    struct copy copy = {.pn = f->a.pn, .speaks = f->speaks, .right = f->right};
    f->speaks = false;
    f->right = 0;
    if (c == NULL || f->w.failed) {
        f->w = skua_writer_of(f->frames, sizeof f->frames);
        return;
    }
    size_t len = skua_writer_len(&f->w);
    size = size > LEAST ? size : LEAST;
    size = size < sizeof f->frames ? size : sizeof f->frames;
    if (len < size) {
        skua_writer_zero(&f->w, size - len);
    }
    const struct skua_id id = target(f, c, which);
    copy.len = attack_seal(&f->a, &id, f->frames, skua_writer_len(&f->w), copy.bytes);
    f->w = skua_writer_of(f->frames, sizeof f->frames);
    if (late) {
        f->late = copy;
    } else if (copy.len != 0) {
        deliver(f, &copy, from, which / 4);
    }
}

static void replay(struct walk *f, unsigned from, unsigned which, unsigned socket)
{
    const struct skua_connection *c = paths_victim(f);
    if (f->copy_count == 0 || c == NULL) {
        return;
    }
    const unsigned kept = f->copy_count < COPIES ? f->copy_count : COPIES;
    const struct copy *copy = &f->copies[(f->copy_count - 1 - which % kept) % COPIES];
    const struct skua_addr addr = paths_place(f, from);
    const struct skua_path path = c->path;
    uint64_t before = received(f);
    attack_deliver(&f->a, &addr, socket % SOCKETS, copy->bytes, copy->len);
    pair_run(&f->a.p, 0);
    c = paths_victim(f);
    SIM_CHECK(f->a.p.w, c == NULL || (c->count.packets_received == before &&
                                      skua_path_equal(&c->path, &path)));
}

/* Number `sequence` is always the same id, unless `lies`. */
static void put_new_id(struct walk *f, uint64_t sequence, uint64_t retire_prior, bool lies)
{
    uint8_t id[SKUA_OWN_ID_LEN] = {0xab}, token[SKUA_RESET_TOKEN_LEN] = {0xcd};
    id[1] = token[1] = (uint8_t)sequence;
    id[2] = token[2] = (uint8_t)(sequence >> 8);
    id[7] = lies;
    skua_writer_varint(&f->w, SKUA_FRAME_NEW_CONNECTION_ID); /* by hand: it may be wrong */
    skua_writer_varint(&f->w, sequence);
    skua_writer_varint(&f->w, retire_prior);
    skua_writer_u8(&f->w, sizeof id);
    skua_writer_copy(&f->w, id, sizeof id);
    skua_writer_copy(&f->w, token, sizeof token);
}

static void put_number(struct walk *f, enum skua_frame_type type, uint64_t number)
{
    struct skua_frame frame = {.type = (uint16_t)type};
    if (type == SKUA_FRAME_RETIRE_CONNECTION_ID) {
        frame.retire_id = number;
    } else {
        frame.path = number;
    }
    skua_frame_write(&f->w, &frame);
}

/* An answer to one of the victim's challenges, right or wrong. */
static void put_answer(struct walk *f, const struct skua_connection *c, unsigned which, bool right)
{
    const struct skua_migration *m = c->migration;
    if (m == NULL || !m->probing) {
        put_number(f, SKUA_FRAME_PATH_RESPONSE, which);
        return;
    }
    const struct skua_challenge *sent = &m->probe.sent[which % SKUA_PROBE_CHALLENGES];
    put_number(f, SKUA_FRAME_PATH_RESPONSE, right ? sent->data : sent->data ^ 1u << which % 32);
    for (unsigned i = 0; i < PLACES && right && sent->sent_at != SKUA_NEVER; i++) {
        const struct skua_addr addr = paths_place(f, i);
        if (skua_addr_equal(&addr, &m->probe.path.remote) && (sent->large || i < 3)) {
            f->right |= 1u << i;
        }
    }
}

static void put_ack(struct walk *f, unsigned which)
{
    const unsigned kept = f->number_count < NUMBERS ? f->number_count : NUMBERS;
    if (kept > 0) {
        skua_writer_u8(&f->w, 0x02);
        skua_writer_varint(&f->w, f->numbers[(f->number_count - 1 - which % kept) % NUMBERS]);
        skua_writer_zero(&f->w, 3); /* no delay, one range of one number */
    }
}

/* --- operations */

/* What the attacked application does. */
static void act(struct walk *f, unsigned what, unsigned amount)
{
    static const uint8_t zeros[8 * UINT8_MAX];
    struct side *v = f->a.victim;
    struct skua_endpoint *ep = v->host->ep;
    const struct skua_connection *c = paths_victim(f);
    struct skua_path path;
    size_t n;
    switch (what % 7) {
    case 0:
    case 1:
        if (c != NULL) {
            path = c->path;
            path.socket = amount % SOCKETS;
            path.local = sim_addr(v->host, path.socket);
            (void)skua_conn_migrate(ep, v->conn, &path);
        }
        break;
    case 2:
        if (skua_stream_open(ep, v->conn, SKUA_STREAM_UNI, &v->stream) == SKUA_OK) {
            f->memory += STREAM_MEMORY;
        }
        break;
    case 3:
        if (skua_stream_write(ep, v->stream, zeros, amount * 8, &n) == SKUA_OK) {
            f->memory += n;
        }
        break;
    case 4:
        (void)skua_conn_ping(ep, v->conn);
        break;
    case 5:
        if (amount > 200) {
            (void)skua_conn_shutdown(ep, v->conn);
        }
        break;
    default: /* an allocation fails */
        v->host->heap.fail_at = v->host->heap.requests + 1 + amount % 4;
        break;
    }
    side_kick(v);
}

/* A number near those that matter at present. */
static uint64_t near(uint64_t number, unsigned by)
{
    return number + by % 16 > 4 ? number + by % 16 - 4 : 0;
}

static void gather(struct walk *f, const struct skua_connection *c, const uint8_t op[4])
{
    uint64_t sequence = near(c->ids.peer_next, op[2]);
    switch (op[0] % 16) {
    case 0:
        skua_writer_u8(&f->w, 0x01);
        f->speaks = true;
        break;
    case 1:
    case 2:
        put_new_id(f, sequence, op[3] > 240 ? sequence + 1 : near(sequence, op[3] % 5),
                   op[3] == 240);
        break;
    case 3:
        put_number(f, SKUA_FRAME_RETIRE_CONNECTION_ID,
                   op[3] > 240 ? op[2] : c->ids.own_sequence[op[2] % SKUA_IDS_OWN]);
        f->speaks = true;
        break;
    case 4:
        put_number(f, SKUA_FRAME_PATH_CHALLENGE, op[2]);
        break;
    case 5:
    case 6:
        put_answer(f, c, op[2], op[3] < 200);
        break;
    default:
        put_ack(f, op[2]);
        f->speaks = true;
        break;
    }
}

static void operate(struct walk *f, const uint8_t op[4])
{
    const struct skua_connection *c = paths_victim(f);
    switch (op[0] % 16) {
    case 11:
        deliver_late(f, op[1], op[2]);
        break;
    case 12:
    case 13:
        replay(f, op[1], op[2], op[3]);
        break;
    case 14:
        act(f, op[1], op[2]);
        break;
    case 15:
        pair_run(&f->a.p, (1 + op[1]) * SKUA_MSEC * (op[2] > 200 ? 50 : 1));
        break;
    default:
        if (c != NULL) {
            gather(f, c, op);
            if ((op[0] & 0x80) == 0) {
                flush(f, op[1], op[1] / PLACES, (size_t)op[3] * 6, (op[0] & 0x40) != 0);
            }
        }
        break;
    }
    pair_run(&f->a.p, SKUA_USEC * 100);
    paths_check(f);
}

/* Nothing comes any more: what is tried ends in its time, which follows an RTT that the attacker
 * makes, and all that belonged to it goes. */
static void settle(struct walk *f)
{
    f->a.victim->host->heap.fail_at = 0;
    for (int i = 0; i < 2; i++) {
        const struct skua_connection *c = paths_victim(f);
        const struct skua_migration *m = c != NULL ? c->migration : NULL;
        skua_time end = m != NULL && m->probing ? m->probe.end_at : 0;
        pair_run(&f->a.p, skua_time_sub(end, f->a.p.w->now) + SEC(1));
        paths_check(f);
    }
    const struct skua_connection *c = paths_victim(f);
    SIM_CHECK(f->a.p.w, c == NULL || c->migration == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct walk f; /* large; begins anew each time */
    if (size < 5) {
        return 0;
    }
    memset(&f, 0, sizeof f);
    f.w = skua_writer_of(f.frames, sizeof f.frames);
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.idle_timeout_ns = listen.conn.idle_timeout_ns = SKUA_NEVER;
    config.user_timeout_ns = listen.conn.user_timeout_ns = SKUA_NEVER;
    attack_begin(&f.a, (data[0] & 1) == 0, &listen, &config);
    f.answered[0] = f.spoken[0] = true;
    f.memory = f.a.victim->host->heap.used;
    paths_watch(&f);
    for (size_t at = 1, i = 0; i < OPERATIONS_MAX && at + 4 <= size; i++, at += 4) {
        operate(&f, data + at);
    }
    settle(&f);
    sim_world_free(f.a.p.w);
    return 0;
}
