/* The send buffer against a naive model: writes, lends, sends, losses, acknowledgements. */
#include "model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    model_send((struct pair_source){.data = data, .len = size}, (unsigned)(size / 4 + 1));
    return 0;
}
