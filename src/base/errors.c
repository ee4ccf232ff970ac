/* Names and texts of everything this library counts, returns or reports.
 *
 * Each list stands in one .def file from which the enum, the names here and the documentation come;
 * a name cannot be forgotten. Values that no list has (a caller's cast, a peer's code) get a text
 * that says so: these functions are called from logging, where a crash helps nobody. */
#include <stddef.h>

#include <skua/skua.h>

#include "base/trace.h"
#include "base/verdict.h"

const char *skua_strerror(enum skua_err err)
{
    switch (err) {
#define SKUA_ERR(name, value, text)                                                                \
    case name:                                                                                     \
        return text;
#include <skua/errors.def>
#undef SKUA_ERR
    }
    return "unknown error";
}

const char *skua_err_name(enum skua_err err)
{
    switch (err) {
#define SKUA_ERR(name, value, text)                                                                \
    case name:                                                                                     \
        return #name;
#include <skua/errors.def>
#undef SKUA_ERR
    }
    return "SKUA_?";
}

const char *skua_code_text(uint64_t code)
{
    static const struct {
        uint64_t code;
        const char *text;
    } codes[] = {
#define SKUA_CODE(name, value, words) {.code = (value), .text = (words)},
#include <skua/codes.def>
#undef SKUA_CODE
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].code == code) {
            return codes[i].text;
        }
    }
    return "unknown code";
}

const char *skua_controller_name(enum skua_controller controller)
{
    switch (controller) {
#define SKUA_CONTROLLER(name, value, word, text)                                                   \
    case SKUA_CONTROLLER_##name:                                                                   \
        return word;
#include <skua/controllers.def>
#undef SKUA_CONTROLLER
    case SKUA_CONTROLLER_DEFAULT:
        break;
    }
    return NULL;
}

const char *skua_ecn_state_name(enum skua_ecn_state state)
{
    switch (state) {
    case SKUA_ECN_STATE_TESTING:
        return "testing";
    case SKUA_ECN_STATE_UNKNOWN:
        return "unknown";
    case SKUA_ECN_STATE_FAILED:
        return "failed";
    case SKUA_ECN_STATE_CAPABLE:
        return "capable";
    }
    return "?";
}

const char *skua_event_name(enum skua_event_type type)
{
    switch (type) {
#define SKUA_EVENT(name, text)                                                                     \
    case SKUA_EVENT_##name:                                                                        \
        return #name;
#include <skua/events.def>
#undef SKUA_EVENT
    case SKUA_EVENT_TYPES:
        break;
    }
    return "?";
}

const char *skua_state_name(enum skua_state state)
{
    switch (state) {
    case SKUA_STATE_CLOSED:
        return "CLOSED";
    case SKUA_STATE_LISTEN:
        return "LISTEN";
    case SKUA_STATE_SYN_SENT:
        return "SYN_SENT";
    case SKUA_STATE_SYN_RCVD:
        return "SYN_RCVD";
    case SKUA_STATE_ESTABLISHED:
        return "ESTABLISHED";
    case SKUA_STATE_FIN_WAIT_1:
        return "FIN_WAIT_1";
    case SKUA_STATE_FIN_WAIT_2:
        return "FIN_WAIT_2";
    case SKUA_STATE_CLOSING:
        return "CLOSING";
    case SKUA_STATE_TIME_WAIT:
        return "TIME_WAIT";
    case SKUA_STATE_CLOSE_WAIT:
        return "CLOSE_WAIT";
    case SKUA_STATE_LAST_ACK:
        return "LAST_ACK";
    case SKUA_STATES:
        break;
    }
    return "?";
}

const char *skua_trace_name(uint32_t type)
{
    static const char *const names[SKUA_TRACE_TYPES] = {
#define SKUA_TRACE(name, text, a, b, c, d) [SKUA_TRACE_##name] = (text),
#include "base/trace.def"
#undef SKUA_TRACE
    };
    return type < SKUA_TRACE_TYPES ? names[type] : NULL;
}

const char *skua_verdict_name(size_t index)
{
    static const char *const names[SKUA_VERDICTS] = {
#define SKUA_VERDICT(name, counter, text) [SKUA_VERDICT_##name] = (counter),
#include "base/verdicts.def"
#undef SKUA_VERDICT
    };
    return index < SKUA_VERDICTS ? names[index] : NULL;
}
