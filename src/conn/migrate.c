/* Addresses in motion (RFC 9000 §9; docs/protocol.md, "Paths"): the server follows a client whose
 * address changes, by itself; the client moves when it is told to.
 *
 * Server. A packet from a new address, with the largest number so far and something else in it than
 * questions about paths, says that the client has moved; anybody may have copied it, though. So the
 * new address is asked by PATH_CHALLENGE, everything else stays on the old path until the answer
 * has come from the new one, and where the client goes on speaking from the old one, the new one is
 * forgotten (an attacker who copies packets gets three times what he sent, and nothing changes).
 *
 * Client. skua_conn_migrate tries the new path first and moves when it has answered; where the
 * present one is dead, it moves at once. The server's address never changes: what comes from
 * another one is dropped (rx.c).
 *
 * After a move, what was sent along the old path says nothing about the new one. A change of the
 * port only is taken for a NAT that has forgotten: window, RTT and path MTU stay. Another address
 * may be another network: they start anew. So they do where ports change all the time: a receiver
 * could hide its losses behind each change, and have a window that none of them makes smaller.
 *
 * The object exists from the first sign of all this until it has settled. Of everything there is
 * the newest only: one path that is tried, one PATH_CHALLENGE that is to be answered. */
#include "conn/internal.h"

#include <string.h>

#include "base/limits.h"
#include "base/rng.h"
#include "base/time.h"
#include "cc/newreno.h"

/* Another path is tried at most this often. */
#define INTERVAL_NS (100 * SKUA_MSEC)

/* Where a datagram cannot be made (no memory) this is how long the next attempt waits. */
#define RETRY_NS (10 * SKUA_MSEC)

/* Round trips between two changes of the port that are each taken for a NAT's. */
enum { SETTLED_RTTS = 8 };

/* So many PTOs in a row show that the present path is dead. */
enum { DEAD_PTOS = 2 };

static bool same_ip(const struct skua_addr *a, const struct skua_addr *b)
{
    return a->family == b->family && a->scope == b->scope &&
           memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

/* Do two paths differ in ports at most? Sockets that do not say where they are may be anywhere. */
static bool same_host(const struct skua_path *a, const struct skua_path *b)
{
    bool known = a->local.family != SKUA_FAMILY_NONE || a->socket == b->socket;
    return known && same_ip(&a->local, &b->local) && same_ip(&a->remote, &b->remote);
}

/* Ports whose services answer whatever they are sent, often with more: a forged source address with
 * one of them would make us their client (RFC 9000 §21.5.6). */
static bool is_reflector(uint16_t port)
{
    static const uint16_t ports[] = {0,   7,   13,  17,  19,  37,   53,   69,   111,
                                     123, 137, 161, 389, 520, 1900, 3702, 5353, 11211};
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        if (ports[i] == port) {
            return true;
        }
    }
    return false;
}

/* The frames that say nothing about where their sender is (RFC 9000 §9.1). */
static bool asks_only(const uint8_t *frames, size_t len)
{
    struct skua_reader r = skua_reader_of(frames, len);
    while (skua_reader_left(&r) > 0) {
        struct skua_frame f;
        if (skua_frame_read(&r, &f) != SKUA_CODE_NO_ERROR ||
            (f.type != SKUA_FRAME_PADDING && f.type != SKUA_FRAME_NEW_CONNECTION_ID &&
             f.type != SKUA_FRAME_PATH_CHALLENGE && f.type != SKUA_FRAME_PATH_RESPONSE)) {
            return false;
        }
    }
    return true;
}

static void trace_path(const struct skua_connection *c, unsigned what, const struct skua_path *path,
                       skua_time now)
{
    uint64_t address = 0;
    for (size_t i = 0; i < (path->remote.family == SKUA_FAMILY_IPV4 ? 4 : 8); i++) {
        address = address << 8 | path->remote.ip[i];
    }
    skua_conn_trace(c, SKUA_TRACE_PATH,
                    SKUA_TRACE_ARGS(what, path->socket, address, path->remote.port), now);
}

/* --- the object */

static struct skua_migration *need(struct skua_connection *c)
{
    if (c->migration == NULL) {
        c->migration = skua_heap_get(&c->env->heap, sizeof *c->migration);
    }
    return c->migration;
}

void skua_migrate_free(struct skua_connection *c)
{
    c->events &= ~(1u << SKUA_EVENT_PATH);
    skua_heap_put(&c->env->heap, c->migration, sizeof *c->migration);
    c->migration = NULL;
}

void skua_migrate_settle(struct skua_connection *c, skua_time now)
{
    const struct skua_migration *m = c->migration;
    if (m != NULL && !m->probing && m->answer_len == 0 && m->quiet_until <= now &&
        (c->events & 1u << SKUA_EVENT_PATH) == 0) {
        skua_migrate_free(c);
    }
}

/* --- one path is tried, and moved to or given up */

/* May the peer be called by another id? Where it may be in TIME_WAIT it listens to one only: the
 * one that we used last. */
static bool may_change_id(const struct skua_connection *c)
{
    return c->state != SKUA_STATE_LAST_ACK && c->state != SKUA_STATE_CLOSING;
}

/* Giving an id up may meet its limits. */
static void check(struct skua_connection *c, enum skua_code code, skua_time now)
{
    if (code != SKUA_CODE_NO_ERROR) {
        skua_close_fail(c, code, SKUA_FRAME_RETIRE_CONNECTION_ID, "", now);
    }
}

static void give_up(struct skua_connection *c, bool failed, skua_time now)
{
    struct skua_migration *m = c->migration;
    m->probing = false;
    trace_path(c, 3, &m->probe.path, now);
    check(c, skua_ids_drop_taken(&c->ids, &c->env->heap), now);
    c->count.path_failures += failed;
    if (failed && !c->is_server && !c->close.ended) {
        m->before = m->probe.path;
        m->error = SKUA_EUNREACHABLE;
        c->events |= 1u << SKUA_EVENT_PATH;
    }
    skua_conn_mark(c, SKUA_MARK_SEND | SKUA_MARK_DEADLINE | SKUA_MARK_EVENT);
}

/* Another network, as far as we know: nothing is known of it but, perhaps, one round trip. */
static void restart(struct skua_connection *c, skua_time rtt, skua_time now)
{
    skua_pmtud_init(&c->pmtud, c->env->max_udp_payload);
    skua_pmtud_start(&c->pmtud, c->peer_max_udp_payload);
    skua_streams_set_packet_room(&c->streams, (uint32_t)skua_tx_room(c));
    skua_recovery_set_full(&c->recovery, c->pmtud.mtu);
    skua_cc_init(&c->cc, c->cc.ops, c->pmtud.mtu, now);
    skua_pacer_init(&c->pacer, c->pmtud.mtu, now);
    if (rtt != SKUA_NEVER) {
        skua_conn_first_rtt(c, rtt);
    }
}

/* Has the present path been in use long enough for its losses to count? */
static bool is_settled(const struct skua_connection *c, skua_time now)
{
    return c->moved_at == 0 ||
           skua_time_sub(now, c->moved_at) >= skua_time_mul(c->recovery.rtt.smoothed, SETTLED_RTTS);
}

/* Packets leave along the probed path from now on. `rtt` is SKUA_NEVER where it is not known. */
static void move(struct skua_connection *c, skua_time rtt, skua_time now)
{
    struct skua_migration *m = c->migration;
    bool same = same_host(&c->path, &m->probe.path) && is_settled(c, now);
    uint32_t number = c->ids.peer_sequence;
    m->probing = false;
    m->before = c->path;
    m->error = SKUA_OK;
    c->path = m->probe.path;
    c->moved_at = now;
    c->events |= 1u << SKUA_EVENT_PATH;
    c->count.path_changes++;
    trace_path(c, 2, &c->path, now);
    check(c,
          may_change_id(c) ? skua_ids_adopt(&c->ids, &c->env->heap)
                           : skua_ids_drop_taken(&c->ids, &c->env->heap),
          now);
    if (c->close.ended) {
        return;
    }
    if (c->ids.peer_sequence != number) {
        skua_conn_mark(c, SKUA_MARK_TOKEN);
    }
    skua_recovery_on_path(&c->recovery, !same);
    skua_ecn_on_path(&c->ecn, now);
    if (same) {
        skua_pmtud_on_path(&c->pmtud);
    } else {
        restart(c, rtt, now);
    }
    c->life.hint_at = SKUA_NEVER;
    skua_fate_on_path(c, now);
    skua_conn_mark(c, SKUA_MARK_SEND | SKUA_MARK_DEADLINE | SKUA_MARK_EVENT);
}

/* The application must hear of it: it knows the path before. */
static bool is_news(const struct skua_connection *c)
{
    return c->told && !c->close.ended;
}

bool skua_connection_may_move(struct skua_connection *c)
{
    return !is_news(c) || need(c) != NULL;
}

void skua_connection_shown_at(struct skua_connection *c, const struct skua_path *path,
                              skua_time now)
{
    if (is_news(c)) {
        struct skua_migration *m = c->migration;
        m->before = c->path;
        m->error = SKUA_OK;
        c->events |= 1u << SKUA_EVENT_PATH;
    }
    c->path = *path;
    c->count.path_changes++;
    trace_path(c, 2, path, now);
    if (!c->close.ended) {
        c->life.hint_at = SKUA_NEVER;
        skua_recovery_on_path(&c->recovery, true);
        skua_ecn_on_path(&c->ecn, now);
        skua_fate_on_path(c, now);
    }
    skua_conn_mark(c, SKUA_MARK_SEND | SKUA_MARK_DEADLINE | SKUA_MARK_EVENT);
}

/* Begins to try `path`. */
static void start(struct skua_connection *c, const struct skua_path *path, bool wanted,
                  skua_time now)
{
    struct skua_migration *m = c->migration;
    m->probing = true;
    m->wanted = wanted;
    m->works = false;
    m->quiet_until = skua_time_add(now, INTERVAL_NS);
    skua_probe_start(&m->probe, path, c->is_server,
                     skua_rtt_pto(&c->recovery.rtt, c->recovery.max_ack_delay_ns), now);
    trace_path(c, 0, path, now);
    skua_conn_mark(c, SKUA_MARK_SEND | SKUA_MARK_DEADLINE);
}

/* --- what arrives */

/* The client seems to have moved to where `a` came from, or (not `wanted`) asks from there. */
static void follow(struct skua_connection *c, const struct skua_arrival *a, bool wanted,
                   skua_time now)
{
    struct skua_migration *m = need(c);
    if (m == NULL || m->quiet_until > now || is_reflector(a->path->remote.port)) {
        return;
    }
    if (m->probing) {
        give_up(c, false, now);
    }
    start(c, a->path, wanted, now);
    skua_probe_on_received(&m->probe, a->len);
    /* RFC 9000 §9.5: a client that shows a new id gets a new one. One that does not, does not know
     * that it moved: whoever sees its packets can connect them anyway, and an attacker who copies
     * them must not use our spares up. */
    if (skua_ids_is_other(&c->ids, a->head->dcid) && may_change_id(c)) {
        (void)skua_ids_take(&c->ids);
    }
    /* RFC 9000 §9.3.3: one who never left will answer on the old path. */
    c->tx.ping = c->tx.ping || wanted;
}

static void on_server(struct skua_connection *c, const struct skua_arrival *a, bool moved,
                      skua_time now)
{
    struct skua_migration *m = c->migration;
    if (m == NULL || !m->probing || !skua_path_equal(a->path, &m->probe.path)) {
        bool busy = m != NULL && m->probing;
        if (moved || !busy) {
            follow(c, a, moved, now);
        }
        return;
    }
    skua_probe_on_received(&m->probe, a->len);
    if (moved && m->works) {
        move(c, m->rtt, now);
    } else if (moved && !m->wanted) {
        m->wanted = true;
        c->tx.ping = true;
    }
}

void skua_migrate_on_packet(struct skua_connection *c, const struct skua_arrival *a,
                            const struct skua_opening *p, bool largest, skua_time now)
{
    struct skua_migration *m = c->migration;
    bool moved = largest && !asks_only(p->frames, p->frames_len);
    if (moved && a->elsewhere) {
        skua_ids_on_used(&c->ids, a->head->dcid, false);
    }
    if (!c->is_server || c->close.ended) {
        return;
    }
    if (!skua_path_equal(a->path, &c->path)) {
        on_server(c, a, moved, now);
    } else if (moved && m != NULL && m->probing && m->wanted) {
        give_up(c, false, now); /* it is where it was */
    }
}

void skua_migrate_on_challenge(struct skua_connection *c, uint64_t data,
                               const struct skua_arrival *a)
{
    struct skua_migration *m = need(c);
    if (m != NULL) { /* else the peer will ask again */
        m->answer = data;
        m->answer_to = *a->path;
        m->answer_len = (uint32_t)a->len;
        skua_conn_mark(c, SKUA_MARK_SEND);
    }
}

void skua_migrate_on_response(struct skua_connection *c, uint64_t data,
                              const struct skua_arrival *a, skua_time now)
{
    struct skua_migration *m = c->migration;
    skua_time rtt;
    if (m == NULL || !m->probing || !skua_path_equal(a->path, &m->probe.path)) {
        return;
    }
    bool proven = m->probe.proven;
    enum skua_probe_result result = skua_probe_on_response(&m->probe, data, &rtt, now);
    if (!proven && m->probe.proven) {
        trace_path(c, 1, &m->probe.path, now);
    }
    /* The path behind another port is the same, and takes the same datagrams. */
    if (result == SKUA_PROBE_DONE ||
        (result == SKUA_PROBE_SMALL && same_host(&c->path, &m->probe.path))) {
        m->works = true;
        m->rtt = rtt;
    }
    if (m->works && m->wanted) {
        move(c, rtt, now);
    }
    skua_conn_mark(c, SKUA_MARK_SEND | SKUA_MARK_DEADLINE);
}

/* --- what leaves */

/* A datagram of `size` bytes along `path`, with an answer or a challenge or both. */
static bool send(struct skua_connection *c, struct skua_tx *tx, const struct skua_path *path,
                 const struct skua_frame *frames, size_t count, skua_time now)
{
    struct skua_migration *m = c->migration;
    bool probed = m->probing && skua_path_equal(path, &m->probe.path);
    struct skua_fill fill;
    if (!skua_tx_begin_to(c, &fill, tx->data, tx->len,
                          probed ? skua_ids_other(&c->ids) : &c->ids.peer)) {
        return false;
    }
    bool challenges = false;
    for (size_t i = 0; i < count; i++) {
        skua_frame_write(&fill.w, &frames[i]);
        challenges = challenges || frames[i].type == SKUA_FRAME_PATH_CHALLENGE;
    }
    skua_writer_zero(&fill.w, skua_writer_left(&fill.w));
    size_t len = skua_tx_seal(c, &fill, tx->data, SKUA_SENT_OTHER_PATH, now);
    if (len == 0) {
        return false;
    }
    tx->path = *path;
    tx->len = len;
    tx->segment_size = len;
    if (probed) {
        skua_probe_on_sent(&m->probe, (uint32_t)len, challenges, frames[count - 1].path, now);
    }
    c->count.path_challenges += challenges;
    return true;
}

static struct skua_frame challenge(struct skua_connection *c)
{
    struct skua_frame f = {.type = SKUA_FRAME_PATH_CHALLENGE};
    skua_rng_fill(&c->env->rng, &f.path, sizeof f.path);
    return f;
}

/* PATH_RESPONSE, as large as the question: so nobody gets more than he sent. Where the path that it
 * came along is itself to be asked, both go together. */
static bool send_answer(struct skua_connection *c, struct skua_tx *tx, skua_time now)
{
    struct skua_migration *m = c->migration;
    struct skua_frame frames[2] = {{.type = SKUA_FRAME_PATH_RESPONSE}};
    frames[0].path = m->answer;
    uint32_t size = m->answer_len < SKUA_LIMIT_UDP_MIN ? m->answer_len : SKUA_LIMIT_UDP_MIN;
    size = size > SKUA_ELICITING_MIN ? size : SKUA_ELICITING_MIN;
    m->answer_len = 0;
    size_t count = 1;
    if (m->probing && skua_path_equal(&m->answer_to, &m->probe.path)) {
        if (skua_probe_room(&m->probe) < size) {
            return false;
        }
        if (!m->works && skua_probe_size(&m->probe, SKUA_ELICITING_MIN, now) != 0) {
            frames[count++] = challenge(c);
        }
    }
    tx->len = size;
    return send(c, tx, &m->answer_to, frames, count, now);
}

static bool send_challenge(struct skua_connection *c, struct skua_tx *tx, skua_time now)
{
    struct skua_migration *m = c->migration;
    tx->len = m->probing && !m->works ? skua_probe_size(&m->probe, SKUA_ELICITING_MIN, now) : 0;
    if (tx->len == 0) {
        return false;
    }
    const struct skua_frame frame = challenge(c);
    if (!send(c, tx, &m->probe.path, &frame, 1, now)) {
        m->probe.next_at = skua_time_add(now, RETRY_NS);
        return false;
    }
    return true;
}

bool skua_migrate_send(struct skua_connection *c, struct skua_tx *tx, skua_time now)
{
    bool sent =
        (c->migration->answer_len != 0 && send_answer(c, tx, now)) || send_challenge(c, tx, now);
    if (!sent) {
        tx->len = 0;
    }
    skua_migrate_settle(c, now);
    return sent;
}

/* --- time */

skua_time skua_migrate_deadline(const struct skua_connection *c)
{
    const struct skua_migration *m = c->migration;
    if (m->answer_len != 0) {
        return SKUA_NEVER; /* the next send takes it */
    }
    if (!m->probing) {
        return (c->events & 1u << SKUA_EVENT_PATH) == 0 ? m->quiet_until : SKUA_NEVER;
    }
    return m->works ? m->probe.end_at : skua_probe_deadline(&m->probe, SKUA_ELICITING_MIN);
}

void skua_migrate_on_timeout(struct skua_connection *c, skua_time now)
{
    struct skua_migration *m = c->migration;
    if (m->probing && m->probe.end_at <= now) {
        give_up(c, !m->works, now);
    }
    skua_migrate_settle(c, now);
}

void skua_connection_path_refused(struct skua_connection *c, const struct skua_path *path,
                                  skua_time now)
{
    struct skua_migration *m = c->migration;
    if (m != NULL && m->probing && skua_path_equal(path, &m->probe.path)) {
        give_up(c, true, now);
    }
}

/* --- the application */

enum skua_err skua_connection_migrate(struct skua_connection *c, const struct skua_path *path)
{
    skua_time now = c->env->now;
    if (c->close.ended) {
        return SKUA_ECLOSED;
    }
    if (c->is_server || !c->confirmed) {
        return SKUA_ESTATE;
    }
    if (!skua_addr_equal(&path->remote, &c->path.remote)) {
        return SKUA_EINVAL;
    }
    if (skua_path_equal(path, &c->path) && skua_addr_equal(&path->local, &c->path.local)) {
        return SKUA_OK;
    }
    struct skua_migration *m = need(c);
    if (m == NULL) {
        return SKUA_ENOMEM;
    }
    bool dead = c->life.hint_at != SKUA_NEVER || c->recovery.pto_count >= DEAD_PTOS;
    if (m->probing && skua_path_equal(path, &m->probe.path)) {
        if (dead) {
            move(c, SKUA_NEVER, now);
        }
        return SKUA_OK; /* whoever asks again and again must not use the spare ids up */
    }
    if (m->probing) {
        give_up(c, false, now);
    }
    bool fresh = !may_change_id(c) || skua_ids_take(&c->ids);
    if (!dead && !fresh) {
        skua_migrate_settle(c, now);
        return SKUA_EAGAIN;
    }
    start(c, path, true, now);
    if (dead) {
        move(c, SKUA_NEVER, now);
    }
    return SKUA_OK;
}
