/* How to write a test of behaviour.
 *
 * A question of an engineer ("the first packet is lost: what happens?") is a line of questions.def;
 * the tests that answer it are lines of tests.def: TEST(number, name, file). A line there is all
 * that the build, ctest (`behaviour.NAME`, label `behaviour`) and the checks of docs/behaviour.md
 * need. The test is SCENARIO(name) in tests/behaviour/file.c, and reads like a sequence chart:
 *
 *     SCENARIO(first_packet_lost)
 *     {
 *         net_drop(client, SYN, 1);                  what the network will do
 *         app_listen();                              what the applications do
 *         app_connect();
 *         run_to(MS(20));                            time passes; it begins at 0 with each chart
 *         expect_state(client, SKUA_STATE_SYN_SENT); what must be so
 *         run_to(SEC(1) + MS(30));
 *         expect_at(client, SKUA_EVENT_ESTABLISHED, SEC(1) + MS(20));
 *         expect_sent(client, SYN, 2);               it has sent two of them by now
 *         expect_frames(client, CONFIRM, 1, PING);   the first CONFIRM carried one PING
 *     }
 *
 * There are two hosts, `client` and `server` (struct side of ../sim/pair.h: they accept and read by
 * themselves unless told not to), and an Ethernet with 10 ms each way between them. A chart is open
 * when a test begins; chart_begin(...) opens another in place of it, with other links or drivers.
 * When a test is over, all connections are aborted and nothing may be left in either endpoint.
 *
 * A kind of packet is its type (SYN, ..., DATA), ANY, or WITH(frame): those that carry the frame
 * (WITH(FIN), WITH(STREAM)); STREAM_END is a STREAM frame with the stream's end. Count them from 1:
 * in net_*() from the call on, in expect_*() and packet() from the beginning of the chart.
 *
 * The exchange is drawn as a ladder: `behaviour ladder NAME` prints it, a failure does, and
 * `<!-- ladder: NAME -->` ... `<!-- end -->` in docs/behaviour.md or docs/protocol.md shows it (the
 * target docs_update writes it, the test docs.behaviour compares). `-v` adds every trace event.
 * Times stand left for the client and right for the server, at both ends of an arrow; X is where a
 * packet was lost, ~ a damaged one, [late] one that a later one overtook, [CE] one that a router
 * marked, and another word in brackets the receiver's verdict.
 *
 * Break the code once and see the test fail. No sleeps, no real time, no sockets. What is missing
 * here, add here; what only one file needs stays in that file. */
#ifndef SKUA_TESTS_BEHAVIOUR_CHART_H
#define SKUA_TESTS_BEHAVIOUR_CHART_H

#include <limits.h>

#include "base/verdict.h"
#include "pair.h"
#include "record.h"

/* SCENARIO(name) { ... }: the test `name` of tests.def. */
#define SCENARIO(name) void scenario_##name(void)

#define TEST(number, name, file) SCENARIO(name);
#include "tests.def"
#undef TEST

/* --- the chart */

extern struct side *const client, *const server;

/* Ends the chart that is open, if any, and opens another: `link` may be NULL (10 ms each way, 1,472
 * bytes of UDP payload at most). */
void chart_begin(const struct sim_link_config *link);
/* The same with drivers of one's own; NULL: ideal ones, that take one datagram at a time. */
void chart_begin_drivers(const struct sim_link_config *link,
                         const struct sim_host_config *at_client,
                         const struct sim_host_config *at_server);
/* Aborts every connection, lets time pass, and checks that nothing is left. Called by main. */
void chart_end(void);
/* What happened so far was before the chart: times, counts and what the sides saw begin anew.
 * Nothing may be under way. */
void chart_forget(void);
/* Name of the test that is run. Called by main. */
void chart_name(const char *name, bool verbose);
/* The world, for what is not here (sim_at, sim_inject, links). */
struct sim_world *world(void);
struct pair *chart_pair(void);

/* --- time, from the beginning of the chart */

skua_time elapsed(void);
void run_to(skua_time at);
void run_for(skua_time duration);
/* Until `condition` holds, which must be within `limit`. */
#define run_until(limit, condition) pair_until(chart_pair(), limit, condition)

/* --- what the network does to the `nth` packet of a kind that `from` sends from now on */

void net_drop(struct side *from, unsigned kind, unsigned nth);
/* The `nth` and those that follow it, `count` in all; UINT_MAX for ever. */
void net_drop_many(struct side *from, unsigned kind, unsigned nth, unsigned count);
/* Arrives so much later; others overtake it. */
void net_delay(struct side *from, unsigned kind, unsigned nth, skua_time by);
/* Arrives again, so much later. */
void net_duplicate(struct side *from, unsigned kind, unsigned nth, skua_time after);
/* Arrives with a few bits flipped. */
void net_corrupt(struct side *from, unsigned kind, unsigned nth);
/* Arrives with the mark of a congested queue (CE). */
void net_mark(struct side *from, unsigned kind, unsigned nth);
/* Keeps a copy for net_replay; `len` is 0 until it was sent. Valid until the chart ends. */
const struct kept *net_keep(struct side *from, unsigned kind, unsigned nth);
/* A datagram reaches `to` at once, from the other side's address or (`from` not NULL) from there.
 */
void net_inject(struct side *to, const struct skua_addr *from, const void *bytes, size_t len);
void net_replay(struct side *to, const struct kept *kept);
/* Shows every datagram of the chart to `watch` when it leaves, the lost ones too; NULL: no more. */
void net_watch(void (*watch)(struct side *from, const struct sim_datagram *datagram));
/* Shows every event that either side traces (base/trace.def) to `watch`; NULL: no more. */
void watch_trace(void (*watch)(struct side *s, const struct skua_trace_event *event));
/* The cable of what `from` sends is pulled, and plugged in again. */
void net_cut(struct side *from);
void net_mend(struct side *from);

/* --- what the applications do; each is written into the ladder */

void app_listen(void);
void app_listen_with(const struct skua_listen_config *config);
void app_connect(void);
void app_connect_with(const struct skua_conn_config *config);
/* Listens, connects, and waits until both are established and all is quiet. */
void app_establish(void);
/* The server takes the connection that waits (where `server->accepts` is false). */
void app_accept(void);
/* Opens a stream of `kind` (SKUA_STREAM_BIDI, _UNI) and writes so many bytes, with its end. */
void app_send(struct side *s, unsigned kind, uint64_t bytes);
/* Writes so many bytes more on `s->stream`, without its end. */
void app_write(struct side *s, uint64_t bytes);
void app_finish(struct side *s);
/* Reads what there is (where `s->drains` is false). */
void app_read(struct side *s);
void app_shutdown(struct side *s);
void app_close(struct side *s);
void app_abort(struct side *s, uint64_t code, const char *reason);
/* The process is killed, without a packet, and started again with the same key; it has forgotten
 * all. */
void app_crash(struct side *s);
/* The host is suspended for so long; its clock goes on meanwhile, or stands still. */
void app_suspend(struct side *s, skua_time duration, bool clock_goes_on);
/* The host's clock falls back by so much. */
void app_clock_back(struct side *s, skua_time fall);
/* A remark of the test's own. */
void note(struct side *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- what must be so; a failure prints the ladder */

#define expect(condition) SIM_CHECK(world(), condition)

/* TCP's name of where the side is: SYN_RCVD while the server has a half-open entry, LISTEN where it
 * has only a listener, TIME_WAIT also by a record alone. */
enum skua_state state_of(struct side *s);
#define expect_state(side, state) chart_expect_state(side, state, __FILE__, __LINE__)
/* The states that the side's connections went through, all of them and in this order. */
#define expect_states(side, ...)                                                                   \
    chart_expect_states(side, (const enum skua_state[]){__VA_ARGS__},                              \
                        sizeof((const enum skua_state[]){__VA_ARGS__}) / sizeof(enum skua_state),  \
                        __FILE__, __LINE__)
/* It saw the event last at this time. */
#define expect_at(side, event, time) chart_expect_at(side, event, time, __FILE__, __LINE__)
/* The connection ended, with this error (SKUA_OK: orderly). */
#define expect_closed(side, error) chart_expect_closed(side, error, __FILE__, __LINE__)
/* It has sent so many of this kind. */
#define expect_sent(side, kind, count) chart_expect_sent(side, kind, count, __FILE__, __LINE__)
/* The `nth` of this kind carried exactly these frames, in this order; PADDING does not count, and
 * STREAM_END is a STREAM with its end. */
#define expect_frames(side, kind, nth, ...)                                                        \
    chart_expect_frames(side, kind, nth, (const unsigned[]){__VA_ARGS__},                          \
                        sizeof((const unsigned[]){__VA_ARGS__}) / sizeof(unsigned), __FILE__,      \
                        __LINE__)
/* ... left at this time. */
#define expect_sent_at(side, kind, nth, time)                                                      \
    chart_expect_sent_at(side, kind, nth, time, __FILE__, __LINE__)

/* How many of a kind a side has sent, and the `nth` of them (which must exist). */
unsigned sent(struct side *s, unsigned kind);
const struct packet *packet(struct side *s, unsigned kind, unsigned nth);
/* The first frame of a type in a packet, or NULL. */
const struct wire_frame *frame_of(const struct packet *p, unsigned frame);
/* How often the endpoint of `s` gave this verdict (enum skua_verdict). */
uint64_t verdicts(struct side *s, unsigned verdict);

void chart_expect_state(struct side *s, enum skua_state state, const char *file, int line);
void chart_expect_states(struct side *s, const enum skua_state *states, size_t n, const char *file,
                         int line);
void chart_expect_at(struct side *s, enum skua_event_type event, skua_time at, const char *file,
                     int line);
void chart_expect_closed(struct side *s, enum skua_err error, const char *file, int line);
void chart_expect_sent(struct side *s, unsigned kind, unsigned count, const char *file, int line);
void chart_expect_frames(struct side *s, unsigned kind, unsigned nth, const unsigned *frames,
                         size_t n, const char *file, int line);
void chart_expect_sent_at(struct side *s, unsigned kind, unsigned nth, skua_time at,
                          const char *file, int line);

#endif
