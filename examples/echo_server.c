/* An echo server on libev: every byte that arrives on a stream goes back on it.
 *
 *   echo_server [address]        as in: echo_server :7582
 *
 * It makes a new key at each start and prints its public half, which the client wants to know. */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

#include <skua/skua_ev.h>

/* A connection: it is closed when the client has said everything, and has all of it back. */
struct client {
    unsigned streams; /* open here */
    bool finished;    /* the client has shut down */
};

static void close_if_over(struct skua_endpoint *ep, skua_conn conn, const struct client *client)
{
    if (client->finished && client->streams == 0) {
        skua_conn_close(ep, conn); /* what was written is still delivered; `closed` follows */
    }
}

static void incoming(struct skua_ev *ev, const struct skua_event *event)
{
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        skua_conn_refuse(skua_ev_endpoint(ev), event->conn, SKUA_CODE_OVERLOAD);
        return;
    }
    skua_conn_accept(skua_ev_endpoint(ev), event->conn, client);
}

static void stream(struct skua_ev *ev, const struct skua_event *event)
{
    struct client *client = event->user;
    (void)ev;
    client->streams++; /* `readable` follows when there is something to read */
}

/* Called when there is something to read, when there is room to write again, and when the client
 * wants no more: then the next write says so. */
static void echo(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    struct client *client = event->user;
    enum skua_err err = SKUA_OK;
    while (err == SKUA_OK) {
        struct skua_vec vec;
        size_t count = 1;
        size_t written;
        err = skua_stream_peek(ep, event->stream, &vec, &count);
        if (err == SKUA_OK) {
            err = skua_stream_write(ep, event->stream, vec.data, vec.len, &written);
        }
        if (err == SKUA_OK) {
            skua_stream_consume(ep, event->stream, written);
        }
    }
    if (err != SKUA_EAGAIN) { /* its end, a reset, or nobody wants it: nothing will come again */
        skua_stream_close(ep, event->stream);
        client->streams--;
        close_if_over(ep, event->conn, client);
    }
}

static void finished(struct skua_ev *ev, const struct skua_event *event)
{
    struct client *client = event->user;
    client->finished = true; /* what has arrived may still wait to be read, or to be sent back */
    close_if_over(skua_ev_endpoint(ev), event->conn, client);
}

static void closed(struct skua_ev *ev, const struct skua_event *event)
{
    (void)ev;
    fprintf(stderr, "connection closed: %s\n", skua_strerror(event->error));
    free(event->user);
}

int main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : ":7582";
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    struct skua_ev *ev;
    char text[SKUA_KEY_TEXT_LEN];

    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    config.handlers.incoming = incoming;
    config.handlers.stream = stream;
    config.handlers.readable = echo;
    config.handlers.writable = echo;
    config.handlers.stopped = echo;
    config.handlers.finished = finished;
    config.handlers.closed = closed;
    enum skua_err err = skua_ev_new(&ev, loop, &config);
    if (err == SKUA_OK) {
        err = skua_ev_listen(ev, address, NULL);
    }
    if (err != SKUA_OK) {
        fprintf(stderr, "echo_server: cannot listen on %s: %s\n", address, skua_strerror(err));
        return 1;
    }
    skua_key_format(text, skua_endpoint_key(skua_ev_endpoint(ev)));
    printf("listening on %s, key %s\n", address, text);
    fflush(stdout);
    ev_run(loop, 0);
    return 0;
}
