/* Every container beside its naive model, driven by bytes from a seeded generator (models.h). */
#include "unit.h"

#include "models.h"
#include "support.h"

/* `runs` inputs of different lengths; in half of them some allocations fail. */
static void drive(model *run, uint64_t seed, unsigned runs, size_t len_max)
{
    uint8_t *data = malloc(len_max);
    assert_non_null(data);
    for (unsigned i = 0; i < runs; i++) {
        size_t len = 2 + (size_t)(random_next(&seed) % (len_max - 1));
        for (size_t k = 0; k < len; k++) {
            data[k] = (uint8_t)(random_next(&seed) >> 24);
        }
        data[0] = i % 2 == 0 ? 0 : (uint8_t)(1 + data[0] % 8);
        run(data, len);
    }
    free(data);
}

static void test_rangeset(void **state)
{
    (void)state;
    drive(model_rangeset, 1, 2000, 600);
}

static void test_idmap(void **state)
{
    (void)state;
    drive(model_idmap, 2, 600, 1500);
}

static void test_nummap(void **state)
{
    (void)state;
    drive(model_nummap, 3, 600, 1500);
}

static void test_timers(void **state)
{
    (void)state;
    drive(model_timers, 4, 1000, 1500);
}

static void test_replay(void **state)
{
    (void)state;
    drive(model_replay, 6, 400, 900);
}

static void test_handles(void **state)
{
    (void)state;
    drive(model_handles, 7, 600, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rangeset), cmocka_unit_test(test_idmap),
        cmocka_unit_test(test_nummap),   cmocka_unit_test(test_timers),
        cmocka_unit_test(test_replay),   cmocka_unit_test(test_handles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
