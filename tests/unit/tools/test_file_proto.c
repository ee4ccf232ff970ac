/* The file protocol's bytes: known bytes, round trips, and every way to be malformed. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

#include "file_proto.h"
#include "outcome.h"

static struct skua_file_str str(const char *text)
{
    return (struct skua_file_str){.at = text, .len = strlen(text)};
}

static void assert_str(struct skua_file_str got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.at, want, got.len);
}

/* Checks the head and returns the body. */
static const uint8_t *body_of(const uint8_t *record, size_t len, bool control,
                              enum skua_file_record want, size_t *body_len)
{
    enum skua_file_record type;
    assert_true(skua_file_get_head(record, control, &type, body_len));
    assert_int_equal(type, want);
    assert_int_equal(*body_len, len - SKUA_FILE_HEAD_LEN);
    assert_false(skua_file_get_head(record, !control, &type, body_len));
    *body_len = len - SKUA_FILE_HEAD_LEN;
    return record + SKUA_FILE_HEAD_LEN;
}

static void test_entry_bytes(void **state)
{
    (void)state;
    const struct skua_file_entry entry = {.type = SKUA_FILE_FILE,
                                          .id = 0x0102030405060708,
                                          .root = 9,
                                          .mode = 0644,
                                          .mtime_s = -2,
                                          .mtime_ns = 999999999,
                                          .size = 0x10,
                                          .path = str("a/b")};
    static const uint8_t want[] = {1,    0,    0,    0,    37,   1,    2,    3,    4,    5,    6,
                                   7,    8,    0,    9,    0x01, 0xa4, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xfe, 0x3b, 0x9a, 0xc9, 0xff, 0,    3,    'a',  '/',
                                   'b',  0,    0,    0,    0,    0,    0,    0,    0x10};
    uint8_t out[64];
    assert_int_equal(skua_file_put_entry(out, sizeof out, &entry), sizeof want);
    assert_memory_equal(out, want, sizeof want);
    struct skua_file_entry back;
    assert_true(skua_file_get_entry(SKUA_FILE_FILE, out + 5, sizeof want - 5, &back));
    assert_int_equal(back.id, entry.id);
    assert_int_equal(back.root, 9);
    assert_int_equal(back.mode, 0644);
    assert_int_equal(back.mtime_s, -2);
    assert_int_equal(back.mtime_ns, 999999999);
    assert_int_equal(back.size, 16);
    assert_str(back.path, "a/b");
    for (size_t len = 0; len < sizeof want; len++) {
        assert_int_equal(skua_file_put_entry(out, len, &entry), 0);
    }
}

static void test_entry_refused(void **state)
{
    (void)state;
    uint8_t out[64];
    struct skua_file_entry entry = {.type = SKUA_FILE_LINK, .path = str("l"), .target = str("t")};
    struct skua_file_entry back;
    const size_t len = skua_file_put_entry(out, sizeof out, &entry) - 5;
    assert_true(skua_file_get_entry(SKUA_FILE_LINK, out + 5, len, &back));
    assert_str(back.target, "t");
    for (size_t cut = 0; cut < len; cut++) {
        assert_false(skua_file_get_entry(SKUA_FILE_LINK, out + 5, cut, &back));
    }
    assert_false(skua_file_get_entry(SKUA_FILE_LINK, out + 5, len + 1, &back));
    assert_false(skua_file_get_entry(SKUA_FILE_DIR, out + 5, len, &back));
    entry.mode = 04755; /* setuid */
    assert_int_not_equal(skua_file_put_entry(out, sizeof out, &entry), 0);
    assert_false(skua_file_get_entry(SKUA_FILE_LINK, out + 5, len, &back));
    entry.mode = 0755;
    entry.mtime_ns = 1000000000;
    assert_int_not_equal(skua_file_put_entry(out, sizeof out, &entry), 0);
    assert_false(skua_file_get_entry(SKUA_FILE_LINK, out + 5, len, &back));
    struct skua_file_entry huge = {
        .type = SKUA_FILE_FILE, .path = str("f"), .size = (uint64_t)INT64_MAX + 1};
    const size_t huge_len = skua_file_put_entry(out, sizeof out, &huge) - 5;
    assert_false(skua_file_get_entry(SKUA_FILE_FILE, out + 5, huge_len, &back));
}

static void test_request(void **state)
{
    (void)state;
    struct skua_file_request *request = calloc(1, sizeof *request);
    struct skua_file_request *back = calloc(1, sizeof *back);
    uint8_t out[256];
    request->version = SKUA_FILE_VERSION;
    request->op = SKUA_FILE_PUT;
    request->flags = SKUA_FILE_RECURSIVE | SKUA_FILE_DST_IS_DIR;
    request->dst = str("in/box");
    assert_int_equal(skua_file_put_request(out, sizeof out, request), 0); /* no root */
    request->count = 3;
    request->roots[0] = str("one");
    request->roots[1] = str("");
    request->roots[2] = str("three");
    const size_t len = skua_file_put_request(out, sizeof out, request);
    size_t body_len = 0;
    const uint8_t *body = body_of(out, len, true, SKUA_FILE_REQUEST, &body_len);
    assert_true(skua_file_get_request(body, body_len, back));
    assert_int_equal(back->version, 1);
    assert_int_equal(back->op, SKUA_FILE_PUT);
    assert_int_equal(back->flags, 17);
    assert_str(back->dst, "in/box");
    assert_int_equal(back->count, 3);
    assert_str(back->roots[0], "one");
    assert_str(back->roots[1], "");
    assert_str(back->roots[2], "three");
    for (size_t cut = 0; cut < body_len; cut++) {
        assert_false(skua_file_get_request(body, cut, back));
    }
    out[SKUA_FILE_HEAD_LEN + 1] = 3; /* op */
    assert_false(skua_file_get_request(body, body_len, back));
    free(request);
    free(back);
}

static void test_small_records(void **state)
{
    (void)state;
    uint8_t out[128];
    size_t body_len = 0;
    const struct skua_file_reply reply = {.version = 1, .status = SKUA_STATUS_READ_ONLY};
    struct skua_file_reply reply_back;
    size_t len = skua_file_put_reply(out, sizeof out, &reply);
    const uint8_t *body = body_of(out, len, true, SKUA_FILE_REPLY, &body_len);
    assert_true(skua_file_get_reply(body, body_len, &reply_back));
    assert_int_equal(reply_back.status, SKUA_STATUS_READ_ONLY);
    out[SKUA_FILE_HEAD_LEN + 1] = 200; /* no such status */
    assert_false(skua_file_get_reply(body, body_len, &reply_back));

    const struct skua_file_totals totals = {.entries = 5, .bytes = UINT64_MAX, .streams = 4};
    struct skua_file_totals totals_back;
    len = skua_file_put_totals(out, sizeof out, &totals);
    body = body_of(out, len, true, SKUA_FILE_TOTALS, &body_len);
    assert_true(skua_file_get_totals(body, body_len, &totals_back));
    assert_true(totals_back.bytes == UINT64_MAX && totals_back.streams == 0);
    assert_false(skua_file_get_sent(body, body_len, &totals_back));
    len = skua_file_put_sent(out, sizeof out, &totals);
    body = body_of(out, len, true, SKUA_FILE_SENT, &body_len);
    assert_true(skua_file_get_sent(body, body_len, &totals_back));
    assert_true(totals_back.entries == 5 && totals_back.streams == 4);
    out[len - 1] = SKUA_FILE_STREAMS_MAX + 1;
    assert_false(skua_file_get_sent(body, body_len, &totals_back));

    const struct skua_file_done done = {.stored = 7, .failed = 1};
    struct skua_file_done done_back;
    len = skua_file_put_done(out, sizeof out, &done);
    body = body_of(out, len, true, SKUA_FILE_DONE, &body_len);
    assert_true(skua_file_get_done(body, body_len, &done_back));
    assert_true(done_back.stored == 7 && done_back.failed == 1);
}

static void test_file_records(void **state)
{
    (void)state;
    uint8_t out[128];
    size_t body_len = 0;
    uint64_t hole = 0;
    size_t len = skua_file_put_hole(out, sizeof out, 70000);
    const uint8_t *body = body_of(out, len, false, SKUA_FILE_HOLE, &body_len);
    assert_true(skua_file_get_hole(body, body_len, &hole));
    assert_int_equal(hole, 70000);
    (void)skua_file_put_hole(out, sizeof out, 0);
    assert_false(skua_file_get_hole(body, body_len, &hole));

    struct skua_file_end end = {.has_hash = true, .tag = {1}, .hash = {2}};
    struct skua_file_end end_back;
    len = skua_file_put_end(out, sizeof out, &end);
    body = body_of(out, len, false, SKUA_FILE_END, &body_len);
    assert_true(skua_file_get_end(body, body_len, &end_back));
    assert_memory_equal(&end, &end_back, sizeof end);
    out[SKUA_FILE_HEAD_LEN] = 0; /* says no hash, but it is there */
    assert_false(skua_file_get_end(body, body_len, &end_back));
    out[SKUA_FILE_HEAD_LEN] = 2;
    assert_false(skua_file_get_end(body, body_len, &end_back));

    enum skua_file_status status;
    len = skua_file_put_abort(out, sizeof out, SKUA_STATUS_CHANGED);
    body = body_of(out, len, false, SKUA_FILE_ABORT, &body_len);
    assert_true(skua_file_get_abort(body, body_len, &status));
    assert_int_equal(status, SKUA_STATUS_CHANGED);
    out[SKUA_FILE_HEAD_LEN] = SKUA_STATUS_OK;
    assert_false(skua_file_get_abort(body, body_len, &status));

    const struct skua_file_notice notice = {
        .id = 3, .root = 1, .status = SKUA_STATUS_SPECIAL, .path = str("dev/null")};
    struct skua_file_notice notice_back;
    len = skua_file_put_notice(out, sizeof out, &notice);
    body = body_of(out, len, false, SKUA_FILE_NOTICE, &body_len);
    assert_true(skua_file_get_notice(body, body_len, &notice_back));
    assert_str(notice_back.path, "dev/null");
    assert_int_equal(notice_back.status, SKUA_STATUS_SPECIAL);
}

static void test_verdicts(void **state)
{
    (void)state;
    struct skua_file_verdict verdicts[SKUA_FILE_VERDICTS_PER_RECORD + 1] = {0};
    uint8_t *out = malloc(16384);
    size_t body_len = 0;
    size_t count = 0;
    for (size_t i = 0; i < SKUA_FILE_VERDICTS_PER_RECORD; i++) {
        verdicts[i].id = i * 3;
        verdicts[i].status = i % 2 == 0 ? SKUA_STATUS_OK : SKUA_STATUS_NO_SPACE;
    }
    assert_int_equal(skua_file_put_verdicts(out, 16384, verdicts, 1025), 0);
    const size_t len = skua_file_put_verdicts(out, 16384, verdicts, 1024);
    const uint8_t *body = body_of(out, len, true, SKUA_FILE_VERDICTS, &body_len);
    assert_true(skua_file_get_verdicts(body, body_len, &count));
    assert_int_equal(count, 1024);
    struct skua_file_verdict verdict;
    assert_true(skua_file_get_verdict(body, 1001, &verdict));
    assert_true(verdict.id == 3003 && verdict.status == SKUA_STATUS_NO_SPACE);
    assert_false(skua_file_get_verdicts(body, body_len - 1, &count));
    out[SKUA_FILE_HEAD_LEN + 9 * 500 + 8] = 255;
    assert_false(skua_file_get_verdicts(body, body_len, &count));
    free(out);
}

static void test_heads(void **state)
{
    (void)state;
    enum skua_file_record type;
    size_t len = 0;
    for (unsigned value = 0; value < 256; value++) {
        const uint8_t head[SKUA_FILE_HEAD_LEN] = {(uint8_t)value, 0, 0, 0, 20};
        const bool data = value >= SKUA_FILE_FILE && value <= SKUA_FILE_NOTICE;
        const bool control = value >= SKUA_FILE_REQUEST && value <= SKUA_FILE_DONE;
        assert_int_equal(skua_file_get_head(head, false, &type, &len), data);
        assert_int_equal(skua_file_get_head(head, true, &type, &len), control);
    }
    uint8_t head[SKUA_FILE_HEAD_LEN];
    skua_file_put_head(head, SKUA_FILE_CHUNK, SKUA_FILE_CHUNK_MAX + SKUA_FILE_TAG_LEN);
    assert_true(skua_file_get_head(head, false, &type, &len));
    skua_file_put_head(head, SKUA_FILE_CHUNK, SKUA_FILE_CHUNK_MAX + SKUA_FILE_TAG_LEN + 1);
    assert_false(skua_file_get_head(head, false, &type, &len));
    skua_file_put_head(head, SKUA_FILE_CHUNK, SKUA_FILE_TAG_LEN); /* a chunk of nothing */
    assert_false(skua_file_get_head(head, false, &type, &len));
    skua_file_put_head(head, SKUA_FILE_FILE, SKUA_FILE_BODY_MAX + 1);
    assert_false(skua_file_get_head(head, false, &type, &len));
}

static void test_largest_entry_fits(void **state)
{
    (void)state;
    char path[SKUA_FILE_PATH_MAX + 2];
    memset(path, 'p', sizeof path - 1);
    path[SKUA_FILE_PATH_MAX + 1] = '\0';
    static uint8_t out[16384];
    struct skua_file_entry entry = {.type = SKUA_FILE_LINK, .path = str(path), .target = str("t")};
    assert_int_equal(skua_file_put_entry(out, sizeof out, &entry), 0); /* too long */
    path[SKUA_FILE_PATH_MAX] = '\0';
    entry.path = str(path);
    entry.target = str(path);
    const size_t len = skua_file_put_entry(out, sizeof out, &entry);
    size_t body_len = 0;
    (void)body_of(out, len, false, SKUA_FILE_LINK, &body_len);
}

static void test_what_is_no_failure(void **state)
{
    (void)state;
    struct skua_outcome outcome = {
        .type = SKUA_FILE_NOTICE, .status = SKUA_STATUS_SPECIAL, .path_len = 1};
    assert_true(skua_outcome_is_skip(&outcome));
    outcome.status = SKUA_STATUS_LINK_SKIPPED;
    assert_true(skua_outcome_is_skip(&outcome));
    outcome.status = SKUA_STATUS_IO;
    assert_false(skua_outcome_is_skip(&outcome));
    outcome.status = SKUA_STATUS_SPECIAL;
    outcome.path_len = 0; /* named */
    assert_false(skua_outcome_is_skip(&outcome));
    outcome.path_len = 1;
    outcome.type = SKUA_FILE_FILE; /* was sent: a receiver that leaves it out has failed */
    assert_false(skua_outcome_is_skip(&outcome));
}

static void test_statuses(void **state)
{
    (void)state;
    assert_int_equal(skua_file_status_of_errno(0), SKUA_STATUS_OK);
    assert_int_equal(skua_file_status_of_errno(ENOSPC), SKUA_STATUS_NO_SPACE);
    assert_int_equal(skua_file_status_of_errno(EDQUOT), SKUA_STATUS_NO_SPACE);
    assert_int_equal(skua_file_status_of_errno(EACCES), SKUA_STATUS_PERMISSION);
    assert_int_equal(skua_file_status_of_errno(ELOOP), SKUA_STATUS_IS_LINK);
    assert_int_equal(skua_file_status_of_errno(EIO), SKUA_STATUS_IO);
    assert_int_equal(skua_file_status_of_errno(12345), SKUA_STATUS_IO);
    assert_string_equal(skua_file_status_text((enum skua_file_status)99), "unknown status");
    for (unsigned value = 0; value < 256; value++) {
        const char *text = skua_file_status_text((enum skua_file_status)value);
        assert_int_equal(skua_file_status_known((uint8_t)value),
                         strcmp(text, "unknown status") != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entry_bytes),  cmocka_unit_test(test_entry_refused),
        cmocka_unit_test(test_request),      cmocka_unit_test(test_small_records),
        cmocka_unit_test(test_file_records), cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_heads),        cmocka_unit_test(test_largest_entry_fits),
        cmocka_unit_test(test_statuses),     cmocka_unit_test(test_what_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
