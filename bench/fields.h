/* The bytes of a connection, member by member. */
#ifndef SKUA_BENCH_FIELDS_H
#define SKUA_BENCH_FIELDS_H

#include <stdbool.h>
#include <stdio.h>

/* Writes the tables of docs/performance-idle.md. */
void bench_fields_print(FILE *to);
/* Whether the page at `path` has these tables. */
bool bench_fields_check(const char *path);

#endif
