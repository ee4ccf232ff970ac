/* The load of `skua perf`, as the client makes it (perf_client.h): bulk streams, exchanges, or
 * connections. */
#include "perf_client.h"

/* --- bulk --- */

static void bulk_begin(struct skua_perf_client *client)
{
    const struct skua_perf_plan *plan = client->plan;
    client->running = (uint32_t)plan->up + plan->down;
    for (uint16_t i = 0; i < plan->up; i++) {
        struct skua_perf_lane *lane = &client->lanes[i];
        const uint64_t share = plan->amount / plan->up + (i < plan->amount % plan->up ? 1 : 0);
        const enum skua_err err =
            skua_stream_open(client->ep, client->conn, SKUA_STREAM_UNI, &lane->out.stream);
        if (err != SKUA_OK) {
            skua_perf_fail(client, SKUA_EXIT_LOST, "cannot open a stream: %s", skua_strerror(err));
            return;
        }
        (void)skua_stream_set_user(client->ep, lane->out.stream, lane);
        lane->out.left = plan->amount == 0 ? UINT64_MAX : share;
        skua_perf_load_writable(client, lane);
    }
}

/* The server opened a stream. */
void skua_perf_load_stream(struct skua_perf_client *client, skua_stream stream)
{
    struct skua_stream_info info;
    if (skua_stream_info(client->ep, stream, &info) != SKUA_OK) {
        return; /* gone again */
    }
    if ((info.id & 2) == 0 || client->arrived == client->plan->down) {
        skua_perf_fail(client, SKUA_EXIT_LOST, "the server opened a stream that has no place");
        return;
    }
    client->arrived++;
}

static void bulk_stop(struct skua_perf_client *client)
{
    for (uint16_t i = 0; i < client->lane_count; i++) {
        struct skua_perf_out *out = &client->lanes[i].out;
        const bool ended = out->ended;
        skua_perf_out_reset(client->ep, out);
        if (!ended) {
            skua_perf_one_ended(client);
        }
    }
    if (client->plan->down > 0 && !skua_perf_control_plain(&client->control, SKUA_PERF_STOP)) {
        skua_perf_fail(client, SKUA_EXIT_LOST, "cannot tell the server to stop");
    }
}

uint64_t skua_perf_load_acked(struct skua_perf_client *client)
{
    uint64_t acked = 0;
    for (uint16_t i = 0; client->plan->mode == SKUA_PERF_BULK && i < client->lane_count; i++) {
        struct skua_stream_info info;
        if (skua_stream_info(client->ep, client->lanes[i].out.stream, &info) == SKUA_OK) {
            acked += info.acked;
        }
    }
    return acked;
}

/* --- exchanges --- */

bool skua_perf_load_next(struct skua_perf_client *client)
{
    const uint64_t amount = client->plan->amount;
    if (client->stopping || (amount != 0 && client->begun == amount)) {
        return false;
    }
    client->begun++;
    return true;
}

void skua_perf_load_count(struct skua_perf_client *client)
{
    client->report.exchanges++;
    client->report.elapsed_ns = skua_perf_now() - client->meter.start;
}

static void rr_next(struct skua_perf_client *client, struct skua_perf_lane *lane)
{
    if (!skua_perf_load_next(client)) {
        lane->out.ended = true;
        (void)skua_stream_close(client->ep, lane->out.stream);
        skua_perf_one_ended(client);
        return;
    }
    lane->out.left = client->plan->exchange;
    lane->missing = client->plan->exchange;
    lane->began = skua_perf_now();
    skua_perf_load_writable(client, lane);
}

static void rr_begin(struct skua_perf_client *client)
{
    client->running = client->lane_count;
    for (uint16_t i = 0; i < client->lane_count; i++) {
        struct skua_perf_lane *lane = &client->lanes[i];
        const enum skua_err err =
            skua_stream_open(client->ep, client->conn, SKUA_STREAM_BIDI, &lane->out.stream);
        if (err != SKUA_OK) {
            skua_perf_fail(client, SKUA_EXIT_LOST, "cannot open a stream: %s", skua_strerror(err));
            return;
        }
        (void)skua_stream_set_user(client->ep, lane->out.stream, lane);
        rr_next(client, lane);
    }
}

static void rr_readable(struct skua_perf_client *client, struct skua_perf_lane *lane)
{
    uint64_t got = 0;
    const enum skua_err err = skua_perf_in_drain(client->ep, lane->out.stream, &client->in,
                                                 skua_ev_now(client->ev), &got);
    if (got > lane->missing || err != SKUA_EAGAIN) {
        skua_perf_fail(client, SKUA_EXIT_LOST, "the server's response is not of the right size");
        return;
    }
    lane->missing -= got;
    if (lane->missing == 0) {
        skua_hist_add(client->report.times, skua_perf_now() - lane->began);
        skua_perf_load_count(client);
        rr_next(client, lane);
    }
}

/* Exchanges under way are given up. */
static void rr_stop(struct skua_perf_client *client)
{
    for (uint16_t i = 0; i < client->lane_count; i++) {
        struct skua_perf_lane *lane = &client->lanes[i];
        if (!lane->out.ended) {
            lane->out.ended = true;
            (void)skua_stream_close(client->ep, lane->out.stream);
            skua_perf_one_ended(client);
        }
    }
}

/* --- connections --- */

/* Opens the lane's next connection; the request travels with the handshake's third packet. */
static void connect_next(struct skua_perf_client *client, struct skua_perf_lane *lane)
{
    static const struct skua_perf_request request = {.version = SKUA_PERF_VERSION,
                                                     .mode = SKUA_PERF_EXCHANGE};
    uint8_t message[SKUA_PERF_MESSAGE_MAX];
    struct skua_conn_config config = SKUA_CONN_CONFIG_INIT;
    struct skua_path path;
    struct skua_key key;
    if (!skua_perf_load_next(client)) {
        skua_perf_one_ended(client);
        return;
    }
    lane->answered = false;
    lane->control = (struct skua_perf_control){.ep = client->ep};
    lane->began = skua_perf_now();
    config.user = lane;
    config.label = SKUA_PERF_LABEL;
    config.controller = client->plan->controller;
    config.server_key = &key;
    enum skua_err err = skua_conn_path(client->ep, client->conn, &path);
    if (err == SKUA_OK) {
        err = skua_conn_peer_key(client->ep, client->conn, &key);
    }
    if (err == SKUA_OK) {
        err = skua_conn_connect(client->ep, &path, &config, &lane->conn);
    }
    if (err == SKUA_OK) {
        err = skua_stream_open(client->ep, lane->conn, SKUA_STREAM_BIDI, &lane->control.stream);
    }
    if (err != SKUA_OK || !skua_perf_control_send(&lane->control, message,
                                                  skua_perf_put_request(message, &request))) {
        skua_perf_fail(client, SKUA_EXIT_LOST, "cannot connect: %s", skua_strerror(err));
    }
}

static void connect_readable(struct skua_perf_lane *lane)
{
    enum skua_perf_type type = SKUA_PERF_READY;
    enum skua_perf_status status = SKUA_PERF_OK;
    const uint8_t *body = NULL;
    size_t len = 0;
    if (skua_perf_control_next(&lane->control, &type, &body, &len) == SKUA_PERF_GOT_MESSAGE) {
        lane->answered = type == SKUA_PERF_READY && skua_perf_get_ready(body, len, &status) &&
                         status == SKUA_PERF_OK;
        (void)skua_conn_close(lane->client->ep, lane->conn);
    }
}

void skua_perf_load_conn(struct skua_perf_lane *lane, const struct skua_event *event)
{
    struct skua_perf_client *client = lane->client;
    const uint64_t age = skua_perf_now() - lane->began;
    if (event->type == SKUA_EVENT_ESTABLISHED) {
        skua_hist_add(client->report.times, age);
    } else if (event->type == SKUA_EVENT_READABLE) {
        connect_readable(lane);
    } else if (event->type == SKUA_EVENT_CLOSED) {
        lane->conn = 0;
        if (event->error == SKUA_OK && lane->answered) {
            skua_hist_add(client->report.lives, age);
            skua_perf_load_count(client);
        } else {
            client->report.failures++;
        }
        connect_next(client, lane);
    }
}

/* --- all --- */

void skua_perf_load_begin(struct skua_perf_client *client)
{
    const struct skua_perf_plan *plan = client->plan;
    client->lane_count = plan->up;
    if (plan->mode == SKUA_PERF_BULK) {
        bulk_begin(client);
        return;
    }
    if (plan->mode == SKUA_PERF_RR) {
        rr_begin(client);
        return;
    }
    if (plan->mode == SKUA_PERF_DGRAM) {
        skua_perf_dgram_begin(client);
        return;
    }
    client->running = client->lane_count;
    for (uint16_t i = 0; i < client->lane_count && client->phase == SKUA_PERF_RUNNING; i++) {
        connect_next(client, &client->lanes[i]);
    }
}

void skua_perf_load_stop(struct skua_perf_client *client)
{
    /* CONNECT: what is under way ends by itself. */
    if (client->plan->mode == SKUA_PERF_BULK) {
        bulk_stop(client);
    } else if (client->plan->mode == SKUA_PERF_RR) {
        rr_stop(client);
    } else if (client->plan->mode == SKUA_PERF_DGRAM) {
        skua_perf_dgram_stop(client);
    }
}

void skua_perf_load_readable(struct skua_perf_client *client, const struct skua_event *event)
{
    uint64_t got = 0;
    if (client->plan->mode == SKUA_PERF_RR && event->stream_user != NULL) {
        rr_readable(client, event->stream_user);
        return;
    }
    const enum skua_err err =
        skua_perf_in_drain(client->ep, event->stream, &client->in, skua_ev_now(client->ev), &got);
    if (err != SKUA_EAGAIN) {
        (void)skua_stream_close(client->ep, event->stream);
        skua_perf_one_ended(client);
    }
}

void skua_perf_load_writable(struct skua_perf_client *client, struct skua_perf_lane *lane)
{
    struct skua_perf_out *out = &lane->out;
    const bool bulk = client->plan->mode == SKUA_PERF_BULK;
    const bool ended = out->ended;
    const enum skua_err err = bulk ? skua_perf_out_pump(client->ep, out, &client->source)
                                   : skua_perf_out_write(client->ep, out, &client->source);
    if (err != SKUA_OK) {
        skua_perf_fail(client, SKUA_EXIT_LOST, "cannot send: %s", skua_strerror(err));
    } else if (bulk && out->ended && !ended) {
        skua_perf_one_ended(client);
    }
}
