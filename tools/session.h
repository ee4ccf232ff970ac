/* One request over one connection, seen from either side: the common part of `skua cp` and of each
 * client of `skua serve`.
 *
 *     client PUT  REQUEST ->  <- REPLY       sender   data streams, TOTALS, SENT ->  receiver
 *     client GET  REQUEST ->  <- REPLY     receiver   <- data streams, TOTALS, SENT  sender
 *                                            (either)  VERDICTS ... DONE from the receiver
 *
 * A session owns the control stream and the sending or receiving half (sender.h, receiver.h); its
 * owner owns the connection, hands it the connection's events and learns by callbacks what happens.
 * Everything runs on the loop's thread. A session that is stopped waits for its jobs on worker
 * threads, cleans up and says `gone`; its memory is the owner's. */
#ifndef SKUA_TOOLS_SESSION_H
#define SKUA_TOOLS_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "buffers.h"
#include "file_control.h"
#include "file_mac.h"
#include "outcome.h"
#include "pool.h"
#include "store.h"

struct skua_session;
struct skua_sender;
struct skua_receiver;

/* Codes of skua_conn_abort in this protocol. */
enum skua_file_abort {
    SKUA_FILE_ABORT_INTERRUPTED = 1, /* the user or the system ended the program */
    SKUA_FILE_ABORT_PROTOCOL = 2,    /* the peer's bytes make no sense */
    SKUA_FILE_ABORT_INTERNAL = 3     /* out of memory */
};

struct skua_session_ops {
    /* Server: a REQUEST came (its strings are valid during the call). Answer with
     * skua_session_reply, now or later. */
    void (*request)(struct skua_session *session, const struct skua_file_request *request);
    /* Client: the REPLY came. */
    void (*reply)(struct skua_session *session, enum skua_file_status status);
    /* What became of an entry, once for each. `path` is below root `root`, or NULL where this side
     * does not keep names. `here`: this side judged; else the peer did. */
    void (*outcome)(struct skua_session *session, const struct skua_outcome *outcome, bool here);
    /* How much there is in all, as far as known. */
    void (*totals)(struct skua_session *session, const struct skua_file_totals *totals);
    /* Everything is stored, and everybody knows. Close the connection (the session is finished). */
    void (*done)(struct skua_session *session);
    /* The peer violates the protocol, or memory is short: abort the connection with the code. */
    void (*failed)(struct skua_session *session, enum skua_file_abort code, const char *why);
    /* After skua_session_stop: nothing of the session is in use any more. */
    void (*gone)(struct skua_session *session);
};

/* How far it is. */
struct skua_session_progress {
    uint64_t bytes;   /* sender: acknowledged; receiver: taken */
    uint64_t entries; /* with an outcome */
    uint64_t stored;  /* of these OK */
    uint64_t failed;  /* of these neither OK nor left out on purpose */
    bool all_sent;    /* the sender has no more bytes */
};

struct skua_session {
    const struct skua_session_ops *ops;
    void *user; /* the owner's */
    struct skua_endpoint *ep;
    skua_conn conn;
    struct skua_pool *pool;
    struct skua_buffers *buffers;
    struct skua_file_control control;
    struct skua_file_key key;       /* of the tags; valid from start */
    bool server;                    /* this side answers requests */
    bool keep_names;                /* outcomes carry paths */
    bool requested;                 /* server: a REQUEST has come */
    bool finished;                  /* skua_session_finish was called */
    bool stopping;                  /* skua_session_stop was called */
    atomic_bool cancel;             /* the same, for workers */
    size_t jobs;                    /* on workers */
    size_t held;                    /* buffers */
    struct skua_job last;           /* ends it */
    struct skua_sender *sender;     /* or NULL */
    struct skua_receiver *receiver; /* or NULL */
    bool early_sent;                /* SENT came before the receiver was there */
    struct skua_file_totals sent;   /* what it said */
    size_t early_count;             /* data streams that came before the receiver was there */
    skua_stream early[SKUA_FILE_STREAMS_MAX];
    struct skua_session_progress progress;
};

/* What a session is made of. */
struct skua_session_config {
    const struct skua_session_ops *ops;
    void *user;
    struct skua_endpoint *ep;
    skua_conn conn;
    struct skua_pool *pool;
    struct skua_buffers *buffers;
    bool server;
    bool keep_names;
};

/* The connection is established. SKUA_OK, or why not (the exporter or memory failed). */
enum skua_err skua_session_init(struct skua_session *session,
                                const struct skua_session_config *config);

/* Client: opens the control stream and sends the request. */
bool skua_session_request(struct skua_session *session, const struct skua_file_request *request);
/* Server: answers the request. */
bool skua_session_reply(struct skua_session *session, enum skua_file_status status);

/* This side sends: `roots` beneath `store` (or local where NULL), which must outlive the session.
 * False where memory is short. */
bool skua_session_send(struct skua_session *session, const struct skua_store *store,
                       const char *const *roots, size_t count, unsigned flags);
/* This side receives: root i becomes targets[i] in `store`, which must outlive the session. */
bool skua_session_receive(struct skua_session *session, struct skua_store *store,
                          const char *const *targets, size_t count, unsigned flags);

/* Hands in an event of the connection: STREAM, READABLE, WRITABLE, ACKED, STREAMS, STOPPED. Others
 * are the owner's. */
void skua_session_on_event(struct skua_session *session, const struct skua_event *event);

/* The owner is about to close the connection in order: events mean nothing any more. */
void skua_session_finish(struct skua_session *session);

/* The connection is closed or aborted (lent memory is free again). Workers finish, temporary files
 * go, then `gone` is called, never before this returns. Idempotent. */
void skua_session_stop(struct skua_session *session);

/* --- for sender.c and receiver.c --- */

/* Submits a job of the session. Its `done` begins with skua_session_job_done; where that is false
 * the session is stopping and `done` does nothing else. */
void skua_session_submit(struct skua_session *session, struct skua_job *job);
bool skua_session_job_done(struct skua_session *session);
/* Counts and reports an outcome. */
void skua_session_outcome(struct skua_session *session, const struct skua_outcome *outcome,
                          bool here);
void skua_session_fail(struct skua_session *session, enum skua_file_abort code, const char *why);
/* A stream refuses what is asked of it. Where the connection is over, the reason comes with CLOSED,
 * which is still to be polled; else it is a failure like others. */
void skua_session_broke_off(struct skua_session *session, enum skua_file_abort code,
                            const char *why);

#endif
