/* Reassembly of a stream against a naive model: pieces in any order, overlapping, borrowed or not.
 */
#include "model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    model_recv((struct pair_source){.data = data, .len = size}, (unsigned)(size / 4 + 1));
    return 0;
}
