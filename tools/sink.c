/* The receiving side of a data stream (sink.h).
 *
 * A parser with three states: the stream's first byte, a record (head and body gathered in a small
 * buffer), and the bytes of a CHUNK, which go straight to the temporary file. A file that cannot be
 * stored is read to its end and thrown away; what follows it in the stream is not affected. */
#include "sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "intake.h"

enum state { PREFACE, RECORD, CHUNK_DATA, FAILED };

enum {
    STATE_ALIGN = 64, /* of crypto_generichash_state */
    BLOCK = 4096      /* of most file systems: what a hole is made of */
};

struct skua_sink {
    crypto_generichash_state hash; /* of the file so far, with `checksum` */
    struct skua_intake *intake;    /* borrowed */
    enum state state;
    enum skua_file_status status; /* of the stream */
    uint64_t entries;             /* begun */
    /* The record being gathered: the whole of it, or the head and tag of a CHUNK. */
    uint8_t record[SKUA_FILE_HEAD_LEN + SKUA_FILE_BODY_MAX];
    size_t record_len;
    /* The file under way. */
    bool in_file;
    enum skua_file_status file_status;     /* why its bytes are thrown away, or OK */
    struct skua_file_entry entry;          /* its strings are not valid here */
    struct skua_store_file file;           /* the temporary one */
    struct skua_file_mac header;           /* tag of END under way */
    uint64_t offset;                       /* bytes of file taken */
    uint64_t chunk;                        /* index of the next chunk */
    size_t chunk_left;                     /* CHUNK_DATA: bytes of it to come */
    struct skua_file_mac mac;              /* CHUNK_DATA: its tag under way */
    size_t path_off;                       /* where in `path` the part below the root starts */
    size_t name_off;                       /* where its last part starts */
    char path[2 * SKUA_FILE_PATH_MAX + 2]; /* in the store */
    /* The folder used last stays open. */
    int folder; /* or -1 */
    char folder_path[2 * SKUA_FILE_PATH_MAX + 2];
};

struct skua_sink *skua_sink_new(struct skua_intake *intake)
{
    const size_t size = (sizeof(struct skua_sink) + STATE_ALIGN - 1) / STATE_ALIGN * STATE_ALIGN;
    struct skua_sink *sink = aligned_alloc(STATE_ALIGN, size);
    if (sink == NULL) {
        return NULL;
    }
    memset(sink, 0, size);
    sink->intake = intake;
    sink->file.fd = -1;
    sink->folder = -1;
    return sink;
}

void skua_sink_free(struct skua_sink *sink)
{
    if (sink == NULL) {
        return;
    }
    skua_store_file_discard(&sink->file);
    if (sink->folder >= 0) {
        (void)close(sink->folder);
    }
    sodium_memzero(sink, sizeof *sink);
    free(sink);
}

static bool fail(struct skua_sink *sink, enum skua_file_status status)
{
    sink->state = FAILED;
    sink->status = status;
    return false;
}

static void report(const struct skua_sink *sink, enum skua_file_status status,
                   struct skua_outcomes *outcomes)
{
    const struct skua_outcome outcome = {
        .id = sink->entry.id,
        .type = sink->entry.type,
        .status = status,
        .root = sink->entry.root,
        .size = sink->entry.size,
    };
    const char *path = sink->path + sink->path_off;
    skua_outcomes_add(outcomes, &outcome, path, strlen(path));
}

/* Opens the folder that `path` (in the store) is in; sets `name_off`. */
static int open_folder(struct skua_sink *sink)
{
    const char *slash = strrchr(sink->path, '/');
    const size_t len = slash != NULL ? (size_t)(slash - sink->path) : 0;
    sink->name_off = slash != NULL ? len + 1 : 0;
    if (sink->folder >= 0 && strncmp(sink->folder_path, sink->path, len) == 0 &&
        sink->folder_path[len] == '\0') {
        return 0;
    }
    if (sink->folder >= 0) {
        (void)close(sink->folder);
        sink->folder = -1;
    }
    memcpy(sink->folder_path, sink->path, len);
    sink->folder_path[len] = '\0';
    return skua_intake_make_dirs(sink->intake, sink->folder_path, &sink->folder);
}

static enum skua_file_status begin_file(struct skua_sink *sink)
{
    int error = open_folder(sink);
    if (error == 0) {
        error = skua_store_file_begin(&sink->file, sink->folder);
    }
    return skua_file_status_of_errno(error);
}

static enum skua_file_status make_dir(struct skua_sink *sink, const struct skua_file_entry *entry)
{
    int fd = -1;
    const int error = skua_intake_make_dirs(sink->intake, sink->path, &fd);
    if (error != 0) {
        return skua_file_status_of_errno(error);
    }
    (void)close(fd);
    return skua_intake_add_dir(sink->intake, entry, sink->path);
}

static enum skua_file_status make_link(struct skua_sink *sink, const struct skua_file_entry *entry)
{
    char target[SKUA_FILE_PATH_MAX + 1];
    memcpy(target, entry->target.at, entry->target.len);
    target[entry->target.len] = '\0';
    const struct timespec mtime = {.tv_sec = entry->mtime_s, .tv_nsec = (long)entry->mtime_ns};
    int error = open_folder(sink);
    if (error == 0) {
        error = skua_store_link(sink->folder, sink->path + sink->name_off, target, mtime,
                                skua_intake_settings(sink->intake)->sync);
    }
    return skua_file_status_of_errno(error);
}

/* Remembers the name as it was sent, for the outcome of an entry that has no place. */
static void keep_sent_path(struct skua_sink *sink, struct skua_file_str path)
{
    memcpy(sink->path, path.at, path.len);
    sink->path[path.len] = '\0';
    sink->path_off = 0;
}

static bool take_entry(struct skua_sink *sink, enum skua_file_record type, const uint8_t *body,
                       size_t len, struct skua_outcomes *outcomes)
{
    struct skua_file_entry entry;
    if (!skua_file_get_entry(type, body, len, &entry) || sink->in_file) {
        return fail(sink, SKUA_STATUS_PROTOCOL);
    }
    sink->entries++;
    sink->entry = entry;
    enum skua_file_status status = skua_intake_place(sink->intake, &entry, sink->path);
    if (status == SKUA_STATUS_OK) {
        sink->path_off = strlen(sink->path) - entry.path.len;
    } else {
        keep_sent_path(sink, entry.path);
    }
    if (type == SKUA_FILE_FILE) {
        sink->in_file = true;
        sink->file_status = status == SKUA_STATUS_OK ? begin_file(sink) : status;
        sink->offset = 0;
        sink->chunk = 0;
        const struct skua_intake_config *settings = skua_intake_settings(sink->intake);
        skua_file_mac_init(&sink->header, &settings->key, entry.id, SKUA_FILE_END_INDEX);
        skua_file_mac_update(&sink->header, body, len);
        if (settings->checksum) {
            (void)crypto_generichash_init(&sink->hash, NULL, 0, SKUA_FILE_HASH_LEN);
        }
        return true;
    }
    if (status == SKUA_STATUS_OK) {
        status = type == SKUA_FILE_DIR ? make_dir(sink, &entry) : make_link(sink, &entry);
    }
    if (type == SKUA_FILE_LINK || status != SKUA_STATUS_OK) {
        report(sink, status, outcomes);
    }
    return true;
}

/* The file cannot be stored any more; its bytes go nowhere. The first reason counts. */
static void lose_file(struct skua_sink *sink, enum skua_file_status status)
{
    if (sink->file_status == SKUA_STATUS_OK) {
        sink->file_status = status;
    }
    skua_store_file_discard(&sink->file);
}

static void write_at(struct skua_sink *sink, const uint8_t *data, size_t len, uint64_t offset)
{
    while (len > 0 && sink->file_status == SKUA_STATUS_OK) {
        const ssize_t done = pwrite(sink->file.fd, data, len, (off_t)offset);
        if (done < 0 && errno != EINTR) {
            lose_file(sink, skua_file_status_of_errno(errno));
        } else if (done > 0) {
            data += done;
            len -= (size_t)done;
            offset += (uint64_t)done;
        }
    }
}

/* Whether there are only zeros; `len` is above 0. */
static bool is_zero(const uint8_t *data, size_t len)
{
    return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* Writes but for blocks of zeros: nothing has been written there, so that they become holes. */
static void write_sparse(struct skua_sink *sink, const uint8_t *data, size_t len)
{
    size_t from = 0; /* of what waits to be written */
    size_t block = 0;
    for (size_t at = 0; at < len; at += block) {
        block = BLOCK - (size_t)((sink->offset + at) % BLOCK);
        block = block < len - at ? block : len - at;
        if (is_zero(data + at, block)) {
            write_at(sink, data + from, at - from, sink->offset + from);
            from = at + block;
        }
    }
    write_at(sink, data + from, len - from, sink->offset + from);
}

/* Bytes of a CHUNK. With `checksum` there are no HOLEs: the holes of a file come as zeros. */
static void take_data(struct skua_sink *sink, const uint8_t *data, size_t len)
{
    skua_file_mac_update(&sink->mac, data, len);
    if (skua_intake_settings(sink->intake)->checksum) {
        (void)crypto_generichash_update(&sink->hash, data, len);
        write_sparse(sink, data, len);
    } else {
        write_at(sink, data, len, sink->offset);
    }
    sink->offset += len;
    sink->chunk_left -= len;
}

static bool begin_chunk(struct skua_sink *sink, size_t len)
{
    const size_t data = len - SKUA_FILE_TAG_LEN;
    if (!sink->in_file || data > sink->entry.size - sink->offset) {
        return fail(sink, SKUA_STATUS_PROTOCOL);
    }
    skua_file_mac_init(&sink->mac, &skua_intake_settings(sink->intake)->key, sink->entry.id,
                       sink->chunk++);
    sink->chunk_left = data;
    sink->state = CHUNK_DATA;
    sink->record_len = 0; /* now gathers the tag */
    return true;
}

static bool take_hole(struct skua_sink *sink, const uint8_t *body, size_t len)
{
    uint64_t hole = 0;
    if (!skua_file_get_hole(body, len, &hole) || !sink->in_file ||
        hole > sink->entry.size - sink->offset || skua_intake_settings(sink->intake)->checksum) {
        return fail(sink, SKUA_STATUS_PROTOCOL);
    }
    skua_file_mac_update(&sink->header, body, len);
    sink->offset += hole;
    return true;
}

static void over(struct skua_sink *sink, struct skua_outcomes *outcomes)
{
    skua_store_file_discard(&sink->file);
    report(sink, sink->file_status, outcomes);
    sink->in_file = false;
}

static bool take_end(struct skua_sink *sink, const uint8_t *body, size_t len,
                     struct skua_outcomes *outcomes)
{
    const struct skua_intake_config *settings = skua_intake_settings(sink->intake);
    struct skua_file_end end;
    if (!skua_file_get_end(body, len, &end) || !sink->in_file || sink->offset != sink->entry.size ||
        end.has_hash != settings->checksum) {
        return fail(sink, SKUA_STATUS_PROTOCOL);
    }
    bool good = skua_file_mac_verify(&sink->header, end.tag);
    if (end.has_hash) {
        uint8_t own[SKUA_FILE_HASH_LEN];
        (void)crypto_generichash_final(&sink->hash, own, sizeof own);
        good = good && sodium_memcmp(own, end.hash, sizeof own) == 0;
    }
    if (!good) {
        lose_file(sink, SKUA_STATUS_INTEGRITY);
    }
    if (sink->file_status == SKUA_STATUS_OK) {
        const struct timespec mtime = {.tv_sec = sink->entry.mtime_s,
                                       .tv_nsec = (long)sink->entry.mtime_ns};
        const int error =
            skua_store_file_commit(&sink->file, sink->path + sink->name_off, sink->entry.size,
                                   sink->entry.mode, mtime, settings->sync);
        sink->file_status = skua_file_status_of_errno(error);
    }
    over(sink, outcomes);
    return true;
}

static bool take_abort(struct skua_sink *sink, const uint8_t *body, size_t len,
                       struct skua_outcomes *outcomes)
{
    enum skua_file_status status = SKUA_STATUS_OK;
    if (!skua_file_get_abort(body, len, &status) || !sink->in_file) {
        return fail(sink, SKUA_STATUS_PROTOCOL);
    }
    lose_file(sink, status);
    over(sink, outcomes);
    return true;
}

static bool take_notice(struct skua_sink *sink, const uint8_t *body, size_t len,
                        struct skua_outcomes *outcomes)
{
    struct skua_file_notice notice;
    if (!skua_file_get_notice(body, len, &notice) || sink->in_file) {
        return fail(sink, SKUA_STATUS_PROTOCOL);
    }
    sink->entries++;
    skua_intake_notice(sink->intake, &notice);
    sink->entry =
        (struct skua_file_entry){.type = SKUA_FILE_NOTICE, .id = notice.id, .root = notice.root};
    keep_sent_path(sink, notice.path);
    report(sink, notice.status, outcomes);
    return true;
}

static bool take_record(struct skua_sink *sink, enum skua_file_record type, size_t len,
                        struct skua_outcomes *outcomes)
{
    const uint8_t *body = sink->record + SKUA_FILE_HEAD_LEN;
    sink->record_len = 0;
    switch (type) {
    case SKUA_FILE_FILE:
    case SKUA_FILE_DIR:
    case SKUA_FILE_LINK:
        return take_entry(sink, type, body, len, outcomes);
    case SKUA_FILE_HOLE:
        return take_hole(sink, body, len);
    case SKUA_FILE_END:
        return take_end(sink, body, len, outcomes);
    case SKUA_FILE_ABORT:
        return take_abort(sink, body, len, outcomes);
    case SKUA_FILE_NOTICE:
        return take_notice(sink, body, len, outcomes);
    case SKUA_FILE_CHUNK:
    case SKUA_FILE_REQUEST:
    case SKUA_FILE_REPLY:
    case SKUA_FILE_TOTALS:
    case SKUA_FILE_SENT:
    case SKUA_FILE_VERDICTS:
    case SKUA_FILE_DONE:
        break;
    }
    return fail(sink, SKUA_STATUS_PROTOCOL);
}

/* Moves bytes from the input to the record buffer until it holds `want`; true when it does. */
static bool gather(struct skua_sink *sink, const uint8_t **data, size_t *len, size_t want)
{
    const size_t missing = want - sink->record_len;
    const size_t take = *len < missing ? *len : missing;
    memcpy(sink->record + sink->record_len, *data, take);
    sink->record_len += take;
    *data += take;
    *len -= take;
    return sink->record_len == want;
}

static bool step_record(struct skua_sink *sink, const uint8_t **data, size_t *len,
                        struct skua_outcomes *outcomes)
{
    enum skua_file_record type = SKUA_FILE_FILE;
    size_t body = 0;
    if (sink->record_len < SKUA_FILE_HEAD_LEN && !gather(sink, data, len, SKUA_FILE_HEAD_LEN)) {
        return true;
    }
    if (!skua_file_get_head(sink->record, false, &type, &body)) {
        return fail(sink, SKUA_STATUS_PROTOCOL);
    }
    if (type == SKUA_FILE_CHUNK) {
        return begin_chunk(sink, body);
    }
    return !gather(sink, data, len, SKUA_FILE_HEAD_LEN + body) ||
           take_record(sink, type, body, outcomes);
}

static bool step_chunk(struct skua_sink *sink, const uint8_t **data, size_t *len)
{
    if (sink->chunk_left > 0) {
        const size_t take = *len < sink->chunk_left ? *len : sink->chunk_left;
        take_data(sink, *data, take);
        *data += take;
        *len -= take;
        return true;
    }
    if (gather(sink, data, len, SKUA_FILE_TAG_LEN)) {
        if (!skua_file_mac_verify(&sink->mac, sink->record)) {
            lose_file(sink, SKUA_STATUS_INTEGRITY);
        }
        sink->record_len = 0;
        sink->state = RECORD;
    }
    return true;
}

bool skua_sink_take(struct skua_sink *sink, const uint8_t *data, size_t len,
                    struct skua_outcomes *outcomes)
{
    bool good = sink->state != FAILED;
    while (good && len > 0) {
        switch (sink->state) {
        case PREFACE:
            good = *data == SKUA_FILE_STREAM_DATA || fail(sink, SKUA_STATUS_PROTOCOL);
            data++;
            len--;
            sink->state = good ? RECORD : FAILED;
            break;
        case RECORD:
            good = step_record(sink, &data, &len, outcomes);
            break;
        case CHUNK_DATA:
            good = step_chunk(sink, &data, &len);
            break;
        case FAILED:
            good = false;
            break;
        }
    }
    return good;
}

bool skua_sink_end(struct skua_sink *sink)
{
    if (sink->state != RECORD || sink->record_len != 0 || sink->in_file) {
        return sink->state == FAILED ? false : fail(sink, SKUA_STATUS_PROTOCOL);
    }
    return true;
}

enum skua_file_status skua_sink_status(const struct skua_sink *sink)
{
    return sink->status;
}

uint64_t skua_sink_entries(const struct skua_sink *sink)
{
    return sink->entries;
}
