/* The link emulator with real sockets on loopback, in a process of its own. Every wait is for
 * something that must happen, with a generous deadline that only a failure reaches. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "link_run.h"
#include "options.h"
#include "unit.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { DEADLINE_MS = 10000 };

/* A running link, and the server behind it. */
struct world {
    pid_t pid;
    int results;             /* pipe: the child's struct skua_link_result */
    int server;              /* socket that the link leads to */
    struct sockaddr_in link; /* where clients send to */
};

static int open_server(struct sockaddr_in *addr)
{
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    const int room = 4 << 20;
    socklen_t len = sizeof *addr;
    *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    assert_int_equal(bind(fd, (const struct sockaddr *)addr, sizeof *addr), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)addr, &len), 0);
    return fd;
}

/* The child: runs the link, then hands its result to the parent. */
static void run_child(const struct skua_link_setup *setup, int out, int results)
{
    (void)dup2(out, STDOUT_FILENO);
    struct skua_link_result result = {0};
    const int status = skua_link_run(setup, &result);
    const bool written = write(results, &result, sizeof result) == (ssize_t)sizeof result;
    _exit(written ? status : 99);
}

static struct world start(const struct skua_link_setup *wish)
{
    struct world world = {0};
    struct skua_link_setup setup = *wish;
    struct sockaddr_in server;
    world.server = open_server(&server);
    setup.server = (struct skua_link_addr){.v4 = server, .len = sizeof server};
    setup.listen = (struct skua_link_addr){.v4 = server, .len = sizeof server};
    setup.listen.v4.sin_port = 0;
    setup.memory_bytes = 64 << 20;
    setup.flow_timeout_ns = 60 * SKUA_SEC;
    int out[2];
    int results[2];
    assert_int_equal(pipe(out), 0);
    assert_int_equal(pipe(results), 0);
    world.pid = fork();
    assert_true(world.pid >= 0);
    if (world.pid == 0) {
        run_child(&setup, out[1], results[1]);
    }
    (void)close(out[1]);
    (void)close(results[1]);
    world.results = results[0];
    FILE *lines = fdopen(out[0], "r");
    char line[128] = "";
    assert_non_null(lines);
    assert_non_null(fgets(line, sizeof line, lines));
    (void)fclose(lines);
    assert_memory_equal(line, "listening 127.0.0.1:", 20);
    world.link = server;
    world.link.sin_port = htons((uint16_t)strtoul(line + 20, NULL, 10));
    return world;
}

/* Ends the link as a user does; what was sent before has been counted then. */
static struct skua_link_result stop(struct world *world)
{
    struct skua_link_result result;
    int status = 0;
    assert_int_equal(kill(world->pid, SIGTERM), 0);
    assert_int_equal(read(world->results, &result, sizeof result), sizeof result);
    assert_int_equal(waitpid(world->pid, &status, 0), world->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    (void)close(world->results);
    (void)close(world->server);
    return result;
}

static int open_client(const struct world *world)
{
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&world->link, sizeof world->link), 0);
    return fd;
}

/* Waits for a datagram. */
static size_t receive(int fd, uint8_t *out, size_t room, struct sockaddr_in *from)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, DEADLINE_MS), 1);
    socklen_t len = sizeof *from;
    const ssize_t got =
        recvfrom(fd, out, room, 0, (struct sockaddr *)from, from != NULL ? &len : NULL);
    assert_true(got >= 0);
    return (size_t)got;
}

static void fill(uint8_t *out, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(seed + i * 31 + (i >> 8));
    }
}

static void test_datagrams_of_all_sizes_pass_unchanged(void **state)
{
    (void)state;
    struct world world = start(
        &(struct skua_link_setup){.params = {{.delay_ns = SKUA_MSEC}, {.delay_ns = SKUA_MSEC}}});
    const int client = open_client(&world);
    static uint8_t sent[65507];
    static uint8_t got[65536];
    const size_t sizes[] = {1, 2, 1200, 1472, 9000, 65506, 65507, 0, 40};
    const size_t count = sizeof sizes / sizeof sizes[0];
    for (size_t i = 0; i < count; i++) {
        struct sockaddr_in from;
        fill(sent, sizes[i], (unsigned)i);
        assert_int_equal(send(client, sent, sizes[i], 0), sizes[i]);
        assert_int_equal(receive(world.server, got, sizeof got, &from), sizes[i]);
        assert_memory_equal(got, sent, sizes[i]);
        assert_int_equal(
            sendto(world.server, got, sizes[i], 0, (struct sockaddr *)&from, sizeof from),
            sizes[i]);
        assert_int_equal(receive(client, got, sizeof got, NULL), sizes[i]);
        assert_memory_equal(got, sent, sizes[i]);
    }
    (void)close(client);
    const struct skua_link_result result = stop(&world);
    for (int i = 0; i < SKUA_LINK_DIRS; i++) {
        assert_int_equal(result.counts[i].packets_in, count);
        assert_int_equal(result.counts[i].packets_out, count);
        assert_int_equal(result.counts[i].bytes_out, result.counts[i].bytes_in);
        assert_int_equal(result.counts[i].send_failed, 0);
    }
}

/* Segments sent in one call arrive as the datagrams they are, in order. */
static void test_segmented_sends_stay_datagrams(void **state)
{
    (void)state;
    struct world world = start(&(struct skua_link_setup){0});
    const int client = open_client(&world);
    const int segment = 1200;
    uint8_t burst[40 * 1200 + 7];
    uint8_t got[2048];
    fill(burst, sizeof burst, 5);
    if (setsockopt(client, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) != 0) {
        (void)close(client);
        (void)stop(&world);
        skip(); /* the kernel has no UDP_SEGMENT */
    }
    assert_int_equal(send(client, burst, sizeof burst, 0), sizeof burst);
    for (size_t i = 0; i <= 40; i++) {
        const size_t expected = i < 40 ? 1200 : 7;
        assert_int_equal(receive(world.server, got, sizeof got, NULL), expected);
        assert_memory_equal(got, burst + i * 1200, expected);
    }
    (void)close(client);
    assert_int_equal(stop(&world).counts[SKUA_LINK_UP].packets_out, 41);
}

static void test_clients_are_told_apart(void **state)
{
    (void)state;
    struct world world = start(&(struct skua_link_setup){0});
    struct sockaddr_in seen[8];
    int clients[8];
    uint8_t byte = 0;
    for (uint8_t i = 0; i < 8; i++) {
        clients[i] = open_client(&world);
        assert_int_equal(send(clients[i], &i, 1, 0), 1);
        assert_int_equal(receive(world.server, &byte, 1, &seen[i]), 1);
        for (uint8_t j = 0; j < i; j++) {
            assert_int_not_equal(seen[j].sin_port, seen[i].sin_port);
        }
    }
    for (uint8_t i = 8; i-- > 0;) {
        const uint8_t answer = (uint8_t)(100 + i);
        assert_int_equal(
            sendto(world.server, &answer, 1, 0, (struct sockaddr *)&seen[i], sizeof seen[i]), 1);
        assert_int_equal(receive(clients[i], &byte, 1, NULL), 1);
        assert_int_equal(byte, answer);
        (void)close(clients[i]);
    }
    assert_int_equal(stop(&world).flows, 8);
}

/* After a rebinding the server sees another port, and answers to it reach the client. */
static void test_rebinding_changes_the_source_port(void **state)
{
    (void)state;
    struct world world = start(&(struct skua_link_setup){.rebind_every_ns = 100 * SKUA_MSEC});
    const int client = open_client(&world);
    struct sockaddr_in first;
    struct sockaddr_in from;
    uint8_t byte = 1;
    assert_int_equal(send(client, &byte, 1, 0), 1);
    assert_int_equal(receive(world.server, &byte, 1, &first), 1);
    do {
        assert_int_equal(send(client, &byte, 1, 0), 1);
        assert_int_equal(receive(world.server, &byte, 1, &from), 1);
    } while (from.sin_port == first.sin_port);
    /* An answer may still fall into the gap of the next rebinding: repeat until one arrives. */
    struct pollfd ready = {.fd = client, .events = POLLIN};
    do {
        assert_int_equal(send(client, &byte, 1, 0), 1);
        assert_int_equal(receive(world.server, &byte, 1, &from), 1);
        assert_int_equal(sendto(world.server, &byte, 1, 0, (struct sockaddr *)&from, sizeof from),
                         1);
    } while (poll(&ready, 1, 50) == 0);
    (void)close(client);
    assert_true(stop(&world).rebindings >= 1);
}

/* After a move the server sees another address, and answers to it reach the client; also behind a
 * rebinding. */
static void test_moving_changes_the_source_address(void **state)
{
    (void)state;
    struct skua_link_setup setup = {.move_after_ns = 50 * SKUA_MSEC,
                                    .rebind_every_ns = 100 * SKUA_MSEC};
    const struct sockaddr_in second = {.sin_family = AF_INET,
                                       .sin_addr = {htonl(INADDR_LOOPBACK + 1)}};
    setup.move_to.v4 = second;
    setup.move_to.len = sizeof second;
    struct world world = start(&setup);
    const int client = open_client(&world);
    struct sockaddr_in from;
    uint8_t byte = 1;
    in_port_t port = 0;
    unsigned ports = 0;
    while (ports < 3) {
        assert_int_equal(send(client, &byte, 1, 0), 1);
        assert_int_equal(receive(world.server, &byte, 1, &from), 1);
        bool moved = from.sin_addr.s_addr == second.sin_addr.s_addr;
        assert_true(moved || ports == 0); /* once and for all */
        ports += moved && from.sin_port != port;
        port = moved ? from.sin_port : 0;
    }
    struct pollfd ready = {.fd = client, .events = POLLIN};
    do {
        assert_int_equal(send(client, &byte, 1, 0), 1);
        assert_int_equal(receive(world.server, &byte, 1, &from), 1);
        assert_int_equal(sendto(world.server, &byte, 1, 0, (struct sockaddr *)&from, sizeof from),
                         1);
    } while (poll(&ready, 1, 50) == 0);
    (void)close(client);
    assert_true(stop(&world).rebindings >= 3);
}

static void test_mtu_and_loss(void **state)
{
    (void)state;
    struct world world =
        start(&(struct skua_link_setup){.params = {{.mtu = 1300}, {.loss = SKUA_SHARE_ONE}}});
    const int client = open_client(&world);
    uint8_t bytes[1400] = {0};
    struct sockaddr_in from;
    assert_int_equal(send(client, bytes, 1301, 0), 1301);
    assert_int_equal(send(client, bytes, 1300, 0), 1300);
    assert_int_equal(receive(world.server, bytes, sizeof bytes, &from), 1300);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(sendto(world.server, bytes, 10, 0, (struct sockaddr *)&from, sizeof from),
                         10);
    }
    (void)close(client);
    const struct skua_link_result result = stop(&world);
    assert_int_equal(result.counts[SKUA_LINK_UP].dropped_mtu, 1);
    assert_int_equal(result.counts[SKUA_LINK_UP].packets_out, 1);
    assert_int_equal(result.counts[SKUA_LINK_DOWN].lost, 10);
    assert_int_equal(result.counts[SKUA_LINK_DOWN].packets_out, 0);
}

static uint64_t clock_ms(void)
{
    struct timespec ts;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* 50 packets of 10,000 bits at 5 Mbit/s and 20 ms of delay take no less than 120 ms. */
static void test_rate_and_delay_take_their_time(void **state)
{
    (void)state;
    const struct skua_link_params params = {
        .rate_bps = 5000000, .queue_bytes = 1 << 20, .delay_ns = 20 * SKUA_MSEC};
    struct world world = start(&(struct skua_link_setup){.params = {params, params}});
    const int client = open_client(&world);
    uint8_t bytes[1222] = {0};
    const uint64_t begun = clock_ms();
    for (uint8_t i = 0; i < 50; i++) {
        bytes[0] = i;
        assert_int_equal(send(client, bytes, sizeof bytes, 0), sizeof bytes);
    }
    for (uint8_t i = 0; i < 50; i++) {
        assert_int_equal(receive(world.server, bytes, sizeof bytes, NULL), sizeof bytes);
        assert_int_equal(bytes[0], i);
    }
    assert_true(clock_ms() - begun >= 119);
    (void)close(client);
    assert_int_equal(stop(&world).counts[SKUA_LINK_UP].packets_out, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_datagrams_of_all_sizes_pass_unchanged),
        cmocka_unit_test(test_segmented_sends_stay_datagrams),
        cmocka_unit_test(test_clients_are_told_apart),
        cmocka_unit_test(test_rebinding_changes_the_source_port),
        cmocka_unit_test(test_moving_changes_the_source_address),
        cmocka_unit_test(test_mtu_and_loss),
        cmocka_unit_test(test_rate_and_delay_take_their_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
