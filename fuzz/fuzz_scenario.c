/* The simulator with the input as its scenario: hosts, links, faults and what both applications do
 * are drawn from its bytes. Both endpoints are honest; everything that tests/sim watches is
 * watched. */
#include <stddef.h>
#include <stdint.h>

#include "scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sim_scenario_script(data, size);
    return 0;
}
