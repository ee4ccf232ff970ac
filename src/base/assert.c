/* The one place where a broken invariant ends the process. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void skua_assert_fail(const char *expression, const char *file, int line)
{
    (void)fprintf(stderr, "skua: bug: %s does not hold (%s:%d)\n", expression, file, line);
    abort();
}
