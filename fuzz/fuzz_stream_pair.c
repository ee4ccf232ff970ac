/* Two tables of streams through a lossy channel; the input chooses windows, operations and fates.
 * However it begins, everything must come to its end once the channel heals. */
#include "pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pair_source source = {.data = data, .len = size};
    struct pair_options options = {
        .window = 200 + pair_pick(&source, 4000),
        .max_window = 200 + pair_pick(&source, 30000),
        .max_message = 1 + pair_pick(&source, 20000),
        .max_streams = 1 + pair_pick(&source, 8),
        .fail_alloc = pair_pick(&source, 8) == 7 ? 1 + pair_pick(&source, 200) : 0,
        .ticks = (unsigned)(size < 4096 ? size / 16 : 256),
    };
    struct pair_summary summary = {0};
    pair_run(source, &options, &summary);
    return 0;
}
