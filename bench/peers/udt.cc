/* UDT4: a reliable byte stream over UDP, no encryption. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <udt/udt.h>

#include "common.h"

namespace
{
const int buffers = 16 << 20;

[[noreturn]] void die_udt(const char *what)
{
    std::fprintf(stderr, "udt: %s: %s\n", what, UDT::getlasterror().getErrorMessage());
    std::exit(1);
}

void set_options(UDTSOCKET sock, const bench_args &args)
{
    const int mss = static_cast<int>(args.size) + 28;
    const linger wait = {1, 5};
    UDT::setsockopt(sock, 0, UDT_MSS, &mss, sizeof mss);
    UDT::setsockopt(sock, 0, UDT_SNDBUF, &buffers, sizeof buffers);
    UDT::setsockopt(sock, 0, UDT_RCVBUF, &buffers, sizeof buffers);
    UDT::setsockopt(sock, 0, UDP_SNDBUF, &buffers, sizeof buffers);
    UDT::setsockopt(sock, 0, UDP_RCVBUF, &buffers, sizeof buffers);
    UDT::setsockopt(sock, 0, UDT_LINGER, &wait, sizeof wait);
}

void receive(UDTSOCKET listener, const bench_args &args)
{
    const sockaddr *addr = reinterpret_cast<const sockaddr *>(&args.addr);
    if (UDT::bind(listener, addr, sizeof args.addr) == UDT::ERROR ||
        UDT::listen(listener, 1) == UDT::ERROR) {
        die_udt("listen");
    }
    const UDTSOCKET sock = UDT::accept(listener, nullptr, nullptr);
    char *chunk = reinterpret_cast<char *>(bench_chunk());
    bench_count got = {};
    if (sock == UDT::INVALID_SOCK) {
        die_udt("accept");
    }
    for (int n; (n = UDT::recv(sock, chunk, BENCH_CHUNK, 0)) > 0;) {
        bench_add(&got, static_cast<uint64_t>(n), bench_now());
    }
    bench_print(&got);
}

void transmit(UDTSOCKET sock, const bench_args &args)
{
    const sockaddr *addr = reinterpret_cast<const sockaddr *>(&args.addr);
    if (UDT::connect(sock, addr, sizeof args.addr) == UDT::ERROR) {
        die_udt("connect");
    }
    const char *chunk = reinterpret_cast<const char *>(bench_chunk());
    bench_count sent = {};
    const uint64_t end = bench_now() + static_cast<uint64_t>(args.seconds * 1e9);
    while (sent.last_ns < end) {
        const int n = UDT::send(sock, chunk, BENCH_CHUNK, 0);
        if (n == UDT::ERROR) {
            die_udt("send");
        }
        bench_add(&sent, static_cast<uint64_t>(n), bench_now());
    }
    UDT::close(sock); // lingers until the receiver has everything
    bench_print(&sent);
}
} // namespace

int main(int argc, char **argv)
{
    bench_args args;
    bench_parse(&args, argc, argv);
    UDT::startup();
    const UDTSOCKET sock = UDT::socket(AF_INET, SOCK_STREAM, 0);
    set_options(sock, args);
    if (std::strcmp(args.role, "recv") == 0) {
        receive(sock, args);
    } else {
        transmit(sock, args);
    }
    std::fflush(stdout);
    UDT::cleanup();
    return 0;
}
