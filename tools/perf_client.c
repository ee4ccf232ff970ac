/* The client of `skua perf` (perf_client.h): connects, keeps the time, ends the test, reports. */
#include "perf_client.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Ends the loop. */
static void over(struct skua_perf_client *client, enum skua_exit code)
{
    if (client->phase != SKUA_PERF_OVER) {
        client->phase = SKUA_PERF_OVER;
        client->code = code;
        ev_break(client->loop, EVBREAK_ALL);
    }
}

void skua_perf_fail(struct skua_perf_client *client, enum skua_exit code, const char *format, ...)
{
    if (client->phase == SKUA_PERF_OVER) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(client->error, sizeof client->error, format, args);
    va_end(args);
    client->report.error = client->error;
    over(client, code);
}

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

/* Begins nothing more: the time is up, or the user has seen enough. */
static void stop(struct skua_perf_client *client)
{
    if (client->phase != SKUA_PERF_RUNNING || client->stopping) {
        return;
    }
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
    (void)loop;
    (void)events;
    stop(watcher->data);
}

/* The first time ends the test in order, the second at once. */
static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct skua_perf_client *client = watcher->data;
    (void)loop;
    (void)events;
    if (client->phase == SKUA_PERF_RUNNING && !client->interrupted) {
        client->interrupted = true;
        stop(client);
        return;
    }
    if (client->conn != 0) {
        (void)skua_conn_abort(client->ep, client->conn, SKUA_PERF_ABORT_INTERRUPTED, "interrupted");
    }
    skua_perf_fail(client, SKUA_EXIT_INTERRUPTED, "interrupted");
}

/* --- the control stream --- */

static void on_ready(struct skua_perf_client *client)
{
    const struct skua_perf_plan *plan = client->plan;
    client->phase = SKUA_PERF_RUNNING;
    skua_perf_meter_begin(&client->meter, client->ev);
    const double tick = (double)plan->interval_ns / (double)SKUA_SEC;
    ev_now_update(client->loop);
    if (plan->interval_ns != 0) {
        ev_timer_set(&client->tick, tick, tick);
        ev_timer_start(client->loop, &client->tick);
    }
    if (plan->time_ns != SKUA_NEVER) {
        ev_timer_set(&client->limit, (double)plan->time_ns / (double)SKUA_SEC, 0.0);
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

static void read_control(struct skua_perf_client *client)
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
        (void)skua_conn_abort(client->ep, client->conn, SKUA_PERF_ABORT_PROTOCOL,
                              "unexpected message");
        skua_perf_fail(client, SKUA_EXIT_LOST, "the server's messages make no sense");
    }
}

/* --- events of the main connection; others go to the load --- */

static struct skua_perf_client *client_of(struct skua_ev *ev)
{
    return skua_ev_user(ev);
}

/* Whose connection: a lane's where the test is of connections. */
static struct skua_perf_lane *lane_of(struct skua_ev *ev, const struct skua_event *event)
{
    return event->user == client_of(ev) ? NULL : event->user;
}

/* Which key the server has, where nobody said which it must have. */
static void show_key(struct skua_perf_client *client)
{
    struct skua_key key;
    char text[SKUA_KEY_TEXT_LEN];
    if (!client->plan->pinned && !client->plan->quiet &&
        skua_conn_peer_key(client->ep, client->conn, &key) == SKUA_OK) {
        skua_key_format(text, &key);
        (void)fprintf(stderr, "skua perf: any server key is accepted; this one has %s\n", text);
    }
}

static void on_established(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_perf_client *client = client_of(ev);
    const struct skua_perf_plan *plan = client->plan;
    uint8_t message[SKUA_PERF_MESSAGE_MAX];
    struct skua_perf_lane *lane = lane_of(ev, event);
    if (lane != NULL) {
        skua_perf_load_conn(lane, event);
        return;
    }
    client->conn = event->conn;
    client->phase = SKUA_PERF_ASKING;
    show_key(client);
    const struct skua_perf_request request = {
        .version = SKUA_PERF_VERSION,
        .mode = plan->mode,
        .up = plan->mode == SKUA_PERF_CONNECT ? 0 : plan->up,
        .down = plan->down,
        .bytes = plan->down > 0 ? plan->amount : 0,
        .exchange = plan->exchange,
    };
    if (skua_stream_open(client->ep, client->conn, SKUA_STREAM_BIDI, &client->control.stream) !=
            SKUA_OK ||
        !skua_perf_control_send(&client->control, message,
                                skua_perf_put_request(message, &request))) {
        skua_perf_fail(client, SKUA_EXIT_LOST, "cannot send the request");
    }
}

static void on_stream(struct skua_ev *ev, const struct skua_event *event)
{
    if (lane_of(ev, event) == NULL) {
        skua_perf_load_stream(client_of(ev), event->stream);
    }
}

static void on_readable(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_perf_client *client = client_of(ev);
    struct skua_perf_lane *lane = lane_of(ev, event);
    if (lane != NULL) {
        skua_perf_load_conn(lane, event);
    } else if (event->stream == client->control.stream) {
        read_control(client);
    } else if (client->phase == SKUA_PERF_RUNNING) {
        skua_perf_load_readable(client, event);
    }
}

static void on_writable(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_perf_client *client = client_of(ev);
    if (event->stream_user != NULL && client->phase == SKUA_PERF_RUNNING) {
        skua_perf_load_writable(client, event->stream_user);
    }
}

/* Why there is no connection, or no more. */
static void explain(struct skua_perf_client *client, const struct skua_event *event)
{
    char key[SKUA_KEY_TEXT_LEN];
    const char *host = client->plan->host;
    const char *why = event->remote && !event->application && event->code != 0
                          ? skua_code_text(event->code)
                          : skua_strerror(event->error);
    const char *colon = event->reason[0] != '\0' ? ": " : "";
    if (event->error == SKUA_EPEERKEY) {
        skua_key_format(key, &event->key);
        skua_perf_fail(client, SKUA_EXIT_PEER_KEY, "%s has another key: %s", host, key);
    } else if (client->phase <= SKUA_PERF_ASKING) {
        const bool refused = event->remote && event->code != 0;
        skua_perf_fail(client, refused ? SKUA_EXIT_REFUSED : SKUA_EXIT_UNREACHABLE,
                       "cannot connect to %s: %s%s%s", host, why, colon, event->reason);
    } else {
        skua_perf_fail(client, SKUA_EXIT_LOST, "connection to %s lost: %s%s%s", host, why, colon,
                       event->reason);
    }
}

static void on_closed(struct skua_ev *ev, const struct skua_event *event)
{
    struct skua_perf_client *client = client_of(ev);
    struct skua_perf_lane *lane = lane_of(ev, event);
    if (lane != NULL) {
        skua_perf_load_conn(lane, event);
    } else if (client->phase == SKUA_PERF_CLOSING) {
        over(client, client->interrupted ? SKUA_EXIT_INTERRUPTED : SKUA_EXIT_OK);
    } else {
        if (client->phase >= SKUA_PERF_RUNNING) {
            skua_perf_meter_end(&client->meter, ev, event->conn, &client->in,
                                &client->report.client);
        }
        explain(client, event);
    }
}

/* --- beginning and end --- */

static enum skua_err start(struct skua_perf_client *client)
{
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    struct skua_conn_config conn = SKUA_CONN_CONFIG_INIT;
    config.user = client;
    config.handlers = (struct skua_ev_handlers){.established = on_established,
                                                .stream = on_stream,
                                                .readable = on_readable,
                                                .writable = on_writable,
                                                .closed = on_closed};
    skua_perf_config(&config, client->plan);
    const enum skua_err err = skua_ev_new(&client->ev, client->loop, &config);
    if (err != SKUA_OK) {
        return err;
    }
    client->ep = skua_ev_endpoint(client->ev);
    client->control.ep = client->ep;
    conn.user = client;
    conn.label = SKUA_PERF_LABEL;
    conn.server_key = client->plan->pinned ? &client->plan->pin : NULL;
    return skua_ev_connect(client->ev, client->plan->host, client->plan->port, &conn, NULL);
}

static void run(struct skua_perf_client *client)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    ev_timer_init(&client->tick, on_tick, 0.0, 0.0);
    ev_timer_init(&client->limit, on_limit, 0.0, 0.0);
    client->tick.data = client;
    client->limit.data = client;
    for (size_t i = 0; i < 2; i++) {
        ev_signal_init(&client->signals[i], on_signal, numbers[i]);
        client->signals[i].data = client;
        ev_signal_start(client->loop, &client->signals[i]);
    }
    (void)ev_run(client->loop, 0);
    ev_timer_stop(client->loop, &client->tick);
    ev_timer_stop(client->loop, &client->limit);
    for (size_t i = 0; i < 2; i++) {
        ev_signal_stop(client->loop, &client->signals[i]);
    }
}

/* Fills in what is known from the plan; false where memory is short. */
static bool prepare(struct skua_perf_client *client, const struct skua_perf_plan *plan)
{
    struct skua_perf_report *report = &client->report;
    const bool bulk = plan->mode == SKUA_PERF_BULK;
    client->plan = plan;
    client->loop = ev_default_loop(EVFLAG_AUTO);
    for (size_t i = 0; i < SKUA_PERF_STREAMS_MAX; i++) {
        client->lanes[i].client = client;
    }
    *report = (struct skua_perf_report){
        .out = stdout,
        .json = plan->json,
        .quiet = plan->quiet,
        .server = plan->host,
        .mode = plan->mode,
        .up = plan->up,
        .down = plan->down,
        .exchange = plan->exchange,
        .times = bulk ? NULL : calloc(1, sizeof *report->times),
        .lives = plan->mode == SKUA_PERF_CONNECT ? calloc(1, sizeof *report->lives) : NULL,
    };
    return client->loop != NULL && (bulk || report->times != NULL) &&
           (plan->mode != SKUA_PERF_CONNECT || report->lives != NULL) &&
           skua_perf_source_init(&client->source, plan->chunk, plan->copy);
}

enum skua_exit skua_perf_client(const struct skua_perf_plan *plan)
{
    struct skua_perf_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return SKUA_EXIT_LOCAL_IO;
    }
    enum skua_err err = prepare(client, plan) ? start(client) : SKUA_ENOMEM;
    if (err == SKUA_OK) {
        run(client);
    } else {
        const bool cipher = err == SKUA_EINVAL && client->ev == NULL;
        skua_perf_fail(client, SKUA_EXIT_LOCAL_IO, "%s",
                       cipher ? "this machine does not have the cipher" : skua_strerror(err));
    }
    if (client->error[0] != '\0') {
        (void)fprintf(stderr, "skua perf: %s\n", client->error);
    }
    /* A test that never began has nothing to show but, in JSON, why. */
    if (plan->json || client->meter.start != 0) {
        skua_perf_report_summary(&client->report);
    }
    const enum skua_exit code = client->code;
    skua_ev_free(client->ev);
    skua_perf_source_deinit(&client->source);
    skua_perf_report_deinit(&client->report);
    free(client->report.times);
    free(client->report.lives);
    free(client);
    return code;
}
