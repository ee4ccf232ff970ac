/* Which table a datagram belongs to.
 *
 * By type first, then by the receiver's id: a connection, a half-open entry (the third packet), a
 * record of TIME_WAIT, in this order; what is left may be a stateless RESET, or ask for one. The
 * connection of the last datagram is remembered, since the packets of a GRO batch share it. */
#include "endpoint/endpoint.h"

#include <string.h>

#include "base/rng.h"
#include "handshake/refuse.h"

/* QUIC-LB's layout: config and length bits, server, worker; one server with one worker is 0, 0. */
static const uint8_t own_layout[] = {SKUA_OWN_ID_LEN - 1, 0, 0};

bool skua_demux_is_own(const uint8_t *id)
{
    return memcmp(id, own_layout, sizeof own_layout) == 0;
}

/* An own id as a number: what own ids are found by. They are ours to choose, and random. */
static uint64_t number_of(const uint8_t id[SKUA_OWN_ID_LEN])
{
    uint64_t number;
    SKUA_STATIC_ASSERT(sizeof number == SKUA_OWN_ID_LEN, "an own id is a number");
    memcpy(&number, id, sizeof number);
    return number;
}

struct skua_connection *skua_demux_owner(const struct skua_endpoint *ep, const struct skua_id *id)
{
    return skua_nummap_get(&ep->by_id, number_of(id->bytes));
}

enum skua_err skua_demux_add_id(struct skua_endpoint *ep, const struct skua_id *id,
                                struct skua_connection *c)
{
    SKUA_ASSERT(id->len == SKUA_OWN_ID_LEN);
    return skua_nummap_put(&ep->by_id, number_of(id->bytes), c);
}

void skua_demux_remove_id(struct skua_endpoint *ep, const struct skua_id *id)
{
    uint64_t number = number_of(id->bytes);
    (void)skua_nummap_remove(&ep->by_id, number);
    if (ep->last_id == number) {
        ep->last = NULL;
    }
}

struct skua_id skua_demux_new_id(struct skua_endpoint *ep, bool server)
{
    struct skua_id id = {.len = SKUA_OWN_ID_LEN};
    do {
        skua_rng_fill(&ep->env.rng, id.bytes, id.len);
        if (server) {
            memcpy(id.bytes, own_layout, sizeof own_layout);
        }
    } while (skua_demux_owner(ep, &id) != NULL ||
             skua_syn_queue_find(&ep->syns, id.bytes, id.len) != NULL ||
             skua_time_wait_has(&ep->time_wait, &id));
    return id;
}

static struct skua_connection *find(struct skua_endpoint *ep, const struct skua_head *head)
{
    if (head->dcid_len != SKUA_OWN_ID_LEN) {
        return NULL;
    }
    uint64_t number = number_of(head->dcid);
    if (ep->last != NULL && ep->last_id == number) {
        return ep->last;
    }
    struct skua_connection *c = skua_nummap_get(&ep->by_id, number);
    if (c != NULL) {
        ep->last = c;
        ep->last_id = number;
    }
    return c;
}

/* RFC 9000 §6: an unknown version is answered, where the datagram is large enough to be a first
 * one. */
static enum skua_verdict answer_version(struct skua_endpoint *ep, const struct skua_arrival *a,
                                        skua_time now)
{
    if (a->len < SKUA_LIMIT_UDP_MIN || a->head->version == 0) {
        return SKUA_VERDICT_VERSION;
    }
    if (!skua_admission_may_answer(&ep->admission, SKUA_ANSWER_REFUSAL, now)) {
        return SKUA_VERDICT_ANSWER_RATE;
    }
    struct skua_answer *answer = skua_answers_add(&ep->answers, a->path);
    struct skua_writer w = skua_writer_of(answer->bytes, sizeof answer->bytes);
    skua_versions_write(&w, a->head);
    answer->len = w.failed ? 0 : (uint8_t)skua_writer_len(&w);
    return SKUA_VERDICT_VERSION;
}

/* Did a datagram for `c` come along another path than its own? Once for all datagrams of a receive
 * buffer (skua_endpoint_recv forgets the last). */
static bool is_elsewhere(struct skua_endpoint *ep, const struct skua_connection *c,
                         const struct skua_path *path)
{
    if (ep->compared != c) {
        ep->compared = c;
        ep->elsewhere = !skua_path_equal(path, &c->path);
    }
    return ep->elsewhere;
}

static enum skua_verdict by_id(struct skua_endpoint *ep, struct skua_arrival *a, skua_time now)
{
    struct skua_connection *c = find(ep, a->head);
    if (c != NULL) {
        a->elsewhere = is_elsewhere(ep, c, a->path);
        return skua_connection_recv(c, a, now);
    }
    if (a->head->type == SKUA_PACKET_CONFIRM || a->head->type == SKUA_PACKET_DATA) {
        enum skua_verdict verdict = skua_listener_third(ep, a, now);
        if (verdict != SKUA_VERDICT_UNKNOWN_ID) {
            return verdict;
        }
    }
    if (a->head->type == SKUA_PACKET_REFUSE) {
        return skua_listener_cancel(ep, a, now);
    }
    const struct skua_question question = {
        .id = a->head->dcid, .id_len = a->head->dcid_len, .len = a->len, .path = a->path};
    bool known = skua_time_wait_recv(&ep->time_wait, &question, &ep->answers, now);
    return known ? SKUA_VERDICT_TIME_WAIT : skua_reset_recv(ep, a, now);
}

enum skua_verdict skua_demux_recv(struct skua_endpoint *ep, const struct skua_rx *rx, uint8_t *data,
                                  size_t len, skua_time now)
{
    struct skua_head head;
    enum skua_verdict verdict = skua_header_peek(data, len, SKUA_OWN_ID_LEN, &head);
    struct skua_arrival arrival = {
        .head = &head, .data = data, .len = len, .path = &rx->path, .ecn = rx->ecn & 3};
    if (verdict == SKUA_VERDICT_VERSION) {
        return answer_version(ep, &arrival, now);
    }
    if (verdict != SKUA_VERDICT_OK) {
        return verdict;
    }
    switch (head.type) {
    case SKUA_PACKET_DATA:
    case SKUA_PACKET_CONFIRM:
    case SKUA_PACKET_SYN_ACK:
    case SKUA_PACKET_RETRY:
    case SKUA_PACKET_REFUSE:
    case SKUA_PACKET_VERSIONS:
        return by_id(ep, &arrival, now);
    case SKUA_PACKET_SYN:
        return skua_listener_syn(ep, &arrival, now);
    }
    return SKUA_VERDICT_MALFORMED;
}
