/* The driver on libev: its life. What it does in each turn of the loop is in turn.c. */
#include "io/driver.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    SOCKET_BUFFER = 4 << 20, /* default of config.socket_buffer */
};

static void *system_get(void *user, size_t size)
{
    (void)user;
    return malloc(size);
}

static void system_put(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

static void system_random(void *user, void *out, size_t len)
{
    (void)user;
    randombytes_buf(out, len);
}

const struct skua_rng *skua_ev_rng(void)
{
    static const struct skua_rng rng = {.fill = system_random};
    return &rng;
}

/* What ICMP said, for the core. */
static void on_icmp(void *user, const struct skua_socket *sock, const struct skua_addr *remote,
                    int error)
{
    struct skua_ev *ev = user;
    struct skua_path path = {.socket = (uint32_t)(sock - ev->sockets), .remote = *remote};
    ev->stats.icmp_errors++;
    switch (error) {
    case ECONNREFUSED:
        skua_connector_hint(&ev->connector, remote);
        skua_endpoint_hint(ev->ep, &path, SKUA_HINT_PORT_UNREACHABLE, ev->now);
        break;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENONET:
    case ENOPROTOOPT:
    case EACCES:
        skua_connector_hint(&ev->connector, remote);
        skua_endpoint_hint(ev->ep, &path, SKUA_HINT_UNREACHABLE, ev->now);
        break;
    default:
        break; /* EMSGSIZE: the transport finds the MTU itself and does not believe ICMP */
    }
}

static void on_refused(void *user, const struct skua_tx *tx, int error)
{
    struct skua_ev *ev = user;
    skua_roam_on_error(&ev->roam, error);
    skua_connector_refused(&ev->connector, tx->conn, error);
    skua_endpoint_send_result(ev->ep, tx, error, ev->now);
}

void skua_ev_drop_sockets(struct skua_ev *ev, uint32_t count)
{
    while (ev->socket_count > count) {
        uint32_t index = --ev->socket_count;
        skua_ev_stop_io(ev, &ev->readers[index]);
        skua_ev_stop_io(ev, &ev->writers[index]);
        skua_socket_close(&ev->sockets[index], ev->sys);
    }
}

enum skua_err skua_ev_resolver(struct skua_ev *ev, struct skua_resolver **out)
{
    enum skua_err err = SKUA_OK;
    if (ev->resolver == NULL) {
        err = skua_resolver_new(&ev->resolver, ev->sys, ev->loop);
    }
    *out = ev->resolver;
    return err;
}

/* Gives back everything; what has not been made yet is zero. */
static void destroy(struct skua_ev *ev)
{
    if (ev->ep != NULL) {
        skua_connector_deinit(&ev->connector);
        ev->now = skua_clock_now(ev->sys);
        skua_ev_send(ev);
    }
    skua_ev_stop_watchers(ev);
    skua_roam_deinit(&ev->roam);
    skua_ev_drop_sockets(ev, 0);
    skua_timer_close(&ev->timer, ev->sys);
    skua_resolver_free(ev->resolver);
    skua_endpoint_free(ev->ep);
    skua_sender_deinit(&ev->sender, &ev->alloc);
    skua_receiver_deinit(&ev->receiver, &ev->alloc);
    struct skua_alloc alloc = ev->alloc;
    alloc.put(alloc.user, ev, sizeof *ev);
}

void skua_ev_enter(struct skua_ev *ev)
{
    ev->depth++;
}

void skua_ev_leave(struct skua_ev *ev)
{
    if (--ev->depth == 0 && ev->dying) {
        destroy(ev);
    }
}

void skua_ev_free(struct skua_ev *ev)
{
    if (ev == NULL || ev->dying) {
        return;
    }
    skua_ev_enter(ev);
    ev->dying = true;
    skua_ev_leave(ev);
}

/* Everything that can fail, in order. */
static enum skua_err build(struct skua_ev *ev, struct skua_config *endpoint)
{
    enum skua_err err = skua_init();
    if (err != SKUA_OK) {
        return err;
    }
    if (!skua_timer_open(&ev->timer, ev->sys)) {
        return SKUA_ESYSTEM;
    }
    err = skua_receiver_init(&ev->receiver, ev->sys, &ev->stats, &ev->alloc);
    if (err != SKUA_OK) {
        return err;
    }
    err = skua_sender_init(&ev->sender, &ev->alloc);
    if (err != SKUA_OK) {
        return err;
    }
    struct skua_secret_key fresh;
    endpoint->rng = endpoint->rng == NULL ? skua_ev_rng() : endpoint->rng;
    if (endpoint->key == NULL) {
        skua_key_generate(&fresh, endpoint->rng);
        endpoint->key = &fresh;
    }
    err = skua_endpoint_new(&ev->ep, endpoint);
    skua_wipe(&fresh, sizeof fresh);
    return err;
}

enum skua_err skua_ev_new_on(struct skua_ev **out, struct ev_loop *loop,
                             const struct skua_ev_config *config, const struct skua_sys *sys)
{
    if (out == NULL || loop == NULL || config == NULL || config->size != sizeof *config ||
        config->endpoint.size != sizeof config->endpoint ||
        config->handlers.size != sizeof config->handlers) {
        return SKUA_EINVAL;
    }
    struct skua_ev_config c = *config;
    struct skua_alloc alloc = {.get = system_get, .put = system_put};
    if (c.endpoint.alloc != NULL) {
        alloc = *c.endpoint.alloc;
    }
    struct skua_ev *ev = alloc.get(alloc.user, sizeof *ev);
    if (ev == NULL) {
        return SKUA_ENOMEM;
    }
    memset(ev, 0, sizeof *ev);
    ev->sys = sys;
    ev->loop = loop;
    ev->alloc = alloc;
    ev->handlers = c.handlers;
    ev->user = c.user;
    ev->hold_time_wait = c.hold_time_wait;
    ev->socket_options.no_offload = c.no_offload;
    ev->socket_options.buffer = c.socket_buffer == 0 ? SOCKET_BUFFER : c.socket_buffer;
    ev->timer.fd = -1;
    for (uint32_t i = 0; i < SKUA_MAX_SOCKETS; i++) {
        ev->sockets[i].fd = -1;
    }
    ev->now = skua_clock_now(sys);
    ev->sender.sys = sys;
    ev->sender.stats = &ev->stats;
    ev->sender.sockets = ev->sockets;
    ev->sender.icmp = (struct skua_icmp_sink){.icmp = on_icmp, .user = ev};
    ev->sender.refusals = (struct skua_refusal_sink){.refused = on_refused, .user = ev};
    skua_connector_init(&ev->connector, ev);
    skua_roam_init(&ev->roam, ev);
    enum skua_err err = build(ev, &c.endpoint);
    if (err != SKUA_OK) {
        int error = errno;
        destroy(ev);
        errno = error;
        return err;
    }
    skua_ev_start_watchers(ev);
    *out = ev;
    return SKUA_OK;
}

enum skua_err skua_ev_new(struct skua_ev **out, struct ev_loop *loop,
                          const struct skua_ev_config *config)
{
    return skua_ev_new_on(out, loop, config, &skua_sys_linux);
}

struct skua_endpoint *skua_ev_endpoint(struct skua_ev *ev)
{
    return ev->ep;
}

void *skua_ev_user(const struct skua_ev *ev)
{
    return ev->user;
}

struct ev_loop *skua_ev_loop(const struct skua_ev *ev)
{
    return ev->loop;
}

skua_time skua_ev_now(const struct skua_ev *ev)
{
    return ev->now;
}

int skua_ev_errno(const struct skua_ev *ev)
{
    return ev->last_errno;
}

void skua_ev_stats(const struct skua_ev *ev, struct skua_ev_stats *out)
{
    *out = ev->stats;
    out->sockets = ev->socket_count;
    out->attempts = ev->connector.count;
    for (uint32_t i = 0; i < ev->socket_count; i++) {
        out->sockets_gso += ev->sockets[i].gso;
        out->sockets_gro += ev->sockets[i].gro;
        out->sockets_fragmenting += ev->sockets[i].fragments;
    }
}
