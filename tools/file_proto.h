/* The file protocol's bytes (docs/file-protocol.md, application label "skua-file/1").
 *
 * One connection carries one request. The client opens one bidirectional control stream; the
 * sending side opens data streams, unidirectional, each of which carries whole files back to back.
 * Everything is a record: type (1 byte), length of the body (4 bytes), body. Integers are
 * big-endian; a string is its length (2 bytes) and its bytes, without a zero.
 *
 * This file turns records into structs and back and does nothing else: no I/O, no allocation. A
 * decoder takes exactly one body and accepts nothing but a complete one; what it yields points into
 * that body. Names are checked by names.h, not here. */
#ifndef SKUA_TOOLS_FILE_PROTO_H
#define SKUA_TOOLS_FILE_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKUA_FILE_LABEL   "skua-file/1"
#define SKUA_FILE_VERSION 1

enum {
    SKUA_FILE_HEAD_LEN = 5,          /* type and length of a record */
    SKUA_FILE_TAG_LEN = 16,          /* Poly1305 */
    SKUA_FILE_HASH_LEN = 32,         /* BLAKE2b-256 */
    SKUA_FILE_CHUNK_MAX = 1048576,   /* bytes of file in one CHUNK */
    SKUA_FILE_PATH_MAX = 4000,       /* bytes of a path or link target in a record */
    SKUA_FILE_BODY_MAX = 8192,       /* body of any record of a data stream but CHUNK */
    SKUA_FILE_CONTROL_MAX = 1048576, /* body of any record of the control stream */
    SKUA_FILE_ROOTS_MAX = 16384,     /* roots of one request */
    SKUA_FILE_STREAMS_MAX = 16,      /* data streams of one request */
    SKUA_FILE_VERDICTS_PER_RECORD = 1024
};

/* First byte of a data stream: what kind of stream it is. */
enum { SKUA_FILE_STREAM_DATA = 1 };

enum skua_file_record {
    /* data streams, sender to receiver */
    SKUA_FILE_FILE = 1,   /* an entry; CHUNK and HOLE records and END or ABORT follow */
    SKUA_FILE_DIR = 2,    /* an entry: a directory */
    SKUA_FILE_LINK = 3,   /* an entry: a symbolic link */
    SKUA_FILE_CHUNK = 4,  /* the next bytes of the file, and their tag */
    SKUA_FILE_HOLE = 5,   /* the next bytes of the file are that many zeros */
    SKUA_FILE_END = 6,    /* the file is complete; tag of its header and holes, hash if asked for */
    SKUA_FILE_ABORT = 7,  /* the file cannot be completed */
    SKUA_FILE_NOTICE = 8, /* an entry that is not sent, and why */
    /* control stream, client to server */
    SKUA_FILE_REQUEST = 16,
    /* control stream, server to client */
    SKUA_FILE_REPLY = 17,
    /* control stream, sender to receiver */
    SKUA_FILE_TOTALS = 18, /* how much there is to send, as far as known */
    SKUA_FILE_SENT = 19,   /* everything has been sent */
    /* control stream, receiver to sender */
    SKUA_FILE_VERDICTS = 20, /* what became of entries */
    SKUA_FILE_DONE = 21      /* all entries have their verdict, directories have their times */
};

enum skua_file_status {
#define SKUA_FILE_STATUS(name, value, text) SKUA_STATUS_##name = (value),
#include "file_status.def"
#undef SKUA_FILE_STATUS
};

/* The status's text; "unknown status" for a value that this version does not know. */
const char *skua_file_status_text(enum skua_file_status status);
/* Whether the value is one of the enum. */
bool skua_file_status_known(uint8_t value);
/* The status that tells a peer of an errno value. */
enum skua_file_status skua_file_status_of_errno(int error);

/* Bytes of a string in a record; not zero-terminated. */
struct skua_file_str {
    const char *at;
    size_t len;
};

enum skua_file_op { SKUA_FILE_PUT = 1, SKUA_FILE_GET = 2 };

enum {
    SKUA_FILE_RECURSIVE = 1,  /* directories with all that is in them */
    SKUA_FILE_LINKS = 2,      /* symbolic links are copied as links */
    SKUA_FILE_CHECKSUM = 4,   /* END carries a hash of the whole file */
    SKUA_FILE_FSYNC = 8,      /* the receiver calls fsync before a verdict */
    SKUA_FILE_DST_IS_DIR = 16 /* PUT: the destination must be a directory */
};

/* REQUEST. `dst` is used by PUT only (empty for GET). Roots: for PUT the names under which the
 * sources go into `dst`, for GET the paths wanted. */
struct skua_file_request {
    uint8_t version;
    enum skua_file_op op;
    uint16_t flags;
    struct skua_file_str dst;
    size_t count;                                    /* roots, 1 to SKUA_FILE_ROOTS_MAX */
    struct skua_file_str roots[SKUA_FILE_ROOTS_MAX]; /* the first `count` */
};

/* REPLY: the request is taken (OK) or not; nothing follows a refusal. */
struct skua_file_reply {
    uint8_t version;
    enum skua_file_status status;
};

/* FILE, DIR, LINK. */
struct skua_file_entry {
    enum skua_file_record type;  /* one of the three */
    uint64_t id;                 /* number of the entry, from 0 */
    uint16_t root;               /* index of the root in the request */
    uint16_t mode;               /* permission bits, 0 to 0777 */
    int64_t mtime_s;             /* modification time, seconds since 1970 */
    uint32_t mtime_ns;           /* and nanoseconds, below 10^9 */
    uint64_t size;               /* FILE: bytes; else 0 */
    struct skua_file_str path;   /* below the root; empty for the root itself */
    struct skua_file_str target; /* LINK: where it points; else empty */
};

/* END. */
struct skua_file_end {
    bool has_hash;
    uint8_t tag[SKUA_FILE_TAG_LEN];
    uint8_t hash[SKUA_FILE_HASH_LEN]; /* zero where has_hash is false */
};

/* NOTICE. */
struct skua_file_notice {
    uint64_t id;
    uint16_t root;
    enum skua_file_status status; /* never OK */
    struct skua_file_str path;
};

/* TOTALS, SENT: `streams` belongs to SENT. */
struct skua_file_totals {
    uint64_t entries;
    uint64_t bytes;
    uint16_t streams; /* data streams that the sender opened */
};

/* One of VERDICTS. */
struct skua_file_verdict {
    uint64_t id;
    enum skua_file_status status;
};

/* DONE. */
struct skua_file_done {
    uint64_t stored; /* entries with verdict OK */
    uint64_t failed; /* entries with another verdict */
};

/* Writes a record's head. */
void skua_file_put_head(uint8_t out[SKUA_FILE_HEAD_LEN], enum skua_file_record type, size_t len);
/* Reads it; false for an unknown type or a body longer than the type allows (control stream or data
 * stream, as `control` says). */
bool skua_file_get_head(const uint8_t in[SKUA_FILE_HEAD_LEN], bool control,
                        enum skua_file_record *type, size_t *len);

/* Encoders: write a whole record (head and body) to `out`; the result is its length, or 0 where it
 * does not fit into `cap` or a string is too long. */
size_t skua_file_put_request(uint8_t *out, size_t cap, const struct skua_file_request *request);
size_t skua_file_put_reply(uint8_t *out, size_t cap, const struct skua_file_reply *reply);
size_t skua_file_put_entry(uint8_t *out, size_t cap, const struct skua_file_entry *entry);
size_t skua_file_put_hole(uint8_t *out, size_t cap, uint64_t len);
size_t skua_file_put_end(uint8_t *out, size_t cap, const struct skua_file_end *end);
size_t skua_file_put_abort(uint8_t *out, size_t cap, enum skua_file_status status);
size_t skua_file_put_notice(uint8_t *out, size_t cap, const struct skua_file_notice *notice);
size_t skua_file_put_totals(uint8_t *out, size_t cap, const struct skua_file_totals *totals);
size_t skua_file_put_sent(uint8_t *out, size_t cap, const struct skua_file_totals *totals);
size_t skua_file_put_verdicts(uint8_t *out, size_t cap, const struct skua_file_verdict *verdicts,
                              size_t count);
size_t skua_file_put_done(uint8_t *out, size_t cap, const struct skua_file_done *done);

/* Decoders: one whole body; false for anything malformed, left-over bytes included. */
bool skua_file_get_request(const uint8_t *body, size_t len, struct skua_file_request *out);
bool skua_file_get_reply(const uint8_t *body, size_t len, struct skua_file_reply *out);
bool skua_file_get_entry(enum skua_file_record type, const uint8_t *body, size_t len,
                         struct skua_file_entry *out);
bool skua_file_get_hole(const uint8_t *body, size_t len, uint64_t *out);
bool skua_file_get_end(const uint8_t *body, size_t len, struct skua_file_end *out);
bool skua_file_get_abort(const uint8_t *body, size_t len, enum skua_file_status *out);
bool skua_file_get_notice(const uint8_t *body, size_t len, struct skua_file_notice *out);
/* TOTALS */
bool skua_file_get_totals(const uint8_t *body, size_t len, struct skua_file_totals *out);
/* SENT */
bool skua_file_get_sent(const uint8_t *body, size_t len, struct skua_file_totals *out);
/* The verdicts one by one: *count of them are in `body`; read each by index. */
bool skua_file_get_verdicts(const uint8_t *body, size_t len, size_t *count);
bool skua_file_get_verdict(const uint8_t *body, size_t index, struct skua_file_verdict *out);
bool skua_file_get_done(const uint8_t *body, size_t len, struct skua_file_done *out);

#endif
