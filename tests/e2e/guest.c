/* A client that makes it hard for an echo server to end in order.
 *
 * guest late port key: reads what comes back more slowly than the server sends it, and has shut
 * down long before: all of it must come.
 *
 * guest stop port key: opens more streams than the server allows at a time, one after the other,
 * and wants no answer on any: the server must give each of them back. */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skua/skua_ev.h>

enum { BYTES = 4000000, STREAMS = 3000, PIECE = 1 << 16 };

static struct skua_ev *driver;
static skua_conn conn;
static skua_stream stream;
static size_t sent;
static size_t got;
static unsigned opened;
static int status = 1;
static struct ev_timer tick;

static uint8_t content_at(size_t offset)
{
    return (uint8_t)(offset * 7 + (offset >> 10));
}

static void write_more(struct skua_ev *ev, const struct skua_event *event)
{
    uint8_t bytes[1000];
    (void)ev;
    (void)event;
    while (sent < BYTES) {
        size_t len = BYTES - sent < sizeof bytes ? BYTES - sent : sizeof bytes;
        size_t written;
        for (size_t i = 0; i < len; i++) {
            bytes[i] = content_at(sent + i);
        }
        if (skua_stream_write(skua_ev_endpoint(driver), stream, bytes, len, &written) != SKUA_OK) {
            return;
        }
        sent += written;
    }
    skua_conn_shutdown(skua_ev_endpoint(driver), conn);
}

/* At most a piece; true where there may be more. */
static bool read_piece(void)
{
    static uint8_t bytes[PIECE];
    size_t len;
    enum skua_err err =
        skua_stream_read(skua_ev_endpoint(driver), stream, bytes, sizeof bytes, &len);
    for (size_t i = 0; err == SKUA_OK && i < len; i++) {
        if (bytes[i] != content_at(got++)) {
            err = SKUA_EINTERNAL;
        }
    }
    if (err != SKUA_OK && err != SKUA_EAGAIN) {
        printf("%zu of %d bytes, then %s\n", got, (int)BYTES, skua_err_name(err));
        status = err == SKUA_EOF && got == BYTES ? 0 : 1;
        skua_conn_close(skua_ev_endpoint(driver), conn);
        ev_timer_stop(skua_ev_loop(driver), &tick);
    }
    return err == SKUA_OK;
}

static void on_tick(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
    (void)loop;
    (void)timer;
    (void)revents;
    if (read_piece() && got == BYTES) {
        (void)read_piece(); /* the end */
    }
}

static void read_end(struct skua_ev *ev, const struct skua_event *event)
{
    (void)ev;
    (void)event;
    if (got == BYTES) {
        (void)read_piece();
    }
}

static void open_more(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_endpoint *ep = skua_ev_endpoint(ev);
    (void)event;
    while (opened < STREAMS && skua_stream_open(ep, conn, SKUA_STREAM_BIDI, &stream) == SKUA_OK) {
        size_t written;
        opened++;
        skua_stream_write(ep, stream, "unwanted", 8, &written);
        skua_stream_stop(ep, stream, 1);
        skua_stream_close(ep, stream);
    }
    if (opened == STREAMS) {
        status = 0;
        skua_conn_close(ep, conn);
    }
}

static void late(struct skua_ev *ev, const struct skua_event *event)
{
    conn = event->conn;
    if (skua_stream_open(skua_ev_endpoint(ev), conn, SKUA_STREAM_BIDI, &stream) == SKUA_OK) {
        ev_timer_init(&tick, on_tick, 0.01, 0.01);
        ev_timer_start(skua_ev_loop(ev), &tick);
        write_more(ev, event);
    }
}

static void stop(struct skua_ev *ev, const struct skua_event *event)
{
    conn = event->conn;
    open_more(ev, event);
}

static void closed(struct skua_ev *ev, const struct skua_event *event)
{
    (void)ev;
    if (event->error != SKUA_OK) {
        printf("closed: %s\n", skua_err_name(event->error));
        status = 1;
    }
}

int main(int argc, char **argv)
{
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    struct skua_conn_config to = SKUA_CONN_CONFIG_INIT;
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    struct skua_key key;
    if (argc != 4 || skua_key_parse(&key, argv[3]) != SKUA_OK) {
        return 2;
    }
    to.server_key = &key;
    config.handlers.established = strcmp(argv[1], "late") == 0 ? late : stop;
    config.handlers.writable = write_more;
    config.handlers.readable = read_end;
    config.handlers.streams = open_more;
    config.handlers.closed = closed;
    if (skua_ev_new(&driver, loop, &config) != SKUA_OK ||
        skua_ev_connect(driver, "127.0.0.1", (uint16_t)atoi(argv[2]), &to, NULL) != SKUA_OK) {
        return 2;
    }
    ev_run(loop, 0);
    skua_ev_free(driver);
    return status;
}
