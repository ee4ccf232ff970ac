/* Scripted scenarios: see cases.def. A failure ends the process. */
#ifndef SKUA_TESTS_SIM_CASES_H
#define SKUA_TESTS_SIM_CASES_H

#include "pair.h"

#define SIM_CASE(group, name) void case_##name(const char *name);
#include "cases.def"
#undef SIM_CASE

#endif
