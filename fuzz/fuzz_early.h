/* What the files of the target of early data share: see fuzz_early.c. */
#ifndef SKUA_FUZZ_EARLY_H
#define SKUA_FUZZ_EARLY_H

#include <string.h>

#include "endpoint/endpoint.h"
#include "fuzz_handshake.h"
#include "pair.h"

enum {
    CALLS = 6,    /* connections of the client that operations can name */
    STREAMS = 3,  /* of each: bidirectional, unidirectional, ... */
    MESSAGES = 2, /* ... and one of messages */
    WRITE_MAX = 4096,
    TOKENS = 6,  /* newest that were received */
    COPIES = 12, /* newest datagrams that the client sent */
    COPY_MAX = 1500,
    TAGS = 250,   /* streams and messages of the client in all */
    READERS = 64, /* streams of the server that are followed */
    TAG_LEN = 8
};

struct call {
    skua_conn conn;
    bool gave; /* there was something in its SYN */
    skua_stream streams[STREAMS];
    uint8_t tags[STREAMS];
};

/* What the server has read of a stream. */
struct reader {
    skua_stream stream;
    uint8_t tag[TAG_LEN];
    uint64_t len;
};

struct copy {
    uint8_t bytes[COPY_MAX];
    size_t len;
};

struct run {
    struct pair p;
    struct ends ends; /* its generator is for what is forged */
    struct skua_listen_config listen;
    struct skua_key server_key;
    struct call calls[CALLS];
    unsigned call_count;
    struct skua_token tokens[TOKENS];
    unsigned token_count;
    struct copy copies[COPIES];
    unsigned copy_count;
    uint64_t written[TAGS]; /* bytes, by tag */
    bool delivered[TAGS];   /* to the application above the present listener */
    unsigned tag_count;
    struct reader readers[READERS];
    unsigned reader_count;
    bool unwanted; /* the client's key */
    bool ending;
};

/* --- early_apps.c: both applications */

/* Their ears. */
void early_server_heard(struct side *s, const struct skua_event *event);
void early_client_heard(struct side *s, const struct skua_event *event);
/* For struct skua_listen_config, with the run. */
bool early_is_wanted(void *run, const struct skua_key *key, const struct skua_path *path);
/* One of the tokens that were received, as it is or not; false: none. args: which, what is done to
 * it, where. */
bool early_choose_token(const struct run *f, const uint8_t args[3], struct skua_token *token);
/* The client connects. args: token, what is done to it, where; how many streams; bytes of each;
 * whether they end. */
void early_dial(struct run *f, const uint8_t args[6]);
/* It does something. args: connection, stream, what, how much. */
void early_act(struct run *f, const uint8_t args[4]);
/* So does the server. args: what, how much. */
void early_serve(struct run *f, const uint8_t args[2]);
/* Another listener: it knows nothing of what was delivered before. */
void early_listen(struct run *f);

/* --- early_forge.c: others */

/* A copy of what the client sent, from somewhere. args: which, from where. */
void early_replay(struct run *f, const uint8_t args[2]);
/* A SYN of the client's key with `frames` as early data. args: token, what is done to it, where;
 * from where. */
void early_forge_syn(struct run *f, const uint8_t args[4], const uint8_t *frames, size_t len);
/* A SYN_ACK of the server's key for a SYN of the client's, with limits of its own choice. args:
 * which; whether early data are taken, streams, socket; bytes of the connection, of a stream. */
void early_forge_syn_ack(struct run *f, const uint8_t args[4]);

#endif
