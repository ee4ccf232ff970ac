/* The course of a test of `skua perf`, as the client sees it (perf_client.h): REQUEST, the time it
 * takes with its intervals, DONE, RESULT. */
#include "perf_client.h"

/* --- intervals --- */

/* Ends the present interval and begins the next. One shorter than a twentieth of the wanted length
 * is left out where it is not all there is: timers of equal time would make one of no length. */
static void end_interval(struct skua_perf_client *client)
{
    struct skua_conn_stats stats;
    const struct skua_perf_interval *mark = &client->mark;
    if (skua_conn_stats(client->ep, client->conn, &stats) != SKUA_OK) {
        return;
    }
    const struct skua_perf_interval totals = {
        .to_ns = skua_perf_now() - client->meter.start,
        .up_bytes = skua_perf_load_acked(client),
        .down_bytes = client->in.bytes,
        .exchanges = client->report.exchanges,
        .packets_lost = stats.packets_lost,
        .resent_bytes = stats.stream_bytes_retransmitted,
    };
    if (client->report.interval_count > 0 &&
        totals.to_ns - mark->to_ns < client->plan->interval_ns / 20) {
        return;
    }
    const struct skua_perf_interval interval = {
        .from_ns = mark->to_ns,
        .to_ns = totals.to_ns,
        .up_bytes = totals.up_bytes - mark->up_bytes,
        .down_bytes = totals.down_bytes - mark->down_bytes,
        .exchanges = totals.exchanges - mark->exchanges,
        .rtt_ns = stats.rtt_smoothed_ns,
        .cwnd = stats.cwnd,
        .packets_lost = totals.packets_lost - mark->packets_lost,
        .resent_bytes = totals.resent_bytes - mark->resent_bytes,
    };
    client->mark = totals;
    skua_perf_report_interval(&client->report, &interval);
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    end_interval(watcher->data);
}

/* --- the end --- */

void skua_perf_stop(struct skua_perf_client *client)
{
    client->stopping = true;
    if (ev_is_active(&client->tick)) {
        end_interval(client);
        ev_timer_stop(client->loop, &client->tick);
    }
    skua_perf_load_stop(client);
}

void skua_perf_one_ended(struct skua_perf_client *client)
{
    client->running--;
    if (client->running > 0 || client->phase != SKUA_PERF_RUNNING) {
        return;
    }
    client->phase = SKUA_PERF_ENDING;
    if (!skua_perf_control_plain(&client->control, SKUA_PERF_DONE)) {
        skua_perf_fail(client, SKUA_EXIT_LOST, "cannot tell the server that this is all");
    }
}

/* The server's account came: everything is known. */
static void on_result(struct skua_perf_client *client)
{
    if (ev_is_active(&client->tick)) {
        end_interval(client);
        ev_timer_stop(client->loop, &client->tick);
    }
    skua_perf_meter_end(&client->meter, client->ev, client->conn, &client->in,
                        &client->report.client);
    client->report.has_peer = true;
    client->phase = SKUA_PERF_CLOSING;
    (void)skua_conn_close(client->ep, client->conn);
}

static void on_limit(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct skua_perf_client *client = watcher->data;
    (void)loop;
    (void)events;
    if (client->phase == SKUA_PERF_RUNNING && !client->stopping) {
        skua_perf_stop(client);
    }
}

/* --- the control stream --- */

static void on_ready(struct skua_perf_client *client)
{
    const struct skua_perf_plan *plan = client->plan;
    client->phase = SKUA_PERF_RUNNING;
    skua_perf_meter_begin(&client->meter, client->ev);
    const double tick = (double)plan->interval_ns / (double)SKUA_SEC;
    ev_timer_init(&client->tick, on_tick, tick, tick);
    ev_timer_init(&client->limit, on_limit, (double)plan->time_ns / (double)SKUA_SEC, 0.0);
    client->tick.data = client;
    client->limit.data = client;
    ev_now_update(client->loop);
    if (plan->interval_ns != 0) {
        ev_timer_start(client->loop, &client->tick);
    }
    if (plan->time_ns != SKUA_NEVER) {
        ev_timer_start(client->loop, &client->limit);
    }
    skua_perf_load_begin(client);
}

static bool on_message(struct skua_perf_client *client, enum skua_perf_type type,
                       const uint8_t *body, size_t len)
{
    enum skua_perf_status status = SKUA_PERF_OK;
    switch (type) {
    case SKUA_PERF_READY:
        if (client->phase != SKUA_PERF_ASKING || !skua_perf_get_ready(body, len, &status)) {
            return false;
        }
        if (status == SKUA_PERF_BAD_VERSION) {
            skua_perf_fail(client, SKUA_EXIT_REFUSED, "the server speaks another version of this");
        } else {
            on_ready(client);
        }
        return true;
    case SKUA_PERF_RESULT:
        if (client->phase != SKUA_PERF_ENDING ||
            !skua_perf_get_result(body, len, &client->report.peer)) {
            return false;
        }
        on_result(client);
        return true;
    case SKUA_PERF_REQUEST:
    case SKUA_PERF_STOP:
    case SKUA_PERF_DONE:
        break;
    }
    return false;
}

void skua_perf_read_control(struct skua_perf_client *client)
{
    enum skua_perf_type type = SKUA_PERF_READY;
    const uint8_t *body = NULL;
    size_t len = 0;
    enum skua_perf_got got = SKUA_PERF_GOT_MESSAGE;
    bool good = true;
    while (good && client->phase < SKUA_PERF_CLOSING &&
           (got = skua_perf_control_next(&client->control, &type, &body, &len)) ==
               SKUA_PERF_GOT_MESSAGE) {
        good = on_message(client, type, body, len);
    }
    if (!good || got == SKUA_PERF_GOT_BAD) {
        skua_perf_fail(client, SKUA_EXIT_LOST, "the server's messages make no sense");
        (void)skua_conn_abort(client->ep, client->conn, SKUA_PERF_ABORT_PROTOCOL,
                              "unexpected message");
    }
}

void skua_perf_ask(struct skua_perf_client *client)
{
    const struct skua_perf_plan *plan = client->plan;
    uint8_t message[SKUA_PERF_MESSAGE_MAX];
    const struct skua_perf_request request = {
        .version = SKUA_PERF_VERSION,
        .mode = plan->mode,
        .up = plan->mode == SKUA_PERF_CONNECT ? 0 : plan->up,
        .down = plan->down,
        .bytes = plan->down > 0 ? plan->amount : 0,
        .exchange = plan->exchange,
    };
    client->phase = SKUA_PERF_ASKING;
    if (skua_stream_open(client->ep, client->conn, SKUA_STREAM_BIDI, &client->control.stream) !=
            SKUA_OK ||
        !skua_perf_control_send(&client->control, message,
                                skua_perf_put_request(message, &request))) {
        skua_perf_fail(client, SKUA_EXIT_LOST, "cannot send the request");
    }
}
