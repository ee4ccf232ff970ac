/* A connection's configuration with every default filled in and every pointer resolved.
 *
 * Nothing in it changes once a connection has it, so connections with equal settings share one
 * object: all that a listener accepts do, and so do outgoing ones made one after the other. */
#ifndef SKUA_CONN_SETTINGS_H
#define SKUA_CONN_SETTINGS_H

#include <skua/skua.h>

struct skua_heap;

struct skua_settings {
    uint64_t holders;               /* connections and others that have it; 0 = not shared */
    skua_time idle_timeout_ns;      /* SKUA_NEVER = off */
    skua_time user_timeout_ns;      /* SKUA_NEVER = off */
    skua_time keepalive_time_ns;    /* SKUA_NEVER = off */
    skua_time keepalive_intvl_ns;   /* between probes */
    skua_time time_wait_ns;         /* 0 = 3 PTO, at least 10 s */
    skua_time close_timeout_ns;     /* from skua_conn_close to giving up; SKUA_NEVER = off */
    skua_time fin_wait2_timeout_ns; /* in FIN_WAIT_2 after skua_conn_close; SKUA_NEVER = off */
    uint64_t max_recv_window;       /* bytes, whole connection */
    uint64_t max_stream_window;     /* bytes, one stream; at most 3/4 of max_recv_window */
    uint64_t max_send_buffer;       /* bytes, one stream */
    uint32_t max_streams_bidi;      /* open at a time, peer's */
    uint32_t max_streams_uni;       /* open at a time, peer's */
    uint32_t keepalive_probes;      /* unanswered ones that end it */
    uint32_t syn_retries;           /* repeats of SYN and SYN_ACK */
    uint32_t datagram_buffer;       /* bytes of unread datagrams; 0 = none are taken */
    uint32_t max_message;           /* bytes of a message that is held until it is whole */
    uint8_t controller;             /* enum skua_controller; never DEFAULT */
    bool ik;                        /* Noise IK instead of XX */
    bool rendezvous;                /* both sides connect */
    bool tokens;                    /* ask for tokens for early data */
    bool has_server_key, has_psk;   /* which of the next two are set */
    struct skua_key server_key;     /* the key that the server must have */
    uint8_t psk[SKUA_PSK_LEN];      /* shared secret */
    char label[SKUA_LABEL_MAX + 1]; /* application, zero-terminated */
};

/* Fills in defaults. SKUA_EINVAL for a value out of range or a `size` that this library does not
 * know. */
enum skua_err skua_settings_resolve(struct skua_settings *out,
                                    const struct skua_conn_config *config);

/* An object with the content of `value`: `like` (may be NULL) with one more holder where that is
 * the same, else a new one. NULL where there is no memory. */
struct skua_settings *skua_settings_share(struct skua_heap *heap, const struct skua_settings *value,
                                          struct skua_settings *like);
/* One more holder. */
struct skua_settings *skua_settings_hold(struct skua_settings *settings);
/* One holder less; the last one wipes and frees it. NULL is allowed. */
void skua_settings_drop(struct skua_heap *heap, struct skua_settings *settings);

#endif
