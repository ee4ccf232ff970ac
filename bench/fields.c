/* A connection's bytes, member by member, as the compiler lays them out.
 *
 * An entry below takes all bytes from its member to that of the next, padding included: so the
 * table always adds up to the struct. */
#include "fields.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "endpoint/endpoint.h"
#include "pair.h"

struct field {
    const char *name; /* of the first member */
    const char *use;  /* what the bytes up to the next entry are */
    size_t offset;
};

#define FIELD(type, member, text)                                                                  \
    {                                                                                              \
#member, text, offsetof(struct type, member)                                               \
    }

/* In the order of the struct. */
static const struct field connection[] = {
    FIELD(skua_connection, env, "what the endpoint lends"),
    FIELD(skua_connection, outbox, "marks for the endpoint, two lists"),
    FIELD(skua_connection, all_link, "lists: all, ready, loans"),
    FIELD(skua_connection, timer, "its one timer"),
    FIELD(skua_connection, handle, "handle, user pointer, state, flags, events"),
    FIELD(skua_connection, settings, "settings"),
    FIELD(skua_connection, ids, "connection ids of both sides, a spare one of our own"),
    FIELD(skua_connection, path, "socket and both addresses"),
    FIELD(skua_connection, watched, "for the peer's reset token"),
    FIELD(skua_connection, peer_key, "the peer's public key"),
    FIELD(skua_connection, exporter, "exporter secret"),
    FIELD(skua_connection, keys, "transport keys: both directions, next phase, counters"),
    FIELD(skua_connection, migration, "another path that plays a part (a pointer)"),
    FIELD(skua_connection, dial, "client's handshake (a pointer)"),
    FIELD(skua_connection, rx, "replay window, ranges to acknowledge"),
    FIELD(skua_connection, tx, "what may leave and when"),
    FIELD(skua_connection, recovery, "RTT, loss detection, delivery rate"),
    FIELD(skua_connection, cc, "congestion controller"),
    FIELD(skua_connection, pacer, "pacer"),
    FIELD(skua_connection, pmtud, "path MTU search"),
    FIELD(skua_connection, ecn, "ECN: what is marked, what was reported"),
    FIELD(skua_connection, streams, "table and lists of streams, both flow controls"),
    FIELD(skua_connection, datagrams, "datagrams (a pointer)"),
    FIELD(skua_connection, close, "FIN and RST, both ways"),
    FIELD(skua_connection, life, "signs of life and their limits"),
    FIELD(skua_connection, count, "counters for statistics"),
};

static const struct field stream[] = {
    FIELD(skua_stream, handle, "handle, user pointer, id, owner"),
    FIELD(skua_stream, all, "six lists"),
    FIELD(skua_stream, events, "events, flags"),
    FIELD(skua_stream, send, "sending side: state, credit, segments"),
    FIELD(skua_stream, recv, "receiving side: state, window, blocks"),
};

static void print_fields(FILE *to, const char *type, const struct field *fields, size_t count,
                         size_t size)
{
    (void)fprintf(to, "| `struct %s` | %zu | |\n|---|---|---|\n", type, size);
    for (size_t i = 0; i < count; i++) {
        size_t end = i + 1 < count ? fields[i + 1].offset : size;
        bench_check(fields[i].offset < end, "fields.c does not follow the order of the struct");
        (void)fprintf(to, "| `%s` | %zu | %s |\n", fields[i].name, end - fields[i].offset,
                      fields[i].use);
    }
}

void bench_fields_print(FILE *to)
{
    print_fields(to, "skua_connection", connection, sizeof connection / sizeof connection[0],
                 sizeof(struct skua_connection));
    (void)fprintf(to, "\n");
    print_fields(to, "skua_stream", stream, sizeof stream / sizeof stream[0],
                 sizeof(struct skua_stream));
}

bool bench_fields_check(const char *path)
{
    static char page[1 << 16];
    static char wanted[1 << 14];
    FILE *file = fopen(path, "r");
    bench_check(file != NULL, "the page with the tables cannot be read");
    size_t len = fread(page, 1, sizeof page - 1, file);
    (void)fclose(file);
    page[len] = '\0';
    FILE *to = fmemopen(wanted, sizeof wanted, "w");
    bench_check(to != NULL, "memory");
    bench_fields_print(to);
    (void)fclose(to);
    return strstr(page, wanted) != NULL;
}
