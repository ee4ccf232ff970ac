/* What was on the wire, and the faults that a test ordered: every packet with its frames, when it
 * left and when it arrived, and what the applications and states did in between. The ladder is
 * drawn from it. */
#ifndef SKUA_TESTS_BEHAVIOUR_RECORD_H
#define SKUA_TESTS_BEHAVIOUR_RECORD_H

#include <stdio.h>

#include "pair.h"
#include "wire/frame.h"
#include "wire/header.h"

/* Kinds of packets: a type, or one of these. */
enum {
    SYN = SKUA_PACKET_SYN,
    SYN_ACK = SKUA_PACKET_SYN_ACK,
    CONFIRM = SKUA_PACKET_CONFIRM,
    RETRY = SKUA_PACKET_RETRY,
    REFUSE = SKUA_PACKET_REFUSE,
    VERSIONS = SKUA_PACKET_VERSIONS,
    DATA = SKUA_PACKET_DATA,
    RESET = 0x40, /* stateless: looks like DATA, but no connection sealed it */
    ANY = 0x80,
    KIND_WITH_FRAME = 0x100
};
/* Packets with a frame: WITH(FIN). */
#define WITH(frame) (KIND_WITH_FRAME | (unsigned)(frame))

/* Frames by their plain names. */
enum {
#define SKUA_FRAME(name, type, eliciting, confirm, after_fin, states, text) name = (type),
#include "wire/frames.def"
#undef SKUA_FRAME
    STREAM_END = STREAM | SKUA_STREAM_BIT_FIN
};

/* As base/trace.def has it. */
struct wire_frame {
    uint64_t type, a, b, c;
};

/* Is a frame of this type what a test means by `wanted`? An ACK may have counts of ECN marks. */
static inline bool frame_is(uint64_t type, unsigned wanted)
{
    return type == wanted || (wanted == ACK && type == ACK_ECN);
}

enum { FRAMES_KEPT = 16 };

struct packet {
    struct side *from;
    unsigned kind;      /* enum skua_packet_type */
    bool sealed_before; /* bytes that were sent before: a record's answer */
    uint64_t pn;        /* UINT64_MAX where it has none */
    size_t size;        /* UDP payload */
    skua_time at;       /* it left, from the beginning of the chart */
    skua_time arrived[2];
    unsigned copies;     /* that arrive: 0 = lost */
    unsigned verdict[2]; /* why the receiver dropped a copy; SKUA_VERDICT_OK: it did not */
    bool damaged, late;
    bool marked;           /* with Congestion Experienced, on the way */
    bool injected;         /* by the test, not by `from` */
    struct skua_addr peer; /* family NONE, or: not from or to the other side's first socket */
    unsigned frame_count;
    struct wire_frame frames[FRAMES_KEPT];
};

/* A datagram kept for later. */
struct kept {
    size_t len;
    uint8_t bytes[2048];
};

/* Starts recording what happens in `p`'s world. One record at a time. */
void record_begin(struct pair *p);
void record_end(void);
/* What was recorded so far is forgotten; times begin anew. */
void record_forget(void);
/* Nothing that happens from here on is recorded. */
void record_stop(void);
void record_watch(void (*watch)(struct side *from, const struct sim_datagram *datagram));
void record_watch_trace(void (*watch)(struct side *s, const struct skua_trace_event *event));

/* A datagram of the test's own reaches `to`; the first ones of a chart are drawn. */
void record_injected(struct side *to, const struct skua_addr *from, size_t len);
/* One line of text at a side. */
void record_note(struct side *s, const char *text);
void record_draw(FILE *out);

/* The `nth` packet of a kind from `s`, or NULL; and how many there are. */
const struct packet *record_packet(const struct side *s, unsigned kind, unsigned nth);
unsigned record_count(const struct side *s, unsigned kind);

enum fault_kind { FAULT_DROP, FAULT_DELAY, FAULT_DUPLICATE, FAULT_CORRUPT, FAULT_MARK, FAULT_KEEP };

/* What is to become of the `first` to the `first + count - 1`th packet of a kind from now on. */
struct fault {
    enum fault_kind what;
    const struct side *from;
    unsigned kind, first, count;
    skua_time time;
    struct kept *kept;
    unsigned seen;
};
void record_fault(const struct fault *fault);

#endif
