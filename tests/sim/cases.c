/* sim_cases: scripted scenarios, by name or group; all without an argument. */
#include <stdio.h>
#include <string.h>

#include "cases.h"

static const struct {
    const char *group, *name;
    void (*run)(const char *name);
} cases[] = {
#define SIM_CASE(group, name) {#group, #name, case_##name},
#include "cases.def"
#undef SIM_CASE
};

int main(int argc, char **argv)
{
    unsigned ran = 0;
    if (skua_init() != SKUA_OK) {
        return 2;
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool chosen = argc < 2;
        for (int k = 1; k < argc; k++) {
            chosen = chosen || strcmp(argv[k], cases[i].name) == 0 ||
                     strcmp(argv[k], cases[i].group) == 0;
        }
        if (chosen) {
            printf("%s/%s\n", cases[i].group, cases[i].name);
            fflush(stdout);
            cases[i].run(cases[i].name);
            ran++;
        }
    }
    printf("%u scenarios as expected\n", ran);
    return ran > 0 ? 0 : 2;
}
