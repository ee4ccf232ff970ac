/* ENet: reliable, ordered packets over UDP, no encryption. Packets of 32 KiB, which ENet cuts to
 * its MTU; as many under way as keep its own window full. */
#include <enet/enet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

enum { PACKET = 32768, UNDER_WAY = 64 };

static int under_way;

static void on_free(ENetPacket *packet)
{
    (void)packet;
    under_way--;
}

static void receive(const struct bench_args *args)
{
    const ENetAddress address = {.host = args->addr.sin_addr.s_addr,
                                 .port = ntohs(args->addr.sin_port)};
    ENetHost *host = enet_host_create(&address, 1, 1, 0, 0);
    struct bench_count got = {.bytes = 0};
    ENetEvent event;
    if (host == NULL) {
        bench_die("enet_host_create");
    }
    for (bool open = true; open && enet_host_service(host, &event, 20000) > 0;) {
        if (event.type == ENET_EVENT_TYPE_RECEIVE) {
            bench_add(&got, event.packet->dataLength, bench_now());
            enet_packet_destroy(event.packet);
        } else if (event.type == ENET_EVENT_TYPE_DISCONNECT) {
            open = false;
        }
    }
    bench_print(&got);
}

static void transmit(const struct bench_args *args)
{
    const ENetAddress address = {.host = args->addr.sin_addr.s_addr,
                                 .port = ntohs(args->addr.sin_port)};
    ENetHost *host = enet_host_create(NULL, 1, 1, 0, 0);
    if (host == NULL) {
        bench_die("enet_host_create");
    }
    host->mtu = (enet_uint32)(args->size < ENET_PROTOCOL_MAXIMUM_MTU ? args->size
                                                                     : ENET_PROTOCOL_MAXIMUM_MTU);
    ENetPeer *peer = enet_host_connect(host, &address, 1, 0);
    ENetEvent event;
    if (peer == NULL || enet_host_service(host, &event, 5000) <= 0 ||
        event.type != ENET_EVENT_TYPE_CONNECT) {
        (void)fprintf(stderr, "enet: no connection\n");
        exit(1);
    }
    const uint8_t *chunk = bench_chunk();
    struct bench_count sent = {.bytes = 0};
    const uint64_t end = bench_now() + (uint64_t)(args->seconds * 1e9);
    for (uint64_t now = bench_now(); now < end; now = bench_now()) {
        while (under_way < UNDER_WAY) {
            ENetPacket *packet = enet_packet_create(chunk, PACKET, ENET_PACKET_FLAG_RELIABLE);
            packet->freeCallback = on_free;
            under_way++;
            (void)enet_peer_send(peer, 0, packet);
            bench_add(&sent, PACKET, now);
        }
        (void)enet_host_service(host, &event, 1);
    }
    enet_peer_disconnect_later(peer, 0);
    while (enet_host_service(host, &event, 3000) > 0 && event.type != ENET_EVENT_TYPE_DISCONNECT) {
    }
    bench_print(&sent);
}

int main(int argc, char **argv)
{
    struct bench_args args;
    bench_parse(&args, argc, argv);
    if (enet_initialize() != 0) {
        (void)fprintf(stderr, "enet: cannot start\n");
        return 1;
    }
    if (strcmp(args.role, "recv") == 0) {
        receive(&args);
    } else {
        transmit(&args);
    }
    return 0;
}
