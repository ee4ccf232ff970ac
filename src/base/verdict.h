/* What becomes of a datagram: the answer of every step that looks at a peer's bytes.
 *
 * The list, with each verdict's meaning, is verdicts.def. An endpoint counts each of them
 * (skua_endpoint_stats), so that nothing is dropped without a trace; the counters' names come from
 * skua_verdict_name (skua.h). */
#ifndef SKUA_BASE_VERDICT_H
#define SKUA_BASE_VERDICT_H

#include <skua/skua.h>

#include "base/assert.h"

enum skua_verdict {
#define SKUA_VERDICT(name, counter, text) SKUA_VERDICT_##name,
#include "base/verdicts.def"
#undef SKUA_VERDICT
};

/* How many there are. Not an enumerator of skua_verdict: a switch need not name it. */
enum {
    SKUA_VERDICTS = 0
#define SKUA_VERDICT(name, counter, text) +1
#include "base/verdicts.def"
#undef SKUA_VERDICT
};
SKUA_STATIC_ASSERT(SKUA_VERDICTS <=
                       sizeof(((struct skua_endpoint_stats *)0)->verdicts) / sizeof(uint64_t),
                   "skua_endpoint_stats has a counter for each verdict");

#endif
