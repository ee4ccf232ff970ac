/* A packet's worth of frames: decode, encode, decode is the identity, and what decodes is never
 * longer than what was read. */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t first[1 << 17], second[1 << 17];
    if (size > sizeof first / 2) {
        return 0;
    }
    struct skua_reader r = skua_reader_of(data, size);
    while (skua_reader_left(&r) != 0) {
        size_t before = skua_reader_left(&r);
        struct skua_frame f, g;
        if (skua_frame_read(&r, &f) != SKUA_CODE_NO_ERROR) {
            break;
        }
        size_t used = before - skua_reader_left(&r);
        SKUA_ASSERT(used > 0 && skua_frame_info(f.type) != NULL);
        struct skua_writer w = skua_writer_of(first, sizeof first);
        skua_frame_write(&w, &f);
        size_t len = skua_writer_len(&w);
        /* A STREAM frame without length gets one. */
        SKUA_ASSERT(!w.failed && len == skua_frame_len(&f) && len <= used + 4);

        struct skua_reader again = skua_reader_of(first, len);
        enum skua_code code = skua_frame_read(&again, &g);
        SKUA_ASSERT(code == SKUA_CODE_NO_ERROR && skua_reader_left(&again) == 0);
        w = skua_writer_of(second, sizeof second);
        skua_frame_write(&w, &g);
        SKUA_ASSERT(skua_writer_len(&w) == len && memcmp(first, second, len) == 0);
    }
    return 0;
}
