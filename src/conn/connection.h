/* A connection: one struct, cut by verb. Each nested struct belongs to one file of this folder,
 * which alone writes it.
 *
 *   dial.c      SYN_SENT: SYN, SYN_ACK, RETRY, REFUSE, VERSIONS, until it is confirmed
 *   early.c     early data in the SYN, SYN_RCVD of a connection made by them, NEW_TOKEN
 *   meet.c      SYN_SENT in a rendezvous: the peer's SYN, its third packet
 *   rx.c        a datagram in: packet number, replay window, opening, frames
 *   frames.c    what each frame means
 *   tx.c        a datagram out: what to put into it, within cwnd and pacing
 *   control.c   the connection's own frames: ACK, PING, FIN, FIN_ACK, RST
 *   datagram.c  datagrams: when, how large, and their turn among the streams
 *   fate.c      what became of packets, for streams, congestion control and PMTUD
 *   close.c     FIN both ways, RST, TIME_WAIT, the end
 *   timers.c    one deadline from many facts
 *   events.c    what the application polls
 *   stats.c     what it reads
 *
 * A connection never calls upwards: it marks its outbox (outbox.h). The endpoint owns it, and frees
 * it when skua_connection_is_dead says so. State names and rules: state.def (RFC 9293 §3.3.2). */
#ifndef SKUA_CONN_CONNECTION_H
#define SKUA_CONN_CONNECTION_H

#include <skua/skua.h>

#include "base/addr.h"
#include "base/replay.h"
#include "base/timers.h"
#include "base/verdict.h"
#include "cc/cc.h"
#include "cc/pacer.h"
#include "conn/env.h"
#include "conn/outbox.h"
#include "conn/settings.h"
#include "conn/state.h"
#include "crypto/exporter.h"
#include "crypto/keys.h"
#include "crypto/reset.h"
#include "handshake/initiator.h"
#include "handshake/result.h"
#include "path/ecn.h"
#include "path/ids.h"
#include "path/pmtud.h"
#include "recovery/acks.h"
#include "recovery/recovery.h"
#include "stream/datagrams.h"
#include "stream/streams.h"
#include "wire/header.h"

/* Most frame records of one packet: one inline in the sent entry, the others in its overflow. */
enum { SKUA_RECORDS_PER_PACKET = 16 };

/* Room for the last packet of a connection, which its record repeats: a RST without reason under
 * the longest id and tag. Packets that ask for an acknowledgement are padded to more than that,
 * since a record answers only longer ones. */
enum { SKUA_FAREWELL_MAX = 80, SKUA_ELICITING_MIN = SKUA_FAREWELL_MAX + 1 };

/* What a client has put into its SYN, until the server says what became of it. */
struct skua_dial_early {
    struct skua_token token;                             /* secret */
    struct skua_record records[SKUA_RECORDS_PER_PACKET]; /* of the frames in the SYN */
    size_t count;                                        /* of them; 0 = there was nothing to say */
};

/* A client's handshake, from SYN until the server has answered under the transport keys. */
struct skua_dial {
    struct skua_initiator initiator; /* Noise state and stored packets */
    skua_time first_sent;            /* when the first SYN left; SKUA_NEVER = not yet */
    skua_time repeat_at;             /* when the SYN is due again; SKUA_NEVER = not armed */
    uint32_t sent;                   /* SYNs sent so far */
    skua_time prompted_at;           /* when the peer's SYN last called for one; 0 = never */
    bool due;                        /* a SYN is to be sent now */
    bool retried;                    /* ... because of a RETRY, before its time */
    bool prompted;                   /* one is to be sent out of turn; the schedule stays */
    bool doubtful;                   /* one was sent out of turn: no RTT sample */
    bool fell_back;                  /* IK was not answered: this is the XX attempt */
    struct skua_dial_early *early;   /* a token was given: NULL = none, or it has served */
};

struct skua_rx_state {
    struct skua_replay replay; /* which packet numbers were received */
    struct skua_acks acks;     /* what we owe the peer */
    uint64_t ack_sequence;     /* largest sequence of the peer's ACK_FREQUENCY, plus 1 */
};

struct skua_tx_state {
    uint64_t skip_pn;      /* the next number to leave out (RFC 9000 §21.4) */
    uint64_t ack_sequence; /* of the newest ACK_FREQUENCY sent */
    uint8_t probes;        /* packets that may leave in spite of cwnd: PTO (RFC 9002 §6.2.4) */
    uint8_t ack_packets;   /* packets per ACK that it asked for; 0 = none was sent */
    uint8_t ack_only_run;  /* packets without anything to acknowledge, in a row; saturates */
    bool ack_frequency_due : 1; /* it is to be (re)sent */
    bool ping : 1;              /* a PING is wanted */
    bool cwnd_limited : 1;      /* the last fill stopped at cwnd */
    bool pacing_limited : 1;    /* the last fill stopped at the pacer */
    bool room_limited : 1;      /* the last fill stopped where the caller had no more room */
    bool update_keys : 1;       /* the application asked for new keys */
    bool ect : 1;               /* what is being filled leaves with ECT(0) */
    bool mark_next : 1;         /* since the last PTO: the next batch bears marks, if any does */
    skua_time pace_at;    /* when the pacer lets more leave; SKUA_NEVER = it does not hold back */
    skua_time hold_until; /* a packet could not be noted as sent, or must wait for the client's
                             answer: when to try again; SKUA_NEVER */
};

/* The last packet of a connection, between its end and the record in the TIME_WAIT table. */
struct skua_farewell {
    skua_time pto_ns; /* PTO at the end: paces repeats */
    uint8_t len;      /* bytes of `packet` */
    uint8_t packet[SKUA_FAREWELL_MAX];
};

struct skua_close_state {
    bool fin_due;                     /* FIN is to be (re)sent */
    bool fin_ack_due;                 /* FIN_ACK is to be (re)sent */
    bool shutdown : 1;                /* our FIN was asked for */
    bool fin_sent : 1;                /* FIN left at least once */
    bool fin_acked : 1;               /* FIN_ACK received */
    bool peer_fin : 1;                /* the peer's FIN frame received */
    bool peer_complete : 1;           /* ... and everything that it counts */
    bool released : 1;                /* the application called close */
    bool rst_due : 1;                 /* a RST is the next and last thing to send; before there are
                                         keys, what takes the SYN back */
    bool ended : 1;                   /* nothing more is received; CLOSED is to be reported */
    bool over : 1;                    /* nothing more is sent either; keys are wiped */
    bool lost_memory : 1;             /* borrowed bytes could not be kept: ends with INTERNAL */
    bool reported : 1;                /* CLOSED was polled */
    bool remote : 1, application : 1; /* who ended it, in which code space */
    uint16_t reason_len;              /* bytes of `reason` */
    uint32_t fin_repeats;             /* for the backoff */
    enum skua_err error;              /* why it ended */
    struct skua_farewell *farewell;   /* what the record will repeat; NULL = nothing */
    union {
        struct {                  /* until `ended` */
            uint64_t peer_fin_pn; /* lowest packet number that carried the peer's FIN */
            skua_time repeat_at;  /* of our FIN; SKUA_NEVER = not armed */
            skua_time deadline;   /* of close(); 0 = not yet set */
        } fin;
        struct { /* from then on; connections are many, and few of them have ended */
            uint64_t code, frame_type; /* as in RST */
            char *reason;              /* text of RST, REASON_MAX + 1 bytes, or NULL */
        } end;
    };
};

/* Signs of life and their limits. */
struct skua_life {
    skua_time received_at; /* last authentic packet, or the start */
    skua_time sent_at; /* last ack-eliciting packet after which nothing was received; 0 = none */
    skua_time unacked_since; /* oldest time at which something has been unacknowledged; SKUA_NEVER =
                                nothing */
    skua_time keepalive_at;  /* next probe; SKUA_NEVER = off */
    skua_time hint_at;       /* an ICMP hint since the last authentic packet; SKUA_NEVER = none */
    uint32_t keepalive_sent; /* unanswered probes */
    uint8_t hint;            /* enum skua_hint: the worst of these */
    uint8_t blocked_repeats; /* times that credit was asked for since the last came: for the
                                backoff; stays at its largest */
    skua_time idle_timeout_ns; /* agreed minimum; SKUA_NEVER = off */
    skua_time blocked_at; /* when to say again that credit is missing; SKUA_NEVER = not blocked */
};

struct skua_counters {
    uint64_t packets_sent, bytes_sent, packets_received, bytes_received;
    uint64_t packets_lost, packets_spurious, packets_acked;
    uint64_t packets_duplicate, packets_undecryptable, packets_reordered;
    uint64_t acks_sent, acks_received, delivery_rate;
    uint32_t pto_count, congestion_events, persistent_congestions;
    uint32_t key_updates, mtu_probes_sent, mtu_probes_lost;
    uint32_t path_changes, path_failures, path_challenges;
    uint32_t mtu_suspicions, mtu_black_holes, mtu_refusals;
};

struct skua_migration;

struct skua_connection {
    struct skua_env *env;
    struct skua_outbox outbox;
    struct skua_node all_link;  /* for the owner's lists: all connections */
    struct skua_node link;      /* for the owner's lists: ready to send */
    struct skua_node loan_link; /* on env->loans while streams hold borrowed bytes */
    struct skua_timer timer;    /* for the owner's timer heap */
    skua_conn handle;           /* what the application calls it */
    void *user;                 /* the application's pointer */
    enum skua_state state;
    bool is_server;
    bool confirmed;        /* the handshake is (RFC 9001 §4.1.2 in spirit) */
    bool accepted;         /* the application took it (clients: from the start) */
    bool told : 1;         /* INCOMING was polled */
    bool meeting : 1;      /* the owner's: it can be found by its peer's address */
    bool half_open : 1;    /* the owner's: the half-open entry of its id is still there */
    bool early_open : 1;   /* server: made by early data, nothing of the client opened yet */
    bool early_taken : 1;  /* client: the server has taken the early data */
    bool wants_tokens : 1; /* server: the client asked for tokens */
    bool token_due : 1;    /* server: NEW_TOKEN is to be sent */
    bool has_token : 1;    /* client: there is one in env->tokens */
    uint8_t peer_ack_delay_exponent; /* the peer's parameter */
    uint8_t suite;                   /* enum skua_suite; 0 = not yet */
    uint16_t peer_max_udp_payload;   /* the peer's parameter */
    uint32_t events;                 /* bits 1 << enum skua_event_type */
    struct skua_settings *settings;  /* held; shared with others */
    struct skua_ids ids;             /* connection ids of both directions */
    struct skua_path path;
    skua_time moved_at;         /* when it last changed by a move (migrate.c); 0 = never */
    uint16_t peer_max_datagram; /* the peer's max_datagram_frame_size; 0 = it takes none */
    bool flowing;     /* a full packet that asked for an ACK has come since the peer was last asked
                         after what it sends (timers.c) */
    uint64_t watched; /* for the owner: by which it finds `ids.token`; 0 = not at all */
    struct skua_key peer_key;    /* all zero before it is known; after SKUA_EPEERKEY the server's */
    struct skua_secret exporter; /* for skua_conn_export */
    struct skua_keys keys;
    struct skua_migration *migration; /* while another path plays a part; else NULL */
    struct skua_dial *dial;           /* client, until confirmed; else NULL */
    struct skua_rx_state rx;
    struct skua_tx_state tx;
    struct skua_recovery recovery;
    struct skua_cc cc;
    struct skua_pacer pacer;
    struct skua_pmtud pmtud;
    struct skua_ecn ecn;
    struct skua_streams streams;
    struct skua_datagrams *datagrams; /* from the first one on; NULL before */
    struct skua_close_state close;
    struct skua_life life;
    struct skua_counters count;
};

/* A datagram for a connection. */
struct skua_arrival {
    const struct skua_head *head; /* its peeked header */
    uint8_t *data;                /* opened in place; stays valid until settle */
    size_t len;
    const struct skua_path *path; /* where it came from */
    bool elsewhere;               /* that is not the connection's path */
    uint8_t ecn;
};

/* What a server knows when the third packet authenticates. */
struct skua_accept_args {
    struct skua_settings *settings; /* one more holder */
    void *user;                     /* the application's pointer, until accept gives one */
    const struct skua_path *path;
    struct skua_id own_id, peer_id;
    const struct skua_handshake_result *result;
    skua_time syn_ack_sent; /* for the first RTT sample; SKUA_NEVER = it was repeated */
    bool early;             /* it is a SYN with early data that makes it: SYN_RCVD */
};

/* Our transport parameters under these settings. */
void skua_conn_params(struct skua_transport_params *out, const struct skua_settings *settings,
                      uint16_t max_udp_payload);

/* --- life --- */

/* May `token` be used with these settings? */
bool skua_early_fits(const struct skua_settings *s, const struct skua_token *token);
/* A client in SYN_SENT, one more holder of `settings`; the SYN leaves with the next send. `token`
 * (NULL = none) is for early data. SKUA_ENOMEM, SKUA_EINVAL. */
enum skua_err skua_connection_connect(struct skua_connection **out, struct skua_env *env,
                                      struct skua_settings *settings, const struct skua_path *path,
                                      const struct skua_id *own_id, const struct skua_token *token);
/* A server's connection: ESTABLISHED, from a half-open entry whose third packet carried a valid
 * message 3; or SYN_RCVD, beside its half-open entry, from a SYN with early data. */
enum skua_err skua_connection_accept(struct skua_connection **out, struct skua_env *env,
                                     const struct skua_accept_args *args, skua_time now);
/* Carries out early data that skua_streams_early_fit has found right, after accept. */
void skua_connection_take_early(struct skua_connection *c, const uint8_t *frames, size_t len,
                                skua_time now);
/* Of such a connection whose client has not answered: when it is given up. */
skua_time skua_early_deadline(const struct skua_connection *c);
/* The client has taken back the SYN whose early data made this connection. */
void skua_connection_cancel(struct skua_connection *c, skua_time now);
/* ... or has shown that it is at the far end of `path`, where its SYN had not come from. Needs what
 * skua_connection_may_move gets. */
void skua_connection_shown_at(struct skua_connection *c, const struct skua_path *path,
                              skua_time now);
/* Gets memory for that. False: there is none. */
bool skua_connection_may_move(struct skua_connection *c);
/* Rendezvous, while our SYN waits for an answer (`c` is in SYN_SENT, with `rendezvous` in its
 * settings): what to do with the peer's SYN, whose header is `head`.
 *   OK             answer it, as the accepting side
 *   SYN_CROSSED    the peer is the one to answer: our SYN is sent again at once
 *   SYN_REFLECTED  it is our own */
enum skua_verdict skua_connection_cross(struct skua_connection *c, const struct skua_head *head,
                                        skua_time now);
/* The third packet of that handshake has come: `c` becomes the accepting side, ESTABLISHED. `args`
 * as for skua_connection_accept; its settings, user and path are not used.
 *   OK, PROTOCOL       as skua_connection_recv
 *   SYN_ACK_UNTRUSTED  authentic, but the peer's key is not the expected one: the attempt fails
 * when its next repeat is due, unless a trusted peer comes first others             nothing has
 * changed */
enum skua_verdict skua_connection_meet(struct skua_connection *c,
                                       const struct skua_accept_args *args,
                                       const struct skua_arrival *arrival, skua_time now);
/* Frees it and wipes its keys; takes it off every list that it is on but the timer heap. */
void skua_connection_free(struct skua_connection *c);
/* Nothing more will come from it and nobody can ask for it: to be freed. */
bool skua_connection_is_dead(const struct skua_connection *c);

/* --- I/O --- */

/* Takes a datagram whose dcid is an own id: any type but SYN. */
enum skua_verdict skua_connection_recv(struct skua_connection *c,
                                       const struct skua_arrival *arrival, skua_time now);
/* A datagram from `path` that no key opens ends with `token`: true where that makes it the
 * stateless RESET of this connection, which has then ended. */
bool skua_connection_reset(struct skua_connection *c, const struct skua_path *path,
                           const uint8_t token[SKUA_RESET_TOKEN_LEN], skua_time now);
/* After the last datagram of a receive batch (SKUA_MARK_BATCH): the one ACK decision. */
void skua_connection_batch_end(struct skua_connection *c, skua_time now);
/* Ends the loan of receive buffers. */
void skua_connection_settle(struct skua_connection *c);
/* Fills `tx`; `tx->len` is 0 where nothing may leave now. */
void skua_connection_send(struct skua_connection *c, struct skua_tx *tx, skua_time now);
/* The kernel refused a filled `tx` with EMSGSIZE: nothing that large fits. */
void skua_connection_too_large(struct skua_connection *c, const struct skua_tx *tx, skua_time now);
/* The kernel refuses to send along a path that is tried: it is given up. */
void skua_connection_path_refused(struct skua_connection *c, const struct skua_path *path,
                                  skua_time now);
/* ICMP or errno said "unreachable": shortens the patience, never ends by itself. */
void skua_connection_hint(struct skua_connection *c, enum skua_hint hint, skua_time now);
/* When skua_connection_on_timeout has something to do; SKUA_NEVER = nothing. */
skua_time skua_connection_deadline(const struct skua_connection *c);
void skua_connection_on_timeout(struct skua_connection *c, skua_time now);

/* --- application --- */

/* INCOMING was answered by accept. */
void skua_connection_take(struct skua_connection *c, void *user);
/* FIN: see skua_conn_shutdown. */
enum skua_err skua_connection_shutdown(struct skua_connection *c);
/* skua_conn_close: shutdown, incoming bytes thrown away, ends at the latest after close_timeout_ns.
 */
enum skua_err skua_connection_close(struct skua_connection *c);
/* RST and forget: for skua_conn_abort, skua_conn_refuse and unlisten. `application` says whose
 * `code` it is; the handle is gone (the connection is an orphan until its RST has left). */
void skua_connection_abort(struct skua_connection *c, bool application, uint64_t code,
                           const char *reason);
/* The next event; false where there is none. CLOSED is the last one. `*stream` is the stream that
 * it is about, or NULL: the owner gives a new one (STREAM) its handle. */
bool skua_connection_poll_event(struct skua_connection *c, struct skua_event *event,
                                struct skua_stream **stream);
bool skua_connection_has_event(const struct skua_connection *c);
/* Something that a stream operation changed may have to be sent or reported. */
void skua_connection_touch(struct skua_connection *c);
enum skua_err skua_connection_export(const struct skua_connection *c, const char *label, void *out,
                                     size_t len);
/* skua_conn_token. */
enum skua_err skua_connection_token(struct skua_connection *c, struct skua_token *out);
/* The handle is about to end: nobody can ask for the token any more. */
void skua_connection_drop_token(struct skua_connection *c);
enum skua_err skua_connection_update_keys(struct skua_connection *c);
enum skua_err skua_connection_ping(struct skua_connection *c);
/* See skua_conn_migrate. */
enum skua_err skua_connection_migrate(struct skua_connection *c, const struct skua_path *path);
/* Datagrams: see skua_conn_send_datagram and those behind it. */
enum skua_err skua_connection_send_datagram(struct skua_connection *c, const void *data, size_t len,
                                            skua_time lifetime_ns);
enum skua_err skua_connection_max_datagram(const struct skua_connection *c, size_t *len);
enum skua_err skua_connection_peek_datagram(const struct skua_connection *c, struct skua_vec *out);
enum skua_err skua_connection_drop_datagram(struct skua_connection *c);
void skua_connection_stats(const struct skua_connection *c, struct skua_conn_stats *out);

#endif
