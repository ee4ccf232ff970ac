/* ACK frames from both ends: what the reader accepts iterates without surprise and is written again
 * with the same ranges; what the writer makes of arbitrary ranges is read back the same. */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_descending(const struct skua_range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        SKUA_ASSERT(ranges[i].first <= ranges[i].last && ranges[i].last <= SKUA_VARINT_MAX);
        SKUA_ASSERT(i == 0 || ranges[i - 1].first >= ranges[i].last + 2);
    }
}

static void write_and_read(const struct skua_range *ranges, size_t n, size_t room)
{
    static uint8_t bytes[4096];
    struct skua_range again[SKUA_LIMIT_ACK_RANGES_READ];
    struct skua_writer w = skua_writer_of(bytes, room < sizeof bytes ? room : sizeof bytes);
    size_t written = skua_ack_frame_write(&w, ranges, n, room, NULL);
    SKUA_ASSERT(!w.failed && written <= n);
    if (written == 0) {
        SKUA_ASSERT(skua_writer_len(&w) == 0);
        return;
    }
    struct skua_reader r = skua_reader_of(bytes, skua_writer_len(&w));
    struct skua_frame f;
    enum skua_code code = skua_frame_read(&r, &f);
    SKUA_ASSERT(code == SKUA_CODE_NO_ERROR && skua_reader_left(&r) == 0);
    size_t count = skua_ack_frame_ranges(&f.ack, again, SKUA_LIMIT_ACK_RANGES_READ);
    SKUA_ASSERT(count == written && memcmp(again, ranges, count * sizeof ranges[0]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    size_t room = (size_t)data[0] << 2;
    struct skua_reader r = skua_reader_of(data + 1, size - 1);
    struct skua_frame f;
    if (skua_frame_read(&r, &f) != SKUA_CODE_NO_ERROR ||
        (f.type != SKUA_FRAME_ACK && f.type != SKUA_FRAME_ACK_ECN)) {
        return 0;
    }
    struct skua_range ranges[SKUA_LIMIT_ACK_RANGES_READ];
    size_t n = skua_ack_frame_ranges(&f.ack, ranges, SKUA_LIMIT_ACK_RANGES_READ);
    SKUA_ASSERT(n == f.ack.range_count && ranges[0].last == f.ack.largest);
    check_descending(ranges, n);
    write_and_read(ranges, n, room);
    write_and_read(ranges, n, 4096);
    return 0;
}
