/* The state table: every pair of state and event, and every path through it. */
#include "unit.h"

#include "conn/state.h"

/* What RFC 9293 §3.3.2 and docs/protocol.md say, written out once more by hand: rows are states,
 * columns events in their order. NO: stays as it is. */
enum { NO = SKUA_STATES };
#define S(name) SKUA_STATE_##name
/* clang-format off */
static const int expected[SKUA_STATES][SKUA_STATE_EVENTS] = {
    /*                    CONNECT      SYN_ACK         EARLY           CONFIRMED       SHUTDOWN       FIN_ACKED       PEER_FIN        ABORT */
    [S(CLOSED)]      = {S(SYN_SENT), NO,             S(SYN_RCVD),    S(ESTABLISHED), NO,             NO,             NO,             NO},
    [S(LISTEN)]      = {NO,          NO,             NO,             NO,             NO,             NO,             NO,             NO},
    [S(SYN_SENT)]    = {NO,          S(ESTABLISHED), NO,             S(ESTABLISHED), NO,             NO,             NO,             S(CLOSED)},
    [S(SYN_RCVD)]    = {NO,          NO,             NO,             S(ESTABLISHED), S(FIN_WAIT_1),  NO,             NO,             S(CLOSED)},
    [S(ESTABLISHED)] = {NO,          NO,             NO,             NO,             S(FIN_WAIT_1),  NO,             S(CLOSE_WAIT),  S(CLOSED)},
    [S(FIN_WAIT_1)]  = {NO,          NO,             NO,             NO,             NO,             S(FIN_WAIT_2),  S(CLOSING),     S(CLOSED)},
    [S(FIN_WAIT_2)]  = {NO,          NO,             NO,             NO,             NO,             NO,             S(TIME_WAIT),   S(CLOSED)},
    [S(CLOSING)]     = {NO,          NO,             NO,             NO,             NO,             S(TIME_WAIT),   NO,             S(CLOSED)},
    [S(TIME_WAIT)]   = {NO,          NO,             NO,             NO,             NO,             NO,             NO,             S(CLOSED)},
    [S(CLOSE_WAIT)]  = {NO,          NO,             NO,             NO,             S(LAST_ACK),    NO,             NO,             S(CLOSED)},
    [S(LAST_ACK)]    = {NO,          NO,             NO,             NO,             NO,             S(CLOSED),      NO,             S(CLOSED)},
};
/* clang-format on */

static void follows_the_table(void **state)
{
    (void)state;
    for (int from = 0; from < SKUA_STATES; from++) {
        for (int event = 0; event < SKUA_STATE_EVENTS; event++) {
            int want = expected[from][event] == NO ? from : expected[from][event];
            assert_int_equal(skua_state_next((enum skua_state)from, (enum skua_state_event)event),
                             want);
        }
    }
}

/* From any state that a connection can be in, CLOSED can be reached, and by an abort at once. */
static void every_state_has_a_way_out(void **state)
{
    (void)state;
    for (int from = 0; from < SKUA_STATES; from++) {
        if (from == SKUA_STATE_LISTEN) {
            continue; /* of a listener */
        }
        assert_int_equal(skua_state_next((enum skua_state)from, SKUA_ON_ABORT), SKUA_STATE_CLOSED);
    }
}

/* The orders in which both sides' ends can come: all lead to the same end. */
static void all_orders_of_closing_meet(void **state)
{
    (void)state;
    static const enum skua_state_event events[] = {SKUA_ON_SHUTDOWN, SKUA_ON_FIN_ACKED,
                                                   SKUA_ON_PEER_FIN};
    unsigned seen = 0;
    for (int i = 0; i < 27; i++) {
        enum skua_state_event order[] = {events[i % 3], events[i / 3 % 3], events[i / 9]};
        int shutdown = -1, acked = -1, fin = -1;
        for (int k = 0; k < 3; k++) {
            shutdown = order[k] == SKUA_ON_SHUTDOWN ? k : shutdown;
            acked = order[k] == SKUA_ON_FIN_ACKED ? k : acked;
            fin = order[k] == SKUA_ON_PEER_FIN ? k : fin;
        }
        if (shutdown < 0 || acked < shutdown || fin < 0) {
            continue; /* a FIN is acknowledged after it was sent */
        }
        enum skua_state now = SKUA_STATE_ESTABLISHED;
        for (int k = 0; k < 3; k++) {
            now = skua_state_next(now, order[k]);
        }
        assert_int_equal(now, fin < shutdown ? SKUA_STATE_CLOSED : SKUA_STATE_TIME_WAIT);
        seen++;
    }
    assert_int_equal(seen, 3);
}

static void sends_until_its_own_fin(void **state)
{
    (void)state;
    for (int s = 0; s < SKUA_STATES; s++) {
        bool can = s == SKUA_STATE_SYN_SENT || s == SKUA_STATE_SYN_RCVD ||
                   s == SKUA_STATE_ESTABLISHED || s == SKUA_STATE_CLOSE_WAIT;
        assert_int_equal(skua_state_can_send((enum skua_state)s), can);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_table),
        cmocka_unit_test(every_state_has_a_way_out),
        cmocka_unit_test(all_orders_of_closing_meet),
        cmocka_unit_test(sends_until_its_own_fin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
