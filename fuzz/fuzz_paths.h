/* What the files of the target of paths share: see fuzz_paths.c. */
#ifndef SKUA_FUZZ_PATHS_H
#define SKUA_FUZZ_PATHS_H

#include "fuzz_attack.h"

enum { PLACES = 8, REFLECTOR = PLACES - 1, SOCKETS = 3, COPIES = 8, NUMBERS = 16 };

/* A packet. When it was taken, copies of it are not. */
struct copy {
    uint8_t bytes[ATTACK_PACKET_MAX];
    size_t len;
    uint64_t pn;
    bool speaks;    /* it does more than ask */
    unsigned right; /* bit i: it answers a challenge to place i, one that is enough to move */
};

struct walk {
    struct attack a;
    bool answered[PLACES]; /* a challenge, from there */
    bool spoken[PLACES];   /* what shows a move came from there */
    bool speaks;           /* what is in `frames`: as in struct copy */
    unsigned right;
    uint64_t newest;  /* largest number that was delivered */
    struct copy late; /* sealed and not yet sent; len 0 = none */
    struct copy copies[COPIES];
    unsigned copy_count;
    uint64_t numbers[NUMBERS]; /* of the victim's newest packets */
    unsigned number_count;
    uint64_t memory; /* of the victim when the attack began, and for what it wrote since */
    uint8_t frames[ATTACK_PACKET_MAX / 2];
    struct skua_writer w; /* into `frames` */
};

/* The attacker's own address, other ports of it, other addresses, one of them a reflector's. */
struct skua_addr paths_place(const struct walk *f, unsigned number);
/* The victim's connection, while it lives. */
struct skua_connection *paths_victim(const struct walk *f);
/* Looks at what the victim sends from now on. */
void paths_watch(struct walk *f);
/* Fails where something does not hold that must. */
void paths_check(const struct walk *f);

#endif
