/* Looks the transition up in state.def. The table is sparse and consulted a few times in a
 * connection's life, so a linear search over it is the clearest form. */
#include "conn/state.h"

struct transition {
    enum skua_state from;
    enum skua_state_event event;
    enum skua_state to;
};

static const struct transition table[] = {
#define SKUA_TRANSITION(from, event, to) {SKUA_STATE_##from, SKUA_ON_##event, SKUA_STATE_##to},
#include "conn/state.def"
#undef SKUA_TRANSITION
};

enum skua_state skua_state_next(enum skua_state state, enum skua_state_event event)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].from == state && table[i].event == event) {
            return table[i].to;
        }
    }
    return state;
}

bool skua_state_can_send(enum skua_state state)
{
    return state == SKUA_STATE_SYN_SENT || state == SKUA_STATE_SYN_RCVD ||
           state == SKUA_STATE_ESTABLISHED || state == SKUA_STATE_CLOSE_WAIT;
}
