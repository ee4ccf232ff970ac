/* Prints tables of the tool's documentation from the lists that the code is made of:
 * tools_tables NAME, for tests/docs/regions.sh. */
#include <stdio.h>
#include <string.h>

#include "exit_codes.h"
#include "file_proto.h"

static void print_exit_codes(void)
{
    (void)printf("| code | meaning |\n|---|---|\n");
#define SKUA_EXIT(name, value, text) (void)printf("| %d | %s |\n", (value), (text));
#include "exit_codes.def"
#undef SKUA_EXIT
}

static void print_file_status(void)
{
    (void)printf("| value | name | text |\n|---|---|---|\n");
#define SKUA_FILE_STATUS(name, value, text)                                                        \
    (void)printf("| %d | %s | %s |\n", (value), #name, text);
#include "file_status.def"
#undef SKUA_FILE_STATUS
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "exit_codes") == 0) {
        print_exit_codes();
    } else if (argc == 2 && strcmp(argv[1], "file_status") == 0) {
        print_file_status();
    } else {
        (void)fprintf(stderr, "usage: tools_tables exit_codes | file_status\n");
        return 2;
    }
    return 0;
}
