/* Command-line options from a table: parsing, usage text and error lines (options.h).
 *
 * The parser walks argv once and moves operands to the front of it as it goes; the write position
 * never passes the read position, so nothing is overwritten before it has been looked at. */
#include "options.h"

#include <stdarg.h>
#include <string.h>

#include "exit_codes.h"

/* Where the walk over argv stands. */
struct walk {
    const struct skua_opts *opts;
    int argc;
    char **argv;
    int next;        /* index of the argument to read next */
    size_t operands; /* how many operands were moved to argv[1..] */
    bool help;       /* --help was seen: stop */
};

static const char *const kind_hints[] = {
    [SKUA_OPT_FLAG] = "",
    [SKUA_OPT_STRING] = "",
    [SKUA_OPT_LIST] = "",
    [SKUA_OPT_COUNT] = "a whole number",
    [SKUA_OPT_SIZE] = "a size, such as 1200, 10k, 4M or 1G",
    [SKUA_OPT_RATE] = "a rate, such as 500kbit, 100mbit or 1gbit",
    [SKUA_OPT_DURATION] = "a duration, such as 20ms, 1.5s or 2m",
    [SKUA_OPT_SHARE] = "a share, such as 2% or 0.02",
};

int skua_opts_error(const struct skua_opts *opts, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "skua %s: ", opts->command);
    (void)vfprintf(stderr, format, args);
    (void)fprintf(stderr, " (see: skua %s --help)\n", opts->command);
    va_end(args);
    return SKUA_EXIT_USAGE;
}

/* Prints `text` and, after each newline in it, `indent` blanks. */
static void print_indented(FILE *out, const char *text, int indent)
{
    const char *line = text;
    for (;;) {
        const size_t len = strcspn(line, "\n");
        (void)fprintf(out, "%.*s\n", (int)len, line);
        if (line[len] == '\0') {
            return;
        }
        line += len + 1;
        (void)fprintf(out, "%*s", indent, "");
    }
}

/* One option's entry: its forms, then its help in a column of its own. */
static void print_option(FILE *out, const struct skua_opt *opt)
{
    enum { COLUMN = 30 };
    char forms[96];
    int len = opt->letter != 0
                  ? snprintf(forms, sizeof forms, "  -%c, --%s", opt->letter, opt->name)
                  : snprintf(forms, sizeof forms, "      --%s", opt->name);
    if (opt->arg != NULL && len > 0 && (size_t)len < sizeof forms) {
        len += snprintf(forms + len, sizeof forms - (size_t)len, " %s", opt->arg);
    }
    if (len >= COLUMN) {
        (void)fprintf(out, "%s\n%*s", forms, COLUMN, "");
    } else {
        (void)fprintf(out, "%-*s", COLUMN, forms);
    }
    print_indented(out, opt->help, COLUMN);
}

void skua_opts_usage(const struct skua_opts *opts, FILE *out)
{
    (void)fprintf(out, "usage: skua %s %s\n\n%s\n\noptions:\n", opts->command, opts->synopsis,
                  opts->about);
    for (size_t i = 0; i < opts->count; i++) {
        print_option(out, &opts->table[i]);
    }
    const struct skua_opt help = {.name = "help", .letter = 'h', .help = "this text"};
    print_option(out, &help);
}

/* Reads digits with at most one point as value * 10^-places; stops at the first other character. */
static bool read_decimal(const char **text, uint64_t *mantissa, unsigned *places)
{
    const char *at = *text;
    uint64_t value = 0;
    unsigned after_point = 0;
    bool point = false;
    bool digits = false;
    for (; (*at >= '0' && *at <= '9') || (*at == '.' && !point); at++) {
        if (*at == '.') {
            point = true;
            continue;
        }
        const uint64_t digit = (uint64_t)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
        after_point += point ? 1 : 0;
        digits = true;
    }
    *text = at;
    *mantissa = value;
    *places = after_point;
    return digits;
}

/* mantissa * 10^-places * unit, rounded down; false where it overflows. */
static bool scale(uint64_t mantissa, unsigned places, uint64_t unit, uint64_t *out)
{
    /* Trailing zeros of either factor are cancelled first: "1.500000000000s" must not overflow. */
    while (places > 0 && mantissa % 10 == 0) {
        mantissa /= 10;
        places--;
    }
    while (places > 0 && unit % 10 == 0) {
        unit /= 10;
        places--;
    }
    if (mantissa != 0 && unit > UINT64_MAX / mantissa) {
        return false;
    }
    uint64_t value = mantissa * unit;
    for (; places > 0; places--) {
        value /= 10;
    }
    *out = value;
    return true;
}

/* A suffix and what it multiplies by. */
struct unit {
    enum skua_opt_kind kind;
    const char *suffix;
    uint64_t factor;
};

static const struct unit units[] = {
    {SKUA_OPT_SIZE, "", 1},
    {SKUA_OPT_SIZE, "k", UINT64_C(1) << 10},
    {SKUA_OPT_SIZE, "K", UINT64_C(1) << 10},
    {SKUA_OPT_SIZE, "M", UINT64_C(1) << 20},
    {SKUA_OPT_SIZE, "G", UINT64_C(1) << 30},
    {SKUA_OPT_SIZE, "T", UINT64_C(1) << 40},
    {SKUA_OPT_RATE, "bit", 1},
    {SKUA_OPT_RATE, "kbit", UINT64_C(1000)},
    {SKUA_OPT_RATE, "mbit", UINT64_C(1000000)},
    {SKUA_OPT_RATE, "Mbit", UINT64_C(1000000)},
    {SKUA_OPT_RATE, "gbit", UINT64_C(1000000000)},
    {SKUA_OPT_RATE, "Gbit", UINT64_C(1000000000)},
    {SKUA_OPT_DURATION, "", UINT64_C(1000000000)},
    {SKUA_OPT_DURATION, "ns", 1},
    {SKUA_OPT_DURATION, "us", UINT64_C(1000)},
    {SKUA_OPT_DURATION, "ms", UINT64_C(1000000)},
    {SKUA_OPT_DURATION, "s", UINT64_C(1000000000)},
    {SKUA_OPT_DURATION, "m", UINT64_C(60000000000)},
    {SKUA_OPT_DURATION, "h", UINT64_C(3600000000000)},
    {SKUA_OPT_SHARE, "", SKUA_SHARE_ONE},
    {SKUA_OPT_SHARE, "%", SKUA_SHARE_ONE / 100},
    {SKUA_OPT_COUNT, "", 1},
};

bool skua_opt_number(enum skua_opt_kind kind, const char *text, uint64_t *out)
{
    uint64_t mantissa = 0;
    unsigned places = 0;
    if (!read_decimal(&text, &mantissa, &places)) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        const struct unit *unit = &units[i];
        if (unit->kind != kind || strcmp(unit->suffix, text) != 0) {
            continue;
        }
        if (unit->factor == 1 && places > 0) {
            return false; /* half a byte, half a bit */
        }
        uint64_t value = 0;
        if (!scale(mantissa, places, unit->factor, &value) ||
            (kind == SKUA_OPT_SHARE && value > SKUA_SHARE_ONE)) {
            return false;
        }
        *out = value;
        return true;
    }
    return false;
}

/* Stores one option's value; false after an error line. */
static bool store(const struct skua_opts *opts, const struct skua_opt *opt, const char *value)
{
    switch (opt->kind) {
    case SKUA_OPT_FLAG:
        *opt->flag = true;
        return true;
    case SKUA_OPT_STRING:
        *opt->string = value;
        return true;
    case SKUA_OPT_LIST:
        if (opt->list->count == sizeof opt->list->items / sizeof opt->list->items[0]) {
            (void)skua_opts_error(opts, "--%s is given too often (at most %zu times)", opt->name,
                                  opt->list->count);
            return false;
        }
        opt->list->items[opt->list->count++] = value;
        return true;
    case SKUA_OPT_COUNT:
    case SKUA_OPT_SIZE:
    case SKUA_OPT_RATE:
    case SKUA_OPT_DURATION:
    case SKUA_OPT_SHARE:
        if (!skua_opt_number(opt->kind, value, opt->number)) {
            (void)skua_opts_error(opts, "--%s: \"%s\" is not %s", opt->name, value,
                                  kind_hints[opt->kind]);
            return false;
        }
        return true;
    }
    return false;
}

/* An option that needs a value and has none attached takes the next argument. */
static bool store_next(struct walk *walk, const struct skua_opt *opt)
{
    if (opt->kind == SKUA_OPT_FLAG) {
        return store(walk->opts, opt, NULL);
    }
    if (walk->next == walk->argc) {
        (void)skua_opts_error(walk->opts, "--%s needs a value (%s)", opt->name, opt->arg);
        return false;
    }
    return store(walk->opts, opt, walk->argv[walk->next++]);
}

/* `text` follows the two dashes. */
static bool take_long(struct walk *walk, const char *text)
{
    const size_t len = strcspn(text, "=");
    const char *value = text[len] == '=' ? text + len + 1 : NULL;
    if (strcmp(text, "help") == 0) {
        walk->help = true;
        return true;
    }
    for (size_t i = 0; i < walk->opts->count; i++) {
        const struct skua_opt *opt = &walk->opts->table[i];
        if (strlen(opt->name) != len || memcmp(opt->name, text, len) != 0) {
            continue;
        }
        if (value == NULL) {
            return store_next(walk, opt);
        }
        if (opt->kind == SKUA_OPT_FLAG) {
            (void)skua_opts_error(walk->opts, "--%s takes no value", opt->name);
            return false;
        }
        return store(walk->opts, opt, value);
    }
    (void)skua_opts_error(walk->opts, "unknown option --%.*s", (int)len, text);
    return false;
}

static const struct skua_opt *find_letter(const struct skua_opts *opts, char letter)
{
    for (size_t i = 0; i < opts->count; i++) {
        if (opts->table[i].letter == letter) {
            return &opts->table[i];
        }
    }
    return NULL;
}

/* `text` follows the single dash and is not empty: flags, the last of which may be an option with
 * its value attached or in the next argument. */
static bool take_letters(struct walk *walk, const char *text)
{
    for (; *text != '\0'; text++) {
        const struct skua_opt *opt = find_letter(walk->opts, *text);
        if (opt == NULL && *text == 'h') {
            walk->help = true;
            return true;
        }
        if (opt == NULL) {
            (void)skua_opts_error(walk->opts, "unknown option -%c", *text);
            return false;
        }
        if (opt->kind == SKUA_OPT_FLAG) {
            *opt->flag = true;
            continue;
        }
        return text[1] != '\0' ? store(walk->opts, opt, text + 1) : store_next(walk, opt);
    }
    return true;
}

static bool take_arguments(struct walk *walk)
{
    bool only_operands = false;
    while (walk->next < walk->argc && !walk->help) {
        char *argument = walk->argv[walk->next++];
        if (only_operands || argument[0] != '-' || argument[1] == '\0') {
            walk->argv[++walk->operands] = argument;
        } else if (strcmp(argument, "--") == 0) {
            only_operands = true;
        } else if (argument[1] == '-' ? !take_long(walk, argument + 2)
                                      : !take_letters(walk, argument + 1)) {
            return false;
        }
    }
    return true;
}

bool skua_opts_parse(const struct skua_opts *opts, int argc, char **argv, size_t *operands,
                     int *status)
{
    struct walk walk = {.opts = opts, .argc = argc, .argv = argv, .next = 1};
    *operands = 0;
    *status = SKUA_EXIT_USAGE;
    if (!take_arguments(&walk)) {
        return false;
    }
    if (walk.help) {
        skua_opts_usage(opts, stdout);
        *status = SKUA_EXIT_OK;
        return false;
    }
    if (walk.operands < opts->min_operands) {
        (void)skua_opts_error(opts, "an operand is missing: skua %s %s", opts->command,
                              opts->synopsis);
        return false;
    }
    if (walk.operands > opts->max_operands) {
        (void)skua_opts_error(opts, "unexpected operand \"%s\"", argv[opts->max_operands + 1]);
        return false;
    }
    *operands = walk.operands;
    *status = SKUA_EXIT_OK;
    return true;
}
