/* The applications of the simulated world: what they do to connections and streams, and what they
 * expect to see.
 *
 * Both ends of a connection know each other (they find themselves by the exported secret, which
 * must be equal), so each delivered byte, each end and each reset is compared with what the other
 * side did. The bytes of a stream are a function of connection, stream, direction and offset. */
#ifndef SKUA_TESTS_SIM_APP_H
#define SKUA_TESTS_SIM_APP_H

#include <skua/skua.h>

#include "world.h"

enum sim_end {
    SIM_END_CLOSE,    /* close when everything is written and read */
    SIM_END_SHUTDOWN, /* shutdown when everything is written, close when the peer has finished */
    SIM_END_WAIT,     /* close when the peer has finished */
    SIM_END_EARLY,    /* close at `end_at`, whatever is under way */
    SIM_END_ABORT,    /* abort at `end_at` */
    SIM_END_NEVER     /* leave it alone */
};

/* How one side of a connection behaves. */
struct sim_plan {
    uint32_t streams[2];         /* to open: bidirectional, unidirectional */
    uint32_t at_once;            /* most of them open at a time */
    uint64_t size_min, size_max; /* bytes to write per sending side */
    uint64_t chunk_max;          /* bytes per write or lend */
    uint64_t read_max;           /* bytes per read or consume */
    uint32_t lend, peek;         /* ppm per operation */
    uint32_t messages;           /* ppm of own streams that carry messages */
    uint32_t unordered;          /* ppm of the others that are read as they arrive */
    uint32_t slow;               /* ppm of streams that are read slowly: `pause` between reads */
    uint32_t write_pause;        /* ppm per write */
    uint32_t prioritize;         /* ppm per write: the stream gets another priority */
    uint32_t confirm;            /* ppm of sides finished: reading is to be confirmed */
    bool awaits;                 /* shuts down and closes only when all of that is confirmed */
    uint32_t more;               /* ppm per write: with SKUA_MORE; the cork goes in or out */
    skua_time pause;
    uint32_t reset, stop;        /* ppm of sides given up half-way */
    uint32_t abandon;            /* ppm of streams whose handle is closed half-way */
    uint32_t keep;               /* ppm of streams whose handle is kept to the end */
    uint32_t datagrams;          /* to send; then */
    uint64_t datagram_max;       /* ... most bytes of each */
    uint32_t datagram_burst;     /* ... most at once */
    uint32_t datagram_dies;      /* ... ppm of them with a lifetime */
    skua_time datagram_life;     /* ... of so long */
    skua_time datagram_pause;    /* ... most between bursts of them */
    uint32_t pings, key_updates; /* how many, at random times within `span` */
    uint32_t moves;              /* client: to other sockets, the same way */
    uint32_t losses;             /* client: of the socket in use, for the rest of `span` */
    skua_time span;
    bool early;      /* client: streams are opened before the connection stands */
    bool uses_token; /* client: it waits for a token, and sends early data with it */
    enum sim_end end;
    skua_time end_at;       /* after connect or accept; 0 = not by time */
    skua_time accept_after; /* server: INCOMING waits so long */
    bool refuse;            /* server: refuses */
};

struct sim_loan;
struct sim_datagrams;
struct sim_app;

struct sim_stream {
    struct sim_stream *next;  /* of the connection */
    struct sim_stream *queue; /* of the host's work list */
    bool queued, want_read, want_write;
    struct sim_conn *conn;
    struct sim_stream *peer; /* the other end; NULL until it is known */
    skua_stream handle;
    uint64_t id;
    bool own, uni;
    bool carries_messages; /* then `written` and `read` do not count the lengths */
    bool done;             /* both sides have come to their end */
    bool closed;           /* skua_stream_close was called */
    /* sending side */
    bool can_send;
    uint64_t size; /* to be written */
    uint64_t written, acked;
    uint64_t give_up_at;           /* reset at this offset; UINT64_MAX = finish */
    bool finished, reset, refused; /* refused: the peer stopped it */
    bool confirm, confirmed;       /* reading is to be confirmed; it was, or will not be */
    struct sim_loan *loans;
    uint32_t *message_len; /* of each message sent */
    uint32_t messages, message_room;
    uint64_t lengths_out; /* bytes of lengths written */
    /* receiving side */
    bool can_recv;
    uint64_t read;
    uint64_t stop_at; /* UINT64_MAX = read to the end */
    bool unordered;   /* then `read` counts what was read, wherever it belongs */
    uint8_t *seen;    /* of each byte: it was read */
    uint64_t seen_room;
    uint32_t taken;      /* messages read to their end */
    uint64_t part;       /* bytes read of the next one */
    uint64_t lengths_in; /* bytes of lengths of what was read */
    bool eof, was_reset, stopped;
    bool slow;
};

struct sim_conn {
    struct sim_conn *next;
    struct sim_conn *check_next;
    bool checking;
    struct sim_app *app;
    struct sim_host *host, *to;
    unsigned socket;
    struct sim_conn *peer;
    struct sim_conn *mate; /* rendezvous: the other side's attempt; else NULL */
    bool client;           /* in a rendezvous one of the two is called so */
    skua_conn handle;
    uint64_t seed; /* of its bytes */
    struct sim_plan plan, peer_plan;
    struct skua_conn_config config;
    uint8_t psk[SKUA_PSK_LEN];
    struct skua_key pin;
    char label[SKUA_LABEL_MAX + 1];
    uint8_t exporter[16];
    bool exported;
    uint64_t call; /* what tells the client's SYN from others; of a server where that had early data
                    */
    bool offers;   /* client: early data, with a token */
    bool early;    /* server: early data made it ... */
    unsigned boot; /* ... in this process of its host */
    bool shown;    /* ... and its client has shown that it is there */
    bool established, accepted, shut, closed, aborted, over, finished;
    bool crashed;                    /* its host was lost while it lived: it never ends */
    bool bereft;                     /* ... its peer's was */
    bool delivered_all;              /* DELIVERED was seen */
    bool may_fail;                   /* any end is right: timeouts, wrong keys */
    bool may_overflow;               /* the listener refuses where its accept queue is full */
    enum skua_err expected;          /* where it must fail: why; SKUA_OK = orderly */
    enum skua_err error;             /* how it ended */
    skua_time finished_at;           /* when all that the peer sent was there */
    struct sim_datagrams *datagrams; /* NULL = this end knows of none */
    struct sim_stream *streams;
    uint32_t opened[2], incoming; /* own streams opened; the peer's that were reported */
    uint32_t open_now;            /* own, not complete */
    bool refused_open[2];
    uint64_t delivered;
};

/* What servers gave to a host: the newest first. */
enum { SIM_TOKENS = 4 };
struct sim_tokens {
    struct skua_token token[SIM_TOKENS];
    unsigned count;
};

struct sim_app {
    struct sim_world *world;
    struct sim_tokens tokens[SIM_HOSTS_MAX];
    skua_time heal_at; /* no socket is lost from then on */
    struct sim_conn *conns;
    struct sim_stream *work[SIM_HOSTS_MAX];
    struct sim_conn *checks[SIM_HOSTS_MAX];
    uint64_t next_seed;
    uint32_t datagram_buffer; /* of accepted connections */
    uint8_t *scratch;
};

extern const struct sim_program sim_app_program;

struct sim_app *sim_app_new(struct sim_world *world);
void sim_app_free(struct sim_app *app);

/* A connection to be made; fill in plan, peer_plan, config, then start it. */
struct sim_conn *sim_app_conn(struct sim_app *app, struct sim_host *from, unsigned socket,
                              struct sim_host *to);
void sim_app_start(struct sim_conn *conn);
/* It waits for a token that has not come yet; and when to look again. */
bool sim_early_waits(const struct sim_conn *conn);
skua_time sim_early_look_again(const struct sim_conn *conn);
/* Makes it a rendezvous: returns the other side's attempt, to be started as well. */
struct sim_conn *sim_app_mate(struct sim_conn *conn);

/* The process on `host` is killed and started again: its connections are gone, without a word. */
void sim_app_crash(struct sim_host *host);

/* All connections are over? */
bool sim_app_done(const struct sim_app *app);
/* Compares what both ends of every connection saw. After sim_app_done. */
void sim_app_verify(struct sim_app *app);
void sim_app_dump(const struct sim_app *app);

/* --- between app.c and app_stream.c */
void sim_stream_event(struct sim_conn *conn, const struct skua_event *event);
void sim_stream_work(struct sim_stream *stream);
void sim_stream_queue(struct sim_stream *stream, bool read, bool write);
void sim_stream_open_more(struct sim_conn *conn);
void sim_stream_end_sending(struct sim_conn *conn); /* shutdown or close was called */
/* It was: streams that had only waited for it are done. */
void sim_stream_ended(struct sim_conn *conn);
void sim_stream_close_all(struct sim_conn *conn); /* gives up every handle */
void sim_stream_drop(struct sim_conn *conn);      /* handles are stale, loans are over */
bool sim_stream_sent(const struct sim_stream *stream);
bool sim_stream_received(const struct sim_stream *stream);
bool sim_stream_awaits(const struct sim_stream *stream); /* the answer of the reader */
void sim_conn_check(struct sim_conn *conn);

/* --- between app.c and app_end.c */
enum { SIM_ABORT_CODE = 77 };
/* Is this end what the two sides' doings allow? */
bool sim_end_is_right(const struct sim_conn *conn, const struct skua_event *event);
void sim_end_count(struct sim_conn *conn, const struct skua_event *event);

/* --- between app.c, app_stream.c and app_early.c */
void sim_early_keep(struct sim_conn *conn); /* TOKEN came */
/* It is about to connect: `token` is for the config, where it uses one. */
void sim_early_call(struct sim_conn *conn, struct skua_token *token);
void sim_early_incoming(struct sim_conn *server); /* its early data made it */
/* Whose SYN that was; NULL = nobody's. */
struct sim_conn *sim_early_caller(struct sim_app *app, const struct sim_conn *server);
void sim_early_shown(struct sim_conn *server);                      /* ESTABLISHED, at last */
void sim_early_answered(struct sim_conn *conn, bool taken);         /* ESTABLISHED, of a client */
void sim_early_stream(const struct sim_stream *stream, bool early); /* it was reported */

/* --- between app_stream.c and app_message.c */
enum { SIM_SCRATCH = 1 << 17 };
/* Bytes of our sending side; and do these, behind what was read, fit the other's? */
void sim_stream_pattern(const struct sim_stream *stream, uint64_t offset, uint8_t *out, size_t len);
void sim_stream_check(const struct sim_stream *stream, const uint8_t *data, size_t len);
/* Sends a message; `left` bytes are still to be written. */
enum skua_err sim_message_send(struct sim_stream *stream, uint64_t left);
/* Takes a message, or up to `len` bytes of one; both check them. */
enum skua_err sim_message_take(struct sim_stream *stream, size_t len);

/* --- between app_stream.c and app_unordered.c */
/* The stream was opened or reported: may make it one. */
void sim_unordered_begin(struct sim_stream *stream);
/* Takes up to `len` bytes, and checks them. */
enum skua_err sim_unordered_take(struct sim_stream *stream, size_t len);

/* --- between app.c and app_datagram.c */
void sim_datagram_arm(struct sim_conn *conn);   /* before it connects, or is accepted */
void sim_datagram_begin(struct sim_conn *conn); /* it stands */
void sim_datagram_event(struct sim_conn *conn, const struct skua_event *event);
void sim_datagram_check(struct sim_conn *conn); /* its handle is about to become stale */
void sim_datagram_free(struct sim_conn *conn);

#endif
