/* The common beginning of commands: see start.h. */
#include "start.h"

#include <signal.h>
#include <stdio.h>

#include <skua/skua.h>

bool skua_start(const char *command)
{
    const bool ok = skua_init() == SKUA_OK;
    if (!ok) {
        (void)fprintf(stderr, "skua %s: libsodium cannot be used\n", command);
    }
    return ok;
}

bool skua_start_copying(const char *command)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* the write reports EFBIG instead */
    return skua_start(command);
}
