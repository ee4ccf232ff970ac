/* Prints the tables of the documentation that come from .def files: docs_tables NAME.
 *
 * regions.sh puts them between the marks `<!-- table: NAME -->` and `<!-- end -->` of a Markdown
 * file, or compares what stands there: so a line added to a .def file cannot be forgotten in the
 * text. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <skua/skua.h>

#include "base/limits.h"
#include "conn/state.h"
#include "wire/frame.h"
#include "wire/params.h"

/* A number as the text writes it: 1,048,576. */
static const char *thousands(uint64_t n)
{
    static char text[32];
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
    char *out = text;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            *out++ = ',';
        }
        *out++ = digits[i];
    }
    *out = '\0';
    return text;
}

/* Codes are shown without the prefix that all of them have. */
static void print_code(unsigned value, const char *name, const char *text)
{
    (void)printf("| 0x%02x | %s | %s |\n", value, name + strlen("SKUA_CODE_"), text);
}

static void print_codes(void)
{
    (void)printf("| value | name | meaning |\n|---|---|---|\n");
#define SKUA_CODE(name, value, text) print_code((value), #name, (text));
#include <skua/codes.def>
#undef SKUA_CODE
}

static void print_errors(void)
{
    (void)printf("| value | name | meaning |\n|---|---|---|\n");
#define SKUA_ERR(name, value, text) (void)printf("| %d | `%s` | %s |\n", (value), #name, (text));
#include <skua/errors.def>
#undef SKUA_ERR
}

static void print_events(void)
{
    (void)printf("| event | says |\n|---|---|\n");
#define SKUA_EVENT(name, text) (void)printf("| %s | %s |\n", #name, (text));
#include <skua/events.def>
#undef SKUA_EVENT
}

static void print_limits(void)
{
    (void)printf("| name | value | |\n|---|---|---|\n");
#define SKUA_LIMIT(name, value, text)                                                              \
    (void)printf("| %s | %s | %s |\n", #name, thousands(value), (text));
#include "base/limits.def"
#undef SKUA_LIMIT
}

static void print_verdicts(void)
{
    (void)printf("| counter | the datagram |\n|---|---|\n");
#define SKUA_VERDICT(name, counter, text) (void)printf("| %s | %s |\n", (counter), (text));
#include "base/verdicts.def"
#undef SKUA_VERDICT
}

/* --- frames */

static const char *after_fin_text(enum skua_frame_after_fin after)
{
    switch (after) {
    case SKUA_AFTER_FIN_YES:
        return "yes";
    case SKUA_AFTER_FIN_REPEAT:
        return "repeats only";
    case SKUA_AFTER_FIN_NO:
        break;
    }
    return "no";
}

static const char *states_text(enum skua_frame_states states)
{
    switch (states) {
    case SKUA_FRAME_STATES_ANY:
        return "always";
    case SKUA_FRAME_STATES_PEER_SENDS:
        return "until the peer's FIN is complete";
    case SKUA_FRAME_STATES_SELF_SENDS:
        break;
    }
    return "until the own FIN is acknowledged";
}

static void print_frame(uint64_t type, const char *text)
{
    const struct skua_frame_info *info = skua_frame_info(type);
    (void)printf("| 0x%02" PRIx64 "%s | %s | %s | %s | %s | %s | %s |\n", type,
                 type == SKUA_FRAME_STREAM     ? " - 0x0f"
                 : type == SKUA_FRAME_DATAGRAM ? ", 0x31"
                                               : "",
                 info->name, text, info->eliciting ? "yes" : "no", info->in_confirm ? "yes" : "no",
                 after_fin_text(info->after_fin), states_text(info->states));
}

static void print_frames(void)
{
    (void)printf("| type | name | | ack-eliciting | in CONFIRM | after own FIN | effect at the "
                 "receiver |\n|---|---|---|---|---|---|---|\n");
#define SKUA_FRAME(name, type, eliciting, confirm, after_fin, states, text)                        \
    print_frame((type), (text));
#include "wire/frames.def"
#undef SKUA_FRAME
}

/* --- transport parameters */

static const char *in_lower_case(const char *name)
{
    static char text[64];
    size_t i = 0;
    for (; name[i] != '\0' && i < sizeof text - 1; i++) {
        text[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + ('a' - 'A') : name[i]);
    }
    text[i] = '\0';
    return text;
}

/* One line that params.def has, or does not have because it is no integer. */
static void print_param(uint64_t id, const char *name, const char *from, const char *text,
                        const char *preset)
{
    (void)printf("| 0x%02" PRIx64 " | %s | %s | %s | %s |\n", id, in_lower_case(name), from, text,
                 preset);
}

static void print_params(void)
{
    (void)printf("| id | name | from | value | default |\n|---|---|---|---|---|\n");
#define SKUA_PARAM(name, id, type, member, minimum, maximum, preset, text)                         \
    print_param((id), #name, "both", (text), thousands(preset));
#include "wire/params.def"
#undef SKUA_PARAM
    print_param(SKUA_PARAM_RESET_TOKEN, "STATELESS_RESET_TOKEN", "server",
                "16 bytes: the token of initial_scid", "none");
    print_param(SKUA_PARAM_INITIAL_SCID, "INITIAL_SCID", "server, required",
                "the scid of its SYN_ACK, 8 to 16 bytes", "-");
    print_param(SKUA_PARAM_VERSIONS, "VERSIONS", "server", "u32 each, 1 or more, by preference",
                "only the version in use");
    print_param(SKUA_PARAM_LABEL, "LABEL", "client",
                "application label, 1 to 31 bytes without zero bytes", "empty");
    print_param(
        SKUA_PARAM_EARLY_DATA, "EARLY_DATA", "both",
        "empty. Client: it wants tokens for early data; server: it has taken the SYN's (§4.12)",
        "absent");
}

/* --- states */

static const char *event_text(enum skua_state_event event)
{
    switch (event) {
    case SKUA_ON_CONNECT:
        return "connect: SYN is sent";
    case SKUA_ON_SYN_ACK:
        return "a SYN_ACK is accepted";
    case SKUA_ON_EARLY:
        return "a SYN's early data are taken";
    case SKUA_ON_CONFIRMED:
        return "the third packet has opened";
    case SKUA_ON_SHUTDOWN:
        return "shutdown or close: FIN is sent";
    case SKUA_ON_FIN_ACKED:
        return "FIN_ACK is received";
    case SKUA_ON_PEER_FIN:
        return "the peer's FIN is complete";
    case SKUA_ON_ABORT:
    case SKUA_STATE_EVENTS:
        break;
    }
    return "RST sent or received, timeout";
}

/* A server's connection is made when its third packet has opened: for the reader it has been in
 * SYN_RCVD before, and that line is there already. */
static void print_transition(enum skua_state from, enum skua_state_event event, enum skua_state to)
{
    bool made = event == SKUA_ON_CONFIRMED && from == SKUA_STATE_CLOSED;
    if (event != SKUA_ON_ABORT && !made) {
        (void)printf("| %s | %s | %s |\n", skua_state_name(from), event_text(event),
                     skua_state_name(to));
    }
}

static void print_states(void)
{
    (void)printf("| in | what happens | becomes |\n|---|---|---|\n");
#define SKUA_TRANSITION(from, event, to)                                                           \
    print_transition(SKUA_STATE_##from, SKUA_ON_##event, SKUA_STATE_##to);
#include "conn/state.def"
#undef SKUA_TRANSITION
    (void)printf("| any but LISTEN | %s | %s |\n", event_text(SKUA_ON_ABORT),
                 skua_state_name(SKUA_STATE_CLOSED));
}

/* --- what arrives in which state: the answers of tests/unit/conn/test_arrivals.c */

enum { CLIENT, SERVER };

enum arrival {
#define SKUA_ARRIVAL(name, text) name,
#include "arrivals.def"
#undef SKUA_ARRIVAL
    ARRIVALS
};

static const char *const arrival_texts[] = {
#define SKUA_ARRIVAL(name, text) (text),
#include "arrivals.def"
#undef SKUA_ARRIVAL
};

static const struct {
    int side;
    enum skua_state state;
} places[] = {
#define SKUA_PLACE(side, state) {side, SKUA_STATE_##state},
#include "arrivals.def"
#undef SKUA_PLACE
};

static const struct outcome {
    int side;
    enum skua_state state;
    enum arrival what;
    enum skua_state after;
    const char *answer, *verdict;
} outcomes[] = {
#define SKUA_OUTCOME(side, state, what, verdict, after, answer)                                    \
    {side, SKUA_STATE_##state, what, SKUA_STATE_##after, answer, #verdict},
#include "arrivals.def"
#undef SKUA_OUTCOME
};

static const char *answer_text(const struct outcome *o)
{
    switch (o->answer[0]) {
    case 'S':
        return "SYN";
    case 'A':
        return "SYN_ACK";
    case 'C':
        return "CONFIRM";
    case 'R':
        return "REFUSE";
    case 'D':
        if (o->state == SKUA_STATE_TIME_WAIT) {
            return "record";
        }
        if (strcmp(o->verdict, "PROTOCOL") == 0) {
            return "RST";
        }
        return strcmp(o->verdict, "FORGOTTEN") == 0 ? "RESET" : "DATA";
    default:
        return "";
    }
}

static void print_outcome(int side, enum skua_state state, enum arrival what)
{
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        const struct outcome *o = &outcomes[i];
        if (o->side == side && o->state == state && o->what == what) {
            bool moves = o->after != state;
            const char *answer = answer_text(o);
            (void)printf(" %s%s%s |", moves ? skua_state_name(o->after) : "",
                         moves && answer[0] != '\0' ? ", " : "",
                         !moves && answer[0] == '\0' ? "-" : answer);
            return;
        }
    }
    (void)printf(" |");
}

static void print_arrivals(int side)
{
    size_t columns = 0;
    (void)printf("| arrives in |");
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (places[i].side == side) {
            (void)printf(" %s |", skua_state_name(places[i].state));
            columns++;
        }
    }
    (void)printf("\n|---|");
    for (size_t i = 0; i < columns; i++) {
        (void)printf("---|");
    }
    for (int what = 0; what < ARRIVALS; what++) {
        (void)printf("\n| %s |", arrival_texts[what]);
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            if (places[i].side == side) {
                print_outcome(side, places[i].state, (enum arrival)what);
            }
        }
    }
    (void)printf("\n");
}

static void print_client(void)
{
    print_arrivals(CLIENT);
}

static void print_server(void)
{
    print_arrivals(SERVER);
}

static const struct {
    const char *name;
    void (*print)(void);
} tables[] = {
    {"codes", print_codes},
    {"errors", print_errors},
    {"events", print_events},
    {"frames", print_frames},
    {"limits", print_limits},
    {"params", print_params},
    {"states", print_states},
    {"verdicts", print_verdicts},
    {"arrivals_client", print_client},
    {"arrivals_server", print_server},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(argv[1], tables[i].name) == 0) {
            tables[i].print();
            return 0;
        }
    }
    (void)fprintf(stderr, "usage: docs_tables NAME, one of:");
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        (void)fprintf(stderr, " %s", tables[i].name);
    }
    (void)fprintf(stderr, "\n");
    return 2;
}
