/* What client and server of `skua perf` do alike (perf_flow.h). */
#include "perf_flow.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SOURCE_SIZE = 32 << 20, PIECES = 64 };

skua_time skua_perf_now(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (skua_time)ts.tv_sec * SKUA_SEC + (skua_time)ts.tv_nsec;
}

/* --- sending --- */

bool skua_perf_source_init(struct skua_perf_source *source, size_t chunk, bool copy)
{
    *source = (struct skua_perf_source){
        .data = malloc(SOURCE_SIZE), .size = SOURCE_SIZE, .chunk = chunk, .copy = copy};
    uint64_t word = 1;
    for (size_t i = 0; source->data != NULL && i < source->size; i += sizeof word) {
        /* Any bytes will do; all must have been written, or every page would be the same one. */
        word = word * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        memcpy(source->data + i, &word, sizeof word);
    }
    return source->data != NULL;
}

void skua_perf_source_deinit(struct skua_perf_source *source)
{
    free(source->data);
    source->data = NULL;
}

static enum skua_err write_some(struct skua_endpoint *ep, const struct skua_perf_out *out,
                                const struct skua_perf_source *source, size_t len, size_t *written)
{
    const uint8_t *data = source->data + out->at;
    if (source->copy) {
        return skua_stream_write(ep, out->stream, data, len, written);
    }
    const enum skua_err err = skua_stream_lend(ep, out->stream, data, len);
    *written = err == SKUA_OK ? len : 0;
    return err;
}

enum skua_err skua_perf_out_write(struct skua_endpoint *ep, struct skua_perf_out *out,
                                  const struct skua_perf_source *source)
{
    while (out->left > 0) {
        size_t len = source->size - out->at;
        len = len < source->chunk ? len : source->chunk;
        len = out->left < len ? (size_t)out->left : len;
        size_t written = 0;
        const enum skua_err err = write_some(ep, out, source, len, &written);
        if (err != SKUA_OK) {
            return err == SKUA_EAGAIN ? SKUA_OK : err;
        }
        out->at = (out->at + written) % source->size;
        out->left -= out->left == UINT64_MAX ? 0 : written;
    }
    return SKUA_OK;
}

enum skua_err skua_perf_out_pump(struct skua_endpoint *ep, struct skua_perf_out *out,
                                 const struct skua_perf_source *source)
{
    if (out->ended) {
        return SKUA_OK;
    }
    const enum skua_err err = skua_perf_out_write(ep, out, source);
    if (err != SKUA_OK || out->left > 0) {
        return err;
    }
    out->ended = true;
    return skua_stream_finish(ep, out->stream);
}

void skua_perf_out_reset(struct skua_endpoint *ep, struct skua_perf_out *out)
{
    out->ended = true;
    (void)skua_stream_reset(ep, out->stream, 0);
}

/* --- receiving --- */

enum skua_err skua_perf_in_drain(struct skua_endpoint *ep, skua_stream stream,
                                 struct skua_perf_in *in, skua_time now, uint64_t *got)
{
    *got = 0;
    for (;;) {
        struct skua_vec pieces[PIECES];
        size_t count = PIECES;
        enum skua_err err = skua_stream_peek(ep, stream, pieces, &count);
        size_t len = 0;
        for (size_t i = 0; err == SKUA_OK && i < count; i++) {
            len += pieces[i].len;
        }
        if (err == SKUA_OK) {
            err = skua_stream_consume(ep, stream, len);
        }
        if (err != SKUA_OK) {
            return err;
        }
        in->first = in->bytes == 0 ? now : in->first;
        in->last = now;
        in->bytes += len;
        *got += len;
    }
}

/* --- control stream --- */

enum skua_perf_got skua_perf_control_next(struct skua_perf_control *control,
                                          enum skua_perf_type *type, const uint8_t **body,
                                          size_t *len)
{
    /* Never reads beyond the message: nothing has to be kept for the next call. */
    for (;;) {
        *len = 0;
        if (control->len >= SKUA_PERF_HEAD_LEN &&
            !skua_perf_get_head(control->message, type, len)) {
            return SKUA_PERF_GOT_BAD;
        }
        const size_t want = SKUA_PERF_HEAD_LEN + *len;
        if (control->len == want) {
            *body = control->message + SKUA_PERF_HEAD_LEN;
            control->len = 0;
            return SKUA_PERF_GOT_MESSAGE;
        }
        size_t got = 0;
        const enum skua_err err =
            skua_stream_read(control->ep, control->stream, control->message + control->len,
                             want - control->len, &got);
        if (err != SKUA_OK) {
            return err == SKUA_EAGAIN ? SKUA_PERF_GOT_NOTHING : SKUA_PERF_GOT_BAD;
        }
        control->len += got;
    }
}

bool skua_perf_control_send(struct skua_perf_control *control, const uint8_t *message, size_t len)
{
    size_t written = 0;
    return skua_stream_write(control->ep, control->stream, message, len, &written) == SKUA_OK &&
           written == len;
}

bool skua_perf_control_plain(struct skua_perf_control *control, enum skua_perf_type type)
{
    uint8_t message[SKUA_PERF_MESSAGE_MAX];
    return skua_perf_control_send(control, message, skua_perf_put_plain(message, type));
}

/* --- the account --- */

void skua_perf_meter_begin(struct skua_perf_meter *meter, const struct skua_ev *ev)
{
    meter->start = skua_perf_now();
    (void)getrusage(RUSAGE_SELF, &meter->cpu);
    skua_ev_stats(ev, &meter->driver);
}

static uint64_t since(const struct timeval *now, const struct timeval *then)
{
    return (uint64_t)(((int64_t)(now->tv_sec - then->tv_sec) * 1000000 +
                       (int64_t)(now->tv_usec - then->tv_usec)) *
                      (int64_t)SKUA_USEC);
}

void skua_perf_meter_end(const struct skua_perf_meter *meter, struct skua_ev *ev, skua_conn conn,
                         const struct skua_perf_in *in, struct skua_perf_end *end)
{
    struct rusage cpu;
    (void)getrusage(RUSAGE_SELF, &cpu);
    *end = (struct skua_perf_end){
        .received_bytes = in->bytes,
        .receive_ns = in->last - in->first,
        .cpu_user_ns = since(&cpu.ru_utime, &meter->cpu.ru_utime),
        .cpu_system_ns = since(&cpu.ru_stime, &meter->cpu.ru_stime),
        .elapsed_ns = skua_perf_now() - meter->start,
    };
    if (skua_conn_stats(skua_ev_endpoint(ev), conn, &end->conn) != SKUA_OK) {
        end->conn = (struct skua_conn_stats){0};
    }
    end->suite = (uint64_t)end->conn.suite;
    end->ecn_state = (uint64_t)end->conn.ecn_state;
    end->controller = (uint64_t)end->conn.controller;
    skua_ev_stats(ev, &end->driver);
#define SKUA_PERF_CONN(member)
#define SKUA_PERF_COUNTER(member) end->driver.member -= meter->driver.member;
#define SKUA_PERF_GAUGE(member)
#include "perf_stats.def"
#undef SKUA_PERF_CONN
#undef SKUA_PERF_COUNTER
#undef SKUA_PERF_GAUGE
}
