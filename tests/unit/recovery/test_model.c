/* The fuzz target's model under pseudo-random operations: the same in every build, fuzzer or not.
 */
#include "unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* splitmix64: any seed will do. */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void agrees_with_the_naive_model(void **state)
{
    (void)state;
    static uint8_t input[4096];
    for (uint64_t seed = 1; seed <= 300; seed++) {
        uint64_t random = seed;
        for (size_t i = 0; i < sizeof input; i++) {
            input[i] = (uint8_t)random_next(&random);
        }
        (void)LLVMFuzzerTestOneInput(input, sizeof input);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_the_naive_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
