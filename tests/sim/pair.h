/* Two hosts and a link, for tests that follow a script: each side records what happened to it, and
 * does the simple things by itself (accepts, reads, writes so many bytes). Streams carry a pattern
 * that the reader compares. */
#ifndef SKUA_TESTS_SIM_PAIR_H
#define SKUA_TESTS_SIM_PAIR_H

#include <skua/skua.h>

#include "world.h"

#define MS(n)  ((skua_time)(n)*SKUA_MSEC)
#define SEC(n) ((skua_time)(n)*SKUA_SEC)

enum { PAIR_STATES_MAX = 16 };

struct pair;

struct side {
    struct pair *pair;
    struct sim_host *host;
    skua_conn conn;
    bool listens;       /* pair_listen was called */
    skua_stream stream; /* the one that was opened or reported last */
    /* what it does by itself */
    bool accepts, drains; /* take connections; read and throw away what arrives */
    bool plain;           /* what it reads is not the pattern: do not compare */
    bool closes;          /* close when the peer has finished */
    uint64_t to_write;    /* bytes for `stream` in all */
    bool finishes;        /* ... and then its end */
    /* what it saw */
    unsigned events[SKUA_EVENT_TYPES];
    skua_time at[SKUA_EVENT_TYPES]; /* when each kind was seen last */
    struct skua_event closed;       /* the CLOSED event, without its text */
    char reason[260];
    uint64_t received, written;
    bool eof, finished;
    enum skua_err read_error;                /* other than SKUA_OK, EAGAIN, EOF */
    enum skua_state states[PAIR_STATES_MAX]; /* that it went through */
    unsigned state_count;
    uint64_t sent[32];     /* packets by type of trace.def's packet_sent */
    skua_time sent_at[64]; /* when the first ones left */
    unsigned sent_count;
    uint64_t drop_next; /* datagrams of its that the link will lose */
    bool dark;          /* the link loses all of them */
    void (*heard)(struct side *s, const struct skua_event *event); /* may be NULL */
};

struct pair {
    struct sim_world *w;
    struct side client, server;
};

/* A world of its own for test `name`; `link` may be NULL: 10 ms each way and nothing else. */
void pair_init(struct pair *p, const char *name, const struct sim_link_config *link);
void pair_init_drivers(struct pair *p, const char *name, const struct sim_link_config *link,
                       const struct sim_host_config *client, const struct sim_host_config *server);
/* What a failure says of how to run it again. */
void pair_replay(struct pair *p, const char *command, const char *name);
void pair_listen(struct pair *p, const struct skua_listen_config *config); /* NULL: defaults */
void pair_dial(struct pair *p, const struct skua_conn_config *config);     /* NULL: defaults */
/* Listens and connects with defaults, until both sides are established. */
void pair_establish(struct pair *p);
/* Lets `duration` pass. */
void pair_run(struct pair *p, skua_time duration);
/* Until `condition` is true, which must be within `limit`. */
#define pair_until(p, limit, condition)                                                            \
    do {                                                                                           \
        skua_time end_ = (p)->w->now + (limit);                                                    \
        while (!(condition)) {                                                                     \
            if ((p)->w->now >= end_) {                                                             \
                sim_fail((p)->w, "%s:%d: not in time: %s", __FILE__, __LINE__, #condition);        \
            }                                                                                      \
            pair_step(p);                                                                          \
        }                                                                                          \
    } while (0)
void pair_step(struct pair *p); /* a millisecond passes */
/* Byte `offset` of every stream that a side writes. */
uint8_t side_byte(uint64_t offset);
/* Opens a stream and writes to it `bytes`, with its end. */
void side_send(struct side *s, unsigned kind, uint64_t bytes);
/* Writes `bytes` more on `s->stream` (a bidirectional one is opened where there is none), without
 * its end; later, its end. */
void side_write(struct side *s, uint64_t bytes);
void side_finish(struct side *s);
/* Reads what there is on `s->stream`. */
void side_read(struct side *s);
void side_close(struct side *s);
void side_shutdown(struct side *s);
void side_stats(struct side *s, struct skua_conn_stats *out);
enum skua_state side_state(struct side *s);
/* The driver of this side notices that the application did something. */
void side_kick(struct side *s);
/* The client closes, then the server; both ends are orderly. Then pair_end. */
void pair_conclude(struct pair *p);
/* Waits until nothing is left in either endpoint, and frees the world. */
void pair_end(struct pair *p);

#endif
