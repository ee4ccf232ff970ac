/* The sending side of a data stream (source.h).
 *
 * A file is read in chunks straight into the stream's bytes and its tag computed there, while they
 * are in the cache. That the file did not change meanwhile is judged by its size, modification time
 * and change time before the first and after the last read. The change time is what counts: whoever
 * writes can set the other two back (`touch -d`, `rsync --inplace -t`, encrypted containers), and
 * what changes it without writing, as chmod does, is rare in those moments.
 *
 * One such thing is not rare: that the file loses its name, because a log is put aside, an editor
 * saves or somebody copies another file to its place. The open file is whole then and is what was
 * asked for. So a change time that has no other company is excused where the name no longer leads
 * to the file or one of its names is gone. Who writes to a file in place, sets its modification
 * time back and renames it, all while it is read, is not noticed. */
#include "source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

enum {
    HOLE_MIN = 65536, /* shorter holes are sent as zeros */
    PAGE = 4096,      /* chunks end at multiples of it where they can */
    STATE_ALIGN = 64, /* of crypto_generichash_state */
    /* Most entries for one fill: what they announce reaches the loop in time. */
    ENTRIES_PER_FILL = 512
};

struct skua_source {
    crypto_generichash_state hash; /* of the file so far, with `checksum` */
    struct skua_walk *walk;        /* borrowed */
    struct skua_file_key key;      /* of the tags */
    bool checksum;
    bool preface_sent;           /* the stream's first byte is out */
    bool in_file;                /* `entry` is a FILE under way */
    bool sparse;                 /* it may have holes */
    uint64_t size;               /* of the file, as announced */
    uint64_t offset;             /* of the next byte to read */
    uint64_t chunk;              /* index of the next chunk */
    struct skua_file_mac header; /* tag of END under way */
    struct skua_walk_entry entry;
};

/* The bytes being written. */
struct out {
    uint8_t *at;
    size_t cap;
    size_t len;
    struct skua_outcomes *outcomes;
};

struct skua_source *skua_source_new(struct skua_walk *walk, const struct skua_file_key *key,
                                    bool checksum)
{
    const size_t size = (sizeof(struct skua_source) + STATE_ALIGN - 1) / STATE_ALIGN * STATE_ALIGN;
    struct skua_source *source = aligned_alloc(STATE_ALIGN, size);
    if (source == NULL) {
        return NULL;
    }
    memset(source, 0, size);
    source->walk = walk;
    source->key = *key;
    source->checksum = checksum;
    source->entry.fd = -1;
    return source;
}

static void close_entry(struct skua_source *source)
{
    if (source->entry.fd >= 0) {
        (void)close(source->entry.fd);
        source->entry.fd = -1;
    }
    source->in_file = false;
}

void skua_source_free(struct skua_source *source)
{
    if (source == NULL) {
        return;
    }
    close_entry(source);
    sodium_memzero(source, sizeof *source);
    free(source);
}

static struct skua_file_str str_of(const char *text, size_t len)
{
    return (struct skua_file_str){.at = text, .len = len};
}

static void note(const struct skua_source *source, struct out *out, enum skua_file_status status)
{
    const struct skua_walk_entry *entry = &source->entry;
    const struct skua_outcome outcome = {
        .id = entry->id,
        .type = entry->type,
        .status = status,
        .root = entry->root,
        .size = entry->type == SKUA_FILE_FILE ? source->size : 0,
    };
    skua_outcomes_add(out->outcomes, &outcome, entry->path, entry->path_len);
}

static void put_notice(const struct skua_source *source, struct out *out)
{
    const struct skua_walk_entry *entry = &source->entry;
    const struct skua_file_notice notice = {
        .id = entry->id,
        .root = entry->root,
        .status = entry->status,
        .path = str_of(entry->path, entry->path_len),
    };
    out->len += skua_file_put_notice(out->at + out->len, out->cap - out->len, &notice);
    note(source, out, entry->status);
}

/* Writes FILE, DIR or LINK; for a FILE the chunks follow. */
static void put_entry(struct skua_source *source, struct out *out)
{
    struct skua_walk_entry *from = &source->entry;
    source->size = (uint64_t)from->st.st_size;
    const struct skua_file_entry entry = {
        .type = from->type,
        .id = from->id,
        .root = from->root,
        .mode = (uint16_t)(from->st.st_mode & 0777),
        .mtime_s = from->st.st_mtim.tv_sec,
        .mtime_ns = (uint32_t)from->st.st_mtim.tv_nsec,
        .size = source->size,
        .path = str_of(from->path, from->path_len),
        .target = str_of(from->target, strlen(from->target)),
    };
    uint8_t *record = out->at + out->len;
    const size_t len = skua_file_put_entry(record, out->cap - out->len, &entry);
    out->len += len;
    note(source, out, SKUA_STATUS_OK);
    if (from->type != SKUA_FILE_FILE) {
        return;
    }
    source->in_file = true;
    source->sparse = (uint64_t)from->st.st_blocks * 512 < source->size;
    source->offset = 0;
    source->chunk = 0;
    skua_file_mac_init(&source->header, &source->key, entry.id, SKUA_FILE_END_INDEX);
    skua_file_mac_update(&source->header, record + SKUA_FILE_HEAD_LEN, len - SKUA_FILE_HEAD_LEN);
    if (source->checksum) {
        (void)crypto_generichash_init(&source->hash, NULL, 0, SKUA_FILE_HASH_LEN);
    }
}

static void give_up(struct skua_source *source, struct out *out, enum skua_file_status status)
{
    out->len += skua_file_put_abort(out->at + out->len, out->cap - out->len, status);
    note(source, out, status);
    close_entry(source);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Whether the file is still what it was when it was opened, and ends where its size says: files of
 * /proc have more. */
static bool is_unchanged(const struct skua_walk *walk, const struct skua_walk_entry *entry)
{
    const struct stat *then = &entry->st;
    struct stat now;
    uint8_t more;
    if (fstat(entry->fd, &now) != 0 || now.st_size != then->st_size ||
        !same_time(&now.st_mtim, &then->st_mtim) ||
        pread(entry->fd, &more, 1, then->st_size) != 0) {
        return false;
    }
    return same_time(&now.st_ctim, &then->st_ctim) || now.st_nlink < then->st_nlink ||
           skua_walk_name_left(walk, entry);
}

static void put_end(struct skua_source *source, struct out *out)
{
    if (!is_unchanged(source->walk, &source->entry)) {
        give_up(source, out, SKUA_STATUS_CHANGED);
        return;
    }
    struct skua_file_end end = {.has_hash = source->checksum};
    skua_file_mac_final(&source->header, end.tag);
    if (end.has_hash) {
        (void)crypto_generichash_final(&source->hash, end.hash, sizeof end.hash);
    }
    out->len += skua_file_put_end(out->at + out->len, out->cap - out->len, &end);
    close_entry(source);
}

/* Reads exactly `len` bytes; 0 or an errno value, ESTALE for an early end. */
static int read_fully(int fd, uint8_t *to, size_t len, uint64_t offset)
{
    while (len > 0) {
        const ssize_t got = pread(fd, to, len, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got == 0 ? ESTALE : errno;
        }
        to += got;
        len -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

/* Whether holes go as such. */
static bool has_holes(const struct skua_source *source)
{
    return source->sparse && !source->checksum;
}

/* Where the hole at `at` ends; `at` where there is none. */
static uint64_t hole_end(const struct skua_source *source, uint64_t at)
{
    const off_t data = lseek(source->entry.fd, (off_t)at, SEEK_DATA);
    uint64_t until = at;
    if (data >= 0) {
        until = (uint64_t)data;
    } else if (errno == ENXIO) {
        until = source->size; /* nothing but a hole up to the end */
    }
    return until < source->size ? until : source->size;
}

/* Writes a HOLE where the file has one here; true if so. */
static bool put_hole(struct skua_source *source, struct out *out)
{
    const uint64_t until = has_holes(source) ? hole_end(source, source->offset) : source->offset;
    if (until < source->offset + HOLE_MIN) {
        return false;
    }
    uint8_t *record = out->at + out->len;
    const size_t len = skua_file_put_hole(record, out->cap - out->len, until - source->offset);
    out->len += len;
    skua_file_mac_update(&source->header, record + SKUA_FILE_HEAD_LEN, len - SKUA_FILE_HEAD_LEN);
    source->offset = until;
    return true;
}

/* Where the next hole begins that is worth a HOLE, or `until` where none begins before. Above the
 * offset, even if somebody makes holes right now: no chunk is empty. */
static uint64_t next_hole(const struct skua_source *source, uint64_t until)
{
    uint64_t at = source->offset;
    while (at < until) {
        const off_t hole = lseek(source->entry.fd, (off_t)at, SEEK_HOLE);
        if (hole < 0 || (uint64_t)hole >= until) {
            break;
        }
        at = hole_end(source, (uint64_t)hole);
        if (at >= (uint64_t)hole + HOLE_MIN && (uint64_t)hole > source->offset) {
            return (uint64_t)hole;
        }
        if (at == (uint64_t)hole) {
            break; /* it was filled meanwhile */
        }
    }
    return until;
}

/* How many bytes of the file the next chunk takes. */
static size_t chunk_size(const struct skua_source *source, const struct out *out)
{
    size_t room = out->cap - out->len - SKUA_FILE_HEAD_LEN - SKUA_FILE_TAG_LEN;
    room = room > SKUA_FILE_CHUNK_MAX ? SKUA_FILE_CHUNK_MAX : room;
    const uint64_t left = source->size - source->offset;
    const size_t most = left <= room ? (size_t)left : room / PAGE * PAGE;
    return has_holes(source) ? (size_t)(next_hole(source, source->offset + most) - source->offset)
                             : most;
}

static void put_chunk(struct skua_source *source, struct out *out)
{
    const size_t len = chunk_size(source, out);
    uint8_t *record = out->at + out->len;
    uint8_t *data = record + SKUA_FILE_HEAD_LEN;
    const int error = read_fully(source->entry.fd, data, len, source->offset);
    if (error != 0) {
        give_up(source, out,
                error == ESTALE ? SKUA_STATUS_CHANGED : skua_file_status_of_errno(error));
        return;
    }
    skua_file_put_head(record, SKUA_FILE_CHUNK, len + SKUA_FILE_TAG_LEN);
    struct skua_file_mac mac;
    skua_file_mac_init(&mac, &source->key, source->entry.id, source->chunk++);
    skua_file_mac_update(&mac, data, len);
    skua_file_mac_final(&mac, data + len);
    if (source->checksum) {
        (void)crypto_generichash_update(&source->hash, data, len);
    }
    source->offset += len;
    out->len += SKUA_FILE_HEAD_LEN + len + SKUA_FILE_TAG_LEN;
}

bool skua_source_fill(struct skua_source *source, uint8_t *buffer, size_t cap, size_t *len,
                      struct skua_outcomes *outcomes)
{
    struct out out = {.at = buffer, .cap = cap, .outcomes = outcomes};
    bool more = true;
    if (!source->preface_sent) {
        out.at[out.len++] = SKUA_FILE_STREAM_DATA;
        source->preface_sent = true;
    }
    for (size_t entries = 0; entries < ENTRIES_PER_FILL;) {
        if (out.cap - out.len < SKUA_SOURCE_ROOM_MIN - 1) {
            break;
        }
        if (source->in_file) {
            if (source->offset == source->size) {
                put_end(source, &out);
            } else if (!put_hole(source, &out)) {
                put_chunk(source, &out);
            }
            continue;
        }
        more = skua_walk_next(source->walk, &source->entry);
        if (!more) {
            break;
        }
        entries++;
        if (source->entry.type == SKUA_FILE_NOTICE) {
            put_notice(source, &out);
        } else {
            put_entry(source, &out);
        }
    }
    *len = out.len;
    return more;
}
