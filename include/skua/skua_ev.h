/* Skua on libev: one endpoint with its UDP sockets on an event loop of the caller.
 *
 * The driver does what skua.h leaves to its caller: it opens sockets, looks names up, moves
 * datagrams in large batches (UDP_SEGMENT, UDP_GRO, sendmmsg, recvmmsg, with fall-backs), keeps the
 * one timer, and hands events to handlers. Everything on connections and streams is done with the
 * functions of skua.h on skua_ev_endpoint(); its I/O verbs (recv, settle, send, send_result, hint,
 * on_timeout) and skua_endpoint_poll_event belong to the driver and must not be called beside it.
 *
 * Threads. A driver, its endpoint and its loop belong to one thread. Another thread that wants
 * something of them posts it to that thread through an ev_async of the program's own. The driver
 * itself uses helper threads for name lookups only; they run no code of the program, and all
 * signals are blocked in them. No signal handler is installed; SIGPIPE does not occur with UDP.
 *
 * Sending. There is no flush: what handlers and other code of the loop's thread ask for leaves when
 * the loop is about to wait for events (an ev_prepare of lowest priority). Calls made before ev_run
 * leave with the loop's first turn.
 *
 * The loop's life. The driver's watchers do not keep ev_run from returning, with these exceptions:
 * it holds the loop (one ev_ref) while it listens, while a connect attempt is under way, while the
 * endpoint has connections, and, with `hold_time_wait`, TIME_WAIT records. So a client's ev_run
 * returns by itself when its last connection is closed, after the last packet was sent. ev_run
 * must not be called from a handler.
 *
 * Roaming. Where an address of this machine goes away under a connection made by skua_ev_connect (a
 * laptop leaves a network), the driver opens another socket and hands the connection to it by
 * skua_conn_migrate as soon as there is a route to the peer again; a PATH event tells. Nothing
 * needs to be called for that. What was bound to one address by skua_ev_bind stays there, as does a
 * connection that was given a local address: who says where packets may leave from (a VPN, say) is
 * not to find them elsewhere. Listening sockets and accepted connections stay too: there it is the
 * client's part to come back.
 *
 * Handlers are called one after another, from inside ev_run only, never from inside another call
 * of this API. In a handler every function of this header and of skua.h (but the verbs above) may
 * be called, skua_ev_free included. Events of a connection that a handler has just aborted are not
 * delivered. A handler's event is valid until it returns. */
#ifndef SKUA_SKUA_EV_H
#define SKUA_SKUA_EV_H

#include <skua/skua.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ev_loop;

/* The driver: an endpoint, its sockets and its timer. */
struct skua_ev;

/* What becomes of an event. */
typedef void skua_ev_handler(struct skua_ev *ev, const struct skua_event *event);

/* One handler for each type of event (include/skua/events.def); `event->user` and
 * `event->stream_user` tell whose it is. A handler that is NULL means that the event is ignored,
 * but for `incoming`. */
struct skua_ev_handlers {
    size_t size;                  /* sizeof(struct skua_ev_handlers) */
    skua_ev_handler *incoming;    /* a peer waits: call skua_conn_accept or skua_conn_refuse, now or
                                     later. NULL = each is accepted with the listener's user pointer;
                                     a program that admits only known keys must set it, or `allow` of
                                     skua_listen_config */
    skua_ev_handler *established; /* result of skua_ev_connect: `conn` is connected. With early data
                                     also of a listener's (struct skua_event has more) */
    skua_ev_handler *stream;      /* the peer opened `stream`; bytes may be there already, and
                                     `readable` follows if so */
    skua_ev_handler *readable;    /* read or peek until SKUA_EAGAIN or SKUA_EOF. Peeking here, and
                                     consuming before the handler returns, costs no copy */
    skua_ev_handler *writable;    /* a stream that refused bytes has room */
    skua_ev_handler *acked;    /* everything below `offset` is acknowledged: lent memory is free */
    skua_ev_handler *streams;  /* a refused skua_stream_open can be tried again */
    skua_ev_handler *stopped;  /* the peer asked to stop sending on `stream` */
    skua_ev_handler *finished; /* the peer has shut down (end of file of the whole connection). What
                                  it sent may still wait to be read, and skua_conn_close throws
                                  that away: read each stream to its end before */
    skua_ev_handler *closed;   /* the connection ended, or skua_ev_connect failed; see `error` */
    skua_ev_handler *datagram; /* datagrams have arrived: read them until SKUA_EAGAIN. Peeking here,
                                  and dropping before the handler returns, costs no copy */
    skua_ev_handler *datagram_room; /* a refused skua_conn_send_datagram can be tried again */
    skua_ev_handler *consumed;      /* the peer's application has read `stream` to its end */
    skua_ev_handler *discarded;     /* ... or has thrown the rest of it away */
    skua_ev_handler *delivered;     /* all that was sent has arrived (after shutdown or close) */
    skua_ev_handler *path;  /* the connection has moved to another path; nothing needs doing */
    skua_ev_handler *token; /* the server gave a token for early data: skua_conn_token has it */
};

#define SKUA_EV_HANDLERS_INIT                                                                      \
    {                                                                                              \
        sizeof(struct skua_ev_handlers), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,     \
            NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL                                         \
    }

/* A driver's settings. */
struct skua_ev_config {
    size_t size;                      /* sizeof(struct skua_ev_config) */
    struct skua_config endpoint;      /* the endpoint's; `rng` NULL = skua_ev_rng(), `key` NULL = a
                                         fresh one that nobody knows yet */
    struct skua_ev_handlers handlers; /* copied; a whole table may be assigned, with its `size` */
    void *user;                       /* for skua_ev_user */
    uint32_t socket_buffer; /* bytes asked for in SO_RCVBUF and SO_SNDBUF of each socket, beyond
                               rmem_max where allowed; 0 = 4 MiB */
    bool hold_time_wait;    /* TIME_WAIT records keep the loop alive as well */
    bool no_offload; /* neither UDP_SEGMENT nor UDP_GRO: for networks that handle them badly */
};
#define SKUA_EV_CONFIG_INIT                                                                        \
    {                                                                                              \
        sizeof(struct skua_ev_config), SKUA_CONFIG_INIT, SKUA_EV_HANDLERS_INIT, NULL, 0, false,    \
            false                                                                                  \
    }

/* The system's randomness, by libsodium; static. Fit for skua_key_generate, after skua_init. */
SKUA_API const struct skua_rng *skua_ev_rng(void);

/* Makes a driver on `loop`, which must outlive it. `config` is copied, keys included. SKUA_EINVAL,
 * SKUA_ENOMEM, SKUA_EINTERNAL (libsodium), SKUA_ESYSTEM (errno says why: no timerfd). */
SKUA_API enum skua_err skua_ev_new(struct skua_ev **out, struct ev_loop *loop,
                                   const struct skua_ev_config *config);
/* Ends everything at once: what is ready to be sent (a RST of skua_conn_abort, say) is tried once,
 * then sockets, connections and memory go. No handler is called any more. Legal in handlers, where
 * it takes effect when the handler has returned: until then memory lent by skua_stream_lend must
 * stay. NULL is allowed. For an orderly end use
 * skua_conn_close and wait for `closed`. */
SKUA_API void skua_ev_free(struct skua_ev *ev);

/* The endpoint, for the functions of skua.h; valid as long as the driver. */
SKUA_API struct skua_endpoint *skua_ev_endpoint(struct skua_ev *ev);
/* config.user */
SKUA_API void *skua_ev_user(const struct skua_ev *ev);
/* The loop it was made on. */
SKUA_API struct ev_loop *skua_ev_loop(const struct skua_ev *ev);
/* The time that the driver has last given to the endpoint (CLOCK_MONOTONIC). */
SKUA_API skua_time skua_ev_now(const struct skua_ev *ev);
/* errno of the latest system call that made a function of this header fail with SKUA_ESYSTEM; 0 =
 * none. */
SKUA_API int skua_ev_errno(const struct skua_ev *ev);

/* --- sockets
 *
 * `address` is numeric: "0.0.0.0:7582", "192.0.2.1:7582", "[::]:7582", "[fe80::1%eth0]:7582"; port
 * 0 lets the system choose. ":7582" and "*:7582" mean both families: two sockets with the same
 * port, or only one where the machine has only one family. "[::]:7582" is IPv6 only. */

/* Opens one socket (or two). Outgoing connections use the first bound socket of the right family,
 * listening ones included; where there is none, skua_ev_connect opens one by itself. Only a socket
 * that skua_ev_listen has bound to a loopback address is left out for peers on other machines,
 * which it cannot reach. SKUA_EADDR (not an address, or not one
 * of this machine), SKUA_EADDRINUSE, SKUA_EACCES (port below 1024, say), SKUA_ELIMIT (more than
 * SKUA_MAX_SOCKETS), SKUA_ENOMEM, SKUA_ESYSTEM. */
SKUA_API enum skua_err skua_ev_bind(struct skua_ev *ev, const char *address);
/* skua_ev_bind and skua_endpoint_listen in one: peers may connect now. To connect from elsewhere
 * than where it listens, bind that before. `address` NULL = on the
 * sockets already bound. `config` NULL = defaults. For further addresses call skua_ev_bind.
 * Errors: as skua_ev_bind, and SKUA_ESTATE where it listens already, SKUA_EINVAL for the config or
 * where nothing is bound; a failure leaves no new socket behind. */
SKUA_API enum skua_err skua_ev_listen(struct skua_ev *ev, const char *address,
                                      const struct skua_listen_config *config);
/* skua_endpoint_unlisten; the sockets stay, since connections use them. SKUA_ESTATE where it does
 * not listen. */
SKUA_API enum skua_err skua_ev_unlisten(struct skua_ev *ev);
/* Address of socket `index` (0 is the first bound; `path.socket` of a connection is such an
 * index), with the port that the system chose. SKUA_EINVAL beyond the last. */
SKUA_API enum skua_err skua_ev_local_addr(const struct skua_ev *ev, uint32_t index,
                                          struct skua_addr *out);
/* Reads a numeric address with port as above (not the forms without a host); SKUA_EADDR for
 * anything else. */
SKUA_API enum skua_err skua_ev_addr_parse(struct skua_addr *out, const char *text);

/* --- connecting */

/* Connects to `host` (a name or a numeric address without brackets) and `port`. A name is looked up
 * in both families without blocking the loop; at most eight of its addresses are tried by RFC 8305,
 * one more each 250 ms (at once where all before have failed, or where ICMP says that one will),
 * and the first that is established wins; the others end silently.
 *
 * SKUA_OK means that exactly one handler will be called, never before this function has returned:
 * `established` with the connection, or `closed` with the reason. Both carry `config->user`. In
 * `closed`, `conn` is 0 where no connection was ever begun (SKUA_ENAME: `reason` says what the
 * resolver said; SKUA_EUNREACHABLE: no address of a usable family), else the stale handle of the
 * try whose error was the most telling: SKUA_EPEERKEY (with `key`), SKUA_EVERSION, then
 * SKUA_ECONNREFUSED, and so on; SKUA_ETIMEDOUT and SKUA_EUNREACHABLE last, with the system's text
 * as `reason` where this machine refused to send (a firewall of its own, say).
 *
 * `config` may be NULL (defaults) and is copied with all it points to; secrets in the copy are
 * wiped when the attempt is over. `attempt` may be NULL; it receives a number for
 * skua_ev_connect_cancel. Early data need skua_conn_connect (below), since nothing can be written
 * here before the SYN leaves: `token` must be NULL. SKUA_EINVAL (no host, port 0, a config
 * that skua_conn_config_check refuses), SKUA_ENOMEM. */
SKUA_API enum skua_err skua_ev_connect(struct skua_ev *ev, const char *host, uint16_t port,
                                       const struct skua_conn_config *config, uint64_t *attempt);
/* Gives an attempt up: no handler is called for it. SKUA_ECLOSED where it is over already. */
SKUA_API enum skua_err skua_ev_connect_cancel(struct skua_ev *ev, uint64_t attempt);

/* skua_conn_connect may be used beside it, for early data: bind a socket of the address's family
 * before (skua_ev_bind, "0.0.0.0:0" say), put its index into `path.socket` and the address into
 * `path.remote` (skua_ev_addr_parse), connect, and write, before the loop's next turn. A path whose
 * socket is not bound ends with SKUA_EUNREACHABLE after a second or so. Roaming is not promised to
 * such a connection. Called from a watcher that is the loop's last one, it keeps the loop alive as
 * any other does, unless that watcher has priority EV_MINPRI. */

/* --- statistics */

/* What the driver did; counters start at 0 with it. */
struct skua_ev_stats {
    uint64_t recv_calls;     /* recvmmsg and recvmsg, error queue not counted */
    uint64_t recv_buffers;   /* buffers filled: one datagram each, or several by UDP_GRO */
    uint64_t recv_datagrams; /* datagrams in them */
    uint64_t recv_bytes;     /* UDP payload */
    uint64_t recv_drops;     /* buffers that the kernel dropped for want of room (SO_RXQ_OVFL): as
                                with recv_buffers, each is a datagram, or several by UDP_GRO */
    uint64_t recv_truncated; /* buffers thrown away because the kernel cut data or control data */
    uint64_t recv_errors;    /* receive calls that failed, ICMP reports and EAGAIN not counted */
    uint64_t send_calls;     /* sendmmsg and sendmsg */
    uint64_t send_batches;   /* skua_tx batches handed to the kernel whole or in parts */
    uint64_t send_datagrams; /* datagrams that the kernel took */
    uint64_t send_bytes;     /* UDP payload that the kernel took */
    uint64_t send_blocked; /* times a socket had no room (EAGAIN) and writability was waited for */
    uint64_t send_errors;  /* datagrams that the kernel refused for good: reported as lost */
    uint64_t gso_refused;  /* batches that had to be sent again without UDP_SEGMENT */
    uint64_t control_refused; /* batches that had to be sent again without ECN or source address */
    uint64_t icmp_errors;     /* messages read from the sockets' error queues */
    uint64_t timer_arms;      /* timerfd_settime calls */
    uint64_t timer_fires;     /* wake-ups by the timer */
    uint64_t turns;           /* loop turns in which something was received, sent or due */
    uint32_t sockets;         /* open now */
    uint32_t sockets_gso;     /* of these, with UDP_SEGMENT in use */
    uint32_t sockets_gro;     /* of these, with UDP_GRO in use */
    uint32_t attempts;        /* skua_ev_connect under way */
    uint64_t roamed; /* times that a connection was handed to another socket because its address was
                        gone */
    uint32_t sockets_fragmenting; /* of `sockets`: those for which the kernel would not set DF
                                     (IP_MTU_DISCOVER); packets that leave there have 1,200 bytes at
                                     most, since their size cannot be probed */
    int send_errno; /* errno of the latest of `send_errors`, 0 = none: EPERM is a firewall of this
                       machine. What is refused counts as lost, so that a connection to which it
                       happens each time ends with SKUA_ETIMEDOUT */
};
SKUA_API void skua_ev_stats(const struct skua_ev *ev, struct skua_ev_stats *out);

#ifdef __cplusplus
}
#endif

#endif
