/* Datagrams of a connection (RFC 9221): when the application may send them, how large, where they
 * stand in a packet, and what of theirs is to be reported.
 *
 * Datagrams and streams take turns where both have something to send: a packet that datagrams began
 * is followed by one that streams begin. So each gets half of what the congestion window allows,
 * and neither waits longer than a packet for the other. */
#include "conn/internal.h"

#include "base/limits.h"
#include "base/time.h"

/* The object, made at first use; NULL: no memory. */
static struct skua_datagrams *need(struct skua_connection *c)
{
    if (c->datagrams == NULL) {
        c->datagrams = skua_datagrams_new(&c->env->heap, c->settings->datagram_buffer);
    }
    return c->datagrams;
}

/* RFC 9221 §3: what the peer takes counts the whole frame, with its length where it has one. */
static size_t peer_most(const struct skua_connection *c)
{
    size_t most = c->peer_max_datagram;
    size_t head = most > 0 ? 1 + skua_varint_len(most) : 0;
    return most > head ? most - head : 0;
}

size_t skua_datagram_most(const struct skua_connection *c)
{
    /* While a black hole is only suspected, large ones wait for the judgement. */
    size_t fits = skua_tx_trusted_room(c) - 1;
    size_t most = peer_most(c);
    return most < fits ? most : fits;
}

/* Why none can be sent; SKUA_OK where one can. */
static enum skua_err send_error(const struct skua_connection *c)
{
    if (c->close.ended) {
        return SKUA_ECLOSED;
    }
    bool open = c->accepted && c->suite != 0 && skua_state_can_send(c->state);
    return open && peer_most(c) > 0 ? SKUA_OK : SKUA_ESTATE;
}

enum skua_err skua_connection_max_datagram(const struct skua_connection *c, size_t *len)
{
    enum skua_err err = send_error(c);
    *len = err == SKUA_OK ? skua_datagram_most(c) : 0;
    return err;
}

enum skua_err skua_connection_send_datagram(struct skua_connection *c, const void *data, size_t len,
                                            skua_time lifetime_ns)
{
    enum skua_err err = send_error(c);
    if (err != SKUA_OK) {
        return err;
    }
    if (len > skua_datagram_most(c)) {
        return SKUA_EMSGSIZE;
    }
    if (need(c) == NULL) {
        return SKUA_ENOMEM;
    }
    skua_time now = c->env->now;
    skua_time expires = lifetime_ns == 0 ? SKUA_NEVER : skua_time_add(now, lifetime_ns);
    err = skua_datagrams_send(c->datagrams, data, len, expires, now);
    skua_conn_mark(c, SKUA_MARK_SEND);
    return err;
}

enum skua_err skua_connection_peek_datagram(const struct skua_connection *c, struct skua_vec *out)
{
    const struct skua_dgram *dgram =
        c->datagrams != NULL ? skua_datagrams_peek(c->datagrams) : NULL;
    *out = (struct skua_vec){.data = NULL};
    if (dgram == NULL) {
        return SKUA_EAGAIN;
    }
    *out = (struct skua_vec){.data = dgram->data, .len = dgram->len};
    return SKUA_OK;
}

enum skua_err skua_connection_drop_datagram(struct skua_connection *c)
{
    struct skua_vec vec;
    enum skua_err err = skua_connection_peek_datagram(c, &vec);
    if (err == SKUA_OK) {
        skua_datagrams_take(c->datagrams);
    }
    return err;
}

enum skua_code skua_datagram_on_frame(struct skua_connection *c, const struct skua_frame *f)
{
    /* RFC 9221 §3: a peer that was told 0 sends none. What we tell others is no less than any
     * packet holds. */
    if (c->settings->datagram_buffer == 0) {
        return SKUA_CODE_PROTOCOL;
    }
    if (c->close.released || need(c) == NULL) {
        return SKUA_CODE_NO_ERROR;
    }
    skua_datagrams_on_frame(c->datagrams, f->datagram.data, f->datagram.len, true);
    if (skua_datagrams_has_loans(c->datagrams) && !skua_list_is_linked(&c->loan_link)) {
        skua_list_push_back(&c->env->loans, &c->loan_link);
    }
    c->events |= 1u << SKUA_EVENT_DATAGRAM;
    return SKUA_CODE_NO_ERROR;
}

bool skua_datagram_is_news(const struct skua_connection *c)
{
    return c->datagrams != NULL && skua_datagrams_peek(c->datagrams) != NULL;
}

bool skua_datagram_wants_send(const struct skua_connection *c)
{
    return c->datagrams != NULL && skua_datagrams_wants_send(c->datagrams);
}

bool skua_datagram_goes_first(const struct skua_connection *c)
{
    /* A probe repeats what has waited longest (RFC 9002 §6.2.4), which a datagram never does. */
    return skua_datagram_wants_send(c) && c->tx.probes == 0 &&
           !(c->datagrams->yields && skua_streams_wants_send(&c->streams));
}

size_t skua_datagram_keep(const struct skua_connection *c, const struct skua_fill *fill,
                          bool ack_due)
{
    if (ack_due || !fill->allow_data || !skua_datagram_goes_first(c)) {
        return 0;
    }
    size_t least = skua_datagrams_least_room(c->datagrams);
    size_t left = skua_writer_left(&fill->w);
    return least < left ? least : left;
}

bool skua_datagram_fill(struct skua_connection *c, struct skua_fill *fill, skua_time now)
{
    struct skua_datagrams *d = c->datagrams;
    if (fill->count + 2 >= SKUA_RECORDS_PER_PACKET) {
        return false;
    }
    size_t put =
        skua_datagrams_write(d, &fill->w, skua_datagram_most(c), now, &fill->records[fill->count]);
    if (put > 0) {
        fill->count++;
        fill->eliciting = true;
    }
    if (skua_datagrams_has_room(d)) {
        c->events |= 1u << SKUA_EVENT_DATAGRAM_ROOM;
        skua_conn_mark(c, SKUA_MARK_EVENT);
    }
    return put > 0;
}
