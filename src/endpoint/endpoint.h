/* The endpoint: everything that shares sockets.
 *
 *   demux.c        which of the tables below a datagram belongs to
 *   listener.c     SYN and CONFIRM: from a stranger's packet to a connection
 *   admission.c    whether a SYN must prove its address first
 *   prefixes.c     handshakes by network
 *   early.c        which tokens for early data have been used
 *   early_open.c   from a SYN with early data to a connection
 *   rendezvous.c   handshakes between two sides that both connect
 *   syn_queue.c    half-open entries (SYN_RCVD), TCP's SYN queue
 *   time_wait.c    records of connections that are over
 *   reset.c        stateless RESET: sent for what is forgotten, recognised by its token
 *   answers.c      datagrams that belong to no connection
 *   outbox.c       what connections left to be done: the only way they speak upwards
 *   api_*.c        the public functions, by what they are about
 *
 * Ownership: the endpoint owns connections (list `conns`), half-open entries and records.
 * Applications hold handles only. The accept queue is a count: a connection in it is an ordinary
 * one that has not been accepted yet. */
#ifndef SKUA_ENDPOINT_ENDPOINT_H
#define SKUA_ENDPOINT_ENDPOINT_H

#include <skua/skua.h>

#include "base/handles.h"
#include "base/map.h"
#include "base/steady.h"
#include "base/timers.h"
#include "base/verdict.h"
#include "conn/connection.h"
#include "endpoint/admission.h"
#include "endpoint/answers.h"
#include "endpoint/early.h"
#include "endpoint/syn_queue.h"
#include "endpoint/time_wait.h"

/* Kinds of handles. */
enum { SKUA_HANDLE_CONN = 1, SKUA_HANDLE_STREAM = 2 };

/* Length of what `meetings` is searched by. */
enum { SKUA_MEETING_KEY_LEN = 4 + (int)sizeof(struct skua_addr) };

struct skua_endpoint {
    struct skua_env env;          /* what connections borrow; first, since it is the hottest */
    struct skua_steady clock;     /* where env.now comes from */
    struct skua_aead_cache cache; /* expanded cipher states */
    struct skua_handles handles;  /* connections and streams */
    struct skua_nummap by_id;     /* own id, as a number -> connection */
    struct skua_nummap by_token;  /* begin of the peer's reset token -> connection */
    struct skua_idmap meetings;   /* socket and peer's address -> connection in a rendezvous */
    struct skua_connection *last; /* the connection of the last datagram: GRO batches hit it */
    uint64_t last_id;             /* the own id that it came under, as a number */
    const struct skua_connection *compared; /* whose path the present receive buffer's was compared
                                               with; or NULL */
    bool elsewhere;                         /* ... and was another one */
    struct skua_timers timers;              /* one timer per connection */
    struct skua_node conns;                 /* every connection, by `all_link` of struct member */
    struct skua_node ready;          /* connections that may have something to send, round robin */
    struct skua_node untimed;        /* outboxes, by `node`, of some of these: their timer is old */
    struct skua_admission admission; /* what is asked of SYNs; secret */
    struct skua_syn_queue syns;      /* half-open entries */
    struct skua_time_wait time_wait; /* records */
    struct skua_answers answers;     /* RETRY, REFUSE, VERSIONS, repeats of records */
    struct skua_early *early;        /* early data are taken; NULL = not */
    uint32_t early_count;            /* connections made by early data, not yet answered */
    bool listening;
    bool abort_on_overflow; /* as in skua_listen_config */
    bool (*allow)(void *user, const struct skua_key *key, const struct skua_path *path);
    void *allow_user; /* both as in skua_listen_config */
    bool served;      /* it has listened, or met: packets for ids of its own may be of a forgotten
                         connection */
    struct skua_settings *accept_settings; /* for accepted connections; NULL while not listening */
    void *accept_user;                     /* the application's pointer for them */
    uint32_t backlog;                      /* most connections not yet accepted */
    uint32_t accept_queue;                 /* connections not yet accepted */
    size_t conn_count;                     /* connections, orphans included */
    size_t max_conns;                      /* most of them */
    struct skua_rate hints;                /* looks at connections for hints */
    skua_time resets_until;                /* when all RESETs sent so far are paid for */
    uint64_t datagrams_received, bytes_received, datagrams_sent, bytes_sent;
    uint64_t verdicts[SKUA_VERDICTS];       /* datagrams by what became of them */
    char reason[SKUA_LIMIT_REASON_MAX + 1]; /* text of the last CLOSED event polled */
};

/* --- demux.c */

/* Finds the owner of one datagram and hands it over. */
enum skua_verdict skua_demux_recv(struct skua_endpoint *ep, const struct skua_rx *rx, uint8_t *data,
                                  size_t len, skua_time now);
/* A fresh id of this endpoint that nothing uses: QUIC-LB's layout for a listener, random for
 * clients. */
struct skua_id skua_demux_new_id(struct skua_endpoint *ep, bool server);
/* Is an id of the length of own ones of this server and worker, by its layout? */
bool skua_demux_is_own(const uint8_t *id);

/* The connection with the own id `id`, or NULL. */
struct skua_connection *skua_demux_owner(const struct skua_endpoint *ep, const struct skua_id *id);
/* Datagrams under `id` belong to `c` from now on. SKUA_ENOMEM. */
enum skua_err skua_demux_add_id(struct skua_endpoint *ep, const struct skua_id *id,
                                struct skua_connection *c);
/* ... and to nobody. */
void skua_demux_remove_id(struct skua_endpoint *ep, const struct skua_id *id);

/* --- listener.c */

enum skua_verdict skua_listener_syn(struct skua_endpoint *ep, const struct skua_arrival *arrival,
                                    skua_time now);
/* A REFUSE for nobody's id: a client that takes its SYN back. */
enum skua_verdict skua_listener_cancel(struct skua_endpoint *ep, const struct skua_arrival *arrival,
                                       skua_time now);
/* A CONFIRM, or (IK) the first DATA, for the half-open entry with the datagram's dcid; UNKNOWN_ID
 * where there is none. */
enum skua_verdict skua_listener_third(struct skua_endpoint *ep, const struct skua_arrival *arrival,
                                      skua_time now);
/* Until when a late copy of the SYN that has just become `c` is known as such. */
skua_time skua_listener_spent_until(const struct skua_connection *c, skua_time now);

/* --- early_open.c */

/* A SYN that may bring early data, while it is answered. Secret once `taken`. */
struct skua_early_syn {
    struct skua_early_judge judge; /* for the responder */
    struct skua_endpoint *ep;
    const struct skua_arrival *arrival;
    const uint8_t *digest;                      /* of the SYN */
    const struct skua_transport_params *params; /* that are announced; set before it is answered */
    skua_time now;
    bool offered;            /* it brought some */
    struct skua_id original; /* of a copy (SYN_REPLAYED): own id of the entry of the SYN that was
                                taken */
    bool taken;              /* they were taken: the next three are set */
    size_t frames_len;
    uint8_t token[SKUA_EARLY_TOKEN_LEN];
    uint8_t frames[SKUA_LIMIT_SYN_MAX];
};

const struct skua_early_judge *skua_early_syn_begin(struct skua_early_syn *s,
                                                    struct skua_endpoint *ep,
                                                    const struct skua_arrival *arrival,
                                                    const uint8_t *digest, skua_time now);
/* The SYN has been answered and has its half-open entry with own id `id`: makes the connection,
 * where its early data were taken. OK, SYN_EARLY_REJECTED, NO_MEMORY. */
enum skua_verdict skua_early_syn_end(struct skua_early_syn *s,
                                     const struct skua_responder_config *config,
                                     const struct skua_responder *responder,
                                     const struct skua_id *id);
/* It will not be answered after all. */
void skua_early_syn_undo(struct skua_early_syn *s);
void skua_early_syn_wipe(struct skua_early_syn *s);
/* It is a copy (SYN_REPLAYED): the half-open entry that the SYN before it has got, where that still
 * waits for its client; else NULL. */
struct skua_half_open *skua_early_syn_original(const struct skua_early_syn *s);
/* ... and its sender has proved the address that it comes from: what the entry has to say, and the
 * connection, go there from now on. SYN_REPEAT, NO_MEMORY; SYN_REPLAYED where the application does
 * not want this client from there. */
enum skua_verdict skua_early_syn_move(const struct skua_early_syn *s, struct skua_half_open *entry,
                                      const uint8_t fingerprint[SKUA_TAG_LEN]);
/* The client of `c` has answered: its entry is not needed any more. Or `c` is over: the entry
 * answers repeats of the SYN, so that the client can ask what became of it. */
void skua_early_settle(struct skua_endpoint *ep, struct skua_connection *c, skua_time now);

/* --- reset.c */

/* A datagram for an id that nobody knows. RESET where it is one, and has ended its connection;
 * FORGOTTEN where it will be answered with one; UNKNOWN_ID. */
enum skua_verdict skua_reset_recv(struct skua_endpoint *ep, const struct skua_arrival *arrival,
                                  skua_time now);
/* The peer's reset token is another one: `c` is found by it from now on. Where there is no memory
 * it is not found. */
void skua_reset_watch(struct skua_endpoint *ep, struct skua_connection *c);
/* `c` is over. */
void skua_reset_unwatch(struct skua_endpoint *ep, struct skua_connection *c);

/* --- rendezvous.c */

/* The connection, in SYN_SENT, that waits for a rendezvous with the far end of `path`; NULL. */
struct skua_connection *skua_rendezvous_find(const struct skua_endpoint *ep,
                                             const struct skua_path *path);
/* Makes it known; SKUA_ESTATE where there is one already, SKUA_ENOMEM. */
enum skua_err skua_rendezvous_add(struct skua_endpoint *ep, struct skua_connection *c);
/* It has come to its end, or `c` is to be freed. */
void skua_rendezvous_remove(struct skua_endpoint *ep, struct skua_connection *c);
/* A SYN with the rendezvous flag: OK where it is to be answered, with the settings for that. */
enum skua_verdict skua_rendezvous_syn(struct skua_endpoint *ep, const struct skua_arrival *arrival,
                                      const struct skua_settings **settings, skua_time now);
/* The third packet for an entry of a rendezvous, of which `result` has come. */
enum skua_verdict skua_rendezvous_third(struct skua_endpoint *ep, struct skua_half_open *entry,
                                        const struct skua_arrival *arrival,
                                        const struct skua_handshake_result *result, skua_time now);

/* --- outbox.c */

/* Makes a new connection known: handle, id, timer room. On failure the caller still owns it. */
enum skua_err skua_outbox_adopt(struct skua_endpoint *ep, struct skua_connection *c);
/* Carries out every mark. A connection that is going to be asked what it has to send gets its timer
 * only then, since its deadline depends on it. */
void skua_outbox_drain(struct skua_endpoint *ep, skua_time now);
/* The same, and all timers are right. */
void skua_outbox_set_timers(struct skua_endpoint *ep, skua_time now);
/* Ends the handle of a connection and of its streams: the application cannot name it any more. */
void skua_outbox_disown(struct skua_endpoint *ep, struct skua_connection *c);

/* --- api */

static inline struct skua_connection *skua_endpoint_conn(const struct skua_endpoint *ep,
                                                         skua_conn handle)
{
    return skua_handles_get(&ep->handles, handle, SKUA_HANDLE_CONN);
}

static inline struct skua_stream *skua_endpoint_stream(const struct skua_endpoint *ep,
                                                       skua_stream handle)
{
    return skua_handles_get(&ep->handles, handle, SKUA_HANDLE_STREAM);
}

#endif
