/* The containers of src/base beside naive models: the first byte chooses the container, the rest
 * are the model's instructions (tests/unit/base/models.h). */
#include "models.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static model *const models[] = {
        model_rangeset, model_idmap, model_nummap, model_timers, model_replay, model_handles,
    };
    if (size > 0) {
        models[data[0] % (sizeof models / sizeof models[0])](data + 1, size - 1);
    }
    return 0;
}
