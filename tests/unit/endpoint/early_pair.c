/* What tests of early data share: see early_pair.h. */
#include "early_pair.h"

uint64_t early_verdicts(struct pair *p, int at, enum skua_verdict verdict)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(p->host[at].ep, &stats);
    return stats.verdicts[verdict];
}

struct skua_conn_config early_asking(struct pair *p)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    config.tokens = true;
    config.ik = true;
    config.server_key = skua_endpoint_key(p->host[SERVER].ep);
    return config;
}

struct skua_listen_config early_giving(void)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    config.early_data = true;
    return config;
}

void early_forget(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        memset(p->host[i].events, 0, sizeof p->host[i].events);
        memset(p->host[i].seen, 0, sizeof p->host[i].seen);
        p->host[i].stream = 0;
    }
}

void early_close_both(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        (void)skua_conn_close(p->host[i].ep, p->host[i].conn);
    }
    pair_run(p, 20 * p->delay);
}

struct skua_token early_earn(struct pair *p)
{
    struct skua_token token;
    struct skua_conn_config config = early_asking(p);
    struct host *client = &p->host[CLIENT];
    (void)pair_connect(p, &config);
    pair_run(p, 10 * p->delay);
    assert_true(client->events[SKUA_EVENT_TOKEN] > 0);
    assert_int_equal(skua_conn_token(client->ep, client->conn, &token), SKUA_OK);
    early_close_both(p);
    early_forget(p);
    return token;
}

void early_open(struct pair *p, const struct skua_listen_config *config)
{
    const struct skua_listen_config defaults = early_giving();
    pair_open(p);
    pair_listen(p, config != NULL ? config : &defaults);
}

bool early_tap(struct pair *pair, int from, const uint8_t *data, size_t len)
{
    struct early_tap *t = pair->user;
    if (from == CLIENT && data[0] == SKUA_FIRST_BYTE(SKUA_PACKET_SYN)) {
        assert_true(len <= sizeof t->syn);
        memcpy(t->syn, data, len);
        t->len = len;
    }
    return from == CLIENT ? t->deaf : t->mute;
}

struct skua_path early_elsewhere(uint16_t port)
{
    struct skua_path path = {.socket = 0};
    path.remote.family = SKUA_FAMILY_IPV4;
    path.remote.ip[0] = 192;
    path.remote.port = port;
    return path;
}

struct skua_token early_begin(struct pair *p, struct early_tap *t,
                              const struct skua_listen_config *config)
{
    early_open(p, config);
    const struct skua_token token = early_earn(p);
    if (t != NULL) {
        p->drop = early_tap;
        p->user = t;
    }
    return token;
}

skua_stream early_call(struct pair *p, const struct skua_token *token, const char *text)
{
    struct skua_conn_config config = early_asking(p);
    struct host *client = &p->host[CLIENT];
    skua_stream stream;
    size_t n;
    config.token = token;
    (void)pair_connect(p, &config);
    assert_int_equal(skua_stream_open(client->ep, client->conn, SKUA_STREAM_BIDI, &stream),
                     SKUA_OK);
    assert_int_equal(skua_stream_write(client->ep, stream, text, strlen(text), &n), SKUA_OK);
    assert_int_equal(n, strlen(text));
    assert_int_equal(skua_stream_finish(client->ep, stream), SKUA_OK);
    return stream;
}

void early_reads(struct pair *p, int at, skua_stream stream, const char *text)
{
    char got[2000];
    size_t n = 0;
    struct skua_endpoint *ep = p->host[at].ep;
    assert_int_equal(skua_stream_read(ep, stream, got, sizeof got, &n), SKUA_OK);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(got, text, n);
    assert_int_equal(skua_stream_read(ep, stream, got, sizeof got, &n), SKUA_EOF);
}

void early_came_through(struct pair *p, const char *text, bool early)
{
    struct host *client = &p->host[CLIENT], *server = &p->host[SERVER];
    assert_int_equal(client->events[SKUA_EVENT_ESTABLISHED], 1);
    assert_int_equal(client->seen[SKUA_EVENT_ESTABLISHED].early, early);
    assert_int_equal(server->events[SKUA_EVENT_INCOMING], 1);
    assert_int_equal(server->seen[SKUA_EVENT_INCOMING].early, early);
    assert_int_equal(server->events[SKUA_EVENT_ESTABLISHED], early);
    assert_int_equal(server->events[SKUA_EVENT_STREAM], 1);
    struct skua_stream_info info;
    assert_int_equal(skua_stream_info(server->ep, server->stream, &info), SKUA_OK);
    assert_int_equal(info.early, early ? strlen(text) : 0);
    early_reads(p, SERVER, server->stream, text);
    assert_int_equal(server->ep->early_count, 0);
    early_close_both(p);
    assert_int_equal(client->closed.error, SKUA_OK);
    assert_int_equal(server->closed.error, SKUA_OK);
}

void early_inject(struct pair *p, const struct early_tap *t, uint16_t port)
{
    const struct skua_path path = early_elsewhere(port);
    pair_inject_along(p, SERVER, &path, t->syn, t->len);
}
