/* One side of a connection between two builds of Skua (tests/interop.sh runs the pairs).
 *
 *   peer best                        prints the best suite that this build should offer
 *   peer server PSK                  prints port and key, serves one connection
 *   peer client PSK SUITES PORT KEY  PSK: 0 or 1; SUITES: bit set of enum skua_suite, 0 = all
 *
 * The client sends a pattern, asks for new keys on the way, and gets everything back from the
 * server. Each prints the suite that was in use, as "AES-256-GCM", the client also how often it
 * changed keys. Exit code 0 only where all bytes came back right and both sides ended in order.
 */
#include <ev.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skua/skua_ev.h>

enum { LOT = 1 << 19, UPDATES = 3, TOTAL = (UPDATES + 1) * LOT, PATIENCE_S = 20 };
#define RETRY_S 0.005

struct peer {
    skua_conn conn;               /* the client's */
    skua_stream stream;           /* the client's */
    size_t lot_end;               /* the client's: sends up to here, then waits for the echo */
    size_t sent, received;        /* the client's: bytes */
    unsigned updates;             /* the client's: key updates begun */
    ev_timer retry;               /* the client's: an update was refused for now */
    struct skua_conn_stats stats; /* taken last while the connection was up */
    bool is_client;               /* else the server */
    bool wrong;                   /* bytes came back that were not sent */
    bool done;                    /* the connection ended in order */
};

static const uint8_t PSK[SKUA_PSK_LEN] = {0x5e, 0xc1, 0xe7};

static uint8_t pattern(size_t offset)
{
    return (uint8_t)(offset * 167 + (offset >> 8));
}

static const char *suite_name(enum skua_suite suite)
{
    switch (suite) {
    case SKUA_SUITE_CHACHA20_POLY1305:
        return "ChaCha20-Poly1305";
    case SKUA_SUITE_AES_256_GCM:
        return "AES-256-GCM";
    case SKUA_SUITE_AEGIS_128L:
        return "AEGIS-128L";
    }
    return "none";
}

/* By libsodium's own words, not by Skua's. */
static enum skua_suite best_suite(void)
{
    if (crypto_aead_aes256gcm_is_available() == 0) {
        return SKUA_SUITE_CHACHA20_POLY1305;
    }
#ifdef crypto_aead_aegis128l_KEYBYTES
    return SKUA_SUITE_AEGIS_128L;
#else
    return SKUA_SUITE_AES_256_GCM;
#endif
}

static void send_lot(struct skua_ev *ev, struct peer *peer)
{
    static uint8_t chunk[16384];
    while (peer->sent < peer->lot_end) {
        size_t written = 0;
        for (size_t i = 0; i < sizeof chunk; i++) {
            chunk[i] = pattern(peer->sent + i);
        }
        size_t left = peer->lot_end - peer->sent;
        if (skua_stream_write(skua_ev_endpoint(ev), peer->stream, chunk,
                              left < sizeof chunk ? left : sizeof chunk, &written) != SKUA_OK) {
            return; /* writable will come */
        }
        peer->sent += written;
    }
}

static void client_established(struct skua_ev *ev, const struct skua_event *event)
{
    struct peer *peer = skua_ev_user(ev);
    if (skua_stream_open(skua_ev_endpoint(ev), event->conn, SKUA_STREAM_BIDI, &peer->stream) ==
        SKUA_OK) {
        peer->conn = event->conn;
        peer->lot_end = LOT;
        send_lot(ev, peer);
    }
}

static void client_writable(struct skua_ev *ev, const struct skua_event *event)
{
    (void)event;
    send_lot(ev, skua_ev_user(ev));
}

/* A lot came back whole: the next one goes under new keys, which may have to wait until those
 * before are out of use. */
static void client_turn(struct skua_ev *ev, struct peer *peer)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    if (peer->received != peer->lot_end) {
        return;
    }
    if (peer->lot_end == TOTAL) {
        skua_stream_finish(ep, peer->stream);
    } else if (skua_conn_update_keys(ep, peer->conn) == SKUA_OK) {
        peer->updates++;
        peer->lot_end += LOT;
        send_lot(ev, peer);
    } else {
        skua_conn_ping(ep, peer->conn); /* in an idle connection no time passes */
        ev_timer_set(&peer->retry, RETRY_S, 0.);
        ev_timer_start(skua_ev_loop(ev), &peer->retry);
    }
}

static void client_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct skua_ev *ev = timer->data;
    (void)loop;
    (void)events;
    client_turn(ev, skua_ev_user(ev));
}

static void client_readable(struct skua_ev *ev, const struct skua_event *event)
{
    struct peer *peer = skua_ev_user(ev);
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    static uint8_t data[16384];
    size_t len;
    enum skua_err err;
    while ((err = skua_stream_read(ep, event->stream, data, sizeof data, &len)) == SKUA_OK) {
        for (size_t i = 0; i < len; i++) {
            peer->wrong = peer->wrong || data[i] != pattern(peer->received + i);
        }
        peer->received += len;
    }
    if (err == SKUA_EAGAIN) {
        client_turn(ev, peer);
        return;
    }
    peer->wrong =
        peer->wrong || err != SKUA_EOF || peer->received != TOTAL || peer->updates != UPDATES;
    skua_conn_stats(ep, event->conn, &peer->stats);
    skua_conn_close(ep, event->conn);
}

/* Readable or writable: sends back what is there. */
static void server_echo(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    struct skua_vec vec;
    size_t count = 1;
    size_t written;
    enum skua_err err;
    while ((err = skua_stream_peek(ep, event->stream, &vec, &count)) == SKUA_OK) {
        if (skua_stream_write(ep, event->stream, vec.data, vec.len, &written) != SKUA_OK) {
            return;
        }
        skua_stream_consume(ep, event->stream, written);
        count = 1;
    }
    if (err != SKUA_EAGAIN) {
        skua_stream_close(ep, event->stream);
    }
}

static void server_finished(struct skua_ev *ev, const struct skua_event *event)
{
    struct peer *peer = skua_ev_user(ev);
    skua_conn_stats(skua_ev_endpoint(ev), event->conn, &peer->stats);
    skua_conn_close(skua_ev_endpoint(ev), event->conn);
}

static void closed(struct skua_ev *ev, const struct skua_event *event)
{
    struct peer *peer = skua_ev_user(ev);
    if (event->error != SKUA_OK) {
        fprintf(stderr, "closed: %s %s\n", skua_strerror(event->error), event->reason);
    }
    peer->done = event->error == SKUA_OK;
    if (!peer->is_client) {
        skua_ev_unlisten(ev); /* one was enough: the loop ends */
    }
}

static void too_late(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    fprintf(stderr, "no result in time\n");
    ev_break(loop, EVBREAK_ALL);
}

static bool listen_once(struct skua_ev *ev, bool with_psk)
{
    struct skua_listen_config config = SKUA_LISTEN_CONFIG_INIT;
    struct skua_addr addr;
    char key[SKUA_KEY_TEXT_LEN];
    config.conn.psk = with_psk ? PSK : NULL;
    if (skua_ev_listen(ev, "127.0.0.1:0", &config) != SKUA_OK ||
        skua_ev_local_addr(ev, 0, &addr) != SKUA_OK) {
        return false;
    }
    skua_key_format(key, skua_endpoint_key(skua_ev_endpoint(ev)));
    printf("%u %s\n", addr.port, key);
    fflush(stdout);
    return true;
}

static bool connect_to(struct skua_ev *ev, bool with_psk, const char *port, const char *key_text)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    struct skua_key key;
    config.psk = with_psk ? PSK : NULL;
    config.server_key = &key;
    return skua_key_parse(&key, key_text) == SKUA_OK &&
           skua_ev_connect(ev, "127.0.0.1", (uint16_t)strtoul(port, NULL, 10), &config, NULL) ==
               SKUA_OK;
}

/* Runs the loop until the connection is over, and says how it was. */
static bool run(struct ev_loop *loop, struct peer *peer)
{
    ev_timer patience;
    ev_timer_init(&patience, too_late, PATIENCE_S, 0.);
    ev_timer_start(loop, &patience);
    ev_unref(loop); /* the driver alone keeps it going */
    ev_run(loop, 0);
    printf("%s", suite_name(peer->stats.suite));
    if (peer->is_client) {
        printf(" %llu", (unsigned long long)peer->stats.key_updates);
    }
    printf("\n");
    return peer->done && !peer->wrong;
}

static int serve_or_connect(struct ev_loop *loop, char **argv, bool is_client)
{
    struct peer peer = {.is_client = is_client};
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    struct skua_ev *ev;
    const bool with_psk = strcmp(argv[2], "1") == 0;

    config.user = &peer;
    config.handlers.established = client_established;
    config.handlers.readable = is_client ? client_readable : server_echo;
    config.handlers.writable = is_client ? client_writable : server_echo;
    config.handlers.finished = is_client ? NULL : server_finished;
    config.handlers.closed = closed;
    if (is_client) {
        config.endpoint.suites = (uint8_t)strtoul(argv[3], NULL, 10);
    }
    if (skua_ev_new(&ev, loop, &config) != SKUA_OK) {
        return 1;
    }
    ev_init(&peer.retry, client_retry);
    peer.retry.data = ev;
    bool begun = is_client ? connect_to(ev, with_psk, argv[4], argv[5]) : listen_once(ev, with_psk);
    bool good = begun && run(loop, &peer);
    skua_ev_free(ev);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (skua_init() != SKUA_OK) {
        return 1;
    }
    if (argc == 2 && strcmp(verb, "best") == 0) {
        printf("%s\n", suite_name(best_suite()));
        return 0;
    }
    const bool is_client = argc == 6 && strcmp(verb, "client") == 0;
    if (!is_client && (argc != 3 || strcmp(verb, "server") != 0)) {
        fprintf(stderr, "usage: peer best | server PSK | client PSK SUITES PORT KEY\n");
        return 2;
    }
    return serve_or_connect(ev_default_loop(EVFLAG_AUTO), argv, is_client);
}
