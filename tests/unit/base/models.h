/* Each container beside the simplest thing that does the same.
 *
 * A model takes bytes as instructions, carries each out on the container and on a plain array, and
 * aborts at the first difference. The unit test feeds bytes from a seeded generator, the fuzz
 * target those that libFuzzer finds. The first byte of all of them says how often an allocation
 * fails (0 = never), the second sets the model's own parameters. */
#ifndef SKUA_TESTS_BASE_MODELS_H
#define SKUA_TESTS_BASE_MODELS_H

#include <stddef.h>
#include <stdint.h>

typedef void model(const uint8_t *data, size_t len);

model model_rangeset;
model model_idmap;
model model_nummap;
model model_timers;
model model_replay;
model model_handles;

#endif
