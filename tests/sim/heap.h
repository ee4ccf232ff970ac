/* The allocator of a simulated endpoint: counts, poisons what comes and goes, and can make the n-th
 * request fail. Every block carries its size, so that a wrong size on release is found. */
#ifndef SKUA_TESTS_SIM_HEAP_H
#define SKUA_TESTS_SIM_HEAP_H

#include <skua/skua.h>

struct sim_heap {
    uint64_t used;     /* bytes handed out */
    uint64_t blocks;   /* blocks handed out */
    uint64_t requests; /* so far */
    uint64_t fail_at;  /* the request with this number fails; 0 = none does */
    bool fail_on;      /* ... and all later ones */
    uint64_t failures; /* requests that failed */
};

struct skua_alloc sim_heap_vtable(struct sim_heap *heap);

#endif
