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
    if (client->phase == SKUA_PERF_RUNNING || client->phase == SKUA_PERF_ENDING) {
        skua_perf_meter_end(&client->meter, client->ev, client->conn, &client->in,
                            &client->report.client);
    }
    over(client, code);
}

/* The first time ends the test in order, the second at once; but a terminal that is closed says it
 * twice by itself. */
static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct skua_perf_client *client = watcher->data;
    (void)loop;
    (void)events;
    if (client->interrupted && watcher->signum == SIGHUP) {
        return;
    }
    const bool orderly = client->phase == SKUA_PERF_RUNNING || client->phase == SKUA_PERF_ENDING;
    if (orderly && !client->interrupted) {
        client->interrupted = true;
        skua_perf_stop(client);
        return;
    }
    skua_perf_fail(client, SKUA_EXIT_INTERRUPTED, "interrupted");
    if (client->conn != 0) {
        (void)skua_conn_abort(client->ep, client->conn, SKUA_PERF_ABORT_INTERRUPTED, "interrupted");
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
    struct skua_perf_lane *lane = lane_of(ev, event);
    if (lane != NULL) {
        skua_perf_load_conn(lane, event);
        return;
    }
    client->conn = event->conn;
    show_key(client);
    skua_perf_ask(client);
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
        skua_perf_read_control(client);
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

static void on_datagram(struct skua_ev *ev, const struct skua_event *event)
{
    (void)event;
    skua_perf_dgram_arrived(client_of(ev));
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
        explain(client, event);
    }
}

/* --- beginning and end --- */

static enum skua_err start(struct skua_perf_client *client)
{
    struct skua_ev_config config = SKUA_EV_CONFIG_INIT;
    struct skua_conn_config conn = SKUA_CONN_CONFIG_INIT;
    config.user = client;
    config.handlers = (struct skua_ev_handlers){.size = sizeof(struct skua_ev_handlers),
                                                .established = on_established,
                                                .stream = on_stream,
                                                .readable = on_readable,
                                                .writable = on_writable,
                                                .datagram = on_datagram,
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
    conn.datagram_buffer = SKUA_PERF_DGRAM_BUFFER;
    conn.controller = client->plan->controller;
    conn.server_key = client->plan->pinned ? &client->plan->pin : NULL;
    return skua_ev_connect(client->ev, client->plan->host, client->plan->port, &conn, NULL);
}

static void run(struct skua_perf_client *client)
{
    skua_stop_signals_start(&client->signals, client->loop, on_signal, client);
    (void)ev_run(client->loop, 0);
    ev_timer_stop(client->loop, &client->tick);
    ev_timer_stop(client->loop, &client->limit);
    ev_timer_stop(client->loop, &client->look);
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
    skua_stop_signals_end(&client->signals, client->loop);
    skua_perf_source_deinit(&client->source);
    skua_perf_report_deinit(&client->report);
    free(client->report.times);
    free(client->report.lives);
    free(client);
    return code;
}
