/* A kernel for tests of the socket layer: it records what is sent, delivers what it is told to, and
 * fails as asked. One at a time; fake_kernel_reset starts afresh. */
#ifndef SKUA_TESTS_FAKE_KERNEL_H
#define SKUA_TESTS_FAKE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "io/sys.h"

enum {
    FAKE_DATAGRAMS = 4096,
    FAKE_INCOMING = 256,
    FAKE_REPORTS = 16,
    FAKE_BYTES = 1 << 22,
};

/* A datagram on the wire. */
struct fake_datagram {
    int fd;
    struct skua_addr remote;
    struct skua_addr local; /* source that was asked for; family NONE = none */
    const uint8_t *data;
    size_t len;
    uint8_t ecn;
    bool by_gso;
};

/* A buffer to be received. */
struct fake_incoming {
    struct skua_addr remote;
    struct skua_addr local; /* destination; family NONE = not said */
    size_t len;
    uint16_t segment_size; /* 0 = no UDP_GRO message */
    uint8_t fill;          /* every byte of it */
    uint8_t ecn;
    uint32_t drops; /* 0 = not said */
    int flags;      /* msg_flags */
};

/* An ICMP message in the error queue. */
struct fake_report {
    struct skua_addr remote;
    int error;
    uint8_t origin;
};

struct fake_kernel {
    /* How it fails: errno values, 0 = not. */
    int refuse_gso;    /* messages with UDP_SEGMENT */
    int refuse_ecn;    /* messages with ECN bits */
    int refuse_source; /* messages with a source address */
    int refuse_mmsg;   /* sendmmsg and recvmmsg */
    int fail_send;     /* the next fail_send_times sends, whatever they are */
    int fail_send_times;
    int fail_recv; /* the next fail_recv_times receives */
    int fail_recv_times;
    size_t mtu;     /* longest datagram; longer: EMSGSIZE; 0 = any */
    size_t room;    /* messages until EAGAIN; SIZE_MAX = endless */
    uint64_t chaos; /* seed: sends fail at random with errno from all of them; 0 = not */
    bool pending;   /* reports make the next send fail with their errno */
    /* What was done. */
    unsigned sendmmsg_calls, sendmsg_calls, recvmmsg_calls, recvmsg_calls;
    unsigned asked; /* buffers asked for in the last recvmmsg */
    struct fake_datagram sent[FAKE_DATAGRAMS];
    size_t sent_count;
    struct fake_incoming incoming[FAKE_INCOMING];
    size_t incoming_count;
    size_t incoming_next;
    struct fake_report reports[FAKE_REPORTS];
    size_t report_count;
    uint8_t bytes[FAKE_BYTES];
    size_t bytes_used;
};

extern struct fake_kernel fake_kernel;
extern const struct skua_sys fake_sys;

void fake_kernel_reset(void);

/* Small deterministic generator. */
uint64_t fake_random(uint64_t *state);

/* An address for tests: 10.0.0.`host` or fd00::`host`. */
struct skua_addr fake_addr(uint8_t family, uint8_t host, uint16_t port);

#endif
