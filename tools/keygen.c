/* `skua keygen`: makes a secret key file, or shows the public key of one.
 *
 * A new key is written to a file of its own and then renamed into place, so that --force never
 * leaves the user with half a key or none. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <skua/skua.h>

#include "commands.h"
#include "keys.h"
#include "options.h"
#include "start.h"

static void print_public(const struct skua_secret_key *secret)
{
    struct skua_key key;
    char text[SKUA_KEY_TEXT_LEN];
    skua_key_public(&key, secret);
    skua_key_format(text, &key);
    (void)puts(text);
}

static int fail(const struct skua_why *why)
{
    (void)fprintf(stderr, "skua keygen: %s\n", why->text);
    return SKUA_EXIT_LOCAL_IO;
}

static int show(const char *path)
{
    struct skua_secret_key secret;
    struct skua_why why;
    if (!skua_secret_key_load(&secret, path, NULL, &why)) {
        return fail(&why);
    }
    print_public(&secret);
    skua_wipe(&secret, sizeof secret);
    return SKUA_EXIT_OK;
}

static int create(const char *path, bool force)
{
    struct skua_secret_key secret;
    struct skua_why why;
    char fresh[PATH_MAX];
    const int len =
        snprintf(fresh, sizeof fresh, force ? "%s.new-%ld" : "%s", path, (long)getpid());
    if (len < 0 || (size_t)len >= sizeof fresh) {
        skua_why_set(&why, "%s: %s", path, strerror(ENAMETOOLONG));
        return fail(&why);
    }
    if (!force && access(path, F_OK) == 0) {
        skua_why_set(&why, "%s exists; --force replaces it", path);
        return fail(&why);
    }
    if (!skua_secret_key_create(&secret, fresh, &why)) {
        return fail(&why);
    }
    if (force && rename(fresh, path) != 0) {
        skua_why_set(&why, "%s: %s", path, strerror(errno));
        (void)unlink(fresh);
        skua_wipe(&secret, sizeof secret);
        return fail(&why);
    }
    print_public(&secret);
    skua_wipe(&secret, sizeof secret);
    return SKUA_EXIT_OK;
}

int skua_cmd_keygen(int argc, char **argv)
{
    bool force = false;
    bool show_only = false;
    const struct skua_opt table[] = {
        {.name = "show",
         .letter = 's',
         .kind = SKUA_OPT_FLAG,
         .flag = &show_only,
         .help = "print the public key of an existing file"},
        {.name = "force",
         .letter = 'f',
         .kind = SKUA_OPT_FLAG,
         .flag = &force,
         .help = "replace an existing file"},
    };
    const struct skua_opts opts = {
        .command = "keygen",
        .synopsis = "[options] FILE",
        .about = "Makes a secret key in FILE, readable by its owner only, and prints the public\n"
                 "key that belongs to it: what others put into their lists of allowed keys.",
        .table = table,
        .count = sizeof table / sizeof table[0],
        .min_operands = 1,
        .max_operands = 1,
    };
    size_t operands = 0;
    int status = SKUA_EXIT_OK;
    if (!skua_opts_parse(&opts, argc, argv, &operands, &status)) {
        return status;
    }
    if (show_only && force) {
        return skua_opts_error(&opts, "--show and --force exclude each other");
    }
    if (!skua_start(opts.command)) {
        return SKUA_EXIT_LOCAL_IO;
    }
    return show_only ? show(argv[1]) : create(argv[1], force);
}
