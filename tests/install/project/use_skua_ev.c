/* An outside program on libskua_ev, compiled as C and as C++: a server and a client on one loop,
 * one word from one to the other. Exit code 0 only where the word arrived and both ended in order.
 */
#include <stdio.h>
#include <string.h>

#include <ev.h>
#include <skua/skua_ev.h>

struct side {
    char word[16]; /* what the server has read */
    size_t len;
    int closed; /* closed events with SKUA_OK */
};

static void on_established(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    skua_stream stream;
    size_t written = 0;
    if (skua_stream_open(ep, event->conn, SKUA_STREAM_UNI, &stream) == SKUA_OK) {
        skua_stream_write(ep, stream, "puffin", 6, &written);
        skua_stream_finish(ep, stream);
    }
    skua_conn_close(ep, event->conn);
}

static void on_readable(struct skua_ev *ev, const struct skua_event *event)
{
    struct side *side = (struct side *)skua_ev_user(ev);
    size_t got = 0;
    while (skua_stream_read(skua_ev_endpoint(ev), event->stream, side->word + side->len,
                            sizeof side->word - side->len, &got) == SKUA_OK &&
           got > 0) {
        side->len += got;
    }
}

static void on_finished(struct skua_ev *ev, const struct skua_event *event)
{
    skua_conn_close(skua_ev_endpoint(ev), event->conn);
}

static void on_closed(struct skua_ev *ev, const struct skua_event *event)
{
    struct side *side = (struct side *)skua_ev_user(ev);
    if (event->error == SKUA_OK) {
        side->closed++;
    } else {
        fprintf(stderr, "closed: %s\n", skua_strerror(event->error));
    }
    if (side->len > 0) {
        skua_ev_unlisten(ev); /* the server has what it waited for: let the loop end */
    }
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    fprintf(stderr, "no result in time\n");
    ev_break(loop, EVBREAK_ALL);
}

int main(void)
{
    static const unsigned char server_bytes[SKUA_KEY_LEN] = {1};
    static const unsigned char client_bytes[SKUA_KEY_LEN] = {2};
    struct ev_loop *loop = ev_default_loop(0);
    struct skua_secret_key server_key;
    struct skua_secret_key client_key;
    struct side server_side;
    struct side client_side;
    struct skua_ev *server = NULL;
    struct skua_ev *client = NULL;
    struct skua_addr addr;
    ev_timer deadline;
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;

    memcpy(server_key.bytes, server_bytes, sizeof server_bytes);
    memcpy(client_key.bytes, client_bytes, sizeof client_bytes);
    memset(&server_side, 0, sizeof server_side);
    memset(&client_side, 0, sizeof client_side);
    config.handlers.closed = on_closed;
    config.handlers.readable = on_readable;
    config.handlers.finished = on_finished;
    config.endpoint.key = &server_key;
    config.user = &server_side;
    if (skua_ev_new(&server, loop, &config) != SKUA_OK ||
        skua_ev_listen(server, "127.0.0.1:0", NULL) != SKUA_OK ||
        skua_ev_local_addr(server, 0, &addr) != SKUA_OK) {
        return 1;
    }
    config.handlers.established = on_established;
    config.endpoint.key = &client_key;
    config.user = &client_side;
    if (skua_ev_new(&client, loop, &config) != SKUA_OK ||
        skua_ev_connect(client, "127.0.0.1", addr.port, NULL, NULL) != SKUA_OK) {
        return 2;
    }
    ev_timer_init(&deadline, on_deadline, 20., 0.);
    ev_timer_start(loop, &deadline);
    ev_unref(loop);
    ev_run(loop, 0);
    skua_ev_free(client);
    skua_ev_free(server);
    printf("\"%.*s\", closed %d and %d\n", (int)server_side.len, server_side.word,
           server_side.closed, client_side.closed);
    return server_side.len == 6 && memcmp(server_side.word, "puffin", 6) == 0 &&
                   server_side.closed == 1 && client_side.closed == 1
               ? 0
               : 3;
}
