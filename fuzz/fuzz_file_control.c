/* Bodies of file protocol records: what decodes encodes to the same bytes again. The first byte is
 * the record's type. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "file_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t out[1 << 16];

/* `len` is what an encoder made of a body that was decoded. */
static void expect(size_t len, const uint8_t *body, size_t body_len)
{
    if (body_len + SKUA_FILE_HEAD_LEN > sizeof out) {
        return; /* more than this harness has room for */
    }
    if (len != body_len + SKUA_FILE_HEAD_LEN ||
        (body_len > 0 && memcmp(out + SKUA_FILE_HEAD_LEN, body, body_len) != 0)) {
        abort();
    }
}

static void run_request(const uint8_t *body, size_t len)
{
    struct skua_file_request *request = malloc(sizeof *request);
    if (request != NULL && skua_file_get_request(body, len, request)) {
        expect(skua_file_put_request(out, sizeof out, request), body, len);
    }
    free(request);
}

static void run_verdicts(const uint8_t *body, size_t len)
{
    static struct skua_file_verdict verdicts[SKUA_FILE_VERDICTS_PER_RECORD];
    size_t count = 0;
    if (!skua_file_get_verdicts(body, len, &count)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!skua_file_get_verdict(body, i, &verdicts[i])) {
            abort();
        }
    }
    expect(skua_file_put_verdicts(out, sizeof out, verdicts, count), body, len);
}

static void run_control(uint8_t type, const uint8_t *body, size_t len)
{
    struct skua_file_reply reply;
    struct skua_file_totals totals;
    struct skua_file_done done;
    if (type == SKUA_FILE_REQUEST) {
        run_request(body, len);
    } else if (type == SKUA_FILE_VERDICTS) {
        run_verdicts(body, len);
    } else if (type == SKUA_FILE_REPLY && skua_file_get_reply(body, len, &reply)) {
        expect(skua_file_put_reply(out, sizeof out, &reply), body, len);
    } else if (type == SKUA_FILE_TOTALS && skua_file_get_totals(body, len, &totals)) {
        expect(skua_file_put_totals(out, sizeof out, &totals), body, len);
    } else if (type == SKUA_FILE_SENT && skua_file_get_sent(body, len, &totals)) {
        expect(skua_file_put_sent(out, sizeof out, &totals), body, len);
    } else if (type == SKUA_FILE_DONE && skua_file_get_done(body, len, &done)) {
        expect(skua_file_put_done(out, sizeof out, &done), body, len);
    }
}

static void run_data(uint8_t type, const uint8_t *body, size_t len)
{
    struct skua_file_entry entry;
    struct skua_file_end end;
    struct skua_file_notice notice;
    enum skua_file_status status;
    uint64_t hole = 0;
    const enum skua_file_record record = (enum skua_file_record)type;
    if (type >= SKUA_FILE_FILE && type <= SKUA_FILE_LINK) {
        if (skua_file_get_entry(record, body, len, &entry)) {
            expect(skua_file_put_entry(out, sizeof out, &entry), body, len);
        }
    } else if (type == SKUA_FILE_HOLE && skua_file_get_hole(body, len, &hole)) {
        expect(skua_file_put_hole(out, sizeof out, hole), body, len);
    } else if (type == SKUA_FILE_END && skua_file_get_end(body, len, &end)) {
        expect(skua_file_put_end(out, sizeof out, &end), body, len);
    } else if (type == SKUA_FILE_ABORT && skua_file_get_abort(body, len, &status)) {
        expect(skua_file_put_abort(out, sizeof out, status), body, len);
    } else if (type == SKUA_FILE_NOTICE && skua_file_get_notice(body, len, &notice)) {
        expect(skua_file_put_notice(out, sizeof out, &notice), body, len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    run_control(data[0], data + 1, size - 1);
    run_data(data[0], data + 1, size - 1);
    return 0;
}
