/* See chart.h: what must be so. A failure says what was found instead, and the ladder follows. */
#include <stdarg.h>
#include <stdio.h>

#include "chart.h"

static const char *side_name(const struct side *s)
{
    return s == client ? "client" : "server";
}

static const char *frame_name(unsigned frame)
{
    const struct skua_frame_info *info = skua_frame_info(frame);
    return frame == STREAM_END ? "STREAM_END" : (info != NULL ? info->name : "?");
}

enum skua_state state_of(struct side *s)
{
    struct skua_endpoint_stats stats;
    enum skua_state state = SKUA_STATE_CLOSED;
    skua_endpoint_stats(s->host->ep, &stats);
    if (s->conn != 0 && skua_conn_state(s->host->ep, s->conn, &state) == SKUA_OK &&
        state != SKUA_STATE_CLOSED) {
        return state;
    }
    if (stats.time_wait > 0) {
        return SKUA_STATE_TIME_WAIT;
    }
    if (stats.half_open > 0) {
        return SKUA_STATE_SYN_RCVD;
    }
    return s->listens && s->conn == 0 ? SKUA_STATE_LISTEN : SKUA_STATE_CLOSED;
}

void chart_expect_state(struct side *s, enum skua_state state, const char *file, int line)
{
    enum skua_state is = state_of(s);
    if (is != state) {
        sim_fail(world(), "%s:%d: the %s is in %s, not in %s", file, line, side_name(s),
                 skua_state_name(is), skua_state_name(state));
    }
}

void chart_expect_states(struct side *s, const enum skua_state *states, size_t n, const char *file,
                         int line)
{
    bool same = s->state_count == n;
    for (size_t i = 0; i < n && same; i++) {
        same = s->states[i] == states[i];
    }
    if (!same) {
        for (unsigned i = 0; i < s->state_count; i++) {
            fprintf(stderr, "%s ", skua_state_name(s->states[i]));
        }
        sim_fail(world(), "%s:%d: the %s went through other states: those above", file, line,
                 side_name(s));
    }
}

void chart_expect_at(struct side *s, enum skua_event_type event, skua_time at, const char *file,
                     int line)
{
    skua_time start = world()->now - elapsed();
    if (s->events[event] == 0) {
        sim_fail(world(), "%s:%d: the %s has not seen %s", file, line, side_name(s),
                 skua_event_name(event));
    }
    if (s->at[event] != start + at) {
        sim_fail(world(), "%s:%d: the %s saw %s at %.6f ms, not %.6f", file, line, side_name(s),
                 skua_event_name(event), (double)(s->at[event] - start) / 1e6, (double)at / 1e6);
    }
}

void chart_expect_closed(struct side *s, enum skua_err error, const char *file, int line)
{
    if (s->events[SKUA_EVENT_CLOSED] == 0) {
        sim_fail(world(), "%s:%d: the %s has not seen CLOSED", file, line, side_name(s));
    }
    if (s->closed.error != error) {
        sim_fail(world(), "%s:%d: the %s's connection ended with %s, not %s", file, line,
                 side_name(s), skua_err_name(s->closed.error), skua_err_name(error));
    }
}

unsigned sent(struct side *s, unsigned kind)
{
    return record_count(s, kind);
}

const struct packet *packet(struct side *s, unsigned kind, unsigned nth)
{
    const struct packet *p = record_packet(s, kind, nth);
    if (p == NULL) {
        sim_fail(world(), "the %s has sent %u of this kind (0x%x), not %u", side_name(s),
                 record_count(s, kind), kind, nth);
    }
    return p;
}

const struct wire_frame *frame_of(const struct packet *p, unsigned frame)
{
    for (unsigned i = 0; i < p->frame_count; i++) {
        uint64_t type = p->frames[i].type;
        if (frame_is(type, frame) || (frame == STREAM && type == STREAM_END)) {
            return &p->frames[i];
        }
    }
    return NULL;
}

uint64_t verdicts(struct side *s, unsigned verdict)
{
    struct skua_endpoint_stats stats;
    skua_endpoint_stats(s->host->ep, &stats);
    return stats.verdicts[verdict];
}

void chart_expect_sent(struct side *s, unsigned kind, unsigned count, const char *file, int line)
{
    if (sent(s, kind) != count) {
        sim_fail(world(), "%s:%d: the %s has sent %u of this kind (0x%x), not %u", file, line,
                 side_name(s), sent(s, kind), kind, count);
    }
}

void chart_expect_frames(struct side *s, unsigned kind, unsigned nth, const unsigned *frames,
                         size_t n, const char *file, int line)
{
    const struct packet *p = packet(s, kind, nth);
    bool same = p->frame_count == n;
    for (size_t i = 0; i < n && same; i++) {
        same = frame_is(p->frames[i].type, frames[i]);
    }
    if (!same) {
        for (unsigned i = 0; i < p->frame_count; i++) {
            fprintf(stderr, "%s ", frame_name((unsigned)p->frames[i].type));
        }
        sim_fail(world(), "%s:%d: the %s's packet has other frames: those above", file, line,
                 side_name(s));
    }
}

void chart_expect_sent_at(struct side *s, unsigned kind, unsigned nth, skua_time at,
                          const char *file, int line)
{
    const struct packet *p = packet(s, kind, nth);
    if (p->at != at) {
        sim_fail(world(), "%s:%d: the %s's packet left at %.6f ms, not %.6f", file, line,
                 side_name(s), (double)p->at / 1e6, (double)at / 1e6);
    }
}
