/* The counters of counts.def. */
#ifndef SKUA_TESTS_SIM_COUNTS_H
#define SKUA_TESTS_SIM_COUNTS_H

enum sim_count {
#define SIM_COUNT(name, text, permille) SIM_COUNT_##name,
#include "counts.def"
#undef SIM_COUNT
    SIM_COUNTS
};

#endif
