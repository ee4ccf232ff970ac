/* The skua command: finds the subcommand in commands.def and runs it. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <skua/skua.h>
#include <sodium.h>

#include "commands.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct command commands[] = {
#define SKUA_COMMAND(name, function, help) {name, function, help},
#include "commands.def"
#undef SKUA_COMMAND
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static void print_help(FILE *out)
{
    (void)fprintf(out, "usage: skua COMMAND [options] ...\n\n"
                       "Moves files over UDP with a reliable, encrypted transport.\n\n"
                       "commands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        (void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    }
    (void)fprintf(out, "  %-10s %s\n", "help", "show a command's options: skua help COMMAND");
    (void)fprintf(out, "\n"
                       "      --version  versions of the program, the protocol and libsodium\n"
                       "  -h, --help     this text\n\n"
                       "exit codes:\n");
#define SKUA_EXIT(name, value, text) (void)fprintf(out, "  %3d  %s\n", (value), (text));
#include "exit_codes.def"
#undef SKUA_EXIT
}

static int print_version(void)
{
    (void)printf("skua %d.%d.%d (protocol %08x, libsodium %s)\n", SKUA_VERSION_MAJOR,
                 SKUA_VERSION_MINOR, SKUA_VERSION_PATCH, SKUA_WIRE_VERSION,
                 sodium_version_string());
    return SKUA_EXIT_OK;
}

static int unknown_command(const char *name)
{
    (void)fprintf(stderr, "skua: unknown command \"%s\" (see: skua --help)\n", name);
    return SKUA_EXIT_USAGE;
}

/* `skua help` and `skua help COMMAND`. */
static int help_on(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stdout);
        return SKUA_EXIT_OK;
    }
    const struct command *command = find_command(argv[1]);
    if (command == NULL) {
        return unknown_command(argv[1]);
    }
    char help[] = "--help";
    char *arguments[] = {argv[1], help, NULL};
    return command->run(2, arguments);
}

static int run(int argc, char **argv)
{
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0) {
        return print_version();
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help(stdout);
        return SKUA_EXIT_OK;
    }
    if (strcmp(name, "help") == 0) {
        return help_on(argc - 1, argv + 1);
    }
    const struct command *command = find_command(name);
    return command != NULL ? command->run(argc - 1, argv + 1) : unknown_command(name);
}

/* A file or socket must not become stdin, stdout or stderr because that one is closed: our lines
 * would go into it. What takes the place cannot be read or written, as what is closed. */
static void reserve_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

int main(int argc, char **argv)
{
    reserve_descriptors();
    if (argc < 2) {
        print_help(stderr);
        return SKUA_EXIT_USAGE;
    }
    const int code = run(argc, argv);
    /* Keys, JSON lines, help: a script must not take what is missing for all there is. */
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        (void)fputs("skua: cannot write to stdout\n", stderr);
        return code == SKUA_EXIT_OK ? SKUA_EXIT_LOCAL_IO : code;
    }
    return code;
}
