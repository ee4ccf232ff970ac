/* The sockets of a driver: bind, listen, and those that outgoing connections need: see skua_ev.h.
 */
#include <errno.h>

#include "io/address.h"
#include "io/driver.h"

/* Times that another port is asked for where the kernel's choice for one family is taken in the
 * other. */
enum { PORT_TRIES = 16 };

/* Opens the next socket. */
static enum skua_err open_socket(struct skua_ev *ev, const struct skua_addr *local)
{
    uint32_t index = ev->socket_count;
    if (index == SKUA_MAX_SOCKETS) {
        return SKUA_ELIMIT;
    }
    enum skua_err err = skua_socket_open(&ev->sockets[index], ev->sys, local, &ev->socket_options);
    if (err != SKUA_OK) {
        ev->last_errno = err == SKUA_ESYSTEM ? errno : ev->last_errno;
        return err;
    }
    ev->local_only[index] = false;
    ev->own[index] = false;
    ev->socket_count++;
    skua_ev_watch_socket(ev, index);
    return SKUA_OK;
}

/* One socket of each family with the same port; one family will do. */
static enum skua_err open_both(struct skua_ev *ev, uint16_t port)
{
    enum skua_err err = SKUA_EADDRINUSE;
    uint32_t before = ev->socket_count;
    for (unsigned i = 0; i < PORT_TRIES && err == SKUA_EADDRINUSE; i++) {
        struct skua_addr v4 = {.family = SKUA_FAMILY_IPV4, .port = port};
        struct skua_addr v6 = {.family = SKUA_FAMILY_IPV6, .port = port};
        enum skua_err err6 = open_socket(ev, &v6);
        if (err6 != SKUA_OK && err6 != SKUA_EADDR) {
            return err6;
        }
        if (err6 == SKUA_OK) {
            v4.port = ev->sockets[before].local.port;
        }
        err = open_socket(ev, &v4);
        if (err == SKUA_EADDR && err6 == SKUA_OK) {
            return SKUA_OK;
        }
        if (err != SKUA_OK) {
            skua_ev_drop_sockets(ev, before);
        }
        if (port != 0) {
            break;
        }
    }
    return err;
}

enum skua_err skua_ev_bind(struct skua_ev *ev, const char *address)
{
    struct skua_bind_spec spec;
    if (address == NULL || !skua_address_parse_bind(&spec, address)) {
        return SKUA_EADDR;
    }
    return spec.both ? open_both(ev, spec.addr.port) : open_socket(ev, &spec.addr);
}

enum skua_err skua_ev_listen(struct skua_ev *ev, const char *address,
                             const struct skua_listen_config *config)
{
    const struct skua_listen_config defaults = SKUA_LISTEN_CONFIG_INIT;
    uint32_t before = ev->socket_count;
    if (address == NULL && before == 0) {
        return SKUA_EINVAL;
    }
    enum skua_err err = address == NULL ? SKUA_OK : skua_ev_bind(ev, address);
    if (err == SKUA_OK) {
        err = skua_endpoint_listen(ev->ep, config == NULL ? &defaults : config);
    }
    if (err != SKUA_OK) {
        skua_ev_drop_sockets(ev, before);
        return err;
    }
    for (uint32_t i = before; i < ev->socket_count; i++) {
        ev->local_only[i] = skua_address_is_loopback(&ev->sockets[i].local);
    }
    ev->listening = true;
    skua_ev_update_hold(ev);
    return SKUA_OK;
}

enum skua_err skua_ev_unlisten(struct skua_ev *ev)
{
    ev->listening = false;
    return skua_endpoint_unlisten(ev->ep);
}

enum skua_err skua_ev_local_addr(const struct skua_ev *ev, uint32_t index, struct skua_addr *out)
{
    if (index >= ev->socket_count) {
        return SKUA_EINVAL;
    }
    *out = ev->sockets[index].local;
    return SKUA_OK;
}

/* A wildcard socket for outgoing connections. */
static enum skua_err open_own(struct skua_ev *ev, uint8_t family, uint32_t *index)
{
    const struct skua_addr any = {.family = family};
    *index = ev->socket_count;
    enum skua_err err = open_socket(ev, &any);
    if (err == SKUA_OK) {
        ev->own[*index] = true;
    }
    return err;
}

/* May a connection to `remote` be made from socket `index`? */
static bool serves(const struct skua_ev *ev, uint32_t index, const struct skua_addr *remote)
{
    return ev->sockets[index].local.family == remote->family &&
           (!ev->local_only[index] || skua_address_is_loopback(remote));
}

enum skua_err skua_ev_outgoing_socket(struct skua_ev *ev, const struct skua_addr *remote,
                                      uint32_t *index)
{
    uint32_t i = 0;
    while (i < ev->socket_count && !serves(ev, i, remote)) {
        i++;
    }
    *index = i;
    enum skua_err err = i < ev->socket_count ? SKUA_OK : open_own(ev, remote->family, index);
    if (err == SKUA_OK && ev->sockets[*index].wildcard) {
        skua_roam_watch(&ev->roam);
    }
    return err;
}

/* A fresh socket, and so a fresh port, in the place of one that nobody uses any more. */
static enum skua_err renew(struct skua_ev *ev, uint32_t index)
{
    const struct skua_addr any = {.family = ev->sockets[index].local.family};
    struct skua_socket fresh;
    enum skua_err err = skua_socket_open(&fresh, ev->sys, &any, &ev->socket_options);
    if (err == SKUA_OK) {
        skua_ev_stop_io(ev, &ev->readers[index]);
        skua_ev_stop_io(ev, &ev->writers[index]);
        skua_socket_close(&ev->sockets[index], ev->sys);
        ev->sockets[index] = fresh;
        skua_ev_watch_socket(ev, index);
    }
    return err;
}

enum skua_err skua_ev_other_socket(struct skua_ev *ev, uint32_t index, uint32_t lost,
                                   uint32_t taken, uint32_t *out)
{
    uint8_t family = ev->sockets[index].local.family;
    for (uint32_t i = 0; i < ev->socket_count; i++) {
        const struct skua_socket *sock = &ev->sockets[i];
        if (i == index || !ev->own[i] || sock->local.family != family) {
            continue;
        }
        *out = i;
        bool gone = (lost >> i & 1) != 0;
        if ((taken >> i & 1) == 0 && (gone || sock->used.family == SKUA_FAMILY_NONE)) {
            return renew(ev, i);
        }
        if (!gone) {
            return SKUA_OK;
        }
    }
    return open_own(ev, family, out);
}
