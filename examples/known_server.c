/* A server that keeps its identity and knows its clients: it answers their questions.
 *
 *   known_server keyfile address clientkey...       keyfile: what `skua keygen keyfile` has written
 *
 * Only clients with one of these public keys get a connection. A question is a message on a stream
 * of the client's, and may come as early data (known_client.c asks so the second time): before the
 * handshake is over. Such a question could be asked of another server again by somebody who has
 * recorded it, so that answering must change nothing. */
#include <ev.h>
#include <stdio.h>
#include <string.h>

#include <skua/skua_ev.h>

enum { CLIENTS_MAX = 64, QUESTION_MAX = 1000 };

static struct skua_key clients[CLIENTS_MAX];
static int client_count;

static bool allow(void *user, const struct skua_key *key, const struct skua_path *path)
{
    (void)user;
    (void)path;
    for (int i = 0; i < client_count; i++) {
        if (memcmp(&clients[i], key, sizeof *key) == 0) { /* public keys are no secrets */
            return true;
        }
    }
    return false;
}

static void readable(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    char text[7 + QUESTION_MAX] = "hello, ";
    size_t len;
    enum skua_err err;
    do {
        err = skua_stream_recv_message(ep, event->stream, text + 7, QUESTION_MAX, &len);
        if (err == SKUA_OK) {
            err = skua_stream_send_message(ep, event->stream, text, 7 + len);
            err = err == SKUA_EAGAIN ? SKUA_ELIMIT : err; /* who reads no answers gets no more */
        }
    } while (err == SKUA_OK);
    if (err == SKUA_EOF) {
        skua_stream_close(ep, event->stream); /* the answers are still delivered */
    } else if (err != SKUA_EAGAIN) {
        skua_stream_reset(ep, event->stream, 1); /* too long a question, say: no clean end */
        skua_stream_close(ep, event->stream);
    }
}

static void finished(struct skua_ev *ev, const struct skua_event *event)
{
    /* Nothing is left unread: what each stream held was answered when it came, before this. */
    skua_conn_close(skua_ev_endpoint(ev), event->conn);
}

/* The text form of a secret key, on a line of its own. */
static bool read_key(struct skua_secret_key *out, const char *name)
{
    char text[SKUA_KEY_TEXT_LEN + 1] = "";
    bool ok = false;
    FILE *file = fopen(name, "r");
    if (file != NULL) {
        setvbuf(file, NULL, _IONBF, 0); /* no copy of it in a buffer of stdio's */
        if (fgets(text, sizeof text, file) != NULL) {
            text[strcspn(text, "\n")] = '\0';
            ok = skua_secret_key_parse(out, text) == SKUA_OK;
        }
        fclose(file);
    }
    skua_wipe(text, sizeof text);
    return ok;
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    struct skua_listen_config listen = SKUA_LISTEN_CONFIG_INIT;
    struct skua_secret_key secret;
    struct skua_ev *ev;
    char text[SKUA_KEY_TEXT_LEN];

    bool ok = argc >= 3 && argc - 3 <= CLIENTS_MAX && skua_init() == SKUA_OK;
    for (int i = 3; ok && i < argc; i++) {
        ok = skua_key_parse(&clients[client_count++], argv[i]) == SKUA_OK;
    }
    if (!ok) {
        fprintf(stderr, "usage: known_server keyfile address clientkey...\n");
        return 2;
    }
    if (!read_key(&secret, argv[1])) {
        fprintf(stderr, "known_server: no secret key in %s\n", argv[1]);
        return 1;
    }
    config.endpoint.key = &secret; /* copied by skua_ev_new */
    config.handlers.readable = readable;
    config.handlers.finished = finished;
    listen.allow = allow;
    listen.early_data = true;
    enum skua_err err = skua_ev_new(&ev, loop, &config);
    skua_wipe(&secret, sizeof secret);
    if (err == SKUA_OK) {
        err = skua_ev_listen(ev, argv[2], &listen);
    }
    if (err != SKUA_OK) {
        fprintf(stderr, "known_server: cannot listen on %s: %s\n", argv[2], skua_strerror(err));
        return 1;
    }
    skua_key_format(text, skua_endpoint_key(skua_ev_endpoint(ev)));
    printf("listening on %s, key %s\n", argv[2], text);
    fflush(stdout);
    ev_run(loop, 0);
    return 0;
}
