/* A client that keeps its identity, and asks known_server twice: after the handshake, and then in
 * the first packet of the next connection, as early data, which saves a round trip.
 *
 *   known_client keyfile address serverkey text     address: numeric, as in 127.0.0.1:7582
 *
 * Early data need a token of the server's, Noise IK (which needs its key), and skua_conn_connect:
 * what is written before the loop's next turn travels in the SYN. */
#include <ev.h>
#include <stdio.h>
#include <string.h>

#include <skua/skua_ev.h>

static struct skua_path path;
static struct skua_key server;
static struct skua_token token; /* a secret between the server and us; len 0 = none yet */
static const char *text;
static int answers;
static bool early; /* the server has taken what came with the SYN */
static int status = 1;

static void ask(struct skua_ev *ev)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    skua_conn conn;
    skua_stream stream;
    config.server_key = &server;
    config.ik = true;
    config.tokens = true;
    config.token = token.len != 0 ? &token : NULL;
    enum skua_err err = skua_conn_connect(ep, &path, &config, &conn);
    skua_wipe(&token, sizeof token); /* once only */
    if (err == SKUA_OK) {
        err = skua_stream_open(ep, conn, SKUA_STREAM_BIDI | SKUA_STREAM_MESSAGES, &stream);
    }
    if (err == SKUA_OK) {
        err = skua_stream_send_message(ep, stream, text, strlen(text));
    }
    if (err != SKUA_OK) {
        fprintf(stderr, "known_client: %s\n", skua_strerror(err));
        skua_ev_free(ev);
    }
}

/* The first connection is over when the answer and the token have come, the second with the
 * answer. `closed` follows. */
static void close_if_done(struct skua_ev *ev, skua_conn conn)
{
    if (answers == 2 || (answers == 1 && token.len != 0)) {
        skua_conn_close(skua_ev_endpoint(ev), conn);
    }
}

static void established(struct skua_ev *ev, const struct skua_event *event)
{
    (void)ev;
    early = event->early;
}

static void readable(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    char answer[2000];
    size_t len;
    enum skua_err err = skua_stream_recv_message(ep, event->stream, answer, sizeof answer, &len);
    if (err == SKUA_OK) {
        printf("%.*s%s\n", (int)len, answer, early ? " (early)" : "");
        answers++;
        close_if_done(ev, event->conn);
    } else if (err != SKUA_EAGAIN) {
        skua_conn_abort(ep, event->conn, 1, "no answer");
        fprintf(stderr, "known_client: no answer\n");
    }
}

static void on_token(struct skua_ev *ev, const struct skua_event *event)
{
    if (skua_conn_token(skua_ev_endpoint(ev), event->conn, &token) == SKUA_OK) {
        close_if_done(ev, event->conn);
    }
}

static void closed(struct skua_ev *ev, const struct skua_event *event)
{
    if (event->error != SKUA_OK) {
        fprintf(stderr, "known_client: %s %s\n", skua_strerror(event->error), event->reason);
    } else if (answers == 1) {
        ask(ev);
    } else {
        status = 0;
    }
}

/* The text form of a secret key, on a line of its own. */
static bool read_key(struct skua_secret_key *out, const char *name)
{
    char line[SKUA_KEY_TEXT_LEN + 1] = "";
    bool ok = false;
    FILE *file = fopen(name, "r");
    if (file != NULL) {
        setvbuf(file, NULL, _IONBF, 0); /* no copy of it in a buffer of stdio's */
        if (fgets(line, sizeof line, file) != NULL) {
            line[strcspn(line, "\n")] = '\0';
            ok = skua_secret_key_parse(out, line) == SKUA_OK;
        }
        fclose(file);
    }
    skua_wipe(line, sizeof line);
    return ok;
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    struct skua_secret_key secret;
    struct skua_ev *ev;

    if (argc != 5 || skua_init() != SKUA_OK ||
        skua_ev_addr_parse(&path.remote, argv[2]) != SKUA_OK ||
        skua_key_parse(&server, argv[3]) != SKUA_OK) {
        fprintf(stderr, "usage: known_client keyfile address serverkey text\n");
        return 2;
    }
    if (!read_key(&secret, argv[1])) {
        fprintf(stderr, "known_client: no secret key in %s\n", argv[1]);
        return 1;
    }
    text = argv[4];
    config.endpoint.key = &secret; /* copied by skua_ev_new */
    config.handlers.established = established;
    config.handlers.readable = readable;
    config.handlers.token = on_token;
    config.handlers.closed = closed;
    enum skua_err err = skua_ev_new(&ev, loop, &config);
    skua_wipe(&secret, sizeof secret);
    if (err == SKUA_OK) { /* the first socket: path.socket is 0 */
        err = skua_ev_bind(ev, path.remote.family == SKUA_FAMILY_IPV6 ? "[::]:0" : "0.0.0.0:0");
    }
    if (err != SKUA_OK) {
        fprintf(stderr, "known_client: %s\n", skua_strerror(err));
        return 1;
    }
    ask(ev);
    ev_run(loop, 0); /* returns when the second connection is over */
    skua_wipe(&token, sizeof token);
    return status;
}
