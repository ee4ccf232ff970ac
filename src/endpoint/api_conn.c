/* The public functions on connections: handles in, verbs of conn/ out. */
#include "endpoint/endpoint.h"

#include <string.h>

/* The settings that `config` asks for; those of the newest connection where they are the same. */
static enum skua_err make_settings(struct skua_endpoint *ep, const struct skua_conn_config *config,
                                   struct skua_settings **out)
{
    struct skua_settings value;
    enum skua_err err = skua_settings_resolve(&value, config);
    if (err == SKUA_OK) {
        struct skua_node *node = skua_list_last(&ep->conns);
        struct skua_settings *like =
            node != NULL ? SKUA_CONTAINER_OF(node, struct skua_connection, all_link)->settings
                         : NULL;
        *out = skua_settings_share(&ep->env.heap, &value, like);
        err = *out != NULL ? SKUA_OK : SKUA_ENOMEM;
        skua_wipe(&value, sizeof value);
    }
    return err;
}

enum skua_err skua_conn_config_check(const struct skua_conn_config *config)
{
    struct skua_settings settings;
    enum skua_err err = skua_settings_resolve(&settings, config);
    if (err == SKUA_OK && config != NULL && config->token != NULL &&
        !skua_early_fits(&settings, config->token)) {
        err = SKUA_EINVAL;
    }
    skua_wipe(&settings, sizeof settings);
    return err;
}

enum skua_err skua_conn_connect(struct skua_endpoint *ep, const struct skua_path *path,
                                const struct skua_conn_config *config, skua_conn *out)
{
    *out = 0;
    if (path->socket >= SKUA_MAX_SOCKETS || path->remote.port == 0 ||
        (path->remote.family != SKUA_FAMILY_IPV4 && path->remote.family != SKUA_FAMILY_IPV6)) {
        return SKUA_EINVAL;
    }
    struct skua_settings *settings;
    enum skua_err err = make_settings(ep, config, &settings);
    if (err != SKUA_OK) {
        return err;
    }
    if (settings->rendezvous && skua_addr_equal(&path->local, &path->remote)) {
        skua_settings_drop(&ep->env.heap, settings);
        return SKUA_EINVAL;
    }
    const struct skua_id id = skua_demux_new_id(ep, false);
    struct skua_connection *c;
    err = skua_connection_connect(&c, &ep->env, settings, path, &id,
                                  config != NULL ? config->token : NULL);
    skua_settings_drop(&ep->env.heap, settings);
    if (err != SKUA_OK) {
        return err;
    }
    c->user = config != NULL ? config->user : NULL;
    err = c->settings->rendezvous ? skua_rendezvous_add(ep, c) : SKUA_OK;
    if (err == SKUA_OK) {
        err = skua_outbox_adopt(ep, c);
    }
    if (err != SKUA_OK) {
        skua_rendezvous_remove(ep, c);
        skua_connection_free(c);
        return err;
    }
    *out = c->handle;
    return SKUA_OK;
}

enum skua_err skua_conn_accept(struct skua_endpoint *ep, skua_conn conn, void *user)
{
    struct skua_connection *c = skua_endpoint_conn(ep, conn);
    if (c == NULL) {
        return SKUA_ECLOSED;
    }
    if (c->accepted) {
        return SKUA_ESTATE;
    }
    ep->accept_queue--;
    skua_connection_take(c, user);
    return SKUA_OK;
}

enum skua_err skua_conn_refuse(struct skua_endpoint *ep, skua_conn conn, enum skua_code code)
{
    struct skua_connection *c = skua_endpoint_conn(ep, conn);
    if (c == NULL) {
        return SKUA_ECLOSED;
    }
    if (c->accepted) {
        return SKUA_ESTATE;
    }
    skua_outbox_disown(ep, c);
    skua_connection_abort(c, false, (uint64_t)code, "");
    return SKUA_OK;
}

enum skua_err skua_conn_shutdown(struct skua_endpoint *ep, skua_conn conn)
{
    struct skua_connection *c = skua_endpoint_conn(ep, conn);
    return c == NULL ? SKUA_ECLOSED : skua_connection_shutdown(c);
}

enum skua_err skua_conn_close(struct skua_endpoint *ep, skua_conn conn)
{
    struct skua_connection *c = skua_endpoint_conn(ep, conn);
    return c == NULL ? SKUA_ECLOSED : skua_connection_close(c);
}

enum skua_err skua_conn_abort(struct skua_endpoint *ep, skua_conn conn, uint64_t code,
                              const char *reason)
{
    struct skua_connection *c = skua_endpoint_conn(ep, conn);
    if (c == NULL) {
        return SKUA_ECLOSED;
    }
    if (code > SKUA_VARINT_MAX) {
        return SKUA_EINVAL;
    }
    skua_outbox_disown(ep, c);
    skua_connection_abort(c, true, code, reason);
    return SKUA_OK;
}

enum skua_err skua_conn_set_user(struct skua_endpoint *ep, skua_conn conn, void *user)
{
    struct skua_connection *c = skua_endpoint_conn(ep, conn);
    if (c == NULL) {
        return SKUA_ECLOSED;
    }
    c->user = user;
    return SKUA_OK;
}

enum skua_err skua_conn_user(struct skua_endpoint *ep, skua_conn conn, void **out)
{
    const struct skua_connection *c = skua_endpoint_conn(ep, conn);
    if (c == NULL) {
        return SKUA_ECLOSED;
    }
    *out = c->user;
    return SKUA_OK;
}

enum skua_err skua_conn_peer_key(struct skua_endpoint *ep, skua_conn conn, struct skua_key *out)
{
    const struct skua_connection *c = skua_endpoint_conn(ep, conn);
    if (c == NULL) {
        return SKUA_ECLOSED;
    }
    if (c->suite == 0) {
        return SKUA_ESTATE;
    }
    *out = c->peer_key;
    return SKUA_OK;
}

enum skua_err skua_conn_path(struct skua_endpoint *ep, skua_conn conn, struct skua_path *out)
{
    const struct skua_connection *c = skua_endpoint_conn(ep, conn);
    if (c == NULL) {
        return SKUA_ECLOSED;
    }
    *out = c->path;
    return SKUA_OK;
}

skua_conn skua_endpoint_next_conn(struct skua_endpoint *ep, skua_conn conn)
{
    struct skua_node *node = skua_list_first(&ep->conns);
    if (conn != 0) {
        struct skua_connection *c = skua_endpoint_conn(ep, conn);
        node = c == NULL ? NULL : skua_list_next(&ep->conns, &c->all_link);
    }
    for (; node != NULL; node = skua_list_next(&ep->conns, node)) {
        const struct skua_connection *c = SKUA_CONTAINER_OF(node, struct skua_connection, all_link);
        if (c->handle != 0 && (c->accepted || c->told)) {
            return c->handle;
        }
    }
    return 0;
}

enum skua_err skua_conn_migrate(struct skua_endpoint *ep, skua_conn conn,
                                const struct skua_path *path)
{
    struct skua_connection *c = skua_endpoint_conn(ep, conn);
    if (c == NULL) {
        return SKUA_ECLOSED;
    }
    return path->socket < SKUA_MAX_SOCKETS ? skua_connection_migrate(c, path) : SKUA_EINVAL;
}

enum skua_err skua_conn_state(struct skua_endpoint *ep, skua_conn conn, enum skua_state *out)
{
    const struct skua_connection *c = skua_endpoint_conn(ep, conn);
    if (c == NULL) {
        return SKUA_ECLOSED;
    }
    *out = c->state;
    return SKUA_OK;
}

enum skua_err skua_conn_token(struct skua_endpoint *ep, skua_conn conn, struct skua_token *out)
{
    struct skua_connection *c = skua_endpoint_conn(ep, conn);
    *out = (struct skua_token){.len = 0};
    return c == NULL ? SKUA_ECLOSED : skua_connection_token(c, out);
}

enum skua_err skua_conn_export(struct skua_endpoint *ep, skua_conn conn, const char *label,
                               void *out, size_t len)
{
    const struct skua_connection *c = skua_endpoint_conn(ep, conn);
    return c == NULL ? SKUA_ECLOSED : skua_connection_export(c, label, out, len);
}

enum skua_err skua_conn_update_keys(struct skua_endpoint *ep, skua_conn conn)
{
    struct skua_connection *c = skua_endpoint_conn(ep, conn);
    return c == NULL ? SKUA_ECLOSED : skua_connection_update_keys(c);
}

enum skua_err skua_conn_ping(struct skua_endpoint *ep, skua_conn conn)
{
    struct skua_connection *c = skua_endpoint_conn(ep, conn);
    return c == NULL ? SKUA_ECLOSED : skua_connection_ping(c);
}

enum skua_err skua_conn_stats(struct skua_endpoint *ep, skua_conn conn, struct skua_conn_stats *out)
{
    const struct skua_connection *c = skua_endpoint_conn(ep, conn);
    if (c == NULL) {
        return SKUA_ECLOSED;
    }
    skua_connection_stats(c, out);
    return SKUA_OK;
}
