/* The common beginning of commands: see start.h. */
#include "start.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

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

void skua_start_service(void)
{
    /* main has put something that only reads in the place of a stdout that is closed. */
    const int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY) {
        return;
    }
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0 && nowhere != STDOUT_FILENO) {
        (void)dup2(nowhere, STDOUT_FILENO);
        (void)close(nowhere);
    }
}
