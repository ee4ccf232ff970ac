/* Skua: a reliable, encrypted transport over UDP.
 *
 * This is the protocol itself, without sockets, clocks, threads or hidden randomness: the caller
 * hands in the datagrams that arrived and the time, and takes out the datagrams to send, the events
 * and the next deadline. Most programs link the libev driver (skua_ev.h), which does that part; the
 * functions on connections and streams below are the same with and without it.
 *
 * Conventions
 *   - One endpoint belongs to one thread. Different endpoints share nothing.
 *   - Connections and streams are handles: 64-bit values of the endpoint that made them. 0 is never
 *     valid. A stale handle answers SKUA_ECLOSED and cannot crash.
 *   - Times are nanoseconds (skua_time) of one monotonic clock of the caller's choice. They enter
 *     only by the I/O verbs (recv, send, send_result, hint, on_timeout); what other calls ask for
 *     happens at the time of the latest I/O verb and is sent by the next. A clock that falls back
 *     harms nothing: a fall of at most 1 s is waited for, and from a deeper one on the endpoint
 *     adds to every time what the clock has fallen, until the clock is ahead again: so nothing
 *     happens again or is held up.
 *     One that jumps ahead makes due what would have been due by then. Times above 2^63 ns are not
 *     for use.
 *   - Functions return enum skua_err: SKUA_OK (0) or a negative code. Counts and lengths come back
 *     through pointers. Where a function names no error of its own, SKUA_ECLOSED is the only one.
 *   - Pointers handed in are borrowed for the length of the call unless the text says otherwise.
 *   - Config structs start with `size`, which the initialiser macro sets: so later versions can add
 *     members at the end. One inside another has its own, which says where its end is and the rest
 *     of the outer one begins. A size that the library does not know is SKUA_EINVAL.
 *
 * What the names mean is in docs/protocol.md; state names and rules are TCP's (RFC 9293). */
#ifndef SKUA_SKUA_H
#define SKUA_SKUA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SKUA_API __attribute__((visibility("default")))
#else
#define SKUA_API
#endif

#define SKUA_VERSION_MAJOR 0
#define SKUA_VERSION_MINOR 1
#define SKUA_VERSION_PATCH 0

/* Protocol version on the wire (docs/protocol.md). */
#define SKUA_WIRE_VERSION UINT32_C(0x736b0001)

/* The UDP port that the tool uses by default. */
#define SKUA_DEFAULT_PORT 7582

/* --- time, errors, vtables */

/* Nanoseconds of a monotonic clock, or a length of time. */
typedef uint64_t skua_time;
#define SKUA_NEVER UINT64_MAX
#define SKUA_USEC  UINT64_C(1000)
#define SKUA_MSEC  UINT64_C(1000000)
#define SKUA_SEC   UINT64_C(1000000000)

enum skua_err {
#define SKUA_ERR(name, value, text) name = (value),
#include <skua/errors.def>
#undef SKUA_ERR
};

/* Codes of the wire (RST, REFUSE): what a peer said, as opposed to what a call returned. */
enum skua_code {
#define SKUA_CODE(name, value, text) name = (value),
#include <skua/codes.def>
#undef SKUA_CODE
};

/* A sentence without capital and full stop; never NULL, static. */
SKUA_API const char *skua_strerror(enum skua_err err);
/* The enumerator's name, as "SKUA_ETIMEDOUT"; "SKUA_?" for an unknown value. */
SKUA_API const char *skua_err_name(enum skua_err err);
/* Text of a transport code received from a peer; "unknown code" for one that this version does not
 * know. */
SKUA_API const char *skua_code_text(uint64_t code);

/* Where memory comes from. `get` returns memory aligned for any type, or NULL; `put` receives the
 * size it was got with. */
struct skua_alloc {
    void *(*get)(void *user, size_t size);
    void (*put)(void *user, void *memory, size_t size);
    void *user;
};

/* Where randomness comes from. It must be fit for keys; a seeded generator is for tests and
 * simulators only. */
struct skua_rng {
    void (*fill)(void *user, void *out, size_t len);
    void *user;
};

/* What happened inside, for qlog-like sinks and tests. Names of events and of their arguments:
 * src/base/trace.def. */
struct skua_trace_event {
    skua_time time;    /* when; by the caller's clock, and what that has fallen back is added */
    uint64_t conn;     /* handle of the connection, or 0 */
    uint32_t type;     /* which line of trace.def */
    uint32_t reserved; /* 0 */
    uint64_t args[4];  /* meaning by type; unused ones are 0 */
};

/* A sink for trace events. It must not call this API. */
struct skua_trace {
    void (*event)(void *user, const struct skua_trace_event *event);
    void *user;
};

/* A piece of memory. */
struct skua_vec {
    const uint8_t *data;
    size_t len; /* bytes at `data` */
};

/* Name of a trace event type, as "packet_sent"; NULL beyond the last. */
SKUA_API const char *skua_trace_name(uint32_t type);

/* --- keys */

#define SKUA_KEY_LEN 32
/* Room for the text form of a key with its terminating zero (base64, 44 characters). */
#define SKUA_KEY_TEXT_LEN 45

/* An X25519 public key: who a peer is. */
struct skua_key {
    uint8_t bytes[SKUA_KEY_LEN];
};

/* An X25519 secret key. The holder wipes it. */
struct skua_secret_key {
    uint8_t bytes[SKUA_KEY_LEN];
};

/* Prepares libsodium (sodium_init). Needed only before functions on keys are called without an
 * endpoint: skua_endpoint_new does it as well. May be called often and from any thread.
 * SKUA_EINTERNAL where libsodium cannot be used. */
SKUA_API enum skua_err skua_init(void);

/* A fresh secret key from `rng`. */
SKUA_API void skua_key_generate(struct skua_secret_key *out, const struct skua_rng *rng);
/* The public key of `secret`. */
SKUA_API void skua_key_public(struct skua_key *out, const struct skua_secret_key *secret);
/* Text form, base64 with padding. */
SKUA_API void skua_key_format(char out[SKUA_KEY_TEXT_LEN], const struct skua_key *key);
/* Reads the text form; SKUA_EINVAL for anything else. `text` is zero-terminated. */
SKUA_API enum skua_err skua_key_parse(struct skua_key *out, const char *text);
/* The same two for secret keys, to keep an identity: what `skua keygen` writes is this text and a
 * newline. The caller wipes the text as he does the key. SKUA_EINVAL leaves `*out` as it was. */
SKUA_API void skua_secret_key_format(char out[SKUA_KEY_TEXT_LEN],
                                     const struct skua_secret_key *secret);
SKUA_API enum skua_err skua_secret_key_parse(struct skua_secret_key *out, const char *text);
/* Wipes `len` bytes in a way that the compiler keeps. */
SKUA_API void skua_wipe(void *memory, size_t len);

/* --- addresses */

enum skua_family { SKUA_FAMILY_NONE = 0, SKUA_FAMILY_IPV4 = 4, SKUA_FAMILY_IPV6 = 6 };

/* An IP address and UDP port. Members not used by the family are zero: equal addresses are equal
 * bytes. */
struct skua_addr {
    uint8_t family;   /* enum skua_family */
    uint8_t reserved; /* 0 */
    uint16_t port;    /* host byte order */
    uint32_t scope;   /* IPv6 scope id (interface of a link-local address), else 0 */
    uint8_t ip[16];   /* network byte order; IPv4 in the first four */
};

/* One way between two hosts: the caller's number for a socket, and both ends. `local` may be all
 * zero where unknown. */
struct skua_path {
    uint32_t socket; /* the caller's index of the socket, below SKUA_MAX_SOCKETS */
    struct skua_addr local;
    struct skua_addr remote;
};

#define SKUA_MAX_SOCKETS 16
/* Room for the text of an address and port, as "[2001:db8::1]:7582". */
#define SKUA_ADDR_TEXT_LEN 72
SKUA_API void skua_addr_format(char out[SKUA_ADDR_TEXT_LEN], const struct skua_addr *addr);

/* --- endpoint */

/* Everything that shares sockets: connections, at most one listener, and their tables. */
struct skua_endpoint;

/* A connection; 0 is none. */
typedef uint64_t skua_conn;
/* A stream of a connection; 0 is none. */
typedef uint64_t skua_stream;

/* One endpoint's settings. All but `key` and `rng` may stay zero. */
struct skua_config {
    size_t size;                       /* sizeof(struct skua_config) */
    const struct skua_secret_key *key; /* own identity; copied */
    const struct skua_rng *rng;        /* copied; required */
    const struct skua_alloc *alloc;    /* copied; NULL = malloc and free */
    const struct skua_trace *trace;    /* copied; NULL = no tracing */
    size_t max_conns;                  /* connections at a time; 0 = 65,536 */
    uint16_t max_udp_payload; /* largest datagram to send or receive: 1,200 to 65,507; 0 = 65,507 */
    uint8_t suites; /* bit set of enum skua_suite allowed; 0 = all that this machine has */
    const uint8_t *reset_key; /* 32 secret bytes from which the tokens of stateless resets are made;
                                 copied; the same after a restart and in all workers of a server.
                                 NULL = derived from `key` */
};
#define SKUA_CONFIG_INIT                                                                           \
    {                                                                                              \
        sizeof(struct skua_config), NULL, NULL, NULL, NULL, 0, 0, 0, NULL                          \
    }
#define SKUA_RESET_KEY_LEN 32

enum skua_suite {
    SKUA_SUITE_CHACHA20_POLY1305 = 1, /* everywhere */
    SKUA_SUITE_AES_256_GCM = 2,       /* with AES in hardware */
    SKUA_SUITE_AEGIS_128L = 4         /* with AES in hardware and libsodium >= 1.0.19 */
};

/* What lets a client send early data to a server that it was connected with shortly before: see
 * struct skua_conn_config. Opaque; a secret between the two. */
#define SKUA_TOKEN_MAX 256
struct skua_token {
    size_t len; /* bytes in use */
    uint8_t bytes[SKUA_TOKEN_MAX];
};

/* Congestion controllers, by name (controllers.def). */
enum skua_controller {
    SKUA_CONTROLLER_DEFAULT = 0, /* CUBIC */
#define SKUA_CONTROLLER(name, value, word, text) SKUA_CONTROLLER_##name = (value),
#include <skua/controllers.def>
#undef SKUA_CONTROLLER
};
/* Its name, as "cubic"; NULL for a value that is none. Values count up from 1 without a gap. */
SKUA_API const char *skua_controller_name(enum skua_controller controller);

/* One connection's settings (and, in a listener, those of each that it accepts). All may stay zero.
 */
struct skua_conn_config {
    size_t size;                       /* sizeof(struct skua_conn_config) */
    void *user;                        /* comes back in every event of the connection */
    const struct skua_key *server_key; /* connect only: the key the server must have; copied. NULL =
                                          any: then check skua_conn_peer_key before trusting it */
    const uint8_t *psk;                /* 32 secret random bytes both sides know, or NULL; copied */
    const char *label;         /* application protocol, at most SKUA_LABEL_MAX bytes; both sides
                                  must have the same; copied; NULL = "" */
    skua_time idle_timeout_ns; /* silence that ends it, minimum of both sides; 0 = 30 s, SKUA_NEVER
                                  = off. The peer is told at most 2^30 ms, 12 days */
    skua_time user_timeout_ns; /* how long sent data may stay unacknowledged (RFC 5482); 0 = 60 s,
                                  SKUA_NEVER = off */
    skua_time keepalive_time_ns;  /* quiet time before the first probe; 0 or SKUA_NEVER = off */
    skua_time keepalive_intvl_ns; /* between probes; 0 = 10 s */
    uint32_t keepalive_probes;    /* unanswered probes that end it; 0 = 5 */
    uint32_t syn_retries;         /* repeats of a SYN or SYN_ACK; 0 = 5, at most 16, and at most 5
                                     where the SYN carries early data */
    uint64_t max_recv_window;     /* most unread bytes the peer may send, all streams; 0 = 64 MiB.
                                     Windows start at 384 KiB and 256 KiB and grow for readers that
                                     are fast; that of the connection also where bytes are left
                                     unread on several streams, so that others still get some */
    uint64_t max_stream_window;   /* the same for one stream, at most 3/4 of max_recv_window; 0 = 32
                                     MiB */
    uint64_t max_send_buffer;     /* most that one stream keeps of written bytes; the limit starts
                                     lower and grows with cwnd; 0 = 32 MiB */
    uint32_t max_streams_bidi;    /* bidirectional streams the peer may have open; 0 = 1,024 */
    uint32_t max_streams_uni;     /* the same, unidirectional; both at most 2^20 */
    skua_time time_wait_ns;       /* length of TIME_WAIT; 0 = 3 PTO, at least 10 s */
    skua_time close_timeout_ns;   /* skua_conn_close ends after this at the latest; 0 = 30 s,
                                     SKUA_NEVER = off */
    bool ik; /* connect only: Noise IK instead of XX. The own key then travels in the first packet,
                sealed to `server_key`, which is required; anyone who later gets the server's secret
                key can read it there */
    uint32_t datagram_buffer; /* bytes of the peer's datagrams that may wait to be read, each with
                                 64 more than its own; beyond, the oldest are dropped. 0 = the peer
                                 may send none; at most 64 MiB */
    bool rendezvous; /* connect only: the peer connects to us in the same way and nobody listens
                        (simultaneous open, RFC 9293 §3.5; also through NATs that keep to one port
                        per socket). Both sides set it, with the same label and psk, and should set
                        `server_key` to each other's key: there is no INCOMING to ask. One
                        connection results, for which both get ESTABLISHED; which of the two is the
                        server, and so bit 0 of their stream ids, is settled only then. SYNs are
                        repeated by the usual schedule: both have to begin within a minute. */
    skua_time fin_wait2_timeout_ns; /* after skua_conn_close, how long the peer may go on without
                                       closing once everything has arrived (TCP's FIN_WAIT_2 of an
                                       orphan); 0 = 60 s, SKUA_NEVER = off */
    uint32_t max_message; /* messages of a message stream are held until they are whole up to
                             this length (and up to max_stream_window), longer ones come in
                             pieces; a connection may take so much for each message stream beside
                             max_recv_window. 0 = 64 KiB; at most 1 GiB */
    bool tokens; /* connect only: ask the server for tokens (TOKEN follows, skua_conn_token has
                    them), to send early data the next time */
    /* Connect only, needs `ik`, no psk and no rendezvous: a token of this server's (skua_conn_token
     * in an earlier connection); copied. What is written to streams before the SYN leaves (with the
     * next skua_endpoint_send) travels in it, up to some 880 bytes in all, and reaches the server's
     * application half a round trip later, if the server takes it: the token must be one that it
     * gave, lately (early_window_ns of its listener) and since it was started, and not used before.
     * ESTABLISHED says whether it was (`early`); if not, the same bytes are sent as usual.
     *
     * Early data are sealed to `server_key`, without forward secrecy: anyone who later gets the
     * server's secret key can read them. One server takes the same SYN's early data once at most,
     * whoever repeats it. But it may take them and the client never hear of it: after a failed
     * attempt nobody knows. And behind several servers with one key an attacker on the path can
     * have one take them and let the client send them to another; or have them sent again where
     * the caller's clock stood still for two minutes during the attempt, as CLOCK_MONOTONIC does
     * while the machine is suspended. So they should be what may happen twice.
     *
     * The attempt ends 63 s after its first SYN at the latest (syn_retries counts up to 5), and
     * does not go over from IK to XX: where the server's key has changed, it ends with
     * SKUA_ETIMEDOUT. Where nothing was written in time, the token stays unused and the attempt is
     * like any other.
     *
     * Use a token once. */
    const struct skua_token *token;
    enum skua_controller controller; /* congestion controller; SKUA_CONTROLLER_DEFAULT = CUBIC */
};
#define SKUA_CONN_CONFIG_INIT                                                                      \
    {                                                                                              \
        sizeof(struct skua_conn_config), NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  \
            0, 0, false, 0, false, 0, 0, false, NULL, SKUA_CONTROLLER_DEFAULT                      \
    }
#define SKUA_LABEL_MAX 31
#define SKUA_PSK_LEN   32

/* When a listener answers a SYN with RETRY: it keeps nothing of it then, and has not begun the
 * handshake, and the client needs one more round trip, by which it proves its address (RFC 9000
 * §8.1.2; what TCP's SYN cookies are for).
 *
 * Whatever the mode, a copy of a SYN whose early data were taken is answered so where it comes
 * along another path while the first one waits: that it is a copy shows only when the handshake was
 * computed, as for any SYN that is not asked for a proof. */
enum skua_retry_mode {
    SKUA_RETRY_UNDER_PRESSURE = 0, /* over one of the watermarks below */
    /* Without a proof, who forges the addresses of a network can also use up its share. */
    SKUA_RETRY_NEVER = 1, /* SYNs that find no room are dropped; their repeats may find some */
    SKUA_RETRY_ALWAYS = 2
};

/* A listener's settings. */
struct skua_listen_config {
    size_t size;                  /* sizeof(struct skua_listen_config) */
    struct skua_conn_config conn; /* for each accepted connection; `server_key` is not used */
    uint32_t backlog;     /* established and not yet accepted; 0 = 128 (TCP's accept queue) */
    uint32_t syn_backlog; /* half-open entries; 0 = 4,096 (TCP's SYN queue) */
    enum skua_retry_mode retry;
    uint32_t retry_half_open;  /* half-open entries from which on addresses must be proven; 0 = half
                                  of syn_backlog */
    uint32_t retry_handshakes; /* handshakes per second beyond which addresses must be proven; 0 =
                                  1,000 */
    uint32_t prefix_handshakes; /* handshakes per second of one network (IPv4 /24, IPv6 /56) while a
                                   watermark is passed, eight seconds' worth at once; what exceeds
                                   them is dropped. 0 = 1,000, UINT32_MAX = no limit */
    bool abort_on_overflow; /* where `backlog` is reached: false = the third packet is dropped and
                               its repeats may find room; true = the connection is reset, and the
                               client's attempt ends at once with SKUA_ECONNREFUSED */
    /* Whether a client with this key, at the far end of `path`, may connect; NULL = all may. Asked
     * when it has proved its key and before it takes room in the accept queue; for early data with
     * their SYN, if their token is good and was not used, and once more each time that their client
     * proves another address than before. Where the answer is false the connection is reset with
     * SKUA_CODE_KEY_REFUSED (early data are not taken, and it is asked again with the third packet;
     * the other address gets no answer). It is called from inside recv: it must not call this API,
     * and should do no more than look the key up. */
    bool (*allow)(void *allow_user, const struct skua_key *key, const struct skua_path *path);
    void *allow_user; /* for `allow` */
    bool early_data;  /* give tokens to clients that ask, and take early data (not with a psk): such
                         a connection is INCOMING, and its bytes are readable, before the client has
                         shown that it is there; see `early` in struct skua_event. Until then it
                         waits as long as a SYN is repeated: idle and user timeout, keep-alive and
                         skua_endpoint_hint count from then on */
    skua_time early_window_ns; /* how long after it was given a token is good; 0 = 10 s, at most a
                                  day */
    uint32_t early_backlog; /* most such connections whose client has not answered yet; 0 = 256; at
                               most half of syn_backlog count, whatever it says */
};
#define SKUA_LISTEN_CONFIG_INIT                                                                    \
    {                                                                                              \
        sizeof(struct skua_listen_config), SKUA_CONN_CONFIG_INIT, 0, 0, SKUA_RETRY_UNDER_PRESSURE, \
            0, 0, 0, false, NULL, NULL, false, 0, 0                                                \
    }

/* Makes an endpoint. SKUA_EINVAL for a config out of range, SKUA_ENOMEM, SKUA_EINTERNAL
 * (libsodium). */
SKUA_API enum skua_err skua_endpoint_new(struct skua_endpoint **out,
                                         const struct skua_config *config);
/* Ends everything at once, without a packet, and wipes all keys. NULL is allowed. Memory lent by
 * skua_stream_lend is the caller's again. */
SKUA_API void skua_endpoint_free(struct skua_endpoint *ep);
/* The endpoint's own public key; valid as long as the endpoint. */
SKUA_API const struct skua_key *skua_endpoint_key(const struct skua_endpoint *ep);

/* Accepts connections from now on (TCP's LISTEN). `config` NULL = defaults. SKUA_EINVAL for a
 * config out of range, SKUA_ESTATE where it listens already, SKUA_ENOMEM. */
SKUA_API enum skua_err skua_endpoint_listen(struct skua_endpoint *ep,
                                            const struct skua_listen_config *config);
/* Stops listening: half-open entries are dropped and connections not yet accepted refused; accepted
 * ones go on. SKUA_ESTATE where it does not listen. */
SKUA_API enum skua_err skua_endpoint_unlisten(struct skua_endpoint *ep);

/* --- I/O verbs: called by a driver
 *
 * What a socket must have. Its datagrams must never be fragmented: the endpoint finds the path MTU
 * by sending larger ones and seeing whether they arrive (RFC 8899), and a probe that IP cuts into
 * fragments arrives. It would be believed, and from then on every lost fragment would lose up to 64
 * KB. On Linux: setsockopt IP_MTU_DISCOVER with IP_PMTUDISC_PROBE (IPPROTO_IP), and for IPv6
 * IPV6_MTU_DISCOVER with IPV6_PMTUDISC_PROBE (IPPROTO_IPV6); the ..._DO forms will do as well.
 * Elsewhere it is IP_DONTFRAG, IPV6_DONTFRAG. Where none of these is to be had, set max_udp_payload
 * to 1,200: then nothing is probed.
 *
 * It must take and send datagrams of the endpoint's max_udp_payload. What else is worth having
 * only makes things better: large buffers (SO_RCVBUF, SO_SNDBUF), non-blocking calls, the address
 * that a datagram came to in `path.local` (IP_PKTINFO) where the machine has several, ECN bits, and
 * a word of what the kernel refused (skua_endpoint_send_result). */

/* Datagrams from a socket: one, or several of `segment_size` bytes (the last may be shorter) as
 * UDP_GRO delivers them. */
struct skua_rx {
    struct skua_path path;
    uint8_t *data;       /* written to: packets are opened in place */
    size_t len;          /* bytes at `data` */
    size_t segment_size; /* bytes of one datagram; 0 = `len` */
    uint8_t ecn;         /* ECN bits of the IP header, 0 to 3 */
};

/* Datagrams for a socket: one, or several of `segment_size` bytes (the last may be shorter), as
 * UDP_SEGMENT sends them. */
struct skua_tx {
    uint8_t *data;       /* in: room */
    size_t cap;          /* in: bytes of room; at least the endpoint's max_udp_payload, and 1,456:
                            the longest SYN, one with a server's token in it */
    size_t max_segments; /* in: most datagrams to put there (1 where the socket has no GSO); at most
                            64 */
    struct skua_path path;
    size_t len;          /* out: bytes at `data` */
    size_t segment_size; /* out: bytes of each datagram but the last */
    uint8_t ecn;         /* out: ECN bits to set */
    skua_conn conn;      /* out: whose datagrams, or 0; for skua_endpoint_send_result */
    uint64_t first_pn;   /* out: packet number of the first datagram, or UINT64_MAX; for
                            skua_endpoint_send_result */
};

/* What the network said about a path, by ICMP or an errno. */
enum skua_hint { SKUA_HINT_UNREACHABLE = 1, SKUA_HINT_PORT_UNREACHABLE = 2 };

/* Takes `n` buffers of datagrams that arrived at `now`. The buffers stay borrowed until
 * skua_endpoint_settle: unread bytes of streams may point into them. Bad datagrams are dropped and
 * counted, never an error. */
SKUA_API void skua_endpoint_recv(struct skua_endpoint *ep, struct skua_rx *rx, size_t n,
                                 skua_time now);
/* Ends the loan of all buffers: what has not been read is copied. Call after the events of the
 * batch are handled. */
SKUA_API void skua_endpoint_settle(struct skua_endpoint *ep);
/* Fills `tx` with the next datagrams to send at `now`; `tx->len` is 0 when there is nothing to send
 * yet. Sealed datagrams count as sent. Where the socket would block, the caller keeps them and
 * sends them later. */
SKUA_API void skua_endpoint_send(struct skua_endpoint *ep, struct skua_tx *tx, skua_time now);
/* Optional: tells what became of a filled `tx`, where the kernel refused. `error` is an errno
 * value: EMSGSIZE lowers the path MTU; ENETUNREACH, EHOSTUNREACH, ENETDOWN, EADDRNOTAVAIL,
 * EAFNOSUPPORT and ECONNREFUSED count as hints; others mean loss. */
SKUA_API void skua_endpoint_send_result(struct skua_endpoint *ep, const struct skua_tx *tx,
                                        int error, skua_time now);
/* ICMP said something of a path. Never authoritative: it shortens the patience with a silent peer.
 */
SKUA_API void skua_endpoint_hint(struct skua_endpoint *ep, const struct skua_path *path,
                                 enum skua_hint hint, skua_time now);
/* When skua_endpoint_on_timeout wants to be called if nothing else happens, by the caller's clock;
 * 0 = at once (there is something to send), SKUA_NEVER = not at all. */
SKUA_API skua_time skua_endpoint_next_timeout(const struct skua_endpoint *ep);
/* Runs what is due at `now`. Early calls do nothing. Follow with skua_endpoint_send until it yields
 * nothing. */
SKUA_API void skua_endpoint_on_timeout(struct skua_endpoint *ep, skua_time now);

/* --- events */

enum skua_event_type {
#define SKUA_EVENT(name, text) SKUA_EVENT_##name,
#include <skua/events.def>
#undef SKUA_EVENT
    SKUA_EVENT_TYPES /* how many */
};

struct skua_event {
    enum skua_event_type type;
    skua_conn conn;      /* the connection */
    skua_stream stream;  /* the stream, for events of a stream, else 0 */
    void *user;          /* the connection's user pointer */
    void *stream_user;   /* the stream's user pointer, or NULL */
    uint64_t offset;     /* ACKED: every byte below this offset has been acknowledged. CONSUMED,
                            DISCARDED: every byte below was read by the peer's application */
    enum skua_err error; /* CLOSED: why; SKUA_OK after an orderly close. What codes of the peer's
                            become: docs/protocol.md §14 */
    bool remote;         /* CLOSED: the peer ended it, by a RST, REFUSE or stateless RESET */
    bool application; /* CLOSED: `code` is the application's (skua_conn_abort), not the transport's
                       */
    uint64_t code;    /* CLOSED, STOPPED: code sent or received */
    uint64_t frame_type; /* CLOSED: the frame that offended, or 0 */
    /* INCOMING: early data made the connection: what can be read now may be all that there ever is,
     * since the client has not shown yet that it is there, and they had no forward secrecy. When it
     * has, ESTABLISHED follows (for other accepted connections there is none); until then little is
     * sent to it, and skua_conn_state is SYN_RCVD. STREAM, READABLE: the stream has such bytes to
     * read (struct skua_stream_info has more). ESTABLISHED of a client: its early data were taken.
     */
    bool early;
    struct skua_key key;   /* INCOMING: the peer's key. CLOSED with SKUA_EPEERKEY: the key that the
                              server has */
    const char *reason;    /* CLOSED: text sent or received, zero-terminated, control characters
                              replaced; never NULL; valid until the next call of any function on this
                              endpoint */
    struct skua_path path; /* PATH: the path before (skua_conn_path tells the present one), with
                              `error` SKUA_OK; or one that was tried in vain, SKUA_EUNREACHABLE */
};

/* The next event, or false (and type NONE). Call it until it says false, after each I/O verb but
 * settle (sending causes events, too) and before waiting: next_timeout does not tell of events.
 * Connections come in the order in which their first event occurred. */
SKUA_API bool skua_endpoint_poll_event(struct skua_endpoint *ep, struct skua_event *event);
/* The enumerator's name without prefix, as "READABLE". */
SKUA_API const char *skua_event_name(enum skua_event_type type);

/* --- connections */

/* TCP's names (RFC 9293 §3.3.2). LISTEN belongs to a listener and SYN_RCVD to a half-open entry: no
 * handle shows them, but for SYN_RCVD of a connection made by early data (as in TCP Fast Open).
 * TIME_WAIT shows while bytes of a connection that has ended wait to be read. */
enum skua_state {
    SKUA_STATE_CLOSED,
    SKUA_STATE_LISTEN,
    SKUA_STATE_SYN_SENT,
    SKUA_STATE_SYN_RCVD,
    SKUA_STATE_ESTABLISHED,
    SKUA_STATE_FIN_WAIT_1,
    SKUA_STATE_FIN_WAIT_2,
    SKUA_STATE_CLOSING,
    SKUA_STATE_TIME_WAIT,
    SKUA_STATE_CLOSE_WAIT,
    SKUA_STATE_LAST_ACK,
    SKUA_STATES /* how many */
};
SKUA_API const char *skua_state_name(enum skua_state state);

/* Starts to connect over `path` (socket and remote address; local may be zero). `config` NULL =
 * defaults. ESTABLISHED or CLOSED follows. Streams may be opened and written before; their bytes
 * travel with the third packet of the handshake and those behind it. SKUA_EINVAL (address or config
 * out of range, a server key that is none), SKUA_ENOMEM, SKUA_ELIMIT (max_conns). */
SKUA_API enum skua_err skua_conn_connect(struct skua_endpoint *ep, const struct skua_path *path,
                                         const struct skua_conn_config *config, skua_conn *out);
/* Would skua_conn_connect take this `config`? SKUA_EINVAL where it is out of range. For whoever
 * keeps one to use it later. A server key that is none shows only in skua_conn_connect. */
SKUA_API enum skua_err skua_conn_config_check(const struct skua_conn_config *config);
/* Takes a connection that an INCOMING event announced; `user` replaces the listener's user pointer.
 * SKUA_ESTATE where that was done before. */
SKUA_API enum skua_err skua_conn_accept(struct skua_endpoint *ep, skua_conn conn, void *user);
/* Turns it away, before accept: with SKUA_CODE_REFUSED, KEY_REFUSED, LABEL or OVERLOAD as `code`
 * the peer's connection ends with SKUA_ECONNREFUSED. The handle is stale afterwards and no event
 * follows. SKUA_ESTATE after accept. */
SKUA_API enum skua_err skua_conn_refuse(struct skua_endpoint *ep, skua_conn conn,
                                        enum skua_code code);

/* "I send no more" on every stream (TCP's shutdown(SHUT_WR)): each open sending side is finished,
 * then FIN is sent. The peer may go on sending. Idempotent. */
SKUA_API enum skua_err skua_conn_shutdown(struct skua_endpoint *ep, skua_conn conn);
/* Orderly end: shutdown, and unread and later bytes are thrown away (after FINISHED, too: whoever
 * wants them reads each stream to SKUA_EOF before). The peer is asked to stop sending what has not
 * arrived in full (STOPPED with code 0); of a stream whose end had arrived it hears nothing, unless
 * it asked by skua_stream_finish_confirm, which answers with DISCARDED. Nothing that was written is
 * given up. CLOSED follows when the
 * peer has shut down as well; after close_timeout_ns, which a reader that does not read cannot hold
 * off, or fin_wait2_timeout_ns, with a RST for the peer; or when the peer falls silent. It has
 * SKUA_OK where everything written has arrived, else SKUA_ETIMEDOUT, or what the silence is called.
 * In SYN_SENT it follows at once, with SKUA_EABORTED, and the server is told to forget the attempt.
 * Idempotent. */
SKUA_API enum skua_err skua_conn_close(struct skua_endpoint *ep, skua_conn conn);
/* Ends at once with a RST (TCP's linger 0). The handle is stale afterwards and no event follows.
 * `code` (below 2^62) is the application's; `reason` may be NULL, at most 256 bytes of it are sent.
 * SKUA_EINVAL for the code. */
SKUA_API enum skua_err skua_conn_abort(struct skua_endpoint *ep, skua_conn conn, uint64_t code,
                                       const char *reason);

SKUA_API enum skua_err skua_conn_set_user(struct skua_endpoint *ep, skua_conn conn, void *user);
SKUA_API enum skua_err skua_conn_user(struct skua_endpoint *ep, skua_conn conn, void **out);
/* The peer's public key. SKUA_ESTATE before the handshake has shown it. */
SKUA_API enum skua_err skua_conn_peer_key(struct skua_endpoint *ep, skua_conn conn,
                                          struct skua_key *out);
/* The path that packets leave along at present. Of an accepted connection it follows the peer, who
 * may change his address: a PATH event tells. */
SKUA_API enum skua_err skua_conn_path(struct skua_endpoint *ep, skua_conn conn,
                                      struct skua_path *out);
/* Goes through the connections that the application knows: the one behind `conn` (0 = the first),
 * or 0 behind the last. For whoever has something to do for each, such as a driver whose local
 * address has gone. Any call between two of these that neither makes nor ends connections is
 * allowed; 0 where `conn` is stale. */
SKUA_API skua_conn skua_endpoint_next_conn(struct skua_endpoint *ep, skua_conn conn);
/* Moves a connection that was made by skua_conn_connect to another local socket or address (RFC
 * 9000 §9). `path->remote` is the present one. The new path is tried first, and used as soon as it
 * has answered; where nothing works on the present one any more (several probe timeouts in a row, a
 * hint that it is unreachable) it is used at once. Either way under another connection id, so that
 * nobody who sees only ids can tell that it is the same connection; without one that is spare
 * (the peer sends one early, and another after each move) only in the second case. A PATH event
 * follows: the move, or that the path does not work (within three seconds or probe timeouts).
 * Another call meanwhile replaces the path that is tried. A path to the same address and socket is
 * the present one, or the one that is tried already: nothing happens.
 * SKUA_EINVAL (another remote address, or a socket beyond SKUA_MAX_SOCKETS), SKUA_ESTATE (accepted
 * connections, and before the handshake is confirmed), SKUA_EAGAIN (no spare id: try again after a
 * round trip), SKUA_ENOMEM. */
SKUA_API enum skua_err skua_conn_migrate(struct skua_endpoint *ep, skua_conn conn,
                                         const struct skua_path *path);
SKUA_API enum skua_err skua_conn_state(struct skua_endpoint *ep, skua_conn conn,
                                       enum skua_state *out);
/* The newest token that the server has given (a TOKEN event says so), for the next connection's
 * config; it is forgotten here. SKUA_EAGAIN where there is none. */
SKUA_API enum skua_err skua_conn_token(struct skua_endpoint *ep, skua_conn conn,
                                       struct skua_token *out);
/* `len` (at most 64) secret bytes that only the two ends of this connection can compute, different
 * for each `label` (RFC 8446 §7.5 in spirit). SKUA_ESTATE before ESTABLISHED and after the end,
 * SKUA_EINVAL for the length. */
SKUA_API enum skua_err skua_conn_export(struct skua_endpoint *ep, skua_conn conn, const char *label,
                                        void *out, size_t len);
/* Asks for new traffic keys; they come by themselves in time. SKUA_EAGAIN while an update is under
 * way. */
SKUA_API enum skua_err skua_conn_update_keys(struct skua_endpoint *ep, skua_conn conn);
/* Sends a PING (an ack-eliciting packet without content). */
SKUA_API enum skua_err skua_conn_ping(struct skua_endpoint *ep, skua_conn conn);

/* --- datagrams (RFC 9221): messages that are sent once and arrive whole, or not at all, in any
 * order, and never twice. They are encrypted, congestion-controlled and paced as streams are, and
 * take turns with them. An acknowledgement says that the peer's transport had one, not that its
 * application read it. */

/* Takes a message of `len` bytes (0 is allowed) for sending, all of it; it is copied. Where it
 * could not leave for `lifetime_ns` it is dropped and counted (0 or SKUA_NEVER: it may take any
 * time), and so it is where the path's packets have become too small for it meanwhile; while that
 * is only suspected it waits. SKUA_EMSGSIZE where it is longer than skua_conn_max_datagram says,
 * SKUA_EAGAIN where too many wait to leave (a DATAGRAM_ROOM event follows), SKUA_ESTATE before
 * ESTABLISHED and accept, after shutdown, and where the peer takes no datagrams, SKUA_ENOMEM. */
SKUA_API enum skua_err skua_conn_send_datagram(struct skua_endpoint *ep, skua_conn conn,
                                               const void *data, size_t len, skua_time lifetime_ns);
/* The longest message that can be sent at present: what fits into one packet. It changes with the
 * path's MTU. SKUA_ESTATE as above. */
SKUA_API enum skua_err skua_conn_max_datagram(struct skua_endpoint *ep, skua_conn conn,
                                              size_t *len);
/* Copies the oldest message that waits, and takes it; `*len` is its length. SKUA_EAGAIN where there
 * is none (DATAGRAM follows), SKUA_EMSGSIZE where it is longer than `cap`: it stays, and `*len`
 * says how long it is. */
SKUA_API enum skua_err skua_conn_recv_datagram(struct skua_endpoint *ep, skua_conn conn, void *out,
                                               size_t cap, size_t *len);
/* Shows the oldest message that waits, in place. It stays valid until the next call of recv or
 * drop_datagram on this connection, of recv or settle on the endpoint, or of any call that closes
 * the connection. SKUA_EAGAIN. */
SKUA_API enum skua_err skua_conn_peek_datagram(struct skua_endpoint *ep, skua_conn conn,
                                               struct skua_vec *out);
/* Takes the oldest message that waits, as after a peek. SKUA_EAGAIN. */
SKUA_API enum skua_err skua_conn_drop_datagram(struct skua_endpoint *ep, skua_conn conn);

/* --- statistics of a connection */

/* Is the path fit for ECN (RFC 9000 appendix A.4)? Own packets are marked while it is tested and
 * where it is capable. */
enum skua_ecn_state {
    SKUA_ECN_STATE_TESTING, /* the first packets are marked */
    SKUA_ECN_STATE_UNKNOWN, /* what became of them is not known yet */
    SKUA_ECN_STATE_FAILED,  /* marks are changed, swallowed or not reported on the way: none is sent
                             */
    SKUA_ECN_STATE_CAPABLE  /* marks arrive: packets are marked with ECT(0) */
};
/* In lower case, as "capable". */
SKUA_API const char *skua_ecn_state_name(enum skua_ecn_state state);

/* What tcp_info is to TCP. Bytes are of UDP payload unless said otherwise; counters start at 0 with
 * the connection. */
struct skua_conn_stats {
    enum skua_state state;
    enum skua_suite suite;           /* cipher in use; 0 before it is agreed on */
    enum skua_ecn_state ecn_state;   /* of the path for own packets */
    enum skua_controller controller; /* congestion controller in use */
    skua_time rtt_latest_ns;         /* RFC 9002 §5: latest_rtt */
    skua_time rtt_smoothed_ns;       /* smoothed_rtt */
    skua_time rtt_var_ns;            /* rttvar */
    skua_time rtt_min_ns;            /* min_rtt */
    skua_time pto_ns;                /* probe timeout with its present backoff */
    uint64_t cwnd;                   /* congestion window, bytes */
    uint64_t ssthresh;               /* slow start threshold, bytes; UINT64_MAX = none yet */
    uint64_t bytes_in_flight;        /* sent, neither acknowledged nor lost */
    uint64_t pacing_rate;            /* bytes per second */
    uint64_t delivery_rate;          /* last sample, bytes per second */
    uint64_t packets_sent, bytes_sent;
    uint64_t packets_received, bytes_received;
    uint64_t packets_lost, bytes_lost; /* declared lost, but for what was under way when the path
                                          changed */
    uint64_t packets_spurious;         /* declared lost, acknowledged later */
    uint64_t packets_acked, bytes_acked;
    uint64_t packets_duplicate;          /* received twice, dropped */
    uint64_t packets_undecryptable;      /* failed authentication, dropped */
    uint64_t packets_reordered;          /* received below the largest */
    uint64_t stream_bytes_sent;          /* application bytes, first transmissions */
    uint64_t stream_bytes_retransmitted; /* application bytes, later transmissions */
    uint64_t stream_bytes_received;      /* application bytes, first arrivals */
    uint64_t stream_bytes_delivered;     /* read by the application */
    uint64_t acks_sent, acks_received;
    uint64_t pto_count; /* probe timeouts that fired */
    uint64_t congestion_events;
    uint64_t persistent_congestions;
    uint64_t key_updates; /* times the keys of sending changed, whichever side began */
    uint64_t mtu;         /* present datagram size, UDP payload */
    uint64_t mtu_probes_sent, mtu_probes_lost;
    uint64_t mtu_suspicions; /* times that large packets were lost and small ones arrived: data left
                                in small ones until probes had judged */
    uint64_t mtu_black_holes; /* of these, times that the path had become smaller: the size fell */
    uint64_t mtu_refusals;    /* times that the own host refused it (EMSGSIZE): the size fell */
    uint64_t send_buffered;   /* written, not yet acknowledged */
    uint64_t recv_buffered; /* received, not yet read; what messages hold beside the window, too */
    uint64_t send_credit;   /* the peer's credit left on the connection */
    uint64_t recv_window;   /* the window granted to the peer */
    uint64_t streams_open;
    uint64_t memory; /* bytes this connection holds from the allocator */
    uint64_t datagrams_sent, datagrams_acked, datagrams_lost; /* left; fate of their packets */
    uint64_t datagrams_unsent; /* dropped here: lifetime over, or too long for the path's packets */
    uint64_t datagrams_received;
    uint64_t datagrams_unread;  /* received and dropped: not read in time */
    uint64_t ecn_ect0_sent;     /* packets sent with ECT(0) */
    uint64_t ecn_ect0_reported; /* of these, those that the peer has reported as they were */
    uint64_t ecn_ce_reported;   /* and those that met congestion (CE) */
    uint64_t ecn_ect0_received, ecn_ect1_received, ecn_ce_received; /* the peer's, by mark */
    uint64_t path_changes;    /* times that packets began to leave along another path */
    uint64_t path_failures;   /* paths that were tried in vain */
    uint64_t path_challenges; /* PATH_CHALLENGE frames sent */
};
SKUA_API enum skua_err skua_conn_stats(struct skua_endpoint *ep, skua_conn conn,
                                       struct skua_conn_stats *out);

/* Per endpoint: what is there, and what became of every datagram that belonged to no connection or
 * was dropped. */
struct skua_endpoint_stats {
    uint64_t conns;        /* handles in use */
    uint64_t half_open;    /* entries of the SYN queue */
    uint64_t accept_queue; /* established, not yet accepted */
    uint64_t time_wait;    /* records */
    uint64_t memory;       /* bytes from the allocator */
    uint64_t memory_peak;
    uint64_t datagrams_received, bytes_received;
    uint64_t datagrams_sent, bytes_sent;
    uint64_t verdicts[64]; /* datagrams by what became of them; names by skua_verdict_name */
};
SKUA_API void skua_endpoint_stats(const struct skua_endpoint *ep, struct skua_endpoint_stats *out);
/* Name of a verdict's counter, as "bad_auth"; NULL beyond the last. The list:
 * src/base/verdicts.def. */
SKUA_API const char *skua_verdict_name(size_t index);

/* --- streams */

enum {
    SKUA_STREAM_BIDI = 0,
    SKUA_STREAM_UNI = 1,
    SKUA_STREAM_MESSAGES = 2 /* it carries messages, both ways: see skua_stream_send_message */
};

/* Opens a stream; `flags` is SKUA_STREAM_BIDI or SKUA_STREAM_UNI, and SKUA_STREAM_MESSAGES or not.
 * The peer hears of it with its
 * first bytes or its end. SKUA_EAGAIN while the peer allows no more (a STREAMS event follows),
 * SKUA_ESTATE before accept and after shutdown, SKUA_EINVAL, SKUA_ENOMEM. */
SKUA_API enum skua_err skua_stream_open(struct skua_endpoint *ep, skua_conn conn, unsigned flags,
                                        skua_stream *out);
/* Takes up to `len` bytes for sending; `*written` says how many. Where fewer than `len` were taken,
 * WRITABLE follows; SKUA_EAGAIN (and 0) where there is no room at all. SKUA_ESTATE after finish and
 * on the peer's unidirectional streams, SKUA_ESTOPPED where the peer asked to stop, SKUA_ERESET
 * after an own reset, SKUA_ENOMEM. */
SKUA_API enum skua_err skua_stream_write(struct skua_endpoint *ep, skua_stream stream,
                                         const void *data, size_t len, size_t *written);
/* As write. With SKUA_MORE, more will follow soon: what does not fill a packet is held back, to
 * leave together with it. Without it (and by skua_stream_write) everything leaves at once, whatever
 * waits included. What is held back leaves when it fills packets, with the first write without
 * SKUA_MORE, by skua_stream_cork(..., false), when the stream is finished (shutdown and close
 * included), or when its buffer is full; by no timer. SKUA_EINVAL for other flags. */
enum { SKUA_MORE = 1 };
SKUA_API enum skua_err skua_stream_write_flags(struct skua_endpoint *ep, skua_stream stream,
                                               const void *data, size_t len, unsigned flags,
                                               size_t *written);
/* Corked, a stream takes every write and lend as if with SKUA_MORE, until it is uncorked: then what
 * is held back leaves. Unlike TCP_CORK this has no time limit. What was written before may leave
 * without waiting. SKUA_ESTATE on the peer's unidirectional streams. */
SKUA_API enum skua_err skua_stream_cork(struct skua_endpoint *ep, skua_stream stream, bool corked);
/* As write, without a copy: all of `data` is taken or nothing, and it must stay unchanged and
 * mapped until an ACKED event with an offset at or beyond its end, or until CLOSED, or until
 * STOPPED was reported, or skua_stream_reset, skua_conn_abort or skua_endpoint_free has returned:
 * no event follows these. (skua_stream_close does not end the loan.) Errors as write: after
 * SKUA_EAGAIN, WRITABLE follows. */
SKUA_API enum skua_err skua_stream_lend(struct skua_endpoint *ep, skua_stream stream,
                                        const void *data, size_t len);
/* Ends the sending side after what was written: the reader gets SKUA_EOF. Idempotent. SKUA_ESTATE
 * on the peer's unidirectional streams, SKUA_ESTOPPED and SKUA_ERESET as write. */
SKUA_API enum skua_err skua_stream_finish(struct skua_endpoint *ep, skua_stream stream);
/* As finish, and asks the peer to say when its application has read to the end. Exactly one of
 * these follows, or the connection ends first (a connection does not wait for it: shut down after
 * it): CONSUMED   the peer's application has read every byte and been told of the end, or has
 * closed the stream behind the last byte; DISCARDED  everything arrived, but the application gave
 * up at the event's offset; STOPPED    it gave up before everything had arrived. ACKED comes before
 * the first two and says only that the peer's transport has everything. SKUA_ESTATE also where the
 * end was sent by skua_stream_finish. */
SKUA_API enum skua_err skua_stream_finish_confirm(struct skua_endpoint *ep, skua_stream stream);
/* Gives up the sending side: unsent bytes are dropped and the reader gets SKUA_ERESET with `code`
 * (below 2^62). SKUA_EINVAL for the code, SKUA_ESTATE as finish. */
SKUA_API enum skua_err skua_stream_reset(struct skua_endpoint *ep, skua_stream stream,
                                         uint64_t code);
/* Asks the peer to stop sending, with `code` (below 2^62); what has arrived or still arrives is
 * thrown away, and reading answers SKUA_ESTATE. SKUA_EINVAL for the code, SKUA_ESTATE on own
 * unidirectional streams. */
SKUA_API enum skua_err skua_stream_stop(struct skua_endpoint *ep, skua_stream stream,
                                        uint64_t code);

/* Copies up to `len` bytes, in order. SKUA_EAGAIN where there are none yet (READABLE follows),
 * SKUA_EOF at the end, SKUA_ERESET where the peer gave up (skua_stream_info has its code),
 * SKUA_ESTATE after stop and on own unidirectional streams. */
SKUA_API enum skua_err skua_stream_read(struct skua_endpoint *ep, skua_stream stream, void *out,
                                        size_t len, size_t *read);
/* Shows the next bytes in place: up to `*count` pieces in `vec`, their number in `*count`. They
 * stay valid until the next call of consume, read or stop on this stream, of recv or settle on the
 * endpoint, or of any call that closes the stream or connection. Errors as read; `*count` is then
 * 0. */
SKUA_API enum skua_err skua_stream_peek(struct skua_endpoint *ep, skua_stream stream,
                                        struct skua_vec *vec, size_t *count);
/* Takes `len` peeked bytes off the stream and returns their credit. SKUA_EINVAL for more than are
 * there. */
SKUA_API enum skua_err skua_stream_consume(struct skua_endpoint *ep, skua_stream stream,
                                           size_t len);

/* Which of the connection's streams sends first (RFC 9218's terms). Strictly by `urgency`, 0 (most
 * urgent) to 7: nothing of a stream leaves while a more urgent one has bytes and credit. Within an
 * urgency streams that are not `incremental` go first, one after the other in the order of their
 * ids; incremental ones share, in turns of 16 KiB. Streams begin with urgency 3, incremental. It is
 * a matter of this side alone and can be changed at any time; bytes that are lost keep the urgency
 * of their stream, and what the transport itself has to say goes before all of them. SKUA_EINVAL
 * for an urgency above 7, SKUA_ESTATE on the peer's unidirectional streams, SKUA_ENOMEM. */
SKUA_API enum skua_err skua_stream_set_priority(struct skua_endpoint *ep, skua_stream stream,
                                                unsigned urgency, bool incremental);

/* Message streams keep the boundaries of what is written, as SOCK_SEQPACKET does: whatever is sent
 * by one call is received by one call, in order. A stream is one from its beginning: whoever opens
 * it says so, and skua_stream_info tells the other side. Finish, reset, stop and close are the
 * same; skua_stream_write and lend answer SKUA_ESTATE.
 *
 * READABLE comes when a message is whole (or too long to be, see below), and at the end. */

/* Takes a message of `len` bytes (0 is allowed), all of it or nothing; it is copied. SKUA_EAGAIN
 * where the stream's buffer is full (WRITABLE follows); one that is longer than the buffer is taken
 * as soon as there is any room. Errors as write, and SKUA_ESTATE where it is no message stream. */
SKUA_API enum skua_err skua_stream_send_message(struct skua_endpoint *ep, skua_stream stream,
                                                const void *data, size_t len);
/* Copies the next message into `cap` bytes at `out`, and takes it; `*len` is its length.
 * SKUA_EAGAIN where no message is whole yet, SKUA_EMSGSIZE where it is longer than `cap`, or not
 * whole yet and longer than skua_conn_config.max_message: it stays, and `*len` says how long it is.
 * Other errors as read, and SKUA_ESTATE where it is no message stream.
 *
 * The bytes of one message can also be had by read, or peek and consume, which never go beyond its
 * end: skua_stream_info.message_left says how many it has left. One that is longer than max_message
 * comes in pieces then, as they arrive, but for the last max_message bytes, which come together. A
 * message without bytes is one read of none, or a consume of none. */
SKUA_API enum skua_err skua_stream_recv_message(struct skua_endpoint *ep, skua_stream stream,
                                                void *out, size_t cap, size_t *len);

/* A piece of a stream. */
struct skua_piece {
    uint64_t offset;     /* of its first byte in the stream */
    const uint8_t *data; /* its bytes */
    size_t len;          /* how many */
};
/* Unordered reading: from now on bytes are handed out as they have arrived, whatever is missing
 * before them, for readers that know where each belongs (pwrite). The lowest ones come first, and
 * each comes once; SKUA_EOF follows when all have been read. skua_stream_read and peek answer
 * SKUA_ESTATE from now on; the two functions below answer it before. READABLE comes whenever
 * something has arrived. SKUA_ESTATE on own unidirectional streams, on message streams and after
 * stop, SKUA_ENOMEM. */
SKUA_API enum skua_err skua_stream_set_unordered(struct skua_endpoint *ep, skua_stream stream);
/* Copies up to `len` bytes that belong to `*offset`, and takes them. Errors as read. */
SKUA_API enum skua_err skua_stream_read_piece(struct skua_endpoint *ep, skua_stream stream,
                                              void *out, size_t len, uint64_t *offset,
                                              size_t *read);
/* Shows what is there in place, up to `*count` pieces in `pieces`, their number in `*count`;
 * skua_stream_consume takes bytes off them in this order. Valid as long as what skua_stream_peek
 * shows. Errors as read; `*count` is then 0. */
SKUA_API enum skua_err skua_stream_peek_pieces(struct skua_endpoint *ep, skua_stream stream,
                                               struct skua_piece *pieces, size_t *count);

/* Releases the handle: a sending side still open is finished, unread and later bytes are thrown
 * away, no event of the stream follows. What was written (lent memory included: keep it until
 * CLOSED) is still delivered. */
SKUA_API enum skua_err skua_stream_close(struct skua_endpoint *ep, skua_stream stream);

SKUA_API enum skua_err skua_stream_set_user(struct skua_endpoint *ep, skua_stream stream,
                                            void *user);
SKUA_API enum skua_err skua_stream_user(struct skua_endpoint *ep, skua_stream stream, void **out);
SKUA_API enum skua_err skua_stream_conn(struct skua_endpoint *ep, skua_stream stream,
                                        skua_conn *out);

/* What there is to know of a stream. */
struct skua_stream_info {
    uint64_t id;             /* on the wire; bit 0: opened by the server, bit 1: unidirectional, bit
                                2: of messages */
    uint64_t written;        /* offset of the next byte to write */
    uint64_t acked;          /* every byte below is acknowledged */
    uint64_t read;           /* offset of the next byte to read; unordered: all below are read */
    uint64_t readable;       /* bytes that can be read now */
    uint64_t writable;       /* bytes that a write would take now */
    uint64_t error_code;     /* the peer's code in RESET_STREAM or STOP_SENDING */
    uint64_t early;          /* every byte below this offset came as early data */
    uint8_t urgency;         /* 0 to 7: skua_stream_set_priority */
    bool incremental;        /* ... */
    bool can_send, can_recv; /* direction and state allow it */
    bool finished;         /* finish was called and everything, the end included, is acknowledged */
    bool reset;            /* the peer gave up sending */
    bool stopped;          /* the peer asked to stop */
    bool messages;         /* it carries messages */
    uint64_t message_left; /* bytes of the message at hand not yet read, arrived or not; 0 where
                              there is none */
    bool consumed;         /* CONSUMED has come: the peer's application has read everything */
    bool discarded;        /* DISCARDED has come */
};
SKUA_API enum skua_err skua_stream_info(struct skua_endpoint *ep, skua_stream stream,
                                        struct skua_stream_info *out);

#ifdef __cplusplus
}
#endif

#endif
