/* Takes the bytes of data streams and stores the files in them.
 *
 * An intake is one request's receiving side: where things go, what is allowed, which directories
 * wait for their times. It has one sink per data stream. A sink takes bytes in pieces of any size;
 * it verifies each tag before the file that the bytes belong to gets its name. Plain sequential
 * code that blocks on the disk and runs on worker threads: one call at a time per sink, several
 * sinks of an intake at a time. */
#ifndef SKUA_TOOLS_SINK_H
#define SKUA_TOOLS_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file_mac.h"
#include "outcome.h"
#include "store.h"

/* Directories of one request whose times are set at the end; more are refused (LIMIT). */
#define SKUA_INTAKE_DIRS_MAX 262144

struct skua_intake;
struct skua_sink;

struct skua_intake_config {
    struct skua_store *store; /* everything goes beneath it; outlives the intake */
    /* For each root where it goes in the store: a checked path, or "" for the store's folder
     * itself, into which only the contents of a directory can go. Copied. */
    const char *const *targets;
    size_t count;             /* of targets */
    struct skua_file_key key; /* of the tags */
    bool recursive;           /* directories were asked for */
    bool links;               /* links were asked for */
    bool checksum;            /* every END must carry a hash, and there are no HOLEs */
    bool sync;                /* fsync before OK */
};

/* NULL where memory is short. */
struct skua_intake *skua_intake_new(const struct skua_intake_config *config);
void skua_intake_free(struct skua_intake *intake);
/* After the last byte of the last stream: whether each root has come, as an entry, whatever became
 * of it, or as a NOTICE. A sender that says nothing of one must not make the copy a success. */
bool skua_intake_is_complete(const struct skua_intake *intake);
/* Then: gives directories their permissions and times. One
 * outcome for each directory is appended. */
void skua_intake_finish(struct skua_intake *intake, struct skua_outcomes *outcomes);

/* `intake` is borrowed. NULL where memory is short. */
struct skua_sink *skua_sink_new(struct skua_intake *intake);
/* Removes a temporary file that is still there. */
void skua_sink_free(struct skua_sink *sink);

/* Takes the next bytes. An outcome is appended for each FILE, LINK and NOTICE that is over, and for
 * each DIR that failed. False where the peer violates the protocol: skua_sink_status says how, and
 * no more bytes are taken. */
bool skua_sink_take(struct skua_sink *sink, const uint8_t *data, size_t len,
                    struct skua_outcomes *outcomes);
/* The stream has ended; false where it must not have ended here. */
bool skua_sink_end(struct skua_sink *sink);
/* OK until skua_sink_take or skua_sink_end was false. */
enum skua_file_status skua_sink_status(const struct skua_sink *sink);
/* Entries begun: FILE, DIR, LINK and NOTICE records. */
uint64_t skua_sink_entries(const struct skua_sink *sink);

#endif
