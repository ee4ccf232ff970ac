/* How the commands begin that have keys: the options of those that copy files, libsodium, signals,
 * stdout. The own key itself: keys.h. */
#ifndef SKUA_TOOLS_START_H
#define SKUA_TOOLS_START_H

#include <stdbool.h>

#include "options.h"

/* Entries of struct skua_opt; `target` is where the value goes. */
#define SKUA_OPTION_KEY(target)                                                                    \
    {                                                                                              \
        .name = "key", .letter = 'i', .kind = SKUA_OPT_STRING, .arg = "FILE", .string = (target),  \
        .help = "own secret key (default ~/.config/skua/key, made when missing)"                   \
    }
#define SKUA_OPTION_FSYNC(target)                                                                  \
    {                                                                                              \
        .name = "fsync", .kind = SKUA_OPT_FLAG, .flag = (target),                                  \
        .help = "report a file only when it is on the disk"                                        \
    }

/* Makes libsodium ready, before anything else of the library is called. False after a line on
 * stderr: the command ends with SKUA_EXIT_LOCAL_IO. */
bool skua_start(const char *command);

/* The same, for a command that writes files and talks to a peer: a pipe that is closed and a file
 * that may not grow are errors of a call, not the end of the process. */
bool skua_start_copying(const char *command);

/* For a command that says once on stdout where it listens, and serves: who starts it without a
 * stdout does not want to know, which is no error. Its lines go nowhere. */
void skua_start_service(void);

#endif
