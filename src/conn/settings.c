/* Defaults and ranges of struct skua_conn_config, and settings that connections share. */
#include "conn/settings.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"

/* Largest max_message. */
enum { MESSAGE_MAX = 1 << 30 };

static skua_time time_or(skua_time value, skua_time fallback)
{
    return value == 0 ? fallback : value;
}

static uint64_t count_or(uint64_t value, uint64_t fallback)
{
    return value == 0 ? fallback : value;
}

static enum skua_controller controller_of(const struct skua_conn_config *c)
{
    return c->controller == SKUA_CONTROLLER_DEFAULT ? SKUA_CONTROLLER_CUBIC : c->controller;
}

enum skua_err skua_settings_resolve(struct skua_settings *out,
                                    const struct skua_conn_config *config)
{
    static const struct skua_conn_config defaults = SKUA_CONN_CONFIG_INIT;
    const struct skua_conn_config *c = config != NULL ? config : &defaults;
    if (c->size != sizeof *c || c->max_streams_bidi > SKUA_LIMIT_STREAMS_MAX ||
        c->max_streams_uni > SKUA_LIMIT_STREAMS_MAX || c->syn_retries > 16 ||
        (c->label != NULL && strlen(c->label) > SKUA_LABEL_MAX) ||
        c->max_recv_window >= UINT64_C(1) << 40 || c->max_stream_window >= UINT64_C(1) << 40 ||
        c->max_send_buffer >= UINT64_C(1) << 40 ||
        c->datagram_buffer > SKUA_LIMIT_DATAGRAMS_UNREAD_MAX || c->max_message > MESSAGE_MAX ||
        skua_controller_name(controller_of(c)) == NULL || (c->ik && c->server_key == NULL)) {
        return SKUA_EINVAL;
    }
    *out = (struct skua_settings){
        .idle_timeout_ns = time_or(c->idle_timeout_ns, 30 * SKUA_SEC),
        .user_timeout_ns = time_or(c->user_timeout_ns, 60 * SKUA_SEC),
        .keepalive_time_ns = time_or(c->keepalive_time_ns, SKUA_NEVER),
        .keepalive_intvl_ns = time_or(c->keepalive_intvl_ns, 10 * SKUA_SEC),
        .time_wait_ns = c->time_wait_ns,
        .close_timeout_ns = time_or(c->close_timeout_ns, 30 * SKUA_SEC),
        .fin_wait2_timeout_ns = time_or(c->fin_wait2_timeout_ns, 60 * SKUA_SEC),
        .max_recv_window = count_or(c->max_recv_window, UINT64_C(64) << 20),
        .max_stream_window = count_or(c->max_stream_window, UINT64_C(32) << 20),
        .max_send_buffer = count_or(c->max_send_buffer, UINT64_C(32) << 20),
        .max_streams_bidi = (uint32_t)count_or(c->max_streams_bidi, 1024),
        .max_streams_uni = (uint32_t)count_or(c->max_streams_uni, 1024),
        .keepalive_probes = (uint32_t)count_or(c->keepalive_probes, 5),
        .syn_retries = (uint32_t)count_or(c->syn_retries, 5),
        .datagram_buffer = c->datagram_buffer,
        .max_message = (uint32_t)count_or(c->max_message, SKUA_LIMIT_MESSAGE_DEFAULT),
        .controller = (uint8_t)controller_of(c),
        .ik = c->ik,
        .rendezvous = c->rendezvous,
        .tokens = c->tokens,
    };
    /* One stream that nobody reads must leave some of the connection's window to the others. */
    uint64_t most = out->max_recv_window - out->max_recv_window / 4;
    out->max_stream_window = out->max_stream_window < most ? out->max_stream_window : most;
    if (c->server_key != NULL) {
        out->has_server_key = true;
        out->server_key = *c->server_key;
    }
    if (c->psk != NULL) {
        out->has_psk = true;
        memcpy(out->psk, c->psk, sizeof out->psk);
    }
    if (c->label != NULL) {
        memcpy(out->label, c->label, strlen(c->label));
    }
    return SKUA_OK;
}

static bool is_equal(const struct skua_settings *a, const struct skua_settings *b)
{
    return a->idle_timeout_ns == b->idle_timeout_ns && a->user_timeout_ns == b->user_timeout_ns &&
           a->keepalive_time_ns == b->keepalive_time_ns &&
           a->keepalive_intvl_ns == b->keepalive_intvl_ns && a->time_wait_ns == b->time_wait_ns &&
           a->close_timeout_ns == b->close_timeout_ns &&
           a->fin_wait2_timeout_ns == b->fin_wait2_timeout_ns &&
           a->max_recv_window == b->max_recv_window &&
           a->max_stream_window == b->max_stream_window &&
           a->max_send_buffer == b->max_send_buffer && a->max_streams_bidi == b->max_streams_bidi &&
           a->max_streams_uni == b->max_streams_uni && a->keepalive_probes == b->keepalive_probes &&
           a->syn_retries == b->syn_retries && a->datagram_buffer == b->datagram_buffer &&
           a->max_message == b->max_message && a->controller == b->controller && a->ik == b->ik &&
           a->rendezvous == b->rendezvous && a->tokens == b->tokens &&
           a->has_server_key == b->has_server_key && a->has_psk == b->has_psk &&
           memcmp(&a->server_key, &b->server_key, sizeof a->server_key) == 0 &&
           memcmp(a->psk, b->psk, sizeof a->psk) == 0 && strcmp(a->label, b->label) == 0;
}

struct skua_settings *skua_settings_share(struct skua_heap *heap, const struct skua_settings *value,
                                          struct skua_settings *like)
{
    if (like != NULL && is_equal(value, like)) {
        return skua_settings_hold(like);
    }
    struct skua_settings *settings = skua_heap_get_raw(heap, sizeof *settings);
    if (settings != NULL) {
        *settings = *value;
        settings->holders = 1;
    }
    return settings;
}

struct skua_settings *skua_settings_hold(struct skua_settings *settings)
{
    SKUA_ASSERT(settings->holders > 0);
    settings->holders++;
    return settings;
}

void skua_settings_drop(struct skua_heap *heap, struct skua_settings *settings)
{
    if (settings == NULL) {
        return;
    }
    SKUA_ASSERT(settings->holders > 0);
    if (--settings->holders == 0) {
        skua_wipe(settings, sizeof *settings);
        skua_heap_put(heap, settings, sizeof *settings);
    }
}
