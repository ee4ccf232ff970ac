/* Telling a trace sink what happened.
 *
 * The events and the meaning of their arguments are in trace.def; a sink is the caller's (struct
 * skua_trace in skua.h). Without a sink an emit costs one branch. Only conn/ and endpoint/ emit. */
#ifndef SKUA_BASE_TRACE_H
#define SKUA_BASE_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include <skua/skua.h>

enum skua_trace_type {
#define SKUA_TRACE(name, text, a, b, c, d) SKUA_TRACE_##name,
#include "base/trace.def"
#undef SKUA_TRACE
};

/* How many types there are. */
enum {
    SKUA_TRACE_TYPES = 0
#define SKUA_TRACE(name, text, a, b, c, d) +1
#include "base/trace.def"
#undef SKUA_TRACE
};

/* The four arguments of an event; those left out are 0: SKUA_TRACE_ARGS(pn, bytes). */
#define SKUA_TRACE_ARGS(...) ((const uint64_t[4]){__VA_ARGS__})

/* Whether anybody listens: for a caller whose arguments are costly to work out. */
static inline bool skua_trace_on(const struct skua_trace *trace)
{
    return trace->event != NULL;
}

/* Tells the sink, if there is one, of an event of connection `conn` (a handle, or 0). */
static inline void skua_trace_emit(const struct skua_trace *trace, uint64_t conn,
                                   enum skua_trace_type type, const uint64_t args[4], skua_time now)
{
    if (trace->event == NULL) {
        return;
    }
    const struct skua_trace_event event = {
        .time = now,
        .conn = conn,
        .type = (uint32_t)type,
        .args = {args[0], args[1], args[2], args[3]},
    };
    trace->event(trace->user, &event);
}

#endif
