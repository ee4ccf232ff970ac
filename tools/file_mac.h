/* Integrity of files from end to end: one-time MACs over what was read, checked over what is about
 * to be stored.
 *
 * The connection already authenticates packets; these tags cover the rest of the way, between
 * reading a file and writing it: buffers, streams, reassembly, the tool itself. Each CHUNK has a
 * Poly1305 tag under a key used once, derived from the connection's exporter secret, the number of
 * the entry and the number of the chunk. So a chunk in the wrong place, file or connection fails as
 * surely as a changed one. END has a tag under index UINT64_MAX over the entry's record body and
 * the body of each HOLE, in order. (docs/file-protocol.md, "Integrity") */
#ifndef SKUA_TOOLS_FILE_MAC_H
#define SKUA_TOOLS_FILE_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#include "file_proto.h"

/* Label of the exporter secret. */
#define SKUA_FILE_EXPORT_LABEL "skua-file/1 mac"

/* The exporter secret of a connection. */
struct skua_file_key {
    uint8_t bytes[32];
};

/* Index of the tag in END. */
#define SKUA_FILE_END_INDEX UINT64_MAX

/* A MAC under way. */
struct skua_file_mac {
    crypto_onetimeauth_state state;
};

/* Starts the MAC of chunk `index` of entry `id`. */
void skua_file_mac_init(struct skua_file_mac *mac, const struct skua_file_key *key, uint64_t id,
                        uint64_t index);
void skua_file_mac_update(struct skua_file_mac *mac, const void *data, size_t len);
/* Writes the tag and wipes the state. */
void skua_file_mac_final(struct skua_file_mac *mac, uint8_t tag[SKUA_FILE_TAG_LEN]);
/* Compares with `tag` in constant time and wipes the state. */
bool skua_file_mac_verify(struct skua_file_mac *mac, const uint8_t tag[SKUA_FILE_TAG_LEN]);

#endif
