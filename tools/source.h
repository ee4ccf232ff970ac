/* Reads files and writes the bytes of one data stream: entries, chunks with their tags, ends.
 *
 * Plain sequential code that blocks on the disk; it runs on a worker thread, one call at a time per
 * source. Several sources share a walk and so divide the entries among the streams of a request. */
#ifndef SKUA_TOOLS_SOURCE_H
#define SKUA_TOOLS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file_mac.h"
#include "outcome.h"
#include "walk.h"

/* Least room that skua_source_fill makes use of: the largest entry, and a chunk worth its tag. */
#define SKUA_SOURCE_ROOM_MIN 16384

struct skua_source;

/* `walk` is borrowed, `key` copied; `checksum`: END carries a hash. NULL where memory is short. */
struct skua_source *skua_source_new(struct skua_walk *walk, const struct skua_file_key *key,
                                    bool checksum);
/* Closes a file that is still open. */
void skua_source_free(struct skua_source *source);

/* Writes the next bytes of the stream to `out`: *len of them, at most `cap` (at least
 * SKUA_SOURCE_ROOM_MIN). For each entry begun one outcome is appended to `outcomes`: OK for what is
 * on its way, else why it is not. An entry that fails in its middle gets a second outcome with the
 * same number. Returns false when nothing is left to write after these bytes. */
bool skua_source_fill(struct skua_source *source, uint8_t *out, size_t cap, size_t *len,
                      struct skua_outcomes *outcomes);

#endif
