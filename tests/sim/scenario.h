/* A world made from a seed: hosts, links, faults and applications, all drawn at random. */
#ifndef SKUA_TESTS_SIM_SCENARIO_H
#define SKUA_TESTS_SIM_SCENARIO_H

#include "world.h"

enum sim_class {
    SIM_SMALL, /* up to four connections and a megabyte, many faults */
    SIM_LARGE  /* one or two connections, tens of megabytes */
};

/* What a run came to. */
struct sim_result {
    uint64_t hash;
    uint64_t counts[SIM_COUNTS];
    skua_time took; /* virtual time until everything was over */
};

/* Runs the scenario; a failure ends the process (sim_fail). */
void sim_scenario(enum sim_class class, uint64_t seed, bool verbose, struct sim_result *out);
/* A small one whose draws come from `script` while it lasts. */
void sim_scenario_script(const uint8_t *script, size_t len);

#endif
