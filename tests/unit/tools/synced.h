/* What was given to fsync: the linker puts a recorder in its place (--wrap=fsync). */
#ifndef SKUA_TESTS_SYNCED_H
#define SKUA_TESTS_SYNCED_H

#include <stdbool.h>

/* Forgets all so far. */
void synced_reset(void);
/* The next fsync fails with EIO and does nothing. */
void synced_fail_once(void);
/* The next fsync calls this before it begins. */
void synced_call_once(void (*call)(void *user), void *user);
/* Whether what is at `path` (a link is not followed) was synced since then. */
bool synced_has(const char *path);

#endif
