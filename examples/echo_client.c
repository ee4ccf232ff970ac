/* An echo client on libev: sends a text and prints what comes back.
 *
 *   echo_client host port key text        key: what echo_server printed */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skua/skua_ev.h>

static const char *text;
static int status = 1;

static void established(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    skua_stream stream;
    size_t written = 0;
    enum skua_err err = skua_stream_open(ep, event->conn, SKUA_STREAM_BIDI, &stream);
    if (err == SKUA_OK) {
        err = skua_stream_write(ep, stream, text, strlen(text), &written);
    }
    if (err != SKUA_OK || written != strlen(text)) {
        skua_conn_abort(ep, event->conn, 1, "cannot send"); /* a command line fits the window */
        return;
    }
    skua_stream_finish(ep, stream);
}

static void readable(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    char buffer[4096];
    size_t len;
    enum skua_err err;
    while ((err = skua_stream_read(ep, event->stream, buffer, sizeof buffer, &len)) == SKUA_OK) {
        fwrite(buffer, 1, len, stdout);
    }
    if (err == SKUA_EOF) {
        putchar('\n');
        status = 0;
    }
    if (err != SKUA_EAGAIN) {
        skua_conn_close(ep, event->conn); /* closed follows, and the loop ends */
    }
}

static void closed(struct skua_ev *ev, const struct skua_event *event)
{
    (void)ev;
    if (event->error != SKUA_OK) {
        fprintf(stderr, "echo_client: %s %s\n", skua_strerror(event->error), event->reason);
        status = 1;
    }
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    struct skua_conn_config conn = SKUA_CONN_CONFIG_INIT;
    struct skua_key server;
    struct skua_ev *ev;

    if (argc != 5 || skua_key_parse(&server, argv[3]) != SKUA_OK) {
        fprintf(stderr, "usage: echo_client host port key text\n");
        return 2;
    }
    text = argv[4];
    conn.server_key = &server;
    config.handlers.established = established;
    config.handlers.readable = readable;
    config.handlers.closed = closed;
    enum skua_err err = skua_ev_new(&ev, loop, &config);
    if (err == SKUA_OK) {
        err = skua_ev_connect(ev, argv[1], (uint16_t)atoi(argv[2]), &conn, NULL);
    }
    if (err != SKUA_OK) {
        fprintf(stderr, "echo_client: %s\n", skua_strerror(err));
        return 1;
    }
    ev_run(loop, 0); /* returns when the connection is over */
    skua_ev_free(ev);
    return status;
}
