/* Assertions that stay on in release builds.
 *
 * SKUA_ASSERT states what this library guarantees to itself. It is never about what a peer or a
 * caller does: their input yields a verdict or an error. A failed assertion is a bug of this
 * library; stopping is the safe answer. */
#ifndef SKUA_BASE_ASSERT_H
#define SKUA_BASE_ASSERT_H

#include <assert.h>

/* Prints the place on stderr and aborts. Never returns. */
_Noreturn void skua_assert_fail(const char *expression, const char *file, int line);

#define SKUA_ASSERT(expression)                                                                    \
    (__builtin_expect(!!(expression), 1) ? (void)0                                                 \
                                         : skua_assert_fail(#expression, __FILE__, __LINE__))

#define SKUA_STATIC_ASSERT(expression, text) static_assert(expression, text)

#endif
