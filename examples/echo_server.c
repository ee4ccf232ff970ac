/* An echo server on libev: every byte that arrives on a stream goes back on it.
 *
 *   echo_server [address]        as in: echo_server :7582
 *
 * It makes a new key at each start and prints its public half, which the client wants to know. */
#include <ev.h>
#include <stdio.h>

#include <skua/skua_ev.h>

/* Called when there is something to read, and again when there is room to write. */
static void echo(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    for (;;) {
        struct skua_vec vec;
        size_t count = 1;
        size_t written;
        enum skua_err err = skua_stream_peek(ep, event->stream, &vec, &count);
        if (err != SKUA_OK && err != SKUA_EAGAIN) {
            skua_stream_close(ep, event->stream); /* its end, or a reset: we are done with it too */
            return;
        }
        if (err == SKUA_EAGAIN ||
            skua_stream_write(ep, event->stream, vec.data, vec.len, &written) != SKUA_OK) {
            return; /* readable or writable will come again */
        }
        skua_stream_consume(ep, event->stream, written);
    }
}

static void finished(struct skua_ev *ev, const struct skua_event *event)
{
    skua_conn_close(skua_ev_endpoint(ev), event->conn); /* the client has said everything */
}

static void closed(struct skua_ev *ev, const struct skua_event *event)
{
    (void)ev;
    fprintf(stderr, "connection closed: %s\n", skua_strerror(event->error));
}

int main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : ":7582";
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    struct skua_ev *ev;
    char text[SKUA_KEY_TEXT_LEN];

    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    config.handlers.readable = echo;
    config.handlers.writable = echo;
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
