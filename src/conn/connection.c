/* The life of a connection: made, given keys, confirmed, freed. */
#include "conn/connection.h"

#include <string.h>

#include "base/limits.h"
#include "base/time.h"
#include "conn/internal.h"

SKUA_STATIC_ASSERT(sizeof(struct skua_connection) <= 3072, "an idle connection stays small");

void skua_conn_params(struct skua_transport_params *out, const struct skua_settings *settings,
                      uint16_t max_udp_payload)
{
    uint64_t data = SKUA_STREAMS_INITIAL_DATA_WINDOW;
    uint64_t stream = SKUA_STREAMS_INITIAL_STREAM_WINDOW;
    data = data < settings->max_recv_window ? data : settings->max_recv_window;
    stream = stream < settings->max_stream_window ? stream : settings->max_stream_window;
    skua_time idle_ms =
        skua_time_min(settings->idle_timeout_ns / SKUA_MSEC, SKUA_PARAM_IDLE_END - 1);
    out->max_idle_timeout_ms = settings->idle_timeout_ns == SKUA_NEVER ? 0 : idle_ms;
    out->initial_max_data = data;
    out->initial_max_stream_data_bidi_local = stream;
    out->initial_max_stream_data_bidi_remote = stream;
    out->initial_max_stream_data_uni = stream;
    out->initial_max_streams_bidi = settings->max_streams_bidi;
    out->initial_max_streams_uni = settings->max_streams_uni;
    out->max_udp_payload = max_udp_payload;
    /* No packet holds a larger frame than this. */
    out->max_datagram_frame_size = settings->datagram_buffer != 0 ? UINT16_MAX : 0;
    out->active_id_limit = SKUA_LIMIT_ACTIVE_IDS;
}

void skua_conn_transition(struct skua_connection *c, enum skua_state_event event, skua_time now)
{
    enum skua_state next = skua_state_next(c->state, event);
    if (next != c->state) {
        skua_conn_trace(c, SKUA_TRACE_STATE, SKUA_TRACE_ARGS((uint64_t)c->state, (uint64_t)next),
                        now);
        c->state = next;
    }
}

static void init_streams(struct skua_connection *c)
{
    struct skua_transport_params own;
    skua_conn_params(&own, c->settings, c->env->max_udp_payload);
    const struct skua_streams_config config = {
        .is_server = c->is_server,
        .heap = &c->env->heap,
        .blocks = &c->env->blocks,
        .hash_key = c->env->hash_key,
        .initial_max_data = own.initial_max_data,
        .initial_max_stream = own.initial_max_stream_data_uni,
        .max_data_window = c->settings->max_recv_window,
        .max_stream_window = c->settings->max_stream_window,
        .max_streams_bidi = c->settings->max_streams_bidi,
        .max_streams_uni = c->settings->max_streams_uni,
        .max_message = c->settings->max_message,
        .send_limit = UINT64_C(128) << 10,
    };
    skua_streams_init(&c->streams, &config);
}

static struct skua_connection *make(struct skua_env *env, struct skua_settings *settings,
                                    const struct skua_path *path, bool is_server, skua_time now)
{
    struct skua_connection *c = skua_heap_get(&env->heap, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->env = env;
    c->settings = skua_settings_hold(settings);
    c->path = *path;
    c->is_server = is_server;
    c->state = SKUA_STATE_CLOSED;
    c->tx.pace_at = SKUA_NEVER;
    c->tx.hold_until = SKUA_NEVER;
    c->close.fin.repeat_at = SKUA_NEVER;
    c->life.idle_timeout_ns = settings->idle_timeout_ns;
    c->peer_ack_delay_exponent = 3;
    skua_replay_init(&c->rx.replay);
    skua_acks_init(&c->rx.acks, &env->heap);
    skua_recovery_init(&c->recovery, &env->heap);
    skua_pmtud_init(&c->pmtud, env->max_udp_payload);
    skua_ecn_init(&c->ecn);
    skua_cc_init(&c->cc, skua_cc_find((enum skua_controller)settings->controller), c->pmtud.mtu, now);
    skua_pacer_init(&c->pacer, c->pmtud.mtu, now);
    init_streams(c);
    skua_timers_on_start(c, now);
    return c;
}

enum skua_err skua_connection_connect(struct skua_connection **out, struct skua_env *env,
                                      struct skua_settings *settings, const struct skua_path *path,
                                      const struct skua_id *own_id, const struct skua_token *token)
{
    struct skua_connection *c = make(env, settings, path, false, env->now);
    if (c == NULL) {
        return SKUA_ENOMEM;
    }
    skua_ids_init(&c->ids, own_id);
    c->accepted = true;
    enum skua_err err = skua_dial_start(c);
    if (err == SKUA_OK && token != NULL) {
        err = skua_early_start(c, token);
    }
    if (err != SKUA_OK) {
        skua_connection_free(c);
        return err;
    }
    skua_conn_transition(c, SKUA_ON_CONNECT, env->now);
    skua_conn_mark(c, SKUA_MARK_SEND | SKUA_MARK_DEADLINE);
    *out = c;
    return SKUA_OK;
}

enum skua_err skua_connection_accept(struct skua_connection **out, struct skua_env *env,
                                     const struct skua_accept_args *args, skua_time now)
{
    struct skua_connection *c = make(env, args->settings, args->path, true, now);
    if (c == NULL) {
        return SKUA_ENOMEM;
    }
    c->user = args->user;
    skua_ids_init(&c->ids, &args->own_id);
    c->ids.peer = args->peer_id;
    skua_conn_derive(c, args->result, true);
    skua_conn_install(c, args->result);
    c->early_open = args->early;
    skua_conn_transition(c, args->early ? SKUA_ON_EARLY : SKUA_ON_CONFIRMED, now);
    if (args->syn_ack_sent != SKUA_NEVER) {
        skua_conn_first_rtt(c, skua_time_sub(now, args->syn_ack_sent));
    }
    skua_acks_set_immediate(&c->rx.acks);
    c->events = 1u << SKUA_EVENT_INCOMING;
    *out = c;
    return SKUA_OK;
}

void skua_conn_derive(struct skua_connection *c, const struct skua_handshake_result *result,
                      bool as_server)
{
    skua_keys_init(&c->keys, c->env->cache, result->suite, !as_server, &result->to_responder,
                   &result->to_initiator);
}

void skua_conn_install(struct skua_connection *c, const struct skua_handshake_result *result)
{
    const struct skua_transport_params *peer = &result->peer;
    c->suite = result->suite;
    c->peer_key = result->peer_key;
    c->exporter = result->exporter;
    skua_conn_set_peer_token(c, result->reset_token);
    c->wants_tokens = c->is_server && result->early;
    c->peer_ack_delay_exponent = peer->ack_delay_exponent;
    c->peer_max_udp_payload = peer->max_udp_payload;
    c->peer_max_datagram = peer->max_datagram_frame_size;
    c->recovery.max_ack_delay_ns = peer->max_ack_delay_ms * SKUA_MSEC;
    if (peer->max_idle_timeout_ms != 0 && peer->max_idle_timeout_ms < SKUA_NEVER / SKUA_MSEC) {
        c->life.idle_timeout_ns =
            skua_time_min(c->life.idle_timeout_ns, peer->max_idle_timeout_ms * SKUA_MSEC);
    }
    skua_streams_set_peer_limits(&c->streams, peer);
    skua_streams_set_packet_room(&c->streams, (uint32_t)skua_tx_room(c));
}

void skua_conn_set_peer_token(struct skua_connection *c, const uint8_t token[SKUA_RESET_TOKEN_LEN])
{
    memcpy(c->ids.token, token, sizeof c->ids.token);
    skua_conn_mark(c, SKUA_MARK_TOKEN);
}

void skua_conn_first_rtt(struct skua_connection *c, skua_time sample)
{
    skua_rtt_update(&c->recovery.rtt, sample, 0, 0);
    const struct skua_cc_rtt rtt = {.latest_ns = sample, .smoothed_ns = sample, .min_ns = sample};
    skua_cc_on_rtt(&c->cc, &rtt);
}

void skua_conn_confirm(struct skua_connection *c, skua_time now)
{
    c->confirmed = true;
    if (c->early_open) {
        skua_early_on_confirmed(c, now);
    }
    skua_token_due(c);
    c->recovery.confirmed = true;
    skua_keys_on_confirmed(&c->keys);
    skua_pmtud_start(&c->pmtud, c->peer_max_udp_payload);
    skua_ids_on_confirmed(&c->ids);
    skua_conn_mark(c, SKUA_MARK_IDS);
    skua_dial_free(c);
    skua_streams_set_packet_room(&c->streams, (uint32_t)skua_tx_room(c)); /* no message 3 */
}

void skua_connection_free(struct skua_connection *c)
{
    struct skua_heap *heap = &c->env->heap;
    skua_dial_free(c);
    skua_connection_drop_token(c);
    if (!c->close.over) {
        skua_keys_wipe(&c->keys, c->env->cache);
        skua_recovery_deinit(&c->recovery);
        skua_acks_deinit(&c->rx.acks);
        skua_replay_deinit(&c->rx.replay, heap);
    }
    skua_ids_deinit(&c->ids, heap);
    skua_migrate_free(c);
    skua_streams_deinit(&c->streams);
    skua_datagrams_free(c->datagrams);
    skua_list_remove(&c->outbox.node);
    skua_list_remove(&c->link);
    skua_list_remove(&c->outbox.event_node);
    skua_list_remove(&c->loan_link);
    if (c->close.ended) {
        skua_heap_put(heap, c->close.end.reason, SKUA_LIMIT_REASON_MAX + 1);
    }
    skua_heap_put(heap, c->close.farewell, sizeof *c->close.farewell);
    skua_settings_drop(heap, c->settings);
    skua_wipe(c, sizeof *c);
    skua_heap_put(heap, c, sizeof *c);
}

bool skua_connection_is_dead(const struct skua_connection *c)
{
    return c->close.over && (c->close.reported || c->handle == 0);
}

void skua_connection_take(struct skua_connection *c, void *user)
{
    c->accepted = true;
    c->events &= ~(1u << SKUA_EVENT_INCOMING);
    c->user = user;
    skua_connection_touch(c);
}

enum skua_err skua_connection_export(const struct skua_connection *c, const char *label, void *out,
                                     size_t len)
{
    if (c->suite == 0 || c->close.over) {
        return SKUA_ESTATE;
    }
    return skua_export(&c->exporter, label, out, len) ? SKUA_OK : SKUA_EINVAL;
}

enum skua_err skua_connection_update_keys(struct skua_connection *c)
{
    if (c->close.ended) {
        return SKUA_ECLOSED;
    }
    if (!c->confirmed) {
        return SKUA_EAGAIN;
    }
    skua_keys_on_timeout(&c->keys, c->env->cache, c->env->now);
    if (c->tx.update_keys || !skua_keys_may_update(&c->keys)) {
        return SKUA_EAGAIN;
    }
    c->tx.update_keys = true;
    c->tx.ping = true;
    skua_conn_mark(c, SKUA_MARK_SEND);
    return SKUA_OK;
}

enum skua_err skua_connection_ping(struct skua_connection *c)
{
    if (c->close.ended) {
        return SKUA_ECLOSED;
    }
    c->tx.ping = true;
    skua_conn_mark(c, SKUA_MARK_SEND);
    return SKUA_OK;
}
