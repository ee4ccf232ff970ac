/* Which connection a rendezvous SYN is for, and what the handshake that it begins comes to
 * (docs/protocol.md, "Rendezvous"; conn/meet.c has the rule).
 *
 * A SYN says where it comes from and nothing else that could tell one attempt from another, so
 * there is one attempt at a time for each socket and address. Its answer is an ordinary half-open
 * entry: admission, repeats and limits are those of a listener. Nobody needs to listen for it, and
 * a listener does not take such a SYN: its sender waits for a connection that this side asks for.
 */
#include "endpoint/endpoint.h"

#include "base/cursor.h"
#include "base/time.h"

static void meeting_key(uint8_t key[SKUA_MEETING_KEY_LEN], const struct skua_path *path)
{
    struct skua_writer w = skua_writer_of(key, SKUA_MEETING_KEY_LEN);
    skua_writer_u32(&w, path->socket);
    skua_writer_copy(&w, &path->remote, sizeof path->remote);
    SKUA_ASSERT(!w.failed && skua_writer_left(&w) == 0);
}

struct skua_connection *skua_rendezvous_find(const struct skua_endpoint *ep,
                                             const struct skua_path *path)
{
    uint8_t key[SKUA_MEETING_KEY_LEN];
    meeting_key(key, path);
    struct skua_connection *c = skua_idmap_get(&ep->meetings, key, sizeof key);
    return c != NULL && c->state == SKUA_STATE_SYN_SENT ? c : NULL;
}

enum skua_err skua_rendezvous_add(struct skua_endpoint *ep, struct skua_connection *c)
{
    uint8_t key[SKUA_MEETING_KEY_LEN];
    meeting_key(key, &c->path);
    struct skua_connection *other = skua_idmap_get(&ep->meetings, key, sizeof key);
    if (other != NULL && other->state == SKUA_STATE_SYN_SENT) {
        return SKUA_ESTATE;
    }
    if (other != NULL) {
        skua_rendezvous_remove(ep, other); /* over, and not yet cleared away */
    }
    enum skua_err err = skua_idmap_put(&ep->meetings, key, sizeof key, c);
    c->meeting = err == SKUA_OK;
    ep->served = true; /* it may become the one who accepts */
    return err;
}

void skua_rendezvous_remove(struct skua_endpoint *ep, struct skua_connection *c)
{
    if (c->meeting) {
        uint8_t key[SKUA_MEETING_KEY_LEN];
        meeting_key(key, &c->path);
        void *removed = skua_idmap_remove(&ep->meetings, key, sizeof key);
        SKUA_ASSERT(removed == c);
        c->meeting = false;
    }
}

enum skua_verdict skua_rendezvous_syn(struct skua_endpoint *ep, const struct skua_arrival *a,
                                      const struct skua_settings **settings, skua_time now)
{
    struct skua_connection *c = skua_rendezvous_find(ep, a->path);
    if (c == NULL) {
        return SKUA_VERDICT_SYN_UNEXPECTED;
    }
    *settings = c->settings;
    return skua_connection_cross(c, a->head, now);
}

enum skua_verdict skua_rendezvous_third(struct skua_endpoint *ep, struct skua_half_open *entry,
                                        const struct skua_arrival *a,
                                        const struct skua_handshake_result *result, skua_time now)
{
    struct skua_connection *c = skua_rendezvous_find(ep, &entry->path);
    SKUA_ASSERT(c != NULL);
    struct skua_accept_args args = {
        .result = result,
        .syn_ack_sent = entry->repeated ? SKUA_NEVER : entry->first_sent,
    };
    skua_half_open_ids(entry, &args.own_id, &args.peer_id);
    const struct skua_id old = skua_ids_own(&c->ids);
    if (skua_demux_add_id(ep, &args.own_id, c) != SKUA_OK) {
        return SKUA_VERDICT_NO_MEMORY;
    }
    enum skua_verdict verdict = skua_connection_meet(c, &args, a, now);
    bool met = verdict == SKUA_VERDICT_OK || verdict == SKUA_VERDICT_PROTOCOL;
    skua_demux_remove_id(ep, met ? &old : &args.own_id);
    if (met || verdict == SKUA_VERDICT_SYN_ACK_UNTRUSTED) {
        skua_syn_queue_spend(&ep->syns, entry, skua_listener_spent_until(c, now));
    }
    return verdict == SKUA_VERDICT_BAD_AUTH ? SKUA_VERDICT_CONFIRM_BAD : verdict;
}
