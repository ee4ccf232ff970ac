/* Name lookup beside the loop: getaddrinfo in helper threads, answers in the loop's thread.
 *
 * At most four threads at a time work on the lookups that wait, and end when none is left: none
 * exists while nothing is looked up. They call nothing but getaddrinfo, with all signals blocked. A
 * thread that hangs in a dead name server outlives the resolver without touching anything that is
 * gone: what threads and loop share is counted. */
#ifndef SKUA_IO_RESOLVE_H
#define SKUA_IO_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "io/sys.h"

struct ev_loop;

enum { SKUA_LOOKUP_ADDRS = 16 };

/* What came of a lookup; valid during the callback. */
struct skua_lookup_result {
    struct skua_addr addrs[SKUA_LOOKUP_ADDRS]; /* in the resolver's order of preference */
    size_t count;                              /* of them; 0 = failed */
    const char *error;                         /* why it failed: a sentence; never NULL */
};

typedef void skua_lookup_done(void *user, const struct skua_lookup_result *result);

struct skua_resolver;
struct skua_lookup;

/* A resolver for `loop`. SKUA_ENOMEM. */
enum skua_err skua_resolver_new(struct skua_resolver **out, const struct skua_sys *sys,
                                struct ev_loop *loop);
/* Drops all lookups; none is answered any more. NULL is allowed. */
void skua_resolver_free(struct skua_resolver *resolver);

/* Looks `host` up in both families; `done` is called once, from the loop. `port` goes into the
 * addresses. SKUA_ENOMEM where there is no memory or no thread, SKUA_EINVAL for a name longer than
 * DNS allows. */
enum skua_err skua_resolver_start(struct skua_resolver *resolver, const char *host, uint16_t port,
                                  skua_lookup_done *done, void *user, struct skua_lookup **out);
/* `done` will not be called; the lookup is no longer the caller's. */
void skua_lookup_cancel(struct skua_lookup *lookup);

#endif
