/* Answers that belong to no connection: REFUSE, VERSIONS, and what a TIME_WAIT record repeats.
 *
 * A small ring of datagrams that wait for the next send. It never grows: where it is full the
 * oldest answer is given up, since whoever asked asks again. So a flood of questions costs neither
 * memory nor, past the ring, packets. */
#ifndef SKUA_ENDPOINT_ANSWERS_H
#define SKUA_ENDPOINT_ANSWERS_H

#include <skua/skua.h>

enum { SKUA_ANSWERS_MAX = 64, SKUA_ANSWER_LEN_MAX = 128 };

struct skua_answer {
    struct skua_path path;
    uint8_t len;
    uint8_t bytes[SKUA_ANSWER_LEN_MAX];
};

struct skua_answers {
    uint32_t first; /* oldest one waiting */
    uint32_t count; /* waiting */
    struct skua_answer ring[SKUA_ANSWERS_MAX];
};

/* A place for one more answer along `path`, to be filled by the caller (`len` is 0 until then). */
struct skua_answer *skua_answers_add(struct skua_answers *answers, const struct skua_path *path);
/* Moves the oldest answer into `tx`; false where there is none. */
bool skua_answers_send(struct skua_answers *answers, struct skua_tx *tx);

#endif
