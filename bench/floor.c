/* The floor: what UDP and an AEAD cost on this machine with no protocol at all. What Skua does more
 * than this is what Skua costs; bench/run.sh measures both side by side.
 *
 *   floor recv|send IPV4 PORT [--cipher NAME] [--size UDP_PAYLOAD] [--no-offload] [--seconds S]
 *   floor echo|ping IPV4 PORT [--seconds S]
 *
 * A datagram is an 8-byte counter, the sealed payload, the tag; with the cipher "none", payload.
 * With offload a sender gives the kernel 64 KiB at a time (UDP_SEGMENT) and a receiver takes as
 * much (UDP_GRO); without, both move 64 datagrams per system call. There is no flow control: what
 * the receiver has no room for is lost, so a sender is told nothing and the receiver's figure
 * counts. Both libsodiums serve; AEGIS-128L is there where its headers have it.
 *
 * echo and ping exchange 64 bytes one at a time on libev, as a program with an event loop would. */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
    COUNTER = 8,             /* bytes of the counter before the payload */
    BATCH = 64,              /* datagrams per system call without offload */
    SEGMENTS = 64,           /* most segments that the kernel takes in one send */
    BUFFER = 65536,          /* bytes that one receive may give with GRO */
    SOCKET_BUFFER = 4 << 20, /* what Skua's driver asks for too */
    GOODBYES = 20,           /* empty datagrams that end a run: some may be lost */
    EXCHANGE = 64,           /* bytes of a ping */
    LATENCIES = 1 << 20,     /* most exchanges that are remembered */
    SILENCE_S = 3,           /* seconds without a datagram that end a receiver */
};

enum cipher { NONE, AES, CHACHA, AEGIS };

static struct {
    enum cipher cipher;
    size_t tag;
    uint8_t key[32];
    crypto_aead_aes256gcm_state aes;
} keys;

static void choose_cipher(const char *name)
{
    memset(keys.key, 7, sizeof keys.key);
    if (strcmp(name, "aes-256-gcm") == 0 && crypto_aead_aes256gcm_is_available()) {
        keys.cipher = AES;
        keys.tag = crypto_aead_aes256gcm_ABYTES;
        (void)crypto_aead_aes256gcm_beforenm(&keys.aes, keys.key);
    } else if (strcmp(name, "chacha20-poly1305") == 0) {
        keys.cipher = CHACHA;
        keys.tag = crypto_aead_chacha20poly1305_ietf_ABYTES;
#ifdef crypto_aead_aegis128l_ABYTES
    } else if (strcmp(name, "aegis-128l") == 0) {
        keys.cipher = AEGIS;
        keys.tag = crypto_aead_aegis128l_ABYTES;
#endif
    } else if (strcmp(name, "none") != 0) {
        (void)fprintf(stderr, "floor: no cipher %s here\n", name);
        exit(2);
    }
}

/* Seals `plain` into one datagram. */
static void seal(uint8_t *datagram, const uint8_t *plain, size_t length, uint64_t counter)
{
    uint8_t nonce[16] = {0};
    uint8_t *out = datagram + COUNTER;
    memcpy(nonce, &counter, sizeof counter);
    memcpy(datagram, &counter, sizeof counter);
    switch (keys.cipher) {
    case NONE:
        break;
    case AES:
        (void)crypto_aead_aes256gcm_encrypt_afternm(out, NULL, plain, length, datagram, COUNTER,
                                                    NULL, nonce, &keys.aes);
        break;
    case CHACHA:
        (void)crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, length, datagram, COUNTER,
                                                        NULL, nonce, keys.key);
        break;
    case AEGIS:
#ifdef crypto_aead_aegis128l_ABYTES
        (void)crypto_aead_aegis128l_encrypt(out, NULL, plain, length, datagram, COUNTER, NULL,
                                            nonce, keys.key);
#endif
        break;
    }
}

/* Opens one datagram in place: the bytes of payload, 0 where it is none. */
static size_t unseal(uint8_t *datagram, size_t length)
{
    if (keys.cipher == NONE) {
        return length;
    }
    if (length < COUNTER + keys.tag) {
        return 0;
    }
    uint8_t nonce[16] = {0};
    uint8_t *body = datagram + COUNTER;
    const size_t sealed = length - COUNTER;
    int failed = -1;
    memcpy(nonce, datagram, COUNTER);
    switch (keys.cipher) {
    case NONE:
        break;
    case AES:
        failed = crypto_aead_aes256gcm_decrypt_afternm(body, NULL, NULL, body, sealed, datagram,
                                                       COUNTER, nonce, &keys.aes);
        break;
    case CHACHA:
        failed = crypto_aead_chacha20poly1305_ietf_decrypt(body, NULL, NULL, body, sealed, datagram,
                                                           COUNTER, nonce, keys.key);
        break;
    case AEGIS:
#ifdef crypto_aead_aegis128l_ABYTES
        failed = crypto_aead_aegis128l_decrypt(body, NULL, NULL, body, sealed, datagram, COUNTER,
                                               nonce, keys.key);
#endif
        break;
    }
    return failed == 0 ? sealed - keys.tag : 0;
}

static uint8_t *pages(size_t bytes)
{
    uint8_t *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (memory == NULL) {
        bench_die("aligned_alloc");
    }
    memset(memory, 1, bytes);
    return memory;
}

static int open_socket(const struct bench_args *args, bool listen)
{
    const struct sockaddr *addr = (const struct sockaddr *)&args->addr;
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int size = SOCKET_BUFFER;
    if (fd < 0) {
        bench_die("socket");
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (listen ? bind(fd, addr, sizeof args->addr) : connect(fd, addr, sizeof args->addr)) {
        bench_die(listen ? "bind" : "connect");
    }
    return fd;
}

/* --- bulk --- */

static void send_bulk(const struct bench_args *args)
{
    const int fd = open_socket(args, false);
    const size_t head = keys.cipher == NONE ? 0 : COUNTER + keys.tag;
    const size_t fit = (BUFFER - 1) / args->size;
    const bool whole = args->offload || fit == 1;
    const size_t count = !whole ? BATCH : fit < SEGMENTS ? fit : SEGMENTS;
    uint8_t *out = pages(count * args->size);
    const uint8_t *source = pages(BUFFER);
    struct mmsghdr messages[BATCH] = {{.msg_len = 0}};
    struct iovec parts[BATCH];
    const unsigned calls = whole ? 1 : BATCH;
    for (size_t i = 0; i < calls; i++) {
        parts[i].iov_base = out + i * args->size;
        parts[i].iov_len = whole ? count * args->size : args->size;
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    const int segment = (int)args->size;
    if (whole && count > 1 && setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment)) {
        bench_die("UDP_SEGMENT");
    }
    struct bench_count sent = {.bytes = 0};
    const uint64_t end = bench_now() + (uint64_t)(args->seconds * 1e9);
    uint64_t counter = 0;
    for (uint64_t now = bench_now(); now < end; now = bench_now()) {
        for (size_t i = 0; i < count && keys.cipher != NONE; i++) {
            seal(out + i * args->size, source, args->size - head, counter++);
        }
        const int done = sendmmsg(fd, messages, calls, 0);
        if (done < 0 && errno == ECONNREFUSED) {
            bench_die("sendmmsg");
        }
        const size_t datagrams = done < 0 ? 0 : (size_t)done * (whole ? count : 1);
        bench_add(&sent, datagrams * (args->size - head), now);
    }
    const int off = 0;
    (void)setsockopt(fd, SOL_UDP, UDP_SEGMENT, &off, sizeof off);
    for (int i = 0; i < GOODBYES; i++) {
        (void)send(fd, "", 0, 0);
        (void)usleep(5000);
    }
    bench_print(&sent);
}

/* The size of the datagrams that the kernel put together. */
static size_t segment_size(struct msghdr *message, size_t length)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int size = 0;
            memcpy(&size, CMSG_DATA(c), sizeof size);
            return size > 0 ? (size_t)size : length;
        }
    }
    return length;
}

static size_t unseal_all(uint8_t *data, size_t length, size_t segment)
{
    size_t payload = 0;
    for (size_t at = 0; at < length; at += segment) {
        payload += unseal(data + at, length - at < segment ? length - at : segment);
    }
    return payload;
}

static void receive_bulk(const struct bench_args *args)
{
    const int fd = open_socket(args, true);
    const int on = 1;
    const bool whole = args->offload || args->size > BUFFER / 2;
    if (args->offload && setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on) != 0) {
        bench_die("UDP_GRO");
    }
    const unsigned calls = whole ? 1 : BATCH;
    const size_t stride = whole ? BUFFER : (args->size + 127) / 64 * 64;
    uint8_t *in = pages(stride * calls);
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct mmsghdr messages[BATCH] = {{.msg_len = 0}};
    struct iovec parts[BATCH];
    for (size_t i = 0; i < calls; i++) {
        parts[i] = (struct iovec){.iov_base = in + i * stride, .iov_len = stride};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    struct bench_count got = {.bytes = 0};
    for (bool more = true; more;) {
        messages[0].msg_hdr.msg_control = whole ? &control : NULL;
        messages[0].msg_hdr.msg_controllen = whole ? sizeof control : 0;
        const int count = recvmmsg(fd, messages, calls, MSG_WAITFORONE, NULL);
        if (count < 0) {
            break;
        }
        if (got.first_ns == 0) { /* only from now on does silence mean that the sender is gone */
            const struct timeval silence = {.tv_sec = SILENCE_S};
            (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
        }
        size_t payload = 0;
        for (int i = 0; i < count; i++) {
            const size_t length = messages[i].msg_len;
            more = more && length > 0;
            payload +=
                unseal_all(parts[i].iov_base, length, segment_size(&messages[i].msg_hdr, length));
        }
        if (payload > 0) {
            bench_add(&got, payload, bench_now());
        }
    }
    bench_print(&got);
}

/* --- one exchange at a time --- */

static struct {
    uint64_t sent_ns, end_ns;
    size_t count;
    uint32_t *latency_ns;
} ping;

static void on_echo(struct ev_loop *loop, ev_io *watcher, int events)
{
    uint8_t data[EXCHANGE + 1];
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    (void)events;
    const ssize_t size =
        recvfrom(watcher->fd, data, sizeof data, 0, (struct sockaddr *)&from, &length);
    if (size == 0) {
        ev_break(loop, EVBREAK_ALL);
    } else if (size > 0) {
        (void)sendto(watcher->fd, data, (size_t)size, 0, (struct sockaddr *)&from, length);
    }
}

static void send_ping(int fd)
{
    static const uint8_t data[EXCHANGE];
    ping.sent_ns = bench_now();
    (void)send(fd, data, sizeof data, 0);
}

static void on_ping(struct ev_loop *loop, ev_io *watcher, int events)
{
    uint8_t data[EXCHANGE + 1];
    (void)events;
    if (recv(watcher->fd, data, sizeof data, 0) <= 0) {
        return;
    }
    const uint64_t now = bench_now();
    ping.latency_ns[ping.count++] = (uint32_t)(now - ping.sent_ns);
    if (now >= ping.end_ns || ping.count == LATENCIES) {
        ev_break(loop, EVBREAK_ALL);
    } else {
        send_ping(watcher->fd);
    }
}

static int compare(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void exchange(const struct bench_args *args, bool echo)
{
    const int fd = open_socket(args, echo);
    struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
    ev_io watcher;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    ev_io_init(&watcher, echo ? on_echo : on_ping, fd, EV_READ);
    ev_io_start(loop, &watcher);
    if (!echo) {
        ping.latency_ns = calloc(LATENCIES, sizeof *ping.latency_ns);
        if (ping.latency_ns == NULL) {
            bench_die("calloc");
        }
        ping.end_ns = bench_now() + (uint64_t)(args->seconds * 1e9);
        send_ping(fd);
    }
    ev_run(loop, 0);
    if (!echo) {
        (void)send(fd, "", 0, 0);
        qsort(ping.latency_ns, ping.count, sizeof *ping.latency_ns, compare);
        (void)printf("{\"exchanges\":%zu,\"p50\":%u,\"p99\":%u}\n", ping.count,
                     ping.latency_ns[ping.count / 2], ping.latency_ns[ping.count * 99 / 100]);
    }
}

int main(int argc, char **argv)
{
    struct bench_args args;
    bench_parse(&args, argc, argv);
    if (sodium_init() < 0) {
        bench_die("libsodium");
    }
    choose_cipher(args.cipher);
    if (strcmp(args.role, "send") == 0) {
        send_bulk(&args);
    } else if (strcmp(args.role, "recv") == 0) {
        receive_bulk(&args);
    } else if (strcmp(args.role, "echo") == 0 || strcmp(args.role, "ping") == 0) {
        exchange(&args, args.role[0] == 'e');
    } else {
        (void)fprintf(stderr, "floor: recv, send, echo or ping\n");
        return 2;
    }
    return 0;
}
