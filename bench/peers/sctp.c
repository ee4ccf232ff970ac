/* SCTP in user space (usrsctp), encapsulated in UDP (RFC 6951), no encryption. Both ends need a UDP
 * port of their own: the receiver's is PORT, the sender's PORT + 1. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <usrsctp.h>

#include "common.h"

enum { BUFFERS = 4 << 20, MESSAGE = 1 << 16, SCTP_PORT = 7000 };

static struct socket *open_socket(const struct bench_args *args, int udp_port, int peer_port)
{
    usrsctp_init((uint16_t)udp_port, NULL, NULL);
    (void)usrsctp_sysctl_set_sctp_sendspace(BUFFERS);
    (void)usrsctp_sysctl_set_sctp_recvspace(BUFFERS);
    (void)usrsctp_sysctl_set_sctp_blackhole(2);
    struct socket *sock = usrsctp_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    if (sock == NULL) {
        bench_die("usrsctp_socket");
    }
    struct sctp_udpencaps encaps = {.sue_address.ss_family = AF_INET,
                                    .sue_port = htons((uint16_t)peer_port)};
    struct sctp_paddrparams path = {.spp_address.ss_family = AF_INET,
                                    .spp_flags = SPP_PMTUD_DISABLE,
                                    .spp_pathmtu = (uint32_t)args->size};
    (void)usrsctp_setsockopt(sock, IPPROTO_SCTP, SCTP_REMOTE_UDP_ENCAPS_PORT, &encaps,
                             sizeof encaps);
    (void)usrsctp_setsockopt(sock, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof path);
    return sock;
}

static struct sockaddr_in sctp_address(const struct bench_args *args)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr = args->addr.sin_addr, .sin_port = htons(SCTP_PORT)};
}

static void receive(const struct bench_args *args, int port)
{
    struct sockaddr_in address = sctp_address(args);
    struct socket *listener = open_socket(args, port, port + 1);
    if (usrsctp_bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        usrsctp_listen(listener, 1) != 0) {
        bench_die("usrsctp_listen");
    }
    struct socket *sock = usrsctp_accept(listener, NULL, NULL);
    uint8_t *chunk = bench_chunk();
    struct bench_count got = {.bytes = 0};
    if (sock == NULL) {
        bench_die("usrsctp_accept");
    }
    for (;;) {
        struct sctp_rcvinfo info;
        socklen_t info_length = sizeof info, from_length = 0;
        unsigned info_type = 0;
        int flags = 0;
        const ssize_t n = usrsctp_recvv(sock, chunk, BENCH_CHUNK, NULL, &from_length, &info,
                                        &info_length, &info_type, &flags);
        if (n <= 0) {
            break;
        }
        bench_add(&got, (uint64_t)n, bench_now());
    }
    bench_print(&got);
}

static void transmit(const struct bench_args *args, int port)
{
    struct sockaddr_in address = sctp_address(args);
    (void)usleep(100000); /* the receiver's UDP port is there before it listens */
    struct socket *sock = open_socket(args, port + 1, port);
    if (usrsctp_connect(sock, (struct sockaddr *)&address, sizeof address) != 0) {
        bench_die("usrsctp_connect");
    }
    const uint8_t *chunk = bench_chunk();
    struct bench_count sent = {.bytes = 0};
    const uint64_t end = bench_now() + (uint64_t)(args->seconds * 1e9);
    while (sent.last_ns < end) {
        if (usrsctp_sendv(sock, chunk, MESSAGE, NULL, 0, NULL, 0, SCTP_SENDV_NOINFO, 0) < 0) {
            bench_die("usrsctp_sendv");
        }
        bench_add(&sent, MESSAGE, bench_now());
    }
    /* SHUTDOWN follows the data; when it is answered, the receiver has everything. */
    uint8_t last;
    (void)usrsctp_shutdown(sock, SHUT_WR);
    socklen_t info_length = 0, from_length = 0;
    unsigned info_type = 0;
    int flags = 0;
    (void)usrsctp_recvv(sock, &last, sizeof last, NULL, &from_length, NULL, &info_length,
                        &info_type, &flags);
    bench_print(&sent);
}

int main(int argc, char **argv)
{
    struct bench_args args;
    bench_parse(&args, argc, argv);
    const int port = ntohs(args.addr.sin_port);
    if (strcmp(args.role, "recv") == 0) {
        receive(&args, port);
    } else {
        transmit(&args, port);
    }
    (void)fflush(stdout);
    _exit(0); /* without waiting for the library's threads */
}
