/* The public functions on datagrams. */
#include "endpoint/endpoint.h"

#include <string.h>

enum skua_err skua_conn_send_datagram(struct skua_endpoint *ep, skua_conn conn, const void *data,
                                      size_t len, skua_time lifetime_ns)
{
    struct skua_connection *c = skua_endpoint_conn(ep, conn);
    return c != NULL ? skua_connection_send_datagram(c, data, len, lifetime_ns) : SKUA_ECLOSED;
}

enum skua_err skua_conn_max_datagram(struct skua_endpoint *ep, skua_conn conn, size_t *len)
{
    const struct skua_connection *c = skua_endpoint_conn(ep, conn);
    *len = 0;
    return c != NULL ? skua_connection_max_datagram(c, len) : SKUA_ECLOSED;
}

enum skua_err skua_conn_peek_datagram(struct skua_endpoint *ep, skua_conn conn,
                                      struct skua_vec *out)
{
    const struct skua_connection *c = skua_endpoint_conn(ep, conn);
    *out = (struct skua_vec){.data = NULL};
    return c != NULL ? skua_connection_peek_datagram(c, out) : SKUA_ECLOSED;
}

enum skua_err skua_conn_drop_datagram(struct skua_endpoint *ep, skua_conn conn)
{
    struct skua_connection *c = skua_endpoint_conn(ep, conn);
    return c != NULL ? skua_connection_drop_datagram(c) : SKUA_ECLOSED;
}

enum skua_err skua_conn_recv_datagram(struct skua_endpoint *ep, skua_conn conn, void *out,
                                      size_t cap, size_t *len)
{
    struct skua_vec vec;
    enum skua_err err = skua_conn_peek_datagram(ep, conn, &vec);
    *len = vec.len;
    if (err != SKUA_OK) {
        return err;
    }
    if (vec.len > cap) {
        return SKUA_EMSGSIZE;
    }
    if (vec.len != 0) {
        memcpy(out, vec.data, vec.len);
    }
    return skua_conn_drop_datagram(ep, conn);
}
