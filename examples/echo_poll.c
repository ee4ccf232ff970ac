/* The echo client without libev: only libskua, one UDP socket and poll(2).
 *
 *   echo_poll address port key text        IPv4 address; key: what echo_server printed
 *
 * This is what a driver does: hand in what arrived, handle events, send what there is to send, and
 * wait no longer than skua_endpoint_next_timeout says. */
#define _DEFAULT_SOURCE /* clock_gettime, MSG_DONTWAIT, IP_MTU_DISCOVER */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <skua/skua.h>

static skua_time now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (skua_time)t.tv_sec * SKUA_SEC + (skua_time)t.tv_nsec;
}

static void fill_random(void *user, void *out, size_t len)
{
    (void)user;
    randombytes_buf(out, len);
}

/* A socket that never lets IP fragment: the transport finds the path MTU by probing, and a probe
 * that arrives in fragments would be believed. (IPv6: IPPROTO_IPV6, IPV6_MTU_DISCOVER,
 * IPV6_PMTUDISC_PROBE.) */
static int open_socket(void)
{
    int probe = IP_PMTUDISC_PROBE;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd >= 0 && setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof probe) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void send_all(struct skua_endpoint *ep, int fd, const struct sockaddr_in *to)
{
    static uint8_t buffer[65507];
    struct skua_tx tx = {.data = buffer, .cap = sizeof buffer, .max_segments = 1};
    for (skua_endpoint_send(ep, &tx, now()); tx.len != 0; skua_endpoint_send(ep, &tx, now())) {
        if (sendto(fd, tx.data, tx.len, 0, (const struct sockaddr *)to, sizeof *to) < 0) {
            skua_endpoint_send_result(ep, &tx, errno, now()); /* to the transport it is a loss */
        }
    }
}

static bool receive_one(struct skua_endpoint *ep, int fd, const struct skua_path *path)
{
    static uint8_t buffer[65536];
    ssize_t len = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (len <= 0) {
        return false;
    }
    struct skua_rx rx = {.path = *path, .data = buffer, .len = (size_t)len};
    skua_endpoint_recv(ep, &rx, 1, now());
    return true;
}

/* Handles what has happened; false when the connection is over. */
static bool handle_events(struct skua_endpoint *ep, int *status)
{
    struct skua_event event;
    while (skua_endpoint_poll_event(ep, &event)) {
        if (event.type == SKUA_EVENT_CLOSED) {
            if (event.error != SKUA_OK) {
                fprintf(stderr, "echo_poll: %s %s\n", skua_strerror(event.error), event.reason);
            }
            *status = event.error == SKUA_OK ? 0 : 1;
            return false;
        }
        char text[4096];
        size_t len;
        enum skua_err err = SKUA_EAGAIN;
        while (event.type == SKUA_EVENT_READABLE &&
               (err = skua_stream_read(ep, event.stream, text, sizeof text, &len)) == SKUA_OK) {
            fwrite(text, 1, len, stdout);
        }
        if (err != SKUA_EAGAIN) {
            putchar('\n');
            skua_conn_close(ep, event.conn);
        }
    }
    return true;
}

/* Milliseconds for poll, rounded up; -1 = for ever. */
static int wait_ms(skua_time deadline)
{
    skua_time t = now();
    if (deadline == SKUA_NEVER) {
        return -1;
    }
    return deadline <= t ? 0 : (int)((deadline - t + SKUA_MSEC - 1) / SKUA_MSEC);
}

static enum skua_err start(struct skua_endpoint *ep, const struct skua_path *path,
                           const struct skua_key *server, const char *text)
{
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    skua_conn conn;
    skua_stream stream;
    size_t written;
    config.server_key = server;
    enum skua_err err = skua_conn_connect(ep, path, &config, &conn);
    if (err == SKUA_OK) {
        err = skua_stream_open(ep, conn, SKUA_STREAM_BIDI, &stream);
    }
    if (err == SKUA_OK) { /* written before the handshake: it leaves with its third packet */
        err = skua_stream_write(ep, stream, text, strlen(text), &written);
    }
    return err == SKUA_OK ? skua_stream_finish(ep, stream) : err;
}

int main(int argc, char **argv)
{
    struct skua_rng rng = {.fill = fill_random};
    struct skua_secret_key secret;
    struct skua_config config = SKUA_CONFIG_INIT;
    struct skua_endpoint *ep;
    struct skua_key server;
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct skua_path path = {.remote.family = SKUA_FAMILY_IPV4};
    int status = 1;

    if (argc != 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 ||
        skua_key_parse(&server, argv[3]) != SKUA_OK || skua_init() != SKUA_OK) {
        fprintf(stderr, "usage: echo_poll address port key text\n");
        return 2;
    }
    path.remote.port = (uint16_t)atoi(argv[2]);
    to.sin_port = htons(path.remote.port);
    memcpy(path.remote.ip, &to.sin_addr, sizeof to.sin_addr);

    int fd = open_socket();
    if (fd < 0) {
        perror("socket");
        return 1;
    }
    skua_key_generate(&secret, &rng);
    config.key = &secret;
    config.rng = &rng;
    enum skua_err err = skua_endpoint_new(&ep, &config);
    skua_wipe(&secret, sizeof secret);
    if (err == SKUA_OK) {
        err = start(ep, &path, &server, argv[4]);
    }
    if (err != SKUA_OK) {
        fprintf(stderr, "echo_poll: %s\n", skua_strerror(err));
        return 1;
    }
    bool open = true;
    while (open) {
        send_all(ep, fd, &to);
        open = handle_events(ep, &status); /* sending causes events, as receiving and time do */
        struct pollfd pollfd = {.fd = fd, .events = POLLIN};
        poll(&pollfd, 1, open ? wait_ms(skua_endpoint_next_timeout(ep)) : 0);
        while (open && receive_one(ep, fd, &path)) {
            open = handle_events(ep, &status);
            skua_endpoint_settle(ep);
        }
        skua_endpoint_on_timeout(ep, now());
        open = open && handle_events(ep, &status);
    }
    send_all(ep, fd, &to); /* the last acknowledgement */
    skua_endpoint_free(ep);
    close(fd);
    return status;
}
