/* The three packets of the handshake, and each of them lost. */
#include "chart.h"

SCENARIO(three_way_handshake)
{
    expect_state(client, SKUA_STATE_CLOSED);
    expect_state(server, SKUA_STATE_CLOSED);
    app_listen();
    expect_state(server, SKUA_STATE_LISTEN);
    app_connect();
    run_to(MS(5)); /* the SYN is under way */
    expect_state(client, SKUA_STATE_SYN_SENT);
    expect_state(server, SKUA_STATE_LISTEN);
    run_to(MS(15)); /* the SYN_ACK is under way */
    expect_state(client, SKUA_STATE_SYN_SENT);
    expect_state(server, SKUA_STATE_SYN_RCVD);
    run_to(MS(25)); /* the third packet is under way */
    expect_state(client, SKUA_STATE_ESTABLISHED);
    expect_state(server, SKUA_STATE_SYN_RCVD);
    run_to(MS(35));
    expect_state(server, SKUA_STATE_ESTABLISHED);
    run_to(SEC(1));
    expect_sent(client, SYN, 1);
    expect_sent(server, SYN_ACK, 1);
    expect_sent(client, CONFIRM, 1);
    expect_frames(client, CONFIRM, 1, PING);
    expect_frames(server, DATA, 1, ACK);
    expect_states(client, SKUA_STATE_SYN_SENT, SKUA_STATE_ESTABLISHED);
    expect_states(server, SKUA_STATE_ESTABLISHED);
}

SCENARIO(first_packet_lost)
{
    net_drop(client, SYN, 1);
    app_listen();
    app_connect();
    run_to(MS(30));
    expect_state(client, SKUA_STATE_SYN_SENT);
    expect_state(server, SKUA_STATE_LISTEN);
    run_to(SEC(2));
    expect_sent_at(client, SYN, 2, SEC(1));
    expect_at(client, SKUA_EVENT_ESTABLISHED, SEC(1) + MS(20));
}
