/* The bytes of a connection, member by member. */
#ifndef SKUA_BENCH_FIELDS_H
#define SKUA_BENCH_FIELDS_H

/* Prints the tables of docs/performance-idle.md. */
void bench_fields_print(void);

#endif
