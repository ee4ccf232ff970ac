/* From a SYN with early data to a connection, before the client has shown that it is there (as TCP
 * Fast Open, RFC 7413; docs/protocol.md, "Early data").
 *
 * Whether the data are taken is decided while the SYN is answered, since the SYN_ACK says so: by
 * the token (endpoint/early.h), and by what a third packet would be asked too: room in the accept
 * queue, the application's consent, limits. Once taken they count, so the entry that repeats that
 * SYN_ACK is not given up for another.
 *
 * Whoever sees a SYN can have a copy of it arrive first, from an address of his choice, and a NAT
 * can forget its client between two repeats. So the SYN_ACK may have gone where the client is not.
 * A copy from elsewhere is asked by RETRY to prove its address, and once it has, entry and
 * connection move there together: never only one of them, for the address that the connection sends
 * to must be the first one or a proven one, and never without a proof, for else the copies decide.
 */
#include "endpoint/endpoint.h"

#include <string.h>

#include "base/time.h"

/* Is there room for a connection now, and do the data fit? */
static bool is_room(const struct skua_early_syn *s, const struct skua_early_data *data)
{
    const struct skua_endpoint *ep = s->ep;
    return data->token_len == sizeof s->token && data->frames_len <= sizeof s->frames &&
           ep->early_count < ep->early->backlog && ep->accept_queue < ep->backlog &&
           ep->conn_count < ep->max_conns &&
           skua_streams_early_fit(data->frames, data->frames_len, s->params);
}

/* What the application says of it. */
static bool is_welcome(const struct skua_endpoint *ep, const struct skua_key *client,
                       const struct skua_path *path)
{
    return ep->allow == NULL || ep->allow(ep->allow_user, client, path);
}

static enum skua_early_fate judge(void *user, const struct skua_key *client,
                                  const struct skua_early_data *data)
{
    struct skua_early_syn *s = user;
    s->offered = true;
    enum skua_early_fate fate =
        skua_early_strike(s->ep->early, client, data, s->digest, is_room(s, data), s->now);
    if (fate == SKUA_EARLY_REPLAYED) {
        s->original = skua_early_answer(s->ep->early, data);
    }
    /* Not asked before: of copies the application need not hear. The token is used, whatever it
     * says. */
    if (fate == SKUA_EARLY_TAKEN && !is_welcome(s->ep, client, s->arrival->path)) {
        skua_early_undo(s->ep->early, data);
        fate = SKUA_EARLY_REJECTED;
    }
    s->taken = fate == SKUA_EARLY_TAKEN;
    if (s->taken) {
        memcpy(s->token, data->token, sizeof s->token);
        memcpy(s->frames, data->frames, data->frames_len);
        s->frames_len = data->frames_len;
    }
    return fate;
}

const struct skua_early_judge *skua_early_syn_begin(struct skua_early_syn *s,
                                                    struct skua_endpoint *ep,
                                                    const struct skua_arrival *arrival,
                                                    const uint8_t *digest, skua_time now)
{
    s->judge = (struct skua_early_judge){.judge = judge, .user = s};
    s->ep = ep;
    s->arrival = arrival;
    s->digest = digest;
    s->now = now;
    s->offered = false;
    s->taken = false;
    return &s->judge;
}

/* The connection, beside the half-open entry that `responder` belongs to. */
static enum skua_verdict open_connection(const struct skua_early_syn *s,
                                         const struct skua_accept_args *args)
{
    struct skua_endpoint *ep = s->ep;
    struct skua_connection *c;
    if (skua_connection_accept(&c, &ep->env, args, s->now) != SKUA_OK) {
        return SKUA_VERDICT_NO_MEMORY;
    }
    if (skua_outbox_adopt(ep, c) != SKUA_OK) {
        skua_connection_free(c);
        return SKUA_VERDICT_NO_MEMORY;
    }
    ep->accept_queue++;
    ep->early_count++;
    c->half_open = true;
    skua_connection_take_early(c, s->frames, s->frames_len, s->now);
    return SKUA_VERDICT_OK;
}

/* The token that was taken. */
static struct skua_early_data token_of(const struct skua_early_syn *s)
{
    return (struct skua_early_data){.token = s->token, .token_len = sizeof s->token};
}

enum skua_verdict skua_early_syn_end(struct skua_early_syn *s,
                                     const struct skua_responder_config *config,
                                     const struct skua_responder *responder,
                                     const struct skua_id *id)
{
    if (!s->taken) {
        return s->offered ? SKUA_VERDICT_SYN_EARLY_REJECTED : SKUA_VERDICT_OK;
    }
    struct skua_handshake_result result;
    enum skua_verdict verdict = skua_responder_result(responder, config, &result);
    SKUA_ASSERT(verdict == SKUA_VERDICT_OK); /* with a code nothing is taken */
    const struct skua_head *head = s->arrival->head;
    const struct skua_accept_args args = {
        .settings = s->ep->accept_settings,
        .user = s->ep->accept_user,
        .path = s->arrival->path,
        .own_id = *id,
        .peer_id = skua_id_of(head->scid, head->scid_len),
        .result = &result,
        .syn_ack_sent = SKUA_NEVER,
        .early = true,
    };
    verdict = open_connection(s, &args);
    skua_handshake_result_wipe(&result);
    if (verdict == SKUA_VERDICT_OK) {
        const struct skua_early_data data = token_of(s);
        skua_early_answered(s->ep->early, &data, id);
    }
    return verdict;
}

void skua_early_syn_undo(struct skua_early_syn *s)
{
    if (s->taken) {
        const struct skua_early_data data = token_of(s);
        skua_early_undo(s->ep->early, &data);
    }
}

struct skua_half_open *skua_early_syn_original(const struct skua_early_syn *s)
{
    struct skua_syn_queue *q = &s->ep->syns;
    struct skua_half_open *entry = skua_syn_queue_find(q, s->original.bytes, s->original.len);
    if (entry == NULL || !(entry->early || entry->over)) {
        return NULL;
    }
    uint8_t fingerprint[SKUA_TAG_LEN]; /* an id may be given again */
    skua_syn_fingerprint(fingerprint, q->key, &entry->path, s->digest);
    const struct skua_connection *c = skua_demux_owner(s->ep, &s->original);
    const bool answered = c != NULL && c->half_open && c->confirmed; /* to be settled at once */
    return skua_tag_equal(fingerprint, entry->fingerprint) && !answered ? entry : NULL;
}

enum skua_verdict skua_early_syn_move(const struct skua_early_syn *s, struct skua_half_open *entry,
                                      const uint8_t fingerprint[SKUA_TAG_LEN])
{
    struct skua_endpoint *ep = s->ep;
    const struct skua_path *path = s->arrival->path;
    struct skua_connection *c = skua_demux_owner(ep, &s->original);
    c = c != NULL && c->half_open ? c : NULL; /* else it is over, and only the entry is left */
    if (c != NULL && !is_welcome(ep, &c->peer_key, path)) {
        return SKUA_VERDICT_SYN_REPLAYED;
    }
    if ((c != NULL && !skua_connection_may_move(c)) ||
        skua_syn_queue_move(&ep->syns, entry, path, fingerprint, s->now) != SKUA_OK) {
        return SKUA_VERDICT_NO_MEMORY; /* both are where they were */
    }
    if (c != NULL) {
        skua_connection_shown_at(c, path, s->now);
        ep->compared = NULL; /* its path is another one now */
    }
    return SKUA_VERDICT_SYN_REPEAT;
}

void skua_early_syn_wipe(struct skua_early_syn *s)
{
    if (s->taken) {
        skua_wipe(s->token, sizeof s->token);
        skua_wipe(s->frames, s->frames_len);
    }
}

void skua_early_settle(struct skua_endpoint *ep, struct skua_connection *c, skua_time now)
{
    const struct skua_id id = skua_ids_own(&c->ids); /* the first one still */
    struct skua_half_open *entry = skua_syn_queue_find(&ep->syns, id.bytes, id.len);
    if (entry != NULL && c->confirmed) {
        skua_syn_queue_spend(&ep->syns, entry, skua_listener_spent_until(c, now));
    } else if (entry != NULL) {
        entry->early = false;
        entry->over = true;
    } /* else it was given up, as this connection will be */
    c->half_open = false;
    ep->early_count--;
}
