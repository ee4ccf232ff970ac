/* SRT in file mode: reliable, ordered, AES-128-CTR by a passphrase, without authentication. */
#include <srt/srt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

enum { BUFFERS = 32 << 20, WINDOW_PACKETS = 25600 };

static void die_srt(const char *what)
{
    (void)fprintf(stderr, "srt: %s: %s\n", what, srt_getlasterror_str());
    exit(1);
}

static void set_options(SRTSOCKET sock, const struct bench_args *args)
{
    static const char passphrase[] = "measured, not kept";
    const SRT_TRANSTYPE file = SRTT_FILE;
    const int buffers = BUFFERS, window = WINDOW_PACKETS, key = 16;
    const int mss = (int)(args->size < 1472 ? args->size : 1472) + 28;
    if (srt_setsockflag(sock, SRTO_TRANSTYPE, &file, sizeof file) != 0 ||
        srt_setsockflag(sock, SRTO_MSS, &mss, sizeof mss) != 0 ||
        srt_setsockflag(sock, SRTO_FC, &window, sizeof window) != 0 ||
        srt_setsockflag(sock, SRTO_SNDBUF, &buffers, sizeof buffers) != 0 ||
        srt_setsockflag(sock, SRTO_RCVBUF, &buffers, sizeof buffers) != 0 ||
        srt_setsockflag(sock, SRTO_PBKEYLEN, &key, sizeof key) != 0 ||
        srt_setsockflag(sock, SRTO_PASSPHRASE, passphrase, sizeof passphrase - 1) != 0) {
        die_srt("options");
    }
}

static void receive(SRTSOCKET listener, const struct bench_args *args)
{
    const struct sockaddr *addr = (const struct sockaddr *)&args->addr;
    if (srt_bind(listener, addr, sizeof args->addr) != 0 || srt_listen(listener, 1) != 0) {
        die_srt("listen");
    }
    const SRTSOCKET sock = srt_accept(listener, NULL, NULL);
    char *chunk = (char *)bench_chunk();
    struct bench_count got = {.bytes = 0};
    if (sock == SRT_INVALID_SOCK) {
        die_srt("accept");
    }
    for (int n; (n = srt_recv(sock, chunk, BENCH_CHUNK)) > 0;) {
        bench_add(&got, (uint64_t)n, bench_now());
    }
    bench_print(&got);
}

static void transmit(SRTSOCKET sock, const struct bench_args *args)
{
    if (srt_connect(sock, (const struct sockaddr *)&args->addr, sizeof args->addr) != 0) {
        die_srt("connect");
    }
    const char *chunk = (const char *)bench_chunk();
    struct bench_count sent = {.bytes = 0};
    const uint64_t end = bench_now() + (uint64_t)(args->seconds * 1e9);
    while (sent.last_ns < end) {
        const int n = srt_send(sock, chunk, BENCH_CHUNK);
        if (n <= 0) {
            die_srt("send");
        }
        bench_add(&sent, (uint64_t)n, bench_now());
    }
    (void)srt_close(sock); /* lingers until the receiver has everything */
    bench_print(&sent);
}

int main(int argc, char **argv)
{
    struct bench_args args;
    bench_parse(&args, argc, argv);
    (void)srt_startup();
    const SRTSOCKET sock = srt_create_socket();
    set_options(sock, &args);
    if (strcmp(args.role, "recv") == 0) {
        receive(sock, &args);
    } else {
        transmit(sock, &args);
    }
    (void)fflush(stdout);
    (void)srt_cleanup();
    return 0;
}
