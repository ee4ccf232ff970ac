/* What connections left to be done.
 *
 * Connections mark their outbox (conn/outbox.h); here the marks are turned into the endpoint's
 * lists and timers. This is the only place where a connection is made known and where it is freed.
 */
#include "endpoint/endpoint.h"

#include "base/time.h"

enum skua_err skua_outbox_adopt(struct skua_endpoint *ep, struct skua_connection *c)
{
    if (ep->conn_count >= ep->max_conns) {
        return SKUA_ELIMIT;
    }
    enum skua_err err = skua_timers_reserve(&ep->timers, (uint32_t)ep->conn_count + 1);
    if (err != SKUA_OK) {
        return err;
    }
    const struct skua_id id = skua_ids_own(&c->ids);
    err = skua_demux_add_id(ep, &id, c);
    if (err != SKUA_OK) {
        return err;
    }
    err = skua_handles_new(&ep->handles, SKUA_HANDLE_CONN, c, &c->handle);
    if (err != SKUA_OK) {
        skua_demux_remove_id(ep, &id);
        return err;
    }
    skua_list_push_back(&ep->conns, &c->all_link);
    ep->conn_count++;
    return SKUA_OK;
}

void skua_outbox_disown(struct skua_endpoint *ep, struct skua_connection *c)
{
    if (c->handle == 0) {
        return;
    }
    struct skua_stream *stream = NULL;
    while ((stream = skua_streams_next(&c->streams, stream)) != NULL) {
        if (stream->handle != 0) {
            skua_handles_free(&ep->handles, stream->handle);
            stream->handle = 0;
        }
    }
    if (!c->accepted) {
        ep->accept_queue--;
    }
    skua_connection_drop_token(c);
    skua_handles_free(&ep->handles, c->handle);
    c->handle = 0;
}

/* Own ids as the connection needs them: those that the peer has retired go, new ones come. Where
 * there is no memory for one it goes on without, until the next is wanted. */
static void manage_ids(struct skua_endpoint *ep, struct skua_connection *c)
{
    struct skua_id id;
    while (skua_ids_take_gone(&c->ids, &id)) {
        skua_demux_remove_id(ep, &id);
    }
    while (!c->close.ended && skua_ids_wants_own(&c->ids)) {
        id = skua_demux_new_id(ep, c->is_server);
        if (skua_demux_add_id(ep, &id, c) != SKUA_OK) {
            return;
        }
        skua_ids_add_own(&c->ids, &id);
    }
}

/* For how long its record is kept. A client that has not answered yet may come for the SYN_ACK
 * until its entry is given up, and only then asks for the first time what became of the connection.
 */
static skua_time record_length(const struct skua_connection *c, skua_time now)
{
    skua_time length = c->settings->time_wait_ns;
    if (length == 0) {
        skua_time three_pto = skua_time_mul(c->close.farewell->pto_ns, 3);
        length = skua_time_max(three_pto, SKUA_TIME_WAIT_LEAST);
    }
    return c->early_open ? skua_time_add(length, skua_time_sub(skua_early_deadline(c), now))
                         : length;
}

/* The transport has ended: its ids go from the table of the living, and the one that the peer used
 * last to the record of the dead. */
static void transport_over(struct skua_endpoint *ep, struct skua_connection *c, skua_time now)
{
    const struct skua_id heard = skua_ids_heard(&c->ids);
    struct skua_id id;
    unsigned ids = 0;
    for (; skua_ids_take_any(&c->ids, &id); ids++) {
        skua_demux_remove_id(ep, &id);
    }
    skua_reset_unwatch(ep, c);
    const struct skua_farewell *farewell = c->close.farewell;
    if (ids != 0 && farewell != NULL) {
        const struct skua_time_wait_entry entry = {
            .id = &heard,
            .packet = farewell->packet,
            .packet_len = farewell->len,
            .length_ns = record_length(c, now),
            .pto_ns = farewell->pto_ns,
            .tireless = c->early_open,
        };
        skua_time_wait_add(&ep->time_wait, &entry, now);
    }
}

static void forget(struct skua_endpoint *ep, struct skua_connection *c, skua_time now)
{
    transport_over(ep, c, now);
    skua_rendezvous_remove(ep, c);
    skua_outbox_disown(ep, c);
    skua_timers_cancel(&ep->timers, &c->timer);
    skua_list_remove(&c->all_link);
    ep->conn_count--;
    skua_connection_free(c);
}

static void set_timer(struct skua_endpoint *ep, struct skua_connection *c)
{
    enum skua_err err = skua_timers_set(&ep->timers, &c->timer, skua_connection_deadline(c));
    SKUA_ASSERT(err == SKUA_OK);
}

/* One connection's marks. */
static void carry_out(struct skua_endpoint *ep, struct skua_connection *c, skua_time now)
{
    unsigned marks = c->outbox.marks;
    c->outbox.marks = 0;
    if ((marks & SKUA_MARK_BATCH) != 0) {
        skua_connection_batch_end(c, now);
    }
    if ((marks & SKUA_MARK_TOKEN) != 0) {
        skua_reset_watch(ep, c);
    }
    if ((marks & SKUA_MARK_IDS) != 0) {
        manage_ids(ep, c);
    }
    if (c->half_open && (c->confirmed || c->close.over)) {
        skua_early_settle(ep, c, now);
    }
    if ((marks & SKUA_MARK_ENDED) != 0) {
        transport_over(ep, c, now);
    }
    if (c->meeting && c->state != SKUA_STATE_SYN_SENT) {
        skua_rendezvous_remove(ep, c);
    }
    if (c->close.ended && !c->accepted && !c->told) {
        skua_outbox_disown(ep, c); /* the application has never heard of it, and never will */
    }
    if (skua_connection_is_dead(c)) {
        forget(ep, c, now);
        return;
    }
    if ((marks & SKUA_MARK_SEND) != 0 && !skua_list_is_linked(&c->link)) {
        skua_list_push_back(&ep->ready, &c->link);
    }
    if (c->outbox.marks != 0) {
        return; /* it comes again */
    }
    if (skua_list_is_linked(&c->link) && !c->close.ended) {
        skua_list_push_back(&ep->untimed, &c->outbox.node);
    } else {
        set_timer(ep, c);
    }
}

static struct skua_connection *owner(struct skua_node *node)
{
    struct skua_outbox *outbox = SKUA_CONTAINER_OF(node, struct skua_outbox, node);
    return SKUA_CONTAINER_OF(outbox, struct skua_connection, outbox);
}

void skua_outbox_drain(struct skua_endpoint *ep, skua_time now)
{
    struct skua_node *node;
    while ((node = skua_list_pop_front(&ep->env.out.dirty)) != NULL) {
        carry_out(ep, owner(node), now);
    }
}

void skua_outbox_set_timers(struct skua_endpoint *ep, skua_time now)
{
    skua_outbox_drain(ep, now);
    struct skua_node *node;
    while ((node = skua_list_pop_front(&ep->untimed)) != NULL) {
        set_timer(ep, owner(node));
    }
}
