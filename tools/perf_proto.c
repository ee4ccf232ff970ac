/* Messages on the control stream of `skua perf` (perf_proto.h). */
#include "perf_proto.h"

enum { REQUEST_LEN = 1 + 1 + 2 + 2 + 8 + 4, READY_LEN = 2 };

/* 64-bit values of a RESULT. */
enum {
    RESULT_VALUES = 9
#define SKUA_PERF_CONN(member)    +1
#define SKUA_PERF_COUNTER(member) +1
#define SKUA_PERF_GAUGE(member)   +1
#include "perf_stats.def"
#undef SKUA_PERF_CONN
#undef SKUA_PERF_COUNTER
#undef SKUA_PERF_GAUGE
};
_Static_assert(RESULT_VALUES * 8 <= SKUA_PERF_BODY_MAX, "a RESULT fits");

static void put(uint8_t **at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        (*at)[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
    *at += size;
}

/* The caller has checked that the bytes are there. */
static uint64_t get(const uint8_t **at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | (*at)[i];
    }
    *at += size;
    return value;
}

/* A head whose length is filled in by `finish`. */
static uint8_t *begin(uint8_t *out, enum skua_perf_type type)
{
    out[0] = (uint8_t)type;
    return out + SKUA_PERF_HEAD_LEN;
}

static size_t finish(uint8_t *out, const uint8_t *end)
{
    uint8_t *length = out + 1;
    const size_t len = (size_t)(end - out);
    put(&length, len - SKUA_PERF_HEAD_LEN, 2);
    return len;
}

/* The one length of a type's body; SIZE_MAX for an unknown type. */
static size_t body_len(unsigned type)
{
    switch (type) {
    case SKUA_PERF_REQUEST:
        return REQUEST_LEN;
    case SKUA_PERF_READY:
        return READY_LEN;
    case SKUA_PERF_STOP:
    case SKUA_PERF_DONE:
        return 0;
    case SKUA_PERF_RESULT:
        return RESULT_VALUES * 8;
    default:
        return SIZE_MAX;
    }
}

bool skua_perf_get_head(const uint8_t in[SKUA_PERF_HEAD_LEN], enum skua_perf_type *type,
                        size_t *len)
{
    const uint8_t *at = in + 1;
    const size_t want = body_len(in[0]);
    if (want != get(&at, 2)) {
        return false;
    }
    *type = (enum skua_perf_type)in[0];
    *len = want;
    return true;
}

size_t skua_perf_put_request(uint8_t out[SKUA_PERF_MESSAGE_MAX],
                             const struct skua_perf_request *request)
{
    uint8_t *at = begin(out, SKUA_PERF_REQUEST);
    put(&at, request->version, 1);
    put(&at, (uint64_t)request->mode, 1);
    put(&at, request->up, 2);
    put(&at, request->down, 2);
    put(&at, request->bytes, 8);
    put(&at, request->exchange, 4);
    return finish(out, at);
}

size_t skua_perf_put_ready(uint8_t out[SKUA_PERF_MESSAGE_MAX], enum skua_perf_status status)
{
    uint8_t *at = begin(out, SKUA_PERF_READY);
    put(&at, SKUA_PERF_VERSION, 1);
    put(&at, (uint64_t)status, 1);
    return finish(out, at);
}

size_t skua_perf_put_plain(uint8_t out[SKUA_PERF_MESSAGE_MAX], enum skua_perf_type type)
{
    return finish(out, begin(out, type));
}

size_t skua_perf_put_result(uint8_t out[SKUA_PERF_MESSAGE_MAX], const struct skua_perf_end *end)
{
    uint8_t *at = begin(out, SKUA_PERF_RESULT);
    put(&at, end->received_bytes, 8);
    put(&at, end->receive_ns, 8);
    put(&at, end->cpu_user_ns, 8);
    put(&at, end->cpu_system_ns, 8);
    put(&at, end->elapsed_ns, 8);
    put(&at, end->served, 8);
    put(&at, end->suite, 8);
    put(&at, end->ecn_state, 8);
    put(&at, end->controller, 8);
#define SKUA_PERF_CONN(member)    put(&at, end->conn.member, 8);
#define SKUA_PERF_COUNTER(member) put(&at, end->driver.member, 8);
#define SKUA_PERF_GAUGE(member)   put(&at, end->driver.member, 8);
#include "perf_stats.def"
#undef SKUA_PERF_CONN
#undef SKUA_PERF_COUNTER
#undef SKUA_PERF_GAUGE
    return finish(out, at);
}

/* Do the numbers make sense for the mode? */
static bool request_is_valid(const struct skua_perf_request *request)
{
    switch (request->mode) {
    case SKUA_PERF_BULK:
        return request->up <= SKUA_PERF_STREAMS_MAX && request->down <= SKUA_PERF_STREAMS_MAX &&
               request->up + request->down > 0 && request->exchange == 0;
    case SKUA_PERF_RR:
        return request->up > 0 && request->up <= SKUA_PERF_STREAMS_MAX && request->down == 0 &&
               request->bytes == 0 && request->exchange > 0 &&
               request->exchange <= SKUA_PERF_EXCHANGE_MAX;
    case SKUA_PERF_DGRAM:
        return request->up > 0 && request->up <= SKUA_PERF_STREAMS_MAX && request->down == 0 &&
               request->bytes == 0 && request->exchange >= SKUA_PERF_DGRAM_MIN &&
               request->exchange <= SKUA_PERF_DGRAM_MAX;
    case SKUA_PERF_CONNECT:
    case SKUA_PERF_EXCHANGE:
        return request->up == 0 && request->down == 0 && request->bytes == 0 &&
               request->exchange == 0;
    }
    return false;
}

bool skua_perf_get_request(const uint8_t *body, size_t len, struct skua_perf_request *out)
{
    if (len != REQUEST_LEN) {
        return false;
    }
    *out = (struct skua_perf_request){.version = (uint8_t)get(&body, 1)};
    if (out->version != SKUA_PERF_VERSION) {
        return true;
    }
    out->mode = (enum skua_perf_mode)get(&body, 1);
    out->up = (uint16_t)get(&body, 2);
    out->down = (uint16_t)get(&body, 2);
    out->bytes = get(&body, 8);
    out->exchange = (uint32_t)get(&body, 4);
    return request_is_valid(out);
}

bool skua_perf_get_ready(const uint8_t *body, size_t len, enum skua_perf_status *out)
{
    if (len != READY_LEN) {
        return false;
    }
    const uint64_t version = get(&body, 1);
    const uint64_t status = get(&body, 1);
    *out = (enum skua_perf_status)status;
    return status == SKUA_PERF_BAD_VERSION ||
           (status == SKUA_PERF_OK && version == SKUA_PERF_VERSION);
}

bool skua_perf_get_result(const uint8_t *body, size_t len, struct skua_perf_end *out)
{
    if (len != RESULT_VALUES * 8) {
        return false;
    }
    *out = (struct skua_perf_end){.received_bytes = get(&body, 8)};
    out->receive_ns = get(&body, 8);
    out->cpu_user_ns = get(&body, 8);
    out->cpu_system_ns = get(&body, 8);
    out->elapsed_ns = get(&body, 8);
    out->served = get(&body, 8);
    out->suite = get(&body, 8);
    out->ecn_state = get(&body, 8);
    out->controller = get(&body, 8);
#define SKUA_PERF_CONN(member)    out->conn.member = get(&body, 8);
#define SKUA_PERF_COUNTER(member) out->driver.member = get(&body, 8);
#define SKUA_PERF_GAUGE(member)   out->driver.member = (uint32_t)get(&body, 8);
#include "perf_stats.def"
#undef SKUA_PERF_CONN
#undef SKUA_PERF_COUNTER
#undef SKUA_PERF_GAUGE
    return true;
}
