/* What tests of listeners hear and lose of what passes between a pair: one type of packet. */
#ifndef SKUA_TESTS_ENDPOINT_LISTEN_TAP_H
#define SKUA_TESTS_ENDPOINT_LISTEN_TAP_H

#include "pair.h"

/* Keeps the last packet of one type that one side has sent, and drops what the test says. */
struct listen_tap {
    int from;                   /* the side */
    enum skua_packet_type type; /* one with a long header */
    bool lost;                  /* drop what is kept */
    bool mute;  /* drop what the server sends, and what takes a SYN back: so a client that closes is
                 * one that has never heard of it */
    size_t len; /* of what is kept; 0 = nothing yet */
    uint8_t bytes[2000];
};

/* For `drop` of a pair whose `user` is a tap. */
bool listen_tap(struct pair *pair, int from, const uint8_t *data, size_t len);

#endif
