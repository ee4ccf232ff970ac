/* Defaults and ranges of struct skua_conn_config. */
#include "conn/settings.h"

#include <string.h>

#include "base/limits.h"

static skua_time time_or(skua_time value, skua_time fallback)
{
    return value == 0 ? fallback : value;
}

static uint64_t count_or(uint64_t value, uint64_t fallback)
{
    return value == 0 ? fallback : value;
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
        c->max_send_buffer >= UINT64_C(1) << 40 || (c->ik && c->server_key == NULL)) {
        return SKUA_EINVAL;
    }
    *out = (struct skua_settings){
        .user = c->user,
        .idle_timeout_ns = time_or(c->idle_timeout_ns, 30 * SKUA_SEC),
        .user_timeout_ns = time_or(c->user_timeout_ns, 60 * SKUA_SEC),
        .keepalive_time_ns = time_or(c->keepalive_time_ns, SKUA_NEVER),
        .keepalive_intvl_ns = time_or(c->keepalive_intvl_ns, 10 * SKUA_SEC),
        .time_wait_ns = c->time_wait_ns,
        .close_timeout_ns = time_or(c->close_timeout_ns, 30 * SKUA_SEC),
        .max_recv_window = count_or(c->max_recv_window, UINT64_C(64) << 20),
        .max_stream_window = count_or(c->max_stream_window, UINT64_C(32) << 20),
        .max_send_buffer = count_or(c->max_send_buffer, UINT64_C(32) << 20),
        .max_streams_bidi = (uint32_t)count_or(c->max_streams_bidi, 1024),
        .max_streams_uni = (uint32_t)count_or(c->max_streams_uni, 1024),
        .keepalive_probes = (uint32_t)count_or(c->keepalive_probes, 5),
        .syn_retries = (uint32_t)count_or(c->syn_retries, 5),
        .ik = c->ik,
    };
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
