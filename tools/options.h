/* Command-line options from a table.
 *
 * A command describes its options once, as an array of struct skua_opt; parsing, the usage text and
 * error messages come from it. Understood: `--name VALUE`, `--name=VALUE`, `-n VALUE`, `-nVALUE`,
 * flags combined as `-vq`, `--` (everything after it is an operand), options after operands, and
 * `--help` or `-h` for every command. A lone `-` is an operand.
 *
 * Numbers are integers in one fixed unit per kind, so that nothing downstream parses or rounds:
 * bytes, bits per second, nanoseconds, parts per 10^9.
 *
 *     bool quiet = false;
 *     uint64_t rate = 0;
 *     const struct skua_opt table[] = {
 *         {.name = "quiet", .letter = 'q', .kind = SKUA_OPT_FLAG, .flag = &quiet, .help = "..."},
 *         {.name = "rate", .arg = "RATE", .kind = SKUA_OPT_RATE, .number = &rate, .help = "..."},
 *     };
 *     const struct skua_opts opts = {.command = "cp", .synopsis = "[options] FROM... TO",
 *                                    .about = "...", .table = table, .count = 2,
 *                                    .min_operands = 2, .max_operands = SIZE_MAX};
 *     int status;
 *     if (!skua_opts_parse(&opts, argc, argv, &operands, &status)) {
 *         return status;
 *     }
 */
#ifndef SKUA_TOOLS_OPTIONS_H
#define SKUA_TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum skua_opt_kind {
    SKUA_OPT_FLAG,     /* no value; sets *flag */
    SKUA_OPT_STRING,   /* *string = the value, which stays in argv; the last one given wins */
    SKUA_OPT_LIST,     /* may be repeated; appended to *list */
    SKUA_OPT_COUNT,    /* *number: a whole decimal number */
    SKUA_OPT_SIZE,     /* *number: bytes; k, M, G, T are powers of 1,024 */
    SKUA_OPT_RATE,     /* *number: bits per second; kbit, mbit, gbit are powers of 1,000 */
    SKUA_OPT_DURATION, /* *number: nanoseconds; ns, us, ms, s, m, h; a bare number is seconds */
    SKUA_OPT_SHARE     /* *number: parts per 10^9, from "2%" or "0.02"; at most 100 % */
};

/* 100 % in the unit of SKUA_OPT_SHARE. */
#define SKUA_SHARE_ONE UINT64_C(1000000000)

/* Values of a repeatable option. */
struct skua_opt_list {
    const char *items[64]; /* point into argv */
    size_t count;          /* used items */
};

/* One option. Exactly one member of the union is set: the one its kind names. */
struct skua_opt {
    const char *name;        /* without dashes */
    char letter;             /* short form, or 0 */
    enum skua_opt_kind kind; /* how the value is read */
    const char *arg;         /* name of the value in the usage text; NULL for a flag */
    const char *help;        /* what it does, with its default; '\n' starts a new line */
    union {
        bool *flag;
        const char **string;
        struct skua_opt_list *list;
        uint64_t *number;
    };
};

/* A command's whole interface. */
struct skua_opts {
    const char *command;          /* "cp" */
    const char *synopsis;         /* what follows the name: "[options] FROM... TO" */
    const char *about;            /* one or more sentences, wrapped by hand, no final newline */
    const struct skua_opt *table; /* the options, in the order of the usage text */
    size_t count;                 /* entries of `table` */
    size_t min_operands;          /* fewer are a usage error */
    size_t max_operands;          /* more are a usage error */
};

/* Parses argv[1..argc-1] into the table's targets. True: go on; the operands are then argv[1] to
 * argv[*operands], in order (argv is permuted). False: the command is over and *status is its exit
 * code: SKUA_EXIT_OK after --help (text on stdout), SKUA_EXIT_USAGE after an error (one line on
 * stderr that names the option). Targets of options not given keep their values. */
bool skua_opts_parse(const struct skua_opts *opts, int argc, char **argv, size_t *operands,
                     int *status);

/* Prints the usage text. */
void skua_opts_usage(const struct skua_opts *opts, FILE *out);

/* One line on stderr, "skua COMMAND: ..." and a hint at --help; returns SKUA_EXIT_USAGE. For rules
 * that a table cannot express (options that exclude each other). */
__attribute__((format(printf, 2, 3))) int skua_opts_error(const struct skua_opts *opts,
                                                          const char *format, ...);

/* Reads one value of a numeric kind (COUNT to SHARE); false for anything but a complete, valid
 * value that fits. */
bool skua_opt_number(enum skua_opt_kind kind, const char *text, uint64_t *out);

#endif
