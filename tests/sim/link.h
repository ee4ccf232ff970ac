/* One direction between two hosts: rate, delay, a drop-tail queue, and everything that goes wrong
 * on the way. All of it is drawn from the link's own generator. */
#ifndef SKUA_TESTS_SIM_LINK_H
#define SKUA_TESTS_SIM_LINK_H

#include <skua/skua.h>

#include "rng.h"

/* What the IP and UDP headers take of the link's rate. */
enum { SIM_IP_OVERHEAD = 28 };

struct sim_datagram {
    struct sim_datagram *next;
    struct skua_addr from, to;
    uint8_t ecn;
    size_t len;
    uint8_t bytes[];
};

/* What a way does to ECN marks. */
enum sim_link_ecn {
    SIM_ECN_KEEPS,
    SIM_ECN_BLEACHES, /* all become Not-ECT */
    SIM_ECN_REMARKS,  /* ECT(0) becomes ECT(1) */
    SIM_ECN_SWALLOWS  /* datagrams with a mark vanish */
};

struct sim_link_config {
    skua_time delay;              /* of propagation */
    skua_time jitter;             /* up to this much more; later ones do not overtake */
    uint64_t rate;                /* bits per second; 0 = no limit */
    uint64_t queue;               /* bytes that wait at most; 0 = no limit */
    uint32_t loss;                /* ppm, independent */
    uint32_t burst_enter;         /* ppm per datagram: good to bad (Gilbert-Elliott) */
    uint32_t burst_leave;         /* ppm per datagram: bad to good */
    uint32_t burst_loss;          /* ppm while bad */
    uint32_t reorder;             /* ppm held back ... */
    skua_time reorder_time;       /* ... by up to this much, past later ones */
    uint32_t duplicate;           /* ppm delivered twice */
    uint32_t corrupt;             /* ppm with flipped bits */
    uint32_t mtu;                 /* larger ones vanish; 0 = no limit */
    uint32_t hole_from, hole_to;  /* sizes that vanish although larger ones pass; 0 = none */
    skua_time dark_from, dark_to; /* black-out */
    enum sim_link_ecn ecn;        /* what becomes of marks */
    uint64_t mark_above;          /* bytes waiting from which ECT becomes CE; 0 = never */
    uint32_t ce;                  /* ppm of ECT that become CE all the same */
};

struct sim_link {
    struct sim_link_config config;
    struct sim_rng rng;
    bool bad;            /* in a burst */
    skua_time free_at;   /* when the sender of the link is done with what it has */
    skua_time last_at;   /* when the last one that keeps its place arrives */
    uint64_t offered;    /* datagrams so far */
    uint64_t bytes;      /* of these, payload */
    skua_time spoilt_at; /* when one was last offered that was dropped or damaged */
    /* A test's own opinion: true drops it. `index` counts from 0. */
    bool (*drop)(void *arg, const struct sim_datagram *datagram, uint64_t index, skua_time now);
    void *drop_arg;
};

/* What becomes of a datagram of `len` bytes: `copies` (0 to 2) arrive, at `at`, with `flips` bits
 * flipped in the first. */
struct sim_fate {
    unsigned copies;
    skua_time at[2];
    unsigned flips;
    uint8_t ecn; /* ECN bits on arrival */
};

void sim_link_offer(struct sim_link *link, const struct sim_datagram *datagram, skua_time now,
                    struct sim_fate *fate, uint64_t *counts);

/* Ends every fault, CE at random among them; rate, delay, queue, MTU and what else becomes of marks
 * stay. */
void sim_link_heal(struct sim_link *link);

#endif
