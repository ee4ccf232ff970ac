/* A data stream from a hostile sender, into a real folder.
 *
 * First byte even: the rest are the stream's bytes. Odd: the rest is a script of entries with
 * hostile names and right tags, so that files are really stored: kind, length, name. Whatever
 * comes, nothing appears beside the folder, and no temporary file outlives the sink. */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct skua_file_key key = {.bytes = {7}};
static char base[64]; /* holds nothing but `inside` */
static char inside[80];

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    return ftw->level > 0 ? remove(path) : 0;
}

static int check_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    require(!skua_name_is_temp(path + ftw->base));
    return 0;
}

static void clean_at_exit(void)
{
    (void)rmdir(inside);
    (void)rmdir(base);
}

static void set_up(void)
{
    if (base[0] != '\0') {
        return;
    }
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(base, sizeof base, "%s/skua-fuzz-XXXXXX",
                   tmp != NULL && strlen(tmp) < 32 ? tmp : "/tmp");
    require(mkdtemp(base) != NULL && sodium_init() >= 0);
    (void)snprintf(inside, sizeof inside, "%s/in", base);
    require(mkdir(inside, 0700) == 0 && atexit(clean_at_exit) == 0);
}

/* The folder around has one entry. */
static void check_outside(void)
{
    DIR *dir = opendir(base);
    require(dir != NULL);
    size_t count = 0;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        count += entry->d_name[0] != '.' || strlen(entry->d_name) > 2 ? 1 : 0;
    }
    (void)closedir(dir);
    require(count == 1);
}

static bool feed(struct skua_sink *sink, const uint8_t *data, size_t len,
                 struct skua_outcomes *outcomes)
{
    return skua_sink_take(sink, data, len, outcomes);
}

/* An entry named by the input: a file with some bytes, a directory, or a link to the next name. */
static bool offer(struct skua_sink *sink, uint8_t kind, struct skua_file_str name, uint64_t id,
                  struct skua_outcomes *outcomes)
{
    uint8_t record[9000];
    struct skua_file_entry entry = {.type = (enum skua_file_record)(SKUA_FILE_FILE + kind % 3),
                                    .id = id,
                                    .mode = 0700,
                                    .path = name};
    if (entry.type == SKUA_FILE_LINK) {
        const size_t half = name.len / 2;
        entry.path.len = half;
        entry.target = (struct skua_file_str){.at = name.at + half, .len = name.len - half};
    }
    size_t len = skua_file_put_entry(record, sizeof record, &entry);
    if (len == 0 || !feed(sink, record, len, outcomes) || entry.type != SKUA_FILE_FILE) {
        return len > 0;
    }
    struct skua_file_end end = {.has_hash = false};
    struct skua_file_mac mac;
    skua_file_mac_init(&mac, &key, id, SKUA_FILE_END_INDEX);
    skua_file_mac_update(&mac, record + SKUA_FILE_HEAD_LEN, len - SKUA_FILE_HEAD_LEN);
    skua_file_mac_final(&mac, end.tag);
    len = skua_file_put_end(record, sizeof record, &end);
    return feed(sink, record, len, outcomes);
}

static void run_script(struct skua_sink *sink, const uint8_t *data, size_t size,
                       struct skua_outcomes *outcomes)
{
    const uint8_t preface = SKUA_FILE_STREAM_DATA;
    require(feed(sink, &preface, 1, outcomes));
    for (uint64_t id = 0; size >= 2 && id < 64; id++) {
        const size_t len = data[1] < size - 2 ? data[1] : size - 2;
        const struct skua_file_str name = {.at = (const char *)data + 2, .len = len};
        require(offer(sink, data[0], name, id, outcomes));
        data += 2 + len;
        size -= 2 + len;
    }
    require(skua_sink_end(sink));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    set_up();
    const char *targets[] = {"t"};
    struct skua_store store;
    struct skua_outcomes outcomes = {0};
    require(skua_store_init(&store, inside) == 0);
    const struct skua_intake_config config = {.store = &store,
                                              .targets = targets,
                                              .count = 1,
                                              .key = key,
                                              .recursive = true,
                                              .links = true,
                                              .checksum = (data[0] & 2) != 0};
    struct skua_intake_config plain = config;
    plain.checksum = config.checksum && (data[0] & 1) == 0;
    struct skua_intake *intake = skua_intake_new(&plain);
    struct skua_sink *sink = skua_sink_new(intake);
    require(intake != NULL && sink != NULL);
    if ((data[0] & 1) != 0) {
        run_script(sink, data + 1, size - 1, &outcomes);
    } else if (skua_sink_take(sink, data + 1, size - 1, &outcomes)) {
        (void)skua_sink_end(sink);
    }
    skua_intake_finish(intake, &outcomes);
    skua_sink_free(sink);
    skua_intake_free(intake);
    skua_outcomes_deinit(&outcomes);
    skua_store_deinit(&store);
    require(nftw(inside, check_one, 16, FTW_PHYS) == 0);
    check_outside();
    require(nftw(inside, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
    return 0;
}
