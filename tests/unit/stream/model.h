/* Naive models of the two buffers, driven by a source of choices next to the real ones: used by the
 * unit tests (seeded) and by the fuzzer. Both abort on the first difference. */
#ifndef SKUA_TESTS_STREAM_MODEL_H
#define SKUA_TESTS_STREAM_MODEL_H

#include "pair.h"

/* Reassembly: pieces in any order, overlapping, borrowed or not, against an array of flags. */
void model_recv(struct pair_source source, unsigned steps);

/* Writes, lends, sends, losses and acknowledgements against an array of states. */
void model_send(struct pair_source source, unsigned steps);

#endif
