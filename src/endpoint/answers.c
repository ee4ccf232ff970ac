/* The ring of answers that belong to no connection: see answers.h. */
#include "endpoint/answers.h"

#include <string.h>

#include "base/assert.h"

struct skua_answer *skua_answers_add(struct skua_answers *answers, const struct skua_path *path)
{
    if (answers->count == SKUA_ANSWERS_MAX) {
        answers->first = (answers->first + 1) % SKUA_ANSWERS_MAX;
        answers->count--;
    }
    uint32_t at = (answers->first + answers->count++) % SKUA_ANSWERS_MAX;
    struct skua_answer *answer = &answers->ring[at];
    answer->path = *path;
    answer->len = 0;
    return answer;
}

bool skua_answers_send(struct skua_answers *answers, struct skua_tx *tx)
{
    while (answers->count > 0) {
        const struct skua_answer *answer = &answers->ring[answers->first];
        answers->first = (answers->first + 1) % SKUA_ANSWERS_MAX;
        answers->count--;
        if (answer->len == 0) {
            continue;
        }
        SKUA_ASSERT(tx->cap >= answer->len);
        memcpy(tx->data, answer->bytes, answer->len);
        tx->len = answer->len;
        tx->segment_size = answer->len;
        tx->path = answer->path;
        return true;
    }
    return false;
}
