/* cmocka with the headers that it wants first. */
#ifndef SKUA_TESTS_UNIT_H
#define SKUA_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#endif
