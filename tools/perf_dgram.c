/* Datagram ping-pong of `skua perf`: both its halves.
 *
 * An exchange is a datagram of the client's and the same bytes back from the server: its number and
 * its lane in front, so that an answer that comes late is told from the one that is awaited. What
 * does not come back is given up after a few round trips and counted; nobody repeats it. */
#include "perf_client.h"
#include "perf_session.h"

/* Patience with an answer, and how often it is looked at. */
#define PATIENCE_MIN_NS (200 * SKUA_MSEC)
#define PATIENCE_RTTS   4
static const double look_every = 0.05;

/* --- both --- */

static void put_number(uint8_t *out, uint64_t number, uint16_t lane)
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(number >> (56 - 8 * i));
    }
    out[8] = (uint8_t)(lane >> 8);
    out[9] = (uint8_t)lane;
}

static bool get_number(const struct skua_vec *vec, uint64_t *number, uint16_t *lane)
{
    *number = 0;
    if (vec->len < SKUA_PERF_DGRAM_MIN) {
        return false;
    }
    for (unsigned i = 0; i < 8; i++) {
        *number = *number << 8 | vec->data[i];
    }
    *lane = (uint16_t)(vec->data[8] << 8 | vec->data[9]);
    return true;
}

static void note_read(struct skua_perf_in *in, size_t len, skua_time now)
{
    in->first = in->bytes == 0 ? now : in->first;
    in->last = now;
    in->bytes += len;
}

/* --- the client --- */

static void end_lane(struct skua_perf_client *client, struct skua_perf_lane *lane)
{
    if (!lane->out.ended) {
        lane->out.ended = true;
        skua_perf_one_ended(client);
    }
}

static void begin_exchange(struct skua_perf_client *client, struct skua_perf_lane *lane)
{
    static uint8_t message[UINT16_MAX];
    const uint32_t len = client->plan->exchange;
    if (!skua_perf_load_next(client)) {
        end_lane(client, lane);
        return;
    }
    lane->number = client->begun;
    lane->began = skua_perf_now();
    put_number(message, lane->number, (uint16_t)(lane - client->lanes));
    const enum skua_err err =
        skua_conn_send_datagram(client->ep, client->conn, message, len, SKUA_NEVER);
    if (err == SKUA_EMSGSIZE) {
        size_t most = 0;
        (void)skua_conn_max_datagram(client->ep, client->conn, &most);
        skua_perf_fail(client, SKUA_EXIT_USAGE, "a datagram to %s holds at most %zu bytes",
                       client->plan->host, most);
    } else if (err == SKUA_ESTATE) {
        skua_perf_fail(client, SKUA_EXIT_REFUSED, "the server takes no datagrams");
    } else if (err != SKUA_OK) {
        skua_perf_fail(client, SKUA_EXIT_LOST, "cannot send: %s", skua_strerror(err));
    }
}

static void on_look(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct skua_perf_client *client = watcher->data;
    struct skua_conn_stats stats;
    uint64_t patience = PATIENCE_MIN_NS;
    (void)loop;
    (void)events;
    if (skua_conn_stats(client->ep, client->conn, &stats) == SKUA_OK &&
        stats.rtt_smoothed_ns * PATIENCE_RTTS > patience) {
        patience = stats.rtt_smoothed_ns * PATIENCE_RTTS;
    }
    for (uint16_t i = 0; i < client->lane_count && client->phase == SKUA_PERF_RUNNING; i++) {
        struct skua_perf_lane *lane = &client->lanes[i];
        if (!lane->out.ended && skua_perf_now() - lane->began > patience) {
            client->report.failures++;
            begin_exchange(client, lane);
        }
    }
}

void skua_perf_dgram_begin(struct skua_perf_client *client)
{
    client->running = client->lane_count;
    ev_timer_init(&client->look, on_look, look_every, look_every);
    client->look.data = client;
    ev_timer_start(client->loop, &client->look);
    for (uint16_t i = 0; i < client->lane_count && client->phase == SKUA_PERF_RUNNING; i++) {
        begin_exchange(client, &client->lanes[i]);
    }
}

void skua_perf_dgram_stop(struct skua_perf_client *client)
{
    for (uint16_t i = 0; i < client->lane_count; i++) {
        end_lane(client, &client->lanes[i]);
    }
}

void skua_perf_dgram_arrived(struct skua_perf_client *client)
{
    struct skua_vec vec;
    while (client->phase == SKUA_PERF_RUNNING &&
           skua_conn_peek_datagram(client->ep, client->conn, &vec) == SKUA_OK) {
        uint64_t number;
        uint16_t index;
        const bool good = get_number(&vec, &number, &index) && index < client->lane_count &&
                          vec.len == client->plan->exchange;
        note_read(&client->in, vec.len, skua_ev_now(client->ev));
        (void)skua_conn_drop_datagram(client->ep, client->conn);
        if (!good) {
            skua_perf_fail(client, SKUA_EXIT_LOST, "the server's answer is not what was sent");
            return;
        }
        struct skua_perf_lane *lane = &client->lanes[index];
        if (!lane->out.ended && lane->number == number) {
            skua_hist_add(client->report.times, skua_perf_now() - lane->began);
            skua_perf_load_count(client);
            begin_exchange(client, lane);
        }
    }
}

/* --- the server --- */

void skua_perf_session_datagram(struct skua_perf_server *server, struct skua_perf_session *session)
{
    const bool wanted = session->requested && session->request.mode == SKUA_PERF_DGRAM;
    struct skua_vec vec;
    while (skua_conn_peek_datagram(server->ep, session->conn, &vec) == SKUA_OK) {
        note_read(&session->in, vec.len, skua_ev_now(server->ev));
        if (wanted) {
            /* One that cannot leave is as good as lost. */
            (void)skua_conn_send_datagram(server->ep, session->conn, vec.data, vec.len, SKUA_NEVER);
        }
        (void)skua_conn_drop_datagram(server->ep, session->conn);
    }
}
