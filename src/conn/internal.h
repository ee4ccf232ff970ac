/* What the files of this folder say to each other. One section per file; nothing above includes
 * this. */
#ifndef SKUA_CONN_INTERNAL_H
#define SKUA_CONN_INTERNAL_H

#include "base/trace.h"
#include "conn/connection.h"
#include "packet/open.h"
#include "path/probe.h"
#include "wire/frame.h"

static inline void skua_conn_mark(struct skua_connection *c, unsigned marks)
{
    skua_outbox_mark(&c->outbox, &c->env->out, marks);
}

static inline void skua_conn_trace(const struct skua_connection *c, enum skua_trace_type type,
                                   const uint64_t args[4], skua_time now)
{
    skua_trace_emit(&c->env->trace, c->handle, type, args, now);
}

/* --- connection.c */

/* Takes the transition that `event` means in the present state. */
void skua_conn_transition(struct skua_connection *c, enum skua_state_event event, skua_time now);
/* The handshake's secrets become keys. */
void skua_conn_derive(struct skua_connection *c, const struct skua_handshake_result *result,
                      bool as_server);
/* The rest of its outcome becomes limits and identities. */
void skua_conn_install(struct skua_connection *c, const struct skua_handshake_result *result);
/* `token` belongs to `ids.peer`, which has come into use (RFC 9000 §10.3.1: tokens of other ids do
 * not count); zeros = it has none. */
void skua_conn_set_peer_token(struct skua_connection *c, const uint8_t token[SKUA_RESET_TOKEN_LEN]);
/* Both sides have proved that they hold the keys. */
void skua_conn_confirm(struct skua_connection *c, skua_time now);
/* The handshake gave a round-trip time. */
void skua_conn_first_rtt(struct skua_connection *c, skua_time sample);

/* --- dial.c: the client's handshake */

enum skua_err skua_dial_start(struct skua_connection *c);
void skua_dial_free(struct skua_connection *c);
enum skua_verdict skua_dial_recv(struct skua_connection *c, const struct skua_arrival *arrival,
                                 skua_time now);
void skua_dial_send(struct skua_connection *c, struct skua_tx *tx, skua_time now);
/* Has a SYN left that the server may have answered? */
bool skua_dial_was_heard(const struct skua_connection *c);
/* The packet that takes it back. */
void skua_dial_write_cancel(struct skua_connection *c, struct skua_tx *tx, skua_time now);
skua_time skua_dial_deadline(const struct skua_connection *c);
void skua_dial_on_timeout(struct skua_connection *c, skua_time now);

/* --- rx.c */

/* Opens a sealed packet in place, under the keys that there are. OK, and PROTOCOL where it is
 * authentic and wrong; anything else changes nothing but counters. */
enum skua_verdict skua_rx_open(struct skua_connection *c, const struct skua_arrival *arrival,
                               struct skua_opening *p, skua_time now);
/* Carries out what was opened; `verdict` is skua_rx_open's. */
enum skua_verdict skua_rx_take(struct skua_connection *c, const struct skua_arrival *arrival,
                               const struct skua_opening *p, enum skua_verdict verdict,
                               skua_time now);

/* --- frames.c */

/* Where an authentic packet's frames come from. */
struct skua_frame_origin {
    uint64_t pn;                        /* packet number */
    uint64_t phase;                     /* key phase of the packet */
    bool confirm;                       /* a CONFIRM packet */
    const struct skua_arrival *arrival; /* its datagram */
    bool eliciting;                     /* out: it asks for an acknowledgement */
    uint64_t type;                      /* out: type of the frame read last */
};

/* Carries out all frames of a packet; the code of the first that breaks the protocol. */
enum skua_code skua_frames_recv(struct skua_connection *c, struct skua_frame_origin *origin,
                                const uint8_t *frames, size_t len, skua_time now);

/* --- watch.c: what a trace sink hears of frames; called only where there is one */

void skua_watch_frame(const struct skua_connection *c, enum skua_trace_type type,
                      const struct skua_frame *frame, skua_time now);
/* Those of a packet that is about to be sealed. */
void skua_watch_frames_sent(const struct skua_connection *c, const uint8_t *frames, size_t len,
                            skua_time now);

/* --- fate.c */

enum skua_code skua_fate_on_ack(struct skua_connection *c, const struct skua_ack_frame *ack,
                                uint64_t phase, skua_time now);
void skua_fate_on_timeout(struct skua_connection *c, skua_time now);
/* The path's datagram size changed to the one in `pmtud`. */
void skua_fate_set_mtu(struct skua_connection *c, uint32_t old, skua_time now);
/* Packets leave along another path now: what has waited longest is repeated there, so that its ACK
 * tells what became of the rest. */
void skua_fate_on_path(struct skua_connection *c, skua_time now);

/* --- control.c: the connection's own frames in a packet being filled */

/* A packet being filled. */
struct skua_fill {
    enum skua_packet_type type; /* CONFIRM or DATA */
    struct skua_writer w;       /* frames; ends where the tag will begin */
    struct skua_record records[SKUA_RECORDS_PER_PACKET];
    size_t count;    /* records in use */
    bool eliciting;  /* something in it asks for an acknowledgement */
    bool ack;        /* it carries an ACK frame */
    bool allow_data; /* congestion window and pacer let ack-eliciting frames in */
    bool fin;        /* it carries FIN */
};

/* ACK, where one is pending. */
void skua_control_ack(struct skua_connection *c, struct skua_fill *fill, skua_time now);
/* How often we want ACKs, where `tx.ack_frequency_due`. It travels with data, never alone. */
void skua_control_ack_frequency(struct skua_connection *c, struct skua_fill *fill);
/* NEW_CONNECTION_ID and RETIRE_CONNECTION_ID, where `ids.due`. */
void skua_control_ids(struct skua_connection *c, struct skua_fill *fill);
/* FIN_ACK, and FIN once every byte and every datagram has been sent, where one of them is due. */
void skua_control_close(struct skua_connection *c, struct skua_fill *fill);
void skua_control_ping(struct skua_connection *c, struct skua_fill *fill);
/* Is there anything of the above to send, beside ACKs? */
bool skua_control_wants_send(const struct skua_connection *c);
/* A packet of nothing but a RST, with as much of the reason as `reason_max` allows. */
void skua_control_rst(struct skua_connection *c, struct skua_fill *fill, size_t reason_max);

/* --- datagram.c */

/* A DATAGRAM frame arrived; PROTOCOL where none is allowed. */
enum skua_code skua_datagram_on_frame(struct skua_connection *c, const struct skua_frame *frame);
/* The longest that a packet of the present path MTU carries, and the peer takes. */
size_t skua_datagram_most(const struct skua_connection *c);
/* Is one waiting to be read? */
bool skua_datagram_is_news(const struct skua_connection *c);
/* Is one waiting to be sent? */
bool skua_datagram_wants_send(const struct skua_connection *c);
/* ... and are datagrams to be put into the next packet before the streams' bytes? */
bool skua_datagram_goes_first(const struct skua_connection *c);
/* Room that an ACK which is not yet due is to leave for a datagram: else it could keep the largest
 * ones out for as long as it is put off. */
size_t skua_datagram_keep(const struct skua_connection *c, const struct skua_fill *fill,
                          bool ack_due);
/* Puts in as many as fit; did any? To be called where skua_datagram_wants_send. */
bool skua_datagram_fill(struct skua_connection *c, struct skua_fill *fill, skua_time now);

/* --- early.c */

/* Client, with the dial just made: a token was given. SKUA_EINVAL, SKUA_ENOMEM. */
enum skua_err skua_early_start(struct skua_connection *c, const struct skua_token *token);
/* It is not needed any more. */
void skua_early_drop(struct skua_connection *c);
/* What the SYN is to carry, with its frames at `frames`; false where there is nothing. */
bool skua_early_fill(struct skua_connection *c, uint8_t frames[SKUA_EARLY_ROOM],
                     struct skua_early_data *out);
/* Does the SYN carry some? */
bool skua_early_is_under_way(const struct skua_connection *c);
/* How often the SYN may be repeated. */
uint32_t skua_early_retries(const struct skua_connection *c);
/* The server's answer, once its limits are installed. A code other than NO_ERROR: it is wrong. */
enum skua_code skua_early_on_syn_ack(struct skua_connection *c, bool taken);
/* Server: the client has answered. */
void skua_early_on_confirmed(struct skua_connection *c, skua_time now);
/* May a full packet leave before it has? */
bool skua_early_may_send(const struct skua_connection *c);
/* Server: a client that asked for tokens gets a fresh one. */
void skua_token_due(struct skua_connection *c);
void skua_token_fill(struct skua_connection *c, struct skua_fill *fill);
enum skua_code skua_token_recv(struct skua_connection *c, const struct skua_frame *frame);

/* --- tx.c */

/* Bytes of frames that a packet of the path MTU carries. */
size_t skua_tx_room(const struct skua_connection *c);
/* The same for the largest packet that is taken to work (path/pmtud.h). */
size_t skua_tx_trusted_room(const struct skua_connection *c);

/* Starts a packet of at most `size` bytes at `buf`; false where as many packets as allowed wait for
 * their ACK, or there is no memory. Nothing has happened until it is sealed. */
bool skua_tx_begin(struct skua_connection *c, struct skua_fill *fill, uint8_t *buf, size_t size);
/* The same under another id of the peer's. */
bool skua_tx_begin_to(struct skua_connection *c, struct skua_fill *fill, uint8_t *buf, size_t size,
                      const struct skua_id *dcid);
/* Seals it and notes it as sent, with `flags` of recovery/sent.h; returns its length, 0 where the
 * keys are at their end. */
size_t skua_tx_seal(struct skua_connection *c, struct skua_fill *fill, uint8_t *buf, uint8_t flags,
                    skua_time now);

/* Does it send as much as window and pacer, or the processor (the caller's buffers fill up again and
 * again) let it? A few packets more than one buffer takes are not much. */
bool skua_tx_is_bulk(const struct skua_connection *c);

/* Is the search for a larger path MTU worth its packets? */
bool skua_tx_may_probe(const struct skua_connection *c);

/* --- migrate.c: other paths than the present one */

/* See migrate.c. */
struct skua_migration {
    struct skua_probe probe;    /* of another path, while `probing` */
    struct skua_path answer_to; /* where the newest PATH_CHALLENGE came from */
    struct skua_path before;    /* for the PATH event: the path before, or the one that failed */
    uint64_t answer;            /* what it said */
    skua_time rtt;              /* of the probed path, while `works` */
    skua_time quiet_until;      /* no other path is tried before */
    uint32_t answer_len;        /* bytes of its datagram; 0 = none is to be answered */
    enum skua_err error;        /* for the PATH event */
    bool probing;               /* a path is tried */
    bool wanted;                /* ... to move there; else the peer only asks */
    bool works;                 /* ... and has answered */
};

/* An authentic packet with its frames carried out. It came from elsewhere than along the present
 * path, or there is a `c->migration`. `largest`: so is its number. */
void skua_migrate_on_packet(struct skua_connection *c, const struct skua_arrival *arrival,
                            const struct skua_opening *packet, bool largest, skua_time now);
void skua_migrate_on_challenge(struct skua_connection *c, uint64_t data,
                               const struct skua_arrival *arrival);
void skua_migrate_on_response(struct skua_connection *c, uint64_t data,
                              const struct skua_arrival *arrival, skua_time now);
/* The next four only where there is a `c->migration`. Fills `tx` where a datagram along some path
 * is due; false where there is none. */
bool skua_migrate_send(struct skua_connection *c, struct skua_tx *tx, skua_time now);
skua_time skua_migrate_deadline(const struct skua_connection *c);
void skua_migrate_on_timeout(struct skua_connection *c, skua_time now);
/* Frees it where nothing is left of it: the PATH event was polled, say. */
void skua_migrate_settle(struct skua_connection *c, skua_time now);
/* Forgets everything. */
void skua_migrate_free(struct skua_connection *c);

/* --- close.c */

/* The peer broke the protocol, or a limit of ours is met: RST, then the end. */
void skua_close_fail(struct skua_connection *c, enum skua_code code, uint64_t frame_type,
                     const char *reason, skua_time now);
/* Ends without a packet: timeouts, or a REFUSE with `code` (else NO_ERROR). */
void skua_close_now(struct skua_connection *c, enum skua_err error, uint64_t code, skua_time now);
/* The peer has been silent for too long: ends with `error`, unless nothing is left to hear. */
void skua_close_on_silence(struct skua_connection *c, enum skua_err error, skua_time now);
void skua_close_on_rst(struct skua_connection *c, const struct skua_frame *frame, skua_time now);
enum skua_code skua_close_on_fin(struct skua_connection *c, const struct skua_frame *frame,
                                 uint64_t pn);
enum skua_code skua_close_on_fin_ack(struct skua_connection *c, skua_time now);
/* After frames: the peer's FIN may have become complete. */
void skua_close_check_peer(struct skua_connection *c, skua_time now);
/* The application may have called close: its deadline runs from now on. */
void skua_close_arm(struct skua_connection *c, skua_time now);
/* The last packet, where one is due: RST, or TIME_WAIT's. Returns true where `tx` was filled or the
 * connection ended. */
bool skua_close_send(struct skua_connection *c, struct skua_tx *tx, skua_time now);
skua_time skua_close_deadline(const struct skua_connection *c);
void skua_close_on_timeout(struct skua_connection *c, skua_time now);
/* FIN was sealed: arms its repeat. */
void skua_close_on_fin_sent(struct skua_connection *c, skua_time now);
/* Is there still something to read for the application after an orderly end? */
bool skua_close_is_husk(const struct skua_connection *c);

/* --- timers.c: facts; what they mean for deadlines is decided there */

void skua_timers_on_start(struct skua_connection *c, skua_time now);
void skua_timers_on_received(struct skua_connection *c, skua_time now);
void skua_timers_on_eliciting_sent(struct skua_connection *c, skua_time now);
void skua_timers_on_progress(struct skua_connection *c, skua_time now);
/* Packets were declared lost by time, shortly after an ACK of later ones. */
void skua_timers_on_timed_loss(struct skua_connection *c);
/* All that may leave now has left: is credit what is missing? */
void skua_timers_after_send(struct skua_connection *c, skua_time now);
/* The peer raised a limit. */
void skua_timers_on_credit(struct skua_connection *c);

#endif
